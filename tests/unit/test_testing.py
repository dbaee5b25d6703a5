"""The tools for tests of code that uses breakers."""

from datetime import timedelta

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard.testing import Clock, force_state, private_default_store
from helpers import BoomError, boom, fail, rejection, trip


def test_a_clock_stands_still_until_it_is_moved() -> None:
    """It begins at 1,000 seconds."""
    clock = Clock()
    assert (1000.0, 1000.0) == (clock.now, Store.private(clock=clock).now())
    clock.advance(0.25)
    clock.advance(timedelta(milliseconds=750))
    clock.advance(1)
    assert (1002.0, "<Clock at 1002.0 s>") == (clock.now, repr(clock))


@pytest.mark.parametrize("seconds", [1e-6, 604_800, timedelta(days=7)])
def test_a_clock_moves_by_a_microsecond_to_seven_days(seconds: float) -> None:
    """Both included."""
    clock = Clock()
    clock.advance(seconds)
    assert clock.now > 1000


@pytest.mark.parametrize("seconds", [0, -1, 604_801, float("nan"), float("inf")])
def test_a_clock_moves_neither_back_nor_too_far(seconds: float) -> None:
    """R14: time never goes back; the message names the range and the value."""
    clock = Clock()
    with pytest.raises(ValueError, match=r"^seconds must be from 1e-06 to 604800 seconds \(seven days\), got "):
        clock.advance(seconds)
    assert 1000.0 == clock.now


@pytest.mark.parametrize("seconds", ["1", None, True])
def test_a_clock_moves_by_seconds_or_a_timedelta(seconds: object) -> None:
    """The message names the type and the value."""
    with pytest.raises(TypeError, match=r"^seconds must be seconds or a timedelta, got "):
        Clock().advance(seconds)


def test_stores_on_one_clock_move_together(clock: Clock) -> None:
    """A clock may serve many stores."""
    stores = [Store.private(clock=clock) for _ in range(3)]
    clock.advance(5)
    assert [1005.0] * 3 == [store.now() for store in stores]


def test_a_private_default_store_lasts_as_long_as_its_block() -> None:
    """Breakers that follow the default one move to it, and back after."""
    breaker, before = CircuitBreaker("db", threshold=1), Store.default()
    with private_default_store() as store:
        assert store is Store.default()
        trip(breaker)
        assert (State.OPEN, None, False) == (breaker.state, store.name, store.is_shared)
    assert before is Store.default()
    assert State.CLOSED is breaker.state


def test_private_default_stores_nest_and_end_however_their_block_does() -> None:
    """Also by an exception."""
    before = Store.default()
    with private_default_store() as outer:
        with pytest.raises(BoomError), private_default_store():
            boom()
        assert outer is Store.default()
    assert before is Store.default()


def test_a_private_default_store_may_have_a_clock(clock: Clock) -> None:
    """Time is moved, never waited for."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=30)
    with private_default_store(clock):
        trip(breaker)
        assert rejection(breaker) is not None
        clock.advance(30)
        assert 0 == breaker.call(int)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("before", State)
def test_a_state_can_be_forced_whatever_it_was(store: Store, clock: Clock, before: State, state: State) -> None:
    """As of now, with an empty window, and even where an operator holds the fuse."""
    breaker = CircuitBreaker("db", store=store)
    force_state(breaker, before)
    store.record_failure("db", 10)
    clock.advance(1)
    force_state(breaker, state)
    told = store.snapshot()["db"]
    assert (state, 1001.0, 0) == (told.state, told.since, told.window_failures)


def test_a_forced_state_behaves_as_such(store: Store, clock: Clock) -> None:
    """It is the real state, not a pretence."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=30, store=store)
    force_state(breaker, State.OPEN)
    assert rejection(breaker) is not None
    clock.advance(30)
    assert 0 == breaker.call(int)
    force_state(breaker, State.HALF_OPEN)
    fail(breaker)
    assert State.OPEN is breaker.state
    force_state(breaker, State.DISABLED)
    fail(breaker, 5)
    assert State.DISABLED is breaker.state


@pytest.mark.parametrize("state", ["open", 2, None])
def test_what_is_no_state_is_refused(state: object) -> None:
    """The message names the argument, its type and its value."""
    with pytest.raises(TypeError, match=f"^state must be a State, got {type(state).__name__}: "):
        force_state(CircuitBreaker("db"), state)
