"""What tests share: a real object store, a newsstand, an archive, and a guard against the network."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from newsstand.demo import sources_without_delay
from newsstand.server import Newsstand, parse_clock, running
from pipelines.archive import embedded
from pipelines.archive.captures import capture_file, store_capture
from pipelines.archive.keys import capture_key
from pipelines.archive.store import FolderStore, MemoryStore, Store, open_store
from pipelines.archive.warc import Exchange
from pipelines.catalogue.delta import location, open_table
from pipelines.cli.show_reading import as_listed
from pipelines.client import open_archive
from pipelines.index.opened import Archive, open_to_write
from pipelines.ingestion.ingest import Part, ingest
from pipelines.model import Capture, Outcome, Sighting
from pipelines.settings import Settings, reaching
from pipelines.sources import load_sources
from pipelines.sources.addresses import place_of
from tests.postgres import installed, server

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
SEED_PAGE = SHARED / "pages" / "daum_20240626200145724.html"
LONG = "LONG" in os.environ  # `make test-long`: property tests in full
FAULTS = "FAULTS" in os.environ  # `make faults`: each kill, each alteration, each mix of faults
OPEDS = [sys.executable, "-c", "from pipelines.cli.main import main; main()"]  # `opeds`, from any folder
CASES = 2000 if LONG else 200  # of a property test
minutes = pytest.mark.skipif(not (LONG or FAULTS), reason="minutes: make test-long")


def seldom(*values: object) -> object:
    """Return the values of a case that only `make test-long` tries."""
    return pytest.param(*values, marks=[minutes, pytest.mark.long])


_numbers = itertools.count(1)

for _name in [name for name in os.environ if name.startswith(("OPEDS_", "AWS_")) or name.lower().endswith("_proxy")]:
    del os.environ[_name]  # a developer's own settings must not leak into tests
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A real SeaweedFS with its own ports and keys, for the whole session; the writer's settings."""
    settings = Settings(home=tmp_path_factory.mktemp("seaweed"))
    yield embedded.ensure_running(settings)
    embedded.stop(settings)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL of our own; the URL of its server, `{}` for a database's name."""
    if installed() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty index, in each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/index.sqlite"
    url = request.getfixturevalue("postgres")
    name = f"t{next(_numbers)}_{os.getpid()}"
    engine = sa.create_engine(url.format("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return str(url.format(name))


@pytest.fixture
def bucket(seaweed: Settings, tmp_path: Path) -> Settings:
    """An empty archive in the real store: a prefix of its own."""
    name = f"s3://archive/t{next(_numbers)}-{os.getpid()}"
    return replace(seaweed, archive=name, home=tmp_path / "home", invented=True)


@pytest.fixture
def folder(tmp_path: Path) -> Settings:
    """An empty archive in a folder."""
    return Settings(archive=f"file://{tmp_path / 'archive'}", home=tmp_path / "home", invented=True)


@pytest.fixture(params=["memory", "folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Every adapter behind the port."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "folder":
        (tmp_path / "store").mkdir()
        return FolderStore(tmp_path / "store")
    return open_store(request.getfixturevalue("bucket"))


@pytest.fixture
def archive(folder: Settings) -> Archive:
    """An empty archive in a folder, opened."""
    return open_to_write(folder)


@pytest.fixture(scope="session")
def fast_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped sources without their delay: the site asked is our own."""
    made = sources_without_delay(tmp_path_factory.mktemp("sources"))
    shutil.rmtree(made / "archives")  # `quick_archives` has them
    return made


@pytest.fixture(scope="session")
def quick_archives(fast_sources: Path) -> Path:
    """The same, and the public archives with limits a hundred times higher."""
    made = fast_sources / "archives"
    made.mkdir()
    for file in (ROOT / "pipelines" / "sources" / "archives").glob("*.toml"):
        faster = re.sub(r"(?m)^(\w+_per_minute) = (\d+)", lambda m: f"{m[1]} = {int(m[2]) * 100}", file.read_text())
        (made / file.name).write_text(re.sub(r"(?m)^wait = 60", "wait = 0.1", faster))
    return fast_sources


@dataclass
class World:
    """A newsstand, and how to reach it."""

    stand: Newsstand
    environment: dict[str, str]

    def advance(self, to: str) -> None:
        """Move its clock on."""
        self.stand.stand.advance(parse_clock(to))

    def paths(self, host: str = "") -> list[str]:
        """Return the paths it was asked for."""
        return [entry["path"] for entry in self.stand.stand.log if not host or entry["host"] == host]


@pytest.fixture
def newsstand(tmp_path: Path, fast_sources: Path) -> Iterator[World]:
    """The replica at the end of the demo's week, seed 5."""
    with running(tmp_path, parse_clock("2026-06-07T23:59"), seed=5) as stand:
        environment = {
            **stand.environment(tmp_path),
            "OPEDS_SOURCES": str(fast_sources),
            "OPEDS_CONTACT": "t@example.org",
        }
        yield World(stand, environment)


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def opeds(newsstand: World) -> Command:
    """Run `opeds` as a user would, against the newsstand."""
    return lambda *arguments, settings, **more: command(
        [*OPEDS, *arguments],
        settings,
        newsstand.environment | more,
    )


@pytest.fixture
def scrapy(newsstand: World) -> Command:
    """Run `scrapy` as a user would, against the newsstand."""
    return lambda *arguments, settings, **more: command(
        [sys.executable, "-m", "scrapy", *arguments], settings, newsstand.environment | more
    )


def command(arguments: list[str], settings: Settings | None, more: dict[str, str], timeout: float = 120) -> Ran:
    """Run a command with the environment of these settings and nothing else of ours."""
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        env={**_without_width(), **environment_of(settings), **more},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def _without_width() -> dict[str, str]:
    """Return our environment, less the width of the terminal that the tests were started in."""
    return {name: value for name, value in os.environ.items() if name != "COLUMNS"}


def environment_of(settings: Settings | None) -> dict[str, str]:
    """Return the variables that say what settings say."""
    if settings is None:
        return {}
    return {
        "OPEDS_ARCHIVE": settings.archive,
        "OPEDS_HOME": str(settings.home),
        "OPEDS_INDEX": settings.index,
        "OPEDS_INVENTED": "1" if settings.invented else "",
        **reaching(settings),
    }


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Return what `opeds list` shows."""
    with open_archive(settings=settings) as archive:
        return [as_listed(version) for version in archive.opeds()]


def versions_of(
    settings: Settings, name: str, as_of: date | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of an article's versions, the one asked for last, and those of its op-ed's places."""
    with open_archive(settings=settings) as archive:
        versions = archive.versions(name, as_of)
        return [version.row for version in versions], [place.row for place in archive.places(name)]


SOURCES = load_sources()
PARAGRAPH = (
    "The ministry kept the ferry in service for {n} more winters because nobody asked who would pay for the next one."
)


def page(text: list[str], headline: str = "A ferry is not a promise", author: str = "", **more: str) -> bytes:
    """Return a page in the dress of era C."""
    byline = f"<p>{author}</p><p>The author is a harbor pilot in Mokpo.</p>" if author else ""
    date = more.get("date", "13 Jun. 2024, 20:09")
    body = "".join(f"<p>{line}</p>" for line in text)
    return (
        f"<html><head><meta charset='utf-8'><title>{headline}</title></head><body>"
        f"<a class='article-publish-date'>Published: {date}</a><div id='article_body'>"
        f"<h1 class='view-article-title'>{headline}</h1>{byline}{body}</div>{more.get('after', '')}</body></html>"
    ).encode()


def prose(seed: int, paragraphs: int = 6) -> list[str]:
    """Return paragraphs that share no run of words with those of another seed."""
    words = [f"w{seed}x{n}" for n in range(paragraphs * 40)]
    return [" ".join(words[at * 40 : at * 40 + 40]).capitalize() + "." for at in range(paragraphs)]


C_URL = "https://koreajoongangdaily.joins.com/news/2024-06-13/opinion/editorials/A-ferry/2068163"
A_URL = "https://koreajoongangdaily.joins.com/news/article/article.aspx?aid=3042020"
DAUM_URL = "https://v.daum.net/v/20240613230000001"


def capture(body: bytes, when: str, url: str = C_URL) -> Capture:
    """Return a capture of a page; `when` is UTC."""
    return Capture(
        url,
        datetime.fromisoformat(when).replace(tzinfo=UTC),
        200,
        (("Content-Type", "text/html; charset=utf-8"), ("X-Invented", "tests")),
        body,
    )


def exchange(of: Capture) -> Exchange:
    """Return a capture as it went over the wire."""
    return Exchange(of.url, of.fetched_at, of.status, "OK", of.headers, of.payload)


def take_in(archive: Archive, *captures: Capture, run: str = "") -> list[Outcome]:
    """Deposit captures as a spider does, and ingest them."""
    seen = []
    for one in captures:
        place = place_of(one.url, archive.sources.values())
        assert place
        file = capture_file(place.article_id, exchange(one), one)
        key, _ = store_capture(archive.store, capture_key(place.article_id, one), file)
        seen.append(Sighting(place.article_id, one.url, one.fetched_at, key))
    part = Part(run or f"run-{next(_numbers)}", "test", "2024-06-13", "2026-01-01T00:00:00Z")
    return ingest(archive, part, seen, [], lambda outcome: None)


def state(settings: Settings) -> tuple[set[tuple[str, ...]], set[str]]:
    """Return what makes two buckets equal (design §11), and the orphans, of which there must be none."""
    table = open_table(location(settings, "articles"))
    rows = (
        table.to_pyarrow_table(columns=["article_id", "content16", "oped_id", "role", "is_latest"]).to_pylist()
        if table
        else []
    )
    store = open_store(settings)
    manifests = b"".join(store.read(key) for key in store.keys("runs/")).decode()
    kept = [key for prefix in ("captures/", "articles/", "quarantine/") for key in store.keys(prefix)]
    return {tuple(str(value) for value in row.values()) for row in rows}, {key for key in kept if key not in manifests}
