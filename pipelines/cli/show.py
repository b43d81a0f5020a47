"""What a person sees: progress, tables, an op-ed on a terminal."""

from __future__ import annotations

import textwrap
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from pipelines.catalogue.calendar import DAY_MARKS, CalendarDay, Standing, since_last_look, years_of
from pipelines.catalogue.queries import NO_CATALOGUE, never_run
from pipelines.catalogue.rows import UNLISTED
from pipelines.cli.diff_page import as_html
from pipelines.cli.progress import console, do_not_fit, plain, shown
from pipelines.clock import minute_in_seoul, today
from pipelines.settings import Settings
from pipelines.versions import BREAK, field_diffs

if TYPE_CHECKING:
    from pipelines.audit.reports import AuditReport
    from pipelines.catalogue.drift import Drift

AROUND = 15  # unchanged words shown on either side of a change
TABLE_WIDTH = 110  # columns from which on a table of op-eds is readable
READ_WIDTH = 88  # columns of a text to read
LAST_DAYS = 14  # shown one by one; the calendar has the others
MISSING_SHOWN = 3  # things that keep a day from being complete
GAPS_NAMED = 5  # stretches of days
MOST_DIGIT, MANY = 9, "*"  # op-eds of a day that one sign can tell


def print_list(rows: Sequence[dict[str, Any]]) -> None:
    """Print op-eds as a table; where there is little room, each as its headline and a line about it."""
    if not rows:
        console.print(f"no op-ed fits; or {NO_CATALOGUE}")
        return
    if console.width < TABLE_WIDTH:
        for row in rows:
            _print_briefly(row)
    else:
        console.print(_table_of(rows))
    console.print(f"[dim]{len(rows)} op-eds; `opeds show ID` reads one[/]")


def _table_of(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("published (Seoul)", "kind", "headline", "by", "id", "places", "versions"):
        prose = name in {"headline", "by"}
        table.add_column(name, no_wrap=not prose, min_width=24 if name == "headline" else None)
    for row in rows:
        counts = (str(len(row["places"])), str(row["versions"]) if row["versions"] > 1 else "")
        about = (_published(row), row["kind"], shown(row["headline"]), shown(_by(row)), row["article_id"])
        table.add_row(*about, *counts)
    return table


def _print_briefly(row: dict[str, Any]) -> None:
    """Print the headline, and below it the id, which is never cut, and what else there is."""
    console.print(f"[bold]{shown(row['headline'])}[/]")
    places, versions = len(row["places"]), row["versions"]
    words = [
        row["article_id"],
        _published(row),
        row["kind"],
        plain(_by(row)),
        f"{places} places" if places > 1 else "",
        f"{versions} versions" if versions > 1 else "",
    ]
    line = "  "
    for word in filter(None, words):
        if len(line) > 2 and len(line) + len(word) > console.width:
            console.print(f"[dim]{shown(line)}[/]", soft_wrap=True)
            line = "    "
        line += f"{word}  "
    console.print(f"[dim]{shown(line.rstrip())}[/]", soft_wrap=True)


def _by(row: dict[str, Any]) -> str:
    return ", ".join(author["name"] for author in row["authors"] or ())


def print_oped(versions: Sequence[dict[str, Any]], places: Sequence[dict[str, Any]]) -> None:
    """Print one op-ed to read, then its places and versions."""
    row = versions[-1]
    by = _by(row) or row["publisher"]
    console.print(f"[bold]{shown(row['headline'])}[/]")
    if row["deck"]:
        console.print(f"[italic]{shown(row['deck'])}[/]")
    why = f" ({', '.join(row['reasons'])})" if row["reasons"] else ""
    about = (row["kind"], shown(by), f"{_local(row['published_at'])} in Seoul", f"{row['word_count']} words")
    console.print(f"[dim]{' · '.join(about)} · {row['status']}{why}[/]")
    for paragraph in [p for part in (row["text"], row["text_ko"]) for p in part.split("\n\n") if p]:
        console.print()
        width = min(console.width, READ_WIDTH)
        lines = textwrap.wrap(plain(paragraph), width, break_on_hyphens=False, break_long_words=False)
        console.print("\n".join(lines), markup=False, soft_wrap=True)
    console.print()
    for label, values in (
        ("caption", row["captions"]),
        ("bio", [a["bio"] for a in row["authors"] or () if a["bio"]]),
        ("correction", [row["correction_note"]] if row["correction_note"] else []),
    ):
        for value in values or ():
            console.print(f"[dim]{label}:[/] {shown(value)}")
    console.print("[bold]places[/]")
    for place in places:
        console.print(f"  {place['role']:8} {place['article_id']:26} {place['canonical_url']}", soft_wrap=True)
    console.print("[bold]versions[/]")
    for version in versions:
        for step in version["steps"]:
            name = f"{version['article_id']}@{version['content16']}"
            change = f" · {_changed(step)} since {step['previous'][:8]}" if step["previous"] else ""
            console.print(
                f"  {name}  {_local(step['from'])} to {_local(step['to']) if step['to'] else 'now'}{change}",
                soft_wrap=True,
            )
    console.print(f"[dim]captured {_local(row['fetched_at'])} as {row['capture_key']}[/]", soft_wrap=True)


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what changed between two versions: for each field the pieces, `-` gone, `+` new, ` ` unchanged."""
    return {
        "article_id": after["article_id"],
        "before": before["content16"],
        "after": after["content16"],
        "kind_of_change": after["kind_of_change"],
        "fields": field_diffs(before, after),
    }


def print_diff(before: dict[str, Any], after: dict[str, Any], html: bool) -> None:
    """Print what changed between two versions: red struck out is gone, green underlined is new."""
    if html:
        print(as_html(before, after))
        return
    console.print(f"[bold]{after['article_id']}[/] {before['content16']} → {after['content16']}", soft_wrap=True)
    console.print(f"[dim]{_local(after['first_seen'])} in Seoul: {_changed(after)}[/]")
    colour = {"-": "red strike", "+": "green underline", " ": ""}
    marks = {"-": ("[-", "-]"), "+": ("{+", "+}"), " ": ("", "")}
    for name, pieces in field_diffs(before, after).items():
        console.print(f"\n[bold]{name}[/]")
        line = Text()
        for what, text in pieces:
            text = plain(_middle_left_out(text) if what == " " else text)
            left, right = marks[what] if not console.is_terminal else ("", "")
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


def print_days(
    rows: Sequence[dict[str, Any]],
    settings: Settings,
    days: Mapping[date, CalendarDay],
    year: int = 0,
    is_empty: bool = True,
) -> None:
    """Print the calendar of a year (0: the last), then the last days one by one, gaps between days included; where no
    day was looked at, whether the archive `is_empty`."""
    console.print(f"[bold]{shown(settings.archive)}[/]{' at ' + settings.endpoint if settings.endpoint else ''}")
    if days:
        print_year(days, year or years_of(days)[0])
    if not rows:
        console.print(NO_CATALOGUE if is_empty else "no day was looked at yet: `opeds run --day 2026-06-01`")
        return
    picked = [*[row for row in rows[:-LAST_DAYS] if row["complete"] is False][-LAST_DAYS:], *rows[-LAST_DAYS:]]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    numbers = ("new", "copies", "corrected", "waiting", "set aside", "runs")
    for name in ("day", "", *numbers):
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=name not in numbers)
    for row in picked:
        told = row["outcomes"]
        mark = {True: "[green]complete[/]", False: "[yellow]incomplete[/]", None: "[dim]by hand[/]"}[row["complete"]]
        counts = [
            *(told.get(name) for name in ("NEW", "COPY", "REVISED", UNLISTED)),
            len(row["set_aside"]),
            row["runs"],
        ]
        table.add_row(row["day"], mark, *(str(n or "") for n in counts))
    console.print(table)
    for row in picked:
        for what in row["missing"][:MISSING_SHOWN]:
            console.print(f"  [yellow]{row['day']}[/] {shown(what)}", soft_wrap=True)
        if len(row["missing"]) > MISSING_SHOWN:
            console.print(f"  [yellow]{row['day']}[/] and {len(row['missing']) - MISSING_SHOWN} things more")
    if len(picked) < len(rows):
        console.print(f"[dim]the last {LAST_DAYS} days, and those before that are incomplete; all: --json[/]")
    if any(UNLISTED in row["outcomes"] for row in picked):
        console.print("[dim]waiting: pages of a portal without evidence of opinion; a match or a person lists them[/]")
    _print_gaps(rows, days)


def _print_gaps(rows: Sequence[dict[str, Any]], days: Mapping[date, CalendarDay]) -> None:
    """Name the stretches of days that no run looked at: between the others, and since the last."""
    gaps = never_run(rows)
    named = ", ".join(map(_stretch, gaps[-GAPS_NAMED:]))
    more = f", and {len(gaps) - GAPS_NAMED} earlier stretches" if len(gaps) > GAPS_NAMED else ""
    console.print(
        f"[yellow]days never run in between:[/] {named}{more}" if gaps else "[dim]no day in between was left out[/]"
    )
    since = since_last_look(days, today() - timedelta(days=1))
    if since:
        console.print(f"[yellow]{since}[/]")


def _stretch(ends: tuple[date, date]) -> str:
    first, last = ends
    return str(first) if first == last else f"{first} to {last} ({(last - first).days + 1} days)"


def print_year(days: Mapping[date, CalendarDay], year: int) -> None:
    """Draw a year, a line for each month: a sign for how each day stands, and behind it how many op-eds it has."""
    colours = {
        Standing.COMPLETE: "green",
        Standing.INCOMPLETE: "yellow",
        Standing.PAST: "cyan",
        Standing.NEVER: "red",
    }
    console.print(f"[dim]{year:<6}{'1':8}{'5':10}{'10':10}{'15':10}{'20':10}{'25':10}{'30'}[/]")
    there = set()
    for month in range(1, 13):
        cells = [days.get(day) for day in _days_of(year, month)]
        if all(cell is None or cell.standing is Standing.UNKNOWN for cell in cells):
            continue
        line = ""
        for cell in cells:
            if cell is None:
                line += "  "
                continue
            there.add(cell.standing)
            count = cell.published.opeds
            number = " " if not count else str(count) if count <= MOST_DIGIT else MANY
            line += f"[{colours.get(cell.standing, 'dim')}]{cell.mark}[/]{number}"
        console.print(f"{date(year, month, 1):%b}   {line.rstrip()}", no_wrap=True, crop=False, soft_wrap=True)
    console.print(f"[dim]{'  '.join(f'{DAY_MARKS[one]} {one.value}' for one in Standing if one in there)}[/]")
    console.print(f"[dim]the number behind a sign: op-eds of that day; {MANY}: more than {MOST_DIGIT}[/]")
    others = [one for one in years_of(days) if one != year]
    if others:
        console.print(f"[dim]other years, {min(others)} to {max(others)}: opeds status --year {others[0]}[/]")


def _days_of(year: int, month: int) -> list[date]:
    return [date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]


def print_drift(found: Sequence[Drift]) -> None:
    """Name every field that is found less often than before, or elsewhere, with pages to look at."""
    for one in found:
        what = f"{one.source} {one.field}: {one.before:.0%} of pages before, {one.now:.0%} of the last"
        label = "[red]drift[/]" if one.serious else "[yellow]moved[/]"
        console.print(f"{label} {shown(what)}, by {shown(one.selector or 'nothing')}", soft_wrap=True)
        for url in one.urls:
            console.print(f"  {shown(url)}", soft_wrap=True)
    if any(one.serious for one in found):
        console.print("`opeds doctor SOURCE` says which selectors still hold")


def _published(row: dict[str, Any]) -> str:
    """Return when an op-ed was published, as exactly as is known."""
    return _local(row["published_at"]) if row["published_at"] or not row["published_day"] else str(row["published_day"])


def _local(moment: datetime | None) -> str:
    return minute_in_seoul(moment) if moment else "undated"


def print_audits(audits: Sequence[AuditReport]) -> None:
    """Print when the archive was verified last: all of it, and parts of it since."""
    whole = next((one for one in audits if not one.share), None)
    if whole is None:
        console.print("[dim]never verified as a whole: `opeds verify` does it[/]")
    shares = [one for one in audits if one.share]
    for one in ([whole] if whole else []) + shares[:1]:
        when = _local(datetime.fromisoformat(one.verified_at))
        what = f"share {shown(one.share)}" if one.share else "all of it"
        since = f", {len(shares)} shares since the last time that all of it was" if one.share and whole else ""
        fits = f"[red]{do_not_fit(one.faults)}[/]" if one.faults else "[green]it fits[/]"
        console.print(f"verified {when} in Seoul: {what}, log at {one.last}: {fits}{since}")


def print_changes(found: Iterable[dict[str, Any]]) -> None:
    """Print a line for each change, and which number of the log to go on from."""
    last = 0
    for row in found:
        last = row["seq"]
        version = f"@{row['content16']}" if row["content16"] else ""
        waits = "" if row["listed"] else "  [dim]waits for review[/]"
        console.print(f"{last:>6}  {row['change']:9} {shown(row['article_id'] + version)}{waits}", soft_wrap=True)
    console.print(f"go on with: opeds changes --since {last}" if last else "nothing is new")
