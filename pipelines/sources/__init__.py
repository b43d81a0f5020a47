"""What we know of each place where op-eds appear: data, one small file per source, read into values."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.clock import SEOUL
from pipelines.errors import BadSourceFile, UnknownSource
from pipelines.sources.checked import Mistake, mistakes

SHIPPED = Path(__file__).parent
BEGINNING, END = dt.date.min, dt.date.max


@dataclass(frozen=True)
class Address:
    """One form of article address; the file's order ranks them, best first."""

    prefix: str
    pattern: re.Pattern[str]
    rank: int
    time: str = ""


@dataclass(frozen=True)
class Route:
    """One way to discover addresses, which may fail alone. `next` holds `{page}`, from 2 on.

    `first_day` is the first day that the route has anything of, where that is known.
    """

    name: str
    kind: str
    url: str
    next: str = ""
    item: str = ""
    link: str = ""
    date: str = ""
    title: str = ""
    items: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: bool = False
    carries_text: bool = False
    first_day: dt.date = BEGINNING
    valid_from: dt.date = BEGINNING
    valid_until: dt.date = END

    def serves(self, first: dt.date, last: dt.date) -> bool:
        """Whether the route can show a day of `first`…`last`; `valid_until` is the first day it cannot."""
        return self.valid_from <= last and first < self.valid_until


@dataclass(frozen=True)
class ArchivedPrefix:
    """What addresses of op-eds begin with, for the index of a public archive. Where it holds `{y}` and `{m}`, these are
    year and month of publication, and the days say for which months to ask; else they say for which months of capture.
    """

    prefix: str
    valid_from: dt.date = BEGINNING
    valid_until: dt.date = END

    @property
    def is_dated(self) -> bool:
        """Whether addresses under it name the month of publication."""
        return "{y}" in self.prefix


@dataclass(frozen=True)
class Profile:
    """How one layout is read: CSS selectors, alternatives in order. Field by field: docs/adding-a-source.md.

    `furniture` holds regular expressions: whole blocks of the site's own wording, wherever they stand.
    `title_in_text` matches the headlines that are none, because the real one is the body's first line. `language`
    is `split`, `en` or `ko`. `deck_meta` are metas that hold the deck where they do not quote the text.
    `dashed_headlines` says that lines with a dash at the end, in one element, are the site's, not the text's.
    """

    name: str
    body: tuple[str, ...]
    headline: tuple[str, ...] = ()
    deck: tuple[str, ...] = ()
    deck_meta: tuple[str, ...] = ()
    byline: tuple[str, ...] = ()
    bio: tuple[str, ...] = ()
    section: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    caption: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    wall: tuple[str, ...] = ()
    copyright: tuple[str, ...] = ()
    furniture: tuple[str, ...] = ()
    title_in_text: str = ""
    dashed_headlines: bool = False
    language: str = "split"
    valid_from: dt.date = BEGINNING
    valid_until: dt.date = END


@dataclass(frozen=True)
class Source:
    """A place where op-eds appear. `delay` is in seconds between two requests to one host, `first_day` the first day
    that it has anything of."""

    name: str
    publisher: str
    hosts: tuple[str, ...]
    addresses: tuple[Address, ...]
    routes: tuple[Route, ...] = ()
    profiles: tuple[Profile, ...] = ()
    archived: tuple[ArchivedPrefix, ...] = ()
    names: tuple[str, ...] = ()
    press: tuple[str, ...] = ()
    press_in: tuple[str, ...] = ("og:article:author", "og:site_name")
    same_host: Mapping[str, str] = field(default_factory=dict)
    timezone: ZoneInfo = SEOUL
    first_day: dt.date = BEGINNING
    delay: float = 5.0
    strip: tuple[str, ...] = ()
    opinion: re.Pattern[str] | None = None
    enabled: bool = True
    own: bool = False
    evidence: bool = False
    loopback: bool = False
    file: str = ""

    @property
    def is_crawled(self) -> bool:
        """Whether its lists are read by a run that names no source."""
        return self.enabled and bool(self.routes)

    def profiles_at(self, moment: dt.datetime) -> list[Profile]:
        """Return the profiles in the order to try for a capture of that moment: those in force first."""
        day = moment.astimezone(self.timezone).date()
        return sorted(self.profiles, key=lambda p: not p.valid_from <= day < p.valid_until)


def load_sources(folder: str = "") -> dict[str, Source]:
    """Return the shipped sources by name, with those of `folder` added or put in their place.

    Raises `BadSourceFile`, naming file and field.
    """
    return dict(_load(folder))


@cache
def _load(folder: str) -> tuple[tuple[str, Source], ...]:
    files = sorted(SHIPPED.glob("*.toml"))
    if folder:
        if not Path(folder).is_dir():
            raise BadSourceFile(f"OPEDS_SOURCES={folder} is not a folder of source files (*.toml)")
        files += sorted(Path(folder).glob("*.toml"))
    return tuple({source.name: source for source in map(read_source, files)}.items())


def source_named(sources: Mapping[str, Source], name: str) -> Source:
    """Return the source of that name; raise `UnknownSource`, which lists the names there are."""
    try:
        return sources[name]
    except KeyError as error:
        raise UnknownSource(f"unknown source {name!r}; there are: {', '.join(sorted(sources))}") from error


def read_source(path: Path) -> Source:
    """Read one source file; raise `BadSourceFile` with the first mistake, its line, key and value."""
    return _source({**checked_file(path, mistakes), "file": str(path)})


def checked_file(path: Path, check: Callable[[Mapping[str, Any], str], Iterator[Mistake]]) -> dict[str, Any]:
    """Return what a TOML file says; raise `BadSourceFile` with the first mistake that `check` finds."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise BadSourceFile(f"{path}: cannot be read: {error}") from error
    for mistake in check(data, text):
        raise BadSourceFile(f"{path}{f', line {mistake.line}' if mistake.line else ''}: {mistake.said}")
    return data


def _source(data: dict[str, Any]) -> Source:
    lists = ["hosts", "names", "press", "strip", *(["press_in"] if "press_in" in data else [])]
    began = {"first_day": data["first_day"]} if "first_day" in data else {}
    made: dict[str, Any] = {
        "addresses": tuple(_address(rank, item) for rank, item in enumerate(data.pop("address"))),
        "routes": tuple(Route(**_dated({**began, **item})) for item in data.pop("route", [])),
        "profiles": tuple(_profile(item) for item in data.pop("profile", [])),
        "archived": tuple(ArchivedPrefix(**_dated(item)) for item in data.pop("archived", [])),
        "timezone": ZoneInfo(data.pop("timezone")),
        "opinion": re.compile(data.pop("opinion")) if "opinion" in data else None,
    }
    made |= {name: tuple(data.pop(name, ())) for name in lists}
    return Source(**made, **_dated(data))


def _address(rank: int, item: dict[str, Any]) -> Address:
    return Address(item["prefix"], re.compile(item["pattern"]), rank, item.get("time", ""))


def _profile(item: dict[str, Any]) -> Profile:
    made: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in _dated(item).items()
    }
    return Profile(**made)


def _dated(item: dict[str, Any]) -> dict[str, Any]:
    days: dict[str, Any] = {
        key: dt.date.fromisoformat(item[key]) for key in ("valid_from", "valid_until", "first_day") if key in item
    }
    return {**item, **days}
