"""The port that removes: what no DAG and no worker holds the key for. Used by `opeds withdraw` alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pipelines.archive.store import FolderStore, open_store
from pipelines.errors import StoreUnavailable, WrongUsage
from pipelines.settings import Settings


class Remover(Protocol):
    """Removes objects for good: with every version of them, where a bucket keeps versions.

    Each verb may be called again. All raise `StoreUnavailable` when the bucket cannot be reached, or refuses the key.
    """

    def remove(self, key: str) -> None:
        """Remove an object; one that is not there is removed already."""

    def rewrite(self, key: str, body: bytes) -> None:
        """Put other bytes in an object's place, and remove what stood there."""

    def sweep(self, prefix: str) -> int:
        """Remove every version that is not the latest, and what marks deletions, below a prefix; return how many."""


class FolderRemover(FolderStore):
    """Removes from a folder. See `Remover`."""

    def remove(self, key: str) -> None:
        """See `Remover.remove`."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"cannot remove {key} below {self.root}: {error.strerror}") from error

    def rewrite(self, key: str, body: bytes) -> None:
        """See `Remover.rewrite`."""
        self._overwrite(key, body)

    def sweep(self, prefix: str) -> int:
        """Return 0: a folder keeps no versions. See `Remover.sweep`."""
        return 0


def removing(settings: Settings) -> Settings:
    """Return settings that may remove: of the embedded store with the remover's key, else as they are."""
    if not settings.embedded:
        return settings
    from pipelines.archive.embedded import ensure_running

    return replace(ensure_running(settings, "remover"), home=settings.home)


def open_remover(settings: Settings) -> Remover:
    """Return the remover of the archive that the settings name."""
    parts = urlsplit(settings.archive)
    if parts.scheme == "s3":
        from pipelines.archive.s3 import S3Remover

        return S3Remover(settings, parts.netloc, parts.path.strip("/"))
    store = open_store(settings)
    if isinstance(store, FolderStore):
        return FolderRemover(store.root)
    raise WrongUsage(f"nothing can be removed from {unquote(settings.archive)}")
