"""Subscriptions: the thread behind them, and the table's file."""

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard import Store, Subscription, Transition
from fuseboard._events.subscription import Hub
from helpers import listening_threads, wait_until


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Whatever a test did, its threads end."""
    yield
    wait_until(lambda: not listening_threads())


def test_there_is_no_thread_before_the_first_subscription_nor_after_the_last(store: Store) -> None:
    """One for all listeners of a store, and a new one when somebody comes again."""
    wait_until(lambda: not listening_threads())  # those of tests before this one
    store.set_open("db")
    assert not listening_threads()
    for _ in range(2):
        first, second = store.subscribe(print), store.subscribe(print)
        assert [True] == [thread.daemon for thread in listening_threads()]
        first.close()
        second.close()
        wait_until(lambda: not listening_threads())


def test_a_subscription_does_not_keep_its_store_alive(make_private: type[Store]) -> None:
    """Whether or not somebody keeps the subscription, the thread ends with the last reference to the store."""
    store = make_private()
    subscription = store.subscribe(print)
    gone = weakref.ref(store)
    del store
    wait_until(lambda: gone() is None)
    wait_until(lambda: not listening_threads())
    assert 0 == subscription.lost


def test_a_listener_that_refers_to_its_store_does_not_keep_it_alive(make_private: type[Store]) -> None:
    """A circle of references is the garbage collector's, and the thread is no part of it."""
    store = make_private()
    store.subscribe(lambda _, store=store: store.journal())
    gone = weakref.ref(store)
    del store
    wait_until(lambda: gc.collect() is not None and gone() is None)


def test_who_subscribes_while_the_thread_gives_up_is_told(store: Store) -> None:
    """The thread looks again after it has given up its turn; here each time somebody comes in between."""
    told: list[Transition] = []
    told_by: list[Subscription] = []

    class Interrupted(Hub):
        """One in which somebody subscribes just when the thread has given up its turn."""

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if (name, value, told_by) == ("_turn", None, []):
                told_by.append(store.subscribe(told.append))

    store._hub.__class__ = Interrupted
    store.subscribe(print).close()
    wait_until(lambda: told_by)
    store.set_open("db")
    wait_until(lambda: told)
    told_by[0].close()


def test_without_a_thread_to_be_had_who_subscribes_is_told_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one may have more luck."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    told: list[Transition] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            store.subscribe(told.append)
    heard: list[Transition] = []
    with store.subscribe(heard.append):
        store.set_open("db")
        wait_until(lambda: heard)
    assert [] == told


def test_a_table_that_was_replaced_is_removed(folder: Path) -> None:
    """Another file under the same name is another table."""
    with Store.shared("shop", fuses=8, strict=True) as older:
        path = next(folder.glob("shop.*"))
        path.unlink()
    with Store.shared("shop", fuses=8, strict=True) as newer:
        assert (True, False) == (older.is_removed, newer.is_removed)


def test_a_private_store_cannot_be_removed(make_private: type[Store]) -> None:
    """It has no file."""
    assert not make_private().is_removed
