"""Which documents of a JSON Lines file are one article: the archive's own method, on anybody's texts."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from pipelines import log
from pipelines.errors import WrongUsage
from pipelines.fingerprint import hashes_of
from pipelines.index import ArticleState, Index, open_index
from pipelines.matches import QUOTED, Side, figures, prepared, relation
from pipelines.nouns import Match, Outcome, Verdict, iso
from pipelines.settings import Settings

UNDATED = datetime(9000, 1, 1, tzinfo=UTC)  # behind all that have a date: nothing known makes a text the first
BATCH = 200  # documents between two regroupings of the index


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


def dedupe(path: Path) -> Iterator[dict[str, Any]]:
    """Yield one answer for each line, in order, after all were read: a later text may unite two groups.

    Raises `WrongUsage`, naming the line, for a file that is not as it should be.
    """
    with tempfile.TemporaryDirectory(prefix="opeds-dedupe-") as folder, _opened(path) as file:
        index = open_index(Settings(index=f"sqlite:///{folder}/index.sqlite"), "dedupe", own=())
        seen: list[tuple[str, Any]] = []
        outcomes: list[Outcome] = []
        for document in documents(file):
            seen.append((document.article_id, document.id))
            outcomes.append(_outcome(index, document, file))
            if len(outcomes) == BATCH:
                _apply(index, outcomes)
        _apply(index, outcomes)
        ids, primaries = dict(seen), index.primaries()
        sizes = Counter(primaries.values())
        for article_id, own_id in seen:
            yield _answer(index.state_of(article_id), own_id, ids, sizes[primaries[article_id]])


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


def _outcome(index: Index, document: Document, file: IO[bytes]) -> Outcome:
    outcome = Outcome(
        Verdict.NEW, document.article_id, document.article_id, fetched_at=document.when, content16=document.key,
        rules8="dedupe", record_key=str(document.offset), published_at=document.when,
    )  # fmt: skip
    hashes = hashes_of(document.text)
    index.publish(outcome, hashes)
    mine = prepared(document.text)
    matches = []
    for candidate in index.candidates(document.article_id, hashes):
        file.seek(int(candidate.record_key))
        other = prepared(json.loads(file.readline())["text"])
        found = figures(document.article_id, mine, candidate.article_id, other)
        if found.shared >= QUOTED:
            matches.append(Match(candidate.article_id, candidate.content16, found))
    return replace(outcome, matches=tuple(matches))


def _apply(index: Index, outcomes: list[Outcome]) -> None:
    seq = index.seq() + 1
    index.apply(seq, log.Manifest("dedupe", str(seq), "", "", outcomes=tuple(outcomes)))
    outcomes.clear()


def _answer(state: ArticleState, own_id: Any, ids: dict[str, Any], size: int) -> dict[str, Any]:
    """Return what a caller reads; an edge that joins wins over one that stays apart."""
    this = Side(state.article_id, _comparable(state.source, state.article_id), state.when)
    told: list[tuple[str, Match]] = []
    for _, match, when in state.matches:
        other = Side(match.article_id, _comparable(match.article_id.partition("-")[0], match.article_id), when)
        if (other.when, other.article_id) < (this.when, this.article_id):
            told.append((relation(this, other, match.figures), match))
    joined = next((m for m in told if m[1].article_id == state.oped_id), None)
    apart = max((m for m in told if m[0] in {"contains", "quotes"}), key=lambda m: m[1].figures.shared, default=None)
    alone = "primary" if size > 1 else "none"
    kind, best = joined or ((alone, None) if size > 1 or apart is None else apart)
    return {
        "id": own_id,
        "group": ids[state.oped_id],
        "relation": kind,
        "of": ids[best.article_id] if best else None,
        "c_small": best.figures.c_small if best else None,
        "c_large": best.figures.c_large if best else None,
        "shared": best.figures.shared if best else None,
        "spread": best.figures.spread if best else None,
    }


def _comparable(source: str, article_id: str) -> str:
    """Documents that name no source are all of different ones."""
    return article_id if source == "unknown" else source


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise WrongUsage(f"cannot read {path}: {error.strerror}") from error
