"""The body of a page as a list of blocks: every paragraph once, in order, apart from furniture.

trafilatura silently drops paragraphs written as bare `div`, list items, subheads, quotations and
short linked paragraphs. So the body is brought to plain blocks first, and only then handed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from lxml.html import HtmlElement

from pipelines.extraction.page import collapse

Kind = Literal["p", "figure", "links"]

BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd details div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tbody td tfoot th thead tr ul".split()
)
UNSEEN = frozenset(
    "script style noscript template iframe object embed svg button select textarea audio video canvas "
    "del s strike".split()
)
HANGUL = re.compile(r"[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f]")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
HANGUL_WEIGHT = 2.2  # Latin letters that one Hangul syllable is worth
QUOTED_UNITS, LINE_UNITS = 300, 60  # a language with less in all, or a line with less, is quoted where it stands
PROSE = 80  # characters from which on a block is prose, not interface
LINKS, LINK_SHARE = 3, 0.8  # a block of that many links, taking that share of its letters, is a list of headlines


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, or the place of a figure (`text` is then what its image says).

    `node` is the block-level element that the text begins in; `links` are the texts of its links.
    """

    kind: Kind
    text: str
    links: tuple[str, ...] = ()
    node: HtmlElement | None = field(default=None, compare=False, repr=False)

    @property
    def linked(self) -> float:
        """Which part of the text is link."""
        return sum(map(len, self.links)) / len(self.text) if self.text else 0.0


class _Writer:
    """Collects running text and cuts it into blocks at block boundaries."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.parts: list[str] = []
        self.links: list[str] = []
        self.begun: HtmlElement | None = None

    def text(self, text: str | None, element: HtmlElement | None) -> None:
        """Take in running text that stands directly in an element."""
        if not text or (self.begun is None and text.isspace()):
            return
        self.parts.append(text)
        if self.begun is None:
            self.begun = element

    def cut(self) -> None:
        if self.begun is None:
            return self.links.clear()
        text = collapse("".join(self.parts))
        if text:
            block = Block("p", text, tuple(self.links), _block_level(self.begun))
            listing = len(self.links) >= LINKS and block.linked > LINK_SHARE
            self.blocks.append(replace(block, kind="links") if listing else block)
        self.parts.clear()
        self.links.clear()
        self.begun = None
        return None

    def figure(self, text: str) -> None:
        self.cut()
        self.blocks.append(Block("figure", collapse(text)))


def _block_level(element: HtmlElement | None) -> HtmlElement | None:
    while element is not None and element.tag not in BLOCKS:
        element = element.getparent()
    return element


def blocks_of(body: HtmlElement, dropped: frozenset[HtmlElement] = frozenset()) -> list[Block]:
    """Return the blocks of a body node; elements in `dropped` are left out, the text after them is not.

    >>> from lxml.html import fromstring
    >>> [b.text for b in blocks_of(fromstring("<div><div>One</div>Two<br>Three <a>four</a><p>Five</p></div>"))]
    ['One', 'Two', 'Three four', 'Five']
    """
    writer = _Writer()
    for event, element in _walk(body, dropped):
        if event == "text":
            writer.text(element.text, element)
        elif event == "tail":
            writer.text(element.tail, element.getparent())
        elif event == "image":
            writer.figure(element.get("alt") or "")
        elif event == "link":
            writer.links.append(collapse("".join(element.itertext())))
        else:
            writer.cut()
    writer.cut()
    return writer.blocks


def _walk(body: HtmlElement, dropped: frozenset[HtmlElement]) -> Iterator[tuple[str, HtmlElement]]:
    """Yield what a reader meets, in order. Iterative: pages nested 5,000 deep exist."""
    stack: list[tuple[bool, HtmlElement]] = [(True, body)]
    while stack:
        entering, element = stack.pop()
        if not entering:
            if element.tag in BLOCKS:
                yield "cut", element
            if element is not body:
                yield "tail", element
            continue
        if not isinstance(element.tag, str) or element.tag in UNSEEN or element in dropped or _is_slot(element):
            yield from (("image", image) for image in element.iter("img")) if element in dropped else ()
            if element is not body:
                yield "tail", element
            continue
        if element.tag in BLOCKS:
            yield "cut", element
        if element.tag == "img":
            yield "image", element
        if element.tag == "a":
            yield "link", element
        yield "text", element
        stack.append((False, element))
        stack.extend((True, child) for child in reversed(element))


def _is_slot(element: HtmlElement) -> bool:
    """Whether an `ins` is a slot for advertising; any other is text that was put in."""
    named = "ads" in element.get("class", "") or any(name.startswith("data-ad") for name in element.attrib)
    return element.tag == "ins" and named


def share_of_korean(text: str) -> float | None:
    """Return which part of a text's letters is Hangul, or None when it has no letters.

    >>> share_of_korean("Lee Jae-myung (이재명)") < 0.4
    True
    """
    if not HANGUL.search(text):
        return 0.0 if LATIN.search(text) else None
    hangul = HANGUL_WEIGHT * len(HANGUL.findall(text))
    latin = len(LATIN.findall(text))
    return hangul / (hangul + latin) if hangul + latin else None


def split_languages(texts: list[str]) -> tuple[list[str], list[str]]:
    """Return English and Korean blocks; a doubtful block goes with its neighbour, the previous first."""
    labels = _joined([_label(text) for text in texts], texts)
    known = [label for label in labels if label]
    previous = known[0] if known else "en"
    english: list[str] = []
    korean: list[str] = []
    for label, text in zip(labels, texts, strict=True):
        previous = label or previous
        (korean if previous == "ko" else english).append(text)
    return english, korean


def _joined(labels: list[str], texts: list[str]) -> list[str]:
    """Let few words of a language stay where they are: a poem that is quoted, a slogan on a line of its own."""
    if not {"en", "ko"} <= set(labels):
        return labels
    total = {name: sum(units(t) for t, own in zip(texts, labels, strict=True) if own == name) for name in ("en", "ko")}
    ends = {name: (labels.index(name), len(labels) - 1 - labels[::-1].index(name)) for name in ("en", "ko")}
    joined = list(labels)
    for at, (label, text) in enumerate(zip(labels, texts, strict=True)):
        if not label:
            continue
        other = "ko" if label == "en" else "en"
        first, last = ends[other]
        if first < at < last and (total[label] < QUOTED_UNITS or units(text) < LINE_UNITS):
            joined[at] = other
    return joined


def units(text: str) -> float:
    """Return the length of a text in Latin letters: a Hangul syllable counts for 2.2."""
    return len("".join(text.split())) + (HANGUL_WEIGHT - 1) * len(HANGUL.findall(text))


def _label(text: str) -> str:
    share = share_of_korean(text)
    if share is None:
        return ""
    return "ko" if share >= 0.6 else "en" if share < 0.25 else ""
