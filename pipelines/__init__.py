"""What we know: the way of an op-ed from a newspaper's page to the bucket.

In order, and in which module:

1.  `spiders/` discover addresses and fetch pages. Their only product is WARC: one file for each page, put in the
    bucket as it arrives (`warc`; `keep` keeps a payload once). Nothing is understood yet, so all below can be redone.
2.  An address names an article: `addresses` gives its id (`kjd-c2068163`) and its one spelling. What is known of
    each place, addresses, lists and layouts, is data in `sources`.
3.  `extract(capture, place)` reads the article: `page` what the page says of itself, `blocks` its paragraphs (chosen
    by a layout in `sources`, else by `readings`, which is trafilatura, and `generic`), `edges` what stands around the
    argument, `fields` and `dates` the rest. Never a guess; never an error. `judge` says how far to trust it: a page
    that cannot be trusted becomes a rejection, set aside with its reasons.
4.  `verdict` compares with what was seen just before and just after: NEW, UNCHANGED or REVISED.
5.  `record` makes one JSON object of article, capture and rules: the same bytes whenever it is made.
6.  `fingerprint` sketches the text. The `index` publishes the sketch, commits, and only then asks for others like
    it; `matches` compares and says what two texts are to each other; `groups` says which place comes first.
7.  `log`: the outcomes, one for each address tried, become a manifest under the next number. This is the commit:
    what no manifest names is not in the archive. What a crash leaves before this is taken in by a later run that
    meets the article, or by `upkeep`.
8.  `catalogue` brings the table that consumers query up to the last manifest.

`ingest` walks 2 to 7, `run` puts a crawl before it and `publish` behind; `cli` is the command line. Around the way:
`revisit` says what to look at again, `changes` what a correction changed, `drift` whether a layout did; `rederive`
reads the archive by new rules, `doctor` examines a site, `dedupe` is step 6 for anybody's texts.

Two ports lead outside: `store` (a bucket in which nothing is overwritten; `s3` and `embedded` behind it) and `index`
(a derived database; `tables` and `apply` behind it). `nouns` and `errors` name what travels and what can go wrong;
`settings` alone reads the environment.

Steps 2 to 6 are functions of values: no network, clock, disk or database in them. Imports run one way: nouns, then
the pure verbs, then `ingest`, `catalogue` and `run`, then the command line.

Scrapy also says "item pipeline": ours is `spiders/deposit.py`, and has nothing to do with this package.
"""
