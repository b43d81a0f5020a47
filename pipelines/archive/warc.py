"""Captures as WARC 1.1: what is written, and what a record of anyone says. The one module that knows warcio.

Record ids are derived, so that a rerun gives the same file.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import IO, Any

from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipelines.archive.coding import Headers, undone
from pipelines.archive.records import FOLDED, Record, Trouble, records
from pipelines.clock import iso_exact
from pipelines.errors import UnreadableWarc
from pipelines.model import Capture

NAMESPACE = uuid.UUID("5f6d3b6e-3a57-5d0c-9a43-6f1b3f0c2a11")  # of our record ids
SECRET_HEADERS = frozenset({"cookie", "authorization", "proxy-authorization"})
MAX_PAYLOAD = 20_000_000  # bytes after decoding; a bomb is cut off there and the page rejected
MOST_BLOCK = MAX_PAYLOAD + (1 << 20)  # bytes of a record that are read: a payload and its headers
HTTP = re.compile(rb"HTTP/(\d(?:\.\d)?) (\d{3})(?: ([^\r\n]*))?\r?\n")
HEADER_END, NEWLINE = re.compile(rb"\r?\n\r?\n"), re.compile(rb"\r?\n")
DIGITS_14 = re.compile(r"\d{14}")
WARC_FIELDS = "application/warc-fields"
BY_FILE = "file"  # how a page came that somebody else recorded
PAGE_FILES = frozenset((first, *rest, "metadata") for first in ("response", "resource") for rest in ((), ("request",)))
IDENTICAL = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"


@dataclass(frozen=True)
class Origin:
    """What somebody else's file says of an exchange; `fault` says which of its digests does not fit.

    `refers_to` and `refers_to_date` are the id and the date (ISO 8601, UTC) of the record that a revisit saw again.
    """

    record_id: str = ""
    block_digest: str = ""
    software: str = ""
    ip: str = ""
    protocol: str = ""
    payload_digest: str = ""
    refers_to: str = ""
    refers_to_date: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Retrieved:
    """Where an exchange comes from that a public web archive recorded: which archive, what we asked it for, from which
    of its addresses the page came, when (ISO 8601, UTC), the digest that its index states, and whether our bytes have
    it (`yes`, `no`, or `unknown` where codings hide it).
    """

    archive: str
    asked: str
    address: str
    obtained_at: str
    digest: str = ""
    digest_fits: str = "unknown"

    @property
    def fault(self) -> str:
        """What does not fit, as a sentence, or nothing."""
        return "the page is not what the public archive's index says" if self.digest_fits == "no" else ""


@dataclass(frozen=True)
class Exchange:
    """A request and its response as they went over the wire; `body` is still coded as sent.

    `recorded` is the response as somebody else recorded it, headers included, and `request` the request; both are
    empty where we asked ourselves. A `resource` was recorded without HTTP.
    """

    url: str
    fetched_at: datetime
    status: int
    reason: str
    headers: Headers
    body: bytes
    method: str = "GET"
    request_headers: Headers = ()
    truncated: str = ""  # why the record ends before the answer did, in WARC's words
    kind: str = "response"
    recorded: bytes = b""
    request: bytes = b""
    origin: Origin | None = None
    retrieved: Retrieved | None = None

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty string."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")


def capture_of(exchange: Exchange) -> Capture:
    """Return the capture of an exchange: its payload without any coding."""
    found = undone(exchange.body, exchange.headers, MAX_PAYLOAD)
    cut = exchange.truncated or found.fault
    doubt = (exchange.origin.fault if exchange.origin else "") or (
        exchange.retrieved.fault if exchange.retrieved else ""
    )
    when = exchange.fetched_at.astimezone(UTC)
    via = exchange.retrieved.archive if exchange.retrieved else BY_FILE if exchange.origin else ""
    return Capture(exchange.url, when, exchange.status, exchange.headers, found.body, cut, doubt, via)


# -- what is written ---------------------------------------------------------------------------------------------


def page_file(exchange: Exchange, notes: Mapping[str, str]) -> bytes:
    """Return one page as a WARC file: response, request where one is known, metadata (`notes` as fields), each its own
    gzip member."""
    is_ours = exchange.origin is None and exchange.retrieved is None
    asked = [_request(exchange)] if exchange.request or is_ours else []
    return b"".join(_members([_response(exchange), *asked, _metadata(exchange, notes)]))


@dataclass(frozen=True)
class SeenAgain:
    """A page that was seen again as an earlier capture has it: whose date is `since`, whose payload's digest `digest`.

    `is_told` says that the server said so, instead of sending it again.
    """

    exchange: Exchange
    since: str
    digest: str
    is_told: bool = False


def crawl_file(about: Mapping[str, str], exchanges: Iterable[Exchange], revisits: Iterable[SeenAgain]) -> bytes:
    """Return a crawl's own WARC: what it was, answers as served, and a `revisit` for each page seen again."""
    answers = [record for exchange in exchanges for record in (_response(exchange), _request(exchange))]
    again = [made for one in revisits for made in _seen_again(one)]
    return b"".join(_members([_warcinfo(about), *answers, *again]))


def _seen_again(one: SeenAgain) -> list[ArcWarcRecord]:
    """Return the records of a revisit; a 304 needs no request, which only asked whether anything changed."""
    return [_revisit(one), *([] if one.is_told else [_request(replace(one.exchange, kind="revisit"))])]


def _members(made: Iterable[ArcWarcRecord]) -> Iterator[bytes]:
    """Yield each record as a gzip member; warcio's own writer would add the time of writing."""
    for record in made:
        buffer = BytesIO()
        WARCWriter(buffer, gzip=False, warc_version="1.1").write_record(record)
        yield gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def _response(exchange: Exchange) -> ArcWarcRecord:
    headers = {"WARC-Payload-Digest": payload_digest(exchange.body)}
    if exchange.truncated:
        headers["WARC-Truncated"] = exchange.truncated
    if exchange.origin and exchange.origin.ip:
        headers["WARC-IP-Address"] = exchange.origin.ip
    if exchange.origin and exchange.origin.protocol:
        headers["WARC-Protocol"] = exchange.origin.protocol
    if exchange.kind == "resource":
        return _record(exchange, "resource", exchange.body, exchange.header("content-type"), headers)
    line = f"HTTP/1.1 {exchange.status} {exchange.reason}".strip()
    block = exchange.recorded or _http(line, exchange.headers) + exchange.body
    return _record(exchange, "response", block, "application/http; msgtype=response", headers)


def _request(exchange: Exchange) -> ArcWarcRecord:
    block = exchange.request
    if not block:
        path = "/" + exchange.url.split("/", 3)[3] if exchange.url.count("/") > 2 else "/"
        host = exchange.url.split("/", 3)[2] if exchange.url.count("/") > 1 else ""
        named = any(name.lower() == "host" for name, _ in exchange.request_headers)
        headers = (*(() if named else (("Host", host),)), *exchange.request_headers)
        block = _http(f"{exchange.method} {path} HTTP/1.1", headers)
    concurrent = {"WARC-Concurrent-To": _id(exchange, exchange.kind)}
    return _record(exchange, "request", _without_secrets(block), "application/http; msgtype=request", concurrent)


def _metadata(exchange: Exchange, notes: Mapping[str, str]) -> ArcWarcRecord:
    """Return a record that no replay tool takes for the page."""
    headers = {"WARC-Concurrent-To": _id(exchange, exchange.kind)}
    made = _record(exchange, "metadata", _fields(notes), WARC_FIELDS, headers)
    made.rec_headers.replace_header("WARC-Target-URI", f"urn:opeds:{notes.get('article_id', 'page')}")
    return made


def _warcinfo(about: Mapping[str, str]) -> ArcWarcRecord:
    block = _fields(about)
    record_id = uuid.uuid5(NAMESPACE, f"warcinfo {block.decode()}")
    headers = {"WARC-Record-ID": f"<urn:uuid:{record_id}>", "WARC-Date": about["date"]}
    return _writer().create_warc_record(
        "", "warcinfo", BytesIO(block), len(block), warc_content_type=WARC_FIELDS, warc_headers_dict=headers
    )


def _revisit(one: SeenAgain) -> ArcWarcRecord:
    """Return a `revisit`; that of a 304 has no block, since replay tools would answer 304 instead of the page."""
    exchange = one.exchange
    headers = {
        "WARC-Profile": NOT_MODIFIED if one.is_told else IDENTICAL,
        "WARC-Refers-To-Target-URI": exchange.url,
        "WARC-Refers-To-Date": one.since,
        "WARC-Payload-Digest": one.digest,
    }
    line = f"HTTP/1.1 {exchange.status} {exchange.reason}".strip()
    block = b"" if one.is_told else _http(line, exchange.headers)
    return _record(exchange, "revisit", block, "application/http; msgtype=response", headers)


def _record(exchange: Exchange, kind: str, block: bytes, content_type: str, more: Mapping[str, str]) -> ArcWarcRecord:
    headers = {"WARC-Record-ID": _id(exchange, kind), "WARC-Date": iso_exact(exchange.fetched_at), **more}
    return _writer().create_warc_record(
        exchange.url, kind, BytesIO(block), len(block), warc_content_type=content_type, warc_headers_dict=headers
    )


def _http(line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    return StatusAndHeaders(line, list(headers), protocol="").to_ascii_bytes().lstrip()


def _without_secrets(request: bytes) -> bytes:
    """Return a request without the headers that are somebody's own."""
    found = HEADER_END.search(request)
    head, rest = (request[: found.start()], request[found.start() :]) if found else (request, b"")
    lines = [line for line in NEWLINE.split(FOLDED.sub(b" ", head)) if line]
    names = (line.partition(b":")[0].strip().lower().decode("latin-1") for line in lines)
    return b"\r\n".join(ln for ln, name in zip(lines, names, strict=True) if name not in SECRET_HEADERS) + rest


def _fields(told: Mapping[str, str]) -> bytes:
    lines = (f"{name}: {' '.join(value.split())}\r\n" for name, value in told.items() if value)
    return "".join(lines).encode()


def _id(exchange: Exchange, kind: str) -> str:
    digest = hashlib.sha256(exchange.body).hexdigest()[:16]
    named = uuid.uuid5(NAMESPACE, f"{kind} {exchange.url} {iso_exact(exchange.fetched_at)} {digest}")
    return f"<urn:uuid:{named}>"


def payload_digest(body: bytes) -> str:
    """Return a payload's digest as WARC tools write it."""
    return f"sha1:{base64.b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()}"


@cache
def _writer() -> WARCWriter:
    """Return a writer that makes records; it writes none itself, so one serves all."""
    return WARCWriter(BytesIO(), gzip=False, warc_version="1.1")


# -- what is read ------------------------------------------------------------------------------------------------


def exchange_of_record(record: Record, software: str = "", request: Record | None = None) -> Exchange:
    """Return the exchange that a `response`, `resource` or `revisit` record holds, and the request where it is known.

    Says in `origin` what else the record says, and whether its digests fit. Raises `UnreadableWarc` for a record
    without a date, or whose block is not HTTP.
    """
    made = _exchange(record)
    origin = Origin(
        record.header("warc-record-id"),
        record.header("warc-block-digest"),
        software,
        record.header("warc-ip-address"),
        record.header("warc-protocol"),
        record.header("warc-payload-digest"),
        record.header("warc-refers-to"),
        _refers_to_date(record),
        fault=digest_fault(record),
    )
    return replace(made, origin=origin, request=request.block if request else b"")


def _exchange(record: Record) -> Exchange:
    """Return what a record holds as if we had asked ourselves: no digest of it is computed."""
    when = _moment(record.header("warc-date"))
    headers: Headers
    truncated = record.header("warc-truncated") or ("length" if record.length > MOST_BLOCK else "")
    if record.kind == "resource":
        headers = (("Content-Type", record.header("content-type")),)
        return Exchange(record.url, when, 200, "", headers, record.block, truncated=truncated, kind="resource")
    status, reason, headers, body = _http_of(record.block)
    recorded = b"" if record.kind == "revisit" else record.block
    kind = "revisit" if record.kind == "revisit" else "response"
    return Exchange(record.url, when, status, reason, headers, body, truncated=truncated, kind=kind, recorded=recorded)


def _refers_to_date(record: Record) -> str:
    date = record.header("warc-refers-to-date")
    return iso_exact(_moment(date)) if date else ""


def _moment(text: str) -> datetime:
    """Return a record's date, whatever its precision and zone; WARC's own are UTC, ARC's are 14 digits."""
    try:
        if DIGITS_14.fullmatch(text):
            return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableWarc(f"a record's date is {text!r}" if text else "a record has no date") from error


def _http_of(block: bytes) -> tuple[int, str, Headers, bytes]:
    """Return status, reason, headers and body of an answer."""
    first = HTTP.match(block)
    if first is None:
        raise UnreadableWarc("a record's block is no answer of HTTP")
    end = HEADER_END.search(block, first.end() - 2)
    head, body = (block[first.end() : end.start()], block[end.end() :]) if end else (block[first.end() :], b"")
    lines = NEWLINE.split(FOLDED.sub(b" ", head))
    split = (line.decode("latin-1").partition(":") for line in lines)
    headers = tuple((name.strip(), value.strip()) for name, colon, value in split if colon)
    return int(first[2]), (first[3] or b"").decode("latin-1"), headers, body


def digest_fault(record: Record) -> str:
    """Return which of a record's own digests does not fit, as a sentence; empty where they fit, or say nothing.

    A payload's digest may be meant with codings or without: recorders differ.
    """
    if len(record.block) < record.length:
        return ""
    stated = record.header("warc-block-digest")
    if stated and _equals(stated, record.block) is False:
        return "the record's block is not what its digest says"
    stated = record.header("warc-payload-digest")
    if not stated or record.kind == "revisit":
        return ""
    end = HEADER_END.search(record.block) if record.block.startswith(b"HTTP/") or record.kind == "request" else None
    body = record.block[end.end() :] if end else record.block
    if _equals(stated, body) is not False:
        return ""
    headers = _http_of(record.block)[2] if record.block.startswith(b"HTTP/") else ()
    sent = tuple((name, value) for name, value in headers if name.lower() == "transfer-encoding")
    spellings = (undone(body, some, MAX_PAYLOAD).body for some in (sent, headers))
    fits = any(_equals(stated, spelling) is not False for spelling in spellings)
    return "" if fits else "the page is not what its payload digest says"


def _equals(stated: str, data: bytes) -> bool | None:
    """Whether data has the digest stated, in hexadecimal or base 32; None where we cannot tell."""
    name, _, value = stated.partition(":")
    name = name.strip().lower().replace("-", "")
    if name not in {"sha1", "sha256", "sha512", "md5"}:
        return None
    digest = hashlib.new(name, data, usedforsecurity=False).digest()
    value = value.strip()
    return value.lower() == digest.hex() or value.upper().rstrip("=") == base64.b32encode(digest).decode().rstrip("=")


def exchanges(stream: IO[bytes], name: str) -> Iterator[Exchange]:
    """Yield every answer in a WARC file of ours; raise `UnreadableWarc` where it is damaged.

    What was read before that has been yielded by then.
    """
    for record in _sound(stream, name):
        if record.kind in {"response", "resource"}:
            try:
                yield exchange_of_record(record)
            except UnreadableWarc as error:
                raise UnreadableWarc(f"{name}: {error}") from error


def _sound(stream: IO[bytes], name: str) -> Iterator[Record]:
    """Yield every record of a file of ours; raise `UnreadableWarc` where it is damaged."""
    count = 0
    for record in records(stream, lambda kind, url: MOST_BLOCK):
        if isinstance(record, Trouble):
            raise UnreadableWarc(f"{name}: at byte {record.offset} {record.said}; {count} whole records were read")
        count += 1
        yield record
    if count == 0:
        raise UnreadableWarc(f"{name} holds no whole WARC record: is it empty, cut short, or another kind of file?")


def read_capture(body: bytes, key: str) -> Capture:
    """Return the capture in one of our page files; raise `UnreadableWarc` if it holds no answer."""
    return _page_in(_sound(BytesIO(body), key), key)[0]


def retrieval_of(body: bytes, key: str) -> Retrieved | None:
    """Return from where a public archive's page in one of our page files comes; None for any other page."""
    notes = _page_in(_sound(BytesIO(body), key), key)[1]
    if "archive" not in notes:
        return None
    told = (notes.get(f"archive_{name}", "") for name in ("asked", "address", "obtained_at", "digest", "digest_fits"))
    return Retrieved(notes["archive"], *told)


def examined_capture(body: bytes, key: str) -> tuple[Capture, list[str]]:
    """Return the capture in one of our page files, and what does not fit within the file; raise `UnreadableWarc`."""
    found = list(_sound(BytesIO(body), key))
    capture, notes = _page_in(found, key)
    faults = _faults_of(found)
    if tuple(record.kind for record in found) not in PAGE_FILES:
        faults.append("holds other records than the answer for one page, its request and its metadata")
    if notes.get("payload_sha256", capture.payload_sha256) != capture.payload_sha256:
        faults.append("its metadata is about another payload")
    return capture, faults


def _page_in(found: Iterable[Record], key: str) -> tuple[Capture, dict[str, str]]:
    """Return the capture that the records of a page file hold, and what its metadata says."""
    capture: Capture | None = None
    notes: dict[str, str] = {}
    for record in found:
        if record.kind in {"response", "resource"} and capture is None:
            try:
                capture = capture_of(_exchange(record))
            except UnreadableWarc as error:
                raise UnreadableWarc(f"{key}: {error}") from error
        elif record.kind == "metadata":
            notes = _notes(record)
    if capture is None:
        raise UnreadableWarc(f"{key} holds no response")
    via = notes.get("archive") or (BY_FILE if "copied_from" in notes or "copied_software" in notes else "")
    return replace(capture, doubt=notes.get("fault", ""), via=via), notes


def _notes(record: Record) -> dict[str, str]:
    """Return what the metadata of one of our page files says; it was JSON before 2026-11-27."""
    if record.header("content-type") == "application/json":
        try:
            told: Any = json.loads(record.block)
        except ValueError:
            return {}
        return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}
    split = (line.partition(": ") for line in record.block.decode("utf-8", "replace").splitlines())
    return {name: value for name, _, value in split}


def damaged(body: bytes, key: str) -> list[str]:
    """Return which digests of a WARC file do not fit; raise `UnreadableWarc` when it ends early."""
    return _faults_of(_sound(BytesIO(body), key))


def _faults_of(found: Iterable[Record]) -> list[str]:
    told = ((record.kind, digest_fault(record)) for record in found)
    return [f"{kind} record: {fault}" for kind, fault in told if fault]
