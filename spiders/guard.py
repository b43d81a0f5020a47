"""No request leads inward: a hostile page or name server must not make us read the operator's own network."""

from __future__ import annotations

import ipaddress
from typing import Any, Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest
from scrapy.resolver import CachingThreadedResolver
from scrapy.utils.httpobj import urlparse_cached
from twisted.internet.error import DNSLookupError

WEB_PORTS = {"http": 80, "https": 443}
_wanted: set[str] = set()  # hosts of sources that say `loopback`; offsite requests do not get this far
_refused: dict[str, str] = {}  # names and the inward address they resolved to: the resolver's error loses it


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet.

    >>> [is_public(a) for a in ("93.184.215.14", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1")]
    [True, False, False, False]
    """
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_global and not ip.is_multicast


def is_usual_port(url: str) -> bool:
    """Whether an address is at the port of its scheme, be it said or not.

    >>> [is_usual_port(f"https://k.org{port}/a") for port in ("", ":443", ":80", ":22", ":x")]
    [True, True, False, False, False]
    """
    try:
        parts = urlsplit(url)
        return parts.scheme in WEB_PORTS and parts.port in {None, WEB_PORTS[parts.scheme]}
    except ValueError:
        return False


class GuardedResolver(CachingThreadedResolver):
    """Refuses names that resolve inward, at the very look-up the connection uses: no rebinding in between.

    Behind a forward proxy names are resolved there; then only the proxy's own name comes by, and is allowed.
    """

    allowed: frozenset[str] = frozenset()

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> Self:
        """Make the resolver; `GUARD_ALLOWS` holds the operator's proxies."""
        made = super().from_crawler(crawler, reactor)
        made.allowed = frozenset(crawler.settings.getlist("GUARD_ALLOWS"))
        return made

    def getHostByName(self, name: str, timeout: Any = ()) -> Any:
        """Resolve a name, or fail when the answer points inward."""

        def checked(address: str) -> str:
            if name not in self.allowed | _wanted and not is_public(address):
                _refused[name] = address
                raise DNSLookupError(f"{name} resolves to {address}")
            return address

        return super().getHostByName(name, timeout).addCallback(checked)


class NoInwardAddress:
    """Refuses requests to literal inward addresses, which no resolver sees behind a proxy, and to odd ports.

    A page must not make us speak to what else runs on its own host.
    """

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware."""
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Let pass, or raise `IgnoreRequest` with the reason."""
        host = urlparse_cached(request).hostname or ""
        if getattr(self.crawler.spider, "loopback", False):
            _wanted.add(host)
            return
        if not is_usual_port(request.url):
            raise IgnoreRequest(f"refused: {host} at a port that is not the web's")
        if host == "localhost" or host.endswith(".localhost"):
            raise IgnoreRequest(f"refused: {host} is this machine")
        try:
            public = is_public(host)
        except ValueError:
            return  # a name; the resolver judges it
        if not public:
            raise IgnoreRequest(f"refused: {host} points inward")


class NameRefusal:
    """Turns a refused name into a refusal: the resolver's own error would be retried as bad luck."""

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Raise `IgnoreRequest` for a name that resolved inward."""
        host = urlparse_cached(request).hostname or ""
        if isinstance(exception, CannotResolveHostError) and host in _refused:
            raise IgnoreRequest(f"refused: {host} resolves to {_refused[host]}, which points inward")
