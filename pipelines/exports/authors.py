"""Columnists as people: which spellings are one name, and what the archive knows of each. Functions of values.

Two spellings are one where they differ in capitals, hyphens, points and spaces only, or where one page states a name in
both scripts. Likeness joins nothing; two people of one name are not told apart.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from unicodedata import normalize

from pipelines.catalogue.rows import Row

HANGUL_NAME = re.compile("[가-힣]{2,5}")
BOTH = re.compile(r"([A-Z][\w’'.-]+(?: [A-Z][\w’'.-]+){1,3}) ?[(（]([가-힣]{2,5})[)）]")
IN_PARENTHESES = re.compile(r"\s*[(（][^)）]*[)）]\s*")
ROMANISED = {  # surnames, in the spellings in use: a page may be signed by two people, one in each script
    "김": "kim gim", "이": "lee yi rhee ri i", "박": "park pak bak", "최": "choi choe", "정": "jung jeong chung",
    "강": "kang gang", "조": "cho jo", "윤": "yoon yun", "장": "jang chang", "임": "lim im rim", "한": "han",
    "오": "oh o", "서": "seo suh", "신": "shin sin", "권": "kwon gwon", "황": "hwang", "안": "ahn an",
    "송": "song", "류": "ryu yoo yu", "유": "yoo yu ryu", "전": "jeon chun chon", "홍": "hong", "고": "ko koh go",
    "문": "moon mun", "양": "yang", "손": "son sohn", "배": "bae pae", "백": "baek paik", "허": "heo huh",
    "남": "nam", "심": "shim sim", "노": "noh roh no", "하": "ha", "곽": "kwak gwak", "성": "sung seong",
    "차": "cha", "주": "joo ju chu", "우": "woo wu", "구": "koo gu ku", "민": "min", "나": "na ra", "진": "jin",
    "지": "ji chi", "엄": "um eom", "원": "won", "천": "cheon chun", "방": "bang", "공": "kong gong", "변": "byun",
    "염": "yeom", "여": "yeo", "추": "choo chu", "도": "do", "소": "so", "석": "suk seok", "선": "sun seon",
    "설": "sul seol", "마": "ma", "길": "gil kil", "연": "yeon", "위": "wi", "표": "pyo", "명": "myung myeong",
    "기": "ki", "반": "ban", "왕": "wang", "금": "keum geum", "옥": "ok", "육": "yook yuk", "인": "in", "맹": "maeng",
}  # fmt: skip


@dataclass(frozen=True)
class Columnist:
    """Someone who signs op-eds. Days are Seoul's; `bios` are the paper's own lines, each with the days of its first and
    last op-ed; `places` counts op-eds by kind, `years` by year."""

    name: str
    spellings: tuple[str, ...]
    name_ko: str
    opeds: int
    first: date | None
    last: date | None
    years: tuple[tuple[int, int], ...]
    kinds: tuple[tuple[str, int], ...]
    bios: tuple[tuple[str, date | None, date | None], ...]
    article_ids: tuple[str, ...]


def name_key(name: str) -> str:
    """Return what the spellings of one name have in common.

    >>> name_key("Kim Hyun-ki") == name_key("KIM HYUN KI") == name_key("Kim Hyunki")
    True
    """
    plainly = normalize("NFC", IN_PARENTHESES.sub(" ", name)).casefold()
    return re.sub(r"[\W_]", "", plainly) or plainly.strip() or name


def columnists(rows: Iterable[Row]) -> list[Columnist]:
    """Return who signs these op-eds, those with most first; of each, `names`, `authors`, `article_id`, `kind` and
    `published_day` are read."""
    signed: list[tuple[str, str, Row]] = []
    one: dict[str, str] = {}
    stated: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        names = [author["name"] for author in row["authors"]]
        for author in row["authors"]:
            signed.append((name_key(author["name"]), author["name"], {**row, "bio": author["bio"] or ""}))
        for left, right in _stated_twice(names, [author["bio"] or "" for author in row["authors"]]):
            stated[name_key(left)].add(name_key(right))
    for left, rights in stated.items():
        if len(rights) == 1:  # of two people with one spelling, no page says which is meant elsewhere
            _unite(one, left, next(iter(rights)))
    people: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for key, name, row in signed:
        people[_root(one, key)].append((name, row))
    return sorted(map(_columnist, people.values()), key=lambda person: (-person.opeds, person.name))


def _stated_twice(names: list[str], bios: list[str]) -> Iterable[tuple[str, str]]:
    """Yield names that a page states in both scripts: its only two, or one with the other in parentheses."""
    korean = [name for name in names if HANGUL_NAME.fullmatch(name)]
    others = [name for name in names if not HANGUL_NAME.search(name)]
    if len(korean) == len(others) == 1 and len(names) == 2 and _may_be_one(others[0], korean[0]):
        yield others[0], korean[0]
    for text in (*names, *bios):
        for match in BOTH.finditer(text):
            if any(name_key(match[1]) == name_key(name) for name in names):
                yield match[1], match[2]


def _may_be_one(romanised: str, korean: str) -> bool:
    """Whether two names have one surname: the first or the last word of one spells the first letter of the other."""
    words = romanised.casefold().split()
    return bool(words) and bool({words[0], words[-1]} & set(ROMANISED.get(korean[0], "").split()))


def _root(one: dict[str, str], key: str) -> str:
    while key in one:
        key = one[key]
    return key


def _unite(one: dict[str, str], left: str, right: str) -> None:
    left, right = _root(one, left), _root(one, right)
    if left != right:
        one[max(left, right)] = min(left, right)


def _columnist(signed: list[tuple[str, Row]]) -> Columnist:
    counts = Counter(name for name, _ in signed)
    spellings = sorted(counts, key=lambda name: (-counts[name], "-" not in name, name))
    romanised = [name for name in spellings if not HANGUL_NAME.search(IN_PARENTHESES.sub(" ", name))]
    korean = [name for name in spellings if HANGUL_NAME.fullmatch(name)]
    opeds = {row["article_id"]: row for _, row in signed}
    days = sorted(row["published_day"] for row in opeds.values() if row["published_day"])
    return Columnist(
        name=IN_PARENTHESES.sub(" ", (romanised or spellings)[0]).strip() or spellings[0],
        spellings=tuple(spellings),
        name_ko=korean[0] if korean else _in_parentheses(signed),
        opeds=len(opeds),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        years=tuple(sorted(Counter(day.year for day in days).items())),
        kinds=tuple(sorted(Counter(row["kind"] for row in opeds.values()).items())),
        bios=tuple(_bios(row for _, row in signed)),
        article_ids=tuple(opeds),
    )


def _in_parentheses(signed: list[tuple[str, Row]]) -> str:
    found = (match for name, row in signed for match in BOTH.finditer(f"{name}\n{row['bio']}"))
    return next((match[2] for match in found if any(name_key(match[1]) == name_key(name) for name, _ in signed)), "")


def _bios(rows: Iterable[Row]) -> Iterable[tuple[str, date | None, date | None]]:
    """Yield each line about someone with the days of the first and last op-ed that has it, oldest first."""
    days: dict[str, list[date]] = defaultdict(list)
    for row in rows:
        if row["bio"]:
            days[" ".join(row["bio"].split())] += [row["published_day"]] if row["published_day"] else []
    spans = [(bio, min(found, default=None), max(found, default=None)) for bio, found in days.items()]
    return sorted(spans, key=lambda span: (span[1] or date.max, span[0]))
