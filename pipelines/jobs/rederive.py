"""Reads what is in the archive again by today's rules: archived pages (rederive), set-aside ones (retry).

The difference is shown first; writing it is another step. Old citations go on resolving: a content that got
another name keeps the old one in `formerly`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.archive import manifests
from pipelines.archive.record import described
from pipelines.archive.warc import read_capture
from pipelines.errors import NotArchived, UnreadableWarc, WrongUsage
from pipelines.extraction.extract import extract, rules_of
from pipelines.index.opened import Archive, places_of
from pipelines.jobs.ingest import Batch, Part, ingest, log_part, reread
from pipelines.model import Article, Outcome, Sighting, Status
from pipelines.sources import source_named
from pipelines.sources.addresses import Place, place_of, split_id
from pipelines.versions import content_sha256

COMPARED_FIELDS = (
    "status", "reasons", "headline", "deck", "kind", "authors", "published_at", "modified_at", "language", "text",
    "text_ko", "captions", "images", "related", "correction_note", "translator_note", "print_edition", "emails",
    "copyright", "rights_signals", "witnesses", "canonical_url",
)  # fmt: skip
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


def stale(archive: Archive, source: str, ids: Sequence[str]) -> list[str]:
    """Return the articles of which a sighting was read by other rules than today's, of one source or all."""
    names = [source_named(archive.sources, source).name] if source else sorted(archive.sources)
    found = [a for name in names for a in archive.index.stale(name, rules_of(archive.sources[name]).rules8)]
    unknown = [one for one in ids if not archive.index.history(one)]
    if unknown:
        raise NotArchived(f"{unknown[0]} is not in the archive; `opeds list` shows what is")
    return [article_id for article_id in found if not ids or article_id in ids]


def differences(archive: Archive, article_ids: Iterable[str]) -> Iterator[Difference]:
    """Yield what a re-reading of these articles would change, capture by capture; nothing is written."""
    rules = {name: rules_of(source).rules8 for name, source in archive.sources.items()}
    for article_id in article_ids:
        rules8 = rules[split_id(article_id)[0]]
        keys = {
            reading["content16"]: reading["record_key"] for reading in archive.index.state_of(article_id).indexed_texts
        }
        seen: set[str] = set()
        for step in archive.index.history(article_id):
            if step.rules8 == rules8 or step.capture_key in seen:
                continue
            seen.add(step.capture_key)
            if step.content16 in keys:
                before = json.loads(archive.store.read(keys[step.content16]))
                found = _difference(archive, article_id, step.capture_key, before, step.content16)
                yield from [found] if found else []


def log_rereads(archive: Archive, run: Part, article_ids: Sequence[str], progress: OnArticle) -> list[Outcome]:
    """Log a REREAD for every sighting of these articles that was read by other rules, in parts."""
    done: list[Outcome] = []
    for start in range(0, len(article_ids), manifests.PART_SIZE // 10):
        some = article_ids[start : start + manifests.PART_SIZE // 10]
        batch = Batch(archive)
        outcomes = []
        for article_id in some:
            outcomes += reread(batch, _place_of_article(archive, article_id))
            progress(article_id)
        if outcomes:
            read = "\n".join(f"{o.article_id} {o.fetched_at} {o.was}" for o in outcomes)
            digest = hashlib.sha256(read.encode()).hexdigest()[:8]  # by what it holds: another try has another rest
            log_part(archive, replace(run, name=f"{run.name}-{digest}"), outcomes)
        done += outcomes
    return done


def quarantined(archive: Archive, source: str) -> Iterator[Difference]:
    """Yield every page that was set aside and never archived since, as today's rules read it."""
    prefix = f"quarantine/{source_named(archive.sources, source).name}/" if source else "quarantine/"
    seen: set[str] = set()
    for key in archive.store.keys(prefix):
        rejection = json.loads(archive.store.read(key))
        article_id, capture_key = rejection["article_id"], rejection["capture"]["key"]
        resolved = any(step.capture_key == capture_key for step in archive.index.history(article_id))
        if capture_key in seen or resolved:
            continue
        seen.add(capture_key)
        found = _difference(archive, article_id, capture_key, rejection, "")
        yield from [found] if found else []


def ingest_accepted(archive: Archive, run: Part, found: Iterable[Difference], progress: OnArticle) -> list[Outcome]:
    """Archive those set-aside pages that today's rules accept."""
    accepted = [
        Sighting(one.article_id, one.url, capture.fetched_at, one.capture_key, ("retried",))
        for one in found
        if not one.refused
        for capture in [read_capture(archive.store.read(one.capture_key), one.capture_key)]
    ]
    return ingest(archive, run, accepted, [], lambda outcome: progress(outcome.article_id))


def _difference(
    archive: Archive, article_id: str, capture_key: str, before: dict[str, Any], was: str
) -> Difference | None:
    """Compare a record with today's reading of its capture; None when they agree or the capture is gone."""
    try:
        capture = read_capture(archive.store.read(capture_key), capture_key)
    except (NotArchived, UnreadableWarc):
        return None
    place = place_of(capture.url, archive.sources.values()) or _place_of_article(archive, article_id)
    article = extract(capture, place)
    after = json.loads(json.dumps(described(article, place), default=str))
    fields = tuple(name for name in COMPARED_FIELDS if before.get(name) != after.get(name))
    refused = () if article.status in {Status.OK, Status.REVIEW} else (article.status.value, *article.reasons)
    if not (fields or refused):
        return None
    return Difference(article_id, capture.url, capture_key, was, _content16(article), fields, before, after, refused)


def _content16(article: Article) -> str:
    return content_sha256(article)[:16]


def _place_of_article(archive: Archive, article_id: str) -> Place:
    """Return the place of an article by any address known for it."""
    known = places_of(archive, article_id)
    if known:
        return known[0]
    raise WrongUsage(f"no source knows an address of {article_id} any more; give its source file back (OPEDS_SOURCES)")
