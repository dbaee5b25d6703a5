"""Draws a run: horizontal bars on a logarithmic scale, as SVG."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.figures import Figure, Figures, group
from bench.processes import ONE, Crowd
from bench.report import Run

COLOURS = {"ours": "#c2410c", "yardstick": "#94a3b8", "peer": "#2563eb"}
GROUPS = ("sync", "async", "with", "async with", "rejected", "failed", "start")
"""The tables that are drawn."""


class CannotDrawError(Exception):
    """The plot library is not installed."""


def draw(run: Run, folder: Path) -> list[Path]:
    """Draws all plots into a folder; the files.

    Raises:
        CannotDrawError: without matplotlib.
    """
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
        pyplot: Any = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise CannotDrawError(f"no plots: {error}; `make bench` installs it") from error
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "fuseboard", "svg.fonttype": "none", "font.size": 9})
    return [*_bars(pyplot, run.figures, folder), *_lines(pyplot, run.crowds, folder)]


def _bars(pyplot: Any, figures: Figures, folder: Path) -> Iterator[Path]:
    """A plot for each table."""
    for key in GROUPS:
        rows = [row for row in figures.of(key) if row.bests_ns]
        if rows:
            path = folder / f"{key.replace(' ', '-')}.svg"
            _bar_plot(pyplot, key, rows, path)
            yield path


def _bar_plot(pyplot: Any, key: str, rows: list[Figure], path: Path) -> None:
    """What each row takes in all, the least on top."""
    table = group(key)
    rows = sorted(rows, key=lambda row: row.best_ns, reverse=True)
    values = [row.best_ns / table.unit_ns for row in rows]
    figure, axes = pyplot.subplots(figsize=(8, 0.9 + 0.26 * len(rows)), layout="constrained")
    bars = axes.barh([row.name for row in rows], values, color=[COLOURS[row.kind] for row in rows])
    axes.bar_label(bars, labels=[f"{value:,.0f}" if value >= 10 else f"{value:,.1f}" for value in values], padding=3)  # noqa: PLR2004
    axes.set_xscale("log")
    axes.set_xlim(left=min(values) / 2, right=max(values) * 3)
    axes.set_title(f"{table.title.replace('`', '')}: {table.unit}, least of all rounds (log scale)", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _lines(pyplot: Any, crowds: list[Crowd], folder: Path) -> Iterator[Path]:
    """What crowds get done by their size."""
    if not crowds:
        return
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for name in dict.fromkeys(crowd.name for crowd in crowds):
        row = [crowd for crowd in crowds if crowd.name == name]
        style = "-" if row[0].fuses == ONE else "--"
        numbers = [crowd.processes for crowd in row]
        axes.plot(numbers, [crowd.calls_per_second for crowd in row], style, marker="o", label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted({crowd.processes for crowd in crowds}), minor=False)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_title("Calls a second of all processes together, by their number (log scales)", loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path = folder / "processes.svg"
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    yield path
