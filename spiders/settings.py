"""Scrapy's settings: how we ask. Each says why it is not the default."""

from __future__ import annotations

from pipelines.settings import proxy_hosts, read_settings

_ours = read_settings()

BOT_NAME = "joongang-opeds"
SPIDER_MODULES = ["spiders"]
SPIDER_LOADER_CLASS = "spiders.loader.SourceSpiders"
COMMANDS_MODULE = "spiders.commands"  # `crawl` ends with 1 when it came to nothing
USER_AGENT = f"joongang-opeds/0.1 (+{_ours.contact or 'no contact given'})"
ROBOTSTXT_OBEY = True
ROBOTSTXT_USER_AGENT = "joongang-opeds"

# Politeness: the delay comes from the source's file (spiders/source.py), AutoThrottle only ever adds to it.
CONCURRENT_REQUESTS_PER_DOMAIN = 1
DOWNLOAD_DELAY_JITTER = 0  # or the delay would be cut by half at times
CONCURRENT_REQUESTS = 2
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_MAX_DELAY = 60
RETRY_TIMES = 3
DOWNLOAD_TIMEOUT = 60
DOWNLOAD_MAXSIZE = 15_000_000  # bytes; the largest news page measured has 3 MB
DOWNLOAD_WARNSIZE = 5_000_000
CLOSESPIDER_TIMEOUT = 3 * 3600
REDIRECT_MAX_TIMES = 5

DOWNLOAD_VERIFY_CERTIFICATES = True  # Scrapy does not by default
COOKIES_ENABLED = False  # no session needed, and its public-suffix list would be fetched from the network
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en,ko;q=0.5",
    "Accept-Encoding": "gzip",  # what every WARC reader can undo
}

TWISTED_DNS_RESOLVER = "spiders.guard.GuardedResolver"
GUARD_ALLOWS = sorted(proxy_hosts())

COMPRESSION_ENABLED = False  # spiders/wire.py undoes codings, and sees whether all of a body arrived
DUPEFILTER_CLASS = "scrapy.dupefilters.BaseDupeFilter"  # the spider asks once; a redirect may lead where we were

DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "spiders.politeness.CarefulRobots": 100,
    "spiders.guard.NoInwardAddress": 110,
    "spiders.politeness.StopWhenRefused": 120,
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
    "spiders.politeness.PatientRetry": 550,
    "spiders.guard.NameRefusal": 560,
    "scrapy.downloadermiddlewares.redirect.MetaRefreshMiddleware": None,
    "spiders.redirects.SayingRefresh": 580,
    "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
    "spiders.redirects.SayingRedirect": 600,
    "spiders.conditional.AskWhetherChanged": 900,
    "spiders.wire.Wire": 999,
}
EXTENSIONS = {"spiders.attended.Attended": 100}
ITEM_PIPELINES = {"spiders.deposit.Deposit": 100}
LOG_LEVEL = "INFO"
