"""Copies and things that look like them. Labelled sets are scored by `make bench`."""

import pytest

from pipelines.copies.compare import Side, overlap_of, prepared, relation, unites
from tests.conftest import prose

LONG = "\n".join(prose(1, 16))
OTHER = "\n".join(prose(2, 16))
EARLY, LATE = Side("kjd-c1", "kjd", "2026-06-01"), Side("daum-1", "daum", "2026-06-02")


def told(later: str, earlier: str, this: Side = LATE, other: Side = EARLY) -> str:
    return relation(this, other, overlap_of(this.article_id, prepared(later), other.article_id, prepared(earlier)))


def test_the_same_text_elsewhere_is_the_same_and_at_home_a_version() -> None:
    assert told(LONG, LONG) == "same"
    assert told(LONG, LONG, Side("kjd-d9", "kjd", "2026-06-20")) == "version"


def test_a_copy_with_furniture_around_it_is_a_copy() -> None:
    furniture = " ".join(f"menu{n}" for n in range(150))
    assert told(f"{furniture}\n{LONG}", LONG) == "syndicated_copy"


def test_the_first_half_alone_is_an_excerpt() -> None:
    assert told(LONG[: len(LONG) * 2 // 5], LONG) == "excerpt_of"


def test_two_articles_on_one_page_contain_and_do_not_join() -> None:
    f = overlap_of("daum-1", prepared(f"{LONG}\n{OTHER}"), "kjd-c1", prepared(LONG))
    assert relation(LATE, EARLY, f) == "contains"
    assert not unites(LATE, EARLY, f)


def test_a_quotation_does_not_join() -> None:
    quoting = f"{OTHER}\n{LONG.splitlines()[3]}"
    assert told(quoting, LONG) == "quotes"


def test_another_text_has_nothing_to_do_with_it() -> None:
    assert told(OTHER, LONG) == "none"


def test_figures_do_not_know_who_is_asked_first() -> None:
    one, two = prepared(LONG), prepared(LONG[: len(LONG) // 2])
    assert overlap_of("a", one, "b", two) == overlap_of("b", two, "a", one)


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("own", [10, 18])
def test_short_texts_under_one_long_furniture_stay_apart(at_end: bool, own: int) -> None:
    furniture = " ".join(f"notice{n}" for n in range(64))
    one, two = (" ".join(f"{name}{n}" for n in range(own)) for name in ("harbor", "school"))
    pair = (f"{one} {furniture}", f"{two} {furniture}") if not at_end else (f"{furniture} {one}", f"{furniture} {two}")
    assert told(*pair) == "quotes"
    assert told(furniture + " harbor", furniture) == "same", "nearly all of a short text makes a copy"


@pytest.mark.parametrize("quoted", [150, 300])
def test_a_letter_that_is_mostly_quotation_stays_apart_from_the_column(quoted: int) -> None:
    own = quoted // 6
    before, behind = (" ".join(f"{name}{n}" for n in range(own)) for name in ("dear", "yours"))
    letter = f"{before} {' '.join(LONG.split()[100 : 100 + quoted])} {behind}"
    assert told(letter, LONG) == "quotes"


def test_signs_that_nobody_sees_hide_no_copy() -> None:
    hidden = "".join(f"{sign}\u00ad" if n % 3 == 0 and sign.isalpha() else sign for n, sign in enumerate(LONG))
    joined = LONG.replace(" ", " \u200b").replace("w", "w\u2060")
    assert told(hidden, LONG) == told(joined, LONG) == "same"
