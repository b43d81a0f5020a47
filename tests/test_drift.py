"""A layout that changes is told: nothing sound is archived from it, the text is kept, `opeds status` names it."""

import json
from datetime import date, timedelta

import pytest

from pipelines.archive.store import open_store
from pipelines.catalogue.drift import Observation, PresenceWatch, drift
from pipelines.settings import Settings
from tests.conftest import Command, World


def seen(count: int, month: int, *fields: tuple[str, str]) -> list[Observation]:
    return [Observation("kjd", f"u{month}-{n}", f"2026-{month:02d}-{n:02d}", fields) for n in range(1, count + 1)]


def test_too_few_pages_say_nothing() -> None:
    assert drift([*seen(5, 1, ("text", "#a")), *seen(4, 2)]) == []


def test_a_week_with_few_columns_is_no_drift() -> None:
    before = [*seen(7, 1, ("text", "#a"), ("authors", "body")), *seen(5, 2, ("text", "#a"))]
    now = [*seen(1, 3, ("text", "#a"), ("authors", "body")), *seen(4, 4, ("text", "#a"))]
    assert drift([*before, *now]) == []


def test_a_selector_that_hands_over_to_another_is_told_apart_from_a_loss() -> None:
    before = seen(20, 1, ("text", "#a"), ("authors", ".by"))
    (moved,) = drift([*before, *seen(20, 2, ("text", "#b"), ("authors", ".by"))][:28])
    assert (moved.field, moved.selector, moved.serious) == ("text", "#a", False)
    (lost,) = drift([*before, *seen(10, 2, ("text", "#a"))])
    assert (lost.field, lost.before, lost.now, lost.serious, len(lost.urls)) == ("authors", 1.0, 0.0, True, 5)


@pytest.mark.parametrize("fault", ["redesign", "moved-body"])
def test_a_change_of_layout_is_an_alarm_with_addresses(
    fault: str, opeds: Command, newsstand: World, folder: Settings
) -> None:
    assert opeds("run", "--since", "2026-05-26", "--until", "2026-06-02", "--source", "kjd", settings=folder).code == 0
    before = set(open_store(folder).keys("articles/"))
    assert "drift" not in opeds("status", settings=folder).out
    newsstand.stand.stand.fault(fault)
    opeds("run", "--since", "2026-06-04", "--until", "2026-06-07", "--source", "kjd", settings=folder)
    store = open_store(folder)
    fresh = [json.loads(store.read(key)) for key in set(store.keys("articles/")) - before]
    assert not [record for record in fresh if record["status"] == "ok"], "nothing is called sound"
    aside = [json.loads(store.read(key)) for key in store.keys("quarantine/")]
    assert len(aside) + len(fresh) >= 8
    assert all(record["text"].count("\n\n") >= 4 for record in aside), "the generic reading has the text"
    told = opeds("status", settings=folder).out
    assert "drift kjd text: 100% of pages before" in told
    assert "https://koreajoongangdaily.joins.com/news/2026-06-0" in told


def test_the_share_of_each_week_is_counted_while_drift_is_looked_for() -> None:
    days = [date(2026, 6, 1) + timedelta(days=n) for n in range(28)]
    pages = [
        Observation("kjd", f"u{day}", day.isoformat(), (("headline", "h1"),) if day.day % 2 else ()) for day in days
    ]
    watch = PresenceWatch()
    assert drift(watch.watched(pages)) == drift(pages)
    told = {one.field: one.weeks for one in watch.told()}
    assert [week[0] for week in told["headline"]] == days[::7]
    assert [week[2] for week in told["headline"]] == [7] * 4
    assert sum(week[1] * week[2] for week in told["headline"]) == pytest.approx(14)
    assert {week[1] for week in told["text"]} == {0.0}
