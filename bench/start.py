"""What a process pays before its first call: the import, opening a store, making one. Each in a fresh process."""

import os
import random
import subprocess
import sys
from pathlib import Path

from bench.adapters import ADAPTERS
from bench.measure import Effort, Row

PATIENCE = 60
"""Seconds within which such a process must end."""
IMPORTED = {
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
_CLOCKED = """
import time
{before}
begin = time.perf_counter_ns()
{timed}
print(time.perf_counter_ns() - begin)
"""
_OPEN = "store = Store.shared({name!r}, strict=True)"


def programs(folder: Path) -> dict[str, tuple[Row, str]]:
    """By name: its row, and the program that prints the nanoseconds."""
    found = {"import asyncio": (Row("start", "import asyncio", "yardstick"), _CLOCKED.format(before="", timed="import asyncio"))}
    for name, before, timed in (
        ("import fuseboard", "", "import fuseboard"),
        ("opening a store", "from fuseboard import Store", _OPEN.format(name="there")),
        ("making a store", f"from fuseboard import Store\nimport pathlib\nfor path in pathlib.Path({str(folder)!r}).glob('fresh.*'): path.unlink()", _OPEN.format(name="fresh")),
    ):
        found[name] = Row("start", name, "ours"), _CLOCKED.format(before=before, timed=timed)
    for peer, module in IMPORTED.items():
        name = f"import {peer}"
        found[name] = Row("start", name, "peer"), _CLOCKED.format(before="", timed=f"import {module}")
    return found


def run(effort: Effort) -> list[Row]:
    """Measures all of them, in rounds of another order each."""
    folder = Path(os.environ["FUSEBOARD_DIR"])
    found = programs(folder)
    _nanoseconds(_CLOCKED.format(before="from fuseboard import Store", timed=_OPEN.format(name="there")))
    for number in range(1, effort.starts + 1):
        print(f"\r  round {number} of {effort.starts} ", end="", flush=True, file=sys.stderr)
        for name in random.sample(list(found), len(found)):
            row, program = found[name]
            _sample(row, program)
    return [row for row, _ in found.values()]
