"""One page by hand: what `opeds extract` prints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipelines.archive.record import described
from pipelines.clock import now
from pipelines.errors import WrongUsage
from pipelines.extraction.extract import Extraction, extract_explained
from pipelines.model import Capture
from pipelines.settings import Settings
from pipelines.sources import Source, load_sources
from pipelines.sources.addresses import Place, place_of

DROPPED = frozenset({"content_sha256", "profile"})


def extracted(body: bytes, url: str, fetched_at: str, settings: Settings) -> tuple[Extraction, dict[str, Any]]:
    """Return one page's reading with its explanation, and the article under the record's names.

    An address of no source is read generically.
    """
    try:
        when = datetime.fromisoformat(fetched_at) if fetched_at else now()
    except ValueError as error:
        raise WrongUsage(f"{fetched_at!r} is no moment; write it as 2026-06-01T09:30:00+09:00") from error
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    place = place_of(url, load_sources(settings.sources).values()) or nowhere(url)
    reading = extract_explained(Capture(url, when, 200, (), body), place)
    told = {name: value for name, value in described(reading.article, place).items() if name not in DROPPED}
    return reading, {**told, "url": url, "extractor": f"opeds/{reading.article.profile or 'none'}"}


def nowhere(url: str) -> Place:
    source = Source(name="unknown", publisher="", hosts=(), addresses=())
    return Place(source, "", "", url, 0)
