"""What is SQLite's own: how its file is opened, what its errors mean, how it is set aside.

The index is derived. So a file that cannot be read is no loss, and is never read to make the next one.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines.clock import now, stamp
from pipelines.errors import IndexUnavailable
from pipelines.settings import make_private

ANEW = "`opeds index rebuild` makes it anew from the archive"
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})  # the last: the file beside it could not grow
BESIDE = ("-wal", "-shm", "-journal")  # files that belong to a database's own


def file_of(url: sa.URL) -> Path | None:
    """Return the file of a SQLite database, or None for any other and for one in memory."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if is_file else None


def explained(error: BaseException, reason: str) -> IndexUnavailable:
    """Return our own error for one of a database's driver."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in DAMAGED:
        return IndexUnavailable(f"the index is damaged ({reason}): {ANEW}")
    if code & 0xFF in NO_ROOM:
        return IndexUnavailable(
            f"there is no room for an index, or its disk fails ({reason}): make room, and run this again"
        )
    return IndexUnavailable(
        f"the index database does not answer ({reason}); it is derived: mend it, or name another in OPEDS_INDEX"
    )


def prepare(engine: sa.Engine) -> None:
    """One writer at a time, waiting its turn; readers see a whole state. Not for network folders.

    A connection to a file that was set aside meanwhile is made again.
    """
    path = file_of(engine.url)
    if path is not None:
        make_private(path.parent)

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA busy_timeout=30000")
        record.info["inode"] = _inode(path)

    @sa.event.listens_for(engine, "checkout")
    def _checkout(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["inode"] != _inode(path):
            raise sa.exc.DisconnectionError("the file is another one now")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _inode(path: Path | None) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_ino if path else 0
    return 0


def archive_named(path: Path) -> str:
    """Return the id of the archive that an index file says it is of; empty for a file that is no sound index."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                return ""
            row = connection.execute("SELECT value FROM state WHERE name = 'archive_id'").fetchone()
            return str(row[0]) if row else ""
    except sqlite3.Error:
        return ""


def set_aside(path: Path) -> Path | None:
    """Move an index file out of the way, if there is one; return where it lies now."""
    if not path.exists():
        return None
    aside = path.with_name(f"{path.name}.{stamp(now())}.old")
    path.replace(aside)
    for end in BESIDE:
        path.with_name(path.name + end).unlink(missing_ok=True)
    return aside
