"""Nothing is lost and nothing doubled, wherever a run is killed: every call to the store, and moments at random."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from newsstand.server import parse_clock, running
from pipelines.jobs.upkeep import upkeep
from pipelines.settings import Settings
from tests.conftest import LONG, ROOT, environment_of, state

DAY, TODAY, TOMORROW = "2026-05-10", "2026-05-10T23:59", "2026-05-11T23:59"  # a Sunday: one op-ed, one copy
_prefix = itertools.count(1)
Runner = Callable[..., tuple[dict[str, Any], Settings]]


@pytest.fixture(scope="module")
def run(seaweed: Settings, tmp_path_factory: pytest.TempPathFactory, fast_sources: Path) -> Iterator[Runner]:
    """Run the day in the crashing process, on a fresh archive or on the one given."""
    folders = {clock: tmp_path_factory.mktemp("stand") for clock in (TODAY, TOMORROW)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crashing"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with (
        running(folders[TODAY], parse_clock(TODAY), seed=3) as today,
        running(folders[TOMORROW], parse_clock(TOMORROW), seed=3) as tomorrow,
    ):
        stands = {TODAY: today.environment(folders[TODAY]), TOMORROW: tomorrow.environment(folders[TOMORROW])}

        def ask(clock: str = TODAY, settings: Settings | None = None, **order: Any) -> tuple[dict[str, Any], Settings]:
            number = next(_prefix)
            settings = settings or replace(
                seaweed, archive=f"s3://archive/crash{number}-{os.getpid()}", home=tmp_path_factory.mktemp("home")
            )
            more = {"OPEDS_SOURCES": str(fast_sources), "OPEDS_CONTACT": "t@example.org"}
            environment = {**environment_of(settings), **stands[clock], **more}
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"environment": environment, "day": DAY, **order}) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline()), settings

        yield ask
    process.stdin.close()  # type: ignore[union-attr]
    process.wait(10)
    process.stdout.close()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def undisturbed(run: Runner) -> tuple[set[tuple[str, ...]], int]:
    """The state after a run that nobody kills, and how many calls to the store it makes."""
    told, settings = run()
    assert told["code"] == 0, (settings.home / "out.log").read_text()
    rows, orphans = state(settings)
    assert len(rows) == 2
    assert len({row[2] for row in rows}) == 1, "one op-ed in two places"
    assert not orphans
    return rows, told["calls"]


@pytest.mark.long
@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
@pytest.mark.parametrize("clock", [TODAY, TOMORROW], ids=["same clock", "next day"])
def test_killed_at_every_call_to_the_store(
    clock: str, quarter: int, run: Runner, undisturbed: tuple[set[tuple[str, ...]], int]
) -> None:
    """Before even calls, behind odd ones. By default each call has its turn once, half of them with each clock."""
    if (quarter < 2) != (clock == TODAY) and not LONG:
        pytest.skip("every call at both clocks takes minutes more: make test-long")
    rows, calls = undisturbed
    wrong = [
        problem
        for n in range(1, calls + 1)
        if n % 4 == quarter and (problem := _after_a_kill(run, clock, rows, kill_at=n))
    ]
    assert not wrong


def test_killed_at_random_moments(run: Runner, undisturbed: tuple[set[tuple[str, ...]], int]) -> None:
    moments = [random.Random(7 * n).uniform(0.05, 1.5) for n in range(5)]
    wrong = [problem for seconds in moments if (problem := _after_a_kill(run, TODAY, undisturbed[0], seconds=seconds))]
    assert not wrong


def test_what_a_killed_run_left_is_not_lost_when_its_day_is_never_run_again(
    run: Runner, undisturbed: tuple[set[tuple[str, ...]], int]
) -> None:
    rows, calls = undisturbed
    kept = set()
    for n in range(calls // 3, calls, calls // 6):
        _, settings = run(kill_at=n)
        upkeep(settings, lambda *_: None)
        found, orphans = state(settings)
        assert not orphans
        assert {(row[0], row[1]) for row in found} <= {(row[0], row[1]) for row in rows}
        kept |= {row[0] for row in found}
    assert kept == {row[0] for row in rows}


def _after_a_kill(run: Runner, clock: str, rows: set[tuple[str, ...]], **kill: Any) -> str:
    told, settings = run(**kill)
    if "kill_at" in kill and told["code"] != -9:
        return f"{kill}: was not killed but ended with {told['code']}"
    again, _ = run(clock, settings)
    if again["code"] != 0:
        return f"{kill}: the next run ended with {again['code']}: {(settings.home / 'out.log').read_text()[-600:]}"
    found, orphans = state(settings)
    return "" if (found, orphans) == (rows, set()) else f"{kill}: {sorted(found ^ rows)} differ, orphans {orphans}"
