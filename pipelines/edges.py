"""What stands at the head and the tail of an op-ed and is no part of its argument.

A rule here matches a whole block, at an end of the body only: op-eds quote, and an argument may
open with any of these words. What a rule takes away goes into a field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.blocks import Block, split_languages
from pipelines.page import collapse, split_names

_WORD = r"[A-Z][\w’'.-]*?"
_NAME = rf"{_WORD}(?:\s+{_WORD}){{1,3}}"
_BIO = r"The (?:author|writer|columnist)s?(?:,\s|\s(?:is|are|was|has|serves|teaches|works|heads)\b(?! not\b))"

NAME_ALONE = re.compile(rf"(?:By\s+|BY\s+)?({_NAME})(?:\s*기자)?$")
NAME_THEN_BIO = re.compile(rf"(?:By\s+|BY\s+)?({_NAME})\s*({_BIO}.*)$", re.DOTALL)
BIO = re.compile(rf"{_BIO}.*$", re.DOTALL)
BY_LINE = re.compile(rf"(?:By|BY)\s+({_NAME}(?:(?:,| and)\s+{_NAME})*)(?:,? (?:Staff Writer|Columnist))?\s*(\[.+\])?$")
MAIL = re.compile(r"[\[(]{0,2}\s*(\[email\s?protected\]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)\s*[\])]{0,2}$")
PRINT_EDITION = re.compile(r"(?:The )?JoongAng (?:Ilbo|Daily), [A-Z][a-z]+\.? \d{1,2}(?:, \d{4})?, Pages? \d+\.?$")
TRANSLATOR = re.compile(r"\(?Translat(?:ed|ion) by [^.]{3,80}\.?\)?$")
COPYRIGHT = re.compile(r"(?:Copyright\b|저작권자|ⓒ|©).{0,120}$|.{0,80}무단\s*전재.{0,40}$", re.IGNORECASE)
CORRECTION = re.compile(
    r"\W*(?:Correction|Clarification|Editor['’]s note"
    r"|This (?:article|editorial|column) (?:was|has been) (?:corrected|updated|revised|amended))\b.*$",
    re.DOTALL,
)
CREDIT = re.compile(r".*\[[A-Z][A-Z0-9 /’'.&,-]*\]$", re.DOTALL)
PARTNER = re.compile(r"with the Korea JoongAng Daily$")
_SENTENCE_END = re.compile(
    r"(?<=[a-z0-9)’”])(?<!Prof)(?<!Dr)(?<!Mr)(?<!Mrs)(?<!Ms)(?<!Gen)(?<!Sen)(?<!Rep)(?<!St)\.\s+(?=[A-Z“‘\"'])"
)
BIO_WORDS = 60  # a longer "bio" is prose that opens with the same words


@dataclass
class Edges:
    """What was taken off the ends, and the paragraphs that stay, English and Korean."""

    paragraphs: list[str] = field(default_factory=list)
    korean: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    bios: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    correction_note: str = ""
    translator_note: str = ""
    print_edition: str = ""
    copyright: str = ""


def take_edges(blocks: list[Block], headline: str) -> Edges:
    """Part the argument from captions, headline, byline, bio, notes and lists of headlines."""
    edges = Edges()
    edges.paragraphs = _without_figures(blocks, edges)
    for rule in (_headline_rule(headline), _correction, _byline, _bio_at_head, _mail, _correction):
        while edges.paragraphs and rule(edges.paragraphs[0], edges):
            edges.paragraphs.pop(0)
    _unglue(edges)
    edges.paragraphs, edges.korean = split_languages(edges.paragraphs)
    for part in (edges.korean, edges.paragraphs):  # each language has its own tail
        while part and any(rule(part[-1], edges) for rule in TAIL):
            part.pop()
    return edges


def _without_figures(blocks: list[Block], edges: Edges) -> list[str]:
    """Return the paragraphs; captions and link lists go to their fields.

    A caption repeats what an image says, or stands next to one and ends with a credit.
    """
    said = {block.text for block in blocks if block.kind == "figure" and block.text}
    kept: list[str] = []
    for at, block in enumerate(blocks):
        beside = any(b.kind == "figure" for b in blocks[max(at - 1, 0) : at + 2] if b is not block)
        if block.kind == "links":
            edges.related += block.links
        elif block.kind == "p" and (block.text in said or (beside and CREDIT.match(block.text))):
            _add(edges.captions, block.text)
        elif block.kind == "p":
            kept.append(block.text)
    return kept


def _headline_rule(headline: str) -> Callable[[str, Edges], bool]:
    seen: list[str] = []

    def repeated(text: str, _: Edges) -> bool:
        if seen or not headline or collapse(text) != collapse(headline):
            return False
        seen.append(text)
        return True

    return repeated


def _byline(text: str, edges: Edges) -> bool:
    """Take a line that is a name, when a bio follows or it says "By"."""
    match = BY_LINE.match(text)
    if match:
        edges.names += split_names(match[1])
        edges.emails += _mails(match[2] or "")
        return True
    following = edges.paragraphs[1] if len(edges.paragraphs) > 1 else ""
    alone = NAME_ALONE.match(text)
    if alone and _is_bio(following):
        edges.names.append(alone[1])
        return True
    return False


def _bio_at_head(text: str, edges: Edges) -> bool:
    """Take `NAME The author is …` or `The author is …` as a block of its own, once."""
    if edges.bios:
        return False
    glued = NAME_THEN_BIO.match(text)
    if glued and _is_bio(glued[2]) and not _SENTENCE_END.search(glued[2]):
        edges.names.append(glued[1])
        edges.bios.append(glued[2])
        return True
    if _is_bio(text) and (edges.names or len(text.split()) <= 40):
        edges.bios.append(text)
        return True
    return False


def _unglue(edges: Edges) -> None:
    """Part `NAMEThe author is X. First sentence …`, as portals glue it, into name, bio and paragraph."""
    if not edges.paragraphs or edges.bios:
        return
    glued = NAME_THEN_BIO.match(edges.paragraphs[0])
    if not glued:
        return
    bio, rest = _first_sentence(glued[2])
    while re.match(r"(?:He|She) ", rest):  # nobody opens an op-ed with a pronoun: it goes on about the author
        more, rest = _first_sentence(rest)
        bio = f"{bio} {more}"
    if rest and len(bio.split()) <= BIO_WORDS:
        edges.names.append(glued[1])
        edges.bios.append(bio)
        edges.paragraphs[0] = rest


def _first_sentence(text: str) -> tuple[str, str]:
    end = _SENTENCE_END.search(text)
    return (text[: end.start() + 1], text[end.end() :]) if end else (text, "")


def _is_bio(text: str) -> bool:
    return bool(BIO.match(text)) and len(text.split()) <= BIO_WORDS


def _bio_at_tail(text: str, edges: Edges) -> bool:
    if edges.bios or not _is_bio(text):
        return False
    edges.bios.append(text)
    return True


def _mail(text: str, edges: Edges) -> bool:
    found = MAIL.match(text)
    if found:
        edges.emails.append(found[1])
    return bool(found)


def _mails(text: str) -> list[str]:
    found = MAIL.match(text)
    return [found[1]] if found else []


def _note(name: str, pattern: re.Pattern[str]) -> Callable[[str, Edges], bool]:
    def rule(text: str, edges: Edges) -> bool:
        if getattr(edges, name) or not pattern.match(text):
            return False
        setattr(edges, name, text)
        return True

    return rule


def _by_at_tail(text: str, edges: Edges) -> bool:
    found = BY_LINE.match(text)
    if found:
        edges.names += split_names(found[1])
        edges.emails += _mails(found[2] or "")
    return bool(found)


_correction = _note("correction_note", CORRECTION)
TAIL: tuple[Callable[[str, Edges], bool], ...] = (
    _note("copyright", COPYRIGHT),
    _note("print_edition", PRINT_EDITION),
    _note("translator_note", TRANSLATOR),
    _correction,
    _by_at_tail,
    _mail,
    _bio_at_tail,
    lambda text, _: bool(PARTNER.match(text)),
)


def _add(values: list[str], value: str) -> None:
    if value not in values:
        values.append(value)
