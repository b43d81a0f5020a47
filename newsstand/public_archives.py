"""Replicas of two public web archives over the newsstand's past: an index that answers for a prefix with pages by moment
and address, as the Wayback Machine has them; an index a month with WARC records as ranges of files, as Common Crawl.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from urllib.parse import unquote

from .past import Past, PublicCapture, sorted_address
from .site import Answer, SiteRequest

WAYBACK, CC_INDEX, CC_DATA = "web.archive.org", "index.commoncrawl.org", "data.commoncrawl.org"
COLUMNS = ["urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length"]
MOST_LINES = 5000
PLAYBACK = re.compile(r"/web/(\d{4,14})([a-z]{2}_)?/(.+)")
TOOLBAR = b"<!-- BEGIN WAYBACK TOOLBAR INSERT --><div id='wm-ipp-base'></div><!-- END WAYBACK TOOLBAR INSERT -->"
CC_ROWS = 300  # of one page of a collection's index
ABSENT = Answer(404, b"<html><body>This page is not in the archive.</body></html>")


def archives(request: SiteRequest, past: Past, clock: datetime) -> Answer:
    """Return what the archives answer: nothing that was captured behind the clock."""
    until = clock.astimezone(UTC).strftime("%Y%m%d%H%M%S")
    if request.host == CC_DATA:
        return _range(request, past)
    if request.host == CC_INDEX:
        return _collections(past) if request.path == "/collinfo.json" else _cc_index(request, past, until)
    if request.path == "/cdx/search/cdx":
        return _cdx(request, past, until)
    if request.path.startswith("/web/timemap/"):
        return ABSENT
    return _playback(request, past, until)


# -- the Wayback Machine


def _cdx(request: SiteRequest, past: Past, until: str) -> Answer:
    """Answer a query: url, matchType, from, to, filter, collapse, limit, resumeKey, fl, output."""
    told = {name: values[-1] for name, values in request.query.items()}
    if "url" not in told:
        return Answer(400, b"url is needed", "text/plain")
    found = [c for c in _matching(past, told["url"], told.get("matchType", "exact")) if c.stamp <= until]
    first, last = told.get("from", "").ljust(14, "0"), told.get("to", "").ljust(14, "9") if told.get("to") else "9" * 14
    found = [c for c in found if first <= c.stamp <= last]
    for text in request.query.get("filter", []):
        found = [c for c in found if _passes(c, text)]
    if told.get("collapse", "").startswith("digest"):
        found = [
            c for n, c in enumerate(found) if not n or (found[n - 1].key, found[n - 1].digest) != (c.key, c.digest)
        ]
    limit = min(int(told.get("limit") or MOST_LINES), MOST_LINES)
    if "resumeKey" in told:
        found = [c for c in found if _resume_key(c) > unquote(told["resumeKey"])]
    if "page" in told:  # the other way to page: one page holds all
        found, limit = (found if told["page"] == "0" else []), len(found)
    some, more = found[:limit], len(found) > limit
    fields = told.get("fl", ",".join(COLUMNS)).split(",")
    rows = [[_values(c)[name] for name in fields] for c in some]
    if told.get("output") != "json":
        text = "".join(f"{' '.join(row)}\n" for row in rows)
        return Answer(200, text.encode(), "text/plain")
    tail = [[], [_resume_key(some[-1])]] if more and told.get("showResumeKey") == "true" else []
    text = json.dumps([fields, *rows, *tail]) if rows else "" if "page" in told else "[]"
    return Answer(200, text.encode(), "application/json")


def _matching(past: Past, url: str, way: str) -> list[PublicCapture]:
    key = sorted_address(url.removesuffix("*"))
    if way == "prefix" or url.endswith("*"):
        return [c for c in past.captures if c.key.startswith(key)]
    if way in {"host", "domain"}:
        return [c for c in past.captures if c.key.startswith(key.partition(")")[0])]
    return past.by_address.get(key, [])


def _passes(capture: PublicCapture, text: str) -> bool:
    is_not, field_, pattern = text.startswith("!"), *text.removeprefix("!").lstrip("=~").partition(":")[::2]
    value = _values(capture).get(field_, "")
    return (re.fullmatch(pattern, value) is not None) is not is_not


def _values(capture: PublicCapture) -> dict[str, str]:
    revisit = capture.is_revisit
    values = ["warc/revisit", "-"] if revisit else [capture.mime, str(capture.status)]
    told = [capture.key, capture.stamp, capture.url, *values, capture.digest, str(len(capture.body))]
    return dict(zip(COLUMNS, told, strict=True))


def _resume_key(capture: PublicCapture) -> str:
    return f"{capture.key} {capture.stamp} {capture.url}"


def _playback(request: SiteRequest, past: Past, until: str) -> Answer:
    """Answer for a moment and an address: the capture of that moment, else lead to the nearest."""
    found = PLAYBACK.match(request.target)
    if found is None:
        return ABSENT
    stamp, way, url = found[1].ljust(14, "0"), found[2] or "", re.sub(r"^(https?)(?::|%3A)/+", r"\1://", found[3])
    captures = [c for c in past.by_address.get(sorted_address(url), []) if c.stamp <= until]
    if not captures:
        return ABSENT
    exact = [c for c in captures if c.stamp == stamp]
    if not exact:
        nearest = min(captures, key=lambda c: (abs(int(c.stamp) - int(stamp)), c.stamp))
        to = f"https://{WAYBACK}/web/{nearest.stamp}{way}/{nearest.url}"
        return Answer(302, headers=(("Location", to),))
    capture = next((c for c in exact if c.url == url), exact[0])
    if capture.leads:
        return Answer(302, headers=(("Location", f"https://{WAYBACK}/web/{capture.leads}{way}/{capture.url}"),))
    return _memento(capture, way)


def _memento(capture: PublicCapture, way: str) -> Answer:
    moment = datetime.strptime(capture.stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    number = int(capture.stamp[-2:])
    headers = [("Memento-Datetime", f"{moment:%a, %d %b %Y %H:%M:%S GMT}"), ("X-Archive-Orig-Server", "newsstand")]
    headers += [("X-Archive-Orig-Content-Type", "text/html; charset=utf-8"), ("X-Archive-Orig-X-Invented", "newsstand")]
    headers += [("X-Archive-Orig-Date", f"{moment:%a, %d %b %Y %H:%M:%S GMT}")] if number % 3 else []
    headers += [("X-Archive-Orig-Content-Encoding", "gzip")] if number % 5 == 0 else []
    if capture.location:
        to = f"https://{WAYBACK}/web/{capture.stamp}{way}/{capture.location}"
        return Answer(capture.status, headers=(*headers, ("Location", to)))
    body = capture.body
    if way != "id_":
        links = re.sub(rb"(href|src)='(https?://)", rb"\1='/web/" + capture.stamp.encode() + rb"/\2", body)
        body = links.replace(b"<body>", b"<body>" + TOOLBAR, 1)
    cut = len(body) // 2 if capture.cut else 0
    return Answer(capture.status, body, capture.mime, tuple(headers), cut=cut)


# -- Common Crawl


def _name(stamp: str) -> str:
    return f"CC-MAIN-{stamp[:4]}-{int(stamp[4:6]) * 4:02d}"


def _collections(past: Past) -> Answer:
    months = sorted({c.stamp[:6] for c in past.captures})
    told = [
        {"id": _name(month), "name": month, "from": f"{month[:4]}-{month[4:]}-01T00:00:00",
         "to": f"{month[:4]}-{month[4:]}-28T00:00:00", "cdx-api": f"https://{CC_INDEX}/{_name(month)}-index"}
        for month in reversed(months)
    ]  # fmt: skip
    return Answer(200, json.dumps(told).encode(), "application/json")


def _cc_index(request: SiteRequest, past: Past, until: str) -> Answer:
    collection = request.path.strip("/").removesuffix("-index")
    told = {name: values[-1] for name, values in request.query.items()}
    records = _files(past).get(collection)
    if records is None:
        return Answer(404, b'{"message": "no such collection"}', "application/json")
    key = sorted_address(told.get("url", "").removesuffix("*"))
    found = [row for row in records[1] if row["urlkey"].startswith(key) and row["timestamp"] <= until]
    pages_ = -(-len(found) // CC_ROWS)
    if told.get("showNumPages") == "true":
        return Answer(200, json.dumps({"pages": pages_, "pageSize": 5, "blocks": pages_}).encode(), "application/json")
    if not found:
        return Answer(404, b'{"message": "No Captures found"}', "application/json")
    page = int(told.get("page", "0"))
    some = found[page * CC_ROWS : (page + 1) * CC_ROWS]
    return Answer(200, "".join(f"{json.dumps(row)}\n" for row in some).encode(), "text/x-ndjson")


def _range(request: SiteRequest, past: Past) -> Answer:
    collection = request.path.split("/")[2] if request.path.count("/") > 2 else ""
    file = _files(past).get(collection)
    asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.range)
    if file is None:
        return ABSENT
    if asked is None:
        return Answer(200, file[0], "application/octet-stream")
    part = file[0][int(asked[1]) : int(asked[2]) + 1]
    return Answer(206, part, "application/octet-stream")


@cache
def _files(past: Past) -> dict[str, tuple[bytes, list[dict[str, str]]]]:
    """Return each collection's file and index: a record of every third capture, of other pages too."""
    found: dict[str, tuple[bytearray, list[dict[str, str]]]] = {}
    for number, capture in enumerate(past.captures):
        if number % 3 or capture.is_revisit or capture.location or capture.cut or capture.leads:
            continue
        name = _name(capture.stamp)
        file, rows = found.setdefault(name, (bytearray(), []))
        member = gzip.compress(b"".join(_record(capture)), mtime=0)
        path = f"crawl-data/{name}/segments/1/warc/{name}-00000.warc.gz"
        rows.append({"urlkey": capture.key, "timestamp": capture.stamp, "url": capture.url, "mime": capture.mime,
                     "status": str(capture.status), "digest": capture.digest, "length": str(len(member)),
                     "offset": str(len(file)), "filename": path})  # fmt: skip
        file += member
    return {name: (bytes(file), rows) for name, (file, rows) in found.items()}


def _record(capture: PublicCapture) -> Iterator[bytes]:
    """Yield a capture as a WARC record."""
    http = f"HTTP/1.1 {capture.status} OK\r\nContent-Type: text/html; charset=utf-8\r\nX-Invented: newsstand\r\n"
    block = f"{http}Content-Length: {len(capture.body)}\r\n\r\n".encode() + capture.body
    moment = datetime.strptime(capture.stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    head = {
        "WARC-Type": "response", "WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{int(capture.stamp):012x}>",
        "WARC-Date": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "WARC-Target-URI": capture.url,
        "WARC-Payload-Digest": f"sha1:{capture.digest}", "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block)),
    }  # fmt: skip
    yield ("WARC/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\n").encode()
    yield block
    yield b"\r\n\r\n"
