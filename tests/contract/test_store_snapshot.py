"""The store's contract: what ``snapshot`` counts."""

import contextlib

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, FailureRate, FuseSnapshot, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, fail, go_the_way_round, rejection, trip


def snapshot(store: Store) -> FuseSnapshot:
    """What the fuse "db" has been through."""
    return store.snapshot()["db"]


def test_a_snapshot_begins_at_zero(store: Store, clock: Clock) -> None:
    """Every counter of a fuse that was only just used is 0."""
    clock.advance(1)
    store.set_closed("db")
    told = snapshot(store)
    counters = ["successes", "failures", "ignored", "rejections", "late_outcomes", "probes", "trips", "closes"]
    assert [0] * 8 == [getattr(told, name) for name in counters]
    assert ("db", State.CLOSED, 1001.0) == (told.name, told.state, told.since)
    assert (0, None, 0, 0) == (told.window_failures, told.last_failure, told.settings_changes, told.failed_probes)


def test_outcomes_are_counted_as_what_they_are(store: Store) -> None:
    """Successes, failures and ignored outcomes each have a counter (R10)."""
    breaker = CircuitBreaker("db", store=store, ignore=KeyError)
    for _ in range(3):
        breaker.call(int)
    fail(breaker, 2)
    with contextlib.suppress(KeyError):
        breaker.call({}.__getitem__, "absent")
    told = snapshot(store)
    assert (3, 2, 1) == (told.successes, told.failures, told.ignored)


def test_rejections_are_counted(store: Store) -> None:
    """A rejected call is a rejection and nothing else."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    trip(breaker)
    for _ in range(4):
        with pytest.raises(CircuitOpenError):
            breaker.call(int)
    told = snapshot(store)
    assert (4, 0, 1) == (told.rejections, told.successes, told.failures)


def test_the_way_round_is_counted(store: Store, clock: Clock) -> None:
    """Trips, probes and closes: one each per way through the states, and one more trip per probe that fails."""
    breaker = CircuitBreaker("db", threshold=2, reset_timeout=1, store=store)
    go_the_way_round(breaker, clock)
    told = snapshot(store)
    assert (2, 2, 1) == (told.trips, told.probes, told.closes)


def test_an_operators_word_is_neither_trip_nor_close(store: Store) -> None:
    """``trips`` and ``closes`` count what failures and probes did."""
    breaker = CircuitBreaker("db", store=store)
    store.set_open("db")
    breaker.reset()
    breaker.isolate()
    breaker.reset()
    assert (0, 0) == (snapshot(store).trips, snapshot(store).closes)


def test_a_late_outcome_is_counted_as_what_it_was_too(store: Store) -> None:
    """R09: an outcome of an older generation is late, beside being a success, a failure or ignored."""
    breaker = CircuitBreaker("db", store=store)
    permits = [breaker._admit() for _ in range(3)]
    breaker.reset()
    for permit, error in zip(permits, [None, BoomError(), KeyboardInterrupt()], strict=True):
        breaker._settle(permit, error)
    told = snapshot(store)
    assert (1, 1, 1, 3) == (told.successes, told.failures, told.ignored, told.late_outcomes)


def test_the_window_and_its_last_failure_are_told(store: Store, clock: Clock) -> None:
    """Failures since the last success or change of state; where no breaker has come, of seven days."""
    for _ in range(3):
        store.record_failure("db", 1)
        clock.advance(100)
    assert (3, 1200.0) == (snapshot(store).window_failures, snapshot(store).last_failure)
    clock.advance(7 * 86400 - 200)
    assert (2, 1200.0) == (snapshot(store).window_failures, snapshot(store).last_failure)
    store.record_success("db")
    assert (0, None) == (snapshot(store).window_failures, snapshot(store).last_failure)


def test_failures_leave_the_window_with_time(store: Store, clock: Clock) -> None:
    """``window_failures`` is what a breaker would count now: a failure that is older than its window is none."""
    breaker = CircuitBreaker("db", threshold=9, window=2, store=store)
    fail(breaker)
    clock.advance(1)
    fail(breaker, 2)
    for later, left in ((1, 3), (1e-3, 2), (0.999, 2), (1e-3, 0), (3600, 0)):
        clock.advance(later)
        told = snapshot(store)
        assert (left, pytest.approx(1001, abs=1e-3), 3) == (told.window_failures, told.last_failure, told.failures)


def test_the_longest_window_of_a_fuses_breakers_counts(store: Store, clock: Clock) -> None:
    """R15: each decides by its own; what one of them still counts is in the window. A rate's window is one too."""
    fail(CircuitBreaker("db", threshold=9, window=2, store=store))
    CircuitBreaker("db", threshold=9, window=60, store=store).permit().ignore()
    fail(CircuitBreaker("rate", policy=FailureRate(0.9, window=70), store=store))
    clock.advance(60)
    assert (1, 1) == tuple(store.snapshot()[name].window_failures for name in ("db", "rate"))
    clock.advance(1e-3)
    assert (0, 1) == tuple(store.snapshot()[name].window_failures for name in ("db", "rate"))
    clock.advance(20)
    assert 0 == store.snapshot()["rate"].window_failures


def test_other_settings_on_a_fuse_are_counted(store: Store) -> None:
    """R15: a mismatch of settings is visible in the snapshot."""
    for threshold in (3, 3, 4, 3):
        CircuitBreaker("db", threshold=threshold, store=store).call(int)
    assert 2 == snapshot(store).settings_changes


def test_calls_of_a_disabled_fuse_are_counted_but_fill_no_window(store: Store) -> None:
    """R12: a disabled fuse admits and counts calls, records no failure and clears no window."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    breaker.disable()
    store.record_failure("db", 10)
    fail(breaker, 3)
    breaker.call(int)
    told = snapshot(store)
    assert (1, 3, 0, State.DISABLED) == (told.successes, told.failures, told.trips, told.state)
    assert 1 == told.window_failures


def test_reset_all_begins_the_counters_again(store: Store) -> None:
    """After ``reset_all`` counters begin at 0."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    trip(breaker)
    rejection(breaker)
    store.reset_all()
    breaker.call(int)
    told = snapshot(store)
    assert (1, 0, 0, 0) == (told.successes, told.failures, told.rejections, told.trips)


def test_a_snapshot_is_immutable(store: Store) -> None:
    """A snapshot is a value: it stays what it was, and nobody can change it."""
    breaker = CircuitBreaker("db", store=store)
    breaker.call(int)
    told = snapshot(store)
    breaker.call(int)
    assert 1 == told.successes
    with pytest.raises(AttributeError):
        told.successes = 7


def test_a_snapshot_says_what_it_is(store: Store) -> None:
    """The representation tells the fuse, its state and the counters that matter most."""
    breaker = CircuitBreaker("db", store=store)
    breaker.call(int)
    with contextlib.suppress(BoomError):
        breaker.call(boom)
    told = repr(snapshot(store))
    assert 'FuseSnapshot(name="db", state=State.CLOSED, successes=1, failures=1, rejections=0)' == told
