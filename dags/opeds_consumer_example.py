"""An example for consumers: work on each day as soon as it is archived. Copy it and change it.

It runs once for each day for which `opeds_daily` updates the asset `opeds://archive`, with the day as its partition key.
It needs none of our code: only a Delta reader, and the bucket's address and a reader's key in the environment.

**An event can be lost**: events sent while this DAG is paused do not come again, and corrections come without one. A
consumer that must not miss anything stores a cursor of its own, the number of the last manifest that it read under
`runs/`, and reads on from there at each event. This example only counts a day.

| task | does | if it fails |
|---|---|---|
| `read` | counts the op-eds of the day in the table | retried |
"""

import os
from datetime import UTC, date, datetime, timedelta

from airflow.sdk import Asset, PartitionedAssetTimetable, dag, task

ARCHIVE = Asset(name="opeds_archive", uri="opeds://archive")


@dag(
    dag_id="opeds_consumer_example",
    schedule=PartitionedAssetTimetable(assets=ARCHIVE),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=1),
    default_args={"owner": "opeds", "retries": 2, "execution_timeout": timedelta(minutes=10)},
    tags=["opeds", "example"],
    doc_md=__doc__,
)
def opeds_consumer_example():
    @task
    def read(dag_run=None):
        import pyarrow as pa
        from deltalake import DeltaTable, QueryBuilder

        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        options = {"AWS_ALLOW_HTTP": "true"} if endpoint.startswith("http://") else {}
        table = DeltaTable(f"{os.environ['OPEDS_ARCHIVE']}/catalogue/articles", storage_options=options)
        day = date.fromisoformat(dag_run.partition_key)
        seoul = "to_char(published_at + interval '9 hours', '%Y-%m-%d')"
        opeds = f"SELECT word_count FROM t WHERE is_latest AND role = 'primary' AND {seoul} = '{day}'"  # noqa: S608 - a date
        words = pa.table(QueryBuilder().register("t", table).execute(opeds)).column("word_count").to_pylist()
        print(f"{day}: {len(words)} op-eds, {sum(words)} words, table version {table.version()}")
        return {"opeds": len(words), "words": sum(words), "version": table.version()}

    read()


opeds_consumer_example()
