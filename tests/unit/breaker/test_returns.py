"""How a fuse comes back, and what a call can do about it: growing times, ramps, demands, hints, shadows."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from fuseboard import Cause, CircuitBreaker, CircuitOpenError, State, Store, TripError
from fuseboard.testing import Clock


@pytest.fixture
def clock() -> Clock:
    """A clock to move."""
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    """A store by that clock."""
    return Store.private(clock=clock)


def fail(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    """A call that fails, and must be admitted."""
    error = error or OSError()

    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        breaker.call(call)


def wait_of(breaker: CircuitBreaker) -> float:
    """How long the next call is told to wait."""
    with pytest.raises(CircuitOpenError) as caught:
        breaker.call(int)
    assert caught.value.retry_after is not None
    return caught.value.retry_after


def test_open_times_grow_and_are_capped(clock: Clock, store: Store) -> None:
    """Twice as long with each failed probe, up to the longest."""
    breaker = CircuitBreaker(
        "db", store=store, threshold=1, reset_timeout=10, multiplier=2, max_reset_timeout=timedelta(seconds=35)
    )
    waits = []
    for _ in range(4):
        fail(breaker)
        waits.append(wait_of(breaker))
        clock.advance(waits[-1])
    assert [10, 20, 35, 35] == waits
    assert 3 == store.snapshot()["db"].failed_probes
    breaker.reset()
    assert 0 == store.snapshot()["db"].failed_probes


def test_a_ramp_is_one_for_all_breakers_of_the_fuse(clock: Clock, store: Store) -> None:
    """After the probe a share of the calls passes, whoever makes them; at the end the fuse is closed."""
    settings = {"threshold": 1, "reset_timeout": 10, "ramp": 100, "ramp_from": 0.2}
    one, other = (CircuitBreaker("db", store=store, **settings) for _ in range(2))
    fail(one)
    clock.advance(10)
    one.call(int)
    assert State.RAMPING is other.state
    rejections = []
    for turn in range(100):
        try:
            (one, other)[turn % 2].call(int)
        except CircuitOpenError as rejection:
            rejections.append((rejection.state, rejection.retry_after, str(rejection)))
    told = "fuse 'db' is ramping up and rejects some of the calls; retry in 50 s"
    assert {(State.RAMPING, 50, told)} == set(rejections)
    assert 79 <= len(rejections) <= 81
    clock.advance(100)
    one.call(int)
    assert State.CLOSED is other.state
    assert [Cause.THRESHOLD, Cause.RESET_TIMEOUT, Cause.PROBES_SUCCEEDED, Cause.RAMPED] == [
        transition.cause for transition in store.journal()
    ]


def test_a_fuse_that_is_half_open_for_too_long_opens_again(clock: Clock, store: Store) -> None:
    """The first call after that finds it so, and the probe's outcome is late."""
    breaker = CircuitBreaker("db", store=store, threshold=1, reset_timeout=10, half_open_timeout=60, probe_timeout=30)
    fail(breaker)
    clock.advance(10)
    probe = breaker.permit()
    clock.advance(60)
    assert 10 == wait_of(breaker)
    probe.success()
    assert State.OPEN is breaker.state
    assert Cause.HALF_OPEN_TIMEOUT is store.journal()[-1].cause


def test_some_probes_may_fail(clock: Clock, store: Store) -> None:
    """Two failed probes are one too few where three are allowed."""
    breaker = CircuitBreaker("db", store=store, threshold=1, reset_timeout=10, success_threshold=2, probe_failures=3)
    fail(breaker)
    clock.advance(10)
    fail(breaker)
    fail(breaker)
    assert State.HALF_OPEN is breaker.state
    breaker.call(int)
    breaker.call(int)
    assert State.CLOSED is breaker.state


def test_a_probe_may_demand_that_the_fuse_opens(clock: Clock, store: Store) -> None:
    """Though more probes may fail. A probe's demand was counted as one failed probe once (R22)."""
    breaker = CircuitBreaker("db", store=store, threshold=1, reset_timeout=10, probe_failures=3)
    fail(breaker)
    clock.advance(10)
    fail(breaker, TripError("maintenance until noon", 90))
    assert (State.OPEN, Cause.DEMANDED) == (breaker.state, store.journal()[-1].cause)
    assert 90 == wait_of(breaker)


@pytest.mark.parametrize("trip_if", [PermissionError, (KeyError, PermissionError), lambda e: "no" in str(e)])
def test_some_exceptions_open_the_fuse_at_once(store: Store, trip_if: object) -> None:
    """``trip_if``, by class or predicate; others count as ever."""
    breaker = CircuitBreaker("db", store=store, trip_if=trip_if)
    fail(breaker, OSError())
    assert State.CLOSED is breaker.state
    fail(breaker, PermissionError("no"))
    assert (State.OPEN, Cause.DEMANDED) == (breaker.state, store.journal()[-1].cause)


def test_a_trip_error_opens_the_fuse_for_as_long_as_it_says(store: Store) -> None:
    """Also where ``failure_on`` does not name it. The caller gets it."""
    breaker = CircuitBreaker("db", store=store, failure_on=KeyError)
    fail(breaker, TripError("maintenance until noon", timedelta(seconds=90)))
    assert 90 == wait_of(breaker)


@pytest.mark.parametrize(
    "settings", [{}, {"trip_if": OSError, "open_for": lambda error: 77 if isinstance(error, OSError) else None}]
)
def test_a_probe_that_demands_it_opens_the_fuse_whatever_the_counts(
    store: Store, clock: Clock, settings: dict[str, Any]
) -> None:
    """R22, R24: also where more probes may fail, and for as long as it asks."""
    breaker = CircuitBreaker("db", store=store, threshold=1, reset_timeout=10, probe_failures=3, **settings)
    fail(breaker, KeyError())
    clock.advance(10)
    fail(breaker, KeyError())
    assert State.HALF_OPEN is breaker.state
    fail(breaker, OSError() if settings else TripError("no", 77))
    assert (State.OPEN, Cause.DEMANDED) == (breaker.state, store.journal()[-1].cause)
    assert 77 == wait_of(breaker)


@pytest.mark.parametrize(
    ("members", "cause"),
    [
        ([TripError("no")], Cause.DEMANDED),
        ([OSError(), PermissionError()], Cause.DEMANDED),
        ([asyncio.CancelledError(), ExceptionGroup("", [TripError("no", 5)])], Cause.DEMANDED),
        ([OSError()], None),
    ],
)
def test_a_group_demands_what_its_members_demand(
    store: Store, members: list[BaseException], cause: Cause | None
) -> None:
    """R10, R22: what a task of a ``TaskGroup`` raises comes out in a group."""
    breaker = CircuitBreaker("db", store=store, trip_if=PermissionError)
    fail(breaker, BaseExceptionGroup("", members))
    assert cause is (store.journal()[-1].cause if store.journal() else None)


def test_a_group_asks_for_the_longest_time_of_its_members(store: Store) -> None:
    """R10, R24: ``open_for`` is asked of the members; those that are ignored are not asked."""
    breaker = CircuitBreaker(
        "db", store=store, threshold=1, ignore=KeyError, open_for=lambda error: error.args[0] if error.args else None
    )
    fail(breaker, ExceptionGroup("", [OSError(50), OSError(), OSError(70), KeyError(90)]))
    assert 70 == wait_of(breaker)


NAN = float("nan")


@pytest.mark.parametrize("retry_after", [NAN, timedelta(-1), "soon", []])
def test_a_demand_stands_whatever_its_hint(store: Store, retry_after: Any) -> None:
    """A server that answers ``Retry-After: nan`` does not keep the fuse closed."""
    breaker = CircuitBreaker("db", store=store, reset_timeout=30)
    fail(breaker, TripError("no", retry_after))
    assert 30 == wait_of(breaker)


@pytest.mark.parametrize(
    ("asked", "waits"), [(None, 30), (5, 30), (0, 30), (-1, 30), (NAN, 30), (60, 60), (1e9, 120), (float("inf"), 120)]
)
def test_a_servers_hint_sets_the_open_time_within_bounds(store: Store, asked: float | None, waits: float) -> None:
    """``open_for``: not shorter than ``reset_timeout``, not longer than ``max_reset_timeout``."""
    breaker = CircuitBreaker(
        "db", store=store, threshold=2, reset_timeout=30, max_reset_timeout=120, open_for=lambda _: asked
    )
    fail(breaker)
    assert State.CLOSED is breaker.state
    fail(breaker)
    assert waits == wait_of(breaker)


def test_a_hint_that_cannot_be_told_is_a_failure_and_a_fault(store: Store) -> None:
    """What ``open_for`` raises reaches no caller."""
    breaker = CircuitBreaker("db", store=store, open_for=lambda _: 1 / 0)
    fail(breaker)
    assert (1, 1) == (breaker.faults, store.snapshot()["db"].failures)


def test_a_shadow_decides_and_never_rejects(clock: Clock, store: Store) -> None:
    """It opens, is journalled and counts what it would have rejected; calls go on."""
    breaker = CircuitBreaker("db", store=store, threshold=1, shadow=True)
    fail(breaker)
    assert State.OPEN is breaker.state
    assert 7 == breaker.call(lambda: 7)
    breaker.check()
    with breaker:
        pass
    breaker.permit().success()
    assert 3 == store.snapshot()["db"].rejections
    clock.advance(30)
    breaker.call(int)
    assert State.CLOSED is breaker.state
    assert 3 == len(store.journal())


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"multiplier": 0.5}, ValueError, "^multiplier must be from 1 to 100, got 0.5$"),
        ({"multiplier": "2"}, TypeError, "^multiplier must be a number, got str: '2'$"),
        ({"max_reset_timeout": 29}, ValueError, r"^max_reset_timeout must be at least reset_timeout \(30.0\), got 29$"),
        ({"jitter": 1.5}, ValueError, r"^jitter must be from 0 to 1 \(which is 100%\), got 1.5$"),
        ({"ramp_from": -1}, ValueError, "^ramp_from must be from 0 to 1"),
        ({"ramp": 0}, ValueError, "^ramp must be from 0.001 to"),
        ({"shadow": 1}, TypeError, "^shadow must be True or False, got int: 1$"),
        (
            {"trip_if": 5},
            TypeError,
            "^trip_if must be an exception class, a tuple of them, or a predicate, got int: 5$",
        ),
        ({"open_for": 5}, TypeError, "^open_for must be a function or None, got int: 5$"),
        ({"open_for": asyncio.sleep}, TypeError, "^open_for must be a function or None, got function: <function sleep"),
        ({"settings": {}}, TypeError, "^settings must be Settings or None, got dict: {}$"),
        (
            {"treshold": 5},
            TypeError,
            r"^CircuitBreaker\(\) got an unexpected keyword argument 'treshold'; did you mean",
        ),
        ({"xyz": 5}, TypeError, "got an unexpected keyword argument 'xyz'; the known names are threshold, window"),
    ],
)
def test_what_makes_no_breaker_is_refused(settings: dict[str, object], error: type[Exception], message: str) -> None:
    """By a message that names the argument and the value."""
    with pytest.raises(error, match=message):
        CircuitBreaker("db", **settings)
