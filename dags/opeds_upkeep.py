"""Weekly maintenance: ingest crawls and captures that were left behind, compact the catalogue, write the exports.

It runs every Sunday at 03:00 in Seoul. An orphaned capture is one that no manifest lists, because a run was killed. The
daily runs ingest those of the articles that they fetch; this DAG ingests all, and is the only one that lists the whole
bucket. Then the catalogue's small files are written together, and files that no version of the last week needs are
removed. Time travel of a Delta reader ends there; the versions of an op-ed are rows, and stay.

| task | does | if it fails |
|---|---|---|
| `ingest_orphans` | ingests crawls that wait for it (started by hand, or left by a run a day ago), then every capture that no manifest lists | retried |
| `publish` | brings the table up to the log (pool `catalogue`) | retried |
| `compact` | joins files, removes old ones (pool `catalogue`, so that nobody publishes meanwhile) | retried |
| `export` | writes the plain files of `exports/` anew where they differ, and freezes the month's release | retried; the files of the last time stay |

Run it again at any time. By hand: `opeds upkeep`, `opeds upkeep --dry-run`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


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
    def ingest_orphans():
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

    @task
    def export():
        from pipelines.jobs.tasks import export_files

        return export_files()

    ingest_orphans() >> publish() >> compact() >> export()


opeds_upkeep()
