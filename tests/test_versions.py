"""Versions in the order of capture, whatever the order of arrival; and what changed, as a reader would say it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.model import Article, Author, Status, Verdict
from pipelines.versions import SeenContent, change, content_sha256, steps, verdict, word_diff
from tests.conftest import prose

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


RECORD: dict[str, Any] = {
    "rules": {"sha256": "r"},
    "headline": "A ferry",
    "deck": "",
    "authors": [{"name": "Han Seo-yul", "bio": ""}],
    "text": "It sank twice.\n\nNobody asked.",
    "text_ko": "",
    "correction_note": "",
    "article_id": "kjd-c1",
    "content16": "0" * 16,
}


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"headline": "A boat"}, "headline", (0, 0)),
        ({"authors": []}, "byline", (0, 0)),
        ({"correction_note": "This editorial was corrected."}, "correction_note", (0, 0)),
        ({"text": "It sank once.\n\nNobody asked."}, "text_changed", (1, 1)),
        ({"text": "It sank twice.\n\nNobody asked.\n\nSo be it."}, "text_added", (3, 0)),
        ({"text": "It sank twice."}, "text_removed", (0, 2)),
        ({"text": "It sank twice. Nobody asked."}, "text_removed", (0, 0)),
        ({"headline": "A boat", "text": "It sank."}, "headline+text_changed", (1, 4)),
        ({"text_ko": "배가 가라앉았다."}, "text_ko_added", (2, 0)),
        ({"rules": {"sha256": "other"}, "text": "x"}, "read_by_other_rules", (0, 0)),
    ],
)
def test_the_kind_of_change_is_named_with_how_much(changed: dict[str, Any], kind: str, words: tuple[int, int]) -> None:
    told = change(RECORD, {**RECORD, **changed})
    assert (told.kind, (told.words_added, told.words_removed)) == (kind, words)


def test_a_diff_holds_all_of_both_texts() -> None:
    old, new = " ".join(prose(1)), " ".join([*prose(1)[:2], "A new line.", *prose(1)[3:]])
    pieces = list(word_diff(old, new))
    assert " ".join(text for what, text in pieces if what != "+") == old
    assert " ".join(text for what, text in pieces if what != "-") == new


ARTICLE = Article(
    Status.OK, headline="A “ferry”", authors=(Author("Han Seo-yul", "A pilot."),), text="It  sank – twice."
)


def test_a_version_does_not_see_quotes_dashes_space_bios_and_captions() -> None:
    same = replace(
        ARTICLE, headline='A "ferry"', text="It sank - twice.", authors=(Author("Han Seo-yul"),), captions=("A pier",)
    )
    assert content_sha256(same) == content_sha256(ARTICLE)


@pytest.mark.parametrize("changed", [{"text": "It sank – Twice."}, {"deck": "x"}, {"authors": ()}, {"text_ko": "배"}])
def test_a_version_sees_whatever_a_reader_would(changed: dict[str, Any]) -> None:
    assert content_sha256(replace(ARTICLE, **changed)) != content_sha256(ARTICLE)
