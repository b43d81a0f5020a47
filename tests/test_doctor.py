"""A look at a site: what still holds, what does not, and a profile for a layout that nobody knows."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from pipelines.extraction.extract import extract
from pipelines.jobs.doctor import line_of
from pipelines.model import Capture
from pipelines.settings import Settings
from pipelines.sources import load_sources
from pipelines.sources.addresses import place_of
from tests.conftest import SOURCES, Command, World

LOOK = ("--until", "2026-06-07", "--days", "4")


def test_a_site_that_is_as_we_know_it(opeds: Command, newsstand: World, folder: Settings, tmp_path: Path) -> None:
    ran = opeds("doctor", "kjd", *LOOK, "--into", str(tmp_path / "seen"), settings=folder)
    assert ran.code == 0, ran.out
    assert "robots.txt answered 200" in ran.out
    assert "route editorials HTTP 200" in ran.out
    assert "✓ kjd-c body" in ran.out
    assert len([path for path in newsstand.paths() if path.startswith("/news/")]) == 3, "a few pages, no more"
    assert len(list((tmp_path / "seen").glob("*/NOT-FOR-PUBLICATION"))) == 3
    assert not (tmp_path / "archive").exists(), "no archive is touched"


def test_dead_routes_and_lost_selectors_are_named_with_their_line(
    opeds: Command, newsstand: World, folder: Settings, tmp_path: Path
) -> None:
    newsstand.stand.stand.fault("feed-404")
    newsstand.stand.stand.fault("dateless@columns")
    ran = opeds("doctor", "kjd", *LOOK, "--into", str(tmp_path / "seen"), settings=folder)
    assert ran.code == 1
    assert "route feed HTTP 404" in ran.out
    assert "route columns HTTP 200, 0 entries: no entry has a date" in ran.out
    line = line_of(SOURCES["kjd"], "columns", "date")
    assert f"✗ date                   .media-date 0 of 10  line {line} of the source file" in ran.out
    assert Path(SOURCES["kjd"].file).read_text().splitlines()[line - 1].startswith("date =")


@pytest.mark.parametrize("source", ["kjd", "daum"])
def test_an_era_nobody_knows_gets_a_profile_that_reads_it(
    source: str, opeds: Command, newsstand: World, folder: Settings, tmp_path: Path
) -> None:
    newsstand.stand.stand.fault("redesign")
    ran = opeds("doctor", source, *LOOK, "--into", str(tmp_path / "seen"), "--json", settings=folder)
    assert ran.code == 1
    told = json.loads(ran.out)
    assert not told["holds"]
    assert {page["status"] for page in told["pages"]} == {"drift"}
    mended = tmp_path / "sources"
    mended.mkdir()
    shipped = Path(SOURCES[source].file).read_text()
    at = shipped.index("[[profile]]")
    (mended / f"{source}.toml").write_text(shipped[:at] + told["proposal"] + shipped[at:])
    sources = load_sources(str(mended))
    world = newsstand.stand.stand.world
    published = {o.cid: (o.headline, o.paragraphs) for o in world.opeds}
    published |= {o.daum_id(): (o.headline, o.paragraphs) for o in world.opeds if o.daum_at}
    published |= {native: (headline, text) for native, _, headline, text in world.news}
    for page in (tmp_path / "seen").glob("*/page.html"):
        wanted = json.loads((page.parent / "expected.json").read_text())
        place = place_of(wanted["url"], sources.values())
        assert place
        when = datetime.fromisoformat(wanted["fetched_at"])
        headers = (("Content-Type", wanted["content_type"]),)
        article = extract(Capture(wanted["url"], when, 200, headers, page.read_bytes()), place)
        headline, paragraphs = published[wanted["url"].rsplit("/", 1)[-1]]
        assert article.profile == f"{source}-new"
        assert article.text.split("\n\n") == [" ".join(p.split()) for p in paragraphs], told["proposal"]
        assert article.status in {"ok", "review"}
        assert article.headline.replace("’", "'") == headline.replace("’", "'")
