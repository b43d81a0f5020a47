"""What servers do to a body on its way: undone whole, or told."""

import gzip
import random
import time
import zlib

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from pipelines.archive.coding import PIECE, undone

MOST = 5_000_000
PAGE = b"<!doctype html>" + b"".join(b"<p>%d winters at a loss.</p>" % n for n in range(3000))
NOISE = random.Random(1).randbytes(300_000)  # what does not compress


def chunked(body: bytes, size: int = 1000, end: bytes = b"0\r\n\r\n") -> bytes:
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x;n=1\r\n%s\r\n" % (len(part), part) for part in parts) + end


def raw_deflate(body: bytes) -> bytes:
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(body) + coder.flush()


CODED = {
    "gzip": gzip.compress,
    "x-gzip": lambda body: gzip.compress(body[:100]) + gzip.compress(body[100:]),
    "GZIP": lambda body: gzip.compress(body) + b"\0\0\0garbage",
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": lambda body: zstd.compress(body[:5000]) + zstd.compress(body[5000:]),
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
    "": lambda body: body,
}


@pytest.mark.parametrize("body", [PAGE, NOISE, b"", b"x" * 3 * PIECE], ids=["page", "noise", "empty", "long"])
@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("in_chunks", [False, True])
def test_every_coding_is_undone_whole(name: str, body: bytes, in_chunks: bool) -> None:
    sent = CODED[name](body)
    headers = [("Content-Encoding", name)] if name else []
    if in_chunks:
        sent, headers = chunked(sent), [*headers, ("Transfer-Encoding", "chunked")]
    found = undone(sent, (*headers, ("Content-Length", str(len(sent)))), MOST)
    assert (found.body, found.fault) == (body, "")


@pytest.mark.parametrize("name", [name for name in CODED if name])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_what_ends_early_is_told_and_kept_as_far_as_it_came(name: str, part: float) -> None:
    coded = CODED[name](NOISE).removesuffix(b"\0\0\0garbage")
    found = undone(coded[: int(len(coded) * part)], (("Content-Encoding", name),), MOST)
    assert "ends early" in found.fault
    assert NOISE.startswith(found.body)


def test_a_body_shorter_than_it_was_said_to_be_is_told() -> None:
    assert (
        undone(PAGE[:-1], (("Content-Length", str(len(PAGE))),), MOST).fault
        == f"{len(PAGE) - 1} of {len(PAGE)} bytes arrived"
    )
    assert undone(PAGE, (("Content-Length", "7"),), MOST).fault == "", "who recorded it took a coding away"
    assert undone(PAGE, (("Content-Length", "many"),), MOST).fault == ""


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        (b"", "a chunk is missing"),
        (b"5\r\nab", "a chunk is missing"),
        (b"zz\r\n", "a chunk is missing"),
        (b"0\r\n", ""),
    ],
)
def test_chunks_that_break_off_are_told(end: bytes, fault: str) -> None:
    found = undone(chunked(PAGE, end=end), (("transfer-encoding", "Chunked"),), MOST)
    assert found.fault == fault
    assert found.body.startswith(PAGE)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "gzip, br", "identity", "magic"])
@pytest.mark.parametrize("body", [PAGE, b"abc\r\n" + PAGE, b""])
def test_a_coding_that_was_named_and_not_applied_is_passed_over(name: str, body: bytes) -> None:
    found = undone(
        body,
        (
            ("Content-Encoding", name),
            ("Transfer-Encoding", "chunked"),
        ),
        MOST,
    )
    assert (found.body, found.fault) == (body, "") or not body


def test_gzip_twice_under_one_name_is_undone_twice_for_a_page() -> None:
    twice = gzip.compress(gzip.compress(PAGE))
    assert (
        undone(
            twice,
            (
                ("Content-Encoding", "gzip"),
                ("Content-Type", "text/html"),
            ),
            MOST,
        ).body
        == PAGE
    )
    kept = undone(
        twice,
        (
            ("Content-Encoding", "gzip"),
            ("Content-Type", "application/gzip"),
        ),
        MOST,
    )
    assert gzip.decompress(kept.body) == PAGE


def test_damage_costs_what_is_behind_it() -> None:
    coded = bytearray(gzip.compress(NOISE))
    coded[len(coded) // 2 :] = b"\xff" * (len(coded) - len(coded) // 2)
    found = undone(bytes(coded), (("Content-Encoding", "gzip"),), MOST)
    assert found.fault
    assert NOISE.startswith(found.body[:100_000])
    assert len(found.body) > 100_000


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_a_bomb_is_undone_no_further_than_allowed(name: str) -> None:
    bomb = b"\0" * 500_000_000
    coders = {"gzip": gzip.compress, "deflate": zlib.compress, "br": lambda body: brotli.compress(body, quality=1)}
    coded = coders.get(name, zstd.compress)(bomb)
    if name == "gzip, gzip":
        coded = gzip.compress(gzip.compress(bomb))
    began = time.process_time()
    found = undone(coded, (("Content-Encoding", name),), MOST)
    assert (len(found.body), found.fault) == (MOST, f"longer than {MOST} bytes")
    assert time.process_time() - began < 2


@given(st.binary(max_size=300), st.sampled_from(sorted(CODED)), st.booleans())
def test_rubbish_is_never_an_error(body: bytes, name: str, in_chunks: bool) -> None:
    headers = [("Content-Encoding", name), *([("Transfer-Encoding", "chunked")] * in_chunks)]
    undone(body, tuple(headers), MOST)
