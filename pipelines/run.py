"""The whole way without Airflow: crawl, ingest, close the day, publish."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from secrets import token_hex

from pipelines import log
from pipelines.addresses import is_opinion, place_of
from pipelines.archive import Archive, catch_up, open_archive
from pipelines.catalogue import Published, publish
from pipelines.crawls import (
    Summary,
    await_crawl,
    crawl_key,
    days_of,
    end_group,
    read_summary,
    sightings,
    stamped,
    start_crawl,
)
from pipelines.errors import CrawlFailed, OpedsError, UnreadableWarc, WrongUsage
from pipelines.ingest import Part, ingest, now
from pipelines.keep import keep
from pipelines.nouns import Outcome, Sighting, Verdict, iso, stamp
from pipelines.settings import Settings
from pipelines.sources import Source, source_named
from pipelines.store import Overlay
from pipelines.warc import capture_of, exchanges

Progress = Callable[[str, str], None]  # (stage, what): the command line draws it


@dataclass
class Report:
    """What a run came to."""

    outcomes: list[Outcome] = field(default_factory=list)
    closings: dict[str, log.Closing] = field(default_factory=dict)
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


def new_run_id() -> str:
    """Return an id for a run that begins now."""
    return f"{stamp(now())}-{token_hex(2)}"


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
        _ingest_summary(archive, summary, run_id, progress, report)
    for day in days_of(asked.since, asked.until):
        _close(archive, day, asked, summaries, run_id, report)
    progress("publish", "")
    report.published = publish(archive, settings)
    return report


def _crawl_all(
    archive: Archive, asked: Asked, run_id: str, settings: Settings, environment: Mapping[str, str],
    progress: Progress, report: Report,
) -> dict[str, Summary]:  # fmt: skip
    """Run one crawl for each source at the same time: each site still gets one request after another."""
    done: dict[str, Summary] = {}
    running: list[subprocess.Popen[str]] = []
    until = asked.until.isoformat()

    def crawl(name: str) -> None:
        arguments = [("since", asked.since.isoformat()), ("until", until), ("run", run_id), ("progress", "1")]
        process = start_crawl(name, arguments, settings.home / "logs" / f"{run_id}-{name}.log", dict(environment))
        running.append(process)
        try:
            await_crawl(process, lambda line: progress(name, line))
            done[name] = read_summary(archive, crawl_key(name, until, run_id))
        except OpedsError as error:
            report.failures[name] = str(error)

    threads = [threading.Thread(target=crawl, args=(name,)) for name in asked.sources]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        for process in running:
            end_group(process)
        raise
    if len(report.failures) == len(asked.sources):
        raise CrawlFailed("; ".join(f"{name}: {why}" for name, why in sorted(report.failures.items())))
    return {name: done[name] for name in asked.sources if name in done}


def _ingest_summary(archive: Archive, summary: Summary, run_id: str, progress: Progress, report: Report) -> None:
    """Log one crawl's outcomes, a part for each day."""
    seen, others = sightings(archive, summary)
    days = {tried.article_id: tried.day or summary.until for tried in summary.addresses}
    crawl = crawl_key(summary.source, summary.until, summary.run)
    for day in sorted({*days.values()}):
        part = Part(run_id, f"{summary.source}-{day}", day, iso(now()), (crawl,))
        report.outcomes += ingest(
            archive,
            part,
            [s for s in seen if days[s.article_id] == day],
            [o for o in others if days[o.article_id] == day],
            lambda outcome: progress("ingest", f"{outcome.verdict.value} {outcome.article_id}"),
        )


def _close(
    archive: Archive, day: date, asked: Asked, summaries: Mapping[str, Summary], run_id: str, report: Report
) -> None:
    closing = closing_of(day, [archive.sources[name] for name in asked.sources], summaries, report)
    crawls = tuple(crawl_key(s.source, s.until, s.run) for s in summaries.values())
    manifest = log.Manifest(run_id, f"{log.CLOSING}-{day}", day.isoformat(), iso(now()), crawls, closing=closing)
    log.append(archive.store, manifest, archive.index.seq())
    catch_up(archive)
    report.closings[day.isoformat()] = closing


def closing_of(day: date, sources: Iterable[Source], summaries: Mapping[str, Summary], report: Report) -> log.Closing:
    """Return how a day stands: complete when every expected section was read back to it and no page failed."""
    missing: list[str] = []
    warnings: list[str] = []
    routes: list[log.RouteReport] = []
    counts: dict[str, int] = {}
    names = [source.name for source in sources]
    for source in sources:
        summary = summaries.get(source.name)
        if summary is None:
            missing.append(f"{source.name}: {report.failures.get(source.name, 'not crawled')}")
            continue
        if summary.finish_reason != "finished":
            missing.append(f"{source.name}: the crawl ended early ({summary.finish_reason})")
        serving = {route.name for route in source.routes if route.serves(day, day)}
        told = [route for route in summary.routes if route.route in serving]
        routes += told
        missing += [
            f"{source.name} {r.route}: {r.error or 'not read back far enough'}"
            for r in told
            if r.expected and not r.reached
        ]
        warnings += [f"{source.name} {r.route}: {r.error}" for r in told if r.error and not r.expected]
        today = [tried for tried in summary.addresses if (tried.day or summary.until) == day.isoformat()]
        failed = [tried for tried in today if tried.result in {"failed", ""}]
        missing += [f"{source.name}: {tried.url}: {tried.reason or 'not asked for'}" for tried in failed]
        for tried in today:
            counts[tried.result] = counts.get(tried.result, 0) + 1
    return log.Closing(
        tuple(names), not missing, tuple(missing), tuple(warnings), tuple(routes), tuple(sorted(counts.items()))
    )


def ingest_files(settings: Settings, files: Sequence[Path], progress: Progress, dry: bool = False) -> Report:
    """Take the op-eds out of anyone's WARC files: copy their captures, log the outcomes, publish.

    With `dry` everything is decided and nothing written. Raises `UnreadableWarc` behind what could be read.
    """
    archive = open_archive(settings)
    if not dry:
        return _ingest_files(archive, settings, files, progress)
    with archive.index.dry():
        return _ingest_files(replace(archive, store=Overlay(archive.store)), None, files, progress)


def _ingest_files(archive: Archive, settings: Settings | None, files: Sequence[Path], progress: Progress) -> Report:
    report = Report()
    run_id = new_run_id()
    for number, path in enumerate(files, 1):
        broken: UnreadableWarc | None = None
        found: list[Sighting] = []
        try:
            found = _copied(archive, path, report, found)
        except UnreadableWarc as error:
            broken = error
        part = Part(run_id, f"file-{number}-{path.name}", now().date().isoformat(), iso(now()))
        fresh = _not_yet_logged(archive, found, report)
        report.outcomes += ingest(
            archive, part, fresh, [], lambda o: progress("ingest", f"{o.verdict.value} {o.article_id}")
        )
        if broken:
            report.failures[str(path)] = str(broken)
    if settings is not None:
        report.published = publish(archive, settings)
    return report


def _copied(archive: Archive, path: Path, report: Report, found: list[Sighting]) -> list[Sighting]:
    """Copy the op-ed captures of a file into the bucket; return their sightings, and count the rest."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise WrongUsage(f"cannot read {path}: {error.strerror}") from error
    with stream:
        for exchange in exchanges(stream, str(path)):
            place = place_of(exchange.url, archive.sources.values())
            why = (
                "of another site" if place is None else "of another section" if not is_opinion(place)
                else f"answered {exchange.status}" if exchange.status != 200 else ""
            )  # fmt: skip
            if why or place is None:
                report.skipped[why] = report.skipped.get(why, 0) + 1
                continue
            capture = capture_of(exchange)
            key = keep(archive.store, place.article_id, exchange, capture)
            found.append(Sighting(place.article_id, capture.url, capture.fetched_at, key))
    return found


def _not_yet_logged(archive: Archive, found: list[Sighting], report: Report) -> list[Sighting]:
    """Leave out what a manifest tells already, so that a file taken in twice adds nothing."""
    named = archive.index.named(sighting.capture_key for sighting in found)
    fresh: dict[tuple[str, datetime], Sighting] = {}
    for sighting in found:
        logged = stamped(sighting) and sighting.capture_key in named
        logged |= any(step.fetched_at == sighting.fetched_at for step in archive.index.history(sighting.article_id))
        if logged:
            report.skipped["archived before"] = report.skipped.get("archived before", 0) + 1
        else:
            fresh[sighting.article_id, sighting.fetched_at] = sighting
    return list(fresh.values())
