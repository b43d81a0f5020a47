"""Which archive a bucket is, and whether its op-eds are invented: `archive.json`, created once by the first writer.

The newsstand marks every answer with the header `X-Invented`, so each capture says where it comes from. Invented pages
and real ones never share an archive.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipelines.archive.manifests import read_log
from pipelines.archive.store import Store, open_store
from pipelines.archive.warc import read_capture
from pipelines.errors import (
    MALFORMED,
    RESTORE,
    AlreadyArchived,
    DamagedObject,
    NoArchive,
    NotArchived,
    UnreadableWarc,
    UnsafeStore,
)
from pipelines.settings import Settings

IDENTITY = "archive.json"
ARCHIVE_ID = re.compile(r"[0-9a-z]{1,64}")
GONE = "is gone, though the log under runs/ is there"
MARK = "x-invented"  # a header of every answer of the newsstand
MISPLACED = {
    "invented_page": "these pages are invented (the newsstand made them), and this archive is real: name another one",
    "real_page": "these pages are real, and this archive is invented (the newsstand filled it): name another one",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """An archive's id, and whether its pages are invented."""

    archive_id: str
    invented: bool = False
    sha256: str = field(default="", compare=False)  # of the file that says so


def identify(store: Store, invented: bool = False) -> Identity:
    """Return which archive it is, making an empty bucket one, `invented` or real.

    Raises `UnsafeStore` if creates overwrite: the file is created a second time with other bytes, and a store fit for
    an archive must refuse. Raises `NoArchive` where the file is gone and the log is not: a new id would begin another
    archive among the objects of the old one.
    """
    try:
        body = store.read(IDENTITY)
    except NotArchived:
        _refuse_if_logged(store)
        made = {"archive_id": uuid.uuid4().hex, "schema": "opeds/archive/1", "invented": invented}
        body = json.dumps(made, sort_keys=True).encode()
        try:
            store.create(IDENTITY, body)
        except AlreadyArchived:  # another worker was first
            body = store.read(IDENTITY)
    try:
        store.create(IDENTITY, b"probe: a store that keeps this is unfit")
    except AlreadyArchived:
        return _identity_in(store, body)
    raise UnsafeStore(
        "the bucket ignores If-None-Match and overwrites objects; use one that honours conditional creates"
    )


def _refuse_if_logged(store: Store) -> None:
    """Raise `NoArchive` for a log without `archive.json`; another worker may be making both just now."""
    if next(store.keys("runs/"), None) is None:
        return
    try:
        store.read(IDENTITY)
    except NotArchived as error:
        raise NoArchive(f"{IDENTITY} {GONE}: {RESTORE}") from error


def read_identity(store: Store) -> Identity:
    """Return which archive it is, creating and probing nothing; raise `NotArchived` or `DamagedObject`."""
    return _identity_in(store, store.read(IDENTITY))


def _identity_in(store: Store, body: bytes) -> Identity:
    try:
        told = json.loads(body)
        known = told["invented"] if "invented" in told else _began_invented(store)
        if not ARCHIVE_ID.fullmatch(told["archive_id"]):
            raise ValueError("its id is none of ours")
        return Identity(told["archive_id"], known is True, sha256(body).hexdigest())
    except MALFORMED as error:
        raise DamagedObject(IDENTITY, error) from error


def _began_invented(store: Store) -> bool:
    """Whether an archive that does not say so began with an invented page."""
    named = (o.capture_key for _, manifest in read_log(store) for o in manifest.outcomes if o.capture_key)
    first = next(named, "")
    try:
        return bool(first) and is_invented(read_capture(store.read(first), first).headers)
    except (NotArchived, UnreadableWarc):
        return False  # of which `opeds verify` tells


def is_invented(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether an answer's headers say that the newsstand invented it."""
    return any(name.lower() == MARK for name, _ in headers)


def misplaced(headers: Iterable[tuple[str, str]], invented: bool) -> str:
    """Return why an answer has no place in an archive that is `invented` or real, or an empty string: a key of
    `MISPLACED`."""
    page = is_invented(headers)
    if page is invented:
        return ""
    return "invented_page" if page else "real_page"


def reach_existing(settings: Settings) -> Settings:
    """Return settings that reach an archive that exists, its embedded store started; raise `NoArchive` else.

    Creates nothing. Raises what any access to the bucket raises: no bucket, a wrong key, no answer.
    """
    settings = reach_bucket(settings)
    store = open_store(settings)
    try:
        store.read(IDENTITY)
    except NotArchived as error:
        _refuse_if_logged(store)
        raise NoArchive(_none_in(settings.archive)) from error
    return settings


def check_archive(settings: Settings) -> None:
    """Raise `NoArchive` for a bucket that holds neither `archive.json` nor a log."""
    store = open_store(settings)
    if next(store.keys(IDENTITY), None) is None and next(store.keys("runs/"), None) is None:
        raise NoArchive(_none_in(settings.archive))


def reach_bucket(settings: Settings) -> Settings:
    """Return settings that reach a bucket or folder that exists, whatever lies in it; raise `NoArchive` else."""
    if settings.embedded:
        from pipelines.archive.embedded import ensure_running, is_made

        if not is_made(settings):
            raise NoArchive(_none_in(str(settings.home)))
        settings = ensure_running(settings)
    parts = urlsplit(settings.archive)
    if parts.scheme == "file" and not Path(unquote(parts.path)).is_dir():
        raise NoArchive(_none_in(settings.archive))
    return settings


def _none_in(where: str) -> str:
    return (
        f"no archive here ({where}): name it (OPEDS_ARCHIVE, OPEDS_HOME), or make one by `opeds run` or `opeds ingest`"
    )
