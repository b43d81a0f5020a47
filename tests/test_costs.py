"""Pages are hostile: whatever their shape, the time to read one grows no faster than its size.

A shape is a function from a number of repetitions to a page. Each is read at n and at 4 n; the second may take five
times as long as the first. `make test-long` goes up to 5 MB.
"""

import os
import time
from collections.abc import Callable
from random import Random
from zoneinfo import ZoneInfo

import pytest

from pipelines.extraction.dates import day, moment
from pipelines.extraction.extract import extract
from pipelines.sources.addresses import place_of
from tests.conftest import C_URL, LONG, SOURCES, capture, page, prose

SIZE = 1_250_000 if LONG else 100_000  # bytes at n; 4 n is 5 MB in the long form
FUZZ_SIZE = 60_000  # bytes at n, of an invented shape
LIMIT = 20.0  # seconds for any page
FASTEST = 0.3  # seconds; below that, the clock says nothing
TEXT = "".join(f"<p>{line}</p>" for line in prose(1))


def around(inside: str, head: str = "", after: str = "") -> bytes:
    body = f"<a class='article-publish-date'>Published: 13 Jun. 2024, 20:09</a><div id='article_body'>{inside}</div>"
    return f"<html><head><title>A ferry</title>{head}</head><body>{body}{after}</body></html>".encode()


def many(piece: str) -> Callable[[int], bytes]:
    """Return the shape of a body that repeats a piece of markup."""
    return lambda size: around(TEXT + piece * (size // len(piece.encode())))


def one(piece: str) -> Callable[[int], bytes]:
    """Return the shape of one paragraph that repeats a piece of text."""
    return lambda size: around(f"{TEXT}<p>{piece * (size // len(piece.encode()))}</p>")


def first(piece: str) -> Callable[[int], bytes]:
    """Return the shape of a first paragraph that repeats a piece of text."""
    return lambda size: around(f"<p>{piece * (size // len(piece.encode()))}</p>{TEXT}")


def byline(piece: str) -> Callable[[int], bytes]:
    inside = f"<b class='article-byline'>{{}}</b>{TEXT}"
    return lambda size: around("").replace(b"<div id", f"{inside.format(piece * (size // len(piece)))}<div id".encode())


SHAPES: dict[str, Callable[[int], bytes]] = {
    "words between breaks": many("word<br>"),
    "stars": many("<p>***</p>"),
    "dashed lines": many("<p>- abc -</p>"),
    "names": many("<p>Kim Min-ju</p>"),
    "names at once": one("Kim Min-ju "),
    "dots in a byline": byline("a.b+"),
    "brackets in a byline": byline("["),
    "combining marks": one("a\u0315\u0300"),
    "many marks on one letter": one("\u0315\u0300"),
    "capitals": first("Aa "),
    "by lines": many("<p>By Kim Min-ju, writer</p>"),
    "bios": many("<p>The author is a writer.</p>"),
    "one endless word": one("a"),
    "one endless capital": first("A"),
    "quotation marks": one("“"),
    "white space": one(" \t"),
    "links": many("<a href='/1'>Headline one</a> "),
    "list items": many("<li>item"),
    "nested elements": many("<div>"),
    "nested spans": many("<span>a"),
    "unclosed bold": many("<b>bold"),
    "images": many("<img alt='A pier'>"),
    "comments": many("<!-- x -->"),
    "unclosed comments": many("<!-- x "),
    "comments closed once": lambda size: around(TEXT + "<!-- x " * (size // 7) + "-->"),
    "scripts closed once": lambda size: around(TEXT + "<script x " * (size // 10) + "<p>a</p><b></script>"),
    "unclosed scripts": many("<script x"),
    "unclosed styles": many("<p>a<style>"),
    "unclosed tags": many("<p The pier "),
    "unclosed quotes": many("<a href=\"x>The pier was closed</a> "),
    "hidden lines": many("<p hidden>A line</p>"),
    "advertising": many("<div class=ad>A line</div>"),
    "pull quotes": many("<aside>The pier was closed for good</aside>"),
    "articles": lambda size: around(TEXT, after="<div><h1>B</h1><div id='article_body'>Go</div></div>" * (size // 60)),
    "captions": many("<figcaption>A pier</figcaption>"),
    "drop caps": many("<p><span class=dropcap>T</span>he"),
    "short quotations": many("<q>a"),
    "footnote marks": many("<sup><a href='#1'>1</a></sup>"),
    "buttons": many("<button>a</button>"),
    "posts in posts": many("<div class=twitter-tweet>a"),
    "advertising in advertising": many("<div class=ad>a"),
    "decomposed Hangul": one("\u1107\u1162\u1100\u1161 "),
    "ends of the page": many("</body></html><p>A line"),
    "attributes": lambda size: around(f"<p {'a=1 ' * (size // 4)}>text</p>{TEXT}"),
    "one long attribute": lambda size: around(f"<p class='{'a ' * (size // 2)}'>text</p>{TEXT}"),
    "entities": one("&amp;"),
    "Korean": one("배가 "),
    "two languages": many("<p>A line</p><p>한 줄이다</p>"),
    "metas": lambda size: around(TEXT, head="<meta name='a' content='b'>" * (size // 27)),
    "JSON-LD": lambda size: around(
        TEXT, head=f"<script type='application/ld+json'>[{'{},' * (size // 3)}{{}}]</script>"
    ),
    "authors in JSON-LD": lambda size: around(
        TEXT,
        head="<script type='application/ld+json'>"
        + '{"@type":"NewsArticle","author":["' + "Kim Min-ju, " * (size // 12) + '"]}</script>',
    ),
    "a table": many("<tr><td>a</td></tr>"),
    "copyright lines": many("<p>Copyright 2024</p>"),
    "mail addresses": one("a@b.c "),
    "text beside the body": lambda size: around(TEXT, after="<p>Another paragraph of text.</p>" * (size // 33)),
    "no profile": lambda size: page(["A sentence of an op-ed. " * 8] * (size // 200)).replace(b"article_body", b"x"),
    "no profile, short lines": lambda size: page(["A line."] * (size // 14)).replace(b"article_body", b"x"),
}  # fmt: skip


def seconds(body: bytes) -> float:
    place = place_of(C_URL, SOURCES.values())
    assert place
    began = time.process_time()
    extract(capture(body, "2024-06-14T00:00:00"), place)
    return time.process_time() - began


@pytest.mark.long
@pytest.mark.parametrize("name", SHAPES)
def test_time_grows_no_faster_than_the_page(name: str) -> None:
    few = lots = float("inf")
    for _ in range(5):  # the machine has other work too, which can only make a time longer
        few, lots = min(few, seconds(SHAPES[name](SIZE))), min(lots, seconds(SHAPES[name](4 * SIZE)))
        if lots <= min(LIMIT, 5 * max(few, FASTEST)):
            return
    pytest.fail(f"{few:.2f} s at {SIZE:,} bytes, {lots:.2f} s at four times")


# -- shapes that nobody thought of: structure × length × text, from a seed ---------------------------------------------

TAGS = "p div span li b i a td h1 h2 figcaption aside blockquote section pre q em sup button font center dd".split()
CLASSES = "ad article-byline article-publish-date ab_photo artAd related twitter-tweet view-article-title x".split()
TEXTS = (
    "A line of an op-ed. ", "a", "A", " ", "\t\n", "Kim Min-ju ", "By Kim Min-ju, writer ", "AND ",
    "The author is a writer. ", "a@b.c ", "Copyright 2024 ", "***", "- abc - ", "“Yes,” he said. ",
    "13 Jun. 2024, 20:09 ", "2024-06-13 ", "배가 떴다. ", "기자 ", "&amp;", "&rsquo;", "&#x41;", "\u0301", "\u200b",
    "\u202e", "ﷺ", "😀", "https://a.example/b ", "[Photo] ", "1,234.5 ", "#tag ", "(KOR) ", ". ", ", ", "; ", "A. ",
    "word<br>", "<!-- x -->", "<br/><br/>", "<img alt='A pier'>", "<wbr>",
)  # fmt: skip
STRUCTURES: tuple[Callable[[Random, str], str], ...] = (
    lambda rng, text: f"<{(tag := rng.choice(TAGS))}>{text}</{tag}>",
    lambda rng, text: f"<{rng.choice(TAGS)}>{text}",
    lambda rng, text: f"{text}</{rng.choice(TAGS)}>",
    lambda rng, text: f"<{(tag := rng.choice(TAGS))} class='{rng.choice(CLASSES)}'>{text}</{tag}>",
    lambda rng, text: f"<{rng.choice(TAGS)} id='article_body'>{text}",
    lambda rng, text: f"<p {rng.choice(('hidden', 'style=x', 'class=', 'itemprop=articleBody', 'a=1 b=2'))}>{text}</p>",
    lambda rng, text: f"<a href='{rng.choice(('/1', '#', 'javascript:x', '//b.example'))}'>{text}</a>",
    lambda rng, text: f"<meta name='{rng.choice(('author', 'date', 'x'))}' content='{rng.choice(TEXTS)[:9]}'>{text}",
    lambda rng, text: f'<script type=\'application/ld+json\'>{{"a": ["{text[:5]}"]}}</script>',
    lambda rng, text: f"<table><tr><td>{text}",
    lambda rng, text: text,
)
TRIED = 2000 if "FUZZ" in os.environ else 15


def invented(seed: int) -> tuple[str, Callable[[int], bytes]]:
    """Return a shape that a seed gives, and what it repeats: one to three pieces of markup, somewhere on the page."""
    rng = Random(seed)
    pieces = []
    for _ in range(rng.randint(1, 3)):
        text = "".join(rng.choices(TEXTS, k=rng.choice((1, 1, 2, 5)))) * rng.choice((1, 1, 3, 40))
        for _ in range(rng.randint(1, 2)):
            text = rng.choice(STRUCTURES)(rng, text)
        pieces.append(text)
    unit, where = "".join(pieces), rng.choice(("inside", "inside", "first", "after", "head", "byline"))

    def made(size: int) -> bytes:
        many_of_it = unit * max(1, size // len(unit.encode()))
        if where == "inside":
            return around(TEXT + many_of_it)
        if where == "first":
            return around(many_of_it + TEXT)
        if where == "byline":
            return around(f"<b class='article-byline'>{many_of_it}</b>{TEXT}")
        return around(TEXT, **{where: many_of_it})

    return f"{where}: {unit[:300]!r}", made


@pytest.mark.parametrize("seed", range(TRIED))
def test_no_invented_shape_costs_more_than_its_size(seed: int) -> None:
    told, shape = invented(seed)
    few = lots = float("inf")
    for _ in range(4):
        few, lots = min(few, seconds(shape(FUZZ_SIZE))), min(lots, seconds(shape(4 * FUZZ_SIZE)))
        if lots <= 5 * max(few, FASTEST):
            return
    most = seconds(shape(64 * FUZZ_SIZE))  # 4 MB: what jumps once, to some seconds, and stays there is no square
    if most <= min(LIMIT, 80 * max(few, FASTEST)):
        return
    pytest.fail(f"{few:.2f}, {lots:.2f}, {most:.2f} s at {FUZZ_SIZE:,} bytes, four and 64 times; {told}")


@pytest.mark.parametrize("piece", ["x<!-- x --><!-- y -->A. ", "x<?a b?>A. ", "<p>a<!-- x -->b</p>"])
def test_many_comments_between_texts_are_too_costly(piece: str) -> None:
    assert seconds(many(piece)(500_000)) < 3


def test_names_in_capitals_are_read_briefly() -> None:
    """Each AND was a part of a name, or stood between two: twice the time for each."""
    assert seconds(first("SEOUL CITY AND BUSAN AND JEJU CITY AND ")(1_400)) < 1


@pytest.mark.parametrize("text", ["a" * 200_000, "1 " * 100_000, "Jun " * 50_000, "12:" * 70_000, "2024-" * 40_000])
def test_a_long_date_is_looked_at_briefly(text: str) -> None:
    began = time.process_time()
    moment(text, ZoneInfo("Asia/Seoul"))
    day(text, ZoneInfo("Asia/Seoul"))
    assert time.process_time() - began < 0.2
