"""How we fetch: plain Scrapy spiders whose only product is WARC. `scrapy list`; see README.md."""
