"""Datasette over the archive's file, under /data: every table with search, facets, SQL, JSON and CSV."""

from __future__ import annotations

import sqlite3
import threading
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

from jinja2 import BaseLoader, Environment
from starlette.types import ASGIApp

from pipelines.catalogue.schema import ARTICLE_COLUMNS

BOUNDS = "opeds-bounds"  # name of our plugin of Datasette
MOST_OF_A_VALUE = 20_000_000  # bytes of a value that SQL of a reader may make
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
        "sql": "SELECT published_day, headline, names, article_id FROM opeds WHERE id IN "
        "(SELECT rowid FROM search WHERE search MATCH :word) ORDER BY sort_at DESC LIMIT 100",
    },
}
OF_TABLES = (  # Datasette has scripts and styles within its pages: the scripts have a number used once
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; script-src 'self' 'nonce-{number}'"
)
script_number: ContextVar[str] = ContextVar("script_number", default="")


class _Numbered(BaseLoader):
    """Gives each script that a template has the number of its answer; what stands in a table gets none."""

    def __init__(self, loader: BaseLoader) -> None:
        self.loader = loader

    def get_source(self, environment: Environment, template: str) -> Any:
        source, filename, is_fresh = self.loader.get_source(environment, template)
        return source.replace("<script", '<script nonce="{{ script_number() }}"'), filename, is_fresh

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
    datasette.jinja_env.globals["script_number"] = script_number.get
    return datasette
