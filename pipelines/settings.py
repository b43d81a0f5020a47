"""The one place that reads the environment; everything else gets values."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.errors import WrongUsage

SECRET = (
    "AWS_",
    "OPEDS_INDEX",
    "OPEDS_NOTIFY",
    "OPEDS_HEARTBEAT",
    "OPEDS_SIGNING_",
)  # what may stand in a file (`…_FILE`), and is not passed on to children
LONGEST_TIMEOUT = 3600.0  # seconds
DEFAULT_HOME = Path(".opeds")  # the embedded store, the index, logs: all that a run leaves on this machine


@dataclass(frozen=True)
class Settings:
    """Where things are. Secrets never show in a repr. Without keys, boto's own chain finds them: shared files, profile,
    SSO, role.

    `archive` and `index` are empty when the embedded defaults below `home` are meant.
    """

    archive: str = ""
    index: str = field(default="", repr=False)  # a database's address holds its password
    sources: str = ""
    contact: str = ""
    notify: str = field(default="", repr=False)  # addresses with passwords in them
    heartbeat: str = field(default="", repr=False)
    home: Path = DEFAULT_HOME
    invented: bool = False  # an archive made now is one of invented op-eds
    processes: int = 0  # that read pages; 0: as many as there are cores
    store_timeout: float = 30.0  # seconds that the bucket may take for an answer
    signing_key: str = field(default="", repr=False)  # Ed25519 in PEM: manifests are signed with it
    signing_public: str = ""  # keys in PEM whose signatures `opeds verify` trusts
    connection: str = ""  # the id of an Airflow Connection, see jobs/connection.py
    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)

    @property
    def embedded(self) -> bool:
        """Whether the archive is the embedded store of this folder."""
        return not self.archive


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of this process; unset and empty are the same.

    >>> read_settings({"OPEDS_ARCHIVE": "s3://opeds"}).archive
    's3://opeds'
    """
    value = partial(_value, environ)
    return Settings(
        archive=value("OPEDS_ARCHIVE"),
        index=value("OPEDS_INDEX"),
        sources=value("OPEDS_SOURCES"),
        contact=value("OPEDS_CONTACT"),
        notify=value("OPEDS_NOTIFY"),
        heartbeat=value("OPEDS_HEARTBEAT"),
        home=Path(value("OPEDS_HOME") or DEFAULT_HOME).absolute(),
        invented=value("OPEDS_INVENTED") not in {"", "0"},
        processes=_count(value("OPEDS_PROCESSES")),
        store_timeout=_seconds(value("OPEDS_STORE_TIMEOUT")),
        signing_key=value("OPEDS_SIGNING_KEY"),
        signing_public=value("OPEDS_SIGNING_PUBLIC"),
        connection=value("OPEDS_AWS_CONN_ID"),
        endpoint=value("AWS_ENDPOINT_URL_S3") or value("AWS_ENDPOINT_URL"),
        region=value("AWS_REGION") or value("AWS_DEFAULT_REGION"),
        access_key=value("AWS_ACCESS_KEY_ID"),
        secret_key=value("AWS_SECRET_ACCESS_KEY"),
        session_token=value("AWS_SESSION_TOKEN"),
    )


def _value(environ: Mapping[str, str], name: str) -> str:
    """Return a variable, or what the file holds that `<name>_FILE` names: as secrets are mounted."""
    file = environ.get(f"{name}_FILE", "")
    if environ.get(name) or not file or not name.startswith(SECRET):
        return environ.get(name, "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{name}_FILE={file} cannot be read: {getattr(error, 'strerror', 'it is no text')}") from error


def check_contact(settings: Settings) -> None:
    """Raise `WrongUsage` where nobody could find out who asks: the contact goes into the User-Agent."""
    if not re.search(r"@|https?://", settings.contact):
        raise WrongUsage("set OPEDS_CONTACT to a mail or web address before crawling: it goes into the User-Agent")


def _count(text: str) -> int:
    if text and not (text.isdecimal() and int(text) > 0):
        raise WrongUsage(f"OPEDS_PROCESSES={text!r} is not a number of processes; write it as OPEDS_PROCESSES=2")
    return int(text or 0)


def _seconds(text: str) -> float:
    try:
        seconds = float(text or Settings.store_timeout)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise WrongUsage(f"OPEDS_STORE_TIMEOUT={text!r} is no number of seconds; write it as OPEDS_STORE_TIMEOUT=30")
    return seconds


def reaching(settings: Settings) -> dict[str, str]:
    """Return the standard variables that reach a store; an empty value is to be unset."""
    return {
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ACCESS_KEY_ID": settings.access_key,
        "AWS_SECRET_ACCESS_KEY": settings.secret_key,
        "AWS_REGION": settings.region,
        "AWS_SESSION_TOKEN": settings.session_token,
    }


def private_folder(folder: Path) -> Path:
    """Return a folder of ours under OPEDS_HOME, made if need be, that only this user can look into."""
    make_private(folder)
    folder.chmod(0o700)  # one that an earlier version of ours made
    return folder


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are not there, for this user alone; one that is there stays as it is."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(exist_ok=True, mode=0o700)


def crawling(settings: Settings) -> dict[str, str]:
    """Return what a crawl needs to reach the same archive; the rest it reads from our own environment."""
    return {"OPEDS_ARCHIVE": settings.archive, "OPEDS_HOME": str(settings.home), **reaching(settings)}


def child_environment(reaches_store: bool = False, **extra: str) -> dict[str, str]:
    """Return this process's environment for a child process, with additions; empty values unset.

    A child gets none of our secrets (`SECRET`) and nothing of Airflow's: a crawl reads hostile pages, and the embedded
    store and pywb do not need them. With `reaches_store` it keeps `AWS_*`, where boto looks for its keys.
    """
    kept = {name: value for name, value in os.environ.items() if _is_for_children(name, reaches_store)}
    return {name: value for name, value in {**kept, **extra}.items() if value}


def _is_for_children(name: str, reaches_store: bool) -> bool:
    return (reaches_store and name.startswith("AWS_")) or not name.startswith((*SECRET, "AIRFLOW_"))


def proxy_hosts() -> frozenset[str]:
    """Return the hosts of the forward proxies that the environment names: the operator chose them."""
    from urllib.request import getproxies  # it brings half of the library's network along

    hosts = (urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname for proxy in getproxies().values())
    return frozenset(host for host in hosts if host)
