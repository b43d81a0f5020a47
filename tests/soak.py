"""`make soak`: days of many op-eds through crawl, ingestion and publishing into a real store, with a reader polling.

Each day is a command of its own, as a scheduler starts it: 100 days of 160 op-eds, 40 of them on the portal too, make
20,000 pages. The whole answers three questions. Does memory grow with the archive? Does a page cost more at the end
than at the beginning? Does whoever reads meanwhile ever see less than before? Ends with 1 when a budget is broken.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from datetime import time as hour
from pathlib import Path
from random import Random

from newsstand.demo import demo_sources
from newsstand.server import Newsstand, running
from newsstand.world import SEOUL, Oped, World
from pipelines.archive import embedded
from pipelines.settings import Settings
from tests.bench import _cpu_of, cpu_of_children
from tests.conftest import OPEDS, ROOT, environment_of, prose

FIRST = date(2025, 12, 1)
ON_PORTAL = 4  # every fourth op-ed is there too
READER = """
import json, time
from pipelines.client import open_archive
from pipelines.errors import OpedsError
while True:
    try:
        open_archive().close()
        break
    except OpedsError:  # nothing is there yet
        time.sleep(1)
while True:
    began = time.monotonic()
    with open_archive() as archive:
        count, = next(archive.sql("SELECT count(*) FROM places"))
        without, = next(archive.sql("SELECT count(*) FROM opeds WHERE word_count < 300 OR oped_id = ''"))
        archive.search("promise", limit=20)
    print(json.dumps([count, without, time.monotonic() - began]), flush=True)
    time.sleep(5)
"""
Row = tuple[str, str, str, bool]


@dataclass
class Day:
    """What a day came to: pages so far; seconds, and CPU seconds of run and server; MB of whom."""

    pages: int
    seconds: float
    cpu: float
    largest: float = 0.0
    together: float = 0.0
    server: float = 0.0
    reader: float = 0.0


def main() -> int:
    """Run the days, print one line for each, then the table; return 0 when all budgets hold."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--days", type=int, default=100)
    asked.add_argument("--pages", type=int, default=200, help="of a day (default: 200)")
    asked.add_argument("--plot", action="store_true", help="draw memory and throughput into docs/plots/")
    asked.add_argument("--json", type=Path, help="write what was measured into this file")
    chosen = asked.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = embedded.ensure_running(Settings(home=folder / "home", invented=True))
        try:
            days, polls, rows = _soaked(folder, settings, chosen.days, chosen.pages)
        finally:
            embedded.stop(settings)
    rows = [*judged(days, polls, time.monotonic() - began), *rows]
    for what, measured, budget, held in rows:
        print(f"{what:58} {measured:>34}  {budget}{'' if held else '  BROKEN'}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"days": [asdict(day) for day in days], "polls": polls, "rows": rows}))
    if chosen.plot:
        _draw(days)
    return 0 if all(held for *_, held in rows) else 1


def _soaked(folder: Path, settings: Settings, count: int, pages: int) -> tuple[list[Day], list[list[float]], list[Row]]:
    """Run all days; return what each came to, what the reader saw, and what the archive holds at the end."""
    days: list[Day] = []
    with running(folder, datetime.combine(FIRST, hour(0), SEOUL)) as stand:
        environment = {**os.environ, **stand.environment(folder), **environment_of(settings)}
        environment |= demo_sources(folder)
        server = embedded.running_pid(settings.home / "store")
        with _polling(folder, settings) as reader:
            for number in range(1, count + 1):
                days.append(_one_day(stand, environment, server, number, pages, days[-1].pages if days else 0))
                days[-1].server, days[-1].reader = _memory(server), _memory(reader)
                _tell(days[-1], number, count)
                if number % 7 == 0:
                    _keep_up(environment)
        polls = [json.loads(line) for line in (folder / "reader.jsonl").read_text().splitlines()]
        return days, polls, list(_at_the_end(environment, count, pages))


def _keep_up(environment: dict[str, str]) -> None:
    """Compact the tables and write the plain files, as a scheduler does now and then."""
    began = time.monotonic()
    subprocess.run([*OPEDS, "upkeep"], env=environment, capture_output=True, check=True)
    print(f"upkeep: {time.monotonic() - began:.0f} s", flush=True)


def opeds_of(number: int, pages: int) -> list[Oped]:
    """Return the op-eds of a day that have so many pages on both sites together."""
    day, dice = FIRST + timedelta(days=number), Random(number)
    found: list[Oped] = []
    while pages > 0:
        n = number * 10_000 + len(found)
        published = datetime.combine(day, hour(6), SEOUL) + timedelta(minutes=len(found) * 4)
        is_copied = len(found) % ON_PORTAL == 0 and pages > 1
        pages -= 2 if is_copied else 1
        found.append(
            Oped(
                number=len(found), kind=("editorial", "column")[n % 2], headline=f"Promise {n} of a ferry", deck="",
                writer="", writer_korean="", bio="", paragraphs=tuple(prose(n, 8 + dice.randrange(8))), korean=(),
                caption="", published=published, cid=str(2_000_000 + n), did=str(12_000_000 + n),
                daum_at=published + timedelta(minutes=3) if is_copied else None,
            )
        )  # fmt: skip
    return found


def _one_day(
    stand: Newsstand, environment: dict[str, str], server: int | None, number: int, pages: int, before: int
) -> Day:
    """Crawl, ingest and publish a day."""
    some = [oped for n in (number - 1, number) for oped in opeds_of(n, pages)]
    stand.stand.world = World(tuple(sorted(some, key=lambda oped: oped.published)), ())
    stand.stand.log.clear()
    day = FIRST + timedelta(days=number)
    stand.stand.advance(datetime.combine(day, hour(23, 59), SEOUL))
    log = Path(environment["OPEDS_HOME"]) / "day.jsonl"
    began, used = time.monotonic(), _cpu(server)
    largest = together = 0.0
    with log.open("w") as out, subprocess.Popen(
        [*OPEDS, "run", "--day", day.isoformat(), "--json"], env=environment, stdout=out, stderr=subprocess.STDOUT
    ) as process:  # fmt: skip
        while process.poll() is None:
            each = [_memory(pid) for pid in _family(process.pid)]
            largest, together = max(largest, *each, 0.0), max(together, sum(each))
            time.sleep(0.2)
    seconds, cpu = time.monotonic() - began, _cpu(server) - used
    told = log.read_text()
    taken = sum(json.loads(line).get("verdict") in {"NEW", "COPY"} for line in told.splitlines() if line[:1] == "{")
    assert process.returncode == 0, told[-2000:]
    assert taken == pages, f"{day}: {taken} of {pages} pages; {told[-2000:]}"
    return Day(before + taken, seconds, cpu, largest, together)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                yield from _family(int(child))


def _cpu(server: int | None) -> float:
    """Return the CPU seconds of all runs that ended, and of the server."""
    return cpu_of_children() + _cpu_of(server)


def _memory(pid: int | None) -> float:
    """Return the resident memory of a process in MB, 0 when it is gone."""
    with suppress(OSError, AttributeError):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


@contextmanager
def _polling(folder: Path, settings: Settings) -> Iterator[int]:
    """Run a reader beside the days, with the key of a reader and a home of its own; yield its process."""
    key = embedded.reach(Settings(home=settings.home), "reader")
    reach = replace(key, archive=key.archive or settings.archive, home=folder / "reader", invented=False)
    with (folder / "reader.jsonl").open("w") as out, (folder / "reader.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", READER],
            env={**os.environ, **environment_of(reach)},
            stdout=out,
            stderr=log,
            cwd=ROOT,
        )
        try:
            yield process.pid
        finally:
            code = process.poll()
            process.terminate()
            process.wait()
    assert code is None, f"the reader ended: {(folder / 'reader.log').read_text()[-2000:]}"


def _tell(day: Day, number: int, count: int) -> None:
    memory = ", ".join(f"{what} {getattr(day, what):.0f}" for what in NAMES)
    print(
        f"day {number:3} of {count}: {day.pages:6,} pages, {day.seconds:5.1f} s, CPU {day.cpu:4.1f} s; MB: {memory}",
        flush=True,
    )


def judged(days: list[Day], polls: list[list[float]], seconds: float) -> Iterator[Row]:
    """Yield a row for each budget."""
    yield f"{days[-1].pages:,} pages in {len(days)} days", f"{seconds / 60:.0f} minutes", "≤ 90", seconds <= 5400
    warm = days[len(days) // 10 :]  # what is loaded once is no growth
    for what in NAMES:
        slope = statistics.linear_regression(
            [day.pages / 1000 for day in warm], [getattr(day, what) for day in warm]
        ).slope
        told = f"{slope:+.2f} MB a 1,000 pages ({getattr(days[-1], what):.0f})"
        yield f"memory, {NAMES[what]}", told, "< 1", slope < 1
    tenth = max(1, len(days) // 10)
    early = days[tenth : 2 * tenth] or days[:1]
    first, last = (sum(day.cpu for day in some) for some in (early, days[-tenth:]))
    yield "pages a CPU second in the last tenth, the second = 1", f"{first / last:.2f}", "≥ .9", first / last >= 0.9
    first, last = (sum(day.seconds for day in some) for some in (early, days[-tenth:]))
    yield "pages a second in the last tenth, the second = 1", f"{first / last:.2f}", "≥ .9", first / last >= 0.9
    counts = [poll[0] for poll in polls]
    fell = sum(a > b for a, b in itertools.pairwise(counts))
    yield f"{len(polls)} looks of the reader that saw less than the one before", str(fell), "0", fell == 0
    partly = sum(poll[1] for poll in polls)
    yield "op-eds seen without an id or with fewer than 300 words", f"{partly:.0f}", "0", partly == 0
    yield "its slowest look", f"{max(poll[2] for poll in polls):.1f} s", "–", True


def _draw(days: list[Day]) -> None:
    from tests.plots import lines

    memory = {name: [(float(day.pages), getattr(day, what)) for day in days] for what, name in NAMES.items()}
    lines("soak-memory", "pages in the archive", "MB", memory)
    steps = itertools.pairwise([Day(0, 0, 0), *days])
    speed = [(float(day.pages), (day.pages - before.pages) / day.cpu) for before, day in steps]
    lines("soak-speed", "pages in the archive", "pages a CPU second", {"crawl to table": speed})


NAMES = {
    "largest": "the largest process of a run",
    "together": "all processes of a run",
    "server": "the store's server",
    "reader": "the reader that polls",
}


def _at_the_end(environment: dict[str, str], count: int, pages: int) -> Iterator[Row]:
    """Yield what `opeds verify` and the catalogue say of the whole."""
    began = time.monotonic()
    done = subprocess.run([*OPEDS, "verify"], env=environment, capture_output=True, text=True, check=False)
    told = f"{done.returncode}, {time.monotonic() - began:.0f} s"
    yield "`opeds verify` behind it: exit code, seconds", told, "0", done.returncode == 0
    code = "from pipelines.client import open_archive; a = open_archive()\n"
    code += "print(*next(a.sql('SELECT count(*), count(DISTINCT oped_id) FROM places')))"
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    expected = count * pages, sum(len(opeds_of(number, pages)) for number in range(1, count + 1))
    found = tuple(int(number) for number in out.stdout.split())
    yield "places and op-eds in the catalogue", f"{found[0]:,}, {found[1]:,}", "as made", found == expected


if __name__ == "__main__":
    sys.exit(main())
