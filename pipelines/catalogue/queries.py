"""Looking into an archive: what the command line shows comes from the catalogue that every consumer reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from pipelines.archive import manifests
from pipelines.archive.store import open_store
from pipelines.catalogue import delta
from pipelines.catalogue.calendar import DayOpeds
from pipelines.catalogue.delta import location
from pipelines.catalogue.drift import Drift, Observation, drift
from pipelines.catalogue.rows import Row, run_row
from pipelines.clock import SEOUL
from pipelines.model import Verdict
from pipelines.settings import Settings
from pipelines.sources import load_sources
from pipelines.sources.addresses import split_id

NO_DATE = datetime.min.replace(tzinfo=UTC)
NO_CATALOGUE = "nothing is published yet: `opeds run --day 2026-06-01` or `opeds ingest FILE.warc.gz` comes first"


def query_table(settings: Settings, table: str, sql: str) -> list[Row]:
    """Run SQL over one of the archive's tables, which it calls `t`; an empty archive gives no rows."""
    return delta.query(location(settings, table), sql)


def drifted(settings: Settings) -> list[Drift]:
    """Return what the last pages of each source lack that earlier ones had: a layout may have changed."""
    return delta.until_done(lambda: drift(observations(settings)))


def observations(settings: Settings) -> Iterator[Observation]:
    """Yield what each page gave that was archived or set aside.

    What came from public archives is left out: layouts of other years say nothing about that of today.
    """
    past = query_table(settings, "sightings", "SELECT article_id, fetched_at FROM t WHERE via NOT IN ('crawl', 'file')")
    of_past = {(row["article_id"], row["fetched_at"]) for row in past}
    known: set[str] = set()
    sql = "SELECT article_id, source, canonical_url, first_seen, witnesses, captions FROM t"
    for row in delta.query_rows(location(settings, "articles"), sql):
        if (row["article_id"], row["first_seen"]) not in of_past:
            known.add(row["canonical_url"])
            yield Observation(row["source"], row["canonical_url"], row["first_seen"].isoformat(), _witnessed(row))
    for row in query_table(settings, "runs", "SELECT * FROM t"):
        for one in (row["set_aside"] or ()) if not row.get("period") else ():
            if one["url"] not in known:  # once set aside, however often it was looked at
                known.add(one["url"])
                when, reasons = one["fetched_at"].isoformat(), tuple(one["reasons"])
                yield Observation(split_id(one["article_id"])[0], one["url"], when, (), reasons)


def _witnessed(row: Row) -> tuple[tuple[str, str], ...]:
    said = [(one["field"], one["witness"]) for one in row["witnesses"] or ()]
    return (*said, *([("captions", "body")] if row["captions"] else []))


def run_rows(settings: Settings) -> list[Row]:
    """Return a row for each manifest: those that the catalogue has, and behind them those not published yet."""
    rows = query_table(settings, "runs", "SELECT * FROM t ORDER BY seq")
    published = rows[-1]["seq"] if rows else 0
    return rows + [run_row(seq, manifest) for seq, manifest in manifests.read_log(open_store(settings), published)]


def published_by_day(settings: Settings) -> dict[date, DayOpeds]:
    """Return what was published on each day in Seoul, as far as the catalogue knows."""
    sql = (
        "SELECT published_day AS day, {} AS moment, source, count(*) AS places, "
        "sum(CASE WHEN role = 'primary' THEN 1 ELSE 0 END) AS opeds FROM t "
        "WHERE is_latest AND listed AND {} GROUP BY 1, 2, 3"
    )
    found: dict[date, dict[str, int]] = {}
    opeds: Counter[date] = Counter()
    dated = query_table(settings, "articles", sql.format("NULL", "published_day IS NOT NULL"))
    without = "published_day IS NULL AND published_at IS NOT NULL"  # rows of the first schema
    for row in dated + query_table(settings, "articles", sql.format("published_at", without)):
        day = row["day"] or row["moment"].astimezone(SEOUL).date()
        sources = found.setdefault(day, {})
        sources[row["source"]] = sources.get(row["source"], 0) + row["places"]
        opeds[day] += row["opeds"]
    return {day: DayOpeds(opeds[day], tuple(sorted(sources.items()))) for day, sources in found.items()}


def asked_months(rows: Sequence[Row]) -> set[str]:
    """Return the months that public archives were asked about, as 2011-03; of rows of the table of runs."""
    return {row["period"] for row in rows if row.get("period") and row["complete"] is not None}


def is_withdrawal(row: Row) -> bool:
    """Whether a row of the table of runs says only that something was withdrawn: that looks at no day."""
    return bool(row["outcomes"]) and all(one["verdict"] == Verdict.WITHDRAWN for one in row["outcomes"])


def days(settings: Settings) -> list[Row]:
    """Return every day that a run closed, oldest first, and whether its runs together read every source to its end."""
    return days_in(settings, run_rows(settings))


def days_in(settings: Settings, rows: Sequence[Row]) -> list[Row]:
    """Return the same of `run_rows`; `closed_at` numbers the manifest that closed a day last, 0 where none did."""
    crawled = [source for source in load_sources(settings.sources).values() if source.is_crawled]
    found: dict[str, Row] = {}
    read: dict[str, set[str]] = {}
    for row in rows:
        if row.get("period") or is_withdrawal(row):
            continue
        day = found.setdefault(
            row["day"],
            {
                "day": row["day"],
                "complete": None,
                "missing": [],
                "outcomes": {},
                "set_aside": set(),
                "runs": set(),
                "closed_at": 0,
            },
        )
        day["runs"].add(row["run"])
        day["set_aside"] |= {one["article_id"] for one in row["set_aside"] or ()}
        for outcome in row["outcomes"] or ():
            day["outcomes"][outcome["verdict"]] = day["outcomes"].get(outcome["verdict"], 0) + outcome["count"]
        if row["complete"] is not None:
            asked = [source.name for source in crawled if str(source.first_day) <= row["day"]]
            whole = read.setdefault(row["day"], set())
            whole |= set(asked if row["complete"] and row.get("whole") is None else row["whole"] or ())
            day["complete"], day["closed_at"] = whole >= set(asked), row["seq"]
            unread = [f"{name}: not crawled" for name in asked if name not in whole]
            day["missing"] = [] if day["complete"] else row["missing"] or unread
    return [
        {**day, "set_aside": sorted(day["set_aside"]), "runs": len(day["runs"])} for _, day in sorted(found.items())
    ]


def periods(settings: Settings, rows: Sequence[Row]) -> list[Row]:
    """Return what is known from public archives: a row for each source, archive and year, with how many months were
    asked for and what their last looks counted; of `run_rows`. None of them is ever complete."""
    closed = (row["seq"] for row in rows if row.get("period") and row["complete"] is not None)
    last: dict[tuple[str, str, str], dict[str, int]] = {}
    for manifest in manifests.numbered(open_store(settings), closed):
        if manifest.closing:
            key = (manifest.closing.sources[0], manifest.part.split("-")[2], manifest.period)
            last[key] = dict(manifest.closing.counts)
    found: dict[tuple[str, str, str], Row] = {}
    for (source, archive, period), counts in sorted(last.items()):
        row = found.setdefault(
            (source, archive, period[:4]), {"source": source, "archive": archive, "year": period[:4]}
        )
        row["months"] = row.get("months", 0) + 1
        for name, count in counts.items():
            row[name] = row.get(name, 0) + count
    return list(found.values())


def open_days(rows: Sequence[Row], first: date, last: date) -> list[str]:
    """Return which days of `first`…`last` never ran or are not complete, and why, as sentences; none before the first
    day that was ever closed."""
    closed = {row["day"]: row for row in rows if row["complete"] is not None}
    first = max(first, date.fromisoformat(min(closed))) if closed else last + timedelta(days=1)
    span = (str(date.fromordinal(n)) for n in range(first.toordinal(), last.toordinal() + 1))
    return [
        f"{day}: {'; '.join(closed[day]['missing'][:3]) if day in closed else 'never run'}"
        for day in span
        if day not in closed or not closed[day]["complete"]
    ]


def never_run(rows: Sequence[Row]) -> list[tuple[date, date]]:
    """Return the stretches of days between the first and the last of `days` that no run closed, ends included."""
    closed = sorted(date.fromisoformat(row["day"]) for row in rows if row["complete"] is not None)
    one = timedelta(days=1)
    return [(a + one, b - one) for a, b in pairwise(closed) if b - a > one]
