"""Does a crawl show all that a route has of a day? A day without a proof is never complete.

A route that was read back to before the day proves it, unless it went stale: a frozen or cached list shows no new
op-eds, and so says nothing of days behind its newest. A later crawl proves a day by days on both sides of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from pipelines.archive import manifests
from pipelines.archive.crawl_summary import Summary
from pipelines.archive.manifests import Closing, RouteReport, Unproved
from pipelines.clock import SEOUL
from pipelines.index.opened import Archive

LOOKED_BACK = timedelta(days=180)  # for a route's longest pause
PAUSES, LEAST_PAUSE = 2, 4  # a route is stale after twice its longest pause, and never before four days


def stale_since(shown: Iterable[str], known: Iterable[date], day: date) -> date | None:
    """Return the newest day that a route showed if `day` lies so far behind it that the route stands still.

    `shown` are the route's days (ISO 8601), `known` those of its op-eds in the archive. Of a single day nobody can say
    how long such a route pauses.

    >>> stale_since(["2026-06-01", "2026-06-02"], [], date(2026, 6, 6))
    >>> stale_since(["2026-06-01", "2026-06-02"], [], date(2026, 6, 7))
    datetime.date(2026, 6, 2)
    """
    days = sorted(map(date.fromisoformat, shown))
    if not days:
        return None
    newest = days[-1]
    recent = sorted(one for one in {*days, *known} if newest - LOOKED_BACK <= one <= newest)
    if len(recent) < 2:
        return None
    longest = max((two - one).days for one, two in pairwise(recent))
    return newest if (day - newest).days > max(LEAST_PAUSE, PAUSES * longest) else None


def unproved(archive: Archive, day: date, routes: Iterable[RouteReport]) -> Iterator[Unproved]:
    """Yield each route that must be read and does not prove that it showed all of a day."""
    told = list(routes)
    if told and not any(route.expected or route.days for route in told):  # no list must be read, and none was
        told = [replace(route, expected=True) for route in told]
    for route in told:
        if not route.expected:
            continue
        since = [shown for shown in route.days if shown >= route.back_to]  # an older one is pinned
        stale = stale_since(since, _days_of(archive, route, day), day) if route.reached else None
        if not route.reached:
            said = route.error or "not read back far enough"
        elif stale:
            said = f"stale since {stale}: a list that stands still proves nothing of later days"
        else:
            continue
        yield Unproved(route.source, route.route, f"{route.source}: {route.route}: {said}")


def _days_of(archive: Archive, route: RouteReport, until: date) -> set[date]:
    moments = archive.index.published_by(route.source, route.route, (until - 2 * LOOKED_BACK).isoformat())
    return {datetime.fromisoformat(moment).astimezone(SEOUL).date() for moment in moments}


def proved_since(archive: Archive, summaries: Mapping[str, Summary]) -> Iterator[tuple[date, Closing]]:
    """Yield each earlier day of which these crawls prove what was not proved then, with how it stands now.

    A day of which they show an op-ed that the archive never looked at stays as it is.
    """
    for text, seq in archive.index.unproved():
        before = manifests.manifest_at(archive.store, seq).closing
        assert before is not None
        proved = [each for each in before.unproved if _shows(archive, summaries.get(each.source), each.route, text)]
        if proved:
            yield date.fromisoformat(text), _without(before, proved)


def _shows(archive: Archive, summary: Summary | None, route: str, day: str) -> bool:
    """Whether a crawl's route shows days on both sides of a day, and no op-ed of it that nobody looked at."""
    if summary is None or summary.since <= day <= summary.until:  # a day that was asked for is closed for itself
        return False
    shown = next((each for each in summary.routes if each.route == route), None)
    if summary.outside_cut or shown is None or not (shown.back_to and shown.back_to < day < shown.days[-1]):
        return False
    of_day = {article_id for article_id, when in summary.outside if when == day}
    return of_day <= {article_id for article_id, _, _ in archive.index.seen(of_day)}


def _without(before: Closing, proved: Sequence[Unproved]) -> Closing:
    """Return a closing without what was proved since."""
    left = tuple(each for each in before.unproved if each not in proved)
    sentences = {each.sentence for each in proved}
    missing = tuple(one for one in before.missing if one not in sentences)
    lacking = {*before.lacking, *(each.source for each in left)}
    found = {each.source for each in proved} - lacking
    return replace(
        before,
        missing=missing,
        complete=not missing,
        whole=tuple(name for name in before.sources if name in {*before.whole, *found}),
        unproved=left,
    )
