"""A page is stored once: the same payload of the same article is a sighting of the capture that is there."""

from __future__ import annotations

from pipelines.archive.keys import capture_key, captures_prefix
from pipelines.archive.store import Store
from pipelines.archive.warc import Exchange, page_file
from pipelines.errors import AlreadyArchived
from pipelines.model import Capture


def capture_file(article_id: str, exchange: Exchange, capture: Capture) -> bytes:
    """Return a page as the WARC file that the bucket holds; `capture` is the exchange decoded."""
    return page_file(exchange, capture_notes(article_id, capture))


def store_capture(store: Store, article_id: str, capture: Capture, file: bytes) -> tuple[str, bool]:
    """Store a page's file unless its payload is stored already; return the key, and whether it was stored now.

    A key of another moment than the capture's names an earlier capture of the same payload.
    """
    payload16 = capture.payload_sha256[:16]
    stored = (key for key in store.keys(captures_prefix(article_id)) if key.endswith(f"-{payload16}.warc.gz"))
    earlier = next(stored, "")
    if earlier:
        return earlier, False
    key = capture_key(article_id, capture)
    try:
        store.create(key, file)
    except AlreadyArchived:  # another worker, the same second, other headers: the first stands
        return key, False
    return key, True


def capture_notes(article_id: str, capture: Capture) -> dict[str, str]:
    """Return what the page's metadata record says of it: nothing of the run, so that a rerun gives the same file."""
    return {"article_id": article_id, "payload_sha256": capture.payload_sha256}
