"""The arrows of ARCHITECTURE.md, read from the syntax tree."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

NEVER = {
    "pipelines": {"spiders", "dags", "infra", "tests", "scrapy", "twisted", "airflow"},
    "spiders": {"dags", "infra", "tests", "airflow", "boto3", "botocore", "trafilatura", "deltalake", "sqlalchemy"},
    "dags": {"spiders", "scrapy", "boto3", "trafilatura", "tests"},
    "infra": {"spiders", "tests", "scrapy"},
    "newsstand": {"pipelines"},
}
LATER = {
    "pipelines": {"boto3", "botocore", "trafilatura", "deltalake", "pyarrow", "apprise"}
}  # inside functions: they are slow
ONLY = {  # one module knows each
    "boto3": {"s3.py"},
    "trafilatura": {"readings.py"},
    "warcio": {"warc.py"},
    "sqlalchemy": {"tables.py", "apply.py", "index.py"},
    "deltalake": {"catalogue.py"},
    "rich": {"cli_show.py"},
    "typer": {"cli.py"},
    "apprise": {"notify.py"},
}


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(nodes: Iterator[ast.AST] | list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("folder", NEVER)
def test_imports_run_one_way(folder: str) -> None:
    wrong = {
        f.name: bad for f in files(folder) if (bad := imported(ast.walk(ast.parse(f.read_text()))) & NEVER[folder])
    }
    assert not wrong


def test_heavy_libraries_wait_inside_functions() -> None:
    wrong = {
        f.name: bad for f in files("pipelines") if (bad := imported(ast.parse(f.read_text()).body) & LATER["pipelines"])
    }
    assert not wrong


@pytest.mark.parametrize("library", ONLY)
def test_one_module_knows_each_library(library: str) -> None:
    knowing = {f.name for f in files("pipelines") if library in imported(ast.walk(ast.parse(f.read_text())))}
    assert knowing == ONLY[library]


def test_one_module_reads_the_environment() -> None:
    asking = {
        f.name
        for folder in ("pipelines", "spiders")
        for f in files(folder)
        if "environ" in f.read_text() and "os.environ" in f.read_text()
    }
    assert asking == {"settings.py"}


def test_a_bad_import_would_be_seen() -> None:
    assert imported(ast.walk(ast.parse("def f():\n    import airflow.sdk"))) & NEVER["pipelines"]


def test_help_is_quick_because_nothing_heavy_is_loaded() -> None:
    code = "import sys; sys.argv = ['opeds', '--help']\nimport pipelines.cli.main\n"
    code += "try:\n pipelines.cli.main.main()\nexcept SystemExit: pass\n"
    code += "print(sorted({'boto3', 'trafilatura', 'sqlalchemy', 'pyarrow', 'scrapy', 'lxml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip().endswith("[]")
