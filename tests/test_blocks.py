"""Every paragraph, in order, once."""

import pytest
from lxml.html import fromstring

from pipelines.extraction.blocks import (
    Cut,
    blocks_and_rest,
    blocks_of,
    pieces_in,
    share_of_korean,
    split_languages,
    units,
)
from pipelines.extraction.ledger import Piece


@pytest.mark.parametrize(
    ("markup", "texts"),
    [
        ("<p>One</p>two<p>three</p>", ["One", "two", "three"]),
        ("<p>One <b>bold</b> word</p>", ["One bold word"]),
        ("one<br><br>two<div>three<div>four</div></div>", ["one", "two", "three", "four"]),
        ("<ul><li>a</li><li>b</li></ul><blockquote>c</blockquote><h3>d</h3>", ["a", "b", "c", "d"]),
        ("<p>kept<script>var a</script><del>gone</del></p>", ["kept"]),
        ("<p>before<ins class='ads'>advert</ins>after <ins>added</ins></p>", ["beforeafter added"]),
    ],
)
def test_blocks_are_what_a_reader_sees(markup: str, texts: list[str]) -> None:
    assert [block.text for block in blocks_of(fromstring(f"<div>{markup}</div>")) if block.kind == "p"] == texts


def test_a_list_of_links_is_told_from_a_paragraph_with_links() -> None:
    links = "".join(f"<a>Headline number {n}</a> " for n in range(3))
    (block,) = blocks_of(fromstring(f"<div><p>{links}</p></div>"))
    assert (block.kind, len(block.links)) == ("links", 3)
    (block,) = blocks_of(fromstring(f"<div><p>{'Prose about it. ' * 10}{links}</p></div>"))
    assert block.kind == "p"


def test_an_image_is_a_block_of_its_own_that_says_what_its_text_says() -> None:
    assert [(b.kind, b.text) for b in blocks_of(fromstring("<div>a<img alt='A pier'>b</div>"))] == [
        ("p", "a"), ("figure", "A pier"), ("p", "b"),
    ]  # fmt: skip


def test_what_is_dropped_leaves_the_text_behind_it() -> None:
    body = fromstring("<div><p>one</p><aside>advert</aside>two</div>")
    (aside,) = body.iter("aside")
    cuts = {aside: Cut("drop", "aside")}
    blocks, rest = blocks_and_rest(body, cuts)
    assert [block.text for block in blocks] == ["one", "two"]
    assert list(pieces_in(rest[0], cuts)) == [Piece("drop", "aside", "advert", own="advert")]


def test_nesting_deeper_than_pythons_stack_is_walked() -> None:
    body = fromstring("<div>" + "<span>" * 200 + "deep" + "</span>" * 200 + "</div>")
    assert [b.text for b in blocks_of(body)] == ["deep"]


def test_languages_are_parted_and_a_quoted_line_stays_where_it_is() -> None:
    english, korean = ["An argument about the ferry. " * 20] * 3, ["배에 관한 긴 주장입니다. " * 20] * 3
    assert split_languages([*english, *korean]) == (english, korean)
    quoted = [english[0], "바다는 말이 없다.", english[1]]
    assert split_languages(quoted) == (quoted, [])


def test_a_syllable_weighs_more_than_a_letter() -> None:
    assert units("배") == 2.2
    assert share_of_korean("12:30") is None


LINES = [
    "The ferry that left the harbor at dawn carried more people than",
    "it was built for, and the ministry that had promised to look at",
    "its papers had not done so in the four years since the promise.",
]


def test_the_lines_of_a_hard_wrapped_text_are_joined() -> None:
    body = fromstring("<div>" + "<br><br>".join(["<br>\n".join(LINES)] * 3) + "</div>")
    assert [block.text for block in blocks_of(body)] == [" ".join(LINES)] * 3


@pytest.mark.parametrize(
    "markup",
    [
        "<br>".join(f"{line.rstrip('.')}." for line in LINES * 2),  # each line is a paragraph
        "<br><br>".join(LINES * 2),  # lines end in a sentence, and yet two breaks part them
        "Kim Min-ju<br>The author is a harbor pilot.<br><br>" + "<br><br>".join(LINES),
        "<br>".join(LINES),  # nothing shows how this page parts its paragraphs
    ],
)
def test_elsewhere_a_break_parts_paragraphs(markup: str) -> None:
    body = fromstring(f"<div>{markup}</div>")
    assert len(blocks_of(body)) == len([part for part in markup.split("<br>") if part])
