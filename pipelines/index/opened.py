"""An archive opened: its bucket, its index, and the sources it knows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.archive import manifests
from pipelines.archive.identity import IDENTITY, identify
from pipelines.archive.signing import signer
from pipelines.archive.store import Overlay, Store, open_store, read_many
from pipelines.archive.withdrawn import NOTHING_WITHDRAWN, Withdrawn, read_withdrawn, tombstone_key
from pipelines.copies.fingerprint import hashes_in
from pipelines.index.index import Index, open_anew, open_index
from pipelines.index.withdrawal import is_removal
from pipelines.model import CONTENT, Outcome, Verdict
from pipelines.settings import Settings
from pipelines.sources import Source, load_sources
from pipelines.sources.addresses import Place, place_naming

Texts = tuple[str, str]  # of a record: English, Korean
CACHED_TEXTS = 1000


@dataclass(frozen=True)
class Archive:
    """What every step that touches the outside is given."""

    store: Store
    index: Index
    sources: Mapping[str, Source]
    processes: int = 1  # that read pages
    invented: bool = False
    identity_sha256: str = ""  # of `archive.json`: every manifest states it
    sign: manifests.Sign | None = None
    withdrawn: Withdrawn = NOTHING_WITHDRAWN
    texts: dict[str, Texts] = field(default_factory=dict, repr=False, compare=False)  # see `texts_of`
    digests: dict[str, str] = field(default_factory=dict, repr=False, compare=False)  # see `commit`


def open_to_write(settings: Settings) -> Archive:
    """Open the archive that the settings name, probe it, and bring its index up to the log.

    Raises `StoreUnavailable`, `UnsafeStore`, `ForeignIndex` or `BadSourceFile`, each with what to do.
    """
    sources = load_sources(settings.sources)
    store = open_store(settings)
    known = identify(store, settings.invented)
    index = open_index(settings, known.archive_id, _own(sources))
    archive = Archive(
        store,
        index,
        sources,
        _processes(settings),
        known.invented,
        known.sha256,
        signer(settings),
        read_withdrawn(store),
    )
    catch_up(archive)
    return archive


@contextmanager
def dry_run(settings: Settings) -> Iterator[Archive]:
    """Open the archive for a dry run: what is written to it is gone at the end, and nobody else sees it."""
    sources = load_sources(settings.sources)
    with TemporaryDirectory(prefix="opeds-plan-") as folder:
        store = Overlay(open_store(settings))
        known = identify(store, settings.invented)
        if IDENTITY in store.above.objects:  # an empty bucket: its index would be of no use to anyone
            settings = replace(settings, index=f"sqlite:///{folder}/empty.sqlite")
        with open_index(settings, known.archive_id, _own(sources), may_replace=False).dry_run(Path(folder)) as index:
            archive = Archive(store, index, sources, _processes(settings), known.invented, known.sha256)
            archive = replace(archive, withdrawn=read_withdrawn(store))
            catch_up(archive)
            yield archive


def opened(settings: Settings, dry: bool) -> AbstractContextManager[Archive]:
    """Open the archive, for a dry run where `dry` says so."""
    return dry_run(settings) if dry else nullcontext(open_to_write(settings))


def _processes(settings: Settings) -> int:
    return settings.processes or len(os.sched_getaffinity(0))


def _own(sources: Mapping[str, Source]) -> list[str]:
    return [name for name, source in sources.items() if source.own]


def catch_up(archive: Archive, progress: Callable[[int], None] = lambda _: None) -> int:
    """Apply every manifest the index lacks; return the number of the last one. `progress` is called with each number.

    Texts of other workers, or all texts for a new index, are published from the sketches in their records.
    """
    for seq, manifest in manifests.read_log(archive.store, archive.index.seq()):
        if not _apply(archive, seq, manifest):  # another process made the index anew meanwhile
            return catch_up(archive, progress)
        progress(seq)
    return archive.index.seq()


def _apply(archive: Archive, seq: int, manifest: manifests.Manifest) -> bool:
    with_text = [o for o in manifest.outcomes if o.record_key and o.verdict in CONTENT | {Verdict.REREAD}]
    with_text = [o for o in with_text if o.article_id not in archive.withdrawn.ids]
    missing = archive.index.unpublished(with_text)
    if missing:
        archive.index.publish_all([(outcome, _sketch(archive, outcome)) for outcome in missing])
    return archive.index.apply(seq, manifest)


def commit(archive: Archive, manifest: manifests.Manifest) -> int:
    """Log a manifest under the next number, and return it: what it names is in the archive from here on.

    A part that is logged already, perhaps by the same task run twice at once, is not logged again. The manifest gets
    the digest of every object that it names and no manifest before it states: from `archive.digests`, which whoever
    read or created one in this part fills, else by reading it.
    """
    last = archive.index.seq()  # before the question: a manifest of another worker in between is behind this number
    known = archive.index.logged(manifest.run, manifest.part)
    if known:
        return known
    manifest = replace(manifest, digests=_digests(archive, manifest))
    archive.digests.clear()
    seq, logged = manifests.append(archive.store, manifest, last, archive.sign)
    if not (logged and seq == last + 1 and _apply(archive, seq, logged)):  # others logged meanwhile
        catch_up(archive)
    return seq


def _digests(archive: Archive, manifest: manifests.Manifest) -> tuple[tuple[str, str], ...]:
    records = {o.record_key for o in manifest.outcomes if o.record_key}
    named = records | {o.capture_key for o in manifest.outcomes if o.capture_key} | set(manifest.crawls)
    for outcome in filter(is_removal, manifest.outcomes):
        own = tombstone_key(outcome.article_id).removesuffix(".json")
        named |= {key for key in archive.store.keys(own) if key.startswith((f"{own}.", f"{own}-"))}
    named -= archive.index.digests(named - records).keys()
    known = {key: archive.digests[key] for key in named if key in archive.digests}
    known |= {
        key: hashlib.sha256(body).hexdigest() for key, body in read_many(archive.store, sorted(named - known.keys()))
    }
    if archive.identity_sha256:
        known[IDENTITY] = archive.identity_sha256
    return tuple(sorted(known.items()))


def texts_of(archive: Archive, record_keys: Iterable[str]) -> dict[str, Texts]:
    """Return the texts of these records, without those that are missing. The last thousand stay in memory.

    Records never change, and one day's texts are compared with each other many times.
    """
    wanted = set(record_keys)
    for key, body in read_many(archive.store, sorted(wanted - archive.texts.keys())):
        record = json.loads(body)
        archive.texts[key] = record["text"], record["text_ko"]
    found = {key: archive.texts[key] for key in wanted if key in archive.texts}
    while len(archive.texts) > CACHED_TEXTS:
        del archive.texts[next(iter(archive.texts))]
    return found


def places_of(archive: Archive, article_id: str) -> list[Place]:
    """Return every place known for an article, the best-ranked address first."""
    urls = archive.index.addresses(article_id)
    known = (place_naming(url, article_id, archive.sources.values()) for url in urls)
    return sorted(filter(None, known), key=lambda place: place.rank)


def _sketch(archive: Archive, outcome: Outcome) -> list[int]:
    return hashes_in(json.loads(archive.store.read(outcome.record_key))["sketch"])


def rebuild_index(settings: Settings, progress: Callable[[int, int], None]) -> tuple[int, Path | None]:
    """Make the index anew from the log and the records, whatever lies where it belongs; return the number of the last
    manifest, and where a file that could not be read was moved to.

    May be interrupted: the rebuilt part stays, and the next `open_to_write` continues. `progress` is called with how
    many manifests are done, of how many.
    """
    sources, store = load_sources(settings.sources), open_store(settings)
    archive_id, own = identify(store).archive_id, _own(sources)
    index, aside = open_anew(settings, archive_id, own)
    count = sum(1 for _ in store.keys("runs/"))
    archive = Archive(store, index, sources, withdrawn=read_withdrawn(store))
    return catch_up(archive, lambda seq: progress(seq, count)), aside
