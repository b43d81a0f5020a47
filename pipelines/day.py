"""A day in steps, for one machine or many: take in what the crawls brought, close the day, say what is owed a look."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from pipelines import log
from pipelines.archive import Archive, commit, places_of
from pipelines.crawls import UNREAD, Summary, crawl_key, sightings
from pipelines.errors import WrongUsage
from pipelines.ingest import Part, ingest, ingest_left
from pipelines.nouns import SEOUL, Outcome, iso, now
from pipelines.record import captures_prefix, to_json
from pipelines.revisit import WINDOW, Seen, due
from pipelines.sources import Source

AT_ONCE = 500  # addresses of one revisit: what is owed beyond them is owed to the next one too
WEEKS = 8  # same weekdays looked back at, to say what a day usually brings
USUAL = 4  # of those weeks: fewer are no habit


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `of` equal parts of an archive's articles: all that concerns an article is in one of them.

    >>> sum(Shard(n, 8).holds("kjd-c2068163") for n in range(8))
    1
    """

    number: int = 0
    of: int = 1

    @classmethod
    def named(cls, text: str) -> Shard:
        """Return the part that a person calls `3/28`; nothing is all. Raises `WrongUsage`."""
        number, _, of = (text or "1/1").partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise WrongUsage(f"{text!r} is no share; write 3/28 for the third of 28")
        return cls(int(number) - 1, int(of))

    def holds(self, article_id: str) -> bool:
        """Whether the article belongs to this part."""
        return int(hashlib.sha256(article_id.encode()).hexdigest()[:8], 16) % self.of == self.number

    @property
    def suffix(self) -> str:
        """What a part's name ends in; nothing for the only one."""
        return f"-{self.number}of{self.of}" if self.of > 1 else ""


WHOLE = Shard()


def take_in(
    archive: Archive, summary: Summary, report: Callable[[Outcome], None], shard: Shard = WHOLE
) -> list[Outcome]:
    """Log one crawl's outcomes, a part for each day; then what an earlier, broken crawl left of these articles."""
    addresses = [tried for tried in summary.addresses if shard.holds(tried.article_id)]
    days = {tried.article_id: tried.day or summary.until for tried in addresses}
    seen, others = sightings(addresses)
    crawl = crawl_key(summary.source, summary.until, summary.run)
    done: list[Outcome] = []
    for day in sorted({*days.values()}):
        part = Part(summary.run, f"{summary.source}-{day}{shard.suffix}", day, iso(now()), (crawl,))
        of_day = [s for s in seen if days[s.article_id] == day], [o for o in others if days[o.article_id] == day]
        done += ingest(archive, part, *of_day, report)
    left = Part(summary.run, f"{summary.source}-left{shard.suffix}", summary.until, iso(now()))
    of_these = (captures_prefix(article_id) for article_id in dict.fromkeys(t.article_id for t in addresses))
    return done + ingest_left(archive, left, (key for p in of_these for key in archive.store.keys(p)), report)


def close(
    archive: Archive, run: str, day: date, names: Iterable[str], summaries: Mapping[str, Summary],
    failures: Mapping[str, str],
) -> tuple[log.Closing, int]:  # fmt: skip
    """Log how a day stands after a run; return that and its manifest's number. The same is not logged twice."""
    sources = [archive.sources[name] for name in names]
    found = closing_of(day, sources, summaries, failures, unusual(archive, day, sources, summaries))
    crawls = tuple(crawl_key(s.source, s.until, s.run) for s in summaries.values())
    digest = hashlib.sha256(to_json([crawls, found.missing])).hexdigest()[:8]
    manifest = log.Manifest(run, f"{log.CLOSING}-{day}-{digest}", day.isoformat(), iso(now()), crawls, closing=found)
    known = archive.index.logged(manifest.run, manifest.part)
    return found, known or commit(archive, manifest)


def closing_of(
    day: date, sources: Iterable[Source], summaries: Mapping[str, Summary], failures: Mapping[str, str],
    warnings: Iterable[str] = (),
) -> log.Closing:  # fmt: skip
    """Return how a day stands: complete when every expected section was read back to it and no page failed."""
    missing: list[str] = []
    told_of = [*warnings]
    routes: list[log.RouteReport] = []
    counts: Counter[str] = Counter()
    names = [source.name for source in sources]
    for source in sources:
        summary = summaries.get(source.name)
        if source.name in failures:
            missing.append(f"{source.name}: {failures[source.name]}")
        if summary is None:
            missing += [f"{source.name}: not crawled"] if source.name not in failures else []
            continue
        if summary.finish_reason != "finished":
            missing.append(f"{source.name}: the crawl ended early ({summary.finish_reason})")
        serving = {route.name for route in source.routes if route.serves(day, day)}
        told = [route for route in summary.routes if route.route in serving]
        routes += told
        missing += [
            f"{source.name} {r.route}: {r.error or 'not read back far enough'}"
            for r in told
            if r.expected and not r.reached
        ]
        told_of += [f"{source.name} {r.route}: {r.error}" for r in told if r.error and not r.expected]
        of_day = [tried for tried in summary.addresses if (tried.day or summary.until) == day.isoformat()]
        unread = [tried for tried in of_day if tried.result in UNREAD]
        missing += [f"{source.name}: {tried.url}: {tried.reason or 'not asked for'}" for tried in unread]
        counts.update(tried.result for tried in of_day)
    return log.Closing(
        tuple(names), not missing, tuple(missing), tuple(told_of), tuple(routes), tuple(sorted(counts.items()))
    )


def unusual(archive: Archive, day: date, sources: Iterable[Source], summaries: Mapping[str, Summary]) -> list[str]:
    """Return a warning for each source that showed nothing for a day, though such days usually bring something."""
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
            found.append(
                f"{source.name}: nothing was published, though {brought} of the last {WEEKS} {day:%A}s had something"
            )
    return found


def addresses_due(archive: Archive, at: datetime) -> dict[str, list[str]]:
    """Return the addresses to look at again by source, each article's best one, the oldest look first."""
    found: dict[str, list[str]] = {}
    seen = []
    for article_id, born, last in archive.index.recent(iso(at - WINDOW)):
        known = places_of(archive, article_id)
        if known:
            moments = (datetime.fromisoformat(born), datetime.fromisoformat(last))
            seen.append(Seen(article_id, known[0].canonical_url, *moments))
    for one in due(seen, at):
        found.setdefault(one.article_id.partition("-")[0], []).append(one.url)
    return {name: urls[:AT_ONCE] for name, urls in found.items()}
