"""A process that ends while guarded calls are under way, or makes one at the very end, ends as without breakers.

Found by hand: the interpreter ends its daemon threads by unwinding their stacks, and the process aborted where that met
a frame of Rust. With a predicate or a listener that was running, with failing or rejected calls, it aborted each time.
"""

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("exit_scenes.py")
PATIENCE = 60
WAYS = pytest.mark.parametrize("way", ["function", "call", "block", "generator", "coroutine"])
REJECTING = {"open", "isolated"}


def run(*arguments: str) -> tuple[int, str, str]:
    """Runs a scene: the exit status, and what it wrote to standard output and error."""
    command = [sys.executable, str(PROGRAM), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - ours
    return done.returncode, done.stdout, done.stderr


@functools.cache
def bare(scene: str) -> tuple[int, str, str]:
    """The same of the scene without breakers."""
    return run(scene, "bare function", "closed")


@WAYS
@pytest.mark.parametrize("state", ["closed", "half-open", "disabled"])
def test_daemon_threads_inside_guarded_calls_end_with_the_process(way: str, state: str) -> None:
    """Goal 1: thirty of them, each stopped in the middle of the function."""
    assert (0, "30 inside\n", "") == bare("inside") == run("inside", way, state)


@WAYS
@pytest.mark.parametrize("state", ["disabled", "isolated"])
def test_daemon_threads_whose_calls_fail_or_are_rejected_end_with_the_process(way: str, state: str) -> None:
    """Goal 1: wherever they are, and be it in the breaker's own code."""
    assert (0, "30 inside\n", "") == bare("failing") == run("failing", way, state)


@WAYS
@pytest.mark.parametrize("scene", ["listening", "classifying"])
def test_daemon_threads_inside_a_listener_or_predicate_end_with_the_process(way: str, scene: str) -> None:
    """Goal 1, R16: a user's code is a user's code, also where a breaker calls it."""
    assert (0, "30 inside\n", "") == run(scene, way, "closed")


@pytest.mark.parametrize("way", ["function", "call"])
@pytest.mark.parametrize("state", ["closed", "open", "half-open", "isolated", "disabled"])
@pytest.mark.parametrize("scene", ["finalizer", "failing_finalizer"])
def test_a_guarded_function_in_a_finalizer_at_the_end_is_called(scene: str, state: str, way: str) -> None:
    """Goal 1: no protection is worth a call that a process makes last of all, so it is made whatever the fuse says."""
    told = {"finalizer": "called\n", "failing_finalizer": "called\nfailed\n"}
    assert (0, told[scene], "") == bare(scene) == run(scene, way, state)


@pytest.mark.parametrize("way", ["block", "generator", "coroutine"])
@pytest.mark.parametrize("state", ["closed", "open", "half-open", "isolated", "disabled"])
@pytest.mark.parametrize("scene", ["finalizer", "failing_finalizer"])
def test_other_guarded_code_in_a_finalizer_at_the_end_keeps_the_rules(scene: str, state: str, way: str) -> None:
    """R02, R05: it runs as without a breaker, or is rejected with our exception, which the interpreter reports."""
    status, told, reported = run(scene, way, state)
    if state in REJECTING:
        assert (0, "") == (status, told)
        assert re.match(r"Exception ignored (in:|while calling deallocator) <function AtTheEnd.__del__", reported)
        assert f": fuse 'fuse0' is {state}" in reported
    else:
        assert bare(scene) == (status, told, reported)
