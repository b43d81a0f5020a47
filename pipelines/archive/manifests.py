"""The ordered log of manifests under runs/: the commit point. What no manifest names is not in the archive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from hashlib import sha256
from typing import Any

from pipelines.archive.keys import manifest_key, number_in
from pipelines.archive.record import to_json
from pipelines.archive.store import Store, read_many
from pipelines.errors import MALFORMED, AlreadyArchived, DamagedObject, NotArchived
from pipelines.model import Match, Outcome, Overlap, Verdict

MANIFEST_SCHEMA, FIRST_SCHEMA = "opeds/run/2", "opeds/run/1"  # the first has no digests
PART_SIZE = 1000  # outcomes in one manifest
CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class RouteReport:
    """What one route showed of the days asked for. `reached` says whether it was read back far enough.

    `days` are all days that it showed, sorted; `back_to` is the day of its last entry: between that and the newest it
    showed everything, while older days may be those of pinned entries. `undated` counts the entries without a day that
    can be believed, `unordered` those whose day does not fit among the others, `odd` what looks like an entry and names
    no address.
    """

    source: str
    route: str
    expected: bool
    reached: bool
    entries: int
    error: str = ""
    status: int = 0  # of HTTP, of an answer that was refused; 0 where there was none
    days: tuple[str, ...] = ()
    back_to: str = ""
    undated: int = 0
    odd: int = 0
    unordered: int = 0


@dataclass(frozen=True, slots=True)
class Quiet:
    """A source that showed nothing for a day, though `brought` of the last `of` such weekdays brought something."""

    source: str
    brought: int
    of: int

    def sentence(self, day: date) -> str:
        """Return it as a warning for a person."""
        usually = f"{self.brought} of the last {self.of} {day:%A}s had something"
        return f"{self.source}: nothing was published, though {usually}"


@dataclass(frozen=True, slots=True)
class Unproved:
    """A route that did not show whether it has all of a day: a later crawl that shows days on both sides does.

    `sentence` is what stands about it among what is missing.
    """

    source: str
    route: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a run: how one day stands. `missing` says what keeps it from being complete."""

    sources: tuple[str, ...]
    complete: bool
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    routes: tuple[RouteReport, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    whole: tuple[str, ...] = ()  # the sources of which nothing is missing: a day's runs together make it complete
    quiet: tuple[Quiet, ...] = ()
    unproved: tuple[Unproved, ...] = ()
    lacking: tuple[str, ...] = ()  # the sources of which more is missing than a proof


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A web archive of somebody else: its name, its size in bytes, its SHA-256, and which captures came from it."""

    name: str
    size: int
    sha256: str
    captures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Anchor:
    """One digest over `manifests` manifests of the first schema, which have none of their own: see `anchor_of`."""

    manifests: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Signature:
    """Who vouches for a manifest: `key` names the key, `ed25519` is the signature in base64.

    What is signed is the manifest's JSON without the signature, as `to_json` spells it.
    """

    key: str
    ed25519: str


Sign = Callable[[bytes], Signature]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One part of a run's outcomes, or its closing. (run, part) is logged once.

    `digests` are the SHA-256, by key, of every object that it names and no manifest before it does; `previous` is that
    of the manifest before it, as it lies in the bucket. So whoever holds the last manifest's digest holds the whole
    log. `sha256` is its own, once read or logged.
    """

    run: str
    part: str
    day: str  # empty where there is a `period`
    logged_at: str
    crawls: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    closing: Closing | None = None
    digests: tuple[tuple[str, str], ...] = ()
    previous: str = ""
    anchor: Anchor | None = None
    files: tuple[SourceFile, ...] = ()
    signature: Signature | None = None
    period: str = ""  # the month that was asked of a public archive
    sha256: str = field(default="", compare=False)
    schema: str = field(default=MANIFEST_SCHEMA, compare=False)


def append(store: Store, manifest: Manifest, last: int, sign: Sign | None = None) -> tuple[int, Manifest | None]:
    """Log a manifest under the next free number after `last`; return that number, and the manifest as it stands there.

    A number taken by somebody else meanwhile is passed over: the log has no gaps and no overwriting. Where somebody
    logged this very part meanwhile, that number is returned, and None.
    """
    seq, before = last + 1, manifest_at(store, last) if last else None
    while True:
        chained = replace(manifest, previous=before.sha256 if before else "", anchor=_anchor(store, seq - 1, before))
        if sign is not None:
            chained = replace(chained, signature=sign(to_json(_plain(chained))))
        body = to_json(_plain(chained))
        try:
            store.create(manifest_key(seq), body)
        except AlreadyArchived:
            before = manifest_at(store, seq)
            if (before.run, before.part) == (manifest.run, manifest.part):
                return seq, None
            seq += 1
        else:
            return seq, replace(chained, sha256=sha256(body).hexdigest())


def _anchor(store: Store, last: int, before: Manifest | None) -> Anchor | None:
    """Return the anchor for a manifest behind one of the first schema; all later ones name the one before them."""
    return anchor_of(store, last) if before and before.schema == FIRST_SCHEMA else None


def anchor_of(store: Store, last: int) -> Anchor:
    """Return the digest of the digests of the manifests 1…`last`, in hexadecimal, one a line."""
    keys = map(manifest_key, range(1, last + 1))
    digests = [sha256(body).hexdigest() for _, body in read_many(store, keys)]
    return Anchor(last, sha256("\n".join(digests).encode()).hexdigest())


def manifest_at(store: Store, seq: int) -> Manifest:
    """Return the manifest of that number; raise `NotArchived`."""
    return parse_manifest(seq, store.read(manifest_key(seq)))


def numbered(store: Store, seqs: Iterable[int]) -> Iterator[Manifest]:
    """Yield the manifests of these numbers, in their order."""
    for key, body in read_many(store, [manifest_key(seq) for seq in sorted(seqs)]):
        yield parse_manifest(number_in(key), body)


def closing_digest(closing: Closing) -> str:
    """Return a digest of what a closing says of its day, without what one look alone counted."""
    told = {name: value for name, value in asdict(closing).items() if name not in {"routes", "counts"}}
    return sha256(to_json(told)).hexdigest()[:16]


def read_log(store: Store, after: int = 0) -> Iterator[tuple[int, Manifest]]:
    """Yield the manifests behind a number, in order, until the log ends."""
    seq = after + 1
    while True:
        try:
            body = store.read(manifest_key(seq))
        except NotArchived:
            return
        yield seq, parse_manifest(seq, body)
        seq += 1


def _plain(manifest: Manifest) -> dict[str, Any]:
    data = {name: value for name, value in asdict(manifest).items() if name not in {"sha256", "schema"}}
    data["digests"] = dict(manifest.digests)
    for name in ("anchor", "files", "signature", "period"):
        if not data[name]:
            del data[name]
    data["outcomes"] = [_plain_outcome(outcome) for outcome in data["outcomes"]]
    if data["closing"]:
        data["closing"] = _plain_closing(data["closing"])
    return {"schema": MANIFEST_SCHEMA, **data}


def _plain_closing(closing: dict[str, Any]) -> dict[str, Any]:
    """Leave out what most closings lack; the days that a route showed stand in the crawl's summary."""
    seldom = {"status", "undated", "odd", "unordered"}
    routes = [
        {n: v for n, v in route.items() if n not in {"days", "back_to"} and (n not in seldom or v)}
        for route in closing["routes"]
    ]
    return {**{n: v for n, v in closing.items() if n not in {"quiet", "unproved", "lacking"} or v}, "routes": routes}


def _plain_outcome(outcome: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty; an overlap is called `figures` in the bucket."""
    stored = {name: value for name, value in outcome.items() if name == "url" or value not in ("", ())}
    if "matches" in stored:
        stored["matches"] = [
            {"article_id": m["article_id"], "content16": m["content16"], "figures": m["overlap"]}
            for m in stored["matches"]
        ]
    return stored


def parse_manifest(seq: int, body: bytes) -> Manifest:
    """Return the manifest of that number from its JSON; raise `DamagedObject`."""
    try:
        manifest = _manifest(body)
        _check(seq, manifest)
        return manifest
    except MALFORMED as error:
        raise DamagedObject(manifest_key(seq), error) from error


def _check(seq: int, manifest: Manifest) -> None:
    """Raise `ValueError` for what no manifest of ours says."""
    if manifest.schema not in {MANIFEST_SCHEMA, FIRST_SCHEMA}:
        raise ValueError(f"of another schema: {manifest.schema!r}")
    keys = [*manifest.crawls, *(key for o in manifest.outcomes for key in (o.capture_key, o.record_key))]
    if not all(isinstance(text, str) for text in (*keys, *(part for pair in manifest.digests for part in pair))):
        raise ValueError("a key or a digest is no text")
    anchor = manifest.anchor
    if anchor and not (type(anchor.manifests) is int and 0 < anchor.manifests < seq and isinstance(anchor.sha256, str)):
        raise ValueError("an anchor for manifests that are not before it")


def _manifest(body: bytes) -> Manifest:
    data: dict[str, Any] = json.loads(body)
    closing, anchor, signature = data["closing"], data.get("anchor"), data.get("signature")
    return Manifest(
        run=data["run"],
        part=data["part"],
        day=data["day"],
        logged_at=data["logged_at"],
        crawls=tuple(data["crawls"]),
        outcomes=tuple(_outcome(item) for item in data["outcomes"]),
        closing=_closing(closing) if closing else None,
        digests=tuple(sorted(data.get("digests", {}).items())),
        previous=data.get("previous", ""),
        anchor=Anchor(**anchor) if anchor else None,
        files=tuple(SourceFile(**{**one, "captures": tuple(one["captures"])}) for one in data.get("files", ())),
        signature=Signature(**signature) if signature else None,
        period=data.get("period", ""),
        sha256=sha256(body).hexdigest(),
        schema=data["schema"],
    )


def _outcome(data: dict[str, Any]) -> Outcome:
    matches = tuple(Match(m["article_id"], m["content16"], Overlap(**m["figures"])) for m in data.get("matches", ()))
    lists: dict[str, Any] = {name: tuple(data[name]) for name in ("reasons", "routes", "aliases") if name in data}
    return Outcome(**{**data, **lists, "verdict": Verdict(data["verdict"]), "matches": matches})


def _closing(data: dict[str, Any]) -> Closing:
    return Closing(
        sources=tuple(data["sources"]),
        complete=data["complete"],
        missing=tuple(data["missing"]),
        warnings=tuple(data["warnings"]),
        routes=tuple(RouteReport(**report) for report in data["routes"]),
        counts=tuple((name, count) for name, count in data["counts"]),
        whole=tuple(data.get("whole", data["sources"] if data["complete"] else ())),
        quiet=tuple(Quiet(**quiet) for quiet in data.get("quiet", ())),
        unproved=tuple(Unproved(**each) for each in data.get("unproved", ())),
        lacking=tuple(data.get("lacking", ())),
    )
