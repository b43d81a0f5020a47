"""`make run`: a week of op-eds of both sources, from an invented newspaper's pages to a table in a real bucket."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEMO_HOME = Path(os.environ.get("OPEDS_HOME") or ROOT / ".opeds").absolute()
CLOCK_FILE = (
    DEMO_HOME / "newsstand-clock"
)  # kept, so that a second run finds the world as the first left it; also our mark
BIN = Path(sys.executable).parent
WEEK = ("2026-06-01", "2026-06-07")
SEED = 5  # a week with corrections after its end, and copies on the portal
EMPTY_PAGE = "empty-body@/2595325$"  # one page comes without its text, as happens
FIRST_LOOK, SECOND_LOOK = "2026-06-07T23:59", "2026-06-11T08:00"  # the newsstand's clock, in Seoul


def main() -> int:
    """Run the week twice, four days apart, so that the paper's corrections show; return the exit code."""
    began = time.monotonic()
    if (DEMO_HOME / "store").exists() and not CLOCK_FILE.exists():
        raise SystemExit(f"{DEMO_HOME} holds an archive that is not the demo's; choose a folder: OPEDS_HOME=… make run")
    DEMO_HOME.mkdir(exist_ok=True, mode=0o700)
    stop_newsstand(DEMO_HOME)
    stand = start_newsstand(
        DEMO_HOME, FIRST_LOOK, "--state", str(CLOCK_FILE), "--seed", str(SEED), "--fault", EMPTY_PAGE
    )
    try:
        environment = {**ours(), **stand["environment"], **demo_sources(DEMO_HOME)}
        code = 0
        for moment in looks(stand["address"]):
            advance(stand["address"], moment)
            print(f"\n── the newsstand's clock: {moment.replace('T', ' ')} in Seoul")
            print(f"── opeds run --since {WEEK[0]} --until {WEEK[1]}", flush=True)
            code = run_week(environment)
            if code:
                return code
    finally:
        stop_newsstand(DEMO_HOME)
    print(f"\n── done in {time.monotonic() - began:.0f} s. The store goes on running, so that these answer at once:")
    print_commands()
    return code


def run_week(environment: dict[str, str]) -> int:
    """Run the week as a user would; a Ctrl-C reaches the command too, and is waited for."""
    with subprocess.Popen(opeds_command("run", "--since", WEEK[0], "--until", WEEK[1]), env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise SystemExit("make run goes on from here; make down stops the store") from None


def ours() -> dict[str, str]:
    """Return our environment with the demo's home and no setting of a real archive: the op-eds here are invented."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("OPEDS_", "AWS_"))}
    return {**rest, "OPEDS_HOME": str(DEMO_HOME)}


def stop_demo() -> int:
    """Stop all that a demo may have left running."""
    stop_newsstand(DEMO_HOME)
    return subprocess.run(opeds_command("store", "stop"), env=ours(), check=False).returncode


def opeds_command(*arguments: str) -> list[str]:
    """Return the command line of the `opeds` beside this Python."""
    return [str(BIN / "opeds"), *arguments]


def demo_sources(home: Path) -> dict[str, str]:
    """Return settings for a site of our own on loopback: no need to wait between requests."""
    folder = home / "demo-sources"
    folder.mkdir(exist_ok=True)
    for file in (ROOT / "pipelines" / "sources").glob("*.toml"):
        (folder / file.name).write_text(re.sub(r"(?m)^delay = .*", "delay = 0", file.read_text()))
    return {"OPEDS_SOURCES": str(folder), "OPEDS_CONTACT": "demo@localhost"}


def looks(address: str) -> list[str]:
    """Return the moments to look at the week; a later `make run` finds the clock where the last one left it."""
    clock = datetime.fromisoformat(control(address, "health")["clock"]).strftime("%Y-%m-%dT%H:%M")
    return [SECOND_LOOK] if clock >= SECOND_LOOK else [FIRST_LOOK, SECOND_LOOK]


def start_newsstand(home: Path, clock: str, *more: str) -> dict[str, Any]:
    """Start the replica as a process; return its address and what a crawler's environment needs."""
    ready = home / "newsstand.json"
    command = [sys.executable, "-m", "newsstand", "--clock", clock, "--quiet", *more]
    command += ["--folder", str(home), "--ready", str(ready)]
    with (home / "newsstand.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
    for _ in range(200):
        if ready.exists():
            found: dict[str, Any] = json.loads(ready.read_text())
            return found
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"the newsstand did not start; see {home / 'newsstand.log'}")


def stop_newsstand(home: Path) -> None:
    """Stop a newsstand, be it one that an earlier, killed run left behind."""
    ready = home / "newsstand.json"
    if not ready.exists():
        return
    pid = json.loads(ready.read_text())["pid"]
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists() and b"newsstand" in command.read_bytes():
        os.kill(pid, signal.SIGTERM)
    ready.unlink()


def advance(address: str, moment: str) -> None:
    """Move the newsstand's clock on."""
    control(address, f"advance?to={moment}")


def control(address: str, what: str) -> dict[str, Any]:
    """Ask the newsstand about itself."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{address}/__newsstand__/{what}", timeout=10) as answer:  # our own process on loopback
        told: dict[str, Any] = json.load(answer)
    return told


def print_commands() -> None:
    """Say what to type next, with ids that are there."""
    listed = subprocess.run(
        opeds_command("list", "--json"), env=ours(), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rows = [json.loads(line) for line in listed]
    carried = next((row["article_id"] for row in rows if len(row["places"]) > 1), rows[0]["article_id"])
    corrected = next((row["article_id"] for row in rows if row["versions"] > 1), carried)
    command = os.path.relpath(BIN / "opeds")
    lines = [
        (f"{command} list", "every op-ed, with its places"),
        (f"{command} show {carried}", "one op-ed in two places"),
        (f"{command} show {corrected}", "one that the paper corrected"),
        (f"{command} status", "which days are whole"),
        (
            f'eval "$({command} store key)" && {os.path.relpath(sys.executable)} docs/examples/duckdb_read.py',
            "SQL with the reader's key",
        ),
        ("make down", "stops the store; what it holds stays in .opeds/"),
    ]
    for line, why in lines:
        print(f"   {line:44}  # {why}")


if __name__ == "__main__":
    sys.exit(stop_demo() if "down" in sys.argv[1:] else main())
