"""Secrets while a run works, and behind it: in no argument, no log, no output, no object, in no child that needs none.

What is looked for are secrets of the run alone, so that each hit is a leak: the store's key, a signing key, passwords
in the addresses of index, notices and heartbeat.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pipelines.archive.embedded import running_pid
from pipelines.archive.store import open_store
from pipelines.errors import NotificationFailed
from pipelines.jobs.notify import Notice, notify, send_heartbeat
from pipelines.settings import Settings
from tests.conftest import OPEDS, ROOT, World, environment_of

PASSWORDS = {"index": "pw-of-the-index", "notify": "pw-of-the-notices", "heartbeat": "token-of-the-heartbeat"}


@dataclass
class Watched:
    """What was seen of processes while a run worked: arguments, and environments of its children."""

    leaks: set[str] = field(default_factory=set)
    environments_read: int = 0

    def look(self, secrets: dict[str, bytes]) -> None:
        """Look once at every process of this machine, and at the environments of the run's crawls."""
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                arguments = (folder / "cmdline").read_bytes()
                self.leaks |= {f"{name} in arguments" for name, value in secrets.items() if value in arguments}
                if b"scrapy\0crawl" not in arguments:
                    continue
                environment = (folder / "environ").read_bytes()
                self.environments_read += bool(environment)
                needless = {name: value for name, value in secrets.items() if name != "store"}
                self.leaks |= {f"{name} in a crawl" for name, value in needless.items() if value in environment}


@pytest.fixture
def secrets(bucket: Settings) -> dict[str, bytes]:
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "store": bucket.secret_key.encode(),
        "signing key": key.splitlines()[1].encode(),  # the one line between its marks
        **{name: value.encode() for name, value in PASSWORDS.items()},
    }


def pem(secrets: dict[str, bytes], mark: str = "BEGIN") -> str:
    return f"-----{mark} PRIVATE KEY-----\n{secrets['signing key'].decode()}\n-----END PRIVATE KEY-----\n"


def ran(
    newsstand: World, settings: Settings, secrets: dict[str, bytes], *arguments: str, **more: str
) -> tuple[int, bytes, Watched]:
    """Run a command with all secrets set, and look at processes until it ends; return code, output, what was seen."""
    environment = {
        **os.environ, **newsstand.environment, **environment_of(settings),
        "OPEDS_SIGNING_KEY": pem(secrets), "AIRFLOW__CORE__FERNET_KEY": PASSWORDS["index"],
        "OPEDS_NOTIFY": f"json://user:{PASSWORDS['notify']}@127.0.0.1:9/",
        "OPEDS_HEARTBEAT": f"http://127.0.0.1:9/{PASSWORDS['heartbeat']}", **more,
    }  # fmt: skip
    watched = Watched()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([*OPEDS, *arguments], env=environment, cwd=ROOT, stdout=out, stderr=out)
        while process.poll() is None:
            watched.look(secrets)
            time.sleep(0.02)
        out.seek(0)
        return process.returncode, out.read(), watched


def found(body: bytes, secrets: dict[str, bytes]) -> set[str]:
    return {name for name, value in secrets.items() if value in body}


def plain(name: str, body: bytes) -> bytes:
    """Return what a file says when its coding is undone."""
    if body.startswith(b"\x1f\x8b"):
        return gzip.decompress(body)
    if name.endswith(".parquet"):
        import pyarrow as pa

        return repr(pq.read_table(pa.BufferReader(body)).to_pylist()).encode()
    return body


def kept(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield everything that a run left: objects of the bucket, files of its home."""
    store = open_store(settings)
    for key in store.keys(""):
        yield key, plain(key, store.read(key))
    for file in settings.home.rglob("*"):
        if file.is_file():
            yield str(file), plain(file.name, file.read_bytes())


def test_a_run_tells_its_secrets_to_nobody(
    newsstand: World, bucket: Settings, secrets: dict[str, bytes], postgres: str
) -> None:
    address = sa.make_url(postgres.format("postgres")).set(password=PASSWORDS["index"])
    settings = replace(bucket, index=address.render_as_string(hide_password=False))
    code, output, watched = ran(newsstand, settings, secrets, "run", "--day", "2026-06-02", "--json")
    assert code == 0, output[-2000:]
    assert watched.environments_read > 3
    assert watched.leaks == set()
    assert found(output, secrets) == set()
    for arguments in (["status"], ["verify"], ["upkeep"], ["doctor"]):
        _, output, watched = ran(newsstand, settings, secrets, *arguments)
        assert (watched.leaks, found(output, secrets)) == (set(), set()), arguments
    looked = 0
    for name, body in kept(settings):
        assert found(body, secrets) == set(), name
        looked += 1
    assert looked > 30


def test_errors_tell_no_secret(newsstand: World, bucket: Settings, secrets: dict[str, bytes]) -> None:
    """Secrets of index, store and signature, each wrong or at an address where nobody answers."""
    day = ("run", "--day", "2026-06-02")
    nowhere = f"postgresql+psycopg://opeds:{PASSWORDS['index']}@127.0.0.1:9/opeds"
    broken = {
        "index": replace(bucket, index=nowhere),
        "index of no kind": replace(bucket, index=nowhere.replace("postgresql+psycopg", "oracle")),
        "store": replace(bucket, endpoint="http://127.0.0.1:9"),
        "key": replace(bucket, access_key="nobody"),
    }
    for what, settings in broken.items():
        code, output, watched = ran(newsstand, settings, secrets, *day, OPEDS_STORE_TIMEOUT="1")
        assert code != 0, what
        assert b"Traceback" not in output, output[-2000:]
        assert (found(output, secrets), watched.leaks) == (set(), set()), what
    more = {"OPEDS_SIGNING_KEY": pem(secrets, "BEGONE")}
    code, output, _ = ran(newsstand, bucket, secrets, *day, **more)
    assert (code != 0, found(output, secrets)) == (True, set()), output[-1000:]


def test_the_embedded_store_starts_without_our_secrets(seaweed: Settings) -> None:
    """A variable of ours in its environment would make a key that we did not give it."""
    pid = running_pid(seaweed.home / "store")
    names = [line.partition(b"=")[0].decode() for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")]
    assert not [name for name in names if name.startswith(("AWS_", "OPEDS_", "AIRFLOW_"))]


def test_a_home_is_for_its_user_alone(newsstand: World, bucket: Settings, secrets: dict[str, bytes]) -> None:
    settings = replace(bucket, home=bucket.home / "of" / "mine")
    ran(newsstand, settings, secrets, "run", "--day", "2026-06-02")
    folders = [bucket.home, *(one for one in bucket.home.rglob("*") if one.is_dir())]
    assert {"index", "logs"} <= {one.name for one in folders}
    assert [one for one in folders if one.stat().st_mode & 0o077] == []


def test_notices_and_heartbeats_that_fail_tell_no_secret(
    secrets: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    notice = Notice("incomplete", "2026-06-02 is not complete")
    for send in (
        lambda: notify([notice], f"json://user:{PASSWORDS['notify']}@127.0.0.1:9/"),
        lambda: send_heartbeat(f"http://127.0.0.1:9/{PASSWORDS['heartbeat']}"),
    ):
        with pytest.raises(NotificationFailed) as caught:
            send()
        assert found((str(caught.value) + caplog.text).encode(), secrets) == set()
