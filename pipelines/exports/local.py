"""The SQLite file of an archive on this machine: made once, then brought up to date by what changed in the catalogue.

Needs no more than the right to read the bucket, and no index. Lies under OPEDS_HOME; may be removed at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.archive.identity import read_identity
from pipelines.archive.store import Store, open_store
from pipelines.catalogue.delta import (
    applied,
    changed_articles,
    count_rows,
    location,
    open_table,
    table_rows,
    until_done,
)
from pipelines.catalogue.rows import Row, in_lists
from pipelines.catalogue.schema import ARTICLES
from pipelines.errors import StalePublisher
from pipelines.exports.sqlite_file import FILE_SCHEMA, About, OnRead, about_of, make, update
from pipelines.settings import Settings, private_folder

if TYPE_CHECKING:
    from pipelines.catalogue.delta import DeltaTable

MOST_UPDATED = 20_000  # articles; where more changed, the file is made anew
PER_QUERY = 500  # articles asked for by name at once


def local_file(settings: Settings, archive_id: str) -> Path:
    """Return where the file of an archive lies on this machine."""
    return settings.home / "local" / f"{archive_id[:16]}.sqlite"


def bring_up_to_date(settings: Settings, progress: OnRead = lambda *_: None) -> Path:
    """Return the archive's file on this machine, as the catalogue stands now.

    `progress` is called with the rows done, of how many. Several processes may call it at once. Raises
    `StoreUnavailable`.
    """
    store = open_store(settings)
    archive_id = read_identity(store).archive_id
    path = local_file(settings, archive_id)
    private_folder(path.parent)
    until_done(partial(_bring, settings, store, path, archive_id, progress))
    return path


def _bring(settings: Settings, store: Store, path: Path, archive_id: str, progress: OnRead) -> None:
    table = open_table(location(settings, ARTICLES.name))
    version = table.version() if table is not None else -1
    withdrawn = sum(1 for _ in store.keys("withdrawn/"))
    there = About(archive_id, applied(table), version, withdrawn)
    known = about_of(path)
    if known == there:
        return
    same = known and (known.archive_id, known.schema, known.withdrawn) == (archive_id, FILE_SCHEMA, withdrawn)
    if known and table is not None and same and known.version < version:
        changed = changed_articles(table, known.version)
        if changed is not None and len(changed) <= MOST_UPDATED:
            ids = sorted(changed)
            if not update(path, ids, _rows_of(table, ids), known, there):
                raise StalePublisher("another process brings the file up to date just now; run this again")
            return
    of = count_rows(table) if table is not None else 0
    make(path, table_rows(table, ARTICLES) if table is not None else (), there, of, progress)


def _rows_of(table: DeltaTable, article_ids: list[str]) -> Iterator[Row]:
    for ids in in_lists(article_ids, PER_QUERY):
        yield from table_rows(table, ARTICLES, ids)
