"""Many write and publish at once, and everyone ends well; a reader never sees half of anything."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.archive.manifests import read_log
from pipelines.archive.store import open_store
from pipelines.archive.warc import page_file
from pipelines.catalogue.delta import location, open_table, query
from pipelines.catalogue.publish import compact_tables, publish
from pipelines.catalogue.rows import sighting_rows
from pipelines.index.opened import open_to_write
from pipelines.model import CONTENT
from pipelines.settings import Settings
from tests.conftest import LONG, OPEDS, ROOT, capture, environment_of, exchange, page, prose, state, take_in
from tests.test_index import daum, kjd
from tests.test_ingest import daum_page

WRITERS, PUBLISHERS, ROUNDS = 8, 2, 3 if LONG else 1
COMBINED = [("sqlite", "folder"), ("postgresql", "bucket"), *[("sqlite", "bucket"), ("postgresql", "folder")] * LONG]
PAGES = 6  # of each writer, half of them copies of another writer's
PUBLISHING = "from pipelines.catalogue.publish import publish; from pipelines.index.opened import open_to_write; \
from pipelines.settings import read_settings as s; [publish(open_to_write(s()), s()) for _ in range(8)]"
COMPACTING = "from pipelines.catalogue.publish import compact_tables; \
from pipelines.archive.store import open_store; from pipelines.settings import read_settings as s; \
[compact_tables(open_store(s()), s()) for _ in range(4)]"


def warc_of(writer: int, round_: int) -> bytes:
    """Return op-eds of the newspaper, and copies of those of the next writer."""
    found = []
    for n in range(PAGES):
        mine, theirs = 100 * round_ + 10 * writer + n, 100 * round_ + 10 * ((writer + 1) % WRITERS) + n
        one = (page(prose(mine)), kjd(mine)) if n % 2 else (daum_page(prose(theirs + 1)), daum(theirs + 1))
        found.append(page_file(exchange(capture(one[0], f"2024-06-14T0{round_}:1{writer}:0{n}", one[1])), {}))
    return b"".join(found)


class Reader(threading.Thread):
    """Looks at the tables every 100 ms, and notes everything that docs/schema.md says cannot be."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.settings, self.wrong, self.looks, self.ended = settings, list[str](), 0, threading.Event()
        self.store = open_store(settings)

    def run(self) -> None:
        while not self.ended.is_set():
            self.wrong += self.look()
            self.looks += 1
            time.sleep(0.1)

    def look(self) -> list[str]:
        runs = self.rows("runs", ["seq"])
        sightings = self.rows("sightings", ["seq", "article_id"])
        articles = self.rows("articles", ["article_id", "content16", "oped_id", "is_latest", "matches"])
        numbers = sorted(row["seq"] for row in runs)
        keys = Counter((row["article_id"], row["content16"]) for row in articles)
        latest = Counter(row["article_id"] for row in articles if row["is_latest"])
        known = {row["article_id"] for row in articles}
        named = {row["oped_id"] for row in articles} | {m["article_id"] for row in articles for m in row["matches"]}
        wrong = [f"twice: {key}" for key, count in keys.items() if count > 1]
        wrong += [f"{latest[a]} latest: {a}" for a in known if latest[a] != 1]
        wrong += [f"no row: {a}" for a in named - known]
        if numbers != list(range(1, len(numbers) + 1)):
            wrong.append(f"runs: {numbers}")
        for seq, manifest in read_log(self.store):
            if seq > len(numbers):
                break
            told = {o.article_id for o in manifest.outcomes if o.verdict in CONTENT}
            wrong += [f"half of {seq}: {article_id}" for article_id in told - known]
            seen = {row["article_id"] for row in sightings if row["seq"] == seq}
            wrong += [f"no sighting in {seq}: {article_id}" for article_id in told - seen]
        return wrong

    def rows(self, table: str, columns: list[str]) -> list[dict[str, Any]]:
        opened = open_table(location(self.settings, table))
        return opened.to_pyarrow_table(columns=columns).to_pylist() if opened else []


@pytest.mark.long
@pytest.mark.parametrize(("database", "place"), COMBINED, indirect=["database"])
def test_writers_and_publishers_at_once_all_end_well(
    place: str, request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> None:
    settings = replace(request.getfixturevalue(place), index=database)
    open_to_write(settings)
    for round_ in range(ROUNDS):
        commands = []
        for writer in range(WRITERS):
            file = tmp_path / f"{round_}-{writer}.warc.gz"
            file.write_bytes(warc_of(writer, round_))
            commands.append([*OPEDS, "ingest", str(file)])
        commands += [[sys.executable, "-c", PUBLISHING]] * PUBLISHERS
        commands += [[sys.executable, "-c", COMPACTING]] * (round_ > 0)
        environment = environment_of(settings) | {"PATH": "", "OPEDS_PROCESSES": "1", "PYTHONPATH": str(ROOT)}
        reader = Reader(settings)
        reader.start()
        running = [
            subprocess.Popen(
                c, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for c in commands
        ]
        said = [process.communicate(timeout=300)[0] for process in running]
        reader.ended.set()
        reader.join()
        assert [text for process, text in zip(running, said, strict=True) if process.returncode] == []
        assert reader.wrong == []
        assert reader.looks > 3
    publish(open_to_write(settings), settings)
    rows, orphans = state(settings)
    assert len(rows) == ROUNDS * WRITERS * PAGES
    assert not orphans
    assert Reader(settings).look() == []
    told = [row for seq, manifest in read_log(open_store(settings)) for row in sighting_rows(seq, manifest)]
    assert len(query(location(settings, "sightings"), "SELECT * FROM t")) == len(told) == len(rows)


def test_a_second_look_writes_the_rows_of_what_changed_and_nothing_else(folder: Settings) -> None:
    archive = open_to_write(folder)
    first = [capture(page(prose(n)), "2024-06-14T00:00:00", kjd(n)) for n in range(12)]
    take_in(archive, *first)
    publish(archive, folder)
    where = location(folder, "articles")
    before = open_table(where)
    assert before
    again = [replace(one, fetched_at=one.fetched_at.replace(day=15)) for one in first]
    corrected = [replace(one, payload=page([*prose(n)[:-1], "Another end."])) for n, one in enumerate(again[:2])]
    take_in(archive, *corrected, *again[2:])
    assert publish(archive, folder).rows == 4, "two versions of two articles"
    table = open_table(where)
    assert table
    from pyarrow import table as table_of

    changes = table_of(table.load_cdf(starting_version=before.version() + 1)).to_pylist()
    assert {row["article_id"] for row in changes} == {"kjd-c2068163", "kjd-c2068164"}
    take_in(archive, *(replace(one, fetched_at=one.fetched_at.replace(day=16)) for one in again[2:]))
    version = table.version()
    assert publish(archive, folder).rows == 0
    assert publish(archive, folder).version == version, "no commit without news"
    seen = query(location(folder, "sightings"), "SELECT max(fetched_at) AS at FROM t GROUP BY article_id ORDER BY at")
    assert [row["at"].day for row in seen] == [15, 15, *[16] * 10]


def test_a_match_stands_in_both_rows_whichever_was_published_first(folder: Settings) -> None:
    archive = open_to_write(folder)
    for one in (capture(page(prose(1)), "2024-06-14T00:00:00", kjd(0)),
                capture(daum_page(prose(1)), "2024-06-14T01:00:00", daum(0))):  # fmt: skip
        take_in(archive, one)
        publish(archive, folder)
    rows = query(location(folder, "articles"), "SELECT article_id, matches FROM t ORDER BY article_id")
    assert [[match["article_id"] for match in row["matches"]] for row in rows] == [
        ["kjd-c2068163"],
        ["daum-20240613230000000"],
    ]


def test_files_hold_plain_strings_and_compaction_says_no_data_changed(folder: Settings) -> None:
    from pyarrow import parquet
    from pyarrow import table as table_of

    archive = open_to_write(folder)
    for n in range(5):
        take_in(archive, capture(page(prose(n)), "2024-06-14T00:00:00", kjd(n)))
        publish(archive, folder)
    take_in(archive, capture(page([*prose(1)[:-1], "Another end."]), "2024-06-15T00:00:00", kjd(1)))
    publish(archive, folder)
    where = location(folder, "articles")
    table = open_table(where)
    assert table
    before, changes = (
        table.to_pyarrow_table().sort_by("article_id"),
        table_of(table.load_cdf(starting_version=0)).num_rows,
    )
    assert compact_tables(archive.store, folder, hours=168)["files_joined"] > 6
    table = open_table(where)
    assert table
    assert len(table.file_uris()) == 1
    assert table.to_pyarrow_table().sort_by("article_id").equals(before)
    assert table_of(table.load_cdf(starting_version=0)).num_rows == changes
    assert open_table(where).transaction_version("opeds") == archive.index.seq()  # type: ignore[union-attr]
    files = list(Path(where.uri).parent.rglob("*.parquet"))
    assert {field.type for file in files for field in parquet.read_schema(file) if "view" in str(field.type)} == set()
    assert table.metadata().name == "articles"
    assert all(field.metadata.get("comment") for field in table.schema().fields)
