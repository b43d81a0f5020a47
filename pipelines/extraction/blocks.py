"""The body of a page as a list of blocks: every paragraph once, in order, apart from furniture.

trafilatura silently drops paragraphs written as bare `div`, list items, subheads, quotations and
short linked paragraphs. So the body is brought to plain blocks first, and only then handed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Literal

from lxml.html import HtmlElement

from pipelines.extraction.ledger import PROSE, Piece
from pipelines.extraction.page import collapse

Kind = Literal["p", "figure", "links"]

BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd details div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tbody td tfoot th thead tr ul".split()
)
MACHINE = frozenset(("script", "style"))  # no reader's text
UNSEEN = frozenset(
    "noscript template iframe object embed svg math button select textarea audio video canvas del s strike".split()
)
DROP_CAP = re.compile(r"drop-?_?cap|first-?letter|initial-?(?:cap|letter)", re.IGNORECASE)
HANGUL = re.compile(r"[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f]")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
HANGUL_WEIGHT = 2.2  # Latin letters that one Hangul syllable is worth
QUOTED_UNITS, LINE_UNITS = 300, 60  # a language with less in all, or a line with less, is quoted where it stands
WORD_LETTERS = frozenset("AI")  # capitals that are words of their own
EDGE = -1  # instead of a number of breaks
WRAPPED, LEAST_WRAPS = 40, 3  # letters of a line that a wrap may follow; lines, before a text counts as hard-wrapped
LINE_END = re.compile(r"[.!?…:][’”\"')\]]*$")
MOST_BLOCKS, MOST_LETTERS = 5_000, 1_000_000  # of a body; the longest op-ed known has 60 blocks and 20,000 letters
MARKS = re.compile(
    r"[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{100}"
)
SWALLOWED = 2  # paragraphs of prose in furniture, from which on it was never closed, and its content is text
SLOT_LOOK = 50  # paragraphs of an advertising slot that are looked at
LINKS, LINK_SHARE = 3, 0.8  # a block of that many links, taking that share of its letters, is a list of headlines


@dataclass(frozen=True, slots=True)
class Cut:
    """Why an element of the body is not part of the text: the `rule`, the selector or element `by` which it was
    found, and the article's `field` that holds its text, empty if none does."""

    rule: str
    by: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, or the place of a figure (`text` is then what its image says).

    `node` is the block-level element that the text begins in; `links` are the texts of its links; `breaks` counts the
    `br` that alone part it from the block before, 0 where another element's edge does.
    """

    kind: Kind
    text: str
    links: tuple[str, ...] = ()
    node: HtmlElement | None = field(default=None, compare=False, repr=False)
    breaks: int = field(default=0, compare=False)

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
        self.breaks = 0  # `br` since the last block; below zero once another edge came between
        self.capital = False  # the text so far is a drop cap, and its word goes on in what follows

    def enter(self, element: HtmlElement, tag: str) -> None:
        """Take in an element's beginning and the text that follows it."""
        if tag in BLOCKS:
            self.cut(at_break=tag == "br")
        elif tag == "img":
            self.figure(element.get("alt") or "")
        elif tag == "a":
            self.links.append(collapse("".join(element.itertext())))
        elif tag == "q":
            self.text("“", element)  # what a browser shows
        if element.text:
            self.text(element.text, element)

    def leave(self, element: HtmlElement, tag: str) -> None:
        """Take in an element's end."""
        if tag == "q":
            self.text("”", element)
        if len(self.parts) == 1:
            self._note_drop_cap(element)
        if tag in BLOCKS and tag != "br":  # a break has no inside: it is one cut, not two
            self.cut()

    def text(self, text: str, element: HtmlElement | None) -> None:
        """Take in running text that stands directly in an element."""
        if (self.begun is None or self.capital) and text.isspace():
            return
        self.parts.append(text.lstrip() if self.capital and self.parts[0].strip() not in WORD_LETTERS else text)
        self.capital = False
        if self.begun is None:
            self.begun = element

    def cut(self, at_break: bool = False) -> None:
        """End the block at an element's edge, or at a `br`."""
        if self.capital:
            if self.parts[0].strip() in WORD_LETTERS and not at_break:
                self.parts.append(" ")
            return
        if self.begun is not None:
            self._write()
        self.links.clear()
        if not at_break:
            self.breaks = EDGE
        elif self.breaks != EDGE:
            self.breaks += 1

    def _write(self) -> None:
        text = collapse("".join(self.parts))
        if text:
            block = Block("p", text, tuple(self.links), _block_level(self.begun), max(self.breaks, 0))
            listing = len(self.links) >= LINKS and block.linked > LINK_SHARE
            self.blocks.append(replace(block, kind="links") if listing else block)
            self.breaks = 0
        self.parts.clear()
        self.begun = None

    def figure(self, text: str) -> None:
        self.cut()
        self.blocks.append(Block("figure", collapse(text)))

    def end(self) -> None:
        """Write what is left."""
        self.capital = False
        self.cut()

    def _note_drop_cap(self, element: HtmlElement) -> None:
        """Note that one letter alone begins the word that follows, by its class."""
        letter = self.parts[0].strip()
        if len(letter) == 1 and letter.isupper() and DROP_CAP.search(element.get("class", "")):
            self.capital = True


def _block_level(element: HtmlElement | None) -> HtmlElement | None:
    while element is not None and element.tag not in BLOCKS:
        element = element.getparent()
    return element


def blocks_of(body: HtmlElement) -> list[Block]:
    """Return the blocks of a body node.

    >>> from lxml.html import fromstring
    >>> [b.text for b in blocks_of(fromstring("<div><div>One</div>Two<br>Three <a>four</a><p>Five</p></div>"))]
    ['One', 'Two', 'Three four', 'Five']
    """
    return blocks_and_rest(body, {})[0]


def blocks_and_rest(body: HtmlElement, cuts: Mapping[HtmlElement, Cut]) -> tuple[list[Block], list[HtmlElement]]:
    """Return the blocks of a body node, and the elements whose text is in none of them.

    These are the ones in `cuts`, and what a browser does not show as text; the text after them is not left out.
    Iterative: pages nested 5,000 deep exist.
    """
    writer = _Writer()
    rest: list[HtmlElement] = []
    stack: list[tuple[bool, HtmlElement]] = [(True, body)]
    while stack:
        entering, element = stack.pop()
        tag = element.tag
        if entering and _is_shown(element, tag, cuts):
            writer.enter(element, tag)
            stack.append((False, element))
            stack.extend((True, child) for child in reversed(element))
            continue
        if not entering:
            writer.leave(element, tag)
        elif isinstance(tag, str) and tag not in MACHINE:
            rest.append(element)
            for image in element.iter("img") if element in cuts else ():
                writer.figure(image.get("alt") or "")
        if element is not body and element.tail:
            writer.text(element.tail, element.getparent())
    writer.end()
    return _unwrapped(writer.blocks), rest


def _is_shown(element: HtmlElement, tag: object, cuts: Mapping[HtmlElement, Cut]) -> bool:
    if not isinstance(tag, str) or tag in MACHINE or tag in UNSEEN or element in cuts:
        return False
    return tag != "ins" or not _is_slot(element)


def pieces_in(element: HtmlElement, cuts: Mapping[HtmlElement, Cut]) -> Iterator[Piece]:
    """Yield the text of an element that is left out, one piece for each element inside that has a reason of its own."""
    said: list[tuple[Cut, list[str], list[str]]] = []
    stack: list[tuple[str | HtmlElement, int, bool]] = [(element, -1, False)]
    while stack:
        part, owner, linked = stack.pop()
        if isinstance(part, str):
            said[owner][1].append(part)
            said[owner][2].extend([] if linked else [part])
            continue
        if isinstance(part.tag, str) and part.tag not in MACHINE:
            if part in cuts or owner < 0:
                owner = len(said)
                said.append((cuts.get(part) or Cut("slot" if part.tag == "ins" else "unseen", part.tag), [], []))
            linked = linked or part.tag == "a"
            for child in reversed(part):
                stack.append(((" " if child.tag in BLOCKS else "") + (child.tail or ""), owner, linked))
                stack.append((child, owner, linked))
            stack.append(((" " if part.tag in BLOCKS else "") + (part.text or ""), owner, linked))
    for cut, words, own in said:
        text = collapse("".join(words))
        if text:
            apart = collapse("".join(own))
            mostly_link = len(apart) < (1 - LINK_SHARE) * len(text)
            yield Piece(cut.rule, cut.by, text, cut.field, apart if mostly_link else text)


def _unwrapped(blocks: list[Block]) -> list[Block]:
    """Join the lines of a hard-wrapped text: one whose paragraphs are parted by two breaks, and whose lines, parted by
    one, end in the middle of a sentence as a rule.

    Elsewhere a single break parts paragraphs, as in the newspaper's own pages.
    """
    lines = [(one, two) for one, two in pairwise(blocks) if two.breaks == 1 and len(one.text) >= WRAPPED]
    in_sentence = sum(not LINE_END.search(one.text) for one, _ in lines)
    if len(lines) < LEAST_WRAPS or 2 * in_sentence < len(lines) or not any(block.breaks > 1 for block in blocks):
        return blocks
    joined: list[list[Block]] = []
    for block in blocks:
        if block.breaks == 1 and block.kind == "p" and joined and len(joined[-1][-1].text) >= WRAPPED:
            joined[-1].append(block)
        else:
            joined.append([block])
    return [_one_block(lines) for lines in joined]


def _one_block(lines: Sequence[Block]) -> Block:
    if len(lines) == 1:
        return lines[0]
    links = tuple(link for line in lines for link in line.links)
    return replace(lines[0], text=" ".join(line.text for line in lines), links=links)


def is_too_costly(blocks: Sequence[Block], pieces: Sequence[Piece] = ()) -> bool:
    """Whether a page asks for more work than an op-ed can: too many blocks or letters, or endless combining marks."""
    number = sum(len(block.text) for block in blocks) + sum(len(piece.text) for piece in pieces)
    many = len(blocks) > MOST_BLOCKS or len(pieces) > MOST_BLOCKS or number > MOST_LETTERS
    return many or any(MARKS.search(block.text) for block in blocks)


def _is_slot(element: HtmlElement) -> bool:
    """Whether an `ins` is a slot for advertising; any other, or one that was never closed, is text that was put in."""
    if element.tag != "ins":
        return False
    named = "ads" in element.get("class", "") or any(name.startswith("data-ad") for name in element.attrib)
    inside = islice(element.iter("p"), SLOT_LOOK) if named else ()
    return named and sum(len(paragraph.text_content()) >= PROSE for paragraph in inside) < SWALLOWED


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
    hangul = 0 if text.isascii() else len(HANGUL.findall(text))
    return len("".join(text.split())) + (HANGUL_WEIGHT - 1) * hangul


def _label(text: str) -> str:
    share = share_of_korean(text)
    if share is None:
        return ""
    return "ko" if share >= 0.6 else "en" if share < 0.25 else ""
