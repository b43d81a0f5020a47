"""What every worker process of ours does first: it ignores Ctrl-C, and ends when the process that started it ends.

As a program, `python -m pipelines.worker PARENT FOLDER COMMAND…`: runs a command of somebody else, and ends it and
removes its folder once the parent process is gone, however that ended.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

LOOKS_AT_PARENT = 0.1  # seconds between two looks whether the parent is there


def follow_parent() -> None:
    """Leave Ctrl-C to the parent process, and end when that ends, in whatever way it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def keep(parent: int, folder: str, command: list[str]) -> int:
    """Run a command until it ends or its parent does; return its exit code."""
    process = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while process.poll() is None:
        if os.getppid() != parent:
            process.kill()
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)
            return 1
        time.sleep(LOOKS_AT_PARENT)
    return process.returncode


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
