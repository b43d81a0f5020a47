"""Look at the calendar every noon: which of the last days never ran, or stayed incomplete.

It runs at 12:00 in Seoul, six hours after `opeds_daily` began. So it notices a daily run that hangs, days that were
lost while Airflow was paused or down, and days that nobody completed since. It sends one notice (`missed`) that names
them, as long as there are any among the last 14; and then a heartbeat to OPEDS_HEARTBEAT. A service that misses the
heartbeat (healthchecks.io and its like) tells you what nothing here can: that the scheduler itself is dead.

| task | does | if it fails |
|---|---|---|
| `watch` | reads the calendar from the bucket, sends the notice and the heartbeat | retried |

To archive the days it names: `airflow backfill create --dag-id opeds_daily …` (see `opeds_daily`), or `opeds run
--since … --until …`. By hand: `opeds status`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

STOP = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception="pipelines.errors.NotificationFailed", action=RetryAction.FAIL, reason="others would get it twice"
        ),
        RetryRule(exception="pipelines.errors.WrongUsage", action=RetryAction.FAIL, reason="it would be wrong again"),
    ]
)


def failed(context):
    from pipelines.jobs.notify import failed

    failed(context)


@dag(
    dag_id="opeds_watch",
    schedule=CronTriggerTimetable("0 12 * * *", timezone="Asia/Seoul"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "opeds",
        "retries": 3,
        "retry_exponential_backoff": 2.0,
        "retry_policy": STOP,
        "execution_timeout": timedelta(minutes=30),
        "on_failure_callback": failed,
    },
    tags=["opeds", "watch"],
    doc_md=__doc__,
)
def opeds_watch():
    @task
    def watch():
        from pipelines.jobs.tasks import watch_calendar

        return watch_calendar()

    watch()


opeds_watch()
