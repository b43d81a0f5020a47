"""The columns of the tables; their meaning stands in docs/schema.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def article_schema() -> pa.Schema:
    """Return the columns of `catalogue/articles`; their meaning stands in docs/schema.md."""
    import pyarrow as pa

    text, texts, when = pa.string(), pa.list_(pa.string()), pa.timestamp("us", tz="UTC")
    changed = [("previous", text), ("kind_of_change", text), ("words_added", pa.int64()), ("words_removed", pa.int64())]
    match = [(name, text) for name in ("article_id", "content16", "relation", "method")]
    match += [("shared", pa.int64()), *((name, pa.float64()) for name in ("c_small", "c_large", "spread"))]
    return pa.schema(
        [
            *((name, text) for name in ("schema", "article_id", "source", "url", "canonical_url", "status")),
            ("reasons", texts),
            *((name, text) for name in ("headline", "deck", "kind")),
            ("authors", pa.list_(pa.struct([("name", text), ("bio", text)]))),
            ("published_at", when),
            ("published_day", pa.date32()),
            ("published_precision", text),
            ("modified_at", when),
            ("published_raw", text),
            ("date_source", text),
            *((name, text) for name in ("language", "text", "text_ko")),
            ("word_count", pa.int64()),
            *((name, texts) for name in ("captions", "images", "related", "embeds")),
            *((name, text) for name in ("correction_note", "translator_note", "print_edition")),
            ("emails", texts),
            ("publisher", text),
            ("copyright", text),
            ("rights_signals", texts),
            ("witnesses", pa.list_(pa.struct([("field", text), ("witness", text)]))),
            ("coverage", pa.float64()),
            ("unaccounted", pa.int64()),
            ("restored", pa.int64()),
            ("reader_agreement", pa.float64()),
            ("text_sha256", text),
            ("content_sha256", text),
            ("sketch", text),
            ("capture_key", text),
            ("fetched_at", when),
            ("payload_sha256", text),
            ("rules_sha256", text),
            ("profile", text),
            ("content16", text),
            ("oped_id", text),
            ("role", text),
            ("is_latest", pa.bool_()),
            ("listed", pa.bool_()),
            ("steps", pa.list_(pa.struct([("from", when), ("to", when), *changed]))),
            *changed,
            ("formerly", texts),
            ("matches", pa.list_(pa.struct(match))),
            *((name, when) for name in ("first_seen", "last_seen", "first_archived_at", "gone_at")),
            ("discovered_by", texts),
            ("aliases", texts),
            ("year", pa.int32()),
        ]
    )


def run_schema() -> pa.Schema:
    """Return the columns of `catalogue/runs`."""
    import pyarrow as pa

    text, texts, when = pa.string(), pa.list_(pa.string()), pa.timestamp("us", tz="UTC")
    counts = pa.list_(pa.struct([("verdict", text), ("count", pa.int64())]))
    aside = pa.struct([("article_id", text), ("url", text), ("fetched_at", when), ("reasons", pa.list_(text))])
    return pa.schema(
        [
            ("seq", pa.int64()),
            ("run", text),
            ("part", text),
            ("day", text),
            ("logged_at", when),
            ("complete", pa.bool_()),
            ("whole", texts),
            ("missing", texts),
            ("warnings", texts),
            ("outcomes", counts),
            ("set_aside", pa.list_(aside)),
        ]
    )
