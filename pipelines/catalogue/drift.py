"""Has a site changed? What the last pages gave, field by field, against the weeks before. A function of values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

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


@dataclass(frozen=True, slots=True)
class Presence:
    """Which part of a source's pages had a field, week by week: the week's Monday, the share, how many pages."""

    source: str
    field: str
    weeks: tuple[tuple[date, float, int], ...]


class PresenceWatch:
    """Counts, of observations that pass by, how often each field was found in the pages of each week."""

    def __init__(self) -> None:
        self.pages: dict[str, Counter[date]] = {}
        self.having: Counter[tuple[str, str, date]] = Counter()

    def watched(self, observations: Iterable[Observation]) -> Iterator[Observation]:
        """Yield observations on, and count them."""
        for one in observations:
            day = date.fromisoformat(one.seen_at[:10])
            week = day - timedelta(days=day.weekday())
            self.pages.setdefault(one.source, Counter())[week] += 1
            self.having.update((one.source, name, week) for name in {field for field, _ in one.witnesses} & {*FIELDS})
            yield one

    def told(self) -> list[Presence]:
        """Return the shares, by source and field; what drifts is seen to fall."""
        return [
            Presence(source, name, tuple((w, self.having[source, name, w] / n, n) for w, n in sorted(weeks.items())))
            for source, weeks in sorted(self.pages.items())
            for name in FIELDS
        ]


def drift(observations: Iterable[Observation]) -> list[Drift]:
    """Return what drifted, source by source, the most serious first.

    >>> good = [Observation("kjd", f"u{n}", f"2026-06-{n:02d}", (("text", "#body"),)) for n in range(1, 16)]
    >>> bad = [Observation("kjd", f"v{n}", f"2026-07-{n:02d}") for n in range(1, 8)]
    >>> [(f.field, f.before, f.now) for f in drift(good + bad)]
    [('text', 1.0, 0.0)]
    """
    by_source: dict[str, list[Observation]] = {}
    counts: dict[str, int] = {}
    for one in observations:
        counts[one.source] = counts.get(one.source, 0) + 1
        kept = by_source.setdefault(one.source, [])
        kept.append(one)
        if len(kept) > 2 * (NOW + BEFORE):
            by_source[one.source] = _last(kept)
    found: list[Drift] = []
    for source, kept in sorted(by_source.items()):
        seen = _last(kept)
        now = seen[-min(NOW, max(ENOUGH_NOW, counts[source] // 3)) :]
        before = seen[: -len(now)][-BEFORE:]
        if len(now) >= ENOUGH_NOW and len(before) >= ENOUGH_BEFORE:
            found += [f for name in FIELDS for f in _compared(source, name, before, now)]
    return sorted(found, key=lambda f: (not f.serious, f.now - f.before))


def _last(seen: Sequence[Observation]) -> list[Observation]:
    """Return the last observations in order, as many as are compared."""
    return sorted(seen, key=lambda one: (one.seen_at, one.url))[-(NOW + BEFORE) :]


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
