"""A PostgreSQL server of our own, from Debian's package, on a Unix socket in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def installed() -> Path | None:
    """Return the folder of the newest server's programs, or None."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextmanager
def server() -> Iterator[str]:
    """Run a server; yield its URL, `{}` for a database's name. Raises `FileNotFoundError` when none is installed."""
    programs = installed()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="opeds-pg-"))  # short: a socket's path must be
    more: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    if os.getuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "nobody")
        more["user"] = "nobody"
    subprocess.run([programs / "initdb", "-D", folder / "d", "-A", "trust", "-U", "opeds", "--no-sync"], **more)
    control: list[Any] = [programs / "pg_ctl", "-D", folder / "d"]
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c shared_buffers=256MB -c fsync=off"
    subprocess.run([*control, "-l", folder / "log", "-o", options, "-w", "start"], **more)
    try:
        yield f"postgresql+psycopg://opeds@/{{}}?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **more)
        shutil.rmtree(folder)
