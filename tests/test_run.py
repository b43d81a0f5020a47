"""The whole way as a user goes it: two looks at a week, errors, dry runs, and what consumers read."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.table import Table

from pipelines.archive import embedded
from pipelines.archive.store import open_store
from pipelines.cli.progress import console
from pipelines.clock import today
from pipelines.index.opened import open_to_write
from pipelines.settings import Settings
from tests.conftest import ROOT, Command, World, command, environment_of, seldom, state

WEEK = ("--since", "2026-06-01", "--until", "2026-06-07")


def listed(opeds: Command, settings: Settings) -> list[dict[str, object]]:
    return [json.loads(line) for line in opeds("list", "--json", settings=settings).out.splitlines()]


def test_a_week_and_a_second_look_four_days_later(
    opeds: Command, newsstand: World, bucket: Settings, seaweed: Settings
) -> None:
    newsstand.stand.stand.fault("empty-body@/2595325$")
    first = opeds("run", *WEEK, settings=bucket)
    assert first.code == 0, first.err
    assert "complete: 2026-06-01 to 2026-06-07" in first.out
    rows = listed(opeds, bucket)
    assert len(rows) == 14, "the newspaper's op-eds; the portal's copies are places of theirs, its news is not listed"
    assert sum(len(row["places"]) == 2 for row in rows) == 7  # type: ignore[arg-type]
    before = list(open_store(bucket).keys(""))

    again = opeds("run", *WEEK, "--json", settings=bucket)
    told = [json.loads(line) for line in again.out.splitlines()]
    assert [line["complete"] for line in told if "day" in line] == [True] * 7
    verdicts = [line["verdict"] for line in told if "verdict" in line]
    assert sorted(set(verdicts)) == ["REJECTED", "UNCHANGED"]
    new = set(open_store(bucket).keys("")) - set(before)
    assert not [key for key in new if key.startswith(("articles/", "captures/", "quarantine/"))]

    newsstand.advance("2026-06-11T08:00")
    later = opeds("run", *WEEK, "--json", settings=bucket)
    revised = [json.loads(line) for line in later.out.splitlines() if '"verdict": "REVISED"' in line]
    assert {outcome["article_id"] for outcome in revised} == {"kjd-c2595396", "kjd-c2595609"}
    shown = json.loads(opeds("show", "kjd-c2595609", "--json", settings=bucket).out)
    assert shown["is_latest"]
    assert shown["previous"] == shown["versions"][0]
    assert shown["kind_of_change"] == "text_added+correction_note"
    assert state(bucket)[1] == set(), "no orphan"
    page = opeds("show", "kjd-c2595609", settings=bucket).out
    assert "versions" in page
    differs = opeds("show", "kjd-c2595609", "--diff", settings=bucket).out
    assert re.search(r"text_added, correction_note: \d+ words new, 0 gone", differs)
    assert "{+" in differs
    shown_as_page = opeds("show", "kjd-c2595609", "--diff", "--html", settings=bucket).out
    assert "<ins>" in shown_as_page
    first = opeds("show", "kjd-c2595608", "--diff", settings=bucket)
    assert (first.code, len(first.err.splitlines())) == (1, 1)
    assert opeds("status", settings=bucket).out.count("complete") == 7 + 1
    _consumers_read_it_with_the_reader_key_alone(bucket, seaweed)


def _consumers_read_it_with_the_reader_key_alone(bucket: Settings, seaweed: Settings) -> None:
    reader = replace(embedded.reach(Settings(home=seaweed.home), "reader"), archive=bucket.archive)
    readme = (ROOT / "README.md").read_text()
    for name, expected in (("duckdb_read.py", "editorial"), ("polars_read.py", "oped_id")):
        file = ROOT / "docs" / "examples" / name
        assert f"docs/examples/{name}" in readme, "what stands in the README is what runs here"
        assert not re.search(r"import (pipelines|spiders)|from (pipelines|spiders)", file.read_text())
        ran = command([sys.executable, str(file)], None, environment_of(reader))
        assert ran.code == 0, ran.err
        assert expected in ran.out


def test_a_plan_fetches_and_writes_nothing(opeds: Command, newsstand: World, folder: Settings) -> None:
    planned = opeds("plan", "--day", "2026-06-02", settings=folder)
    assert planned.code == 0, planned.err
    assert "a dry run" in planned.out
    assert list(open_store(folder).keys("")) == []
    assert not (folder.home / "index").exists()
    assert "no archive here" in opeds("list", settings=folder).err


def test_a_run_by_hand_of_one_source(opeds: Command, newsstand: World, folder: Settings) -> None:
    ran = opeds("run", "--day", "2026-06-02", "--source", "daum", settings=folder)
    assert ran.code == 0, ran.err
    assert {entry["host"] for entry in newsstand.stand.stand.log} == {"v.daum.net"}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("run", "--day", "tomorrow"), 2, "'tomorrow' is no day; write it as 2026-06-01"),
        (("run",), 2, "which day?"),
        (("run", "--since", "2026-06-02", "--until", "2026-06-01"), 2, "lies before"),
        (("run", "--day", "2026-06-01", "--source", "nyt"), 2, "unknown source 'nyt'; there are: daum, kjd"),
        (("ingest", "/nowhere.warc.gz"), 2, "cannot read /nowhere.warc.gz"),
        (("show", "kjd-c1"), 1, "is not in the archive; `opeds list` shows what is"),
        (("show", "'; drop"), 2, "is no id"),
        (("extract", "/nowhere.html", "--url", "https://x"), 2, "cannot read /nowhere.html"),
        (("dedupe", "/nowhere.jsonl"), 2, "cannot read /nowhere.jsonl"),
        (("store", "status"), 2, "is about the embedded one"),
    ],
)
def test_mistakes_get_one_clear_sentence(
    arguments: tuple[str, ...], code: int, sentence: str, opeds: Command, newsstand: World, folder: Settings
) -> None:
    open_to_write(folder)
    ran = opeds(*arguments, settings=folder)
    assert (ran.code, len(ran.err.strip().splitlines())) == (code, 1)
    assert ran.err.startswith("opeds: ")
    assert sentence in ran.err


def test_no_store_wrong_key_and_missing_bucket_are_told_apart(
    opeds: Command, newsstand: World, bucket: Settings
) -> None:
    cases = {
        "refuses this key": replace(bucket, secret_key="wrong"),
        "does not answer": replace(bucket, endpoint="http://127.0.0.1:9"),
        "no credentials": replace(bucket, access_key="", secret_key=""),
    }
    for sentence, settings in cases.items():
        ran = opeds("run", "--day", "2026-06-02", settings=settings)
        assert (ran.code, len(ran.err.strip().splitlines())) == (1, 1), ran.err
        assert sentence in ran.err


def test_robots_that_forbid_leave_the_day_incomplete(opeds: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault("robots-deny")
    ran = opeds("run", "--day", "2026-06-02", "--source", "kjd", settings=folder)
    assert "DISALLOWED: robots.txt forbids it" in ran.out
    assert not list(open_store(folder).keys("captures/"))


def test_dead_lists_leave_the_day_incomplete_and_say_which(opeds: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault("empty-listing@columns")
    ran = opeds("run", "--day", "2026-06-02", "--source", "kjd", settings=folder)
    assert ran.code == 1
    assert "2026-06-02 is not complete: kjd: columns: 0 items" in ran.out
    assert "incomplete" in opeds("status", settings=folder).out
    newsstand.stand.stand.fault("none")
    assert opeds("run", "--day", "2026-06-02", "--source", "kjd", settings=folder).code == 0
    assert "daum: not crawled" in opeds("status", settings=folder).out, "one source is not the whole day"
    assert opeds("run", "--day", "2026-06-02", "--source", "daum", settings=folder).code == 0
    assert "incomplete" not in opeds("status", settings=folder).out, "its runs together read every section"


def test_a_day_that_is_not_over_is_not_complete(opeds: Command, folder: Settings) -> None:
    ran = opeds("run", "--day", str(today()), settings=folder)
    assert (ran.code, "the day is not over in Seoul" in ran.out) == (1, True)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        seldom(lambda good: b"", "no web archive, but an empty file"),
        seldom(lambda good: b"<html>no warc</html>", "no web archive, but HTML or XML"),
        (lambda good: good[: len(good) * 2 // 3], "ends in the middle of a record"),
        (lambda good: good[:300], "bad.warc.gz, at byte 0: the file ends in the middle of a record"),
    ],
)
def test_a_broken_warc_gives_what_it_holds_and_one_sentence(
    make: object, sentence: str, opeds: Command, scrapy: Command, newsstand: World, folder: Settings
) -> None:
    good, bad = folder.home / "good.warc.gz", folder.home / "bad.warc.gz"
    folder.home.mkdir()
    scrapy("crawl", "kjd", "-a", "since=2026-06-02", "-a", f"warc={good}", settings=folder)
    bad.write_bytes(make(good.read_bytes()))  # type: ignore[operator]
    ran = opeds("ingest", str(bad), settings=folder)
    assert ran.code == 1
    assert sentence in " ".join(ran.out.split())
    whole = opeds("ingest", str(good), settings=folder)
    assert whole.code == 0
    assert len(listed(opeds, folder)) == 3
    assert state(folder)[1] == set()


def test_a_warc_of_another_site_adds_nothing_and_says_so(opeds: Command, newsstand: World, folder: Settings) -> None:
    from tests.conftest import capture, exchange, page, prose

    folder.home.mkdir()
    file = folder.home / "other.warc.gz"
    from pipelines.archive.warc import page_file

    file.write_bytes(page_file(exchange(capture(page(prose(1)), "2024-06-14T00:00:00", "https://example.org/a")), {}))
    ran = opeds("ingest", str(file), settings=folder)
    assert ran.code == 0
    assert "1 answers of another site" in ran.out


def test_what_a_warc_holds_besides_is_counted_by_kind_with_addresses_that_nobody_knew(
    opeds: Command, newsstand: World, folder: Settings
) -> None:
    from pipelines.archive.warc import page_file
    from tests.conftest import C_URL, capture, exchange, page, prose

    folder.home.mkdir()
    site = "https://koreajoongangdaily.joins.com"
    html = capture(page(prose(1)), "2024-06-14T00:00:00")
    image = replace(html, url=f"{site}/a.png", headers=(("Content-Type", "image/png"), ("X-Invented", "tests")))
    answers = [
        html,
        replace(html, url=C_URL.replace("opinion/editorials", "business/industry").replace("2068163", "2068164")),
        *(replace(html, url=f"{site}/section/opinion/new/{n}") for n in range(5)),
        image,
        replace(html, url="https://example.org/a"),
        replace(html, url=f"{site}/gone", status=404),
    ]
    file = folder.home / "all.warc.gz"
    file.write_bytes(b"".join(page_file(exchange(one), {}) for one in answers))
    told = json.loads(opeds("ingest", str(file), "--json", settings=folder).out.splitlines()[-1])["done"]
    assert told["skipped"] == {
        "of another section": 1,
        "of kjd, at addresses that name no article": 5,
        "of kjd, but no pages (image/png)": 1,
        "of another site": 1,
        "not answered 200": 1,
    }
    assert told["examples"]["of kjd, at addresses that name no article"] == [
        f"{site}/section/opinion/new/{n}" for n in range(3)
    ]
    assert told["records"] == {"response": 10, "request": 10, "metadata": 10}
    assert told["answers"] == {"200": 9, "404": 1}
    assert sum(told["skipped"].values()) + sum(told["outcomes"].values()) == len(answers)


def test_one_page_by_hand_prints_one_object(opeds: Command, newsstand: World, tmp_path: Path) -> None:
    from tests.conftest import C_URL, page, prose

    file = tmp_path / "page.html"
    file.write_bytes(page(prose(1)))
    told = json.loads(opeds("extract", str(file), "--url", C_URL, settings=None).out)
    assert (told["status"], told["article_id"], told["extractor"]) == ("ok", "kjd-c2068163", "opeds/kjd-c")
    assert told["text"].split("\n\n") == prose(1)
    elsewhere = json.loads(opeds("extract", str(file), "--url", "https://example.org/a", settings=None).out)
    assert elsewhere["status"] == "drift"


def test_dedupe_answers_each_line_in_order(opeds: Command, newsstand: World, tmp_path: Path) -> None:
    from tests.conftest import prose

    one, two = "\n".join(prose(1, 9)), "\n".join(prose(2, 9))
    file = tmp_path / "texts.jsonl"
    texts = {"a": one, "b": two, "c": f"{one}\nCopyright of nobody.", "d": f"{one}\n{two}"}
    file.write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in texts.items()))
    told = [json.loads(line) for line in opeds("dedupe", str(file), settings=None).out.splitlines()]
    assert [(t["id"], t["group"], t["relation"], t["of"]) for t in told] == [
        ("a", "a", "primary", None),
        ("b", "b", "none", None),
        ("c", "a", "same", "a"),
        ("d", "d", "contains", told[3]["of"]),
    ]
    file.write_text('{"id": 1}\n')
    assert "line 1 is no document" in opeds("dedupe", str(file), settings=None).err


def test_the_embedded_store_starts_by_itself_and_stops_when_told(
    opeds: Command, newsstand: World, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home")
    try:
        assert opeds("store", "status", settings=settings).code == 1
        assert "no archive here" in opeds("list", settings=settings).err, "looking starts none"
        assert "answers at" in opeds("store", "start", settings=settings).out
        assert "no archive here" in opeds("list", settings=settings).err, "it is empty"
        assert opeds("index", "init", settings=settings).code == 0
        assert "nothing is published yet" in opeds("list", settings=settings).out
        assert "answers at http://127.0.0.1" in opeds("store", "status", settings=settings).out
        assert "export AWS_ACCESS_KEY_ID=" in opeds("store", "key", settings=settings).out
    finally:
        assert "is stopped" in opeds("store", "stop", settings=settings).out


def test_what_others_wrote_is_shown_letter_by_letter() -> None:
    table = Table()
    table.add_row("A vote :x: at 10:30")
    with console.capture() as shown:
        console.print("root:x:0:0")
        console.print(table)
    assert "root:x:0:0" in shown.get()
    assert "A vote :x: at 10:30" in shown.get()
