"""The catalogue: every cell of every row against what log and records make of it, file by file.

A table is read as it lies in the bucket, through the list of files that its own log gives: a query engine would skip
what that list says is not there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.archive.keys import manifest_key
from pipelines.archive.manifests import Manifest, manifest_at
from pipelines.archive.store import Store, read_many
from pipelines.audit.findings import Findings, unreadable_because
from pipelines.catalogue.delta import (
    DataFile,
    Location,
    applied,
    as_described,
    as_type,
    batch_of,
    columns_of,
    data_files,
    digests_since,
    hides_rows,
    misleading,
    open_table,
    rows_in,
    table_described,
    until_done,
)
from pipelines.catalogue.digests import CHANGES, FOLDER, commit_key, digests_key, parse_digests, paths_in
from pipelines.catalogue.rows import Row, record_keys, rows_of, run_row, sighting_rows
from pipelines.catalogue.schema import ARTICLES, CATALOGUE, RUNS, SIGHTINGS, Table
from pipelines.errors import MALFORMED, DamagedObject, NotArchived, StoreUnavailable
from pipelines.index.index import Index

if TYPE_CHECKING:
    from pipelines.catalogue.delta import DeltaTable

ROWS_COMPARED = 500
REDEFINED = frozenset({"coverage", "steps"})  # columns that earlier versions of ours filled otherwise
COMMIT = re.compile(r"(\d{20})\.json")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(\.\d{10}\.\d{10})?\.parquet")
ACTIONS = frozenset({"commitInfo", "protocol", "metaData", "add", "remove", "txn", "cdc"})  # that a commit of ours has
LAST_CHECKPOINT = "_last_checkpoint"
DATA = re.compile(r"(_change_data/)?(year=[^/]+/)?[^/]+\.parquet")
DIGESTS = re.compile(rf"{FOLDER}/\d{{20}}\.json")


@dataclass
class Opened:
    """A table as it stands: its files, and the last manifest that it says it holds; `table` is None where there is
    none, or none that can be read."""

    of: Table
    table: DeltaTable | None = None
    files: list[DataFile] = field(default_factory=list)
    upto: int = 0
    columns: list[str] = field(default_factory=list)  # of today that it has
    is_read: bool = True  # its log, and each of its files; see `_read`
    stated: Mapping[str, str] = field(default_factory=dict)  # digests of files, by key

    @property
    def is_of_today(self) -> bool:
        """Whether it has all columns of today; one of an earlier version of ours is written anew by the next
        publishing."""
        return len(self.columns) == len(self.of.columns().names)


def folder_of(table: Table) -> str:
    """Return where a table lies in the bucket, with a slash at the end."""
    return f"catalogue/{table.name}/"


def opened_tables(where: Mapping[str, Location], keys: Sequence[str], store: Store, findings: Findings) -> list[Opened]:
    """Open the tables, and take in what is wrong with their logs and with what they say of themselves.

    `keys` are all under `catalogue/`.
    """
    for key in keys:
        folder, _, rest = key.removeprefix("catalogue/").partition("/")
        if folder not in CATALOGUE or not (_log_name(rest) or DATA.fullmatch(rest) or DIGESTS.fullmatch(rest)):
            findings.fault("foreign", key, "belongs to no table of ours")
    stated = _stated(keys, store, findings)
    return [_opened(table, where[name], keys, store, stated, findings) for name, table in CATALOGUE.items()]


def _stated(keys: Iterable[str], store: Store, findings: Findings) -> dict[str, str]:
    """Return the digests of commits and of files that publishing took down, by key."""
    found: dict[str, str] = {}
    mine = (key for key in keys if DIGESTS.fullmatch(key.removeprefix("catalogue/").partition("/")[2]))
    for key, body in read_many(store, mine):
        try:
            found |= parse_digests(key, body)
        except DamagedObject as error:
            findings.fault("catalogue", key, str(error))
    return found


def _log_name(rest: str) -> bool:
    name = rest.removeprefix("_delta_log/")
    is_ours = name == LAST_CHECKPOINT or COMMIT.fullmatch(name) or CHECKPOINT.fullmatch(name)
    return rest.startswith("_delta_log/") and bool(is_ours)


def _opened(
    table: Table,
    where: Location,
    keys: Sequence[str],
    store: Store,
    stated: Mapping[str, str],
    findings: Findings,
) -> Opened:
    folder = folder_of(table)
    mine = [key for key in keys if key.startswith(folder)]
    known, is_sound = _commits([key for key in mine if key.startswith(f"{folder}_delta_log/")], store, stated, findings)
    try:
        found = until_done(partial(open_table, where))
        if found is None:
            return Opened(table, is_read=is_sound)
        files = data_files(found)
        if hides_rows(found):
            findings.fault("catalogue", f"{folder}_delta_log", "hides rows that its files hold")
    except StoreUnavailable as error:
        if is_sound:
            findings.fault("catalogue", f"{folder}_delta_log", str(error))
        return Opened(table, is_read=False)
    names = [
        name for name in table.columns().names if name in {column[0] for column in table_described(found)["columns"]}
    ]
    _of_itself(table, found, names, findings)
    _look_for_digests(found, table, mine, findings)
    _compare_digests(table, {folder + file.path for file in files}, mine, store, stated, findings)
    known |= {file.path for file in files}
    for key in mine:
        rest = key.removeprefix(folder)
        if DATA.fullmatch(rest) and rest not in known:
            findings.note("catalogue", key, "no version of its table names it: a publishing that was cut off left it")
    return Opened(table, found, files, applied(found), names, is_sound, stated)


def _commits(keys: Sequence[str], store: Store, stated: Mapping[str, str], findings: Findings) -> tuple[set[str], bool]:
    """Return every path that the commits of a table name, and whether all of its log can be read."""
    paths: set[str] = set()
    is_sound = True
    numbers: list[int] = []
    for key in keys:
        name = COMMIT.fullmatch(key.rpartition("/")[2])
        if name is None and not key.endswith(LAST_CHECKPOINT):
            continue
        if name is not None:
            numbers.append(int(name[1]))
        try:
            body = store.read(key)
            if stated.get(key) and hashlib.sha256(body).hexdigest() != stated[key]:
                raise ValueError("its digest differs from that of the commit")
            _check_commit(key, body, keys)
            paths |= set(paths_in(body, ("add", "remove", "cdc")))
        except NotArchived:
            continue  # cleaned up meanwhile
        except Exception as error:  # altered bytes may be anything
            is_sound = False
            findings.fault("catalogue", key, unreadable_because(error))
    for before, after in zip(sorted(numbers), sorted(numbers)[1:], strict=False):
        if after != before + 1:
            is_sound = False
            missing = f"{keys[0].rpartition('/')[0]}/{before + 1:020d}.json"
            findings.fault("catalogue", missing, "not there, though commits behind it are")
    return paths, is_sound


def _compare_digests(
    table: Table,
    live: Collection[str],
    keys: Sequence[str],
    store: Store,
    stated: Mapping[str, str],
    findings: Findings,
) -> None:
    """Compare what `_digests` says with what commits brought, and files that only older versions and the change feed
    have with their digests."""
    there = set(keys)
    for key in keys:
        name = DIGESTS.fullmatch(key.removeprefix(folder_of(table)))
        commit = key.replace(f"/{FOLDER}/", "/_delta_log/")
        if name is None or commit not in there:
            continue
        with suppress(NotArchived, *MALFORMED, DamagedObject):
            body = store.read(commit)
            if hashlib.sha256(body).hexdigest() != stated.get(commit):
                continue  # which of the two is altered nobody knows: the commit is named already
            brought = {commit, *(folder_of(table) + path for path in paths_in(body, CHANGES))}
            if set(parse_digests(key, store.read(key))) != brought:
                findings.fault("catalogue", key, "has digests of other files than its commit brought")
    for key, body in read_many(
        store, (key for key in keys if key in stated and key not in live and "/_delta" not in key)
    ):
        if hashlib.sha256(body).hexdigest() != stated[key]:
            findings.fault("catalogue", key, "is not the file that was published: its digest differs")


def _check_commit(key: str, body: bytes, keys: Collection[str]) -> None:
    """Raise `ValueError` for a commit, or a pointer to a checkpoint, that says what ours never say."""
    told = [json.loads(line) for line in body.splitlines() if line.strip()]
    if not told:
        raise ValueError("it is empty")
    if key.endswith(LAST_CHECKPOINT):
        start = f"{key.removesuffix(LAST_CHECKPOINT)}{int(told[0]['version']):020d}.checkpoint"
        if not any(one.startswith(start) for one in keys):
            raise ValueError("the checkpoint that it names is not there")
        return
    kinds = {kind for action in told for kind in action}
    if not kinds or kinds - ACTIONS:
        raise ValueError(f"holds other actions than ours: {sorted(kinds - ACTIONS)}")


def _look_for_digests(found: DeltaTable, table: Table, keys: Sequence[str], findings: Findings) -> None:
    """Take in the commits whose digests are not kept; whoever made the last ones may have been cut off."""
    since, there = digests_since(found), set(keys)
    versions = [int(name[1]) for key in keys if "/_delta_log/" in key and (name := COMMIT.search(key))]
    kept = [int(name[1]) for key in keys if f"/{FOLDER}/" in key and (name := COMMIT.search(key))]
    for version in (one for one in kept if since is None or one < since):
        findings.fault("catalogue", digests_key(table.name, version), "is of no version whose digests are kept")
    for version in (one for one in kept if one > found.version() and one not in versions):
        findings.fault("catalogue", commit_key(table.name, version), "not there, though its digests are")
    told: Callable[[str, str, str], None] = findings.note
    for version in sorted(versions, reverse=True):
        key = digests_key(table.name, version)
        if key in there:
            told = findings.fault
        elif since is not None and version >= since:
            told("catalogue", key, "not there, though the commit is: publishing keeps its digests here")


def _of_itself(table: Table, found: DeltaTable, names: Sequence[str], findings: Findings) -> None:
    """Compare what a table says of itself with what it would say if it were made today."""
    told, wanted = table_described(found), as_described(table)
    key = f"{folder_of(table)}_delta_log"
    if len(names) != len(wanted["columns"]):
        return  # of an earlier version, or so it says: `older`
    for what, value in wanted.items():
        if told[what] != value:
            findings.fault("catalogue", key, f"its {what} {'are' if what.endswith('s') else 'is'} not ours")


def digest_of(rows: Iterable[Row], columns: Sequence[str]) -> tuple[int, int]:
    """Return how many rows there are, and a digest of them that their order does not change."""
    count = total = 0
    for row in rows:
        line = json.dumps([row[name] for name in columns], default=str)
        total += int.from_bytes(hashlib.blake2b(line.encode("utf-8", "surrogatepass"), digest_size=16).digest())
        count += 1
    return count, total % (1 << 128)


@dataclass
class OfManifests:
    """A table whose rows are made of manifests alone, and what they must be, by number."""

    opened: Opened
    made: Callable[[int, Manifest], list[Row]]
    due: dict[int, tuple[int, int]] = field(default_factory=dict)
    articles: dict[int, set[str]] = field(default_factory=dict)  # that the table's rows of doubtful manifests name

    def take(self, seq: int, manifest: Manifest) -> None:
        """Take in a manifest."""
        if self.opened.table is not None:
            rows = plainly(self.made(seq, manifest), self.opened.of)
            self.due[seq] = digest_of(rows, self.opened.columns)


def of_manifests(tables: Iterable[Opened]) -> list[OfManifests]:
    """Return those tables whose rows are made of manifests alone."""
    made = {RUNS.name: lambda seq, manifest: [run_row(seq, manifest)], SIGHTINGS.name: sighting_rows}
    return [OfManifests(one, made[one.of.name]) for one in tables if one.of.name in made]


def plainly(rows: Sequence[Row], table: Table) -> list[Row]:
    """Return rows as a table gives them back."""
    return batch_of(rows, table.columns()).to_pylist() if rows else []


def compare_manifest_rows(one: OfManifests, store: Store, doubtful: Collection[int], findings: Findings) -> None:
    """Compare a table that is made of manifests alone with what they say; `doubtful` are altered or cannot be read."""
    opened, folder = one.opened, folder_of(one.opened.of)
    found, where = _digests_by_manifest(one, store, doubtful, findings)
    if opened.table is None:
        return
    for seq, digest in found.items():
        if seq in doubtful or (digest == one.due.get(seq) and seq <= opened.upto):
            continue
        if seq not in one.due:
            said = f"tells of manifest {seq}, which is not there"
        elif seq > opened.upto:
            said = f"holds rows of {manifest_key(seq)}, behind what it says it holds"
        else:
            said = _what_differs(one, store, seq, digest)
        findings.fault("catalogue", where[seq], said)
    for seq, due in one.due.items() if opened.is_read else ():
        if seq <= opened.upto and due[0] and seq not in found and seq not in doubtful:
            findings.fault("catalogue", folder.rstrip("/"), f"has no row of {manifest_key(seq)}")


def _digests_by_manifest(
    one: OfManifests, store: Store, doubtful: Collection[int], findings: Findings
) -> tuple[dict[Any, tuple[int, int]], dict[Any, str]]:
    """Return count and digest of a table's rows of each manifest, and a file that holds some of them."""
    opened = one.opened
    found: dict[Any, tuple[int, int]] = {}
    where: dict[Any, str] = {}
    for file, rows in _read(opened, store, findings):
        by_number: dict[Any, list[Row]] = {}
        for row in rows:
            seq = row.get("seq")
            by_number.setdefault(seq if isinstance(seq, int) else None, []).append(row)
        for seq, some in by_number.items():
            count, total = digest_of(some, opened.columns)
            before = found.get(seq, (0, 0))
            found[seq] = before[0] + count, (before[1] + total) % (1 << 128)
            where[seq] = folder_of(opened.of) + file.path
            if seq in doubtful:
                one.articles.setdefault(seq, set()).update(str(row.get("article_id")) for row in some)
        findings.there["rows"] += len(rows)
        findings.verified["rows"] += len(rows)
    return found, where


def _what_differs(one: OfManifests, store: Store, seq: int, digest: tuple[int, int]) -> str:
    """Return which columns of the rows of a manifest are wrong; only rows that differ are read again."""
    key = manifest_key(seq)
    if digest[0] != one.due[seq][0]:
        return f"has {digest[0]} rows of {key}, which makes {one.due[seq][0]}"
    due = plainly(one.made(seq, manifest_at(store, seq)), one.opened.of)
    stored = [row for _, rows in _read(one.opened, store, Findings()) for row in rows if row.get("seq") == seq]
    names = [n for n in one.opened.columns if digest_of(due, [n]) != digest_of(stored, [n])]
    return f"{key}: {_differing(names or ['which values stand together'])}"


def _differing(names: Sequence[str]) -> str:
    """Return a sentence about columns that are wrong, or an empty string."""
    return f"{', '.join(names)}: not what log and records make of it" if names else ""


def _read(opened: Opened, store: Store, findings: Findings) -> Iterator[tuple[DataFile, list[Row]]]:
    """Yield the rows of each file of a table; take in what keeps a file from being read, or misleads its readers."""
    for file in opened.files:
        key = folder_of(opened.of) + file.path
        if not DATA.fullmatch(file.path) or "%" in file.path or ".." in file.path:
            opened.is_read = False
            findings.fault(
                "catalogue", f"{folder_of(opened.of)}_delta_log", f"names a file as we never do: {file.path[:200]}"
            )
            continue
        try:
            body = store.read(key)
        except NotArchived:
            findings.fault("catalogue", key, "not there, though its table names it")
            opened.is_read = False
            continue
        if opened.stated.get(key) and hashlib.sha256(body).hexdigest() != opened.stated[key]:
            opened.is_read = False
            findings.fault("catalogue", key, "is not the file that was published: its digest differs")
            continue
        if len(body) != file.size:
            findings.fault("catalogue", key, f"has {len(body)} bytes, and its table says {file.size}")
        try:
            for said in misleading(body, file):
                findings.fault("catalogue", key, f"{said}, and its table says otherwise")
            for said in _columns_of_other_kind(opened, body, file):
                findings.fault("catalogue", key, said)
            for rows in rows_in(body, file, ROWS_COMPARED):
                yield file, [{**dict.fromkeys(opened.columns), **row} for row in rows]
        except Exception as error:  # altered bytes may be anything
            opened.is_read = False
            findings.fault("catalogue", key, unreadable_because(error))


def _columns_of_other_kind(opened: Opened, body: bytes, file: DataFile) -> Iterator[str]:
    """Yield which columns a file lacks, has besides, or has with another type than the table."""
    there = columns_of(body)
    wanted = {field.name: as_type(field.type) for field in opened.of.columns() if field.name in opened.columns}
    for name in wanted.keys() - there.keys() - file.partition.keys():
        yield f"has no column {name}"
    if not opened.is_of_today:
        return
    for name in there.keys() - (wanted.keys() - file.partition.keys()):
        yield f"has a column {name[:80]}, which its table has not"
    for name in (name for name in there.keys() & wanted.keys() if there[name] != wanted[name]):
        yield f"holds {name} as {there[name][:80]}"


@dataclass
class ArticleRows:
    """The table of articles, and what its rows are compared with.

    `scratch` is an index made from the log alone; rows of articles in `excused` are not published yet, or an altered
    manifest tells of them; `suspects` are the latter.
    """

    opened: Opened
    store: Store
    scratch: Index
    chosen: Callable[[str], bool]
    excused: Collection[str]
    findings: Findings
    suspects: Collection[str] = ()
    is_older: bool = False  # the table is one of an earlier version of ours
    is_whole: bool = True  # no manifest is altered: what the log does not tell of is nowhere
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: set[tuple[str, str]] = field(default_factory=set)
    unmade: set[str] = field(default_factory=set)  # articles whose rows cannot be made

    @property
    def columns(self) -> list[str]:
        """The columns whose cells can be compared."""
        return [name for name in self.opened.columns if not (self.is_older and name in REDEFINED)]

    def compare(self) -> None:
        """Compare every cell, then look for rows that are missing."""
        for file, rows in _read(self.opened, self.store, self.findings):
            self.findings.there["rows"] += len(rows)
            mine = [row for row in rows if self._is_mine(row)]
            self.skipped |= {_name(row) for row in rows} - {_name(row) for row in mine}
            self.findings.verified["rows"] += len(mine)
            self._compare_rows(folder_of(ARTICLES) + file.path, mine)
        if self.opened.table is not None and self.opened.is_read:
            self._look_for_missing()

    def _is_mine(self, row: Row) -> bool:
        name = row.get("article_id")
        if not isinstance(name, str):
            return True
        matched = {match["article_id"] for match in row.get("matches") or ()} if self.suspects else set()
        return self.chosen(name) and name not in self.excused and not matched & set(self.suspects)

    def _compare_rows(self, key: str, rows: Sequence[Row]) -> None:
        ids = {row["article_id"] for row in rows if isinstance(row.get("article_id"), str)}
        due = {(row["article_id"], row["content16"]): row for row in self._due(ids)}
        for row in rows:
            name = _name(row)
            self.seen[name] += 1
            wanted = due.get(name)
            if self.seen[name] > 1:
                said = "stands twice"
            elif wanted is None:
                said = "no manifest tells of this" if self.is_whole and name[0] not in self.unmade else ""
            else:
                said = _differing([n for n in self.columns if _plain(row[n]) != _plain(wanted[n])])
            if said:
                self.findings.fault("catalogue", key, f"{name[0]}@{name[1]}: {said}"[:500])

    def _due(self, ids: Iterable[str]) -> Iterator[Row]:
        """Yield the rows that log and records make of these articles; those whose records are damaged are left out."""
        states = list(self.scratch.states_of(ids))
        with suppress(NotArchived, *MALFORMED):
            yield from plainly(list(rows_of(self.store, states)), ARTICLES)
            return
        for state in states:
            try:
                yield from plainly(list(rows_of(self.store, [state])), ARTICLES)
            except (NotArchived, *MALFORMED):  # a record is missing or altered: it is among the faults already
                self.unmade.add(state.article_id)

    def _look_for_missing(self) -> None:
        ids = [one for one in self.scratch.changed_since(0) if self.chosen(one) and one not in self.excused]
        for state in self.scratch.states_of(ids):
            with suppress(KeyError):  # of a content whose record no manifest names: told elsewhere
                for content16 in record_keys(state):
                    name = state.article_id, content16
                    if not self.seen[name] and name not in self.skipped:
                        said = f"has no row of {state.article_id}@{content16}"
                        self.findings.fault("catalogue", folder_of(ARTICLES).rstrip("/"), said)


def _name(row: Row) -> tuple[str, str]:
    return str(row.get("article_id")), str(row.get("content16"))


def _plain(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)


def older(tables: Sequence[Opened], keys: Iterable[str], first: int, findings: Findings) -> bool:
    """Return whether the tables may be those of an earlier version of ours; take in what they are otherwise.

    `first` is the first manifest that such a version did not write, or 0: whoever publishes that one makes the tables
    anew, and keeps their digests, which lie among the `keys`.
    """
    is_of_today = any(f"/{FOLDER}/" in key for key in keys) or bool(first and max(one.upto for one in tables) >= first)
    for one in (one for one in tables if one.table is not None and not one.is_of_today):
        told = findings.fault if is_of_today else findings.note
        said = "its columns are not ours" if is_of_today else "of an earlier version: the next publishing makes it anew"
        told("catalogue", f"{folder_of(one.of)}_delta_log", said)
    return not is_of_today


def behind(tables: Sequence[Opened], scratch: Index, last: int, findings: Findings) -> None:
    """Take in which tables lack manifests of the log."""
    is_older = any(one.table is not None and not one.is_of_today for one in tables)
    for one in tables:
        lacks = bool(scratch.changed_since(one.upto)) if one.of is ARTICLES else one.upto < last
        key = folder_of(one.of).rstrip("/")
        if one.upto > last:
            findings.fault("catalogue", f"{key}/_delta_log", f"says that it holds manifest {one.upto} of {last}")
        if lacks and one.table is None and one.is_read:
            told = findings.note if is_older else findings.fault  # an earlier version had fewer tables
            told("catalogue", key, "there is no such table: `opeds upkeep` publishes it")
        elif lacks and one.table is not None and one.is_read:
            said = f"stands at manifest {one.upto} of {last}: `opeds upkeep` publishes the rest"
            findings.fault("catalogue", key, said)


def states_touched(manifest: Manifest) -> set[str]:
    """Return the articles of which a manifest tells, and those that it matches them with."""
    own = {outcome.article_id for outcome in manifest.outcomes}
    matched = {match.article_id for outcome in manifest.outcomes for match in outcome.matches}
    return own | matched | {outcome.target for outcome in manifest.outcomes if outcome.target}


def groups_of(scratch: Index, ids: Iterable[str]) -> set[str]:
    """Return these articles with all others of their groups."""
    asked = set(ids)
    primaries = set(scratch.groups_of(asked).values())
    return asked | {one for one, member in scratch.members().items() if member.oped_id in primaries}
