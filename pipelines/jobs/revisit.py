"""Which pages to revisit: corrections come soon after publication, and seldom late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

LOOK_AGAIN = timedelta(hours=20)  # after nothing was found at an address; it is gone if nothing is found then either
AGES = (timedelta(days=1), timedelta(days=3), timedelta(days=7), timedelta(days=30))
WINDOW = AGES[-1] + timedelta(days=7)  # after publication; a last check that was missed by a week is not made up for


@dataclass(frozen=True, slots=True)
class Seen:
    """An article: when it was published (else first seen), and when it was last looked for."""

    article_id: str
    published_at: datetime
    last_look: datetime


def is_due(published_at: datetime, last_look: datetime, now: datetime) -> bool:
    """Whether the page is due: once at each age of 1, 3, 7 and 30 days.

    A check that was missed is done at the next run; running twice sends no second request.

    >>> from datetime import UTC
    >>> monday = datetime(2026, 6, 1, tzinfo=UTC)
    >>> [is_due(monday, monday, monday + timedelta(days=n)) for n in (0, 1, 2)]
    [False, True, True]
    >>> is_due(monday, monday + timedelta(days=1), monday + timedelta(days=2))
    False
    """
    return now - published_at <= WINDOW and any(last_look < published_at + age <= now for age in AGES)


def due(seen: Iterable[Seen], now: datetime) -> list[Seen]:
    """Return the articles to revisit; those seen longest ago come first."""
    pages = [one for one in seen if is_due(one.published_at, one.last_look, now)]
    return sorted(pages, key=lambda one: (one.last_look, one.article_id))
