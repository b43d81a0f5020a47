"""Likeness of texts: words, shingles, and the sketch that every record holds. Measured: DECISIONS 0009."""

from __future__ import annotations

import base64
import re
import struct
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

from xxhash import xxh3_64_intdigest

ALGORITHM = "w5-xxh3-1/16"
INDEXED_SHINGLE = 5  # words of a shingle that is looked up: with 3, templates drown the index
SAMPLE = 16  # one shingle of so many is in the sketch, chosen by its hash: the same ones in every text
SHORT_TEXT = 200  # words; a shorter text keeps its smallest hashes instead of a sample
SMALLEST = 32
_UNSEEN = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")  # of format
_APOSTROPHE = re.compile("['’‘`]")
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=512)  # a text is sketched, then compared
def words_of(text: str) -> tuple[str, ...]:
    """Return the words that count: case, apostrophes, punctuation and what nobody sees do not.

    >>> words_of("It’s “done”!")
    ('its', 'done')
    """
    whole = text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)
    return tuple(_WORD.findall(_APOSTROPHE.sub("", _UNSEEN.sub("", whole).casefold())))


def shingles_of(words: Sequence[str], length: int) -> list[str]:
    """Return every shingle of `length` words, in order."""
    return list(map(" ".join, zip(*(islice(words, n, None) for n in range(length)), strict=False)))


def hashes_of(text: str) -> list[int]:
    """Return the sampled 64-bit hashes of a text's shingles, sorted; the same on every machine and in every year."""
    words = words_of(text)
    hashes = set(map(xxh3_64_intdigest, map(str.encode, shingles_of(words, INDEXED_SHINGLE))))
    if len(words) < SHORT_TEXT:
        return sorted(hashes)[:SMALLEST]
    return sorted(value for value in hashes if value < 2**64 // SAMPLE)


def sketch_of(text: str) -> dict[str, str]:
    """Return the sketch as a record holds it: big-endian 64-bit numbers in base64, for any JSON reader."""
    hashes = hashes_of(text)
    packed = struct.pack(f">{len(hashes)}Q", *hashes)
    return {"algorithm": ALGORITHM, "hashes": base64.b64encode(packed).decode()}


def hashes_in(sketch: dict[str, str]) -> list[int]:
    """Return the numbers of a sketch; the inverse of `sketch_of`."""
    packed = base64.b64decode(sketch["hashes"])
    return list(struct.unpack(f">{len(packed) // 8}Q", packed))
