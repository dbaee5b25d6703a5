"""Builds the files of a release into target/wheels, and tries each away from the sources: `make wheels`.

Without arguments it builds the source distribution, and a wheel for each supported version of Python on each system. It
checks what each file holds, then installs it in an empty environment of each Python that this machine has and runs the
quick tests there. The last thing it prints is one table. The exit code is 0 only if every file that was asked for is
built and right, and everything that was tried passed. A wheel that no Python of this machine can run is only built and
checked: name a Python for it with --try. target/wheels holds what the last run built, and nothing else.
"""

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from interpreters import MINORS, ROOT, Interpreter, ask, find
from wheel_build import SYSTEMS, BuildError, System, add_target, source_distribution, unpacked, wheel
from wheel_checks import faults_of_sources, faults_of_wheel, installed_size, newest_glibc
from wheel_trial import Trial, TrialError, build_as_a_user, try_files

OUT = ROOT / "target/wheels"
CARGO = ROOT / "target/wheels-cargo"
VERSIONS = [f"3.{minor}" for minor in MINORS]
EXAMPLES = """\
examples, with WHEELS='...' for `make wheels`:
  tools/wheels.py                               everything
  tools/wheels.py 3.12 3.13 --systems x86_64    two wheels
  tools/wheels.py --no-trials                   build and check only
  tools/wheels.py --twice                       build each wheel twice, and compare the bytes
"""


@dataclass
class Artefact:
    """A file of a release, and what was found out about it."""

    name: str
    python: str = ""
    system: System | None = None
    file: Path | None = None
    glibc: str = ""
    faults: list[str] = field(default_factory=list)
    trials: list[str] = field(default_factory=list)


def say(text: str) -> None:
    """Says how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> int:
    """Builds, checks, tries, and says what came of it."""
    options = arguments()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    if changed.stdout:
        say("files differ from the last commit: good for a look, not for a release")
    sources = Artefact("source distribution")
    artefacts = [sources]
    say("building the source distribution")
    sources.file = source_distribution(OUT)
    sources.faults += faults_of_sources(sources.file)
    with unpacked(sources.file) as source:
        for name in options.systems:
            artefacts += build(SYSTEMS[name], options.versions, source)
        if options.twice:
            build_again(artefacts, sources.file)
        if not options.no_trials:
            try_sources(sources, sources.file, source)
            try_wheels(artefacts, options, source)
    print_table(artefacts)
    return report(artefacts)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="tools/wheels.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION", help=f"versions of Python (default: {' '.join(VERSIONS)})"
    )
    parser.add_argument(
        "--systems", default=",".join(SYSTEMS), metavar="SYSTEMS", help="systems to build for (default: %(default)s)"
    )
    parser.add_argument(
        "--try", dest="pythons", action="append", default=[], type=Path, metavar="PYTHON",
        help="a further Python to try the files on, for example one of another system (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--no-trials", action="store_true", help="build and check only")
    parser.add_argument("--twice", action="store_true", help="build each wheel a second time, and compare the bytes")
    found = parser.parse_args()
    found.versions = found.versions or VERSIONS
    found.systems = found.systems.split(",")
    for named, known in ((found.versions, VERSIONS), (found.systems, list(SYSTEMS))):
        for name in named:
            if name not in known:
                parser.error(f"there is no {name!r}; there are {', '.join(known)}")
    return found


def build(system: System, versions: Iterable[str], source: Path) -> Iterable[Artefact]:
    """Builds the wheels of one system, and checks each. If one cannot be built, the others still are."""
    for version in versions:
        artefact = Artefact(f"wheel for Python {version}, {system.name}", version, system)
        say(f"building the {artefact.name}")
        try:
            add_target(system)
            artefact.file = wheel(source, version, system, OUT, CARGO)
            artefact.faults += faults_of_wheel(artefact.file, source / "python/fuseboard", version, system, source)
            artefact.glibc = newest_glibc(artefact.file)
        except BuildError as error:
            artefact.faults.append(str(error))
        yield artefact


def build_again(artefacts: Iterable[Artefact], archive: Path) -> None:
    """Builds all wheels that could be built once more, in other folders and from nothing, and compares."""
    with unpacked(archive) as source, tempfile.TemporaryDirectory(prefix="fuseboard-again-") as folder:
        out = Path(folder, "wheels")
        out.mkdir()
        for artefact in artefacts:
            if artefact.file is None or artefact.system is None:
                continue
            say(f"building the {artefact.name}, again")
            again = wheel(source, artefact.python, artefact.system, out, Path(folder, "cargo"))
            same = digest(again) == digest(artefact.file)
            say("    the same bytes" if same else "    other bytes")
            artefact.faults += [] if same else ["built a second time, it has other bytes"]


def digest(file: Path) -> str:
    """What is the same for the same bytes only."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def try_sources(sources: Artefact, archive: Path, source: Path) -> None:
    """Builds a wheel from the source distribution as a user does, and tries it."""
    here = next(iter(find().values()))
    say(f"building a wheel from the source distribution with pip, on {here.where}")
    with tempfile.TemporaryDirectory(prefix="fuseboard-built-") as folder:
        try:
            built = build_as_a_user(here, archive, Path(folder))
        except TrialError as error:
            sources.faults.append(str(error))
            return
        say("    trying it")
        note(sources, try_files(here, [built], source), f"built by pip on {here.version}")


def try_wheels(artefacts: list[Artefact], options: argparse.Namespace, source: Path) -> None:
    """Tries the wheels on each Python that is here. pip chooses which of them it takes."""
    by_name = {artefact.file.name: artefact for artefact in artefacts if artefact.file}
    files = [artefact.file for artefact in artefacts if artefact.file]
    for interpreter in pythons(options):
        say(f"trying the wheels on Python {interpreter.name}, {interpreter.where}")
        trial = try_files(interpreter, files, source)
        # One that pip could choose none for is a fault of them all, which the first bears.
        note(by_name.get(trial.file, artefacts[0]), trial, interpreter.version)


def pythons(options: argparse.Namespace) -> Iterable[Interpreter]:
    """The Pythons to try the wheels on: those of the versions asked for, and those named."""
    libc = "" if platform.libc_ver()[0] else "-musl"
    found = find() if platform.machine() + libc in options.systems else {}
    yield from (found[version] for version in options.versions if version in found)
    for path in options.pythons:
        interpreter = ask(path.absolute(), None)
        if interpreter is None:
            raise SystemExit(f"{path} is no CPython that runs here")
        yield interpreter


def note(artefact: Artefact, trial: Trial, where: str) -> None:
    """Notes how a trial ended."""
    counts = f"{trial.passed} passed, {trial.failed} failed, {trial.skipped} skipped"
    say(f"    {counts}")
    artefact.trials.append(f"{where}: {counts}")
    artefact.faults += [f"{where}: {fault}" for fault in trial.faults]


def print_table(artefacts: list[Artefact]) -> None:
    """Prints what was built, one line for each file."""
    rows = [("file", "KiB", "installed", "newest glibc", "tried on")]
    for artefact in artefacts:
        if artefact.file is None:
            rows.append((artefact.name, "", "", "", "NOT BUILT"))
            continue
        is_wheel = artefact.file.suffix == ".whl"
        size = f"{artefact.file.stat().st_size / 1024:.0f}"
        installed = f"{installed_size(artefact.file) / 1024:.0f}" if is_wheel else ""
        tried = "; ".join(artefact.trials) or "built and checked, not run"
        rows.append((artefact.file.name, size, installed, artefact.glibc, tried))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def report(artefacts: list[Artefact]) -> int:
    """Prints all faults; the exit code."""
    faults = [f"{artefact.name}: {fault}" for artefact in artefacts for fault in artefact.faults]
    print("\n" + ("\n".join(faults) if faults else f"all of it is in {OUT.relative_to(ROOT)}"))
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BuildError as error:
        sys.exit(str(error))
