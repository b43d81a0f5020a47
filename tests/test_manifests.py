"""The log: numbers without gaps, nothing overwritten, old forms readable."""

import json
from dataclasses import replace
from datetime import date

import pytest

from pipelines.archive import manifests
from pipelines.archive.manifests import Closing, Manifest, Quiet, RouteReport, append, manifest_at, read_log
from pipelines.archive.store import MemoryStore
from pipelines.errors import NotArchived
from pipelines.model import Match, Outcome, Overlap, Verdict

OVERLAP = Overlap("kjd-c1", 40, 1.0, 0.5, 1.0, 5, 10, "w3-tenths/1")
OUTCOME = Outcome(
    Verdict.COPY, "https://a/1", "daum-1", "2026-06-01T00:00:00Z", routes=("channel",),
    matches=(Match("kjd-c1", "f" * 16, OVERLAP),),
)  # fmt: skip
CLOSING = Closing(
    ("kjd",), False, ("kjd: not crawled",), routes=(RouteReport("kjd", "feed", False, False, 0, "HTTP 404", 404),),
    counts=(("captured", 2),), quiet=(Quiet("daum", 7, 8),),
)  # fmt: skip


def logged(run: str, **more: object) -> Manifest:
    return Manifest(run, "p", "2026-06-01", "2026-06-02T00:00:00Z", **more)  # type: ignore[arg-type]


def test_what_is_logged_is_read_back_whole() -> None:
    store = MemoryStore()
    for number, manifest in enumerate((logged("a", outcomes=(OUTCOME,)), logged("b", closing=CLOSING)), 1):
        assert append(store, manifest, number - 1) == (number, manifest_at(store, number))
        assert replace(manifest_at(store, number), previous="") == manifest
    assert [seq for seq, _ in read_log(store)] == [1, 2]


def test_a_number_that_is_taken_is_passed_over_unless_it_is_this_very_part() -> None:
    store = MemoryStore()
    append(store, logged("a"), 0)
    second = append(store, logged("b"), 0)
    assert second == (2, manifest_at(store, 2))
    assert second[1]
    assert second[1].sha256 == manifest_at(store, 2).sha256
    assert append(store, logged("b"), 0) == second, "logged before, the same bytes"
    later = replace(logged("b"), logged_at="2026-06-03T00:00:00Z")
    assert append(store, later, 0) == (2, None), "logged before by the same part, at another moment"


def test_empty_fields_are_left_out_and_an_overlap_is_called_figures() -> None:
    store = MemoryStore()
    append(store, logged("a", outcomes=(OUTCOME,)), 0)
    (stored,) = json.loads(store.read("runs/0000000001.json"))["outcomes"]
    assert "reasons" not in stored
    assert stored["matches"][0]["figures"]["shared"] == 40


def test_closings_of_before_are_understood() -> None:
    store = MemoryStore()
    append(store, logged("a", closing=CLOSING), 0)
    data = json.loads(store.read("runs/0000000001.json"))
    del data["closing"]["quiet"], data["closing"]["whole"], data["closing"]["routes"][0]["status"]
    store.objects["runs/0000000001.json"] = json.dumps(data).encode()
    closing = manifest_at(store, 1).closing
    assert closing is not None
    assert (closing.quiet, closing.whole, closing.routes[0].status) == ((), (), 0)


def test_the_log_ends_where_no_manifest_is() -> None:
    with pytest.raises(NotArchived):
        manifest_at(MemoryStore(), 1)


def test_a_quiet_source_is_a_sentence_for_a_person() -> None:
    said = Quiet("kjd", 7, 8).sentence(date(2026, 6, 1))
    assert said == "kjd: nothing was published, though 7 of the last 8 Mondays had something"
    assert manifests.PART_SIZE == 1000
