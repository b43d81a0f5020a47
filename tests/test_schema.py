"""The tables' columns are those that docs/schema.md explains."""

from pipelines.catalogue.schema import article_schema, run_schema
from tests.conftest import ROOT


def test_every_column_stands_in_the_documentation() -> None:
    told = (ROOT / "docs" / "schema.md").read_text()
    assert [name for name in (*article_schema().names, *run_schema().names) if f"`{name}`" not in told] == []


def test_moments_have_a_zone_and_no_column_stands_twice() -> None:
    names = article_schema().names
    assert len(names) == len(set(names))
    assert all(field.type.tz == "UTC" for field in article_schema() if str(field.type).startswith("timestamp"))
