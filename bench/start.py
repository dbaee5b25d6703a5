"""What a process pays at its start: the import, opening a store, making one, a first list. Each in a fresh process.

Nearly every service imports ``asyncio`` and ``dataclasses`` anyway, so the import is also measured behind these two, in
the process that imported them.
"""

import os
import random
import subprocess
import sys

from bench.many import ROOM
from bench.measure import Effort, Row, progress

PATIENCE = 60
"""Seconds within which such a process must end."""
MODULES = {
    "pybreaker": "pybreaker",
    "circuitbreaker": "circuitbreaker",
    "aiobreaker": "aiobreaker",
    "purgatory": "purgatory",
    "fluxgate": "fluxgate",
    "interlock-cb": "interlock",
    "nopanic": "nopanic",
    "hyx": "hyx.circuitbreaker",
    "lasier": "lasier.circuit_breaker.sync",
    "pyresilience": "pyresilience",
    "grit-toolkit": "grit",
}
"""By peer: the module that a program imports."""
_STANDARD = "asyncio, dataclasses"
IMPORT_BEHIND = f"import fuseboard behind {_STANDARD}"
_PROGRAM = """
import time
{before}
begin = time.perf_counter_ns()
{timed}
print(time.perf_counter_ns() - begin)
"""
_IMPORT = "from fuseboard import Store"
_OPEN = "store = Store.shared('there', strict=True)"
_MAKE = "store = Store.shared('fresh', strict=True)"
_MANY = f"{_IMPORT}\nstore = Store.shared('many', fuses={{fuses}}, failures={ROOM}, strict=True)"
_FILL = "for number in range({fuses}): store.record_success(f'fuse-{{number}}')"
_REMOVE = f"""
{_IMPORT}
import os, pathlib
for path in pathlib.Path(os.environ["FUSEBOARD_DIR"]).glob("fresh.*"):
    path.unlink()
"""


def programs(fuses: int) -> list[tuple[Row, str]]:
    """The rows, and for each the program that prints its nanoseconds; the list is one of so many fuses."""
    listed = f"fuseboard, first list of {fuses:,} fuses"
    found = [
        (Row("start", f"import {_STANDARD}", "yardstick"), _program(f"import {_STANDARD}")),
        (Row("start", "import fuseboard", "ours"), _program("import fuseboard")),
        (Row("start", IMPORT_BEHIND, "ours"), _program("import fuseboard", before=f"import {_STANDARD}")),
        (Row("start", "fuseboard, opening a store", "ours"), _program(_OPEN, before=_IMPORT)),
        (Row("start", "fuseboard, making a store", "ours"), _program(_MAKE, before=_REMOVE)),
        (Row("start", listed, "ours"), _program("store.all_states()", before=_MANY.format(fuses=fuses))),
    ]
    for peer, module in MODULES.items():
        found.append((Row("start", f"import {peer}", "peer"), _program(f"import {module}")))
    return found


def _program(timed: str, before: str = "") -> str:
    return _PROGRAM.format(timed=timed, before=before)


def run(effort: Effort) -> list[Row]:
    """Measures all of them, in rounds of another order each."""
    fuses = effort.fuses[-1]
    found = programs(fuses)
    _run(f"{_IMPORT}\n{_OPEN}")  # so that it is there, and what is imported is compiled
    _run(f"{_MANY}\n{_FILL}".format(fuses=fuses))
    for number in range(1, effort.starts + 1):
        progress(f"round {number} of {effort.starts}")
        for row, program in random.sample(found, len(found)):
            if row.fault is None:
                _sample(row, program)
    return [row for row, _ in found]


def _sample(row: Row, program: str) -> None:
    """Runs its program once. A peer's that fails is a fault; ours is an error."""
    done = _run(program, check=row.kind != "peer")
    if done.returncode == 0:
        row.samples_ns.append(float(done.stdout))
    else:
        row.fault = done.stderr.strip().rpartition("\n")[2]


def _run(program: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    # An installed package is compiled; where this is set, ours would be compiled anew at each start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=check, env=environment)  # noqa: S603
