"""The tables: what each is, its columns, and what each column says. In more words: docs/schema.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.archive.manifests import MANIFEST_SCHEMA
from pipelines.archive.record import RECORD_SCHEMA

if TYPE_CHECKING:
    import pyarrow as pa

Said = dict[str, str]  # of each column, what it says; it stands in the table as the column's comment


@dataclass(frozen=True)
class Table:
    """A table of the catalogue; `made_of` is the schema of the objects that its rows are made of."""

    name: str
    about: str
    columns: Callable[[], pa.Schema]
    made_of: str
    partition_by: tuple[str, ...] = ()


ARTICLE_COLUMNS: Said = {
    "schema": "schema of the record that the row is made of",
    "article_id": "source, era of the address and the site's own number",
    "source": "the site: kjd is the newspaper, daum a portal",
    "url": "address as it was fetched",
    "canonical_url": "the address in its one spelling",
    "status": "ok, or review: see reasons",
    "reasons": "why a person should look, as codes",
    "headline": "without the site's suffix",
    "deck": "the line under the headline",
    "kind": "editorial, column, fountain, letter, cartoon, unknown",
    "authors": "people who sign: name, and the paper's line about them",
    "published_at": "moment of publication (UTC), null where it is not stated",
    "published_day": "day of publication, in Seoul on pages of known sources",
    "published_precision": "how exactly the publication is known: second, minute, day, none",
    "modified_at": "moment of the last change, as the page says (UTC)",
    "published_raw": "the date as found",
    "date_source": "where the date was found",
    "language": "en, ko or en+ko",
    "text": "the English text, a blank line between paragraphs",
    "text_ko": "the Korean text",
    "word_count": "words of the English text, else of the Korean",
    "captions": "captions of pictures, taken out of the text",
    "images": "addresses of pictures, which were not fetched",
    "related": "headlines listed among the text",
    "embeds": "posts of others that the page shows inside the text",
    "correction_note": "the paper's own note of a correction",
    "translator_note": "who translated or edited it",
    "print_edition": "where it stood in print",
    "emails": "addresses of mail at the end of the text",
    "publisher": "whose page it is",
    "copyright": "what the page says of copyright",
    "rights_signals": "what the page says of use",
    "witnesses": "for each field, what said so",
    "coverage": "which part of the article's letters is in the text or a field",
    "unaccounted": "letters that are neither there nor taken out by a rule",
    "restored": "letters that trafilatura left out and that were put back",
    "reader_agreement": "which part of the text trafilatura reads too",
    "text_sha256": "of the text",
    "content_sha256": "of what makes a version",
    "sketch": "sampled hashes of the text's shingles of five words, base64",
    "capture_key": "where the page lies in the bucket",
    "fetched_at": "when that page was fetched (UTC)",
    "payload_sha256": "of that page's body",
    "rules_sha256": "of everything of ours that shaped the record",
    "profile": "which layout was recognised",
    "content16": "name of the version: 16 digits of content_sha256",
    "cite_as": "name to cite: article_id@content16",
    "oped_id": "article_id of the op-ed's primary place",
    "n_places": "how many articles are places of this op-ed",
    "role": "primary or copy",
    "is_latest": "whether the article reads so today",
    "listed": "false for a portal's page without a sign of opinion",
    "steps": "the stretches of time in which the article read so; `to` is null for one that still stands",
    "previous": "content16 of what stood before the last of these",
    "kind_of_change": "what changed then, joined by +",
    "words_added": "words of the text that came then",
    "words_removed": "words of the text that went then",
    "formerly": "names that this version had under older rules",
    "matches": "other articles that share text with it, and how much",
    "first_seen": "when this version was seen first (UTC); last_seen: catalogue/sightings",
    "first_archived_at": "when the article came into the archive (UTC)",
    "gone_at": "since when its address shows nothing (UTC), else null",
    "discovered_by": "the lists that showed it first",
    "aliases": "other addresses of the same article",
    "year": "of the publication in Seoul, 0 if unknown; partitions the table",
}
VIEWS: Said = {  # over `catalogue`, in SQL that SQLite, DuckDB and Polars read alike; docs/schema.md says what they are
    "opeds": "SELECT * FROM catalogue WHERE role = 'primary' AND is_latest AND listed",
    "places": (
        "SELECT oped_id, article_id, role, source, canonical_url, headline, published_at, published_day, first_seen, "
        "gone_at, aliases FROM catalogue WHERE is_latest"
    ),
    "versions": (
        "SELECT article_id, content16, cite_as, oped_id, is_latest, first_seen, previous, kind_of_change, words_added, "
        "words_removed, headline, text, text_ko, correction_note FROM catalogue"
    ),
    "corrections": (
        "SELECT after.article_id, after.oped_id, after.previous, after.content16, after.first_seen AS seen, "
        "after.kind_of_change, after.words_added, after.words_removed, before.headline AS headline_previous, "
        "after.headline AS headline, before.text AS text_previous, after.text AS text, after.correction_note "
        "FROM catalogue AS after JOIN catalogue AS before "
        "ON after.article_id = before.article_id AND after.previous = before.content16 "
        "WHERE after.kind_of_change <> 'read_by_other_rules'"
    ),
}
RUN_COLUMNS: Said = {
    "seq": "number of the manifest in runs/",
    "run": "name of the run",
    "part": "part of the run",
    "day": "the day in Seoul that it is about; empty where there is a period",
    "period": "the month that a public archive was asked about, else empty",
    "logged_at": "when it was logged (UTC)",
    "complete": "of a closing: whether nothing of the day is missing",
    "whole": "of a closing: the sources of which nothing is missing",
    "missing": "what is missing",
    "warnings": "what a person should know",
    "outcomes": "how many outcomes of each verdict",
    "set_aside": "pages that could not be trusted, and why",
    "sha256": "digest of the manifest, in hexadecimal",
}
SIGHTING_COLUMNS: Said = {
    "article_id": "the article that was seen",
    "content16": "as which version, by the rules of then",
    "fetched_at": "when it was served so (UTC)",
    "obtained_at": "when it came to this archive (UTC)",
    "seq": "number of the manifest in runs/ that says so",
    "via": "how it came: crawl, file for a WARC of somebody else, or the name of a public archive",
}


def article_schema() -> pa.Schema:
    """Return the columns of `catalogue/articles`."""
    import pyarrow as pa

    text, texts, when = pa.string(), pa.list_(pa.string()), pa.timestamp("us", tz="UTC")
    changed = [("previous", text), ("kind_of_change", text), ("words_added", pa.int64()), ("words_removed", pa.int64())]
    match = [(name, text) for name in ("article_id", "content16", "relation", "method")]
    match += [("shared", pa.int64()), *((name, pa.float64()) for name in ("c_small", "c_large", "spread"))]
    types = {
        **dict.fromkeys(("published_at", "modified_at", "fetched_at", "first_seen"), when),
        **dict.fromkeys(("first_archived_at", "gone_at"), when),
        **dict.fromkeys(("reasons", "captions", "images", "related", "embeds", "emails", "rights_signals"), texts),
        **dict.fromkeys(("formerly", "discovered_by", "aliases"), texts),
        **dict.fromkeys(
            ("word_count", "unaccounted", "restored", "n_places", "words_added", "words_removed"), pa.int64()
        ),
        **dict.fromkeys(("coverage", "reader_agreement"), pa.float64()),
        **dict.fromkeys(("is_latest", "listed"), pa.bool_()),
        "published_day": pa.date32(),
        "authors": pa.list_(pa.struct([("name", text), ("bio", text)])),
        "witnesses": pa.list_(pa.struct([("field", text), ("witness", text)])),
        "steps": pa.list_(pa.struct([("from", when), ("to", when), *changed])),
        "matches": pa.list_(pa.struct(match)),
        "year": pa.int32(),
    }
    return _schema(ARTICLE_COLUMNS, types)


def run_schema() -> pa.Schema:
    """Return the columns of `catalogue/runs`."""
    import pyarrow as pa

    text, texts, when = pa.string(), pa.list_(pa.string()), pa.timestamp("us", tz="UTC")
    aside = pa.struct([("article_id", text), ("url", text), ("fetched_at", when), ("reasons", texts)])
    types = {
        **dict.fromkeys(("whole", "missing", "warnings"), texts),
        "seq": pa.int64(),
        "logged_at": when,
        "complete": pa.bool_(),
        "outcomes": pa.list_(pa.struct([("verdict", text), ("count", pa.int64())])),
        "set_aside": pa.list_(aside),
    }
    return _schema(RUN_COLUMNS, types)


def sighting_schema() -> pa.Schema:
    """Return the columns of `catalogue/sightings`."""
    import pyarrow as pa

    when = pa.timestamp("us", tz="UTC")
    return _schema(SIGHTING_COLUMNS, {"fetched_at": when, "obtained_at": when, "seq": pa.int64()})


def _schema(said: Said, types: dict[str, pa.DataType]) -> pa.Schema:
    """Return the columns in order, each with its comment; a column is text where no type is given."""
    import pyarrow as pa

    columns = ((name, types.get(name, pa.string()), comment) for name, comment in said.items())
    return pa.schema([pa.field(name, kind, metadata={"comment": comment}) for name, kind, comment in columns])


ARTICLES = Table("articles", "Every version of every article: one row each", article_schema, RECORD_SCHEMA, ("year",))
RUNS = Table("runs", "What each run brought, and how each day stands: one row a manifest", run_schema, MANIFEST_SCHEMA)
SIGHTINGS = Table(
    "sightings", "Every time an article was seen, only ever added to: one row each", sighting_schema, MANIFEST_SCHEMA
)
CATALOGUE = {table.name: table for table in (SIGHTINGS, ARTICLES, RUNS)}  # in the order in which they are published
