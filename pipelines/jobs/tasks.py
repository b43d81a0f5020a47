"""What a scheduler calls. Every task takes and returns keys and counts, and may be called again at any time.

Between two tasks the bucket is the truth: a crawl's summary, the log. So nothing depends on the scheduler's own
memory, and a task that was cleared, retried or run twice at once adds nothing. `dags/` wires these; cron could.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TypedDict

from pipelines.archive import manifests
from pipelines.archive.crawl_summary import Summary, read_summary
from pipelines.archive.embedded import reachable
from pipelines.archive.identity import reach_existing
from pipelines.archive.keys import crawl_key
from pipelines.archive.store import open_store
from pipelines.catalogue.publish import compact_tables, publish
from pipelines.catalogue.queries import days, drifted, open_days
from pipelines.catalogue.rows import is_waiting
from pipelines.clock import STAMP, iso, new_run_id, now, today
from pipelines.errors import (
    CrawlFailed,
    DayIncomplete,
    FixityFailed,
    NotificationFailed,
    OpedsError,
    WrongUsage,
)
from pipelines.exports.bucket import export_to_bucket
from pipelines.index.opened import Archive, open_to_write
from pipelines.ingestion.ingest import Part, ingest_orphans
from pipelines.ingestion.read import Readers
from pipelines.jobs.connection import with_connection
from pipelines.jobs.crawls import check, check_days, ending_with_us, start_crawl, unreachable
from pipelines.jobs.day import (
    NOT_DISCOVERABLE,
    addresses_due,
    close,
    ingest_crawl,
    ingest_period,
    ingest_waiting,
    prove_earlier_days,
)
from pipelines.jobs.notify import Notice, notices_of, notices_of_drift, notices_of_missed, notify, send_heartbeat
from pipelines.jobs.past import AskedPast, ask_public, checked, waiting_accounts
from pipelines.jobs.rederive import articles_to_re_extract, log_rereads
from pipelines.jobs.verify import verify
from pipelines.model import Outcome, Shard, Verdict
from pipelines.settings import Settings, crawling, read_settings
from pipelines.sources import Source, load_sources, source_named
from pipelines.sources.addresses import place_of

logger = logging.getLogger(__name__)
Meter = Callable[[str, int], None]  # name and count: Airflow's `Stats.incr`
UNKNOWN_TO_DAGS = "no DAG crawls it: give the DAG processor the same OPEDS_SOURCES as the workers"
PER_TASK = 250  # addresses of a crawl that one task ingests
ROUND = 28  # days in which every object has its turn to be verified
WATCHED = 14  # days before today that must be whole
RECENT = 7  # days: what was logged in them is verified at every turn
SETTLED = timedelta(days=1)  # older than any crawl at work: a capture that no manifest names by then is orphaned
METERED = {
    Verdict.NEW: "archived",
    Verdict.COPY: "copies",
    Verdict.REVISED: "revised",
    Verdict.REJECTED: "rejected",
}


class Run(TypedDict):
    """A run's name, the day in Seoul it is for, the moment it began (UTC), and the sources it asks.

    `wanted` are the sources whose part of the day is closed; of these, `unknown` are not known to the DAG's own
    processor, so nobody crawls them. `addresses` are the articles to fetch instead of a day's lists, by source.
    """

    id: str
    day: str
    at: str
    sources: list[str]
    wanted: list[str]
    unknown: list[str]
    addresses: dict[str, list[str]]


class Share(TypedDict):
    """A part of the work: the articles of shard `number` of `of`; of one crawl where `crawl` names its summary.

    Where a run has several crawls of a source, only the pages of the earlier ones are ingested; what came of the other
    addresses stands in the last one.
    """

    crawl: str
    last: bool
    number: int
    of: int


class Closed(TypedDict):
    """A day that was closed: its manifest's number, whether it is complete, how many things are missing, what came."""

    day: str
    seq: int
    complete: bool
    missing: int
    counts: dict[str, int]


def discover(
    day: str | None = None, source: str | None = None, addresses: str | None = None, known: Iterable[str] | None = None
) -> Run:
    """Name a run for a day (default: yesterday) and for all sources or one; or for addresses, with spaces between.

    Says which sources have a route that shows the day; the others are `not discoverable`. `known` are those that the
    DAG has a task for. Raises `WrongUsage` for a day that cannot be, an unknown source, an address that names no
    article.
    """
    sources = load_sources(read_settings().sources)
    wanted = _day(day) if day else today() - timedelta(days=1)
    asked = [source_named(sources, source)] if source else [s for s in sources.values() if s.is_crawled]
    check_days(asked, wanted, wanted)
    by_source = _by_source(addresses or "", asked)
    foreign = sorted(set(known or ()) - set(sources))
    if foreign:
        raise WrongUsage(f"no source file here names {', '.join(foreign)}: give workers and DAG processor one folder")
    _archive()  # so that a bucket that cannot be reached fails here, before a site is asked
    serving = [s.name for s in asked if any(r.serves(wanted, wanted) for r in s.routes)]
    names = [s.name for s in asked]
    return Run(
        id=new_run_id(),
        day=wanted.isoformat(),
        at=iso(now()),
        sources=sorted(by_source) or serving,
        wanted=names,
        unknown=[] if known is None else sorted(set(names) - set(known)),
        addresses=by_source,
    )


def _by_source(addresses: str, sources: Iterable[Source]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for url in addresses.split():
        place = place_of(url, sources)
        if place is None:
            raise WrongUsage(f"{url} is no article address of a source that was asked for")
        found.setdefault(place.source.name, []).append(url)
    return found


def due_revisits() -> Run:
    """Name a run that revisits pages of 1, 3, 7 and 30 days, and the sources that have such pages."""
    moment = now()
    due = sorted(addresses_due(_archive(), moment))
    return Run(
        id=new_run_id(),
        day=today().isoformat(),
        at=iso(moment),
        sources=due,
        wanted=due,
        unknown=[],
        addresses={},
    )


def crawl(run: Run, source: str, meter: Meter) -> dict[str, int]:
    """Crawl a source for the run's day; return what came of the addresses, counted.

    A crawl that was finished under this run is not made again. Raises `SiteBusy`, `SiteRefused` or `CrawlFailed`;
    what was captured until then is kept.
    """
    return _crawled(run, source, run["addresses"].get(source, []), meter)


def revisit_source(run: Run, source: str, meter: Meter) -> dict[str, int]:
    """Ask conditionally for the pages of a source that are due; otherwise as `crawl`."""
    urls = addresses_due(_archive(), datetime.fromisoformat(run["at"])).get(source, [])
    return _crawled(run, source, urls, meter) if urls else {}


def _crawled(run: Run, source: str, urls: Sequence[str], meter: Meter) -> dict[str, int]:
    """Crawl these addresses, or the lists of the run's day where there are none."""
    arguments = [("since", run["day"]), ("until", run["day"]), *([("url", " ".join(urls))] if urls else [])]
    settings = _settings()
    archive = open_to_write(settings)
    tried = _tries(archive, run, source)
    try:
        summary = _checked(archive, source, run["day"], tried[-1]) if tried else None
    except CrawlFailed:
        summary = None
    if summary is None:
        name = run["id"] if not tried else f"{run['id']}-{len(tried) + 1}"
        file = settings.home / "logs" / f"{name}-{source}.log"
        process = start_crawl(source, [*arguments, ("run", name), ("started_by", "dag")], file, crawling(settings))
        with ending_with_us(process):
            process.wait(partial(logger.info, "%s: %s", source))
        summary = read_summary(archive.store, crawl_key(source, run["day"], name))
        seconds = datetime.fromisoformat(summary.finished_at) - datetime.fromisoformat(summary.started_at)
        measured = {"crawled": len(summary.addresses), "bytes": summary.bytes, "seconds": int(seconds.total_seconds())}
        for what, count in measured.items():
            meter(f"opeds.{source}.{what}", count)
        check(summary, unreachable(archive, summary))
    return summary.counts


def _checked(archive: Archive, source: str, day: str, name: str) -> Summary:
    summary = read_summary(archive.store, crawl_key(source, day, name))
    return check(summary, unreachable(archive, summary))


def shares(run: Run, source: str) -> list[Share]:
    """Return shares of what the run's crawls of a source brought, also of crawls that were cut off."""
    found: list[Share] = []
    tries = _summaries(_archive(), run, [source]).get(source, [])
    for summary in tries:
        of = -(-len(summary.addresses) // PER_TASK)
        key = crawl_key(source, run["day"], summary.run)
        found += [Share(crawl=key, last=summary is tries[-1], number=number, of=of) for number in range(of)]
    return found


def name_of(share: Share) -> str:
    """Return what people call a share: `kjd 1 of 3`.

    >>> name_of(Share(crawl="crawls/kjd/2026-06-01/x.json", last=True, number=0, of=3))
    'kjd 1 of 3'
    """
    source = share["crawl"].split("/")[1] if share["crawl"] else "share"
    return f"{source} {share['number'] + 1} of {share['of']}"


def ingest_share(share: Share, meter: Meter) -> dict[str, int]:
    """Ingest a share of what a crawl brought; return the outcomes, counted by verdict."""
    archive = _archive()
    summary = read_summary(archive.store, share["crawl"])
    if not share["last"]:
        summary.addresses = [tried for tried in summary.addresses if tried.capture_key]
    done = ingest_crawl(archive, summary, _tell, Shard(share["number"], share["of"]))
    return _counted(done, meter)


def close_day(run: Run) -> Closed:
    """Log how the day stands after the run's crawls, from what lies in the bucket."""
    archive = _archive()
    tries = _summaries(archive, run, run["sources"])
    failures = {name: "not crawled; see the task's log" for name in run["sources"] if name not in tries}
    for name, summaries in tries.items():
        keys = {tried.capture_key for one in summaries for tried in one.addresses if tried.capture_key}
        left = len(keys - archive.index.named(keys))
        if left:
            failures[name] = f"{left} of {len(keys)} captures were not ingested; see the task's log"
    names = run["wanted"]
    failures |= dict.fromkeys(set(names) - set(run["sources"]), NOT_DISCOVERABLE)
    failures |= {name: UNKNOWN_TO_DAGS for name in run["unknown"]}
    last = {name: summaries[-1] for name, summaries in tries.items()}
    closing, seq = close(archive, run["id"], _day(run["day"]), names, last, failures)
    for day in prove_earlier_days(archive, run["id"], last):
        logger.info("%s: proved since by this crawl", day)
    return Closed(
        day=run["day"], seq=seq, complete=closing.complete, missing=len(closing.missing), counts=dict(closing.counts)
    )


def publish_catalogue() -> dict[str, int]:
    """Bring the catalogue up to the last manifest, whoever logged it; return that number and the table's version."""
    settings = _settings()
    done = publish(open_to_write(settings), settings)
    return {"published": done.seq, "version": done.version, "rows": done.rows}


def report(closed: Closed, past: bool = False) -> None:
    """Send notices about a day: what is missing or unusual and, unless it is `past`, which layouts drifted.

    Raises `DayIncomplete`: the day was archived as far as it could be read, and its run shows red; cleared once later
    runs have made the day whole, it is green.
    """
    settings = _settings()
    closing = manifests.manifest_at(open_to_write(settings).store, closed["seq"]).closing
    assert closing is not None
    drift = [] if past else notices_of_drift(drifted(settings))  # of the whole archive: once a day is enough
    if not closing.complete and any(row["day"] == closed["day"] and row["complete"] for row in days(settings)):
        closing = replace(closing, complete=True, missing=())  # later runs made the day whole
    wrong = "" if closing.complete else f"{closed['day']} is not complete: {'; '.join(closing.missing[:3])}"
    _notify_or_raise([*notices_of(closed["day"], closing), *drift], settings, DayIncomplete, wrong)


def watch_calendar() -> dict[str, int]:
    """Look at the calendar of the last days: a notice names those that never ran or are not complete; then a heartbeat.

    The calendar begins with the first day that was ever closed.
    """
    settings = reach_existing(_settings())
    yesterday = today() - timedelta(days=1)
    found = open_days(days(settings), yesterday - timedelta(days=WATCHED - 1), yesterday)
    notify(notices_of_missed(found), settings.notify)
    send_heartbeat(settings.heartbeat)
    return {"open": len(found)}


def ingest_settled_orphans() -> dict[str, int]:
    """Ingest every crawl that waits for it, then every orphaned capture that is older than a day. Lists the archive.

    Younger captures may belong to a crawl at work, whose own run ingests them under the right day.
    """
    archive = _archive()
    for taken in ingest_waiting(archive, now(), _tell):
        told = taken.summary
        logger.info("ingested the crawl %s of %s, started by %s", told.run, told.source, told.started_by)
    part = Part.of_today(new_run_id(), "left")
    before = (now() - SETTLED).astimezone(UTC).strftime(STAMP)
    settled = (key for key in archive.store.keys("captures/") if key.rpartition("/")[2] < before)
    return _counted(ingest_orphans(archive, part, settled, _tell), _unmetered)


def compact_catalogue() -> dict[str, int]:
    """Write the catalogue's small files together and remove those that no reader of the last week needs."""
    settings = _settings()
    return compact_tables(open_store(settings), settings)


def export_files() -> dict[str, int]:
    """Write the plain files of `exports/` anew, where they differ, and freeze the month's release."""
    settings = _settings()
    written = export_to_bucket(settings, open_store(settings), str(today())[:7])
    return {"files": len(written.files), "log": written.seq}


def months_to_ask(source: str, archive: str, since: str, until: str) -> list[str]:
    """Return the months to ask a public archive for; raise `WrongUsage`."""
    return checked(read_settings(), AskedPast(source, archive, since, until))[1]


def ask_archive(source: str, public: str, month: str, every: bool) -> None:
    """Ask a public archive for a month. Raises `SiteBusy`, `SiteRefused` or `CrawlFailed`; what came stays."""
    settings, asked = _settings(), AskedPast(source, public, month, month, every)
    ask_public(settings, asked, crawling(settings), partial(logger.info, "%s %s"), started_by="dag")


def ingest_asked(source: str, public: str, month: str, meter: Meter) -> dict[str, int]:
    """Ingest what came of a month from a public archive, also of tries that were cut off; return the outcomes, counted
    by verdict."""
    archive = _archive()
    waiting = waiting_accounts(archive, source, public, [month])
    return _counted((o for summary in waiting for o in ingest_period(archive, summary, _tell)), meter)


def shares_of_archive(of: int) -> list[Share]:
    """Return `of` equal shares of all articles."""
    return [Share(crawl="", last=True, number=number, of=of) for number in range(of)]


def re_extract_share(share: Share, source: str, run: str) -> dict[str, int]:
    """Re-extract a share of the archive by today's rules, and log what changed."""
    archive, shard = _archive(), Shard(share["number"], share["of"])
    articles = [a for a in articles_to_re_extract(archive, source, []) if shard.holds(a)]
    part = Part.of_today(run, f"rederive{shard.suffix}")
    with Readers(archive.sources, archive.processes) as readers:
        done = log_rereads(archive, part, articles, readers, partial(logger.info, "re-extracted %s"))
    return _counted(done, _unmetered)


def fixity(share: Share, day: str | None) -> dict[str, int]:
    """Verify this share of the objects whose turn `day` is (else today), and of all that the last days brought.

    Each object has its turn every 28 days. Faults are logged and sent as a notice; nothing is repaired. Raises
    `FixityFailed`.
    """
    settings = _settings()
    turning, mine = _day(day) if day else today(), Shard(share["number"], share["of"])
    turn = Shard(turning.toordinal() % ROUND + ROUND * share["number"], ROUND * share["of"])
    since = iso(now() - timedelta(days=RECENT))

    def chosen(article_id: str, logged_at: str) -> bool:
        return turn.holds(article_id) or (logged_at >= since and mine.holds(article_id))

    done = verify(settings, chosen, f"{turning}, {name_of(share)}", grace=SETTLED)
    if done.faults:
        lines = tuple(f"{one.key}: {one.said}" for one in done.faults)
        for line in lines:
            logger.error("%s", line)
        notice = Notice("fixity", f"{len(lines)} things in the archive do not fit", lines)
        wrong = f"{len(lines)} things do not fit, the first: {lines[0]}"
        _notify_or_raise([notice], settings, FixityFailed, wrong)
    return dict(done.verified)


def _notify_or_raise(notices: list[Notice], settings: Settings, error: type[OpedsError], wrong: str) -> None:
    """Send the notices, then raise `error` where something is `wrong`; a notice that failed is part of its sentence."""
    try:
        notify(notices, settings.notify)
    except NotificationFailed as failed:
        if not wrong:
            raise
        raise error(f"{wrong}; and {failed}") from failed
    if wrong:
        raise error(wrong)


def _settings() -> Settings:
    settings = reachable(with_connection(read_settings()))
    return replace(settings, processes=settings.processes or 1)  # the scheduler starts as many tasks as fit


def _archive() -> Archive:
    return open_to_write(_settings())


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise WrongUsage(
            f"the run is for no day: its partition key is {text!r}, and should be like 2026-06-01"
        ) from error


def _tries(archive: Archive, run: Run, source: str) -> list[str]:
    """Return the names of this run's crawls of a source that left anything, in order."""
    keys = archive.store.keys(crawl_key(source, run["day"], run["id"], "").rstrip("."))
    names = {key.rpartition("/")[2].partition(".")[0] for key in keys}
    return sorted(names, key=lambda name: (len(name), name))


def _summaries(archive: Archive, run: Run, sources: Iterable[str]) -> dict[str, list[Summary]]:
    """Return the crawls of these sources under this run, in order; one that ended without a word has no summary."""
    found: dict[str, list[Summary]] = {}
    for source in sources:
        for name in _tries(archive, run, source):
            with suppress(CrawlFailed):
                found.setdefault(source, []).append(read_summary(archive.store, crawl_key(source, run["day"], name)))
    return found


def _tell(outcome: Outcome) -> None:
    logger.info("%s %s %s", outcome.verdict.value, outcome.article_id, outcome.url)


def _counted(outcomes: Iterable[Outcome], meter: Meter) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        counts[outcome.verdict.value] += 1
        if outcome.verdict in METERED and not is_waiting(outcome):
            meter(f"opeds.{outcome.article_id.partition('-')[0]}.{METERED[outcome.verdict]}", 1)
    return dict(counts)


def _unmetered(_: str, __: int) -> None:
    """For work that makes no news."""
