"""A page that no profile fits: trafilatura finds the text, the page's own blocks make it whole.

The library takes one container and drops linked or short paragraphs; but what it found shows where the article stands.
Blocks in the same place, or with the same layout elsewhere, belong to it. A pure function of a tree and lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from lxml.html import HtmlElement

from pipelines.extraction.blocks import Block
from pipelines.extraction.ledger import PROSE

MIN_TEXT = 60  # characters of a block that is put back although the library left it out
SAME_LAYOUT = 3  # so many long paragraphs with one layout signature make it the article's
NEAR = 4  # levels between a paragraph in wrappers of its own and the article's container
MOSTLY_LINK = 0.6
NO_TEXT = frozenset("figure figcaption aside form footer header nav table h1 h2 h3 h4 h5 h6 li th td".split())
FURNITURE = re.compile(
    r"caption|newsletter|promo|related|subscri|advert|sponsor|credit|byline|author|embed|gallery|comment|share|social"
    r"|cookie|consent|popular|recommend|teaser|sidebar|widget|disclaim|copyright|footer|banner|signup",
    re.IGNORECASE,
)
Layout = tuple[object, ...]


def generic_blocks(blocks: Sequence[Block], lines: Sequence[str]) -> tuple[list[Block], list[Block]]:
    """Return those of a page's blocks that are its article, given the lines that the library found; and which of them
    it had left out.

    Lines that are not blocks of the page (rows of tables) stay where they stood.
    """
    found = _placed(blocks, lines)
    kept = sorted({at for at, _ in found if at >= 0})
    if not kept:
        return [Block("p", line) for line in lines], []
    restored = _left_out(blocks, kept)
    places = [(at, 0, block) for at, block in found]
    places += [(at, 1, blocks[at]) for at in restored]
    return [block for _, _, block in sorted(places, key=lambda place: place[:2])], [blocks[at] for at in restored]


def _placed(blocks: Sequence[Block], lines: Sequence[str]) -> list[tuple[int, Block]]:
    """Return each line's place among the blocks, going on from the last; a line without one stays behind it."""
    where: dict[str, list[int]] = {}
    for at, block in enumerate(blocks):
        where.setdefault(block.text, []).append(at)
    found: list[tuple[int, Block]] = []
    last = -1
    for line in lines:
        text = line.removeprefix("- ")
        at = next((at for at in where.get(text, ()) if at > last), -1)
        last = max(last, at)
        found.append((at, blocks[at]) if at >= 0 else (last, Block("p", text)))
    return found


def _left_out(blocks: Sequence[Block], kept: Sequence[int]) -> list[int]:
    """Return the places of paragraphs that the library left although they stand or look like those it took."""
    long = [blocks[at].node for at in kept if len(blocks[at].text) >= PROSE]
    containers = {node.getparent() for node in long if node is not None}
    layouts = Counter(_layout(node) for node in long if node is not None)
    taken = set(kept)
    found = []
    for at in range(kept[0], len(blocks)):
        block = blocks[at]
        if at in taken or block.node is None or not _is_text(block):
            continue
        levels = NEAR if at < kept[-1] else 1  # behind the last only what stands in the same container itself
        inside = any(parent in containers for parent in _above(block.node, levels))
        dress = _layout(block.node)
        if inside or (dress[-1] and layouts[dress] >= SAME_LAYOUT):
            found.append(at)
    return found


def _is_text(block: Block) -> bool:
    assert block.node is not None
    if block.kind != "p" or len(block.text) < MIN_TEXT or block.linked > MOSTLY_LINK:
        return False
    around = [block.node, *block.node.iterancestors()]
    return not any(
        element.tag in NO_TEXT or FURNITURE.search(f"{element.get('class', '')} {element.get('id', '')}")
        for element in around
        if element.tag not in {"body", "html", "main", "article"}
    )


def _layout(node: HtmlElement) -> Layout:
    """Return a paragraph's layout signature: its tag, and tag and class of grandparent and parent.

    The parent is left out if it has no class.
    """
    parent = node.getparent()
    above = parent.getparent() if parent is not None else None
    shown = [(e.tag, e.get("class", "")) if e is not None else () for e in (above, parent)]
    named = shown[1] if parent is not None and parent.get("class") else ()
    return (node.tag, shown[0], named)


def _above(node: HtmlElement, levels: int) -> list[HtmlElement]:
    return [parent for _, parent in zip(range(levels), node.iterancestors(), strict=False)]
