"""The DAG files: what they are, and that they only wire. What their tasks do: test_tasks.py, test_airflow.py."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from newsstand.local_airflow import POOLS
from pipelines.sources import load_sources
from tests.conftest import ROOT, Command

DAGS = sorted(path.stem for path in (ROOT / "dags").glob("*.py"))
CRAWLS = {"crawl_kjd": "site_kjd", "crawl_daum": "site_daum"}
LOOKS = {"revisit_kjd": "site_kjd", "revisit_daum": "site_daum"}
WIRING = {"crawl", "revisit", "crawl_and_ingest", "ask_for_months"}  # longer than a task may be
ASKS = {f"ask_{name}": f"archive_{name}" for name in ("commoncrawl", "wayback")}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the DAGs are, read by Airflow in a process of its own."""
    return facts_of(tmp_path_factory.mktemp("airflow"))


def facts_of(home: Path, **more: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error",
        **more,
    }
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "dag_facts.py", ROOT / "dags"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=home,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_every_file_is_a_dag_of_its_name(facts: dict[str, Any]) -> None:
    assert facts["errors"] == {}
    assert sorted(facts["dags"]) == DAGS
    assert all(told["file"] == f"{name}.py" for name, told in facts["dags"].items())


@pytest.mark.parametrize("name", DAGS)
def test_a_dag_says_who_minds_it_and_when_it_gives_up(name: str, facts: dict[str, Any]) -> None:
    told = facts["dags"][name]
    assert "opeds" in told["tags"]
    assert told["catchup"] is False
    assert told["timeout"]
    assert told["max_active_runs"]
    assert told["same"], "read twice, it is the same: or every parse would make a new version"
    for task_id, task in told["tasks"].items():
        if task_id == "done":
            continue  # does nothing
        assert (task["owner"], task["retries"] > 0) == ("opeds", True), task_id
        assert task["timeout"], task_id


@pytest.mark.parametrize("name", DAGS)
def test_a_dags_manual_names_each_of_its_tasks(name: str, facts: dict[str, Any]) -> None:
    told = facts["dags"][name]
    assert len(told["doc"].splitlines()[0]) < 120
    assert "if it fails" in told["doc"]
    general = {
        task: re.sub(r"_(wayback|commoncrawl)$", "_<archive>", re.sub(r"_(kjd|daum)$", "_<site>", task))
        for task in told["tasks"]
    }
    missing = [task for task, said in general.items() if f"`{said}`" not in told["doc"]]
    assert not missing


def test_arrows_are_as_drawn(facts: dict[str, Any]) -> None:
    arrows = {task: told["upstream"] for task, told in facts["dags"]["opeds_daily"]["tasks"].items()}
    assert arrows == {
        "discover": [],
        "crawl_kjd": ["discover"],
        "crawl_daum": ["discover"],
        **{f"shares_{site}": [f"crawl_{site}", "discover"] for site in ("daum", "kjd")},
        **{f"ingest_{site}": [f"shares_{site}"] for site in ("daum", "kjd")},
        "close": ["discover", "ingest_daum", "ingest_kjd"],
        "publish": ["close", "discover"],
        "report": ["close", "discover", "publish"],
    }
    revisit = facts["dags"]["opeds_revisit"]["tasks"]
    assert revisit["done"]["upstream"] == ["publish", "revisit_daum", "revisit_kjd"]


def test_a_site_is_asked_by_one_crawl_at_a_time_whoever_asks(facts: dict[str, Any]) -> None:
    pools = {
        task: told["pool"]
        for dag in facts["dags"].values()
        for task, told in dag["tasks"].items()
        if told["pool"] != "default_pool"
    }
    assert pools == {**CRAWLS, **LOOKS, **ASKS, "publish": "catalogue", "compact": "catalogue"}
    assert {*pools.values()} == {*json.loads(POOLS.read_text())}
    sites = {source.name for source in load_sources().values() if source.is_crawled}
    assert {pool.removeprefix("site_") for pool in (*CRAWLS.values(), *LOOKS.values())} == sites, "a task for each site"


def test_a_source_file_alone_makes_its_tasks_and_one_that_is_switched_off_has_none(tmp_path: Path) -> None:
    sources = ROOT / "pipelines" / "sources"
    text = (sources / "daum.toml").read_text()
    (tmp_path / "off.toml").write_text(text.replace('name = "daum"', 'name = "daum"\nenabled = false', 1))
    (tmp_path / "hanbit.toml").write_text(text.replace('name = "daum"', 'name = "hanbit"', 1))
    (tmp_path / "broken.toml").write_text("name = ")
    tasks = facts_of(tmp_path, OPEDS_SOURCES=str(tmp_path))["dags"]["opeds_daily"]["tasks"]
    assert {task for task in tasks if task.startswith("crawl_")} == {"crawl_hanbit", "crawl_kjd"}
    assert tasks["crawl_hanbit"]["pool"] == "site_hanbit"


def test_the_pools_of_the_image_are_those_of_the_shipped_sources(opeds: Command) -> None:
    assert json.loads(opeds("airflow", "pools", settings=None, OPEDS_SOURCES="").out) == json.loads(POOLS.read_text())


def test_only_crawls_go_where_the_crawlers_key_is(facts: dict[str, Any]) -> None:
    queues = {t: told["queue"] for dag in facts["dags"].values() for t, told in dag["tasks"].items()}
    assert {task for task, queue in queues.items() if queue == "crawl"} == {*CRAWLS, *LOOKS, *ASKS}


def test_what_refused_us_is_not_asked_again(facts: dict[str, Any]) -> None:
    for dag, tasks in (("opeds_daily", CRAWLS), ("opeds_revisit", LOOKS)):
        for task in tasks:
            assert "SiteRefused" in facts["dags"][dag]["tasks"][task]["stops_at"]
    assert facts["dags"]["opeds_audit"]["tasks"]["fixity"]["stops_at"] == [
        "FixityFailed",
        "WrongArchive",
        "WrongUsage",
    ]


def test_partial_days_go_on_and_are_told(facts: dict[str, Any]) -> None:
    tasks = facts["dags"]["opeds_daily"]["tasks"]
    assert {name for name, told in tasks.items() if told["trigger_rule"] == "all_done"} == {
        "shares_daum",
        "shares_kjd",
        "close",
    }
    assert facts["dags"]["opeds_daily"]["outlets"] == ["opeds://archive/"]
    assert not [name for name, told in facts["dags"].items() if told["deadline"]], "Airflow 3.3.2 clears no run then"


@pytest.mark.parametrize("name", DAGS)
def test_at_the_top_a_dag_file_imports_airflow_and_the_standard_library_alone(name: str) -> None:
    tree = ast.parse((ROOT / "dags" / f"{name}.py").read_text())
    tops = {node.module.partition(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom) and node.module}
    tops |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert tops <= {"airflow", "contextlib", "datetime", "importlib", "os", "pathlib", "tomllib"}


@pytest.mark.parametrize("name", DAGS)
def test_a_dag_file_only_wires(name: str) -> None:
    """A task is a few lines that call one function of `pipelines`; the consumers' example stands for other code."""
    tree = ast.parse((ROOT / "dags" / f"{name}.py").read_text())
    tasks = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name != name]
    long = {task.name for task in tasks if len(ast.unparse(task).splitlines()) > 12}
    assert long <= ({"read"} if name == "opeds_consumer_example" else WIRING)


def test_the_manual_has_the_command_of_a_backfill() -> None:
    manual = Path(ROOT / "docs" / "operating.md").read_text()
    assert re.search(r"airflow backfill create --dag-id opeds_daily .*--dry-run", manual)
    for name in DAGS:
        assert f"`{name}`" in manual
