"""From one capture to the article a reader would see: the one module that knows trafilatura.

One parse serves metadata, selectors and text. Own rules first, trafilatura as reader of the body and as
the generic reading of pages that no profile fits; such a reading never makes a page `ok`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from lxml.etree import ParserError, SubElement
from lxml.html import Element as new_element
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from pipelines.addresses import Place, is_opinion, time_in
from pipelines.blocks import HANGUL, HANGUL_WEIGHT, Block, blocks_of, split_languages
from pipelines.dates import moment
from pipelines.edges import Edges, take_edges
from pipelines.nouns import Article, Author, Capture, Rules, Status
from pipelines.page import Page, Said, collapse, people, read_page, select, split_names
from pipelines.sources import Profile, Source

if TYPE_CHECKING:
    from trafilatura.settings import Extractor

CODE = "1"  # raise it whenever the same capture would give another record
MIN_COVERAGE = 0.99
MIN_BLOCKS, MIN_UNITS = 3, 800  # of an op-ed; a Hangul syllable counts for 2.2 Latin letters
MAX_BYTES = 10_000_000  # of a page; the largest news page measured has 3 MB
NOT_OPINION = frozenset({"other_section", "other_press"})  # reasons that say: this is no op-ed
KINDS = ("editorial", "column", "fountain", "letter", "cartoon")


@dataclass(frozen=True)
class Body:
    """The blocks of a page's body, by which profile, or by none."""

    blocks: list[Block]
    nodes: list[HtmlElement]
    profile: Profile | None


def rules_of(source: Source) -> Rules:
    """Return what shapes the records of a source: its profiles, our code and trafilatura's version."""
    version = _trafilatura_version()
    shaping = {
        "profiles": [asdict(profile) for profile in source.profiles],
        "names": [source.publisher, source.names, source.press, str(source.timezone), source.evidence, source.own],
        "addresses": [[a.prefix, a.pattern.pattern, a.time] for a in source.addresses],
        "spelling": [source.strip, sorted(source.same_host.items())],
        "opinion": source.opinion.pattern if source.opinion else "",
        "trafilatura": version,
        "code": CODE,
    }
    text = json.dumps(shaping, sort_keys=True, default=str, ensure_ascii=False)
    return Rules(hashlib.sha256(text.encode()).hexdigest(), version, CODE)


def extract(capture: Capture, place: Place) -> Article:
    """Return the article that a capture shows, by the rules of its source. Never raises for a bad page."""
    try:
        return _extracted(capture, place)
    except Exception as error:  # pages are hostile: what nobody foresaw must cost one page, and be seen
        return Article(status=Status.REJECT, reasons=(f"error_{type(error).__name__}",))


def _extracted(capture: Capture, place: Place) -> Article:
    source = place.source
    if not is_opinion(place):
        return Article(status=Status.REJECT, reasons=("other_section",), publisher=source.publisher)
    tree = _tree(capture)
    if tree is None:
        return Article(status=Status.REJECT, reasons=("unreadable",), publisher=source.publisher)
    page = read_page(tree)
    if source.press and not _of_press(page, source):
        return Article(status=Status.REJECT, reasons=("other_press",))
    return _article(capture, place, page)


def _article(capture: Capture, place: Place, page: Page) -> Article:
    source = place.source
    body = _body(page, source, capture.fetched_at)
    profile = body.profile or Profile(name="generic", body=())
    said = _headline(page, profile, source)
    deck = page.first(*profile.deck)
    edges = take_edges(body.blocks, said.value if said else "")
    if body.profile:
        english, korean = _read(edges.paragraphs), _read(edges.korean)
    else:
        english, korean = split_languages(_generic(page.tree))
    authors, author_witness = _authors(page, profile, source, edges)
    published, modified = _dates(page, profile, place)
    kind, kind_witness = _kind(page, profile, place, edges, authors)
    wanted, got = _solid([*edges.paragraphs, *edges.korean]), _solid([*english, *korean])
    heard = {
        "headline": said,
        "deck": deck,
        "published_at": published and published[1],
        "modified_at": modified and modified[1],
    }
    witnesses = {"authors": author_witness, "kind": kind_witness} | {k: v.witness for k, v in heard.items() if v}
    article = Article(
        status=Status.OK,
        headline=said.value if said else "",
        deck=deck.value if deck else "",
        kind=kind,
        authors=authors,
        published_at=published[0] if published else None,
        modified_at=modified[0] if modified else None,
        published_raw=published[1].value if published else "",
        date_source=published[1].witness if published else "",
        language="+".join(code for code, part in (("en", english), ("ko", korean)) if part),
        text="\n\n".join(english),
        text_ko="\n\n".join(korean),
        captions=_captions(body, profile, edges),
        images=_images(body),
        related=tuple(edges.related),
        correction_note=edges.correction_note,
        translator_note=edges.translator_note,
        print_edition=edges.print_edition,
        emails=tuple(edges.emails),
        publisher=source.publisher,
        copyright=edges.copyright or _text(page.first(*profile.copyright)),
        rights_signals=_rights(page, capture),
        witnesses=tuple(sorted((key, value) for key, value in witnesses.items() if value)),
        coverage=round(got / wanted, 4) if wanted else 0.0,
        profile=profile.name,
    )
    return _judged(article, body, source, capture)


def _judged(article: Article, body: Body, source: Source, capture: Capture) -> Article:
    """Return the article with its status and every reason for it; the gravest reason decides."""
    text = article.text or article.text_ko
    units = _solid([text]) + (HANGUL_WEIGHT - 1) * len(HANGUL.findall(text))
    findings = [
        (Status.TRUNCATED, "answer_cut_off", capture.truncated),
        (Status.REJECT, "no_text", not text and article.kind != "cartoon"),
        (Status.DRIFT, "no_profile_fits", body.profile is None),
        (Status.DRIFT, "lost_text", body.profile is not None and article.coverage < MIN_COVERAGE and bool(text)),
        (Status.REVIEW, "no_headline", not article.headline),
        (Status.REVIEW, "no_date", article.published_at is None),
        (Status.REVIEW, "short", article.kind not in {"cartoon", "letter"} and _is_short(text, units)),
        (Status.REVIEW, "no_evidence_of_opinion", source.evidence and article.kind == "unknown"),
        (Status.REVIEW, "from_the_future", bool(article.published_at and article.published_at > capture.fetched_at)),
    ]
    found = [(status, reason) for status, reason, holds in findings if holds]
    gravest = max((status for status, _ in found), key=list(Status).index, default=Status.OK)
    return replace(article, status=gravest, reasons=tuple(reason for _, reason in found))


def _is_short(text: str, units: float) -> bool:
    return text.count("\n\n") + 1 < MIN_BLOCKS or units < MIN_UNITS


def _tree(capture: Capture) -> HtmlElement | None:
    """Parse a page once. Unknown or broken input gives None, never an error."""
    from trafilatura.utils import load_html

    if not capture.payload.strip() or len(capture.payload) > MAX_BYTES:
        return None
    charset = _charset(capture)
    if charset:
        try:
            return document_fromstring(capture.payload.decode(charset), parser=HTMLParser(huge_tree=False))
        except (UnicodeDecodeError, ValueError, ParserError):
            pass  # the header lies, or the page declares its own encoding: let the library guess
    tree: HtmlElement | None = load_html(capture.payload)
    return tree


def _charset(capture: Capture) -> str:
    """Return the charset of the HTTP header when the page itself names none that differs."""
    declared = capture.header("content-type").lower().partition("charset=")[2].strip(" \"';")
    return declared if declared in {"utf-8", "utf8"} else ""


def _body(page: Page, source: Source, when: datetime) -> Body:
    for profile in source.profiles_at(when.astimezone(source.timezone).date()):
        for selector in profile.body:
            nodes = _outermost(select(page.tree, selector))
            blocks = [block for node in nodes for block in blocks_of(node, _dropped(node, profile))]
            if any(block.kind == "p" for block in blocks):
                return Body(blocks, nodes, profile)
    return Body([], [], None)


def _outermost(nodes: list[HtmlElement]) -> list[HtmlElement]:
    """Leave out nodes inside of others found, so that no paragraph is read twice."""
    found = set(nodes)
    return [node for node in nodes if not any(parent in found for parent in node.iterancestors())]


def _dropped(node: HtmlElement, profile: Profile) -> frozenset[HtmlElement]:
    return frozenset(element for selector in profile.drop for element in select(node, selector))


def _read(paragraphs: list[str]) -> list[str]:
    """Return the paragraphs as trafilatura reads them from plain blocks; what it drops lowers coverage."""
    if not paragraphs:
        return []
    page = new_element("html")
    article = SubElement(SubElement(page, "body"), "article")
    for paragraph in paragraphs:
        SubElement(article, "p").text = paragraph
    return _document_lines(page, _extractor(fast=True))


def _generic(tree: HtmlElement) -> list[str]:
    """Return the paragraphs of a page that no profile fits, read without knowledge of it."""
    return _document_lines(tree, _extractor(fast=False))


def _document_lines(tree: HtmlElement, options: Extractor) -> list[str]:
    from trafilatura import bare_extraction

    document = bare_extraction(tree, options=options)
    text = document.text if document is not None and not isinstance(document, dict) else ""
    return [collapse(line) for line in (text or "").split("\n") if line.strip()]


@cache
def _extractor(fast: bool) -> Extractor:
    """No metadata, so no date logic that would be frozen here; no comments; nothing remembered between pages."""
    from trafilatura.settings import Extractor

    return Extractor(output_format="python", comments=False, fast=fast, tables=True)


@cache
def _trafilatura_version() -> str:
    from importlib.metadata import version

    return version("trafilatura")


def _headline(page: Page, profile: Profile, source: Source) -> Said | None:
    said = (
        page.first(*profile.headline)
        or page.json_ld("headline")
        or page.meta("og:title", "twitter:title")
        or page.first("h1")
        or page.first("title")
    )
    return Said(_without_site(said.value, page, source), said.witness) if said else None


def _without_site(title: str, page: Page, source: Source) -> str:
    """Cut ` - Site` or ` | Site` only when that last part is the site's own name."""
    names = {name.casefold() for name in (*source.names, source.publisher, page.metas.get("og:site_name", "")) if name}
    for separator in (" - ", " | ", " – "):
        head, found, tail = title.rpartition(separator)
        if found and tail.strip().casefold() in names:
            return head.strip()
    return title


def _authors(page: Page, profile: Profile, source: Source, edges: Edges) -> tuple[tuple[Author, ...], str]:
    """Return who signs: the body's own byline first, then the page's, then its metadata."""
    names, witness = list(dict.fromkeys(edges.names)), "body"
    if not names:
        byline = page.first(*profile.byline)
        names = _names(byline.value, source) if byline else []
        witness = byline.witness if byline else ""
    if not names:
        said = [s for s in people(page) if _is_person(s.value, source)]
        names, witness = [s.value for s in said], said[0].witness if said else ""
    bio = " ".join(edges.bios)
    authors = tuple(Author(name, bio if len(names) == 1 else "") for name in names)
    return authors, witness if authors else ""


def _names(byline: str, source: Source) -> list[str]:
    return [name for name in split_names(byline.removesuffix("기자").strip()) if _is_person(name, source)]


def _is_person(name: str, source: Source) -> bool:
    """A publisher's name, a date or a line of interface is no person."""
    plain = name.casefold().removeprefix("the ").strip()
    publishers = {n.casefold().removeprefix("the ") for n in (*source.names, *source.press, source.publisher)}
    return bool(plain) and plain not in publishers and not any(c.isdigit() for c in plain) and len(plain.split()) <= 5


Moment = tuple[datetime, Said] | None


def _dates(page: Page, profile: Profile, place: Place) -> tuple[Moment, Moment]:
    """Return published and modified moments with who said so; None rather than a guess."""
    published, modified = _published(page, profile, place), _modified(page, profile)
    return _first_moment(published, place.source), _first_moment(modified, place.source)


def _published(page: Page, profile: Profile, place: Place) -> Iterator[Said | None]:
    """Yield who may know the moment of publication, the best witness first."""
    yield page.meta("og:regDate")
    yield page.json_ld("datePublished")
    yield page.meta("article:published_time")
    yield page.first(*profile.date)
    from_id = time_in(place)
    yield Said(from_id.isoformat(), "address") if from_id else None


def _modified(page: Page, profile: Profile) -> Iterator[Said | None]:
    yield page.json_ld("dateModified")
    yield page.meta("article:modified_time")
    yield page.first(*profile.modified)


def _first_moment(said: Iterable[Said | None], source: Source) -> Moment:
    for statement in said:
        when = moment(statement.value, source.timezone) if statement else None
        if when and statement:
            return when.astimezone(source.timezone), statement
    return None


def _kind(page: Page, profile: Profile, place: Place, edges: Edges, authors: tuple[Author, ...]) -> tuple[str, str]:
    """Return the kind by address, by the page's own section, else by the form of the text."""
    section = page.first(*profile.section)
    for text, witness in ((place.canonical_url.rsplit("/", 2)[0], "address"), (_text(section), "section")):
        for kind in KINDS:
            if kind in text.lower():
                return kind, witness
    if edges.bios or (authors and place.source.own):
        return "column", "text"
    if place.source.own and (edges.paragraphs or edges.korean):
        return "editorial", "text"
    return "unknown", ""


def _captions(body: Body, profile: Profile, edges: Edges) -> tuple[str, ...]:
    found = (element for node in body.nodes for selector in profile.caption for element in select(node, selector))
    texts = [collapse(" ".join(element.itertext())) for element in found]
    return tuple(dict.fromkeys([*filter(None, texts), *edges.captions]))


def _images(body: Body) -> tuple[str, ...]:
    """Return addresses of the body's images; they are noted, never fetched: the pictures are other people's."""
    images = (image for node in body.nodes for image in node.iter("img"))
    found = (image.get("data-org-src") or image.get("data-src") or image.get("src") for image in images)
    return tuple(dict.fromkeys(src for src in found if src and src.startswith("http")))


def _rights(page: Page, capture: Capture) -> tuple[str, ...]:
    """Return what page and answer say about use: robots metas, text-mining reservation."""
    metas = (
        f"meta {name}: {page.metas[name]}" for name in ("robots", "tdm-reservation", "tdm-policy") if name in page.metas
    )
    headers = (
        f"header {name}: {capture.header(name)}" for name in ("x-robots-tag", "tdm-reservation") if capture.header(name)
    )
    return (*metas, *headers)


def _of_press(page: Page, source: Source) -> bool:
    """Whether a portal's page carries our newspaper: by its metas only, a text may quote any name."""
    said = " ".join(s.value for s in (page.meta("og:article:author"), page.meta("og:site_name")) if s)
    return any(name in said for name in source.press) if said else True


def _solid(texts: list[str]) -> int:
    """Count the characters that are not white space."""
    return sum(map(len, " ".join(texts).split()))


def _text(said: Said | None) -> str:
    return said.value if said else ""
