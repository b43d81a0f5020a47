"""Prove that the archive still holds what it says: recompute, compare, send a notice; repair nothing.

It runs every day at 04:00 in Seoul, in four mapped tasks. They verify a 28th of all articles, chosen by the digest of
their ids, so that each object has its turn every four weeks; and everything that the last seven days brought. Payloads
are compared with their WARC digests and keys, records with their captures, manifests with objects, the catalogue with
the log.

| task | does | if it fails |
|---|---|---|
| `shares` | makes four equal shares | retried |
| `fixity` | verifies one share; sends its faults as a notice (OPEDS_NOTIFY) and goes red | **not retried**: a fault is for a person. Each names its key. Restore a missing or damaged object from a version of the bucket or a backup; `opeds index rebuild` and `opeds upkeep` make index and catalogue anew |

By hand: `opeds verify`, `opeds verify --share 3/28 --since 2026-06-01`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import (
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    dag,
    task,
)

SHARES = 4
STOP = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="pipelines.errors.FixityFailed", action=RetryAction.FAIL, reason="a notice was sent"),
        RetryRule(exception="pipelines.errors.WrongArchive", action=RetryAction.FAIL, reason="name another archive"),
        RetryRule(exception="pipelines.errors.WrongUsage", action=RetryAction.FAIL, reason="it would be wrong again"),
    ]
)


def failed(context):
    from pipelines.jobs.notify import failed

    failed(context)


@dag(
    dag_id="opeds_audit",
    schedule=CronPartitionTimetable("0 4 * * *", timezone="Asia/Seoul", key_format="%Y-%m-%d"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={
        "owner": "opeds",
        "retries": 3,
        "retry_exponential_backoff": 2.0,
        "retry_policy": STOP,
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": failed,
    },
    tags=["opeds", "audit"],
    doc_md=__doc__,
)
def opeds_audit():
    @task
    def shares():
        from pipelines.jobs.tasks import shares_of_archive

        return shares_of_archive(SHARES)

    @task(map_index_template="{{ share_name }}")
    def fixity(share, dag_run=None):
        from airflow.sdk import get_current_context

        from pipelines.jobs.tasks import fixity, name_of

        get_current_context()["share_name"] = name_of(share)
        return fixity(share, dag_run.partition_key)

    fixity.expand(share=shares())


opeds_audit()
