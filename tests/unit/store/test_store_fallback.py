"""A host's table that cannot be had: a table of the process's own instead (rules T08 to T12)."""

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, State, Store, StoreOpenError
from helpers import rejection, trip

VERSION_OFFSET = 8
FINGERPRINT_OFFSET = 16
SLOTS_OFFSET = 24
BOOT_OFFSET = 40


def write(path: Path, offset: int, content: bytes) -> None:
    """Writes into a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def replace_by_link(path: Path) -> None:
    """Puts a symbolic link to a sound table in the place of a table."""
    target = path.with_name("moved")
    path.rename(target)
    path.symlink_to(target)


def replace_by_folder(path: Path) -> None:
    """Puts a folder in the place of a table."""
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path) -> None:
    """Puts a pipe in the place of a table."""
    path.unlink()
    os.mkfifo(path, 0o600)


FILE_FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "empty": (lambda path: os.truncate(path, 0), "foreign", "is not a Fuseboard table"),
    "half a header": (lambda path: os.truncate(path, 100), "foreign", "has 100 bytes, which does not match"),
    "truncated": (lambda path: os.truncate(path, 8192), "foreign", "has 8192 bytes, which does not match"),
    "too long": (lambda path: os.truncate(path, path.stat().st_size + 4096), "foreign", "which does not match"),
    "foreign bytes": (lambda path: write(path, 0, b"SQLite 3"), "foreign", "is not a Fuseboard table"),
    "nonsense for a size": (lambda path: write(path, SLOTS_OFFSET, b"\xff" * 8), "foreign", "which does not match"),
    "another boot": (lambda path: write(path, BOOT_OFFSET, b"\1" * 8), "foreign", "was created during another boot"),
    "a later version": (lambda path: write(path, VERSION_OFFSET, b"\3"), "version", "has layout version 3"),
    "not yet a version": (lambda path: write(path, VERSION_OFFSET, b"\0"), "version", "has layout version 0"),
    "another layout": (
        lambda path: write(path, FINGERPRINT_OFFSET, b"\0" * 8),
        "version",
        "this version of Fuseboard uses layout",
    ),
    "open to others": (lambda path: path.chmod(0o644), "foreign", "has mode 0644"),
    "executable": (lambda path: path.chmod(0o700), "foreign", "has mode 0700"),
    "a second name": (
        lambda path: os.link(path, path.with_name("twin")),
        "foreign",
        "has 2 hard links, but a table has one",
    ),
    "a symbolic link": (replace_by_link, "foreign", "is a symbolic link"),
    "a folder": (replace_by_folder, "foreign", "is not a regular file"),
    "a pipe": (replace_by_pipe, "foreign", "is not a regular file"),
}


def link_folder(folder: Path) -> None:
    """Puts a symbolic link to a private folder in the place of the folder."""
    target = folder.with_name("elsewhere")
    folder.rename(target)
    folder.symlink_to(target, target_is_directory=True)


def replace_folder_by_file(folder: Path) -> None:
    """Puts a file in the place of the folder."""
    folder.rmdir()
    folder.touch(0o600)


def remove_parent(folder: Path) -> None:
    """Leaves no place to make the folder in."""
    shutil.rmtree(folder.parent)


FOLDER_FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "readable by others": (lambda folder: folder.chmod(0o755), "folder", "has mode 0755"),
    "writable by the group": (lambda folder: folder.chmod(0o770), "folder", "has mode 0770"),
    "a symbolic link": (link_folder, "folder", "is not a folder, or is a symbolic link"),
    "a file": (replace_folder_by_file, "folder", "is not a folder, or is a symbolic link"),
    "nowhere": (remove_parent, "system", "cannot create the folder"),
}


def assert_falls_back(caplog: pytest.LogCaptureFixture, reason: str, found: str) -> None:
    """Checks T12: strict raises; else a private table, exactly one warning, and the flags."""
    with pytest.raises(StoreOpenError) as caught:
        Store.shared("shop", fuses=4, failures=8, strict=True)
    error = caught.value
    assert (reason, "shop", True) == (error.reason, error.store, found in error.detail)
    assert [] == caplog.records
    store = Store.shared("shop", fuses=4, failures=8)
    assert (False, None, "shop") == (store.is_shared, store.path, store.name)
    assert store.fault is not None
    assert (error.reason, error.path, error.detail) == (store.fault.reason, store.fault.path, store.fault.detail)
    (record,) = caplog.records
    expected = f"{error} This process uses a private table until it is restarted."
    assert ("WARNING", expected) == (record.levelname, record.getMessage())
    assert_works(store)
    assert store is Store.shared("shop")
    assert 1 == len([record for record in caplog.records if "private table" in record.getMessage()])


def assert_works(store: Store) -> None:
    """Protection goes on, within the process."""
    breaker = CircuitBreaker("db", threshold=2, store=store)
    trip(breaker)
    assert rejection(breaker) is not None
    assert State.OPEN is store.state("db").state
    assert store.snapshot()["db"].is_local
    assert "<Store 'shop' fallen back to a private table>" == repr(store)


@pytest.mark.parametrize(("damage", "reason", "found"), FILE_FAULTS.values(), ids=FILE_FAULTS)
def test_a_file_that_is_no_sound_table_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], object], reason: str, found: str
) -> None:
    """T09 to T12: a clean error or a private table, never a crash, and the file is left as it is."""
    with Store.shared("shop", fuses=4, failures=8, strict=True):
        (path,) = folder.iterdir()
    gc.collect()
    damage(path)
    before = sorted((entry.name, entry.lstat().st_mode, entry.lstat().st_size) for entry in folder.iterdir())
    assert_falls_back(caplog, reason, found)
    after = sorted((entry.name, entry.lstat().st_mode, entry.lstat().st_size) for entry in folder.iterdir())
    assert before == after


@pytest.mark.parametrize(("damage", "reason", "found"), FOLDER_FAULTS.values(), ids=FOLDER_FAULTS)
def test_a_folder_that_is_not_private_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], object], reason: str, found: str
) -> None:
    """T11, T12: owner, mode and kind of the folder are checked."""
    damage(folder)
    assert_falls_back(caplog, reason, found)


def test_strict_goes_on_asking(folder: Path) -> None:
    """Once the fault is mended a strict opening finds the host's table, and so does everybody after it."""
    folder.chmod(0o755)
    fallback = Store.shared("shop")
    folder.chmod(0o700)
    assert fallback is Store.shared("shop")
    store = Store.shared("shop", strict=True)
    assert (True, True) == (store.is_shared, store is Store.shared("shop"))


def test_the_default_store_falls_back_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T12: a breaker at module level works wherever it finds itself."""
    folder.chmod(0o755)
    monkeypatch.setenv("FUSEBOARD_STORE", "shop")
    Store.default().close()
    breakers = [CircuitBreaker(name) for name in ("a", "b")]
    assert [0, 0] == [breaker.call(int) for breaker in breakers]
    assert {"folder"} == {breaker.store.fault.reason for breaker in breakers}
    assert 1 == len(caplog.records)


NO_ROOM = """
import resource
from fuseboard import Store, StoreOpenError
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    Store.shared("shop", strict=True)
except StoreOpenError as error:
    print(error.reason)
store = Store.shared("shop")
store.set_open("db")
print(store.is_shared, store.state("db").state)
"""


def test_a_table_that_finds_no_room_leaves_nothing_behind(folder: Path) -> None:
    """T08, T12: every byte is reserved when the table is made, so want of room is met there."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", NO_ROOM], capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, ["system", "False", "State.OPEN"]) == (done.returncode, done.stdout.split())
    assert 1 == done.stderr.count("a private table")
    assert [] == list(folder.iterdir())
