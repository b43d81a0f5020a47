"""Politeness beyond Scrapy's own: an unreachable robots.txt forbids, and Retry-After is waited for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self

from scrapy import Request, signals
from scrapy.core.downloader import Slot
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.robotstxt import RobotParser
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.misc import build_from_crawler
from twisted.internet.defer import Deferred

NOTHING = b"User-agent: *\nDisallow: /"
REFUSALS = 3
MAX_WAIT = 300.0  # seconds; a server that asks for more is left alone by the limit on retries


class Refused(IgnoreRequest):
    """The site does not want this request: robots.txt says so, or its last answers did."""


class ForbiddenByRobots(Refused):
    """The site's robots.txt forbids this request."""


class RobotsUnreadable(IgnoreRequest):
    """What robots.txt says cannot be known now, so nothing is asked for."""


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None  # that a site does not answer is no fault of a program
    return True


class CarefulRobots(RobotsTxtMiddleware):
    """RFC 9309: while robots.txt answers 5xx, 429 or not at all, everything is disallowed. Scrapy would allow it."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.unreadable: set[str] = set()
        logging.getLogger("scrapy.downloadermiddlewares.robotstxt").addFilter(_without_traceback)

    def process_request_2(self, rp: RobotParser | None, request: Request) -> None:
        """Let pass, or say why not: a site that forbids is another thing than one that does not answer."""
        try:
            super().process_request_2(rp, request)
        except IgnoreRequest as error:
            if urlparse_cached(request).netloc in self.unreadable:
                raise RobotsUnreadable("robots.txt cannot be read, so nothing is asked for") from error
            raise ForbiddenByRobots("robots.txt forbids it") from error

    async def _parse_robots(self, response: Response, netloc: str, request: Request) -> None:
        if response.status >= 500 or response.status == 429:  # "too fast" is no word about what is allowed
            response = response.replace(body=NOTHING)
            self.unreadable.add(netloc)
        elif response.status >= 400:
            response = response.replace(body=b"")
        await super()._parse_robots(response, netloc, request)

    def _robots_error(self, exc: Exception, netloc: str) -> None:
        self.unreadable.add(netloc)
        waiting = self._parsers[netloc]
        parser = build_from_crawler(self._parserimpl, self.crawler, NOTHING)
        self._parsers[netloc] = parser
        if isinstance(waiting, Deferred):
            waiting.callback(parser)


class StopWhenRefused:
    """Leaves a host alone that answered 401 or 403 several times in a row: it does not want us."""

    def __init__(self) -> None:
        self.refusals: Counter[str] = Counter()

    def process_request(self, request: Request) -> None:
        """Let pass, or raise `IgnoreRequest`."""
        host = urlparse_cached(request).netloc
        if self.refusals[host] >= REFUSALS:
            raise Refused(f"{host} refused {REFUSALS} requests in a row, so we stopped asking it")

    def process_response(self, request: Request, response: Response) -> Response:
        """Count."""
        host = urlparse_cached(request).netloc
        self.refusals[host] = self.refusals[host] + 1 if response.status in {401, 403} else 0
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
        slot = self._downloader_slots().get(request.meta.get("download_slot", ""))
        seconds = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        if slot and seconds and response.status in self.retry_http_codes:
            slot.lastseen = time.monotonic() + seconds
            slot.delay = slot.delay or 0.01  # a slot without delay never looks at the clock

    async def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        """Return the answer, or after the wait a request for another try."""
        again = super().process_response(request, response)
        if again is not response:
            seconds = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            until = time.monotonic() + seconds
            while not self._closing() and time.monotonic() < until:
                await asyncio.sleep(min(1.0, seconds))
        return again

    def _closing(self) -> bool:
        """Whether the crawl is asked to end: it waits for us, and must not wait five minutes."""
        slot = self.crawler.engine._slot if self.crawler.engine else None
        return slot is None or slot.closing is not None

    def _downloader_slots(self) -> dict[str, Slot]:
        assert self.crawler.engine is not None
        return self.crawler.engine.downloader.slots


def retry_after(header: bytes | None, now: datetime) -> float:
    """Return the seconds that a Retry-After header asks for.

    >>> retry_after(b"2", datetime(2026, 1, 1, tzinfo=UTC))
    2.0
    """
    text = (header or b"").decode("latin-1").strip()
    if text.isdigit():
        return min(float(text), MAX_WAIT)
    try:
        return max(0.0, min((parsedate_to_datetime(text) - now).total_seconds(), MAX_WAIT))
    except (ValueError, TypeError):
        return 0.0
