"""Routes as hostile or broken sites write them."""

import gzip
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from pipelines.sources import Route
from spiders.discovery import MAX_PAGES, Entry, Unreadable, after, believed, ended, entries_of
from spiders.guard import is_public
from tests.conftest import SOURCES

SEOUL = ZoneInfo("Asia/Seoul")
ROUTES = {route.name: route for route in (*SOURCES["kjd"].routes, *SOURCES["daum"].routes)}
BASE = "https://koreajoongangdaily.joins.com/section/opinion/editorials"
GOOD = "<div class='mid-article3'><a class='media' href='/news/2026-06-02/opinion/editorials/A/2594828'></a></div>"


def read(name: str, body: bytes) -> list[Entry]:
    return entries_of(ROUTES[name], body, BASE, SEOUL).entries


@pytest.mark.parametrize("name", ["editorials", "feed", "news-sitemap", "channel"])
@pytest.mark.parametrize(
    "body", [b"", b"<!--", b"\x00\xff", b"[" * 100_000, b"{}", b'{"items": 3}', b'{"items": [{}]}']
)
def test_rubbish_is_unreadable_or_empty_never_an_error(name: str, body: bytes) -> None:
    try:
        found = read(name, body)
    except Unreadable:
        return
    assert found == []


@pytest.mark.parametrize("link", ["http://[broken", "javascript:alert(1)", "http://", "data:text/html,x", "\x00"])
def test_one_broken_link_does_not_cost_the_others(link: str) -> None:
    bad = f"<div class='mid-article3'><a class='media' href='{link}'></a></div>"
    found = read("editorials", (bad + GOOD).encode())
    assert [entry.url for entry in found][-1].endswith("/2594828")
    assert all(entry.url.startswith("https://koreajoongangdaily.joins.com/") for entry in found)


@pytest.mark.parametrize("stamp", ["1e30", "null", '"soon"', "-1e30", "{}"])
def test_a_date_beyond_all_calendars_is_none(stamp: str) -> None:
    listed = f'{{"items": [{{"title": "x", "pcLink": "https://v.daum.net/v/1", "createDt": {stamp}}}]}}'
    assert [entry.day for entry in read("channel", listed.encode())] == [None]


CHANNEL = b"""{"items": [{"title": "x", "pcLink": "https://v.daum.net/v/1", "createDt": 1780300000000},
    {"ad": 1}, null, 3, {"title": "y", "createDt": 1}, {"title": "z", "pcLink": "https://v.daum.net/v/2"}]}"""


def test_an_odd_entry_costs_itself_and_is_counted() -> None:
    found = entries_of(ROUTES["channel"], CHANNEL, "https://v.daum.net/", SEOUL)
    assert [entry.url[-1] for entry in found.entries] == ["1", "2"]
    assert found.odd == 4
    undeclared = b"<rss><channel><item><media:title>M</media:title><title>T</title><link>http://x.org/1</link></item>"
    shown_ = entries_of(ROUTES["feed"], undeclared + b"<item/><item><link/></item></channel></rss>", BASE, SEOUL)
    assert ([(e.url, e.title) for e in shown_.entries], shown_.odd) == ([("http://x.org/1", "T")], 2)


ATOM = "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://x.org/a/'><entry><title>T</title>{}</entry></feed>"
MAP = "<urlset xmlns:i='http://www.google.com/schemas/sitemap-image/1.1'><url>{}</url></urlset>"


@pytest.mark.parametrize(
    ("name", "body", "url"),
    [
        ("feed", ATOM.format("<link href='1'/><link rel='replies' href='2'/>"), "https://x.org/a/1"),
        ("feed", ATOM.format("<link rel='self' href='2'/><link rel='alternate' href='/1'/>"), "https://x.org/1"),
        ("feed", ATOM.format("<id>https://x.org/id</id>"), "https://x.org/id"),
        ("feed", "<rss><item><guid>https://x.org/1</guid></item></rss>", "https://x.org/1"),
        ("feed", "<rss><item><link/><guid isPermaLink='true'>https://x.org/1</guid></item></rss>", "https://x.org/1"),
        ("feed", "<rss><item><guid isPermaLink='false'>https://x.org/1</guid></item></rss>", ""),
        ("feed", "<rss><item><guid>tag:1</guid></item></rss>", ""),
        ("news-sitemap", MAP.format("<i:image><i:loc>https://x.org/i</i:loc></i:image><loc>https://x.org/1</loc>"),
         "https://x.org/1"),
        ("news-sitemap", MAP.format("<loc>https://x.org/1</loc><i:image><i:loc>https://x.org/i</i:loc></i:image>"),
         "https://x.org/1"),
        ("news-sitemap", "<urlset><url><loc>https://x.org/1</loc><news:news><news:title>T</news:title></news:news></url>",
         "https://x.org/1"),
    ],
)  # fmt: skip
def test_the_right_address_of_several_is_taken(name: str, body: str, url: str) -> None:
    for sent in (body.encode(), gzip.compress(body.encode())):
        assert [entry.url for entry in read(name, sent)] == ([url] if url else [])


def test_a_sitemap_tells_its_news_and_no_picture() -> None:
    body = (
        "<urlset xmlns:n='http://www.google.com/schemas/sitemap-news/0.9' "
        "xmlns:i='http://www.google.com/schemas/sitemap-image/1.1'><url><loc>https://x.org/1</loc>"
        "<lastmod>2026-06-09</lastmod><n:news><n:publication_date>2026-06-02</n:publication_date><n:title>T</n:title>"
        "</n:news><i:image><i:title>P</i:title></i:image></url></urlset>"
    )
    assert read("news-sitemap", body.encode()) == [Entry("https://x.org/1", date(2026, 6, 2), "T")]
    with pytest.raises(Unreadable, match="index of sitemaps"):
        read("news-sitemap", b"<sitemapindex><sitemap><loc>https://x.org/s.xml</loc></sitemap></sitemapindex>")


def test_links_follow_the_pages_base_and_titles_its_encoding() -> None:
    page = "<head><base href='/news/'></head>" + GOOD.replace("/news/", "").replace(
        "</a>", "<b class='mid-article-title3'>\ubc30</b></a><i class='media-date'>2026.06.02</i>"
    )
    found = entries_of(ROUTES["editorials"], page.encode("euc-kr"), BASE, SEOUL, "text/html; charset=euc-kr").entries
    assert [(e.url, e.title) for e in found] == [
        ("https://koreajoongangdaily.joins.com/news/2026-06-02/opinion/editorials/A/2594828", "\ubc30")
    ]


def test_a_bomb_is_read_no_further_than_a_list_can_be() -> None:
    bomb = gzip.compress(b"<rss>" + b"<item/>" * 10_000_000)
    assert read("feed", bomb) == []
    with pytest.raises(Unreadable, match="broken gzip"):
        read("feed", b"\x1f\x8b" + b"x" * 50)


def test_entities_of_a_feed_are_not_expanded() -> None:
    bomb = "<!DOCTYPE r [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><rss><item><title>&b;</title><link>http://x.org/1</link></item></rss>"
    assert [entry.title for entry in read("feed", bomb.encode())] == [""]


SHOWN = [Entry("u", date(2026, 6, 3), ""), Entry("v", date(2026, 6, 2), ""), Entry("w", None, "")]
UNDATED = [Entry("u", None, ""), Entry("v", None, "")]
PAGED = Route("x", "list", "", next="?page={page}")


def shown(*days: str) -> list[Entry]:
    """Return entries of these days; an empty one has none."""
    return [Entry(f"u{n}", date.fromisoformat(day) if day else None, "") for n, day in enumerate(days)]


def test_a_list_is_read_back_far_enough_when_a_whole_page_is_older_or_it_ends_behind_an_older_entry() -> None:
    first = date(2026, 6, 3)
    straddling = after(PAGED, 1, SHOWN, True, first, date(2026, 6, 2))
    assert (straddling.go_on, straddling.reached) == (True, False), "an older entry may be pinned"
    assert after(PAGED, 2, shown("2026-06-02", "2026-06-01"), True, first, date(2026, 6, 1)).reached
    assert after(PAGED, 2, [], False, first, date(2026, 6, 2)).reached
    assert ended(PAGED, first, date(2026, 6, 2)).reached
    assert not ended(PAGED, first, first).reached, "nothing older was shown: the list may have been cut off"
    begun = Route("x", "list", "", next="?page={page}", first_day=first)
    assert ended(begun, first, first).reached, "there is nothing older"
    one_page = Route("x", "feed", "")
    assert after(one_page, 1, SHOWN, True, first, date(2026, 6, 2)).reached
    pinned = shown("2026-05-20", "2026-06-04", "2026-06-03")
    assert not after(PAGED, 1, pinned, True, first, date(2026, 6, 3)).reached
    assert not after(one_page, 1, pinned, True, first, date(2026, 6, 3)).reached, "its last entry counts"


@pytest.mark.parametrize(
    ("route", "page", "found", "fresh", "oldest", "error"),
    [
        (PAGED, 1, [], False, None, "0 items"),
        (PAGED, 1, UNDATED, True, None, "no entry has a date"),
        (PAGED, 2, SHOWN, False, date(2026, 6, 2), "page 2 shows nothing new"),
        (PAGED, MAX_PAGES, SHOWN, True, date(2026, 6, 2), "goes on behind page 200"),
        (PAGED, 3, [], True, date(2026, 6, 2), "goes back to 2026-06-02, and has no further page"),
        (Route("x", "list", ""), 1, SHOWN, True, date(2026, 6, 2), "has no further page"),
    ],
)
def test_what_proves_nothing_is_told_and_never_counts_as_read(
    route: Route, page: int, found: list[Entry], fresh: bool, oldest: date | None, error: str
) -> None:
    step = after(route, page, found, fresh, date(2026, 6, 2), oldest)
    assert error in step.error
    assert (step.reached, step.go_on) == (False, False)


@pytest.mark.parametrize(
    ("days", "doubted"),
    [
        (("2020-01-05", "2026-06-05", "2026-06-04", "2026-06-03"), [0]),  # pinned
        (("2026-06-05", "1970-01-21", "2026-06-04"), [1]),  # seconds for milliseconds
        (("2026-06-05", "2026-06-04", "2035-06-04"), [2]),  # of the future
        (("1970-01-01", "1970-01-01"), [0, 1]),
        (("2026-06-05", "2026-06-04", "2026-02-01", "2026-01-30"), []),  # a pause is no fault
        (("2026-06-05", "2026-04-30", "2026-03-25", "2026-02-20"), []),  # once a month
        (("2026-06-05", "2026-06-09", "2026-06-04"), []),  # out of order
        (("2026-06-05", "2020-01-01"), []),  # of two, nobody knows which is wrong
        (("", "2026-06-05", "2019-06-05", "2026-06-05"), [0, 2]),
    ],
)
def test_a_day_that_cannot_be_is_no_day(days: tuple[str, ...], doubted: list[int]) -> None:
    found = believed(shown(*days), date(2000, 1, 1), date(2026, 6, 10))
    assert [at for at, entry in enumerate(found) if entry.day is None] == doubted


def test_routes_serve_the_days_they_can_show() -> None:
    before, after = date(2026, 6, 14), date(2026, 6, 15)
    route = Route("x", "list", "", valid_until=after)
    assert route.serves(before, before)
    assert not route.serves(after, after)
    assert route.serves(before, after)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fc00::1", "224.0.0.1", "0.0.0.0"]
)
def test_inward_addresses_are_known(address: str) -> None:
    assert not is_public(address)
