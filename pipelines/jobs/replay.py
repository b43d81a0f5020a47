"""Show an op-ed's page as it was served: pywb, in an environment of its own, over the captures of that op-ed alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError

from pipelines.archive.keys import captures_prefix, date_in, digits_in
from pipelines.archive.store import Store, read_many
from pipelines.errors import NotArchived, StoreUnavailable
from pipelines.settings import child_environment

COLLECTION = "opeds"
ANSWERS_WITHIN = 30.0  # seconds
NOT_INSTALLED = "pywb is not installed: `make replay` installs it into an environment of its own, or put it on the PATH"


@dataclass(frozen=True)
class Replayed:
    """A page that can be looked at: its address at the replay server, its own address, and when it was captured."""

    address: str
    url: str
    fetched_at: str


def program(name: str) -> str:
    """Return where a program of pywb lies: beside this environment, or on the PATH. Raises `StoreUnavailable`."""
    beside = Path(sys.prefix) / "replay" / "bin" / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise StoreUnavailable(NOT_INSTALLED)
    return found


def can_replay() -> bool:
    """Whether pywb is here."""
    with suppress(StoreUnavailable):
        return bool(program("wayback"))
    return False


@contextmanager
def replaying(store: Store, pages: Sequence[tuple[str, str]], port: int = 0) -> Iterator[list[Replayed]]:
    """Serve the captures of these articles on loopback; yield their pages, each (article id, address) in order.

    All captures of each article are there, so that its other versions can be looked at too. The server ends with the
    context. Raises `NotArchived` where an article has no capture, `StoreUnavailable` where pywb is missing or does not
    start.
    """
    wayback, manager = program("wayback"), program("wb-manager")
    with TemporaryDirectory(prefix="opeds-replay-") as name:
        home = Path(name)
        files, shown = [], []
        for article_id, url in pages:
            keys = list(store.keys(captures_prefix(article_id)))
            if not keys:
                raise NotArchived(f"{article_id} has no page in the archive")
            for number, (key, body) in enumerate(read_many(store, keys)):
                file = home / f"{article_id}-{number}.warc.gz"
                file.write_bytes(body)
                files.append(file)
                shown.append((url, key))
        port = port or _free_port()
        quiet = {"cwd": home, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": child_environment()}
        for words in (["init", COLLECTION], ["add", COLLECTION, *map(str, files)]):
            subprocess.run([manager, *words], check=True, **quiet)  # type: ignore[call-overload]
        kept = [sys.executable, "-m", "pipelines.worker", str(os.getpid()), str(home)]  # it ends if we are killed
        call = [*kept, wayback, "-b", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(call, **quiet)  # type: ignore[call-overload]
        try:
            _await_ready(server, port)
            at = f"http://127.0.0.1:{port}/{COLLECTION}"
            yield [Replayed(f"{at}/{digits_in(key)}/{url}", url, date_in(key)) for url, key in shown]
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + ANSWERS_WITHIN
    while server.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()  # loopback
            return
        except HTTPError:
            return
        except OSError:
            time.sleep(0.3)
    raise StoreUnavailable(f"pywb does not start on port {port}; is it taken?")
