"""What arrives, in whatever order, and what is kept of it."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.archive import manifests
from pipelines.archive.captures import capture_file, store_capture
from pipelines.archive.crawl_summary import Tried
from pipelines.archive.identity import identify
from pipelines.archive.keys import capture_key
from pipelines.archive.store import MemoryStore
from pipelines.archive.warc import exchanges, page_file
from pipelines.catalogue.publish import publish
from pipelines.catalogue.queries import query_table
from pipelines.extraction import extract as extract_module
from pipelines.extraction import fields
from pipelines.index.index import open_index
from pipelines.index.opened import Archive, catch_up, dry_run, open_to_write
from pipelines.ingestion.ingest import Part, ingest, ingest_orphans
from pipelines.jobs.crawls import sightings
from pipelines.jobs.upkeep import upkeep
from pipelines.model import Outcome, Sighting, Verdict
from pipelines.settings import Settings
from tests.conftest import C_URL, DAUM_URL, LONG, SOURCES, capture, exchange, page, prose, state, take_in, versions_of

A, B = page(prose(1)), page([*prose(1)[:-1], "The ministry has since found the money."])
DAYS = [f"2024-06-{day}T00:00:00" for day in range(14, 20)]


def verdicts(outcomes: list[Outcome]) -> list[str]:
    return [outcome.verdict.value for outcome in outcomes]


def daum_page(paragraphs: list[str]) -> bytes:
    """Return a portal page of a column: byline and bio glued to the first paragraph."""
    first, *rest = paragraphs
    text = "".join(f"<p>{line}</p>" for line in (f"Han Seo-yulThe author is a harbor pilot in Mokpo. {first}", *rest))
    return (
        "<html><head><meta charset='utf-8'><meta property='og:article:author' content='코리아중앙데일리'>"
        "<meta property='og:regDate' content='20240613230000'></head><body><h3 class='tit_view'>Ferries, once more</h3>"
        f"<div class='article_view'><section>{text}</section></div></body></html>"
    ).encode()


def test_a_first_capture_is_new_and_the_same_again_is_unchanged(archive: Archive) -> None:
    assert verdicts(take_in(archive, capture(A, DAYS[0]))) == ["NEW"]
    before = list(archive.store.keys("articles/"))
    dressed = A.replace(b"</body>", b"<aside>other advertising</aside></body>")
    assert verdicts(take_in(archive, capture(dressed, DAYS[1]))) == ["UNCHANGED"]
    assert list(archive.store.keys("articles/")) == before


def test_a_text_that_returns_is_three_steps_over_two_records(archive: Archive, folder: Settings) -> None:
    outcomes = take_in(archive, *(capture(body, DAYS[n]) for n, body in enumerate((A, B, A))))
    publish(archive, folder)
    rows = query_table(folder, "articles", "SELECT content16, steps, is_latest, previous FROM t ORDER BY first_seen")
    assert verdicts(outcomes) == ["NEW", "REVISED", "REVISED"]
    assert len(list(archive.store.keys("articles/"))) == 2
    assert [len(row["steps"]) for row in rows] == [2, 1]
    assert [row["is_latest"] for row in rows] == [True, False]
    assert rows[0]["steps"][1]["previous"] == rows[1]["content16"]


def test_an_older_warc_after_a_newer_one_gives_versions_in_the_order_of_capture(
    archive: Archive, folder: Settings
) -> None:
    take_in(archive, capture(B, DAYS[3]))
    assert verdicts(take_in(archive, capture(A, DAYS[0]))) == ["REVISED"]
    publish(archive, folder)
    versions, _ = versions_of(folder, "kjd-c2068163")
    assert "since found the money" in versions[-1]["text"]
    assert versions[-1]["previous"] == versions[0]["content16"]
    assert versions[0]["previous"] is None
    assert versions[-1]["kind_of_change"] == "text_changed"


@pytest.mark.long
@settings(max_examples=200 if LONG else 15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations([0, 1, 2, 3]))
def test_the_catalogue_does_not_know_the_order_of_arrival(
    order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = [
        capture(A, DAYS[0]),
        capture(B, DAYS[2]),
        capture(daum_page(prose(1)), DAYS[1], DAUM_URL),
        capture(page(prose(7)), DAYS[1], C_URL.replace("2068163", "2068999")),
    ]
    states = []
    for arrival in ([0, 1, 2, 3], order):
        home = tmp_path_factory.mktemp("order")
        where = Settings(archive=f"file://{home}/archive", home=home)
        archive = open_to_write(where)
        for n in arrival:
            take_in(archive, made[n])
        publish(archive, where)
        states.append(state(where))
        archive.index.engine.dispose()
    assert states[0] == states[1]
    assert not states[0][1]


def test_the_portals_copy_joins_the_papers_own_page_whichever_came_first(archive: Archive, folder: Settings) -> None:
    own, portal = (
        capture(page(prose(1), author="Han Seo-yul"), DAYS[1]),
        capture(daum_page(prose(1)), DAYS[0], DAUM_URL),
    )
    outcomes = take_in(archive, portal) + take_in(archive, own)
    publish(archive, folder)
    rows = query_table(folder, "articles", "SELECT article_id, oped_id, role, matches FROM t ORDER BY article_id")
    assert verdicts(outcomes) == ["NEW", "NEW"], "the newspaper's own page is the primary, so it is no copy"
    assert [(row["oped_id"], row["role"]) for row in rows] == [("kjd-c2068163", "copy"), ("kjd-c2068163", "primary")]
    assert rows[0]["matches"][0]["relation"] in {"same", "syndicated_copy"}


def test_a_copy_that_comes_second_is_named_so(archive: Archive) -> None:
    take_in(archive, capture(page(prose(1), author="Han Seo-yul"), DAYS[0]))
    (copy,) = take_in(archive, capture(daum_page(prose(1)), DAYS[1], DAUM_URL))
    assert copy.verdict is Verdict.COPY
    assert copy.matches[0].article_id == "kjd-c2068163"


def test_the_same_payload_at_another_time_is_not_kept_twice(archive: Archive) -> None:
    outcomes = take_in(archive, capture(A, DAYS[0])) + take_in(archive, capture(A, DAYS[3]))
    assert verdicts(outcomes) == ["NEW", "UNCHANGED"]
    assert len(list(archive.store.keys("captures/"))) == 1
    assert [step.fetched_at.day for step in archive.index.history("kjd-c2068163")] == [14, 17]


def test_a_part_already_logged_is_skipped(archive: Archive) -> None:
    take_in(archive, capture(A, DAYS[0]), run="same")
    last = archive.index.seq()
    assert take_in(archive, capture(A, DAYS[0]), run="same") == []
    assert archive.index.seq() == last


def left_by_a_crash(archive: Archive, body: bytes = A) -> str:
    """Deposit a page as a crawl does that is killed before it tells of it; return its key."""
    left = capture(body, DAYS[0])
    key = f"captures/kjd/c2068163/20240614T000000Z-{left.payload_sha256[:16]}.warc.gz"
    archive.store.create(key, page_file(exchange(left), {}))
    return key


def test_what_a_broken_run_left_is_taken_in_by_upkeep(archive: Archive, folder: Settings) -> None:
    key = left_by_a_crash(archive)
    assert state(folder)[1] == {key}
    assert verdicts(upkeep(folder, lambda *_: None, dry=True).outcomes) == ["NEW"]
    assert state(folder)[1] == {key}, "a dry run"
    (outcome,) = upkeep(folder, lambda *_: None).outcomes
    assert (outcome.verdict, outcome.routes) == (Verdict.NEW, ("left-by-an-earlier-run",))
    assert state(folder)[1] == set()
    assert upkeep(folder, lambda *_: None).outcomes == []


def test_a_left_capture_that_cannot_be_read_stops_nothing(archive: Archive, folder: Settings) -> None:
    bad = "captures/kjd/c2068162/20240614T000000Z-0123456789abcdef.warc.gz"
    archive.store.create(bad, b"no warc")
    left_by_a_crash(archive)
    assert verdicts(upkeep(folder, lambda *_: None).outcomes) == ["NEW", "FAILED"]
    assert archive.index.named([bad]) == set(), "it stays as it lies"


def test_a_kept_payload_that_no_manifest_names_counts_at_both_moments(archive: Archive, folder: Settings) -> None:
    key = left_by_a_crash(archive)
    tried = Tried(C_URL, "kjd-c2068163", ["editorials"], "2024-06-13", "", "kept", "", 200, "2024-06-15T00:00:00Z", key)
    seen, _ = sightings([tried])
    assert [(sighting.fetched_at.day, sighting.capture_key) for sighting in seen] == [(15, key)]


def test_one_page_that_nobody_foresaw_does_not_stop_the_others(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = fields.headline

    def stumbles(page: object, profile: object, source: object) -> object:
        if b"stumble" in html_of(page):
            raise KeyError("nobody thought of this")
        return original(page, profile, source)  # type: ignore[arg-type]

    monkeypatch.setattr(fields, "headline", stumbles)
    bad = capture(page([*prose(3), "Here they stumble."]), DAYS[0], C_URL.replace("2068163", "2068164"))
    outcomes = take_in(archive, bad, capture(A, DAYS[0]))
    assert verdicts(outcomes) == ["NEW", "REJECTED"]
    assert outcomes[1].reasons == ("reject", "unforeseen_KeyError")
    assert outcomes[1].record_key


def html_of(page: object) -> bytes:
    from lxml.html import tostring

    return bytes(tostring(page.tree))  # type: ignore[attr-defined]


def test_a_record_names_the_address_that_answered(archive: Archive) -> None:
    better = "https://koreajoongangdaily.joins.com/2019/12/17/editorials/Slug/3071610.html"
    worse = "https://koreajoongangdaily.joins.com/news/article/article.aspx?aid=3071610"
    arrived = capture(A, DAYS[0], better)
    file = capture_file("kjd-a3071610", exchange(arrived), arrived)
    key, _ = store_capture(archive.store, capture_key("kjd-a3071610", arrived), file)
    sighting = Sighting("kjd-a3071610", worse, arrived.fetched_at, key)
    ingest(archive, Part("r", "p", "2019-12-17", "2026-01-01T00:00:00Z"), [sighting], [], lambda _: None)
    (record,) = [json.loads(archive.store.read(k)) for k in archive.store.keys("articles/")]
    assert (record["url"], record["canonical_url"]) == (better, better)


def test_an_answer_that_was_not_recorded_to_its_end_is_set_aside_as_truncated(archive: Archive) -> None:
    whole = exchange(capture(A, DAYS[0]))
    body = page_file(replace(whole, truncated="length"), {})
    (read,) = exchanges(BytesIO(body), "x")
    assert read.truncated == "length"
    assert read.headers == whole.headers
    archive.store.create(f"captures/kjd/c2068163/20240614T000000Z-{'0' * 16}.warc.gz", body)
    (outcome,) = ingest_orphans(
        archive, Part("r", "left", "", "2026-01-01T00:00:00Z"), archive.store.keys("captures/"), lambda _: None
    )
    assert (outcome.verdict, outcome.reasons) == (Verdict.REJECTED, ("truncated", "answer_cut_off"))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize(
    ("looks", "gone_at"),
    [
        (["20T00 404", "20T19 404"], ""),  # one bad hour, or day
        (["20T00 404", "20T20 404"], "2024-06-20T00:00:00Z"),
        (["20T00 404", "21T00 404", "19T00 404"], "2024-06-19T00:00:00Z"),
        (["20T00 404", "22T00 404", "21T00 page"], ""),  # it was there between them
        (["12T00 404", "14T00 404"], ""),  # and afterwards: the page was seen on the 16th
        (["20T00 410"], "2024-06-20T00:00:00Z"),
        (["20T00 410", "21T00 page"], ""),
    ],
)
def test_a_page_is_gone_when_that_was_seen_twice_whatever_the_order(
    archive: Archive, looks: list[str], gone_at: str, order: tuple[int, ...]
) -> None:
    take_in(archive, capture(A, "2024-06-16T00:00:00"))
    for n in (n for n in order if n < len(looks)):
        moment, _, seen = looks[n].partition(" ")
        if seen == "page":
            take_in(archive, capture(A, f"2024-06-{moment}:00:00"))
            continue
        gone = Outcome(Verdict.GONE, C_URL, "kjd-c2068163", f"2024-06-{moment}:00:00Z", reasons=(f"HTTP {seen}",))
        ingest(archive, Part(f"gone-{n}", "p", "", "2026-01-01T00:00:00Z"), [], [gone], lambda _: None)
    assert archive.index.state_of("kjd-c2068163").gone_at == gone_at


def test_a_page_that_cannot_be_trusted_is_set_aside_with_its_reasons(archive: Archive) -> None:
    (outcome,) = take_in(archive, capture(A.replace(b"article_body", b"other"), DAYS[0]))
    assert outcome.verdict is Verdict.REJECTED
    assert outcome.reasons[0] == "drift"
    assert list(archive.store.keys("quarantine/")) == [outcome.record_key]
    assert not list(archive.store.keys("articles/"))


def test_a_worse_address_of_the_same_article_is_an_alias(archive: Archive) -> None:
    better = "https://koreajoongangdaily.joins.com/2019/12/17/editorials/Slug/3071610.html"
    worse = "https://koreajoongangdaily.joins.com/news/article/article.aspx?aid=3071610"
    outcomes = take_in(archive, capture(A, DAYS[0], better)) + take_in(archive, capture(B, DAYS[1], worse))
    assert verdicts(outcomes) == ["NEW", "ALIAS"]


def test_our_own_new_rules_are_not_taken_for_the_papers_correction(
    archive: Archive, folder: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(archive, capture(A, DAYS[0]))
    publish(archive, folder)
    (before,) = query_table(folder, "articles", "SELECT content16 FROM t")

    original = fields.headline

    def better(page: object, profile: object, source: object) -> object:
        said = original(page, profile, source)  # type: ignore[arg-type]
        return said and replace(said, value=f"{said.value}, as newer rules read it")

    monkeypatch.setattr(fields, "headline", better)
    monkeypatch.setattr(extract_module, "CODE", "next")
    outcomes = take_in(archive, capture(A.replace(b"</body>", b"<i></i></body>"), DAYS[1]))
    publish(archive, folder)
    rows = query_table(folder, "articles", "SELECT content16, formerly, headline FROM t")
    assert verdicts(outcomes) == ["REREAD", "UNCHANGED"]
    assert [row["formerly"] for row in rows] == [[before["content16"]]]
    assert rows[0]["headline"].endswith("newer rules read it")
    versions, _ = versions_of(folder, f"kjd-c2068163@{before['content16']}")
    assert len(versions) == 1, "an old citation goes on resolving"


def test_a_dry_run_decides_the_same_leaves_no_trace_and_holds_up_nobody(archive: Archive, folder: Settings) -> None:
    take_in(archive, capture(A, DAYS[0]))
    keys, seq = list(archive.store.keys("")), archive.index.seq()
    with dry_run(folder) as dry:
        planned = take_in(dry, capture(B, DAYS[1]))
        assert not archive.index.logged("somebody", "else"), "the index is free meanwhile"
        archive.index.publish(replace(planned[0], article_id="kjd-c1"), [1, 2, 3])
    assert verdicts(planned) == ["REVISED"]
    assert (list(archive.store.keys("")), archive.index.seq()) == (keys, seq)
    assert verdicts(take_in(archive, capture(B, DAYS[1]))) == ["REVISED"]


def test_an_index_that_was_lost_is_made_again_from_log_and_records(archive: Archive, folder: Settings) -> None:
    take_in(archive, capture(page(prose(1), author="Han Seo-yul"), DAYS[0]), capture(B, DAYS[2]))
    publish(archive, folder)
    before = state(folder)
    fresh = replace(
        archive,
        index=open_index(
            Settings(index=f"sqlite:///{folder.home}/fresh.sqlite"), identify(archive.store).archive_id, ["kjd"]
        ),
    )
    catch_up(fresh)
    assert fresh.index.history("kjd-c2068163") == archive.index.history("kjd-c2068163")
    (copy,) = take_in(fresh, capture(daum_page(prose(1)), DAYS[1], DAUM_URL))
    assert copy.verdict is Verdict.COPY, "fingerprints came back from the sketches"
    assert before[1] == set()
    fresh.index.engine.dispose()


def test_an_index_of_another_archive_is_refused(archive: Archive, folder: Settings) -> None:
    from pipelines.errors import ForeignIndex

    url = f"sqlite:///{folder.home}/one.sqlite"
    open_index(Settings(index=url), "one", []).engine.dispose()
    with pytest.raises(ForeignIndex):
        open_index(Settings(index=url), "two", [])


def test_a_number_taken_meanwhile_is_passed_over() -> None:
    store = MemoryStore()
    mine = manifests.Manifest("mine", "1", "2026-06-01", "2026-06-01T00:00:00Z")
    theirs = replace(mine, run="theirs")
    assert manifests.append(store, theirs, 0) == (1, manifests.manifest_at(store, 1))
    assert manifests.append(store, mine, 0) == (2, manifests.manifest_at(store, 2))
    assert [manifest.run for _, manifest in manifests.read_log(store)] == ["theirs", "mine"]


def test_a_manifest_reads_back_as_it_was_written(archive: Archive) -> None:
    take_in(archive, capture(page(prose(1), author="Han Seo-yul"), DAYS[0]))
    outcomes = take_in(archive, capture(daum_page(prose(1)), DAYS[1], DAUM_URL))
    (_, logged) = list(manifests.read_log(archive.store))[-1]
    assert logged.outcomes == tuple(outcomes)


def test_an_empty_second_publish_makes_no_new_version(archive: Archive, folder: Settings) -> None:
    take_in(archive, capture(A, DAYS[0]))
    first, second = publish(archive, folder), publish(archive, folder)
    assert first is not None
    assert second is not None
    assert (first.version, second.rows) == (second.version, 0)


def test_sources_and_captures_speak_utc() -> None:
    assert capture(A, DAYS[0]).fetched_at == datetime(2024, 6, 14, tzinfo=UTC)
    assert SOURCES["kjd"].timezone.key == "Asia/Seoul"
