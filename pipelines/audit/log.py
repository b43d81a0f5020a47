"""The log: is each manifest the one that was logged, and what does it say of other objects?

Four know a manifest's digest: the one behind it, the table of runs, the index, and earlier reports. Where they do not
agree, the one that stands alone is the altered one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from pipelines.archive.identity import IDENTITY
from pipelines.archive.keys import manifest_key, number_in
from pipelines.archive.manifests import FIRST_SCHEMA, Anchor, Manifest, parse_manifest
from pipelines.archive.store import Store, read_many
from pipelines.audit.findings import Findings
from pipelines.errors import DamagedObject, NotArchived
from pipelines.model import CONTENT

MOST_OF_GAP = 1000  # manifests of a gap that are named
CONTRADICTED = "is not what was logged: {} another digest of it"


@dataclass(frozen=True, slots=True)
class Named:
    """What the log says of an object: the first manifest that names it, and the first that states its digest."""

    seq: int
    sha256: str = ""
    stated_in: int = 0
    content16: str = ""


@dataclass
class LogRead:
    """What stands in the log, manifest by manifest.

    `digests` are those of the manifests as they lie there, `previous` what each states of the one before; `unread` are
    the numbers at which nothing lies or nothing can be read.
    """

    last: int = 0
    digests: dict[int, str] = field(default_factory=dict)
    previous: dict[int, str] = field(default_factory=dict)
    anchors: dict[int, Anchor] = field(default_factory=dict)
    first_schema: set[int] = field(default_factory=set)
    unread: set[int] = field(default_factory=set)
    named: dict[str, Named] = field(default_factory=dict)
    identity: dict[int, str] = field(default_factory=dict)  # what each states of `archive.json`
    parts: dict[tuple[str, str], int] = field(default_factory=dict)  # by run and part, the manifest that logged it
    altered: dict[int, list[str]] = field(default_factory=dict)  # see `judge`

    @property
    def is_whole(self) -> bool:
        """Whether each manifest could be read."""
        return not self.unread

    def trusted(self, key: str) -> Named:
        """Return what the log says of an object, without what an altered manifest says."""
        found = self.named[key]
        if found.stated_in in self.altered:
            found = Named(found.seq, content16=found.content16)
        return Named(found.seq) if found.seq in self.altered else found


def manifests_in(
    store: Store, listed: Sequence[int], read: LogRead, findings: Findings
) -> Iterator[tuple[int, bytes, Manifest]]:
    """Yield every manifest that can be read, with its bytes, and take down what it says; behind a gap too.

    `listed` are the numbers that the bucket shows; what others log meanwhile is read as well.
    """
    for seq, body in _bodies(store, listed):
        read.last = seq
        if body is None:
            read.unread.add(seq)
            findings.fault("log", manifest_key(seq), "not there, though manifests behind it are")
            continue
        read.digests[seq] = sha256(body).hexdigest()
        try:
            manifest = parse_manifest(seq, body)
        except DamagedObject as error:
            read.unread.add(seq)
            findings.fault("log", manifest_key(seq), str(error))
            continue
        findings.guarded("log", manifest_key(seq), lambda s=seq, m=manifest: _take_down(read, s, m))  # type: ignore[misc]
        yield seq, body, manifest


def _bodies(store: Store, listed: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
    """Yield the bytes at each number up to the last that is listed, then those that came since."""
    last = 0
    for key, body in read_many(store, map(manifest_key, sorted(listed))):
        seq = number_in(key)
        for missing in range(last + 1, seq):
            yield missing, None
        yield seq, body
        last = seq
    while True:
        last += 1
        try:
            yield last, store.read(manifest_key(last))
        except NotArchived:
            return


def _take_down(read: LogRead, seq: int, manifest: Manifest) -> None:
    before = read.parts.setdefault((manifest.run, manifest.part), seq)
    if before != seq:
        read.altered.setdefault(seq, []).append(f"logs the same part of the same run as {manifest_key(before)}")
    if manifest.schema == FIRST_SCHEMA:
        read.first_schema.add(seq)
    else:
        read.previous[seq] = manifest.previous
    if manifest.anchor:
        read.anchors[seq] = manifest.anchor
    for outcome in manifest.outcomes:
        if outcome.capture_key:
            read.named.setdefault(outcome.capture_key, Named(seq))
        if outcome.record_key:
            content16 = outcome.content16 if outcome.verdict in CONTENT else ""
            read.named.setdefault(outcome.record_key, Named(seq, content16=content16))
    for key in manifest.crawls:
        read.named.setdefault(key, Named(seq))
    _take_digests(read, seq, manifest)


def _take_digests(read: LogRead, seq: int, manifest: Manifest) -> None:
    for key, digest in manifest.digests:
        if key == IDENTITY:
            read.identity[seq] = digest
            continue
        known = read.named.setdefault(key, Named(seq))
        if not known.sha256:
            read.named[key] = Named(known.seq, digest, seq, known.content16)


def judge(read: LogRead, witnesses: Mapping[str, Mapping[int, str]]) -> dict[int, list[str]]:
    """Return the manifests that are not what was logged, each with why.

    `witnesses` are others than the log that know digests, by a name that is part of a sentence: `the index`. From the
    last to the first: what a manifest that is altered says of the one before it counts for nothing.
    """
    found: dict[int, list[str]] = {}
    for seq in sorted(read.digests, reverse=True):
        own = read.digests[seq]
        told = {name: known[seq] for name, known in witnesses.items() if known.get(seq)}
        behind = read.previous.get(seq + 1)
        confirmed = own in told.values()
        denied = [name for name, digest in told.items() if digest != own]
        if behind is not None and behind != own and seq + 1 not in found:
            if confirmed:
                found[seq + 1] = [f"names another manifest before it than {manifest_key(seq)}"]
            else:
                denied.append(manifest_key(seq + 1))
        elif behind == own and seq + 1 not in found:
            confirmed = True
        if denied and not confirmed:
            names = " and ".join(denied)
            found[seq] = [CONTRADICTED.format(f"{names} {'state' if len(denied) > 1 else 'states'}")]
    _judge_schemas(read, found)
    _judge_anchors(read, found)
    return found


def _judge_schemas(read: LogRead, found: dict[int, list[str]]) -> None:
    for seq in read.first_schema:
        if seq - 1 in read.previous:
            found.setdefault(seq, []).append("states no digests, though the manifest before it does")
    for seq, previous in read.previous.items():
        if seq > 1 and not previous:
            found.setdefault(seq, []).append("names no manifest before it")


def _judge_anchors(read: LogRead, found: dict[int, list[str]]) -> None:
    for seq, anchor in read.anchors.items():
        upto = range(1, anchor.manifests + 1)
        if seq in found:
            continue
        if anchor.manifests not in read.first_schema:
            found[seq] = ["has an anchor, which only manifests of the first schema need"]
            continue
        lines = "\n".join(read.digests.get(one, "") for one in upto)
        if sha256(lines.encode()).hexdigest() == anchor.sha256:
            continue
        if not any(one in found or one in read.unread for one in upto):
            said = f"this or one of the manifests before it is not what {manifest_key(seq)} was logged behind"
            found.setdefault(anchor.manifests, []).append(said)


def numbers_in(keys: Sequence[str], findings: Findings) -> list[int]:
    """Return the numbers of the manifests among the keys under `runs/`; what is none there is foreign, and so is one
    that stands far behind the others."""
    found: list[int] = []
    for key in sorted(keys):
        number = number_in(key)
        if not number:
            findings.fault("foreign", key, "is no manifest: their names are ten digits")
        elif number > (found[-1] if found else 0) + MOST_OF_GAP:
            findings.fault("foreign", key, "stands alone, far behind the last manifest")
        else:
            found.append(number)
    return found
