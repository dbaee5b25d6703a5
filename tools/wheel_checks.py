"""What a file of a release must hold, and what it must not.

Each check gives a list of faults in words; an empty list means that the file is right.
"""

import json
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from interpreters import ROOT
from wheel_build import CARGO_HOME, BuildError, System, run

IN_DIST_INFO = (
    "METADATA",
    "RECORD",
    "WHEEL",
    "entry_points.txt",
    "licenses/LICENSE",
    "sboms/fuseboard-py.cyclonedx.json",
)
NOT_IN_SOURCES = re.compile(r"\.ci/|(.*/)?\.gitignore$|\.pre-commit-config\.yaml$|rust-toolchain\.toml$")
"""What is committed and serves only those who work in a clone; `exclude` in pyproject.toml says the same."""
LARGEST = 4 * 1024 * 1024
"""Bytes that no file of a release may reach."""


def faults_of_sources(archive: Path) -> list[str]:
    """Whether a source distribution holds all that is committed, and nothing else."""
    committed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    expected = {name for name in committed.split("\0") if name and not NOT_IN_SOURCES.match(name)} | {"PKG-INFO"}
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    return [*differences(expected, names), *faults_of_any(archive)]


def faults_of_wheel(wheel: Path, package: Path, python: str, system: System, builder: Path) -> list[str]:
    """Whether a wheel holds the package of its sources and one compiled module, is what its name says, and can be sent.

    `package` is the folder of the package in the sources, `builder` the folder in which the wheel was built.
    """
    faults = [*wrong_names(wheel, package, python, system), *named_folders(wheel, {builder, ROOT, CARGO_HOME})]
    try:
        run("check-wheel-contents", wheel)
    except BuildError as error:
        faults.append(str(error))
    return [*faults, *faults_of_symbols(wheel, system), *faults_of_any(wheel)]


def wrong_names(wheel: Path, package: Path, python: str, system: System) -> list[str]:
    """Files that a wheel lacks, and files that it should not have, such as the compiled module of another Python."""
    module = f"fuseboard/_core.cpython-{python.replace('.', '')}-{system.processor}-linux-{system.libc}.so"
    files = {f"fuseboard/{path.relative_to(package)}" for path in package.rglob("*") if path.is_file()}
    dist_info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    expected = {module, *files, *(f"{dist_info}/{name}" for name in IN_DIST_INFO)}
    with zipfile.ZipFile(wheel) as content:
        return differences(expected, set(content.namelist()))


def named_folders(wheel: Path, folders: set[Path]) -> list[str]:
    """Files of a wheel that name a folder of the machine that built it."""
    with zipfile.ZipFile(wheel) as content:
        texts = [(name, content.read(name)) for name in content.namelist()]
    return [f"{name} names {folder}" for name, text in texts for folder in folders if str(folder).encode() in text]


def faults_of_any(file: Path) -> list[str]:
    """Whether the package index takes the file, by its metadata and its size."""
    faults = [f"it has {file.stat().st_size} bytes"] if file.stat().st_size >= LARGEST else []
    try:
        run("twine", "check", "--strict", file)
    except BuildError as error:
        faults.append(str(error))
    return faults


def faults_of_symbols(wheel: Path, system: System) -> list[str]:
    """Whether the compiled module needs no more of a system than its tag allows."""
    found = audit(wheel)
    tag = f"{system.tag}_{system.processor}"
    # musl's loader answers for its own C library by any name; auditwheel knows only Alpine's.
    allowed = {"libc.so"} if system.libc == "musl" else set()
    faults = [f"it needs the library {name}" for name in set(found["external_libs"]) - allowed]
    if found["sym_tag"] != tag or tag not in wheel.name:
        faults.append(f"its symbols are those of {found['sym_tag']}, which is not {tag}")
    return faults


def newest_glibc(wheel: Path) -> str:
    """The newest version of glibc that a symbol of the compiled module asks for; "none" if it asks for none."""
    symbols = [symbol for symbols in audit(wheel)["versioned_symbols"].values() for symbol in symbols]
    versions = [tuple(map(int, symbol.removeprefix("GLIBC_").split("."))) for symbol in symbols if "GLIBC_" in symbol]
    return ".".join(map(str, max(versions))) if versions else "none"


def audit(wheel: Path) -> dict[str, Any]:
    """What auditwheel says of a wheel."""
    said = run("auditwheel", "show", "--json", wheel)
    found: dict[str, Any] = json.JSONDecoder().raw_decode(said, said.index("{"))[0]  # a warning may stand before it
    return found


def installed_size(wheel: Path) -> int:
    """The bytes of what a wheel installs."""
    with zipfile.ZipFile(wheel) as content:
        return sum(file.file_size for file in content.infolist())


def differences(expected: set[str], names: set[str]) -> list[str]:
    """Names that are missing, and names that should not be there."""
    missing = [f"{name} is missing" for name in sorted(expected - names)]
    return missing + [f"{name} should not be there" for name in sorted(names - expected)]
