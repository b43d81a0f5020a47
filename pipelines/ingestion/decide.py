"""Decide: what was read and the article's history give the outcome, and the objects that it creates.

Functions of values. A sighting read by older rules is re-extracted first: only readings by equal rules are compared,
so that our progress is never mistaken for the newspaper's correction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipelines.clock import day_in_seoul, iso, iso_exact
from pipelines.extraction.quality import NOT_OPINION
from pipelines.ingestion.load import known_content, outdated
from pipelines.ingestion.read import ReadPage
from pipelines.model import Article, Outcome, Sighting, Verdict
from pipelines.versions import SeenContent, title16, verdict

History = tuple[SeenContent, ...]  # the sightings of one article, in the order of capture


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome, and the page whose record or rejection it creates, if any."""

    outcome: Outcome
    page: ReadPage | None = None

    @property
    def is_findable(self) -> bool:
        """Whether the text is published to the index, so that others find it."""
        return self.page is not None and self.page.accepted

    @property
    def seeks_copies(self) -> bool:
        """Whether the index is asked for texts like this one."""
        return self.is_findable and self.outcome.verdict is not Verdict.REREAD


def decide(
    sighting: Sighting, history: History, pages: Mapping[str, ReadPage], rules8: str, better_known: bool
) -> tuple[list[Decision], History]:
    """Return what comes of one sighting, and the article's history with it.

    The sighting's own decision is the last; before it stands a REREAD for each earlier sighting that today's rules
    read again. `better_known` says that a better-ranked address of the article is archived: only the best one makes
    versions.
    """
    known = known_content(history, sighting.capture_key, rules8)
    page = None if known else pages[sighting.capture_key]
    if page is not None:
        if page.problem:
            return [Decision(outcome_of(sighting, Verdict.FAILED, reasons=(page.problem,), capture_key=""))], history
        if better_known:
            return [Decision(outcome_of(sighting, Verdict.ALIAS, target=sighting.article_id))], history
        if not page.accepted:
            return [_set_aside(sighting, page, rules8)], history
    rereads, history = re_extract(sighting.article_id, history, pages, rules8)
    content16 = page.content16 if page else known
    same_rules = [step for step in history if step.rules8 == rules8]
    outcome = outcome_of(
        sighting, verdict(content16, sighting.fetched_at, same_rules), content16=content16, rules8=rules8
    )
    history = with_step(history, SeenContent(sighting.fetched_at, content16, rules8, sighting.capture_key))
    decided = Decision(outcome) if page is None else _archived(outcome, page, same_rules)
    return [*rereads, decided], history


def _archived(outcome: Outcome, page: ReadPage, same_rules: Iterable[SeenContent]) -> Decision:
    """Return the decision for a page that is accepted; a text that is archived already creates nothing."""
    article = page.article
    outcome = replace(outcome, reasons=article.reasons, published_at=_published(article), listed=is_listed(article))
    outcome = replace(outcome, title16=_title16(article))
    if any(step.content16 == page.content16 for step in same_rules):
        return Decision(outcome)
    return Decision(replace(outcome, record_key=page.object_key), page)


def re_extract(
    article_id: str, history: History, pages: Mapping[str, ReadPage], rules8: str
) -> tuple[list[Decision], History]:
    """Return a REREAD for each sighting that other rules read, and the history by today's.

    A sighting that today's rules refuse keeps its old content, and is compared with nothing.
    """
    decisions = []
    for step in outdated(history, rules8):
        page = pages.get(step.capture_key)
        if page is None or not page.accepted:
            continue
        history = with_step(history, replace(step, content16=page.content16, rules8=rules8))
        outcome = Outcome(
            Verdict.REREAD,
            page.url,
            article_id,
            iso_exact(step.fetched_at),
            page.content16,
            rules8,
            step.capture_key,
            page.object_key,
            _published(page.article),
            is_listed(page.article),
            was=step.content16,
            title16=_title16(page.article),
        )
        decisions.append(Decision(outcome, page))
    return decisions, history


def _set_aside(sighting: Sighting, page: ReadPage, rules8: str) -> Decision:
    article = page.article
    if NOT_OPINION & set(article.reasons):
        return Decision(outcome_of(sighting, Verdict.NOT_AN_OPED, reasons=article.reasons))
    reasons = (article.status.value, *article.reasons)
    rejected = outcome_of(sighting, Verdict.REJECTED, rules8=rules8, record_key=page.object_key, reasons=reasons)
    return Decision(rejected, page)


def with_step(history: History, step: SeenContent) -> History:
    """Return a history with a sighting added; a sighting of the same capture at the same moment is replaced."""
    others = (s for s in history if (s.fetched_at, s.capture_key) != (step.fetched_at, step.capture_key))
    return tuple(sorted((*others, step)))


def is_listed(article: Article) -> bool:
    """Whether the op-ed is listed by itself; a portal's page without evidence of opinion waits for a match."""
    return "no_evidence_of_opinion" not in article.reasons


def outcome_of(sighting: Sighting, verdict_: Verdict, **more: object) -> Outcome:
    """Return an outcome that carries what the sighting says of address, moment and routes."""
    outcome = Outcome(
        verdict_,
        sighting.url,
        sighting.article_id,
        iso_exact(sighting.fetched_at),
        capture_key=sighting.capture_key,
        routes=sighting.routes,
        aliases=sighting.aliases,
        via=sighting.via,
        obtained_at=sighting.obtained_at,
    )
    return replace(outcome, **more)  # type: ignore[arg-type]


def _title16(article: Article) -> str:
    return title16(article.headline, day_in_seoul(article.published_at, article.published_day))


def _published(article: Article) -> str:
    return iso(article.published_key) if article.published_key else ""
