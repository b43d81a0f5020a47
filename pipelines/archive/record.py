"""Article + capture + rules = one JSON object, the same bytes whenever and wherever it is made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from pipelines.clock import iso
from pipelines.copies.fingerprint import sketch_of
from pipelines.model import Article, Capture, Rules
from pipelines.sources.addresses import Place
from pipelines.versions import content_sha256

RECORD_SCHEMA = "opeds/article/2"
REJECTION_SCHEMA = "opeds/rejection/2"


def described(article: Article, place: Place) -> dict[str, Any]:
    """Return an article under the record's names, from `schema` to `coverage` and `text_sha256`."""
    witnesses = dict(article.witnesses)
    data = asdict(article)
    profile = data.pop("profile")
    return {
        **data,
        "schema": RECORD_SCHEMA,
        "article_id": place.article_id,
        "source": place.source.name,
        "canonical_url": place.canonical_url,
        "published_at": article.published_at.isoformat() if article.published_at else None,
        "published_day": article.published_day.isoformat() if article.published_day else None,
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
