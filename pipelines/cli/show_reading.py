"""What readers see: what a search found, columnists, exported files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from pipelines.cli.progress import console, plain, print_json, shown
from pipelines.client import Version
from pipelines.exports.authors import Columnist
from pipelines.exports.export import MANIFEST, SUMS, Written
from pipelines.exports.provenance import ProvenanceLink
from pipelines.exports.search import FOUND_BEGINS, FOUND_ENDS
from pipelines.jobs.replay import Replayed

if TYPE_CHECKING:
    from pipelines.browse.static import Built  # with all that draws pages, which `opeds list` does not need

LONGEST_BAR = 40  # columns of the longest bar
OPEDS_NAMED = 5  # of a columnist


def as_listed(version: Version) -> dict[str, Any]:
    """Return an op-ed as `print_list` takes it."""
    return version.row | {"places": list(version.places), "versions": version.n_versions}


def as_found(version: Version) -> dict[str, Any]:
    """Return what a search found, as JSON has it: the passage without marks, and where in it words were found."""
    return {
        "article_id": version.article_id,
        "cite_as": version.cite_as,
        "headline": version.headline,
        "authors": [author.name for author in version.authors],
        "published_day": version.published_day,
        "kind": version.kind,
        "url": version.url,
        "passage": version.passage.replace(FOUND_BEGINS, "").replace(FOUND_ENDS, ""),
        "found": [piece.partition(FOUND_ENDS)[0] for piece in version.passage.split(FOUND_BEGINS)[1:]],
    }


def print_found(found: Sequence[Version], limit: int) -> None:
    """Print what a search found: the headline, a line about it, and the passage with the words marked."""
    if not found:
        console.print("nothing found; fewer words find more, and quotation marks make a phrase")
        return
    for version in found:
        by = ", ".join(author.name for author in version.authors)
        about = "  ".join(filter(None, (version.article_id, str(version.published_day or "undated"), version.kind, by)))
        console.print(f"[bold]{shown(version.headline)}[/]")
        console.print(f"[dim]  {shown(about)}[/]", soft_wrap=True)
        console.print(_marked(version.passage))
    more = f"the first {limit}; --limit shows more" if len(found) == limit else f"{len(found)} found"
    console.print(f"[dim]{more}; `opeds show ID` reads one[/]")


def _marked(passage: str) -> Text:
    """Return a passage with what was found in bold, or, where there is no terminal, in square brackets."""
    line = Text("  ")
    for number, piece in enumerate(" ".join(passage.split()).split(FOUND_BEGINS)):
        found, _, rest = piece.partition(FOUND_ENDS) if number else ("", "", piece)
        if found:
            line.append(plain(found) if console.is_terminal else f"[{plain(found)}]", style="bold yellow")
        line.append(plain(rest))
    return line


def as_person(person: Columnist) -> dict[str, Any]:
    """Return a columnist as JSON has them."""
    return asdict(person) | {"years": dict(person.years), "kinds": dict(person.kinds)}


def print_people(people: Sequence[Columnist]) -> None:
    """Print columnists: one in full, several a line each."""
    if len(people) > 1:
        for person in people:
            console.print(f"{shown(person.name)}  [dim]{_span(person)}[/]", soft_wrap=True)
        console.print(f"[dim]{len(people)} columnists; a longer part of a name shows one in full[/]")
        return
    (person,) = people
    korean = f"  {person.name_ko}" if person.name_ko else ""
    console.print(f"[bold]{shown(person.name + korean)}[/]  [dim]{_span(person)}[/]", soft_wrap=True)
    others = [name for name in person.spellings if name not in {person.name, person.name_ko}]
    if others:
        console.print(f"[dim]also spelled:[/] {shown('; '.join(others))}", soft_wrap=True)
    most = max((count for _, count in person.years), default=1)
    for year, count in person.years:
        console.print(
            f"{year}  {'■' * max(1, round(count * LONGEST_BAR / max(most, LONGEST_BAR)))} {count}", soft_wrap=True
        )
    for bio, first, last in person.bios:
        for line in textwrap.wrap(plain(f"{first or 'undated'} to {last or 'undated'}: {bio}"), console.width):
            console.print(line, markup=False, soft_wrap=True)
    for article_id in person.article_ids[-OPEDS_NAMED:]:
        console.print(f"  {shown(article_id)}")
    if len(person.article_ids) > OPEDS_NAMED:
        console.print(f"[dim]the last {OPEDS_NAMED} of {person.opeds}; all: opeds list --author[/]")


def _span(person: Columnist) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in person.kinds)
    days = f"{person.first} to {person.last}" if person.first else "undated"
    return f"{person.opeds} op-ed{'' if person.opeds == 1 else 's'}, {days} ({kinds})"


def print_exported(written: Written, to: str, as_json: bool) -> None:
    """Print which files were written."""
    if as_json:
        return print_json([asdict(file) for file in written.files] + [{"done": {"log": written.seq, "to": to}}])
    if len(written.files) == 1 and not Path(to).is_dir():
        (file,) = written.files
        console.print(f"{shown(to)}: {file.rows:,} rows, {file.bytes:,} bytes, log at {written.seq}", soft_wrap=True)
        return None
    width = max((len(file.name) for file in written.files), default=0)
    for file in written.files:
        console.print(f"{file.name:{width}}  {file.rows:>9,} rows  {file.bytes:>13,} bytes", soft_wrap=True)
    console.print(f"[dim]in {shown(to)}/, with {SUMS} and {MANIFEST}; log at {written.seq}[/]", soft_wrap=True)


def print_built(built: Built, folder: Path) -> None:
    """Print what a build of static pages came to."""
    told = f"{built.pages:,} pages, {built.bytes / 1e6:,.1f} MB, {built.headlines:,} headlines to search"
    console.print(f"{shown(folder)}: {told}", soft_wrap=True)
    console.print(f"[dim]largest: {built.largest / 1000:,.0f} kB, {shown(built.largest_page)}[/]", soft_wrap=True)
    if built.removed:
        console.print(f"[dim]{built.removed:,} files of an earlier build were removed[/]")
    console.print(
        f"[dim]to look at them: python3 -m http.server --bind 127.0.0.1 -d {shown(folder)}[/]", soft_wrap=True
    )


def print_provenance(links: Sequence[ProvenanceLink], as_json: bool) -> None:
    """Print the chain from a row to its page, one link below the other."""
    if as_json:
        return print_json(asdict(link) for link in links)
    for number, link in enumerate(links):
        mark = "[red]✗[/]" if link.faults else "[green]✓[/]"
        console.print(f"{mark} [bold]{link.what}[/] {shown(link.key)}", soft_wrap=True)
        bar = "│" if number + 1 < len(links) else " "
        for said in link.says:
            console.print(f"{bar}   [dim]{shown(said)}[/]", soft_wrap=True)
        for fault in link.faults:
            console.print(f"{bar}   [red]{shown(fault)}[/]", soft_wrap=True)
    broken = sum(bool(link.faults) for link in links)
    console.print("each link holds" if not broken else f"[red]{broken} of {len(links)} links do not hold[/]")


def print_replayed(shown_pages: Sequence[Replayed]) -> None:
    """Print where each capture can be looked at."""
    for page in shown_pages:
        console.print(f"{page.fetched_at}  {shown(page.address)}", soft_wrap=True)
    console.print("[dim]on this machine alone, until Ctrl-C[/]")
