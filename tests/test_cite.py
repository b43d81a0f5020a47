"""Citations, read again by the libraries that others use for them."""

from __future__ import annotations

import json
import re
import warnings
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipelines.errors import WrongUsage
from pipelines.exports.cite import STYLES, cited, parted

URL = "https://koreajoongangdaily.joins.com/news/2026-06-01/opinion/columns/A/2595041"


def row(*names: str, **more: Any) -> dict[str, Any]:
    return {
        "article_id": "kjd-c2595041",
        "content16": "9f3c51d0a2b4e6f8",
        "headline": "A ferry is not a promise",
        "kind": "column",
        "authors": [{"name": name, "bio": ""} for name in names],
        "publisher": "Korea JoongAng Daily",
        "published_at": datetime(2026, 5, 31, 15, 5, tzinfo=UTC),
        "published_day": date(2026, 6, 1),
        "first_seen": datetime(2026, 6, 1, 23, 0, tzinfo=UTC),
        "canonical_url": URL,
        "language": "en",
        "previous": None,
        "is_latest": True,
        "correction_note": "",
        **more,
    }


NAMES = {
    "none": (),
    "one": ("Kim Hyun-ki",),
    "western": ("Robert J. Fouser",),
    "two": ("Kim Hyun-ki", "Robert J. Fouser"),
    "four": ("Kim Hyun-ki", "Lee Ha-kyung", "Christine Lee", "Jan van der Meer"),
    "korean": ("김현기",),
    "both": ("Kim Hyun-ki", "남궁민수"),
    "alone": ("Sejong",),
    "and": ("Lee and Kim",),
}
HOSTILE = {
    "tex": "50% of R&D {and} \\emph{x} _y_ #1 $2 ~ ^",
    "quotes": "“We won't,” he said",
    "question": "Who pays?",
    "line": "Two\nlines\r\nER  - \nTY  - BOOK",
    "korean": "제목은 ‘부두의 약속’",
    "braces": "An open { and a close } and another {",
}
ROWS = {
    **{name: row(*names) for name, names in NAMES.items()},
    **{name: row("Kim Hyun-ki", headline=text) for name, text in HOSTILE.items()},
    "editorial": row(kind="editorial"),
    "corrected": row("Lee Ha-kyung", previous="0123456789abcdef", correction_note="A figure was corrected."),
    "undated": row("Lee Ha-kyung", published_at=None, published_day=None),
    "day alone": row("Lee Ha-kyung", published_at=None),
}


@pytest.mark.parametrize("name", ROWS)
def test_bibtex_is_read_by_a_library(name: str) -> None:
    import bibtexparser

    told = ROWS[name]
    library = bibtexparser.parse_string(cited(told, "bibtex"))
    assert not library.failed_blocks
    (entry,) = library.entries
    fields = {field.key: field.value for field in entry.fields}
    assert entry.key == "kjd-c2595041-9f3c51d0"
    assert fields["journal"] == "Korea JoongAng Daily"
    assert fields["url"] == URL
    assert ("author" in fields) == bool(told["authors"])
    without_braces = re.sub(r"\{[^}]*\}", "", fields.get("author", ""))
    assert without_braces.count(" and ") == max(0, len(told["authors"]) - 1)
    assert fields.get("year", "") == ("2026" if told["published_day"] else "")
    if name == "corrected":
        assert "it replaced kjd-c2595041@0123456789abcdef; correction: A figure was corrected." in fields["note"]


@pytest.mark.parametrize("name", ROWS)
def test_ris_is_read_by_a_library(name: str) -> None:
    import rispy

    (entry,) = rispy.loads(cited(ROWS[name], "ris"))
    assert entry["type_of_reference"] == "NEWS"
    assert entry["title"] == " ".join(ROWS[name]["headline"].split())
    assert entry.get("authors", []) == [
        f"{n.family}, {n.given}" if n.given else n.whole for n in (parted(a["name"]) for a in ROWS[name]["authors"])
    ]
    assert entry.get("date", "") == ("2026/06/01/" if ROWS[name]["published_day"] else "")


@pytest.mark.parametrize("name", ROWS)
def test_csl_is_set_by_a_processor(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
        from citeproc.source.json import CiteProcJSON

        items = json.loads(cited(ROWS[name], "csl"))
        source = CiteProcJSON(items)
        style = CitationStylesStyle("harvard-cite-them-right", validate=False)
        bibliography = CitationStylesBibliography(style, source, formatter.plain)
        bibliography.register(Citation([CitationItem(items[0]["id"])]))
        (said,) = map(str, bibliography.bibliography())
    assert "Korea JoongAng Daily" in said
    for author in ROWS[name]["authors"][:1]:  # of four, that style names the first
        assert parted(author["name"]).family in said


@pytest.mark.parametrize(
    ("name", "style", "said"),
    [
        ("one", "apa", f"Kim, H.-K. (2026, June 1). A ferry is not a promise. Korea JoongAng Daily. {URL}"),
        (
            "two",
            "apa",
            f"Kim, H.-K., & Fouser, R. J. (2026, June 1). A ferry is not a promise. Korea JoongAng Daily. {URL}",
        ),
        ("editorial", "apa", f"A ferry is not a promise [Editorial]. (2026, June 1). Korea JoongAng Daily. {URL}"),
        ("undated", "apa", f"Lee, H.-K. (n.d.). A ferry is not a promise. Korea JoongAng Daily. {URL}"),
        ("question", "apa", f"Kim, H.-K. (2026, June 1). Who pays? Korea JoongAng Daily. {URL}"),
        ("korean", "apa", f"Kim, H.-K. (2026, June 1). {HOSTILE['korean']}. Korea JoongAng Daily. {URL}"),
        ("one", "chicago", f"Kim, Hyun-ki. “A ferry is not a promise.” Korea JoongAng Daily, June 1, 2026. {URL}."),
        (
            "four",
            "chicago",
            "Kim, Hyun-ki, Lee Ha-kyung, Christine Lee, and Jan van der Meer. “A ferry is not a promise.” "
            f"Korea JoongAng Daily, June 1, 2026. {URL}.",
        ),
        ("editorial", "chicago", f"Korea JoongAng Daily. “A ferry is not a promise.” Editorial, June 1, 2026. {URL}."),
    ],
)
def test_what_people_read(name: str, style: str, said: str) -> None:
    assert cited(ROWS[name], style) == said


@pytest.mark.parametrize(
    ("name", "family", "given"),
    [
        ("Kim Hyun-ki", "Kim", "Hyun-ki"),
        ("KIM HYUN-KI", "KIM", "HYUN-KI"),
        ("Lee Jae Myung", "Lee", "Jae Myung"),
        ("Christine Lee", "Lee", "Christine"),
        ("Jan van der Meer", "van der Meer", "Jan"),
        ("Kim Lee", "Lee", "Kim"),
        ("Park Min", "Min", "Park"),
        ("황보영", "황보", "영"),
        ("The Editorial Board 2", "The Editorial Board 2", ""),
        ("김 현기", "김", "현기"),
        ("John Smith Jr.", "Smith", "John Jr."),
        ("van der Berg", "van der Berg", ""),
        ("Kim  Hyun-ki", "Kim", "Hyun-ki"),
    ],
)
def test_names_in_their_parts(name: str, family: str, given: str) -> None:
    told = parted(name)
    assert (told.family, told.given) == (family, given)


def test_every_style_says_so_when_it_is_unknown() -> None:
    with pytest.raises(WrongUsage, match=", ".join(STYLES)):
        cited(row(), "mla")
