"""How moments are written."""

from datetime import UTC, datetime

from pipelines.clock import SEOUL, iso, new_run_id, stamp


def test_moments_are_written_in_utc_whatever_their_zone() -> None:
    evening = datetime(2026, 6, 2, 3, 30, 5, 999, tzinfo=SEOUL)
    assert iso(evening) == "2026-06-01T18:30:05Z"
    assert stamp(evening) == "20260601T183005Z"


def test_run_ids_sort_by_their_moment_and_differ_within_it() -> None:
    ids = {new_run_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(datetime.strptime(one[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).year >= 2026 for one in ids)
