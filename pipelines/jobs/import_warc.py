"""Op-eds from anyone's WARC files: their captures are copied into the bucket, then ingested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.archive import manifests
from pipelines.archive.captures import capture_file, store_capture
from pipelines.archive.identity import MISPLACED, misplaced
from pipelines.archive.keys import capture_key
from pipelines.archive.store import threads
from pipelines.archive.warc import Exchange, capture_of, exchanges
from pipelines.catalogue.publish import publish
from pipelines.clock import OLDEST_PAGE, iso, new_run_id
from pipelines.errors import UnreadableWarc
from pipelines.index.opened import Archive, opened
from pipelines.ingestion.ingest import Part, ingest
from pipelines.ingestion.read import Readers, StoredCapture
from pipelines.jobs.inputs import check_readable, input_file
from pipelines.jobs.report import Progress, Report, show_outcome
from pipelines.model import Sighting
from pipelines.settings import Settings
from pipelines.sources.addresses import Place, is_opinion, place_of

ANSWERS_AT_ONCE, BYTES_AT_ONCE = 50, 16_000_000  # of a file, looked up and copied together; whichever comes first
PAGES = frozenset({"text/html", "application/xhtml+xml", ""})  # types of an answer that may be an article
UNKNOWN_SHOWN = 3
BYTES_A_PART = 64_000_000  # of pages; two parts are in memory at most, which bounds it


def ingest_files(settings: Settings, files: Sequence[Path], progress: Progress, dry: bool = False) -> Report:
    """Copy the captures of op-eds in these files, log the outcomes, publish; with `dry` write nothing.

    A file that breaks off is ingested up to there, and named among the failures; a file that cannot be opened raises
    `WrongUsage` before any is read.
    """
    for path in files:
        check_readable(path)
    report, run_id = Report(), new_run_id()
    with opened(settings, dry) as archive, readers_of(archive, progress) as readers:
        for number, path in enumerate(files, 1):
            for _ in ingest_parts(archive, path, f"{run_id}-{number}", progress, report, readers):
                if not dry:  # part by part: the rows of one commit are in memory together
                    report.published = publish(archive, settings)
    return report


def readers_of(archive: Archive, progress: Progress) -> Readers:
    """Return readers that show each page they read."""
    return Readers(archive.sources, archive.processes, lambda: progress("read", "pages"))


def ingest_parts(
    archive: Archive, path: Path, run_id: str, progress: Progress, report: Report, readers: Readers
) -> Iterator[None]:
    """Ingest one file, in parts as they fill, so that memory does not grow with it; yield after each."""
    part = Part.of_today(run_id, path.name)
    for waiting in _delayed_by_one(_parts(archive, path, report, readers)):
        named = replace(part, name=f"{part.name}-{len(report.outcomes)}")
        report.outcomes += ingest(archive, named, waiting, [], partial(show_outcome, progress), readers)
        yield


def _delayed_by_one(parts: Iterator[list[Sighting]]) -> Iterator[list[Sighting]]:
    """Yield each part once the next one was copied, so that its pages are read while this one is decided and logged."""
    before: list[Sighting] = []
    for part in parts:
        yield before
        before = part
    yield before


def _parts(archive: Archive, path: Path, report: Report, readers: Readers) -> Iterator[list[Sighting]]:
    """Copy a file's captures, and yield their sightings in parts that are bounded in number and bytes."""
    found: dict[tuple[str, datetime, str], Sighting] = {}
    size = 0
    try:
        with input_file(path) as stream:
            for answers in _in_chunks(exchanges(stream, str(path))):
                for sighting, length in _copied(archive, answers, report, readers):
                    found[sighting.article_id, sighting.fetched_at, sighting.capture_key] = sighting
                    size += length
                    if len(found) == manifests.PART_SIZE or size >= BYTES_A_PART:
                        yield list(found.values())
                        found, size = {}, 0
    except UnreadableWarc as error:
        report.failures[str(path)] = str(error)
    yield list(found.values())


def _in_chunks(answers: Iterator[Exchange]) -> Iterator[list[Exchange]]:
    """Yield answers in lists that are bounded in number and bytes, the last ones too when the file breaks off."""
    chunk: list[Exchange] = []
    size = 0
    try:
        for answer in answers:
            chunk.append(answer)
            size += len(answer.body)
            if len(chunk) == ANSWERS_AT_ONCE or size >= BYTES_AT_ONCE:
                yield chunk
                chunk, size = [], 0
    except UnreadableWarc:
        yield chunk
        raise
    yield chunk


def _copied(
    archive: Archive, answers: Sequence[Exchange], report: Report, readers: Readers
) -> Iterator[tuple[Sighting, int]]:
    """Copy the answers that show op-eds into the bucket and hand them to the readers; count all others by reason.

    Yields each sighting with the size of its page. The captures of one article are copied one after another, those of
    several articles at the same time.
    """
    wanted: dict[str, list[_Page]] = {}
    for place, answer in _op_eds(archive, answers, report):
        wanted.setdefault(place.article_id, []).append(_page(place, answer))
    for copied in threads().map(partial(_copy, archive), wanted.items()):
        for sighting, stored, size in copied:
            if stored:
                readers.ahead[stored.key] = readers.submit(stored)
            yield sighting, size


def _op_eds(archive: Archive, answers: Iterable[Exchange], report: Report) -> Iterator[tuple[Place, Exchange]]:
    placed = [(place_of(answer.url, archive.sources.values()), answer) for answer in answers]
    seen = archive.index.seen({place.article_id for place, _ in placed if place})
    for place, answer in placed:
        reason = _left_out(place, answer, archive, seen, report)
        if reason or place is None:
            report.skipped[reason] = report.skipped.get(reason, 0) + 1
        else:
            yield place, answer


def _left_out(
    place: Place | None, answer: Exchange, archive: Archive, seen: set[tuple[str, str]], report: Report
) -> str:
    """Return why an answer is not ingested, or an empty string."""
    if place is None:
        return _unplaced(answer, archive, report)
    if not is_opinion(place):
        return "of another section"
    if answer.status != 200:
        return f"answered {answer.status}"
    if answer.fetched_at.date() < OLDEST_PAGE:
        return "dated before there was a web"
    wrong = misplaced(answer.headers, archive.invented)
    if wrong:
        report.failures[wrong] = MISPLACED[wrong]
        return f"that do not belong here ({wrong})"
    return "archived before" if (place.article_id, iso(answer.fetched_at)) in seen else ""


def _unplaced(answer: Exchange, archive: Archive, report: Report) -> str:
    """Return why an answer has no place; of the sites' own addresses that nobody knows, three are kept as examples."""
    try:
        host = urlsplit(answer.url).hostname or ""
    except ValueError:
        return "at an address that is none"
    owner = next((s for s in archive.sources.values() if host in {*s.hosts, *s.same_host}), None)
    if owner is None:
        return "of another site"
    if answer.status != 200:
        return "not answered 200"
    kind = answer.header("content-type").partition(";")[0].strip()
    if kind not in PAGES:
        return f"of {owner.name}, but no pages ({kind})"
    if len(report.unknown.setdefault(owner.name, [])) < UNKNOWN_SHOWN:
        report.unknown[owner.name].append(answer.url)
    return f"of {owner.name}, at addresses that name no article"


@dataclass(frozen=True, slots=True)
class _Page:
    """An answer to be copied: its sighting if it is new, the bytes of its file, and the size of its decoded page.

    Not the page itself: fifty bombs would be a gigabyte.
    """

    sighting: Sighting
    file: bytes
    size: int


def _page(place: Place, answer: Exchange) -> _Page:
    capture = capture_of(answer)
    key = capture_key(place.article_id, capture)
    file = capture_file(place.article_id, answer, capture)
    return _Page(Sighting(place.article_id, capture.url, capture.fetched_at, key), file, len(capture.payload))


def _copy(archive: Archive, wanted: tuple[str, list[_Page]]) -> list[tuple[Sighting, StoredCapture | None, int]]:
    """Store the captures of one article; return each with its sighting, and its file where it was stored now."""
    article_id, pages = wanted
    done = []
    for page in pages:
        key, is_new = store_capture(archive.store, page.sighting.capture_key, page.file)
        stored = StoredCapture(article_id, key, page.sighting.url, page.file) if is_new else None
        done.append((replace(page.sighting, capture_key=key), stored, page.size))
    return done
