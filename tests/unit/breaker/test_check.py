"""``check()``: what a call would be told, for a caller that only asks."""

import contextlib
import gc
import weakref

import pytest

from fuseboard import CircuitBreaker, CircuitIsolatedError, CircuitOpenError, State, Store
from fuseboard.testing import Clock, force_state
from helpers import BoomError, boom, rejection, trip, wait_for_probe


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the first failure, for 30 s; a probe may take 40 s."""
    return CircuitBreaker("db", threshold=1, reset_timeout=30, probe_timeout=40, store=store)


def answer(breaker: CircuitBreaker) -> CircuitOpenError | None:
    """What the check raises."""
    try:
        breaker.check()
    except CircuitOpenError as error:
        return error
    return None


@pytest.mark.parametrize("state", State)
def test_check_raises_what_a_call_is_rejected_with(breaker: CircuitBreaker, clock: Clock, state: State) -> None:
    """R02, R05, R06, R12: class, name, state and time, or nothing."""
    force_state(breaker, state)
    clock.advance(7)
    checked, rejected = answer(breaker), rejection(breaker)
    assert (type(rejected), str(rejected)) == (type(checked), str(checked))
    assert (state in {State.OPEN, State.ISOLATED}) is (checked is not None)


def test_check_says_how_long(breaker: CircuitBreaker, clock: Clock) -> None:
    """R05: seconds until a call may pass; None where that is a manual override."""
    trip(breaker)
    clock.advance(12)
    with pytest.raises(CircuitOpenError) as caught:
        breaker.check()
    assert ("db", State.OPEN, 18.0) == (caught.value.name, caught.value.state, pytest.approx(caught.value.retry_after))
    breaker.isolate()
    with pytest.raises(CircuitIsolatedError):
        breaker.check()


def test_a_fuse_never_seen_passes(breaker: CircuitBreaker) -> None:
    """R01: it is closed."""
    breaker.check()


def test_check_moves_nothing(breaker: CircuitBreaker, store: Store, clock: Clock) -> None:
    """R06: an open fuse whose time is up passes and stays open, however often one asks; nothing is counted or told."""
    wait_for_probe(breaker, clock)
    before, journal = store.snapshot()["db"], store.journal()
    for _ in range(3):
        breaker.check()
    assert (State.OPEN, before, journal) == (breaker.state, store.snapshot()["db"], store.journal())
    with breaker:
        assert State.HALF_OPEN is breaker.state


def test_a_check_that_is_refused_counts_no_rejection(breaker: CircuitBreaker, store: Store) -> None:
    """It was no call."""
    trip(breaker)
    assert answer(breaker) is not None
    assert 0 == store.snapshot()["db"].rejections


def test_half_open_passes_while_a_probe_is_free(store: Store, clock: Clock) -> None:
    """R06, R11: and takes none; a lease that ran out is as good as free."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=30, probes=2, probe_timeout=40, store=store)
    wait_for_probe(breaker, clock)
    first = breaker.permit()
    clock.advance(1)
    for _ in range(5):
        breaker.check()
    second = breaker.permit()
    error = answer(breaker)
    assert error is not None
    assert (State.HALF_OPEN, 3.0, 39.0) == (error.state, error.retry_after, pytest.approx(error.lease_remaining))
    clock.advance(39)
    breaker.check()
    first.ignore()
    second.ignore()
    breaker.check()


def test_check_decides_by_the_breakers_own_settings(breaker: CircuitBreaker, store: Store, clock: Clock) -> None:
    """R15: another breaker of the same fuse may be told otherwise."""
    trip(breaker)
    clock.advance(10)
    CircuitBreaker("db", threshold=1, reset_timeout=10, store=store).check()
    assert answer(breaker) is not None


def test_check_has_no_fallback(store: Store) -> None:
    """A fallback is for calls."""
    breaker = CircuitBreaker("db", fallback="cached", store=store)
    force_state(breaker, State.OPEN)
    assert answer(breaker) is not None


def test_check_passes_where_the_fuse_cannot_be_had(
    breaker: CircuitBreaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Goal 1: a call would go on unguarded. The log says why."""
    force_state(breaker, State.OPEN)
    breaker._link(None)
    monkeypatch.setattr(breaker, "_look", boom)
    breaker.check()
    assert 1 == breaker.faults
    assert caplog.messages[-1].startswith("breaker 'db': internal error, the call was not affected: BoomError: ")
    with pytest.raises(BoomError):
        breaker._look()


def test_a_failed_check_leaves_nothing_behind(store: Store) -> None:
    """R18: what the caller holds goes with the caller, without the collector."""

    class Local:
        """What a frame holds."""

    breaker = CircuitBreaker("db", store=store)
    breaker.isolate()

    def ask() -> weakref.ref[Local]:
        local = Local()
        with contextlib.suppress(CircuitOpenError):
            breaker.check()
        return weakref.ref(local)

    gc.disable()
    try:
        assert ask()() is None
    finally:
        gc.enable()
