"""Is a source file as it must be? What is not is told with its line, key and value, before anything is fetched.

Each table has its keys, each key a kind of value; a kind is a function that raises `ValueError` with what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cssselect import SelectorError

from pipelines.sources.selectors import css_to_xpath

ValueKind = Callable[[Any], None]
SLOWEST = 3600  # seconds between two requests
VALUE_SHOWN = 60  # characters of a wrong value
KINDS_OF_ROUTE = ("feed", "json", "list", "news-sitemap")
KINDS_OF_ARCHIVE = ("cdx", "commoncrawl")
LANGUAGES = ("en", "ko", "split")
MOST_A_MINUTE, MOST_ROWS = 100_000, 150_000


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a source file, and in which line (0: the file as a whole)."""

    line: int
    said: str


def _of_type(kind: type, said: str) -> ValueKind:
    def check(value: Any) -> None:
        if not isinstance(value, kind):
            raise ValueError(f"must be {said}")

    return check


text, flag = _of_type(str, 'a text in quotes, "…"'), _of_type(bool, "true or false")


def each(kind: ValueKind) -> ValueKind:
    """Return the kind of a list whose values are all of this kind."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise ValueError('must be a list, ["…"]')
        for one in value:
            kind(one)

    return check


def one_of(*names: str) -> ValueKind:
    """Return the kind of a text that is one of these."""

    def check(value: Any) -> None:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")

    return check


def number(value: Any) -> None:
    """A number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= SLOWEST:
        raise ValueError(f"must be a number, 0 to {SLOWEST}")


def pairs(value: Any) -> None:
    """A table of texts."""
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError('must be pairs of texts, { name = "…" }')


def iso_day(value: Any) -> None:
    """A day in quotes."""
    text(value)
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f'must be a day, "2026-06-01" ({error})') from error


def zone(value: Any) -> None:
    """The name of a time zone."""
    text(value)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"must be a time zone ({error})") from error


def pattern(value: Any) -> None:
    """A regular expression."""
    text(value)
    try:
        re.compile(value)
    except (re.error, RecursionError) as error:
        raise ValueError(f"must be a regular expression ({error})") from error


def address(value: Any) -> None:
    """A regular expression that finds the article's id."""
    pattern(value)
    if "id" not in re.compile(value).groupindex:
        raise ValueError("an address pattern needs a group (?P<id>…)")


def selector(value: Any) -> None:
    """A CSS selector."""
    text(value)
    try:
        css_to_xpath(value)
    except SelectorError as error:
        raise ValueError(f"must be a CSS selector ({error})") from error


def source_name(value: Any) -> None:
    """The name of a source."""
    text(value)
    if not re.fullmatch(r"[a-z]+", value):
        raise ValueError("must be lower-case letters only: it begins every key")


def page_url(value: Any) -> None:
    """A web address with the number of a page in it."""
    url(value)
    try:
        pages = {value.format(page=number) for number in (2, 3)}
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"must hold {{page}} and no other braces ({error!r})") from error
    if len(pages) < 2:
        raise ValueError("must hold {page}, the number of the page")


def some(kind: ValueKind) -> ValueKind:
    """Return the kind of a list that is not empty."""

    def check(value: Any) -> None:
        each(kind)(value)
        if not value:
            raise ValueError("must not be empty")

    return check


def url(value: Any) -> None:
    """A web address."""
    text(value)
    if not re.match(r"https?://\S+$", value):
        raise ValueError("must be a web address, https://…")


def prefix(value: Any) -> None:
    """The beginning of addresses, without scheme; `{y}` and `{m}` stand for year and month."""
    text(value)
    try:
        filled = value.format(y="2004", m="12")
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"may hold {{y}} and {{m}}, and no other braces ({error!r})") from error
    if not re.match(r"[a-z0-9.-]+/\S*$", filled):
        raise ValueError('must begin with a host and a slash, without https://: "example.org/{y}/{m}/"')
    if ("{y}" in value) != ("{m}" in value):
        raise ValueError("must hold both {y} and {m}, or neither")


def pattern_of_address(value: Any) -> None:
    """A web address in which braces stand for what is asked for."""
    text(value)
    try:
        url(value.format(stamp="20041230000000", url="http://example.org/", file="a.warc.gz", collection="C"))
    except (KeyError, IndexError) as error:
        raise ValueError(f"may hold {{stamp}}, {{url}}, {{file}} or {{collection}} ({error!r})") from error


def per_minute(value: Any) -> None:
    """How often in a minute."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST_A_MINUTE:
        raise ValueError(f"must be a number above 0, {MOST_A_MINUTE} at most")


def count(value: Any) -> None:
    """A whole number."""
    if type(value) is not int or not 0 < value <= MOST_ROWS:
        raise ValueError(f"must be a whole number, 1 to {MOST_ROWS}")


_dates: dict[str, ValueKind] = {"valid_from": iso_day, "valid_until": iso_day}
_selectors = "body headline deck byline bio section date modified caption related drop wall copyright".split()
TABLES: dict[str, dict[str, ValueKind]] = {
    "": {
        "name": source_name,
        "publisher": text,
        "timezone": zone,
        "opinion": pattern,
        "delay": number,
        "first_day": iso_day,
        "same_host": pairs,
        **dict.fromkeys(("enabled", "own", "evidence", "loopback"), flag),
        "hosts": some(text),
        **dict.fromkeys(("names", "press", "press_in", "strip"), each(text)),
    },
    "address": {"prefix": text, "pattern": address, "time": text},
    "route": {
        "name": text,
        "kind": one_of(*KINDS_OF_ROUTE),
        "url": url,
        "next": page_url,
        "headers": pairs,
        "first_day": iso_day,
        **dict.fromkeys(("item", "link", "date", "title", "items"), text),
        **dict.fromkeys(("expected", "carries_text"), flag),
        **_dates,
    },
    "archived": {"prefix": prefix, **_dates},
    "profile": {
        "name": text,
        "deck_meta": each(text),
        "furniture": each(pattern),
        "title_in_text": pattern,
        "dashed_headlines": flag,
        "language": one_of(*LANGUAGES),
        **dict.fromkeys(_selectors, each(selector)),
        **_dates,
    },
}
REQUIRED = {
    "": ("name", "publisher", "hosts", "timezone", "address"),
    "address": ("prefix", "pattern"),
    "route": ("name", "kind", "url"),
    "archived": ("prefix",),
    "profile": ("name", "body"),
}
ARCHIVE_FILE: dict[str, ValueKind] = {
    "name": source_name,
    "title": text,
    "kind": one_of(*KINDS_OF_ARCHIVE),
    "collections": url,
    "index": pattern_of_address,
    "playback": pattern_of_address,
    "hosts": some(text),
    "index_per_minute": per_minute,
    "pages_per_minute": per_minute,
    "rows": count,
    "wait": number,
    "terms": text,
    "loopback": flag,
}
NEEDED_OF_ARCHIVE = tuple("name title kind index playback hosts index_per_minute pages_per_minute terms".split())


def mistakes_of_archive(data: Mapping[str, Any], source: str) -> Iterator[Mistake]:
    """Yield what is wrong in the file of a public archive: `data` as parsed, `source` its text."""
    for name in data:
        if name not in ARCHIVE_FILE:
            known = f"there are {', '.join(sorted(ARCHIVE_FILE))}"
            yield Mistake(_line_of(source, "", 0, name), f"unknown: {name}; {known}")
    needed = (*NEEDED_OF_ARCHIVE, *(("collections",) if data.get("kind") == "commoncrawl" else ()))
    yield from (Mistake(0, f"{name} is missing") for name in needed if name not in data)
    for name in data.keys() & ARCHIVE_FILE.keys():
        yield from _judged(ARCHIVE_FILE[name], data[name], name, _line_of(source, "", 0, name))


def mistakes(data: Mapping[str, Any], source: str) -> Iterator[Mistake]:
    """Yield what is wrong in a source file: `data` as parsed, `source` its text."""
    tables = [name for name in TABLES if name]
    for name in data:
        if name not in TABLES[""] and name not in tables:
            known = f"there are the tables {', '.join(tables)} and the keys {', '.join(sorted(TABLES['']))}"
            yield Mistake(_line_of(source, "", 0, name), f"unknown: {name}; {known}")
    yield from _in_table(dict(data), source, "", 0)
    yield from _twins(data, source)
    for table in tables:
        items = data.get(table, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            yield Mistake(_line_of(source, "", 0, table), f"{table} must be written as [[{table}]]")
            continue
        for at, item in enumerate(items):
            yield from _in_table(item, source, table, at)


def _twins(data: Mapping[str, Any], source: str) -> Iterator[Mistake]:
    """Yield routes of one name: the report of one would hide that of the other."""
    items = data.get("route", [])
    names = [item.get("name") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    for at, name in enumerate(names):
        if name in names[:at]:
            yield Mistake(
                _line_of(source, "route", at, "name"), f"[[route]] name = {name!r}: another route is called so"
            )


def _in_table(item: Mapping[str, Any], source: str, table: str, at: int) -> Iterator[Mistake]:
    kinds = {**TABLES[table]}
    if item.get("kind") == "list":
        kinds |= dict.fromkeys(("item", "link", "date", "title"), selector)
    named = f"[[{table}]] " if table else ""
    for needed in (*REQUIRED[table], *(("item", "link", "date") if item.get("kind") == "list" else ())):
        if needed not in item:
            yield Mistake(_line_of(source, table, at, ""), f"{named}{needed} is missing")
    for key, value in item.items():
        where = _line_of(source, table, at, key)
        if key not in kinds:
            if table:
                yield Mistake(where, f"{named}{key} is unknown; there are: {', '.join(sorted(kinds))}")
            continue
        yield from _judged(kinds[key], value, f"{named}{key}", where)


def _judged(kind: ValueKind, value: Any, named: str, line: int) -> Iterator[Mistake]:
    try:
        kind(value)
    except ValueError as error:
        shown = repr(value) if len(repr(value)) <= VALUE_SHOWN else f"{repr(value)[:VALUE_SHOWN]}…"
        yield Mistake(line, f"{named} = {shown}: {error}")


def _line_of(source: str, table: str, at: int, key: str) -> int:
    """Return the line of a key in the table of that number; of the table itself for an empty key; 0 if not found."""
    seen, within = -1, not table
    for line, words in enumerate(source.splitlines(), 1):
        head = re.match(r"\s*\[+\s*([\w-]+)", words)
        if head:
            seen += head[1] == table
            within = bool(table) and head[1] == table and seen == at
            if (within and not key) or (not table and head[1] == key):
                return line
        elif within and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", words):
            return line
    return 0
