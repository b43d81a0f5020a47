"""Routes as hostile or broken sites write them."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from pipelines.sources import Route
from spiders.discovery import MAX_PAGES, Entry, Unreadable, after, entries_of
from spiders.guard import is_public
from tests.conftest import SOURCES

SEOUL = ZoneInfo("Asia/Seoul")
ROUTES = {route.name: route for route in (*SOURCES["kjd"].routes, *SOURCES["daum"].routes)}
BASE = "https://koreajoongangdaily.joins.com/section/opinion/editorials"
GOOD = "<div class='mid-article3'><a class='media' href='/news/2026-06-02/opinion/editorials/A/2594828'></a></div>"


def read(name: str, body: bytes) -> list[Entry]:
    return entries_of(ROUTES[name], body, BASE, SEOUL)


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


def test_a_date_beyond_all_calendars_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read("channel", b'{"items": [{"title": "x", "pcLink": "https://v.daum.net/v/1", "createDt": 1e30}]}')


def test_entities_of_a_feed_are_not_expanded() -> None:
    bomb = "<!DOCTYPE r [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><rss><item><title>&b;</title><link>http://x.org/1</link></item></rss>"
    assert [entry.title for entry in read("feed", bomb.encode())] == [""]


SHOWN = [Entry("u", date(2026, 6, 3), ""), Entry("v", date(2026, 6, 2), ""), Entry("w", None, "")]
UNDATED = [Entry("u", None, ""), Entry("v", None, "")]
PAGED = Route("x", "list", "", next="?page={page}")


def test_a_list_is_read_back_far_enough_when_it_shows_an_older_day_or_ends_with_an_empty_page() -> None:
    assert after(PAGED, 1, SHOWN, True, date(2026, 6, 3)).reached
    assert not after(PAGED, 1, SHOWN, True, date(2026, 6, 2)).reached
    assert after(PAGED, 1, SHOWN, True, date(2026, 6, 2)).go_on
    assert after(PAGED, 2, [], False, date(2026, 6, 2)).reached


@pytest.mark.parametrize(
    ("route", "page", "found", "fresh", "error"),
    [
        (PAGED, 1, [], False, "0 items"),
        (PAGED, 1, UNDATED, True, "no entry has a date"),
        (PAGED, 2, SHOWN, False, "page 2 shows nothing new"),
        (PAGED, MAX_PAGES, SHOWN, True, "goes on behind page 200"),
        (Route("x", "list", ""), 1, SHOWN, True, "has no further page"),
    ],
)
def test_what_proves_nothing_is_told_and_never_counts_as_read(
    route: Route, page: int, found: list[Entry], fresh: bool, error: str
) -> None:
    step = after(route, page, found, fresh, date(2026, 6, 2))
    assert error in step.error
    assert (step.reached, step.go_on) == (False, False)


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
