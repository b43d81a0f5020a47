"""No request leads inward: a hostile page or name server must not make us read the operator's own network."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest
from scrapy.resolver import CachingThreadedResolver
from scrapy.utils.httpobj import urlparse_cached
from twisted.internet.error import DNSLookupError

CARRIES_IPV4 = [ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")]
OWN_NAMES = frozenset({"localhost", "local", "internal", "lan", "home", "corp", "intranet", "arpa"})  # of no one else
WEB_PORTS = {"http": 80, "https": 443}
_wanted: set[str] = set()  # hosts of sources that say `loopback`; offsite requests do not get this far
_refused: dict[str, str] = {}  # names and the inward address they resolved to: the resolver's error loses it


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet.

    >>> [is_public(a) for a in ("93.184.215.14", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1")]
    [True, False, False, False]
    >>> [is_public(a) for a in ("2002:a9fe:a9fe::", "64:ff9b::a9fe:a9fe", "::127.0.0.1", "2606:4700::1111")]
    [False, False, False, True]
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        within = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if within is None and any(ip in net for net in CARRIES_IPV4):
            within = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = within or ip
    return ip.is_global and not ip.is_multicast


def literal(host: str) -> str:
    """Return the IP address that a host is, in any spelling that a resolver takes for one, else an empty string.

    >>> [literal(h) for h in ("127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "::1", "k.org", "k")]
    ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1', '::1', '', '']
    """
    with suppress(ValueError):
        return str(ipaddress.ip_address(host))
    with suppress(OSError, UnicodeError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return ""


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
        host = (urlparse_cached(request).hostname or "").rstrip(".")
        if getattr(self.crawler.spider, "loopback", False):
            _wanted.add(host)
            return
        if not is_usual_port(request.url):
            raise IgnoreRequest(f"refused: {host} at a port that is not the web's")
        address = literal(host)
        if address and not is_public(address):
            raise IgnoreRequest(f"refused: {host} points inward")
        if not address and ("." not in host or host.rpartition(".")[2] in OWN_NAMES):
            raise IgnoreRequest(f"refused: {host} is a name of this machine or its network")
        # any other name: the resolver judges it


class NameRefusal:
    """Turns a refused name into a refusal: the resolver's own error would be retried as bad luck."""

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Raise `IgnoreRequest` for a name that resolved inward."""
        host = urlparse_cached(request).hostname or ""
        if isinstance(exception, CannotResolveHostError) and host in _refused:
            raise IgnoreRequest(f"refused: {host} resolves to {_refused[host]}, which points inward")
