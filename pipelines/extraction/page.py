"""What a page says of itself: JSON-LD, then OpenGraph and its kin, then nothing. One parsed tree serves all."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, cast
from unicodedata import is_normalized, normalize

from lxml.etree import XPath, _ElementUnicodeResult
from lxml.html import HtmlElement

from pipelines.extraction.decoding import as_browsers_show
from pipelines.sources.selectors import select

DEEPEST = 5  # levels of JSON-LD; hostile pages have more, articles are found in the first three
MOST_AUTHORS, LONGEST_NAME = 50, 300  # in JSON-LD; a hostile page lists a million
ARTICLE_TYPES = re.compile(r"(Article|Posting|Report|Review)$")
_NO_TEXT = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff"
    "\ufdd0-\ufdef\ufffe\uffff]"
)  # not: white space
_JOINER = re.compile("(?<=[A-Za-z가-힣])[\u200c\u200d](?=[A-Za-z가-힣])")  # where there is nothing to join
LONGEST_SLICE = 2000  # characters that are composed at once
_SLICE = re.compile(rf".{{1,{LONGEST_SLICE}}}(?=\s|\Z)|.{{1,{LONGEST_SLICE}}}", re.DOTALL)
_LONG_TEXTS = XPath("descendant::text()[string-length(.) >= 15][not(parent::script or parent::style)]")
_SIMPLE = re.compile(r"(?P<tag>[a-z][a-z0-9]*)?(?:#(?P<id>[\w-]+)|\.(?P<class>[\w-]+))?")
_WITH_ID, _WITH_CLASS = XPath("descendant::*[@id]"), XPath("descendant::*[@class]")
_KOREAN_NAME = re.compile(r"[가-힣]{2,4}(?:\s|$)")
_AROUND_JSON = (
    re.compile(r"\A(?:\s|//|/\*|\*/|<!--|<!\[CDATA\[)+"),
    re.compile(r"(?:;|\s|//|/\*|\*/|-->|\]\]>){1,40}\Z"),
)  # comments and CDATA around JSON
_COMMA_BEFORE_END = re.compile(r",\s*([}\]])")


@dataclass(frozen=True, slots=True)
class Statement:
    """One field as a page states it, and where: `provenance` is `json-ld`, `og`, `meta`, `title` or a selector."""

    value: str
    provenance: str


@dataclass(frozen=True)
class Page:
    """A parsed page with its own statements read once."""

    tree: HtmlElement
    linked: dict[str, Any]
    metas: dict[str, str]

    def select(self, selector: str) -> list[HtmlElement]:
        """Return the page's elements that a CSS selector finds, in order.

        `tag`, `#id` and `.class`, alone or together, are looked up: a page has thousands of elements, and a source
        file some fifteen selectors.
        """
        simple = _SIMPLE.fullmatch(selector)
        if not simple:
            return select(self.tree, selector)
        if not (simple["id"] or simple["class"]):
            return list(self.tree.iter(selector))
        found = self._ids.get(simple["id"], []) if simple["id"] else self._classes.get(simple["class"], [])
        return [element for element in found if not simple["tag"] or element.tag == simple["tag"]]

    @cached_property
    def _ids(self) -> dict[str, list[HtmlElement]]:
        found: dict[str, list[HtmlElement]] = {}
        for element in cast("list[HtmlElement]", _WITH_ID(self.tree)):
            found.setdefault(element.get("id", ""), []).append(element)
        return found

    @cached_property
    def _classes(self) -> dict[str, list[HtmlElement]]:
        found: dict[str, list[HtmlElement]] = {}
        for element in cast("list[HtmlElement]", _WITH_CLASS(self.tree)):
            for name in dict.fromkeys(element.get("class", "").split()):
                found.setdefault(name, []).append(element)
        return found

    @cached_property
    def long_texts(self) -> list[_ElementUnicodeResult]:
        """The page's texts that are more than a label, as they stand between two tags."""
        return cast("list[_ElementUnicodeResult]", _LONG_TEXTS(self.tree))

    def named(self, pattern: re.Pattern[str]) -> Iterator[HtmlElement]:
        """Yield the elements whose class or id a pattern finds."""
        for names in (self._ids, self._classes):
            for name, elements in names.items():
                if pattern.search(name):
                    yield from elements

    def each(self, selectors: Iterable[str]) -> Iterator[HtmlElement]:
        """Yield the elements that the selectors find, selector by selector."""
        return (element for selector in selectors for element in self.select(selector))

    def first(self, *selectors: str) -> Statement | None:
        """Return the text of the first element that one of the selectors finds, alternatives in order."""
        for selector in selectors:
            for element in self.select(selector):
                stated = element.get("datetime") or element.get("data-date-time")
                text = collapse(stated or " ".join(element.itertext()))
                if text:
                    return Statement(text, selector)
        return None

    def meta(self, *names: str) -> Statement | None:
        """Return the first non-empty meta of these names (`property` or `name`)."""
        for name in names:
            if self.metas.get(name):
                return Statement(self.metas[name], "og" if ":" in name else "meta")
        return None

    def json_ld(self, key: str) -> Statement | None:
        """Return a string of the page's JSON-LD article node."""
        value = self.linked.get(key)
        if isinstance(value, dict):
            value = value.get("name") or value.get("@value")
        return (
            Statement(collapse(html.unescape(value)), "json-ld") if isinstance(value, str) and value.strip() else None
        )


def page_of(tree: HtmlElement) -> Page:
    """Read a parsed page's own statements."""
    metas: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or ""
        if name and element.get("content"):
            metas.setdefault(name.strip(), collapse(element.get("content", "")))
    return Page(tree, _article_node(tree), metas)


def collapse(text: str) -> str:
    """Return text in NFC with white space collapsed, no-break ones included, and without what is not text.

    Zero-width and control characters go (an escape sequence would steer a reader's terminal, a direction mark his
    eyes), soft hyphens, and half surrogate pairs, which JSON may hold but no file can.

    >>> collapse(" a\\u00a0 b\\u200b\\x1b\\n")
    'a b'
    """
    plain = " ".join(text.split())
    if _is_plain(plain):
        return plain
    return " ".join(composed(as_browsers_show(text)).split())


def _is_plain(text: str) -> bool:
    """Whether there is nothing to take out or to compose, as is the rule. What is not text cannot be printed."""
    return text.isprintable() and (text.isascii() or (len(text) <= LONGEST_SLICE and is_normalized("NFC", text)))


def composed(text: str) -> str:
    """Return text without characters that are not text, letters and their marks composed (NFC).

    Slice by slice: the time to compose grows by the square of a run of marks.
    """
    text = _NO_TEXT.sub("", text)
    if text.isascii():
        return text
    return _SLICE.sub(lambda found: normalize("NFC", found[0]), _JOINER.sub("", text))


def words_alone(text: str) -> str:
    """Return a text's words in small letters, one space apart, to compare texts that differ in marks only.

    >>> words_alone(" The ferry – again! ")
    'the ferry again'
    """
    return re.sub(r"\W+", " ", collapse(text)).casefold().strip()


def people(page: Page) -> list[Statement]:
    """Return the names that JSON-LD or a meta gives as authors, publishers included: callers filter."""
    authors = page.linked.get("author")
    listed = authors if isinstance(authors, list) else [authors]
    persons = (a for a in listed if not (isinstance(a, dict) and "rganization" in str(a.get("@type"))))
    names = [a.get("name") if isinstance(a, dict) else a for a in islice(persons, MOST_AUTHORS)]
    found = [
        Statement(collapse(html.unescape(n[:LONGEST_NAME])), "json-ld")
        for n in names
        if isinstance(n, str) and n.strip()
    ]
    if not found:
        meta = page.meta("author", "article:author", "dable:author")
        found = [meta] if meta and "://" not in meta.value else []
    return [Statement(name, said.provenance) for said in found for name in split_names(said.value)]


def split_names(text: str) -> list[str]:
    """Split a line of several names, only when every part looks like one.

    >>> split_names("Kim Min-ju, Ann Lee and Bo Park")
    ['Kim Min-ju', 'Ann Lee', 'Bo Park']
    >>> split_names("Korea, Japan")
    ['Korea, Japan']
    """
    text = re.sub(r"^(By|BY)\s+", "", text)
    parts = [part.strip() for part in re.split(r",|;|·|ㆍ| and | AND | & ", text) if part.strip()]
    several = len(parts) > 1 and all(len(part.split()) in (2, 3, 4) or _KOREAN_NAME.match(part) for part in parts)
    return parts if several else [text]


def _article_node(tree: HtmlElement) -> dict[str, Any]:
    scripts = (script for script in tree.iter("script") if "ld+json" in (script.get("type") or ""))
    everything = [node for script in scripts for node in _nodes(_json(script.text or ""))]
    nodes = [node for node in everything if ARTICLE_TYPES.search(_type(node))]
    wanted = ("datePublished", "headline", "author")
    title = collapse(tree.findtext(".//title") or "").casefold()

    def worth(node: dict[str, Any]) -> tuple[bool, int]:
        """A node whose headline the page's title repeats is the page's own; others may be recommended."""
        headline = collapse(html.unescape(str(node.get("headline") or ""))).casefold()
        return bool(headline) and headline in title, sum(key in node for key in wanted)

    best = max(nodes, key=worth, default={})
    return {**best, "author": _resolved(best["author"], everything)} if "author" in best else best


def _resolved(value: Any, nodes: list[dict[str, Any]], depth: int = 0) -> Any:
    """Return authors as one flat list, each reference by `@id` replaced by the node that it names."""
    if isinstance(value, list):
        some = islice(value, MOST_AUTHORS)
        return [one for v in some if depth < DEEPEST for one in _listed(_resolved(v, nodes, depth + 1))]
    if isinstance(value, dict) and "@id" in value and "name" not in value:
        return next((node for node in nodes if node.get("@id") == value["@id"] and "name" in node), value)
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _json(text: str) -> Any:
    """Read JSON as pages write it: comments or CDATA around it, raw control characters, commas before a bracket."""
    text = _AROUND_JSON[1].sub("", _AROUND_JSON[0].sub("", text.strip())).strip()
    for candidate in (text, _COMMA_BEFORE_END.sub(r"\1", text)):
        try:
            return json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _nodes(data: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > DEEPEST:
        return
    if isinstance(data, list):
        for item in data:
            yield from _nodes(item, depth + 1)
    elif isinstance(data, dict):
        yield data
        for key in ("@graph", "mainEntity", "mainEntityOfPage", "author"):
            yield from _nodes(data.get(key), depth + 1)


def _type(node: dict[str, Any]) -> str:
    kind = node.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    return next((k for k in kinds if isinstance(k, str) and ARTICLE_TYPES.search(k)), "")
