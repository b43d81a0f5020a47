"""A record is a function of one capture and one set of rules."""

import json

from pipelines.archive.record import record, rejection, to_json
from pipelines.extraction.extract import extract, rules_of
from pipelines.sources.addresses import place_of
from tests.conftest import C_URL, SOURCES, capture, page, prose

CAPTURE = capture(page(prose(1)), "2024-06-14T00:00:00")
PLACE = place_of(C_URL, SOURCES.values())
RULES = rules_of(SOURCES["kjd"])


def test_the_same_capture_gives_the_same_bytes_again() -> None:
    assert PLACE
    one, two = (to_json(record(extract(CAPTURE, PLACE), PLACE, CAPTURE, "k", RULES)) for _ in range(2))
    assert one == two
    assert one.endswith(b"\n")


def test_json_is_spelt_in_one_way_only() -> None:
    assert to_json({"b": "배", "a": [1]}) == '{\n "a": [\n  1\n ],\n "b": "배"\n}\n'.encode()


def test_a_record_names_its_capture_and_its_rules() -> None:
    assert PLACE
    made = json.loads(to_json(record(extract(CAPTURE, PLACE), PLACE, CAPTURE, "captures/x", RULES)))
    assert made["capture"] == {
        "key": "captures/x",
        "url": C_URL,
        "fetched_at": "2024-06-14T00:00:00Z",
        "status": 200,
        "payload_sha256": CAPTURE.payload_sha256,
    }
    assert made["rules"]["sha256"] == RULES.sha256
    assert made["schema"] == "opeds/article/2"


def test_a_rejection_is_the_reading_under_another_schema() -> None:
    assert PLACE
    article = extract(CAPTURE, PLACE)
    kept, refused = record(article, PLACE, CAPTURE, "k", RULES), rejection(article, PLACE, CAPTURE, "k", RULES)
    assert {**refused, "schema": kept["schema"]} == kept
    assert refused["schema"] == "opeds/rejection/2"
