"""Moments as pages write them, whatever the machine's zone."""

import os
import time
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from pipelines.extraction.dates import by_label, day, moment, stated

SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture(params=["UTC", "Asia/Seoul", "America/Los_Angeles"], autouse=True)
def _zone(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("20240626200145", "2024-06-26T20:01:45+09:00"),
        ("2024. 6. 26. 20:01", "2024-06-26T20:01:00+09:00"),
        ("입력 2024. 6. 26. 20:01", "2024-06-26T20:01:00+09:00"),
        ("Published: 20 Dec. 2017, 21:52", "2017-12-20T21:52:00+09:00"),
        ("Published: 1 May 2024, 00:05", "2024-05-01T00:05:00+09:00"),
        ("Published: 3 Sept. 2024, 20:01", "2024-09-03T20:01:00+09:00"),
        ("Published: 3 July 2024, 20:01", "2024-07-03T20:01:00+09:00"),
        ("2025-03-10T16:05:00Z", "2025-03-10T16:05:00+00:00"),
        ("2025-03-10T16:05:00+0900", "2025-03-10T16:05:00+09:00"),
        ("2025-03-10 16:05:00", "2025-03-10T16:05:00+09:00"),
        ("Thu,28 Jul 2022 4:35:5 GMT+9", "2022-07-28T04:35:05+09:00"),
        ("Tue, 06 Aug 2024 20:19:00 +0900", "2024-08-06T20:19:00+09:00"),
    ],
)
def test_a_moment_keeps_its_zone_and_naive_ones_are_seouls(raw: str, expected: str) -> None:
    found = moment(raw, SEOUL)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    "raw", ["", "yesterday", "2024-13-45T10:00", "32 Dec. 2024, 10:00", "20249926200145", "Copyright 2019"]
)
def test_what_states_no_moment_gives_none(raw: str) -> None:
    assert moment(raw, SEOUL) is None


def test_a_list_may_state_the_day_only() -> None:
    assert [str(day(raw, SEOUL)) for raw in ("2021-05-01", "Dec 20,2017", "Jun. 13, 2026")] == [
        "2021-05-01",
        "2017-12-20",
        "2026-06-13",
    ]


def test_the_day_of_a_moment_is_the_day_in_seoul() -> None:
    assert str(day("2025-03-10T16:05:00Z", SEOUL)) == "2025-03-11"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2024.06.13 8:09 오후", "2024-06-13T20:09:00+09:00"),
        ("Thu, 13 Jun 2024 11:09:00 -0000", "2024-06-13T11:09:00+00:00"),
        ("Thu, 13 Jun 2024 11:09:00 HKT", "2024-06-13T11:09:00+08:00"),
        ("June 13, 2024 20:09 CST", None),
        ("June 13, 2024 8:09 p.m. Central Time", None),
    ],
)
def test_a_zone_that_nobody_knows_leaves_the_day(raw: str, expected: str | None) -> None:
    found = stated(raw, SEOUL)
    assert found is not None
    assert (found.moment.isoformat() if found.moment else None) == expected
    assert str(found.day) == "2024-06-13"


def test_a_label_may_stand_behind_its_stamp() -> None:
    assert by_label("2024-06-13 20:09 입력 2024-06-14 09:00 수정") == {
        "published": "2024-06-13 20:09",
        "modified": "2024-06-14 09:00",
    }


@pytest.mark.parametrize("zone", ["+99999999999999999", "-99999999999999999"])
@pytest.mark.parametrize("year", ["2026", "99999999999999999999"])
def test_an_absurd_zone_or_year_is_no_date(zone: str, year: str) -> None:
    stated(f"Mon, 01 Jun {year} 00:00:00 {zone}", ZoneInfo("Asia/Seoul"))
