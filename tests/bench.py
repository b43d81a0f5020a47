"""`make bench`: the budgets of speed and quality, each against its baseline in the same run.

Times are CPU seconds where one process works, wall seconds where whole programs are compared; on shared
machines trust the ratios. Ends with 1 when a budget is broken.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from newsstand import pages
from newsstand.demo import sources_without_delay
from newsstand.past import build_past
from newsstand.server import parse_clock, running
from newsstand.world import build
from pipelines.archive import embedded
from pipelines.archive.warc import Exchange, page_file
from pipelines.catalogue.delta import Location, batch_of, open_for_writing, replace_rows
from pipelines.catalogue.rows import rows_of
from pipelines.catalogue.schema import ARTICLES, article_schema
from pipelines.extraction.extract import extract
from pipelines.index.index import open_index
from pipelines.index.tables import INDEXED_TEXT
from pipelines.model import Capture, Outcome, Verdict
from pipelines.settings import Settings
from pipelines.sources import load_sources
from pipelines.sources.addresses import place_of
from tests.anchors import METHODS
from tests.conftest import C_URL, OPEDS, SHARED, capture, command, environment_of, page, prose, take_in
from tests.postgres import installed, server
from tests.test_pages import FOLDERS, loaded

ROOT = Path(__file__).parent.parent
END = parse_clock("2026-07-01")
LOOP = """
import sys, trafilatura
from warcio.archiveiterator import ArchiveIterator
with open(sys.argv[1], "rb") as stream:
    for record in ArchiveIterator(stream):
        if record.rec_type == "response":
            trafilatura.bare_extraction(record.content_stream().read(), with_metadata=True)
"""
DEDUP_SCORER = SHARED / "tools" / "score_dedup.py"
SKETCH, BATCH = 52, 100_000  # hashes of a text; rows of the index that are loaded at once
Row = tuple[str, str, str, bool]


def main() -> int:
    """Run every measurement, or those named on the command line; print the table; return 0 when all budgets hold."""
    broken, wanted = 0, set(sys.argv[1:])
    print(f"{'what':58} {'measured':>34}  budget")
    for measure in (
        paragraphs,
        page_to_article,
        generic_reading,
        steadiness,
        programs,
        crawl_to_archive,
        the_past,
        index_growth,
        publishing,
        reading,
        foreign_records,
        copies,
        dag_files,
        help_text,
    ):
        for what, measured, budget, held in measure() if not wanted or measure.__name__ in wanted else ():
            broken += not held
            print(f"{what:58} {measured:>34}  {budget}{'' if held else '  BROKEN'}", flush=True)
    return 1 if broken else 0


def corpus() -> list[tuple[Capture, tuple[str, ...]]]:
    """Return every invented op-ed in every dress, with the paragraphs it was made of."""
    found = []
    for oped in build().opeds:
        dresses = [
            (pages.article_c(oped, END), f"https://{pages.JOINS}{pages.c_path(oped)}", oped.shown(END)[1]),
            (pages.article_d(oped, END), pages.d_url(oped), oped.shown(END)[1]),
        ]
        if oped.daum_at:
            dresses.append((pages.article_daum(oped), pages.daum_url(oped), oped.paragraphs))
        found += [(capture(body.encode(), "2026-07-01T00:00:00", url), text) for body, url, text in dresses]
    return found


def read(one: Capture) -> Any:
    """Read a capture as the archive does."""
    place = place_of(one.url, load_sources().values())
    assert place
    return extract(one, place)


def paragraphs() -> list[Row]:
    """Every paragraph of every page, and nothing else."""
    kept = asked = leaked = 0
    everything = corpus()
    for one, expected in everything:
        got = read(one).text.split("\n\n")
        wanted = [" ".join(line.split()) for line in expected]
        asked += len(wanted)
        kept += sum(line in got for line in wanted)
        leaked += sum(line not in wanted for line in got)
    recall = kept / asked
    return [
        (f"paragraphs kept, {len(everything)} newsstand pages", f"{recall:.3f} of {asked}", "1.000", recall == 1),
        ("lines leaked into the text", str(leaked), "0", leaked == 0),
    ]


def page_to_article() -> list[Row]:
    """One parse and the body's blocks, against the library's two readings of the whole page."""
    bare = [one for one, _ in corpus()][::2]
    menu = "".join(
        f"<li class='m{n}'><a href='/section/{n}'>Section {n}</a><span>{n * 7}</span></li>" for n in range(400)
    )
    furniture = f"<nav><ul>{menu}</ul></nav><script>{'var a = [0,1,2,3];' * 2000}</script></body>".encode()
    dressed = [replace(one, payload=one.payload.replace(b"</body>", furniture)) for one in bare]
    (what, measured, budget, held), (bare_what, bare_measured, _, _) = _against_naive(dressed), _against_naive(bare)
    return [
        (f"{what}, in a site's furniture", measured, budget, held),
        (f"{bare_what}, bare as the newsstand's", bare_measured, "reported: hardly a page to search", True),
    ]


def _against_naive(captures: list[Capture]) -> Row:
    import trafilatura

    def naive() -> None:
        for one in captures:
            trafilatura.extract(one.payload)
            trafilatura.extract_metadata(one.payload)

    def ours() -> None:
        for one in captures:
            read(one)

    for warm in (naive, ours):
        warm()
    slow, fast = _cpu(naive), _cpu(ours)
    size = sum(len(one.payload) for one in captures) / len(captures) / 1000
    measured = f"{fast / slow:.2f} of naive ({fast / len(captures) * 1000:.1f} ms)"
    return f"CPU of page → Article, {size:.0f} KB", measured, "≤ 0.20", fast / slow <= 0.2


def generic_reading() -> list[Row]:
    """The news pages of the shared set, which no profile fits, against the library's own modes (score_news.py)."""
    scorer = SHARED / "tools" / "score_news.py"
    if not scorer.exists():
        return []
    rows = []
    for label, more in (("ours", ["--python", "tests.scoring:generic"]), ("trafilatura", ["--baseline"])):
        ran = command([sys.executable, str(scorer), *more], None, {"PYTHONPATH": str(ROOT)}).out
        told = {line[:32].strip(): line[32:].split()[0] for line in ran.splitlines() if line[32:].split()}
        names = (
            "shingle f1",
            "paragraph recall",
            "title exact",
            "authors exact",
            "day wrong",
            "moment exact",
            "cpu ratio",
        )
        measured = " ".join(told.get(name, "?") for name in names)
        held = label != "ours" or (float(told["shingle f1"]) >= 0.962 and float(told["paragraph recall"]) >= 0.975
                                   and told["day wrong"] == "0" and float(told["cpu ratio"]) <= 0.65)  # fmt: skip
        rows.append(
            (
                f"unknown pages, {label}: F1 recall title authors wrong moment CPU",
                measured,
                "≥ .962 ≥ .975 ≥ .83 ≥ .90 0 ≥ .95 ≤ .65",
                held,
            )
        )
    return rows


def steadiness() -> list[Row]:
    """The same pages in one process, in any order: the same articles, and memory stays."""
    captures = [one for one, _ in corpus()] + [loaded(folder) for folder in FOLDERS]
    dice = random.Random(1)
    first = {one.url + one.payload_sha256: read(one) for one in captures}
    before, unlike = _resident(), 0
    order = [one for one in captures * 5 if dice.random() < 0.99]
    dice.shuffle(order)
    for one in order:
        unlike += read(one) != first[one.url + one.payload_sha256]
    grown = (_resident() - before) / len(order) * 1000
    return [
        (f"pages read otherwise the second to fifth time, of {len(order)}", str(unlike), "0", unlike == 0),
        ("memory grown over 1,000 pages", f"{grown:.1f} MB", "< 10 MB", grown < 10),
    ]


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def programs() -> Iterator[Row]:
    """`opeds ingest` as a whole, 3,000 pages of 150 KB: against a plain loop, and against itself with one process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = 3000
        file = folder / "pages.warc.gz"
        file.write_bytes(b"".join(_heavy_page(n) for n in range(count)))
        plain = _wall(lambda: subprocess.run([sys.executable, "-c", LOOP, str(file)], check=True))
        numbers = itertools.count()

        def seconds(reach: Settings, **more: str) -> float:
            """Return the median of three runs, each into an archive of its own."""
            return statistics.median(_ingest_once(file, reach, next(numbers), count, folder, more) for _ in range(3))

        local = Settings(archive=f"file://{folder}/a")
        many = seconds(local)
        cores = len(os.sched_getaffinity(0))
        what = f"opeds ingest, {count} pages of 150 KB, folder, {cores} cores, plain loop = 1"
        yield what, f"{plain / many:.1f} × ({count / many:.0f} pages/s)", "≥ 3.8 ×", plain / many >= 3.8
        one = seconds(local, OPEDS_PROCESSES="1")
        yield (
            "the same, one process = 1",
            f"{one / many:.2f} × ({one:.0f} s → {many:.0f} s)",
            "≥ 1.7 ×",
            one / many >= 1.7,
        )
        memory = _peak_each(file, replace(local, archive=f"file://{folder}/peak", home=folder / "peak"))
        yield "peak memory of its largest process", f"{memory:.0f} MB", "≤ 300 MB", memory <= 300
        store = embedded.ensure_running(Settings(home=folder / "store"))
        server = folder / "store" / "store"
        try:
            before = _cpu_of(embedded.running_pid(server))
            many = seconds(replace(store, archive="s3://archive/a"))
            cpu = (_cpu_of(embedded.running_pid(server)) - before) / 3
            one = seconds(replace(store, archive="s3://archive/a"), OPEDS_PROCESSES="1")
        finally:
            embedded.stop(Settings(home=folder / "store"))
        what = "the same with SeaweedFS, one process = 1"
        yield what, f"{one / many:.2f} × ({one:.0f} s → {many:.0f} s)", "≥ 1.5 ×", one / many >= 1.5
        what = "the same with SeaweedFS, plain loop = 1; the server's CPU"
        yield what, f"{plain / many:.1f} ×; {cpu:.0f} s of {many:.0f} s", "reported", True


def _ingest_once(file: Path, reach: Settings, number: int, count: int, folder: Path, more: dict[str, str]) -> float:
    settings = replace(reach, archive=f"{reach.archive}{number}", home=folder / f"home{number}")
    call = [*OPEDS, "ingest", str(file), "--json"]

    def work() -> None:
        done = command(call, settings, more)
        assert done.out.count('"NEW"') == count, done.err

    return _wall(work)


def _peak_each(file: Path, settings: Settings) -> float:
    """Return the peak memory in MB of the largest process of an ingestion, its workers included."""
    call = [*OPEDS, "ingest", str(file), "--json"]
    peak = 0.0
    with subprocess.Popen(
        call, env={**os.environ, **environment_of(settings)}, stdout=subprocess.DEVNULL, cwd=ROOT
    ) as one:
        while one.poll() is None:
            children = Path(f"/proc/{one.pid}/task/{one.pid}/children")
            for pid in [one.pid, *(children.read_text().split() if children.exists() else ())]:
                with suppress(OSError):
                    told = Path(f"/proc/{pid}/status").read_text()
                    peak = max(peak, *(int(n) / 1024 for n in re.findall(r"VmHWM:\s+(\d+)", told)), 0)
            time.sleep(0.2)
    assert one.returncode == 0
    return peak


def _cpu_of(pid: int | None) -> float:
    """Return the CPU seconds that a process has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


PLAIN_SPIDER = """
import sys, json, scrapy
from scrapy.crawler import CrawlerProcess
class Plain(scrapy.Spider):
    name = "plain"
    start_urls = json.load(open(sys.argv[1]))
    def parse(self, response):
        yield {"url": response.url, "headline": response.css("h1::text").get(), "text": response.css("p::text").getall()}
process = CrawlerProcess({"FEEDS": {sys.argv[2]: {"format": "jsonlines"}}, "LOG_LEVEL": "ERROR",
                          "DOWNLOAD_VERIFY_CERTIFICATES": False})
process.crawl(Plain)
process.start()
"""


def crawl_to_archive() -> list[Row]:
    """Each further page from crawl to table without delay, beside a plain spider that only writes JSON lines.

    Two ranges of days are run; the difference in seconds is divided by the difference in pages. What commit b85d8f6 took
    on the machine of the budget: 59 ms in a folder, 105 ms in SeaweedFS.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, running(Path(name), parse_clock("2026-07-01T08:00"), seed=5) as stand:
        folder = Path(name)
        sources = sources_without_delay(folder / "sources")
        more = {**stand.environment(folder), "OPEDS_SOURCES": str(sources), "OPEDS_CONTACT": "bench@localhost"}
        numbers = itertools.count()

        def run(reach: Settings, since: str) -> tuple[int, float]:
            number = next(numbers)
            settings = replace(reach, archive=f"{reach.archive}{number}", home=folder / f"home{number}")
            call = OPEDS
            began = time.perf_counter()
            done = command([*call, "run", "--since", since, "--until", "2026-06-30", "--json"], settings, more)
            urls.update(json.loads(line)["url"] for line in done.out.splitlines() if '"capture_key"' in line)
            return done.out.count('"capture_key"'), time.perf_counter() - began

        def per_page(reach: Settings) -> float:
            few, many = (
                min((run(reach, since) for _ in range(2)), key=lambda r: r[1]) for since in ("2026-06-26", "2026-05-05")
            )
            return (many[1] - few[1]) / (many[0] - few[0]) * 1000

        urls: set[str] = set()
        store = embedded.ensure_running(Settings(home=folder / "store"))
        try:
            local, real = (
                per_page(Settings(archive=f"file://{folder}/a")),
                per_page(replace(store, archive="s3://archive/a")),
            )
        finally:
            embedded.stop(Settings(home=folder / "store"))

        def plain(some: list[str]) -> float:
            (folder / "urls.json").write_text(json.dumps(some))
            call = [sys.executable, "-c", PLAIN_SPIDER, str(folder / "urls.json"), str(folder / "out.jsonl")]
            return _wall(lambda: subprocess.run(call, check=True, env={**os.environ, **more}, cwd=folder))

        wanted = sorted(urls)
        spider = (plain(wanted) - plain(wanted[:9])) / (len(wanted) - 9) * 1000
    for what, measured, budget in (("folder", local, 29.5), ("SeaweedFS", real, 52.5)):
        rows.append((f"crawl to table, each further page, {what}; a plain spider", f"{measured:.0f} ms; {spider:.0f} ms",
                     f"≤ {budget} ms", measured <= budget))  # fmt: skip
    return rows


COSTS = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


def the_past() -> list[Row]:
    """`opeds past` from index to table, the crawl's process included: few pages and four times as many."""
    spent = []
    for months, until in ((24, "2019-12"), (96, "2013-12")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            first = f"{int(until[:4]) + 1 - months // 12}-01"
            past = build_past(4, first, until, a_month=12)
            with running(folder, END, past=past) as stand:
                environment = {
                    **stand.environment(folder),
                    "OPEDS_SOURCES": str(sources_without_delay(folder / "sources", 100_000)),
                }
                environment |= environment_of(Settings(archive=f"file://{folder}/archive", home=folder / "home"))
                environment |= {"OPEDS_CONTACT": "bench@localhost", "OPEDS_INVENTED": "1"}
                opeds = OPEDS
                command = [*opeds, "past", "kjd", "--since", first, "--until", until]
                done = subprocess.run(
                    [sys.executable, "-c", COSTS, *command], capture_output=True, text=True, check=True,
                    env={**os.environ, **environment},
                )  # fmt: skip
                code, seconds, peak = json.loads(done.stdout)
                assert code == 0, done.stderr
                spent.append((sum("/web/" in one["url"] for one in stand.stand.log), seconds, peak))
    (few, few_seconds, low), (many, seconds, high) = spent
    rate = (many - few) / (seconds - few_seconds)
    return [
        ("the past: pages per CPU second, index to table", f"{rate:.0f}", ">= 8", rate >= 8),
        (f"the same: memory grown from {few} to {many} pages", f"{high - low:.0f} MB", "< 40 MB", high - low < 40),
    ]


def index_growth() -> list[Row]:
    """One new article, published and asked about, in an index of 200,000 readings against one of 10,000."""
    with tempfile.TemporaryDirectory() as folder:
        found = growth_of_the_index(Path(folder), (10_000, 200_000))
    rows: list[Row] = []
    for kind, ((_, small, _), (_, large, _)) in found:
        measured = f"{large / small:.2f} ({small * 1000:.1f} → {large * 1000:.1f} ms)"
        rows.append((f"one new article, 200k of 10k readings, {kind}", measured, "≤ 1.2", large / small <= 1.2))
    return rows if installed() else [*rows, ("one new article, PostgreSQL", "skipped: not installed", "≤ 1.2", True)]


Grown = list[tuple[int, float, float]]
"""For each size of an index: how many articles, seconds for a new one, seconds to load it in bulk."""


def growth_of_the_index(folder: Path, sizes: Sequence[int] = (10_000, 100_000, 1_000_000)) -> list[tuple[str, Grown]]:
    """Return for each kind of index what a new article costs among so many."""
    found = [("SQLite", _grown({size: f"sqlite:///{folder}/{size}.sqlite" for size in sizes}))]
    if installed():
        with server() as url:
            control = sa.create_engine(url.format("postgres"), isolation_level="AUTOCOMMIT")
            with control.connect() as connection:
                for size in sizes:
                    connection.execute(sa.text(f"CREATE DATABASE grown{size}"))
            control.dispose()
            found.append(("PostgreSQL", _grown({size: url.format(f"grown{size}") for size in sizes})))
    return found


def _grown(urls: dict[int, str]) -> Grown:
    """Load an index of each size, then save a reading and ask for its like in each by turns: the machine's other work
    falls on all alike. The seconds are medians."""
    indexes, hashes, loaded = {}, {}, {}
    for size, url in urls.items():
        indexes[size] = open_index(Settings(index=url), "bench", [])
        hashes[size], loaded[size] = _loaded(indexes[size].engine, size)
    seconds: dict[int, list[float]] = {size: [] for size in urls}
    dice = random.Random(7)
    for n in range(300):
        for size, index in indexes.items():
            known = dice.sample(hashes[size], 6)
            mixed = known + [dice.getrandbits(62) for _ in range(SKETCH - 6)]
            new = Outcome(Verdict.NEW, "u", f"kjd-d{n}", content16="x", rules8="r", record_key="k")
            began = time.perf_counter()
            index.publish(new, mixed)
            index.candidates(new.article_id, mixed)
            seconds[size].append(time.perf_counter() - began)
    for index in indexes.values():
        index.engine.dispose()
    return [(size, statistics.median(seconds[size][50:]), loaded[size]) for size in urls]


def _loaded(engine: sa.Engine, size: int) -> tuple[list[int], float]:
    """Fill an empty index with so many readings, their hashes in order; return some of the hashes, and the seconds."""
    import numpy as np

    numbers = np.random.default_rng(size)
    hashes = np.sort(numbers.integers(0, 1 << 62, size * SKETCH))
    readings = numbers.permutation(np.repeat(np.arange(size), SKETCH))
    is_postgresql = engine.dialect.name == "postgresql"
    began = time.perf_counter()
    same = {"content16": "x", "rules8": "r", "record_key": "k", "published_at": "", "listed": True, "seq": 1}
    with engine.begin() as c:
        for at in range(0, size, BATCH):
            numbered = range(at, min(at + BATCH, size))
            c.execute(INDEXED_TEXT.insert(), [{"id": n, "article_id": f"kjd-c{n}", **same} for n in numbered])
        if is_postgresql:
            c.exec_driver_sql("SELECT setval('indexed_text_id_seq', %s)", (size,))
        for at in range(0, len(hashes), BATCH):
            some = zip(hashes[at : at + BATCH].tolist(), readings[at : at + BATCH].tolist(), strict=True)
            if is_postgresql:
                with c.connection.cursor().copy("COPY shingle (hash, indexed_text) FROM STDIN") as copy:  # type: ignore[attr-defined]
                    copy.write("".join(f"{value}\t{n}\n" for value, n in some))
            else:
                c.connection.cursor().executemany("INSERT INTO shingle (hash, indexed_text) VALUES (?, ?)", some)
    if is_postgresql:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.exec_driver_sql("VACUUM ANALYZE")
    seconds = time.perf_counter() - began
    return [int(value) for value in hashes[:: max(1, len(hashes) // 50_000)]], seconds


def publishing() -> list[Row]:
    """Ten articles into a table of 100,000 versions."""
    import pyarrow as pa
    from deltalake import write_deltalake

    from pipelines.index.opened import open_to_write

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = open_to_write(Settings(archive=f"file://{folder}/archive", home=folder / "home"))
        take_in(archive, capture(page(prose(1, 12)), "2024-06-14T00:00:00"))
        (row,) = rows_of(archive.store, [archive.index.state_of("kjd-c2068163")])
        where = Location(str(folder / "table"), {})
        table = open_for_writing(where, ARTICLES)
        for year in range(2001, 2026):
            rows = [
                {**row, "article_id": f"kjd-c{year}{n:05d}", "year": year, "text": f"{n} {row['text']}"}
                for n in range(4000)
            ]
            write_deltalake(table, pa.Table.from_pylist(rows, schema=article_schema()), mode="append")
        fresh = [{**row, "article_id": f"kjd-c9{n}", "year": 2024} for n in range(10)]
        names, columns = [one["article_id"] for one in fresh], article_schema()
        seconds = _wall(
            lambda: replace_rows(
                open_for_writing(where, ARTICLES), [batch_of(fresh, columns)], columns, 1, names, [2024]
            )
        )
    return [("publishing 10 articles into 100,000", f"{seconds:.2f} s", "< 1 s", seconds < 1)]


KOREAN_WORDS = "항구 방파제 예산 정부 세금 여객선 주민 겨울 편지 사무소 섬마을 정책 경제 대통령 국회 시장".split()


def _invented_rows(row: dict[str, Any], year: int, count: int) -> list[dict[str, Any]]:
    """Return op-eds of a year, each with a text of its own of some 5 kB, one in four with Korean beside it."""
    dice = random.Random(year)
    words = [
        f"{a}{b}"
        for a in ("har", "fer", "min", "tax", "vil", "win")
        for b in ("bor", "ry", "istry", "es", "lage", "ter")
    ]
    words += [f"{word}{n}" for word in words for n in range(60)]
    made = []
    for number in range(count):
        sentences = (" ".join(dice.choices(words, k=15)).capitalize() + "." for _ in range(45))
        korean = " ".join(dice.choices(KOREAN_WORDS, k=200)) if number % 4 == 0 else ""
        day = datetime(year, 1 + number % 12, 1 + number % 28, 3, tzinfo=UTC)
        made.append(
            row
            | {
                "article_id": f"kjd-c{year}{number:05d}",
                "oped_id": f"kjd-c{year}{number:05d}",
                "year": year,
                "headline": f"On the ferry, {year}-{number}",
                "kind": ("editorial", "column", "fountain")[number % 3],
                "authors": [{"name": f"Kim Writer{number % 50}", "bio": ""}],
                "published_at": day,
                "published_day": day.date(),
                "text": " ".join(sentences),
                "text_ko": korean,
                "language": "en+ko" if korean else "en",
            }
        )
    return made


def reading() -> list[Row]:
    """100,000 op-eds in SeaweedFS: SQL from the bucket, and the client's file."""
    import pyarrow as pa

    from pipelines.catalogue.delta import add_rows, location
    from pipelines.catalogue.described import describe
    from pipelines.client import open_archive
    from pipelines.exports import local
    from pipelines.index.opened import open_to_write

    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        settings = embedded.ensure_running(Settings(home=Path(name), invented=True))
        try:
            archive = open_to_write(settings)
            take_in(archive, capture(page(prose(1, 12)), "2024-06-14T00:00:00"))
            (row,) = rows_of(archive.store, [archive.index.state_of("kjd-c2068163")])
            table = open_for_writing(location(settings, "articles"), ARTICLES)[0]
            schema = article_schema()
            for year in range(2001, 2026):
                batches = pa.Table.from_pylist(_invented_rows(row, year, 4000), schema=schema).to_batches()
                add_rows(table, batches, schema, year - 2000)
            rows += _sql_from_the_bucket(settings)
            rows.append(
                (
                    "100,000 op-eds: what the bucket says of itself, anew",
                    *_under(lambda: describe(archive.store, settings, 25), 2),
                )
            )
            seconds = _wall(lambda: local.bring_up_to_date(settings))
            size = local.bring_up_to_date(settings).stat().st_size
            rows.append(
                (
                    "100,000 op-eds: the SQLite file, made the first time",
                    f"{seconds:.0f} s, {size / 1e9:.2f} GB",
                    "–",
                    True,
                )
            )
            with open_archive(settings=settings) as opened:
                rows.append(
                    ("a text by its id, through the client", *_under(lambda: opened.oped("kjd-c201301234").text, 0.05))
                )
                for asked in ("harbor", '"ferry minister"', "harbor taxes village7", "방파제", "예산", "harbor 방파제"):
                    rows.append((f"search {asked}", *_under(lambda asked=asked: opened.search(asked), 0.3)))  # type: ignore[misc]
            more = [one | {"article_id": f"kjd-c9{n:05d}"} for n, one in enumerate(_invented_rows(row, 2025, 10))]
            table = open_for_writing(location(settings, "articles"), ARTICLES)[0]
            seconds = _wall(
                lambda: replace_rows(
                    table, [batch_of(more, schema)], schema, 26, [r["article_id"] for r in more], [2025]
                )
            )
            rows.append(("publishing 10 op-eds more", f"{seconds:.2f} s", "< 1 s", seconds < 1))
            rows.append(("the client's file, brought up to date", *_under(lambda: local.bring_up_to_date(settings), 2)))
            rows += _browsed(settings)
            rows += _exported(settings, Path(name) / "out")
            rows += _written_as_files(settings, Path(name) / "site")
        finally:
            embedded.stop(settings)
    return rows


def _browsed(settings: Settings) -> Iterator[Row]:
    """Ask the pages of 100,000 op-eds, as a browser does but for the wire."""
    from starlette.testclient import TestClient

    from pipelines.browse.server import Browser, application

    began = time.monotonic()
    client = TestClient(application(Browser(settings), ["testserver"]))
    yield "100,000 op-eds: pages ready", f"{time.monotonic() - began:.0f} s", "–", True
    for what, path, limit in (
        ("front", "/", 0.3),
        ("search, a word of every fourth op-ed", "/search?q=harbor", 0.3),
        ("search, two Korean letters", "/search?q=예산", 0.3),
        ("search, without words", "/search?kind=column", 0.3),
        ("op-ed", "/oped/kjd-c201301234", 0.1),
        ("op-ed with Korean", "/oped/kjd-c201301232", 0.1),
    ):
        client.get(path)
        yield f"100,000 op-eds, page: {what}", *_under(lambda path=path: client.get(path), limit)  # type: ignore[misc]


def _written_as_files(settings: Settings, into: Path) -> Iterator[Row]:
    """Write all pages as files, in a process of its own: seconds, its largest memory early and late, the largest page."""
    code = "import resource as r, sys, time; from pipelines.browse import static; from pipelines.cli.main import main\n"
    code += "peak = lambda: r.getrusage(r.RUSAGE_SELF).ru_maxrss // 1024\n"
    code += "was = static._remove; static._remove = lambda *a: (print('late', peak(), file=sys.stderr), was(*a))[1]\n"
    code += "done = static._Workers.done\n"
    code += "static._Workers.done = lambda *a: (print('early', peak(), file=sys.stderr), done(*a))[1]; main()"
    began = time.monotonic()
    call = [sys.executable, "-c", code, "browse", "--static", str(into), "--json"]
    done = command(call, settings, {}, timeout=3600)
    told = json.loads(done.out.splitlines()[-1])
    early, late = (int(re.findall(rf"{when} (\d+)", done.err)[-1]) for when in ("early", "late"))
    figures = f"{time.monotonic() - began:.0f} s, {early} MB then {late} MB, {told['bytes'] / 1e9:.2f} GB"
    yield f"100,000 op-eds as {told['pages']:,} files", figures, "+ 100 MB", late - early < 100
    yield "the largest of these pages", f"{told['largest'] / 1000:.0f} kB", "< 150 kB", told["largest"] < 150_000


def _under(work: Callable[[], object], limit: float) -> tuple[str, str, bool]:
    """Return the median of five times, the budget, and whether it holds."""
    seconds = statistics.median(_wall(work) for _ in range(5))
    return f"{seconds * 1000:.0f} ms", f"< {limit * 1000:.0f} ms", seconds < limit


def _sql_from_the_bucket(settings: Settings) -> Iterator[Row]:
    """Two questions to the Delta table in the bucket by DuckDB, warm."""
    import importlib.resources

    import duckdb

    con = duckdb.connect()
    for name in ("httpfs", "delta"):
        root = importlib.resources.files(f"duckdb_extension_{name}")
        con.execute(f"LOAD '{root}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
    con.execute(
        f"CREATE SECRET (TYPE s3, ENDPOINT '{settings.endpoint.partition('//')[2]}', USE_SSL false, URL_STYLE 'path', "
        f"KEY_ID '{settings.access_key}', SECRET '{settings.secret_key}', REGION '{settings.region}')"
    )
    con.execute(f"CREATE VIEW t AS FROM delta_scan('{settings.archive}/catalogue/articles')")
    for what, sql in (
        ("count by kind", "SELECT kind, count(*) FROM t WHERE is_latest GROUP BY kind"),
        (
            "one author's year",
            "SELECT headline FROM t WHERE year = 2013 AND list_contains(list_transform(authors, lambda a: a.name), 'Kim Writer7')",
        ),
    ):
        con.sql(sql).fetchall()
        yield (f"100,000 op-eds in the bucket, DuckDB: {what}", *_under(lambda sql=sql: con.sql(sql).fetchall(), 0.3))  # type: ignore[misc]


def _exported(settings: Settings, into: Path) -> Iterator[Row]:
    """Export everything as Parquet and as SQLite, in a process of its own: seconds, and its largest memory."""
    code = "import atexit, sys; from pipelines.cli.main import main; status = '/proc/self/status'\n"
    code += (
        "atexit.register(lambda: print([ln for ln in open(status) if ln[:5] == 'VmHWM'][0], file=sys.stderr)); main()"
    )
    call = [sys.executable, "-c", code, "export", "--to", str(into), "--format", "parquet", "--format", "sqlite"]
    began = time.monotonic()
    done = command(call, settings, {}, timeout=1200)
    peak = int(re.findall(r"VmHWM:\s+(\d+)", done.err)[-1]) / 1024
    size = sum(path.stat().st_size for path in into.glob("*.parquet")), (into / "opeds.sqlite").stat().st_size
    told = f"{time.monotonic() - began:.0f} s, {peak:.0f} MB"
    yield "100,000 op-eds: exported as Parquet and SQLite; memory", told, "< 400 MB", peak < 400
    yield "bytes an op-ed: Parquet, SQLite with both indexes", f"{size[0] / 1e5:.0f}, {size[1] / 1e5:.0f}", "–", True


def foreign_records() -> list[Row]:
    """20,000 pages of other sites in somebody's WARC file: ours, which goes on behind damage, and warcio reading it."""
    from warcio.archiveiterator import ArchiveIterator

    from pipelines.index.opened import open_to_write
    from pipelines.jobs.import_warc import ingest_files

    count = 20_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, settings = folder / "a.warc.gz", Settings(archive=f"file://{folder}/archive", home=folder / "home")
        dice, when = random.Random(1), datetime(2024, 6, 14, tzinfo=UTC)
        with file.open("wb") as into:
            for n in range(count):
                body = dice.randbytes(600).hex().encode()
                into.write(page_file(Exchange(f"https://example.org/{n}", when, 200, "OK", (), body), {}))
        open_to_write(settings)
        ingest_files(settings, [str(file)], lambda *_: None)  # which imports what it needs
        before = _resident()
        ours = _cpu(lambda: ingest_files(settings, [str(file)], lambda *_: None))
        grown = _resident() - before
        with file.open("rb") as stream:
            theirs = _cpu(lambda: [each.content_stream().read() for each in ArchiveIterator(stream)])
    figures = f"{ours / count * 1e6:.0f} µs, {ours / theirs:.2f} of warcio's reading; {grown:.0f} MB more"
    return [
        (
            "a page of another site in a file for `ingest`",
            figures,
            "≤ 1.25; < 10 MB",
            ours <= 1.25 * theirs and grown < 10,
        )
    ]


def copies() -> list[Row]:
    """The labelled sets, where they are here, by us and by what others would do; the scorer is not ours."""
    if not DEDUP_SCORER.exists():
        return [("copies found (the labelled sets are not here)", "skipped", "F1 ≥ .995", True)]
    rows: list[Row] = []
    for name, least in (("publicdomain_dev", 0.995), ("oped_dev", 0.998)):
        for method in ("ours", *METHODS):
            told = scored_copies(name, method)
            speed = told["cost"]["docs_per_cpu_s"]
            figures = f"P {told['precision']:.3f} R {told['recall']:.3f} F1 {told['f1']:.4f}, {speed:.0f}/CPU s"
            held = method != "ours" or (told["f1"] >= least and speed >= 300)
            budget = f"F1 ≥ {least}, ≥ 300/CPU s" if method == "ours" else ""
            rows.append((f"copies in {name}: {method}", figures, budget, held))
    return rows


def finding_copies(method: str) -> list[str]:
    """Return the command that finds the copies in a file named behind it: ours, or one of `METHODS`."""
    return [*OPEDS, "dedupe"] if method == "ours" else [sys.executable, "-m", "tests.anchors", method]


def scored_copies(name: str, method: str) -> dict[str, Any]:
    """Return what the shared scorer says of a method on a labelled set."""
    answers = [sys.executable, str(DEDUP_SCORER), str(SHARED / "dedup" / f"{name}.jsonl.gz"), "--json"]
    program = f"{shlex.join(finding_copies(method))} {{file}}"
    done = command([*answers, "--command", program], None, {"PYTHONPATH": str(ROOT)}, timeout=600)
    told: dict[str, Any] = json.loads(done.out)
    return told


def dag_files() -> list[Row]:
    """CPU of reading all DAG files, beyond Airflow's own import: facts of a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        told = []
        for _ in range(3):
            done = subprocess.run([sys.executable, ROOT / "tests/dag_facts.py", ROOT / "dags"], env=environment,
                                  capture_output=True, text=True, check=True, cwd=folder)  # fmt: skip
            told.append(json.loads(done.stdout.splitlines()[-1])["seconds"])
    own, airflow = (min(one[what] for one in told) for what in ("dags", "airflow"))
    return [("reading all DAG files, beyond Airflow's own import", f"{own:.2f} s ({airflow:.1f} s)", "< 1 s", own < 1)]


def help_text() -> list[Row]:
    """How long a person waits for help; the best of five."""
    rows: list[Row] = []
    for words in (["--help"], ["list", "--help"]):
        call = [*OPEDS, *words]
        best = min(_wall(lambda: subprocess.run(call, capture_output=True, check=True)) for _ in range(5))  # noqa: B023
        rows.append(
            (
                f"opeds {' '.join(words)}",
                f"{best:.2f} s",
                "≤ 0.15 s" if words == ["--help"] else "< 0.3 s",
                best <= (0.15 if words == ["--help"] else 0.3),
            )
        )
    return rows


def _heavy_page(number: int) -> bytes:
    """Return a WARC page of 150 KB: an op-ed in the furniture that real pages carry."""
    menu = "".join(
        f"<li class='menu{n}'><a href='/section/{number}/{n}'>Section {n}</a><span>{n * 7}</span></li>"
        for n in range(1100)
    )
    script = "<script>" + "var a = [0,1,2,3,4,5,6,7,8,9];" * 1800 + "</script>"
    body = page(prose(number, 14), headline=f"Ferry {number}", after=f"<nav><ul>{menu}</ul></nav>{script}")
    when = datetime(2024, 6, 14, tzinfo=UTC) + timedelta(minutes=number)
    url = C_URL.replace("2068163", str(2068163 + number))
    return page_file(Exchange(url, when, 200, "OK", (("Content-Type", "text/html; charset=utf-8"),), body), {})


def cpu_of_children() -> float:
    """Return the CPU seconds of all processes of ours that ended, their own children included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _wall(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
