"""Web archives of others on their way in: what is kept of where they come from, and what is left out and why."""

from __future__ import annotations

import gzip
import json
import re
import threading
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import brotli
import pytest
from backports import zstd
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipelines.archive.manifests import manifest_at, read_log
from pipelines.archive.s3 import client
from pipelines.archive.store import open_store
from pipelines.archive.warc import _without_secrets, read_capture
from pipelines.catalogue.delta import location, query
from pipelines.catalogue.publish import publish
from pipelines.errors import WrongUsage
from pipelines.index.opened import open_to_write
from pipelines.jobs.import_warc import ingest_files
from pipelines.jobs.report import Report
from pipelines.jobs.verify import verify
from pipelines.model import Verdict
from pipelines.settings import Settings
from tests.conftest import C_URL, page, prose, state
from tests.test_index import kjd
from tests.test_ingest import daum_page

QUIET = lambda *_: None  # noqa: E731
FIELDS = "application/warc-fields"
HTML = ("Content-Type", "text/html; charset=utf-8")


class Recorder:
    """Writes a WARC file as other tools do."""

    def __init__(self, way: str = "gzip") -> None:
        self.way, self.plain = way, BytesIO()
        self.writer = WARCWriter(self.plain, gzip=False, warc_version="1.0")
        self.members: list[bytes] = []

    def write(self, kind: str, url: str, body: bytes = b"", when: str = "2024-06-14T00:00:00Z", **more: Any) -> str:
        """Write one record; return its id."""
        http, headers = more.pop("http", None), more.pop("headers", {})
        record = self.writer.create_warc_record(
            url, kind, payload=BytesIO(body), length=len(body), http_headers=http,
            warc_content_type=more.pop("content_type", ""), warc_headers_dict={"WARC-Date": when, **headers},
        )  # fmt: skip
        for name, value in more.items():
            record.rec_headers.replace_header(name, value)
        begun = self.plain.tell()
        self.writer.write_record(record)
        self.members.append(self.plain.getvalue()[begun:])
        return str(record.rec_headers.get_header("WARC-Record-ID"))

    def page(
        self, url: str, body: bytes, when: str = "2024-06-14T00:00:00Z", *headers: tuple[str, str], **more: Any
    ) -> str:
        http = StatusAndHeaders("200 Very Well", [HTML, ("X-Invented", "tests"), *headers], protocol="HTTP/1.0")
        return self.write("response", url, body, when, http=http, **more)

    def request(self, url: str, answer: str) -> str:
        http = StatusAndHeaders(
            "GET /x HTTP/1.1", [("Host", "h"), ("x-odd", "1"), ("Cookie", "s3cret")], is_http_request=True
        )
        return self.write("request", url, http=http, headers={"WARC-Concurrent-To": answer})

    def bytes(self) -> bytes:
        parts = {"gzip": gzip.compress, "plain": bytes, "zstd": zstd.compress}
        return b"".join(map(parts[self.way], self.members))


def take(settings: Settings, *files: Path) -> Report:
    return ingest_files(settings, [str(file) for file in files], QUIET)


def saved(folder: Path, name: str, body: bytes) -> Path:
    (folder / name).write_bytes(body)
    return folder / name


def verdicts(report: Report) -> list[str]:
    return [outcome.verdict.value for outcome in report.outcomes]


def captured(settings: Settings) -> list[str]:
    return list(open_store(settings).keys("captures/"))


def plain_capture(settings: Settings, at: int = 0) -> str:
    return gzip.decompress(open_store(settings).read(captured(settings)[at])).decode("latin-1")


@pytest.mark.parametrize("first", ["request", "response"])
def test_where_a_page_comes_from_is_kept_and_nothing_is_invented(folder: Settings, tmp_path: Path, first: str) -> None:
    recorder = Recorder()
    recorder.write("warcinfo", "", b"software: Otherbot/3.1 (x)\r\nformat: WARC\r\n", content_type=FIELDS)
    about = {"WARC-IP-Address": "192.0.2.7", "WARC-Protocol": "h2"}
    if first == "request":
        asked = recorder.request(C_URL, "<urn:uuid:00000000-0000-4000-8000-000000000001>")
        about |= {"WARC-Record-ID": "<urn:uuid:00000000-0000-4000-8000-000000000001>"}
        record_id = recorder.page(C_URL, page(prose(1)), headers=about | {"WARC-Concurrent-To": asked})
    else:
        record_id = recorder.page(C_URL, page(prose(1)), headers=about)
        recorder.request(C_URL, record_id)
    file = saved(tmp_path, "other.warc.gz", recorder.bytes())
    report = take(folder, file)
    assert verdicts(report) == ["NEW"]
    stored = plain_capture(folder)
    told = f"copied_from: {record_id}", "copied_software: Otherbot/3.1 (x)", "copied_block_digest: sha1:", "x-odd: 1"
    for kept in ("HTTP/1.0 200 Very Well", "WARC-IP-Address: 192.0.2.7", "WARC-Protocol: h2", *told):
        assert kept in stored
    assert "s3cret" not in stored
    (source,) = manifest_at(open_store(folder), 1).files
    assert (source.name, source.size, source.captures) == (
        "other.warc.gz",
        file.stat().st_size,
        tuple(captured(folder)),
    )
    assert len(source.sha256) == 64
    (seen,) = query(location(folder, "sightings"), "SELECT * FROM t")
    assert (seen["via"], seen["fetched_at"].year) == ("file", 2024)
    assert seen["obtained_at"].year >= 2026
    assert take(folder, file).outcomes == [], "a second time brings nothing"
    assert report.complete


def test_no_request_is_written_where_none_is_known(folder: Settings, tmp_path: Path) -> None:
    recorder = Recorder("plain")
    recorder.page(C_URL, page(prose(1)))
    take(folder, saved(tmp_path, "a.warc", recorder.bytes()))
    assert "WARC-Type: request" not in plain_capture(folder)


CODED = {
    "br": brotli.compress,
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
}


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("owner", [C_URL, "https://example.org/x"])
def test_a_coding_that_others_stumble_on_costs_nothing(folder: Settings, tmp_path: Path, name: str, owner: str) -> None:
    coded = CODED[name](page(prose(1)))
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(coded), coded)
    recorder = Recorder()
    recorder.page(owner, chunked, "2024-06-13T00:00:00Z", ("Content-Encoding", name), ("Transfer-Encoding", "chunked"))
    recorder.page(kjd(1), page(prose(2)))
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert verdicts(report) == ["NEW"] * (2 if owner == C_URL else 1)
    assert verify(folder).faults == []


@pytest.mark.parametrize("digest", ["WARC-Payload-Digest", "WARC-Block-Digest"])
@pytest.mark.parametrize("algorithm", ["sha1:" + "A" * 32, "sha256:" + "0" * 64, "md5:" + "0" * 32])
def test_damage_is_set_aside_by_name_and_never_laundered(
    folder: Settings, tmp_path: Path, digest: str, algorithm: str
) -> None:
    recorder = Recorder()
    recorder.page(C_URL, page(prose(1)), **{digest: algorithm})
    recorder.page(kjd(1), page(prose(2)), **{digest: "xxh3:unknown"})
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert sorted(verdicts(report)) == ["NEW", "REJECTED"]
    (aside,) = [o for o in report.outcomes if o.verdict is Verdict.REJECTED]
    assert aside.reasons == ("reject", "digest_mismatch")
    assert verify(folder).faults == []
    assert read_capture(open_store(folder).read(aside.capture_key), "k").doubt


def test_payload_digests_of_every_habit_fit(folder: Settings, tmp_path: Path) -> None:
    from pipelines.archive.warc import payload_digest

    body = page(prose(1))
    coded = gzip.compress(body)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(coded), coded)
    recorder = Recorder()
    for n, digest in enumerate(map(payload_digest, (chunked, coded, body))):
        how = ("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")
        recorder.page(C_URL, chunked, f"2024-06-1{n + 4}T00:00:00Z", *how, **{"WARC-Payload-Digest": digest})
    assert verdicts(take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))) == ["NEW", "UNCHANGED", "UNCHANGED"]


@pytest.mark.parametrize("how", ["id", "date", "digest", "an earlier file", "304"])
def test_a_revisit_is_a_sighting_of_the_page_that_is_here(folder: Settings, tmp_path: Path, how: str) -> None:
    recorder, other = Recorder(), Recorder()
    first = recorder.page(C_URL, page(prose(1)))
    into = other if how == "an earlier file" else recorder
    headers = {
        "id": {"WARC-Refers-To": first},
        "date": {"WARC-Refers-To-Date": "2024-06-14T00:00:00Z", "WARC-Refers-To-Target-URI": C_URL},
        "digest": {"WARC-Payload-Digest": payload_digest_of(page(prose(1)))},
        "an earlier file": {"WARC-Refers-To-Date": "2024-06-14T00:00:00Z"},
        "304": {"WARC-Refers-To": first, "WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/server-not-modified"},
    }[how]
    status = "304 Not Modified" if how == "304" else "200 OK"
    http = StatusAndHeaders(status, [("X-Invented", "tests")], protocol="HTTP/1.1")
    into.write("revisit", C_URL, when="2024-06-20T00:00:00Z", http=http, headers=headers)
    into.write("revisit", kjd(9), when="2024-06-20T00:00:00Z", http=http, headers={"WARC-Refers-To": "<urn:uuid:9>"})
    files = [saved(tmp_path, "1.warc.gz", recorder.bytes())]
    files += [saved(tmp_path, "2.warc.gz", other.bytes())] if how == "an earlier file" else []
    report = take(folder, *files)
    assert verdicts(report) == ["NEW", "UNCHANGED"], (report.skipped, report.failures, report.damage)
    assert report.skipped == {"that saw again a page which is not here": 1}
    seen = query(location(folder, "sightings"), "SELECT max(fetched_at) AS at FROM t")
    assert seen[0]["at"].day == 20
    assert take(folder, *files).outcomes == []


def payload_digest_of(body: bytes) -> str:
    from pipelines.archive.warc import payload_digest

    return payload_digest(body)


WAY = "https://web.archive.org/web/20120103040506"
TOOLBAR = b"<body><!-- BEGIN WAYBACK TOOLBAR INSERT -->"
LINKED = b"<body><a href='/web/20120103040506/https://example.org/'>x</a>"


@pytest.mark.parametrize("by_source_uri", [False, True])
def test_a_copy_from_a_public_archive_is_filed_at_the_moment_of_its_capture(
    folder: Settings, tmp_path: Path, by_source_uri: bool
) -> None:
    """As wget or Heritrix record a playback, and as cdx_toolkit does: it writes the moment of the download."""
    recorder = Recorder()
    url, more = (
        (C_URL, ("WARC-Source-URI", f"{WAY}id_/{C_URL}")) if by_source_uri else (f"{WAY}id_/{C_URL}", ("X", "y"))
    )
    http = StatusAndHeaders("200 OK", [HTML, ("X-Invented", "tests")], protocol="HTTP/1.1")
    recorder.write("response", url, page(prose(1)), "2026-11-20T00:00:00Z", http=http, headers=dict([more]))
    recorder.page(C_URL, page([*prose(1), "One more sentence."]), "2024-06-20T00:00:00Z")
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert verdicts(report) == ["NEW", "REVISED"]
    assert [o.fetched_at for o in report.outcomes] == ["2012-01-03T04:05:06Z", "2024-06-20T00:00:00Z"]
    assert {o.url for o in report.outcomes} == {C_URL}
    assert verify(folder).faults == []


@pytest.mark.parametrize("changed", [TOOLBAR, LINKED])
def test_a_page_that_a_public_archive_changed_is_refused_with_that_reason(
    folder: Settings, tmp_path: Path, changed: bytes
) -> None:
    recorder = Recorder()
    recorder.page(f"{WAY}/{C_URL}", page(prose(1)).replace(b"<body>", changed), "2026-11-20T00:00:00Z")
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert report.outcomes == []
    (reason,) = report.skipped
    assert "the archive changed the page" in reason


def test_a_doubtful_copy_does_not_hide_a_sound_one_of_the_same_bytes(folder: Settings, tmp_path: Path) -> None:
    recorder = Recorder()
    http = StatusAndHeaders("200 OK", [HTML, ("X-Invented", "tests")], protocol="HTTP/1.1")
    wrong = {"WARC-Payload-Digest": f"sha1:{'A' * 32}"}
    recorder.write("response", C_URL, page(prose(1)), "2024-06-14T00:00:00Z", http=http, headers=wrong)
    recorder.page(C_URL, page(prose(1)), "2024-06-15T00:00:00Z")
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert verdicts(report) == ["REJECTED", "NEW"]
    assert verify(folder).faults == []


def test_a_page_recorded_without_http_is_taken_as_it_is(folder: Settings, tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.write("resource", C_URL, page(prose(1)), content_type="text/html")
    recorder.write("resource", kjd(1), b"\x89PNG", content_type="image/png")
    recorder.write("conversion", kjd(2), b"text", content_type="text/plain")
    folder = replace(folder, invented=False)  # a resource has no header that could say so
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert verdicts(report) == ["NEW"]
    assert "WARC-Type: resource" in plain_capture(folder)
    assert "HTTP/1" not in plain_capture(folder)
    assert (report.records["conversion"], report.skipped) == (1, {"of an op-ed, but no pages (image/png)": 1})
    assert verify(folder).faults == []


@pytest.mark.parametrize("fraction", [("", ""), (".2", ".7"), (".7", ".2")])
@pytest.mark.parametrize("turned", [False, True])
def test_two_pages_of_one_second_have_one_order_whichever_comes_first(
    folder: Settings, tmp_path: Path, fraction: tuple[str, str], turned: bool
) -> None:
    recorder = Recorder()
    pages = [page([*prose(1)[:-1], f"End number {n}."]) for n in range(2)]
    records = list(zip(pages, fraction, strict=True))
    for body, part in reversed(records) if turned else records:
        recorder.page(C_URL, body, f"2024-06-14T00:00:00{part}Z")
    file = saved(tmp_path, "a.warc.gz", recorder.bytes())
    assert sorted(verdicts(take(folder, file))) == ["NEW", "REVISED"]
    (latest,) = query(location(folder, "articles"), "SELECT text FROM t WHERE is_latest")
    by_key = max(captured(folder))
    last = (
        read_capture(open_store(folder).read(by_key), by_key).payload
        if fraction == ("", "")
        else pages[fraction[1] > fraction[0]]
    )
    assert latest["text"].splitlines()[-1].encode() in last
    assert take(folder, file).outcomes == []
    assert state(folder)[1] == set()


@pytest.mark.parametrize("date", ["", "20240614000000", "2024-06-14T09:00:00+09:00", "2024-06-14", "soon", "9999999"])
def test_dates_of_any_form_cost_their_record_at_most(folder: Settings, tmp_path: Path, date: str) -> None:
    recorder = Recorder("plain")
    recorder.page(C_URL, page(prose(1)))
    recorder.page(kjd(1), page(prose(2)))
    body = recorder.bytes().replace(b"WARC-Date: 2024-06-14T00:00:00Z", f"WARC-Date: {date}".encode(), 1)
    report = take(folder, saved(tmp_path, "a.warc", body))
    assert len(verdicts(report)) == (2 if date.startswith("2") else 1)
    assert report.complete == date.startswith("2")
    if not report.complete:
        ((offset, said),) = report.damage[str(tmp_path / "a.warc")]
        assert (offset, "date" in said) == (0, True)


def wacz(body: bytes) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("datapackage.json", "{}")
        file.writestr("archive/data.warc.gz", body, zipfile.ZIP_DEFLATED)
        file.writestr("pages/pages.jsonl", "{}")
    return packed.getvalue()


def test_folders_and_packed_files_are_read_by_their_first_bytes(folder: Settings, tmp_path: Path) -> None:
    inside = tmp_path / "inside" / "deeper"
    inside.mkdir(parents=True)
    for n, (name, way) in enumerate((("a.bin", "gzip"), ("b.warc", "plain"), ("c.zip", "gzip"), ("deeper/d", "zstd"))):
        recorder = Recorder(way)
        recorder.page(kjd(n), page(prose(n)))
        saved(inside.parent, name, wacz(recorder.bytes()) if name == "c.zip" else recorder.bytes())
    for name, body in (("x.cdx", b" CDX N b a m s k r M S V g\n"), ("y.har", b'{"log": {}}'), ("z.html", b"<html>"),
                       ("empty", b""), ("no.zip", zip_of("a.txt"))):  # fmt: skip
        saved(inside.parent, name, body)
    report = take(folder, inside.parent)
    assert verdicts(report) == ["NEW"] * 4
    said = {Path(name).name: why for name, why in report.failures.items()}
    assert {name: why.partition(";")[0].removeprefix("no web archive, but ") for name, why in said.items()} == {
        "x.cdx": "an index (CDX)",
        "y.har": "a HAR file",
        "z.html": "HTML or XML",
        "empty": "an empty file",
        "no.zip": "a ZIP file without the folder archive/ of a WACZ",
    }
    assert [file.name for _, m in read_log(open_store(folder)) for file in m.files] == [
        "a.bin", "b.warc", "c.zip!/archive/data.warc.gz", "d",
    ]  # fmt: skip


def zip_of(name: str) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(name, "x")
    return packed.getvalue()


def test_a_damaged_wacz_is_one_sentence_and_the_next_file_is_read(folder: Settings, tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.page(C_URL, page(prose(1)))
    bad, good = saved(tmp_path, "a.wacz", wacz(recorder.bytes())[:-30]), saved(tmp_path, "b.warc.gz", recorder.bytes())
    report = take(folder, bad, good)
    assert verdicts(report) == ["NEW"]
    assert "damaged WACZ" in report.failures[str(bad)]


def test_addresses_are_read_and_their_queries_kept_to_ourselves(
    folder: Settings, seaweed: Settings, tmp_path: Path
) -> None:
    recorder = Recorder()
    recorder.page(C_URL, page(prose(1)))
    served = tmp_path / "served"
    served.mkdir()
    saved(served, "a.warc.gz", recorder.bytes())
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        report = ingest_files(folder, [f"{address}/a.warc.gz?key=s3cret", f"{address}/none.warc.gz"], QUIET)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert verdicts(report) == ["NEW"]
    assert "404" in report.failures[f"{address}/none.warc.gz"]
    told = json.dumps([json.loads(open_store(folder).read("runs/0000000001.json"))["files"], report.damage])
    assert "a.warc.gz" in told
    assert "s3cret" not in told
    client(seaweed).put_object(Bucket="archive", Key="warcs/b.warc.gz", Body=recorder.bytes())
    reaching = replace(seaweed, archive=folder.archive, home=folder.home, invented=True)
    again = ingest_files(reaching, ["s3://archive/warcs/", "s3://archive/none"], QUIET)
    assert again.skipped == {"archived before": 1}
    assert "s3://archive/none" in again.failures
    with pytest.raises(WrongUsage):
        take(folder, tmp_path / "nothing")


def test_copies_are_told_as_they_stand_whichever_came_first(folder: Settings, tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.page("https://v.daum.net/v/20240613230000001", daum_page(prose(1)), "2024-06-13T23:30:00Z")
    recorder.page(kjd(1), page(prose(1)), "2024-06-14T00:00:00Z")
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert verdicts(report) == ["NEW", "NEW"], "when the portal's page came, nobody knew"
    assert report.groups == {"daum-20240613230000001": "kjd-c2068164", "kjd-c2068164": "kjd-c2068164"}


def test_a_report_adds_up(folder: Settings, tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.write("warcinfo", "", b"software: x\r\n", content_type=FIELDS)
    recorder.page(C_URL, page(prose(1)))
    recorder.page("https://example.org/", b"x")
    recorder.page(C_URL.replace("opinion/editorials", "sports/x"), page(prose(2)))
    gone = StatusAndHeaders("404 Not Found", [HTML], protocol="HTTP/1.1")
    recorder.write("response", kjd(7), b"", http=gone)
    recorder.write("response", "dns:example.org", b"1.2.3.4", content_type="text/dns")
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert dict(report.records) == {"warcinfo": 1, "response": 5}
    assert dict(report.statuses) == {200: 3, 404: 1, 0: 1}
    assert sum(report.statuses.values()) == len(report.outcomes) + sum(report.skipped.values())
    assert report.examples["answered 404"] == [kjd(7)]
    publish(open_to_write(folder), folder)


def test_answers_without_ids_are_all_taken_and_no_foreign_request_is_theirs(folder: Settings, tmp_path: Path) -> None:
    recorder = Recorder("plain")
    for n in range(12):
        recorder.page(kjd(n), page(prose(n)))
    body = re.sub(rb"WARC-Record-ID: [^\r]*\r\n", b"", recorder.bytes())
    assert verdicts(take(folder, saved(tmp_path, "a.warc.gz", gzip.compress(body)))) == ["NEW"] * 12
    other = Recorder()
    other.request(kjd(50), "<urn:uuid:1>")
    other.page(kjd(51), page(prose(51)))
    take(folder, saved(tmp_path, "b.warc.gz", other.bytes()))
    assert all("WARC-Type: request" not in plain_capture(folder, at) for at in range(13))


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\nCookie: s3cret\nA: b\n\n",
        b"GET / HTTP/1.1\r\nCookie: a;\r\n s3cret\r\n\r\n",
        b"\xff: a\r\nCOOKIE:s3cret\r\n\r\n",
    ],
)
def test_no_secret_of_a_request_is_kept_however_it_is_written(request_: bytes) -> None:
    assert b"s3cret" not in _without_secrets(request_)


def test_hostile_headers_and_dates_cost_their_record(folder: Settings, tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.page(kjd(1), page(prose(1)), "2024-06-14T00:00:00Z", ("Content-Length", "9" * 5000))
    recorder.page(kjd(2), page(prose(2)), "9999-12-31T23:59:59Z")
    recorder.page(kjd(3), page(prose(3)), "2024-06-14T00:00:00Z", ("X-Name", "\x85\x0b\x1c x: y"))
    report = take(folder, saved(tmp_path, "a.warc.gz", recorder.bytes()))
    assert sorted(verdicts(report)) == ["NEW", "REJECTED"]
    assert report.skipped == {"dated in the future": 1}


def test_one_bad_file_of_a_folder_costs_itself(folder: Settings, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    for n, name in enumerate(("a.warc.gz", "z.warc.gz")):
        recorder = Recorder()
        recorder.page(kjd(n), page(prose(n)))
        saved(inside, name, recorder.bytes())
    saved(inside, "m.wacz", b"PK\x03\x04garbage")
    broken = bytearray(wacz(b"x" * 3000))
    broken[60] ^= 0xFF
    saved(inside, "n.wacz", bytes(broken))
    report = take(folder, inside)
    assert verdicts(report) == ["NEW", "NEW"]
    assert str(inside / "m.wacz") in report.failures
