"""How far a page can be trusted: the most severe reason decides."""

import pytest

from pipelines.extraction.extract import extract
from pipelines.extraction.quality import is_short
from pipelines.model import Article, Status
from pipelines.sources.addresses import place_of
from tests.conftest import C_URL, SOURCES, capture, page, prose

WHEN = "2024-06-14T00:00:00"


def read(body: bytes, truncated: bool = False) -> Article:
    from dataclasses import replace

    place = place_of(C_URL, SOURCES.values())
    assert place
    return extract(replace(capture(body, WHEN), truncated=truncated), place)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (page(prose(1)), Status.OK, None),
        (page(prose(1, 1)), Status.REVIEW, "short"),
        (page(prose(1), date="15 Jun. 2024, 20:09"), Status.REVIEW, "from_the_future"),
        (page(["Nothing here."], headline="Page not found"), Status.REJECT, "soft_404"),
        (page(["Sorry."], headline="503 Service Unavailable"), Status.REJECT, "error_page"),
        (page([*prose(1, 2), "Subscribe to continue reading."]), Status.TRUNCATED, "paywall"),
        (page(prose(1)).replace(b"article_body", b"renamed"), Status.DRIFT, "no_profile_fits"),
        (b"<html><body><div id='root'></div></body></html>", Status.REJECT, "script_shell"),
    ],
)
def test_a_page_has_its_status_and_the_reason(body: bytes, status: Status, reason: str | None) -> None:
    article = read(body)
    assert article.status is status, article.reasons
    assert reason in article.reasons if reason else article.reasons == ()


def test_an_answer_that_was_cut_is_truncated_however_good_it_looks() -> None:
    assert read(page(prose(1)), truncated=True).status is Status.TRUNCATED


def test_shortness_counts_paragraphs_and_letters() -> None:
    assert is_short(Article(Status.OK, text="One.\n\nTwo.\n\nThree."))
    assert not is_short(Article(Status.OK, text="\n\n".join(prose(1))))
