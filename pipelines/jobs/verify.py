"""Does the archive still hold what it says? Recomputes and compares; reports what does not fit, repairs nothing.

What is looked at: the log (no gap, readable, each manifest with the digest of the one before it), captures and records
against the digests in the log, payloads against their WARC digests and the digest in their key, records against the
captures they are made of, and the catalogue's rows against the log.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipelines.archive import keys, manifests
from pipelines.archive.record import record, to_json
from pipelines.archive.warc import damaged, read_capture
from pipelines.catalogue.delta import location, published, query
from pipelines.catalogue.rows import rows_of, run_row
from pipelines.errors import DamagedObject, NotArchived, StoreUnavailable, UnreadableWarc
from pipelines.extraction.extract import extract, rules_of
from pipelines.index.opened import Archive, catch_up
from pipelines.model import Capture, Outcome, Rules
from pipelines.settings import Settings
from pipelines.sources.addresses import place_of

Chosen = Callable[[str, str], bool]  # by article, and by when its manifest was logged (UTC)
OnCount = Callable[[int], None]
COMPARED_COLUMNS = ("article_id", "content16", "oped_id", "role", "is_latest", "text_sha256", "payload_sha256")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something that does not fit, where and what: `kind` is log, crawl, payload, record or catalogue."""

    kind: str
    key: str
    said: str


@dataclass
class _Seen:
    """What was verified so far: the keys, and the capture verified last, since its record comes next."""

    archive: Archive
    rules: dict[str, Rules]  # of each source: they hash all its profiles, once
    captures: set[str] = field(default_factory=set)
    last: tuple[str, Capture | None] = ("", None)
    records: set[str] = field(default_factory=set)
    stated: set[str] = field(default_factory=set)  # keys whose digest was compared
    digests: dict[str, str] = field(default_factory=dict)  # that the manifest at hand states, by key
    articles: set[str] = field(default_factory=set)


def verify(
    archive: Archive, settings: Settings, chosen: Chosen, progress: OnCount = lambda _: None
) -> tuple[dict[str, int], list[Fault]]:
    """Return how many manifests, captures, records and rows were verified, and what does not fit.

    `chosen` says whether to look at an article; the log itself is always read. `progress` is told how many manifests
    are done. Other processes may log and publish meanwhile.
    """
    seen, found, last = _Seen(archive, {n: rules_of(s) for n, s in archive.sources.items()}), list[Fault](), 0
    before: manifests.Manifest | None = None
    numbered = sum(1 for _ in archive.store.keys("runs/"))
    told = _published_runs(settings, found)
    for last, manifest in _log(archive, found):
        if last in told and _plainly(told[last]) != _plainly(run_row(last, manifest)):
            found.append(Fault("log", keys.manifest_key(last), "is not what was published: the table of runs differs"))
        found += _chained(archive, last, manifest, before)
        before = manifest
        seen.digests = dict(manifest.digests)
        found += _crawls(seen, last, [key for key in manifest.crawls if chosen(key, manifest.logged_at)])
        for outcome in manifest.outcomes:
            if chosen(outcome.article_id, manifest.logged_at):
                found += _outcome(seen, last, outcome)
        progress(last)
    known = max(archive.index.seq(), *told, 0)
    if known > last >= numbered:
        found.append(Fault("log", keys.manifest_key(known), "not there, though index or catalogue know it"))
    if last < numbered:
        found.append(Fault("log", keys.manifest_key(last + 1), f"not there, though {numbered} are: the log has a gap"))
    try:
        rows, wrong = _catalogue(seen, settings, chosen)
    except (StoreUnavailable, DamagedObject) as error:
        rows, wrong = 0, [Fault("catalogue", "catalogue/articles", str(error))]
    counts = Counter(manifests=last, captures=len(seen.captures), records=len(seen.records), rows=rows)
    return dict(counts), sorted({*found, *wrong})


def _log(archive: Archive, found: list[Fault]) -> Iterator[tuple[int, manifests.Manifest]]:
    """Yield the log as far as it can be read; note where it cannot."""
    try:
        yield from manifests.read_log(archive.store)
    except DamagedObject as error:
        found.append(Fault("log", error.key, str(error)))


def _published_runs(settings: Settings, found: list[Fault]) -> dict[int, dict[str, Any]]:
    """Return the rows of the table of runs by number; note where it cannot be read."""
    try:
        return {row["seq"]: row for row in query(location(settings, "runs"), "SELECT * FROM t")}
    except StoreUnavailable as error:
        found.append(Fault("catalogue", "catalogue/runs", str(error)))
        return {}


def _plainly(row: dict[str, Any]) -> str:
    """Return a row of the table of runs to compare; what earlier versions counted otherwise is left out."""
    names = ("seq", "run", "part", "day", "logged_at", "complete", "missing", "warnings")
    return json.dumps({name: row[name] or None for name in names}, sort_keys=True, default=str)


def _chained(
    archive: Archive, seq: int, manifest: manifests.Manifest, before: manifests.Manifest | None
) -> Iterator[Fault]:
    """Verify that a manifest names the one before it as it stands there now; the first schema's name nothing."""
    if before is None:
        return
    if manifest.schema == manifests.FIRST_SCHEMA:
        if before.schema != manifests.FIRST_SCHEMA:
            yield Fault("log", keys.manifest_key(seq), "states no digests, though the manifest before it does")
        return
    if manifest.previous != before.sha256:
        yield Fault("log", keys.manifest_key(seq - 1), f"is not what {keys.manifest_key(seq)} was logged behind")
    if manifest.anchor and manifests.anchor_of(archive.store, manifest.anchor.manifests) != manifest.anchor:
        said = f"one of the manifests up to this is not what {keys.manifest_key(seq)} was logged behind"
        yield Fault("log", keys.manifest_key(manifest.anchor.manifests), said)


def _crawls(seen: _Seen, seq: int, crawls: Iterable[str]) -> Iterator[Fault]:
    """Verify the crawls' summaries that a manifest of the second schema names."""
    for key in crawls:
        if key not in seen.digests or key in seen.stated:
            continue
        try:
            body = seen.archive.store.read(key)
        except NotArchived:
            yield Fault("crawl", key, f"not there, though {keys.manifest_key(seq)} names it")
        else:
            yield from (Fault("crawl", key, said) for said in _digest_differs(seen, key, body))


def _outcome(seen: _Seen, seq: int, outcome: Outcome) -> Iterator[Fault]:
    """Verify what one outcome names."""
    if outcome.capture_key and (outcome.capture_key not in seen.captures or _first_stated(seen, outcome.capture_key)):
        yield from _payload(seen, seq, outcome.capture_key)
    if outcome.record_key and (outcome.record_key not in seen.records or _first_stated(seen, outcome.record_key)):
        seen.records.add(outcome.record_key)
        yield from _record(seen, seq, outcome)
    if outcome.content16:
        seen.articles.add(outcome.article_id)


def _first_stated(seen: _Seen, key: str) -> bool:
    """Whether this is the first manifest that states the digest of an object that earlier ones named without one."""
    return key in seen.digests and key not in seen.stated


def _payload(seen: _Seen, seq: int, key: str) -> list[Fault]:
    """Verify one capture and keep it at hand."""
    seen.captures.add(key)
    seen.last = key, None
    try:
        body = seen.archive.store.read(key)
        capture, wrong = read_capture(body, key), damaged(body, key)
    except NotArchived:
        return [Fault("payload", key, f"not there, though {keys.manifest_key(seq)} names it")]
    except UnreadableWarc as error:
        return [Fault("payload", key, str(error))]
    seen.last = key, capture
    wrong += _digest_differs(seen, key, body)
    if capture.payload_sha256[:16] != key.rpartition("-")[2].partition(".")[0]:
        wrong = [*wrong, "the payload's digest is not the one in the key"]
    return [Fault("payload", key, said) for said in wrong]


def _digest_differs(seen: _Seen, key: str, body: bytes) -> list[str]:
    """Return a sentence where the log states another digest of an object; the first schema states none."""
    stated = seen.digests.get(key)
    if stated is not None:
        seen.stated.add(key)
    differs = stated is not None and stated != hashlib.sha256(body).hexdigest()
    return ["is not the file that was logged: its digest differs"] if differs else []


def _record(seen: _Seen, seq: int, outcome: Outcome) -> Iterator[Fault]:
    key = outcome.record_key
    try:
        body = seen.archive.store.read(key)
        told: dict[str, Any] = json.loads(body)
    except NotArchived:
        yield Fault("record", key, f"not there, though {keys.manifest_key(seq)} names it")
        return
    except ValueError:
        yield Fault("record", key, "is no JSON")
        return
    yield from (Fault("record", key, said) for said in _digest_differs(seen, key, body))
    if outcome.content16 and told["content_sha256"][:16] != outcome.content16:
        yield Fault("record", key, f"holds another content than {keys.manifest_key(seq)} says")
    capture_key = told["capture"]["key"]
    if capture_key != seen.last[0]:
        yield from _payload(seen, seq, capture_key)
    capture = seen.last[1]
    if capture is None:
        return  # it is among the faults already
    if told["capture"]["payload_sha256"] != capture.payload_sha256:
        yield Fault("record", key, f"was made of another payload than {capture_key} holds")
    elif outcome.content16 and not _derives(seen, capture, capture_key, body, told):
        yield Fault("record", key, f"is not what its rules make of {capture_key}")


def _derives(seen: _Seen, capture: Capture, capture_key: str, body: bytes, told: dict[str, Any]) -> bool:
    """Whether the capture, read again, gives this very record; one of older rules is taken at its word."""
    place = place_of(capture.url, seen.archive.sources.values())
    if place is None or seen.rules[place.source.name].sha256 != told["rules"]["sha256"]:
        return True
    rules = seen.rules[place.source.name]
    return to_json(record(extract(capture, place), place, capture, capture_key, rules)) == body


def _catalogue(seen: _Seen, settings: Settings, chosen: Chosen) -> tuple[int, list[Fault]]:
    """Compare the rows of the articles looked at with what the log makes of them, where it is published already."""
    index, where = seen.archive.index, location(settings, "articles")
    catch_up(seen.archive)
    rows = query(where, f"SELECT {', '.join(COMPARED_COLUMNS)} FROM t")  # noqa: S608 - our own names
    articles = seen.articles - set(index.changed_since(published(where)))
    stands = {
        tuple(row.values())
        for row in rows
        if row["article_id"] in articles or (row["article_id"] not in seen.articles and chosen(row["article_id"], ""))
    }
    due = set()
    for article_id in articles:
        try:
            made = list(rows_of(seen.archive.store, [index.state_of(article_id)]))
        except (NotArchived, ValueError):
            continue  # a record that is missing or not JSON is among the faults already
        due |= {tuple(row[name] for name in COMPARED_COLUMNS) for row in made}
    lost = {one[:2] for one in due - stands}
    extra = {one[:2] for one in stands - due} - lost
    said = {
        **dict.fromkeys(lost, "is not what the log makes of it"),
        **dict.fromkeys(extra, "no manifest tells of this"),
    }
    return len(stands), [Fault("catalogue", f"{a}@{c}", what) for (a, c), what in said.items()]
