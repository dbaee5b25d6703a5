"""Builds the files of a release: the source distribution, and wheels from it.

Wheels are built from the unpacked source distribution in a temporary folder, with a folder for cargo that is kept. So a
wheel holds nothing that is not in the source distribution, such as a compiled module of another Python that a
development build left in the package. The linker is zig's, with the symbols of an old C library: a wheel runs on older
systems than the one that builds it, and on other processors. No Python of a wheel's version is needed.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interpreters import ROOT

BIN = Path(sysconfig.get_path("scripts"))
CARGO_HOME = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))


@dataclass(frozen=True)
class System:
    """A kind of machine that a wheel is for."""

    name: str
    tag: str
    """The tag of the oldest system that takes the wheel."""

    @property
    def processor(self) -> str:
        """The processor, as it is called in names of compiled modules."""
        return self.name.partition("-")[0]

    @property
    def libc(self) -> str:
        """The C library, as it is called in names of compiled modules: gnu or musl."""
        return self.name.partition("-")[2] or "gnu"

    @property
    def rust_target(self) -> str:
        """What Rust calls it."""
        return f"{self.processor}-unknown-linux-{self.libc}"


SYSTEMS = {
    system.name: system
    for system in (
        System("x86_64", "manylinux_2_17"),  # glibc 2.17, the oldest that Rust supports
        System("x86_64-musl", "musllinux_1_2"),
        System("aarch64", "manylinux_2_17"),
        System("aarch64-musl", "musllinux_1_2"),
    )
}


class BuildError(Exception):
    """A file could not be built. The text says why."""


def run(*command: str | Path, folder: Path = ROOT, **environment: str) -> str:
    """Runs a command to its end; what it printed. Raises `BuildError` with that if the command failed."""
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path, "SOURCE_DATE_EPOCH": date()} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def date() -> str:
    """The date that all files in an archive bear: that of the commit, so a second build gives the same bytes."""
    command = ["git", "log", "--max-count=1", "--format=%ct"]
    named = os.environ.get("SOURCE_DATE_EPOCH")
    return named or subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def source_distribution(out: Path) -> Path:
    """Builds the source distribution from what is committed."""
    run("maturin", "sdist", "--out", out)
    [archive] = out.glob("*.tar.gz")
    return archive


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """The source distribution, unpacked in a temporary folder for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="fuseboard-build-") as folder:
        # With the time of now: cargo would take the archive's dates for files that it has compiled before.
        run("tar", "--extract", "--touch", "--file", archive, "--directory", folder)
        yield Path(folder, archive.name.removesuffix(".tar.gz"))


def add_target(system: System) -> None:
    """Sees to it that Rust's standard library for a system is there."""
    if system.rust_target not in run("rustup", "target", "list", "--installed").split():
        run("rustup", "target", "add", system.rust_target)


def wheel(source: Path, python: str, system: System, out: Path, cargo: Path) -> Path:
    """Builds a wheel for a version of Python from an unpacked source distribution. `cargo` keeps what it compiled."""
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text(encoding="utf-8"))["toolchain"]["channel"]
    with tempfile.TemporaryDirectory(prefix="fuseboard-wheel-") as folder:
        target = ("--target", system.rust_target, "--compatibility", system.tag)
        run(
            *("maturin", "build", "--release", "--locked", "--zig", *target, "--interpreter", python, "--out", folder),
            folder=source,
            CARGO_TARGET_DIR=str(cargo),
            RUSTUP_TOOLCHAIN=toolchain,
            # A panic names the line of a dependency, not the folder of whoever built the wheel.
            RUSTFLAGS=f"--remap-path-prefix={CARGO_HOME}/registry/src=/cargo",
        )
        [built] = Path(folder).glob("*.whl")
        return without_paths(built, source, out)


def without_paths(built: Path, source: Path, out: Path) -> Path:
    """Takes the folder of the build out of a wheel's list of crates (SBOM), so the list is the same each time."""
    before = set(out.glob("*.whl"))
    with tempfile.TemporaryDirectory(prefix="fuseboard-wheel-") as folder:
        run(sys.executable, "-m", "wheel", "unpack", "--dest", folder, built)
        [content] = Path(folder).iterdir()
        for listing in content.glob("*.dist-info/sboms/*.json"):
            text = listing.read_text(encoding="utf-8")
            listing.write_text(text.replace(f"file://{source}", "file:///fuseboard"), encoding="utf-8")
        run(sys.executable, "-m", "wheel", "pack", "--dest-dir", out, content)
    [new] = set(out.glob("*.whl")) - before
    return new
