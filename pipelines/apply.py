"""Takes one manifest into the index: what it names becomes known, and groups are brought up to date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container

import sqlalchemy as sa

from pipelines.addresses import split_id
from pipelines.groups import Member, groups
from pipelines.log import Manifest
from pipelines.matches import Side, unites
from pipelines.nouns import CONTENT, Figures, Outcome, Verdict
from pipelines.tables import ADDRESS, ARTICLE, CAPTURE, FORMERLY, MATCH, PART, READING, SIGHTING, STATE, insert


def apply_manifest(c: sa.Connection, seq: int, manifest: Manifest, own: Container[str]) -> None:
    """Take in the manifest of that number, once and in order. `own` are the newspaper's own sources."""
    if seq != int(c.scalar(sa.select(STATE.c.value).where(STATE.c.name == "seq")) or 0) + 1:
        return  # another worker was first
    for outcome in manifest.outcomes:
        _apply(c, seq, manifest.logged_at, outcome, own)
    touched = {o.article_id for o in manifest.outcomes if o.article_id}
    touched |= {match.article_id for o in manifest.outcomes for match in o.matches}
    _regroup(c, seq, touched)
    insert(c, PART, [{"run": manifest.run, "part": manifest.part, "seq": seq}])
    c.execute(sa.update(STATE).where(STATE.c.name == "seq").values(value=str(seq)))


def _apply(c: sa.Connection, seq: int, logged_at: str, o: Outcome, own: Container[str]) -> None:
    if o.capture_key:
        insert(c, CAPTURE, [{"key": o.capture_key, "article_id": o.article_id, "seq": seq}])
        insert(c, SIGHTING, [{
            "article_id": o.article_id, "fetched_at": o.fetched_at, "content16": o.content16,
            "rules8": o.rules8, "capture_key": o.capture_key,
        }] if o.verdict is not Verdict.REREAD else [])  # fmt: skip
    if o.verdict in CONTENT:
        _apply_content(c, seq, logged_at, o, split_id(o.article_id)[0] in own)
    elif o.verdict is Verdict.REREAD:
        _apply_reread(c, seq, o)
    elif o.verdict is Verdict.ALIAS and o.target:
        insert(c, ADDRESS, [{"url": o.url, "article_id": o.target}])
        c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id == o.target).values(changed=seq))
    elif o.verdict is Verdict.GONE:
        later = sa.exists().where(SIGHTING.c.article_id == o.article_id, SIGHTING.c.fetched_at > o.fetched_at)
        still = (ARTICLE.c.article_id == o.article_id, ARTICLE.c.gone_at.is_(None), ~later)
        c.execute(sa.update(ARTICLE).where(*still).values(gone_at=o.fetched_at, changed=seq))


def _apply_content(c: sa.Connection, seq: int, logged_at: str, o: Outcome, own: bool) -> None:
    insert(c, ARTICLE, [{
        "article_id": o.article_id, "source": split_id(o.article_id)[0], "own": own,
        "published_at": o.published_at or None, "first_seen": o.fetched_at,
        "first_archived_at": logged_at, "changed": seq, "discovered_by": ",".join(o.routes),
    }])  # fmt: skip
    known = c.execute(sa.select(ARTICLE).where(ARTICLE.c.article_id == o.article_id)).one()
    c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id == o.article_id).values(
        changed=seq, first_seen=min(known.first_seen, o.fetched_at),
        gone_at=known.gone_at if (known.gone_at or "") > o.fetched_at else None,
        published_at=min(filter(None, (known.published_at, o.published_at)), default=None),
    ))  # fmt: skip
    _known_reading(c, seq, o)
    urls = dict.fromkeys((o.url, *o.aliases))
    insert(c, ADDRESS, [{"url": url, "article_id": o.article_id} for url in urls])
    for m in o.matches:
        one, two = sorted(((o.article_id, o.content16), (m.article_id, m.content16)))
        figures = {name: getattr(m.figures, name) for name in m.figures.__dataclass_fields__}
        insert(c, MATCH, [{"one": one[0], "one16": one[1], "two": two[0], "two16": two[1], "figures": figures}])


def _known_reading(c: sa.Connection, seq: int, o: Outcome) -> None:
    if not o.record_key:
        return
    insert(c, READING, [{
        "article_id": o.article_id, "content16": o.content16, "rules8": o.rules8, "record_key": o.record_key,
        "published_at": o.published_at, "listed": o.listed,
    }])  # fmt: skip
    same = (READING.c.article_id == o.article_id, READING.c.content16 == o.content16, READING.c.rules8 == o.rules8)
    c.execute(sa.update(READING).where(*same, READING.c.seq.is_(None)).values(seq=seq))


def _apply_reread(c: sa.Connection, seq: int, o: Outcome) -> None:
    _known_reading(c, seq, o)
    seen = (
        SIGHTING.c.article_id == o.article_id,
        SIGHTING.c.content16 == o.was,
        SIGHTING.c.capture_key == o.capture_key,
    )
    c.execute(sa.update(SIGHTING).where(*seen).values(content16=o.content16, rules8=o.rules8))
    if o.was != o.content16:
        insert(c, FORMERLY, [{"article_id": o.article_id, "was": o.was, "content16": o.content16}])
    c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id == o.article_id).values(changed=seq))


def _regroup(c: sa.Connection, seq: int, touched: set[str]) -> None:
    """Recompute the groups of everything connected with the touched articles."""
    figures = _component(c, touched)
    connected = touched | {article for pair in figures for article in pair}
    rows = {row.article_id: row for row in c.execute(sa.select(ARTICLE).where(ARTICLE.c.article_id.in_(connected)))}
    sides = {a: Side(a, row.source, row.published_at or row.first_seen) for a, row in rows.items()}
    united: dict[str, set[str]] = defaultdict(set)
    for (one, two), found in figures.items():
        if one in sides and two in sides and any(unites(sides[one], sides[two], f) for f in found):
            united[one].add(two)
            united[two].add(one)
    primaries = groups((Member(a, row.own, sides[a].when) for a, row in rows.items()), united)
    for article_id, oped_id in primaries.items():
        moved = (ARTICLE.c.article_id == article_id, ARTICLE.c.oped_id.is_distinct_from(oped_id))
        c.execute(sa.update(ARTICLE).where(*moved).values(oped_id=oped_id, changed=seq))


def _component(c: sa.Connection, start: set[str]) -> dict[tuple[str, str], list[Figures]]:
    """Return the figures of every match that hangs together with these articles, by pair."""
    found: dict[tuple[str, str], list[Figures]] = {}
    seen: set[str] = set()
    frontier = set(start)
    while frontier:
        query = sa.select(MATCH).where(sa.or_(MATCH.c.one.in_(frontier), MATCH.c.two.in_(frontier)))
        rows = list(c.execute(query))
        seen |= frontier
        for row in rows:
            made = Figures(**row.figures)
            pair = found.setdefault((row.one, row.two), [])
            if made not in pair:
                pair.append(made)
        frontier = {article for row in rows for article in (row.one, row.two)} - seen
    return found
