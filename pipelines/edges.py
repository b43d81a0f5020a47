"""What stands around the argument of an op-ed and is no part of it: byline, bio, captions, notes, lists of headlines.

A rule matches a whole block, and, but for a site's own furniture, at an end of the body only: op-eds quote, and an
argument may open with any of these words. What a rule takes away goes into a field or is named in `removed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipelines.blocks import Block, split_languages
from pipelines.page import collapse, split_names
from pipelines.sources import Profile

_WORD = r"[A-Z][\w’'.-]*?"
_NAME = rf"{_WORD}(?:\s+{_WORD}){{1,3}}?"
_KOREAN_NAME = r"[가-힣]{2,4}\s?(?:기자|논설위원|논설실장|특파원|교수|칼럼니스트)"
_ROLE = (
    r"an?\b|the\b|one\b|currently\b|former\b|formerly\b|now\b|professor\b|chief\b|senior\b|head\b|director\b|deputy\b"
    r"|president\b|chair|editor|managing\b|vice\b|emeritus\b|honorary\b|dean\b|ambassador\b|visiting\b|research"
)
_WHO = r"(?:author|writer|columnist|contributor)"
_BIO = (
    rf"[*—–-]?\s*The {_WHO}(?:s?,\s|s?\s(?:is|are|was|were|has been)\s(?:{_ROLE})"
    r"|\s(?:serves|served|teaches|taught|works|worked|heads|headed|chairs|leads|led)\b)"
)
_MAIL = r"\[email\s?protected\]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"

NAME_ALONE = re.compile(rf"(?:By\s+|BY\s+)?({_NAME}|{_KOREAN_NAME})$")
NAME_THEN_BIO = re.compile(rf"(?:By\s+|BY\s+)?({_NAME})\s*({_BIO}.*)$", re.DOTALL)
BIO = re.compile(rf"{_BIO}.*$", re.DOTALL)
BY_LINE = re.compile(
    rf"(?:By|BY)\s+({_NAME}(?:(?:,| and|,? AND)\s+{_NAME})*)(?:,? (?:Staff [Ww]riter|Columnist|STAFF WRITER))?"
    rf"\s*(?:[\[(]+\s*({_MAIL})\s*[\])]+)?$"
)
NAME_AND_MAIL = re.compile(rf"(?!By |BY )({_NAME}|{_KOREAN_NAME})\s*[\[(<]*({_MAIL})[\])>]*$")
MAIL = re.compile(rf"[\[(<]*\s*({_MAIL})\s*[\])>]*$")
PRINT_EDITION = re.compile(
    r"(?:The )?(?:Korea )?JoongAng (?:Ilbo|Daily), [A-Z][a-z]+\.? \d{1,2}(?:, \d{4})?, Pages? \w?\d+\.?$"
)
_TRANSLATORS = r"(?:[A-Z][\w’'-]+|staff|team|and|of|the)"
TRANSLATOR = re.compile(rf"\(?Translat(?:ed|ion) by (?:the |our )?{_TRANSLATORS}(?:,? {_TRANSLATORS})*\.?\)?$")
COPYRIGHT = re.compile(r"(?:Copyright\b|저작권자|ⓒ|©).{0,120}$|.{0,80}무단\s*전재.{0,40}$", re.IGNORECASE)
CORRECTION = re.compile(
    r"\W*(?:Correction|Clarification|Editor['’]s note"
    r"|This (?:article|editorial|column) (?:was|has been) (?:corrected|updated|revised|amended))\b.*$",
    re.DOTALL,
)
CREDIT = re.compile(r".*\[[A-Z][A-Z0-9 /’'.&,-]*\]$", re.DOTALL)
PARTNER = re.compile(r"with the Korea JoongAng Daily$")
DASHED = re.compile(r"[-–▶•]\s+\S")
DASHES = 3  # so many dashed lines in a row at the end are a list of headlines
_SENTENCE_END = re.compile(
    r"(?<=[a-z0-9)’”])(?<!Prof)(?<!Dr)(?<!Mr)(?<!Mrs)(?<!Ms)(?<!Gen)(?<!Sen)(?<!Rep)(?<!St)\.\s+(?=[A-Z“‘\"'])"
)
_PROSE_END = re.compile(r"[.!?…][’”\"')\]]*$")
BIO_WORDS = 60  # a longer "bio" is prose that opens with the same words
UNNAMED_BIO_WORDS = 40
ALL_LINK = 0.8


@dataclass
class Edges:
    """What was taken off, and the paragraphs that stay, English and Korean.

    `removed` names every block that left the text: (rule, text), in the order of the rules.
    """

    paragraphs: list[str] = field(default_factory=list)
    korean: list[str] = field(default_factory=list)
    headline: str = ""
    names: list[str] = field(default_factory=list)
    bios: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    correction_note: str = ""
    translator_note: str = ""
    print_edition: str = ""
    copyright: str = ""
    removed: list[tuple[str, str]] = field(default_factory=list)


Rule = Callable[[str, Edges], bool]


def take_edges(blocks: Sequence[Block], headline: str, profile: Profile, signed: Sequence[str] = ()) -> Edges:
    """Part the argument from all that stands around it.

    `headline` is what the page calls it, `signed` are names that the page states outside of the body.
    """
    edges = Edges(names=[], headline=headline)
    kept = _argument(blocks, profile, edges)
    if profile.title_in_text and re.search(profile.title_in_text, headline) and kept:
        edges.headline = kept.pop(0).text
        edges.removed.append(("headline", edges.headline))
    texts = [block.text for block in kept]
    _take(texts, 0, _head_rules(headline, texts), edges)
    _unglue(texts, edges)
    edges.paragraphs, edges.korean = (
        split_languages(texts)
        if profile.language == "split"
        else (texts, [])
        if profile.language == "en"
        else ([], texts)
    )
    linked = {block.text for block in kept if block.linked > ALL_LINK}
    for part in (edges.korean, edges.paragraphs):  # each language has its own tail
        _headlines_at_tail(part, linked, edges)
        _take(part, -1, _tail_rules([*signed, *edges.names]), edges)
        _headlines_at_tail(part, linked, edges)
    return edges


def _argument(blocks: Sequence[Block], profile: Profile, edges: Edges) -> list[Block]:
    """Return the paragraphs; captions, lists of links and the site's own furniture go to their fields.

    A caption repeats what an image says, or stands next to one and ends with a credit. Furniture is a site's own
    sentence, known word by word, and the only thing that is cut in the middle of a text.
    """
    said = {block.text for block in blocks if block.kind == "figure" and block.text}
    furniture = [re.compile(pattern) for pattern in profile.furniture]
    kept: list[Block] = []
    for at, block in enumerate(blocks):
        beside = any(b.kind == "figure" for b in blocks[max(at - 1, 0) : at + 2] if b is not block)
        if block.kind == "links":
            edges.related += block.links
            edges.removed.append(("related", block.text))
        elif block.kind == "p" and (block.text in said or (beside and CREDIT.match(block.text))):
            _add(edges.captions, block.text)
            edges.removed.append(("caption", block.text))
        elif block.kind == "p" and any(pattern.fullmatch(block.text) for pattern in furniture):
            edges.removed.append(("furniture", block.text))
        elif block.kind == "p":
            kept.append(block)
    return kept


def _take(texts: list[str], at: int, rules: Sequence[tuple[str, Rule]], edges: Edges) -> None:
    """Take blocks off one end, the first or the last, for as long as a rule matches."""
    while texts:
        name = next((name for name, rule in rules if rule(texts[at], edges)), "")
        if not name:
            return
        edges.removed.append((name, texts.pop(at)))


# -- at the head ----------------------------------------------------------------------------------


def _head_rules(headline: str, texts: list[str]) -> list[tuple[str, Rule]]:
    seen: list[str] = []

    def repeated(text: str, _: Edges) -> bool:
        """Take the headline once; a refrain that repeats it later stays."""
        if seen or not headline or _spelled(text) != _spelled(headline):
            return False
        seen.append(text)
        return True

    def name_before_bio(text: str, edges: Edges) -> bool:
        alone = NAME_ALONE.match(text)
        if alone and len(texts) > 1 and _is_bio(texts[1]):
            edges.names.append(_person(alone[1]))
            return True
        return False

    return [
        ("headline", repeated), ("correction_note", _correction), ("byline", _byline), ("byline", name_before_bio),
        ("bio", _bio_at_head), ("email", _mail),
    ]  # fmt: skip


def _byline(text: str, edges: Edges) -> bool:
    """Take a line that says "By", or is a name with a mail address."""
    found = BY_LINE.match(text) or NAME_AND_MAIL.match(text)
    if found:
        edges.names += [_person(name) for name in split_names(found[1])]
        edges.emails += [found[2]] if found[2] else []
    return bool(found)


def _bio_at_head(text: str, edges: Edges) -> bool:
    """Take `NAME The author is …` or `The author is …` as a block of its own, once."""
    if edges.bios:
        return False
    glued = NAME_THEN_BIO.match(text)
    if glued and _is_bio(glued[2]) and not _SENTENCE_END.search(glued[2]):
        edges.names.append(glued[1])
        edges.bios.append(glued[2])
        return True
    if _is_bio(text) and (edges.names or len(text.split()) <= UNNAMED_BIO_WORDS):
        edges.bios.append(text)
        return True
    return False


def _unglue(texts: list[str], edges: Edges) -> None:
    """Part `NAMEThe author is X. First sentence …`, as portals glue it, into name, bio and paragraph."""
    if not texts or edges.bios:
        return
    glued = NAME_THEN_BIO.match(texts[0])
    if not glued:
        return
    bio, rest = _first_sentence(glued[2])
    while re.match(r"(?:He|She) ", rest):  # nobody opens an op-ed with a pronoun: it goes on about the author
        more, rest = _first_sentence(rest)
        bio = f"{bio} {more}"
    if rest and len(bio.split()) <= BIO_WORDS:
        edges.names.append(glued[1])
        edges.bios.append(bio)
        edges.removed.append(("byline and bio", f"{glued[1]} {bio}"))
        texts[0] = rest


def _first_sentence(text: str) -> tuple[str, str]:
    end = _SENTENCE_END.search(text)
    return (text[: end.start() + 1], text[end.end() :]) if end else (text, "")


# -- at the tail ----------------------------------------------------------------------------------


def _tail_rules(signed: list[str]) -> list[tuple[str, Rule]]:
    def bio(text: str, edges: Edges) -> bool:
        named = any(re.match(rf"[*—–-]?\s*{re.escape(name)}(?:,| is| was)\s", text) for name in signed)
        if edges.bios or not (_is_bio(text) or (named and len(text.split()) <= UNNAMED_BIO_WORDS)):
            return False
        edges.bios.append(text)
        return True

    def name(text: str, edges: Edges) -> bool:
        """A name alone is a signature when the page says that this person wrote it."""
        return text in signed

    return [
        ("copyright", _note("copyright", COPYRIGHT)), ("print_edition", _note("print_edition", PRINT_EDITION)),
        ("translator_note", _note("translator_note", TRANSLATOR)), ("correction_note", _correction),
        ("byline", _byline), ("email", _mail), ("bio", bio), ("byline", name),
        ("partner", lambda text, _: bool(PARTNER.match(text))),
    ]  # fmt: skip


def _headlines_at_tail(texts: list[str], linked: set[str], edges: Edges) -> None:
    """Take lines off the end that are nothing but a link, or dashed, three or more in a row."""
    dashed = 0
    while dashed < len(texts) and DASHED.match(texts[-1 - dashed]) and not _PROSE_END.search(texts[-1 - dashed]):
        dashed += 1
    alone = 0
    while alone < len(texts) and texts[-1 - alone] in linked and not _PROSE_END.search(texts[-1 - alone]):
        alone += 1
    count = max(dashed if dashed >= DASHES else 0, alone)
    for text in texts[len(texts) - count :]:
        edges.related.append(text.lstrip("-–▶• "))
        edges.removed.append(("related", text))
    del texts[len(texts) - count :]


# -- at either end --------------------------------------------------------------------------------


def _is_bio(text: str) -> bool:
    return bool(BIO.match(text)) and len(text.split()) <= BIO_WORDS


def _mail(text: str, edges: Edges) -> bool:
    found = MAIL.match(text)
    if found:
        edges.emails.append(found[1])
    return bool(found)


def _note(name: str, pattern: re.Pattern[str]) -> Rule:
    def rule(text: str, edges: Edges) -> bool:
        if getattr(edges, name) or not pattern.match(text):
            return False
        setattr(edges, name, text)
        return True

    return rule


_correction = _note("correction_note", CORRECTION)


def _person(name: str) -> str:
    """Return a name without the title that Korean bylines carry."""
    return re.sub(r"(?<=[가-힣])\s?(?:기자|논설위원|논설실장|특파원|교수|칼럼니스트)$", "", name)


def _spelled(text: str) -> str:
    return collapse(text).translate(str.maketrans("‘’“”–—", "''\"\"--")).casefold()


def _add(values: list[str], value: str) -> None:
    if value not in values:
        values.append(value)
