"""The spider that all sources share: routes in, pages out. It knows how to fetch, not what a page means."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, ClassVar, NoReturn, Self

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.spidermiddlewares.httperror import HttpError
from scrapy.utils.httpobj import urlparse_cached
from twisted.python.failure import Failure

from pipelines.archive.crawl_summary import CRAWL_DELAY_TOO_LONG, WRONG_USAGE_EXIT, Summary, Tried, Unknown
from pipelines.archive.identity import MISPLACED
from pipelines.archive.manifests import RouteReport
from pipelines.archive.store import Store
from pipelines.archive.warc import Exchange, SeenAgain
from pipelines.clock import OLDEST_PAGE, iso, new_run_id, now
from pipelines.errors import OpedsError
from pipelines.model import Capture
from pipelines.settings import check_contact, read_settings
from pipelines.sources import Route, Source, load_sources, source_named
from pipelines.sources.addresses import Place, canonical_url, is_opinion, is_unknown_opinion, place_of
from spiders.discovery import Course, Entry, Next, Shown, Unreadable, entries_of
from spiders.failures import in_words
from spiders.politeness import AskedToWait, ForbiddenByRobots, Refused, RobotsUnreadable, broke_off
from spiders.redirects import LedAway, for_good, leading

MAX_FETCHED = 100_000  # pages of one crawl
NOT_THERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
MOST_UNKNOWN = 100  # addresses of no known form that it names
MOST_OUTSIDE = 20_000  # addresses of other days that a crawl's account names


@dataclass(frozen=True)
class FetchedPage:
    """A page as it came, for spiders/deposit.py to keep."""

    tried: Tried
    exchange: Exchange
    capture: Capture


class SourceSpider(Spider):
    """Crawl one source for the days `since`…`until` (in the source's zone; default: today), or given addresses.

    Arguments: `-a since=2026-06-01 -a until=2026-06-07`, or `-a url=https://…` (several with spaces between);
    `-a warc=FILE` writes everything to one local WARC file instead of the bucket, and the crawl's account beside it;
    `-a run=ID` names the crawl; `-a pages=3` fetches three of the pages it finds and no more;
    `-a attended=1` tells progress on stdout, and ends the crawl when stdin is closed: for a parent process.
    """

    troubles: ClassVar[list[str]] = []  # why crawls of this process came to nothing, for its exit code
    done: ClassVar[list[str]] = []  # what crawls of this process brought, in sentences

    def __init__(
        self,
        since: str = "",
        until: str = "",
        url: str = "",
        warc: str = "",
        run: str = "",
        pages: str = "",
        attended: str = "",
        started_by: str = "hand",
    ) -> None:
        super().__init__()
        began = now()
        self.place_source = self._load()
        today = began.astimezone(self.place_source.timezone).date()
        self.since = _day(since, "since") if since else today
        self.until = _day(until, "until") if until else (self.since if since else today)
        if self.until < self.since:
            refuse(f"until={until} lies before since={since}")
        if self.until > today:
            refuse(f"until={self.until} has not come yet; today is {today}")
        if self.until < self.place_source.first_day:
            refuse(f"{self.name} has nothing before {self.place_source.first_day}")
        self.believable = max(OLDEST_PAGE, self.place_source.first_day), today + timedelta(days=1)
        self.urls = url.split()
        self.left = _count(pages) if pages else MAX_FETCHED
        self.warc, self.attended = warc, bool(attended)
        self.loopback = self.place_source.loopback
        self.allowed_domains = [*self.place_source.hosts, *self.place_source.same_host]
        self.ended_because = ""  # a sentence, where somebody else ends the crawl
        self.answers: list[Exchange] = []
        self.not_modified: list[SeenAgain] = []
        self.store: Store | None = None  # spiders/deposit.py opens it
        self.invented: bool | None = None  # whether the archive is; a local file takes everything
        self.withdrawn: frozenset[str] = frozenset()  # articles that are not asked for
        self.by_url: dict[str, Tried] = {}
        self.courses: dict[str, Course] = {}  # what each route showed so far
        self.other_days: dict[str, str] = {}  # op-eds of days that were not asked for: the day of each article
        self.reports: dict[str, RouteReport] = {}
        self.summary = Summary(
            run=run or new_run_id(),
            source=self.name,
            since=self.since.isoformat(),
            until=self.until.isoformat(),
            started_at=iso(began),
            started_by=started_by,
        )
        self._check_urls()

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Make the spider; the delay comes from the source's file."""
        unknown = set(kwargs) - {"since", "until", "url", "warc", "run", "pages", "attended", "started_by"}
        if unknown:
            refuse(f"unknown argument {sorted(unknown)[0]}; there are since, until, url, warc, run, pages")
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.settings.set("DOWNLOAD_DELAY", spider.place_source.delay, priority="spider")
        crawler.settings.set("AUTOTHROTTLE_START_DELAY", spider.place_source.delay, priority="spider")
        return spider

    def _load(self) -> Source:
        settings = read_settings()
        try:
            source = source_named(load_sources(settings.sources), self.name)
            if not source.loopback:
                check_contact(settings)
        except OpedsError as error:
            refuse(str(error))
        return source

    def _check_urls(self) -> None:
        if not self.urls and not self.place_source.routes:
            refuse(f"{self.name} has no lists; give addresses: -a url=https://…")
        for url in self.urls:
            place = self._place(url)
            if place is None:
                refuse(f"{url} is no article address of {self.name}: see pipelines/sources/{self.name}.toml")

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the addresses given, or for the first page of every route that serves the days."""
        if self.urls:
            for url in self.urls:
                for request in self._discovered(Entry(url, None, ""), self._place(url), "by hand"):
                    yield request
            return
        for route in self.place_source.routes:
            if route.serves(self.since, self.until):
                self.reports[route.name] = RouteReport(self.name, route.name, route.expected, reached=False, entries=0)
                self.courses[route.name] = Course(route, self.since, *self.believable)
                yield self._route_request(route, route.url, 1)

    def _route_request(self, route: Route, url: str, page: int, waiting: Sequence[str] = ()) -> Request:
        """Return the request for a page of a route; `waiting` are sitemaps to ask for behind it."""
        return Request(
            url,
            callback=self.parse_route,
            errback=self.route_failed,
            headers=dict(route.headers),
            cb_kwargs={"route": route, "page": page, "waiting": tuple(waiting)},
            meta={"carries_text": route.carries_text},
            priority=10,
        )

    async def parse_route(
        self, response: Response, route: Route, page: int, waiting: Sequence[str] = ()
    ) -> AsyncIterator[Request]:
        """Merge what a route's page shows, and go on to its next page until the days are covered.

        The list is read in a thread: the time that a huge one takes us would be taken for the site's.
        """
        capture: Capture | None = response.meta.get("capture")
        try:
            shown, keys = await asyncio.to_thread(self._read, response, route)
        except Exception as error:  # what nobody foresaw costs this answer, and is told
            said = str(error) if isinstance(error, Unreadable) else f"it cannot be read ({type(error).__name__})"
            for request in self._after_route(route, page, Next(error=said, go_on=bool(waiting)), waiting):
                yield request
            return
        waiting = (*shown.more, *waiting)
        course = self.courses[route.name]
        entries, step = course.follow(page, shown, keys, more=bool(route.next or waiting))
        for entry in entries:
            for request in self._discovered(entry, self._place(entry.url), route.name):
                yield request
        if route.carries_text:
            self.summary.entries += [{"route": route.name, "url": e.url, "title": e.title} for e in shown.entries]
        if capture is not None and capture.truncated:
            step = Next(error=f"the answer broke off: {capture.truncated}")
        self._note(route, course, entries)
        for request in self._after_route(route, page, step, waiting):
            yield request

    def _read(self, response: Response, route: Route) -> tuple[Shown, list[str]]:
        """Return what a route's page shows, and a key for each of its entries; raise `Unreadable`."""
        kind = (response.headers.get("Content-Type") or b"").decode("latin-1")
        shown = entries_of(route, response.body, response.url, self.place_source.timezone, kind)
        return shown, [self._key(entry, self._place(entry.url)) for entry in shown.entries]

    def _after_route(
        self, route: Route, page: int, step: Next, waiting: Sequence[str], status: int = 0
    ) -> Iterator[Request]:
        """Note what followed from a page of a route, and ask for its next page, or for the next sitemap of an index."""
        self._conclude(route, step, status)
        if step.go_on and waiting:
            yield self._route_request(route, waiting[0], page + 1, waiting[1:])
        elif step.go_on and route.next:
            yield self._route_request(route, route.next.format(page=page + 1), page + 1)

    def _place(self, url: str) -> Place | None:
        return place_of(url, [self.place_source])

    def _key(self, entry: Entry, place: Place | None) -> str:
        return place.canonical_url if place else canonical_url(entry.url, self.place_source)

    def route_failed(self, failure: Failure) -> Iterator[Request]:
        """Note that a route is dead; the others go on. A list that ends with 404 has simply ended."""
        request: Request = failure.request  # type: ignore[attr-defined]
        route, page, waiting = (request.cb_kwargs[name] for name in ("route", "page", "waiting"))
        status = failure.value.response.status if isinstance(failure.value, HttpError) else 0
        if page > 1 and route.next and status == HTTPStatus.NOT_FOUND:
            self._conclude(route, self.courses[route.name].ended(is_said=True))
            return
        step = Next(error=self._why(failure, route.name)[1], go_on=bool(waiting))
        yield from self._after_route(route, page, step, waiting, status)

    def _note(self, route: Route, course: Course, entries: Sequence[Entry]) -> None:
        """Add to a route's report what a page of it showed."""
        known, days = self.reports[route.name], [entry.day for entry in course.in_order if entry.day]
        self.reports[route.name] = replace(
            known,
            entries=known.entries + sum(e.day is not None and self.since <= e.day <= self.until for e in entries),
            days=tuple(sorted(set(map(str, days)))),
            back_to=str(course.back_to) if course.back_to else known.back_to,
            undated=course.undated,
            unordered=course.unordered,
            odd=course.odd,
        )

    def _conclude(self, route: Route, step: Next, status: int = 0) -> None:
        """Add to a route's report, and to the log, what followed from a page of it or from its absence."""
        if step.error:
            self.logger.warning("route %s: %s", route.name, step.error)
        known = self.reports[route.name]
        reached = (known.reached or step.reached) and not (step.error or known.error)
        error, status = step.error or known.error, status or known.status
        self.reports[route.name] = replace(known, reached=reached, error=error, status=status)

    def _discovered(self, entry: Entry, place: Place | None, route: str) -> Iterator[Request]:
        key = self._key(entry, place)
        outside = entry.day is not None and not self.since <= entry.day <= self.until
        if place is None and is_unknown_opinion(entry.url, self.place_source):
            self._note_unknown(Unknown(route, entry.day.isoformat() if entry.day else "", key))
        if place is None or not is_opinion(place):
            return
        if outside:
            self.other_days.setdefault(place.article_id, str(entry.day))
            return
        tried = self.by_url.get(key)
        if tried is None:
            tried = self.by_url[key] = Tried(url=key, article_id=place.article_id, title=entry.title)
            self.say("found", place.article_id)
            if place.article_id in self.withdrawn:
                tried.result, tried.target = "withdrawn", place.article_id
                self.say("withdrawn", place.article_id)
            else:
                self.left -= 1
                if self.left >= 0:
                    yield self._page_request(entry.url, key)
        tried.day = tried.day or (entry.day.isoformat() if entry.day else "")
        tried.title = tried.title or entry.title
        if route not in tried.routes:
            tried.routes.append(route)

    def _note_unknown(self, one: Unknown) -> None:
        known = {each.url for each in self.summary.unknown}
        if one.url not in known and len(known) < MOST_UNKNOWN:
            self.logger.warning("route %s: no pattern of the source file knows %s", one.route, one.url)
            self.summary.unknown.append(one)

    def _page_request(self, url: str, key: str) -> Request:
        return Request(
            url, callback=self.parse_page, errback=self.page_failed, cb_kwargs={"key": key}, meta={"page": True}
        )

    def parse_page(self, response: Response, key: str) -> Iterator[FetchedPage]:
        """Hand a page over as it came, under the address that answered."""
        tried = self.by_url[key]
        exchange: Exchange | None = response.meta.get("exchange")  # spiders/wire.py: of an answer 200 alone
        capture: Capture = response.meta["capture"]
        tried.status, tried.fetched_at = response.status, iso(exchange.fetched_at if exchange else now())
        place = self._place(response.url)
        if exchange is None:
            tried.result, tried.reason = "failed", f"HTTP {response.status} is no whole page"
        elif "partial" in response.flags or capture.truncated:
            tried.result, tried.reason = "failed", f"the answer broke off: {capture.truncated or 'no end was sent'}"
            if broke_off(capture):
                self.summary.troubles[tried.url] = "busy"
        elif place is not None and place.article_id in self.withdrawn:
            tried.result, tried.target = "withdrawn", place.article_id
        elif place is None:
            self._led_to_no_article(tried, response.url, response.meta.get("redirect_reasons", []))
        elif place.article_id != tried.article_id:
            yield from self._moved(tried, place, exchange, capture)
        else:
            tried.aliases = sorted({key, canonical_url(response.url, self.place_source)} - {tried.url})
            yield FetchedPage(tried, exchange, capture)
        if tried.result:
            self.say(tried.result, tried.article_id)

    def _led_to_no_article(self, tried: Tried, url: str, reasons: Sequence[int | str]) -> None:
        """Note a redirect to a page that is no article: only a permanent one says that the article is gone."""
        tried.reason = f"{leading(reasons)} to {url}, which is no article"
        if for_good(reasons):
            tried.result = "gone"
        else:
            tried.result, tried.is_misled, self.summary.troubles[tried.url] = "failed", True, "busy"

    def _moved(self, tried: Tried, place: Place, exchange: Exchange, capture: Capture) -> Iterator[FetchedPage]:
        """An address that leads to another article is that one's alias; the article itself is stored once."""
        tried.result, tried.target = "alias", place.article_id
        if place.canonical_url not in self.by_url:
            arrived = Tried(place.canonical_url, place.article_id, list(tried.routes), tried.day, tried.title)
            arrived.status, arrived.fetched_at = tried.status, tried.fetched_at
            self.by_url[place.canonical_url] = arrived
            yield FetchedPage(arrived, exchange, capture)

    def page_failed(self, failure: Failure) -> Iterator[FetchedPage]:
        """Note why a page could not be had."""
        request: Request = failure.request  # type: ignore[attr-defined]
        tried = self.by_url[request.cb_kwargs["key"]]
        tried.fetched_at = iso(now())
        if isinstance(failure.value, HttpError):
            tried.status = failure.value.response.status
        elif isinstance(failure.value, LedAway):
            tried.is_misled = not failure.value.is_for_good
        if tried.status == HTTPStatus.NOT_MODIFIED and request.meta.get("kept"):
            tried.result, tried.capture_key = "kept", request.meta["kept"]
        elif request.meta.get("redirect_reasons") and tried.status in NOT_THERE:
            self._led_to_no_article(tried, request.url, request.meta["redirect_reasons"])
        else:
            tried.result, tried.reason = self._why(failure, tried.url)
        self.say(tried.result, tried.article_id)
        yield from ()

    def _why(self, failure: Failure, what: str) -> tuple[str, str]:
        """Return result and reason of a failed request for a route or an address; note whether another try may help."""
        trouble = _trouble(failure.value)
        if trouble:
            self.summary.troubles[what] = trouble
        return _why(failure)

    def say(self, what: str, article_id: str) -> None:
        """Show a waiting parent process how far we are."""
        if self.attended:
            with suppress(BrokenPipeError):  # the parent is gone: spiders/attended.py ends the crawl
                print(what, article_id, flush=True)

    def finished(self, reason: str) -> Summary:
        """Return the crawl's own account."""
        self.summary.failure = self._failure_sentence(reason)
        if self.summary.failure and not self.attended:
            self.troubles.append(self.summary.failure)
        tried = list(self.by_url.values())
        results = [t.result or "not asked for" for t in tried]
        self.summary.finished_at, self.summary.finish_reason = iso(now()), reason
        self.summary.routes = list(self.reports.values())
        self.summary.addresses = tried
        self.summary.outside = sorted(self.other_days.items())[:MOST_OUTSIDE]
        self.summary.outside_cut = len(self.other_days) > MOST_OUTSIDE
        assert self.crawler.stats is not None
        self.summary.bytes = self.crawler.stats.get_value("downloader/response_bytes", 0)
        self.summary.counts = {result: results.count(result) for result in sorted(set(results))}
        self.done.append(self._summary_sentence())
        return self.summary

    def _summary_sentence(self) -> str:
        """Return what came, and how to archive it."""
        counts = ", ".join(f"{number} {result}" for result, number in self.summary.counts.items()) or "nothing found"
        command = f"opeds ingest {self.warc}" if self.warc else "opeds ingest --crawls"
        return f"{self.name}, {self.since} to {self.until}: {counts}. To archive it: {command}"

    def _failure_sentence(self, reason: str) -> str:
        """Return why the crawl came to nothing, or an empty string: a crawl of some pages came to something."""
        assert self.crawler.stats is not None
        count = self.crawler.stats.get_value
        if reason in MISPLACED:
            return f"{MISPLACED[reason]} ({reason})"
        if reason == CRAWL_DELAY_TOO_LONG:
            return self.ended_because
        if count("downloader/request_count", 0) and not count("downloader/response_count", 0):
            first = next((r.error for r in self.reports.values() if r.error), "") or next(
                (tried.reason for tried in self.by_url.values() if tried.reason), "no answer"
            )
            return f"no site answered: {first}; is there a network, and is the proxy right?"
        return ""


def refuse(sentence: str, code: int = WRONG_USAGE_EXIT) -> NoReturn:
    """End the process with one sentence and an exit code, before anything was fetched."""
    print(f"scrapy: {sentence}", file=sys.stderr)
    raise SystemExit(code)


def _count(text: str) -> int:
    if not text.isdecimal():
        refuse(f"pages={text!r} is no number; write it as pages=3")
    return int(text)


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        refuse(f"{name}={text!r} is no date; write it as 2026-06-01")


def _trouble(error: BaseException | None) -> str:
    """Return `busy` for what may pass by itself, `refused` for what a person must look at, else nothing."""
    if isinstance(error, HttpError):
        status = error.response.status
        return "refused" if status in {401, 403} else "busy" if status == 429 or status >= 500 else ""
    if isinstance(error, LedAway):
        return "" if error.is_for_good else "busy"
    if isinstance(error, IgnoreRequest):
        passing = isinstance(error, RobotsUnreadable | AskedToWait)
        return "refused" if isinstance(error, Refused) else "busy" if passing else ""
    return "busy"  # no answer, or one that broke off


def _why(failure: Failure) -> tuple[str, str]:
    """Return result and reason of a failed request."""
    error = failure.value
    if isinstance(error, HttpError):
        status = error.response.status
        host = urlparse_cached(error.response).hostname
        if status in NOT_THERE:
            return "gone", f"HTTP {status}"
        return "failed", f"HTTP {status} from {host}"
    if isinstance(error, ForbiddenByRobots):
        return "disallowed", str(error)
    if isinstance(error, LedAway) and error.is_for_good:
        return "gone", str(error)
    assert error is not None
    return "failed", in_words(error)
