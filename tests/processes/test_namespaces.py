"""Processes in namespaces of their own, as containers are."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store

PATIENCE = 30
PROBE_TIMEOUT = 1.5
PROBER = """
import sys
from fuseboard import CircuitBreaker, Store
breaker = CircuitBreaker("db", probe_timeout=float(sys.argv[2]), store=Store.shared(sys.argv[1], strict=True))
def probe():
    print("probing", flush=True)
    sys.stdin.read()
breaker.call(probe)
"""
PID_SCENES = Path(__file__).with_name("pid_scenes.py")
OF_OUR_OWN = ("--pid", "--fork", "--kill-child", "--mount-proc")
OF_THE_OUTER = ("--pid", "--fork", "--kill-child")
SHOW_PATH = "import sys; from fuseboard import Store; print(Store.shared(sys.argv[1], strict=True).path)"


def apart(*options: str) -> list[str]:
    """The command that runs another in namespaces of its own."""
    unshare = shutil.which("unshare")
    allowed = unshare and subprocess.run([unshare, *options, "true"], check=False, capture_output=True).returncode == 0  # noqa: S603
    if not allowed:
        reason = f"unshare {' '.join(options)} is not to be had: what happens across namespaces is not shown"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return [str(unshare), *options]


def killed_prober(breaker: CircuitBreaker, command: list[str]) -> None:
    """Starts a process that probes, and kills it in the middle."""
    store = str(breaker.store.name)
    program = [*command, sys.executable, "-c", PROBER, store, str(PROBE_TIMEOUT)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as prober:  # noqa: S603
        assert prober.stdout is not None
        assert b"probing\n" == prober.stdout.readline()
        prober.kill()
        assert b"" == prober.stdout.read()


def half_open(host: str) -> CircuitBreaker:
    """A breaker whose fuse waits for a probe."""
    breaker = CircuitBreaker("db", probe_timeout=PROBE_TIMEOUT, store=Store.shared(host, strict=True))
    breaker.store.set_half_open("db")
    return breaker


def test_a_dead_prober_of_our_namespace_costs_nothing(host: str) -> None:
    """R11: its death is certain, so the next call takes its permit over."""
    breaker = half_open(host)
    killed_prober(breaker, [])
    breaker.call(int)
    assert State.CLOSED is breaker.state


def test_a_dead_prober_of_another_namespace_costs_its_lease(host: str) -> None:
    """R11: a pid of another namespace says nothing here, so the lease runs to its deadline, and no longer."""
    breaker = half_open(host)
    killed_prober(breaker, apart("--pid", "--fork", "--kill-child"))
    with pytest.raises(CircuitOpenError) as caught:
        breaker.call(int)
    assert caught.value.lease_remaining is not None
    assert 0 < caught.value.lease_remaining <= PROBE_TIMEOUT
    deadline = time.monotonic() + PATIENCE
    while breaker.state is not State.CLOSED and time.monotonic() < deadline:
        try:
            breaker.call(int)
        except CircuitOpenError as rejected:
            time.sleep(rejected.retry_after or 0)
    assert State.CLOSED is breaker.state


@pytest.mark.parametrize("proc", [OF_OUR_OWN, OF_THE_OUTER])
@pytest.mark.parametrize(
    ("scene", "told"),
    [("dies", "admitted"), ("loses_its_pid", "rejected"), ("lives", "rejected"), ("executes", "rejected")],
)
def test_a_prober_is_gone_if_nobody_has_its_pid(host: str, scene: str, proc: tuple[str, ...], told: str) -> None:
    """R11: a prober whose pid another process has keeps its lease, as does one that has become another program.

    The prober is given the pid that this process has outside, so a ``/proc`` of the outer namespace says nothing of it.
    """
    program = [*apart(*proc), sys.executable, str(PID_SCENES), scene, host, str(os.getpid())]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=PATIENCE)  # noqa: S603
    assert (0, f"{told}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_another_time_namespace_has_a_table_of_its_own(folder: Path, host: str) -> None:
    """T09: clocks that run apart never share stamps."""
    ours = str(Store.shared(host, strict=True).path)
    for command, same in (([], True), (apart("--time", "--boottime", "100000"), False)):
        program = [*command, sys.executable, "-c", SHOW_PATH, host]
        path = subprocess.run(program, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout.strip()  # noqa: S603
        assert same == (path == ours)
        assert folder == Path(path).parent
