"""The public web archives that hold captures of our sources: data, one small file per archive, read into values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UnknownSource
from pipelines.sources import checked_file
from pipelines.sources.checked import mistakes_of_archive

ARCHIVES_FOLDER = "archives"  # within the folder of the source files, ours and that of OPEDS_SOURCES


@dataclass(frozen=True)
class PublicArchive:
    """A public web archive: where its index and its pages are, and how often it may be asked.

    `kind` is `cdx` (an index that answers for a prefix, pages by moment and address) or `commoncrawl` (an index for
    each of its `collections`, pages as ranges of WARC files). `rows` is how many rows of the index to ask for at once,
    `wait` how many seconds to wait when it says "too many requests" and not how long.
    """

    name: str
    title: str
    kind: str
    index: str
    playback: str
    hosts: tuple[str, ...]
    index_per_minute: float
    pages_per_minute: float
    terms: str
    collections: str = ""
    rows: int = 5000
    wait: float = 60.0
    loopback: bool = False


def load_archives(folder: str = "") -> dict[str, PublicArchive]:
    """Return the shipped archives by name, with those of `folder`/archives added or put in their place.

    Raises `BadSourceFile`, naming file and field.
    """
    files = sorted((Path(__file__).parent / ARCHIVES_FOLDER).glob("*.toml"))
    files += sorted((Path(folder) / ARCHIVES_FOLDER).glob("*.toml")) if folder else []
    return {archive.name: archive for archive in map(read_archive, files)}


def read_archive(path: Path) -> PublicArchive:
    """Read the file of one archive; raise `BadSourceFile` with the first mistake, its line, key and value."""
    data = checked_file(path, mistakes_of_archive)
    return PublicArchive(**{**data, "hosts": tuple(data["hosts"])})


def public_named(archives: Mapping[str, PublicArchive], name: str) -> PublicArchive:
    """Return the archive of that name; raise `UnknownSource`, which lists the names there are."""
    try:
        return archives[name]
    except KeyError as error:
        raise UnknownSource(f"unknown archive {name!r}; there are: {', '.join(sorted(archives))}") from error
