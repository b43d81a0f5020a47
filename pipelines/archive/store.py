"""The port to the bucket: five verbs, of which one overwrites, and only views. Adapters: memory and folder here, S3 in
s3.py."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import uuid
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from itertools import islice, takewhile
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pipelines.archive.keys import is_view
from pipelines.clock import now
from pipelines.errors import AlreadyArchived, NotArchived, StoreUnavailable, WrongUsage
from pipelines.settings import Settings

NO_OBJECT = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL})
LONGEST_KEY = 1024  # bytes
THREADS = 8  # requests to the bucket at a time


class Store(Protocol):
    """A bucket in which nothing is ever overwritten but views, which can be made again.

    All verbs raise `StoreUnavailable` when the bucket cannot be reached.
    """

    def create(self, key: str, body: bytes) -> None:
        """Store `body`; equal bytes already there is success, other bytes raise `AlreadyArchived`."""

    def replace(self, key: str, body: bytes | Path) -> None:
        """Replace a view by these bytes, or by those of a file; raise `WrongUsage` for the key of anything else."""

    def read(self, key: str) -> bytes:
        """Return the object's bytes; raise `NotArchived` when there is none."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield every key below `prefix`, sorted, each once."""

    def written_at(self, key: str) -> datetime:
        """Return when the object came there (UTC), by the store's clock; raise `NotArchived` when there is none."""


class MemoryStore:
    """A bucket in a dictionary: for unit tests, and the upper half of a dry run. Several threads may use it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._sorted: list[str] = []
        self._lock = threading.Lock()

    def create(self, key: str, body: bytes) -> None:
        """See `Store.create`."""
        with self._lock:
            if key not in self.objects:
                insort(self._sorted, key)
            if self.objects.setdefault(key, body) != body:
                raise AlreadyArchived(f"{key} exists with other bytes")

    def replace(self, key: str, body: bytes | Path) -> None:
        """See `Store.replace`."""
        refuse_all_but_views(key)
        with self._lock:
            if key not in self.objects:
                insort(self._sorted, key)
            self.objects[key] = body if isinstance(body, bytes) else body.read_bytes()

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        try:
            return self.objects[key]
        except KeyError as error:
            raise NotArchived(f"{key} is not in the archive") from error

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Store.keys`."""
        with self._lock:
            after = bisect_left(self._sorted, prefix)
            found = list(takewhile(lambda key: key.startswith(prefix), islice(self._sorted, after, None)))
        yield from found

    def written_at(self, key: str) -> datetime:
        """Return this moment: nothing in memory is old. See `Store.written_at`."""
        self.read(key)
        return now()


class FolderStore:
    """A bucket in a folder. An object is written to a temporary file, then linked, so it is whole or absent."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, key: str, body: bytes) -> None:
        """See `Store.create`."""
        target = self._path(key)
        temporary = self.root / f".writing-{uuid.uuid4().hex}"
        try:
            with temporary.open("xb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            _link(temporary, target)
        except FileExistsError as error:
            if target.read_bytes() != body:
                raise AlreadyArchived(f"{key} exists with other bytes") from error
        except OSError as error:
            raise StoreUnavailable(f"cannot write {key} below {self.root}: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)

    def replace(self, key: str, body: bytes | Path) -> None:
        """See `Store.replace`."""
        refuse_all_but_views(key)
        self._overwrite(key, body)

    def _overwrite(self, key: str, body: bytes | Path) -> None:
        target = self._path(key)
        temporary = self.root / f".writing-{uuid.uuid4().hex}"
        try:
            if isinstance(body, bytes):
                temporary.write_bytes(body)
            else:
                shutil.copyfile(body, temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)
        except OSError as error:
            raise StoreUnavailable(f"cannot write {key} below {self.root}: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        refuse_impossible(key)
        try:
            return self._path(key).read_bytes()
        except OSError as error:
            if error.errno in NO_OBJECT:
                raise NotArchived(f"{key} is not in the archive") from error
            raise StoreUnavailable(f"cannot read {key} below {self.root}: {error.strerror}") from error

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Store.keys`."""
        folder = self.root / prefix.rpartition("/")[0]
        found = (path.relative_to(self.root).as_posix() for path in folder.rglob("*") if path.is_file())
        yield from sorted(key for key in found if key.startswith(prefix) and not key.startswith(".writing-"))

    def written_at(self, key: str) -> datetime:
        """See `Store.written_at`."""
        try:
            return datetime.fromtimestamp(self._path(key).stat().st_mtime, UTC)
        except FileNotFoundError as error:
            raise NotArchived(f"{key} is not in the archive") from error

    def _path(self, key: str) -> Path:
        if key.startswith("/") or ".." in key.split("/"):
            raise WrongUsage(f"the key {key!r} leads out of the archive's folder")
        return self.root / key


def refuse_impossible(key: str) -> None:
    """Raise `NotArchived` for a key that no object of ours can have: altered objects name such."""
    is_text = isinstance(key, str) and "\0" not in key and not any("\ud800" <= sign <= "\udfff" for sign in key)
    if not is_text or len(key.encode()) > LONGEST_KEY or key.startswith("/") or ".." in key.split("/"):
        raise NotArchived(f"{ascii(key)[:80]} is not in the archive")


def refuse_all_but_views(key: str) -> None:
    """Raise `WrongUsage` for a key at which nothing may be replaced."""
    if not is_view(key):
        raise WrongUsage(f"{key} is not a view, and only views may be replaced")


def _link(temporary: Path, target: Path) -> None:
    """Link a file that is written whole under its key; the folder is made where it is missing."""
    try:
        os.link(temporary, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(temporary, target)


class Overlay:
    """A store seen through a dry run: creates stay in memory, the store below is only read."""

    def __init__(self, below: Store) -> None:
        self.below, self.above = below, MemoryStore()

    def create(self, key: str, body: bytes) -> None:
        """See `Store.create`."""
        try:
            if self.below.read(key) != body:
                raise AlreadyArchived(f"{key} exists with other bytes")
        except NotArchived:
            self.above.create(key, body)

    def replace(self, key: str, body: bytes | Path) -> None:
        """See `Store.replace`."""
        self.above.replace(key, body)

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        try:
            return self.above.read(key)
        except NotArchived:
            return self.below.read(key)

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Store.keys`."""
        yield from sorted({*self.above.keys(prefix), *self.below.keys(prefix)})

    def written_at(self, key: str) -> datetime:
        """See `Store.written_at`."""
        return self.above.written_at(key) if key in self.above.objects else self.below.written_at(key)


def read_many(store: Store, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (key, bytes) of those keys that have an object, in order; several are read at a time, few are held."""
    waiting: deque[tuple[str, Future[bytes]]] = deque()
    for key in keys:
        waiting.append((key, threads().submit(store.read, key)))
        if len(waiting) > 2 * THREADS:
            yield from _read_result(*waiting.popleft())
    while waiting:
        yield from _read_result(*waiting.popleft())


@cache
def threads() -> ThreadPoolExecutor:
    """Return the threads in which this process waits for the bucket; what runs in them must not use them itself."""
    return ThreadPoolExecutor(THREADS, "store")


def _read_result(key: str, body: Future[bytes]) -> Iterator[tuple[str, bytes]]:
    with suppress(NotArchived):
        yield key, body.result()


def open_store(settings: Settings) -> Store:
    """Return the store that `settings` name; the embedded one is started when it is not running."""
    if settings.embedded:
        from pipelines.archive.embedded import ensure_running

        settings = ensure_running(settings)
    parts = urlsplit(settings.archive)
    if parts.scheme == "file" and parts.path:
        return _folder(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc and "@" not in parts.netloc:
        from pipelines.archive.s3 import S3Store

        return S3Store(settings, bucket=parts.netloc, prefix=parts.path.strip("/"))
    said = "" if "@" in settings.archive else f"={settings.archive!r}"  # what stands before an @ may be a key
    raise WrongUsage(f"OPEDS_ARCHIVE{said}: use s3://bucket[/prefix] or file:///folder")


def _folder(root: Path) -> FolderStore:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"cannot use {root} as archive: {error.strerror}") from error
    return FolderStore(root)
