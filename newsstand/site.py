"""Which answer each address of the replica gives at a moment of its clock: a function, no sockets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from . import pages
from .pages import DAUM, IMAGE, JOINS, WWW
from .world import MOVE, Oped, World

PER_PAGE = 10
FEED_ITEMS = 30
PIXEL = bytes.fromhex(
    "52494646220000005745425056503820160000003001009d012a0100010001400025a400037000feff000000"
)  # ours
ROBOTS = "User-agent: *\nDisallow: /private/\n"
HOSTS = {JOINS, WWW, "koreajoongangdaily.com", IMAGE, DAUM, "news.v.daum.net"}
OF_ARCHIVES = {
    "web.archive.org",
    "index.commoncrawl.org",
    "data.commoncrawl.org",
}  # public_archives.py answers for these


@dataclass(frozen=True)
class Answer:
    """What is sent: status, headers, body before any coding."""

    status: int
    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    cut: int = 0  # so many bytes are sent of those that are announced; 0 for all


@dataclass(frozen=True)
class SiteRequest:
    """A request as the site sees it."""

    host: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    referer: str = ""
    target: str = ""  # path and query as they were sent
    range: str = ""  # the header Range
    shift: int = 0  # by how many items a list moved since its first page was asked for

    @property
    def page(self) -> int:
        """The page of a list that is asked for."""
        return int(next(iter(self.query.get("page", self.query.get("pgi", ["1"]))), "1") or 1)


NOT_FOUND = Answer(404, b"<html><body><h1>Not found</h1></body></html>")


def asked(url: str, referer: str = "", range_: str = "", shift: int = 0) -> SiteRequest:
    """Return a request for an address."""
    parts = urlsplit(url)
    target = re.sub(r"^https?://[^/]*", "", url, count=1)
    host = (parts.hostname or "").lower()
    return SiteRequest(host, parts.path, parse_qs(parts.query), referer, target, range_, shift)


def answer(request: SiteRequest, world: World, clock: datetime, given: dict[str, bytes]) -> Answer:
    """Return what the sites answer at that moment; `given` are files served as they are, by `host/path`."""
    file = given.get(f"{request.host}{request.path}")
    if file is not None:
        return Answer(200, file)
    if request.path == "/robots.txt":
        return Answer(200, ROBOTS.encode(), "text/plain")
    site: dict[str, Callable[[SiteRequest, World, datetime], Answer]] = {
        JOINS: joins,
        WWW: www,
        DAUM: daum,
        IMAGE: image,
    }
    host = {"koreajoongangdaily.com": WWW, "news.v.daum.net": DAUM}.get(request.host, request.host)
    return site[host](request, world, clock) if host in site else NOT_FOUND


def html(text: str) -> Answer:
    """Return a page."""
    return Answer(200, text.encode())


def out(world: World, clock: datetime) -> list[Oped]:
    """Return the op-eds published by then, newest first."""
    return sorted((o for o in world.opeds if o.published <= clock), key=lambda o: o.published, reverse=True)


def joins(request: SiteRequest, world: World, clock: datetime) -> Answer:
    """The old host: era C until the move; its older pages stay."""
    old = _drawer(request, world)
    if old is not None:
        return old
    before = [o for o in out(world, clock) if o.published < MOVE]
    page = next((o for o in before if pages.c_path(o) == request.path), None)
    if page is not None:
        return html(pages.article_c(page, clock))
    if clock >= MOVE:  # lists, feed and sitemap went with the paper
        return NOT_FOUND
    sections = {"/section/opinion": before}
    sections |= {f"/section/opinion/{s}": [o for o in before if o.section == s] for s in ("editorials", "columns")}
    if request.path in sections:
        return _paged(sections[request.path], request, lambda items: pages.list_c(items, request.page))
    if request.path == "/xmls/joins":
        return Answer(200, pages.feed(before[:FEED_ITEMS], odd=False).encode(), "application/rss+xml")
    if request.path == "/sitemap_google_news.xml":
        recent = [o for o in before if (clock - o.published).days < 2]
        return Answer(200, pages.sitemap(recent).encode(), "application/xml")
    return NOT_FOUND


def _drawer(request: SiteRequest, world: World) -> Answer | None:
    """Eras A, A′ and B, and era A's list; the paths of era A are read without regard to case."""
    path = request.path.lower()
    if path == "/news/article/article.aspx":
        aid = next(iter(request.query.get("aid", [""])))
        return next((html(pages.page_old(o)) for o in world.drawer if o.era == "a" and o.aid == aid), NOT_FOUND)
    if path == "/news/list/list.aspx":
        items = [o for o in world.drawer if o.era == "a"]
        last = -(-len(items) // PER_PAGE)
        at = (request.page - 1) * PER_PAGE
        return html(pages.list_a(items[at : at + PER_PAGE], request.page, last))
    return next((html(pages.page_old(o)) for o in world.drawer if o.path == request.path), None)


def www(request: SiteRequest, world: World, clock: datetime) -> Answer:
    """The new host: nothing before the move; then everything, the old op-eds under new numbers."""
    if clock < MOVE:
        return NOT_FOUND
    items = out(world, clock)
    if request.path.rstrip("/") == "/opinion":
        return _paged(items, request, pages.list_d)
    page = next((o for o in items if pages.d_path(o) == request.path), None)
    return html(pages.article_d(page, clock)) if page else NOT_FOUND


def daum(request: SiteRequest, world: World, clock: datetime) -> Answer:
    """The portal: articles, and a list that wants the channel's page as referer."""
    on_portal = [o for o in world.opeds if o.daum_at and o.daum_at <= clock]
    if request.path.startswith("/channel/") and request.path.endswith("/list.json"):
        if "/channel/" not in request.referer:
            return Answer(403, b"{}", "application/json")
        rows = [(o.headline, pages.daum_url(o), o.daum_at) for o in on_portal if o.daum_at]
        rows += [
            (headline, f"https://{DAUM}/v/{native}", moment)
            for native, moment, headline, _ in world.news
            if moment <= clock
        ]
        rows.sort(key=lambda row: row[2], reverse=True)
        at = (request.page - 1) * PER_PAGE
        return Answer(200, pages.channel(rows[at : at + PER_PAGE]).encode(), "application/json")
    native = request.path.rsplit("/", 1)[-1]
    for moment_id, moment, headline, text in world.news:
        if native == moment_id and moment <= clock:
            return html(pages.article_news(native, moment, headline, text))
    page = next((o for o in on_portal if o.daum_id() == native), None)
    return html(pages.article_daum(page)) if page else NOT_FOUND


def image(request: SiteRequest, world: World, clock: datetime) -> Answer:
    """Pictures: one of ours for every number."""
    return Answer(200, PIXEL, "image/webp") if request.path.endswith(".webp") else NOT_FOUND


def _paged(items: list[Oped], request: SiteRequest, render: Callable[[list[Oped]], str]) -> Answer:
    at = max(0, (request.page - 1) * PER_PAGE - request.shift)
    return html(render(items[at : at + PER_PAGE]))


# -- faults: each a function from the right answer to a wrong one ------------------------------------

LIST_PATHS = ("/section/", "/opinion", "/channel/", "/news/list/")


def moved(request: SiteRequest, right: Answer, world: World) -> Answer:
    """Send an era-C address on to the new host."""
    page = next((o for o in world.opeds if request.host == JOINS and pages.c_path(o) == request.path), None)
    return Answer(301, headers=(("Location", pages.d_url(page)),)) if page else right


def redesigned(request: SiteRequest, right: Answer, world: World) -> Answer:
    """Rename every class and id the profiles know."""
    body = right.body
    for known in (
        b"article_body",
        b"article-body",
        b"article_view",
        b"view-article-title",
        b"article-title",
        b"tit_view",
    ):
        body = body.replace(known, b"x" + known[:3] + b"q")
    return replace(right, body=body)


def is_article(request: SiteRequest, right: Answer) -> bool:
    """Whether an answer is an HTML page that is not a list."""
    is_list = request.path.startswith(LIST_PATHS[:1] + LIST_PATHS[3:]) or request.path.rstrip("/") == "/opinion"
    return right.status == 200 and "html" in right.kind and not is_list


def _html_only(
    change: Callable[[SiteRequest, Answer, World], Answer],
) -> Callable[[SiteRequest, Answer, World], Answer]:
    return lambda request, right, world: change(request, right, world) if is_article(request, right) else right


def _on_lists(wrong: Answer) -> Callable[[SiteRequest, Answer, World], Answer]:
    def on_lists(request: SiteRequest, right: Answer, world: World) -> Answer:
        listing = (
            request.path.startswith(("/section/", "/channel/", "/news/list/")) or request.path.rstrip("/") == "/opinion"
        )
        return wrong if listing and right.status == 200 else right

    return on_lists


def _euc_kr(request: SiteRequest, right: Answer, world: World) -> Answer:
    text = right.body.decode().replace("charset='utf-8'", "charset='euc-kr'")
    for curly, straight in (("’", "'"), ("‘", "'"), ("“", '"'), ("”", '"'), ("—", "-"), ("–", "-"), ("©", "(c)")):
        text = text.replace(curly, straight)
    return replace(right, body=text.encode("euc-kr", "xmlcharrefreplace"), kind="text/html")


def _body_moved(request: SiteRequest, right: Answer, world: World) -> Answer:
    """Leave the body's node empty and put its paragraphs into another."""
    body = right.body
    for known in (b"<div id='article_body'>", b"<div class='article-body'>", b"<div class='article_view'>"):
        body = body.replace(known, known + b"</div><div class='story-text'>")
    return replace(right, body=body)


def _emptied(request: SiteRequest, right: Answer, world: World) -> Answer:
    return replace(
        right, body=b"<html><head><title>Korea JoongAng Daily</title></head><body><header>menu</header></body></html>"
    )


def _lazy(request: SiteRequest, right: Answer, world: World) -> Answer:
    """Leave only the last paragraph."""
    head, _, rest = right.body.partition(b"<p")
    paragraphs = rest.split(b"<p")
    return replace(right, body=head + b"<p" + paragraphs[-1])


def _feed_dates(request: SiteRequest, right: Answer, world: World) -> Answer:
    items = [o for o in world.opeds if f"{o.cid}</guid>".encode() in right.body]
    items.sort(key=lambda o: o.published, reverse=True)
    return replace(right, body=pages.feed(items, odd=True).encode()) if request.path == "/xmls/joins" else right


def _dateless(request: SiteRequest, right: Answer, world: World) -> Answer:
    listing = request.path.startswith(LIST_PATHS[:1]) or request.path.rstrip("/") == "/opinion"
    return (
        replace(right, body=right.body.replace(b"media-date", b"when").replace(b"<time", b"<b")) if listing else right
    )


def _robots(request: SiteRequest, right: Answer, world: World) -> Answer:
    text = b"User-agent: *\nDisallow: /opinion/\nDisallow: /news/\nDisallow: /v/\n"
    return replace(right, body=text) if request.path == "/robots.txt" else right


def _leading(status: int, to: str = "") -> PageFault:
    """Return a fault that sends readers of articles elsewhere; without an address, to where they are."""

    def fault(request: SiteRequest, right: Answer, world: World) -> Answer:
        if right.status != 200 or request.host not in {JOINS, WWW} or not re.search(r"/\d{7,8}$", request.path):
            return right
        return Answer(status, headers=(("Location", to or f"https://{request.host}{request.path}"),))

    return fault


def _slow_robots(seconds: int) -> PageFault:
    text = f"User-agent: *\nCrawl-delay: 99\n\nUser-agent: joongang-opeds\nCrawl-delay: {seconds}\nAllow: /\n".encode()
    return lambda q, right, w: replace(right, body=text) if q.path == "/robots.txt" else right


def _nameless(request: SiteRequest, right: Answer, world: World) -> Answer:
    """Give the first op-ed of each list an address of a form that nobody knows."""
    listing = request.path.startswith("/section/opinion/")
    body = re.sub(rb"(/opinion/[a-z]+/)[^'\"]*/(\d{7})", rb"\1story-\2", right.body, count=1)
    return replace(right, body=body) if listing else right


def _of_playback(change: Callable[[Answer], Answer]) -> PageFault:
    """Return a fault of an archive's pages: of those that it serves whole."""

    def fault(request: SiteRequest, right: Answer, world: World) -> Answer:
        is_page = request.host == "web.archive.org" and request.path.startswith("/web/") and right.status == 200
        return change(right) if is_page else right

    return fault


def _without_memento(right: Answer) -> Answer:
    return replace(right, headers=tuple(pair for pair in right.headers if pair[0] != "Memento-Datetime"))


def _of_archives(wrong: Answer) -> PageFault:
    """Return a fault of every answer of an archive but robots.txt."""
    return lambda q, right, w: wrong if q.host in OF_ARCHIVES and q.path != "/robots.txt" else right


PageFault = Callable[[SiteRequest, Answer, World], Answer]
ANSWER_FAULTS: dict[str, tuple[str, PageFault]] = {
    "feed-404": ("the feed answers 404", lambda q, right, w: NOT_FOUND if q.path == "/xmls/joins" else right),
    "feed-odd-dates": ("the feed writes dates as a neighbour paper does", _feed_dates),
    "moved-301": ("era-C addresses lead to the new host", moved),
    "dateless": ("lists have lost their dates", _dateless),
    "partial-206": ("articles answer 206", _html_only(lambda q, right, w: replace(right, status=206))),
    "empty-listing": (
        "lists are pages made by a script",
        _on_lists(html("<html><body><script>load()</script></body></html>")),
    ),
    "euc-kr": ("articles in EUC-KR; only their meta says so", _html_only(_euc_kr)),
    "robots-deny": ("robots.txt forbids the op-eds", _robots),
    "robots-429": ("robots.txt answers 429", lambda q, r, w: Answer(429) if q.path == "/robots.txt" else r),
    "robots-503": ("robots.txt answers 503", lambda q, r, w: Answer(503) if q.path == "/robots.txt" else r),
    "redesign": ("classes and ids have other names", _html_only(redesigned)),
    "moved-body": ("the body's node is empty, its paragraphs stand in another", _html_only(_body_moved)),
    "empty-body": ("articles have no text", _html_only(_emptied)),
    "lazy-body": ("articles show their last paragraph only", _html_only(_lazy)),
    "zero-bytes": ("articles are empty answers", _html_only(lambda q, right, w: replace(right, body=b""))),
    "gone": ("articles answer 410", _html_only(lambda q, right, w: Answer(410))),
    "maintenance-302": ("articles lead to a page that is none, for the moment", _leading(302, "/maintenance.html")),
    "dead-301": ("articles lead to the front page for good", _leading(301, "/")),
    "elsewhere-302": ("articles lead to another site for the moment", _leading(302, "https://portal.example/login")),
    "elsewhere-301": ("articles lead to another site for good", _leading(301, "https://portal.example/")),
    "port-302": (
        "articles lead to port 22 of their own host",
        _leading(302, "https://koreajoongangdaily.joins.com:22/news/x/2594899"),
    ),
    "cookie-302": ("articles lead to themselves", _leading(302)),
    "robots-slow-1": ("robots.txt asks us for a second between two requests", _slow_robots(1)),
    "robots-slow-90": ("robots.txt asks us for 90 seconds between two requests", _slow_robots(90)),
    "robots-elsewhere": (
        "robots.txt lies on another host",
        lambda q, r, w: (
            Answer(301, headers=(("Location", f"https://{DAUM}/robots.txt"),))
            if (q.host, q.path) == (JOINS, "/robots.txt")
            else r
        ),
    ),
    "nameless": ("the first op-ed of each list has an address of an unknown form", _nameless),
    "refuse-403": ("every page answers 403", lambda q, right, w: right if q.path == "/robots.txt" else Answer(403)),
    "archive-429": (
        "archives answer 429, and say when to come back",
        _of_archives(Answer(429, headers=(("Retry-After", "1"),))),
    ),
    "archive-429-silent": ("archives answer 429, and do not say when to come back", _of_archives(Answer(429))),
    "archive-503": ("archives answer 503", _of_archives(Answer(503))),
    "archive-html": ("archives answer a page of their own", _of_archives(html("<html>Down for maintenance</html>"))),
    "archive-excluded": ("an archive refuses pages", _of_playback(lambda right: Answer(403, b"Blocked Site Error"))),
    "archive-other-bytes": (
        "an archive's pages are not what its index says",
        _of_playback(lambda right: replace(right, body=right.body.replace(b"</body>", b"(sic)</body>", 1))),
    ),
    "archive-rewritten": (
        "an archive's pages come with its toolbar",
        _of_playback(
            lambda r: replace(r, body=r.body.replace(b"<body>", b"<body><!-- BEGIN WAYBACK TOOLBAR INSERT -->"))
        ),
    ),
    "archive-half": ("an archive's pages break off", _of_playback(lambda r: replace(r, cut=len(r.body) // 2))),
    "archive-dateless": ("an archive's pages do not say their moment", _of_playback(_without_memento)),
    "archive-circle": (
        "an archive's index never comes to its end",
        lambda q, r, w: (
            replace(r, body=r.body.rstrip(b"]") + b'], [], ["again"]]')
            if q.path == "/cdx/search/cdx" and b"[[" in r.body
            else r
        ),
    ),
    "archive-robots": (
        "an archive's robots.txt forbids what we would ask for",
        lambda q, r, w: (
            replace(r, body=b"User-agent: *\nDisallow: /cdx\nDisallow: /web\n")
            if q.host in OF_ARCHIVES and q.path == "/robots.txt"
            else r
        ),
    ),
    "flaky-503": (
        "answers 503; give it a count",
        lambda q, right, w: right if q.path == "/robots.txt" else Answer(503),
    ),
    "rate-429": (
        "answers 429 with Retry-After: 2; give it a count",
        lambda q, right, w: right if q.path == "/robots.txt" else Answer(429, headers=(("Retry-After", "2"),)),
    ),
}
"""Faults that change an answer; those in server.py change the request or how bytes are sent."""
