"""Another boot and another time namespace: a fresh table, and the old one is left alone (rule T09)."""

from pathlib import Path

import pytest
from rooms import apart, ask, room

from fuseboard import Store

REBOOTED = 'mount --bind "$1" /proc/sys/kernel/random/boot_id'


@pytest.fixture
def rebooted(tmp_path: Path) -> list[str]:
    """The command that runs another as if the host had been started anew, on a disk that outlives that."""
    boot = tmp_path / "boot"
    boot.write_text("6f7a0c1e-54b5-4f4c-9f0e-3d1f0f6f2a11\n")
    return room(REBOOTED, boot)


def test_after_another_boot_there_is_a_fresh_table(folder: Path, rebooted: list[str]) -> None:
    """T09: stamps of another boot mean nothing, so its table is neither used, nor changed, nor removed."""
    store = Store.shared("shop", strict=True)
    store.set_open("db")
    old = Path(str(store.path))
    before = old.read_bytes()
    seen = ask(rebooted, "look", "shop")
    assert (True, "closed", 0, True) == (seen["shared"], seen["state"], seen["warnings"], seen["protects"])
    assert str(folder) == seen["folder"]
    assert 2 == len({*seen["files"], old.name})
    assert before == old.read_bytes()


def test_processes_of_one_boot_share_its_table(rebooted: list[str], folder: Path) -> None:
    """Goal 3: those of the new boot meet in one table. Control: so do those of this one, in another."""
    assert [1, 2, 3] == [ask(rebooted, "record", "shop") for _ in range(3)]
    assert 1 == Store.shared("shop", strict=True).record_failure("db", 60)
    assert 2 == ask([], "record", "shop")
    assert 2 == len(list(folder.iterdir()))


def test_a_table_of_another_boot_in_our_place_is_not_used(folder: Path, rebooted: list[str]) -> None:
    """T09: a copy under this boot's name is told by its header; it is refused and stays as it is."""
    ours = Path(str(Store.shared("shop", strict=True).path))
    ask(rebooted, "record", "shop")
    (theirs,) = set(folder.iterdir()) - {ours}
    theirs.replace(ours)
    before = ours.read_bytes()
    seen = ask([], "look", "shop")
    assert (False, "foreign", True) == (seen["shared"], seen["reason"], seen["protects"])
    assert "belongs to another boot" in seen["detail"]
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
