"""New rules over an old archive: shown first, then written; what was set aside gets another chance."""

from dataclasses import replace
from typing import Any

import pytest

from pipelines.catalogue.publish import publish
from pipelines.catalogue.queries import query_table
from pipelines.extraction import extract as extract_module
from pipelines.extraction import fields
from pipelines.index.opened import Archive, open_to_write
from pipelines.jobs.rederive import rederive, retry
from pipelines.model import Verdict
from pipelines.settings import Settings
from tests.conftest import C_URL, Command, World, capture, page, prose, state, take_in, versions_of

DAYS = [f"2024-06-{day}T00:00:00" for day in range(14, 20)]
QUIET = lambda *_: None  # noqa: E731


@pytest.fixture
def better_headlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules of tomorrow, which read headlines otherwise."""
    original = fields.headline

    def better(page: object, profile: object, source: object) -> object:
        said = original(page, profile, source)  # type: ignore[arg-type]
        return said and replace(said, value=f"{said.value}!")

    monkeypatch.setattr(fields, "headline", better)
    monkeypatch.setattr(extract_module, "CODE", "tomorrow")


def test_nothing_differs_while_the_rules_are_the_same(archive: Archive, folder: Settings) -> None:
    take_in(archive, capture(page(prose(1)), DAYS[0]))
    assert rederive(folder, "", [], write=True, progress=QUIET)[0] == []


def test_the_difference_is_shown_first_and_written_then(
    archive: Archive, folder: Settings, request: pytest.FixtureRequest
) -> None:
    changed = page([*prose(1)[:-1], "The ministry has since found the money."])
    take_in(archive, capture(page(prose(1)), DAYS[0]), capture(changed, DAYS[1]))
    publish(archive, folder)
    before = {row["content16"] for row in query_table(folder, "articles", "SELECT content16 FROM t")}
    request.getfixturevalue("better_headlines")
    keys = list(archive.store.keys(""))
    shown, report = rederive(folder, "kjd", [], write=False, progress=QUIET)
    assert [one.fields for one in shown] == [("headline",)] * 2
    assert (report.outcomes, list(archive.store.keys(""))) == ([], keys)
    _, report = rederive(folder, "", ["kjd-c2068163"], write=True, progress=QUIET)
    assert [outcome.verdict for outcome in report.outcomes] == [Verdict.REREAD] * 2
    rows = query_table(folder, "articles", "SELECT content16, formerly, headline, previous FROM t ORDER BY first_seen")
    assert {row["formerly"][0] for row in rows} == before
    assert all(row["headline"].endswith("!") for row in rows)
    assert rows[1]["previous"] == rows[0]["content16"], "still one correction, and the newspaper's"
    assert versions_of(folder, f"kjd-c2068163@{min(before)}")[0]
    assert state(folder)[1] == set()
    assert rederive(folder, "", [], write=True, progress=QUIET)[0] == []


def test_what_todays_rules_refuse_keeps_its_reading_and_is_no_correction(
    archive: Archive, folder: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(archive, capture(page(prose(1)), DAYS[0]))
    monkeypatch.setattr(extract_module, "CODE", "stricter")
    monkeypatch.setattr("pipelines.extraction.quality.MIN_BLOCKS", 99)
    monkeypatch.setattr("pipelines.extraction.quality.SOFT_404", __import__("re").compile("ferry"))
    (one,) = rederive(folder, "", [], write=True, progress=QUIET)[0]
    assert one.refused == ("reject", "soft_404", "short")
    monkeypatch.undo()
    monkeypatch.setattr(extract_module, "CODE", "stricter")
    later = page([*prose(1)[:-1], "Another end."])
    monkeypatch.setattr(  # as if the old capture were refused still
        "pipelines.ingestion.decide.re_extract", lambda _, history, *__: ([], history)
    )
    (outcome,) = take_in(archive, capture(later, DAYS[1]))
    assert outcome.verdict is Verdict.NEW, "readings by unlike rules are not compared"
    publish(archive, folder)
    (row,) = query_table(folder, "articles", "SELECT kind_of_change FROM t WHERE is_latest")
    assert row["kind_of_change"] == "read_by_other_rules"


def test_a_page_that_was_set_aside_is_archived_when_rules_are_mended(
    archive: Archive, folder: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.extraction.quality.SOFT_404", __import__("re").compile("ferry"))
    monkeypatch.setattr("pipelines.extraction.quality.MIN_BLOCKS", 99)
    (outcome,) = take_in(archive, capture(page(prose(1)), DAYS[0]))
    assert outcome.verdict is Verdict.REJECTED
    shown, report = retry(folder, "", write=True, progress=QUIET)
    assert [one.refused for one in shown] == [("reject", "soft_404", "short")], "still refused, and told so"
    assert report.outcomes == []
    monkeypatch.undo()
    monkeypatch.setattr(extract_module, "CODE", "mended")
    (shown,) = retry(folder, "kjd", write=False, progress=QUIET)[0]
    assert not shown.refused
    _, report = retry(folder, "", write=True, progress=QUIET)
    assert [(o.verdict, o.routes) for o in report.outcomes] == [(Verdict.NEW, ("retried",))]
    assert len(query_table(folder, "articles", "SELECT article_id FROM t")) == 1
    assert retry(folder, "", write=True, progress=QUIET)[0] == [], "resolved"


def test_the_commands_say_what_they_did(opeds: Command, newsstand: World, folder: Settings) -> None:
    newsstand.stand.stand.fault("empty-body@/2594899$")
    opeds("run", "--day", "2026-06-02", "--source", "kjd", settings=folder)
    assert "0 captures to name" in opeds("rederive", settings=folder).out
    told = opeds("retry", settings=folder).out
    assert "kjd-c2594899" in told
    assert "refused today: drift, no_profile_fits" in told
    unknown = opeds("rederive", "kjd-c1", settings=folder)
    assert (unknown.code, "is not in the archive" in unknown.err) == (1, True)


def test_what_was_read_by_other_rules_is_found_in_either_database(database: str, folder: Settings) -> None:
    archive = open_to_write(replace(folder, index=database))
    take_in(archive, capture(page(prose(1)), "2024-06-13T12:00:00"))
    take_in(archive, capture(page(prose(2)), "2024-06-13T12:00:00", C_URL.replace("2068163", "2068162")))
    assert archive.index.to_re_extract("kjd", "00000000") == ["kjd-c2068162", "kjd-c2068163"]


def test_two_captures_of_one_second_that_are_one_content_now_leave_the_archive_sound(
    archive: Archive, folder: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for headline in ("A ferry", "A boat"):
        take_in(archive, capture(page(prose(1), headline=headline), DAYS[0]))
    plain = extract_module._read
    monkeypatch.setattr(extract_module, "CODE", "headlines are all one")

    def one_headline(*arguments: Any) -> Any:
        extraction = plain(*arguments)
        return replace(extraction, article=replace(extraction.article, headline="One"))

    monkeypatch.setattr(extract_module, "_read", one_headline)
    _, report = rederive(folder, "", [], write=True, progress=QUIET)
    assert len(report.outcomes) == 2
    assert len(open_to_write(folder).index.history("kjd-c2068163")) == 1
    assert state(folder)[1] == set()
