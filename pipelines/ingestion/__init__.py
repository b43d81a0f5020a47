"""From sightings to outcomes, in four stages: load, read, decide, match. `ingest.py` is the loop around them."""
