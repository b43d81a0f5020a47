"""Frozen releases: a number of the log, and what the files made from it come to. They are made again at any time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.archive import manifests
from pipelines.archive.identity import read_identity
from pipelines.archive.record import to_json
from pipelines.archive.store import Store, open_store
from pipelines.archive.withdrawn import read_withdrawn
from pipelines.catalogue.rows import Row, in_lists, rows_of
from pipelines.errors import AlreadyArchived, NotArchived, WrongUsage
from pipelines.exports.export import OnRows, Written
from pipelines.exports.sqlite_file import About, make
from pipelines.settings import Settings
from pipelines.sources import load_sources

if TYPE_CHECKING:
    from pipelines.index.index import Index

RELEASE_SCHEMA = "opeds/release/1"
ARTICLES_OF_RELEASE = 500  # whose records are read together


def file_as_of(settings: Settings, seq: int, folder: Path, on_rows: OnRows) -> Path:
    """Write the SQLite file of an archive as it stood at a number of its log, from log and records alone; return where.

    Raises `WrongUsage` for a number that the log has not reached. What was withdrawn since is not in it.
    """
    from pipelines.index.index import open_index  # SQLAlchemy: slow, and no other export needs it

    if seq < 1:
        raise WrongUsage(f"--as-of {seq}: the numbers of the log begin at 1")
    store = open_store(settings)
    archive_id = read_identity(store).archive_id
    own = [name for name, source in load_sources(settings.sources).items() if source.own]
    index = open_index(Settings(index=f"sqlite:///{folder}/as-of.sqlite"), archive_id, own)
    last = 0
    for number, manifest in manifests.read_log(store, 0):
        if number > seq:
            break
        index.apply(number, manifest)
        last = number
        on_rows("log", number, seq)
    if last < seq:
        raise WrongUsage(f"--as-of {seq}: the log goes from 1 to {last}")
    path = folder / "as-of-rows.sqlite"
    withdrawn = read_withdrawn(store).ids
    articles = [one for one in index.changed_since(0) if one not in withdrawn]
    make(
        path, _rows(store, index, articles), About(archive_id, seq), len(articles), lambda n, of: on_rows("rows", n, of)
    )
    index.engine.dispose()
    return path


def _rows(store: Store, index: Index, articles: list[str]) -> Iterator[Row]:
    for some in in_lists(articles, ARTICLES_OF_RELEASE):
        yield from rows_of(store, list(index.states_of(some)))


def release_key(month: str) -> str:
    """Return the key of a month's release: `exports/releases/<yyyy-mm>.json`."""
    return f"exports/releases/{month}.json"


def keep_release(store: Store, month: str, written: Written) -> None:
    """Freeze what was exported as the release of a month, where it has none yet."""
    told = {"schema": RELEASE_SCHEMA, "month": month, **written.as_json()}
    try:
        store.read(release_key(month))
    except NotArchived:
        with suppress(AlreadyArchived):  # another worker froze it meanwhile
            store.create(release_key(month), to_json(told))
