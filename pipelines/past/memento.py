"""What a public archive's answer is: the page as it was served then, or why it is none. Functions of values."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import responses
from io import BytesIO
from urllib.parse import urljoin, urlsplit

from pipelines.archive.records import Trouble, records
from pipelines.archive.warc import (
    MOST_BLOCK,
    Exchange,
    Retrieved,
    capture_of,
    exchange_of_record,
)
from pipelines.clock import OLDEST_PAGE, iso
from pipelines.errors import UnreadableWarc
from pipelines.past.choice import MOVED
from pipelines.past.questions import ArchivedRow
from pipelines.sources import Source
from pipelines.sources.addresses import archived_copy, day_in, place_of, time_in
from pipelines.sources.public import PublicArchive

ORIGINAL = "x-archive-orig-"  # begins the name of a header of then
HIDE_DIGEST = frozenset({"content-encoding", "transfer-encoding"})
OF_CODING = HIDE_DIGEST | {"content-length", "connection"}
# what a public archive adds to a page that it changes: its toolbar, scripts that rewrite links, links below itself
# (with its host in front they may be the page's own: people quote archives)
REWRITTEN = re.compile(
    rb"BEGIN WAYBACK TOOLBAR INSERT|FILE ARCHIVED ON \d|/_static/js/(?:bundle-playback|wombat)|wombat\.js"
    rb"|__wm\.(?:init|wombat)|wbinfo\.(?:url|timestamp)|(?:href|src)=[\"']?/(?:[\w-]{1,40}/)?\d{14}(?:[a-z]{2}_)?/https?:/"
)
CHANGED_PAGE = "the archive changed the page (toolbar or links); ask it for the page as it was captured"


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of an answer: a `page`, or a `result` and its reason as in a crawl's account.

    `follow` is the archive's address of another moment of the same article, `target` where a captured redirect led.
    """

    result: str = ""
    reason: str = ""
    page: Exchange | None = None
    follow: str = ""
    target: str = ""


def is_rewritten(body: bytes) -> bool:
    """Whether a public archive changed a page, by what it adds.

    >>> is_rewritten(b'<a href="/web/20160101000000/http://example.org/">')
    True
    """
    return REWRITTEN.search(body) is not None


def playback_address(archive: PublicArchive, row: ArchivedRow) -> str:
    """Return the address at which the archive has a row's capture."""
    return archive.playback.format(stamp=row.stamp, url=row.url, file=row.file)


def judge_answer(
    archive: PublicArchive, source: Source, row: ArchivedRow, asked: str, answer: Exchange, cut: str
) -> Judged:
    """Return what an answer to the request for a row is. `asked` is the first address asked for the row, `cut` why the
    answer is not whole."""
    if answer.status in MOVED:
        return _led(source, row, answer, archive.hosts)
    if answer.status in {401, 403, 451}:
        return Judged("disallowed", f"the archive refuses it (HTTP {answer.status})")
    if answer.status not in {200, 206}:
        return Judged("failed", f"the archive answered {answer.status}")
    if cut:
        return Judged("failed", f"truncated: {cut}")
    told = Retrieved(archive.name, asked, answer.url, iso(answer.fetched_at), row.digest)
    found = _record_in(source, row, answer, told) if archive.kind == "commoncrawl" else _memento(row, answer, told)
    wrong = _wrong(found.page, source, row, answer) if found.page else ""
    return Judged("failed", wrong) if wrong else found


def _wrong(page: Exchange, source: Source, row: ArchivedRow, answer: Exchange) -> str:
    """Return why a page is not the one that was asked for, or not as it was; an empty string for a good one."""
    place = place_of(page.url, [source])
    wanted = place_of(row.url, [source])
    if place is None or wanted is None or place.article_id != wanted.article_id:
        return f"it is another page: {page.url}"
    if page.fetched_at.date() < OLDEST_PAGE or page.fetched_at > answer.fetched_at:
        return f"it says that it was captured on {page.fetched_at.date()}"
    published = day_in(place) or (f"{moment:%Y-%m-%d}" if (moment := time_in(place)) else "")
    if published and f"{page.fetched_at + timedelta(days=1):%Y-%m-%d}" < published:
        return f"it says that it was captured on {page.fetched_at.date()}, before it was published"
    capture = capture_of(page)
    if capture.truncated:
        return f"truncated: {capture.truncated}"
    if not capture.payload.strip():
        return "it is empty"
    return CHANGED_PAGE if is_rewritten(capture.payload) else ""


def _led(source: Source, row: ArchivedRow, answer: Exchange, hosts: Container[str] = ()) -> Judged:
    """Return where a redirect leads: to another moment of the article at one of the archive's `hosts`, or as the site
    itself led then."""
    try:
        to = urljoin(answer.url, answer.header("location"))
    except ValueError:
        return Judged("failed", "led to an address that is none")
    copy = archived_copy(to)
    url = copy.url if copy else to
    place, wanted = place_of(url, [source]), place_of(row.url, [source])
    if place is None or wanted is None:
        return Judged("failed", f"led to {url[:300]}, which is no article")
    if place.article_id != wanted.article_id:
        return Judged("alias", target=place.article_id)
    if copy is None or to == answer.url or (urlsplit(to).hostname or "") not in hosts:
        return Judged("failed", "led to itself")
    return Judged(follow=to)


def _memento(row: ArchivedRow, answer: Exchange, told: Retrieved) -> Judged:
    """Return the page of a playback: its moment is what the archive says that it served, else what was asked for."""
    copy = archived_copy(answer.url)
    stamp = copy.stamp if copy else row.stamp
    url = copy.url if copy else row.url
    try:
        moment = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        served = answer.header("memento-datetime")
        moment = parsedate_to_datetime(served).astimezone(UTC) if served else moment
    except (ValueError, TypeError, OverflowError):
        return Judged("failed", "it says no moment that can be read")
    payload = capture_of(replace(answer, url=url)).payload
    headers = tuple(
        (name[len(ORIGINAL) :], value)
        for name, value in answer.headers
        if name.lower().startswith(ORIGINAL) and name.lower()[len(ORIGINAL) :] not in OF_CODING
    )
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers = (("Content-Type", answer.header("content-type")), *headers)
    is_asked = moment.strftime("%Y%m%d%H%M%S") == row.stamp
    told_then = [name.lower() for name, _ in answer.headers if name.lower().startswith(ORIGINAL)]
    is_hidden = not told_then or any(name.removeprefix(ORIGINAL) in HIDE_DIGEST for name in told_then)
    fits = _fits(row.digest if is_asked else "", (answer.body, payload), is_hidden)
    told = replace(told, digest=row.digest if is_asked else "", digest_fits=fits)
    page = Exchange(url, moment, 200, responses[HTTPStatus.OK], headers, payload, retrieved=told)
    return Judged(page=page)


def _record_in(source: Source, row: ArchivedRow, answer: Exchange, told: Retrieved) -> Judged:
    """Return the page of the WARC record that a range of a file is."""
    found = next(iter(records(BytesIO(answer.body), lambda kind, url: MOST_BLOCK)), None)
    if found is None or isinstance(found, Trouble) or found.kind != "response":
        said = found.said if isinstance(found, Trouble) else "no response"
        return Judged("failed", f"truncated: the range is no whole record ({said})")
    try:
        page = exchange_of_record(found)
    except UnreadableWarc as error:
        return Judged("failed", f"the record cannot be read: {error}")
    if page.status in MOVED:
        return _led(source, row, page)
    if page.status != 200:
        return Judged("failed", f"it was answered {page.status} then")
    is_hidden = any(name.lower() in HIDE_DIGEST for name, _ in page.headers)
    fits = _fits(row.digest, (page.body, capture_of(page).payload), is_hidden)
    return Judged(page=replace(page, retrieved=replace(told, digest_fits=fits)))


def _fits(digest: str, spellings: Iterable[bytes], is_hidden: bool) -> str:
    """Return whether bytes, in any of their spellings, have the digest that the index states.

    It is of the page as it was sent then: where that was coded and the coding was undone on the way, nobody can tell.
    """
    if not digest:
        return "unknown"
    stated = digest.upper().removeprefix("SHA1:")
    if any(stated == base64.b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
           for body in spellings):  # fmt: skip
        return "yes"
    return "unknown" if is_hidden or len(stated) != 32 else "no"
