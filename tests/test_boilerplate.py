"""Where the argument begins and ends: cases in which a rule that looks at words alone is wrong."""

import pytest

from pipelines.model import Article
from tests.conftest import C_URL, capture, page, prose
from tests.test_pages import read

TEXT = prose(1)
DAUM = "https://v.daum.net/v/20240613230000001"


def newspaper(*blocks: str, **more: str) -> Article:
    return read(capture(page(list(blocks), **more), "2024-06-14T00:00:00", C_URL))


def portal(*blocks: str) -> Article:
    body = "".join(f"<p>{block}</p>" for block in blocks)
    html = (
        "<html><head><meta charset='utf-8'><meta property='og:article:author' content='코리아중앙데일리'>"
        "<meta property='og:regDate' content='20240613230000'></head><body><h3 class='tit_view'>Ferries, once more</h3>"
        f"<div class='article_view'><section>{body}</section></div></body></html>"
    )
    return read(capture(html.encode(), "2024-06-14T00:00:00", DAUM))


def authors(article: Article) -> list[tuple[str, str]]:
    return [(author.name, author.bio) for author in article.authors]


@pytest.mark.parametrize(
    ("bio", "first"),
    [
        ("The author is a former ambassador to the U.S.", "The council broke its word in May."),
        ("The author is a professor of design at KAIST.", "The council broke its word in May."),
        ("The author is an editorial writer of the JoongAng Ilbo.", "2019 was the year of drawings."),
        ("The author is a captain at Hanbit Shipping Co. Ltd. in Busan.", "Nobody asked him."),
        ("The author is a professor at Hanbit University.", "She was 29 when the tram killed her."),
        ("The author is a professor at Hanbit University. She previously served as vice minister.", "It rained."),
        ("The author is Washington bureau chief of the JoongAng Ilbo.", "The tram is late."),
    ],
)
def test_a_glued_bio_ends_where_its_sentence_ends(bio: str, first: str) -> None:
    article = portal(f"Kim Min-ju{bio} {first} {TEXT[0]}", *TEXT[1:])
    assert authors(article) == [("Kim Min-ju", bio)]
    assert article.text.split("\n\n")[0] == f"{first} {TEXT[0]}"
    assert ("boilerplate_in_text" in article.reasons) == first.startswith("She ")


@pytest.mark.parametrize(
    "line",
    [
        "Copyright law must serve readers as well as owners.",
        "Correction is what a council owes its voters, and it should begin with the tram.",
        "Clarification was promised in March, and none has come.",
        "Translation by Machine and Memory",
        "The author was a witness, and a witness deserves a hearing.",
        "The writer is a witness before she is anything else. That is what the council forgot.",
        "Kim Min-ju is my name, and I will ride the bus tomorrow.",
        "Readers who sign in to read the minutes find them empty.",
        "Share this burden, and the island will thank you.",
        "Sign up to the idea that nobody pays, and nobody will.",
        "Read more history, and fewer polls.",
        "The views expressed at the hearing were not those of the island.",
        "Translated using a dictionary, the law means nothing.",
    ],
)
def test_a_line_of_the_argument_stays_at_either_end(line: str) -> None:
    for blocks in ([line, *TEXT], [*TEXT, line]):
        article = newspaper(*blocks)
        assert article.text.split("\n\n") == blocks, line
    assert newspaper(*TEXT, line, author="Kim Min-ju").text.endswith(line)


@pytest.mark.parametrize("dash", ["-", "•"])
def test_demands_at_the_end_are_no_headlines(dash: str) -> None:
    demands = [f"{dash} Publish the bids of 2019", f"{dash} Hire the drivers", f"{dash} Fix the depot roof"]
    article = newspaper(*TEXT, "The council should do three things:", *demands)
    assert article.text.split("\n\n")[-3:] == demands
    assert article.status == "ok"


def test_a_portals_headlines_go_though_some_of_them_ask() -> None:
    lines = [f"- Headline number {n}{'?' if n in {2, 8} else ''}" for n in range(9)]
    article = portal(*TEXT, "Copyright © 코리아중앙데일리. 무단전재 및 재배포 금지.", *lines)
    assert article.text.split("\n\n") == TEXT
    assert len(article.related) == 9
    assert article.copyright


def test_a_portrait_named_like_the_author_is_no_caption() -> None:
    bio = "The author is a professor of tides at Mokpo Harbor University."
    body = page(TEXT).replace(
        b"</h1>", f"</h1><img src='/p.jpg' alt='Kim Min-ju'><p>Kim Min-ju</p><p>{bio}</p>".encode()
    )
    article = read(capture(body, "2024-06-14T00:00:00"))
    assert authors(article) == [("Kim Min-ju", bio)]
    assert article.captions == ()


@pytest.mark.parametrize(
    "bio",
    [
        "The author is political news editor of the JoongAng Ilbo.",
        "The author is associate professor of law at Hanbit University.",
        "The author is co-founder and CEO of Hanbit Robotics.",
        "The author studies harbors at Mokpo Harbor University.",
        "The guest columnist is a poet.",
        "The author of this column is a lawyer.",
        "Kim Min-ju is a professor of urban planning at Hanbit University.",
        "Kim Min-ju, a professor emeritus at Hanbit University, is the author of “Tides.”",
    ],
)
def test_what_stands_under_a_name_is_a_bio(bio: str) -> None:
    article = newspaper("Kim Min-ju", bio, *TEXT)
    assert (authors(article), article.text.split("\n\n")) == ([("Kim Min-ju", bio)], TEXT)
    article = newspaper(*TEXT, "Kim Min-ju", bio)
    assert article.status == "ok" or "boilerplate_in_text" in article.reasons


def test_two_authors_with_a_bio_each_or_one_for_both() -> None:
    one, two = "The author is a pilot in Mokpo.", "The author is a professor at Hanbit University."
    article = newspaper("Kim Min-ju", one, "Ann Lee", two, *TEXT)
    assert authors(article) == [("Kim Min-ju", one), ("Ann Lee", two)]
    both = "The authors are professors at Hanbit University."
    article = newspaper("Kim Min-ju and Ann Lee", both, *TEXT)
    assert authors(article) == [("Kim Min-ju", both), ("Ann Lee", both)]


@pytest.mark.parametrize(
    "name",
    ["Mark van der Berg", "Ursula von der Leyen", "Élodie Martin", "J. P. Morrow", "김민주"],
)
def test_names_are_names(name: str) -> None:
    bio = "The author is a harbor pilot in Mokpo."
    assert authors(newspaper(name, bio, *TEXT)) == [(name, bio)]


@pytest.mark.parametrize("label", ["[Column]", "THE FOUNTAIN", "What the harbor needs is a timetable"])
def test_a_rubric_or_deck_before_the_byline_does_not_hide_it(label: str) -> None:
    bio = "The author is a harbor pilot in Mokpo."
    article = newspaper(label, "Kim Min-ju", bio, *TEXT)
    assert (authors(article), article.text.split("\n\n")) == ([("Kim Min-ju", bio)], TEXT)


@pytest.mark.parametrize(
    "line",
    [
        "Follow us on Facebook and X",
        "Subscribe to our newsletter for more of this.",
        "JoongAng Sunday, June 13-14, Page 31",
        "Translated using generative AI and edited by Korea JoongAng Daily staff.",
        "The views expressed here are the author’s own and not those of the paper.",
    ],
)
def test_what_a_paper_adds_behind_the_text_goes(line: str) -> None:
    bio = "The writer is a harbor pilot in Mokpo."
    article = newspaper(*TEXT, "by Kim Min-ju", bio, line)
    assert article.text.split("\n\n") == TEXT
    assert authors(article) == [("Kim Min-ju", bio)]


def test_what_no_rule_took_and_looks_like_an_edge_is_told() -> None:
    assert "boilerplate_in_text" in newspaper(*TEXT[:-1], "The author is a pilot in Mokpo.", TEXT[-1]).reasons
    assert "boilerplate_in_text" in newspaper(*TEXT, "- A pier of one’s own", "- Tides of March").reasons


def test_inserted_words_are_text_and_deleted_ones_are_not() -> None:
    body = page([*TEXT, "The council paid XX for it."]).replace(b"XX", b"<del>3</del> <ins>5 billion won</ins>")
    assert read(capture(body, "2024-06-14T00:00:00")).text.endswith("The council paid 5 billion won for it.")


def test_words_that_the_library_drops_are_kept() -> None:
    lines = [*TEXT, "Google", "Facebook", "Twitter", "PDF", TEXT[-1], TEXT[-1]]
    article = newspaper(*lines)
    assert article.text.split("\n\n") == lines


def test_a_poem_in_the_other_language_stays_where_it_is() -> None:
    lines = [
        *TEXT[:3],
        "The poet wrote:",
        "산에는 꽃 피네",
        "꽃이 피네",
        "In English it reads thus: flowers.",
        *TEXT[3:],
    ]
    article = newspaper(*lines)
    assert (article.text.split("\n\n"), article.text_ko) == (lines, "")


@pytest.mark.parametrize(
    ("stamp", "iso"),
    [
        ("June 13, 2024, 8:09 p.m.", "2024-06-13T20:09:00+09:00"),
        ("June 14, 2024 12:30 AM", "2024-06-14T00:30:00+09:00"),
        ("2024.06.13. 오후 8:09", "2024-06-13T20:09:00+09:00"),
        ("2024년 6월 13일 20:09", "2024-06-13T20:09:00+09:00"),
        ("2024/06/13 20:09", "2024-06-13T20:09:00+09:00"),
    ],
)
def test_clocks_of_twelve_hours_and_korean_dates(stamp: str, iso: str) -> None:
    article = newspaper(*TEXT, date=stamp)
    assert article.published_at
    assert article.published_at.isoformat() == iso


@pytest.mark.parametrize(
    "beside",
    [
        "<p>Get the best of our opinion pages in your mailbox every Thursday morning, with cartoons and letters.</p>",
        "<p>This content may not be reproduced or manipulated in any form without the paper’s consent.</p>",
        f"<div class='author-box'><p>{'Kim Min-ju has been writing about harbors for years. ' * 5}</p></div>",
    ],
)
def test_what_a_template_puts_beside_the_body_is_no_lost_text(beside: str) -> None:
    body = page(TEXT).replace(b"<div id='article_body'>", b"<div class='w'><div id='article_body'>")
    body = body.replace(b"</body>", f"{beside}</div></body>".encode())
    assert "text_beside_region" not in read(capture(body, "2024-06-14T00:00:00")).reasons


def test_the_pages_own_json_ld_wins_over_a_recommended_articles() -> None:
    own = (
        '{"@type": "NewsArticle", "headline": "A ferry is not a promise", "datePublished": "2024-06-13T20:09:00+09:00"}'
    )
    other = '{"@type": "NewsArticle", "headline": "Rice", "datePublished": "2024-05-01T00:00:00Z", "author": "Bo Park"}'
    scripts = "".join(f"<script type='application/ld+json'>{text}</script>" for text in (other, own))
    article = newspaper(*TEXT, after=scripts)
    assert (article.authors, article.status) == ((), "ok")
