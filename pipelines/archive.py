"""An archive opened: its bucket, its index, and the sources it knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines import log
from pipelines.fingerprint import hashes_in
from pipelines.index import CONTENT, Index, open_index
from pipelines.nouns import Outcome, Verdict
from pipelines.settings import Settings
from pipelines.sources import Source, load_sources
from pipelines.store import Store, identify, open_store


@dataclass(frozen=True)
class Archive:
    """What every step that touches the outside is given."""

    store: Store
    index: Index
    sources: Mapping[str, Source]


def open_archive(settings: Settings) -> Archive:
    """Open the archive that the settings name, probe it, and bring its index up to the log.

    Raises `StoreUnavailable`, `UnsafeStore`, `ForeignIndex` or `BadSourceFile`, each with what to do.
    """
    sources = load_sources(settings.sources)
    store = open_store(settings)
    own = [name for name, source in sources.items() if source.own]
    archive = Archive(store, open_index(settings, identify(store), own), sources)
    catch_up(archive)
    return archive


def catch_up(archive: Archive) -> int:
    """Apply every manifest the index lacks; return the number of the last one.

    Another worker's readings, or all of them for a new index, are published from their records' sketches.
    """
    for seq, manifest in log.entries(archive.store, archive.index.seq()):
        for outcome in manifest.outcomes:
            _publish_from_record(archive, outcome)
        archive.index.apply(seq, manifest)
    return archive.index.seq()


def _publish_from_record(archive: Archive, outcome: Outcome) -> None:
    if not outcome.record_key or outcome.verdict not in CONTENT | {Verdict.REREAD} or archive.index.published(outcome):
        return
    record = json.loads(archive.store.read(outcome.record_key))
    archive.index.publish(outcome, hashes_in(record["sketch"]))
