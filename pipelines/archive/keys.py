"""The keys of the bucket: where each kind of object lies. A reader needs nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pipelines.clock import STAMP, iso, stamp
from pipelines.model import Capture, Rules


def capture_key(article_id: str, capture: Capture) -> str:
    """Return the key of a capture: `captures/<source>/<native-id>/<fetched_at>-<payload16>.warc.gz`."""
    return f"{captures_prefix(article_id)}{stamp(capture.fetched_at)}-{capture.payload_sha256[:16]}.warc.gz"


def captures_prefix(article_id: str) -> str:
    """Return what the keys of all captures of an article begin with."""
    return objects_prefix("captures", article_id)


def objects_prefix(folder: str, article_id: str) -> str:
    """Return what the keys of an article's objects in a folder begin with: `captures`, `articles` or `quarantine`."""
    return f"{folder}/{_folders(article_id)}/"


def article_of(key: str) -> str:
    """Return the article whose capture, record or rejection lies at a key.

    >>> article_of("captures/kjd/c2068163/20240613T000000Z-0123456789abcdef.warc.gz")
    'kjd-c2068163'
    """
    _, source, native, _ = key.split("/", 3)
    return f"{source}-{native}"


def date_in(key: str) -> str:
    """Return the moment in a capture's key as ISO 8601.

    >>> date_in("captures/kjd/c2068163/20240613T000000Z-0123456789abcdef.warc.gz")
    '2024-06-13T00:00:00Z'
    """
    return iso(datetime.strptime(key.rpartition("/")[2][:16], STAMP).replace(tzinfo=UTC))


def digits_in(key: str) -> str:
    """Return the moment in a capture's key as tools of web archives write it.

    >>> digits_in("captures/kjd/c2068163/20240613T000000Z-0123456789abcdef.warc.gz")
    '20240613000000'
    """
    return re.sub("[TZ]", "", key.rpartition("/")[2][:16])


def record_key(article_id: str, content16: str, rules: Rules) -> str:
    """Return the key of a record."""
    return f"articles/{_folders(article_id)}/{content16}-{rules.rules8}.json"


def quarantine_key(article_id: str, payload_sha256: str, rules: Rules) -> str:
    """Return the key of a rejection."""
    return f"quarantine/{_folders(article_id)}/{payload_sha256[:16]}-{rules.rules8}.json"


def _folders(article_id: str) -> str:
    return article_id.replace("-", "/", 1)


def crawl_key(source: str, until: str, run: str, suffix: str = "json") -> str:
    """Return the key of a crawl's summary, or of its WARC."""
    return f"crawls/{source}/{until}/{run}.{suffix}"


def past_folder(source: str, archive: str, *names: str) -> str:
    """Return the folder of what was asked of a public archive: `crawls/<source>/past/<archive>/<name>/…/`.

    Below it: `<prefix8>/<month>/<page>.json.gz`, answers of its index; `asked/<month>/<moment>-<address8>.json`, what
    came of each page asked for; `<month>/<run>.json`, the accounts.
    """
    return "".join(f"{part}/" for part in ("crawls", source, "past", archive, *names))


def period_key(source: str, archive: str, month: str, run: str) -> str:
    """Return the key of the account of a month that was asked of a public archive."""
    return f"{past_folder(source, archive, month)}{run}.json"


def is_account(key: str) -> bool:
    """Whether a crawl's account lies at a key.

    >>> keys = "crawls/kjd/2026-06-01/x", "crawls/kjd/past/wayback/2004-12/x", "crawls/kjd/past/wayback/asked/2004-12/x"
    >>> [is_account(f"{key}.json") for key in keys]
    [True, True, False]
    """
    parts = key.split("/")
    return key.endswith(".json") and len(parts) == (6 if parts[2:3] == ["past"] else 4)


def report_key(moment: datetime, token: str) -> str:
    """Return the key of what an audit found: `verified/<moment>-<token>.json`; keys sort by time."""
    return f"verified/{stamp(moment)}-{token}.json"


README_KEY = "README.md"
RECORD_SCHEMA_KEY = "schema/article.schema.json"
VIEW_FOLDERS = ("catalogue", "exports", "feeds", "schema")
VIEW_PREFIXES = (*(f"{folder}/" for folder in VIEW_FOLDERS), README_KEY)  # of the only objects that are ever replaced


def is_view(key: str) -> bool:
    """Whether an object at a key is made from the log and the records, and may be replaced at any time.

    >>> [is_view(key) for key in ("README.md", "feeds/opeds.atom", "runs/0000000001.json", "exports")]
    [True, True, False, False]
    """
    return key == README_KEY or key.startswith(VIEW_PREFIXES[:-1])


def number_in(key: str) -> int:
    """Return the number of the manifest that lies at a key, or 0 for any other key.

    >>> [number_in(key) for key in ("runs/0000000041.json", "runs/41.json")]
    [41, 0]
    """
    name = key.removeprefix("runs/").removesuffix(".json")
    return int(name) if name.isascii() and name.isdecimal() and manifest_key(int(name)) == key else 0


def manifest_key(seq: int) -> str:
    """Return the key of a manifest.

    >>> manifest_key(41)
    'runs/0000000041.json'
    """
    return f"runs/{seq:010d}.json"
