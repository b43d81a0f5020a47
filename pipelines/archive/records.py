"""Web archive files of anyone, record by record: WARC and ARC, plain, gzipped by record or whole, or zstd.

Blocks come as they lie in the file. One record's trouble stays with that record: it is told with its place in the file,
and reading goes on where the next record begins. A file is first undone to pieces, in which members (of gzip or zstd)
begin, bytes come, or damage is told; then the pieces are read as records.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from enum import Enum
from os import SEEK_END
from typing import IO, Protocol

from backports.zstd import ZstdDecompressor, ZstdDict, ZstdError

from pipelines.archive.coding import GZIP, MOST_DIGITS, Headers

READ_AT_ONCE, UNDONE_AT_ONCE = 1 << 15, 1 << 20  # bytes that are read, and decompressed, at once
SEEN = 8192  # bytes of a member that tell whether it begins with a record
MOST_HEADER = 1 << 16  # bytes of a record's header
ZSTD, ZSTD_DICTIONARY = b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18"
SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # a frame of zstd that holds no text
MOST_DICTIONARY = 10_000_000  # bytes
ARC = re.compile(rb"(\S{3,4000}) (\S+) (\d{14}) (\S+) (?:[^\r\n]{0,4000} )?(\d{1,12})\r?\n")
RECORD = re.compile(rb"WARC/\d|(?:https?|filedesc|dns):\S{1,4000} \S+ \d{14} ")
FURTHER = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n[A-Za-z-]{1,60}:")
HEAD_END, LINE, FOLDED = re.compile(rb"\n\r?\n"), re.compile(rb"\n"), re.compile(rb"\r?\n[ \t]+")
FURTHER_OF_ARC = re.compile(
    rb"(?m:^)(?:https?://|dns:)\S{1,4000} [0-9a-fA-F.:]{3,45} \d{14} \S{1,100} (?:[^\r\n]{0,2000} )?\d{1,12}\r?\n"
)
BLANK = 16  # bytes that are looked at for blank lines at a time
MOST_SPENT = 200_000_000  # bytes
SPANNED = 80  # bytes that such a beginning takes
CUT, NO_RECORD = "the file ends in the middle of a record", "what stands here is no record"


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `offset` is where it begins in the file, or the compressed member that it lies in.

    `length` is that of the whole block in bytes, of which `block` may be the beginning only.
    """

    offset: int
    kind: str
    headers: Headers
    length: int
    block: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty string."""
        return next((value for known, value in self.headers if known.lower() == name), "")

    @property
    def url(self) -> str:
        """The address that it is about."""
        return self.header("warc-target-uri").strip("<>")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something in a file that cannot be read: where, and why."""

    offset: int
    said: str


Keep = Callable[[str, str], int]  # from a record's type and address, how many bytes of its block are wanted


def records(file: IO[bytes], keep: Keep) -> Iterator[Record | Trouble]:
    """Yield every record of a file that can be moved in, in order, and in its place what cannot be read."""
    source = _Source(file)
    while True:
        try:
            record = source.record(keep)
        except _DamagedError as damage:
            yield Trouble(damage.offset, str(damage))
            source.is_lost = True
        else:
            if record is None:
                return
            yield record


def begins_as_web_archive(head: bytes) -> bool:
    """Whether a file whose first bytes these are may hold records.

    >>> [begins_as_web_archive(head) for head in (b"WARC/1.1\\r\\n", b"<html>", b"")]
    [True, False, False]
    """
    if head.startswith(GZIP):
        return _is_member(zlib.decompressobj(31), head)
    return head.startswith((ZSTD, ZSTD_DICTIONARY)) or bool(RECORD.match(head))


# -- from a file to pieces ---------------------------------------------------------------------------------------


class _Is(Enum):
    BEGINNING = 1  # of a member, or of a file that has none
    BYTES = 2
    DAMAGE = 3


@dataclass(frozen=True, slots=True)
class _Piece:
    """What comes of a file: its place there, and bytes, or a sentence about damage."""

    what: _Is
    offset: int
    data: bytes = b""
    said: str = ""


class _Decoder(Protocol):
    """What zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _pieces(file: IO[bytes]) -> tuple[Iterator[_Piece], bool]:
    """Return the pieces of a file, and whether it is plain; the beginning of a compressed one may be damaged."""
    head = file.read(SEEN)
    file.seek(0)
    if head.startswith((ZSTD, ZSTD_DICTIONARY)):
        known = _dictionary(file)
        return _undone(file, ZSTD, lambda: ZstdDecompressor(zstd_dict=known)), False
    if head.startswith(GZIP) or (not RECORD.match(head) and _found(file, 0, GZIP, _gunzip)):
        file.seek(0)
        return _undone(file, GZIP, _gunzip), False
    file.seek(0)
    return _plain(file), True


def _gunzip() -> _Decoder:
    return zlib.decompressobj(31)


def _plain(file: IO[bytes]) -> Iterator[_Piece]:
    yield _Piece(_Is.BEGINNING, 0)
    at = 0
    while fed := file.read(READ_AT_ONCE):
        yield _Piece(_Is.BYTES, at, fed)
        at += len(fed)


def _dictionary(file: IO[bytes]) -> ZstdDict | None:
    """Return the dictionary that a `.warc.zst` begins with, or None; the file is left behind it."""
    head = file.read(8)
    if not head.startswith(ZSTD_DICTIONARY):
        file.seek(0)
        return None
    held = file.read(min(int.from_bytes(head[4:8], "little"), MOST_DICTIONARY))
    try:
        known = ZstdDict(ZstdDecompressor().decompress(held, MOST_DICTIONARY) if held.startswith(ZSTD) else held)
        ZstdDecompressor(zstd_dict=known)  # which reads it
        return known
    except (ZstdError, ValueError):
        return None  # every frame will say so


def _undone(file: IO[bytes], magic: bytes, decoder: Callable[[], _Decoder]) -> Iterator[_Piece]:
    """Yield what the members of a compressed file hold; behind damage, the next member that begins with a record."""
    waiting = b""  # read from the file, and not undone yet
    spent = 0  # bytes that damaged members gave: one may lie in another
    while True:
        given = 0
        while len(waiting) < SEEN and (fed := file.read(READ_AT_ONCE)):
            waiting += fed
        start = file.tell() - len(waiting)
        if not waiting or _is_padding(file, waiting):
            return
        if SKIPPED.match(waiting) and magic == ZSTD:
            file.seek(start + 8 + int.from_bytes(waiting[4:8], "little"))
            waiting = b""
            continue
        said = NO_RECORD
        if waiting.startswith(magic):
            yield _Piece(_Is.BEGINNING, start)
            rest, said, given = yield from _member(file, waiting, start, decoder())
            if not said:
                waiting = rest
                continue
        spent += given
        if spent > MOST_SPENT + 20 * file.seek(0, SEEK_END):
            yield _Piece(_Is.DAMAGE, start, said="so much is damaged that the rest is not read")
            return
        yield _Piece(_Is.DAMAGE, start, said=said)
        waiting = b""
        if not _found(file, start + 1, magic, decoder):
            return


def _is_padding(file: IO[bytes], waiting: bytes) -> bool:
    """Whether a file ends in zeros from here on; the place in it stays."""
    if waiting.strip(b"\0"):
        return False
    place = file.tell()
    while fed := file.read(UNDONE_AT_ONCE):
        if fed.strip(b"\0"):
            file.seek(place)
            return False
    return True


def _member(
    file: IO[bytes], fed: bytes, start: int, stream: _Decoder
) -> Generator[_Piece, None, tuple[bytes, str, int]]:
    """Yield what a member holds; return what was read beyond it, or what is wrong with it, and how much it gave."""
    given = 0
    try:
        while not stream.eof:
            if not fed and not _has_more(stream):
                fed = file.read(READ_AT_ONCE)
                if not fed:
                    return b"", CUT, given
            data = stream.decompress(fed, UNDONE_AT_ONCE)
            fed = getattr(stream, "unconsumed_tail", b"")
            given += len(data)
            if data:
                yield _Piece(_Is.BYTES, start, data)
    except (zlib.error, ZstdError) as error:
        return b"", f"a compressed member is damaged ({error})", given
    return stream.unused_data, "", given


def _has_more(stream: _Decoder) -> bool:
    """Whether zstd still holds bytes that it was given; zlib hands them back."""
    return not getattr(stream, "needs_input", True)


def _found(file: IO[bytes], start: int, magic: bytes, decoder: Callable[[], _Decoder]) -> bool:
    """Go to the next place in a file where a member begins, with a record in it; False if there is none."""
    while True:
        file.seek(start)
        chunk = file.read(READ_AT_ONCE + SEEN)
        at = chunk.find(magic)
        while 0 <= at < READ_AT_ONCE:
            if _is_member(decoder(), chunk[at : at + SEEN]):
                file.seek(start + at)
                return True
            at = chunk.find(magic, at + 1)
        if len(chunk) <= READ_AT_ONCE:
            return False
        start += READ_AT_ONCE


def _is_member(stream: _Decoder, head: bytes) -> bool:
    try:
        return bool(RECORD.match(stream.decompress(head, SEEN)))
    except (zlib.error, ZstdError):
        return False


# -- from pieces to records --------------------------------------------------------------------------------------


class _DamagedError(Exception):
    """What lies at `offset` is no whole record."""

    def __init__(self, said: str, offset: int) -> None:
        super().__init__(said)
        self.offset = offset


class _Source:
    """The pieces of a file as a stream of bytes: the buffer holds what came and was not taken yet."""

    def __init__(self, file: IO[bytes]) -> None:
        self.size = file.seek(0, SEEK_END)
        file.seek(0)
        self.pieces, self.is_plain = _pieces(file)
        self.buffer, self.at = bytearray(), 0
        self.base = self.begun = 0  # where in the file lie the buffer (or its member) and the record at hand
        self.members = self.with_record = 0  # members that began, and those of them that begin with a record
        self.is_fresh = False  # whether what is taken next is the beginning of a member
        self.is_lost = False  # whether the beginning of the next record must be looked for
        self.further, self.spanned = FURTHER, SPANNED
        self.delayed: _DamagedError | None = None  # behind a sound record

    def record(self, keep: Keep) -> Record | None:
        """Take the next record, or return None at the end. Raises `_DamagedError`."""
        if self.is_lost and not self._find():
            return None
        self.is_lost = False
        if not self._skip_blank():
            return None
        self.begun = self.base + self.at if self.is_plain else self.base
        while len(self.buffer) - self.at < len(b"WARC/") and self._more():
            pass
        if self.buffer.startswith(b"WARC/", self.at):
            kind, headers, length = self._of_warc(self._head(HEAD_END))
        else:
            kind, headers, length = self._of_arc(self._head(LINE))
        if self.is_plain and self.base + self.at + length > self.size:
            raise self._damaged(CUT)  # nothing is taken: the next record may begin in what the length would swallow
        url = next((value for name, value in headers if name.lower() == "warc-target-uri"), "")
        block = self._take(length, keep(kind, url.strip("<>")))
        if not self.is_plain:
            self._settle()
        return Record(self.begun, kind, headers, length, block)

    def _damaged(self, said: str) -> _DamagedError:
        return _DamagedError(said, self.begun)

    def _of_warc(self, head: bytes) -> tuple[str, Headers, int]:
        lines = FOLDED.sub(b" ", head).decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        if not lines[0].startswith("WARC/"):
            self._back_into(head)
            raise self._damaged(NO_RECORD)
        split = (line.partition(":") for line in lines[1:])
        headers = tuple((name.strip(), value.strip()) for name, colon, value in split if colon)
        told = {name.lower(): value for name, value in reversed(headers)}
        length = told.get("content-length", "")
        if not length.isdecimal() or len(length) > MOST_DIGITS:
            self._back_into(head)
            raise self._damaged("a record does not say how long it is")
        return told.get("warc-type", ""), headers, int(length)

    def _of_arc(self, line: bytes) -> tuple[str, Headers, int]:
        found = ARC.fullmatch(line)
        if found is None:
            begins = line.rfind(b"WARC/")  # the next record may begin in it
            self.at -= len(line) - begins if begins > 0 else 0
            raise self._damaged(NO_RECORD)
        url, ip, date, kind, length = (part.decode("latin-1") for part in found.groups())
        headers = (("WARC-Target-URI", url), ("WARC-IP-Address", ip), ("WARC-Date", date), ("Content-Type", kind))
        self.further, self.spanned = FURTHER_OF_ARC, MOST_HEADER // 8
        return "warcinfo" if url.startswith("filedesc:") else "response", headers, int(length)

    def _back_into(self, head: bytes) -> None:
        """Go back to the last place in what was taken where a record may begin."""
        inside = [found.start() for found in self.further.finditer(head, 1)]
        self.at -= len(head) - inside[-1] if inside else 0

    def _skip_blank(self) -> bool:
        """Skip blank lines; return False at the end."""
        while True:
            rest = bytes(self.buffer[self.at : self.at + BLANK])
            blank = len(rest) - len(rest.lstrip(b"\r\n"))
            self.at += blank
            if blank < len(rest):
                return True
            if self.at == len(self.buffer) and not self._more():
                return False

    def _head(self, end: re.Pattern[bytes]) -> bytes:
        """Take what comes up to an end, and that."""
        while True:
            found = end.search(self.buffer, self.at, self.at + MOST_HEADER)
            if found:
                head = bytes(self.buffer[self.at : found.end()])
                self.at, self.is_fresh = found.end(), False
                return head
            if len(self.buffer) - self.at >= MOST_HEADER or not self._more(inside=True):
                head = bytes(self.buffer[self.at : self.at + MOST_HEADER])
                self.at += len(head)
                self._back_into(head)
                raise self._damaged(CUT if head.startswith(b"WARC/") and len(head) < MOST_HEADER else NO_RECORD)

    def _take(self, length: int, kept: int) -> bytes:
        """Take a block, and return the first bytes of it."""
        found = bytearray()
        while length:
            if self.at == len(self.buffer) and not self._more(inside=True):
                raise self._damaged(CUT)
            size = min(length, len(self.buffer) - self.at)
            if len(found) < kept:
                found += self.buffer[self.at : self.at + min(size, kept - len(found))]
            self.at += size
            length -= size
        return bytes(found)

    def _settle(self) -> None:
        """Go on to the end of the member where nothing else is left of it: its checksum stands there."""
        try:
            while not self.is_fresh:
                rest = bytes(self.buffer[self.at : self.at + BLANK])
                if rest.strip(b"\r\n"):
                    return
                self.at += len(rest)
                if self.at == len(self.buffer) and not self._more():
                    return
        except _DamagedError as damage:
            if damage.offset == self.begun:
                raise
            self.delayed = damage

    def _find(self) -> bool:
        """Leave what is damaged, and go to where a record begins; return False where none does.

        In a file with a member for each record that is the next member; a page that quotes a record is none.
        """
        by_member = self.members > 1 and 2 * self.with_record > self.members
        while not (self.is_fresh and RECORD.match(self.buffer, self.at)):
            further = None if by_member else self.further.search(self.buffer, self.at)
            if further:
                self.at = further.start()
                return True
            self.at = len(self.buffer) if by_member else max(self.at, len(self.buffer) - self.spanned)
            if not self._more():
                return False
        return True

    def _more(self, inside: bool = False) -> bool:
        """Add the next piece to the buffer; return False at the end. `inside` says whether a record goes on there."""
        if self.delayed is not None:
            damage, self.delayed = self.delayed, None
            raise damage
        begins = False
        for piece in self.pieces:
            if piece.what is _Is.DAMAGE:
                self.buffer.clear()
                self.at, self.is_fresh = 0, False
                raise _DamagedError(piece.said, piece.offset)
            if piece.what is _Is.BEGINNING:
                self.members += 1
                begins = True
                continue
            self._add(piece, begins, inside)
            return True
        return False

    def _add(self, piece: _Piece, begins: bool, inside: bool) -> None:
        with_record = begins and RECORD.match(piece.data) is not None
        self.with_record += with_record
        left = bytes(self.buffer[self.at : self.at + MOST_HEADER])
        if with_record and self.members > 1 and (inside or (left.strip(b"\r\n") and not self.is_lost)):
            self.buffer, self.at, self.base, self.is_fresh = bytearray(piece.data), 0, piece.offset, True
            raise self._damaged("a record is longer than the compressed member it lies in")
        if self.at == len(self.buffer) or with_record:
            self.buffer, self.base, self.is_fresh = bytearray(piece.data), piece.offset, begins
        else:
            self.base += self.at if self.is_plain else 0
            del self.buffer[: self.at]
            self.buffer += piece.data
            self.is_fresh = False
        self.at = 0
