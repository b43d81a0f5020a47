"""A process in which `opeds` is killed: at a moment, or before or behind a call to the index; started by test_crash.py.

The proxy that the store is reached through kills at requests: the file `pgid` in the run's home names the process
group. Everything is real but the start of interpreters: crawls are forked, not spawned, so that hundreds of runs take
minutes. The parent never touches the store, so that no thread of a library crosses a fork.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

LOADED_ONCE = """deltalake rich.table typer pyarrow.lib cryptography.x509 OpenSSL.SSL
    spiders.deposit spiders.guard spiders.politeness spiders.wire spiders.kjd
    scrapy.crawler scrapy.core.engine scrapy.core.scheduler scrapy.core.downloader.handlers.http11 scrapy.dupefilters
    scrapy.extensions.throttle scrapy.extensions.memusage scrapy.extensions.logstats
    scrapy.downloadermiddlewares.httpproxy scrapy.downloadermiddlewares.httpcompression
    scrapy.downloadermiddlewares.redirect scrapy.downloadermiddlewares.offsite
    scrapy.spidermiddlewares.depth scrapy.spidermiddlewares.referer""".split()


def main() -> None:
    """Read one JSON order a line; answer each with a line."""
    import boto3  # loaded once, used after the fork
    import pyarrow  # noqa: F401
    import scrapy.cmdline  # noqa: F401
    import sqlalchemy.dialects.sqlite  # noqa: F401
    import trafilatura  # noqa: F401

    import pipelines.cli.show
    import pipelines.jobs.run  # noqa: F401

    for name in LOADED_ONCE:
        importlib.import_module(name)
    assert "twisted.internet.reactor" not in sys.modules, "each fork installs its own"
    boto3.client("s3", region_name="us-east-1")  # reads botocore's models once; opens no connection
    for line in sys.stdin:
        calls, status = run(json.loads(line))
        print(json.dumps({"index_calls": calls, "code": status}), flush=True)


def run(order: dict[str, Any]) -> tuple[int, int]:
    """Run a command in a process group of its own; return how often it called the index, and how it ended."""
    count = multiprocessing.Value("i", 0)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        _child(order, count)
    if order.get("seconds"):
        time.sleep(order["seconds"])
        with suppress(ProcessLookupError):  # it was faster
            os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return count.value, os.waitstatus_to_exitcode(status)


def _child(order: dict[str, Any], count: Any) -> None:
    os.environ.update(order["environment"])
    home = Path(order["environment"]["OPEDS_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    (home / "pgid").write_text(str(os.getpid()))
    with (home / "out.log").open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    _kill_at_index(order.get("kill_at_index", 0), count)
    from pipelines.cli.main import main
    from pipelines.jobs import run as jobs_run

    if order["arguments"] == ["compact"]:
        _compact()
        os._exit(0)
    jobs_run._crawl_all = _crawl_in_forks  # type: ignore[assignment]
    sys.argv = ["opeds", *order["arguments"]]
    try:
        main()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    os._exit(0)


def _compact() -> None:
    """Compact, and remove all files that only older versions need: `opeds upkeep` keeps those of a week."""
    from pipelines.archive.store import open_store
    from pipelines.catalogue.publish import compact_tables
    from pipelines.settings import read_settings

    settings = read_settings()
    compact_tables(open_store(settings), settings, hours=0)


def _kill_at_index(number: int, count: Any) -> None:
    """End the whole process group at the n-th call that writes to the index, before or, for odd ones, behind it."""
    from pipelines.index.index import Index

    def counted(method: Any) -> Any:
        def call(self: Any, *arguments: Any) -> Any:
            with count.get_lock():
                count.value += 1
                mine = count.value
            if mine == number and is_before:
                os.killpg(0, signal.SIGKILL)
            try:
                return method(self, *arguments)
            finally:
                if mine == number:
                    os.killpg(0, signal.SIGKILL)

        return call

    number, is_before = (number + 1) // 2, number % 2 == 0
    for name in ("publish_all", "apply"):
        setattr(Index, name, counted(getattr(Index, name)))


def _crawl_in_forks(archive: Any, asked: Any, run_id: str, *_: Any) -> dict[str, Any]:
    from pipelines.archive.crawl_summary import read_summary
    from pipelines.archive.keys import crawl_key

    for name in asked.sources:
        pid = os.fork()
        if pid == 0:
            _crawl(name, asked, run_id)
        os.waitpid(pid, 0)
    until = asked.until.isoformat()
    return {name: read_summary(archive.store, crawl_key(name, until, run_id)) for name in asked.sources}


def _crawl(name: str, asked: Any, run_id: str) -> None:
    import scrapy.cmdline

    os.environ["SCRAPY_SETTINGS_MODULE"] = "spiders.settings"
    arguments = [f"since={asked.since}", f"until={asked.until}", f"run={run_id}"]
    try:
        scrapy.cmdline.execute(["scrapy", "crawl", name, *(part for a in arguments for part in ("-a", a))])
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
