"""Moments as pages write them. A stamp without a zone is the source's own time, never the machine's."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

MONTHS = {
    name: n
    for n, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
LONGEST = 200  # characters of a date that are looked at: its patterns take time by the square of the length
_CLOCK = (
    r"(?:[,\s]+(?P<half>오전|오후)?\s*(?P<h>\d{1,2}):(?P<mi>\d\d)(?::(?P<s>\d\d))?"
    r"(?:\s*(?P<noon>[ap])\.?m\b\.?)?)?"
)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<y>\d{4})(?P<mo>\d\d)(?P<d>\d\d)(?:(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)?)?(?!\d)",  # 20240626200145
        r"(?P<y>\d{4})\s*[.년/-]\s*(?P<mo>\d{1,2})\s*[.월/-]\s*(?P<d>\d{1,2})(?:\s*[.일])?"
        + _CLOCK,  # 2024. 6. 26. 20:01
        r"(?P<d>\d{1,2})\s+(?P<month>[a-z]{3})[a-z]*\.?,?\s+(?P<y>\d{4})" + _CLOCK,  # 13 Jun. 2024, 20:09
        r"(?P<h>\d{1,2}):(?P<mi>\d\d)(?::(?P<s>\d\d))?,?\s+(?P<month>[a-z]{3})[a-z]*\.?\s+(?P<d>\d{1,2}),"
        r"\s*(?P<y>\d{4})",  # 07:00 September 15, 2023
        r"(?P<month>[a-z]{3})[a-z]*\.?\s+(?P<d>\d{1,2}),\s*(?P<y>\d{4})" + _CLOCK,  # Dec 20,2017
    )
)
_SEOUL_RSS = re.compile(r"(\d{1,2} [A-Za-z]{3} \d{4} \d{1,2}:\d{1,2}:\d{1,2}) (?:GMT|UTC)?\+0?9(?::?00)?$")


def moment(raw: str, zone: ZoneInfo) -> datetime | None:
    """Return the aware moment a page states, or None when it states no time of day that can be read.

    >>> moment("Published: 13 Jun. 2024, 20:09", ZoneInfo("Asia/Seoul")).isoformat()
    '2024-06-13T20:09:00+09:00'
    >>> moment("Thu,28 Jul 2022 4:35:5 GMT+9", ZoneInfo("Asia/Seoul")).isoformat()
    '2022-07-28T04:35:05+09:00'
    """
    raw = raw[:LONGEST].strip()
    found = _iso(raw, zone) or _rfc822(raw, zone) or _visible(raw, zone)
    return found if found and 1900 < found.year < 9999 else None  # 0001 and 9999 are "empty" to some programs


def day(raw: str, zone: ZoneInfo) -> date | None:
    """Return the day in `zone` that a text states, with or without a time of day.

    >>> day("Dec 20,2017", ZoneInfo("Asia/Seoul"))
    datetime.date(2017, 12, 20)
    """
    raw = raw[:LONGEST]
    known = moment(raw, zone)
    if known:
        return known.astimezone(zone).date()
    found = next((m for m in (form.search(raw) for form in _FORMS) if m), None)
    return _day_of(found) if found else None


def from_epoch(milliseconds: float) -> datetime:
    """Return the moment of a count of milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _iso(raw: str, zone: ZoneInfo) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", raw):
        return None
    try:
        found = datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", raw.replace(" ", "T", 1)))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _rfc822(raw: str, zone: ZoneInfo) -> datetime | None:
    odd = _SEOUL_RSS.search(raw)
    try:
        if odd:  # the library reads this form too, but silently loses its zone
            return datetime.strptime(odd[1], "%d %b %Y %H:%M:%S").replace(tzinfo=zone)
        if re.match(r"[A-Za-z]{3},", raw):
            found = parsedate_to_datetime(raw)
            return found if found.tzinfo else found.replace(tzinfo=zone)
    except (ValueError, TypeError):
        pass
    return None


def _visible(raw: str, zone: ZoneInfo) -> datetime | None:
    for form in _FORMS:
        found = form.search(raw)
        if found and found["h"]:
            that_day = _day_of(found)
            hour, minute, second = _hour(found), int(found["mi"]), int(found["s"] or 0)
            if that_day and hour < 24 and minute < 60 and second < 60:
                return datetime(that_day.year, that_day.month, that_day.day, hour, minute, second, tzinfo=zone)
    return None


def _hour(found: re.Match[str]) -> int:
    """Return the hour of 24 of a clock that may count to twelve."""
    parts, hour = found.groupdict(), int(found["h"])
    half = {"오전": "a", "오후": "p"}.get(parts.get("half") or "", (parts.get("noon") or "").lower())
    return hour % 12 + (12 if half == "p" else 0) if half and hour <= 12 else hour


def _day_of(found: re.Match[str]) -> date | None:
    parts = found.groupdict()
    month = MONTHS.get(parts.get("month", "").lower()[:3]) if parts.get("month") else int(parts["mo"])
    try:
        return date(int(parts["y"]), month or 0, int(parts["d"]))
    except ValueError:
        return None
