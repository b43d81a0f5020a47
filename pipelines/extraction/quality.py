"""How far a page can be trusted: collects (status, reason) pairs; the most severe status wins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from pipelines.extraction.blocks import units
from pipelines.extraction.boilerplate import Boilerplate
from pipelines.extraction.decoding import smells
from pipelines.extraction.fields import OPINION, Dates
from pipelines.extraction.ledger import PROSE, Piece
from pipelines.extraction.page import Page, words_alone
from pipelines.extraction.phrases import WALL_LINE
from pipelines.extraction.region import Region, text_beside
from pipelines.model import Article, Capture, Status
from pipelines.sources import Profile, Source

MIN_AGREEMENT = 0.9  # of our text with trafilatura's reading of it; it drops some words, never a tenth of an op-ed
MIN_BLOCKS, MIN_UNITS = 3, 800  # of an op-ed; a Hangul syllable counts for 2.2 Latin letters
ROOTS = ("#root", "#app", "#__next", "#__nuxt")  # where scripts put a page that is made by them
GALLERY = 5  # pictures
NOT_OPINION = frozenset({"other_section", "other_press", "photo_gallery"})  # reasons for which a page is not an op-ed
LONG_STRING = re.compile(r'"((?:[^"\\]|\\.){200,20000})"')  # of JSON; an op-ed's text in the data of a script
STRINGS_LOOKED_AT = 50
SHORT_KINDS = frozenset({"cartoon", "letter"})
SOFT_404 = re.compile(
    r"\b(?:page|article|content) (?:(?:is|was|could) )?(?:not|no longer) (?:be )?(?:found|available|exist)"
    r"|\bnot found\b|\b404\b"
    r"|찾을 수 없|존재하지 않|삭제된 (?:기사|페이지)",
    re.IGNORECASE,
)
ERROR_PAGE = re.compile(
    r"\b(?:403|500|502|503)\b|\b(?:forbidden|access denied|service unavailable|bad gateway|just a moment)\b"
    r"|internal server error|are you (?:a robot|human)",
    re.IGNORECASE,
)
WALL = re.compile(
    r"^\W*(?:please )?(?:subscribe|sign in|log in|register) (?:now )?to (?:continue|read|keep) |\bsubscribers? only\b"
    r"|only (?:for|to) subscribers",
    re.IGNORECASE,
)
SCRIPTED = re.compile(r"enable javascript|javascript (?:is )?(?:required|disabled)", re.IGNORECASE)
INTERFACE = re.compile(
    r"글자크기|타임톡|파란원을|Translated by kakao|무단\s*전재|To write comments, please log in|Standards Board Policy"
    r"|print dictionary print|\(0/250자\)"
)


@dataclass(frozen=True)
class Evidence:
    """What the status depends on besides the article."""

    page: Page
    capture: Capture
    source: Source
    region: Region
    dates: Dates
    section: str
    address_says: bool  # that it is opinion
    boilerplate: Boilerplate
    pieces: Sequence[Piece]

    @property
    def profile(self) -> Profile | None:
        """The layout that fits the page."""
        return self.region.profile


def with_status(article: Article, seen: Evidence) -> Article:
    """Return the article with its status and every reason for it."""
    short = is_short(article)
    reasons = [
        *_no_article(article, seen, short),
        *_cut(seen, short),
        *_drifted(seen),
        *_uncertain(article, seen, short),
    ]
    most_severe = max((status for status, _ in reasons), key=list(Status).index, default=Status.OK)
    return replace(article, status=most_severe, reasons=tuple(reason for _, reason in reasons))


Reason = tuple[Status, str]


def _no_article(article: Article, seen: Evidence, short: bool) -> Iterator[Reason]:
    if seen.section and not OPINION.search(seen.section) and not seen.address_says:
        yield Status.REJECT, "other_section"
    pictures = sum(block.kind == "figure" for block in seen.region.blocks)
    if pictures >= GALLERY and short and article.kind != "cartoon":
        yield Status.REJECT, "photo_gallery"
    titles = f"{article.headline} {seen.page.tree.findtext('.//title') or ''}"
    if short and SOFT_404.search(titles):
        yield Status.REJECT, "soft_404"
    elif short and ERROR_PAGE.search(titles):
        yield Status.REJECT, "error_page"
    if short and _has_text_in_data(seen.page, article):
        yield Status.REJECT, "text_in_data"
    if not _words(article) and not (article.kind == "cartoon" and article.images):
        yield Status.REJECT, "script_shell" if _is_shell(seen.page) else "no_text"
    elif seen.profile is None and short and _is_shell(seen.page):
        yield Status.REJECT, "script_shell"


def _cut(seen: Evidence, short: bool) -> Iterator[Reason]:
    if seen.capture.doubt:
        yield Status.REJECT, "digest_mismatch"
    if seen.capture.truncated:
        yield Status.TRUNCATED, "answer_cut_off"
    if _is_walled(seen):
        yield Status.TRUNCATED if short else Status.REVIEW, "paywall"


def _drifted(seen: Evidence) -> Iterator[Reason]:
    if seen.profile is None:
        yield Status.DRIFT, "no_profile_fits"


def _uncertain(article: Article, seen: Evidence, short: bool) -> Iterator[Reason]:
    text = _words(article)
    beside = seen.profile is not None and next(text_beside(seen.page, seen.region, article.deck), None) is not None
    today = seen.capture.fetched_at.astimezone(seen.source.timezone).date()
    at, day = article.published_at, article.published_day
    future = at > seen.capture.fetched_at if at else bool(day and day > today)
    future = future or any(stated.day > today for stated, _ in seen.dates.others)
    otherwise = bool(seen.section and not OPINION.search(seen.section) and seen.address_says)
    warnings = [
        ("no_headline", not article.headline),
        ("no_date", article.published_day is None),
        ("short", article.kind not in SHORT_KINDS and short),
        ("no_evidence_of_opinion", seen.source.evidence and article.kind == "unknown"),
        ("from_the_future", future),
        ("dates_disagree", bool(seen.dates.others)),
        ("section_says_otherwise", otherwise),
        ("reader_disagrees", seen.profile is not None and bool(text) and article.reader_agreement < MIN_AGREEMENT),
        ("letters_unaccounted", article.unaccounted > 0),
        ("lost_in_parsing", any(piece.rule == "parser" for piece in seen.pieces)),
        ("prose_removed", any(piece.holds_prose and piece.rule != "parser" for piece in seen.pieces)),
        ("interface_in_text", bool(INTERFACE.search(text))),
        ("text_beside_region", beside),
        ("beginning_missing", short and _lacks_its_beginning(article, seen.page)),
    ]
    yield from ((Status.REVIEW, reason) for reason, holds in warnings if holds)
    words = "\n".join((article.headline, article.deck, article.text, article.text_ko))
    yield from ((Status.REVIEW, reason) for reason in smells(words))
    warned = dict.fromkeys((*seen.region.warnings, *seen.boilerplate.warnings))
    yield from ((Status.REVIEW, warning) for warning in warned)


def is_short(article: Article) -> bool:
    """Whether a text is shorter than an op-ed is."""
    text = _words(article)
    return text.count("\n\n") + 1 < MIN_BLOCKS or units(text) < MIN_UNITS


def _words(article: Article) -> str:
    return article.text or article.text_ko


def _has_text_in_data(page: Page, article: Article) -> bool:
    """Whether the page's data hold an op-ed that its markup does not."""
    body = page.linked.get("articleBody")
    bodies = [body if isinstance(body, str) else ""]
    for script in page.tree.iter("script"):
        if "json" in (script.get("type") or "") and "ld+" not in (script.get("type") or ""):
            bodies += (found[1] for found in islice(LONG_STRING.finditer(script.text or ""), STRINGS_LOOKED_AT))
    return sum(units(one) for one in bodies) >= MIN_UNITS + units(_words(article))


def _is_shell(page: Page) -> bool:
    """Whether a page would be made by its scripts: it says so, or has hardly anything else."""
    said = " ".join(element.text_content() for element in page.select("noscript"))
    roots = [e for name in ROOTS for e in page.select(name)]
    return bool(SCRIPTED.search(said)) or any(not root.text_content().strip() for root in roots)


def _is_walled(seen: Evidence) -> bool:
    free = seen.page.linked.get("isAccessibleForFree")
    closed = free is False or (isinstance(free, str) and free.strip().lower() == "false")
    shown = seen.profile is not None and any(seen.page.select(selector) for selector in seen.profile.wall)
    asked = any(WALL.search(block.text) for block in seen.region.blocks[-3:] if len(block.text) < 2 * PROSE)
    taken = any(piece.rule == "wall" for piece in seen.boilerplate.pieces)
    left = (text for text in (*seen.boilerplate.paragraphs, *seen.boilerplate.korean) if len(text) < 2 * PROSE)
    return closed or shown or asked or taken or any(WALL_LINE.match(text) for text in left)


def _lacks_its_beginning(article: Article, page: Page) -> bool:
    """Whether the page's own summary quotes a beginning that the text does not have."""
    said = page.meta("og:description", "description")
    words = words_alone(said.value).split()[:8] if said else []
    text = words_alone(f"{article.deck} {article.text}")
    return len(words) == 8 and bool(text) and " ".join(words) not in text
