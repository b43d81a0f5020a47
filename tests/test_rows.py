"""From the log and the records to rows."""

from datetime import UTC, datetime

import pytest

from pipelines.archive.manifests import Manifest
from pipelines.catalogue.rows import rows_of, run_row, year_of
from pipelines.catalogue.schema import article_schema, run_schema
from pipelines.clock import SEOUL
from pipelines.errors import NotArchived
from pipelines.index.opened import Archive
from pipelines.model import Outcome, Verdict
from tests.conftest import capture, page, prose, take_in

WHEN = "2026-06-02T00:00:00Z"


def test_a_year_is_that_of_seoul() -> None:
    assert year_of(datetime(2025, 12, 31, 15, 0, tzinfo=UTC)) == 2026
    assert year_of(datetime(2026, 1, 1, 0, 30, tzinfo=SEOUL)) == 2026
    assert year_of(None) == 0


def test_a_text_that_returned_is_two_rows_and_three_steps(archive: Archive) -> None:
    one, two = page(prose(1)), page([*prose(1)[:-1], "Another end."])
    days = ("2024-06-14T00:00:00", "2024-06-15T00:00:00", "2024-06-16T00:00:00")
    take_in(archive, *(capture(body, when) for body, when in zip((one, two, one), days, strict=True)))
    first, second = rows_of(archive.store, [archive.index.state_of("kjd-c2068163")])
    assert [len(first["steps"]), len(second["steps"])] == [2, 1]
    assert (first["is_latest"], second["is_latest"]) == (True, False)
    assert second["kind_of_change"] == "text_changed"
    assert set(first) == set(article_schema().names)


def test_a_record_that_is_not_there_is_named(archive: Archive) -> None:
    take_in(archive, capture(page(prose(1)), "2024-06-14T00:00:00"))
    state = archive.index.state_of("kjd-c2068163")
    with pytest.raises(NotArchived, match="articles/kjd/"):
        list(rows_of(type(archive.store)(archive.store.root / "elsewhere"), [state]))  # type: ignore[attr-defined,call-arg]


def test_a_runs_row_counts_by_verdict_and_names_what_was_set_aside() -> None:
    outcomes = (
        Outcome(Verdict.NEW, "u1"),
        Outcome(Verdict.NEW, "u2"),
        Outcome(Verdict.REJECTED, "u3", "kjd-c3", WHEN, reasons=("drift",)),
    )
    row = run_row(7, Manifest("r", "p", "2026-06-01", WHEN, outcomes=outcomes))
    assert row["outcomes"] == [{"verdict": "NEW", "count": 2}, {"verdict": "REJECTED", "count": 1}]
    assert [one["article_id"] for one in row["set_aside"]] == ["kjd-c3"]
    assert set(row) == set(run_schema().names)
    assert row["complete"] is None
