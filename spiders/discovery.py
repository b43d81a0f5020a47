"""What a route shows: pure functions from an answer to entries, one for each kind of route."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from lxml import etree, html

from pipelines.extraction.dates import day, from_epoch
from pipelines.extraction.page import collapse
from pipelines.sources import Route
from pipelines.sources.selectors import select

Element = etree._Element
MAX_PAGES = 200  # of one route; it is reported as not read back far enough behind that
FAR = timedelta(days=60)  # from both neighbours, and ten times as far as they are from each other: no date


@dataclass(frozen=True, slots=True)
class Entry:
    """One address that a route shows; `day` is its day in the source's zone, None when the route tells none."""

    url: str
    day: date | None
    title: str


class Unreadable(ValueError):
    """An answer that is not what the route's kind says; the message tells a person why."""


def entries_of(route: Route, body: bytes, base: str, zone: ZoneInfo) -> list[Entry]:
    """Return what an answer of this route shows, in its order; raise `Unreadable`.

    An address that cannot be parsed is left out: one broken link must not cost the others.
    """
    shown = ((entry, _joined(base, entry.url)) for entry in READERS[route.kind](route, body, zone))
    return [replace(entry, url=url) for entry, url in shown if url]


def listed(route: Route, body: bytes, zone: ZoneInfo) -> Iterator[Entry]:
    """Read a page of links.

    >>> route = Route("r", "list", "", item="li", link="a", date="i", title="a")
    >>> page = b'<ul><li><a href="/x/1">One</a> <i>Jun. 3, 2026</i></li></ul>'
    >>> list(listed(route, page, ZoneInfo("Asia/Seoul")))
    [Entry(url='/x/1', day=datetime.date(2026, 6, 3), title='One')]
    """
    try:
        tree = html.document_fromstring(body, parser=html.HTMLParser(encoding="utf-8"))
    except (etree.ParserError, ValueError) as error:
        raise Unreadable("the list is empty") from error
    for item in select(tree, route.item):
        link = next((a.get("href") for a in select(item, route.link) if a.get("href")), None)
        if link:
            yield Entry(link, day(_text(item, route.date), zone), _text(item, route.title))


def fed(route: Route, body: bytes, zone: ZoneInfo) -> Iterator[Entry]:
    """Read RSS or Atom, odd spellings and zones included."""
    for item in _elements(_xml(body), ("item", "entry")):
        texts = {_name(child): child for child in item}
        link = texts.get("link")
        url = (link.text or link.get("href") or "").strip() if link is not None else ""
        stamp = next((texts[n].text or "" for n in ("pubdate", "published", "updated", "date") if n in texts), "")
        title = texts["title"].text or "" if "title" in texts else ""
        if url:
            yield Entry(url, day(stamp, zone), collapse(title))


def mapped(route: Route, body: bytes, zone: ZoneInfo) -> Iterator[Entry]:
    """Read a news sitemap."""
    for item in _elements(_xml(body), ("url",)):
        texts = {_name(node): (node.text or "").strip() for node in item.iter() if isinstance(node.tag, str)}
        if texts.get("loc"):
            when = texts.get("publication_date") or texts.get("lastmod", "")
            yield Entry(texts["loc"], day(when, zone), collapse(texts.get("title", "")))


def channelled(route: Route, body: bytes, zone: ZoneInfo) -> Iterator[Entry]:
    """Read a JSON list whose dates are milliseconds since 1970."""
    try:
        for item in json.loads(body)[route.items]:
            when = from_epoch(item[route.date]).astimezone(zone).date()
            yield Entry(str(item[route.link]), when, collapse(str(item[route.title])))
    except (ValueError, KeyError, TypeError, ArithmeticError, OSError, RecursionError) as error:
        raise Unreadable(f"the list is not the JSON expected ({type(error).__name__}: {error})") from error


Reader = Callable[[Route, bytes, ZoneInfo], Iterator[Entry]]
READERS: dict[str, Reader] = {"list": listed, "feed": fed, "news-sitemap": mapped, "json": channelled}


def believed(found: Sequence[Entry], earliest: date, latest: date) -> list[Entry]:
    """Return the entries, without the days that cannot be: outside of `earliest`…`latest`, or far from both neighbours.

    Such an entry has no day, so that it is fetched and proves nothing: a pinned op-ed, a count of seconds read as
    milliseconds, a date of 1970.
    """
    some = [replace(e, day=e.day if e.day and earliest <= e.day <= latest else None) for e in found]
    dated = [at for at, entry in enumerate(some) if entry.day]
    days = [entry.day for entry in some if entry.day]
    for number, at in enumerate(dated):
        one, two = _neighbours(days, number)
        if one and two and min(abs(days[number] - one), abs(days[number] - two)) > FAR + 10 * abs(one - two):
            some[at] = replace(some[at], day=None)
    return some


def _neighbours(days: Sequence[date], at: int) -> tuple[date | None, date | None]:
    """Return the days before and behind one; of the first and the last the two that are nearest."""
    if len(days) < 3:
        return None, None
    first = min(max(at - 1, 0), len(days) - 3)
    others = [day for n, day in enumerate(days[first : first + 3], first) if n != at]
    return others[0], others[1]


@dataclass(frozen=True, slots=True)
class Next:
    """What follows from a page of a route: whether the days are covered, what is wrong, whether to ask on."""

    reached: bool = False
    error: str = ""
    go_on: bool = False


def after(route: Route, page: int, found: Sequence[Entry], fresh: bool, first: date, back_to: date | None) -> Next:
    """Return what follows from page `page` of a route; `fresh` says whether it showed anything the earlier did not,
    `back_to` is the day of the last entry with one, of this page or else of an earlier one.

    The days are covered when a whole page lies before the first of them; one pinned or misdated entry does not do.
    Where a route has one page only, its last entry must. Anything else proves nothing: a site may ignore the page's
    number, or lose its dates.
    """
    days = [entry.day for entry in found if entry.day]
    if not found:
        lost = "0 items: has the layout changed, or is the page made by a script?"
        return ended(route, first, back_to) if page > 1 else Next(error=lost)
    if not days:
        return Next(error="no entry has a date that can be read: has the layout changed?")
    if max(days) < first:
        return Next(reached=True)
    if not route.next:
        return ended(route, first, back_to)
    if not fresh:
        return Next(error=f"page {page} shows nothing new: the site may ignore the page's number")
    return Next(go_on=True) if page < MAX_PAGES else Next(error=f"goes on behind page {MAX_PAGES}")


def ended(route: Route, first: date, back_to: date | None) -> Next:
    """Return what follows where a route has no further page: the days are covered if its last entry is older, or of the
    first day that there is."""
    if back_to is not None and (back_to < first or back_to <= route.first_day):
        return Next(reached=True)
    return Next(error=f"goes back to {back_to or 'no day'}, and has no further page")


def _joined(base: str, link: str) -> str:
    try:
        url = urljoin(base, link.strip())
        return url if urlsplit(url).hostname and urlsplit(url).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def _xml(body: bytes) -> Element:
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable(f"no XML: {error}") from error
    if root is None:
        raise Unreadable("no XML")
    return root


def _elements(root: Element, names: tuple[str, ...]) -> list[Element]:
    return [node for node in root.iter() if isinstance(node.tag, str) and _name(node) in names]


def _name(node: Element) -> str:
    return etree.QName(node).localname.lower() if isinstance(node.tag, str) else ""


def _text(item: html.HtmlElement, selector: str) -> str:
    nodes = select(item, selector) if selector else []
    return collapse(nodes[0].get("datetime") or nodes[0].text_content()) if nodes else ""
