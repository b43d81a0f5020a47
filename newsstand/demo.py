"""`make run`: a week of op-eds of both sources, from an invented newspaper's pages to a table in a real bucket."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEMO_HOME = Path(os.environ.get("DEMO_HOME") or ROOT / ".demo").absolute()  # apart from any real archive
CLOCK_FILE = DEMO_HOME / "newsstand-clock"  # kept, so that a second run finds the world as the first left it
ACTIVATE = DEMO_HOME / "activate"
BIN = Path(sys.executable).parent
WEEK = ("2026-06-01", "2026-06-07")
SEED = 5  # a week with corrections after its end, and copies on the portal
EMPTY_PAGE = "empty-body@/2595325$"  # one page comes without its text, as happens
FIRST_LOOK, SECOND_LOOK = "2026-06-07T23:59", "2026-06-11T08:00"  # the newsstand's clock, in Seoul


def main() -> int:
    """Run the week twice, four days apart, so that the paper's corrections show; return the exit code."""
    began = time.monotonic()
    DEMO_HOME.mkdir(exist_ok=True, mode=0o700)
    stand = running_newsstand(DEMO_HOME) or start_newsstand(
        DEMO_HOME, FIRST_LOOK, "--state", str(CLOCK_FILE), "--seed", str(SEED), "--fault", EMPTY_PAGE
    )
    environment = {**ours(), **stand["environment"], **demo_sources(DEMO_HOME)}
    write_activation(environment)
    for moment in looks(stand["address"]):
        advance(stand["address"], moment)
        print(f"\n── the newsstand's clock: {moment.replace('T', ' ')} in Seoul")
        print(f"── opeds run --since {WEEK[0]} --until {WEEK[1]}", flush=True)
        code = run_week(environment)
        if code:
            return code
    print(f"\n── done in {time.monotonic() - began:.0f} s. Store and newsstand go on running, so that these work:")
    print_commands(environment)
    return 0


def write_activation(environment: dict[str, str]) -> None:
    """Write what a shell needs to use the demo's archive and to crawl its newsstand: `. .demo/activate`."""
    names = (name for name in environment if name.startswith(("OPEDS_", "http", "no_proxy", "SSL_CERT_FILE")))
    lines = [f"export {name}={shlex.quote(environment[name])}" for name in sorted(names)]
    foreign = "unset OPEDS_ARCHIVE OPEDS_INDEX OPEDS_NOTIFY AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"
    path = f'case ":$PATH:" in *":{BIN}:"*) ;; *) export PATH="{BIN}:$PATH" ;; esac'
    text = "# for a shell that uses the demo, and nothing else: its programs reach the newsstand instead of the web"
    ACTIVATE.write_text("\n".join((text, path, foreign, *lines, "")))


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
    folder = sources_without_delay(home / "demo-sources")
    return {"OPEDS_SOURCES": str(folder), "OPEDS_CONTACT": "demo@localhost"}


def sources_without_delay(folder: Path, per_minute: int = 3000) -> Path:
    """Write the shipped source files without delay, and with as many requests a minute to archives; return the folder."""
    shipped = ROOT / "pipelines" / "sources"
    (folder / "archives").mkdir(parents=True, exist_ok=True)
    for file in (*shipped.glob("*.toml"), *shipped.glob("archives/*.toml")):
        text = re.sub(r"(?m)^delay = .*", "delay = 0", file.read_text())
        text = re.sub(r"(?m)^(\w+_per_minute) = .*", rf"\g<1> = {per_minute}", text)
        (folder / file.relative_to(shipped)).write_text(text)
    return folder


def looks(address: str) -> list[str]:
    """Return the moments to look at the week; a later `make run` finds the clock where the last one left it."""
    clock = datetime.fromisoformat(control(address, "health")["clock"]).strftime("%Y-%m-%dT%H:%M")
    return [SECOND_LOOK] if clock >= SECOND_LOOK else [FIRST_LOOK, SECOND_LOOK]


def running_newsstand(home: Path) -> dict[str, Any] | None:
    """Return what is known of a newsstand that runs already: its address, and what a crawler's environment needs."""
    ready = home / "newsstand.json"
    if not ready.exists():
        return None
    found: dict[str, Any] = json.loads(ready.read_text())
    return found if _is_newsstand(found["pid"]) else None


def _is_newsstand(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and b"newsstand" in command.read_bytes()


def start_newsstand(home: Path, clock: str, *more: str) -> dict[str, Any]:
    """Start the replica as a process; return its address and what a crawler's environment needs."""
    ready = home / "newsstand.json"
    ready.unlink(missing_ok=True)
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
    known = running_newsstand(home)
    if known:
        os.kill(known["pid"], signal.SIGTERM)
    (home / "newsstand.json").unlink(missing_ok=True)


def advance(address: str, moment: str) -> None:
    """Move the newsstand's clock on."""
    control(address, f"advance?to={moment}")


def control(address: str, what: str) -> dict[str, Any]:
    """Ask the newsstand about itself."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{address}/__newsstand__/{what}", timeout=10) as answer:  # our own process on loopback
        told: dict[str, Any] = json.load(answer)
    return told


def print_commands(environment: dict[str, str]) -> None:
    """Say what to type next, with ids that are there."""
    listed = subprocess.run(
        opeds_command("list", "--json"), env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rows = [json.loads(line) for line in listed]
    carried = next((row["article_id"] for row in rows if len(row["places"]) > 1), rows[0]["article_id"])
    corrected = next((row["article_id"] for row in rows if row["versions"] > 1), carried)
    lines = [
        (f". {os.path.relpath(ACTIVATE)}", "first: PATH, home and proxy of the demo"),
        ("opeds list", "every op-ed, with its places"),
        (f"opeds show {carried}", "one op-ed in two places"),
        (f"opeds show {corrected} --diff", "what the paper corrected in one"),
        ("opeds search tax", "words and phrases, and where they stand"),
        ("opeds status", "which days are whole"),
        ("opeds past kjd --since 2011-01 --until 2011-06", "the past, from a public archive's replica"),
        ('eval "$(opeds store key)"', "the reader's key"),
        ("python docs/examples/duckdb_read.py", "SQL with it"),
        ("opeds browse", "read it in a browser; Ctrl-C ends it"),
        ("make down", "stops store and newsstand; the archive stays in .demo/"),
    ]
    for line, why in lines:
        print(f"   {line:48} # {why}")


if __name__ == "__main__":
    sys.exit(stop_demo() if "down" in sys.argv[1:] else main())
