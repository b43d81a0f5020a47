"""What counts as a version, and what changed between two. Versions are contents in the order of capture."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import SequenceMatcher
from typing import Any

from pipelines.model import Article, Verdict


@dataclass(frozen=True, slots=True)
class SeenContent:
    """One sighting of an article after reading: this content at that instant; `rules8` says by which rules.

    Sightings of one instant are ordered by the key of their captures, whichever came first.
    """

    fetched_at: datetime
    content16: str
    rules8: str = ""
    capture_key: str = ""

    def __lt__(self, other: SeenContent) -> bool:
        """Order by moment, then capture."""
        return self._rank < other._rank

    @property
    def _rank(self) -> tuple[datetime, str, str, str]:
        return self.fetched_at, self.capture_key, self.content16, self.rules8


def neighbours(fetched_at: datetime, history: Iterable[SeenContent]) -> tuple[SeenContent | None, SeenContent | None]:
    """Return the sightings just before (or at) and just after an instant."""
    ordered = sorted(history)
    before = [step for step in ordered if step.fetched_at <= fetched_at]
    after = [step for step in ordered if step.fetched_at > fetched_at]
    return (before[-1] if before else None), (after[0] if after else None)


def verdict(content16: str, fetched_at: datetime, history: Iterable[SeenContent]) -> Verdict:
    """Return NEW, UNCHANGED or REVISED; equal to either neighbour in time is UNCHANGED.

    >>> from datetime import datetime, UTC
    >>> monday, friday = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 5, tzinfo=UTC)
    >>> verdict("b", friday, [SeenContent(monday, "a")]).value
    'REVISED'
    """
    near = [step for step in neighbours(fetched_at, history) if step]
    if not near:
        return Verdict.NEW
    return Verdict.UNCHANGED if any(step.content16 == content16 for step in near) else Verdict.REVISED


def steps(history: Iterable[SeenContent]) -> list[tuple[datetime, datetime, str]]:
    """Return the intervals of equal content: first seen, last seen, content16. A, B, A gives three.

    >>> from datetime import datetime, UTC
    >>> seen = [SeenContent(datetime(2026, 6, n, tzinfo=UTC), content) for n, content in enumerate("aaba", 1)]
    >>> [content16 for _, _, content16 in steps(seen)]
    ['a', 'b', 'a']
    """
    found: list[tuple[datetime, datetime, str]] = []
    for step in sorted(history):
        if found and found[-1][2] == step.content16:
            found[-1] = (found[-1][0], step.fetched_at, step.content16)
        else:
            found.append((step.fetched_at, step.fetched_at, step.content16))
    return found


TELLING = 12  # letters of a headline that says which op-ed it is; "Cartoon" does not
_MAPPED = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "‐": "-", "‑": "-"}
)


def content_sha256(article: Article) -> str:
    """Return the digest that makes a version: it changes only when a reader would notice.

    Headline, deck, names, text and correction note count; quotation marks, dashes and white space do
    not, nor bios, captions, dates, advertising and lists of headlines.
    """
    names = [author.name for author in article.authors]
    return _digest(article.headline, article.deck, names, article.text, article.text_ko, article.correction_note)


def title16(headline: str, day: date | None) -> str:
    """Return 16 digits that stand for a headline and its day, or nothing where either says too little.

    Two pages of the newspaper that have it in common, under numbers of different kinds, are one op-ed: it renumbered
    its pages in 2026.

    >>> day = date(2024, 6, 13)
    >>> title16("A ferry is not a promise", day) == title16("A  Ferry is not a Promise", day)
    True
    """
    plain = _plain(headline).casefold()
    if day is None or sum(map(str.isalpha, plain)) < TELLING:
        return ""
    return hashlib.sha256(f"{day} {plain}".encode()).hexdigest()[:16]


def content_sha256_of(record: Mapping[str, Any]) -> str:
    """Return the same digest of a record's fields."""
    names = [author["name"] for author in record["authors"]]
    return _digest(*(names if field == "authors" else record[field] for field in NOTICED))


def _digest(*parts: str | Sequence[str]) -> str:
    plain = [_plain(part) if isinstance(part, str) else [_plain(name) for name in part] for part in parts]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode()).hexdigest()


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text).translate(_MAPPED)).strip()


NOTICED = ("headline", "deck", "authors", "text", "text_ko", "correction_note")  # in the order of their digest
CHANGE_NAMES = {"authors": "byline"}
OTHER_RULES = "read_by_other_rules"  # today's rules refuse the earlier capture: whether it differs is not known
MOST_PAIRS = 1_000_000  # of equal words in two texts, up to which they are compared word by word
BREAK = "¶"  # stands between paragraphs, so that a diff shows where they were parted or joined


@dataclass(frozen=True, slots=True)
class Change:
    """What kinds of change there are, joined by `+`, and how many words of the text came and went."""

    kind: str = ""
    words_added: int = 0
    words_removed: int = 0


def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    """Return what changed from one record to the next; records of unlike rules prove no change.

    >>> old = {"rules": {"sha256": "r"}, "headline": "A", "deck": "", "authors": [], "text": "one two", "text_ko": "",
    ...        "correction_note": ""}
    >>> change(old, {**old, "text": "one two three"})
    Change(kind='text_added', words_added=1, words_removed=0)
    """
    if before["rules"]["sha256"] != after["rules"]["sha256"]:
        return Change(OTHER_RULES)
    kinds: list[str] = []
    added = removed = 0
    for name in NOTICED:
        if as_text(before[name]) == as_text(after[name]):
            continue
        if name not in {"text", "text_ko"}:
            kinds.append(CHANGE_NAMES.get(name, name))
            continue
        came, went = _counted(before[name], after[name])
        added, removed = added + came, removed + went
        kinds.append(f"{name}_{'changed' if came and went else 'added' if came else 'removed'}")
    return Change("+".join(kinds), added, removed)


def noticed(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a record or row as a reader notices them: quotation marks, dashes and white space alike."""
    return {name: _plain(as_text(record[name])) for name in NOTICED}


def field_diffs(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return, for each field in which two records or rows differ as a reader notices it, the pieces of `word_diff`."""
    told = {name: (as_text(before[name]), as_text(after[name])) for name in NOTICED}
    return {name: list(word_diff(old, new)) for name, (old, new) in told.items() if old != new}


def word_diff(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield pieces of text with what became of them: ` ` stayed, `-` gone, `+` new.

    >>> list(word_diff("The ferry sank twice.", "The ferry sank once."))
    [(' ', 'The ferry sank'), ('-', 'twice.'), ('+', 'once.')]
    """
    one, two = _units(before, after)
    for what, i1, i2, j1, j2 in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if what == "equal":
            yield " ", " ".join(one[i1:i2])
            continue
        if i1 < i2:
            yield "-", " ".join(one[i1:i2])
        if j1 < j2:
            yield "+", " ".join(two[j1:j2])


def _counted(before: str, after: str) -> tuple[int, int]:
    """Return how many words came and how many went; splitting or joining paragraphs counts no word."""
    added = removed = 0
    for what, text in word_diff(before, after):
        words = sum(word != BREAK for word in text.split())
        added, removed = added + (words if what == "+" else 0), removed + (words if what == "-" else 0)
    return added, removed


def _units(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return both texts as lists of what is compared: words; where these repeat too often, paragraphs, else the whole.

    Comparing takes a step for each pair of equal units, again and again: an op-ed has some 20,000 such pairs.
    """
    for split in (_words, _paragraphs):
        one, two = split(before), split(after)
        counts = Counter(two)
        if sum(counts[unit] for unit in one) <= MOST_PAIRS:
            return one, two
    return [before], [after]


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, each with the sign of its end."""
    parts = [" ".join(part.split()) for part in text.split("\n\n")]
    return [f"{part} {BREAK}" for part in parts[:-1]] + parts[-1:]


def _words(text: str) -> list[str]:
    return re.sub(r"\n\n", f" {BREAK} ", text).split()


def as_text(value: Any) -> str:
    """Return a field of a record as a diff compares it: the names of a list of authors, joined."""
    return ", ".join(author["name"] for author in value or ()) if not isinstance(value, str) else value
