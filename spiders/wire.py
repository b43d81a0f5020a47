"""Keeps each answer as it came over the wire, and hands it on as its reader wants it.

Scrapy gives header names in title case and not the reason phrase; the bytes of the body are untouched.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from http.client import responses
from typing import Any, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response, TextResponse
from scrapy.responsetypes import responsetypes
from scrapy.utils.defer import deferred_from_coro
from twisted.web._newclient import HTTPClientParser

from pipelines.archive.identity import MISPLACED, misplaced
from pipelines.archive.keys import date_in
from pipelines.archive.warc import Exchange, SeenAgain, capture_of
from pipelines.model import Capture

MOST_HEADERS = 300_000  # bytes of an answer before its body; Twisted would take headers without end


def limit_headers() -> None:
    """Let an answer fail whose headers are longer than `MOST_HEADERS`: neither Scrapy nor Twisted has a setting."""
    received = HTTPClientParser.dataReceived
    if received.__module__ == __name__:
        return

    def limited(self: Any, data: bytes) -> None:
        if self.line_mode:  # until the body begins
            self.bytes_of_headers = getattr(self, "bytes_of_headers", 0) + len(data)
            if self.bytes_of_headers > MOST_HEADERS:
                raise ValueError(f"headers longer than {MOST_HEADERS:,} bytes")
        received(self, data)  # type: ignore[no-untyped-call]

    HTTPClientParser.dataReceived = limited  # type: ignore[method-assign]


class Wire:
    """Innermost downloader middleware: pages go to their request's meta, everything else to the crawl's WARC.

    The meta `capture` says whether all of an answer arrived.
    """

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware."""
        limit_headers()
        return cls(crawler)

    def process_response(self, request: Request, response: Response) -> Response:
        """Note the exchange and pass the answer on; end the crawl if it has no place in the archive."""
        exchange = exchange_of(request, response)
        self._check(exchange)
        capture = request.meta["capture"] = capture_of(exchange)
        if request.meta.get("page") and response.status == HTTPStatus.OK:
            request.meta["exchange"] = exchange
        elif response.status == HTTPStatus.NOT_MODIFIED and request.meta.get("kept"):
            key, digest = request.meta["kept"], request.meta["kept_digest"]
            again = SeenAgain(exchange, date_in(key), digest, is_told=True)
            self.crawler.spider.not_modified.append(again)  # type: ignore[union-attr]
        elif not request.meta.get("carries_text"):
            self.crawler.spider.answers.append(exchange)  # type: ignore[union-attr]
        return _decoded(response, capture)

    def _check(self, exchange: Exchange) -> None:
        invented: bool | None = self.crawler.spider.invented  # type: ignore[union-attr]
        reason = misplaced(exchange.headers, invented) if invented is not None else ""
        if reason:
            if self.crawler.engine:
                deferred_from_coro(self.crawler.engine.close_spider_async(reason=reason))
            raise IgnoreRequest(MISPLACED[reason])


def _decoded(response: Response, capture: Capture) -> Response:
    """Return an answer with the body that its reader wants.

    Scrapy reads it as UTF-8, and only for a refresh in its head: of the encodings that a page may name, Python knows
    some that take hours (punycode). `pipelines/extraction/decoding.py` decides for everybody else.
    """
    if "Content-Encoding" in response.headers:
        kind = responsetypes.from_args(headers=response.headers, url=response.url, body=capture.payload)
        response = response.replace(cls=kind, body=capture.payload)
        del response.headers["Content-Encoding"]
    return response.replace(encoding="utf-8") if isinstance(response, TextResponse) else response


def exchange_of(request: Request, response: Response) -> Exchange:
    """Return an exchange as the WARC keeps it, fetched this second."""
    return Exchange(
        url=response.url,
        fetched_at=datetime.now(UTC).replace(microsecond=0),
        status=response.status,
        reason=responses.get(response.status, ""),
        headers=_headers(response),
        body=response.body,
        method=request.method,
        request_headers=_headers(request),
    )


def _headers(of: Request | Response) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, values in of.headers.items() for value in values
    )
