"""Weekly maintenance: ingest orphaned captures, compact the catalogue.

Every Sunday at 03:00 in Seoul. The daily runs take in what was left of the articles they meet; this visits at all
captures in the bucket, the only DAG that lists it whole. Then the catalogue's small files are written together, and
those removed that no version of the last week needs: time travel of a Delta reader ends there, an op-ed's own
versions are rows and stay.

| task | does | if it fails |
|---|---|---|
| `ingest_settled_orphans` | archives every capture that no manifest names | retried |
| `publish` | brings the table up to the log (pool `catalogue`) | retried |
| `compact` | joins files, removes old ones (pool `catalogue`, so that nobody publishes meanwhile) | retried |

Run it again at any time. By hand: `opeds upkeep`, `opeds upkeep --dry-run`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import AsyncCallback, CronTriggerTimetable, DeadlineAlert, DeadlineReference, dag, task


def failed(context):
    from pipelines.jobs.notify import failed

    failed(context)


@dag(
    dag_id="opeds_upkeep",
    schedule=CronTriggerTimetable("0 3 * * 0", timezone="Asia/Seoul"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=10),
        callback=AsyncCallback("pipelines.jobs.notify.late"),
    ),
    default_args={
        "owner": "opeds",
        "retries": 3,
        "retry_exponential_backoff": 2.0,
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": failed,
    },
    tags=["opeds", "upkeep"],
    doc_md=__doc__,
)
def opeds_upkeep():
    @task
    def ingest_settled_orphans():
        from pipelines.jobs.tasks import ingest_settled_orphans

        return ingest_settled_orphans()

    @task(pool="catalogue")
    def publish():
        from pipelines.jobs.tasks import publish_catalogue

        return publish_catalogue()

    @task(pool="catalogue")
    def compact():
        from pipelines.jobs.tasks import compact_catalogue

        return compact_catalogue()

    ingest_settled_orphans() >> publish() >> compact()


opeds_upkeep()
