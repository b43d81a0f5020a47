"""Looking into an archive: what the command line shows comes from the catalogue that every consumer reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, pairwise

from pipelines.archive import manifests
from pipelines.archive.store import open_store
from pipelines.catalogue import delta
from pipelines.catalogue.delta import location
from pipelines.catalogue.drift import Drift, Observation, drift
from pipelines.catalogue.rows import Row, run_row
from pipelines.clock import SEOUL, published_key
from pipelines.errors import NotArchived, WrongUsage
from pipelines.settings import Settings
from pipelines.sources import load_sources
from pipelines.sources.addresses import place_of, split_id

NO_DATE = datetime.min.replace(tzinfo=UTC)
NO_CATALOGUE = "nothing is published yet: `opeds run --day 2026-06-01` or `opeds ingest FILE.warc.gz` comes first"


@dataclass(frozen=True)
class Wanted:
    """Which op-eds to list; empty means all."""

    since: date | None = None
    until: date | None = None
    source: str = ""
    kind: str = ""
    author: str = ""


def query_table(settings: Settings, table: str, sql: str) -> list[Row]:
    """Run SQL over one of the archive's tables, which it calls `t`; an empty archive gives no rows."""
    return delta.query(location(settings, table), sql)


def list_opeds(settings: Settings, wanted: Wanted) -> list[Row]:
    """Return the op-eds, newest first: each one's primary place, with `places`, the addresses of all."""
    latest = query_table(
        settings,
        "articles",
        "SELECT oped_id, article_id, content16, headline, kind, authors, published_at, published_day, word_count, "
        "status, role, source, canonical_url, listed, steps FROM t WHERE is_latest ORDER BY article_id",
    )
    latest.sort(key=lambda row: published_key(row["published_at"], row["published_day"]) or NO_DATE, reverse=True)
    versions = query_table(settings, "articles", "SELECT article_id, count(*) AS n FROM t GROUP BY article_id")
    counts = {row["article_id"]: row["n"] for row in versions}
    places: dict[str, list[Row]] = {}
    for row in latest:
        places.setdefault(row["oped_id"], []).append(row)
    found = [
        {
            **row,
            "versions": counts[row["article_id"]],
            "places": [p["canonical_url"] for p in _primary_first(places[row["oped_id"]])],
        }
        for row in latest
        if row["role"] == "primary" and any(place["listed"] for place in places[row["oped_id"]])
    ]
    return [row for row in found if _fits(row, wanted, places[row["oped_id"]])]


def _primary_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["role"] != "primary", row["article_id"]))


def _fits(row: Row, wanted: Wanted, places: Sequence[Row]) -> bool:
    day = row["published_day"] or (row["published_at"].astimezone(SEOUL).date() if row["published_at"] else None)
    names = " ".join(author["name"] for author in row["authors"] or ()).casefold()
    return (
        (wanted.since is None or (day is not None and day >= wanted.since))
        and (wanted.until is None or (day is not None and day <= wanted.until))
        and (not wanted.source or any(place["source"] == wanted.source for place in places))
        and (not wanted.kind or row["kind"] == wanted.kind)
        and wanted.author.casefold() in names
    )


def versions_of(settings: Settings, article_id: str, as_of: date | None = None) -> tuple[list[Row], list[Row]]:
    """Return an article's versions in order, latest last, and the latest of every place of its op-ed.

    `article_id` may be an address of the article, or its number at its source; an id may carry a version,
    `kjd-c2595041@9f3c…`, and a name that it had under older rules resolves too. With `as_of` the last version is what
    stood there at the end of that day in Seoul. Raises `NotArchived`.
    """
    name, _, content = _named(settings, article_id).partition("@")
    if not all(part.replace("-", "").isalnum() for part in (name, content) if part):
        raise WrongUsage(
            f"{article_id!r} is no id; they look like kjd-c2595041 or kjd-c2595041@9f3c51d0a2b4e6f8, or give an address"
        )
    rows = query_table(settings, "articles", f"SELECT * FROM t WHERE article_id = '{name}' ORDER BY first_seen")  # noqa: S608
    if not rows:
        raise NotArchived(f"{name} is not in the archive; `opeds list` shows what is")
    if content:
        rows = [row for row in rows if row["content16"].startswith(content) or content in (row["formerly"] or ())]
        if not rows:
            raise NotArchived(f"{name} has no version {content}; `opeds show {name}` lists its versions")
    if as_of is not None:
        rows = _as_of(rows, as_of)
        if not rows:
            raise NotArchived(f"{name} had not been seen by {as_of}; `opeds show {name}` lists its versions")
    oped = rows[-1]["oped_id"]
    places = query_table(settings, "articles", f"SELECT * FROM t WHERE oped_id = '{oped}' AND is_latest")  # noqa: S608
    ordered = rows if as_of else sorted(rows, key=lambda row: (row["is_latest"], row["first_seen"]))
    return ordered, _primary_first(places)


def _named(settings: Settings, asked: str) -> str:
    """Return the article's id (and version) for what a person calls it: an id, an address, a number."""
    if "://" in asked:
        known = place_of(asked, load_sources(settings.sources).values())
        if known is None:
            raise WrongUsage(f"no source knows the address {asked}")
        rows = query_table(settings, "articles", "SELECT DISTINCT article_id, canonical_url, aliases FROM t")
        found = {r["article_id"] for r in rows if known.canonical_url in (r["canonical_url"], *(r["aliases"] or ()))}
        return known.article_id if known.article_id in found or not found else min(found)
    number, at, content = asked.partition("@")
    if not number.isdecimal():
        return asked
    rows = query_table(settings, "articles", "SELECT DISTINCT article_id FROM t")
    named = sorted(r["article_id"] for r in rows if re.fullmatch(rf"[a-z]+-[a-z]?{number}", r["article_id"]))
    if len(named) > 1:
        raise WrongUsage(f"{number} may be {' or '.join(named)}")
    return f"{named[0]}{at}{content}" if named else asked


def _as_of(rows: list[Row], day: date) -> list[Row]:
    """Return the versions seen by the end of a day in Seoul, the one that stood then last."""
    end = datetime.combine(day + timedelta(days=1), time(), SEOUL)
    begun = [(max(s["from"] for s in row["steps"] if s["from"] < end), row) for row in rows if row["first_seen"] < end]
    return [row for _, row in sorted(begun, key=lambda pair: pair[0])]


def before_and_after(settings: Settings, article_id: str, versions: Sequence[Row]) -> tuple[Row, Row]:
    """Return the version before the last of `versions`, and that one; raise `NotArchived` when it is the first."""
    after = versions[-1]
    if not after["previous"]:
        raise NotArchived(
            f"{after['article_id']}@{after['content16']} is the first version; there is nothing before it"
        )
    (before,), _ = versions_of(settings, f"{after['article_id']}@{after['previous']}")
    return before, after


def drifted(settings: Settings) -> list[Drift]:
    """Return what the last pages of each source lack that earlier ones had: a layout may have changed.

    What came from public archives is left out: layouts of other years say nothing about that of today.
    """
    archived = query_table(
        settings, "articles", "SELECT article_id, source, canonical_url, first_seen, witnesses, captions FROM t"
    )
    past = query_table(settings, "sightings", "SELECT article_id, fetched_at FROM t WHERE via NOT IN ('crawl', 'file')")
    of_past = {(row["article_id"], row["fetched_at"]) for row in past}
    seen = [
        Observation(row["source"], row["canonical_url"], row["first_seen"].isoformat(), _witnessed(row))
        for row in archived
        if (row["article_id"], row["first_seen"]) not in of_past
    ]
    known = {one.url for one in seen}
    for row in query_table(settings, "runs", "SELECT * FROM t"):
        for one in (row["set_aside"] or ()) if not row.get("period") else ():
            if one["url"] not in known:  # once set aside, however often it was looked at
                known.add(one["url"])
                when, reasons = one["fetched_at"].isoformat(), tuple(one["reasons"])
                seen.append(Observation(split_id(one["article_id"])[0], one["url"], when, (), reasons))
    return drift(seen)


def _witnessed(row: Row) -> tuple[tuple[str, str], ...]:
    said = [(one["field"], one["witness"]) for one in row["witnesses"] or ()]
    return (*said, *([("captions", "body")] if row["captions"] else []))


def days(settings: Settings) -> list[Row]:
    """Return every day that a run closed, oldest first, and whether its runs together read every source to its end.

    From the manifests alone: those that the catalogue has, and behind them those that were not published yet.
    """
    rows = query_table(settings, "runs", "SELECT * FROM t ORDER BY seq")
    published = rows[-1]["seq"] if rows else 0
    rows += [run_row(seq, manifest) for seq, manifest in manifests.read_log(open_store(settings), published)]
    crawled = [source for source in load_sources(settings.sources).values() if source.is_crawled]
    found: dict[str, Row] = {}
    read: dict[str, set[str]] = {}
    for row in rows:
        if row.get("period"):
            continue
        day = found.setdefault(
            row["day"],
            {"day": row["day"], "complete": None, "missing": [], "outcomes": {}, "set_aside": set(), "runs": set()},
        )
        day["runs"].add(row["run"])
        day["set_aside"] |= {one["article_id"] for one in row["set_aside"] or ()}
        for outcome in row["outcomes"] or ():
            day["outcomes"][outcome["verdict"]] = day["outcomes"].get(outcome["verdict"], 0) + outcome["count"]
        if row["complete"] is not None:
            asked = [source.name for source in crawled if str(source.first_day) <= row["day"]]
            whole = read.setdefault(row["day"], set())
            whole |= set(asked if row["complete"] and row.get("whole") is None else row["whole"] or ())
            day["complete"] = whole >= set(asked)
            unread = [f"{name}: not crawled" for name in asked if name not in whole]
            day["missing"] = [] if day["complete"] else row["missing"] or unread
    return [
        {**day, "set_aside": sorted(day["set_aside"]), "runs": len(day["runs"])} for _, day in sorted(found.items())
    ]


def periods(settings: Settings) -> list[Row]:
    """Return what is known from public archives: a row for each source, archive and year, with how many months were
    asked for and what their last looks counted. None of them is ever complete."""
    store = open_store(settings)
    rows = query_table(settings, "runs", "SELECT * FROM t ORDER BY seq")
    closed = manifests.numbered(
        store, (row["seq"] for row in rows if row.get("period") and row["complete"] is not None)
    )
    behind = (manifest for _, manifest in manifests.read_log(store, rows[-1]["seq"] if rows else 0))
    last: dict[tuple[str, str, str], dict[str, int]] = {}
    for manifest in chain(closed, behind):
        if manifest.period and manifest.closing:
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
