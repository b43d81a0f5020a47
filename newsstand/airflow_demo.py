"""`make airflow`: two days of the newsstand through real Airflow into a real bucket, and pages to look at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

from newsstand.demo import ROOT, demo_sources, opeds_command, start_newsstand, stop_newsstand
from newsstand.local_airflow import LocalAirflow
from pipelines.archive import embedded
from pipelines.clock import today
from pipelines.settings import Settings, crawling

AIRFLOW_DEMO_HOME = ROOT / ".demo" / "airflow"  # apart from the archive of `make run`
CLOCK = "2026-06-29T23:59"  # the newsstand's moment, in Seoul: its last day
FIRST, BOUND = "2026-06-24", "2026-06-26"  # a backfill's bounds: the day of its end is not in it
DAGS = (
    "opeds_daily",
    "opeds_consumer_example",
    "opeds_revisit",
    "opeds_upkeep",
    "opeds_audit",
    "opeds_rederive",
    "opeds_watch",
)
WAIT = 900.0  # seconds for everything to come to its end


def main() -> int:
    """Start store, newsstand and Airflow; let two days run; say where to look. Return 1 when a task was not green."""
    first = not AIRFLOW_DEMO_HOME.exists()
    AIRFLOW_DEMO_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    print("starting the store and the newsstand", flush=True)
    settings = embedded.ensure_running(Settings(home=AIRFLOW_DEMO_HOME))
    stop_newsstand(AIRFLOW_DEMO_HOME)
    stand = start_newsstand(AIRFLOW_DEMO_HOME, CLOCK)
    environment = {**crawling(settings), **stand["environment"], **demo_sources(AIRFLOW_DEMO_HOME)}
    airflow = LocalAirflow(AIRFLOW_DEMO_HOME / "airflow", environment, AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY="10")
    print("starting Airflow: scheduler, triggerer, DAG processor, API server (half a minute)", flush=True)
    airflow.start()
    known = (
        ""
        if first
        else f" (shown at the first start; it is in {os.path.relpath(AIRFLOW_DEMO_HOME / 'airflow')}/passwords.json)"
    )
    print(f"Airflow answers at {airflow.address}, user admin, password {airflow.password if first else '…' + known}")
    airflow.unpause(*DAGS)
    print(f"all DAGs run now; and as a backfill the days from {FIRST} to before {BOUND}, two at once", flush=True)
    airflow.command(
        "backfill",
        "create",
        "--dag-id",
        "opeds_daily",
        "--from-date",
        FIRST,
        "--to-date",
        BOUND,
        "--max-active-runs",
        "2",
        "--reprocess-behavior",
        "completed",
    )
    green = watch(airflow)
    print()
    subprocess.run(opeds_command("status"), env={**os.environ, **environment}, check=False)
    print_addresses(airflow)
    return 0 if green else 1


def watch(airflow: LocalAirflow) -> bool:
    """Tell of every task that ends, until all runs have ended; return whether all are green."""
    told: set[tuple[str, str, str, int]] = set()
    until, quiet = time.monotonic() + WAIT, 0
    while time.monotonic() < until and quiet < 3:  # a consumer's run comes a moment after what it consumes
        runs = [run for dag in DAGS for run in airflow.runs(dag)]
        for run in runs:
            for task in airflow.tasks(run["dag_id"], run["dag_run_id"]):
                _tell_once(told, run, task)
        quiet = quiet + 1 if all(run["state"] in {"success", "failed"} for run in runs) else 0
        time.sleep(1)
    yesterday = str(today() - timedelta(days=1))
    red = [run for run in runs if run["state"] != "success"]
    wrong = [run for run in red if (run["dag_id"], run["partition_key"]) != ("opeds_daily", yesterday)]
    if len(wrong) < len(red):
        print(
            f"red, as it should be: {yesterday}, since the newsstand's lists end in June 2026 and prove nothing of it"
        )
    for run in wrong:
        print(f"not green: {run['dag_id']} {run['partition_key'] or run['dag_run_id']}: {run['state']}")
    print(f"{len(runs)} runs of {len({run['dag_id'] for run in runs})} DAGs, {len(told)} tasks ended")
    return not wrong


def _tell_once(told: set[tuple[str, str, str, int]], run: dict[str, Any], task: dict[str, Any]) -> None:
    key = (run["dag_id"], run["dag_run_id"], task["task_id"], task["map_index"])
    if task["state"] in {"success", "failed", "skipped", "upstream_failed"} and key not in told:
        told.add(key)
        which = run["partition_key"] or run["run_type"]
        piece = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
        seconds = f"{task['duration']:.1f} s" if task["duration"] else ""
        print(f"  {run['dag_id']:24} {which:11} {task['task_id'] + piece:18} {task['state']:8} {seconds}", flush=True)


def print_addresses(airflow: LocalAirflow) -> None:
    """Say where to look."""
    environment = f"OPEDS_HOME={os.path.relpath(AIRFLOW_DEMO_HOME)} {os.path.relpath(opeds_command()[0])}"
    for line, why in [
        (f"{airflow.address}/dags/opeds_daily", "the grid; user admin, the password from above"),
        (f"{airflow.address}/assets", "opeds://archive, and who consumes it"),
        (f"{environment} list", "every op-ed, with its places"),
        (f"{environment} verify", "that the archive holds what it says"),
        ("make airflow-down", "stops all of it and removes what it made"),
    ]:
        print(f"   {line:58}  # {why}")


def stop_airflow_demo() -> int:
    """Stop all that `make airflow` may have left running, and remove what it made."""
    if not AIRFLOW_DEMO_HOME.exists():
        print("nothing was left by make airflow")
        return 0
    if (AIRFLOW_DEMO_HOME / "airflow").exists():
        LocalAirflow(AIRFLOW_DEMO_HOME / "airflow", {}).stop()
    stop_newsstand(AIRFLOW_DEMO_HOME)
    embedded.stop(Settings(home=AIRFLOW_DEMO_HOME))
    shutil.rmtree(AIRFLOW_DEMO_HOME)
    print(f"stopped, and removed {os.path.relpath(AIRFLOW_DEMO_HOME)}")
    return 0


if __name__ == "__main__":
    sys.exit(stop_airflow_demo() if "down" in sys.argv[1:] else main())
