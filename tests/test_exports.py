"""Plain files: equal logs give equal bytes, others can read them, and the bucket holds what it says."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sqlite3
import subprocess
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.archive.store import open_store
from pipelines.archive.warc import read_capture
from pipelines.catalogue.publish import publish
from pipelines.client import open_archive
from pipelines.errors import WrongUsage
from pipelines.exports.bucket import export_to_bucket
from pipelines.exports.export import ENDINGS, PLAIN
from pipelines.exports.files import FLAT, by_year
from pipelines.exports.replay import first_member, surt
from pipelines.index.opened import Archive, open_to_write
from pipelines.jobs.upkeep import upkeep
from pipelines.settings import Settings
from tests.conftest import Command, capture, page, prose, take_in
from tests.test_client import fill, filled_archive, url


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return filled_archive(tmp_path_factory.mktemp("filled"))


@pytest.fixture(scope="module")
def folder_of_files(filled: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("files")
    with open_archive(settings=filled) as archive:
        archive.export(into, tuple(ENDINGS))
    return into


def test_every_tool_reads_the_same_op_eds(folder_of_files: Path) -> None:
    import duckdb
    import pandas as pd
    import polars as pl
    from pyarrow import parquet

    file = folder_of_files / "opeds-2024.parquet"
    wanted = [
        ("kjd-c2068161", date(2024, 6, 13)),
        ("kjd-c2068162", date(2024, 6, 1)),
        ("kjd-c2068163", date(2024, 6, 13)),
    ]
    arrow = parquet.read_table(file)
    assert arrow.schema.names == list(FLAT)
    assert {str(field.type) for field in arrow.schema} == {"string", "timestamp[us, tz=UTC]", "date32[day]", "int32"}
    for rows in (
        arrow.select(["article_id", "published_day"]).to_pylist(),
        pl.read_parquet(file).select("article_id", "published_day").to_dicts(),
        [{"article_id": r.article_id, "published_day": r.published_day} for r in pd.read_parquet(file).itertuples()],
    ):
        assert sorted((row["article_id"], row["published_day"]) for row in rows) == wanted
    found = duckdb.sql(f"SELECT article_id, published_day FROM '{file}' ORDER BY ALL").fetchall()
    assert found == wanted
    with gzip.open(folder_of_files / "opeds-2024.jsonl.gz", "rt") as lines:
        told = [json.loads(line) for line in lines]
    assert sorted(row["article_id"] for row in told) == [name for name, _ in wanted]
    assert next(row for row in told if row["n_places"] == 2)["places"].count("https://") == 2
    with (folder_of_files / "metadata.csv").open(newline="", encoding="utf-8") as file_of_rows:
        table = list(csv.DictReader(file_of_rows))
    assert sorted(row["published_day"] for row in table) == ["2024-06-01", "2024-06-13", "2024-06-13"]
    assert "text" not in table[0]


def test_the_sqlite_file_searches_without_our_code(folder_of_files: Path) -> None:
    connection = sqlite3.connect(folder_of_files / "opeds.sqlite")
    find = "SELECT c.article_id FROM {0} JOIN catalogue c ON c.id = {0}.rowid WHERE {0} MATCH ? AND c.is_latest"
    assert connection.execute(find.format("search"), ('"taxed ferries"',)).fetchall() == []
    assert connection.execute(find.format("search"), ("tax AND ask*",)).fetchall() == [("kjd-c2068161",)]
    assert connection.execute(find.format("search_ko"), ("방파제",)).fetchall() == [("kjd-c2068162",)]
    assert connection.execute("SELECT count(*) FROM corrections").fetchone() == (1,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for table in ("search", "search_ko"):
        connection.execute(f"INSERT INTO {table}({table}) VALUES ('integrity-check')")
    connection.close()


def test_sums_and_manifest_name_every_file(folder_of_files: Path) -> None:
    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder_of_files, check=True, capture_output=True
    )
    told = json.loads((folder_of_files / "manifest.json").read_text())
    there = {path.relative_to(folder_of_files).as_posix() for path in folder_of_files.rglob("*") if path.is_file()}
    beside = {"SHA256SUMS", "manifest.json", "datapackage.json", "croissant.json"}
    assert {file["name"] for file in told["files"]} == there - beside
    assert all((folder_of_files / file["name"]).stat().st_size == file["bytes"] for file in told["files"])
    package = json.loads((folder_of_files / "datapackage.json").read_text())
    assert {one["path"] for one in package["resources"]} == there - beside
    croissant = json.loads((folder_of_files / "croissant.json").read_text())
    (table,) = croissant["distribution"]
    assert table["sha256"] == hashlib.sha256((folder_of_files / table["name"]).read_bytes()).hexdigest()
    assert [one["name"] for one in croissant["recordSet"][0]["field"]] == list(FLAT)


def test_indexes_lead_to_the_records(filled: Settings, folder_of_files: Path) -> None:
    store = open_store(filled)
    paths = (folder_of_files / "warc.paths").read_text().split()
    assert paths == sorted(store.keys("captures/"))
    lines = (folder_of_files / "index.cdxj").read_text().splitlines()
    assert lines == sorted(lines)
    for line in lines:
        key, moment, rest = line.split(" ", 2)
        told = json.loads(rest)
        body = store.read(told["filename"])
        member = body[int(told["offset"]) :][: int(told["length"])]
        assert b"WARC-Type: response" in gzip.decompress(member)
        read = read_capture(body, told["filename"])
        assert (key, moment) == (surt(read.url), f"{read.fetched_at:%Y%m%d%H%M%S}")
        assert told["digest"] == f"sha256:{read.payload_sha256}"


def test_a_package_holds_pages_index_and_digests(folder_of_files: Path) -> None:
    with zipfile.ZipFile(folder_of_files / "replay" / "kjd" / "2024-06.wacz") as package:
        assert package.testzip() is None
        about = json.loads(package.read("datapackage.json"))
        for one in about["resources"]:
            assert one["hash"] == f"sha256:{hashlib.sha256(package.read(one['path'])).hexdigest()}"
        pages = [json.loads(line) for line in package.read("pages/pages.jsonl").decode().splitlines()[1:]]
        assert {one["title"] for one in pages} == {"Who pays", "A wall", "Ferries"}
        warc = package.read("archive/data.warc.gz")
        for line in package.read("indexes/index.cdx").decode().splitlines():
            told = json.loads(line.split(" ", 2)[2])
            at = int(told["offset"])
            assert first_member(warc[at:]) == int(told["length"])
            assert told["url"].encode() in gzip.decompress(warc[at : at + int(told["length"])])
        seal = json.loads(package.read("datapackage-digest.json"))
        assert seal["hash"] == f"sha256:{hashlib.sha256(package.read('datapackage.json')).hexdigest()}"


def test_equal_logs_give_equal_bytes(archive: Archive, folder: Settings, tmp_path: Path) -> None:
    fill(archive, folder)
    seq = archive.index.seq()
    with open_archive(settings=folder) as reading:
        before = reading.export(tmp_path / "a", tuple(ENDINGS))
    take_in(archive, capture(page(prose(8), "Later"), "2024-07-01T00:00:00", url(8)))
    publish(archive, folder)
    with open_archive(settings=folder) as reading:
        assert reading.export(tmp_path / "b", tuple(ENDINGS)) != before
        assert reading.export(tmp_path / "c", tuple(ENDINGS), as_of=seq) == before
        for wrong in (-1, archive.index.seq() + 1):
            with pytest.raises(WrongUsage, match=r"begin at 1|goes from 1"):
                reading.export(tmp_path / "d", as_of=wrong)


def test_years_are_those_of_seoul_and_the_undated_have_a_file() -> None:
    rows = [
        {"published_day": date(2025, 12, 31)},
        {"published_day": date(2026, 1, 1), "published_at": datetime(2025, 12, 31, 16, tzinfo=UTC)},
        {"published_day": None},
    ]
    assert [(year, len(list(some))) for year, some in by_year(rows)] == [("2025", 1), ("2026", 1), ("undated", 1)]


def test_a_selection_is_a_file_of_its_own(filled: Settings, tmp_path: Path, opeds: Command) -> None:
    ran = opeds("export", "--format", "csv", "--author", "kim", "--to", str(tmp_path / "kim.csv"), settings=filled)
    assert "kim.csv: 1 rows" in ran.out.replace("\n", "")
    assert len((tmp_path / "kim.csv").read_text().splitlines()) == 2
    ran = opeds("export", "--format", "sqlite", "--source", "daum", "--to", str(tmp_path / "d.sqlite"), settings=filled)
    connection = sqlite3.connect(tmp_path / "d.sqlite")
    assert connection.execute("SELECT count(*), count(DISTINCT oped_id) FROM catalogue").fetchone() == (2, 1)
    connection.close()
    lines = opeds("export", "--format", "jsonl", "--to", "-", settings=filled).out.splitlines()
    assert len([json.loads(line) for line in lines]) == 3
    assert opeds("export", "--format", "wacz", "--to", "-", settings=filled).code == 2
    assert opeds("export", "--to", "-", settings=filled).code == 2
    assert opeds("export", "--format", "xlsx", settings=filled).code == 2


def test_upkeep_writes_the_bucket_s_files_and_freezes_a_release(bucket: Settings) -> None:
    archive = open_to_write(bucket)
    fill(archive, bucket)
    report = upkeep(bucket, lambda *_: None)
    store = archive.store
    told = json.loads(store.read("exports/manifest.json"))
    assert {file["name"].split("-")[0].split(".")[0] for file in told["files"]} == set(
        "opeds metadata authors index warc".split()
    )
    for file in told["files"]:
        assert hashlib.sha256(store.read(f"exports/{file['name']}")).hexdigest() == file["sha256"]
    (release,) = store.keys("exports/releases/")
    frozen = store.read(release)
    assert json.loads(frozen)["files"] == told["files"]
    assert report.exported
    take_in(archive, capture(page(prose(8), "Later", date="13 Jun. 2025, 20:09"), "2025-07-01T00:00:00", url(8)))
    publish(archive, bucket)
    export_to_bucket(bucket, store, release[-12:-5])
    assert store.read(release) == frozen, "a release is frozen"
    assert store.read("exports/opeds-2025.parquet").startswith(b"PAR1")
    with open_archive(settings=bucket) as reading:
        again = reading.export(bucket.home / "again", PLAIN, as_of=json.loads(frozen)["seq"])
    assert again is not None
    assert [file.sha256 for file in again.files] == [file["sha256"] for file in json.loads(frozen)["files"]]


def test_what_no_op_ed_is_of_any_more_is_emptied(bucket: Settings) -> None:
    archive = open_to_write(bucket)
    fill(archive, bucket)
    export_to_bucket(bucket, archive.store, "2026-11")
    told = json.loads(archive.store.read("exports/manifest.json"))
    told["files"].append({"name": "opeds-1999.parquet", "sha256": "0"})
    archive.store.replace("exports/opeds-1999.parquet", b"old")
    archive.store.replace("exports/manifest.json", json.dumps(told).encode())
    export_to_bucket(bucket, archive.store, "2026-11")
    assert archive.store.read("exports/opeds-1999.parquet") == b""


def test_a_csv_is_exact(filled: Settings) -> None:
    from pipelines.exports.files import write_csv

    into = io.BytesIO()
    row = dict.fromkeys(FLAT, "") | {
        "headline": '=HYPERLINK("x"), "quoted"\nand more',
        "published_day": date(2026, 6, 1),
    }
    write_csv(into, [row])
    (read,) = csv.DictReader(io.StringIO(into.getvalue().decode(), newline=""))
    assert read["headline"] == row["headline"]
    assert read["published_day"] == "2026-06-01"
