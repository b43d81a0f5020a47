"""Other tools of web archiving: what they write we read, what we write they read. `make test-others`."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import brotli
import pytest
from backports import zstd

from newsstand import pages
from newsstand.past import build_past
from newsstand.server import Newsstand, parse_clock, running
from pipelines.archive.records import Record, records
from pipelines.archive.store import open_store
from pipelines.archive.warc import read_capture
from pipelines.client import open_archive
from pipelines.errors import NotArchived
from pipelines.exports.export import ENDINGS
from pipelines.index.opened import open_to_write
from pipelines.jobs import replay
from pipelines.jobs.import_warc import ingest_files
from pipelines.jobs.replay import replaying
from pipelines.jobs.report import Report
from pipelines.settings import Settings
from pipelines.sources import load_sources
from pipelines.sources.addresses import place_of
from tests.conftest import ROOT, Command, World, state
from tests.test_client import fill

OTHERS = ROOT / ".venv" / "others" / "bin"
pytestmark = pytest.mark.skipif("OTHERS" not in os.environ, reason="needs other tools: make test-others")
WEEK = ("--since", "2026-06-01", "--until", "2026-06-07")
QUIET = lambda *_: None  # noqa: E731


def run(*words: object, **more: Any) -> str:
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# -- what we write -----------------------------------------------------------------------------------------------


@pytest.fixture
def written(opeds: Command, newsstand: World, folder: Settings, tmp_path: Path) -> tuple[Settings, list[Path]]:
    """A week, looked at twice, and its WARC files in a folder."""
    for _ in range(2):
        assert opeds("run", *WEEK, settings=folder).code == 0
        newsstand.advance("2026-06-11T08:00")
    files = []
    store = open_store(folder)
    for key in (key for prefix in ("captures/", "crawls/") for key in store.keys(prefix) if key.endswith(".warc.gz")):
        files.append(tmp_path / "warcs" / key.replace("/", "_"))
        files[-1].parent.mkdir(exist_ok=True)
        files[-1].write_bytes(store.read(key))
    return folder, files


def test_each_capture_is_listed_once_and_every_file_is_sound(written: tuple[Settings, list[Path]]) -> None:
    _, files = written
    listed = [line.split(" ", 2) for line in run(OTHERS / "cdxj-indexer", *files).splitlines()]
    told = [(key, when, json.loads(rest)) for key, when, rest in listed]
    assert len({(key, when, one["digest"]) for key, when, one in told}) == len(told)
    captured = [one for _, _, one in told if one["filename"].startswith("captures_")]
    assert len(captured) == sum(file.name.startswith("captures_") for file in files)
    assert {one["mime"] for one in captured} == {"text/html"}
    assert sum(one["mime"] == "warc/revisit" for _, _, one in told) > 10
    assert "failed" not in run(OTHERS / "warcio", "check", *files)
    for file in files:
        run(OTHERS / "fastwarc", "check", file)


def test_every_capture_replays_as_its_page(written: tuple[Settings, list[Path]], tmp_path: Path) -> None:
    _, files = written
    home = tmp_path / "pywb"
    home.mkdir()
    run(OTHERS / "wb-manager", "init", "opeds", cwd=home)
    run(OTHERS / "wb-manager", "add", "opeds", *files, cwd=home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [str(OTHERS / "wayback"), "-p", str(port)], cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as wayback:
        try:
            looks = 0
            for url, when, payload in _looks(files):
                assert _replayed(port, f"{when}id_/{url}") == payload, (when, url)
                looks += 1
        finally:
            wayback.terminate()
    assert looks > 40


def _looks(files: list[Path]) -> Iterator[tuple[str, str, bytes]]:
    """Yield each page with each moment at which it was seen: when it was captured, and when it was seen again."""
    payloads = {}
    for file in (file for file in files if file.name.startswith("captures_")):
        capture = read_capture(file.read_bytes(), file.name)
        payloads[capture.url, f"{capture.fetched_at:%Y%m%d%H%M%S}"] = capture.payload
    for (url, when), payload in payloads.items():
        yield url, when, payload
    for file in (file for file in files if file.name.startswith("crawls_")):
        for record in records(file.open("rb"), lambda *_: 0):
            if isinstance(record, Record) and record.kind == "revisit":
                since = re.sub(r"\D", "", record.header("warc-refers-to-date"))
                yield record.url, re.sub(r"\D", "", record.header("warc-date")), payloads[record.url, since]


def _replayed(port: int, path: str) -> bytes:
    for _ in range(60):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/opeds/{path}", timeout=20) as answer:
                body: bytes = answer.read()
                return gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
        except ConnectionError:
            time.sleep(0.5)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
            time.sleep(0.5)
    raise AssertionError("pywb does not answer")


# -- what others write -------------------------------------------------------------------------------------------


def addresses(stand: Newsstand) -> list[str]:
    opeds_ = [one for one in stand.stand.world.opeds if "2026-06-01" <= f"{one.published:%Y-%m-%d}" <= "2026-06-07"]
    own = [f"https://{pages.JOINS}{pages.c_path(one)}" for one in opeds_]
    return [*own, *(f"https://{pages.DAUM}/v/{one.daum_id()}" for one in opeds_ if one.daum_at)]


def by_wget(stand: Newsstand, urls: list[str], into: Path, dedup: str = "") -> Path:
    """Record with wget; with `dedup` an earlier recording's CDX, so that unchanged pages are revisits."""
    listed = into / "urls"
    listed.write_text("\n".join(urls) + "\n")
    certificate = stand.environment(into)["SSL_CERT_FILE"]
    name = "wget2" if dedup else "wget"
    words = ["wget", "-q", "-i", listed, "-O", "/dev/null", f"--warc-file={into / name}", "--warc-cdx"]
    words += ["--no-warc-keep-log", f"--ca-certificate={certificate}"]
    words += ["-e", "use_proxy=on", "-e", f"https_proxy={stand.address}", "-e", "robots=off"]
    words += [f"--warc-dedup={dedup}"] if dedup else []
    run(*words, cwd=into)
    return into / f"{name}.warc.gz"


class _Socks(socketserver.BaseRequestHandler):
    """SOCKS 5 in, CONNECT out: warcprox knows no other proxy, and asks nothing of 127.0.0.1."""

    upstream: tuple[str, int] = ("", 0)

    def handle(self) -> None:
        client = self.request
        client.recv(262)
        client.sendall(b"\x05\x00")
        head = client.recv(5)
        host = client.recv(head[4]).decode() if head[3] == 3 else socket.inet_ntoa(bytes([head[4]]) + client.recv(3))
        port = int.from_bytes(client.recv(2), "big")
        with socket.create_connection(self.upstream) as server:
            server.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode())
            while not server.recv(4096).endswith(b"\r\n\r\n"):
                pass
            client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join(5)


def _pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(1 << 16):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def socks(stand: Newsstand) -> Iterator[int]:
    handler = type("Socks", (_Socks,), {"upstream": ("127.0.0.1", stand.server_address[1])})
    with socketserver.ThreadingTCPServer(("127.0.0.2", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()


def by_warcprox(stand: Newsstand, urls: list[str], into: Path) -> Path:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    certificate = into / "ca.pem"
    words: list[object] = [OTHERS / "warcprox", "-p", port, "-d", into / "wp", "-z", "--cacert", certificate]
    words += ["--certs-dir", into / "certs", "-j", into / "dedup.db"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    proxied = urllib.request.ProxyHandler({"https": f"http://127.0.0.1:{port}"})
    opener = urllib.request.build_opener(proxied, urllib.request.HTTPSHandler(context=context))
    more: dict[str, Any] = {"cwd": into, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        socks(stand) as proxy,
        subprocess.Popen([*map(str, words), "--socks-proxy", f"127.0.0.2:{proxy}"], **more) as recorder,
    ):
        try:
            for url in [*urls, *urls[:3]]:  # the first three again: revisits
                _asked(opener, url)
            time.sleep(2)
        finally:
            recorder.terminate()
            recorder.wait(30)
    return into / "wp"


def _asked(opener: urllib.request.OpenerDirector, url: str) -> None:
    for attempt in range(30):
        try:
            opener.open(urllib.request.Request(url, headers={"Accept-Encoding": "gzip"}), timeout=20).read()
        except (OSError, ssl.SSLError):
            if attempt == 29:
                raise
            time.sleep(0.3)
        else:
            return


def plain_records(file: Path) -> list[bytes]:
    """Return every record of a WARC file, plain."""
    found = []
    for record in records(file.open("rb"), lambda *_: 1 << 30):
        assert isinstance(record, Record), record
        head = "".join(f"{name}: {value}\r\n" for name, value in record.headers)
        found.append(f"WARC/1.0\r\n{head}\r\n".encode() + record.block + b"\r\n\r\n")
    return found


def as_arc(file: Path) -> bytes:
    parts = [b"filedesc://x.arc 0.0.0.0 20260607000000 text/plain 10\n1 0 x\nURL \n\n"]
    for record in records(file.open("rb"), lambda *_: 1 << 30):
        if isinstance(record, Record) and record.kind == "response":
            date = re.sub(r"\D", "", record.header("warc-date"))[:14]
            head = f"{record.url} 127.0.0.1 {date} text/html {len(record.block)}\n".encode()
            parts.append(head + record.block + b"\n")
    return b"".join(gzip.compress(part) for part in parts)


def as_wacz(file: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("archive/data.warc.gz", file.read_bytes())
        made.writestr("datapackage.json", "{}")
    return packed.getvalue()


@pytest.fixture
def recorded(newsstand: World, scrapy: Command, folder: Settings, tmp_path: Path) -> dict[str, list[Path]]:
    """The same week as other tools record it."""
    urls, into = addresses(newsstand.stand), tmp_path / "recorded"
    into.mkdir()
    wget = by_wget(newsstand.stand, urls, into)
    again = by_wget(newsstand.stand, urls, into, dedup=str(into / "wget.cdx"))
    made = {
        "wget": [wget],
        "wget --warc-dedup": [wget, again],
        "warcprox": [by_warcprox(newsstand.stand, urls, into)],
        "arc": [into / "a.arc.gz"],
        "zst": [into / "a.warc.zst"],
        "wacz": [into / "a.wacz"],
    }
    made["arc"][0].write_bytes(as_arc(wget))
    made["zst"][0].write_bytes(b"".join(map(zstd.compress, plain_records(wget))))
    made["wacz"][0].write_bytes(as_wacz(wget))
    for name in ("kjd", "daum"):
        file = into / f"{name}.warc.gz"
        mine = " ".join(url for url in urls if (pages.DAUM in url) == (name == "daum"))
        if mine:
            scrapy("crawl", name, "-a", f"url={mine}", "-a", f"warc={file}", settings=folder)
            made.setdefault("scrapy", []).append(file)
    return made


def take(settings: Settings, home: Path, *files: Path) -> tuple[Report, Settings]:
    own = replace(settings, archive=f"file://{home}/archive", home=home)
    return ingest_files(own, [str(file) for file in files], QUIET), own


def test_a_week_is_the_same_whoever_recorded_it(
    recorded: dict[str, list[Path]], folder: Settings, tmp_path: Path
) -> None:
    stands = {}
    for way, files in recorded.items():
        report, own = take(folder, tmp_path / way.replace(" ", ""), *files)
        assert report.complete, (way, report.failures, report.damage)
        stands[way] = state(own)
    assert all(not orphans for _, orphans in stands.values())
    assert {way for way, (rows, _) in stands.items() if rows == stands["wget"][0]} == set(recorded)
    assert len(stands["wget"][0]) > 12
    twice = [file for files in recorded.values() for file in files]
    for n, order in enumerate((twice, twice[::-1])):
        _, own = take(folder, tmp_path / f"all{n}", *order)
        assert state(own) == stands["wget"], "all of them, in any order"


def flip(body: bytes) -> bytes:
    at = len(body) // 2
    return body[:at] + bytes([body[at] ^ 0x55]) + body[at + 1 :]


def cut(body: bytes) -> bytes:
    return body[: len(body) - 200]


def with_br(body: bytes) -> bytes:
    """Put an answer with `br` and chunks, of another site, before all others."""
    coded = brotli.compress(b"<html>other</html>" * 50)
    http = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n"
    block = http + b"%x\r\n%s\r\n0\r\n\r\n" % (len(coded), coded)
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://x.org/\r\n"
    head += b"WARC-Date: 2026-06-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
    record = head + b"Content-Length: %d\r\n\r\n" % len(block) + block + b"\r\n\r\n"
    pack: Callable[[bytes], bytes] = zstd.compress if body.startswith(b"\x28\xb5") else gzip.compress
    return pack(record) + body


@pytest.mark.parametrize("fault", [flip, cut, with_br])
def test_one_fault_costs_itself_and_is_named(
    fault: Callable[[bytes], bytes], recorded: dict[str, list[Path]], folder: Settings, tmp_path: Path
) -> None:
    whole = state(take(folder, tmp_path / "whole", *recorded["wget"])[1])[0]
    for way in ("wget", "scrapy", "arc", "zst", "warcprox"):
        if fault is with_br and way == "arc":
            continue
        sources = sorted(recorded[way][0].iterdir()) if recorded[way][0].is_dir() else recorded[way]
        files = []
        for n, source in enumerate(sources):
            files.append(tmp_path / f"{way}-{n}{''.join(source.suffixes[-2:])}")
            files[-1].write_bytes(fault(source.read_bytes()) if n == 0 else source.read_bytes())
        report, own = take(folder, tmp_path / f"{fault.__name__}-{way}", *files)
        rows = state(own)[0]
        lost = {row[0] for row in whole} - {row[0] for row in rows}
        assert len(lost) <= 1, (way, lost)
        aside = [o for o in report.outcomes if "digest_mismatch" in o.reasons]
        assert report.damage or report.failures or aside or not lost, way
        if fault is with_br:
            assert (lost, report.complete) == (set(), True), way


# -- what others fetched from public archives ----------------------------------------------------------------------


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[tuple[Newsstand, dict[str, str]]]:
    """The replicas of public archives, with a year of the past."""
    past = build_past(9, "2011-03", "2012-02", a_month=3)
    with running(tmp_path, parse_clock("2026-06-30T23:59"), past=past) as stand:
        environment = {**os.environ, **stand.environment(tmp_path), "CDXT_IA_MIN_RETRY_INTERVAL": "0.01"}
        environment["REQUESTS_CA_BUNDLE"] = environment["SSL_CERT_FILE"]
        yield stand, environment


def moments(stand: Newsstand) -> set[tuple[str, str]]:
    """Return each article and moment that the archives captured a page of."""
    assert stand.stand.past
    sources = load_sources().values()
    found = ((place_of(c.url, sources), c.stamp) for c in stand.stand.past.captures if c.status == 200 and not c.cut)
    return {(place.article_id, stamp) for place, stamp in found if place}


def told_moments(report: Report) -> set[tuple[str, str]]:
    seen = ((o.article_id, o.fetched_at) for o in report.outcomes if o.content16)
    return {(article_id, re.sub(r"\D", "", when)) for article_id, when in seen}


def test_cdx_toolkit_brings_captures_at_their_moments(
    archives: tuple[Newsstand, dict[str, str]], folder: Settings, tmp_path: Path
) -> None:
    stand, environment = archives
    run(OTHERS / "cdxt", "--ia", "warc", "koreajoongangdaily.joins.com/2011/*", env=environment, cwd=tmp_path)
    files = sorted(tmp_path.glob("*.warc.gz"))
    report, _ = take(folder, tmp_path / "taken", *files)
    told = told_moments(report)
    assert len(told) > 20
    assert told <= moments(stand)


def test_wget_brings_captures_at_their_moments(
    archives: tuple[Newsstand, dict[str, str]], folder: Settings, tmp_path: Path
) -> None:
    stand, environment = archives
    assert stand.stand.past
    captures = [c for c in stand.stand.past.captures if c.status == 200 and not c.cut and "/national/" not in c.url]
    for way in ("id_", ""):
        urls = [f"https://web.archive.org/web/{c.stamp}{way}/{c.url}" for c in captures]
        (tmp_path / "urls").write_text("\n".join(urls))
        out = ["--no-verbose", "-i", "urls", "-O", os.devnull, f"--warc-file=wget{way}", "--no-warc-keep-log"]
        authority = f"--ca-certificate={environment['SSL_CERT_FILE']}"
        subprocess.run(["wget", authority, *out], env=environment, cwd=tmp_path, check=False, capture_output=True)
    report, _ = take(folder, tmp_path / "taken", tmp_path / "wgetid_.warc.gz")
    told = told_moments(report)
    assert len(told) > 20
    assert told <= moments(stand)
    changed, _ = take(folder, tmp_path / "changed", tmp_path / "wget.warc.gz")
    assert changed.outcomes == []
    assert any("the archive changed the page" in reason for reason in changed.skipped)


# -- what others read of the exports -----------------------------------------------------------------------------


@pytest.fixture
def exported(folder: Settings) -> Path:
    """Every kind of file that is exported, of a small archive."""
    fill(open_to_write(folder), folder)
    into = folder.home / "files"
    with open_archive(settings=folder) as archive:
        archive.export(into, tuple(ENDINGS))
    return into


def test_packages_and_metadata_are_valid_to_their_own_tools(exported: Path) -> None:
    for package in exported.rglob("*.wacz"):
        run(OTHERS / "wacz", "validate", "-f", package)
    run(OTHERS / "frictionless", "validate", exported / "datapackage.json")
    run(OTHERS / "mlcroissant", "validate", "--jsonld", exported / "croissant.json")


def test_our_index_is_that_of_cdxj_indexer(exported: Path, folder: Settings) -> None:
    root = Path(folder.archive.removeprefix("file://"))
    theirs = {}
    for key in (exported / "warc.paths").read_text().split():
        for line in run(OTHERS / "cdxj-indexer", root / key).splitlines():
            where, moment, rest = line.split(" ", 2)
            theirs[key] = (
                where,
                moment,
                json.loads(rest)["offset"],
                json.loads(rest)["length"],
                json.loads(rest)["url"],
            )
    ours = {}
    for line in (exported / "index.cdxj").read_text().splitlines():
        where, moment, rest = line.split(" ", 2)
        told = json.loads(rest)
        ours[told["filename"]] = (where, moment, told["offset"], told["length"], told["url"])
    assert ours == theirs


READERS = {
    "daft": "import daft; print(daft.read_parquet(sys.argv[1]).count_rows())",
    "daft delta": "import daft; print(daft.read_deltalake(sys.argv[2]).count_rows())",
    "chdb": "import chdb; print(chdb.query(f\"SELECT count() FROM file('{sys.argv[1]}', Parquet)\"))",
    "pandas": "import pandas; print(len(pandas.read_parquet(sys.argv[1])))",
    "pyarrow": "import pyarrow.parquet as p; print(p.read_table(sys.argv[1]).num_rows)",
}


@pytest.mark.parametrize("reader", READERS)
def test_other_libraries_read_exports_and_table(reader: str, exported: Path, folder: Settings) -> None:
    table = Path(folder.archive.removeprefix("file://")) / "catalogue" / "articles"
    said = run(OTHERS / "python", "-c", f"import sys\n{READERS[reader]}", exported / "opeds-2024.parquet", table)
    assert said.split()[-1] == ("5" if "delta" in reader else "3")


def test_an_op_eds_page_is_replayed(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "program", lambda name: str(OTHERS / name))
    archive = open_to_write(folder)
    fill(archive, folder)
    with open_archive(settings=folder) as reading:
        version = reading.oped("2068161")
    with replaying(archive.store, [(version.article_id, version.url)]) as shown:
        assert len(shown) == 2
        for page in shown:
            bare = page.address.replace(f"/{version.url}", f"id_/{version.url}")
            with urllib.request.urlopen(bare, timeout=20) as answer:
                assert b"The ministry taxes the ferry twice" in answer.read()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(shown[0].address, timeout=5)
    with pytest.raises(NotArchived), replaying(archive.store, [("kjd-c1", "x")]):
        pass
