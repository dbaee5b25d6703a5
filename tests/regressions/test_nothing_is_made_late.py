"""A child that is forked while another thread makes a permit goes on, also where that permit is the program's first.

What the binding makes when it is first needed it makes under a lock that Python does not renew in a child. Clippy
forbids once-cells in the binding (clippy.toml); PyO3 has some of its own, behind an attribute and behind conversions,
which clippy does not see.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BINDING = Path(__file__).parents[2] / "crates" / "fuseboard-py" / "src"
ONCE_CELLS_OF_PYO3 = {
    r"\bfreelist\b\s*=": "#[pyclass(freelist = ...)] makes its list with the first object",
    r"->[^{]*\bPath(Buf)?\b": "returning a path imports pathlib; return an OsString",
}

PROGRAM = """
import os, signal, sys, threading
from fuseboard import CircuitBreaker, FailureRate, Store

breakers = [
    CircuitBreaker("db", store=Store.private(), threshold=200, window=None),
    CircuitBreaker("rate", store=Store.private(), policy=FailureRate(0.5, window=60)),
]
go = threading.Event()

def use():
    for breaker in breakers:
        with breaker: pass
        breaker(lambda: 1)(); breaker.call(int); breaker.permit().success(); breaker.check()

def work():
    while not go.is_set(): pass
    use()

sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]
go.set()
pids = []
for _ in range(12):
    pid = os.fork()
    if not pid:
        signal.alarm(20); use(); os._exit(0)
    pids.append(pid)
print([os.waitpid(pid, 0)[1] for pid in pids])
[thread.join() for thread in threads]
"""


@pytest.mark.parametrize("pattern", ONCE_CELLS_OF_PYO3)
def test_the_binding_asks_pyo3_for_nothing_that_is_made_late(pattern: str) -> None:
    """None of its sources has a construct behind which PyO3 keeps a once-cell."""
    found = [
        f"{path.name}: {line.strip()}"
        for path in BINDING.rglob("*.rs")
        for line in path.read_text().splitlines()
        if re.search(pattern, line) and not line.strip().startswith("//")
    ]
    assert [] == found, ONCE_CELLS_OF_PYO3[pattern]


def test_the_patterns_find_what_they_are_for() -> None:
    """Negative control: lines that the binding had are found."""
    lines = ["#[pyclass(frozen, freelist = 64)]", "fn path(&self) -> Option<PathBuf> {"]
    assert all(re.search(pattern, line) for pattern, line in zip(ONCE_CELLS_OF_PYO3, lines, strict=True))


@pytest.mark.parametrize("_turn", range(4))
def test_a_child_forked_beside_the_first_permit_does_not_hang(_turn: int) -> None:
    """Twelve children forked beside three threads that make their first calls all end by themselves."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, timeout=100, check=True
    )
    assert f"{[0] * 12}\n" == done.stdout
