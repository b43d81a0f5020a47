"""Fields, each with where it comes from; null rather than a guess."""

from datetime import date

import pytest
from lxml.html import document_fromstring

from pipelines.extraction.boilerplate import Boilerplate
from pipelines.extraction.fields import dates, headline, is_person, kind, section
from pipelines.extraction.page import Page, page_of
from pipelines.sources import Profile
from pipelines.sources.addresses import Place, place_of
from tests.conftest import A_URL, C_URL, DAUM_URL, SOURCES

KJD = SOURCES["kjd"]
PROFILE = Profile("p", ("#body",), headline=("h1",), date=(".date",), section=(".crumb",))


def page(body: str, head: str = "") -> Page:
    return page_of(document_fromstring(f"<html><head>{head}</head><body>{body}</body></html>"))


def place(url: str) -> Place:
    found = place_of(url, SOURCES.values())
    assert found
    return found


def test_the_sites_own_name_is_cut_from_a_headline_and_nothing_else_is() -> None:
    own = headline(page("", "<title>A ferry - Korea JoongAng Daily</title>"), PROFILE, KJD)
    other = headline(page("", "<title>A ferry - and a promise</title>"), PROFILE, KJD)
    assert (own and own.value, other and other.value) == ("A ferry", "A ferry - and a promise")


@pytest.mark.parametrize("name", ["Korea JoongAng Daily", "Editorial Board", "Admin", "10:30", "a@b.org", ""])
def test_what_is_not_a_person(name: str) -> None:
    assert not is_person(name, KJD)


def test_witnesses_that_name_another_day_are_kept_apart() -> None:
    head = "<meta property='article:published_time' content='2026-06-01T10:00:00+09:00'>"
    found = dates(page("<i class='date'>2 Jun. 2026, 10:00</i>", head), PROFILE, place(A_URL), [])
    assert found.published
    assert (found.published[0].day.day, [said.day.day for said, _ in found.others]) == (1, [2])


def test_a_page_that_states_no_moment_has_none() -> None:
    assert dates(page("<i class='date'>yesterday</i>"), PROFILE, place(A_URL), []).published is None


def test_an_id_that_states_the_moment_is_the_last_witness() -> None:
    found = dates(page(""), PROFILE, place(DAUM_URL), [])
    assert found.published
    assert found.published[1].provenance == "address"


def test_the_kind_comes_from_the_address_then_the_section_then_the_text() -> None:
    found = Boilerplate(paragraphs=["x"])
    assert kind("Columns", place(C_URL), found, False) == ("editorial", "address")
    assert kind("Columns", place(DAUM_URL), found, False) == ("column", "section")
    assert kind("", place(DAUM_URL), found, False) == ("unknown", "")
    assert section(page("<b class='crumb'>Opinion</b>"), PROFILE) == "Opinion"


def test_a_change_after_the_capture_is_dropped_and_a_publication_doubted() -> None:
    head = "<meta property='article:modified_time' content='9998-12-31T23:59:59-12:00'>"
    seen = page("<i class='date'>2 Jun. 2027, 10:00</i>", head)
    found = dates(seen, PROFILE, place(A_URL), [], date(2026, 6, 3))
    assert (found.published, found.modified) == (None, None)
    assert [said.day for said, _ in found.others] == [date(2027, 6, 2)]
