"""What others would do to find copies, in the form of `opeds dedupe`'s answers: for `make bench` to compare with.

`python -m tests.anchors METHOD FILE`; methods: exact, simhash, datasketch, rensa. Thresholds: each one's best or usual.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_intdigest

from pipelines.copies.fingerprint import shingles_of, words_of

Pairs = Iterator[tuple[int, int]]
JACCARD = 0.3  # of 3-word runs: the best that one similarity does on these texts (dedup.md)
BANDS = 64  # of two rows: candidates at low likeness too


def main() -> None:
    """Print one answer a line."""
    method, file = sys.argv[1:]
    documents = [json.loads(line) for line in Path(file).read_text().splitlines()]
    texts = [words_of(document["text"]) for document in documents]
    group = list(range(len(texts)))
    for one, two in METHODS[method](texts):
        _unite(group, one, two)
    for n, document in enumerate(documents):
        first = _root(group, n)
        print(json.dumps(_answer(document["id"], documents[first]["id"], alone=first == n)))


def _answer(own: Any, first: Any, alone: bool) -> dict[str, Any]:
    kind = ("primary", None) if alone else ("same", first)
    numbers = dict.fromkeys(("c_small", "c_large", "shared", "spread"), None if alone else 1.0)
    return {"id": own, "group": first, "relation": kind[0], "of": kind[1], **numbers}


def exact(texts: list[tuple[str, ...]]) -> Pairs:
    """Equal words."""
    seen: dict[tuple[str, ...], int] = {}
    for n, words in enumerate(texts):
        if words in seen:
            yield seen[words], n
        seen.setdefault(words, n)


def simhash(texts: list[tuple[str, ...]], bits: int = 12) -> Pairs:
    """SimHash over 3-word runs, at most 12 of 64 bits apart; its best on these texts."""
    made = [_simhash(shingles_of(words, 3)) for words in texts]
    yield from ((a, b) for a, b in combinations(range(len(made)), 2) if (made[a] ^ made[b]).bit_count() <= bits)


def _simhash(runs: Iterable[str]) -> int:
    weights = [0] * 64
    for run in set(runs):
        value = xxh3_64_intdigest(run.encode())
        for bit in range(64):
            weights[bit] += 1 if value >> bit & 1 else -1
    return sum(1 << bit for bit, weight in enumerate(weights) if weight > 0)


def datasketch(texts: list[tuple[str, ...]]) -> Pairs:
    """MinHash-LSH of datasketch, candidates verified by exact Jaccard."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=2 * BANDS, params=(BANDS, 2))
    sets = [frozenset(shingles_of(words, 3)) for words in texts]
    for n, runs in enumerate(sets):
        made = MinHash(num_perm=2 * BANDS)
        made.update_batch([run.encode() for run in runs])
        yield from ((int(other), n) for other in index.query(made) if _jaccard(sets[int(other)], runs) >= JACCARD)
        index.insert(str(n), made)


def rensa(texts: list[tuple[str, ...]]) -> Pairs:
    """MinHash-LSH of rensa, candidates verified by exact Jaccard."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=JACCARD, num_perm=2 * BANDS, num_bands=BANDS)
    sets = [frozenset(shingles_of(words, 3)) for words in texts]
    for n, runs in enumerate(sets):
        made = RMinHash(num_perm=2 * BANDS, seed=1)
        made.update(sorted(runs))
        yield from ((other, n) for other in index.query(made) if _jaccard(sets[other], runs) >= JACCARD)
        index.insert(n, made)


def _jaccard(one: frozenset[str], two: frozenset[str]) -> float:
    return len(one & two) / len(one | two) if one or two else 0.0


def _root(group: list[int], n: int) -> int:
    while group[n] != n:
        n = group[n]
    return n


def _unite(group: list[int], one: int, two: int) -> None:
    first, second = sorted((_root(group, one), _root(group, two)))
    group[second] = first


METHODS: dict[str, Callable[[list[tuple[str, ...]]], Pairs]] = {
    "exact": exact,
    "simhash": simhash,
    "datasketch": datasketch,
    "rensa": rensa,
}

if __name__ == "__main__":
    main()
