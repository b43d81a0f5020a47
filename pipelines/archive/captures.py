"""A page is kept once: the same payload of the same article is a sighting of the capture that is there."""

from __future__ import annotations

from contextlib import suppress

from pipelines.archive.keys import capture_key, captures_prefix
from pipelines.archive.store import Store
from pipelines.archive.warc import Exchange, page_file
from pipelines.errors import AlreadyArchived
from pipelines.model import Capture


def store_capture(store: Store, article_id: str, exchange: Exchange, capture: Capture) -> str:
    """Return the key under which a page's payload lies, having put it there unless one did before.

    `capture` is the exchange decoded. A key of another moment than the capture's says that it was kept earlier.
    """
    payload16 = capture.payload_sha256[:16]
    kept = (key for key in store.keys(captures_prefix(article_id)) if key.endswith(f"-{payload16}.warc.gz"))
    key = next(kept, "")
    if not key:
        key = capture_key(article_id, capture)
        with suppress(AlreadyArchived):  # another worker, the same second, other headers: the first stands
            store.create(key, page_file(exchange, capture_notes(article_id, capture)))
    return key


def capture_notes(article_id: str, capture: Capture) -> dict[str, str]:
    """Return what the page's metadata record says of it: nothing of the run, so that a rerun gives the same file."""
    return {"article_id": article_id, "payload_sha256": capture.payload_sha256}
