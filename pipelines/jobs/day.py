"""A day in steps, for one machine or many: ingest what the crawls brought, close the day, choose what to revisit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from pipelines.archive import manifests
from pipelines.archive.crawl_summary import Summary, Tried, account_key, parse_summary
from pipelines.archive.keys import captures_prefix, is_account
from pipelines.archive.store import read_many, threads
from pipelines.clock import SEOUL, iso, now, today
from pipelines.errors import DamagedObject
from pipelines.index.opened import Archive, commit, places_of
from pipelines.ingestion.ingest import Part, ingest, ingest_orphans
from pipelines.jobs.crawls import NOT_FETCHED, days_of, sightings, unreachable
from pipelines.jobs.proof import proved_since, unproved
from pipelines.jobs.revisit import LOOK_AGAIN, WINDOW, Seen, due
from pipelines.model import Outcome, Shard
from pipelines.sources import Source
from pipelines.sources.addresses import split_id

PER_REVISIT = 500  # addresses of one; the others are due at the next one
WEEKS = 8  # the same weekdays before a day: they say what it usually brings
USUAL = 4  # of those weeks must have brought something; fewer do not make it usual
UNKNOWN_NAMED = 3  # addresses that a sentence names
LACKING_NAMED = 200  # addresses of a source and a day; a hostile list shows a hundred thousand
WHOLE = Shard()
ABSENCE = "what it does not have proves nothing"
NOT_DISCOVERABLE = "not discoverable: no route shows this day"
LEFT_BEHIND = timedelta(days=1)  # a crawl that was not started by hand: its own run may still ingest it


def ingest_crawl(
    archive: Archive, summary: Summary, report: Callable[[Outcome], None], shard: Shard = WHOLE
) -> list[Outcome]:
    """Log one crawl's outcomes, a part for each day; then ingest orphaned captures of the same articles."""
    addresses = [tried for tried in summary.addresses if shard.holds(tried.article_id)]
    days = {tried.article_id: tried.day or summary.until for tried in addresses}
    seen, others = sightings(addresses)
    if summary.archive:
        return ingest_period(archive, summary, report)
    crawl = account_key(summary)
    done: list[Outcome] = []
    for day in sorted({*days.values()}):
        part = Part(summary.run, f"{summary.source}-{day}{shard.suffix}", day, iso(now()), (crawl,))
        of_day = [s for s in seen if days[s.article_id] == day], [o for o in others if days[o.article_id] == day]
        done += ingest(archive, part, *of_day, report)
    left = Part(summary.run, f"{summary.source}-left{shard.suffix}", summary.until, iso(now()))
    of_these = [captures_prefix(article_id) for article_id in dict.fromkeys(t.article_id for t in addresses)]
    return done + ingest_orphans(
        archive,
        left,
        (key for keys in threads().map(lambda p: list(archive.store.keys(p)), of_these) for key in keys),
        report,
    )


def ingest_period(archive: Archive, summary: Summary, report: Callable[[Outcome], None]) -> list[Outcome]:
    """Log what was asked of a public archive about a month, and how the month stands; return the outcomes.

    Its closing is never complete: what a public archive does not have proves nothing.
    """
    key, name = account_key(summary), f"{summary.source}-{summary.archive}-{summary.period}"
    part = replace(Part(summary.run, name, "", iso(now()), (key,)), period=summary.period)
    done = ingest(archive, part, *sightings(summary.addresses, summary.archive), report)
    missing = (f"{summary.archive}: {ABSENCE}",)
    closing = manifests.Closing((summary.source,), False, missing, counts=tuple(sorted(summary.counts.items())))
    manifest = manifests.Manifest(
        summary.run,
        closing_of_period(summary.source, summary.archive, summary.period),
        "",
        iso(now()),
        (key,),
        closing=closing,
    )
    commit(archive, replace(manifest, period=summary.period))
    return done


def close(
    archive: Archive,
    run: str,
    day: date,
    names: Iterable[str],
    summaries: Mapping[str, Summary],
    failures: Mapping[str, str],
) -> tuple[manifests.Closing, int]:
    """Log how a day stands after a run; return that and the number of the manifest that says so."""
    sources = [archive.sources[name] for name in names if archive.sources[name].first_day <= day]
    quiet = quiet_sources(archive, day, sources, summaries)
    told = [_serving(s, summaries[s.name], day) for s in sources if s.name in summaries]
    without_proof = [each for of_source in told for each in unproved(archive, day, of_source)]
    given_up = {a for summary in summaries.values() for a in unreachable(archive, summary)}
    found = closing_of(day, sources, summaries, failures, quiet, without_proof, day < today(), given_up)
    return found, _log_closing(archive, run, day, summaries, found)


@dataclass(frozen=True)
class IngestedCrawl:
    """What came of a crawl that waited: its outcomes, its days for its source alone, and earlier days that it proved.

    A crawl of addresses looked at no day.
    """

    summary: Summary
    outcomes: list[Outcome]
    closings: dict[str, manifests.Closing]
    proved: dict[str, manifests.Closing]


def waiting_crawls(archive: Archive, at: datetime) -> Iterator[Summary]:
    """Yield the finished crawls that wait to be ingested, oldest first: those started by hand that were not ingested to
    their end, and those that a run or a DAG left behind more than a day ago and no manifest names.

    A summary that cannot be read raises `DamagedObject` behind all others.
    """
    named, damaged = archive.index.crawls(), None
    keys = [key for key in archive.store.keys("crawls/") if is_account(key)]
    summaries = []
    for key, body in read_many(archive.store, keys):
        try:
            summary = parse_summary(body, key)
        except DamagedObject as error:
            damaged = error
            continue
        by_hand = summary.started_by == "hand" and not _is_done(archive, summary, named)
        ended = datetime.fromisoformat(summary.finished_at or summary.started_at)
        left = summary.started_by != "hand" and key not in named and at - ended > LEFT_BEHIND
        if (by_hand or left) and not summary.failure and summary.source in archive.sources:
            summaries.append(summary)
    yield from sorted(summaries, key=lambda one: (one.started_at, one.source))
    if damaged is not None:
        raise damaged


def _is_done(archive: Archive, summary: Summary, named: Container[str]) -> bool:
    if summary.archive:
        return (
            account_key(summary) in named
            and archive.index.logged(summary.run, closing_of_period(summary.source, summary.archive, summary.period))
            is not None
        )
    return archive.index.logged(summary.run, _done(summary)) is not None


def closing_of_period(source: str, archive: str, period: str) -> str:
    """Return the part that closes a month of a public archive."""
    return f"{manifests.CLOSING}-{source}-{archive}-{period}"


def _done(summary: Summary) -> str:
    """Return the part that says that a crawl was ingested to its end, and its days were closed."""
    return f"{summary.source}-{summary.until}-done"


def ingest_waiting(archive: Archive, at: datetime, report: Callable[[Outcome], None]) -> Iterator[IngestedCrawl]:
    """Ingest every crawl that waits for it, close its days for its source, and prove earlier ones; yield what came."""
    for summary in waiting_crawls(archive, at):
        outcomes = ingest_crawl(archive, summary, report)
        if summary.archive:
            yield IngestedCrawl(summary, outcomes, {}, {})
            continue
        by_source = {summary.source: summary}
        first = max(date.fromisoformat(summary.since), archive.sources[summary.source].first_day)
        asked = days_of(first, date.fromisoformat(summary.until)) if summary.routes else []
        closings = {d: close(archive, summary.run, d, [summary.source], by_source, {})[0] for d in asked}
        proved = prove_earlier_days(archive, summary.run, by_source)
        key = account_key(summary)
        commit(archive, manifests.Manifest(summary.run, _done(summary), summary.until, iso(now()), (key,)))
        yield IngestedCrawl(summary, outcomes, {d.isoformat(): closing for d, closing in closings.items()}, proved)


def prove_earlier_days(archive: Archive, run: str, summaries: Mapping[str, Summary]) -> dict[str, manifests.Closing]:
    """Log each earlier day that these crawls prove to be whole, or more so than before; return how they stand now."""
    found = list(proved_since(archive, summaries))
    for day, closing in found:
        _log_closing(archive, run, day, summaries, closing)
    return {day.isoformat(): closing for day, closing in found}


def _log_closing(
    archive: Archive, run: str, day: date, summaries: Mapping[str, Summary], closing: manifests.Closing
) -> int:
    """Log how a day stands, unless its last closing says the same; return the manifest's number."""
    seq, said = archive.index.closed(day.isoformat(), closing.sources)
    digest = manifests.closing_digest(closing)
    if said == digest:
        return seq
    crawls = tuple(map(account_key, summaries.values()))
    part = f"{manifests.CLOSING}-{day}-{digest[:8]}-{seq}"  # it may say again what it said before the last one
    return commit(archive, manifests.Manifest(run, part, day.isoformat(), iso(now()), crawls, closing=closing))


def _serving(source: Source, summary: Summary, day: date) -> list[manifests.RouteReport]:
    serving = {route.name for route in source.routes if route.serves(day, day)}
    return [route for route in summary.routes if route.route in serving]


def closing_of(
    day: date,
    sources: Iterable[Source],
    summaries: Mapping[str, Summary],
    failures: Mapping[str, str],
    quiet: Sequence[manifests.Quiet] = (),
    without_proof: Sequence[manifests.Unproved] = (),
    over: bool = True,
    given_up: Container[str] = (),
) -> manifests.Closing:
    """Return how a day stands: complete when it is over, every expected section was shown to be read whole, and no page
    failed but those of articles that are `given_up`."""
    missing = [] if over else ["the day is not over in Seoul: close it again tomorrow"]
    warnings, whole = [each.sentence(day) for each in quiet], []
    routes: list[manifests.RouteReport] = []
    counts: Counter[str] = Counter()
    names, lacking = [], list[str]()
    for source in sources:
        names.append(source.name)
        summary = summaries.get(source.name)
        lacks = [failures[source.name]] if source.name in failures else [] if summary else ["not crawled"]
        if summary:
            told = _serving(source, summary, day)
            of_day = [tried for tried in summary.addresses if (tried.day or summary.until) == day.isoformat()]
            lost = [tried for tried in of_day if tried.article_id in given_up]
            lacks += _lacking(summary, [tried for tried in of_day if tried not in lost])
            lacks += _unknown(summary, day.isoformat())
            lacks += [] if told or not source.routes else [NOT_DISCOVERABLE]
            routes += told
            warnings += [f"{source.name}: unreachable: {t.url}: {t.reason}" for t in lost]
            warnings += _warnings(told)
            warnings += [f"{source.name}: {said}" for said in _unknown(summary, "")]
            counts.update(tried.result for tried in of_day)
        lacking += [source.name] if lacks else []
        lacks = [f"{source.name}: {what}" for what in lacks]
        lacks += [each.sentence for each in without_proof if each.source == source.name]
        missing += lacks
        whole += [source.name] if over and not lacks else []
    if not names:
        missing.append("no source that was asked for has anything of this day")
    return manifests.Closing(
        tuple(names),
        not missing,
        tuple(missing),
        tuple(warnings),
        tuple(routes),
        tuple(sorted(counts.items())),
        tuple(whole),
        tuple(quiet),
        tuple(without_proof),
        tuple(lacking),
    )


def _lacking(summary: Summary, addresses: Iterable[Tried]) -> list[str]:
    """Return what is missing in a source's crawl of a day, apart from what its routes did not prove."""
    early = [] if summary.finish_reason == "finished" else [f"the crawl ended early ({summary.finish_reason})"]
    lacking = [f"{t.url}: {t.reason or 'not asked for'}" for t in addresses if t.result in NOT_FETCHED]
    more = len(lacking) - LACKING_NAMED
    behind = [f"{more:,} more addresses, which the crawl's account names"] if more > 0 else []
    return early + lacking[:LACKING_NAMED] + behind


def _unknown(summary: Summary, day: str) -> list[str]:
    """Return what a crawl says of a day's addresses that no pattern knows; `day` is empty for those of no known day."""
    urls = [one.url for one in summary.unknown if one.day == day]
    shown = ", ".join(urls[:UNKNOWN_NAMED]) + (" …" if len(urls) > UNKNOWN_NAMED else "")
    return [f"{len(urls)} op-eds at addresses that no pattern of the source file knows: {shown}"] if urls else []


def _warnings(routes: Iterable[manifests.RouteReport]) -> Iterator[str]:
    for one in routes:
        if one.error and not one.expected and (one.status or not one.days):  # a feed reaches back some days: no fault
            yield f"{one.source} {one.route}: {one.error}"
        if one.undated:
            yield f"{one.source} {one.route}: {one.undated} entries without a day that can be believed"
        if one.unordered:
            yield f"{one.source} {one.route}: {one.unordered} entries whose day does not fit among the others"
        if one.odd:
            yield f"{one.source} {one.route}: {one.odd} entries without an address"


def quiet_sources(
    archive: Archive, day: date, sources: Iterable[Source], summaries: Mapping[str, Summary]
) -> list[manifests.Quiet]:
    """Return each source that showed nothing for a day, though such days usually bring something."""
    before = {day - timedelta(weeks=n) for n in range(1, WEEKS + 1)}
    since, until = (datetime.combine(then, time(), SEOUL) for then in (min(before), day))
    found = []
    for source in sources:
        summary = summaries.get(source.name)
        if summary is None or any((tried.day or summary.until) == day.isoformat() for tried in summary.addresses):
            continue
        moments = archive.index.published_between(source.name, iso(since), iso(until))
        brought = len(before & {datetime.fromisoformat(m).astimezone(SEOUL).date() for m in moments})
        if brought >= USUAL:
            found.append(manifests.Quiet(source.name, brought, WEEKS))
    return found


def addresses_due(archive: Archive, at: datetime) -> dict[str, list[str]]:
    """Return the addresses to revisit by source, the best one of each article.

    First come pages that were not there at the last look, then those whose age is due, seen longest ago first.
    """
    seen = [
        Seen(article_id, datetime.fromisoformat(born), datetime.fromisoformat(last))
        for article_id, born, last in archive.index.recent(iso(at - WINDOW))
    ]
    waiting = [*archive.index.vanished(iso(at - LOOK_AGAIN)), *(one.article_id for one in due(seen, at))]
    asked = {name for name, source in archive.sources.items() if source.enabled}
    found: dict[str, list[str]] = {}
    for article_id in dict.fromkeys(waiting):
        source = split_id(article_id)[0]
        known = places_of(archive, article_id) if source in asked else []
        if known:
            found.setdefault(source, []).append(known[0].canonical_url)
    return {name: urls[:PER_REVISIT] for name, urls in found.items()}
