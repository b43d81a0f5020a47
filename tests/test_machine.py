"""What the machine itself may do to us: a disk that is full, a clock that is wrong, a store that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsstand.server import parse_clock, running
from pipelines.archive import embedded
from pipelines.archive.embedded import running_pid
from pipelines.archive.store import open_store
from pipelines.archive.warc import page_file
from pipelines.jobs.verify import verify
from pipelines.settings import Settings
from tests.conftest import Ran, capture, command, exchange, listed, minutes, page, prose, state

OPEDS = ["-c", "from pipelines.cli.main import main; main()"]
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
DAY = "2026-05-10"  # a Sunday: one op-ed, one copy
Opeds = Callable[..., Ran]


@pytest.fixture
def opeds_on(tmp_path: Path, fast_sources: Path) -> Iterator[Opeds]:
    """Run a command; the newsstand's clock stands at the end of the day."""
    with running(tmp_path, parse_clock(f"{DAY}T23:59"), seed=3) as stand:
        more = {"OPEDS_SOURCES": str(fast_sources), "OPEDS_CONTACT": "t@example.org", **stand.environment(tmp_path)}
        yield lambda settings, *arguments, **extra: command(
            [sys.executable, *OPEDS, *arguments], settings, {**more, **extra}
        )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount small file systems; grow them by mounting again."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"small{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False)
        if done.returncode:
            pytest.skip("this user may mount nothing")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def grow(folder: Path) -> None:
    """Give a small file system room."""
    subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)


def one_sentence(ran: Ran) -> str:
    assert ran.code == 1, (ran.out, ran.err)
    said = [line for line in ran.err.splitlines() if line.startswith("opeds: ")]
    assert len(said) == 1, ran.err
    assert "Traceback" not in ran.err
    return said[0]


@pytest.mark.long
@minutes
def test_a_full_disk_is_one_sentence_and_costs_nothing_else(
    folder: Settings, opeds_on: Opeds, small: Callable[[str], Path], tmp_path: Path
) -> None:
    calm = replace(folder, archive=f"file://{tmp_path / 'calm'}", home=tmp_path / "calm-home")
    assert opeds_on(calm, "run", "--day", DAY).code == 0
    rows = state(calm)
    for name, size in (("home", "200k"), ("home", "32k"), ("archive", "12k"), ("archive", "60k"), ("index", "150k")):
        disk = small(size)
        settings = replace(folder, archive=f"file://{tmp_path / f'{name}{size}'}", home=tmp_path / f"h-{name}{size}")
        if name == "home":
            settings = replace(settings, home=disk / "home")
        elif name == "archive":
            settings = replace(settings, archive=f"file://{disk / 'archive'}")
        else:
            settings = replace(settings, index=f"sqlite:///{disk}/index.sqlite")
        said = one_sentence(opeds_on(settings, "run", "--day", DAY))
        assert "room" in said or "No space left" in said, (name, size, said)
        grow(disk)
        assert opeds_on(settings, "run", "--day", DAY).code == 0
        assert state(settings) == rows
        assert verify(settings).faults == []


def test_a_full_spool_is_one_sentence(
    folder: Settings, opeds_on: Opeds, small: Callable[[str], Path], tmp_path: Path
) -> None:
    assert opeds_on(folder, "run", "--day", DAY).code == 0
    disk = small("24k")
    warc = tmp_path / "big.warc"
    warc.write_bytes(
        b"".join(page_file(exchange(capture(page(prose(n)), "2024-06-14T00:00:00")), {}) for n in range(40))
    )
    for arguments in (("ingest", "-"), ("verify",)):
        with warc.open("rb") as body:
            environment = {**os.environ, "OPEDS_ARCHIVE": folder.archive, "OPEDS_HOME": str(folder.home)}
            ran = subprocess.run(
                [sys.executable, *OPEDS, *arguments],
                stdin=body,
                env={**environment, "OPEDS_INVENTED": "1", "TMPDIR": str(disk)},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        assert "No space left" in one_sentence(Ran(ran.returncode, ran.stdout, ran.stderr)) or "room" in ran.stderr


def at(moment: str) -> dict[str, str]:
    """Return the environment in which it is that moment in Seoul now, and time goes on."""
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed (Debian: apt-get install faketime)")
    seconds = (datetime.fromisoformat(f"{moment}+09:00") - datetime.now(UTC)).total_seconds()
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"{seconds:+.0f}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def test_midnight_in_seoul_may_fall_into_a_run(folder: Settings, opeds_on: Opeds) -> None:
    early = opeds_on(folder, "run", "--day", DAY, **at(f"{DAY}T23:59:58"))
    assert early.code in {0, 1}, early.err
    assert "Traceback" not in early.err
    later = opeds_on(folder, "run", "--day", DAY, **at("2026-05-11T00:00:30"))
    assert later.code == 0, later.err
    assert f"complete: {DAY}" in later.out
    rows, orphans = state(folder)
    assert (len(rows), orphans) == (2, set())
    assert verify(folder).faults == []


@pytest.mark.long
@minutes
def test_a_clock_set_back_an_hour_makes_no_version_and_loses_none(folder: Settings, opeds_on: Opeds) -> None:
    for moment in ("2026-05-11T09:00", "2026-05-11T08:00", "2026-05-11T09:30"):
        ran = opeds_on(folder, "run", "--day", DAY, **at(moment))
        assert ran.code == 0, ran.err
    rows, orphans = state(folder)
    assert (len(rows), orphans) == (2, set())
    assert [row["versions"] for row in listed(folder)] == [1]
    assert verify(folder).faults == []


@pytest.mark.long
@minutes
def test_a_store_that_is_killed_and_comes_back(tmp_path: Path, opeds_on: Opeds) -> None:
    home = Settings(home=tmp_path / "home")
    own = replace(embedded.ensure_running(home), home=tmp_path / "home", invented=True)
    ended = threading.Event()

    def kill_often() -> None:
        while not ended.wait(1.5):
            pid = running_pid(home.home / "store")
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            embedded.ensure_running(home)

    threads = [threading.Thread(target=kill_often)]
    threads[0].start()
    try:
        first = opeds_on(own, "run", "--day", DAY)
        assert "Traceback" not in first.err
        assert first.code in {0, 1}
    finally:
        ended.set()
        threads[0].join()
    time.sleep(0.2)
    embedded.ensure_running(home)
    again = opeds_on(own, "run", "--day", DAY)
    assert again.code == 0, again.err
    rows, orphans = state(own)
    assert (len(rows), orphans) == (2, set())
    assert verify(own).faults == []
    assert list(open_store(own).keys("runs/"))
    assert embedded.stop(home)
