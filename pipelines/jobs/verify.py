"""Does the archive still hold what it says? Recomputes and compares; reports what does not fit, repairs nothing.

Nothing derived is believed: an index is made from the log alone, in a file that is removed, and rows are made from that
and the records. What is looked at, in this order: `archive.json`; the log, each manifest against all who know its
digest; captures and records against the log, themselves and each other; crawls; what nobody names; every cell of the
catalogue; the index. A share of the archive looks at the captures, records and rows of its articles, and at all the
rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

from pipelines.archive.identity import GONE, IDENTITY, read_identity
from pipelines.archive.keys import README_KEY, VIEW_FOLDERS, article_of, manifest_key, report_key
from pipelines.archive.manifests import Manifest
from pipelines.archive.signing import signature_fault, trusted_keys
from pipelines.archive.store import Store, open_store, read_many
from pipelines.archive.withdrawn import NOTHING_WITHDRAWN, Withdrawn, parse_tombstone, withdrawn_of
from pipelines.audit.crawls import Crawls
from pipelines.audit.findings import Fault, Findings
from pipelines.audit.log import LogRead, judge, manifests_in, numbers_in
from pipelines.audit.objects import CHANGED, ArticleFiles, examine_all, is_object, kind_of
from pipelines.audit.reports import FAULTS_KEPT, AuditReport, is_report, report_body, reports_in
from pipelines.audit.tables import (
    ArticleRows,
    OfManifests,
    Opened,
    behind,
    compare_manifest_rows,
    groups_of,
    of_manifests,
    older,
    opened_tables,
    states_touched,
)
from pipelines.catalogue.delta import location, query
from pipelines.catalogue.schema import ARTICLES, CATALOGUE
from pipelines.clock import iso, now
from pipelines.errors import (
    MALFORMED,
    DamagedObject,
    ForeignIndex,
    IndexUnavailable,
    NotArchived,
    OpedsError,
    WrongUsage,
)
from pipelines.extraction.extract import rules_of
from pipelines.index.contents import damage_in, digests_of_tables, manifest_digests
from pipelines.index.index import Index, index_file, open_index
from pipelines.index.opened import Archive, catch_up
from pipelines.index.sqlite import ANEW
from pipelines.model import Verdict
from pipelines.settings import Settings
from pipelines.sources import Source, load_sources

Chosen = Callable[[str, str], bool]  # by article, and by when its manifest was logged (UTC)
OnCount = Callable[[int, int], None]  # how many objects are done, of how many
OURS = {*"captures articles quarantine crawls runs verified withdrawn".split(), IDENTITY, README_KEY, *VIEW_FOLDERS}
KNOWN_TO = "not there, though one of that number is known to {}"
LEFT = "of an op-ed that was withdrawn: `opeds withdraw` again removes it"
UNNAMED = (
    "no manifest names it: a run at work, or one that was cut off, left it (`opeds upkeep` takes it in), or a stranger"
)


@dataclass(frozen=True)
class Verified:
    """What an audit came to; `report` is the key of its own report in the bucket, or empty where none could be kept."""

    last: int
    sha256: str
    there: Mapping[str, int]
    verified: Mapping[str, int]
    by_kind: Sequence[tuple[str, int, int, int]]
    faults: Sequence[Fault]
    notes: Sequence[Fault]
    report: str


@dataclass
class _Audit:
    """One audit at work."""

    settings: Settings
    store: Store
    sources: Mapping[str, Source]
    chosen: Chosen
    grace: timedelta
    progress: OnCount
    archive_id: str = ""
    keys: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    log: LogRead = field(default_factory=LogRead)
    tables: list[Opened] = field(default_factory=list)
    from_manifests: list[OfManifests] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)  # articles that the log told to look at
    wanted_crawls: set[str] = field(default_factory=set)
    logged_at: dict[int, str] = field(default_factory=dict)
    signed: set[int] = field(default_factory=set)
    reports: dict[str, AuditReport] = field(default_factory=dict)  # that found no fault, by key
    missing: set[str] = field(default_factory=set)  # keys that the log names and the list did not show
    withdrawn: Withdrawn = NOTHING_WITHDRAWN
    tombstones: dict[str, str] = field(default_factory=dict)  # SHA-256 by key
    came_back: set[str] = field(default_factory=set)  # captures of pages that were not taken in

    def under(self, folder: str) -> list[str]:
        """Return the keys below a folder of the bucket."""
        return [key for key in self.keys if key.startswith(f"{folder}/")]


def verify(
    settings: Settings,
    chosen: Chosen = lambda *_: True,
    share: str = "",
    progress: OnCount = lambda *_: None,
    grace: timedelta = timedelta(0),
) -> Verified:
    """Return what does not fit, and how much was looked at; leave a report in the bucket.

    `chosen` says whether to look at an article; `share` says the same for people. Within `grace`, objects that no
    manifest names and manifests that no table holds are somebody's work. Other processes may log and publish meanwhile.
    """
    sources, store = load_sources(settings.sources), open_store(settings)
    audit = _Audit(settings, store, sources, chosen, grace, progress, keys=list(store.keys("")))
    found = audit.findings
    archive_id, invented = _verify_identity(audit)
    audit.archive_id = archive_id
    audit.withdrawn = _verify_withdrawn(audit)
    where = {name: location(settings, name) for name in CATALOGUE}
    reports = _verify_reports(audit)
    audit.tables = opened_tables(where, audit.under("catalogue"), store, found)
    audit.from_manifests = of_manifests(audit.tables)
    with TemporaryDirectory(prefix="opeds-verify-") as folder:
        own = [name for name, source in sources.items() if source.own]
        scratch = open_index(Settings(index=f"sqlite:///{folder}/scratch.sqlite"), archive_id or "unknown", own)
        index = _open_derived(audit, archive_id, own)
        touched = _read_log(audit, scratch)
        _judge_log(audit, index, reports)
        _verify_tombstones(audit)
        _verify_objects(audit)
        _verify_crawls_and_orphans(audit)
        _verify_catalogue(audit, scratch, touched)
        _verify_index(audit, scratch, index, _archive_of(audit, index, invented))
        scratch.engine.dispose()
    return _reported(audit, share)


# -- what the archive is -----------------------------------------------------------------------------------------


def _verify_identity(audit: _Audit) -> tuple[str, bool]:
    """Return the archive's id, empty where it cannot be read, and whether it is invented."""
    found = audit.findings
    for key in audit.keys:
        if key.partition("/")[0] not in OURS or ("/" not in key and key not in {IDENTITY, README_KEY}):
            found.note("foreign", key, "lies among our folders, and is none of ours")
    try:
        known = read_identity(audit.store)
    except NotArchived:
        found.fault("archive", IDENTITY, GONE)
        return "", False
    except DamagedObject as error:
        found.fault("archive", IDENTITY, str(error))
        return "", False
    return known.archive_id, known.invented


def _archive_of(audit: _Audit, index: Index | None, invented: bool) -> Archive | None:
    if index is None:
        return None
    return Archive(audit.store, index, audit.sources, invented=invented, withdrawn=audit.withdrawn)


def _verify_withdrawn(audit: _Audit) -> Withdrawn:
    """Return what the tombstones say; name those that cannot be read, and what lies there of withdrawn articles."""
    found, keys = [], audit.under("withdrawn")
    for key, body in read_many(audit.store, keys):
        audit.tombstones[key] = sha256(body).hexdigest()
        try:
            found.append(parse_tombstone(key, body))
        except DamagedObject as error:
            audit.findings.fault("tombstone", key, str(error))
    if keys:
        audit.findings.there["tombstones"] = len(keys)
        audit.findings.verified["tombstones"] = len(found)
    withdrawn = withdrawn_of(found)
    for key in audit.keys if found else ():
        if is_object(key) and article_of(key) in withdrawn.ids:
            audit.findings.fault(kind_of(key), key, LEFT)
    return withdrawn


def _verify_reports(audit: _Audit) -> dict[int, str]:
    """Return the digests of manifests that earlier audits took down."""
    digests: dict[int, str] = {}
    keys = audit.under("verified")
    for key in keys:
        if not is_report(key):
            audit.findings.fault("foreign", key, "is no report of an audit")
    audit.findings.there["reports"], audit.findings.verified["reports"] = len(keys), 0
    for key, report in reports_in(audit.store, filter(is_report, keys)):
        audit.findings.verified["reports"] += 1
        if isinstance(report, DamagedObject):
            audit.findings.fault("report", key, str(report))
        elif not report.faults and report.last:
            digests[report.last] = report.sha256
            audit.reports[key] = report
    return digests


# -- the log -----------------------------------------------------------------------------------------------------


def _read_log(audit: _Audit, scratch: Index) -> dict[int, set[str]]:
    """Read the log, and make the scratch index from it; return the articles that each manifest touches."""
    touched: dict[int, set[str]] = {}
    keys = trusted_keys(audit.settings) if audit.settings.signing_key or audit.settings.signing_public else {}
    numbers = numbers_in(audit.under("runs"), audit.findings)
    for seq, body, manifest in manifests_in(audit.store, numbers, audit.log, audit.findings):
        taken = audit.findings.guarded(
            "log",
            manifest_key(seq),
            lambda s=seq, b=body, m=manifest: _take_manifest(audit, scratch, s, b, m, keys, touched),  # type: ignore[misc]
        )
        if taken is None:
            audit.log.unread.add(seq)
    audit.findings.there["manifests"] = max(len(numbers), len(audit.log.digests))
    audit.findings.verified["manifests"] = len(audit.log.digests) - len(audit.log.unread & audit.log.digests.keys())
    if keys and not audit.signed and audit.log.last:
        audit.findings.fault("log", manifest_key(audit.log.last), "is not signed, and no manifest before it is")
    return touched


def _take_manifest(
    audit: _Audit,
    scratch: Index,
    seq: int,
    body: bytes,
    manifest: Manifest,
    keys: Mapping[str, object],
    touched: dict[int, set[str]],
) -> bool:
    """Take in one manifest; return True."""
    audit.logged_at[seq] = manifest.logged_at
    touched[seq] = states_touched(manifest)
    audit.wanted |= {
        o.article_id for o in manifest.outcomes if o.article_id and audit.chosen(o.article_id, manifest.logged_at)
    }
    audit.came_back |= {o.capture_key for o in manifest.outcomes if o.verdict is Verdict.WITHDRAWN and o.capture_key}
    audit.wanted_crawls |= {key for key in manifest.crawls if audit.chosen(key, manifest.logged_at)}
    if manifest.signature:
        audit.signed.add(seq)
    if keys and (manifest.signature or audit.signed):
        said = signature_fault(body, keys)  # type: ignore[arg-type]
        if said:
            audit.log.altered.setdefault(seq, []).append(said)
    if audit.log.is_whole:
        scratch.apply(seq, manifest)
    for table in audit.from_manifests:
        table.take(seq, manifest)
    return True


def _judge_log(audit: _Audit, index: Index | None, reports: Mapping[int, str]) -> None:
    """Say which manifests are not what was logged, and whether some are missing at the end."""
    witnesses = {"the table of runs": _told_by_table(audit), "a report of an audit": reports}
    if index is not None:
        witnesses["the index"] = audit.findings.guarded("index", "the index", lambda: manifest_digests(index)) or {}
    for seq, said in judge(audit.log, witnesses).items():
        audit.log.altered.setdefault(seq, []).extend(said)
    for seq, said in audit.log.altered.items():
        audit.findings.fault("log", manifest_key(seq), *said)
    seq = audit.log.last + 1
    while names := [name for name, known in witnesses.items() if seq in known]:
        audit.log.unread.add(seq)
        audit.findings.fault("log", manifest_key(seq), KNOWN_TO.format(" and ".join(names)))
        seq += 1
    for key, report in audit.reports.items():
        stands = audit.log.digests.get(report.last, report.sha256)
        if report.sha256 != stands and report.last not in audit.log.altered:
            audit.findings.fault("report", key, f"states another digest of {manifest_key(report.last)} than all others")
    _judge_identity(audit)


def _judge_identity(audit: _Audit) -> None:
    """Say whether `archive.json` is the file that manifests tell of, and which of them tell of another."""
    told = {seq: digest for seq, digest in audit.log.identity.items() if seq not in audit.log.altered}
    if not told or IDENTITY not in audit.keys:
        return
    stands = sha256(audit.store.read(IDENTITY)).hexdigest()
    if stands not in told.values():
        audit.findings.fault("archive", IDENTITY, CHANGED)
        return
    for seq in (seq for seq, digest in told.items() if digest != stands):
        audit.log.altered.setdefault(seq, []).append("tells of another archive.json")
        audit.findings.fault("log", manifest_key(seq), "tells of another archive.json")


def _told_by_table(audit: _Audit) -> dict[int, str]:
    """Return the digests that the table of runs has, by number; empty in rows of earlier versions of ours."""
    try:
        rows = query(location(audit.settings, "runs"), "SELECT seq, sha256 FROM t")
        return {row["seq"]: row["sha256"] or "" for row in rows if isinstance(row["seq"], int)}
    except (OpedsError, KeyError):
        return {}  # that it cannot be read was told


# -- objects -----------------------------------------------------------------------------------------------------


def _verify_objects(audit: _Audit) -> None:
    """Examine captures, records and rejections, article by article; look for what the log names and is not there."""
    by_article: dict[str, list[str]] = {}
    for folder, kind in (("captures", "captures"), ("articles", "records"), ("quarantine", "rejections")):
        keys = audit.under(folder)
        audit.findings.there[kind] = len(keys)
        for key in keys:
            if is_object(key):
                by_article.setdefault(article_of(key), []).append(key)
    mine = {a: keys for a, keys in by_article.items() if a in audit.wanted or audit.chosen(a, "")}
    missing = audit.log.named.keys() - set(audit.keys) - set(audit.withdrawn.removed)
    missing -= audit.came_back
    audit.missing = {key for key in missing if not (is_object(key) and article_of(key) in audit.withdrawn.ids)}
    count = sum(map(len, mine.values()))
    rules = {name: rules_of(source) for name, source in audit.sources.items()}
    processes = audit.settings.processes or len(os.sched_getaffinity(0))
    files = _files_of(audit, {a: keys for a, keys in mine.items() if a not in audit.withdrawn.ids})
    for fault in examine_all(files, audit.sources, rules, processes, count, lambda done: audit.progress(done, count)):
        audit.findings.fault(fault.kind, fault.key, fault.said)
    for key in audit.missing:
        _look_for(audit, key)


def _files_of(audit: _Audit, by_article: Mapping[str, Sequence[str]]) -> Iterator[ArticleFiles]:
    """Yield the objects of each article; they are read ahead."""
    bodies = read_many(audit.store, (key for article in sorted(by_article) for key in by_article[article]))
    kinds = {"captures": "captures", "articles": "records", "quarantine": "rejections"}
    waiting = next(bodies, None)
    for article in sorted(by_article):
        files = ArticleFiles(article, missing=audit.missing, withdrawn=audit.withdrawn)
        keys = set(by_article[article])
        while waiting is not None and waiting[0] in keys:
            key, body = waiting
            files.bodies[key] = body
            if key in audit.log.named:
                files.named[key] = audit.log.trusted(key)
            audit.findings.verified[kinds[key.partition("/")[0]]] += 1
            waiting = next(bodies, None)
        yield files


def _look_for(audit: _Audit, key: str) -> None:
    """Look for an object that the log names and the list did not show: it may have come since."""
    named = audit.log.named[key]
    if named.seq in audit.log.altered:
        return  # an altered manifest may name anything
    try:
        audit.store.read(key)
    except NotArchived:
        kind = {"crawls": "crawl", "withdrawn": "tombstone"}.get(key.partition("/")[0]) or kind_of(key)
        audit.findings.fault(kind, key, f"not there, though {manifest_key(named.seq)} names it")


def _verify_tombstones(audit: _Audit) -> None:
    """Compare each tombstone with what the log says of it: a forged one would excuse any alteration."""
    for key in sorted(audit.came_back & set(audit.keys)):
        if article_of(key) not in audit.withdrawn.ids:
            audit.findings.fault(kind_of(key), key, LEFT)
    for key, digest in audit.tombstones.items():
        if key not in audit.log.named:
            said = "no manifest names it: a withdrawal was cut off, or a stranger left it"
            audit.findings.fault("tombstone", key, said)
        elif audit.log.trusted(key).sha256 not in {"", digest}:
            audit.findings.fault("tombstone", key, CHANGED)


def _verify_crawls_and_orphans(audit: _Audit) -> None:
    named = audit.log.named
    keys = frozenset(audit.under("crawls"))

    def told(key: str) -> object:
        return audit.log.trusted(key) if key in named else None

    crawls = Crawls(audit.store, keys, told, audit.findings, audit.withdrawn)  # type: ignore[arg-type]
    wanted = audit.wanted_crawls
    crawls.examine(lambda key: key in wanted or key not in named, lambda key: audit.chosen(key, ""))
    is_sound = audit.log.is_whole and not audit.log.altered
    for key in (key for folder in ("captures", "articles", "quarantine") for key in audit.under(folder)):
        if not is_object(key):
            audit.findings.fault("foreign", key, "has no key of ours")
        elif article_of(key) in audit.withdrawn.ids:
            pass  # it is among the faults already
        elif key not in named and audit.chosen(article_of(key), ""):
            _orphan(audit, key, waits=key in crawls.waiting_captures, is_sound=is_sound)


def _orphan(audit: _Audit, key: str, waits: bool, is_sound: bool) -> None:
    """Take in an object that no manifest names."""
    if waits:
        audit.findings.note("orphan", key, "its crawl waits to be ingested")
    elif not is_sound:
        audit.findings.note("orphan", key, "no manifest that can be trusted names it")
    elif audit.grace and now() - _written_at(audit.store, key) < audit.grace:
        audit.findings.note("orphan", key, "no manifest names it yet")
    else:
        audit.findings.fault("orphan", key, UNNAMED)


def _written_at(store: Store, key: str) -> datetime:
    try:
        return store.written_at(key)
    except NotArchived:
        return now()


# -- what is derived ---------------------------------------------------------------------------------------------


def _verify_catalogue(audit: _Audit, scratch: Index, touched: Mapping[int, set[str]]) -> None:
    log, found = audit.log, audit.findings
    doubtful = {*log.altered, *log.unread}
    for one in audit.from_manifests:
        compare_manifest_rows(one, audit.store, doubtful, found)
    articles = next(one for one in audit.tables if one.of is ARTICLES)
    is_older = older(audit.tables, audit.under("catalogue"), min(log.identity, default=0), found)
    if not log.is_whole:
        found.note("catalogue", "catalogue/articles", "its rows were not compared: the log cannot be read to its end")
        return
    told = [touched, *(one.articles for one in audit.from_manifests)]
    altered = {name for of in told for seq in log.altered for name in of.get(seq, ())}
    suspects = groups_of(scratch, altered) if altered else set()
    excused = suspects | set(scratch.changed_since(articles.upto))
    excused |= {article_of(f.key) for f in found.faults if f.kind == "record" and f.key in log.named}
    _verify_upto(audit, scratch)

    def chosen(article_id: str) -> bool:
        return article_id in audit.wanted or audit.chosen(article_id, "")

    ArticleRows(
        articles,
        audit.store,
        scratch,
        chosen,
        excused,
        found,
        suspects,
        is_older and not articles.is_of_today,
        not log.altered,
    ).compare()


def _verify_upto(audit: _Audit, scratch: Index) -> None:
    """Say which tables lack manifests; of those that were just logged, somebody is at work."""
    upto = min((one.upto for one in audit.tables), default=0)
    since = audit.logged_at.get(upto + 1, "")
    fresh = Findings()
    behind(audit.tables, scratch, audit.log.last, fresh)
    is_recent = bool(audit.grace and since and since > iso(now() - audit.grace))
    for fault in fresh.faults:
        (audit.findings.note if is_recent else audit.findings.fault)(fault.kind, fault.key, fault.said)


def _open_derived(audit: _Audit, archive_id: str, own: Sequence[str]) -> Index | None:
    """Open the index, or return None where there is none, or none that can be opened."""
    if not archive_id:
        return None
    path = index_file(audit.settings, archive_id)
    if path is not None and not path.exists():
        audit.findings.note("index", "the index", f"there is none at {path}: it is made when it is needed")
        return None
    try:
        opened = open_index(audit.settings, archive_id, own, may_replace=False)
        said = damage_in(opened)
    except (IndexUnavailable, ForeignIndex, WrongUsage) as error:
        audit.findings.fault("index", _shown(path), str(error))
        return None
    if said:
        audit.findings.fault("index", _shown(path), f"is damaged ({said[:200]}): {ANEW}")
        return None
    if opened.is_scratch:
        audit.findings.note(
            "index", _shown(path), "another version of this program made it: the next run makes it anew"
        )
        return None
    return opened


def _shown(path: Path | None) -> str:
    return str(path) if path else "OPEDS_INDEX"


def _verify_index(audit: _Audit, scratch: Index, index: Index | None, archive: Archive | None) -> None:
    """Compare what the index holds with what the log makes of it; others may log meanwhile."""
    if index is None or archive is None or not audit.log.is_whole or audit.log.altered:
        return
    key = _shown(index_file(audit.settings, audit.archive_id))
    try:
        catch_up(archive)
        catch_up(Archive(audit.store, scratch, audit.sources, withdrawn=audit.withdrawn))
        with index.snapshot() as one, scratch.snapshot() as other:
            if one.seq() < other.seq():
                raise ValueError("it cannot be brought up to the log")
            if one.seq() > other.seq():
                audit.findings.note("index", key, "was not compared: others log meanwhile")
                return
            there, due = digests_of_tables(one), digests_of_tables(other)
    except (IndexUnavailable, *MALFORMED) as error:
        audit.findings.fault("index", key, f"cannot be read ({str(error)[:200]}): {ANEW}")
        return
    audit.findings.there["index tables"] = audit.findings.verified["index tables"] = len(due)
    for table in (name for name, digest in due.items() if there[name] != digest):
        audit.findings.fault("index", key, f"its table {table} is not what the log makes of it: {ANEW}")


# -- the report --------------------------------------------------------------------------------------------------


def _reported(audit: _Audit, share: str) -> Verified:
    found, log = audit.findings, audit.log
    faults = sorted(found.faults)
    moment, digest = now(), log.digests.get(log.last, "")
    report = AuditReport(
        iso(moment),
        share,
        log.last,
        digest,
        dict(found.there),
        dict(found.verified),
        len(faults),
        [asdict(one) for one in faults[:FAULTS_KEPT]],
    )
    key = report_key(moment, token_hex(2))
    try:
        audit.store.create(key, report_body(report))
    except OpedsError as error:  # with a reader's key, say
        found.note("report", key, f"could not be kept: {error}")
        key = ""
    return Verified(
        log.last,
        digest,
        dict(found.there),
        dict(found.verified),
        list(found.by_kind()),
        faults,
        sorted(found.notes),
        key,
    )


def audit_as_json(done: Verified, share: str) -> list[dict[str, object]]:
    """Return what an audit came to, for programs."""
    return [
        {
            "verified": dict(done.verified),
            "there": dict(done.there),
            "share": share,
            "log": done.last,
            "findings": [asdict(one) for one in done.faults],
            "notes": [asdict(one) for one in done.notes],
            "report": done.report,
        }
    ]
