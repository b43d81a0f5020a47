"""Weekly maintenance: ingest crawls and captures that were left behind, publish, compact the catalogue, export."""

from __future__ import annotations

from functools import partial

from pipelines.catalogue.publish import compact_tables, publish
from pipelines.clock import new_run_id, today
from pipelines.exports.bucket import export_to_bucket
from pipelines.index.opened import opened
from pipelines.ingestion.ingest import Part, ingest_orphans
from pipelines.jobs.report import Progress, Report, show_outcome
from pipelines.jobs.run import take_waiting
from pipelines.settings import Settings


def upkeep(settings: Settings, progress: Progress, dry: bool = False) -> Report:
    """Ingest every crawl that waits for it, then every capture that no manifest names; publish, and compact the
    catalogue, and write the plain files of `exports/` anew. With `dry` write nothing.

    Lists all captures of the archive, which no daily run does.
    """
    report = Report()
    part = Part.of_today(new_run_id(), "left")
    with opened(settings, dry) as archive:
        take_waiting(archive, progress, report)
        orphans = archive.store.keys("captures/")
        report.outcomes += ingest_orphans(archive, part, orphans, partial(show_outcome, progress))
        if not dry:
            report.published = publish(archive, settings)
            compact_tables(archive.store, settings)
            month = str(today())[:7]
            report.exported = export_to_bucket(
                settings, archive.store, month, lambda name, *_: progress("export", name)
            )
    return report
