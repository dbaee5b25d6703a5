"""Asynchronous generators: what is guarded is the whole iteration (R17)."""

import asyncio
import contextlib
import functools
import gc
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, trip, wait_for_probe

closed: list[str] = []


async def count(most: int, *, fails: bool = False) -> AsyncGenerator[object, str | None]:
    """Counts; answers what it is sent and thrown."""
    try:
        for number in range(most):
            try:
                sent = yield number
                while sent is not None:
                    sent = yield sent * 2
            except KeyError as error:
                yield error
        if fails:
            boom()
    finally:
        closed.append("closed")


FUNCTIONS: dict[str, Callable[..., AsyncGenerator[object, str | None]]] = {
    "function": count,
    "partial": functools.partial(count),
    "lambda": lambda most, fails=False: count(most, fails=fails),
}
every_kind = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure, for a second."""
    closed.clear()
    return CircuitBreaker("db", threshold=2, reset_timeout=1, store=store)


def outcomes(breaker: CircuitBreaker) -> tuple[int, int, int]:
    """Successes, failures and ignored outcomes so far."""
    told = breaker.store.snapshot().get(breaker.name)
    return (told.successes, told.failures, told.ignored) if told else (0, 0, 0)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a test's coroutine."""
    asyncio.run(main())


@pytest.mark.parametrize("function", [count, functools.partial(count)], ids=["function", "partial"])
def test_a_guarded_asynchronous_generator_function_is_one(
    breaker: CircuitBreaker, function: Callable[..., Any]
) -> None:
    """``inspect`` knows it as such, and the signature stays."""
    guarded = breaker(function)
    assert inspect.isasyncgenfunction(guarded)
    assert inspect.signature(function) == inspect.signature(guarded)


@every_kind
def test_the_iteration_is_the_call(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R17: making one is no call; its end is the outcome."""
    guarded = breaker(function)

    async def main() -> None:
        generator = guarded(3)
        assert inspect.isasyncgen(generator)
        assert 0 == await anext(generator)
        assert (0, 0, 0) == outcomes(breaker)
        assert [1, 2] == [number async for number in generator]
        assert (1, 0, 0) == outcomes(breaker)
        for _ in range(2):
            with pytest.raises(BoomError):
                [number async for number in guarded(1, fails=True)]
        assert State.OPEN is breaker.state

    run(main)


@every_kind
def test_one_made_before_the_trip_needs_a_permit_of_its_own_or_its_call_s(
    breaker: CircuitBreaker, function: Callable[..., Any]
) -> None:
    """R17, R05: a generator function asks for its permit when it begins to run, a plain function when it is called."""
    generator = breaker(function)(3)
    trip(breaker)

    async def main() -> None:
        if inspect.isasyncgenfunction(function):
            with pytest.raises(CircuitOpenError):
                await anext(generator)
            assert [] == closed
        else:
            assert 0 == await anext(generator)
            await generator.aclose()

    run(main)


@every_kind
def test_what_is_sent_and_thrown_goes_through(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R16: a guarded one is the generator, to whoever drives it."""

    async def main() -> None:
        generator, error = breaker(function)(2), KeyError()
        assert 0 == await generator.asend(None)
        assert "aa" == await generator.asend("a")
        assert "bb" == await generator.asend("b")
        assert error is await generator.athrow(error)
        assert 1 == await anext(generator)
        with pytest.raises(StopAsyncIteration):
            await anext(generator)
        with pytest.raises(StopAsyncIteration):
            await anext(generator)

    run(main)
    assert (1, 0, 0) == outcomes(breaker)


@every_kind
def test_what_is_thrown_and_not_caught_is_the_outcome(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R03, R16: the very exception comes out again, and has ended the call."""

    async def main() -> None:
        generator, error = breaker(function)(2), BoomError()
        await anext(generator)
        with pytest.raises(BoomError) as caught:
            await generator.athrow(error)
        assert error is caught.value

    run(main)
    assert ((0, 1, 0), ["closed"]) == (outcomes(breaker), closed)


@every_kind
def test_closing_early_closes_the_source_and_counts_neither_way(
    breaker: CircuitBreaker, function: Callable[..., Any]
) -> None:
    """R10: the permit is given back when the source has ended; one that never began had none."""

    async def main() -> None:
        generator = breaker(function)(2)
        await anext(generator)
        await generator.aclose()
        assert ["closed"] == closed
        await breaker(function)(2).aclose()
        async with contextlib.aclosing(breaker(function)(2)) as generator:
            async for _ in generator:
                break

    run(main)
    assert ((0, 0, 2), ["closed"] * 2) == (outcomes(breaker), closed)


def test_throwing_its_end_into_one_closes_it(breaker: CircuitBreaker) -> None:
    """R10: ``GeneratorExit`` counts neither way, however it comes."""

    async def main() -> None:
        generator = breaker(count)(2)
        await anext(generator)
        with pytest.raises(GeneratorExit):
            await generator.athrow(GeneratorExit())

    run(main)
    assert ((0, 0, 1), ["closed"]) == (outcomes(breaker), closed)


def test_one_left_to_the_loop_gives_its_probe_back(breaker: CircuitBreaker, clock: Clock) -> None:
    """R10: the loop closes what was left behind, and the next call is the probe."""
    wait_for_probe(breaker, clock)

    async def main() -> None:
        async for _ in breaker(count)(2):
            assert State.HALF_OPEN is breaker.state
            break

    run(main)
    assert ["closed"] == closed
    breaker.call(int)
    assert State.CLOSED is breaker.state


def test_a_cancelled_iteration_gives_its_probe_back(breaker: CircuitBreaker, clock: Clock) -> None:
    """R10: cancellation counts neither way."""
    wait_for_probe(breaker, clock)

    @breaker
    async def hang() -> AsyncGenerator[int, None]:
        await asyncio.Event().wait()
        yield 1

    async def main() -> None:
        task = asyncio.create_task(anext(hang()))
        await asyncio.sleep(0)
        assert State.HALF_OPEN is breaker.state
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)
    breaker.call(int)
    assert State.CLOSED is breaker.state


def test_iterations_interleave(breaker: CircuitBreaker) -> None:
    """R09: each iteration has a permit of its own, in whatever order they end."""

    async def main() -> None:
        old = [breaker(count)(1, fails=True) for _ in range(3)]
        [await anext(generator) for generator in old]
        breaker.reset()
        new = [breaker(count)(1, fails=True) for _ in range(2)]
        [await anext(generator) for generator in new]
        for generator in (old[2], new[1], old[0], old[1]):
            with pytest.raises(BoomError):
                await anext(generator)
        assert State.CLOSED is breaker.state
        with pytest.raises(BoomError):
            await anext(new[0])
        assert State.OPEN is breaker.state

    run(main)


def test_guarded_methods_may_be_asynchronous_generators(breaker: CircuitBreaker) -> None:
    """Methods and class methods, the breaker outside or inside."""

    class Service:
        @breaker
        async def method(self) -> AsyncGenerator[int, None]:
            yield 1

        @breaker
        @classmethod
        async def outer(cls) -> AsyncGenerator[int, None]:
            yield 1

        @classmethod
        @breaker
        async def inner(cls) -> AsyncGenerator[int, None]:
            yield 1

    async def main() -> None:
        service = Service()
        for make in (service.method, service.outer, service.inner, Service.outer):
            assert [1] == [number async for number in make()]

    run(main)
    assert (4, 0, 0) == outcomes(breaker)


def test_an_event_loop_is_told_of_the_guarded_generator_and_not_of_its_source(breaker: CircuitBreaker) -> None:
    """Neither that it begins nor that nobody holds it any more: closing the source is the guarded one's business."""
    guarded = breaker(count)(3)
    code = guarded.ag_code
    begun: list[object] = []
    left: list[object] = []
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(lambda it: begun.append(it.ag_code), lambda it: left.append(it.ag_code))
    try:
        with pytest.raises(StopIteration):
            guarded.asend(None).send(None)
        del guarded
        gc.collect()
    finally:
        sys.set_asyncgen_hooks(*hooks)
    assert ([code], [code]) == (begun, left)
