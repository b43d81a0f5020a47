"""What a person sees: progress, tables, an op-ed on a terminal."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipelines.catalogue.queries import NO_CATALOGUE
from pipelines.changes import BREAK, NOTICED, as_html, word_diff
from pipelines.model import SEOUL, Outcome, Verdict
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.catalogue.drift import Finding
    from pipelines.extraction.extract import Reading
    from pipelines.jobs.doctor import Check, Examination
    from pipelines.jobs.rederive import Difference
    from pipelines.jobs.verify import Finding as Fault

ARCHIVED = (Verdict.NEW, Verdict.COPY, Verdict.REVISED)
AROUND = 15  # unchanged words shown on either side of a change
LAST_DAYS = 14  # told one by one; the calendar has the others
SECONDS = 5.0  # between two plain lines of long reading
EVERY = 25  # outcomes between two plain lines where there is no terminal
console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=140)  # a file or a pipe has no edge to wrap at


class Watcher:
    """Progress: one live line on a terminal, a plain line now and then elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.counts: dict[str, Counter[str]] = {}
        self.status = console.status("starting") if console.is_terminal and not quiet else None
        self.told = 0

    def __enter__(self) -> Self:
        if self.status:
            self.status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status:
            self.status.stop()
        elif not self.quiet and kind is None and self.counts:
            self._plain()
        if kind is KeyboardInterrupt:
            print("opeds: stopped; run it again and it goes on from here", file=sys.stderr)

    def progress(self, stage: str, what: str) -> None:
        """Take in one event of a stage: `captured kjd-c…` of a crawl, `NEW kjd-c…` of an ingest."""
        self.counts.setdefault(stage, Counter())[what.partition(" ")[0]] += 1
        self.told += 1
        if self.status:
            self.status.update(self._line())
        elif not self.quiet and self.told % EVERY == 0:
            self._plain()

    def _plain(self) -> None:
        print(f"{time.strftime('%H:%M:%S')} {self._line()}", file=sys.stderr, flush=True)

    def _line(self) -> str:
        parts = [
            f"{stage}: {', '.join(f'{n} {word}' for word, n in c.items() if word)}" for stage, c in self.counts.items()
        ]
        return " · ".join(part.rstrip(": ") for part in parts)


class Counting:
    """Progress of long reading on stderr: a live line on a terminal, a plain one now and then elsewhere."""

    def __init__(self, what: str) -> None:
        self.what, self.due = what, time.monotonic() + SECONDS

    def told(self, count: int) -> None:
        """Take in how far it is."""
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + (0.2 if sys.stderr.isatty() else SECONDS)
        print(f"{count:,} {self.what}", end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


class Remaining:
    """Progress of work whose size is known, with the time it will take."""

    def __init__(self, what: str) -> None:
        self.what, self.began, self.due = what, time.monotonic(), time.monotonic() + 1

    def told(self, done: int, of: int) -> None:
        """Take in how much is done."""
        if time.monotonic() < self.due or not done:
            return
        self.due = time.monotonic() + (0.5 if sys.stderr.isatty() else SECONDS)
        left = (time.monotonic() - self.began) / done * (of - done)
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"{done:,} of {of:,} {self.what}, about {left:.0f} s more", end=end, file=sys.stderr, flush=True)


def print_report(report: Any, settings: Settings, as_json: bool, dry: bool = False) -> None:
    """Print what a run came to: a table by source, then what deserves a name."""
    if as_json:
        return _print_objects(report)
    outcomes: list[Outcome] = report.outcomes
    if outcomes:
        _print_counts(outcomes, dry)
    else:
        console.print("nothing new came in")
    _print_named("recognised as copies", [(o.article_id, _of(o)) for o in outcomes if o.verdict is Verdict.COPY])
    _print_named(
        "corrected since",
        [(o.article_id, f"opeds show {o.article_id}") for o in outcomes if o.verdict is Verdict.REVISED],
    )
    aside = [o for o in outcomes if o.verdict in {Verdict.REJECTED, Verdict.FAILED, Verdict.GONE, Verdict.DISALLOWED}]
    _print_named("set aside", [(o.article_id, f"{o.verdict.value}: {'; '.join(o.reasons)}") for o in aside])
    for why, count in sorted(report.skipped.items()):
        console.print(f"  {count} answers {why}")
    for name, why in sorted(report.failures.items()):
        console.print(f"[red]{escape(name)}: {escape(why)}[/]")
    incomplete = {day: c for day, c in report.closings.items() if not c.complete}
    for day, closing in incomplete.items():
        console.print(f"[yellow]{day} is not complete:[/] {escape('; '.join(closing.missing[:3]))}")
    if report.closings and not incomplete and not report.failures:
        console.print(f"[green]complete:[/] {_span(list(report.closings))}, every section read")
    for warning in sorted({w for c in report.closings.values() for w in c.warnings}):
        console.print(f"  [dim]note: {escape(warning)}[/]")
    if dry:
        console.print("a dry run: nothing was written")
    elif report.published:
        console.print(f"in {settings.archive}{f' at {settings.endpoint}' if settings.endpoint else ''}, "
                      f"log at {report.published.seq}, catalogue version {report.published.version}")  # fmt: skip


def _print_objects(report: Any) -> None:
    """Print one JSON object a line: each outcome, each day closed, each failure."""
    objects: list[dict[str, Any]] = [
        {k: v for k, v in asdict(outcome).items() if v not in ("", ())} for outcome in report.outcomes
    ]
    objects += [{"day": d, "complete": c.complete, "missing": c.missing} for d, c in report.closings.items()]
    objects += [{"failed": what, "reason": why} for what, why in report.failures.items()]
    for told in objects:
        print(json.dumps(told, ensure_ascii=False, sort_keys=True))


def _print_counts(outcomes: Sequence[Outcome], dry: bool) -> None:
    """Print a row for each source; the first two columns are sums, the others share out what was found."""
    columns: list[tuple[str, tuple[Verdict, ...]]] = [
        ("new", (Verdict.NEW,)), ("copies", (Verdict.COPY,)), ("corrected", (Verdict.REVISED,)),
        ("unchanged", (Verdict.UNCHANGED,)), ("set aside", (Verdict.REJECTED,)), ("no op-ed", (Verdict.NOT_AN_OPED,)),
        ("not had", (Verdict.FAILED, Verdict.GONE, Verdict.DISALLOWED, Verdict.ALIAS)),
    ]  # fmt: skip
    used = [(name, verdicts) for name, verdicts in columns if any(o.verdict in verdicts for o in outcomes)]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("would be" if dry else "")
    for name in ("found", *(name for name, _ in used), "records written"):
        table.add_column(name, justify="right", no_wrap=True)
    sources = list(dict.fromkeys(o.article_id.partition("-")[0] for o in outcomes if o.article_id))
    for source in [*sources, "together"] if len(sources) != 1 else sources:
        mine = [o for o in outcomes if source == "together" or o.article_id.startswith(f"{source}-")]
        counts = [sum(o.verdict in verdicts for o in mine) for _, verdicts in used]
        written = sum(bool(o.record_key) and o.verdict in ARCHIVED for o in mine)
        cells = [str(n) if n else "·" for n in (sum(o.verdict is not Verdict.REREAD for o in mine), *counts, written)]
        table.add_row(source, *cells, style="bold" if source == "together" else "")
    console.print(table)


def _print_named(title: str, items: list[tuple[str, str]]) -> None:
    if not items:
        return
    console.print(f"[bold]{title}[/]")
    for name, text in items[:12]:
        console.print(f"  {name:28} {escape(text)}")
    if len(items) > 12:
        console.print(f"  … and {len(items) - 12} more")


def _of(outcome: Outcome) -> str:
    best = max(outcome.matches, key=lambda match: match.figures.c_small)
    return f"is {best.article_id}: {best.figures.c_small:.0%} of the shorter text shared"


def print_list(rows: Sequence[dict[str, Any]]) -> None:
    """Print op-eds as a table."""
    if not rows:
        console.print(f"no op-ed fits; or {NO_CATALOGUE}")
        return
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("published (Seoul)", "kind", "headline", "by", "id", "places", "versions"):
        prose = name == "headline"
        table.add_column(name, no_wrap=not prose, min_width=24 if prose else None)
    for row in rows:
        by = ", ".join(author["name"] for author in row["authors"] or ())
        versions = str(row["versions"]) if row["versions"] > 1 else ""
        table.add_row(_local(row["published_at"]), row["kind"], escape(row["headline"]), escape(by), row["article_id"],
                      str(len(row["places"])), versions)  # fmt: skip
    console.print(table)
    console.print(f"[dim]{len(rows)} op-eds; `opeds show ID` reads one[/]")


def print_oped(versions: Sequence[dict[str, Any]], places: Sequence[dict[str, Any]]) -> None:
    """Print one op-ed to read, then its places and versions."""
    row = versions[-1]
    by = ", ".join(author["name"] for author in row["authors"] or ()) or row["publisher"]
    console.print(f"[bold]{escape(row['headline'])}[/]")
    if row["deck"]:
        console.print(f"[italic]{escape(row['deck'])}[/]")
    why = f" ({', '.join(row['reasons'])})" if row["reasons"] else ""
    about = (row["kind"], escape(by), f"{_local(row['published_at'])} in Seoul", f"{row['word_count']} words")
    console.print(f"[dim]{' · '.join(about)} · {row['status']}{why}[/]")
    for paragraph in [p for part in (row["text"], row["text_ko"]) for p in part.split("\n\n") if p]:
        console.print()
        console.print(textwrap.fill(paragraph, min(console.width, 88)), markup=False)
    console.print()
    for label, values in (("caption", row["captions"]), ("bio", [a["bio"] for a in row["authors"] or () if a["bio"]]),
                          ("correction", [row["correction_note"]] if row["correction_note"] else [])):  # fmt: skip
        for value in values or ():
            console.print(f"[dim]{label}:[/] {escape(value)}")
    console.print("[bold]places[/]")
    for place in places:
        console.print(f"  {place['role']:8} {place['article_id']:26} {place['canonical_url']}", soft_wrap=True)
    console.print("[bold]versions[/]")
    for version in versions:
        for step in version["steps"]:
            name = f"{version['article_id']}@{version['content16']}"
            change = f" · {_changed(step)} since {step['previous'][:8]}" if step["previous"] else ""
            console.print(f"  {name}  {_local(step['from'])} to {_local(step['to'])}{change}", soft_wrap=True)
    console.print(f"[dim]captured {_local(row['fetched_at'])} as {row['capture_key']}[/]", soft_wrap=True)


def print_verified(counts: dict[str, int], findings: Sequence[Fault], as_json: bool) -> None:
    """Print what was verified, and what does not fit."""
    if as_json:
        print(json.dumps({"verified": counts, "findings": [asdict(one) for one in findings]}, sort_keys=True))
        return
    for one in findings:
        console.print(f"[red]{one.kind}[/] {escape(one.key)}: {escape(one.said)}", soft_wrap=True)
    what = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    console.print(f"verified: {what}; " + (f"[red]{len(findings)} do not fit[/]" if findings else "all of it fits"))


def print_differences(found: Sequence[Difference], report: Any, written: bool, as_json: bool) -> None:
    """Print what today's rules make of captures, beside what stands in the archive."""
    if as_json:
        for one in found:
            print(json.dumps({k: v for k, v in asdict(one).items() if k not in {"before", "after"}}, sort_keys=True))
        return
    for one in found:
        named = f" {one.was[:8]} → {one.now[:8]}" if one.was and one.was != one.now else ""
        console.print(f"[bold]{one.article_id}[/]{named}  [dim]{escape(one.capture_key)}[/]", soft_wrap=True)
        if one.refused:
            console.print(f"  [red]refused today:[/] {escape(', '.join(one.refused))}")
            continue
        for field_ in one.fields:
            before, after = _around(one.before.get(field_), one.after.get(field_))
            console.print(f"  {field_:16} [red]{escape(before)}[/] → [green]{escape(after)}[/]", soft_wrap=True)
    refused = sum(bool(one.refused) for one in found)
    console.print(f"{len(found)} captures to name, {refused} of them refused by today's rules")
    if report.outcomes:
        console.print(f"written: {len(report.outcomes)} outcomes, catalogue version {report.published.version}")
    elif refused < len(found) and not written:
        console.print("nothing was written; --write does it")


def _around(before: object, after: object) -> tuple[str, str]:
    """Return two values as short texts, cut to where they begin to differ."""
    one, two = (v if isinstance(v, str) else json.dumps(v, ensure_ascii=False, sort_keys=True) for v in (before, after))
    same = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    start = max(0, same - 20)
    return tuple(_short(("…" if start else "") + text[start:]) for text in (one, two))  # type: ignore[return-value]


def print_explanation(reading: Reading) -> None:
    """Print how a reading came about, from the page to its status."""
    article = reading.article
    colour = {"ok": "green", "review": "yellow"}.get(article.status.value, "red")
    console.print(
        f"[{colour}]{article.status.value}[/]{escape(': ' + ', '.join(article.reasons)) if article.reasons else ''}"
    )
    console.print("[bold]body[/]")
    for line in reading.tried:
        console.print(f"  {escape(line)}")
    console.print("[bold]fields[/]  (and who said so)")
    for field_, witness in article.witnesses:
        value = getattr(article, field_, "")
        if field_ == "text":
            paragraphs = len([p for p in f"{article.text}\n\n{article.text_ko}".split("\n\n") if p])
            value = f"{article.word_count} words, {paragraphs} paragraphs, coverage {article.coverage}"
        elif field_ == "authors":
            value = ", ".join(author.name for author in article.authors)
        console.print(f"  {field_:24} {escape(_short(str(value)))}  [dim]{escape(witness)}[/]", soft_wrap=True)
    console.print(f"[bold]taken off[/]  ({len(reading.removed)} blocks)")
    for rule, text in reading.removed:
        console.print(f"  {rule:24} {escape(_short(text))}", soft_wrap=True)


def _short(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:87]}…"


def print_examination(found: Examination, into: Path, as_json: bool) -> bool:
    """Print what a look at a site told; return whether all of it holds."""
    sound = not any(route.said for route in found.routes if route.expected) and all(
        page.reading.article.status.value in {"ok", "review"} for page in found.pages
    )
    if as_json:
        pages = [{"url": p.url, "status": p.reading.article.status, "reasons": p.reading.article.reasons,
                  "checks": [asdict(c) for c in p.checks]} for p in found.pages]  # fmt: skip
        told = {"robots": found.robots, "routes": [asdict(r) for r in found.routes], "pages": pages,
                "proposal": found.proposal, "holds": sound and bool(found.pages)}  # fmt: skip
        print(json.dumps(told, ensure_ascii=False, sort_keys=True))
        return sound and bool(found.pages)
    console.print(f"robots.txt answered {found.robots or 'nothing'}")
    for route in found.routes:
        colour = "red" if route.expected else "yellow"
        mark = f"[{colour}]{escape(route.said)}[/]" if route.said else "[green]works[/]"
        console.print(f"[bold]route {route.name}[/] HTTP {route.status or '–'}, {route.entries} entries: {mark}")
        console.print(f"  [dim]{escape(route.url)}[/]", soft_wrap=True)
        _print_checks(route.checks)
    for page in found.pages:
        article = page.reading.article
        colour = {"ok": "green", "review": "yellow"}.get(article.status.value, "red")
        why = f": {', '.join(article.reasons)}" if article.reasons else ""
        console.print(f"[bold]page[/] {escape(page.url)}", soft_wrap=True)
        console.print(f"  [{colour}]{article.status.value}[/]{escape(why)} by {article.profile or 'nothing'}; "
                      f"{article.word_count} words, {escape(_short(article.headline) or 'no headline')}")  # fmt: skip
        _print_checks(page.checks)
    if not found.pages:
        console.print("[red]no page was fetched:[/] no route showed one, or all refused")
    if found.proposal:
        console.print("[bold]no profile fits; this one would, by these pages:[/]  (put it first among the profiles)")
        console.print(found.proposal, markup=False, soft_wrap=True)
    console.print(f"what was seen lies in {into}/: the WARC, and each page as a fixture folder. Not for publication.")
    return sound and bool(found.pages)


def _print_checks(checks: Sequence[Check]) -> None:
    for one in checks:
        missing = "[red]✗[/]" if one.needed and not one.hits else "[yellow]–[/]"
        mark = "[green]✓[/]" if one.hits == one.of and one.hits else missing
        of = f" {one.hits} of {one.of}" if one.of > 1 else ""
        line = f"  [dim]line {one.line} of the source file[/]" if one.line and one.hits < one.of else ""
        console.print(f"  {mark} {one.name:22} {escape(one.selector)}{of}{line}", soft_wrap=True)


def print_diff(before: dict[str, Any], after: dict[str, Any], html: bool) -> None:
    """Print what changed between two versions: red struck out is gone, green underlined is new."""
    if html:
        print(as_html(before, after))
        return
    console.print(f"[bold]{after['article_id']}[/] {before['content16']} → {after['content16']}", soft_wrap=True)
    console.print(f"[dim]{_local(after['first_seen'])} in Seoul: {_changed(after)}[/]")
    colour = {"-": "red strike", "+": "green underline", " ": ""}
    plain = {"-": ("[-", "-]"), "+": ("{+", "+}"), " ": ("", "")}
    for name in NOTICED:
        old, new = (
            v if isinstance(v, str) else ", ".join(a["name"] for a in v or ()) for v in (before[name], after[name])
        )
        if old == new:
            continue
        console.print(f"\n[bold]{name}[/]")
        line = Text()
        for what, text in word_diff(old, new):
            text = _middle_left_out(text) if what == " " else text
            left, right = plain[what] if not console.is_terminal else ("", "")
            line.append(f"{left}{text}{right} ".replace(f" {BREAK} ", "\n\n"), style=colour[what])
        console.print(line)


def _middle_left_out(text: str) -> str:
    words = text.split(" ")
    return text if len(words) <= 4 * AROUND else " ".join([*words[:AROUND], "…", *words[-AROUND:]])


def _changed(version: dict[str, Any]) -> str:
    """Return a change in words: `text_changed, 3 words new and 2 gone`."""
    kind = (version["kind_of_change"] or "").replace("+", ", ")
    came, went = version["words_added"], version["words_removed"]
    return f"{kind}: {came} words new, {went} gone" if came or went else kind


def print_days(rows: Sequence[dict[str, Any]], settings: Settings) -> None:
    """Print the calendar, gaps between days included."""
    console.print(f"[bold]{settings.archive}[/]{' at ' + settings.endpoint if settings.endpoint else ''}")
    if not rows:
        console.print(NO_CATALOGUE)
        return
    print_calendar({date.fromisoformat(row["day"]): row["complete"] for row in rows})
    shown = [*[row for row in rows[:-LAST_DAYS] if row["complete"] is False][-LAST_DAYS:], *rows[-LAST_DAYS:]]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("day", "", "new", "copies", "corrected", "set aside", "runs", "missing"):
        table.add_column(
            name, justify="right" if name in {"new", "copies", "corrected", "set aside", "runs"} else "left"
        )
    for row in shown:
        told = row["outcomes"]
        mark = {True: "[green]complete[/]", False: "[yellow]incomplete[/]", None: "[dim]by hand[/]"}[row["complete"]]
        numbers = [str(told.get(verdict, "") or "") for verdict in ("NEW", "COPY", "REVISED", "REJECTED")]
        table.add_row(row["day"], mark, *numbers, str(row["runs"] or ""), escape("; ".join(row["missing"][:2])))
    console.print(table)
    if len(shown) < len(rows):
        console.print(f"[dim]the last {LAST_DAYS} days, and those before that are incomplete; all: --json[/]")
    gaps = _gaps([row["day"] for row in rows if row["complete"] is not None])
    named = ", ".join(gaps[:7]) + (f" … {len(gaps)} in all" if len(gaps) > 7 else "")
    console.print(
        f"[yellow]days never run in between:[/] {named}" if gaps else "[dim]no day in between was left out[/]"
    )


def print_calendar(days: dict[date, bool | None]) -> None:
    """Draw every day from the first to the last, a line for each month."""
    mark = {True: "[green]■[/]", False: "[yellow]▲[/]", None: "[dim]+[/]"}
    first, last = min(days), max(days)
    console.print(f"[dim]{'':8}{'1':4}{'5':5}{'10':5}{'15':5}{'20':5}{'25':5}{'30'}[/]")
    month = first.replace(day=1)
    while month <= last:
        line = ""
        for day in (month + timedelta(days=n) for n in range(31)):
            known = first <= day <= last and day.month == month.month
            line += mark[days[day]] if day in days else "[red]·[/]" if known else " "
        console.print(f"{month:%Y-%m} {line}")
        month = (month + timedelta(days=31)).replace(day=1)
    said = {True: "■ complete", False: "▲ incomplete", None: "+ by hand"}
    console.print(f"[dim]{'':8}{'  '.join(said[one] for one in said if one in days.values())}  · never run[/]")


def print_drift(found: Sequence[Finding]) -> None:
    """Name every field that is found less often than before, or elsewhere, with pages to look at."""
    for one in found:
        what = f"{one.source} {one.field}: {one.before:.0%} of pages before, {one.now:.0%} of the last"
        label = "[red]drift[/]" if one.grave else "[yellow]moved[/]"
        console.print(f"{label} {escape(what)}, by {escape(one.selector or 'nothing')}", soft_wrap=True)
        for url in one.urls:
            console.print(f"  {escape(url)}", soft_wrap=True)
    if any(one.grave for one in found):
        console.print("`opeds doctor SOURCE` says which selectors still hold")


def _gaps(days: list[str]) -> list[str]:
    if not days:
        return []
    known = {date.fromisoformat(day) for day in days}
    span = range(min(known).toordinal(), max(known).toordinal())
    return [str(date.fromordinal(n)) for n in span if date.fromordinal(n) not in known]


def print_store(settings: Settings) -> None:
    """Say where the embedded store is and how to read it."""
    from pipelines.archive.embedded import reach

    reached = reach(settings)
    bucket, folder = reached.archive.removeprefix("s3://"), settings.home / "store"
    console.print(f"the store answers at {reached.endpoint}, bucket {bucket}, data in {folder}", soft_wrap=True)
    console.print(
        'to read it with other programs: eval "$(opeds store key)"; to stop it: opeds store stop', soft_wrap=True
    )


def _span(days: list[str]) -> str:
    return days[0] if len(days) == 1 else f"{min(days)} to {max(days)}"


def _local(moment: datetime | None) -> str:
    return moment.astimezone(SEOUL).strftime("%Y-%m-%d %H:%M") if moment else "undated"
