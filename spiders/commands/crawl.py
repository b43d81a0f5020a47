"""`scrapy crawl` as Scrapy has it, with an exit code that says whether the crawl did what it was asked to."""

from __future__ import annotations

import argparse
import sys

from scrapy.commands.crawl import Command as ScrapyCrawl

from pipelines.archive.crawl_summary import WRONG_USAGE_EXIT
from spiders.source import SourceSpider


class Command(ScrapyCrawl):
    """Ends with 1 when a spider of ours says that its crawl came to nothing; Scrapy itself would say 0."""

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Crawl; say what came and how to archive it, or what kept the crawl from what it was asked to do."""
        known = self.crawler_process.spider_loader.list() if self.crawler_process else []
        if args and args[0] not in known:
            print(f"scrapy: unknown source {args[0]!r}; there are: {', '.join(known)}", file=sys.stderr)
            self.exitcode = WRONG_USAGE_EXIT
            return
        super().run(args, opts)
        if not SourceSpider.troubles and "attended" not in opts.spargs:
            print(*SourceSpider.done, sep="\n")
        for sentence in SourceSpider.troubles:
            print(f"scrapy: {sentence}", file=sys.stderr)
            self.exitcode = 1
