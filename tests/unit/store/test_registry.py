"""What the process has open, and who follows the default store."""

import concurrent.futures
import gc
import threading
import weakref
from pathlib import Path
from typing import Any, Self

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard._store import registry
from helpers import MakeStore, trip


def test_replacing_the_default_store_returns_the_one_before(make_private: MakeStore) -> None:
    """So that it can be put back."""
    first, second = make_private(), make_private()
    before = registry.replace_default(first)
    assert first is registry.replace_default(second)
    assert second is Store.default()
    assert second is registry.replace_default(before)


def test_every_follower_moves_with_the_default_store(make_private: MakeStore) -> None:
    """Breakers without a store look it up again when it is replaced."""
    breakers = [CircuitBreaker(f"fuse-{number}", threshold=1) for number in range(5)]
    for breaker in breakers:
        trip(breaker)
    registry.replace_default(make_private())
    assert [State.CLOSED] * 5 == [breaker.state for breaker in breakers]


def test_only_breakers_without_a_store_are_followers(make_private: MakeStore) -> None:
    """A breaker that was given a store never moves."""
    follower, settled = CircuitBreaker("db"), CircuitBreaker("db", store=make_private())
    linked = [breaker._fuse() for breaker in (follower, settled)]
    registry.replace_default(None)
    assert [None, linked[1]] == [breaker._linked() for breaker in (follower, settled)]


def test_the_registry_keeps_no_breaker_alive() -> None:
    """Followers are held weakly."""
    reference = weakref.ref(CircuitBreaker("db"))
    gc.collect()
    assert reference() is None


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """``FUSEBOARD_DIR=`` and ``FUSEBOARD_STORE=`` are as if they were not there."""
    monkeypatch.setenv("FUSEBOARD_DIR", "")
    monkeypatch.setenv("FUSEBOARD_STORE", "")
    assert (None, "default") == (registry.folder(), registry.default_name())
    monkeypatch.delenv("FUSEBOARD_DIR")
    monkeypatch.delenv("FUSEBOARD_STORE")
    assert (None, "default") == (registry.folder(), registry.default_name())


def test_the_default_store_may_be_replaced_while_threads_call(make_private: MakeStore) -> None:
    """A call goes by the store of the day or the one before it, never by none."""
    breaker = CircuitBreaker("db")
    guarded = breaker(lambda: 7)
    done, results = threading.Event(), set()

    def work() -> None:
        while not done.is_set():
            results.update([guarded(), breaker.call(lambda: 7)])

    threads = [threading.Thread(target=work) for _ in range(3)]
    [thread.start() for thread in threads]
    for _ in range(300):
        registry.replace_default(make_private())
    done.set()
    [thread.join() for thread in threads]
    assert {7} == results


def test_a_breaker_that_is_gone_leaves_nothing_behind() -> None:
    """A program that makes breakers over and over does not grow."""
    before = dict(registry._followers)
    breakers = [CircuitBreaker(f"fuse-{number}") for number in range(3)]
    assert len(before) + 3 == len(registry._followers)
    del breakers
    gc.collect()
    assert before == registry._followers


def test_a_class_of_stores_never_gets_another_ones_store(folder: Path) -> None:
    """Also where another thread opens one of the same name in the meantime."""

    class Shop(Store):
        @classmethod
        def _open(cls, *arguments: Any, **more: Any) -> Self:
            rival.append(Store.shared("shop"))
            return super()._open(*arguments, **more)

    rival: list[Store] = []
    store = Shop.shared("shop")
    assert (Shop, [Store]) == (type(store), [type(other) for other in rival])
    assert rival == [registry.shared["shop", str(folder)]]


def test_threads_may_close_one_store_at_once(folder: Path) -> None:
    """No error, and the next one to ask opens another."""
    start = threading.Barrier(4)

    def close(store: Store) -> None:
        start.wait()
        store.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            list(pool.map(close, [Store.shared("shop")] * 4))
            assert ("shop", str(folder)) not in registry.shared
