"""The loop of ingestion: load, read, decide; create, publish, commit; match; log.

Whatever a crash leaves behind does no harm: an object that no manifest names is not in the archive yet, and making it
again gives the same object. A run ingests orphaned captures of the articles that it fetches, `upkeep` all others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Self

from pipelines.archive import manifests
from pipelines.archive.keys import article_of
from pipelines.archive.store import threads
from pipelines.archive.warc import read_capture
from pipelines.clock import iso, now, today
from pipelines.copies.fingerprint import hashes_of
from pipelines.errors import AlreadyArchived, NotArchived, UnreadableWarc
from pipelines.index.index import IndexedText
from pipelines.index.opened import Archive, commit, places_of, texts_of
from pipelines.ingestion.decide import Decision, decide, outcome_of, re_extract
from pipelines.ingestion.load import Needed, needed_by, outdated, pages_for
from pipelines.ingestion.match import Candidate, match
from pipelines.ingestion.read import Readers, ReadPage
from pipelines.model import Article, Outcome, Sighting, Verdict
from pipelines.sources.addresses import Place, place_naming, split_id

OnOutcome = Callable[[Outcome], None]
ORPHANED = ("left-by-an-earlier-run",)  # the route of a capture that a crash left behind
ASKED_AT_ONCE = 200  # texts whose candidates are asked for together


@dataclass(frozen=True)
class Part:
    """Which part of which run is logged: (run, name) exactly once."""

    run: str
    name: str
    day: str
    logged_at: str
    crawls: tuple[str, ...] = ()
    files: tuple[manifests.SourceFile, ...] = ()
    period: str = ""  # the month, of a part that came from a public archive; then there is no day

    @classmethod
    def of_today(cls, run: str, name: str) -> Self:
        """Return a part that is logged now, under today's day in Seoul."""
        return cls(run, name, today().isoformat(), iso(now()))


def ingest(
    archive: Archive,
    part: Part,
    sightings: Iterable[Sighting],
    others: Iterable[Outcome],
    on_outcome: OnOutcome,
    readers: Readers | None = None,
) -> list[Outcome]:
    """Decide every sighting and log the outcomes, `others` (addresses without a page) among them.

    A part holds at most 1,000 sightings and addresses without a page; REREADs come on top. A part that is logged
    already is skipped, so a task may run again.
    """
    waiting = sorted(sightings, key=lambda s: (s.fetched_at, s.article_id))
    pageless = list(others)
    done: list[Outcome] = []
    number = 0
    with ExitStack() as stack:
        readers = readers or stack.enter_context(Readers(archive.sources, archive.processes))
        while waiting or pageless:
            number += 1
            some, waiting = waiting[: manifests.PART_SIZE], waiting[manifests.PART_SIZE :]
            room = manifests.PART_SIZE - len(some)
            rest, pageless = pageless[:room], pageless[room:]
            named = replace(part, name=f"{part.name}-{number:04d}")
            if archive.index.logged(named.run, named.name):
                continue
            outcomes = [*finish(archive, decisions_on(archive, some, readers)), *rest]
            for outcome in outcomes:
                on_outcome(outcome)
            log_part(archive, named, outcomes)
            done += outcomes
    return done


def decisions_on(archive: Archive, sightings: Sequence[Sighting], readers: Readers) -> Iterator[Decision]:
    """Yield what comes of each sighting, in order: load, read, decide."""
    known = archive.index.histories({s.article_id for s in sightings})
    histories = {article_id: tuple(steps) for article_id, steps in known.items()}
    places = [place_naming(s.url, s.article_id, archive.sources.values()) for s in sightings]
    rules8s = [readers.rules_of(place.source).rules8 if place else "" for place in places]
    withdrawn = archive.withdrawn.ids
    needs = [
        needed_by(s, histories.get(s.article_id, ()), rules8) if place and s.article_id not in withdrawn else []
        for s, place, rules8 in zip(sightings, places, rules8s, strict=True)
    ]
    for sighting, place, rules8, pages in zip(
        sightings, places, rules8s, pages_for(needs, archive.store, readers), strict=True
    ):
        if place is None:
            yield Decision(outcome_of(sighting, Verdict.NOT_AN_OPED, reasons=("no_source_knows_this_address",)))
            continue
        history = histories.get(sighting.article_id, ())
        page = pages.get(sighting.capture_key)
        came_back = sighting.article_id if sighting.article_id in archive.withdrawn.ids else ""
        if page is not None and not came_back:
            came_back = withdrawn_text(archive, page.article, page.hashes)
        if came_back:  # `opeds withdraw` removes the capture when it runs again
            yield Decision(outcome_of(sighting, Verdict.WITHDRAWN, target=came_back))
            continue
        if page is not None and page.sha256:
            archive.digests[page.capture_key] = page.sha256
        better = _better_known(archive, place, page)
        decisions, histories[sighting.article_id] = decide(sighting, history, pages, rules8, better)
        yield from decisions


def withdrawn_text(archive: Archive, article: Article, hashes: Sequence[int]) -> str:
    """Return the withdrawn article whose English or Korean text an article has, or an empty string."""
    if not archive.withdrawn.ids:
        return ""
    first = article.text or article.text_ko
    found = archive.withdrawn.known_by(first, hashes) if first else ""
    if not found and article.text and article.text_ko:
        found = archive.withdrawn.known_by(article.text_ko, hashes_of(article.text_ko))
    return found


def re_extractions(
    archive: Archive, articles: Sequence[tuple[str, Place]], readers: Readers
) -> Iterator[tuple[str, list[Decision]]]:
    """Yield each article with a REREAD for every sighting of it that other rules than today's read."""
    known = archive.index.histories({article_id for article_id, _ in articles})
    rules8s = [readers.rules_of(place.source).rules8 for _, place in articles]
    needs = [
        [Needed(a, step.capture_key, place.canonical_url) for step in outdated(known.get(a, ()), rules8)]
        for (a, place), rules8 in zip(articles, rules8s, strict=True)
    ]
    pages_read = pages_for(needs, archive.store, readers)
    for (article_id, _), rules8, pages in zip(articles, rules8s, pages_read, strict=True):
        yield article_id, re_extract(article_id, tuple(known.get(article_id, ())), pages, rules8)[0]


def finish(archive: Archive, decisions: Iterable[Decision]) -> list[Outcome]:
    """Create the objects, publish the texts and commit, then look for copies; return the final outcomes, in order.

    No text is compared before all of them are published: of two workers with one pair of copies, one sees the other.
    """
    decided = create(archive, decisions)
    findable = [d for d in decided if d.is_findable and d.page]
    numbers = archive.index.publish_all([(d.outcome, d.page.hashes) for d in findable if d.page])
    seeking = [(d, number) for d, number in zip(findable, numbers, strict=True) if d.seeks_copies]
    final = {id(d): outcome for d, outcome in _matched(archive, seeking)}
    return [final.get(id(d), d.outcome) for d in decided]


def create(archive: Archive, decisions: Iterable[Decision]) -> list[Decision]:
    """Create each decision's object, several at a time; return the decisions without the bytes.

    A record of the same content may exist already, of an earlier capture. It stays; this is not an error.
    """
    decided, started = [], []
    keys: set[str] = set()
    for decision in decisions:
        page = decision.page
        if page is not None and page.object_key:
            if page.object_key not in keys:  # of several captures with one content, the first makes the record
                started.append(threads().submit(_create, archive, page.object_key, page.object_body))
            keys.add(page.object_key)
            decision = replace(decision, page=replace(page, object_body=b""))
        decided.append(decision)
    for each in started:
        each.result()
    return decided


def _create(archive: Archive, key: str, body: bytes) -> None:
    """Create an object and note its digest; of one that stood there already, `commit` reads it."""
    with suppress(AlreadyArchived):
        body = archive.withdrawn.blanked(body)
        archive.store.create(key, body)
        archive.digests[key] = hashlib.sha256(body).hexdigest()


def _matched(archive: Archive, seeking: Sequence[tuple[Decision, int]]) -> Iterator[tuple[Decision, Outcome]]:
    """Yield each NEW or REVISED decision with its outcome after its candidates were compared."""
    batch = [number for _, number in seeking]
    for start in range(0, len(seeking), ASKED_AT_ONCE):
        some = [d for d, _ in seeking[start : start + ASKED_AT_ONCE]]
        for decision, page in ((d, d.page) for d in some if d.page):
            archive.texts[decision.outcome.record_key] = page.article.text, page.article.text_ko
        asked = [(d.outcome.article_id, d.page.hashes if d.page else ()) for d in some]
        found = archive.index.candidates_of(asked, batch, start)
        texts = texts_of(archive, {one.record_key for candidates in found for one in candidates})
        for decision, candidates in zip(some, found, strict=True):
            assert decision.page is not None
            source = archive.sources[split_id(decision.outcome.article_id)[0]]
            sides = [_candidate(archive, one, *texts[one.record_key]) for one in candidates if one.record_key in texts]
            yield decision, match(decision.outcome, decision.page.article, source.name, source.own, sides)


def _candidate(archive: Archive, indexed: IndexedText, text: str, text_ko: str) -> Candidate:
    source = archive.sources.get(split_id(indexed.article_id)[0])
    return Candidate(indexed, text, text_ko, source.name if source else "", source is not None and source.own)


def log_part(archive: Archive, part: Part, outcomes: Iterable[Outcome]) -> None:
    """Log the outcomes of a part: from here on they are in the archive."""
    told = tuple(outcomes)
    came = tuple(sorted({o.capture_key for o in told if o.capture_key and o.via}))
    files = tuple(replace(file, captures=came) for file in part.files)
    made = manifests.Manifest(part.run, part.name, part.day, part.logged_at, part.crawls, told, files=files)
    commit(archive, replace(made, period=part.period))


def ingest_orphans(archive: Archive, part: Part, keys: Iterable[str], on_outcome: OnOutcome) -> list[Outcome]:
    """Ingest those captures of `keys` that no manifest names: a run that was cut off left them.

    A capture that cannot be read is logged as FAILED and stays in the bucket; `opeds verify` names it.
    """
    done: list[Outcome] = []
    waiting = iter(keys)
    while some := list(islice(waiting, manifests.PART_SIZE)):
        orphans = sorted(set(some) - archive.index.named(some))
        found = [_sighting_of(archive, key) for key in orphans]
        if found:
            digest = hashlib.sha256("\n".join(orphans).encode()).hexdigest()[:8]
            name = f"{part.name}-{digest}"  # by what it holds: the list shrinks, and a capture that is unreadable stays
            seen = [one for one in found if isinstance(one, Sighting)]
            unread = [one for one in found if isinstance(one, Outcome)]
            done += ingest(archive, replace(part, name=name), seen, unread, on_outcome)
    return done


def _sighting_of(archive: Archive, key: str) -> Sighting | Outcome:
    """Return the sighting that an orphaned capture is, or the outcome that says why it cannot be read."""
    article_id = article_of(key)
    try:
        capture = read_capture(archive.store.read(key), key)
    except (NotArchived, UnreadableWarc) as error:
        return Outcome(Verdict.FAILED, "", article_id, routes=ORPHANED, reasons=(str(error),))
    return Sighting(article_id, capture.url, capture.fetched_at, key, ORPHANED, via=capture.via)


def _better_known(archive: Archive, place: Place, page: ReadPage | None) -> bool:
    """Whether a better-ranked address of the same article is archived."""
    if page is None or page.problem:
        return False
    native_id, _, rank = page.place
    if rank == min(a.rank for a in place.source.addresses if native_id.startswith(a.prefix)):
        return False  # most eras have one form of address; no need to ask
    return any(other.rank < rank for other in places_of(archive, place.article_id))
