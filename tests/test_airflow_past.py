"""`opeds_past` under a real scheduler, which is killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from newsstand.local_airflow import COMPONENTS, LocalAirflow
from newsstand.past import build_past
from newsstand.server import parse_clock, running
from pipelines.jobs.verify import verify
from pipelines.settings import Settings
from tests.conftest import environment_of, minutes, state

MONTHS = ("2011-03", "2011-05")


@minutes
@pytest.mark.long
def test_three_months_are_mapped_and_survive_a_killed_scheduler(
    folder: Settings, quick_archives: Path, tmp_path: Path
) -> None:
    past = build_past(9, *MONTHS, a_month=4)
    with running(tmp_path, parse_clock("2026-06-30T23:59"), seed=5, past=past) as stand:
        stand.stand.fault("slow@web.archive.org/web/")  # or nothing would be under way when the scheduler is killed
        world = {**stand.environment(tmp_path), "OPEDS_SOURCES": str(quick_archives), "OPEDS_CONTACT": "t@example.org"}
        airflow = LocalAirflow(
            tmp_path / "airflow",
            {**world, **environment_of(folder)},
            AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY="2",
            AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL="10",
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT="20",
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL="5",
        )
        try:
            airflow.start()
            airflow.unpause("opeds_past")
            asked = {"source": "kjd", "archive": "wayback", "since": MONTHS[0], "until": MONTHS[1]}
            run = airflow.trigger("opeds_past", conf=asked)
            until = time.monotonic() + 400
            while not any("/web/" in entry["url"] for entry in stand.stand.log) and time.monotonic() < until:
                time.sleep(0.2)
            pid = int((airflow.home / "scheduler.pid").read_text().split()[0])
            os.killpg(pid, signal.SIGKILL)
            airflow.launch("scheduler", COMPONENTS["scheduler"])
            until = time.monotonic() + 900
            while (ended := airflow.runs("opeds_past")[0]["state"]) not in {"success", "failed"}:
                assert time.monotonic() < until, [(t["task_id"], t["state"]) for t in airflow.tasks("opeds_past", run)]
                time.sleep(1)
            tasks = airflow.tasks("opeds_past", run)
        finally:
            airflow.stop()
    assert ended == "success", [(t["task_id"], t["map_index"], t["state"]) for t in tasks]
    mapped = [
        (t["task_id"], t["map_index"], t["state"]) for t in tasks if t["task_id"] in {"ask_wayback", "ingest_wayback"}
    ]
    assert {state_ for _, _, state_ in mapped} == {"success"}
    assert len(mapped) == 6
    pages = [entry["url"] for entry in stand.stand.log if "/web/" in entry["url"]]
    assert len(pages) - len(set(pages)) <= 1, "only what was under way is asked for again"
    rows, orphans = state(folder)
    assert len(rows) > 6
    assert orphans == set()
    assert list(verify(folder).faults) == []
