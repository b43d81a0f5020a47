"""From one capture to the article a reader would see.

One parse serves metadata, selectors and text. What we know of a layout comes first, in the order of the capture's date;
a page that no profile fits is read generically, and such a reading never makes a page `ok`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import cast

from lxml.etree import Comment, ProcessingInstruction, XPath

from pipelines.extraction import fields
from pipelines.extraction.blocks import blocks_of
from pipelines.extraction.boilerplate import take_boilerplate
from pipelines.extraction.dates import Stated
from pipelines.extraction.decoding import decode
from pipelines.extraction.ledger import Piece, letters, lost_in_parsing, removed
from pipelines.extraction.page import Page, Statement, page_of, words_alone
from pipelines.extraction.quality import Evidence, is_short, with_status
from pipelines.extraction.region import Region, region_of
from pipelines.extraction.trafilatura_reader import library_version, parse, read_paragraphs
from pipelines.model import Article, Capture, Rules, Status
from pipelines.sources import Profile, Source
from pipelines.sources.addresses import Place, is_opinion

CODE = "5"  # raise it whenever the same capture would give another record
DATE_RULES = frozenset({"furniture", "update line"})  # what they take may state a date
ONE_WORD = re.compile(r"\w+")
MOST_MISSING, FEW_MISSING = 25, 8  # letters of a piece that authors, and other fields, need not hold: "By", an office
LONGEST_DECK, LEAST_SAME = 300, 40  # characters; so many at its beginning, found in the text, are no deck
MOST_COMMENTS = 3_000  # libxml2 takes the square of their number, here 0.2 s; the most of 70 news pages is 405
ELEMENTS, MOST_ELEMENTS = XPath("count(//*)"), 50_000  # of a page; the largest of 70 news pages has 3,129
GENERIC = Profile(name="generic", body=())


@dataclass(frozen=True)
class Extraction:
    """An article, and how it came about: what was tried for the body, and each piece of it that is not its text."""

    article: Article
    tried: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = ()

    @property
    def is_generic(self) -> bool:
        """Whether no profile fitted, so that the page was read without knowledge of its layout."""
        return self.article.profile == GENERIC.name


def rules_of(source: Source) -> Rules:
    """Return what shapes the records of a source: its profiles, our code and trafilatura's version."""
    version = library_version()
    shaping = {
        "profiles": [asdict(profile) for profile in source.profiles],
        "names": [source.publisher, source.names, source.press, source.press_in, str(source.timezone)],
        "judged": [source.evidence, source.own, source.opinion.pattern if source.opinion else ""],
        "addresses": [[a.prefix, a.pattern.pattern, a.time] for a in source.addresses],
        "spelling": [source.strip, sorted(source.same_host.items())],
        "trafilatura": version,
        "code": CODE,
    }
    text = json.dumps(shaping, sort_keys=True, default=str, ensure_ascii=False)
    return Rules(hashlib.sha256(text.encode()).hexdigest(), version, CODE)


def extract(capture: Capture, place: Place) -> Article:
    """Return the article that a capture shows, by the rules of its source. Never raises for a bad page."""
    return extract_explained(capture, place).article


def extract_explained(capture: Capture, place: Place) -> Extraction:
    """Return the article with its explanation. Never raises for a bad page."""
    try:
        return _read(capture, place)
    except Exception as error:  # pages are hostile: what nobody foresaw must cost one page, and be seen
        return _refused(f"unforeseen_{type(error).__name__}", place.source)


def _refused(reason: str, source: Source) -> Extraction:
    return Extraction(Article(status=Status.REJECT, reasons=(reason,), publisher=source.publisher))


def _read(capture: Capture, place: Place) -> Extraction:
    source = place.source
    if not is_opinion(place):
        return _refused("other_section", source)
    decoded = decode(capture.payload, capture.header("content-type"))
    tree = parse(decoded)
    if tree is None:
        return _refused("unreadable", source)
    comments = sum(1 for _ in tree.iter(Comment, ProcessingInstruction))
    if cast("float", ELEMENTS(tree)) > MOST_ELEMENTS or comments > MOST_COMMENTS:
        return _refused("too_costly", source)
    page = page_of(tree)
    if source.press and not fields.of_press(page, source):
        return _refused("other_press", source)
    tried: list[str] = []
    region = region_of(page, place, capture.fetched_at, tried)
    if region is None:
        return _refused("too_costly", source)
    lost = (
        lost_in_parsing(decoded.text, page.long_texts) if region.profile else []
    )  # without one, the page is a doubt anyway
    return _reading(capture, place, page, region, lost, tuple(tried))


def _reading(
    capture: Capture, place: Place, page: Page, region: Region, lost: list[str], tried: tuple[str, ...]
) -> Extraction:
    source, profile = place.source, region.profile or _elsewhere(place.source, capture)
    title = fields.headline(page, profile, source)
    outside = fields.signed_outside(page, profile, source)
    boilerplate = take_boilerplate(region.blocks, title.value if title else "", profile, outside[0], names_of(source))
    english, korean = boilerplate.paragraphs, boilerplate.korean
    authors, signed_in = fields.authors(boilerplate, outside, page, profile, source)
    told = {author.bio for author in authors}
    if any(not any(bio in whole for whole in told) for bio in boilerplate.bios):
        boilerplate.warnings.append("bio_without_name")
    dated = [piece.text for piece in boilerplate.pieces if piece.rule in DATE_RULES]
    fetched = capture.fetched_at.astimezone(source.timezone).date()
    dates = fields.dates(page, profile, place, dated, fetched)
    published = dates.published[0] if dates.published else None
    section = fields.section(page, profile)
    label = title.value if title and title.value != boilerplate.headline else ""  # a title that only says what it is
    kind, kind_from = fields.kind(section or label, place, boilerplate, bool(authors))
    deck = page.first(*profile.deck)
    notice = page.first(*profile.copyright)
    article = Article(
        status=Status.OK,
        headline=boilerplate.headline,
        deck=deck.value if deck else boilerplate.deck,
        kind=kind,
        authors=authors,
        published_at=_local(published, source),
        published_day=published.day if published else None,
        published_precision=published.precision if published else "none",
        modified_at=_local(dates.modified[0] if dates.modified else None, source),
        published_raw=dates.raw,
        date_source=_witness(dates.published and dates.published[1]),
        language="+".join(code for code, part in (("en", english), ("ko", korean)) if part),
        text="\n\n".join(english),
        text_ko="\n\n".join(korean),
        captions=_once(*_in_field(region, "captions"), *boilerplate.captions),
        images=fields.images(region.nodes),
        related=_once(*_related(page, profile), *boilerplate.related),
        embeds=_once(*_in_field(region, "embeds")),
        correction_note=boilerplate.correction_note,
        translator_note=boilerplate.translator_note,
        print_edition=boilerplate.print_edition,
        emails=_once(*boilerplate.emails),
        publisher=source.publisher,
        copyright=boilerplate.copyright or (notice.value if notice else ""),
        rights_signals=fields.rights(page, capture),
        witnesses=_witnesses(
            dates,
            text=region.selector,
            headline=_witness(title),
            deck=_witness(deck),
            authors=signed_in,
            kind=kind_from,
        ),
        profile=profile.name,
    )
    article = _with_deck(article, page, profile)
    pieces = [_kept(piece, article) for piece in (*region.pieces, *boilerplate.pieces)]
    pieces += [Piece("parser", "", text, own=text) for text in lost]
    article = _accounted(article, region, pieces)
    says = _address_says(place)
    seen = Evidence(page, capture, source, region, dates, section, says, boilerplate, pieces)
    return Extraction(with_status(article, seen), tried, tuple(pieces))


def _with_deck(article: Article, page: Page, profile: Profile) -> Article:
    """Return the article with the deck that its layout keeps in a meta: what that says and the text does not. A text
    that may have lost its beginning gets none."""
    said = None if article.deck or is_short(article) else page.meta(*profile.deck_meta)
    if said is None or said.value.endswith(("…", "...")) or len(said.value) > LONGEST_DECK:
        return article
    words = words_alone(said.value)
    text = words_alone(f"{article.headline} {article.text} {article.text_ko}")
    if not words or words in text or words[:LEAST_SAME] in text:
        return article
    witnesses = tuple(sorted((*article.witnesses, ("deck", said.provenance))))
    return replace(article, deck=said.value, witnesses=witnesses)


def names_of(source: Source) -> tuple[str, ...]:
    """Return what the site and its newspaper call themselves."""
    return (*source.names, *source.press, source.publisher) if source.publisher else source.names


def _kept(piece: Piece, article: Article) -> Piece:
    """Return a piece without its field when its words are not there: a bio of nobody, a sentence among links."""
    if not piece.field:
        return piece
    value = getattr(article, piece.field)
    if piece.field == "authors":
        value = (
            *(f"{author.name} {author.bio}" for author in article.authors),
            *article.emails,
            article.translator_note,
        )
    there = set(ONE_WORD.findall((value if isinstance(value, str) else " ".join(value)).casefold()))
    missing = sum(len(word) for word in ONE_WORD.findall(piece.text.casefold()) if word not in there)
    most = MOST_MISSING if piece.field == "authors" else FEW_MISSING
    return piece if value and missing < most else replace(piece, field="", own=piece.text)


def _accounted(article: Article, region: Region, pieces: list[Piece]) -> Article:
    """Return the article with the account of its region's letters, and of trafilatura's part in its text."""
    paragraphs = [text for text in (*article.text.split("\n\n"), *article.text_ko.split("\n\n")) if text]
    there = letters(region.whole_text)
    text = letters(*paragraphs)
    kept = text + letters(*(piece.text for piece in pieces if piece.field))
    gone = letters(*(piece.text for piece in pieces if not piece.field))
    if region.profile is None:
        put_back = {block.text for block in region.restored}
        restored = letters(*(one for one in paragraphs if one in put_back)).total()
    else:
        restored = (text - letters(*read_paragraphs(paragraphs))).total()
    return replace(
        article,
        removed=removed(pieces),
        unaccounted=(there - kept - gone).total(),
        coverage=round((there & kept).total() / there.total(), 4) if there else 0.0,
        restored=restored,
        reader_agreement=round(1 - restored / text.total(), 4) if text else 0.0,
    )


def _in_field(region: Region, name: str) -> Iterator[str]:
    return (piece.text for piece in region.pieces if piece.field == name)


def _once(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _witnesses(dates: fields.Dates, **said: str) -> tuple[tuple[str, str], ...]:
    """Return who said so, field by field; witnesses of publication that name another day have a line of their own."""
    said["published_at"] = _witness(dates.published and dates.published[1])
    said["modified_at"] = _witness(dates.modified and dates.modified[1])
    said["published_at_otherwise"] = "; ".join(f"{one.provenance}: {_spelled(when)}" for when, one in dates.others)
    return tuple(sorted((field_, witness) for field_, witness in said.items() if witness))


def _spelled(said: Stated) -> str:
    return (said.moment or said.day).isoformat()


def _local(said: Stated | None, source: Source) -> datetime | None:
    return said.moment.astimezone(source.timezone) if said and said.moment else None


def _elsewhere(source: Source, capture: Capture) -> Profile:
    """Return what may still hold of a page whose body nobody knows: the selectors of the layout last in force."""
    latest = next(iter(source.profiles_at(capture.fetched_at)), GENERIC)
    return replace(latest, name="generic", body=())


def _related(page: Page, profile: Profile) -> Iterator[str]:
    for selector in profile.related:
        for element in page.select(selector):
            yield from (block.text.lstrip("-–▶• ") for block in blocks_of(element) if block.kind != "figure")


def _address_says(place: Place) -> bool:
    """Whether the address itself names the opinion section, and not only a number."""
    return bool(fields.OPINION.search(place.canonical_url.partition("?")[0]))


def _witness(said: Statement | None) -> str:
    return said.provenance if said else ""
