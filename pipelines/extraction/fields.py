"""What a page and its text say of the op-ed, field by field, each with its provenance. Null rather than a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import cast
from zoneinfo import ZoneInfo

from lxml.etree import XPath
from lxml.html import HtmlElement

from pipelines.extraction.boilerplate import Boilerplate
from pipelines.extraction.dates import Stated, by_label, stated
from pipelines.extraction.page import Page, Statement, collapse, people, split_names
from pipelines.extraction.phrases import SURNAMES
from pipelines.model import KINDS, Author, Capture
from pipelines.sources import Profile, Source
from pipelines.sources.addresses import Place, day_in, time_in

OPINION = re.compile(
    r"opinion|editorial|column|fountain|letter|cartoon|bilingual|meanwhile|viewpoint|forum|essay|^home$|사설|칼럼|오피니언",
    re.IGNORECASE,
)
ORGANISATION = re.compile(
    r"\beditorial (?:board|team|desk)\b|\bnewsroom\b|\bJoongAng\b|사설|편집|뉴스|일보|신문"
    r"|^(?:admin|staff(?: writer)?|opinion|editor|editorial|columnist|reporter|webmaster)$",
    re.IGNORECASE,
)
SIGNED_BY = ("[rel=author]", "[itemprop=author]", ".byline a", ".author a", ".author-name", ".byline", ".author")
LEAST_HEADLINE = 3  # words
SHORT_NAME = 3  # letters of a name that may be an abbreviation
DATE_LINES = XPath(
    "descendant::*[not(self::script or self::style)]/text()[string-length(.) < 120 and contains(., '20')]"
)
DATE_LINE = re.compile(r"(?:first )?(?:published|posted|입력|등록|기사입력)\b\W", re.IGNORECASE)
DATES_LOOKED_AT = 20  # of one kind on a page
LONGEST_BYLINE = 500  # characters of a byline that are looked at
Witnessed = tuple[Stated, Statement]


@dataclass(frozen=True)
class Dates:
    """When it was published and changed; `others` are witnesses of publication that name another day.

    `raw` is what the page says of the publication, understood or not.
    """

    published: Witnessed | None
    modified: Witnessed | None
    others: tuple[Witnessed, ...] = ()
    raw: str = ""


def headline(page: Page, profile: Profile, source: Source) -> Statement | None:
    """Return the headline as the page shows it, without the site's name."""
    said = (
        page.first(*profile.headline)
        or (_shown_headline(page) if not profile.body else None)
        or page.json_ld("headline")
        or page.meta("og:title", "twitter:title")
        or page.first("h1")
        or page.first("title")
    )
    return Statement(_without_site(said.value, page, source), said.provenance) if said else None


def _shown_headline(page: Page) -> Statement | None:
    """Return the one headline that the page shows, if its own title repeats half of its words: JSON-LD and metas may
    hold another, written for search engines."""
    shown = [text for element in islice(page.tree.iter("h1"), 2) if (text := collapse(" ".join(element.itertext())))]
    if len(shown) != 1 or len(shown[0].split()) < LEAST_HEADLINE:
        return None
    said = (page.json_ld("headline"), page.meta("og:title"), page.first("title"))
    words = {word for one in said if one for word in one.value.casefold().split()}
    own = shown[0].casefold().split()
    return Statement(shown[0], "h1") if 2 * sum(word in words for word in own) >= len(own) else None


def _without_site(title: str, page: Page, source: Source) -> str:
    """Cut ` - Site` or ` | Site` only when that last part is the site's own name."""
    names = {name.casefold() for name in (*source.names, source.publisher, page.metas.get("og:site_name", "")) if name}
    for separator in (" - ", " | ", " – "):
        head, found, tail = title.rpartition(separator)
        if found and tail.strip().casefold() in names:
            before, rubric, last = head.rpartition(separator)
            return (before if rubric and OPINION.fullmatch(last.strip().rstrip("s")) else head).strip()
    return title


def signed_outside(page: Page, profile: Profile, source: Source) -> tuple[list[str], str]:
    """Return the names that the page states outside of the body, and where: its byline, else its metadata."""
    byline = page.first(*profile.byline)
    names = _people(_in_byline(byline.value[:LONGEST_BYLINE]), source) if byline else []
    if names and byline:
        return names, byline.provenance
    said = [one for one in people(page) if is_person(one.value, source)]
    if said:
        return list(dict.fromkeys(one.value for one in said)), said[0].provenance
    if not profile.body:  # nothing is known of this page: look where pages of all sites sign
        return _signed_anywhere(page, source)
    return [], ""


def _signed_anywhere(page: Page, source: Source) -> tuple[list[str], str]:
    for selector in SIGNED_BY:
        for element in page.select(selector):  # the first that names somebody: further down are other articles
            byline = collapse(" ".join(element.itertext()))[:LONGEST_BYLINE]
            names = _people(split_names(_untitled(byline)), source)
            if names:
                return names, selector
    return [], ""


def authors(
    boilerplate: Boilerplate, outside: tuple[list[str], str], page: Page, profile: Profile, source: Source
) -> tuple[tuple[Author, ...], str]:
    """Return who signs, with bios: the body's own byline first, then what the page says outside of it."""
    inside = _people(boilerplate.names, source)
    names, witness = (inside, "body") if inside else outside
    names = list(dict.fromkeys(map(in_one_spelling, names)))
    translators = {name.strip(" .()") for name in re.split(r",| and | by ", boilerplate.translator_note)}
    names = [name for name in names if name not in translators]
    boxes = (collapse(" ".join(box.itertext())) for box in page.each(profile.bio))
    bios = boilerplate.bios or list(filter(None, boxes))
    joint = len(names) == 1 or len(bios) == 1  # one bio of several is about all of them
    shared = bios if len(bios) == len(names) else [" ".join(bios) if joint else ""] * len(names)
    return tuple(Author(name, bio) for name, bio in zip(names, shared, strict=True)), witness if names else ""


def in_one_spelling(name: str) -> str:
    """Return a name that is written in capitals as it is written elsewhere.

    >>> in_one_spelling("KIM SEO-JUN"), in_one_spelling("JEAN-PAUL ROH"), in_one_spelling("Kim Min-ju")
    ('Kim Seo-jun', 'Jean-Paul Roh', 'Kim Min-ju')
    """
    if not name.isupper() or len(name) <= SHORT_NAME or not name.isascii():
        return name
    surname, *given = name.split()
    if surname.capitalize() in SURNAMES:  # a Korean given name has its second syllable in small letters
        return " ".join(word.capitalize() for word in (surname, *given))
    return " ".join("-".join(part.capitalize() for part in word.split("-")) for word in name.split())


def _people(names: Sequence[str], source: Source) -> list[str]:
    return [name for name in dict.fromkeys(names) if is_person(name, source)]


def _in_byline(byline: str) -> list[str]:
    """Return the names in a byline, without mail addresses, titles and occupations.

    >>> _in_byline("By Kim Min-ju, professor at Hanbit University")
    ['Kim Min-ju']
    >>> _in_byline("김민주 논설위원 kim@example.org")
    ['김민주']
    """
    first = re.split(r"\s[/|]\s|,\s+(?=[a-z])", _untitled(byline))[0]
    plain = re.sub(r"[\w.+-]+@\S+|\[[^\]]*\]", "", first).strip(" ,")
    return [
        re.sub(r"(?<=[가-힣])\s*(?:기자|논설위원|논설실장|특파원|교수|칼럼니스트)$", "", n) for n in split_names(plain)
    ]


def _untitled(byline: str) -> str:
    return re.sub(r"\s*기자$", "", re.sub(r"^(?:By|BY)\s+", "", byline)).strip()


def is_person(name: str, source: Source) -> bool:
    """Whether a name is a person's, and not a publisher, a date or a line of the site's interface."""
    plain = name.casefold().removeprefix("the ").strip()
    publishers = {n.casefold().removeprefix("the ") for n in (*source.names, *source.press, source.publisher)}
    words = plain.split()
    return (
        bool(words)
        and plain not in publishers
        and len(words) <= 5
        and len(plain) <= 60
        and not any(c.isdigit() or c in "@:/" for c in plain)
        and not ORGANISATION.search(plain)
    )


def dates(page: Page, profile: Profile, place: Place, lines: Sequence[str], fetched: date = date.max) -> Dates:
    """Return when it was published and modified, by the best provenance; None where nothing states it.

    `lines` are lines of the page that were taken off the text: one of them may be the only witness. A time of day is
    taken from the first witness that names the day of the best one and knows it. A day before the source's first,
    or more than one after the day when it was `fetched`, is not believed: one of publication stands among `others`, one
    of a change is dropped.
    """

    def is_possible(day: date) -> bool:
        return place.source.first_day <= day and (day - fetched).days <= 1

    zone = place.source.timezone if place.article_id else None  # of no known site: a stamp without zone has none
    said = {"published": list(_published(page)), "modified": list(_modified(page, profile))}
    for statement in (page.first(*profile.date), *(Statement(line, "text") for line in lines)):
        for name, text in (by_label(statement.value) if statement else {}).items():
            said[name].append(Statement(text, statement.provenance if statement else ""))
    if not profile.body and not any(_understood(said["published"], zone)):
        said["published"] += _dated_anywhere(page)
    said["published"] += _in_address(place)
    told, changes = (list(_understood(said[name], zone)) for name in ("published", "modified"))
    published, modified = ([one for one in some if is_possible(one[0].day)] for some in (told, changes))
    best = published[0][0].day if published else None
    chosen = next((one for one in published if one[0].day == best and one[0].moment), next(iter(published), None))
    others = tuple(one for one in told if _disagrees(one, best))
    raw = next((one.value for one in said["published"] if re.search(r"\d", one.value)), "")
    return Dates(chosen, next(iter(modified), None), others, chosen[1].value if chosen else raw)


def _disagrees(one: Witnessed, day: date | None) -> bool:
    """Whether a witness names another day. The one in an address may be that of the printed paper, a day off."""
    said, statement = one
    if day is None:
        return True
    apart = abs((said.day - day).days)
    return apart > 1 if statement.provenance == "address" and said.moment is None else apart > 0


def _published(page: Page) -> Iterator[Statement]:
    """Yield who may know when it was published, the best witness first."""
    metas = (page.meta("og:regDate"), page.json_ld("datePublished"), page.meta("article:published_time"))
    yield from (said for said in metas if said)


def _in_address(place: Place) -> Iterator[Statement]:
    when, day = time_in(place), day_in(place)
    if when:
        yield Statement(when.isoformat(), "address")
    if day:
        yield Statement(day, "address")


def _dated_anywhere(page: Page) -> Iterator[Statement]:
    """Yield the dates of a layout that nobody knows, where pages of all sites show them."""
    for selector in ("[itemprop=datePublished]", "time[pubdate]", "time[datetime]"):
        for element in islice(page.select(selector), DATES_LOOKED_AT):
            if not any(parent.tag in {"aside", "nav", "footer"} for parent in element.iterancestors()):
                said = element.get("datetime") or element.get("content") or element.text_content()
                yield Statement(collapse(said[:LONGEST_BYLINE]), selector)
                break
    for text in islice(cast("list[str]", DATE_LINES(page.tree)), DATES_LOOKED_AT):
        told = by_label(collapse(text[:LONGEST_BYLINE]))
        if DATE_LINE.match(text.strip()) and "published" in told:
            yield Statement(told["published"], "text")
            return


def _modified(page: Page, profile: Profile) -> Iterator[Statement]:
    said = (page.json_ld("dateModified"), page.meta("article:modified_time"), page.first(*profile.modified))
    yield from (one for one in said if one)


def _understood(said: Iterable[Statement], zone: ZoneInfo | None) -> Iterator[Witnessed]:
    for statement in said:
        found = stated(statement.value, zone)
        if found:
            yield found, statement


def section(page: Page, profile: Profile) -> str:
    """Return what the page says of its section: its breadcrumb, else its metadata; empty when nothing."""
    said = page.first(*profile.section) or page.json_ld("articleSection") or page.meta("article:section")
    return said.value if said else ""


def kind(section: str, place: Place, boilerplate: Boilerplate, signed: bool) -> tuple[str, str]:
    """Return the kind by address, by the page's own section, else by the form of the text."""
    for text, witness in ((place.canonical_url.rsplit("/", 2)[0], "address"), (section, "section")):
        for name in KINDS:
            if name in text.lower():
                return name, witness
    if boilerplate.bios or (signed and place.source.own):
        return "column", "text"
    if place.source.own and (boilerplate.paragraphs or boilerplate.korean):
        return "editorial", "text"
    return "unknown", ""


def images(nodes: Sequence[HtmlElement]) -> tuple[str, ...]:
    """Return addresses of the body's images; they are noted, never fetched: the pictures are other people's."""
    pictures = (image for node in nodes for image in node.iter("img"))
    found = (image.get("data-org-src") or image.get("data-src") or image.get("src") for image in pictures)
    return tuple(dict.fromkeys(src for src in found if src and src.startswith("http")))


def rights(page: Page, capture: Capture) -> tuple[str, ...]:
    """Return what page and answer say about use: robots metas, text-mining reservation."""
    metas = (
        f"meta {name}: {page.metas[name]}" for name in ("robots", "tdm-reservation", "tdm-policy") if name in page.metas
    )
    headers = (
        f"header {name}: {capture.header(name)}" for name in ("x-robots-tag", "tdm-reservation") if capture.header(name)
    )
    return (*metas, *headers)


def of_press(page: Page, source: Source) -> bool:
    """Whether a portal's page carries our newspaper: by its metas or title only, a text may quote any name."""
    title = page.tree.findtext(".//title") or ""
    said = " ".join(page.metas.get(name, title if name == "title" else "") for name in source.press_in).strip()
    return any(name in said for name in source.press) if said else True
