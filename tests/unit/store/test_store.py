"""Getting a store: shared, private and default ones, their names, and their life."""

import functools
import gc
import re
import stat
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard._store import registry
from fuseboard.testing import Clock
from helpers import trip


def test_a_store_is_never_called_into_being() -> None:
    """A store comes from a class method that says whose it is."""
    for arguments in ((), ("shop",)):
        with pytest.raises(TypeError, match=r"^use Store\.shared\(name\), Store\.private\(\) or Store\.default\(\)$"):
            Store(*arguments)


def test_a_private_store_is_this_processs_own() -> None:
    """It has no name, no path and no fault, and no other store sees it."""
    one, other = Store.private(), Store.private()
    one.set_open("db")
    assert (None, None, None, False) == (one.name, one.path, one.fault, one.is_shared)
    assert {} == other.all_states()
    assert "<Store private>" == repr(one)


def test_a_shared_store_is_a_private_file(folder: Path) -> None:
    """T11: in ``FUSEBOARD_DIR``, mode 0600, one name, its whole size allocated."""
    store = Store.shared("shop", strict=True)
    assert ("shop", True, None) == (store.name, store.is_shared, store.fault)
    (path,) = folder.iterdir()
    assert path == store.path
    found = path.stat()
    assert (0o600, 1, store.size_bytes) == (stat.S_IMODE(found.st_mode), found.st_nlink, found.st_size)
    assert found.st_size <= found.st_blocks * 512
    assert f"<Store 'shop' at {store.path}>" == repr(store)


def test_a_folder_that_is_missing_is_made(folder: Path) -> None:
    """T11: with mode 0700."""
    folder.rmdir()
    assert Store.shared("shop", strict=True).is_shared
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)


def test_one_name_is_one_store_of_the_process(folder: Path) -> None:
    """Opened once, for as long as somebody uses it."""
    one = Store.shared("shop")
    assert one is Store.shared("shop")
    assert one is not Store.shared("other")
    assert 2 == len(list(folder.iterdir()))


def test_one_name_in_another_folder_is_another_store(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry knows by name and folder."""
    one = Store.shared("shop")
    monkeypatch.setenv("FUSEBOARD_DIR", str(tmp_path / "other"))
    assert folder != tmp_path / "other"
    assert one is not Store.shared("shop")


@pytest.mark.usefixtures("folder")
def test_state_outlives_a_store() -> None:
    """The table lives as long as its file, not as long as a store on it."""
    with Store.shared("shop") as store:
        CircuitBreaker("db", store=store).isolate()
    del store
    gc.collect()
    assert State.ISOLATED is Store.shared("shop").state("db").state


@pytest.mark.usefixtures("folder")
def test_a_closed_store_is_opened_anew() -> None:
    """``close`` lets go; twice is no error, and a breaker on it goes on."""
    one = Store.shared("shop")
    breaker = CircuitBreaker("db", threshold=1, store=one)
    one.close()
    one.close()
    other = Store.shared("shop")
    assert one is not other
    trip(breaker)
    assert State.OPEN is other.state("db").state


@pytest.mark.usefixtures("folder")
def test_a_store_is_kept_until_it_is_closed() -> None:
    """A look-up of a name in use opens nothing anew, whoever kept the store."""
    reference = weakref.ref(Store.shared("shop"))
    gc.collect()
    assert reference() is Store.shared("shop")
    Store.shared("shop").close()
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "0", "x" * 64])
@pytest.mark.usefixtures("folder")
def test_a_store_name_is_a_plain_word(name: str) -> None:
    """1 to 64 letters, digits, dots, dashes and underscores."""
    store = Store.shared(name, strict=True)
    assert name == store.name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "-x", "_x", "a/b", "../x", "a b", "a\n", "a\0", "\u00e9", "x" * 65, ":private:"]
)
def test_a_store_name_that_could_be_a_path_is_refused(folder: Path, name: str) -> None:
    """The message says what is allowed, where a path goes, and what was given."""
    with pytest.raises(ValueError, match=r"^store name must be 1 to 64 letters, ") as caught:
        Store.shared(name)
    assert str(caught.value).endswith(f", got {name!r}; to choose the folder, set FUSEBOARD_DIR")
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("name", [None, 3, b"shop"])
def test_a_store_name_of_another_type_is_refused(name: object) -> None:
    """The message names the type and the value."""
    came = re.escape(f"{type(name).__name__}: {name!r}")
    with pytest.raises(TypeError, match=f"^store name must be a str, got {came}$"):
        Store.shared(name)


@pytest.mark.usefixtures("folder")
def test_the_default_store_is_shared_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """``FUSEBOARD_STORE``, or ``default``; opened at first use, then the same one."""
    registry.replace_default(None)
    monkeypatch.delenv("FUSEBOARD_STORE")
    store = Store.default()
    assert ("default", True) == (store.name, store.is_shared)
    assert store is Store.default()
    assert store is Store.shared("default")
    registry.replace_default(None)
    monkeypatch.setenv("FUSEBOARD_STORE", "shop")
    assert "shop" == Store.default().name


def test_the_default_store_can_be_private(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``FUSEBOARD_STORE=:private:`` touches no file."""
    registry.replace_default(None)
    monkeypatch.setenv("FUSEBOARD_STORE", ":private:")
    CircuitBreaker("db").call(int)
    assert (None, False) == (Store.default().name, Store.default().is_shared)
    assert [] == list(folder.iterdir())


def test_a_default_store_with_an_impossible_name_stops_no_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T12: who asks for the store is told; a breaker's call goes on under a private one that says why, and logs it."""
    registry.replace_default(None)
    monkeypatch.setenv("FUSEBOARD_STORE", "a/b")
    with pytest.raises(
        ValueError,
        match=r"^FUSEBOARD_STORE must be 1 to 64 letters, .* got 'a/b'; to choose the folder, set FUSEBOARD_DIR$",
    ):
        Store.default()
    breakers = [CircuitBreaker("db", threshold=1), CircuitBreaker("mail", threshold=1)]
    assert [0, 0] == [breaker.call(int) for breaker in breakers]
    assert State.CLOSED is breakers[0].state
    (record,) = caplog.records
    assert ("WARNING", "fuseboard") == (record.levelname, record.name)
    beginning = "store 'a/b' cannot be opened: FUSEBOARD_STORE: must be 1 to 64 letters, "
    assert record.getMessage().startswith(beginning)
    store = breakers[0].store
    assert store is breakers[1].store is Store.default()
    assert store.fault is not None
    assert ("a/b", False, "name", "FUSEBOARD_STORE") == (
        store.name, store.is_shared, store.fault.reason, store.fault.path,
    )  # fmt: skip
    assert f"{store.fault} This process uses a private table until it is restarted." == record.getMessage()
    assert str(store.fault).endswith(" Set FUSEBOARD_STORE to the name of a store.")
    trip(breakers[1])
    assert State.OPEN is breakers[1].state


def test_closing_the_default_store_opens_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breakers that follow it move on."""
    registry.replace_default(None)
    monkeypatch.setenv("FUSEBOARD_STORE", ":private:")
    breaker = CircuitBreaker("db", threshold=1)
    trip(breaker)
    Store.default().close()
    assert State.CLOSED is breaker.state


def test_now_is_the_hosts_boot_clock() -> None:
    """R14: never the wall clock; it runs on, and is the same for every store."""
    one, other = Store.private(), Store.private()
    before, between, after = one.now(), other.now(), one.now()
    assert before <= between <= after
    assert 3600 > after - before


def test_a_clock_can_be_given_and_moved(clock: Clock) -> None:
    """Tests move time, and sleep never."""
    store = Store.private(clock=clock)
    clock.advance(1.5)
    assert 1001.5 == store.now() == clock.now


@pytest.mark.parametrize("make", [Store.private, functools.partial(Store.shared, "shop")])
def test_what_is_no_clock_is_refused(folder: Path, make: Callable[..., Store]) -> None:
    """The message names the argument, its type and its value."""
    with pytest.raises(TypeError, match=r"^clock must be a fuseboard\.testing\.Clock or None, got int: 5$"):
        make(clock=5)
    assert [] == list(folder.iterdir())


PROGRAM = """
import os, sys, threading
before = set(os.listdir(sys.argv[1]))
import fuseboard
breaker = fuseboard.CircuitBreaker("db", threshold=3)
@breaker
def guarded():
    return 7
assert threading.active_count() == 1
assert set(os.listdir(sys.argv[1])) == before, "import made a file"
assert fuseboard._store.registry.default() is None, "import opened a store"
assert guarded() == 7
assert threading.active_count() == 1
assert os.listdir(os.environ["FUSEBOARD_DIR"]) != [], "the first call opens the store"
assert fuseboard._store.registry.default().is_shared
"""


def test_import_opens_nothing_and_the_first_call_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import does no I/O and starts no thread; nor does a breaker at module level, until it is called."""
    monkeypatch.setenv("FUSEBOARD_DIR", str(tmp_path / "absent"))
    monkeypatch.delenv("FUSEBOARD_STORE")
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_closing_a_store_lets_go_of_no_other(folder: Path) -> None:
    """A store on a clock of its own is not the one that others get by the name."""
    assert folder.is_dir()
    with Store.shared("shop", fuses=1, failures=2) as ours:
        Store.shared("shop", fuses=1, failures=2, clock=Clock()).close()
        assert ours is Store.shared("shop", fuses=1, failures=2)


def test_the_default_store_can_be_a_private_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """``FUSEBOARD_STORE=:private:`` asks for one."""
    monkeypatch.setenv("FUSEBOARD_STORE", ":private:")
    before = registry.replace_default(None)
    try:
        assert (None, None, False) == (Store.default().name, Store.default().fault, Store.default().is_shared)
    finally:
        registry.replace_default(before)
