"""Every code of the documents has a sentence for readers."""

import re

from pipelines.browse.words import (
    CHANGE_WORDS,
    OUTCOMES,
    REASONS,
    RELATIONS,
    change_in_words,
    outcome_in_words,
    reasons_in_words,
    relation_in_words,
)
from pipelines.copies.compare import UNITES
from pipelines.model import Verdict
from tests.conftest import ROOT

SCHEMA = (ROOT / "docs" / "schema.md").read_text()


def test_every_reason_of_the_documents_has_a_sentence() -> None:
    told = SCHEMA.split("## Reasons")[1].split("`kind_of_change` of a step")[0]
    codes = set(re.findall(r"`([a-z0-9_]+)`", told)) - {"review", "unforeseen_"}
    assert len(codes) > 25
    assert codes <= REASONS.keys()
    assert all(said != code for code, said in zip(sorted(codes), reasons_in_words(sorted(codes)), strict=True))


def test_every_outcome_and_relation_has_words() -> None:
    assert {verdict.value for verdict in Verdict} <= OUTCOMES.keys()
    assert {*UNITES, "contains", "quotes"} == RELATIONS.keys()
    assert outcome_in_words("SOMETHING") == "something"
    assert relation_in_words("some_thing") == "some thing"


def test_a_code_of_tomorrow_is_shown_as_it_is() -> None:
    assert reasons_in_words(["some_new_doubt"]) == ["some new doubt"]
    assert change_in_words("headline+some_new_field") == "headline, some new field"
    assert change_in_words("") == ""
    assert all("_" not in said for said in CHANGE_WORDS.values())
