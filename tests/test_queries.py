"""What the catalogue answers."""

import pytest

from pipelines.catalogue.delta import publish
from pipelines.catalogue.queries import before_and_after, days_never_run, versions_of
from pipelines.errors import NotArchived
from pipelines.index.opened import Archive
from pipelines.settings import Settings
from tests.conftest import capture, page, prose, take_in


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
    before, after = before_and_after(folder, "kjd-c2068163", versions_of(folder, "kjd-c2068163")[0])
    assert "found the money" in before["text"]
    assert after["kind_of_change"] == "text_changed"


def test_days_never_run_lie_between_closed_days() -> None:
    rows = [{"day": f"2026-06-0{n}", "complete": complete} for n, complete in ((1, True), (3, None), (5, False))]
    assert days_never_run(rows) == ["2026-06-02", "2026-06-03", "2026-06-04"]
    assert days_never_run([]) == []
