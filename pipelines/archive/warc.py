"""WARC 1.1 in and out: the one module that knows warcio. Record ids are derived, so a rerun gives the same file."""

from __future__ import annotations

import gzip
import json
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import IO, Any

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.timeutils import iso_date_to_datetime
from warcio.warcwriter import WARCWriter

from pipelines.archive.coding import Headers, undone
from pipelines.clock import iso
from pipelines.errors import UnreadableWarc
from pipelines.model import Capture

NAMESPACE = uuid.UUID("5f6d3b6e-3a57-5d0c-9a43-6f1b3f0c2a11")  # of our record ids
WARC_ERRORS = (
    ArchiveLoadFailed,
    zlib.error,
    EOFError,
    ValueError,
    AttributeError,
    IndexError,
    TypeError,
)  # warcio's answers to debris
SECRET_HEADERS = frozenset({"cookie", "authorization", "proxy-authorization"})
MAX_PAYLOAD = 20_000_000  # bytes after decoding; a bomb is cut off there and the page rejected


@dataclass(frozen=True)
class Exchange:
    """A request and its response as they went over the wire; `body` is still coded as sent."""

    url: str
    fetched_at: datetime
    status: int
    reason: str
    headers: Headers
    body: bytes
    method: str = "GET"
    request_headers: Headers = ()
    truncated: str = ""  # why the record ends before the answer did, in WARC's words

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty string."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")


def capture_of(exchange: Exchange) -> Capture:
    """Return the capture of an exchange: its payload with content coding removed."""
    found = undone(exchange.body, exchange.headers, MAX_PAYLOAD)
    when = exchange.fetched_at.astimezone(UTC).replace(microsecond=0)
    cut = exchange.truncated or found.fault
    return Capture(exchange.url, when, exchange.status, exchange.headers, found.body, cut)


def page_file(exchange: Exchange, notes: dict[str, Any]) -> bytes:
    """Return one page as a WARC file: response, request, metadata (`notes` as JSON), each its own gzip member."""
    return b"".join(_members([_response(exchange), _request(exchange), _metadata(exchange, notes)]))


def crawl_file(exchanges: Iterable[Exchange], sightings: Iterable[tuple[Exchange, str, str]]) -> bytes:
    """Return a crawl's own WARC: answers as served, and a `revisit` for each (exchange, digest, earlier date)."""
    records = [record for exchange in exchanges for record in (_response(exchange), _request(exchange))]
    records += [_revisit(exchange, digest, since) for exchange, digest, since in sightings]
    return b"".join(_members(records))


def exchanges(stream: IO[bytes], name: str) -> Iterator[Exchange]:
    """Yield every HTTP response of a WARC file, whoever wrote it; raise `UnreadableWarc` on a broken one.

    What was read before the break has been yielded by then.
    """
    count = 0
    try:
        for record in ArchiveIterator(stream, check_digests="log", arc2warc=True):
            found = _exchange(record) if record.rec_type == "response" and record.http_headers is not None else None
            _must_be_whole(record, name, count)
            count += 1
            if found:
                yield found
    except WARC_ERRORS as error:
        raise UnreadableWarc(
            f"{name} is not a WARC file, or ends in the middle of a record ({error}); {count} whole records were read"
        ) from error
    if count and not _ends_whole(stream):
        raise UnreadableWarc(f"{name} ends in the middle of a record; {count} whole records were read")
    if count == 0:
        raise UnreadableWarc(f"{name} holds no whole WARC record: is it empty, cut short, or another kind of file?")


def _ends_whole(stream: IO[bytes]) -> bool:
    """Whether a gzipped file's last member is whole: one cut in its head is passed over by warcio without a word."""
    stream.seek(0)
    if stream.read(2) != b"\x1f\x8b":
        return True
    stream.seek(0)
    member, begun = zlib.decompressobj(31), False
    while chunk := stream.read(1 << 20):
        while chunk:
            member.decompress(chunk)
            chunk, begun = member.unused_data, not member.eof
            if member.eof:
                member = zlib.decompressobj(31)
    return not begun


def _must_be_whole(record: ArcWarcRecord, name: str, count: int) -> None:
    """Raise when the file ends inside a record: warcio would hand over the piece without a word."""
    while record.raw_stream.read(1 << 16):
        pass
    if getattr(record.raw_stream, "limit", 0):
        raise UnreadableWarc(f"{name} ends in the middle of a record; {count} whole records were read")


def read_capture(body: bytes, key: str) -> Capture:
    """Return the capture in one of our page files; raise `UnreadableWarc` if it holds no answer."""
    for exchange in exchanges(BytesIO(body), key):
        return capture_of(exchange)
    raise UnreadableWarc(f"{key} holds no response")


def damaged(body: bytes, key: str) -> list[str]:
    """Return what is wrong with a WARC file's own digests; raise `UnreadableWarc` when it ends early."""
    wrong = []
    for _ in exchanges(BytesIO(body), key):
        pass  # raises when the file ends early
    try:
        for record in ArchiveIterator(BytesIO(body), check_digests=True):
            record.content_stream().read()
            checker = record.digest_checker
            if checker.passed is False:
                wrong += [f"{record.rec_type} record: {problem}" for problem in checker.problems]
    except WARC_ERRORS as error:
        raise UnreadableWarc(f"{key} is not a WARC file, or ends in the middle of a record ({error})") from error
    return wrong


def _exchange(record: ArcWarcRecord) -> Exchange:
    url = record.rec_headers.get_header("WARC-Target-URI") or ""
    when = record.rec_headers.get_header("WARC-Date") or ""
    status = record.http_headers.get_statuscode()
    body = record.raw_stream.read(MAX_PAYLOAD + 1)
    headers = tuple((str(k), str(v)) for k, v in record.http_headers.headers)
    return Exchange(
        url=url.strip("<>"),
        fetched_at=iso_date_to_datetime(when).replace(tzinfo=UTC),
        status=int(status) if status.isdigit() else 0,
        reason=record.http_headers.statusline.partition(" ")[2],
        headers=headers,
        body=body,
        truncated=record.rec_headers.get_header("WARC-Truncated") or ("length" if len(body) > MAX_PAYLOAD else ""),
    )


def _members(records: Iterable[ArcWarcRecord]) -> Iterator[bytes]:
    """Yield each record as a gzip member; warcio's own writer would add the time of writing."""
    for record in records:
        buffer = BytesIO()
        WARCWriter(buffer, gzip=False, warc_version="1.1").write_record(record)
        yield gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def _response(exchange: Exchange) -> ArcWarcRecord:
    line = f"{exchange.status} {exchange.reason}".strip()
    return _record(
        exchange,
        "response",
        BytesIO(exchange.body),
        len(exchange.body),
        StatusAndHeaders(line, list(exchange.headers), protocol="HTTP/1.1"),
    )


def _request(exchange: Exchange) -> ArcWarcRecord:
    kept = [(name, value) for name, value in exchange.request_headers if name.lower() not in SECRET_HEADERS]
    path = "/" + exchange.url.split("/", 3)[3] if exchange.url.count("/") > 2 else "/"
    line = StatusAndHeaders(f"{exchange.method} {path} HTTP/1.1", kept, is_http_request=True)
    return _record(exchange, "request", BytesIO(b""), 0, line, concurrent=_id(exchange, "response"))


def _metadata(exchange: Exchange, notes: dict[str, Any]) -> ArcWarcRecord:
    body = json.dumps(notes, sort_keys=True, ensure_ascii=False).encode()
    return _record(
        exchange,
        "metadata",
        BytesIO(body),
        len(body),
        None,
        content_type="application/json",
        concurrent=_id(exchange, "response"),
    )


def _revisit(exchange: Exchange, digest: str, since: str) -> ArcWarcRecord:
    headers = {
        **_warc_headers(exchange, "revisit"),
        "WARC-Profile": "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest",
        "WARC-Payload-Digest": f"sha256:{digest}",
        "WARC-Refers-To-Target-URI": exchange.url,
        "WARC-Refers-To-Date": since,
    }
    line = StatusAndHeaders(f"{exchange.status} {exchange.reason}".strip(), list(exchange.headers), protocol="HTTP/1.1")
    return _writer().create_warc_record(exchange.url, "revisit", http_headers=line, warc_headers_dict=headers)


def _record(
    exchange: Exchange,
    kind: str,
    payload: IO[bytes],
    length: int,
    http: StatusAndHeaders | None,
    content_type: str = "",
    concurrent: str = "",
) -> ArcWarcRecord:
    headers = _warc_headers(exchange, kind)
    if exchange.truncated and kind == "response":
        headers["WARC-Truncated"] = exchange.truncated
    if concurrent:
        headers["WARC-Concurrent-To"] = concurrent
    return _writer().create_warc_record(
        exchange.url,
        kind,
        payload=payload,
        length=length,
        http_headers=http,
        warc_content_type=content_type,
        warc_headers_dict=headers,
    )


def _warc_headers(exchange: Exchange, kind: str) -> dict[str, str]:
    return {"WARC-Record-ID": _id(exchange, kind), "WARC-Date": iso(exchange.fetched_at)}


def _id(exchange: Exchange, kind: str) -> str:
    return f"<urn:uuid:{uuid.uuid5(NAMESPACE, f'{kind} {exchange.url} {iso(exchange.fetched_at)}')}>"


@cache
def _writer() -> WARCWriter:
    """Return a writer that makes records; it writes none itself, so one serves all."""
    return WARCWriter(BytesIO(), gzip=False, warc_version="1.1")
