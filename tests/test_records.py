"""Web archives as others write them: every record that is whole is read, whatever stands beside it."""

import gzip
import random
import time
import zlib
from io import BytesIO

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from pipelines.archive.records import Record, Trouble, begins_as_web_archive, records

MOST = 1 << 20
DICE = random.Random(1)


def warc(number: int, block: bytes = b"", kind: str = "response", length: int | None = None, **more: str) -> bytes:
    """Return one record, plain."""
    block = block or f"block {number} ".encode() * 40
    headers = {"WARC-Type": kind, "WARC-Target-URI": f"https://x.org/{number}", **more}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"WARC/1.0\r\n{head}Content-Length: {len(block) if length is None else length}\r\n\r\n".encode()
        + block
        + b"\r\n\r\n"
    )


def arc(number: int) -> bytes:
    block = f"HTTP/1.0 200 OK\r\n\r\nblock {number}".encode()
    return f"http://x.org/{number} 192.0.2.1 20040102030405 text/html {len(block)}\n".encode() + block + b"\n"


ARC_HEAD = b"filedesc://a.arc 0.0.0.0 20040102030405 text/plain 10\n1 0 x\nURL \n\n"
DICTIONARY = zstd.train_dict([warc(n) for n in range(200)], 4096)


def with_dictionary(parts: list[bytes]) -> bytes:
    held = DICTIONARY.dict_content
    frames = b"".join(zstd.compress(part, zstd_dict=DICTIONARY) for part in parts)
    return b"\x5d\x2a\x4d\x18" + len(held).to_bytes(4, "little") + held + frames


def in_blocks(whole: bytes) -> bytes:
    return b"".join(gzip.compress(whole[at : at + 700], mtime=0) for at in range(0, len(whole), 700))


WAYS = {
    "plain": b"".join,
    "by record": lambda parts: b"".join(gzip.compress(part, mtime=0) for part in parts),
    "whole": lambda parts: gzip.compress(b"".join(parts), mtime=0),
    "in blocks": lambda parts: in_blocks(b"".join(parts)),
    "zstd": lambda parts: b"".join(zstd.compress(part) for part in parts),
    "zstd whole": lambda parts: zstd.compress(b"".join(parts)),
    "zstd with dictionary": with_dictionary,
}
BY_MEMBER = {"by record", "zstd", "zstd with dictionary"}


def read(file: bytes, keep: int = MOST) -> tuple[list[str], list[Trouble]]:
    found = list(records(BytesIO(file), lambda kind, url: keep))
    return [one.url for one in found if isinstance(one, Record)], [one for one in found if isinstance(one, Trouble)]


def urls(*numbers: int) -> list[str]:
    return [f"https://x.org/{number}" for number in numbers]


@pytest.mark.parametrize("way", WAYS)
def test_every_record_is_read_in_order(way: str) -> None:
    parts = [warc(n, DICE.randbytes(n * 9000 + 1)) for n in range(9)]
    assert read(WAYS[way](parts)) == (urls(*range(9)), [])
    assert read(WAYS[way](parts), keep=10) == (urls(*range(9)), [])


@pytest.mark.parametrize("way", ["plain", "by record", "whole"])
def test_arc_files_are_read_too(way: str) -> None:
    found = [one for one in records(BytesIO(WAYS[way]([ARC_HEAD, arc(1), arc(2)])), lambda *_: MOST)]
    assert [(one.kind, one.header("warc-date")) for one in found if isinstance(one, Record)] == [
        ("warcinfo", "20040102030405"),
        ("response", "20040102030405"),
        ("response", "20040102030405"),
    ]
    assert isinstance(found[2], Record)
    assert found[2].block.endswith(b"block 2")


@pytest.mark.parametrize("way", sorted(BY_MEMBER))
@pytest.mark.parametrize("at", [20, 40, -1, -6])
def test_a_damaged_member_costs_itself(way: str, at: int) -> None:
    parts = [WAYS[way]([warc(n, DICE.randbytes(500))]) for n in range(4)]
    if way == "zstd with dictionary":
        head = len(WAYS[way]([]))
        parts = [parts[0], *(part[head:] for part in parts[1:])]
    bad = bytearray(parts[2])
    bad[at] ^= 0xFF
    found, troubles = read(b"".join([*parts[:2], bytes(bad), parts[3]]))
    if way == "by record":
        assert (found, [t.offset for t in troubles]) == (urls(0, 1, 3), [len(parts[0]) + len(parts[1])])
    else:  # zstd has no checksum unless it is asked for one: the digest of the record tells
        assert set(found) >= set(urls(0, 1, 3))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "bad",
    [
        warc(2, length=7),  # shorter than it is
        b"WARC/1.0\r\nWARC-Type: response\r\n\r\nno length\r\n\r\n",
        warc(2).replace(b"Content-Length: ", b"Content-Length: x"),
        b"a line of a log\n" * 20,
        b"\xff" * 3000,
        b"x" * 100_000,
    ],
    ids=["short", "no length", "odd length", "log", "binary", "long line"],
)
def test_what_is_no_record_costs_itself(way: str, bad: bytes) -> None:
    parts = [warc(0), warc(1), bad, warc(3), warc(4)]
    found, troubles = read(WAYS[way](parts))
    assert [url for url in found if url != urls(2)[0]] == urls(0, 1, 3, 4)
    assert len(troubles) == 1
    if way == "plain" and bad[:4] != b"WARC":
        assert troubles[0].offset == len(parts[0] + parts[1])


@pytest.mark.parametrize("way", sorted(BY_MEMBER))
def test_a_record_longer_than_its_member_takes_nothing_of_the_next(way: str) -> None:
    found, troubles = read(WAYS[way]([warc(0), warc(1, length=5000), warc(2)]))
    assert (found, len(troubles)) == (urls(0, 2), 1)
    assert "longer than the compressed member" in troubles[0].said


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_ends_early_gives_what_is_whole_and_says_so(way: str) -> None:
    file = WAYS[way]([warc(n, DICE.randbytes(300)) for n in range(3)])
    for at in range(5, len(file) - 4, 53):
        found, troubles = read(file[:-at])
        assert found == urls(*range(len(found)))
        assert len(found) < 3
        assert troubles or way in BY_MEMBER or not found


@pytest.mark.parametrize(
    "behind", [b"a line of text\n", b"\x1f\x8b", b"\x1f\x8b\x08rubbish", b"PK\x03\x04", b"\x01" * 99]
)
def test_what_follows_the_last_member_is_told_once(behind: bytes) -> None:
    parts = [gzip.compress(warc(n)) for n in range(2)]
    found, troubles = read(b"".join(parts) + behind)
    assert found == urls(0, 1)
    assert [trouble.offset for trouble in troubles] == [len(b"".join(parts))]
    assert read(b"".join(parts) + b"\0" * 600) == (urls(0, 1), []), "padding is nothing"


def test_a_page_that_quotes_a_record_is_not_taken_for_one() -> None:
    quoting = warc(1, b"HTTP/1.1 200 OK\r\n\r\n<pre>\n" + warc(666) + b"</pre>")
    assert read(quoting)[0] == urls(1)
    parts = [
        gzip.compress(warc(0)),
        gzip.compress(quoting.replace(b"Content-Length", b"Content-Longth", 1)),
        gzip.compress(warc(2)),
    ]
    assert read(b"".join(parts))[0] == urls(0, 2), "nor behind damage"


def test_headers_are_read_as_tools_write_them() -> None:
    folded = warc(1).replace(b"WARC-Type: response", b"warc-type:response\r\nX-Long: a\r\n  b")
    (one,) = records(BytesIO(folded.replace(b"https://x.org/1", b"<https://x.org/1>")), lambda *_: MOST)
    assert isinstance(one, Record)
    assert (one.kind, one.url, one.header("x-long")) == ("response", "https://x.org/1", "a b")
    newlines = warc(1).replace(b"\r\n", b"\n", 4)
    assert read(newlines)[0] == urls(1)


@pytest.mark.parametrize("way", WAYS)
def test_time_is_linear_in_the_size_of_a_file(way: str) -> None:
    def seconds(count: int) -> float:
        file = WAYS[way]([warc(n, b"x" * 2000) for n in range(count)])
        began = time.process_time()
        assert len(read(file, keep=64)[0]) == count
        return time.process_time() - began

    seconds(100)
    assert min(seconds(8000) for _ in range(2)) < 24 * max(seconds(1000), 0.02)


@given(st.binary(max_size=2000))
def test_rubbish_ends_in_troubles_and_never_in_an_error(body: bytes) -> None:
    for file in (body, gzip.compress(warc(1)) + body, b"WARC/1.0\r\n" + body, gzip.compress(body), zstd.compress(body)):
        found, troubles = read(file)
        assert len(found) + len(troubles) <= 2000


@given(st.integers(0, 10**9), st.integers(1, 40), st.sampled_from(sorted(WAYS)))
def test_any_bytes_changed_cost_no_more_than_they_touch(seed: int, size: int, way: str) -> None:
    parts = [warc(n, random.Random(n).randbytes(400)) for n in range(6)]
    file = bytearray(WAYS[way](parts))
    at = seed % len(file)
    file[at : at + size] = random.Random(seed).randbytes(len(file[at : at + size]))
    found, _ = read(bytes(file))
    known = [url for url in found if url in urls(*range(6))]
    assert known == sorted(known)
    if way in {"by record", "zstd"}:
        assert len(known) >= 4, "two members at most were touched"


def test_the_first_bytes_tell_what_a_file_is() -> None:
    for way, pack in WAYS.items():
        assert begins_as_web_archive(pack([warc(1)])[:8192]), way
    for other in (
        b"<html>",
        b'{"log": 1}',
        b" CDX N b a",
        b"",
        gzip.compress(b"hello"),
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
    ):
        assert not begins_as_web_archive(other)


def test_damage_never_prints_a_byte_of_the_file() -> None:
    file = zlib.compress(b"x") + b"\xff\x00\x1b[31m" * 50
    for trouble in read(file)[1] + read(gzip.compress(warc(1)) + b"\x1f\x8b\x08" + file)[1]:
        assert trouble.said.isascii()
        assert "\x1b" not in trouble.said


def test_no_byte_offset_is_unlucky() -> None:
    for size in range(32_700, 32_790):
        block = b"x" * size
        first = f"http://x.org/1 192.0.2.1 20040102030405 text/html {size}\n".encode() + block + b"\n"
        assert read(first + arc(2) + arc(3)) == (["http://x.org/1", "http://x.org/2", "http://x.org/3"], []), size


@pytest.mark.parametrize("way", ["plain", "by record", "whole"])
def test_reading_goes_on_behind_damage_in_arc_files(way: str) -> None:
    found, troubles = read(WAYS[way]([arc(1), b"garbage\n", arc(2), arc(3)]))
    assert (found, len(troubles)) == (["http://x.org/1", "http://x.org/2", "http://x.org/3"], 1)


def test_zeros_in_the_middle_and_many_blank_lines_lose_nothing() -> None:
    found, troubles = read(gzip.compress(warc(1)) + b"\0" * 50_000 + gzip.compress(warc(2)))
    assert (found, len(troubles)) == (urls(1, 2), 1)
    assert read(gzip.compress(warc(1) + b"\n" * 70_000 + warc(2) + warc(3)))[0] == urls(1, 2, 3)


def test_a_length_beyond_the_file_swallows_nothing_of_a_plain_file() -> None:
    found, troubles = read(warc(1) + warc(2, length=99_999) + warc(3) + warc(4))
    assert (found, len(troubles)) == (urls(1, 3, 4), 1)


@pytest.mark.parametrize(
    "unit",
    [
        b"WARC/1.0\nA:b\n",
        b"WARC/1.0\r\nContent-Length: x\r\n\r\n",
        b"\n",
        b"x" * 70_000,
        b"http://x 1.2.3.4 20040102030405 a 1\n",
    ],
    ids=["heads", "no lengths", "blank", "long", "arc"],
)
def test_time_is_linear_in_hostile_input(unit: bytes) -> None:
    def seconds(size: int) -> float:
        body = warc(1) + unit * (size // len(unit))
        began = time.process_time()
        read(body)
        read(gzip.compress(body, 1))
        return time.process_time() - began

    assert min(seconds(800_000) for _ in range(2)) < 24 * max(seconds(100_000), 0.02)


def test_members_within_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.archive.records.MOST_SPENT", 0)
    nested = b""
    for _ in range(60):
        begun = zlib.compressobj(0, wbits=31)
        nested += begun.compress(warc(1, b"y" * 50)) + begun.flush(zlib.Z_SYNC_FLUSH)
    file = nested + DICE.randbytes(200_000)
    assert read(file)[1][-1].said == "so much is damaged that the rest is not read" or len(read(file)[0]) < 5000
