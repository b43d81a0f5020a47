"""What the catalogue answers."""

from datetime import date

import pytest

from pipelines.catalogue.calendar import DayOpeds, Standing, calendar, month_after
from pipelines.catalogue.publish import publish
from pipelines.catalogue.queries import never_run
from pipelines.cli.progress import console
from pipelines.cli.show import print_year
from pipelines.client import open_archive
from pipelines.errors import NotArchived
from pipelines.index.opened import Archive
from pipelines.settings import Settings
from tests.conftest import capture, page, prose, take_in, versions_of


def test_versions_as_they_stood_on_a_day(archive: Archive, folder: Settings) -> None:
    one, two = page(prose(1)), page([*prose(1)[:-1], "The ministry has since found the money."])
    days = ("2024-06-14T00:00:00", "2024-06-16T16:00:00", "2024-06-18T00:00:00")  # the second is the 17th in Seoul
    take_in(archive, *(capture(body, when) for body, when in zip((one, two, one), days, strict=True)))
    publish(archive, folder)

    def text(day: int) -> str:
        from datetime import date

        return str(versions_of(folder, "kjd-c2068163", date(2024, 6, day))[0][-1]["text"])

    assert "found the money" not in text(16)
    assert "found the money" in text(17)
    assert "found the money" not in text(18)
    with pytest.raises(NotArchived, match="had not been seen by 2024-06-13"):
        text(13)
    with open_archive(settings=folder) as reading:
        after = reading.oped("kjd-c2068163")
        assert "found the money" in reading.before(after).text
        assert after.kind_of_change == "text_changed"


def test_stretches_never_run_lie_between_closed_days() -> None:
    rows = [{"day": f"2026-06-0{n}", "complete": complete} for n, complete in ((1, True), (3, None), (5, False))]
    assert never_run(rows) == [(date(2026, 6, 2), date(2026, 6, 4))]
    assert never_run([]) == []


def test_a_calendar_says_of_each_day_what_is_known() -> None:
    rows = [
        {"day": day, "complete": complete, "missing": [] if complete else ["a page"]}
        for day, complete in (("2026-06-01", True), ("2026-06-03", False), ("2026-06-05", True), ("2026-06-08", None))
    ]
    told = {date(2026, 6, 1): DayOpeds(12, (("daum", 3), ("kjd", 12))), date(2026, 6, 7): DayOpeds(1, (("kjd", 1),))}
    days = calendar(rows, told, {"2011-02"})
    standing = {day: one.standing for day, one in days.items()}
    assert standing[date(2011, 2, 28)] is Standing.PAST
    assert standing[date(2011, 3, 1)] is Standing.UNKNOWN
    assert [standing[date(2026, 6, n)] for n in (1, 2, 3, 5, 6, 7, 8)] == [
        Standing.COMPLETE,
        Standing.NEVER,
        Standing.INCOMPLETE,
        Standing.COMPLETE,
        Standing.UNKNOWN,
        Standing.BY_HAND,
        Standing.BY_HAND,
    ]
    assert days[date(2026, 6, 3)].missing == ("a page",)
    assert (min(days), max(days)) == (date(2011, 2, 1), date(2026, 6, 8))
    assert calendar([], {}, ()) == {}
    assert month_after(date(2026, 12, 31)) == date(2027, 1, 1)


def test_a_year_is_drawn_with_signs_and_numbers() -> None:
    rows = [{"day": f"2026-06-0{n}", "complete": n != 3, "missing": []} for n in (1, 3, 5)]
    days = calendar(rows, {date(2026, 6, 1): DayOpeds(12), date(2026, 6, 3): DayOpeds(2)}, {"2011-02"})
    with console.capture() as shown:
        print_year(days, 2026)
    lines = shown.get().splitlines()
    assert lines[1] == "Jun   ■*× ▲2× ■"
    assert "2011 to 2011: opeds status --year 2011" in lines[-1]
    assert all(len(line) <= 80 for line in lines)
