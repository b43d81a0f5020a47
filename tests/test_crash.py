"""Nothing is lost and nothing doubled, wherever we are killed: at requests to the store, at writes to the index, at
moments at random. By default a part of the requests; `make test-long` more, `make faults` all of them.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from newsstand.server import parse_clock, running
from pipelines.archive.s3 import S3Store
from pipelines.jobs.upkeep import upkeep
from pipelines.jobs.verify import verify
from pipelines.settings import Settings
from tests.conftest import FAULTS, LONG, ROOT, environment_of, minutes, state
from tests.proxy import Asked, Proxy, between

DAY, TODAY, TOMORROW = "2026-05-10", "2026-05-10T23:59", "2026-05-11T23:59"  # a Sunday: one op-ed, one copy
RUN, COMPACT = ("run", "--day", DAY), ("compact",)
STRIDE = 1 if FAULTS else 5 if LONG else 12  # of the requests, each so-manieth is killed
MOMENTS = 100 if FAULTS else 10 if LONG else 4
ENOUGH = 10  # kills in each phase
KILLED: Counter[str] = Counter()  # by phase
_prefix = itertools.count(1)
Rows = set[tuple[str, ...]]


@dataclass
class Told:
    """What a command in the crashing process came to."""

    code: int
    asked: list[Asked]
    index_calls: int
    settings: Settings
    phase: str = ""  # at which it was killed

    @property
    def log(self) -> str:
        """The end of what it printed."""
        return (self.settings.home / "out.log").read_text()[-600:]


Runner = Callable[..., Told]


@pytest.fixture(scope="module")
def run(seaweed: Settings, tmp_path_factory: pytest.TempPathFactory, fast_sources: Path) -> Iterator[Runner]:
    """Run a command in the crashing process, on a fresh archive or on the one given; kill it where the test says."""
    folders = {clock: tmp_path_factory.mktemp("stand") for clock in (TODAY, TOMORROW)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crashing"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with (
        running(folders[TODAY], parse_clock(TODAY), seed=3) as today,
        running(folders[TOMORROW], parse_clock(TOMORROW), seed=3) as tomorrow,
        between(seaweed.endpoint) as proxy,
    ):
        stands = {TODAY: today.environment(folders[TODAY]), TOMORROW: tomorrow.environment(folders[TOMORROW])}

        def ask(
            clock: str = TODAY,
            settings: Settings | None = None,
            arguments: tuple[str, ...] = RUN,
            kill_before: int = 0,
            kill_behind: int = 0,
            **order: Any,
        ) -> Told:
            settings = settings or fresh(seaweed, tmp_path_factory)
            told = Told(0, [], 0, settings)
            _arm(proxy, settings, told, kill_before, kill_behind)
            more = {"OPEDS_SOURCES": str(fast_sources), "OPEDS_CONTACT": "t@example.org"}
            through = replace(settings, endpoint=proxy.endpoint)
            environment = {**environment_of(through), **stands[clock], **more}
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"environment": environment, "arguments": arguments, **order}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            told.code, told.index_calls, told.asked = answer["code"], answer["index_calls"], list(proxy.asked)
            return told

        yield ask
    process.stdin.close()  # type: ignore[union-attr]
    process.wait(10)
    process.stdout.close()  # type: ignore[union-attr]


def fresh(seaweed: Settings, folders: pytest.TempPathFactory) -> Settings:
    """Return settings for an archive that is not there yet."""
    archive = f"s3://archive/crash{next(_prefix)}-{os.getpid()}"
    return replace(seaweed, archive=archive, home=folders.mktemp("home"), invented=True)


def _arm(proxy: Proxy, settings: Settings, told: Told, kill_before: int, kill_behind: int) -> None:
    """Make the proxy kill at a request: before the store sees it, or when the store has done it."""
    proxy.again()

    def kill(asked: Asked) -> None:
        told.phase = asked.phase
        with suppress(ProcessLookupError):
            os.killpg(int((settings.home / "pgid").read_text()), signal.SIGKILL)

    def before(asked: Asked) -> str:
        if asked.number != kill_before:
            return ""
        kill(asked)
        return "dropped"

    proxy.act = before
    proxy.on_sent = lambda asked: kill(asked) if asked.number == kill_behind else None


@pytest.fixture(scope="module")
def undisturbed(run: Runner) -> Told:
    """A run that nobody kills."""
    told = run()
    assert told.code == 0, told.log
    rows, orphans = state(told.settings)
    assert len(rows) == 2
    assert len({row[2] for row in rows}) == 1, "one op-ed in two places"
    assert not orphans
    return told


@pytest.mark.long
@pytest.mark.parametrize("part", range(4 if LONG or FAULTS else 1))
def test_killed_at_requests_to_the_store(part: int, run: Runner, undisturbed: Told) -> None:
    """Before it and behind it; the next run comes on the same day, or on the next one."""
    rows = state(undisturbed.settings)[0]
    wrong = []
    for n in range(1 + part, len(undisturbed.asked) + 1, 4 * STRIDE):
        for kill in (
            ({"kill_before": n}, {"kill_behind": n}) if FAULTS else ({("kill_before", "kill_behind")[part % 2]: n},)
        ):
            clock = (TODAY, TOMORROW)[(n // 4 + part) % 2]
            wrong += _after_a_kill(run, clock, rows, is_last=n > len(undisturbed.asked) - 20, **kill)
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@minutes
def test_killed_at_writes_to_the_index(run: Runner, undisturbed: Told) -> None:
    rows = state(undisturbed.settings)[0]
    calls = undisturbed.index_calls
    assert calls >= 4
    numbers = range(1, calls + 1) if LONG or FAULTS else range(1, calls + 1, 2)
    clocks = (TODAY, TOMORROW) if FAULTS else (TODAY,)
    wrong = [said for n in numbers for c in clocks for said in _after_a_kill(run, c, rows, kill_at_index=n)]
    assert not wrong, "\n".join(wrong)


@minutes
@pytest.mark.long
def test_killed_at_random_moments(run: Runner, undisturbed: Told) -> None:
    rows = state(undisturbed.settings)[0]
    moments = [random.Random(7 * n).uniform(0.05, 2.0) for n in range(MOMENTS)]
    wrong = [said for seconds in moments for said in _after_a_kill(run, TODAY, rows, seconds=seconds)]
    assert not wrong, "\n".join(wrong)


@minutes
@pytest.mark.long
def test_killed_while_the_catalogue_is_compacted(
    run: Runner, undisturbed: Told, seaweed: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    filled = fresh(seaweed, tmp_path_factory)
    for day, clock in (("2026-05-09", TODAY), (DAY, TODAY), (DAY, TOMORROW)):
        assert run(clock, filled, ("run", "--day", day)).code == 0
    rows = state(filled)[0]
    whole = _copied(filled, seaweed, tmp_path_factory)
    calm = run(TODAY, whole, COMPACT)
    assert calm.code == 0, calm.log
    assert state(whole) == (rows, set())
    assert {"vacuum", "Delta commit"} <= {asked.phase for asked in calm.asked}
    wrong = []
    count = len(calm.asked)
    for n in range(1, count + 1, max(1, count // (60 if FAULTS else 12 if LONG else 3))):
        settings = _copied(filled, seaweed, tmp_path_factory)
        told = run(TODAY, settings, COMPACT, **{("kill_before", "kill_behind")[n % 2]: n})
        KILLED[f"{told.phase} of compaction" if told.phase != "vacuum" else "vacuum"] += told.code == -9
        again = run(TODAY, settings, COMPACT)
        if again.code or state(settings) != (rows, set()) or verify(settings).faults:
            wrong.append(f"{n}, {told.phase}: {again.log} {verify(settings).faults}")
    assert not wrong, "\n".join(wrong)


def _copied(settings: Settings, seaweed: Settings, folders: pytest.TempPathFactory) -> Settings:
    """Return an archive with the same objects under another prefix."""
    copy = fresh(seaweed, folders)
    one, other = (S3Store(s, "archive", s.archive.removeprefix("s3://archive/")) for s in (settings, copy))
    for key in one.keys(""):
        other.create(key, one.read(key))
    return copy


def test_what_a_killed_run_left_is_not_lost_when_its_day_is_never_run_again(run: Runner, undisturbed: Told) -> None:
    rows, asked = state(undisturbed.settings)[0], undisturbed.asked
    kept = set()
    for n in range(len(asked) // 3, len(asked), len(asked) // 6):
        settings = run(kill_behind=n).settings
        upkeep(settings, lambda *_: None)
        found, orphans = state(settings)
        assert not orphans
        assert {(row[0], row[1]) for row in found} <= {(row[0], row[1]) for row in rows}
        kept |= {row[0] for row in found}
    assert kept == {row[0] for row in rows}


def test_kills_hit_every_phase() -> None:
    print(f"kills by phase: {dict(sorted(KILLED.items()))}")
    wanted = ["crawl", "read", "record", "index", "manifest", "data file", "Delta commit", "table read"]
    assert set(wanted) - {"read", "record"} <= set(KILLED) or not (LONG or FAULTS)
    if FAULTS:
        wanted += ["Delta commit of compaction", "vacuum"]
        assert {phase: KILLED[phase] for phase in wanted if KILLED[phase] < ENOUGH} == {}


def _after_a_kill(run: Runner, clock: str, rows: Rows, is_last: bool = False, **kill: Any) -> list[str]:
    """Kill a run, run it again; return what is wrong then, as at most one sentence."""
    told = run(**kill)
    if told.code != -9:
        fast = "seconds" in kill or is_last  # threads: one run asks a little less than another
        return [] if fast and told.code == 0 else [f"{kill}: was not killed but ended with {told.code}: {told.log}"]
    KILLED[told.phase or ("index" if "kill_at_index" in kill else "random")] += 1
    again = run(clock, told.settings)
    if again.code != 0:
        return [f"{kill} at {told.phase}: the next run ended with {again.code}: {again.log}"]
    found, orphans = state(told.settings)
    if (found, orphans) != (rows, set()):
        return [f"{kill} at {told.phase}: {sorted(found ^ rows)} differ, orphans {orphans}"]
    faults = verify(told.settings).faults
    return [f"{kill} at {told.phase}: {faults}"] if faults else []
