"""Files that people name on the command line: `-` is standard input, and what cannot be read twice is copied first."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipelines.errors import WrongUsage

STANDARD_INPUT = Path("-")


@contextmanager
def input_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading from any place in it; a pipe or a terminal is copied to a file that is removed.

    Raises `WrongUsage` for one that cannot be opened.
    """
    if path == STANDARD_INPUT:
        with _copied(sys.stdin.buffer) as copy:
            yield copy
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise WrongUsage(f"cannot read {path}: {error.strerror}") from error
    with file:
        if file.seekable():
            yield file
        else:
            with _copied(file) as copy:
                yield copy


@contextmanager
def _copied(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile(prefix="opeds-input-") as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy


def check_readable(path: Path) -> None:
    """Raise `WrongUsage` for a file that cannot be opened; a pipe, which can be opened once only, is taken at its
    word."""
    if path == STANDARD_INPUT or (path.exists() and not path.is_file() and not path.is_dir()):
        return
    with input_file(path):
        pass
