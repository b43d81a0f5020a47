"""The replica as an HTTP forward proxy on loopback: it answers for the sites' own hosts and refuses all others."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

from .hostile import HOSTILE
from .past import Past, build_past
from .public_archives import archives
from .site import ANSWER_FAULTS, HOSTS, NOT_FOUND, OF_ARCHIVES, Answer, answer, asked
from .world import FIRST_DAY, SEOUL, World, build

CONTROL = "/__newsstand__/"
WIRE_FAULTS = {
    "drip": "bodies come byte by byte, one in half a second",
    "endless": "bodies never end",
    "longer": "bodies are longer than their Content-Length",
    "two-lengths": "answers have two lengths",
    "unknown-authority": "certificates are of an authority that nobody trusts",
    "expired": "certificates are of last year",
    "other-name": "certificates are of another host",
}
SENT = WIRE_FAULTS | {
    "ua-403": "403 for clients that do not say who they are",
    "truncated": "bodies are cut short of their Content-Length",
    "cut-gzip": "bodies end early, and say that they end there",
    "overlap": "lists have moved on by three items when their second page is asked for",
    "ignores-page": "every page of a list is its first",
    "no-etag": "answers carry no ETag",
    "slow": "answers come after two seconds",
    "restless": "every page carries other advertising at every request",
}
FAULTS = ANSWER_FAULTS | HOSTILE
BAD_CERTIFICATES = ("unknown-authority", "expired", "other-name")


@dataclass
class FaultRule:
    """A fault at work: on which addresses, and how many more times (None: always)."""

    name: str
    pattern: re.Pattern[str]
    left: int | None = None

    def hits(self, url: str) -> bool:
        """Whether the rule applies now; counts down when it does."""
        if self.left == 0 or not self.pattern.search(url):
            return False
        if self.left is not None:
            self.left -= 1
        return True


@dataclass
class Stand:
    """What the server knows: its world, its clock, its faults and the log of requests."""

    world: World
    clock: datetime
    given: dict[str, bytes] = field(default_factory=dict)
    rules: list[FaultRule] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    state: Path | None = None
    past: Past | None = None  # what public archives hold; the default one is made when it is asked for
    quiet: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, to: datetime) -> None:
        """Move the clock forward; time does not run back, not even over restarts."""
        self.clock = max(self.clock, to)
        if self.state:
            self.state.write_text(self.clock.isoformat())

    def fault(self, text: str) -> None:
        """Add a fault written as `name`, `name@pattern` or `name@pattern*count`; `none` takes all away."""
        name, _, rest = text.partition("@")
        pattern, _, count = rest.rpartition("*") if re.search(r"\*\d+$", rest) else (rest, "", "")
        if name == "none":
            self.rules.clear()
        elif name in FAULTS or name in SENT:
            self.rules.append(FaultRule(name, re.compile(pattern or "."), int(count) if count else None))
        else:
            raise ValueError(f"unknown fault {name!r}; there are: {', '.join(sorted({*FAULTS, *SENT}))}")

    def respond(self, url: str, referer: str, range_: str = "") -> tuple[Answer, set[str]]:
        """Return the answer to a request, with the names of the faults that are done while sending."""
        with self.lock:
            sending = {rule.name for rule in self.rules if rule.name in SENT and rule.hits(url)}
            known = re.sub(r"[?&](page|pgi)=\d+", "", url) if "ignores-page" in sending else url
            request = asked(known, referer, range_, shift=3 if "overlap" in sending else 0)
            if request.host in OF_ARCHIVES and request.path != "/robots.txt":
                right = archives(request, self.past or build_past(), self.clock)
            else:
                right = answer(request, self.world, self.clock, self.given)
            for rule in self.rules:
                if rule.name in FAULTS:
                    wrong = FAULTS[rule.name][1](request, right, self.world)
                    right = wrong if wrong != right and rule.hits(url) else right
        return right, sending

    def certificate(self, url: str) -> str:
        """Return which bad certificate a host shows, or nothing."""
        with self.lock:
            return next((rule.name for rule in self.rules if rule.name in BAD_CERTIFICATES and rule.hits(url)), "")

    def note(self, **entry: Any) -> None:
        """Log a request."""
        entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **entry}
        self.log.append(entry)
        if not self.quiet:
            print(f"{entry['status']} {entry['method']} {entry['url']}", flush=True)


class Handler(BaseHTTPRequestHandler):
    """One connection of a proxy client, plain or, after CONNECT, in TLS."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for an acknowledgement
    server: Newsstand
    tunnel = ""

    def do_CONNECT(self) -> None:
        """Answer for a host in TLS, with a certificate made on the spot."""
        host = self.path.partition(":")[0].lower()
        if host not in HOSTS | OF_ARCHIVES:
            return self._send(Answer(403, b"this proxy answers for the replica's sites only"), set())
        self.send_response(200, "Connection established")
        self.end_headers()
        kind = self.server.stand.certificate(f"https://{host}/")
        self.connection = self.server.context(host, kind).wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.tunnel, self.close_connection = host, False
        return None

    def do_GET(self) -> None:
        """Answer a request."""
        url = f"https://{self.tunnel}{self.path}" if self.tunnel else self.path
        parts = urlsplit(url)
        if parts.path.startswith(CONTROL):
            return self._send(self._control(parts.path.removeprefix(CONTROL), parse_qs(parts.query)), set())
        agent, referer = self.headers.get("User-Agent", ""), self.headers.get("Referer", "")
        stand, began = self.server.stand, datetime.now(UTC).isoformat(timespec="milliseconds")
        told, sending = (
            stand.respond(url, referer, self.headers.get("Range", ""))
            if (parts.hostname or "") in HOSTS | OF_ARCHIVES
            else (Answer(403, b"unknown host"), set())
        )
        if "ua-403" in sending and re.match(r"$|python|scrapy", agent, re.IGNORECASE):
            told = Answer(403, b"who are you?")
        if told.status == 200 and self.headers.get("If-None-Match") == _validator(told) and "restless" not in sending:
            told = Answer(304)
        if "slow" in sending:
            time.sleep(2)
        stand.note(
            method=self.command,
            url=url,
            host=parts.hostname,
            path=parts.path,
            agent=agent,
            referer=referer,
            status=told.status,
            began=began,
        )
        return self._send(told, sending)

    do_HEAD = do_GET

    def _send(self, told: Answer, sending: set[str]) -> None:
        body = told.body
        if "restless" in sending and b"</body>" in body:
            body = body.replace(b"</body>", f"<aside>Advertisement {time.time_ns()}</aside></body>".encode())
        coded = "gzip" in self.headers.get("Accept-Encoding", "") and len(body) > 200 and told.status != 206
        coded = coded and "Content-Encoding" not in dict(told.headers)
        body = gzip.compress(body, mtime=0) if coded else body
        body = body[: len(body) // 2] if "cut-gzip" in sending and coded else body
        self.send_response(told.status)
        self.send_header("Content-Type", told.kind)
        self.send_header("X-Invented", "newsstand")
        for length in _lengths(body, sending) if told.status != 304 else ():
            self.send_header("Content-Length", str(length))
        if told.status == 200 and not {"no-etag", "restless"} & sending:
            self.send_header("ETag", _validator(told))
        if coded:
            self.send_header("Content-Encoding", "gzip")
        for name, value in told.headers:
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = self.close_connection or bool(told.cut or sending & {"truncated", "endless", "longer"})
        if self.command == "HEAD":
            return
        for piece in _pieces(body, sending, bool(told.cut)):
            self.wfile.write(piece)

    def _control(self, what: str, query: dict[str, list[str]]) -> Answer:
        stand = self.server.stand
        try:
            if "to" in query and what == "advance":
                stand.advance(parse_clock(query["to"][0]))
            for text in query.get("set", []) if what == "faults" else []:
                stand.fault(text)
        except ValueError as error:
            return Answer(400, str(error).encode(), "text/plain")
        told = {
            "health": {"clock": stand.clock.isoformat()},
            "advance": {"clock": stand.clock.isoformat()},
            "faults": {"faults": [f"{rule.name}@{rule.pattern.pattern}" for rule in stand.rules]},
            "log": {"log": stand.log},
        }.get(what)
        return Answer(200, json.dumps(told).encode(), "application/json") if told else NOT_FOUND

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: `Stand.note` logs what matters."""


def _lengths(body: bytes, sending: set[str]) -> list[int]:
    """Return what is said of a body's length."""
    if "endless" in sending:
        return []
    if "two-lengths" in sending:
        return [len(body), len(body) // 2]
    return [len(body) // 2 if "longer" in sending else len(body)]


def _pieces(body: bytes, sending: set[str], is_cut: bool) -> Iterator[bytes]:
    """Yield a body as it is sent."""
    if "truncated" in sending or is_cut:
        yield body[: len(body) // 2]
    elif "drip" in sending:
        for n in range(len(body)):
            yield body[n : n + 1]
            time.sleep(0.5)
    else:
        yield body
    while "endless" in sending:
        yield b"<p>and on it goes</p>" * 1000


def _validator(told: Answer) -> str:
    return f'"{hashlib.sha256(told.body).hexdigest()[:20]}"'


class Newsstand(ThreadingHTTPServer):
    """The proxy, bound to loopback only."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, stand: Stand, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.stand = stand
        self.authority = trustme.CA()
        self.contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    @property
    def address(self) -> str:
        """The proxy's address, as `http_proxy` wants it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def context(self, host: str, kind: str = "") -> ssl.SSLContext:
        """Return the TLS context of a host, of one of `BAD_CERTIFICATES` where one is named; made at the first call."""
        if (host, kind) not in self.contexts:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority = trustme.CA() if kind == "unknown-authority" else self.authority
            until = datetime.now(UTC) - timedelta(days=365) if kind == "expired" else None
            name = "other.example" if kind == "other-name" else host
            authority.issue_cert(name, not_after=until).configure_cert(made)
            self.contexts[host, kind] = made
        return self.contexts[host, kind]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)

    def environment(self, folder: Path) -> dict[str, str]:
        """Return what a crawler's environment needs to talk to this proxy and to trust it alone."""
        authority = folder / "newsstand-authority.pem"
        authority.write_bytes(self.authority.cert_pem.bytes())
        return {
            "http_proxy": self.address,
            "https_proxy": self.address,
            "no_proxy": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(authority),
            "OPEDS_INVENTED": "1",
        }


@contextmanager
def running(folder: Path, clock: datetime, seed: int = 1, **more: Any) -> Iterator[Newsstand]:
    """Run a newsstand in this process, for tests: `with running(tmp_path, clock) as stand`."""
    server = Newsstand(Stand(build(seed), clock, **more))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def parse_clock(text: str) -> datetime:
    """Return a moment of the newsstand's clock; without a zone it is Seoul's.

    >>> parse_clock("2026-06-07T23:30").isoformat()
    '2026-06-07T23:30:00+09:00'
    """
    found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else f"{text}T00:00")
    return found if found.tzinfo else found.replace(tzinfo=SEOUL)


LAST = datetime.combine(FIRST_DAY, datetime.min.time(), SEOUL) + timedelta(days=60)
