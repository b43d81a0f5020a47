"""Withdraw an op-ed: its text and its pages go, everywhere that we can reach; a tombstone stays.

In this order, so that a withdrawal that was cut off is finished by asking for it again: the tombstones, which keep it
from coming back; the log; what other objects hold of it; its own objects; the views. What it was known by, and what
cannot be reached, is told.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from io import BytesIO
from typing import Any

from pipelines.archive.keys import article_of, captures_prefix, date_in
from pipelines.archive.manifests import Manifest, read_log
from pipelines.archive.records import Record, Trouble, records
from pipelines.archive.remover import Remover, open_remover
from pipelines.archive.store import Store, read_many
from pipelines.archive.warc import capture_of, exchange_of_record, read_capture
from pipelines.archive.withdrawn import (
    WITHDRAWN_FOLDER,
    Tombstone,
    Withdrawn,
    letters_of,
    lines_of,
    parse_tombstone,
    sentences_in,
    tombstone_key,
    withdrawn_of,
)
from pipelines.catalogue.delta import location, remove_files, until_done
from pipelines.catalogue.publish import publish
from pipelines.catalogue.schema import ARTICLES
from pipelines.clock import iso, new_run_id, now, today
from pipelines.errors import MALFORMED, NotArchived, UnreadableWarc, WrongUsage
from pipelines.exports.bucket import export_to_bucket
from pipelines.exports.export import BESIDE_FILES, MANIFEST
from pipelines.exports.local import bring_up_to_date
from pipelines.index.opened import Archive, commit, open_to_write
from pipelines.model import Outcome, Verdict
from pipelines.settings import Settings

SENTENCE_WORDS = 8  # of a sentence that must be found nowhere; shorter ones may be anyone's
OF_ARTICLE = ("captures", "articles", "quarantine")  # folders with the objects of an article
REPLACED_FOLDERS = ("catalogue/", "exports/", "feeds/", "schema/", "README.md")
FIELDS_OF_TEXT = ("headline", "deck", "text", "text_ko", "correction_note")
TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
MOST_LOOKED = 64_000_000  # bytes of a record of a web archive
OnStep = Callable[[str, int, int], None]  # what, how many are done, of how many


@dataclass
class Withdrawal:
    """What a withdrawal does: which articles go, which objects, what is rewritten, and what stays out of its reach."""

    oped_id: str
    articles: list[str]
    addresses: dict[str, list[str]] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)  # SHA-256 by key
    rewritten: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # digest before, bytes after, by key
    elsewhere: list[tuple[str, str]] = field(default_factory=list)  # pages of others that quote it: key, sentence
    is_again: bool = False  # it was withdrawn before

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "oped_id": self.oped_id,
            "articles": self.articles,
            "removed": sorted(self.removed),
            "rewritten": sorted(self.rewritten),
            "not_reached": [{"key": key, "sentence": said} for key, said in self.elsewhere],
            "again": self.is_again,
        }


def withdraw(
    settings: Settings, name: str, reason: str, on_step: OnStep = lambda *_: None, dry: bool = False
) -> Withdrawal:
    """Withdraw the op-ed that has this article among its places, with all of them; with `dry` write nothing.

    The settings must hold a key that may remove (infra/policies/remover.json). May be run again at any time: it goes on
    where it was cut off, and removes what came back meanwhile. Raises `NotArchived` for an article that is not there,
    `WrongUsage` without a reason.
    """
    if not reason.strip() and not dry:
        raise WrongUsage("--reason is needed: who asked for it, or by which right; it stands in the tombstone")
    archive = open_to_write(settings)
    tombstones = [parse_tombstone(key, body) for key, body in _all(archive.store, WITHDRAWN_FOLDER)]
    plan, stones = _planned(archive, name, reason, tombstones, on_step)
    if not dry:
        _carry_out(archive, settings, plan, stones, on_step)
    return plan


# -- what is to be done ------------------------------------------------------------------------------------------


def _planned(
    archive: Archive, name: str, reason: str, known: Sequence[Tombstone], on_step: OnStep
) -> tuple[Withdrawal, list[Tombstone]]:
    """Return what is to be done, and the tombstones: those that stand already, or new ones."""
    before = [one for one in known if one.article_id == name]
    if before:
        group = [one for one in known if one.oped_id == before[0].oped_id]
        plan = Withdrawal(before[0].oped_id, [one.article_id for one in group], is_again=True)
    else:
        members = archive.index.members()
        if name not in members:
            raise NotArchived(f"{name} is not in the archive; `opeds list` shows what is")
        oped = members[name].oped_id
        plan = Withdrawal(oped, sorted(a for a, member in members.items() if member.oped_id == oped))
    for article_id in plan.articles:
        plan.addresses[article_id] = archive.index.addresses(article_id)
        for folder in OF_ARTICLE:
            prefix = captures_prefix(article_id).replace("captures", folder, 1)
            plan.removed |= {key: sha256(body).hexdigest() for key, body in _all(archive.store, prefix)}
    own = [_as_record(key, body) for key, body in read_many(archive.store, _records_in(plan.removed))]
    for key in _came_back(archive, plan.articles) if plan.is_again else ():
        plan.removed |= {k: sha256(body).hexdigest() for k, body in read_many(archive.store, [key])}
    texts = [told.get(name) or "" for told in own for name in FIELDS_OF_TEXT]
    lines = frozenset(lines_of(texts)) | frozenset(line for one in before for line in one.lines)
    if own:
        _look_through(archive, plan, _sentences(texts), Withdrawn(lines=lines), on_step)
    stones = [one for one in known if one.article_id in plan.articles] or _tombstones(plan, own, lines, reason)
    return plan, stones


def _all(store: Store, prefix: str) -> Iterator[tuple[str, bytes]]:
    return read_many(store, store.keys(prefix))


def _records_in(keys: Iterable[str]) -> list[str]:
    return [key for key in keys if key.startswith(("articles/", "quarantine/"))]


def _as_record(key: str, body: bytes) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(body)
        return {**told, "key": key}
    except MALFORMED:
        return {"key": key}


def _came_back(archive: Archive, article_ids: Sequence[str]) -> list[str]:
    """Return the captures of pages that were not taken in because they are copies of these articles."""
    outcomes = (o for _, manifest in read_log(archive.store) for o in manifest.outcomes)
    return [o.reasons[0] for o in outcomes if o.verdict is Verdict.WITHDRAWN and o.target in article_ids and o.reasons]


def _sentences(texts: Iterable[str]) -> dict[str, str]:
    """Return the sentences that must be found nowhere, by their letters."""
    found = (one for text in texts for one in sentences_in(text) if len(one.split()) >= SENTENCE_WORDS)
    return {letters_of(one): one for one in found}


def _look_through(
    archive: Archive, plan: Withdrawal, sentences: dict[str, str], lines: Withdrawn, on_step: OnStep
) -> None:
    """Look through the objects of others for what they hold of it."""
    others = [key for folder in ("articles/", "quarantine/") for key in archive.store.keys(folder)]
    others = [key for key in others if key not in plan.removed]
    for number, (key, body) in enumerate(read_many(archive.store, others), 1):
        told = _as_record(key, body)
        theirs = letters_of(" ".join(str(told.get(name) or "") for name in (*FIELDS_OF_TEXT, "captions", "authors")))
        for letters in [one for one in sentences if one in theirs]:
            del sentences[letters]  # another op-ed says the same: it is not this one's alone
        after = lines.blanked(body) if len(told) > 1 else body
        if after != body:
            plan.rewritten[key] = sha256(body).hexdigest(), after
        on_step("records", number, len(others))
    lists = [key for key in archive.store.keys("crawls/") if key.endswith(".warc.gz")]
    for number, (key, body) in enumerate(read_many(archive.store, lists), 1):
        after = _without_records(body, sentences)
        if after != body:
            plan.rewritten[key] = sha256(body).hexdigest(), after
        on_step("lists", number, len(lists))
    first = min((date_in(key) for key in plan.removed if key.startswith("captures/")), default="")
    pages = [key for key in archive.store.keys("captures/") if key not in plan.removed and date_in(key) >= first[:10]]
    for number, (key, body) in enumerate(read_many(archive.store, pages), 1):
        said = _found_in_page(key, body, sentences)
        if said:
            plan.elsewhere.append((key, said))
        on_step("pages", number, len(pages))


def _without_records(body: bytes, sentences: dict[str, str]) -> bytes:
    """Return a web archive file without the records that hold one of these sentences; its other members are left."""
    found = [one for one in records(BytesIO(body), lambda *_: MOST_LOOKED) if not isinstance(one, Trouble)]
    ends = [*(one.offset for one in found[1:]), len(body)]
    kept = [
        body[one.offset : end] for one, end in zip(found, ends, strict=True) if not _holds(_text_of(one), sentences)
    ]
    return b"".join(kept)


def _text_of(record: Record) -> str:
    try:
        return _plain(capture_of(exchange_of_record(record)).payload)
    except UnreadableWarc:
        return _plain(record.block)


def _found_in_page(key: str, body: bytes, sentences: dict[str, str]) -> str:
    try:
        return _holds(_plain(read_capture(body, key).payload), sentences)
    except UnreadableWarc:
        return ""


def _holds(text: str, sentences: dict[str, str]) -> str:
    """Return a sentence that a text holds, or an empty string."""
    return next((said for letters, said in sentences.items() if letters in text), "")


def _plain(payload: bytes) -> str:
    """Return the letters of what a page says, whatever its markup, entities and escapes."""
    text = ESCAPED.sub(lambda match: chr(int(match[1], 16)), payload.decode("utf-8", "replace"))
    return letters_of(html.unescape(TAG.sub(" ", html.unescape(text))))


def _tombstones(plan: Withdrawal, own: Sequence[dict[str, Any]], lines: Iterable[str], reason: str) -> list[Tombstone]:
    """Return the tombstone of each place; what was rewritten stands in the primary's."""
    when, found = iso(now()), []
    for article_id in plan.articles:
        told = [one for one in own if article_of(one["key"]) == article_id and one.get("content_sha256")]
        found.append(
            Tombstone(
                article_id,
                plan.oped_id,
                when,
                reason.strip(),
                tuple(plan.addresses[article_id]),
                tuple(sorted({one["content_sha256"][:16] for one in told})),
                {key: digest for key, digest in plan.removed.items() if article_of(key) == article_id},
                {key: [was, sha256(after).hexdigest()] for key, (was, after) in plan.rewritten.items()}
                if article_id == plan.articles[0]
                else {},
                tuple({one["sketch"]["hashes"]: one["sketch"] for one in told if one.get("sketch")}.values()),
                tuple(sorted({one["text_sha256"] for one in told if one.get("text") or one.get("text_ko")})),
                tuple(sorted(lines)),
            )
        )
    return found


# -- doing it ----------------------------------------------------------------------------------------------------


def _carry_out(
    archive: Archive, settings: Settings, plan: Withdrawal, stones: Sequence[Tombstone], on_step: OnStep
) -> None:
    """Do it, in the order that the module states."""
    remover = open_remover(settings)
    for stone in stones:
        archive.store.create(tombstone_key(stone.article_id), stone.body())
    gone = set(archive.index.withdrawn_since(0))
    outcomes = tuple(_outcome_of(plan, one) for one in plan.articles if one not in gone)
    known = [parse_tombstone(key, body) for key, body in _all(archive.store, WITHDRAWN_FOLDER)]
    archive = replace(archive, withdrawn=withdrawn_of(known))
    if outcomes:
        part = Manifest(new_run_id(), "withdrawal", today().isoformat(), iso(now()), outcomes=outcomes)
        commit(archive, part)
    for number, (key, (_, after)) in enumerate(sorted(plan.rewritten.items()), 1):
        remover.rewrite(key, after)
        on_step("rewritten", number, len(plan.rewritten))
    for number, key in enumerate(sorted(plan.removed), 1):
        remover.remove(key)
        on_step("removed", number, len(plan.removed))
    _make_views_anew(archive, settings, plan, stones, remover, on_step)


def _outcome_of(plan: Withdrawal, article_id: str) -> Outcome:
    addresses = plan.addresses.get(article_id) or [""]
    return Outcome(Verdict.WITHDRAWN, addresses[0], article_id, iso(now()), reasons=("withdrawn",))


def _make_views_anew(
    archive: Archive,
    settings: Settings,
    plan: Withdrawal,
    stones: Sequence[Tombstone],
    remover: Remover,
    on_step: OnStep,
) -> None:
    """Publish without it, and remove every version of a view that still holds it."""
    rewritten = {*plan.rewritten, *(key for stone in stones for key in stone.rewritten)}
    publish(archive, settings, {article_of(key) for key in rewritten if key.startswith("articles/")})
    until_done(partial(remove_files, location(settings, ARTICLES.name), 0))
    for key in list(archive.store.keys(f"catalogue/{ARTICLES.name}/_change_data/")):
        remover.remove(key)  # the change feed says what was deleted, with its text
    on_step("views", 1, 2)
    if next(archive.store.keys("exports/"), None) is not None:
        written = export_to_bucket(settings, archive.store, str(today())[:7])
        named = {f"exports/{name}" for name in (*(file.name for file in written.files), *BESIDE_FILES, MANIFEST)}
        for key in list(archive.store.keys("exports/")):
            if key not in named and not key.startswith("exports/releases/"):
                remover.remove(key)
    for folder in REPLACED_FOLDERS:
        remover.sweep(folder)
    bring_up_to_date(settings)
    on_step("views", 2, 2)
