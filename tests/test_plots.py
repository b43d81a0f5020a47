"""Where bars and points stand: within their picture, in the order of their values."""

from datetime import date, timedelta

from pipelines.browse.plots import HEIGHT, WIDTH, bars, lines


def test_bars_stand_within_the_picture_however_many_there_are() -> None:
    for years in (1, 2, 27, 400):
        drawn = bars({2000 + n: n % 7 for n in range(years)} | {2000: 3})
        assert len(drawn) == years
        assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH and 0 <= bar.y <= HEIGHT for bar in drawn)
        assert sum(bar.labelled for bar in drawn) <= 10
    assert bars({}) == []


def test_a_line_goes_from_edge_to_edge_and_falls_where_a_share_falls() -> None:
    weeks = [(date(2026, 6, 1) + timedelta(weeks=n), share, 10) for n, share in enumerate((1.0, 1.0, 0.2))]
    drawn = lines(weeks)
    assert [dot[0] for dot in drawn.dots] == [0, 320, WIDTH]
    assert drawn.dots[0][1] == drawn.dots[1][1] < drawn.dots[2][1] <= HEIGHT
    assert (drawn.first, drawn.last) == (weeks[0][0], weeks[2][0])
    assert len(lines(weeks[:1]).dots) == 1
