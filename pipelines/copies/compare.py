"""Are two texts one article? Three numbers decide together; the order of publication names the relation.

No single similarity tells our copies from columns in the same frame, quotations and series: how much of
the smaller text is matched, how much of the larger, and how evenly the matches lie. DECISIONS 0009.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pipelines.copies.fingerprint import shingles_of, words_of
from pipelines.model import Overlap

COMPARED_SHINGLE = 3  # words; shingles of three words survive editing where those of five do not
TENTHS = 10
MIN_SHARED, MIN_SMALL, MIN_LARGE, MIN_SPREAD = 40, 0.30, 0.15, 0.8
TOUCHED = 0.20  # a tenth counts when that share of its shingles is in the other text
METHOD = "w3-tenths/2"  # raise it whenever the same two texts would give another overlap
NEARLY_ALL, SHORT_SHARED = 0.9, 12
SHORT = 120  # shingles of a text that must be nearly all shared
OWN_ENDS, OWN_PART = 12, 0.2  # shingles at both ends, and which part of a text, that make it another's answer
QUOTED = 25  # shared shingles from which on a text that is not a copy quotes the other
EXCERPT, MUCH_SHORTER = 0.6, 0.7
ROUNDUP_BEYOND, ROUNDUP_TENTHS = 200, 8
UNITES = frozenset({"same", "version", "syndicated_copy", "excerpt_of"})


@dataclass(frozen=True, slots=True)
class Side:
    """What the relation needs to know of each text besides the overlap."""

    article_id: str
    source: str
    when: str  # published_at, else the earliest fetched_at; UTC, so that it sorts


@dataclass(frozen=True, slots=True)
class Text:
    """A text prepared for comparison: its shingles in order, and as a set."""

    shingles: tuple[str, ...]
    distinct: frozenset[str]


@lru_cache(maxsize=512)  # a candidate is compared with several newcomers; a text takes about 60 kB
def prepared(text: str) -> Text:
    """Return a text's shingles of three words."""
    shingles = shingles_of(words_of(text), COMPARED_SHINGLE)
    return Text(tuple(shingles), frozenset(shingles))


def overlap_of(this_id: str, this: Text, other_id: str, other: Text) -> Overlap:
    """Return how two texts overlap; the same whichever is named first."""
    (small_id, small), (_, large) = sorted(
        ((this_id, this), (other_id, other)), key=lambda s: (len(s[1].distinct), s[0])
    )
    shared = len(small.distinct & large.distinct)
    inside = [_share(part, large.distinct) for part in _tenths(small.shingles)]
    reached = [(_share(part, small.distinct) >= TOUCHED, len(part)) for part in _tenths(large.shingles)]
    return Overlap(
        smaller=small_id,
        shared=shared,
        c_small=_ratio(shared, len(small.distinct)),
        c_large=_ratio(shared, len(large.distinct)),
        spread=_ratio(sum(share >= TOUCHED for share in inside), len(inside)),
        touched=sum(touched for touched, _ in reached),
        beyond=sum(size for touched, size in reached if not touched),
        own_first=_own(small.shingles, large.distinct),
        own_last=_own(small.shingles[::-1], large.distinct),
        method=METHOD,
    )


def worth_storing(f: Overlap) -> bool:
    """Whether two texts share enough to be stored: a quotation's length, or all of two short texts."""
    return f.shared >= QUOTED or _short_twins(f)


def _short_twins(f: Overlap) -> bool:
    """Whether two texts too short for the rule are one all the same: nearly all of both is shared."""
    return f.shared >= SHORT_SHARED and f.c_small >= NEARLY_ALL and f.c_large >= NEARLY_ALL


def _shares_furniture(f: Overlap) -> bool:
    """Whether the smaller text is so short that what it does not share is what it says: the rest is a site's own."""
    return f.c_small < NEARLY_ALL and f.shared < SHORT * f.c_small


def _is_letter(f: Overlap) -> bool:
    """Whether the smaller text has words of its own at both ends, a good part of it: it quotes the other one."""
    ends, size = f.own_first + f.own_last, f.shared / (f.c_small or 1)
    return f.c_small < NEARLY_ALL and min(f.own_first, f.own_last) >= OWN_ENDS and ends >= OWN_PART * size


def relation(this: Side, other: Side, f: Overlap) -> str:
    """Return what `this` is to `other`, from a stored overlap.

    Only the order of publication tells an abridgement from a roundup, both being a small text whole
    inside a larger one. `this` is taken as the later of the two.
    """
    one = f.c_small >= MIN_SMALL and f.c_large >= MIN_LARGE and f.shared >= MIN_SHARED and f.spread >= MIN_SPREAD
    one = one and not (_shares_furniture(f) or _is_letter(f))
    if not one and not _short_twins(f):
        return "quotes" if f.shared >= QUOTED else "none"
    if f.c_small >= NEARLY_ALL and f.c_large >= NEARLY_ALL:
        return "version" if this.source == other.source else "same"
    larger = f.smaller != this.article_id
    if larger and f.beyond >= ROUNDUP_BEYOND and f.touched <= ROUNDUP_TENTHS:
        return "contains"
    if not larger and f.c_large < EXCERPT and f.c_large < MUCH_SHORTER * f.c_small:
        return "excerpt_of"
    return "version" if this.source == other.source else "syndicated_copy"


def unites(one: Side, two: Side, f: Overlap) -> bool:
    """Whether two articles belong to one op-ed, whichever arrived first."""
    earlier, later = sorted((one, two), key=lambda side: (side.when, side.article_id))
    return relation(later, earlier, f) in UNITES


def _own(shingles: tuple[str, ...], other: frozenset[str]) -> int:
    """Return how many shingles come before the first that the other text has."""
    return next((n for n, shingle in enumerate(shingles) if shingle in other), len(shingles))


def _tenths(shingles: tuple[str, ...]) -> list[tuple[str, ...]]:
    size = len(shingles)
    parts = (shingles[size * n // TENTHS : size * (n + 1) // TENTHS] for n in range(TENTHS))
    return [part for part in parts if part]


def _share(part: tuple[str, ...], of: frozenset[str]) -> float:
    return sum(map(of.__contains__, part)) / len(part)


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
