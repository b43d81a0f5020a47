"""What the README tells a person to type works as it stands: `make run`, then every line of "Use", in one shell."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, minutes

README = (ROOT / "README.md").read_text()


def lines_of(section: str) -> list[str]:
    """Return the lines in the code blocks of a section, without their comments."""
    text = re.split(r"(?m)^## ", README.split(f"## {section}\n", 1)[1])[0]
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    return [line.split("  #")[0].rstrip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo as `make run` leaves it, in a folder of its own."""
    home = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "DEMO_HOME": str(home), "COLUMNS": "80"}
    call = [sys.executable, "-m", "newsstand.demo"]
    try:
        ran = subprocess.run(call, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        (home / "said").write_text(ran.stdout)
        yield home
    finally:
        subprocess.run([*call, "down"], env=environment, cwd=ROOT, capture_output=True, check=False)


def typed(lines: list[str], home: Path) -> list[tuple[str, int, str]]:
    """Type lines into one shell; return each with its exit code and what it printed."""
    script = "exec 2>&1\n" + "".join(f'{line}\necho "\x01$?\x02"\n' for line in lines)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPEDS_", "AWS_"))}
    ran = subprocess.run(
        ["bash", "-c", script.replace(".demo/", f"{home}/")],
        env={**environment, "COLUMNS": "80"}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    pieces = re.findall(r"(.*?)\x01(\d+)\x02\n", ran.stdout, re.DOTALL)
    assert len(pieces) == len(lines), ran.stdout
    return [(line, int(code), said) for line, (said, code) in zip(lines, pieces, strict=True)]


@pytest.mark.long
@minutes
def test_every_line_of_use_works_as_it_stands_after_make_run(demo: Path) -> None:
    lines = lines_of("Use")
    assert len(lines) >= 20
    for line, code, said in typed(lines, demo):
        assert code == 0, f"{line}\n{said}"
        assert "Traceback" not in said
        if line.startswith("opeds"):
            assert said.strip(), line
        if line.startswith("opeds list"):
            assert "Gil Na-yeong" in said, "an author that exists"


def test_what_make_run_tells_to_type_works(demo: Path) -> None:
    said = (demo / "said").read_text()
    assert "14" in re.search(r"together +24 +(\d+)", said)[1]  # type: ignore[index]
    lines = re.findall(r"(?m)^   (\S.*?) +# ", said.rpartition("these work:")[2])
    assert lines[0].endswith("activate")
    assert "opeds browse" in lines
    until = "timeout -s INT 8 opeds browse --no-browser; test $? = 124"  # it goes on until Ctrl-C
    lines = [until if line == "opeds browse" else line for line in lines if line != "make down"]
    for line, code, told in typed(lines, demo):
        assert code == 0, f"{line}\n{told}"
        assert line != until or "http://127.0.0.1:" in told
