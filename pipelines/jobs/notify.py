"""Notices for people: in the log, and to every address in OPEDS_NOTIFY, by mail, webhook or what Apprise knows."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.archive.manifests import Closing
from pipelines.catalogue.drift import Drift
from pipelines.errors import DayIncomplete, FixityFailed, NotificationFailed
from pipelines.settings import read_settings

log = logging.getLogger(__name__)
LINES = 20  # of one notice; the rest is counted
BEATS, BEAT_WITHIN = 3, 20.0  # tries; seconds of each


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know: `kind` is for filters, `subject` one line, `lines` the details.

    Kinds: `incomplete`, `nothing-published`, `drift`, `fixity`, `missed`, `failed`.
    """

    kind: str
    subject: str
    lines: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The details as text."""
        more = [f"… and {len(self.lines) - LINES} more"] if len(self.lines) > LINES else []
        return "\n".join([*self.lines[:LINES], *more]) or self.subject


def notices_of(day: str, closing: Closing) -> list[Notice]:
    """Return the notices about a day that was closed: what is missing, and what is unusual."""
    found = [Notice("incomplete", f"{day} is not complete", closing.missing)] if closing.missing else []
    unusual = tuple(quiet.sentence(date.fromisoformat(day)) for quiet in closing.quiet)
    return found + ([Notice("nothing-published", f"{day} brought less than such days do", unusual)] if unusual else [])


def notices_of_missed(open_days: Sequence[str]) -> list[Notice]:
    """Return the notice about days of the calendar that are not whole."""
    what = "1 of the last days is" if len(open_days) == 1 else f"{len(open_days)} of the last days are"
    return [Notice("missed", f"{what} not whole", tuple(open_days))] if open_days else []


def send_heartbeat(address: str) -> None:
    """Tell a service that we are alive: it tells a person when that stops. Raises `NotificationFailed` after three
    tries."""
    if not address:
        return
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    why = ""
    for attempt in range(BEATS):
        time.sleep(2 * attempt)
        try:
            with urlopen(Request(address, method="GET"), timeout=BEAT_WITHIN):  # noqa: S310 - the operator's own address
                return
        except (OSError, ValueError, HTTPException) as error:
            why = type(error).__name__  # its text may hold the address, which is a secret
    raise NotificationFailed(f"OPEDS_HEARTBEAT: nobody took the heartbeat ({why})")


def notices_of_drift(findings: Iterable[Drift]) -> list[Notice]:
    """Return the notices about layouts that changed."""
    return [
        Notice(
            "drift",
            f"{one.source}: {one.field} is found on {one.now:.0%} of the last pages, on {one.before:.0%} before",
            (f"`opeds doctor {one.source}` says which selectors still hold", *one.urls),
        )
        for one in findings
        if one.serious
    ]


def notify(notices: Iterable[Notice], addresses: str) -> None:
    """Log each notice, and send it to each address; raise `NotificationFailed` once all were tried and one failed.

    `addresses` are Apprise's, with spaces between: `mailtos://user:password@example.org?to=me@example.org`,
    `jsons://example.org/hook`. Their passwords are never logged.
    """
    untold: set[str] = set()
    for notice in notices:
        log.warning("%s: %s\n%s", notice.kind, notice.subject, notice.body)
        untold |= _sent(notice, addresses.split())
    if untold:
        raise NotificationFailed(
            f"a notice could not be delivered to {', '.join(sorted(untold))}; the task's log holds it"
        )


def _sent(notice: Notice, addresses: Iterable[str]) -> set[str]:
    """Send one notice to each address; return those that did not take it, without their passwords."""
    untold = set()
    for number, address in enumerate(addresses, 1):
        from apprise import Apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it writes whole addresses
        one = Apprise()
        try:
            known = one.add(address)
        except ValueError:
            known = False
        if not known:
            untold.add(f"{_named(address, number)} (no address that Apprise knows)")
        elif not one.notify(title=f"opeds {notice.kind}: {notice.subject}", body=notice.body):
            untold.add(_named(address, number))
    return untold


def _named(address: str, number: int) -> str:
    """Return what may be said of an address: of many services the host or the path is the secret."""
    scheme = re.match(r"[a-z][a-z0-9+.-]{0,20}(?=://)", address)
    return f"address {number} ({scheme[0] if scheme else 'without a scheme'})"


def failed(context: Any) -> None:
    """Send a notice of a task that failed for good, unless the task sent one. Airflow calls this with its context."""
    if isinstance(context.get("exception"), DayIncomplete | FixityFailed | NotificationFailed):
        return
    task, run = context["task_instance"], context["dag_run"]
    what = f"{task.dag_id}.{task.task_id} failed for {run.partition_key or run.run_id}"
    notify([Notice("failed", what, (str(context.get("exception") or "no exception"),))], read_settings().notify)
