"""How trafilatura reads: the one module that knows it. It parses pages, reads bodies, finds the text of any page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from lxml.etree import ElementDefaultClassLookup, ParserError, SubElement, strip_elements
from lxml.html import Element as new_element
from lxml.html import HtmlComment, HtmlElement, HTMLParser, document_fromstring

from pipelines.extraction.decoding import Decoded, decode
from pipelines.extraction.ledger import PROSE
from pipelines.extraction.page import collapse
from pipelines.model import Capture

if TYPE_CHECKING:
    from trafilatura.settings import Extractor

MAX_LETTERS = 10_000_000  # of a page; the largest news page measured has 3 MB
ALIKE = ElementDefaultClassLookup(element=HtmlElement, comment=HtmlComment)  # no Python call for each element
ENDS = re.compile(r"</(?:[bB][oO][dD][yY]|[hH][tT][mM][lL])\s*>")  # lxml loses what follows, browsers show it
UNREAD = ("script", "style", "svg", "nav", "footer", "aside", "iframe", "template")
MIN_PROSE = 0.5  # of a reading: with less of it, the quick reading took the page's furniture for its text


def parsed(capture: Capture) -> HtmlElement | None:
    """Parse a page once. Unknown or broken input gives None, never an error."""
    return parse(decode(capture.payload, capture.header("content-type")))


def parse(decoded: Decoded) -> HtmlElement | None:
    """Parse a page's characters; see `parsed`."""
    from trafilatura.utils import load_html

    if not decoded.text.strip() or len(decoded.text) > MAX_LETTERS:
        return None
    source = ENDS.sub("", decoded.text)
    if "<?xml" not in source[:100]:  # lxml refuses text that declares an encoding
        try:
            parser = HTMLParser(huge_tree=False)
            parser.set_element_class_lookup(ALIKE)
            return document_fromstring(source, parser=parser)
        except (ValueError, ParserError):
            pass
    tree: HtmlElement | None = load_html(source)  # it repairs what lxml alone does not read
    return tree


def read_paragraphs(paragraphs: Iterable[str]) -> list[str]:
    """Return paragraphs as trafilatura reads them from plain blocks: the witness of coverage.

    It drops single words that are names of sites, and a paragraph that repeats the one before; the blocks are kept.
    """
    page = new_element("html")
    article = SubElement(SubElement(page, "body"), "article")
    for paragraph in paragraphs:
        SubElement(article, "p").text = paragraph
    return _lines(page, fast=True) if len(article) else []


def read_whole(tree: HtmlElement) -> list[str]:
    """Return the lines of any page's text as trafilatura finds them, without knowledge of the page.

    Scripts, drawings and menus are taken out of a copy of its body first: the library copies and searches it several
    times. If that leaves no prose, the article may stand in an element that was never closed, and all of the page is
    read.
    """
    body = tree.find("body")
    thinned = tree.makeelement("html")
    thinned.append(deepcopy(tree if body is None else body))
    strip_elements(thinned, *UNREAD, with_tail=False)
    lines = _lines(thinned, fast=True)
    prose = _prose(lines)
    if prose < MIN_PROSE * sum(map(len, lines)):
        lines = _lines(thinned, fast=False)
    return lines if prose else _lines(deepcopy(tree), fast=True)


def _prose(lines: list[str]) -> int:
    return sum(len(line) for line in lines if len(line) >= PROSE)


def _lines(tree: HtmlElement, fast: bool) -> list[str]:
    from trafilatura import bare_extraction

    document = bare_extraction(tree, options=_extractor(fast))
    text = document.text if document is not None and not isinstance(document, dict) else ""
    return [collapse(line) for line in (text or "").split("\n") if line.strip()]


@cache
def _extractor(fast: bool) -> Extractor:
    """No metadata, so no date logic that would be frozen here; no comments; nothing remembered between pages."""
    from trafilatura.settings import Extractor

    return Extractor(output_format="python", comments=False, fast=fast, tables=True)


@cache
def library_version() -> str:
    """Return the version of trafilatura, which is part of the rules."""
    return version("trafilatura")
