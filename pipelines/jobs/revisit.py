"""Which pages to look at again: corrections come soon after publication, and seldom late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

AGES = (timedelta(days=1), timedelta(days=3), timedelta(days=7), timedelta(days=30))
WINDOW = AGES[-1] + timedelta(days=7)  # of publication: what missed its last look by a week is let go


@dataclass(frozen=True, slots=True)
class Seen:
    """An article with the moments that decide: published (else first seen), and last looked at; its best address."""

    article_id: str
    url: str
    published_at: datetime
    last_seen: datetime


def is_due(published_at: datetime, last_seen: datetime, now: datetime) -> bool:
    """Whether a look at one of the ages is owed: a run that was missed is made up for, a second one asks nothing.

    >>> from datetime import UTC
    >>> monday = datetime(2026, 6, 1, tzinfo=UTC)
    >>> [is_due(monday, monday, monday + timedelta(days=n)) for n in (0, 1, 2)]
    [False, True, True]
    >>> is_due(monday, monday + timedelta(days=1), monday + timedelta(days=2))
    False
    """
    return now - published_at <= WINDOW and any(last_seen < published_at + age <= now for age in AGES)


def due(seen: Iterable[Seen], now: datetime) -> list[Seen]:
    """Return the articles to look at again, the oldest look first."""
    owed = [one for one in seen if is_due(one.published_at, one.last_seen, now)]
    return sorted(owed, key=lambda one: (one.last_seen, one.article_id))
