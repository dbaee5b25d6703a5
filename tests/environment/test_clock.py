"""The wall clock is set while fuses are open: nothing follows from it, for it is never asked (rule R14)."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rooms import PATIENCE, cannot

CLOCKWORK = Path(__file__).with_name("clockwork.py")
SHIM = Path(__file__).with_name("wall_clock.c")
MARK = "getppid("


def clocks_asked(scene: str, trace: Path) -> list[str]:
    """The clocks that a scene asks the kernel for between its marks."""
    strace = shutil.which("strace")
    if strace is None:
        cannot("strace is not installed: which clock decides is not shown")
    calls = "trace=getppid,clock_gettime,gettimeofday,time" if os.uname().machine == "x86_64" else "trace=all"
    command = [str(strace), "-f", "-qq", "-e", calls, "-o", str(trace), sys.executable, str(CLOCKWORK), scene, "shop"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - ours
    if "ptrace" in done.stderr:
        cannot(f"strace may not trace here: {done.stderr}")
    if "no vDSO" in done.stderr:
        cannot(f"this kernel cannot make looks at the clock visible: {done.stderr}")
    lines = trace.read_text().splitlines()
    marks = [number for number, line in enumerate(lines) if MARK in line]
    assert (0, 2) == (done.returncode, len(marks)), done.stderr
    between = "\n".join(lines[marks[0] + 1 : marks[1]])
    return re.findall(r"\b(?:clock_gettime\((\w+)|(?:gettimeofday|time)\()", between)


def test_every_decision_asks_the_boot_clock(folder: Path, tmp_path: Path) -> None:
    """R14: opening a table, admitting, recording, tripping, probing, commands: one clock, and it is not the wall's."""
    assert folder.exists()
    asked = clocks_asked("everything", tmp_path / "trace")
    assert len(asked) > 200
    assert {"CLOCK_BOOTTIME"} == set(asked)


def test_a_look_at_the_wall_clock_is_found_out(folder: Path, tmp_path: Path) -> None:
    """Control: the same check sees one."""
    assert folder.exists()
    assert ["CLOCK_REALTIME"] == clocks_asked("wall", tmp_path / "trace")


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """A library that shows a wall clock which a program can set, to itself alone."""
    compiler = shutil.which("cc")
    if compiler is None:
        cannot("there is no C compiler: what happens when the wall clock is set is not shown")
    library = tmp_path / "wall_clock.so"
    subprocess.run([str(compiler), "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True, timeout=PATIENCE)  # noqa: S603
    return library


def test_setting_the_wall_clock_changes_nothing(folder: Path, shim: Path) -> None:
    """R14: ten years on, then back: open fuses stay open for just as long, and all failures count in their window.

    What the C library shows is set; what Fuseboard asks the kernel for itself, the test above sees.
    """
    assert folder.exists()
    command = [sys.executable, str(CLOCKWORK), "steps", "shop"]
    environment = os.environ | {"LD_PRELOAD": str(shim)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
    assert 0 == done.returncode, done.stderr
    seen = json.loads(done.stdout)
    assert [0, 1, -1, 0] == seen["years"], "the process did see another time"
    assert all(3000 < wait <= 3600 for wait in seen["slow"])
    assert [1, 2, 3, 4] == seen["counts"]
    assert [True] * 4 == seen["quick"]
