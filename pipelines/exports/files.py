"""Plain files: Parquet, JSON Lines, CSV, for people with R, pandas, a spreadsheet. Equal rows give equal bytes.

One row is one op-ed, in its latest version, at its primary place; its columns are `FLAT`, with no lists in them.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from pipelines.catalogue.rows import Row, in_lists
from pipelines.catalogue.schema import ARTICLE_COLUMNS, Said
from pipelines.clock import iso_exact
from pipelines.exports.search import ADDRESSES, N_VERSIONS, NO_TERMS, Terms, Wanted, as_sql
from pipelines.exports.sqlite_file import row_of

FLAT: Said = {
    "article_id": "name of the op-ed: of its primary place",
    "content16": ARTICLE_COLUMNS["content16"],
    "cite_as": ARTICLE_COLUMNS["cite_as"],
    "url": ARTICLE_COLUMNS["canonical_url"],
    "kind": ARTICLE_COLUMNS["kind"],
    "headline": ARTICLE_COLUMNS["headline"],
    "deck": ARTICLE_COLUMNS["deck"],
    "authors": "names of people who sign, joined by `; `",
    "published_at": ARTICLE_COLUMNS["published_at"],
    "published_day": ARTICLE_COLUMNS["published_day"],
    "published_precision": ARTICLE_COLUMNS["published_precision"],
    "language": ARTICLE_COLUMNS["language"],
    "word_count": ARTICLE_COLUMNS["word_count"],
    "n_places": ARTICLE_COLUMNS["n_places"],
    "places": "addresses of all places, the primary first, joined by spaces",
    "n_versions": "how many versions of the primary place are archived",
    "first_seen": ARTICLE_COLUMNS["first_seen"],
    "gone_at": ARTICLE_COLUMNS["gone_at"],
    "correction_note": ARTICLE_COLUMNS["correction_note"],
    "status": ARTICLE_COLUMNS["status"],
    "reasons": "why a person should look, as codes, joined by spaces",
    "publisher": ARTICLE_COLUMNS["publisher"],
    "copyright": ARTICLE_COLUMNS["copyright"],
    "capture_key": ARTICLE_COLUMNS["capture_key"],
    "payload_sha256": ARTICLE_COLUMNS["payload_sha256"],
    "text": ARTICLE_COLUMNS["text"],
    "text_ko": ARTICLE_COLUMNS["text_ko"],
}
FULL_TEXT = ("text", "text_ko")
FLAT_MOMENTS = ("published_at", "first_seen", "gone_at")
FLAT_COUNTS = ("word_count", "n_places", "n_versions")
ROWS_IN_GROUP = 2000  # of a Parquet file: what its writer holds
READ_AT_ONCE_FLAT = 500
GZIP_LEVEL, GZIP_BUFFER = 6, 1 << 20
FORMULA = re.compile(r"[\s\x00-\x1f'\ufeff\u200b]*[=+\-@＝＋－＠]|[\t\r]")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UNDATED_FILE = "undated"


@dataclass(frozen=True)
class Exported:
    """A file that was written: its name, how many rows it has, its size in bytes, its digest."""

    name: str
    rows: int
    bytes: int
    sha256: str


def flat_rows(connection: sqlite3.Connection, wanted: Wanted, terms: Terms = NO_TERMS) -> Iterator[Row]:
    """Yield the op-eds of a SQLite file as flat rows, by day of publication; those without one come last."""
    asked = as_sql(terms, wanted)
    found = connection.execute(
        f"SELECT c.*, {ADDRESSES}, {N_VERSIONS} FROM {asked.source} WHERE {asked.conditions} "  # noqa: S608
        "ORDER BY c.sort_at = '', c.sort_at, c.article_id",
        asked.values,
    )
    while some := found.fetchmany(READ_AT_ONCE_FLAT):
        yield from map(_flat, some)


def _flat(found: sqlite3.Row) -> Row:
    row = row_of(found)
    return {
        **{name: row.get(name) for name in FLAT},
        "url": row["canonical_url"],
        "authors": row["names"],
        "places": " ".join(row["addresses"]),
        "reasons": " ".join(row["reasons"]),
    }


def by_year(rows: Iterable[Row]) -> Iterator[tuple[str, Iterator[Row]]]:
    """Yield the rows of each year of publication in Seoul; of rows in the order of `flat_rows`."""
    yield from groupby(rows, lambda row: str(row["published_day"].year) if row["published_day"] else UNDATED_FILE)


def write_parquet(path: Path, rows: Iterable[Row]) -> int:
    """Write flat rows as Parquet, in the plainest types; return how many there were."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        **dict.fromkeys(FLAT_MOMENTS, pa.timestamp("us", tz="UTC")),
        **dict.fromkeys(FLAT_COUNTS, pa.int32()),
        "published_day": pa.date32(),
    }
    schema = pa.schema(
        [pa.field(name, types.get(name, pa.string()), metadata={"comment": said}) for name, said in FLAT.items()]
    )
    count = 0
    with parquet.ParquetWriter(path, schema, compression="snappy", store_schema=False) as writer:
        for some in in_lists(rows, ROWS_IN_GROUP):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            count += len(some)
    return count


def write_jsonl(into: IO[bytes], rows: Iterable[Row]) -> int:
    """Write rows as JSON Lines in UTF-8; return how many there were."""
    count = 0
    for row in rows:
        into.write((json.dumps(row, ensure_ascii=False, default=spelled) + "\n").encode())
        count += 1
    return count


def write_spreadsheet(into: IO[bytes], rows: Iterable[Row]) -> int:
    """Write rows as CSV that a spreadsheet opens safely; return how many there were.

    A text that it would take for a formula has `'` before it, and a mark at the beginning says that it is UTF-8.
    """
    into.write(BYTE_ORDER_MARK)
    return write_csv(into, ({name: no_formula(value) for name, value in row.items()} for row in rows))


def no_formula(value: Any) -> Any:
    """Return a value with `'` before it where a spreadsheet would compute it.

    >>> no_formula("=1+1"), no_formula("-5"), no_formula(5), no_formula("A ferry")
    ("'=1+1", "'-5", 5, 'A ferry')
    """
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def write_csv(into: IO[bytes], rows: Iterable[Row]) -> int:
    """Write rows as CSV in UTF-8, with a line of names; return how many there were.

    Values stand as they are: a spreadsheet may take one that begins with `=` for a formula; `write_spreadsheet` is for
    those.
    """
    names = [name for name in FLAT if name not in FULL_TEXT]
    text = io.TextIOWrapper(into, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    count = 0
    for row in rows:
        writer.writerow([spelled(row[name]) if row[name] is not None else "" for name in names])
        count += 1
    text.flush()
    text.detach()
    return count


def spelled(value: Any) -> Any:
    """Return a value as a text file has it: moments in UTC and days in ISO 8601, all else as it is."""
    if isinstance(value, datetime):
        return iso_exact(value)
    return value.isoformat() if isinstance(value, date) else value


def write_gzip(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as JSON Lines, gzipped without a name or a moment; return how many there were."""
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed,
        io.BufferedWriter(packed, GZIP_BUFFER) as into,
    ):
        return write_jsonl(into, rows)


def exported(path: Path, rows: int) -> Exported:
    """Return what is to be told of a file."""
    return Exported(path.name, rows, path.stat().st_size, file_sha256(path))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(files: Iterable[Exported]) -> str:
    """Return what `sha256sum --check` reads."""
    return "".join(f"{file.sha256}  {file.name}\n" for file in sorted(files, key=lambda file: file.name))
