"""Runs the tests for other processors and other C libraries, and lets the compiler check the other systems.

What it can run here it runs: aarch64 in an emulator (qemu-user), musl as it is, and a build for Linux that behaves like
a system on which processes share no tables. All else is checked by the compiler, which is less: see
docs/reference/platforms.md.

Each target says at the end whether it was run, checked, or neither, and why not. The exit code is 1 if something failed
or could not be tried.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interpreters import ROOT, pythons_folder

BUILT = ROOT / "target/platforms"
PRIVATE_ONLY = "--cfg fuseboard_private_only"
ARM_PREFIX = "/usr/aarch64-linux-gnu"
ARM_ROOT = pythons_folder() / "arm64"
ARM_RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
SMOKE = ROOT / "tests/systems/smoke.py"

# A room of its own in which programs for aarch64 start by themselves, also from others: this machine is left as it is.
# Linux has had a list of emulators for each user namespace since 6.7.
_MAKE_ROOM = (
    f"mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && cat {ARM_RULE} > /proc/sys/fs/binfmt_misc/register"
    ' && exec "$@"'
)
ROOM = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MAKE_ROOM, "sh")

NOT_EMULATED = {
    "any_bytes": "each operation has one second of a processor, and an emulator takes longer",
    "kill_storm": "the same",
    "single_step": "an emulator has no ptrace",
}
"""Tests of fuseboard-shm that do not run in an emulator. They run on x86_64 in `make test`."""


class Missing(Exception):  # noqa: N818 - says what to get, and is no fault of this program
    """What this machine lacks, and how to get it."""


class Failed(Exception):  # noqa: N818 - as above
    """What did not build, or did not pass."""


@dataclass(frozen=True)
class Target:
    """Something that the package is to run on."""

    name: str
    triple: str
    state: str
    """What is known if it goes well: `run` or `checked`."""
    work: Callable[["Target"], str]
    """Does it, and says what was seen."""


def do(*command: str | Path, **environment: str) -> str:
    """Runs a command in the repository; what it said.

    Raises:
        Failed: its exit code is not 0. What it said is shown.
    """
    print("$", *command, flush=True)
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, text=True, check=False, **both)
    if done.returncode:
        print(done.stdout)
        raise Failed(f"{' '.join(map(str, command[:8]))} ... ended with {done.returncode}, see above")
    return done.stdout


def passed(said: str) -> int:
    """How many tests passed. None at all is a failure too."""
    found = sum(map(int, re.findall(r"^test result: ok\. (\d+) passed", said, re.MULTILINE)))
    if not found:
        raise Failed("no test ran")
    return found


def need(tool: str, package: str) -> None:
    """Sees that a tool is there. Root installs Debian's package."""
    if shutil.which(tool):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        do("apt-get", "install", "--yes", "--quiet", package)
    if not shutil.which(tool):
        raise Missing(f"{tool}: apt-get install {package}")


def standard_library(triple: str) -> None:
    """Sees that the pinned Rust can build for a target."""
    if triple not in do("rustup", "target", "list", "--installed").split():
        try:
            do("rustup", "target", "add", triple)
        except Failed:
            raise Missing(f"Rust's standard library: rustup target add {triple}") from None


def python_config(version: str) -> Path:
    """A file that tells PyO3 all it needs of a Python that is not here."""
    path = BUILT / f"python{version}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ("implementation=CPython", f"version={version}", "shared=true", "abi3=false", "pointer_width=64")
    path.write_text("\n".join([*lines, "build_flags=", "suppress_build_script_link_lines=true", ""]))
    return path


def staged(library: Path, name: str) -> Path:
    """The package with a compiled module, in a folder of its own."""
    stage = BUILT / f"stage-{name}"
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(
        ROOT / "python/fuseboard", stage / "fuseboard", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    shutil.copy(library, stage / "fuseboard/_core.so")
    return stage


def cross(target: Target) -> dict[str, str]:
    """What cargo needs for a target: the linker, where things go, and no warning."""
    found = {"CARGO_TARGET_DIR": str(BUILT)}
    if target.triple == "aarch64-unknown-linux-gnu":
        found["CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"] = "aarch64-linux-gnu-gcc"
    return found


def check(target: Target) -> str:
    """The compiler accepts all three crates."""
    standard_library(target.triple)
    config = str(python_config("3.11"))
    command = ("cargo", "check", "--locked", "--quiet", "--workspace", "--target", target.triple)
    do(*command, PYO3_CONFIG_FILE=config, RUSTFLAGS="-D warnings", **cross(target))
    return "three crates without a warning"


def emulator() -> None:
    """Sees that programs for aarch64 can be built and run."""
    need("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
    need("qemu-aarch64-static", "qemu-user-static")
    try:
        do(*ROOM, "true")
    except Failed:
        raise Missing("a room in which an emulator starts by itself: Linux 6.7, and user namespaces") from None


def emulated(target: Target) -> str:
    """The tests of Rust for aarch64."""
    emulator()
    standard_library(target.triple)
    files = (ROOT / "crates/fuseboard-shm/tests").glob("*.rs")
    names = sorted(file.stem for file in files if file.stem not in NOT_EMULATED)
    for name, reason in NOT_EMULATED.items():
        print(f"SKIPPED in the emulator: {name}: {reason}")
    command = (*ROOM, "cargo", "test", "--locked", "--target", target.triple)
    environment = cross(target) | {"QEMU_LD_PREFIX": ARM_PREFIX}
    core = passed(do(*command, "--package", "fuseboard-core", **environment))
    chosen = [word for name in names for word in ("--test", name)]
    shm = passed(do(*command, "--package", "fuseboard-shm", "--lib", *chosen, **environment))
    return f"{core} tests of the core, {shm} of the table; not {', '.join(NOT_EMULATED)}"


def emulated_python(target: Target) -> str:
    """The package, in Debian's Python for aarch64."""
    emulator()
    standard_library(target.triple)
    python = arm_python()
    version = python.name.removeprefix("python")
    command = ("cargo", "build", "--locked", "--quiet", "--package", "fuseboard-py", "--target", target.triple)
    do(*command, PYO3_CONFIG_FILE=str(python_config(version)), **cross(target))
    stage = staged(BUILT / target.triple / "debug/lib_core.so", target.name)
    print(smoke(stage, "shared", *ROOM, python, QEMU_LD_PREFIX=str(ARM_ROOT)))
    return f"CPython {version}: guards, and two processes that share a table (tests/systems/smoke.py)"


def arm_python() -> Path:
    """Debian's Python for aarch64, unpacked and not installed: nothing of it has to run for that."""
    if not list(ARM_ROOT.glob("usr/bin/python3.*")):
        need("debootstrap", "debootstrap")
        if os.geteuid():
            raise Missing(f"a Python for aarch64 in {ARM_ROOT}: run this as root once, for debootstrap")
        do("debootstrap", "--foreign", "--arch=arm64", "--variant=minbase", "--include=python3", "stable", ARM_ROOT)
        for package in sorted(ARM_ROOT.glob("var/cache/apt/archives/*.deb")):
            do("dpkg", "-x", package, ARM_ROOT)
    return min(ARM_ROOT.glob("usr/bin/python3.[0-9]*"))


def smoke(stage: Path, role: str, *python: str | Path, **environment: str) -> str:
    """Plays the smoke test with a staged package, in a folder of tables of its own."""
    tables = stage / "tables"
    tables.mkdir(mode=0o700)
    tables.chmod(0o700)
    chosen = {"PYTHONPATH": str(stage), "FUSEBOARD_DIR": str(tables), "PYTHONDONTWRITEBYTECODE": "1"}
    return do(*python, SMOKE, role, **chosen, **environment)


def musl(target: Target) -> str:
    """The tests of Rust, with musl in the place of glibc. They are linked statically, so this machine runs them."""
    standard_library(target.triple)
    command = ("cargo", "test", "--locked", "--target", target.triple, "--package")
    core = passed(do(*command, "fuseboard-core", **cross(target)))
    shm = passed(do(*command, "fuseboard-shm", **cross(target)))
    return f"{core} tests of the core, {shm} of the table"


def private_only(target: Target) -> str:
    """What a system gets on which processes share no tables, on this one."""
    environment = {"CARGO_TARGET_DIR": str(BUILT / "private"), "RUSTFLAGS": f"{PRIVATE_ONLY} -D warnings"}
    shm = passed(do("cargo", "test", "--locked", "--package", "fuseboard-shm", "--lib", **environment))
    command = ("cargo", "build", "--locked", "--quiet", "--package", "fuseboard-py")
    do(*command, PYO3_PYTHON=sys.executable, **environment)
    stage = staged(BUILT / "private/debug/lib_core.so", target.name)
    print(smoke(stage, "private", sys.executable))
    return f"{shm} tests of the table, and the package in one process (tests/systems/smoke.py)"


TARGETS = (
    Target("aarch64", "aarch64-unknown-linux-gnu", "run", emulated),
    Target("aarch64-python", "aarch64-unknown-linux-gnu", "run", emulated_python),
    Target("musl", "x86_64-unknown-linux-musl", "run", musl),
    Target("private-only", "this machine", "run", private_only),
    Target("aarch64-musl", "aarch64-unknown-linux-musl", "checked", check),
    Target("macos-arm64", "aarch64-apple-darwin", "checked", check),
    Target("macos-x86_64", "x86_64-apple-darwin", "checked", check),
    Target("windows-gnu", "x86_64-pc-windows-gnu", "checked", check),
    Target("windows-msvc", "x86_64-pc-windows-msvc", "checked", check),
)


def row(target: Target) -> tuple[str, str, str]:
    """Does a target's work; its state, what was seen, and how long it took."""
    began = time.monotonic()
    try:
        state, seen = target.state, target.work(target)
    except Missing as missing:
        state, seen = "neither", f"this machine has no {missing}"
    except Failed as failed:
        state, seen = "neither", f"FAILED: {failed}"
    return state, seen, f"{time.monotonic() - began:.0f} s"


def main() -> int:
    """Runs what was asked for; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make platforms", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [target.name for target in TARGETS]
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"one or more of {', '.join(names)} (default: all)"
    )
    parser.add_argument("--checks", action="store_true", help="only those that the compiler checks; two minutes")
    options = parser.parse_args()
    unknown = set(options.targets) - set(names)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    chosen = [target for target in TARGETS if not options.targets or target.name in options.targets]
    chosen = [target for target in chosen if not options.checks or target.state == "checked"]
    rows = [(target, *row(target)) for target in chosen]
    print(f"\n{'target':15} {'state':8} {'took':>6}  what was seen")
    for target, state, seen, took in rows:
        print(f"{target.name:15} {state:8} {took:>6}  {seen}")
    return 1 if any(state == "neither" for _, state, _, _ in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
