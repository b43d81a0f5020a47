"""Has a site changed? What the last pages gave, field by field, against the weeks before. A function of values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FIELDS = ("text", "headline", "authors", "published_at", "deck", "captions")
NOW, BEFORE = 30, 200  # pages compared, and pages compared with
ENOUGH_NOW, ENOUGH_BEFORE = 5, 10  # with fewer, nothing is said
DROP = 0.20  # of presence, from which on it is drift
SURE = 3.0  # standard deviations; less is chance
SHIFT = 0.50  # of a field's witnesses, from which on another selector does the work


@dataclass(frozen=True, slots=True)
class Observation:
    """What one page gave: the provenance of each field present. A page that was set aside gave nothing."""

    source: str
    url: str
    seen_at: str
    witnesses: tuple[tuple[str, str], ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """A field of a source that is found less often than before, or by another selector.

    `before` and `now` are shares of pages; `selector` names the witness that is gone; `urls` are pages to look at.
    """

    source: str
    field: str
    before: float
    now: float
    selector: str
    urls: tuple[str, ...]
    serious: bool


def drift(observations: Iterable[Observation]) -> list[Drift]:
    """Return what drifted, source by source, the most serious first.

    >>> good = [Observation("kjd", f"u{n}", f"2026-06-{n:02d}", (("text", "#body"),)) for n in range(1, 16)]
    >>> bad = [Observation("kjd", f"v{n}", f"2026-07-{n:02d}") for n in range(1, 8)]
    >>> [(f.field, f.before, f.now) for f in drift(good + bad)]
    [('text', 1.0, 0.0)]
    """
    by_source: dict[str, list[Observation]] = {}
    for one in sorted(observations, key=lambda o: (o.seen_at, o.url)):
        by_source.setdefault(one.source, []).append(one)
    found: list[Drift] = []
    for source, seen in sorted(by_source.items()):
        now = seen[-min(NOW, max(ENOUGH_NOW, len(seen) // 3)) :]
        before = seen[: -len(now)][-BEFORE:]
        if len(now) >= ENOUGH_NOW and len(before) >= ENOUGH_BEFORE:
            found += [f for name in FIELDS for f in _compared(source, name, before, now)]
    return sorted(found, key=lambda f: (not f.serious, f.now - f.before))


def _compared(source: str, name: str, before: Sequence[Observation], now: Sequence[Observation]) -> list[Drift]:
    had, has = _share(before, name), _share(now, name)
    if had - has > DROP and _deviations(had, len(before), has, len(now)) >= SURE:
        return [Drift(source, name, had, has, _usual(before, name), _lacking(now, name, ""), serious=True)]
    usual = _usual(before, name)
    then, today = _share(before, name, usual), _share(now, name, usual)
    if usual and then - today > SHIFT and _deviations(then, len(before), today, len(now)) >= SURE:
        return [Drift(source, name, then, today, usual, _lacking(now, name, usual), serious=False)]
    return []


def _deviations(one: float, of_one: int, two: float, of_two: int) -> float:
    """Return by how many standard deviations two shares differ: columns come in clusters, and five pages are few."""
    pooled = (one * of_one + two * of_two) / (of_one + of_two)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / of_one + 1 / of_two))
    return abs(one - two) / max(spread, 1e-9)


def _share(seen: Sequence[Observation], name: str, witness: str = "") -> float:
    found = [dict(one.witnesses).get(name, "") for one in seen]
    return round(sum(said == witness if witness else bool(said) for said in found) / len(found), 2)


def _usual(seen: Sequence[Observation], name: str) -> str:
    said = [witness for one in seen if (witness := dict(one.witnesses).get(name, ""))]
    return max(sorted(set(said)), key=said.count, default="")


def _lacking(seen: Sequence[Observation], name: str, witness: str) -> tuple[str, ...]:
    found = ((one.url, dict(one.witnesses).get(name, "")) for one in reversed(seen))
    return tuple(url for url, said in found if (said != witness if witness else not said))[:5]
