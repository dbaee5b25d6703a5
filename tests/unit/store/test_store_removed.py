"""A table whose file was removed: its processes find together again, in the one that is at its place (rule T12)."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, State, Store, StoreOpenError, _core
from fuseboard.testing import Clock
from helpers import fail, listening_threads, rejection, trip, wait_until


@pytest.fixture
def store(folder: Path, clock: Clock) -> Store:
    """A store on the host's table."""
    assert folder.is_dir()
    return Store.shared("shop", fuses=16, failures=32, strict=True, clock=clock)


@pytest.fixture
def remove(store: Store) -> Callable[[], None]:
    """Removes the table's file."""
    return Path(str(store._path)).unlink


@pytest.fixture
def another(store: Store, clock: Clock) -> Callable[[], Store]:
    """Opens the host's table as a process that starts now does; makes it where there is none."""
    assert store.is_shared
    return lambda: Store.shared("shop", fuses=16, failures=32, strict=True, clock=clock)


def first_called(store: Store) -> CircuitBreaker:
    """A breaker that has made its first call."""
    breaker = CircuitBreaker("db", store=store)
    breaker.call(int)
    return breaker


AT_ONCE = {
    "a manual override": lambda _store, breaker: breaker.isolate(),
    "another breaker": lambda store, _breaker: CircuitBreaker("other", store=store).call(int),
    "another key": lambda _store, breaker: breaker.for_key("eu").call(int),
}
"""What notices at once that the table was removed."""
SOON = {
    "a call that fails": lambda _store, breaker: (fail(breaker), breaker.call(int)),
    "a snapshot": lambda store, _breaker: store.snapshot(),
    "all states": lambda store, _breaker: store.all_states(),
    "a record": lambda store, _breaker: store.record_failure("raw", 10),
    "the journal": lambda store, _breaker: store.journal(),
    "a question": lambda store, _breaker: store.is_shared,
    "the state as breakers command it": lambda _store, breaker: breaker.reset(),
}
"""What notices it a second later at the earliest."""


@pytest.mark.parametrize("act", AT_ONCE.values(), ids=AT_ONCE)
def test_who_resolves_or_commands_notices_at_once(
    store: Store, remove: Callable[[], None], another: Callable[[], Store], act: Callable[..., object]
) -> None:
    """Goal 3: a word that others are to hear is said where they come."""
    breaker = first_called(store)
    remove()
    new = another()
    act(store, breaker)
    assert not store.is_removed
    assert set(new.all_states()) == set(store.all_states()) != set()


@pytest.mark.parametrize("act", SOON.values(), ids=SOON)
def test_who_comes_by_notices_within_a_second(
    store: Store, remove: Callable[[], None], clock: Clock, act: Callable[..., object]
) -> None:
    """A look at the file is a system call, so there is at most one a second."""
    breaker = first_called(store)
    remove()
    clock.advance(1)
    act(store, breaker)
    assert not store.is_removed


def test_a_rejected_call_notices(
    store: Store, remove: Callable[[], None], another: Callable[[], Store], clock: Clock
) -> None:
    """Also where the other table's fuse is closed: that is the truth then."""
    breaker = first_called(store)
    trip(breaker)
    remove()
    assert rejection(breaker) is not None
    clock.advance(1)
    assert rejection(breaker) is None
    assert {"db"} == set(another().all_states())


def test_a_breaker_that_only_succeeds_goes_over_when_another_one_notices(
    store: Store, remove: Callable[[], None], another: Callable[[], Store]
) -> None:
    """It does not look; but its fuse is removed by whoever does, and so it looks its name up again."""
    breaker, other = first_called(store), CircuitBreaker("other", store=store)
    remove()
    operator = CircuitBreaker("db", store=another())
    operator.isolate()
    assert 0 == breaker.call(int), "nothing is looked at on the closed path"
    other.reset()
    assert State.ISOLATED is breaker.state
    assert rejection(breaker) is not None


def test_each_edge_is_a_line(
    store: Store, remove: Callable[[], None], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """T12: said once by each process that goes over, however often somebody looks."""
    breaker = first_called(store)
    caplog.set_level(logging.INFO)
    remove()
    for _ in range(5):
        clock.advance(1)
        fail(breaker)
        breaker.call(int)
        assert store.is_shared
    (message,) = caplog.messages
    expected = f"lost its table, because the file was removed: this process now uses the new table {store.path}"
    assert expected in message


def test_a_folder_that_was_removed_too_is_made_again(store: Store, folder: Path) -> None:
    """Cleaners of temporary files take both."""
    breaker = first_called(store)
    shutil.rmtree(folder)
    breaker.isolate()
    assert (True, 0o700) == (Path(str(store.path)).exists(), folder.stat().st_mode & 0o777)


def test_where_no_other_table_can_be_had_the_old_one_goes_on(
    store: Store, remove: Callable[[], None], folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Goal 1: those who have it open share it still; one line; and once there can be another one, they go over."""
    breaker = first_called(store)
    remove()
    folder.chmod(0o755)
    for _ in range(3):
        clock.advance(1)
        fail(breaker)
        assert 0 == breaker.call(int)
    assert (True, True, None) == (store.is_shared, store.is_removed, store.fault)
    (message,) = caplog.messages
    assert f"the table {store.path} was removed, and no other table can be opened: " in message
    folder.chmod(0o700)
    clock.advance(1)
    assert (True, False) == (store.is_shared, store.is_removed)


def test_breakers_made_for_each_request_do_not_try_for_each(
    store: Store, remove: Callable[[], None], folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal 1: each try makes a table, as far as there is room; so after one in vain there is at most one a second."""
    tries: list[Store] = []
    find = Store._find
    monkeypatch.setattr(Store, "_find", lambda lost: tries.append(lost) or find(lost))
    remove()
    folder.chmod(0o755)
    for _ in range(5):
        CircuitBreaker("db", store=store).call(int)
    assert [store] == tries
    clock.advance(1)
    for _ in range(5):
        CircuitBreaker("db", store=store).call(int)
    assert [store] * 2 == tries
    folder.chmod(0o700)
    CircuitBreaker("db", store=store).isolate()
    assert store.is_removed
    clock.advance(1)
    assert (True, False) == (store.is_shared, store.is_removed)
    assert State.ISOLATED is store.state("db").state


def test_strict_is_not_content_with_a_removed_table(folder: Path) -> None:
    """Whoever insists on the host's table gets the one that others find, or the reason why it cannot be had."""
    store = Store.shared("inn", strict=True)
    Path(str(store._path)).unlink()
    folder.chmod(0o755)
    with pytest.raises(StoreOpenError, match="has mode 0755"):
        Store.shared("inn", strict=True)
    folder.chmod(0o700)
    assert store is Store.shared("inn", strict=True)
    assert (True, False) == (Path(str(store._path)).exists(), store.is_removed)


@pytest.mark.parametrize("command", ["isolate", "disable"])
def test_manual_overrides_go_along(
    store: Store, remove: Callable[[], None], another: Callable[[], Store], command: str
) -> None:
    """R12: nothing but a manual override ends one, certainly no cleaner of files."""
    getattr(CircuitBreaker("db", store=store), command)()
    remove()
    new = another()
    CircuitBreaker("other", store=store).call(int)
    assert f"{command}d" == new.state("db").state.value


def test_a_reset_in_the_new_table_is_not_undone(
    store: Store, remove: Callable[[], None], another: Callable[[], Store], clock: Clock
) -> None:
    """R12: neither by the first process that goes over nor by one that does so later."""
    CircuitBreaker("db", store=store).isolate()
    second = another()
    remove()
    clock.advance(0.5)
    operator = CircuitBreaker("db", store=another())
    operator.isolate()
    operator.reset()
    for late in (store, second):
        CircuitBreaker("other", store=late).call(int)
        assert State.CLOSED is operator.state


def test_cursors_go_on_from_where_the_process_joined(
    store: Store, remove: Callable[[], None], another: Callable[[], Store]
) -> None:
    """T14: the old journal to its end, then what comes after the process has gone over."""
    reader = _core.JournalCursor(store)
    store.set_open("before")
    remove()
    new = another()
    new.set_open("unheard")
    CircuitBreaker("other", store=store)
    new.set_open("after")
    told = []
    for _ in range(2):
        reader.poll(store)
        while row := reader.take():
            told.append(row[0])
    assert (["before", "after"], 0) == (told, reader.lost)


def test_who_listens_notices(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The thread of the listeners looks once a second, for all of this process."""
    assert folder.is_dir()
    told: list[str] = []
    with Store.shared("shop", strict=True) as store, store.subscribe(lambda made: told.append(made.fuse)):
        Path(str(store._path)).unlink()
        wait_until(lambda: not store.is_removed)
        _core.Store("shop", str(folder), 1, 1)._set_state("db", State.OPEN.code)
        wait_until(lambda: told)
    assert ["db"] == told
    wait_until(lambda: not listening_threads())
    assert 1 == len([message for message in caplog.messages if "lost its table" in message])


def test_a_table_that_is_made_while_nobody_uses_the_old_one_says_nothing(
    store: Store, remove: Callable[[], None], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Control: what this process itself had open is no news to it."""
    remove()
    assert Store.shared("shop", strict=True, clock=clock).is_shared
    assert not store._former_users
    assert [] == caplog.messages
