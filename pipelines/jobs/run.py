"""The whole way without Airflow: crawl, ingest, close the day, publish."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.archive import manifests
from pipelines.archive.captures import keep
from pipelines.archive.warc import Exchange, capture_of, exchanges
from pipelines.catalogue.delta import Published, compact, publish
from pipelines.errors import CrawlFailed, OpedsError, UnreadableWarc, WrongUsage
from pipelines.index.opened import Archive, open_archive, rehearsal
from pipelines.jobs.crawls import Crawl, Summary, crawl_key, days_of, parse_summary, read_summary, start_crawl
from pipelines.jobs.day import addresses_due, close, take_in
from pipelines.jobs.doctor import Examination, examine, save_pages
from pipelines.jobs.ingest import Part, ingest, ingest_left
from pipelines.jobs.rederive import Difference, differences, quarantined, stale
from pipelines.jobs.rederive import retry as archive_accepted
from pipelines.jobs.rederive import write as write_rereads
from pipelines.model import Outcome, Sighting, Verdict, iso, new_run_id, now, today
from pipelines.settings import Settings
from pipelines.sources import load_sources, source_named
from pipelines.sources.addresses import is_opinion, place_of

Progress = Callable[[str, str], None]  # (stage, what): the command line draws it


@dataclass
class Report:
    """What a run came to."""

    outcomes: list[Outcome] = field(default_factory=list)
    closings: dict[str, manifests.Closing] = field(default_factory=dict)
    published: Published | None = None
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)  # of a foreign WARC: what was no op-ed, by why

    def count(self, *verdicts: Verdict) -> int:
        """Return how many outcomes have one of these verdicts."""
        return sum(outcome.verdict in verdicts for outcome in self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether every day asked for was read to its end."""
        return not self.failures and all(closing.complete for closing in self.closings.values())


@dataclass(frozen=True)
class Asked:
    """What a run is for: days in Seoul, sources by name."""

    since: date
    until: date
    sources: tuple[str, ...]


def run(settings: Settings, asked: Asked, environment: Mapping[str, str], progress: Progress) -> Report:
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
        report.outcomes += take_in(archive, summary, partial(_tell, progress))
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


def revisit(settings: Settings, environment: Mapping[str, str], progress: Progress, at: datetime) -> Report:
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
        report.outcomes += take_in(archive, summary, partial(_tell, progress))
    report.published = publish(archive, settings)
    return report


def _log_file(settings: Settings, run_id: str, name: str) -> Path:
    return settings.home / "logs" / f"{run_id}-{name}.log"


def _tell(progress: Progress, outcome: Outcome) -> None:
    progress("ingest", f"{outcome.verdict.value} {outcome.article_id}")


def ingest_files(settings: Settings, files: Sequence[Path], progress: Progress, dry: bool = False) -> Report:
    """Take the op-eds out of anyone's WARC files: copy their captures, log the outcomes, publish.

    With `dry` everything is decided and nothing written. A file that breaks off is taken in up to there, and told
    among the failures; one that cannot be opened raises `WrongUsage` before anything is done.
    """
    for path in files:
        try:
            path.open("rb").close()
        except OSError as error:
            raise WrongUsage(f"cannot read {path}: {error.strerror}") from error
    report, run_id = Report(), new_run_id()
    with _opened(settings, dry) as archive:
        for number, path in enumerate(files, 1):
            _ingest_file(archive, path, f"{run_id}-{number}", progress, report)
        report.published = None if dry else publish(archive, settings)
    return report


def _opened(settings: Settings, dry: bool) -> AbstractContextManager[Archive]:
    return rehearsal(settings) if dry else nullcontext(open_archive(settings))


def _ingest_file(archive: Archive, path: Path, run_id: str, progress: Progress, report: Report) -> None:
    """Take in one file, in parts as they fill, so that memory does not grow with it."""
    part = Part(run_id, path.name, today().isoformat(), iso(now()))
    waiting: dict[tuple[str, datetime], Sighting] = {}

    def take() -> None:
        done = ingest(
            archive,
            replace(part, name=f"{part.name}-{len(report.outcomes)}"),
            waiting.values(),
            [],
            partial(_tell, progress),
        )
        report.outcomes += done
        waiting.clear()

    try:
        with path.open("rb") as stream:
            for exchange in exchanges(stream, str(path)):
                sighting = _copied(archive, exchange, report)
                if sighting:
                    waiting[sighting.article_id, sighting.fetched_at] = sighting
                if len(waiting) == manifests.PART_SIZE:
                    take()
    except UnreadableWarc as error:
        report.failures[str(path)] = str(error)
    take()


def _copied(archive: Archive, exchange: Exchange, report: Report) -> Sighting | None:
    """Copy an answer that shows an op-ed into the bucket; count any other, and what a manifest tells already."""
    place = place_of(exchange.url, archive.sources.values())
    why = (
        "of another site" if place is None else "of another section" if not is_opinion(place)
        else f"answered {exchange.status}" if exchange.status != 200
        else "archived before" if archive.index.seen(place.article_id, iso(exchange.fetched_at)) else ""
    )  # fmt: skip
    if why or place is None:
        report.skipped[why] = report.skipped.get(why, 0) + 1
        return None
    capture = capture_of(exchange)
    key = keep(archive.store, place.article_id, exchange, capture)
    return Sighting(place.article_id, capture.url, capture.fetched_at, key)


def plan(settings: Settings, asked: Asked, environment: Mapping[str, str], progress: Progress) -> Report:
    """Say what `run` would archive: fetch the pages into files that are removed, decide, write nothing."""
    report, run_id = Report(), new_run_id()
    with TemporaryDirectory(prefix="opeds-plan-") as folder, rehearsal(settings) as archive:
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


def doctor(
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
        report.outcomes = write_rereads(archive, part, articles, lambda a: progress("written", a))
        report.published = publish(archive, settings)
    return found, report


def retry(settings: Settings, source: str, write: bool, progress: Progress) -> tuple[list[Difference], Report]:
    """Read set-aside pages again by today's rules; say what became of each and, with `write`, archive what passes."""
    archive, report = open_archive(settings), Report()
    found = _watched(quarantined(archive, source), progress)
    if write and any(not one.refused for one in found):
        part = Part(new_run_id(), "retry", today().isoformat(), iso(now()))
        report.outcomes = archive_accepted(archive, part, found, lambda a: progress("archived", a))
        report.published = publish(archive, settings)
    return found, report


def _watched(found: Iterable[Difference], progress: Progress) -> list[Difference]:
    kept = []
    for difference in found:
        kept.append(difference)
        progress("read again", difference.article_id)
    return kept


def upkeep(settings: Settings, progress: Progress, dry: bool = False) -> Report:
    """Take in every capture that no manifest names, whatever run left it; publish; compact the catalogue.

    Lists all captures of the archive, which no daily run does.
    """
    report = Report()
    part = Part(new_run_id(), "left", today().isoformat(), iso(now()))

    with _opened(settings, dry) as archive:
        report.outcomes = ingest_left(archive, part, archive.store.keys("captures/"), partial(_tell, progress))
        if not dry:
            report.published = publish(archive, settings)
            compact(settings)
    return report
