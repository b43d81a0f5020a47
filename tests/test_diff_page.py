"""The page that shows what changed."""

from pipelines.cli.diff_page import as_html
from tests.test_versions import RECORD


def test_the_page_for_readers_escapes_what_it_shows() -> None:
    shown = as_html(RECORD, {**RECORD, "headline": "<script>alert(1)</script>"})
    assert "<script>" not in shown
    assert "<del>A ferry</del>" in shown
