"""Publishing: the tables are brought up to the log. What readers may rely on stands in docs/schema.md."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING

from pipelines.archive import manifests
from pipelines.archive.manifests import Manifest
from pipelines.archive.store import Store
from pipelines.catalogue.delta import (
    KEPT_HOURS,
    add_rows,
    applied,
    batch_of,
    digests_since,
    join_files,
    location,
    open_for_writing,
    open_table,
    partitions_in,
    remove_files,
    replace_rows,
    until_done,
    write_anew,
)
from pipelines.catalogue.described import describe
from pipelines.catalogue.digests import take_down
from pipelines.catalogue.rows import Row, in_lists, partitions_of, rows_of, run_row, sighting_rows
from pipelines.catalogue.schema import ARTICLES, CATALOGUE, RUNS, SIGHTINGS, Table
from pipelines.index.index import ArticleState, Index
from pipelines.index.opened import Archive, catch_up
from pipelines.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.catalogue.delta import DeltaTable

ROWS_AT_ONCE = 1000  # of a batch
ARTICLES_AT_ONCE = 500  # whose records are read together
MOST_NAMED = 20_000  # articles whose rows are replaced by name; where more changed, the table is written anew


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did: the last manifest in the tables, the version of the table of articles, its rows written."""

    seq: int
    version: int
    rows: int


def publish(archive: Archive, settings: Settings, also: Collection[str] = ()) -> Published:
    """Bring the tables up to the last manifest; write the rows of the articles `also` anew, whose records were changed.

    Several may publish at once: who loses a commit does it all again from what the winner left. The order is sightings,
    articles, runs: a manifest that stands in the table of runs is whole in the others.
    """
    catch_up(archive)
    done = until_done(partial(_publish, archive, settings, also))
    describe(archive.store, settings, done.seq)
    return done


def _publish(archive: Archive, settings: Settings, also: Collection[str]) -> Published:
    """Publish the index as it stands at one number: other processes apply manifests meanwhile, and a row that names an
    article of which the table has none yet would lead nowhere."""
    opened, is_of_today = open_for_writing(location(settings, ARTICLES.name), ARTICLES)
    last = applied(opened) if is_of_today else 0
    with archive.index.snapshot() as index:
        at = index.seq()
        changed = index.changed_since(last) if at > last else []
        gone = index.withdrawn_since(last) if at > last else []
        if is_of_today and also:
            changed = sorted({*changed, *index.groups_of(also)})
        _append(archive.store, settings, SIGHTINGS, sighting_rows, at)
        if not is_of_today or (changed and (last == 0 or len(changed) > MOST_NAMED)):
            written = _write_all(archive.store, opened, index, at)
        elif changed or gone:
            written = _replace(archive.store, opened, list(index.states_of(changed)), at, gone)
        else:
            written = 0
    _keep_digests(archive.store, opened, ARTICLES)
    _append(archive.store, settings, RUNS, _run_rows, at)
    return Published(max(at, last), opened.version(), written)


def _append(
    store: Store, settings: Settings, table: Table, rows_from: Callable[[int, Manifest], Iterable[Row]], seq: int
) -> None:
    """Add the rows of the manifests that a table lacks, up to `seq`; one of an earlier version is written anew."""
    opened, is_of_today = open_for_writing(location(settings, table.name), table)
    last = applied(opened) if is_of_today else 0
    if last < seq:
        log = takewhile(lambda one: one[0] <= seq, manifests.read_log(store, last))
        rows = (row for number, manifest in log for row in rows_from(number, manifest))
        write = add_rows if is_of_today else write_anew
        write(opened, _batches(rows, table.columns()), table.columns(), seq)
    _keep_digests(store, opened, table)


def _keep_digests(store: Store, opened: DeltaTable, table: Table) -> None:
    since = digests_since(opened)
    if since is not None:
        take_down(store, table.name, since, opened.version())


def compact_tables(store: Store, settings: Settings, hours: int = KEPT_HOURS) -> dict[str, int]:
    """Join each table's small files; remove files that only versions older than `hours` need.

    Returns how many files were written together and how many removed.
    """
    counts = {"files_joined": 0, "files_removed": 0}
    for name in CATALOGUE:
        where = location(settings, name)
        counts["files_joined"] += until_done(partial(join_files, where))
        opened = until_done(partial(open_table, where))
        if opened is not None:
            _keep_digests(store, opened, CATALOGUE[name])
        counts["files_removed"] += until_done(partial(remove_files, where, hours))
    return counts


def _run_rows(seq: int, manifest: Manifest) -> list[Row]:
    return [run_row(seq, manifest)]


def _replace(store: Store, opened: DeltaTable, states: Sequence[ArticleState], seq: int, gone: Sequence[str]) -> int:
    """Replace the rows of these articles, and remove those of the `gone` ones; return how many were written."""
    rows = list(rows_of(store, states))
    years = {*partitions_of(states, rows), *(partitions_in(opened, "year") if gone else ())}
    if years and (rows or gone):  # without a year: all that is gone was never published
        columns, ids = ARTICLES.columns(), [*(state.article_id for state in states), *gone]
        replace_rows(opened, _batches(rows, columns), columns, seq, ids, sorted(years))
    return len(rows)


def _write_all(store: Store, opened: DeltaTable, index: Index, seq: int) -> int:
    """Write the rows of all articles, without holding them all in memory; return how many there are."""
    columns, written = ARTICLES.columns(), 0

    def counted() -> Iterator[Row]:
        nonlocal written
        for some in in_lists(index.changed_since(0), ARTICLES_AT_ONCE):
            for row in rows_of(store, list(index.states_of(some))):
                written += 1
                yield row

    write_anew(opened, _batches(counted(), columns), columns, seq)
    return written


def _batches(rows: Iterable[Row], columns: pa.Schema) -> Iterator[pa.RecordBatch]:
    return (batch_of(some, columns) for some in in_lists(rows, ROWS_AT_ONCE))
