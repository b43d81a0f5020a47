"""An article's captures, records and rejections: does each say of itself what it is, and follow from the others?

Functions of values, which run in worker processes too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Self

from pipelines.archive.keys import article_of, capture_key, quarantine_key, record_key
from pipelines.archive.warc import examined_capture
from pipelines.archive.withdrawn import NOTHING_WITHDRAWN, Withdrawn
from pipelines.audit.findings import Fault, unreadable_because
from pipelines.audit.log import Named
from pipelines.clock import iso
from pipelines.errors import UnreadableWarc
from pipelines.ingestion.read import StoredCapture, new_pool, read_page, sources_of_worker
from pipelines.model import Capture, Rules
from pipelines.sources import Source
from pipelines.sources.addresses import place_of, split_id
from pipelines.versions import content_sha256_of

CHANGED = "is not the file that was logged: its digest differs"
LEAST_FOR_PROCESSES = 60  # objects: fewer are examined faster than a worker starts
MOST_IN_TASK, MOST_BYTES_IN_TASK = 40, 8_000_000  # objects, and their bytes
SHAPES = {  # of keys, by their first folder
    "captures": re.compile(r"captures/[a-z0-9_]+/[A-Za-z0-9._-]+/\d{8}T\d{6}Z-[0-9a-f]{16}\.warc\.gz"),
    "articles": re.compile(r"articles/[a-z0-9_]+/[A-Za-z0-9._-]+/[0-9a-f]{16}-[0-9a-f]{8}\.json"),
    "quarantine": re.compile(r"quarantine/[a-z0-9_]+/[A-Za-z0-9._-]+/[0-9a-f]{16}-[0-9a-f]{8}\.json"),
}


@dataclass
class ArticleFiles:
    """All objects of one article, by key: their bytes, and what the log says of those that it names. `missing` are keys
    that the log names and that are not there, of this article or others: they are told elsewhere."""

    article_id: str
    bodies: dict[str, bytes] = field(default_factory=dict)
    named: dict[str, Named] = field(default_factory=dict)
    missing: Collection[str] = ()
    withdrawn: Withdrawn = NOTHING_WITHDRAWN

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(map(len, self.bodies.values()))


RulesOf = Mapping[str, Rules]  # today's, of each source


def examined(files: ArticleFiles, sources: Mapping[str, Source], rules: RulesOf) -> list[Fault]:
    """Return what does not fit in an article's objects. Never raises, whatever the bytes are."""
    found: list[Fault] = []
    captures: dict[str, Capture | None] = {}
    for key in sorted(files.bodies, key=lambda key: (not key.startswith("captures/"), key)):
        kind = kind_of(key)
        try:
            if kind == "capture":
                said = list(_of_capture(key, files, sources, captures))
            else:
                said = list(_of_record(key, files, sources, rules, captures))
        except UnreadableWarc as error:
            said = [str(error).removeprefix(f"{key}: ")]
        except Exception as error:  # altered bytes may break anything
            said = [unreadable_because(error)]
        found += [Fault(kind, key, one) for one in said]
    return found


def _of_capture(
    key: str, files: ArticleFiles, sources: Mapping[str, Source], captures: dict[str, Capture | None]
) -> Iterator[str]:
    """Yield what is wrong with a capture; take it down as sound, or as None."""
    captures[key] = None
    body = files.bodies[key]
    if _digest_differs(key, files):
        yield CHANGED
        return
    capture, faults = examined_capture(body, key)
    if capture_key(files.article_id, capture) != key:
        faults.append("the payload's digest, or its moment, is not the one in the key")
    place = place_of(capture.url, sources.values())
    if place is not None and place.article_id != files.article_id:
        faults.append(f"holds a page of {place.article_id}")
    captures[key] = None if faults else capture
    yield from faults


def _digest_differs(key: str, files: ArticleFiles) -> bool:
    stated = files.named[key].sha256 if key in files.named else ""
    is_now = hashlib.sha256(files.bodies[key]).hexdigest()
    return bool(stated) and not files.withdrawn.is_accepted(key, stated, is_now)


def _of_record(
    key: str,
    files: ArticleFiles,
    sources: Mapping[str, Source],
    rules: RulesOf,
    captures: Mapping[str, Capture | None],
) -> Iterator[str]:
    """Yield what is wrong with a record or a rejection."""
    if _digest_differs(key, files):
        yield CHANGED
        return
    told: dict[str, Any] = json.loads(files.bodies[key])
    yield from _of_itself(key, files.article_id, told)
    content16 = files.named[key].content16 if key in files.named else ""
    if content16 and told["content_sha256"][:16] != content16:
        yield "holds another content than the log says"
    of = told["capture"]["key"]
    if of not in files.bodies:
        if of not in files.missing:
            yield f"was made of {str(of)[:200]}, which is not there"
        return
    capture = captures.get(of)
    if capture is None:
        return  # it is among the faults already
    made_of = {"url": capture.url, "fetched_at": iso(capture.fetched_at), "payload_sha256": capture.payload_sha256}
    differing = [name for name, value in made_of.items() if told["capture"][name] != value]
    if differing or told["capture"]["status"] != capture.status:
        yield f"was made of another page than {of} holds ({', '.join(differing or ['status'])})"
        return
    source = sources.get(split_id(files.article_id)[0])
    if source is None or rules[source.name].sha256 != told["rules"]["sha256"]:
        return  # of other rules than today's: it is taken at its word, of which the log and its own digests hold most
    stored = StoredCapture(files.article_id, of, str(told["canonical_url"]), files.bodies[of])
    page = read_page(stored, sources, rules[source.name])
    if (page.object_key, files.withdrawn.blanked(page.object_body)) != (key, files.bodies[key]):
        yield f"is not what its rules make of {of}"


def _of_itself(key: str, article_id: str, told: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a record contradicts itself or its key."""
    text = told["text"] or told["text_ko"]
    own = {
        "article_id": article_id,
        "source": split_id(article_id)[0],
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "content_sha256": content_sha256_of(told),
        "word_count": len(text.split()),
    }
    differing = [name for name, value in own.items() if told[name] != value]
    if differing:
        yield f"contradicts itself: {', '.join(differing)} {'do' if len(differing) > 1 else 'does'} not fit its text"
        return
    made = Rules(told["rules"]["sha256"], "", "")
    of_key = (
        record_key(article_id, told["content_sha256"][:16], made)
        if key.startswith("articles/")
        else quarantine_key(article_id, told["capture"]["payload_sha256"], made)
    )
    if of_key != key:
        yield "its content or its rules are not those in its key"


# -- many articles, on all cores


def examine_all(
    waiting: Iterator[ArticleFiles],
    sources: Mapping[str, Source],
    rules: RulesOf,
    processes: int,
    count: int,
    progress: Callable[[int], None],
) -> Iterator[Fault]:
    """Yield what does not fit in the objects of all these articles; `progress` is told how many objects are done.

    `count` says how many objects there will be; where they are few, no process is started.
    """
    done = 0
    if processes < 2 or count < LEAST_FOR_PROCESSES:
        for files in waiting:
            yield from examined(files, sources, rules)
            done += len(files.bodies)
            progress(done)
        return
    with _Workers(processes, sources, rules) as workers:
        running: list[tuple[Sequence[ArticleFiles], Future[list[Fault]]]] = []
        for task in _in_tasks(waiting):
            running.append((task, workers.submit(task)))
            if len(running) > 2 * processes:
                yield from workers.result(*running.pop(0))
            done += sum(len(files.bodies) for files in task)
            progress(done)
        for one in running:
            yield from workers.result(*one)


class _Workers:
    """Processes that examine articles; one that dies costs the article that killed it, and new ones go on."""

    def __init__(self, processes: int, sources: Mapping[str, Source], rules: RulesOf) -> None:
        self.processes, self.sources, self.rules = processes, sources, rules
        self.pool = new_pool(processes, sources)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)

    def submit(self, task: Sequence[ArticleFiles]) -> Future[list[Fault]]:
        try:
            return self.pool.submit(_examine_in_worker, task, self.rules)
        except BrokenProcessPool:
            self.pool = new_pool(self.processes, self.sources)
            return self.pool.submit(_examine_in_worker, task, self.rules)

    def result(self, task: Sequence[ArticleFiles], running: Future[list[Fault]]) -> list[Fault]:
        try:
            return running.result()
        except BrokenProcessPool:
            return [fault for files in task for fault in self._alone(files)]

    def _alone(self, files: ArticleFiles) -> list[Fault]:
        with new_pool(1, self.sources) as pool:
            try:
                return pool.submit(_examine_in_worker, [files], self.rules).result()
            except BrokenProcessPool:
                said = "the process that examined its article died; is it too large for this machine?"
                return [Fault("capture", key, said) for key in files.bodies if kind_of(key) == "capture"]


def _in_tasks(waiting: Iterator[ArticleFiles]) -> Iterator[list[ArticleFiles]]:
    task: list[ArticleFiles] = []
    for files in waiting:
        task.append(files)
        if sum(len(one.bodies) for one in task) >= MOST_IN_TASK or sum(o.size for o in task) >= MOST_BYTES_IN_TASK:
            yield task
            task = []
    if task:
        yield task


def _examine_in_worker(task: Sequence[ArticleFiles], rules: RulesOf) -> list[Fault]:
    return [fault for files in task for fault in examined(files, sources_of_worker(), rules)]


def kind_of(key: str) -> str:
    """Return the kind of a fault of an object: capture, record or rejection."""
    return {"captures": "capture", "articles": "record"}.get(key.partition("/")[0], "rejection")


def is_object(key: str) -> bool:
    """Whether a key has the form of a capture, a record or a rejection.

    >>> [is_object(key) for key in ("articles/kjd/c1/0123456789abcdef-01234567.json", "articles/kjd/c1/x.json")]
    [True, False]
    """
    shape = SHAPES.get(key.partition("/")[0])
    return bool(shape and shape.fullmatch(key) and article_of(key))
