"""One request at a time to a public archive: at its pace, as patient as it asks us to be, and no more than polite."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest

from pipelines.archive.identity import MISPLACED
from pipelines.archive.warc import Exchange
from pipelines.model import Capture
from pipelines.sources.public import PublicArchive
from spiders.politeness import AskedToWait, ForbiddenByRobots, Refused, RobotsUnreadable, broke_off, wanted_pause
from spiders.wire import exchange_of

ASKED_AT_MOST = 3  # of one address that is busy or breaks off
MOST_BYTES = {"index": 60_000_000, "pages": 15_000_000}  # of one answer
SLOW_DOWNS = 3  # answers 429 that end the run
LATER = "run it again later: it goes on where it was"


class Ended(Exception):
    """The run cannot go on; the message says why, `reason` in a word."""

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(said)
        self.reason = reason


class Busy(Exception):
    """An address stayed busy or silent; another run asks for it again."""


@dataclass
class Answered:
    """An answer, as it came and decoded; `cut` says why it is not whole."""

    exchange: Exchange
    capture: Capture
    cut: str


class Asking:
    """Asks one archive. Raises `Ended` where the run cannot go on, `Busy` where another address may be had."""

    def __init__(self, crawler: Crawler, archive: PublicArchive) -> None:
        self.crawler, self.archive = crawler, archive
        self.next_at = {"index": 0.0, "pages": 0.0}
        self.slow_downs = 0

    async def ask(self, kind: str, url: str, part: tuple[int, int] | None = None) -> Answered:
        """Return the answer to a request of a kind, `index` or `pages`; wait and ask again where the archive is busy.

        `part` are the first and the last byte of a file that are wanted. Raises `IgnoreRequest` for an address that
        must not be asked, or whose answer is too long.
        """
        for attempt in range(ASKED_AT_MOST):
            await self._turn(kind)
            try:
                answered = await self._download(kind, url, part)
            except OSError:
                await self.sleep(self.archive.wait if attempt + 1 < ASKED_AT_MOST else 0.0)
                continue
            status = answered.exchange.status
            broke = bool(answered.cut) or broke_off(answered.capture)
            if not (status == 429 or status >= 500 or (broke and attempt == 0)):
                return answered  # one that broke off twice is so in the archive
            await self._wait(answered, is_last=attempt + 1 == ASKED_AT_MOST)
        raise Busy(f"{self.archive.name} is busy or silent at {url.split('?')[0]}; {LATER}")

    async def _wait(self, answered: Answered, is_last: bool) -> None:
        """Wait as long as an answer asks; raise `Ended` where it asks for too much, or too often."""
        status, asked = answered.exchange.status, answered.exchange.header("retry-after").encode()
        if status == 429:
            self.slow_downs += 1
            if self.slow_downs >= SLOW_DOWNS:
                raise Ended("slow_down", f"{self.archive.name} asked us {SLOW_DOWNS} times to slow down; {LATER}")
        seconds = wanted_pause(status, asked)
        if status == 429 or not is_last:
            await self.sleep(seconds or (self.archive.wait if status >= 400 else 0.0))

    async def _turn(self, kind: str) -> None:
        """Wait until the archive may be asked again."""
        limit = self.archive.index_per_minute if kind == "index" else self.archive.pages_per_minute
        await self.sleep(self.next_at[kind] - time.monotonic())
        self.next_at[kind] = time.monotonic() + 60.0 / limit

    async def sleep(self, seconds: float) -> None:
        """Wait; raise `Ended` when the crawl is told to end meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._go_on()
            await asyncio.sleep(min(left, 1.0))

    def _go_on(self) -> None:
        engine = self.crawler.engine
        slot = engine._slot if engine and engine.spider else None
        if slot is None or slot.closing is not None:
            raise Ended("shutdown")

    async def _download(self, kind: str, url: str, part: tuple[int, int] | None) -> Answered:
        self._go_on()
        most = part[1] - part[0] + 1 if part else MOST_BYTES[kind]  # of one who sends all of a file instead
        meta = {"dont_redirect": True, "page": True, "carries_text": True, "download_fail_on_dataloss": False}
        headers = {"Range": f"bytes={part[0]}-{part[1]}"} if part else {}
        request = Request(url, headers=headers, meta={**meta, "download_maxsize": most})
        assert self.crawler.engine is not None
        try:
            response = await self.crawler.engine.download_async(request)
        except (ForbiddenByRobots, RobotsUnreadable) as error:
            said = f"robots.txt of {url.split('/')[2]} keeps us from asking {self.archive.title}: {error}"
            raise Ended("robots", said) from error
        except AskedToWait as error:
            raise Ended("slow_down", f"{self.archive.name}: {error}; {LATER}") from error
        except Refused as error:
            raise Ended("refused", f"{self.archive.name}: {error}; look before asking again") from error
        except IgnoreRequest as error:
            if str(error) in MISPLACED.values():
                raise Ended("misplaced", str(error)) from error
            raise
        except OSError:
            raise
        except DownloadCancelledError as error:
            raise IgnoreRequest(f"the answer is longer than {most:,} bytes") from error
        except Exception as error:  # a connection has many ways to end
            raise OSError(f"{type(error).__name__}: {error}"[:200]) from error
        capture: Capture = response.meta["capture"]
        cut = capture.truncated or ("it ends early" if {"partial", "dataloss"} & {*response.flags} else "")
        return Answered(response.meta.get("exchange") or exchange_of(request, response), capture, cut)
