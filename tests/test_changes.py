"""What is new, by the log: for us, and for who reads the bucket with boto3 alone."""

from __future__ import annotations

import json
import sys

from pipelines.archive.store import open_store
from pipelines.catalogue.changes import changes_since
from pipelines.catalogue.publish import publish
from pipelines.index.opened import open_to_write
from pipelines.settings import Settings
from tests.conftest import DAUM_URL, ROOT, Command, capture, command, environment_of, page, prose, take_in
from tests.test_ingest import daum_page


def filled(settings: Settings) -> int:
    """Fill an archive; return the number of the log before the last changes."""
    archive = open_to_write(settings)
    take_in(archive, capture(page(prose(1)), "2024-06-14T00:00:00"))
    before = archive.index.seq()
    take_in(archive, capture(page(prose(1)), "2024-06-15T00:00:00"))
    take_in(archive, capture(page([*prose(1), "One more."]), "2024-06-16T00:00:00"))
    take_in(archive, capture(daum_page(prose(1)), "2024-06-17T00:00:00", DAUM_URL))
    publish(archive, settings)
    return before


def test_changes_are_told_in_the_order_of_the_log(folder: Settings) -> None:
    before = filled(folder)
    store = open_store(folder)
    assert [row["change"] for row in changes_since(store, 0)] == ["added", "revised", "copied"]
    told = list(changes_since(store, before))
    assert [(row["change"], row["article_id"]) for row in told] == [
        ("revised", "kjd-c2068163"),
        ("copied", "daum-20240613230000001"),
    ]
    assert list(changes_since(store, told[-1]["seq"])) == []


def test_the_command_and_the_poller_say_the_same(bucket: Settings, opeds: Command) -> None:
    filled(bucket)
    ran = opeds("changes", "--since", "0", "--json", settings=bucket)
    ours = [json.loads(line) for line in ran.out.splitlines()]
    told = command(
        [sys.executable, str(ROOT / "docs" / "examples" / "poll_changes.py"), "0"], bucket, environment_of(bucket)
    )
    theirs = [json.loads(line) for line in told.out.splitlines()]
    assert theirs == [{name: row[name] for name in ("seq", "change", "article_id")} for row in ours]
    assert len(theirs) == 3
    said = opeds("changes", "--since", "0", settings=bucket)
    assert said.out.splitlines()[-1] == f"go on with: opeds changes --since {ours[-1]['seq']}"
    assert opeds("changes", "--since", "-1", settings=bucket).code == 2
