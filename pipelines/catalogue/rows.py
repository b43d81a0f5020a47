"""From the log and the records to the rows that consumers read. Functions of values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from pipelines.archive import manifests
from pipelines.archive.store import Store, read_many
from pipelines.clock import SEOUL, published_key
from pipelines.copies.compare import Side, relation
from pipelines.errors import NotArchived
from pipelines.model import CONTENT, Match, Outcome, Verdict
from pipelines.sources.addresses import split_id
from pipelines.versions import Change, change, steps

if TYPE_CHECKING:  # who only reads does not wait for SQLAlchemy
    from pipelines.index.index import ArticleState

Row = dict[str, Any]
Item = TypeVar("Item")
NESTED = frozenset({"capture", "rules", "sketch", "witnesses", "removed"})  # in the record; flat, or not, in the table
UNLISTED = "UNLISTED"  # in the counts of a run: NEW, but waiting for review
OLD_SCHEMA = "opeds/article/1"
BY_CRAWL = "crawl"  # how a page came that we fetched ourselves, at the moment that it was served


def in_lists(values: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield values in lists of that size."""
    waiting = iter(values)
    while some := list(islice(waiting, size)):
        yield some


def cite_as(row: Row) -> str:
    """Return the name to cite of a row, also of one that an earlier version of ours wrote without it.

    >>> cite_as({"article_id": "kjd-c2068163", "content16": "9f3c51d0a2b4e6f8"})
    'kjd-c2068163@9f3c51d0a2b4e6f8'
    """
    return f"{row['article_id']}@{row['content16']}"


def rows_of(store: Store, states: Sequence[ArticleState]) -> Iterator[Row]:
    """Yield the rows of these articles; their records are read several at a time."""
    keys = (key for state in states for key in record_keys(state).values())
    bodies = read_many(store, keys)
    for state in states:
        wanted = record_keys(state)
        found = dict(islice(bodies, len(wanted)))
        missing = set(wanted.values()) - found.keys()
        if missing:
            raise NotArchived(f"{min(missing)} is not in the archive")
        yield from article_rows(state, {content16: json.loads(found[key]) for content16, key in wanted.items()})


def record_keys(state: ArticleState) -> dict[str, str]:
    """Return the key of the record of each content, in the order first seen; the last one logged counts."""
    logged = {text["content16"]: text["record_key"] for text in state.indexed_texts}
    return {content16: logged[content16] for _, _, content16 in steps(state.history)}


def article_rows(state: ArticleState, records: Mapping[str, dict[str, Any]]) -> list[Row]:
    """Return the rows of one article; `records` holds the record of each of its contents, in the order first seen."""
    found = steps(state.history)
    all_steps = [_step(records, found, n) for n in range(len(found))]
    return [_row(state, records, all_steps, content16, found[-1][2]) for content16 in records]


def _step(records: Mapping[str, dict[str, Any]], found: list[tuple[datetime, datetime, str]], n: int) -> Row:
    first, last, content16 = found[n]
    previous = found[n - 1][2] if n else None
    seen = change(records[previous], records[content16]) if previous else Change()
    return {
        "content16": content16,
        "from": first,
        "to": last if n + 1 < len(found) else None,  # still standing
        "previous": previous,
        "kind_of_change": seen.kind,
        "words_added": seen.words_added,
        "words_removed": seen.words_removed,
    }


def _row(
    state: ArticleState,
    records: Mapping[str, dict[str, Any]],
    all_steps: list[Row],
    content16: str,
    latest: str,
) -> Row:
    record = records[content16]
    own_steps = [
        {k: v for k, v in step.items() if k != "content16"} for step in all_steps if step["content16"] == content16
    ]
    published = _moment(record["published_at"])
    day = date.fromisoformat(record["published_day"]) if record.get("published_day") else None
    flat = {name: value for name, value in record.items() if name not in NESTED}
    return {
        **flat,
        "published_at": published,
        "published_day": day,
        "coverage": record["coverage"] if record["schema"] != OLD_SCHEMA else None,  # it meant another thing
        "modified_at": _moment(record["modified_at"]),
        "witnesses": [{"field": name, "witness": said} for name, said in record["witnesses"].items()],
        "sketch": record["sketch"]["hashes"],
        "capture_key": record["capture"]["key"],
        "fetched_at": _moment(record["capture"]["fetched_at"]),
        "payload_sha256": record["capture"]["payload_sha256"],
        "rules_sha256": record["rules"]["sha256"],
        "profile": record["rules"]["profile"],
        "content16": content16,
        "cite_as": cite_as({"article_id": state.article_id, "content16": content16}),
        "oped_id": state.oped_id,
        "n_places": state.n_places,
        "role": "primary" if state.oped_id == state.article_id else "copy",
        "is_latest": content16 == latest,
        "listed": any(r["listed"] for r in state.indexed_texts) or state.oped_id != state.article_id,
        "steps": own_steps,
        "previous": own_steps[-1]["previous"],
        "kind_of_change": own_steps[-1]["kind_of_change"],
        "words_added": own_steps[-1]["words_added"],
        "words_removed": own_steps[-1]["words_removed"],
        "formerly": [was for was, now in state.formerly if now == content16],
        "matches": [_match(state, match, when) for own16, match, when in state.matches if own16 == content16],
        "first_seen": own_steps[0]["from"],
        "first_archived_at": _moment(state.first_archived_at),
        "gone_at": _moment(state.gone_at),
        "discovered_by": [route for route in state.discovered_by.split(",") if route],
        "aliases": [url for url in state.aliases if url != record["canonical_url"]],
        "year": year_of(published_key(published, day)),
    }


def _match(state: ArticleState, match: Match, when: str) -> Row:
    """Return a match as a consumer reads it; the relation is that of the later text to the earlier."""
    f = match.overlap
    sides = (
        Side(state.article_id, state.source, state.when),
        Side(match.article_id, split_id(match.article_id)[0], when),
    )
    earlier, later = sorted(sides, key=lambda side: (side.when, side.article_id))
    return {
        "article_id": match.article_id,
        "content16": match.content16,
        "relation": relation(later, earlier, f),
        "shared": f.shared,
        "c_small": f.c_small,
        "c_large": f.c_large,
        "spread": f.spread,
        "method": f.method,
    }


def partitions_of(states: Iterable[ArticleState], rows: Iterable[Row]) -> list[int]:
    """Return every partition in which a row of these articles is or was, by any reading of any content."""
    stated = {reading["published_at"] for state in states for reading in state.indexed_texts}
    return sorted({row["year"] for row in rows} | {year_of(_moment(when)) for when in stated})


def year_of(moment: datetime | None) -> int:
    """Return the partition of a moment: its year in Seoul, 0 when there is none.

    >>> year_of(datetime(2025, 12, 31, 16, 0, tzinfo=UTC))
    2026
    """
    return moment.astimezone(SEOUL).year if moment else 0


def is_waiting(outcome: Outcome) -> bool:
    """Whether a page is new and waits for review: a portal's, without evidence of opinion or a match."""
    return outcome.verdict is Verdict.NEW and not outcome.listed


def run_row(seq: int, manifest: manifests.Manifest) -> Row:
    """Return the row of one manifest in the table of runs."""
    closing = manifest.closing
    counts: dict[str, int] = {}
    for outcome in manifest.outcomes:
        name = UNLISTED if is_waiting(outcome) else outcome.verdict.value
        counts[name] = counts.get(name, 0) + 1
    return {
        "seq": seq,
        "run": manifest.run,
        "part": manifest.part,
        "day": manifest.day,
        "period": manifest.period,
        "logged_at": _moment(manifest.logged_at),
        "complete": closing.complete if closing else None,
        "whole": list(closing.whole) if closing else None,
        "missing": list(closing.missing) if closing else [],
        "warnings": list(closing.warnings) if closing else [],
        "outcomes": [{"verdict": name, "count": count} for name, count in sorted(counts.items())],
        "set_aside": [
            {"article_id": o.article_id, "url": o.url, "fetched_at": _moment(o.fetched_at), "reasons": list(o.reasons)}
            for o in manifest.outcomes
            if o.verdict is Verdict.REJECTED
        ],
        "sha256": manifest.sha256,
    }


def sighting_rows(seq: int, manifest: manifests.Manifest) -> list[Row]:
    """Return a row for each time that a manifest says that an article was seen with a content."""
    return [
        {
            "article_id": o.article_id,
            "content16": o.content16,
            "fetched_at": _moment(o.fetched_at),
            "obtained_at": _moment(o.obtained_at or (manifest.logged_at if o.via else o.fetched_at)),
            "seq": seq,
            "via": o.via or BY_CRAWL,
        }
        for o in manifest.outcomes
        if o.verdict in CONTENT
    ]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
