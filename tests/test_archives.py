"""Archives that earlier versions of this program made: every command goes on working on them.

`tests/archives/<commit>.tar.gz` holds a folder archive of three invented days, made by the code of that commit: new
op-eds, copies, two corrections, a page that was set aside, closings, a published catalogue.
"""

import json
import tarfile
from pathlib import Path

import pytest

from pipelines.archive.manifests import anchor_of, manifest_at
from pipelines.catalogue.delta import SCHEMA_PROPERTY, location, open_table
from pipelines.catalogue.publish import publish
from pipelines.catalogue.queries import days
from pipelines.index.opened import open_to_write, rebuild_index
from pipelines.jobs.rederive import rederive
from pipelines.jobs.verify import verify
from pipelines.model import Verdict
from pipelines.settings import Settings
from tests.conftest import ROOT, Command, capture, listed, page, prose, state, take_in, versions_of

ARCHIVES = sorted((ROOT / "tests" / "archives").glob("*.tar.gz"))
CORRECTED, CARRIED, SET_ASIDE = "kjd-c2595609", "kjd-c2595183", "kjd-c2595325"


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    with tarfile.open(request.param) as file:
        file.extractall(tmp_path, filter="data")
    return Settings(archive=f"file://{tmp_path / 'archive'}", home=tmp_path / "home")


def test_it_is_listed_and_shown(old: Settings) -> None:
    assert len(listed(old)) == 6
    versions, places = versions_of(old, CORRECTED)
    assert versions[0]["kind_of_change"] == ""
    assert len(versions) == 2
    assert [p["role"] for p in versions_of(old, CARRIED)[1]] == ["primary", "copy"]
    assert places[0]["article_id"] == CORRECTED
    assert {row["day"]: row["complete"] for row in days(old)} == {f"2026-06-0{n}": True for n in (4, 5, 6)}


def test_all_of_it_fits(old: Settings) -> None:
    done = verify(old)
    assert done.faults == []
    assert (done.verified["records"], done.verified["rejections"]) == (11, 1)


def test_publishing_changes_no_row_and_names_the_schema(old: Settings) -> None:
    before = state(old)
    publish(open_to_write(old), old)
    assert state(old) == before
    for name, schema in (("articles", "opeds/article/2"), ("runs", "opeds/run/2")):
        table = open_table(location(old, name))
        assert table is not None
        assert table.metadata().configuration[SCHEMA_PROPERTY] == schema


def test_an_index_made_anew_gives_the_same_rows(old: Settings) -> None:
    before = state(old)
    assert rebuild_index(old, lambda *_: None) == (16, None)
    publish(open_to_write(old), old)
    assert state(old) == before


def test_rederive_says_what_todays_rules_would_change(old: Settings) -> None:
    before = state(old)
    found, report = rederive(old, "", [], write=False, progress=lambda *_: None)
    assert all(difference.before["article_id"] == difference.article_id for difference in found)
    assert report.outcomes == []
    assert state(old) == before


def test_reading_it_again_is_no_correction_by_the_newspaper(old: Settings) -> None:
    before = versions_of(old, CORRECTED)[0]
    _, report = rederive(old, "", [], write=True, progress=lambda *_: None)
    assert {outcome.verdict for outcome in report.outcomes} == {Verdict.REREAD}
    after = versions_of(old, CORRECTED)[0]
    steps = [
        [(row["kind_of_change"], row["words_added"], row["first_seen"]) for row in rows] for rows in (before, after)
    ]
    assert steps[0] == steps[1]
    assert {row["schema"] for row in after} == {"opeds/article/2"}
    assert {row["unaccounted"] for row in after} == {0}


def test_a_run_goes_on_from_it(old: Settings, opeds: Command) -> None:
    refused = opeds("run", "--day", "2026-06-04", settings=old)
    assert (refused.code, "this archive is real" in refused.err) == (1, True), "it does not say that it is invented"
    identity = Path(old.archive.removeprefix("file://")) / "archive.json"
    identity.write_text(json.dumps({**json.loads(identity.read_text()), "invented": True}))
    ran = opeds("run", "--since", "2026-06-04", "--until", "2026-06-07", "--json", settings=old)
    assert ran.code == 0, ran.err
    assert '"UNCHANGED"' in ran.out
    assert '"NEW"' in ran.out, "the seventh is news"
    assert state(old)[1] == set()


def test_the_log_goes_on_as_a_chain_behind_an_anchor(old: Settings) -> None:
    archive = open_to_write(old)
    last = archive.index.seq()
    for day in ("2024-06-14", "2024-06-15"):
        take_in(archive, capture(page(prose(1)), f"{day}T12:00:00"))
    first, second = (manifest_at(archive.store, last + n) for n in (1, 2))
    assert first.anchor == anchor_of(archive.store, last)
    assert (second.previous, second.anchor) == (first.sha256, None)
    assert {key.partition("/")[0] for key, _ in first.digests} == {"captures", "articles", "archive.json"}
    publish(archive, old)
    assert verify(old).faults == []
    forged = Path(old.archive.removeprefix("file://")) / "runs" / "0000000003.json"
    forged.write_bytes(forged.read_bytes() + b" ")
    assert [fault.kind for fault in verify(old).faults] == ["log"], "however old it is"
