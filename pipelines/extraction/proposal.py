"""A profile for pages that no layout fits, proposed from the pages themselves."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from lxml.html import HtmlElement

from pipelines.extraction import fields
from pipelines.extraction.blocks import Block, blocks_of
from pipelines.extraction.dates import moment
from pipelines.extraction.generic import FURNITURE, generic_blocks
from pipelines.extraction.ledger import PROSE
from pipelines.extraction.page import collapse, page_of
from pipelines.extraction.trafilatura_reader import parsed, read_whole
from pipelines.model import Capture
from pipelines.sources import Profile, Source

SHORT_LABEL = 80  # characters; a date or a byline is no longer
DATE_WORDS, NAME_WORDS = (
    re.compile(r"date|time|publish|posted", re.I),
    re.compile(r"byline|author|writer|reporter", re.I),
)
STABLE = re.compile(r"^[A-Za-z][A-Za-z_-]{2,}$")  # a class or id without numbers is likely to be the layout's


def proposed(captures: Iterable[Capture], source: Source) -> str:
    """Return TOML for a profile that would read these pages, each line with its evidence."""
    found: dict[str, Counter[str]] = {}
    trees = [(tree, capture) for capture in captures if (tree := parsed(capture)) is not None]
    for tree, _ in trees:
        for name, selector in _candidates(tree, source):
            found.setdefault(name, Counter())[selector] += 1
    if "body" not in found:
        return ""
    today = max(capture.fetched_at for _, capture in trees).astimezone(source.timezone).date()
    lines = ["[[profile]]", f'name = "{source.name}-new"', f'valid_from = "{today}"']
    for name, counted in found.items():
        best = [selector for selector, _ in counted.most_common(4 if name == "drop" else 1)]
        lines.append(f"{name} = {json.dumps(best, ensure_ascii=False)}  # on {counted[best[0]]} of {len(trees)} pages")
    return "\n".join(lines) + "\n"


def _candidates(tree: HtmlElement, source: Source) -> list[tuple[str, str]]:
    page = page_of(tree)
    whole = tree.find("body")
    blocks = blocks_of(whole if whole is not None else tree)
    body = _container(generic_blocks(blocks, read_whole(tree))[0])
    if body is None:
        return []
    title = fields.headline(page, Profile("", ()), source)
    found = [("body", selector_of(body))]
    headline = title and next((e for e in tree.iter("h1", "h2", "h3", "p", "div") if _says(e, title.value)), None)
    within = {body, *body.iterancestors()}
    outside = [e for e in tree.iter() if isinstance(e.tag, str) and e not in within]
    dated = [e for e in outside if moment(_shown(e), source.timezone)]
    signed = [e for e in outside if NAME_WORDS.search(_named(e)) and 0 < len(_shown(e)) <= SHORT_LABEL]
    date = min(dated, key=lambda e: (not DATE_WORDS.search(_named(e)), len(_shown(e))), default=None)
    byline = next((e for e in signed if fields.is_person(_shown(e), source)), None)
    for name, element in (("headline", headline), ("byline", byline), ("date", date)):
        if element is not None:
            found.append((name, selector_of(element)))
    inside = (e for e in body.iterdescendants() if isinstance(e.tag, str) and _is_furniture(e))
    drops = {selector_of(e) for e in inside} | (
        {selector_of(headline)} if headline is not None and _in(headline, body) else set()
    )
    return [*found, *(("drop", selector) for selector in sorted(drops))]


def _container(blocks: Sequence[Block]) -> HtmlElement | None:
    """Return the smallest element that holds all long paragraphs of the text."""
    nodes = [block.node for block in blocks if block.node is not None and len(block.text) >= PROSE]
    if not nodes:
        return None
    above = [[node, *node.iterancestors()] for node in nodes]
    others = [set(path) for path in above[1:]]
    smallest = next((e for e in above[0][1:] if all(e in path for path in others)), None)
    return None if smallest is None or smallest.tag in {"body", "html"} else smallest


def selector_of(element: HtmlElement) -> str:
    """Return a CSS selector for an element: its id, else its tag and first stable class, else that below a parent's."""
    identity = element.get("id", "")
    if STABLE.match(identity):
        return f"#{identity}"
    stable = next((name for name in element.get("class", "").split() if STABLE.match(name)), "")
    if stable:
        return f"{element.tag}.{stable}"
    parent = element.getparent()
    if parent is None or parent.tag in {"body", "html"}:
        return str(element.tag)
    return f"{selector_of(parent)} > {element.tag}"


def _says(element: HtmlElement, text: str) -> bool:
    return collapse(element.text_content()) == text


def _shown(element: HtmlElement) -> str:
    text = element.get("datetime") or collapse(element.text_content() if len(element) < 4 else "")
    return text if len(text) <= SHORT_LABEL else ""


def _named(element: HtmlElement) -> str:
    return f"{element.tag} {element.get('class', '')} {element.get('id', '')} {element.get('itemprop', '')}"


def _is_furniture(element: HtmlElement) -> bool:
    return bool(FURNITURE.search(_named(element))) or bool(re.search(r"\bad(?:_|-|s?\b)|Ad\b", _named(element)))


def _in(element: HtmlElement, body: HtmlElement) -> bool:
    return any(parent is body for parent in element.iterancestors())
