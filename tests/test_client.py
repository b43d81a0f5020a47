"""Reading from Python: what the client finds, and that its file follows the catalogue, whatever happens to it."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pipelines.archive import embedded
from pipelines.archive.store import open_store
from pipelines.catalogue.publish import publish
from pipelines.catalogue.schema import VIEWS, article_schema
from pipelines.client import open_archive
from pipelines.errors import NotArchived, StoreUnavailable, WrongUsage
from pipelines.exports import local
from pipelines.exports.export import Selection, export_folder
from pipelines.exports.search import Wanted, passage_of, terms_in
from pipelines.exports.sqlite_file import (
    FLAG_COLUMNS,
    JSON_COLUMNS,
    MOMENT_COLUMNS,
    NUMBER_COLUMNS,
    RATIO_COLUMNS,
    about_of,
)
from pipelines.index.opened import Archive, open_to_write
from pipelines.settings import Settings
from tests.conftest import C_URL, DAUM_URL, Command, capture, page, prose, take_in
from tests.test_ingest import daum_page

KOREAN = "새로운 방파제를 세우는 일은 언제나 예산의 문제였습니다. 정부는 세금을 올리지 않겠다고 했지만 결국 올렸습니다."
TAXES = "The ministry taxes the ferry twice, and nobody asked the café owners who pays for the sea wall this winter."


def url(number: int) -> str:
    return f"{C_URL[:-1]}{number}"


def fill(archive: Archive, settings: Settings) -> None:
    """Archive two columns, a correction of one, a portal's copy, and a Korean text beside an English one."""
    take_in(archive, capture(page([*prose(1), TAXES], "Who pays", "Kim Hyun-ki"), "2024-06-14T00:00:00", url(1)))
    take_in(
        archive,
        capture(page([*prose(1), f"{TAXES} Really."], "Who pays", "Kim Hyun-ki"), "2024-06-16T00:00:00", url(1)),
    )
    korean = page([*prose(2), *[f"{KOREAN} {n}" for n in range(6)]], "A wall", "Han Seo-yul", date="1 Jun. 2024, 06:30")
    take_in(archive, capture(korean, "2024-06-14T01:00:00", url(2)))
    take_in(archive, capture(daum_page(prose(3)), "2024-06-17T00:00:00", DAUM_URL))
    take_in(archive, capture(page(prose(3), "Ferries"), "2024-06-18T00:00:00", url(3)))
    publish(archive, settings)


def filled_archive(made: Path) -> Settings:
    """Return an archive with all of that in a folder, for tests that only read."""
    settings = Settings(archive=f"file://{made / 'archive'}", home=made / "home", invented=True)
    fill(open_to_write(settings), settings)
    return settings


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return filled_archive(tmp_path_factory.mktemp("filled"))


def ids(found: object) -> list[str]:
    return [version.article_id[-1] for version in found]  # type: ignore[attr-defined]


def test_op_eds_are_found_by_day_author_source_kind(filled: Settings) -> None:
    with open_archive(settings=filled) as reading:
        assert sorted(ids(reading.opeds())) == ["1", "2", "3"]
        assert ids(reading.opeds(author="hyun-KI")) == ["1"]
        assert ids(reading.opeds(source="daum")) == ["3"]
        assert ids(reading.opeds(until=date(2024, 6, 1))) == ["2"], "a morning in Seoul is the day before in UTC"
        assert ids(reading.opeds(since=date(2024, 6, 2), oldest_first=True)) == ["1", "3"]
        assert ids(reading.opeds(since=date(2025, 1, 1))) == []
        assert len(ids(reading.opeds(since=date(1, 1, 1), until=date(9999, 12, 31)))) == 3
        (both,) = reading.opeds(source="daum")
        assert both.places == (url(3), DAUM_URL)
        assert (both.row["n_places"], both.cite_as) == (2, f"{both.article_id}@{both.content16}")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("tax", ["1"]),
        ("TAXED ferries", ["1"]),
        ('"sea wall"', ["1"]),
        ('"wall sea"', []),
        ("cafe", ["1"]),
        ("wall", ["1", "2"]),
        ("방파제", ["2"]),
        ("예산", ["2"]),
        ("올렸습니다", ["2"]),
        ("노동", []),
        ("노동 wall", []),
        ("돈", []),
        ('"예산의 문제"', ["2"]),
        ("wall 방파제 세금", ["2"]),
        ("방파제 한라산", []),
        ("Hyun-ki", ["1"]),
        ("it's c++ \"", []),
        ("NEAR(a b) OR * ^", []),
        ("tax\0", ["1"]),
        ("\u1107\u1161\u11bc\u1111\u1161\u110c\u1166", ["2"]),
    ],
)
def test_search_finds_words_in_all_their_forms(asked: str, found: list[str], filled: Settings) -> None:
    with open_archive(settings=filled) as reading:
        versions = reading.search(asked)
        assert sorted(ids(versions)) == found
        assert all("\x02" in version.passage for version in versions)
        assert ids(reading.search("wall", Wanted(author="han"))) == ["2"]
        assert ids(reading.search("wall", order="oldest", limit=1)) == ["2"]


def test_a_question_without_a_word_is_refused() -> None:
    with pytest.raises(WrongUsage, match="what is to be looked for"):
        terms_in('" " - &')


def test_one_op_ed_in_all_its_versions_and_places(filled: Settings) -> None:
    with open_archive(settings=filled) as reading:
        latest = reading.oped("2068161")
        assert latest == reading.oped(url(1)) == reading.oped(latest.cite_as)
        assert [v.is_latest for v in reading.versions(latest.article_id)] == [False, True]
        assert reading.before(latest).content16 == latest.previous
        assert {what for what, _ in reading.diff(latest)["text"]} == {" ", "+", "-"} or reading.diff(latest)
        assert reading.oped(latest.article_id, date(2024, 6, 15)).content16 == latest.previous
        assert b"Really." in reading.page(latest).body
        assert b"Really." not in reading.page(reading.before(latest)).body
        assert [p.role for p in reading.places("daum-20240613230000001")] == ["primary", "copy"]
        with pytest.raises(NotArchived):
            reading.oped("kjd-c1")
        with pytest.raises(WrongUsage):
            reading.oped("x' OR 1=1 --")


def test_views_are_the_same_rows_everywhere(filled: Settings) -> None:
    import duckdb
    import polars as pl

    with open_archive(settings=filled) as reading:
        whole = reading.to_arrow("catalogue")
        ours = {view: sorted(row["article_id"] for row in reading.rows(view)) for view in VIEWS}
        assert reading.to_polars().height == 3
        with pytest.raises(WrongUsage, match="unknown view"):
            list(reading.rows("about"))
    assert {view: len(rows) for view, rows in ours.items()} == {
        "opeds": 3,
        "places": 4,
        "versions": 5,
        "corrections": 1,
    }
    con = duckdb.connect()
    con.register("catalogue", whole)
    sql = pl.SQLContext(catalogue=pl.from_arrow(whole))
    for view, text in VIEWS.items():
        assert sorted(row[0] for row in con.sql(f"SELECT article_id FROM ({text})").fetchall()) == ours[view]
        assert sorted(sql.execute(text).collect()["article_id"].to_list()) == ours[view]
        assert set(con.sql(text).columns) == set(sql.execute(text).collect().columns), view


def test_korean_in_an_english_op_ed_is_found_and_names_in_any_spelling(archive: Archive, folder: Settings) -> None:
    take_in(archive, capture(page(prose(1), "방파제 and the wall", "Émile Zola"), "2024-06-14T00:00:00", url(1)))
    take_in(
        archive,
        capture(page([*prose(2), "They call it 여객선터미널 there."], "Another"), "2024-06-14T01:00:00", url(2)),
    )
    publish(archive, folder)
    with open_archive(settings=folder) as reading:
        assert ids(reading.search("방파제")) == ids(reading.search("방파")) == ["1"]
        assert ids(reading.search("여객선")) == ids(reading.search("터미널")) == ids(reading.search("객선")) == ["2"]
        for name in ("émile", "ÉMILE", "e\u0301mile zola"):
            assert ids(reading.opeds(author=name)) == ["1"], name


def test_its_kinds_of_columns_are_those_of_the_table() -> None:
    kinds = {field.name: str(field.type) for field in article_schema()}
    assert {n for n, k in kinds.items() if k.startswith("list")} == set(JSON_COLUMNS)
    assert {n for n, k in kinds.items() if k.startswith("timestamp")} == set(MOMENT_COLUMNS)
    assert {n for n, k in kinds.items() if k == "bool"} == set(FLAG_COLUMNS)
    assert {n for n, k in kinds.items() if k.startswith("int")} == set(NUMBER_COLUMNS)
    assert {n for n, k in kinds.items() if k == "double"} == set(RATIO_COLUMNS)


def dump(settings: Settings, path: Path, into: Path) -> set[str]:
    """Return digests of all that is exported from a file."""
    written = export_folder(Selection(path, open_store(settings)), (), into, lambda *_: None)
    return {f"{file.name} {file.rows} {file.sha256}" for file in written.files}


def test_a_file_brought_up_to_date_equals_one_made_anew(archive: Archive, folder: Settings, tmp_path: Path) -> None:
    take_in(archive, capture(page(prose(3), "Ferries"), "2024-06-13T00:00:00", url(3)))
    publish(archive, folder)
    path = local.bring_up_to_date(folder)
    fill(archive, folder)
    made = path.stat().st_ino
    assert local.bring_up_to_date(folder) == path
    assert path.stat().st_ino == made, "it was brought up to date, not made anew"
    followed = dump(folder, path, tmp_path / "one")
    path.unlink()
    assert dump(folder, local.bring_up_to_date(folder), tmp_path / "two") == followed
    with open_archive(settings=folder) as reading:
        assert ids(reading.search("really")) == ["1"]


def test_the_file_follows_when_the_table_was_written_anew_or_its_feed_is_gone(
    archive: Archive, folder: Settings
) -> None:
    fill(archive, folder)
    path = local.bring_up_to_date(folder)
    take_in(archive, capture(page(prose(9), "Later"), "2024-07-01T00:00:00", url(9)))
    publish(archive, folder)
    shutil.rmtree(Path(folder.archive.removeprefix("file://")) / "catalogue" / "articles" / "_change_data", True)
    with open_archive(settings=folder) as reading:
        assert "9" in ids(reading.opeds())
    shutil.rmtree(Path(folder.archive.removeprefix("file://")) / "catalogue")
    publish(archive, folder)
    with open_archive(settings=folder) as reading:
        assert len(list(reading.opeds())) == 4
    assert about_of(path)


@pytest.mark.parametrize("damage", ["text", "cut", "other archive", "other schema", "empty"])
def test_a_file_that_is_none_of_ours_is_made_anew(damage: str, archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    path = local.bring_up_to_date(folder)
    if damage == "text":
        path.write_text("this is no database")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        with sqlite3.connect(path) as connection:
            name = "archive_id" if damage == "other archive" else "schema"
            connection.execute("UPDATE about SET value = 'x' WHERE name = ?", (name,))
        connection.close()
    with open_archive(settings=folder) as reading:
        assert len(list(reading.opeds())) == 3


def test_several_may_bring_it_up_to_date_at_once(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)

    def read(_: int) -> int:
        with open_archive(settings=folder) as reading:
            return len(list(reading.opeds())) + len(reading.search("ferry"))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(8))) == {5}
    take_in(archive, capture(page(prose(9), "A ferry more"), "2024-07-01T00:00:00", url(9)))
    publish(archive, folder)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(8))) == {7}


def test_the_readers_key_is_enough_and_no_index_is_made(seaweed: Settings, bucket: Settings, tmp_path: Path) -> None:
    archive = open_to_write(bucket)
    fill(archive, bucket)
    key = embedded.reach(seaweed, "reader")
    reader = replace(
        bucket, access_key=key.access_key, secret_key=key.secret_key, home=tmp_path / "reader", index="nothing://"
    )
    with open_archive(settings=reader) as reading:
        version = reading.oped("2068161")
        assert b"Really." in reading.page(version).body
        reading.export(tmp_path / "out", ("csv", "jsonl"))
    assert sorted(path.name for path in (tmp_path / "reader").rglob("*") if path.is_file()) == [
        f"{reading.about.archive_id[:16]}.sqlite"
    ]


def test_without_refresh_the_file_of_this_archive_is_read_and_no_other(
    archive: Archive, folder: Settings, tmp_path: Path
) -> None:
    fill(archive, folder)
    other = replace(folder, archive=f"file://{tmp_path / 'other'}")
    with open_archive(settings=folder):
        pass
    take_in(open_to_write(other), capture(page(prose(9), "Elsewhere"), "2024-07-01T00:00:00", url(9)))
    with pytest.raises(StoreUnavailable, match="refresh=True"):
        open_archive(settings=other, refresh=False)
    publish(open_to_write(other), other)
    with open_archive(settings=other), open_archive(settings=folder, refresh=False) as reading:
        assert len(list(reading.opeds())) == 3


def test_a_passage_stands_around_a_short_korean_word() -> None:
    row = {"passage": "", "text_ko": f"{'가' * 100}예산{'나' * 100}", "headline": "", "names": "", "text": ""}
    found = passage_of(row, terms_in("예산"))  # type: ignore[arg-type]
    assert found == f"…{'가' * 60}\x02예산\x03{'나' * 60}…"


def test_what_the_command_line_prints(filled: Settings, opeds: Command) -> None:
    said = opeds("search", "tax", settings=filled, COLUMNS="80")
    assert "[taxes]" in said.out
    assert "1 found" in said.out
    assert opeds("search", "tax", "--json", settings=filled).out.count('"found": ["taxes"]') == 1
    assert "nothing found" in opeds("search", "nowhere", settings=filled).out
    person = opeds("show", "kim hyun", settings=filled, COLUMNS="80")
    assert "Kim Hyun-ki  1 op-ed, 2024-06-13 to 2024-06-13" in person.out
    assert "harbor pilot" in person.out
    assert opeds("show", "nobody", settings=filled).code == 1
    cited = opeds("cite", "2068161", settings=filled)
    assert cited.out == f"Kim, H.-K. (2024, June 13). Who pays [Editorial]. Korea JoongAng Daily. {url(1)}\n"
    assert opeds("cite", "2068161", "--format", "mla", settings=filled).code == 2
    csv = opeds("export", "--format", "csv", "--to", "-", settings=filled)
    assert len(csv.out.splitlines()) == 4
    assert opeds("export", "--to", "x.zip", "--format", "csv", settings=filled).code == 2
    assert opeds("search", "tax", "--order", "random", settings=filled).code == 2
