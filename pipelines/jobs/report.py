"""What a job is asked for, how it shows its progress, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from pipelines.archive import manifests
from pipelines.catalogue.publish import Published
from pipelines.model import Outcome, Verdict

Progress = Callable[[str, str], None]  # (stage, what): the command line draws it


@dataclass
class Report:
    """The result of a run."""

    outcomes: list[Outcome] = field(default_factory=list)
    closings: dict[str, manifests.Closing] = field(default_factory=dict)
    proved: dict[str, manifests.Closing] = field(default_factory=dict)  # earlier days that this run proved to be whole
    published: Published | None = None
    failures: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)  # by source: some of its addresses that name no article
    skipped: dict[str, int] = field(default_factory=dict)  # of a foreign WARC: answers that were left out, by why

    def count(self, *verdicts: Verdict) -> int:
        """Return how many outcomes have one of these verdicts."""
        return sum(outcome.verdict in verdicts for outcome in self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether every day asked for was read to its end."""
        return not self.failures and all(closing.complete for closing in self.closings.values())


def show_outcome(progress: Progress, outcome: Outcome) -> None:
    """Show one outcome as progress of ingestion."""
    progress("ingest", f"{outcome.verdict.value} {outcome.article_id}")


@dataclass(frozen=True)
class Asked:
    """What a run is for: days in Seoul, sources by name."""

    since: date
    until: date
    sources: tuple[str, ...]
