"""What people name for `ingest`: files, folders, `-`, addresses; each web archive in them is opened, one at a time.

What a file is, its first bytes say, not its name. What is no web archive is refused in one sentence, and the next file
is read.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPException
from lzma import LZMAError
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from pipelines.archive.coding import MOST_DIGITS
from pipelines.archive.records import begins_as_web_archive
from pipelines.errors import OpedsError, UnreadableWarc, WrongUsage
from pipelines.jobs.inputs import STANDARD_INPUT, check_readable, input_file
from pipelines.settings import Settings

HEAD = 8192  # bytes that tell what a file is
DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, ValueError, RuntimeError)
TIMEOUT = 60.0  # seconds without a byte, of a download
CDX = re.compile(rb" ?CDX |!meta |\S+\)/\S* \d{14} ")
KINDS_OF_FILES = (  # how other files begin
    (re.compile(rb"\s*\{\s*\"log\""), "a HAR file"),
    (CDX, "an index (CDX)"),
    (re.compile(rb"\s*<"), "HTML or XML"),
    (re.compile(rb"\s*[\[{]"), "JSON"),
    (re.compile(rb"[\x09\x0a\x0d\x20-\x7e]{64}"), "a text"),
)


@dataclass(frozen=True)
class WebArchive:
    """A web archive that can be read from any place in it. `shown` is how the user named it; `name` is without path."""

    shown: str
    name: str
    stream: IO[bytes]
    size: int
    sha256: str


def check_inputs(names: Sequence[str]) -> None:
    """Raise `WrongUsage` for a file or folder that cannot be opened, before any is read."""
    for name in names:
        if not _is_address(name) and not Path(name).is_dir():
            check_readable(Path(name))


def web_archives(names: Sequence[str], settings: Settings, refused: dict[str, str]) -> Iterator[WebArchive]:
    """Yield each web archive that these inputs are or hold; add to `refused` why another file is none."""
    for name in names:
        try:
            for shown, opening in _files(name, settings):
                try:
                    with opening as file:
                        yield from _archives_in(shown, file, refused)
                except OpedsError as error:
                    refused[shown] = str(error)
        except OpedsError as error:
            refused[_plainly(name)] = str(error)


def _is_address(name: str) -> bool:
    return name.startswith(("http://", "https://", "s3://"))


def _files(name: str, settings: Settings) -> Iterator[tuple[str, AbstractContextManager[IO[bytes]]]]:
    """Yield every file that a name stands for, and how it is opened."""
    if name.startswith("s3://"):
        yield from _from_bucket(name, settings)
    elif _is_address(name):
        yield _plainly(name), _downloaded(name)
    elif name != str(STANDARD_INPUT) and Path(name).is_dir():
        inside = sorted(path for path in Path(name).rglob("*") if path.is_file())
        if not inside:
            raise UnreadableWarc("an empty folder")
        yield from ((str(path), input_file(path)) for path in inside)
    else:
        yield name, input_file(Path(name))


def _archives_in(shown: str, file: IO[bytes], refused: dict[str, str]) -> Iterator[WebArchive]:
    head = file.read(HEAD)
    file.seek(0)
    if head.startswith(b"PK\x03\x04"):
        yield from _packed(shown, file, refused)
        return
    kind = next((said for pattern, said in KINDS_OF_FILES if pattern.match(head)), "")
    if begins_as_web_archive(head) or (not kind and head and _may_be_damaged(shown, head)):
        yield _measured(shown, file)
    else:
        kind = kind or "a file of another kind"
        refused[shown] = f"no web archive, but {kind if head else 'an empty file'}; WARC, ARC and WACZ files are read"


def _may_be_damaged(shown: str, head: bytes) -> bool:
    """Whether a file may hold records behind a beginning that is damaged."""
    return head.startswith(b"\x1f\x8b") or bool(re.search(r"\.w?arc(\.gz|\.zst)?$", shown))


def _measured(shown: str, file: IO[bytes]) -> WebArchive:
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    size = file.tell()
    file.seek(0)
    return WebArchive(shown, Path(urlsplit(shown).path if _is_address(shown) else shown).name, file, size, digest)


def _packed(shown: str, file: IO[bytes], refused: dict[str, str]) -> Iterator[WebArchive]:
    """Yield the web archives in a WACZ file."""
    try:
        with zipfile.ZipFile(file) as packed:
            inside = [one for one in packed.infolist() if re.match(r"archive/.+\.(w?arc)(\.gz|\.zst)?$", one.filename)]
            if not inside:
                refused[shown] = "no web archive, but a ZIP file without the folder archive/ of a WACZ"
            for one in inside:
                with tempfile.TemporaryFile(prefix="opeds-wacz-") as copy:
                    try:
                        with packed.open(one) as member:
                            shutil.copyfileobj(member, copy)
                    except DAMAGED_ZIP as error:
                        refused[f"{shown}!/{one.filename}"] = f"damaged: {error}"
                        continue
                    copy.seek(0)
                    found = _measured(f"{shown}!/{one.filename}", copy)
                    yield replace(found, name=f"{Path(shown).name}!/{one.filename}")
    except DAMAGED_ZIP as error:
        raise UnreadableWarc(f"a damaged WACZ file: {error}") from error


def _plainly(address: str) -> str:
    """Return an address without query and user, which may hold a key.

    >>> _plainly("https://me:secret@example.org/a.warc.gz?key=secret")
    'https://example.org/a.warc.gz'
    """
    return re.sub(r"^(https?://)[^/?#]*@", r"\1", re.split(r"[?#]", address, maxsplit=1)[0])


@contextmanager
def _downloaded(address: str) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile(prefix="opeds-input-") as copy:
        try:
            request = urllib.request.Request(address, headers={"User-Agent": "joongang-opeds"})  # noqa: S310
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - of http or https: `_is_address`
                shutil.copyfileobj(answer, copy)
                said = answer.headers.get("Content-Length", "")
        except (HTTPException, OSError, ValueError) as error:
            raise UnreadableWarc(f"cannot be downloaded ({type(error).__name__}: {_plainly(str(error))})") from error
        if said.isdecimal() and copy.tell() < int(said[:MOST_DIGITS]):
            raise UnreadableWarc(f"the download broke off: {copy.tell()} of {said[:MOST_DIGITS]} bytes came")
        copy.seek(0)
        yield copy


def _from_bucket(address: str, settings: Settings) -> Iterator[tuple[str, AbstractContextManager[IO[bytes]]]]:
    """Yield an object, or all objects below a prefix that ends with a slash, each in a file that is removed."""
    from pipelines.archive.s3 import keys_below

    parts = urlsplit(address)
    key = parts.path.lstrip("/")
    if not parts.netloc:
        raise WrongUsage(f"{address} names no bucket; write it as s3://bucket/key or s3://bucket/prefix/")
    keys = keys_below(settings, parts.netloc, key) if not key or key.endswith("/") else [key]
    if not keys:
        raise UnreadableWarc("nothing lies there")
    for one in keys:
        yield f"s3://{parts.netloc}/{one}", _of_bucket(settings, parts.netloc, one)


@contextmanager
def _of_bucket(settings: Settings, bucket: str, key: str) -> Iterator[IO[bytes]]:
    from pipelines.archive.s3 import download

    with tempfile.TemporaryFile(prefix="opeds-input-") as copy:
        download(settings, bucket, key, copy)
        copy.seek(0)
        yield copy
