"""Article + capture + rules = one JSON object, the same bytes whenever and wherever it is made."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import asdict
from typing import Any

from pipelines.copies.fingerprint import sketch_of
from pipelines.model import Article, Capture, Rules, iso, stamp
from pipelines.sources.addresses import Place

SCHEMA = "opeds/article/1"
REJECTION_SCHEMA = "opeds/rejection/1"
_MAPPED = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "‐": "-", "‑": "-"}
)


def content_sha256(article: Article) -> str:
    """Return the digest that makes a version: it changes only when a reader would notice.

    Headline, deck, names, text and correction note count; quotation marks, dashes and white space do
    not, nor bios, captions, dates, advertising and lists of headlines.
    """
    names = [author.name for author in article.authors]
    parts = [article.headline, article.deck, names, article.text, article.text_ko, article.correction_note]
    plain = [_plain(part) if isinstance(part, str) else [_plain(name) for name in part] for part in parts]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode()).hexdigest()


def capture_key(article_id: str, capture: Capture) -> str:
    """Return the key of a capture: `captures/<source>/<native-id>/<fetched_at>-<payload16>.warc.gz`."""
    return f"{captures_prefix(article_id)}{stamp(capture.fetched_at)}-{capture.payload_sha256[:16]}.warc.gz"


def captures_prefix(article_id: str) -> str:
    """Return what the keys of all captures of an article begin with."""
    return f"captures/{_folders(article_id)}/"


def article_of(key: str) -> str:
    """Return the article whose capture, record or rejection lies at a key.

    >>> article_of("captures/kjd/c2068163/20240613T000000Z-0123456789abcdef.warc.gz")
    'kjd-c2068163'
    """
    _, source, native, _ = key.split("/", 3)
    return f"{source}-{native}"


def record_key(article_id: str, content16: str, rules: Rules) -> str:
    """Return the key of a record."""
    return f"articles/{_folders(article_id)}/{content16}-{rules.rules8}.json"


def quarantine_key(article_id: str, payload_sha256: str, rules: Rules) -> str:
    """Return the key of a rejection."""
    return f"quarantine/{_folders(article_id)}/{payload_sha256[:16]}-{rules.rules8}.json"


def _folders(article_id: str) -> str:
    return article_id.replace("-", "/", 1)


def described(article: Article, place: Place) -> dict[str, Any]:
    """Return an article under the record's names, from `schema` to `coverage` and `text_sha256`."""
    witnesses = dict(article.witnesses)
    data = asdict(article)
    profile = data.pop("profile")
    return {
        **data,
        "schema": SCHEMA,
        "article_id": place.article_id,
        "source": place.source.name,
        "canonical_url": place.canonical_url,
        "published_at": article.published_at.isoformat() if article.published_at else None,
        "modified_at": article.modified_at.isoformat() if article.modified_at else None,
        "word_count": article.word_count,
        "witnesses": witnesses,
        "text_sha256": hashlib.sha256((article.text or article.text_ko).encode()).hexdigest(),
        "content_sha256": content_sha256(article),
        "profile": profile,
    }


def record(article: Article, place: Place, capture: Capture, key: str, rules: Rules) -> dict[str, Any]:
    """Return the record of a reading, ready to be written. `key` is where the capture lies."""
    data = described(article, place)
    return {
        **{name: value for name, value in data.items() if name != "profile"},
        "url": capture.url,
        "sketch": sketch_of(article.text or article.text_ko),
        "capture": {
            "key": key,
            "url": capture.url,
            "fetched_at": iso(capture.fetched_at),
            "status": capture.status,
            "payload_sha256": capture.payload_sha256,
        },
        "rules": {
            "sha256": rules.sha256,
            "profile": data["profile"],
            "trafilatura": rules.trafilatura,
            "code": rules.code,
        },
    }


def rejection(article: Article, place: Place, capture: Capture, key: str, rules: Rules) -> dict[str, Any]:
    """Return what is set aside of a page that cannot be trusted: the reading, marked, with its reasons."""
    return {**record(article, place, capture, key, rules), "schema": REJECTION_SCHEMA}


def to_json(data: Any) -> bytes:
    """Return the one spelling of a JSON object in the bucket: UTF-8, keys sorted, newline at the end."""
    return (json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1, default=str) + "\n").encode()


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text).translate(_MAPPED)).strip()
