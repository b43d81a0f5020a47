"""Where else a withdrawn op-ed is quoted: in records, lists and pages of others. Functions of values."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pipelines.archive.record import to_json
from pipelines.archive.records import Record, Trouble, records
from pipelines.archive.warc import capture_of, exchange_of_record, read_capture
from pipelines.archive.withdrawn import WITHDRAWN_LINE, letters_of, line_digest, sentences_in
from pipelines.errors import MALFORMED, UnreadableWarc

SENTENCE_WORDS = 8  # of a sentence that must be found nowhere; shorter ones may be anyone's
TEXT_FIELDS = ("headline", "deck", "text", "text_ko", "correction_note", "translator_note", "captions", "embeds")
TAG = re.compile(r"<[^>]*>")
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
ENCODINGS = ("utf-8", "cp949", "utf-16")  # tried in turn: whatever is none of these says nothing that can be read
MOST_LOOKED = 64_000_000  # bytes of a record of a web archive


@dataclass
class Quoted:
    """The sentences that are looked for: in their own words where they are known, else by digests (`lines`)."""

    sentences: dict[str, str] = field(default_factory=dict)  # by their letters
    lines: frozenset[str] = frozenset()
    exempt: set[str] = field(default_factory=set)  # digests of those that others say too

    @classmethod
    def of(cls, texts: Iterable[str], lines: Iterable[str]) -> Quoted:
        """Return what is looked for of these texts; `lines` are digests of their sentences."""
        long = (one for text in texts for one in sentences_in(text) if len(one.split()) >= SENTENCE_WORDS)
        return cls({letters_of(one): one for one in long}, frozenset(lines))

    def leave_to(self, told: Mapping[str, Any]) -> None:
        """Take out what another op-ed's record says too: it is not this one's alone."""
        for text in texts_in(told):
            letters = letters_of(text)
            for own in [one for one in self.sentences if one in letters]:
                del self.sentences[own]
            self.exempt |= {line_digest(one) for one in sentences_in(text)} & self.lines

    def found_in(self, payload: bytes) -> str:
        """Return a sentence that a page, a list or any other file holds, or an empty string: in its text, attributes,
        scripts and comments, whatever its encoding."""
        for text in _readings(payload):
            plainly = html.unescape(TAG.sub(" ", html.unescape(text)))
            for letters in (letters_of(plainly), letters_of(html.unescape(text))):
                said = next((said for own, said in self.sentences.items() if own in letters), "")
                if said:
                    return said
            long = (one for one in sentences_in(plainly) if len(one.split()) >= SENTENCE_WORDS) if self.lines else ()
            said = next((one for one in long if line_digest(one) in self.lines - self.exempt), "")
            if said and not self.sentences:
                return said
        return ""


def texts_in(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text of a record: of its fields, and the paper's lines about its authors."""
    for name in TEXT_FIELDS:
        value = told.get(name) or ""
        yield from [value] if isinstance(value, str) else map(str, value)
    yield from (str(author.get("bio") or "") for author in told.get("authors") or ())


def _readings(payload: bytes) -> Iterator[str]:
    """Yield what bytes say, by the encodings in which they can be read."""
    for encoding in ENCODINGS:
        try:
            text = payload.decode(encoding)
        except UnicodeDecodeError:
            continue
        yield ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
        if encoding == "utf-8":
            return
    yield payload.decode("utf-8", "replace")


def without_records(body: bytes, quoted: Quoted) -> bytes:
    """Return a web archive file without the records that quote; its other members are left as they are."""
    found = [one for one in records(BytesIO(body), lambda *_: MOST_LOOKED) if not isinstance(one, Trouble)]
    ends = [*(one.offset for one in found[1:]), len(body)]
    return b"".join(
        body[one.offset : end] for one, end in zip(found, ends, strict=True) if not quoted.found_in(_payload(one))
    )


def _payload(record: Record) -> bytes:
    try:
        return capture_of(exchange_of_record(record)).payload
    except UnreadableWarc:
        return record.block


def quoted_in_page(body: bytes, key: str, quoted: Quoted) -> str:
    """Return a sentence that a capture of another op-ed holds, or an empty string."""
    try:
        return quoted.found_in(read_capture(body, key).payload)
    except UnreadableWarc:
        return ""


def without_titles(body: bytes, article_ids: Collection[str], addresses: Collection[str]) -> bytes:
    """Return a crawl's account without the headlines of these articles, as lists showed them."""
    try:
        told = json.loads(body)
        for one in told.get("addresses", ()):
            if one.get("title") and (one.get("article_id") in article_ids or one["url"] in addresses):
                one["title"] = WITHDRAWN_LINE
        for one in told.get("entries", ()):
            if one.get("title") and one["url"] in addresses:
                one["title"] = WITHDRAWN_LINE
    except MALFORMED:
        return body
    return to_json(told) if told != json.loads(body) else body
