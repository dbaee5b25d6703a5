"""Policies: when a fuse opens, one by one and several at once."""

import copy
import pickle
from typing import Any

import pytest

from fuseboard import (
    AnyOf,
    Cause,
    CircuitBreaker,
    FailureRate,
    Failures,
    Policy,
    RateCount,
    Settings,
    SlowRate,
    State,
    Store,
)
from fuseboard.testing import Clock

HALF = {"min_calls": 4}


class Bench:
    """A breaker, and calls of it that take their time."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.store = Store.private(clock=self.clock)
        self.breaker = CircuitBreaker("db", store=self.store, **settings)

    def call(self, *, fails: bool = False, takes: float = 0) -> State:
        """One call; the state after it."""
        with self.breaker.permit() as permit:
            if takes:
                self.clock.advance(takes)
            if fails:
                permit.failure(OSError())
        return self.breaker.state

    def cause(self) -> Cause:
        """What the journal says of the last transition."""
        return self.store.journal()[-1].cause


def test_a_failure_rate_opens_at_its_share_of_enough_calls() -> None:
    """Half of at least four calls: three calls are too few; it is the failure that opens."""
    bench = Bench(policy=FailureRate(0.5, window=30, min_calls=4))
    assert [State.CLOSED] * 3 == [bench.call(fails=True), bench.call(), bench.call()]
    assert State.OPEN is bench.call(fails=True)
    assert Cause.FAILURE_RATE is bench.cause()


@pytest.mark.parametrize("calls", range(1, 15))
def test_a_rate_is_reached_by_just_its_share(calls: int) -> None:
    """Of so many calls each number of bad ones, as the fraction that people write: that many open, no fewer."""
    for bad in range(1, calls + 1):
        over = {"calls": calls, "min_calls": calls}
        for policy in (FailureRate(bad / calls, **over), SlowRate(bad / calls, slow_after=1, **over)):
            bench = Bench(policy=policy)
            call = {"fails": True} if isinstance(policy, FailureRate) else {"takes": 1}
            states = [bench.call() for _ in range(calls - bad)] + [bench.call(**call) for _ in range(bad)]
            assert ([State.CLOSED] * (calls - 1), State.OPEN) == (states[:-1], states[-1]), policy


def test_a_count_does_not_open_beside_a_rate() -> None:
    """A policy stands instead of threshold and window."""
    bench = Bench(policy=FailureRate(0.9, min_calls=100))
    assert {State.CLOSED} == {bench.call(fails=True) for _ in range(99)}
    assert State.OPEN is bench.call(fails=True)


def test_calls_leave_the_window() -> None:
    """An idle hour leaves nothing to judge by, and calls of before the window do not count."""
    bench = Bench(policy=FailureRate(0.5, window=30, min_calls=4))
    for _ in range(3):
        bench.call(fails=True)
    bench.clock.advance(3600)
    assert [State.CLOSED] * 3 == [bench.call(fails=True) for _ in range(3)]


def test_a_rate_of_the_last_calls_forgets_older_ones() -> None:
    """Of the last ten calls: nine good ones push the failures out, whatever time it takes."""
    bench = Bench(policy=FailureRate(0.3, calls=10, min_calls=10))
    for _ in range(2):
        bench.call(fails=True)
    for _ in range(9):
        bench.clock.advance(3600)
        assert State.CLOSED is bench.call()
    assert State.CLOSED is bench.call(fails=True)
    assert {FailureRate(0.3, calls=10, min_calls=10): RateCount(10, 1)} == bench.breaker.rates()
    bench.call(fails=True)
    assert State.OPEN is bench.call(fails=True)
    assert Cause.FAILURE_RATE_OF_CALLS is bench.cause()


@pytest.mark.parametrize(
    ("over", "cause"), [({"window": 30}, Cause.SLOW_RATE), ({"calls": 20}, Cause.SLOW_RATE_OF_CALLS)]
)
def test_a_slow_rate_opens_by_slow_calls(over: dict[str, Any], cause: Cause) -> None:
    """Slow successes are slow; a quick failure is not."""
    bench = Bench(policy=SlowRate(0.5, slow_after=2, min_calls=4, **over))
    assert [State.CLOSED] * 3 == [bench.call(takes=2), bench.call(fails=True, takes=1.9), bench.call()]
    assert State.OPEN is bench.call(takes=2)
    assert cause is bench.cause()


def test_guards_blocks_and_coroutines_are_timed() -> None:
    """How long a call took is measured however it is made."""
    bench = Bench(policy=SlowRate(1, slow_after=2, calls=20, min_calls=20))
    guarded = bench.breaker(lambda: bench.clock.advance(2))
    guarded()
    bench.breaker.call(lambda: bench.clock.advance(2))
    with bench.breaker:
        bench.clock.advance(2)

    @bench.breaker
    async def slow() -> None:
        bench.clock.advance(2)

    with pytest.raises(StopIteration):
        slow().send(None)

    @bench.breaker
    def steps() -> Any:
        yield bench.clock.advance(2)

    list(steps())
    (count,) = bench.breaker.rates().values()
    assert (5, 5) == count


def test_calls_that_overlap_are_timed_each_for_itself() -> None:
    """Two permits of one closed fuse do not share their beginnings."""
    bench = Bench(policy=SlowRate(1, slow_after=2, calls=20, min_calls=20))
    first = bench.breaker.permit()
    bench.clock.advance(1.5)
    second = bench.breaker.permit()
    bench.clock.advance(1)
    first.success()
    second.success()
    assert [(2, 1)] == list(bench.breaker.rates().values())


def test_a_slow_probe_does_not_close_the_fuse() -> None:
    """While half-open a slow success is a failure."""
    bench = Bench(policy=SlowRate(0.5, slow_after=2), reset_timeout=30)
    bench.store.set_open("db")
    bench.clock.advance(30)
    assert State.OPEN is bench.call(takes=2)
    assert Cause.PROBE_SLOW is bench.cause()
    bench.clock.advance(30)
    assert State.CLOSED is bench.call(takes=1)


def test_a_quick_failure_does_not_open_by_slow_calls() -> None:
    """R19: a call asks the rates that it was bad for; the journal names a call that was slow."""
    bench = Bench(policy=SlowRate(0.5, slow_after=2, min_calls=4))
    for _ in range(3):
        assert State.CLOSED is bench.call(takes=2)
    assert State.CLOSED is bench.call(fails=True)
    assert State.OPEN is bench.call(takes=2)


def test_any_of_several_policies_opens_and_is_named() -> None:
    """The first that is reached; the journal says which."""
    policy = (
        Failures(3, window=None) | FailureRate(0.5, window=60, min_calls=10) | SlowRate(0.5, slow_after=1, min_calls=4)
    )
    for calls, cause in (
        ([{"fails": True}] * 3, Cause.THRESHOLD),
        ([{"fails": True}, {}] * 5 + [{"fails": True}], Cause.FAILURE_RATE),
        ([{"takes": 1}] * 4, Cause.SLOW_RATE),
    ):
        bench = Bench(policy=policy)
        states = [bench.call(**call) for call in calls]
        assert ([State.CLOSED] * (len(calls) - 1), State.OPEN) == (states[:-1], states[-1]), cause
        assert cause is bench.cause()


def test_a_slow_success_opens_no_fuse_by_the_rate_of_failures() -> None:
    """R19: a rate is judged when a call is bad by it. A slow success that made the calls enough did it once."""
    bench = Bench(policy=FailureRate(0.5, min_calls=3) | SlowRate(1.0, slow_after=1, min_calls=3))
    states = [bench.call(fails=True), bench.call(fails=True), bench.call(takes=1)]
    assert [State.CLOSED] * 3 == states
    assert State.OPEN is bench.call(fails=True)
    assert Cause.FAILURE_RATE is bench.cause()


def test_consecutive_failures_know_no_time() -> None:
    """``window=None``: hours between them, but no success."""
    bench = Bench(threshold=3, window=None)
    for _ in range(2):
        bench.call(fails=True)
        bench.clock.advance(24 * 3600)
    bench.call()
    for _ in range(2):
        assert State.CLOSED is bench.call(fails=True)
        bench.clock.advance(24 * 3600)
    assert State.OPEN is bench.call(fails=True)


def test_a_fuse_that_closes_begins_at_zero() -> None:
    """What failed before it opened does not count in the next window."""
    bench = Bench(policy=FailureRate(0.5, window=60, min_calls=4), reset_timeout=1)
    for _ in range(4):
        bench.call(fails=True)
    bench.clock.advance(1)
    bench.call()
    assert {FailureRate(0.5, window=60, min_calls=4): RateCount(0, 0)} == bench.breaker.rates()


def test_a_rate_without_calls_has_the_rate_0() -> None:
    """And else the share of bad ones."""
    assert (0.0, 0.25) == (RateCount(0, 0).rate, RateCount(4, 1).rate)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FailureRate(0), ValueError, r"^failure_rate must be from 1e-06 to 1 \(which is 100%\), got 0$"),
        (lambda: FailureRate(1.1), ValueError, r"^failure_rate must be from 1e-06 to 1 \(which is 100%\), got 1.1$"),
        (lambda: FailureRate(float("nan")), ValueError, "^failure_rate must be from"),
        (lambda: FailureRate("1"), TypeError, "^failure_rate must be a number, got str: '1'$"),
        (lambda: FailureRate(True), TypeError, "^failure_rate must be a number, got bool: True$"),
        (
            lambda: FailureRate(1, window=5, calls=5),
            ValueError,
            "^a rate takes window or calls, not both, got window=5",
        ),
        (lambda: FailureRate(1, calls=5, min_calls=6), ValueError, r"^min_calls must be at most calls \(5\), got 6; "),
        (lambda: FailureRate(1, calls=0), ValueError, "^calls must be from 1 to 100000, got 0$"),
        (lambda: FailureRate(1, min_calls=0), ValueError, "^min_calls must be from 1 to 100000, got 0$"),
        (lambda: SlowRate(2, slow_after=1), ValueError, "^slow_rate must be from"),
        (lambda: SlowRate(1, slow_after=0), ValueError, "^slow_after must be from"),
        (lambda: Failures(0), ValueError, "^threshold must be from 1 to 2048, got 0$"),
        (lambda: Failures(1, 0), ValueError, "^window must be from"),
        (lambda: Failures(1) | Failures(2), ValueError, "^policies must be of different kinds, got a second Failures"),
        (lambda: FailureRate(1) | (SlowRate(1, slow_after=1) | FailureRate(0.1)), ValueError, "^policies must be of"),
        (lambda: AnyOf(()), ValueError, r"^policies must name at least one policy, got \(\): the fuse would never"),
        (lambda: Failures(1) | 5, TypeError, "unsupported operand"),
        (lambda: Settings(policy=5), TypeError, "^policy must be Failures, FailureRate, SlowRate, several"),
        (lambda: Settings(policy=Policy()), TypeError, "^policy must be Failures"),
        (
            lambda: Settings(policy=Failures(3), threshold=4),
            ValueError,
            "^threshold=4 and window=10.0 have no effect beside",
        ),
    ],
)
def test_what_makes_no_policy_is_refused(make: Any, error: type[Exception], message: str) -> None:
    """Where it is made, by a message that names the argument and the value."""
    with pytest.raises(error, match=message):
        make()


def test_rates_over_time_and_over_calls_go_together() -> None:
    """They are two kinds."""
    both = FailureRate(0.5, window=10) | FailureRate(0.5, calls=10)
    assert AnyOf((FailureRate(0.5, window=10), FailureRate(0.5, calls=10))) == both
    assert 2 == len(Settings(policy=both).policies)


def test_policies_are_values() -> None:
    """Equal by content, hashable; copies and pickles are equal."""
    policy = Failures(3) | SlowRate(0.5, slow_after=1)
    assert {policy} == {Failures(3) | SlowRate(0.5, slow_after=1), copy.copy(policy)}
    assert policy == pickle.loads(pickle.dumps(policy))  # noqa: S301 - our own


def test_rates_that_count_apart_take_buckets_from_each_other_and_never_calls() -> None:
    """R15, rates: each counts its own kind's calls only, and loses some of them; a count beside it loses none."""
    bench = Bench(policy=Failures(40, None) | FailureRate(1.0, window=30, min_calls=30))
    other = CircuitBreaker("db", store=bench.store, policy=FailureRate(1.0, window=2, min_calls=30))
    for _ in range(19):
        assert State.CLOSED is bench.call(fails=True)
        other.permit().failure()
        bench.clock.advance(0.5)
    (mine,), (others,) = (breaker.rates().values() for breaker in (bench.breaker, other))
    assert 0 < mine.calls < 19
    assert 0 < others.calls <= 5
    bench.call(fails=True)
    assert State.OPEN is bench.call(fails=True)
    assert Cause.THRESHOLD is bench.cause()


def test_processes_with_nearly_the_same_window_count_together() -> None:
    """R15: facts are shared, settings are not: a rolling deploy from 30 to 32 seconds goes on counting."""
    bench = Bench(policy=FailureRate(0.5, window=30, min_calls=4))
    other = CircuitBreaker("db", store=bench.store, policy=FailureRate(0.5, window=32, min_calls=4))
    for _ in range(3):
        bench.call(fails=True)
    assert [RateCount(3, 3)] == list(other.rates().values())


def test_several_policies_say_all_of_what_they_do() -> None:
    """What ``explain()`` and ``fuseboard show`` print."""
    several = Failures(5) | SlowRate(0.5, slow_after=2)
    assert str(several) == f"{Failures(5)}, or {SlowRate(0.5, slow_after=2)}"
