"""The index in both databases: the same answers, shared by workers, made anew from the log."""

import itertools
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from newsstand import pages
from newsstand.server import parse_clock
from newsstand.world import build
from pipelines.archive.identity import identify
from pipelines.archive.store import MemoryStore
from pipelines.catalogue.publish import publish
from pipelines.copies.fingerprint import hashes_of
from pipelines.index.index import open_anew, open_index
from pipelines.index.opened import Archive, catch_up, dry_run, open_to_write, rebuild_index
from pipelines.model import Capture, Outcome, Verdict
from pipelines.settings import Settings
from tests.conftest import (
    C_URL,
    ROOT,
    SOURCES,
    Command,
    World,
    capture,
    environment_of,
    minutes,
    page,
    prose,
    state,
    take_in,
)
from tests.test_ingest import daum_page

DAYS = [f"2024-06-{day}T00:00:00" for day in range(14, 24)]


@pytest.fixture
def shared(folder: Settings, database: str) -> Settings:
    """An empty archive in a folder with an index in each kind of database."""
    return replace(folder, index=database)


def kjd(number: int) -> str:
    return f"{C_URL[:-7]}{2068163 + number}"


def daum(number: int) -> str:
    return f"https://v.daum.net/v/202406132300{number:05d}"


def test_copies_are_found_and_grouped_whatever_the_database(shared: Settings) -> None:
    archive = open_to_write(shared)
    for n in (1, 2):
        take_in(archive, capture(page(prose(n)), DAYS[0], kjd(n)), capture(daum_page(prose(n)), DAYS[1], daum(n)))
    publish(archive, shared)
    rows, orphans = state(shared)
    assert len({row[2] for row in rows}) == 2
    assert not orphans


def test_an_index_made_anew_is_the_same(shared: Settings) -> None:
    archive = open_to_write(shared)
    for n in range(3):
        take_in(archive, capture(page(prose(n)), DAYS[0], kjd(n)), capture(daum_page(prose(n)), DAYS[1], daum(n)))
    take_in(archive, capture(page([*prose(1)[:-1], "An end of its own."]), DAYS[3], kjd(1)))
    articles = archive.index.changed_since(0)
    before = [archive.index.state_of(article_id) for article_id in articles]
    told: list[tuple[int, int]] = []
    assert rebuild_index(shared, lambda *done: told.append(done)) == (archive.index.seq(), None)
    assert told[-1] == (4, 4)
    anew = open_to_write(shared).index

    def derived(state_: object) -> object:
        readings = [{k: v for k, v in row.items() if k != "id"} for row in state_.indexed_texts]  # type: ignore[attr-defined]
        return replace(state_, indexed_texts=tuple(readings))  # type: ignore[type-var]

    assert [derived(anew.state_of(article_id)) for article_id in articles] == [derived(one) for one in before]
    assert anew.changed_since(0) == articles


def test_an_index_of_another_version_is_made_anew_by_itself(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    take_in(open_to_write(shared), capture(page(prose(1)), DAYS[0], kjd(1)))
    monkeypatch.setattr("pipelines.index.index.INDEX_SCHEMA", "other")
    assert open_to_write(shared).index.changed_since(0) == ["kjd-c2068164"]
    assert open_to_write(shared).index.seq() == 1


def test_a_rebuild_that_is_cut_off_goes_on(shared: Settings) -> None:
    archive = open_to_write(shared)
    for n in range(4):
        take_in(archive, capture(page(prose(n)), DAYS[0], kjd(n)))

    def cut(done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild_index(shared, cut)
    assert len(open_to_write(shared).index.changed_since(0)) == 4


def test_template_is_counted_by_group_and_ten_groups_are_asked(shared: Settings) -> None:
    index = open_to_write(shared).index
    common = "every morning the harbor office reads the same notice to the same people in the same voice as ever before"
    texts = [f"{common} {' '.join(prose(n))}" for n in range(40)]
    outcomes = [
        Outcome(Verdict.NEW, "u", f"kjd-c{n}", content16=f"{n:016d}", rules8="r", record_key=f"k{n}") for n in range(40)
    ]
    index.publish_all([(o, hashes_of(text)) for o, text in zip(outcomes, texts, strict=True)])
    assert index.candidates("kjd-c7", hashes_of(texts[7])) == [], "what 40 groups share is template"
    twin = Outcome(Verdict.NEW, "u", "daum-1", content16="a" * 16, rules8="r", record_key="k")
    index.publish(twin, hashes_of(texts[7]))
    assert [reading.article_id for reading in index.candidates("daum-1", hashes_of(texts[7]))] == ["kjd-c7"]


WORKER = """
import json, sys
from pipelines.index.opened import open_to_write
from pipelines.settings import read_settings
settings = read_settings()  # before conftest clears the environment
from tests.conftest import capture, take_in
order = json.loads(sys.stdin.readline())
archive = open_to_write(settings)
print("ready", flush=True)
for name, pages in order:
    sys.stdin.readline()  # all workers at the same instant
    take_in(archive, *(capture(body.encode(), when, url) for body, when, url in pages), run=name)
    print("done", flush=True)
"""


def test_four_workers_at_the_same_instant_lose_no_pair(postgres: str, bucket: Settings, tmp_path: Path) -> None:
    """200 pairs of copies, the halves of each archived at one moment by two processes."""
    import sqlalchemy as sa

    with sa.create_engine(postgres.format("postgres"), isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text("CREATE DATABASE race"))
    settings = replace(bucket, index=postgres.format("race"))
    open_to_write(settings)
    rounds = [range(start, start + 10) for start in range(0, 200, 10)]
    orders: list[list[tuple[str, list[tuple[str, str, str]]]]] = [[], [], [], []]
    for n, numbers in enumerate(rounds):
        papers = [(page(prose(k)).decode(), DAYS[0], kjd(k)) for k in numbers]
        portal = [(daum_page(prose(k)).decode(), DAYS[1], daum(k)) for k in numbers]
        for worker, half in enumerate((papers[:5], papers[5:], portal[:5], portal[5:])):
            orders[worker].append((f"round-{n}-{worker}", half))
    environment = {**__import__("os").environ, **environment_of(settings), "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        for _ in orders
    ]
    try:
        for worker, order in zip(workers, orders, strict=True):
            assert worker.stdin
            worker.stdin.write(json.dumps(order) + "\n")
            worker.stdin.flush()
        assert all(worker.stdout and worker.stdout.readline() == "ready\n" for worker in workers)
        for _ in rounds:
            for worker in workers:
                assert worker.stdin
                worker.stdin.write("now\n")
                worker.stdin.flush()
            assert all(worker.stdout and worker.stdout.readline() == "done\n" for worker in workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe:
                    pipe.close()
    archive = open_to_write(settings)
    publish(archive, settings)
    rows, orphans = state(settings)
    assert not orphans
    assert len(rows) == 400
    groups = {row[0]: row[2] for row in rows}
    assert all(groups[f"daum-202406132300{n:05d}"] == f"kjd-c{2068163 + n}" for n in range(200)), "every pair joined"
    manifests = [json.loads(archive.store.read(key)) for key in archive.store.keys("runs/")]
    facts = [(o["article_id"], o["content16"], o["fetched_at"]) for m in manifests for o in m["outcomes"]]
    assert len(facts) == len(set(facts)) == 400


def test_the_index_commands_say_what_they_did(
    opeds: Command, newsstand: World, folder: Settings, tmp_path: Path
) -> None:
    assert opeds("index", "init", settings=folder).out == "the index stands at manifest 0\n"
    opeds("run", "--day", "2026-06-02", "--source", "kjd", settings=folder)
    rebuilt = opeds("index", "rebuild", settings=folder)
    assert "the index was made anew; it stands at manifest 2" in rebuilt.out
    bad = tmp_path / "bad.sqlite"
    bad.write_bytes(b"no database at all, only some text that is long enough to be read as a header" * 20)
    told = opeds("run", "--day", "2026-06-02", settings=replace(folder, index=f"sqlite:///{bad}"))
    assert told.code == 1
    assert told.err == (
        "opeds: the index is damaged (file is not a database): `opeds index rebuild` makes it anew from the archive\n"
    )
    body = bad.read_bytes()
    again = opeds("index", "rebuild", settings=replace(folder, index=f"sqlite:///{bad}"))
    assert (again.code, "the file that could not be read lies in" in again.out) == (0, True)
    (aside,) = tmp_path.glob("bad.sqlite.*.old")
    assert aside.read_bytes() == body
    assert opeds("list", settings=replace(folder, index=f"sqlite:///{bad}")).code == 0


ORDERS = [random.Random(seed).sample(range(7), 7) for seed in range(10)]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_groups_do_not_know_the_order_of_arrival(order: list[int], folder: Settings) -> None:
    """A chain (A like B like C, A unlike C), a roundup before its parts, the primary last, a pair across New Year."""
    one, two, three = prose(1, 8), prose(2, 8), prose(3, 8)
    middle = [*one[4:], *two[:4]]
    pages = [
        capture(page(one, date="13 Jun. 2024, 20:09"), DAYS[0], kjd(1)),
        capture(daum_page(middle), DAYS[1], daum(2)),
        capture(page(two, date="14 Jun. 2024, 20:09"), DAYS[2], kjd(3)),
        capture(page([*one, *three], date="20 Jun. 2024, 20:09"), DAYS[7], kjd(4)),
        capture(page(three, date="15 Jun. 2024, 20:09"), DAYS[3], kjd(5)),
        capture(daum_page(three), DAYS[4], daum(6)),
        capture(page([*two, "A last word."], date="1 Jan. 2025, 00:10"), "2025-01-01T00:00:00", kjd(7)),
    ]
    archive = open_to_write(folder)
    for at in order:
        take_in(archive, pages[at])
    found = {a: archive.index.state_of(a).oped_id for a in archive.index.changed_since(0)}
    assert found == GROUPS.setdefault("first", found)
    assert found["daum-20240613230000006"] == "kjd-c2068168"
    assert found["kjd-c2068167"] == "kjd-c2068167", "a roundup stays apart"
    assert found["kjd-c2068164"] != found["kjd-c2068166"], "no chaining through a third text"
    assert found["kjd-c2068170"] == found["kjd-c2068166"], "republished under a new id, across New Year"


GROUPS: dict[str, dict[str, str]] = {}
INDEXES = itertools.count()  # names of files: one that is taken would bring its index along
assert len({tuple(order) for order in itertools.chain(ORDERS)}) == 10


@pytest.fixture(scope="module")
def two_months() -> list[Capture]:
    """Every page of the newsstand's two months, in every place it appeared."""
    clock = parse_clock("2026-07-10")
    found = []
    for oped in build().opeds:
        found.append((pages.article_c(oped, clock), f"https://{pages.JOINS}{pages.c_path(oped)}"))
        if oped.number % 4 == 0:  # republished by the new site under another number
            found.append((pages.article_d(oped, clock), pages.d_url(oped)))
        if oped.daum_at:
            found.append((pages.article_daum(oped), pages.daum_url(oped)))
    return [
        capture(body.encode(), f"2026-07-{1 + n % 9:02d}T00:00:{n % 60:02d}", url)
        for n, (body, url) in enumerate(found)
    ]


def grouped(captures: list[Capture], folder: Path) -> tuple[dict[str, str], Archive]:
    index = open_index(Settings(index=f"sqlite:///{folder}/{next(INDEXES)}.sqlite"), "a", ["kjd"])
    archive = Archive(MemoryStore(), index, SOURCES)
    for start in range(0, len(captures), 40):
        take_in(archive, *captures[start : start + 40])
    return {name: member.oped_id for name, member in index.members().items()}, archive


@pytest.mark.long
@minutes
def test_ten_orders_of_two_months_give_the_same_groups_and_a_lost_index_too(
    two_months: list[Capture], tmp_path: Path
) -> None:
    first, archive = grouped(two_months, tmp_path)
    assert len(first) == len(two_months)
    assert len(set(first.values())) == len(build().opeds)
    for seed in range(9):
        assert grouped(random.Random(seed).sample(two_months, len(two_months)), tmp_path)[0] == first
    fresh = Archive(
        archive.store, open_index(Settings(index=f"sqlite:///{tmp_path}/anew.sqlite"), "a", ["kjd"]), SOURCES
    )
    catch_up(fresh)
    assert {name: member.oped_id for name, member in fresh.index.members().items()} == first


def test_a_dry_run_leaves_an_index_of_another_version_alone(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = open_to_write(folder)
    take_in(archive, capture(page(prose(1)), "2024-06-14T00:00:00"))
    monkeypatch.setattr("pipelines.index.index.INDEX_SCHEMA", "other")
    with dry_run(folder) as rehearsed:
        assert rehearsed.index.seq() == 1, "it is made from the log, in memory"
    monkeypatch.undo()
    assert archive.index.seq() == 1


def test_an_index_made_anew_meanwhile_is_brought_up_from_the_first_manifest(shared: Settings) -> None:
    archive = open_to_write(shared)
    take_in(archive, capture(page(prose(1)), "2024-06-14T00:00:00"))
    open_anew(shared, identify(archive.store).archive_id, ["kjd"])
    take_in(archive, capture(page(prose(2)), "2024-06-14T00:00:00", C_URL.replace("2068163", "2068164")))
    assert archive.index.changed_since(0) == ["kjd-c2068163", "kjd-c2068164"]
