"""Which op-eds are asked for, and where the words stand: SQL over the SQLite file.

English by FTS5's Porter stemmer; Korean by pieces of three letters, which find any part of a word; what is shorter is
looked for letter by letter.
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
from pipelines.exports.sqlite_file import SEARCHED, folded

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
IS_AN_OPED = "c.role = 'primary' AND c.is_latest AND c.listed"  # the view `opeds`


@dataclass(frozen=True)
class Wanted:
    """Which op-eds are asked for; empty means all. Days are Seoul's, and included."""

    since: date | None = None
    until: date | None = None
    source: str = ""  # that carries it, at any place
    kind: str = ""
    author: str = ""  # part of a name

    def sql(self) -> tuple[str, list[Any]]:
        """Return conditions over `catalogue AS c`, and the values of their `?`."""
        told = [IS_AN_OPED, *(["c.sort_at <> ''"] if self.since or self.until else [])]
        values: list[Any] = []
        for condition, value in (
            ("c.sort_at >= ?", _midnight(self.since, 0)),
            ("c.sort_at < ?", _midnight(self.until, 1)),
            ("c.kind = ?", self.kind),
            ("instr(folded(c.names), ?) > 0", folded(self.author)),
            (
                "EXISTS (SELECT 1 FROM catalogue AS p WHERE p.oped_id = c.oped_id AND p.is_latest AND p.source = ?)",
                self.source,
            ),
        ):
            if value:
                told.append(condition)
                values.append(value)
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

    english: tuple[str, ...]
    korean: tuple[str, ...]
    brief: tuple[str, ...]  # of Korean, too short for its index


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


def search_sql(terms: Terms, wanted: Wanted, order: str, limit: int) -> tuple[str, list[Any]]:
    """Return the question as SQL, and its values: rows of the file, each with a `passage`."""
    conditions, values = wanted.sql()
    joined = ""
    given: list[Any] = []
    found: list[str] = []
    passage, rank = "''", ""
    for table, some in (("search", terms.english), ("search_ko", terms.korean)):
        if not some:
            continue
        given.append(" ".join('"' + term.replace('"', '""') + '"' for term in some))
        if rank:  # the other table only says which of what was found stays: to join both would rank all of it
            found.append(f"c.id IN (SELECT rowid FROM {table} WHERE {table} MATCH ?)")  # noqa: S608
        else:
            joined = f" JOIN {table} ON {table}.rowid = c.id"
            found.append(f"{table} MATCH ?")
            passage = f"snippet({table}, -1, '{FOUND_BEGINS}', '{FOUND_ENDS}', '…', {AROUND_WORDS})"
            rank = f"bm25({table}, {WEIGHTS})" if table == "search" else f"bm25({table})"
    conditions = " AND ".join([*found, conditions])
    for term in terms.brief:
        conditions += f" AND ({' OR '.join(f'instr(c.{name}, ?)' for name in SEARCHED['search_ko'])})"
        values += [term] * len(SEARCHED["search_ko"])
    by = ORDERS[order].replace("rank", rank or ORDERS["newest"])
    columns = f"c.*, {ADDRESSES}, {N_VERSIONS}, {passage} AS passage"
    sql = f"SELECT {columns} FROM catalogue AS c{joined} WHERE {conditions} ORDER BY {by} LIMIT ?"  # noqa: S608
    return sql, [*given, *values, limit]


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
