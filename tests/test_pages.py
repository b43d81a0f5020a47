"""Every folder below tests/pages is a page and what a careful reader makes of it; all text is invented."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.extraction.extract import extract
from pipelines.model import Article, Capture
from pipelines.sources.addresses import place_of
from tests.conftest import SOURCES

PAGES = Path(__file__).parent / "pages"
FOLDERS = sorted(folder.parent for folder in PAGES.rglob("expected.json"))


def expected_of(folder: Path) -> dict[str, Any]:
    """Return what a folder's expected.json says."""
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


def loaded(folder: Path) -> Capture:
    """Return a folder's page as it would have been captured."""
    told = expected_of(folder)
    headers = (("Content-Type", told["content_type"]),)
    body = (folder / "page.html").read_bytes()
    return Capture(told["url"], datetime.fromisoformat(told["fetched_at"]), 200, headers, body)


def read(one: Capture) -> Article:
    """Return the reading of a page by the shipped sources."""
    place = place_of(one.url, SOURCES.values())
    assert place, one.url
    return extract(one, place)


def told(article: Article, field: str) -> Any:
    """Return a field as expected.json spells it: texts as lists of paragraphs, moments in ISO 8601."""
    value = getattr(article, field)
    if field in {"text", "text_ko"}:
        return value.split("\n\n") if value else []
    if field == "authors":
        return [{"name": author.name, "bio": author.bio} for author in value]
    return value.isoformat() if isinstance(value, date) else list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_page_is_read_as_a_careful_reader_would(folder: Path) -> None:
    article, expected = read(loaded(folder)), expected_of(folder)
    wanted = {
        field: value for field, value in expected["article"].items() if field == "published_at" or value is not None
    }
    assert {field: told(article, field) for field in wanted} == wanted
    everything = f"{article.text}\n{article.text_ko}\n{article.headline}"
    assert not [string for string in expected["absent"] if string in everything]


def test_there_are_enough_of_them_and_of_every_kind() -> None:
    assert len(FOLDERS) >= 60
    profiles = {expected_of(folder)["article"].get("profile") for folder in FOLDERS}
    assert profiles >= {profile.name for source in SOURCES.values() for profile in source.profiles}
    statuses = {expected_of(folder)["article"]["status"] for folder in FOLDERS}
    assert statuses == {"ok", "review", "drift", "truncated", "reject"}
