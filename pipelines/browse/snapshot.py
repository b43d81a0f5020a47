"""What all pages share, as one state of an archive has it: the calendar, columnists, drift, runs. Made once a state."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from pipelines.archive.identity import read_identity
from pipelines.archive.store import open_store
from pipelines.audit.reports import AuditReport, last_reports
from pipelines.catalogue.calendar import CalendarDay, calendar, since_last_look, years_of
from pipelines.catalogue.delta import until_done
from pipelines.catalogue.drift import Drift, Presence, PresenceWatch, drift
from pipelines.catalogue.queries import (
    asked_months,
    days_in,
    observations,
    open_days,
    periods,
    published_by_day,
    query_table,
    run_rows,
)
from pipelines.catalogue.rows import Row
from pipelines.client import ArchiveReader
from pipelines.clock import SEOUL
from pipelines.exports.authors import Columnist, name_key
from pipelines.exports.sqlite_file import WAS_CHANGED, About
from pipelines.jobs.revisit import WINDOW, Seen, due
from pipelines.settings import Settings
from pipelines.sources import load_sources

RUNS_SHOWN = 30
ONE_DAY = timedelta(days=1)
LONGEST_SLUG = 120  # bytes of the name of a file
OPEN_WITHIN = 60  # days back in which open days are named


@dataclass(frozen=True)
class RunShown:
    """A run: the days it is about, what came of it, when it was logged last."""

    run: str
    days: tuple[str, ...]
    outcomes: tuple[tuple[str, int], ...]
    logged_at: datetime


@dataclass(frozen=True)
class SetAside:
    """A page that could not be trusted: which, when it was fetched, and why."""

    article_id: str
    url: str
    fetched_at: datetime
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Waiting:
    """A page of a portal that waits for evidence that it is opinion."""

    article_id: str
    headline: str
    day: date | None
    source: str


class Snapshot:
    """One state of an archive. What takes long is computed when it is first asked for, and kept."""

    def __init__(self, archive: ArchiveReader, at: datetime) -> None:
        self.settings: Settings = archive.settings
        self.about: About = archive.about
        self.at = at
        self.path, self.inode = archive.path, archive.path.stat().st_ino
        with ThreadPoolExecutor(4) as pool:  # each waits for the bucket
            runs = pool.submit(run_rows, self.settings)
            last = pool.submit(last_run, self.settings)
            published = pool.submit(published_by_day, self.settings)
            drifted = pool.submit(_drifted, self.settings)
            self.invented = read_identity(open_store(self.settings)).invented
            self.runs_table, self.last_run = runs.result(), last.result()
            self.drift, self.presence = drifted.result()
        self.days = days_in(self.settings, self.runs_table)
        every = calendar(self.days, published.result(), asked_months(self.runs_table))
        self.years = years_of(every)
        self.calendar: Mapping[date, CalendarDay] = {d: one for d, one in every.items() if d.year in self.years}

    @cached_property
    def _months(self) -> Mapping[int, dict[date, list[CalendarDay]]]:
        found: dict[int, dict[date, list[CalendarDay]]] = {year: {} for year in self.years}
        for day, one in self.calendar.items():
            found[day.year].setdefault(day.replace(day=1), []).append(one)
        return found

    def months_of(self, year: int) -> Mapping[date, Sequence[CalendarDay]]:
        """Return the days of a year by the first day of their month, in order."""
        return self._months[year]

    def _open(self) -> ArchiveReader:
        return ArchiveReader(self.settings, self.path)

    def warm(self) -> None:
        """Compute what the front page and a search need, before anybody waits for it."""
        _ = self.facts, self.columnist_by_slug

    @cached_property
    def columnists(self) -> list[Columnist]:
        """Who signs op-eds, those with most first."""
        with self._open() as archive:
            return archive.columnists()

    @cached_property
    def columnist_by_slug(self) -> Mapping[str, Columnist]:
        """A columnist by the path of each of their spellings."""
        return {slug_of(name): person for person in reversed(self.columnists) for name in person.spellings}

    @property
    def audits(self) -> list[AuditReport]:
        """What the last audits came to."""
        return list(last_reports(open_store(self.settings)))

    @cached_property
    def past(self) -> list[Row]:
        """What is known from public archives, by year."""
        return periods(self.settings, self.runs_table)

    @cached_property
    def facts(self) -> Facts:
        """What searches count by."""
        with self._open() as archive:
            return facts_of(archive)

    @cached_property
    def runs(self) -> list[RunShown]:
        """The last runs, newest first."""
        found: dict[str, list[Row]] = {}
        for row in self.runs_table:
            found.setdefault(row["run"], []).append(row)
        last = sorted(found.items(), key=lambda pair: pair[1][-1]["seq"], reverse=True)[:RUNS_SHOWN]
        return [_run(name, rows) for name, rows in last]

    @cached_property
    def set_aside(self) -> list[SetAside]:
        """Pages set aside, the last fetched first, each article once."""
        found: dict[str, SetAside] = {}
        for row in self.runs_table:
            for one in row["set_aside"] or ():
                found[one["article_id"]] = SetAside(
                    one["article_id"], one["url"], one["fetched_at"], tuple(one["reasons"])
                )
        return sorted(found.values(), key=lambda one: (one.fetched_at, one.article_id), reverse=True)

    def open_days(self) -> list[str]:
        """Return the days of the last weeks that are not whole, and why; days of one reason that follow each other are
        told together."""
        first = self.today - timedelta(days=OPEN_WITHIN)
        closed = [date.fromisoformat(row["day"]) for row in self.days if row["complete"] is not None]
        return stretches(open_days(self.days, min([first, *closed[-1:]]), self.yesterday))

    @property
    def since_last_look(self) -> str:
        """How long no run looked at a day, as a sentence."""
        return since_last_look(self.calendar, self.yesterday)

    @cached_property
    def sites(self) -> Mapping[str, str]:
        """What readers call each source: the newspaper by its name, others by their host too."""
        known = load_sources(self.settings.sources).values()
        return {one.name: one.publisher if one.own else f"{one.name.capitalize()} ({one.hosts[0]})" for one in known}

    @cached_property
    def waiting(self) -> list[Waiting]:
        """Pages of portals that are in no list: nothing on them says that they are opinion."""
        with self._open() as archive:
            found = archive.sql(
                "SELECT article_id, headline, published_day, source FROM catalogue WHERE is_latest AND NOT listed "
                "ORDER BY first_seen DESC, article_id"
            )
            return [
                Waiting(
                    row["article_id"],
                    row["headline"],
                    date.fromisoformat(row["published_day"]) if row["published_day"] else None,
                    row["source"],
                )
                for row in found
            ]

    @property
    def today(self) -> date:
        """The day in Seoul when the archive was looked at."""
        return self.at.astimezone(SEOUL).date()

    @property
    def yesterday(self) -> date:
        """The day that a scheduled run would be about."""
        return self.today - timedelta(days=1)

    def revisits(self) -> list[Seen]:
        """Return the articles whose page is due to be fetched again, as far as the catalogue knows."""
        begin = (self.at - WINDOW).isoformat()
        sql = f"SELECT article_id, max(fetched_at) AS last FROM t WHERE fetched_at >= '{begin}' GROUP BY 1"  # noqa: S608
        last = {row["article_id"]: row["last"] for row in query_table(self.settings, "sightings", sql)}
        sql = "SELECT article_id, coalesce(published_at, first_seen) AS born FROM t WHERE is_latest AND gone_at IS NULL"
        recent = query_table(self.settings, "articles", f"{sql} AND coalesce(published_at, first_seen) >= '{begin}'")
        seen = [Seen(one["article_id"], one["born"], last.get(one["article_id"]) or one["born"]) for one in recent]
        return due(seen, self.at)


def _drifted(settings: Settings) -> tuple[list[Drift], list[Presence]]:
    """Return what the last pages lack, and how often each field was found week by week; of one look at all pages."""

    def looked() -> tuple[list[Drift], list[Presence]]:
        watching = PresenceWatch()
        return drift(watching.watched(observations(settings))), watching.told()

    return until_done(looked)


def stretches(sentences: Sequence[str]) -> list[str]:
    """Join sentences about days in a row that give the same reason; each sentence begins with its day.

    >>> stretches(["2026-06-01: never run", "2026-06-02: never run", "2026-06-04: never run"])
    ['2026-06-01 to 2026-06-02: never run', '2026-06-04: never run']
    """
    found: list[tuple[str, str, str]] = []
    for sentence in sentences:
        day, _, why = sentence.partition(": ")
        if found and found[-1][2] == why and date.fromisoformat(day) - date.fromisoformat(found[-1][1]) == ONE_DAY:
            found[-1] = found[-1][0], day, why
        else:
            found.append((day, day, why))
    return [f"{first}: {why}" if first == last else f"{first} to {last}: {why}" for first, last, why in found]


def last_run(settings: Settings) -> int:
    """Return the last number of the log that the table of runs has."""
    rows = query_table(settings, "runs", "SELECT max(seq) AS seq FROM t")
    return (rows[0]["seq"] or 0) if rows else 0


def _run(name: str, rows: Sequence[Row]) -> RunShown:
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update({one["verdict"]: one["count"] for one in row["outcomes"] or ()})
    days = sorted({row["day"] or row.get("period") or "" for row in rows} - {""})
    return RunShown(name, tuple(days), tuple(sorted(counts.items())), rows[-1]["logged_at"])


@dataclass(frozen=True)
class Facts:
    """What searches count by: a list for each facet, and where in it an op-ed stands, by its row and by its name."""

    position: Mapping[int, int]
    of_article: Mapping[str, int]
    values: Mapping[str, Sequence[str]]

    def fitting(self, rows: Iterable[int], wanted: Mapping[str, str]) -> list[int]:
        """Return the positions of those rows that are op-eds and have the value wanted of each facet."""
        at = [self.position[row] for row in rows if row in self.position]
        for name, value in wanted.items():
            column = self.values[name]
            at = [n for n in at if column[n] == value or value in column[n].split("; ")] if value else at
        return at

    def counted(self, at: Sequence[int]) -> dict[str, list[tuple[str, int]]]:
        """Return, for each facet, its values at these positions with how many op-eds have them, most first."""
        return {name: _most_first(name, Counter(map(column.__getitem__, at))) for name, column in self.values.items()}


def _most_first(name: str, counts: Mapping[str, int]) -> list[tuple[str, int]]:
    found: Counter[str] = Counter()
    for joined, count in counts.items():
        for value in joined.split("; "):
            if value:
                found[value] += count
    if name == "year":
        return sorted(found.items(), reverse=True)
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


FACETS = ("author", "kind", "year", "source", "corrected", "copied")
FACTS_SQL = "SELECT id, names, kind, year, oped_id, n_places, article_id FROM opeds ORDER BY id"
CARRIED_SQL = "SELECT DISTINCT oped_id, source FROM catalogue WHERE is_latest"
CORRECTED_SQL = f"SELECT DISTINCT article_id FROM catalogue WHERE {WAS_CHANGED}"  # noqa: S608


def facts_of(archive: ArchiveReader) -> Facts:
    """Return what searches count by, of all op-eds."""
    corrected = {row["article_id"] for row in archive.sql(CORRECTED_SQL)}
    carried: dict[str, list[str]] = defaultdict(list)
    for row in archive.sql(CARRIED_SQL):
        carried[row["oped_id"]].append(row["source"])
    position: dict[int, int] = {}
    of_article: dict[str, int] = {}
    values: dict[str, list[str]] = {name: [] for name in FACETS}
    for number, row in enumerate(archive.sql(FACTS_SQL)):
        position[row["id"]] = of_article[row["article_id"]] = number
        values["author"].append(row["names"])
        values["kind"].append(row["kind"])
        values["year"].append(str(row["year"] or ""))
        values["source"].append("; ".join(sorted(carried[row["oped_id"]])))
        values["corrected"].append("yes" if row["article_id"] in corrected else "")
        values["copied"].append("yes" if row["n_places"] > 1 else "")
    return Facts(position, of_article, values)


def slug_of(name: str) -> str:
    """Return the path of a columnist: all spellings that differ in capitals, points and spaces have one.

    >>> slug_of("Kim Hyun-ki"), len(slug_of("../.."))
    ('kimhyunki', 16)
    """
    key = name_key(name)
    is_plain = key.isalnum() and len(key.encode()) <= LONGEST_SLUG
    return key if is_plain else hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
