"""How each day stands: see also test_queries, which draws it."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from pipelines.catalogue.calendar import DayOpeds, Standing, calendar, years_of

DAYS = st.dates(date(2019, 12, 1), date(2020, 3, 31))


@given(
    st.dictionaries(DAYS, st.sampled_from([True, False, None])),
    st.sets(DAYS),
    st.sets(st.sampled_from(["2019-11", "2020-02"])),
)
def test_a_day_is_never_more_than_what_was_said_of_it(
    closed: dict[date, bool | None], with_opeds: set[date], months: set[str]
) -> None:
    rows = [{"day": str(day), "complete": complete, "missing": []} for day, complete in sorted(closed.items())]
    days = calendar(rows, {day: DayOpeds(1) for day in with_opeds}, months)
    assert list(days) == sorted(days), "in order, with no day between left out"
    assert len(days) == (max(days).toordinal() - min(days).toordinal() + 1 if days else 0)
    for day, one in days.items():
        assert (one.standing is Standing.COMPLETE) == (closed.get(day) is True)
        assert (one.standing is Standing.INCOMPLETE) == (closed.get(day) is False)
        assert one.standing is not Standing.PAST or f"{day:%Y-%m}" in months
        assert one.published.opeds == (day in with_opeds)
    assert {day.year for day in (*closed, *with_opeds)} <= set(years_of(days))
