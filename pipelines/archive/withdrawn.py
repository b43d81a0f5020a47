"""Tombstones: what was withdrawn, when and why, and by what it is known again. They hold nothing of its text.

All that fetches, ingests, re-extracts or verifies reads them, so that a withdrawn op-ed does not come back, neither
under its own address nor as a copy elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.archive.record import to_json
from pipelines.archive.store import Store, read_many
from pipelines.copies.fingerprint import hashes_in
from pipelines.errors import MALFORMED, DamagedObject

WITHDRAWAL_SCHEMA = "opeds/withdrawal/1"
WITHDRAWN_FOLDER = "withdrawn/"
OF_WITHDRAWN, OF_OTHER = 0.6, 0.4  # of their sampled hashes: a text that shares so many is the withdrawn one
LEAST_SHARED = 3  # sampled hashes; of shorter texts only an equal one is known again
LEAST_TEXT, LEAST_LINE = 20, 4  # words: of a text that is known again by being equal, of a line that is blanked
EXCERPT_LETTERS = 80  # of a text that was taken out of a page: what a record keeps of it
WITHDRAWN_LINE = "[withdrawn]"


@dataclass(frozen=True)
class Tombstone:
    """One article that was withdrawn, with every place of its op-ed.

    `removed` are the keys of its objects, each with its SHA-256; `rewritten` those of others, from which something of
    it was taken out, each with its digest before and after. `sketches` are its texts' sampled hashes, `texts` their
    digests, `lines` digests of its headline and sentences.
    """

    article_id: str
    oped_id: str
    withdrawn_at: str  # UTC
    reason: str
    addresses: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    removed: Mapping[str, str] = field(default_factory=dict)
    rewritten: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sketches: tuple[Mapping[str, Any], ...] = ()
    texts: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def body(self) -> bytes:
        """Return its object in the bucket."""
        return to_json({"schema": WITHDRAWAL_SCHEMA, **asdict(self)})


def tombstone_key(article_id: str) -> str:
    """Return the key of an article's tombstone.

    >>> tombstone_key("kjd-c2068163")
    'withdrawn/kjd/c2068163.json'
    """
    return f"{WITHDRAWN_FOLDER}{article_id.replace('-', '/', 1)}.json"


def parse_tombstone(key: str, body: bytes) -> Tombstone:
    """Return a tombstone from its object; raise `DamagedObject`."""
    try:
        told: dict[str, Any] = json.loads(body)
        if told.pop("schema") != WITHDRAWAL_SCHEMA:
            raise ValueError("it is of another schema")
        lists = ("addresses", "versions", "sketches", "texts", "lines")
        given: dict[str, Any] = {name: tuple(v) if name in lists else v for name, v in told.items()}
        found = Tombstone(**given)
        own = tombstone_key(found.article_id)
        if key != own and not key.startswith(f"{own.removesuffix('.json')}-"):
            raise ValueError("it is of another article than its key says")
        for sketch in found.sketches:
            hashes_in(dict(sketch))
        return found
    except MALFORMED as error:
        raise DamagedObject(key, error) from error


@dataclass(frozen=True)
class Withdrawn:
    """All tombstones of an archive."""

    ids: frozenset[str] = frozenset()
    sketches: tuple[tuple[str, frozenset[int]], ...] = ()  # of each text: its article, its sampled hashes
    texts: Mapping[str, str] = field(default_factory=dict)  # the article, by the digest of a text
    lines: frozenset[str] = frozenset()
    removed: Collection[str] = frozenset()
    rewritten: Mapping[str, Collection[tuple[str, str]]] = field(default_factory=dict)  # digests before and after

    def known_by(self, text: str, hashes: Iterable[int]) -> str:
        """Return the withdrawn article whose text this is, or an empty string."""
        if not self.ids:
            return ""
        same = self.texts.get(hashlib.sha256(text.encode()).hexdigest(), "")
        own = set(hashes)
        for article_id, sampled in self.sketches if own and not same else ():
            most = min(max(own), max(sampled, default=0))  # of short texts the smallest are kept, of others a sample
            mine, theirs = {h for h in own if h <= most}, {h for h in sampled if h <= most}
            if len(mine & theirs) >= max(LEAST_SHARED, OF_WITHDRAWN * len(theirs), OF_OTHER * len(mine)):
                return article_id
        return same

    def blanked(self, body: bytes) -> bytes:
        """Return a record without lines of a withdrawn op-ed: those among what was taken out of its page."""
        if not self.lines:
            return body
        told = json.loads(body)
        after = dict(told)
        for name in told.keys() & {"related", "embeds"}:
            after[name] = [self._blank(line) for line in told[name]]
        if "removed" in told:
            after["removed"] = [{**one, "text": self._blank(one["text"])} for one in told["removed"]]
        return body if after == told else to_json(after)

    def _blank(self, line: str) -> str:
        return WITHDRAWN_LINE if line_digest(line) in self.lines else line

    def is_accepted(self, key: str, stated: str, is_now: str) -> bool:
        """Whether an object whose digest the log states otherwise was rewritten by a withdrawal."""
        known, pairs = {stated}, self.rewritten.get(key, ())
        for _ in pairs:  # one rewriting may follow another
            known |= {after for before, after in pairs if before in known}
        return is_now in known


NOTHING_WITHDRAWN = Withdrawn()


def read_withdrawn(store: Store) -> Withdrawn:
    """Return all tombstones of an archive; raise `DamagedObject` for one that cannot be read: nobody may go on then."""
    return withdrawn_of(parse_tombstone(key, body) for key, body in read_many(store, store.keys(WITHDRAWN_FOLDER)))


def withdrawn_of(tombstones: Iterable[Tombstone]) -> Withdrawn:
    """Return what these tombstones say together."""
    found = list(tombstones)
    rewritten: dict[str, set[tuple[str, str]]] = {}
    for one in found:
        for key, (was, is_now) in one.rewritten.items():
            rewritten.setdefault(key, set()).add((was, is_now))
    return Withdrawn(
        frozenset(one.article_id for one in found),
        tuple((one.article_id, frozenset(hashes_in(dict(sketch)))) for one in found for sketch in one.sketches),
        {digest: one.article_id for one in found for digest in one.texts},
        frozenset(line for one in found for line in one.lines),
        frozenset(key for one in found for key in one.removed),
        rewritten,
    )


def line_digest(text: str) -> str:
    """Return what stands for a line: 16 digits of a digest of its letters, whatever their case and what is between.

    >>> line_digest("A ferry is NOT a promise.") == line_digest("a ferry  is not a promise")
    True
    """
    return hashlib.sha256(letters_of(text).encode()).hexdigest()[:16]


def letters_of(text: str) -> str:
    """Return the letters and digits of a text, in small letters."""
    return re.sub(r"[\W_]+", "", text.casefold())


def lines_of(texts: Iterable[str]) -> Iterator[str]:
    """Yield the digests of these texts' paragraphs and sentences, and of their beginnings as records keep them."""
    for text in texts:
        for paragraph in text.split("\n\n"):
            for line in (paragraph, *sentences_in(paragraph)):
                if len(line.split()) >= LEAST_LINE:
                    yield line_digest(line)
                    yield line_digest(line[:EXCERPT_LETTERS])


def sentences_in(text: str) -> list[str]:
    """Return the sentences of a text: what ends with a point, a question mark or an exclamation mark, and a space.

    >>> sentences_in("Who pays? Nobody does. “Really.” Yes")
    ['Who pays?', 'Nobody does.', '“Really.”', 'Yes']
    """
    return [one for one in re.split(r"(?<=[.!?…。])\s+|(?<=[.!?…。][”’\"')\]])\s+|\n+", text) if one.strip()]
