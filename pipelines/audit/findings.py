"""What an audit found: faults, which do not fit, and notes, which do; and how much it looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from pipelines.errors import OpedsError

Returned = TypeVar("Returned")
OUTPUT = 200  # characters of what a library says


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something that does not fit: `kind` is archive, log, crawl, capture, record, rejection, orphan, foreign,
    catalogue, index, report or tombstone; `key` is where it lies in the bucket."""

    kind: str
    key: str
    said: str


@dataclass
class Findings:
    """Faults and notes as they come, and by kind how many there are and how many were verified."""

    faults: set[Fault] = field(default_factory=set)
    notes: set[Fault] = field(default_factory=set)
    there: Counter[str] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)

    def fault(self, kind: str, key: str, *said: str) -> None:
        """Take in what does not fit."""
        self.faults |= {Fault(kind, _writable(key), _writable(one)) for one in said}

    def note(self, kind: str, key: str, said: str) -> None:
        """Take in what a person may want to know, and is no damage."""
        self.notes.add(Fault(kind, _writable(key), _writable(said)))

    def guarded(self, kind: str, key: str, ask: Callable[[], Returned]) -> Returned | None:
        """Return what `ask` returns; where reading altered bytes raises anything, take that in and return None.

        Whoever alters an object may make it anything: no list of errors would be whole. What the store or the index
        itself raises is no finding, and goes on.
        """
        try:
            return ask()
        except OpedsError:
            raise
        except Exception as error:
            self.fault(kind, key, unreadable_because(error))
            return None

    def by_kind(self) -> Iterable[tuple[str, int, int, int]]:
        """Yield each kind of object: its name, how many there are, how many were verified, how many faults."""
        faults = Counter(one.kind for one in self.faults)
        for kind, count in self.there.items():
            if count:
                yield kind, count, self.verified[kind], faults.pop(FAULT_OF[kind], 0)
        for kind, count in sorted(faults.items()):  # of what is no kind of object: orphans, strangers
            yield kind, 0, 0, count


FAULT_OF = {  # the kind of a fault, by what is counted
    "manifests": "log",
    "captures": "capture",
    "records": "record",
    "crawls": "crawl",
    "rejections": "rejection",
    "rows": "catalogue",
    "index tables": "index",
    "reports": "report",
    "tombstones": "tombstone",
}


def _writable(text: str) -> str:
    """Return a text that is UTF-8, whatever an altered object made of it."""
    return text.encode("utf-8", "backslashreplace").decode()


def unreadable_because(error: BaseException) -> str:
    """Return a sentence about bytes that cannot be what they should be."""
    said = " ".join(str(error).split())[:OUTPUT]
    return f"cannot be read ({type(error).__name__}{f': {said}' if said else ''})"
