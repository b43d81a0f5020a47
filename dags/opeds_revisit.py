"""Revisit pages that are 1, 3, 7 and 30 days old: corrections come soon after publication, and seldom late.

It runs every day at 15:00 in Seoul. It asks conditionally (ETag, Last-Modified), so that an unchanged page costs the site
almost nothing. A changed page becomes a version; nothing is overwritten. A page is due once at each age. A check that
was missed is done by the next run, so after a failed run only its cause needs care.

| task | does | if it fails |
|---|---|---|
| `due` | names the run and the sites that have pages due | retried |
| `revisit_<site>` | `scrapy crawl` of those pages, 500 at most, in the site's pool | as in `opeds_daily`: busy is retried, refused is not |
| `shares_<site>`, `ingest_<site>`, `publish` | as in `opeds_daily` | retried |
| `done` | is red if a site could not be revisited | see that site's task |

Run it again at any time: running twice sends no second request.
"""

import os
import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    TriggerRule,
    dag,
    task,
)

CRAWL = timedelta(hours=3, minutes=15)  # behind Scrapy's own limit of three hours, which ends a crawl with its summary
STOP = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="pipelines.errors.SiteRefused", action=RetryAction.FAIL, reason="look before asking again"),
        RetryRule(exception="pipelines.errors.WrongArchive", action=RetryAction.FAIL, reason="name another archive"),
        RetryRule(exception="pipelines.errors.WrongUsage", action=RetryAction.FAIL, reason="it would be wrong again"),
    ]
)


def sites():
    """Return the sources to crawl: those with lists, shipped or of OPEDS_SOURCES, that are not switched off."""
    found = {}
    shipped = Path(find_spec("pipelines").submodule_search_locations[0]) / "sources"
    for folder in filter(None, (shipped, os.environ.get("OPEDS_SOURCES"))):
        for file in sorted(Path(folder).glob("*.toml")):
            with suppress(OSError, ValueError):  # tasks say what is wrong in a file
                data = tomllib.loads(file.read_text(encoding="utf-8"))
                found[data.get("name")] = bool(data.get("route")) and data.get("enabled", True)
    return tuple(sorted(name for name, crawled in found.items() if crawled and name))


SITES = sites()  # as in opeds_daily


def failed(context):
    from pipelines.jobs.notify import failed

    failed(context)


def crawl_and_ingest(run, site):
    """Revisit a site's pages and ingest what that brought: each site by itself."""

    @task(task_id=f"revisit_{site}", pool=f"site_{site}", queue="crawl", execution_timeout=CRAWL)
    def revisit(run):
        from airflow.sdk.exceptions import AirflowSkipException
        from airflow.sdk.observability.stats import Stats

        from pipelines.jobs.tasks import revisit_source

        if site not in run["sources"]:
            raise AirflowSkipException(f"{site} has no page that is due")
        return revisit_source(run, site, Stats.incr)

    @task(task_id=f"shares_{site}", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def shares(run):
        from pipelines.jobs.tasks import shares

        return shares(run, site)

    @task(task_id=f"ingest_{site}", map_index_template="{{ share_name }}")
    def ingest(share):
        from airflow.sdk import get_current_context
        from airflow.sdk.observability.stats import Stats

        from pipelines.jobs.tasks import ingest_share, name_of

        get_current_context()["share_name"] = name_of(share)
        return ingest_share(share, Stats.incr)

    shared, visited = shares(run), revisit(run)
    visited >> shared
    return visited, ingest.expand(share=shared)


@dag(
    dag_id="opeds_revisit",
    schedule=CronTriggerTimetable("0 15 * * *", timezone="Asia/Seoul"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=36),
    default_args={
        "owner": "opeds",
        "retries": 3,
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=1),
        "retry_policy": STOP,
        "execution_timeout": timedelta(minutes=30),
        "on_failure_callback": failed,
    },
    tags=["opeds", "crawl"],
    doc_md=__doc__,
)
def opeds_revisit():
    @task
    def due():
        from pipelines.jobs.tasks import due_revisits

        return due_revisits()

    @task(pool="catalogue", trigger_rule=TriggerRule.NONE_FAILED)
    def publish():
        from pipelines.jobs.tasks import publish_catalogue

        return publish_catalogue()

    run = due()
    done = EmptyOperator(task_id="done", trigger_rule=TriggerRule.NONE_FAILED)
    published = publish()
    for visited, ingested in [crawl_and_ingest(run, site) for site in SITES]:
        ingested >> published
        visited >> done
    published >> done


opeds_revisit()
