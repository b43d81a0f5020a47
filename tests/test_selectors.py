"""CSS selectors of source files."""

import pytest
from cssselect import SelectorError
from lxml.html import fromstring

from pipelines.sources.selectors import css_to_xpath, select

TREE = fromstring("<div><p class='a b'>1</p><section><p class='b'>2</p></section></div>")


def test_elements_come_in_the_order_of_the_page() -> None:
    assert [element.text for element in select(TREE, "p.b")] == ["1", "2"]
    assert [element.text for element in select(TREE, "section > p")] == ["2"]
    assert select(TREE, ".c") == []


@pytest.mark.parametrize("wrong", ["p..b", "p[", "::"])
def test_a_misspelt_selector_is_refused(wrong: str) -> None:
    with pytest.raises(SelectorError):
        css_to_xpath(wrong)
