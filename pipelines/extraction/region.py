"""The region of a page that holds the article, and each piece of it that is not the article's text.

The profile names the region; where no profile fits, it is what surrounds the lines that trafilatura found. Whatever is
left out here is a `Piece` with its reason: nothing of the region may get lost without a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import cast

from lxml.etree import XPath
from lxml.html import HtmlElement

from pipelines.extraction import fields
from pipelines.extraction.blocks import (
    SWALLOWED,
    Block,
    Cut,
    blocks_and_rest,
    blocks_of,
    is_too_costly,
    pieces_in,
    units,
)
from pipelines.extraction.generic import FURNITURE, MOSTLY_LINK, generic_blocks
from pipelines.extraction.ledger import BEYOND, PROSE, TEXT_NODES, Piece, is_prose
from pipelines.extraction.page import Page, collapse, words_alone
from pipelines.extraction.phrases import PROSE_END, SENTENCE_END
from pipelines.extraction.trafilatura_reader import read_whole
from pipelines.sources import Profile
from pipelines.sources.addresses import Place
from pipelines.sources.selectors import select

EMBEDS = XPath(
    "descendant::*[contains(@class,'twitter-tweet') or contains(@class,'instagram-media') or contains(@class,'fb-post')"
    " or contains(@class,'tiktok-embed') or contains(@class,'fb-video')"
    " or ((@placeholder or @fallback) and not(self::input or self::textarea))]"
)  # others' posts, and what AMP shows instead of them
HIDDEN = XPath(
    "descendant::*[@hidden or @aria-hidden='true']"
    " | descendant::*/@style[contains(translate(.,' ',''),'display:none')]/.."
    " | descendant::*/@class[contains(.,'sr-only') or contains(.,'visually-hidden') or contains(.,'blind')"
    " or contains(.,'screen-reader-text')]/.."
)  # by class: candidates
HIDING = frozenset("sr-only visually-hidden blind screen-reader-text".split())
FOOTNOTE_MARKS = XPath(
    "descendant::sup[a[starts-with(@href,'#')]]"
    " | descendant::a[starts-with(@href,'#')][sup][string-length(normalize-space(.)) < 6]"
)
SHORTEST = 35  # Latin letters' worth of a sentence that is looked for outside of the region
NO_ARTICLE = frozenset({"nav", "footer", "title", "head"})
HAS_LONG_TEXT = XPath("boolean(descendant::text()[string-length(.) > 25][not(parent::script or parent::style)])")
NAMED = XPath("descendant::*[@class or @id]")
ADVERTISING = re.compile(
    r"(?:^|[\s_-])(?:ads?|advert\w*|adbox|adslot|adsense|sponsored|promo(?:tion)?)(?:$|[\s_-])", re.I
)
PULL_QUOTE = re.compile(r"pull[-_]?quote|quote[-_]?box|callout|highlight", re.IGNORECASE)
QUOTE_LENGTH, QUOTES_LOOKED_AT = (25, 400), 20  # characters of a sentence that a page shows twice; blocks
ELSEWHERE = tuple("headline deck byline bio section date modified caption related wall copyright".split())
LABELS = frozenset({"headline", "byline", "section", "date", "modified"})  # fields that hold no prose
ONE_LINE = LABELS | {"deck"}  # fields that take the first element found
FURNITURE_WORDS = re.compile(
    r"(?:subscribe|sign up|get).{0,60}(?:newsletter|mailbox|inbox)|\ball rights reserved|privacy policy"
    r"|unauthorized (?:repro|copy|use|dist)|(?:may not be|without|prohibit).{0,80}(?:reproduc|redistribut|copied)"
    r"|(?:reproduc|redistribut).{0,80}prohibit|\b(?:we|this (?:web ?)?site|our partners) uses? cookies"
    r"|^(?:to (?:write|leave|post|read)|write|leave|post|no|all|view|report)\b.{0,30}\bcomments?\b"
    r"|\blog in to one of the accounts|terms of (?:use|service)|Standards Board Policy|print dictionary print"
    r"|\(0/250자\)|글자크기|타임톡|파란원을|kakao i|무단\s*전재",
    re.IGNORECASE,
)  # of blocks outside the body
MAY_SWALLOW = frozenset(
    "caption drop advertising bio related embed".split()
)  # rules for what may never have been closed
ASIDE, LOOKED_INTO = ("nav", "aside", "figure", "figcaption"), 20  # outside of the region; elements of a kind
SITE_WORDS = 5
MOST_ARTICLES = 20  # on one page, that are told apart
NOT_READ = ("nav", "footer", "aside")  # where no profile fits


@dataclass(frozen=True)
class Region:
    """The article's blocks, and the pieces of the region that are none: by which profile and selector, or by none.

    `letters_of` are the elements whose letters must all be accounted for; `restored` are blocks that trafilatura's
    reading of the page left out. `warnings` are reasons for a person to look at the page.
    """

    blocks: list[Block]
    nodes: list[HtmlElement] = field(default_factory=list)
    profile: Profile | None = None
    selector: str = "generic"
    pieces: list[Piece] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    restored: list[Block] = field(default_factory=list)

    @property
    def whole_text(self) -> str:
        """All text of the region as it was parsed."""
        return collapse(" ".join("".join(cast("list[str]", TEXT_NODES(node))) for node in self.nodes))


def region_of(page: Page, place: Place, when: datetime, tried: list[str]) -> Region | None:
    """Return the region by the first selector that hits text, by the generic reading if none does; None if reading it
    is too much work."""
    for profile in place.source.profiles_at(when):
        for selector in profile.body:
            nodes = _outermost(page.select(selector))
            region = _profiled(page, nodes, profile, selector)
            found = any(block.kind == "p" for block in region.blocks)
            if found or (region.blocks and _is_cartoon(page, profile, place)):
                tried.append(f"{profile.name}: {selector}: hit")
                return None if is_too_costly(region.blocks, region.pieces) else region
            tried.append(f"{profile.name}: {selector}: {'empty' if nodes else 'not on the page'}")
    tried.append("generic: no profile fits, so trafilatura found the text")
    return _generic(page)


# -- by a profile ---------------------------------------------------------------------------------


def _profiled(page: Page, nodes: list[HtmlElement], profile: Profile, selector: str) -> Region:
    own = _of_this_article(page, nodes, profile)
    warnings: list[str] = []
    blocks: list[Block] = []
    pieces: list[Piece] = []
    for node in nodes:
        if node not in own:
            pieces += pieces_in(node, {node: Cut("another article", selector)})
            continue
        cuts, swallowed = _cuts(node, profile)
        warnings += ["prose_in_furniture"] if swallowed else []
        some, rest = blocks_and_rest(node, cuts)
        blocks += some
        pieces += (piece for element in rest for piece in pieces_in(element, cuts))
    kept, repeated = _without_pull_quotes(blocks)
    return Region(kept, nodes, profile, selector, [*pieces, *repeated], warnings)


def _of_this_article(page: Page, nodes: list[HtmlElement], profile: Profile) -> set[HtmlElement]:
    """Leave out nodes with a headline of their own that is not the page's: the next article, put below this one."""
    if not 2 <= len(nodes) <= MOST_ARTICLES:
        return set(nodes)
    titles = [words_alone(said.value) for said in (page.meta("og:title"), page.first("title")) if said]
    headlines = set(page.each((*profile.headline, "h1", "h2")))
    named = {node: _own_headline(node, nodes, headlines) for node in nodes}
    other = [node for node, own in named.items() if own and own not in titles and not _begins(titles[-1:], own)]
    return {nodes[0]} if len(other) == len(nodes) else set(nodes).difference(other)


def _begins(titles: Sequence[str], headline: str) -> bool:
    """Whether a page's title is the headline and the name of the site, which has a few words."""
    rest = [title.removeprefix(headline).split() for title in titles if title.startswith(headline)]
    return any(len(words) <= SITE_WORDS for words in rest)


def _own_headline(node: HtmlElement, nodes: Sequence[HtmlElement], headlines: set[HtmlElement]) -> str:
    """Return the headline that stands with this node and with no other."""
    others = {parent for other in nodes if other is not node for parent in other.iterancestors()}
    container = node
    for parent in node.iterancestors():
        if parent in others:
            break
        container = parent
    inside = (e for e in container.iter() if e in headlines)
    return next((text for e in inside if (text := words_alone(" ".join(e.itertext())))), "")


def _cuts(node: HtmlElement, profile: Profile) -> tuple[dict[HtmlElement, Cut], bool]:
    """Return what is not text inside a node; and whether furniture holds so much prose that it stays: it was never
    closed, or it is text that looks like furniture. The first reason to leave out an element counts."""
    cuts: dict[HtmlElement, Cut] = {}
    swallowed = False
    for element, cut in _not_text(node, profile):
        if element in cuts:
            continue
        if cut.rule in MAY_SWALLOW and _prose_in(element) >= SWALLOWED:
            swallowed = True
        else:
            cuts[element] = cut
    return cuts, swallowed


def _not_text(node: HtmlElement, profile: Profile) -> Iterator[tuple[HtmlElement, Cut]]:
    """Yield what is not text inside a node, by the profile and on any site."""
    known = (("bio", profile.bio, "authors"), ("related", profile.related, "related"))
    captions = (*profile.caption, "figcaption")
    for rule, selectors, name in (*known, ("caption", captions, "captions"), ("drop", profile.drop, "")):
        for selector in selectors:
            yield from ((element, Cut(rule, selector, name)) for element in select(node, selector))
    for element in cast("list[HtmlElement]", EMBEDS(node)):
        yield element, Cut("embed", element.get("class") or element.tag, "embeds")
    for element in _hidden(node):
        yield element, Cut("hidden", element.tag)
    for element in cast("list[HtmlElement]", FOOTNOTE_MARKS(node)):
        yield element, Cut("footnote mark", element.tag)
    for element in cast("list[HtmlElement]", NAMED(node)):
        named = collapse(f"{element.get('class', '')} {element.get('id', '')}")
        if ADVERTISING.search(named):
            yield element, Cut("advertising", named)


def _hidden(node: HtmlElement) -> Iterator[HtmlElement]:
    """Yield what is hidden and short: furniture for some readers. Long, it is text that is shown later."""
    for element in cast("list[HtmlElement]", HIDDEN(node)):
        by_class = not HIDING.isdisjoint(element.get("class", "").split())
        if (by_class or _says_hidden(element)) and len(element.text_content()) < PROSE:
            yield element


def _says_hidden(element: HtmlElement) -> bool:
    style = element.get("style", "").replace(" ", "")
    return "hidden" in element.attrib or element.get("aria-hidden") == "true" or "display:none" in style


def text_beside(page: Page, region: Region, deck: str) -> Iterator[str]:
    """Yield prose of the page that is neither in the region nor explained: a second container, or a body that ended too
    early. Furniture explains it, by tag or name; so do the profile's other fields, links, and known wordings. Short
    sentences count together with those that follow."""
    assert region.profile is not None
    if not _has_text_beside(page, region):
        return
    around = {parent for node in region.nodes for parent in node.iterancestors()}
    explained = (element for element in _explained(page, region.profile) if element not in around)
    body = page.tree.find("body")
    whole = page.tree if body is None else body
    blocks, _ = blocks_and_rest(whole, dict.fromkeys((*region.nodes, *explained), Cut("known", "")))
    known = [FURNITURE_WORDS, *(re.compile(f"^(?:{pattern})$") for pattern in region.profile.furniture)]
    inside, run = "", ""
    for block in blocks:
        own = block.kind == "p" and block.linked <= MOSTLY_LINK and not any(one.search(block.text) for one in known)
        if not own or not (is_prose(block.text) or PROSE_END.search(block.text)):
            run = ""
            continue
        inside = inside or f"{words_alone(region.whole_text)} {words_alone(deck)}"
        run = "" if words_alone(block.text) in inside else f"{run} {block.text}".strip()
        if is_prose(run):
            yield run


def _has_text_beside(page: Page, region: Region) -> bool:
    """Whether there are sentences outside of region, menus and footer, other than of known wording: mostly there are
    none, and what it costs to explain them is saved."""
    inside = set(region.nodes)
    for text in page.long_texts:
        if units(text) < SHORTEST or not (PROSE_END.search(text.strip()) or SENTENCE_END.search(text)):
            continue
        parent = text.getparent()
        place = parent.getparent() if text.is_tail and parent is not None else parent
        around = (place, *place.iterancestors()) if place is not None else ()
        if any(e in inside or e.tag in NO_ARTICLE for e in around) or FURNITURE_WORDS.search(text):
            continue
        return True
    return False


def _explained(page: Page, profile: Profile) -> Iterator[HtmlElement]:
    yield from page.tree.iter("footer", "form", "title")
    for elements, most in (
        (page.tree.iter(*ASIDE), SWALLOWED),
        (page.named(ADVERTISING), 1),
        (page.each(profile.drop), 1),
    ):
        for number, element in enumerate(elements):
            if number >= LOOKED_INTO or _prose_in(element) < most:
                yield element
    for name in ELSEWHERE:
        found = list(page.each(getattr(profile, name)))
        one = found[:1] if name in ONE_LINE else found
        yield from (element for element in one if name not in LABELS or not is_prose(element.text_content()))
    yield from page.named(FURNITURE)
    yield from _hidden(page.tree)


def _prose_in(element: HtmlElement) -> int:
    """Return how many paragraphs of two sentences or more an element holds; a menu has no text that is long enough."""
    if not HAS_LONG_TEXT(element):
        return 0
    prose = (b for b in blocks_of(element) if b.kind == "p" and len(b.text) >= PROSE and PROSE_END.search(b.text))
    return sum(bool(SENTENCE_END.search(block.text)) for block in prose)


def _without_pull_quotes(blocks: list[Block]) -> tuple[list[Block], list[Piece]]:
    """Leave out sentences that are shown a second time, large, beside the text that they are part of."""
    quotes = list(islice((b for b in blocks if b.kind == "p" and _is_pull_quote(b)), QUOTES_LOOKED_AT))
    texts = [(block, words_alone(block.text)) for block in blocks if block.kind == "p"] if quotes else []
    repeated = [
        quote
        for quote in quotes
        if any(words_alone(quote.text) in text for block, text in texts if len(block.text) > len(quote.text))
    ]
    pieces = [Piece("pull quote", str(quote.node.tag), quote.text) for quote in repeated if quote.node is not None]
    return [block for block in blocks if not any(block is quote for quote in repeated)], pieces


def _is_pull_quote(block: Block) -> bool:
    least, most = QUOTE_LENGTH
    if block.node is None or not least <= len(block.text) <= most:
        return False
    around = [block.node, *islice(block.node.iterancestors(), 2)]
    return any(e.tag == "aside" or PULL_QUOTE.search(e.get("class", "")) for e in around)


def _outermost(nodes: list[HtmlElement]) -> list[HtmlElement]:
    """Leave out nodes inside of others found, so that no paragraph is read twice."""
    found = set(nodes)
    return [node for node in nodes if not any(parent in found for parent in node.iterancestors())]


def _is_cartoon(page: Page, profile: Profile, place: Place) -> bool:
    """Whether a body may be a picture alone, by address or section."""
    return "cartoon" in f"{place.canonical_url} {fields.section(page, profile)}".lower()


# -- by none --------------------------------------------------------------------------------------


def _generic(page: Page) -> Region | None:
    found = page.tree.find("body")
    whole = page.tree if found is None else found
    cuts = {element: Cut("unread", str(element.tag)) for element in whole.iter(*NOT_READ)}
    blocks, rest = blocks_and_rest(whole, cuts)
    if is_too_costly(blocks):
        return None
    lines = read_whole(page.tree)
    kept, restored = generic_blocks(blocks, lines)
    if not any(block.node is not None for block in kept):  # the article stands in what was left out
        cuts = {}
        blocks, rest = blocks_and_rest(whole, cuts)
        kept, restored = generic_blocks(blocks, lines)
    around = _around([block.node for block in kept if block.node is not None], whole)
    inside, taken = set(around.iter()), {id(block) for block in kept}
    beyond = [block for block in blocks if block.node in inside and id(block) not in taken]
    pieces = [Piece(BEYOND, str(block.node.tag), block.text) for block in beyond if block.node is not None]
    pieces += (piece for element in rest if element in inside for piece in pieces_in(element, cuts))
    return None if is_too_costly(kept, pieces) else Region(kept, [around], pieces=pieces, restored=restored)


def _around(nodes: Sequence[HtmlElement], whole: HtmlElement) -> HtmlElement:
    """Return the smallest element that all of these stand in; the whole page if there are none."""
    common: list[HtmlElement] = []
    for number, node in enumerate(dict.fromkeys(nodes)):
        path = [node, *node.iterancestors()]
        shared = set(path)
        common = path if number == 0 else [element for element in common if element in shared]
    return common[0] if common else whole
