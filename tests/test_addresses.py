"""Addresses of every era: one article, one id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.addresses import canonical_url, is_opinion, place_of, time_in
from tests.conftest import SOURCES

KJD, JOINS = SOURCES["kjd"], "https://koreajoongangdaily.joins.com"


@pytest.mark.parametrize("extra", ["?ref=rss", "?fbclid=1&x=2", "?rcmd=1#top", "?"])
def test_a_query_that_nobody_knows_names_no_other_article(extra: str) -> None:
    url = f"{JOINS}/news/2024-06-13/opinion/editorials/A-ferry/2068163"
    found = place_of(url + extra, SOURCES.values())
    assert found is not None
    assert (found.article_id, found.canonical_url) == ("kjd-c2068163", url)
    assert place_of(f"{JOINS}/news/article/article.aspx{extra}", SOURCES.values()) is None, "its path names none"


@pytest.mark.parametrize(
    ("url", "article_id"),
    [
        ("http://koreajoongangdaily.joins.com/news/article/article.aspx?aid=3042020", "kjd-a3042020"),
        ("http://koreajoongangdaily.joins.com/news/article/Article.aspx?aid=3066004", "kjd-a3066004"),
        ("http://koreajoongangdaily.joins.com/news/article/Article.aspx?cloc=x&aid=3066004", "kjd-a3066004"),
        (f"{JOINS}/2019/12/17/editorials/Simpering-submissiveness/3071610.html", "kjd-a3071610"),
        (f"{JOINS}/2019/12/17/bilingualNews/Simpering-submissiveness-KOR/3071611.html", "kjd-a3071611"),
        (
            f"{JOINS}/2022/03/22/opinion/editorials/Moon-Jaein-North-Korea-military/20220322200429589.html",
            "kjd-b20220322200429589",
        ),
        (f"{JOINS}/news/2024-06-13/opinion/editorials/Putin-must-not/2068163?utm_source=x", "kjd-c2068163"),
        (f"{JOINS}/news/2026-05-26/opinion/columns/When-AI-evolves-on-its-own/2600329/", "kjd-c2600329"),
        ("https://www.koreajoongangdaily.com/opinion/nps-becomes-an-amplifier/12782277", "kjd-d12782277"),
        ("https://koreajoongangdaily.com/opinion/nps-becomes-an-amplifier/12782277", "kjd-d12782277"),
        ("https://v.daum.net/v/20240626200145724", "daum-20240626200145724"),
        ("http://news.v.daum.net/v/20240626200145724?f=o", "daum-20240626200145724"),
    ],
)
def test_each_era_has_its_ids(url: str, article_id: str) -> None:
    place = place_of(url, SOURCES.values())
    assert place is not None
    assert place.article_id == article_id


@pytest.mark.parametrize(
    "url",
    [
        "https://image.koreajoongangdaily.com/12626953.webp?width=1200&height=630",
        "https://www.koreajoongangdaily.com/opinion",
        "https://v.daum.net/channel/640/home",
        "https://evil.example/v/20240626200145724",
        "https://v.daum.net.evil.example/v/20240626200145724",
        "https://[broken",
        "",
    ],
)
def test_what_is_no_article_has_no_id(url: str) -> None:
    assert place_of(url, SOURCES.values()) is None


def test_the_same_number_in_two_eras_is_two_articles() -> None:
    old = place_of(f"{JOINS}/2005/01/04/editorials/X/2068163.html", SOURCES.values())
    new = place_of(f"{JOINS}/news/2024-06-13/opinion/editorials/Y/2068163", SOURCES.values())
    assert old is not None
    assert new is not None
    assert old.article_id != new.article_id


def test_other_sections_are_told_by_their_path() -> None:
    place = place_of(f"{JOINS}/2023/02/05/business/industry/korea/20230205070006436.html", SOURCES.values())
    assert place is not None
    assert not is_opinion(place)


def test_the_portals_number_states_its_time() -> None:
    place = place_of("https://v.daum.net/v/20240626200145724", SOURCES.values())
    assert place is not None
    assert str(time_in(place)) == "2024-06-26 20:01:45+09:00"


@given(
    st.text(max_size=60), st.sampled_from(["http", "HTTPS"]), st.sampled_from(["?utm_source=a&aid=1", "?fl", "#x", ""])
)
def test_a_canonical_address_is_its_own(path: str, scheme: str, tail: str) -> None:
    try:
        once = canonical_url(f"{scheme}://KoreaJoongAngDaily.joins.com:80/{path}{tail}", KJD)
    except ValueError:
        return
    assert canonical_url(once, KJD) == once
