"""Which Korean paragraphs say what which English ones say. A pure function, without a model or a dictionary.

What both languages spell alike tells: figures (8만5094 is 85,094), months, letters such as AI, and names by the order
of their consonants (Trump, 트럼프). Figures that only one side has tell against. Lengths and the order of paragraphs
decide the rest, but only between paragraphs that are proved so: what has no proof stays apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise

from pipelines.exports.cite import MONTHS_IN_FULL

KOREAN_PER_ENGLISH = 0.44  # letters of a Korean text, of those of the English one: spaces not counted
SPREAD = 0.16  # of that share, from paragraph to paragraph
JOINED = {(1, 1): 0.0, (1, 2): -1.0, (2, 1): -1.0, (1, 3): -2.2, (3, 1): -2.2, (2, 2): -2.5}  # paragraphs that are one
ALONE = -0.9  # of a paragraph that the other text does not have
AGAINST = 0.8  # of a figure that one side alone has
SHORT_LETTERS = 150  # of an English paragraph; that share is less sure in shorter ones
WORST_LENGTH = 4.0
PROVED = 1.8  # weight of what both sides spell alike, from which on two paragraphs are one by that alone
FITS = 1.6  # deviations of length up to which two paragraphs between proved ones are one
FEWEST = 2  # pairs that must be proved: one figure may be in two texts by chance
TOO_FEW = 0.3  # share of paragraphs that must be proved; with fewer the texts are taken for two
RARENESS = 0.75  # power of the number of paragraphs that have a clue, by which its weight falls
MOST_PARAGRAPHS = 80  # of a text; longer ones are not op-eds, and the work grows with the square
LETTERS_READ = 3000  # of a paragraph that are looked at
MOST_CLUES = 60  # of a paragraph; more are not read

NUMBER = r"\d[\d,]*(?:\.\d+)?"
ENGLISH_NUMBER = re.compile(rf"(?<![\w.])({NUMBER})(?:[ -]?(thousand|million|billion|trillion)\b)?", re.IGNORECASE)
KOREAN_NUMBER = re.compile(rf"(?<![\d.])(?:{NUMBER}\s?[천만억조]+\s?)+(?:{NUMBER})?|{NUMBER}")
KOREAN_PART = re.compile(rf"({NUMBER})\s?([천만억조]*)")
TIMES = {"천": 1e3, "만": 1e4, "억": 1e8, "조": 1e12}
ENGLISH_TIMES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "": 1.0}
MONTH_NUMBERS = {name[:3]: number for number, name in enumerate(MONTHS_IN_FULL, 1)}
ENGLISH_MONTH = re.compile(rf"\b({'|'.join(MONTH_NUMBERS)})[a-z]*\.?(?= \d|\b)")
MAY_IS_A_MONTH = re.compile(r"\b(?:in|last|since|of|this|until|by) May\b|\bMay \d")
KOREAN_MONTH = re.compile(r"(?<!\d)(1[0-2]|[1-9])월")
WORDS_FOR_NUMBERS = {
    name: float(n)
    for n, name in enumerate("two three four five six seven eight nine ten eleven twelve".split(), start=2)
}
LATIN_LETTERS = re.compile(r"(?<![A-Za-z])[A-Z][A-Z0-9&]+(?![a-z])")
CAPITALISED = re.compile(r"(?<![A-Za-zà-ÿ])[A-Z][A-Za-zà-ÿ’'-]{1,40}(?: [A-Z][a-zà-ÿ’'-]{1,40}){0,2}")
HANGUL_WORD = re.compile(r"[가-힣]{2,}")
INITIALS = "K K N T T R M P P S S - C C C K T P H".split()
FINALS = ("", *"K K KS N NC N T R RK RM RP RS RT RP R M P PS S S N C C K T P ".split(), "")
SOUNDS = (  # of English spelling, in order: what consonants of Hangul they become
    (r"sch|sh|ss", "S"), (r"tch|ch", "C"), (r"ck|cc", "K"), (r"ph", "P"), (r"th", "S"), (r"wh", ""),
    (r"gh(?=t|$)", ""), (r"kn", "N"), (r"ng", "N"), (r"c(?=[eiy])", "S"), (r"g(?=[ei])", "C"), (r"x", "KS"),
    (r"[ckgq]", "K"), (r"[dt]", "T"), (r"[bpfv]", "P"), (r"[lr]", "R"), (r"m", "M"), (r"n", "N"), (r"s", "S"),
    (r"[jz]", "C"), (r"h", "H"),
)  # fmt: skip
SOUND = re.compile("|".join(f"({pattern})" for pattern, _ in SOUNDS))
NAME_SOUNDS = 3  # consonants that a name must have, to tell anything
CLUE_WEIGHTS = {"number": 3.0, "year": 1.6, "small": 0.7, "month": 1.2, "latin": 1.2, "name": 1.3, "long name": 2.0}


@dataclass(frozen=True)
class Aligned:
    """Paragraphs that say the same, by their numbers from 0; one side is empty where a paragraph stands alone."""

    english: tuple[int, ...]
    korean: tuple[int, ...]


def align(english: Sequence[str], korean: Sequence[str]) -> list[Aligned]:
    """Return all paragraphs of both texts in order, those together that say the same.

    >>> english = ["The fund lost 81,450 won.", "Why?", "It had 3,172 members in 1998."]
    >>> [one for one in align(english, ["기금은 8만1450원을 잃었다.", "1998년 회원은 3172명이었다."]) if one.korean]
    [Aligned(english=(0,), korean=(0,)), Aligned(english=(2,), korean=(1,))]
    """
    if not english or not korean or max(len(english), len(korean)) > MOST_PARAGRAPHS:
        return _apart(english, korean)
    seen = _Clues(english, korean)
    best = [one for bead in _best(seen, len(english), len(korean)) for one in _without_ends(*bead, seen)]
    proved = [bool(e and k) and seen.alike(e, k) >= PROVED for e, k in best]
    if sum(proved) < max(FEWEST, TOO_FEW * min(len(english), len(korean))):
        return _apart(english, korean)
    kept = []
    for n, (e, k) in enumerate(best):
        if e and k and not proved[n] and not _stands_between(best, proved, n, seen):
            kept += [*(Aligned((one,), ()) for one in e), *(Aligned((), (one,)) for one in k)]
        else:
            kept.append(Aligned(e, k))
    return kept


def _apart(english: Sequence[str], korean: Sequence[str]) -> list[Aligned]:
    alone = [Aligned((n,), ()) for n in range(len(english))]
    return alone + [Aligned((), (n,)) for n in range(len(korean))]


Bead = tuple[tuple[int, ...], tuple[int, ...]]


def _without_ends(english: tuple[int, ...], korean: tuple[int, ...], seen: _Clues) -> Iterator[Bead]:
    """Yield a pair without those paragraphs at its ends that neither a clue nor its length asks for; they stand alone.

    Of paragraphs that are one, each must say a part of it.
    """
    before: list[Bead] = []
    after: list[Bead] = []
    while english and korean and max(len(english), len(korean)) > 1:
        many, is_english = (english, True) if len(english) > 1 else (korean, False)
        cuts = [(many[1:], many[:1], before), (many[:-1], many[-1:], after)]
        for rest, end, into in cuts:
            pair = (rest, korean) if is_english else (english, rest)
            if seen.alike(*pair) >= seen.alike(english, korean) and abs(seen.deviation(*pair)) <= FITS:
                into.append((end, ()) if is_english else ((), end))
                english, korean = pair
                break
        else:
            break
    yield from [*before, (english, korean), *reversed(after)]


def _stands_between(best: Sequence[Bead], proved: Sequence[bool], n: int, seen: _Clues) -> bool:
    """Whether a pair without proof of its own is one by its place: its neighbours are proved, and its length fits."""
    before, after = n == 0 or proved[n - 1], n + 1 == len(best) or proved[n + 1]
    return before and after and len(best[n][0]) == len(best[n][1]) == 1 and abs(seen.deviation(*best[n])) <= FITS


def _best(seen: _Clues, of_english: int, of_korean: int) -> list[Bead]:
    """Return the best way through both texts, by dynamic programming over their ends."""
    scores: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
    for i in range(of_english + 1):
        for j in range(of_korean + 1):
            if (i, j) == (0, 0):
                continue
            ways = [(scores[i - 1, j][0] + ALONE, (1, 0))] if i else []
            ways += [(scores[i, j - 1][0] + ALONE, (0, 1))] if j else []
            for (a, b), cost in JOINED.items():
                if a <= i and b <= j:
                    pair = tuple(range(i - a, i)), tuple(range(j - b, j))
                    ways.append((scores[i - a, j - b][0] + cost + seen.score(*pair), (a, b)))
            scores[i, j] = max(ways)
    found: list[Bead] = []
    i, j = of_english, of_korean
    while i or j:
        a, b = scores[i, j][1]
        found.append((tuple(range(i - a, i)), tuple(range(j - b, j))))
        i, j = i - a, j - b
    return found[::-1]


class _Clues:
    """What each paragraph of two texts holds that is spelled alike in both, and what it weighs."""

    def __init__(self, english: Sequence[str], korean: Sequence[str]) -> None:
        self.lengths = [_length(text) for text in english], [_length(text) for text in korean]
        names = [set(sorted(_english_names(text))[:MOST_CLUES]) for text in english]
        told = set().union(*names)
        self.english = [
            {*islice(_english_clues(text), MOST_CLUES), *map(_name, own)}
            for text, own in zip(english, names, strict=True)
        ]
        self.korean = [{*islice(_korean_clues(text), MOST_CLUES), *map(_name, told & _spoken(text))} for text in korean]
        self.figures = {clue for clue in set().union(*self.english, *self.korean) if _kind(clue) == "number"}
        self.weights: dict[str, float] = self._weighed()
        self.cached: dict[Bead, float] = {}

    def _weighed(self) -> dict[str, float]:
        """A clue tells more, the fewer paragraphs have it."""
        weights: dict[str, float] = {}
        for clue in set().union(*self.english):
            here, there = sum(clue in f for f in self.english), sum(clue in f for f in self.korean)
            if there:
                weights[clue] = CLUE_WEIGHTS[_kind(clue)] / float(here * there) ** RARENESS
        return weights

    def alike(self, english: tuple[int, ...], korean: tuple[int, ...]) -> float:
        """Return the weight of what both have, less what one alone has."""
        pair = (english, korean)
        if pair not in self.cached:
            left, right = _together(self.english, english), _together(self.korean, korean)
            against = len((left ^ right) & self.figures)
            self.cached[pair] = sum(self.weights[clue] for clue in left & right) - AGAINST * against
        return self.cached[pair]

    def deviation(self, english: tuple[int, ...], korean: tuple[int, ...]) -> float:
        """Return by how many standard deviations the lengths differ."""
        letters = max(1, sum(self.lengths[0][n] for n in english))
        share = sum(self.lengths[1][n] for n in korean) / letters
        return (share - KOREAN_PER_ENGLISH) / (SPREAD * max(1.0, math.sqrt(SHORT_LETTERS / letters)))

    def score(self, english: tuple[int, ...], korean: tuple[int, ...]) -> float:
        """Return how well paragraphs fit: what both have, and their lengths."""
        return self.alike(english, korean) - min(WORST_LENGTH, self.deviation(english, korean) ** 2 / 2)


def _together(found: Sequence[set[str]], numbers: tuple[int, ...]) -> set[str]:
    return set().union(*(found[n] for n in numbers))


def _name(sounds: str) -> str:
    return f"name {sounds}"


def _kind(clue: str) -> str:
    kind, _, value = clue.partition(" ")
    if kind == "number":
        figure = float(value)
        if figure.is_integer() and (figure < 13 or len(value.rstrip("0")) == 1 or "e" in value):
            return "small"  # 100 or 2,000 stand in many texts
        return "year" if 1900 <= figure <= 2100 and figure.is_integer() else "number"
    return "long name" if kind == "name" and len(value) > NAME_SOUNDS else kind


def _length(text: str) -> int:
    return len("".join(text.split()))


def _english_clues(text: str) -> Iterator[str]:
    text = text[:LETTERS_READ]
    for match in ENGLISH_NUMBER.finditer(text):
        yield _number(_value(match[1]) * ENGLISH_TIMES[(match[2] or "").lower()])
    for word in re.findall(r"[A-Za-z]+", text):
        if word.lower() in WORDS_FOR_NUMBERS:
            yield _number(WORDS_FOR_NUMBERS[word.lower()])
    for match in ENGLISH_MONTH.finditer(text):
        if match[1] != "May" or MAY_IS_A_MONTH.search(text):
            yield f"month {MONTH_NUMBERS[match[1]]}"
    for word in LATIN_LETTERS.findall(text):
        yield f"latin {word}"


def _korean_clues(text: str) -> Iterator[str]:
    text = text[:LETTERS_READ]
    for match in KOREAN_MONTH.finditer(text):
        yield f"month {match[1]}"
    for match in KOREAN_NUMBER.finditer(text):
        if text[match.end() : match.end() + 1] != "월":
            yield _number(_korean_value(match[0]))
    for word in LATIN_LETTERS.findall(text):
        yield f"latin {word}"


def _korean_value(text: str) -> float:
    """Return a figure as Korean spells it.

    >>> [_korean_value(text) for text in ("8만5094", "1조2000억", "87.9", "3천만")]
    [85094.0, 1200000000000.0, 87.9, 30000000.0]
    """
    total = 0.0
    for digits, units in KOREAN_PART.findall(text):
        value = _value(digits)
        for unit in units:
            value *= TIMES[unit]
        total += value
    return total


def _value(digits: str) -> float:
    return float(digits.replace(",", "")[:18])


def _number(value: float) -> str:
    return f"number {value:.6g}"


def _english_names(text: str) -> set[str]:
    """Return the consonants of what may be names: each word with a capital, and two or three of them together."""
    found = set()
    for match in CAPITALISED.finditer(text[:LETTERS_READ]):
        words = re.split(r"[ -]", match[0])
        for n in range(len(words)):
            found |= {_sounds("".join(words[n : n + size])) for size in (1, 2, 3) if n + size <= len(words)}
    return {sounds for sounds in found if len(sounds) >= NAME_SOUNDS}


@lru_cache(maxsize=4096)
def _sounds(word: str) -> str:
    """Return the consonants of an English spelling.

    >>> _sounds("Trump"), _sounds("Yoon Suk Yeol")
    ('TRMP', 'NSKR')
    """
    plainly = re.sub(r"[’'`]s$", "", word.lower())
    return _once("".join(SOUNDS[(match.lastindex or 1) - 1][1] for match in SOUND.finditer(plainly)))


def _spoken(text: str) -> set[str]:
    """Return the consonants of Korean words from their beginnings: particles hang at their ends.

    >>> {"TRMP", "NSKR"} <= _spoken("트럼프는 윤석열 대통령을")
    True
    """
    found = set()
    for word in HANGUL_WORD.findall(text[:LETTERS_READ]):
        spelled = ""
        for sign in word[:8]:
            code = ord(sign) - 0xAC00
            spelled += INITIALS[code // 588].strip("-") + FINALS[code % 28]
            found.add(_once(spelled))
    return {sounds for sounds in found if len(sounds) >= NAME_SOUNDS}


def _once(sounds: str) -> str:
    """Return the sounds without immediate repeats."""
    return sounds[:1] + "".join(after for before, after in pairwise(sounds) if before != after)
