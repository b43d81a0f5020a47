"""Read: a capture's bytes and today's rules give an article, its record and its sketch.

`read_page` is a function of values, so it can run in worker processes: `Readers` hands captures to them and returns
what they made, in the order that the caller asks for.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pipelines.archive.keys import quarantine_key, record_key
from pipelines.archive.record import record, rejection, to_json
from pipelines.archive.warc import read_capture
from pipelines.copies.fingerprint import hashes_of
from pipelines.errors import UnreadableWarc
from pipelines.extraction.extract import extract, rules_of
from pipelines.extraction.quality import NOT_OPINION
from pipelines.model import ARCHIVED_STATUS, Article, Rules, Status
from pipelines.sources import Source
from pipelines.sources.addresses import place_naming, split_id
from pipelines.versions import content_sha256
from pipelines.worker import follow_parent

CAPTURES_A_TASK = 8  # captures that a worker reads at a time: each message costs as much as a tenth of a page
LEAST_FOR_WORKERS = 40  # captures: below that, starting a worker (0.7 s of CPU) costs more than it saves


@dataclass(frozen=True, slots=True)
class StoredCapture:
    """A capture to read: its article, its key in the bucket, an address of the article, and the bytes of its file."""

    article_id: str
    key: str
    url: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadPage:
    """What today's rules make of one capture.

    `object_key` and `object_body` are the record, or the rejection of a page that is set aside; both are empty for a
    page that is not an op-ed. `sha256` is that of the capture's file. `problem` says why the capture cannot be read:
    the article is then an empty rejection.
    """

    capture_key: str
    url: str
    article: Article
    place: tuple[str, str, int] = ("", "", 0)  # native id, canonical address, rank of the address
    content16: str = ""
    object_key: str = ""
    object_body: bytes = field(default=b"", repr=False)
    hashes: tuple[int, ...] = field(default=(), repr=False)
    problem: str = ""
    sha256: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the page is good enough for the archive."""
        return not self.problem and self.article.status in ARCHIVED_STATUS


def read_page(stored: StoredCapture, sources: Mapping[str, Source], rules: Rules) -> ReadPage:
    """Return what the rules make of a stored capture. Never raises for a bad page."""
    try:
        capture = read_capture(stored.body, stored.key)
    except UnreadableWarc as error:
        return unreadable(stored.key, str(error))
    # the capture's own address where it is known, so that the record is a function of the capture alone
    named = (place_naming(url, stored.article_id, sources.values()) for url in (capture.url, stored.url))
    place = next(filter(None, named), None)
    if place is None:
        return unreadable(stored.key, f"no source knows an address of {stored.article_id}")
    article = extract(capture, place)
    key, body, content16 = "", b"", content_sha256(article)[:16]
    hashes: tuple[int, ...] = ()
    if article.status in ARCHIVED_STATUS:
        key = record_key(place.article_id, content16, rules)
        body = to_json(record(article, place, capture, stored.key, rules))
        hashes = tuple(hashes_of(article.text or article.text_ko))
    elif not NOT_OPINION & set(article.reasons):
        key = quarantine_key(place.article_id, capture.payload_sha256, rules)
        body = to_json(rejection(article, place, capture, stored.key, rules))
    where = (place.native_id, place.canonical_url, place.rank)
    digest = hashlib.sha256(stored.body).hexdigest()
    return ReadPage(stored.key, capture.url, article, where, content16, key, body, hashes, sha256=digest)


def unreadable(key: str, problem: str) -> ReadPage:
    """Return the page for a capture that cannot be read."""
    return ReadPage(key, "", Article(status=Status.REJECT), problem=problem)


class Readers:
    """Reads captures, in worker processes where `processes` is more than one and there are 40 captures or more to read.

    Workers are spawned, share nothing with us, and end when this process ends. A page that kills its worker costs that
    page alone; where there are no workers, pages are read in this process.
    """

    def __init__(
        self, sources: Mapping[str, Source], processes: int, on_read: Callable[[], None] = lambda: None
    ) -> None:
        self.sources, self.processes, self.on_read = sources, processes, on_read
        self.ahead: dict[str, Pending] = {}  # by capture key: handed over before anybody asked for them
        self._rules: dict[str, Rules] = {}
        self._outstanding: dict[int, Pending] = {}  # submitted, and not asked for yet; in order
        self._unsent: list[Pending] = []  # of these, those that no worker has
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
            self._pool = None

    def rules_of(self, source: Source) -> Rules:
        """Return today's rules of a source; they are made once, since they hash all its profiles."""
        if source.name not in self._rules:
            self._rules[source.name] = rules_of(source)
        return self._rules[source.name]

    def submit(self, stored: StoredCapture) -> Pending:
        """Hand a capture over to be read; ask the returned object for the result."""
        rules = self.rules_of(self.sources[split_id(stored.article_id)[0]])
        pending = Pending(self, stored, rules)
        if self.processes > 1:
            self._outstanding[id(pending)] = pending
            self._unsent.append(pending)
            if len(self._unsent) >= (CAPTURES_A_TASK if self._pool else LEAST_FOR_WORKERS):
                self.send()
        return pending

    def send(self) -> None:
        """Send what was submitted to the workers, starting them if need be."""
        self._pool = self._pool or new_pool(self.processes, self.sources)
        unsent, self._unsent = [each for each in self._unsent if id(each) in self._outstanding], []
        for start in range(0, len(unsent), CAPTURES_A_TASK):
            captures = unsent[start : start + CAPTURES_A_TASK]
            try:
                task = self._pool.submit(_read_in_worker, [(each.stored, each.rules) for each in captures])
            except BrokenProcessPool:
                return self.restart()
            for at, pending in enumerate(captures):
                pending.task, pending.at = task, at
        return None

    def asked_for(self, pending: Pending) -> bool:
        """Forget a pending capture; return whether a worker has it, or is given it now."""
        if pending.task is None and self._pool is not None:
            self.send()
        self._outstanding.pop(id(pending), None)
        return pending.task is not None

    def restart(self) -> None:
        """Start new workers after one died, and hand them all that nobody has asked for yet."""
        self.stop()
        self._unsent = list(self._outstanding.values())
        if self.processes > 1:
            self.send()

    def stop(self) -> None:
        """End the workers without waiting for what they read."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None
        for pending in self._outstanding.values():
            pending.task = None

    def read_alone(self, stored: StoredCapture, rules: Rules) -> ReadPage:
        """Read one capture in a process of its own, so that it can only end that one.

        Where no process can be started at all, this one reads it and all others.
        """
        with new_pool(1, self.sources) as pool:
            try:
                pool.submit(os.getpid).result()
            except BrokenProcessPool:
                self.processes = 1
                return read_page(stored, self.sources, rules)
            try:
                return pool.submit(_read_in_worker, [(stored, rules)]).result()[0]
            except BrokenProcessPool:
                return unreadable(stored.key, "the process that read this page died; is it too large for this machine?")


class Pending:
    """A capture that is being read, or will be when its result is asked for."""

    def __init__(self, readers: Readers, stored: StoredCapture, rules: Rules) -> None:
        self.readers, self.stored, self.rules = readers, stored, rules
        self.task: Future[list[ReadPage]] | None = None
        self.at = 0  # its place in the task

    def result(self) -> ReadPage:
        """Return the page, read here if no worker has it. To be asked once."""
        in_worker = self.readers.asked_for(self)
        page = self._from_worker() if in_worker else read_page(self.stored, self.readers.sources, self.rules)
        self.readers.on_read()
        return page

    def _from_worker(self) -> ReadPage:
        assert self.task is not None
        try:
            return self.task.result()[self.at]
        except (BrokenProcessPool, CancelledError):  # a worker died; this page or one close behind it is the reason
            page = self.readers.read_alone(self.stored, self.rules)
            self.readers.restart()
            return page


def new_pool(processes: int, sources: Mapping[str, Source]) -> ProcessPoolExecutor:
    """Return worker processes that know these sources, see `sources_of_worker`, and end when this process ends."""
    return ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(dict(sources),)
    )


_worker_sources: dict[str, Source] = {}  # in a worker: the sources it was started with


def sources_of_worker() -> Mapping[str, Source]:
    """Return the sources that this worker was started with."""
    return _worker_sources


def _start_worker(sources: dict[str, Source]) -> None:
    """Prepare a worker."""
    follow_parent()
    _worker_sources.update(sources)


def _read_in_worker(captures: list[tuple[StoredCapture, Rules]]) -> list[ReadPage]:
    return [read_page(stored, _worker_sources, rules) for stored, rules in captures]
