"""A web page that shows what changed between two versions."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from pipelines.versions import BREAK, NOTICED, as_text, word_diff


def as_html(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return a page that shows two versions in one text: what is gone struck out, what is new marked."""
    parts = []
    for name in NOTICED:
        pieces = "".join(_piece(what, text) for what, text in word_diff(as_text(before[name]), as_text(after[name])))
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
