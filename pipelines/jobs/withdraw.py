"""Withdraw an op-ed: its text and its pages go, everywhere that we can reach; a tombstone stays.

In this order, so that a withdrawal that was cut off is finished by asking for it again: the tombstones, which keep it
from coming back; the log; what other objects hold of it; its own objects; the views. What it was known by, and what
cannot be reached, is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Any

from pipelines.archive.keys import VIEW_PREFIXES, article_of, is_account, objects_prefix
from pipelines.archive.manifests import Manifest, read_log
from pipelines.archive.remover import Remover, open_remover
from pipelines.archive.store import Store, read_many
from pipelines.archive.withdrawn import (
    LEAST_TEXT,
    WITHDRAWN_FOLDER,
    Tombstone,
    Withdrawn,
    lines_of,
    parse_tombstone,
    tombstone_key,
    withdrawn_of,
)
from pipelines.catalogue.delta import location, make_checkpoint, of_history, remove_files, until_done
from pipelines.catalogue.publish import publish
from pipelines.catalogue.schema import ARTICLES
from pipelines.clock import iso, new_run_id, now, today
from pipelines.copies.fingerprint import hashes_of, sketch_of
from pipelines.errors import MALFORMED, NotArchived, WrongUsage
from pipelines.exports.bucket import export_to_bucket
from pipelines.exports.export import BESIDE_FILES, MANIFEST
from pipelines.exports.local import bring_up_to_date
from pipelines.index.index import Grouped
from pipelines.index.opened import Archive, commit, open_to_write
from pipelines.jobs.quoted import Quoted, quoted_in_page, texts_in, without_records, without_titles
from pipelines.model import Outcome, Verdict
from pipelines.settings import Settings

OF_ARTICLE = ("captures", "articles", "quarantine")  # folders with the objects of an article
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
    """Return what is to be done, and the tombstones that are lacking."""
    members = archive.index.members()
    article_id = _resolved(name, members, known)
    opeds = {one.oped_id for one in known if one.article_id == article_id}
    opeds |= {members[article_id].oped_id} if article_id in members else set()
    group = {one for one, member in members.items() if member.oped_id in opeds}
    stones = [one for one in known if one.oped_id in opeds]
    group |= {one.article_id for one in stones}
    again = group <= {one.article_id for one in stones}
    plan = Withdrawal(min(opeds), sorted(group, key=lambda one: (one not in opeds, one)), is_again=again)
    for one in plan.articles:
        plan.addresses[one] = archive.index.addresses(one) or [
            u for s in stones if s.article_id == one for u in s.addresses
        ]
        for folder in OF_ARTICLE:
            objects = _all(archive.store, objects_prefix(folder, one))
            plan.removed |= {key: sha256(body).hexdigest() for key, body in objects}
    own = [_as_record(key, body) for key, body in read_many(archive.store, _records_in(plan.removed))]
    for key, body in read_many(archive.store, _came_back(archive, plan.articles)):
        plan.removed[key] = sha256(body).hexdigest()
    texts = [text for told in own for text in texts_in(told)]
    lines = frozenset(lines_of(texts)) | frozenset(line for one in stones for line in one.lines)
    fresh = [_tombstone(plan, one, own, lines, reason) for one in plan.articles]
    _look_through(archive, plan, members, Quoted.of(texts, lines), withdrawn_of([*stones, *fresh]), on_step)
    return plan, _lacking(plan, stones, fresh)


def _resolved(name: str, members: Mapping[str, Grouped], known: Sequence[Tombstone]) -> str:
    """Return the article that a person names, by its id, its number or with a version; raise `NotArchived`."""
    wanted = name.partition("@")[0]
    ids = {*members, *(one.article_id for one in known)}
    found = sorted(one for one in ids if one == wanted or re.fullmatch(rf"[a-z]+-[a-z]?{re.escape(wanted)}", one))
    if len(found) > 1:
        raise WrongUsage(f"{wanted} may be {' or '.join(found)}")
    if not found:
        raise NotArchived(f"{wanted} is not in the archive; `opeds list` shows what is")
    return found[0]


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
    if not archive.withdrawn.ids:
        return []
    outcomes = (o for _, manifest in read_log(archive.store) for o in manifest.outcomes)
    found = (o for o in outcomes if o.verdict is Verdict.WITHDRAWN and o.target in article_ids)
    return sorted({o.capture_key for o in found if o.capture_key})


def _look_through(
    archive: Archive,
    plan: Withdrawal,
    members: Collection[str],
    quoted: Quoted,
    withdrawn: Withdrawn,
    on_step: OnStep,
) -> None:
    """Look through the objects of others for what they hold of it. `members` are the articles that are archived."""
    others = [key for folder in ("articles/", "quarantine/") for key in archive.store.keys(folder)]
    others = [key for key in others if key not in plan.removed]
    for number, (key, body) in enumerate(read_many(archive.store, others), 1):
        told = _as_record(key, body)
        if key.startswith("articles/"):
            quoted.leave_to(told)
        elif _is_it(told, withdrawn) and article_of(key) not in members:
            plan.removed |= _with_its_capture(archive.store, key, body, told)
            continue
        after = withdrawn.blanked(body) if len(told) > 1 else body
        if after != body:
            plan.rewritten[key] = sha256(body).hexdigest(), after
        on_step("records", number, len(others))
    addresses = {address for urls in plan.addresses.values() for address in urls}
    lists = [key for key in archive.store.keys("crawls/") if key.endswith(".warc.gz") or is_account(key)]
    for number, (key, body) in enumerate(read_many(archive.store, lists), 1):
        is_list = key.endswith(".warc.gz")
        after = without_records(body, quoted) if is_list else without_titles(body, plan.articles, addresses)
        if after != body:
            plan.rewritten[key] = sha256(body).hexdigest(), after
        on_step("lists", number, len(lists))
    pages = [key for key in archive.store.keys("captures/") if key not in plan.removed]
    for number, (key, body) in enumerate(read_many(archive.store, pages), 1):
        said = quoted_in_page(body, key, quoted)
        if said:
            plan.elsewhere.append((key, said))
        on_step("pages", number, len(pages))


def _is_it(told: Mapping[str, Any], withdrawn: Withdrawn) -> bool:
    """Whether a page that was set aside holds the same text."""
    text = told.get("text") or told.get("text_ko") or ""
    return bool(text and withdrawn.known_by(text, hashes_of(text)))


def _with_its_capture(store: Store, key: str, body: bytes, told: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of a rejection and of the capture that it was made of."""
    found = dict(read_many(store, [str(told.get("capture", {}).get("key", ""))]))
    return {name: sha256(one).hexdigest() for name, one in {key: body, **found}.items()}


def _lacking(plan: Withdrawal, stones: Sequence[Tombstone], fresh: Sequence[Tombstone]) -> list[Tombstone]:
    """Return the tombstones that are to be written: of `fresh`, one for each article that has none; or one more of the
    first, where objects go, or are rewritten, of which no tombstone tells."""
    have = {one.article_id for one in stones}
    new = [one for one in fresh if one.article_id not in have]
    told = {one for stone in (*stones, *new) for one in (*stone.removed.items(), *_pairs(stone.rewritten))}
    rest = {key: digest for key, digest in plan.removed.items() if (key, digest) not in told}
    changed = {key: [was, sha256(after).hexdigest()] for key, (was, after) in plan.rewritten.items()}
    changed = {key: pair for key, pair in changed.items() if (key, *pair) not in told}
    if not rest and not changed:
        return new
    if new:
        return [replace(new[0], removed={**new[0].removed, **rest}, rewritten=changed), *new[1:]]
    return [replace(fresh[0], removed=rest, rewritten=changed)]


def _pairs(rewritten: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    return [(key, *pair) for key, pair in rewritten.items()]


def _tombstone(
    plan: Withdrawal, article_id: str, own: Sequence[dict[str, Any]], lines: Iterable[str], reason: str
) -> Tombstone:
    """Return the tombstone of one place, with what it is known by."""
    told = [one for one in own if article_of(one["key"]) == article_id and one.get("content_sha256")]
    texts = {text for one in told for text in (one.get("text"), one.get("text_ko")) if text}
    return Tombstone(
        article_id,
        plan.oped_id,
        iso(now()),
        reason.strip(),
        tuple(plan.addresses[article_id]),
        tuple(sorted({one["content_sha256"][:16] for one in told})),
        {key: digest for key, digest in plan.removed.items() if article_of(key) == article_id},
        {},
        tuple(sketch_of(text) for text in sorted(texts)),
        tuple(sorted(sha256(text.encode()).hexdigest() for text in texts if len(text.split()) >= LEAST_TEXT)),
        tuple(sorted(lines)),
    )


# -- doing it ----------------------------------------------------------------------------------------------------


def _carry_out(
    archive: Archive, settings: Settings, plan: Withdrawal, stones: Sequence[Tombstone], on_step: OnStep
) -> None:
    """Do it, in the order that the module states."""
    remover = open_remover(settings)
    told: set[str] = set()
    for stone in stones:
        key = tombstone_key(stone.article_id)
        if stone.article_id in archive.withdrawn.ids:
            key = f"{key.removesuffix('.json')}-{new_run_id()}.json"
        archive.store.create(key, stone.body())
        told.add(stone.article_id)
    told |= set(plan.articles) - set(archive.index.withdrawn_since(0))
    known = [parse_tombstone(key, body) for key, body in _all(archive.store, WITHDRAWN_FOLDER)]
    archive = replace(archive, withdrawn=withdrawn_of(known))
    if told:
        outcomes = tuple(_outcome_of(plan, one) for one in plan.articles if one in told)
        part = Manifest(new_run_id(), "withdrawal", today().isoformat(), iso(now()), outcomes=outcomes)
        commit(archive, part)
    for number, (key, (_, after)) in enumerate(sorted(plan.rewritten.items()), 1):
        remover.rewrite(key, after)
        on_step("rewritten", number, len(plan.rewritten))
    for number, key in enumerate(sorted(plan.removed), 1):
        remover.remove(key)
        on_step("removed", number, len(plan.removed))
    _make_views_anew(archive, settings, plan, remover, on_step)


def _outcome_of(plan: Withdrawal, article_id: str) -> Outcome:
    addresses = plan.addresses.get(article_id) or [""]
    return Outcome(Verdict.WITHDRAWN, addresses[0], article_id, iso(now()), reasons=("withdrawn",))


def _make_views_anew(
    archive: Archive,
    settings: Settings,
    plan: Withdrawal,
    remover: Remover,
    on_step: OnStep,
) -> None:
    """Publish without it, and remove every version of a view that still holds it."""
    where = location(settings, ARTICLES.name)
    rewritten = {*plan.rewritten, *archive.withdrawn.rewritten}
    publish(archive, settings, {article_of(key) for key in rewritten if key.startswith("articles/")})
    until_done(partial(remove_files, where, 0))
    version = until_done(partial(make_checkpoint, where))
    for key in of_history(list(archive.store.keys(f"catalogue/{ARTICLES.name}/")), version):
        remover.remove(key)  # the change feed holds what was deleted, and commits the first letters of texts, as bounds
    for prefix in VIEW_PREFIXES:
        remover.sweep(prefix)
    on_step("views", 1, 2)
    if next(archive.store.keys("exports/"), None) is not None:
        written = export_to_bucket(settings, archive.store, str(today())[:7])
        named = {f"exports/{name}" for name in (*(file.name for file in written.files), *BESIDE_FILES, MANIFEST)}
        for key in list(archive.store.keys("exports/")):
            if key not in named and not key.startswith("exports/releases/"):
                remover.remove(key)
        remover.sweep("exports/")
    bring_up_to_date(settings)
    on_step("views", 2, 2)
