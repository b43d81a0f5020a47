"""How a crawl is started as a process, waited for, and judged by its summary."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import IO, NoReturn

from pipelines.archive.crawl_summary import CRAWL_DELAY_TOO_LONG, STARTED, WRONG_USAGE_EXIT, Summary, Tried
from pipelines.archive.identity import MISPLACED
from pipelines.clock import iso, now, today
from pipelines.errors import CrawlFailed, SiteBusy, SiteRefused, WrongArchive, WrongUsage
from pipelines.index.opened import Archive
from pipelines.jobs.revisit import AGES
from pipelines.model import MISLED, Outcome, Sighting, Verdict
from pipelines.settings import child_environment, make_private
from pipelines.sources import Source

LATE = 60.0  # seconds in which a crawl should have started
crawl_logger = logging.getLogger(__name__)
GRACE = 90.0  # seconds between asking a crawl to end and ending it: an answer under way may take sixty
RESULTS = {
    "gone": Verdict.GONE,
    "alias": Verdict.ALIAS,
    "disallowed": Verdict.DISALLOWED,
    "failed": Verdict.FAILED,
    "withdrawn": Verdict.WITHDRAWN,
}
NOT_FETCHED = frozenset({"failed", "disallowed", ""})  # results of an address whose page we do not have


def check(summary: Summary, unreachable: Container[str] = ()) -> Summary:
    """Return the summary, if another try of the crawl would not help. The articles that are `unreachable` are not
    waited for.

    Raises `CrawlFailed` when it was cut off, `SiteBusy` or `SiteRefused` when the site kept it from a page or from a
    section that must be read. What is missing for other reasons, as after a change of layout, stands in the closing.
    """
    raise_if_failed(summary)
    if summary.finish_reason != "finished":
        raise CrawlFailed(f"the crawl of {summary.source} was cut off ({summary.finish_reason}); its captures are kept")
    unread = [route.route for route in summary.routes if route.expected and not route.reached]
    unread += [t.url for t in summary.addresses if t.result in NOT_FETCHED and t.article_id not in unreachable]
    why = {summary.troubles.get(one, ""): one for one in reversed(unread)}
    if "refused" in why:
        said = f"{summary.source} refuses us (401, 403 or robots.txt): {why['refused']}"
        raise SiteRefused(f"{said}; look before asking again")
    if "busy" in why:
        raise SiteBusy(f"{summary.source} was busy or silent: {why['busy']}; try again later")
    return summary


def unreachable(archive: Archive, summary: Summary) -> set[str]:
    """Return the articles whose address led elsewhere "for the moment", and brought nothing for as long as pages are
    looked at again: they are told, and keep no day open."""
    misled = {tried.article_id for tried in summary.addresses if tried.is_misled}
    return archive.index.misled_before(iso(now() - AGES[-1]), misled)


def raise_if_failed(summary: Summary) -> Summary:
    """Return the summary; raise `WrongArchive`, `SiteRefused` or `CrawlFailed` for a crawl that came to nothing."""
    if summary.failure:
        of_reason = {CRAWL_DELAY_TOO_LONG: SiteRefused, **dict.fromkeys(MISPLACED, WrongArchive)}
        raise of_reason.get(summary.finish_reason, CrawlFailed)(summary.failure)
    return summary


def sightings(addresses: Iterable[Tried], via: str = "") -> tuple[list[Sighting], list[Outcome]]:
    """Return the sightings of a crawl at these addresses, and the outcomes of the addresses that gave no page.

    `via` is the public archive that was asked, if any.
    """
    tried = list(addresses)
    return [_sighting(t, via) for t in tried if t.capture_key], [_outcome(t, via) for t in tried if not t.capture_key]


def _sighting(tried: Tried, via: str) -> Sighting:
    return Sighting(
        tried.article_id,
        tried.url,
        datetime.fromisoformat(tried.fetched_at),
        tried.capture_key,
        tuple(tried.routes),
        tuple(tried.aliases),
        via,
        tried.obtained_at,
    )


def _outcome(tried: Tried, via: str) -> Outcome:
    verdict = RESULTS.get(tried.result, Verdict.FAILED)
    reason = tried.reason or ("" if tried.result else "not asked for: the crawl ended before")
    return Outcome(
        verdict,
        tried.url,
        tried.article_id,
        tried.fetched_at,
        target=tried.target,
        reasons=(*((reason,) if reason else ()), *((MISLED,) if tried.is_misled else ())),
        routes=tuple(tried.routes),
        aliases=tuple(tried.aliases),
        via=via,
        obtained_at=tried.obtained_at,
    )


@dataclass
class Crawl:
    """A `scrapy crawl` at work, in a process group of its own.

    Its progress comes line by line on stdout. It holds our end of a pipe as its stdin: when this process is gone,
    however it went, the crawl finds the pipe closed and ends as well, leaving its summary.
    """

    process: subprocess.Popen[str]
    said: IO[str]  # what it wrote to stderr
    log: Path

    def wait(self, progress: Callable[[str], None]) -> None:
        """Hand over each line of progress until the crawl ends; end it if we are interrupted.

        Raises the crawl's own sentence when it did not start: `WrongUsage` for what it was asked, else `CrawlFailed`.
        """
        assert self.process.stdout is not None
        said = "a crawl has not started after %.0f s; what it says: %s"
        late = threading.Timer(LATE, crawl_logger.warning, [said, LATE, self.log])
        late.daemon = True
        late.start()
        try:
            for line in self.process.stdout:
                late.cancel()
                if line.strip() != STARTED:
                    progress(line.strip())
            code = self.process.wait()
            if code != 0:
                self.said.seek(0)
                said = self.said.read().strip() or f"the crawl ended with code {code}"
                raise (WrongUsage if code == WRONG_USAGE_EXIT else CrawlFailed)(said.splitlines()[-1])
        finally:
            late.cancel()
            self.end()

    def end(self) -> None:
        """Ask the crawl's process group to end, then end it."""
        if self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start_crawl(source: str, arguments: Iterable[tuple[str, str]], log: Path, environment: dict[str, str]) -> Crawl:
    """Start `scrapy crawl`; what it logs goes to the file `log`."""
    make_private(log.parent)
    # -P: a file named socks.py or email.py in the working directory is not imported instead of the library
    command = [sys.executable, "-P", "-m", "scrapy", "crawl", source, "-s", f"LOG_FILE={log}", "-a", "attended=1"]
    for name, value in arguments:
        command += ["-a", f"{name}={value}"]
    said = TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the crawl; a pipe that nobody reads meanwhile would stop a talkative crawl
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        process_group=0,
        env=child_environment(reaches_store=True, SCRAPY_SETTINGS_MODULE="spiders.settings", **environment),
    )
    return Crawl(process, said, log)


@contextmanager
def ending_with_us(crawl: Crawl) -> Iterator[None]:
    """End the crawl when this process gets SIGTERM, as a scheduler ends a task; the crawl still writes its summary."""

    def ended(number: int, _frame: FrameType | None) -> NoReturn:
        crawl.end()
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def days_of(since: date, until: date) -> list[date]:
    """Return every day from `since` to `until`, both included."""
    return [date.fromordinal(n) for n in range(since.toordinal(), until.toordinal() + 1)]


def check_days(sources: Iterable[Source], first: date, last: date) -> None:
    """Raise `WrongUsage` for days that have not come yet, and for days before the first of every source."""
    if last > today():
        raise WrongUsage(f"{last} has not come yet; today is {today()} in Seoul")
    begun = sorted((source.first_day, source.name) for source in sources)
    if begun and first < begun[0][0]:
        day, name = begun[0]
        raise WrongUsage(f"{name} has nothing before {day}, and {first} was asked for")
