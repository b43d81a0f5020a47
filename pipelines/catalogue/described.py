"""A bucket that explains itself: its README, the schema of a record, feeds of the latest op-eds. Made by publishing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from pipelines.archive.identity import Identity, read_identity
from pipelines.archive.keys import README_KEY, RECORD_SCHEMA_KEY
from pipelines.archive.record import RECORD_SCHEMA
from pipelines.archive.store import Store
from pipelines.catalogue.queries import days, query_table
from pipelines.catalogue.rows import Row
from pipelines.catalogue.schema import ARTICLE_COLUMNS, VIEWS
from pipelines.clock import SEOUL, iso
from pipelines.errors import NotArchived, StoreBusy, StoreUnavailable
from pipelines.model import KINDS
from pipelines.settings import Settings

FEED_LENGTH = 50  # op-eds
FEED_TITLE = "Op-eds of Korea JoongAng Daily, as archived"
ATOM = "http://www.w3.org/2005/Atom"
ABOUT_VIEWS = {
    "opeds": "each op-ed once: its primary place, in its latest version",
    "places": "every place of every op-ed, in its latest version",
    "versions": "every version of every article",
    "corrections": "every change of an article, with both texts",
}
IN_OTHER_WORDS = {  # of the record: what the table has otherwise
    "published_at": "moment of publication, ISO 8601 with offset, or null where it is not stated",
    "modified_at": "moment of the last change, as the page says, or null",
    "sketch": "sampled hashes of the text's shingles of five words: `algorithm`, and `hashes` in base64",
    "removed": "what stood among the text and is in no field: rule, by what, the first 80 characters, letters",
    "capture": "the page that it was read from",
    "rules": "by which rules it was read",
}
TEXT, LIST_OF_TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
MOMENT, COUNT = {"type": ["string", "null"], "format": "date-time"}, {"type": "integer", "minimum": 0}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
SKETCH = {"type": "object", "properties": {"algorithm": TEXT, "hashes": TEXT}, "required": ["algorithm", "hashes"]}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
RECORD_FIELDS: Mapping[str, dict[str, Any]] = {
    **dict.fromkeys(("article_id", "source", "url", "canonical_url", "headline", "deck"), TEXT),
    **dict.fromkeys(("published_raw", "date_source", "text", "text_ko", "correction_note", "translator_note"), TEXT),
    **dict.fromkeys(("print_edition", "publisher", "copyright"), TEXT),
    **dict.fromkeys(("reasons", "captions", "images", "related", "embeds", "emails", "rights_signals"), LIST_OF_TEXTS),
    **dict.fromkeys(("published_at", "modified_at"), MOMENT),
    **dict.fromkeys(("word_count", "unaccounted", "restored"), COUNT),
    **dict.fromkeys(("coverage", "reader_agreement"), SHARE),
    **dict.fromkeys(("text_sha256", "content_sha256"), SHA256),
    "schema": {"const": RECORD_SCHEMA},
    "status": {"enum": ["ok", "review"]},
    "kind": {"enum": [*KINDS, "unknown"]},
    "language": {"enum": ["en", "ko", "en+ko", ""]},
    "published_day": {"type": ["string", "null"], "format": "date"},
    "published_precision": {"enum": ["second", "minute", "day", "none"]},
    "authors": {
        "type": "array",
        "items": {"type": "object", "properties": {"name": TEXT, "bio": TEXT}, "required": ["name", "bio"]},
    },
    "witnesses": {"type": "object"},
    "removed": {
        "type": "array",
        "items": {"type": "object", "properties": {"rule": TEXT, "by": TEXT, "text": TEXT, "letters": COUNT}},
    },
    "sketch": SKETCH,
    "capture": {
        "type": "object",
        "properties": {"key": TEXT, "url": TEXT, "fetched_at": MOMENT, "status": COUNT, "payload_sha256": SHA256},
        "required": ["key", "url", "fetched_at", "status", "payload_sha256"],
    },
    "rules": {
        "type": "object",
        "properties": {"sha256": SHA256, "profile": TEXT, "trafilatura": TEXT, "code": TEXT},
        "required": ["sha256", "profile"],
    },
}


def describe(store: Store, settings: Settings, seq: int) -> None:
    """Write what the bucket says of itself at a number of its log; what says the same already is left as it is."""
    known = read_identity(store)
    latest = _latest(settings)
    for key, body in (
        (README_KEY, readme(settings, known, seq)),
        (RECORD_SCHEMA_KEY, _as_json(record_schema())),
        ("feeds/opeds.atom", atom(latest, known.archive_id)),
        ("feeds/opeds.json", _as_json(json_feed(latest, known.archive_id))),
    ):
        try:
            same = store.read(key) == body
        except NotArchived:
            same = False
        if not same:
            _replace(store, key, body)


def _replace(store: Store, key: str, body: bytes) -> None:
    try:
        store.replace(key, body)
    except StoreBusy:
        raise
    except StoreUnavailable as error:  # a key made for an earlier version may write no more than the tables
        said = "publishing writes README.md, schema/ and feeds/ too (infra/policies/archivist.json)"
        raise StoreUnavailable(f"{error}; {said}") from error


def _as_json(told: object) -> bytes:
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


# -- the record --------------------------------------------------------------------------------------------------


def record_schema() -> dict[str, Any]:
    """Return the JSON Schema of a record of today's schema."""
    said = ARTICLE_COLUMNS | IN_OTHER_WORDS
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{RECORD_SCHEMA.replace('/', ':')}",
        "title": "An op-ed as one page shows it, read by one set of rules",
        "type": "object",
        "properties": {name: {"description": said[name], **kind} for name, kind in RECORD_FIELDS.items()},
        "required": sorted(RECORD_FIELDS),
        "additionalProperties": False,
    }


# -- the README --------------------------------------------------------------------------------------------------


def readme(settings: Settings, known: Identity, seq: int) -> bytes:
    """Return the bucket's README as it stands at a number of its log."""
    parts = urlsplit(settings.archive)
    prefix = parts.path.strip("/")
    years = _by_year(settings)
    days_known = [row[end] for row in years for end in ("first", "last") if row[end]]
    told = {
        "INVENTED": "**The op-eds in this archive are invented.**" if known.invented else "",
        "ARCHIVE_ID": known.archive_id,
        "ARCHIVE": f"s3://{parts.netloc}{'/' + prefix if prefix else ''}" if parts.netloc else settings.archive,
        "BUCKET": parts.netloc or "BUCKET",
        "PREFIX": f"{prefix}/" if prefix and parts.netloc else "",
        "SEQ": f"{seq:,}",
        "OPEDS": f"{sum(row['op_eds'] for row in years):,}",
        "ARTICLES": f"{sum(row['articles'] for row in years):,}",
        "VERSIONS": f"{sum(row['versions'] for row in years):,}",
        "FIRST": str(min(days_known, default="–")),
        "LAST": str(max(days_known, default="–")),
        "VIEWS": "\n\n".join(f"`{name}`: {ABOUT_VIEWS[name]}.\n\n```sql\n{sql};\n```" for name, sql in VIEWS.items()),
        "DUCKDB_VIEWS": "\n".join(f'con.execute("""CREATE VIEW {name} AS {sql}""")' for name, sql in VIEWS.items()),
        "POLARS_VIEWS": "\n".join(f'    "{name}": """{sql}""",' for name, sql in VIEWS.items()),
        "COVERAGE": _coverage(years, days(settings)),
    }
    text = files("pipelines.catalogue").joinpath("bucket_readme.md").read_text(encoding="utf-8")
    for name, value in told.items():
        text = text.replace(f"@{name}@", value)
    return text.encode()


def _by_year(settings: Settings) -> list[Row]:
    """Return for each year of publication how many versions, articles, op-eds, sound op-eds, and its ends: one look."""
    is_oped = "is_latest AND role = 'primary' AND listed"
    return query_table(
        settings,
        "articles",
        "SELECT year, count(*) AS versions, sum(CASE WHEN is_latest THEN 1 ELSE 0 END) AS articles, "  # noqa: S608
        f"sum(CASE WHEN {is_oped} THEN 1 ELSE 0 END) AS op_eds, "
        f"sum(CASE WHEN {is_oped} AND status = 'ok' THEN 1 ELSE 0 END) AS sound, "
        "min(published_day) AS first, max(published_day) AS last FROM t GROUP BY year ORDER BY year",
    )


def _coverage(years: Sequence[Row], looked: Sequence[Row]) -> str:
    """Return a table of years: op-eds, how many of them for review, days that were complete and not."""
    shown = [row for row in years if row["op_eds"]]
    counts: dict[int, list[int]] = {row["year"]: [row["op_eds"], row["op_eds"] - row["sound"], 0, 0] for row in shown}
    for row in looked:
        if row["complete"] is not None:
            counts.setdefault(int(row["day"][:4]), [0, 0, 0, 0])[2 if row["complete"] else 3] += 1
    lines = ["| published | op-eds | of these for review | days complete | days incomplete |", "|---|---|---|---|---|"]
    for year, numbers in sorted(counts.items()):
        lines.append(f"| {year or 'undated'} | {' | '.join(f'{n:,}' for n in numbers)} |")
    return "\n".join(lines) if counts else "Nothing was looked at yet."


# -- feeds -------------------------------------------------------------------------------------------------------


def _latest(settings: Settings) -> list[Row]:
    """Return the latest op-eds, newest first: headline, deck, names, link."""
    rows = query_table(
        settings,
        "articles",
        "SELECT article_id, headline, deck, authors, kind, canonical_url, published_at, published_day, language, "  # noqa: S608
        "first_seen FROM t WHERE is_latest AND role = 'primary' AND listed "
        "AND published_day IS NOT NULL "
        f"ORDER BY published_day DESC, published_at DESC NULLS LAST, article_id LIMIT {FEED_LENGTH}",
    )
    return [row | {"when": _when(row["published_at"], row["published_day"])} for row in rows]


def _when(moment: datetime | None, day: date) -> str:
    """Return when an op-ed was published; where only the day is known, its noon in Seoul."""
    return iso(moment or datetime.combine(day, time(12), SEOUL))


def _updated(row: Row) -> str:
    return str(max(row["when"], iso(row["first_seen"])))


def atom(latest: Iterable[Row], archive_id: str) -> bytes:
    """Return an Atom feed of op-eds, without their texts."""
    rows = list(latest)
    feed = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})

    def add(parent: ElementTree.Element, name: str, text: str = "", **attributes: str) -> ElementTree.Element:
        one = ElementTree.SubElement(parent, name, attributes)
        one.text = _printable(text) or None
        return one

    add(feed, "id", f"urn:opeds:{archive_id}")
    add(feed, "title", FEED_TITLE)
    add(feed, "updated", max(map(_updated, rows), default="1970-01-01T00:00:00Z"))
    add(add(feed, "author"), "name", "Korea JoongAng Daily")
    for row in rows:
        entry = add(feed, "entry")
        add(entry, "id", f"urn:opeds:{archive_id}:{row['article_id']}")
        add(entry, "title", row["headline"], type="text")
        add(entry, "link", href=row["canonical_url"], rel="alternate")
        add(entry, "published", row["when"])
        add(entry, "updated", _updated(row))
        add(entry, "category", term=row["kind"])
        for author in row["authors"] or ():
            add(add(entry, "author"), "name", author["name"])
        if row["deck"]:
            add(entry, "summary", row["deck"], type="text")
    return bytes(ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)) + b"\n"


def json_feed(latest: Iterable[Row], archive_id: str) -> dict[str, Any]:
    """Return a JSON Feed 1.1 of op-eds, without their texts."""
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": FEED_TITLE,
        "language": "en",
        "items": [
            {
                "id": f"urn:opeds:{archive_id}:{row['article_id']}",
                "url": row["canonical_url"],
                "title": _printable(row["headline"]),
                "content_text": _printable(row["deck"] or row["headline"]),
                "date_published": row["when"],
                "date_modified": _updated(row),
                "authors": [{"name": _printable(author["name"])} for author in row["authors"] or ()],
                "tags": [row["kind"]],
            }
            for row in latest
        ],
    }


def _printable(text: str) -> str:
    """Return a text without control characters and direction marks, which XML refuses or a reader's screen obeys."""
    return "".join(sign for sign in text if sign.isprintable())
