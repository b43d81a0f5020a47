"""The whole way without Airflow: crawl, ingest, close the day, publish."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.archive.crawl_summary import Summary, parse_summary, read_summary
from pipelines.archive.keys import crawl_key
from pipelines.archive.warc import exchanges
from pipelines.catalogue.delta import publish
from pipelines.clock import iso, new_run_id, now, today
from pipelines.errors import CrawlFailed, OpedsError
from pipelines.index.opened import Archive, dry_run, open_archive
from pipelines.jobs.crawls import Crawl, days_of, start_crawl
from pipelines.jobs.day import addresses_due, close, ingest_crawl
from pipelines.jobs.doctor import Examination, examine, save_pages
from pipelines.jobs.import_warc import _ingest_file, _tell
from pipelines.jobs.ingest import Part
from pipelines.jobs.rederive import Difference, differences, ingest_accepted, log_rereads, quarantined, stale
from pipelines.jobs.report import Asked, Progress, Report
from pipelines.settings import Settings
from pipelines.sources import load_sources, source_named


def run_days(settings: Settings, asked: Asked, environment: Mapping[str, str], progress: Progress) -> Report:
    """Crawl the sources side by side, ingest what they brought, close each day and publish.

    A source whose crawl failed leaves its days incomplete; the others go on. May be run again at any time.
    """
    archive = open_archive(settings)
    for name in asked.sources:
        source_named(archive.sources, name)
    run_id = new_run_id()
    report = Report()
    summaries = _crawl_all(archive, asked, run_id, settings, environment, progress, report)
    for summary in summaries.values():
        report.outcomes += ingest_crawl(archive, summary, partial(_tell, progress))
    for day in days_of(asked.since, asked.until):
        report.closings[day.isoformat()], _ = close(archive, run_id, day, asked.sources, summaries, report.failures)
    progress("publish", "")
    report.published = publish(archive, settings)
    return report


def _crawl_all(
    archive: Archive, asked: Asked, run_id: str, settings: Settings, environment: Mapping[str, str],
    progress: Progress, report: Report,
) -> dict[str, Summary]:  # fmt: skip
    """Run one crawl for each source at the same time: each site still gets one request after another."""
    done: dict[str, Summary] = {}
    running: list[Crawl] = []
    until = asked.until.isoformat()

    def crawl_one(name: str) -> None:
        arguments = [("since", asked.since.isoformat()), ("until", until), ("run", run_id)]
        crawl = start_crawl(name, arguments, _log_file(settings, run_id, name), dict(environment))
        running.append(crawl)
        try:
            crawl.wait(partial(progress, name))
            done[name] = read_summary(archive, crawl_key(name, until, run_id))
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
    """Look again at what is 1, 3, 7 and 30 days old, with conditional requests; archive corrections, publish.

    Asks for nothing twice: an address is owed one look at each age, and a look that was missed is made up for.
    """
    archive, report, run_id, until = open_archive(settings), Report(), new_run_id(), today().isoformat()
    for name, urls in sorted(addresses_due(archive, at).items()):
        arguments = [("url", " ".join(urls)), ("until", until), ("run", run_id)]
        crawl = start_crawl(name, arguments, _log_file(settings, run_id, name), dict(environment))
        try:
            crawl.wait(partial(progress, name))
            summary = read_summary(archive, crawl_key(name, until, run_id))
        except CrawlFailed as error:
            report.failures[name] = str(error)
            continue
        report.outcomes += ingest_crawl(archive, summary, partial(_tell, progress))
    report.published = publish(archive, settings)
    return report


def _log_file(settings: Settings, run_id: str, name: str) -> Path:
    return settings.home / "logs" / f"{run_id}-{name}.log"


def plan_days(settings: Settings, asked: Asked, environment: Mapping[str, str], progress: Progress) -> Report:
    """Say what `run` would archive: fetch the pages into files that are removed, decide, write nothing."""
    report, run_id = Report(), new_run_id()
    with TemporaryDirectory(prefix="opeds-plan-") as folder, dry_run(settings) as archive:
        for name in asked.sources:
            warc = Path(folder) / f"{name}.warc.gz"
            days = [("since", asked.since.isoformat()), ("until", asked.until.isoformat())]
            crawl = start_crawl(name, [*days, ("warc", str(warc))], warc.with_suffix(".log"), dict(environment))
            try:
                crawl.wait(partial(progress, name))
                _ingest_file(archive, warc, run_id, progress, report)
            except CrawlFailed as error:
                report.failures[name] = str(error)
    return report


def examine_site(
    settings: Settings, asked: Asked, pages: int, into: Path, environment: Mapping[str, str], progress: Progress
) -> Examination:
    """Look at a site without an archive: a small, polite crawl into `into`, examined selector by selector.

    Leaves there the WARC, the crawl's account and each page as a fixture folder. Raises `CrawlFailed`.
    """
    (name,) = asked.sources
    source = source_named(load_sources(settings.sources), name)
    into.mkdir(parents=True, exist_ok=True)
    warc = into / f"{name}.warc.gz"
    days = [("since", asked.since.isoformat()), ("until", asked.until.isoformat())]
    arguments = [*days, ("warc", str(warc)), ("pages", str(pages))]
    start_crawl(name, arguments, warc.with_suffix(".log"), dict(environment)).wait(partial(progress, name))
    summary = parse_summary(Path(f"{warc}.json").read_bytes())
    with warc.open("rb") as stream:
        found = examine(source, summary, list(exchanges(stream, str(warc))))
    save_pages(found, into)
    return found


def rederive(
    settings: Settings, source: str, ids: Sequence[str], write: bool, progress: Progress
) -> tuple[list[Difference], Report]:
    """Read archived pages again by today's rules; say what differs and, with `write`, log it and publish."""
    archive, report = open_archive(settings), Report()
    articles = stale(archive, source, ids)
    found = _watched(differences(archive, articles), progress)
    if write and articles:
        part = Part(new_run_id(), "rederive", today().isoformat(), iso(now()))
        report.outcomes = log_rereads(archive, part, articles, lambda a: progress("written", a))
        report.published = publish(archive, settings)
    return found, report


def retry(settings: Settings, source: str, write: bool, progress: Progress) -> tuple[list[Difference], Report]:
    """Read set-aside pages again by today's rules; say what became of each and, with `write`, archive what passes."""
    archive, report = open_archive(settings), Report()
    found = _watched(quarantined(archive, source), progress)
    if write and any(not one.refused for one in found):
        part = Part(new_run_id(), "retry", today().isoformat(), iso(now()))
        report.outcomes = ingest_accepted(archive, part, found, lambda a: progress("archived", a))
        report.published = publish(archive, settings)
    return found, report


def _watched(found: Iterable[Difference], progress: Progress) -> list[Difference]:
    kept = []
    for difference in found:
        kept.append(difference)
        progress("read again", difference.article_id)
    return kept
