"""What to ask the index of a public archive, and what its answer says: pure functions, one for each kind of archive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pipelines.past.months import IndexSpan
from pipelines.sources.public import PublicArchive

ROW_FIELDS = "urlkey,timestamp,original,mimetype,statuscode,digest,length"
MOST_PAGES = 10_000  # of one crawl's index that we believe in


class OtherAnswer(ValueError):
    """An answer that is not what the index answers; the message says what it is."""


@dataclass(frozen=True, slots=True)
class ArchivedRow:
    """One capture in an index: its moment (14 digits, UTC), the address, status (0 for a capture that says only that
    the page was as before), type, SHA-1 in base 32. Common Crawl says also where it lies: file, offset, length.
    """

    stamp: str
    url: str
    status: int
    mime: str
    digest: str
    length: int = 0
    file: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """What an answer says: its rows, how many others could not be read, and what to ask next; empty at the end."""

    rows: tuple[ArchivedRow, ...]
    odd: int
    next: str


def first_state(archive: PublicArchive, collections: Sequence[str]) -> str:
    """Return what stands for the first question of a part of the index; `ASKED_WHOLE` where there is nothing to ask."""
    if archive.kind == "cdx":
        return START
    return f"{collections[0]} ?" if collections else ASKED_WHOLE


START, ASKED_WHOLE = "start", "end"


def question(archive: PublicArchive, span: IndexSpan, state: str) -> str:
    """Return the address to ask."""
    if archive.kind == "cdx":
        asked = {
            "url": span.prefix,
            "matchType": "prefix",
            "output": "json",
            "fl": ROW_FIELDS,
            "limit": str(archive.rows),
        }
        if not span.is_dated:
            asked |= {"from": span.since.replace("-", ""), "to": span.until.replace("-", "")}
        asked |= {"showResumeKey": "true"} | ({} if state == START else {"resumeKey": state})
        return f"{archive.index}?{urlencode(asked)}"
    collection, page = state.split()[:2]
    asked = {"url": f"{span.prefix}*", "output": "json"} | ({"showNumPages": "true"} if page == "?" else {"page": page})
    return f"{archive.index.format(collection=collection)}?{urlencode(asked)}"


def read_answer(archive: PublicArchive, state: str, text: str, collections: Sequence[str]) -> Read:
    """Return what an answer to the question of that state says; raise `OtherAnswer`."""
    try:
        return _read_cdx(text) if archive.kind == "cdx" else _read_commoncrawl(state, text, collections)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        beginning = " ".join(text[:60].split())
        raise OtherAnswer(f"the index answered something else: {beginning!r}") from error


def _read_cdx(text: str) -> Read:
    """Read a table of rows under a row of names; behind an empty row stands the key of what follows."""
    lines: list[list[str]] = json.loads(text) if text.strip() else []
    if not isinstance(lines, list):
        raise TypeError("no table")
    resume = ""
    if len(lines) >= 2 and lines[-2] == [] and len(lines[-1]) == 1:
        resume = lines[-1][0]
        lines = lines[:-2]
    if not lines:
        return Read((), 0, resume or ASKED_WHOLE)
    names = lines[0]
    if "timestamp" not in names or "original" not in names:
        raise ValueError("no names")
    read = [_row(dict(zip(names, line, strict=False))) for line in lines[1:]]
    return _counted_rows(read, resume or ASKED_WHOLE)


def _read_commoncrawl(state: str, text: str, collections: Sequence[str]) -> Read:
    """Read the number of pages of a crawl's index, or one page of it: a row a line."""
    collection, page, *of = state.split()
    if page == "?":
        pages = int(json.loads(text)["pages"]) if text.strip() else 0
        if not 0 <= pages <= MOST_PAGES:
            raise ValueError(f"{pages} pages")
        return Read((), 0, f"{collection} 0 {pages}" if pages else _next_collection(collection, collections))
    read = [_row({**one, "original": one["url"], "statuscode": one["status"], "mimetype": one.get("mime", "")})
            for one in map(json.loads, text.splitlines())]  # fmt: skip
    last = int(page) + 1 >= int(of[0])
    return _counted_rows(
        read, _next_collection(collection, collections) if last else f"{collection} {int(page) + 1} {of[0]}"
    )


def _next_collection(collection: str, collections: Sequence[str]) -> str:
    behind = [one for one in collections if one > collection]
    return f"{behind[0]} ?" if behind else ASKED_WHOLE


def _counted_rows(read: Sequence[ArchivedRow | None], following: str) -> Read:
    rows = tuple(row for row in read if row is not None)
    return Read(rows, len(read) - len(rows), following)


def _row(told: Mapping[str, Any]) -> ArchivedRow | None:
    """Return a row of the index, or None for one that is none."""
    try:
        stamp, url, status = str(told["timestamp"]), str(told["original"]), str(told["statuscode"])
        if not (len(stamp) == 14 and stamp.isascii() and stamp.isdecimal() and url):
            return None
        return ArchivedRow(
            stamp,
            url,
            int(status) if status.isascii() and status.isdecimal() else 0,
            str(told["mimetype"]),
            str(told.get("digest", "")).removeprefix("sha1:"),
            _number(told.get("length")),
            str(told.get("filename", "")),
            _number(told.get("offset")),
        )
    except (KeyError, ValueError):
        return None


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def collections_in(text: str, first: str, last: str) -> list[str]:
    """Return the names of Common Crawl's collections that began in the days `first`…`last`, in their order.

    >>> told = '[{"id": "CC-MAIN-2024-10", "from": "2024-02-20T00:00:00", "to": "2024-03-05T00:00:00"}]'
    >>> collections_in(told, "2024-02-01", "2024-02-29")
    ['CC-MAIN-2024-10']
    """
    try:
        told = [(str(one["id"]), str(one.get("from", ""))[:10]) for one in json.loads(text)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise OtherAnswer("the list of collections cannot be read") from error
    return sorted(name for name, began in told if first <= began <= last and " " not in name)
