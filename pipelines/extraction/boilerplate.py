"""Boilerplate: bylines, bios, captions, notes and link lists before and after the article text.

A rule is a function: it gets a block with its neighbour and what is known so far, and returns what it takes, or None.
Rules match whole blocks and, apart from a site's own furniture, at an end of the body only, since op-eds quote, and an
argument may open with any of these words. Where it cannot be told, the text stays and a warning says so. The wordings
stand in phrases.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from lxml.html import HtmlElement

from pipelines.extraction.blocks import Block, split_languages, units
from pipelines.extraction.ledger import Piece
from pipelines.extraction.page import collapse, split_names
from pipelines.extraction.phrases import (
    ABBREVIATIONS,
    BIO,
    BIO_DENIED,
    BY_LINE,
    COPYRIGHT,
    CORRECTION,
    CREDIT,
    DASHED,
    DISCLAIMER,
    INSTITUTION,
    INTERFACE_LINE,
    INVITATION,
    KOREAN_TITLE,
    MAIL,
    MAILS,
    MORE_BIO,
    NAME_ALONE,
    NAME_AND_MAIL,
    NAME_THEN_BIO,
    NOTICE,
    OCCUPATION,
    OFFICE,
    OPENER,
    PARTNER,
    PAST_BIO,
    POSTAL_ADDRESS,
    PRINT_EDITION,
    PROSE_END,
    SENTENCE_END,
    SIGNATURE,
    SURNAMES,
    TRANSLATOR,
    UPDATE_LINE,
    VALEDICTION,
    WALL_LINE,
)
from pipelines.sources import Profile

ABOUT_AUTHOR = re.compile(
    r"(?:He|She|They|His|Her|Their|The (?:author|writer|columnist|contributor)s?|E-?mail|Contact|Reach|Follow"
    r"|Translat\w+|This (?:column|article)|The (?:views|opinions))\b"
    r"|[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){0,3},? (?:is|was|has|served|serves)\b"
)  # how a later sentence of a bio begins
FEW_UNITS, MOST_FEW = 130, 2  # Latin letters' worth, and blocks, of a language that is only quoted
DASHES = 3  # so many dashed lines in a row at the end are a list of headlines, if nothing says that they are text
BIO_WORDS = 90  # a longer "bio" is prose that opens with the same words
UNNAMED_BIO_WORDS = 40
LABEL = 60  # characters; what may stand before a byline: a deck, a rubric
MAX_BYLINE = 300  # characters; a longer block is neither a byline nor a bio
BLOCKS_CHECKED = 3  # blocks at each end that are looked over once more for what no rule took
LONGEST_PARAGRAPH = 10_000  # characters of a first paragraph that may have name and bio glued to it
LONGEST_NOTE = 1500  # characters; what is longer is text, and the patterns of a line take time by its square
ALL_LINK = 0.8
FIELD_OF = {
    "headline": "headline",
    "deck": "deck",
    "byline": "authors",
    "bio": "authors",
    "byline and bio": "authors",
    "email": "emails",
    "caption": "captions",
    "related": "related",
    "copyright": "copyright",
    "print_edition": "print_edition",
    "translator_note": "translator_note",
    "correction_note": "correction_note",
}  # which field holds what a rule took; the others keep nothing


@dataclass
class Boilerplate:
    """What was taken off the text, field by field, and the paragraphs that stay, English and Korean.

    `pieces` holds every block that left the text, in the order of the rules. `warnings` are reasons for a person to
    look at the page.
    """

    paragraphs: list[str] = field(default_factory=list)
    korean: list[str] = field(default_factory=list)
    headline: str = ""
    deck: str = ""
    names: list[str] = field(default_factory=list)
    bios: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    correction_note: str = ""
    translator_note: str = ""
    print_edition: str = ""
    copyright: str = ""
    pieces: list[Piece] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, rule: str, text: str, taken: Taken) -> None:
        """Note what a rule took from a block."""
        self.names += taken.names
        taken = replace(taken, bios=tuple(self._without_translator(bio) for bio in taken.bios))
        self.bios[:] = [*taken.bios, *self.bios] if taken.bio_comes_first else [*self.bios, *taken.bios]
        self.emails += taken.emails
        if taken.note:
            setattr(self, taken.note, text)
        self.take(rule, text)

    def _without_translator(self, bio: str) -> str:
        """Part a translator's note from the bio that it is glued to."""
        for end in SENTENCE_END.finditer(bio):
            note = bio[end.end() :]
            if TRANSLATOR.match(note) and not self.translator_note:
                self.translator_note = note
                return bio[: end.end()].rstrip()
        return bio

    def take(self, rule: str, text: str, by: str = "") -> None:
        """Note that a rule took a block. Its wording is known, so that prose can only follow its first sentence."""
        further = "" if by or rule in FIELD_OF else _first_sentence(text)[1]
        self.pieces.append(Piece(rule, by, text, FIELD_OF.get(rule, ""), further))


@dataclass(frozen=True, slots=True)
class Spot:
    """A block at one end of the text, as a rule sees it.

    `inner` is the next block towards the middle, `signed` are the people known to have written the op-ed, `headline`
    is what the page calls it, empty once it was taken; `known` is what was taken before, for reading only.
    """

    text: str
    inner: str
    signed: tuple[str, ...]
    headline: str
    known: Boilerplate
    site_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lists:
    """What is known of lines before any is taken: which are nothing but a link, which are dashed lines of one element,
    what the site calls itself."""

    linked: frozenset[str]
    dashed: frozenset[str]
    site_names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a rule takes from a block: people, their bios, mail addresses, or a note for the field of that name."""

    names: tuple[str, ...] = ()
    bios: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    note: str = ""
    bio_comes_first: bool = False  # at the end of a text, the last bio is taken first


Rule = Callable[[Spot], Taken | None]
NO_FIELD = Taken()  # the block goes, and no field keeps it


def take_boilerplate(
    blocks: Sequence[Block], headline: str, profile: Profile, signed: Sequence[str] = (), site_names: Sequence[str] = ()
) -> Boilerplate:
    """Separate the argument from the boilerplate around it.

    `headline` is what the page calls it, `signed` are names that the page states outside of the body, `site_names` what
    the site calls itself.
    """
    found = Boilerplate(headline=headline)
    argument = _without_furniture(blocks, profile, found, signed)
    if profile.title_in_text and re.search(profile.title_in_text, headline) and argument:
        found.headline = argument.pop(0).text
        found.take("headline", found.headline)
    texts = [block.text for block in argument]
    lists = Lists(
        frozenset(block.text for block in argument if block.linked > ALL_LINK),
        _dashed_in_one_element(argument) if profile.dashed_headlines else frozenset(),
        frozenset(name.casefold() for name in site_names),
    )
    _take_head(texts, headline, signed, found)
    _label_before_byline(texts, found)
    _take_head(texts, "", signed, found)
    _unglue(texts, found)
    _take_tail(texts, lists, signed, found)
    found.paragraphs, found.korean = _by_language(texts, profile)
    _keep_together(texts, found)
    for part in (found.korean, found.paragraphs):  # each language has its own tail
        if len(part) < len(texts):
            _take_tail(part, lists, signed, found)
    _warn_of_leftovers(found)
    return found


def _dashed_in_one_element(blocks: Sequence[Block]) -> frozenset[str]:
    """Return the dashed lines that stand in one element, parted by breaks: several are a list of the site's."""
    lines: dict[int, list[str]] = {}
    for block in blocks:
        if DASHED.match(block.text):
            lines.setdefault(id(_element_of(block)), []).append(block.text)
    return frozenset(line for some in lines.values() if len(some) >= DASHES for line in some)


def _element_of(block: Block) -> HtmlElement | None:
    """Return the element whose breaks part a block from its neighbours."""
    node = block.node
    return node.getparent() if node is not None and node.tag == "br" else node


def _keep_together(texts: list[str], found: Boilerplate) -> None:
    """Let a few words of the other language stay where they stand: a notice does not make a page bilingual."""
    few, many = sorted((found.korean, found.paragraphs), key=lambda part: sum(map(units, part)))
    if not few or len(few) > MOST_FEW or sum(map(units, few)) >= FEW_UNITS:
        return
    notices = {text for text in few if NOTICE.match(text)}
    for text in notices:
        found.take("notice", text)
    if len(notices) < len(few):
        found.warnings.append("boilerplate_in_text")
    few.clear()
    many[:] = [text for text in texts if text not in notices]


def _by_language(texts: list[str], profile: Profile) -> tuple[list[str], list[str]]:
    if profile.language == "split":
        return split_languages(texts)
    return (texts, []) if profile.language == "en" else ([], texts)


def _without_furniture(
    blocks: Sequence[Block], profile: Profile, found: Boilerplate, signed: Sequence[str]
) -> list[Block]:
    """Return the paragraphs; captions, lists of links and the site's own furniture go to their fields.

    A caption stands next to an image, and repeats what that says or ends with a credit. Furniture is a site's own
    sentence, known word by word, and the only thing that is cut in the middle of a text.
    """
    furniture = [(pattern, re.compile(pattern)) for pattern in profile.furniture]
    paragraphs: list[Block] = []
    for at, block in enumerate(blocks):
        if block.kind == "links":
            found.related += block.links
            found.take("related", block.text)
        elif block.kind == "p" and block.text not in found.captions and _is_caption(blocks, at, signed):
            found.captions.append(block.text)
            found.take("caption", block.text)
        elif block.kind == "p":
            known = next((name for name, pattern in furniture if pattern.fullmatch(block.text)), "")
            if not known and len(block.text) <= LABEL and INTERFACE_LINE.fullmatch(block.text):
                known = "interface"
            if known:
                found.take("furniture", block.text, by=known)
            else:
                paragraphs.append(block)
    return paragraphs


def _is_caption(blocks: Sequence[Block], at: int, signed: Sequence[str]) -> bool:
    text = blocks[at].text
    figures = [b for b in blocks[max(at - 2, 0) : at + 3] if b.kind == "figure"]
    repeats = any(text == figure.text for figure in figures)
    credited = bool(figures) and len(text) <= LONGEST_NOTE and bool(CREDIT.match(text))
    return (repeats and not _opens_byline(blocks, at, signed)) or credited


def _opens_byline(blocks: Sequence[Block], at: int, signed: Sequence[str]) -> bool:
    """Whether a block that repeats a portrait's name is the byline itself."""
    text = blocks[at].text
    if text in signed or len(text) > LONGEST_NOTE:
        return text in signed
    following = next((b.text for b in islice(blocks, at + 1, None) if b.kind == "p"), "")
    return bool(NAME_ALONE.match(text) and _is_bio(following, text))


# -- at the head ----------------------------------------------------------------------------------


def _take_head(texts: list[str], headline: str, signed: Sequence[str], found: Boilerplate) -> None:
    """Take blocks off the beginning for as long as a rule matches; the headline only once, a refrain of it stays."""
    while texts:
        spot = Spot(texts[0], texts[1] if len(texts) > 1 else "", tuple(signed), headline, found)
        rule, taken = _first_match(HEAD_RULES, spot)
        if taken is None:
            return
        headline = "" if rule == "headline" else headline
        found.add(rule, texts.pop(0), taken)


def _first_match(rules: Sequence[tuple[str, Rule]], spot: Spot) -> tuple[str, Taken | None]:
    for name, rule in rules:
        if len(spot.text) > LONGEST_NOTE and rule is not _repeated_headline:
            continue
        taken = rule(spot)
        if taken is not None:
            return name, taken
    return "", None


def _repeated_headline(spot: Spot) -> Taken | None:
    return NO_FIELD if spot.headline and _spelled(spot.text) == _spelled(spot.headline) else None


def _name_at_head(spot: Spot) -> Taken | None:
    """A name is a byline when a bio follows, or when the page says that this person wrote it."""
    alone = NAME_ALONE.match(spot.text)
    if alone and (_is_bio(spot.inner, alone[1]) or _among(alone[1], spot.signed)):
        return Taken(names=_persons(alone[1]))
    return None


def _bio_at_head(spot: Spot) -> Taken | None:
    """`NAME The author is …` or `The author is …` as a block of its own, one for each name."""
    names = spot.known.names
    if len(spot.known.bios) >= max(1, len(names)):
        return None
    both = _name_and_bio(spot.text)
    if both:
        return both
    is_bio = _is_bio(spot.text, names[-1]) if names else _is_nameless_bio(spot.text)
    return Taken(bios=(spot.text,)) if is_bio else None


def _name_and_bio(text: str) -> Taken | None:
    """A block that is `NAME The author is …` and nothing more."""
    glued = NAME_THEN_BIO.match(text)
    if not glued or not _is_bio(glued[2], glued[1]) or _first_sentence(glued[2])[1]:
        return None
    return Taken(names=tuple(split_names(glued[1])), bios=(glued[2],))


def _byline(spot: Spot) -> Taken | None:
    """A line that says "By", or is a name with a mail address."""
    line = BY_LINE.match(spot.text) or NAME_AND_MAIL.match(spot.text)
    if not line:
        return None
    bios = (line[2],) if line[2] else ()
    return Taken(names=_persons(line[1]), bios=bios, emails=tuple(MAILS.findall(line[3] or "")))


def _label_before_byline(texts: list[str], found: Boilerplate) -> None:
    """Take short lines that stand before a name with its bio: a rubric, or a deck."""
    for at in (1, 2):
        if len(texts) <= at + 1 or found.names:
            return
        alone = NAME_ALONE.match(texts[at][:LONGEST_NOTE])
        before = texts[:at]
        if alone and _is_bio(texts[at + 1], alone[1]) and all(len(text) <= 2 * LABEL for text in before):
            decks = [text for text in before if not re.fullmatch(r"\[.+\]|[A-Z\W\d]+", text)]
            found.deck = " ".join(decks)
            for text in before:
                found.take("deck" if text in decks else "label", text)
            del texts[:at]
            return


def _unglue(texts: list[str], found: Boilerplate) -> None:
    """Part `NAMEThe author is X. First sentence …`, as portals glue it, into name, bio and paragraph."""
    if not texts or found.bios:
        return
    glued = NAME_THEN_BIO.match(texts[0]) if len(texts[0]) <= LONGEST_PARAGRAPH else None
    if not glued or BIO_DENIED.match(glued[2]):
        return
    bio, rest = _first_sentence(glued[2])
    while MORE_BIO.match(rest):  # it goes on about the author; any other pronoun opens the argument
        more, rest = _first_sentence(rest)
        bio = f"{bio} {more}"
    if rest and len(bio.split()) <= BIO_WORDS:
        head = texts[0].removesuffix(rest)
        found.add("byline and bio", head, Taken(names=tuple(split_names(glued[1])), bios=(bio,)))
        if re.match(r"(?:He|She|They) ", rest):
            found.warnings.append("boilerplate_in_text")  # of the author still, or of the argument already?
        texts[0] = rest


def _first_sentence(text: str) -> tuple[str, str]:
    """Return the first sentence and the rest. Initials and abbreviations end it only where a new sentence opens.

    >>> _first_sentence("She works at Hanbit Shipping Co. Ltd. in Busan. It rained.")
    ('She works at Hanbit Shipping Co. Ltd. in Busan.', 'It rained.')
    """
    for end in SENTENCE_END.finditer(text):
        word = text[: end.start()].rsplit(None, 1)[-1].strip("(“‘\"'")
        if word in ABBREVIATIONS:
            continue
        if re.fullmatch(r"(?:[A-Z]\.)*[A-Z]", word) and not OPENER.match(text[end.end() :]):
            continue
        return text[: end.end()].rstrip(), text[end.end() :]
    return text, ""


# -- at the tail ----------------------------------------------------------------------------------


def _take_tail(texts: list[str], lists: Lists, signed: Sequence[str], found: Boilerplate) -> None:
    """Take notes, bylines, bios and lists of headlines off the end, in whatever order they stand."""
    before = -1
    while before != len(texts):
        before = len(texts)
        _take_headlines(texts, lists, found)
        people = (*signed, *found.names)
        while texts:
            spot = Spot(texts[-1], texts[-2] if len(texts) > 1 else "", people, "", found, lists.site_names)
            rule, taken = _first_match(TAIL_RULES, spot)
            if taken is None:
                break
            found.add(rule, texts.pop(), taken)


def _bio_at_tail(spot: Spot) -> Taken | None:
    if len(spot.known.bios) >= max(1, len(set(spot.signed))):
        return None
    both = _name_and_bio(spot.text)
    if both:
        return both
    signature = SIGNATURE.match(spot.text) or OFFICE.match(spot.text)
    if signature and signature[2] and (OCCUPATION.search(signature[2]) or OFFICE.match(spot.text)):
        return Taken(names=_persons(signature[1]), bios=(signature[2],), bio_comes_first=True)
    named = any(_is_third_person(spot.text, name) for name in spot.signed)
    if named or _is_nameless_bio(spot.text) or (spot.signed and _is_bio(spot.text, "")):
        return Taken(bios=(spot.text,), bio_comes_first=True)
    return None


def _name_at_tail(spot: Spot) -> Taken | None:
    """A name alone is a signature when the page says that this person wrote it, a bio stood behind it, or a letter's
    closing stands before it."""
    closing = VALEDICTION.match(spot.text)
    if closing:
        name = closing[1] or closing[2] or ""
        return Taken(names=_persons(name) if name else ())
    dashed = SIGNATURE.match(spot.text)
    if dashed and not dashed[2] and not spot.known.names:
        return Taken(names=_persons(dashed[1]))
    alone = NAME_ALONE.match(spot.text)
    if not alone:
        return None
    if _among(alone[1], spot.signed):
        return NO_FIELD
    if VALEDICTION.match(spot.inner):
        return Taken(names=_persons(alone[1]))
    bio_is_behind = bool(spot.known.pieces) and spot.known.pieces[-1].rule == "bio"
    return Taken(names=_persons(alone[1])) if bio_is_behind and not spot.known.names else None


def _take_headlines(texts: list[str], lists: Lists, found: Boilerplate) -> None:
    """Take lines off the end that are nothing but a link, or dashed headlines.

    Dashed lines may be the argument's own list; they are headlines where a portal puts them into one element, or behind
    a copyright line.
    """
    alone = dashed = 0
    while alone < len(texts) and texts[-1 - alone] in lists.linked and not texts[-1 - alone].endswith("."):
        alone += 1
    while dashed < len(texts) and DASHED.match(texts[-1 - dashed]):
        dashed += 1
    lines = texts[len(texts) - dashed :]
    above = texts[-1 - dashed] if dashed < len(texts) else ""
    together = dashed >= DASHES and all(line in lists.dashed for line in lines)
    proved = bool(COPYRIGHT.match(above) or INVITATION.match(above)) or together
    prose = sum(text.endswith(".") for text in lines)
    count = max(alone, dashed if proved and not above.endswith(":") and 2 * prose < max(dashed, 1) else 0)
    for text in texts[len(texts) - count :]:
        found.related.append(text.lstrip("-–▶• "))
        found.take("related", text)
    del texts[len(texts) - count :]


# -- at either end --------------------------------------------------------------------------------


def _mail(spot: Spot) -> Taken | None:
    address = MAIL.match(spot.text)
    return Taken(emails=(address[1],)) if address else None


def _note(name: str, pattern: re.Pattern[str]) -> Rule:
    """Return the rule for a note of which a page has one."""

    def rule(spot: Spot) -> Taken | None:
        return Taken(note=name) if not getattr(spot.known, name) and pattern.match(spot.text) else None

    return rule


def _dropped(pattern: re.Pattern[str]) -> Rule:
    """Return the rule for a wording that no field keeps."""
    return lambda spot: NO_FIELD if pattern.match(spot.text) else None


def _is_bio(text: str, name: str) -> bool:
    """Whether a block next to a name tells of that person: place and name are the evidence."""
    if len(text) > LONGEST_NOTE or len(text.split()) > BIO_WORDS or BIO_DENIED.match(text):
        return False
    if name and _is_third_person(text, name):
        return True
    tells = bool(OCCUPATION.search(text) or (INSTITUTION.search(text) and not PAST_BIO.match(text)))
    return bool(BIO.match(text)) and tells and not _turns_to_argument(text)


def _turns_to_argument(text: str) -> bool:
    """Whether a later sentence of a "bio" is about something else than a person and their work."""
    rest = _first_sentence(text)[1]
    while rest:
        sentence, rest = _first_sentence(rest)
        if not ABOUT_AUTHOR.match(sentence) and not OCCUPATION.search(sentence):
            return True
    return False


def _is_nameless_bio(text: str) -> bool:
    """Whether a block tells of an author whom it does not name: it must say what they are, in one sentence."""
    if (
        not BIO.match(text)
        or BIO_DENIED.match(text)
        or _turns_to_argument(text)
        or len(text.split()) > UNNAMED_BIO_WORDS
        or " was " in text[:20]
    ):
        return False
    return bool(OCCUPATION.search(text)) and (bool(INSTITUTION.search(text)) or not _first_sentence(text)[1])


def _is_third_person(text: str, name: str) -> bool:
    words = name.split()
    short = words[0] if words and words[0] in SURNAMES else words[-1] if words else name
    named = rf"(?:(?:Professor|Prof\.|Dr\.|Mr\.|Ms\.)\s+)?(?:{re.escape(name)}|{re.escape(short)})"
    tells = r"(?:,| is (?:an?|the|currently|also)\b| was (?:an?|the)\b| serves | teaches | works (?:at|for|as|in)\b)"
    opened = re.match(rf"[*—–-]?\s*(?:About the (?:author|writer)s?:\s*)?{named}{tells}", text, re.IGNORECASE)
    if not opened or len(text.split()) > BIO_WORDS:
        return False
    return bool(OCCUPATION.search(_first_sentence(text)[0])) and not _turns_to_argument(text)


def _warn_of_leftovers(found: Boilerplate) -> None:
    """Warn of a block that no rule took and that looks like boilerplate, so that a person looks at the page."""
    for part in (found.paragraphs, found.korean):
        last = part[-BLOCKS_CHECKED:]
        odd = any(_looks_like_boilerplate(text) for text in {*part[:BLOCKS_CHECKED], *last})
        ends = sum(bool(DASHED.match(text)) and not PROSE_END.search(text) for text in last) >= 2
        if odd or (ends and len(part) > BLOCKS_CHECKED and not _is_announced(part)):
            found.warnings.append("boilerplate_in_text")
            return


def _looks_like_boilerplate(text: str) -> bool:
    if len(text) > MAX_BYLINE or BIO_DENIED.match(text):
        return False
    is_bio = bool(BIO.match(text) and OCCUPATION.search(text))
    return bool(BY_LINE.match(text)) or is_bio or ("@" in text and len(text) <= LABEL)


def _is_announced(part: list[str]) -> bool:
    """Whether dashed lines at the end are announced by a colon, as an argument's own list is."""
    at = len(part)
    while at and DASHED.match(part[at - 1]):
        at -= 1
    return bool(at) and part[at - 1].endswith(":")


def _among(name: str, signed: Sequence[str]) -> bool:
    return _person(name).casefold() in {one.casefold() for one in signed}


def _persons(line: str) -> tuple[str, ...]:
    return tuple(_person(name) for name in split_names(line))


def _person(name: str) -> str:
    """Return a name without the title that Korean bylines carry."""
    return re.sub(rf"(?<=[가-힣])\s?{KOREAN_TITLE}$", "", name)


def _spelled(text: str) -> str:
    return collapse(text).translate(str.maketrans("‘’“”–—", "''\"\"--")).casefold()


_correction = _note("correction_note", CORRECTION)
HEAD_RULES: tuple[tuple[str, Rule], ...] = (
    ("headline", _repeated_headline),
    ("correction_note", _correction),
    ("update line", _dropped(UPDATE_LINE)),
    ("byline", _byline),
    ("byline", _name_at_head),
    ("bio", _bio_at_head),
    ("email", _mail),
)
TAIL_RULES: tuple[tuple[str, Rule], ...] = (
    ("copyright", _note("copyright", COPYRIGHT)),
    ("print_edition", _note("print_edition", PRINT_EDITION)),
    ("translator_note", _note("translator_note", TRANSLATOR)),
    ("correction_note", _correction),
    ("byline", _byline),
    ("email", _mail),
    ("bio", _bio_at_tail),
    ("byline", _name_at_tail),
    ("partner", _dropped(PARTNER)),
    ("update line", _dropped(UPDATE_LINE)),
    ("address", _dropped(POSTAL_ADDRESS)),
    ("notice", _dropped(NOTICE)),
    ("site name", lambda spot: NO_FIELD if spot.text.casefold() in spot.site_names else None),
    ("invitation", _dropped(INVITATION)),
    ("disclaimer", _dropped(DISCLAIMER)),
    ("wall", lambda spot: NO_FIELD if len(spot.text) <= MAX_BYLINE and WALL_LINE.match(spot.text) else None),
)
