"""What a person sees: at any width, and whatever a page may hold."""

import json
import re

import pytest

from pipelines.catalogue.publish import publish
from pipelines.cli.progress import plain, print_json, shown
from pipelines.index.opened import open_to_write
from pipelines.settings import Settings
from tests.conftest import C_URL, DAUM_URL, Command, World, capture, page, prose, take_in

HEADLINE = "A headline of some length about the harbor-master and the twenty-four-hour ferry to Mokpo"
HOSTILE = "Evil \x1b]0;owned\x07\x9b31m\u202egnp.exe [bold]x[/] :x:"


@pytest.fixture
def filled(folder: Settings) -> Settings:
    archive = open_to_write(folder)
    text = prose(1)
    take_in(archive, capture(page(text, HEADLINE, "Seo Ha-neul"), "2024-06-13T12:00:00"))
    take_in(archive, capture(page([*text, *prose(2, 1)], HEADLINE, "Seo Ha-neul"), "2024-06-14T12:00:00"))
    body = page(text, HEADLINE).replace(b"id='article_body'", b"class='article_view'")
    take_in(archive, capture(body, "2024-06-14T12:00:00", DAUM_URL))
    publish(archive, folder)
    return folder


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_list_cuts_no_id_and_no_headline_at_any_width(
    columns: int, opeds: Command, newsstand: World, filled: Settings
) -> None:
    out = opeds("list", settings=filled, COLUMNS=str(columns)).out
    assert all(len(line) <= columns for line in out.splitlines())
    assert "kjd-c2068163" in out
    assert "…" not in out
    words = " ".join(out.split())
    if columns < 110:
        assert HEADLINE in words
        assert re.search(r"2 places +2 versions", out)
    else:
        assert all(word in words for word in HEADLINE.split())


def test_text_is_wrapped_without_breaking_words_at_hyphens(opeds: Command, newsstand: World, folder: Settings) -> None:
    archive = open_to_write(folder)
    text = ["The twenty-four-hour harbor-master " * 20 + "sleeps.", *prose(1)]
    take_in(archive, capture(page(text), "2024-06-13T12:00:00"))
    publish(archive, folder)
    out = opeds("show", "kjd-c2068163", settings=folder, COLUMNS="60").out
    assert not [line for line in out.splitlines() if line.endswith("-")]


@pytest.mark.parametrize("asked", ["kjd-c2068163", "2068163", C_URL, f"{C_URL}?utm_source=x", "http://" + C_URL[8:]])
def test_an_op_ed_is_shown_by_id_number_or_address(
    asked: str, opeds: Command, newsstand: World, filled: Settings
) -> None:
    ran = opeds("show", asked, "--json", settings=filled)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["article_id"] == "kjd-c2068163"


def test_what_nobody_knows_is_told(opeds: Command, newsstand: World, filled: Settings) -> None:
    for asked, sentence in (
        ("https://example.org/1", "no source knows the address"),
        ("https://koreajoongangdaily.joins.com/news/2024-06-13/opinion/x/A/2068999", "is not in the archive"),
        ("12", "is not in the archive"),
    ):
        assert sentence in opeds("show", asked, settings=filled).err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--kind", "foo"), "unknown kind 'foo'; there are: editorial, column"),
        (("--source", "nyt"), "unknown source 'nyt'"),
        (("--since", "2026-06-02", "--until", "2026-06-01"), "lies before --since"),
    ],
)
def test_a_filter_that_fits_nothing_known_is_wrong_usage(
    arguments: tuple[str, ...], sentence: str, opeds: Command, newsstand: World, filled: Settings
) -> None:
    ran = opeds("list", *arguments, settings=filled)
    assert (ran.code, sentence in ran.err) == (2, True)


def test_json_is_never_nothing(opeds: Command, newsstand: World, filled: Settings) -> None:
    commands = [
        ("list",), ("list", "--author", "nobody"), ("show", "2068163"), ("show", "2068163", "--diff"), ("status",),
        ("verify",), ("rederive",), ("retry",), ("upkeep",), ("upkeep", "--dry-run"), ("index", "init"),
        ("index", "rebuild"), ("ingest", "--crawls"), ("run", "--day", "2026-06-03"),
        ("run", "--day", "2026-06-03"), ("run", "--revisit"),
    ]  # fmt: skip
    for arguments in commands:
        ran = opeds(*arguments, "--json", settings=filled)
        assert ran.code == 0, (arguments, ran.err)
        lines = [json.loads(line) for line in ran.out.splitlines()]
        assert lines, arguments
        assert all(isinstance(line, dict) for line in lines)
        if arguments[0] in {"run", "ingest", "upkeep"}:
            assert "outcomes" in lines[-1]["done"]
            assert arguments[-1] == "--dry-run" or lines[-1]["done"]["log"]


def test_no_text_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain(HOSTILE) == "Evil ]0;owned31mgnp.exe [bold]x[/] :x:"
    assert shown("[red]x[/]") == "\\[red]x\\[/]" or "\\[red]" in shown("[red]x[/]")
    print_json([{"said": HOSTILE}])
    out = capsys.readouterr().out
    assert all(sign.isprintable() or sign == "\n" for sign in out)
    assert json.loads(out) == {"said": HOSTILE}
