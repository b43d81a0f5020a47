"""Each page as values: which template shows it, under which path, with what. The same for a server and for files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from pipelines.archive.manifests import RouteReport, manifest_at
from pipelines.archive.store import open_store
from pipelines.browse.alignment import align
from pipelines.browse.plots import bars, lines
from pipelines.browse.snapshot import OPEN_WITHIN, Snapshot
from pipelines.browse.words import change_in_words, relation_in_words
from pipelines.catalogue.calendar import CalendarDay, Standing
from pipelines.catalogue.rows import Row
from pipelines.client import ArchiveReader, Version
from pipelines.errors import NotArchived, OpedsError
from pipelines.exports.authors import Columnist
from pipelines.exports.cite import STYLES
from pipelines.exports.search import Wanted
from pipelines.exports.sqlite_file import WAS_CHANGED
from pipelines.sources import load_sources
from pipelines.versions import BREAK, OTHER_RULES, field_diffs, noticed

CITATION_TITLES = {"apa": "APA", "chicago": "Chicago", "bibtex": "BibTeX", "ris": "RIS", "csl": "CSL (JSON)"}
MOST_LISTED = 100  # of a kind, on one page; the rest is counted
BYTES_OF_TEXT = 60_000  # of the texts of one page, in UTF-8: no page is larger than 150 kB
BYTES_OF_A_DIFF = 5_000  # where a diff is one of many
WEEKS_PLOTTED = 52
BYTES_AROUND = 30  # of markup, for each paragraph
PLACES_LISTED = 40  # of an op-ed
WAITS_NAMED = 14  # days that are not whole, on the front page
LATEST, OPEDS_PER_PAGE, CORRECTIONS_PER_PAGE, PEOPLE_PER_PAGE = 20, 100, 10, 200
MOST_COMPARED = 12  # versions of an article that are compared each with each; of more, neighbours and the latest
WORDS_AROUND = 25  # words around a change, where a diff is one of many


@dataclass(frozen=True)
class WebPage:
    """A page before it is drawn: its path, its template, its title, and what the template shows."""

    path: str
    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shelf:
    """What pages are made from: the archive as it is open, and what all pages share."""

    archive: ArchiveReader
    snapshot: Snapshot


# -- the front, years, days ----------------------------------------------------------------------------------------


def front(shelf: Shelf) -> WebPage:
    """The latest op-eds, the calendar, what drifted, the latest corrections."""
    years = shelf.snapshot.years
    latest = shelf.snapshot.months_of(years[0]) if years else {}
    waits = _not_whole(latest)
    return WebPage(
        "",
        "front.html",
        "Op-eds of Korea JoongAng Daily",
        {
            "latest": shelf.archive.search("", None, "newest", LATEST),
            "opeds": len(shelf.snapshot.facts.position),
            "year": years[0] if years else 0,
            "months": month_grids(latest),
            "years": [(year, _year_line(shelf.snapshot.months_of(year))) for year in years],
            "drift": shelf.snapshot.drift,
            "corrections": list(islice(_corrections(shelf), 3)),
            "waits": waits[:WAITS_NAMED],
            "more_wait": max(0, len(waits) - WAITS_NAMED),
        },
    )


Month = Sequence[CalendarDay]


def _not_whole(months: Mapping[date, Month]) -> list[CalendarDay]:
    """Return the days of some months that are not whole, the last first."""
    wrong = {Standing.INCOMPLETE, Standing.NEVER}
    return [one for month in months.values() for one in month if one.standing in wrong][::-1]


def month_grids(months: Mapping[date, Month]) -> list[tuple[date, list[list[CalendarDay | None]]]]:
    """Return the months of which something is known, each as weeks from Monday to Sunday; None stands where no day of
    the month does."""
    return [
        (first, _weeks(month))
        for first, month in months.items()
        if any(one.standing is not Standing.UNKNOWN for one in month)
    ]


def _weeks(month: Month) -> list[list[CalendarDay | None]]:
    weeks: list[list[CalendarDay | None]] = []
    for one in month:
        if not weeks or one.day.weekday() == 0:
            weeks.append([None] * 7)
        weeks[-1][one.day.weekday()] = one
    return weeks


def _year_line(months: Mapping[date, Month]) -> list[tuple[int, str]]:
    """Return for each of the twelve months of a year how many op-eds it has, and how its days stand, in words."""
    line = [(0, "")] * 12
    for first, month in months.items():
        counts = Counter(one.standing.value for one in month)
        told = ", ".join(f"{counts[standing]} {standing}" for standing in Standing if standing in counts)
        line[first.month - 1] = sum(one.published.opeds for one in month), told
    return line


def year_page(shelf: Shelf, year: int) -> WebPage:
    """A year as a calendar."""
    if year not in shelf.snapshot.years:
        raise NotArchived(f"nothing is known of {year}")
    months = month_grids(shelf.snapshot.months_of(year))
    values = {"year": year, "years": shelf.snapshot.years, "months": months}
    return WebPage(f"year/{year}", "year.html", str(year), values)


def day_page(shelf: Shelf, day: date, number: int = 1) -> WebPage:
    """A day: the op-eds of it, by which route each was found, what is missing, what was set aside."""
    known = shelf.snapshot.calendar.get(day)
    if known is None:
        raise NotArchived(f"nothing is known of {day}; the calendar shows which days are")
    row = next((one for one in shelf.snapshot.days if one["day"] == str(day)), None)
    every = shelf.archive.search("", Wanted(since=day, until=day), "oldest", -1)
    of = _pages_of(len(every), number, OPEDS_PER_PAGE)
    found = every[(number - 1) * OPEDS_PER_PAGE : number * OPEDS_PER_PAGE]
    aside = set(row["set_aside"]) if row else set()
    return WebPage(
        _numbered(f"day/{day}", number),
        "day.html",
        f"{day:%A}, {day.day} {day:%B %Y}",
        {
            "known": known,
            "row": row,
            "opeds": found,
            "number": number,
            "of": of,
            "routes": _by_route(every),
            "asked": _routes(shelf, row["closed_at"] if row else 0),
            "aside": [one for one in shelf.snapshot.set_aside if one.article_id in aside],
            "waiting": [one for one in shelf.snapshot.waiting if one.day == day],
            "before": day_beside(shelf.snapshot.calendar, day, -1),
            "after": day_beside(shelf.snapshot.calendar, day, 1),
        },
    )


def _by_route(found: Sequence[Version]) -> dict[str, list[Version]]:
    """Group op-eds by the list that showed them. The name is empty for op-eds that no list showed."""
    by_route: dict[str, list[Version]] = {}
    for version in found:
        for route in version.row["discovered_by"] or [""]:
            by_route.setdefault(route, []).append(version)
    return dict(sorted(by_route.items()))


def _routes(shelf: Shelf, closed_at: int) -> Sequence[RouteReport]:
    """Return what each list showed, by the manifest that closed the day last; nothing where it cannot be read."""
    try:
        closing = manifest_at(open_store(shelf.snapshot.settings), closed_at).closing if closed_at else None
    except OpedsError:
        return ()
    return closing.routes if closing else ()


def day_beside(days: Mapping[date, CalendarDay], day: date, step: int) -> date | None:
    """Return the day before or after, where the calendar has it."""
    beside = date.fromordinal(day.toordinal() + step)
    return beside if beside in days else None


# -- an op-ed ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlaceShown:
    """A place of an op-ed, and in which fields it reads otherwise than the one that is shown."""

    version: Version
    differs: tuple[str, ...]


def oped_page(shelf: Shelf, name: str) -> WebPage:
    """An op-ed to read: its latest version, or the one that `@content16` names, at one of its places."""
    versions = sorted(shelf.archive.versions(name.partition("@")[0]), key=lambda one: one.first_seen)
    latest = next(one for one in versions if one.is_latest)
    shown = shelf.archive.oped(name) if "@" in name else latest
    places = shelf.archive.places(shown.article_id)
    both = bool(shown.text and shown.text_ko)
    room = BYTES_OF_TEXT // 2 if both else BYTES_OF_TEXT
    english, left_out = within(paragraphs(shown.text), room)
    korean, korean_left_out = within(paragraphs(shown.text_ko), room)
    steps = timeline(versions)
    return WebPage(
        f"oped/{shown.cite_as if '@' in name else shown.article_id}",
        "oped.html",
        shown.headline or shown.article_id,
        {
            "version": shown,
            "latest": latest,
            "aligned": align(english, korean) if english and korean else [],
            "english": english,
            "korean": korean,
            "left_out": left_out + korean_left_out,
            "places": _places(shown, places[:PLACES_LISTED]),
            "n_places": len(places),
            "timeline": steps,
            "pairs": compared_pairs(versions),
            "citations": [(CITATION_TITLES[style], shown.cite(style)) for style in STYLES],
            "publication": publication(shown.row),
            "matches": _shared(shelf, shown),
            "kind": places[0].kind if shown.role == "copy" and places else shown.kind,
            "corrected": any(step["kind"] not in {"", OTHER_RULES} for step in steps),
        },
    )


def compared_on(page: WebPage) -> set[tuple[str, str]]:
    """Return which comparisons the page of an op-ed leads to, each by the names of both versions."""
    shown, latest = page.values["version"], page.values["latest"]
    found = [*page.values["pairs"], (shown, latest)]
    found += [(step["before"], step["version"]) for step in page.values["timeline"] if step["before"]]
    found += [(shown, place.version) for place in page.values["places"] if place.version.article_id != shown.article_id]
    return {(before.cite_as, after.cite_as) for before, after in found if before is not after}


@dataclass(frozen=True)
class SharedText:
    """Another op-ed that shares text with one: how they relate, and how much is shared."""

    oped_id: str
    headline: str
    day: date | None
    relation: str
    shared: int
    of_shorter: float
    of_longer: float


def _shared(shelf: Shelf, version: Version) -> list[SharedText]:
    """Return other op-eds that share text with this version: one entry each, the largest share first."""
    by_id = {one["article_id"]: one for one in sorted(version.row["matches"], key=lambda one: one["c_small"])}
    found: dict[str, SharedText] = {}
    for other in shelf.archive.named(list(by_id), len(by_id)):
        if other.oped_id == version.oped_id:
            continue
        match = by_id[other.article_id]
        one = SharedText(
            other.oped_id,
            other.headline,
            other.published_day,
            relation_in_words(match["relation"]),
            match["shared"],
            match["c_small"],
            match["c_large"],
        )
        if one.oped_id not in found or found[one.oped_id].of_shorter < one.of_shorter:
            found[one.oped_id] = one
    return sorted(found.values(), key=lambda one: (-one.of_shorter, one.oped_id))


def _places(shown: Version, places: Sequence[Version]) -> list[PlaceShown]:
    """Return places with the fields in which each reads otherwise than the version that is shown."""
    here = noticed(shown.row)
    found = []
    for one in places:
        there = noticed(one.row) if one.row["content_sha256"] != shown.row["content_sha256"] else here
        found.append(PlaceShown(one, tuple(name for name in here if here[name] != there[name])))
    return found


def within(every: Sequence[str], most: int) -> tuple[list[str], int]:
    """Return the first paragraphs that fit into so many bytes, and how many letters of the text do not.

    >>> within(["one", "two", "three"], 45)
    (['one'], 8)
    """
    size = 0
    for number, one in enumerate(every):
        size += len(one.encode("utf-8", "replace")) + BYTES_AROUND
        if size > most:
            return list(every[:number]), sum(map(len, every[number:]))
    return list(every), 0


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text."""
    return [one for one in text.split("\n\n") if one.strip()]


def timeline(versions: Sequence[Version]) -> list[dict[str, Any]]:
    """Return the stretches of time of an article, oldest first, each with its version and what changed then."""
    steps = [
        {
            "from": step["from"],
            "to": step["to"],
            "version": one,
            "before": next((other for other in versions if other.content16 == step["previous"]), None),
            "kind": step["kind_of_change"] or "",
            "change": change_in_words(step["kind_of_change"] or ""),
            "came": step["words_added"],
            "went": step["words_removed"],
        }
        for one in versions
        for step in one.row["steps"]
    ]
    return sorted(steps, key=lambda step: step["from"])


def compared_pairs(versions: Sequence[Version]) -> list[tuple[Version, Version]]:
    """Return which versions of an article are compared: each with each; of very many, neighbours and the latest."""
    every = len(versions) <= MOST_COMPARED
    return [
        (one, other)
        for n, one in enumerate(versions)
        for m, other in enumerate(versions[n + 1 :], start=n + 1)
        if every or m == n + 1 or m + 1 == len(versions)
    ]


def publication(row: Row) -> list[str]:
    """Return how well the archive knows when an op-ed was published, as sentences."""
    witnesses = {one["field"]: one["witness"] for one in row["witnesses"]}
    doubts = {
        "no_date": "Not known: no date was found on the page that can be believed.",
        "dates_disagree": "Not sure: the page names more than one day, and a person should look.",
        "from_the_future": "Not sure: the date lies after the moment when the page was fetched.",
    }
    how = {
        "second": "The page itself states day and time, to the second.",
        "minute": "The page itself states day and time, to the minute.",
        "day": "The page itself states the day; the time of day is not known.",
        "none": "Not known: no date was found on the page that can be believed.",
    }
    said = [doubt for reason, doubt in doubts.items() if reason in row["reasons"]]
    said += [] if said else [how.get(row["published_precision"] or "", "How exactly it is known was not recorded.")]
    if "published_at_otherwise" in witnesses:
        said.append(f"Another day is named by: {witnesses['published_at_otherwise']}.")
    if row["role"] == "copy":
        said.append("This is when this place published it, which may be later than the first.")
    if row["published_raw"]:
        said.append(f"As it stands on the page: “{row['published_raw']}”.")
    if row["date_source"]:
        said.append(f"Where it was found on the page: {row['date_source']}.")
    return said


def compare_page(shelf: Shelf, before: str, after: str) -> WebPage:
    """What differs between two versions, of one article or of two places, word by word."""
    old, new = shelf.archive.oped(before), shelf.archive.oped(after)
    fields, cut = drawn_fields(old, new, BYTES_OF_TEXT)
    same = old.article_id == new.article_id
    title = f"What changed: {new.headline}" if same else f"Two places: {new.headline}"
    return WebPage(
        f"compare/{old.cite_as}/{new.cite_as}",
        "compare.html",
        title if old.oped_id == new.oped_id else "Two op-eds",
        {"before": old, "after": new, "fields": fields, "cut": cut, "same": same},
    )


Drawn = list[tuple[str, list[list[tuple[str, str]]]]]  # of each field its paragraphs, each as pieces of a diff


def drawn_fields(before: Version, after: Version, most: int, around: int = 0) -> tuple[Drawn, bool]:
    """Return what differs between two versions, field by field, in about so many bytes; and whether more differs."""
    found: Drawn = []
    size = 0
    for name, pieces in field_diffs(before.row, after.row).items():
        shown: list[list[tuple[str, str]]] = []
        for paragraph in drawn(pieces, around):
            size += sum(len(text.encode("utf-8", "replace")) + 2 * BYTES_AROUND for _, text in paragraph)
            if size > most:
                return [*found, (name, shown)] if shown else found, True
            shown.append(paragraph)
        found.append((name, shown))
    return found, False


def drawn(pieces: Sequence[tuple[str, str]], around: int = 0) -> list[list[tuple[str, str]]]:
    """Return a diff as paragraphs of pieces; with `around`, unchanged stretches are cut to so many words at each side.

    >>> drawn([(" ", "one ¶ two"), ("+", "three")])
    [[(' ', 'one')], [(' ', 'two'), ('+', 'three')]]
    """
    found: list[list[tuple[str, str]]] = [[]]
    for number, (what, text) in enumerate(pieces):
        if around and what == " ":
            text = _cut(text, around, number == 0, number + 1 == len(pieces))
        for n, part in enumerate(f" {text} ".split(f" {BREAK} ")):
            if n:
                found.append([])
            if part.strip():
                found[-1].append((what, part.strip()))
    return [paragraph for paragraph in found if paragraph]


def _cut(text: str, around: int, first: bool, last: bool) -> str:
    words = text.split(" ")
    begin, end = ([] if first else words[:around]), ([] if last else words[-around:])
    return text if len(words) <= len(begin) + len(end) + around else " ".join([*begin, "…", *end])


def provenance_page(shelf: Shelf, name: str) -> WebPage:
    """From a version's row to the page as it was served, each link checked now."""
    version = shelf.archive.oped(name)
    values = {"version": version, "links": shelf.archive.provenance(version)}
    return WebPage(
        f"provenance/{version.cite_as}", "provenance.html", f"Where it comes from: {version.headline}", values
    )


# -- columnists ----------------------------------------------------------------------------------------------------


def columnists_page(shelf: Shelf, number: int = 1) -> WebPage:
    """Who signs op-eds, those with most first."""
    every = shelf.snapshot.columnists
    of = _pages_of(len(every), number, PEOPLE_PER_PAGE)
    people = every[(number - 1) * PEOPLE_PER_PAGE : number * PEOPLE_PER_PAGE]
    values = {"people": people, "number": number, "of": of, "total": len(every)}
    return WebPage(_numbered("columnists", number), "columnists.html", "Columnists", values)


def columnist_page(shelf: Shelf, key: str, number: int = 1) -> WebPage:
    """A columnist: what they wrote and when, spellings, the paper's lines about them, where their columns stand."""
    person = _person(shelf, key)
    of = _pages_of(len(person.article_ids), number, OPEDS_PER_PAGE)
    written = shelf.archive.named(person.article_ids, OPEDS_PER_PAGE, (number - 1) * OPEDS_PER_PAGE)
    values = {
        "person": person,
        "plot": bars(dict(person.years)),
        "written": written,
        "sources": _carried(shelf, person),
        "number": number,
        "of": of,
        "key": key,
    }
    return WebPage(_numbered(f"columnist/{key}", number), "columnist.html", person.name, values)


def _person(shelf: Shelf, key: str) -> Columnist:
    person = shelf.snapshot.columnist_by_slug.get(key)
    if person is None:
        raise NotArchived("no columnist of that name; the list of columnists has all")
    return person


def _carried(shelf: Shelf, person: Columnist) -> list[tuple[str, int]]:
    """Return at which sources a columnist's op-eds stand, and how many."""
    facts = shelf.snapshot.facts
    positions = [facts.of_article[one] for one in person.article_ids]
    counts = Counter(source for at in positions for source in facts.values["source"][at].split("; "))
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


# -- corrections, status -------------------------------------------------------------------------------------------


def corrections_page(shelf: Shelf, number: int = 1) -> WebPage:
    """The latest corrections, as diffs."""
    total = _corrections_count(shelf)
    of = _pages_of(total, number, CORRECTIONS_PER_PAGE)
    found = list(_corrections(shelf, (number - 1) * CORRECTIONS_PER_PAGE))
    values = {"corrections": found, "number": number, "of": of, "total": total}
    return WebPage(_numbered("corrections", number), "corrections.html", "Corrections", values)


def _corrections_count(shelf: Shelf) -> int:
    return int(next(shelf.archive.sql(f"SELECT count(*) AS n FROM catalogue WHERE {WAS_CHANGED}"))["n"])  # noqa: S608


def _corrections(shelf: Shelf, skip: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the latest changes of articles, each with its diff, what is far from a change left out."""
    sql = f"SELECT cite_as FROM catalogue WHERE {WAS_CHANGED} ORDER BY first_seen DESC, article_id LIMIT ? OFFSET ?"  # noqa: S608
    for row in list(shelf.archive.sql(sql, [CORRECTIONS_PER_PAGE, skip])):
        after = shelf.archive.oped(row["cite_as"])
        before = shelf.archive.before(after)
        fields, cut = drawn_fields(before, after, BYTES_OF_A_DIFF, WORDS_AROUND)
        yield {
            "cut": cut,
            "before": before,
            "after": after,
            "fields": fields,
            "change": change_in_words(after.kind_of_change),
            "seen": max(step["from"] for step in after.row["steps"]),
        }


def status_page(shelf: Shelf) -> WebPage:
    """Runs, pages set aside, drift over time, audits, and what the next run will do."""
    snapshot = shelf.snapshot
    crawled = [name for name, source in load_sources(snapshot.settings.sources).items() if source.is_crawled]
    return WebPage(
        "status",
        "status.html",
        "Status",
        {
            "runs": snapshot.runs,
            "aside": snapshot.set_aside[:MOST_LISTED],
            "aside_total": len(snapshot.set_aside),
            "drift": snapshot.drift,
            "plots": [(one, lines(one.weeks[-WEEKS_PLOTTED:])) for one in snapshot.presence if len(one.weeks) > 1],
            "audits": snapshot.audits,
            "past": snapshot.past,
            "open_days": snapshot.open_days(),
            "revisits": snapshot.revisits(),
            "crawled": crawled,
            "waiting": snapshot.waiting,
            "within": OPEN_WITHIN,
        },
    )


def about_page(shelf: Shelf) -> WebPage:
    """What the archive is, and what it covers."""
    snapshot = shelf.snapshot
    days = snapshot.calendar
    counts = {standing: sum(one.standing is standing for one in days.values()) for standing in Standing}
    with_opeds = [day for day, one in days.items() if one.published.opeds]
    places = Counter(source for joined in snapshot.facts.values["source"] for source in joined.split("; "))
    values = {
        "opeds": len(snapshot.facts.position),
        "first": min(with_opeds, default=None),
        "last": max(with_opeds, default=None),
        "places": sorted(places.items()),
        "counts": [(standing, count) for standing, count in counts.items() if count],
        "aside": len(snapshot.set_aside),
        "waiting": len(snapshot.waiting),
    }
    return WebPage("about", "about.html", "About this archive", values)


def missing_page(path: str, sentence: str, title: str = "Not here", link: str = "") -> WebPage:
    """What is shown where nothing is; `link` leads to what may be meant."""
    said = f"{sentence[:1].upper()}{sentence[1:]}"
    return WebPage(path, "missing.html", title, {"sentence": said + ("" if said.endswith(".") else "."), "to": link})


# -- parts ---------------------------------------------------------------------------------------------------------


def _pages_of(count: int, number: int, size: int) -> int:
    """Return how many pages a list has; raise `NotArchived` where it has no page of that number."""
    of = page_count(count, size)
    if not 1 <= number <= of:
        raise NotArchived(f"this list has {of} page{'' if of == 1 else 's'}")
    return of


def page_count(count: int, size: int) -> int:
    """Return the number of pages that `count` things need, `size` on each; at least 1."""
    return max(1, -(-count // size))


def _numbered(path: str, number: int) -> str:
    return path if number == 1 else f"{path}/{number}"
