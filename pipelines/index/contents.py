"""What an index holds, as one digest a table: two indexes of one log hold the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa

from pipelines.index.index import Index
from pipelines.index.tables import (
    ADDRESS,
    ARTICLE,
    CAPTURE,
    CRAWL,
    DAY,
    FORMERLY,
    INDEXED_TEXT,
    MATCH,
    MISSED,
    PART,
    SIGHTING,
    WITHDRAWN,
)

COMPARED = (ADDRESS, ARTICLE, CAPTURE, CRAWL, DAY, FORMERLY, INDEXED_TEXT, MATCH, MISSED, PART, SIGHTING, WITHDRAWN)
AT_A_TIME = 2000  # rows


def digests_of_tables(index: Index) -> dict[str, tuple[int, int]]:
    """Return for each table how many rows it has, and a digest of them that their order does not change.

    Left out: the index's own numbers of texts, texts that no manifest names yet, and shingles, which follow from the
    texts.
    """
    with index.reading() as connection:
        return {table.name: _digest(connection, table) for table in COMPARED}


def _digest(connection: sa.Connection, table: sa.Table) -> tuple[int, int]:
    columns = [column for column in table.c if not (table is INDEXED_TEXT and column.name == "id")]
    query = sa.select(*columns)
    if table is INDEXED_TEXT:
        query = query.where(INDEXED_TEXT.c.seq.is_not(None))
    count = total = 0
    for row in connection.execution_options(yield_per=AT_A_TIME).execute(query):
        count += 1
        total += int.from_bytes(hashlib.blake2b(_spelled(row), digest_size=16).digest())
    return count, total % (1 << 128)


def _spelled(row: sa.Row[Any]) -> bytes:
    return json.dumps(list(row), sort_keys=True, default=str).encode("utf-8", "surrogatepass")


def manifest_digests(index: Index) -> dict[int, str]:
    """Return the SHA-256 of each manifest that the index applied, by its number."""
    with index.reading() as connection:
        rows = connection.execute(sa.select(PART.c.seq, PART.c.sha256))
        return {int(row.seq): row.sha256 for row in rows if row.sha256}


def damage_in(index: Index) -> str:
    """Return what SQLite finds wrong with its file, or an empty string; PostgreSQL checks its own."""
    if index.engine.dialect.name != "sqlite":
        return ""
    with index.reading() as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        return "" if found == "ok" else str(found)
