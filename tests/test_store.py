"""One promise, every adapter; then what only the real store can show."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.archive import embedded
from pipelines.archive.identity import identify
from pipelines.archive.s3 import S3Store
from pipelines.archive.store import MemoryStore, Overlay, Store, open_store
from pipelines.errors import AlreadyArchived, NotArchived, StoreUnavailable, UnsafeStore, WrongUsage
from pipelines.settings import Settings


def test_what_was_created_reads_back(store: Store) -> None:
    store.create("a/1", b"first")
    assert store.read("a/1") == b"first"


def test_what_exists_is_never_overwritten(store: Store) -> None:
    store.create("a/1", b"first")
    with pytest.raises(AlreadyArchived):
        store.create("a/1", b"second")
    assert store.read("a/1") == b"first"


def test_creating_the_same_again_is_success(store: Store) -> None:
    store.create("a/1", b"first")
    store.create("a/1", b"first")


def test_what_is_not_there_has_an_error_of_ours(store: Store) -> None:
    with pytest.raises(NotArchived):
        store.read("a/none")


def test_keys_come_sorted_by_bytes_and_by_prefix(store: Store) -> None:
    for key in ("a/b/1", "a/b-c/1", "a/b.d/1", "b/1", "a/b"[:2] + "z"):
        store.create(key, b"x")
    assert list(store.keys("a/")) == sorted(["a/b/1", "a/b-c/1", "a/b.d/1", "a/z"])


def test_many_writers_at_one_key_have_one_winner(store: Store) -> None:
    won: list[int] = []
    barrier = threading.Barrier(8)

    def write(n: int) -> None:
        barrier.wait()
        try:
            store.create("contended", str(n).encode())
        except AlreadyArchived:
            return
        won.append(n)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("contended") == str(won[0]).encode()


def test_an_archive_gets_one_id_for_good(store: Store) -> None:
    assert identify(store) == identify(store)


def test_a_store_that_overwrites_is_refused() -> None:
    class Careless(MemoryStore):
        def create(self, key: str, body: bytes) -> None:
            self.objects[key] = body

    with pytest.raises(UnsafeStore, match="overwrites"):
        identify(Careless())


def test_a_dry_run_writes_nothing_below() -> None:
    below = MemoryStore()
    below.create("a", b"1")
    over = Overlay(below)
    over.create("b", b"2")
    assert list(over.keys("")) == ["a", "b"]
    assert list(below.keys("")) == ["a"]
    with pytest.raises(AlreadyArchived):
        over.create("a", b"other")


def test_a_folder_store_does_not_leave_its_folder(tmp_path: Path) -> None:
    store = open_store(Settings(archive=f"file://{tmp_path}/in"))
    with pytest.raises(WrongUsage):
        store.create("../out", b"x")


@pytest.mark.parametrize("address", ["", "bucket", "http://x/y", "s3://"])
def test_an_address_of_no_known_kind_says_which_there_are(address: str) -> None:
    with pytest.raises(WrongUsage, match="s3://bucket"):
        open_store(Settings(archive=address or "nonsense"))


def test_a_wrong_key_is_one_sentence_without_the_secret(bucket: Settings) -> None:
    with pytest.raises(StoreUnavailable, match="refuses this key") as caught:
        open_store(replace(bucket, secret_key="wrong-secret")).read("x")
    assert "wrong-secret" not in str(caught.value)
    assert bucket.access_key not in repr(bucket)


def test_no_store_there_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    nowhere = Settings(archive="s3://b", endpoint=f"http://127.0.0.1:{port}", access_key="a", secret_key="b")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        open_store(nowhere).read("x")


def test_the_reader_reads_and_cannot_write(bucket: Settings, seaweed: Settings) -> None:
    open_store(bucket).create("a", b"1")
    home = Path(seaweed.home)
    reader = replace(embedded.reach(Settings(home=home), "reader"), archive=bucket.archive)
    assert open_store(reader).read("a") == b"1"
    with pytest.raises(StoreUnavailable, match="refuses"):
        open_store(reader).create("b", b"2")


def test_the_writer_cannot_make_buckets(bucket: Settings) -> None:
    from botocore.exceptions import ClientError

    store = open_store(bucket)
    assert isinstance(store, S3Store)
    with pytest.raises(ClientError, match=r"403|AccessDenied"):
        store.client.create_bucket(Bucket="another")


def test_secrets_are_readable_by_their_owner_only(seaweed: Settings) -> None:
    for name in ("store.json", "s3.json", "security.toml"):
        assert (seaweed.home / "store" / name).stat().st_mode & 0o077 == 0


def test_the_embedded_store_keeps_what_it_held_over_a_restart(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    started: list[Settings] = []
    threads = [threading.Thread(target=lambda: started.append(embedded.ensure_running(settings))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert started[0] == started[1], "two commands at once start one store"
    open_store(settings).create("a", b"kept")
    assert embedded.stop(settings)
    assert not embedded.stop(settings)
    assert open_store(settings).read("a") == b"kept"
    assert embedded.stop(settings)


def test_a_store_is_used_by_several_threads_at_once() -> None:
    store = MemoryStore()

    def use(number: int) -> int:
        for n in range(200):
            store.create(f"a/{number}/{n:04d}", b"x")
        return len(list(store.keys(f"a/{number}/")))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use, range(8))) == [200] * 8
    assert list(store.keys("a/")) == sorted(store.objects)


@contextmanager
def answering(*answers: tuple[int, bytes, int]) -> Iterator[Settings]:
    """Run a store that gives these answers in turn, the last one for ever: status, body, and how much of it is sent."""
    waiting = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, sent = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 200:
                self.send_header("ETag", '"any"')
            self.end_headers()
            self.wfile.write(body[:sent])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield Settings(archive="s3://b", endpoint=address, access_key="a", secret_key="b")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    with answering((200, b"whole", 2), (200, b"whole", 0), (200, b"whole", 5)) as settings:
        assert open_store(settings).read("x") == b"whole"
    with answering((200, b"whole", 2)) as settings, pytest.raises(StoreUnavailable, match="break off"):
        open_store(settings).read("x")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredToken", "has expired"),
        ("RequestTimeTooSkewed", "clock is wrong"),
        ("AccessDenied", "refuses this key"),
        ("SomethingElse", "answers SomethingElse"),
    ],
)
def test_what_the_store_answers_is_what_is_said(code: str, sentence: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    with answering((403, body, len(body))) as settings, pytest.raises(StoreUnavailable, match=sentence):
        open_store(settings).read("x")
