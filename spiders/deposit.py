"""Stores what the spiders bring: each page in the bucket as it arrives, the crawl's own account at the end.

Scrapy calls this an item pipeline; it has nothing to do with the package `pipelines`.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler

from pipelines.archive.captures import capture_file, enough_for, store_capture
from pipelines.archive.crawl_summary import Summary, account_key, summary_body
from pipelines.archive.identity import identify
from pipelines.archive.keys import capture_key, date_in
from pipelines.archive.store import Store, open_store
from pipelines.archive.warc import SeenAgain, crawl_file, payload_digest
from pipelines.archive.withdrawn import read_withdrawn
from pipelines.errors import OpedsError, WrongUsage
from pipelines.settings import read_settings
from spiders.settings import BOT_NAME, USER_AGENT
from spiders.source import FetchedPage, SourceSpider, refuse

NORMALISED = (
    "Names of HTTP headers are in title case and in the order of their first sight, reason phrases are the standard's, "
    "chunks are taken out of bodies, which are otherwise as sent; cookies and credentials of requests are left out."
)


class Deposit:
    """Writes captures. A payload that is stored already for its article is noted, not stored again."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.revisits: list[SeenAgain] = []
        self.store: Store | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the pipeline and have it called when the crawl ends."""
        made = cls(crawler)
        crawler.signals.connect(made.spider_closed, signals.spider_closed)
        return made

    @property
    def spider(self) -> SourceSpider:
        """The spider at work."""
        assert isinstance(self.crawler.spider, SourceSpider)
        return self.crawler.spider

    def open_spider(self) -> None:
        """Open the bucket, or the local file, before anything is fetched."""
        if self.spider.warc:
            try:
                Path(self.spider.warc).write_bytes(b"")
            except OSError as error:
                refuse(f"cannot write {self.spider.warc}: {error.strerror}")
            return
        try:
            settings = read_settings()
            self.store = open_store(settings)
            self.spider.invented = identify(self.store, settings.invented).invented
            self.spider.store = self.store
            self.spider.withdrawn = read_withdrawn(self.store).ids
        except WrongUsage as error:
            refuse(str(error))
        except OpedsError as error:
            refuse(str(error), code=1)  # bad luck: another try may find the bucket

    async def process_item(self, item: FetchedPage) -> FetchedPage:
        """Store one page; the bucket is waited for outside of the event loop."""
        try:
            await asyncio.to_thread(self._store, item)
        except OpedsError as error:
            item.tried.result, item.tried.reason = "failed", str(error)
        self.spider.say(item.tried.result, item.tried.article_id)
        return item

    def _store(self, page: FetchedPage) -> None:
        capture = page.capture
        fresh = capture_key(page.tried.article_id, capture)
        body = capture_file(page.tried.article_id, page.exchange, capture)
        if self.store is None:
            with Path(self.spider.warc).open("ab") as warc:
                warc.write(body)
            page.tried.result, page.tried.capture_key = "captured", fresh
            return
        key, _ = store_capture(self.store, fresh, body, enough_for(self.store, capture.doubt))
        if key != fresh:
            self.revisits.append(SeenAgain(page.exchange, date_in(key), payload_digest(page.exchange.body)))
        page.tried.result, page.tried.capture_key = "captured" if key == fresh else "kept", key

    def spider_closed(self, reason: str) -> None:
        """Write the crawl's WARC and, last of all, its summary: without one the crawl counts as cut off."""
        summary = self.spider.finished(reason)
        warc = crawl_file(_about(summary), self.spider.answers, [*self.revisits, *self.spider.not_modified])
        summary.warc_sha256 = hashlib.sha256(warc).hexdigest()
        if self.store is None:
            with Path(self.spider.warc).open("ab") as file:
                file.write(warc)
            Path(f"{self.spider.warc}.json").write_bytes(summary_body(summary))
            return
        try:
            self.store.create(account_key(summary, "warc.gz"), warc)
            self.store.create(account_key(summary), summary_body(summary))
        except OpedsError as error:
            self.spider.logger.error("the crawl's summary could not be written: %s", error)
            self.spider.troubles.append(f"the crawl's account could not be written: {error}")


def _about(summary: Summary) -> dict[str, str]:
    """Return what the crawl's `warcinfo` says of it."""
    return {
        "date": summary.started_at,
        "software": BOT_NAME,
        "format": "WARC File Format 1.1",
        "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "isPartOf": f"{summary.source} {summary.since} to {summary.until}, run {summary.run}",
        "robots": "obey",
        "http-header-user-agent": USER_AGENT,
        "description": NORMALISED,
    }
