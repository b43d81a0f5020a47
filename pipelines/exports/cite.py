"""Citations of a row: APA, Chicago, BibTeX, RIS, CSL-JSON. Functions of values.

An editorial without a byline is cited by its headline. A Korean name stands family name first, as the paper writes it;
what cannot be told apart stays whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pipelines.catalogue.rows import Row, cite_as
from pipelines.clock import day_in_seoul
from pipelines.errors import WrongUsage
from pipelines.extraction.phrases import SURNAMES

PAPER = "Korea JoongAng Daily"
DOUBLE_SURNAMES = ("남궁", "황보", "제갈", "사공", "선우", "독고", "서문")
PARTICLES = frozenset("van von de der den di da dos la le del bin al".split())
SUFFIXES = frozenset("jr sr ii iii iv".split())
MONTHS_IN_FULL = "January February March April May June July August September October November December".split()
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
GIVEN_NAME = re.compile(r"[A-Z][a-z]+-[a-z]+")  # as the paper spells those of Koreans, behind the family name
GENRES = {"editorial": "Editorial", "letter": "Letter to the editor", "cartoon": "Editorial cartoon"}


@dataclass(frozen=True)
class PersonName:
    """A name in its parts; `given` is empty where they cannot be told apart."""

    whole: str
    family: str
    given: str = ""


def parted(name: str) -> PersonName:
    """Return a name in its parts.

    >>> [(n.family, n.given) for n in map(parted, ("Ok Da-rim", "Robert J. Fouser", "김현기", "Sejong"))]
    [('Ok', 'Da-rim'), ('Fouser', 'Robert J.'), ('김', '현기'), ('Sejong', '')]
    """
    words = name.split()
    if len(words) == 2 and re.fullmatch("[가-힣]{1,2} [가-힣]{1,4}", " ".join(words)):
        return PersonName(" ".join(words), *words)
    name = " ".join(words)
    if len(words) > 2 and words[-1].rstrip(".").casefold() in SUFFIXES:
        inner = parted(" ".join(words[:-1]).rstrip(","))
        return PersonName(name, inner.family, f"{inner.given} {words[-1]}".strip()) if inner.given else inner
    if len(words) == 1 and re.fullmatch("[가-힣]{2,5}", name):
        size = 2 if name.startswith(DOUBLE_SURNAMES) and len(name) > 2 else 1
        return PersonName(name, name[:size], name[size:])
    if len(words) < 2 or re.search(r"\d|,", name):
        return PersonName(name, name)
    first_is_family = words[0].capitalize() in SURNAMES and words[-1].capitalize() not in SURNAMES
    is_korean = len(words) == 2 and bool(GIVEN_NAME.fullmatch(words[1]))
    if first_is_family or is_korean or (words[0].capitalize() in SURNAMES and "-" in words[-1]):
        return PersonName(name, words[0], " ".join(words[1:]))
    at = len(words) - 1
    while at > 0 and words[at - 1].casefold() in PARTICLES:
        at -= 1
    if at == 0:
        return PersonName(name, name)
    return PersonName(name, " ".join(words[at:]), " ".join(words[:at]))


def cited(row: Row, style: str) -> str:
    """Return a citation of a row of the catalogue in a style of `STYLES`; raise `WrongUsage` for another."""
    if style not in STYLES:
        raise WrongUsage(f"unknown style {style!r}; there are: {', '.join(STYLES)}")
    return STYLES[style](row)


def csl_item(row: Row) -> dict[str, Any]:
    """Return an item of CSL-JSON."""
    day = _day(row)
    people = [_csl_name(parted(author["name"])) for author in row["authors"] or ()]
    item = {
        "id": cite_as(row),
        "type": "article-newspaper",
        "title": _title(row),
        "author": people,
        "container-title": _paper(row),
        "genre": GENRES.get(row["kind"], ""),
        "issued": _csl_date(day),
        "accessed": _csl_date(_seen(row)),
        "URL": row["canonical_url"],
        "language": {"en+ko": "en"}.get(row["language"], row["language"]),
        "note": _note(row),
    }
    return {name: value for name, value in item.items() if value}


def _csl(row: Row) -> str:
    return json.dumps([csl_item(row)], ensure_ascii=False, indent=1)


def _csl_name(name: PersonName) -> dict[str, str]:
    return {"family": name.family, "given": name.given} if name.given else {"literal": name.whole}


def _csl_date(day: date | None) -> dict[str, Any]:
    return {"date-parts": [[day.year, day.month, day.day]]} if day else {}


def _bibtex(row: Row) -> str:
    day = _day(row)
    names = " and ".join(_bibtex_name(parted(author["name"])) for author in row["authors"] or ())
    fields = {
        "author": names,
        "key": "" if names else _tex(_title(row)),
        "title": f"{{{_tex(_title(row))}}}",
        "journal": _tex(_paper(row)),
        "year": str(day.year) if day else "",
        "month": str(day.month) if day else "",
        "day": str(day.day) if day else "",
        "url": _web(row["canonical_url"]),
        "urldate": _seen(row).isoformat(),
        "note": _tex(", ".join(filter(None, (GENRES.get(row["kind"], ""), _note(row))))),
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@article{{{row['article_id']}-{row['content16'][:8]},\n{lines}\n}}"


def _bibtex_name(name: PersonName) -> str:
    if not name.given or re.search(r"\band\b", name.whole, re.IGNORECASE):  # `and` stands between two names
        return f"{{{_tex(name.whole)}}}"
    return f"{_tex(name.family)}, {_tex(name.given)}"


def _tex(text: str) -> str:
    """Return a text as TeX sets it; its braces, which could open or close a field, as parentheses.

    >>> _tex("50% of R&D {sic}")
    '50\\\\% of R\\\\&D (sic)'
    """
    text = text.replace("{", "(").replace("}", ")")
    return "".join(SPECIAL.get(sign) or (f"\\{sign}" if sign in "#$%&_" else sign) for sign in text)


def _web(address: str) -> str:
    return "".join(f"%{ord(sign):02X}" if sign in '{}"\\ ^' else sign for sign in address)


def _ris(row: Row) -> str:
    day, seen = _day(row), _seen(row)
    lines = [("TY", "NEWS"), ("ID", cite_as(row)), ("TI", _title(row))]
    for name in (parted(author["name"]) for author in row["authors"] or ()):
        lines.append(("AU", f"{name.family}, {name.given}" if name.given else name.whole))
    lines += [("T2", _paper(row))]
    if day:
        lines += [("PY", str(day.year)), ("DA", f"{day:%Y/%m/%d}/")]
    lines += [("UR", _web(row["canonical_url"])), ("Y2", f"{seen:%Y/%m/%d}/"), ("LA", str(row["language"]))]
    lines += [("M3", GENRES.get(row["kind"], "")), ("N1", _note(row)), ("ER", "")]
    return "\n".join(f"{tag}  - {value}" for tag, value in lines if value or tag == "ER")


def _apa(row: Row) -> str:
    day = _day(row)
    when = f"({day.year}, {MONTHS_IN_FULL[day.month - 1]} {day.day})" if day else "(n.d.)"
    names = [_apa_name(parted(author["name"])) for author in row["authors"] or ()]
    genre = GENRES.get(row["kind"], "")
    title = f"{_title(row)} [{genre}]" if genre else _title(row)
    if not names:
        return f"{_stopped(title)} {when}. {_paper(row)}. {_web(row['canonical_url'])}"
    by = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, & {names[-1]}"
    return f"{_stopped(by)} {when}. {_stopped(title)} {_paper(row)}. {_web(row['canonical_url'])}"


def _apa_name(name: PersonName) -> str:
    if not name.given or re.search("[가-힣]", name.whole):
        return name.whole
    initials = " ".join(
        "-".join(f"{part[0].upper()}." for part in word.split("-") if part) for word in name.given.split()
    )
    return f"{name.family}, {initials}"


def _chicago(row: Row) -> str:
    day = _day(row)
    when = f"{MONTHS_IN_FULL[day.month - 1]} {day.day}, {day.year}" if day else "n.d."
    names = [parted(author["name"]) for author in row["authors"] or ()]
    if names:
        first = f"{names[0].family}, {names[0].given}" if names[0].given else names[0].whole
        if re.search("[가-힣]", first):
            first = names[0].whole
        rest = [name.whole for name in names[1:]]
        by = first if not rest else f"{', '.join([first, *rest[:-1]])}, and {rest[-1]}"
    else:
        by = _paper(row)
    genre = f"{GENRES[row['kind']]}, " if row["kind"] in GENRES else ""
    where = f"{genre}{when}" if not names else f"{_paper(row)}, {when}"
    title = _title(row).replace("“", "‘").replace("”", "’")
    return f"{_stopped(by)} “{_stopped(title)}” {where}. {_web(row['canonical_url'])}."


STYLES = {"apa": _apa, "chicago": _chicago, "bibtex": _bibtex, "ris": _ris, "csl": _csl}


def _title(row: Row) -> str:
    return " ".join(str(row["headline"] or "Untitled").split())


def _stopped(text: str) -> str:
    """Return a part of a citation with the full stop that ends it."""
    return text if text.endswith((".", "?", "!", ".”", "?”", "!”")) else f"{text}."


def _paper(row: Row) -> str:
    return str(row["publisher"] or PAPER)


def _day(row: Row) -> date | None:
    return row["published_day"] or day_in_seoul(row["published_at"], None)


def _seen(row: Row) -> date:
    seen: datetime = row["first_seen"]
    found = day_in_seoul(seen, None)
    assert found
    return found


def _note(row: Row) -> str:
    """Return which version this is: a reader of the citation finds the same words by it."""
    told = [f"version {cite_as(row)}, seen {_seen(row)}"]
    if row["previous"]:
        told.append(f"it replaced {row['article_id']}@{row['previous']}")
    if not row["is_latest"]:
        told.append("it was changed later")
    if row["correction_note"]:
        told.append(f"correction: {' '.join(row['correction_note'].split())}")
    return "; ".join(told)
