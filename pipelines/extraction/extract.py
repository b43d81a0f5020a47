"""From one capture to the article a reader would see.

One parse serves metadata, selectors and text. What we know of a layout comes first, in the order of the capture's date;
a page that no profile fits is read generically, and such a reading never makes a page `ok`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import cast

from lxml.etree import XPath
from lxml.html import HtmlElement

from pipelines.extraction import fields
from pipelines.extraction.blocks import PROSE, SWALLOWED, Block, blocks_of, is_too_costly
from pipelines.extraction.boilerplate import take_boilerplate
from pipelines.extraction.generic import generic_blocks
from pipelines.extraction.page import Page, Statement, collapse, page_of
from pipelines.extraction.phrases import PROSE_END, SENTENCE_END
from pipelines.extraction.quality import Evidence, with_status
from pipelines.extraction.trafilatura_reader import library_version, parsed, read_paragraphs, read_whole
from pipelines.model import Article, Capture, Rules, Status
from pipelines.sources import Profile, Source
from pipelines.sources.addresses import Place, is_opinion
from pipelines.sources.selectors import select

CODE = "3"  # raise it whenever the same capture would give another record
GENERIC = Profile(name="generic", body=())
EMBEDS = XPath(
    "descendant::*[contains(@class,'twitter-tweet') or contains(@class,'instagram-media') or contains(@class,'fb-post')"
    " or contains(@class,'tiktok-embed') or contains(@class,'fb-video')"
    " or ((@placeholder or @fallback) and not(self::input or self::textarea))]"
)  # others' posts, and what AMP shows instead of them
HIDDEN = XPath(
    "descendant::*[@hidden or @aria-hidden='true' or contains(translate(@style,' ',''),'display:none')"
    " or contains(concat(' ',@class,' '),' sr-only ') or contains(concat(' ',@class,' '),' visually-hidden ')"
    " or contains(concat(' ',@class,' '),' screen-reader-text ') or contains(concat(' ',@class,' '),' blind ')]"
)  # short, it is furniture for some readers; long, it is text that is shown later


@dataclass(frozen=True)
class Body:
    """The blocks of a page's body: by which profile and selector, or by none."""

    blocks: list[Block]
    nodes: list[HtmlElement] = field(default_factory=list)
    profile: Profile | None = None
    selector: str = "generic"
    dropped: list[tuple[str, HtmlElement]] = field(default_factory=list)
    prose_in_furniture: bool = False


@dataclass(frozen=True)
class Extraction:
    """An article, and how it came about: what was tried for the body, what was taken out, by which selector or rule."""

    article: Article
    tried: tuple[str, ...] = ()
    removed: tuple[tuple[str, str], ...] = ()

    @property
    def is_generic(self) -> bool:
        """Whether no profile fitted, so that the page was read without knowledge of its layout."""
        return self.article.profile == GENERIC.name


def rules_of(source: Source) -> Rules:
    """Return what shapes the records of a source: its profiles, our code and trafilatura's version."""
    version = library_version()
    shaping = {
        "profiles": [asdict(profile) for profile in source.profiles],
        "names": [source.publisher, source.names, source.press, source.press_in, str(source.timezone)],
        "judged": [source.evidence, source.own, source.opinion.pattern if source.opinion else ""],
        "addresses": [[a.prefix, a.pattern.pattern, a.time] for a in source.addresses],
        "spelling": [source.strip, sorted(source.same_host.items())],
        "trafilatura": version,
        "code": CODE,
    }
    text = json.dumps(shaping, sort_keys=True, default=str, ensure_ascii=False)
    return Rules(hashlib.sha256(text.encode()).hexdigest(), version, CODE)


def extract(capture: Capture, place: Place) -> Article:
    """Return the article that a capture shows, by the rules of its source. Never raises for a bad page."""
    return extract_explained(capture, place).article


def extract_explained(capture: Capture, place: Place) -> Extraction:
    """Return the article with its explanation. Never raises for a bad page."""
    try:
        return _read(capture, place)
    except Exception as error:  # pages are hostile: what nobody foresaw must cost one page, and be seen
        return _refused(f"unforeseen_{type(error).__name__}", place.source)


def _refused(reason: str, source: Source) -> Extraction:
    return Extraction(Article(status=Status.REJECT, reasons=(reason,), publisher=source.publisher))


def _read(capture: Capture, place: Place) -> Extraction:
    source = place.source
    if not is_opinion(place):
        return _refused("other_section", source)
    tree = parsed(capture)
    if tree is None:
        return _refused("unreadable", source)
    page = page_of(tree)
    if source.press and not fields.of_press(page, source):
        return _refused("other_press", source)
    tried: list[str] = []
    body = _body(page, place, capture.fetched_at, tried)
    if body is None:
        return _refused("too_costly", source)
    if body.profile is None:
        page = replace(page)  # the generic reading thinned the tree: forget where elements were
    return _reading(capture, place, page, body, tuple(tried))


def _reading(capture: Capture, place: Place, page: Page, body: Body, tried: tuple[str, ...]) -> Extraction:
    source, profile = place.source, body.profile or _elsewhere(place.source, capture)
    title = fields.headline(page, profile, source)
    outside = fields.signed_outside(page, profile, source)
    boilerplate = take_boilerplate(body.blocks, title.value if title else "", profile, outside[0])
    known = body.profile is not None
    english, korean = boilerplate.paragraphs, boilerplate.korean
    whole = [*english, *korean]
    wanted, got = _solid(whole), _solid(read_paragraphs(whole) if known else whole)
    authors, signed_in = fields.authors(boilerplate, outside, page, profile, source)
    if boilerplate.bios and not authors:
        boilerplate.warnings.append("bio_without_name")
    if body.prose_in_furniture:
        boilerplate.warnings.append("prose_in_furniture")
    dates = fields.dates(page, profile, place)
    section = fields.section(page, profile)
    label = title.value if title and title.value != boilerplate.headline else ""  # a title that only says what it is
    kind, kind_from = fields.kind(section or label, place, boilerplate, bool(authors))
    deck = page.first(*profile.deck)
    notice = page.first(*profile.copyright)
    article = Article(
        status=Status.OK,
        headline=boilerplate.headline,
        deck=deck.value if deck else boilerplate.deck,
        kind=kind,
        authors=authors,
        published_at=dates.published[0] if dates.published else None,
        modified_at=dates.modified[0] if dates.modified else None,
        published_raw=dates.published[1].value if dates.published else "",
        date_source=_witness(dates.published and dates.published[1]),
        language="+".join(code for code, part in (("en", english), ("ko", korean)) if part),
        text="\n\n".join(english),
        text_ko="\n\n".join(korean),
        captions=fields.captions(body.nodes, profile, boilerplate),
        images=fields.images(body.nodes),
        related=tuple(dict.fromkeys([*_related(page, profile), *boilerplate.related])),
        correction_note=boilerplate.correction_note,
        translator_note=boilerplate.translator_note,
        print_edition=boilerplate.print_edition,
        emails=tuple(dict.fromkeys(boilerplate.emails)),
        publisher=source.publisher,
        copyright=boilerplate.copyright or (notice.value if notice else ""),
        rights_signals=fields.rights(page, capture),
        witnesses=_witnesses(
            dates, text=body.selector, headline=_witness(title), deck=_witness(deck), authors=signed_in, kind=kind_from
        ),
        coverage=round(got / wanted, 4) if wanted else 0.0,
        profile=profile.name,
    )
    says = _address_says(place)
    seen = Evidence(page, capture, source, body.profile, body.nodes, body.blocks, dates, section, says, boilerplate)
    dropped = ((selector, collapse(element.text_content())) for selector, element in body.dropped)
    removed = (*((f"drop {selector}", text) for selector, text in dropped if text), *boilerplate.removed)
    return Extraction(with_status(article, seen), tried, removed)


def _witnesses(dates: fields.Dates, **said: str) -> tuple[tuple[str, str], ...]:
    """Return who said so, field by field; witnesses of publication that name another day have a line of their own."""
    said["published_at"] = _witness(dates.published and dates.published[1])
    said["modified_at"] = _witness(dates.modified and dates.modified[1])
    said["published_at_otherwise"] = "; ".join(f"{one.provenance}: {when.isoformat()}" for when, one in dates.others)
    return tuple(sorted((field_, witness) for field_, witness in said.items() if witness))


def _body(page: Page, place: Place, when: datetime, tried: list[str]) -> Body | None:
    """Return the body by the first selector that hits text; by the generic reading if none does; None if reading it
    is too much work."""
    source = place.source
    for profile in source.profiles_at(when):
        for selector in profile.body:
            nodes = _outermost(page.select(selector))
            looked = [_dropped(node, profile) for node in nodes]
            dropped = [each for some, _ in looked for each in some]
            without = frozenset(element for _, element in dropped)
            blocks = [block for node in nodes for block in blocks_of(node, without)]
            if any(block.kind == "p" for block in blocks) or (blocks and _is_cartoon(page, profile, place)):
                tried.append(f"{profile.name}: {selector}: hit")
                if is_too_costly(blocks):
                    return None
                return Body(blocks, nodes, profile, selector, dropped, any(prose for _, prose in looked))
            tried.append(f"{profile.name}: {selector}: {'empty' if nodes else 'not on the page'}")
    tried.append("generic: no profile fits, so trafilatura found the text")
    found = page.tree.find("body")
    whole = page.tree if found is None else found
    if is_too_costly(blocks_of(whole)):
        return None
    lines = read_whole(page.tree)  # thins the tree, so the blocks are read anew
    return Body(generic_blocks(blocks_of(whole), lines))


def _elsewhere(source: Source, capture: Capture) -> Profile:
    """Return what may still hold of a page whose body nobody knows: the selectors of the layout last in force."""
    latest = next(iter(source.profiles_at(capture.fetched_at)), GENERIC)
    return replace(latest, name="generic", body=())


def _is_cartoon(page: Page, profile: Profile, place: Place) -> bool:
    """Whether a body may be a picture alone, by address or section."""
    return "cartoon" in f"{place.canonical_url} {fields.section(page, profile)}".lower()


def _outermost(nodes: list[HtmlElement]) -> list[HtmlElement]:
    """Leave out nodes inside of others found, so that no paragraph is read twice."""
    found = set(nodes)
    return [node for node in nodes if not any(parent in found for parent in node.iterancestors())]


def _dropped(node: HtmlElement, profile: Profile) -> tuple[list[tuple[str, HtmlElement]], bool]:
    """Return what is not text inside a body, by the profile and on any site; and whether furniture holds prose: it was
    never closed, or it is text that looks like furniture."""
    known = [(selector, element) for selector in (*profile.bio, *profile.related) for element in select(node, selector)]
    furniture = [(selector, e, _prose_in(e)) for selector in profile.drop for e in select(node, selector)]
    known += [(selector, element) for selector, element, prose in furniture if prose < SWALLOWED]
    embeds = (("embed", element) for element in cast("list[HtmlElement]", EMBEDS(node)))
    hidden = (("hidden", e) for e in cast("list[HtmlElement]", HIDDEN(node)) if len(e.text_content()) < PROSE)
    return [*known, *embeds, *hidden], any(prose for _, _, prose in furniture)


def _prose_in(element: HtmlElement) -> int:
    """Return how many paragraphs of two sentences or more an element holds."""
    prose = (b for b in blocks_of(element) if b.kind == "p" and len(b.text) >= PROSE and PROSE_END.search(b.text))
    return sum(bool(SENTENCE_END.search(block.text)) for block in prose)


def _related(page: Page, profile: Profile) -> Iterator[str]:
    for selector in profile.related:
        for element in page.select(selector):
            yield from (block.text.lstrip("-–▶• ") for block in blocks_of(element) if block.kind != "figure")


def _address_says(place: Place) -> bool:
    """Whether the address itself names the opinion section, and not only a number."""
    return bool(fields.OPINION.search(place.canonical_url.partition("?")[0]))


def _solid(texts: list[str]) -> int:
    """Count the characters that are not white space."""
    return sum(map(len, " ".join(texts).split()))


def _witness(said: Statement | None) -> str:
    return said.provenance if said else ""
