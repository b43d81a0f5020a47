"""Op-eds from anyone's WARC files, and from captures that no manifest names."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from pipelines.archive import manifests
from pipelines.archive.captures import store_capture
from pipelines.archive.warc import Exchange, capture_of, exchanges
from pipelines.catalogue.delta import compact, publish
from pipelines.clock import iso, new_run_id, now, today
from pipelines.errors import UnreadableWarc, WrongUsage
from pipelines.index.opened import Archive, dry_run, open_archive
from pipelines.jobs.ingest import Part, ingest, ingest_orphans
from pipelines.jobs.report import Progress, Report
from pipelines.model import Outcome, Sighting
from pipelines.settings import Settings
from pipelines.sources.addresses import is_opinion, place_of


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
    return dry_run(settings) if dry else nullcontext(open_archive(settings))


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
    key = store_capture(archive.store, place.article_id, exchange, capture)
    return Sighting(place.article_id, capture.url, capture.fetched_at, key)


def upkeep(settings: Settings, progress: Progress, dry: bool = False) -> Report:
    """Take in every capture that no manifest names, whatever run left it; publish; compact the catalogue.

    Lists all captures of the archive, which no daily run does.
    """
    report = Report()
    part = Part(new_run_id(), "left", today().isoformat(), iso(now()))

    with _opened(settings, dry) as archive:
        report.outcomes = ingest_orphans(archive, part, archive.store.keys("captures/"), partial(_tell, progress))
        if not dry:
            report.published = publish(archive, settings)
            compact(settings)
    return report
