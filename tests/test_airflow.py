"""Real Airflow over the newsstand and SeaweedFS: one day without a scheduler, then Celery with two workers.

The second part needs PostgreSQL and Redis (Debian's packages; `make test` installs them where it may) and is marked
`distributed`. Thirty days instead of four: `make test-backfill`.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa

from newsstand.local_airflow import LocalAirflow, free_port
from newsstand.server import Newsstand, parse_clock, running
from pipelines.archive import manifests
from pipelines.archive.crawl_summary import parse_summary
from pipelines.archive.store import open_store
from pipelines.index.opened import open_to_write
from pipelines.model import CONTENT, Verdict
from pipelines.settings import Settings
from tests.conftest import C_URL, OPEDS, ROOT, World, command, environment_of, minutes, page, prose, state, take_in
from tests.conftest import capture as captured

DAY = "2026-06-02"
DAYS = int(os.environ.get("BACKFILL_DAYS", "4"))
FIRST = date(2026, 5, 16)
CLOCK = "2026-06-14T23:59"  # the day before the paper moved: every day up to it is on its lists
HOSTS = {"kjd": ("koreajoongangdaily.joins.com", "www.koreajoongangdaily.com"), "daum": ("v.daum.net",)}


def test_a_day_runs_through_without_a_scheduler(newsstand: World, bucket: Settings, tmp_path: Path) -> None:
    """`dag.test()`: every task in one process, each twice where Scrapy's reactor would forbid it in-process."""
    counters = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    counters.bind(("127.0.0.1", 0))
    airflow = LocalAirflow(
        tmp_path / "airflow",
        {**newsstand.environment, **environment_of(bucket)},
        AIRFLOW__METRICS__STATSD_ON="True",
        AIRFLOW__METRICS__STATSD_PORT=str(counters.getsockname()[1]),
    )
    airflow.prepare()
    code = (
        "import json, sys\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"dag = DagBag({str(ROOT / 'dags')!r}).dags['opeds_daily']\n"
        "for _ in range(2):\n"
        f"    run = dag.test(run_conf={{'day': {DAY!r}}})\n"
        "    print(json.dumps({t.task_id: t.state for t in run.get_task_instances()}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=airflow.environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    assert len(told) == 2, done.stdout[-3000:] + done.stderr[-3000:]
    assert {*told[0].values(), *told[1].values()} == {"success"}, told
    rows, orphans = state(bucket)
    assert len(rows) > 4
    assert orphans == set()
    closings = [m.closing for _, m in manifests.read_log(open_store(bucket)) if m.closing]
    assert [closing.complete for closing in closings] == [True], "the second says the same"
    assert counted(counters)["kjd.archived"] == 3, "and the second day archived nothing"
    captures = list(open_store(bucket).keys("captures/"))
    assert len(captures) == len({*captures}) == len({key.rpartition("-")[2] for key in captures})
    kept = [file.read_bytes() for file in (tmp_path / "airflow").rglob("*") if file.is_file()]
    assert any(b"xcom" in body for body in kept), "its database is among them"
    assert not [body for body in kept if bucket.secret_key.encode() in body], "logs, XCom, rendered arguments"


def counted(counters: socket.socket) -> Counter[str]:
    """Return our counters among what Airflow sent, added up."""
    counters.setblocking(False)
    found: Counter[str] = Counter()
    with suppress(BlockingIOError):
        while True:
            name, _, value = counters.recv(65536).decode().partition(":")
            if name.startswith("airflow.opeds."):
                found[name.removeprefix("airflow.opeds.")] += int(float(value.partition("|")[0]))
    return found


# -- more than one machine ----------------------------------------------------------------------------------


@dataclass
class Cluster:
    """Airflow with Celery, an archive in SeaweedFS, an index in PostgreSQL, and the newsstand with its environment."""

    airflow: LocalAirflow
    stand: Newsstand
    settings: Settings
    environment: dict[str, str]

    def worker(self, name: str) -> int:
        """Start a worker that takes one task at a time."""
        arguments = ["-H", name, "-c", "1", "-q", "default,crawl", "--skip-serve-logs", "--without-gossip"]
        return self.airflow.launch(name, ["celery", "worker", *arguments])

    def kill(self, name: str) -> None:
        """End a worker and all its tasks at once, as a machine does that loses its power."""
        file = self.airflow.home / f"{name}.pid"
        pid = int(file.read_text().split()[0])
        for child in children(pid):
            os.kill(child, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        file.unlink()

    def await_state(self, dag: str, run: str, state_: str) -> None:
        """Wait until a run is in a state."""
        until = time.monotonic() + 180
        while time.monotonic() < until:
            if next(r["state"] for r in self.airflow.runs(dag) if r["dag_run_id"] == run) == state_:
                return
            time.sleep(0.5)
        raise AssertionError([(t["task_id"], t["state"]) for t in self.airflow.tasks(dag, run)])

    def backfill(self, first: date, days: int) -> None:
        """Ask for days, two runs at once; the bound is the day behind the last."""
        until = first + timedelta(days=days)
        self.airflow.command(
            "backfill",
            "create",
            "--dag-id",
            "opeds_daily",
            "--from-date",
            f"{first}",
            "--to-date",
            f"{until}",
            "--max-active-runs",
            "2",
        )

    def ended(self, dag: str, count: int, seconds: float) -> list[dict[str, Any]]:
        """Wait until so many runs of a DAG have ended; return them."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            runs = [run for run in self.airflow.runs(dag) if run["run_type"] != "scheduled"]
            if len(runs) >= count and all(run["state"] in {"success", "failed"} for run in runs):
                return runs
            time.sleep(1)
        raise AssertionError([(run["partition_key"], run["state"]) for run in self.airflow.runs(dag)])


def children(pid: int) -> list[int]:
    """Return all processes below one, the deepest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(stat.parent.name)
            found += [*children(child), child]
    return found


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis of our own; yield its URL."""
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


class Collector(BaseHTTPRequestHandler):
    """Takes what OpenLineage and OpenTelemetry send, and keeps it by path."""

    got: ClassVar[dict[str, list[bytes]]] = {}

    def do_POST(self) -> None:
        self.got.setdefault(self.path, []).append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def collector() -> Iterator[int]:
    """Run a collector on loopback; yield its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def operations(port: int, store: Settings) -> dict[str, str]:
    """Return what the extra `operations` is for: task logs to S3, lineage and metrics to a collector."""
    extra = {"endpoint_url": store.endpoint, "region_name": store.region}
    key = {"conn_type": "aws", "login": store.access_key, "password": store.secret_key, "extra": extra}
    return {
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://archive/task-logs",
        "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "task_logs",
        "AIRFLOW_CONN_TASK_LOGS": json.dumps(key),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "opeds",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "http", "url": f"http://127.0.0.1:{port}", "endpoint": "lineage"}
        ),
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    }


@pytest.fixture(scope="module")
def databases(postgres: str) -> Callable[[str], str]:
    """Make an empty database on the server; return its URL."""

    def make(name: str) -> str:
        name = f"{name}_{os.getpid()}"
        engine = sa.create_engine(postgres.format("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name}"))
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return postgres.format(name)

    return make


@pytest.fixture(scope="module")
def cluster(
    seaweed: Settings,
    databases: Callable[[str], str],
    fast_sources: Path,
    collector: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed (Debian: apt-get install redis-server)")
    home = tmp_path_factory.mktemp("cluster")
    shared = replace(
        seaweed, archive="s3://archive/celery", home=home / "home", index=databases("opeds_index"), invented=True
    )
    with running(home, parse_clock(CLOCK)) as stand, redis(home) as broker:
        shutil.copytree(fast_sources, home / "sources")  # a copy: its rules will change
        world = {**stand.environment(home), "OPEDS_SOURCES": str(home / "sources"), "OPEDS_CONTACT": "t@example.org"}
        database = databases("airflow")
        airflow = LocalAirflow(
            home / "airflow",
            {**world, **environment_of(shared)},
            AIRFLOW__CORE__EXECUTOR="CeleryExecutor",
            AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY="2",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=database,
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC=database,
            AIRFLOW__CELERY__BROKER_URL=broker,
            AIRFLOW__CELERY__RESULT_BACKEND=f"db+{database}",
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT="20",
            **operations(collector, shared),
        )
        made = Cluster(airflow, stand, shared, world)
        try:
            airflow.start()
            for name in ("one", "two"):
                made.worker(name)
            yield made
        finally:
            airflow.stop()


@pytest.mark.long
@minutes
@pytest.mark.distributed
def test_a_backfill_with_two_runs_at_once_and_a_killed_worker(cluster: Cluster, tmp_path: Path) -> None:
    """What the days come to is what one process makes of them, whatever happened on the way."""
    began = time.monotonic()
    cluster.airflow.unpause("opeds_daily", "opeds_consumer_example")
    cluster.backfill(FIRST, DAYS)
    while not list(open_store(cluster.settings).keys("captures/")):
        time.sleep(0.2)
    cluster.kill("two")
    killed = time.monotonic()
    time.sleep(1)
    cluster.worker("three")
    runs = cluster.ended("opeds_daily", DAYS, 120 + DAYS * 60)
    print(f"{DAYS} days in {time.monotonic() - began:.0f} s, a worker killed after {killed - began:.0f} s")
    assert {run["state"] for run in runs} == {"success"}, [(r["partition_key"], r["state"]) for r in runs]

    days = [str(FIRST + timedelta(days=n)) for n in range(DAYS)]
    logged = [m for _, m in manifests.read_log(open_store(cluster.settings))]
    closed = {m.day: m.closing.complete for m in logged if m.closing and m.day in days}
    assert closed == dict.fromkeys(days, True), "a closing manifest for each day, and each complete"

    alone = replace(cluster.settings, archive="s3://archive/alone", index="", home=tmp_path / "alone")
    ran = command([*OPEDS, "run", "--since", days[0], "--until", days[-1]], alone, cluster.environment)
    assert ran.code == 0, ran.err
    rows, orphans = state(cluster.settings)
    assert rows == state(alone)[0]
    assert orphans == set()
    facts = [(o.article_id, o.content16, o.fetched_at) for m in logged for o in m.outcomes if o.content16]
    assert len(facts) == len({*facts}), "no fact is logged twice"
    assert_one_at_a_time(cluster)


def assert_one_at_a_time(cluster: Cluster) -> None:
    """No two crawls of a site at once, by their own accounts and by the newsstand's log."""
    store = open_store(cluster.settings)
    for source, hosts in HOSTS.items():
        told = [parse_summary(store.read(key)) for key in store.keys(f"crawls/{source}/") if key.endswith(".json")]
        spans = sorted((one.started_at, one.finished_at) for one in told)
        assert all(before[1] <= after[0] for before, after in pairwise(spans)), spans
        asked = sorted((one["began"], one["time"]) for one in cluster.stand.stand.log if one["host"] in hosts)
        overlapping = [pair for pair in pairwise(asked) if pair[0][1] > pair[1][0]]
        assert not overlapping
        print(f"{source}: {len(told)} crawls, {len(asked)} requests, none at once")


@pytest.mark.long
@minutes
@pytest.mark.distributed
def test_a_consumer_is_told_once_for_each_day(cluster: Cluster) -> None:
    runs = cluster.ended("opeds_consumer_example", DAYS, 60)
    keys = [run["partition_key"] for run in runs if run["partition_key"] < "2026-06-30"]
    assert sorted(keys) == [str(FIRST + timedelta(days=n)) for n in range(DAYS)]
    assert {run["state"] for run in runs} == {"success"}


def task_logs(cluster: Cluster, task: str = "") -> dict[str, bytes]:
    """Return the logs of the daily tasks that Airflow sent to the bucket, by key."""
    store = open_store(replace(cluster.settings, archive="s3://archive/task-logs"))
    return {key: store.read(key) for key in store.keys("dag_id=opeds_daily/") if f"task_id={task}" in key}


@pytest.mark.long
@minutes
@pytest.mark.distributed
def test_logs_lineage_and_metrics_go_where_they_are_told(cluster: Cluster) -> None:
    cluster.ended("opeds_daily", DAYS, 60)
    tasks_logged = {re.findall(r"task_id=(\w+)", key)[0] for key in task_logs(cluster)}
    assert {"discover", "crawl_kjd", "close", "report"} <= tasks_logged
    lineage = [json.loads(body) for body in Collector.got["/lineage"]]
    assert "opeds://archive" in json.dumps(lineage), "which runs made the asset"
    assert {event["job"]["namespace"] for event in lineage if "job" in event} == {"opeds"}
    measured = b"".join(Collector.got["/v1/metrics"])
    assert b"opeds.kjd.archived" in measured
    secrets = (cluster.settings.secret_key, cluster.airflow.password)
    told = b"".join(body for bodies in Collector.got.values() for body in bodies)
    assert not any(secret.encode() in told for secret in secrets)


@pytest.mark.long
@minutes
@pytest.mark.distributed
def test_troubles_end_as_the_manual_says(cluster: Cluster) -> None:
    """A site that is busy and recovers, one that refuses throughout, a layout that changes in the middle."""
    stand, first = cluster.stand.stand, FIRST - timedelta(days=8)

    def day(number: int) -> dict[str, dict[str, Any]]:
        """Run one more day; return its tasks by name, and the run's state as `run`."""
        key = str(first + timedelta(days=number))
        run = cluster.airflow.trigger("opeds_daily", key)
        until = time.monotonic() + 180
        while time.monotonic() < until:
            state_ = next(r["state"] for r in cluster.airflow.runs("opeds_daily") if r["dag_run_id"] == run)
            tasks = {task["task_id"]: task for task in cluster.airflow.tasks("opeds_daily", run)}
            if state_ in {"success", "failed"}:
                return {**tasks, "run": {"state": state_, "id": run, "key": key}}
            if tasks["crawl_kjd"]["state"] == "up_for_retry":
                stand.fault("none")  # the busy site recovers after our first try
            time.sleep(0.5)
        raise AssertionError(tasks)

    stand.fault("flaky-503@koreajoongangdaily")
    told = day(0)
    assert (told["run"]["state"], told["crawl_kjd"]["try_number"], told["crawl_daum"]["try_number"]) == (
        "success",
        2,
        1,
    )

    stand.fault("refuse-403@koreajoongangdaily")
    told = day(1)
    assert (told["run"]["state"], told["report"]["state"]) == ("failed", "failed")
    assert (told["crawl_kjd"]["state"], told["crawl_kjd"]["try_number"]) == ("failed", 1), "not asked again"
    others = ("crawl_daum", "shares_kjd", "shares_daum", "close", "publish")
    assert {told[name]["state"] for name in others} == {"success"}
    stand.fault("none")
    by_page = {"dag_run_id": told["run"]["id"], "dry_run": False, "only_failed": False, "reset_dag_runs": True}
    cluster.airflow.request("POST", "dags/opeds_daily/clearTaskInstances", by_page)
    cluster.await_state("opeds_daily", told["run"]["id"], "success")

    stand.fault("empty-listing@columns")
    told = day(2)
    assert (told["crawl_kjd"]["state"], told["crawl_kjd"]["try_number"], told["report"]["state"]) == (
        "success",
        1,
        "failed",
    )
    stand.fault("none")
    made_whole = command([*OPEDS, "run", "--day", told["run"]["key"]], cluster.settings, cluster.environment)
    assert made_whole.code == 0, made_whole.out + made_whole.err
    cluster.airflow.command("tasks", "clear", "--yes", "--only-failed", "opeds_daily")
    cluster.await_state("opeds_daily", told["run"]["id"], "success")

    stand.fault("redesign")
    for number in range(3, 7):
        told = day(number)
        assert told["run"]["state"] == "success", "the lists are read; what cannot be trusted is set aside"
    stand.fault("none")
    told_of = command([*OPEDS, "status", "--json"], cluster.settings, cluster.environment).out.splitlines()
    complete = {row["day"]: row["complete"] for row in map(json.loads, told_of) if "day" in row}
    whole = [complete[str(first + timedelta(days=n))] for n in range(7)]
    assert whole == [True] * 7, "two of them once they were cleared"
    said = command([*OPEDS, "status"], cluster.settings, cluster.environment).out
    assert "drift" in said
    assert any(b"drift: kjd" in log for log in task_logs(cluster, "report").values()), "and it was told"


@pytest.mark.long
@minutes
@pytest.mark.distributed
def test_eight_shards_over_two_workers_come_to_what_one_process_makes(cluster: Cluster, tmp_path: Path) -> None:
    """New rules for every page: the archive read again by both workers, then by one, then by one process."""
    fill(cluster.settings, 1500 if DAYS >= 30 else 0)
    cluster.airflow.unpause("opeds_rederive")
    seconds = {}
    for number, workers in enumerate((2, 1), 1):
        change_rules(Path(cluster.environment["OPEDS_SOURCES"]), number)
        if workers == 1:
            cluster.kill("three")
        began = datetime.now().astimezone()
        run = cluster.airflow.trigger("opeds_rederive")
        cluster.ended("opeds_rederive", number, 300)
        tasks = [task for task in cluster.airflow.tasks("opeds_rederive", run) if task["task_id"] == "re_extract"]
        assert [task["state"] for task in tasks] == ["success"] * 8
        assert len({task["hostname"] + str(task["pid"]) for task in tasks}) == 8
        ends = [datetime.fromisoformat(task["end_date"]) for task in tasks]
        starts = [datetime.fromisoformat(task["start_date"]) for task in tasks]
        seconds[workers] = (max(ends) - min(starts)).total_seconds()
        print(
            f"{workers} worker(s): 8 shards in {seconds[workers]:.1f} s, {datetime.now().astimezone() - began} in all"
        )
    outcomes = [o for _, m in manifests.read_log(open_store(cluster.settings)) for o in m.outcomes]
    sightings = {(o.article_id, o.capture_key, o.fetched_at) for o in outcomes if o.verdict in CONTENT}
    assert sum(o.verdict is Verdict.REREAD for o in outcomes) == 2 * len(sightings), (
        "each once by each of the new rules"
    )

    alone = replace(cluster.settings, index=f"sqlite:///{tmp_path}/alone.sqlite", home=tmp_path / "alone")
    before = state(cluster.settings)
    assert before[1] == set()
    ran = command([*OPEDS, "rederive", "--write"], alone, cluster.environment)
    assert (ran.code, "0 captures to name" in ran.out) == (0, True), ran.out + ran.err
    assert state(cluster.settings) == before


def fill(settings: Settings, count: int) -> None:
    """Archive so many op-eds more, so that the work of a shard outweighs the starting of its task."""
    archive = open_to_write(settings)
    for number in range(count):
        url = C_URL.replace("2068163", f"{1_000_000 + number}")
        take_in(archive, captured(page(prose(number, 12)), "2024-06-13T12:00:00", url), run=f"fill-{number}")


def change_rules(folder: Path, number: int) -> None:
    """Change what every record's rules are, and nothing that they find."""
    for file in folder.glob("*.toml"):
        text = file.read_text()
        file.write_text(text.replace("drop = [", f'drop = [".none-such-{number}", '))
