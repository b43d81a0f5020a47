"""What is shipped for more than one machine, checked by what can be checked without a Docker engine or a cluster."""

import fnmatch
import json
import os
import re
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from infra.bucket import policy, set_up
from newsstand.local_airflow import POOLS
from pipelines.archive import embedded
from pipelines.archive.identity import identify
from pipelines.archive.s3 import client
from pipelines.archive.store import open_store
from pipelines.errors import AlreadyArchived, StoreUnavailable
from pipelines.settings import Settings
from tests.conftest import ROOT

COMPOSE = ROOT / "infra" / "compose"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return loaded


def test_compose_has_every_component_and_publishes_loopback_alone(compose: dict[str, Any]) -> None:
    services = compose["services"]
    commands = {name: " ".join(service.get("command", [])) for name, service in services.items()}
    for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert commands[component].split()[0] == component
    assert "--queues default" in commands["worker"]
    assert "--queues crawl" in commands["crawler"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for service in services.values():
        assert {volume.partition(":")[0] for volume in service.get("volumes", [])} <= {
            *compose["volumes"],
            "./index.sql",
        }


def test_a_crawler_has_a_key_of_its_own(compose: dict[str, Any]) -> None:
    keys = {
        name: s["environment"].get("AWS_ACCESS_KEY_ID", "")
        for name, s in compose["services"].items()
        if "environment" in s
    }
    assert keys["crawler"] != keys["worker"]
    assert "CRAWLER_KEY" in keys["crawler"]


def test_compose_names_no_secret_and_each_that_it_needs_is_made(tmp_path: Path) -> None:
    text = (COMPOSE / "compose.yaml").read_text()
    make = [sys.executable, "-m", "infra.compose.new_secrets", str(tmp_path)]
    assert subprocess.run(make, cwd=ROOT, capture_output=True, check=False).returncode == 0
    made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines() if not line.startswith("#"))
    required = set(re.findall(r"\$\{(\w+_(?:KEY|SECRET|PASSWORD))\b", text))
    assert required <= set(made)
    assert all(len(made[name]) >= 16 for name in required)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    again = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (again.returncode, "remove it" in again.stderr) == (1, True)
    ignored = (ROOT / ".gitignore").read_text()
    assert "infra/compose/.env" in ignored


def test_each_pool_says_what_it_is_and_has_one_slot() -> None:
    told = json.loads(POOLS.read_text())
    assert all(pool["description"] for pool in told.values())
    assert all(pool["slots"] == 1 for pool in told.values())


def test_the_charts_values_name_our_image_and_hold_no_secret() -> None:
    text = (ROOT / "infra" / "helm" / "values.yaml").read_text()
    values = yaml.safe_load(text)
    locked = (ROOT / "requirements-airflow.lock").read_text()
    assert f"apache-airflow=={values['airflowVersion']} " in locked
    assert values["executor"] == "KubernetesExecutor"
    assert not values["postgresql"]["enabled"]
    assert not re.search(r"(?i)(password|secret_access_key|fernet_key):\s*\S", text)


def allowed(name: str, action: str, key: str, created: bool = True) -> bool:
    """Whether a role's policy lets it do something to a key: every statement here allows, none denies."""
    for statement in json.loads(policy(name, "b", ""))["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        actions = statement["Action"]
        only_new = statement.get("Condition") == {"Null": {"s3:if-none-match": "false"}}
        if f"s3:{action}" in actions and any(fnmatch.fnmatch(f"arn:aws:s3:::b/{key}", r) for r in resources):
            return created or not only_new
    return False


@pytest.mark.parametrize(
    ("name", "action", "key", "may"),
    [
        ("crawler", "PutObject", "captures/kjd/c1/x.warc.gz", True),
        ("crawler", "PutObject", "articles/kjd/c1/x.json", False),
        ("crawler", "PutObject", "runs/0000000001.json", False),
        ("crawler", "DeleteObject", "captures/kjd/c1/x.warc.gz", False),
        ("archivist", "PutObject", "runs/0000000001.json", True),
        ("archivist", "PutObject", "catalogue/articles/_delta_log/0.json", True),
        ("archivist", "DeleteObject", "catalogue/articles/x.parquet", True),
        ("archivist", "DeleteObject", "articles/kjd/c1/x.json", False),
        ("archivist", "DeleteObject", "captures/kjd/c1/x.warc.gz", False),
        ("archivist", "PutObject", "withdrawn/kjd/c1.json", False),
        ("archivist", "PutObject", "README.md", True),
        ("remover", "DeleteObject", "captures/kjd/c1/x.warc.gz", True),
        ("remover", "DeleteObjectVersion", "articles/kjd/c1/x.json", True),
        ("reader", "GetObject", "articles/kjd/c1/x.json", True),
        ("reader", "PutObject", "catalogue/x", False),
    ],
)
def test_each_role_may_do_what_it_needs_and_no_more(name: str, action: str, key: str, may: bool) -> None:
    assert allowed(name, action, key) is may


def test_no_role_may_replace_what_is_archived() -> None:
    assert not allowed("crawler", "PutObject", "captures/kjd/c1/x.warc.gz", created=False)
    assert not allowed("archivist", "PutObject", "articles/kjd/c1/x.json", created=False)
    assert allowed("archivist", "PutObject", "catalogue/articles/_delta_log/_last_checkpoint", created=False)


def test_the_crawlers_key_adds_pages_to_the_real_store_and_nothing_else(
    seaweed: Settings, compose: dict[str, Any]
) -> None:
    told = {one["name"]: one["actions"] for one in json.loads(compose["configs"]["s3"]["content"])["identities"]}
    assert told == {
        name: embedded.ROLES[role]
        for name, role in (("archivist", "writer"), ("crawler", "crawler"), ("reader", "reader"))
    }
    crawler = open_store(replace(embedded.reach(seaweed, "crawler"), archive="s3://archive"))
    identify(crawler)
    for key in ("captures/kjd/c1/20260101T000000Z-0123456789abcdef.warc.gz", "crawls/kjd/2026-01-01/r.json"):
        crawler.create(key, b"a page")
        assert crawler.read(key) == b"a page"
        with pytest.raises(AlreadyArchived):
            crawler.create(key, b"another")
    for key in ("articles/kjd/c1/x.json", "runs/0000000001.json", "catalogue/articles/x"):
        with pytest.raises(StoreUnavailable):
            crawler.create(key, b"no")


def test_a_bucket_in_another_region_is_asked_for_there() -> None:
    made: list[dict[str, Any]] = []

    class Aws:
        """Answers as AWS does when a bucket is not there."""

        meta = SimpleNamespace(region_name="ap-northeast-2")

        def head_bucket(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadBucket")

        def create_bucket(self, **asked: Any) -> None:
            made.append(asked)

        def __getattr__(self, name: str) -> Any:
            return lambda **_: None

    assert set_up("opeds", "", Aws(), lambda _: None, tls=True) == 0
    assert made == [{"Bucket": "opeds", "CreateBucketConfiguration": {"LocationConstraint": "ap-northeast-2"}}]


def test_a_bucket_is_set_up_and_may_be_set_up_again(seaweed: Settings) -> None:
    admin = client(embedded.reach(seaweed, "admin"))
    for _ in range(2):
        told: list[str] = []
        set_up("prepared", "", admin, told.append, tls=False)
        assert [line for line in told if line.startswith("set: versioned")]
        assert [line for line in told if line.startswith("set: lifecycle")]
        assert [line for line in told if line.startswith("left out")], "TLS alone cannot be asked of a store without it"
    admin.put_object(Bucket="prepared", Key="catalogue/x", Body=b"one")
    admin.put_object(Bucket="prepared", Key="catalogue/x", Body=b"two")
    versions = admin.list_object_versions(Bucket="prepared", Prefix="catalogue/x")["Versions"]
    assert len(versions) == 2, "what is replaced can be had back"


def test_what_would_be_set_is_shown_first() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "infra.bucket", "s3://opeds/kept"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "would set: private" in shown
    assert "arn:aws:s3:::opeds/kept/captures/*" in shown
    wrong = subprocess.run([sys.executable, "-m", "infra.bucket", "opeds"], cwd=ROOT, capture_output=True, check=False)
    assert wrong.returncode == 2


def test_the_image_takes_what_its_steps_need() -> None:
    steps = (ROOT / "infra" / "image" / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", steps, re.MULTILINE):
        for name in source.split():
            assert list(ROOT.glob(name)), name
    assert "USER 50000" in steps


@pytest.mark.skipif(
    "IMAGE" not in os.environ, reason="installs the whole image from the package index: make test-image"
)
def test_the_images_steps_work_in_an_empty_environment(tmp_path: Path) -> None:
    venv.create(tmp_path / "opeds", with_pip=True)
    python = tmp_path / "opeds" / "bin" / "python"
    subprocess.run(["sh", "infra/image/install.sh", python], cwd=ROOT, check=True)
    for command in (["opeds", "--help"], ["airflow", "version"], ["scrapy", "list"]):
        environment = {
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "SCRAPY_SETTINGS_MODULE": "spiders.settings",
            "AIRFLOW_HOME": str(tmp_path / "home"),
        }
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    facts = subprocess.run(
        [python, ROOT / "tests" / "dag_facts.py", ROOT / "dags"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(facts.stdout.splitlines()[-1])["errors"] == {}


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a linter that the development lock brings."""
    call = [str(Path(sys.executable).parent / name), *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_the_compose_file_fits_the_specification() -> None:
    ran = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE / "compose.yaml"))
    assert ran.returncode == 0, ran.stdout


def test_the_image_is_built_as_a_linter_would(tmp_path: Path) -> None:
    ran = tool("hadolint", str(ROOT / "infra" / "image" / "Dockerfile"))
    assert (ran.returncode, ran.stdout) == (0, "")
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd x && apt-get install foo\n")
    assert tool("hadolint", str(bad)).returncode == 1, "it can fail"
