"""Captures from a public web archive: `scrapy crawl archived -a source=kjd -a archive=wayback -a since=2004-01 …`.

One request at a time, in one coroutine that reads like the work: month by month, first the index, then the pages. Each
answer is in the bucket before the next request, so that a killed crawl goes on where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Self

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest

from pipelines.archive.captures import capture_file, enough_for, store_capture
from pipelines.archive.crawl_summary import Summary, Tried, account_key, read_summary, summary_body
from pipelines.archive.identity import identify
from pipelines.archive.keys import capture_key, captures_prefix, date_in, digits_in, past_folder
from pipelines.archive.store import Store, open_store
from pipelines.archive.warc import Exchange, capture_of, read_capture, retrieval_of
from pipelines.archive.withdrawn import read_withdrawn
from pipelines.clock import iso, new_run_id, now, today
from pipelines.errors import AlreadyArchived, NotArchived, OpedsError, UnreadableWarc, WrongUsage
from pipelines.extraction.extract import extract
from pipelines.extraction.quality import NOT_OPINION
from pipelines.model import ARCHIVED_STATUS, Capture
from pipelines.past.choice import (
    NO_GOOD,
    ArchivedArticle,
    is_good,
    lacks_good_page,
    next_row,
    note_name,
)
from pipelines.past.memento import Judged, judge_answer, playback_address
from pipelines.past.months import IndexSpan, checked_months, first_and_last_day, spans_of
from pipelines.past.questions import (
    ASKED_WHOLE,
    ArchivedRow,
    OtherAnswer,
    Read,
    collections_in,
    first_state,
    question,
    read_answer,
)
from pipelines.past.stored import (
    IndexAnswer,
    StoredMonth,
    answer_body,
    answer_key,
    answers_of,
    month_in,
    next_state,
    note_body,
    notes_folder,
)
from pipelines.settings import check_contact, read_settings
from pipelines.sources import load_sources, source_named
from pipelines.sources.addresses import archived_copy, place_of
from pipelines.sources.public import load_archives, public_named
from spiders.asking import ASKED_AT_MOST, MOST_BYTES, Asking, Busy, Ended
from spiders.source import SourceSpider, refuse

OF_PROGRAMS = frozenset({"run", "attended", "started_by"})
KNOWN = frozenset({"source", "archive", "since", "until", "plan", "every", "refresh", "limit"}) | OF_PROGRAMS
BUSY_IN_A_ROW = 3  # addresses that stayed busy; then the archive is left alone
HOPS = 4  # redirects from one moment to another
STALE = timedelta(days=1)  # an index asked before its months were over is asked anew after that


class Archived(Spider):
    """Ask a public web archive for the captures of a source's op-eds, month by month.

    Arguments: `-a source=kjd -a archive=wayback -a since=2004-01 -a until=2026-06`; `-a plan=1` asks the index alone;
    `-a every=1` asks for one page of each digest, not for the first good one only; `-a refresh=1` asks the index anew;
    `-a limit=100` asks for that many pages at most.
    """

    name = "archived"
    custom_settings = {
        "ITEM_PIPELINES": {},
        "AUTOTHROTTLE_ENABLED": False,  # the archive's file says how often we may ask: spiders/asking.py
        "CLOSESPIDER_TIMEOUT": 0,  # it may run for a week
        "RETRY_ENABLED": False,  # the same module decides what is asked again
    }

    def __init__(self, **told: str) -> None:
        super().__init__()
        unknown = sorted(set(told) - KNOWN)
        if unknown:
            refuse(f"unknown argument {unknown[0]}; there are {', '.join(sorted(KNOWN - OF_PROGRAMS))}")
        self.ours = read_settings()
        self.until = told.get("until") or today().strftime("%Y-%m")
        try:
            self.place_source = source_named(load_sources(self.ours.sources), told.get("source", "kjd"))
            self.archive = public_named(load_archives(self.ours.sources), told.get("archive", "wayback"))
            self.months = checked_months(
                told.get("since") or self.until, self.until, today().strftime("%Y-%m"), self.place_source.first_day
            )
            if not self.archive.loopback:
                check_contact(self.ours)
            if not self.place_source.archived:
                raise WrongUsage(f"{self.place_source.name} names no addresses for public archives: see [[archived]]")
        except OpedsError as error:
            refuse(str(error))
        limit = told.get("limit") or "0"
        if not limit.isdecimal():
            refuse(f"limit={limit!r} is no number; write it as limit=100")
        self.left = int(limit) or None
        self.plan, self.every, self.refresh = (bool(told.get(name)) for name in ("plan", "every", "refresh"))
        self.attended, self.started_by = bool(told.get("attended")), told.get("started_by", "hand")
        self.run = told.get("run") or new_run_id()
        self.loopback, self.allowed_domains = self.archive.loopback, list(self.archive.hosts)
        self.began = now()
        self.answers: list[Exchange] = []  # spiders/wire.py keeps what is no page here; nobody needs it
        self.ended_because = ""
        self.invented: bool | None = None
        self.withdrawn: frozenset[str] = frozenset()
        self.busy_in_a_row = 0
        self.readable: dict[str, bool] = {}  # captures in the bucket, by key
        self.collections_told = ""
        self.asked_in_run: set[str] = set()
        self.counts: Counter[str] = Counter()

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Make the spider."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.settings.set("DOWNLOAD_DELAY", 0, priority="spider")
        return spider

    # -- the run

    async def start(self) -> AsyncIterator[Request]:
        """Go through the months; say in a sentence why the run ended early, if it did."""
        self.store, self.asking = self._open(), Asking(self.crawler, self.archive)
        said = reason = ""
        try:
            for month in self.months:
                await self._index(month)
                if not self.plan:
                    await self._pages(month)
        except Ended as ended:
            said, reason = str(ended), ended.reason
        except (Busy, OpedsError) as error:
            said, reason = str(error), "busy"
        except IgnoreRequest as error:
            said, reason = f"{self.archive.name}: {error}", "failed"
        except Exception as error:
            self.logger.exception("the run ended by a fault of ours")
            reason = "fault"
            said = f"the run ended by a fault of ours ({type(error).__name__}: {error}); the log says where"
        if said:
            SourceSpider.troubles.append(said)
            self.say("ended", reason)
        told = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items())) or "nothing new"
        SourceSpider.done.append(
            f"{self.place_source.name} from {self.archive.name}, {self.months[0]} to {self.months[-1]}: {told}."
            " To archive it: opeds ingest --crawls"
        )
        return
        yield  # for the type: an asynchronous generator without items

    def _open(self) -> Store:
        try:
            store = open_store(self.ours)
            self.invented = identify(store, self.ours.invented).invented
            self.withdrawn = read_withdrawn(store).ids
        except WrongUsage as error:
            refuse(str(error))
        except OpedsError as error:
            refuse(str(error), code=1)
        return store

    # -- the index

    async def _index(self, month: str) -> None:
        """Ask for what is not known of a month's index."""
        for span in spans_of(self.place_source, self.archive, month):
            folder = (self.place_source.name, self.archive.name, span)
            answers = await asyncio.to_thread(answers_of, self.store, *folder)
            collections = await self._collections(month) if self._needs_collections(answers) else []
            first = first_state(self.archive, collections)
            again = self.refresh and f"{span.name} {span.since}" not in self.asked_in_run
            self.asked_in_run.add(f"{span.name} {span.since}")
            state = next_state(answers, first, iso(self.began) if again else self._stale(span))
            page, states = len(answers), {state}
            while state != ASKED_WHOLE:
                address = question(self.archive, span, state)
                text, read = await self._ask_index(address, state, collections)
                page += 1
                key = answer_key(*folder, page)
                answer = IndexAnswer(key, state, read.next, iso(now()), text)
                await asyncio.to_thread(self._create, key, answer_body(address, answer))
                self.counts["index answers"] += 1
                self.say("index", f"{month} {len(read.rows)}")
                state = read.next
                if state in states:
                    raise Ended("other_answer", f"the index of {self.archive.name} goes round in a circle: {address}")
                states.add(state)

    def _needs_collections(self, answers: Sequence[IndexAnswer]) -> bool:
        return self.archive.kind == "commoncrawl" and (not answers or answers[-1].next != ASKED_WHOLE or self.refresh)

    def _stale(self, span: IndexSpan) -> str:
        """Return before when an answer was too early to know all of its months; a day's answer is good for a day."""
        over = datetime.combine(first_and_last_day(span.until)[1] + timedelta(days=1), datetime.min.time(), UTC)
        return "" if span.is_dated else min(iso(over), iso(self.began - STALE))

    async def _collections(self, month: str) -> list[str]:
        if not self.collections_told:
            answered = await self.asking.ask("index", self.archive.collections)
            self.collections_told = answered.capture.payload.decode("utf-8", "replace")
        first, last = first_and_last_day(month)
        try:
            return collections_in(self.collections_told, first.isoformat(), last.isoformat())
        except OtherAnswer as error:
            raise Ended("other_answer", f"{self.archive.name}: {error}") from error

    async def _ask_index(self, address: str, state: str, collections: Sequence[str]) -> tuple[str, Read]:
        """Return an answer's text and what it says; one that is not an index's answer is asked for again."""
        for attempt in range(ASKED_AT_MOST):
            answered = await self.asking.ask("index", address)
            text = answered.capture.payload.decode("utf-8", "replace")
            if answered.exchange.status == 404 and self.archive.kind == "commoncrawl":
                text = ""  # "no captures found"
            elif answered.exchange.status != 200:
                why = f"HTTP {answered.exchange.status} from its index: {' '.join(text[:100].split())}"
                refused = answered.exchange.status in {401, 403}
                raise Ended(
                    "refused" if refused else "failed", f"{self.archive.name} refuses us: {why}" if refused else why
                )
            try:
                if answered.cut:
                    raise OtherAnswer(f"the index's answer broke off: {answered.cut}")
                return text, read_answer(self.archive, state, text, collections)
            except OtherAnswer as error:
                if attempt + 1 == ASKED_AT_MOST:
                    raise Ended("other_answer", f"{self.archive.name}: {error}") from error
                await self.asking.sleep(self.archive.wait)
        raise AssertionError

    # -- the pages

    async def _pages(self, month: str) -> None:
        """Ask for the pages of a month that are wanted, and leave an account of what came."""
        work = await asyncio.to_thread(month_in, self.store, self.place_source, self.archive, month)
        reason = "shutdown"
        try:
            for article in work.sorted.articles:
                await self._article(work, article)
            reason = "busy" if work.waiting else "finished"
        except Ended as ended:
            reason = ended.reason
            raise
        finally:
            self._account(work, reason)  # not in a thread: whoever ends us does not wait for one

    async def _article(self, work: StoredMonth, article: ArchivedArticle) -> None:
        """Ask for an article's captures until nothing is wanted of it; of one that was withdrawn, for none."""
        if article.article_id in self.withdrawn:
            work.spared.add(article.article_id)
            return
        held: tuple[str, ...] = ()
        if next_row(article, work.notes, held, self.every, work.waiting) or lacks_good_page(article, work.notes, held):
            held = await asyncio.to_thread(self._held, work, article)
        while (row := next_row(article, work.notes, held, self.every, work.waiting)) is not None:
            if self.left == 0:
                raise Ended("limit")
            self.left = None if self.left is None else self.left - 1
            note = await self._page(work, article, row)
            if note is None:
                work.waiting.add(note_name(row))
                self.busy_in_a_row += 1
                if self.busy_in_a_row >= BUSY_IN_A_ROW:
                    said = f"{self.archive.name} is busy or silent; run it again later: it goes on where it was"
                    raise Ended("busy", said)
                continue
            self.busy_in_a_row = 0
            await asyncio.to_thread(self._note, work, row, note)
        if held and not any(is_good(work.notes[name]) for name in map(note_name, article.pages) if name in work.notes):
            work.spared.add(article.article_id)
        lacking = lacks_good_page(article, work.notes, held)
        if lacking is not None:
            note = Tried(lacking.url, article.article_id, [self.archive.name], result="failed", reason=NO_GOOD)
            note.fetched_at, note.obtained_at = _moment(lacking.stamp), iso(self.began)
            note.asked = note_name(lacking)
            await asyncio.to_thread(self._note, work, lacking, note)

    def _held(self, work: StoredMonth, article: ArchivedArticle) -> tuple[str, ...]:
        """Return the moments of the captures of an article that are in the bucket and spare us others: of all of them
        where every digest is wanted, else of one that is older than what is wanted, and can be read.

        One that a killed run stored and had no time to note is noted now.
        """
        keys = sorted(self.store.keys(captures_prefix(article.article_id)))
        by_asked = {playback_address(self.archive, row): row for row in (*article.pages, *article.moved)}
        for key in keys if article.pages and not set(map(note_name, article.pages)) & work.notes.keys() else ():
            with suppress(UnreadableWarc):
                told = retrieval_of(self.store.read(key), key)
                row = by_asked.get(told.asked) if told and told.archive == self.archive.name else None
                if told is not None and row is not None:
                    note = self._tried(row, article, told.asked, told.obtained_at)
                    note.result, note.capture_key, note.fetched_at = "captured", key, date_in(key)
                    note.reason = told.fault
                    self._note(work, row, note)
        stamps = {key: digits_in(key) for key in keys}
        if self.every:
            return tuple(stamps.values())
        wanted = next_row(article, work.notes, (), self.every, work.waiting)
        older = (key for key in keys if not (wanted and article.pages) or stamps[key] <= wanted.stamp)
        return tuple(stamps[key] for key in islice(filter(self._is_readable, older), 1))

    def _is_readable(self, key: str) -> bool:
        """Whether a capture in the bucket is a page that can be relied on; each is looked at once."""
        if key not in self.readable:
            try:
                capture = read_capture(self.store.read(key), key)
                self.readable[key] = not capture.doubt and not self._unreadable(capture)
            except (UnreadableWarc, NotArchived):
                self.readable[key] = False
        return self.readable[key]

    def _tried(self, row: ArchivedRow, article: ArchivedArticle, asked: str, obtained_at: str) -> Tried:
        place = place_of(row.url, [self.place_source])
        assert place is not None
        note = Tried(place.canonical_url, article.article_id, [self.archive.name])
        note.asked, note.obtained_at, note.digest = asked, obtained_at, row.digest
        note.fetched_at = _moment(row.stamp)
        return note

    async def _page(self, work: StoredMonth, article: ArchivedArticle, row: ArchivedRow) -> Tried | None:
        """Ask for a capture and store its page; return what came of it, or None where another run should ask again."""
        first = address = playback_address(self.archive, row)
        part = None
        if self.archive.kind == "commoncrawl":
            part = (row.offset, row.offset + row.length - 1)
            if not row.file or not 0 < row.length <= MOST_BYTES["pages"]:
                judged = Judged("failed", "the index does not say where it lies")
                return self._finished(row, article, first, judged, iso(now()))
        judged, moment = Judged("failed", "led in a circle"), iso(now())
        for _ in range(HOPS):
            try:
                answered = await self.asking.ask("pages", address, part)
            except IgnoreRequest as error:
                return self._finished(row, article, first, Judged("failed", str(error)), moment)
            except Busy:
                return None
            moment = iso(answered.exchange.fetched_at)
            judged = judge_answer(self.archive, self.place_source, row, first, answered.exchange, answered.cut)
            if not judged.follow:
                break
            copy = archived_copy(judged.follow)
            known = self._asked_before(work, article, copy.stamp if copy else "")
            if known is not None:
                note = replace(known, asked=first, obtained_at=moment, digest=row.digest)
                return replace(note, result="kept" if known.capture_key else known.result)
            address = judged.follow
        return await asyncio.to_thread(self._finished, row, article, first, judged, moment)

    def _asked_before(self, work: StoredMonth, article: ArchivedArticle, stamp: str) -> Tried | None:
        """Return what came of another row of the article at that moment, where we asked for it."""
        names = (note_name(row) for row in article.pages if row.stamp == stamp)
        return next((work.notes[name] for name in names if name in work.notes), None)

    def _finished(self, row: ArchivedRow, article: ArchivedArticle, asked: str, judged: Judged, moment: str) -> Tried:
        """Store the page, if one came; return the note."""
        note = self._tried(row, article, asked, moment)
        note.result, note.reason, note.target = judged.result, judged.reason, judged.target
        if judged.page is not None:
            capture = capture_of(judged.page)
            fresh = capture_key(article.article_id, capture)
            file = capture_file(article.article_id, judged.page, capture)
            note.capture_key, _ = store_capture(self.store, fresh, file, enough_for(self.store, capture.doubt))
            note.result = "captured" if note.capture_key == fresh else "kept"
            note.fetched_at, note.status = iso(capture.fetched_at), capture.status
            note.reason = capture.doubt or self._unreadable(capture)
            self.readable[note.capture_key] = not note.reason
        return note

    def _unreadable(self, capture: Capture) -> str:
        """Return why the page of a capture would be set aside: then the next capture of the article is asked for."""
        place = place_of(capture.url, [self.place_source])
        if place is None:
            return "set aside: its address names no article"
        article = extract(capture, place)
        if article.status in ARCHIVED_STATUS or NOT_OPINION & set(article.reasons):
            return ""
        return f"set aside: {article.status.value}"

    def _note(self, work: StoredMonth, row: ArchivedRow, note: Tried) -> None:
        """Keep what came of a row: from here on it is not asked for again."""
        name, body = note_name(row), note_body(note)
        self._create(self._note_key(work, name), body)
        work.notes[name], work.digests[name] = note, hashlib.sha256(body).hexdigest()
        self.counts[note.result] += 1
        self.say(note.result, note.article_id)

    def _note_key(self, work: StoredMonth, name: str) -> str:
        return f"{notes_folder(self.place_source.name, self.archive.name, work.month)}{name}.json"

    def _create(self, key: str, body: bytes) -> None:
        try:
            self.store.create(key, body)
        except AlreadyArchived as error:
            said = "another run asks this archive at the same time: let it end first"
            raise Ended("another_run", f"{said} ({key})") from error

    # -- the account of a month

    def _account(self, work: StoredMonth, reason: str) -> None:
        """Leave the month's account: what came since its last one; none where nothing did."""
        told = self._told_before(work.month)
        fresh = [name for name in sorted(work.notes) if self._note_key(work, name) not in told]
        if not fresh:
            self.say("month", work.month)
            return
        summary = Summary(
            run=self.run,
            source=self.place_source.name,
            since=work.month,
            until=work.month,
            started_at=iso(self.began),
            started_by=self.started_by,
            finished_at=iso(now()),
            finish_reason=reason,
            addresses=[work.notes[name] for name in fresh],
            archive=self.archive.name,
            period=work.month,
            counts=self._month_counts(work),
            objects={**work.answers, **{self._note_key(work, name): work.digests[name] for name in fresh}},
        )
        self.store.create(account_key(summary), summary_body(summary))
        self.say("month", work.month)

    def _told_before(self, month: str) -> set[str]:
        """Return the keys of the notes that earlier accounts of the month hold."""
        folder = past_folder(self.place_source.name, self.archive.name, month)
        found: set[str] = set()
        for key in self.store.keys(folder):
            found |= read_summary(self.store, key).objects.keys()
        return found

    def _month_counts(self, work: StoredMonth) -> dict[str, int]:
        articles, notes = work.sorted.articles, list(work.notes.values())
        had = {note.article_id for note in notes if note.capture_key and not note.reason}
        tried = {note.article_id for note in notes}
        return {
            "rows": work.sorted.rows,
            "articles": len(articles),
            "had": len(had),
            "held before": len(work.spared - had),
            "without a good capture": len(
                tried - had - work.spared - {n.article_id for n in notes if n.result == "alias"}
            ),
            "waiting": len(work.waiting),
            **{f"left out: {why}": count for why, count in sorted(work.sorted.left_out.items())},
        }

    def say(self, what: str, name: str) -> None:
        """Show a waiting parent process how far we are."""
        if self.attended:
            with suppress(BrokenPipeError):
                print(what, name, flush=True)


def _moment(stamp: str) -> str:
    """Return 14 digits as ISO 8601.

    >>> _moment("20041230010203")
    '2004-12-30T01:02:03Z'
    """
    try:
        return iso(datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC))
    except ValueError:
        return ""
