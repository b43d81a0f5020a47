"""Which spellings are one name, and what is never joined."""

from __future__ import annotations

from datetime import date
from typing import Any

from pipelines.exports.authors import columnists


def row(number: int, *authors: tuple[str, str], day: date | None = None, kind: str = "column") -> dict[str, Any]:
    return {
        "article_id": f"kjd-c{number}",
        "authors": [{"name": name, "bio": bio} for name, bio in authors],
        "kind": kind,
        "published_day": day or date(2020 + number, 1, number),
    }


def test_spellings_that_differ_in_signs_only_are_one_name() -> None:
    people = columnists(
        row(n, (name, "")) for n, name in enumerate(("Kim Hyun-ki", "KIM HYUN-KI", "Kim Hyunki", "Kim Hyun-ki"), 1)
    )
    (person,) = people
    assert (person.name, person.opeds, person.years) == ("Kim Hyun-ki", 4, ((2021, 1), (2022, 1), (2023, 1), (2024, 1)))
    assert person.spellings == ("Kim Hyun-ki", "KIM HYUN-KI", "Kim Hyunki")
    assert (person.first, person.last) == (date(2021, 1, 1), date(2024, 1, 4))


def test_likeness_joins_nothing() -> None:
    names = ("Kim Hyun-ki", "Kim Hyeon-gi", "Kim Hyun-kee", "Kim Hyun", "Ki Hyun-kim")
    assert len(columnists(row(n, (name, "The author is a columnist.")) for n, name in enumerate(names, 1))) == 5


def test_a_page_that_states_both_scripts_joins_them_everywhere() -> None:
    people = columnists(
        [
            row(1, ("김현기", "")),
            row(2, ("Kim Hyun-ki", ""), ("김현기", "")),
            row(3, ("Kim Hyun Ki", "")),
            row(4, ("Lee Ha-kyung", "Lee Ha-kyung (이하경) is a columnist.")),
            row(5, ("Lee Ha-kyung", "")),
        ]
    )
    assert [(p.name, p.name_ko, p.opeds) for p in people] == [
        ("Kim Hyun-ki", "김현기", 3),
        ("Lee Ha-kyung", "이하경", 2),
    ]


def test_two_people_are_not_one_by_standing_together() -> None:
    people = columnists(
        [
            row(1, ("Robert J. Fouser", ""), ("김현기", "")),
            row(2, ("Kim Hyun-ki", ""), ("김현기", "")),
            row(3, ("Robert J. Fouser", "")),
            row(4, ("Kim Min-su", "Kim Min-su (김민수) is a nurse.")),
            row(5, ("Kim Min-su", "Kim Min-su (김민서) is a judge.")),
            row(6, ("김민서", "")),
        ]
    )
    assert sorted((p.name, p.opeds) for p in people) == [
        ("Kim Hyun-ki", 2),
        ("Kim Min-su", 2),
        ("Robert J. Fouser", 2),
        ("김민서", 1),
    ]


def test_a_byline_with_both_scripts_is_one_name() -> None:
    (person,) = columnists([row(1, ("Kim Hyun-ki (김현기)", "")), row(2, ("Kim Hyun-ki", "")), row(3, ("김현기", ""))])
    assert (person.name, person.name_ko, person.opeds) == ("Kim Hyun-ki", "김현기", 3)
    assert len(columnists([row(1, ("Émile Zola", "")), row(2, ("E\u0301mile Zola", ""))])) == 1
    assert len(columnists([row(1, ("---", "")), row(2, ("…", ""))])) == 2


def test_two_authors_of_one_page_are_not_one() -> None:
    people = columnists([row(1, ("Kim Hyun-ki", ""), ("Robert Fouser", ""), ("이하경", "")), row(2, ("이하경", ""))])
    assert sorted(p.name for p in people) == ["Kim Hyun-ki", "Robert Fouser", "이하경"]
    assert (
        len(columnists([row(1, ("Kim A", "met Lee Ha-kyung (이하경) once"), ("이하경", ""), ("Lee Ha-kyung", ""))]))
        == 2
    )


def test_lines_about_someone_have_the_days_on_which_they_stood() -> None:
    (person,) = columnists(
        [
            row(1, ("Do Min-gyeol", "The author is a nurse.")),
            row(2, ("Do Min-gyeol", "The author is a  nurse.")),
            row(3, ("Do Min-gyeol", "The author is a lawmaker.")),
            row(4, ("Do Min-gyeol", "")),
        ]
    )
    assert person.bios == (
        ("The author is a nurse.", date(2021, 1, 1), date(2022, 1, 2)),
        ("The author is a lawmaker.", date(2023, 1, 3), date(2023, 1, 3)),
    )
