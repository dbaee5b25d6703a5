"""Tries the files of a release away from the sources: what a user installs, in an empty environment.

Each Python gets a folder of its own outside the checkout. pip chooses among all files that were built, as it does for a
user, with nothing on PATH but the environment: there is no compiler to be found. Then the quick tests run from the
unpacked source distribution, whose package has been removed, so only the installed one can be imported.
"""

import json
import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from interpreters import Interpreter
from pythons import QUICK

PATIENCE = 3_600
"""Seconds within which each command of a trial must end."""
WHERE = "import fuseboard, pathlib; print(pathlib.Path(fuseboard.__file__).parent)"


class TrialError(Exception):
    """What a user would meet."""


@dataclass
class Trial:
    """What came out of trying the files on one Python."""

    python: str
    file: str = ""
    """The file that pip chose."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    faults: list[str] = field(default_factory=list)


class Room:
    """A folder outside the checkout with an environment of one Python, in which commands are run."""

    def __init__(self, interpreter: Interpreter, folder: Path) -> None:
        self._interpreter = interpreter
        self._folder = folder
        self._bin = folder / "venv/bin"

    def run(self, *command: str | Path, folder: str = ".", path: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command where the Python runs. `path` is what PATH holds beside the environment's own programs."""
        place = ("env", "--unset=PYTHONPATH", f"--chdir={self._folder / folder}")
        programs = f"PATH={self._bin}{os.pathsep + path if path else ''}"
        return subprocess.run(
            self._interpreter.command(*place, programs, *command, folder=self._folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def must(self, *command: str | Path, folder: str = ".", path: str = "") -> str:
        """The same, for a command that must succeed; what it printed."""
        done = self.run(*command, folder=folder, path=path)
        if done.returncode:
            raise TrialError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-4_000:]}")
        return done.stdout


def try_files(interpreter: Interpreter, files: Sequence[Path], sources: Path) -> Trial:
    """Installs one of the files with this Python, and runs commands and the quick tests with what is installed.

    `sources` is the unpacked source distribution.
    """
    trial = Trial(interpreter.name)
    with tempfile.TemporaryDirectory(prefix="fuseboard-trial-") as name:
        folder = Path(name)
        (folder / "files").mkdir()
        for file in files:
            shutil.copy(file, folder / "files")
        shutil.copytree(sources, folder / "sources", ignore=shutil.ignore_patterns("python"))
        room = Room(interpreter, folder)
        try:
            install(room, interpreter, folder, trial)
            use(room)
            test(room, folder, trial)
        except TrialError as error:
            trial.faults.append(str(error))
    return trial


def install(room: Room, interpreter: Interpreter, folder: Path, trial: Trial) -> None:
    """Installs without an index and without a compiler, and sees that the package comes from there."""
    room.must(interpreter.path, "-m", "venv", "venv", path=os.defpath)
    report = folder / "report.json"
    room.must("pip", "install", "--no-index", "--find-links", "files", "--report", report, "fuseboard")
    [chosen] = json.loads(report.read_text(encoding="utf-8"))["install"]
    trial.file = chosen["download_info"]["url"].rpartition("/")[2]
    room.must("pip", "check")
    place = room.must("python", "-c", WHERE).strip()
    if not place.startswith(str(folder / "venv")):
        raise TrialError(f"the package comes from {place}")


def use(room: Room) -> None:
    """Runs what a user runs first: the help, then the demo, which its extra makes possible."""
    if "demo" not in room.must("fuseboard", "--help"):
        raise TrialError("fuseboard --help does not name the demo")
    room.must("pip", "install", "--find-links", "files", "fuseboard[demo]", path=os.environ["PATH"])
    room.must("fuseboard", "demo", "--plain")
    room.must("pip", "check")


def test(room: Room, folder: Path, trial: Trial) -> None:
    """Runs the quick tests, and counts how they ended. What they need may have to be compiled on a young Python."""
    room.must("pip", "install", "--upgrade", "pip>=25.1", path=os.environ["PATH"])
    room.must("pip", "install", "--group", "sources/pyproject.toml:test", path=os.environ["PATH"])
    results = folder / "results.xml"
    several = ("--numprocesses", "auto", "--dist", "loadfile")
    tests = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *several, f"--junitxml={results}", *QUICK)
    done = room.run(*tests, folder="sources", path=os.environ["PATH"])
    if not results.exists():
        raise TrialError(f"pytest ended with {done.returncode}:\n{done.stdout[-4_000:]}")
    [suite] = ET.parse(results).getroot().iter("testsuite")  # noqa: S314 - our own pytest wrote it
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    trial.failed = counts["failures"] + counts["errors"]
    trial.skipped = counts["skipped"]
    trial.passed = counts["tests"] - trial.failed - trial.skipped
    if done.returncode:
        trial.faults.append(f"tests ended with {done.returncode}:\n{done.stdout[-4_000:]}")


def build_as_a_user(interpreter: Interpreter, archive: Path, out: Path) -> Path:
    """Builds a wheel from the source distribution alone, with pip, in an empty folder. Needs Rust and the index."""
    with tempfile.TemporaryDirectory(prefix="fuseboard-trial-") as name:
        folder = Path(name)
        shutil.copy(archive, folder)
        room = Room(interpreter, folder)
        room.must(interpreter.path, "-m", "venv", "venv", path=os.defpath)
        room.must("pip", "wheel", "--no-deps", "--wheel-dir", "built", archive.name, path=os.environ["PATH"])
        [built] = (folder / "built").glob("*.whl")
        return Path(shutil.copy(built, out))
