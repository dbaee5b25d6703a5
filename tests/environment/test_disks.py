"""Disks and shared memory that are full or read-only: a private table, one warning, nothing left behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rooms import ask, cannot, room, run

from fuseboard import Store

SMALL = 'mount -t tmpfs -o size=1m,mode=0700 none "$1"'
READ_ONLY = 'mount --bind "$1" "$1"\nmount -o remount,bind,ro,nosuid,nodev,noexec "$1"'


def assert_own_table(seen: dict[str, Any], reason: str, detail: str) -> None:
    """Checks T12: the process protects itself with a table of its own, says so once, and says why."""
    assert (False, reason, 1, True) == (seen["shared"], seen["reason"], seen["warnings"], seen["protects"])
    assert detail in seen["detail"]


def test_a_full_disk_at_creation_means_a_table_of_its_own(folder: Path) -> None:
    """T08, T12: the table finds no room when it is made, and nothing of it is left."""
    seen = ask(room(SMALL, folder), "look", "shop")
    assert_own_table(seen, "full", "No space left on device")
    assert (str(folder), []) == (seen["folder"], seen["files"])


def test_a_disk_that_runs_full_later_does_no_harm(folder: Path) -> None:
    """T08: every byte of a table was reserved, so all fuses can be used, and the table can be opened anew."""
    seen = ask(room(SMALL.replace("1m", "3m"), folder), "use_on_a_full_disk", "shop", folder)
    assert (256, 500, 0) == (seen["counts"], seen["fuses"], seen["overflowed"])
    assert (True, None) == (seen["again"]["shared"], seen["again"]["reason"])


def test_a_file_that_is_not_reserved_is_found_out(folder: Path) -> None:
    """Control: on the same disk a file with holes ends the process that writes into them."""
    done = run(room(SMALL.replace("1m", "3m"), folder), "use_a_sparse_file", folder)
    assert -signal.SIGBUS == done.returncode


@pytest.mark.parametrize("limit", ["size=1m", "size=64m,nr_inodes=1"])
def test_a_full_shared_memory_is_no_reason_to_go_elsewhere(folder: Path, limit: str) -> None:
    """T11: the place is decided by what the host is, not by the room that is left, or two processes could part."""
    command = room(f"mount -t tmpfs -o {limit},mode=1777 none /dev/shm")
    seen = ask(command, "look", folder.parent.name, FUSEBOARD_DIR=None)
    assert_own_table(seen, "full", "No space left on device")
    assert ("/dev/shm/fuseboard-0", []) == (seen["folder"], seen["files"])  # noqa: S108 - in the room everybody is root


@pytest.fixture
def temporary_table(folder: Path) -> Iterator[str]:
    """The name of a store, whose table in /tmp is removed afterwards."""
    if os.geteuid():
        cannot("in a room everybody is root, and only root may make root's folder: the table in /tmp is not shown")
    name = f"world-{os.getpid()}-{folder.parent.name[-20:]}"
    yield name
    place = Path("/tmp/fuseboard-0")  # noqa: S108
    for table in place.glob(f"{name}.*"):
        table.unlink()
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def test_where_shared_memory_may_not_be_written_the_table_is_in_tmp(temporary_table: str) -> None:
    """T11: then it is so for all processes of the host, so they meet there."""
    command = room("mount -t tmpfs -o ro none /dev/shm")
    seen = ask(command, "look", temporary_table, FUSEBOARD_DIR=None)
    assert (True, "/tmp/fuseboard-0") == (seen["shared"], seen["folder"])  # noqa: S108
    assert [1, 2] == [ask(command, "record", temporary_table, FUSEBOARD_DIR=None) for _ in range(2)]


def test_no_table_is_made_on_a_read_only_disk(folder: Path) -> None:
    """T12: it cannot be shared, so the process has one of its own."""
    seen = ask(room(READ_ONLY, folder), "look", "shop")
    assert_own_table(seen, "system", "Read-only file system")
    assert [] == seen["files"]


def test_a_table_on_a_disk_that_became_read_only_is_left_alone(folder: Path) -> None:
    """T12: who may not write it does not read it either; for all others it is as it was."""
    store = Store.shared("shop", strict=True)
    store.set_open("db")
    before = Path(str(store.path)).read_bytes()
    seen = ask(room(READ_ONLY, folder), "look", "shop")
    assert_own_table(seen, "system", "Read-only file system")
    assert ("closed", [Path(str(store.path)).name]) == (seen["state"], seen["files"])
    assert before == Path(str(store.path)).read_bytes()
    assert 1 == ask([], "record", "shop")
