"""A spider for every source: `kjd` and `daum` have a file of their own, any other needs its source file alone."""

from __future__ import annotations

from scrapy import Spider
from scrapy.spiderloader import SpiderLoader

from pipelines.errors import OpedsError
from pipelines.settings import read_settings
from pipelines.sources import load_sources
from spiders.source import SourceSpider, refuse


class SourceSpiders(SpiderLoader):
    """Scrapy's loader, and a spider for each source that has none."""

    def _load_all_spiders(self) -> None:
        super()._load_all_spiders()
        try:
            names = load_sources(read_settings().sources)
        except OpedsError as error:
            refuse(str(error))
        for name in names:
            made: type[Spider] = type(f"{name.title()}Spider", (SourceSpider,), {"name": name})
            self._spiders.setdefault(name, made)
