"""Manners beyond Scrapy's own: an unreachable robots.txt forbids, and Retry-After is waited for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from scrapy import Request
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.http import Response
from scrapy.utils.misc import build_from_crawler
from twisted.internet.defer import Deferred

NOTHING = b"User-agent: *\nDisallow: /"
MAX_WAIT = 300.0  # seconds; a server that asks for more is left alone by the limit on retries


class CarefulRobots(RobotsTxtMiddleware):
    """RFC 9309: while robots.txt answers 5xx or not at all, everything is disallowed. Scrapy would allow it."""

    async def _parse_robots(self, response: Response, netloc: str, request: Request) -> None:
        if response.status >= 500:
            response = response.replace(body=NOTHING)
        elif response.status >= 400:
            response = response.replace(body=b"")
        await super()._parse_robots(response, netloc, request)

    def _robots_error(self, exc: Exception, netloc: str) -> None:
        waiting = self._parsers[netloc]
        parser = build_from_crawler(self._parserimpl, self.crawler, NOTHING)
        self._parsers[netloc] = parser
        if isinstance(waiting, Deferred):
            waiting.callback(parser)


class PatientRetry(RetryMiddleware):
    """Waits as long as `Retry-After` says before it tries again."""

    async def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        """Return the answer, or after the wait a request for another try."""
        again = super().process_response(request, response)
        if again is not response:
            await asyncio.sleep(retry_after(response.headers.get("Retry-After"), datetime.now(UTC)))
        return again


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
