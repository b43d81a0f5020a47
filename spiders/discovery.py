"""What a route shows: pure functions from an answer to entries, one for each kind of route."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from lxml import etree, html

from pipelines.extraction.dates import day, from_epoch
from pipelines.extraction.decoding import decode
from pipelines.extraction.page import collapse
from pipelines.sources import Route
from pipelines.sources.selectors import select

Element = etree._Element
MAX_PAGES = 200  # of one route; it is reported as not read back far enough behind that
MAX_UNZIPPED = 20_000_000  # bytes of a list; what is behind is not read
OF_FEEDS = frozenset(
    {"", "http://www.w3.org/2005/Atom", "http://purl.org/rss/1.0/", "http://purl.org/dc/elements/1.1/"}
)
FAR = timedelta(days=60)  # from both neighbours, and ten times as far as they are from each other: no date


@dataclass(frozen=True, slots=True)
class Entry:
    """One address that a route shows; `day` is its day in the source's zone, None when the route tells none."""

    url: str
    day: date | None
    title: str


class Unreadable(ValueError):
    """An answer that is not what the route's kind says; the message tells a person why."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What an answer shows, in its order; `odd` counts what looks like an entry and names no address."""

    entries: list[Entry]
    odd: int = 0


def entries_of(route: Route, body: bytes, base: str, zone: ZoneInfo, content_type: str = "") -> Shown:
    """Return what an answer of this route shows; raise `Unreadable`.

    `content_type` is its HTTP header. An entry without an address that can be parsed costs itself alone.
    """
    answer = RouteAnswer(_unzipped(body), base, content_type)
    entries, odd = [], 0
    for entry in READERS[route.kind](route, answer, zone):
        url = _joined(answer.base, entry.url) if entry else ""
        if entry and url:
            entries.append(replace(entry, url=url))
        else:
            odd += 1
    return Shown(entries, odd)


@dataclass
class RouteAnswer:
    """An answer to be read; a page may name another `base` for its links."""

    body: bytes
    base: str
    content_type: str


def _unzipped(body: bytes) -> bytes:
    """Return a gzip file's content, as far as it is no bomb; servers send `.gz` without saying so in a header."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(31).decompress(body, MAX_UNZIPPED)
    except zlib.error as error:
        raise Unreadable(f"a broken gzip file: {error}") from error


def listed(route: Route, answer: RouteAnswer, zone: ZoneInfo) -> Iterator[Entry | None]:
    """Read a page of links.

    >>> route = Route("r", "list", "", item="li", link="a", date="i", title="a")
    >>> page = b'<ul><li><a href="/x/1">One</a> <i>Jun. 3, 2026</i></li></ul>'
    >>> list(listed(route, RouteAnswer(page, "", ""), ZoneInfo("Asia/Seoul")))
    [Entry(url='/x/1', day=datetime.date(2026, 6, 3), title='One')]
    """
    text = decode(answer.body, answer.content_type).text
    try:
        tree = html.document_fromstring(text.encode(errors="replace"), parser=html.HTMLParser(encoding="utf-8"))
    except (etree.ParserError, ValueError) as error:
        raise Unreadable("the list is empty") from error
    stated = next((element.get("href") for element in tree.iter("base") if element.get("href")), "")
    answer.base = _joined(answer.base, stated) or answer.base if stated else answer.base
    for item in select(tree, route.item):
        link = next((a.get("href") for a in select(item, route.link) if a.get("href")), None)
        yield Entry(link, day(_text(item, route.date), zone), _text(item, route.title)) if link else None


def fed(route: Route, answer: RouteAnswer, zone: ZoneInfo) -> Iterator[Entry | None]:
    """Read RSS or Atom, odd spellings and zones included."""
    for item in _elements(_xml(answer.body), ("item", "entry")):
        texts = {_name(child): child for child in reversed(item) if not _prefix(child)}  # the first of a name counts
        stamped = {_name(child): child.text or "" for child in reversed(item)}
        stamp = next((stamped[n] for n in ("pubdate", "published", "updated", "date") if n in stamped), "")
        title = texts["title"].text or "" if "title" in texts else ""
        url = _address_in(item)
        yield Entry(url, day(stamp, zone), collapse(title)) if url else None


def _address_in(item: Element) -> str:
    """Return an entry's own address: of RSS its link, else a guid that is one; of Atom its alternate link."""
    found = []
    for child in item:
        name, text = _name(child), (child.text or "").strip() if isinstance(child.tag, str) else ""
        if name == "link" and child.get("rel", "alternate") == "alternate":
            found.append((0, urljoin(child.base or "", text or child.get("href") or "")))
        elif (
            name in {"guid", "id"} and child.get("isPermaLink") != "false" and text.startswith(("http://", "https://"))
        ):
            found.append((1, text))
    return min((each for each in found if each[1]), default=(0, ""))[1]


def mapped(route: Route, answer: RouteAnswer, zone: ZoneInfo) -> Iterator[Entry | None]:
    """Read a news sitemap."""
    root = _xml(answer.body)
    if _name(root) == "sitemapindex":
        raise Unreadable("is an index of sitemaps; name one of them in the source file")
    for item in _elements(root, ("url",)):
        own = {_name(node): (node.text or "").strip() for node in item if isinstance(node.tag, str)}
        news = next((node for node in item if _name(node) == "news"), None)
        told = {_name(node): (node.text or "").strip() for node in news} if news is not None else own
        when = told.get("publication_date") or own.get("publication_date") or own.get("lastmod", "")
        yield Entry(own["loc"], day(when, zone), collapse(told.get("title", ""))) if own.get("loc") else None


def channelled(route: Route, answer: RouteAnswer, zone: ZoneInfo) -> Iterator[Entry | None]:
    """Read a JSON list whose dates are milliseconds since 1970."""
    try:
        items = json.loads(answer.body)[route.items]
        if not isinstance(items, list):
            raise TypeError(f"{route.items} is no list")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f"the list is not the JSON expected ({type(error).__name__}: {error})") from error
    for item in items:
        try:
            yield Entry(str(item[route.link]), _day_of(item.get(route.date), zone), collapse(str(item[route.title])))
        except (KeyError, TypeError, AttributeError):
            yield None  # an advertisement between the entries


def _day_of(stamp: object, zone: ZoneInfo) -> date | None:
    try:
        return from_epoch(float(str(stamp))).astimezone(zone).date()
    except (ValueError, ArithmeticError, OSError):
        return None


Reader = Callable[[Route, RouteAnswer, ZoneInfo], Iterator[Entry | None]]
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
    """Return an element's name without its prefix, in small letters; also where the prefix was never declared."""
    return node.tag.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(node.tag, str) else ""


def _prefix(node: Element) -> bool:
    """Whether an element is of another vocabulary than feeds: of media, say, which have titles of their own."""
    if not isinstance(node.tag, str):
        return True
    space = node.tag.rpartition("}")[0].strip("{")
    return ":" in node.tag.rpartition("}")[2] or space not in OF_FEEDS


def _text(item: html.HtmlElement, selector: str) -> str:
    nodes = select(item, selector) if selector else []
    return collapse(nodes[0].get("datetime") or nodes[0].text_content()) if nodes else ""
