"""What a new text is to those that are there: a function of texts."""

from pipelines.index.index import IndexedText
from pipelines.ingestion.match import Candidate, match
from pipelines.model import Article, Outcome, Status, Verdict
from tests.conftest import prose

TEXT = "\n\n".join(prose(1, 12))
NEW = Outcome(Verdict.NEW, "u", "daum-1", "2026-06-02T00:00:00Z")


def candidate(article_id: str, text: str, oped_id: str = "", ko: str = "", when: str = "2026-06-01") -> Candidate:
    indexed = IndexedText(article_id, "f" * 16, "k", when, oped_id or article_id)
    return Candidate(indexed, text, ko, article_id.partition("-")[0], article_id.startswith("kjd"))


def matched(candidates: list[Candidate], outcome: Outcome = NEW, **texts: str) -> Outcome:
    article = Article(Status.OK, **(texts or {"text": TEXT}))  # type: ignore[arg-type]
    return match(outcome, article, "daum", False, candidates)


def test_a_portals_copy_of_the_newspapers_text_is_a_copy() -> None:
    found = matched([candidate("kjd-c1", TEXT)])
    assert (found.verdict, [m.article_id for m in found.matches]) == (Verdict.COPY, ["kjd-c1"])


def test_another_portals_later_copy_makes_it_none() -> None:
    assert matched([candidate("naver-1", TEXT, when="2026-06-03")]).verdict is Verdict.NEW


def test_a_copy_is_a_copy_of_the_primary_not_of_another_copy() -> None:
    assert matched([candidate("naver-1", TEXT, oped_id="kjd-c9")]).verdict is Verdict.NEW


def test_a_revision_stays_one_whatever_it_matches() -> None:
    revised = Outcome(Verdict.REVISED, "u", "daum-1", "2026-06-02T00:00:00Z")
    found = matched([candidate("kjd-c1", TEXT)], revised)
    assert (found.verdict, len(found.matches)) == (Verdict.REVISED, 1)


def test_texts_with_nothing_in_common_are_not_told_of() -> None:
    assert matched([candidate("kjd-c1", "\n\n".join(prose(2, 12)))]).matches == ()


def test_korean_is_compared_where_one_side_has_no_english() -> None:
    korean = " ".join(f"낱말{n}" for n in range(300))
    assert matched([candidate("kjd-c1", TEXT, ko=korean)], text_ko=korean).verdict is Verdict.COPY
