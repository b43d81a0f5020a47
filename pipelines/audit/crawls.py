"""What crawls left: their accounts, and the WARC beside each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.archive.crawl_summary import Summary, account_key, parse_summary
from pipelines.archive.store import Store
from pipelines.archive.warc import damaged
from pipelines.archive.withdrawn import NOTHING_WITHDRAWN, Withdrawn
from pipelines.audit.findings import Findings
from pipelines.audit.log import Named
from pipelines.audit.objects import CHANGED
from pipelines.errors import DamagedObject, NotArchived, UnreadableWarc
from pipelines.past.stored import parse_answer, parse_note

CRAWL_SHAPE = re.compile(
    r"crawls/[a-z0-9_]+/(\d{4}-\d{2}-\d{2}/[A-Za-z0-9._-]+?\.(json|warc\.gz)|past/[a-z]+/\d{4}-\d{2}/[A-Za-z0-9._-]+?\.json)"
)
PAST_SHAPE = re.compile(  # answers of a public archive's index, and notes of what was asked of it
    r"crawls/[a-z0-9_]+/past/[a-z]+/([0-9a-f]{8}/\d{4}-\d{2}/\d{4,}\.json\.gz|asked/\d{4}-\d{2}/\d{14}-[0-9a-f]{8}\.json)"
)
WAITS = "waits to be ingested: `opeds ingest --crawls`, or `opeds upkeep` once it is a day old"
CUT_OFF = "has no account beside it: the crawl was cut off"


@dataclass
class Crawls:
    """The crawls' objects, by key, and which captures belong to crawls that are not ingested yet."""

    store: Store
    keys: frozenset[str]
    named: Callable[[str], Named | None]
    findings: Findings
    withdrawn: Withdrawn = NOTHING_WITHDRAWN
    waiting_captures: set[str] = field(default_factory=set)
    digests: dict[str, str] = field(default_factory=dict)  # of answers and notes, by key

    def examine(self, chosen: Callable[[str], bool], of_past: Callable[[str], bool] = lambda _: True) -> None:
        """Examine the chosen ones; accounts that no manifest names are read in any case. `of_past` chooses among the
        answers and notes of public archives, of which there may be many."""
        self.findings.there["crawls"] += len(self.keys)
        for key in sorted(self.keys, key=lambda key: (PAST_SHAPE.fullmatch(key) is None, key)):  # accounts behind them
            if PAST_SHAPE.fullmatch(key):
                if of_past(key):
                    self.findings.guarded("crawl", key, lambda k=key: self._examine_past(k))  # type: ignore[misc]
            elif not CRAWL_SHAPE.fullmatch(key):
                self.findings.fault("foreign", key, "is no crawl's account and no crawl's WARC")
            elif key.endswith(".json"):
                if self.named(key) is None or chosen(key):
                    self.findings.guarded("crawl", key, lambda k=key: self._examine(k))  # type: ignore[misc]
            elif _account_of(key) not in self.keys:
                self.findings.note("crawl", key, CUT_OFF)

    def _examine(self, key: str) -> None:
        named = self.named(key)
        try:
            body = self.store.read(key)
        except NotArchived:
            return  # it was there a moment ago; the log's own list says so where it matters
        self.findings.verified["crawls"] += 1
        digest = hashlib.sha256(body).hexdigest()
        if named and named.sha256 and not self.withdrawn.is_accepted(key, named.sha256, digest):
            self.findings.fault("crawl", key, CHANGED)
            return
        try:
            summary = parse_summary(body, key)
        except DamagedObject as error:
            self.findings.fault("crawl", key, str(error))
            return
        if account_key(summary) != key:
            self.findings.fault("crawl", key, "is the account of another crawl than its key says")
        if named is None:
            self.findings.note("crawl", key, WAITS)
            self.waiting_captures |= {tried.capture_key for tried in summary.addresses if tried.capture_key}
        if summary.archive:
            self._examine_objects(summary)
        else:
            self._examine_warc(summary)

    def _examine_past(self, key: str) -> None:
        """Examine an answer of an index or a note: that it can be read; accounts say which digest it has."""
        try:
            body = self.store.read(key)
        except NotArchived:
            return
        self.findings.verified["crawls"] += 1
        try:
            (parse_answer if key.endswith(".gz") else parse_note)(key, body)
        except DamagedObject as error:
            self.findings.fault("crawl", key, str(error))
        else:
            self.digests[key] = hashlib.sha256(body).hexdigest()

    def _examine_objects(self, summary: Summary) -> None:
        """Compare what a month's account says of the answers and notes that it is made of."""
        for key, digest in sorted(summary.objects.items()):
            if key not in self.keys:
                self.findings.fault("crawl", key, f"not there, though {account_key(summary)} names it")
            elif self.digests.get(key, digest) != digest:
                self.findings.fault("crawl", key, CHANGED)

    def _examine_warc(self, summary: Summary) -> None:
        key = account_key(summary, "warc.gz")
        try:
            body = self.store.read(key)
        except NotArchived:
            self.findings.fault("crawl", key, "not there, though the crawl's account is")
            return
        self.findings.verified["crawls"] += 1
        is_now = hashlib.sha256(body).hexdigest()
        if summary.warc_sha256 and not self.withdrawn.is_accepted(key, summary.warc_sha256, is_now):
            self.findings.fault("crawl", key, "is not the file that the crawl's account tells of: its digest differs")
            return
        try:
            self.findings.fault("crawl", key, *damaged(body, key))
        except UnreadableWarc as error:
            self.findings.fault("crawl", key, str(error))


def _account_of(key: str) -> str:
    return f"{key.removesuffix('.warc.gz')}.json"
