"""Coroutines and generators: what is guarded is the whole of them (R17)."""

import asyncio
import functools
import inspect
import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, trip, wait_for_probe


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure, for a second."""
    return CircuitBreaker("db", threshold=2, reset_timeout=1, store=store)


def outcomes(breaker: CircuitBreaker) -> tuple[int, int, int]:
    """Successes, failures and ignored outcomes so far."""
    told = breaker.store.snapshot().get(breaker.name)
    return (told.successes, told.failures, told.ignored) if told else (0, 0, 0)


async def double(number: int, *, fails: bool = False) -> int:
    """Doubles."""
    await asyncio.sleep(0)
    if fails:
        boom()
    return number * 2


class _Service:
    async def __call__(self, number: int, *, fails: bool = False) -> int:
        return await double(number, fails=fails)

    async def method(self, number: int, *, fails: bool = False) -> int:
        return await double(number, fails=fails)


COROUTINE_FUNCTIONS = {
    "coroutine function": double,
    "partial": functools.partial(double, fails=False),
    "bound method": _Service().method,
}
RETURNING_COROUTINES = {
    "lambda": lambda number, fails=False: double(number, fails=fails),
    "callable object": _Service(),
}
ALL = COROUTINE_FUNCTIONS | RETURNING_COROUTINES


@pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("function", COROUTINE_FUNCTIONS.values(), ids=COROUTINE_FUNCTIONS)
def test_a_guarded_coroutine_function_is_one(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """``inspect`` and ``asyncio`` know it as such, and signature, name and ``__wrapped__`` stay."""
    guarded = breaker(function)
    assert inspect.iscoroutinefunction(guarded)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # asyncio's own question goes with Python 3.16
        assert asyncio.iscoroutinefunction(guarded)
    assert (function, inspect.signature(function)) == (guarded.__wrapped__, inspect.signature(guarded))


@pytest.mark.parametrize("function", ALL.values(), ids=ALL)
def test_the_awaiting_is_the_call(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R17: making a coroutine is no call; its end is the outcome."""
    guarded = breaker(function)
    coroutine = guarded(2)
    assert inspect.iscoroutine(coroutine)
    assert (0, 0, 0) == outcomes(breaker)
    assert 4 == asyncio.run(coroutine)
    assert (1, 0, 0) == outcomes(breaker)
    for _ in range(2):
        with pytest.raises(BoomError):
            asyncio.run(guarded(2, fails=True))
    assert State.OPEN is breaker.state


@pytest.mark.parametrize("function", ALL.values(), ids=ALL)
def test_call_follows_what_it_begins(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R17: ``call`` of a coroutine function returns a coroutine that is guarded while it runs."""
    for _ in range(2):
        with pytest.raises(BoomError):
            asyncio.run(breaker.call(function, 2, fails=True))
    assert State.OPEN is breaker.state


@pytest.mark.parametrize("function", COROUTINE_FUNCTIONS.values(), ids=COROUTINE_FUNCTIONS)
def test_a_coroutine_made_before_the_trip_is_rejected_when_awaited(
    breaker: CircuitBreaker, function: Callable[..., Any]
) -> None:
    """R17, R05: the permit is asked for when it begins to run."""
    coroutine = breaker(function)(2)
    trip(breaker)
    with pytest.raises(CircuitOpenError):
        asyncio.run(coroutine)


def test_a_begun_coroutine_runs_under_the_permit_of_its_call(breaker: CircuitBreaker) -> None:
    """R17, R09: the call that made it was admitted, so it runs; what comes of it after a trip is late."""
    coroutine = breaker.call(lambda: double(2))
    trip(breaker)
    assert 4 == asyncio.run(coroutine)
    assert State.OPEN is breaker.state
    assert 1 == breaker.store.snapshot()[breaker.name].late_outcomes


def test_a_begun_coroutine_is_one_call(breaker: CircuitBreaker) -> None:
    """A rejection comes before it is made: no coroutine is left unawaited by us."""
    made: list[int] = []
    trip(breaker)
    with pytest.raises(CircuitOpenError):
        breaker.call(lambda: made.append(1) or double(2))
    assert [] == made


def test_a_plain_function_that_fails_before_its_coroutine_is_a_failure(breaker: CircuitBreaker) -> None:
    """R17: what a plain function does before it returns a coroutine is guarded as well."""

    @breaker
    def begin(*, fails: bool) -> Coroutine[Any, Any, int]:
        if fails:
            boom()
        return double(2)

    for _ in range(2):
        with pytest.raises(BoomError):
            begin(fails=True)
    with pytest.raises(CircuitOpenError):
        begin(fails=False)


def test_a_probe_that_is_cancelled_gives_its_lease_back(store: Store, clock: Clock) -> None:
    """R10: the next call is the probe, at once."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, store=store)
    wait_for_probe(breaker, clock)

    @breaker
    async def hang() -> None:
        await asyncio.Event().wait()

    async def main() -> int:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hang(), 0.001)
        assert State.HALF_OPEN is breaker.state
        return await breaker.acall(double, 2)

    assert 4 == asyncio.run(main())
    assert (State.CLOSED, (1, 1, 1)) == (breaker.state, outcomes(breaker))


def test_a_coroutine_closed_before_its_end_counts_neither_way(breaker: CircuitBreaker) -> None:
    """R10: ``GeneratorExit`` gives the permit back."""
    coroutine = breaker(double)(2)
    coroutine.send(None)
    coroutine.close()
    assert (0, 0, 1) == outcomes(breaker)


def test_async_methods_of_every_kind_are_guarded(breaker: CircuitBreaker) -> None:
    """Methods, class methods and static methods, the breaker outside or inside."""

    class Service:
        @breaker
        async def method(self, number: int) -> int:
            return await double(number)

        @breaker
        @classmethod
        async def outer_class(cls, number: int) -> int:
            return await double(number)

        @classmethod
        @breaker
        async def inner_class(cls, number: int) -> int:
            return await double(number)

        outer_static = breaker(staticmethod(double))
        inner_static = staticmethod(breaker(double))

    methods = [getattr(Service(), name) for name in vars(Service) if not name.startswith("_")]
    assert [4] * 5 == [asyncio.run(method(2)) for method in methods]
    assert {True} == {inspect.iscoroutinefunction(method) for method in methods}


def count(most: int, *, fails: bool = False) -> Generator[int, str | None, str]:
    """Counts; says what it was sent."""
    sent = []
    for number in range(most):
        try:
            sent.append((yield number) or "-")
        except KeyError:
            sent.append("!")
    if fails:
        boom()
    return "".join(sent)


GENERATORS = {
    "generator function": count,
    "partial": functools.partial(count, fails=False),
    "lambda": lambda most, fails=False: count(most, fails=fails),
}


@pytest.mark.parametrize("function", [count, functools.partial(count)], ids=["function", "partial"])
def test_a_guarded_generator_function_is_one(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """``inspect`` knows it as such, and the signature stays."""
    guarded = breaker(function)
    assert inspect.isgeneratorfunction(guarded)
    assert inspect.signature(function) == inspect.signature(guarded)


@pytest.mark.parametrize("function", GENERATORS.values(), ids=GENERATORS)
def test_the_iteration_is_the_call(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R17: making a generator is no call; its end is the outcome."""
    guarded = breaker(function)
    generator = guarded(3)
    assert inspect.isgenerator(generator)
    assert (0, 1) == (next(generator), next(generator))
    assert (0, 0, 0) == outcomes(breaker)
    assert [2] == list(generator)
    assert (1, 0, 0) == outcomes(breaker)
    for _ in range(2):
        with pytest.raises(BoomError):
            list(guarded(3, fails=True))
    with pytest.raises(CircuitOpenError):
        next(guarded(3))


@pytest.mark.parametrize("function", GENERATORS.values(), ids=GENERATORS)
def test_what_is_sent_thrown_and_returned_goes_through(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R16: a guarded generator is the generator, to whoever drives it."""
    generator = breaker(function)(4)
    assert 0 == next(generator)
    assert (1, 2, 3) == (generator.send("a"), generator.throw(KeyError()), generator.send("b"))
    with pytest.raises(StopIteration) as caught:
        next(generator)
    assert "a!b-" == caught.value.value
    assert (1, 0, 0) == outcomes(breaker)


@pytest.mark.parametrize("function", GENERATORS.values(), ids=GENERATORS)
def test_what_is_thrown_and_not_caught_is_the_outcome(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R03: the generator ended by an exception, whosever it was."""
    error = BoomError()
    generator = breaker(function)(4)
    next(generator)
    with pytest.raises(BoomError) as caught:
        generator.throw(error)
    assert (error, (0, 1, 0)) == (caught.value, outcomes(breaker))


@pytest.mark.parametrize("function", GENERATORS.values(), ids=GENERATORS)
def test_a_generator_closed_early_counts_neither_way(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R10: ``close`` and ``break`` give the permit back; one that never began had none."""
    guarded = breaker(function)
    for number in guarded(4):
        assert 0 == number
        break
    generator = guarded(4)
    next(generator)
    generator.close()
    guarded(4).close()
    assert (0, 0, 2) == outcomes(breaker)


def test_a_generator_that_is_dropped_gives_its_probe_back(breaker: CircuitBreaker, clock: Clock) -> None:
    """R10: the end of a generator nobody iterates to its end."""
    wait_for_probe(breaker, clock)
    generator = breaker(count)(4)
    next(generator)
    assert State.HALF_OPEN is breaker.state
    del generator
    assert [0] == list(breaker(count)(1))
    assert State.CLOSED is breaker.state


def test_yield_from_a_guarded_generator_works(breaker: CircuitBreaker) -> None:
    """Its value and what is sent go through both."""

    def outer() -> Generator[int, str | None, str]:
        return (yield from breaker(count)(2))

    generator = outer()
    next(generator)
    generator.send("x")
    with pytest.raises(StopIteration, match="xy"):
        generator.send("y")
