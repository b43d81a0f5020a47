"""The pages of an archive as a server on this machine, with Datasette's tables under /data. Reads alone, asks nobody.

Each request opens the archive's file for itself. One thread looks now and then whether the archive changed, and then
makes the shared part of all pages anew before anybody sees it.
"""

from __future__ import annotations

import secrets
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import ModuleType
from typing import IO, Any

import uvicorn
from jinja2 import BaseLoader, Environment
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.archive.identity import read_identity
from pipelines.archive.store import open_store
from pipelines.browse import pages
from pipelines.browse.captured import last_capture, page_words, source_of
from pipelines.browse.draw import ICON, POLICY, STYLE, Surroundings, asset, drawn_page
from pipelines.browse.pages import Shelf, WebPage
from pipelines.browse.snapshot import Snapshot, last_run
from pipelines.catalogue.schema import ARTICLE_COLUMNS
from pipelines.client import ArchiveReader, Version
from pipelines.clock import now, today
from pipelines.errors import NoArchive, NotArchived, OpedsError, StoreUnavailable, TakesTooLong, WrongUsage
from pipelines.exports.files import write_csv, write_jsonl, write_spreadsheet
from pipelines.exports.local import bring_up_to_date
from pipelines.exports.sqlite_file import About, OnRead
from pipelines.jobs.replay import can_replay, replaying
from pipelines.model import Capture
from pipelines.settings import Settings

LOOKS_EVERY = 10.0  # seconds between two looks whether the archive changed
MOST_SECONDS, MOST_SECONDS_OF_A_FILE = 5.0, 120.0  # of the questions for a page, and for a download
IN_MEMORY, SENT_AT_ONCE = 8_000_000, 65_536  # bytes of a download: more lies on disk; sent at once
REPLAYS_KEPT = 3  # op-eds that are replayed at once
FIRST_PORT, WAITING_CALLS = 8765, 128
BOUNDS = "opeds-bounds"  # name of our plugin of Datasette
MOST_OF_A_VALUE = 20_000_000  # bytes of a value that SQL of a reader may make
MISSING_STATUS = 404
QUERIES = {  # to begin with
    "columnists": {
        "title": "Who wrote how much",
        "sql": "SELECT names, count(*) AS opeds, min(published_day) AS first, max(published_day) AS last FROM opeds "
        "WHERE names <> '' GROUP BY names ORDER BY opeds DESC",
    },
    "latest_corrections": {
        "title": "What the paper changed last",
        "sql": "SELECT seen, article_id, kind_of_change, headline_previous, headline FROM corrections "
        "ORDER BY seen DESC LIMIT 50",
    },
    "op_eds_with_a_word": {
        "title": "Op-eds with a word",
        "sql": "SELECT published_day, headline, names, article_id FROM catalogue WHERE id IN "
        "(SELECT rowid FROM search WHERE search MATCH :word) AND role = 'primary' AND is_latest AND listed "
        "ORDER BY sort_at DESC LIMIT 100",
    },
}
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
        self.tables = Tables(self.path)
        self._refreshing = threading.Lock()
        self._replays: dict[str, tuple[list[str], ExitStack]] = {}
        self._replay_lock = threading.Lock()
        self._stopped = threading.Event()
        self.replays = can_replay()

    def _look(self) -> Snapshot:
        with ArchiveReader(self.settings, self.path) as archive:
            snapshot = Snapshot(archive, now())
        snapshot.warm()
        self._inode = self.path.stat().st_ino
        return snapshot

    def refresh(self) -> bool:
        """Bring the pages up to date with the archive; return whether it changed. What goes wrong stands on them."""
        with self._refreshing:
            return self._refresh()

    def _refresh(self) -> bool:
        try:
            self.path = bring_up_to_date(self.settings)
            with ArchiveReader(self.settings, self.path) as archive:
                about = archive.about
            there = (about, last_run(self.settings), self.path.stat().st_ino, today())
            known = self.snapshot
            if there == (known.about, known.last_run, self._inode, known.today):
                self.trouble = ""
                return False
            if about.withdrawn != known.about.withdrawn:
                self.end_replays()
            self.snapshot = self._look()
            self.tables.forget(self.path)
            self.trouble = ""
            return True
        except (OpedsError, OSError) as error:
            self.trouble = f"The archive cannot be reached now, so this is how it stood before: {error}"
            return False

    def snapshot_of(self, about: About) -> Snapshot:
        """Return what all pages share for the state of the file that a request opened: another process may have brought
        it up to date just now."""
        if self.snapshot.about != about and not self.trouble:
            self.refresh()
        return self.snapshot

    def follow(self) -> None:
        """Refresh now and then until the end."""
        self.tables.app()  # before anybody waits for it
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

    def end_replays(self) -> None:
        """End all replay servers: what they show may have been withdrawn."""
        with self._replay_lock:
            for _, stack in self._replays.values():
                stack.close()
            self._replays.clear()

    def stop(self) -> None:
        """End what was started."""
        self._stopped.set()
        self.end_replays()


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
    "/provenance/{name}": lambda shelf, request: pages.provenance_page(_reached(shelf), request.path_params["name"]),
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
    "/day/{day}/{number}": lambda shelf, request: pages.day_page(
        shelf, _day(request.path_params["day"]), _number(request)
    ),
    "/status": _simple(pages.status_page),
    "/about": _simple(pages.about_page),
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
    _reached(shelf)
    try:
        version = shelf.archive.oped(name)
    except (NotArchived, WrongUsage):
        if not any(one.article_id == name for one in shelf.snapshot.set_aside):
            raise NotArchived(f"no page of {name} is in the archive") from None
        return last_capture(open_store(shelf.snapshot.settings), name), None
    page = shelf.archive.page(version)
    return Capture(page.url, page.fetched_at, 200, page.headers, page.body), version


def _reached(shelf: Shelf) -> Shelf:
    """Return what was given, once the bucket answers: an object that cannot be had is not one that is not there."""
    try:
        read_identity(open_store(shelf.snapshot.settings))
    except (NotArchived, NoArchive) as error:
        raise StoreUnavailable("the archive cannot be reached now") from error
    return shelf


def application(browser: Browser, hosts: list[str]) -> ASGIApp:
    """Return the server's application; it answers to these hosts alone, so that no other page reaches it by a name."""

    def endpoint(make: Make) -> Callable[[Request], Response]:
        return lambda request: _answer(browser, request, make)

    routes = [Route(path, endpoint(make)) for path, make in PAGE_ROUTES.items()]
    routes += [Route(f"/{name}", _download(browser, name)) for name in DOWNLOADS]
    routes += [Route(f"/{name}", _asset(name)) for name in ASSETS]
    routes += [Route("/favicon.ico", _asset(ICON)), Route("/data", lambda request: RedirectResponse("/data/"))]
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
        status, page = _status_of(error), _instead(browser, snapshot, path, error)
    around = Surroundings(snapshot, True, browser.right, browser.trouble, browser.replays)
    # links are relative to where the reader is, which may be another spelling of the page's own address
    return Response(
        drawn_page(WebPage(path, page.template, page.title, page.values), around), status, media_type="text/html"
    )


def _instead(browser: Browser, snapshot: Snapshot, path: str, error: OpedsError) -> WebPage:
    """Return what is shown instead of a page: why, and where to go; nothing of where files lie on this machine."""
    name = path.rpartition("/")[2]
    if path.startswith("oped/") and any(one.article_id == name for one in snapshot.set_aside):
        return pages.missing_page(
            path, "This page was set aside: it could not be trusted", "Set aside", f"captured/{name}"
        )
    sentence = str(error).replace(str(browser.path), "the archive's file").partition("; `opeds")[0]
    return pages.missing_page(path, sentence, "Not here" if _status_of(error) == MISSING_STATUS else "Not now")


def _status_of(error: OpedsError) -> int:
    if isinstance(error, TakesTooLong | StoreUnavailable):
        return 503
    return 400 if isinstance(error, WrongUsage) else MISSING_STATUS


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
        await self.browser.tables.app()(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        of_tables = scope["path"].startswith("/data/")
        nonce = secrets.token_urlsafe(16)
        policy = OF_TABLES.format(nonce=nonce) if of_tables else STRICT

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(n, v) for n, v in message.get("headers", []) if n.lower() != b"set-cookie"]
                there = {name.lower() for name, _ in headers}
                told = {**COMMON_HEADERS, "content-security-policy": policy}
                headers += [(n.encode(), v.encode()) for n, v in told.items() if n.encode() not in there]
                message = {**message, "headers": headers}
            await send(message)

        _nonce.set(nonce)
        refused = _refusal(scope)
        if refused:
            return await refused(scope, receive, guarded)
        await (self.guarded_tables if of_tables else self.app)(scope, receive, guarded)
        return None


def _refusal(scope: Scope) -> Response | None:
    """Return what is answered to a request that must not be: one that would write, or that a foreign page makes."""
    headers = Headers(scope=scope)
    if scope["method"] not in {"GET", "HEAD"}:
        return PlainTextResponse("these pages are read only", 405)
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return PlainTextResponse("another site's page asks for this; it gets nothing", 403)
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


class Tables:
    """Datasette over the archive's file, made when it is first asked for, since it is slow to start.

    It is made anew where the file was replaced, so that nothing that was withdrawn stays open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made: tuple[int, Any, ASGIApp] | None = None
        self._lock = threading.Lock()

    def app(self) -> ASGIApp:
        """Return the application over the file as it lies now."""
        with self._lock:
            inode = self.path.stat().st_ino
            if self._made is None or self._made[0] != inode:
                self._close()
                datasette = datasette_over(self.path)
                self._made = inode, datasette, datasette.app()
            return self._made[2]

    def forget(self, path: Path) -> None:
        """Close a file that was replaced."""
        with self._lock:
            self.path = path
            if self._made is not None and self._made[0] != path.stat().st_ino:
                self._close()

    def _close(self) -> None:
        if self._made is not None:
            for database in self._made[1].databases.values():
                database.close()
            self._made = None


def _bounded(conn: Any) -> None:
    """Let no value that SQL of a reader makes be larger than some megabytes."""
    conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_OF_A_VALUE)


def datasette_over(path: Path) -> Any:
    """Return Datasette over the archive's file, under /data: every table with search, facets, JSON and CSV.

    Read only, with a limit of time; scripts within its templates get the number that its policy names.
    """
    from datasette import app, handle_exception, hookimpl, plugins
    from datasette.database import Database

    searched = {"fts_table": "search", "fts_pk": "id"}
    about = {"description": "Every version of every article: one row each", "columns": ARTICLE_COLUMNS, **searched}
    datasette = app.Datasette(
        [],
        settings={
            "base_url": "/data/",
            "sql_time_limit_ms": 2000,
            "num_sql_threads": 2,
            "truncate_cells_html": 300,
            "default_page_size": 50,
            "allow_download": False,
        },
        metadata={
            "title": "Tables of the archive",
            "source": "the pages of this archive",
            "source_url": "/",
            "databases": {"opeds": {"tables": {"catalogue": about, "opeds": searched}, "queries": QUERIES}},
        },
    )
    if not plugins.pm.has_plugin(BOUNDS):
        bounds = ModuleType(BOUNDS)
        bounds.prepare_connection = hookimpl(_bounded)  # type: ignore[attr-defined]
        plugins.pm.register(bounds, BOUNDS)
    datasette.remove_database("_memory")
    handle_exception.rich = None  # it would print a page for each slip of the pen in a reader's SQL
    datasette.add_database(Database(datasette, path=str(path), is_mutable=True), name="opeds")
    datasette.jinja_env.loader = _Numbered(datasette.jinja_env.loader)
    datasette.jinja_env.globals["script_nonce"] = _nonce.get
    return datasette


# -- the process ---------------------------------------------------------------------------------------------------


def bound(host: str, port: int) -> socket.socket:
    """Return a socket to serve at; where no port is asked for and the usual one is taken, at any."""
    for number in (port,) if port else (FIRST_PORT, 0):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            made.bind((host, number))
            made.listen(WAITING_CALLS)  # at once: else another process could take the same
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
