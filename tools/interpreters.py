"""Finds the Pythons of this machine that the tests can run on, and runs commands with them.

It looks at the Python that runs it, on PATH, in pyenv's folder, and in the folder that `make debian-pythons` fills
(`.pythons`, or what `FUSEBOARD_PYTHONS` names). In that folder an entry is a Debian root, or an installation of its own
with a `bin` folder. Files with the right names are asked what they are, because a name can be wrong.

A Python of a Debian root runs inside that root, by bubblewrap: the root's own C library belongs to it. The checkout and
the Rust toolchain stand there at the same paths, and /tmp is a folder in target/pythons: tests of disks want one.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILDERS = ("pip>=25.1", "maturin>=1.9,<2")
"""What a new environment needs first: a pip that knows dependency groups, and what builds the package."""
MINORS = range(11, 16)
"""Of Python 3, the versions that the package supports: 3.11 to 3.15."""
NAME = re.compile(rf"python(3\.(?:{'|'.join(map(str, MINORS))}))(t|d|td|-dbg)?")
NETWORK = ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt")
IN_ROOTS = ("usr/local/bin", "usr/bin")
ASK = """
import json, platform, sys, sysconfig
kind = ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "") + ("d" if hasattr(sys, "gettotalrefcount") else "")
print(json.dumps([sys.implementation.name, "%d.%d" % sys.version_info[:2] + kind, platform.python_version()]))
"""


@dataclass(frozen=True)
class Interpreter:
    """One CPython. Its name is that of its version, with "t" if it is free-threaded and "d" if it is a debug build."""

    name: str
    version: str
    path: Path
    debian: Path | None = None

    @property
    def where(self) -> str:
        """Where it stands, for people."""
        return f"{self.path} in {self.debian}" if self.debian else str(self.path)

    def command(self, *command: str | Path, folder: Path = ROOT) -> list[str]:
        """What runs a command where this Python runs: on this system, or in its Debian root, which sees the folder."""
        return [*(inside(self.debian, folder) if self.debian else ()), *map(str, command)]


def inside(debian: Path, seen: Path = ROOT) -> list[str]:
    """What to put in front of a command so that it runs in a Debian root, in a folder that is seen there, as root."""
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    rustup = Path(os.environ.get("RUSTUP_HOME", Path.home() / ".rustup"))
    path = f"{cargo}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    system = ["--bind", debian, "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc", "--bind", "/sys", "/sys"]
    shared = [part for folder in (seen, cargo, rustup) if folder.exists() for part in ("--bind", folder, folder)]
    temporary = ROOT / "target/pythons/tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    temporary.chmod(0o1777)
    # Of this system, so that the network is seen there as here: also behind a proxy with certificates of its own.
    network = [part for path in NETWORK for part in ("--ro-bind-try", path, path)]
    command = ["bwrap", *system, *network, "--bind", temporary, "/tmp", *shared, "--cap-add", "ALL"]  # noqa: S108
    return [str(part) for part in (*command, "--setenv", "PATH", path, "--chdir", seen, "--")]


def find() -> dict[str, Interpreter]:
    """The Pythons of this machine by their names. Of two with one name, the first is taken."""
    found: dict[str, Interpreter] = {}
    for path, debian in candidates():
        named = NAME.fullmatch(path.name)
        if named and named[1] + (named[2] or "").replace("-dbg", "d") in found:
            continue
        interpreter = ask(path, debian)
        if interpreter:
            found.setdefault(interpreter.name, interpreter)
    return dict(sorted(found.items(), key=lambda entry: age(entry[0])))


def age(name: str) -> tuple[int, int, str]:
    """By what names are sorted: the version, then the kind."""
    version = re.match(r"(\d+)\.(\d+)(\w*)", name)
    return (int(version[1]), int(version[2]), version[3]) if version else (0, 0, name)


def candidates() -> Iterator[tuple[Path, Path | None]]:
    """Files that may be Pythons, each with its Debian root if it has one."""
    yield Path(sys.executable), None
    for searched in os.get_exec_path():
        yield from ((path, None) for path in pythons_in(Path(searched)))
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in sorted(versions.glob("*"), key=lambda folder: age(folder.name), reverse=True):
        yield from ((path, None) for path in pythons_in(version / "bin"))
    for folder in sorted(pythons_folder().glob("[!.]*")):  # a root that is being made has a name with a dot
        if not is_debian(folder):
            yield from ((path, None) for path in pythons_in(folder / "bin"))
            continue
        for part in IN_ROOTS:
            paths = pythons_in(folder / part)
            here = (path for path in paths if processor_of(path) == processor_of(Path(sys.executable)))
            yield from ((Path("/") / part / path.name, folder) for path in here)


def pythons_in(folder: Path) -> list[Path]:
    """The files of a folder that are called as Pythons are."""
    return sorted(path for path in folder.glob("python3.*") if NAME.fullmatch(path.name))


def processor_of(program: Path) -> bytes:
    """For which processor a program of Linux is: `make platforms` keeps a Debian root of another one beside these."""
    with program.open("rb") as file:
        return file.read(20)[18:]  # e_machine, in the header of ELF


def pythons_folder() -> Path:
    """Where `make debian-pythons` puts its roots."""
    return Path(os.environ.get("FUSEBOARD_PYTHONS") or ROOT / ".pythons").resolve()


def is_debian(folder: Path) -> bool:
    """Whether a folder is the root of a Debian system that was made to the end."""
    return (folder / "etc/debian_version").is_file()


@functools.cache
def ask(path: Path, debian: Path | None) -> Interpreter | None:
    """What a file says that it is, if it runs and is a CPython."""
    if debian and not shutil.which("bwrap"):
        print(f"{debian} is not looked at: bubblewrap is missing (apt-get install bubblewrap)", file=sys.stderr)
        return None
    command = [*(inside(debian) if debian else ()), str(path), "-I", "-c", ASK]
    try:
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        implementation, name, version = json.loads(told)
    except (OSError, subprocess.CalledProcessError, ValueError):  # a shim without a Python behind it
        return None
    return Interpreter(name, version, path, debian) if implementation == "cpython" else None


def main() -> None:
    """Say what was found."""
    for interpreter in find().values():
        print(f"{interpreter.name:<6} {interpreter.version:<9} {interpreter.where}")


if __name__ == "__main__":
    main()
