"""A notice reaches a real mailbox and a real webhook, and no password reaches a log."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from newsstand.local_airflow import free_port
from pipelines.archive.manifests import Closing, Quiet
from pipelines.catalogue.drift import Drift
from pipelines.errors import DayIncomplete, NotificationFailed
from pipelines.jobs.notify import (
    Notice,
    failed,
    notices_of,
    notices_of_drift,
    notices_of_missed,
    notify,
    send_heartbeat,
)

NOTICE = Notice("incomplete", "2026-06-02 is not complete", ("kjd: columns: 0 items: has the layout changed?",))


class Mailbox:
    """Takes every mail."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    control = Controller(box, hostname="127.0.0.1", port=free_port())
    control.start()
    assert control.server is not None
    port = control.server.sockets[0].getsockname()[1]
    yield box, f"mailto://127.0.0.1:{port}?from=opeds@example.org&to=editor@example.org&mode=insecure"
    control.stop()


@pytest.fixture
def hook() -> Iterator[tuple[list[dict[str, Any]], str]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if self.path == "/hook" else 500)
            self.end_headers()

        def do_GET(self) -> None:
            got.append({"beat": self.path})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield got, f"json://user:hunter2@127.0.0.1:{server.server_address[1]}/hook"
    server.shutdown()
    server.server_close()


def test_a_notice_goes_to_the_log_by_mail_and_to_a_webhook(
    mailbox: tuple[Mailbox, str], hook: tuple[list[dict[str, Any]], str], caplog: pytest.LogCaptureFixture
) -> None:
    notify([NOTICE], f"{mailbox[1]} {hook[1]}")
    assert "Subject: opeds incomplete: 2026-06-02 is not complete" in mailbox[0].mails[0]
    assert "kjd: columns: 0 items" in mailbox[0].mails[0]
    assert (hook[0][0]["title"], hook[0][0]["message"]) == (f"opeds incomplete: {NOTICE.subject}", NOTICE.body)
    assert "incomplete: 2026-06-02 is not complete" in caplog.text
    assert "hunter2" not in caplog.text


def test_one_address_that_fails_keeps_no_other_from_being_told(
    mailbox: tuple[Mailbox, str], hook: tuple[list[dict[str, Any]], str]
) -> None:
    with pytest.raises(NotificationFailed) as told:
        notify([NOTICE], f"{hook[1].replace('/hook', '/services/T0KEN')} nonsense://x {mailbox[1]}")
    assert len(mailbox[0].mails) == 1
    assert "hunter2" not in str(told.value)
    assert "T0KEN" not in str(told.value), "a webhook's path is its secret"
    assert "nonsense" in str(told.value)


def test_nobody_to_tell_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    notify([NOTICE], "")
    assert "kjd: columns" in caplog.text


def test_what_is_told_of_a_day() -> None:
    closing = Closing(("kjd",), False, ("kjd: columns: 0 items",), ("feed: 404",), quiet=(Quiet("kjd", 5, 8),))
    assert [(n.kind, n.lines) for n in notices_of("2026-06-02", closing)] == [
        ("incomplete", ("kjd: columns: 0 items",)),
        ("nothing-published", ("kjd: nothing was published, though 5 of the last 8 Tuesdays had something",)),
    ]
    assert notices_of("2026-06-02", Closing(("kjd",), True)) == []


def test_drift_is_told_with_pages_to_look_at() -> None:
    one = Drift("kjd", "text", 1.0, 0.2, "#article_body", ("https://example.org/1",), serious=True)
    (notice,) = notices_of_drift([one, Drift("kjd", "deck", 1.0, 0.9, "h2", (), serious=False)])
    assert (notice.kind, notice.lines[1]) == ("drift", "https://example.org/1")


def test_a_task_that_failed_is_told(caplog: pytest.LogCaptureFixture) -> None:
    run = SimpleNamespace(partition_key="2026-06-02", run_id="r")
    failed(
        {
            "task_instance": SimpleNamespace(dag_id="opeds_daily", task_id="publish"),
            "dag_run": run,
            "exception": ValueError("no room"),
        }
    )
    assert "failed: opeds_daily.publish failed for 2026-06-02\nno room" in caplog.text


def test_what_was_told_is_not_told_again(caplog: pytest.LogCaptureFixture) -> None:
    run = SimpleNamespace(partition_key="2026-06-02", run_id="r")
    task = SimpleNamespace(dag_id="opeds_daily", task_id="report")
    failed({"task_instance": task, "dag_run": run, "exception": DayIncomplete("told")})
    assert caplog.text == ""


def test_a_long_list_is_cut_and_counted() -> None:
    assert Notice("fixity", "many", tuple(map(str, range(50)))).body.endswith("… and 30 more")


def test_open_days_are_one_notice_and_none_is_none() -> None:
    (notice,) = notices_of_missed(["2026-06-02: never run", "2026-06-04: kjd: not crawled"])
    assert (notice.kind, notice.subject) == ("missed", "2 of the last days are not whole")
    assert notices_of_missed([]) == []


def test_a_heartbeat_is_asked_for_and_one_that_fails_is_told_without_its_secret(
    hook: tuple[list[dict[str, Any]], str],
) -> None:
    address = re.sub(r"json://user:hunter2@", "http://", hook[1]).replace("/hook", "/S3CRET")
    send_heartbeat("")
    send_heartbeat(address)
    assert hook[0] == [{"beat": "/S3CRET"}]
    with pytest.raises(NotificationFailed) as told:
        send_heartbeat("http://127.0.0.1:9/S3CRET")
    assert "S3CRET" not in str(told.value)
