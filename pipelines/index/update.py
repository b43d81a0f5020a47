"""Applies one manifest to the index: what it names becomes known, and groups are brought up to date.

In bulk: a manifest of a thousand outcomes costs some dozen statements, not some thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

import sqlalchemy as sa

from pipelines.archive.manifests import Manifest, closing_digest
from pipelines.copies.compare import Side, unites
from pipelines.copies.groups import Member, groups
from pipelines.index.tables import (
    ADDRESS,
    ARTICLE,
    CAPTURE,
    CRAWL,
    DAY,
    FORMERLY,
    INDEXED_TEXT,
    LINK,
    MATCH,
    MISSED,
    PART,
    SIGHTING,
    STATE,
    TITLED,
    in_portions,
    insert,
)
from pipelines.index.withdrawal import forget, is_removal, without_withdrawn
from pipelines.model import CONTENT, MISLED, Match, Outcome, Overlap, Verdict
from pipelines.sources.addresses import numbering, split_id

Pair = tuple[str, str]
SETTLING = timedelta(hours=20)  # between two looks that find nothing: a daily one an hour early counts
TO_THE_SECOND = len("2026-06-01T00:00:00")
FINAL = "HTTP 410"  # the reason of an outcome GONE that needs no second look


def apply_manifest(c: sa.Connection, seq: int, manifest: Manifest, own: Container[str]) -> bool:
    """Apply the manifest of that number, once and in order. `own` are the newspaper's own sources.

    Returns False where manifests before it are missing: the index was made anew meanwhile.
    """
    query = sa.select(STATE.c.value).where(STATE.c.name == "seq").with_for_update()  # one worker applies at a time
    last = int(c.scalar(query) or 0)
    if seq != last + 1:
        return seq <= last  # another worker was first
    captured = [o for o in manifest.outcomes if o.capture_key]
    digests = dict(manifest.digests)
    manifest = without_withdrawn(c, manifest)
    insert(
        c,
        CAPTURE,
        [
            {"key": o.capture_key, "article_id": o.article_id, "seq": seq, "sha256": digests.get(o.capture_key)}
            for o in captured
        ],
    )
    captured = [o for o in manifest.outcomes if o.capture_key]
    for outcome in manifest.outcomes:
        if outcome.verdict is Verdict.REREAD:
            _apply_reread(c, seq, outcome)
    told = [o for o in manifest.outcomes if o.verdict in CONTENT]
    _mark_matched(c, seq, {o.article_id for o in told})
    before = _latest_sightings(c, {o.article_id for o in told}, SIGHTING.c.content16 != "")
    insert(c, SIGHTING, [_sighting(o) for o in captured if o.verdict not in {Verdict.REREAD, Verdict.WITHDRAWN}])
    _apply_contents(c, seq, manifest, told, before, own)
    for outcome in manifest.outcomes:
        _apply_other(c, seq, outcome)
    touched = {o.article_id for o in manifest.outcomes if o.article_id} | _link(c, manifest, own)
    _settle_gone(c, seq, touched)
    touched |= {match.article_id for o in manifest.outcomes for match in o.matches}
    touched |= forget(c, seq, (o.article_id for o in manifest.outcomes if is_removal(o)))
    _regroup(c, seq, touched)
    insert(c, CRAWL, [{"key": key, "sha256": digests.get(key)} for key in manifest.crawls])
    if manifest.closing and not manifest.period:
        said, unproved = closing_digest(manifest.closing), bool(manifest.closing.unproved)
        about = {"day": manifest.day, "sources": " ".join(sorted(manifest.closing.sources))}
        c.execute(sa.delete(DAY).where(DAY.c.day == about["day"], DAY.c.sources == about["sources"]))
        insert(c, DAY, [{**about, "seq": seq, "said": said, "unproved": unproved}])
    insert(c, PART, [{"run": manifest.run, "part": manifest.part, "seq": seq, "sha256": manifest.sha256}])
    c.execute(sa.update(STATE).where(STATE.c.name == "seq").values(value=str(seq)))
    return True


def _sighting(o: Outcome) -> dict[str, Any]:
    return {
        "article_id": o.article_id,
        "fetched_at": o.fetched_at,
        "content16": o.content16,
        "rules8": o.rules8,
        "capture_key": o.capture_key,
    }


def _apply_contents(
    c: sa.Connection,
    seq: int,
    manifest: Manifest,
    told: Sequence[Outcome],
    latest: dict[str, str],
    own: Container[str],
) -> None:
    """Apply what the outcomes that tell of a content say; `latest` is when each article was seen last before them.

    An article is changed where its rows in the catalogue are: one that was seen again as it was known is not.
    """
    insert(
        c,
        ARTICLE,
        [
            {
                "article_id": o.article_id,
                "source": split_id(o.article_id)[0],
                "own": split_id(o.article_id)[0] in own,
                "published_at": o.published_at or None,
                "first_seen": o.fetched_at,
                "first_archived_at": manifest.logged_at,
                "changed": seq,
                "discovered_by": ",".join(o.routes),
            }
            for o in told
        ],
    )
    known = {row.article_id: dict(row._mapping) for row in _articles(c, {o.article_id for o in told})}
    dated = {article_id: row["published_at"] or row["first_seen"] for article_id, row in known.items()}
    changed = _newly_addressed(c, told)
    for o in told:
        row, before = known[o.article_id], dict(known[o.article_id])
        row["first_seen"] = min(row["first_seen"], o.fetched_at)
        row["published_at"] = min(filter(None, (row["published_at"], o.published_at)), default=None)
        last = latest.get(o.article_id, "")
        latest[o.article_id] = max(o.fetched_at, last)
        comes_last = o.fetched_at[:TO_THE_SECOND] > last[:TO_THE_SECOND]  # fractions do not sort as texts
        if o.verdict is not Verdict.UNCHANGED or row != before or not comes_last:
            changed.add(o.article_id)
    rows = [{**row, "changed": seq} for article_id, row in known.items() if article_id in changed]
    _update(c, ARTICLE, ("article_id",), ("first_seen", "published_at", "changed"), rows)
    _mark_texts_known(c, seq, told)
    insert(c, MATCH, [_match(o, match) for o in told for match in o.matches])
    redated = {a for a, row in known.items() if (row["published_at"] or row["first_seen"]) != dated[a]}
    _mark_changed(c, seq, {match.article_id for o in told for match in o.matches} | _matched_with(c, redated))


def _matched_with(c: sa.Connection, ids: set[str]) -> set[str]:
    """Return the articles that share text with these: their rows say which of the two is the later."""
    matches = [row for some in in_portions(ids) for row in c.execute(_matches_of(some))]
    return {name for row in matches for name in (row.one, row.two)} - ids


def _mark_matched(c: sa.Connection, seq: int, ids: set[str]) -> None:
    """Mark the articles that were matched with these before these were logged: their rows can name them now."""
    _mark_changed(c, seq, _matched_with(c, ids - {row.article_id for row in _articles(c, ids)}))


def _mark_changed(c: sa.Connection, seq: int, ids: set[str]) -> None:
    for some in in_portions(ids):
        c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id.in_(some)).values(changed=seq))


def _latest_sightings(c: sa.Connection, ids: Iterable[str], *such: sa.ColumnElement[bool]) -> dict[str, str]:
    """Return when each of these articles was seen last; of such sightings alone."""
    found: dict[str, str] = {}
    for some in in_portions(ids):
        query = sa.select(SIGHTING.c.article_id, sa.func.max(SIGHTING.c.fetched_at))
        query = query.where(SIGHTING.c.article_id.in_(some), *such)
        found |= {row[0]: row[1] for row in c.execute(query.group_by(SIGHTING.c.article_id))}
    return found


def _newly_addressed(c: sa.Connection, told: Sequence[Outcome]) -> set[str]:
    """Note the addresses of these outcomes; return the articles that got one which nobody knew."""
    urls = {url: o.article_id for o in told for url in (o.url, *o.aliases)}
    known: set[str] = set()
    for some in in_portions(urls):
        known |= set(c.scalars(sa.select(ADDRESS.c.url).where(ADDRESS.c.url.in_(some))))
    fresh = [{"url": url, "article_id": article_id} for url, article_id in urls.items() if url not in known]
    insert(c, ADDRESS, fresh)
    return {row["article_id"] for row in fresh}


def _match(o: Outcome, match: Match) -> dict[str, Any]:
    one, two = sorted(((o.article_id, o.content16), (match.article_id, match.content16)))
    return {"one": one[0], "one16": one[1], "two": two[0], "two16": two[1], "overlap": asdict(match.overlap)}


def _mark_texts_known(c: sa.Connection, seq: int, told: Iterable[Outcome]) -> None:
    rows = [
        {
            "article_id": o.article_id,
            "content16": o.content16,
            "rules8": o.rules8,
            "record_key": o.record_key,
            "published_at": o.published_at,
            "listed": o.listed,
            "seq": seq,
        }
        for o in told
        if o.record_key
    ]
    insert(c, INDEXED_TEXT, rows)
    names = ("seq", "record_key", "published_at", "listed")  # a worker that was killed may have left others
    _update(c, INDEXED_TEXT, ("article_id", "content16", "rules8"), names, rows, only=INDEXED_TEXT.c.seq.is_(None))


def _update(
    c: sa.Connection,
    table: sa.Table,
    keys: Sequence[str],
    names: Sequence[str],
    rows: Sequence[dict[str, Any]],
    only: sa.ColumnElement[bool] | None = None,
) -> None:
    """Update columns of many rows by their keys, in one statement."""
    if not rows:
        return
    same = [table.c[key] == sa.bindparam(f"_{key}") for key in keys]
    statement = sa.update(table).where(*same, *([only] if only is not None else []))
    statement = statement.values({name: sa.bindparam(f"_{name}_") for name in names})
    c.execute(
        statement,
        [{f"_{key}": row[key] for key in keys} | {f"_{name}_": row[name] for name in names} for row in rows],
    )


def _apply_reread(c: sa.Connection, seq: int, o: Outcome) -> None:
    _mark_texts_known(c, seq, [o])
    seen = (
        SIGHTING.c.article_id == o.article_id,
        SIGHTING.c.content16 == o.was,
        SIGHTING.c.capture_key == o.capture_key,
    )
    if o.was != o.content16:
        twin = SIGHTING.alias()  # two captures of one second that are one content now are one sighting
        same = (twin.c.article_id == o.article_id, twin.c.content16 == o.content16)
        c.execute(
            sa.delete(SIGHTING).where(*seen, sa.exists().where(*same, twin.c.fetched_at == SIGHTING.c.fetched_at))
        )
    c.execute(sa.update(SIGHTING).where(*seen).values(content16=o.content16, rules8=o.rules8))
    if o.was != o.content16:
        insert(c, FORMERLY, [{"article_id": o.article_id, "was": o.was, "content16": o.content16}])
    c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id == o.article_id).values(changed=seq))


def _apply_other(c: sa.Connection, seq: int, o: Outcome) -> None:
    if o.verdict is Verdict.ALIAS and o.target:
        insert(c, ADDRESS, [{"url": o.url, "article_id": o.target}])
        c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id == o.target).values(changed=seq))
    elif o.verdict is Verdict.GONE:
        insert(c, MISSED, [_look(o, gone=True)])
    elif o.verdict is Verdict.FAILED and MISLED in o.reasons:
        insert(c, MISSED, [_look(o, gone=False)])


def _link(c: sa.Connection, manifest: Manifest, own: Container[str]) -> set[str]:
    """Note which of the newspaper's numbers are one op-ed by a redirect, or by headline and day; return those articles.

    Only numbers of different kinds: the newspaper renumbered its pages, and one series has no op-ed twice.
    """
    titled = {(o.article_id, o.title16) for o in manifest.outcomes if o.title16 and split_id(o.article_id)[0] in own}
    insert(c, TITLED, [{"article_id": article_id, "title16": title} for article_id, title in sorted(titled)])
    by_title: dict[tuple[str, str], set[str]] = defaultdict(set)
    for some in in_portions({title for _, title in titled}):
        for row in c.execute(sa.select(TITLED).where(TITLED.c.title16.in_(some))):
            by_title[split_id(row.article_id)[0], row.title16].add(row.article_id)
    pairs = {(one, two, "headline") for ids in by_title.values() for one, two in combinations(sorted(ids), 2)}
    led = {(o.article_id, o.target) for o in manifest.outcomes if o.verdict is Verdict.ALIAS and o.article_id}
    pairs |= {(min(pair), max(pair), "redirect") for pair in led if all(split_id(one)[0] in own for one in pair)}
    linked = [
        (one, two, why)
        for one, two, why in pairs
        if split_id(one)[0] == split_id(two)[0] and numbering(one) != numbering(two)
    ]
    insert(c, LINK, [{"one": one, "two": two, "why": why} for one, two, why in sorted(linked)])
    return {name for one, two, _ in linked for name in (one, two)}


def _look(o: Outcome, gone: bool) -> dict[str, Any]:
    return {"article_id": o.article_id, "seen_at": o.fetched_at, "gone": gone, "final": FINAL in o.reasons}


def _settle_gone(c: sa.Connection, seq: int, touched: set[str]) -> None:
    """Derive since when each article is gone: behind its last sighting 410 was answered once, or nothing was found at
    two looks that lie `SETTLING` apart. A server's bad hour is not the end of an op-ed."""
    for some in in_portions(touched):
        looks: dict[str, list[tuple[str, bool]]] = defaultdict(list)
        for row in c.execute(
            sa.select(MISSED).where(MISSED.c.article_id.in_(some), MISSED.c.gone).order_by(MISSED.c.seen_at)
        ):
            looks[row.article_id].append((row.seen_at, row.final))
        latest = _latest_sightings(c, some)
        rows = []
        for row in _articles(c, some):
            behind = [look for look in looks.get(row.article_id, ()) if look[0] > latest.get(row.article_id, "")]
            gone_at = behind[0][0] if behind and _settled(behind) else None
            if gone_at != row.gone_at:
                rows.append({"article_id": row.article_id, "gone_at": gone_at, "changed": seq})
        _update(c, ARTICLE, ("article_id",), ("gone_at", "changed"), rows)


def _settled(looks: Sequence[tuple[str, bool]]) -> bool:
    first, last = (datetime.fromisoformat(looks[at][0]) for at in (0, -1))
    return last - first >= SETTLING or any(final for _, final in looks)


def _regroup(c: sa.Connection, seq: int, touched: set[str]) -> None:
    """Recompute the groups of the touched articles, and of all that a match unites with them, then or now."""
    members, united = _united(c, touched)
    primaries = groups((Member(a, row.own, _when(row)) for a, row in members.items()), united)
    moved = [
        {"article_id": article_id, "oped_id": oped_id, "changed": seq}
        for article_id, oped_id in primaries.items()
        if members[article_id].oped_id != oped_id
    ]
    _update(c, ARTICLE, ("article_id",), ("oped_id", "changed"), moved)
    gained = {str(row["oped_id"]) for row in moved}
    lost = {members[str(row["article_id"])].oped_id for row in moved} - {None}
    for some in in_portions(gained | lost):  # each row says how many places its op-ed has
        c.execute(sa.update(ARTICLE).where(ARTICLE.c.oped_id.in_(some)).values(changed=seq))


def _united(c: sa.Connection, touched: set[str]) -> tuple[dict[str, sa.Row[Any]], dict[str, set[str]]]:
    """Return every article that uniting matches connect with these, and these matches, in both directions.

    Only matches that unite are followed: quotations would lead through the whole archive.
    """
    members: dict[str, sa.Row[Any]] = {}
    united: dict[str, set[str]] = defaultdict(set)
    known = {row.article_id: row for row in _articles(c, touched)}
    frontier = touched | _grouped(c, {row.oped_id for row in known.values() if row.oped_id})
    while frontier:
        matches = [row for some in in_portions(frontier) for row in c.execute(_matches_of(some))]
        links = [row for some in in_portions(frontier) for row in c.execute(_links_of(some))]
        missing = (frontier | {a for m in (*matches, *links) for a in (m.one, m.two)}) - known.keys()
        known |= {row.article_id: row for row in _articles(c, missing)}
        members |= {a: known[a] for a in frontier if a in known}
        for m in matches:
            one, two = known.get(m.one), known.get(m.two)
            if one is not None and two is not None and unites(_side(one), _side(two), Overlap(**m.overlap)):
                united[m.one].add(m.two)
                united[m.two].add(m.one)
        for link in links:
            if link.one in known and link.two in known:
                united[link.one].add(link.two)
                united[link.two].add(link.one)
        frontier = {other for a in frontier for other in united[a]} - members.keys()
    return members, united


def _grouped(c: sa.Connection, oped_ids: set[str]) -> set[str]:
    """Return the articles that stand in these groups today."""
    found: set[str] = set()
    for some in in_portions(oped_ids):
        found |= set(c.scalars(sa.select(ARTICLE.c.article_id).where(ARTICLE.c.oped_id.in_(some))))
    return found


def _side(row: sa.Row[Any]) -> Side:
    return Side(row.article_id, row.source, _when(row))


def _when(row: sa.Row[Any]) -> str:
    return str(row.published_at or row.first_seen)


def _articles(c: sa.Connection, ids: Iterable[str]) -> Iterator[sa.Row[Any]]:
    for some in in_portions(ids):
        yield from c.execute(sa.select(ARTICLE).where(ARTICLE.c.article_id.in_(some)))


def _links_of(ids: Sequence[str]) -> sa.Select[Any]:
    return sa.select(LINK).where(sa.or_(LINK.c.one.in_(ids), LINK.c.two.in_(ids)))


def _matches_of(ids: Sequence[str]) -> sa.Select[Any]:
    return sa.select(MATCH).where(sa.or_(MATCH.c.one.in_(ids), MATCH.c.two.in_(ids)))
