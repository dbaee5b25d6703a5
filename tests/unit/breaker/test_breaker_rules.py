"""The breaker's rules R01 to R08 and R13, one after the other, on every store."""

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock
from helpers import fail, rejection, trip, wait_for_probe


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the third failure in 10 s, for 30 s."""
    return CircuitBreaker("db", threshold=3, window=10, reset_timeout=30, store=store)


def test_a_breaker_begins_closed_and_admits(breaker: CircuitBreaker) -> None:
    """R01, R02: a fuse never seen is closed, and closed admits every call."""
    assert State.CLOSED is breaker.state
    assert [0] * 100 == [breaker.call(int) for _ in range(100)]


def test_the_failure_that_reaches_the_threshold_opens(breaker: CircuitBreaker) -> None:
    """R03: not one earlier, not one later."""
    fail(breaker, 2)
    assert State.CLOSED is breaker.state
    fail(breaker)
    assert State.OPEN is breaker.state


def test_only_failures_within_the_window_reach_the_threshold(breaker: CircuitBreaker, clock: Clock) -> None:
    """R03: a failure counts while it is at most ``window`` old."""
    fail(breaker)
    clock.advance(5)
    fail(breaker)
    clock.advance(5.000001)
    fail(breaker)
    assert State.CLOSED is breaker.state
    clock.advance(4.999999)
    fail(breaker)
    assert State.OPEN is breaker.state


def test_raw_failures_count_but_do_not_trip(breaker: CircuitBreaker) -> None:
    """R13: raw operations record; the breaker's next failure decides."""
    for _ in range(10):
        breaker.store.record_failure("db", 10)
    assert State.CLOSED is breaker.state
    fail(breaker)
    assert State.OPEN is breaker.state


def test_a_threshold_of_one_opens_at_the_first_failure(store: Store) -> None:
    """R03: the smallest threshold."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    fail(breaker)
    assert State.OPEN is breaker.state


def test_the_largest_threshold_of_a_store_is_exact(store: Store) -> None:
    """R03: up to ``failure_capacity``."""
    breaker = CircuitBreaker("db", threshold=store.failure_capacity, store=store)
    fail(breaker, store.failure_capacity - 1)
    assert State.CLOSED is breaker.state
    fail(breaker)
    assert State.OPEN is breaker.state


def test_a_success_clears_the_window(breaker: CircuitBreaker) -> None:
    """R04: a success while closed clears the window."""
    fail(breaker, 2)
    breaker.call(int)
    fail(breaker, 2)
    assert State.CLOSED is breaker.state


def test_a_success_can_be_told_to_keep_the_window(store: Store) -> None:
    """R04: ``clear_on_success=False`` keeps it."""
    breaker = CircuitBreaker("db", threshold=3, clear_on_success=False, store=store)
    fail(breaker, 2)
    breaker.call(int)
    fail(breaker)
    assert State.OPEN is breaker.state


def test_an_open_fuse_rejects_without_calling(breaker: CircuitBreaker, clock: Clock) -> None:
    """R05: ``CircuitOpenError`` with name, state and the seconds to wait."""
    trip(breaker)
    clock.advance(10)
    called: list[int] = []
    with pytest.raises(CircuitOpenError) as caught:
        breaker.call(called.append, 1)
    assert [] == called
    error = caught.value
    # Not the subclass: that one says that waiting will not help.
    assert CircuitOpenError is type(error)
    assert ("db", State.OPEN, pytest.approx(20, abs=1e-3)) == (error.name, error.state, error.retry_after)


def test_nothing_happens_by_itself(breaker: CircuitBreaker, clock: Clock) -> None:
    """R06: an open fuse that nobody calls stays open."""
    trip(breaker)
    clock.advance(3600)
    assert State.OPEN is breaker.state


def test_the_first_call_after_the_reset_timeout_is_a_probe(breaker: CircuitBreaker, clock: Clock) -> None:
    """R06: a millisecond earlier it is rejected; then it passes, the fuse is half-open, and others are rejected."""
    trip(breaker)
    clock.advance(29.999)
    assert rejection(breaker) is not None
    clock.advance(0.001)
    with breaker:
        assert State.HALF_OPEN is breaker.state
        error = rejection(breaker)
        assert error is not None
        assert (State.HALF_OPEN, 3, 30) == (error.state, error.retry_after, pytest.approx(error.lease_remaining))


@pytest.mark.parametrize("probes", [1, 2, 8])
def test_as_many_probes_pass_at_once_as_the_settings_say(store: Store, clock: Clock, probes: int) -> None:
    """R06: others are rejected while all permits are out."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, probes=probes, store=store)
    wait_for_probe(breaker, clock)
    permits = [breaker._permit() for _ in range(probes)]
    assert [True] * probes == [permit.is_probe for permit in permits]
    assert rejection(breaker) is not None


def test_a_probe_that_succeeds_closes_with_an_empty_window(breaker: CircuitBreaker, clock: Clock) -> None:
    """R07: afterwards the whole threshold is there again."""
    wait_for_probe(breaker, clock)
    breaker.call(int)
    assert State.CLOSED is breaker.state
    fail(breaker, 2)
    assert State.CLOSED is breaker.state


def test_as_many_probes_must_succeed_as_the_settings_say(store: Store, clock: Clock) -> None:
    """R07: ``success_threshold`` probes, one after the other."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, success_threshold=3, store=store)
    wait_for_probe(breaker, clock)
    states = []
    for _ in range(3):
        breaker.call(int)
        states.append(breaker.state)
    assert [State.HALF_OPEN, State.HALF_OPEN, State.CLOSED] == states


def test_successes_of_an_earlier_half_open_state_do_not_count(store: Store, clock: Clock) -> None:
    """R07, R08: a failed probe begins the count of successes again."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, success_threshold=2, store=store)
    wait_for_probe(breaker, clock)
    breaker.call(int)
    fail(breaker)
    clock.advance(1)
    breaker.call(int)
    assert State.HALF_OPEN is breaker.state


def test_a_probe_that_fails_opens_again_and_restarts_the_timer(breaker: CircuitBreaker, clock: Clock) -> None:
    """R08: the whole reset timeout has to pass again."""
    wait_for_probe(breaker, clock)
    fail(breaker)
    assert State.OPEN is breaker.state
    clock.advance(29)
    assert rejection(breaker) is not None
    clock.advance(1)
    assert rejection(breaker) is None
