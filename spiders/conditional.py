"""Asks for a page that is stored already only if it changed: the answer 304 costs neither side a page."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Self

from scrapy import Request
from scrapy.crawler import Crawler

from pipelines.archive.keys import captures_prefix
from pipelines.archive.store import Store
from pipelines.archive.warc import Exchange, exchanges
from pipelines.errors import OpedsError
from pipelines.sources.addresses import canonical_url, place_of
from spiders.source import SourceSpider

HEADERS = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}


class AskWhetherChanged:
    """Adds the validators of the capture stored last; spiders/source.py takes a 304 for a sighting of it."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Set the headers of a page's request, or take away those of the address that led here."""
        spider = self.crawler.spider
        for name in HEADERS:
            request.headers.pop(name, None)
        request.meta.pop("kept", None)
        if not (request.meta.get("page") and isinstance(spider, SourceSpider) and spider.store):
            return
        place = place_of(request.url, [spider.place_source])
        if place is None:
            return
        key, kept = await asyncio.to_thread(_kept, spider.store, place.article_id)
        if kept is None or canonical_url(kept.url, spider.place_source) != place.canonical_url:
            return
        known = {name: kept.header(validator) for name, validator in HEADERS.items() if kept.header(validator)}
        if known:
            request.headers.update(known)
            request.meta["kept"] = key
            request.meta["kept_digest"] = kept.origin.payload_digest if kept.origin else ""


def _kept(store: Store, article_id: str) -> tuple[str, Exchange | None]:
    """Return the latest capture of an article, with its key; where it cannot be read, the page is asked for in full."""
    try:
        key = max(store.keys(captures_prefix(article_id)), default="")
        return key, next(exchanges(BytesIO(store.read(key)), key), None) if key else None
    except OpedsError:
        return "", None
