"""Which documents of a JSON Lines file are one article: the archive's own method, on anybody's texts."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

from pipelines.archive import manifests
from pipelines.clock import iso
from pipelines.copies.compare import Side, overlap_of, prepared, relation, worth_storing
from pipelines.copies.fingerprint import hashes_of
from pipelines.errors import WrongUsage
from pipelines.index.index import Grouped, Index, open_index
from pipelines.jobs.inputs import input_file
from pipelines.model import Match, Outcome, Overlap, Verdict
from pipelines.settings import Settings

UNDATED = datetime(9000, 1, 1, tzinfo=UTC)  # behind all that have a date: nothing known makes a text the first
BATCH = 400  # documents between two regroupings of the index


@dataclass(frozen=True, slots=True)
class Document:
    """One line of the file. `key` sorts as the lines do; `id` is the caller's own."""

    key: str
    id: Any
    text: str
    source: str
    when: str
    offset: int

    @property
    def article_id(self) -> str:
        """The name under which the index knows it."""
        return f"{self.source}-{self.key}"


def dedupe(path: Path, progress: Callable[[int], None] = lambda _: None) -> Iterator[dict[str, Any]]:
    """Yield one answer for each line, in order, after all were read: a later text may unite two groups.

    `progress` is told how many lines were read. Raises `WrongUsage`, naming the line, for a file that is not as it
    should be.
    """
    with tempfile.TemporaryDirectory(prefix="opeds-dedupe-") as folder, input_file(path) as file:
        index = open_index(Settings(index=f"sqlite:///{folder}/index.sqlite"), "dedupe", own=())
        seen: list[tuple[str, Any]] = []
        waiting = documents(file)
        while batch := list(islice(waiting, BATCH)):
            _take_in(index, batch, file)
            seen += [(document.article_id, document.id) for document in batch]
            progress(len(seen))
        yield from _answers(index, seen)


def _take_in(index: Index, batch: Sequence[Document], file: IO[bytes]) -> None:
    """Publish a batch, commit, then ask for each document's like; a pair that both find is compared once."""
    outcomes = [_outcome(document) for document in batch]
    hashes = [hashes_of(document.text) for document in batch]
    index.publish_all(list(zip(outcomes, hashes, strict=True)))
    texts = {document.article_id: document.text for document in batch}
    compared: set[frozenset[str]] = set()
    told = []
    asked = [(outcome.article_id, own) for outcome, own in zip(outcomes, hashes, strict=True)]
    for outcome, candidates in zip(outcomes, index.candidates_of(asked), strict=True):
        matches = []
        for candidate in candidates:
            pair = frozenset((outcome.article_id, candidate.article_id))
            if pair in compared:
                continue
            compared.add(pair)
            other = texts.get(candidate.article_id) or _text_at(file, int(candidate.record_key))
            mine = prepared(texts[outcome.article_id])
            found = overlap_of(outcome.article_id, mine, candidate.article_id, prepared(other))
            if worth_storing(found):
                matches.append(Match(candidate.article_id, candidate.content16, found))
        told.append(replace(outcome, matches=tuple(matches)))
    seq = index.seq() + 1
    index.apply(seq, manifests.Manifest("dedupe", str(seq), "", "", outcomes=tuple(told)))


def _text_at(file: IO[bytes], offset: int) -> str:
    file.seek(offset)
    return str(json.loads(file.readline())["text"])


def documents(file: IO[bytes]) -> Iterator[Document]:
    """Yield the file's documents; those without `published_at` follow the others, in the order of lines."""
    offset = 0
    for number, line in enumerate(iter(file.readline, b""), 1):
        at, offset = offset, offset + len(line)
        if line.strip():
            yield _document(line, number, at)
            file.seek(offset)


def _document(line: bytes, number: int, offset: int) -> Document:
    try:
        data = json.loads(line)
        text, own_id = data["text"], data["id"]
        if not isinstance(text, str):
            raise TypeError("text is no string")
    except (ValueError, KeyError, TypeError) as error:
        raise WrongUsage(
            f"line {number} is no document with `id` and `text` ({type(error).__name__}: {error})"
        ) from error
    source = "".join(c for c in str(data.get("source") or "") if c.isalnum()) or "unknown"
    return Document(f"{number:010d}", own_id, text, source, _moment(data.get("published_at"), number), offset)


def _moment(stated: object, number: int) -> str:
    """Return when a document was published, so that it sorts; without a date, the order of lines says it."""
    if not stated:
        return iso(UNDATED + timedelta(seconds=number))
    try:
        when = datetime.fromisoformat(str(stated))
    except ValueError as error:
        raise WrongUsage(f"line {number}: published_at {stated!r} is no date in ISO 8601") from error
    return iso(when if when.tzinfo else when.replace(tzinfo=UTC))


def _outcome(document: Document) -> Outcome:
    return Outcome(
        Verdict.NEW,
        document.article_id,
        document.article_id,
        fetched_at=document.when,
        content16=document.key,
        rules8="dedupe",
        record_key=str(document.offset),
        published_at=document.when,
    )


def _answers(index: Index, seen: Sequence[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what a caller reads; an edge that joins wins over one that stays apart."""
    members, ids = index.members(), dict(seen)
    sizes = Counter(member.oped_id for member in members.values())
    likes: dict[str, list[tuple[str, Overlap]]] = {}
    for one, two, found in index.pairs():
        later, earlier = sorted((one, two), key=lambda name: (members[name].when, name), reverse=True)
        likes.setdefault(later, []).append((earlier, found))
    for article_id, own_id in seen:
        member = members[article_id]
        this = _side(member)
        told = [(relation(this, _side(members[other]), f), other, f) for other, f in likes.get(article_id, ())]
        joined = next((one for one in told if one[1] == member.oped_id), None)
        apart = max((one for one in told if one[0] in {"contains", "quotes"}), key=lambda m: m[2].shared, default=None)
        best = joined or (apart if sizes[member.oped_id] == 1 else None)
        alone = "primary" if sizes[member.oped_id] > 1 else "none"
        kind, of, f = best or (alone, None, None)
        yield {
            "id": own_id,
            "group": ids[member.oped_id],
            "relation": kind,
            "of": ids[of] if of else None,
            "c_small": f.c_small if f else None,
            "c_large": f.c_large if f else None,
            "shared": f.shared if f else None,
            "spread": f.spread if f else None,
        }


def _side(member: Grouped) -> Side:
    return Side(member.article_id, _comparable(member.source, member.article_id), member.when)


def _comparable(source: str, article_id: str) -> str:
    """Documents that name no source are all of different ones."""
    return article_id if source == "unknown" else source
