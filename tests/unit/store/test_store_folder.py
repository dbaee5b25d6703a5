"""The folder that tables lie in: which may be named, and with which modes it is made and used (rule T11)."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard import Store, StoreOpenError

PATIENCE = 60
NOBODY = 65534
SHARE = """
import os, pathlib, sys
from fuseboard import Store
if os.geteuid() == 0 and len(sys.argv) > 1:
    os.setresuid(*[int(sys.argv[1])] * 3)
store = Store.shared("shop", fuses=4, failures=8)
assert store.record_failure("db", 3600) > 0
print("shared" if store.is_shared else store.fault.reason)
"""


def share(folder: Path, *arguments: str, umask: int = -1) -> tuple[str, str]:
    """Opens a store in a process of its own: ``shared``, or why not; and what was logged."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", SHARE, *arguments],
        capture_output=True, text=True, check=False, timeout=PATIENCE, umask=umask,
        env={**os.environ, "FUSEBOARD_DIR": str(folder)},
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip(), done.stderr


def mode(path: Path) -> int:
    """The permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("relative", ["tables", "./tables", "../tables", "~/tables"])
def test_a_relative_folder_is_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, relative: str
) -> None:
    """T11, T12: it would be another one for each working directory; one clear warning, and nothing is made."""
    here = tmp_path / "here"
    for path in (here, here / "tables", tmp_path / "tables"):
        path.mkdir(mode=0o700)
    monkeypatch.chdir(here)
    monkeypatch.setenv("FUSEBOARD_DIR", relative)
    with pytest.raises(StoreOpenError) as caught:
        Store.shared("shop", strict=True)
    assert ("folder", relative) == (caught.value.reason, str(caught.value.path))
    assert "is a relative path" in str(caught.value)
    assert str(caught.value).endswith("working directory. Set FUSEBOARD_DIR to an absolute path.")
    store = Store.shared("shop")
    assert (False, 1) == (store.record_failure("db", 10) != 1, len(caplog.records))
    assert not store.is_shared
    assert f"{caught.value} This process uses" in caplog.text
    assert [folder, here, here / "tables", tmp_path / "tables"] == sorted(tmp_path.rglob("*"))


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277, 0o777])
def test_the_umask_of_a_process_changes_no_mode(tmp_path: Path, umask: int) -> None:
    """T11: 0700 and 0600, whoever makes them; so processes of another umask can use them."""
    folder = tmp_path / "tables"
    assert ("shared", "") == share(folder, umask=umask)
    (file,) = folder.iterdir()
    assert (0o700, 0o600) == (mode(folder), mode(file))
    for another in (0o022, 0o777):
        assert ("shared", "") == share(folder, umask=another)
    assert [file] == list(folder.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path, umask: int) -> None:
    """T11: only a folder that we made is given a mode; one that is open to others stays so, and is not used."""
    folder = tmp_path / "tables"
    folder.mkdir()
    folder.chmod(0o750)
    told, logged = share(folder, umask=umask)
    assert ("folder", 1, 0o750) == (told, logged.count("has mode 0750"), mode(folder))
    assert [] == list(folder.iterdir())


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder of a user whom modes bind: ourselves, or nobody's if we are root."""
    with tempfile.TemporaryDirectory(prefix="fuseboard-test-", ignore_cleanup_errors=False) as path:
        folder = Path(path)
        if 0 == os.geteuid():
            os.chown(folder, NOBODY, NOBODY)
        yield folder
        folder.chmod(0o700)


def test_a_folder_of_the_user_is_used(nobodys: Path) -> None:
    """Control: nothing but the mode keeps the others from being used."""
    assert ("shared", "") == share(nobodys, str(NOBODY))


@pytest.mark.parametrize("permissions", [0o000, 0o300, 0o500, 0o600])
def test_a_folder_that_its_user_may_not_use_is_not_used(nobodys: Path, permissions: int) -> None:
    """T11, T12: one warning that says what is wrong and how to mend it; its mode is its user's affair."""
    nobodys.chmod(permissions)
    told, logged = share(nobodys, str(NOBODY))
    assert ("folder", 1) == (told, logged.count("cannot be opened"))
    assert f"has mode {permissions:04o}" in logged
    assert (
        "Make it a folder that belongs to this user and has mode 0700, or set FUSEBOARD_DIR to another folder."
        in logged
    )
    assert permissions == mode(nobodys)
