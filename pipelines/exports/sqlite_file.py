"""The catalogue as one SQLite file with full-text search: what the client reads, what is exported, what one browses.

Made once from the table of articles, and brought up to date by what changed there. Its table `catalogue` has the
columns of `catalogue/articles`, and the views of docs/schema.md stand beside it under the same names.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

from pipelines.catalogue.rows import Row, in_lists
from pipelines.catalogue.schema import ARTICLE_COLUMNS, VIEWS
from pipelines.clock import iso, iso_exact, published_key
from pipelines.errors import StoreUnavailable
from pipelines.versions import OTHER_RULES

FILE_SCHEMA = "opeds/sqlite/3"  # of the file; one of another kind is made anew
LEFT_OUT = frozenset({"sketch"})  # of the table's columns: of no use without our code
JSON_COLUMNS = frozenset(
    "reasons authors captions images related embeds emails rights_signals witnesses steps formerly matches "
    "discovered_by aliases".split()
)
MOMENT_COLUMNS = frozenset("published_at modified_at fetched_at first_seen first_archived_at gone_at".split())
FLAG_COLUMNS = frozenset({"is_latest", "listed"})
NUMBER_COLUMNS = frozenset("word_count unaccounted restored n_places words_added words_removed year".split())
RATIO_COLUMNS = frozenset({"coverage", "reader_agreement"})
LONG_COLUMNS = ("steps", "matches", "witnesses", "text", "text_ko")  # what stands behind them is slow to read
STORED = (*(name for name in ARTICLE_COLUMNS if name not in {*LEFT_OUT, *LONG_COLUMNS}), *LONG_COLUMNS)
ADDED = {  # what the file has beside the table's columns
    "names": "the authors' names, joined by `; `",
    "sort_at": "when it was published, to sort by: of a day its last second in Seoul; empty if unknown",
}
FILLED = (*ADDED, *STORED)
INSERT = f"INSERT INTO catalogue ({', '.join(FILLED)}) VALUES ({', '.join('?' * len(FILLED))})"  # noqa: S608
ROWS_WRITTEN = 500
ONE_OPED = "role = 'primary' AND is_latest AND listed"  # the view `opeds`
WAS_CHANGED = f"previous <> '' AND kind_of_change <> '{OTHER_RULES}'"  # by the paper: a row of the view `corrections`
PATIENCE = 60.0  # seconds for which another process may hold the file
SEARCHED = {"search": ("headline", "deck", "names", "text"), "search_ko": ("headline", "names", "text", "text_ko")}
TOKENIZERS = {"search": "porter unicode61 remove_diacritics 2", "search_ko": "trigram"}
ONLY_WHERE = {"search": "", "search_ko": "AND (text_ko <> '' OR headline || names || text GLOB '*[가-힣]*')"}
OnRead = Callable[[int, int], None]  # rows done, of how many


@dataclass(frozen=True)
class About:
    """What a file says of itself: of which archive it is, and how far it goes."""

    archive_id: str = ""
    seq: int = 0  # the last manifest in it
    version: int = -1  # of the table of articles
    withdrawn: int = 0  # tombstones: where more are now, the file is made anew, and holds nothing of them
    schema: str = FILE_SCHEMA


def connect(path: Path, writes: bool = False) -> sqlite3.Connection:
    """Open a file; raise `StoreUnavailable` for what is none."""
    address = path.absolute().as_uri() + ("?mode=rwc" if writes else "?mode=ro")
    try:
        connection = sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.create_function("folded", 1, folded, deterministic=True)
        connection.execute("PRAGMA secure_delete = ON" if writes else "PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot open {path}: {error}; remove it, and it is made anew") from error
    return connection


def folded(text: str | None) -> str:
    """Return a text as names are compared: composed, in small letters of every script."""
    return normalize("NFC", text or "").casefold()


def about_of(path: Path) -> About | None:
    """Return what a file says of itself; None where there is none, or none of ours."""
    if not path.exists():
        return None
    try:
        with closing(connect(path)) as connection:
            told = dict(connection.execute("SELECT name, value FROM about").fetchall())
        return About(told["archive_id"], int(told["seq"]), int(told["version"]), int(told["withdrawn"]), told["schema"])
    except (sqlite3.Error, StoreUnavailable, KeyError, ValueError):
        return None  # whatever lies there is made anew


def make(path: Path, rows: Iterable[Row], about: About, of: int, progress: OnRead) -> None:
    """Write a file anew from rows, `of` of them; whoever reads the old one goes on reading that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with closing(connect(aside, writes=True)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            _create(connection)
            connection.execute("BEGIN")
            done = 0
            for some in in_lists(map(_stored, rows), ROWS_WRITTEN):
                connection.executemany(INSERT, some)
                done += len(some)
                progress(done, max(of, done))
            _fill_search(connection)
            _say(connection, about)
            connection.execute("COMMIT")
            connection.execute("PRAGMA synchronous = FULL")
        aside.replace(path)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot write {path}: {error}") from error
    finally:
        aside.unlink(missing_ok=True)


def update(path: Path, article_ids: Sequence[str], rows: Iterable[Row], before: About, about: About) -> bool:
    """Replace the rows of these articles in one transaction; return False where another process was first."""
    with closing(connect(path, writes=True)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            if dict(connection.execute("SELECT name, value FROM about").fetchall())["version"] != str(before.version):
                connection.execute("ROLLBACK")
                return False
            for article_id in article_ids:
                for table, columns in SEARCHED.items():
                    connection.execute(_unsearch(table, columns), (article_id,))
                connection.execute("DELETE FROM catalogue WHERE article_id = ?", (article_id,))
            top = connection.execute("SELECT coalesce(max(id), 0) FROM catalogue").fetchone()[0]
            for some in in_lists(map(_stored, rows), ROWS_WRITTEN):
                connection.executemany(INSERT, some)
            _fill_search(connection, top)
            _say(connection, about)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise StoreUnavailable(
                f"cannot bring {path} up to date: {error}; remove it, and it is made anew"
            ) from error
    return True


def copy_sorted(source: sqlite3.Connection, path: Path, about: About, where: str, values: Sequence[Any]) -> int:
    """Write the rows of a file that fit to a file of their own, in order, so that equal rows give equal bytes; return
    how many there are. `where` is SQL over `catalogue`, `values` what it names by `?`."""
    path.unlink(missing_ok=True)
    with closing(connect(path, writes=True)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        _create(connection)
        names = ", ".join(FILLED)
        rows = source.execute(
            f"SELECT {names} FROM catalogue {where} ORDER BY article_id, first_seen, content16",  # noqa: S608
            values,
        )
        connection.execute("BEGIN")
        while some := rows.fetchmany(ROWS_WRITTEN):
            connection.executemany(INSERT, [tuple(row) for row in some])
        _fill_search(connection)
        _say(connection, about)
        connection.execute("COMMIT")
        connection.execute("VACUUM")
        return int(connection.execute("SELECT count(*) FROM catalogue").fetchone()[0])


# -- what is in it -----------------------------------------------------------------------------------------------


def _type_of(column: str) -> str:
    if column in NUMBER_COLUMNS | FLAG_COLUMNS:
        return "INTEGER"
    return "REAL" if column in RATIO_COLUMNS else "TEXT"


def _create(connection: sqlite3.Connection) -> None:
    said = ARTICLE_COLUMNS | ADDED
    columns = "".join(f"\n, {name} {_type_of(name)} -- {said[name]}" for name in FILLED)
    connection.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT)")
    connection.execute(f"CREATE TABLE catalogue (id INTEGER PRIMARY KEY{columns}\n)")
    for name, what, where in (
        ("by_article", "article_id, first_seen", ""),
        ("by_oped", "oped_id", ""),
        ("by_kind", "kind, published_day", ""),
        ("by_day", "sort_at", ONE_OPED),  # each op-ed once: what lists and searches go through
        ("by_change", "first_seen, article_id", "previous <> ''"),
    ):
        connection.execute(f"CREATE INDEX {name} ON catalogue ({what}){f' WHERE {where}' if where else ''}")
    for table, names in SEARCHED.items():
        connection.execute(
            f"CREATE VIRTUAL TABLE {table} USING fts5({', '.join(names)}, content='catalogue', content_rowid='id', "
            f"tokenize='{TOKENIZERS[table]}')"
        )
    connection.execute("CREATE VIRTUAL TABLE search_ko_pieces USING fts5vocab(search_ko, row)")
    for name, sql in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {sql}")


def _fill_search(connection: sqlite3.Connection, behind: int = 0) -> None:
    """Make rows behind a number findable. Only texts with Korean go into the table of three-letter pieces."""
    for table, columns in SEARCHED.items():
        names = ", ".join(columns)
        chosen = f"SELECT id, {_indexed(table)} FROM catalogue WHERE id > ? {ONLY_WHERE[table]} ORDER BY id"  # noqa: S608
        connection.execute(f"INSERT INTO {table}(rowid, {names}) {chosen}", (behind,))
        if not behind:
            connection.execute(f"INSERT INTO {table}({table}) VALUES ('optimize')")  # noqa: S608


def _indexed(table: str) -> str:
    """Return the columns as a table of search has them: Korean with a sign behind, so that a word at the end of a text
    begins a piece of three letters too."""
    behind = " || char(10)" if table == "search_ko" else ""
    return ", ".join(f"{name}{behind}" for name in SEARCHED[table])


def _unsearch(table: str, columns: Sequence[str]) -> str:
    names = ", ".join(columns)
    return (
        f"INSERT INTO {table}({table}, rowid, {names}) SELECT 'delete', id, {_indexed(table)} FROM catalogue "  # noqa: S608
        f"WHERE article_id = ? {ONLY_WHERE[table]}"
    )


def _say(connection: sqlite3.Connection, about: About) -> None:
    told = [(name, str(value)) for name, value in sorted(asdict(about).items())]
    connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", told)


def _stored(row: Row) -> tuple[Any, ...]:
    """Return the values of a row of the table of articles as SQLite holds them, in order."""
    names = "; ".join(author["name"] for author in row["authors"] or ())
    at = published_key(row["published_at"], row["published_day"])
    sort_at = iso(at) if at else ""
    return (normalize("NFC", names), sort_at, *(_plainly(name, row.get(name)) for name in STORED))


def _plainly(name: str, value: Any) -> Any:
    if name in JSON_COLUMNS:
        return json.dumps(value or [], ensure_ascii=False, sort_keys=True, default=iso_exact)
    if isinstance(value, datetime):
        return iso_exact(value)
    return value.isoformat() if isinstance(value, date) else value


def row_of(found: sqlite3.Row | Mapping[str, Any]) -> Row:
    """Return a row as the table of articles gives it, from one of the file: moments, days, flags and lists again."""
    row = dict(found)
    for name in row.keys() & (JSON_COLUMNS | {"addresses"}):
        row[name] = json.loads(row[name])
    for name in row.keys() & MOMENT_COLUMNS:
        row[name] = _moment(row[name])
    for name in row.keys() & FLAG_COLUMNS:
        row[name] = bool(row[name])
    if row.get("published_day"):
        row["published_day"] = date.fromisoformat(row["published_day"])
    for step in row.get("steps", ()):
        step["from"], step["to"] = _moment(step["from"]), _moment(step["to"])
    return row


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
