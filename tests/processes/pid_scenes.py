"""A program that is the first of a pid namespace and chooses pids there: ``pid_scenes.py SCENE STORE PID``.

A process of that pid probes; SCENE says what becomes of it. Prints what the next call is told. Free of pytest.
"""

import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

from fuseboard import CircuitBreaker, CircuitOpenError, Store

Process: TypeAlias = "subprocess.Popen[bytes]"
PROBER = """
import os, sys
from fuseboard import CircuitBreaker, Store
breaker = CircuitBreaker("db", probe_timeout=600, store=Store.shared(sys.argv[1], strict=True))
def probe():
    print("probing", flush=True)
    if sys.argv[2] == "executes":
        os.execvp("cat", ["cat"])
    sys.stdin.read()
breaker.call(probe)
"""


def start(pid: int, *command: str) -> Process:
    """Starts a process that has this pid."""
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
    assert pid == process.pid, f"{pid} was not free"
    return process


def answer(process: Process, question: bytes = b"") -> bytes:
    """Says a line to a process, and hears one."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(question)
    process.stdin.flush()
    return process.stdout.readline()


def lives(prober: Process) -> None:
    """It is still at it."""
    assert prober.poll() is None


def executes(prober: Process) -> None:
    """It has become another program."""
    assert b"x\n" == answer(prober, b"x\n")


def dies(prober: Process) -> None:
    """It is gone, and nobody has its pid."""
    prober.kill()
    prober.wait()


def loses_its_pid(prober: Process) -> None:
    """It is gone, and another process has its pid."""
    dies(prober)
    start(prober.pid, "cat")


SCENES = {scene.__name__: scene for scene in (lives, executes, dies, loses_its_pid)}


def main(scene: str, name: str, pid: str) -> None:
    """Plays the scene, and calls."""
    breaker = CircuitBreaker("db", probe_timeout=600, store=Store.shared(name, strict=True))
    breaker.store.set_half_open("db")
    prober = start(int(pid), sys.executable, "-c", PROBER, name, scene)
    assert b"probing\n" == answer(prober)
    SCENES[scene](prober)
    try:
        breaker.call(print, "admitted")
    except CircuitOpenError:
        sys.stdout.write("rejected\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
