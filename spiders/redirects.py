"""Redirects that say where they lead: Scrapy drops one to another site, or to where we were, without a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scrapy import Request, Spider
from scrapy.downloadermiddlewares.redirect import BaseRedirectMiddleware, MetaRefreshMiddleware, RedirectMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.utils.url import url_is_from_any_domain

from spiders.failures import LONGEST_REASON

FOR_GOOD = frozenset({301, 308})
Followed = Request | Response


class Misled(IgnoreRequest):
    """A redirect that is not followed; the message says where it leads, as far as a line holds it."""

    def __init__(self, said: str) -> None:
        super().__init__(said if len(said) <= LONGEST_REASON else f"{said[:LONGEST_REASON]}…")

    is_for_good = False  # whether the site says that what was there will not come back


class LedAway(Misled):
    """A redirect to another site."""

    def __init__(self, url: str, reasons: Sequence[int | str]) -> None:
        super().__init__(f"{leading(reasons)} to another site: {url}")
        self.is_for_good = for_good(reasons)


class SayingRedirect(RedirectMiddleware):
    """Follows a redirect of a status, or says why not."""

    def process_response(self, request: Request, response: Response, spider: Spider | None = None) -> Followed:
        """See `followed`."""
        return followed(self, super().process_response, request, response)


class SayingRefresh(MetaRefreshMiddleware):
    """Follows a redirect of a page, or says why not."""

    def process_response(self, request: Request, response: Response, spider: Spider | None = None) -> Followed:
        """See `followed`."""
        return followed(self, super().process_response, request, response)


def followed(
    middleware: BaseRedirectMiddleware,
    follow: Callable[[Request, Response], Followed],
    request: Request,
    response: Response,
) -> Followed:
    """Return the answer, or the request that it leads to; raise `Misled` where nobody should follow."""
    asked = [*request.meta.get("redirect_urls", ()), request.url]
    try:
        again = follow(request, response)
    except IgnoreRequest as error:
        raise Misled(f"redirects more than {middleware.max_redirect_times} times, last at {asked[-1]}") from error
    if not isinstance(again, Request):
        return response
    if again.url == request.url:
        raise Misled("redirects to itself: does it want a cookie?")
    if again.url in asked:
        raise Misled(f"redirects in a circle: {' → '.join((*asked, again.url))}")
    spider = middleware.crawler.spider
    if again.meta.get("dont_obey_robotstxt"):  # robots.txt may lie on another host (RFC 9309, 2.3.1.2)
        again.meta["allow_offsite"] = True
    elif spider and not url_is_from_any_domain(again.url, spider.allowed_domains):  # type: ignore[attr-defined]
        raise LedAway(again.url, again.meta["redirect_reasons"])
    return again


def for_good(reasons: Sequence[int | str]) -> bool:
    """Whether each redirect on the way was permanent."""
    return bool(reasons) and FOR_GOOD.issuperset(reasons)


def leading(reasons: Sequence[int | str]) -> str:
    """Return how a way of redirects leads somewhere.

    >>> leading([302, 301])
    'leads for the moment (302, 301)'
    """
    return f"leads {'for good' if for_good(reasons) else 'for the moment'} ({', '.join(map(str, reasons))})"
