"""Politeness beyond Scrapy's own: an unreachable robots.txt forbids, and Retry-After is waited for."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self

from protego import Protego
from scrapy import Request, signals
from scrapy.core.downloader import Slot
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware, get_retry_request
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.extensions.throttle import AutoThrottle
from scrapy.http import Response
from scrapy.robotstxt import RobotParser, decode_robotstxt
from scrapy.utils.defer import deferred_from_coro
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.misc import build_from_crawler
from twisted.internet.defer import Deferred

from pipelines.archive.crawl_summary import CRAWL_DELAY_TOO_LONG
from pipelines.archive.warc import MAX_PAYLOAD
from pipelines.model import Capture
from spiders.failures import in_words

MOST_DELAY = 60.0  # seconds between two requests that we wait if robots.txt asks for them; more ends the crawl
NOTHING = b"User-agent: *\nDisallow: /"
REFUSALS = 3
MOST_ROBOTS = 512_000  # bytes of a robots.txt that are read (RFC 9309, 2.5)
MAX_WAIT = 300.0  # seconds; a server that asks for more is left alone
LONGEST_PAUSE = 1e9  # a longer pause is reported as this one


class Refused(IgnoreRequest):
    """The site does not want this request: robots.txt says so, or its last answers did."""


class ForbiddenByRobots(Refused):
    """The site's robots.txt forbids this request."""


class AskedToWait(IgnoreRequest):
    """The site wants no request for longer than we wait in one crawl; a later crawl may ask again."""


class RobotsUnreadable(IgnoreRequest):
    """What robots.txt says cannot be known now, so nothing is asked for."""


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None  # that a site does not answer is no fault of a program
    return True


class CarefulRobots(RobotsTxtMiddleware):
    """RFC 9309: while robots.txt answers 5xx, 429 or not at all, everything is disallowed. Scrapy would allow it."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.unreadable: dict[str, str] = {}  # hosts, and why
        logging.getLogger("scrapy.downloadermiddlewares.robotstxt").addFilter(_without_traceback)

    def process_request_2(self, rp: RobotParser | None, request: Request) -> None:
        """Let pass, or say why not: a site that forbids is another thing than one that does not answer."""
        try:
            super().process_request_2(rp, request)
        except IgnoreRequest as error:
            if urlparse_cached(request).netloc in self.unreadable:
                said = self.unreadable[urlparse_cached(request).netloc]
                raise RobotsUnreadable(f"robots.txt cannot be read ({said}), so nothing is asked for") from error
            raise ForbiddenByRobots("robots.txt forbids it") from error

    async def _parse_robots(self, response: Response, netloc: str, request: Request) -> None:
        response = response.replace(body=response.body[:MOST_ROBOTS])
        if response.status >= 500 or response.status == 429:  # "too fast" is no word about what is allowed
            response = response.replace(body=NOTHING)
            self.unreadable[netloc] = f"HTTP {response.status}"
        elif response.status >= 400:
            response = response.replace(body=b"")
        elif self._too_slow(response, request):
            response = response.replace(body=NOTHING)
        await super()._parse_robots(response, netloc, request)

    def _too_slow(self, response: Response, request: Request) -> bool:
        """Wait as long between requests as robots.txt asks, if that is longer than ours; whether it asks too much."""
        told, spider = Protego.parse(decode_robotstxt(response.body, None)), self.crawler.spider
        name = self.crawler.settings["ROBOTSTXT_USER_AGENT"]
        rate = told.request_rate(name)
        seconds = max(told.crawl_delay(name) or 0.0, rate.seconds / rate.requests if rate and rate.requests else 0.0)
        if seconds > MOST_DELAY:
            host = urlparse_cached(request).hostname
            said = f"robots.txt of {host} wants {seconds:g} s between two requests, more than {MOST_DELAY:g} s"
            spider.ended_because = said  # type: ignore[union-attr]
            assert self.crawler.engine is not None
            deferred_from_coro(self.crawler.engine.close_spider_async(reason=CRAWL_DELAY_TOO_LONG))
            return True
        throttle = self.crawler.get_extension(AutoThrottle)
        if throttle is not None:
            throttle.mindelay = max(throttle.mindelay, seconds)
        slot = slots(self.crawler).get(urlparse_cached(request).hostname or "")
        if slot is not None:
            slot.delay = max(slot.delay, seconds)
        return False

    def _robots_error(self, exc: Exception, netloc: str) -> None:
        self.unreadable[netloc] = in_words(exc)
        waiting = self._parsers[netloc]
        parser = build_from_crawler(self._parserimpl, self.crawler, NOTHING)
        self._parsers[netloc] = parser
        if isinstance(waiting, Deferred):
            waiting.callback(parser)


class StopWhenRefused:
    """Leaves a host alone that does not want us: it answered 401 or 403 several times in a row, or `Retry-After` with
    more than we wait in one crawl.
    """

    def __init__(self) -> None:
        self.refusals: Counter[str] = Counter()
        self.left_alone: dict[str, IgnoreRequest] = {}  # hosts, and why

    def process_request(self, request: Request) -> None:
        """Let pass, or raise `Refused` or `AskedToWait`."""
        why = self.left_alone.get(urlparse_cached(request).netloc)
        if why is not None:
            raise type(why)(*why.args)  # a new one: an exception keeps the traceback of where it was raised

    def process_response(self, request: Request, response: Response) -> Response:
        """Count, and raise `AskedToWait` where the site wants a longer pause than ours."""
        host = urlparse_cached(request).netloc
        seconds = wanted_pause(response.status, response.headers.get("Retry-After"))
        self.refusals[host] = self.refusals[host] + 1 if response.status in {401, 403} else 0
        if self.refusals[host] >= REFUSALS:
            self.left_alone[host] = Refused(f"{host} refused {REFUSALS} requests in a row, so we stopped asking it")
        if seconds > MAX_WAIT:
            said = f"{host} wants no request for {seconds:,.0f} s (HTTP {response.status}), so we stopped asking it"
            self.left_alone[host] = AskedToWait(said)
            raise AskedToWait(said)
        return response


class PatientRetry(RetryMiddleware):
    """Waits as long as `Retry-After` says, with everything else meant for that host, before it tries again."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Listen to the downloader: it sends the next request before a middleware sees the answer to the last."""
        made = super().from_crawler(crawler)
        crawler.signals.connect(made.response_downloaded, signal=signals.response_downloaded)
        return made

    def response_downloaded(self, response: Response, request: Request) -> None:
        """Keep the host's slot closed as long as the host asks us to: it asked us, not one request, to wait."""
        slot = slots(self.crawler).get(request.meta.get("download_slot", ""))
        seconds = wanted_pause(response.status, response.headers.get("Retry-After"))
        if slot and 0 < seconds <= MAX_WAIT:
            slot.lastseen = time.monotonic() + seconds
            slot.delay = slot.delay or 0.01  # a slot without delay never looks at the clock

    async def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        """Return the answer, or after the wait a request for another try."""
        seconds = wanted_pause(response.status, response.headers.get("Retry-After"))
        if seconds > MAX_WAIT:
            return response
        again = super().process_response(request, response)
        capture: Capture | None = request.meta.get("capture")
        if again is response and capture is not None and broke_off(capture):
            spider = self.crawler.spider
            assert spider is not None
            return get_retry_request(request, spider=spider, reason="the answer broke off") or response
        if again is not response:
            until = time.monotonic() + seconds
            while not self._closing() and time.monotonic() < until:
                await asyncio.sleep(min(1.0, seconds))
        return again

    def _closing(self) -> bool:
        """Whether the crawl is asked to end: it waits for us, and must not wait five minutes."""
        slot = self.crawler.engine._slot if self.crawler.engine else None
        return slot is None or slot.closing is not None


def slots(crawler: Crawler) -> dict[str, Slot]:
    """Return the downloader's queues, by host."""
    assert crawler.engine is not None
    return crawler.engine.downloader.slots


def broke_off(capture: Capture) -> bool:
    """Whether an answer ended before its end, so that another try may bring it; one that is too long may not."""
    return bool(capture.truncated) and len(capture.payload) < MAX_PAYLOAD


def wanted_pause(status: int, header: bytes | None) -> float:
    """Return the seconds that an answer asks us to wait; 0 when its status does not say "later".

    >>> [wanted_pause(status, b"9") for status in (200, 403, 408, 429, 522)]
    [0.0, 0.0, 9.0, 9.0, 9.0]
    """
    says_later = status >= 500 or status in {408, 429}
    return retry_after(header, datetime.now(UTC)) if says_later else 0.0


def retry_after(header: bytes | None, now: datetime) -> float:
    """Return the seconds that a Retry-After header asks for.

    >>> [retry_after(text, datetime(2026, 1, 1, tzinfo=UTC)) for text in (b"2", b"Thu Jan  1 00:01:00 2026", b"-3")]
    [2.0, 60.0, 0.0]
    """
    text = (header or b"").decode("latin-1").strip()[:100]
    number = re.match(r"\d+", text, re.ASCII)
    if number:
        return min(float(number[0]), LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0.0, min((until - now).total_seconds(), LONGEST_PAUSE))
    except (ValueError, TypeError, OverflowError):
        return 0.0
