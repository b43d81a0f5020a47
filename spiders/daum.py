"""The portal that republishes the paper: `scrapy crawl daum -a url=https://v.daum.net/v/…`."""

from spiders.source import SourceSpider


class Daum(SourceSpider):
    """Daum. Addresses, routes and delay: pipelines/sources/daum.toml."""

    name = "daum"
