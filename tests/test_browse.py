"""The pages of an archive: all links lead somewhere, nothing in a text acts, and what they say is what is known."""

from __future__ import annotations

import csv
import fcntl
import html
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from lxml.html import HtmlElement, fromstring
from starlette.testclient import TestClient

from pipelines.archive.manifests import Closing, Manifest, RouteReport
from pipelines.archive.remover import removing
from pipelines.browse import static
from pipelines.browse.captured import page_words
from pipelines.browse.draw import HARMLESS, linker
from pipelines.browse.pages import Shelf, compared_pairs
from pipelines.browse.searched import SearchAsked, search_page
from pipelines.browse.server import Browser, application, bound
from pipelines.browse.snapshot import FACETS, Snapshot, slug_of
from pipelines.browse.static import write_pages
from pipelines.catalogue.publish import publish
from pipelines.client import ArchiveReader, open_archive
from pipelines.clock import SEOUL, now
from pipelines.errors import StoreUnavailable, TakesTooLong, WrongUsage
from pipelines.exports.search import Wanted
from pipelines.index.opened import Archive, commit, open_to_write
from pipelines.jobs.replay import Replayed
from pipelines.jobs.withdraw import withdraw
from pipelines.settings import Settings
from pipelines.versions import word_diff
from tests.conftest import OPEDS, ROOT, capture, command, environment_of, page, prose, take_in
from tests.test_client import fill, url
from tests.test_ingest import daum_page

LARGEST = 150_000  # bytes of a page of ours
HOSTILE = (
    "<script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>",
    '=HYPERLINK("http://evil.example","x")\'; DROP TABLE catalogue;--',
    "\x1b[31mred\x1b[0m \x07 \x9b2J \u202egnirts\u202c \u2066x\u2069 </textarea></title></style>",
    "{{ 7*7 }} {% raw %} ${7*7} &lt;b&gt; \x02mark\x03 \x00 \ud7ff \ufeff",
    "../../../etc/passwd?x=<y>&\"'#%00",
)
BILINGUAL = json.loads((Path(__file__).parent / "bilingual" / "05.json").read_text())


def close_day(archive: Archive, day: str, missing: tuple[str, ...] = ()) -> None:
    """Log how a day stands."""
    routes = (RouteReport("kjd", "feed", True, True, 12, days=(day,)),)
    sources = ("daum", "kjd")
    closing = Closing(sources, not missing, missing, routes=routes, whole=() if missing else sources)
    commit(archive, Manifest(f"run-{day}", f"closing-{day}", day, "2026-01-01T00:00:00Z", closing=closing))


def fill_more(archive: Archive, settings: Settings) -> None:
    """Archive what `fill` does, a bilingual op-ed, a page that is set aside, and days of every kind."""
    fill(archive, settings)
    both = page([*BILINGUAL["en"], *BILINGUAL["ko"]], "The empty ward", "Seo Ji-an", date="12 Jun. 2024, 19:00")
    take_in(archive, capture(both, "2024-06-18T03:00:00", url(4)))
    take_in(archive, capture(b"<html><body><p>menu</p><script>alert(1)</script>", "2024-06-18T04:00:00", url(9)))
    signed = b"Han Seo-yulThe author is a harbor pilot in Mokpo. "
    waiting = daum_page(prose(8)).replace(b"20240613", b"20240301").replace(signed, b"")
    take_in(archive, capture(waiting, "2024-06-18T05:00:00", "https://v.daum.net/v/20240301230000009"))
    close_day(archive, "2024-06-11")
    close_day(archive, "2024-06-13", ("kjd: feed: <b>HTTP 503</b>",))
    close_day(archive, "2024-06-15")
    publish(archive, settings)


def shown_archive(made: Path) -> Settings:
    """Return an archive with all of that in a folder, for tests that only read."""
    settings = Settings(archive=f"file://{made / 'archive'}", home=made / "home", invented=True)
    fill_more(open_to_write(settings), settings)
    return settings


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return shown_archive(tmp_path_factory.mktemp("shown"))


@pytest.fixture(scope="module")
def browser(shown: Settings) -> Browser:
    return Browser(shown)


@pytest.fixture(scope="module")
def client(browser: Browser) -> TestClient:
    return TestClient(application(browser, ["testserver"]), raise_server_exceptions=True)


def tree_of(body: str) -> HtmlElement:
    return fromstring(body)


def links(body: str, base: str) -> set[str]:
    """Return where a page leads within the site, without fragments."""
    found = {urljoin(base, link) for link in tree_of(body).xpath("//a/@href | //link/@href | //form/@action")}
    return {one.partition("#")[0] for one in found if one.startswith("http://testserver/")}


def crawled(client: TestClient) -> dict[str, str]:
    """Return every page that can be reached from the front, tables and files left out, by its path."""
    waiting, seen = ["http://testserver/"], {}
    while waiting:
        address = waiting.pop()
        path = address.removeprefix("http://testserver")
        if path in seen or path.startswith(("/data", "/replay", "/search.")):
            continue
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:500])
        seen[path] = answer.text if "html" in answer.headers["content-type"] else ""
        waiting += sorted(links(seen[path], address)) if seen[path] else []
    return seen


def check_page(path: str, body: str) -> None:
    """Nothing in a page acts, nothing asks another host, and it is small."""
    tree = tree_of(body)
    assert len(body.encode()) < LARGEST, path
    assert not tree.xpath("//script | //style | //iframe | //object | //embed | //img | //base"), path
    assert not tree.xpath("//@style | //@onclick | //@onerror | //@onload | //@srcset | //@formaction"), path
    for asked in tree.xpath("//@src | //link/@href"):
        assert not urlsplit(asked).netloc, (path, asked)
    for link in tree.xpath("//a/@href"):
        assert urlsplit(link).scheme in {"", "http", "https"}, (path, link)
    assert len(tree.xpath("//h1")) == 1, path
    assert tree.xpath("//html/@lang") == ["en"], path
    assert len(set(tree.xpath("//@id"))) == len(tree.xpath("//@id")), path
    unseen = {sign for sign in tree.text_content() if not sign.isprintable()} - HARMLESS
    assert not unseen, (path, unseen)


def test_every_link_of_every_page_leads_somewhere(client: TestClient) -> None:
    seen = crawled(client)
    kinds = {path.split("/")[1].partition("?")[0] for path in seen}
    assert kinds >= {
        "", "oped", "compare", "columnists", "columnist", "corrections", "day", "year", "search", "status", "captured",
        "source", "provenance", "style.css", "icon.svg",
    }  # fmt: skip
    for path, body in seen.items():
        if body:
            check_page(path, body)


def test_answers_keep_a_browser_from_harm(client: TestClient) -> None:
    for path in (
        "/",
        "/style.css",
        "/nowhere",
        "/source/kjd-c2068169",
        "/search.csv?q=wall",
        "/data/",
        "/data/opeds.json",
    ):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe-inline" not in policy.replace("style-src 'self' 'unsafe-inline'", "") or path.startswith("/data")
        assert ("unsafe-inline" in policy) == path.startswith("/data"), "styles of Datasette alone"
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/data/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/data", headers={"host": "evil.example"}).status_code == 400
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/data/opeds.json?sql=select+1", headers=foreign).status_code == 403
    assert client.get("/", headers=foreign | {"sec-fetch-mode": "navigate"}).status_code == 200
    assert "set-cookie" not in client.get("/data/-/messages").headers
    for method in ("post", "put", "delete", "patch", "options"):
        assert getattr(client, method)("/").status_code == 405
        assert getattr(client, method)("/data/opeds").status_code == 405
    assert client.head("/").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/oped/kjd-c1", 404),
        ("/oped/..%2f..%2fetc", 404),
        ("/oped/%00", 400),
        ("/oped/kjd-c2068161@0000", 404),
        ("/day/2024-13-01", 404),
        ("/day/1999-01-01", 404),
        ("/year/99999999999999999999", 404),
        ("/year/²", 404),
        ("/columnist/nobody", 404),
        ("/columnists/2", 404),
        ("/corrections/999", 404),
        ("/corrections/0", 404),
        ("/compare/kjd-c2068161/kjd-c2068162/x", 404),
        ("/captured/kjd-c404", 404),
        ("/captured/archive.json", 404),
        ("/source/..%2farchive.json", 404),
        ("/search?q=%22%22", 200),
        ("/search?q=노동", 200),
        ("/search?q=노동+wall", 200),
        ("/search?q=노", 200),
        ("/search?q=%00&year=abc&page=-1&order=x", 200),
        ("/search?year=02024", 200),
        ("/search?year=２０２４", 200),
        ("/search?q=" + "wall+" * 10_000, 200),
        ("/data", 200),
        ("/oped/kjd-c2068169", 404),
        ("/search?q=a" + "b" * 5000, 200),
        ("/search?year=" + "9" * 400, 200),
        ("/search.csv?q=%22%22", 400),
        ("/search.csv?q=nothinglikethis", 200),
        ("/data/nowhere", 404),
    ],
)
def test_what_is_not_there_is_said_so(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text[:400]
    assert "Traceback" not in answer.text
    assert path.startswith("/data") or len(answer.content) < LARGEST
    assert ".sqlite" not in answer.text or path.startswith("/data"), "nothing of where files lie"


def test_the_front_page_alone_leads_to_what_a_person_looks_for(client: TestClient) -> None:
    front = client.get("/").text
    tree = tree_of(front)
    assert "Who pays" in front
    assert "The empty ward" in front
    gap = tree.xpath("//td[contains(@class,'never')]/a/@aria-label")
    assert sorted(gap) == ["12 June 2024: 1 op-ed, at kjd 1; never run", "14 June 2024: 0 op-eds; never run"]
    assert tree.xpath("//td[contains(@class,'incomplete')]//span/text()")[0].startswith("▲")
    oped = client.get("/oped/kjd-c2068161").text
    assert "The paper changed this op-ed" in oped
    assert "The page itself states day and time, to the minute." in oped
    assert "<ins>" in client.get(tree_of(oped).xpath("//a[text()='what changed']/@href")[0].replace("..", "")).text
    copied = client.get("/oped/kjd-c2068163").text
    assert "v.daum.net" in copied
    day = client.get("/day/2024-06-13").text
    assert "&lt;b&gt;HTTP 503" in day
    assert "Read far enough" in day
    assert "menu" not in day
    assert "no known layout fits the page" in client.get("/status").text
    assert "No run ever looked at this day" in client.get("/day/2024-06-14").text


def test_korean_stands_beside_english_and_what_has_no_counterpart_is_said(client: TestClient) -> None:
    tree = tree_of(client.get("/oped/kjd-c2068164").text)
    rows = tree.xpath("//div[starts-with(@class,'pair')]")
    assert len([row for row in rows if row.get("class") == "pair"]) >= 4
    assert "".join(tree.xpath("//div[@lang='ko']/p[not(@class)]/text()")) == "".join(BILINGUAL["ko"])
    apart = client.get("/oped/kjd-c2068162").text
    assert "could not be found out" in apart or "no Korean paragraph was found" in apart


def test_a_page_that_waits_for_review_is_read_and_in_no_list(client: TestClient, browser: Browser) -> None:
    with ArchiveReader(browser.settings, browser.path) as archive:
        waits = [row["article_id"] for row in archive.sql("SELECT article_id FROM catalogue WHERE NOT listed")]
    assert waits == ["daum-20240301230000009"]
    assert "nothing on the portal" in client.get(f"/oped/{waits[0]}").text
    address = f"http://testserver/oped/{waits[0]}"
    for link in links(client.get(address).text, address):
        assert "/replay/" in link or client.get(link).status_code == 200, link
    assert waits[0] not in client.get("/").text


def test_a_facet_counts_what_following_it_finds(browser: Browser) -> None:
    with ArchiveReader(browser.settings, browser.path) as archive:
        shelf = Shelf(archive, browser.snapshot)
        for words in ("", "wall", '"sea wall"', "방파제"):
            for name, _, values, _ in search_page(shelf, SearchAsked(words)).values["facets"]:
                assert name in FACETS
                for value, count in values:
                    narrowed = replace(SearchAsked(words), **{name: value})
                    assert search_page(shelf, narrowed).values["total"] == count, (words, name, value)
                    found = archive.search(words, narrowed.wanted(), "newest", 1000)
                    assert len(found) == count, "what is counted is what SQL finds"


def test_a_download_says_which_it_is_and_is_exact_or_safe(client: TestClient, tmp_path: Path) -> None:
    for path, named in (("/search.csv", "exact"), ("/search.spreadsheet.csv", "for-spreadsheets")):
        answer = client.get(path)
        assert named in answer.headers["content-disposition"]
        assert len(list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))) == 4
    lines = client.get("/search.jsonl?q=wall").text.splitlines()
    assert {json.loads(line)["article_id"] for line in lines} == {"kjd-c2068161", "kjd-c2068162"}


# -- hostile texts -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(shown: Settings, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """A browser over a file whose every text is hostile, whatever reading of pages let through."""
    made = tmp_path_factory.mktemp("hostile")
    with open_archive(settings=shown) as archive:
        path = Path(shutil.copy(archive.path, made / "hostile.sqlite"))
    poison_all(path)
    browser = Browser(replace(shown, home=shown.home))
    browser.path = path
    browser.snapshot = browser._look()
    return browser


def poison_all(path: Path) -> None:
    """Put hostile texts into every text of a file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("folded", 1, str)
        for number, poison in enumerate(HOSTILE):
            signed = json.dumps([{"name": poison, "bio": poison}])
            texts = json.dumps([poison])
            connection.execute(
                "UPDATE catalogue SET headline = ?1, deck = ?1, names = ?1, authors = ?2, captions = ?3, aliases = ?3, "
                "text = ?1 || char(10) || char(10) || text, text_ko = ?1 || text_ko, correction_note = ?1, kind = ?1, "
                "published_raw = ?1, date_source = ?1, copyright = ?1, publisher = ?1, profile = ?1, url = ?4, "
                "canonical_url = ?4, reasons = ?3, status = 'review', discovered_by = ?3 WHERE id % ?5 = ?6",
                (poison, signed, texts, f"javascript:alert(1)//{poison}", len(HOSTILE), number),
            )
        for table in ("search", "search_ko"):
            connection.execute(f"INSERT INTO {table}({table}) VALUES ('rebuild')")
        connection.commit()


def test_hostile_texts_are_texts_on_every_page(hostile: Browser) -> None:
    client = TestClient(application(hostile, ["testserver"]))
    seen = crawled(client)
    for path, body in seen.items():
        if body:
            check_page(path, body)
    texts = " ".join(tree_of(body).text_content() for body in seen.values() if body)
    for visible in (
        "<script>alert(1)</script>",
        "DROP TABLE",
        "␛[31mred",
        "⟨U+202E⟩gnirts",
        "{{ 7*7 }}",
        "../../../etc",
    ):
        assert visible in texts, visible
    for words in ("<script>", "{{", "' OR 1=1 --", "alert NEAR(", '"', "*", "^", "a AND", "\x00", "-x:y", "headline:x"):
        answer = client.get("/search", params={"q": words})
        assert answer.status_code == 200
        check_page(words, answer.text)


def test_hostile_texts_are_texts_in_files_and_downloads(hostile: Browser, tmp_path: Path) -> None:
    client = TestClient(application(hostile, ["testserver"]))
    exact = list(csv.DictReader(io.StringIO(client.get("/search.csv").content.decode())))
    assert {row["headline"] for row in exact} <= set(HOSTILE)
    opened = list(csv.DictReader(io.StringIO(client.get("/search.spreadsheet.csv").content.decode("utf-8-sig"))))
    for row in opened:
        assert not [v for v in row.values() if re.match(r"\s*[=+\-@\t\r＝＋－＠]", v)]
    folder = tmp_path / "files"
    with ArchiveReader(hostile.settings, hostile.path) as archive:
        write_pages(archive, hostile.snapshot, folder, "", lambda *_: None)
    names = sorted(folder.rglob("*.html"))
    assert all(name.resolve().is_relative_to(folder.resolve()) for name in names)
    for name in names:
        if name.name != "search.html":
            check_page(name.name, name.read_text())


def test_hostile_texts_are_texts_in_the_tables_of_datasette(hostile: Browser) -> None:
    client = TestClient(application(hostile, ["testserver"]))
    for path in ("/data/opeds/catalogue", "/data/opeds/catalogue/1", "/data/opeds/opeds?_facet=headline"):
        answer = client.get(path)
        assert answer.status_code == 200
        nonce = re.search(r"'nonce-([^']+)'", answer.headers["content-security-policy"])[1]  # type: ignore[index]
        scripts = tree_of(answer.text).xpath("//script")
        assert scripts
        assert all(script.get("nonce") == nonce for script in scripts), "of the templates alone"
        assert "alert(1)" not in "".join(script.text_content() for script in scripts)
        assert client.get(path).headers["content-security-policy"] != answer.headers["content-security-policy"]


def test_the_tables_can_be_read_alone_and_for_a_limited_time(client: TestClient, browser: Browser) -> None:
    rows = client.get("/data/opeds/catalogue.json?_shape=array&_search=wall").json()
    assert {row["article_id"] for row in rows} == {"kjd-c2068161", "kjd-c2068162"}
    views = client.get("/data/opeds/opeds.json?_shape=array&_search=wall").json()
    assert len(views) == 2
    for name, query in (("columnists", ""), ("latest_corrections", ""), ("op_eds_with_a_word", "&word=wall")):
        assert client.get(f"/data/opeds/{name}.json?_shape=array{query}").json(), name
    assert "kjd-c2068161" in client.get("/data/opeds/catalogue.csv?_facet=kind").text
    for sql in (
        "DELETE FROM catalogue",
        "ATTACH DATABASE '/tmp/x' AS y",
        "PRAGMA journal_mode=DELETE",
        "VACUUM INTO '/tmp/x'",
    ):
        answer = client.get("/data/opeds.json", params={"sql": sql})
        assert answer.status_code == 400, sql
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    assert client.get("/data/opeds.json", params={"sql": endless}).status_code == 400
    huge = "SELECT length(hex(zeroblob(400000000)))"
    assert client.get("/data/opeds.json", params={"sql": huge}).status_code == 400
    with ArchiveReader(browser.settings, browser.path) as archive:
        archive.limit(0.1)
        with pytest.raises(TakesTooLong, match="ask for less"):
            list(archive.sql(endless))


# -- files ---------------------------------------------------------------------------------------------------------


def built(browser: Browser, folder: Path, right: str = "") -> dict[str, bytes]:
    """Write the pages as files; return them by name, without the index of headlines."""
    with ArchiveReader(browser.settings, browser.path) as archive:
        write_pages(archive, browser.snapshot, folder, right, lambda *_: None)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: body for name, body in files.items() if not name.startswith("pagefind/")}


def test_the_same_pages_stand_in_files_and_their_links_are_files(browser: Browser, tmp_path: Path) -> None:
    files = built(browser, tmp_path / "a", "a licence of the paper, No. 7")
    pages_of = {name: body.decode() for name, body in files.items() if name.endswith(".html")}
    assert {"index.html", "search.html", "status.html", "corrections.html", "year/2024.html"} <= pages_of.keys()
    for name, body in pages_of.items():
        assert "a licence of the paper, No. 7" in body, name
        assert "default-src 'none'" in html.unescape(body)
        for link in tree_of(body).xpath("//a/@href | //link/@href | //form/@action | //script/@src"):
            target = urljoin(f"http://x/{name}", link).partition("#")[0].partition("?")[0]
            if target.startswith("http://x/"):
                assert not link.startswith("/"), "relative"
                assert unquote(target.removeprefix("http://x/")) in files, (name, link)
        if name != "search.html":
            check_page(name, body)
    assert (tmp_path / "a" / "pagefind" / "pagefind.js").exists()


def test_files_are_written_again_alike_and_what_is_no_more_goes(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    once = built(browser, folder)
    (folder / "oped" / "kjd-c9.html").write_text("of an op-ed that was withdrawn")
    (folder / ".opeds-123.new").write_text("of a build that was killed")
    (folder / "mine.html").write_text("of somebody else")
    assert built(browser, folder) == once | {"mine.html": b"of somebody else"}
    (folder / "mine.html").unlink()
    several = replace(browser.settings, processes=3)
    with open_archive(settings=several) as archive:
        snapshot = Snapshot(archive, browser.snapshot.at)
        write_pages(archive, snapshot, tmp_path / "b", "", lambda *_: None)
    assert (tmp_path / "b" / "index.html").read_bytes() == once["index.html"]
    with (folder / ".lock").open("a") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        with pytest.raises(WrongUsage, match="another build"):
            built(browser, folder)
    other = tmp_path / "other"
    other.mkdir()
    for mark in ("", '{"tool": "webpack"}', "[]", "\xff"):
        (other / "build.json").write_text(mark)
        (other / "thesis.html").write_text("mine")
        with pytest.raises(WrongUsage, match="holds other files"):
            built(browser, other)
        assert sorted(path.name for path in other.iterdir()) == ["build.json", "thesis.html"]


# -- the process ---------------------------------------------------------------------------------------------------


def test_pages_follow_the_archive_and_say_when_they_cannot(folder: Settings) -> None:
    archive = open_to_write(folder)
    fill(archive, folder)
    browser = Browser(folder)
    client = TestClient(application(browser, ["testserver"]))
    assert not browser.refresh()
    assert "Tomorrow" not in client.get("/").text
    text = [f"Tomorrow the harbor opens a {n} time, and who pays for it nobody knows." * 6 for n in range(5)]
    take_in(archive, capture(page(text, "Tomorrow’s harbor"), "2024-06-19T00:00:00", url(7)))
    publish(archive, folder)
    assert browser.refresh()
    assert "Tomorrow’s harbor" in client.get("/").text
    assert "Tomorrow" in client.get("/search?q=harbor").text
    assert client.get("/data/opeds/catalogue.json?_shape=array&_search=harbor").json()
    close_day(archive, "2024-06-20", ("kjd: nothing",))
    publish(archive, folder)
    assert browser.refresh(), "a day that is closed is news too"
    assert "▲" in client.get("/").text
    there = Path(folder.archive.removeprefix("file://"))
    there.rename(there.with_name("away"))
    assert not browser.refresh()
    answer = client.get("/")
    assert answer.status_code == 200
    assert "cannot be reached now" in answer.text
    there.with_name("away").rename(there)
    browser.refresh()
    assert "cannot be reached now" not in client.get("/").text
    browser.path.unlink()
    assert browser.refresh() is True, "the file was made anew"
    assert client.get("/").status_code == 200


def test_an_archive_without_op_eds_has_a_front_page(folder: Settings) -> None:
    open_to_write(folder)
    client = TestClient(application(Browser(folder), ["testserver"]))
    for path in ("/", "/search", "/columnists", "/corrections", "/status", "/data/opeds/catalogue"):
        assert client.get(path).status_code == 200, path
    assert "No op-ed is in this archive yet" in client.get("/").text


CALL = [*OPEDS, "browse"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--public"], "by which right"),
        (["--public", "--right", " "], "by which right"),
        (["--port", "70000"], "65535"),
        (["--static", "x", "--public", "--right", "r"], "serves nothing"),
        (["--static", "x", "--port", "9"], "serves nothing"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(words: list[str], said: str, shown: Settings) -> None:
    ran = command([*CALL, *words], shown, {})
    assert ran.code == 2
    assert said in ran.err


def test_the_process_starts_answers_on_loopback_alone_and_stops(shown: Settings) -> None:
    for how in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(
            [*CALL, "--no-browser", "--json"],
            env={**os.environ, **environment_of(shown)},
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout
        told = json.loads(process.stdout.readline())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(told["address"], timeout=10) as answer:
            assert b"Who pays" in answer.read()
        port = urlsplit(told["address"]).port
        listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        assert f"0100007F:{port:04X}" in listening
        assert f"00000000:{port:04X}" not in listening
        process.send_signal(how)
        _, err = process.communicate(timeout=15)
        assert process.returncode == (0 if how is signal.SIGINT else 143)
        assert not err, err


def test_a_withdrawn_op_ed_is_no_longer_shown(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = open_to_write(folder)
    fill(archive, folder)
    browser = Browser(folder)
    ended: list[str] = []

    @contextmanager
    def replayed(_store: object, pages_of: list[tuple[str, str]]) -> Iterator[list[Replayed]]:
        yield [Replayed("http://127.0.0.1:1/x", pages_of[0][1], "2024")]
        ended.append(pages_of[0][0])

    monkeypatch.setattr("pipelines.browse.server.replaying", replayed)
    client = TestClient(application(browser, ["testserver"]), follow_redirects=False)
    assert client.get("/replay/kjd-c2068161").status_code == 303
    assert client.get("/data/opeds/catalogue.json?_shape=array&_search=taxes").json()
    settings = removing(folder)
    withdraw(settings, "kjd-c2068161", "a test", lambda *_: None, False)
    assert browser.refresh()
    assert ended == ["kjd-c2068161"]
    assert client.get("/oped/kjd-c2068161").status_code == 404
    assert not client.get("/data/opeds/catalogue.json?_shape=array&_search=taxes").json()
    held = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [name for name in held if "deleted" in name and str(folder.home) in name]
    assert all("2026" not in str(day) for day in browser.snapshot.calendar), "a withdrawal looks at no day"


def test_what_the_pages_say_of_today_is_of_today(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not browser.refresh()
    later = now() + timedelta(days=9)
    monkeypatch.setattr("pipelines.browse.server.now", lambda: later)
    monkeypatch.setattr("pipelines.browse.server.today", lambda: later.astimezone(SEOUL).date())
    assert browser.refresh()
    assert browser.snapshot.today == later.astimezone(SEOUL).date()
    assert "until yesterday" in browser.snapshot.since_last_look
    monkeypatch.undo()
    assert browser.refresh()


def test_what_cannot_be_had_is_not_called_missing(folder: Settings) -> None:
    archive = open_to_write(folder)
    fill(archive, folder)
    client = TestClient(application(Browser(folder), ["testserver"]))
    there = Path(folder.archive.removeprefix("file://"))
    there.rename(there.with_name("away"))
    for path in ("/captured/kjd-c2068161", "/source/kjd-c2068161", "/provenance/kjd-c2068161"):
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert "cannot be reached" in answer.text


def test_a_download_that_takes_too_long_says_so(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.browse.server.MOST_SECONDS_OF_A_FILE", -1.0)
    monkeypatch.setattr("pipelines.client.STEPS_BETWEEN_LOOKS", 1)
    for path in ("/search.csv", "/search.jsonl?q=wall"):
        answer = client.get(path)
        assert (answer.status_code, "ask for less" in answer.text) == (503, True), path


def test_a_port_that_is_taken_is_named(shown: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StoreUnavailable, match="is taken"):
            bound("127.0.0.1", taken.getsockname()[1])
    first = bound("127.0.0.1", 0)
    with pytest.raises(StoreUnavailable, match="is taken"):
        bound("127.0.0.1", first.getsockname()[1])
    second = bound("127.0.0.1", 0)
    assert second.getsockname()[1] != first.getsockname()[1]
    first.close()
    second.close()


def test_readers_at_once_are_all_answered(browser: Browser) -> None:
    client = TestClient(application(browser, ["testserver"]))
    answers: list[int] = []

    def read() -> None:
        answers.extend(client.get(path).status_code for path in ("/", "/search?q=wall", "/oped/kjd-c2068161"))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 24


# -- parts ---------------------------------------------------------------------------------------------------------


def test_many_versions_are_compared_with_their_neighbours_and_the_latest() -> None:
    few, many = list(range(4)), list(range(40))
    assert len(compared_pairs(few)) == 6  # type: ignore[arg-type]
    found = compared_pairs(many)  # type: ignore[arg-type]
    assert len(found) == 39 + 38
    assert {(n, n + 1) for n in range(39)} | {(n, 39) for n in range(39)} == set(found)


def test_spellings_of_one_name_have_one_path_and_no_name_is_a_path() -> None:
    assert slug_of("Kim Hyun-ki") == slug_of("KIM HYUN KI")
    for name in ("", "..", "../x", "a/b", "\x00", "김" * 200, "index.html", "\ud800"):
        assert re.fullmatch(r"\w+", slug_of(name)), name
        assert len(slug_of(name).encode()) <= 120


def test_what_was_searched_can_be_narrowed_to_what_was_corrected_or_copied(shown: Settings) -> None:
    with open_archive(settings=shown) as archive:
        assert [v.article_id for v in archive.search("", Wanted(corrected=True))] == ["kjd-c2068161"]
        assert [v.article_id for v in archive.search("", Wanted(copied=True))] == ["kjd-c2068163"]
        assert archive.search("", Wanted(signed="Kim Hyun")) == []
        assert len(archive.search("", Wanted(signed="Kim Hyun-ki"))) == 1
        assert len(archive.holding("")) == 7, "every version, at every place"
        assert [v.article_id for v in archive.search("", None, "newest", 1, 1)] != [
            v.article_id for v in archive.search("", None, "newest", 1, 0)
        ]


def test_links_lead_from_every_page_of_a_list_to_the_first(client: TestClient) -> None:
    for path, target, href in (
        ("corrections/2", "corrections", "../corrections"),
        ("columnist/kim/2", "columnist/kim", "../kim"),
        ("oped/a", "oped/b", "b"),
        ("oped/a", "", "../"),
        ("", "", "./"),
        ("", "search", "search"),
        ("compare/a/b", "data/", "../../data/"),
    ):
        assert linker(path, live=True)(target) == href


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """An archive with too much of everything: texts, bios, versions, pages set aside, op-eds of one day."""
    browser = Browser(shown_archive(tmp_path_factory.mktemp("crowded")))
    with closing(sqlite3.connect(browser.path)) as connection:
        connection.create_function("folded", 1, str)
        names = [row[1] for row in connection.execute("PRAGMA table_info(catalogue)") if row[1] != "id"]
        source = "SELECT * FROM catalogue WHERE article_id = 'kjd-c2068161' AND is_latest"
        (first,) = [dict(zip(["id", *names], row, strict=True)) for row in connection.execute(source)]
        steps = json.loads(first["steps"])
        for n in range(1200):
            signed = [
                {"name": "Kim Hyun-ki", "bio": f"The author, of {n} offices, writes on ferries and on walls." * 3}
            ]
            new = first | {"article_id": f"kjd-c7{n:06d}", "oped_id": f"kjd-c7{n:06d}", "authors": json.dumps(signed)}
            insert(connection, names, new)
        korean = "\n\n".join(f"{n}번째 문단은 방파제와 여객선에 대해 말한다. " * 8 for n in range(2500))
        english = "\n\n".join(f"Paragraph {n} has its own few words to say once, and once more." for n in range(5000))
        long = {"text": english, "text_ko": korean, "article_id": "kjd-c8000001", "oped_id": "kjd-c8000001"}
        for n in range(60):
            told = [
                steps[-1] | {"from": f"2024-07-01T00:{n:02d}:00Z", "to": None, "previous": f"{n - 1:016x}" if n else ""}
            ]
            version = {"content16": f"{n:016x}", "is_latest": n == 59, "first_seen": f"2024-07-01T00:{n:02d}:00Z"}
            version |= {"steps": json.dumps(told), "previous": told[0]["previous"], "kind_of_change": "text_changed"}
            words = {"text": english.replace("once,", f"{n},")} if n > 50 else {"text": f"Short {n}.", "text_ko": ""}
            insert(connection, names, first | long | version | words)
        places = [
            {"article_id": f"daum-2024070100000{n:04d}", "oped_id": "kjd-c8000001", "role": "copy"} for n in range(300)
        ]
        for place in places:
            insert(
                connection,
                names,
                first | place | {"aliases": json.dumps([f"https://x.example/{n}" for n in range(50)])},
            )
        connection.commit()
    browser.snapshot = browser._look()
    aside = [replace(browser.snapshot.set_aside[0], article_id=f"kjd-c9{n:06d}") for n in range(20_000)]
    browser.snapshot.set_aside = aside  # type: ignore[misc]
    (row,) = [row for row in browser.snapshot.days if row["day"] == "2024-06-13"]
    row["set_aside"] = [one.article_id for one in aside]
    return browser


def insert(connection: sqlite3.Connection, names: list[str], row: dict[str, object]) -> None:
    sql = f"INSERT INTO catalogue ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    connection.execute(sql, [row[name] for name in names])


def test_no_page_is_large_however_much_there_is(crowded: Browser) -> None:
    client = TestClient(application(crowded, ["testserver"]))
    day = crowded.snapshot.facts and "2024-06-13"
    for path in (
        "/", f"/day/{day}", f"/day/{day}/2", f"/day/{day}/12", "/columnist/kimhyunki", "/columnist/kimhyunki/5",
        "/columnists", "/corrections", "/corrections/2", "/status", "/about", "/oped/kjd-c8000001",
        f"/oped/kjd-c8000001@{55:016x}", f"/compare/kjd-c8000001@{55:016x}/kjd-c8000001@{56:016x}",
        f"/compare/kjd-c8000001@{1:016x}/kjd-c8000001@{59:016x}", "/search?q=ferries", "/year/2024",
    ):  # fmt: skip
        began = monotonic()
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:300])
        assert len(answer.content) < LARGEST, (path, len(answer.content))
        assert monotonic() - began < 20, path
    assert "letters more stand in this text" in client.get("/oped/kjd-c8000001").text
    assert "and 19,900 more" in client.get(f"/day/{day}").text


def test_each_page_of_a_crowded_day_is_a_file_too(crowded: Browser) -> None:
    with ArchiveReader(crowded.settings, crowded.path) as archive:
        written = list(static._pages(Shelf(archive, crowded.snapshot), "day", "2024-06-13"))
    assert [page.path for page in written[:2]] == ["day/2024-06-13", "day/2024-06-13/2"]
    assert len(written) == written[0].values["of"] == 13


def test_a_text_that_repeats_itself_is_compared_in_time() -> None:
    before = "\n\n".join(f"Paragraph {n} has its own few words to say once." for n in range(1200))
    began = monotonic()
    pieces = list(word_diff(before, before.replace("once.", "again.")))
    assert monotonic() - began < 5
    assert {what for what, _ in pieces} == {"-", "+"}
    one = list(word_diff(before, before.replace("Paragraph 600 has", "Paragraph 600 had")))
    assert [text for what, text in one if what != " "] == [
        "Paragraph 600 has its own few words to say once. ¶",
        "Paragraph 600 had its own few words to say once. ¶",
    ]
    again = list(word_diff("same\n\n" * 3000, "same\n\n" * 2999))
    assert monotonic() - began < 10
    assert again


def test_words_of_a_captured_page_are_in_their_order_and_none_is_lost() -> None:
    body = "<p>one <!-- c --> two</p>tail<?pi x?> after <script>never</script><b>bold</b> end<h2>Head</h2>last"
    told = page_words(capture(f"<html><body>{body}</body></html>".encode(), "2024-06-14T00:00:00"))
    assert [(one.text, one.heading) for one in told] == [
        ("one two", False), ("tail after bold end", False), ("Head", True), ("last", False),
    ]  # fmt: skip
    deep = f"<html><body><p>first{'<div>' * 5000}deep{'</div>' * 5000}</body></html>".encode()
    assert page_words(capture(deep, "2024-06-14T00:00:00")) is not None, "no depth is too much"


def test_two_op_eds_are_not_called_two_places(client: TestClient) -> None:
    assert "Two op-eds" in client.get("/compare/kjd-c2068161/kjd-c2068162").text


def test_an_empty_archive_claims_nothing(folder: Settings) -> None:
    open_to_write(folder)
    told = TestClient(application(Browser(folder), ["testserver"])).get("/status").text
    assert "No run has looked at a day yet" in told
    assert "too few pages to compare" in told


def test_years_between_of_which_nothing_is_known_have_no_pages(shown: Settings, tmp_path: Path) -> None:
    settings = Settings(archive=f"file://{tmp_path / 'archive'}", home=tmp_path / "home", invented=True)
    archive = open_to_write(settings)
    for year in (2019, 2022):
        take_in(
            archive,
            capture(
                page(prose(year), f"A wall of {year}", date=f"1 Mar. {year}, 06:30"),
                "2024-06-14T00:00:00",
                url(year % 10),
            ),
        )
    publish(archive, settings)
    browser = Browser(settings)
    assert browser.snapshot.years == [2024, 2022, 2019], "2024: a run that said nothing of its day"
    assert {day.year for day in browser.snapshot.calendar} == {2019, 2022, 2024}
    crawled(TestClient(application(browser, ["testserver"])))
