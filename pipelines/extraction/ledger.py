"""The account of a region's letters: each ends in the text, in a field, or among what was taken out and by which rule.

The letters of the region are counted as it was parsed, those of the article from the article, so that a piece that
gets lost on the way is seen.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lxml.etree import XPath

from pipelines.extraction.decoding import as_browsers_show
from pipelines.extraction.page import collapse, composed
from pipelines.model import Removed

PROSE = 80  # characters from which on a block is prose, not interface
SHOWN = 80  # characters of a removed piece that the record keeps
LOOK = 20_000  # characters into a script that are looked at for what it swallowed
BEYOND = "beside the text found"  # the rule for pages that no profile fits
LEAST_RUN, CDATA = 25, "![CDATA["  # characters of a text between two tags
LEAST_WORDS = 5  # of a text whose loss is looked for
MOST_MISSING_TEXTS = 50  # that are looked at closely, and named
TEXT_NODES = XPath("descendant::text()[not(parent::script or parent::style)]")
_ATTRIBUTE = re.compile(r"=\s?[\"']|[\"']\s?:")  # a tag whose attributes hold a `>`
_OPENS = re.compile(r"<(?:!--|(?:script|style)(?=[\s/>]))", re.IGNORECASE)
_CLOSES = {
    "<!--": re.compile("-->"),
    "<script": re.compile(r"</script[^>]*>", re.IGNORECASE),
    "<style": re.compile(r"</style[^>]*>", re.IGNORECASE),
}
_SWALLOWED = {
    "<!--": re.compile("<!--"),
    "<script": re.compile(r"</p>.{0,2000}<script[\s>]", re.IGNORECASE | re.DOTALL),
    "<style": re.compile(r"<(?:p|div|br)[\s/>]", re.IGNORECASE),
}  # what stands in one that was never closed, up to the end of the next
SYLLABLE = 1.2  # Latin letters that a Hangul syllable is worth beyond one
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_SENTENCE = re.compile(r"[.!?…。][’”\"')\]]*(?:\s|$)")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of the region that is not of the article's text: by which `rule`, and by which selector, pattern or element.

    `field` is the article's field that holds it, empty if none does. `own` is what of it is the page's own words
    outside links: empty where nothing can be lost, because a source file spells the text out, or it stands in the text
    a second time.
    """

    rule: str
    by: str
    text: str
    field: str = ""
    own: str = ""

    @property
    def holds_prose(self) -> bool:
        """Whether a reader would miss it: prose that no field keeps."""
        return not self.field and is_prose(self.own)


def is_prose(text: str) -> bool:
    """Whether a text has a whole sentence and is too long for interface.

    >>> is_prose("Subscribe to our newsletter"), is_prose("It rained. " * 9)
    (False, True)
    """
    return len(text) + SYLLABLE * len(_HANGUL.findall(text)) >= PROSE and bool(_SENTENCE.search(text))


def letters(*texts: str) -> Counter[str]:
    """Count letters and digits of texts that were collapsed, one by one."""
    counted = Counter("".join(texts))
    return Counter({sign: number for sign, number in counted.items() if sign.isalnum()})


def number_of_letters(text: str) -> int:
    """Return how many letters and digits a text has."""
    return sum(map(str.isalnum, text))


def removed(pieces: Iterable[Piece]) -> tuple[Removed, ...]:
    """Return what is in no field, as the record keeps it. On a page that no profile fits, what stood beside the text
    found is one entry for each run of blocks."""
    entries: list[Removed] = []
    for piece in pieces:
        if piece.field or not piece.text:
            continue
        number = number_of_letters(piece.text)
        last = entries[-1] if entries else None
        if last and piece.rule == last.rule == BEYOND:
            text = f"{last.text} {piece.text}"[:SHOWN]
            entries[-1] = Removed(piece.rule, piece.by, text, last.letters + number)
        else:
            entries.append(Removed(piece.rule, piece.by, piece.text[:SHOWN], number))
    return tuple(entries)


def lost_in_parsing(source: str, there: Sequence[str]) -> list[str]:
    """Return the texts of a page's source that are not `there` in its parsed tree: markup that was never closed, or is
    none, swallowed them.

    `source` is the page's characters. A text is what stands between two tags, and short ones are not looked for: they
    may be markup gone wrong.
    """
    texts = [
        html.unescape(text)
        for text in _runs(_without_machine_text(source))
        if len(text.split(None, LEAST_WORDS)) >= LEAST_WORDS and not _ATTRIBUTE.search(text)
    ]
    unlike = set(texts).difference(there)
    if not unlike:
        return []
    parsed = set(map(_plain, there))
    missing = [text for text in texts if text in unlike and _plain(text) not in parsed][:MOST_MISSING_TEXTS]
    whole = "".join(parsed) if missing else ""
    return [collapse(text) for text in missing if _plain(text) not in whole]


def _runs(source: str) -> Iterator[str]:
    """Yield the long texts behind a tag, in a tag that never ends before the next one begins, and in CDATA.

    Split, not searched: most of a page is tags, and a pattern would look at each letter of them.
    """
    for number, part in enumerate(source.split(">")):
        if len(part) < LEAST_RUN:
            continue
        behind, _, tags = part.partition("<")
        if number and len(behind) >= LEAST_RUN:
            yield behind
        if "<" in tags or tags.startswith(CDATA):
            *unended, last = tags.split("<")
            yield from (run for run in unended if len(run) >= LEAST_RUN)
            if last.startswith(CDATA) and len(last) >= LEAST_RUN + len(CDATA):
                yield last.removeprefix(CDATA)


def _without_machine_text(source: str) -> str:
    """Return a page without its comments, scripts and styles, as far as they are closed: each is looked for once."""
    kept, at = [], 0
    ends: dict[str, re.Match[str] | None] = {}
    while found := _OPENS.search(source, at):
        opened = found[0].lower()
        closed = ends.get(opened)
        if opened not in ends or (closed and closed.start() < found.end()):
            closed = ends[opened] = _CLOSES[opened].search(source, found.end())
        if closed and _swallowed_text(source, found, closed):
            closed = None  # it was never closed: this is the end of another one
        kept.append(source[at : found.start() if closed else found.end()])
        at = closed.end() if closed else found.end()
    return "<!>".join((*kept, source[at:]))


def _swallowed_text(source: str, opens: re.Match[str], closes: re.Match[str]) -> bool:
    """Whether there is more than code between a beginning and the end that was found for it. Comments are looked
    through, each once; of scripts and styles only so much that the time stays linear."""
    opened, end = opens[0].lower(), closes.start()
    last = end if opened == "<!--" else min(end, opens.end() + LOOK)
    return bool(_SWALLOWED[opened].search(source, opens.end(), last))


def _plain(text: str) -> str:
    return "".join(composed(as_browsers_show(text)).split())
