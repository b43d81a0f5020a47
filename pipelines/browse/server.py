"""The pages of an archive as a server on this machine, with Datasette's tables under /data. Reads alone, asks nobody.

Each request opens the archive's file for itself. One thread looks now and then whether the archive changed, and then
makes the shared part of all pages anew before anybody sees it.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import IO, Any

import uvicorn
from jinja2 import BaseLoader, Environment
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.archive.store import open_store
from pipelines.browse import pages
from pipelines.browse.captured import last_capture, page_words, source_of
from pipelines.browse.draw import ICON, POLICY, STYLE, Surroundings, asset, drawn_page
from pipelines.browse.pages import Shelf, WebPage
from pipelines.browse.snapshot import Snapshot, last_run
from pipelines.catalogue.schema import ARTICLE_COLUMNS
from pipelines.client import ArchiveReader, Version
from pipelines.clock import now
from pipelines.errors import NotArchived, OpedsError, StoreUnavailable, TakesTooLong, WrongUsage
from pipelines.exports.files import write_csv, write_jsonl, write_spreadsheet
from pipelines.exports.local import bring_up_to_date
from pipelines.exports.sqlite_file import About, OnRead
from pipelines.jobs.replay import replaying
from pipelines.model import Capture
from pipelines.settings import Settings

LOOKS_EVERY = 10.0  # seconds between two looks whether the archive changed
MOST_SECONDS, MOST_SECONDS_OF_A_FILE = 5.0, 120.0  # of the questions for a page, and for a download
IN_MEMORY, SENT_AT_ONCE = 8_000_000, 65_536  # bytes of a download: more lies on disk; sent at once
REPLAYS_KEPT = 3  # op-eds that are replayed at once
FIRST_PORT = 8765
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104
ASSETS = {STYLE: "text/css", ICON: "image/svg+xml"}
COMMON_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "x-dns-prefetch-control": "off",
}
STRICT = f"{POLICY}; frame-ancestors 'none'"
OF_TABLES = (  # Datasette has scripts and styles within its pages: the scripts have a number used once
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; script-src 'self' 'nonce-{nonce}'"
)
SILENT_SOURCE = "default-src 'none'; sandbox"
DOWNLOADS = {
    "search.csv": ("text/csv", "opeds-exact.csv", write_csv),
    "search.spreadsheet.csv": ("text/csv", "opeds-for-spreadsheets.csv", write_spreadsheet),
    "search.jsonl": ("application/x-ndjson", "opeds.jsonl", write_jsonl),
}
_nonce: ContextVar[str] = ContextVar("nonce", default="")


class Browser:
    """An archive that is being looked at: its state now, and what was started for its pages."""

    def __init__(self, settings: Settings, right: str = "", progress: OnRead = lambda *_: None) -> None:
        self.settings, self.right, self.trouble = settings, right, ""
        self.path = bring_up_to_date(settings, progress)
        self.snapshot = self._look()
        self._tables: tuple[int, ASGIApp] | None = None
        self._tables_lock, self._refreshing = threading.Lock(), threading.Lock()
        self._looked_at = 0.0
        self._replays: dict[str, tuple[list[str], ExitStack]] = {}
        self._replay_lock = threading.Lock()
        self._stopped = threading.Event()

    def _look(self) -> Snapshot:
        with ArchiveReader(self.settings, self.path) as archive:
            snapshot = Snapshot(archive, now())
        snapshot.warm()
        self._inode = self.path.stat().st_ino
        return snapshot

    def refresh(self) -> bool:
        """Bring the pages up to date with the archive; return whether it changed. What goes wrong stands on them."""
        with self._refreshing:
            self._looked_at = monotonic()
            return self._refresh()

    def _refresh(self) -> bool:
        try:
            self.path = bring_up_to_date(self.settings)
            with ArchiveReader(self.settings, self.path) as archive:
                about = archive.about
            there = (about, last_run(self.settings), self.path.stat().st_ino)
            if there == (self.snapshot.about, self.snapshot.last_run, self._inode):
                self.trouble = ""
                return False
            self.snapshot = self._look()
            self.trouble = ""
            return True
        except (OpedsError, OSError) as error:
            self.trouble = f"The archive cannot be reached now, so this is how it stood before: {error}"
            return False

    @property
    def tables(self) -> ASGIApp:
        """Datasette over the file as it lies now; made when it is first asked for, since it is slow to start."""
        with self._tables_lock:
            if self._tables is None or self._tables[0] != self._inode:
                self._tables = self._inode, tables(self.path)
            return self._tables[1]

    def snapshot_of(self, about: About) -> Snapshot:
        """Return what all pages share for the state of the file that a request opened: another process may have brought
        it up to date just now."""
        if self.snapshot.about != about and monotonic() - self._looked_at > LOOKS_EVERY:
            self.refresh()
        return self.snapshot

    def follow(self) -> None:
        """Refresh now and then until the end."""
        assert self.tables is not None  # before anybody waits for it
        while not self._stopped.wait(LOOKS_EVERY):
            self.refresh()

    def replay(self, version: Version) -> str:
        """Return the address of a version's page at a replay server, which is started where none runs yet."""
        with self._replay_lock:
            if version.article_id not in self._replays:
                while len(self._replays) >= REPLAYS_KEPT:
                    self._replays.pop(next(iter(self._replays)))[1].close()
                stack = ExitStack()
                pages_of = [(version.article_id, version.url)]
                found = stack.enter_context(replaying(open_store(self.settings), pages_of))
                self._replays[version.article_id] = [one.address for one in found], stack
            addresses = self._replays[version.article_id][0]
            moment = version.row["fetched_at"].strftime("%Y%m%d%H%M%S")
            return next((address for address in addresses if moment in address), addresses[0])

    def stop(self) -> None:
        """End what was started."""
        self._stopped.set()
        for _, stack in self._replays.values():
            stack.close()
        self._replays.clear()


# -- requests ------------------------------------------------------------------------------------------------------

Make = Callable[[Shelf, Request], WebPage]


def _simple(make: Callable[[Shelf], WebPage]) -> Make:
    return lambda shelf, request: make(shelf)


def _number(request: Request) -> int:
    return _count(request.path_params.get("number", "1"))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 7):
        raise NotArchived("nothing is at that address")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise NotArchived(f"{text} is no day; write it as 2026-06-01") from error


PAGE_ROUTES: Mapping[str, Make] = {
    "/": _simple(pages.front),
    "/search": lambda shelf, request: pages.search_page(shelf, pages.asked_of(request.query_params)),
    "/oped/{name}": lambda shelf, request: pages.oped_page(shelf, request.path_params["name"]),
    "/compare/{before}/{after}": lambda shelf, request: pages.compare_page(shelf, **request.path_params),
    "/provenance/{name}": lambda shelf, request: pages.provenance_page(shelf, request.path_params["name"]),
    "/columnists": lambda shelf, request: pages.columnists_page(shelf, _number(request)),
    "/columnists/{number}": lambda shelf, request: pages.columnists_page(shelf, _number(request)),
    "/columnist/{key}": lambda shelf, request: pages.columnist_page(shelf, request.path_params["key"]),
    "/columnist/{key}/{number}": lambda shelf, request: pages.columnist_page(
        shelf, request.path_params["key"], _number(request)
    ),
    "/corrections": lambda shelf, request: pages.corrections_page(shelf, _number(request)),
    "/corrections/{number}": lambda shelf, request: pages.corrections_page(shelf, _number(request)),
    "/year/{year}": lambda shelf, request: pages.year_page(shelf, _count(request.path_params["year"])),
    "/day/{day}": lambda shelf, request: pages.day_page(shelf, _day(request.path_params["day"])),
    "/status": _simple(pages.status_page),
    "/captured/{name}": lambda shelf, request: _captured(shelf, request.path_params["name"]),
}


def _captured(shelf: Shelf, name: str) -> WebPage:
    capture, version = _capture_of(shelf, name)
    values = {
        "url": capture.url,
        "fetched_at": capture.fetched_at,
        "size": len(capture.payload),
        "blocks": page_words(capture),
        "name": version.cite_as if version else "",
        "asked": name,
    }
    return WebPage(f"captured/{name}", "captured.html", "What was captured", values)


def _capture_of(shelf: Shelf, name: str) -> tuple[Capture, Version | None]:
    """Return the page that a version was read from, or the last one of an article that was set aside."""
    try:
        version = shelf.archive.oped(name)
    except (NotArchived, WrongUsage):
        if not any(one.article_id == name for one in shelf.snapshot.set_aside):
            raise NotArchived(f"no page of {name} is in the archive") from None
        return last_capture(open_store(shelf.snapshot.settings), name), None
    page = shelf.archive.page(version)
    return Capture(page.url, page.fetched_at, 200, page.headers, page.body), version


def application(browser: Browser, hosts: list[str]) -> ASGIApp:
    """Return the server's application; it answers to these hosts alone, so that no other page reaches it by a name."""

    def endpoint(make: Make) -> Callable[[Request], Response]:
        return lambda request: _answer(browser, request, make)

    routes = [Route(path, endpoint(make)) for path, make in PAGE_ROUTES.items()]
    routes += [Route(f"/{name}", _download(browser, name)) for name in DOWNLOADS]
    routes += [Route(f"/{name}", _asset(name)) for name in ASSETS]
    routes += [Route("/favicon.ico", _asset(ICON))]
    routes += [
        Route("/source/{name}", lambda request: _plain_source(browser, request)),
        Route("/replay/{name}", lambda request: _replayed(browser, request)),
        Route("/{anything:path}", endpoint(_nothing)),
    ]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    return _Guarded(browser, Starlette(routes=routes, middleware=middleware), hosts)


def _nothing(shelf: Shelf, request: Request) -> WebPage:
    raise NotArchived("nothing is at that address")


def _answer(browser: Browser, request: Request, make: Make) -> Response:
    status, path, snapshot = 200, request.url.path.removeprefix("/"), browser.snapshot
    try:
        with ArchiveReader(browser.settings, browser.path) as archive:
            snapshot = browser.snapshot_of(archive.about)
            archive.limit(MOST_SECONDS)
            page = make(Shelf(archive, snapshot), request)
    except OpedsError as error:
        status, page = _status_of(error), pages.missing_page(path, str(error))
    around = Surroundings(snapshot, True, browser.right, browser.trouble)
    # links are relative to where the reader is, which may be another spelling of the page's own address
    return Response(
        drawn_page(WebPage(path, page.template, page.title, page.values), around), status, media_type="text/html"
    )


def _status_of(error: OpedsError) -> int:
    if isinstance(error, TakesTooLong | StoreUnavailable):
        return 503
    return 400 if isinstance(error, WrongUsage) else 404


def _asset(name: str) -> Callable[[Request], Response]:
    return lambda request: Response(asset(name), media_type=ASSETS[name])


def _download(browser: Browser, name: str) -> Callable[[Request], Response]:
    kind, called, write = DOWNLOADS[name]

    def answer(request: Request) -> Response:
        asked = pages.asked_of(request.query_params)
        file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  (closed once it was sent)
        try:
            with ArchiveReader(browser.settings, browser.path) as archive:
                archive.limit(MOST_SECONDS_OF_A_FILE)
                write(file, archive.found_rows(asked.words, asked.wanted()))
        except OpedsError as error:
            file.close()
            return PlainTextResponse(str(error), _status_of(error))
        told = {"content-disposition": f'attachment; filename="{called}"'}
        return StreamingResponse(_sent(file), media_type=kind, headers=told)

    return answer


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while some := file.read(SENT_AT_ONCE):
            yield some


def _plain_source(browser: Browser, request: Request) -> Response:
    try:
        with ArchiveReader(browser.settings, browser.path) as archive:
            capture, _ = _capture_of(Shelf(archive, browser.snapshot), request.path_params["name"])
    except OpedsError as error:
        return PlainTextResponse(str(error), _status_of(error))
    headers = {"content-security-policy": SILENT_SOURCE}
    return PlainTextResponse(source_of(capture).encode("utf-8", "replace"), headers=headers)


def _replayed(browser: Browser, request: Request) -> Response:
    def shown(shelf: Shelf, request: Request) -> WebPage:
        raise StoreUnavailable(told)

    try:
        with ArchiveReader(browser.settings, browser.path) as archive:
            version = archive.oped(request.path_params["name"])
        return RedirectResponse(browser.replay(version), 303)
    except OpedsError as error:
        told = str(error)
        return _answer(browser, request, shown)


# -- around every answer -------------------------------------------------------------------------------------------


class _Guarded:
    """Sends tables to Datasette, and puts the headers that keep a browser from harm on every answer."""

    def __init__(self, browser: Browser, app: ASGIApp, hosts: list[str]) -> None:
        self.browser, self.app = browser, app
        self.guarded_tables = TrustedHostMiddleware(self._tables, allowed_hosts=hosts)

    async def _tables(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.browser.tables(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"]
        if scope["method"] not in {"GET", "HEAD"}:
            return await PlainTextResponse("these pages are read only", 405)(scope, receive, send)
        if path == "/data":
            return await RedirectResponse("/data/")(scope, receive, send)
        of_tables = path.startswith("/data/")
        nonce = secrets.token_urlsafe(16)
        policy = OF_TABLES.format(nonce=nonce) if of_tables else STRICT

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                there = {name.lower() for name, _ in headers}
                told = {**COMMON_HEADERS, "content-security-policy": policy}
                headers += [(n.encode(), v.encode()) for n, v in told.items() if n.encode() not in there]
                message = {**message, "headers": headers}
            await send(message)

        _nonce.set(nonce)
        await (self.guarded_tables if of_tables else self.app)(scope, receive, guarded)
        return None


class _Numbered(BaseLoader):
    """Gives each script that a template has the number of its answer; what stands in a table gets none."""

    def __init__(self, loader: BaseLoader) -> None:
        self.loader = loader

    def get_source(self, environment: Environment, template: str) -> Any:
        source, filename, is_fresh = self.loader.get_source(environment, template)
        return source.replace("<script", '<script nonce="{{ script_nonce() }}"'), filename, is_fresh

    def list_templates(self) -> list[str]:
        return self.loader.list_templates()


def tables(path: Path) -> ASGIApp:
    """Return Datasette over the archive's file, under /data: every table with search, facets, JSON and CSV.

    Read only, with a limit of time; scripts within its templates get the number that its policy names.
    """
    from datasette.app import Datasette
    from datasette.database import Database

    about = {"description": "Every version of every article: one row each", "columns": ARTICLE_COLUMNS}
    datasette = Datasette(
        [],
        settings={
            "base_url": "/data/",
            "sql_time_limit_ms": 2000,
            "num_sql_threads": 2,
            "truncate_cells_html": 300,
            "default_page_size": 50,
            "allow_download": False,
        },
        metadata={"title": "Tables of the archive", "databases": {"opeds": {"tables": {"catalogue": about}}}},
    )
    datasette.add_database(Database(datasette, path=str(path), is_mutable=True), name="opeds")
    datasette.jinja_env.loader = _Numbered(datasette.jinja_env.loader)
    datasette.jinja_env.globals["script_nonce"] = _nonce.get
    app: ASGIApp = datasette.app()
    return app


# -- the process ---------------------------------------------------------------------------------------------------


def bound(host: str, port: int) -> socket.socket:
    """Return a socket to serve at; where no port is asked for and the usual one is taken, at any."""
    for number in (port,) if port else (FIRST_PORT, 0):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            made.bind((host, number))
            return made
        made.close()
    raise StoreUnavailable(f"port {port} is taken; another --port, or none, finds a free one")


def serve(browser: Browser, listening: socket.socket, public: bool, started: Callable[[], None]) -> None:
    """Serve the pages until Ctrl-C or SIGTERM; `started` is called once requests are answered."""
    hosts = ["*"] if public else [LOOPBACK, "localhost"]
    app = application(browser, hosts)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started()

    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2, server_header=False)
    follower = threading.Thread(target=browser.follow, daemon=True)
    follower.start()
    try:
        with suppress(KeyboardInterrupt):
            Server(config).run(sockets=[listening])
    finally:
        browser.stop()
        listening.close()
