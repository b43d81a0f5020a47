"""Read the catalogue with Polars and the reader's key; nothing of joongang-opeds is imported.

eval "$(opeds store key)" && python docs/examples/polars_read.py
"""

import os

import polars as pl

options = {
    "AWS_ACCESS_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
    "AWS_SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],
    "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
    "AWS_REGION": os.environ["AWS_REGION"],
    "AWS_ALLOW_HTTP": "true",
}
archive = os.environ.get("OPEDS_ARCHIVE", "s3://archive")
articles = pl.scan_delta(f"{archive}/catalogue/articles", storage_options=options)
sightings = pl.scan_delta(f"{archive}/catalogue/sightings", storage_options=options)
last_seen = sightings.group_by("article_id").agg(pl.col("fetched_at").max().alias("last_seen"))
latest = (
    articles.filter(pl.col("is_latest") & pl.col("listed"))
    .join(last_seen, on="article_id", how="left")
    .select("published_at", "headline", "oped_id", "role", "previous", "last_seen")
)
print(latest.sort("published_at", "role").collect())
