"""The store's contract: two handles on one host's table, as two processes have them, each with its own clock."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, FuseState, State, Store
from fuseboard._core import Clock as AnyClock
from fuseboard.testing import Clock
from helpers import BoomError, fail, rejection, trip

Handles = tuple[Store, Store]
DAY = 86_400
_numbers = itertools.count(1)


@pytest.fixture
def open_handle(folder: Path) -> Callable[[AnyClock], Store]:
    """Opens one more handle on the same table, on a clock of its own."""
    assert folder.is_dir()
    name = f"handles-{next(_numbers)}"
    return lambda clock: Store.shared(name, fuses=4, failures=8, strict=True, clock=clock)


@pytest.fixture
def handles(open_handle: Callable[[AnyClock], Store], clock: Clock) -> Handles:
    """Two handles on one table and one clock."""
    return open_handle(clock), open_handle(clock)


def test_both_see_every_change(handles: Handles, clock: Clock) -> None:
    """One truth per host: what one handle writes, the other reads."""
    one, other = handles
    assert [1, 2, 3] == [store.record_failure("db", 10) for store in (one, other, one)]
    clock.advance(1)
    other.set_open("db")
    assert FuseState(State.OPEN, 1001.0) == one.state("db")
    assert one.all_states() == other.all_states()


def test_failures_of_both_trip_the_fuse(handles: Handles) -> None:
    """R03: ``threshold`` failures in all, not per process."""
    one, other = (CircuitBreaker("db", threshold=4, store=store) for store in handles)
    fail(one, 2)
    fail(other, 1)
    assert State.CLOSED is other.state
    fail(one, 1)
    assert [State.OPEN] * 2 == [one.state, other.state]
    with pytest.raises(CircuitOpenError):
        other.call(int)


def test_one_of_them_is_told_of_a_transition(handles: Handles) -> None:
    """R03: exactly one event per host."""
    told: list[str] = []
    one, other = (
        CircuitBreaker("db", threshold=2, store=store, on_transition=lambda _, who=who: told.append(who))
        for store, who in zip(handles, ["one", "other"], strict=True)
    )
    fail(one)
    fail(other)
    assert ["other"] == told


def test_a_probe_of_one_shuts_out_the_other(handles: Handles, clock: Clock) -> None:
    """R06: other calls are rejected while all permits are out, in every process."""
    one, other = (CircuitBreaker("db", threshold=1, reset_timeout=1, store=store) for store in handles)
    trip(one)
    clock.advance(1)
    with other:
        error = rejection(one)
        assert error is not None
        assert State.HALF_OPEN is error.state
    assert State.CLOSED is one.state


def test_a_probe_that_never_answers_is_taken_over(handles: Handles, clock: Clock) -> None:
    """R11: a prober that died costs at most ``probe_timeout``; should it answer after all, it is late (R09)."""
    one, other = (CircuitBreaker("db", threshold=1, reset_timeout=1, probe_timeout=5, store=store) for store in handles)
    trip(one)
    clock.advance(1)
    lost = one._admit()
    clock.advance(4.999)
    assert rejection(other) is not None
    clock.advance(0.001)
    permit = other._admit()
    one._settle(lost, BoomError())
    assert (State.HALF_OPEN, 1) == (one.state, handles[0].snapshot()["db"].late_outcomes)
    other._settle(permit)
    assert State.CLOSED is one.state


def test_an_operator_holds_the_fuse_for_both(handles: Handles) -> None:
    """R12: no restart or registration of a breaker undoes a hold."""
    CircuitBreaker("db", store=handles[0]).isolate()
    newcomer = CircuitBreaker("db", threshold=1, store=handles[1])
    assert State.ISOLATED is newcomer.state
    handles[1].set_closed("db")
    assert rejection(newcomer) is not None


def test_counters_are_the_whole_hosts(handles: Handles) -> None:
    """Any handle tells the totals of all."""
    for store in handles:
        CircuitBreaker("db", store=store).call(int)
    assert [2, 2] == [store.snapshot()["db"].successes for store in handles]


def test_a_table_keeps_the_size_it_was_made_with(handles: Handles, caplog: pytest.LogCaptureFixture) -> None:
    """T08: never resize; who asks for more is told once what it got."""
    larger = Store.shared(str(handles[0].name), fuses=64, failures=8, strict=True, clock=Clock())
    assert (4, 8) == (larger.fuse_capacity, larger.failure_capacity)
    assert handles[0].path == larger.path
    (record,) = caplog.records
    made = f"store {handles[0].name!r} was created for 4 fuses and 8 failures"
    expected = f"{made}; this process asked for 64 and 8. "
    assert record.getMessage().startswith(expected)


def test_a_smaller_wish_is_no_reason_to_warn(handles: Handles, caplog: pytest.LogCaptureFixture) -> None:
    """Who asks for less than there is has what it asked for."""
    smaller = Store.shared(str(handles[0].name), fuses=1, failures=2, strict=True, clock=Clock())
    assert handles[0].size_bytes == smaller.size_bytes
    assert [] == caplog.records


@pytest.mark.parametrize("ahead", [1, 60, 7 * DAY])
def test_a_stamp_in_the_future_counts_as_now(
    open_handle: Callable[[AnyClock], Store], clock: Clock, ahead: int
) -> None:
    """R14: where another process's reading of the clock is ahead of ours, a fuse is as old as it was just opened."""
    open_handle(AnyClock(clock.now_us + ahead * 1_000_000)).set_open("db")
    error = rejection(CircuitBreaker("db", reset_timeout=30, store=open_handle(clock)))
    assert error is not None
    assert 30 == error.retry_after


def test_a_stamp_beyond_any_setting_counts_as_long_past(open_handle: Callable[[AnyClock], Store], clock: Clock) -> None:
    """R14: a stamp more than seven days ahead cannot be sound; it holds nobody up."""
    open_handle(AnyClock(clock.now_us + (7 * DAY + 1) * 1_000_000)).set_open("db")
    breaker = CircuitBreaker("db", reset_timeout=7 * DAY, store=open_handle(clock))
    assert rejection(breaker) is None
    assert FuseState(State.HALF_OPEN, 1000.0) == breaker.store.state("db")


def test_a_lease_beyond_any_setting_counts_as_expired(open_handle: Callable[[AnyClock], Store], clock: Clock) -> None:
    """R14: a deadline farther off than any setting allows holds nobody up."""
    far = open_handle(AnyClock(clock.now_us + 7 * DAY * 1_000_000))
    near = CircuitBreaker("db", store=open_handle(clock))
    far.set_half_open("db")
    permit = CircuitBreaker("db", probe_timeout=1, store=far)._admit()
    assert permit.is_probe
    assert rejection(near) is None


def test_a_failure_ahead_of_the_clock_counts(open_handle: Callable[[AnyClock], Store], clock: Clock) -> None:
    """R14: a failure stamped in the future is within the window."""
    open_handle(AnyClock(clock.now_us + 5_000_000)).record_failure("db", 1)
    assert [2, 3] == [open_handle(clock).record_failure("db", 1) for _ in range(2)]
