"""The values that travel."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pipelines.model import Article, Capture, Rules, Shard, Status

WHEN = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_header_is_found_in_any_case_and_the_first_counts() -> None:
    capture = Capture("u", WHEN, 200, (("ETag", "a"), ("etag", "b")), b"x")
    assert capture.header("eTAG") == "a"
    assert capture.header("none") == ""


def test_a_payload_never_shows_in_a_log() -> None:
    assert "secret" not in repr(Capture("u", WHEN, 200, (), b"secret"))


def test_words_are_those_of_the_english_text_else_of_the_korean() -> None:
    assert Article(Status.OK, text="one two", text_ko="하나").word_count == 2
    assert Article(Status.OK, text_ko="하나 둘 셋").word_count == 3


def test_rules_have_a_short_name() -> None:
    assert Rules("0123456789abcdef", "2.3", "2").rules8 == "01234567"


@given(st.text(min_size=1), st.integers(1, 64))
def test_each_article_is_in_one_shard(article_id: str, of: int) -> None:
    assert sum(Shard(n, of).holds(article_id) for n in range(of)) == 1
