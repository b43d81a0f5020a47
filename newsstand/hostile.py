"""Faults of hostile or broken servers: answers that are costly, mislead, or claim to be something else."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import brotli
from backports import zstd

from .pages import JOINS, c_path
from .site import Answer, PageFault, SiteRequest, is_article
from .world import World

BOMB = 150_000_000  # bytes when its coding is undone; we take 20 MB
MANY_LINKS = 100_000
METADATA = "http://169.254.169.254/latest/meta-data/iam/"  # of clouds: it hands out keys
STEERING = "=HYPERLINK(1) Ferry \u202etpircs\u202c\x1b[31m\x07 &lt;script&gt;alert(1)&lt;/script&gt; \u2066\u200fend"


@cache
def bomb(coding: str) -> bytes:
    """Return a small body that grows to `BOMB` bytes when its coding is undone."""
    body = b"<html><body>" + b"<p>a" * (BOMB // 4)
    if coding == "br":
        return bytes(brotli.compress(body, quality=2))
    if coding == "zstd":
        return zstd.compress(body, 1)
    small = gzip.compress(body, 1, mtime=0)
    return gzip.compress(small, mtime=0) if coding == "gzip, gzip" else small


def _on_articles(change: Callable[[SiteRequest, Answer], Answer]) -> PageFault:
    return lambda q, right, w: change(q, right) if is_article(q, right) else right


def _bomb(coding: str) -> PageFault:
    return _on_articles(lambda q, right: replace(right, body=bomb(coding), headers=(("Content-Encoding", coding),)))


def _leading_to(url: str) -> PageFault:
    return _on_articles(lambda q, right: Answer(302, headers=(("Location", url),)))


def _circle(request: SiteRequest, right: Answer) -> Answer:
    back = f"https://{request.host}{request.path}"
    return Answer(302, headers=(("Location", back if request.query else f"{back}?again=1"),))


def _many_links(request: SiteRequest, right: Answer, world: World) -> Answer:
    """Append links to op-eds that do not exist to the first page of a list, of the day of its last entry."""
    if request.page > 1 or not request.path.startswith("/section/opinion/") or b"mid-article3" not in right.body:
        return right
    first = next(o for o in world.opeds if c_path(o).encode() in right.body)
    day = f"{first.published:%b. %-d, %Y}"
    items = "".join(
        f"<div class='mid-article3'><a class='media' href='/news/{first.published:%Y-%m-%d}/opinion/editorials/x/{n}'>"
        f"<b class='mid-article-title3'>A</b></a><span class='media-date'>{day}</span></div>"
        for n in range(3_000_000, 3_000_000 + MANY_LINKS)
    )
    return replace(right, body=right.body.replace(b"</body>", items.encode() + b"</body>"))


def _says_another(request: SiteRequest, right: Answer, world: World) -> Answer:
    """Let a page say, in each way that pages have, that it is the first op-ed."""
    url = f"https://{JOINS}{c_path(world.opeds[0])}"
    said = f"<link rel='canonical' href='{url}'><meta property='og:url' content='{url}'><base href='{url}'>"
    said += f'<script type="application/ld+json">{{"@type": "NewsArticle", "mainEntityOfPage": "{url}"}}</script>'
    is_one = is_article(request, right) and request.path not in url
    return replace(right, body=right.body.replace(b"</head>", f"{said}</head>".encode())) if is_one else right


def _of_year(year: bytes) -> Callable[[SiteRequest, Answer], Answer]:
    def change(request: SiteRequest, right: Answer) -> Answer:
        body = right.body
        for before, behind in ((b", ", b""), (b" ", b","), (b"", b"-")):
            body = body.replace(before + b"2026" + behind, before + year + behind)
        return replace(right, body=body)

    return change


def _odd_charset(request: SiteRequest, right: Answer) -> Answer:
    """Name an encoding that no browser knows, and whose decoder takes the square of the length."""
    return replace(right, body=right.body + b"a" * 600_000 + b"-" + b"9z" * 600_000, kind="text/html; charset=punycode")


def _turned(request: SiteRequest, right: Answer, world: World) -> Answer:
    """Let headlines turn lines around, steer a terminal, hold markup and a formula."""
    oped = next((o for o in world.opeds if c_path(o) == request.path), None)
    if oped is None or right.status != 200:
        return right
    return replace(right, body=right.body.replace(oped.headline.encode(), STEERING.encode()))


def _cookies(request: SiteRequest, right: Answer) -> Answer:
    return replace(right, headers=(*right.headers, ("Set-Cookie", "session=hunter2-of-the-site; Path=/")))


def _headers(request: SiteRequest, right: Answer) -> Answer:
    return replace(right, headers=tuple((f"X-{n}", "x" * 500) for n in range(20_000)))


def _pause(seconds: int) -> PageFault:
    return _on_articles(lambda q, right: Answer(429, headers=(("Retry-After", str(seconds)),)))


HOSTILE: dict[str, tuple[str, PageFault]] = {
    "circle-302": ("articles lead to themselves with a query, and from there back", _on_articles(_circle)),
    "inward-302": ("articles lead to where clouds hand out keys", _leading_to(METADATA)),
    "loopback-302": ("articles lead to this machine", _leading_to("http://localhost/news/x/2594899")),
    "file-302": ("articles lead to a file of this machine", _leading_to("file:///etc/passwd")),
    "pause-a-year": ("articles answer 429, and want us to wait for a year", _pause(31_536_000)),
    "many-links": (f"lists have {MANY_LINKS:,} links more", _many_links),
    "many-headers": ("articles come with 20,000 headers", _on_articles(_headers)),
    "bomb-gzip": ("articles are 150 MB behind gzip", _bomb("gzip")),
    "bomb-gzip-twice": ("articles are 150 MB behind gzip of gzip", _bomb("gzip, gzip")),
    "bomb-br": ("articles are 150 MB behind Brotli", _bomb("br")),
    "bomb-zstd": ("articles are 150 MB behind Zstandard", _bomb("zstd")),
    "says-another": ("articles say that they are the first op-ed", _says_another),
    "year-1901": ("articles say that they are of 1901", _on_articles(_of_year(b"1901"))),
    "year-9998": ("articles say that they are of 9998", _on_articles(_of_year(b"9998"))),
    "odd-charset": ("articles name an encoding that takes hours to undo", _on_articles(_odd_charset)),
    "turned-text": ("headlines have direction marks, terminal codes, markup and a formula", _turned),
    "cookies": ("articles set a cookie", _on_articles(_cookies)),
}
"""Faults that change an answer; those of the wire are in server.py."""
