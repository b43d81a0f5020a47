"""Read the catalogue with Polars and the reader's key; nothing of joongang-opeds is imported.

eval "$(opeds store key)" && python docs/examples/polars_read.py
"""

import os
import pathlib

import polars as pl

options = {
    "AWS_ACCESS_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
    "AWS_SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],
    "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
    "AWS_REGION": os.environ["AWS_REGION"],
    "AWS_ALLOW_HTTP": "true",
}
archive = os.environ.get("OPEDS_ARCHIVE", "s3://archive")
sql = pl.SQLContext(catalogue=pl.scan_delta(f"{archive}/catalogue/articles", storage_options=options))
for statement in (pathlib.Path(__file__).parent / "views.sql").read_text().split(";"):
    if "CREATE VIEW" in statement:  # opeds, places, versions, corrections
        name, _, query = statement.partition("CREATE VIEW ")[2].partition(" AS\n")
        sql.register(name, sql.execute(query))
sightings = pl.scan_delta(f"{archive}/catalogue/sightings", storage_options=options)
last_seen = sightings.group_by("article_id").agg(pl.col("fetched_at").max().alias("last_seen"))
places = sql.execute(
    "SELECT article_id, oped_id, role, published_day, headline FROM places ORDER BY published_day, role"
)
print(places.join(last_seen, on="article_id", how="left").collect())
print(
    sql.execute("SELECT article_id, seen, kind_of_change, text_previous, text FROM corrections ORDER BY seen").collect()
)
