"""Read the catalogue with DuckDB and the reader's key; nothing of joongang-opeds is imported.

eval "$(opeds store key)" && python docs/examples/duckdb_read.py
"""

import importlib.resources
import os
import pathlib

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
con.execute(f"CREATE VIEW catalogue AS FROM delta_scan('{archive}/catalogue/articles')")
con.execute(f"CREATE VIEW sightings AS FROM delta_scan('{archive}/catalogue/sightings')")
con.execute((pathlib.Path(__file__).parent / "views.sql").read_text())  # opeds, places, versions, corrections
print(con.sql("SELECT kind, count(*) AS op_eds, sum(word_count) AS words FROM opeds GROUP BY kind ORDER BY kind"))
print(
    con.sql(
        """SELECT role, count(*) AS places, max(last_seen) AS last_seen FROM places
        LEFT JOIN (SELECT article_id, max(fetched_at) AS last_seen FROM sightings GROUP BY article_id) USING (article_id)
        GROUP BY role ORDER BY role"""
    )
)
print(con.sql("SELECT article_id, seen, kind_of_change, words_added, words_removed FROM corrections ORDER BY seen"))
