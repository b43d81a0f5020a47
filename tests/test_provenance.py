"""From a row to its page: each link holds in a sound archive, and the broken one is named in an altered one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.client import open_archive
from pipelines.index.opened import open_to_write
from pipelines.settings import Settings
from tests.conftest import Command
from tests.test_client import fill


@pytest.fixture
def filled(folder: Settings) -> Settings:
    fill(open_to_write(folder), folder)
    return folder


def chain(settings: Settings, name: str) -> dict[str, tuple[str, ...]]:
    with open_archive(settings=settings) as archive:
        return {link.what: link.faults for link in archive.provenance(archive.oped(name))}


def test_every_version_of_everything_comes_from_a_page(filled: Settings) -> None:
    with open_archive(settings=filled) as archive:
        for row in archive.rows("versions"):
            links = archive.provenance(archive.oped(row["cite_as"]))
            assert [link.what for link in links] == ["row", "record", "manifest", "log", "capture"]
            assert not any(link.faults for link in links)
            assert any(row["content16"] in said for said in (*links[0].says, links[1].key))


def changed(body: bytes) -> bytes:
    return body.replace(b"Really", b"Hardly")


ALTERED: dict[str, tuple[str, Callable[[bytes], bytes], set[str]]] = {
    "record": ("articles/kjd/c2068161/*.json", changed, {"record", "manifest"}),
    "capture": (
        "captures/kjd/c2068161/20240616*.warc.gz",
        lambda body: body[:-1] + bytes([body[-1] ^ 1]),
        {"manifest"},
    ),
    "manifest": ("runs/0000000002.json", lambda body: body.replace(b"2024-06-13", b"2024-06-12"), {"log"}),
}


@pytest.mark.parametrize("what", ALTERED)
def test_the_broken_link_is_named(what: str, filled: Settings) -> None:
    pattern, alter, broken = ALTERED[what]
    with open_archive(settings=filled) as archive:
        archive.oped("2068161")
    for path in Path(filled.archive.removeprefix("file://")).glob(pattern):
        path.write_bytes(alter(path.read_bytes()))
    found = {name for name, faults in chain(filled, "2068161").items() if faults}
    assert broken <= found


GONE = {"captures/kjd/c2068161/*": "not in the archive", "articles/kjd/c2068161/*": "no record"}


@pytest.mark.parametrize(("pattern", "said"), GONE.items())
def test_what_is_gone_is_told(pattern: str, said: str, filled: Settings) -> None:
    with open_archive(settings=filled) as archive:
        archive.oped("2068161")
    for path in Path(filled.archive.removeprefix("file://")).glob(pattern):
        path.unlink()
    assert any(said in fault for faults in chain(filled, "2068161").values() for fault in faults)


def test_the_command_draws_the_chain(filled: Settings, opeds: Command) -> None:
    ran = opeds("show", "2068161", "--provenance", settings=filled, COLUMNS="80")
    assert ran.code == 0, ran.err
    assert ran.out.count("✓") == 5
    assert "each link holds" in ran.out
    lines = [
        json.loads(line)
        for line in opeds("show", "2068161", "--provenance", "--json", settings=filled).out.splitlines()
    ]
    assert [line["what"] for line in lines] == ["row", "record", "manifest", "log", "capture"]
    for path in Path(filled.archive.removeprefix("file://")).glob("captures/kjd/c2068161/*"):
        path.unlink()
    ran = opeds("show", "2068161", "--provenance", settings=filled)
    assert ran.code == 1
    assert "do not hold" in ran.out
