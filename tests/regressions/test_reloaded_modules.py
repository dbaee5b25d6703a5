"""After the package was reloaded, or dropped and imported anew, rejections were of classes that no ``except`` named.

Test runners and reloaders do so. The compiled module, of which there is one, raised what the last import had handed in.
Now a process has errors, states and causes once: those of the first import.
"""

import subprocess
import sys

import pytest

PROGRAM = """
import importlib, logging, sys

logging.disable(logging.CRITICAL)
import fuseboard, fuseboard.errors
from fuseboard import Cause, CircuitBreaker, CircuitIsolatedError, CircuitOpenError, State, Store, TripError

first = fuseboard
breaker = CircuitBreaker("db", store=Store.private(), threshold=1)
breaker.permit().failure()

def drop(*kept):
    for name in [name for name in sys.modules if name.partition(".")[0] == "fuseboard" and name not in kept]:
        del sys.modules[name]

ways = {
    "errors reloaded": lambda: importlib.reload(fuseboard.errors),
    "all reloaded": lambda: [importlib.reload(sys.modules[name]) for name in sorted(sys.modules)
                             if name.startswith("fuseboard.") and name != "fuseboard._core"],
    "all but the compiled module dropped": lambda: drop("fuseboard._core"),
    "all dropped": drop,
}
ways[sys.argv[1]]()

again = importlib.import_module("fuseboard")
errors = importlib.import_module("fuseboard.errors")
for name in ("CircuitOpenError", "CircuitIsolatedError", "TripError", "StoreOpenError", "FuseboardError"):
    assert getattr(again, name) is getattr(first, name) is getattr(errors, name), name
assert (again.State, again.Cause) == (State, Cause)

fresh = again.CircuitBreaker("db", store=again.Store.private(), threshold=1)
for asked in (breaker, fresh):
    asked.reset()
    try:
        asked.permit().failure(TripError("maintenance"))
        asked.call(int)
    except CircuitOpenError as rejection:
        assert rejection.state is State.OPEN is asked.state, rejection
    else:
        raise AssertionError("admitted")
    asked.isolate()
    try:
        asked.call(int)
    except CircuitIsolatedError as rejection:
        assert isinstance(rejection, errors.CircuitOpenError)
        assert "fuse 'db' is isolated by a manual override" == str(rejection)
    else:
        raise AssertionError("admitted")
    assert Cause.MANUAL is asked.store.journal()[-1].cause
    match asked.store.state("db"):
        case again.FuseState(State.ISOLATED, _):
            print("as before")
"""


@pytest.mark.parametrize(
    "way", ["errors reloaded", "all reloaded", "all but the compiled module dropped", "all dropped"]
)
def test_a_rejection_is_caught_by_what_was_imported_before_and_after(way: str) -> None:
    """By breakers made before and after; states and causes are the same too."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, way], capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, "as before\nas before\n", "") == (done.returncode, done.stdout, done.stderr)
