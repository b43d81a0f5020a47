"""What a command did, printed for a person or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from pipelines.catalogue.rows import UNLISTED, is_waiting
from pipelines.cli.progress import console, do_not_fit, plain, print_json, shown
from pipelines.model import Outcome, Verdict
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.audit.findings import Fault
    from pipelines.extraction.extract import Extraction
    from pipelines.jobs.doctor import Check, Examination
    from pipelines.jobs.rederive import Difference
    from pipelines.jobs.verify import Verified

PLACES_SHOWN = 3  # of the damage in a file
NOTES_SHOWN, BAR = 3, 20  # keys of one sentence, cells of a bar
ARCHIVED = (Verdict.NEW, Verdict.COPY, Verdict.REVISED)


def print_report(report: Any, settings: Settings, as_json: bool, dry: bool = False) -> None:
    """Print what a run came to: a table by source, then what deserves a name."""
    if as_json:
        return _print_objects(report)
    outcomes = _as_they_stand(report)
    if outcomes:
        _print_counts(outcomes, dry)
    else:
        console.print("nothing new came in")
    _print_named(
        "recognised as copies", [(o.article_id, _of(o, report)) for o in outcomes if o.verdict is Verdict.COPY]
    )
    _print_named(
        "corrected since",
        [(o.article_id, f"opeds show {o.article_id}") for o in outcomes if o.verdict is Verdict.REVISED],
    )
    aside = [o for o in outcomes if o.verdict in {Verdict.REJECTED, Verdict.FAILED, Verdict.GONE, Verdict.DISALLOWED}]
    _print_named("set aside", [(o.article_id, f"{o.verdict.value}: {'; '.join(o.reasons)}") for o in aside])
    _print_left_out(report)
    for name, why in sorted(report.failures.items()):
        console.print(f"[red]{shown(name)}: {shown(why)}[/]")
    _print_closings(report)
    if dry:
        console.print("a dry run: nothing was written")
    elif report.published:
        console.print(
            f"in {shown(settings.archive)}{f' at {settings.endpoint}' if settings.endpoint else ''}, "
            f"log at {report.published.seq}, catalogue version {report.published.version}"
        )
    if report.exported:
        console.print(f"exports/: {len(report.exported.files)} plain files, log at {report.exported.seq}")


def _as_they_stand(report: Any) -> list[Outcome]:
    """Return the outcomes, new ones as copies or not by how the articles are grouped now, whichever came first."""
    return [_as_it_stands(outcome, report.groups.get(outcome.article_id)) for outcome in report.outcomes]


def _as_it_stands(outcome: Outcome, primary: str | None) -> Outcome:
    if primary is None or outcome.verdict not in {Verdict.NEW, Verdict.COPY}:
        return outcome
    return replace(outcome, verdict=Verdict.NEW if primary == outcome.article_id else Verdict.COPY)


def _print_left_out(report: Any) -> None:
    """Print what web archives held besides: records by type, answers by status, what was left out and why, damage."""
    if report.records:
        kinds = ", ".join(f"{count} {shown(kind)}" for kind, count in sorted(report.records.items()))
        statuses = ", ".join(f"{count} of {status or 'no HTTP'}" for status, count in sorted(report.statuses.items()))
        console.print(f"[dim]records:[/] {kinds}{f'; [dim]answers by status:[/] {statuses}' if statuses else ''}")
    for why, count in sorted(report.skipped.items()):
        console.print(f"  {count} answers {shown(why)}", soft_wrap=True)
        if why.startswith("of ") and "name no article" not in why:
            continue  # other sites, other sections, pictures: nobody looks for them
        for url in report.examples.get(why, ()):
            console.print(f"    [dim]{shown(url)}[/]", soft_wrap=True)
    for name, places in sorted(report.damage.items()):
        for offset, said in places[:PLACES_SHOWN]:
            console.print(f"[red]{shown(name)}, at byte {offset}:[/] {shown(said)}", soft_wrap=True)
        more = len(places) - PLACES_SHOWN + report.more_damage[name]
        if more > 0:
            console.print(f"[red]{shown(name)}:[/] {more} more places", soft_wrap=True)


def _print_closings(report: Any) -> None:
    """Print how the days stand, those included that this run proved to be whole."""
    incomplete = {day: c for day, c in report.closings.items() if not c.complete}
    for day, closing in incomplete.items():
        console.print(f"[yellow]{day} is not complete:[/] {shown('; '.join(closing.missing[:3]))}")
    if report.closings and not incomplete and not report.failures:
        names = sorted({name for closing in report.closings.values() for name in closing.sources})
        days = [key.partition(" ")[0] for key in report.closings]
        console.print(f"[green]complete:[/] {_span(days)}, every section read of {', '.join(names)}")
    for day, closing in sorted(report.proved.items()):
        console.print(f"[green]{day} was proved since:[/] {'complete' if closing.complete else 'not complete yet'}")
    for warning in sorted({w for c in report.closings.values() for w in c.warnings}):
        console.print(f"  [dim]note: {shown(warning)}[/]")


def _print_objects(report: Any) -> None:
    """Print one JSON object a line: each outcome, each day closed, each failure."""
    outcomes = _as_they_stand(report)
    objects: list[dict[str, Any]] = [
        {k: v for k, v in asdict(outcome).items() if v not in ("", ())} for outcome in outcomes
    ]
    for days in (report.closings, report.proved):
        objects += [
            {"day": key.partition(" ")[0], "sources": c.sources, "complete": c.complete, "missing": c.missing}
            for key, c in days.items()
        ]
    objects += [{"failed": what, "reason": why} for what, why in report.failures.items()]
    counts = Counter(UNLISTED if is_waiting(o) else o.verdict.value for o in outcomes)
    objects += [
        {"damaged": name, "offset": offset, "reason": said}
        for name, places in report.damage.items()
        for offset, said in places
    ]
    told: dict[str, Any] = {
        "outcomes": counts,
        "records": report.records,
        "answers": report.statuses,
        "skipped": report.skipped,
        "examples": report.examples,
        "complete": report.complete,
    }
    done = {"done": told}
    if report.published:
        done["done"] |= {"log": report.published.seq, "catalogue": report.published.version}
    if report.exported:
        done["done"] |= {"exports": len(report.exported.files)}
    print_json([*objects, done])


def _print_counts(outcomes: Sequence[Outcome], dry: bool) -> None:
    """Print a row for each source; the first two columns are sums, the others share out what was found."""
    columns: list[tuple[str, tuple[Verdict, ...]]] = [
        ("copies", (Verdict.COPY,)),
        ("corrected", (Verdict.REVISED,)),
        ("unchanged", (Verdict.UNCHANGED,)),
        ("set aside", (Verdict.REJECTED,)),
        ("no op-ed", (Verdict.NOT_AN_OPED,)),
        ("not had", (Verdict.FAILED, Verdict.GONE, Verdict.DISALLOWED, Verdict.ALIAS)),
    ]
    kinds: list[tuple[str, Callable[[Outcome], bool]]] = [
        ("new", lambda o: o.verdict is Verdict.NEW and o.listed),
        ("waiting for review", is_waiting),
        *((name, partial(_has_verdict, verdicts)) for name, verdicts in columns),
    ]
    used = [(name, fits) for name, fits in kinds if any(map(fits, outcomes))]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("would be" if dry else "")
    for name in ("found", *(name for name, _ in used), "records written"):
        table.add_column(name, justify="right")
    sources = list(dict.fromkeys(o.article_id.partition("-")[0] for o in outcomes if o.article_id))
    for source in [*sources, "together"] if len(sources) != 1 else sources:
        mine = [o for o in outcomes if source == "together" or o.article_id.startswith(f"{source}-")]
        counts = [sum(map(fits, mine)) for _, fits in used]
        written = sum(bool(o.record_key) and o.verdict in ARCHIVED for o in mine)
        cells = [str(n) if n else "·" for n in (sum(o.verdict is not Verdict.REREAD for o in mine), *counts, written)]
        table.add_row(source, *cells, style="bold" if source == "together" else "")
    console.print(table)


def _has_verdict(verdicts: tuple[Verdict, ...], outcome: Outcome) -> bool:
    return outcome.verdict in verdicts


def _print_named(title: str, items: list[tuple[str, str]]) -> None:
    if not items:
        return
    console.print(f"[bold]{title}[/]")
    for name, text in items[:12]:
        console.print(f"  {name:28} {shown(text)}")
    if len(items) > 12:
        console.print(f"  … and {len(items) - 12} more")


def _of(outcome: Outcome, report: Any) -> str:
    """Return which op-ed a copy is, and how much they share, where the copy came second."""
    best = max(outcome.matches, key=lambda match: match.overlap.c_small, default=None)
    primary = report.groups.get(outcome.article_id) or (best.article_id if best else "")
    shares = (match.overlap.c_small for match in outcome.matches if match.article_id == primary)
    return f"is {primary}" + "".join(f": {share:.0%} of the shorter text shared" for share in shares)


def print_verified(done: Verified, share: str, as_json: bool) -> None:
    """Print what was verified, as a table with a bar for each kind of object, and what does not fit."""
    if as_json:
        from pipelines.jobs.verify import audit_as_json

        return print_json(audit_as_json(done, share))
    for one in done.faults:
        console.print(f"[red]{one.kind}[/] {shown(one.key)}: {shown(one.said)}", soft_wrap=True)
    for said, keys in sorted(_by_sentence(done.notes).items()):
        more = f" and {len(keys) - NOTES_SHOWN} more" if len(keys) > NOTES_SHOWN else ""
        console.print(f"[dim]note: {shown(', '.join(keys[:NOTES_SHOWN]))}{more}: {shown(said)}[/]", soft_wrap=True)
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("")
    for name in ("there", "verified", "do not fit"):
        table.add_column(name, justify="right")
    table.add_column("")
    for kind, there, verified, faults in done.by_kind:
        filled = BAR * verified // there if there else BAR
        bar = f"[{'red' if faults else 'green'}]{'█' * filled}[/][dim]{'░' * (BAR - filled)}[/]"
        counts = (f"{there:,}", f"{verified:,}") if there else ("·", "·")
        table.add_row(kind, *counts, f"{faults:,}" if faults else "·", bar if there else "")
    console.print(table)
    what = f"share {share}" if share else "all of the archive"
    fits = f"[red]{do_not_fit(len(done.faults))}[/]" if done.faults else "[green]all of it fits[/]"
    console.print(f"verified: {what}, log at {done.last}; {fits}")
    if done.report:
        console.print(f"[dim]the report: {done.report}[/]", soft_wrap=True)


def _by_sentence(notes: Iterable[Fault]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in notes:
        found.setdefault(one.said, []).append(one.key)
    return found


def print_differences(found: Sequence[Difference], report: Any, written: bool, as_json: bool) -> None:
    """Print what today's rules make of captures, beside what stands in the archive."""
    if as_json:
        told = [{k: v for k, v in asdict(one).items() if k not in {"before", "after"}} for one in found]
        done = {"done": {"differences": len(found), "written": len(report.outcomes)}}
        return print_json([*told, done])
    for one in found:
        named = f" {one.was[:8]} → {one.now[:8]}" if one.was and one.was != one.now else ""
        console.print(f"[bold]{one.article_id}[/]{named}  [dim]{shown(one.capture_key)}[/]", soft_wrap=True)
        if one.refused:
            console.print(f"  [red]refused today:[/] {shown(', '.join(one.refused))}")
            continue
        for field_ in one.fields:
            before, after = _around(one.before.get(field_), one.after.get(field_))
            console.print(f"  {field_:16} [red]{shown(before)}[/] → [green]{shown(after)}[/]", soft_wrap=True)
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


def print_explanation(reading: Extraction) -> None:
    """Print how a reading came about, from the page to its status."""
    from pipelines.extraction.ledger import number_of_letters

    article = reading.article
    colour = {"ok": "green", "review": "yellow"}.get(article.status.value, "red")
    console.print(
        f"[{colour}]{article.status.value}[/]{shown(': ' + ', '.join(article.reasons)) if article.reasons else ''}"
    )
    console.print("[bold]body[/]")
    for line in reading.tried:
        console.print(f"  {shown(line)}")
    console.print("[bold]fields[/]  (and who said so)")
    for field_, witness in article.witnesses:
        value = getattr(article, field_, "")
        if field_ == "text":
            paragraphs = len([p for p in f"{article.text}\n\n{article.text_ko}".split("\n\n") if p])
            value = f"{article.word_count} words, {paragraphs} paragraphs, coverage {article.coverage:.0%}"
        elif field_ == "published_at":
            value = f"{article.published_at or article.published_day} (known to the {article.published_precision})"
        elif field_ == "authors":
            value = ", ".join(author.name for author in article.authors)
        console.print(f"  {field_:24} {shown(_short(str(value)))}  [dim]{shown(witness)}[/]", soft_wrap=True)
    for title, pieces in (
        ("in a field", [piece for piece in reading.pieces if piece.field]),
        ("removed", [piece for piece in reading.pieces if not piece.field]),
    ):
        console.print(f"[bold]{title}[/]  ({len(pieces)} pieces)")
        for piece in pieces:
            rule = f"{piece.rule} {piece.by}".strip()
            number = f"{number_of_letters(piece.text):,} letters"
            console.print(
                f"  {shown(_short(rule)):24} [dim]{number:>12}[/]  {shown(_short(piece.text))}", soft_wrap=True
            )
    kept = number_of_letters(article.text + article.text_ko)
    console.print(
        f"[bold]letters[/]  {kept:,} in the text, {article.restored:,} of them put back where trafilatura left them"
        f" out; {article.unaccounted:,} not accounted for"
    )


def _short(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:87]}…"


def print_examination(found: Examination, into: Path, as_json: bool) -> None:
    """Print what an examination of a site found."""
    if as_json:
        pages = [
            {
                "url": p.url,
                "status": p.extraction.article.status,
                "reasons": p.extraction.article.reasons,
                "checks": [asdict(c) for c in p.checks],
            }
            for p in found.pages
        ]
        told = {
            "robots": found.robots,
            "routes": [asdict(r) for r in found.routes],
            "pages": pages,
            "unknown": found.unknown,
            "proposal": found.proposal,
            "holds": found.holds,
        }
        return print_json([told])
    console.print(f"robots.txt answered {found.robots or 'nothing'}")
    for route in found.routes:
        colour = "red" if route.expected else "yellow"
        mark = f"[{colour}]{shown(route.said)}[/]" if route.said else "[green]works[/]"
        console.print(f"[bold]route {route.name}[/] HTTP {route.status or '–'}, {route.entries} entries: {mark}")
        console.print(f"  [dim]{shown(route.url)}[/]", soft_wrap=True)
        _print_checks(route.checks)
    if found.unknown:
        console.print(f"[red]{len(found.unknown)} op-eds at addresses that no pattern of the source file knows:[/]")
    for url in found.unknown[:3]:
        console.print(f"  {shown(url)}", soft_wrap=True)
    for page in found.pages:
        article = page.extraction.article
        colour = {"ok": "green", "review": "yellow"}.get(article.status.value, "red")
        why = f": {', '.join(article.reasons)}" if article.reasons else ""
        console.print(f"[bold]page[/] {shown(page.url)}", soft_wrap=True)
        console.print(
            f"  [{colour}]{article.status.value}[/]{shown(why)} by {article.profile or 'nothing'}; "
            f"{article.word_count} words, {shown(_short(article.headline) or 'no headline')}"
        )
        _print_checks(page.checks)
    if not found.pages:
        console.print("[red]no page was fetched:[/] no route showed one, or all refused")
    if found.proposal:
        console.print("[bold]no profile fits; this one would, by these pages:[/]  (put it first among the profiles)")
        console.print(plain(found.proposal), markup=False, soft_wrap=True)
    console.print(
        f"what was seen lies in {shown(into)}/: the WARC, and each page as a fixture folder. Not for publication."
    )


def _print_checks(checks: Sequence[Check]) -> None:
    for one in checks:
        missing = "[red]✗[/]" if one.needed and not one.hits else "[yellow]–[/]"
        mark = "[green]✓[/]" if one.hits == one.of and one.hits else missing
        of = f" {one.hits} of {one.of}" if one.of > 1 else ""
        line = f"  [dim]line {one.line} of the source file[/]" if one.line and one.hits < one.of else ""
        console.print(f"  {mark} {one.name:22} {shown(one.selector)}{of}{line}", soft_wrap=True)


def print_store(settings: Settings) -> None:
    """Say where the embedded store is and how to read it."""
    from pipelines.archive.embedded import reach

    reached = reach(settings)
    bucket, folder = reached.archive.removeprefix("s3://"), settings.home / "store"
    console.print(f"the store answers at {reached.endpoint}, bucket {bucket}, data in {shown(folder)}", soft_wrap=True)
    console.print(
        'to read it with other programs: eval "$(opeds store key)"; to stop it: opeds store stop', soft_wrap=True
    )


def _span(days: list[str]) -> str:
    return days[0] if len(days) == 1 else f"{min(days)} to {max(days)}"


NOT_REACHED = (
    "addresses in the log, which is never changed",
    "files that others made of this archive: their copies, their SQLite files, backups, exports on other machines",
    "what a store's own journals and a disk's free blocks still hold",
)


def print_withdrawal(plan: Any, dry: bool, as_json: bool) -> None:
    """Print what a withdrawal did, or would do, and what it cannot reach."""
    if as_json:
        return print_json([{**plan.as_json(), "dry_run": dry}])
    places = ", ".join(plan.articles)
    said = "would be withdrawn" if dry else "withdrawn again" if plan.is_again else "withdrawn"
    console.print(f"[bold]{shown(plan.oped_id)}[/] {said}, with all its places: {shown(places)}", soft_wrap=True)
    counts = Counter(key.partition("/")[0] for key in plan.removed)
    gone = ", ".join(f"{count} of {folder}/" for folder, count in sorted(counts.items())) or "nothing was left"
    console.print(f"{'to go' if dry else 'removed'}: {gone}; rows and files of every view", soft_wrap=True)
    for key in sorted(plan.rewritten):
        console.print(f"{'to be ' if dry else ''}rewritten without it: {shown(key)}", soft_wrap=True)
    for key, sentence in plan.elsewhere:
        console.print(f"[yellow]not reached:[/] {shown(key)} quotes it: {shown(sentence)}", soft_wrap=True)
    for what in NOT_REACHED:
        console.print(f"[dim]not reached: {what}[/]", soft_wrap=True)
    console.print("a dry run: nothing was written" if dry else "`opeds verify` looks whether all else fits")
