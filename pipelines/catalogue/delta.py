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
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from pipelines.catalogue.schema import CATALOGUE, Table
from pipelines.errors import OpedsError, StalePublisher, StoreBusy, StoreUnavailable
from pipelines.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties
    from deltalake import DeltaTable as DeltaTable  # publish.py names it in its types

DIGESTS_SINCE = "opeds.digests_since"  # of a table: the first version whose commit's digests are kept
SCHEMA_PROPERTY = "opeds.schema"  # of a table: the schema of the records or manifests that its rows are made of
APP = "opeds"  # its transaction number is the last manifest applied; it survives compaction and log cleanup
COMMITS = 40  # of a commit, while others commit: each that we lose moves the table on
KEPT_HOURS = 168  # of files that only older versions of a table need
TRIES = 6  # of a change or a query, while the bucket fails
OF_BUCKET = re.compile(  # in what the library says
    r"Generic S3 error|error (sending|performing|decoding)|timed out|server returned|necessary privileges",
    re.IGNORECASE,
)
DIGITS = 18  # of a version
COMMIT_DIGITS = 20  # of a version in the name of a commit
ROWS_YIELDED = 500  # of a batch that are Python at a time
SAID = 200  # characters of what the library says
LONGEST_WAIT = 2.0  # seconds between two of them
PRECISION = timedelta(milliseconds=1)
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
        "timeout": f"{settings.store_timeout:g}s",
        "backoff_config.max_backoff": "2s",
    }
    return Location(f"s3://{parts.netloc}/{prefix}{path}", {name: value for name, value in options.items() if value})


def until_done(change: Callable[[], Result]) -> Result:
    """Return what a change or a look gives, beginning again from the table as it is then when others commit first.

    Raises `StalePublisher` when that never ends, and `StoreBusy` when the bucket fails every time.
    """
    failed = 0
    for attempt in range(1, COMMITS):
        try:
            return change()
        except StalePublisher:
            time.sleep(random.uniform(0.02, min(0.05 * 2**attempt, LONGEST_WAIT)))
        except StoreBusy:  # every change is made from the table as it stands: to make it again does no harm
            failed += 1
            if failed == TRIES:
                raise
            time.sleep(random.uniform(0.5, 1) * min(0.1 * 2**failed, LONGEST_WAIT))
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
        if OF_BUCKET.search(str(error)):
            raise StoreBusy(
                f"the bucket does not serve the catalogue ({said[:SAID]}): try again later; if it stays so, remove "
                "catalogue/ and publish it anew, for it is a view of the log"
            ) from error
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


def open_for_writing(where: Location, table: Table) -> tuple[DeltaTable, bool]:
    """Return a table, made where there is none, and whether it has the columns of today: one of an earlier version of
    ours must be written anew. Raises `StalePublisher`."""
    from deltalake import DeltaTable

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
                configuration={**_properties(table), DIGESTS_SINCE: "0"},
                raise_if_key_not_exists=False,
                storage_options=dict(where.options),
            )
        about = opened.metadata()
        if DIGESTS_SINCE not in about.configuration:
            opened.alter.set_table_properties({DIGESTS_SINCE: str(opened.version())}, raise_if_not_exists=False)
        if about.configuration.get(SCHEMA_PROPERTY) != table.made_of:
            opened.alter.set_table_properties({SCHEMA_PROPERTY: table.made_of}, raise_if_not_exists=False)
        if about.name != table.name:
            opened.alter.set_table_name(table.name)
        if about.description != table.about:
            opened.alter.set_table_description(table.about)
    return opened, set(column_names(opened)) == set(table.columns().names)


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
    quoted = ", ".join(map(_quoted, ids))
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


def remove_files(where: Location, hours: int) -> int:
    """Remove the files that only versions older than that need; return how many there were."""
    table = open_table(where)
    if table is None:
        return 0
    with _explained():
        return len(table.vacuum(hours, dry_run=False, enforce_retention_duration=hours >= KEPT_HOURS))


def join_files(where: Location) -> int:
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


@dataclass(frozen=True)
class DataFile:
    """A file of a table: its path below the table, and what the table's log says of it.

    `stated` holds bounds of columns (`min.x`, `max.x`) and counts (`null_count.x`), by which readers skip files.
    """

    path: str
    size: int
    rows: int
    partition: Mapping[str, Any]
    stated: Mapping[str, Any]


def data_files(table: DeltaTable) -> list[DataFile]:
    """Return the files that hold a table's rows today, in order of their paths."""
    from pyarrow import table as table_of

    found = []
    with _explained():
        for one in table_of(table.get_add_actions(flatten=True)).to_pylist():
            split = {name.partition(".")[::2]: value for name, value in one.items()}
            partition = {column: value for (kind, column), value in split.items() if kind == "partition"}
            stated = {name: v for name, v in one.items() if name.startswith(("min.", "max.", "null_count."))}
            rows = one["num_records"] if one["num_records"] is not None else -1
            found.append(DataFile(one["path"], one["size_bytes"], rows, partition, stated))
    return sorted(found, key=lambda file: file.path)


def partitions_in(table: DeltaTable, column: str) -> list[int]:
    """Return every value by which a column of numbers parts a table's files today."""
    return sorted({int(file.partition[column]) for file in data_files(table)})


def hides_rows(table: DeltaTable) -> bool:
    """Whether the table's log hides rows that its files hold; ours never does."""
    from pyarrow import RecordBatchReader

    with _explained():
        return any(batch.num_rows for batch in RecordBatchReader.from_stream(table.deletion_vectors()))


def table_described(table: DeltaTable) -> dict[str, Any]:
    """Return what a table says of itself: name, about, partitions, properties, columns with types and comments."""
    about, protocol = table.metadata(), table.protocol()
    return {
        "name": about.name,
        "description": about.description,
        "partition columns": list(about.partition_columns),
        "features": (protocol.min_reader_version, protocol.reader_features or [], protocol.writer_features or []),
        "properties": {name: value for name, value in about.configuration.items() if name != DIGESTS_SINCE},
        "columns": [(f.name, f.type.to_json(), f.nullable, dict(f.metadata)) for f in table.schema().fields],
    }


def as_described(table: Table) -> dict[str, Any]:
    """Return what `table_described` gives for a table that we make today."""
    from deltalake import Schema

    return {
        "name": table.name,
        "description": table.about,
        "partition columns": list(table.partition_by),
        "features": (1, [], []),  # a reader of the first version reads it
        "properties": _properties(table),
        "columns": [
            (f.name, f.type.to_json(), f.nullable, dict(f.metadata)) for f in Schema.from_arrow(table.columns()).fields
        ],
    }


def digests_since(table: DeltaTable) -> int | None:
    """Return the first version of a table whose commit's digests are kept, or None where none is."""
    told = table.metadata().configuration.get(DIGESTS_SINCE, "")
    return int(told) if told.isdecimal() and len(told) <= DIGITS else None


def _properties(table: Table) -> dict[str, str]:
    return {"delta.enableChangeDataFeed": "true", SCHEMA_PROPERTY: table.made_of}


def rows_in(body: bytes, file: DataFile, size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a data file, some at a time; raise whatever pyarrow raises for bytes that are no such file."""
    import pyarrow as pa
    from pyarrow import parquet

    for batch in parquet.ParquetFile(pa.BufferReader(body)).iter_batches(size):
        yield [{**row, **file.partition} for row in batch.to_pylist()]


def columns_of(body: bytes) -> dict[str, str]:
    """Return the columns that a data file has, each with its type as `as_type` spells it."""
    import pyarrow as pa
    from pyarrow import parquet

    return {field.name: as_type(field.type) for field in parquet.read_schema(pa.BufferReader(body))}


def as_type(kind: pa.DataType) -> str:
    """Return a type in one spelling: files differ in how they hold text, and in the names of what a list holds."""
    said = re.sub(r"\b(large_|(?<=string)_view)", "", str(kind)).replace("string_view", "string")
    return re.sub(r"\b(element|item): ", "", said).replace(" not null", "")


def misleading(body: bytes, file: DataFile) -> list[str]:
    """Return what a table's log, or a file itself, says wrongly of the file's values: readers would skip rows that they
    look for."""
    import pyarrow as pa
    from pyarrow import parquet

    opened = parquet.ParquetFile(pa.BufferReader(body))
    wrong = [] if file.rows == opened.metadata.num_rows else [f"holds {opened.metadata.num_rows} rows"]
    whole = opened.read()
    for name in whole.column_names:
        low, high, nulls = (file.stated.get(f"{what}.{name}") for what in ("min", "max", "null_count"))
        wrong += _beyond(name, whole[name], low, high, nulls)
    for number in range(opened.metadata.num_row_groups):
        group, rows = opened.metadata.row_group(number), opened.read_row_group(number)
        for column in map(group.column, range(group.num_columns)):
            told = column.statistics
            if told is not None and column.path_in_schema in rows.column_names:
                low, high = (told.min, told.max) if told.has_min_max else (None, None)
                nulls = told.null_count if told.has_null_count else None
                wrong += _beyond(column.path_in_schema, rows[column.path_in_schema], low, high, nulls)
    return sorted(set(wrong))


def _beyond(name: str, values: Any, low: Any, high: Any, nulls: int | None) -> Iterator[str]:
    """Yield what is wrong of the bounds and the number of nulls that are stated of a column."""
    import pyarrow as pa
    from pyarrow import compute

    if nulls is not None and nulls != values.null_count:
        yield f"has another number of nulls in {name}"
    if low is None and high is None:
        return
    if pa.types.is_string_view(values.type):  # in tables of earlier versions
        values = values.cast(pa.string())
    least, most = compute.min_max(values).as_py().values()
    if least is None:
        return
    if (low is not None and _below(least, low)) or (high is not None and _below(high, most)):
        yield f"holds values of {name} beyond the stated bounds"


def _below(one: Any, other: Any) -> bool:
    """Whether a value lies below another; bounds of moments are stated in milliseconds."""
    return bool(one + PRECISION < other if isinstance(one, datetime) else one < other)


def published(where: Location) -> int:
    """Return the number of the last manifest that a table holds; 0 when there is none."""
    return applied(until_done(partial(open_table, where)))


def table_rows(opened: DeltaTable, table: Table, article_ids: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, all or those of these articles; few are in memory at a time."""
    import pyarrow as pa
    from deltalake import QueryBuilder

    only = "" if article_ids is None else f" WHERE article_id IN ({', '.join(map(_quoted, article_ids))})"
    with _explained():
        found = QueryBuilder().register("stored", opened).execute(f"{_as_of_today(opened, table)}{only}")
        for batch in map(pa.record_batch, found):
            for start in range(0, batch.num_rows, ROWS_YIELDED):
                yield from batch.slice(start, ROWS_YIELDED).to_pylist()


def _as_of_today(opened: DeltaTable, table: Table) -> str:
    """Return SQL for all rows of `stored`; a column that an earlier version of ours did not write is null in them."""
    there = column_names(opened)
    nulls = "".join(f", NULL AS {name}" for name in table.columns().names if name not in there)
    return f"SELECT *{nulls} FROM stored"  # noqa: S608  # of our own names only


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def changed_articles(opened: DeltaTable, since: int) -> set[str] | None:
    """Return the articles whose rows differ between a version of a table and this one, by its change feed; None where
    the feed does not reach back so far."""
    import pyarrow as pa

    if opened.version() <= since:
        return set()
    try:
        feed = opened.load_cdf(since + 1, opened.version(), columns=["article_id", "_change_type"])
        return {name for batch in map(pa.record_batch, feed) for name in batch.column("article_id").to_pylist()}
    except Exception:  # of a file that is gone, the library raises errors of many kinds, some of no class of its own
        return None


def make_checkpoint(where: Location) -> int:
    """Write a table's state as a checkpoint, so that no commit before it is needed; return its version, -1 for none."""
    table = open_table(where)
    if table is None:
        return -1
    with _explained():
        table.create_checkpoint()
    return int(table.version())


def of_history(keys: Iterable[str], version: int) -> list[str]:
    """Return those of a table's keys that only earlier versions than this need, where it has a checkpoint, and those of
    its change feed.

    >>> keys = ["t/_delta_log/00000000000000000003.json", "t/_change_data/x", "t/_digests/00000000000000000003.json"]
    >>> of_history(keys, 4) == keys[:2]
    True
    """
    found = []
    for key in keys:
        folder, _, name = key.rpartition("/")
        is_commit = folder.endswith("/_delta_log") and name[:COMMIT_DIGITS].isdecimal()
        if "/_change_data/" in key or (is_commit and int(name[:COMMIT_DIGITS]) < version):
            found.append(key)
    return found


def count_rows(opened: DeltaTable) -> int:
    """Return how many rows a table has, by its log alone."""
    with _explained():
        return int(opened.count())


def query(where: Location, sql: str) -> list[dict[str, Any]]:
    """Run SQL over a table, which it calls `t`; one that is not there yet gives no rows.

    A column that a table of an earlier version of ours lacks is null in all of its rows.
    """
    return until_done(partial(_query, where, sql))


def _query(where: Location, sql: str) -> list[dict[str, Any]]:
    return list(query_rows(where, sql))


def query_rows(where: Location, sql: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of `query` as they come, without a second try where the bucket fails in between."""
    import pyarrow as pa
    from deltalake import QueryBuilder

    opened = open_table(where)
    if opened is None:
        return
    whole = f"WITH t AS ({_as_of_today(opened, CATALOGUE[where.uri.rpartition('/')[2]])}) {sql}"
    with _explained():
        found = QueryBuilder().register("stored", opened).execute(whole)
        for batch in pa.RecordBatchReader.from_stream(found):  # whose errors `_explained` knows
            yield from batch.to_pylist()
