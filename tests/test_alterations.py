"""Nothing altered goes unnoticed: each kind of object, each column, each place in a manifest; the right key is named.

By default a sample of each kind; `make faults` and `make test-long` try all.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import brotli
import pytest

from newsstand.server import parse_clock, running
from pipelines.archive.keys import manifest_key
from pipelines.catalogue.publish import publish
from pipelines.index.index import index_file
from pipelines.index.opened import open_to_write, rebuild_index
from pipelines.jobs.verify import Verified, verify
from pipelines.settings import Settings
from tests.altering import (
    PATTERNS,
    WAYS,
    all_columns,
    alter_cell,
    alter_index,
    altered,
    object_of,
    places,
    root,
    with_other_value,
)
from tests.conftest import C_URL, FAULTS, LONG, capture, command, environment_of, minutes, page, prose, take_in

EVERY = 1 if FAULTS else 4 if LONG else 12  # of the ways to alter objects and of places in manifests, one in so many
_copies = itertools.count(1)
OPEDS = ["-c", "from pipelines.cli.main import main; main()"]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory, fast_sources: Path) -> Settings:
    """An archive of two real crawls, with a copy, a correction, a page set aside, and answers coded by br and gzip."""
    import sys

    folder = tmp_path_factory.mktemp("honest")
    settings = Settings(archive=f"file://{folder / 'archive'}", home=folder / "home", invented=True, processes=1)
    days = ("--since", "2026-06-04", "--until", "2026-06-05")
    with running(folder, parse_clock("2026-06-05T23:59"), seed=5) as stand:
        stand.stand.fault("empty-body@/2595325$")
        more = {"OPEDS_SOURCES": str(fast_sources), "OPEDS_CONTACT": "t@example.org", **stand.environment(folder)}
        for moment in ("2026-06-06T08:00", "2026-06-09T08:00"):
            stand.stand.advance(parse_clock(moment))
            ran = command([sys.executable, *OPEDS, "run", *days], settings, more)
            assert ran.code == 0, ran.err
    archive = open_to_write(settings)
    for n, (name, coded) in enumerate({"br": brotli.compress, "gzip": gzip.compress}.items()):
        plain = capture(page(prose(n)), "2024-06-14T00:00:00", C_URL.replace("2068163", f"206900{n}"))
        headers = (*plain.headers, ("Content-Encoding", name))
        _take_coded(archive, replace(plain, headers=headers), coded(plain.payload))
    publish(archive, settings)
    return settings


def _take_coded(archive, plain, body) -> None:  # type: ignore[no-untyped-def]
    """Take in a capture whose answer came coded."""
    from pipelines.archive.captures import capture_file, store_capture
    from pipelines.archive.keys import capture_key
    from pipelines.archive.warc import Exchange, capture_of
    from pipelines.ingestion.ingest import Part, ingest
    from pipelines.model import Sighting
    from pipelines.sources.addresses import place_of

    sent = Exchange(plain.url, plain.fetched_at, 200, "OK", plain.headers, body)
    one, place = capture_of(sent), place_of(plain.url, archive.sources.values())
    assert place
    key, _ = store_capture(archive.store, capture_key(place.article_id, one), capture_file(place.article_id, sent, one))
    part = Part(f"coded-{place.article_id}", "test", "2024-06-14", "2024-06-15T00:00:00Z")
    ingest(archive, part, [Sighting(place.article_id, plain.url, plain.fetched_at, key)], [], lambda _: None)


@pytest.fixture
def copied(honest: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A copy of the honest archive, with its index, to alter."""
    for name in ("archive", "home"):
        shutil.copytree(root(honest).parent / name, tmp_path / name)
    return replace(honest, archive=f"file://{tmp_path / 'archive'}", home=tmp_path / "home")


def restored(honest: Settings, settings: Settings) -> None:
    """Put an altered copy back."""
    for name in ("archive", "home"):
        shutil.rmtree(root(settings).parent / name)
        shutil.copytree(root(honest).parent / name, root(settings).parent / name)


def faults_of(settings: Settings) -> list[tuple[str, str, str]]:
    return [(one.kind, one.key, one.said) for one in verify(settings).faults]


def test_an_honest_archive_fits_with_answers_of_every_coding(copied: Settings) -> None:
    done = verify(copied)
    assert (list(done.faults), list(done.notes)) == ([], [])
    assert done.there == done.verified
    assert set(done.there) == {
        "reports", "manifests", "captures", "records", "rejections", "crawls", "rows", "index tables",
    }  # fmt: skip
    assert min(count for kind, count in done.there.items() if kind != "reports") > 0


@pytest.mark.long
@minutes
def test_each_column_of_each_table(honest: Settings, copied: Settings) -> None:
    missed = []
    for table, column in all_columns():
        alter_cell(copied, table, column)
        found = faults_of(copied)
        key = f"catalogue/{table}"
        names_a_row = column in {"article_id", "content16", "seq"}  # makes one too many and one too few
        is_named = found and all(f[1].startswith(key) for f in found)
        if not is_named or not (names_a_row or any(column in f[2] for f in found)):
            missed.append((table, column, found))
        restored(honest, copied)
    assert not missed, "\n".join(map(str, missed))


CASES = [(kind, way) for kind in PATTERNS for way in WAYS]


@pytest.mark.long
def test_each_kind_of_object_in_each_way(honest: Settings, copied: Settings) -> None:
    missed = []
    for kind, way in CASES[::EVERY]:
        path = object_of(copied, kind)
        key = path.relative_to(root(copied)).as_posix()
        altered(path, way)
        found = faults_of(copied)
        if key not in {f[1] for f in found} or len({f[1] for f in found}) > 1:
            missed.append((kind, way, key, found))
        restored(honest, copied)
    assert not missed, "\n".join(map(str, missed))


@minutes
@pytest.mark.long
def test_each_place_in_a_manifest(honest: Settings, copied: Settings) -> None:
    numbers = sorted(path.name for path in root(copied).glob("runs/*.json"))
    missed = []
    for name in (numbers[0], numbers[len(numbers) // 2], numbers[-1]):
        path = root(copied) / "runs" / name
        body = path.read_bytes()
        data = json.loads(body)
        tried = [(place, remove) for place in places(data) for remove in (False, True)]
        random.Random(7).shuffle(tried)
        for place, remove in tried[::EVERY] if LONG or FAULTS else tried[:12]:
            path.write_bytes(with_other_value(data, place, remove))
            keys = {key for _, key, _ in faults_of(copied)}
            if keys != {f"runs/{name}"}:
                missed.append((name, place, remove, faults_of(copied)))
            path.write_bytes(body)
    assert not missed, "\n".join(map(str, missed))


def test_objects_that_nobody_named(honest: Settings, copied: Settings) -> None:
    folder = root(copied)
    capture_ = object_of(copied, "capture")
    record = object_of(copied, "record")
    planted = {
        "captures/kjd/c2068163/x.warc.gz": "foreign",
        "captures/evil.txt": "foreign",
        f"captures/kjd/c777/{capture_.name}": "orphan",
        f"articles/kjd/c777/{record.name}": "orphan",
        "articles/kjd/c777/notes.json": "foreign",
        "quarantine/kjd/evil": "foreign",
        "runs/notes.json": "foreign",
        "runs/41.json": "foreign",
        "crawls/kjd/evil.json": "foreign",
        "catalogue/articles/evil.txt": "foreign",
        "catalogue/other/_delta_log/00000000000000000000.json": "foreign",
        "verified/x.json": "foreign",
    }
    for key, kind in planted.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(capture_.read_bytes() if kind == "orphan" and "captures" in key else b"{}")
        found = faults_of(copied)
        assert (kind, key) in {(f[0], f[1]) for f in found}, (key, found)
        assert {f[1] for f in found} == {key}
        (folder / key).unlink()
    (folder / "runs" / "9999999999.json").write_bytes(b"{}")
    assert "runs/9999999999.json" in {f[1] for f in faults_of(copied)}, "and no gap of ten thousand millions is named"


def test_a_log_that_ends_earlier_or_has_a_hole(honest: Settings, copied: Settings) -> None:
    last = max(root(copied).glob("runs/*.json"))
    last.unlink()
    found = faults_of(copied)
    assert ("log", f"runs/{last.name}") in {f[:2] for f in found}
    shutil.rmtree(copied.home / "index")
    found = faults_of(copied)
    assert ("log", f"runs/{last.name}") in {f[:2] for f in found}, "the table of runs knows it too"
    restored(honest, copied)
    (root(copied) / manifest_key(2)).unlink()
    assert [f[:2] for f in faults_of(copied)] == [("log", manifest_key(2))]


def test_the_catalogue_missing_or_behind(honest: Settings, copied: Settings) -> None:
    shutil.rmtree(root(copied) / "catalogue")
    assert {f[:2] for f in faults_of(copied)} == {
        ("catalogue", f"catalogue/{name}") for name in ("articles", "runs", "sightings")
    }
    restored(honest, copied)
    commit = max((root(copied) / "catalogue" / "runs" / "_delta_log").glob("*.json"))
    commit.unlink()
    assert {f[1] for f in faults_of(copied)} == {"catalogue/runs", commit.relative_to(root(copied)).as_posix()}
    restored(honest, copied)
    take_in(open_to_write(copied), capture(page(prose(9)), "2024-06-15T12:00:00"))
    found = {f[1]: f[2] for f in faults_of(copied)}
    assert set(found) == {"catalogue/articles", "catalogue/runs", "catalogue/sightings"}
    assert all("`opeds upkeep` publishes the rest" in said for said in found.values())
    publish(open_to_write(copied), copied)
    assert faults_of(copied) == []


def test_an_index_that_was_altered_is_told_and_made_anew(honest: Settings, copied: Settings) -> None:
    from pipelines.archive.identity import identify
    from pipelines.archive.store import open_store

    path = index_file(copied, identify(open_store(copied)).archive_id)
    assert path
    body = path.read_bytes()
    for table in ("article", "sighting", "capture", "address", "part", "indexed_text", "state"):
        alter_index(path, table)
        found = faults_of(copied)
        assert {f[0] for f in found} == {"index"}
        assert any(f"table {table} " in f[2] or "another archive" in f[2] for f in found)
        restored(honest, copied)
    scrambled = bytearray(body)
    for start in range(4096, len(body), 3 * 4096):
        scrambled[start : start + 4096] = random.Random(start).randbytes(4096)
    for junk in (b"junk" * 5000, b"", bytes(scrambled), body[: len(body) // 2]):
        restored(honest, copied)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        path.write_bytes(junk)
        assert {f[0] for f in faults_of(copied)} <= {"index"}
        assert junk == b"" or any(f[0] == "index" for f in faults_of(copied))
        rebuild_index(copied, lambda *_: None)
        assert faults_of(copied) == []


def test_a_signed_log_cannot_be_written_anew_without_the_key(folder: Settings, tmp_path: Path) -> None:
    import subprocess

    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True).stdout
    (tmp_path / "key").write_bytes(pem)
    public = subprocess.run(
        ["openssl", "pkey", "-in", str(tmp_path / "key"), "-pubout"], capture_output=True, check=True
    ).stdout.decode()
    signed = replace(folder, signing_key=pem.decode())
    take_in(open_to_write(signed), capture(page(prose(1)), "2024-06-13T12:00:00"))
    take_in(open_to_write(signed), capture(page(prose(2)), "2024-06-14T12:00:00", C_URL.replace("163", "164")))
    publish(open_to_write(signed), signed)
    trusting = replace(folder, signing_public=public)
    assert list(verify(trusting).faults) == []
    assert list(verify(folder).faults) == [], "who has no key sees the chain alone"
    from pipelines.archive.record import to_json

    last = root(folder) / manifest_key(2)
    told = json.loads(last.read_bytes())
    last.write_bytes(to_json({**told, "day": "2001-01-01"}))
    shutil.rmtree(folder.home)
    shutil.rmtree(root(folder) / "catalogue")
    shutil.rmtree(root(folder) / "verified")
    publish(open_to_write(folder), folder)
    assert list(verify(folder).faults) == [], "a forger who writes the rest anew"
    assert [(f[1], f[2]) for f in faults_of(trusting)] == [(manifest_key(2), "is not what was signed")]
    told.pop("signature")
    last.write_bytes(to_json(told))
    assert (manifest_key(2), "is not signed") in [(f[1], f[2]) for f in faults_of(trusting)]


def test_a_report_is_left_and_shown(copied: Settings) -> None:
    import sys

    done: Verified = verify(copied)
    assert (root(copied) / done.report).is_file()
    more = {"OPEDS_INVENTED": "1", **environment_of(copied)}
    shown = command([sys.executable, *OPEDS, "status"], copied, more).out
    assert "in Seoul: all of it, log at" in shown
    assert "it fits" in shown
    verify(copied, lambda article_id, _: article_id.startswith("daum"), "3/28")
    shown = command([sys.executable, *OPEDS, "status"], copied, more).out
    assert "share 3/28" in shown
    assert "all of it, log at" in shown
