"""Archive the past from a public web archive, month by month, beside the daily run.

By hand only, after `opeds past kjd --since 2004-01 --until 2026-06 --plan` has shown how long it takes. Trigger it with
the form, or with `{"source": "kjd", "archive": "wayback", "since": "2004-01", "until": "2026-06"}`. It may run for a
week: pause it, clear it, kill it; each month goes on where it was, and nothing is asked for twice.

| task | does | if it fails |
|---|---|---|
| `months_<archive>` | lists the months that are asked for, of the archive that was chosen | not retried if a month is wrong |
| `ask_<archive>` | a mapped task for each month: asks for what is not known of the index, then for the pages that are wanted. One request at a time over all runs (pool `archive_<name>`) | **busy** or asked to slow down: retried, later each time. **Refused** (403, robots.txt): not retried; look first. What came stays |
| `ingest_<archive>` | for each month: ingests what came, also of tries that were cut off, and logs how the month stands | retried; what is logged already is skipped |
| `publish` | brings the table up to the log (pool `catalogue`), whatever became of some months | retried |
| `done` | is red if a month could not be asked for to its end | clear that month's task |

A public archive of your own, or a national library's: put its file into the folder `archives` below OPEDS_SOURCES, and
import its pool (`opeds airflow pools`). What it proves and what not: docs/the-past.md.
"""

import os
import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import ExceptionRetryPolicy, Param, RetryAction, RetryRule, TriggerRule, dag, task, task_group

STOP = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="pipelines.errors.SiteRefused", action=RetryAction.FAIL, reason="look before asking again"),
        RetryRule(exception="pipelines.errors.WrongArchive", action=RetryAction.FAIL, reason="name another archive"),
        RetryRule(exception="pipelines.errors.WrongUsage", action=RetryAction.FAIL, reason="it would be wrong again"),
    ]
)


def public_archives():
    """Return the names of the public archives that have a file, shipped or below OPEDS_SOURCES."""
    found = set()
    shipped = Path(find_spec("pipelines").submodule_search_locations[0]) / "sources"
    for folder in filter(None, (shipped, os.environ.get("OPEDS_SOURCES"))):
        for file in sorted((Path(folder) / "archives").glob("*.toml")):
            with suppress(OSError, ValueError):  # tasks say what is wrong in a file
                found.add(tomllib.loads(file.read_text(encoding="utf-8")).get("name"))
    return tuple(sorted(filter(None, found)))


ARCHIVES = public_archives()  # a pool belongs to a task, not to a mapped piece of one: so there is a task for each


def failed(context):
    from pipelines.jobs.notify import failed

    failed(context)


def ask_for_months(archive):
    """Ask one archive for the months of the form, if it is the one that was chosen."""

    @task(task_id=f"months_{archive}")
    def months(params=None):
        from airflow.sdk.exceptions import AirflowSkipException

        from pipelines.jobs.tasks import months_to_ask

        if params["archive"] != archive:
            raise AirflowSkipException(f"{params['archive']} was chosen")
        return months_to_ask(params["source"], archive, params["since"], params["until"])

    @task(
        task_id=f"ask_{archive}",
        pool=f"archive_{archive}",
        queue="crawl",
        map_index_template="{{ month }}",
        execution_timeout=timedelta(hours=24),
    )
    def ask(month, params=None):
        from airflow.sdk import get_current_context

        from pipelines.jobs.tasks import ask_archive

        get_current_context()["month"] = month
        ask_archive(params["source"], archive, month, params["all_captures"])

    @task(
        task_id=f"ingest_{archive}",
        map_index_template="{{ month }}",
        trigger_rule=TriggerRule.ALL_DONE,
        execution_timeout=timedelta(hours=6),
    )
    def ingest(month, params=None):
        from airflow.sdk import get_current_context
        from airflow.sdk.observability.stats import Stats

        from pipelines.jobs.tasks import ingest_asked

        get_current_context()["month"] = month
        return ingest_asked(params["source"], archive, month, Stats.incr)

    @task_group(group_id=f"{archive}_month", prefix_group_id=False)
    def of_month(month):
        ask(month) >> ingest(month)

    return of_month.expand(month=months())


@dag(
    dag_id="opeds_past",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=21),
    params={
        "source": Param("kjd", type="string", title="Source"),
        "archive": Param("wayback", type="string", enum=list(ARCHIVES), title="Public archive"),
        "since": Param("2004-01", type="string", pattern=r"^\d{4}-\d{2}$", title="First month"),
        "until": Param("2026-06", type="string", pattern=r"^\d{4}-\d{2}$", title="Last month"),
        "all_captures": Param(
            False, type="boolean", title="One capture for each digest", description="else the first good one alone"
        ),
    },
    default_args={
        "owner": "opeds",
        "retries": 6,
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=2),
        "retry_policy": STOP,
        "execution_timeout": timedelta(minutes=30),
        "on_failure_callback": failed,
    },
    tags=["opeds", "crawl"],
    doc_md=__doc__,
)
def opeds_past():
    @task(pool="catalogue", trigger_rule=TriggerRule.ALL_DONE)
    def publish():
        from pipelines.jobs.tasks import publish_catalogue

        return publish_catalogue()

    done = EmptyOperator(task_id="done", trigger_rule=TriggerRule.NONE_FAILED)
    published = publish()
    for asked in [ask_for_months(archive) for archive in ARCHIVES]:
        asked >> published
        asked >> done
    published >> done


opeds_past()
