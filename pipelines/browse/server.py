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
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import IO

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.archive.identity import read_identity
from pipelines.archive.keys import captures_prefix
from pipelines.archive.store import open_store
from pipelines.browse import pages
from pipelines.browse.captured import capture_at, page_words, source_of
from pipelines.browse.datasette_tables import OF_TABLES, Tables, script_number
from pipelines.browse.draw import ICON, POLICY, STYLE, Surroundings, asset, drawn_page
from pipelines.browse.pages import Shelf, WebPage
from pipelines.browse.searched import asked_of, search_page
from pipelines.browse.snapshot import Snapshot, last_run
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
MISSING_STATUS = 404
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
SILENT_SOURCE = "default-src 'none'; sandbox"
DOWNLOADS = {
    "search.csv": ("text/csv", "opeds-exact.csv", write_csv),
    "search.spreadsheet.csv": ("text/csv", "opeds-for-spreadsheets.csv", write_spreadsheet),
    "search.jsonl": ("application/x-ndjson", "opeds.jsonl", write_jsonl),
}


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
            if there == (known.about, known.last_run, known.inode, known.today):
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
    "/search": lambda shelf, request: search_page(shelf, asked_of(request.query_params)),
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
    store = open_store(_reached(shelf).snapshot.settings)
    try:
        version = shelf.archive.oped(name)
    except (NotArchived, WrongUsage):
        if not any(one.article_id == name for one in shelf.snapshot.set_aside):
            raise NotArchived(f"no page of {name} is in the archive") from None
        return capture_at(store, max(store.keys(captures_prefix(name)), default=captures_prefix(name))), None
    return capture_at(store, version.row["capture_key"]), version


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
    pages_alone = Starlette(routes=routes)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (browser.tables.app() if _is_of_tables(scope) else pages_alone)(scope, receive, send)

    return _Guarded(TrustedHostMiddleware(either, allowed_hosts=hosts))


def _is_of_tables(scope: Scope) -> bool:
    return str(scope["path"]).startswith("/data/")


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
        asked = asked_of(request.query_params)
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
    """Lead to where a version's page is replayed; where it cannot be, a page says why."""
    try:
        with ArchiveReader(browser.settings, browser.path) as archive:
            version = archive.oped(request.path_params["name"])
        return RedirectResponse(browser.replay(version), 303)
    except OpedsError as error:
        why = error

        def failing(shelf: Shelf, request: Request) -> WebPage:
            raise why

        return _answer(browser, request, failing)


# -- around every answer -------------------------------------------------------------------------------------------


class _Guarded:
    """Puts the headers that keep a browser from harm on every answer, and refuses what must not be asked."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = secrets.token_urlsafe(16)
        policy = OF_TABLES.format(number=number) if _is_of_tables(scope) else STRICT

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(n, v) for n, v in message.get("headers", []) if n.lower() != b"set-cookie"]
                there = {name.lower() for name, _ in headers}
                told = {**COMMON_HEADERS, "content-security-policy": policy}
                headers += [(n.encode(), v.encode()) for n, v in told.items() if n.encode() not in there]
                message = {**message, "headers": headers}
            await send(message)

        script_number.set(number)
        await (_refusal(scope) or self.app)(scope, receive, guarded)


def _refusal(scope: Scope) -> Response | None:
    """Return what is answered to a request that must not be: one that would write, or that a foreign page makes."""
    headers = Headers(scope=scope)
    if scope["method"] not in {"GET", "HEAD"}:
        return PlainTextResponse("these pages are read only", 405)
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return PlainTextResponse("another site's page asks for this; it gets nothing", 403)
    return None


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
