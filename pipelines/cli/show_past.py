"""What the commands about the past print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from pipelines.catalogue.rows import Row, is_waiting
from pipelines.cli.progress import console, print_json, shown
from pipelines.index.index import Renumbered
from pipelines.jobs.past import AskedPast, PastPlan
from pipelines.jobs.report import Report
from pipelines.settings import Settings
from pipelines.sources.public import PublicArchive

LISTED = 12  # of a list that people read
BAR_WIDTH = 10


def print_plan(plan: PastPlan, archive: PublicArchive, as_json: bool) -> None:
    """Print what a run would fetch: by year and section, and how long that takes."""
    if as_json:
        told = [asdict(year) for year in plan.years]
        done = {name: value for name, value in asdict(plan).items() if name != "years"}
        return print_json([*told, {"done": done}])
    table = _table("year", "section", "captures", "articles", "archived", "to fetch")
    for year in plan.years:
        numbers = (year.captures, year.articles, year.archived, year.wanted)
        table.add_row(year.year, shown(year.section), *(f"{number:,}" if number else "·" for number in numbers))
    sums = [sum(getattr(year, name) for year in plan.years) for name in ("captures", "articles", "archived", "wanted")]
    table.add_row("together", "", *(f"{number:,}" for number in sums), style="bold")
    console.print(table)
    for why, count in sorted(plan.left_out.items()):
        console.print(f"  [dim]left out: {count:,} rows {shown(why)}[/]")
    console.print(
        f"to fetch: {sums[-1]:,} pages from {shown(archive.title)}, one every {60 / archive.pages_per_minute:.2g} s: "
        f"[bold]about {_time(plan.seconds)}[/]"
    )
    console.print(
        f"[dim]index: {plan.index_answers:,} answers are in the bucket; to ask for them all takes "
        f"{_time(plan.index_seconds)} at {archive.index_per_minute:g} a minute[/]"
    )
    return None


def _time(seconds: float) -> str:
    """Return a length of time in words.

    >>> [_time(20), _time(5400), _time(200_000)]
    ['1 minute', '90 minutes', '56 hours']
    """
    minutes = max(1, round(seconds / 60))
    if minutes <= 120:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{round(minutes / 60):,} hours"


def print_past(report: Report, settings: Settings, asked: AskedPast, as_json: bool) -> None:
    """Print what came of the months, and where to go on."""
    counts = Counter("waiting for review" if is_waiting(o) else o.verdict.value for o in report.outcomes)
    lacking: dict[str, str] = {}
    had = {o.article_id for o in report.outcomes if o.content16}
    for outcome in report.outcomes:
        if outcome.verdict.value in {"FAILED", "DISALLOWED", "REJECTED"} and outcome.article_id not in had:
            lacking[outcome.article_id] = f"{outcome.url}: {', '.join(outcome.reasons)}"
    if as_json:
        outcomes = [{k: v for k, v in asdict(o).items() if v not in ("", ())} for o in report.outcomes]
        failed = [{"failed": what, "reason": why} for what, why in report.failures.items()]
        return print_json([*outcomes, *failed, {"done": {"outcomes": counts, "without_a_good_capture": len(lacking)}}])
    span = asked.since if asked.since == asked.until else f"{asked.since} to {asked.until}"
    told = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "nothing new"
    console.print(f"{shown(asked.source)} from {shown(asked.archive)}, {span}: {told}")
    if lacking:
        console.print(f"[yellow]{len(lacking):,} op-eds without a good capture:[/]")
        for _, why in sorted(lacking.items())[:LISTED]:
            console.print(f"  {shown(why)}", soft_wrap=True)
        if len(lacking) > LISTED:
            console.print(f"  … and {len(lacking) - LISTED:,} more: --json names all")
    for why in report.failures.values():
        console.print(f"[red]ended early:[/] {shown(why)}", soft_wrap=True)
    if report.published:
        console.print(f"[dim]log at {report.published.seq}; opeds status shows what is known, by year[/]")
    return None


def print_periods(rows: Sequence[Row]) -> None:
    """Print what is known from public archives, by year; nothing of it is ever complete."""
    if not rows:
        return
    console.print("[bold]known from public archives[/]  (what they do not have proves nothing)")
    table = _table("year", "source", "archive", "months", "articles", "had", "before", "none good", "")
    for row in rows:
        had, before, articles = row.get("had", 0), row.get("held before", 0), row.get("articles", 0)
        filled = BAR_WIDTH * min(had + before, articles) // articles if articles else 0
        numbers = (row["months"], articles, had, before, row.get("without a good capture", 0))
        bar = f"[green]{'▓' * filled}[/][dim]{'░' * (BAR_WIDTH - filled)}[/]"
        cells = [f"{number:,}" if number else "·" for number in numbers]
        table.add_row(row["year"], shown(row["source"]), shown(row["archive"]), *cells, bar)
    console.print(table)


def print_renumbered(found: Renumbered, as_json: bool) -> None:
    """Print the old numbers with their new ones and why, then those that have none."""
    if as_json:
        told = [{"old": old, "new": new, "by": why} for old, new, why in found.found]
        told += [{"old": old, "new": "", "by": ()} for old in found.not_found]
        return print_json([*told, {"done": {"found": len(found.found), "not_found": len(found.not_found)}}])
    for old, new, why in found.found:
        console.print(f"{shown(old)} is {shown(new)}  [dim]by {', '.join(why)}[/]", soft_wrap=True)
    console.print(f"{len(found.found):,} old numbers are known under a new one; {len(found.not_found):,} are not:")
    for old in found.not_found[:LISTED]:
        console.print(f"  {shown(old)}")
    if len(found.not_found) > LISTED:
        console.print(f"  … and {len(found.not_found) - LISTED:,} more: --json names all")
    return None


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for at, name in enumerate(columns):
        table.add_column(name, justify="left" if at < 2 or not name else "right")
    return table
