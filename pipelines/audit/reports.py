"""What earlier audits found: a small object for each under `verified/`, so that everyone can see when was the last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from pipelines.archive.record import to_json
from pipelines.archive.store import Store, read_many
from pipelines.errors import MALFORMED, DamagedObject

REPORT_SCHEMA = "opeds/verified/1"
FAULTS_KEPT = 100  # faults that stand in a report; all are counted
REPORT_SHAPE = re.compile(r"verified/\d{8}T\d{6}Z-[0-9a-f]{4}\.json")
LOOKED_AT = 120  # reports, back from the last: more than four a day in 28 days


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit came to. `share` is empty where it looked at everything; `last` and `sha256` are number and digest
    of the last manifest then; `there` and `verified` count by kind."""

    verified_at: str
    share: str
    last: int
    sha256: str
    there: dict[str, int] = field(default_factory=dict)
    verified: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    first_faults: list[dict[str, str]] = field(default_factory=list)


def report_body(report: AuditReport) -> bytes:
    """Return a report as it lies in the bucket."""
    return to_json({"schema": REPORT_SCHEMA, **asdict(report)})


def parse_report(key: str, body: bytes) -> AuditReport:
    """Return a report from its JSON; raise `DamagedObject`."""
    try:
        told: dict[str, Any] = json.loads(body)
        if told.pop("schema") != REPORT_SCHEMA:
            raise ValueError("another schema")
        report = AuditReport(**{one.name: told[one.name] for one in fields(AuditReport) if one.name in told})
        if not (type(report.last) is int and type(report.faults) is int and min(report.last, report.faults) >= 0):
            raise TypeError("a field is of another type")
        if not all(isinstance(one, str) for one in (report.share, report.sha256, report.verified_at)):
            raise TypeError("a field is of another type")
        datetime.fromisoformat(report.verified_at)
        return report
    except MALFORMED as error:
        raise DamagedObject(key, error) from error


def is_report(key: str) -> bool:
    """Whether a key has the form of a report's.

    >>> [is_report(key) for key in ("verified/20261127T103000Z-0a1b.json", "verified/x.json")]
    [True, False]
    """
    return bool(REPORT_SHAPE.fullmatch(key))


def reports_in(store: Store, keys: Iterable[str]) -> Iterator[tuple[str, AuditReport | DamagedObject]]:
    """Yield these reports, or what is wrong with them."""
    for key, body in read_many(store, keys):
        try:
            yield key, parse_report(key, body)
        except DamagedObject as error:
            yield key, error


def last_reports(store: Store) -> Sequence[AuditReport]:
    """Return the last reports that can be read, the newest first, back to one that looked at everything."""
    found: list[AuditReport] = []
    keys = [key for key in store.keys("verified/") if is_report(key)]
    for _, report in reports_in(store, keys[: -LOOKED_AT - 1 : -1]):
        if isinstance(report, AuditReport):
            found.append(report)
            if not report.share:
                break
    return found
