"""Counts the processor's instructions in a closed call, with valgrind: exact, where times are not.

``python -m bench.instructions`` prints them, and with ``--output`` writes them down for :mod:`bench.versions`. What a
call takes is the difference between the loops of N and of 2 N calls that :mod:`bench.counted` makes, divided by N.
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.counted import AWAITED, CALLS, SUBJECTS
from fuseboard import _core

MARK = "getppid"
"""The function at whose entry valgrind writes down what it has counted, and begins anew."""
FILE = "instructions.json"
"""What they are written into."""
PATIENCE = 300
"""Seconds within which valgrind must be done."""
_COST = re.compile(r"[0-9+*-]\S* (\d+)")


class CannotCountError(Exception):
    """Instructions cannot be counted here."""


@dataclasses.dataclass(frozen=True, slots=True)
class Instructions:
    """What one call takes.

    Attributes:
        ours: instructions in the compiled part of fuseboard: the same whatever runs it.
        total: all of them, the interpreter's and the loop's too: hangs on how the interpreter was built.
    """

    ours: int
    total: int


def count() -> dict[str, Instructions]:
    """What a call of each of ``SUBJECTS`` and ``AWAITED`` of :mod:`bench.counted` takes.

    Raises:
        CannotCountError: without valgrind, or where it fails.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CannotCountError("valgrind is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(valgrind, folder)
        return dict(zip(SUBJECTS + AWAITED, map(_difference, *_loops(folder)), strict=True))


def _run(valgrind: str, folder: Path) -> None:
    """Runs the program. The names of what it hashes hash alike in each run, so that it does the same in each."""
    tables = folder / "tables"
    tables.mkdir(mode=0o700)
    environment = {**os.environ, "FUSEBOARD_DIR": str(tables), "PYTHONHASHSEED": "0"}
    options = ["--tool=callgrind", f"--dump-before={MARK}", f"--callgrind-out-file={folder / 'part'}"]
    command = [valgrind, *options, sys.executable, "-m", "bench.counted"]
    root = Path(__file__).parent.parent
    done = subprocess.run(  # noqa: S603 - found on PATH
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode != 0:
        raise CannotCountError(f"valgrind ended with {done.returncode}: {done.stderr[-2000:]}")


def _loops(folder: Path) -> tuple[list[Counter[str]], list[Counter[str]]]:
    """What the loops of N calls took, by object file, and those of 2 N. Each is followed by the way to the next."""
    most = 3 * len(SUBJECTS + AWAITED)
    parts = [_costs(path) for number in range(1, most + 1) if (path := folder / f"part.{number}").exists()]
    if len(parts) != most:
        raise CannotCountError(f"valgrind saw {len(parts)} marks: it does not find {MARK}")
    return parts[1::3], parts[2::3]


def _costs(path: Path) -> Counter[str]:
    """Instructions by object file. A line of costs behind a line of calls is the callee's, and stands there too."""
    names: dict[str, str] = {}
    costs: Counter[str] = Counter()
    found, is_callee = "", False
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key in ("ob", "cob"):
            number, _, name = value.partition(" ")
            names.setdefault(number, name)
            found = names[number] if key == "ob" else found
        elif key == "calls":
            is_callee = True
        elif cost := _COST.fullmatch(line):
            costs[found] += 0 if is_callee else int(cost[1])
            is_callee = False
    return costs


def _difference(once: Counter[str], twice: Counter[str]) -> Instructions:
    """What a call took; rounded, for a few instructions belong to the loop's beginning."""
    ours = str(_core.__file__)
    return Instructions(_each(twice[ours] - once[ours]), _each(twice.total() - once.total()))


def _each(total: int) -> int:
    return round(total / CALLS)


def report(found: dict[str, Instructions]) -> Iterable[str]:
    """The lines of a Markdown table."""
    yield "| instructions of a call | ours | in all | over the bare one |"
    yield "|---|---:|---:|---:|"
    for name, one in found.items():
        bare = found[(AWAITED if name in AWAITED else SUBJECTS)[0]].total
        yield f"| {name} | {one.ours:,} | {one.total:,} | {one.total - bare:,} |"


def write(found: dict[str, Instructions], folder: Path) -> None:
    """Writes them into a folder of results, for programs."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {name: dataclasses.asdict(one) for name, one in found.items()}
    (folder / FILE).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Counts, prints, and writes where the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description="Counts instructions of a call.")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"where {FILE} goes (default: only printed)")
    chosen, found = parser.parse_args(), count()
    print("\n".join(report(found)))
    if chosen.output:
        write(found, chosen.output)


if __name__ == "__main__":
    main()
