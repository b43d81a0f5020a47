"""docs/adding-a-source.md, followed from beginning to end."""

import json
import re
import shlex
from pathlib import Path

import pytest

from pipelines.errors import BadSourceFile
from pipelines.sources import read_source
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


LIST = """[[route]]
name = "x"
kind = "list"
url = "https://x.example"
item = "li["
link = "a"
date = "i"
[[address]]"""
TWINS = """[[route]]
name = "x"
kind = "feed"
url = "https://x.example"
[[route]]
name = "x"
kind = "feed"
url = "https://y.example"
[[address]]"""
MISTAKES = [
    (("[[address]]", TWINS), "name = 'x': another route is called so"),
    (('body = ["#story"]', 'body = ["#story["]'), "body = ['#story[']: must be a CSS selector"),
    (("(?P<id>", "(?P<nr>"), "needs a group (?P<id>…)"),
    (('name = "hanbit"\n', ""), "name is missing"),
    (('name = "hanbit"\n', "name = 5\n"), "line 1: name = 5: must be a text in quotes"),
    (('name = "hanbit"\n', 'name = "Hanbit 2"\n'), "must be lower-case letters only"),
    (('timezone = "Asia/Seoul"', 'timezone = "Asia/Soul"'), "No time zone found"),
    (("furniture = ['Tap", "furniture = ['(Tap"), "unterminated subpattern"),
    (('valid_from = "2024-01-01"', 'valid_from = "2024"'), "valid_from = '2024': must be a day"),
    (('valid_from = "2024-01-01"', "valid_from = 2024-01-01"), "must be a text in quotes"),
    (('headline = ["h1.title"]', 'headlines = ["h1.title"]'), "headlines is unknown; there are: "),
    (('headline = ["h1.title"]', 'headline = "h1.title"'), "headline = 'h1.title': must be a list"),
    (('headline = ["h1.title"]', "headline = [1]"), "headline = [1]: must be a text in quotes"),
    (("[[profile]]", "[[profiles]]"), "unknown: profiles; there are the tables address, route, archived, profile"),
    (("[[profile]]", "[profile]"), "profile must be written as [[profile]]"),
    (("delay = 5.0", "delay = true"), "delay = True: must be a number"),
    (("delay = 5.0", "delay = -1"), "delay = -1: must be a number, 0 to 3600"),
    (("[[address]]", 'own = "yes"\n[[address]]'), "own = 'yes': must be true or false"),
    (("[[address]]", "opinion = '('\n[[address]]"), "opinion = '(': must be a regular expression"),
    (("[[address]]", '[[route]]\nname = "x"\nkind = "rss"\nurl = "https://x.example"\n[[address]]'), "must be one of"),
    (("[[address]]", '[[route]]\nname = "x"\nkind = "feed"\nurl = "ftp://x"\n[[address]]'), "must be a web address"),
    (
        (
            "[[address]]",
            LIST,
        ),
        "[[route]] item = 'li[': must be a CSS selector",
    ),
    (("[[address]]", "x = [" * 5000), "cannot be read"),
    (("[[address]]", "x = \n[[address]]"), "cannot be read: Invalid value (at line"),
]


@pytest.mark.parametrize(("change", "sentence"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_in_a_source_file_is_told_with_file_line_key_and_value(
    change: tuple[str, str], sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / "hanbit.toml"
    text = block("hanbit.toml").replace(*change)
    file.write_text(text)
    with pytest.raises(BadSourceFile) as told:
        read_source(file)
    said = str(told.value)
    assert said.startswith(str(file))
    assert sentence in said
    assert len(said.splitlines()) == 1
    line = re.search(r", line (\d+): (?:\[\[\w+\]\] )?(?:unknown: )?(\w+)", said)
    assert line is None or line[2] in text.splitlines()[int(line[1]) - 1] or "is missing" in said


def test_the_command_line_tells_it_in_one_sentence(opeds: Command, newsstand: World, tmp_path: Path) -> None:
    file = tmp_path / "hanbit.toml"
    file.write_text(block("hanbit.toml").replace("[[profile]]", "[[profiles]]"))
    for arguments in (
        ("extract", "-", "--url", "https://x.example"),
        ("run", "--day", "2026-06-01"),
        ("doctor", "kjd"),
    ):
        told = opeds(*arguments, settings=None, OPEDS_SOURCES=str(tmp_path), OPEDS_HOME=str(tmp_path / "home"))
        assert (told.code, len(told.err.strip().splitlines())) == (2, 1), told.err
        assert f"opeds: {file}, line " in told.err
