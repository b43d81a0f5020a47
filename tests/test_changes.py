"""What changed, as a reader would say it."""

from typing import Any

import pytest

from pipelines.catalogue.delta import publish
from pipelines.catalogue.queries import before_and_after, versions_of
from pipelines.cli.diff_page import as_html
from pipelines.errors import NotArchived
from pipelines.index.opened import Archive
from pipelines.settings import Settings
from pipelines.versions import change, word_diff
from tests.conftest import capture, page, prose, take_in

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


def test_the_page_for_readers_escapes_what_it_shows() -> None:
    shown = as_html(RECORD, {**RECORD, "headline": "<script>alert(1)</script>"})
    assert "<script>" not in shown
    assert "<del>A ferry</del>" in shown


def test_versions_as_they_stood_on_a_day(archive: Archive, folder: Settings) -> None:
    one, two = page(prose(1)), page([*prose(1)[:-1], "The ministry has since found the money."])
    days = ("2024-06-14T00:00:00", "2024-06-16T16:00:00", "2024-06-18T00:00:00")  # the second is the 17th in Seoul
    take_in(archive, *(capture(body, when) for body, when in zip((one, two, one), days, strict=True)))
    publish(archive, folder)

    def text(day: int) -> str:
        from datetime import date

        return str(versions_of(folder, "kjd-c2068163", date(2024, 6, day))[0][-1]["text"])

    assert "found the money" not in text(16)
    assert "found the money" in text(17)
    assert "found the money" not in text(18)
    with pytest.raises(NotArchived, match="had not been seen by 2024-06-13"):
        text(13)
    before, after = before_and_after(folder, "kjd-c2068163", versions_of(folder, "kjd-c2068163")[0])
    assert "found the money" in before["text"]
    assert after["kind_of_change"] == "text_changed"
