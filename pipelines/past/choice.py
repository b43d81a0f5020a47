"""Which captures of a month to ask a public archive for: of each article the first good one, and nothing twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.archive.crawl_summary import Tried
from pipelines.past.questions import ArchivedRow
from pipelines.sources import Source
from pipelines.sources.addresses import is_opinion, place_of

PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml", "unk", "", "warc/revisit"})  # types that may be a page
MOVED = frozenset({301, 302, 303, 307, 308})
HELD = frozenset({"captured", "kept"})
NO_GOOD = "the archive's index has no capture of a whole page"
NAMES_NONE = "that name no article"


@dataclass(slots=True)
class ArchivedArticle:
    """What an index has of one article: captures that may be its page, and redirects, each in the order of time."""

    article_id: str
    pages: list[ArchivedRow] = field(default_factory=list)
    moved: list[ArchivedRow] = field(default_factory=list)
    others: list[ArchivedRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sorted:
    """A month of an index: the articles in the order of their ids, and how many rows are left out, by why."""

    articles: list[ArchivedArticle]
    rows: int
    left_out: Counter[str]


def by_article(rows: Iterable[ArchivedRow], source: Source) -> Sorted:
    """Return the rows by article: addresses of all eras, schemes and ports that name one article are one."""
    found: dict[str, ArchivedArticle] = {}
    left_out: Counter[str] = Counter()
    seen: set[tuple[str, str, str]] = set()
    count = 0
    for row in sorted(rows, key=lambda row: (row.stamp, row.url, row.digest)):
        count += 1
        place = place_of(row.url, [source])
        if place is None or not is_opinion(place):
            left_out[NAMES_NONE if place is None else "of other sections"] += 1
            continue
        same = (place.article_id, row.stamp, row.digest)
        if same in seen:
            left_out["of a capture that another address names too"] += 1
            continue
        seen.add(same)
        article = found.setdefault(place.article_id, ArchivedArticle(place.article_id))
        _kind(row, article).append(row)
    return Sorted([found[name] for name in sorted(found)], count, left_out)


def _kind(row: ArchivedRow, article: ArchivedArticle) -> list[ArchivedRow]:
    if row.status in MOVED:
        return article.moved
    mime = row.mime.partition(";")[0].strip().lower()
    is_page = row.status in {0, 200} and mime in PAGE_TYPES
    return article.pages if is_page else article.others


def note_name(row: ArchivedRow) -> str:
    """Return what names a row among the notes of its month: its moment and the digest of its address."""
    return f"{row.stamp}-{hashlib.sha256(row.url.encode()).hexdigest()[:8]}"


def is_good(note: Tried) -> bool:
    """Whether a page was had that can be relied on."""
    return note.result in HELD and not note.reason


def next_row(
    article: ArchivedArticle,
    notes: Mapping[str, Tried],
    held: Sequence[str],
    every: bool,
    given_up: Container[str] = (),
) -> ArchivedRow | None:
    """Return the capture to ask for next, or None where nothing is left to ask for.

    `notes` says what came of the rows that were asked for, `held` the moments (14 digits) of the captures that the
    bucket has of the article. By default the first good page, if it is older than all that is held; with `every` one
    page for each further digest. The last redirect is asked for in either case: it may tell the article's new number.
    `given_up` names rows that are not asked for again in this run.
    """
    row = _next_page(article, notes, held, every, given_up)
    if row is not None:
        return row
    led = [one for one in article.moved if note_name(one) in notes or note_name(one) in given_up]
    return article.moved[-1] if article.moved and not led else None


def _next_page(
    article: ArchivedArticle, notes: Mapping[str, Tried], held: Sequence[str], every: bool, given_up: Container[str]
) -> ArchivedRow | None:
    of_pages = [notes[name] for name in map(note_name, article.pages) if name in notes]
    left = (row for row in article.pages if note_name(row) not in notes and note_name(row) not in given_up)
    if every:
        known = {note.digest for note in of_pages if is_good(note) and note.digest}
        return next((row for row in left if row.digest not in known and row.stamp not in held), None)
    if any(map(is_good, of_pages)):
        return None
    return next((row for row in left if not held or row.stamp < min(held)), None)


def lacks_good_page(article: ArchivedArticle, notes: Mapping[str, Tried], held: Sequence[str]) -> ArchivedRow | None:
    """Return the row under which to note that an article has no good capture in the index and is not held, or None."""
    if article.pages or held:
        return None
    first = article.others[0] if article.others else None
    return first if first and not any(note_name(row) in notes for row in article.others) else None


def rows_wanted(
    article: ArchivedArticle, notes: Mapping[str, Tried], held: Sequence[str], every: bool
) -> list[ArchivedRow]:
    """Return what will be asked for about an article if each page that is asked for is good."""
    found: list[ArchivedRow] = []
    asked = dict(notes)
    while (row := next_row(article, asked, held, every)) is not None:
        asked[note_name(row)] = Tried(row.url, article.article_id, result="captured", digest=row.digest)
        found.append(row)
    return found
