"""What a page says of itself."""

from lxml.html import document_fromstring

from pipelines.extraction.page import collapse, page_of, people, split_names

LINKED = (
    '{"@graph":[{"@type":"NewsArticle","headline":"A ferry","author":'
    '[{"name":"Han Seo-yul"},{"@type":"Organization","name":"The paper"}]}]}'
)
PAGE = page_of(
    document_fromstring(
        "<html><head><title>A ferry - Paper</title><meta property='og:title' content='A ferry'>"
        "<meta name='author' content=''>"
        f"<script type='application/ld+json'>{LINKED}</script></head>"
        "<body><p class='a b' id='one'>Text</p><time datetime='2026-06-01'>Monday</time></body></html>"
    )
)


def test_simple_selectors_are_looked_up_and_others_searched() -> None:
    assert (
        [e.tag for e in PAGE.select(".b")]
        == [e.tag for e in PAGE.select("p.a")]
        == [e.tag for e in PAGE.select("#one")]
        == ["p"]
    )
    assert PAGE.select("div.a") == []
    assert [e.tag for e in PAGE.select("body > p")] == ["p"]


def test_a_statement_names_where_it_stands() -> None:
    assert [
        (s.value, s.provenance) for s in (PAGE.json_ld("headline"), PAGE.meta("og:title"), PAGE.first("time")) if s
    ] == [
        ("A ferry", "json-ld"),
        ("A ferry", "og"),
        ("2026-06-01", "time"),
    ]
    assert PAGE.meta("author") is None, "an empty one states nothing"
    assert PAGE.first(".none", "p") is not None


def test_organisations_are_not_people() -> None:
    assert [one.value for one in people(PAGE)] == ["Han Seo-yul"]


def test_names_are_split_only_where_each_looks_like_one() -> None:
    assert split_names("By Kim Min-ju & Ann Lee") == ["Kim Min-ju", "Ann Lee"]
    assert split_names("Peace, and war") == ["Peace, and war"]


def test_white_space_of_every_kind_is_one_space() -> None:
    assert collapse("a\u00a0\n\t b\u200bc\ufeff\x1b") == "a bc"
