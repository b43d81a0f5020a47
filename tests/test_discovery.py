"""Routes as hostile or broken sites write them."""

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
