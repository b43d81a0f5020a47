"""A hostile web over real sockets: each fault, what is expected of us, and what is seen.

docs/security.md has the table. The faults are the newsstand's (`newsstand/hostile.py`, `server.py`); those of
robots.txt, redirects and halves are in `test_spiders.py`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from OpenSSL.SSL import SysCallError
from scrapy import Request, Spider
from scrapy.exceptions import DownloadCancelledError, DownloadFailedError, DownloadTimeoutError, IgnoreRequest
from scrapy.resolver import CachingThreadedResolver
from scrapy.utils.test import get_crawler
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed
from warcio.archiveiterator import ArchiveIterator

from newsstand.hostile import HOSTILE
from newsstand.server import WIRE_FAULTS
from pipelines.archive.crawl_summary import Summary, read_summary
from pipelines.archive.store import open_store
from pipelines.settings import Settings
from spiders.failures import in_words
from spiders.guard import NoInwardAddress
from tests.conftest import ROOT, Command, World, listed, minutes

DAY = ("-a", "since=2026-06-02", "-a", "until=2026-06-02")
ONE = "2594899$"  # one of the day's three op-eds
SIGNS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # that no output may hold


@dataclass(frozen=True)
class Row:
    """A fault, what a day of three op-eds comes to, and what is said of the page that is concerned."""

    fault: str
    counts: dict[str, int]
    said: str = ""
    arguments: tuple[str, ...] = field(default=())


BUT_ONE = {"captured": 2, "failed": 1}
ONCE = ("-s", "RETRY_TIMES=0")
ROWS = (
    Row(f"circle-302@{ONE}|again", BUT_ONE, "redirects in a circle"),
    Row(f"inward-302@{ONE}", BUT_ONE, "to another site: http://169.254.169.254/"),
    Row(f"loopback-302@{ONE}", BUT_ONE, "to another site: http://localhost/"),
    Row(f"file-302@{ONE}", BUT_ONE, "HTTP 302"),
    Row(f"pause-a-year@{ONE}", {"captured": 2, "failed": 1}, "wants no request for 31,536,000 s"),
    Row(f"many-headers@{ONE}", BUT_ONE, "headers longer than", arguments=ONCE),
    Row(f"bomb-gzip@{ONE}", BUT_ONE, "longer than"),
    Row(f"bomb-gzip-twice@{ONE}", BUT_ONE, "longer than"),
    Row(f"bomb-br@{ONE}", BUT_ONE, "longer than"),
    Row(f"bomb-zstd@{ONE}", BUT_ONE, "longer than"),
    Row(f"drip@{ONE}", BUT_ONE, "no whole answer came in time", arguments=(*ONCE, "-s", "DOWNLOAD_TIMEOUT=3")),
    Row(f"endless@{ONE}", BUT_ONE, "longer than we take", arguments=ONCE),
    Row(f"longer@{ONE}", BUT_ONE, "ends early", arguments=ONCE),
    Row(f"two-lengths@{ONE}", BUT_ONE, "conflicting Content-Length", arguments=ONCE),
    Row("unknown-authority", {}, "no safe connection", arguments=ONCE),
    Row("expired", {}, "no safe connection", arguments=ONCE),
    Row("other-name", {}, "the certificate is of another host", arguments=ONCE),
    Row(f"odd-charset@{ONE}", {"captured": 3}),
    Row("says-another", {"captured": 3}),
    Row(f"year-1901@{ONE}", {"captured": 3}),
    Row(f"year-9998@{ONE}", {"captured": 3}),
    Row(f"turned-text@{ONE}", {"captured": 3}),
    Row("cookies", {"captured": 3}),
)


def summary_of(settings: Settings) -> Summary:
    store = open_store(settings)
    return read_summary(store, [key for key in store.keys("crawls/") if key.endswith(".json")][-1])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_fault_costs_its_page_alone_and_is_named(
    row: Row, scrapy: Command, newsstand: World, folder: Settings
) -> None:
    newsstand.stand.stand.fault(row.fault)
    ran = scrapy("crawl", "kjd", *DAY, *row.arguments, settings=folder)
    told = summary_of(folder)
    assert told.counts == row.counts, ran.err[-2000:]
    reasons = [tried.reason for tried in told.addresses if tried.result != "captured"]
    assert row.said in (reasons or [route.error for route in told.routes])[0]
    assert not [reason for reason in reasons if "Failure" in reason or "Error" in reason], "a sentence for a person"
    asked = [entry for entry in newsstand.stand.stand.log if entry["path"].endswith("2594899")]
    assert len(asked) <= 2, "asking again brings nothing"


def test_a_site_that_asks_for_a_long_pause_is_left_alone(scrapy: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault("pause-a-year@/news/")
    scrapy("crawl", "kjd", "-a", "since=2026-06-01", "-a", "until=2026-06-07", settings=folder)
    asked = [path for path in newsstand.paths() if path.startswith("/news/")]
    assert 1 <= len(asked) <= 2, "one may be on its way"
    assert {*summary_of(folder).troubles.values()} == {"busy"}, "a later crawl may ask again"


def test_what_went_wrong_is_a_sentence_whatever_it_was() -> None:
    lost = DownloadFailedError("x")
    lost.__cause__ = ResponseFailed([Failure(ConnectionLost())])
    told = {
        in_words(error)
        for error in (
            SysCallError(104, "ECONNRESET"), SSL.Error(), SSL.Error([("a", "", "verify failed")]), lost, ValueError(),
            DownloadTimeoutError(), DownloadCancelledError(), IgnoreRequest("refused: x points inward"),
        )
    }  # fmt: skip
    assert told == {
        "no safe connection: ECONNRESET", "no safe connection: TLS failed", "no safe connection: verify failed",
        "the connection was cut before the answer was whole", "no answer that can be understood: ValueError",
        "no whole answer came in time",
        "the answer is longer than we take", "refused: x points inward",
    }  # fmt: skip


def test_every_hostile_fault_is_tried_and_stands_in_the_table() -> None:
    tried = {row.fault.partition("@")[0] for row in ROWS} | {"many-links"}
    assert {*HOSTILE, *WIRE_FAULTS} == tried
    table = (ROOT / "docs" / "security.md").read_text()
    assert [name for name in tried if f"`{name}`" not in table] == []


@pytest.mark.long
@minutes
def test_a_hundred_thousand_links_do_not_keep_us(
    scrapy: Command, opeds: Command, newsstand: World, folder: Settings
) -> None:
    """The limit is smaller here than the shipped ones: 100,000 pages, three hours."""
    newsstand.stand.stand.fault("many-links@editorials")
    week = ("-a", "since=2026-05-20", "-a", "until=2026-06-07")
    ran = scrapy("crawl", "kjd", *week, "-a", "pages=20", settings=folder)
    told = summary_of(folder)
    assert told.counts["not asked for"] > 99_980, ran.err[-2000:]
    assert sum(told.counts.values()) > 100_000, "each is named, and counted as what it is"
    opeds("ingest", "--crawls", settings=folder)
    said = opeds("status", "--json", settings=folder).out
    assert "more addresses, which the crawl's account names" in said
    assert len(said) < 300_000


def test_names_are_judged_at_the_look_up_that_the_connection_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look-up answers an inward address: it is refused, whatever the first one said."""
    from twisted.internet.error import DNSLookupError

    from spiders.guard import GuardedResolver, _refused

    answers = iter(["93.184.215.14", "127.0.0.1", "10.0.0.7", "93.184.215.14"])
    monkeypatch.setattr(CachingThreadedResolver, "getHostByName", lambda *_: succeed(next(answers)))
    resolver = object.__new__(GuardedResolver)
    seen: list[Any] = []
    for _ in range(4):
        resolver.getHostByName("rebinding.example").addBoth(seen.append)
    assert seen[0] == seen[3] == "93.184.215.14"
    assert [type(one.value) for one in seen[1:3]] == [DNSLookupError] * 2
    assert _refused.pop("rebinding.example") == "10.0.0.7"


@pytest.mark.parametrize(
    "host",
    "2130706433 0x7f000001 0177.0.0.1 127.1 localhost. 169.254.169.254. [2002:a9fe:a9fe::] [64:ff9b::a9fe:a9fe] "
    "metadata.google.internal printer router.lan LOCALHOST".split(),
)
def test_no_spelling_of_an_inward_host_is_asked(host: str) -> None:
    """Also of a robots.txt that leads there, behind a proxy that would resolve it."""
    crawler = get_crawler()
    crawler.spider = Spider(name="k")
    with pytest.raises(IgnoreRequest, match="refused"):
        NoInwardAddress(crawler).process_request(Request(f"http://{host}/robots.txt"))


# -- what came in: nothing of it is more than a text


def test_a_page_that_says_it_is_another_stays_what_it_is(
    scrapy: Command, opeds: Command, newsstand: World, folder: Settings
) -> None:
    newsstand.stand.stand.fault("says-another")
    other = newsstand.stand.stand.world.opeds[0].cid
    scrapy("crawl", "kjd", *DAY, settings=folder)
    assert opeds("ingest", "--crawls", settings=folder).code == 0
    rows = listed(folder)
    assert {row["article_id"] for row in rows} == {"kjd-c2594828", "kjd-c2594899", "kjd-c2594970"}
    assert not [row for row in rows if other in str(row)]


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [("year-1901", ("dates_disagree",)), ("year-9998", ("from_the_future", "dates_disagree"))],
)
def test_an_impossible_year_is_not_believed(
    fault: str, reasons: tuple[str, ...], scrapy: Command, opeds: Command, newsstand: World, folder: Settings
) -> None:
    newsstand.stand.stand.fault(fault)
    scrapy("crawl", "kjd", *DAY, settings=folder)
    opeds("ingest", "--crawls", settings=folder)
    rows = listed(folder)
    assert len(rows) == 3
    assert {str(row["published_day"]) for row in rows} == {"2026-06-02"}, "the address knows better"
    records = [json.loads(open_store(folder).read(key)) for key in open_store(folder).keys("articles/")]
    assert {(one["status"], tuple(one["reasons"])) for one in records} == {("review", reasons)}


def test_control_characters_of_a_headline_reach_no_output(
    scrapy: Command, opeds: Command, newsstand: World, folder: Settings, tmp_path: Path
) -> None:
    newsstand.stand.stand.fault(f"turned-text@{ONE}")
    scrapy("crawl", "kjd", *DAY, settings=folder)
    opeds("ingest", "--crawls", settings=folder)
    for arguments in (["list"], ["show", "kjd-c2594899"], ["list", "--json"], ["search", "Ferry"], ["status"]):
        ran = opeds(*arguments, settings=folder)
        assert ran.code in {0, 1}, ran.err
        assert not SIGNS.search(ran.out + ran.err), arguments
    made = tmp_path / "made"
    opeds("export", "--to", str(made), "--format", "csv", "--spreadsheet", settings=folder)
    opeds("browse", "--static", str(tmp_path / "site"), settings=folder)
    texts = [*made.rglob("*.csv"), *(tmp_path / "site").rglob("*.html")]
    assert len(texts) > 5
    for file in texts:
        text = file.read_text()
        assert not SIGNS.search(text), file
        assert "<script>alert" not in text or file.suffix == ".csv"
    (sheet,) = made.rglob("*.csv")
    assert "HYPERLINK" in sheet.read_text()
    assert not re.search(r"(?m)(^|[,\"])=HYPERLINK", sheet.read_text())


def test_cookies_of_a_site_stay_in_its_own_answer(
    scrapy: Command, opeds: Command, newsstand: World, folder: Settings
) -> None:
    """The header stands in the WARC's response, as it was served; it is sent to nobody and copied nowhere."""
    newsstand.stand.stand.fault("cookies")
    scrapy("crawl", "kjd", *DAY, settings=folder)
    assert opeds("ingest", "--crawls", settings=folder).code == 0
    root = Path(folder.archive.removeprefix("file://"))
    seen = 0
    for file in (one for one in (*root.rglob("*"), *folder.home.rglob("*")) if one.is_file()):
        if not file.name.endswith(".warc.gz"):
            assert b"hunter2" not in file.read_bytes(), file
            continue
        with file.open("rb") as stream:
            for record in ArchiveIterator(stream):
                head = record.http_headers.to_str() if record.http_headers else ""
                assert "hunter2" not in record.content_stream().read().decode(errors="replace")
                assert "hunter2" not in record.rec_headers.to_str()
                assert record.rec_type == "response" or "hunter2" not in head
                seen += "hunter2" in head
    assert seen == 3
