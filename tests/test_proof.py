"""A day is complete when its routes showed that they have no more of it, and not before."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.archive.crawl_summary import Summary, Tried, Unknown
from pipelines.archive.manifests import Closing, RouteReport, manifest_at, read_log
from pipelines.archive.store import open_store
from pipelines.clock import iso, now
from pipelines.index.opened import Archive, open_to_write
from pipelines.jobs.day import close, ingest_crawl, prove_earlier_days
from pipelines.jobs.proof import stale_since
from pipelines.settings import Settings
from tests.conftest import C_URL, Command, World, capture, page, prose, take_in

DAY = date(2026, 6, 10)
LIST = RouteReport("kjd", "editorials", True, True, 0, days=("2026-06-01", "2026-06-02", "2026-06-04"))


def showing(route: RouteReport, *days: str, back_to: str = "") -> RouteReport:
    """Return a report of a route that showed these days; the first is its last entry's, unless another is named."""
    return replace(route, days=days, back_to=back_to or days[0])


def crawled(*routes: RouteReport, day: date = DAY, run: str = "r", **more: object) -> dict[str, Summary]:
    made = Summary(run, "kjd", str(day), str(day), "2026-06-11T00:00:00Z", finish_reason="finished")
    return {"kjd": replace(made, routes=list(routes), **more)}  # type: ignore[arg-type]


@pytest.fixture
def archive(folder: Settings) -> Archive:
    return open_to_write(folder)


def closed(archive: Archive, summaries: dict[str, Summary], run: str = "r") -> Closing:
    return close(archive, run, DAY, ["kjd"], summaries, {})[0]


@pytest.mark.parametrize(
    ("shown", "known", "day", "stale"),
    [
        ((), (), "2026-06-10", None),  # nothing was shown: another sentence says so
        (("2026-06-09",), (), "2026-06-10", None),
        (("2026-06-06",), (), "2026-06-10", None),  # four days are no pause
        (("2026-06-04", "2026-06-05"), (), "2026-06-10", "2026-06-05"),
        (("2026-05-05",), (), "2026-06-10", None),  # nobody knows how often it shows something
        (("2026-05-27", "2026-06-03"), (), "2026-06-17", None),  # a weekly column, two weeks late
        (("2026-05-27", "2026-06-03"), (), "2026-06-18", "2026-06-03"),
        (("2026-06-03",), ("2026-05-20",), "2026-06-18", None),  # what the archive knows of the route counts too
        (
            ("2026-06-02", "2026-06-03"),
            ("2025-06-03", "2025-12-01"),
            "2026-06-18",
            "2026-06-03",
        ),  # pauses of last year do not
        (("2026-06-01", "2026-06-30"), (), "2026-06-10", None),  # days behind it are shown
    ],
)
def test_a_route_is_stale_after_twice_its_longest_pause(
    shown: tuple[str, ...], known: tuple[str, ...], day: str, stale: str | None
) -> None:
    found = stale_since(shown, map(date.fromisoformat, known), date.fromisoformat(day))
    assert found == (date.fromisoformat(stale) if stale else None)


def test_a_list_that_stands_still_proves_nothing_until_it_goes_on(archive: Archive) -> None:
    first = closed(archive, crawled(LIST))
    assert (first.complete, first.whole) == (False, ())
    assert first.missing == (
        "kjd: editorials: stale since 2026-06-04: a list that stands still proves nothing of later days",
    )
    still = crawled(LIST, day=date(2026, 6, 11), run="s")
    assert prove_earlier_days(archive, "s", still) == {}
    gone_on = showing(LIST, "2026-06-09", "2026-06-12")
    pinned = showing(LIST, "2026-06-09", "2026-06-12", back_to="2026-06-11")
    assert prove_earlier_days(archive, "s", crawled(pinned, day=date(2026, 6, 12))) == {}, "an older entry was pinned"
    unseen = crawled(gone_on, day=date(2026, 6, 12), run="t", outside=[("kjd-c2068163", str(DAY))])
    assert prove_earlier_days(archive, "t", unseen) == {}, "it shows an op-ed of the day that nobody looked at"
    take_in(archive, capture(page(prose(1)), "2026-06-12T00:00:00", C_URL))
    proved = prove_earlier_days(archive, "u", unseen)
    assert {day: (now.complete, now.whole, now.missing) for day, now in proved.items()} == {
        str(DAY): (True, ("kjd",), ())
    }
    assert prove_earlier_days(archive, "v", unseen) == {}, "once"


def test_a_later_crawl_proves_one_route_and_leaves_the_other(archive: Archive) -> None:
    dead = RouteReport("kjd", "columns", True, False, 0, "HTTP 404", 404)
    assert len(closed(archive, crawled(LIST, dead)).missing) == 2
    later = crawled(showing(LIST, "2026-06-01", "2026-06-12"), day=date(2026, 6, 12), run="s")
    now = prove_earlier_days(archive, "s", later)[str(DAY)]
    assert (now.complete, now.missing) == (False, ("kjd: columns: HTTP 404",))
    lists = [showing(dead, "2026-06-09", "2026-06-12"), LIST]
    assert prove_earlier_days(archive, "t", crawled(*lists, day=date(2026, 6, 12)))[str(DAY)].complete


def test_the_same_closing_is_logged_once(archive: Archive) -> None:
    fresh = showing(LIST, "2026-06-09", "2026-06-11")
    seqs = {close(archive, run, DAY, ["kjd"], crawled(fresh, run=run), {})[1] for run in ("a", "b", "c")}
    assert len(seqs) == 1
    failed = close(archive, "d", DAY, ["kjd"], {}, {"kjd": "no answer"})
    assert failed[1] not in seqs
    assert manifest_at(archive.store, failed[1]).closing == failed[0]


def test_a_day_may_say_again_what_it_said_before(archive: Archive) -> None:
    fresh = showing(LIST, "2026-06-09", "2026-06-11")
    first = close(archive, "a", DAY, ["kjd"], crawled(fresh, run="a"), {})[1]
    second = close(archive, "a", DAY, ["kjd"], {}, {"kjd": "no answer"})[1]
    third = close(archive, "a", DAY, ["kjd"], crawled(fresh, run="a"), {})[1]
    assert first < second < third
    assert archive.index.closed(str(DAY), ["kjd"])[0] == third


def test_another_sources_closing_hides_no_unproved_day(archive: Archive) -> None:
    closed(archive, crawled(LIST))
    close(archive, "d", DAY, ["daum"], {}, {"daum": "no answer"})
    assert [day for day, _ in archive.index.unproved()] == [str(DAY)]
    for run in ("e", "f"):
        assert close(archive, run, DAY, ["kjd"], crawled(LIST, run=run), {})[1] == 1, "said again in between"


def test_a_pinned_entry_is_no_pause_of_a_list_that_stands_still(archive: Archive) -> None:
    frozen = showing(LIST, "2026-04-15", "2026-06-02", "2026-06-03", "2026-06-04", back_to="2026-06-02")
    assert not closed(archive, crawled(frozen)).complete


def test_a_source_of_which_no_list_was_read_is_not_complete(archive: Archive) -> None:
    dead = RouteReport("daum", "channel", False, False, 0, "HTTP 404", 404)
    summary = replace(crawled(dead)["kjd"], source="daum")
    found = close(archive, "a", DAY, ["daum"], {"daum": summary}, {})[0]
    assert found.missing == ("daum: channel: HTTP 404",)
    alive = showing(replace(dead, status=0, error=""), "2026-06-01", "2026-06-12")
    summary = replace(crawled(alive, run="b")["kjd"], source="daum")
    assert close(archive, "b", DAY, ["daum"], {"daum": summary}, {})[0].complete
    nothing = replace(crawled(run="c")["kjd"], source="daum")
    told = close(archive, "c", DAY, ["daum"], {"daum": nothing}, {})[0]
    assert told.missing == ("daum: not discoverable: no route shows this day",)


def test_a_day_before_all_sources_is_never_complete(archive: Archive) -> None:
    found, _ = close(archive, "a", date(1999, 1, 1), ["kjd"], {}, {})
    assert (found.complete, found.missing) == (False, ("no source that was asked for has anything of this day",))


def test_a_day_that_no_list_reaches_is_never_complete(opeds: Command, newsstand: World, folder: Settings) -> None:
    ran = opeds("run", "--day", "2003-01-01", "--source", "kjd", settings=folder)
    assert ran.code == 1
    assert "2003-01-01 is not complete" in ran.out
    assert "goes back to 20" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("day", "sentence"),
    [("1999-01-01", "has nothing before 2000-01-01"), ("2999-01-01", "has not come yet; today is 2")],
)
def test_days_that_cannot_be_are_refused_before_anything_is_asked(
    day: str, sentence: str, opeds: Command, scrapy: Command, newsstand: World, folder: Settings
) -> None:
    for ran in (
        opeds("run", "--day", day, settings=folder),
        opeds("plan", "--day", day, settings=folder),
        scrapy("crawl", "kjd", "-a", f"since={day}", "-a", f"warc={folder.home}/x.warc.gz", settings=folder),
    ):
        assert ran.code == 2
        assert sentence in ran.err
    assert newsstand.paths() == []
    assert not Path(folder.archive.removeprefix("file://")).exists()


def test_a_week_looked_at_again_adds_one_part_a_source_and_day(
    opeds: Command, newsstand: World, folder: Settings
) -> None:
    week = ("run", "--since", "2026-06-01", "--until", "2026-06-07")
    counts = []
    for _ in range(3):
        opeds(*week, settings=folder)
        counts.append(sum(1 for _ in read_log(open_store(folder))))
    added = [two - one for one, two in pairwise(counts)]
    parts = {(m.part.partition("-")[0], m.day) for _, m in read_log(open_store(folder)) if m.outcomes}
    assert added == [len(parts)] * 2


READ = showing(replace(LIST, error=""), "2026-06-05", "2026-06-12")


@pytest.mark.parametrize(
    ("is_misled", "days_ago", "is_told", "complete"),
    [
        (True, 0, "missing", False),
        (True, 29, "missing", False),
        (True, 31, "unreachable", True),
        (False, 31, "missing", False),
    ],
)
def test_an_address_that_leads_elsewhere_for_the_moment_keeps_a_day_open_as_long_as_pages_are_looked_at_again(
    archive: Archive, is_misled: bool, days_ago: int, is_told: str, complete: bool
) -> None:
    first = iso(now() - timedelta(days=days_ago, hours=1))
    tried = Tried(C_URL, "kjd-c2068163", ["editorials"], str(DAY), result="failed", reason="why", is_misled=is_misled)
    summary = crawled(READ, addresses=[replace(tried, fetched_at=first)])
    ingest_crawl(archive, summary["kjd"], lambda _: None)
    told = closed(archive, crawled(READ, run="s", addresses=[replace(tried, fetched_at=iso(now()))]))
    assert told.complete == complete
    sentences = told.missing if is_told == "missing" else [w for w in told.warnings if "unreachable" in w]
    assert [C_URL in sentence for sentence in sentences] == [True]


def test_an_op_ed_at_an_address_that_nobody_knows_is_told_and_of_the_day_missing(archive: Archive) -> None:
    unknown = [Unknown("editorials", day, f"https://k.org/opinion/{day}") for day in (str(DAY), "", "2026-06-11")]
    told = closed(archive, crawled(READ, unknown=unknown))
    (missing,), (warning,) = told.missing, told.warnings
    assert "1 op-eds at addresses that no pattern of the source file knows: https://k.org/opinion/2026-06-10" in missing
    assert warning.endswith("https://k.org/opinion/")
    assert closed(archive, crawled(READ)).complete


def test_an_address_that_was_seen_since_is_given_up_anew(archive: Archive) -> None:
    tried = Tried(C_URL, "kjd-c2068163", ["editorials"], str(DAY), result="failed", reason="why", is_misled=True)
    early = replace(tried, fetched_at=iso(now() - timedelta(days=40)))
    ingest_crawl(archive, crawled(READ, addresses=[early])["kjd"], lambda _: None)
    take_in(archive, capture(page(prose(1)), (now() - timedelta(days=39)).isoformat()[:19]))
    told = closed(archive, crawled(READ, run="s", addresses=[replace(tried, fetched_at=iso(now()))]))
    assert not told.complete
