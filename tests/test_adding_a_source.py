"""docs/adding-a-source.md, followed from beginning to end."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, World

GUIDE = (ROOT / "docs" / "adding-a-source.md").read_text()


def block(name: str) -> str:
    found = re.search(rf"```\w+ {re.escape(name)}\n(.*?)```", GUIDE, re.DOTALL)
    assert found, name
    return found[1]


def test_the_guide_leads_to_a_page_that_is_read_right(opeds: Command, newsstand: World, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "hanbit.toml").write_text(block("hanbit.toml"))
    (tmp_path / "page.html").write_text(block("page.html"))
    (line,) = re.findall(r"^opeds (extract .*)$", GUIDE, re.MULTILINE)
    arguments = [str(tmp_path / "page.html") if a == "page.html" else a for a in shlex.split(line)]
    told = opeds(*arguments, settings=None, OPEDS_SOURCES=str(sources))
    assert "hanbit-1: #story: hit" in told.out
    assert "drop .promo" in told.out
    assert "Tap to enlarge the letters." in told.out
    expected = json.loads(block("expected.json"))
    plain = [argument for argument in arguments if argument != "--explain"]
    record = json.loads(opeds(*plain, settings=None, OPEDS_SOURCES=str(sources)).out)
    assert {name: record[name] for name in expected["article"] if name != "profile"} == {
        name: value for name, value in expected["article"].items() if name != "profile"
    }
    assert record["extractor"] == "opeds/hanbit-1"
    assert not [text for text in expected["absent"] if text in record["text"]]


def test_every_key_of_a_profile_is_explained() -> None:
    from pipelines.sources import Profile

    assert not [name for name in Profile.__dataclass_fields__ if name != "name" and f"`{name}`" not in GUIDE]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('body = ["#story"]', 'body = ["#story["]'), "Expected"),
        (("(?P<id>", "(?P<nr>"), "needs a group (?P<id>…)"),
        (('name = "hanbit"\n', ""), "name is missing"),
        (('timezone = "Asia/Seoul"', 'timezone = "Asia/Soul"'), "No time zone found"),
        (("furniture = ['Tap", "furniture = ['(Tap"), "unterminated subpattern"),
        (('valid_from = "2024-01-01"', 'valid_from = "2024"'), "Invalid isoformat"),
        (('headline = ["h1.title"]', 'headlines = ["h1.title"]'), "headlines"),
    ],
)
def test_a_mistake_in_a_source_file_is_told_with_the_file(
    change: tuple[str, str], sentence: str, opeds: Command, newsstand: World, tmp_path: Path
) -> None:
    file = tmp_path / "hanbit.toml"
    file.write_text(block("hanbit.toml").replace(*change))
    told = opeds("extract", "-", "--url", "https://x.example", settings=None, OPEDS_SOURCES=str(tmp_path))
    assert told.code == 2
    assert str(file) in told.err
    assert sentence in told.err
    assert len(told.err.strip().splitlines()) == 1
