"""What the catalogue answers."""

from datetime import date

import pytest

from pipelines.catalogue.publish import publish
from pipelines.catalogue.queries import never_run
from pipelines.cli.progress import console
from pipelines.cli.show import print_calendar
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


def test_a_calendar_folds_what_was_never_run() -> None:
    with console.capture() as shown:
        print_calendar({date(1999, 1, 1): False, date(2026, 6, 1): True, date(2026, 6, 3): True})
    lines = shown.get().splitlines()
    assert len(lines) == 5
    assert "1999-02 to 2026-05: nothing run" in lines[2]
