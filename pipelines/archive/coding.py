"""Undoing what a server did to a body for its way, and telling whether all of it arrived.

Chunks (RFC 9112), then content codings (RFC 9110) in the reverse order of their names: gzip of any number of members,
deflate with or without zlib's head, br, zstd. A coding that was named and not applied is passed over; one that was
applied twice is undone twice.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import brotli
from backports.zstd import ZstdDecompressor, ZstdError

Headers = tuple[tuple[str, str], ...]
PIECE, FED = 1 << 20, 1 << 12  # bytes at once, decompressed and compressed
MOST_DIGITS = 15  # of a length
GZIP = b"\x1f\x8b\x08"
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")
DAMAGE = (zlib.error, brotli.error, ZstdError)
TEXTS = re.compile(r"(?:text/|application/(?:xhtml\+xml|xml|json|rss\+xml|atom\+xml))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Undone:
    """A body without its codings; `fault` says why it is not all that was sent, or is empty."""

    body: bytes
    fault: str = ""


def undone(body: bytes, headers: Headers, most: int) -> Undone:
    """Return a body as its reader wants it, of at most `most` bytes."""
    told = {name.lower(): value for name, value in reversed(headers)}
    codings = ",".join(value for name, value in headers if name.lower() == "content-encoding")
    found = _as_sent(body, told)
    names = [name.strip().lower() for name in codings.split(",") if name.strip()]
    for name in reversed(names):
        found = _without(CODINGS.get(name), found, most)
    kind = told.get("content-type", "")
    if names and found.body.startswith(GZIP) and TEXTS.match(kind):
        found = _without(_gunzipped, found, most)
    if len(found.body) >= most:
        return Undone(found.body[:most], found.fault or f"longer than {most} bytes")
    return found


def _as_sent(body: bytes, told: dict[str, str]) -> Undone:
    """Return a body without chunks, and whether it is as long as was said."""
    if "chunked" in told.get("transfer-encoding", "").lower():
        return _dechunked(body)
    said = told.get("content-length", "").strip()
    short = said.isdecimal() and (len(said) > MOST_DIGITS or len(body) < int(said))
    return Undone(body, f"{len(body)} of {said[:MOST_DIGITS]} bytes arrived" if short else "")


def _dechunked(body: bytes) -> Undone:
    """Return a body without chunks; one that has none, since who recorded it took them out, is left."""
    parts: list[bytes] = []
    at = 0
    while True:
        head = CHUNK.match(body, at)
        if head is None:
            return Undone(b"".join(parts), "a chunk is missing") if parts else Undone(body)
        size, start = int(head[1], 16), head.end()
        if size == 0:
            return Undone(b"".join(parts))
        parts.append(body[start : start + size])
        at = start + size
        if at > len(body):
            return Undone(b"".join(parts), "a chunk is missing")
        if body[at : at + 2] not in {b"\r\n", b""} and body[at : at + 1] != b"\n":
            return Undone(body) if len(parts) == 1 else Undone(b"".join(parts), "a chunk is damaged")
        at += 2 if body[at : at + 2] == b"\r\n" else 1


def _without(pieces_of: Callable[[bytes], Iterator[bytes]] | None, coded: Undone, most: int) -> Undone:
    """Return a body without a coding; as it is where it does not have that coding."""
    if pieces_of is None:
        return coded
    found: list[bytes] = []
    size, fault = 0, coded.fault
    try:
        for piece in pieces_of(coded.body):
            found.append(piece)
            size += len(piece)
            if size >= most:
                break
    except EOFError:
        fault = fault or "the compressed body ends early"
    except DAMAGE as error:
        if not any(found) and not coded.body.startswith(GZIP):
            return coded
        fault = fault or f"the compressed body is damaged ({error})"
    return Undone(b"".join(found), fault)


def _gunzipped(body: bytes) -> Iterator[bytes]:
    """Yield what a gzip file of any number of members holds; what follows the last one is passed over."""
    at = yield from _inflated(zlib.decompressobj(31), body, 0)
    while body.startswith(GZIP, at):
        at = yield from _inflated(zlib.decompressobj(31), body, at)


def _deflated(body: bytes) -> Iterator[bytes]:
    """Yield what was deflated, with zlib's head as the standard says, or without, as some servers do."""
    try:
        zlib.decompressobj(15).decompress(body[:2])
        window = 15
    except zlib.error:
        window = -15
    yield from _inflated(zlib.decompressobj(window), body, 0)


def _inflated(stream: zlib._Decompress, body: bytes, at: int) -> Generator[bytes, None, int]:
    """Yield what a stream that begins at `at` holds; return where it ends.

    It is fed little by little, so that damage costs what is behind it, not what is before.
    """
    while not stream.eof:
        fed = body[at : at + FED]
        if not fed:
            raise EOFError
        at += len(fed)
        while fed and not stream.eof:
            yield stream.decompress(fed, PIECE)
            fed = stream.unconsumed_tail
    return at - len(stream.unused_data)


def _unbrotlied(body: bytes) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    piece = stream.process(body, output_buffer_limit=PIECE)
    yield piece
    while not stream.is_finished():
        if not piece:
            raise EOFError
        piece = stream.process(b"", output_buffer_limit=PIECE)
        yield piece


def _unzstd(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        frame = ZstdDecompressor()
        while not frame.eof:
            fed = body[at : at + FED] if frame.needs_input else b""
            if frame.needs_input and not fed:
                raise EOFError
            at += len(fed)
            yield frame.decompress(fed, PIECE)
        at -= len(frame.unused_data)


CODINGS = {
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "deflate": _deflated,
    "br": _unbrotlied,
    "zstd": _unzstd,
}
