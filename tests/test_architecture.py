"""The arrows of ARCHITECTURE.md, and one word for one thing: read from the syntax tree."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

NEVER = {
    "pipelines": {"spiders", "dags", "newsstand", "infra", "tests", "scrapy", "twisted", "airflow"},
    "spiders": {
        "dags", "newsstand", "infra", "tests", "airflow", "boto3", "botocore", "trafilatura", "deltalake", "sqlalchemy",
    },
    "dags": {"spiders", "newsstand", "scrapy", "boto3", "trafilatura", "tests"},
    "infra": {"spiders", "newsstand", "tests", "scrapy"},
    "newsstand": {"spiders", "tests", "scrapy"},
}  # fmt: skip
REPLICA = {
    "pages.py",
    "past.py",
    "public_archives.py",
    "server.py",
    "site.py",
    "world.py",
    "__main__.py",
}  # of newsstand: what imports nothing of ours
FLOORS = (  # of pipelines/: a folder or module imports from its own or what stands above it, never from a neighbour
    {"errors", "clock", "worker"},
    {"model", "settings"},
    {"versions", "sources", "copies"},
    {"extraction", "archive"},
    {"past"},
    {"index"},
    {"ingestion", "catalogue"},
    {"exports", "audit"},
    {"client"},
    {"jobs"},
    {"browse"},
    {"cli"},
)
SPIDERS_MAY = {"errors", "clock", "model", "settings", "sources", "extraction", "archive", "past"}
LATER = {"boto3", "botocore", "trafilatura", "deltalake", "pyarrow", "apprise"}  # slow: inside functions only
ONLY = {  # one module knows each
    "boto3": {"archive/s3.py"},
    "trafilatura": {"extraction/trafilatura_reader.py"},
    "warcio": {"archive/warc.py"},
    "cryptography": {"archive/signing.py"},
    "sqlalchemy": {
        "index/contents.py",
        "index/index.py",
        "index/sqlite.py",
        "index/tables.py",
        "index/update.py",
        "index/withdrawal.py",
    },
    "deltalake": {"catalogue/delta.py"},
    "rich": {"cli/progress.py", "cli/show.py", "cli/show_jobs.py", "cli/show_past.py", "cli/show_reading.py"},
    "typer": {"cli/main.py"},
    "apprise": {"jobs/notify.py"},
    "starlette": {"browse/server.py", "browse/datasette_tables.py"},
    "uvicorn": {"browse/server.py"},
    "datasette": {"browse/datasette_tables.py"},
    "jinja2": {"browse/draw.py", "browse/datasette_tables.py"},
    "markupsafe": {"browse/draw.py"},
    "sqlite3": {"index/sqlite.py", "client.py", "browse/datasette_tables.py"}
    | {f"exports/{name}.py" for name in ("export", "files", "search", "sqlite_file")},
}
TWICE = {
    "SEOUL": "the newsstand shares no code with what it tests",
    "main": "what a program is entered by",
}
PURE = {
    "clock", "model", "versions", "addresses", "selectors", "fingerprint", "compare", "groups", "extract", "page",
    "decoding", "blocks", "boilerplate", "phrases", "fields", "dates", "generic", "quality", "proposal",
    "trafilatura_reader", "keys", "coding", "record", "warc", "manifests", "crawl_summary", "rows", "schema",
    "drift", "cite", "authors", "load", "read", "decide", "match", "revisit", "diff_page",
    "alignment", "plots", "calendar", "words",
}  # fmt: skip


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def trees(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for file in files(folder):
            yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text())


def modules(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the dotted names of what is imported."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots(nodes: Iterable[ast.AST]) -> set[str]:
    return {name.partition(".")[0] for name in modules(nodes)}


def against_the_order(path: str, tree: ast.Module) -> set[str]:
    """Return the imports of a module of pipelines/ that go against the order of the floors."""
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    own = path.removesuffix(".py").split("/")[1]
    if own == "__init__":
        return set()
    parts = [name.split(".") for name in modules(ast.walk(tree)) if name.startswith("pipelines.")]
    return {".".join(p) for p in parts if p[1] != own and floor[p[1]] >= floor[own]}


def renamed(tree: ast.Module) -> set[str]:
    """Return the imports of our own that get another name by `as`."""
    ours = {"pipelines", "spiders", "newsstand", "infra"}
    return {
        f"{node.module}.{alias.name} as {alias.asname}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ours
        for alias in node.names
        if alias.asname
    }


def defined(tree: ast.Module) -> set[str]:
    """Return the public names that a module defines."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def defined_twice(named_trees: Iterable[tuple[str, ast.Module]]) -> dict[str, set[str]]:
    where: dict[str, set[str]] = {}
    for path, tree in named_trees:
        for name in defined(tree):
            where.setdefault(name, set()).add(path)
    return {name: paths for name, paths in where.items() if len(paths) > 1 and name not in TWICE}


@pytest.mark.parametrize("folder", NEVER)
def test_imports_run_one_way(folder: str) -> None:
    wrong = {path: bad for path, tree in trees(folder) if (bad := roots(ast.walk(tree)) & NEVER[folder])}
    assert wrong == ({"pipelines/jobs/connection.py": {"airflow"}} if folder == "pipelines" else {})


def test_a_folder_imports_only_what_stands_above_it() -> None:
    wrong = {path: bad for path, tree in trees("pipelines") if (bad := against_the_order(path, tree))}
    assert not wrong


def test_spiders_know_how_to_fetch_and_to_store_and_nothing_behind_it() -> None:
    named = {
        path: {name.split(".")[1] for name in modules(ast.walk(tree)) if name.startswith("pipelines.")} - SPIDERS_MAY
        for path, tree in trees("spiders")
    }
    assert not {path: bad for path, bad in named.items() if bad}


def test_the_replica_of_the_sites_shares_no_code_with_what_it_tests() -> None:
    asked = {path: roots(ast.walk(tree)) & {"pipelines"} for path, tree in trees("newsstand")}
    assert not {path for path, bad in asked.items() if bad and Path(path).name in REPLICA}


def test_no_import_of_ours_is_renamed() -> None:
    wrong = {path: bad for path, tree in trees("pipelines", "spiders", "newsstand", "infra") if (bad := renamed(tree))}
    assert not wrong


def test_no_public_name_is_defined_twice() -> None:
    assert defined_twice(trees("pipelines", "spiders", "newsstand", "infra")) == {}


def test_heavy_libraries_wait_inside_functions() -> None:
    assert not {path: bad for path, tree in trees("pipelines") if (bad := roots(tree.body) & LATER)}


@pytest.mark.parametrize("library", ONLY)
def test_one_module_knows_each_library(library: str) -> None:
    knowing = {path.removeprefix("pipelines/") for path, tree in trees("pipelines") if library in roots(ast.walk(tree))}
    assert knowing == ONLY[library]


def test_one_module_reads_the_environment() -> None:
    asking = {
        str(f.relative_to(ROOT)) for x in ("pipelines", "spiders") for f in files(x) if "os.environ" in f.read_text()
    }
    assert asking == {"pipelines/settings.py"}


def test_every_module_stands_in_the_architecture() -> None:
    told = (ROOT / "ARCHITECTURE.md").read_text()
    for path, _ in trees("pipelines", "spiders"):
        name = Path(path).stem
        assert name == "__init__" or f"`{name}`" in told, f"{path} is not named in ARCHITECTURE.md"


def test_each_pure_module_has_a_test_module_of_its_name() -> None:
    names = {Path(path).stem for path, _ in trees("pipelines")}
    assert names >= PURE, "a module that is no more"
    assert not {name for name in PURE if not (ROOT / "tests" / f"test_{name}.py").exists()}


def test_a_fault_of_each_kind_would_be_seen() -> None:
    assert roots(ast.walk(ast.parse("def f():\n    import airflow.sdk"))) & NEVER["pipelines"]
    upward = ast.parse("from pipelines.jobs.run import run_days")
    assert against_the_order("pipelines/index/index.py", upward) == {"pipelines.jobs.run.run_days"}
    neighbour = ast.parse("def f():\n    from pipelines.archive import store")
    assert against_the_order("pipelines/extraction/page.py", neighbour)
    assert renamed(ast.parse("from pipelines.model import Capture as C"))
    twice = [("a.py", ast.parse("def same(): ...")), ("b.py", ast.parse("same = 1"))]
    assert defined_twice(twice) == {"same": {"a.py", "b.py"}}


def test_help_is_quick_because_nothing_heavy_is_loaded() -> None:
    code = "import sys; sys.argv = ['opeds', '--help']\nfrom pipelines.cli.main import main\n"
    code += "try:\n main()\nexcept SystemExit: pass\n"
    code += "print(sorted({'boto3', 'trafilatura', 'sqlalchemy', 'pyarrow', 'scrapy', 'lxml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip().endswith("[]")
