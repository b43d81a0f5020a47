"""A withdrawal really removes: a sentence of it is looked for in every object and every version of every object."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from pipelines.archive.captures import capture_file, store_capture
from pipelines.archive.keys import capture_key
from pipelines.archive.remover import FolderRemover
from pipelines.archive.s3 import client
from pipelines.archive.store import FolderStore, open_store
from pipelines.archive.warc import crawl_file, damaged
from pipelines.archive.withdrawn import (
    Withdrawn,
    letters_of,
    line_digest,
    lines_of,
    parse_tombstone,
    read_withdrawn,
    sentences_in,
    tombstone_key,
)
from pipelines.catalogue.changes import changes_since
from pipelines.catalogue.publish import publish
from pipelines.client import open_archive
from pipelines.errors import DamagedObject, NotArchived, WrongUsage
from pipelines.exports.bucket import export_to_bucket
from pipelines.index.opened import Archive, open_to_write, rebuild_index
from pipelines.jobs import withdraw as job
from pipelines.jobs.rederive import rederive
from pipelines.jobs.upkeep import upkeep
from pipelines.jobs.verify import LEFT, verify
from pipelines.jobs.withdraw import withdraw
from pipelines.model import Verdict
from pipelines.settings import Settings
from tests.conftest import (
    C_URL,
    DAUM_URL,
    LONG,
    ROOT,
    Command,
    World,
    capture,
    exchange,
    listed,
    page,
    prose,
    state,
    take_in,
)
from tests.test_ingest import daum_page

SENTENCES = [
    f"The harbor office number {n} lost every letter that the island villagers had sent to it about the winter ferry."
    for n in range(6)
]
KOREAN = (
    "항구 사무소는 섬마을 주민들이 겨울 여객선에 대해 보낸 모든 편지를 잃어버렸고 아무도 그 일을 사과하지 않았습니다."
)
TEXT = [" ".join(SENTENCES[:3]), " ".join(SENTENCES[3:]), *prose(1)]
RELATED = "The winter ferry nobody asked for"


def url(number: int) -> str:
    return f"{C_URL[:-1]}{number}"


def fill(archive: Archive, settings: Settings) -> None:
    """Archive an op-ed with a correction, its copy at a portal, one that lists its headline, and one of its own."""
    take_in(archive, capture(page(TEXT, RELATED), "2024-06-14T00:00:00", url(1)))
    take_in(archive, capture(page([*TEXT, KOREAN], RELATED), "2024-06-16T00:00:00", url(1)))
    take_in(archive, capture(daum_page(TEXT), "2024-06-17T00:00:00", DAUM_URL))
    take_in(archive, capture(page(prose(5), "Another"), "2024-06-18T00:00:00", url(5)))
    publish(archive, settings)


def everything(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield every object, in every version, by key."""
    if settings.archive.startswith("file://"):
        root = Path(settings.archive.removeprefix("file://"))
        yield from ((str(path.relative_to(root)), path.read_bytes()) for path in root.rglob("*") if path.is_file())
        return
    s3 = client(settings)
    bucket, _, prefix = settings.archive.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for one in (version for found in pages for version in found.get("Versions", ())):
        which = {} if one["VersionId"] in {"", "null"} else {"VersionId": one["VersionId"]}
        yield one["Key"], s3.get_object(Bucket=bucket, Key=one["Key"], **which)["Body"].read()


def undone(key: str, body: bytes) -> bytes:
    """Return what an object says, decompressed."""
    if body[:4] == b"PAR1":
        return json.dumps(parquet.read_table(io.BytesIO(body)).to_pylist(), default=str, ensure_ascii=False).encode()
    if key.endswith(".gz"):
        return gzip.decompress(body)
    if zipfile.is_zipfile(io.BytesIO(body)):
        with zipfile.ZipFile(io.BytesIO(body)) as package:
            return b"".join(undone(name, package.read(name)) for name in package.namelist())
    return body


def holding(settings: Settings, sentence: str) -> set[str]:
    wanted = letters_of(sentence)
    return {
        key for key, body in everything(settings) if wanted in letters_of(undone(key, body).decode("utf-8", "replace"))
    }


@pytest.fixture(params=["folder", "bucket", "versioned"] if LONG else ["folder", "versioned"])
def settings(request: pytest.FixtureRequest) -> Settings:
    if request.param == "folder":
        return request.getfixturevalue("folder")  # type: ignore[no-any-return]
    made: Settings = request.getfixturevalue("bucket")
    if request.param == "versioned":
        seaweed: Settings = request.getfixturevalue("seaweed")
        from pipelines.archive import embedded

        admin = embedded.reach(seaweed, "admin")
        name = f"kept{made.archive.rpartition('/')[2]}"
        client(admin).create_bucket(Bucket=name)
        client(admin).put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        made = replace(admin, archive=f"s3://{name}", home=made.home, invented=True)
    return made


def test_no_sentence_of_it_is_found_anywhere(settings: Settings) -> None:
    archive = open_to_write(settings)
    fill(archive, settings)
    export_to_bucket(settings, archive.store, "2024-06")
    with open_archive(settings=settings) as reading:
        reading.export(settings.home / "away")
    archive.store.replace("exports/replay/kjd/2024-06.wacz", (settings.home / "away" / "opeds.sqlite").read_bytes())
    assert len(holding(settings, SENTENCES[4])) > 8
    others = {row["article_id"] for row in listed(settings)} - {"kjd-c2068161"}
    planned = withdraw(settings, "daum-20240613230000001", "", dry=True)
    assert planned.articles == ["kjd-c2068161", "daum-20240613230000001"]
    assert len(holding(settings, SENTENCES[4])) > 8, "a dry run removes nothing"
    done = withdraw(settings, "daum-20240613230000001", "its author asked for it")
    assert done.as_json() == planned.as_json()
    for sentence in (*SENTENCES, KOREAN, prose(1)[2]):
        assert holding(settings, sentence) == set(), sentence
    assert {row["article_id"] for row in listed(settings)} == others
    assert verify(settings).faults == []
    changes = [(row["change"], row["article_id"]) for row in changes_since(archive.store, 4)]
    assert changes[-2:] == [("withdrawn", "kjd-c2068161"), ("withdrawn", "daum-20240613230000001")]
    local = next((settings.home / "local").glob("*.sqlite"))
    assert SENTENCES[0].encode() not in local.read_bytes()


def test_it_does_not_come_back(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    before = state(folder)[0]
    archive = open_to_write(folder)
    again = take_in(archive, capture(page([*TEXT, "And more."], RELATED), "2024-07-01T00:00:00", url(1)))
    moved = take_in(archive, capture(page(TEXT, "Moved"), "2024-07-02T00:00:00", url(8)))
    other = take_in(archive, capture(page(prose(9), "Other"), "2024-07-03T00:00:00", url(9)))
    assert [o.verdict for o in (*again, *moved, *other)] == [Verdict.WITHDRAWN, Verdict.WITHDRAWN, Verdict.NEW]
    assert [o.target for o in (*again, *moved)] == ["kjd-c2068161"] * 2
    publish(archive, folder)
    assert {row[0] for row in state(folder)[0]} - {row[0] for row in before} == {"kjd-c2068169"}
    assert {fault.key.split("/")[2] for fault in verify(folder).faults} == {"c2068161", "c2068168"}
    assert holding(folder, SENTENCES[0]), "the pages are there, since a spider stored them"
    done = withdraw(folder, "kjd-c2068161", "again")
    assert done.is_again
    assert holding(folder, SENTENCES[0]) == set()
    assert verify(folder).faults == []
    assert [row["change"] for row in changes_since(archive.store, 0)].count("withdrawn") == 3, "told again: more went"


def test_it_goes_before_it_was_published_and_beside_a_new_year(archive: Archive, folder: Settings) -> None:
    """The table may have no part of any year yet, or none of the year of an op-ed that comes with it."""
    take_in(archive, capture(page(prose(1)), "2024-06-14T00:00:00"))
    withdraw(folder, "kjd-c2068163", "its author asked for it")
    publish(open_to_write(folder), folder)
    assert listed(folder) == []
    take_in(open_to_write(folder), capture(page(prose(2)), "2024-06-14T00:00:00", C_URL.replace("2068163", "2068165")))
    publish(open_to_write(folder), folder)
    withdraw(folder, "kjd-c2068165", "its author asked for it")
    url = C_URL.replace("2068163", "2068166").replace("2024-06-13", "2025-06-13")
    take_in(open_to_write(folder), capture(page(prose(3), date="13 Jun. 2025, 20:09"), "2025-06-14T00:00:00", url))
    publish(open_to_write(folder), folder)
    assert [row["article_id"] for row in listed(folder)] == ["kjd-c2068166"]


def test_rebuild_rederive_and_upkeep_leave_it_withdrawn(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    before = state(folder)
    rebuild_index(folder, lambda *_: None)
    rederive(folder, "", [], True, lambda *_: None)
    upkeep(folder, lambda *_: None)
    assert state(folder) == before
    assert verify(folder).faults == []
    with pytest.raises(NotArchived), open_archive(settings=folder) as reading:
        reading.oped("kjd-c2068161")


def test_what_other_records_hold_of_it_is_blanked(archive: Archive, folder: Settings) -> None:
    lists = page([*prose(6), f"<ul><li><a href='{url(1)}'>{RELATED}</a></li></ul>"], "With a list")
    take_in(archive, capture(lists, "2024-06-20T00:00:00", url(6)))
    fill(archive, folder)
    (key,) = archive.store.keys("articles/kjd/c2068166/")
    told = json.loads(archive.store.read(key))
    held = json.dumps([told["related"], told["removed"]])
    assert RELATED in held
    done = withdraw(folder, "kjd-c2068161", "its author asked for it")
    assert list(done.rewritten) == [key]
    after = json.loads(archive.store.read(key))
    assert RELATED not in json.dumps([after["related"], after["removed"]])
    assert {n: v for n, v in after.items() if n not in {"related", "removed"}} == {
        n: v for n, v in told.items() if n not in {"related", "removed"}
    }
    assert verify(folder).faults == []
    assert done.elsewhere == [], "a headline is no sentence"


def test_a_page_of_another_op_ed_that_quotes_it_is_named(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    teaser = page(
        prose(7), "With a teaser", after=f"<div class='teaser'>{SENTENCES[0].replace('every', '<b>every</b>')}</div>"
    )
    take_in(archive, capture(teaser, "2024-06-21T00:00:00", url(7)))
    publish(archive, folder)
    done = withdraw(folder, "kjd-c2068161", "its author asked for it")
    assert [(key.split("/")[2], said) for key, said in done.elsewhere] == [("c2068167", SENTENCES[0])]
    assert {key.split("/")[2] for key in holding(folder, SENTENCES[0])} <= {"c2068167"}


def test_a_sentence_that_another_op_ed_says_too_stays_there(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    take_in(archive, capture(page([*prose(7), SENTENCES[0]], "A quotation"), "2024-06-21T00:00:00", url(7)))
    publish(archive, folder)
    done = withdraw(folder, "kjd-c2068161", "its author asked for it")
    assert done.elsewhere == []
    assert {key.split("/")[2] for key in holding(folder, SENTENCES[0]) if key.startswith("articles/")} == {"c2068167"}
    assert holding(folder, SENTENCES[1]) == set()


@pytest.mark.long
@pytest.mark.parametrize("at", range(1, 15) if LONG else (2, 8))
def test_one_that_was_cut_off_is_finished_by_asking_again(
    at: int, archive: Archive, folder: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = page([*prose(6), f"<ul><li><a href='{url(1)}'>{RELATED}</a></li></ul>"], "With a list")
    take_in(archive, capture(lists, "2024-06-20T00:00:00", url(6)))
    fill(archive, folder)
    export_to_bucket(folder, archive.store, "2024-06")
    calls = 0

    class Killed(Exception):
        pass

    def counted(work):  # type: ignore[no-untyped-def]
        def call(*arguments):  # type: ignore[no-untyped-def]
            nonlocal calls
            calls += 1
            if calls == at:
                raise Killed
            return work(*arguments)

        return call

    with monkeypatch.context() as patch:
        for name in ("rewrite", "remove"):
            patch.setattr(FolderRemover, name, counted(getattr(FolderRemover, name)))
        for name in ("commit", "publish", "remove_files", "make_checkpoint", "export_to_bucket", "tombstone_key"):
            patch.setattr(job, name, counted(getattr(job, name)))
        try:
            withdraw(folder, "kjd-c2068161", "its author asked for it")
        except Killed:
            pass
        else:
            pytest.skip(f"there are {calls} steps")
    with open_archive(settings=folder) as reading:
        list(reading.opeds())  # somebody reads meanwhile
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    for sentence in SENTENCES:
        assert holding(folder, sentence) == set()
    assert verify(folder).faults == []


def test_a_worker_that_did_not_know_yet_brings_nothing_back(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    stale = open_to_write(folder)
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    one = capture(page([*TEXT, "Once more."], RELATED), "2024-07-01T00:00:00", url(1))
    file = capture_file("kjd-c2068161", exchange(one), one)
    store_capture(stale.store, capture_key("kjd-c2068161", one), file)
    take_in(stale, one)
    publish(open_to_write(folder), folder)
    assert not [row for row in state(folder)[0] if row[0] == "kjd-c2068161"]
    assert {fault.kind for fault in verify(folder).faults} == {"capture", "record"}
    withdraw(folder, "kjd-c2068161", "again")
    assert verify(folder).faults == []
    assert holding(folder, SENTENCES[0]) == set()


def test_a_tombstone_holds_nothing_of_the_text(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    with pytest.raises(WrongUsage, match="--reason"):
        withdraw(folder, "kjd-c2068161", " ")
    with pytest.raises(NotArchived):
        withdraw(folder, "kjd-c1", "x")
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    body = archive.store.read(tombstone_key("kjd-c2068161"))
    stone = parse_tombstone(tombstone_key("kjd-c2068161"), body)
    assert (stone.reason, stone.addresses) == ("its author asked for it", (url(1),))
    assert len(stone.versions) == 2
    assert "ferry" not in body.decode().replace("A-ferry", "").lower()
    known = read_withdrawn(archive.store)
    assert known.ids == {"kjd-c2068161", "daum-20240613230000001"}
    with pytest.raises(DamagedObject):
        parse_tombstone(tombstone_key("kjd-c2068162"), body)


@pytest.mark.parametrize("damage", ["changed", "forged", "gone"])
def test_a_tombstone_that_the_log_does_not_know_is_named(damage: str, archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    root = Path(folder.archive.removeprefix("file://"))
    key = tombstone_key("kjd-c2068161")
    body = json.loads((root / key).read_text())
    if damage == "gone":
        (root / key).unlink()
    else:
        one = body["article_id"] if damage == "changed" else "kjd-c2068165"
        key = tombstone_key(one)
        (root / key).write_text(json.dumps(body | {"article_id": one, "reason": "another"}))
    assert (("tombstone", key)) in {(fault.kind, fault.key) for fault in verify(folder).faults}


def test_short_and_equal_texts_are_known_again() -> None:
    import hashlib

    text = "A letter. " * 12
    known = Withdrawn(frozenset({"kjd-c1"}), (), {hashlib.sha256(text.encode()).hexdigest(): "kjd-c1"})
    assert known.known_by(text, []) == "kjd-c1"
    assert known.known_by("Another letter.", []) == ""
    of_many = Withdrawn(frozenset({"kjd-c1"}), (("kjd-c1", frozenset(range(30))),))
    assert of_many.known_by("x", range(10, 40)) == "kjd-c1"
    assert of_many.known_by("x", range(20, 60)) == "", "it quotes a third of it"
    spaced = Withdrawn(frozenset({"kjd-c1"}), (("kjd-c1", frozenset(range(0, 300, 10))),))
    assert spaced.known_by("x", range(300)) == "", "a text that is ten times as long is another text"
    assert of_many.known_by("x", range(28, 31)) == ""


def test_lines_are_known_whatever_their_signs() -> None:
    assert sentences_in("One. “Two?” Three!\nFour") == ["One.", "“Two?”", "Three!", "Four"]
    assert line_digest("The WINTER ferry sank…") in set(lines_of(["The winter ferry sank"]))
    long = "word " * 40
    assert line_digest(long[:80]) in set(lines_of([long]))


def test_the_spider_does_not_ask_for_it(newsstand: World, bucket: Settings, opeds: Command) -> None:
    assert opeds("run", "--day", "2026-06-02", settings=bucket).code == 0
    gone = next(row["article_id"] for row in listed(bucket) if row["source"] == "kjd")
    said = opeds("withdraw", gone, "--reason", "its author asked for it", settings=bucket, COLUMNS="80")
    assert said.code == 0, said.err
    assert f"{gone} withdrawn, with all its places" in said.out.replace("\n", " ")
    asked = len([path for path in newsstand.paths() if gone[-7:] in path])
    ran = opeds("run", "--day", "2026-06-02", settings=bucket)
    assert ran.code == 0, ran.err + ran.out
    assert len([path for path in newsstand.paths() if gone[-7:] in path]) == asked
    told = opeds("show", gone, settings=bucket)
    assert told.code == 1
    assert opeds("verify", settings=bucket).code == 0
    assert opeds("withdraw", gone, settings=bucket).code == 2
    assert (ROOT / "infra" / "policies" / "remover.json").exists()


HIDDEN = {
    "text": "<rss><item><description>{}</description></item></rss>",
    "cdata": "<rss><item><description><![CDATA[{}]]></description></item></rss>",
    "attribute": "<p><img alt='{}'></p>",
    "meta": "<meta name=description content='{}'>",
    "script": '<script type=\'application/json\'>{{"a": "{}"}}</script>',
    "comment": "<p>1 &lt; 2</p><!-- {} -->",
    "markup": "<p>{}</p>",
    "comparison": "if 1 < 2: {} 3 > 2",
}


@pytest.mark.long
@pytest.mark.parametrize("way", HIDDEN if LONG else ("cdata", "script"))
def test_a_crawls_list_that_carried_the_text_is_rewritten(way: str, archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    said = SENTENCES[1].replace("letter", "<i>letter</i>") if way == "markup" else SENTENCES[1]
    put_list(archive, "x", HIDDEN[way].format(said).encode())
    key = "crawls/kjd/2024-06-14/x.warc.gz"
    done = withdraw(folder, "kjd-c2068161", "its author asked for it")
    assert key in done.rewritten
    after = archive.store.read(key)
    assert damaged(after, "x") == []
    assert b"nothing of it" in gzip.decompress(after)
    assert holding(folder, SENTENCES[1]) == set()


def put_list(archive: Archive, name: str, body: bytes) -> None:
    """Store a crawl's WARC with this list, and one that says nothing of the op-ed."""
    one = exchange(capture(body, "2024-06-14T00:00:00", "https://koreajoongangdaily.joins.com/feed"))
    two = exchange(
        capture(b"<rss>nothing of it</rss>", "2024-06-14T01:00:00", "https://koreajoongangdaily.joins.com/two")
    )
    file = crawl_file({"date": "2024-06-14T00:00:00Z"}, [one, two], [])
    archive.store.create(f"crawls/kjd/2024-06-14/{name}.warc.gz", file)


def test_a_korean_list_in_another_encoding_is_rewritten(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    put_list(archive, "x", f"<p>{KOREAN}</p>".encode("cp949"))
    done = withdraw(folder, "kjd-c2068161", "its author asked for it")
    assert "crawls/kjd/2024-06-14/x.warc.gz" in done.rewritten


def test_what_comes_later_goes_when_it_is_asked_for_again(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    stale = open_to_write(folder)
    withdraw(folder, "2068161", "its author asked for it")
    lists = page([*prose(6), f"<ul><li><a href='{url(1)}'>{RELATED}</a></li></ul>"], "With a list")
    take_in(stale, capture(lists, "2024-06-20T00:00:00", url(6)))
    publish(open_to_write(folder), folder)
    put_list(archive, "later", f"<p>{' '.join(SENTENCES)}</p>".encode())
    assert verify(folder).faults
    done = withdraw(folder, "kjd-c2068161@latest", "again")
    assert done.is_again
    assert {key.split("/")[0] for key in done.rewritten} == {"articles", "crawls"}
    assert holding(folder, SENTENCES[1]) == set()
    assert RELATED not in archive.store.read(next(archive.store.keys("articles/kjd/c2068166/"))).decode()
    assert [f for f in verify(folder).faults if f.kind not in {"crawl"}] == []
    withdraw(folder, "kjd-c2068161", "and again")
    assert [f for f in verify(folder).faults if f.kind not in {"crawl"}] == []


def test_a_page_that_was_set_aside_with_the_same_text_goes_too(archive: Archive, folder: Settings) -> None:
    unknown = b"<html><body><main>" + "".join(f"<p>{line}</p>" for line in TEXT).encode() + b"</main></body></html>"
    (aside,) = take_in(archive, capture(unknown, "2024-06-15T00:00:00", "https://v.daum.net/v/20240613230000002"))
    assert aside.verdict is Verdict.REJECTED
    fill(archive, folder)
    put_list(archive, "x", f"<p>{SENTENCES[1]}</p>".encode())
    done = withdraw(folder, "kjd-c2068161", "its author asked for it")
    assert any(key.startswith("quarantine/daum/20240613230000002/") for key in done.removed)
    assert holding(folder, SENTENCES[1]) == set()
    assert verify(folder).faults == []


def test_headlines_in_accounts_of_crawls_go_too(newsstand: World, bucket: Settings, opeds: Command) -> None:
    assert opeds("run", "--day", "2026-06-02", settings=bucket).code == 0
    row = next(row for row in listed(bucket) if row["source"] == "kjd")
    store = open_store(bucket)
    accounts = [key for key in store.keys("crawls/") if key.endswith(".json")]
    held = [key for key in accounts if row["headline"].encode() in store.read(key)]
    done = withdraw(bucket, row["article_id"], "its author asked for it")
    assert set(held) <= set(done.rewritten)
    assert [key for key in accounts if f'"title": "{row["headline"]}"'.encode() in store.read(key)] == []
    assert verify(bucket).faults == []


def test_no_bound_of_a_column_keeps_the_beginning_of_a_text(archive: Archive, folder: Settings) -> None:
    begins = "We do so as it is to be or not to be by me."
    take_in(
        archive,
        capture(page([begins, *prose(1)], "Zz to be or not to be is not what a is"), "2024-06-14T00:00:00", url(1)),
    )
    publish(archive, folder)
    take_in(archive, capture(page(prose(5), "Another"), "2024-06-18T00:00:00", url(5)))
    publish(archive, folder)
    assert holding(folder, begins[:40])
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    assert holding(folder, begins[:40]) == set()
    assert holding(folder, "Zz to be or not to be is not what a") == set()
    assert verify(folder).faults == []
    take_in(archive, capture(page(prose(6), "After it"), "2024-06-19T00:00:00", url(6)))
    publish(open_to_write(folder), folder)
    assert verify(folder).faults == []
    assert len(listed(folder)) == 2


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "after"), [(190, 210), (215, 195), *([(150, 210), (120, 140), (600, 580)] if LONG else [])]
)
def test_a_text_that_grew_or_shrank_is_known_again(before: int, after: int, archive: Archive, folder: Settings) -> None:
    words = " ".join(prose(1, 20)).split()

    def of(count: int) -> list[str]:
        return [" ".join(words[at : min(at + 40, count)]) + "." for at in range(0, count, 40)]

    take_in(archive, capture(page(of(before), "Once"), "2024-06-14T00:00:00", url(1)))
    publish(archive, folder)
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    (outcome,) = take_in(open_to_write(folder), capture(page(of(after), "Twice"), "2024-06-15T00:00:00", url(2)))
    assert outcome.verdict is Verdict.WITHDRAWN


def test_its_korean_half_alone_is_known_again(archive: Archive, folder: Settings) -> None:
    korean = [f"{KOREAN} 그리고 {n}번째 편지도 마찬가지로 아무 대답 없이 서랍 속에 남아 있었습니다." for n in range(8)]
    take_in(archive, capture(page([*prose(1), *korean], "Both"), "2024-06-14T00:00:00", url(1)))
    publish(archive, folder)
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    (outcome,) = take_in(open_to_write(folder), capture(page(korean, "Half"), "2024-06-15T00:00:00", url(2)))
    assert outcome.verdict is Verdict.WITHDRAWN


def test_lines_that_anyone_may_write_bind_nobody(archive: Archive, folder: Settings) -> None:
    take_in(archive, capture(page(["Cartoon by Park Yong-seok."], "Cartoon"), "2024-06-14T00:00:00", url(1)))
    publish(archive, folder)
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    later = open_to_write(folder)
    (outcome,) = take_in(later, capture(page(["Cartoon by Park Yong-seok."], "Rain"), "2024-06-15T00:00:00", url(2)))
    assert outcome.verdict is not Verdict.WITHDRAWN
    lists = page([*prose(6), f"<ul><li><a href='{url(3)}'>Cartoon</a></li></ul>"], "With a list")
    take_in(later, capture(lists, "2024-06-20T00:00:00", url(6)))
    assert b"[withdrawn]" not in b"".join(later.store.read(key) for key in later.store.keys("articles/"))


def test_two_of_one_second_that_rewrite_one_record_fit(
    archive: Archive, folder: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "Nobody in the village asked for it"
    links = f"<ul><li><a href='{url(1)}'>{RELATED}</a></li><li><a href='{url(9)}'>{other}</a></li></ul>"
    take_in(archive, capture(page([*prose(6), links], "With a list"), "2024-06-20T00:00:00", url(6)))
    fill(archive, folder)
    take_in(archive, capture(page(prose(9), other), "2024-06-18T00:00:00", url(9)))
    publish(archive, folder)
    monkeypatch.setattr(job, "iso", lambda _: "2026-11-27T00:00:00Z")
    withdraw(folder, "kjd-c2068169", "its author asked for it")
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    assert verify(folder).faults == []


def test_upkeep_logs_a_page_that_came_back_once(archive: Archive, folder: Settings) -> None:
    fill(archive, folder)
    withdraw(folder, "kjd-c2068161", "its author asked for it")
    later = open_to_write(folder)
    take_in(later, capture(page(TEXT, "Moved"), "2024-07-02T00:00:00", url(8)))
    seq = later.index.seq()
    for _ in range(2):
        upkeep(folder, lambda *_: None)
    assert open_to_write(folder).index.seq() == seq
    assert {fault.said for fault in verify(folder).faults} == {LEFT}
    withdraw(folder, "kjd-c2068161", "again")
    assert verify(folder).faults == []


def test_folders_have_no_versions(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    remover = FolderRemover(store.root)
    store.create("a/b", b"1")
    remover.rewrite("a/b", b"2")
    assert store.read("a/b") == b"2"
    remover.remove("a/b")
    remover.remove("a/b")
    assert remover.sweep("") == 0
