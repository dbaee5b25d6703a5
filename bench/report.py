"""Writes a run down: Markdown for people, JSON for programs."""

import dataclasses
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.adapters import ADAPTERS
from bench.aims import Aim, aims
from bench.figures import Figure, Figures, Group, group
from bench.processes import Crowd


@dataclasses.dataclass(slots=True)
class Run:
    """All that a run found.

    Attributes:
        effort: ``full``, ``quick`` or ``tiny``.
        figures: of calls, of fuses, of starts.
        crowds: throughput of many processes.
        sizes: of tables, in bytes.
        redis: the version of the Redis server, None where there is none.
    """

    effort: str
    figures: Figures
    crowds: list[Crowd]
    sizes: list[dict[str, int]]
    redis: str | None

    @property
    def aims(self) -> list[Aim]:
        """Our aims, and whether they are reached."""
        return aims(self.figures, self.crowds)


def machine(run: Run) -> dict[str, Any]:
    """On what it was measured, with what."""
    installed = {distribution: _version(distribution) for distribution, _ in ADAPTERS.values()}
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "processor": f"{platform.machine()}, {_processor()}",
        "cores": os.cpu_count(),
        "redis": run.redis or "no server here: pybreaker with Redis was not measured",
        "fuseboard": _version("fuseboard"),
        **{name: found or "not installed: not measured" for name, found in installed.items()},
    }


def _version(distribution: str) -> str | None:
    """The version that is installed, if one is."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """What the processor is called, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def as_json(run: Run) -> str:
    """The run as JSON."""
    found = {
        "effort": run.effort,
        "machine": machine(run),
        "aims": [{**dataclasses.asdict(aim), "reached": aim.reached} for aim in run.aims],
        "figures": [dataclasses.asdict(figure) for figure in run.figures.all()],
        "crowds": [dataclasses.asdict(crowd) for crowd in run.crowds],
        "sizes": run.sizes,
    }
    return json.dumps(found, indent=1) + "\n"


def as_markdown(run: Run) -> str:
    """The run as Markdown."""
    parts = [_heading(run), _aims(run.aims), *(_table(run.figures, key) for key in run.figures.groups())]
    if run.crowds:
        parts.append(_crowds(run.crowds))
    if run.sizes:
        parts.append(_sizes(run.sizes))
    return "\n\n".join(parts) + "\n"


def _heading(run: Run) -> str:
    facts = "\n".join(f"* {name}: {fact}" for name, fact in machine(run).items())
    return f"# What a call costs\n\nA {run.effort} run of `make bench`.\n\n{facts}"


def _aims(found: list[Aim]) -> str:
    lines = [
        "## Our aims",
        "",
        "| what | at most | that is | found | in each process, of the limit | |",
        "|---|---|---:|---:|---:|---|",
    ]
    for aim in found:
        spread = f"{aim.spread[0]:.2f} to {aim.spread[1]:.2f}" if aim.spread else ""
        word = "reached" if aim.reached else "**missed**"
        limit, found_now = f"{aim.limit:,.2f} {aim.unit}", f"{aim.found:,.2f} {aim.unit}"
        lines.append(f"| {aim.what} | {aim.at_most} | {limit} | {found_now} | {spread} | {word} |")
    return "\n".join(lines)


def _table(figures: Figures, key: str) -> str:
    """One table."""
    table = group(key)
    columns = ["what", f"{table.unit}, least", "median"]
    columns += [f"over {table.bare}"] if table.bare else []
    columns += [f"x {table.yardstick}"] if table.yardstick else []
    lines = [f"## {table.title}", "", f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    lines += [f"| {' | '.join(_cells(figure, table, len(columns)))} |" for figure in figures.of(key)]
    return "\n".join(lines)


def _cells(figure: Figure, table: Group, columns: int) -> Iterator[str]:
    """The cells of a row."""
    yield f"**{figure.name}**" if figure.kind == "ours" else figure.name
    if not figure.bests_ns or figure.median_ns is None:
        yield f"not measured: {figure.fault}"
        yield from [""] * (columns - 2)
        return
    yield f"{figure.best_ns / table.unit_ns:,.1f}"
    yield f"{figure.median_ns / table.unit_ns:,.1f}"
    if table.bare:
        yield "" if figure.over_ns is None else f"{figure.over_ns / table.unit_ns:,.1f}"
    if table.yardstick:
        yield "" if figure.ratio is None else f"{figure.ratio:,.2f}"


def _crowds(crowds: list[Crowd]) -> str:
    """What crowds get done, and what a call takes in them."""
    calls = _by_size(
        "million calls a second, all together", crowds, lambda crowd: f"{crowd.calls_per_second / 1e6:,.3f}"
    )
    times = _by_size("ns of processor time per call", crowds, lambda crowd: f"{crowd.processor_ns:,.0f}")
    return f"## Many processes at once\n\n{calls}\n\n{times}"


def _by_size(heading: str, crowds: list[Crowd], show: Callable[[Crowd], str]) -> str:
    """A table with a column for each number of processes."""
    numbers = sorted({crowd.processes for crowd in crowds})
    lines = [f"| {heading} | {' | '.join(map(str, numbers))} |", "|---|" + "---:|" * len(numbers)]
    for name in dict.fromkeys(crowd.name for crowd in crowds):
        row = {crowd.processes: crowd for crowd in crowds if crowd.name == name}
        cells = [show(row[number]) if number in row else "" for number in numbers]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _sizes(sizes: list[dict[str, int]]) -> str:
    lines = ["## Bytes", "", "| room for failures | room for fuses | bytes | bytes per fuse |", "|---:|---:|---:|---:|"]
    lines += [f"| {' | '.join(f'{value:,}' for value in size.values())} |" for size in sizes]
    return "\n".join(lines)


def write(run: Run, folder: Path) -> list[Path]:
    """Writes both into a folder; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in (("results.md", as_markdown(run)), ("results.json", as_json(run))):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
