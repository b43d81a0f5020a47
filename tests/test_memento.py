"""What a public archive's answers are: pages as they were captured, and everything that is none, hostile ones too."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from datetime import UTC, datetime

import pytest

from pipelines.archive.crawl_summary import Tried
from pipelines.archive.warc import Exchange
from pipelines.past.choice import by_article, next_row, note_name
from pipelines.past.memento import is_rewritten, judge_answer, playback_address
from pipelines.past.months import checked_months, months_between, spans_of
from pipelines.past.questions import ASKED_WHOLE, ArchivedRow, OtherAnswer, collections_in, question, read_answer
from pipelines.sources import load_sources
from pipelines.sources.addresses import archived_copy
from pipelines.sources.public import load_archives
from tests.conftest import A_URL, C_URL, page, prose

KJD, WAYBACK, CRAWL = load_sources()["kjd"], load_archives()["wayback"], load_archives()["commoncrawl"]
BODY = page(prose(1))
SHA1 = base64.b32encode(hashlib.sha1(BODY, usedforsecurity=False).digest()).decode()
ROW = ArchivedRow("20240701120000", C_URL, 200, "text/html", SHA1)
ASKED = playback_address(WAYBACK, ROW)
ORIGINAL = ("X-Archive-Orig-Server", "x")
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def answer(body: bytes = BODY, status: int = 200, *headers: tuple[str, str], url: str = ASKED) -> Exchange:
    return Exchange(url, NOW, status, "", (("Content-Type", "text/html"), *headers), body)


def judged(of: Exchange, cut: str = "") -> tuple[str, str]:
    found = judge_answer(WAYBACK, KJD, ROW, ASKED, of, cut)
    return (found.result, found.reason) if found.page is None else ("page", "")


def test_a_page_is_as_it_was_captured() -> None:
    found = judge_answer(WAYBACK, KJD, ROW, ASKED, answer(BODY, 200, ORIGINAL, ("Memento-Datetime", "x")), "").page
    assert found is None, "a moment that cannot be read is none"
    found = judge_answer(WAYBACK, KJD, ROW, ASKED, answer(BODY, 200, ORIGINAL), "").page
    assert found is not None
    assert (found.url, found.fetched_at) == (C_URL, datetime(2024, 7, 1, 12, tzinfo=UTC))
    assert ("Server", "x") in found.headers
    assert found.retrieved is not None
    assert (found.retrieved.digest_fits, found.retrieved.obtained_at) == ("yes", "2026-11-27T00:00:00Z")


@pytest.mark.parametrize(
    ("headers", "body", "fits"),
    [
        ((ORIGINAL,), b"other" + BODY, "no"),
        ((ORIGINAL, ("X-Archive-Orig-Content-Encoding", "gzip")), b"other" + BODY, "unknown"),
        ((), b"other" + BODY, "unknown"),
        ((), BODY, "yes"),
    ],
)
def test_a_digest_is_called_wrong_only_where_nothing_hides_it(
    headers: tuple[tuple[str, str], ...], body: bytes, fits: str
) -> None:
    found = judge_answer(WAYBACK, KJD, ROW, ASKED, answer(body, 200, *headers), "").page
    assert found is not None
    assert found.retrieved is not None
    assert found.retrieved.digest_fits == fits


@pytest.mark.parametrize(
    ("of", "cut", "said"),
    [
        (answer(b""), "", "empty"),
        (answer(BODY), "it ends early", "truncated"),
        (answer(status=404), "", "answered 404"),
        (answer(status=403), "", "refuses"),
        (answer(BODY, 200, ("Memento-Datetime", "Fri, 01 Jan 2100 00:00:00 GMT")), "", "captured on 2100"),
        (answer(BODY, 200, ("Memento-Datetime", "Mon, 01 Jan 0001 00:00:00 GMT")), "", "captured on"),
        (answer(BODY.replace(b"<body>", b"<body><!-- BEGIN WAYBACK TOOLBAR INSERT -->")), "", "changed the page"),
        (answer(b"", 302, ("Location", "https://evil.example/web/20240701120000id_/" + C_URL)), "", "led to itself"),
        (answer(b"", 302, ("Location", "http://169.254.169.254/x")), "", "no article"),
        (answer(b"", 302, ("Location", "http://[broken")), "", "no"),
        (answer(b"", 302), "", "led to itself"),
        (answer(url=ASKED.replace(C_URL, A_URL)), "", "another page"),
    ],
)
def test_what_is_no_page_says_why(of: Exchange, cut: str, said: str) -> None:
    result, reason = judged(of, cut)
    assert result in {"failed", "disallowed"}
    assert said in reason


def test_a_redirect_leads_to_another_moment_or_to_another_article() -> None:
    other = ASKED.replace("20240701120000", "20240702000000")
    assert judge_answer(WAYBACK, KJD, ROW, ASKED, answer(b"", 302, ("Location", other)), "").follow == other
    new = "https://web.archive.org/web/20260701000000id_/https://www.koreajoongangdaily.com/opinion/a-ferry/12600001"
    found = judge_answer(WAYBACK, KJD, ROW, ASKED, answer(b"", 301, ("Location", new)), "")
    assert (found.result, found.target) == ("alias", "kjd-d12600001")


def test_a_page_that_links_to_an_archive_was_not_changed_by_it() -> None:
    quoted = b"<a href='https://web.archive.org/web/20160101000000/https://example.org/'>as it was</a>"
    assert not is_rewritten(BODY.replace(b"</p>", quoted + b"</p>", 1))
    assert is_rewritten(BODY.replace(b"</p>", b"<img src=/web/20160101000000im_/https://example.org/x.png></p>", 1))


@pytest.mark.parametrize(
    "piece", [b"href='/", b"href='/a/20160101000000", b"src=/" + b"a-" * 50, b"__wm.", b"FILE ARCHIVED ON "]
)
def test_looking_for_changes_takes_time_in_the_page_s_length_alone(piece: bytes) -> None:
    began = time.process_time()
    is_rewritten(piece * (2_000_000 // len(piece)))
    archived_copy("https://x/" + (piece * 20_000).decode())
    assert time.process_time() - began < 2


def test_an_index_is_believed_as_far_as_it_is_one() -> None:
    names = ["urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length"]
    good = ["k", "20240701120000", C_URL, "text/html", "200", SHA1, "9"]
    odd = [["k"], ["k", "2024", C_URL, "text/html", "200", SHA1, "9"], ["k", "2024070112000x", C_URL, "", "-", "", ""]]
    read = read_answer(WAYBACK, "start", json.dumps([names, good, *odd, [], ["key two"]]), ())
    assert ([row.url for row in read.rows], read.odd, read.next) == ([C_URL], 3, "key two")
    assert read_answer(WAYBACK, "start", "[]", ()).next == ASKED_WHOLE
    for wrong in ("<html>", "{}", '[["a"], ["b"]]', "[" * 100_000, '{"a": 1}'):
        with pytest.raises(OtherAnswer):
            read_answer(WAYBACK, "start", wrong, ())
    for wrong in ('{"pages": 1e9}', '{"pages": -1}', "[]", "x"):
        with pytest.raises(OtherAnswer):
            read_answer(CRAWL, "C ?", wrong, ["C"])
    with pytest.raises(OtherAnswer):
        collections_in("[" * 100_000, "2024-01-01", "2024-01-31")


def test_common_crawl_is_asked_collection_by_collection() -> None:
    (span, *_) = spans_of(KJD, CRAWL, "2024-03")
    assert "showNumPages=true" in question(CRAWL, span, "CC-1 ?")
    assert read_answer(CRAWL, "CC-1 ?", '{"pages": 2}', ["CC-1", "CC-2"]).next == "CC-1 0 2"
    assert read_answer(CRAWL, "CC-1 0 2", "", ["CC-1", "CC-2"]).next == "CC-1 1 2"
    assert read_answer(CRAWL, "CC-1 1 2", "", ["CC-1", "CC-2"]).next == "CC-2 ?"
    assert read_answer(CRAWL, "CC-2 ?", '{"pages": 0}', ["CC-1", "CC-2"]).next == ASKED_WHOLE


def test_the_first_good_capture_of_an_article_is_wanted_whatever_its_address() -> None:
    rows = [
        ArchivedRow("20240801000000", C_URL, 200, "text/html", "B"),
        ArchivedRow("20240701000000", C_URL.replace("https", "http") + "?utm_source=x", 200, "text/html", "A"),
        ArchivedRow("20240601000000", C_URL, 404, "text/html", "C"),
        ArchivedRow("20240901000000", C_URL, 301, "text/html", "D"),
        ArchivedRow("20240501000000", "https://koreajoongangdaily.joins.com/x", 200, "text/html", "E"),
    ]
    found = by_article(rows, KJD)
    (article,) = found.articles
    assert found.left_out == {"that name no article": 1}
    first = next_row(article, {}, (), False)
    assert first == rows[1]
    assert first is not None
    bad = {note_name(first): Tried(C_URL, article.article_id, result="failed", reason="truncated")}
    assert next_row(article, bad, (), False) == rows[0]
    good = {note_name(first): Tried(C_URL, article.article_id, result="captured", digest="A")}
    assert next_row(article, good, (), False) == rows[3], "the redirect is asked for too"
    assert next_row(article, good, (), True) == rows[0], "a further digest"
    assert next_row(article, {}, ("20240615000000",), False) == rows[3], "an older page is held"
    assert next_row(article, {}, ("20250101000000",), False) == rows[1], "a younger page is held"


def test_months_are_counted_over_years() -> None:
    assert months_between("2003-11", "2004-02") == ["2003-11", "2003-12", "2004-01", "2004-02"]
    assert checked_months("1999-01", "2000-02", "2026-11", KJD.first_day) == ["2000-01", "2000-02"]
    whole = {(s.name, s.since) for month in months_between("2004-01", "2026-06") for s in spans_of(KJD, WAYBACK, month)}
    assert len(whole) <= 24 * 30, "half an hour at 24 a minute"
