"""Crawls over real sockets: what is fetched, what is refused, what is kept."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from scrapy import Request, Spider
from scrapy.http import Response
from scrapy.utils.test import get_crawler
from warcio.checker import Checker

from newsstand.pages import JOINS
from pipelines.archive.crawl_summary import Summary, read_summary
from pipelines.archive.manifests import read_log
from pipelines.archive.store import open_store
from pipelines.archive.warc import exchanges, read_capture
from pipelines.clock import now
from pipelines.index.opened import open_to_write
from pipelines.jobs.crawls import start_crawl
from pipelines.jobs.day import ingest_crawl, waiting_crawls
from pipelines.settings import Settings
from spiders.redirects import Misled, SayingRedirect
from tests.conftest import ROOT, SEED_PAGE, Command, Ran, World, environment_of

DAY = ("-a", "since=2026-06-02", "-a", "until=2026-06-02")
DAUM_SEED = "https://v.daum.net/v/20240626200145724"


def summary_of(settings: Settings, ran: Ran | None = None) -> Summary:
    store = open_store(settings)
    keys = [key for key in store.keys("crawls/") if key.endswith(".json")]
    assert keys, ran
    return read_summary(store, keys[-1])


def captures(settings: Settings) -> list[str]:
    return list(open_store(settings).keys("captures/"))


def test_the_spiders_are_listed(scrapy: Command, folder: Settings) -> None:
    assert scrapy("list", settings=folder).out.split() == ["archived", "daum", "kjd", "naver", "yna"]
    no_lists = scrapy("crawl", "naver", settings=folder)
    assert (no_lists.code, "naver has no lists; give addresses: -a url=" in no_lists.err) == (2, True)


def test_a_day_of_the_paper(scrapy: Command, newsstand: World, bucket: Settings, tmp_path: Path) -> None:
    ran = scrapy("crawl", "kjd", *DAY, "-a", "run=r1", settings=bucket)
    told = summary_of(bucket, ran)
    assert told.finish_reason == "finished"
    assert len(told.addresses) == len(captures(bucket)) == 3
    assert {tried.day for tried in told.addresses} == {"2026-06-02"}
    assert all({"feed", "editorials"} & set(tried.routes) for tried in told.addresses)
    assert {route.route: route.reached for route in told.routes} == {
        "feed": True,
        "news-sitemap": False,
        "editorials": True,
        "columns": True,
    }
    assert told.entries, "the feed carries text, so only its entries are kept"
    agents = {entry["agent"] for entry in newsstand.stand.stand.log}
    assert agents == {"joongang-opeds/0.1 (+t@example.org)"}
    store = open_store(bucket)
    for key in [*captures(bucket), "crawls/kjd/2026-06-02/r1.warc.gz"]:
        file = tmp_path / "check.warc.gz"
        file.write_bytes(store.read(key))
        checker = Checker(type("Args", (), {"inputs": [str(file)], "verbose": False})())
        checker.process_all()
        assert checker.exit_value == 0, key
    wire = next(exchanges((tmp_path / "check.warc.gz").open("rb"), "crawl"))
    assert wire.url.endswith("/robots.txt")
    assert b"<description>" not in file.read_bytes()
    page = read_capture(store.read(captures(bucket)[0]), "k")
    assert page.header("Content-Encoding") == "gzip"
    assert b"article_body" in page.payload


def test_a_page_that_is_kept_is_noted_not_stored_again(scrapy: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault("no-etag")  # or it would answer 304
    scrapy("crawl", "kjd", *DAY, "-a", "run=r1", settings=folder)
    before = captures(folder)
    scrapy("crawl", "kjd", *DAY, "-a", "run=r2", settings=folder)
    assert captures(folder) == before
    assert summary_of(folder).counts == {"kept": 3}
    assert b"WARC-Type: revisit" in _plain(open_store(folder).read("crawls/kjd/2026-06-02/r2.warc.gz"))


def _plain(body: bytes) -> bytes:
    import gzip

    return gzip.decompress(body)


@pytest.mark.skipif(not SEED_PAGE.exists(), reason="the seed page of ../shared is not here")
def test_the_seed_page_is_crawled_like_any_other(
    opeds: Command, scrapy: Command, newsstand: World, folder: Settings
) -> None:
    newsstand.stand.stand.given["v.daum.net/v/20240626200145724"] = SEED_PAGE.read_bytes()
    warc = folder.home / "seed.warc.gz"
    warc.parent.mkdir()
    scrapy("crawl", "daum", "-a", f"url={DAUM_SEED}", "-a", f"warc={warc}", settings=folder)
    assert not captures(folder), "with warc= nothing goes to the bucket"
    assert opeds("ingest", str(warc), settings=folder).code == 0
    (record,) = [json.loads(open_store(folder).read(key)) for key in open_store(folder).keys("articles/")]
    assert record["status"] == "ok"
    assert record["published_at"] == "2024-06-26T20:01:45+09:00"
    assert record["authors"][0]["name"] == "Chung Jae-hong"
    assert record["text"].count("\n\n") == 7


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("feed-404", {"captured": 3}),
        ("feed-odd-dates", {"captured": 3}),
        ("empty-listing", {"captured": 3}),
        ("rate-429@opinion/editorials/*1", {"captured": 3}),
        ("flaky-503@/news/*1", {"captured": 3}),
        ("truncated@/news/*1", {"captured": 3}),
        ("overlap", {"captured": 3}),
        ("slow@2594899$", {"captured": 3}),
        ("gone@2594899$", {"captured": 2, "gone": 1}),
        ("robots-deny", {"disallowed": 3}),
        ("robots-503", {}),
        ("refuse-403@/news/", {"failed": 3}),
        ("ua-403", {"captured": 3}),
        ("zero-bytes@2594899$", {"captured": 3}),
        ("dateless@/section/", {"captured": 20}),
        ("partial-206@2594899$", {"captured": 2, "failed": 1}),
        ("cut-gzip@2594899*1", {"captured": 3}),
        ("cut-gzip@2594899", {"captured": 2, "failed": 1}),
        ("maintenance-302@2594899$", {"captured": 2, "failed": 1}),
        ("maintenance-302@2594899$*1", {"captured": 2, "failed": 1}),  # a moment, but nobody knows
        ("dead-301@2594899$", {"captured": 2, "gone": 1}),
        ("elsewhere-302@2594899$", {"captured": 2, "failed": 1}),
        ("elsewhere-301@2594899$", {"captured": 2, "gone": 1}),
        ("cookie-302@2594899$", {"captured": 2, "failed": 1}),
        ("port-302@opinion/.*2594899$", {"captured": 2, "failed": 1}),
        ("robots-elsewhere", {"captured": 3}),
        ("nameless@editorials", {"captured": 3}),  # the feed names it otherwise
        ("robots-slow-90", {}),
    ],
)
def test_faults(fault: str, expected: dict[str, int], scrapy: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault(fault)
    ran = scrapy("crawl", "kjd", *DAY, settings=folder)
    told = summary_of(folder, ran)
    assert told.counts == expected
    if fault == "robots-deny":
        assert not [path for path in newsstand.paths() if path.startswith("/news/2026")]
    if fault == "empty-listing":
        assert [route.error[:7] for route in told.routes if route.expected] == ["0 items"] * 2
    if fault == "dateless@/section/":
        assert [route.error[:8] for route in told.routes if route.expected] == ["no entry"] * 2
        assert not any(route.reached for route in told.routes if route.expected)
    for part, sentence in SAID.items():
        if fault.startswith(part) and len(expected) > 1:
            assert sentence in next(tried.reason for tried in told.addresses if tried.result != "captured")
    if fault == "cookie-302@2594899$":
        assert len([path for path in newsstand.paths() if path.endswith("2594899")]) == 1, "asking again brings nothing"
    if fault == "nameless@editorials":
        assert {(one.route, "/opinion/editorials/story-" in one.url) for one in told.unknown} == {("editorials", True)}
        assert all(one.day > "2026-05-01" for one in told.unknown)
    if fault == "robots-slow-90":
        assert told.finish_reason == "crawl_delay_too_long"
        assert "wants 90 s between two requests" in ran.err
        assert [path for path in newsstand.paths() if path != "/robots.txt"] == []
    if fault == "refuse-403@/news/":
        assert len([path for path in newsstand.paths() if path.startswith("/news/")]) == 3, "403 is no reason to insist"


SAID = {
    "cut-gzip": "the compressed body ends early",
    "maintenance-302": "leads for the moment (302) to https://koreajoongangdaily.joins.com/maintenance.html",
    "dead-301": "leads for good (301) to https://koreajoongangdaily.joins.com/, which is no article",
    "elsewhere-302": "leads for the moment (302) to another site: https://portal.example/login",
    "cookie-302": "redirects to itself",
    "port-302": "leads for the moment (302) to another site: https://koreajoongangdaily.joins.com:22/",
}


def test_a_page_cannot_make_us_ask_another_port(scrapy: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault("port-302@opinion/.*2594899$")
    scrapy("crawl", "kjd", *DAY, settings=folder)
    assert newsstand.paths()
    assert not [entry for entry in newsstand.stand.stand.log if ":22" in entry["host"] + entry["path"]]


def test_a_pace_that_robots_txt_asks_for_is_kept(scrapy: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault("robots-slow-1")
    scrapy("crawl", "kjd", *DAY, settings=folder)
    asked = [datetime.fromisoformat(entry["began"]) for entry in newsstand.stand.stand.log if entry["host"] == JOINS]
    gaps = [(two - one).total_seconds() for one, two in pairwise(asked)]
    assert min(gaps) > 0.95, "for our name, not for everybody's"
    assert summary_of(folder).counts == {"captured": 3}


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ([(302, "a")], "redirects to itself"),
        ([(302, "b"), (307, "a")], "redirects in a circle: https://k.org/a → https://k.org/b → https://k.org/a"),
        ([(301, "b"), (301, "c"), (301, "d"), (301, "e"), (301, "f"), (301, "g")], "redirects more than 5 times"),
        ([(301, "b"), (302, "//other.org/x")], "leads for the moment (301, 302) to another site: https://other.org/x"),
        ([(308, "//k.org.evil.net/")], "leads for good (308) to another site"),
    ],
)
def test_a_redirect_that_is_not_followed_says_where_it_leads(way: list[tuple[int, str]], said: str) -> None:
    crawler = get_crawler(settings_dict={"REDIRECT_MAX_TIMES": 5})
    crawler.spider = Spider(name="k", allowed_domains=["k.org"])
    middleware, request = SayingRedirect.from_crawler(crawler), Request("https://k.org/a")
    for status, to in way[:-1]:
        again = middleware.process_response(request, Response(request.url, status=status, headers={"Location": to}))
        assert isinstance(again, Request)
        request = again
    status, to = way[-1]
    with pytest.raises(Misled) as caught:
        middleware.process_response(request, Response(request.url, status=status, headers={"Location": to}))
    assert said in str(caught.value)


def test_a_site_that_refuses_is_left_alone(scrapy: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault("refuse-403@/news/")
    scrapy("crawl", "kjd", "-a", "since=2026-06-01", "-a", "until=2026-06-07", settings=folder)
    told = summary_of(folder)
    asked = len([path for path in newsstand.paths() if path.startswith("/news/")])
    assert 3 <= asked <= 6, "one may be on its way at the third refusal, and a list that is answered begins anew"
    assert sum("so we stopped asking" in tried.reason for tried in told.addresses) == told.counts["failed"] - asked


def test_a_list_that_ignores_the_page_number_is_not_read_back(
    scrapy: Command, newsstand: World, folder: Settings
) -> None:
    newsstand.stand.stand.fault("ignores-page@editorials")
    scrapy("crawl", "kjd", "-a", "since=2026-05-20", "-a", "until=2026-05-20", settings=folder)
    told = {route.route: route for route in summary_of(folder).routes}
    assert "page 3 shows nothing new" in told["editorials"].error
    assert (told["editorials"].reached, told["columns"].reached) == (False, True)


@pytest.mark.parametrize("also", ["", "slow@/news/*1"], ids=["at once", "after longer than the delay"])
def test_retry_after_holds_the_whole_site(scrapy: Command, newsstand: World, folder: Settings, also: str) -> None:
    for fault in filter(None, ("rate-429@/news/*1", also)):
        newsstand.stand.stand.fault(fault)
    scrapy("crawl", "kjd", *DAY, settings=folder)
    asked = [entry for entry in newsstand.stand.stand.log if entry["path"].startswith("/news/")]
    refused = next(n for n, entry in enumerate(asked) if entry["status"] == 429)
    waited = datetime.fromisoformat(asked[refused + 1]["began"]) - datetime.fromisoformat(asked[refused]["time"])
    assert len(asked) == 4
    assert waited.total_seconds() >= 1.9


def test_a_crawl_ends_with_the_process_that_started_it(newsstand: World, folder: Settings, tmp_path: Path) -> None:
    newsstand.stand.stand.fault("slow")
    days = [("since", "2026-06-01"), ("until", "2026-06-07"), ("run", "r1")]
    crawl = start_crawl("kjd", days, tmp_path / "log", environment_of(folder) | newsstand.environment)
    assert crawl.process.stdin is not None
    assert crawl.process.stdout is not None
    assert crawl.process.stdout.readline()
    crawl.process.stdin.close()  # what the kernel does when a parent is killed
    crawl.wait(lambda line: None)
    assert summary_of(folder).finish_reason == "parent_gone"


def test_files_of_the_working_directory_are_not_imported_by_a_crawl(
    newsstand: World, folder: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("socks.py", "twisted.py", "email.py"):
        (tmp_path / name).write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    days = [("since", "2026-06-02"), ("until", "2026-06-02"), ("run", "r1")]
    start_crawl("kjd", days, tmp_path / "log", environment_of(folder) | newsstand.environment).wait(lambda line: None)
    assert summary_of(folder).counts == {"captured": 3}


def test_a_crawl_that_does_not_start_is_told(
    newsstand: World,
    folder: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("pipelines.jobs.crawls.LATE", 0.05)
    days = [("since", "2026-06-02"), ("until", "2026-06-02"), ("run", "r1")]
    told: list[str] = []
    start_crawl("kjd", days, tmp_path / "log", environment_of(folder) | newsstand.environment).wait(told.append)
    assert f"has not started after 0 s; what it says: {tmp_path / 'log'}" in caplog.text
    assert {line.partition(" ")[0] for line in told} == {"found", "captured"}


def test_an_inward_site_is_asked_when_its_source_file_allows_it(
    scrapy: Command, newsstand: World, folder: Settings, tmp_path: Path
) -> None:
    sources = tmp_path / "inward"
    sources.mkdir()
    (sources / "kjd.toml").write_text(INWARD.replace("delay = 0", "delay = 0\nloopback = true"))
    url = f"http://127.0.0.1:{newsstand.stand.server_address[1]}/news/2026-06-02/opinion/editorials/x/2594828"
    scrapy(
        "crawl", "kjd", "-a", f"url={url}", settings=folder, http_proxy="", https_proxy="", OPEDS_SOURCES=str(sources)
    )
    assert any(path.endswith("/2594828") for path in newsstand.paths())


def test_moved_addresses_are_aliases_of_one_article(scrapy: Command, newsstand: World, folder: Settings) -> None:
    newsstand.advance("2026-06-20T12:00")
    newsstand.stand.stand.fault("moved-301")
    old = "https://koreajoongangdaily.joins.com/news/2026-06-02/opinion/editorials/x/2594828"
    oped = next(o for o in newsstand.stand.stand.world.opeds if o.cid == "2594828")
    from newsstand.pages import c_path

    old = f"https://koreajoongangdaily.joins.com{c_path(oped)}"
    scrapy("crawl", "kjd", "-a", f"url={old}", settings=folder)
    told = summary_of(folder)
    assert {tried.article_id: tried.result for tried in told.addresses} == {
        "kjd-c2594828": "alias",
        f"kjd-d{oped.did}": "captured",
    }


def test_the_portals_list_wants_a_referer_and_gets_it(scrapy: Command, newsstand: World, folder: Settings) -> None:
    ran = scrapy("crawl", "daum", "-a", "since=2026-06-01", "-a", "until=2026-06-07", settings=folder)
    told = summary_of(folder, ran)
    assert told.counts == {"captured": 9}
    assert told.routes[0].reached


def test_a_move_of_the_paper_is_followed(scrapy: Command, newsstand: World, folder: Settings) -> None:
    newsstand.advance("2026-06-20T23:59")
    scrapy("crawl", "kjd", "-a", "since=2026-06-18", "-a", "until=2026-06-20", settings=folder)
    told = summary_of(folder)
    assert told.counts["captured"] >= 6
    assert all(tried.article_id.startswith("kjd-d") for tried in told.addresses)
    assert [route.reached for route in told.routes if route.route == "opinion"] == [True]


@pytest.mark.parametrize(
    ("arguments", "more", "sentence"),
    [
        (("kjd", "-a", "since=yesterday"), {}, "since='yesterday' is no date"),
        (("kjd", "-a", "since=2026-06-02", "-a", "until=2026-06-01"), {}, "lies before"),
        (("kjd", "-a", "day=2026-06-02"), {}, "unknown argument day"),
        (("kjd", "-a", "url=https://example.org/x"), {}, "no article address of kjd"),
        (("kjd",), {"OPEDS_CONTACT": ""}, "set OPEDS_CONTACT"),
        (("kjd",), {"OPEDS_ARCHIVE": "ftp://x"}, "use s3://bucket"),
        (("kjd",), {"OPEDS_SOURCES": "/nowhere"}, "not a folder of source files"),
    ],
)
def test_a_crawl_that_cannot_start_says_why_in_one_sentence(
    arguments: tuple[str, ...], more: dict[str, str], sentence: str, scrapy: Command, newsstand: World, folder: Settings
) -> None:
    ran = scrapy("crawl", *arguments, settings=folder, **more)
    assert ran.code == 2
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert newsstand.paths() == []


INWARD = """
name = "kjd"
publisher = "Korea JoongAng Daily"
hosts = ["127.0.0.1", "localhost", "inward.localhost"]
timezone = "Asia/Seoul"
delay = 0
[[address]]
prefix = "c"
pattern = '/news/.+/(?P<id>\\d{7})$'
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"])
def test_addresses_that_lead_inward_are_refused(
    host: str, scrapy: Command, newsstand: World, folder: Settings, tmp_path: Path
) -> None:
    sources = tmp_path / "inward"
    sources.mkdir()
    (sources / "kjd.toml").write_text(INWARD.replace('"127.0.0.1",', f'"127.0.0.1", "{host.strip("[]")}",'))
    port = newsstand.stand.server_address[1]
    ran = scrapy(
        "crawl",
        "kjd",
        "-a",
        f"url=http://{host}:{port}/news/2026-06-02/opinion/editorials/x/2594828",
        settings=folder,
        http_proxy="",
        https_proxy="",
        OPEDS_SOURCES=str(sources),
    )
    (tried,) = summary_of(folder, ran).addresses
    assert tried.result in {"failed", "disallowed"}
    assert newsstand.paths() == []


def test_a_certificate_of_nobody_is_not_trusted(scrapy: Command, newsstand: World, folder: Settings) -> None:
    ran = scrapy("crawl", "kjd", *DAY, "-s", "RETRY_TIMES=0", settings=folder, SSL_CERT_FILE="")
    assert "certificate verify failed" in ran.err
    assert not captures(folder)


def test_a_crawl_by_hand_says_what_came_and_is_archived_by_one_command(
    scrapy: Command, opeds: Command, newsstand: World, folder: Settings
) -> None:
    crawled = scrapy("crawl", "kjd", "-a", "since=2026-06-02", "-a", "until=2026-06-03", settings=folder)
    assert crawled.code == 0
    said = crawled.out.splitlines()[-1]
    assert said == "kjd, 2026-06-02 to 2026-06-03: 5 captured. To archive it: opeds ingest --crawls"
    ran = opeds("ingest", "--crawls", settings=folder)
    assert ran.code == 0, ran.err
    assert "complete: 2026-06-02 to 2026-06-03, every section read" in ran.out
    days = {json.loads(line)["day"] for line in opeds("status", "--json", settings=folder).out.splitlines()}
    assert days == {"2026-06-02", "2026-06-03"}, "under its own days, not under today"
    log = len(list(open_store(folder).keys("runs/")))
    again = opeds("ingest", "--crawls", settings=folder)
    assert "nothing new came in" in again.out
    assert len(list(open_store(folder).keys("runs/"))) == log
    assert "daum: not crawled" in opeds("status", settings=folder).out, "the day is whole for one source"


def test_a_crawl_of_addresses_closes_no_day_and_one_to_a_file_says_its_name(
    scrapy: Command, opeds: Command, newsstand: World, folder: Settings
) -> None:
    url = "https://koreajoongangdaily.joins.com/news/2026-06-02/opinion/editorials/x/2594828"
    scrapy("crawl", "kjd", "-a", f"url={url}", settings=folder)
    opeds("ingest", "--crawls", settings=folder)
    closings = [m for _, m in read_log(open_store(folder)) if m.closing]
    assert closings == []
    file = folder.home / "one.warc.gz"
    crawled = scrapy("crawl", "kjd", "-a", "since=2026-06-02", "-a", f"warc={file}", settings=folder)
    assert crawled.out.splitlines()[-1].endswith(f"To archive it: opeds ingest {file}")
    assert opeds("ingest", str(file), settings=folder).code == 0
    assert opeds("ingest", settings=folder).code == 2
    assert opeds("ingest", str(file), "--crawls", settings=folder).code == 2


def test_crawls_of_two_sources_are_closed_each_for_itself_and_an_empty_one_waits_no_longer(
    scrapy: Command, opeds: Command, newsstand: World, folder: Settings
) -> None:
    newsstand.stand.stand.fault("empty-listing@columns")
    scrapy("crawl", "kjd", "-a", "since=2026-06-02", settings=folder)
    newsstand.stand.stand.fault("none")
    scrapy("crawl", "daum", "-a", "since=2026-06-02", settings=folder)
    ran = opeds("ingest", "--crawls", settings=folder)
    assert ran.code == 1
    assert "2026-06-02 kjd is not complete: kjd: columns: 0 items" in ran.out
    for _ in range(2):  # nothing comes, and the day stands as before
        scrapy("crawl", "daum", "-a", "since=2026-05-03", settings=folder)
    assert opeds("ingest", "--crawls", settings=folder).code == 0
    assert list(waiting_crawls(open_to_write(folder), now())) == []


def test_a_crawl_that_was_ingested_in_part_is_ingested_to_its_end(
    scrapy: Command, opeds: Command, newsstand: World, folder: Settings
) -> None:
    scrapy("crawl", "kjd", "-a", "since=2026-06-02", "-a", "until=2026-06-05", settings=folder)
    archive = open_to_write(folder)
    (summary,) = waiting_crawls(archive, now())
    first = replace(summary, addresses=[t for t in summary.addresses if t.day == "2026-06-02"])
    ingest_crawl(archive, first, lambda _: None)  # as if it had been killed behind its first day
    ran = opeds("ingest", "--crawls", settings=folder)
    assert "complete: 2026-06-02 to 2026-06-05" in ran.out
    days = {m.day for _, m in read_log(archive.store) if m.outcomes}
    assert days == {f"2026-06-0{n}" for n in range(2, 6)}
    assert opeds("upkeep", settings=folder).out.count("nothing new came in") == 1


def test_an_unknown_spider_is_one_sentence(scrapy: Command, folder: Settings) -> None:
    ran = scrapy("crawl", "nope", settings=folder)
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == "scrapy: unknown source 'nope'; there are: archived, daum, kjd, naver, yna"
    assert "Traceback" not in ran.err


def test_crawls_of_runs_are_left_to_their_runs_for_a_day(scrapy: Command, newsstand: World, folder: Settings) -> None:
    for by in ("hand", "run", "dag"):
        scrapy("crawl", "kjd", "-a", "since=2026-06-02", "-a", f"started_by={by}", settings=folder)
    archive = open_to_write(folder)
    assert [one.started_by for one in waiting_crawls(archive, now())] == ["hand"]
    later = {one.started_by for one in waiting_crawls(archive, now() + timedelta(days=2))}
    assert later == {"hand", "run", "dag"}


def test_a_source_file_alone_makes_a_spider(scrapy: Command, newsstand: World, tmp_path: Path) -> None:
    text = (ROOT / "pipelines" / "sources" / "daum.toml").read_text()
    (tmp_path / "hanbit.toml").write_text(text.replace('name = "daum"', 'name = "hanbit"', 1).replace("5.0", "0", 1))
    listed = scrapy("list", settings=None, OPEDS_SOURCES=str(tmp_path))
    assert {"hanbit", "kjd", "daum"} <= {*listed.out.split()}
    warc = tmp_path / "x.warc.gz"
    crawled = scrapy(
        "crawl", "hanbit", "-a", "since=2026-06-02", "-a", f"warc={warc}", settings=None, OPEDS_SOURCES=str(tmp_path)
    )
    assert "hanbit, 2026-06-02 to 2026-06-02: 3 captured" in crawled.out
    (tmp_path / "hanbit.toml").write_text("name = 5")
    broken = scrapy("list", settings=None, OPEDS_SOURCES=str(tmp_path))
    assert (broken.code, len(broken.err.splitlines())) == (2, 1)
