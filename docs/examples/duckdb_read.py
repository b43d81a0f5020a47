"""Read the catalogue with DuckDB and the reader's key; nothing of joongang-opeds is imported.

eval "$(opeds store key)" && python docs/examples/duckdb_read.py
"""

import importlib.resources
import os

import duckdb

con = duckdb.connect()
for name in ("httpfs", "delta"):  # from PyPI: nothing is downloaded
    root = importlib.resources.files(f"duckdb_extension_{name}")
    con.execute(f"LOAD '{root}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
endpoint = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
con.execute(
    f"""CREATE SECRET (TYPE s3, ENDPOINT '{endpoint}', USE_SSL false, URL_STYLE 'path', REGION '{os.environ["AWS_REGION"]}',
        KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}', SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}')"""
)
archive = os.environ.get("OPEDS_ARCHIVE", "s3://archive")
for name in ("articles", "sightings"):
    con.execute(f"CREATE VIEW {name} AS FROM delta_scan('{archive}/catalogue/{name}')")
con.execute(
    """CREATE VIEW places AS
    SELECT a.*, s.last_seen FROM articles a
    LEFT JOIN (SELECT article_id, max(fetched_at) AS last_seen FROM sightings GROUP BY article_id) s USING (article_id)
    WHERE a.is_latest"""
)
print(
    con.sql(
        """SELECT kind, role, count(*) AS op_eds, sum(word_count) AS words, max(last_seen) AS last_seen
        FROM places WHERE listed GROUP BY ALL ORDER BY ALL"""
    )
)
