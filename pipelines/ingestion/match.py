"""Match: a new text and its candidates give the final outcome: what it shares with whom, and whether it is a copy.

A function of values. The candidates come from the index, after every text of the batch was published and committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.copies.compare import Side, overlap_of, prepared, unites, worth_storing
from pipelines.copies.groups import Member
from pipelines.index.index import IndexedText
from pipelines.model import Article, Match, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may be a copy: where it stands in the index, its texts, its source, whether that is the newspaper."""

    indexed: IndexedText
    text: str
    text_ko: str
    source: str
    own: bool


def match(outcome: Outcome, article: Article, source: str, own: bool, candidates: Sequence[Candidate]) -> Outcome:
    """Return the outcome with what its text shares; NEW becomes COPY where an earlier primary is the same op-ed.

    `source` and `own` are the new text's: its source, and whether that is the newspaper itself.
    """
    when = outcome.published_at or outcome.fetched_at
    this = Side(outcome.article_id, source, when)
    rank = Member(outcome.article_id, own, when).rank
    matches: list[Match] = []
    is_copy = False
    for candidate in candidates:
        found = _compared(outcome.article_id, article, candidate)
        if found is None:
            continue
        matches.append(found)
        indexed = candidate.indexed
        other = Side(indexed.article_id, candidate.source, indexed.when or when)
        comes_first = Member(indexed.article_id, candidate.own, other.when).rank < rank
        is_primary = indexed.oped_id == indexed.article_id
        is_copy |= is_primary and comes_first and unites(this, other, found.overlap)
    is_copy &= outcome.verdict is Verdict.NEW
    return replace(outcome, verdict=Verdict.COPY if is_copy else outcome.verdict, matches=tuple(matches))


def _compared(article_id: str, article: Article, candidate: Candidate) -> Match | None:
    """Compare English with English where both have it, else Korean with Korean."""
    both = bool(article.text and candidate.text)
    mine, theirs = (article.text, candidate.text) if both else (article.text_ko, candidate.text_ko)
    indexed = candidate.indexed
    overlap = overlap_of(article_id, prepared(mine), indexed.article_id, prepared(theirs))
    return Match(indexed.article_id, indexed.content16, overlap) if worth_storing(overlap) else None
