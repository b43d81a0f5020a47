"""Ends a crawl whose parent process is gone, however it went: nobody would read its progress or its summary."""

from __future__ import annotations

import os
import threading
from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.utils.defer import deferred_from_coro

from pipelines.archive.crawl_summary import STARTED


class Attended:
    """Watches stdin of a crawl started with `-a attended=1`; the parent holds the other end of the pipe."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the extension and have it called when the spider begins."""
        made = cls(crawler)
        crawler.signals.connect(made.spider_opened, signals.spider_opened)
        return made

    def spider_opened(self) -> None:
        """Say that the crawl has started, and begin to watch."""
        if getattr(self.crawler.spider, "attended", False):
            print(STARTED, flush=True)
            threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        from twisted.internet import reactor

        while os.read(0, 1024):  # not sys.stdin, whose lock a thread of ours must not hold when Python ends
            pass
        reactor.callFromThread(self._end)

    def _end(self) -> None:
        if self.crawler.engine and self.crawler.spider:
            deferred_from_coro(self.crawler.engine.close_spider_async(reason="parent_gone"))
