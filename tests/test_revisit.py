"""A second look: as few requests as can find a change."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.archive.store import open_store
from pipelines.clock import SEOUL, iso
from pipelines.index.opened import Archive, open_to_write
from pipelines.ingestion.ingest import Part, ingest
from pipelines.jobs.day import addresses_due
from pipelines.jobs.revisit import AGES, is_due
from pipelines.jobs.run import revisit_due
from pipelines.model import Outcome, Verdict
from pipelines.settings import Settings
from tests.conftest import C_URL, Command, World, capture, environment_of, page, prose, take_in

NOW = datetime.now(UTC).replace(microsecond=0)
QUIET = lambda *_: None  # noqa: E731


def test_each_age_is_looked_at_once_and_a_missed_look_is_made_up_for() -> None:
    born = NOW - timedelta(days=45)
    looks, last = [], born
    for hours in range(0, 45 * 24, 6):
        at = born + timedelta(hours=hours)
        if is_due(born, last, at):
            looks.append(at - born)
            last = at
    assert looks == list(AGES)
    assert is_due(born, born + timedelta(days=2), born + timedelta(days=12)), "the looks at 3 and 7 days are one now"
    assert not is_due(born, born, born + timedelta(days=40)), "too late for the last"


@pytest.fixture
def two_days_old(newsstand: World, folder: Settings) -> tuple[Settings, dict[str, str]]:
    """An op-ed of the day before yesterday, archived then, and served unchanged."""
    then = NOW - timedelta(days=2)
    stamp = f"{then.astimezone(SEOUL):%d %b. %Y, %H:%M}"
    newsstand.stand.stand.given[C_URL.removeprefix("https://")] = page(prose(1), date=stamp)
    take_in(open_to_write(folder), capture(page(prose(1), date=stamp), then.isoformat()[:19]))
    return folder, newsstand.environment | environment_of(folder)


def test_an_unchanged_page_costs_one_request_and_writes_nothing(
    two_days_old: tuple[Settings, dict[str, str]], newsstand: World
) -> None:
    settings, environment = two_days_old
    before = set(open_store(settings).keys(""))
    report = revisit_due(settings, environment, QUIET, NOW)
    assert [outcome.verdict for outcome in report.outcomes] == [Verdict.UNCHANGED]
    assert len([path for path in newsstand.paths() if path.startswith("/news/")]) == 1
    assert not [
        key for key in set(open_store(settings).keys("")) - before if key.startswith(("captures/", "articles/"))
    ]
    assert addresses_due(open_to_write(settings), NOW) == {}, "nothing is owed any more"
    assert revisit_due(settings, environment, QUIET, NOW).outcomes == []


def test_a_correction_is_found(two_days_old: tuple[Settings, dict[str, str]], newsstand: World) -> None:
    settings, environment = two_days_old
    stamp = f"{NOW - timedelta(days=2):%d %b. %Y, %H:%M}"
    changed = [*prose(1)[:-1], "The ministry has since found the money."]
    newsstand.stand.stand.given[C_URL.removeprefix("https://")] = page(changed, date=stamp)
    report = revisit_due(settings, environment, QUIET, NOW)
    assert [outcome.verdict for outcome in report.outcomes] == [Verdict.REVISED]


def test_a_page_that_did_not_change_answers_304_and_is_a_sighting(
    scrapy: Command, newsstand: World, folder: Settings
) -> None:
    day = ("-a", "since=2026-06-02", "-a", "until=2026-06-02")
    scrapy("crawl", "kjd", *day, "-a", "run=r1", settings=folder)
    newsstand.stand.stand.log.clear()
    scrapy("crawl", "kjd", *day, "-a", "run=r2", settings=folder)
    pages = [entry for entry in newsstand.stand.stand.log if entry["path"].startswith("/news/")]
    assert [entry["status"] for entry in pages] == [304] * 3
    from tests.test_spiders import summary_of

    told = summary_of(folder)
    assert told.counts == {"kept": 3}
    assert all(tried.status == 304 and tried.capture_key for tried in told.addresses)


def test_revisit_wants_no_days(opeds: Command, newsstand: World, folder: Settings) -> None:
    assert opeds("run", "--revisit", "--day", "2026-06-01", settings=folder).code == 2
    told = opeds("run", "--revisit", settings=folder)
    assert (told.code, "nothing new came in" in told.out) == (0, True)


def test_a_first_404_is_looked_at_again_the_next_day_and_never_sooner(archive: Archive) -> None:
    born = NOW - timedelta(days=2)
    stamp = f"{born.astimezone(SEOUL):%d %b. %Y, %H:%M}"
    take_in(archive, capture(page(prose(1), date=stamp), born.isoformat()[:19]))

    def look(at: datetime, name: str) -> None:
        gone = Outcome(Verdict.GONE, C_URL, "kjd-c2068163", iso(at), reasons=("HTTP 404",))
        ingest(archive, Part(name, "p", "", iso(at)), [], [gone], lambda _: None)

    look(NOW, "first")
    assert addresses_due(archive, NOW) == addresses_due(archive, NOW + timedelta(hours=19)) == {}
    assert addresses_due(archive, NOW + timedelta(hours=20)) == {"kjd": [C_URL]}
    look(NOW + timedelta(hours=21), "second")
    assert addresses_due(archive, NOW + timedelta(hours=50)) == {}
    assert archive.index.state_of("kjd-c2068163").gone_at == iso(NOW)
