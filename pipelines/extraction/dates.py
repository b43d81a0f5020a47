"""Moments as pages write them. A stamp without a zone is the source's own time, never the machine's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

MONTHS = {
    name: n
    for n, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
LONGEST = 200  # characters of a date that are looked at: its patterns take time by the square of the length
_CLOCK = (
    r"(?:\s*\([월화수목금토일]\))?(?:(?:[,\s]+|(?<=\d)T)(?:at\s+)?(?P<half>오전|오후)?\s*"
    r"(?P<h>\d{1,2})(?::(?P<mi>\d\d)(?::(?P<s>\d\d))?|\s*시(?:\s*(?P<min>\d{1,2})\s*분)?|(?=\s*[ap]\.?m\b))"
    r"(?:\s*(?P<noon>[ap])\.?m\b\.?|\s*(?P<late>오전|오후))?)?"
)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<y>\d{4})(?P<mo>\d\d)(?P<d>\d\d)(?:(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)?)?(?!\d)",  # 20240626200145
        r"(?P<y>\d{4})\s*[.년/-]\s*(?P<mo>\d{1,2})\s*[.월/-]\s*(?P<d>\d{1,2})(?!\d)(?:\s*[.일])?"
        + _CLOCK,  # 2024. 6. 26. 20:01
        r"(?P<d>\d{1,2})\s+(?P<month>[a-z]{3})[a-z]*\.?,?\s+(?P<y>\d{4})" + _CLOCK,  # 13 Jun. 2024, 20:09
        r"(?P<h>\d{1,2}):(?P<mi>\d\d)(?::(?P<s>\d\d))?(?:\s*(?P<noon>[ap])\.?m\b\.?)?,?\s+(?P<month>[a-z]{3})[a-z]*\.?\s+(?P<d>\d{1,2}),"
        r"\s*(?P<y>\d{4})",  # 07:00 September 15, 2023
        r"(?P<month>[a-z]{3})[a-z]*\.?\s+(?P<d>\d{1,2}),\s*(?P<y>\d{4})" + _CLOCK,  # Dec 20,2017
    )
)
_SEOUL_RSS = re.compile(r"(\d{1,2} [A-Za-z]{3} \d{4} \d{1,2}:\d{1,2}:\d{1,2}) (?:GMT|UTC)?\+0?9(?::?00)?$")
_OFFSET = re.compile(r"\s*\(?(?:(?:GMT|UTC)\s*)?(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d\d)?\b")
_NAMED_ZONE = re.compile(r"\s*\(?(?P<zone>[A-Z]{2,5}|Z|(?:Eastern|Central|Mountain|Pacific)(?= Time))\b")
ZONES: dict[str, int | str] = {
    "KST": 9, "JST": 9, "UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "PST": -8, "PDT": -7, "CET": 1, "CEST": 2,
    "BST": 1, "HKT": 8, "SGT": 8, "AEST": 10, "ET": "America/New_York", "PT": "America/Los_Angeles",
}  # fmt: skip  # hours east of Greenwich; `CST` and other names of several zones are left out
_PUBLISHED = r"published|posted|first published|published on|기사\s*입력|입력|등록|발행"
_MODIFIED = r"updated|last updated|modified|last modified|revised|edited|최종\s*수정|수정|업데이트"
_LABEL = re.compile(rf"(?<!\w)(?:(?P<published>{_PUBLISHED})|(?P<modified>{_MODIFIED}))(?!\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stated:
    """What a text says of a moment: the day, and the moment itself if it says the time of day and we know the zone.

    `precision` is `second`, `minute` or `day`.
    """

    day: date
    moment: datetime | None
    precision: str


def stated(raw: str, zone: ZoneInfo | None) -> Stated | None:
    """Return the day and moment that a text states, None when it states no day.

    A stamp without a zone is read in `zone`. If `zone` is None, only the day of such a stamp is returned.

    >>> stated("2024.06.26(수) 오후 8시 1분", ZoneInfo("Asia/Seoul")).moment.isoformat()
    '2024-06-26T20:01:00+09:00'
    >>> stated("Dec 20,2017", ZoneInfo("Asia/Seoul")).precision
    'day'
    """
    raw = raw[:LONGEST].strip()
    local = zone or UTC
    found = _iso(raw, local) or _rfc822(raw, local) or _visible(raw, local)
    if found is None:
        days = (_day_of(m) for form in _FORMS if (m := form.search(raw)))
        only = next((day for day in days if day), None)
        return Stated(only, None, "day") if only and _is_real(only) else None
    when, says_seconds, says_zone = found
    if not _is_real(when.date()):
        return None
    if says_zone is None or (zone is None and not says_zone):
        return Stated(when.date(), None, "day")
    known = when if says_zone and zone is None else when.astimezone(zone)
    return Stated(known.date(), when, "second" if says_seconds else "minute")


def moment(raw: str, zone: ZoneInfo) -> datetime | None:
    """Return the aware moment a page states, or None when it states no time of day that can be read.

    >>> moment("Published: 13 Jun. 2024, 20:09", ZoneInfo("Asia/Seoul")).isoformat()
    '2024-06-13T20:09:00+09:00'
    >>> moment("Thu,28 Jul 2022 4:35:5 GMT+9", ZoneInfo("Asia/Seoul")).isoformat()
    '2022-07-28T04:35:05+09:00'
    """
    found = stated(raw, zone)
    return found.moment if found else None


def day(raw: str, zone: ZoneInfo) -> date | None:
    """Return the day in `zone` that a text states, with or without a time of day.

    >>> day("Dec 20,2017", ZoneInfo("Asia/Seoul"))
    datetime.date(2017, 12, 20)
    """
    found = stated(raw, zone)
    return found.day if found else None


def by_label(raw: str) -> dict[str, str]:
    """Return which part of a line says when it was published, and which when it was modified.

    A line without labels is about the publication.

    >>> by_label("Updated: 28 Jun. 2024, 09:10 Published: 27 Jun. 2024, 19:58")
    {'modified': '28 Jun. 2024, 09:10', 'published': '27 Jun. 2024, 19:58'}
    """
    raw = raw[:LONGEST]
    labels = list(_LABEL.finditer(raw))
    if not labels:
        return {"published": raw}
    ends = [*(label.start() for label in labels[1:]), len(raw)]
    begins = [0, *(label.end() for label in labels[:-1])]
    follow = not re.search(r"\d", raw[labels[-1].end() :]) and bool(re.search(r"\d", raw[: labels[0].start()]))
    told: dict[str, str] = {}
    for label, begin, end in zip(labels, begins, ends, strict=True):
        said = raw[begin : label.start()] if follow else raw[label.end() : end]  # a label may stand behind its stamp
        text = said.strip(" \t:|·,-–—")
        if text:
            told.setdefault(str(label.lastgroup), text)
    return told


def _is_real(day: date) -> bool:
    """Whether a day may be true. Programs write some days, such as 1970-01-01, where they know none."""
    return 1900 < day.year < 9999 and not date(1969, 12, 31) <= day <= date(1970, 1, 1)


def from_epoch(milliseconds: float) -> datetime:
    """Return the moment of a count of milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


Found = tuple[datetime, bool, bool | None]
"""A moment, whether its text says seconds, and whether a zone: None if it names one that nobody knows."""


def _iso(raw: str, zone: tzinfo) -> Found | None:
    if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", raw):
        return None
    try:
        found = datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", raw.replace(" ", "T", 1)))
    except ValueError:
        return None
    says_seconds = bool(re.match(r".{16}:\d\d", raw))
    return (found, says_seconds, True) if found.tzinfo else (found.replace(tzinfo=zone), says_seconds, False)


def _rfc822(raw: str, zone: tzinfo) -> Found | None:
    odd = _SEOUL_RSS.search(raw)
    try:
        if odd:  # the library reads this form too, but silently loses its zone
            seoul = timezone(timedelta(hours=9))
            return datetime.strptime(odd[1], "%d %b %Y %H:%M:%S").replace(tzinfo=seoul), True, True
        if re.match(r"[A-Za-z]{3},", raw):
            found = parsedate_to_datetime(raw)
            if found.tzinfo:
                return found, True, True
            named = re.search(r"\b([A-Z]{1,5})\)?$", raw)
            if raw.endswith("-0000"):
                return found.replace(tzinfo=UTC), True, True
            return _in_zone(found, True, _zone_named(named[1]) if named else None, zone)
    except (ValueError, TypeError, OverflowError):
        pass
    return None


def _visible(raw: str, zone: tzinfo) -> Found | None:
    for form in _FORMS:
        found = form.search(raw)
        if found and found["h"]:
            parts, that_day, hour = found.groupdict(), _day_of(found), _hour(found)
            minute, second = int(parts["mi"] or parts.get("min") or 0), int(parts["s"] or 0)
            if that_day and hour < 24 and minute < 60 and second < 60:
                when = datetime(that_day.year, that_day.month, that_day.day, hour, minute, second)  # noqa: DTZ001
                return _in_zone(when, bool(parts["s"]), _zone_at(raw, found.end()), zone)
    return None


def _in_zone(when: datetime, says_seconds: bool, said: tzinfo | str | None, zone: tzinfo) -> Found:
    """Return a naive moment in the zone that its text names, else in `zone`; `None` if it names one nobody knows."""
    if isinstance(said, str):
        return when.replace(tzinfo=zone), says_seconds, None
    return when.replace(tzinfo=said or zone), says_seconds, said is not None


def _zone_at(raw: str, at: int) -> tzinfo | str | None:
    """Return the zone that is named behind a time of day; its name if nobody knows it."""
    offset = _OFFSET.match(raw, at)
    if offset and int(offset["hours"]) <= 14:
        minutes = 60 * int(offset["hours"]) + int(offset["minutes"] or 0)
        return timezone(timedelta(minutes=minutes if offset["sign"] == "+" else -minutes))
    named = _NAMED_ZONE.match(raw, at)
    return _zone_named(named["zone"]) if named else None


def _zone_named(name: str) -> tzinfo | str:
    zone = ZONES.get(name)
    if zone is None:
        return name
    return ZoneInfo(zone) if isinstance(zone, str) else timezone(timedelta(hours=zone))


def _hour(found: re.Match[str]) -> int:
    """Return the hour of 24 of a clock that may count to twelve."""
    parts, hour = found.groupdict(), int(found["h"])
    half = {"오전": "a", "오후": "p"}.get(
        parts.get("half") or parts.get("late") or "", (parts.get("noon") or "").lower()
    )
    return hour % 12 + (12 if half == "p" else 0) if half and hour <= 12 else hour


def _day_of(found: re.Match[str]) -> date | None:
    parts = found.groupdict()
    month = MONTHS.get(parts.get("month", "").lower()[:3]) if parts.get("month") else int(parts["mo"])
    try:
        return date(int(parts["y"]), month or 0, int(parts["d"]))
    except ValueError:
        return None
