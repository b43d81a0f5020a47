"""The one module that knows trafilatura."""

from dataclasses import replace

import pytest

from pipelines.extraction.trafilatura_reader import MAX_LETTERS, library_version, parsed, read_paragraphs, read_whole
from tests.conftest import capture, page, prose

CAPTURE = capture(page(prose(1)), "2024-06-14T00:00:00")


def test_a_page_is_parsed_by_what_its_header_declares_where_that_holds() -> None:
    korean = "<html><body><p>배에 관한 주장</p></body></html>"
    for coding in ("utf-8", "euc-kr"):
        body = korean.replace("<body>", f"<head><meta charset='{coding}'></head><body>").encode(coding)
        one = replace(CAPTURE, payload=body, headers=(("Content-Type", f"text/html; charset={coding}"),))
        tree = parsed(one)
        assert tree is not None
        assert "배에 관한 주장" in tree.text_content()


@pytest.mark.parametrize("body", [b"", b"   \n", b"x" * (MAX_LETTERS + 1)])
def test_what_cannot_be_a_page_is_none(body: bytes) -> None:
    assert parsed(replace(CAPTURE, payload=body)) is None


def test_paragraphs_are_read_as_the_library_reads_them() -> None:
    assert read_paragraphs(prose(1)) == prose(1)
    assert read_paragraphs([]) == []


def test_the_text_of_any_page_is_found() -> None:
    tree = parsed(CAPTURE)
    assert tree is not None
    assert set(prose(1)) <= set(read_whole(tree))
    assert library_version()[0].isdigit()
