"""Two versions of Fuseboard on one host at once, as in a rolling deploy: each has a table of its own (rule T08).

The other version is this one's sources with another layout: another number, and a journal twice as long.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest
from rooms import ask, cannot

from fuseboard import Store

ROOT = Path(__file__).parents[2]
CRATES = ("crates/fuseboard-core", "crates/fuseboard-shm")
LAYOUT = Path("crates/fuseboard-core/src/layout.rs")
TARGET = ROOT / "target"
BUILDS = TARGET / "versions"
VERSION = int(re.findall(r"pub const VERSION: u64 = (\d+);", (ROOT / LAYOUT).read_text())[0])
BUILD_PATIENCE = 280

pytestmark = pytest.mark.timeout(BUILD_PATIENCE + 20)  # for the first to build, which compiles what the crates need


def change(path: Path, pattern: str, replacement: str) -> None:
    """Changes one place in a file."""
    text, places = re.subn(pattern, replacement, path.read_text())
    assert 1 == places, f"{pattern} in {path}"
    path.write_text(text)


def build(version: int) -> Path:
    """Builds the program with a layout of another journal and this number; where it lies.

    Where the Rust tests are built, and in the same place each time, so that cargo has little to build and to keep.
    """
    folder = BUILDS / f"sources-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    for crate in CRATES:
        # Plain copies, with new times: cargo takes what it built of another version for current otherwise.
        ignore = shutil.ignore_patterns("tests")
        shutil.copytree(ROOT / crate, folder / crate, ignore=ignore, copy_function=shutil.copyfile)
    for name in ("Cargo.toml", "Cargo.lock", "rust-toolchain.toml"):
        shutil.copy(ROOT / name, folder / name)
    change(folder / "Cargo.toml", r"(?m)^members = .*$", "members = " + json.dumps(CRATES))
    change(folder / "Cargo.toml", r'(?m)^version = ".*"$', f'version = "0.0.{version}"')
    change(folder / CRATES[0] / "Cargo.toml", r"(?s)\[\[test\]\].*?(?=\n\[)", "")
    change(folder / LAYOUT, rf"pub const VERSION: u64 = {VERSION};", f"pub const VERSION: u64 = {version};")
    change(folder / LAYOUT, r"(const JOURNAL_BYTES: usize = )", r"\g<1>2 * ")
    (folder / CRATES[1] / "examples").mkdir()
    shutil.copy(Path(__file__).with_name("other_version.rs"), folder / CRATES[1] / "examples")
    cargo = shutil.which("cargo")
    if cargo is None:
        cannot("cargo is not installed: what two versions do at once is not shown")
    command = [str(cargo), "build", "--quiet", "--package", "fuseboard-shm", "--example", "other_version"]
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET), "RUSTFLAGS": ""}
    done = subprocess.run(  # noqa: S603 - ours
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=BUILD_PATIENCE, check=False
    )
    assert 0 == done.returncode, done.stderr
    return Path(shutil.copy(TARGET / "debug/examples/other_version", BUILDS / f"other-version-{version}"))


@pytest.fixture(scope="module")
def newer() -> Path:
    """The next version, with a number of its own."""
    return build(VERSION + 1)


@pytest.fixture(scope="module")
def unnumbered() -> Path:
    """A version with another layout under the same number, as a mistake would make it."""
    return build(VERSION)


class OtherVersion:
    """A process of another version, which records a failure whenever it is asked."""

    def __init__(self, program: Path, folder: Path) -> None:
        command = [str(program), str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.opened = self._hear()

    def record(self) -> int:
        """Records a failure; how many there are."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self._hear())

    def _hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()


def test_two_versions_at_once_have_a_table_each(folder: Path, newer: Path) -> None:
    """T08: they work side by side, count for themselves, and neither changes, converts or removes the other's."""
    store = Store.shared("shop", fuses=16, strict=True)
    with OtherVersion(newer, folder) as first, OtherVersion(newer, folder) as second:
        assert first.opened == second.opened == str(store.path).replace(f".v{VERSION}.", f".v{VERSION + 1}.")
        counts = [(store.record_failure("db", 3600), first.record(), second.record()) for _ in range(3)]
    assert [(1, 1, 2), (2, 3, 4), (3, 5, 6)] == counts
    assert {Path(first.opened).name, Path(str(store.path)).name} == {file.name for file in folder.iterdir()}


def test_after_a_deploy_and_a_rollback_each_version_finds_its_own_table(folder: Path, newer: Path) -> None:
    """T08: whichever came first, and though nobody had the table open in between."""
    with OtherVersion(newer, folder) as other:
        assert 1 == other.record()
    assert [1, 2] == [ask([], "record", "shop") for _ in range(2)]
    with OtherVersion(newer, folder) as other:
        assert 2 == other.record()
    assert 3 == ask([], "record", "shop")


def test_another_layout_under_the_same_number_is_refused_by_both(folder: Path, unnumbered: Path) -> None:
    """T09: the header tells what the name does not; whoever comes second gets a clean refusal."""
    store = Store.shared("shop", strict=True)
    before = Path(str(store.path)).read_bytes()
    with OtherVersion(unnumbered, folder) as other:
        assert other.opened.startswith("version "), other.opened
    assert before == Path(str(store.path)).read_bytes()
    Path(str(store.path)).unlink()
    with OtherVersion(unnumbered, folder) as other:
        assert 1 == other.record()
        seen = ask([], "look", "shop")
        assert (False, "version", 1, True) == (seen["shared"], seen["reason"], seen["warnings"], seen["protects"])
        assert 2 == other.record()
