"""Whatever goes wrong is one sentence and an exit code: the sentence says what to do, and nothing is a traceback."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.archive import embedded
from pipelines.archive.manifests import read_log
from pipelines.archive.store import open_store
from pipelines.catalogue.publish import publish
from pipelines.index.opened import open_to_write
from pipelines.settings import Settings, read_settings
from tests.conftest import LONG, OPEDS, ROOT, Command, Ran, World, capture, environment_of, page, prose, seldom, take_in

READING = [("list",), ("show", "kjd-c2068163"), ("status",), ("verify",)]
RUN = ("run", "--day", "2026-06-02")


def one_sentence(ran: Ran, code: int = 1) -> str:
    assert ran.code == code, ran.err
    (line,) = ran.err.strip().splitlines()
    assert line.startswith("opeds: ")
    return line


@pytest.fixture
def filled(bucket: Settings) -> Settings:
    archive = open_to_write(bucket)
    take_in(archive, capture(page(prose(1)), "2024-06-14T00:00:00"))
    publish(archive, bucket)
    return bucket


@pytest.mark.parametrize(
    "arguments", [("list",), ("verify",), RUN, *map(seldom, (*READING[1:3], ("upkeep",)))], ids=lambda a: a[0]
)
def test_every_command_has_the_same_sentences_for_a_bucket_that_cannot_be_reached(
    arguments: tuple[str, ...], opeds: Command, newsstand: World, filled: Settings, seaweed: Settings
) -> None:
    of_all_buckets = embedded.reach(Settings(home=seaweed.home), "admin")
    cases = {
        "there is no bucket 'none'": replace(of_all_buckets, archive="s3://none", home=filled.home),
        "refuses this key": replace(filled, secret_key="wrong"),
        "does not answer": replace(filled, endpoint="http://127.0.0.1:9"),
        "is no address": replace(filled, endpoint="127.0.0.1:9"),
        "no credentials": replace(filled, access_key="", secret_key=""),
    }
    for sentence, settings in cases.items():
        ran = opeds(*arguments, settings=settings, AWS_EC2_METADATA_DISABLED="true")
        assert sentence in one_sentence(ran, 2 if "address" in sentence else 1)
    assert newsstand.paths() == [], "and nothing was fetched"


@pytest.mark.long
def test_keys_are_found_by_every_way_that_aws_has(
    opeds: Command, newsstand: World, filled: Settings, tmp_path: Path
) -> None:
    bare = replace(filled, access_key="", secret_key="", region="")
    shared = tmp_path / "credentials"
    shared.write_text(f"[desk]\naws_access_key_id={filled.access_key}\naws_secret_access_key={filled.secret_key}\n")
    config = tmp_path / "config"
    config.write_text("[profile desk]\nregion=us-east-1\n")
    for name, value in (("id", filled.access_key), ("secret", filled.secret_key)):
        (tmp_path / name).write_text(f"{value}\n")
    every = (*READING, RUN)
    ways = [
        ({"AWS_SHARED_CREDENTIALS_FILE": str(shared), "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "desk"}, every),
        (
            {"AWS_ACCESS_KEY_ID_FILE": str(tmp_path / "id"), "AWS_SECRET_ACCESS_KEY_FILE": str(tmp_path / "secret")},
            every if LONG else (READING[0], RUN),
        ),
    ]
    for way, commands in ways:
        for arguments in commands:
            assert opeds(*arguments, settings=bare, **way).code == 0, (way, arguments)
    wrong = opeds("list", settings=bare, AWS_PROFILE="nobody")
    assert "The config profile (nobody) could not be found" in one_sentence(wrong, 2)
    missing = opeds("list", settings=bare, AWS_ACCESS_KEY_ID_FILE="/nowhere")
    assert "AWS_ACCESS_KEY_ID_FILE=/nowhere cannot be read" in one_sentence(missing, 2)


def test_a_secret_in_a_file_is_read_and_what_is_no_secret_is_not(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("postgresql+psycopg://x\n")
    files = {"OPEDS_INDEX_FILE": str(tmp_path / "index"), "OPEDS_HOME_FILE": str(tmp_path / "index")}
    found = read_settings(files)
    assert (found.index, found.home.name) == ("postgresql+psycopg://x", ".opeds")


DAY = ("--day", "2026-06-02")
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


def test_no_network_is_one_sentence_and_no_day_counts_as_looked_at(
    opeds: Command, scrapy: Command, newsstand: World, folder: Settings
) -> None:
    ran = opeds("run", "--day", "2026-06-02", settings=folder, **NO_NETWORK)
    said = one_sentence(ran)
    assert "no site answered" in said
    assert "is there a network, and is the proxy right?" in said
    assert [m for _, m in read_log(open_store(folder))] == []
    by_hand = scrapy("crawl", "kjd", "-a", "since=2026-06-02", settings=folder, **NO_NETWORK)
    assert by_hand.code == 1
    assert "scrapy: no site answered" in by_hand.err
    assert "Traceback" not in by_hand.err
    into = folder.home / "seen"
    examined = opeds("doctor", "kjd", "--until", "2026-06-02", "--into", str(into), settings=folder, **NO_NETWORK)
    assert "no site answered" in one_sentence(examined)


@pytest.mark.parametrize(
    "arguments", [("run", "--day", "2026-06-02"), ("run", "--revisit"), ("plan", "--day", "2026-06-02")]
)
def test_a_missing_contact_is_told_before_a_store_is_started(
    arguments: tuple[str, ...], opeds: Command, newsstand: World, tmp_path: Path
) -> None:
    ran = opeds(*arguments, settings=Settings(home=tmp_path / "home"), OPEDS_CONTACT="")
    assert "set OPEDS_CONTACT" in one_sentence(ran, 2)
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_made_is_told(opeds: Command, newsstand: World, folder: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        for settings in (Settings(home=home), replace(folder, home=home)):
            ran = opeds("run", "--day", "2026-06-02", settings=settings)
            assert f"cannot use {home}" in one_sentence(ran)


def run_with(folder: Settings, *arguments: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **environment_of(folder), **more.pop("env", {})}  # type: ignore[dict-item]
    return subprocess.run([*OPEDS, *arguments], env=environment, cwd=ROOT, check=False, timeout=60, **more)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def small(folder: Settings) -> Settings:
    archive = open_to_write(folder)
    take_in(archive, capture(page(prose(1), headline="‘Temporary’ workers — a day"), "2024-06-14T00:00:00"))
    publish(archive, folder)
    return folder


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("show", "kjd-c2068163"), ("status",)])
def test_a_full_or_closed_output_is_no_traceback(arguments: tuple[str, ...], small: Settings) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = run_with(small, *arguments, stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode == 1
    assert ran.stderr.decode() == "opeds: cannot read or write: No space left on device\n"
    reader, writer = os.pipe()
    os.close(reader)
    ran = run_with(small, *arguments, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr
    assert ran.returncode == 1


def test_an_output_that_was_closed_before_we_began_is_no_traceback(small: Settings) -> None:
    environment = {**os.environ, **environment_of(small)}
    call = f"{sys.executable} -c 'from pipelines.cli.main import main; main()' list >&-"
    ran = subprocess.run(["sh", "-c", call], env=environment, cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert ran.stderr == b""


def test_json_has_an_object_for_an_error_too(opeds: Command, newsstand: World, folder: Settings) -> None:
    ran = opeds("list", "--json", settings=folder)
    assert json.loads(ran.out)["error"].startswith("no archive here")
    assert "no archive here" in one_sentence(ran)


def test_records_that_cannot_be_cost_themselves(small: Settings, tmp_path: Path) -> None:
    from pipelines.archive.warc import page_file
    from tests.conftest import C_URL, exchange

    good = capture(page(prose(2)), "2024-06-14T00:00:00", C_URL.replace("2068163", "2068164"))
    odd = [
        replace(good, url="https://[::1/x"),
        replace(good, fetched_at=good.fetched_at.replace(year=500)),
        replace(good, url="https://koreajoongangdaily.joins.com/x", headers=(("Content-Type", "x/\x1b[31m[/bold]"),)),
    ]
    file = tmp_path / "odd.warc.gz"
    file.write_bytes(b"".join(page_file(exchange(one), {}) for one in [*odd, good]))
    ran = run_with(small, "ingest", str(file), capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert b"\x1b" not in ran.stdout
    told = run_with(small, "list", "--json", capture_output=True).stdout
    assert len(told.splitlines()) == 2
    assert run_with(small, "verify", capture_output=True).returncode == 0


def test_damage_to_what_only_we_write_is_named(small: Settings, opeds: Command) -> None:
    root = Path(small.archive.removeprefix("file://"))
    (root / "crawls" / "kjd" / "2026-06-07").mkdir(parents=True)
    (root / "crawls" / "kjd" / "2026-06-07" / "zzz.json").write_text("{")
    assert "zzz.json is damaged" in one_sentence(opeds("ingest", "--crawls", settings=small))
    (root / "archive.json").write_text("[]")
    assert "archive.json is damaged" in one_sentence(opeds("ingest", "--crawls", settings=small))
    ran = opeds("verify", settings=small)
    assert (ran.code, "archive.json is damaged" in " ".join(ran.out.split())) == (1, True), ran


def test_an_encoding_without_our_signs_shows_others(small: Settings) -> None:
    for arguments in (("list",), ("show", "kjd-c2068163"), ("status",)):
        ran = run_with(small, *arguments, capture_output=True, env={"PYTHONIOENCODING": "ascii"})
        assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"?Temporary? workers" in run_with(
        small, "list", capture_output=True, env={"PYTHONIOENCODING": "ascii"}
    ).stdout.replace(b"\n", b" ")


def test_standard_input_and_pipes_are_files_like_any_other(small: Settings, tmp_path: Path) -> None:
    from pipelines.archive.warc import page_file
    from tests.conftest import C_URL, exchange

    other = capture(page(prose(2)), "2024-06-14T00:00:00", C_URL.replace("2068163", "2068164"))
    warc = page_file(exchange(other), {})
    ran = run_with(small, "ingest", "-", "--json", input=warc, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert b'"verdict": "NEW"' in ran.stdout
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    writer = subprocess.Popen(["/bin/sh", "-c", f"cat > {fifo}"], stdin=subprocess.PIPE)
    assert writer.stdin is not None
    lines = [json.dumps({"id": n, "text": " ".join(prose(n))}).encode() + b"\n" for n in range(3)]
    for line in lines:
        writer.stdin.write(line)
    writer.stdin.close()
    ran = run_with(small, "dedupe", str(fifo), capture_output=True)
    writer.wait()
    assert (ran.returncode, len(ran.stdout.splitlines())) == (0, 3), ran.stderr
    ran = run_with(small, "dedupe", "-", input=b"".join(lines), capture_output=True)
    assert len(ran.stdout.splitlines()) == 3


@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe" * 500, b"<html>", b"PK\x03\x04", b"[1, 2]\n"], ids=range(5))
def test_a_file_of_another_kind_is_told(body: bytes, small: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(body)
    for arguments in (
        ("ingest", str(file)),
        ("dedupe", str(file)),
        ("extract", str(file), "--url", "https://x.example"),
    ):
        ran = run_with(small, *arguments, capture_output=True)
        assert ran.returncode in {0, 1, 2}
        assert b"Traceback" not in ran.stderr + ran.stdout
        assert len(ran.stderr.splitlines()) <= 3
    ran = run_with(small, "ingest", str(tmp_path / "none"), capture_output=True)
    assert (ran.returncode, b"cannot read" in ran.stderr) == (2, True)


def test_an_index_that_cannot_be_reached_is_bad_luck_and_not_wrong_usage(small: Settings, opeds: Command) -> None:
    away = replace(small, index="postgresql+psycopg://u:secret@127.0.0.1:9/x")
    said = one_sentence(opeds("ingest", "--crawls", settings=away))
    ran = opeds("verify", settings=away)
    assert ran.code == 1
    for text in (said, " ".join(ran.out.split())):
        assert "the index database does not answer" in text
    assert "secret" not in said + ran.out + ran.err


def test_debug_shows_where_behind_the_sentence(opeds: Command, newsstand: World, folder: Settings) -> None:
    ran = opeds("--debug", "list", settings=folder)
    lines = ran.err.splitlines()
    assert lines[0].startswith("opeds: no archive here")
    assert any("Traceback" in line for line in lines[1:])
