"""Decisions are functions of what was read and of the history: no store, no index."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipelines.ingestion.decide import History, decide, re_extract, with_step
from pipelines.ingestion.read import ReadPage, unreadable
from pipelines.model import Article, Sighting, Status, Verdict
from pipelines.versions import SeenContent

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
RULES8 = "01234567"


def sighting(day: int, key: str) -> Sighting:
    return Sighting("kjd-c1", "https://a/1", MONDAY + timedelta(days=day), key, ("feed",))


def page(key: str, content16: str, **article: object) -> ReadPage:
    read = Article(**{"status": Status.OK, **article})  # type: ignore[arg-type]
    return ReadPage(key, "https://a/1", read, content16=content16, object_key=f"o/{content16}", object_body=b"{}")


def seen(day: int, content16: str, rules8: str = RULES8, key: str = "") -> SeenContent:
    return SeenContent(MONDAY + timedelta(days=day), content16, rules8, key or f"k{day}")


def verdicts(history: History, read: ReadPage, at: int, better: bool = False) -> list[Verdict]:
    decisions, _ = decide(sighting(at, read.capture_key), history, {read.capture_key: read}, RULES8, better)
    return [decision.outcome.verdict for decision in decisions]


def test_the_first_text_is_news_the_same_again_is_not_and_another_is_a_revision() -> None:
    assert verdicts((), page("k0", "a"), 0) == [Verdict.NEW]
    assert verdicts((seen(0, "a"),), page("k1", "a"), 1) == [Verdict.UNCHANGED]
    assert verdicts((seen(0, "a"),), page("k1", "b"), 1) == [Verdict.REVISED]


def test_a_text_that_is_archived_already_creates_nothing() -> None:
    back_to_a = (seen(0, "a"), seen(1, "b"))
    (decision,), history = decide(sighting(2, "k2"), back_to_a, {"k2": page("k2", "a")}, RULES8, False)
    assert (decision.outcome.verdict, decision.page, decision.outcome.record_key) == (Verdict.REVISED, None, "")
    assert [one.content16 for one in history] == ["a", "b", "a"]


def test_a_stored_payload_seen_again_is_not_read() -> None:
    decisions, _ = decide(sighting(1, "k0"), (seen(0, "a"),), {}, RULES8, False)
    assert [d.outcome.verdict for d in decisions] == [Verdict.UNCHANGED]


def test_what_cannot_be_read_or_trusted_says_why_and_leaves_the_history() -> None:
    for read, verdict, reason in [
        (unreadable("k0", "cut short"), Verdict.FAILED, "cut short"),
        (page("k0", "a", status=Status.DRIFT, reasons=("no_profile_fits",)), Verdict.REJECTED, "drift"),
        (page("k0", "a", status=Status.REJECT, reasons=("other_section",)), Verdict.NOT_AN_OPED, "other_section"),
    ]:
        (decision,), history = decide(sighting(0, "k0"), (), {"k0": read}, RULES8, False)
        assert (decision.outcome.verdict, decision.outcome.reasons[0]) == (verdict, reason)
        assert history == ()
        assert not decision.seeks_copies


def test_a_worse_address_makes_no_version() -> None:
    assert verdicts((), page("k0", "a"), 0, better=True) == [Verdict.ALIAS]


def test_only_equal_rules_are_compared_so_old_sightings_are_re_extracted_first() -> None:
    old = (seen(0, "old name", rules8="other"),)
    pages = {"k0": page("k0", "a"), "k1": page("k1", "a")}
    decisions, history = decide(sighting(1, "k1"), old, pages, RULES8, False)
    assert [d.outcome.verdict for d in decisions] == [Verdict.REREAD, Verdict.UNCHANGED]
    assert decisions[0].outcome.was == "old name"
    assert not decisions[0].seeks_copies
    assert {one.rules8 for one in history} == {RULES8}


def test_a_sighting_that_todays_rules_refuse_keeps_its_reading() -> None:
    old = (seen(0, "a", rules8="other"),)
    refused = page("k0", "a", status=Status.REJECT)
    assert re_extract("kjd-c1", old, {"k0": refused}, RULES8) == ([], old)
    assert re_extract("kjd-c1", old, {}, RULES8) == ([], old), "nor does one whose capture is not there"


def test_a_portals_page_without_evidence_waits_unlisted() -> None:
    read = page("k0", "a", status=Status.REVIEW, reasons=("no_evidence_of_opinion",))
    (decision,), _ = decide(sighting(0, "k0"), (), {"k0": read}, RULES8, False)
    assert not decision.outcome.listed


def test_a_history_stays_in_order_and_holds_each_sighting_once() -> None:
    history = with_step(with_step((), seen(2, "b")), seen(0, "a"))
    assert [one.content16 for one in history] == ["a", "b"]
    assert with_step(history, replace(seen(0, "a"), content16="c"))[0].content16 == "c"
