"""``Store.existing``: a table that is there is read, and nothing that reads makes or changes anything."""

import copy
import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from damage import WORD, die_untold, words_of
from fuseboard import Cause, CircuitBreaker, FuseboardError, State, Store, StoreOpenError, StoreReadOnlyError
from fuseboard.cli import main
from helpers import fail, wait_until

KEYS = 4096
KEY_WORDS = 4
LONG_AGO = 1_000_000_000


@pytest.fixture
def shop(folder: Path) -> Iterator[Store]:
    """A service's store with a fuse that is open, one that counts, and one that is isolated."""
    assert folder.is_dir()
    with Store.shared("shop", fuses=16, failures=16, strict=True) as store:
        store.set_open("payments")
        fail(CircuitBreaker("search", store=store))
        CircuitBreaker("maps", store=store).isolate()
        yield store


@pytest.fixture
def path(shop: Store) -> Path:
    """Where its table lies."""
    return Path(str(shop.path))


def digest(path: Path) -> tuple[str, int]:
    """What a file holds, and when it was written."""
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns


WRITES: dict[str, Callable[[Store], object]] = {
    "record_failure": lambda store: store.record_failure("payments", 10),
    "record_success": lambda store: store.record_success("payments"),
    "set_open": lambda store: store.set_open("payments"),
    "set_half_open": lambda store: store.set_half_open("payments"),
    "set_closed": lambda store: store.set_closed("never seen"),
    "remove": lambda store: store.remove("never seen"),
    "reset_all": lambda store: store.reset_all(),
    "isolate": lambda store: store.isolate("payments", for_=10, why="a test", who="somebody"),
    "disable": lambda store: store.disable("payments"),
    "reset": lambda store: store.reset("payments"),
    "a breaker": lambda store: CircuitBreaker("payments", store=store),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_would_write_is_refused_before_anything_happens(
    shop: Store, path: Path, write: Callable[[Store], object]
) -> None:
    """The message names the store and the way out. Control: where it may be written, it is done."""
    before = digest(path)
    with Store.existing("shop") as store, pytest.raises(StoreReadOnlyError) as caught:
        write(store)
    assert isinstance(caught.value, FuseboardError)
    assert "shop" == caught.value.store
    for part in (
        "store 'shop' was opened for reading only",
        "Store.existing('shop', writable=True)",
        "Store.shared('shop')",
    ):
        assert part in str(caught.value)
    assert str(caught.value) == str(copy.copy(pickle.loads(pickle.dumps(caught.value))))  # noqa: S301 - our own
    assert before == digest(path)
    with Store.existing("shop", writable=True) as store:
        write(store)
    assert shop.is_shared


def test_all_that_reads_says_what_the_service_says(shop: Store) -> None:
    """One table, two ways to look at it."""
    with Store.existing("shop") as store:
        for name in ("payments", "search", "maps", "never seen"):
            assert shop.state(name) == store.state(name)
        assert shop.all_states() == store.all_states()
        assert shop.snapshot() == store.snapshot()
        assert shop.journal() == store.journal() != []
        numbers = ("fuse_capacity", "failure_capacity", "size_bytes", "overflowed", "journal_dropped")
        for number in (*numbers, "is_removed", "path", "name", "is_shared", "fault"):
            assert getattr(shop, number) == getattr(store, number)
        assert shop.now() <= store.now() <= shop.now()
        assert f"<Store 'shop' at {shop.path}, to read only>" == repr(store)


def leave_ruins(shop: Store, path: Path) -> None:
    """Transitions that nobody told, a claim that nobody confirmed, and words that mean nothing."""
    for state in ("payments", "maps"):
        die_untold(path, shop.snapshot()[state].generation)
    words = words_of(path)
    slots = [KEYS // WORD + KEY_WORDS * slot for slot in range(shop.fuse_capacity)]
    free = [place for place in slots if not any(words[place : place + KEY_WORDS])]
    words[free[0]] = 0x1234_5678_9ABC_0001
    words[free[1]] = words[free[1] + 1] = (1 << 64) - 1
    os.utime(path, ns=(LONG_AGO, LONG_AGO))


def read_all(store: Store) -> None:
    """Everything that reads."""
    told: list[object] = []
    with store.subscribe(told.append):
        for _ in range(3):
            assert {"payments", "search", "maps"} <= {*store.all_states(), *store.snapshot()}
            assert 2 == len(store.journal())
            assert (State.OPEN, State.ISOLATED) == (store.state("payments").state, store.state("maps").state)
            assert store.journal_dropped >= 0
            assert not store.is_removed
    repr(store)


def test_nothing_that_reads_changes_a_byte(shop: Store, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not a byte of the file, nor when it was written; by a store, and by the commands. Control: a writer does."""
    leave_ruins(shop, path)
    before = digest(path)
    with Store.existing("shop") as store:
        read_all(store)
    assert [0] * 4 == [
        main([command, "--store", "shop", *more]) for command in ("show", "journal") for more in ([], ["--json"])
    ]
    assert "payments: closed -> open (unknown)" not in capsys.readouterr().out
    assert before == digest(path)
    shop.set_closed("payments")
    assert before != digest(path)


def test_what_a_killed_process_left_out_is_told_once(shop: Store, path: Path) -> None:
    """T14: with its cause and process, by whoever reads; and not again when somebody writes it down later."""
    with Store.existing("shop") as store:
        events = shop.journal()
        die_untold(path, shop.snapshot()["payments"].generation)
        told: list[Any] = []
        with store.subscribe(told.append):
            assert events == store.journal()
            assert Cause.SET is store.journal()[0].cause
            shop.set_closed("payments")
            wait_until(lambda: told)
        assert [State.CLOSED] == [made.after for made in told], "what stood there when it came is no news"
        assert [State.OPEN, State.CLOSED] == [made.after for made in store.journal() if made.fuse == "payments"]


def test_what_was_told_from_a_fuse_is_not_told_again_by_a_cursor(shop: Store, path: Path) -> None:
    """T14: whoever writes it down later. Control: a cursor without what stands in the fuses tells it twice."""
    die_untold(path, shop.snapshot()["maps"].generation)
    with Store.existing("shop") as store:
        stream = store.events("oldest")
        told = [made.fuse for made in stream if not stream.close() or made]
        assert ["payments"] == told
        stream = store.events(stream.cursor)
        assert (made := stream.take(10))
        assert "maps" == made.fuse
        CircuitBreaker("maps", store=shop).reset()  # writes it down, and the next one
        again = store.events(stream.cursor)
        assert [State.CLOSED, None] == [made and made.after for made in (again.take(10), again.take(0))]
        tickets = store.events("-".join(stream.cursor.split("-")[:2]))
        assert [State.ISOLATED, State.CLOSED] == [made and made.after for made in (tickets.take(10), tickets.take(0))]


def test_a_writable_one_is_as_a_shared_one(shop: Store) -> None:
    """It writes what all others see, and serves breakers."""
    with Store.existing("shop", writable=True) as store:
        CircuitBreaker("payments", store=store).reset()
        store.set_open("search")
        assert f"<Store 'shop' at {shop.path}>" == repr(store)
    assert (State.CLOSED, State.OPEN) == (shop.state("payments").state, shop.state("search").state)


@pytest.mark.parametrize("writable", [False, True])
def test_nothing_is_made(folder: Path, tmp_path: Path, writable: bool) -> None:
    """Neither a table nor its folder; the error says which is missing."""
    with pytest.raises(StoreOpenError, match=r"store 'shop' cannot be opened: .* does not exist") as caught:
        Store.existing("shop", writable=writable)
    assert ("missing", []) == (caught.value.reason, list(folder.iterdir()))
    nowhere = tmp_path / "nowhere"
    with pytest.raises(StoreOpenError) as caught:
        Store.existing("shop", folder=nowhere, writable=writable)
    assert ("missing", str(nowhere), False) == (caught.value.reason, caught.value.path, nowhere.exists())


def test_the_folder_may_be_named(shop: Store, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As text or as a path, whatever the environment says; a breaker's and a store's pickle keep it."""
    shop.set_open("here")
    monkeypatch.setenv("FUSEBOARD_DIR", str(tmp_path / "elsewhere"))
    for folder in (path.parent, str(path.parent)):
        with Store.existing("shop", folder=folder) as store:
            assert State.OPEN is store.state("here").state
            again = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own
    assert (store.path, False) == (again.path, again._is_writable)
    with pytest.raises(StoreReadOnlyError):
        again.set_closed("here")


WRONG = {
    "a name that is a path": (lambda: Store.existing("../shop"), ValueError, "store name must"),
    "a name that is no text": (lambda: Store.existing(7), TypeError, "store name must be a str"),  # type: ignore[arg-type]
    "a folder that is no path": (
        lambda: Store.existing("shop", folder=7),  # type: ignore[arg-type]
        TypeError,
        "folder must be an absolute path or None, got int: 7",
    ),
    "a word for a bool": (
        lambda: Store.existing("shop", writable="no"),  # type: ignore[arg-type]
        TypeError,
        "writable must be True or False",
    ),
}


@pytest.mark.parametrize(("make", "error", "says"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_refused(make: Callable[[], Store], error: type[Exception], says: str) -> None:
    """By name, with the value."""
    with pytest.raises(error, match=says):
        make()


def test_a_relative_folder_is_refused() -> None:
    """It would mean another one elsewhere."""
    with pytest.raises(StoreOpenError, match="relative path") as caught:
        Store.existing("shop", folder="tables")
    assert "folder" == caught.value.reason


@pytest.mark.parametrize("writable", [False, True])
def test_it_goes_on_with_the_table_that_is_made_anew(shop: Store, path: Path, writable: bool) -> None:
    """It makes none itself. Its listeners hear of what the new one's journal holds, if they only read."""
    told: list[Any] = []
    with Store.existing("shop", writable=writable) as store, store.subscribe(told.append):
        path.unlink()
        assert (True, True) == (store.is_removed, store.is_shared)
        assert {"payments", "search", "maps"} == set(store.all_states())
        assert not path.exists()
        program = "from fuseboard import Store; Store.shared('shop', strict=True).set_open('anew')"
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)  # noqa: S603 - ours
        wait_until(lambda: store.is_shared and not store.is_removed)
        assert State.OPEN is store.state("anew").state
        if not writable:
            wait_until(lambda: told)
            assert ["anew"] == [made.fuse for made in told]
    assert shop.path


def test_a_dead_services_table_is_read(folder: Path) -> None:
    """Nobody has to have it open."""
    assert folder.is_dir()
    program = "import os; from fuseboard import Store; Store.shared('shop').set_open('db'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program], check=False, timeout=60, stderr=subprocess.DEVNULL)  # noqa: S603 - ours
    with Store.existing("shop") as store:
        assert State.OPEN is store.state("db").state


def test_a_child_goes_on_reading(shop: Store) -> None:
    """The mapping is shared with what others write."""
    with Store.existing("shop") as store:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, store.state("payments").state.value.encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert shop.state("payments").state.value.encode() == os.read(read, 100)


@pytest.mark.parametrize("reason", ["missing", "foreign"])
def test_the_way_out_names_how_the_folder_was_chosen(folder: Path, reason: str) -> None:
    """Whoever gave ``folder`` is not told to set ``FUSEBOARD_DIR``, and the other way round."""
    assert folder
    if reason == "foreign":
        os.truncate(Store.shared("shop", fuses=4, strict=True).path, 100)  # type: ignore[arg-type]
    with pytest.raises(StoreOpenError, match="FUSEBOARD_DIR") as by_environment:
        Store.existing("shop")
    with pytest.raises(StoreOpenError, match="set folder= to another folder") as by_argument:
        Store.existing("shop", folder=folder)
    assert (reason, reason) == (by_environment.value.reason, by_argument.value.reason)
    assert "FUSEBOARD_DIR" not in str(by_argument.value)
    assert str(by_argument.value) == str(pickle.loads(pickle.dumps(by_argument.value)))  # noqa: S301 - our own bytes
