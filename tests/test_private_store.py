"""The embedded store as another program on this machine finds it: every port of it, without a key or certificate."""

from __future__ import annotations

import http.client
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.archive import embedded
from pipelines.archive.embedded import running_pid
from pipelines.archive.store import open_store
from pipelines.settings import Settings

SECRET = b"a sentence of an op-ed that nobody else may read " * 400
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A store with one object in it."""
    settings = embedded.ensure_running(Settings(home=tmp_path_factory.mktemp("private") / "home"))
    open_store(settings).create("captures/kjd/c1/x.warc.gz", SECRET)
    yield settings
    embedded.stop(settings)


def ports_of(settings: Settings) -> set[int]:
    """Return every TCP port at which the store listens, by what the kernel says of its process."""
    pid = running_pid(settings.home / "store")
    assert pid
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            inodes.add(str(link.readlink()).removeprefix("socket:[").rstrip("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].rsplit(":", 1)
                assert address == "0100007F", f"listens at {address}, not at loopback alone"
                found.add(int(port, 16))
    return found


def s3_port(settings: Settings) -> int:
    return int(settings.endpoint.rpartition(":")[2])


def asked(port: int, method: str, path: str, tls: bool) -> tuple[int, bytes]:
    """Ask a port as anyone could; return status and body, 0 where there is no answer."""
    context = ssl._create_unverified_context()
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    )
    try:
        connection.request(method, path, body=b"x" if method in {"PUT", "POST"} else None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def spoken(port: int, tls: bool) -> bytes:
    """Return what a port answers to the first words of gRPC."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as plain:
            link: socket.socket = plain
            if tls:
                context = ssl._create_unverified_context()
                context.set_alpn_protocols(["h2"])
                link = context.wrap_socket(plain)
            link.sendall(HTTP2)
            link.settimeout(2)
            got = link.recv(1000)
            with suppress(OSError):
                got += link.recv(1000)  # TLS 1.3 tells of a missing certificate with the first answer
            return got
    except OSError:
        return b""


PATHS = (
    ("GET", "/"), ("GET", "/dir/status"), ("GET", "/dir/assign"), ("GET", "/dir/lookup?volumeId=1"),
    ("GET", "/vol/list"),
    ("GET", "/buckets/archive/captures/kjd/c1/x.warc.gz"), ("GET", "/archive/captures/kjd/c1/x.warc.gz"),
    ("GET", "/archive?list-type=2"), ("PUT", "/archive/captures/kjd/c1/x.warc.gz"), ("POST", "/buckets/archive/y"),
    ("DELETE", "/archive/captures/kjd/c1/x.warc.gz"), ("DELETE", "/buckets/archive?recursive=true"), ("GET", "/1,01"),
    ("DELETE", "/1,01"), ("POST", "/col/delete?collection=archive"), ("GET", "/vol/vacuum"), ("GET", "/ui/index.html"),
)  # fmt: skip


def test_no_port_gives_a_list_a_byte_or_a_delete_without_a_key(private: Settings) -> None:
    ports = ports_of(private)
    assert len(ports) > 5
    assert s3_port(private) in ports
    for port in sorted(ports):
        for method, path in PATHS:
            for tls in (False, True):
                status, body = asked(port, method, path, tls)
                assert SECRET[:40] not in body, (port, path)
                assert b"x.warc.gz" not in body or b"AccessDenied" in body, (port, path)
                if port == s3_port(private) and not tls:
                    assert status in {0, 400, 403, 404, 405}, (method, path, status)
                else:
                    assert status in {0, 400}, (port, method, path, tls, status, body[:200])
    assert open_store(private).read("captures/kjd/c1/x.warc.gz") == SECRET, "it is still there"


def test_grpc_wants_a_certificate(private: Settings) -> None:
    for port in ports_of(private) - {s3_port(private)}:
        assert not spoken(port, tls=False).startswith(b"\x00\x00"), f"port {port} speaks HTTP/2 with anyone"
        assert b"\x04\x00" not in spoken(port, tls=True)[:9], f"port {port} speaks HTTP/2 with anyone"


def test_nobody_else_looks_into_the_folders(private: Settings) -> None:
    home = private.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("store", "store/tls"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o700, name
    for path in (home / "store").glob("*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((home / "store" / "security.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "store" / "tls" / "key.pem").stat().st_mode) == 0o600
    assert not list((home / "store" / "tls").glob("*authority*")), "nobody can make another certificate"


def test_a_store_of_an_earlier_version_is_closed_at_its_next_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    folder = settings.home / "store"
    folder.mkdir(parents=True)
    (folder / "security.toml").write_text('[jwt.signing]\nkey = "x"\n')
    (folder / "tls").mkdir()
    (folder / "tls" / "cert.pem").write_text("of a start that was cut off")
    reached = embedded.ensure_running(settings)
    try:
        assert "[grpc.master]" in (folder / "security.toml").read_text()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        open_store(reached).create("captures/a", b"1")
        assert {asked(port, "GET", "/dir/status", False)[0] for port in ports_of(reached) - {s3_port(reached)}} <= {
            0,
            400,
        }
    finally:
        embedded.stop(reached)
