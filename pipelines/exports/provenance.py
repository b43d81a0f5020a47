"""From a row of the table back to the page as it was served: each link, and whether it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.archive.keys import manifest_key, objects_prefix
from pipelines.archive.manifests import Manifest, numbered, read_log
from pipelines.archive.store import Store
from pipelines.archive.warc import examined_capture, retrieval_of
from pipelines.archive.withdrawn import read_withdrawn
from pipelines.catalogue.queries import query_table
from pipelines.catalogue.rows import Row, cite_as
from pipelines.clock import iso
from pipelines.errors import MALFORMED, NotArchived, UnreadableWarc
from pipelines.settings import Settings
from pipelines.versions import content_sha256_of


@dataclass(frozen=True)
class ProvenanceLink:
    """One link of the chain: what it is, where it lies in the bucket, what it says, and what in it does not hold."""

    what: str
    key: str
    says: tuple[str, ...]
    faults: tuple[str, ...] = ()


def provenance_of(settings: Settings, store: Store, row: Row) -> Iterator[ProvenanceLink]:
    """Yield the links from a row to its page: row, record, manifest, log, capture. Nothing is believed: each digest is
    computed, each value compared with the next link's."""
    says = (cite_as(row), f"status {row['status']}", f"text_sha256 {row['text_sha256']}")
    yield ProvenanceLink("row", "catalogue/articles", says)
    key, record, why = _record_of(store, row)
    if not key:
        yield ProvenanceLink("record", objects_prefix("articles", row["article_id"]), (), (why,))
        return
    yield ProvenanceLink(
        "record",
        key,
        (f"content_sha256 {record['content_sha256']}", f"rules {record['rules']['sha256'][:8]}, {row['profile']}"),
        tuple(_record_faults(record, row)),
    )
    yield from _logged(settings, store, row, key)
    yield _capture(store, row, record)


def _record_of(store: Store, row: Row) -> tuple[str, dict[str, Any], str]:
    """Return the key and the content of the record that a row is made of; else why there is none."""
    folder = objects_prefix("articles", row["article_id"])
    for key in store.keys(f"{folder}{row['content16']}-"):
        try:
            record: dict[str, Any] = json.loads(store.read(key))
            if record["rules"]["sha256"] == row["rules_sha256"]:
                return key, record, ""
        except (NotArchived, *MALFORMED):
            continue
    return "", {}, "no record of this content by these rules is there"


def _record_faults(record: dict[str, Any], row: Row) -> Iterator[str]:
    if content_sha256_of(record) != row["content_sha256"]:
        yield "its content is not the one that the row names"
    text = record["text"] or record["text_ko"]
    if hashlib.sha256(text.encode()).hexdigest() != row["text_sha256"]:
        yield "its text is not the one that the row's digest is of"
    for name in ("headline", "text", "text_ko", "canonical_url"):
        if record[name] != row[name]:
            yield f"its {name} differs from the row's"
    if record["capture"]["key"] != row["capture_key"]:
        yield "it was made of another capture than the row says"


def _logged(settings: Settings, store: Store, row: Row, key: str) -> Iterator[ProvenanceLink]:
    """Yield the manifest that names the record, and how the log vouches for that manifest."""
    found = _manifest_naming(settings, store, row["article_id"], key)
    if found is None:
        yield ProvenanceLink("manifest", "runs/", (), ("no manifest names this record",))
        return
    seq, manifest = found
    outcome = next(one for one in manifest.outcomes if one.record_key == key)
    stated, withdrawn = dict(manifest.digests), read_withdrawn(store)
    faults = []
    for named in filter(None, (key, outcome.capture_key)):
        is_now = hashlib.sha256(store.read(named)).hexdigest() if _is_there(store, named) else "gone"
        if stated.get(named) and not withdrawn.is_accepted(named, stated[named], is_now):
            faults.append(f"{named} is not the file that it states a digest of")
    says = (f"{outcome.verdict.value} at {outcome.fetched_at}", f"run {manifest.run}, logged {manifest.logged_at}")
    yield ProvenanceLink("manifest", manifest_key(seq), says, tuple(faults))
    body = store.read(manifest_key(seq))
    digest = hashlib.sha256(body).hexdigest()
    witnesses: list[str] = []
    wrong: list[str] = []
    told = query_table(settings, "runs", f"SELECT sha256 FROM t WHERE seq = {seq}")  # noqa: S608
    following = next(iter(numbered(store, [seq + 1])), None) if _is_there(store, manifest_key(seq + 1)) else None
    for who, said in (
        ("catalogue/runs", told[0]["sha256"] if told else ""),
        (manifest_key(seq + 1), following.previous if following else ""),
    ):
        if said:
            (witnesses if said == digest else wrong).append(who)
    yield ProvenanceLink(
        "log",
        manifest_key(seq),
        (f"sha256 {digest}", f"stated by {' and '.join(witnesses) or 'nobody yet'}"),
        tuple(f"{who} states another digest" for who in wrong),
    )


def _manifest_naming(settings: Settings, store: Store, article_id: str, key: str) -> tuple[int, Manifest] | None:
    """Return the first manifest that names a record: those that saw the article are looked at first."""
    of_article = f"SELECT DISTINCT seq FROM t WHERE article_id = '{article_id}' ORDER BY seq"  # noqa: S608
    seen = [row["seq"] for row in query_table(settings, "sightings", of_article)]
    near = zip(seen, numbered(store, seen), strict=False)
    return _first_naming(near, key) or _first_naming(read_log(store), key)


def _first_naming(manifests: Iterable[tuple[int, Manifest]], key: str) -> tuple[int, Manifest] | None:
    return next(((seq, m) for seq, m in manifests if any(o.record_key == key for o in m.outcomes)), None)


def _is_there(store: Store, key: str) -> bool:
    return next(store.keys(key), None) == key


def _capture(store: Store, row: Row, record: dict[str, Any]) -> ProvenanceLink:
    """Return the capture that a record was made of, as it lies in the bucket."""
    key = row["capture_key"]
    try:
        body = store.read(key)
        capture, faults = examined_capture(body, key)
    except (NotArchived, UnreadableWarc) as error:
        return ProvenanceLink("capture", key, (), (str(error),))
    told = retrieval_of(body, key)
    made_of = record["capture"]
    says = [
        f"served at {capture.url}",
        f"{iso(capture.fetched_at)}, HTTP {capture.status}",
        f"payload sha256 {capture.payload_sha256}",
        f"obtained from {told.archive} at {told.obtained_at}" if told else "fetched by us",
    ]
    for name, value in (("url", capture.url), ("payload_sha256", capture.payload_sha256)):
        if made_of[name] != value:
            faults.append(f"its {name} is not the one that the record says")
    return ProvenanceLink("capture", key, tuple(says), tuple(faults))
