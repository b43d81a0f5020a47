"""The tables of the index, one text for SQLite and PostgreSQL. Everything in them can be made again from the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

AT_ONCE = 500  # values in one statement
T = TypeVar("T", str, int)

META = sa.MetaData()
STATE = sa.Table("state", META, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
ARTICLE = sa.Table(
    "article",
    META,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("own", sa.Boolean, nullable=False, default=False),
    sa.Column("published_at", sa.Text),  # UTC; the earliest that any capture states
    sa.Column("first_seen", sa.Text),
    sa.Column("oped_id", sa.Text, index=True),
    sa.Column("gone_at", sa.Text),  # derived from MISSED and SIGHTING: update.py
    sa.Column("first_archived_at", sa.Text),
    sa.Column("discovered_by", sa.Text),
    sa.Column("changed", sa.Integer, nullable=False, index=True),  # the last manifest that changed anything here
)
INDEXED_TEXT = sa.Table(
    "indexed_text",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("article_id", sa.Text, nullable=False),
    sa.Column("content16", sa.Text, nullable=False),
    sa.Column("rules8", sa.Text, nullable=False),
    sa.Column("record_key", sa.Text, nullable=False),
    sa.Column("published_at", sa.Text),
    sa.Column("listed", sa.Boolean, nullable=False, default=True),
    sa.Column("seq", sa.Integer),  # of the manifest that names it; null until then
    sa.UniqueConstraint("article_id", "content16", "rules8"),
)
SIGHTING = sa.Table(
    "sighting",
    META,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("fetched_at", sa.Text, primary_key=True),
    sa.Column("content16", sa.Text, primary_key=True),  # empty for a page that was set aside
    sa.Column("rules8", sa.Text),
    sa.Column("capture_key", sa.Text),
)
MISSED = sa.Table(  # every look at an article's address that brought no page
    "missed",
    META,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("seen_at", sa.Text, primary_key=True),
    sa.Column("gone", sa.Boolean, nullable=False),  # nothing was there; else it led elsewhere for the moment
    sa.Column("final", sa.Boolean, nullable=False),  # the answer was 410
)
CAPTURE = sa.Table(
    "capture",
    META,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("article_id", sa.Text, index=True),
    sa.Column("seq", sa.Integer),
    sa.Column("sha256", sa.Text),  # of the file; null where only manifests of the first schema name it
)
ADDRESS = sa.Table(
    "address", META, sa.Column("url", sa.Text, primary_key=True), sa.Column("article_id", sa.Text, index=True)
)
FORMERLY = sa.Table(
    "formerly",
    META,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("was", sa.Text, primary_key=True),
    sa.Column("content16", sa.Text),
)
SHINGLE = sa.Table(
    "shingle",
    META,
    sa.Column("hash", sa.BigInteger, primary_key=True),
    sa.Column("indexed_text", sa.Integer, primary_key=True),
    sqlite_with_rowid=False,
)
MATCH = sa.Table(
    "match",
    META,
    sa.Column("one", sa.Text, primary_key=True),
    sa.Column("one16", sa.Text, primary_key=True),
    sa.Column("two", sa.Text, primary_key=True, index=True),
    sa.Column("two16", sa.Text, primary_key=True),
    sa.Column("overlap", sa.JSON, nullable=False),
)
TITLED = sa.Table(  # the newspaper's own articles by headline and day: versions.title16
    "titled",
    META,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("title16", sa.Text, primary_key=True, index=True),
)
LINK = sa.Table(  # two of the newspaper's own numbers that are one op-ed, whatever their texts say
    "link",
    META,
    sa.Column("one", sa.Text, primary_key=True),
    sa.Column("two", sa.Text, primary_key=True, index=True),
    sa.Column("why", sa.Text, primary_key=True),  # redirect or headline
)
WITHDRAWN = sa.Table(  # articles of which nothing else is here
    "withdrawn",
    META,
    sa.Column("article_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False, index=True),  # of the manifest that says so
)
PART = sa.Table(
    "part",
    META,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer),
    sa.Column("sha256", sa.Text),  # of the manifest
)
CRAWL = sa.Table(  # summaries that a manifest names
    "crawl", META, sa.Column("key", sa.Text, primary_key=True), sa.Column("sha256", sa.Text)
)
DAY = sa.Table(
    "day",
    META,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("sources", sa.Text, primary_key=True),  # that a closing is about, sorted, with spaces between
    sa.Column("seq", sa.Integer, nullable=False),  # of the last manifest that closed the day for these
    sa.Column("said", sa.Text, nullable=False),  # digest of what it says
    sa.Column("unproved", sa.Boolean, nullable=False),
)


def insert(c: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, leaving those that exist as they are."""
    if not rows:
        return
    if c.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        c.execute(postgres_insert(table).on_conflict_do_nothing(), rows)
    else:
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        c.execute(sqlite_insert(table).on_conflict_do_nothing(), rows)


def in_portions(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield values in lists that a database takes in one statement."""
    waiting = iter(sorted(values))
    while some := list(islice(waiting, AT_ONCE)):
        yield some
