"""`make bench-peers`: us beside the tools that others use, on the same invented pages, in one run; with plots.

Writes docs/benchmarks.md and docs/plots/. Each peer works in an environment of its own (`.venv/fundus`,
`.venv/newspaper`); trafilatura, datasketch and rensa stand in ours. CPU seconds, since programs that wait for a
server differ in how many they ask at once; trust the ratios.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from newsstand import pages
from newsstand.demo import demo_sources
from newsstand.server import parse_clock, running
from newsstand.world import Oped, build
from pipelines.clock import today
from pipelines.settings import Settings
from tests.anchors import METHODS
from tests.bench import DEDUP_SCORER, _wall, cpu_of_children, finding_copies, growth_of_the_index, scored_copies
from tests.conftest import OPEDS, ROOT, command
from tests.plots import bars, lines

VENV = ROOT / ".venv"
PYTHONS = {
    "ours": Path(sys.executable),
    "trafilatura": Path(sys.executable),
    "fundus": VENV / "fundus" / "bin" / "python",
    "newspaper4k": VENV / "newspaper" / "bin" / "python",
    "news-please": VENV / "newspaper" / "bin" / "python",
}
END = parse_clock("2026-07-01")
CLOCK = parse_clock("2026-06-14T23:59")
SINCE, UNTIL = "2026-05-05", "2026-06-13"
SHINGLE = 4  # words of a shingle
Table = list[list[str]]
MEASURED = ROOT / "docs" / "plots" / "benchmarks.json"  # each table with its day: one may be measured alone
ROUNDS = 2  # of reading all pages by each in turn; the better one counts, since the machine has other work


@dataclass(frozen=True)
class Made:
    """A page, and what it was made of."""

    url: str
    html: str
    headline: str
    paragraphs: tuple[str, ...]
    authors: tuple[str, ...]
    published: date


def corpus() -> list[Made]:
    """Return the page of every invented op-ed in each layout, with menus and scripts around it."""
    return [page for oped in build().opeds for page in _dresses(oped)]


def _dresses(oped: Oped) -> Iterator[Made]:
    headline, text, _ = oped.shown(END)
    authors = (oped.writer,) if oped.writer else ()
    paper = oped.published.date(), headline, text
    dressed = [
        (f"https://{pages.JOINS}{pages.c_path(oped)}", pages.article_c(oped, END), *paper),
        (pages.d_url(oped), pages.article_d(oped, END), *paper),
    ]
    if oped.daum_at:
        portal = oped.daum_at.date(), oped.headline, oped.paragraphs
        dressed.append((pages.daum_url(oped), pages.article_daum(oped), *portal))
    for url, html, day, title, paragraphs in dressed:
        plain = tuple(" ".join(paragraph.split()) for paragraph in paragraphs)
        yield Made(url, html.replace("</body>", FURNITURE), title, plain, authors, day)


MENU = "".join(f"<li><a href='/section/{n}'>Section {n}</a><span>{n * 7}</span></li>" for n in range(400))
FURNITURE = f"<nav><ul>{MENU}</ul></nav><script>{'var a = [0,1,2,3];' * 2000}</script></body>"


def main() -> int:
    """Measure, write the document with its plots, print it; return 0."""
    wanted = set(sys.argv[1:])
    unknown = wanted - {measure.__name__ for measure in MEASURES.values()}
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(m.__name__ for m in MEASURES.values())}")
    kept = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        for title, measure in MEASURES.items():
            if wanted and measure.__name__ not in wanted:
                continue
            began = time.monotonic()
            said, table = measure(Path(name))
            print(f"\n{title}\n" + "\n".join(" | ".join(row) for row in table), flush=True)
            print(f"({time.monotonic() - began:.0f} s)", flush=True)
            kept[title] = {"day": str(today()), "said": said, "table": table}
            MEASURED.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    (ROOT / "docs" / "benchmarks.md").write_text(_document(kept))
    return 0


# -- pages to articles -------------------------------------------------------------------------------------------


def extraction(folder: Path) -> tuple[str, Table]:
    """Each peer reads the same pages; quality beside speed."""
    made = corpus()
    source = folder / "pages.jsonl"
    source.write_text("".join(_line(page) for page in made))
    rows, speeds, quality = [], {}, {}
    rounds = [
        {name: _run_peer(name, "extract", source, folder / f"{name}.json") for name in PYTHONS} for _ in range(ROUNDS)
    ]
    for name in PYTHONS:
        told = min((one[name] for one in rounds), key=lambda one: float(one["seconds"]))
        read = [(page, one) for page, one in zip(made, told["pages"], strict=True) if one is not None]
        speeds[name] = len(read) / told["seconds"]
        scored = _scored(read)
        quality[name] = scored[0]
        memory = f"{told['memory']:.0f} MB"
        rows.append([name, f"{speeds[name]:.0f}", *(f"{value:.3f}" for value in scored), f"{len(read)}", memory])
    for row in rows:
        row.insert(2, f"{speeds[row[0]] / speeds['ours']:.2f}")
    bars("extraction-speed", "pages per CPU second", speeds)
    bars("extraction-quality", "share of texts that are exactly the op-ed's", quality)
    head = "who|pages/CPU s|ours = 1|texts exact|shingle F1|title|authors|day|pages read|peak".split("|")
    return EXTRACTION.format(count=len(made), size=sum(len(p.html) for p in made) // len(made) // 1000), [head, *rows]


def _line(page: Made) -> str:
    return json.dumps({"url": page.url, "html": page.html}) + "\n"


def _scored(read: Sequence[tuple[Made, dict[str, Any]]]) -> tuple[float, float, float, float, float]:
    """Return shares: texts that are exactly the op-ed's, shingle F1, titles, authors and days that are right."""
    whole = f1 = title = authors = day = 0.0
    for page, one in read:
        words, right = one["text"].split(), " ".join(page.paragraphs).split()
        whole += words == right
        f1 += _f1(words, right)
        title += _plain(one["title"]) == _plain(page.headline)
        authors += {_plain(name) for name in one["authors"]} == {_plain(name) for name in page.authors}
        day += one["day"] == str(page.published)
    count = len(read)
    return whole / count, f1 / count, title / count, authors / count, day / count


def _plain(text: str) -> str:
    return " ".join(text.replace("’", "'").split())


def _f1(got: Sequence[str], right: Sequence[str]) -> float:
    one, two = (
        {tuple(words[n : n + SHINGLE]) for n in range(max(1, len(words) - SHINGLE + 1))} for words in (got, right)
    )
    shared = len(one & two)
    return 2 * shared / (len(one) + len(two))


def _run_peer(name: str, task: str, source: Path, target: Path, more: dict[str, str] | None = None) -> dict[str, Any]:
    call = [str(PYTHONS[name]), str(ROOT / "tests" / "peer.py"), name, task, str(source), str(target)]
    environment = {
        **os.environ,
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(ROOT) if name == "ours" else "",
        **(more or {}),
    }
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False, cwd=target.parent)
    if done.returncode != 0:
        raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(target.read_text())
    return told


# -- addresses to an archive -------------------------------------------------------------------------------------


def archiving(folder: Path) -> tuple[str, Table]:
    """Each peer fetches the pages of forty days and keeps what it makes of them; we find them ourselves."""
    rows, rates = [], {}
    with running(folder, CLOCK, seed=1) as stand:
        more = {**stand.environment(folder), **demo_sources(folder)}
        more |= {name: more["SSL_CERT_FILE"] for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
        given = _furnished()
        stand.stand.given |= {url.removeprefix("https://"): html.encode() for url, html in given.items()}
        urls = list(given)
        source = folder / "urls.jsonl"
        source.write_text("".join(json.dumps(url) + "\n" for url in urls))
        for name in PYTHONS:
            target = folder / f"{name}-fetched.json"
            before = cpu_of_children()
            if name == "ours":
                count, size = _run_ours(folder, urls, more)
            else:
                count = int(_run_peer(name, "fetch", source, target, more)["fetched"])
                size = _size(target.with_suffix(""))
            cpu = cpu_of_children() - before
            rates[name] = count / cpu
            kept = f"{size / max(1, count) / 1000:.1f} kB"
            rows.append([name, f"{count} of {len(urls)}", f"{cpu:.1f} s", f"{rates[name]:.1f}", kept])
    for row in rows:
        row.insert(4, f"{rates[row[0]] / rates['ours']:.2f}")
    bars("archiving-speed", "pages fetched and kept per CPU second", rates)
    head = ["who", "pages", "CPU", "pages/CPU s", "ours = 1", "kept a page"]
    return ARCHIVING.format(since=SINCE, until=UNTIL), [head, *rows]


def _furnished() -> dict[str, str]:
    """Return the pages of both sites that the days have, in the furniture of a site, by address."""
    found = {}
    for oped in build().opeds:
        if SINCE <= str(oped.published.date()) <= UNTIL:
            found[f"https://{pages.JOINS}{pages.c_path(oped)}"] = pages.article_c(oped, CLOCK)
        if oped.daum_at and SINCE <= str(oped.daum_at.date()) <= UNTIL:
            found[pages.daum_url(oped)] = pages.article_daum(oped)
    return {url: html.replace("</body>", FURNITURE) for url, html in found.items()}


def _run_ours(folder: Path, urls: Sequence[str], more: dict[str, str]) -> tuple[int, int]:
    settings = Settings(archive=f"file://{folder}/archive", home=folder / "home", invented=True)
    call = [*OPEDS, "run", "--since", SINCE, "--until", UNTIL, "--json"]
    done = command(call, settings, more, timeout=600)
    if done.code != 0:
        raise SystemExit(f"ours failed: {done.err[-2000:]}")
    told = [json.loads(line) for line in done.out.splitlines() if line[:1] == "{"]
    count = sum(one.get("verdict") in {"NEW", "COPY"} and one["url"] in urls for one in told)
    return count, _size(folder / "archive")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


# -- copies ------------------------------------------------------------------------------------------------------


def duplicates(folder: Path) -> tuple[str, Table]:
    """The op-eds of both sites, each in all its dresses, and the labelled sets where they are here."""
    source, truth = folder / "texts.jsonl", {}
    with source.open("w") as out:
        for oped in build().opeds:
            for page in _dresses(oped):
                truth[page.url] = oped.number
                out.write(json.dumps({"id": page.url, "text": "\n\n".join(page.paragraphs)}) + "\n")
    rows = []
    for name in ("ours", *METHODS):
        before = cpu_of_children()
        call = [*finding_copies(name), str(source)]
        done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=ROOT)
        cpu = cpu_of_children() - before
        groups = {one["id"]: one["group"] for one in map(json.loads, done.stdout.splitlines()) if "id" in one}
        precision, recall = _pairs(groups, truth)
        rows.append([name, f"{precision:.4f}", f"{recall:.4f}", f"{len(truth) / cpu:.0f}", *_on_labelled(name)])
    head = ["who", "precision", "recall", "texts/CPU s", "F1, labelled op-eds", "texts/CPU s"]
    return DUPLICATES.format(count=len(truth)), [head, *rows]


def _pairs(groups: dict[str, str], truth: dict[str, int]) -> tuple[float, float]:
    """Return precision and recall over pairs of texts."""

    def pairs(of: dict[str, Any]) -> set[tuple[str, str]]:
        by: dict[Any, list[str]] = {}
        for name, group in of.items():
            by.setdefault(group, []).append(name)
        return {(a, b) for names in by.values() for a in names for b in names if a < b}

    got, right = pairs(groups), pairs(truth)
    return len(got & right) / max(1, len(got)), len(got & right) / len(right)


def _on_labelled(name: str) -> list[str]:
    if not DEDUP_SCORER.exists():
        return ["not here", ""]
    told = scored_copies("oped_dev", name)
    return [f"{told['f1']:.4f}", f"{told['cost']['docs_per_cpu_s']:.0f}"]


# -- start-up, and growth ----------------------------------------------------------------------------------------


def starting(folder: Path) -> tuple[str, Table]:
    """Seconds from the start of Python to one page read: the best of five."""
    source = folder / "one.jsonl"
    source.write_text(_line(corpus()[0]))
    seconds = {
        name: min(
            _wall(lambda name=name: _run_peer(name, "extract", source, folder / f"{name}-one.json"))  # type: ignore[misc]
            for _ in range(5)
        )
        for name in PYTHONS
    }
    rows = [[name, f"{value:.2f} s"] for name, value in seconds.items()]
    call = [str(Path(sys.executable).parent / "opeds"), "--help"]
    best = min(_wall(lambda: subprocess.run(call, check=True, capture_output=True)) for _ in range(5))
    rows.append(["`opeds --help`", f"{best:.2f} s"])
    bars("start", "seconds to the first page", seconds)
    return STARTING, [["who", "to the first page"], *rows]


def growth(folder: Path) -> tuple[str, Table]:
    """One new article in an index of 10,000, of 100,000 and of 1,000,000."""
    rows, series = [], {}
    for kind, points in growth_of_the_index(folder):
        first = points[0][1]
        series[kind] = [(float(size), seconds * 1000) for size, seconds, _ in points]
        for size, seconds, loaded in points:
            rows.append([kind, f"{size:,}", f"{seconds * 1000:.1f} ms", f"{seconds / first:.2f}", f"{loaded:.0f} s"])
    lines("growth", "articles in the index", "milliseconds for a new one", series, logarithmic=True)
    return GROWTH, [["index", "articles", "a new one", "10,000 = 1", "loaded in"], *rows]


MEASURES: dict[str, Callable[[Path], tuple[str, Table]]] = {
    "Pages to articles": extraction,
    "Addresses to an archive": archiving,
    "Copies": duplicates,
    "Start": starting,
    "As the archive grows": growth,
}
EXTRACTION = """{count} pages of {size} kB. Every invented op-ed is a page of the paper before its move, a page after it and, where
it was copied, one of the portal; each has menus and scripts around it. A text is exact when it has the op-ed's words
and no other.

![pages per CPU second](plots/extraction-speed.svg) ![texts exact](plots/extraction-quality.svg)
"""
ARCHIVING = """The newsstand's pages from {since} to {until}, fetched over TLS on loopback without delay. The peers get the
addresses and keep what they read as JSON. We find the addresses in the lists, ask robots.txt, keep each page as it was
served, look for copies and versions, write log, index and table.

![pages per CPU second](plots/archiving-speed.svg)
"""
DUPLICATES = """{count} texts of the newsstand in all their places, and the labelled set of op-eds, whose copies are cut,
framed and corrected. The other methods with their best thresholds (`tests/anchors.py`).
"""
STARTING = """Wall seconds from the start of Python to one page of the paper read, the best of five.

![seconds](plots/start.svg)
"""
GROWTH = """Median of 250: a reading is saved, and asked which others are like it. The index is loaded in bulk.

![milliseconds](plots/growth.svg)
"""


def _document(kept: dict[str, dict[str, Any]]) -> str:
    """Return the document: what was measured and when, where a peer is ahead and why."""
    versions = ", ".join(f"{name} {_version(name)}" for name in PYTHONS if name != "ours")
    text = [HEAD.format(cores=os.cpu_count(), versions=versions)]
    for title in MEASURES:
        if title in kept:
            (head, *rows), said = kept[title]["table"], kept[title]["said"]
            marks = "|".join("---" for _ in head)
            body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
            text.append(
                f"## {title}\n\n{said}\nOn {kept[title]['day']}.\n\n| {' | '.join(head)} |\n|{marks}|\n{body}\n"
            )
    return "\n".join([*text, (ROOT / "tests" / "peers_said.md").read_text()])


def _version(name: str) -> str:
    code = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run([str(PYTHONS[name]), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


HEAD = """# Beside others

Made by `make bench-peers` on {cores} shared cores; do not edit. Each table is one run of all that it compares; one alone:
`python -m tests.peers extraction` (`archiving`, `duplicates`, `starting`, `growth`). Versions:
{versions}.
"""

if __name__ == "__main__":
    sys.exit(main())
