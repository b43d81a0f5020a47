"""The tables that consumers query lie in Delta's format: the one module that knows deltalake."""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from pipelines.catalogue.schema import CATALOGUE, Table
from pipelines.errors import OpedsError, StalePublisher, StoreUnavailable
from pipelines.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties
    from deltalake import DeltaTable as DeltaTable  # publish.py names it in its types

SCHEMA_PROPERTY = "opeds.schema"  # of a table: the schema of the records or manifests that its rows are made of
APP = "opeds"  # its transaction number is the last manifest applied; it survives compaction and log cleanup
COMMITS = 40  # of a commit, while others commit: each that we lose moves the table on
LONGEST_WAIT = 2.0  # seconds between two of them
RACES = re.compile(r"already exists|\b409\b|conflict|precondition", re.IGNORECASE)  # of two first commits at once
Result = TypeVar("Result")


@dataclass(frozen=True)
class Location:
    """Where a table lies and how deltalake reaches it."""

    uri: str
    options: Mapping[str, str]


def location(settings: Settings, table: str) -> Location:
    """Return where a table lies, of an archive whose store runs. Raises `StoreUnavailable` where no key is known."""
    parts = urlsplit(settings.archive)
    path = f"catalogue/{table}"
    if parts.scheme == "file":
        return Location(str(Path(unquote(parts.path)) / path), {})
    from pipelines.archive.s3 import with_keys

    settings = with_keys(settings)
    prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
    options = {
        "AWS_ACCESS_KEY_ID": settings.access_key,
        "AWS_SECRET_ACCESS_KEY": settings.secret_key,
        "AWS_SESSION_TOKEN": settings.session_token,
        "AWS_REGION": settings.region,
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ALLOW_HTTP": "true" if settings.endpoint.startswith("http://") else "",
        "aws_conditional_put": "etag",
    }
    return Location(f"s3://{parts.netloc}/{prefix}{path}", {name: value for name, value in options.items() if value})


def until_committed(change: Callable[[], Result]) -> Result:
    """Return what a change gives, making it again from the table as it is then when somebody else commits first.

    Raises `StalePublisher` when that never ends.
    """
    for attempt in range(1, COMMITS):
        try:
            return change()
        except StalePublisher:
            time.sleep(random.uniform(0.02, min(0.05 * 2**attempt, LONGEST_WAIT)))
    return change()


@contextmanager
def _explained(makes_table: bool = False) -> Iterator[None]:
    """Raise our own errors for those of deltalake; whoever makes a table may lose that race too."""
    from deltalake.exceptions import CommitFailedError, DeltaError
    from pyarrow import ArrowException

    moved = "others keep moving the catalogue; run the same command again"
    try:
        yield
    except CommitFailedError as error:
        raise StalePublisher(moved) from error
    except (DeltaError, OSError, ArrowException) as error:
        if makes_table and RACES.search(str(error)):
            raise StalePublisher(moved) from error
        said = (str(error).splitlines() or [type(error).__name__])[0].removeprefix("Kernel error: ")
        raise StoreUnavailable(
            f"the catalogue cannot be read ({said}); it is a view of the log: remove catalogue/, and publish it anew"
        ) from error


def open_table(where: Location) -> DeltaTable | None:
    """Return a table, open for reading, or None if nothing was published yet. Raises `StoreUnavailable`."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    with _explained(), suppress(TableNotFoundError):
        return DeltaTable(where.uri, storage_options=dict(where.options))
    return None


def open_for_writing(where: Location, table: Table) -> DeltaTable:
    """Return a table, made where there is none, with every column of today. Raises `StalePublisher`."""
    from deltalake import DeltaTable, Schema

    opened = open_table(where)
    with _explained(makes_table=opened is None):
        if opened is None:
            opened = DeltaTable.create(
                where.uri,
                schema=table.columns(),
                mode="ignore",
                partition_by=list(table.partition_by) or None,
                name=table.name,
                description=table.about,
                configuration={"delta.enableChangeDataFeed": "true", SCHEMA_PROPERTY: table.made_of},
                raise_if_key_not_exists=False,
                storage_options=dict(where.options),
            )
        there, wanted = column_names(opened), Schema.from_arrow(table.columns()).fields
        missing = [column for column in wanted if column.name not in there]
        if missing:  # a table of an earlier version of ours
            opened.alter.add_columns(missing)
        if opened.metadata().configuration.get(SCHEMA_PROPERTY) != table.made_of:
            opened.alter.set_table_properties({SCHEMA_PROPERTY: table.made_of}, raise_if_not_exists=False)
    return opened


def column_names(table: DeltaTable) -> list[str]:
    """Return the columns that a table has."""
    return [column.name for column in table.schema().fields]


def applied(table: DeltaTable | None) -> int:
    """Return the number of the last manifest that went into a table; 0 where there is no table."""
    return (table.transaction_version(APP) or 0) if table is not None else 0


def add_rows(table: DeltaTable, rows: Iterable[pa.RecordBatch], columns: pa.Schema, seq: int) -> None:
    """Add rows in one commit, which says that the table holds the manifests up to `seq`."""
    _write(table, rows, columns, seq, mode="append")


def write_anew(table: DeltaTable, rows: Iterable[pa.RecordBatch], columns: pa.Schema, seq: int) -> None:
    """Replace all rows, and the columns by today's, in one commit; the rows are read as they are written."""
    by = table.metadata().partition_columns
    _write(table, rows, columns, seq, mode="overwrite", schema_mode="overwrite", partition_by=by or None)


def replace_rows(
    table: DeltaTable,
    rows: Iterable[pa.RecordBatch],
    columns: pa.Schema,
    seq: int,
    ids: Sequence[str],
    years: list[int],
) -> None:
    """Replace the rows of these articles, which lie in the partitions of these years, in one commit.

    Not by MERGE: its files hold `string_view`, which older readers refuse.
    """
    quoted = ", ".join("'" + article_id.replace("'", "''") + "'" for article_id in ids)
    where = f"year IN ({', '.join(map(str, years))}) AND article_id IN ({quoted})"
    _write(table, rows, columns, seq, mode="overwrite", predicate=where)


def _write(table: DeltaTable, rows: Iterable[pa.RecordBatch], columns: pa.Schema, seq: int, **how: Any) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    failures: list[Exception] = []

    def remembering() -> Iterator[pa.RecordBatch]:
        try:
            yield from rows
        except Exception as error:  # deltalake would tell it as trouble of its own
            failures.append(error)
            raise

    try:
        with _explained():
            batches = pa.RecordBatchReader.from_batches(columns, remembering())
            write_deltalake(table, batches, commit_properties=_numbered(seq), **how)
    except OpedsError as error:
        raise (failures[0] if failures else error) from None


def _numbered(seq: int) -> CommitProperties:
    """Return what makes a commit fail whose table another one numbered meanwhile."""
    from deltalake import CommitProperties, Transaction

    return CommitProperties(app_transactions=[Transaction(APP, seq)])


def batch_of(rows: Sequence[Mapping[str, Any]], columns: pa.Schema) -> pa.RecordBatch:
    """Return rows as one batch."""
    import pyarrow as pa

    return pa.RecordBatch.from_pylist(list(rows), schema=columns)


def compact(settings: Settings, hours: int = 168) -> dict[str, int]:
    """Join each table's small files; remove files that only versions older than `hours` need.

    Returns how many files were written together and how many removed.
    """
    counts = {"files_joined": 0, "files_removed": 0}
    for name in CATALOGUE:
        where = location(settings, name)
        counts["files_joined"] += until_committed(partial(_joined, where))
        table = open_table(where)
        if table is not None:
            with _explained():
                counts["files_removed"] += len(table.vacuum(retention_hours=hours, dry_run=False))
    return counts


def _joined(where: Location) -> int:
    """Write the files of each partition that has several as one; return how many there were.

    The commit says that no data changed, so that the change feed stays silent. deltalake's own compaction would do the
    same, but in `string_view`.
    """
    from pyarrow import table as table_of

    table = open_table(where)
    if table is None:
        return 0
    files: dict[tuple[tuple[str, Any], ...], list[str]] = {}
    for file in table_of(table.get_add_actions(flatten=True)).to_pylist():
        partition = tuple((n.partition(".")[2], v) for n, v in sorted(file.items()) if n.startswith("partition."))
        files.setdefault(partition, []).append(file["path"])
    joined = 0
    for partition, paths in files.items():
        if len(paths) > 1:
            _join(table, dict(partition), paths)
            joined += len(paths)
            table.update_incremental()
    return joined


def _join(table: DeltaTable, partition: dict[str, Any], paths: Sequence[str]) -> None:
    """Write a partition's files as one."""
    from deltalake.fs import DeltaStorageHandler
    from deltalake.transaction import AddAction, RemoveAction
    from pyarrow import parquet
    from pyarrow.fs import PyFileSystem

    with _explained():
        pruned = [(name, "=", str(value)) for name, value in partition.items()] or None
        rows = table.to_pyarrow_dataset(file_pruning_predicate=pruned).to_table()
        folder = "".join(f"{name}={value}/" for name, value in partition.items())
        path, files = f"{folder}part-{uuid.uuid4()}.parquet", PyFileSystem(DeltaStorageHandler.from_table(table._table))
        parquet.write_table(rows.drop_columns(list(partition)), path, filesystem=files, compression="snappy")
        moment, stats = int(time.time() * 1000), json.dumps({"numRecords": rows.num_rows})
        values = {name: str(value) for name, value in partition.items()}
        added = AddAction(path, files.get_file_info(path).size, values, moment, False, stats)
        removed = [RemoveAction(path=old, data_change=False, deletion_timestamp=moment) for old in paths]
        table.create_write_transaction([added, *removed], "append", table.schema(), list(partition))


def published(where: Location) -> int:
    """Return the number of the last manifest that a table holds; 0 when there is none."""
    return applied(open_table(where))


def query(where: Location, sql: str) -> list[dict[str, Any]]:
    """Run SQL over a table, which it calls `t`; one that is not there yet gives no rows.

    A column that a table of an earlier version of ours lacks is null in all of its rows.
    """
    import pyarrow as pa
    from deltalake import QueryBuilder

    opened = open_table(where)
    if opened is None:
        return []
    wanted = CATALOGUE[where.uri.rpartition("/")[2]].columns().names
    nulls = "".join(f", NULL AS {name}" for name in wanted if name not in column_names(opened))
    whole = f"WITH t AS (SELECT *{nulls} FROM stored) {sql}"  # noqa: S608  # of our own names only
    with _explained():
        rows: list[dict[str, Any]] = pa.table(QueryBuilder().register("stored", opened).execute(whole)).to_pylist()
    return rows
