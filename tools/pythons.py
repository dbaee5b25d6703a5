"""Runs the tests on every Python of 3.11 to 3.15 that this machine has, and says which it does not have.

Each Python has a virtual environment and a folder of built Rust code of its own, in target/pythons. The package is
built for it as users get it, in release. The debug build of 3.14 runs with the development mode of Python switched on:
its checks, and those of the interpreter's C code, are then part of each test.

Free-threaded Pythons have a command of their own, `make free-threaded`, and run here only if they are named.

The exit code is 1 if something failed or a Python that was named is missing.
"""

# Why not nox or tox: both take care of environments, which pip does here in three lines. Neither looks into Debian
# roots or pyenv's folder, says which versions are missing, or counts skips by their reasons, and that is all of this
# file.

import argparse
import os
import subprocess
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from interpreters import BUILDERS, MINORS, NAME, ROOT, Interpreter, age, find

PYPROJECT = ROOT / "pyproject.toml"
RANGE = sorted([*(f"3.{minor}" for minor in MINORS), "3.14d"], key=age)
QUICK = ("tests/unit", "tests/contract", "tests/regressions", "tests/integrations", "tests/test_public_api.py")
"""What depends most on the interpreter, and runs in one process."""
GROUPS = ("test", "docs")
"""The dependency groups that the tests need: one builds the docs site."""
FROM_DEBIAN = "make debian-pythons (as root), or pyenv install, or uv python install"
FROM_PYENV = "pyenv install, or uv python install"


def how_to_get(name: str) -> str:
    """How to get a Python that is not here."""
    if name.endswith("t"):
        return "tools/debian_pythons.sh free-threaded (as root), or uv python install"
    return FROM_DEBIAN if age(name) >= age("3.14") else FROM_PYENV


class Failed(Exception):  # noqa: N818, it is the end of a run, and no fault of this program
    """What could not be done with a Python."""


@dataclass
class Run:
    """What one Python has done."""

    interpreter: Interpreter
    counts: dict[str, int] = field(default_factory=dict)
    skips: Counter[str] = field(default_factory=Counter)
    building: float = 0
    testing: float = 0
    failure: str = ""

    @property
    def is_good(self) -> bool:
        """Whether tests ran and none failed."""
        return not self.failure and self.counts["passed"] > 0 and self.counts["failed"] == 0

    def row(self) -> str:
        """A row of the table."""
        said = f"{self.interpreter.name:<7}{self.interpreter.version:<11}"
        if self.failure:
            return f"{said}NOT RUN: {self.failure}"
        counts = "".join(f"{self.counts[word]:>9}" for word in ("passed", "failed", "skipped"))
        return f"{said}{counts}{self.building:>8.0f} s{self.testing:>8.0f} s"


class Place:
    """The folder of one Python, and what is done there."""

    def __init__(self, interpreter: Interpreter, profile: str) -> None:
        self.interpreter = interpreter
        self.profile = profile
        self.folder = ROOT / "target/pythons" / interpreter.name
        self.python = self.folder / "venv/bin/python"
        self.report = self.folder / "report.xml"

    def do(self, *command: str | Path, **environment: str) -> int:
        """Runs a command, with its output shown; how it ended."""
        return subprocess.run(
            self.interpreter.command(*command), cwd=ROOT, env=os.environ | environment, check=False
        ).returncode

    def must(self, what: str, *command: str | Path, **environment: str) -> None:
        """Runs a command that nothing can go on without."""
        if self.do(*command, **environment):
            raise Failed(what)

    def equip(self) -> None:
        """Makes the virtual environment, or keeps one that was made for the same Python and the same groups."""
        wanted = repr((self.interpreter, GROUPS, tomllib.loads(PYPROJECT.read_text("utf-8"))["dependency-groups"]))
        made = self.folder / "venv/.made"
        if made.is_file() and made.read_text("utf-8") == wanted:
            return
        groups = [part for group in GROUPS for part in ("--group", group)]
        install = (self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        self.must("no environment", self.interpreter.path, "-m", "venv", "--clear", self.folder / "venv")
        self.must("no pip", *install, "--upgrade", *BUILDERS)
        self.must("its dependencies", *install, *groups)
        made.write_text(wanted, "utf-8")

    def build(self) -> None:
        """Compiles the package for this Python."""
        maturin = (self.python.parent / "maturin", "develop", "--locked", "--quiet", "--profile", self.profile)
        folders = {"VIRTUAL_ENV": str(self.folder / "venv"), "CARGO_TARGET_DIR": str(self.folder / "cargo")}
        self.must("the build", *maturin, **folders)

    def test(self, tests: tuple[str, ...], jobs: int) -> None:
        """Runs tests, and leaves the report of them."""
        self.report.unlink(missing_ok=True)
        mode = {"PYTHONDEVMODE": "1"} if self.interpreter.name.endswith("d") else {}
        several = ("--numprocesses", str(jobs), "--dist", "loadfile")
        quietly = ("-q", "--no-header", f"--junitxml={self.report}")
        self.do(self.python, "-m", "pytest", *several, *quietly, *tests, **mode)

    def fill(self, run: Run) -> None:
        """Reads the report of the tests."""
        if not self.report.is_file():
            raise Failed("pytest ended without a report")
        cases = list(ET.parse(self.report).getroot().iter("testcase"))  # noqa: S314, pytest wrote it just now
        ends = Counter(end(case) for case in cases)
        run.counts = {word: ends[word] for word in ("passed", "failed", "skipped")}
        run.skips.update(skip.get("message", "") for case in cases for skip in case.iter("skipped"))


def end(case: ET.Element) -> str:
    """How a test ended."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def run_on(interpreter: Interpreter, options: argparse.Namespace) -> Run:
    """Builds and tests on one Python."""
    place, run = Place(interpreter, options.profile), Run(interpreter)
    try:
        begun = time.monotonic()
        say(f"{interpreter.name}: environment and build")
        place.equip()
        place.build()
        built = time.monotonic()
        say(f"{interpreter.name}: {'quick' if options.quick else 'named' if options.tests else 'all'} tests")
        place.test(tuple(options.tests or (QUICK if options.quick else ())), options.jobs)
        place.fill(run)
        run.building, run.testing = built - begun, time.monotonic() - built
    except Failed as failed:
        run.failure = str(failed)
    return run


def say(what: str) -> None:
    """Prints a line at once, between the output of commands."""
    print(f"== {what}", flush=True)


def show(runs: list[Run], missing: list[str]) -> None:
    """Prints the table, the reasons of skips, and what is missing."""
    print(f"\n{'Python':<7}{'version':<11}{'passed':>9}{'failed':>9}{'skipped':>9}{'build':>10}{'tests':>10}")
    for run in runs:
        print(run.row())
    for name in missing:
        print(f"{name:<7}NOT FOUND; {how_to_get(name)}")
    reasons = sorted({reason for run in runs for reason in run.skips})
    if reasons:
        print("\nskipped, and why:")
    for reason in reasons:
        where = ", ".join(f"{run.skips[reason]} on {run.interpreter.name}" for run in runs if run.skips[reason])
        print(f"  {reason}: {where}")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="make pythons", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION", help="such as 3.12 or 3.14d; default: all of the range"
    )
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    parser.add_argument("--tests", action="append", metavar="PATH", help="only these, instead of all or the quick ones")
    parser.add_argument("--list", action="store_true", help="only say what there is and what is missing")
    parser.add_argument("--if-found", action="store_true", help="a named Python may be missing, which is said")
    parser.add_argument("--profile", default="release", help="cargo's profile (default: %(default)s, which users get)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests at once (default: %(default)s)")
    options = parser.parse_args()
    for name in options.versions:
        if not NAME.fullmatch(f"python{name}"):
            parser.error(f"there is no version {name!r}; there are {', '.join(RANGE)}, and 3.13t and later")
    return options


def main() -> int:
    """Run what was asked for; the exit code."""
    options = arguments()
    found = find()
    wanted = options.versions or RANGE
    missing = [name for name in wanted if name not in found]
    here = [found[name] for name in wanted if name in found]
    if options.list:
        for interpreter in here if options.versions else found.values():
            print(f"{interpreter.name:<7}{interpreter.version:<11}{interpreter.where}")
        for name in missing:
            print(f"{name:<7}NOT FOUND; {how_to_get(name)}")
    runs = [] if options.list else [run_on(interpreter, options) for interpreter in here]
    if runs or not options.list:
        show(runs, missing)
    is_missing = bool(options.versions and missing and not options.if_found)
    return int(is_missing or not all(run.is_good for run in runs))


if __name__ == "__main__":
    sys.exit(main())
