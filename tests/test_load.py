"""Which captures are read, in which order, each once."""

from datetime import UTC, datetime

from pipelines.archive.captures import capture_file
from pipelines.archive.store import MemoryStore
from pipelines.ingestion.load import Needed, needed_by, pages_for
from pipelines.ingestion.read import Readers
from pipelines.model import Sighting
from pipelines.versions import SeenContent
from tests.conftest import C_URL, SOURCES, capture, exchange, page, prose

WHEN = datetime(2026, 6, 1, tzinfo=UTC)
SIGHTING = Sighting("kjd-c2068163", C_URL, WHEN, "k1")


def keys(history: list[SeenContent]) -> list[str]:
    return [needed.capture_key for needed in needed_by(SIGHTING, history, "today")]


def test_a_capture_that_todays_rules_read_is_not_needed() -> None:
    assert keys([SeenContent(WHEN, "a", "today", "k1")]) == []


def test_captures_that_other_rules_read_come_before_the_sightings_own() -> None:
    assert keys([SeenContent(WHEN, "a", "other", "k0"), SeenContent(WHEN, "b", "other", "k1")]) == ["k0", "k1"]
    assert keys([]) == ["k1"]


def test_each_capture_is_read_once_and_one_that_is_missing_says_so() -> None:
    store, one = MemoryStore(), capture(page(prose(1)), "2024-06-14T00:00:00")
    store.create("k1", capture_file("kjd-c2068163", exchange(one), one))
    wanted = [
        [Needed("kjd-c2068163", "k1", C_URL)],
        [],
        [Needed("kjd-c2068163", "k1", C_URL), Needed("kjd-c2068163", "gone", C_URL)],
    ]
    read: list[None] = []
    with Readers(SOURCES, 1, lambda: read.append(None)) as readers:
        *_, pages = pages_for(wanted, store, readers)
    assert len(read) == 1
    assert pages["k1"].accepted
    assert "gone is not in the archive" in pages["gone"].problem
