"""What a route shows: pure functions from an answer to entries, one for each kind of route."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from lxml import etree, html

from pipelines.dates import day, from_epoch
from pipelines.page import collapse, select
from pipelines.sources import Route

Element = etree._Element


@dataclass(frozen=True, slots=True)
class Entry:
    """One address that a route shows; `day` is its day in the source's zone, None when the route tells none."""

    url: str
    day: date | None
    title: str


class Unreadable(ValueError):
    """An answer that is not what the route's kind says; the message tells a person why."""


def entries(route: Route, body: bytes, base: str, zone: ZoneInfo) -> list[Entry]:
    """Return what an answer of this route shows, in its order; raise `Unreadable`."""
    return READERS[route.kind](route, body, base, zone)


def listed(route: Route, body: bytes, base: str, zone: ZoneInfo) -> list[Entry]:
    """Read a page of links.

    >>> route = Route("r", "list", "", item="li", link="a", date="i", title="a")
    >>> page = b'<ul><li><a href="/x/1">One</a> <i>Jun. 3, 2026</i></li></ul>'
    >>> listed(route, page, "https://example.org/", ZoneInfo("Asia/Seoul"))
    [Entry(url='https://example.org/x/1', day=datetime.date(2026, 6, 3), title='One')]
    """
    if not body.strip():
        raise Unreadable("the list is empty")
    tree = html.document_fromstring(body, parser=html.HTMLParser(encoding="utf-8"))
    found = []
    for item in select(tree, route.item):
        link = next((a.get("href") for a in select(item, route.link) if a.get("href")), None)
        if link:
            found.append(Entry(urljoin(base, link), day(_text(item, route.date), zone), _text(item, route.title)))
    return found


def fed(route: Route, body: bytes, base: str, zone: ZoneInfo) -> list[Entry]:
    """Read RSS or Atom, odd spellings and zones included."""
    found = []
    for item in _elements(_xml(body), ("item", "entry")):
        texts = {_name(child): child for child in item}
        link = texts.get("link")
        url = (link.text or link.get("href") or "").strip() if link is not None else ""
        stamp = next((texts[n].text or "" for n in ("pubdate", "published", "updated", "date") if n in texts), "")
        if url:
            title = texts["title"].text or "" if "title" in texts else ""
            found.append(Entry(urljoin(base, url), day(stamp, zone), collapse(title)))
    return found


def mapped(route: Route, body: bytes, base: str, zone: ZoneInfo) -> list[Entry]:
    """Read a news sitemap."""
    found = []
    for item in _elements(_xml(body), ("url",)):
        texts = {_name(node): (node.text or "").strip() for node in item.iter() if isinstance(node.tag, str)}
        if texts.get("loc"):
            when = texts.get("publication_date") or texts.get("lastmod", "")
            found.append(Entry(urljoin(base, texts["loc"]), day(when, zone), collapse(texts.get("title", ""))))
    return found


def channelled(route: Route, body: bytes, base: str, zone: ZoneInfo) -> list[Entry]:
    """Read a JSON list whose dates are milliseconds since 1970."""
    try:
        items = json.loads(body)[route.items]
        return [
            Entry(
                urljoin(base, item[route.link]),
                from_epoch(item[route.date]).astimezone(zone).date(),
                collapse(item[route.title]),
            )
            for item in items
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"the list is not the JSON expected ({type(error).__name__}: {error})") from error


Reader = Callable[[Route, bytes, str, ZoneInfo], list[Entry]]
READERS: dict[str, Reader] = {"list": listed, "feed": fed, "news-sitemap": mapped, "json": channelled}


def read_back_to(first: date, found: Iterable[Entry]) -> bool:
    """Whether a page of entries reaches back before the first day asked for, so that none is missing."""
    days = [entry.day for entry in found if entry.day]
    return bool(days) and min(days) < first


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
