"""What a withdrawal does to the index: all that it holds of an article goes, but that it was withdrawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sqlalchemy as sa

from pipelines.archive.manifests import Manifest
from pipelines.index.tables import (
    ADDRESS,
    ARTICLE,
    FORMERLY,
    INDEXED_TEXT,
    LINK,
    MATCH,
    MISSED,
    SHINGLE,
    SIGHTING,
    TITLED,
    WITHDRAWN,
    in_portions,
    insert,
)
from pipelines.model import Outcome, Verdict


def is_removal(outcome: Outcome) -> bool:
    """Whether an outcome says that an article was withdrawn; one with a target says that one came back, and was not
    taken in."""
    return outcome.verdict is Verdict.WITHDRAWN and not outcome.target


def without_withdrawn(c: sa.Connection, manifest: Manifest) -> Manifest:
    """Return a manifest without what it says of articles that were withdrawn before it: a worker that did not know yet
    logged them."""
    ids = {o.article_id for o in manifest.outcomes} | {m.article_id for o in manifest.outcomes for m in o.matches}
    gone: set[str] = set()
    for some in in_portions(ids):
        gone |= set(c.scalars(sa.select(WITHDRAWN.c.article_id).where(WITHDRAWN.c.article_id.in_(some))))
    if not gone:
        return manifest
    kept = (o for o in manifest.outcomes if o.article_id not in gone and o.target not in gone)
    matched = (replace(o, matches=tuple(m for m in o.matches if m.article_id not in gone)) for o in kept)
    return replace(manifest, outcomes=tuple(matched))


def forget(c: sa.Connection, seq: int, article_ids: Iterable[str]) -> set[str]:
    """Remove all that the index holds of these articles; return the others that shared text with them, or a group."""
    ids = set(article_ids)
    others: set[str] = set()
    for some in in_portions(ids):
        pairs = sa.or_(MATCH.c.one.in_(some), MATCH.c.two.in_(some))
        links = sa.or_(LINK.c.one.in_(some), LINK.c.two.in_(some))
        for row in (*c.execute(sa.select(MATCH).where(pairs)), *c.execute(sa.select(LINK).where(links))):
            others |= {row.one, row.two}
        groups = sa.select(ARTICLE.c.oped_id).where(ARTICLE.c.article_id.in_(some))
        others |= set(c.scalars(sa.select(ARTICLE.c.article_id).where(ARTICLE.c.oped_id.in_(groups))))
        texts = sa.select(INDEXED_TEXT.c.id).where(INDEXED_TEXT.c.article_id.in_(some))
        c.execute(sa.delete(SHINGLE).where(SHINGLE.c.indexed_text.in_(texts)))
        c.execute(sa.delete(MATCH).where(pairs))
        c.execute(sa.delete(LINK).where(links))
        for table in (INDEXED_TEXT, SIGHTING, MISSED, FORMERLY, ADDRESS, TITLED, ARTICLE):
            c.execute(sa.delete(table).where(table.c.article_id.in_(some)))
    insert(c, WITHDRAWN, [{"article_id": article_id, "seq": seq} for article_id in sorted(ids)])
    others -= ids
    for some in in_portions(others):
        c.execute(sa.update(ARTICLE).where(ARTICLE.c.article_id.in_(some)).values(changed=seq))
    return others
