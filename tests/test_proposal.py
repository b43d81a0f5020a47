"""A profile proposed for pages that no layout fits."""

import tomllib

from lxml.html import fromstring

from pipelines.extraction.proposal import proposed, selector_of
from tests.conftest import C_URL, SOURCES, capture, prose

MARKUP = (
    "<html><head><title>A ferry</title></head><body><div class='page'><h2 class='story-head'>A ferry</h2>"
    "<span class='story-byline'>Han Seo-yul</span><span class='story-date'>13 Jun. 2024, 20:09</span>"
    "<div class='story-text'>{text}<div class='newsletter-box'>Sign up</div></div></div></body></html>"
)


def test_it_names_body_headline_byline_date_and_furniture() -> None:
    pages = [
        capture(
            MARKUP.format(text="".join(f"<p>{line}</p>" for line in prose(n))).encode(), "2024-06-14T00:00:00", C_URL
        )
        for n in range(3)
    ]
    (profile,) = tomllib.loads(proposed(pages, SOURCES["kjd"]))["profile"]
    assert profile["body"] == ["div.story-text"]
    assert profile["headline"] == ["h2.story-head"]
    assert profile["byline"] == ["span.story-byline"]
    assert profile["date"] == ["span.story-date"]
    assert profile["drop"] == ["div.newsletter-box"]
    assert "on 3 of 3 pages" in proposed(pages, SOURCES["kjd"])


def test_no_text_no_proposal() -> None:
    assert proposed([capture(b"<html><body></body></html>", "2024-06-14T00:00:00")], SOURCES["kjd"]) == ""


def test_a_selector_prefers_what_is_likely_to_stay() -> None:
    tree = fromstring("<div><section id='story'><p class='x9 lead'>a</p><p>b</p></section></div>")
    first, second = tree.iter("p")
    assert selector_of(first) == "p.lead"
    assert selector_of(second) == "#story > p"
