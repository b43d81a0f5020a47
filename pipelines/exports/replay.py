"""For tools that replay web archives: an index of captures (CDXJ), a list of WARC files, and WACZ packages."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pipelines.archive.keys import date_in, digits_in
from pipelines.archive.store import Store, read_many
from pipelines.catalogue.rows import Row
from pipelines.exports.files import file_sha256

EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest moment that a ZIP can state; its own moments would differ each time
WACZ_VERSION = "1.1.1"


def surt(url: str) -> str:
    """Return an address in the order in which indexes sort: host backwards, no scheme, no `www.`, small letters.

    >>> surt("https://www.koreajoongangdaily.joins.com/news/2024-06-13/opinion/A-ferry/2068163?b=2&A=1")
    'com,joins,koreajoongangdaily)/news/2024-06-13/opinion/a-ferry/2068163?a=1&b=2'
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    port = f":{parts.port}" if parts.port and parts.port not in {80, 443} else ""
    query = sorted(f"{name}={value}" for name, value in parse_qsl(parts.query, keep_blank_values=True))
    path = parts.path.rstrip("/") or "/"
    return f"{','.join(reversed(host.split('.')))}{port}){path}{'?' + '&'.join(query) if query else ''}".lower()


def cdxj_line(row: Row, warc: bytes, offset: int, name: str) -> str:
    """Return the line of a capture: the row says what was served, `warc` is its file, which begins at `offset` of the
    file `name`."""
    told = {
        "url": row["url"],
        "mime": "text/html",
        "status": "200",
        "digest": f"sha256:{row['payload_sha256']}",
        "length": str(first_member(warc)),
        "offset": str(offset),
        "filename": name,
    }
    return f"{surt(row['url'])} {digits_in(row['capture_key'])} {json.dumps(told)}"


def first_member(warc: bytes) -> int:
    """Return how many bytes the first gzip member of a file takes: the record of the response."""
    member = zlib.decompressobj(31)
    member.decompress(warc)
    return len(warc) - len(member.unused_data)


def cdxj_lines(store: Store, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the line of each capture, in no order; captures that are gone have none."""
    by_key = {row["capture_key"]: row for row in rows}
    for key, body in read_many(store, sorted(by_key)):
        yield cdxj_line(by_key[key], body, 0, key)


def write_wacz(path: Path, store: Store, rows: Iterable[Row], title: str) -> int:
    """Write a package of the captures of these rows, with a list of pages by their headlines; return how many.

    As WACZ 1.1.1 says: one WARC, an index, the pages, and digests of all of these. Holds the WARC on disk, and the
    index in memory.
    """
    warc_path, name = path.with_suffix(".warc.gz"), "data.warc.gz"
    by_key = {row["capture_key"]: row for row in rows}
    lines, pages, offset = [], [], 0
    with warc_path.open("wb") as warc:
        for key, body in read_many(store, sorted(by_key)):
            row = by_key[key]
            lines.append(cdxj_line(row, body, offset, name))
            page = {"id": row["article_id"], "url": row["url"], "ts": date_in(key), "title": row["headline"]}
            pages.append(page | {"text": ""})
            warc.write(body)
            offset += len(body)
    head = {"format": "json-pages-1.0", "id": "pages", "title": title}
    entries: list[tuple[str, bytes | Path]] = [
        (f"archive/{name}", warc_path),
        ("indexes/index.cdx", "".join(f"{line}\n" for line in sorted(lines)).encode()),
        ("pages/pages.jsonl", "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in [head, *pages]).encode()),
    ]
    created = max((page["ts"] for page in pages), default="1970-01-01T00:00:00Z")
    about = _about_package(entries, title, created)
    seal = json.dumps({"path": "datapackage.json", "hash": _sha256(about)}).encode()
    _write_package(path, [*entries, ("datapackage.json", about), ("datapackage-digest.json", seal)])
    warc_path.unlink()
    return len(pages)


def _about_package(entries: Iterable[tuple[str, bytes | Path]], title: str, created: str) -> bytes:
    """Return what a package says of itself, with the digest of each entry."""
    told = {
        "profile": "data-package",
        "wacz_version": WACZ_VERSION,
        "title": title,
        "software": "joongang-opeds",
        "created": created,
        "resources": [
            {"name": where.rpartition("/")[2], "path": where, "hash": _sha256(what), "bytes": _size(what)}
            for where, what in entries
        ],
    }
    return json.dumps(told, indent=2).encode()


def _write_package(path: Path, entries: Iterable[tuple[str, bytes | Path]]) -> None:
    """Write entries into a ZIP, none of them compressed, with a moment that is always the same."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as package:
        for where, what in entries:
            info = zipfile.ZipInfo(where, EPOCH)
            if isinstance(what, bytes):
                package.writestr(info, what)
                continue
            info.file_size = what.stat().st_size
            with what.open("rb") as source, package.open(info, "w") as into:
                shutil.copyfileobj(source, into)


def _sha256(what: bytes | Path) -> str:
    return f"sha256:{hashlib.sha256(what).hexdigest() if isinstance(what, bytes) else file_sha256(what)}"


def _size(what: bytes | Path) -> int:
    return len(what) if isinstance(what, bytes) else what.stat().st_size
