"""Months, and which parts of a public archive's index tell of one."""

from __future__ import annotations

import calendar
import hashlib
import re
from dataclasses import dataclass
from datetime import date

from pipelines.errors import WrongUsage
from pipelines.sources import Source
from pipelines.sources.public import PublicArchive

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class IndexSpan:
    """A part of the index: all rows whose address begins with `prefix`; where this names no month of publication, those
    captured from the month `since` to the month `until`. `name` stands for its prefix in keys.
    """

    prefix: str
    name: str
    since: str
    until: str
    is_dated: bool

    def holds(self, stamp: str, month: str) -> bool:
        """Whether a row captured at that moment (14 digits) is one of the month's."""
        return self.is_dated or self.since == self.until or stamp[:6] == month.replace("-", "")


def months_between(since: str, until: str) -> list[str]:
    """Return the months from one to the other, both included.

    >>> months_between("2004-11", "2005-01")
    ['2004-11', '2004-12', '2005-01']
    """
    first, last = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (since, until))
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(first, last + 1)]


def checked_months(since: str, until: str, this_month: str, first_day: date) -> list[str]:
    """Return the months to go through; raise `WrongUsage` for what is no month, and for months without op-eds."""
    for text in (since, until):
        if not MONTH.fullmatch(text):
            raise WrongUsage(f"{text!r} is no month; write it as 2004-12")
    if until < since:
        raise WrongUsage(f"until {until} lies before since {since}")
    if until > this_month:
        raise WrongUsage(f"{until} has not come yet; this month is {this_month}")
    first = max(since, f"{first_day.year:04d}-{first_day.month:02d}") if first_day > date.min else since
    if until < first:
        raise WrongUsage(f"there is nothing before {first_day}")
    return months_between(first, until)


def first_and_last_day(month: str) -> tuple[date, date]:
    """Return a month's first and last day."""
    year, number = int(month[:4]), int(month[5:])
    return date(year, number, 1), date(year, number, calendar.monthrange(year, number)[1])


def spans_of(source: Source, archive: PublicArchive, month: str) -> list[IndexSpan]:
    """Return the parts of the index that tell of a month.

    Addresses that name their month are asked for by it, whenever they were captured; others by the year of capture.
    Common Crawl has an index for each of its crawls instead, so all are asked for by the month of capture.
    """
    found = []
    for one in source.archived:
        whole_year = not one.is_dated and archive.kind == "cdx"
        since, until = (f"{month[:4]}-01", f"{month[:4]}-12") if whole_year else (month, month)
        first, last = first_and_last_day(since)[0], first_and_last_day(until)[1]
        is_by_day = (
            archive.kind == "cdx" or not one.is_dated
        )  # or its days would be of publication, the month of capture
        if is_by_day and not (one.valid_from <= last and first < one.valid_until):
            continue
        if archive.kind == "cdx":
            prefix = one.prefix.format(y=month[:4], m=month[5:])
            found.append(IndexSpan(prefix, _named(one.prefix), since, until, one.is_dated))
        else:
            prefix = one.prefix.partition("{")[0]
            found.append(IndexSpan(prefix, _named(prefix), since, until, is_dated=False))
    whole = [span for span in found if not any(_covers(other, span) for other in found)]
    return list(dict.fromkeys(whole))


def _covers(other: IndexSpan, span: IndexSpan) -> bool:
    return (
        other.prefix != span.prefix and span.prefix.startswith(other.prefix) and not (other.is_dated or span.is_dated)
    )


def _named(prefix: str) -> str:
    return hashlib.sha256(prefix.encode()).hexdigest()[:8]
