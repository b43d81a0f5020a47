"""What we know: the path of an op-ed from a newspaper's page to the bucket.

In order, and in which folder:

1.  `spiders/` (beside this package) discover addresses and fetch pages. Their only product is WARC: one file for each
    page, stored in the bucket as it arrives. Nothing is understood yet, so everything below can be done again.
2.  `sources/`: an address names an article. `addresses` gives its id (`kjd-c2068163`) and its standard address.
    Whatever we know of a site (addresses, lists, layouts) is data in a file of its own.
3.  `extraction/` reads a capture into an `Article`: text, headline, authors, dates, each with its provenance. It
    never guesses and never raises an error. A page that cannot be trusted becomes a rejection and is set aside with
    reasons.
4.  `versions`: is the text new for this article, unchanged, or revised? Only articles extracted by the same rules are
    compared.
5.  `archive/record`: article + capture + rules = one JSON object, the same bytes whenever it is made.
6.  `copies/`: similar texts. The `index/` saves the sketches of a whole part in one transaction, and only then looks
    for candidates; `compare` says what two texts are to each other, `groups` which place of an op-ed comes first.
7.  `archive/manifests`: the outcomes, one for each address tried, are logged under the next number. This is the
    commit: an article is archived once a manifest lists it.
8.  `catalogue/` brings the tables that consumers query up to the last manifest.

`ingestion/` does steps 2 to 7: four stages (load, read, decide, match), then the manifest. `jobs/` puts a crawl
before it and `publish` behind it, for the command line (`cli/`) and for Airflow (`jobs/tasks`). Around that:
`revisit` chooses pages to ask for again, `rederive` re-extracts the archive by new rules, `verify` recomputes what
the archive says, `doctor` examines a site.

Two interfaces lead to storage: `archive/store` (a bucket in which nothing is overwritten) and `index/` (a derived
database). `settings` alone reads the environment (DAG files read OPEDS_SOURCES, since they import nothing).
Everything else in steps 2 to 6 is a function of values.

Scrapy also says "item pipeline": ours is `spiders/deposit.py`, and has nothing to do with this package.
"""
