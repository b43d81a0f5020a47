"""Where the bars and points of a plot stand, in units of its picture. Functions of values; templates draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT, ABOVE, BELOW = 640, 160, 18, 22  # of the picture, and what is left free for numbers above and below
WIDEST_BAR, MOST_LABELS = 48.0, 10  # of a bar; how many labels fit below


@dataclass(frozen=True)
class Bar:
    """A bar: its left upper corner, its size, what it is of, its number, and whether there is room for its label."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int
    labelled: bool


def bars(counts: Mapping[int, int]) -> list[Bar]:
    """Return a bar for each number from the first to the last, also where nothing is.

    >>> [(bar.label, bar.height) for bar in bars({2024: 5, 2026: 10})]
    [('2024', 60.0), ('2025', 0.0), ('2026', 120.0)]
    """
    if not counts:
        return []
    numbers = range(min(counts), max(counts) + 1)
    step = min(WIDEST_BAR * 1.3, WIDTH / len(numbers))
    room, most, every = HEIGHT - ABOVE - BELOW, max(counts.values()), -(-len(numbers) // MOST_LABELS)
    found = []
    for n, number in enumerate(numbers):
        height = round(room * counts.get(number, 0) / most, 1)
        x, y = round(n * step + step * 0.1, 1), round(HEIGHT - BELOW - height, 1)
        found.append(Bar(x, y, round(step * 0.8, 1), height, str(number), counts.get(number, 0), n % every == 0))
    return found


@dataclass(frozen=True)
class Line:
    """A line through the weeks: its points as SVG spells them, and the first and the last week with their shares."""

    points: str
    dots: tuple[tuple[float, float, date, float, int], ...]
    first: date
    last: date


def lines(weeks: Sequence[tuple[date, float, int]]) -> Line:
    """Return a line of shares from 0 to 1 over time.

    >>> lines([(date(2026, 6, 1), 1.0, 5), (date(2026, 6, 8), 0.5, 4)]).points
    '0.0,18.0 640.0,78.0'
    """
    first, last = weeks[0][0], weeks[-1][0]
    days, room = max(1, (last - first).days), HEIGHT - ABOVE - BELOW
    dots = tuple(
        (round(WIDTH * (week - first).days / days, 1), round(ABOVE + room * (1 - share), 1), week, share, pages)
        for week, share, pages in weeks
    )
    return Line(" ".join(f"{dot[0]},{dot[1]}" for dot in dots), dots, first, last)
