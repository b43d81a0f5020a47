"""The project as it is handed over: wheel, documentation, lock files."""

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import ROOT, SHARED


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_pipelines_and_spiders_only(wheel: Path) -> None:
    roots = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"pipelines", "spiders"}
    assert "pipelines/sources/kjd.toml" in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_works_in_an_empty_environment_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies come from this environment's, by path; development packages are hidden by name."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    locked = ROOT / "requirements.lock"
    names = set(re.findall(r"^([a-z0-9._-]+)==", locked.read_text(), re.MULTILINE))
    assert not names & {"pytest", "hypothesis", "mypy", "ruff"}, "what runs needs no development package"
    have = Path(next(p for p in sys.path if p.endswith("site-packages")))
    for item in have.iterdir():
        development = re.match(r"(_?pytest|hypothesis|mypy|ruff|xdist|_editable|joongang|__editable)", item.name)
        if not development and not (site / item.name).exists() and item.suffix != ".pth":
            (site / item.name).symlink_to(item)
    told = subprocess.run(
        [tmp_path / "venv/bin/opeds", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "kept for good" in " ".join(told.stdout.split())
    where = "import pipelines, spiders; print(pipelines.__file__)"
    assert (
        str(tmp_path)
        in subprocess.run([python, "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    )
    spiders = subprocess.run(
        [python, "-m", "scrapy", "list"],
        cwd=tmp_path,
        env={"SCRAPY_SETTINGS_MODULE": "spiders.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert spiders.stdout.split() == ["archived", "daum", "kjd", "naver", "yna"]


def test_every_command_stands_in_the_readme_and_explains_itself() -> None:
    from pipelines.cli.main import app, store_app

    readme = (ROOT / "README.md").read_text()
    for command in app.registered_commands:
        name = (command.name or command.callback.__name__).rstrip("_")  # type: ignore[union-attr]
        assert f"opeds {name}" in readme, name
        assert "Usage" in CliRunner().invoke(app, [name, "--help"]).stdout
    assert all(
        command.callback and command.callback.__name__[6:] in readme for command in store_app.registered_commands
    )


def test_every_setting_stands_in_the_readme() -> None:
    readme, settings = (ROOT / "README.md").read_text(), (ROOT / "pipelines" / "settings.py").read_text()
    assert all(name in readme for name in re.findall(r'"(OPEDS_\w+)"', settings))


def test_documents_name_only_files_that_exist() -> None:
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "pipelines").rglob("*.toml")]
    for text in texts:
        for path in re.findall(
            r"\b((?:docs|tests|pipelines|spiders|infra)/[\w./-]+\.(?:py|md|toml))", text.read_text()
        ):
            assert (ROOT / path).exists(), f"{text.name} names {path}"


def test_no_line_of_the_documents_is_wider_than_a_page() -> None:
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    lines = [(text.name, line) for text in texts for line in text.read_text().splitlines()]
    assert [(name, line) for name, line in lines if len(line) > 120 and not line.startswith("|")] == []
    assert [(name, line) for name, line in lines if len(line) > 120 and name not in {"ARCHITECTURE.md"}] == []


def test_locks_hold_hashes_and_no_addresses() -> None:
    for lock in ROOT.glob("*.lock"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_nothing_shipped_depends_on_the_shared_folder() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    code = [name for name in tracked if name.startswith(("pipelines/", "spiders/", "infra/", "docs/examples/"))]
    assert not [name for name in code if "shared/" in (ROOT / name).read_text()]
