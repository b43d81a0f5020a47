"""What was asked of a public archive, as it lies in the bucket: a run goes on from the list of these objects."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

from pipelines.archive.crawl_summary import Tried
from pipelines.archive.keys import past_folder
from pipelines.archive.record import to_json
from pipelines.archive.store import Store, read_many
from pipelines.errors import MALFORMED, DamagedObject
from pipelines.past.choice import Sorted, by_article
from pipelines.past.months import IndexSpan, spans_of
from pipelines.past.questions import ASKED_WHOLE, ArchivedRow, read_answer
from pipelines.sources import Source
from pipelines.sources.public import PublicArchive

ANSWER_SCHEMA, NOTE_SCHEMA = "opeds/index-answer/1", "opeds/asked/1"
MOST_ANSWER = 64_000_000  # bytes of an index answer, unzipped


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """One answer of an index: the question's state, what to ask next, when it came, and its text as it came."""

    key: str
    state: str
    next: str
    obtained_at: str
    text: str = field(repr=False)
    sha256: str = ""  # of the object


def span_folder(source: str, archive: str, span: IndexSpan) -> str:
    """Return the folder of a part of the index: `crawls/<source>/past/<archive>/<prefix8>/<month>/`."""
    return past_folder(source, archive, span.name, span.since)


def answer_key(source: str, archive: str, span: IndexSpan, page: int) -> str:
    """Return the key of one answer; pages count from 1, over all times that the part was asked for."""
    return f"{span_folder(source, archive, span)}{page:04d}.json.gz"


def answer_body(asked: str, answer: IndexAnswer) -> bytes:
    """Return an answer as it lies in the bucket."""
    told = {"schema": ANSWER_SCHEMA, "asked": asked, "state": answer.state, "next": answer.next}
    told |= {"obtained_at": answer.obtained_at, "answer": answer.text}
    return gzip.compress(to_json(told), mtime=0)


def parse_answer(key: str, body: bytes) -> IndexAnswer:
    """Return an answer from its object; raise `DamagedObject`."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as file:
            told: dict[str, Any] = json.loads(file.read(MOST_ANSWER))
        if told["schema"] != ANSWER_SCHEMA:
            raise ValueError(f"of another schema: {told['schema']!r}")
        state, following, obtained_at, text = (told[name] for name in ("state", "next", "obtained_at", "answer"))
        if not all(isinstance(part, str) for part in (state, following, obtained_at, text)):
            raise TypeError("a part of it is no text")
        return IndexAnswer(key, state, following, obtained_at, text, hashlib.sha256(body).hexdigest())
    except (*MALFORMED, OSError, EOFError) as error:
        raise DamagedObject(key, error) from error


def answers_of(store: Store, source: str, archive: str, span: IndexSpan) -> list[IndexAnswer]:
    """Return the answers about a part of the index, in the order in which they were asked."""
    keys = sorted(store.keys(span_folder(source, archive, span)))
    return [parse_answer(key, body) for key, body in read_many(store, keys)]


def next_state(answers: list[IndexAnswer], first: str, refresh_before: str) -> str:
    """Return what to ask next about a part of the index; `ASKED_WHOLE` where it is known.

    One that was asked to its end before `refresh_before` (ISO 8601) is asked anew from `first`.
    """
    if not answers:
        return first
    last = answers[-1]
    if last.next != ASKED_WHOLE:
        return last.next
    return first if last.obtained_at < refresh_before else ASKED_WHOLE


def rows_told(archive: PublicArchive, answers: Iterable[IndexAnswer]) -> Iterator[ArchivedRow]:
    """Yield the rows of stored answers."""
    for answer in answers:
        yield from read_answer(archive, answer.state, answer.text, ()).rows


# -- what came of the pages asked for -----------------------------------------------------------------------------


def notes_folder(source: str, archive: str, month: str) -> str:
    """Return the folder of a month's notes: `crawls/<source>/past/<archive>/asked/<month>/`."""
    return past_folder(source, archive, "asked", month)


def note_body(note: Tried) -> bytes:
    """Return a note as it lies in the bucket."""
    return to_json({"schema": NOTE_SCHEMA, **{name: value for name, value in asdict(note).items() if value}})


def parse_note(key: str, body: bytes) -> Tried:
    """Return a note from its object; raise `DamagedObject`."""
    try:
        told: Mapping[str, Any] = json.loads(body)
        if told["schema"] != NOTE_SCHEMA:
            raise ValueError(f"of another schema: {told['schema']!r}")
        return Tried(**{name: value for name, value in told.items() if name != "schema"})
    except MALFORMED as error:
        raise DamagedObject(key, error) from error


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A note and the digest of its object."""

    key: str
    note: Tried
    sha256: str


def notes_of(store: Store, source: str, archive: str, month: str) -> dict[str, StoredNote]:
    """Return a month's notes by the names of their rows."""
    found = {}
    for key, body in read_many(store, sorted(store.keys(notes_folder(source, archive, month)))):
        name = key.rpartition("/")[2].removesuffix(".json")
        found[name] = StoredNote(key, parse_note(key, body), hashlib.sha256(body).hexdigest())
    return found


@dataclass
class StoredMonth:
    """What the bucket knows of a month at a public archive: what the index has, and what came of it so far.

    `notes` and their objects' `digests` are by the name of the row, the digests of the index's `answers` by key;
    `waiting` are the names of rows that another run should ask for again.
    """

    month: str
    sorted: Sorted
    notes: dict[str, Tried]
    digests: dict[str, str]
    answers: dict[str, str]
    waiting: set[str] = field(default_factory=set)
    spared: set[str] = field(default_factory=set)  # articles of which the bucket has an older page already


def month_in(store: Store, source: Source, archive: PublicArchive, month: str) -> StoredMonth:
    """Return what the bucket knows of a month at a public archive."""
    rows: list[ArchivedRow] = []
    seen: dict[str, str] = {}
    for span in spans_of(source, archive, month):
        answers = answers_of(store, source.name, archive.name, span)
        seen |= {answer.key: answer.sha256 for answer in answers}
        rows += [row for row in rows_told(archive, answers) if span.holds(row.stamp, month)]
    found = notes_of(store, source.name, archive.name, month)
    notes = {name: one.note for name, one in found.items()}
    digests = {name: one.sha256 for name, one in found.items()}
    return StoredMonth(month, by_article(rows, source), notes, digests, seen)
