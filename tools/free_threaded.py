"""Build for a Python without the interpreter lock, and run there what threads could break.

It takes the newest Python of that kind that `make pythons PYTHONS=--list` finds. The exit code is 0 if all passed, and
3 if there is no such Python, which is said. The parts: the suite; the contract with each test in eight threads at
once; the stress, which lets eight threads meet in many ways; the control, which takes out a protection and sees that
the stress finds it; and scaling, which says how calls grow with threads.

The newest PyO3 builds for free-threaded Pythons from 3.14 on. For 3.13 the tree is copied to target/free-threaded, and
the lock file of the copy names the last PyO3 that takes it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from interpreters import BUILDERS, ROOT, Interpreter, age, find

PLACE = ROOT / "target/free-threaded"
TREE, BROKEN, ENVIRONMENT = PLACE / "tree", PLACE / "broken", PLACE / "venv"
PYTHON = ENVIRONMENT / "bin/python"
LAST_PYO3_FOR_3_13 = "0.28.3"
TESTS = {
    "suite": ["tests/unit", "tests/contract", "tests/regressions"],
    "contract": ["tests/contract"],
    "stress": ["tests/free_threading"],
}
PARTS = (*TESTS, "control", "scaling")
FOUND_BY = ("rebinding",)
"""The scenes that find it if nothing keeps alive what a reader has found. The scene of closures does not:
mostly the memory of a guard that is gone can still be read."""
CONTROL_SECONDS = 10
CANNOT = 3


def main() -> int:
    """Builds and runs what was asked for."""
    parser = argparse.ArgumentParser(
        prog="make free-threaded", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} (default all)")
    parts = parser.parse_args().parts or PARTS
    unknown = set(parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {unknown.pop()!r}")
    here = [python for python in find().values() if python.name.endswith("t")]
    if not here:
        print(
            "no Python without the interpreter lock was found; as root, tools/debian_pythons.sh free-threaded makes one"
        )
        return CANNOT
    python = max(here, key=lambda one: age(one.name))
    say(f"CPython {python.version} at {python.where}, in {TREE}")
    build(python)
    ends = {part: run(part, python) for part in parts}
    print("".join(f"\n{part:<10}{'failed' if code else 'passed'}" for part, code in ends.items()))
    return int(any(ends.values()))


def say(what: str) -> None:
    """Prints a line at once, between the output of commands."""
    print(f"== {what}", flush=True)


def do(python: Interpreter, *command: str | Path, **variables: str) -> int:
    """Runs a command in the copy, where this Python runs. Returns what it exits with."""
    told = python.command(*command, folder=PLACE)
    return subprocess.run(told, cwd=TREE, env=os.environ | variables, check=False).returncode


def must(python: Interpreter, *command: str | Path, **variables: str) -> None:
    """Runs a command that nothing can go on without."""
    if do(python, *command, **variables):
        sys.exit(f"{' '.join(map(str, command[:6]))} failed, see above")


def build(python: Interpreter) -> None:
    """Builds the extension in a copy of the tree, for an environment of its own."""
    copy()
    if age(python.name) < age("3.14"):
        for crate in ("pyo3", "pyo3-build-config"):
            update = ["cargo", "update", "--package", locked(crate), "--precise", LAST_PYO3_FOR_3_13]
            subprocess.run(update, cwd=TREE, check=True)
    must(python, python.path, "-m", "venv", "--clear", ENVIRONMENT)
    must(python, PYTHON, "-m", "pip", "install", "--quiet", "--upgrade", *BUILDERS)
    wheels = (PYTHON, "-m", "pip", "install", "--quiet", "--only-binary", ":all:")
    missing = [name for name in requirements() if do(python, *wheels, name)]
    if missing:
        say(f"these have no wheel for this Python, so their tests are skipped: {', '.join(missing)}")
    variables = {"VIRTUAL_ENV": str(ENVIRONMENT), "CARGO_TARGET_DIR": str(PLACE / "cargo")}
    must(python, ENVIRONMENT / "bin/maturin", "develop", "--release", "--locked", "--quiet", **variables)


def copy() -> None:
    """Copies what git knows of, and what is not committed yet."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shutil.rmtree(TREE, ignore_errors=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)


def locked(crate: str) -> str:
    """A crate and its newest version in the lock file, which may have two of one crate between two updates."""
    packages = tomllib.loads((TREE / "Cargo.lock").read_text())["package"]
    return f"{crate}@{max((package['version'] for package in packages if package['name'] == crate), key=age)}"


def requirements() -> list[str]:
    """What the tests import, with the groups that the group of tests includes."""
    groups = tomllib.loads((TREE / "pyproject.toml").read_text())["dependency-groups"]

    def of(group: str) -> list[str]:
        named = [of(one["include-group"]) if isinstance(one, dict) else [one] for one in groups[group]]
        return [name for names in named for name in names]

    return of("test")


def run(part: str, python: Interpreter) -> int:
    """Runs a part, and returns what it exits with."""
    say(part)
    if part == "control":
        return control(python)
    if part == "scaling":
        beside = subprocess.run([ROOT / ".venv/bin/python", "-m", "bench.scaling"], cwd=ROOT, check=False).returncode
        return beside or do(python, PYTHON, "-m", "bench.scaling")
    threads = {"FUSEBOARD_TEST_THREADS": "8"} if part == "contract" else {}
    return do(python, PYTHON, "-m", "pytest", "-q", *TESTS[part], **threads)


def control(python: Interpreter) -> int:
    """Takes out what keeps an object alive under its readers, and sees that the stress finds it."""
    built = PLACE / "cargo-broken"
    flags = {"RUSTFLAGS": "--cfg fuseboard_unprotected", "CARGO_TARGET_DIR": str(built), "PYO3_PYTHON": str(PYTHON)}
    flags["PYO3_BUILD_EXTENSION_MODULE"] = "1"  # as maturin does: an extension is not linked with Python
    must(python, "cargo", "build", "--release", "--locked", "--quiet", "--package", "fuseboard-py", **flags)
    shutil.rmtree(BROKEN, ignore_errors=True)
    shutil.copytree(TREE / "python", BROKEN)
    for extension in (BROKEN / "fuseboard").glob("_core*.so"):
        shutil.copy2(built / "release/lib_core.so", extension)
    # A build that cannot be imported would end each scene too.
    is_it = f"from fuseboard import _core; assert _core.__file__.startswith({str(BROKEN)!r}), _core.__file__"
    must(python, PYTHON, "-c", is_it, PYTHONPATH=str(BROKEN))
    missed = 0
    for scene in FOUND_BY:
        stress = (PYTHON, "tests/free_threading/scenes.py", scene, str(CONTROL_SECONDS))
        end = do(python, *stress, PYTHONPATH=str(BROKEN))
        say(f"without hazard pointers {scene!r} exits with {end}: {'it is not found' if end == 0 else 'found'}")
        missed |= end == 0
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
