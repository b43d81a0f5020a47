"""From a page as values to HTML. Whatever stands in a page is escaped, and shown even where it could not be seen."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from pipelines.browse.pages import WebPage
from pipelines.browse.snapshot import Snapshot, slug_of
from pipelines.browse.words import STANDINGS, outcome_in_words, reasons_in_words
from pipelines.catalogue.calendar import DAY_MARKS
from pipelines.clock import minute_in_seoul
from pipelines.exports.search import FOUND_BEGINS, FOUND_ENDS

HARMLESS = frozenset("\t\n\r\u00ad\u200b\u200c\u200d\u2060\ufeff")  # not printable, and not to be seen either
COLUMNS_OF_A_BOX = 72  # letters of a line of a citation, at the usual width
STYLE, SCRIPT, ICON = "style.css", "search.js", "icon.svg"
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'"
SEARCH_POLICY = (  # of the one page of files that has a script: it reads the index that lies beside it
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
)


@dataclass(frozen=True)
class Surroundings:
    """What stands around each page: the state of the archive, whether a server draws it, and by which right."""

    snapshot: Snapshot
    live: bool = True
    right: str = ""  # by which the op-eds are shown to others, in the words of who shows them
    trouble: str = ""  # why the pages may be of yesterday
    replays: bool = False


def drawn_page(page: WebPage, around: Surroundings) -> str:
    """Return a page as HTML, with links relative to its own path."""
    linked = linker(page.path, around.live)
    values = {
        **page.values,
        "page": page,
        "around": around,
        "link": linked,
        "asset": lambda name: _relative(name, page.path),
        "policy": SEARCH_POLICY if page.template == "static_search.html" else POLICY,
    }
    return environment().get_template(page.template).render(values)


def linker(path: str, live: bool) -> Callable[..., str]:
    """Return what makes links from a page to others: relative, with `.html` at their end where pages are files."""

    def link(*parts: object, query: str = "") -> str:
        target = "/".join(str(part) for part in parts)
        return _relative(target if live else static_name(target), path) + (f"?{query}" if query else "")

    return link


def static_name(path: str) -> str:
    """Return the name of the file that a page is.

    >>> static_name(""), static_name("oped/kjd-c2068163")
    ('index.html', 'oped/kjd-c2068163.html')
    """
    return f"{path or 'index'}.html"


def _relative(target: str, path: str) -> str:
    folder, _, name = target.rpartition("/")
    found = posixpath.relpath(f"/{folder}", f"/{posixpath.dirname(path)}")
    return quote(f"{found}/{name}".removeprefix("./") or "./", safe="/@.-_~")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the templates with what they may call."""
    made = Environment(
        loader=PackageLoader("pipelines.browse"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["legend"] = [(standing, DAY_MARKS[standing], said) for standing, said in STANDINGS.items()]
    made.filters |= {
        "moment": seoul_moment,
        "day": spelled_day,
        "found": found_marked,
        "web": web_address,
        "slug": slug_of,
        "reasons": reasons_in_words,
        "outcome": outcome_in_words,
        "site": site_name,
        "rows": lambda text: sum(1 + len(line) // COLUMNS_OF_A_BOX for line in text.splitlines()) + 1,
        "percent": lambda share: f"{share:.0%}",
        "number": lambda count: f"{count:,}",
    }
    return made


def _seen(value: Any) -> Any:
    """Return a value as a page shows it: signs that steer a terminal or turn a line around are spelled out.

    >>> _seen("a\\x1b[31m\\u202eb")
    'a␛[31m⟨U+202E⟩b'
    """
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(sign if sign.isprintable() or sign in HARMLESS else _spelled_out(sign) for sign in value)


def _spelled_out(sign: str) -> str:
    code = ord(sign)
    if sign.isspace():
        return " "
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


@pass_context
def site_name(context: Context, source: str) -> str:
    """Return what readers call a source."""
    return str(context["around"].snapshot.sites.get(source, source))


def seoul_moment(value: datetime | None) -> str:
    """Return a moment in Seoul, to the minute."""
    return minute_in_seoul(value) if value else "an unknown moment"


def spelled_day(value: date | None) -> str:
    """Return a day as a reader spells it.

    >>> spelled_day(date(2026, 6, 1))
    '1 June 2026'
    """
    return f"{value.day} {value:%B %Y}" if value else "undated"


def found_marked(passage: str) -> Markup:
    """Return a passage with what was found in it marked."""
    pieces = " ".join(passage.split(" ")).split(FOUND_BEGINS)
    shown = Markup.escape(_seen(pieces[0]))
    for piece in pieces[1:]:
        inside, _, behind = piece.partition(FOUND_ENDS)
        shown += Markup("<mark>{}</mark>{}").format(_seen(inside), _seen(behind))
    return shown


def web_address(url: str) -> str:
    """Return an address where it may be a link, else nothing: pages name other schemes too."""
    try:
        return url if urlsplit(url).scheme in {"http", "https"} and urlsplit(url).hostname else ""
    except ValueError:
        return ""


def asset(name: str) -> bytes:
    """Return a file that pages need beside them."""
    return files("pipelines.browse").joinpath("assets", name).read_bytes()
