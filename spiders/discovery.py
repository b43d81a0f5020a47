"""What a route shows: pure functions from an answer to entries, one for each kind of route."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from lxml import etree, html

from pipelines.extraction.dates import day, from_epoch
from pipelines.extraction.page import collapse
from pipelines.sources import Route
from pipelines.sources.selectors import select

Element = etree._Element
MAX_PAGES = 200  # of one route; it is reported as not read back far enough behind that


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


@dataclass(frozen=True, slots=True)
class Next:
    """What follows from a page of a route: whether the days are covered, what is wrong, whether to ask on."""

    reached: bool = False
    error: str = ""
    go_on: bool = False


def after(route: Route, page: int, found: Sequence[Entry], fresh: bool, first: date) -> Next:
    """Return what follows from page `page` of a route; `fresh` says whether it showed anything the earlier did not.

    The days are covered when a page reaches back before the first of them, or when the pages end: with an empty
    one (a 404 is the caller's). Anything else proves nothing: a site may ignore the page's number, or lose its dates.
    """
    days = [entry.day for entry in found if entry.day]
    if not found:
        lost = "0 items: has the layout changed, or is the page made by a script?"
        return Next(reached=page > 1, error="" if page > 1 else lost)
    if not days:
        return Next(error="no entry has a date that can be read: has the layout changed?")
    if min(days) < first:
        return Next(reached=True)
    if not route.next:
        return Next(error=f"shows nothing before {min(days)}, and has no further page")
    if not fresh:
        return Next(error=f"page {page} shows nothing new: the site may ignore the page's number")
    return Next(go_on=True) if page < MAX_PAGES else Next(error=f"goes on behind page {MAX_PAGES}")


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
