"""Permits and the operator: the breaker's rules R09 to R12, on every store."""

import asyncio

import pytest

from fuseboard import CircuitBreaker, CircuitIsolatedError, CircuitOpenError, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, fail, rejection, wait_for_probe


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the third failure in 10 s, for 30 s."""
    return CircuitBreaker("db", threshold=3, window=10, reset_timeout=30, store=store)


def test_a_late_failure_does_not_trip(breaker: CircuitBreaker, clock: Clock) -> None:
    """R09: calls admitted before the fuse opened do not open it anew once it has closed."""
    permits = [breaker._admit() for _ in range(5)]
    wait_for_probe(breaker, clock)
    breaker.call(int)
    for permit in permits:
        breaker._settle(permit, BoomError())
    assert State.CLOSED is breaker.state
    assert (5, 0) == (breaker.store.snapshot()["db"].late_outcomes, breaker.store.snapshot()["db"].window_failures)


def test_a_late_success_does_not_close_or_clear(breaker: CircuitBreaker, clock: Clock) -> None:
    """R09: what was admitted while closed is no probe."""
    old = breaker._admit()
    wait_for_probe(breaker, clock)
    probe = breaker._admit()
    breaker._settle(old)
    assert State.HALF_OPEN is breaker.state
    breaker._settle(probe, BoomError())
    assert State.OPEN is breaker.state


def test_a_success_that_clears_does_not_make_others_late(breaker: CircuitBreaker) -> None:
    """R09: a generation ends with a change of state, not with a success that clears the window."""
    permit = breaker._admit()
    fail(breaker)
    breaker.call(int)
    fail(breaker, 2)
    breaker._settle(permit, BoomError())
    assert State.OPEN is breaker.state


def test_a_reset_makes_calls_under_way_late(breaker: CircuitBreaker) -> None:
    """R09: ``reset`` ends a generation even where the fuse is closed."""
    permits = [breaker._admit() for _ in range(3)]
    breaker.reset()
    for permit in permits:
        breaker._settle(permit, BoomError())
    assert State.CLOSED is breaker.state


def test_a_permit_counts_once(breaker: CircuitBreaker) -> None:
    """A permit has one outcome; a second one does nothing."""
    permit = breaker._admit()
    for _ in range(5):
        breaker._settle(permit, BoomError())
    breaker._settle(permit)
    told = breaker.store.snapshot()["db"]
    assert (1, 1, 0) == (told.failures, told.window_failures, told.successes)


@pytest.mark.parametrize("cls", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit, KeyError])
def test_an_ignored_outcome_gives_the_probes_permit_back(store: Store, clock: Clock, cls: type[BaseException]) -> None:
    """R10: it counts neither way, and the next call is the probe."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, ignore=KeyError, store=store)
    wait_for_probe(breaker, clock)
    with pytest.raises(cls), breaker:
        raise cls
    assert State.HALF_OPEN is breaker.state
    assert rejection(breaker) is None
    breaker.call(int)
    assert State.CLOSED is breaker.state


def test_an_ignored_outcome_neither_counts_nor_clears_while_closed(store: Store) -> None:
    """R10: the window stays as it is."""
    breaker = CircuitBreaker("db", threshold=3, ignore=KeyError, store=store)
    fail(breaker, 2)
    for _ in range(5):
        with pytest.raises(KeyError):
            breaker.call({}.__getitem__, "absent")
    assert (State.CLOSED, 2) == (breaker.state, store.snapshot()["db"].window_failures)
    fail(breaker)
    assert State.OPEN is breaker.state


def test_a_probe_that_never_ends_costs_its_timeout(store: Store, clock: Clock) -> None:
    """R11: past its deadline a lease is anybody's; the old prober's answer is late (R09)."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, probe_timeout=4, store=store)
    wait_for_probe(breaker, clock)
    lost = breaker._admit()
    clock.advance(1)
    error = rejection(breaker)
    assert error is not None
    assert (0.1, pytest.approx(3, abs=1e-3)) == (error.retry_after, error.lease_remaining)
    clock.advance(3)
    with breaker:
        breaker._settle(lost, BoomError())
        assert State.HALF_OPEN is breaker.state
    assert State.CLOSED is breaker.state


def test_a_slow_probe_that_nobody_took_over_still_counts(store: Store, clock: Clock) -> None:
    """R11: a lease that ran out is its holder's until somebody takes it."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, probe_timeout=4, store=store)
    wait_for_probe(breaker, clock)
    with breaker:
        clock.advance(100)
    assert State.CLOSED is breaker.state


def test_a_permit_that_is_thrown_away_gives_its_lease_back(store: Store, clock: Clock) -> None:
    """R10, R11: nothing is counted, and the next call is the probe, at once."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, store=store)
    wait_for_probe(breaker, clock)
    permit = breaker._admit()
    assert rejection(breaker) is not None
    del permit
    with breaker:
        assert State.HALF_OPEN is breaker.state
    told = store.snapshot()["db"]
    assert (State.CLOSED, 1, 0, 0) == (told.state, told.successes, told.ignored, told.late_outcomes)


def test_a_permit_that_is_thrown_away_late_takes_nobodys_lease(store: Store, clock: Clock) -> None:
    """R11: a lease that was taken over is its new holder's."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, probe_timeout=1, store=store)
    wait_for_probe(breaker, clock)
    lost = breaker._admit()
    clock.advance(1)
    holder = breaker._admit()
    del lost
    assert rejection(breaker) is not None
    breaker._settle(holder)
    assert State.CLOSED is breaker.state


def test_an_isolated_fuse_rejects_whatever_happens(breaker: CircuitBreaker, clock: Clock) -> None:
    """R12: until an operator says otherwise, however long; ``retry_after`` is None."""
    permit = breaker._admit()
    breaker.isolate()
    breaker._settle(permit)
    clock.advance(7 * 86_400)
    with pytest.raises(CircuitIsolatedError) as caught:
        breaker.call(int)
    assert (State.ISOLATED, None) == (caught.value.state, caught.value.retry_after)
    breaker.reset()
    assert 0 == breaker.call(int)


def test_a_disabled_fuse_admits_whatever_happens(breaker: CircuitBreaker) -> None:
    """R12: until an operator says otherwise, however many fail."""
    breaker.disable()
    fail(breaker, 100)
    assert (State.DISABLED, 0) == (breaker.state, breaker.call(int))
    breaker.reset()
    fail(breaker, 2)
    assert State.CLOSED is breaker.state


@pytest.mark.parametrize("hold", ["isolate", "disable"])
def test_a_new_breaker_does_not_undo_a_hold(breaker: CircuitBreaker, hold: str) -> None:
    """R12: no restart or re-registration of a breaker undoes a manual override."""
    getattr(breaker, hold)()
    before = breaker.state
    again = CircuitBreaker("db", threshold=1, store=breaker.store)
    fail_anyway = CircuitOpenError if "isolate" == hold else BoomError
    with pytest.raises(fail_anyway):
        again.call(boom)
    assert [before] * 2 == [again.state, breaker.state]
