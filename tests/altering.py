"""Somebody alters an archive: each kind of object, each column of a table, each place in a manifest, in every way."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.catalogue.delta import applied, location, open_table, write_anew
from pipelines.catalogue.schema import CATALOGUE
from pipelines.settings import Settings

PATTERNS = {  # of every kind of object that an archive holds
    "archive": "archive.json",
    "capture": "captures/*/*/*.warc.gz",
    "record": "articles/*/*/*.json",
    "rejection": "quarantine/*/*/*.json",
    "account": "crawls/*/*/*.json",
    "crawl": "crawls/*/*/*.warc.gz",
    "first manifest": "runs/0000000001.json",
    "manifest": "runs/0000000003.json",
    "last manifest": "runs/*.json",
    "data file": "catalogue/articles/*/*.parquet",
    "data file of runs": "catalogue/runs/*.parquet",
    "data file of sightings": "catalogue/sightings/*.parquet",
    "digests": "catalogue/articles/_digests/*.json",
    "commit": "catalogue/articles/_delta_log/*.json",
    "commit of runs": "catalogue/runs/_delta_log/*.json",
}
DEEP = b"[" * 100_000
WAYS: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda body: None,
    "empty": lambda body: b"",
    "cut": lambda body: body[: len(body) // 2],
    "cut by a byte": lambda body: body[:-1] if body[-1:] != b"\n" else body[:-2],
    "a byte flipped": lambda body: (
        body[: len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1 :]
    ),
    "a byte more": lambda body: body + b"x",
    "a member more": lambda body: body + gzip.compress(b"WARC/1.1\r\nWARC-Type: resource\r\n\r\n"),
    "no JSON": lambda body: b"{",
    "a list": lambda body: b"[]",
    "an object": lambda body: b"{}",
    "null": lambda body: b"null",
    "a number": lambda body: b"1" * 5000,
    "deep": lambda body: DEEP,
    "no UTF-8": lambda body: b'{"a": "\xff"}',
    "a surrogate": lambda body: b'{"schema": "\\ud800"}',
}


def root(settings: Settings) -> Path:
    """Return the folder of a folder archive."""
    return Path(settings.archive.removeprefix("file://"))


def object_of(settings: Settings, kind: str) -> Path:
    """Return an object of a kind: the last manifest, or the first of any other."""
    found = sorted(root(settings).glob(PATTERNS[kind]))
    live = _live(settings) if kind.startswith("data file") else None
    return [one for one in found if live is None or one in live][-1 if kind.startswith(("last", "commit")) else 0]


def _live(settings: Settings) -> set[Path]:
    tables = (open_table(location(settings, name)) for name in CATALOGUE)
    return {Path(uri) for table in tables if table for uri in table.file_uris()}


def altered(path: Path, way: str) -> None:
    """Alter an object in one way."""
    body = WAYS[way](path.read_bytes())
    if body is None:
        path.unlink()
    else:
        path.write_bytes(body)


# -- a cell of a table


def another(value: Any, kind: pa.DataType) -> Any:
    """Return another value of a column's type."""
    if pa.types.is_list(kind):
        if value:
            return [another(value[0], kind.value_type), *value[1:]]
        return [another(None, kind.value_type)]
    if pa.types.is_struct(kind):
        field = kind.field(0)
        return {
            **dict.fromkeys((f.name for f in kind), None),
            **(value or {}),
            field.name: another((value or {}).get(field.name), field.type),
        }
    if pa.types.is_boolean(kind):
        return not value
    if pa.types.is_integer(kind):
        return (value or 0) + 1
    if pa.types.is_floating(kind):
        return (value or 0.0) / 2 + 0.1
    if pa.types.is_timestamp(kind):
        return (value or datetime.fromisoformat("2024-01-01T00:00:00+00:00")) + timedelta(seconds=1)
    if pa.types.is_date(kind):
        return (value or date(2024, 1, 1)) + timedelta(days=1)
    return f"{value or ''}x"


def alter_cell(settings: Settings, table: str, column: str) -> None:
    """Write a table anew, as we would, with another value in one cell."""
    opened = open_table(location(settings, table))
    assert opened is not None
    columns = CATALOGUE[table].columns()
    rows = opened.to_pyarrow_table().to_pylist()
    rows[0] = {**rows[0], column: another(rows[0][column], columns.field(column).type)}
    write_anew(opened, [pa.RecordBatch.from_pylist(rows, schema=columns)], columns, applied(opened))


def all_columns() -> Iterator[tuple[str, str]]:
    """Yield every column of every table."""
    for name, table in CATALOGUE.items():
        for column in table.columns().names:
            yield name, column


# -- a place in a manifest


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value in JSON, of containers too."""
    if path:
        yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, value in items:
        yield from places(value, (*path, name))


def with_other_value(data: Any, path: tuple[Any, ...], remove: bool) -> bytes:
    """Return JSON with another value at a path, or without the value, in our own spelling."""
    from pipelines.archive.record import to_json

    made = json.loads(json.dumps(data))
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = _other(inner[path[-1]])
    return to_json(made)


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return "0" * len(value) if len(value) in {16, 64} else f"{value}x"
    if isinstance(value, list):
        return [*value, value[0]] if value else ["x"]
    return {**value, "x": "x"} if isinstance(value, dict) else "x"


# -- the index


def alter_index(path: Path, table: str) -> None:
    """Change one row of a table of an index."""
    with closing(sqlite3.connect(path)) as connection, connection:
        (columns,) = [[row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[2] == "TEXT"]]
        column = columns[-1]
        connection.execute(
            f"UPDATE {table} SET {column} = coalesce({column}, '') || 'x' "
            f"WHERE rowid = (SELECT min(rowid) FROM {table})"
        )
