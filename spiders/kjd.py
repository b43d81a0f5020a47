"""The newspaper itself: `scrapy crawl kjd -a since=2026-06-01 -a until=2026-06-07`."""

from spiders.source import SourceSpider


class Kjd(SourceSpider):
    """Korea JoongAng Daily. Addresses, routes and delay: pipelines/sources/kjd.toml."""

    name = "kjd"
