"""Korean beside English: measured on op-eds that were written for it, with what belongs together marked by hand.

The texts of tests/bilingual are invented, their figures and persons too, whatever names they borrow. Odd numbers were
looked at while the function was written, even ones were not. No. 14 swaps two paragraphs: together they say the same.
"""

import json
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.browse.alignment import Aligned, align
from pipelines.browse.pages import paragraphs
from tests.test_pages import FOLDERS, loaded, read

TEXTS = sorted((Path(__file__).parent / "bilingual").glob("*.json"))
Links = set[tuple[int, int]]


def links(groups: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> Links:
    return {(e, k) for english, korean in groups for e in english for k in korean}


def measured(file: Path) -> tuple[Links, Links]:
    """Return which paragraphs were put together, and which belong together."""
    told = json.loads(file.read_text())
    wanted = links(told["gold"])
    if "crossing" in told:  # the swapped ones, as one group
        swapped = links(told["crossing"])
        wanted |= {(e, k) for e, _ in swapped for _, k in swapped}
    found = links([(one.english, one.korean) for one in align(told["en"], told["ko"])])
    return found, wanted


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.stem)
def test_no_paragraph_is_put_beside_another_that_does_not_say_the_same(file: Path) -> None:
    found, wanted = measured(file)
    assert found <= wanted


def test_most_of_what_belongs_together_is_found() -> None:
    told = [measured(file) for file in TEXTS]
    found, wanted = sum(len(f & w) for f, w in told), sum(len(w) for _, w in told)
    assert len(told) == 14
    assert found / wanted > 0.8, f"{found} of {wanted}"


def test_pages_whose_two_texts_are_unrelated_stay_apart() -> None:
    seen = 0
    for folder in FOLDERS:
        try:
            article = read(loaded(folder))
        except AssertionError:  # of no source
            continue
        if article.text and article.text_ko:
            seen += 1
            assert not links([(a.english, a.korean) for a in align(*map(paragraphs, (article.text, article.text_ko)))])
    assert seen >= 6


PARAGRAPHS = st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), max_size=8)


@given(PARAGRAPHS, PARAGRAPHS)
def test_every_paragraph_is_there_once_and_in_order(english: list[str], korean: list[str]) -> None:
    aligned = align(english, korean)
    assert [n for one in aligned for n in one.english] == list(range(len(english)))
    assert [n for one in aligned for n in one.korean] == list(range(len(korean)))
    assert all(one.english or one.korean for one in aligned)


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        (
            ["The city council bought 100 buses and parked them.", "Nobody knows who will pay for the garages now."],
            ["학교 급식에 쓰이는 쌀 100톤이 창고에서 썩었다.", "아이들의 건강을 누가 책임질 것인지 묻고 싶다."],
        ),
        (
            ["Poems written by AI are dull.", "A poet is a person with a debt.", "Readers know it."],
            ["조류 인플루엔자(AI)가 다시 번졌다.", "농가는 닭을 묻었다.", "정부는 말이 없다."],
        ),
        (["It cost 81,450 won."], ["8만1450명이 모였다."]),
        (["In 2024 it rained.", "In 2025 it did not."], ["2024년 선거가 있었다.", "2025년에는 없었다."]),
    ],
)
def test_one_figure_or_word_in_common_proves_nothing(english: list[str], korean: list[str]) -> None:
    assert not links([(one.english, one.korean) for one in align(english, korean)])


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("A" * 6000, "가" * 6000),
        ("A-" * 3000, "8만" * 3000),
        (" ".join(f"Name{n}son" for n in range(900)), " ".join(f"네임{n}손" for n in range(900))),
        (" ".join(f"{n}7,3{n:02d}" for n in range(900)), " ".join(f"{n}만7{n}" for n in range(900))),
        ("Ab Cd Ef " * 700, "트럼프는 " * 1200),
    ],
)
def test_hostile_paragraphs_take_little_time(english: str, korean: str) -> None:
    began = process_time()
    align([f"{english} {n}" for n in range(80)], [f"{korean} {n}" for n in range(80)])
    assert process_time() - began < 8


def test_texts_that_are_not_op_eds_take_no_time() -> None:
    began = process_time()
    assert len(align(["one 81,450"] * 5000, ["하나 8만1450"] * 5000)) == 10_000
    align(["9" * 100_000, "Ab " * 50_000], ["8만" * 50_000, "가나다 " * 50_000])
    align([f"In {n},000 the fund" for n in range(120)], [f"{n}천 기금은" for n in range(120)])
    assert process_time() - began < 10
    assert align([], ["하나"]) == [Aligned((), (0,))]
