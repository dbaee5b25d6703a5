"""Puts runs on several Pythons side by side: ``python -m bench.versions FOLDER...``, each with a run's results.

The nanoseconds of two runs cannot be compared: the machine may have been busier in one of them. So each cell also says
how many times the yardstick of the same run it is. Instructions (:mod:`bench.instructions`) can be compared.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.counted import AWAITED, SUBJECTS
from bench.figures import Figure, group
from bench.instructions import FILE, Instructions

HEADING = """\
# A call on each Python

Each cell is what a call takes over the bare one, in nanoseconds, and in brackets how many times the yardstick that is.
A table without a bare call has the whole call.
Each column is a run of its own, so compare the numbers in brackets."""
SHOWN = ("sync", "async", "with", "async with", "rejected", "failed")
"""The tables whose rows are compared: those of one call."""


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """A run on one Python.

    Attributes:
        python: its name and version.
        figures: the rows by table and name, without the peers.
        instructions: what a call takes, by subject; empty where nothing was counted.
    """

    python: str
    figures: dict[tuple[str, str], Figure]
    instructions: dict[str, Instructions]


def load(folder: Path) -> Version:
    """The run that was written into this folder.

    Raises:
        OSError: there is none.
    """
    run: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    rows = (Figure(**row) for row in run["figures"] if row["kind"] != "peer")
    counted = folder / FILE
    found = json.loads(counted.read_text(encoding="utf-8")) if counted.exists() else {}
    return Version(
        run["machine"]["python"],
        {(row.group, row.name): row for row in rows},
        {name: Instructions(**one) for name, one in found.items()},
    )


def as_markdown(versions: list[Version]) -> str:
    """One table for each kind of call, with a column for each Python."""
    parts = [HEADING, *("\n".join(_table(key, versions)) for key in SHOWN)]
    if any(version.instructions for version in versions):
        parts.append("\n".join(_instructions(versions)))
    return "\n\n".join(parts) + "\n"


def _table(key: str, versions: list[Version]) -> Iterator[str]:
    """The rows of one kind of call which every run has."""
    table = group(key)
    yield from _head(table.title, f"in brackets: x {table.yardstick}" if table.yardstick else "", versions)
    names = [name for found, name in versions[0].figures if found == key and name != table.bare]
    for name in names:
        rows = [version.figures.get((key, name)) for version in versions]
        yield f"| {name} | {' | '.join(_cell(row) for row in rows)} |"


def _head(title: str, first: str, versions: list[Version]) -> Iterator[str]:
    """The heading of a table, and its first two lines."""
    yield f"## {title}\n"
    yield f"| {first} | {' | '.join(version.python for version in versions)} |"
    yield "|---|" + "---:|" * len(versions)


def _instructions(versions: list[Version]) -> Iterator[str]:
    """The table of instructions."""
    yield from _head("Instructions over the bare one", "in brackets: of these in our own code", versions)
    for bare, *others in (SUBJECTS, AWAITED):
        for name in others:
            yield f"| {name} | {' | '.join(_counted(version.instructions, bare, name) for version in versions)} |"


def _counted(found: dict[str, Instructions], bare: str, name: str) -> str:
    """What was counted on one Python."""
    if name not in found:
        return "not counted"
    return f"{found[name].total - found[bare].total:,} ({found[name].ours:,})"


def _cell(row: Figure | None) -> str:
    """What one run says of a row."""
    if row is None or not row.bests_ns:
        return "not measured"
    time = f"{row.best_ns if row.over_ns is None else row.over_ns:,.0f}"
    return time if row.ratio is None else f"{time} ({row.ratio:,.2f})"


def main() -> None:
    """Prints the tables of the runs that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.versions",
        description="Puts runs on several Pythons side by side, as a page in Markdown.",
        epilog="Each Python fills a folder of its own: python -m bench --output FOLDER, then "
        "python -m bench.instructions --output FOLDER.",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="one with the results of a run")
    folders = parser.parse_args().folders
    for folder in folders:
        if not (folder / "results.json").is_file():
            parser.error(f"{folder} has no results.json; python -m bench --output {folder} writes it")
    print(as_markdown([load(folder) for folder in folders]), end="")


if __name__ == "__main__":
    main()
