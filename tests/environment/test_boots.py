"""Another boot and another time namespace: a fresh table, and the old one is left alone (rule T09)."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rooms import apart, ask, cannot, room

from fuseboard import Store

REBOOTED = 'mount --bind "$1" /proc/sys/kernel/random/boot_id'
HIDDEN = {
    "hidden": "mount -t tmpfs -o size=4k,mode=0555 none /proc/sys",
    "systemd's ProcSubset=pid": "mount -t proc -o subset=pid none /proc",
}
"""Ways in which /proc/sys, where the boot's number stands, is taken away."""


@pytest.fixture
def disk(folder: Path) -> Path:
    """A folder that outlives a boot."""
    if file_system(folder) == "tmpfs":
        cannot(f"{folder} is in memory: what a boot does to a table on a disk is not shown")
    return folder


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in shared memory, to which ``FUSEBOARD_DIR`` points."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of ours is made in it
    if not os.access(shared, os.W_OK) or file_system(shared) != "tmpfs":
        cannot("/dev/shm is not in memory, or not to be written: what is shared there is not shown")  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="fuseboard-test-", dir=shared) as path:
        monkeypatch.setenv("FUSEBOARD_DIR", path)
        yield Path(path)


def file_system(path: Path) -> str:
    """The kind of file system that a path is on."""
    return subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603, S607


@pytest.fixture
def rebooted(tmp_path: Path) -> list[str]:
    """The command that runs another as if the host had been started anew, on a disk that outlives that."""
    boot = tmp_path / "boot"
    boot.write_text("6f7a0c1e-54b5-4f4c-9f0e-3d1f0f6f2a11\n")
    return room(REBOOTED, boot)


def test_after_another_boot_there_is_a_fresh_table(disk: Path, rebooted: list[str]) -> None:
    """T09: stamps of another boot mean nothing, so its table is neither used, nor changed, nor removed."""
    store = Store.shared("shop", strict=True)
    store.set_open("db")
    old = Path(str(store.path))
    before = old.read_bytes()
    seen = ask(rebooted, "look", "shop")
    assert (True, "closed", 0, True) == (seen["shared"], seen["state"], seen["warnings"], seen["protects"])
    assert str(disk) == seen["folder"]
    assert 2 == len({*seen["files"], old.name})
    assert before == old.read_bytes()


def test_processes_of_one_boot_share_its_table(rebooted: list[str], disk: Path) -> None:
    """Goal 3: those of the new boot meet in one table. Control: so do those of this one, in another."""
    assert [1, 2, 3] == [ask(rebooted, "record", "shop") for _ in range(3)]
    assert 1 == Store.shared("shop", strict=True).record_failure("db", 60)
    assert 2 == ask([], "record", "shop")
    assert 2 == len(list(disk.iterdir()))


def test_a_table_of_another_boot_in_our_place_is_not_used(disk: Path, rebooted: list[str]) -> None:
    """T09: a copy under this boot's name is told by its header; it is refused and stays as it is."""
    ours = Path(str(Store.shared("shop", strict=True).path))
    ask(rebooted, "record", "shop")
    (theirs,) = set(disk.iterdir()) - {ours}
    theirs.replace(ours)
    before = ours.read_bytes()
    seen = ask([], "look", "shop")
    assert (False, "foreign", True) == (seen["shared"], seen["reason"], seen["protects"])
    assert "was created during another boot" in seen["detail"]
    assert before == ours.read_bytes()


@pytest.mark.parametrize("offset", ["100000", "-1"])
def test_another_time_namespace_shares_no_stamps(folder: Path, offset: str) -> None:
    """T09, R14: its clock runs apart from ours, so its fuses are its own, and ours go on unchanged."""
    store = Store.shared("shop", strict=True)
    store.set_open("db")
    before = store.now()
    seen = ask(apart("--time", "--boottime", offset), "look", "shop")
    assert (True, "closed", True) == (seen["shared"], seen["state"], seen["protects"])
    assert before + float(offset) <= seen["now"] <= store.now() + float(offset)
    assert "open" == store.state("db").state.value
    assert 2 == len(list(folder.iterdir()))


def test_containers_that_share_the_folder_share_the_table(folder: Path) -> None:
    """Goal 3: four processes, each alone in a pid namespace with a /proc of its own, count their failures together."""
    command = apart("--pid", "--fork", "--kill-child", "--mount", "--mount-proc")
    assert [1, 2, 3, 4] == [ask(command, "record", "shop") for _ in range(4)]
    assert 5 == ask([], "record", "shop")
    assert 1 == len(list(folder.iterdir()))


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)
def test_who_may_not_know_the_boot_shares_a_table_in_memory(memory: Path, hide: str) -> None:
    """T09: memory is emptied by a boot, so those who see its number and those who do not need not tell boots apart."""
    hidden = room(hide)
    assert [1, 2, 3, 4] == [ask(command, "record", "shop") for command in (hidden, [], hidden, [])]
    assert 1 == len(list(memory.iterdir()))


def test_a_boot_has_no_number_in_memory(memory: Path, rebooted: list[str]) -> None:
    """Control: it is not that the number happens to be read some other way."""
    assert [1, 2] == [ask(command, "record", "shop") for command in ([], rebooted)]
    assert 1 == len(list(memory.iterdir()))


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)
def test_who_may_not_know_the_boot_shares_nothing_on_a_disk(disk: Path, hide: str) -> None:
    """T09, T12: a guess could be another one's, so there is a table of its own, and the words name the way out."""
    seen = ask(room(hide), "look", "shop")
    assert (False, "system", 1, True) == (seen["shared"], seen["reason"], seen["warnings"], seen["protects"])
    assert all(word in seen["detail"] for word in ("cannot find out the boot", "/dev/shm"))  # noqa: S108
    assert [] == list(disk.iterdir())


def test_without_proc_nobody_can_tell_which_time_is_shared(memory: Path) -> None:
    """T09: its clock may run apart from that of others, so its table is its own."""
    seen = ask(room("mount -t tmpfs -o size=4k none /proc"), "look", "shop")
    assert (False, "system", True) == (seen["shared"], seen["reason"], seen["protects"])
    assert "cannot find out the time namespace" in seen["detail"]
    assert [] == list(memory.iterdir())
