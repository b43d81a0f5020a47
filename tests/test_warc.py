"""WARC in and out, and files that are none."""

import gzip
from io import BytesIO

import pytest

from pipelines.archive.warc import Exchange, capture_of, crawl_file, exchanges, page_file, read_capture
from pipelines.errors import UnreadableWarc
from tests.conftest import capture, exchange, page, prose

ONE = exchange(capture(page(prose(1)), "2024-06-14T00:00:00"))
FILE = page_file(ONE, {"a": "1"})


def test_the_same_exchange_gives_the_same_bytes() -> None:
    assert page_file(ONE, {"a": "1"}) == FILE


def test_what_was_written_reads_back() -> None:
    assert read_capture(FILE, "k") == capture_of(ONE)


def test_files_may_be_concatenated() -> None:
    assert len(list(exchanges(BytesIO(FILE * 3), "k"))) == 3


@pytest.mark.parametrize("at", [*range(1, len(FILE), 97), len(FILE) - 1])
def test_a_file_cut_anywhere_is_told_from_a_whole_one(at: int) -> None:
    with pytest.raises(UnreadableWarc):
        list(exchanges(BytesIO(FILE + FILE[:at]), "k"))


@pytest.mark.parametrize("at", range(1, len(FILE), 97))
def test_a_cut_file_never_gives_a_piece_as_a_page(at: int) -> None:
    read = exchanges(BytesIO(FILE[:at]), "k")
    found: list[Exchange] = []
    with pytest.raises(UnreadableWarc):
        found.extend(read)
    assert all(one == next(exchanges(BytesIO(FILE), "k")) for one in found)


@pytest.mark.parametrize("rubbish", [b"", b"\x1f\x8b", b"<html>", b"\x00" * 1000])
def test_rubbish_is_no_warc(rubbish: bytes) -> None:
    with pytest.raises(UnreadableWarc):
        list(exchanges(BytesIO(rubbish), "k"))


def test_a_plain_file_is_read_too() -> None:
    assert next(exchanges(BytesIO(gzip.decompress(FILE)), "k")).url == ONE.url


def test_secrets_of_a_request_are_not_kept() -> None:
    secret = Exchange(
        ONE.url, ONE.fetched_at, 200, "OK", (), b"x", request_headers=(("Cookie", "s3cret"), ("Accept", "a"))
    )
    assert b"s3cret" not in gzip.decompress(page_file(secret, {}))
    assert b"Accept: a" in gzip.decompress(crawl_file({"date": "2024-06-14T00:00:00Z"}, [secret], []))


def test_a_bomb_is_cut_off() -> None:
    bomb = gzip.compress(b"\x00" * 60_000_000)
    made = Exchange(ONE.url, ONE.fetched_at, 200, "OK", (("Content-Encoding", "gzip"),), bomb)
    assert len(capture_of(made).payload) <= 20_000_000


def test_a_chunked_and_gzipped_answer_of_another_crawler_is_read() -> None:
    coded = gzip.compress(ONE.body)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(coded), coded)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    block = head + chunked
    record = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {ONE.url}\r\nWARC-Date: 2024-06-14T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:1>\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    ).encode()
    (found,) = exchanges(BytesIO(record + block + b"\r\n\r\n"), "k")
    assert capture_of(found).payload == ONE.body
