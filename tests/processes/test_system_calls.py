"""While the fuse is closed, a guarded call asks the operating system nothing, not even the time."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("quiet.py")
WAYS = pytest.mark.parametrize("way", ["function", "call", "with", "coroutine", "generator"])
MARK = "getppid("
PATIENCE = 60


def cannot(reason: str) -> None:
    """Skips, and says why; in CI, where the proof must be made, fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(command: list[str], way: str, marks: str, host: str) -> subprocess.CompletedProcess[str]:
    """Runs the program that makes the calls."""
    arguments = [*command, sys.executable, str(PROGRAM), way, marks, host]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - ours


def system_calls(way: str, host: str, trace: Path) -> list[str]:
    """The system calls that the program makes between its marks."""
    strace = shutil.which("strace")
    if strace is None:
        cannot("strace is not installed: whether a closed call makes a system call is not shown")
    done = run([str(strace), "-f", "-qq", "-o", str(trace)], way, "system-calls", host)
    lines = trace.read_text().splitlines() if trace.exists() else []
    marks = [number for number, line in enumerate(lines) if MARK in line]
    if "ptrace" in done.stderr:
        cannot(f"strace may not trace here: {done.stderr}")
    assert (0, 2) == (done.returncode, len(marks)), done.stderr
    return lines[marks[0] + 1 : marks[1]]


def clock_is_read(way: str, host: str) -> bool:
    """Whether anything reads the time between the program's marks."""
    done = run([], way, "clock", host)
    if "PR_SET_TSC" in done.stderr:
        cannot("the clock cannot be made unreadable here: whether a closed call reads it is not shown")
    assert done.returncode in (0, -signal.SIGSEGV), done.stderr
    return done.returncode != 0


@WAYS
def test_a_closed_call_makes_no_system_call(folder: Path, host: str, tmp_path: Path, way: str) -> None:
    """T04: none in a thousand calls, on a table that other processes share."""
    assert folder.exists()
    assert [] == system_calls(way, host, tmp_path / "trace")


@WAYS
def test_a_closed_call_reads_no_clock(folder: Path, host: str, way: str) -> None:
    """T04: no clock on the closed path; where reading it would be fatal, a thousand calls go through."""
    assert folder.exists()
    if not clock_is_read("a look at the clock", host):
        cannot("this system does not read the time from the processor: the other test sees it as a system call")
    assert not clock_is_read(way, host)


def test_a_system_call_is_found_out(folder: Path, host: str, tmp_path: Path) -> None:
    """Control: the same check sees a system call that is made between the marks."""
    assert folder.exists()
    assert 1000 == len(system_calls("a system call", host, tmp_path / "trace"))


def test_a_look_at_the_clock_by_fuseboard_is_found_out(folder: Path, host: str) -> None:
    """Control: a failing call is recorded with its time, and the same check sees that its clock is read."""
    assert folder.exists()
    if not clock_is_read("a look at the clock", host):
        cannot("this system does not read the time from the processor")
    assert clock_is_read("a failing call", host)
