"""The plain files in the bucket, under `exports/`: made anew by upkeep, replaced where they differ."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.archive.store import Store
from pipelines.errors import MALFORMED, NotArchived
from pipelines.exports.export import BESIDE_FILES, MANIFEST, PLAIN, OnRows, Selection, Written, export_folder
from pipelines.exports.local import bring_up_to_date
from pipelines.exports.release import keep_release
from pipelines.settings import Settings


def export_to_bucket(settings: Settings, store: Store, month: str, on_rows: OnRows = lambda *_: None) -> Written:
    """Write the plain files of the archive into the bucket, and freeze the release of a month that has none yet.

    `exports/manifest.json` comes last: it names the files, their digests, and the number of the log that they are of.
    """
    path = bring_up_to_date(settings, lambda done, of: on_rows("rows", done, of))
    before = exported_before(store)
    with TemporaryDirectory(prefix="opeds-exports-") as name:
        folder = Path(name)
        written = export_folder(Selection(path, store), PLAIN, folder, on_rows)
        for file in written.files:
            if before.pop(file.name, "") != file.sha256:
                store.replace(f"exports/{file.name}", folder / file.name)
        for stale in sorted(before):  # no op-ed is of that year any more
            store.replace(f"exports/{stale}", b"")
        for beside in BESIDE_FILES:
            if (folder / beside).exists():
                store.replace(f"exports/{beside}", folder / beside)
        store.replace(f"exports/{MANIFEST}", folder / MANIFEST)
    keep_release(store, month, written)
    return written


def exported_before(store: Store) -> dict[str, str]:
    """Return the digest of each plain file in the bucket, as its manifest states them; none where it has none."""
    try:
        told = json.loads(store.read(f"exports/{MANIFEST}"))
        return {str(file["name"]): str(file["sha256"]) for file in told["files"]}
    except (NotArchived, *MALFORMED):  # there is none yet, or it is made anew now
        return {}
