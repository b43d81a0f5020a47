"""Versions in the order of capture, whatever the order of arrival."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipelines.model import Verdict
from pipelines.versions import SeenContent, steps, verdict

START = datetime(2026, 6, 1, tzinfo=UTC)


def at(*contents: str) -> list[SeenContent]:
    return [SeenContent(START + timedelta(days=n), content) for n, content in enumerate(contents)]


def test_a_text_that_returns_is_three_steps() -> None:
    assert [content for _, _, content in steps(at("a", "b", "a"))] == ["a", "b", "a"]


def test_an_older_capture_between_two_equal_ones_is_unchanged() -> None:
    history = [SeenContent(START, "a"), SeenContent(START + timedelta(days=2), "a")]
    assert verdict("a", START + timedelta(days=1), history) is Verdict.UNCHANGED


def test_an_older_capture_of_another_text_is_a_revision_not_news() -> None:
    assert verdict("a", START, [SeenContent(START + timedelta(days=1), "b")]) is Verdict.REVISED


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.randoms())
def test_steps_do_not_know_the_order_of_arrival(contents: list[str], random: object) -> None:
    shuffled = at(*contents)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert steps(shuffled) == steps(at(*contents))
