"""`scrapy crawl` as Scrapy has it, with an exit code that says whether the crawl did what it was asked to."""

from __future__ import annotations

import argparse
import sys

from scrapy.commands.crawl import Command as ScrapyCrawl

from spiders.source import SourceSpider


class Command(ScrapyCrawl):
    """Ends with 1 when a spider of ours says that its crawl came to nothing; Scrapy itself would say 0."""

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Crawl; say what came and how to archive it, or what kept the crawl from what it was asked to do."""
        super().run(args, opts)
        if not SourceSpider.troubles and "attended" not in opts.spargs:
            print(*SourceSpider.done, sep="\n")
        for sentence in SourceSpider.troubles:
            print(f"scrapy: {sentence}", file=sys.stderr)
            self.exitcode = 1
