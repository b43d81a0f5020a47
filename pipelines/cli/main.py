"""The command line: `opeds --help`. Each command is a few lines over the library; what it prints is in show*.py."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from pipelines.cli.progress import print_json
from pipelines.errors import OpedsError, WrongUsage
from pipelines.settings import check_contact, crawling, reaching, read_settings

app = typer.Typer(
    help="Every op-ed of Korea JoongAng Daily, its copies and its corrections, kept for good.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
index_app = typer.Typer(help="The derived index: init, rebuild.", no_args_is_help=True)
airflow_app = typer.Typer(help="What Airflow needs to know: pools.", no_args_is_help=True)
store_app = typer.Typer(help="The embedded store: start, stop, status, key.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
Day = Annotated[str, typer.Option(help="One day in Seoul: 2026-06-01.")]
Since = Annotated[str, typer.Option(help="First day in Seoul.")]
Until = Annotated[str, typer.Option(help="Last day in Seoul, included.")]
SourceNames = Annotated[list[str], typer.Option("--source", help="A source; may be repeated.  [default: all]")]
Revisit = Annotated[bool, typer.Option("--revisit", help="Instead: revisit pages that are 1, 3, 7 or 30 days old.")]
Files = Annotated[
    list[str] | None,
    typer.Argument(help="WARC, ARC or WACZ files of any crawler, folders, http(s):// or s3:// addresses, - (stdin)."),
]


@app.command("run")
def run_command(
    day: Day = "",
    since: Since = "",
    until: Until = "",
    source: SourceNames = [],  # noqa: B006
    revisit: Revisit = False,
    as_json: Json = False,
) -> None:
    """Crawl a day or a range, archive what is new, publish.

    The whole way without Airflow. May be run again at any time and adds nothing twice. Ends with 1 when a day
    could not be read whole.
    """
    from pipelines.archive.embedded import reachable
    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_jobs import print_report
    from pipelines.clock import now
    from pipelines.jobs.run import revisit_due, run_days

    if revisit and (day or since or until or source):
        raise WrongUsage("--revisit chooses its pages itself; give it no days and no source")
    if revisit:
        check_contact(read_settings())
    asked = None if revisit else _asked(day, since, until, source)
    settings = reachable(read_settings())
    with Watcher(quiet=as_json) as watcher:
        environment = crawling(settings)
        if asked is None:
            report = revisit_due(settings, environment, watcher.progress, now())
        else:
            report = run_days(settings, asked, environment, watcher.progress)
    print_report(report, settings, as_json)
    if not report.complete:
        raise SystemExit(1)


@app.command("ingest")
def ingest_command(
    files: Files = None,
    crawls: Annotated[bool, typer.Option("--crawls", help="Instead: what spiders started by hand brought.")] = False,
    as_json: Json = False,
) -> None:
    """Archive the op-eds in anyone's web archives; count the rest.

    WARC and ARC, plain, gzipped or zstd, and WACZ, by their first bytes. What is damaged costs itself: it is named with
    its place, what comes behind it is read, and the command ends with 1.

    With --crawls: every crawl in the bucket that was started by hand and is not archived yet, under its own days; and
    crawls that a run or a DAG left behind, once they are a day old.
    """
    if crawls == bool(files):
        raise WrongUsage("give WARC, ARC or WACZ files, or --crawls")
    if files:
        return _ingest(files, as_json, dry=False)
    from pipelines.archive.identity import reach_existing
    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_jobs import print_report
    from pipelines.jobs.run import ingest_crawls

    settings = reach_existing(read_settings())
    with Watcher(quiet=as_json) as watcher:
        report = ingest_crawls(settings, watcher.progress)
    print_report(report, settings, as_json)
    if not report.complete:
        raise SystemExit(1)


FirstMonth = Annotated[str, typer.Option(help="First month, as 2004-01; needed.")]
LastMonth = Annotated[str, typer.Option(help="Last month, included.  [default: the first]")]


@app.command("past")
def past_command(
    source: Annotated[str, typer.Argument(help="The source: kjd.")],
    since: FirstMonth = "",
    until: LastMonth = "",
    archive: Annotated[str, typer.Option("--from", help="The public archive: wayback or commoncrawl.")] = "wayback",
    plan: Annotated[bool, typer.Option("--plan", help="Ask the index alone; say what would be fetched.")] = False,
    every: Annotated[
        bool, typer.Option("--all-captures", help="One capture for each digest: corrections too.  [default: the first]")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the index anew for these months.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", help="Fetch so many pages at most.  [default: all]", show_default=False)
    ] = 0,
    as_json: Json = False,
) -> None:
    """Archive the past from a public web archive, month by month.

    Each op-ed as it was served when the archive captured it, under the moment of that capture. Where an address tells
    the month of publication, months are those; else those of the capture. May be stopped and run again at any time: it
    goes on where it was, and asks for nothing twice. Ends with 1 when the archive sent us away. docs/the-past.md says
    what it proves, and how long it takes.
    """
    from pipelines.archive.embedded import reachable
    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_past import print_past, print_plan
    from pipelines.jobs.past import AskedPast, checked, plan_past, run_past

    if not since or limit < 0:
        raise WrongUsage(
            "--since is needed: the first month, as 2004-01" if not since else "--limit is a number of pages"
        )
    asked = AskedPast(source, archive, since, until or since, every, refresh, limit)
    settings = read_settings()
    public, _ = checked(settings, asked)
    if not public.loopback:
        check_contact(settings)
    settings = reachable(settings)
    with Watcher(quiet=as_json) as watcher:
        environment = crawling(settings)
        if plan:
            found = plan_past(settings, asked, environment, watcher.progress)
        else:
            report = run_past(settings, asked, environment, watcher.progress)
    if plan:
        return print_plan(found, public, as_json)
    print_past(report, settings, asked, as_json)
    if report.failures:
        raise SystemExit(1)
    return None


@app.command("renumbered")
def renumbered_command(
    source: Annotated[str, typer.Argument(help="The source.")] = "kjd",
    as_json: Json = False,
) -> None:
    """List which op-eds are known under an old and a new number of the newspaper, and which are not.

    One op-ed by its text, by a redirect, or by headline and day.
    """
    from pipelines.archive.identity import reach_existing
    from pipelines.cli.show_past import print_renumbered
    from pipelines.jobs.past import renumbered

    print_renumbered(renumbered(reach_existing(read_settings()), source), as_json)


@app.command("upkeep")
def upkeep_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be ingested; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Ingest waiting crawls and orphaned captures, compact the catalogue, write the plain files of exports/.

    Orphaned captures are those that no manifest names, because a run was killed. A run ingests those of the articles
    that it fetches; upkeep ingests all of them. Then the catalogue's small files are written together, and those that
    no reader of the last week needs are removed. Last, exports/ in the bucket is made anew where it differs, and the
    first export of a month is frozen as its release.
    """
    from pipelines.archive.identity import reach_existing
    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_jobs import print_report
    from pipelines.jobs.upkeep import upkeep

    settings = reach_existing(read_settings())
    with Watcher(quiet=as_json) as watcher:
        report = upkeep(settings, watcher.progress, dry_run)
    print_report(report, settings, as_json, dry_run)


@app.command("verify")
def verify_command(
    share: Annotated[str, typer.Option(help="A part of the archive: 3/28 is the third of 28.  [default: all]")] = "",
    since: Annotated[str, typer.Option(help="And, whatever its share, all that was logged since this day.")] = "",
    as_json: Json = False,
) -> None:
    """Say whether the archive still holds what it says.

    Recomputes everything: each manifest against all who know its digest, captures and records against log and key and
    each other, every cell of the catalogue against log and records, the index against the log. Names what nobody names.
    Repairs nothing; leaves a report under verified/, which `opeds status` shows. Ends with 1 when something does not
    fit.
    """
    from pipelines.archive.identity import check_archive, reach_bucket
    from pipelines.cli.progress import Remaining
    from pipelines.cli.show_jobs import print_verified
    from pipelines.jobs.verify import verify

    shard, first = _shard(share), _day(since).isoformat() if since else ""
    settings = reach_bucket(read_settings())
    check_archive(settings)
    named = " ".join(filter(None, (share if shard.of > 1 else "", f"since {first}" if first and shard.of > 1 else "")))
    done = verify(
        settings,
        lambda article_id, logged_at: shard.holds(article_id) or bool(first and logged_at >= first),
        named,
        Remaining("objects").told,
    )
    print_verified(done, named, as_json)
    if done.faults:
        raise SystemExit(1)


Write = Annotated[bool, typer.Option("--write", help="Write the difference; without it, it is only shown.")]
OneSource = Annotated[str, typer.Option("--source", help="Only this source.  [default: all]")]


@app.command("rederive")
def rederive_command(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Only these articles.")] = None,
    source: OneSource = "",
    write: Write = False,
    as_json: Json = False,
) -> None:
    """Re-extract archived pages by today's rules.

    Shows what would change, field by field; --write logs it. A content that gets another name keeps the old one, so
    that old citations stay valid.
    """
    from pipelines.archive.identity import reach_existing
    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_jobs import print_differences
    from pipelines.jobs.rederive import rederive

    settings = reach_existing(read_settings())
    with Watcher(quiet=as_json) as watcher:
        found, report = rederive(settings, source, ids or [], write, watcher.progress)
    print_differences(found, report, write, as_json)


@app.command("retry")
def retry_command(source: OneSource = "", write: Write = False, as_json: Json = False) -> None:
    """Re-extract pages that were set aside.

    Shows which would pass now; --write archives those.
    """
    from pipelines.archive.identity import reach_existing
    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_jobs import print_differences
    from pipelines.jobs.rederive import retry

    settings = reach_existing(read_settings())
    with Watcher(quiet=as_json) as watcher:
        found, report = retry(settings, source, write, watcher.progress)
    print_differences(found, report, write, as_json)


@app.command("plan")
def plan_command(
    files: Annotated[list[str] | None, typer.Argument(help="As for ingest; or give --day, --since, --until.")] = None,
    day: Day = "",
    since: Since = "",
    until: Until = "",
    source: SourceNames = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Say what run or ingest would archive; write nothing.

    With days it fetches the pages, as a crawl does, into a file that is removed afterwards.
    """
    if files:
        return _ingest(files, as_json, dry=True)
    from pipelines.archive.embedded import reachable
    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_jobs import print_report
    from pipelines.jobs.run import plan_days

    asked, settings = _asked(day, since, until, source), reachable(read_settings())
    with Watcher(quiet=as_json) as watcher:
        report = plan_days(settings, asked, crawling(settings), watcher.progress)
    print_report(report, settings, as_json, dry=True)
    if report.failures:
        raise SystemExit(1)


AuthorPart = Annotated[str, typer.Option(help="Part of an author's name.")]
OneKind = Annotated[str, typer.Option(help="editorial, column, fountain, letter or cartoon.")]
CarriedBy = Annotated[str, typer.Option(help="Only op-eds that this source carries.")]


@app.command("list")
def list_command(
    since: Since = "",
    until: Until = "",
    source: CarriedBy = "",
    kind: OneKind = "",
    author: AuthorPart = "",
    as_json: Json = False,
) -> None:
    """List the op-eds, newest first, with all their places."""
    from pipelines.cli.show import print_list
    from pipelines.cli.show_reading import as_listed

    wanted = _wanted(since, until, source, kind, author)
    with _reading() as archive:
        rows = [as_listed(version) for version in archive.opeds(wanted)]
    if as_json and not rows:
        return print_json([{"done": {"op_eds": 0}}])
    if as_json:
        names = ("oped_id", "article_id", "content16", "headline", "kind", "published_at", "versions", "places")
        return print_json(
            {**{name: row[name] for name in names}, "authors": [a["name"] for a in row["authors"]]} for row in rows
        )
    print_list(rows)


@app.command("search")
def search_command(
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS", help='Words and "phrases"; all of them must be found.')
    ],
    since: Since = "",
    until: Until = "",
    source: CarriedBy = "",
    kind: OneKind = "",
    author: AuthorPart = "",
    order: Annotated[str, typer.Option(help="best, newest or oldest: a phrase's first use.")] = "best",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 10,
    as_json: Json = False,
) -> None:
    """Search the op-eds for words and phrases; show the passage where they stand.

    English words in all their forms (`tax` finds `taxes`); Korean by any part of a word. Reads a file on this machine
    that is made at the first use, and brought up to date at every later one.
    """
    from pipelines.cli.show_reading import as_found, print_found
    from pipelines.exports.search import ORDERS, terms_in

    if order not in ORDERS:
        raise WrongUsage(f"unknown order {order!r}; there are: {', '.join(ORDERS)}")
    wanted = _wanted(since, until, source, kind, author)
    asked = " ".join(words)
    terms_in(asked)  # nothing to look for must not find everything
    with _reading() as archive:
        found = archive.search(asked, wanted, order, limit)
    if as_json:
        return print_json([as_found(version) for version in found] or [{"done": {"op_eds": 0}}])
    print_found(found, limit)


@app.command("show")
def show_command(
    article_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="kjd-c2595041, its number or address; kjd-c2595041@9f3c…; or a columnist."),
    ],
    as_of: Annotated[str, typer.Option("--as-of", help="As it stood at the end of a day in Seoul.")] = "",
    diff: Annotated[bool, typer.Option("--diff", help="What changed since the version before, word by word.")] = False,
    html: Annotated[bool, typer.Option("--html", help="With --diff: as a web page, on standard output.")] = False,
    provenance: Annotated[
        bool,
        typer.Option("--provenance", help="Where it comes from: from the table's row to the page, each link checked."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one op-ed: its text, its places, its versions.

    Or, by a part of a name, a columnist: spellings, the paper's lines about them, op-eds by year.
    """
    from pipelines.cli.show import difference, print_diff, print_oped
    from pipelines.cli.show_reading import as_person, print_people, print_provenance
    from pipelines.errors import NotArchived

    if html and not diff:
        raise WrongUsage("--html goes with --diff")
    day = _day(as_of) if as_of else None
    with _reading() as archive:
        try:
            versions = archive.versions(article_id, day)
        except (NotArchived, WrongUsage):
            people = [] if as_of or diff else archive.columnists(article_id)
            if not people:
                raise
            return print_json(map(as_person, people)) if as_json else print_people(people)
        if provenance:
            links = archive.provenance(versions[-1])
            print_provenance(links, as_json)
            if any(link.faults for link in links):
                raise SystemExit(1)
            return None
        if diff:
            before, after = archive.before(versions[-1]).row, versions[-1].row
            return print_json([difference(before, after)]) if as_json else print_diff(before, after, html)
        places = archive.places(article_id)
    if as_json:
        told = {"versions": [v.content16 for v in versions], "places": [p.article_id for p in places]}
        return print_json([versions[-1].row | told])
    print_oped([version.row for version in versions], [place.row for place in places])


@app.command("cite")
def cite_command(
    article_id: Annotated[str, typer.Argument(metavar="ID", help="kjd-c2595041, or kjd-c2595041@9f3c… for a version.")],
    style: Annotated[str, typer.Option("--format", help="apa, chicago, bibtex, ris or csl (JSON).")] = "apa",
) -> None:
    """Cite an op-ed, in the words of one version: the one named, else the latest."""
    from pipelines.cli.progress import plain

    with _reading() as archive:
        print(plain(archive.oped(article_id).cite(style)))


@app.command("export")
def export_command(
    formats: Annotated[
        list[str],
        typer.Option(
            "--format",
            help="parquet, jsonl, csv, spreadsheet, authors, sqlite, cdxj, warc-paths, wacz.  "
            "[default: all but spreadsheet, wacz]",
        ),
    ] = [],  # noqa: B006
    since: Since = "",
    until: Until = "",
    source: CarriedBy = "",
    kind: OneKind = "",
    author: AuthorPart = "",
    to: Annotated[
        str, typer.Option(help="A folder; with one format also a file, or - for standard output.")
    ] = "exports",
    spreadsheet: Annotated[
        bool, typer.Option("--spreadsheet", help="CSV with ' before what a spreadsheet would compute.")
    ] = False,
    as_of: Annotated[
        int, typer.Option("--as-of", help="As the archive stood at this number of its log.", show_default=False)
    ] = 0,
    as_json: Json = False,
) -> None:
    """Write op-eds as plain files, with their digests.

    Parquet and JSON Lines for each year, a CSV without texts (every value as it stands; --spreadsheet makes one that a
    spreadsheet opens safely), a SQLite file with full-text search, indexes for tools
    that replay web archives, and, where asked for, WACZ with the pages as they were served. Equal logs give equal
    bytes: --as-of makes a release again.
    """
    from pipelines.cli.progress import Stages
    from pipelines.cli.show_reading import print_exported
    from pipelines.exports.export import PLAIN

    asked = _wanted(since, until, source, kind, author)
    if spreadsheet and formats and "csv" not in formats:
        raise WrongUsage("--spreadsheet is about CSV: give --format csv, or no format")
    if spreadsheet:
        formats = ["spreadsheet" if name == "csv" else name for name in formats or PLAIN]
    with _reading() as archive:
        written = archive.export(to, formats, asked, as_of, Stages().told)
    if written is not None:
        print_exported(written, to, as_json)


@app.command("replay")
def replay_command(
    article_id: Annotated[str, typer.Argument(metavar="ID", help="kjd-c2595041, or kjd-c2595041@9f3c… for a version.")],
    port: Annotated[int, typer.Option(help="Serve on this port.  [default: a free one]", show_default=False)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Show an op-ed's page as it was served, in a browser, from the archive alone.

    All its captures, at every place, on a port of this machine until Ctrl-C. Pictures and style sheets were not
    fetched: the page says what it said, and does not look as it looked. Needs pywb: `make replay`.
    """
    import webbrowser

    from pipelines.archive.store import open_store
    from pipelines.cli.show_reading import print_replayed
    from pipelines.jobs.replay import replaying

    with _reading() as archive:
        version, places = archive.oped(article_id), archive.places(article_id)
        pages = [(version.article_id, version.url)]
        pages += [(place.article_id, place.url) for place in places if place.article_id != version.article_id]
        store = open_store(archive.settings)
    with replaying(store, pages, port) as shown:
        print_replayed(shown)
        if browser:
            wanted = version.row["fetched_at"].strftime("%Y%m%d%H%M%S")
            webbrowser.open(next((one.address for one in shown if wanted in one.address), shown[0].address))
        with suppress(KeyboardInterrupt):
            signal.pause()


@app.command("browse")
def browse_command(
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Serve on this port.  [default: 8765, else a free one]", show_default=False
        ),
    ] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the front page in a browser.")] = True,
    public: Annotated[bool, typer.Option("--public", help="Serve to other machines too; needs --right.")] = False,
    right: Annotated[
        str, typer.Option(help="By which right the op-eds are shown to others; stands at the foot of each page.")
    ] = "",
    static: Annotated[
        Path | None, typer.Option(help="Instead: write all pages as files into this folder, for an internal server.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Open the archive in a browser: read it, search it, see what is missing.

    The latest op-eds, a calendar of every day, what the paper corrected, where each text stands and where it comes
    from; tables with SQL, JSON and CSV under /data. Works without JavaScript, asks no other host, changes nothing,
    follows the archive. On this machine alone, until Ctrl-C.
    """
    if public and not right.strip():
        raise WrongUsage(
            "--public needs --right: the texts belong to their publishers; by which right do you show them to others?"
        )
    if static and (public or port):
        raise WrongUsage("--static writes files and serves nothing: leave out --public and --port")
    if static:
        return _browse_static(static, right, as_json)
    return _browse_served(port, browser, public, right, as_json)


def _browse_served(port: int, browser: bool, public: bool, right: str, as_json: bool) -> None:
    import webbrowser

    from pipelines.archive.identity import reach_existing
    from pipelines.browse.server import EVERYWHERE, LOOPBACK, Browser, bound, serve
    from pipelines.cli.progress import Remaining, console, shown

    listening = bound(EVERYWHERE if public else LOOPBACK, port)
    with console.status("reading the archive"):
        browsed = Browser(reach_existing(read_settings()), right, Remaining("rows read").told)
    address = f"http://{LOOPBACK}:{listening.getsockname()[1]}/"

    def started() -> None:
        others = "to everyone who reaches this machine" if public else "on this machine alone"
        _say({"address": address, "public": public}, f"{shown(address)}  {others}, until Ctrl-C", as_json)
        sys.stdout.flush()
        if browser:
            webbrowser.open(address)

    serve(browsed, listening, public, started)


def _browse_static(folder: Path, right: str, as_json: bool) -> None:
    from dataclasses import asdict

    from pipelines.browse.snapshot import Snapshot
    from pipelines.browse.static import write_pages
    from pipelines.cli.progress import Stages
    from pipelines.cli.show_reading import print_built
    from pipelines.clock import now

    with _reading() as archive:
        built = write_pages(archive, Snapshot(archive, now()), folder, right, Stages().told)
    print_json([asdict(built)]) if as_json else print_built(built, folder)


@app.command("changes")
def changes_command(
    since: Annotated[int, typer.Option("--since", help="Behind this number of the log; 0: from the beginning.")],
    as_json: Json = False,
) -> None:
    """List what is new behind a number of the log: added, revised, copied, renamed, gone, withdrawn.

    From the log alone, in its order; --json gives a line for each change. Keep the last number, and give it next time.
    """
    from pipelines.archive.identity import reach_existing
    from pipelines.archive.store import open_store
    from pipelines.catalogue.changes import changes_since
    from pipelines.cli.show import print_changes

    if since < 0:
        raise WrongUsage("--since is a number of the log: 0 or more")
    found = changes_since(open_store(reach_existing(read_settings())), since)
    print_json(found) if as_json else print_changes(found)


@app.command("status")
def status_command(
    year: Annotated[int, typer.Option(help="Draw this year.  [default: the last]", show_default=False)] = 0,
    as_json: Json = False,
) -> None:
    """Show the calendar of a year, what is missing, which layouts drifted, and when the archive was verified.

    A sign for each day says how it stands, the number behind it how many op-eds it has. Drift: what the last pages of a
    source lack that earlier ones had, with their addresses.
    """
    from dataclasses import asdict

    from pipelines.archive.identity import reach_existing
    from pipelines.archive.store import open_store
    from pipelines.audit.reports import last_reports
    from pipelines.catalogue.calendar import calendar, years_of
    from pipelines.catalogue.queries import asked_months, days_in, drifted, periods, published_by_day, run_rows
    from pipelines.cli.show import print_audits, print_days, print_drift
    from pipelines.cli.show_past import print_periods

    settings = reach_existing(read_settings())
    runs = run_rows(settings)
    rows, found, audits = days_in(settings, runs), drifted(settings), last_reports(open_store(settings))
    past = periods(settings, runs)
    if as_json:
        told = [*rows, *({"drift": asdict(finding)} for finding in found), *({"past": row} for row in past)]
        told += [{"verified": asdict(audit)} for audit in audits]
        return print_json(told or [{"done": {"days": 0}}])
    drawn = calendar(rows, published_by_day(settings), asked_months(runs))
    if year and year not in years_of(drawn):
        raise WrongUsage(
            f"nothing is known of {year}; there are: {', '.join(map(str, years_of(drawn))) or 'no years yet'}"
        )
    print_days(rows, settings, drawn, year, is_empty=not past)
    print_periods(past)
    print_drift(found)
    print_audits(audits)


@app.command("extract")
def extract_command(
    page: Annotated[str, typer.Argument(help="An HTML file; - is standard input.")],
    url: Annotated[str, typer.Option(help="The address it was served at.")],
    fetched_at: Annotated[str, typer.Option(help="When, in ISO 8601.  [default: now]")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say how it came about instead of printing JSON.")] = False,
) -> None:
    """Extract one page by hand; print what would be archived of it.

    --explain shows which layout fitted, which rule took which block, which witness gave each field.
    """
    from pipelines.cli.single import extracted
    from pipelines.jobs.inputs import input_file

    with input_file(Path(page)) as file:
        body = file.read()
    reading, told = extracted(body, url, fetched_at, read_settings())
    if explain:
        from pipelines.cli.show_jobs import print_explanation

        return print_explanation(reading)
    print_json([told])


@app.command("dedupe")
def dedupe_command(
    file: Annotated[
        Path, typer.Argument(help="JSON Lines with id, text; optional url, source, published_at; - is stdin.")
    ],
) -> None:
    """Say which documents of a JSON Lines file are one article.

    One answer a line, in the order of the file, once all of it was read.
    """
    from pipelines.cli.progress import Counting
    from pipelines.jobs.dedupe import dedupe

    answers = dedupe(file, Counting("documents read").told)
    first = next(answers, {"done": {"documents": 0}})
    print_json(chain([first], answers))


@app.command("doctor")
def doctor_command(
    source: Annotated[str, typer.Argument(help="The source to look at, as `scrapy list` names it.")],
    until: Annotated[str, typer.Option(help="Last day to look for.  [default: today in Seoul]")] = "",
    days: Annotated[int, typer.Option(min=1, help="How many days back.")] = 3,
    pages: Annotated[int, typer.Option(min=1, max=20, help="How many pages to fetch.")] = 3,
    into: Annotated[Path, typer.Option(help="A folder for what it saw.")] = Path("doctor"),
    as_json: Json = False,
) -> None:
    """Check whether what we know of a site still holds.

    For the first live run and every later doubt: fetches robots.txt, the start addresses and a few pages, politely;
    says of each route and each field which selector works, and which line of the source file to change. Proposes a
    profile for pages that no profile fits. Stores what it saw as WARC and as fixture folders; writes nothing to an
    archive.
    Ends with 1 when something does not hold.
    """
    from datetime import timedelta

    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_jobs import print_examination
    from pipelines.clock import today
    from pipelines.jobs.doctor import examine_site
    from pipelines.jobs.report import Asked

    last = _day(until) if until else today()
    asked = Asked(last - timedelta(days=days - 1), last, (source,))
    with Watcher(quiet=as_json) as watcher:
        found = examine_site(read_settings(), asked, pages, into, {}, watcher.progress)
    print_examination(found, into, as_json)
    if not found.holds:
        raise SystemExit(1)


@app.command("withdraw")
def withdraw_command(
    article_id: Annotated[
        str, typer.Argument(metavar="ID", help="kjd-c2595041: any place of the op-ed; all of them go.")
    ],
    reason: Annotated[str, typer.Option(help="Who asked for it, or by which right; stands in the tombstone.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Withdraw an op-ed: its text and pages go, everywhere in the bucket, for good.

    Every place and version: captures, records, table history, exports, object versions; what lists and other records
    hold of it. A tombstone stays, which holds none of its text and keeps it from coming back, also as a copy elsewhere.
    Needs a key that may remove (infra/policies/remover.json). If it is cut off, the same command finishes it.
    """
    from pipelines.archive.identity import reach_existing
    from pipelines.archive.remover import removing
    from pipelines.cli.progress import Stages
    from pipelines.cli.show_jobs import print_withdrawal
    from pipelines.jobs.withdraw import withdraw

    settings = read_settings()
    reach_existing(settings)
    settings = removing(settings)
    plan = withdraw(settings, article_id, reason, Stages().told, dry_run)
    print_withdrawal(plan, dry_run, as_json)


app.add_typer(index_app, name="index")


@index_app.command("init")
def index_init(as_json: Json = False) -> None:
    """Make the index's tables where OPEDS_INDEX says, and bring it up to the log.

    Every command does so by itself; this is for a database that workers will share, before they start.
    """
    from pipelines.archive.embedded import reachable
    from pipelines.index.opened import open_to_write

    seq = open_to_write(reachable(read_settings())).index.seq()
    _say({"log": seq}, f"the index stands at manifest {seq}", as_json)


@index_app.command("rebuild")
def index_rebuild(as_json: Json = False) -> None:
    """Make the index anew from the archive's log and records.

    The old one is not read: a damaged file is moved aside, and named. May be interrupted and run again. Nothing in the
    archive changes.
    """
    from pipelines.archive.identity import reach_existing
    from pipelines.cli.progress import Remaining
    from pipelines.index.opened import rebuild_index

    last, aside = rebuild_index(reach_existing(read_settings()), Remaining("manifests").told)
    moved = f"; the file that could not be read lies in {aside} now" if aside else ""
    told = {"log": last, **({"set_aside": str(aside)} if aside else {})}
    _say(told, f"the index was made anew; it stands at manifest {last}{moved}", as_json)


app.add_typer(airflow_app, name="airflow")


@airflow_app.command("pools")
def airflow_pools() -> None:
    """Print the pools that the DAGs need, for `airflow pools import FILE`: sites, archives, the catalogue."""
    from pipelines.sources import load_sources
    from pipelines.sources.public import load_archives

    told = {
        f"site_{s.name}": {"slots": 1, "description": f"one crawl at a time of {s.hosts[0]}, over all DAGs"}
        for s in load_sources(read_settings().sources).values()
        if s.is_crawled
    }
    told |= {
        f"archive_{name}": {"slots": 1, "description": f"one request at a time to {archive.title}"}
        for name, archive in load_archives(read_settings().sources).items()
    }
    told["catalogue"] = {"slots": 1, "description": "one publisher at a time"}
    print(json.dumps({name: {**pool, "include_deferred": False} for name, pool in sorted(told.items())}, indent=2))


app.add_typer(store_app, name="store")


@store_app.command("start")
def store_start(as_json: Json = False) -> None:
    """Start the embedded store; it goes on until it is stopped."""
    from pipelines.archive.embedded import ensure_running
    from pipelines.cli.show_jobs import print_store

    settings = _embedded_only()
    reached = ensure_running(settings)
    if as_json:
        return print_json([{"running": True, "endpoint": reached.endpoint}])
    print_store(settings)


@store_app.command("stop")
def store_stop(as_json: Json = False) -> None:
    """Stop the embedded store; what it holds stays."""
    from pipelines.archive.embedded import stop

    settings = _embedded_only()
    ran = stop(settings)
    _say({"running": False, "ran": ran}, "the store is stopped" if ran else "the store was not running", as_json)


@store_app.command("status")
def store_status(as_json: Json = False) -> None:
    """Say whether the embedded store runs, and where. Ends with 1 when it does not."""
    from pipelines.archive.embedded import reach, running_pid
    from pipelines.cli.show_jobs import print_store

    settings = _embedded_only()
    runs = running_pid(settings.home / "store") is not None
    if as_json:
        print_json([{"running": runs, "endpoint": reach(settings).endpoint if runs else None}])
    elif runs:
        print_store(settings)
    else:
        print("the store is not running; `opeds store start` starts it")
    if not runs:
        raise SystemExit(1)


@store_app.command("key")
def store_key(role: Annotated[str, typer.Argument(help="reader, crawler, writer or admin.")] = "reader") -> None:
    """Print the environment that reaches the store with a role's key: eval "$(opeds store key)"."""
    from pipelines.archive.embedded import ROLES, reach
    from pipelines.archive.identity import reach_existing

    if role not in ROLES:
        raise WrongUsage(f"unknown role {role!r}; there are: {', '.join(ROLES)}")
    settings = _embedded_only()
    reach_existing(settings)
    settings = reach(settings, role)
    for name, value in reaching(settings).items():
        print(f"export {name}={value}" if value else f"unset {name}")  # one of another account would spoil these


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="After the sentence of an error, show where it arose.")
    ] = False,
) -> None:
    """Read the global options, which stand before the command."""
    global _debug
    _debug = debug


_debug = False


def main() -> None:
    """Run a command; whatever goes wrong is one sentence and an exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks our signs shows others
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except Exception as error:
        _end(error)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of a library in Rust
            raise
        _end(error)


def _end(error: BaseException) -> NoReturn:
    """End with a sentence about an error, and with its exit code."""
    sentence, code = _sentence(error)
    if "--json" in sys.argv:
        with suppress(OSError, ValueError):
            print_json([{"error": sentence}])
            sys.stdout.flush()
    print(f"opeds: {sentence}", file=sys.stderr)
    if _debug:
        traceback.print_exception(error)
    with suppress(OSError):  # what could not be written must not be tried again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(code)


def _sentence(error: BaseException) -> tuple[str, int]:
    if isinstance(error, OpedsError):
        return str(error), 2 if isinstance(error, WrongUsage) else 1
    if isinstance(error, OSError) and error.strerror:
        where = f"cannot use {error.filename}: " if error.filename else "cannot read or write: "
        return f"{where}{error.strerror}", 1
    first = next(iter(str(error).splitlines()), "")
    return f"unexpected: {type(error).__name__}: {first} (`opeds --debug …` shows where; please report it)", 1


def _terminated(_signal: int, _frame: object) -> NoReturn:
    """End as after Ctrl-C, so that crawls are ended too: a scheduler says SIGTERM."""
    raise SystemExit(143)


def _say(told: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        print_json([told])
    else:
        print(sentence)


def _ingest(files: list[str], as_json: bool, dry: bool) -> None:
    from pipelines.archive.embedded import reachable
    from pipelines.cli.progress import Watcher
    from pipelines.cli.show_jobs import print_report
    from pipelines.jobs.import_warc import ingest_files

    settings = reachable(read_settings())
    with Watcher(quiet=as_json) as watcher:
        report = ingest_files(settings, files, watcher.progress, dry)
    print_report(report, settings, as_json, dry)
    if report.failures or report.damage:
        raise SystemExit(1)


def _asked(day: str, since: str, until: str, sources: list[str]) -> Any:
    from pipelines.jobs.crawls import check_days
    from pipelines.jobs.report import Asked
    from pipelines.sources import load_sources, source_named

    if day and (since or until):
        raise WrongUsage("give --day, or --since and --until, not both")
    if not (day or since):
        raise WrongUsage("which day? --day 2026-06-01, or --since 2026-06-01 --until 2026-06-07")
    first = _day(day or since)
    last = _day(day or until or since)
    if last < first:
        raise WrongUsage(f"--until {last} lies before --since {first}")
    settings = read_settings()
    known = load_sources(settings.sources)
    names = tuple(source_named(known, name).name for name in sources) or tuple(
        sorted((n for n, s in known.items() if s.is_crawled), key=lambda n: not known[n].own)
    )
    check_days((known[name] for name in names), first, last)
    if not all(known[name].loopback for name in names):
        check_contact(settings)
    return Asked(first, last, names)


def _reading() -> Any:
    """Open the archive for reading; where bringing the file on this machine up to date takes long, that is told."""
    from pipelines.cli.progress import Remaining
    from pipelines.client import open_archive

    return open_archive(progress=Remaining("rows read").told)


def _wanted(since: str, until: str, source: str, kind: str, author: str) -> Any:
    """Return which op-eds are asked for; refuse what can fit nothing."""
    from pipelines.exports.search import Wanted

    wanted = Wanted(_day(since) if since else None, _day(until) if until else None, source, kind, author)
    _check_filters(wanted, read_settings())
    return wanted


def _check_filters(wanted: Any, settings: Any) -> None:
    """Refuse what can fit nothing: a slip of the pen must not look like an empty archive."""
    from pipelines.model import KINDS
    from pipelines.sources import load_sources, source_named

    if wanted.kind and wanted.kind not in {*KINDS, "unknown"}:
        raise WrongUsage(f"unknown kind {wanted.kind!r}; there are: {', '.join(KINDS)}, unknown")
    if wanted.source:
        source_named(load_sources(settings.sources), wanted.source)
    if wanted.since and wanted.until and wanted.until < wanted.since:
        raise WrongUsage(f"--until {wanted.until} lies before --since {wanted.since}")


def _embedded_only() -> Any:
    settings = read_settings()
    if not settings.embedded:
        raise WrongUsage(f"OPEDS_ARCHIVE is set to {settings.archive}; `opeds store` is about the embedded one")
    return settings


def _shard(text: str) -> Any:
    from pipelines.model import Shard

    number, _, of = (text or "1/1").partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise WrongUsage(f"{text!r} is no share; write 3/28 for the third of 28")
    return Shard(int(number) - 1, int(of))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise WrongUsage(f"{text!r} is no day; write it as 2026-06-01") from error
