"""The tables' columns are those that docs/schema.md explains."""

from pipelines.catalogue.schema import CATALOGUE, article_schema
from tests.conftest import ROOT


def test_every_column_stands_in_the_documentation() -> None:
    told = (ROOT / "docs" / "schema.md").read_text()
    columns = [name for table in CATALOGUE.values() for name in table.columns().names]
    assert [name for name in columns if f"`{name}`" not in told] == []


def test_moments_have_a_zone_and_no_column_stands_twice() -> None:
    names = article_schema().names
    assert len(names) == len(set(names))
    assert all(field.type.tz == "UTC" for field in article_schema() if str(field.type).startswith("timestamp"))
