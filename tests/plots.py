"""The plots of docs/benchmarks.md: SVG by Matplotlib, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from tests.conftest import ROOT

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "opeds", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False}
mpl.rcParams["axes.spines.right"] = False
FOLDER = ROOT / "docs" / "plots"
OURS, OTHERS = "#1d4f91", "#9aa5b1"


def bars(name: str, what: str, values: Mapping[str, float]) -> None:
    """Draw a bar for each of those compared, ours in another colour."""
    figure, axes = _empty(5, 0.4 * len(values) + 0.7)
    names = list(reversed(values))
    drawn = axes.barh(names, [values[one] for one in names], color=[OURS if one == "ours" else OTHERS for one in names])
    axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.set_xlabel(what)
    _save(figure, FOLDER / f"{name}.svg")


def lines(
    name: str, x: str, y: str, series: Mapping[str, Sequence[tuple[float, float]]], logarithmic: bool = False
) -> None:
    """Draw a line for each series, from 0."""
    figure, axes = _empty(5, 2.6)
    for label, points in series.items():
        axes.plot([one for one, _ in points], [two for _, two in points], marker="o", markersize=3, label=label)
    if logarithmic:
        axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(frameon=False)
    _save(figure, FOLDER / f"{name}.svg")


def _empty(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
