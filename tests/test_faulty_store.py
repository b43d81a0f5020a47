"""A store that fails now and then costs time, and nothing else; one that fails half the time costs the run at most.

By default one mix of faults; `make faults` tries twenty of each rate.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from newsstand.server import parse_clock, running
from pipelines.archive.store import open_store
from pipelines.errors import AlreadyArchived, NotArchived, StoreBusy, StoreUnavailable
from pipelines.jobs.verify import verify
from pipelines.settings import Settings
from tests.conftest import FAULTS as MANY
from tests.conftest import Ran, command, minutes, state
from tests.proxy import FAULTS, Proxy, between, mix

OPEDS = ["-c", "from pipelines.cli.main import main; main()"]
WEEK = ("run", "--since", "2026-06-01", "--until", "2026-06-07")
PATIENCE = 2.0  # seconds
_prefix = itertools.count(1)
Week = Callable[[Settings, str], Ran]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory, fast_sources: Path) -> Iterator[Week]:
    """Run the demo's week on an archive, through an address."""
    folder = tmp_path_factory.mktemp("stand")
    with running(folder, parse_clock("2026-06-08T08:00"), seed=5) as stand:
        more = {"OPEDS_SOURCES": str(fast_sources), "OPEDS_CONTACT": "t@example.org", **stand.environment(folder)}
        more["OPEDS_STORE_TIMEOUT"] = str(PATIENCE)
        yield lambda settings, endpoint: command(
            [sys.executable, *OPEDS, *WEEK], replace(settings, endpoint=endpoint), more, timeout=600
        )


@pytest.fixture(scope="module")
def fresh(seaweed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Settings]:
    return lambda: replace(
        seaweed,
        archive=f"s3://archive/faulty{next(_prefix)}-{os.getpid()}",
        home=tmp_path_factory.mktemp("home"),
        invented=True,
    )


@pytest.fixture(scope="module")
def undisturbed(week: Week, fresh: Callable[[], Settings], seaweed: Settings) -> set[tuple[str, ...]]:
    settings = fresh()
    ran = week(settings, seaweed.endpoint)
    assert ran.code == 0, ran.err
    return state(settings)[0]


@pytest.mark.parametrize("seed", range(20 if MANY else 1))
def test_a_week_succeeds_through_a_tenth_of_faults(
    seed: int, week: Week, fresh: Callable[[], Settings], seaweed: Settings, undisturbed: set[tuple[str, ...]]
) -> None:
    settings = fresh()
    with between(seaweed.endpoint, mix(seed, 0.1), PATIENCE) as proxy:
        ran = week(settings, proxy.endpoint)
    assert ran.code == 0, f"{ran.err} {proxy.played}"
    assert sum(proxy.played.values()) > 20
    assert state(settings) == (undisturbed, set())
    assert list(verify(settings).faults) == []


@minutes
@pytest.mark.long
@pytest.mark.parametrize("rate", [0.05, 0.2, 0.35, 0.5] if MANY else [0.35])
@pytest.mark.parametrize("seed", range(5 if MANY else 1))
def test_whatever_ended_one_clean_run_makes_it_equal(
    seed: int,
    rate: float,
    week: Week,
    fresh: Callable[[], Settings],
    seaweed: Settings,
    undisturbed: set[tuple[str, ...]],
) -> None:
    settings = fresh()
    with between(seaweed.endpoint, mix(100 + seed, rate), PATIENCE) as proxy:
        ran = week(settings, proxy.endpoint)
    assert "Traceback" not in ran.err
    assert ran.code in {0, 1}
    if ran.code:
        assert "is AWS_ENDPOINT_URL right?" not in ran.err, "the store answered"
    again = week(settings, seaweed.endpoint)
    assert again.code == 0, again.err
    assert state(settings) == (undisturbed, set())
    assert list(verify(settings).faults) == []


@pytest.fixture
def through(bucket: Settings) -> Iterator[tuple[Settings, Proxy]]:
    """A store behind a proxy, and the proxy."""
    impatient = replace(bucket, store_timeout=0.5)
    with between(bucket.endpoint, patience=0.5) as proxy:
        yield replace(impatient, endpoint=proxy.endpoint), proxy


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_is_not_noticed(fault: str, through: tuple[Settings, Proxy]) -> None:
    settings, proxy = through
    store = open_store(settings)
    proxy.act = lambda asked: fault if asked.number % 2 else ""
    store.create("a/1", b"one")
    proxy.again()
    assert store.read("a/1") == b"one"
    proxy.again()
    with pytest.raises(AlreadyArchived):
        store.create("a/1", b"two")
    proxy.again()
    with pytest.raises(NotArchived):
        store.read("a/2")
    proxy.again()
    assert list(store.keys("a/")) == ["a/1"]
    proxy.again()
    assert store.written_at("a/1").year > 2000


SENTENCES = {
    "late": "is too slow",
    "dropped": "closes its connections",
    "answer lost": "closes its connections",
    "cut": "break off",
    "500": "answers InternalError again and again",
    "500 after success": "answers InternalError again and again",
    "503": "answers ServiceUnavailable again and again",
    "slow down": "answers SlowDown again and again",
    "429": "HTTP 429",
    "409": "answers OperationAborted again and again",
    "a page, 200": "is there a proxy in between?",
    "a page, 403": "HTTP 403 without an error of S3 came",
    "a page, 404": "HTTP 404 without an error of S3 came",
    "a page, 502": "HTTP 502 without an error of S3 came",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_named(
    fault: str, through: tuple[Settings, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.archive.s3.ATTEMPTS", 3)
    settings, proxy = through
    open_store(settings).create("a/1", b"a body that is long enough to be cut")
    proxy.act = lambda _: fault
    with pytest.raises(StoreBusy) as caught:
        open_store(settings).read("a/1")
    assert SENTENCES[fault] in str(caught.value)
    assert "AWS_ENDPOINT_URL" not in str(caught.value), "it answered"


def test_a_store_that_is_not_there_is_another_thing(bucket: Settings) -> None:
    with pytest.raises(StoreUnavailable, match="is AWS_ENDPOINT_URL right"):
        open_store(replace(bucket, endpoint="http://127.0.0.1:9")).read("x")
