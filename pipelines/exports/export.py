"""From the SQLite file to a folder of plain files, each with its digest and its number of rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import IO

from pipelines.archive.store import Store
from pipelines.catalogue.rows import Row
from pipelines.errors import WrongUsage
from pipelines.exports.authors import columnists
from pipelines.exports.describe import croissant, datapackage
from pipelines.exports.files import (
    Exported,
    by_year,
    exported,
    flat_rows,
    sums,
    write_csv,
    write_gzip,
    write_jsonl,
    write_parquet,
    write_spreadsheet,
)
from pipelines.exports.replay import cdxj_lines, write_wacz
from pipelines.exports.search import Wanted
from pipelines.exports.sqlite_file import About, about_of, connect, copy_sorted, row_of

ENDINGS = {  # of one file of each format
    "parquet": (".parquet",),
    "jsonl": (".jsonl", ".jsonl.gz", ".ndjson"),
    "csv": (".csv",),
    "spreadsheet": (".csv",),
    "authors": (".jsonl",),
    "sqlite": (".sqlite", ".db"),
    "cdxj": (".cdxj",),
    "warc-paths": (".paths", ".txt"),
    "wacz": (".wacz",),
}
ALL_ENDINGS = frozenset(end for ends in ENDINGS.values() for end in ends) | {".gz"}
PLAIN = tuple(name for name in ENDINGS if name not in {"wacz", "spreadsheet"})  # unasked; wacz has the pages too
STREAMED = frozenset({"jsonl", "csv", "spreadsheet", "authors", "cdxj", "warc-paths"})  # what may go to standard output
SUMS, MANIFEST = "SHA256SUMS", "manifest.json"
BESIDE_FILES = ("datapackage.json", "croissant.json", SUMS)  # of the files that hold op-eds
FILE_OF_FORMAT = {  # of a folder's files, of those formats that have one
    "csv": "metadata.csv",
    "spreadsheet": "metadata.spreadsheet.csv",
    "authors": "authors.jsonl",
    "sqlite": "opeds.sqlite",
    "cdxj": "index.cdxj",
    "warc-paths": "warc.paths",
}
FLAT_WRITERS = {"jsonl": write_jsonl, "csv": write_csv, "spreadsheet": write_spreadsheet}
EVERYTHING = Wanted()
OnRows = Callable[[str, int, int], None]  # file, rows done, of how many


@dataclass(frozen=True)
class Selection:
    """What is exported: from which SQLite file, which op-eds, and the bucket for raw pages."""

    path: Path
    store: Store
    wanted: Wanted = EVERYTHING

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the archive."""
        return self.wanted == EVERYTHING


@dataclass(frozen=True)
class Written:
    """What an export wrote, of which archive, up to which number of its log."""

    archive_id: str
    seq: int
    files: tuple[Exported, ...]

    def as_json(self) -> dict[str, object]:
        """Return what `manifest.json` says."""
        return {"archive_id": self.archive_id, "seq": self.seq, "files": [asdict(file) for file in self.files]}


def check_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """Return the formats that are asked for, else the plain ones; raise `WrongUsage` for an unknown one."""
    asked = tuple(dict.fromkeys(formats))
    for name in asked:
        if name not in ENDINGS:
            raise WrongUsage(f"unknown format {name!r}; there are: {', '.join(ENDINGS)}")
    return asked or PLAIN


def export_folder(selection: Selection, formats: Iterable[str], folder: Path, on_rows: OnRows) -> Written:
    """Write files of these formats into a folder, with `SHA256SUMS` and `manifest.json`; what an earlier export left
    there under their names is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    about = about_of(selection.path) or About()
    files: list[Exported] = []
    with closing(connect(selection.path)) as connection:
        for name in check_formats(formats):
            files += _of_format(name, selection, connection, folder, on_rows)
    written = Written(about.archive_id, about.seq, tuple(sorted(files, key=lambda file: file.name)))
    if any(file.name.endswith(".parquet") for file in written.files):
        for name, told in (
            ("datapackage.json", datapackage(written.files)),
            ("croissant.json", croissant(written.files)),
        ):
            (folder / name).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / SUMS).write_text(sums(written.files), encoding="utf-8")
    (folder / MANIFEST).write_text(json.dumps(written.as_json(), indent=1) + "\n", encoding="utf-8")
    return written


def export_file(selection: Selection, name: str, path: Path, on_rows: OnRows) -> Exported:
    """Write one file of one format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if name in STREAMED and path.suffix != ".gz":
        with path.open("wb") as into:
            count = export_stream(selection, name, into, on_rows)
        return exported(path, count)
    with closing(connect(selection.path)) as connection:
        if name == "sqlite":
            where, values = _all_of(selection)
            about = replace(about_of(selection.path) or About(), version=-1)
            return exported(path, copy_sorted(connection, path, about, where, values))
        if name == "wacz":
            return exported(path, write_wacz(path, selection.store, _captures(connection, selection), path.stem))
        write = write_parquet if name == "parquet" else write_gzip
        return exported(path, write(path, _rows_told(connection, selection, path.name, on_rows)))


def export_stream(selection: Selection, name: str, into: IO[bytes], on_rows: OnRows) -> int:
    """Write one of the formats that need no file of their own; return how many rows it has."""
    if name not in STREAMED:
        raise WrongUsage(f"{name} is no text: give it a file, --to x{ENDINGS[name][0]}")
    with closing(connect(selection.path)) as connection:
        if name in FLAT_WRITERS:
            return FLAT_WRITERS[name](into, _rows_told(connection, selection, name, on_rows))
        if name == "authors":
            people = columnists(signed_rows(connection, selection.wanted))
            return write_jsonl(into, (asdict(person) for person in people))
        captures = _captures(connection, selection)
        if name == "cdxj":
            lines = sorted(cdxj_lines(selection.store, captures))
        else:
            lines = sorted({row["capture_key"] for row in captures})
        for line in lines:
            into.write(f"{line}\n".encode())
        return len(lines)


def _of_format(
    name: str, selection: Selection, connection: sqlite3.Connection, folder: Path, on_rows: OnRows
) -> Iterator[Exported]:
    if name in {"parquet", "jsonl"}:
        ending = ".parquet" if name == "parquet" else ".jsonl.gz"
        write = write_parquet if name == "parquet" else write_gzip
        for earlier in folder.glob(f"opeds-*{ending}"):
            earlier.unlink()
        for year, rows in by_year(_rows_told(connection, selection, name, on_rows)):
            path = folder / f"opeds-{year}{ending}"
            yield exported(path, write(path, rows))
    elif name == "wacz":
        captures = _captures(connection, selection)
        for (source, month), rows in groupby(captures, lambda row: (row["source"], _month(row))):
            path = folder / "replay" / source / f"{month}.wacz"
            path.parent.mkdir(parents=True, exist_ok=True)
            count = write_wacz(path, selection.store, rows, f"{source}, op-eds of {month}")
            yield replace(exported(path, count), name=path.relative_to(folder).as_posix())
    else:
        yield export_file(selection, name, folder / FILE_OF_FORMAT[name], on_rows)


def _rows_told(connection: sqlite3.Connection, selection: Selection, name: str, on_rows: OnRows) -> Iterator[Row]:
    """Yield the flat rows of a selection, and tell how far it is."""
    where, values = selection.wanted.sql()
    counted = connection.execute(f"SELECT count(*) FROM catalogue AS c WHERE {where}", values)  # noqa: S608
    of = int(counted.fetchone()[0])
    for number, row in enumerate(flat_rows(connection, selection.wanted), 1):
        yield row
        on_rows(name, number, of)


def _all_of(selection: Selection) -> tuple[str, list[object]]:
    """Return which rows of the catalogue belong to the op-eds asked for, as SQL: every version, at every place."""
    if selection.is_whole:
        return "", []
    where, values = selection.wanted.sql()
    return f"WHERE oped_id IN (SELECT c.oped_id FROM catalogue AS c WHERE {where})", values  # noqa: S608


def signed_rows(connection: sqlite3.Connection, wanted: Wanted) -> Iterator[Row]:
    """Yield what `columnists` reads of each op-ed that somebody signs, the oldest first."""
    where, values = wanted.sql()
    found = connection.execute(
        "SELECT c.article_id, c.authors, c.kind, c.published_day FROM catalogue AS c "  # noqa: S608
        f"WHERE {where} AND c.names <> '' ORDER BY c.sort_at, c.article_id",
        values,
    )
    yield from map(row_of, found)


def _captures(connection: sqlite3.Connection, selection: Selection) -> Iterator[Row]:
    """Yield what replaying needs of each capture that a version was read from."""
    where, values = _all_of(selection)
    found = connection.execute(
        "SELECT article_id, source, url, headline, capture_key, payload_sha256, published_day FROM catalogue "  # noqa: S608
        f"{where} GROUP BY capture_key ORDER BY source, coalesce(published_day, ''), capture_key",
        values,
    )
    for row in found:
        yield dict(row)


def _month(row: Row) -> str:
    return str(row["published_day"])[:7] if row["published_day"] else "undated"
