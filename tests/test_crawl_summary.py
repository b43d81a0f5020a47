"""A crawl's own account."""

import pytest

from pipelines.archive.crawl_summary import Summary, Tried, parse_summary, read_summary, summary_body
from pipelines.archive.manifests import RouteReport
from pipelines.archive.store import MemoryStore
from pipelines.errors import CrawlFailed

SUMMARY = Summary(
    "r1", "kjd", "2026-06-01", "2026-06-02", "2026-06-02T00:00:00Z",
    routes=[RouteReport("kjd", "editorials", True, True, 3)],
    addresses=[Tried("https://a/1", "kjd-c1", ["editorials"], "2026-06-01", "A ferry", "captured")],
    troubles={"https://a/2": "busy"},
)  # fmt: skip


def test_it_is_read_back_as_it_was_written() -> None:
    assert parse_summary(summary_body(SUMMARY)) == SUMMARY


def test_a_crawl_without_one_failed_and_the_sentence_says_what_to_do() -> None:
    with pytest.raises(CrawlFailed, match="run the days again"):
        read_summary(MemoryStore(), "crawls/kjd/2026-06-02/r1.json")
