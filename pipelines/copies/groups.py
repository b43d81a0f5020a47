"""Which articles are one op-ed, and which of its places comes first. Knows nothing of the order of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One article as grouping sees it. `own` is whether the newspaper itself published it there."""

    article_id: str
    own: bool
    when: str

    @property
    def rank(self) -> tuple[bool, str, str]:
        """The smallest rank is the primary: the newspaper's own earliest place, else the earliest."""
        return (not self.own, self.when, self.article_id)


def groups(members: Iterable[Member], united: Mapping[str, set[str]]) -> dict[str, str]:
    """Return the primary's id for each article id, itself included.

    A member must match its primary itself: what hangs on only through a third text makes a group of its
    own, by the same rule. `united` holds both directions of every match that unites.

    >>> a, b, c = Member("kjd-a", True, "1"), Member("daum-b", False, "2"), Member("daum-c", False, "3")
    >>> groups([c, b, a], {"kjd-a": {"daum-b"}, "daum-b": {"kjd-a", "daum-c"}, "daum-c": {"daum-b"}})
    {'kjd-a': 'kjd-a', 'daum-b': 'kjd-a', 'daum-c': 'daum-c'}
    """
    found: dict[str, str] = {}
    ordered = sorted(members, key=lambda member: member.rank)
    known = {member.article_id for member in ordered}
    for primary in ordered:
        if primary.article_id in found:
            continue
        found[primary.article_id] = primary.article_id
        for other in united.get(primary.article_id, ()):
            if other in known:
                found.setdefault(other, primary.article_id)
    return found
