"""From sightings to outcomes: capture → record → index (publish, commit, then query) → manifest.

Whatever a crash leaves behind is accepted: an object that no manifest names is not yet in the archive, and
making it again gives the same object. A run takes in what was left of the articles it meets, `upkeep` the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from pipelines.archive import manifests
from pipelines.archive.keys import article_of, quarantine_key, record_key
from pipelines.archive.record import record, rejection, to_json
from pipelines.archive.warc import read_capture
from pipelines.clock import iso
from pipelines.copies.compare import Side, overlap_of, prepared, unites, worth_storing
from pipelines.copies.fingerprint import hashes_of
from pipelines.copies.groups import Member
from pipelines.errors import AlreadyArchived, NotArchived, UnreadableWarc
from pipelines.extraction.extract import extract, rules_of
from pipelines.extraction.quality import NOT_OPINION
from pipelines.index.index import IndexedText
from pipelines.index.opened import Archive, commit, places_of
from pipelines.model import Article, Capture, Match, Outcome, Rules, Sighting, Status, Verdict
from pipelines.sources import Source
from pipelines.sources.addresses import Place, place_of
from pipelines.versions import Step, content_sha256, verdict

Report = Callable[[Outcome], None]
LEFT = ("left-by-an-earlier-run",)  # the route of a capture that a crash left


@dataclass
class Batch:
    """What is known of the articles at hand: the log's sightings, and those that no manifest names yet."""

    archive: Archive
    known: dict[str, dict[tuple[datetime, str], Step]] = field(default_factory=dict)
    rules: dict[str, Rules] = field(default_factory=dict)

    def rules_of(self, source: Source) -> Rules:
        """Return the rules of a source: they hash all its profiles, and do not change within a part."""
        if source.name not in self.rules:
            self.rules[source.name] = rules_of(source)
        return self.rules[source.name]

    def history(self, article_id: str) -> list[Step]:
        """Return the article's sightings, logged and pending, in the order of capture."""
        return sorted(self._steps(article_id).values())

    def read_by(self, rules: Rules, article_id: str) -> list[Step]:
        """Return the sightings read by these rules: the only ones a reading of today can be compared with."""
        return [step for step in self.history(article_id) if step.rules8 == rules.rules8]

    def remember(self, article_id: str, step: Step) -> None:
        """Add a sighting; a re-reading takes the place of what it re-read."""
        self._steps(article_id)[step.fetched_at, step.capture_key] = step

    def _steps(self, article_id: str) -> dict[tuple[datetime, str], Step]:
        if article_id not in self.known:
            logged = self.archive.index.history(article_id)
            self.known[article_id] = {(step.fetched_at, step.capture_key): step for step in logged}
        return self.known[article_id]


@dataclass(frozen=True)
class Part:
    """Which part of which run is logged: (run, name) exactly once."""

    run: str
    name: str
    day: str
    logged_at: str
    crawls: tuple[str, ...] = ()


def ingest(
    archive: Archive, part: Part, sightings: Iterable[Sighting], others: Iterable[Outcome], report: Report
) -> list[Outcome]:
    """Decide every sighting and log the outcomes, `others` (addresses without a page) among them.

    Parts hold at most 1,000 sightings; one already logged is skipped, so a task may run again.
    """
    rest = sorted(sightings, key=lambda s: (s.fetched_at, s.article_id))
    extra = list(others)
    done: list[Outcome] = []
    number = 0
    while rest or extra:
        number += 1
        chunk, rest = rest[: manifests.PART_SIZE], rest[manifests.PART_SIZE :]
        spare = manifests.PART_SIZE - len(chunk)
        told, extra = extra[:spare], extra[spare:]
        named = replace(part, name=f"{part.name}-{number:04d}")
        if not archive.index.logged(named.run, named.name):
            done += _ingest_part(archive, named, chunk, told, report)
    return done


def _ingest_part(
    archive: Archive, part: Part, sightings: Sequence[Sighting], others: Sequence[Outcome], report: Report
) -> list[Outcome]:
    batch = Batch(archive)
    outcomes: list[Outcome] = []
    for sighting in sightings:
        for outcome in _decide(batch, sighting):
            outcomes.append(outcome)
            report(outcome)
    for outcome in others:
        outcomes.append(outcome)
        report(outcome)
    log_part(archive, part, outcomes)
    return outcomes


def log_part(archive: Archive, part: Part, outcomes: Iterable[Outcome]) -> None:
    """Log the outcomes of a part: the moment from which they are in the archive."""
    commit(archive, manifests.Manifest(part.run, part.name, part.day, part.logged_at, part.crawls, tuple(outcomes)))


def ingest_orphans(archive: Archive, part: Part, keys: Iterable[str], report: Report) -> list[Outcome]:
    """Take in those captures of `keys` that no manifest names: a run that was cut off left them.

    One that cannot be read is told as FAILED, and stays as it lies: `opeds verify` is about those.
    """
    done: list[Outcome] = []
    waiting = iter(keys)
    while some := list(islice(waiting, manifests.PART_SIZE)):
        left = sorted(set(some) - archive.index.named(some))
        found = [_left(archive, key) for key in left]
        seen = [one for one in found if isinstance(one, Sighting)]
        if found:
            digest = hashlib.sha256("\n".join(left).encode()).hexdigest()[:8]
            name = f"{part.name}-{digest}"  # by what it holds: the list shrinks, and one that cannot be read stays
            unread = [one for one in found if isinstance(one, Outcome)]
            done += ingest(archive, replace(part, name=name), seen, unread, report)
    return done


def _left(archive: Archive, key: str) -> Sighting | Outcome:
    """Return the sighting that a capture is, or why it cannot be one."""
    article_id = article_of(key)
    try:
        capture = read_capture(archive.store.read(key), key)
    except (NotArchived, UnreadableWarc) as error:
        return Outcome(Verdict.FAILED, "", article_id, routes=LEFT, reasons=(str(error),))
    return Sighting(article_id, capture.url, capture.fetched_at, key, LEFT)


def _decide(batch: Batch, sighting: Sighting) -> list[Outcome]:
    """Return the outcome of one sighting, behind a REREAD for each sighting read under older rules."""
    archive = batch.archive
    place = _place(archive, sighting.url, sighting.article_id)
    if place is None:
        return [_outcome(sighting, Verdict.NOT_AN_OPED, reasons=("no_source_knows_this_address",))]
    rules = batch.rules_of(place.source)
    known = _known_content(batch, sighting, rules)
    if known:
        return [*reread(batch, place), _seen(batch, sighting, known, rules)]
    try:
        capture = read_capture(archive.store.read(sighting.capture_key), sighting.capture_key)
    except (NotArchived, UnreadableWarc) as error:
        return [_outcome(sighting, Verdict.FAILED, reasons=(str(error),), capture_key="")]
    place = _place(archive, capture.url, sighting.article_id) or place  # the record knows the capture alone
    if _better_known(archive, place):
        return [_outcome(sighting, Verdict.ALIAS, target=place.article_id)]
    article = extract(capture, place)
    if article.status not in {Status.OK, Status.REVIEW}:
        return [_set_aside(archive, sighting, article, place, capture, rules)]
    rereads = reread(batch, place)
    return [*rereads, _archived(batch, sighting, article, place, capture, rules)]


def _place(archive: Archive, url: str, article_id: str) -> Place | None:
    """Return what an address names, provided that it names this article."""
    place = place_of(url, archive.sources.values())
    return place if place and place.article_id == article_id else None


def _known_content(batch: Batch, sighting: Sighting, rules: Rules) -> str:
    """Return the content16 of a payload that was read before under these very rules, or an empty string."""
    steps = batch.history(sighting.article_id)
    return next((s.content16 for s in steps if (s.capture_key, s.rules8) == (sighting.capture_key, rules.rules8)), "")


def _seen(batch: Batch, sighting: Sighting, content16: str, rules: Rules) -> Outcome:
    """A kept payload again: unchanged, or back to an earlier form; either way nothing to write."""
    found = verdict(content16, sighting.fetched_at, batch.read_by(rules, sighting.article_id))
    _remember(batch, sighting, content16, rules)
    return _outcome(sighting, found, content16=content16, rules8=rules.rules8)


def _better_known(archive: Archive, place: Place) -> bool:
    """Whether a better-ranked address of the same article is known: only the best one makes versions."""
    if place.rank == min(a.rank for a in place.source.addresses if place.native_id.startswith(a.prefix)):
        return False  # most eras have one form of address; no need to ask
    return any(other.rank < place.rank for other in places_of(archive, place.article_id))


def _set_aside(
    archive: Archive, sighting: Sighting, article: Article, place: Place, capture: Capture, rules: Rules
) -> Outcome:
    if NOT_OPINION & set(article.reasons):
        return _outcome(sighting, Verdict.NOT_AN_OPED, reasons=article.reasons)
    key = quarantine_key(place.article_id, capture.payload_sha256, rules)
    _create(archive, key, to_json(rejection(article, place, capture, sighting.capture_key, rules)))
    return _outcome(
        sighting,
        Verdict.REJECTED,
        rules8=rules.rules8,
        record_key=key,
        reasons=(article.status.value, *article.reasons),
    )


def _archived(
    batch: Batch, sighting: Sighting, article: Article, place: Place, capture: Capture, rules: Rules
) -> Outcome:
    content16 = content_sha256(article)[:16]
    history = batch.read_by(rules, place.article_id)
    found = verdict(content16, sighting.fetched_at, history)
    outcome = _outcome(
        sighting, found, content16=content16, rules8=rules.rules8, reasons=article.reasons,
        published_at=iso(article.published_at) if article.published_at else "", listed=_listed(article),
    )  # fmt: skip
    _remember(batch, sighting, content16, rules)
    if any(step.content16 == content16 for step in history):
        return outcome  # known: a return to an earlier text, or another dress around the same one
    outcome = replace(outcome, record_key=record_key(place.article_id, content16, rules))
    body = record(article, place, capture, sighting.capture_key, rules)
    _create(batch.archive, outcome.record_key, to_json(body))
    if found is Verdict.UNCHANGED:
        return outcome
    hashes = hashes_of(article.text or article.text_ko)
    batch.archive.index.publish(outcome, hashes)
    return _matched(batch.archive, outcome, article, place, hashes)


def _matched(archive: Archive, outcome: Outcome, article: Article, place: Place, hashes: list[int]) -> Outcome:
    """Return the outcome with what its text was found to share; a NEW one may turn out a COPY."""
    when = outcome.published_at or outcome.fetched_at
    this = Side(place.article_id, place.source.name, when)
    matches: list[Match] = []
    copy = False
    for candidate in archive.index.candidates(place.article_id, hashes):
        match = _compared(archive, article, place.article_id, candidate)
        if match is None:
            continue
        matches.append(match)
        source = archive.sources.get(candidate.article_id.partition("-")[0])
        own = source is not None and source.own
        other = Side(candidate.article_id, source.name if source else "", candidate.when or when)
        primary = candidate.oped_id == candidate.article_id
        outranks = (
            Member(candidate.article_id, own, other.when).rank < Member(this.article_id, place.source.own, when).rank
        )
        copy |= primary and outranks and unites(this, other, match.overlap)
    verdict_ = Verdict.COPY if copy and outcome.verdict is Verdict.NEW else outcome.verdict
    return replace(outcome, verdict=verdict_, matches=tuple(matches))


def _compared(archive: Archive, article: Article, article_id: str, candidate: IndexedText) -> Match | None:
    """Compare with a candidate's record, English with English, Korean with Korean."""
    try:
        other = json.loads(archive.store.read(candidate.record_key))
    except NotArchived:
        return None  # an index row that a crash left; its capture is ingested when it is seen again
    field_ = "text" if article.text and other["text"] else "text_ko"
    mine, theirs = getattr(article, field_), other[field_]
    found = overlap_of(article_id, prepared(mine), candidate.article_id, prepared(theirs))
    return Match(candidate.article_id, candidate.content16, found) if worth_storing(found) else None


def reread(batch: Batch, place: Place) -> list[Outcome]:
    """Read all earlier sightings again when our rules changed: only equal rules can be compared.

    So our progress is never mistaken for the newspaper's correction. A sighting that today's rules refuse
    keeps its reading, and is compared with nothing.
    """
    rules = batch.rules_of(place.source)
    stale = [step for step in batch.history(place.article_id) if step.rules8 != rules.rules8]
    return [outcome for step in stale for outcome in _reread_one(batch, place, step, rules)]


def _reread_one(batch: Batch, place: Place, step: Step, rules: Rules) -> list[Outcome]:
    try:
        capture = read_capture(batch.archive.store.read(step.capture_key), step.capture_key)
    except (NotArchived, UnreadableWarc):
        return []
    place = _place(batch.archive, capture.url, place.article_id) or place
    article = extract(capture, place)
    content16 = content_sha256(article)[:16]
    if article.status not in {Status.OK, Status.REVIEW}:
        return []
    batch.remember(place.article_id, replace(step, content16=content16, rules8=rules.rules8))
    key = record_key(place.article_id, content16, rules)
    outcome = Outcome(
        Verdict.REREAD, capture.url, place.article_id, iso(step.fetched_at), content16, rules.rules8, step.capture_key,
        key, iso(article.published_at) if article.published_at else "", _listed(article), was=step.content16,
    )  # fmt: skip
    _create(batch.archive, key, to_json(record(article, place, capture, step.capture_key, rules)))
    batch.archive.index.publish(outcome, hashes_of(article.text or article.text_ko))
    return [outcome]


def _remember(batch: Batch, sighting: Sighting, content16: str, rules: Rules) -> None:
    batch.remember(sighting.article_id, Step(sighting.fetched_at, content16, rules.rules8, sighting.capture_key))


def _listed(article: Article) -> bool:
    """A portal's page without evidence of opinion is kept, and listed once it matches an op-ed."""
    return "no_evidence_of_opinion" not in article.reasons


def _create(archive: Archive, key: str, body: bytes) -> None:
    """Create a record; under articles/ the first capture of a content stands, so other bytes are success."""
    try:
        archive.store.create(key, body)
    except AlreadyArchived:
        return


def _outcome(sighting: Sighting, found: Verdict, **more: object) -> Outcome:
    told = Outcome(
        found, sighting.url, sighting.article_id, iso(sighting.fetched_at),
        capture_key=sighting.capture_key, routes=sighting.routes, aliases=sighting.aliases,
    )  # fmt: skip
    return replace(told, **more)  # type: ignore[arg-type]
