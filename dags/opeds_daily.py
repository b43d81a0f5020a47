"""Archive one day of op-eds, every morning and for any day of the past.

**What it does.** It runs at 06:00 in Seoul for the day before (the *partition key*, `2026-11-21`). It crawls each site,
ingests what the crawls brought, closes the day, publishes the catalogue, and sends notices. Raw pages are stored before
anything is read, so a bug of ours never costs a page: `opeds_rederive` reads them again.

| task | does | if it fails |
|---|---|---|
| `discover` | names the run; says which sites have a list that reaches the day | retried; nothing was asked for yet |
| `crawl_<site>` | for each source that has lists: `scrapy crawl`, one at a time per site over all DAGs (pools `site_…`) | **busy** (429, 5xx, silence): retried, later each time. **Refused** (401, 403, robots.txt): not retried; look at the site first. Cut off: retried. In every case the captured pages stay stored and are archived |
| `shares_<site>`, `ingest_<site>` | as soon as that crawl ends: ingest what it brought, 250 addresses a task | retried; a part that is logged already is skipped |
| `close` | logs how the day stands, from the bucket alone: the calendar of `opeds status` | retried |
| `publish` | brings the table up to the last manifest (pool `catalogue`: one publisher), updates the asset `opeds://archive` | retried; the next publishing includes this one |
| `report` | sends a notice of what is missing, unusual or, except in a backfill, drifted (OPEDS_NOTIFY); **red if the day is incomplete** | read its message, mend the cause, clear from `discover` |

**Run it again** at any time: clear `discover` to ask the sites again, any other task to go on from there. What is
archived already is not stored again. A finished crawl is not repeated under one run.

**A past day, or many:** `airflow backfill create --dag-id opeds_daily --from-date 2026-06-01 --to-date 2026-07-01
--max-active-runs 2 --dry-run`, then without `--dry-run`. Mind the bounds: they are midnights in Seoul, and a day
counts from 06:00, so **`--to-date` is one day after the last day wanted** (these lines give the 1st to the 30th of
June). Two runs at once are polite: the pools allow one crawl per site. Where no list reaches back to a day, the day
says `not discoverable`. One day by hand: trigger with the partition key `2026-06-01`, or choose the day in the form if
no consumer needs to know; without one it is yesterday. The form also archives one source alone, or a list of addresses,
which closes no day.

**A new site** needs a source file alone, in a folder that OPEDS_SOURCES names for DAG processor and workers alike, and
its pool: `opeds airflow pools` prints all pools for `airflow pools import`.

**A day without op-eds** is complete if the lists prove it; `report` sends a notice if such weekdays usually bring some.
"""

import os
import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    Metadata,
    Param,
    RetryAction,
    RetryRule,
    TriggerRule,
    dag,
    task,
)

CRAWL = timedelta(hours=3, minutes=15)  # behind Scrapy's own limit of three hours, which ends a crawl with its summary
ARCHIVE = Asset(name="opeds_archive", uri="opeds://archive")
STOP = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="pipelines.errors.SiteRefused", action=RetryAction.FAIL, reason="look before asking again"),
        RetryRule(exception="pipelines.errors.WrongArchive", action=RetryAction.FAIL, reason="name another archive"),
        RetryRule(exception="pipelines.errors.WrongUsage", action=RetryAction.FAIL, reason="it would be wrong again"),
        RetryRule(exception="pipelines.errors.DayIncomplete", action=RetryAction.FAIL, reason="mend what is missing"),
        RetryRule(
            exception="pipelines.errors.NotificationFailed", action=RetryAction.FAIL, reason="others would get it twice"
        ),
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


SITES = sites()  # a pool belongs to a task, not to a mapped piece of one: so there is a task for each site


def failed(context):
    from pipelines.jobs.notify import failed

    failed(context)


def crawl_and_ingest(run, site):
    """Crawl a site and ingest what that brought: each by itself, so that a slow site holds up no other."""

    @task(task_id=f"crawl_{site}", pool=f"site_{site}", queue="crawl", execution_timeout=CRAWL)
    def crawl(run):
        from airflow.sdk.exceptions import AirflowSkipException
        from airflow.sdk.observability.stats import Stats

        from pipelines.jobs.tasks import crawl

        if site not in run["sources"]:
            raise AirflowSkipException(f"no list of {site} shows {run['day']}, or it was not asked for")
        return crawl(run, site, Stats.incr)

    @task(task_id=f"shares_{site}", trigger_rule=TriggerRule.ALL_DONE)
    def shares(run):
        from airflow.sdk.exceptions import AirflowSkipException

        from pipelines.jobs.tasks import shares

        if run is None:
            raise AirflowSkipException("there is no run")
        return shares(run, site)

    @task(task_id=f"ingest_{site}", map_index_template="{{ share_name }}")
    def ingest(share):
        from airflow.sdk import get_current_context
        from airflow.sdk.observability.stats import Stats

        from pipelines.jobs.tasks import ingest_share, name_of

        get_current_context()["share_name"] = name_of(share)
        return ingest_share(share, Stats.incr)

    shared = shares(run)
    crawl(run) >> shared
    return ingest.expand(share=shared)


@dag(
    dag_id="opeds_daily",
    schedule=CronPartitionTimetable("0 6 * * *", timezone="Asia/Seoul", key_format="%Y-%m-%d", run_offset=-1),
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=36),  # behind five tries of a crawl and their waits, or nothing would be closed
    default_args={
        "owner": "opeds",
        "retries": 4,
        "retry_exponential_backoff": 2.0,  # of [core] default_task_retry_delay, 300 s, with jitter: some 8, 15, 30, 60 minutes
        "max_retry_delay": timedelta(hours=1),
        "retry_policy": STOP,
        "execution_timeout": timedelta(minutes=30),
        "on_failure_callback": failed,
    },
    params={
        "day": Param(
            None, type=["null", "string"], format="date", title="Day in Seoul", description="empty: yesterday"
        ),
        "source": Param(
            None, type=["null", "string"], enum=[None, *SITES], title="Source", description="one alone; null: all"
        ),
        "addresses": Param(
            None,
            type=["null", "string"],
            format="multiline",
            title="Addresses",
            description="articles to fetch, instead of a day's lists",
        ),
    },
    tags=["opeds", "crawl"],
    doc_md=__doc__,
)
def opeds_daily():
    @task
    def discover(dag_run=None, params=None):
        from pipelines.jobs.tasks import discover

        return discover(dag_run.partition_key or params["day"], params["source"], params["addresses"], SITES)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def close(run):
        from airflow.sdk.exceptions import AirflowSkipException

        from pipelines.jobs.tasks import close_day

        if run is None or run["addresses"]:
            raise AirflowSkipException("addresses were fetched, not a day" if run else "there is no run")
        return close_day(run)

    @task(pool="catalogue", outlets=[ARCHIVE], trigger_rule=TriggerRule.NONE_FAILED)
    def publish(closed):
        from pipelines.jobs.tasks import publish_catalogue

        yield Metadata(ARCHIVE, extra={**(closed or {}), **publish_catalogue()})

    @task
    def report(closed, dag_run=None):
        from pipelines.jobs.tasks import report

        report(closed, past=dag_run.run_type == "backfill")

    run = discover()
    closed = close(run)
    published, reported = publish(closed), report(closed)
    [crawl_and_ingest(run, site) for site in SITES] >> closed
    run >> published >> reported
    run >> reported


opeds_daily()
