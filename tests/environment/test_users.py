"""Folders and files of other users: never used, whatever their mode (rule T11)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rooms import ask, cannot, room

from fuseboard import Store

ALICE, MALLORY = 54321, 54322
EMPTY = "mount -t tmpfs -o mode=1777 none /dev/shm"
PLACE = f"/dev/shm/fuseboard-{ALICE}"  # noqa: S108 - where Alice's tables are to be
SQUATTED = {
    "a folder": f"mkdir -m 755 {PLACE}",
    "a folder that nobody else may enter": f"mkdir -m 700 {PLACE}",
    "a folder that all may write": f"mkdir -m 777 {PLACE}",
    "a file": f"touch {PLACE}",
    "a link to a folder of Alice's": f"mkdir -m 700 /dev/shm/hers; chown {ALICE} /dev/shm/hers; ln -s hers {PLACE}",
    "a link to nowhere": f"ln -s nowhere {PLACE}",
}
"""What Mallory puts where Alice's folder is to be, before she comes."""


@pytest.fixture(autouse=True)
def root() -> None:
    """Only root can become others."""
    if os.geteuid():
        cannot("only root can become another user: what happens to other users' files is not shown")


@pytest.fixture
def open_folder(tmp_path: Path, folder: Path) -> Iterator[Path]:
    """A private folder whose parents others may pass."""
    parents = [path for path in (tmp_path, *tmp_path.parents) if path.stat().st_uid == 0 and path != Path("/tmp")]  # noqa: S108
    modes = {path: path.stat().st_mode for path in parents}
    for path, mode in modes.items():
        path.chmod(mode | 0o011)
    yield folder
    for path, mode in modes.items():
        path.chmod(mode)


def assert_refused(seen: dict[str, Any], reason: str, detail: str) -> None:
    """Checks T12: a table of the process's own, one warning, and the fault by name."""
    assert (False, reason, 1, True) == (seen["shared"], seen["reason"], seen["warnings"], seen["protects"])
    assert detail in seen["detail"]


@pytest.mark.parametrize("squat", SQUATTED.values(), ids=SQUATTED)
def test_a_place_that_another_user_took_is_not_used(squat: str) -> None:
    """T11, T12: nothing is written there, and no table is looked for elsewhere."""
    command = room(f"{EMPTY}\n{squat}\nchown -h {MALLORY}:{MALLORY} {PLACE}")
    seen = ask(command, "look_as", "shop", ALICE, FUSEBOARD_DIR=None)
    detail = "not a folder" if "ln" in squat or "touch" in squat else f"belongs to user {MALLORY}, not to user {ALICE}"
    assert_refused(seen, "owner" if "belongs" in detail else "folder", detail)
    assert (PLACE, []) == (seen["folder"], seen["files"])


def test_each_user_has_a_place_of_his_own() -> None:
    """T11: Control: where nobody took it, Alice makes her folder and shares her table."""
    seen = ask(room(EMPTY), "look_as", "shop", ALICE, FUSEBOARD_DIR=None)
    assert (True, PLACE, 0, 1) == (seen["shared"], seen["folder"], seen["warnings"], len(seen["files"]))


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_a_chosen_folder_of_another_user_is_not_used(open_folder: Path, mode: int) -> None:
    """T11, T12: also not to read; root's table in it is as it was."""
    store = Store.shared("shop", strict=True)
    store.set_open("db")
    open_folder.chmod(mode)
    seen = ask([], "look_as", "shop", ALICE)
    assert_refused(seen, "owner", f"belongs to user 0, not to user {ALICE}")
    assert "closed" == seen["state"]
    open_folder.chmod(0o700)
    assert {"db"} == set(Store.shared("shop", strict=True).all_states())


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o711])
def test_a_folder_that_others_may_write_or_enter_is_not_used(folder: Path, mode: int) -> None:
    """T11: neither with nor without the sticky bit that /tmp has."""
    folder.chmod(mode)
    seen = ask([], "look", "shop")
    assert_refused(seen, "folder", f"has mode {mode & 0o777:04o}")
    assert [] == seen["files"]


def test_a_table_of_another_user_in_our_folder_is_not_used(folder: Path) -> None:
    """T11: whoever put it there can write it."""
    table = Path(str(Store.shared("shop", strict=True).path))
    os.chown(table, MALLORY, MALLORY)
    seen = ask([], "look", "shop")
    assert_refused(seen, "foreign", f"belongs to user {MALLORY}, not to user 0")
    assert [table.name] == seen["files"]
    assert folder == table.parent


@pytest.mark.parametrize("command", ["show", "journal"])
def test_root_who_looks_first_takes_nothing_from_a_service(command: str) -> None:
    """T11: root looks where a service's table is to be; then the service comes, and shares its table."""
    seen = ask(room(EMPTY), "look_before_the_service", command, "shop", ALICE, FUSEBOARD_DIR=PLACE)
    assert (1, f"there is no store 'shop' of this user at {PLACE}") == (seen["code"], seen["said"].partition(";")[0])
    assert (True, PLACE, 0) == (seen["service"]["shared"], seen["service"]["folder"], seen["service"]["warnings"])


@pytest.mark.parametrize("command", ["show", "journal"])
def test_root_looks_at_a_service_by_its_folder(command: str) -> None:
    """Root reads the table of another user, and changes nothing of it; the service shares it as before."""
    seen = ask(room(EMPTY), "look_behind_the_service", command, "shop", ALICE, FUSEBOARD_DIR=PLACE)
    assert (0, "") == (seen["code"], seen["said"])
    assert "protects" in seen["shown"]
    assert (seen["bytes"], True, 0) == (seen["bytes_after"], seen["service"]["shared"], seen["service"]["warnings"])


def test_root_who_looks_elsewhere_is_told_where_to_look() -> None:
    """The command that is named shows the service's table."""
    seen = ask(room(EMPTY), "look_behind_the_service", "show", "shop", ALICE, FUSEBOARD_DIR=None)
    assert 1 == seen["code"]
    named = f"Other users have tables. To look at theirs: FUSEBOARD_DIR={PLACE} fuseboard show --store shop"
    assert seen["said"].endswith(named)


def test_others_are_told_as_whom_to_look() -> None:
    """T11: who may not enter the folder; the command that is named makes one that user."""
    said = ask(room(EMPTY), "refused_behind_the_service", "shop", ALICE, MALLORY, FUSEBOARD_DIR=PLACE)
    assert f"{PLACE}: belongs to user {ALICE}, not to user {MALLORY}" in said
    assert f"-u '#{ALICE}' fuseboard show --store shop" in said


def test_a_table_of_another_user_is_opened_to_read_alone() -> None:
    """T11: root may read it; to write, it must be root's own."""
    seen = ask(room(EMPTY), "open_behind_the_service", "shop", ALICE, FUSEBOARD_DIR=PLACE)
    assert ["closed -> open", "StoreReadOnlyError", "owner"] == seen
