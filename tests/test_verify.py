"""Damage of every kind is found and named, and nothing is repaired."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.archive import manifests
from pipelines.archive.record import to_json
from pipelines.catalogue.delta import location, open_table
from pipelines.catalogue.publish import publish
from pipelines.index.opened import commit, open_to_write
from pipelines.ingestion.ingest import Part
from pipelines.jobs.verify import verify
from pipelines.settings import Settings
from tests.conftest import C_URL, DAUM_URL, Command, capture, page, prose, take_in


@pytest.fixture
def filled(folder: Settings) -> Settings:
    """An archive with two versions of one op-ed and another one."""
    archive = open_to_write(folder)
    take_in(archive, capture(page(prose(1)), "2024-06-13T12:00:00"))
    take_in(archive, capture(page([*prose(1), *prose(2, 1)]), "2024-06-14T12:00:00"))
    take_in(archive, capture(page(prose(3)), "2024-06-13T12:00:00", C_URL.replace("2068163", "2068164")))
    publish(archive, folder)
    return folder


def found(settings: Settings) -> list[tuple[str, str]]:
    return [(one.kind, f"{one.key}: {one.said}") for one in verify(settings).faults]


def root(settings: Settings) -> Path:
    return Path(settings.archive.removeprefix("file://"))


def first(settings: Settings, pattern: str) -> Path:
    return min(root(settings).glob(pattern))


def test_a_sound_archive_fits(filled: Settings) -> None:
    done = verify(filled)
    assert (list(done.faults), list(done.notes)) == ([], [])
    assert {kind: done.verified[kind] for kind in ("manifests", "captures", "records", "rows")} == {
        "manifests": 3, "captures": 3, "records": 3, "rows": 9,
    }  # fmt: skip


def another_payload(settings: Settings) -> None:
    file = first(settings, "captures/kjd/*/*.warc.gz")
    left, members = file.read_bytes(), []
    while left:
        member = zlib.decompressobj(31)
        members.append(gzip.compress(member.decompress(left).replace(b"ferry", b"fairy")))
        left = member.unused_data
    file.write_bytes(b"".join(members))


def cut(settings: Settings) -> None:
    file = first(settings, "captures/kjd/*/*.warc.gz")
    file.write_bytes(file.read_bytes()[:-20])


def gone(settings: Settings) -> None:
    first(settings, "captures/kjd/*/*.warc.gz").unlink()


def other_text(settings: Settings) -> None:
    file = first(settings, "articles/kjd/*/*.json")
    told = json.loads(file.read_bytes())
    file.write_text(json.dumps({**told, "text": "Another."}, sort_keys=True))


def no_json(settings: Settings) -> None:
    first(settings, "articles/kjd/*/*.json").write_text("{")


def no_record(settings: Settings) -> None:
    first(settings, "articles/kjd/*/*.json").unlink()


def a_manifest_cut_off(settings: Settings) -> None:
    file = root(settings) / "runs" / "0000000003.json"
    file.write_bytes(file.read_bytes()[:100])


def an_empty_manifest(settings: Settings) -> None:
    (root(settings) / "runs" / "0000000002.json").write_text("{}")


def the_last_manifest_gone(settings: Settings) -> None:
    (root(settings) / "runs" / "0000000003.json").unlink()


def the_last_manifest_forged(settings: Settings) -> None:
    file = root(settings) / "runs" / "0000000003.json"
    told = json.loads(file.read_bytes())
    file.write_bytes(to_json({**told, "day": "2001-01-01"}))


def the_last_manifest_of_the_old_schema(settings: Settings) -> None:
    file = root(settings) / "runs" / "0000000003.json"
    told = json.loads(file.read_bytes())
    kept = {name: value for name, value in told.items() if name not in {"digests", "previous"}}
    file.write_bytes(to_json({**kept, "schema": "opeds/run/1"}))


def a_junk_commit_of_the_table(settings: Settings) -> None:
    first(settings, "catalogue/articles/_delta_log/*1.json").write_text("{")


def a_gap(settings: Settings) -> None:
    (root(settings) / "runs" / "0000000005.json").write_bytes(
        (root(settings) / "runs" / "0000000003.json").read_bytes()
    )


def a_forged_manifest(settings: Settings) -> None:
    file = root(settings) / "runs" / "0000000002.json"
    told = json.loads(file.read_bytes())
    file.write_bytes(to_json({**told, "day": "2001-01-01"}))


def a_digest_forged_with_its_record(settings: Settings) -> None:
    """The record and its digest in the manifest changed alike: the next manifest still names the old one."""
    file = root(settings) / "runs" / "0000000001.json"
    told = json.loads(file.read_bytes())
    record = first(settings, "articles/kjd/*/*.json")
    body = record.read_bytes().replace(b"ferry", b"fairy")
    record.write_bytes(body)
    told["digests"][str(record.relative_to(root(settings)))] = hashlib.sha256(body).hexdigest()
    file.write_bytes(to_json(told))


def a_forged_crawl(settings: Settings) -> None:
    archive = open_to_write(settings)
    key = "crawls/kjd/2024-06-13/r.json"
    archive.store.create(key, b"{}")  # of which no WARC lies beside it
    commit(archive, manifests.Manifest("r", "part", "2024-06-13", "2024-06-14T00:00:00Z", (key,)))
    (root(settings) / key).write_bytes(b"[]")


def a_record_added_to_a_capture(settings: Settings) -> None:
    file = first(settings, "captures/kjd/*/*.warc.gz")
    file.write_bytes(file.read_bytes() + gzip.compress(b""))


def a_row_too_many(settings: Settings) -> None:
    table = open_table(location(settings, "articles"))
    assert table is not None
    table.update({"oped_id": "'kjd-c9999999'"}, predicate="article_id = 'kjd-c2068164'")


def a_row_too_few(settings: Settings) -> None:
    table = open_table(location(settings, "articles"))
    assert table is not None
    table.delete("article_id = 'kjd-c2068164'")


@pytest.mark.parametrize(
    ("damage", "kind", "said"),
    [
        (another_payload, "capture", "is not the file that was logged"),
        (cut, "capture", "is not the file that was logged"),
        (gone, "capture", "not there, though runs/0000000001.json names it"),
        (no_json, "record", "is not the file that was logged"),
        (no_record, "record", "not there, though runs/"),
        (other_text, "record", "is not the file that was logged"),
        (a_record_added_to_a_capture, "capture", "is not the file that was logged"),
        (a_forged_crawl, "crawl", "is not the file that was logged"),
        (a_forged_manifest, "log", "runs/0000000002.json: is not what was logged"),
        (a_digest_forged_with_its_record, "log", "runs/0000000001.json: is not what was logged"),
        (a_manifest_cut_off, "log", "runs/0000000003.json is damaged"),
        (an_empty_manifest, "log", "runs/0000000002.json is damaged"),
        (
            the_last_manifest_gone,
            "log",
            "runs/0000000003.json: not there, though one of that number is known to the table of runs and the index",
        ),
        (the_last_manifest_forged, "log", "runs/0000000003.json: is not what was logged"),
        (the_last_manifest_of_the_old_schema, "log", "states no digests"),
        (a_junk_commit_of_the_table, "catalogue", ".json: cannot be read"),
        (a_gap, "log", "runs/0000000004.json: not there, though manifests behind it are"),
        (a_row_too_many, "catalogue", "oped_id: not what log and records make of it"),
        (a_row_too_few, "catalogue", "catalogue/articles: has no row of kjd-c2068164@"),
    ],
)
def test_damage_is_found_and_named(damage: Callable[[Settings], None], kind: str, said: str, filled: Settings) -> None:
    damage(filled)
    before = bytes_in(filled)
    findings = found(filled)
    assert any(k == kind and said in s for k, s in findings), findings
    assert bytes_in(filled) == before, "repairs nothing"


def bytes_in(settings: Settings) -> dict[Path, bytes]:
    """Return every object, but the reports of audits."""
    files = (path for path in root(settings).rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.parent.name != "verified"}


def test_a_share_looks_at_its_articles_alone(filled: Settings) -> None:
    done = verify(filled, lambda article_id, _: article_id == "kjd-c2068164", "a share")
    assert (done.verified["manifests"], done.verified["captures"], done.verified["records"]) == (3, 1, 1)
    assert (done.there["captures"], done.there["records"], done.verified["rows"]) == (3, 3, 7)


def test_the_command_ends_with_one_when_something_does_not_fit(filled: Settings, opeds: Command) -> None:
    sound = opeds("verify", settings=filled)
    assert (sound.code, "all of it fits" in sound.out) == (0, True)
    gone(filled)
    ran = opeds("verify", "--json", settings=filled)
    assert ran.code == 1
    assert json.loads(ran.out)["findings"][0]["kind"] == "capture"
    assert opeds("verify", "--share", "9/8", settings=filled).code == 2


def test_copies_that_were_joined_fit_too(folder: Settings) -> None:
    archive = open_to_write(folder)
    take_in(archive, capture(page(prose(1)), "2024-06-13T12:00:00"))
    body = page(prose(1)).replace(b"id='article_body'", b"class='article_view'")
    take_in(archive, capture(body, "2024-06-14T12:00:00", DAUM_URL))
    publish(archive, folder)
    assert found(folder) == []


def test_what_is_not_published_yet_is_told_and_somebody_may_be_at_work(filled: Settings) -> None:
    take_in(open_to_write(filled), capture(page(prose(4)), "2024-06-15T12:00:00"))
    assert {key for key, _ in found(filled)} == {"catalogue"}
    part = Part.of_today("recent", "part")
    archive = open_to_write(filled)
    publish(archive, filled)
    commit(archive, manifests.Manifest(part.run, part.name, part.day, part.logged_at))
    assert verify(filled, grace=timedelta(days=1)).faults == []
    archive.store.create("captures/kjd/c777/20240613T000000Z-0123456789abcdef.warc.gz", b"x")
    assert [one.kind for one in verify(filled, grace=timedelta(days=1)).notes].count("orphan") == 1
    assert "orphan" in {one.kind for one in verify(filled).faults}


def test_a_row_that_no_manifest_tells_of_is_found(filled: Settings) -> None:
    table = open_table(location(filled, "articles"))
    assert table is not None
    table.update({"article_id": "'kjd-c9999999'"}, predicate="article_id = 'kjd-c2068164'")
    assert any(kind == "catalogue" and "no manifest tells of this" in said for kind, said in found(filled))
