"""What a route shows: pure functions from an answer to entries, one for each kind of route."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import takewhile
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from lxml import etree, html

from pipelines.archive.coding import undone
from pipelines.extraction.dates import day, from_epoch
from pipelines.extraction.decoding import decode
from pipelines.extraction.page import collapse
from pipelines.sources import Route
from pipelines.sources.selectors import select

Element = etree._Element
MAX_MAPS = 50  # sitemaps of one index
MAX_PAGES = 200  # of one route; it is reported as not read back far enough behind that
MAX_UNZIPPED = 20_000_000  # bytes of a list; what is behind is not read
OF_FEEDS = frozenset(
    {"", "http://www.w3.org/2005/Atom", "http://purl.org/rss/1.0/", "http://purl.org/dc/elements/1.1/"}
)
FAR = timedelta(days=60)  # from both neighbours, and ten times as far as they are from each other: no date
REMEMBERED = 10  # entries of earlier pages whose days a further page may put in doubt
MOST_DOUBTED = 4  # entries; of more than a third, and more than these, the list is not in order
OLDER = 10  # entries in a row that show that a list has come to older days; fewer may be displaced
DISORDERED = "its entries are not in the order of their days, so that it proves nothing"


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
    """What an answer shows, in its order; `odd` counts what looks like an entry and names no address.

    `more` are the addresses of other sitemaps that an index of them names, the newest first.
    """

    entries: list[Entry]
    odd: int = 0
    more: tuple[str, ...] = ()


def entries_of(route: Route, body: bytes, base: str, zone: ZoneInfo, content_type: str = "") -> Shown:
    """Return what an answer of this route shows; raise `Unreadable`.

    `content_type` is its HTTP header. An entry without an address that can be parsed costs itself alone.
    """
    answer = RouteAnswer(unzipped(body), base, content_type)
    entries, odd = [], 0
    for entry in READERS[route.kind](route, answer, zone):
        url = _joined(answer.base, entry.url) if entry else ""
        if entry and url:
            entries.append(replace(entry, url=url))
        else:
            odd += 1
    more = (_joined(answer.base, url) for url in answer.more)
    return Shown(entries, odd, tuple(dict.fromkeys(filter(None, more)))[:MAX_MAPS])


@dataclass
class RouteAnswer:
    """An answer to be read; a page may name another `base` for its links, an index of sitemaps `more` of them."""

    body: bytes
    base: str
    content_type: str
    more: list[str] = field(default_factory=list)


def unzipped(body: bytes) -> bytes:
    """Return a gzip file's content, as far as it is no bomb; servers send `.gz` without saying so in a header."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    found = undone(body, (("Content-Encoding", "gzip"),), MAX_UNZIPPED)
    if found.body == body or (found.fault and len(found.body) < MAX_UNZIPPED):
        raise Unreadable(f"a broken gzip file: {found.fault or 'it does not begin as one'}")
    return found.body


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
    answer.more = _newest_first(_elements(root, ("sitemap",)), zone) if _name(root) == "sitemapindex" else []
    for item in _elements(root, ("url",)):
        own = {_name(node): (node.text or "").strip() for node in item if isinstance(node.tag, str)}
        news = next((node for node in item if _name(node) == "news"), None)
        told = {_name(node): (node.text or "").strip() for node in news} if news is not None else own
        when = told.get("publication_date") or own.get("publication_date") or own.get("lastmod", "")
        yield Entry(own["loc"], day(when, zone), collapse(told.get("title", ""))) if own.get("loc") else None


def _newest_first(maps: Sequence[Element], zone: ZoneInfo) -> list[str]:
    """Return the addresses of an index of sitemaps; those without a date, which may be the newest, come first."""
    told = [{_name(node): (node.text or "").strip() for node in item if isinstance(node.tag, str)} for item in maps]
    dated = [(day(one.get("lastmod", ""), zone) or date.max, one.get("loc", "")) for one in told]
    return [url for _, url in sorted(dated, key=lambda pair: pair[0], reverse=True)]


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


@dataclass(frozen=True, slots=True)
class Next:
    """What follows from a page of a route: whether the days are covered, what is wrong, whether to ask on."""

    reached: bool = False
    error: str = ""
    go_on: bool = False


class Course:
    """What a route showed so far, page after page, and what follows from that for the days from `first` on.

    A list goes from new to old, but for pinned entries and wrong dates. A day that does not fit in there is no date:
    its entry is fetched whatever it says, and proves nothing. The days are covered when a whole page, and ten entries
    in a row that fit, lie before the first of them, or the list ends behind such an entry, by 404 or an empty page; an
    only page must end behind ten. Anything else proves nothing: a site may ignore the page's number, lose its dates or
    sort by something else.
    """

    def __init__(self, route: Route, first: date, earliest: date, latest: date) -> None:
        self.route, self.first = route, first
        self.earliest, self.latest = earliest, latest  # no page is older, or newer
        self.shown: set[str] = set()
        self.in_order: list[Entry] = []  # those whose day fits, newest first
        self.dated = self.undated = self.unordered = self.odd = 0
        self.is_disordered = False
        self._without_news = 0  # pages in a row

    @property
    def back_to(self) -> date | None:
        """The day of the last entry that fits."""
        return self.in_order[-1].day if self.in_order else None

    def follow(self, page: int, shown: Shown, keys: Sequence[str], more: bool) -> tuple[list[Entry], Next]:
        """Return the entries to look at after page `page`, and what follows.

        `keys` tell entries apart; entries shown before are not looked at again. Entries whose day does not fit have
        none; one of an earlier page may be among them. `more` says whether there is a further page to ask for.
        """
        fresh = {key: entry for key, entry in zip(keys, shown.entries, strict=True) if key not in self.shown}
        self.shown |= fresh.keys()
        self.odd += shown.odd
        plausible = self._without_impossible_days(list(fresh.values()))
        self.undated += sum(entry.day is None for entry in plausible)
        entries = self._without_doubted_days(plausible)
        return entries, self._next(page, bool(shown.entries), plausible, more)

    def _without_impossible_days(self, entries: list[Entry]) -> list[Entry]:
        """Take away days that cannot be, or that are far from both neighbours: seconds read as milliseconds, 1970."""
        some = [replace(e, day=e.day if e.day and self.earliest <= e.day <= self.latest else None) for e in entries]
        dated = [at for at, entry in enumerate(some) if entry.day]
        days = [entry.day for entry in some if entry.day]
        for number, at in enumerate(dated):
            one, two = _neighbours(days, number)
            if one and two and min(abs(days[number] - one), abs(days[number] - two)) > FAR + 10 * abs(one - two):
                some[at] = replace(some[at], day=None)
        return some

    def _without_doubted_days(self, entries: list[Entry]) -> list[Entry]:
        """Take away the days of entries that are older than the next one, and of the next one: one of them is wrong.

        A list of which a third is so is not in order at all; its days stay, and prove nothing.
        """
        before = self.in_order[-REMEMBERED:]
        window = before + [entry for entry in entries if entry.day]
        doubted = _out_of_order([entry.day for entry in window if entry.day])
        self.dated += len(window) - len(before)
        self.unordered += len(doubted)
        self.is_disordered |= self.unordered > max(MOST_DOUBTED, self.dated // 3)
        if self.is_disordered:
            doubted = set()
        wrong = {id(window[at]) for at in doubted}
        self.in_order[-REMEMBERED:] = [entry for entry in window if id(entry) not in wrong]
        again = [entry for entry in before if id(entry) in wrong]
        return [replace(e, day=None) if id(e) in wrong else e for e in (*again, *entries)]

    def _next(self, page: int, has_entries: bool, fresh: Sequence[Entry], more: bool) -> Next:
        days = [entry.day for entry in fresh if entry.day]
        self._without_news = 0 if fresh else self._without_news + 1
        if not has_entries and not (more and not self.route.next):
            lost = "0 items: has the layout changed, or is the page made by a script?"
            return Next(error=lost) if page == 1 else self.ended(is_said=bool(self.route.next))
        if fresh and not days:
            return Next(error="no entry has a date that can be read: has the layout changed?")
        if days and max(days) < self.first and (self.is_disordered or self._older_at_end() >= OLDER):
            return Next(error=DISORDERED) if self.is_disordered else Next(reached=True)
        if not more:
            return self.ended(is_said=False)
        if self.route.next and self._without_news == 2:
            return Next(error=f"page {page} shows nothing new: the site may ignore the page's number")
        return Next(go_on=True) if page < MAX_PAGES else Next(error=f"goes on behind page {MAX_PAGES}")

    def _older_at_end(self) -> int:
        """Return how many entries in a row, up to the last one, fit and are older than the first day asked for."""
        older = takewhile(lambda entry: entry.day is not None and entry.day < self.first, reversed(self.in_order))
        return sum(1 for _ in older)

    def ended(self, is_said: bool) -> Next:
        """Return what follows where there is no further page: the days are covered if what came last is older, or is
        of the first day that there is.

        `is_said`: it answered 404, or a further page without entries. An only page must end behind ten older entries.
        """
        if self.is_disordered:
            return Next(error=DISORDERED)
        has_begun = self.back_to is not None and self.back_to <= self.route.first_day
        if has_begun or self._older_at_end() >= (1 if is_said else OLDER):
            return Next(reached=True)
        return Next(error=f"goes back to {self.back_to or 'no day'}, and has no further page")


def _out_of_order(days: Sequence[date]) -> set[int]:
    """Return which of the days, from new to old, are older than the one behind, and that one; until none is.

    >>> d = [date(2026, 6, n) for n in (5, 1, 4, 3)]
    >>> sorted(_out_of_order(d))
    [1, 2]
    """
    kept: list[int] = []
    doubted: set[int] = set()
    for at, this in enumerate(days):
        if kept and days[kept[-1]] < this:
            doubted |= {kept.pop(), at}
            while kept and days[kept[-1]] < this:
                doubted.add(kept.pop())
        else:
            kept.append(at)
    return doubted


def _neighbours(days: Sequence[date], at: int) -> tuple[date | None, date | None]:
    """Return the days before and behind one; of the first and the last the two that are nearest."""
    if len(days) < 3:
        return None, None
    first = min(max(at - 1, 0), len(days) - 3)
    others = [day for n, day in enumerate(days[first : first + 3], first) if n != at]
    return others[0], others[1]


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
