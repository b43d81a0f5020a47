"""The one place that reads the environment; everything else gets values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.errors import WrongUsage

DEFAULT_HOME = Path(".opeds")  # the embedded store, the index, logs: all that a run leaves on this machine


@dataclass(frozen=True)
class Settings:
    """Where things are. Secrets never show in a repr.

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
    endpoint: str = ""
    region: str = "us-east-1"
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
    return Settings(
        archive=environ.get("OPEDS_ARCHIVE", ""),
        index=environ.get("OPEDS_INDEX", ""),
        sources=environ.get("OPEDS_SOURCES", ""),
        contact=environ.get("OPEDS_CONTACT", ""),
        notify=environ.get("OPEDS_NOTIFY", ""),
        heartbeat=environ.get("OPEDS_HEARTBEAT", ""),
        home=Path(environ.get("OPEDS_HOME") or DEFAULT_HOME).absolute(),
        invented=environ.get("OPEDS_INVENTED", "") not in {"", "0"},
        processes=_count(environ.get("OPEDS_PROCESSES", "")),
        endpoint=environ.get("AWS_ENDPOINT_URL", ""),
        region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        access_key=environ.get("AWS_ACCESS_KEY_ID", ""),
        secret_key=environ.get("AWS_SECRET_ACCESS_KEY", ""),
        session_token=environ.get("AWS_SESSION_TOKEN", ""),
    )


def _count(text: str) -> int:
    if text and not (text.isdecimal() and int(text) > 0):
        raise WrongUsage(f"OPEDS_PROCESSES={text!r} is not a number of processes; write it as OPEDS_PROCESSES=2")
    return int(text or 0)


def reaching(settings: Settings) -> dict[str, str]:
    """Return the standard variables that reach a store; an empty value is to be unset."""
    return {
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ACCESS_KEY_ID": settings.access_key,
        "AWS_SECRET_ACCESS_KEY": settings.secret_key,
        "AWS_REGION": settings.region,
        "AWS_SESSION_TOKEN": settings.session_token,
    }


def crawling(settings: Settings) -> dict[str, str]:
    """Return what a crawl needs to reach the same archive; the rest it reads from our own environment."""
    return {"OPEDS_ARCHIVE": settings.archive, "OPEDS_HOME": str(settings.home), **reaching(settings)}


def child_environment(**extra: str) -> dict[str, str]:
    """Return this process's environment for a child process, with additions; empty values unset."""
    merged = {**os.environ, **extra}
    return {name: value for name, value in merged.items() if value}


def proxy_hosts() -> frozenset[str]:
    """Return the hosts of the forward proxies that the environment names: the operator chose them."""
    from urllib.request import getproxies  # it brings half of the library's network along

    hosts = (urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname for proxy in getproxies().values())
    return frozenset(host for host in hosts if host)
