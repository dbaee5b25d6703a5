"""``success_on``: a healthy service that answers with exceptions is healthy (rule R10)."""

import asyncio
import contextlib
from collections.abc import Callable, Generator

import pytest

from fuseboard import Cause, CircuitBreaker, CircuitOpenError, FailureRate, Settings, SlowRate, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, fail, trip, wait_for_probe


class NotFoundError(Exception):
    """An answer."""


def answer(*_arguments: object) -> None:
    """Says no."""
    raise NotFoundError


async def answer_later() -> None:
    """Says no, later."""
    await asyncio.sleep(0)
    raise NotFoundError


def answer_in_between() -> Generator[int, None, None]:
    """Says no in the middle of an iteration."""
    yield 1
    raise NotFoundError


def by_call(breaker: CircuitBreaker) -> None:
    """``call``."""
    breaker.call(answer)


def by_decorator(breaker: CircuitBreaker) -> None:
    """A decorated function."""
    breaker(answer)()


def by_block(breaker: CircuitBreaker) -> None:
    """A block."""
    with breaker:
        answer()


def by_coroutine(breaker: CircuitBreaker) -> None:
    """A decorated coroutine function."""
    asyncio.run(breaker(answer_later)())


def by_acall(breaker: CircuitBreaker) -> None:
    """``acall``."""
    asyncio.run(breaker.acall(answer_later))


def by_generator(breaker: CircuitBreaker) -> None:
    """A decorated generator function."""
    list(breaker(answer_in_between)())


def by_permit(breaker: CircuitBreaker) -> None:
    """A permit as a block."""
    with breaker.permit():
        answer()


WAYS = [by_call, by_decorator, by_block, by_coroutine, by_acall, by_generator, by_permit]
Way = Callable[[CircuitBreaker], None]


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker that knows an answer, and remembers that it does."""
    breaker = CircuitBreaker("db", threshold=2, success_on=NotFoundError, store=store)
    with contextlib.suppress(NotFoundError):
        breaker.call(answer)
    return breaker


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_of_a_probe_closes_the_fuse(breaker: CircuitBreaker, way: Way, clock: Clock) -> None:
    """R07, R10; and nothing failed that the journal could name."""
    wait_for_probe(breaker, clock)
    with pytest.raises(NotFoundError):
        way(breaker)
    assert State.CLOSED is breaker.state
    last = breaker.store.journal()[-1]
    assert (Cause.PROBES_SUCCEEDED, None) == (last.cause, last.error)


def test_without_the_list_it_does_not(store: Store, clock: Clock) -> None:
    """Negative control: an exception that only says nothing leaves the fuse half-open."""
    breaker = CircuitBreaker("db", ignore=NotFoundError, store=store)
    wait_for_probe(breaker, clock)
    with pytest.raises(NotFoundError):
        breaker.call(answer)
    assert State.HALF_OPEN is breaker.state


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_clears_the_window(breaker: CircuitBreaker, way: Way) -> None:
    """R04, R10: failures with an answer in between are not in a row."""
    for _ in range(3):
        fail(breaker)
        with pytest.raises(NotFoundError):
            way(breaker)
    assert State.CLOSED is breaker.state
    trip(breaker)
    assert State.OPEN is breaker.state


@pytest.mark.parametrize("way", WAYS)
def test_answers_dilute_a_rate(store: Store, way: Way) -> None:
    """R19, R10: three of six is half; three of three would be all."""
    policy = FailureRate(0.6, calls=10, min_calls=3)
    breaker = CircuitBreaker("db", policy=policy, success_on=NotFoundError, store=store)
    for _ in range(3):
        with pytest.raises(NotFoundError):
            way(breaker)
    fail(breaker, 3)
    assert (State.CLOSED, (6, 3)) == (breaker.state, tuple(breaker.rates()[policy]))
    fail(breaker, 2)
    assert State.OPEN is breaker.state


def answer_after(breaker: CircuitBreaker, clock: Clock, seconds: float) -> None:
    """A call that is answered after so long."""
    with contextlib.suppress(NotFoundError), breaker:
        clock.advance(seconds)
        answer()


def test_a_slow_answer_is_slow(store: Store, clock: Clock) -> None:
    """R20, R10: it is measured as a success is, also where its class is remembered; a prompt one is not slow."""
    breaker = CircuitBreaker("db", policy=SlowRate(1, slow_after=1, calls=2, min_calls=2), success_on=NotFoundError,
        store=store)  # fmt: skip
    for seconds in (0.5, 1, 0.5, 1, 1):
        assert State.CLOSED is breaker.state
        answer_after(breaker, clock, seconds)
    assert State.OPEN is breaker.state
    last = store.journal()[-1]
    assert (Cause.SLOW_RATE_OF_CALLS, None) == (last.cause, last.error)


def test_a_slow_answer_of_a_probe_is_a_failed_probe(store: Store, clock: Clock) -> None:
    """R20: slow is slow."""
    breaker = CircuitBreaker("db", policy=SlowRate(1, slow_after=1), success_on=NotFoundError, store=store)
    store.set_half_open("db")
    answer_after(breaker, clock, 1)
    assert (State.OPEN, Cause.PROBE_SLOW) == (breaker.state, store.journal()[-1].cause)


def test_a_healthy_service_that_mostly_says_no_never_opens_the_fuse(store: Store) -> None:
    """R10: 1% of failures among prompt answers is neither half of the calls nor five in a row."""
    changes: list[Settings] = [
        Settings(policy=FailureRate(0.5, window=60, min_calls=10)), Settings(threshold=5, window=None)
    ]  # fmt: skip
    for number, settings in enumerate(changes):
        breaker = CircuitBreaker(f"db {number}", settings=settings, success_on=NotFoundError, store=store)
        for call in ([boom] + [answer] * 99) * 10:
            with contextlib.suppress(BoomError, NotFoundError):
                breaker.call(call)
        assert State.CLOSED is breaker.state


def test_one_failure_in_a_hundred_opens_it_where_answers_say_nothing(store: Store) -> None:
    """Negative control: then all that counts has failed."""
    breaker = CircuitBreaker("db", policy=FailureRate(0.5), ignore=NotFoundError, store=store)
    for call in ([boom] + [answer] * 99) * 10:
        with contextlib.suppress(BoomError, NotFoundError, CircuitOpenError):
            breaker.call(call)
    assert State.OPEN is breaker.state


def test_breakers_of_keys_know_the_answers_too(breaker: CircuitBreaker) -> None:
    """A key's breaker is the same in all but its fuse."""
    keyed = breaker.for_key("tenant")
    with pytest.raises(NotFoundError):
        keyed.call(answer)
    assert 1 == breaker.store.snapshot()["db[tenant]"].successes
