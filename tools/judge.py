"""A pytest plugin that judges mutmut's mutants of the package: it collects once, then forks a child for each mutant.

mutmut itself starts pytest anew for each mutant. For a function that hundreds of tests run through, this takes longer
than the tests. Here a child inherits what was collected, switches its mutant on, and runs the tests that pass through
the mutated function until one fails. Tests that caught other mutants of that function come first, then the quick
ones.

As under mutmut, what is made at import is made of the unbroken code. Before the first mutant, two things are checked:
the tests pass without a mutant, and one fails if every mutated function raises. tools/mutation.py starts this plugin,
once per core.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
from pathlib import Path

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test

CPU_SECONDS = 120  # for a mutant that loops in compiled code, where pytest-timeout's signal does not get through


def pytest_addoption(parser: pytest.Parser) -> None:
    """The list of mutants, and where to say what became of them."""
    parser.addoption("--mutants", type=Path, help="file with a mutant's name on each line")
    parser.addoption("--verdicts", type=Path, help="file for a line of JSON per mutant: its name, and what caught it")


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Judges all mutants instead of running the tests."""
    options = session.config.option
    if options.collectonly:
        return False
    judge = Judge(session)
    passing = judge.verdict("", session.items)
    if passing is not None:
        pytest.exit(f"without a mutant {passing} fails", returncode=1)
    if judge.verdict("fail", session.items) is None:
        pytest.exit("no test fails when every mutated function raises", returncode=1)
    with options.verdicts.open("w", encoding="utf-8") as verdicts:
        for name in options.mutants.read_text(encoding="utf-8").split():
            print(json.dumps([name, judge.judge(name)]), file=verdicts, flush=True)
    return True


class Judge:
    """Which tests run through which function, how long they take, and which have caught its mutants so far."""

    def __init__(self, session: pytest.Session) -> None:
        stats = json.loads(Path("mutmut-stats.json").read_text(encoding="utf-8"))
        self.session = session
        self.items = {item.nodeid: item for item in session.items}
        self.tests: dict[str, list[str]] = stats["tests_by_mangled_function_name"]
        self.seconds: dict[str, float] = stats["duration_by_test"]
        self.caught: dict[str, dict[str, int]] = {}

    def judge(self, name: str) -> str | None:
        """The test that catches a mutant, or how else it ended; None if it survives."""
        function = name.rpartition("__mutmut_")[0]
        caught = self.caught.setdefault(function, {})
        tests = sorted(self.tests.get(function, []), key=lambda test: (-caught.get(test, 0), self.seconds[test]))
        while (by := self.verdict(name, [self.items[test] for test in tests])) in self.items:
            # On a busy machine a test may fail by accident: what catches a mutant does so again, alone.
            if self.verdict(name, [self.items[by]]) == by:
                caught[by] = caught.get(by, 0) + 1
                break
            tests = tests[tests.index(by) + 1 :]
        return by

    def verdict(self, name: str, items: list[pytest.Item]) -> str | None:
        """Runs tests under a mutant, in a child."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _be_judged(name, items, writer)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as pipe:
            # Not to the pipe's end, which a process that the test left behind would put off.
            caught_by = pipe.readline().strip()
        _, status = os.waitpid(child, 0)
        _clean_up_after(child)
        return caught_by or (f"exit code {os.waitstatus_to_exitcode(status)}" if status else None)


def _be_judged(name: str, items: list[pytest.Item], writer: int) -> None:
    """Runs tests until one fails, which it writes down. Never returns."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    set_mutant_under_test(name)
    caught_by = ""
    try:
        for item, following in zip(items, [*items[1:], None], strict=True):
            caught_by = item.nodeid
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if item.session.testsfailed:
                break
        else:
            caught_by = ""
    finally:
        # Also where a mutant breaks out of the test, or the judge is gone: a child is not to go on as a second judge.
        try:
            sys.stdout.flush()
            os.write(writer, f"{caught_by}\n".encode())
        finally:
            os._exit(1 if caught_by else 0)


def _clean_up_after(child: int) -> None:
    """Ends what a child's tests left running, and removes the tables it left in the run's folder."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    folder = Path(os.environ["FUSEBOARD_DIR"])
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
