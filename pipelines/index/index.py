"""The derived table of addresses, sightings and fingerprints: SQLite here, PostgreSQL when shared.

Everything in it comes from manifests and records and can be made again from them. A text is published
before its manifest exists, so that a second worker can find it as a candidate; it is *known* once a
manifest's number stands beside it. The tables: tables.py; what a manifest does to them: update.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines.archive.manifests import Manifest
from pipelines.errors import ForeignIndex, WrongUsage
from pipelines.index import sqlite
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
    META,
    MISSED,
    PART,
    SHINGLE,
    SIGHTING,
    STATE,
    WITHDRAWN,
    in_portions,
    insert,
)
from pipelines.index.update import apply_manifest
from pipelines.model import Match, Outcome, Overlap
from pipelines.settings import Settings
from pipelines.sources.addresses import numbering
from pipelines.versions import SeenContent

COMMON = 30  # groups; a shingle found in more of them is template
MIN_SHARED_HASHES = 2
CANDIDATE_GROUPS = 10
INDEX_SCHEMA = "7"  # of the tables; raise it whenever they change, and every index is made anew when it is opened next
LOCK = 6_170_531  # any number that nobody else takes: of the lock under which PostgreSQL is written
SCRATCH = "sqlite://"  # an index in memory
FOREIGN = "OPEDS_INDEX belongs to another archive; name an empty database, or the archive it was made for"
PUBLISHED = ("article_id", "content16", "rules8", "record_key", "published_at", "listed")
PUBLISHED_OR_SEEN = sa.func.coalesce(ARTICLE.c.published_at, ARTICLE.c.first_seen)
GROUP = sa.func.coalesce(ARTICLE.c.oped_id, INDEXED_TEXT.c.article_id)  # a reading not yet logged stands alone


@dataclass(frozen=True, slots=True)
class IndexedText:
    """A text in the index: where its record lies, and in which group its article is."""

    article_id: str
    content16: str
    record_key: str
    when: str
    oped_id: str


@dataclass(frozen=True, slots=True)
class Grouped:
    """An article in its group: `when` is its publication, else the moment it was first seen."""

    article_id: str
    source: str
    when: str
    oped_id: str


@dataclass(frozen=True, slots=True)
class ArticleState:
    """All that the log says of one article; the catalogue's derived columns come from it."""

    article_id: str
    source: str
    oped_id: str
    n_places: int
    gone_at: str
    first_archived_at: str
    discovered_by: str
    history: tuple[SeenContent, ...]
    indexed_texts: tuple[dict[str, Any], ...]
    formerly: tuple[tuple[str, str], ...]
    aliases: tuple[str, ...]
    when: str
    matches: tuple[tuple[str, Match, str], ...]  # (own content16, the other, when that was published)


@dataclass(frozen=True, slots=True)
class Renumbered:
    """The old numbers of a source that are known under a new one, each with that and why; and those that are not."""

    found: tuple[tuple[str, str, tuple[str, ...]], ...]
    not_found: tuple[str, ...]


class Index:
    """See the module. Methods that write commit before they return, except inside `dry_run`."""

    def __init__(self, engine: sa.Engine, own: Iterable[str], held: sa.Connection | None = None) -> None:
        self.engine, self.own, self.held = engine, frozenset(own), held

    @contextmanager
    def dry_run(self, folder: Path) -> Iterator[Index]:
        """Yield an index like this one in which nothing lasts; a SQLite one is copied, so that no lock is held."""
        if self.engine.dialect.name == "sqlite":
            copy = folder / "index.sqlite"
            with closing(self.engine.raw_connection()) as connection:  # outside of a transaction, as VACUUM must be
                connection.cursor().execute("VACUUM INTO ?", (str(copy),))
            engine = _engine(f"sqlite:///{copy}")
            yield Index(engine, self.own)
            engine.dispose()
        else:
            with self.engine.connect() as connection:
                yield Index(self.engine, self.own, held=connection)
                connection.rollback()

    @contextmanager
    def snapshot(self) -> Iterator[Index]:
        """Yield this index as it stands now, whatever others apply meanwhile; for reading."""
        if self.held is not None:
            yield self
            return
        options: dict[str, Any] = {"writes": False}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"  # in SQLite every transaction sees one state
        with self.engine.execution_options(**options).begin() as connection:
            yield Index(self.engine, self.own, held=connection)

    @contextmanager
    def _connection(self, writes: bool = False) -> Iterator[sa.Connection]:
        if self.held is not None:
            yield self.held
        else:
            with self.engine.execution_options(writes=writes).begin() as connection:
                if writes:
                    _await_turn(connection)
                yield connection

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Return a connection that only reads."""
        return self._connection()

    # -- what is known -----------------------------------------------------------------------

    @property
    def is_scratch(self) -> bool:
        """Whether it is in memory, instead of one of another version of this program: see `open_index`."""
        return str(self.engine.url) == SCRATCH

    def archive_id(self) -> str:
        """Return the id of the archive that it is of."""
        with self._connection() as c:
            return str(c.scalar(sa.select(STATE.c.value).where(STATE.c.name == "archive_id")))

    def seq(self) -> int:
        """Return the number of the last manifest applied."""
        with self._connection() as c:
            return int(c.scalar(sa.select(STATE.c.value).where(STATE.c.name == "seq")) or 0)

    def logged(self, run: str, part: str) -> int | None:
        """Return the number of the manifest that holds this part of a run, or None."""
        with self._connection() as c:
            seq = c.scalar(sa.select(PART.c.seq).where(PART.c.run == run, PART.c.part == part))
            return None if seq is None else int(seq)

    def history(self, article_id: str) -> list[SeenContent]:
        """Return every sighting of an article that a manifest names, in the order of capture."""
        return self.histories([article_id]).get(article_id, [])

    def histories(self, article_ids: Iterable[str]) -> dict[str, list[SeenContent]]:
        """Return the history of each of these articles that has one."""
        with self._connection() as c:
            return histories_of(c, article_ids)

    def to_re_extract(self, source: str, rules8: str) -> list[str]:
        """Return the articles of a source with a sighting that was read by other rules."""
        other = (SIGHTING.c.rules8 != rules8, SIGHTING.c.content16 != "", ARTICLE.c.source == source)
        joined = SIGHTING.join(ARTICLE, ARTICLE.c.article_id == SIGHTING.c.article_id)
        query = (
            sa.select(SIGHTING.c.article_id)
            .select_from(joined)
            .where(*other)
            .distinct()
            .order_by(SIGHTING.c.article_id)
        )
        with self._connection() as c:
            return list(c.scalars(query))

    def recent(self, since: str) -> list[tuple[str, str, str]]:
        """Return the articles published (else first seen) since a moment and not gone: id, that, and the last look."""
        looks = sa.union_all(
            sa.select(SIGHTING.c.article_id, SIGHTING.c.fetched_at.label("at")),
            sa.select(MISSED.c.article_id, MISSED.c.seen_at).where(MISSED.c.gone),
        ).subquery()
        query = (
            sa.select(ARTICLE.c.article_id, PUBLISHED_OR_SEEN, sa.func.max(looks.c.at))
            .select_from(ARTICLE.join(looks, looks.c.article_id == ARTICLE.c.article_id))
            .where(since <= PUBLISHED_OR_SEEN, ARTICLE.c.gone_at.is_(None))
            .group_by(ARTICLE.c.article_id, PUBLISHED_OR_SEEN)
            .order_by(ARTICLE.c.article_id)
        )
        with self._connection() as c:
            return [tuple(row) for row in c.execute(query)]

    def vanished(self, before: str) -> list[str]:
        """Return the articles whose page was not there at the last look, before that moment, and are not gone yet."""
        seen = sa.select(sa.func.max(SIGHTING.c.fetched_at)).where(SIGHTING.c.article_id == ARTICLE.c.article_id)
        last = sa.select(sa.func.max(MISSED.c.seen_at)).where(
            MISSED.c.article_id == ARTICLE.c.article_id, MISSED.c.gone
        )
        waiting = (last.scalar_subquery() > seen.scalar_subquery(), last.scalar_subquery() <= before)
        with_look = ARTICLE.c.article_id.in_(sa.select(MISSED.c.article_id).where(MISSED.c.gone))
        query = sa.select(ARTICLE.c.article_id).where(with_look, ARTICLE.c.gone_at.is_(None), *waiting)
        with self._connection() as c:
            return list(c.scalars(query.order_by(ARTICLE.c.article_id)))

    def misled_before(self, moment: str, ids: Iterable[str]) -> set[str]:
        """Return those of the articles whose address led elsewhere before that moment, and was not seen since."""
        later = (SIGHTING.c.article_id == MISSED.c.article_id, SIGHTING.c.fetched_at > MISSED.c.seen_at)
        early = (MISSED.c.seen_at < moment, sa.not_(MISSED.c.gone), ~sa.exists().where(*later))
        query = sa.select(MISSED.c.article_id).where(*early)
        with self._connection() as c:
            found = (c.scalars(query.where(MISSED.c.article_id.in_(some))) for some in in_portions(ids))
            return {article_id for some in found for article_id in some}

    def published_between(self, source: str, since: str, until: str) -> list[str]:
        """Return when the articles of a source were published, from one moment up to another."""
        among = (ARTICLE.c.source == source, ARTICLE.c.published_at >= since, ARTICLE.c.published_at < until)
        with self._connection() as c:
            return [str(when) for when in c.scalars(sa.select(ARTICLE.c.published_at).where(*among))]

    def published_by(self, source: str, route: str, since: str) -> list[str]:
        """Return the moments of publication (UTC) since then of a source's articles that a route showed first."""
        found = (ARTICLE.c.source == source, ARTICLE.c.published_at >= since)
        with self._connection() as c:
            rows = c.execute(sa.select(ARTICLE.c.published_at, ARTICLE.c.discovered_by).where(*found))
            return [row.published_at for row in rows if route in (row.discovered_by or "").split(",")]

    def named(self, keys: Iterable[str]) -> set[str]:
        """Return those of the capture keys that a manifest names."""
        with self._connection() as c:
            return set(c.scalars(sa.select(CAPTURE.c.key).where(CAPTURE.c.key.in_(list(keys)))))

    def digests(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 of those captures' files and crawls' summaries that a manifest states."""
        tables = (CAPTURE, CRAWL)
        with self._connection() as c:
            asked = (sa.select(t).where(t.c.key.in_(some)) for some in in_portions(keys) for t in tables)
            return {row.key: row.sha256 for query in asked for row in c.execute(query) if row.sha256}

    def crawls(self) -> set[str]:
        """Return the keys of all crawls that a manifest names: they are archived, or closed a day."""
        with self._connection() as c:
            return set(c.scalars(sa.select(CRAWL.c.key)))

    def closed(self, day: str, sources: Iterable[str]) -> tuple[int, str]:
        """Return the number of the last manifest that closed a day for these sources, and the digest of what it says;
        0 if none did."""
        about = (DAY.c.day == day, DAY.c.sources == " ".join(sorted(sources)))
        with self._connection() as c:
            row = c.execute(sa.select(DAY).where(*about)).one_or_none()
            return (row.seq, row.said) if row else (0, "")

    def unproved(self) -> list[tuple[str, int]]:
        """Return the days of which a route did not show whether it has all of them, each with its last closing."""
        with self._connection() as c:
            rows = c.execute(sa.select(DAY).where(DAY.c.unproved).order_by(DAY.c.day, DAY.c.seq))
            return [(row.day, row.seq) for row in rows]

    def addresses(self, article_id: str) -> list[str]:
        """Return every address known for an article."""
        with self._connection() as c:
            return list(c.scalars(sa.select(ADDRESS.c.url).where(ADDRESS.c.article_id == article_id).order_by("url")))

    def seen(self, article_ids: Iterable[str]) -> set[tuple[str, str, str]]:
        """Return (article_id, fetched_at, capture_key) of each logged sighting of these articles, set-aside pages
        included, and of each capture that a manifest names, whose moment is empty."""
        query = sa.select(SIGHTING.c.article_id, SIGHTING.c.fetched_at, SIGHTING.c.capture_key)
        with self._connection() as c:
            rows = (
                r for some in in_portions(article_ids) for r in c.execute(query.where(SIGHTING.c.article_id.in_(some)))
            )
            found = {(row.article_id, row.fetched_at, row.capture_key) for row in rows}
            named = sa.select(CAPTURE.c.article_id, CAPTURE.c.key)
            keys = (
                r for some in in_portions(article_ids) for r in c.execute(named.where(CAPTURE.c.article_id.in_(some)))
            )
            return found | {(row.article_id, "", row.key) for row in keys}

    # -- publish, commit, then query ---------------------------------------------------------

    def publish(self, outcome: Outcome, hashes: Iterable[int]) -> None:
        """Make a text findable as a candidate; doing so again does no harm."""
        self.publish_all([(outcome, hashes)])

    def publish_all(self, texts: Sequence[tuple[Outcome, Iterable[int]]]) -> list[int]:
        """Make texts findable as candidates, all in one commit; return the index's number of each, in order."""
        if not texts:
            return []
        rows = [{name: getattr(outcome, name) for name in PUBLISHED} for outcome, _ in texts]
        with self._connection(writes=True) as c:
            insert(c, INDEXED_TEXT, rows)
            ids = _text_ids(c, {outcome.article_id for outcome, _ in texts})
            insert(
                c,
                SHINGLE,
                [
                    {"hash": _signed(value), "indexed_text": ids[outcome.article_id, outcome.content16, outcome.rules8]}
                    for outcome, hashes in texts
                    for value in hashes
                ],
            )
        return [ids[outcome.article_id, outcome.content16, outcome.rules8] for outcome, _ in texts]

    def unpublished(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Return those outcomes whose readings cannot be found yet."""
        told = list(outcomes)
        with self._connection() as c:
            known = _text_ids(c, {outcome.article_id for outcome in told})
        return [o for o in told if (o.article_id, o.content16, o.rules8) not in known]

    def candidates(self, article_id: str, hashes: Iterable[int]) -> list[IndexedText]:
        """Return the latest readings of all members of the ten groups that share most with a text."""
        return self.candidates_of([(article_id, hashes)])[0]

    def candidates_of(
        self, texts: Sequence[tuple[str, Iterable[int]]], batch: Sequence[int] = (), start: int = 0
    ) -> list[list[IndexedText]]:
        """Return the candidates of many texts at once, each as `candidates` does.

        `batch` holds the numbers of texts that were published together, in order, and `texts` are those from `start`
        on: none of them finds a text behind it in the batch, so that each pair is found once, by the later text.
        Shingles found in more than 30 *groups* are template. Groups, not articles, are counted: an op-ed with many
        places must not become template to itself.
        """
        signed = [(article_id, {_signed(value) for value in hashes}) for article_id, hashes in texts]
        position = {number: at for at, number in enumerate(batch)}
        with self._connection() as c:
            postings = _postings(c, {value for _, hashes in signed for value in hashes}, batch)
            visible = [
                _visible(postings, article_id, hashes, position, start + n)
                for n, (article_id, hashes) in enumerate(signed)
            ]
            best = [_groups_sharing(shared) for shared in visible]
            members = _members(c, {group for groups in best for group in groups})
        return [
            [
                indexed
                for group in groups
                for indexed in _latest(members.get(group, ()), position, start + n)
                if indexed.article_id != article_id
            ]
            for n, ((article_id, _), groups) in enumerate(zip(signed, best, strict=True))
        ]

    def apply(self, seq: int, manifest: Manifest) -> bool:
        """Apply the manifest of that number, once and in order; return False where earlier ones are missing."""
        with self._connection(writes=True) as c:
            return apply_manifest(c, seq, manifest, self.own)

    # -- for the catalogue -------------------------------------------------------------------

    def groups_of(self, article_ids: Iterable[str]) -> dict[str, str]:
        """Return the primary of each of these articles."""
        query = sa.select(ARTICLE.c.article_id, ARTICLE.c.oped_id)
        with self._connection() as c:
            some = (c.execute(query.where(ARTICLE.c.article_id.in_(p))) for p in in_portions(article_ids))
            return {row.article_id: row.oped_id or row.article_id for rows in some for row in rows}

    def members(self) -> dict[str, Grouped]:
        """Return every article by its id, with its group."""
        with self._connection() as c:
            rows = c.execute(sa.select(ARTICLE.c.article_id, ARTICLE.c.source, PUBLISHED_OR_SEEN, ARTICLE.c.oped_id))
            return {row[0]: Grouped(*row) for row in rows}

    def renumbered(self, source: str, current: str) -> Renumbered:
        """Return which articles of a source are known under a number of the series `current` too, and which are not.

        Those of one op-ed are: by their text, by a redirect, or by headline and day.
        """
        with self._connection() as c:
            query = sa.select(ARTICLE.c.article_id, ARTICLE.c.oped_id).where(ARTICLE.c.source == source)
            places = {row[0]: row[1] for row in c.execute(query.order_by(ARTICLE.c.article_id))}
            linked = [(row.one, row.two, row.why) for row in c.execute(sa.select(LINK))]
            matched = [(row.one, row.two, "text") for row in c.execute(sa.select(MATCH.c.one, MATCH.c.two))]
        by_group: dict[str, list[str]] = {}
        for article_id, oped_id in places.items():
            by_group.setdefault(oped_id or article_id, []).append(article_id)
        whys: dict[tuple[str, str], set[str]] = {}
        for one, two, why in (*linked, *matched):
            whys.setdefault((min(one, two), max(one, two)), set()).add(why)
        found, not_found = [], []
        for members in by_group.values():
            new = [name for name in members if numbering(name) == current]
            for old in (name for name in members if numbering(name) != current):
                told = {name: whys.get((min(old, name), max(old, name)), set()) for name in new}
                if new:
                    best = max(new, key=lambda name: (len(told[name]), name))
                    found.append((old, best, tuple(sorted(told[best])) or ("another place",)))
                else:
                    not_found.append(old)
        return Renumbered(tuple(sorted(found)), tuple(sorted(not_found)))

    def pairs(self) -> Iterator[tuple[str, str, Overlap]]:
        """Yield every two articles that share text, with their overlap."""
        with self._connection() as c:
            for row in c.execution_options(yield_per=1000).execute(
                sa.select(MATCH.c.one, MATCH.c.two, MATCH.c.overlap)
            ):
                yield row.one, row.two, Overlap(**row.overlap)

    def changed_since(self, seq: int) -> list[str]:
        """Return the articles that any manifest after this number changed."""
        with self._connection() as c:
            return list(
                c.scalars(sa.select(ARTICLE.c.article_id).where(ARTICLE.c.changed > seq).order_by("article_id"))
            )

    def withdrawn_since(self, seq: int) -> list[str]:
        """Return the articles that a manifest after this number says were withdrawn."""
        with self._connection() as c:
            return list(
                c.scalars(sa.select(WITHDRAWN.c.article_id).where(WITHDRAWN.c.seq > seq).order_by("article_id"))
            )

    def state_of(self, article_id: str) -> ArticleState:
        """Return what the log says of one article."""
        (state,) = self.states_of([article_id])
        return state

    def states_of(self, article_ids: Iterable[str]) -> Iterator[ArticleState]:
        """Yield what the log says of each of these articles, in the order of their ids."""
        for some in in_portions(article_ids):
            with self._connection() as c:
                yield from _states(c, some)


def _states(c: sa.Connection, ids: list[str]) -> list[ArticleState]:
    def rows(table: sa.Table, *order: sa.ColumnElement[Any]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for row in c.execute(sa.select(table).where(table.c.article_id.in_(ids)).order_by(*order)):
            found.setdefault(row.article_id, []).append(row)
        return found

    articles = rows(ARTICLE)
    indexed = rows(INDEXED_TEXT, INDEXED_TEXT.c.seq)
    formerly = rows(FORMERLY, FORMERLY.c.was)
    addresses = rows(ADDRESS, ADDRESS.c.url)
    histories = histories_of(c, ids)
    matches = _matches(c, ids)
    sizes = _sizes(c, {row.oped_id for own in articles.values() for row in own})
    return [
        ArticleState(
            article_id=article_id,
            source=row.source,
            oped_id=row.oped_id,
            n_places=sizes[row.oped_id],
            gone_at=row.gone_at or "",
            first_archived_at=row.first_archived_at,
            discovered_by=row.discovered_by or "",
            history=tuple(histories.get(article_id, ())),
            indexed_texts=tuple(dict(r._mapping) for r in indexed.get(article_id, ()) if r.seq is not None),
            when=row.published_at or row.first_seen,
            formerly=tuple((r.was, r.content16) for r in formerly.get(article_id, ())),
            aliases=tuple(r.url for r in addresses.get(article_id, ())),
            matches=tuple(matches.get(article_id, ())),
        )
        for article_id in ids
        for row in articles.get(article_id, ())
    ]


def _sizes(c: sa.Connection, oped_ids: Iterable[str]) -> dict[str, int]:
    """Return how many articles each of these groups has."""
    of_group = sa.select(ARTICLE.c.oped_id, sa.func.count()).group_by(ARTICLE.c.oped_id)
    return {
        row[0]: row[1]
        for some in in_portions(oped_ids)
        for row in c.execute(of_group.where(ARTICLE.c.oped_id.in_(some)))
    }


def _matches(c: sa.Connection, ids: list[str]) -> dict[str, list[tuple[str, Match, str]]]:
    """Return the matches of each article, from its own side: its content16, the other text, when that was published."""
    pairs = sa.select(MATCH).where(sa.or_(MATCH.c.one.in_(ids), MATCH.c.two.in_(ids)))
    rows = list(c.execute(pairs.order_by(MATCH.c.one, MATCH.c.one16, MATCH.c.two, MATCH.c.two16)))
    others = {name for row in rows for name in (row.one, row.two)}
    born: dict[str, str] = {}
    for some in in_portions(others):
        born |= {
            r[0]: r[1]
            for r in c.execute(sa.select(ARTICLE.c.article_id, PUBLISHED_OR_SEEN).where(ARTICLE.c.article_id.in_(some)))
        }
    found: dict[str, list[tuple[str, Match, str]]] = {}
    for row in rows:
        one, two = (row.one, row.one16), (row.two, row.two16)
        for (own, own16), (other, other16) in ((one, two), (two, one)):
            if other in born:  # else it is of a part that is not logged yet
                match = Match(other, other16, Overlap(**row.overlap))
                found.setdefault(own, []).append((own16, match, born[other]))
    return found


def _text_ids(c: sa.Connection, article_ids: Iterable[str]) -> dict[tuple[str, ...], int]:
    """Return the number of every reading of these articles, by (article_id, content16, rules8)."""
    query = sa.select(INDEXED_TEXT.c.article_id, INDEXED_TEXT.c.content16, INDEXED_TEXT.c.rules8, INDEXED_TEXT.c.id)
    rows = (
        row for some in in_portions(article_ids) for row in c.execute(query.where(INDEXED_TEXT.c.article_id.in_(some)))
    )
    return {tuple(row[:3]): row.id for row in rows}


def histories_of(c: sa.Connection, article_ids: Iterable[str]) -> dict[str, list[SeenContent]]:
    """Return each article's sightings that gave a content, in the order of capture."""
    found: dict[str, list[SeenContent]] = {}
    for some in in_portions(article_ids):
        query = sa.select(SIGHTING).where(SIGHTING.c.article_id.in_(some), SIGHTING.c.content16 != "")
        for row in c.execute(query):
            step = SeenContent(datetime.fromisoformat(row.fetched_at), row.content16, row.rules8, row.capture_key)
            found.setdefault(row.article_id, []).append(step)
    return {article_id: sorted(steps) for article_id, steps in found.items()}


Posting = tuple[str, str, int]  # article, group, the index's number of the text


def _postings(c: sa.Connection, hashes: set[int], batch: Sequence[int]) -> dict[int, list[Posting]]:
    """Return where each shingle occurs, without those that are common beyond the texts of this batch."""
    joined = SHINGLE.join(INDEXED_TEXT, INDEXED_TEXT.c.id == SHINGLE.c.indexed_text).outerjoin(
        ARTICLE, ARTICLE.c.article_id == INDEXED_TEXT.c.article_id
    )
    elsewhere = [sa.not_(INDEXED_TEXT.c.id.between(min(batch), max(batch)))] if batch else []
    places = sa.select(SHINGLE.c.hash, INDEXED_TEXT.c.article_id, GROUP, INDEXED_TEXT.c.id).select_from(joined)
    found: dict[int, list[Posting]] = {}
    for some in in_portions(hashes):
        common = (
            sa.select(SHINGLE.c.hash)
            .select_from(joined)
            .where(SHINGLE.c.hash.in_(some), *elsewhere)
            .group_by(SHINGLE.c.hash)
            .having(sa.func.count(sa.distinct(GROUP)) > COMMON)
        )
        rare = sorted(set(some) - set(c.scalars(common)))  # two queries: as one, SQLite walks every text
        for value, *posting in c.execute(places.where(SHINGLE.c.hash.in_(rare))) if rare else ():
            found.setdefault(value, []).append(tuple(posting))
    return found


def _visible(
    postings: Mapping[int, list[Posting]], article_id: str, hashes: set[int], position: Mapping[int, int], at: int
) -> Iterator[set[str]]:
    """Yield, for each uncommon shingle of a text, the groups of the other articles that have it.

    Texts behind it in its batch are left out, from the count of groups as well.
    """
    for value in hashes:
        seen = [posting for posting in postings.get(value, ()) if position.get(posting[2], -1) <= at]
        if len({group for _, group, _ in seen}) <= COMMON:
            yield {group for other, group, _ in seen if other != article_id}


def _groups_sharing(shared_by: Iterable[set[str]]) -> list[str]:
    """Return the groups that share most uncommon shingles, the best first, at most ten."""
    shared: Counter[str] = Counter()
    for groups in shared_by:
        shared.update(groups)
    enough = [(-count, group) for group, count in shared.items() if count >= MIN_SHARED_HASHES]
    return [group for _, group in sorted(enough)[:CANDIDATE_GROUPS]]


def _members(c: sa.Connection, groups: set[str]) -> dict[str, list[tuple[int, IndexedText]]]:
    """Return every text of every member of these groups with its number, by group, in order of article and number."""
    when = sa.func.coalesce(ARTICLE.c.published_at, ARTICLE.c.first_seen, INDEXED_TEXT.c.published_at)
    joined = INDEXED_TEXT.outerjoin(ARTICLE, ARTICLE.c.article_id == INDEXED_TEXT.c.article_id)
    named = (INDEXED_TEXT.c.article_id, INDEXED_TEXT.c.content16, INDEXED_TEXT.c.record_key)
    columns = (INDEXED_TEXT.c.id, *named, when, GROUP.label("oped_id"))
    found: dict[str, list[tuple[int, IndexedText]]] = {}
    for some in in_portions(groups):
        grouped = sa.select(ARTICLE.c.article_id).where(ARTICLE.c.oped_id.in_(some))
        names = sorted({*some, *c.scalars(grouped)})
        for part in in_portions(names):
            query = sa.select(*columns).select_from(joined).where(INDEXED_TEXT.c.article_id.in_(part))
            for number, *row in c.execute(query.order_by(INDEXED_TEXT.c.article_id, INDEXED_TEXT.c.id)):
                indexed = IndexedText(*row)
                found.setdefault(indexed.oped_id, []).append((number, indexed))
    return found


def _latest(members: Iterable[tuple[int, IndexedText]], position: Mapping[int, int], at: int) -> list[IndexedText]:
    """Return the latest text of each article, leaving out those behind `at` in its batch."""
    return list({one.article_id: one for number, one in members if position.get(number, -1) <= at}.values())


def open_index(settings: Settings, archive_id: str, own: Iterable[str], may_replace: bool = True) -> Index:
    """Open the index of an archive, making it where there is none.

    An index that another version of this program made is replaced by an empty one or, with `may_replace` False, left
    alone: an empty one in memory is returned then. Raises `ForeignIndex` for another archive's index, `WrongUsage` for
    one that cannot be opened.
    """
    try:
        engine = _engine(_url(settings, archive_id))
        made = _make_tables(engine, archive_id, may_replace)
    except (sa.exc.ArgumentError, sa.exc.DBAPIError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise WrongUsage(
            f"the index cannot be opened ({reason}); it is derived: name another, or delete it and it is made anew"
        ) from error
    return Index(engine, own) if made else open_index(replace(settings, index=SCRATCH), archive_id, own)


def open_anew(settings: Settings, archive_id: str, own: Iterable[str]) -> tuple[Index, Path | None]:
    """Open an empty index where the settings say, whatever lies there; return it, and where a file that could not be
    read lies now.

    Raises `ForeignIndex` for another archive's index.
    """
    url = sa.make_url(_url(settings, archive_id))
    path, aside = sqlite.file_of(url), None
    if path is None:
        engine = open_index(settings, archive_id, own).engine
        META.drop_all(engine)
        engine.dispose()
    else:
        named = sqlite.archive_named(path)
        if named not in {"", archive_id}:
            raise ForeignIndex(FOREIGN)
        aside = sqlite.set_aside(path)
        if aside is not None and named:
            aside.unlink()
            aside = None
    return open_index(settings, archive_id, own), aside


def index_file(settings: Settings, archive_id: str) -> Path | None:
    """Return the file of an archive's index, or None where the index is a database on a server."""
    return sqlite.file_of(sa.make_url(_url(settings, archive_id)))


def _url(settings: Settings, archive_id: str) -> str:
    return settings.index or f"sqlite:///{settings.home / 'index' / f'{archive_id}.sqlite'}"


def _make_tables(engine: sa.Engine, archive_id: str, may_replace: bool) -> bool:
    """Make the tables, anew where another version of this program made them: the index is derived.

    Returns False where that would be needed and `may_replace` forbids it. Raises `ForeignIndex`.
    """
    with engine.begin() as c:
        _await_turn(c)
        META.create_all(c)
        initial = {"archive_id": archive_id, "seq": "0", "schema": INDEX_SCHEMA}
        insert(c, STATE, [{"name": name, "value": value} for name, value in initial.items()])
        found = {row.name: row.value for row in c.execute(sa.select(STATE))}
        if found["archive_id"] != archive_id:
            raise ForeignIndex(FOREIGN)
        if found["schema"] == INDEX_SCHEMA:
            return True
        if may_replace:
            META.drop_all(c)
            META.create_all(c)
            insert(c, STATE, [{"name": name, "value": value} for name, value in initial.items()])
        return may_replace


def _await_turn(c: sa.Connection) -> None:
    """Let one writer at a time into PostgreSQL, as SQLite does by itself: two could wait for each other for ever."""
    if c.dialect.name == "postgresql":
        c.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(url)
    sa.event.listen(engine, "handle_error", _translate_error)
    if engine.dialect.name == "sqlite":
        sqlite.prepare(engine)
    return engine


def _translate_error(context: sa.engine.ExceptionContext) -> None:
    """Raise our own error for a database that does not answer or is damaged; a mistake in a statement is another
    thing."""
    dbapi, error = context.dialect.loaded_dbapi, context.original_exception
    away = isinstance(error, dbapi.OperationalError)
    if context.dialect.name != "sqlite":  # where it tells of a value that no column takes
        away = away or isinstance(error, dbapi.InterfaceError)
    if away or getattr(error, "sqlite_errorcode", 0) & 0xFF in sqlite.DAMAGED:
        raise sqlite.explained(error, (str(error).splitlines() or [type(error).__name__])[0]) from error


def _signed(value: int) -> int:
    """Return an unsigned 64-bit number as the signed one of the same bits, which is what databases hold."""
    return value - 2**64 if value >= 2**63 else value
