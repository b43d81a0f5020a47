"""A crawl's own account of what it asked for and what came: one JSON object at the end of each crawl."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipelines.archive.keys import crawl_key, period_key
from pipelines.archive.manifests import RouteReport
from pipelines.archive.record import to_json
from pipelines.archive.store import Store
from pipelines.errors import MALFORMED, CrawlFailed, DamagedObject, NotArchived

CRAWL_SCHEMA = "opeds/crawl/1"


@dataclass
class Tried:
    """One address that a crawl discovered, and what came of asking for it.

    `result` is `captured`, `kept` (its payload was in the bucket already), `alias`, `gone`, `disallowed`
    or `failed`; empty while it was not asked for.
    """

    url: str
    article_id: str
    routes: list[str] = field(default_factory=list)
    day: str = ""
    title: str = ""
    result: str = ""
    reason: str = ""
    status: int = 0
    fetched_at: str = ""
    capture_key: str = ""
    target: str = ""
    is_misled: bool = False  # the address led elsewhere, for the moment
    asked: str = ""  # of a public archive: the address that was asked, or the row of its index for which nothing was
    obtained_at: str = ""  # the same: when; `fetched_at` is when the archive captured the page
    digest: str = ""  # the same: which digest its index states
    aliases: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Unknown:
    """An address under an opinion section of the source whose form no pattern knows: perhaps an op-ed, not fetched.

    `day` is empty where the route told none.
    """

    route: str
    day: str
    url: str


@dataclass
class Summary:
    """A crawl's own account: the days asked for (Seoul), every route, every address."""

    run: str
    source: str
    since: str
    until: str
    started_at: str
    started_by: str = "hand"  # hand, run (`opeds run`) or dag
    finished_at: str = ""
    finish_reason: str = ""
    failure: str = ""  # why, in a sentence: no network, pages that do not belong here
    routes: list[RouteReport] = field(default_factory=list)
    addresses: list[Tried] = field(default_factory=list)
    outside: list[tuple[str, str]] = field(default_factory=list)  # article and day, of days that were not asked for
    outside_cut: bool = False  # there were more of these
    unknown: list[Unknown] = field(default_factory=list)  # the first hundred
    entries: list[dict[str, str]] = field(default_factory=list)  # of routes that carry article text
    counts: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)  # by route or address: `busy` or `refused`
    bytes: int = 0  # received
    archive: str = ""  # the public archive that was asked for `period`, a month; empty for a crawl of the source itself
    period: str = ""
    objects: dict[str, str] = field(
        default_factory=dict
    )  # SHA-256 by key: answers of its index, notes of pages asked for
    warc_sha256: str = ""  # of the crawl's WARC, which lies beside the summary; crawls before 2026-11-28 do not say it


def account_key(summary: Summary, suffix: str = "json") -> str:
    """Return the key of a crawl's summary, or of its WARC."""
    if summary.archive:
        return period_key(summary.source, summary.archive, summary.period, summary.run)
    return crawl_key(summary.source, summary.until, summary.run, suffix)


def summary_body(summary: Summary) -> bytes:
    """Return a summary as it lies in the bucket; what is empty of an address is left out."""
    addresses = [{n: v for n, v in vars(tried).items() if v or n == "url"} for tried in summary.addresses]
    data = {**asdict(replace(summary, addresses=[])), "addresses": addresses}  # asdict copies: slow for 100,000
    data = {name: value for name, value in data.items() if value or name not in {"archive", "period", "objects"}}
    return to_json({"schema": CRAWL_SCHEMA, **data})


def read_summary(store: Store, key: str) -> Summary:
    """Return a crawl's summary; raise `CrawlFailed` when the crawl left none."""
    try:
        return parse_summary(store.read(key), key)
    except NotArchived as error:
        raise CrawlFailed(
            f"the crawl left no summary ({key}); run the days again, and its captures are ingested"
        ) from error


def parse_summary(body: bytes, key: str = "the crawl's account") -> Summary:
    """Return a summary from its JSON; `key` is for the sentence of `DamagedObject`."""
    try:
        return _summary(json.loads(body))
    except MALFORMED as error:
        raise DamagedObject(key, error) from error


def _summary(data: dict[str, Any]) -> Summary:
    del data["schema"]
    data["routes"] = [RouteReport(**{**one, "days": tuple(one.get("days", ()))}) for one in data["routes"]]
    data["addresses"] = [Tried(**tried) for tried in data["addresses"]]
    data["unknown"] = [Unknown(**one) for one in data.get("unknown", ())]
    data["outside"] = [(article_id, day) for article_id, day in data.get("outside", ())]
    return Summary(**{"started_by": "run", **data})  # earlier versions did not say who; by hand was the exception


STARTED = "started"  # what an attended crawl says first of all
CRAWL_DELAY_TOO_LONG = "crawl_delay_too_long"  # how a crawl ends whose site asks for too slow a pace
WRONG_USAGE_EXIT = 2  # exit code of a crawl that cannot be as it was asked
