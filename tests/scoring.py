"""The archive's reading of a page that no source knows, as `../shared/tools/score_news.py --python` wants it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipelines.cli.single import nowhere
from pipelines.extraction.extract import extract
from pipelines.model import Capture

FETCHED = datetime(2026, 11, 1, tzinfo=UTC)


def generic(html: bytes, url: str) -> dict[str, Any]:
    """Return text, title, authors and moment of a news page of any site."""
    article = extract(Capture(url, FETCHED, 200, (), html), nowhere(url))
    return {
        "text": article.text or article.text_ko,
        "title": article.headline,
        "authors": [author.name for author in article.authors],
        "published_at": article.published_at,
    }
