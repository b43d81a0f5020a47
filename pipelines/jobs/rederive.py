"""Reads captures of the archive again by today's rules: archived pages (rederive), pages that were set aside (retry).

The difference comes first; writing it is another step. Old citations stay valid: a content that gets another name
keeps the old one in `formerly`.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.archive.warc import read_capture
from pipelines.catalogue.publish import publish
from pipelines.clock import new_run_id
from pipelines.errors import NotArchived, WrongUsage
from pipelines.extraction.extract import rules_of
from pipelines.index.opened import Archive, open_to_write, places_of
from pipelines.ingestion.ingest import Part, finish, ingest, log_part, re_extractions
from pipelines.ingestion.load import Needed, read_in_order
from pipelines.ingestion.read import Readers, ReadPage
from pipelines.jobs.report import Progress, Report
from pipelines.model import Outcome, Sighting
from pipelines.settings import Settings
from pipelines.sources import source_named
from pipelines.sources.addresses import Place, split_id
from pipelines.versions import SeenContent

COMPARED_FIELDS = (
    "status",
    "reasons",
    "headline",
    "deck",
    "kind",
    "authors",
    "published_at",
    "published_day",
    "published_precision",
    "modified_at",
    "language",
    "text",
    "text_ko",
    "captions",
    "images",
    "related",
    "embeds",
    "correction_note",
    "translator_note",
    "print_edition",
    "emails",
    "copyright",
    "rights_signals",
    "witnesses",
    "canonical_url",
)
ARTICLES_A_PART = 100  # an article may have several sightings, and a part holds at most 1,000 outcomes
OnArticle = Callable[[str], None]


@dataclass(frozen=True)
class Difference:
    """What today's rules make of one capture, beside what stands in the archive.

    `fields` names what differs; `refused` holds the reasons when today's rules would set the page aside. `was` and
    `now` are the two contents' digests, the first empty for a page that was set aside.
    """

    article_id: str
    url: str
    capture_key: str
    was: str
    now: str
    fields: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Compared:
    """A capture to read again, and the record or rejection that was made of it."""

    needed: Needed
    before: dict[str, Any]
    was: str


def rederive(
    settings: Settings, source: str, ids: Sequence[str], write: bool, progress: Progress
) -> tuple[list[Difference], Report]:
    """Re-extract archived pages; return what differs and, with `write`, log it and publish."""
    archive, report = open_to_write(settings), Report()
    with Readers(archive.sources, archive.processes) as readers:
        articles = articles_to_re_extract(archive, source, ids)
        found = _watched(differences(archive, articles, readers), progress)
        if write and articles:
            part = Part.of_today(new_run_id(), "rederive")
            report.outcomes = log_rereads(archive, part, articles, readers, lambda a: progress("written", a))
            report.published = publish(archive, settings)
    return found, report


def retry(settings: Settings, source: str, write: bool, progress: Progress) -> tuple[list[Difference], Report]:
    """Re-extract pages that were set aside; return what became of each and, with `write`, archive what passes."""
    archive, report = open_to_write(settings), Report()
    with Readers(archive.sources, archive.processes) as readers:
        found = _watched(quarantined(archive, source, readers), progress)
        if write and any(not difference.refused for difference in found):
            part = Part.of_today(new_run_id(), "retry")
            report.outcomes = ingest_accepted(archive, part, found, readers, lambda a: progress("archived", a))
            report.published = publish(archive, settings)
    return found, report


def articles_to_re_extract(archive: Archive, source: str, ids: Sequence[str]) -> list[str]:
    """Return the articles with a sighting that other rules than today's read, of one source or of all."""
    names = [source_named(archive.sources, source).name] if source else sorted(archive.sources)
    articles = [a for name in names for a in archive.index.to_re_extract(name, rules_of(archive.sources[name]).rules8)]
    unknown = [article_id for article_id in ids if not archive.index.history(article_id)]
    if unknown:
        raise NotArchived(f"{unknown[0]} is not in the archive; `opeds list` shows what is")
    return [article_id for article_id in articles if not ids or article_id in ids]


def differences(archive: Archive, article_ids: Iterable[str], readers: Readers) -> Iterator[Difference]:
    """Yield what re-extracting these articles would change, capture by capture; nothing is written."""
    yield from _differences(archive, _archived(archive, article_ids, readers), readers)


def _archived(archive: Archive, article_ids: Iterable[str], readers: Readers) -> Iterator[_Compared]:
    for article_id in article_ids:
        rules8 = readers.rules_of(archive.sources[split_id(article_id)[0]]).rules8
        state = archive.index.state_of(article_id)
        record_keys = {text["content16"]: text["record_key"] for text in state.indexed_texts}
        url = place_of_article(archive, article_id).canonical_url
        outdated: dict[str, SeenContent] = {}
        for step in state.history:
            if step.rules8 != rules8:
                outdated.setdefault(step.capture_key, step)
        for step in outdated.values():
            if step.content16 in record_keys:
                before = json.loads(archive.store.read(record_keys[step.content16]))
                yield _Compared(Needed(article_id, step.capture_key, url), before, step.content16)


def quarantined(archive: Archive, source: str, readers: Readers) -> Iterator[Difference]:
    """Yield every page that was set aside and never archived since, as today's rules read it."""
    yield from _differences(archive, _set_aside(archive, source), readers)


def _set_aside(archive: Archive, source: str) -> Iterator[_Compared]:
    prefix = f"quarantine/{source_named(archive.sources, source).name}/" if source else "quarantine/"
    seen: set[str] = set()
    for key in archive.store.keys(prefix):
        rejection = json.loads(archive.store.read(key))
        article_id, capture_key = rejection["article_id"], rejection["capture"]["key"]
        if split_id(article_id)[0] not in archive.sources:
            place_of_article(archive, article_id)  # raises, and says what to do
        resolved = any(step.capture_key == capture_key for step in archive.index.history(article_id))
        if capture_key not in seen and not resolved:
            seen.add(capture_key)
            yield _Compared(Needed(article_id, capture_key, rejection["url"]), rejection, "")


def _differences(archive: Archive, compared: Iterable[_Compared], readers: Readers) -> Iterator[Difference]:
    """Compare one after another; few records are in memory at a time."""
    waiting: deque[_Compared] = deque()

    def needs() -> Iterator[Needed]:
        for each in compared:
            waiting.append(each)
            yield each.needed

    for page in read_in_order(archive.store, needs(), readers):
        found = _difference(waiting.popleft(), page)
        if found:
            yield found


def _difference(compared: _Compared, page: ReadPage) -> Difference | None:
    """Compare a record with today's reading of its capture; None when they agree or the capture cannot be read."""
    if page.problem:
        return None
    after = json.loads(page.object_body) if page.object_body else {}  # a page that is not an op-ed has neither
    fields = tuple(name for name in COMPARED_FIELDS if after and compared.before.get(name) != after.get(name))
    refused = () if page.accepted else (page.article.status.value, *page.article.reasons)
    if not (fields or refused):
        return None
    needed = compared.needed
    return Difference(
        needed.article_id,
        page.url,
        needed.capture_key,
        compared.was,
        page.content16,
        fields,
        compared.before,
        after,
        refused,
    )


def log_rereads(
    archive: Archive, run: Part, article_ids: Sequence[str], readers: Readers, on_article: OnArticle
) -> list[Outcome]:
    """Log a REREAD for every sighting of these articles that other rules than today's read, in parts."""
    done: list[Outcome] = []
    for start in range(0, len(article_ids), ARTICLES_A_PART):
        some = [(a, place_of_article(archive, a)) for a in article_ids[start : start + ARTICLES_A_PART]]
        decisions = []
        for article_id, rereads in re_extractions(archive, some, readers):
            decisions += rereads
            on_article(article_id)
        outcomes = finish(archive, decisions)
        if outcomes:
            read = "\n".join(f"{o.article_id} {o.fetched_at} {o.was}" for o in outcomes)
            digest = hashlib.sha256(read.encode()).hexdigest()[:8]  # by what it holds: another try has another rest
            log_part(archive, replace(run, name=f"{run.name}-{digest}"), outcomes)
        done += outcomes
    return done


def ingest_accepted(
    archive: Archive, run: Part, found: Iterable[Difference], readers: Readers, on_article: OnArticle
) -> list[Outcome]:
    """Archive those set-aside pages that today's rules accept."""
    accepted = [
        Sighting(d.article_id, d.url, capture.fetched_at, d.capture_key, ("retried",))
        for d in found
        if not d.refused
        for capture in [read_capture(archive.store.read(d.capture_key), d.capture_key)]
    ]
    return ingest(archive, run, accepted, [], lambda outcome: on_article(outcome.article_id), readers)


def place_of_article(archive: Archive, article_id: str) -> Place:
    """Return the place of an article by the best address known for it; raise `WrongUsage` when no source knows one."""
    known = places_of(archive, article_id)
    if known:
        return known[0]
    raise WrongUsage(f"no source knows an address of {article_id} any more; give its source file back (OPEDS_SOURCES)")


def _watched(found: Iterable[Difference], progress: Progress) -> list[Difference]:
    differing = []
    for difference in found:
        differing.append(difference)
        progress("re-extracted", difference.article_id)
    return differing
