"""How each day stands, as a calendar draws it: what runs said of days, public archives of months, op-eds of both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from pipelines.catalogue.rows import Row
from pipelines.clock import OLDEST_PAGE, today


class Standing(StrEnum):
    """What is known of a day."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    BY_HAND = "by hand"  # pages were archived, and nobody looked whether they are all
    PAST = "public archive"  # its month was asked of a public archive, which proves nothing of what it does not have
    NEVER = "never run"  # between days that were
    UNKNOWN = "not looked at"


DAY_MARKS = {
    Standing.COMPLETE: "■",
    Standing.INCOMPLETE: "▲",
    Standing.BY_HAND: "+",
    Standing.PAST: "○",
    Standing.NEVER: "×",
    Standing.UNKNOWN: "·",
}


@dataclass(frozen=True)
class DayOpeds:
    """What was published on a day, as far as is known: op-eds, and places of op-eds by source."""

    opeds: int = 0
    sources: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class CalendarDay:
    """A day in Seoul: how it stands, what was published, and what keeps it from being complete."""

    day: date
    standing: Standing
    published: DayOpeds = DayOpeds()
    missing: tuple[str, ...] = ()
    set_aside: int = 0  # pages of that day that could not be trusted

    @property
    def mark(self) -> str:
        """The sign that says how it stands."""
        return DAY_MARKS[self.standing]


def calendar(
    rows: Sequence[Row], published: Mapping[date, DayOpeds], months: Collection[str]
) -> dict[date, CalendarDay]:
    """Return every day from the first that is known of to the last, which is not after tomorrow.

    A page may claim any date; a table made by earlier rules may hold such days. `rows` are those of `queries.days`;
    `months` those asked of public archives, as 2011-03.

    >>> rows = [{"day": f"2026-06-0{n}", "complete": n != 3, "missing": []} for n in (1, 3, 5)]
    >>> "".join(one.mark for one in calendar(rows, {}, ()).values())
    '■×▲×■'
    """
    looked_at = {date.fromisoformat(row["day"]): row for row in rows if row["day"]}
    closed = [day for day, row in looked_at.items() if row["complete"] is not None]
    tomorrow = today() + timedelta(days=1)
    ends = [day for day in (*looked_at, *published) if OLDEST_PAGE <= day <= tomorrow]
    for month in months:
        first = date.fromisoformat(f"{month}-01")
        ends += [first, month_after(first) - timedelta(days=1)]
    if not ends:
        return {}
    first, last = min(ends), max(ends)
    found = {}
    for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
        row = looked_at.get(day)
        between = bool(closed) and min(closed) < day < max(closed)
        standing = _standing(row, f"{day:%Y-%m}" in months, between, day in published)
        missing = tuple(row["missing"]) if row else ()
        aside = len(row.get("set_aside", ())) if row else 0
        found[day] = CalendarDay(day, standing, published.get(day, DayOpeds()), missing, aside)
    return found


def _standing(row: Row | None, in_past: bool, between: bool, has_opeds: bool) -> Standing:
    if row and row["complete"] is not None:
        return Standing.COMPLETE if row["complete"] else Standing.INCOMPLETE
    if in_past:
        return Standing.PAST
    if between and not row:
        return Standing.NEVER
    return Standing.BY_HAND if row or has_opeds else Standing.UNKNOWN


def since_last_look(days: Mapping[date, CalendarDay], yesterday: date) -> str:
    """Return how long no run looked at a day, as a sentence; nothing where one looked at yesterday, or none ever did.

    >>> last = CalendarDay(date(2026, 6, 7), Standing.COMPLETE)
    >>> since_last_look({last.day: last}, date(2026, 6, 9))
    'no day after 2026-06-07 was crawled yet: 2 days until yesterday'
    """
    looked_at = [day for day, one in days.items() if one.standing in {Standing.COMPLETE, Standing.INCOMPLETE}]
    if not looked_at or max(looked_at) >= yesterday:
        return ""
    count = (yesterday - max(looked_at)).days
    return f"no day after {max(looked_at)} was crawled yet: {count:,} day{'' if count == 1 else 's'} until yesterday"


def month_after(month: date) -> date:
    """Return the first day of the next month."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def years_of(days: Mapping[date, CalendarDay]) -> list[int]:
    """Return the years of a calendar of which something is known, newest first."""
    return sorted({day.year for day, one in days.items() if one.standing is not Standing.UNKNOWN}, reverse=True)
