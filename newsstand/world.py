"""The op-eds of the replica: invented, varied, the same for the same seed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

SEOUL = ZoneInfo("Asia/Seoul")
FIRST_DAY = date(2026, 5, 1)
DAYS = 60
MOVE = datetime(2026, 6, 15, 4, 0, tzinfo=SEOUL)  # from joins.com to the paper's own domain
SHAPE = (
    "opening own evidence | history argument objection turn | argument own evidence argument | appeal argument closing"
)
MORE = (
    "argument evidence argument",
    "objection turn argument",
    "history evidence argument",
    "evidence argument appeal",
)


@dataclass(frozen=True)
class Oped:
    """One invented op-ed with all its addresses and both of its texts, before and after a correction."""

    number: int
    kind: str  # editorial or column
    headline: str
    deck: str
    writer: str
    writer_korean: str
    bio: str
    paragraphs: tuple[str, ...]
    korean: tuple[str, ...]
    caption: str
    published: datetime
    cid: str
    did: str
    corrected_at: datetime | None = None
    correction: str = ""  # which kind: sentence, headline or note
    corrected: tuple[str, ...] = ()
    corrected_headline: str = ""
    note: str = ""
    daum_at: datetime | None = None
    related: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The section's word in addresses."""
        return f"{self.kind}s"

    def daum_id(self) -> str:
        """Return the portal's number: the moment in Seoul, and three digits."""
        assert self.daum_at
        return f"{self.daum_at:%Y%m%d%H%M%S}{self.number % 1000:03d}"

    def shown(self, clock: datetime) -> tuple[str, tuple[str, ...], str]:
        """Return headline, paragraphs and correction note as they stand at that moment."""
        if self.corrected_at and clock >= self.corrected_at:
            return self.corrected_headline or self.headline, self.corrected or self.paragraphs, self.note
        return self.headline, self.paragraphs, ""


@dataclass(frozen=True)
class OldPage:
    """A page of the drawer: eras A, A′ and B."""

    era: str
    path: str
    aid: str
    headline: str
    paragraphs: tuple[str, ...]
    korean: tuple[str, ...]
    published: datetime


@dataclass(frozen=True)
class World:
    """Everything there is, ordered by time of publication."""

    opeds: tuple[Oped, ...]
    drawer: tuple[OldPage, ...]
    news: tuple[tuple[str, datetime, str, tuple[str, ...]], ...] = field(default=())  # id, moment, headline, text


@cache
def phrases() -> dict[str, Any]:
    """Return the bank of phrases that texts are made of."""
    return tomllib.loads((Path(__file__).parent / "phrases.toml").read_text(encoding="utf-8"))


@cache
def build(seed: int = 1) -> World:
    """Return the world of a seed."""
    rng = Random(f"newsstand {seed}")
    opeds = tuple(_opeds(rng))
    headlines = [oped.headline for oped in opeds]
    opeds = tuple(_with_related(oped, headlines, n) for n, oped in enumerate(opeds))
    return World(opeds, tuple(_drawer(rng)), tuple(_news(rng)))


def slug(headline: str, lower: bool = False) -> str:
    """Return a headline as an address spells it: punctuation dropped, spaces to hyphens.

    >>> slug("It’s time, again", lower=True)
    'its-time-again'
    """
    plain = re.sub(r"[^A-Za-z0-9 ]", "", headline.replace("-", "") if lower else headline.replace("-", " "))
    return "-".join((plain.lower() if lower else plain).split())


def _opeds(rng: Random) -> Iterator[Oped]:
    bank = phrases()
    used: set[str] = set()
    left = {topic["key"]: rng.sample(topic["own"], len(topic["own"])) for topic in bank["topic"]}
    number = 0
    for offset in range(DAYS):
        day = FIRST_DAY + timedelta(days=offset)
        kinds = ["editorial", "column"] if day.weekday() < 6 else ["editorial"]
        if day.weekday() in (1, 3):
            kinds += ["editorial" if rng.random() < 0.5 else "column"]
        for kind in kinds:
            number += 1
            topics = [t for t in bank["topic"] if any(h not in used for h in t["headlines"])]
            topic = topics[(number * 7 + rng.randrange(3)) % len(topics)]
            headline = rng.choice([h for h in topic["headlines"] if h not in used])
            used.add(headline)
            yield _oped(rng, number, kind, day, topic, headline, left[topic["key"]])


def _oped(rng: Random, number: int, kind: str, day: date, topic: dict[str, Any], headline: str, own: list[str]) -> Oped:
    writer = rng.choice(phrases()["writer"]) if kind == "column" else {"name": "", "korean": "", "bio": ""}
    published = datetime.combine(day, time(19 if kind == "editorial" else 20, rng.randrange(60)), SEOUL)
    if rng.random() < 0.15:
        published = published.replace(hour=0)  # just after midnight: another day in UTC
    paragraphs = compose(rng, topic, 345 + int(660 * rng.random() ** 1.6), own)
    corrected_at = published + timedelta(hours=rng.randrange(14, 80)) if rng.random() < 0.12 else None
    correction = rng.choice(("sentence", "headline", "note")) if corrected_at else ""
    sentences = rng.sample(topic["korean"], 6) if rng.random() < 0.12 else []
    if number % 9 == 0 and not sentences:  # one in the week of the demo too
        sentences = topic["korean"][:6]
    korean = in_korean(sentences, paragraphs)
    return Oped(
        number=number,
        kind=kind,
        headline=headline,
        deck=rng.choice(topic["decks"]),
        writer=writer["name"],
        writer_korean=writer["korean"],
        bio=writer["bio"],
        paragraphs=paragraphs,
        korean=korean,
        caption=rng.choice(topic["captions"]) if rng.random() < 0.6 else "",
        published=published,
        cid=str(2_590_000 + number * 71),
        did=str(12_600_000 + number * 2311),
        corrected_at=corrected_at,
        correction=correction,
        **_correction(rng, correction, paragraphs, headline, topic),
        daum_at=published + timedelta(minutes=rng.randrange(5, 300)) if rng.random() < 0.36 else None,
    )


def in_korean(sentences: list[str], paragraphs: tuple[str, ...]) -> tuple[str, ...]:
    """Return Korean paragraphs that name the figures of the English ones, as a translation would."""
    told = []
    for sentence, paragraph in zip_longest(sentences, paragraphs[: len(sentences)], fillvalue=""):
        figures = ", ".join(re.findall(r"\d[\d,.]*\d|\d", paragraph))
        told.append(f"{sentence} 관련 수치는 {figures} 등이다." if figures else sentence)
    return tuple(told)


def _correction(
    rng: Random, kind: str, paragraphs: tuple[str, ...], headline: str, topic: dict[str, Any]
) -> dict[str, Any]:
    if kind == "headline":
        return {"corrected_headline": f"{headline}, and soon"}
    if not kind:
        return {}
    at = rng.randrange(1, len(paragraphs))
    changed = (
        *paragraphs[:at],
        f"{paragraphs[at]} {_sentence(rng, rng.choice(topic['own']), topic)}",
        *paragraphs[at + 1 :],
    )
    note = (
        f"This {'article'} was corrected to give the full account of {rng.choice(topic['policy'])}."
        if kind == "note"
        else ""
    )
    return {"corrected": changed, "note": note}


def compose(rng: Random, topic: dict[str, Any], words: int, own: list[str] | None = None) -> tuple[str, ...]:
    """Return the paragraphs of an op-ed of about that many words; `own` is what is left of the topic's sentences.

    A topic's own sentences are dealt out without putting back: two op-eds on one affair share names and
    phrases, as they do in life, but are not copies.
    """
    decks = {name: rng.sample(lines, len(lines)) for name, lines in phrases()["general"].items()}
    decks["own"] = rng.sample(topic["own"], len(topic["own"])) if own is None else own
    shape = [part.split() for part in SHAPE.split("|")]
    paragraphs: list[str] = []
    for kinds in shape[:-1]:
        paragraphs.append(_paragraph(rng, kinds, decks, topic))
    while sum(len(p.split()) for p in paragraphs) < words - 90 and len(paragraphs) < 16:
        paragraphs.append(_paragraph(rng, rng.choice(MORE).split(), decks, topic))
    return (*paragraphs, _paragraph(rng, shape[-1], decks, topic))


def _paragraph(rng: Random, kinds: list[str], decks: dict[str, list[str]], topic: dict[str, Any]) -> str:
    chosen = [decks[kind if decks[kind] else "argument"].pop() for kind in kinds if decks[kind] or decks["argument"]]
    return " ".join(_sentence(rng, sentence, topic) for sentence in chosen)


def _sentence(rng: Random, template: str, topic: dict[str, Any]) -> str:
    def fill(slot: re.Match[str]) -> str:
        name = slot[1].lower()
        text = str(_FIGURES[name](rng) if name in _FIGURES else rng.choice(topic[name]))
        return text[0].upper() + text[1:] if slot[1][0].isupper() else text

    return re.sub(r"\{(\w+)\}", fill, template)


def _number(rng: Random) -> str:
    return f"{rng.choice((rng.randrange(12, 99), rng.randrange(120, 990), rng.randrange(1100, 98000))):,}"


def _percent(rng: Random) -> str:
    return f"{rng.randrange(30, 890) / 10} percent"


def _year(rng: Random) -> str:
    return str(rng.randrange(2009, 2026))


def _month(rng: Random) -> str:
    return rng.choice(("January", "March", "April", "June", "August", "September", "October", "December"))


_FIGURES: dict[str, Callable[[Random], str]] = {"number": _number, "percent": _percent, "year": _year, "month": _month}


def _with_related(oped: Oped, headlines: list[str], at: int) -> Oped:
    others = [headlines[(at + step * 5) % len(headlines)] for step in range(1, 11)]
    return replace(oped, related=tuple(text.replace("’", "'") for text in others))


def _drawer(rng: Random) -> Iterator[OldPage]:
    """Yield old pages: a list of era A, one article rewritten as A′, its bilingual twin, and era B."""
    topics = phrases()["topic"]
    for n in range(27):
        topic = topics[n % len(topics)]
        day = date(2017, 12, 20) - timedelta(days=n * 2)
        published = datetime.combine(day, time(21, 10 + n), SEOUL)
        aid = str(3_042_370 - n)
        paragraphs = compose(rng, topic, 320)
        korean = in_korean(topic["korean"][:4], paragraphs) if n % 9 == 0 else ()
        headline = f"{topic['headlines'][n % 8]} ({2017 - n // 14})"
        yield OldPage("a", f"/news/article/article.aspx?aid={aid}", aid, headline, paragraphs, korean, published)
        if n == 0:
            yield OldPage(
                "a2",
                f"/{day:%Y/%m/%d}/editorials/{slug(headline)}/{aid}.html",
                aid,
                headline,
                paragraphs,
                (),
                published,
            )
    yield from _twins(rng, topics[3])
    for n in range(3):
        published = datetime(2022, 3, 20 + n, 20, 4, 29, tzinfo=SEOUL)
        headline = topics[5 + n]["headlines"][1]
        path = f"/{published:%Y/%m/%d}/opinion/{'editorials' if n else 'columns'}/{slug(headline)}/{published:%Y%m%d%H%M%S}58{n}.html"
        yield OldPage("b", path, path[-22:-5], headline, compose(rng, topics[5 + n], 500), (), published)


def _twins(rng: Random, topic: dict[str, Any]) -> Iterator[OldPage]:
    published = datetime(2019, 12, 17, 20, 10, tzinfo=SEOUL)
    paragraphs, headline = compose(rng, topic, 380), topic["headlines"][2]
    yield OldPage(
        "a2", f"/2019/12/17/editorials/{slug(headline)}/3071610.html", "3071610", headline, paragraphs, (), published
    )
    korean = in_korean(topic["korean"], paragraphs)
    yield OldPage(
        "a2",
        f"/2019/12/17/bilingualNews/{slug(headline)}-KOR/3071611.html",
        "3071611",
        f"{headline} (KOR)",
        paragraphs,
        korean,
        published,
    )


def _news(rng: Random) -> Iterator[tuple[str, datetime, str, tuple[str, ...]]]:
    """Yield news that the portal lists among the op-eds: pages without any sign of opinion."""
    bank = phrases()
    for n, headline in enumerate(bank["news"]["headlines"]):
        moment = datetime(2026, 5, 3, 9, 15, 20, tzinfo=SEOUL) + timedelta(days=5 * n)
        lines = [_sentence(rng, s, bank["topic"][n]) for s in rng.sample(bank["news"]["sentences"], 12)]
        text = tuple(" ".join(lines[at : at + 3]) for at in range(0, 12, 3))
        yield f"{moment:%Y%m%d%H%M%S}{900 + n}", moment, headline, text
