"""A proxy between us and a store: it sees every request, deltalake's too, and may answer in the store's stead.

Faults are those that networks and stores have; a kill is a fault that a test chooses by the number of a request.
"""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = b"<html><head><title>Sign in</title></head><body><h1>Sign in to the network</h1></body></html>"
ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>a fault of the test</Message></Error>"
LATE = 1.5  # of the client's patience


@dataclass(frozen=True)
class Asked:
    """A request: its number, from 1, and what it is for."""

    number: int
    method: str
    path: str

    @property
    def phase(self) -> str:
        """What we are at when we ask this."""
        path, _, query = self.path.partition("?")
        writes = self.method in {"PUT", "POST"}
        if self.method == "DELETE" or (self.method == "POST" and "delete" in query):
            return "vacuum"  # we ourselves delete nothing
        if "catalogue" in self.path:
            return ("Delta commit" if "_delta_log" in path else "data file") if writes else "table read"
        for folder, phase in PHASES.items():
            if f"/{folder}" in path:
                return phase if writes else "read"
        return "list"


PHASES = {
    "captures/": "crawl",
    "crawls/": "crawl",
    "articles/": "record",
    "quarantine/": "record",
    "runs/": "manifest",
    "archive.json": "open",
}


Act = Callable[[Asked], str]  # the fault to play at a request, or an empty string


@dataclass
class Proxy:
    """The proxy at work: where it is, what it was asked, which faults it played."""

    to: str
    act: Act = lambda _: ""
    patience: float = 30.0  # seconds that the client waits for an answer
    asked: list[Asked] = field(default_factory=list)
    played: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    endpoint: str = ""
    on_sent: Callable[[Asked], None] = lambda _: None  # called when the store has answered, before we hand it on

    def take(self, method: str, path: str) -> Asked:
        """Number a request."""
        with self.lock:
            self.asked.append(Asked(len(self.asked) + 1, method, path))
            return self.asked[-1]

    def again(self) -> None:
        """Forget what was asked."""
        with self.lock:
            self.asked.clear()


def mix(seed: int, rate: float, kinds: tuple[str, ...] = ()) -> Act:
    """Return what plays a random fault of these kinds at this part of the requests."""
    chosen, chance = kinds or tuple(FAULTS), random.Random(seed)
    lock = threading.Lock()

    def act(_: Asked) -> str:
        with lock:
            return chance.choice(chosen) if chance.random() < rate else ""

    return act


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits for 40 ms
    wbufsize = -1
    proxy: Proxy

    def handle_expect_100(self) -> bool:
        """Say at once that the body may come."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _any(self) -> None:
        asked = self.proxy.take(self.command, self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.act(asked)
        if fault:
            with self.proxy.lock:
                self.proxy.played[fault] += 1
            FAULTS[fault](self, body)
            return
        status, headers, answer = self.forward(body)
        self.proxy.on_sent(asked)
        self.reply(status, headers, answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any

    def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the store; return status, headers and body."""
        there = urlsplit(self.proxy.to)
        for attempt in range(3):
            connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in {"connection", "expect"}:
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except (OSError, http.client.HTTPException):  # the store is down: so is this proxy
                if attempt == 2:
                    return 502, [("Content-Type", "text/html")], PAGE
                time.sleep(0.1)
            finally:
                connection.close()
        raise AssertionError

    def reply(self, status: int, headers: list[tuple[str, str]], body: bytes, sent: int | None = None) -> None:
        """Answer, with the first `sent` bytes of the body alone where it is given."""
        with suppress(OSError):
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                    self.send_header(name, value)
            length = dict((n.lower(), v) for n, v in headers).get("content-length", "0")
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body if sent is None else body[:sent])
            self.wfile.flush()
            if sent is not None:
                self.hang_up()

    def hang_up(self) -> None:
        """Close the connection."""
        self.close_connection = True
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def error(self, status: int, code: str) -> None:
        """Answer with an error of S3, or a bare one where it has no code."""
        self.reply(status, [("Content-Type", "application/xml")], ERROR.format(code).encode() if code else b"")

    def page(self, status: int) -> None:
        """Answer with a web page."""
        self.reply(status, [("Content-Type", "text/html")], PAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _late(handler: _Handler, body: bytes) -> None:
    answer = handler.forward(body)
    time.sleep(handler.proxy.patience * LATE)
    handler.reply(*answer)


def _lost_answer(handler: _Handler, body: bytes) -> None:
    handler.forward(body)
    handler.hang_up()


def _failure_after_success(handler: _Handler, body: bytes) -> None:
    handler.forward(body)
    handler.error(500, "InternalError")


def _cut(handler: _Handler, body: bytes) -> None:
    status, headers, answer = handler.forward(body)
    handler.reply(status, headers, answer, sent=len(answer) // 2)


FAULTS: dict[str, Callable[[_Handler, bytes], None]] = {
    "late": _late,
    "dropped": lambda handler, _: handler.hang_up(),
    "answer lost": _lost_answer,
    "cut": _cut,
    "500": lambda handler, _: handler.error(500, "InternalError"),
    "500 after success": _failure_after_success,
    "503": lambda handler, _: handler.error(503, "ServiceUnavailable"),
    "slow down": lambda handler, _: handler.error(503, "SlowDown"),
    "429": lambda handler, _: handler.error(429, ""),
    "409": lambda handler, _: handler.error(409, "OperationAborted"),
    "a page, 200": lambda handler, _: handler.page(200),
    "a page, 403": lambda handler, _: handler.page(403),
    "a page, 404": lambda handler, _: handler.page(404),
    "a page, 502": lambda handler, _: handler.page(502),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients are killed, and hang up."""


@contextmanager
def between(endpoint: str, act: Act = lambda _: "", patience: float = 30.0) -> Iterator[Proxy]:
    """Run a proxy to a store."""
    proxy = Proxy(endpoint, act, patience)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    proxy.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
