"""Airflow on this machine: its components as processes of their own, on loopback only. For the demo and for tests.

Not `airflow standalone`: its parent leaves its children behind when it is told to end, and its log servers listen
on all interfaces. Here each component has a process group of its own, and `stop` looks that none is left: by the
groups, by their children, and by the environment, which a process that sets its title may have blanked.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsstand.demo import ROOT

AIRFLOW = Path(sys.executable).parent / "airflow"
POOLS = ROOT / "infra" / "compose" / "pools.json"
COMPONENTS = {
    "api-server": ["api-server", "--host", "127.0.0.1", "--workers", "1"],
    "dag-processor": ["dag-processor"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
AIRFLOW_READY_WITHIN = 180.0  # seconds: 35 were measured on a quiet machine, over 100 on a busy one
AIRFLOW_STOP_WITHIN = 20.0


class LocalAirflow:
    """Airflow's components below a folder, which keeps their database, secrets, logs and process ids."""

    def __init__(self, home: Path, environment: Mapping[str, str], **settings: str) -> None:
        self.home = home
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = self._known()
        self.port, self.password, self.token = int(known["port"]), known["password"], ""
        ours = ("OPEDS_", "AWS_", "AIRFLOW")  # a real archive's, desk's or Airflow's must not be meant by ours
        rest = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = {**rest, **environment, **self._settings(known), **settings}
        self.environment = {name: value for name, value in self.environment.items() if value}

    def _known(self) -> dict[str, str]:
        """Return this Airflow's port and secrets, made at its first start."""
        file = self.home / "secrets.json"
        if not file.exists():
            made = {name: secrets.token_urlsafe(24) for name in ("password", "jwt", "session")}
            _write_private(file, {**made, "port": str(free_port())})
        known: dict[str, str] = json.loads(file.read_text())
        return known

    def _settings(self, known: Mapping[str, str]) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        _write_private(passwords, {"admin": known["password"]})
        address = f"http://127.0.0.1:{known['port']}"
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": known["port"],
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__API__SECRET_KEY": known["session"],
            "AIRFLOW__API_AUTH__JWT_SECRET": known["jwt"],
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> str:
        """Run one `airflow` command; return what it printed. Raises `SystemExit` with its last lines when it fails."""
        done = subprocess.run(
            [sys.executable, AIRFLOW, *arguments],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"airflow {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def start(self, **more: list[str]) -> None:
        """Prepare the database and the pools, start the components and those of `more`, and wait until it answers."""
        self.stop()
        self.prepare()
        for name, arguments in {**COMPONENTS, **more}.items():
            self.launch(name, arguments)
        self._await_ready()

    def prepare(self) -> None:
        """Make the database and the pools, before any DAG runs: a task of a missing pool just waits."""
        self.command("db", "migrate")
        self.command("pools", "import", str(POOLS))

    def launch(self, name: str, arguments: list[str]) -> int:
        """Start one component in a process group of its own; return its process id."""
        log = (self.home / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, AIRFLOW, *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
        )
        (self.home / f"{name}.pid").write_text(f"{process.pid} {_processes()[process.pid].started}")
        return process.pid

    def stop(self) -> None:
        """End every component and all it started; wait until none is left and nobody listens at its port.

        Raises `SystemExit` when something cannot be ended.
        """
        for number in (signal.SIGTERM, signal.SIGKILL):
            for group in {one.group for one in self._left().values()} - {os.getpgrp()}:
                _signal(group, number)
            until = time.monotonic() + AIRFLOW_STOP_WITHIN
            while self._left() and time.monotonic() < until:
                time.sleep(0.1)
        left = sorted(self._left())
        if left or _listens(self.port):
            raise SystemExit(f"Airflow could not be stopped: processes {left}, port {self.port}; see {self.home}")
        for file in self.home.glob("*.pid"):
            file.unlink()

    def _left(self) -> dict[int, _Process]:
        """Return the processes that are this Airflow's, whatever group they are in now."""
        mark = f"AIRFLOW_HOME={self.home}".encode()
        there = {pid: one for pid, one in _processes().items() if pid != os.getpid()}
        groups = {group for group, started in self._launched() if group not in there or there[group].started == started}
        found = {pid for pid, one in there.items() if one.group in groups or mark in one.environment()}
        while more := {pid for pid, one in there.items() if one.parent in found} - found:
            found |= more
        return {pid: there[pid] for pid in found}

    def _launched(self) -> Iterator[tuple[int, int]]:
        """Yield the process groups that we made, each with the moment that its first process began (clock ticks)."""
        for file in self.home.glob("*.pid"):
            group, _, started = file.read_text().partition(" ")
            yield int(group), int(started or 0)

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask Airflow's public interface, as its administrator; `path` begins behind `/api/v2/`."""
        asked = {"username": "admin", "password": self.password}
        self.token = self.token or self._call("POST", "/auth/token", asked)["access_token"]  # good for a day
        return self._call(method, f"/api/v2/{path}", body, self.token)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None, token: str = "") -> dict[str, Any]:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = json.dumps(body).encode() if body is not None else None
        asked = urllib.request.Request(f"{self.address}{path}", data, headers, method=method)  # noqa: S310 - loopback
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(asked, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def _await_ready(self) -> None:
        """Wait until every component reports itself healthy."""
        until = time.monotonic() + AIRFLOW_READY_WITHIN
        while time.monotonic() < until:
            for name in COMPONENTS:
                if not _alive(int((self.home / f"{name}.pid").read_text().split()[0])):
                    raise SystemExit(f"Airflow's {name} ended at once; see {self.home / name}.log")
            try:
                told = self._call("GET", "/api/v2/monitor/health", None)
                if all(
                    (told.get(part) or {}).get("status") == "healthy"
                    for part in ("scheduler", "dag_processor", "triggerer")
                ):
                    return
            except (urllib.error.URLError, OSError, ValueError):
                pass
            time.sleep(0.5)
        raise SystemExit(f"Airflow was not ready after {AIRFLOW_READY_WITHIN:.0f} s; see the logs in {self.home}")

    def unpause(self, *dags: str) -> None:
        """Let DAGs run; each is waited for until the processor has read it."""
        for dag in dags:
            self.await_dag(dag)
            self.request("PATCH", f"dags/{dag}?update_mask=is_paused", {"is_paused": False})

    def await_dag(self, dag: str) -> None:
        """Wait until a DAG was read."""
        until = time.monotonic() + AIRFLOW_READY_WITHIN
        while time.monotonic() < until:
            try:
                self.request("GET", f"dags/{dag}")
                return
            except urllib.error.HTTPError:
                time.sleep(0.5)
        raise SystemExit(f"Airflow has not read {dag}; see {self.home / 'dag-processor.log'}")

    def trigger(self, dag: str, key: str | None = None, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a DAG, for a partition key if one is given; return its id."""
        body: dict[str, Any] = {"logical_date": None, "conf": dict(conf or {})}
        return str(
            self.request("POST", f"dags/{dag}/dagRuns", {**body, **({"partition_key": key} if key else {})})[
                "dag_run_id"
            ]
        )

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG."""
        return list(self.request("GET", f"dags/{dag}/dagRuns?limit=200")["dag_runs"])

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        quoted = urllib.parse.quote(run, safe="")
        return list(self.request("GET", f"dags/{dag}/dagRuns/{quoted}/taskInstances?limit=1000")["task_instances"])


@dataclass(frozen=True, slots=True)
class _Process:
    """A process of this machine; `started` is in clock ticks since it was started up, and so names a process."""

    pid: int
    parent: int
    group: int
    started: int

    def environment(self) -> list[bytes]:
        """Return its variables as they were when it began; none for one that has blanked them, or is not ours."""
        try:
            return Path(f"/proc/{self.pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return []


def _processes() -> dict[int, _Process]:
    """Return every process that has not ended."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = file.read_text().rpartition(") ")[2].split()
        except OSError:
            continue  # gone meanwhile
        pid = int(file.parent.name)
        if words[0] == "Z":
            _reap(pid)
        else:
            found[pid] = _Process(pid, int(words[1]), int(words[2]), int(words[19]))
    return found


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, what: Mapping[str, str]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(dict(what)))


def _alive(pid: int) -> bool:
    _reap(pid)
    return Path(f"/proc/{pid}").exists()


def _reap(pid: int) -> None:
    """Let go of a child of ours that has ended; another's is not ours to reap."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except (ChildProcessError, PermissionError):
        return


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
