"""Op-eds from anyone's web archives: their captures are copied into the bucket, then ingested."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.archive import manifests
from pipelines.archive.captures import capture_file, enough_for, store_capture
from pipelines.archive.identity import MISPLACED, misplaced
from pipelines.archive.keys import capture_key
from pipelines.archive.manifests import SourceFile
from pipelines.archive.records import Record, Trouble, records
from pipelines.archive.store import Store, threads
from pipelines.archive.warc import BY_FILE, HTTP, MOST_BLOCK, WARC_FIELDS, Exchange, capture_of, exchange_of_record
from pipelines.catalogue.publish import publish
from pipelines.clock import OLDEST_PAGE, iso_exact, new_run_id, now
from pipelines.errors import UnreadableWarc
from pipelines.index.opened import Archive, opened
from pipelines.ingestion.ingest import Part, ingest
from pipelines.ingestion.read import Readers, StoredCapture
from pipelines.jobs.report import Progress, Report, show_outcome
from pipelines.jobs.web_archives import WebArchive, check_inputs, web_archives
from pipelines.model import Capture, Sighting
from pipelines.past.memento import CHANGED_PAGE, is_rewritten
from pipelines.settings import Settings
from pipelines.sources.addresses import Place, archived_copy, is_opinion, place_of, unwrapped

ANSWERS_AT_ONCE, BYTES_AT_ONCE = 50, 16_000_000  # of a file, looked up and copied together; whichever comes first
PAGES = frozenset({"text/html", "application/xhtml+xml", ""})  # types of an answer that may be an article
BYTES_A_PART = 64_000_000  # of pages; two parts are in memory at most, which bounds it
FIRST_LINE, MOST_REQUEST, MOST_INFO = 256, 1 << 16, 1 << 16  # bytes of blocks that are not pages of ours
ANSWERS = frozenset({"response", "resource", "revisit"})  # types of records
MOST_PLACES = 100  # of damage in a file that are named
NEIGHBOURS = 8  # answers that wait for their request, and requests for their answer
REVISITED = "that saw again a page which is not here"


def ingest_files(settings: Settings, names: Sequence[str], progress: Progress, dry: bool = False) -> Report:
    """Copy the captures of op-eds in these web archives, log the outcomes, publish; with `dry` write nothing.

    What cannot be read is named among the failures, and what comes behind it is read. A file that cannot be opened
    raises `WrongUsage` before any is read.
    """
    check_inputs(names)
    report, run_id = Report(), new_run_id()
    with opened(settings, dry) as archive, readers_of(archive, progress) as readers:
        for number, file in enumerate(web_archives(names, settings, report.failures), 1):
            for _ in ingest_parts(archive, file, f"{run_id}-{number}", progress, report, readers):
                if not dry:  # part by part: the rows of one commit are in memory together
                    report.published = publish(archive, settings)
        report.note_groups(archive.index)
    return report


def ingest_file(
    archive: Archive, path: Path, run_id: str, progress: Progress, report: Report, readers: Readers
) -> None:
    """Ingest one file, and publish nothing."""
    for file in web_archives([str(path)], Settings(), report.failures):
        for _ in ingest_parts(archive, file, run_id, progress, report, readers):
            pass


def readers_of(archive: Archive, progress: Progress) -> Readers:
    """Return readers that show each page they read."""
    return Readers(archive.sources, archive.processes, lambda: progress("read", "pages"))


def ingest_parts(
    archive: Archive, file: WebArchive, run_id: str, progress: Progress, report: Report, readers: Readers
) -> Iterator[None]:
    """Ingest one file, in parts as they fill, so that its pages are never in memory together; yield after each."""
    part = Part.of_today(run_id, file.name)
    part = replace(part, files=(SourceFile(file.name, file.size, file.sha256),))
    for waiting in _delayed_by_one(_Import(archive, file, report, readers).parts()):
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


@dataclass
class _Import:
    """One file on its way in."""

    archive: Archive
    file: WebArchive
    report: Report
    readers: Readers
    by_record: dict[str, tuple[str, str]] = field(default_factory=dict)  # article and capture key of each page, by id
    by_payload: dict[tuple[str, str], str] = field(default_factory=dict)  # capture key by article and digest
    by_date: dict[tuple[str, str], str] = field(default_factory=dict)  # the same by article and date

    @cached_property
    def hosts(self) -> dict[str, str]:
        """The name of the source for each host of our sites."""
        known = reversed(list(self.archive.sources.values()))
        return {host: source.name for source in known for host in (*source.hosts, *source.same_host)}

    def parts(self) -> Iterator[list[Sighting]]:
        """Copy the file's captures, and yield their sightings in parts that are bounded in number and bytes."""
        found: list[Sighting] = []
        size = 0
        for answers in _in_chunks(self._answers()):
            for sighting, length in self._copied(answers):
                found.append(sighting)
                size += length
                if len(found) == manifests.PART_SIZE or size >= BYTES_A_PART:
                    yield found
                    found, size = [], 0
        yield found

    # -- from records to answers

    def _answers(self) -> Iterator[Exchange]:
        """Yield the answers for addresses of our sites, with their requests where the file has these; count all."""
        software, pairs = "", _Pairs()
        for record in records(self.file.stream, self._kept):
            if isinstance(record, Trouble):
                self._damaged(record.offset, record.said)
                continue
            self.report.records[record.kind or "no type"] += 1
            if record.kind == "warcinfo":
                software = _software(record)
            elif self._is_wanted(record):
                for answer, request in pairs.take(record):
                    yield from self._exchange(answer, software, request)
        for answer in pairs.held.values():
            yield from self._exchange(answer, software, None)

    def _kept(self, kind: str, url: str) -> int:
        """Return how many bytes of a record's block are wanted."""
        if kind == "warcinfo":
            return MOST_INFO
        if not self._is_ours(url):
            return FIRST_LINE
        return MOST_REQUEST if kind == "request" else MOST_BLOCK

    def _is_ours(self, url: str) -> bool:
        return _host(url) in self.hosts

    def _is_wanted(self, record: Record) -> bool:
        """Whether a record is about a page of our sites; answers are counted, by status and by why they are not."""
        if record.kind not in {"request", *ANSWERS}:
            return False
        if record.kind == "response":
            line = HTTP.match(record.block)
            self.report.statuses[int(line[2]) if line else 0] += 1
        if self._is_ours(record.url):
            return True
        if record.kind in ANSWERS:
            self.report.leave_out("of another site", record.url)
        return False

    def _exchange(self, record: Record, software: str, request: Record | None) -> Iterator[Exchange]:
        try:
            yield as_captured(exchange_of_record(record, software, request), record.header("warc-source-uri"))
        except UnreadableWarc as error:
            self.report.leave_out("that cannot be read", record.url)
            self._damaged(record.offset, str(error))

    def _damaged(self, offset: int, said: str) -> None:
        places = self.report.damage.setdefault(self.file.shown, [])
        if len(places) < MOST_PLACES:
            places.append((offset, said))
        else:
            self.report.more_damage[self.file.shown] += 1

    # -- from answers to captures

    def _copied(self, answers: Sequence[Exchange]) -> Iterator[tuple[Sighting, int]]:
        """Copy the answers that show op-eds into the bucket and hand them to the readers; count all others by reason.

        Yields each sighting with the size of its page. The captures of one article are copied one after another, those
        of several articles at the same time.
        """
        placed = [(place_of(answer.url, self.archive.sources.values()), answer) for answer in answers]
        known = _Known.of(self.archive, {place.article_id for place, _ in placed if place})
        wanted: dict[str, list[_Page]] = {}
        again: list[tuple[Place, Exchange]] = []
        for place, answer in placed:
            reason = self._left_out(place, answer)
            page = _page(place, answer) if place and not reason and answer.kind != "revisit" else None
            if page and page.is_changed:
                reason = f"that are no pages as they were captured: {CHANGED_PAGE}"
            elif page and (known.has(page.sighting) or page.sighting.capture_key in known.captures):
                reason = "archived before"
                self._remember(page.sighting, answer)
            if reason or place is None:
                self.report.leave_out(reason, answer.url)
            elif page is not None:
                wanted.setdefault(place.article_id, []).append(page)
            else:
                again.append((place, answer))
        for copied in threads().map(partial(_copy, self.archive), wanted.items()):
            for page, sighting, stored in copied:
                self._remember(sighting, page.answer)
                if stored:
                    self.readers.ahead[stored.key] = self.readers.submit(stored)
                yield sighting, page.size
        for place, answer in again:
            yield from self._revisited(place, answer, known)

    def _remember(self, sighting: Sighting, answer: Exchange) -> None:
        """Note where a page lies: later records of the file may say that they saw it again."""
        origin = answer.origin
        if origin is not None and origin.record_id:
            self.by_record[origin.record_id] = sighting.article_id, sighting.capture_key
        if origin is not None and origin.payload_digest:
            self.by_payload[sighting.article_id, origin.payload_digest] = sighting.capture_key
        self.by_date[sighting.article_id, iso_exact(sighting.fetched_at)] = sighting.capture_key

    def _revisited(self, place: Place, answer: Exchange, known: _Known) -> Iterator[tuple[Sighting, int]]:
        """Yield the sighting that a `revisit` is, if the page that it saw again is here."""
        origin, article_id = answer.origin, place.article_id
        if origin is None:
            return
        article, key = self.by_record.get(origin.refers_to, ("", ""))
        key = key if article == article_id else ""
        key = key or self.by_payload.get((article_id, origin.payload_digest), "")
        key = key or self.by_date.get((article_id, origin.refers_to_date), "")
        key = key or known.at.get((article_id, origin.refers_to_date), "")
        if not key:
            return self.report.leave_out(REVISITED, answer.url)
        sighting = Sighting(article_id, answer.url, answer.fetched_at, key, via=BY_FILE)
        if known.has(sighting):
            return self.report.leave_out("archived before", answer.url)
        yield sighting, 0

    def _left_out(self, place: Place | None, answer: Exchange) -> str:
        """Return why an answer is not ingested, or an empty string."""
        if place is None:
            return self._unplaced(answer)
        if place.article_id in self.archive.withdrawn.ids:
            return "of op-eds that were withdrawn"
        if not is_opinion(place):
            return "of another section"
        if answer.status != 200 and answer.kind == "response":
            return f"answered {answer.status}"
        if answer.fetched_at.date() < OLDEST_PAGE:
            return "dated before there was a web"
        if answer.fetched_at > now() + timedelta(days=1):
            return "dated in the future"
        kind = answer.header("content-type").partition(";")[0].strip().lower()
        if answer.kind == "resource" and kind not in PAGES:
            return f"of an op-ed, but no pages ({kind})"
        wrong = misplaced(answer.headers, self.archive.invented)
        if wrong and answer.kind != "revisit":
            self.report.failures[wrong] = MISPLACED[wrong]
            return f"that do not belong here ({wrong})"
        return ""

    def _unplaced(self, answer: Exchange) -> str:
        """Return why an answer of our sites has no place."""
        if answer.kind == "response" and answer.status != 200:
            return "not answered 200"
        owner = self.hosts[_host(answer.url)]
        kind = answer.header("content-type").partition(";")[0].strip().lower()
        if kind not in PAGES:
            return f"of {owner}, but no pages ({kind})"
        return f"of {owner}, at addresses that name no article"


class _Pairs:
    """Answers and their requests, which recorders write before or behind them."""

    def __init__(self) -> None:
        self.asked: OrderedDict[str, Record] = OrderedDict()  # requests, by their id and by that of their answer
        self.held: OrderedDict[str, Record] = OrderedDict()  # answers that wait for their request, by id

    def take(self, record: Record) -> Iterator[tuple[Record, Record | None]]:
        """Take a record; yield the answers that need not wait any longer, each with its request or None."""
        own, other = record.header("warc-record-id"), record.header("warc-concurrent-to")
        if record.kind == "request":
            answer = self.held.get(other)
            if answer is not None and answer.url == record.url:
                yield self.held.pop(other), record
            else:
                self.asked |= {name: record for name in (own, other) if name}
        elif record.kind != "response" or not own:
            yield record, None
        else:
            request = self.asked.pop(own, None) or self.asked.pop(other, None)
            if request is not None and request.url == record.url:
                yield record, request
            else:
                if own in self.held:
                    yield self.held.pop(own), None
                self.held[own] = record
        while len(self.asked) > 2 * NEIGHBOURS:
            self.asked.popitem(last=False)
        while len(self.held) > NEIGHBOURS:
            yield self.held.popitem(last=False)[1], None


def _in_chunks(answers: Iterator[Exchange]) -> Iterator[list[Exchange]]:
    """Yield answers in lists that are bounded in number and bytes."""
    chunk: list[Exchange] = []
    size = 0
    for answer in answers:
        chunk.append(answer)
        size += len(answer.body)
        if len(chunk) == ANSWERS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield chunk
            chunk, size = [], 0
    yield chunk


def _software(record: Record) -> str:
    """Return which program wrote a file, by its `warcinfo`."""
    if record.header("content-type") not in {WARC_FIELDS, ""}:
        return ""
    lines = record.block.decode("utf-8", "replace").splitlines()
    told = (line.partition(":")[2].strip() for line in lines if line.lower().startswith("software:"))
    return next(told, "")[:200]


def _host(url: str) -> str:
    try:
        return (urlsplit(unwrapped(url)).hostname or "").rstrip(".")
    except ValueError:
        return ""


@dataclass(frozen=True)
class _Known:
    """What the archive has of some articles: sightings as (article, moment, payload16), and captures by moment."""

    seen: frozenset[tuple[str, str, str]]
    at: dict[tuple[str, str], str]
    captures: frozenset[str]

    @classmethod
    def of(cls, archive: Archive, article_ids: Iterable[str]) -> _Known:
        told = archive.index.seen(set(article_ids))
        seen = frozenset((article_id, when, _payload16(key)) for article_id, when, key in told)
        return cls(seen, {(a, when): key for a, when, key in told}, frozenset(key for _, _, key in told))

    def has(self, sighting: Sighting) -> bool:
        """Whether the archive knows that this payload was seen then."""
        payload16 = _payload16(sighting.capture_key)
        return (sighting.article_id, iso_exact(sighting.fetched_at), payload16) in self.seen


def _payload16(key: str) -> str:
    return key.rpartition("-")[2].partition(".")[0]


@dataclass(frozen=True, slots=True)
class _Page:
    """An answer to be copied: its sighting if it is new, the bytes of its file, and the size of its decoded page.

    Not the page itself: fifty bombs would be a gigabyte.
    """

    sighting: Sighting
    answer: Exchange  # without bodies
    file: bytes
    size: int
    is_changed: bool = False  # by a public archive
    doubt: str = ""  # which digest does not fit

    def is_enough(self, store: Store) -> Callable[[str], bool]:
        """Return what says whether a stored capture of the same payload stands for this one."""
        return enough_for(store, self.doubt)


def as_captured(answer: Exchange, source_uri: str = "") -> Exchange:
    """Return an answer that somebody fetched from a public archive as what was captured: under its own address, at the
    moment of its capture; any other answer as it is.

    cdx_toolkit keeps the page's own address, writes the moment of the download, and names the copy in `source_uri`.
    """
    copy = archived_copy(answer.url) or archived_copy(source_uri)
    if copy is None:
        return answer
    try:
        moment = datetime.strptime(copy.stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return answer
    return replace(answer, url=unwrapped(answer.url), fetched_at=moment)


def _page(place: Place, answer: Exchange) -> _Page:
    capture: Capture = capture_of(answer)
    key = capture_key(place.article_id, capture)
    file = capture_file(place.article_id, answer, capture)
    sighting = Sighting(place.article_id, capture.url, capture.fetched_at, key, via=BY_FILE)
    light = replace(answer, body=b"", recorded=b"", request=b"")
    return _Page(sighting, light, file, len(capture.payload), is_rewritten(capture.payload), capture.doubt)


def _copy(archive: Archive, wanted: tuple[str, list[_Page]]) -> list[tuple[_Page, Sighting, StoredCapture | None]]:
    """Store the captures of one article; return each with its sighting, and its file where it was stored now."""
    article_id, pages = wanted
    done = []
    for page in pages:
        key, is_new = store_capture(archive.store, page.sighting.capture_key, page.file, page.is_enough(archive.store))
        stored = StoredCapture(article_id, key, page.sighting.url, page.file) if is_new else None
        done.append((page, replace(page.sighting, capture_key=key), stored))
    return done
