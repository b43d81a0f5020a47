"""The page of a search: what was asked, what was found, and by what it can be narrowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from pipelines.browse.pages import Shelf, WebPage, page_count
from pipelines.browse.snapshot import FACETS
from pipelines.client import Version
from pipelines.errors import NotArchived, WrongUsage
from pipelines.exports.search import ORDERS, Wanted

NAME_OR_ADDRESS = re.compile(r"https?://\S+|[a-z]+-[a-z]?\d+(?:@[0-9a-f]+)?|\d{5,17}")
LONGEST_SEARCH = 300  # letters
PER_SEARCH = 20  # op-eds on one page
FACET_VALUES = 8  # of a facet, the most frequent


@dataclass(frozen=True)
class SearchAsked:
    """A search as its address spells it."""

    words: str = ""
    author: str = ""
    kind: str = ""
    year: str = ""
    source: str = ""
    corrected: str = ""
    copied: str = ""
    order: str = ""
    page: int = 1

    def query(self, **other: str) -> str:
        """Return the search, with other values, as the end of an address."""
        told = {"q": self.words, **self.facets(), "order": self.order, **other}
        return urlencode({name: value for name, value in told.items() if value})

    def facets(self) -> dict[str, str]:
        """Return by what it is narrowed; empty values narrow nothing."""
        return {name: getattr(self, name) for name in FACETS}

    def wanted(self) -> Wanted:
        """Return it as the client takes it; raise `WrongUsage`."""
        if self.year and not re.fullmatch("[1-9][0-9]{3}", self.year, re.ASCII):
            raise WrongUsage("a year has four digits")
        if len(self.words) > LONGEST_SEARCH:
            raise WrongUsage(f"a search has {LONGEST_SEARCH} letters at most")
        year = int(self.year) if self.year else 0
        return Wanted(
            date(year, 1, 1) if year else None,
            date(year, 12, 31) if year else None,
            self.source,
            self.kind,
            signed=self.author,
            corrected=bool(self.corrected),
            copied=bool(self.copied),
        )


FACET_TITLES = {"author": "Columnist", "corrected": "Corrected", "copied": "At several places"}


def asked_of(query: Mapping[str, str]) -> SearchAsked:
    """Return the search that an address spells."""
    page = query.get("page", "1")
    values = {name: query.get(name, "") for name in (*FACETS, "order")}
    values |= {name: "yes" for name in ("corrected", "copied") if values[name]}
    if values["order"] not in {"", *ORDERS}:
        values["order"] = ""
    number = int(page) if page.isdecimal() and 0 < len(page) < 6 else 1
    values = {name: value[: LONGEST_SEARCH + 1] for name, value in values.items()}
    return SearchAsked(words=query.get("q", "").strip()[: LONGEST_SEARCH + 1], page=max(1, number), **values)


def search_page(shelf: Shelf, asked: SearchAsked) -> WebPage:
    """What a search found, with the passages, and by what it can be narrowed."""
    values: dict[str, Any] = {
        "asked": asked,
        "found": [],
        "total": 0,
        "facets": [],
        "problem": "",
        "named": [],
    }
    title = f"Search: {asked.words}" if asked.words else "Search"
    try:
        wanted = asked.wanted()
        facts = shelf.snapshot.facts
        rows = shelf.archive.holding(asked.words) if asked.words else facts.position
        at = facts.fitting(rows, asked.facets())
        values["named"] = _called(shelf, asked.words)
        order = asked.order or ("best" if asked.words else "newest")
        values["found"] = shelf.archive.search(asked.words, wanted, order, PER_SEARCH, (asked.page - 1) * PER_SEARCH)
        values["total"], values["of"] = len(at), page_count(len(at), PER_SEARCH)
        values["facets"] = [
            (name, FACET_TITLES.get(name, name.capitalize()), some[:FACET_VALUES], max(0, len(some) - FACET_VALUES))
            for name, some in facts.counted(at).items()
            if some
        ]
    except WrongUsage as error:
        values["problem"] = str(error).partition("opeds search")[0].strip()
    return WebPage("search", "search.html", title, values)


def _called(shelf: Shelf, words: str) -> list[Version]:
    """Return the article that a search may name: by its id, its number or its address."""
    if not NAME_OR_ADDRESS.fullmatch(words):
        return []
    try:
        return shelf.archive.named([shelf.archive.oped(words).article_id], 1)
    except (NotArchived, WrongUsage):
        return []


def static_search_page(shelf: Shelf) -> WebPage:
    """The search of files: over headlines, in the reader's browser."""
    return WebPage("search", "static_search.html", "Search", {"opeds": len(shelf.snapshot.facts.position)})
