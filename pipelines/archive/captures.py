"""A page is stored once: a payload that is stored already is not stored again; its sighting names the old capture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from pipelines.archive.store import Store
from pipelines.archive.warc import Exchange, page_file, read_capture
from pipelines.errors import AlreadyArchived, NotArchived, UnreadableWarc
from pipelines.model import Capture


def capture_file(article_id: str, exchange: Exchange, capture: Capture) -> bytes:
    """Return a page as the WARC file that the bucket holds; `capture` is the exchange decoded."""
    return page_file(exchange, _notes(article_id, exchange, capture))


def store_capture(
    store: Store, key: str, file: bytes, is_enough: Callable[[str], bool] = lambda _: True
) -> tuple[str, bool]:
    """Store a page's file under its key unless its payload is stored already; return the key, and whether it is new.

    A key of another moment names an earlier capture of the same payload, if that `is_enough`.
    """
    folder, _, name = key.rpartition("/")
    payload = name.rpartition("-")[2]
    stored = (other for other in store.keys(f"{folder}/") if other.endswith(f"-{payload}"))
    earlier = next(filter(is_enough, stored), "")
    if earlier:
        return earlier, False
    try:
        store.create(key, file)
    except AlreadyArchived:  # another worker, the same second, other headers: the first stands
        return key, False
    return key, True


def enough_for(store: Store, doubt: str) -> Callable[[str], bool]:
    """Return what says whether a stored capture stands for another of its payload: one that is doubtful, or cannot be
    read, does not stand for a sound one."""

    def is_enough(key: str) -> bool:
        try:
            return bool(doubt) or not read_capture(store.read(key), key).doubt
        except (NotArchived, UnreadableWarc):
            return False

    return is_enough


def _notes(article_id: str, exchange: Exchange, capture: Capture) -> dict[str, str]:
    """Return what the page's metadata record says of it: nothing of the run, so that a rerun gives the same file.

    Of a page that somebody else recorded also which record it was, its digest there, by which program, and what does
    not fit; of one from a public archive also from which, by which addresses, and when we got it.
    """
    notes = {"article_id": article_id, "payload_sha256": capture.payload_sha256}
    origin = exchange.origin
    if origin is not None:
        notes |= {"copied_from": origin.record_id, "copied_block_digest": origin.block_digest}
        notes |= {"copied_software": origin.software, "fault": origin.fault}
    if exchange.retrieved is not None:
        told = asdict(exchange.retrieved)
        notes |= {"archive": told.pop("archive"), **{f"archive_{name}": value for name, value in told.items()}}
        notes["fault"] = capture.doubt
    return notes
