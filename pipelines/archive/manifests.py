"""The ordered log of manifests under runs/: the commit point. What no manifest names is not in the archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from pipelines.archive.keys import manifest_key
from pipelines.archive.record import to_json
from pipelines.archive.store import Store
from pipelines.errors import AlreadyArchived, NotArchived
from pipelines.model import Match, Outcome, Overlap, Verdict

MANIFEST_SCHEMA = "opeds/run/1"
PART_SIZE = 1000  # outcomes in one manifest
CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class RouteReport:
    """What one route showed of the days asked for. `reached` says whether it was read back far enough."""

    source: str
    route: str
    expected: bool
    reached: bool
    entries: int
    error: str = ""
    status: int = 0  # of HTTP, of an answer that was refused; 0 where there was none


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


@dataclass(frozen=True, slots=True)
class Manifest:
    """One part of a run's outcomes, or its closing. (run, part) is logged once."""

    run: str
    part: str
    day: str
    logged_at: str
    crawls: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    closing: Closing | None = None


def append(store: Store, manifest: Manifest, last: int) -> tuple[int, bool]:
    """Log a manifest under the next free number after `last`; return that number, and whether these
    very bytes stand there.

    A number taken by somebody else meanwhile is passed over: the log has no gaps and no overwriting. Where somebody
    logged this very part meanwhile, that number is returned.
    """
    body = to_json(_plain(manifest))
    seq = last + 1
    while True:
        try:
            store.create(manifest_key(seq), body)
        except AlreadyArchived:
            other = manifest_at(store, seq)
            if (other.run, other.part) == (manifest.run, manifest.part):
                return seq, False
            seq += 1
        else:
            return seq, True


def manifest_at(store: Store, seq: int) -> Manifest:
    """Return the manifest of that number; raise `NotArchived`."""
    return _manifest(json.loads(store.read(manifest_key(seq))))


def read_log(store: Store, after: int = 0) -> Iterator[tuple[int, Manifest]]:
    """Yield the manifests behind a number, in order, until the log ends."""
    seq = after + 1
    while True:
        try:
            body = store.read(manifest_key(seq))
        except NotArchived:
            return
        yield seq, _manifest(json.loads(body))
        seq += 1


def _plain(manifest: Manifest) -> dict[str, Any]:
    data = asdict(manifest)
    data["outcomes"] = [_plain_outcome(outcome) for outcome in data["outcomes"]]
    if data["closing"]:
        data["closing"] = _plain_closing(data["closing"])
    return {"schema": MANIFEST_SCHEMA, **data}


def _plain_closing(closing: dict[str, Any]) -> dict[str, Any]:
    """Leave out what most closings lack: earlier versions of this program know neither field."""
    routes = [{n: v for n, v in route.items() if n != "status" or v} for route in closing["routes"]]
    return {**{n: v for n, v in closing.items() if n != "quiet" or v}, "routes": routes}


def _plain_outcome(outcome: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty; an overlap is called `figures` in the bucket."""
    stored = {name: value for name, value in outcome.items() if name == "url" or value not in ("", ())}
    if "matches" in stored:
        stored["matches"] = [
            {"article_id": m["article_id"], "content16": m["content16"], "figures": m["overlap"]}
            for m in stored["matches"]
        ]
    return stored


def _manifest(data: dict[str, Any]) -> Manifest:
    closing = data["closing"]
    return Manifest(
        run=data["run"],
        part=data["part"],
        day=data["day"],
        logged_at=data["logged_at"],
        crawls=tuple(data["crawls"]),
        outcomes=tuple(_outcome(item) for item in data["outcomes"]),
        closing=_closing(closing) if closing else None,
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
    )
