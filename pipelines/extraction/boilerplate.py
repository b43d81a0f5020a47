"""What stands around the argument of an op-ed and is no part of it: byline, bio, captions, notes, lists of headlines.

A rule matches a whole block, and, but for a site's own furniture, at an end of the body only: op-eds quote, and an
argument may open with any of these words. Where it cannot be told, the text stays, and `doubts` says so. What a rule
takes away goes into a field or is named in `removed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipelines.extraction.blocks import Block, split_languages
from pipelines.extraction.page import collapse, split_names
from pipelines.sources import Profile

_CAPITAL = r"[^\W\d_a-z]"
_WORD = rf"{_CAPITAL}[\w’'.-]*?"
_PARTICLE = r"(?:van|von|der|den|de|da|di|la|le|bin|al|el)"
_NAME = rf"{_WORD}(?:\s+(?:{_PARTICLE}\s+){{0,2}}{_WORD}){{1,3}}?"
_KOREAN_TITLE = r"(?:기자|논설위원|논설실장|특파원|교수|칼럼니스트|위원)"
_KOREAN_NAME = rf"[가-힣]{{2,4}}(?:\s?{_KOREAN_TITLE})?"
_NAMES = rf"{_NAME}(?:(?:,| and|,? AND)\s+{_NAME})*"
_MAIL = r"\[email\s?protected\]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_WHO = r"(?:(?:guest\s)?(?:author|writer|columnist|contributor))"
_OCCUPATION = (
    r"\b(?:professors?|lecturers?|editors?|writers?|columnists?|reporters?|correspondents?|journalists?|directors?|fellows?"
    r"|lawyers?|attorneys?|ambassadors?|diplomats?|advis[eo]rs?|CEO|presidents?|chair\w*|chief|head|ministers?|researchers?|scholars?"
    r"|pilots?|poets?|novelists?|economists?|founders?|co-founders?|deans?|members?|partners?|analysts?|consultants?|activists?"
    r"|doctors?|physicians?|teachers?|students?|officials?|commentators?|critics?|historians?|executives?|managers?|general)\b"
)
_INSTITUTION = rf"\b(?:at|of|for|with|in|from)\s+(?:the\s+)?{_CAPITAL}"

BIO = re.compile(
    rf"[*—–-]?\s*(?:The\s+)?{_WHO}s?\b(?:\s+of this (?:column|article|piece))?(?:,|\s+[a-z]).*$",
    re.DOTALL | re.IGNORECASE,
)
BIO_DENIED = re.compile(
    rf"[*—–-]?\s*(?:The\s+)?{_WHO}s?\s+(?:is|are|was|were)\s+(?:not|right|wrong|never|my)\b", re.IGNORECASE
)
NAME_ALONE = re.compile(
    rf"\[?(?:[Bb]y\s+|BY\s+)?({_NAMES}|{_KOREAN_NAME})\s*(?:\([^)]{{1,12}}\))?"
    r"(?:,\s*(?:[Cc]olumnist|[Ss]taff [Ww]riter))?[,\]]?$"
)
NAME_THEN_BIO = re.compile(rf"(?:By\s+|BY\s+)?({_NAMES})\s*([*—–-]?\s*The\s+{_WHO}s?\b.*)$", re.DOTALL)
BY_LINE = re.compile(
    rf"(?:By|BY|by)\s+({_NAMES})(?:,? (?:Staff [Ww]riter|Columnist|STAFF WRITER))?"
    rf"(?:,\s+([a-z][^.]{{3,100}}))?\s*(?:[\[(]*\s*((?:{_MAIL})(?:,\s*(?:{_MAIL}))*)\s*[\])]*)?$"
)
NAME_AND_MAIL = re.compile(rf"(?!By |BY |by )({_NAME}|{_KOREAN_NAME})\s*()[\[(<]*({_MAIL})[\])>]*$")
MAIL = re.compile(rf"[\[(<]*\s*({_MAIL})\s*[\])>]*$")
PRINT_EDITION = re.compile(
    r"(?:The )?(?:Korea )?JoongAng (?:Ilbo|Daily|Sunday), [A-Z][a-z]+\.? \d{1,2}(?:\s?[-–]\s?\d{1,2})?(?:, \d{4})?,"
    r" Pages? \w?\d+\.?$"
)
TRANSLATOR = re.compile(
    r"\(?Translat(?:ed|ion) by"
    rf" (?:(?:the |our )?.{{0,60}}\b(?:staff|team|JoongAng Daily|editors?)|{_NAME}(?:(?:,| and)\s+{_NAME})*)\.?\)?$"
    r"|Translated using (?:generative )?(?:AI|artificial intelligence|machine)\b.{0,160}$"
    r"|This (?:article|column|editorial) was (?:originally )?written in Korean and translated .{3,300}$"
)
COPYRIGHT = re.compile(
    r"(?:Copyright\s*(?:[©ⓒ(:]|\d{4}|by\b)|저작권자|[ⓒ©]|\(c\)\s).{0,120}$|.{0,100}All rights reserved\.?$"
    r"|.{0,80}무단\s*전재.{0,40}$",
    re.IGNORECASE,
)
CORRECTION = re.compile(
    r"\W*(?:(?:Correction|Clarification|Editor['’]s note)s?\s*(?:[:(—–-])"
    r"|This (?:article|editorial|column|story) (?:was|has been) (?:corrected|updated|revised|amended)\b"
    r"|An earlier version of this (?:article|editorial|column|story)\b).*$",
    re.DOTALL | re.IGNORECASE,
)
INVITATION = re.compile(
    r"(?:Follow us on\b|Share this (?:article|story|column)\b|Read more:?\s*$"
    r"|(?:More )?[Rr]elated (?:articles|stories|news)\b"
    r"|(?=.*(?:newsletter|inbox|mailbox|Facebook|Twitter|Instagram|YouTube|e-?mail))"
    r"(?:Subscribe to|Sign up|Get the best of)\b).{0,140}$"
)
DISCLAIMER = re.compile(
    r"\W*The (?:views|opinions) (?:expressed|presented|reflected) (?:here|herein|in this (?:article|column|piece|op-ed)"
    r"|by the (?:author|writer|columnist|contributor))\b.{0,300}$",
    re.DOTALL,
)
CREDIT = re.compile(
    r".*(?:\[[A-Z][A-Z0-9 /’'.&,-]*\]|[\[(](?:Yonhap|AP|AFP|Reuters|연합뉴스|[A-Z]+=연합뉴스)[\])])$|Photo by .{3,60}$",
    re.DOTALL,
)
PARTNER = re.compile(r"with the Korea JoongAng Daily$")
DASHED = re.compile(r"[-–▶•]\s+\S")
DASHES = 3  # so many dashed lines in a row at the end are a list of headlines, if nothing says that they are text
BIO_WORDS = 90  # a longer "bio" is prose that opens with the same words
UNNAMED_BIO_WORDS = 40
LABEL = 60  # characters; what may stand before a byline: a deck, a rubric
ODD = 300  # characters; a longer block is no byline and no bio
LOOK = 3  # blocks at each end that are looked over once more for what no rule took
ALL_LINK = 0.8
_ENDS = re.compile(r"[.!?][’”\"')\]]*\s+(?=[A-Z“‘\"'\d])")
_ABBREVIATION = frozenset(
    "Prof Dr Mr Mrs Ms Gen Sen Rep St Co Ltd Inc Corp Jr Sr No Gov Lt Col Capt vs Ph.D M.D".split()
)
_OPENER = re.compile(
    r"[“‘\"']?(?:The|This|That|These|Those|It|In|On|At|When|If|But|And|A|An|As|For|There|We|I|He|She|They|South|North|Korea|President|\d)\b"
)
_PROSE_END = re.compile(r"[.!?…][’”\"')\]]*$")
_MORE_BIO = re.compile(
    r"(?:He|She|They)\s+(?:(?:has|have|had|also|previously|formerly|currently|is the|is an?|was the|was an?)\s+)*"
    r"(?:served|serves|holds?|held|received|earned|graduated|teaches|taught|lives?|lived|writes|wrote|written|works?|worked|joined"
    r"|chairs|chaired|leads|led|directs|directed|heads|headed|runs|advises|practices|manages|represents|covers|covered|studied|specializes|specialized|author|member|former|fellow|graduate|recipient|head|spent|edits|edited)\b"
)


@dataclass
class Boilerplate:
    """What was taken off, and the paragraphs that stay, English and Korean.

    `removed` names every block that left the text: (rule, text), in the order of the rules; `doubts` are reasons to
    look.
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
    removed: list[tuple[str, str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


Rule = Callable[[str, Boilerplate], bool]


def take_boilerplate(
    blocks: Sequence[Block], headline: str, profile: Profile, signed: Sequence[str] = ()
) -> Boilerplate:
    """Part the argument from all that stands around it.

    `headline` is what the page calls it, `signed` are names that the page states outside of the body.
    """
    edges = Boilerplate(headline=headline)
    kept = _argument(blocks, profile, edges, signed)
    if profile.title_in_text and re.search(profile.title_in_text, headline) and kept:
        edges.headline = kept.pop(0).text
        edges.removed.append(("headline", edges.headline))
    texts = [block.text for block in kept]
    linked = {block.text for block in kept if block.linked > ALL_LINK}
    _take(texts, 0, _head_rules(headline, texts, signed), edges)
    _label_before_byline(texts, edges)
    _take(texts, 0, _head_rules("", texts, signed), edges)
    _unglue(texts, edges)
    _tail(texts, linked, signed, profile, edges)
    edges.paragraphs, edges.korean = (
        split_languages(texts)
        if profile.language == "split"
        else (texts, [])
        if profile.language == "en"
        else ([], texts)
    )
    for part in (edges.korean, edges.paragraphs):  # each language has its own tail
        if len(part) < len(texts):
            _tail(part, linked, signed, profile, edges)
    _look_once_more(edges)
    return edges


def _argument(blocks: Sequence[Block], profile: Profile, edges: Boilerplate, signed: Sequence[str]) -> list[Block]:
    """Return the paragraphs; captions, lists of links and the site's own furniture go to their fields.

    A caption stands next to an image, and repeats what that says or ends with a credit. Furniture is a site's own
    sentence, known word by word, and the only thing that is cut in the middle of a text.
    """
    furniture = [re.compile(pattern) for pattern in profile.furniture]
    kept: list[Block] = []
    for at, block in enumerate(blocks):
        near = [b for b in blocks[max(at - 2, 0) : at + 3] if b.kind == "figure"]
        repeats = any(block.text == b.text for b in near) and not _opens_byline(blocks, at, signed)
        if block.kind == "links":
            edges.related += block.links
            edges.removed.append(("related", block.text))
        elif (
            block.kind == "p" and (repeats or (near and CREDIT.match(block.text))) and block.text not in edges.captions
        ):
            edges.captions.append(block.text)
            edges.removed.append(("caption", block.text))
        elif block.kind == "p" and any(pattern.fullmatch(block.text) for pattern in furniture):
            edges.removed.append(("furniture", block.text))
        elif block.kind == "p":
            kept.append(block)
    return kept


def _opens_byline(blocks: Sequence[Block], at: int, signed: Sequence[str]) -> bool:
    """Whether a block that repeats a portrait's name is the byline itself."""
    following = next((b.text for b in blocks[at + 1 :] if b.kind == "p"), "")
    return blocks[at].text in signed or bool(NAME_ALONE.match(blocks[at].text) and _is_bio(following, blocks[at].text))


def _take(texts: list[str], at: int, rules: Sequence[tuple[str, Rule]], edges: Boilerplate) -> None:
    """Take blocks off one end, the first or the last, for as long as a rule matches."""
    while texts:
        name = next((name for name, rule in rules if rule(texts[at], edges)), "")
        if not name:
            return
        edges.removed.append((name, texts.pop(at)))


# -- at the head ----------------------------------------------------------------------------------


def _head_rules(headline: str, texts: list[str], signed: Sequence[str]) -> list[tuple[str, Rule]]:
    seen: list[str] = []

    def repeated(text: str, _: Boilerplate) -> bool:
        """Take the headline once; a refrain that repeats it later stays."""
        if seen or not headline or _spelled(text) != _spelled(headline):
            return False
        seen.append(text)
        return True

    def name(text: str, edges: Boilerplate) -> bool:
        """A name is a byline when a bio follows, or when the page says that this person wrote it."""
        alone = NAME_ALONE.match(text)
        following = texts[1] if len(texts) > 1 else ""
        if alone and (_is_bio(following, alone[1]) or _among(alone[1], signed)):
            edges.names += [_person(one) for one in split_names(alone[1])]
            return True
        return False

    def bio(text: str, edges: Boilerplate) -> bool:
        """Take `NAME The author is …` or `The author is …` as a block of its own, one for each name."""
        if len(edges.bios) >= max(1, len(edges.names)):
            return False
        if _name_and_bio(text, edges):
            return True
        if _is_bio(text, edges.names[-1]) if edges.names else _is_nameless_bio(text):
            edges.bios.append(text)
            return True
        return False

    return [
        ("headline", repeated),
        ("correction_note", _correction),
        ("byline", _byline),
        ("byline", name),
        ("bio", bio),
        ("email", _mail),
    ]


def _name_and_bio(text: str, edges: Boilerplate) -> bool:
    """Take a block that is `NAME The author is …` and nothing more."""
    glued = NAME_THEN_BIO.match(text)
    if not glued or not _is_bio(glued[2], glued[1]) or _first_sentence(glued[2])[1]:
        return False
    edges.names += split_names(glued[1])
    edges.bios.append(glued[2])
    return True


def _byline(text: str, edges: Boilerplate) -> bool:
    """Take a line that says "By", or is a name with a mail address."""
    found = BY_LINE.match(text) or NAME_AND_MAIL.match(text)
    if found:
        edges.names += [_person(name) for name in split_names(found[1])]
        edges.bios += [found[2]] if found[2] else []
        edges.emails += re.findall(_MAIL, found[3] or "")
    return bool(found)


def _label_before_byline(texts: list[str], edges: Boilerplate) -> None:
    """Take short lines that stand before a name with its bio: a rubric, or a deck."""
    for at in (1, 2):
        if len(texts) <= at + 1 or edges.names:
            return
        alone = NAME_ALONE.match(texts[at])
        before = texts[:at]
        if alone and _is_bio(texts[at + 1], alone[1]) and all(len(text) <= 2 * LABEL for text in before):
            decks = [text for text in before if not re.fullmatch(r"\[.+\]|[A-Z\W\d]+", text)]
            edges.deck = " ".join(decks)
            edges.removed += [("label before byline", text) for text in before]
            del texts[:at]
            return


def _unglue(texts: list[str], edges: Boilerplate) -> None:
    """Part `NAMEThe author is X. First sentence …`, as portals glue it, into name, bio and paragraph."""
    if not texts or edges.bios:
        return
    glued = NAME_THEN_BIO.match(texts[0])
    if not glued or BIO_DENIED.match(glued[2]):
        return
    bio, rest = _first_sentence(glued[2])
    while _MORE_BIO.match(rest):  # it goes on about the author; any other pronoun opens the argument
        more, rest = _first_sentence(rest)
        bio = f"{bio} {more}"
    if rest and len(bio.split()) <= BIO_WORDS:
        edges.names += split_names(glued[1])
        edges.bios.append(bio)
        edges.removed.append(("byline and bio", f"{glued[1]} {bio}"))
        if re.match(r"(?:He|She|They) ", rest):
            edges.doubts.append("edge_in_text")  # of the author still, or of the argument already?
        texts[0] = rest


def _first_sentence(text: str) -> tuple[str, str]:
    """Return the first sentence and the rest; initials and abbreviations end none, unless a new sentence opens.

    >>> _first_sentence("She works at Hanbit Shipping Co. Ltd. in Busan. It rained.")
    ('She works at Hanbit Shipping Co. Ltd. in Busan.', 'It rained.')
    """
    for end in _ENDS.finditer(text):
        word = text[: end.start()].rsplit(None, 1)[-1].strip("(“‘\"'")
        if word in _ABBREVIATION:
            continue
        if re.fullmatch(r"(?:[A-Z]\.)*[A-Z]", word) and not _OPENER.match(text[end.end() :]):
            continue
        return text[: end.end()].rstrip(), text[end.end() :]
    return text, ""


# -- at the tail ----------------------------------------------------------------------------------


def _tail(texts: list[str], linked: set[str], signed: Sequence[str], profile: Profile, edges: Boilerplate) -> None:
    """Take notes, byline, bio and lists of headlines off the end, whichever stands behind the other."""
    before = -1
    while before != len(texts):
        before = len(texts)
        _headlines_at_tail(texts, linked, profile, edges)
        _take(texts, -1, _tail_rules([*signed, *edges.names]), edges)


def _tail_rules(signed: list[str]) -> list[tuple[str, Rule]]:
    def bio(text: str, edges: Boilerplate) -> bool:
        if len(edges.bios) >= max(1, len(set(signed))):
            return False
        if _name_and_bio(text, edges):
            return True
        named = any(_is_third_person(text, name) for name in signed)
        if not (named or _is_nameless_bio(text) or (signed and _is_bio(text, ""))):
            return False
        edges.bios.insert(0, text)
        return True

    def name(text: str, edges: Boilerplate) -> bool:
        """A name alone is a signature when the page says that this person wrote it, or a bio stood behind it."""
        alone = NAME_ALONE.match(text)
        behind = bool(edges.removed) and edges.removed[-1][0] == "bio"
        if alone and (_among(alone[1], signed) or (behind and not edges.names)):
            if not _among(alone[1], signed):
                edges.names += [_person(one) for one in split_names(alone[1])]
            return True
        return False

    return [
        ("copyright", _note("copyright", COPYRIGHT)),
        ("print_edition", _note("print_edition", PRINT_EDITION)),
        ("translator_note", _note("translator_note", TRANSLATOR)),
        ("correction_note", _correction),
        ("byline", _byline),
        ("email", _mail),
        ("bio", bio),
        ("byline", name),
        ("partner", lambda text, _: bool(PARTNER.match(text))),
        ("invitation", lambda text, _: bool(INVITATION.match(text))),
        ("disclaimer", lambda text, _: bool(DISCLAIMER.match(text))),
    ]


def _headlines_at_tail(texts: list[str], linked: set[str], profile: Profile, edges: Boilerplate) -> None:
    """Take lines off the end that are nothing but a link, or dashed headlines.

    Dashed lines may be the argument's own list; they are headlines where a portal puts them, or behind a copyright
    line.
    """
    alone = dashed = 0
    while alone < len(texts) and texts[-1 - alone] in linked and not texts[-1 - alone].endswith("."):
        alone += 1
    while dashed < len(texts) and DASHED.match(texts[-1 - dashed]):
        dashed += 1
    run = texts[len(texts) - dashed :]
    above = texts[-1 - dashed] if dashed < len(texts) else ""
    proved = bool(COPYRIGHT.match(above) or INVITATION.match(above)) or (profile.dashed_headlines and dashed >= DASHES)
    prose = sum(text.endswith(".") for text in run)
    count = max(alone, dashed if proved and not above.endswith(":") and 2 * prose < max(dashed, 1) else 0)
    for text in texts[len(texts) - count :]:
        edges.related.append(text.lstrip("-–▶• "))
        edges.removed.append(("related", text))
    del texts[len(texts) - count :]


# -- at either end --------------------------------------------------------------------------------


def _is_bio(text: str, name: str) -> bool:
    """Whether a block next to a name tells of that person: place and name are the evidence."""
    if len(text.split()) > BIO_WORDS or BIO_DENIED.match(text):
        return False
    if name and _is_third_person(text, name):
        return True
    past = re.match(rf"[*—–-]?\s*(?:The\s+)?{_WHO}s?\s+(?:was|were)\b", text, re.IGNORECASE)
    return bool(BIO.match(text)) and (not past or bool(re.search(_OCCUPATION, text)))


def _is_nameless_bio(text: str) -> bool:
    """Whether a block tells of an author whom it does not name: it must say what they are, in one breath."""
    if not BIO.match(text) or BIO_DENIED.match(text) or len(text.split()) > UNNAMED_BIO_WORDS or " was " in text[:20]:
        return False
    return bool(re.search(_OCCUPATION, text)) and (bool(re.search(_INSTITUTION, text)) or not _first_sentence(text)[1])


def _is_third_person(text: str, name: str) -> bool:
    opened = re.match(rf"[*—–-]?\s*{re.escape(name)}(?:,| is | was | serves | teaches | works )", text, re.IGNORECASE)
    return bool(opened) and len(text.split()) <= BIO_WORDS and bool(re.search(_OCCUPATION, text))


def _look_once_more(edges: Boilerplate) -> None:
    """Note what no rule took and yet looks like an edge: better a page looked at than a silent mistake."""
    for part in (edges.paragraphs, edges.korean):
        last = part[-LOOK:]
        odd = [
            text
            for text in {*part[:LOOK], *last}
            if len(text) <= ODD
            and not BIO_DENIED.match(text)
            and (
                BY_LINE.match(text)
                or (BIO.match(text) and re.search(_OCCUPATION, text))
                or ("@" in text and len(text) <= LABEL)
            )
        ]
        ends = sum(bool(DASHED.match(text)) and not _PROSE_END.search(text) for text in last) >= 2
        if odd or (ends and len(part) > LOOK and not _listed(part)):
            edges.doubts.append("edge_in_text")
            return


def _listed(part: list[str]) -> bool:
    """Whether dashed lines at the end are announced by a colon, as an argument's own list is."""
    at = len(part)
    while at and DASHED.match(part[at - 1]):
        at -= 1
    return bool(at) and part[at - 1].endswith(":")


def _mail(text: str, edges: Boilerplate) -> bool:
    found = MAIL.match(text)
    if found:
        edges.emails.append(found[1])
    return bool(found)


def _note(name: str, pattern: re.Pattern[str]) -> Rule:
    def rule(text: str, edges: Boilerplate) -> bool:
        if getattr(edges, name) or not pattern.match(text):
            return False
        setattr(edges, name, text)
        return True

    return rule


_correction = _note("correction_note", CORRECTION)


def _among(name: str, signed: Sequence[str]) -> bool:
    return _person(name).casefold() in {one.casefold() for one in signed}


def _person(name: str) -> str:
    """Return a name without the title that Korean bylines carry."""
    return re.sub(rf"(?<=[가-힣])\s?{_KOREAN_TITLE}$", "", name)


def _spelled(text: str) -> str:
    return collapse(text).translate(str.maketrans("‘’“”–—", "''\"\"--")).casefold()
