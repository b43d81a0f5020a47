"""The past from replicas of public archives, over real sockets: killed and continued, at their pace, nothing twice."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from newsstand.past import Past, build_past, with_week
from newsstand.server import Newsstand, parse_clock, running
from pipelines.archive.store import open_store
from pipelines.archive.warc import retrieval_of
from pipelines.catalogue.delta import location, query
from pipelines.catalogue.queries import drifted, periods, run_rows
from pipelines.jobs.past import AskedPast, planned
from pipelines.jobs.verify import verify
from pipelines.settings import Settings
from pipelines.sources import load_sources
from pipelines.sources.addresses import place_of
from pipelines.sources.public import load_archives
from tests.conftest import LONG, OPEDS, ROOT, Ran, command, environment_of, minutes, seldom, state

CLOCK = "2026-06-30T23:59"
PAST = "PAST" in os.environ  # `make test-past`: four thousand op-eds, twenty kills
WHOLE = ("--since", "2004-01", "--until", "2026-06")


@dataclass
class Bench:
    """A newsstand with a past, and commands that ask its archives a hundred times faster than is polite elsewhere."""

    stand: Newsstand
    environment: dict[str, str]
    settings: Settings

    def run(self, *arguments: str, settings: Settings | None = None, timeout: float = 3000, **more: str) -> Ran:
        opeds = [*OPEDS, *arguments]
        return command(opeds, settings or self.settings, self.environment | more, timeout)

    def asked(self, host: str = "web.archive.org") -> list[str]:
        """Return the addresses asked for, robots.txt left out."""
        return [e["url"] for e in self.stand.stand.log if e["host"] == host and not e["url"].endswith("/robots.txt")]


Benches = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path, quick_archives: Path) -> Iterator[Benches]:
    """Start a newsstand with a past."""
    open_ones = []

    def start(past: Past, clock: str = CLOCK) -> Bench:
        context = running(tmp_path, parse_clock(clock), seed=5, past=past)
        stand = context.__enter__()
        open_ones.append(context)
        environment = {
            **stand.environment(tmp_path),
            "OPEDS_SOURCES": str(quick_archives),
            "OPEDS_CONTACT": "t@example.org",
        }
        return Bench(stand, environment, fresh(tmp_path, "archive"))

    yield start
    for context in open_ones:
        context.__exit__(None, None, None)


def fresh(folder: Path, name: str) -> Settings:
    return Settings(archive=f"file://{folder / name}", home=folder / f"{name}-home", invented=True)


SMALL = {"first": "2004-01", "last": "2026-05", "a_month": 2, "step": 9}


def articles(settings: Settings) -> set[str]:
    return {row["article_id"] for row in query(location(settings, "articles"), "SELECT DISTINCT article_id FROM t")}


def good_and_other(past: Past, clock: str = CLOCK) -> tuple[set[str], set[str]]:
    """Return the articles with a good capture at an archive, and those with captures and no good one."""
    sources = load_sources().values()
    until = parse_clock(clock).astimezone(UTC).strftime("%Y%m%d%H%M%S")
    good, every = set(), set()
    for capture in past.captures:
        place = place_of(capture.url, sources)
        if place is None or capture.stamp > until or "/national/" in capture.url:
            continue
        every.add(place.article_id)
        is_good = capture.status == 200 and not (capture.cut or capture.leads or capture.states)
        if is_good and "amparticle" not in capture.url:
            good.add(place.article_id)
    return good, every - good


def wrong_moments(past: Past, settings: Settings) -> list[str]:
    """Return sightings under a moment at which no archive captured that article."""
    sources = load_sources().values()
    served = (capture for capture in past.captures if not capture.leads)
    known = {(place.article_id, capture.stamp) for capture in served if (place := place_of(capture.url, sources))}
    rows = query(location(settings, "sightings"), "SELECT article_id, fetched_at, obtained_at, via FROM t")
    assert {row["via"] for row in rows} <= {"wayback", "commoncrawl"}
    assert all(row["obtained_at"] > datetime(2026, 6, 30, tzinfo=UTC) for row in rows)
    told = ((row["article_id"], row["fetched_at"].astimezone(UTC).strftime("%Y%m%d%H%M%S")) for row in rows)
    return [f"{article_id} {stamp}" for article_id, stamp in told if (article_id, stamp) not in known]


def too_fast(stand: Newsstand, quick_archives: Path) -> list[str]:
    """Return which limits of the archives' files were exceeded in any minute, or second by second."""
    said = []
    for archive in load_archives(str(quick_archives)).values():
        for what, limit, wanted in (
            ("index", archive.index_per_minute, True),
            ("pages", archive.pages_per_minute, False),
        ):
            moments = sorted(
                datetime.fromisoformat(e["began"]).timestamp()
                for e in stand.stand.log
                if e["host"] in archive.hosts and ("/cdx/" in e["url"] or "-index?" in e["url"]) is wanted
                and not e["url"].endswith(("/robots.txt", "/collinfo.json"))
            )  # fmt: skip
            a_second = limit / 60
            counts = Counter(int(moment) for moment in moments)
            if any(count > a_second * 1.15 + 2 for count in counts.values()):
                said.append(f"{archive.name} {what}: {max(counts.values())} in a second, {a_second} are allowed")
    return said


def killed(bench: Bench, seconds: float, settings: Settings, *arguments: str) -> bool:
    """Start a command, kill it and its crawl after some seconds; return whether it was still at work."""
    opeds = [*OPEDS, *arguments]
    process = subprocess.Popen(
        opeds, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, **environment_of(settings), **bench.environment},
    )  # fmt: skip
    time.sleep(seconds)
    alive = process.poll() is None
    for pid in [*children(process.pid), process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
    return alive


def children(pid: int) -> list[int]:
    """Return all processes below one, the deepest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found += [*children(int(stat.parent.name)), int(stat.parent.name)]
    return found


@pytest.mark.long
@minutes
def test_killed_and_continued_it_is_equal_to_an_undisturbed_run(
    bench: Benches, tmp_path: Path, quick_archives: Path
) -> None:
    """Four thousand op-eds and twenty kills in `make test-past`; sixty and three otherwise."""
    past = build_past(3, "2004-01", "2026-05", a_month=16) if PAST else build_past(3, **SMALL)
    one = bench(past)
    began = time.monotonic()
    ran = one.run("past", "kjd", *WHOLE)
    took = time.monotonic() - began
    assert ran.code == 0, ran.err
    undisturbed, asked = state(one.settings), Counter(one.asked())
    cut = {f"{capture.stamp}id_/{capture.url}" for capture in past.captures if capture.cut}
    twice = [url for url, count in asked.items() if count > 1]
    assert all(url.partition("/web/")[2] in cut for url in twice), "only what broke off was asked for twice"
    assert undisturbed[1] == set()
    good, without = good_and_other(past)
    told = json.loads(one.run("renumbered", "kjd", "--json").out.splitlines()[-1])["done"]
    print(f"{len(past.opeds)} op-eds, {len(past.captures)} captures: {len(asked)} requests in {took:.0f} s; {told}")
    assert good <= articles(one.settings), sorted(good - articles(one.settings))[:5]
    named = {o["article_id"] for o in outcomes(one.settings) if o["verdict"] in {"FAILED", "REJECTED"}}
    assert without <= named, sorted(without - named)[:5]
    assert wrong_moments(past, one.settings) == []
    assert too_fast(one.stand, quick_archives) == []
    assert list(verify(one.settings).faults) == []
    assert drifted(one.settings) == [], "layouts of other years are no change of today's"

    again = fresh(tmp_path, "killed")
    kills, rng = 0, random.Random(11)
    del one.stand.stand.log[:]
    for _ in range(20 if PAST else 3):
        kills += killed(one, rng.uniform(3.5, took / (8 if PAST else 2)), again, "past", "kjd", *WHOLE)
    ran = one.run("past", "kjd", *WHOLE, settings=again)
    assert ran.code == 0, ran.err
    again_asked = sum(count - 1 for count in Counter(one.asked()).values())
    print(f"killed {kills} times: {again_asked} addresses asked for a second time")
    assert again_asked <= 2 * kills + len(cut)
    assert state(again) == undisturbed
    assert too_fast(one.stand, quick_archives) == []
    assert list(verify(again).faults) == []
    nothing = one.run("past", "kjd", *WHOLE, settings=again)
    assert "nothing new" in nothing.out
    assert sum(Counter(one.asked()).values()) - len(set(one.asked())) == again_asked, "a rerun asks for nothing"


def outcomes(settings: Settings) -> Iterator[dict[str, str]]:
    store = open_store(settings)
    for key in store.keys("runs/"):
        yield from json.loads(store.read(key))["outcomes"]


def is_unwitnessed(settings: Settings, outcome: dict[str, str]) -> bool:
    """Whether nobody can tell if a page has the digest that the index states: it was coded then."""
    key = outcome.get("capture_key", "")
    told = retrieval_of(open_store(settings).read(key), key) if key else None
    return told is not None and told.digest_fits == "unknown"


@pytest.fixture
def small(bench: Benches) -> Bench:
    """Two years of the past, with few captures."""
    return bench(build_past(9, "2011-03", "2012-02", a_month=3))


RANGE = ("--since", "2011-03", "--until", "2012-12")


def test_a_plan_asks_the_index_alone_and_tells_what_a_run_will_ask_for(small: Bench) -> None:
    ran = small.run("past", "kjd", *RANGE, "--plan", "--json")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    wanted = sum(line.get("wanted", 0) for line in lines)
    assert wanted > 20
    assert all("/cdx/" in url for url in small.asked())
    assert state(small.settings)[0] == set()
    before = len(small.asked())
    assert small.run("past", "kjd", *RANGE).code == 0
    pages = [url for url in small.asked() if "/cdx/" not in url]
    assert len(small.asked()) - before == len(pages), "the index is known"
    public = load_archives()["wayback"]
    asked = AskedPast("kjd", "wayback", "2011-03", "2012-12")
    months = [f"{year}-{month:02d}" for year in (2011, 2012) for month in range(1, 13)][2:]
    left = planned(small.settings, asked, public, months, lambda *_: None)
    assert sum(year.wanted for year in left.years) == 0
    assert wanted <= len(pages) <= wanted + 12, "a page that is no good leads to the next capture"
    assert "about" in small.run("past", "kjd", *RANGE, "--plan").out


def test_status_tells_it_apart_from_lists_that_were_read(small: Bench) -> None:
    small.run("past", "kjd", *RANGE)
    rows = periods(small.settings, run_rows(small.settings))
    assert {row["archive"] for row in rows} == {"wayback"}
    assert sum(row["had"] for row in rows) > 20
    said = small.run("status").out
    assert "known from public archives" in said
    assert "what they do not have proves nothing" in said
    assert not any(row["complete"] for row in query(location(small.settings, "runs"), "SELECT complete FROM t"))


def test_a_page_is_filed_at_the_moment_that_the_archive_served(bench: Benches) -> None:
    """And one whose index states another digest is set aside, and the next capture asked for."""
    past = build_past(21, "2011-03", "2012-02", a_month=3)
    assert all(any(getattr(capture, what) for capture in past.captures) for what in ("leads", "states", "cut"))
    one = bench(past)
    assert one.run("past", "kjd", *RANGE).code == 0
    assert wrong_moments(past, one.settings) == []
    good, _ = good_and_other(past)
    assert good == articles(one.settings)
    assert list(verify(one.settings).faults) == []


@pytest.mark.long
@minutes
def test_a_limit_ends_it_and_the_next_run_goes_on(small: Bench, tmp_path: Path) -> None:
    for _ in range(3):
        ran = small.run("past", "kjd", *RANGE, "--limit", "5")
        assert ran.code == 0, ran.err
    assert len([url for url in small.asked() if "/cdx/" not in url]) == 15
    small.run("past", "kjd", *RANGE)
    other = fresh(tmp_path, "other")
    small.run("past", "kjd", *RANGE, settings=other)
    assert state(small.settings) == state(other)


@pytest.mark.long
@minutes
def test_by_hand_the_plain_spider_brings_the_same(small: Bench, tmp_path: Path) -> None:
    told = ("-a", "source=kjd", "-a", "archive=wayback", "-a", "since=2011-03", "-a", "until=2012-12")
    settings = fresh(tmp_path, "by-hand")
    ran = command([sys.executable, "-m", "scrapy", "crawl", "archived", *told], settings, small.environment)
    assert ran.code == 0, ran.err
    assert "To archive it: opeds ingest --crawls" in ran.out
    assert small.run("ingest", "--crawls", settings=settings).code == 0
    small.run("past", "kjd", *RANGE)
    assert state(settings) == state(small.settings)
    assert list(verify(settings).faults) == []
    for wrong, said in (
        ("since=2011", "is no month"),
        ("archive=x", "unknown archive"),
        ("month=1", "unknown argument"),
    ):
        refused = command(
            [sys.executable, "-m", "scrapy", "crawl", "archived", *told, "-a", wrong], settings, small.environment
        )
        assert (refused.code, said in refused.err) == (2, True), refused.err


def test_all_captures_bring_corrections_as_versions(small: Bench) -> None:
    assert small.run("past", "kjd", *RANGE, "--all-captures").code == 0
    rows = query(location(small.settings, "articles"), "SELECT article_id, kind_of_change FROM t")
    assert sum(row["kind_of_change"] == "text_added" for row in rows) >= 2
    assert list(verify(small.settings).faults) == []


@minutes
@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("archive-429", 1, "asked us 3 times to slow down"),
        ("archive-429-silent", 1, "asked us 3 times to slow down"),
        ("archive-503", 1, "is busy or silent"),
        ("archive-html", 1, "the index answered something else"),
        ("archive-robots", 1, "robots.txt of web.archive.org keeps us from asking"),
        ("robots-503@web.archive", 1, "robots.txt of web.archive.org keeps us from asking"),
    ],
)
def test_an_archive_that_sends_us_away_ends_the_run_with_its_place_kept(
    small: Bench, fault: str, code: int, said: str
) -> None:
    small.stand.stand.fault(fault)
    ran = small.run("past", "kjd", *RANGE)
    assert (ran.code, said in ran.out) == (code, True), ran
    assert "Traceback" not in ran.err
    small.stand.stand.fault("none")
    assert small.run("past", "kjd", *RANGE).code == 0
    good, _ = good_and_other(small.stand.stand.past or build_past())
    assert good == articles(small.settings)


@pytest.mark.long
@minutes
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("archive-excluded@/web/", "the archive refuses it"),
        ("archive-other-bytes", "rejected"),
        ("archive-rewritten", "the archive changed the page"),
        ("archive-half", "truncated"),
    ],
)
def test_pages_that_are_no_good_are_told_and_never_archived(small: Bench, fault: str, reason: str) -> None:
    small.stand.stand.fault(fault)
    ran = small.run("past", "kjd", "--since", "2011-03", "--until", "2011-04")
    assert "Traceback" not in ran.err
    unwitnessed = {o["article_id"] for o in outcomes(small.settings) if is_unwitnessed(small.settings, o)}
    assert articles(small.settings) == unwitnessed
    told = [o for o in outcomes(small.settings)]
    assert told
    if fault.startswith("archive-other"):
        others = [o for o in told if o["article_id"] not in unwitnessed]
        assert others
        assert {o["verdict"] for o in others} <= {"REJECTED", "FAILED"}
    elif fault.startswith("archive-excluded"):
        assert ran.code == 1, "three refusals in a row"
        assert "refused" in ran.out
    else:
        assert any(reason in text for o in told for text in o.get("reasons", ()))
    count = Counter(small.asked())
    assert max(count.values()) <= (3 if "half" in fault else 1), "a refused address is not asked again"


@pytest.mark.long
@minutes
def test_a_moment_that_the_archive_does_not_tell_is_that_of_its_address(small: Bench) -> None:
    small.stand.stand.fault("archive-dateless")
    assert small.run("past", "kjd", "--since", "2011-03", "--until", "2011-06").code == 0
    assert wrong_moments(small.stand.stand.past or build_past(), small.settings) == []


def test_the_real_pace_is_kept(small: Bench) -> None:
    """One month by the shipped file's limits: 24 index requests a minute, a page every two seconds."""
    real = {"OPEDS_SOURCES": ""}
    ran = small.run("past", "kjd", "--since", "2011-03", "--limit", "4", **real)
    assert ran.code == 0, ran.err
    entries = [e for e in small.stand.stand.log if e["host"] == "web.archive.org"]
    for what, gap in (("/cdx/", 2.5), ("/web/", 2.0)):
        moments = [datetime.fromisoformat(e["began"]).timestamp() for e in entries if what in e["url"]]
        gaps = [after - before for before, after in pairwise(moments)]
        assert gaps, what
        assert min(gaps) > gap - 0.1


@pytest.mark.long
@minutes
def test_common_crawl_brings_records_as_they_were_finished(bench: Benches) -> None:
    past = build_past(9, "2024-01", "2024-12", a_month=6)
    one = bench(past)
    ran = one.run("past", "kjd", "--from", "commoncrawl", "--since", "2024-01", "--until", "2025-12")
    assert ran.code == 0, ran.err
    assert len(articles(one.settings)) > 15
    assert wrong_moments(past, one.settings) == []
    assert list(verify(one.settings).faults) == []
    assert max(Counter(e["url"] for e in one.stand.stand.log if "-index?" in e["url"]).values()) == 1
    found = [e for e in one.stand.stand.log if e["host"] == "data.commoncrawl.org" and "robots" not in e["url"]]
    assert {e["status"] for e in found} == {206}


@pytest.mark.parametrize("order", [seldom("live first"), "past first"])
def test_what_was_seen_long_ago_is_the_older_version_in_either_order(
    bench: Benches, tmp_path: Path, order: str
) -> None:
    """The week of the demo, live and from an archive: one version each where they are equal."""
    stand_past = build_past(9, "2026-05", "2026-05", a_month=1)
    one = bench(stand_past, clock="2026-06-12T12:00")
    one.stand.stand.past = with_week(stand_past, one.stand.stand.world)
    live = ("run", "--since", "2026-06-01", "--until", "2026-06-05", "--source", "kjd")
    archived = ("past", "kjd", "--since", "2026-05", "--until", "2026-06")
    for arguments in (live, archived) if order == "live first" else (archived, live):
        ran = one.run(*arguments)
        assert ran.code == 0, ran
    alone = fresh(tmp_path, "alone")
    assert one.run(*live, settings=alone).code == 0
    groups = "SELECT article_id, content16, oped_id FROM t WHERE article_id IN (SELECT article_id FROM t)"
    of_live = {tuple(row.values()) for row in query(location(alone, "articles"), groups)}
    of_both = {tuple(row.values()) for row in query(location(one.settings, "articles"), groups)}
    assert of_live <= of_both
    extra = {row for row in of_both - of_live if row[0] in {name for name, _, _ in of_live}}
    latest = "SELECT article_id, content16 FROM t WHERE is_latest"
    now = {row["article_id"]: row["content16"] for row in query(location(alone, "articles"), latest)}
    then = {row["article_id"]: row["content16"] for row in query(location(one.settings, "articles"), latest)}
    assert {name: then[name] for name in now} == now, "an archived capture makes no newer version"
    assert all(content16 != now[name] for name, content16, _ in extra), "only what stood there before"
    assert list(verify(one.settings).faults) == []


@pytest.mark.long
@pytest.mark.parametrize("kind", ["????????/*/*.json.gz", "asked/*/*.json", "????-??/*.json"])
@pytest.mark.parametrize("way", ["a byte flipped", "gone", "cut short", "emptied", "another's"][: None if LONG else 2])
def test_what_was_altered_of_it_is_named(year: Settings, copied: Path, kind: str, way: str) -> None:
    """Answers of the index, notes of what was asked for, accounts of months."""
    paths = sorted((copied / "crawls" / "kjd" / "past" / "wayback").glob(kind))
    path, other, body = paths[0], paths[1].read_bytes(), bytearray(paths[0].read_bytes())
    body[len(body) // 2] ^= 1
    new = {"a byte flipped": bytes(body), "cut short": bytes(body[:40]), "emptied": b"", "another's": other}
    path.unlink() if way == "gone" else path.write_bytes(new[way])
    found = verify(replace(year, archive=f"file://{copied}")).faults
    assert {one.key for one in found} == {path.relative_to(copied).as_posix()}, found


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory, quick_archives: Path) -> Settings:
    """An archive of a year of the past."""
    folder = tmp_path_factory.mktemp("year")
    settings = fresh(folder, "archive")
    with running(folder, parse_clock(CLOCK), past=build_past(9, "2011-03", "2011-08", a_month=3)) as stand:
        more = {**stand.environment(folder), "OPEDS_SOURCES": str(quick_archives), "OPEDS_CONTACT": "t@example.org"}
        ran = Bench(stand, more, settings).run("past", "kjd", "--since", "2011-03", "--until", "2011-08")
        assert ran.code == 0, ran.err
    return settings


@pytest.fixture
def copied(year: Settings, tmp_path: Path) -> Path:
    """A copy of it, to be altered."""
    return Path(shutil.copytree(year.archive.removeprefix("file://"), tmp_path / "copy"))


def test_an_index_that_goes_round_in_a_circle_ends_the_run(small: Bench) -> None:
    small.stand.stand.fault("archive-circle")
    ran = small.run("past", "kjd", *RANGE)
    assert (ran.code, "goes round in a circle" in ran.out) == (1, True), ran


@minutes
@pytest.mark.long
def test_twenty_years_are_planned_in_a_minute_from_a_stored_index(bench: Benches) -> None:
    one = bench(build_past(3, "2004-01", "2026-05", a_month=16))
    first = one.run("past", "kjd", *WHOLE, "--plan")
    assert first.code == 0, first.err
    began = time.monotonic()
    assert one.run("past", "kjd", *WHOLE, "--plan").code == 0
    took = time.monotonic() - began
    print(f"planned from a stored index in {took:.0f} s; {first.out.splitlines()[-1]}")
    assert took < 60
    (answers,) = re.findall(r"index: ([\d,]+) answers", first.out.replace("\n", " "))
    assert int(answers.replace(",", "")) <= 24 * 30, "half an hour at the real limit"
