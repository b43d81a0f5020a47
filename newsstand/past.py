"""What public web archives hold of the paper's past: invented op-eds of every era, and captures of their pages."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from random import Random

from . import pages
from .pages import JOINS, WWW
from .world import MOVE, SEOUL, OldPage, Oped, World, phrases, slug

FIRST_YEAR = 2004
ERA_A2, ERA_B, ERA_C = date(2010, 1, 1), date(2020, 7, 1), date(2023, 9, 1)
AMP = "mengnews.joins.com"
WORDS_A_PARAGRAPH, PARAGRAPHS = 48, 5


@dataclass(frozen=True)
class PastOped:
    """An invented op-ed of the past: its number, its pages before and after a correction, its addresses."""

    number: int
    published: datetime
    headline: str
    paragraphs: tuple[str, ...]
    corrected: tuple[str, ...]
    section: str
    addresses: tuple[str, ...]  # the best first; with the scheme
    new_address: str = ""  # where it was published again since the move

    @property
    def era(self) -> str:
        """The layout of its pages."""
        day = self.published.date()
        return "a" if day < ERA_A2 else "a2" if day < ERA_B else "b" if day < ERA_C else "c"

    def page(self, url: str, is_corrected: bool = False) -> bytes:
        """Return its page as an address showed it."""
        text = self.corrected if is_corrected else self.paragraphs
        if url == self.new_address:
            return pages.article_d(self._as_oped(text), self.published).encode()
        if AMP in url:
            lines = "".join(f"<p>{line}</p>" for line in text)
            return f"<html amp><head><title>{self.headline}</title></head><body>{lines}</body></html>".encode()
        if self.era == "c":
            return pages.article_c(self._as_oped(text), self.published).encode()
        layout = "a" if self.era in {"a", "a2"} else "b"
        old = OldPage(layout, "", str(self.number), self.headline, text, (), self.published)
        return pages.page_old(old).encode()

    def _as_oped(self, text: tuple[str, ...]) -> Oped:
        return Oped(
            number=self.number, kind="editorial", headline=self.headline, deck="", writer="", writer_korean="", bio="",
            paragraphs=text, korean=(), caption="", published=self.published, cid=str(2_000_000 + self.number),
            did=str(12_000_000 + self.number),
        )  # fmt: skip


@dataclass(frozen=True)
class PublicCapture:
    """One capture as an archive has it."""

    stamp: str
    url: str
    status: int = 200
    mime: str = "text/html"
    body: bytes = field(default=b"", repr=False)
    location: str = ""
    is_revisit: bool = False
    states: str = ""  # another digest than its body has
    cut: bool = False  # the archive has the beginning alone
    leads: str = ""  # the moment that the archive leads to instead of serving this one

    @property
    def digest(self) -> str:
        """SHA-1 of the body in base 32, as the index states it."""
        return self.states or base64.b32encode(hashlib.sha1(self.body, usedforsecurity=False).digest()).decode()

    @property
    def key(self) -> str:
        """Return the address as indexes sort it: the host's parts from the back, no scheme, no `www`."""
        return sorted_address(self.url)


def sorted_address(url: str) -> str:
    """Return an address as indexes sort it.

    >>> sorted_address("https://www.example.org:443/A/b?c=1")
    'org,example)/a/b?c=1'
    """
    rest = re.sub(r"^(?:https?://)?(?:www\d*\.)?", "", url.strip(), flags=re.IGNORECASE)
    host, slash, path = rest.partition("/")
    turned = ",".join(reversed(host.partition(":")[0].lower().split(".")))
    return f"{turned}){slash}{path.lower()}"


@dataclass(frozen=True)
class Past:
    """All op-eds of the past and all captures, in the order of an index."""

    opeds: tuple[PastOped, ...]
    captures: tuple[PublicCapture, ...]

    @cached_property
    def by_address(self) -> dict[str, list[PublicCapture]]:
        """The captures by sorted address, in the order of time."""
        found: dict[str, list[PublicCapture]] = {}
        for capture in self.captures:
            found.setdefault(capture.key, []).append(capture)
        return found


@cache
def build_past(
    seed: int = 1, first: str = f"{FIRST_YEAR}-01", last: str = "2026-06", a_month: int = 3, step: int = 1
) -> Past:
    """Return the past of a seed: so many op-eds in each month from the first to the last, or in every `step`th."""
    rng = Random(f"newsstand past {seed}")
    words = _vocabulary()
    opeds: list[PastOped] = []
    start, end = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (first, last))
    for n in range(start, end + 1, step):
        days = sorted(rng.randrange(1, 29) for _ in range(a_month))
        for day in days:
            opeds.append(_past_oped(rng, words, len(opeds) + 1, date(n // 12, n % 12 + 1, day)))
    opeds = [one for one in opeds if one.published < MOVE]
    captures = [capture for one in opeds for capture in _captures_of(rng, one)]
    captures += _of_other_pages(rng, opeds)
    return Past(tuple(opeds), tuple(sorted(captures, key=lambda c: (c.key, c.stamp, c.url))))


def with_week(past: Past, world: World, days: int = 30) -> Past:
    """Return a past in which an archive captured the paper's present op-eds too, two days after each appeared."""
    end = min((oped.published for oped in world.opeds), default=MOVE) + timedelta(days=days)
    extra = []
    for oped in world.opeds:
        seen = oped.published + timedelta(days=2)
        if oped.published < min(end, MOVE - timedelta(days=2)):
            url = f"https://{JOINS}{pages.c_path(oped)}"
            extra.append(PublicCapture(_stamp(seen), url, body=pages.article_c(oped, seen).encode()))
    return replace(past, captures=tuple(sorted((*past.captures, *extra), key=lambda c: (c.key, c.stamp, c.url))))


def _vocabulary() -> list[str]:
    general = phrases()["general"]
    text = " ".join(line for lines in general.values() for line in lines)
    return sorted({word.lower() for word in re.findall(r"(?<![{\w])[A-Za-z]{3,12}(?![}\w])", text)})


def _prose(rng: Random, words: list[str], paragraphs: int = PARAGRAPHS) -> tuple[str, ...]:
    """Return paragraphs of words that no two op-eds have in one order."""
    made = []
    for _ in range(paragraphs):
        sentences = [[rng.choice(words) for _ in range(WORDS_A_PARAGRAPH // 3)] for _ in range(3)]
        made.append(" ".join(f"{' '.join(sentence).capitalize()}." for sentence in sentences))
    return tuple(made)


def _past_oped(rng: Random, words: list[str], number: int, day: date) -> PastOped:
    published = datetime.combine(day, time(20, rng.randrange(60), rng.randrange(60)), SEOUL)
    headline = " ".join(rng.choice(words) for _ in range(6)).capitalize()
    paragraphs = _prose(rng, words)
    at = rng.randrange(len(paragraphs))
    corrected = (*paragraphs[:at], f"{paragraphs[at]} {_prose(rng, words, 1)[0]}", *paragraphs[at + 1 :])
    made = PastOped(number, published, headline, paragraphs, corrected, rng.choice(("editorials", "columns")), ())
    return replace(made, addresses=tuple(_addresses(rng, made)), new_address=_new_address(rng, made))


def _addresses(rng: Random, one: PastOped) -> Iterator[str]:
    day, name = one.published, slug(one.headline)
    number = 2_500_000 + one.number
    if one.era in {"a", "a2"}:
        old = f"http://{JOINS}/news/article/article.aspx?aid={number}"
        if one.era == "a2" or rng.random() < 0.5:
            yield f"http://{JOINS}/{day:%Y/%m/%d}/{one.section}/{name}/{number}.html"
        if one.era == "a" or rng.random() < 0.3:
            yield old if rng.random() < 0.5 else old.replace("article.aspx?aid", "Article.aspx?cloc=home&aid")
        if rng.random() < 0.15:
            yield f"http://{AMP}/amparticle/{number}"
    elif one.era == "b":
        yield f"https://{JOINS}/{day:%Y/%m/%d}/opinion/{one.section}/{name}/{day:%Y%m%d%H%M%S}{one.number % 1000:03d}.html"
    else:
        yield f"https://{JOINS}/news/{day:%Y-%m-%d}/opinion/{one.section}/{name}/{2_000_000 + one.number}"


def _new_address(rng: Random, one: PastOped) -> str:
    if one.era not in {"b", "c"} or rng.random() < 0.5:
        return ""
    return f"https://{WWW}/opinion/{slug(one.headline, lower=True)}/{12_000_000 + one.number}"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def _captures_of(rng: Random, one: PastOped) -> Iterator[PublicCapture]:
    """Yield what an archive has of an op-ed: mostly a page or two; sometimes nothing, or nothing good."""
    luck = rng.random()
    if luck < 0.05:
        return
    seen = one.published + timedelta(hours=rng.randrange(3, 24 * 400))
    latest = MOVE - timedelta(hours=1)
    for at, url in enumerate(one.addresses):
        moment = min(seen + timedelta(days=at * rng.randrange(0, 90), seconds=at), latest)
        if luck < 0.08:
            yield PublicCapture(_stamp(moment), url, 404, body=b"<html><body>Not found</body></html>")
            continue
        page = PublicCapture(_stamp(moment), url, body=one.page(url))
        if luck < 0.11 and at == 0:
            yield replace(page, cut=True)
            moment += timedelta(days=30)
            page = replace(page, stamp=_stamp(moment))
            if moment >= latest:
                continue
        elif luck < 0.17 and at == 0:
            yield from _unlike_their_row(page, moment + timedelta(days=30), is_led=luck < 0.14)
            moment += timedelta(days=30)
            page = replace(page, stamp=_stamp(moment))
            if moment >= latest:
                continue
        yield page
        yield from _later_captures(rng, one, page, moment, latest)
    if one.new_address and luck > 0.3:
        moment = MOVE + timedelta(days=rng.randrange(2, 12))
        yield PublicCapture(_stamp(moment), one.new_address, body=one.page(one.new_address))
    if one.new_address and luck > 0.6:
        moment = MOVE + timedelta(days=rng.randrange(2, 12))
        yield PublicCapture(_stamp(moment), one.addresses[0], 301, "text/html", b"", one.new_address)


def _unlike_their_row(page: PublicCapture, later: datetime, is_led: bool) -> Iterator[PublicCapture]:
    """Yield a capture that is not served as its row of the index says: at another moment, or with another digest."""
    yield replace(page, leads=_stamp(later)) if is_led else replace(page, states="A" * 32)


def _later_captures(
    rng: Random, one: PastOped, page: PublicCapture, moment: datetime, latest: datetime
) -> Iterator[PublicCapture]:
    """Yield further captures of an address: the same under another spelling, the same again, and a corrected page."""
    later = min(moment + timedelta(days=rng.randrange(20, 900)), latest)
    dice = rng.random()
    if dice < 0.1:
        other = (
            page.url.replace("http://", "https://") if page.url.startswith("http://") else page.url.replace("/", "/", 1)
        )
        yield replace(page, url=other.replace(".com/", ".com:443/", 1))
    elif dice < 0.2 and later > moment:
        yield replace(page, stamp=_stamp(later), is_revisit=True)
    elif dice < 0.35 and later > moment:
        yield replace(page, stamp=_stamp(later), body=one.page(page.url, is_corrected=True))
    elif dice < 0.4 and later > moment:
        yield PublicCapture(_stamp(later), page.url, 404, body=b"<html><body>Not found</body></html>")


def _of_other_pages(rng: Random, opeds: list[PastOped]) -> list[PublicCapture]:
    """Return captures of pages that are no op-eds: the index shows them too."""
    made = []
    for one in opeds[::4]:
        day = one.published
        url = f"http://{JOINS}/{day:%Y/%m/%d}/national/A-story-{one.number}/{3_500_000 + one.number}.html"
        body = f"<html><body>{one.number} is a story</body></html>".encode()
        made.append(PublicCapture(_stamp(day + timedelta(days=rng.randrange(1, 90))), url, body=body))
    return made
