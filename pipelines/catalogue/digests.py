"""Digests of a table's files and commits: Delta states none. One small object for each commit, beside its log.

Readers of Delta pass over folders that begin with `_`, and so does its vacuum.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256

from pipelines.archive.record import to_json
from pipelines.archive.store import Store
from pipelines.errors import MALFORMED, AlreadyArchived, DamagedObject, NotArchived

FOLDER = "_digests"
OWN = "own"  # names the digest of the others
CHANGES = ("add", "cdc")  # actions of a commit that bring files


def commit_key(table: str, version: int) -> str:
    """Return where the commit of a table lies that made this version."""
    return f"catalogue/{table}/_delta_log/{version:020d}.json"


def digests_key(table: str, version: int) -> str:
    """Return where the digests of that commit and of the files that it brought lie."""
    return f"catalogue/{table}/{FOLDER}/{version:020d}.json"


def take_down(store: Store, table: str, since: int, last: int) -> None:
    """Keep the digests of each of these commits that has none yet, and of the files that it brought: its publisher may
    have been cut off. Of a commit that is gone meanwhile there are none."""
    there = set(store.keys(f"catalogue/{table}/{FOLDER}/"))
    for version in range(since, last + 1):
        if digests_key(table, version) in there:
            continue
        with suppress(NotArchived, AlreadyArchived):
            body = store.read(commit_key(table, version))
            found = {commit_key(table, version): sha256(body).hexdigest()}
            for path in paths_in(body, CHANGES):
                key = f"catalogue/{table}/{path}"
                found[key] = sha256(store.read(key)).hexdigest()
            store.create(digests_key(table, version), to_json({**found, OWN: _own_digest(found)}))


def _own_digest(found: Mapping[str, str]) -> str:
    """Return the digest of such an object itself, so that an altered one is not taken for an altered commit."""
    return sha256(to_json(dict(found))).hexdigest()


def paths_in(commit: bytes, kinds: Iterable[str]) -> list[str]:
    """Return the paths that a commit's actions of these kinds name."""
    actions = [json.loads(line) for line in commit.splitlines() if line.strip()]
    return [str(action[kind]["path"]) for action in actions for kind in kinds if action.get(kind)]


def parse_digests(key: str, body: bytes) -> dict[str, str]:
    """Return digests by key, from such an object; raise `DamagedObject`."""
    folder = key.partition(f"{FOLDER}/")[0]
    try:
        found: dict[str, str] = json.loads(body)
        own = found.pop(OWN, "")  # objects before 2026-11-27 lack it
        if own and own != _own_digest(found):
            raise ValueError("it is not as it was written")
        if key.replace(f"/{FOLDER}/", "/_delta_log/") not in found or not all(n.startswith(folder) for n in found):
            raise ValueError("it is about other files")
        if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in found.values()):
            raise ValueError("no digest")
        return found
    except MALFORMED as error:
        raise DamagedObject(key, error) from error
