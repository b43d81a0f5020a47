"""One peer at work, in its own environment: `python peer.py NAME TASK INPUT OUTPUT`; started by tests/peers.py.

Imports nothing of ours but for `ours`. Tasks: `extract` reads `{"url", "html"}` a line and writes what the peer
makes of it, in CPU seconds for all pages once each has been read before; `fetch` gets the addresses a line, and writes
a JSON file for each into a folder.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import time
from pathlib import Path


def trafilatura_reads(url, html):
    import trafilatura

    found = trafilatura.bare_extraction(html, url=url, with_metadata=True)
    said = found.as_dict() if found else {}
    authors = [name.strip() for name in (said.get("author") or "").split(";") if name.strip()]
    return said.get("title"), authors, said.get("date"), said.get("text")


def newspaper4k_reads(url, html):
    from newspaper import Article

    article = Article(url, fetch_images=False)
    article.download(input_html=html)
    article.parse()
    return article.title, list(article.authors), str(article.publish_date or "")[:10], article.text


def newsplease_reads(url, html):
    from newsplease import NewsPlease

    found = NewsPlease.from_html(html, url=url, fetch_images=False)
    return found.title, list(found.authors or ()), str(found.date_publish or "")[:10], found.maintext


def fundus_parsers():
    """Return a parser for each layout, as Fundus's guide says to write them: selectors, and its own helpers."""
    from fundus.parser import BaseParser, ParserProxy, attribute
    from fundus.parser.utility import (
        extract_article_body_with_selector,
        generic_author_parsing,
        generic_date_parsing,
        generic_nodes_to_text,
    )
    from lxml.etree import XPath

    class Layout(BaseParser):
        @attribute
        def body(self):
            return extract_article_body_with_selector(self.precomputed.doc, paragraph_selector=self._paragraph_selector)

    class Kjd(ParserProxy):
        class V1(Layout):
            VALID_UNTIL = datetime.date(2026, 6, 15)
            _paragraph_selector = XPath(
                "//div[@id='article_body']/p | //div[@id='article_body']/div[not(@class or @id)]"
            )
            _title_selector = XPath("//h1[contains(@class, 'view-article-title')]")
            _date_selector = XPath("//a[@class='article-publish-date']")

            @attribute
            def title(self):
                return next(iter(generic_nodes_to_text(self._title_selector(self.precomputed.doc))), None)

            @attribute
            def publishing_date(self):
                said = next(iter(generic_nodes_to_text(self._date_selector(self.precomputed.doc))), "")
                return generic_date_parsing(said.removeprefix("Published: "))

        class V2(Layout):
            _paragraph_selector = XPath(
                "//div[@class='article-body']/p | //div[@class='article-body']/div[not(@class)]"
            )

            @attribute
            def title(self):
                return self.precomputed.ld.bf_search("headline")

            @attribute
            def authors(self):
                return generic_author_parsing(self.precomputed.ld.bf_search("author"))

            @attribute
            def publishing_date(self):
                return generic_date_parsing(self.precomputed.ld.bf_search("datePublished"))

    class Daum(ParserProxy):
        class V1(Layout):
            _paragraph_selector = XPath("//div[@class='article_view']//*[@dmcf-ptype='general']")

            @attribute
            def title(self):
                return self.precomputed.meta.get("og:title")

            @attribute
            def publishing_date(self):
                return generic_date_parsing(self.precomputed.meta.get("og:regDate"))

    return Kjd, Daum


PARSERS = []
FETCHED = datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)
OF_OLD_HOST = datetime.date(2026, 6, 10)  # its layout; Fundus chooses by the day of the crawl


def fundus_reads(url, html):
    if not PARSERS:
        PARSERS.extend(proxy() for proxy in fundus_parsers())
    parser = PARSERS["daum" in url](OF_OLD_HOST if "joins" in url else FETCHED.date())
    found = parser.parse(html, error_handling="suppress")
    body = found.get("body")
    text = "\n\n".join(line for part in body.sections for line in part.paragraphs) if body else ""
    when = found.get("publishing_date")
    return found.get("title"), list(found.get("authors") or ()), str(when or "")[:10], text


def ours_reads(url, html):
    from pipelines.extraction.extract import extract
    from pipelines.model import Capture
    from pipelines.sources import load_sources
    from pipelines.sources.addresses import place_of

    if not PARSERS:
        PARSERS.extend(load_sources().values())
    headers = (("Content-Type", "text/html; charset=utf-8"),)
    found = extract(Capture(url, FETCHED, 200, headers, html.encode()), place_of(url, PARSERS))
    return found.headline, [one.name for one in found.authors], str(found.published_day or ""), found.text


READS = {
    "ours": ours_reads,
    "trafilatura": trafilatura_reads,
    "newspaper4k": newspaper4k_reads,
    "news-please": newsplease_reads,
    "fundus": fundus_reads,
}


def extract_all(name, pages):
    """Return what comes of each page, and CPU seconds for all of them at the second reading."""
    reads = READS[name]
    for _ in range(2):  # the first reading fills caches
        found, seconds = [], 0.0
        for page in pages:
            began = time.process_time()
            try:
                title, authors, day, text = reads(page["url"], page["html"])
            except Exception as error:  # named and counted; neither its time nor its missing text
                print(f"{name}: {page['url']}: {error!r}", file=sys.stderr)
                found.append(None)
                continue
            seconds += time.process_time() - began
            found.append({"title": title or "", "authors": authors, "day": day or "", "text": text or ""})
    return {"pages": found, "seconds": seconds}


def fetch_all(name, urls, into):
    """Fetch and read pages by address, as the peer does it; return how many came out with a text."""
    if name == "news-please":
        from newsplease import NewsPlease

        found = NewsPlease.from_urls(urls, request_args={"timeout": 60}, fetch_images=False)  # without it all are lost
        made = {url: [one.title, one.authors, str(one.date_publish), one.maintext] for url, one in found.items() if one}
    elif name == "newspaper4k":
        made = dict(newspaper4k_fetches(urls))
    elif name == "trafilatura":
        made = dict(trafilatura_fetches(urls))
    else:
        made = dict(fundus_fetches(urls))
    for number, (url, fields) in enumerate(made.items()):
        (into / f"{number}.json").write_text(json.dumps([url, *fields]))
    return sum(bool(fields[-1]) for fields in made.values())


def newspaper4k_fetches(urls):
    import newspaper

    for url in urls:
        try:
            found = newspaper.article(url, fetch_images=False)
            yield url, [found.title, found.authors, str(found.publish_date), found.text]
        except Exception as error:  # as above: counted
            print(f"newspaper4k: {url}: {error!r}", file=sys.stderr)
            yield url, [""]


def trafilatura_fetches(urls):
    """Yield each page's fields; its own downloader knows SOCKS proxies only, so urllib fetches."""
    from urllib.request import urlopen

    for url in urls:
        with urlopen(url) as answer:
            html = answer.read()
        yield url, trafilatura_reads(url, html)


def fundus_fetches(urls):
    from fundus.publishers.base_objects import Publisher
    from fundus.scraping.html import WebSource
    from fundus.scraping.session import session_handler
    from fundus.scraping.url import RSSFeed

    with session_handler.context(verify=os.environ["CURL_CA_BUNDLE"]):
        for proxy, domain in zip(fundus_parsers(), ("koreajoongangdaily.joins.com", "v.daum.net"), strict=True):
            feed = RSSFeed(f"https://{domain}/feed")
            publisher = Publisher(name=domain, domain=f"https://{domain}/", parser=proxy, sources=[feed])
            wanted = [url for url in urls if domain in url]
            for html in WebSource(wanted, publisher, ignore_robots=True).fetch():
                yield html.requested_url, fundus_reads(html.requested_url, html.content)


def main():
    name, task, source, target = sys.argv[1:]
    lines = [json.loads(line) for line in Path(source).read_text().splitlines()]
    if task == "extract":
        told = extract_all(name, lines)
    else:
        folder = Path(target).with_suffix("")
        folder.mkdir()
        told = {"fetched": fetch_all(name, lines, folder)}
    status = Path("/proc/self/status").read_text()
    told["memory"] = int(status.split("VmHWM:")[1].split()[0]) / 1024  # getrusage has that of whoever started us
    Path(target).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
