"""A page as it was captured, to look at without harm: its words in their order, and nothing that acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml.etree import iterwalk

from pipelines.archive.store import Store
from pipelines.archive.warc import read_capture
from pipelines.extraction.decoding import decode
from pipelines.extraction.trafilatura_reader import parsed
from pipelines.model import Capture

SILENT = frozenset("script style noscript template iframe object svg head textarea select".split())
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
INLINE = frozenset(
    "a abbr b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span strong sub sup time u var "
    "wbr".split()
)
BYTES_SHOWN = 80_000  # of the words of a page
MARKUP = 24  # bytes around a block
LONGEST_WORDS = 20_000  # letters of one block


@dataclass(frozen=True)
class Words:
    """A block of a page: its text, and whether the page sets it as a heading."""

    text: str
    heading: bool = False


def capture_at(store: Store, key: str) -> Capture:
    """Return the page in one of our page files; raise `NotArchived`, `UnreadableWarc`."""
    return read_capture(store.read(key), key)


def page_words(capture: Capture) -> list[Words]:
    """Return the words of a page, block by block; where it is too long, a last one says so."""
    tree = parsed(capture)
    if tree is None:
        return []
    found: list[Words] = []
    size = 0
    for one in _blocks(tree):
        size += len(one.text.encode("utf-8", "replace")) + MARKUP
        if size > BYTES_SHOWN:
            return [*found, Words("… the rest is in the source")]
        found.append(one)
    return found


def _blocks(tree: object) -> Iterator[Words]:
    gathered: list[str] = []
    silent = heading = 0

    def flushed() -> Iterator[Words]:
        text = " ".join("".join(gathered).split())[:LONGEST_WORDS]
        gathered.clear()
        if text:
            yield Words(text, bool(heading))

    for event, element in iterwalk(tree, events=("start", "end", "comment", "pi")):
        begins = event == "start"
        if event in {"start", "end"}:
            if element.tag not in INLINE | SILENT:
                yield from flushed()
            heading += (1 if begins else -1) if element.tag in HEADINGS else 0
            silent += (1 if begins else -1) if element.tag in SILENT else 0
        text = element.text if begins else element.tail
        if text and not silent:
            gathered.append(text)
    yield from flushed()


def source_of(capture: Capture) -> str:
    """Return the source of a page, decoded as it was for reading."""
    return decode(capture.payload, capture.header("content-type")).text
