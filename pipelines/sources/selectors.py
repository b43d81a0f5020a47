"""CSS selectors, as source files write them, applied to a parsed page."""

from __future__ import annotations

from functools import cache
from typing import cast

from cssselect import GenericTranslator
from lxml.etree import XPath
from lxml.html import HtmlElement


def select(element: HtmlElement, selector: str) -> list[HtmlElement]:
    """Return the elements below that a CSS selector finds, in the order of the page."""
    return cast("list[HtmlElement]", _compiled(selector)(element))


@cache
def _compiled(selector: str) -> XPath:
    return XPath(css_to_xpath(selector))


def css_to_xpath(selector: str) -> str:
    """Return the XPath of a CSS selector; raise `cssselect.SelectorError` if it is misspelt."""
    return GenericTranslator().css_to_xpath(selector, prefix="descendant::")
