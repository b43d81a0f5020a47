"""Reading captures, here and in worker processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.archive.captures import capture_file
from pipelines.extraction.extract import rules_of
from pipelines.ingestion import read as read_module
from pipelines.ingestion.read import CAPTURES_A_TASK, LEAST_FOR_WORKERS, Readers, StoredCapture, read_page
from tests.conftest import C_URL, ROOT, SOURCES, capture, exchange, page, prose

RULES = rules_of(SOURCES["kjd"])


def stored(number: int) -> StoredCapture:
    url = C_URL.replace("2068163", str(2068163 + number))
    one = capture(page(prose(number)), "2024-06-14T00:00:00", url)
    article_id = f"kjd-c{2068163 + number}"
    return StoredCapture(article_id, f"captures/kjd/c{number}/x", url, capture_file(article_id, exchange(one), one))


MANY = [stored(number) for number in range(LEAST_FOR_WORKERS + CAPTURES_A_TASK + 3)]


def test_workers_give_what_one_process_gives_in_the_order_asked_for() -> None:
    here = [read_page(one, SOURCES, RULES) for one in MANY]
    with Readers(SOURCES, 2) as readers:
        pending = [readers.submit(one) for one in MANY]
        assert readers._pool is not None
        assert [one.result() for one in pending] == here


def test_few_captures_start_no_worker() -> None:
    with Readers(SOURCES, 2) as readers:
        assert readers.submit(MANY[0]).result().accepted
        assert readers._pool is None


@pytest.mark.parametrize("at", [9, len(MANY) - 1])
def test_a_page_that_kills_its_worker_costs_that_page_alone(
    at: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The worker that reads this capture ends itself: a stand-in for what runs out of memory."""
    deadly = MANY[at].key
    (tmp_path / "sitecustomize.py").write_text(
        "import pipelines.ingestion.read as r\n"
        "plain = r.read_page\n"
        f"r.read_page = lambda one, *more: __import__('os')._exit(9) if one.key == {deadly!r} else plain(one, *more)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    with Readers(SOURCES, 2) as readers:
        pages = [one.result() for one in [readers.submit(one) for one in MANY]]
        assert readers._outstanding == {}, "nothing is remembered"
    assert [page.capture_key for page in pages if not page.accepted] == [deadly]
    assert "the process that read this page died" in pages[at].problem


def test_workers_end_when_their_parent_is_killed() -> None:
    code = """
import sys, time
from tests.test_read import MANY, SOURCES
from pipelines.ingestion.read import Readers
if __name__ == "__main__":
    readers = Readers(SOURCES, 2)
    [one.result() for one in [readers.submit(one) for one in MANY]]
    print(*(process.pid for process in readers._pool._processes.values()), flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_capture_that_is_not_one_is_trouble_not_an_error() -> None:
    broken = StoredCapture("kjd-c1", "k", C_URL, b"not a WARC file")
    assert "k: at byte 0" in read_page(broken, SOURCES, RULES).problem
    elsewhere = StoredCapture("kjd-c99", "k", "https://nowhere.example/1", MANY[0].body)
    assert "no source knows an address of kjd-c99" in read_page(elsewhere, SOURCES, RULES).problem
    assert read_module.unreadable("k", "why").accepted is False
