"""The pages in a real browser, by keyboard: what a reader does, in light, dark, narrow and on paper.

Nothing may leave this machine, nothing may be said on the console, and axe must find nothing. Needs Debian's Chromium,
which `make test` installs where it may.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, Route, sync_playwright

from pipelines.errors import StoreUnavailable
from pipelines.jobs.replay import program
from pipelines.settings import Settings
from tests.conftest import ROOT, environment_of, seldom
from tests.test_browse import CALL, LARGEST, shown_archive

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)")
OURS = (
    "", "search?q=wall", "oped/kjd-c2068161", "oped/kjd-c2068164", "columnists", "corrections", "status", "year/2024",
    "day/2024-06-13", "day/2024-06-14", "captured/kjd-c2068161", "columnist/kimhyunki", "nowhere",
)  # fmt: skip
WIDTHS = {"wide": 1280, "narrow": 360}
OF_DATASETTE = {  # what axe finds on Datasette's own pages, which are its own: listed, so that no more comes unseen
    "color-contrast", "heading-order", "html-has-lang", "label", "landmark-one-main", "link-in-text-block", "region",
    "select-name", "scrollable-region-focusable",
}  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return shown_archive(tmp_path_factory.mktemp("shown"))


@pytest.fixture(scope="module")
def site(shown: Settings) -> Iterator[str]:
    """`opeds browse` as a person starts it; its address."""
    process = subprocess.Popen(
        [*CALL, "--no-browser", "--json"],
        env={**os.environ, **environment_of(shown)},
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline())["address"]
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture(scope="module")
def files(shown: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same pages as files, in a folder of the simplest server; its address."""
    folder = tmp_path_factory.mktemp("files") / "site"
    ran = subprocess.run(
        [*CALL, "--static", str(folder), "--json"], env={**os.environ, **environment_of(shown)}, cwd=ROOT,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(ran.stdout)["largest"] < LARGEST

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/site/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--no-proxy-server"])
        yield browser
        browser.close()


class Watched:
    """A page of a browser, and what must not happen in it."""

    def __init__(self, context: BrowserContext) -> None:
        self.said: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        context.route("**/*", self._asked)

    def _asked(self, route: Route) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            return route.continue_()
        self.said.append(f"asked {route.request.url}")
        return route.abort()

    def violations(self) -> set[str]:
        """Return what axe finds on the page as it stands."""
        return {f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in Axe().run(self.page).response["violations"]}

    def tab_to(self, name: str, most: int = 400) -> None:
        """Go on by the tabulator until a link or a control of that name has the focus."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            said = self.page.evaluate(
                "(e => e.getAttribute('aria-label') || e.innerText || e.id || '')(document.activeElement)"
            )
            if name in said:
                return
        raise AssertionError(f"no {name!r} by keyboard on {self.page.url}")

    def follow(self, name: str) -> None:
        """Go to a link by keyboard, and open it."""
        self.tab_to(name)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")


@pytest.fixture
def watched(chromium: Chromium) -> Iterator[Watched]:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    one = Watched(context)
    yield one
    context.close()


def test_a_reader_does_everything_by_keyboard(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Enter")
    watched.tab_to("q")
    page.keyboard.type('"sea wall"')
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("mark").first.inner_text() == "sea wall"
    watched.follow("Who pays")
    assert page.locator("h1").inner_text() == "Who pays"
    assert page.get_by_text("The paper changed this op-ed").is_visible()
    watched.tab_to("what changed")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "Really." in page.locator(".diff ins").first.inner_text()
    page.go_back()
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    assert "Kim, H." in page.evaluate("navigator.clipboard.readText()")
    watched.follow("what was captured")
    assert page.get_by_text("Its source as it was served").is_visible()
    page.goto(site)
    watched.follow("14 June 2024: 0 op-eds; never run")
    assert page.get_by_text("No run ever looked at this day").is_visible()
    assert watched.said == []


def test_where_a_text_comes_from_is_checked_link_by_link(site: str, watched: Watched) -> None:
    watched.page.goto(f"{site}oped/kjd-c2068163")
    watched.follow("Check each link")
    assert watched.page.get_by_text("Each link holds.").is_visible()
    assert watched.page.locator("ol.chain > li").count() == 5
    assert watched.said == []


def test_the_captured_page_is_replayed(site: str, watched: Watched) -> None:
    try:
        program("wayback")
    except StoreUnavailable:
        pytest.skip("pywb is not installed: make replay")
    watched.page.goto(f"{site}oped/kjd-c2068161")
    watched.follow("replay it")
    frame = watched.page.frame_locator("#replay_iframe")
    assert "Who pays" in frame.locator("h1").first.inner_text(timeout=20_000)
    assert not [said for said in watched.said if said.startswith("asked")]


def test_without_pywb_a_reader_learns_what_to_install(site: str, watched: Watched) -> None:
    if (Path(sys.prefix) / "replay").exists():
        pytest.skip("pywb is installed")
    watched.page.goto(f"{site}replay/kjd-c2068161")
    assert "make replay" in watched.page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", "wide"),
        ("dark", "narrow"),
        seldom("dark", "wide"),
        seldom("light", "narrow"),
    ],
)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    site: str, chromium: Chromium, scheme: str, width: str
) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": WIDTHS[width], "height": 900})  # type: ignore[arg-type]
    one = Watched(context)
    for path in OURS:
        one.page.goto(site + path)
        assert one.violations() == set(), path
        assert one.page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width], path
    context.close()
    assert [said for said in one.said if "404" not in said] == []


def test_pages_do_without_scripts_and_read_well_on_paper(site: str, chromium: Chromium, tmp_path: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    page.get_by_role("searchbox").fill("wall")
    page.get_by_role("button", name="Search").click()
    assert page.get_by_role("heading", name="Who pays").is_visible()
    page.emulate_media(media="print")
    page.goto(f"{site}oped/kjd-c2068161")
    assert not page.get_by_role("navigation", name="Pages").is_visible()
    assert page.locator(".text").is_visible()
    assert len(page.pdf(path=tmp_path / "oped.pdf")) > 10_000
    context.close()


def test_files_are_searched_by_headline(files: str, watched: Watched) -> None:
    page = watched.page
    page.goto(files)
    watched.tab_to("q")
    page.keyboard.type("ward")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator("#found a").first.wait_for(timeout=20_000)
    assert watched.violations() == set()
    assert page.locator("#told").inner_text() == "1 found"
    watched.follow("The empty ward")
    assert page.locator("h1").inner_text() == "The empty ward"
    watched.follow("Columnists")
    watched.follow("Seo Ji-an")
    assert watched.violations() == set()
    assert watched.said == []


def test_the_tables_of_datasette_ask_nobody_and_say_nothing(site: str, watched: Watched) -> None:
    for path in ("data/", "data/opeds", "data/opeds/catalogue?_facet=kind&_search=wall", "data/opeds?sql=select+1"):
        watched.page.goto(site + path)
        watched.page.wait_for_load_state("networkidle")
        assert {one.partition(":")[0] for one in watched.violations()} <= OF_DATASETTE, path
    assert watched.said == []
    watched.page.goto(f"{site}data/opeds/catalogue")
    watched.page.locator(".dropdown-menu-icon").first.click()
    assert watched.page.locator(".dropdown-menu").first.is_visible(), "its scripts run"
