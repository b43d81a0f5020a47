"""Pages that no profile fits."""

from lxml.html import fromstring

from pipelines.extraction.blocks import blocks_of
from pipelines.extraction.generic import generic_blocks
from tests.conftest import prose

TEXT = prose(1, 5)
BODY = fromstring(
    "<div><nav><p>Menu and more menu</p></nav><article>" + "".join(f"<p class='t'>{line}</p>" for line in TEXT)
    + f"</article><aside class='related'><p>{prose(2, 1)[0]}</p></aside></div>"
)  # fmt: skip


def texts(lines: list[str]) -> list[str]:
    return [block.text for block in generic_blocks(blocks_of(BODY), lines)[0]]


def test_a_paragraph_that_the_library_left_out_is_put_back() -> None:
    assert texts([TEXT[0], TEXT[1], TEXT[3], TEXT[4]]) == TEXT


def test_what_stands_elsewhere_stays_out() -> None:
    assert prose(2, 1)[0] not in texts(TEXT)


def test_lines_that_are_not_blocks_of_the_page_stay_where_they_stood() -> None:
    assert texts([TEXT[0], "a row of a table", *TEXT[1:]])[:2] == [TEXT[0], "a row of a table"]
    assert [block.text for block in generic_blocks([], ["only lines"])[0]] == ["only lines"]
