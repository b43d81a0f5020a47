"""Which op-eds are asked for, and where the words stand: SQL over the SQLite file.

English by FTS5's Porter stemmer; Korean by pieces of three letters, which find any part of a word; what is shorter is
looked for by all pieces that begin so.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from unicodedata import normalize

from pipelines.clock import SEOUL, iso
from pipelines.errors import WrongUsage
from pipelines.exports.sqlite_file import ONE_OPED, WAS_CHANGED, folded

TERM = re.compile(r'"([^"]*)"|(\S+)')
KOREAN_LETTER = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
PIECE_LETTERS = 3  # letters of what the index of Korean holds
FOUND_BEGINS, FOUND_ENDS = "\x02", "\x03"  # around what was found, in a passage
AROUND_WORDS, AROUND_LETTERS = 40, 60  # of a passage
WEIGHTS = "10.0, 5.0, 5.0, 1.0"  # of headline, deck, names, text
ORDERS = {"best": "rank", "newest": "c.sort_at DESC, c.article_id", "oldest": "c.sort_at, c.article_id"}
ADDRESSES = (  # of all places, the primary first, as JSON
    "(SELECT json_group_array(canonical_url) FROM (SELECT canonical_url FROM catalogue AS p "
    "WHERE p.oped_id = c.oped_id AND p.is_latest ORDER BY p.role <> 'primary', p.article_id)) AS addresses"
)
N_VERSIONS = "(SELECT count(*) FROM catalogue AS v WHERE v.article_id = c.article_id) AS n_versions"
WAS_CORRECTED = f"c.article_id IN (SELECT article_id FROM catalogue WHERE {WAS_CHANGED})"  # noqa: S608
BEGINS_WITH = (
    "(SELECT coalesce(group_concat('\"' || replace(term, '\"', '\"\"') || '\"', ' OR '), '\"no such piece\"') "
    "FROM search_ko_pieces WHERE term BETWEEN ? AND ? || char(1114111))"
)


@dataclass(frozen=True)
class Wanted:
    """Which op-eds are asked for; empty means all. Days are Seoul's, and included."""

    since: date | None = None
    until: date | None = None
    source: str = ""  # that carries it, at any place
    kind: str = ""
    author: str = ""  # part of a name
    signed: str = ""  # a name as it stands
    corrected: bool = False  # only what the paper changed
    copied: bool = False  # only what stands at several places

    def sql(self) -> tuple[str, list[Any]]:
        """Return conditions over `catalogue AS c`, and the values of their `?`."""
        told = [ONE_OPED, *(["c.sort_at <> ''"] if self.since or self.until else [])]
        values: list[Any] = []
        for condition, value in (
            ("c.sort_at >= ?", _midnight(self.since, 0)),
            ("c.sort_at < ?", _midnight(self.until, 1)),
            ("c.kind = ?", self.kind),
            ("instr(folded(c.names), ?) > 0", folded(self.author)),
            ("instr('; ' || c.names || '; ', ?) > 0", self.signed and f"; {normalize('NFC', self.signed)}; "),
            (
                "EXISTS (SELECT 1 FROM catalogue AS p WHERE p.oped_id = c.oped_id AND p.is_latest AND p.source = ?)",
                self.source,
            ),
        ):
            if value:
                told.append(condition)
                values.append(value)
        told += [WAS_CORRECTED] if self.corrected else []
        told += ["c.n_places > 1"] if self.copied else []
        return " AND ".join(told), values


def _midnight(day: date | None, later: int) -> str:
    """Return when a day in Seoul, or a later one, begins (UTC), as the file spells it."""
    if day is None:
        return ""
    try:
        begins = datetime.combine(day + timedelta(days=later), time(), SEOUL).astimezone(UTC)
    except OverflowError:  # before the first year, or behind the last
        return "0" if day.year == 1 else "9999"
    return iso(begins)


@dataclass(frozen=True)
class Terms:
    """What is looked for: words and phrases with letters of Korean, and without."""

    english: tuple[str, ...] = ()
    korean: tuple[str, ...] = ()
    brief: tuple[str, ...] = ()  # of Korean, too short for its index


NO_TERMS = Terms()


def terms_in(asked: str) -> Terms:
    """Return the words and the "phrases in quotation marks" of a question; all of them must be found.

    >>> terms_in('"sea wall" 방파제 예산').korean
    ('방파제',)
    """
    plainly = normalize("NFC", "".join(sign if sign.isprintable() else " " for sign in asked))
    found = [(phrase or word).strip() for phrase, word in TERM.findall(plainly)]
    found = [term for term in found if any(sign.isalnum() for sign in term)]
    if not found:
        raise WrongUsage("what is to be looked for? opeds search 'words \"and a phrase\"'")
    korean = [term for term in found if KOREAN_LETTER.search(term)]
    return Terms(
        tuple(term for term in found if not KOREAN_LETTER.search(term)),
        tuple(term for term in korean if len(term) >= PIECE_LETTERS),
        tuple(term for term in korean if len(term) < PIECE_LETTERS),
    )


@dataclass(frozen=True)
class Question:
    """What is asked of the file, as SQL: where rows come from, which fit, with which values, and what ranks them."""

    source: str
    conditions: str
    values: tuple[Any, ...]
    passage: str
    rank: str


def as_sql(terms: Terms, wanted: Wanted) -> Question:
    """Return what is asked for as SQL over `catalogue AS c`."""
    conditions, values = wanted.sql()
    joined = ""
    given: list[Any] = []
    found: list[str] = []
    passage, rank = "''", ""
    for table, match, asked in _matches(terms):
        given += asked
        if rank or match == BEGINS_WITH:  # it only says which of what was found stays: to join all would rank all of it
            found.append(f"c.id IN ({_holding(table, match)})")
        else:
            joined = f" JOIN {table} ON {table}.rowid = c.id"
            found.append(f"{table} MATCH {match}")
            passage = f"snippet({table}, -1, '{FOUND_BEGINS}', '{FOUND_ENDS}', '…', {AROUND_WORDS})"
            rank = f"bm25({table}, {WEIGHTS})" if table == "search" else f"bm25({table})"
    conditions = " AND ".join([*found, conditions])
    return Question(f"catalogue AS c{joined}", conditions, (*given, *values), passage, rank)


def search_sql(terms: Terms, wanted: Wanted, order: str, limit: int, skip: int = 0) -> tuple[str, list[Any]]:
    """Return the question as SQL, and its values: rows of the file, each with a `passage`."""
    asked = as_sql(terms, wanted)
    by = ORDERS[order].replace("rank", asked.rank or ORDERS["newest"])
    columns = f"c.*, {ADDRESSES}, {N_VERSIONS}, {asked.passage} AS passage"
    sql = f"SELECT {columns} FROM {asked.source} WHERE {asked.conditions} ORDER BY {by} LIMIT ? OFFSET ?"  # noqa: S608
    return sql, [*asked.values, limit, skip]


def holding_sql(terms: Terms) -> tuple[str, list[str]]:
    """Return SQL for the numbers (`id`) of all rows that hold all terms, of any version and place, and its values."""
    found = _matches(terms)
    if not found:
        return "SELECT id FROM catalogue", []
    sql = " INTERSECT ".join(_holding(table, match) for table, match, _ in found)
    return sql, [value for *_, values in found for value in values]


def _matches(terms: Terms) -> list[tuple[str, str, list[str]]]:
    """Return what must all be found: in which table of search, what FTS5 matches there as SQL, and its values."""
    told = (("search", terms.english), ("search_ko", terms.korean))
    phrases = [(table, [" ".join(map(_phrase, some))]) for table, some in told if some]
    found = [(table, "?", values) for table, values in phrases]
    return found + [("search_ko", BEGINS_WITH, [term, term]) for term in terms.brief]


def _phrase(term: str) -> str:
    """Return a term as FTS5 wants a phrase."""
    return '"' + term.replace('"', '""') + '"'


def _holding(table: str, match: str) -> str:
    return f"SELECT rowid AS id FROM {table} WHERE {table} MATCH {match}"  # noqa: S608


def passage_of(row: sqlite3.Row, terms: Terms) -> str:
    """Return the passage of a row that was found: with short Korean words, what stands around the first of them."""
    if row["passage"]:
        return str(row["passage"])
    for term in (*terms.brief, *terms.korean):
        for text in (row["text_ko"], row["headline"], row["names"], row["text"]):
            at = text.find(term)
            if at >= 0:
                begin, end = max(0, at - AROUND_LETTERS), at + len(term) + AROUND_LETTERS
                before, after = text[begin:at], text[at + len(term) : end]
                marked = f"{before}{FOUND_BEGINS}{term}{FOUND_ENDS}{after}"
                return f"{'…' if begin else ''}{marked}{'…' if end < len(text) else ''}"
    return ""
