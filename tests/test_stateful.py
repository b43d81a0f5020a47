"""The archive against a model of it that fits on a page: whatever happens, in whatever order, both say the same.

Hypothesis plays the paper, the portal, the operator and bad luck: op-eds appear, are corrected, copied, given another
number, withdrawn; crawls and old captures come in; processes die between two writes; rules change; the index is made
anew. Behind each look: no op-ed lost, none twice, versions in order, groups as the model has them, `verify` silent. At
the end one thing is altered, and `verify` speaks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

import pipelines.extraction.extract as extract_module
from newsstand.pages import JOINS, article_c, article_d, article_daum, c_path, d_url, daum_url
from newsstand.world import SEOUL, Oped
from pipelines.archive.store import FolderStore
from pipelines.catalogue.delta import location, open_table
from pipelines.catalogue.publish import publish
from pipelines.index.opened import open_to_write, rebuild_index
from pipelines.jobs.rederive import rederive
from pipelines.jobs.verify import verify
from pipelines.jobs.withdraw import withdraw
from pipelines.model import Capture
from pipelines.settings import Settings
from tests.altering import PATTERNS, WAYS, altered, object_of, root
from tests.conftest import LONG, capture, prose, take_in

BEGAN = datetime(2026, 6, 20, 9, 0, tzinfo=SEOUL)
CODES = itertools.count(1)
ALTERED = [kind for kind in PATTERNS if kind not in {"rejection", "account", "crawl", "manifest"}]  # always written


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Place:
    """An op-ed at one address: what it said since when, and at which moments somebody looked."""

    kind: str  # c and d are the paper's numbers before and after its move
    states: list[tuple[datetime, Oped]]
    seen: set[datetime] = field(default_factory=set)

    @property
    def article_id(self) -> str:
        oped = self.states[0][1]
        if self.kind == "daum":
            return f"daum-{oped.daum_id()}"
        return f"kjd-c{oped.cid}" if self.kind == "c" else f"kjd-d{oped.did}"

    @property
    def oped(self) -> Oped:
        """What it says now."""
        return self.states[-1][1]

    def at(self, moment: datetime) -> Oped:
        """Return what it said at a moment."""
        return [oped for since, oped in self.states if since <= moment][-1]

    def captured(self, moment: datetime) -> Capture:
        """Return its page as it was at a moment."""
        oped = self.at(moment)
        if self.kind == "daum":
            body, url = article_daum(oped), daum_url(oped)
        elif self.kind == "c":
            body, url = article_c(oped, moment), f"https://{JOINS}{c_path(oped)}"
        else:
            body, url = article_d(oped, moment), d_url(oped)
        return replace(capture(body.encode(), "2026-01-01T00:00:00", url), fetched_at=moment.astimezone(UTC))

    def told(self) -> list[str]:
        """Return the texts that were seen, in order, each change once."""
        texts = ["\n\n".join(self.at(moment).paragraphs) for moment in sorted(self.seen)]
        return [text for text, _ in itertools.groupby(texts)]


@dataclass
class Group:
    """One op-ed with all its places."""

    places: list[Place]
    is_withdrawn: bool = False
    came_back: bool = False  # a capture of it lies in the bucket until it is withdrawn again

    def has(self, kind: str) -> bool:
        return any(place.kind == kind for place in self.places)


@contextmanager
def killed_at_write(number: int) -> Iterator[None]:
    """Die at the n-th object that is created."""
    create, left = FolderStore.create, itertools.count(number, -1)

    def counted(self: FolderStore, *arguments: Any, **more: Any) -> Any:
        if next(left) <= 0:
            raise Killed
        return create(self, *arguments, **more)

    FolderStore.create = counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        FolderStore.create = create  # type: ignore[method-assign]


class ArchiveAndModel(RuleBasedStateMachine):
    """Both, and all that may happen to them."""

    groups = Bundle("groups")

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.dice, self.clock, self.number = Random(seed), BEGAN, 0
        self.all: list[Group] = []
        self.folder = TemporaryDirectory(prefix="opeds-model-")
        self.settings = Settings(
            archive=f"file://{self.folder.name}/archive",
            home=Path(self.folder.name) / "home",
            invented=True,
            processes=1,
        )
        self.code = extract_module.CODE
        open_to_write(self.settings)

    def later(self) -> datetime:
        self.clock += timedelta(minutes=self.dice.randrange(1, 300), seconds=self.dice.randrange(60))
        return self.clock

    # -- the paper and the portal

    @rule(target=groups)
    def appear(self) -> Group:
        self.number += 1
        moment = self.later()
        oped = Oped(
            number=self.number, kind=("column", "editorial")[self.number % 2], headline=f"Ferry {self.number} is late",
            paragraphs=tuple(prose(self.number, 8)), deck="", writer="", writer_korean="", bio="", korean=(),
            caption="", published=moment, cid=str(2_700_000 + self.number), did=str(13_000_000 + self.number),
        )  # fmt: skip
        self.all.append(Group([Place("c", [(moment, oped)])]))
        return self.all[-1]

    @rule(group=groups)
    def be_copied(self, group: Group) -> None:
        if not group.has("daum") and not group.is_withdrawn:
            moment = self.later()
            oped = replace(self.dice.choice(group.places).oped, daum_at=moment)
            group.places.append(Place("daum", [(moment, oped)]))

    @rule(group=groups)
    def get_another_number(self, group: Group) -> None:
        if not group.has("d") and not group.is_withdrawn:
            group.places.append(Place("d", [(self.later(), group.places[0].oped)]))

    @rule(group=groups)
    def be_corrected(self, group: Group) -> None:
        place = self.dice.choice(group.places)
        if len(place.states) > 4:
            return
        self.number += 1
        at, lines = self.dice.randrange(8), list(place.oped.paragraphs)
        lines[at] = f"{lines[at]} The ferry company says that {self.number} of its boats were late."
        place.states.append((self.later(), replace(place.oped, paragraphs=tuple(lines))))

    @rule(group=groups)
    def be_restored(self, group: Group) -> None:
        """A correction is taken back: a text that stood before stands again."""
        place = self.dice.choice(group.places)
        if len(place.states) > 1:
            place.states.append((self.later(), place.states[-2][1]))

    # -- the operator

    def looked_at(self, places: list[Place]) -> list[Capture]:
        moment = self.later()
        for place in places:
            place.seen.add(moment)
        return [place.captured(moment) for place in places]

    @property
    def live(self) -> list[Place]:
        """The places that a crawl asks for: a withdrawn article is not."""
        return [place for group in self.all if not group.is_withdrawn for place in group.places]

    @rule()
    def crawl(self) -> None:
        captures = self.looked_at(self.live)
        if captures:
            take_in(open_to_write(self.settings), *captures)

    @rule(group=groups)
    def backfill(self, group: Group) -> None:
        """A public archive has a capture of some moment until now; one of a withdrawn op-ed is not taken."""
        place = self.dice.choice(group.places)
        first = place.states[0][0]
        moment = first + timedelta(seconds=self.dice.randrange(int((self.later() - first).total_seconds())))
        place.seen.add(moment)
        take_in(open_to_write(self.settings), place.captured(moment))
        group.came_back = group.is_withdrawn

    @rule(writes=st.integers(0, 12))
    def crawl_and_crash(self, writes: int) -> None:
        """A crawl dies at a write; the next one brings the same captures."""
        captures = self.looked_at(self.live)
        if captures:
            try:
                with killed_at_write(writes):
                    take_in(open_to_write(self.settings), *captures)
            except Killed:
                take_in(open_to_write(self.settings), *captures)

    @rule(group=groups)
    def be_withdrawn(self, group: Group) -> None:
        if group.came_back or (not group.is_withdrawn and all(place.seen for place in group.places)):
            withdraw(self.settings, group.places[0].article_id, "its author asked for it")
            group.is_withdrawn, group.came_back = True, False

    @rule()
    def change_rules(self) -> None:
        extract_module.CODE = f"{self.code}-{next(CODES)}"

    @rule()
    def derive_again(self) -> None:
        rederive(self.settings, "", [], True, lambda *_: None)

    @rule()
    def make_the_index_anew(self) -> None:
        rebuild_index(self.settings, lambda *_: None)

    # -- both say the same

    @rule()
    def look(self) -> None:
        publish(open_to_write(self.settings), self.settings)
        table = open_table(location(self.settings, "articles"))
        rows = table.to_pyarrow_table().to_pylist() if table else []
        stored: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            stored.setdefault(row["article_id"], []).append(row)
        known = [place for place in self.live if place.seen]
        assert set(stored) == {place.article_id for place in known}, "no op-ed lost, none too many"
        for place in known:
            _compare(place, stored[place.article_id])
        grouped = {frozenset(p.article_id for p in g.places if p.seen) for g in self.all if not g.is_withdrawn} - {
            frozenset()
        }
        by_oped: dict[str, set[str]] = {}
        for row in rows:
            by_oped.setdefault(row["oped_id"], set()).add(row["article_id"])
        assert set(map(frozenset, by_oped.values())) == grouped, "one op-ed, one id"
        back = {place.article_id for group in self.all if group.came_back for place in group.places}
        told = {one.key: one.said for one in verify(self.settings).faults}
        assert all("withdraw" in said and _article_in(key) in back for key, said in told.items()), told
        assert bool(told) == bool(back), "verify is silent but for what came back"

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        try:
            self.look()
            if any(place.seen for place in self.live) and not any(group.came_back for group in self.all):
                self.alter()
        finally:
            extract_module.CODE = self.code
            self.folder.cleanup()

    def alter(self) -> None:
        kind, way = self.dice.choice(ALTERED), self.dice.choice(list(WAYS))
        path = object_of(self.settings, kind)
        before = path.read_bytes()
        altered(path, way)
        if path.exists() and path.read_bytes() == before:
            return
        faults = verify(self.settings).faults
        assert faults, f"{kind} ({path.relative_to(root(self.settings))}), {way}: verify is silent"


def _article_in(key: str) -> str:
    """Return the article that a key of a capture is of."""
    _, source, native, *_ = key.split("/")
    return f"{source}-{native}"


def _compare(place: Place, rows: list[dict[str, Any]]) -> None:
    """The versions of a place: each text that was seen once, in the order in which they stood."""
    expected = place.told()
    steps = sorted((step["from"], row["text"]) for row in rows for step in row["steps"])
    assert [text for _, text in steps] == expected, place.article_id
    assert len(rows) == len(set(expected))
    assert [row["text"] for row in rows if row["is_latest"]] == [expected[-1]]


TestTheArchive = ArchiveAndModel.TestCase
TestTheArchive.settings = settings(
    max_examples=100 if LONG else 6,
    stateful_step_count=40 if LONG else 15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestTheArchive = pytest.mark.long(TestTheArchive)
