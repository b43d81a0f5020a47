"""The past of a source from a public archive: ask for it month by month, archive what comes, say what is left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pipelines.archive.crawl_summary import Summary, read_summary
from pipelines.archive.keys import article_of, is_account, past_folder
from pipelines.archive.store import open_store
from pipelines.catalogue.publish import publish
from pipelines.clock import new_run_id, today
from pipelines.errors import CrawlFailed, SiteBusy, SiteRefused, WrongUsage
from pipelines.index.index import Renumbered
from pipelines.index.opened import Archive, open_to_write
from pipelines.jobs.crawls import ending_with_us, start_crawl
from pipelines.jobs.day import closing_of_period, ingest_period
from pipelines.jobs.report import Progress, Report, show_outcome
from pipelines.past.choice import rows_wanted
from pipelines.past.months import checked_months
from pipelines.past.stored import month_in
from pipelines.settings import Settings
from pipelines.sources import load_sources, source_named
from pipelines.sources.public import PublicArchive, load_archives, public_named

REFUSED = frozenset({"robots", "refused"})  # how a run ends that must not be tried again before a person has looked
BUSY = frozenset({"busy", "slow_down", "other_answer"})
Told = Callable[[str, str], None]  # what happened, to what
PUBLISHED_EVERY = 300  # outcomes: the rows of one publishing are in memory together
SECTION = re.compile(r"/(editorials|columns|fountain|letters|cartoons|bilingualNews)/")
UNTOLD = "not told by the address"


@dataclass(frozen=True)
class AskedPast:
    """What a run is for: a source, a public archive, and months; `every` asks for one page of each digest."""

    source: str
    archive: str
    since: str
    until: str
    every: bool = False
    refresh: bool = False
    limit: int = 0

    def arguments(self, run: str, **more: str) -> list[tuple[str, str]]:
        """Return the arguments of the spider."""
        told = {"source": self.source, "archive": self.archive, "since": self.since, "until": self.until, "run": run}
        told |= {"every": "1"} if self.every else {}
        told |= {"refresh": "1"} if self.refresh else {}
        told |= {"limit": str(self.limit)} if self.limit else {}
        return list((told | more).items())


@dataclass(slots=True)
class YearPlan:
    """What an index has of a year and a section: captures, articles, how many of these the archive has, and how many
    pages are left to ask for."""

    year: str
    section: str
    captures: int = 0
    articles: int = 0
    archived: int = 0
    wanted: int = 0


@dataclass
class PastPlan:
    """What a run would do: by year and section, rows that are left out, and how long it takes at the polite rate."""

    years: list[YearPlan] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    index_answers: int = 0
    seconds: float = 0.0  # for the pages that are wanted
    index_seconds: float = 0.0  # for as many index answers, were they asked now


def checked(settings: Settings, asked: AskedPast) -> tuple[PublicArchive, list[str]]:
    """Return the archive and the months that are asked for; raise `WrongUsage`."""
    source = source_named(load_sources(settings.sources), asked.source)
    archive = public_named(load_archives(settings.sources), asked.archive)
    if not source.archived:
        raise WrongUsage(f"{source.name} names no addresses for public archives: [[archived]] in its source file")
    return archive, checked_months(asked.since, asked.until, today().strftime("%Y-%m"), source.first_day)


def ask_public(settings: Settings, asked: AskedPast, environment: Mapping[str, str], told: Told, **more: str) -> None:
    """Ask a public archive, in a process of its own; `told` gets each line of its progress.

    Raises `SiteRefused` where the archive does not want us, `SiteBusy` where another hour may be better, `CrawlFailed`
    else.
    """
    run_id, reason = new_run_id(), ""

    def heard(line: str) -> None:
        nonlocal reason
        what, _, name = line.partition(" ")
        reason = name if what == "ended" else reason
        told(what, name)

    log = settings.home / "logs" / f"{run_id}-{asked.archive}.log"
    crawl = start_crawl("archived", asked.arguments(run_id, **more), log, dict(environment))
    with ending_with_us(crawl):
        try:
            crawl.wait(heard)
        except CrawlFailed as error:
            raise (SiteRefused if reason in REFUSED else SiteBusy if reason in BUSY else CrawlFailed)(
                str(error)
            ) from error


def run_past(settings: Settings, asked: AskedPast, environment: Mapping[str, str], progress: Progress) -> Report:
    """Ask for each month's index and pages, archive what comes month by month, publish.

    Goes on where an earlier run ended, however that was. Where the archive sends us away, what came until then is
    archived, and the sentence stands among the report's failures.
    """
    _, months = checked(settings, asked)
    archive, report = open_to_write(settings), Report()
    unpublished = _take_months(archive, asked, months, report, progress)

    def told(what: str, name: str) -> None:
        nonlocal unpublished
        if what != "month":
            return progress(asked.archive, f"{what} {name}")
        unpublished += _take_months(archive, asked, [name], report, progress)
        if unpublished >= PUBLISHED_EVERY:
            report.published, unpublished = publish(archive, settings), 0
        return None

    try:
        ask_public(settings, asked, environment, told, started_by="run")
    except CrawlFailed as error:
        report.failures[asked.archive] = str(error)
    _take_months(archive, asked, months, report, progress)
    progress("publish", "")
    report.published = publish(archive, settings)
    report.note_groups(archive.index)
    return report


def _take_months(archive: Archive, asked: AskedPast, months: Iterable[str], report: Report, progress: Progress) -> int:
    """Ingest every account of these months that waits; return how many outcomes came."""
    count = 0
    for summary in waiting_accounts(archive, asked.source, asked.archive, months):
        came = ingest_period(archive, summary, partial(show_outcome, progress))
        report.outcomes += came
        count += len(came)
    return count


def waiting_accounts(archive: Archive, source: str, name: str, months: Iterable[str]) -> list[Summary]:
    """Return the accounts of these months that no manifest closes, in the order in which they were left."""
    found = []
    for month in months:
        keys = archive.store.keys(past_folder(source, name, month))
        for key in sorted(filter(is_account, keys)):
            run = key.rpartition("/")[2].removesuffix(".json")
            if archive.index.logged(run, closing_of_period(source, name, month)) is None:
                found.append(read_summary(archive.store, key))
    return found


def plan_past(settings: Settings, asked: AskedPast, environment: Mapping[str, str], progress: Progress) -> PastPlan:
    """Ask the index for what is not known of it, and say what a run would fetch; fetch no page and log nothing."""
    public, months = checked(settings, asked)
    ask_public(settings, asked, environment, lambda what, name: progress(asked.archive, f"{what} {name}"), plan="1")
    return planned(settings, asked, public, months, progress)


def planned(
    settings: Settings, asked: AskedPast, public: PublicArchive, months: Iterable[str], progress: Progress
) -> PastPlan:
    """Return what the stored index says that is left to fetch; ask nobody."""
    store, plan = open_store(settings), PastPlan()
    source = load_sources(settings.sources)[asked.source]
    held: dict[str, list[str]] = {}  # the moments of captures: of those in the bucket, and of those wanted before
    for key in store.keys(f"captures/{asked.source}/"):
        held.setdefault(article_of(key), []).append(re.sub("[TZ]", "", key.rpartition("/")[2][:16]))
    archived = frozenset(held)
    years: dict[tuple[str, str], YearPlan] = {}
    answers: set[str] = set()
    for month in months:
        known = month_in(store, source, public, month)
        answers |= known.answers.keys()
        for why, count in known.sorted.left_out.items():
            plan.left_out[why] = plan.left_out.get(why, 0) + count
        for article in known.sorted.articles:
            rows = [*article.pages, *article.moved, *article.others]
            found = next((named[1] for row in rows if (named := SECTION.search(row.url))), UNTOLD)
            year = years.setdefault((month[:4], found), YearPlan(month[:4], found))
            mine = held.get(article.article_id, [])
            year.captures += len(rows)
            year.articles += 1
            year.archived += article.article_id in archived
            wanted = rows_wanted(article, known.notes, mine, asked.every)
            year.wanted += len(wanted)
            held[article.article_id] = [*mine, *(row.stamp for row in wanted if row in article.pages)]
        progress("plan", f"months {month}")
    plan.years = [years[key] for key in sorted(years)]
    plan.index_answers = len(answers)
    plan.seconds = sum(year.wanted for year in plan.years) * 60 / public.pages_per_minute
    plan.index_seconds = len(answers) * 60 / public.index_per_minute
    return plan


def renumbered(settings: Settings, source: str) -> Renumbered:
    """Return which op-eds of a source are known under an old and a new number, and of which that is not known."""
    known = load_sources(settings.sources)
    source_named(known, source)
    current = known[source].addresses[0].prefix
    return open_to_write(settings).index.renumbered(source, current)
