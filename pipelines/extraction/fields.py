"""What a page and its text say of the op-ed, field by field, each with its provenance. Null rather than a guess."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml.html import HtmlElement

from pipelines.extraction.boilerplate import Boilerplate
from pipelines.extraction.dates import moment
from pipelines.extraction.page import Page, Statement, collapse, people, split_names
from pipelines.model import Author, Capture
from pipelines.sources import Profile, Source
from pipelines.sources.addresses import Place, time_in
from pipelines.sources.selectors import select

KINDS = ("editorial", "column", "fountain", "letter", "cartoon")
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
LONGEST_BYLINE = 500  # characters of a byline that are looked at
Moment = tuple[datetime, Statement]


@dataclass(frozen=True)
class Dates:
    """When it was published and changed; `others` are witnesses of publication that name another day."""

    published: Moment | None
    modified: Moment | None
    others: tuple[Moment, ...] = ()


def headline(page: Page, profile: Profile, source: Source) -> Statement | None:
    """Return the headline as the page shows it, without the site's name."""
    said = (
        page.first(*profile.headline)
        or page.json_ld("headline")
        or page.meta("og:title", "twitter:title")
        or page.first("h1")
        or page.first("title")
    )
    return Statement(_without_site(said.value, page, source), said.provenance) if said else None


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
    translators = {name.strip(" .()") for name in re.split(r",| and | by ", boilerplate.translator_note)}
    names = [name for name in names if name not in translators]
    bios = boilerplate.bios or [said.value for said in (page.first(*profile.bio),) if said]
    joint = len(names) == 1 or len(bios) == 1  # one bio of several is about all of them
    shared = bios if len(bios) == len(names) else [" ".join(bios) if joint else ""] * len(names)
    return tuple(Author(name, bio) for name, bio in zip(names, shared, strict=True)), witness if names else ""


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


def dates(page: Page, profile: Profile, place: Place) -> Dates:
    """Return the moments that the page states, by the best provenance; None where nothing states one."""
    zone = place.source.timezone
    told = list(_moments(_published(page, profile, place), place.source))
    changed = next(_moments(_modified(page, profile), place.source), None)
    others = tuple(one for one in told if one[0].astimezone(zone).date() != told[0][0].astimezone(zone).date())
    return Dates(told[0] if told else None, changed, others)


def _published(page: Page, profile: Profile, place: Place) -> Iterator[Statement | None]:
    """Yield who may know the moment of publication, the best witness first."""
    yield page.meta("og:regDate")
    yield page.json_ld("datePublished")
    yield page.meta("article:published_time")
    yield page.first(*profile.date)
    from_id = time_in(place)
    yield Statement(from_id.isoformat(), "address") if from_id else None


def _modified(page: Page, profile: Profile) -> Iterator[Statement | None]:
    yield page.json_ld("dateModified")
    yield page.meta("article:modified_time")
    yield page.first(*profile.modified)


def _moments(said: Iterator[Statement | None], source: Source) -> Iterator[Moment]:
    for statement in said:
        when = moment(statement.value, source.timezone) if statement else None
        if when and statement:
            yield when.astimezone(source.timezone), statement


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


def captions(nodes: Sequence[HtmlElement], profile: Profile, boilerplate: Boilerplate) -> tuple[str, ...]:
    """Return the captions of the body's images, each once."""
    found = (element for node in nodes for selector in profile.caption for element in select(node, selector))
    texts = [collapse(" ".join(element.itertext())) for element in found]
    return tuple(dict.fromkeys([*filter(None, texts), *boilerplate.captions]))


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
