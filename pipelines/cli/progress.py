"""How long work is shown: a line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from shutil import get_terminal_size
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape

SECONDS = 5.0  # without a terminal, a line of progress is printed each so many
console = Console(highlight=False, emoji=False)  # a headline that says `:x:` is shown so
if not console.is_terminal:  # a file or a pipe has no edge to wrap at, unless COLUMNS says so
    console = Console(highlight=False, emoji=False, width=get_terminal_size((140, 25)).columns)


def shown(text: object) -> str:
    """Return a text as a terminal may show it: nothing in it is markup, or steers the terminal."""
    return escape(plain(str(text)))


def plain(text: str) -> str:
    """Return a text without what cannot be printed: control characters, direction marks."""
    return "".join(sign for sign in text.expandtabs() if sign.isprintable() or sign == "\n")


def print_json(items: Iterable[object]) -> None:
    """Print objects as JSON, one a line; what cannot be printed is escaped."""
    for item in items:
        line = json.dumps(item, ensure_ascii=False, sort_keys=True, default=_spelled)
        print("".join(sign if sign.isprintable() else _escaped(sign) for sign in line))


def _escaped(sign: str) -> str:
    return json.dumps(sign)[1:-1]


def _spelled(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def do_not_fit(count: int) -> str:
    """Return how many things do not fit, in words.

    >>> [do_not_fit(1), do_not_fit(2)]
    ['1 thing does not fit', '2 things do not fit']
    """
    return f"{count:,} {'thing does' if count == 1 else 'things do'} not fit"


class Watcher:
    """Progress: one live line on a terminal, a plain line now and then elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.counts: dict[str, Counter[str]] = {}
        self.status = console.status("starting") if console.is_terminal and not quiet else None
        self.due = 0.0

    def __enter__(self) -> Self:
        if self.status:
            self.status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status:
            self.status.stop()
        elif not self.quiet and kind is None and self.counts:
            self._plain()
        if kind is KeyboardInterrupt:
            print("opeds: stopped; run it again and it goes on from here", file=sys.stderr)

    def progress(self, stage: str, what: str) -> None:
        """Take in one event of a stage: `captured kjd-c…` of a crawl, `NEW kjd-c…` of an ingest."""
        self.counts.setdefault(stage, Counter())[what.partition(" ")[0]] += 1
        if self.status:
            self.status.update(self._line())
        elif not self.quiet and time.monotonic() >= self.due:
            self.due = time.monotonic() + SECONDS
            self._plain()

    def _plain(self) -> None:
        print(f"{time.strftime('%H:%M:%S')} {self._line()}", file=sys.stderr, flush=True)

    def _line(self) -> str:
        parts = [
            f"{stage}: {', '.join(f'{n} {word}' for word, n in c.items() if word)}" for stage, c in self.counts.items()
        ]
        return " · ".join(part.rstrip(": ") for part in parts)


class Counting:
    """Progress of long reading on stderr: a live line on a terminal, a plain one now and then elsewhere."""

    def __init__(self, what: str) -> None:
        self.what, self.due = what, time.monotonic() + SECONDS

    def told(self, count: int) -> None:
        """Take in how far it is."""
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + (0.2 if sys.stderr.isatty() else SECONDS)
        print(f"{count:,} {self.what}", end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


class Stages:
    """Progress of work in stages, each with its own size."""

    def __init__(self) -> None:
        self.stages: dict[str, Remaining] = {}

    def told(self, stage: str, done: int, of: int) -> None:
        """Take in how much of a stage is done."""
        self.stages.setdefault(stage, Remaining(stage)).told(done, of)


class Remaining:
    """Progress of work whose size is known, with the time it will take."""

    def __init__(self, what: str) -> None:
        self.what, self.began, self.due = what, time.monotonic(), time.monotonic() + 1
        self.has_told = False

    def told(self, done: int, of: int) -> None:
        """Take in how much is done."""
        if done >= of and self.has_told and sys.stderr.isatty():
            print("\x1b[K", end="", file=sys.stderr, flush=True)
        if time.monotonic() < self.due or not done or done >= of:
            return
        self.has_told = True
        self.due = time.monotonic() + (0.5 if sys.stderr.isatty() else SECONDS)
        left = (time.monotonic() - self.began) / done * (of - done)
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"{done:,} of {of:,} {self.what}, about {left:.0f} s more", end=end, file=sys.stderr, flush=True)
