"""Where objects lie."""

from datetime import UTC, datetime

from pipelines.archive.keys import (
    article_of,
    capture_key,
    captures_prefix,
    crawl_key,
    manifest_key,
    quarantine_key,
    record_key,
)
from pipelines.model import Capture, Rules

RULES = Rules("0123456789abcdef", "2.3", "2")
CAPTURE = Capture("u", datetime(2026, 6, 1, 3, 4, 5, tzinfo=UTC), 200, (), b"x")


def test_every_key_of_an_article_lies_in_its_folder() -> None:
    key = capture_key("naver-640-0000057385", CAPTURE)
    assert key == "captures/naver/640-0000057385/20260601T030405Z-2d711642b726b044.warc.gz"
    assert key.startswith(captures_prefix("naver-640-0000057385"))
    assert record_key("kjd-c1", "f" * 16, RULES) == f"articles/kjd/c1/{'f' * 16}-01234567.json"
    assert quarantine_key("kjd-c1", "e" * 64, RULES) == f"quarantine/kjd/c1/{'e' * 16}-01234567.json"


def test_a_key_names_its_article() -> None:
    for article_id in ("kjd-c2068163", "naver-640-0000057385"):
        assert article_of(capture_key(article_id, CAPTURE)) == article_id
        assert article_of(record_key(article_id, "f" * 16, RULES)) == article_id


def test_manifests_sort_by_number_and_crawls_by_day() -> None:
    assert sorted(map(manifest_key, (10, 9, 100))) == [manifest_key(9), manifest_key(10), manifest_key(100)]
    assert crawl_key("kjd", "2026-06-01", "r1", "warc.gz") == "crawls/kjd/2026-06-01/r1.warc.gz"
