"""The derived table of addresses, sightings and fingerprints, behind SQLAlchemy: SQLite here, PostgreSQL when shared.

Everything in it comes from manifests and records and can be made again from them. A reading is published
before its manifest exists, so that a second worker can find it as a candidate; it is *known* once a
manifest's number stands beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipelines.addresses import split_id
from pipelines.errors import ForeignIndex, WrongUsage
from pipelines.groups import Member, groups
from pipelines.log import Manifest
from pipelines.matches import Side, unites
from pipelines.nouns import Figures, Match, Outcome, Verdict
from pipelines.settings import Settings
from pipelines.verdict import Step

COMMON = 30  # groups; a run of words found in more of them is template
MIN_SHARED_HASHES = 2
CANDIDATE_GROUPS = 10
CONTENT = frozenset({Verdict.NEW, Verdict.UNCHANGED, Verdict.REVISED, Verdict.COPY})

_meta = sa.MetaData()
STATE = sa.Table("state", _meta, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
ARTICLE = sa.Table(
    "article", _meta,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("own", sa.Boolean, nullable=False, default=False),
    sa.Column("published_at", sa.Text),       # UTC; the earliest that any capture states
    sa.Column("first_seen", sa.Text),
    sa.Column("oped_id", sa.Text, index=True),
    sa.Column("gone_at", sa.Text),
    sa.Column("first_archived_at", sa.Text),
    sa.Column("discovered_by", sa.Text),
    sa.Column("changed", sa.Integer, nullable=False, index=True),  # the last manifest that changed anything here
)  # fmt: skip
READING = sa.Table(
    "reading", _meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("article_id", sa.Text, nullable=False),
    sa.Column("content16", sa.Text, nullable=False),
    sa.Column("rules8", sa.Text, nullable=False),
    sa.Column("record_key", sa.Text, nullable=False),
    sa.Column("published_at", sa.Text),
    sa.Column("listed", sa.Boolean, nullable=False, default=True),
    sa.Column("seq", sa.Integer),             # of the manifest that names it; null until then
    sa.UniqueConstraint("article_id", "content16", "rules8"),
)  # fmt: skip
SIGHTING = sa.Table(
    "sighting", _meta,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("fetched_at", sa.Text, primary_key=True),
    sa.Column("content16", sa.Text, primary_key=True),
    sa.Column("rules8", sa.Text),
    sa.Column("capture_key", sa.Text),
)  # fmt: skip
CAPTURE = sa.Table(
    "capture", _meta,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("article_id", sa.Text, index=True),
    sa.Column("seq", sa.Integer),
)  # fmt: skip
ADDRESS = sa.Table(
    "address", _meta, sa.Column("url", sa.Text, primary_key=True), sa.Column("article_id", sa.Text, index=True)
)
FORMERLY = sa.Table(
    "formerly", _meta,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("was", sa.Text, primary_key=True),
    sa.Column("content16", sa.Text),
)  # fmt: skip
SHINGLE = sa.Table(
    "shingle", _meta,
    sa.Column("hash", sa.BigInteger, primary_key=True),
    sa.Column("reading", sa.Integer, primary_key=True),
    sqlite_with_rowid=False,
)  # fmt: skip
MATCH = sa.Table(
    "match", _meta,
    sa.Column("one", sa.Text, primary_key=True),
    sa.Column("one16", sa.Text, primary_key=True),
    sa.Column("two", sa.Text, primary_key=True, index=True),
    sa.Column("two16", sa.Text, primary_key=True),
    sa.Column("figures", sa.JSON, nullable=False),
)  # fmt: skip
PART = sa.Table(
    "part", _meta,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """A text in the index: where its record lies, and in which group its article is."""

    article_id: str
    content16: str
    record_key: str
    when: str
    oped_id: str


@dataclass(frozen=True, slots=True)
class ArticleState:
    """All that arrival tells of one article; the catalogue's derived columns come from it."""

    article_id: str
    source: str
    oped_id: str
    gone_at: str
    first_archived_at: str
    discovered_by: str
    history: tuple[Step, ...]
    readings: tuple[dict[str, Any], ...]
    formerly: tuple[tuple[str, str], ...]
    aliases: tuple[str, ...]
    when: str
    matches: tuple[tuple[str, Match, str], ...]  # (own content16, the other, when that was published)


class Index:
    """See the module. Methods that write commit before they return, except inside `dry`."""

    def __init__(self, engine: sa.Engine, own: Iterable[str] = ("kjd",)) -> None:
        self.engine, self.own = engine, frozenset(own)
        self.held: sa.Connection | None = None

    @contextmanager
    def dry(self) -> Iterator[None]:
        """Let everything inside happen in one transaction that is rolled back at the end."""
        with self.engine.execution_options(writes=True).connect() as connection:
            self.held = connection
            try:
                yield
            finally:
                self.held = None
                connection.rollback()

    @contextmanager
    def _connection(self, writes: bool = False) -> Iterator[sa.Connection]:
        if self.held is not None:
            yield self.held
        else:
            with self.engine.execution_options(writes=writes).begin() as connection:
                yield connection

    # -- what is known -----------------------------------------------------------------------

    def seq(self) -> int:
        """Return the number of the last manifest applied."""
        with self._connection() as c:
            return int(c.scalar(sa.select(STATE.c.value).where(STATE.c.name == "seq")) or 0)

    def logged(self, run: str, part: str) -> bool:
        """Whether a manifest holds this part of a run."""
        with self._connection() as c:
            return c.scalar(sa.select(PART.c.seq).where(PART.c.run == run, PART.c.part == part)) is not None

    def history(self, article_id: str) -> list[Step]:
        """Return every sighting of an article that a manifest names, in the order of capture."""
        with self._connection() as c:
            return _history(c, article_id)

    def named(self, keys: Iterable[str]) -> set[str]:
        """Return those of the capture keys that a manifest names."""
        with self._connection() as c:
            return set(c.scalars(sa.select(CAPTURE.c.key).where(CAPTURE.c.key.in_(list(keys)))))

    def addresses(self, article_id: str) -> list[str]:
        """Return every address known for an article."""
        with self._connection() as c:
            return list(c.scalars(sa.select(ADDRESS.c.url).where(ADDRESS.c.article_id == article_id).order_by("url")))

    def record_key(self, article_id: str, content16: str) -> str:
        """Return where the last logged reading of a content lies, or an empty string."""
        query = (
            sa.select(READING.c.record_key)
            .where(READING.c.article_id == article_id, READING.c.content16 == content16, READING.c.seq.is_not(None))
            .order_by(READING.c.seq.desc())
        )
        with self._connection() as c:
            return c.scalar(query) or ""

    # -- publish, commit, then query ---------------------------------------------------------

    def publish(self, outcome: Outcome, hashes: Iterable[int]) -> None:
        """Make a reading findable as a candidate; again is harmless."""
        with self._connection(writes=True) as c:
            values = {
                "article_id": outcome.article_id, "content16": outcome.content16, "rules8": outcome.rules8,
                "record_key": outcome.record_key, "published_at": outcome.published_at, "listed": outcome.listed,
            }  # fmt: skip
            self._insert(c, READING, [values])
            same = (READING.c[name] == values[name] for name in ("article_id", "content16", "rules8"))
            reading = c.scalar(sa.select(READING.c.id).where(*same))
            self._insert(c, SHINGLE, [{"hash": _signed(value), "reading": reading} for value in hashes])

    def published(self, outcome: Outcome) -> bool:
        """Whether the reading that an outcome names can be found."""
        same = (getattr(READING.c, name) == getattr(outcome, name) for name in ("article_id", "content16", "rules8"))
        with self._connection() as c:
            return c.scalar(sa.select(READING.c.id).where(*same)) is not None

    def candidates(self, article_id: str, hashes: Iterable[int]) -> list[Reading]:
        """Return the latest readings of all members of the ten groups that share most.

        Runs found in more than 30 *groups* are template. Groups, not articles, are counted: an op-ed
        with many places must not become template to itself.
        """
        wanted = [_signed(value) for value in hashes]
        group = sa.func.coalesce(ARTICLE.c.oped_id, READING.c.article_id)
        joined = SHINGLE.join(READING, READING.c.id == SHINGLE.c.reading).outerjoin(
            ARTICLE, ARTICLE.c.article_id == READING.c.article_id
        )
        uncommon = (
            sa.select(SHINGLE.c.hash).select_from(joined).where(SHINGLE.c.hash.in_(wanted))
            .group_by(SHINGLE.c.hash).having(sa.func.count(sa.distinct(group)) <= COMMON)
        )  # fmt: skip
        shared = sa.func.count(sa.distinct(SHINGLE.c.hash)).label("shared")
        with self._connection() as c:
            rare = list(c.scalars(uncommon))  # two queries: as one, SQLite walks every reading
            best = (
                sa.select(group.label("oped_id"), shared).select_from(joined)
                .where(SHINGLE.c.hash.in_(rare), READING.c.article_id != article_id)
                .group_by(group).having(shared >= MIN_SHARED_HASHES)
                .order_by(shared.desc(), sa.literal_column("oped_id")).limit(CANDIDATE_GROUPS)
            )  # fmt: skip
            found = [row.oped_id for row in c.execute(best)] if rare else []
            if not found:
                return []
            when = sa.func.coalesce(ARTICLE.c.published_at, ARTICLE.c.first_seen, READING.c.published_at)
            members = {*found, *c.scalars(sa.select(ARTICLE.c.article_id).where(ARTICLE.c.oped_id.in_(found)))}
            query = (
                sa.select(READING.c.article_id, READING.c.content16, READING.c.record_key, when, group.label("oped_id"))
                .select_from(READING.outerjoin(ARTICLE, ARTICLE.c.article_id == READING.c.article_id))
                .where(READING.c.article_id.in_(members - {article_id}))
                .order_by(READING.c.article_id, READING.c.id)
            )
            latest = {row.article_id: Reading(*row) for row in c.execute(query)}
            return list(latest.values())

    # -- the log -----------------------------------------------------------------------------

    def apply(self, seq: int, manifest: Manifest) -> None:
        """Take in the manifest of that number, once and in order; groups are brought up to date."""
        with self._connection(writes=True) as c:
            if seq != int(c.scalar(sa.select(STATE.c.value).where(STATE.c.name == "seq")) or 0) + 1:
                return  # another worker was first
            for outcome in manifest.outcomes:
                self._apply_outcome(c, seq, manifest, outcome)
            touched = {o.article_id for o in manifest.outcomes if o.article_id}
            touched |= {match.article_id for o in manifest.outcomes for match in o.matches}
            self._regroup(c, seq, touched)
            self._insert(c, PART, [{"run": manifest.run, "part": manifest.part, "seq": seq}])
            c.execute(sa.update(STATE).where(STATE.c.name == "seq").values(value=str(seq)))

    def _apply_outcome(self, c: sa.Connection, seq: int, manifest: Manifest, o: Outcome) -> None:
        if o.capture_key:
            self._insert(c, CAPTURE, [{"key": o.capture_key, "article_id": o.article_id, "seq": seq}])
        if o.verdict in CONTENT:
            self._apply_content(c, seq, manifest, o)
        elif o.verdict is Verdict.REREAD:
            self._apply_reread(c, seq, o)
        elif o.verdict is Verdict.ALIAS and o.target:
            self._insert(c, ADDRESS, [{"url": o.url, "article_id": o.target}])
            c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id == o.target).values(changed=seq))
        elif o.verdict is Verdict.GONE:
            later = sa.exists().where(SIGHTING.c.article_id == o.article_id, SIGHTING.c.fetched_at > o.fetched_at)
            still = (ARTICLE.c.article_id == o.article_id, ARTICLE.c.gone_at.is_(None), ~later)
            gone = sa.update(ARTICLE).where(*still)
            c.execute(gone.values(gone_at=o.fetched_at, changed=seq))

    def _apply_content(self, c: sa.Connection, seq: int, manifest: Manifest, o: Outcome) -> None:
        source = split_id(o.article_id)[0]
        self._insert(c, ARTICLE, [{
            "article_id": o.article_id, "source": source, "own": source in self.own,
            "published_at": o.published_at or None, "first_seen": o.fetched_at,
            "first_archived_at": manifest.logged_at, "changed": seq, "discovered_by": ",".join(o.routes),
        }])  # fmt: skip
        known = c.execute(sa.select(ARTICLE).where(ARTICLE.c.article_id == o.article_id)).one()
        c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id == o.article_id).values(
            changed=seq, first_seen=min(known.first_seen, o.fetched_at),
            gone_at=known.gone_at if (known.gone_at or "") > o.fetched_at else None,
            published_at=min(filter(None, (known.published_at, o.published_at)), default=None),
        ))  # fmt: skip
        self._known_reading(c, seq, o)
        self._insert(c, SIGHTING, [{
            "article_id": o.article_id, "fetched_at": o.fetched_at, "content16": o.content16,
            "rules8": o.rules8, "capture_key": o.capture_key,
        }])  # fmt: skip
        self._insert(
            c, ADDRESS, [{"url": url, "article_id": o.article_id} for url in dict.fromkeys((o.url, *o.aliases))]
        )
        for m in o.matches:
            one, two = sorted(((o.article_id, o.content16), (m.article_id, m.content16)))
            figures = {name: getattr(m.figures, name) for name in m.figures.__dataclass_fields__}
            self._insert(
                c, MATCH, [{"one": one[0], "one16": one[1], "two": two[0], "two16": two[1], "figures": figures}]
            )

    def _known_reading(self, c: sa.Connection, seq: int, o: Outcome) -> None:
        if not o.record_key:
            return
        self._insert(c, READING, [{
            "article_id": o.article_id, "content16": o.content16, "rules8": o.rules8, "record_key": o.record_key,
            "published_at": o.published_at, "listed": o.listed,
        }])  # fmt: skip
        same = (READING.c.article_id == o.article_id, READING.c.content16 == o.content16, READING.c.rules8 == o.rules8)
        c.execute(sa.update(READING).where(*same, READING.c.seq.is_(None)).values(seq=seq))

    def _apply_reread(self, c: sa.Connection, seq: int, o: Outcome) -> None:
        self._known_reading(c, seq, o)
        seen = (
            SIGHTING.c.article_id == o.article_id,
            SIGHTING.c.content16 == o.was,
            SIGHTING.c.capture_key == o.capture_key,
        )
        c.execute(sa.update(SIGHTING).where(*seen).values(content16=o.content16, rules8=o.rules8))
        if o.was != o.content16:
            self._insert(c, FORMERLY, [{"article_id": o.article_id, "was": o.was, "content16": o.content16}])
        c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id == o.article_id).values(changed=seq))

    def _regroup(self, c: sa.Connection, seq: int, touched: set[str]) -> None:
        """Recompute the groups of everything connected with the touched articles."""
        figures = self._component(c, touched)
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

    def _component(self, c: sa.Connection, start: set[str]) -> dict[tuple[str, str], list[Figures]]:
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

    # -- for the catalogue -------------------------------------------------------------------

    def primaries(self) -> dict[str, str]:
        """Return the op-ed of every article."""
        with self._connection() as c:
            return {
                row.article_id: row.oped_id for row in c.execute(sa.select(ARTICLE.c.article_id, ARTICLE.c.oped_id))
            }

    def changed_since(self, seq: int) -> list[str]:
        """Return the articles that any manifest after this number changed."""
        with self._connection() as c:
            return list(
                c.scalars(sa.select(ARTICLE.c.article_id).where(ARTICLE.c.changed > seq).order_by("article_id"))
            )

    def state_of(self, article_id: str) -> ArticleState:
        """Return what the log tells of one article."""
        with self._connection() as c:
            row = c.execute(sa.select(ARTICLE).where(ARTICLE.c.article_id == article_id)).one()
            readings = sa.select(READING).where(READING.c.article_id == article_id, READING.c.seq.is_not(None))
            formerly = sa.select(FORMERLY.c.was, FORMERLY.c.content16).where(FORMERLY.c.article_id == article_id)
            pairs = sa.select(MATCH).where(sa.or_(MATCH.c.one == article_id, MATCH.c.two == article_id))
            return ArticleState(
                article_id=article_id,
                source=row.source,
                oped_id=row.oped_id,
                gone_at=row.gone_at or "",
                first_archived_at=row.first_archived_at,
                discovered_by=row.discovered_by or "",
                history=tuple(_history(c, article_id)),
                readings=tuple(dict(r._mapping) for r in c.execute(readings.order_by(READING.c.seq))),
                when=row.published_at or row.first_seen,
                formerly=tuple((r.was, r.content16) for r in c.execute(formerly.order_by(FORMERLY.c.was))),
                aliases=tuple(
                    c.scalars(sa.select(ADDRESS.c.url).where(ADDRESS.c.article_id == article_id).order_by("url"))
                ),
                matches=tuple(_oriented(c, r, article_id) for r in c.execute(pairs.order_by(MATCH.c.one, MATCH.c.two))),
            )

    def _insert(self, c: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Insert rows, leaving those that exist as they are."""
        if not rows:
            return
        if self.engine.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert as postgres_insert

            c.execute(postgres_insert(table).on_conflict_do_nothing(), rows)
        else:
            from sqlalchemy.dialects.sqlite import insert as sqlite_insert

            c.execute(sqlite_insert(table).on_conflict_do_nothing(), rows)


def open_index(settings: Settings, archive_id: str, own: Iterable[str] = ("kjd",)) -> Index:
    """Open the index of an archive, making it when there is none.

    Raises `ForeignIndex` when it was made for another archive, `WrongUsage` when it cannot be opened.
    """
    url = settings.index or f"sqlite:///{settings.home / 'index' / f'{archive_id}.sqlite'}"
    try:
        engine = sa.create_engine(url)
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine)
        _meta.create_all(engine)
    except (sa.exc.ArgumentError, sa.exc.OperationalError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise WrongUsage(f"OPEDS_INDEX cannot be opened: {reason}") from error
    index = Index(engine, own)
    with index._connection(writes=True) as c:
        index._insert(c, STATE, [{"name": "archive_id", "value": archive_id}, {"name": "seq", "value": "0"}])
        owner = c.scalar(sa.select(STATE.c.value).where(STATE.c.name == "archive_id"))
    if owner != archive_id:
        raise ForeignIndex(
            "OPEDS_INDEX belongs to another archive; name an empty database, or the archive it was made for"
        )
    return index


def _prepare_sqlite(engine: sa.Engine) -> None:
    """One writer at a time, waiting its turn; readers see a whole state. Not for network folders."""
    from pathlib import Path

    if engine.url.database and engine.url.database != ":memory:":
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA busy_timeout=30000")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _history(c: sa.Connection, article_id: str) -> list[Step]:
    query = sa.select(SIGHTING).where(SIGHTING.c.article_id == article_id)
    return sorted(
        Step(datetime.fromisoformat(row.fetched_at), row.content16, row.rules8, row.capture_key)
        for row in c.execute(query)
    )


def _oriented(c: sa.Connection, row: Any, article_id: str) -> tuple[str, Match, str]:
    own16, other, other16 = (
        (row.one16, row.two, row.two16) if row.one == article_id else (row.two16, row.one, row.one16)
    )
    when = sa.select(sa.func.coalesce(ARTICLE.c.published_at, ARTICLE.c.first_seen)).where(
        ARTICLE.c.article_id == other
    )
    return own16, Match(other, other16, Figures(**row.figures)), c.scalar(when) or ""


def _signed(value: int) -> int:
    """Return an unsigned 64-bit number as the signed one of the same bits, which is what databases hold."""
    return value - 2**64 if value >= 2**63 else value
