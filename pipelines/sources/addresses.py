"""Which article does an address name? Canonical addresses and ids of every era."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pipelines.sources import Address, Source

# of any archive that plays back under `…/<14 digits>[id_]/<address>`: the Wayback Machine, pywb, OpenWayback
ARCHIVED_COPY = re.compile(
    r"https?://[^/?#]+/(?:[\w.~-]+/){0,3}(?P<stamp>\d{14})(?P<way>[a-z]{2}_)?/(?P<url>https?(?::|%3a)/{1,2}[^/].*)",
    re.IGNORECASE,
)
AS_CAPTURED = "id_"  # of a copy's address: as it was captured, neither toolbar nor changed links


@dataclass(frozen=True)
class Place:
    """An address understood: whose it is, which article, and the rank of that form of address (0 is best)."""

    source: Source
    article_id: str
    native_id: str
    canonical_url: str
    rank: int


def canonical_url(url: str, source: Source) -> str:
    """Return the one spelling of an address; its own result is unchanged by it.

    >>> from pipelines.sources import load_sources
    >>> kjd = load_sources()["kjd"]
    >>> canonical_url("HTTP://KoreaJoongAngDaily.joins.com:80/News/article/Article.aspx?cloc=x&aid=3042020#top", kjd)
    'https://koreajoongangdaily.joins.com/news/article/article.aspx?aid=3042020'
    """
    parts = urlsplit(url.strip())
    host = (parts.hostname or "").rstrip(".")
    host = source.same_host.get(host, host)
    kept = [(k, v) for k, v in parse_qsl(parts.query) if not any(fnmatch(k, p) for p in source.strip)]
    path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~-._")
    if path.lower().endswith(".aspx"):  # era A answers in any case
        path = path.lower()
    return urlunsplit(("https", host, path, urlencode(kept), ""))


def place_of(url: str, sources: Iterable[Source]) -> Place | None:
    """Return what an address names, or None when no source knows its form.

    >>> from pipelines.sources import load_sources
    >>> place_of("https://v.daum.net/v/20240626200145724?f=o", load_sources().values()).article_id
    'daum-20240626200145724'
    """
    url = unwrapped(url)
    try:
        host = urlsplit(url.strip()).hostname or ""
    except ValueError:
        return None
    for source in sources:
        if host.rstrip(".") in source.hosts or host.rstrip(".") in source.same_host:
            whole = canonical_url(url, source)
            return _place(whole, source) or _place(whole.partition("?")[0], source)  # the path alone may name it
    return None


def unwrapped(url: str) -> str:
    """Return the address that a web archive's address holds, any other as it is.

    >>> unwrapped("https://web.archive.org/web/20160101000000id_/http://example.org/a?b=1")
    'http://example.org/a?b=1'
    """
    found = archived_copy(url)
    return found.url if found else url


@dataclass(frozen=True, slots=True)
class ArchivedCopy:
    """What an address of a public archive names: the moment of a capture (14 digits, UTC), its address, and whether it
    is served as it was captured."""

    stamp: str
    url: str
    is_as_captured: bool


def archived_copy(url: str) -> ArchivedCopy | None:
    """Return what a public archive's address names, or None for any other address.

    >>> archived_copy("https://web.archive.org/web/20160101000000id_/http://example.org/a?b=1")
    ArchivedCopy(stamp='20160101000000', url='http://example.org/a?b=1', is_as_captured=True)
    """
    found = ARCHIVED_COPY.match(url.strip())
    if found is None:
        return None
    inner = re.sub(r"^(https?)(?::|%3a)/+", r"\1://", found["url"], flags=re.IGNORECASE)
    return ArchivedCopy(found["stamp"], inner, (found["way"] or "").lower() == AS_CAPTURED)


def place_naming(url: str, article_id: str, sources: Iterable[Source]) -> Place | None:
    """Return what an address names, or None when that is not this article."""
    place = place_of(url, sources)
    return place if place and place.article_id == article_id else None


def _place(canonical: str, source: Source) -> Place | None:
    for address in source.addresses:
        found = address.pattern.search(canonical)
        if found:
            parts = (part for name, part in found.groupdict().items() if part and name != "day")
            native = address.prefix + "-".join(parts)
            return Place(source, f"{source.name}-{native}", native, canonical, address.rank)
    return None


def split_id(article_id: str) -> tuple[str, str]:
    """Return source name and native id.

    >>> split_id("naver-640-0000057385")
    ('naver', '640-0000057385')
    """
    source, _, native = article_id.partition("-")
    return source, native


def numbering(article_id: str) -> str:
    """Return of which series of the site's numbers an article's is: what stands before its digits.

    >>> numbering("kjd-c2068163")
    'c'
    """
    return re.split(r"\d", split_id(article_id)[1], maxsplit=1)[0]


def time_in(place: Place) -> datetime | None:
    """Return the moment of publication that the id itself states, where a source's ids do."""
    address = _address_of(place)
    if address is None or not address.time:
        return None
    try:
        return datetime.strptime(place.native_id.removeprefix(address.prefix)[:14], address.time).replace(
            tzinfo=place.source.timezone
        )
    except ValueError:
        return None


def day_in(place: Place) -> str:
    """Return the day that the address itself names beside the id, `YYYY-MM-DD`; empty where it names none.

    >>> from pipelines.sources import load_sources
    >>> kjd = load_sources().values()
    >>> day_in(place_of("https://koreajoongangdaily.joins.com/news/2024-06-13/opinion/columns/A-ferry/2068163", kjd))
    '2024-06-13'
    """
    address = _address_of(place)
    found = address.pattern.search(place.canonical_url) if address else None
    return (found.groupdict().get("day") or "").replace("/", "-") if found else ""


def _address_of(place: Place) -> Address | None:
    return next((address for address in place.source.addresses if address.rank == place.rank), None)


def is_opinion(place: Place) -> bool:
    """Whether the address may be an op-ed as far as its path tells."""
    return _may_be_opinion(place.canonical_url, place.source)


def is_unknown_opinion(url: str, source: Source) -> bool:
    """Whether an address of no known form lies on a site of the source, in what may be one of its opinion sections.

    >>> from pipelines.sources import load_sources
    >>> kjd = load_sources()["kjd"]
    >>> [is_unknown_opinion(f"https://www.koreajoongangdaily.com/{p}", kjd) for p in ("opinion/x/abc", "sports/x/abc")]
    [True, False]
    """
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
        there = host in source.hosts or host in source.same_host
        return there and place_of(url, [source]) is None and _may_be_opinion(canonical_url(url, source), source)
    except ValueError:
        return False


def _may_be_opinion(canonical: str, source: Source) -> bool:
    return source.opinion is None or bool(source.opinion.search(canonical))
