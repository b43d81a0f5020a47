"""Does what we know of a site still hold? Each route and each field of a few fresh pages, selector by selector.

A page that no profile fits gets a proposed one, with the evidence for each line. Nothing is written to the archive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lxml.html import HtmlElement

from pipelines.archive.crawl_summary import Summary, parse_summary
from pipelines.archive.warc import Exchange, capture_of, exchanges
from pipelines.extraction.dates import day
from pipelines.extraction.extract import Extraction, extract_explained
from pipelines.extraction.page import collapse
from pipelines.extraction.proposal import proposed
from pipelines.extraction.trafilatura_reader import parsed
from pipelines.jobs.crawls import raise_if_failed, start_crawl
from pipelines.jobs.report import Asked, Progress
from pipelines.model import ARCHIVED_STATUS, Capture
from pipelines.settings import Settings
from pipelines.sources import Profile, Route, Source, load_sources, source_named
from pipelines.sources.addresses import place_of
from pipelines.sources.selectors import select

READ_BY_SELECTOR = ("headline", "deck", "byline", "section", "date", "modified", "caption")
NEEDED = frozenset({"body", "headline", "date"})


@dataclass(frozen=True)
class Check:
    """One selector of a route or profile: how often it hit, of how many, and the line of the source file.

    `needed` says that a page without it cannot be sound.
    """

    name: str
    selector: str
    hits: int
    of: int
    line: int
    needed: bool = True


@dataclass(frozen=True)
class RouteCheck:
    """One way to discover addresses. `said` is what is wrong, or empty; a complete day needs it if it is `expected`."""

    name: str
    url: str
    status: int
    entries: int
    said: str
    expected: bool
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class PageCheck:
    """One page: how it was read, and which selectors of the layout in force hit on it."""

    url: str
    extraction: Extraction
    capture: Capture
    checks: tuple[Check, ...]

    @property
    def is_sound(self) -> bool:
        """Whether the page is good enough for the archive."""
        return self.extraction.article.status in ARCHIVED_STATUS


@dataclass(frozen=True)
class Examination:
    """What an examination of a site found. `proposal` is TOML for a profile; it is empty when a profile fits.

    `unknown` are addresses in opinion sections that no pattern of the source file knows.
    """

    robots: int
    routes: tuple[RouteCheck, ...]
    pages: tuple[PageCheck, ...]
    proposal: str
    unknown: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every expected route works and shows no address of an unknown form, and each page, of which there is
        one at least, is good enough."""
        routes_work = not any(route.said for route in self.routes if route.expected)
        return routes_work and not self.unknown and bool(self.pages) and all(page.is_sound for page in self.pages)


def examine_site(
    settings: Settings, asked: Asked, pages: int, into: Path, environment: Mapping[str, str], progress: Progress
) -> Examination:
    """Look at a site without an archive: a small, polite crawl into `into`, examined selector by selector.

    Leaves there the WARC, the crawl's account and each page as a fixture folder. Raises `CrawlFailed`.
    """
    (name,) = asked.sources
    source = source_named(load_sources(settings.sources), name)
    into.mkdir(parents=True, exist_ok=True)
    warc = into / f"{name}.warc.gz"
    days = [("since", asked.since.isoformat()), ("until", asked.until.isoformat())]
    arguments = [*days, ("warc", str(warc)), ("pages", str(pages))]
    start_crawl(name, arguments, warc.with_suffix(".log"), dict(environment)).wait(partial(progress, name))
    summary = raise_if_failed(parse_summary(Path(f"{warc}.json").read_bytes()))
    with warc.open("rb") as stream:
        found = examine(source, summary, list(exchanges(stream, str(warc))))
    save_pages(found, into)
    return found


def examine(source: Source, summary: Summary, exchanges: Sequence[Exchange]) -> Examination:
    """Return what a small crawl shows of a site: its own account, and every answer."""
    pages = tuple(_page(source, one) for one in exchanges if one.status == 200 and _is_article(one.url, source))
    unread = [page.capture for page in pages if page.extraction.is_generic]
    return Examination(
        robots=next((one.status for one in exchanges if one.url.endswith("/robots.txt")), 0),
        routes=tuple(_route(source, route, summary, exchanges) for route in source.routes if _asked(route, summary)),
        pages=pages,
        proposal=proposed(unread, source) if unread else "",
        unknown=tuple(one.url for one in summary.unknown),
    )


def _is_article(url: str, source: Source) -> bool:
    return place_of(url, [source]) is not None


def _asked(route: Route, summary: Summary) -> bool:
    return any(report.route == route.name for report in summary.routes)


def _route(source: Source, route: Route, summary: Summary, exchanges: Sequence[Exchange]) -> RouteCheck:
    report = next(report for report in summary.routes if report.route == route.name)
    answer = next((one for one in exchanges if one.url == route.url), None)
    checks: tuple[Check, ...] = ()
    if answer is not None and answer.status == 200 and route.kind == "list":
        checks = _list_checks(source, route, capture_of(answer))
    said = report.error or ("" if report.reached or not route.expected else "not read back far enough")
    status = answer.status if answer else report.status or (200 if report.entries else 0)
    return RouteCheck(route.name, route.url, status, report.entries, said, route.expected, checks)


def _list_checks(source: Source, route: Route, capture: Capture) -> tuple[Check, ...]:
    tree = parsed(capture)
    items = select(tree, route.item) if tree is not None else []
    found = [Check("item", route.item, len(items), max(len(items), 1), line_of(source, route.name, "item"))]
    for name in ("link", "date", "title"):
        selector = getattr(route, name)
        hit = [nodes[0] for item in items if selector and (nodes := select(item, selector))]
        if name == "date":
            hit = [node for node in hit if day(node.get("datetime") or collapse(node.text_content()), source.timezone)]
        found.append(Check(name, selector, len(hit), len(items), line_of(source, route.name, name)))
    return tuple(found)


def _page(source: Source, exchange: Exchange) -> PageCheck:
    capture = capture_of(exchange)
    place = place_of(exchange.url, [source])
    assert place is not None
    reading = extract_explained(capture, place)
    tree = parsed(capture)
    candidates = source.profiles_at(capture.fetched_at)
    named = next((p for p in candidates if p.name == reading.article.profile), candidates[0] if candidates else None)
    checks = _profile_checks(source, named, tree) if named and tree is not None else ()
    return PageCheck(exchange.url, reading, capture, checks)


def _profile_checks(source: Source, profile: Profile, tree: HtmlElement) -> tuple[Check, ...]:
    return tuple(
        Check(
            f"{profile.name} {name}",
            selector,
            int(bool(select(tree, selector))),
            1,
            line_of(source, profile.name, name),
            name in NEEDED,
        )
        for name in ("body", *READ_BY_SELECTOR)
        for selector in getattr(profile, name)
    )


def line_of(source: Source, section: str, key: str) -> int:
    """Return the line of a key below `name = "<section>"` in the source's file; 0 when it is not there."""
    lines = Path(source.file).read_text(encoding="utf-8").splitlines() if source.file else []
    within = False
    for number, line in enumerate(lines, 1):
        if line.startswith("[["):
            within = False
        within |= bool(re.match(rf'name\s*=\s*"{re.escape(section)}"', line))
        if within and re.match(rf"{key}\s*=", line):
            return number
    return 0


# -- a profile for a page that none fits ----------------------------------------------------------


# -- what is left behind --------------------------------------------------------------------------


def save_pages(found: Examination, folder: Path) -> list[Path]:
    """Write each page as a fixture folder: page, address, moment, and how it was read today."""
    made = []
    for page in found.pages:
        place = folder / re.sub(r"\W+", "-", page.url.rsplit("/", 1)[-1])
        place.mkdir(parents=True, exist_ok=True)
        (place / "page.html").write_bytes(page.capture.payload)
        (place / "NOT-FOR-PUBLICATION").write_text("The newspaper's page and text. Never into a public repository.\n")
        told = {
            "url": page.url,
            "fetched_at": page.capture.fetched_at.isoformat(),
            "content_type": page.capture.header("content-type"),
            "article": _spelled(page.extraction),
            "absent": [],
        }
        (place / "expected.json").write_text(json.dumps(told, ensure_ascii=False, indent=1, default=str) + "\n")
        made.append(place)
    return made


ACCOUNT = frozenset({"removed", "coverage", "unaccounted", "restored", "reader_agreement"})  # of the letters of a page


def _spelled(reading: Extraction) -> dict[str, Any]:
    article = asdict(reading.article)
    article |= {name: [p for p in article[name].split("\n\n") if p] for name in ("text", "text_ko")}
    article |= {
        n: v.isoformat() if (v := article[n]) else None for n in ("published_at", "published_day", "modified_at")
    }
    return {name: value for name, value in article.items() if name not in {"witnesses", *ACCOUNT}}
