"""The whole way without Airflow: crawl, ingest, close the day, publish."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.archive.crawl_summary import Summary, parse_summary, read_summary
from pipelines.archive.keys import crawl_key
from pipelines.catalogue.publish import publish
from pipelines.clock import new_run_id, now, today
from pipelines.errors import CrawlFailed, OpedsError
from pipelines.index.opened import Archive, dry_run, open_to_write
from pipelines.jobs.crawls import Crawl, days_of, raise_if_failed, start_crawl
from pipelines.jobs.day import addresses_due, close, ingest_crawl, ingest_waiting, prove_earlier_days
from pipelines.jobs.import_warc import ingest_file, readers_of
from pipelines.jobs.report import Asked, Progress, Report, show_outcome
from pipelines.settings import Settings
from pipelines.sources import source_named


def run_days(settings: Settings, asked: Asked, environment: Mapping[str, str], progress: Progress) -> Report:
    """Crawl the sources side by side, ingest what they brought, close each day and publish.

    A source whose crawl failed leaves its days incomplete; the others go on. May be run again at any time.
    """
    archive = open_to_write(settings)
    for name in asked.sources:
        source_named(archive.sources, name)
    run_id = new_run_id()
    report = Report()
    summaries = _crawl_all(archive, asked, run_id, settings, environment, progress, report)
    for summary in summaries.values():
        report.outcomes += ingest_crawl(archive, summary, partial(show_outcome, progress))
    for day in days_of(asked.since, asked.until):
        report.closings[day.isoformat()], _ = close(archive, run_id, day, asked.sources, summaries, report.failures)
    report.proved = prove_earlier_days(archive, run_id, summaries)
    progress("publish", "")
    report.published = publish(archive, settings)
    report.note_groups(archive.index)
    return report


def _crawl_all(
    archive: Archive,
    asked: Asked,
    run_id: str,
    settings: Settings,
    environment: Mapping[str, str],
    progress: Progress,
    report: Report,
) -> dict[str, Summary]:
    """Run one crawl for each source at the same time: each site still gets one request after another."""
    done: dict[str, Summary] = {}
    running: list[Crawl] = []
    until = asked.until.isoformat()

    def crawl_one(name: str) -> None:
        days = [("since", asked.since.isoformat()), ("until", until)]
        arguments = [*days, ("run", run_id), ("started_by", "run")]
        crawl = start_crawl(name, arguments, _log_file(settings, run_id, name), dict(environment))
        running.append(crawl)
        try:
            crawl.wait(partial(progress, name))
            done[name] = raise_if_failed(read_summary(archive.store, crawl_key(name, until, run_id)))
        except OpedsError as error:
            report.failures[name] = str(error)

    threads = [threading.Thread(target=crawl_one, args=(name,)) for name in asked.sources]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        for crawl in running:
            crawl.end()
        raise
    if len(report.failures) == len(asked.sources):
        raise CrawlFailed("; ".join(f"{name}: {why}" for name, why in sorted(report.failures.items())))
    return {name: done[name] for name in asked.sources if name in done}


def revisit_due(settings: Settings, environment: Mapping[str, str], progress: Progress, at: datetime) -> Report:
    """Revisit pages that are 1, 3, 7 and 30 days old, with conditional requests; archive corrections, publish.

    Asks for nothing twice: a page is due once at each age, and a check that was missed is done by the next run.
    """
    archive, report, run_id, until = open_to_write(settings), Report(), new_run_id(), today().isoformat()
    for name, urls in sorted(addresses_due(archive, at).items()):
        arguments = [("url", " ".join(urls)), ("until", until), ("run", run_id), ("started_by", "run")]
        crawl = start_crawl(name, arguments, _log_file(settings, run_id, name), dict(environment))
        try:
            crawl.wait(partial(progress, name))
            summary = raise_if_failed(read_summary(archive.store, crawl_key(name, until, run_id)))
        except CrawlFailed as error:
            report.failures[name] = str(error)
            continue
        report.outcomes += ingest_crawl(archive, summary, partial(show_outcome, progress))
    report.published = publish(archive, settings)
    return report


def ingest_crawls(settings: Settings, progress: Progress) -> Report:
    """Ingest every crawl that waits for it, close its days for its source, and publish."""
    archive, report = open_to_write(settings), Report()
    take_waiting(archive, progress, report)
    progress("publish", "")
    report.published = publish(archive, settings)
    return report


def take_waiting(archive: Archive, progress: Progress, report: Report) -> None:
    """Ingest every crawl that waits for it, and add what came of it to a report."""
    for taken in ingest_waiting(archive, now(), partial(show_outcome, progress)):
        report.outcomes += taken.outcomes
        report.closings |= {f"{day} {taken.summary.source}": closing for day, closing in taken.closings.items()}
        report.proved |= taken.proved


def _log_file(settings: Settings, run_id: str, name: str) -> Path:
    return settings.home / "logs" / f"{run_id}-{name}.log"


def plan_days(settings: Settings, asked: Asked, environment: Mapping[str, str], progress: Progress) -> Report:
    """Say what `run` would archive: fetch the pages into files that are removed, decide, write nothing."""
    report, run_id = Report(), new_run_id()
    with (
        TemporaryDirectory(prefix="opeds-plan-") as folder,
        dry_run(settings) as archive,
        readers_of(archive, progress) as readers,
    ):
        for name in asked.sources:
            warc = Path(folder) / f"{name}.warc.gz"
            days = [("since", asked.since.isoformat()), ("until", asked.until.isoformat())]
            crawl = start_crawl(name, [*days, ("warc", str(warc))], warc.with_suffix(".log"), dict(environment))
            try:
                crawl.wait(partial(progress, name))
                raise_if_failed(parse_summary(Path(f"{warc}.json").read_bytes()))
                ingest_file(archive, warc, run_id, progress, report, readers)
            except CrawlFailed as error:
                report.failures[name] = str(error)
    return report
