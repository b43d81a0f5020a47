"""What changed between two versions, as a reader would say it: which part, which words, how many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from typing import Any

NOTICED = ("headline", "deck", "authors", "text", "text_ko", "correction_note")
NAMES = {"authors": "byline"}
OTHER_RULES = "read_by_other_rules"  # today's rules refuse the earlier capture: whether it differs is not known
BREAK = "¶"  # stands between paragraphs, so that a diff shows where they were parted or joined


@dataclass(frozen=True, slots=True)
class Change:
    """What kinds of change there are, joined by `+`, and how many words of the text came and went."""

    kind: str = ""
    words_added: int = 0
    words_removed: int = 0


def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    """Return what changed from one record to the next; readings by unlike rules are no witness of a change.

    >>> old = {"rules": {"sha256": "r"}, "headline": "A", "deck": "", "authors": [], "text": "one two", "text_ko": "",
    ...        "correction_note": ""}
    >>> change(old, {**old, "text": "one two three"})
    Change(kind='text_added', words_added=1, words_removed=0)
    """
    if before["rules"]["sha256"] != after["rules"]["sha256"]:
        return Change(OTHER_RULES)
    kinds: list[str] = []
    added = removed = 0
    for name in NOTICED:
        if _plain(before[name]) == _plain(after[name]):
            continue
        if name not in {"text", "text_ko"}:
            kinds.append(NAMES.get(name, name))
            continue
        came, went = _counted(before[name], after[name])
        added, removed = added + came, removed + went
        kinds.append(f"{name}_{'changed' if came and went else 'added' if came else 'removed'}")
    return Change("+".join(kinds), added, removed)


def word_diff(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield pieces of text with what became of them: ` ` kept, `-` gone, `+` new.

    >>> list(word_diff("The ferry sank twice.", "The ferry sank once."))
    [(' ', 'The ferry sank'), ('-', 'twice.'), ('+', 'once.')]
    """
    one, two = _words(before), _words(after)
    for what, i1, i2, j1, j2 in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if what == "equal":
            yield " ", " ".join(one[i1:i2])
            continue
        if i1 < i2:
            yield "-", " ".join(one[i1:i2])
        if j1 < j2:
            yield "+", " ".join(two[j1:j2])


def as_html(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return a page that shows two versions in one text: what is gone struck out, what is new marked."""
    parts = []
    for name in NOTICED:
        pieces = "".join(_piece(what, text) for what, text in word_diff(_plain(before[name]), _plain(after[name])))
        if pieces:
            label = f"<h2>{name}</h2>" if name != "headline" else ""
            tag = "h1" if name == "headline" else "p"
            parts.append(label + f"<{tag}>" + pieces.replace(f" {BREAK} ", f"</{tag}><{tag}>") + f"</{tag}>")
    style = "body{max-width:42em;margin:2em auto;font:18px/1.6 serif}ins{background:#d4f7d4}del{background:#fbd9d9}"
    style += "h2{font:12px sans-serif;color:#777}"
    title = escape(str(after["headline"]))
    named = escape(f"{after['article_id']}: {before['content16']} → {after['content16']}")
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title><style>{style}</style>"
        f"<p><small>{named}</small></p>{''.join(parts)}</html>"
    )


def _piece(what: str, text: str) -> str:
    tag = {"-": "del", "+": "ins"}.get(what)
    return f" <{tag}>{escape(text)}</{tag}> " if tag else f" {escape(text)} "


def _counted(before: str, after: str) -> tuple[int, int]:
    """Return how many words came and how many went; a paragraph parted or joined is none."""
    added = removed = 0
    for what, text in word_diff(before, after):
        words = sum(word != BREAK for word in text.split())
        added, removed = added + (words if what == "+" else 0), removed + (words if what == "-" else 0)
    return added, removed


def _words(text: str) -> list[str]:
    return re.sub(r"\n\n", f" {BREAK} ", text).split()


def _plain(value: Any) -> str:
    return ", ".join(author["name"] for author in value or ()) if not isinstance(value, str) else value
