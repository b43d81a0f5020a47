"""docs/reading-the-bucket.md and the README's SQL: run as they stand, with the reader's key, our packages hidden."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.archive import embedded
from pipelines.archive.store import Store, open_store
from pipelines.catalogue.publish import publish
from pipelines.catalogue.schema import VIEWS
from pipelines.client import open_archive
from pipelines.exports.bucket import export_to_bucket
from pipelines.index.opened import open_to_write, rebuild_index
from pipelines.jobs.upkeep import upkeep
from pipelines.jobs.verify import verify
from pipelines.settings import Settings, reaching
from tests.conftest import ROOT, state
from tests.test_client import fill

PAGE = (ROOT / "docs" / "reading-the-bucket.md").read_text()
BLOCKS = re.findall(r"```python\n# (\w+)\n(.*?)```", PAGE, re.DOTALL)
HIDDEN = "import sys\nfor name in ('pipelines', 'spiders'): sys.modules[name] = None\n"
SAID = {
    "fetch": "7 files, log at",
    "plot": "Kim Hyun-ki",
    "corrections": "text_added Who pays -> Who pays",
    "phrase": "[sea wall]",
    "page": "HTTP/1.1 200 OK",
}


def test_its_blocks_run_one_after_the_other(seaweed: Settings, bucket: Settings, tmp_path: Path) -> None:
    archive = open_to_write(bucket)
    fill(archive, bucket)
    export_to_bucket(bucket, archive.store, "2026-11")
    key = reaching(embedded.reach(seaweed, "reader"))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "OPEDS_ARCHIVE": bucket.archive}
    environment |= {name: value for name, value in key.items() if value}
    assert [name for name, _ in BLOCKS] == list(SAID)
    for name, code in BLOCKS:
        (tmp_path / f"{name}_block.py").write_text(HIDDEN + code)
        command = [sys.executable, "-W", "ignore", f"{name}_block.py"]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, (name, ran.stderr[-2000:])
        assert SAID[name] in ran.stdout, (name, ran.stdout)


def test_the_readmes_sql_runs_as_it_stands(bucket: Settings) -> None:
    import duckdb

    archive = open_to_write(bucket)
    fill(archive, bucket)
    (block,) = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    statements = [text for text in block.split(";") if text.strip()]
    assert len(statements) == 2
    con = duckdb.connect()
    with open_archive(settings=bucket) as reading:
        con.register("catalogue", reading.to_arrow("catalogue"))
        found = [len(reading.connection.execute(text).fetchall()) for text in statements]
    for name, text in VIEWS.items():
        con.execute(f"CREATE VIEW {name} AS {text}")
    assert found == [len(con.sql(text).fetchall()) for text in statements] == [3, 1]


def test_the_examples_views_are_those_of_everywhere() -> None:
    text = (ROOT / "docs" / "examples" / "views.sql").read_text().partition("\n")[2]
    told = dict(one.split(" AS", 1) for one in text.replace("CREATE VIEW ", "").split(";") if one.strip())
    assert {name.strip(): " ".join(query.split()) for name, query in told.items()} == VIEWS


def copied(source: Store, target: Store) -> None:
    """Copy an archive as docs/reading-the-bucket.md says: all else, then the log."""
    folders = ("captures/", "crawls/", "articles/", "quarantine/", "verified/", "withdrawn/", "runs/")
    for folder in ("archive.json", *folders):
        for key in source.keys(folder):
            target.create(key, source.read(key))


@pytest.mark.parametrize("into", ["bucket", "folder"])
def test_a_copy_is_an_archive(into: str, bucket: Settings, folder: Settings, tmp_path: Path) -> None:
    archive = open_to_write(bucket)
    fill(archive, bucket)
    publish(archive, bucket)
    target = replace(bucket, archive=f"{bucket.archive}-copy") if into == "bucket" else folder
    target = replace(target, home=tmp_path / "elsewhere")
    copied(archive.store, open_store(target))
    assert rebuild_index(target, lambda *_: None)[0] == archive.index.seq()
    upkeep(target, lambda *_: None)
    assert verify(target).faults == []
    assert state(target) == state(bucket)
    assert open_store(target).read("README.md")
