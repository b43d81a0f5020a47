"""The values that travel from step to step: frozen, and without any knowledge of store, index or network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property

from pipelines.clock import published_key


class Status(StrEnum):
    """How far a reading can be trusted; the first two are archived, the others set aside."""

    OK = "ok"
    REVIEW = "review"
    DRIFT = "drift"
    TRUNCATED = "truncated"
    REJECT = "reject"


ARCHIVED_STATUS = frozenset({Status.OK, Status.REVIEW})  # a page with another status is set aside


class Verdict(StrEnum):
    """What came of one address tried: exactly one of these."""

    NEW = "NEW"
    UNCHANGED = "UNCHANGED"
    REVISED = "REVISED"
    COPY = "COPY"
    REREAD = "REREAD"
    REJECTED = "REJECTED"
    NOT_AN_OPED = "NOT_AN_OPED"
    ALIAS = "ALIAS"
    GONE = "GONE"
    WITHDRAWN = "WITHDRAWN"
    DISALLOWED = "DISALLOWED"
    FAILED = "FAILED"


MISLED = "led_elsewhere_for_the_moment"  # a reason of an outcome FAILED
CONTENT = frozenset({Verdict.NEW, Verdict.UNCHANGED, Verdict.REVISED, Verdict.COPY})  # say what a page held


@dataclass(frozen=True)
class Capture:
    """One HTTP response. `payload` is the body with transfer and content coding removed.

    `truncated` says why the payload is not all that was sent, `doubt` which digest of whoever recorded it does not fit;
    both are empty for a sound one. `via` says how it came if we did not fetch it ourselves.
    """

    url: str
    fetched_at: datetime
    status: int
    headers: tuple[tuple[str, str], ...]
    payload: bytes = field(repr=False)
    truncated: str = ""
    doubt: str = ""
    via: str = ""

    @cached_property
    def payload_sha256(self) -> str:
        """Hexadecimal SHA-256 of the payload."""
        return hashlib.sha256(self.payload).hexdigest()

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty string."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True)
class Author:
    """A person who signs; `bio` is the paper's own line about them, or empty."""

    name: str
    bio: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """Text that stood among the article's and is in no field: which `rule` took it, by which selector, pattern or
    element; its first 80 characters; how many letters and digits it has."""

    rule: str
    by: str
    text: str
    letters: int


KINDS = ("editorial", "column", "fountain", "letter", "cartoon")  # of op-eds; any other is "unknown"


@dataclass(frozen=True, slots=True)
class Article:
    """What a reader would call the op-ed, as one capture shows it. Field by field: docs/schema.md."""

    status: Status
    reasons: tuple[str, ...] = ()
    headline: str = ""
    deck: str = ""
    kind: str = "unknown"
    authors: tuple[Author, ...] = ()
    published_at: datetime | None = None
    published_day: date | None = None
    published_precision: str = "none"
    modified_at: datetime | None = None
    published_raw: str = ""
    date_source: str = ""
    language: str = ""
    text: str = ""
    text_ko: str = ""
    captions: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    embeds: tuple[str, ...] = ()
    correction_note: str = ""
    translator_note: str = ""
    print_edition: str = ""
    emails: tuple[str, ...] = ()
    publisher: str = ""
    copyright: str = ""
    rights_signals: tuple[str, ...] = ()
    witnesses: tuple[tuple[str, str], ...] = ()
    removed: tuple[Removed, ...] = ()
    coverage: float = 0.0
    unaccounted: int = 0
    restored: int = 0
    reader_agreement: float = 0.0
    profile: str = ""

    @property
    def word_count(self) -> int:
        """Words of the English text; of the Korean one when there is no English."""
        return len((self.text or self.text_ko).split())

    @property
    def published_key(self) -> datetime | None:
        """What orders op-eds, see `published_key`."""
        return published_key(self.published_at, self.published_day)


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything of ours that shapes a record of one source; `rules8` stands for it in keys."""

    sha256: str
    trafilatura: str
    code: str

    @property
    def rules8(self) -> str:
        """First eight hexadecimal digits of the digest."""
        return self.sha256[:8]


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `of` equal parts of an archive's articles: all that concerns an article is in one of them.

    >>> sum(Shard(n, 8).holds("kjd-c2068163") for n in range(8))
    1
    """

    number: int = 0
    of: int = 1

    def holds(self, article_id: str) -> bool:
        """Whether the article belongs to this part."""
        return int(hashlib.sha256(article_id.encode()).hexdigest()[:8], 16) % self.of == self.number

    @property
    def suffix(self) -> str:
        """What a part's name ends in; nothing for the only one."""
        return f"-{self.number}of{self.of}" if self.of > 1 else ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An article's page seen at one instant; `capture_key` holds the payload, perhaps from earlier."""

    article_id: str
    url: str
    fetched_at: datetime
    capture_key: str
    routes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    via: str = ""  # how it came if we did not fetch it ourselves then
    obtained_at: str = ""  # when it came from a public archive


@dataclass(frozen=True, slots=True)
class Overlap:
    """How two texts overlap, in shingles of three words (copies/compare.py).

    `smaller` is the article with fewer shingles; `touched` counts the tenths of the larger text that
    the smaller one reaches, `beyond` the larger text's shingles outside of them; `own_first` and `own_last` the smaller
    one's shingles before the first and behind the last that both have (0 under the first method).
    """

    smaller: str
    shared: int
    c_small: float
    c_large: float
    spread: float
    touched: int
    beyond: int
    method: str = ""  # which version of the comparison made them
    own_first: int = 0
    own_last: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """Another article's content, and how the two overlap. The relation is derived: copies/compare.py."""

    article_id: str
    content16: str
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one address tried. It stands in a manifest; only manifests know in which order things arrived."""

    verdict: Verdict
    url: str
    article_id: str = ""
    fetched_at: str = ""
    content16: str = ""
    rules8: str = ""
    capture_key: str = ""
    record_key: str = ""
    published_at: str = ""  # UTC; `published_key`, so the end of the day in Seoul where no time of day is known
    listed: bool = True
    was: str = ""  # REREAD: the content16 under older rules
    target: str = ""  # ALIAS: the article the address leads to
    reasons: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    via: str = ""  # how the page came, if we did not fetch it ourselves at `fetched_at`: `file`, or a public archive
    obtained_at: str = ""  # when it came from a public archive
    title16: str = ""  # stands for headline and day of the newspaper's own page: see `title16`
