"""What a job is asked for, how it shows its progress, and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from pipelines.archive import manifests
from pipelines.catalogue.publish import Published
from pipelines.exports.export import Written
from pipelines.index.index import Index
from pipelines.model import Outcome, Verdict

EXAMPLES = 3  # addresses named for each reason
Progress = Callable[[str, str], None]  # (stage, what): the command line draws it


@dataclass
class Report:
    """The result of a run."""

    outcomes: list[Outcome] = field(default_factory=list)
    closings: dict[str, manifests.Closing] = field(default_factory=dict)
    proved: dict[str, manifests.Closing] = field(default_factory=dict)  # earlier days that this run proved to be whole
    published: Published | None = None
    exported: Written | None = None  # the plain files in the bucket
    failures: dict[str, str] = field(default_factory=dict)
    records: Counter[str] = field(default_factory=Counter)  # of web archives: by type
    statuses: Counter[int] = field(default_factory=Counter)  # their answers by status; 0 for what is no HTTP
    skipped: dict[str, int] = field(default_factory=dict)  # their answers that were left out, by why
    examples: dict[str, list[str]] = field(default_factory=dict)  # some addresses of these
    damage: dict[str, list[tuple[int, str]]] = field(default_factory=dict)  # places in a file that cannot be read
    more_damage: Counter[str] = field(default_factory=Counter)  # places beyond the first hundred
    groups: dict[str, str] = field(default_factory=dict)  # of the articles that came in: the primary of each

    def count(self, *verdicts: Verdict) -> int:
        """Return how many outcomes have one of these verdicts."""
        return sum(outcome.verdict in verdicts for outcome in self.outcomes)

    def leave_out(self, why: str, url: str) -> None:
        """Count an answer that is not taken in, and keep three addresses for each reason."""
        self.skipped[why] = self.skipped.get(why, 0) + 1
        some = self.examples.setdefault(why, [])
        if len(some) < EXAMPLES and url not in some:
            some.append(url)

    def note_groups(self, index: Index) -> None:
        """Note how the articles that came in are grouped now: an outcome says only what was known when it came."""
        came = {outcome.article_id for outcome in self.outcomes if outcome.verdict in {Verdict.NEW, Verdict.COPY}}
        self.groups = index.groups_of(came)

    @property
    def complete(self) -> bool:
        """Whether every day asked for was read to its end."""
        return not self.failures and not self.damage and all(closing.complete for closing in self.closings.values())


def show_outcome(progress: Progress, outcome: Outcome) -> None:
    """Show one outcome as progress of ingestion."""
    progress("ingest", f"{outcome.verdict.value} {outcome.article_id}")


@dataclass(frozen=True)
class Asked:
    """What a run is for: days in Seoul, sources by name."""

    since: date
    until: date
    sources: tuple[str, ...]
