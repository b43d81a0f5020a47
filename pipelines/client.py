"""Reading an archive from Python: typed, read-only, with the reader's key, without an index.

    from pipelines.client import open_archive

    with open_archive("s3://opeds-archive") as archive:
        for version in archive.opeds(author="gil", since=date(2026, 6, 1)):
            print(version.published_day, version.headline, version.cite("apa"))

Everything but raw pages comes from one SQLite file on this machine, which is made at the first opening and brought up
to date at every later one. `opeds list`, `search`, `show`, `cite` and `export` are this module on the command line.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from pipelines.archive.identity import reach_existing, read_identity
from pipelines.archive.store import Store, open_store
from pipelines.archive.warc import read_capture
from pipelines.catalogue.rows import Row, cite_as
from pipelines.catalogue.schema import VIEWS
from pipelines.clock import SEOUL, day_in_seoul
from pipelines.errors import NotArchived, StoreUnavailable, TakesTooLong, WrongUsage
from pipelines.exports.authors import Columnist, columnists
from pipelines.exports.cite import cited
from pipelines.exports.export import (
    ALL_ENDINGS,
    ENDINGS,
    OnRows,
    Selection,
    Written,
    check_formats,
    export_file,
    export_folder,
    export_stream,
    signed_rows,
)
from pipelines.exports.files import flat_rows
from pipelines.exports.local import bring_up_to_date, local_file
from pipelines.exports.provenance import ProvenanceLink, provenance_of
from pipelines.exports.release import file_as_of
from pipelines.exports.search import (
    ADDRESSES,
    N_VERSIONS,
    ORDERS,
    Terms,
    Wanted,
    holding_sql,
    passage_of,
    search_sql,
    terms_in,
)
from pipelines.exports.sqlite_file import About, OnRead, about_of, connect, row_of
from pipelines.settings import Settings, read_settings
from pipelines.sources import load_sources
from pipelines.sources.addresses import place_of
from pipelines.versions import field_diffs

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl
    import pyarrow as pa

LAST_DAY = date(9998, 12, 31)
AT_ONCE_CLIENT = 200  # rows that are held
STEPS_BETWEEN_LOOKS = 20_000  # of SQLite, between two looks at the clock where time is limited


@dataclass(frozen=True)
class Signed:
    """Who signs an op-ed, and the paper's line about them."""

    name: str
    bio: str = ""


@dataclass(frozen=True)
class Version:
    """One state of one article, as a reader would notice it. `row` has every column of `catalogue/articles` but
    `sketch`; moments are aware, days are Seoul's."""

    article_id: str
    content16: str
    oped_id: str
    role: str
    is_latest: bool
    source: str
    url: str
    kind: str
    headline: str
    deck: str
    authors: tuple[Signed, ...]
    published_at: datetime | None
    published_day: date | None
    language: str
    text: str
    text_ko: str
    status: str
    reasons: tuple[str, ...]
    correction_note: str
    first_seen: datetime
    previous: str
    kind_of_change: str
    cite_as: str
    row: Row = field(repr=False, compare=False)
    places: tuple[str, ...] = ()  # addresses of all places, the primary first: of op-eds that were listed or found
    n_versions: int = 0  # of the article: the same
    passage: str = ""  # of a search: where the words stand, what was found between U+0002 and U+0003

    def cite(self, style: str = "apa") -> str:
        """Return a citation: apa, chicago, bibtex, ris or csl (JSON)."""
        return cited(self.row, style)


@dataclass(frozen=True)
class ServedPage:
    """A page as it was served: its address, when, and the bytes of its body."""

    url: str
    fetched_at: datetime
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


def open_archive(
    archive: str = "", *, settings: Settings | None = None, refresh: bool = True, progress: OnRead = lambda *_: None
) -> ArchiveReader:
    """Open an archive for reading: the one named, else the one that the environment names (OPEDS_ARCHIVE, AWS_*).

    With `refresh` the file on this machine is brought up to date first; `progress` is called with the rows done, of how
    many. Raises `NoArchive`, `StoreUnavailable`.
    """
    asked = settings or read_settings()
    reached = reach_existing(replace(asked, archive=archive) if archive else asked)
    path = bring_up_to_date(reached, progress) if refresh else _as_it_lies(reached)
    return ArchiveReader(reached, path)


def _as_it_lies(settings: Settings) -> Path:
    path = local_file(settings, read_identity(open_store(settings)).archive_id)
    if not path.exists():
        raise StoreUnavailable("no file of this archive is on this machine yet: open it once with refresh=True")
    return path


class ArchiveReader:
    """An archive, open for reading, as it stood when it was opened. One thread at a time."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self.settings, self.path = settings, path
        self.about: About = about_of(path) or About()
        self.connection = connect(path)
        self.seconds = 0.0
        self._store: Store | None = None

    def limit(self, seconds: float) -> None:
        """Let no question take longer than that from now on: it raises `TakesTooLong`."""
        until, self.seconds = monotonic() + seconds, seconds
        self.connection.set_progress_handler(lambda: monotonic() > until, STEPS_BETWEEN_LOOKS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    # -- many ------------------------------------------------------------------------------------

    def opeds(
        self,
        wanted: Wanted | None = None,
        *,
        since: date | None = None,
        until: date | None = None,
        author: str = "",
        kind: str = "",
        source: str = "",
        oldest_first: bool = False,
    ) -> Iterator[Version]:
        """Yield op-eds, newest first: each in its latest version, at its primary place.

        Which ones: by a `Wanted`, or by its parts.
        """
        where, values = (wanted or Wanted(since, until, source, kind, author)).sql()
        order = ORDERS["oldest" if oldest_first else "newest"]
        sql = f"SELECT c.*, {ADDRESSES}, {N_VERSIONS} FROM catalogue AS c WHERE {where} ORDER BY {order}"  # noqa: S608
        yield from map(_version, self.sql(sql, values))

    def search(
        self, asked: str, wanted: Wanted | None = None, order: str = "best", limit: int = 20, skip: int = 0
    ) -> list[Version]:
        """Return op-eds that hold all words and "phrases" of a question, each with its `passage`; order: best, newest
        or oldest. Without a question, all that are `wanted`. Raises `WrongUsage`."""
        terms = terms_in(asked) if asked else Terms()
        sql, values = search_sql(terms, wanted or Wanted(), order, limit, skip)
        return [replace(_version(row), passage=passage_of(row, terms)) for row in self.sql(sql, values)]

    def named(self, article_ids: Sequence[str], limit: int, skip: int = 0) -> list[Version]:
        """Return articles of these names in their latest version, newest first."""
        sql = (
            f"SELECT c.*, {ADDRESSES}, {N_VERSIONS} FROM catalogue AS c WHERE c.is_latest "  # noqa: S608
            f"AND c.article_id IN (SELECT value FROM json_each(?)) ORDER BY {ORDERS['newest']} LIMIT ? OFFSET ?"
        )
        return [_version(row) for row in self.sql(sql, [json.dumps(list(article_ids)), limit, skip])]

    def holding(self, asked: str) -> list[int]:
        """Return the numbers (`id` in `catalogue`) of all rows that hold what is asked, of any version and place.
        Raises `WrongUsage`."""
        sql, values = holding_sql(terms_in(asked) if asked else Terms())
        return [row["id"] for row in self.sql(sql, values)]

    def found_rows(self, asked: str, wanted: Wanted | None = None) -> Iterator[Row]:
        """Yield what a search finds as the flat rows of exported files, by day of publication."""
        with self._explained():
            yield from flat_rows(self.connection, wanted or Wanted(), terms_in(asked) if asked else Terms())

    def columnists(self, name: str = "") -> list[Columnist]:
        """Return who signs op-eds, those with most first; `name` is part of a spelling."""
        found = columnists(signed_rows(self.connection, Wanted()))
        return [one for one in found if not name or any(name.casefold() in said.casefold() for said in one.spellings)]

    def rows(self, view: str = "opeds", wanted: Wanted | None = None) -> Iterator[Row]:
        """Yield rows of a view (`opeds`, `places`, `versions`, `corrections`), or of `catalogue`, as dictionaries;
        `wanted` is for `opeds` alone."""
        if view not in {*VIEWS, "catalogue"}:
            raise WrongUsage(f"unknown view {view!r}; there are: {', '.join(VIEWS)}, catalogue")
        if view == "opeds":
            where, values = (wanted or Wanted()).sql()
            sql = f"SELECT c.* FROM catalogue AS c WHERE {where} ORDER BY c.article_id"  # noqa: S608
        else:
            sql, values = f"SELECT * FROM {view}", []  # noqa: S608
        for found in self.sql(sql, values):
            yield row_of(found)

    def to_arrow(self, view: str = "opeds", wanted: Wanted | None = None) -> pa.Table:
        """Return a view as an Arrow table."""
        import pyarrow as arrow

        return arrow.Table.from_pylist(list(self.rows(view, wanted)))

    def to_polars(self, view: str = "opeds", wanted: Wanted | None = None) -> pl.DataFrame:
        """Return a view as a Polars frame; raise `StoreUnavailable` where Polars is not installed."""
        return _needed("polars").from_arrow(self.to_arrow(view, wanted))  # type: ignore[no-any-return]

    def to_pandas(self, view: str = "opeds", wanted: Wanted | None = None) -> pd.DataFrame:
        """Return a view as a pandas frame; raise `StoreUnavailable` where pandas is not installed."""
        return _needed("pandas").DataFrame(list(self.rows(view, wanted)))

    def export(
        self,
        to: str | Path,
        formats: Sequence[str] = (),
        wanted: Wanted | None = None,
        as_of: int = 0,
        on_rows: OnRows = lambda *_: None,
    ) -> Written | None:
        """Write op-eds as plain files into a folder, or as one file of one format; `-` is standard output, of which
        nothing is returned. `as_of` is a number of the log: the archive as it stood then."""
        names, target = check_formats(formats), str(to)
        is_file = len(names) == 1 and target.endswith(ENDINGS[names[0]]) and not Path(target).is_dir()
        if target == "-" and len(names) != 1:
            raise WrongUsage("standard output takes one format: --format jsonl --to -")
        is_named_so = Path(target).suffix in ALL_ENDINGS or (len(names) == 1 and bool(Path(target).suffix))
        if not is_file and target != "-" and is_named_so and not Path(target).is_dir():
            raise WrongUsage(f"{target} is the name of one file: give one --format that fits, or name a folder")
        with TemporaryDirectory(prefix="opeds-export-") as folder:
            path = self.path if not as_of else file_as_of(self.settings, as_of, Path(folder), on_rows)
            selection = Selection(path, self._bucket(), wanted or Wanted())
            if target == "-":
                export_stream(selection, names[0], sys.stdout.buffer, on_rows)
                return None
            if is_file:
                file = export_file(selection, names[0], Path(target), on_rows)
                return Written(self.about.archive_id, as_of or self.about.seq, (file,))
            return export_folder(selection, names, Path(target), on_rows)

    # -- one -------------------------------------------------------------------------------------

    def oped(self, name: str, as_of: date | None = None) -> Version:
        """Return an article's latest version, the one that `@content16` names, or the one that stood at the end of a
        day in Seoul. See `versions` for `name`."""
        return self.versions(name, as_of)[-1]

    def versions(self, name: str, as_of: date | None = None) -> list[Version]:
        """Return an article's versions in order, the one asked for last.

        `name` is an id, an address of the article, or its number at its source; an id may carry a version,
        `kjd-c2595041@9f3c…`, and a name that it had under older rules resolves too. Raises `NotArchived`.
        """
        article_id, _, content = self._named(name).partition("@")
        rows = [
            row_of(r)
            for r in self.sql("SELECT * FROM catalogue WHERE article_id = ? ORDER BY first_seen", [article_id])
        ]
        if not rows:
            raise NotArchived(f"{article_id} is not in the archive; `opeds list` shows what is")
        if content:
            rows = [row for row in rows if row["content16"].startswith(content) or content in row["formerly"]]
            if not rows:
                raise NotArchived(
                    f"{article_id} has no version {content}; `opeds show {article_id}` lists its versions"
                )
        if as_of is not None:
            rows = _as_of(rows, as_of)
            if not rows:
                raise NotArchived(
                    f"{article_id} had not been seen by {as_of}; `opeds show {article_id}` lists its versions"
                )
        else:
            rows.sort(key=lambda row: (row["is_latest"], row["first_seen"]))
        return [_version_of(row) for row in rows]

    def places(self, name: str) -> list[Version]:
        """Return every place of an op-ed in its latest version, the primary first; `name` is any of them."""
        (oped,) = {version.oped_id for version in self.versions(name)}
        rows = self.sql(
            "SELECT * FROM catalogue WHERE oped_id = ? AND is_latest ORDER BY role <> 'primary', article_id", [oped]
        )
        return [_version(row) for row in rows]

    def before(self, version: Version) -> Version:
        """Return the version that stood before one; raise `NotArchived` where it is the first."""
        if not version.previous:
            raise NotArchived(f"{version.cite_as} is the first version; there is nothing before it")
        return self.versions(f"{version.article_id}@{version.previous}")[-1]

    def diff(self, version: Version) -> Mapping[str, list[tuple[str, str]]]:
        """Return what changed since the version before, for each field: pieces, `-` gone, `+` new, ` ` unchanged."""
        return field_diffs(self.before(version).row, version.row)

    def page(self, version: Version) -> ServedPage:
        """Return the page that a version was read from, as it was served. Raises `NotArchived`, `UnreadableWarc`."""
        key = version.row["capture_key"]
        capture = read_capture(self._bucket().read(key), key)
        return ServedPage(capture.url, capture.fetched_at, capture.headers, capture.payload)

    def provenance(self, version: Version) -> list[ProvenanceLink]:
        """Return the chain from a version's row to the page as it was served, each link with what does not hold."""
        return list(provenance_of(self.settings, self._bucket(), version.row))

    def _bucket(self) -> Store:
        if self._store is None:
            self._store = open_store(self.settings)
        return self._store

    # -- how -------------------------------------------------------------------------------------

    def _named(self, asked: str) -> str:
        """Return the article's id (and version) for what a person calls it: an id, an address, a number."""
        if "://" in asked:
            known = place_of(asked, load_sources(self.settings.sources).values())
            if known is None:
                raise WrongUsage(f"no source knows the address {asked}")
            found = self._ids(
                "canonical_url = ? OR EXISTS (SELECT 1 FROM json_each(aliases) WHERE value = ?)",
                known.canonical_url,
                known.canonical_url,
            )
            return known.article_id if known.article_id in found or not found else min(found)
        number, at, content = asked.partition("@")
        if not all(part.replace("-", "").isalnum() for part in (number, content) if part):
            raise WrongUsage(
                f"{asked!r} is no id; they look like kjd-c2595041 or kjd-c2595041@9f3c51d0a2b4e6f8, or give an address"
            )
        if not number.isdecimal():
            return asked
        named = sorted(
            n for n in self._ids("article_id LIKE ?", f"%{number}") if re.fullmatch(rf"[a-z]+-[a-z]?{number}", n)
        )
        if len(named) > 1:
            raise WrongUsage(f"{number} may be {' or '.join(named)}")
        return f"{named[0]}{at}{content}" if named else asked

    def _ids(self, where: str, *values: str) -> set[str]:
        return {row[0] for row in self.sql(f"SELECT DISTINCT article_id FROM catalogue WHERE {where}", values)}  # noqa: S608

    def sql(self, query: str, values: Sequence[Any] = ()) -> Iterator[sqlite3.Row]:
        """Yield the rows of a question in SQL over the file: `catalogue`, the views, the tables of its search.

        Values stand as SQLite holds them: moments and days as ISO 8601, lists as JSON. Raises `StoreUnavailable`.
        """
        with self._explained():
            found = self.connection.execute(query, values)
            while some := found.fetchmany(AT_ONCE_CLIENT):
                yield from some

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite raises into an error of ours."""
        try:
            yield
        except sqlite3.Error as error:
            if str(error) == "interrupted":
                raise TakesTooLong(f"that takes longer than {self.seconds:.0f} s: ask for less") from error
            broken = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
            raise StoreUnavailable(
                f"cannot read {self.path}: {error}" + ("; remove it, and it is made anew" if broken else "")
            ) from error


def _version(found: sqlite3.Row) -> Version:
    return _version_of(row_of(found))


def _version_of(row: Row) -> Version:
    row.pop("passage", None)
    return Version(
        article_id=row["article_id"],
        content16=row["content16"],
        oped_id=row["oped_id"],
        role=row["role"],
        is_latest=row["is_latest"],
        source=row["source"],
        url=row["canonical_url"],
        kind=row["kind"],
        headline=row["headline"],
        deck=row["deck"] or "",
        authors=tuple(Signed(one["name"], one["bio"] or "") for one in row["authors"]),
        published_at=row["published_at"],
        published_day=row["published_day"] or day_in_seoul(row["published_at"], None),
        language=row["language"],
        text=row["text"],
        text_ko=row["text_ko"],
        status=row["status"],
        reasons=tuple(row["reasons"]),
        correction_note=row["correction_note"] or "",
        first_seen=row["first_seen"],
        previous=row["previous"] or "",
        kind_of_change=row["kind_of_change"] or "",
        cite_as=cite_as(row),
        row=row,
        places=tuple(row.get("addresses", ())),
        n_versions=row.get("n_versions", 0),
    )


def _as_of(rows: list[Row], day: date) -> list[Row]:
    """Return the versions seen by the end of a day in Seoul, the one that stood then last."""
    end = datetime.combine(min(day, LAST_DAY) + timedelta(days=1), time(), SEOUL)
    begun = [(max(s["from"] for s in row["steps"] if s["from"] < end), row) for row in rows if row["first_seen"] < end]
    return [row for _, row in sorted(begun, key=lambda pair: pair[0])]


def _needed(module: str) -> Any:
    """Return a module that only some readers have; raise `StoreUnavailable` with what to install."""
    from importlib import import_module

    with suppress(ImportError):
        return import_module(module)
    raise StoreUnavailable(f"this needs {module}: pip install {module}")
