"""What is new: a line for each change that the log tells, for who keeps a copy of the archive or sends the news on."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.archive.manifests import Manifest, read_log
from pipelines.archive.store import Store
from pipelines.catalogue.rows import Row
from pipelines.model import Verdict

CHANGE_OF = {
    Verdict.NEW: "added",
    Verdict.REVISED: "revised",
    Verdict.COPY: "copied",
    Verdict.GONE: "gone",
    Verdict.WITHDRAWN: "withdrawn",
    Verdict.REREAD: "renamed",
}
OF_A_CHANGE = ("article_id", "content16", "was", "url", "fetched_at", "published_at", "record_key", "listed")


def changes_since(store: Store, seq: int) -> Iterator[Row]:
    """Yield each change that manifests behind that number tell, in the order of the log."""
    for number, manifest in read_log(store, seq):
        yield from changes_in(number, manifest)


def changes_in(seq: int, manifest: Manifest) -> Iterator[Row]:
    """Yield the changes of one manifest: what its outcomes say that a reader of the archive would notice.

    `gone` is a look that found nothing; the table's `gone_at` tells when it is settled. A page that waits for review is
    added with `listed` false. A version that newer rules read anew is `renamed` where that gave it another name; `was`
    is the old one, which stays valid. What is `withdrawn` may be told again, where more of it went later.
    docs/examples/poll_changes.py does the same without our code.
    """
    for outcome in manifest.outcomes:
        is_same = outcome.verdict is Verdict.REREAD and outcome.was == outcome.content16
        came_back = outcome.verdict is Verdict.WITHDRAWN and outcome.target
        if outcome.verdict in CHANGE_OF and not is_same and not came_back:
            told = {name: getattr(outcome, name) for name in OF_A_CHANGE}
            yield {"seq": seq, "change": CHANGE_OF[outcome.verdict], "logged_at": manifest.logged_at, **told}
