"""The clock: how moments are written in keys and records, and the only two places that ask for the time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from secrets import token_hex
from zoneinfo import ZoneInfo

SEOUL = ZoneInfo("Asia/Seoul")  # the newspaper's zone: its days, whatever the source or the machine
OLDEST_PAGE = date(1990, 1, 1)  # no page of the web is older
STAMP = "%Y%m%dT%H%M%SZ"  # times in keys: UTC, whole seconds


def stamp(moment: datetime) -> str:
    """Return an aware moment as it stands in keys.

    >>> stamp(datetime(2026, 6, 1, 3, 4, 5, tzinfo=UTC))
    '20260601T030405Z'
    """
    return moment.astimezone(UTC).strftime(STAMP)


def iso(moment: datetime) -> str:
    """Return an aware moment as ISO 8601 in UTC with whole seconds: `2026-06-01T03:04:05Z`."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def minute_in_seoul(moment: datetime) -> str:
    """Return an aware moment as people in Seoul read it, to the minute: `2026-06-01 12:04`."""
    return moment.astimezone(SEOUL).strftime("%Y-%m-%d %H:%M")


def iso_exact(moment: datetime) -> str:
    """Return an aware moment as `iso` does, with its fraction of a second where it has one."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def published_key(moment: datetime | None, day: date | None) -> datetime | None:
    """Return what orders op-eds: the moment of publication, else the last second of its day in Seoul, else None.

    >>> iso(published_key(None, date(2026, 6, 1)))
    '2026-06-01T14:59:59Z'
    """
    if moment or not day:
        return moment
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=SEOUL)


def day_in_seoul(moment: datetime | None, day: date | None) -> date | None:
    """Return the day of publication in Seoul, from its moment where that is known."""
    return moment.astimezone(SEOUL).date() if moment else day


def now() -> datetime:
    """Return this instant: the outermost steps ask for it, nothing else does."""
    return datetime.now(UTC)


def new_run_id() -> str:
    """Return an id for a run that begins now."""
    return f"{stamp(now())}-{token_hex(2)}"


def today() -> date:
    """Return the newspaper's day."""
    return now().astimezone(SEOUL).date()
