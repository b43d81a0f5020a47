"""Load: which captures need reading, today's re-extractions included; their bytes are fetched ahead, within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from pipelines.archive.store import Store, threads
from pipelines.errors import NotArchived
from pipelines.ingestion.read import CAPTURES_A_TASK, Pending, Readers, ReadPage, StoredCapture, unreadable
from pipelines.model import Sighting
from pipelines.versions import SeenContent

AHEAD = 32  # captures fetched, and captures read, before their turn; more where more processes read


@dataclass(frozen=True, slots=True)
class Needed:
    """A capture that must be read; `url` is any address of its article."""

    article_id: str
    capture_key: str
    url: str


def outdated(history: Iterable[SeenContent], rules8: str) -> list[SeenContent]:
    """Return the sightings that were read by other rules."""
    return [step for step in history if step.rules8 != rules8]


def known_content(history: Iterable[SeenContent], capture_key: str, rules8: str) -> str:
    """Return the content16 that these rules made of a capture before, or an empty string."""
    return next((s.content16 for s in history if (s.capture_key, s.rules8) == (capture_key, rules8)), "")


def needed_by(sighting: Sighting, history: Sequence[SeenContent], rules8: str) -> list[Needed]:
    """Return the captures that must be read before a sighting can be decided, its own last."""
    keys = [step.capture_key for step in outdated(history, rules8)]
    if not known_content(history, sighting.capture_key, rules8):
        keys.append(sighting.capture_key)
    return [Needed(sighting.article_id, key, sighting.url) for key in dict.fromkeys(keys)]


def read_in_order(store: Store, wanted: Iterable[Needed], readers: Readers) -> Iterator[ReadPage]:
    """Yield each capture as it was read, in the order wanted; few are in memory at a time."""
    fetching: deque[tuple[Needed, Pending | Future[bytes]]] = deque()
    reading: deque[Pending | ReadPage] = deque()
    limit = max(AHEAD, 2 * CAPTURES_A_TASK * readers.processes)
    for needed in wanted:
        ahead = readers.ahead.pop(needed.capture_key, None)
        fetching.append((needed, ahead or threads().submit(store.read, needed.capture_key)))
        if len(fetching) > limit:
            reading.append(_submitted(*fetching.popleft(), readers))
        if len(reading) > limit:
            yield _result(reading.popleft())
    while fetching:
        reading.append(_submitted(*fetching.popleft(), readers))
    while reading:
        yield _result(reading.popleft())


def _submitted(needed: Needed, fetched: Pending | Future[bytes], readers: Readers) -> Pending | ReadPage:
    if isinstance(fetched, Pending):
        return fetched
    try:
        body = fetched.result()
    except NotArchived as error:
        return unreadable(needed.capture_key, str(error))
    return readers.submit(StoredCapture(needed.article_id, needed.capture_key, needed.url, body))


def _result(page: Pending | ReadPage) -> ReadPage:
    return page.result() if isinstance(page, Pending) else page


def pages_for(needs: Sequence[Sequence[Needed]], store: Store, readers: Readers) -> Iterator[Mapping[str, ReadPage]]:
    """Yield, for each list of needs in turn, every capture read so far, by key; each capture is read once."""
    distinct = {needed.capture_key: needed for wanted in needs for needed in wanted}
    stream = read_in_order(store, distinct.values(), readers)
    pages: dict[str, ReadPage] = {}
    for wanted in needs:
        for needed in wanted:
            if needed.capture_key not in pages:
                pages[needed.capture_key] = next(stream)
        yield pages
