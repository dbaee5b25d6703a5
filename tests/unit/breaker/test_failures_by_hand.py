"""What a failure says by hand: an open time without a demand, a trip, a label; of permits, results and exceptions."""

import pickle
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fuseboard import (
    Cause,
    CircuitBreaker,
    Failure,
    FailureRate,
    Outcome,
    SlowRate,
    State,
    Store,
    Transition,
    TripError,
)
from fuseboard.testing import Clock
from helpers import BoomError, rejection, wait_for_probe

Say = Callable[[CircuitBreaker, Failure], object]


def by_permit(breaker: CircuitBreaker, said: Failure) -> None:
    """By hand."""
    breaker.permit().failure(said.error, retry_after=said.retry_after, trip=said.trip, label=said.label)


def by_result(breaker: CircuitBreaker, said: Failure) -> None:
    """By ``failure_if``, which says what it is given."""
    breaker.call(lambda: said)


WAYS = [by_permit, by_result]


def made(store: Store, **settings: Any) -> CircuitBreaker:
    """A breaker whose results are what they say."""
    return CircuitBreaker("db", failure_if=lambda said: said, store=store, **settings)


def open_for(breaker: CircuitBreaker) -> float | None:
    """How long the fuse is to stay open, if it is."""
    rejected = rejection(breaker)
    return None if rejected is None else rejected.retry_after


@pytest.mark.parametrize("say", WAYS)
def test_one_answer_with_retry_after_does_not_open_a_fuse_of_threshold_5(store: Store, say: Say) -> None:
    """R24: it asks for an open time, and demands nothing. The failure that opens the fuse gets its time."""
    breaker = made(store, threshold=5, max_reset_timeout=300)
    for _ in range(4):
        say(breaker, Failure(retry_after=120, label="HTTP 503"))
        assert State.CLOSED is breaker.state
    say(breaker, Failure(retry_after=90, label="HTTP 503"))
    assert (State.OPEN, 90) == (breaker.state, open_for(breaker))
    assert [(Cause.THRESHOLD, "HTTP 503")] == [(told.cause, told.error) for told in store.journal()]


@pytest.mark.parametrize("say", WAYS)
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, 30), (0, 30), (1, 30), (29.5, 30), (31, 31), (timedelta(minutes=1), 60), (300, 300), (301, 300),
        (10**30, 300), (float("inf"), 300),
    ],
)  # fmt: skip
def test_an_open_time_is_kept_within_the_settings(store: Store, say: Say, asked: Any, told: float) -> None:
    """R24: from ``reset_timeout`` to ``max_reset_timeout``, whatever a server says."""
    breaker = made(store, threshold=1, reset_timeout=30, max_reset_timeout=300)
    say(breaker, Failure(retry_after=asked))
    assert told == open_for(breaker)


@pytest.mark.parametrize("say", WAYS)
def test_a_failure_may_open_the_fuse_at_once(store: Store, say: Say) -> None:
    """R22: whatever the counts, and for as long as it says."""
    breaker = made(store, threshold=5)
    say(breaker, Failure(trip=True, retry_after=77, label="maintenance"))
    assert (State.OPEN, 77) == (breaker.state, open_for(breaker))
    assert [(Cause.DEMANDED, "maintenance")] == [(told.cause, told.error) for told in store.journal()]


@pytest.mark.parametrize("say", WAYS)
def test_a_probe_may_ask_and_demand_too(store: Store, say: Say, clock: Clock) -> None:
    """R08, R22: a failed probe that is not the last one allowed only asks; one that demands opens the fuse."""
    breaker = made(store, threshold=1, reset_timeout=10, probe_failures=2)
    for said, state in [(Failure(retry_after=40), State.HALF_OPEN), (Failure(trip=True, retry_after=40), State.OPEN)]:
        breaker.reset()
        by_permit(breaker, Failure())
        clock.advance(10)
        say(breaker, said)
        assert state is breaker.state
    assert 40 == open_for(breaker)


@pytest.mark.parametrize("say", WAYS)
def test_the_class_of_an_exception_stands_before_a_label(store: Store, say: Say) -> None:
    """T14: events and the journal name the one or show the other."""
    told: list[Transition] = []
    breaker = made(store, threshold=1, on_transition=told.append)
    for said, shown in [
        (Failure(), None),
        (Failure(label="HTTP 503"), "HTTP 503"),
        (Failure(BoomError(), label="HTTP 503"), "BoomError"),
        (Failure(BoomError()), "BoomError"),
        (Failure(label="é" * 47 + "!"), "é" * 47 + "!"),
    ]:
        breaker.reset()
        say(breaker, said)
        assert shown == told[-1].error
        assert told[-1] == store.journal()[-1]
        assert str(told[-1]).endswith(f"closed -> open (threshold{'' if shown is None else f', {shown}'})")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"error": "timed out"}, TypeError, "error must be an exception or None, got str: 'timed out'"),
        ({"error": BoomError}, TypeError, "error must be an exception or None, got type: <class 'helpers.BoomError'>"),
        (
            {"retry_after": "120"},
            TypeError,
            (
                "retry_after must be seconds as a number, a timedelta or None, got str: '120'; "
                "convert text first, for example with float(text)"
            ),
        ),
        (
            {"retry_after": True},
            TypeError,
            "retry_after must be seconds as a number, a timedelta or None, got bool: True",
        ),
        (
            {"retry_after": -1},
            ValueError,
            "retry_after must be at least 0 seconds, got -1; use None if there is none",
        ),
        (
            {"retry_after": float("nan")},
            ValueError,
            "retry_after must be at least 0 seconds, got nan; use None if there is none",
        ),
        (
            {"retry_after": timedelta(seconds=-1)},
            ValueError,
            (
                "retry_after must be at least 0 seconds, got datetime.timedelta(days=-1, seconds=86399); "
                "use None if there is none"
            ),
        ),
        ({"trip": 1}, TypeError, "trip must be True or False, got int: 1"),
        ({"label": 503}, TypeError, "label must be a str or None, got int: 503; use text such as 'HTTP 503'"),
        *[
            (
                {"label": label},
                ValueError,
                (
                    f"label must be 1 to 95 bytes of printable text in UTF-8, got {shown}; "
                    "shorten it and leave out line breaks"
                ),
            )
            for label, shown in [
                ("", "''"),
                ("two\nlines", r"'two\nlines'"),
                ("\ud800", r"'\ud800'"),
                ("é" * 48, repr("é" * 48)),
                ("x" * 96, repr("x" * 96)[:80] + "..."),
            ]
        ],
    ],
)
def test_what_is_wrong_is_refused_by_name(
    store: Store, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Nothing is reported then: the permit can still be settled, and a ``with`` block goes on."""
    breaker = made(store)
    permit = breaker.permit()
    for say in (Failure, permit.failure):
        with pytest.raises(error) as caught:
            say(**wrong)
        assert message == str(caught.value)
    assert 0 == store.snapshot()["db"].failures
    permit.failure(label="HTTP 503")
    permit.failure(trip=True)
    assert (1, State.CLOSED) == (store.snapshot()["db"].failures, breaker.state)


def test_a_failure_is_a_value() -> None:
    """Immutable, equal by content, shown as what makes it again, and pickled."""
    failure = Failure(retry_after=timedelta(seconds=5), label="HTTP 503")
    assert "Failure(error=None, retry_after=5.0, trip=False, label='HTTP 503')" == repr(failure)
    assert [failure] * 2 == [Failure(label="HTTP 503", retry_after=5), pickle.loads(pickle.dumps(failure))]  # noqa: S301 - our own bytes
    assert len({failure, Failure(), Failure(trip=True), Failure(label="HTTP 503")}) == 4
    with pytest.raises(AttributeError):
        failure.trip = True  # type: ignore[misc]
    match Failure(retry_after=5):
        case Failure(None, seconds, trip, label):
            assert (5, False, None) == (seconds, trip, label)


@pytest.mark.parametrize("argument", ["failure_on", "success_on", "ignore"])
def test_a_predicate_of_exceptions_may_return_one(store: Store, argument: str) -> None:
    """R10: it decides at once, whichever list the predicate is of; the journal names the exception that was raised."""

    def says(error: BaseException) -> Failure | bool:
        return Failure(retry_after=50, label="busy") if isinstance(error, BoomError) else False

    breaker = CircuitBreaker("db", threshold=2, store=store, **{argument: says})  # type: ignore[arg-type]
    for state in (State.CLOSED, State.OPEN):
        with pytest.raises(BoomError), breaker:
            raise BoomError
        assert state is breaker.state
    assert (50, "BoomError") == (open_for(breaker), store.journal()[-1].error)


def test_what_several_say_of_one_exception_adds_up(store: Store) -> None:
    """R22, R24: any may demand; of the times the longest counts."""

    def says(error: BaseException) -> Failure:
        return Failure(retry_after=50, trip="now" in str(error))

    breaker = CircuitBreaker(
        "db", threshold=9, failure_on=says, trip_if=LookupError, open_for=lambda error: len(error.args), store=store
    )
    for error, state in [
        (BoomError("later"), State.CLOSED),
        (BoomError("now"), State.OPEN),
        (KeyError("later"), State.OPEN),
        (BoomError(*range(70)), State.CLOSED),
    ]:
        breaker.reset()
        with pytest.raises(type(error)), breaker:
            raise error
        assert (state, None if state is State.CLOSED else 50) == (breaker.state, open_for(breaker))
    breaker.reset()
    with pytest.raises(KeyError), breaker:
        raise KeyError(*range(70))
    assert 70 == open_for(breaker)


def test_whoever_is_asked_for_a_trip_cannot_say_failure(store: Store) -> None:
    """It would be true whatever it says: a fault, and the call has failed."""
    breaker = CircuitBreaker("db", trip_if=lambda _: Failure(), store=store)
    with pytest.raises(BoomError), breaker:
        raise BoomError
    assert (1, 1, State.CLOSED) == (breaker.faults, store.snapshot()["db"].failures, breaker.state)


def test_other_answers_mean_what_they_meant(store: Store) -> None:
    """Negative control: a ``TripError`` that is returned still trips, an ``Outcome`` is itself."""
    breaker = made(store, threshold=5)
    for said in (Outcome.IGNORED, Outcome.SUCCESS, Outcome.FAILURE, False, True):
        breaker.call(lambda said=said: said)
    seen = store.snapshot()["db"]
    assert (1, 2, 2, State.CLOSED) == (seen.ignored, seen.successes, seen.failures, breaker.state)
    breaker.call(lambda: TripError("no", retry_after=44))
    assert (State.OPEN, 44) == (breaker.state, open_for(breaker))


def test_a_failure_counts_in_a_rate(store: Store) -> None:
    """R19: with its time, where it is the one that reaches the rate."""
    breaker = made(store, policy=FailureRate(0.5, calls=4, min_calls=4))
    for said in (Failure(retry_after=200), False, False, Failure(retry_after=100)):
        by_result(breaker, said) if said else breaker.call(lambda: False)
    assert (State.OPEN, 100) == (breaker.state, open_for(breaker))


@pytest.fixture
def slow(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens when two calls took two seconds each."""
    return CircuitBreaker("db", policy=SlowRate(1.0, slow_after=2, calls=2, min_calls=2), store=store)


SETTLE: list[Callable[[Any], None]] = [lambda permit: permit.success(), lambda permit: permit.failure()]


@pytest.mark.parametrize("settle", SETTLE)
def test_a_clock_may_stop_before_the_call_ends(
    slow: CircuitBreaker, clock: Clock, settle: Callable[[Any], None]
) -> None:
    """R20: the time to the headers is judged, not that to the end of the body."""
    for _ in range(3):
        permit = slow.permit()
        clock.advance(1.9)
        permit.stop_clock()
        clock.advance(60)
        settle(permit)
    assert State.CLOSED is slow.state
    for _ in range(2):
        permit = slow.permit()
        clock.advance(2)
        permit.stop_clock()
        settle(permit)
    assert (State.OPEN, Cause.SLOW_RATE_OF_CALLS) == (slow.state, slow.store.journal()[-1].cause)


def test_the_first_stop_counts(slow: CircuitBreaker, clock: Clock) -> None:
    """Whoever stops it, and how often; behind the outcome it does nothing."""
    for _ in range(2):
        permit = slow.permit()
        clock.advance(1)
        permit.stop_clock()
        clock.advance(5)
        stop = threading.Thread(target=permit.stop_clock)
        stop.start()
        stop.join()
        settle = threading.Thread(target=permit.success)
        settle.start()
        settle.join()
        permit.stop_clock()
    assert (State.CLOSED, 2) == (slow.state, slow.store.snapshot()["db"].successes)


def test_a_block_may_stop_its_clock(slow: CircuitBreaker, clock: Clock) -> None:
    """So may a block, and a probe: one whose clock ran on is slow."""
    for stops, state in [(True, State.CLOSED), (False, State.OPEN)]:
        slow.store.set_half_open("db")
        with slow.permit() as permit:
            if stops:
                permit.stop_clock()
            clock.advance(3)
        assert state is slow.state


def test_a_policy_that_does_not_ask_for_time_has_no_clock(store: Store, clock: Clock) -> None:
    """There a stop changes nothing, before the outcome or behind it."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    permit = breaker.permit()
    permit.stop_clock()
    clock.advance(5)
    permit.failure()
    permit.stop_clock()
    assert State.OPEN is breaker.state


def test_a_permit_without_a_fuse_says_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal 1: where the fuse cannot be had, all of it does nothing."""
    breaker = CircuitBreaker("db", store=store)
    breaker._link(None)
    monkeypatch.setattr(breaker, "_resolve", lambda: 1 / 0)
    permit = breaker.permit()
    permit.stop_clock()
    permit.failure(trip=True)
    assert not permit.is_probe


def test_a_permit_says_whether_its_call_is_a_probe(store: Store, clock: Clock) -> None:
    """R06: that of a closed or ramping fuse is none."""
    breaker = CircuitBreaker("db", threshold=2, ramp=10, ramp_from=1.0, store=store)
    with breaker.permit() as permit:
        assert not permit.is_probe
    wait_for_probe(breaker, clock)
    with breaker.permit() as permit:
        assert permit.is_probe
    assert permit.is_probe
    assert State.RAMPING is breaker.state
    with breaker.permit() as permit:
        assert not permit.is_probe
