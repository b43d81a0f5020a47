"""Invented op-eds and real ones never share an archive, and looking at an archive makes none."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.archive.identity import IDENTITY, Identity, identify, misplaced, reach_existing
from pipelines.archive.store import MemoryStore, open_store
from pipelines.archive.warc import page_file
from pipelines.errors import NoArchive
from pipelines.index.opened import open_to_write
from pipelines.settings import Settings
from tests.conftest import Command, World, capture, exchange, page, prose, take_in

MARKED, PLAIN = (("x-invented", "newsstand"),), (("Content-Type", "text/html"),)


@pytest.mark.parametrize(
    ("headers", "invented", "why"),
    [(MARKED, True, ""), (PLAIN, False, ""), (MARKED, False, "invented_page"), (PLAIN, True, "real_page")],
)
def test_a_page_says_where_it_belongs(headers: tuple[tuple[str, str], ...], invented: bool, why: str) -> None:
    assert misplaced(headers, invented) == why


def test_the_first_writer_says_whether_it_is_invented() -> None:
    store = MemoryStore()
    made = identify(store, invented=True)
    assert made.invented
    assert identify(store, invented=False) == made
    assert not identify(MemoryStore()).invented


@pytest.mark.parametrize("invented", [True, False])
def test_an_archive_that_does_not_say_so_is_what_its_first_page_is(folder: Settings, invented: bool) -> None:
    archive = open_to_write(folder)
    one = capture(page(prose(1)), "2024-06-14T00:00:00")
    take_in(archive, one if invented else replace(one, headers=PLAIN))
    file = Path(folder.archive.removeprefix("file://")) / IDENTITY
    told = json.loads(file.read_text())
    del told["invented"]
    file.write_text(json.dumps(told))
    assert identify(archive.store) == Identity(told["archive_id"], invented)


def test_an_empty_archive_that_does_not_say_so_is_real() -> None:
    store = MemoryStore()
    store.create(IDENTITY, b'{"archive_id": "x", "schema": "opeds/archive/1"}')
    assert identify(store) == Identity("x", invented=False)


def test_a_crawl_of_invented_pages_adds_nothing_to_a_real_archive(
    opeds: Command, scrapy: Command, newsstand: World, folder: Settings
) -> None:
    real = replace(folder, invented=False)
    open_to_write(real)
    before = sorted(open_store(real).keys(""))
    ran = opeds("run", "--day", "2026-06-02", settings=real)
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "these pages are invented" in ran.err
    by_hand = scrapy("crawl", "kjd", "-a", "since=2026-06-02", settings=real)
    assert by_hand.code == 1
    assert "these pages are invented" in by_hand.err
    added = sorted(set(open_store(real).keys("")) - set(before))
    assert {key.partition("/")[0] for key in added} == {"crawls"}
    for key in added:
        assert b"Invented" not in open_store(real).read(key)


def test_a_warc_file_of_the_other_kind_adds_nothing(opeds: Command, newsstand: World, folder: Settings) -> None:
    folder.home.mkdir()
    invented = capture(page(prose(1)), "2024-06-14T00:00:00")
    for kind, of, settings in (
        ("invented", invented, replace(folder, invented=False)),
        ("real", replace(invented, headers=PLAIN), replace(folder, archive=f"{folder.archive}-other")),
    ):
        open_to_write(settings)
        file = folder.home / f"{kind}.warc.gz"
        file.write_bytes(page_file(exchange(of), {}))
        ran = opeds("ingest", str(file), settings=settings)
        assert ran.code == 1, ran.out
        assert f"these pages are {kind}" in " ".join(ran.out.split())
        assert not list(open_store(settings).keys("captures/"))


READING = [
    ("list",), ("show", "kjd-c1"), ("status",), ("verify",), ("rederive",), ("retry",), ("upkeep",),
    ("index", "rebuild"), ("store", "key"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_looking_at_no_archive_makes_none(
    arguments: tuple[str, ...], opeds: Command, newsstand: World, tmp_path: Path
) -> None:
    ran = opeds(*arguments, settings=Settings(home=tmp_path / "home"))
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "no archive here" in ran.err
    assert not (tmp_path / "home").exists()
    if arguments != ("store", "key"):
        ran = opeds(*arguments, settings=Settings(archive=f"file://{tmp_path}/none", home=tmp_path / "home"))
        assert (ran.code, "no archive here" in ran.err) == (1, True)
        assert not (tmp_path / "none").exists()


def test_a_bucket_without_an_archive_is_none(bucket: Settings) -> None:
    with pytest.raises(NoArchive):
        reach_existing(bucket)
    open_to_write(bucket)
    assert reach_existing(bucket) == bucket
