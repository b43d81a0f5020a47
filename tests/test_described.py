"""A bucket that explains itself: what its README says works, the record fits its schema, feeds are feeds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.archive import embedded
from pipelines.archive.identity import identify
from pipelines.archive.record import record, to_json
from pipelines.catalogue.described import atom, describe, json_feed, record_schema
from pipelines.catalogue.publish import publish
from pipelines.exports.bucket import export_to_bucket
from pipelines.extraction.extract import extract, rules_of
from pipelines.index.opened import Archive, open_to_write
from pipelines.model import Status
from pipelines.settings import Settings, reaching
from pipelines.sources.addresses import place_of
from tests.conftest import SOURCES, capture, page, prose, take_in
from tests.test_client import fill, url
from tests.test_pages import FOLDERS, loaded

BLOCK = re.compile(r"```python\n# (\w+)\n(.*?)```", re.DOTALL)


def test_every_block_of_the_buckets_readme_runs_with_the_readers_key(
    seaweed: Settings, bucket: Settings, tmp_path: Path
) -> None:
    archive = open_to_write(bucket)
    fill(archive, bucket)
    export_to_bucket(bucket, archive.store, "2026-11")
    text = archive.store.read("README.md").decode()
    blocks = dict(BLOCK.findall(text))
    assert list(blocks) == ["duckdb", "polars", "pandas", "sqlite", "boto3"]
    hidden = "import sys\nfor name in ('pipelines', 'spiders'): sys.modules[name] = None\n"
    said = {}
    for name, code in blocks.items():
        (tmp_path / f"{name}_block.py").write_text(hidden + code)
        key = reaching(embedded.reach(seaweed, "reader"))
        done = subprocess.run(
            [sys.executable, f"{name}_block.py"],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **{k: v for k, v in key.items() if v}},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (name, done.stderr[-2000:])
        said[name] = done.stdout
    assert "Kim Hyun-ki" in said["duckdb"]
    assert "daum-20240613230000001" in said["duckdb"]
    assert "kjd-c2068161" in said["polars"]
    assert "editorial    3" in said["pandas"]
    assert "[the]" in said["sqlite"].lower()
    assert "[kjd-c20681" in said["sqlite"]
    assert "REVISED kjd-c2068161" in said["boto3"]
    assert (tmp_path / "opeds.csv").read_text().count("\n") == 4


def test_the_readme_counts_and_names_every_folder(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    text = archive.store.read("README.md").decode()
    assert f"number {archive.index.seq()} of its log" in text
    assert "3 op-eds, at 4 places, in 5 versions; published 2024-06-01 to 2024-06-13" in text
    assert "The op-eds in this archive are invented" in text
    assert not re.search(r"@[A-Z_]+@", text)
    for key in archive.store.keys(""):
        assert f"`{key.partition('/')[0]}" in text or key in {"README.md", "archive.json"}, key


def test_what_says_the_same_is_not_written_again(
    archive: Archive, folder: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(archive, folder)
    written: list[str] = []
    monkeypatch.setattr(type(archive.store), "replace", lambda self, key, body: written.append(key))
    describe(archive.store, folder, archive.index.seq())
    assert written == []
    describe(archive.store, folder, archive.index.seq() + 1)
    assert written == ["README.md"]


def test_an_empty_archive_explains_itself_too(archive: Archive, folder: Settings) -> None:
    identify(archive.store, True)
    publish(archive, folder)
    assert "Nothing was looked at yet." in archive.store.read("README.md").decode()
    assert json.loads(archive.store.read("feeds/opeds.json"))["items"] == []


def test_every_record_fits_the_schema(archive: Archive, folder: Settings) -> None:
    import jsonschema

    fill(archive, folder)
    take_in(archive, capture(page(prose(4), "No date", date="some day"), "2024-06-20T00:00:00", url(4)))
    schema = record_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    seen = 0
    for key in archive.store.keys("articles/"):
        told = json.loads(archive.store.read(key))
        assert [error.message for error in check.iter_errors(told)] == [], key
        seen += 1
    assert seen == 6
    assert list(check.iter_errors({**told, "more": 1}))
    assert all(field.get("description") for field in schema["properties"].values())


def test_records_of_the_test_pages_fit_it() -> None:
    import jsonschema

    check, seen = jsonschema.Draft202012Validator(record_schema()), 0
    for folder in FOLDERS:
        shot = loaded(folder)
        place = place_of(shot.url, SOURCES.values())
        assert place
        article = extract(shot, place)
        if article.status in {Status.OK, Status.REVIEW}:
            told = record(article, place, shot, "captures/x", rules_of(place.source))
            assert [error.message for error in check.iter_errors(json.loads(to_json(told)))] == [], folder
            seen += 1
    assert seen > 100


def entry(**more: Any) -> dict[str, Any]:
    return {
        "article_id": "kjd-c1",
        "headline": "A ferry",
        "deck": "And a wall",
        "authors": [{"name": "Kim Hyun-ki", "bio": ""}],
        "kind": "column",
        "canonical_url": "https://example.org/1",
        "published_day": date(2026, 6, 1),
        "first_seen": datetime(2026, 6, 2, tzinfo=UTC),
        "when": "2026-05-31T21:00:00Z",
        **more,
    }


HOSTILE = "<script>alert(1)</script> & ]]> \x1b[31m \u202e \x00"


def test_feeds_are_read_by_a_library_and_hold_no_text() -> None:
    import feedparser

    rows = [entry(), entry(article_id="kjd-c2", headline=HOSTILE, deck=HOSTILE, authors=[{"name": HOSTILE, "bio": ""}])]
    found = feedparser.parse(atom(rows, "a1"))
    assert not found.bozo
    assert [one.id for one in found.entries] == ["urn:opeds:a1:kjd-c1", "urn:opeds:a1:kjd-c2"]
    assert found.entries[0].link == "https://example.org/1"
    assert found.feed.updated == "2026-06-02T00:00:00Z"
    assert found.entries[1].title_detail.type == "text/plain"
    assert found.entries[1].title.startswith("<script>")
    told = json.dumps(json_feed(rows, "a1"), ensure_ascii=False)
    assert not set("\x1b\u202e\x00") & set(told)
    assert json.loads(told)["items"][0]["date_published"] == "2026-05-31T21:00:00Z"
    assert not feedparser.parse(atom([], "a1")).bozo


def test_feeds_name_the_latest_first(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    items = json.loads(archive.store.read("feeds/opeds.json"))["items"]
    assert [item["id"].rpartition("c")[2] for item in items] == ["2068161", "2068163", "2068162"]
    assert all("text" not in item for item in items)
