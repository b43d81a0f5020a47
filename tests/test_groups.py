"""Groups of one op-ed, and which of its places comes first."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.copies.groups import Member, groups


@given(st.permutations(["kjd-a", "daum-b", "daum-c", "naver-d"]))
def test_groups_do_not_know_the_order_of_arrival(order: list[str]) -> None:
    when = {"kjd-a": "2", "daum-b": "1", "daum-c": "3", "naver-d": "4"}
    edges = {"kjd-a": {"daum-b", "daum-c"}, "daum-b": {"kjd-a"}, "daum-c": {"kjd-a", "naver-d"}, "naver-d": {"daum-c"}}
    members = [Member(a, a.startswith("kjd"), when[a]) for a in order]
    assert groups(members, edges) == {"kjd-a": "kjd-a", "daum-b": "kjd-a", "daum-c": "kjd-a", "naver-d": "naver-d"}


def test_the_newspaper_itself_comes_first_even_when_a_portal_was_earlier() -> None:
    members = [Member("kjd-a", True, "2"), Member("daum-b", False, "1")]
    assert groups(members, {"kjd-a": {"daum-b"}, "daum-b": {"kjd-a"}}) == {"kjd-a": "kjd-a", "daum-b": "kjd-a"}


def test_a_match_with_an_article_that_is_not_there_is_left_out() -> None:
    assert groups([Member("kjd-a", True, "1")], {"kjd-a": {"daum-b"}}) == {"kjd-a": "kjd-a"}
