"""The same pages as files, for a server inside an organisation: links are relative, and headlines can be searched.

Written by as many processes as there are cores, page by page, so that memory does not grow with the archive. Files are
written beside and moved into place; what an earlier build left and this one does not write is removed at the end.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

from pipelines.browse import pages
from pipelines.browse.draw import ICON, SCRIPT, STYLE, Surroundings, asset, drawn_page, static_name
from pipelines.browse.pages import Shelf, WebPage
from pipelines.browse.searched import static_search_page
from pipelines.browse.snapshot import Snapshot, slug_of
from pipelines.catalogue.rows import in_lists
from pipelines.client import ArchiveReader
from pipelines.errors import MALFORMED, StoreUnavailable, WrongUsage
from pipelines.settings import Settings
from pipelines.worker import follow_parent

Task = tuple[str, tuple[str, ...]]  # which pages, and of what
FEWEST_TASKS, ARTICLES_A_TASK = 8, 100  # with fewer tasks no worker is started; articles of one
COLUMNISTS_A_TASK = 2  # each has many pages
OF_BUILD, UNFINISHED = ".opeds-", ".new"  # around the name of a file that is being written
INDEX_FOLDER, BUILT, BUILD_LOCK = "pagefind", "build.json", ".lock"
PAGE_FOLDERS = ("oped", "compare", "columnist", "columnists", "corrections", "year", "day")  # all in them is ours
BUILDER = "opeds browse --static"
FILES = (STYLE, SCRIPT, ICON)
OnWritten = Callable[[str, int, int], None]  # what, done, of how many


@dataclass(frozen=True)
class Built:
    """What a build came to: pages, their bytes, the largest page, what was removed, headlines that can be searched."""

    pages: int
    bytes: int
    largest: int
    largest_page: str
    removed: int
    headlines: int


def write_pages(archive: ArchiveReader, snapshot: Snapshot, folder: Path, right: str, on_written: OnWritten) -> Built:
    """Write all pages into a folder: a new one, an empty one, or one that an earlier build wrote.

    Raises `WrongUsage` for a folder of anything else.
    """
    _check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / BUILD_LOCK).open("a") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WrongUsage(f"another build writes into {folder} just now") from error
        try:
            _write(folder / BUILT, (json.dumps({"by": BUILDER}) + "\n").encode())
            return _build(archive, snapshot, folder, right, on_written)
        except OSError as error:
            raise StoreUnavailable(f"cannot write into {folder}: {error.strerror or error}") from error


def _build(archive: ArchiveReader, snapshot: Snapshot, folder: Path, right: str, on_written: OnWritten) -> Built:
    for name in FILES:
        _write(folder / name, asset(name))
    written: set[str] = set()
    size, largest, largest_page = 0, 0, ""
    tasks = list(_tasks(archive, snapshot))
    of = sum(len(names) for _, names in tasks)
    done = 0
    workers = _Workers(snapshot, archive.path, folder, right)
    for task, files in workers.done(tasks):
        done += len(task[1])
        for name, length in files:
            written.add(name)
            size += length
            if length > largest:
                largest, largest_page = length, name
        on_written("pages", done, of)
    removed = _remove(folder, written)
    headlines = _index(archive, folder, on_written)
    return Built(len(written), size, largest, largest_page, removed, headlines)


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise WrongUsage(f"{folder} is a file; --static takes a folder")
    if folder.exists() and any(folder.iterdir()) and not _is_ours(folder):
        raise WrongUsage(f"{folder} holds other files: name a new folder, or an empty one")


def _is_ours(folder: Path) -> bool:
    """Whether a build of ours made a folder."""
    try:
        return bool(json.loads((folder / BUILT).read_text())["by"] == BUILDER)
    except (OSError, *MALFORMED):
        return False


def _tasks(archive: ArchiveReader, snapshot: Snapshot) -> Iterator[Task]:
    """Yield what is to be written, in portions of about one size."""
    yield "shared", ("",)
    articles = (row["article_id"] for row in archive.sql("SELECT DISTINCT article_id FROM catalogue ORDER BY 1"))
    for kind, names in (
        ("oped", articles),
        ("columnist", sorted({slug_of(name) for person in snapshot.columnists for name in person.spellings})),
        ("year", map(str, snapshot.years)),
        ("day", map(str, snapshot.calendar)),
    ):
        for some in in_lists(names, COLUMNISTS_A_TASK if kind == "columnist" else ARTICLES_A_TASK):
            yield kind, tuple(some)


def _pages(shelf: Shelf, kind: str, name: str) -> Iterator[WebPage]:
    """Yield the pages of one thing."""
    if kind == "shared":
        yield pages.front(shelf)
        yield static_search_page(shelf)
        yield pages.status_page(shelf)
        yield pages.about_page(shelf)
        yield from _each(lambda number: pages.columnists_page(shelf, number))
        yield from _each(lambda number: pages.corrections_page(shelf, number))
    elif kind == "columnist":
        yield from _each(lambda number: pages.columnist_page(shelf, name, number))
    elif kind == "year":
        yield pages.year_page(shelf, int(name))
    elif kind == "day":
        yield from _each(lambda number: pages.day_page(shelf, date.fromisoformat(name), number))
    else:
        yield from _of_article(shelf, name)


def _of_article(shelf: Shelf, article_id: str) -> Iterator[WebPage]:
    """Yield the page of an article, of its earlier versions, and what differs between them and its other places."""
    earlier = [version.cite_as for version in shelf.archive.versions(article_id) if not version.is_latest]
    opeds = [pages.oped_page(shelf, name) for name in (article_id, *earlier)]
    yield from opeds
    for before, after in sorted(set().union(*map(pages.compared_on, opeds))):
        yield pages.compare_page(shelf, before, after)


def _each(make: Callable[[int], WebPage]) -> Iterator[WebPage]:
    """Yield all pages of a list."""
    first = make(1)
    yield first
    for number in range(2, first.values["of"] + 1):
        yield make(number)


# -- workers -------------------------------------------------------------------------------------------------------

_worker: _Writer | None = None


class _Writer:
    """Draws and writes pages in one process."""

    def __init__(self, snapshot: Snapshot, path: Path, folder: Path, right: str) -> None:
        self.archive = ArchiveReader(snapshot.settings, path)
        self.shelf = Shelf(self.archive, snapshot)
        self.around, self.folder = Surroundings(snapshot, live=False, right=right), folder

    def write(self, task: Task) -> list[tuple[str, int]]:
        """Write the pages of a task; return their names and sizes in bytes."""
        kind, names = task
        return [self._one(page) for name in names for page in _pages(self.shelf, kind, name)]

    def _one(self, page: WebPage) -> tuple[str, int]:
        name, body = static_name(page.path), drawn_page(page, self.around).encode("utf-8", "replace")
        _write(self.folder / name, body)
        return name, len(body)


def _begin(snapshot: Snapshot, path: Path, folder: Path, right: str) -> None:
    global _worker
    follow_parent()
    _worker = _Writer(snapshot, path, folder, right)


def _written_in_worker(task: Task) -> list[tuple[str, int]]:
    assert _worker is not None
    return _worker.write(task)


@dataclass(frozen=True)
class _Workers:
    """The processes that write."""

    snapshot: Snapshot
    path: Path
    folder: Path
    right: str

    def done(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, list[tuple[str, int]]]]:
        """Yield each task with what it wrote, in order."""
        settings: Settings = self.snapshot.settings
        count = settings.processes or os.cpu_count() or 1
        tasks = list(tasks)
        if count == 1 or len(tasks) < FEWEST_TASKS:
            writer = _Writer(self.snapshot, self.path, self.folder, self.right)
            for task in tasks:
                yield task, writer.write(task)
            writer.archive.close()
            return
        told = (self.snapshot, self.path, self.folder, self.right)
        pool = ProcessPoolExecutor(count, get_context("spawn"), _begin, told)
        try:
            yield from zip(tasks, pool.map(_written_in_worker, tasks), strict=True)
        except BrokenProcessPool as error:
            raise StoreUnavailable("a process that wrote pages was killed; run it again") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _write(path: Path, body: bytes) -> None:
    """Write a file so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{OF_BUILD}{os.getpid()}{UNFINISHED}")
    aside.write_bytes(body)
    aside.replace(path)


def _remove(folder: Path, written: set[str]) -> int:
    """Remove pages that an earlier build wrote and this one did not, and what a killed one left; return how many pages.

    A withdrawn op-ed must not stay, whatever became of the build that wrote it.
    """
    for left in folder.rglob(f"{OF_BUILD}*{UNFINISHED}"):
        if left.is_file():
            left.unlink()
    there = [path for name in PAGE_FOLDERS for path in (folder / name).rglob("*.html")]
    gone = [path for path in there if path.relative_to(folder).as_posix() not in written]
    for path in gone:
        path.unlink()
    return len(gone)


# -- the index of headlines ----------------------------------------------------------------------------------------


def _index(archive: ArchiveReader, folder: Path, on_written: OnWritten) -> int:
    """Write the index of headlines by which the search page searches; return how many there are.

    Pagefind reads the pages themselves, and of these only what the template marks (`data-pagefind-…`).
    """
    count = int(next(archive.sql("SELECT count(*) AS n FROM opeds WHERE headline <> ''"))["n"])
    aside = folder / f"{OF_BUILD}{INDEX_FOLDER}{UNFINISHED}"
    shutil.rmtree(aside, ignore_errors=True)
    if count:
        on_written("headlines", 1, count)
        call = [sys.executable, "-m", "pagefind", "--site", str(folder), "--glob", "oped/*.html", "--silent"]
        call += ["--output-path", str(aside), "--force-language", "en"]
        ran = subprocess.run(call, capture_output=True, text=True, check=False)
        if ran.returncode:
            why = (ran.stderr or ran.stdout).strip().splitlines()
            raise StoreUnavailable(f"the index of headlines could not be written: {why[-1] if why else 'no reason'}")
    shutil.rmtree(folder / INDEX_FOLDER, ignore_errors=True)
    if count:
        aside.replace(folder / INDEX_FOLDER)
    on_written("headlines", count, count)
    return count
