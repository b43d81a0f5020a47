"""Routes as hostile or broken sites write them."""

import asyncio
import gzip
import time
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scrapy import Request, Spider
from scrapy.exceptions import IgnoreRequest
from scrapy.http import HtmlResponse
from scrapy.utils.test import get_crawler

from pipelines.sources import Route
from spiders.discovery import MAX_PAGES, Course, Entry, Next, Shown, Unreadable, entries_of
from spiders.guard import NoInwardAddress, is_public
from spiders.kjd import Kjd
from tests.conftest import CASES, SOURCES

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


def test_links_follow_the_pages_base_and_titles_its_encoding() -> None:
    page = "<head><base href='/news/'></head>" + GOOD.replace("/news/", "").replace(
        "</a>", "<b class='mid-article-title3'>\ubc30</b></a><i class='media-date'>2026.06.02</i>"
    )
    found = entries_of(ROUTES["editorials"], page.encode("euc-kr"), BASE, SEOUL, "text/html; charset=euc-kr").entries
    assert [(e.url, e.title) for e in found] == [
        ("https://koreajoongangdaily.joins.com/news/2026-06-02/opinion/editorials/A/2594828", "\ubc30")
    ]


def test_a_bomb_is_read_no_further_than_a_list_can_be() -> None:
    bomb = gzip.compress(b"<rss>" + (b"<item>" + b" " * 90 + b"</item>") * 1_000_000)
    assert read("feed", bomb) == []
    with pytest.raises(Unreadable, match="broken gzip"):
        read("feed", b"\x1f\x8b" + b"x" * 50)


def test_entities_of_a_feed_are_not_expanded() -> None:
    bomb = "<!DOCTYPE r [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><rss><item><title>&b;</title><link>http://x.org/1</link></item></rss>"
    assert [entry.title for entry in read("feed", bomb.encode())] == [""]


PAGED, SINGLE = Route("x", "list", "", next="?page={page}"), Route("x", "feed", "")
JUNE = date(2026, 6, 3)  # the first day asked for


def course(route: Route = PAGED) -> Course:
    return Course(route, JUNE, date(2000, 1, 1), date(2026, 6, 10))


def shown(*days: str, of: str = "u") -> list[Entry]:
    """Return entries of these days; an empty one has none."""
    return [
        Entry(f"{of}{n}", date.fromisoformat(f"2026-{day}"[-10:]) if day else None, "") for n, day in enumerate(days)
    ]


def follow(pages: list[list[Entry]], route: Route = PAGED) -> tuple[list[Entry], Next]:
    """Return all entries to look at, and what followed from the last page."""
    read, found, step = course(route), [], Next()
    for page, entries in enumerate(pages, 1):
        more, step = read.follow(page, Shown(entries), [entry.url for entry in entries], more=bool(route.next))
        found += more
    return found, step


@pytest.mark.parametrize(
    ("pages", "reached"),
    [
        ([["06-03", "06-02"]], False),  # an older entry may be pinned
        ([["06-03", "06-02"], ["06-02", "06-01"]], False),  # and three
        ([["06-03", "06-02"], ["06-01"] * 9], True),
        ([["06-03"], ["06-01"] * 9], False),
        ([["06-03"], ["06-01"] * 10], True),
        ([["06-03", *["06-01"] * 10]], False),  # no whole page
        ([["06-03", "06-02"], []], True),
        ([["06-03", "06-03"], []], False),  # nothing older was shown: the list may have been cut off
        ([["05-20", "06-04", "06-03"], ["06-03", "06-02"]], False),
        ([["05-20", "06-04", "06-03"], ["06-01"] * 10], True),
    ],
)
def test_the_days_are_covered_behind_a_whole_older_page_or_an_end_behind_an_older_entry(
    pages: list[list[str]], reached: bool
) -> None:
    _, step = follow([shown(*days, of=f"p{n}-") for n, days in enumerate(pages)])
    assert step.reached == reached


def test_a_list_ends_behind_an_older_entry_where_the_site_says_so() -> None:
    read = course()
    read.follow(1, Shown(shown("06-03", "06-02")), ["u0", "u1"], more=True)
    assert read.ended(is_said=True).reached
    assert not read.ended(is_said=False).reached
    assert not course().ended(is_said=True).reached


def test_where_there_is_one_page_it_must_end_behind_ten_older_entries() -> None:
    older = ["06-02"] * 10
    assert follow([shown("06-03", *older, "")], SINGLE)[1].reached
    assert not follow([shown("06-03", *older[1:])], SINGLE)[1].reached
    assert not follow([shown(*older, "06-04", "06-03")], SINGLE)[1].reached
    begun = Route("x", "list", "", first_day=JUNE)
    assert follow([shown("06-04", "06-03")], begun)[1].reached, "there is nothing older"


@pytest.mark.parametrize(
    ("route", "pages", "error"),
    [
        (PAGED, [[]], "0 items"),
        (PAGED, [["", ""]], "no entry has a date"),
        (PAGED, [["06-03"], ["06-03"], ["06-03"]], "page 3 shows nothing new"),
        (PAGED, [["06-04"], ["06-04"]], ""),  # so much was published between two requests
        (PAGED, [["06-04", "06-03"], []], "goes back to 2026-06-03, and has no further page"),
        (SINGLE, [["06-04", "06-03"]], "has no further page"),
        (PAGED, [["06-01", "06-09", "05-01", "06-08", "04-20", "06-07", "05-05"], ["02-01"]], "not in the order"),
    ],
)
def test_what_proves_nothing_is_told_and_never_counts_as_read(route: Route, pages: list[list[str]], error: str) -> None:
    _, step = follow([shown(*days) if len(days) == 1 else shown(*days, of="v") for days in pages], route)
    assert error in step.error
    assert not step.reached


def test_a_list_is_read_no_further_than_200_pages() -> None:
    _, step = follow([shown("06-05", of=f"p{n}-") for n in range(MAX_PAGES)])
    assert step == Next(error="goes on behind page 200")


@pytest.mark.parametrize(
    ("days", "undated"),
    [
        (("2020-01-05", "2026-06-05", "2026-06-04", "2026-06-03"), [0]),  # pinned
        (("2026-06-05", "1970-01-21", "2026-06-04"), [1]),  # seconds for milliseconds
        (("2026-06-05", "2026-06-04", "2035-06-04"), [2]),  # of the future
        (("1970-01-01", "1970-01-01"), [0, 1]),
        (("2026-06-05", "2026-06-04", "2026-02-01", "2026-01-30"), []),  # a pause is no fault
        (("2026-06-05", "2026-04-30", "2026-03-25", "2026-02-20"), []),  # once a month
        (("2026-06-05", "2026-06-09", "2026-06-04"), [0, 1]),  # one of them is wrong
        (("2026-06-05", "2026-05-20", "2026-06-04", "2026-06-03"), [1, 2]),
        (("2026-06-05", "2020-01-01"), []),  # of two, nobody knows which is wrong
        (("", "2026-06-05", "2019-06-05", "2026-06-05"), [0, 2]),
    ],
)
def test_a_day_that_does_not_fit_is_no_day(days: tuple[str, ...], undated: list[int]) -> None:
    found, _ = follow([shown(*days)])
    assert [at for at, entry in enumerate(found) if entry.day is None] == undated


def test_a_further_page_may_put_the_days_of_the_last_one_in_doubt() -> None:
    found, step = follow([shown("06-05", "06-05", "05-30"), shown("06-04", "06-03", of="v")])
    assert [entry.url for entry in found if entry.day is None] == ["u2", "v0"]
    assert step.go_on


def test_an_index_of_sitemaps_names_them_the_newest_first() -> None:
    names = ("a", "2026-05-01"), ("b", "2026-06-01"), ("c", "")
    told = "".join(f"<sitemap><loc>https://x.org/{n}.xml</loc><lastmod>{d}</lastmod></sitemap>" for n, d in names)
    body = f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{told}</sitemapindex>".encode()
    found = entries_of(ROUTES["news-sitemap"], body, BASE, SEOUL)
    assert (found.entries, found.more) == ([], tuple(f"https://x.org/{n}.xml" for n in "cba"))


# -- as a property: whatever a list looks like, each article of the days is found, or the days are not complete ----

TODAY, OLDEST = date(2026, 6, 10), date(2026, 4, 1)


@st.composite
def lists(draw: st.DrawFn) -> tuple[dict[str, date], list[Entry], int, int]:
    """Return the true days of some articles, the list of them as a site shows it, its page's size, how many came new
    between two requests."""
    gaps = draw(st.lists(st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 3, 7]), min_size=3, max_size=60))
    day, true, shown_ = TODAY, {}, []
    for n, gap in enumerate(gaps):
        day -= timedelta(days=gap)
        true[f"a{n}"] = day
        shown_.append(Entry(f"a{n}", day, ""))
    faults = draw(
        st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, len(gaps) - 1), st.integers(-90, 90)), max_size=6)
    )
    for fault, at, by in faults:
        if fault == "pin":
            shown_.insert(0, shown_.pop(at))
        elif fault == "move":
            shown_.insert(min(max(at + by // 10, 0), len(shown_)), shown_.pop(at))
        elif fault == "no date":
            shown_[at] = replace(shown_[at], day=None)
        elif fault == "epoch":
            shown_[at] = replace(shown_[at], day=date(1970, 1, 21))
        elif fault == "wrong":
            shown_[at] = replace(shown_[at], day=true[shown_[at].url] + timedelta(days=by))
    if draw(st.integers(0, 9)) == 0:
        shown_ = draw(st.permutations(shown_))
    return true, shown_, draw(st.sampled_from([3, 5, 10, 20])), draw(st.integers(0, 4))


FAULTS = ("pin", "move", "no date", "epoch", "wrong")


@given(lists(), st.integers(0, 20), st.integers(0, 3), st.booleans())
@settings(max_examples=10 * CASES, deadline=None)
def test_each_article_of_the_days_is_found_or_they_are_not_complete(
    listed: tuple[dict[str, date], list[Entry], int, int], back: int, length: int, single: bool
) -> None:
    true, entries, size, fresh = listed
    last = TODAY - timedelta(days=1 + back)
    first = last - timedelta(days=length)
    read = Course(SINGLE if single else PAGED, first, date(2000, 1, 1), TODAY + timedelta(days=1))
    found, step, page = list[Entry](), Next(go_on=True), 0
    while step.go_on:
        came = [Entry(f"n{page}-{n}", TODAY, "") for n in range(fresh * page)]  # while we read
        on_page = (came + entries)[page * size : (page + 1) * size]
        page += 1
        more, step = read.follow(page, Shown(on_page), [entry.url for entry in on_page], more=not single)
        found += more
    days = [entry.day for entry in read.in_order if entry.day]
    assert read.is_disordered or days == sorted(days, reverse=True)
    at_its_word = {entry.url for entry in read.in_order}  # a wrong day that fits among the others cannot be seen
    wanted = {url for url, day in true.items() if first <= day <= last}
    wanted -= {e.url for e in entries if e.day and e.day != true[e.url] and e.url in at_its_word}
    asked_for = {entry.url for entry in found if entry.day is None or first <= entry.day <= last}
    assert not step.reached or wanted <= asked_for


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


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("https://koreajoongangdaily.joins.com:22/news/x", True),
        ("http://koreajoongangdaily.joins.com:443/news/x", True),
        ("https://koreajoongangdaily.joins.com:80/", True),
        ("https://koreajoongangdaily.joins.com:0/", True),
        ("ftp://koreajoongangdaily.joins.com/", True),
        ("https://10.0.0.1/", True),
        ("https://koreajoongangdaily.joins.com:443/news/x", False),
        ("http://koreajoongangdaily.joins.com:80/news/x", False),
        ("https://koreajoongangdaily.joins.com/news/x", False),
    ],
)
def test_no_page_makes_us_speak_to_another_port(url: str, refused: bool) -> None:
    crawler = get_crawler()
    crawler.spider = Spider(name="kjd")
    guard, request = NoInwardAddress.from_crawler(crawler), Request("https://k.org/")
    request._set_url(url)
    if refused:
        with pytest.raises(IgnoreRequest, match="refused: "):
            guard.process_request(request)
    else:
        guard.process_request(request)


def test_the_crawl_goes_on_while_a_huge_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise our own slowness is taken for the site's, and the crawl pauses for a minute."""

    def slowly(*_: object) -> Shown:
        time.sleep(0.5)
        return Shown([])

    monkeypatch.setattr("spiders.source.entries_of", slowly)
    monkeypatch.setenv("OPEDS_CONTACT", "t@example.org")
    spider = Kjd(since="2026-06-02")

    async def turns() -> int:
        request, *_ = [one async for one in spider.start()]
        answer = HtmlResponse(request.url, request=request)
        reading = asyncio.ensure_future(anext(spider.parse_route(answer, **request.cb_kwargs), None))
        count = 0
        while not reading.done():
            await asyncio.sleep(0.01)
            count += 1
        return count

    assert asyncio.run(turns()) > 5
