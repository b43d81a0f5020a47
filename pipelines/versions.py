"""Is what we saw new to us? Versions are contents in the order of capture, whatever the order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipelines.model import Verdict


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One sighting of an article: this content at that instant. `rules8` says how it was read."""

    fetched_at: datetime
    content16: str
    rules8: str = ""
    capture_key: str = ""


def neighbours(fetched_at: datetime, history: Iterable[Step]) -> tuple[Step | None, Step | None]:
    """Return the sightings just before (or at) and just after an instant."""
    ordered = sorted(history)
    before = [step for step in ordered if step.fetched_at <= fetched_at]
    after = [step for step in ordered if step.fetched_at > fetched_at]
    return (before[-1] if before else None), (after[0] if after else None)


def verdict(content16: str, fetched_at: datetime, history: Iterable[Step]) -> Verdict:
    """Return NEW, UNCHANGED or REVISED; equal to either neighbour in time is UNCHANGED.

    >>> from datetime import datetime, UTC
    >>> monday, friday = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 5, tzinfo=UTC)
    >>> verdict("b", friday, [Step(monday, "a")]).value
    'REVISED'
    """
    near = [step for step in neighbours(fetched_at, history) if step]
    if not near:
        return Verdict.NEW
    return Verdict.UNCHANGED if any(step.content16 == content16 for step in near) else Verdict.REVISED


def steps(history: Iterable[Step]) -> list[tuple[datetime, datetime, str]]:
    """Return the runs of equal content: first seen, last seen, content16. A, B, A gives three.

    >>> from datetime import datetime, UTC
    >>> day = [datetime(2026, 6, d, tzinfo=UTC) for d in range(1, 5)]
    >>> [c for _, _, c in steps([Step(day[0], "a"), Step(day[1], "a"), Step(day[2], "b"), Step(day[3], "a")])]
    ['a', 'b', 'a']
    """
    found: list[tuple[datetime, datetime, str]] = []
    for step in sorted(history):
        if found and found[-1][2] == step.content16:
            found[-1] = (found[-1][0], step.fetched_at, step.content16)
        else:
            found.append((step.fetched_at, step.fetched_at, step.content16))
    return found
