"""What a scheduler calls, called without one: each task once, twice, in pieces, against a site that misbehaves."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType

import pytest

from newsstand.pages import JOINS, c_path
from pipelines.archive import manifests
from pipelines.archive.crawl_summary import Summary, Tried, parse_summary, summary_body
from pipelines.archive.keys import crawl_key
from pipelines.archive.manifests import RouteReport
from pipelines.archive.store import open_store
from pipelines.catalogue.delta import location, open_table
from pipelines.catalogue.queries import days
from pipelines.clock import SEOUL, iso, now, today
from pipelines.errors import (
    DayIncomplete,
    FixityFailed,
    NoArchive,
    NotificationFailed,
    SiteBusy,
    SiteRefused,
    WrongUsage,
)
from pipelines.index.opened import open_to_write
from pipelines.jobs import tasks
from pipelines.jobs.connection import with_connection
from pipelines.jobs.day import close
from pipelines.jobs.tasks import Closed, Run, Share
from pipelines.model import Shard
from pipelines.settings import Settings
from tests.conftest import C_URL, Command, World, environment_of, page, prose, state, take_in
from tests.conftest import capture as captured

DAY = "2026-06-02"


class Meter(dict[str, int]):
    """Stands for Airflow's counters."""

    def __call__(self, name: str, count: int) -> None:
        self[name] = self.get(name, 0) + count


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def archive_of(folder: Settings, newsstand: World, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The environment of a task: a folder for an archive, and the newsstand to ask."""
    for name, value in {**newsstand.environment, **environment_of(folder)}.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    return folder


def all_shares(run: Run) -> list[Share]:
    """Return the shares of every source of a run."""
    return [share for source in run["sources"] for share in tasks.shares(run, source)]


def run_of(run_id: str, day: str, at: str, *sources: str, wanted: Sequence[str] = ()) -> Run:
    """Return a run of these sources, which are all that are wanted unless others are named."""
    names = list(wanted or sources)
    return Run(id=run_id, day=day, at=at, sources=list(sources), wanted=names, unknown=[], addresses={})


def whole_day(meter: Meter, day: str = DAY) -> Closed:
    """Take the steps as the DAG does."""
    run = tasks.discover(day)
    for source in run["sources"]:
        tasks.crawl(run, source, meter)
    return finished(run, meter)


def finished(run: Run, meter: Meter) -> Closed:
    """Take the steps behind the crawls."""
    for share in all_shares(run):
        tasks.ingest_share(share, meter)
    closed = tasks.close_day(run)
    tasks.publish_catalogue()
    return closed


def objects(settings: Settings) -> set[str]:
    return {key for key in open_store(settings).keys("") if not key.startswith(("crawls/", "runs/", "catalogue/"))}


def test_the_steps_of_a_day_come_to_what_a_run_comes_to(
    archive_of: Settings, opeds: Command, meter: Meter, tmp_path: Path
) -> None:
    closed = whole_day(meter)
    assert (closed["day"], closed["complete"], closed["missing"]) == (DAY, True, 0)
    by_hand = replace(archive_of, archive=f"file://{tmp_path / 'other'}", home=tmp_path / "other-home")
    assert opeds("run", "--day", DAY, settings=by_hand).code == 0
    assert state(archive_of) == state(by_hand)
    assert state(archive_of)[1] == set(), "no orphan"
    tasks.report(closed)
    assert meter["opeds.kjd.archived"] == 3
    assert {"opeds.kjd.crawled", "opeds.kjd.bytes", "opeds.kjd.seconds", "opeds.daum.archived"} <= set(meter)


def test_every_step_may_be_taken_twice(archive_of: Settings, newsstand: World, meter: Meter) -> None:
    run = tasks.discover(DAY)
    counts = {source: tasks.crawl(run, source, meter) for source in run["sources"]}
    closed = finished(run, meter)
    before, asked = set(open_store(archive_of).keys("")), len(newsstand.paths())
    assert {source: tasks.crawl(run, source, meter) for source in run["sources"]} == counts
    assert finished(run, meter) == closed
    assert len(newsstand.paths()) == asked, "a crawl that was finished is not made again under the same run"
    assert set(open_store(archive_of).keys("")) == before


def test_the_calendar_knows_a_day_before_it_is_published(archive_of: Settings, meter: Meter) -> None:
    run = tasks.discover(DAY)
    for source in run["sources"]:
        tasks.crawl(run, source, meter)
    for share in all_shares(run):
        tasks.ingest_share(share, meter)
    tasks.close_day(run)
    (day,) = days(archive_of)
    assert (day["day"], day["complete"], day["outcomes"]) == (DAY, True, {"NEW": 5, "UNLISTED": 1})
    tasks.publish_catalogue()
    assert days(archive_of) == [day]


def test_a_day_looked_at_afresh_adds_no_article(archive_of: Settings, meter: Meter) -> None:
    whole_day(meter)
    before, rows = objects(archive_of), state(archive_of)
    assert whole_day(meter)["complete"]
    assert (objects(archive_of), state(archive_of)) == (before, rows)


def test_a_busy_site_is_asked_again_and_the_day_becomes_whole(
    archive_of: Settings, newsstand: World, meter: Meter
) -> None:
    newsstand.stand.stand.fault("flaky-503")
    run = tasks.discover(DAY)
    for _ in range(2):
        with pytest.raises(SiteBusy, match="try again later"):
            tasks.crawl(run, "kjd", meter)
    newsstand.stand.stand.fault("none")
    for source in run["sources"]:
        tasks.crawl(run, source, meter)
    names = [key.rpartition("/")[2] for key in open_store(archive_of).keys(f"crawls/kjd/{DAY}/") if "json" in key]
    assert names == [f"{run['id']}-2.json", f"{run['id']}-3.json", f"{run['id']}.json"], "each try has its account"
    assert finished(run, meter)["complete"]


@pytest.mark.parametrize("fault", ["refuse-403", "ua-403", "robots-deny"])
def test_a_site_that_refuses_leaves_a_day_that_says_so(
    fault: str, archive_of: Settings, newsstand: World, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    newsstand.stand.stand.fault(fault if fault != "ua-403" else "refuse-403@/news/")
    run = tasks.discover(DAY)
    with pytest.raises(SiteRefused, match="look before asking again"):
        tasks.crawl(run, "kjd", meter)
    newsstand.stand.stand.fault("none")
    tasks.crawl(run, "daum", meter)
    closed = finished(run, meter)
    assert not closed["complete"]
    with pytest.raises(DayIncomplete, match=f"{DAY} is not complete: kjd"):
        tasks.report(closed)


@pytest.mark.parametrize("fault", ["robots-503", "robots-429"])
def test_robots_that_cannot_be_read_are_no_refusal(
    fault: str, archive_of: Settings, newsstand: World, meter: Meter
) -> None:
    newsstand.stand.stand.fault(fault)
    with pytest.raises(SiteBusy):
        tasks.crawl(tasks.discover(DAY), "kjd", meter)
    assert {path for path in newsstand.paths()} == {"/robots.txt"}


def test_a_changed_layout_is_no_reason_to_ask_again(archive_of: Settings, newsstand: World, meter: Meter) -> None:
    newsstand.stand.stand.fault("empty-listing@columns")
    closed = whole_day(meter)
    assert not closed["complete"], "a section that was not read is never silently complete"
    closing = manifests.manifest_at(open_store(archive_of), closed["seq"]).closing
    assert closing is not None
    assert closing.missing[0].startswith("kjd: columns: 0 items")


def test_a_crawl_that_left_nothing_leaves_the_day_incomplete(archive_of: Settings, meter: Meter) -> None:
    run = tasks.discover(DAY)
    tasks.crawl(run, "daum", meter)
    closed = finished(run, meter)
    assert (closed["complete"], closed["missing"]) == (False, 1)


def test_what_was_not_taken_in_keeps_a_day_from_being_complete(archive_of: Settings, meter: Meter) -> None:
    run = tasks.discover(DAY)
    for source in run["sources"]:
        tasks.crawl(run, source, meter)
    closed = tasks.close_day(run)
    closing = manifests.manifest_at(open_store(archive_of), closed["seq"]).closing
    assert closing is not None
    assert "captures were not ingested" in closing.missing[0]
    assert finished(run, meter)["complete"], "and closing it again, after they were, says so"


@pytest.fixture
def alarm() -> Iterator[None]:
    """Airflow ends a task that takes too long by an exception in its main thread; so does this, after two seconds."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_task_out_of_time_ends_its_crawl_and_what_came_is_used(
    archive_of: Settings, newsstand: World, meter: Meter, alarm: None
) -> None:
    newsstand.stand.stand.fault("slow@/news/2026")
    run = tasks.discover(DAY)
    signal.setitimer(signal.ITIMER_REAL, 5)
    with pytest.raises(TimeoutError):
        tasks.crawl(run, "kjd", meter)
    assert not crawling(run["id"]), "the whole process group is gone"
    newsstand.stand.stand.fault("none")
    tasks.crawl(run, "daum", meter)
    closed = finished(run, meter)
    assert not closed["complete"]
    closing = manifests.manifest_at(open_store(archive_of), closed["seq"]).closing
    assert closing is not None
    assert "kjd: the crawl ended early (shutdown)" in closing.missing
    kept = {key.split("/")[2] for key in open_store(archive_of).keys("captures/kjd/")}
    assert {row[0] for row in state(archive_of)[0]} >= {f"kjd-{native}" for native in kept}
    assert kept, "the first page had come by then"
    assert state(archive_of)[1] == set(), "no orphan"


def test_pages_of_an_earlier_try_are_taken_in_though_the_last_one_got_nothing(
    archive_of: Settings, newsstand: World, meter: Meter
) -> None:
    newsstand.stand.stand.fault("flaky-503@columns")
    run = tasks.discover(DAY)
    with pytest.raises(SiteBusy):
        tasks.crawl(run, "kjd", meter)
    pages = len(list(open_store(archive_of).keys("captures/kjd/")))
    newsstand.stand.stand.fault("flaky-503")
    with pytest.raises(SiteBusy):
        tasks.crawl(run, "kjd", meter)
    assert [share["last"] for share in all_shares(run)] == [False]
    closed = finished(run, meter)
    assert pages >= 1
    assert closed["complete"] is False
    assert len([row for row in state(archive_of)[0] if row[0].startswith("kjd-")]) == pages
    assert state(archive_of)[1] == set(), "no orphan"


def test_a_dead_feed_that_refuses_does_not_make_a_busy_site_a_refusing_one(
    archive_of: Settings, newsstand: World, meter: Meter
) -> None:
    newsstand.stand.stand.fault("refuse-403@xmls/joins")
    newsstand.stand.stand.fault("flaky-503@editorials$")
    with pytest.raises(SiteBusy, match="editorials"):
        tasks.crawl(tasks.discover(DAY), "kjd", meter)


def test_a_second_look_may_be_taken_after_midnight(archive_of: Settings, newsstand: World, meter: Meter) -> None:
    moment = now()
    then = moment - timedelta(days=2)
    body = page(prose(1), date=f"{then.astimezone(SEOUL):%d %b. %Y, %H:%M}")
    newsstand.stand.stand.given[C_URL.removeprefix("https://")] = body
    take_in(open_to_write(archive_of), captured(body, then.isoformat()[:19]))
    run = run_of("again", str(today() - timedelta(days=1)), iso(moment), "kjd")
    assert tasks.revisit_source(run, "kjd", meter) == {"kept": 1}
    (share,) = all_shares(run)
    assert tasks.ingest_share(share, meter) == {"UNCHANGED": 1}


def test_a_crawl_told_to_end_leaves_its_summary(archive_of: Settings, newsstand: World) -> None:
    """As Kubernetes ends a task: SIGTERM to the process that runs it."""
    newsstand.stand.stand.fault("slow@/news/2026")
    code = f"from pipelines.jobs import tasks\ntasks.crawl({run_of('r1', DAY, '', 'kjd')!r}, 'kjd', lambda *_: None)\n"
    task = subprocess.Popen([sys.executable, "-c", code])
    while not list(open_store(archive_of).keys("captures/kjd/")):
        assert task.poll() is None, "it ended by itself"
        time.sleep(0.1)
    task.terminate()
    assert task.wait(30) == 143
    assert not crawling("r1")
    told = parse_summary(open_store(archive_of).read(crawl_key("kjd", DAY, "r1")))
    assert told.finish_reason == "shutdown"


def test_a_part_logged_twice_at_once_is_logged_once(archive_of: Settings) -> None:
    """Two processes at the same task: the slower finds the faster's manifest where it wanted to write."""
    archive = open_to_write(archive_of)
    manifest = manifests.Manifest("r", "part", DAY, "2026-06-03T00:00:00Z")
    twice = [manifests.append(archive.store, manifest, 0) for _ in range(2)]
    assert twice == [(1, manifests.manifest_at(archive.store, 1))] * 2
    assert len(list(archive.store.keys("runs/"))) == 1


def test_a_setting_that_is_missing_is_no_bad_luck(archive_of: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPEDS_CONTACT")
    with pytest.raises(WrongUsage, match="OPEDS_CONTACT"):
        tasks.crawl(tasks.discover(DAY), "kjd", Meter())


def crawling(run: str) -> list[str]:
    """Return the command lines of the processes that crawl for a run; one that ends is given a moment."""
    for _ in range(20):
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = file.read_bytes()
            except OSError:
                continue
            if f"run={run}".encode() in command:
                found.append(command.decode())
        if not found:
            return []
        time.sleep(0.1)
    return found


def test_a_day_that_no_list_shows_is_not_discoverable(
    archive_of: Settings, fast_sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meter: Meter
) -> None:
    late = tmp_path / "late"
    late.mkdir()
    text = (fast_sources / "daum.toml").read_text()
    (late / "daum.toml").write_text(text.replace('title = "title"', 'title = "title"\nvalid_from = "2026-06-10"'))
    monkeypatch.setenv("OPEDS_SOURCES", str(late))
    run = tasks.discover("2001-01-01")
    assert "daum" not in run["sources"]
    closed = tasks.close_day(run_of(run["id"], "2001-01-01", run["at"], wanted=["daum", "kjd"]))
    closing = manifests.manifest_at(open_store(archive_of), closed["seq"]).closing
    assert closing is not None
    assert set(closing.missing) == {f"{s}: not discoverable: no route shows this day" for s in ("daum", "kjd")}


def test_a_weekday_that_brings_nothing_is_told_when_such_days_bring_some(archive_of: Settings, meter: Meter) -> None:
    archive = open_to_write(archive_of)
    for weeks in range(1, 6):
        day = f"2026-0{5 if weeks < 5 else 4}-{[0, 26, 19, 12, 5, 28][weeks]:02d}"
        url = f"https://koreajoongangdaily.joins.com/news/{day}/opinion/editorials/A/206{weeks:04d}"
        take_in(archive, captured(page(prose(weeks), date=f"{day.replace('-', '.')}. 20:00"), f"{day}T12:00:00", url))
    (key,) = [f"crawls/kjd/{DAY}/r.json"]
    told = Summary("r", "kjd", DAY, DAY, "2026-06-03T00:00:00Z", "2026-06-03T00:00:01Z", "finished")
    archive.store.create(key, summary_body(told))
    closed = tasks.close_day(run_of("r", DAY, "2026-06-03T00:00:00Z", "kjd"))
    closing = manifests.manifest_at(archive.store, closed["seq"]).closing
    assert closing is not None
    assert closing.warnings == ("kjd: nothing was published, though 5 of the last 8 Tuesdays had something",)


def test_a_large_crawl_is_taken_in_by_several_tasks(archive_of: Settings) -> None:
    tried = [Tried(f"https://example.org/{n}", f"kjd-c{n:07d}", day=DAY, result="gone") for n in range(600)]
    told = Summary("r", "kjd", DAY, DAY, "", finish_reason="finished", addresses=tried)
    open_to_write(archive_of).store.create(crawl_key("kjd", DAY, "r"), summary_body(told))
    work = all_shares(run_of("r", DAY, "", "kjd"))
    assert len(work) == 3
    counts = [tasks.ingest_share(share, Meter())["GONE"] for share in work]
    assert sum(counts) == 600
    assert min(counts) > 150


def test_an_archive_read_again_in_shares_is_the_one_read_again_whole(
    archive_of: Settings,
    meter: Meter,
    opeds: Command,
    fast_sources: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole_day(meter)
    other = replace(archive_of, archive=f"file://{tmp_path / 'other'}", home=tmp_path / "other-home")
    assert opeds("run", "--day", DAY, settings=other).code == 0
    new = tmp_path / "new-rules"
    new.mkdir()
    for file in fast_sources.glob("*.toml"):
        (new / file.name).write_text(file.read_text().replace("drop = [", 'drop = [".none-such", '))
    monkeypatch.setenv("OPEDS_SOURCES", str(new))
    assert opeds("rederive", "--write", settings=other, OPEDS_SOURCES=str(new)).code == 0
    counts = [tasks.re_extract_share(share, "", "again").get("REREAD", 0) for share in tasks.shares_of_archive(8)]
    tasks.publish_catalogue()
    assert sum(counts) == len(list(open_store(archive_of).keys("captures/")))
    assert state(archive_of) == state(other)
    assert [tasks.re_extract_share(share, "", "once more") for share in tasks.shares_of_archive(8)] == [{}] * 8


def test_what_a_broken_run_left_is_taken_in_and_the_catalogue_compacted(
    archive_of: Settings, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tasks.discover(DAY)
    tasks.crawl(run, "kjd", meter)
    assert tasks.ingest_settled_orphans() == {}, "it may be a crawl at work"
    monkeypatch.setattr(tasks, "SETTLED", timedelta(0))
    time.sleep(1.1)
    assert tasks.ingest_settled_orphans()["NEW"] == 3
    tasks.publish_catalogue()
    for day in ("2026-06-03", "2026-06-04"):
        whole_day(meter, day)
    assert tasks.compact_catalogue()["files_joined"] > 0
    table = open_table(location(archive_of, "articles"))
    assert table is not None
    assert len(table.file_uris()) == 1


def test_every_object_has_its_turn_to_be_verified_within_four_weeks() -> None:
    ids = [f"kjd-c{n:07d}" for n in range(500)]
    turns = [Shard(turn % 28 + 28 * share, 28 * 4) for turn in range(28) for share in range(4)]
    assert all(sum(turn.holds(article_id) for turn in turns) == 1 for article_id in ids)


def test_a_damaged_object_is_told_and_the_task_goes_red(
    archive_of: Settings, meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    whole_day(meter)
    assert all(tasks.fixity(share, "2026-06-03")["manifests"] for share in tasks.shares_of_archive(4))
    root = Path(archive_of.archive.removeprefix("file://"))
    hurt = next(iter(sorted((root / "captures").rglob("*.gz"))))
    hurt.write_bytes(hurt.read_bytes()[:-20])
    raised = []
    for share in tasks.shares_of_archive(4):
        try:
            tasks.fixity(share, "2026-06-03")
        except FixityFailed as error:
            raised.append(str(error))
    assert len(raised) == 1
    assert hurt.name in raised[0]
    assert "fixity:" in caplog.text


def test_a_revisit_with_nothing_owed_asks_nobody(archive_of: Settings, newsstand: World, meter: Meter) -> None:
    whole_day(meter)
    asked = len(newsstand.paths())
    run = tasks.due_revisits()
    assert run["sources"] == []
    assert tasks.revisit_source(run, "kjd", meter) == {}
    assert len(newsstand.paths()) == asked


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("June",), "partition key"),
        (("1999-01-01",), "has nothing before"),
        (("2999-01-01",), "has not come yet"),
        ((DAY, "nyt"), "unknown source 'nyt'"),
        ((DAY, "kjd", "https://v.daum.net/v/20240626200145724"), "is no article address of a source"),
    ],
)
def test_a_form_that_cannot_be_is_refused_before_anything_is_asked(
    asked: tuple[str, ...], sentence: str, archive_of: Settings, newsstand: World
) -> None:
    with pytest.raises(WrongUsage, match=sentence):
        tasks.discover(*asked)
    assert newsstand.paths() == []
    assert not Path(archive_of.archive.removeprefix("file://")).exists()


def test_an_empty_form_means_yesterday_and_one_source_is_the_whole_day_of_that_source(
    archive_of: Settings, meter: Meter
) -> None:
    run = tasks.discover(None, None, None)
    assert (run["day"], run["wanted"]) == (str(today() - timedelta(days=1)), ["daum", "kjd"])
    run = tasks.discover(DAY, "kjd")
    assert (run["sources"], run["wanted"]) == (["kjd"], ["kjd"])
    tasks.crawl(run, "kjd", meter)
    assert finished(run, meter)["complete"]


def test_a_list_of_addresses_is_fetched_by_its_sources(archive_of: Settings, newsstand: World, meter: Meter) -> None:
    oped = next(o for o in newsstand.stand.stand.world.opeds if o.cid == "2594828")
    url = f"https://{JOINS}{c_path(oped)}"
    run = tasks.discover(DAY, None, f"{url}\n")
    assert (run["sources"], run["addresses"]) == (["kjd"], {"kjd": [url]})
    assert tasks.crawl(run, "kjd", meter) == {"captured": 1}
    (share,) = all_shares(run)
    assert tasks.name_of(share) == "kjd 1 of 1"
    assert sum(tasks.ingest_share(share, meter).values()) == 1


def test_a_source_that_the_dags_do_not_know_leaves_the_day_incomplete(archive_of: Settings, meter: Meter) -> None:
    run = tasks.discover(DAY, None, None, ["kjd"])
    assert run["unknown"] == ["daum"]
    tasks.crawl(run, "kjd", meter)
    closed = finished({**run, "sources": ["kjd"]}, meter)
    closing = manifests.manifest_at(open_store(archive_of), closed["seq"]).closing
    assert closing is not None
    assert any("give the DAG processor the same OPEDS_SOURCES" in one for one in closing.missing)


def test_the_watch_names_days_that_never_ran_or_stayed_incomplete(
    archive_of: Settings, meter: Meter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NoArchive):
        tasks.watch_calendar()
    archive = open_to_write(archive_of)
    assert tasks.watch_calendar() == {"open": 0}, "nothing was closed yet"
    whole = [Summary("r", name, "", "", "2026-06-03T00:00:00Z", finish_reason="finished") for name in ("kjd", "daum")]
    for one, route in zip(whole, ("opinion", "channel"), strict=True):
        around = tuple(str(today() - timedelta(days=n)) for n in (9, 1))
        one.routes = [RouteReport(one.source, route, True, True, 0, days=around, back_to=around[0])]
    for days_ago, complete in ((20, False), (5, True), (3, False)):
        day = today() - timedelta(days=days_ago)
        summaries = {one.source: replace(one, since=str(day), until=str(day)) for one in whole} if complete else {}
        close(archive, f"r{days_ago}", day, ["kjd", "daum"], summaries, {})
    assert tasks.watch_calendar() == {"open": 13}, "of the last 14, all but one"
    assert "missed: 13 of the last days are not whole" in caplog.text
    assert f"{today() - timedelta(days=3)}: kjd: not crawled; daum: not crawled" in caplog.text
    assert f"{today() - timedelta(days=1)}: never run" in caplog.text
    monkeypatch.setenv("OPEDS_HEARTBEAT", "http://127.0.0.1:9/x")
    with pytest.raises(NotificationFailed, match="heartbeat"):
        tasks.watch_calendar()


def test_what_travels_between_tasks_is_small_and_plain(archive_of: Settings, meter: Meter) -> None:
    run = tasks.discover(DAY)
    crossing = [run, tasks.crawl(run, "kjd", meter), all_shares(run), tasks.shares_of_archive(8)]
    assert all(json.loads(json.dumps(one)) == one for one in crossing)
    assert max(len(json.dumps(one)) for one in crossing) < 1000


def test_a_key_may_come_from_an_airflow_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"login": "KEY", "password": "SECRET", "conn_type": "aws"}
    told |= {"extra": {"region_name": "ap-northeast-2", "endpoint_url": "http://localhost:8333"}}  # type: ignore[dict-item]
    monkeypatch.setenv("AIRFLOW_CONN_ARCHIVE", json.dumps(told))
    found = with_connection(Settings(connection="archive", region="us-east-1"))
    assert (found.access_key, found.secret_key) == ("KEY", "SECRET")
    assert (found.region, found.endpoint) == ("ap-northeast-2", "http://localhost:8333")
    assert "SECRET" not in repr(found)
    with pytest.raises(WrongUsage, match="there is no such Connection in Airflow"):
        with_connection(Settings(connection="nobody"))
    assert with_connection(Settings(access_key="own")).access_key == "own"
