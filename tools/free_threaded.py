"""Build for a Python without the interpreter lock, and run there what threads could break.

Exits with 0 if all of it passed; with 3, saying so, where there is no such Python. Set FREE_THREADED to its path if it
is not found by its name. PyO3 takes CPython 3.14 and later for that. Its last release that takes 3.13 is named below:
the tree is copied to target/free-threaded, and the lock file of the copy is changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "target/free-threaded"
NAMES = ("python3.14t", "python3.13t")
LAST_PYO3_FOR_3_13 = "0.28.3"
TESTS = {
    "suite": ["tests/unit", "tests/contract", "tests/regressions", "tests/processes"],
    "contract": ["tests/contract"],
    "stress": ["tests/free_threading"],
}
PARTS = (*TESTS, "control", "scaling")
FOUND_BY = ("rebinding",)
"""The scenes that find it if nothing keeps alive what a reader has found. The scene of closures does not:
mostly the memory of a guard that is gone can still be read."""
CONTROL_SECONDS = 10
CANNOT = 3
ASK = "import sys, sysconfig; print(bool(sysconfig.get_config_var('Py_GIL_DISABLED')), *sys.version_info[:3])"


def main() -> int:
    """Builds and runs what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} (default all)")
    parts = parser.parse_args().parts or PARTS
    unknown = set(parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {unknown.pop()!r}")
    found = free_threaded_python()
    if found is None:
        print("there is no Python without the interpreter lock here; name one by FREE_THREADED", file=sys.stderr)
        return CANNOT
    python, version = found
    tree, binaries = build(python, version)
    print(f"== CPython {'.'.join(map(str, version))}, free-threaded, in {tree}", flush=True)
    return max(run(part, tree, binaries) for part in parts)


def free_threaded_python() -> tuple[str, tuple[int, ...]] | None:
    """A Python that was built without the interpreter lock, and its version."""
    named = os.environ.get("FREE_THREADED")
    for name in (named,) if named else NAMES:
        path = shutil.which(name)
        answer = path and subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=False).stdout.split()
        if path and answer and answer[0] == "True":
            return path, tuple(map(int, answer[1:]))
    return None


def build(python: str, version: tuple[int, ...]) -> tuple[Path, Path]:
    """Builds the extension for it in an environment of its own. Returns the tree and the folder of its programs."""
    tree, environment = PLACE / "tree", PLACE / "venv"
    copy(tree)
    if version < (3, 14):
        for crate in ("pyo3", "pyo3-build-config"):
            update = ["cargo", "update", "--package", locked(tree, crate), "--precise", LAST_PYO3_FOR_3_13]
            subprocess.run(update, cwd=tree, check=True)
    subprocess.run([python, "-m", "venv", environment], check=True)
    binaries = environment / "bin"
    pip = [str(binaries / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--upgrade", "pip>=25.1", "maturin>=1.9,<2"], check=True)
    pip += ["--only-binary", ":all:"]
    missing = [name for name in requirements(tree) if not is_done([*pip, name])]
    if missing:
        print(f"no wheel for this Python, so their tests are skipped: {', '.join(missing)}", file=sys.stderr)
    variables = os.environ | {"VIRTUAL_ENV": str(environment), "CARGO_TARGET_DIR": str(PLACE / "cargo")}
    develop = [binaries / "maturin", "develop", "--release", "--locked", "--quiet"]
    subprocess.run(develop, cwd=tree, env=variables, check=True)
    return tree, binaries


def is_done(command: list[str]) -> bool:
    """Whether a command succeeds, whatever it says."""
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def copy(tree: Path) -> None:
    """Copies what git knows of, and what is not committed yet."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shutil.rmtree(tree, ignore_errors=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)


def locked(tree: Path, crate: str) -> str:
    """A crate and its newest version in the lock file, which may have two of one crate between two updates."""
    packages = tomllib.loads((tree / "Cargo.lock").read_text())["package"]
    versions = [package["version"] for package in packages if package["name"] == crate]
    newest = max(versions, key=lambda version: tuple(map(int, version.split("."))))
    return f"{crate}@{newest}"


def requirements(tree: Path) -> list[str]:
    """What the tests import, with the groups that the group of tests includes."""
    groups = tomllib.loads((tree / "pyproject.toml").read_text())["dependency-groups"]

    def of(group: str) -> list[str]:
        named = [of(one["include-group"]) if isinstance(one, dict) else [one] for one in groups[group]]
        return [name for names in named for name in names]

    return of("test")


def run(part: str, tree: Path, binaries: Path) -> int:
    """Runs a part, and returns what it exits with."""
    print(f"== {part}", flush=True)
    python, variables = str(binaries / "python"), dict(os.environ)
    if part == "control":
        return control(tree, python)
    if part == "scaling":
        beside = os.environ.get("WITH_THE_LOCK", str(ROOT / ".venv/bin/python"))
        return subprocess.run([python, "-m", "bench.scaling", "--beside", beside], cwd=tree, check=False).returncode
    if part == "contract":
        variables["FUSEBOARD_TEST_THREADS"] = "8"
    command = [python, "-m", "pytest", "-q", *TESTS[part]]
    return subprocess.run(command, cwd=tree, env=variables, check=False).returncode


def control(tree: Path, python: str) -> int:
    """Takes out what keeps an object alive under its readers, and sees that the stress finds it."""
    broken, built = PLACE / "broken", PLACE / "cargo-broken"
    flags = {"RUSTFLAGS": "--cfg fuseboard_unprotected", "CARGO_TARGET_DIR": str(built), "PYO3_PYTHON": python}
    flags["PYO3_BUILD_EXTENSION_MODULE"] = "1"  # as maturin does: an extension is not linked with Python
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "fuseboard-py"]
    subprocess.run(command, cwd=tree, env=os.environ | flags, check=True)
    shutil.rmtree(broken, ignore_errors=True)
    shutil.copytree(tree / "python", broken)
    for extension in (broken / "fuseboard").glob("_core*.so"):
        shutil.copy2(built / "release/lib_core.so", extension)
    missed = 0
    for scene in FOUND_BY:
        stress = [python, tree / "tests/free_threading/scenes.py", scene, str(CONTROL_SECONDS)]
        variables = os.environ | {"PYTHONPATH": str(broken)}
        done = subprocess.run(stress, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        print(f"without hazard pointers the scene {scene!r} exits with {done.returncode}", flush=True)
        missed |= done.returncode == 0
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
