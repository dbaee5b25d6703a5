"""``fallback=`` and ``with_fallback``: what a rejected call gets instead of the rejection."""

import asyncio
import functools
import gc
import inspect
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitIsolatedError, CircuitOpenError, State, Store
from fuseboard._policy.settings import shown
from fuseboard.testing import Clock, force_state
from helpers import BoomError, boom, trip, wait_for_probe


def seen(rejection: CircuitOpenError, *args: object, **kwargs: object) -> tuple[object, ...]:
    """What a fallback was given."""
    return rejection.name, args, kwargs


async def aseen(rejection: CircuitOpenError, *args: object, **kwargs: object) -> tuple[object, ...]:
    """The same, later."""
    await asyncio.sleep(0)
    return seen(rejection, *args, **kwargs)


def echo(*args: object, **kwargs: object) -> tuple[object, ...]:
    """What the guarded function was given."""
    return args, kwargs


async def aecho(*args: object, **kwargs: object) -> tuple[object, ...]:
    """The same, later."""
    await asyncio.sleep(0)
    return args, kwargs


def open_breaker(store: Store, fallback: object = None) -> CircuitBreaker:
    """A breaker whose fuse is open."""
    breaker = CircuitBreaker("db", threshold=1, fallback=fallback, store=store)
    force_state(breaker, State.OPEN)
    return breaker


def by_decorator(breaker: CircuitBreaker, *args: object, **kwargs: object) -> object:
    """A decorated function."""
    return breaker(echo)(*args, **kwargs)


def by_call(breaker: CircuitBreaker, *args: object, **kwargs: object) -> object:
    """``call``."""
    return breaker.call(echo, *args, **kwargs)


def by_coroutine(breaker: CircuitBreaker, *args: object, **kwargs: object) -> object:
    """A decorated coroutine function."""
    return asyncio.run(breaker(aecho)(*args, **kwargs))


def by_acall(breaker: CircuitBreaker, *args: object, **kwargs: object) -> object:
    """``acall``."""
    return asyncio.run(breaker.acall(aecho, *args, **kwargs))


def by_awaited_call(breaker: CircuitBreaker, *args: object, **kwargs: object) -> object:
    """``call`` of a coroutine function, awaited."""

    async def main() -> object:
        return await breaker.call(aecho, *args, **kwargs)

    return asyncio.run(main())


PLAIN = [by_decorator, by_call]
ASYNC = [by_coroutine, by_acall, by_awaited_call]


@pytest.mark.parametrize("way", PLAIN + ASYNC)
def test_a_rejected_call_gets_the_value(store: Store, way: Callable[..., object]) -> None:
    """R05: and the guarded function is not called."""
    assert ["cached"] == way(open_breaker(store, ["cached"]), 1)
    assert 1 == store.snapshot()["db"].rejections


@pytest.mark.parametrize("way", PLAIN + ASYNC)
def test_a_fallback_is_called_with_the_rejection_and_the_calls_arguments(
    store: Store, way: Callable[..., object]
) -> None:
    """By position and by keyword, as the call was made."""
    assert ("db", (1, 2), {"key": 3}) == way(open_breaker(store, seen), 1, 2, key=3)
    assert ("db", (), {}) == way(open_breaker(store, seen))


@pytest.mark.parametrize("way", ASYNC)
def test_a_coroutine_functions_fallback_may_be_one_too(store: Store, way: Callable[..., object]) -> None:
    """It is awaited."""
    assert ("db", (1,), {"key": 2}) == way(open_breaker(store, aseen), 1, key=2)


@pytest.mark.parametrize("way", PLAIN + ASYNC)
def test_an_admitted_call_gets_its_own_result(store: Store, way: Callable[..., object]) -> None:
    """Negative control of the tests above: the fallback is not called while the fuse is closed."""
    breaker = CircuitBreaker("db", fallback=boom, store=store)
    assert ((1,), {"key": 2}) == way(breaker, 1, key=2)
    assert 1 == store.snapshot()["db"].successes


def test_a_call_that_fails_gets_no_fallback(store: Store) -> None:
    """R16: it raises its own exception, the one that trips too."""
    breaker = CircuitBreaker("db", threshold=1, fallback="cached", store=store)
    with pytest.raises(BoomError):
        breaker.call(boom)
    assert "cached" == breaker.call(boom)


def test_a_rejection_further_down_is_not_this_calls(store: Store) -> None:
    """An admitted call that raises the same fuse's rejection was not rejected itself."""
    breaker = CircuitBreaker("db", fallback="cached", store=store)

    def isolate_and_nest() -> None:
        breaker.isolate()
        with breaker:
            pass

    async def anest() -> None:
        isolate_and_nest()

    with pytest.raises(CircuitIsolatedError):
        breaker.call(isolate_and_nest)
    breaker.reset()
    with pytest.raises(CircuitIsolatedError):
        asyncio.run(breaker(anest)())


def test_an_isolated_fuse_and_probes_under_way_reject_too(store: Store, clock: Clock) -> None:
    """R06, R12: the fallback is told which rejection it is."""
    states: list[State] = []
    breaker = CircuitBreaker("db", threshold=1, fallback=lambda rejection: states.append(rejection.state), store=store)
    wait_for_probe(breaker, clock)
    probe = breaker.permit()
    breaker.call(int)
    probe.ignore()
    breaker.isolate()
    breaker.call(int)
    assert [State.HALF_OPEN, State.ISOLATED] == states


@pytest.mark.parametrize("way", [by_decorator, by_coroutine, by_acall])
def test_what_a_fallback_raises_is_the_callers(store: Store, way: Callable[..., object]) -> None:
    """It is not guarded, and says what it came from."""
    breaker = open_breaker(store, boom)
    with pytest.raises(BoomError) as caught:
        way(breaker, 1)
    assert isinstance(caught.value.__context__, CircuitOpenError)
    told = store.snapshot()["db"]
    assert (0, 0, 0) == (told.failures, told.ignored, breaker.faults)


@pytest.mark.parametrize("way", [by_decorator, by_coroutine, by_acall])
def test_a_fallback_may_raise_the_rejection(store: Store, way: Callable[..., object]) -> None:
    """Such as one that has nothing for these arguments."""

    def nothing(rejection: CircuitOpenError, *_args: object) -> None:
        raise rejection

    with pytest.raises(CircuitOpenError) as caught:
        way(open_breaker(store, nothing), 1)
    assert caught.value.__context__ is None


def test_a_with_block_raises_the_rejection(store: Store) -> None:
    """A block cannot be replaced by a value."""
    with pytest.raises(CircuitOpenError), open_breaker(store, "cached"):
        pass


def test_none_is_no_fallback(store: Store) -> None:
    """Whoever wants None says so."""
    with pytest.raises(CircuitOpenError):
        open_breaker(store, None).call(int)
    assert open_breaker(store, lambda *_: None).call(int) is None


def test_a_function_may_have_a_fallback_of_its_own(store: Store) -> None:
    """It stands before the breaker's; None takes that away."""
    breaker = open_breaker(store, "breaker's")
    assert "own" == breaker.with_fallback("own")(echo)()
    assert "breaker's" == breaker(echo)()
    with pytest.raises(CircuitOpenError):
        breaker.with_fallback(None)(echo)()


def test_a_method_gets_itself_behind_the_rejection(store: Store) -> None:
    """Of methods of every kind the fallback gets what the function gets."""
    breaker = open_breaker(store, seen)

    class Service:
        @breaker
        def method(self, number: int) -> object:
            return number

        @breaker.with_fallback(seen)
        @classmethod
        def of_class(cls, number: int) -> object:
            return number

        @breaker
        @staticmethod
        def static(number: int) -> object:
            return number

    service = Service()
    assert ("db", (service, 1), {}) == service.method(1)
    assert ("db", (Service, 1), {}) == Service.of_class(1)
    assert ("db", (1,), {}) == Service.static(1)


def test_a_guard_with_a_fallback_is_like_its_function(store: Store) -> None:
    """Name, signature and kind stay."""
    breaker = open_breaker(store, "cached")
    assert ("echo", inspect.signature(echo)) == (breaker(echo).__name__, inspect.signature(breaker(echo)))
    assert inspect.iscoroutinefunction(breaker(aecho))


def more(rejection: CircuitOpenError, *args: Any) -> Generator[Any, Any, str]:
    """A generator's fallback: hands out its arguments, and what it is sent."""
    sent = yield rejection.name, *args
    yield sent
    return "end"


async def amore(rejection: CircuitOpenError, *args: Any) -> AsyncGenerator[Any, Any]:
    """The same, asynchronous."""
    try:
        sent = yield rejection.name, *args
        yield sent
    finally:
        closed.append(True)


closed: list[bool] = []


def numbers(number: int) -> Generator[Any, Any, str]:
    """A guarded generator function."""
    yield number
    return "guarded"


async def anumbers(number: int) -> AsyncGenerator[Any, Any]:
    """A guarded asynchronous generator function."""
    yield number


def test_a_generators_fallback_is_iterated_over_in_its_place(store: Store) -> None:
    """With what is sent and returned."""
    iteration = open_breaker(store, more)(numbers)(1)
    assert [("db", 1), "sent"] == [next(iteration), iteration.send("sent")]
    with pytest.raises(StopIteration) as end:
        next(iteration)
    assert "end" == end.value.value
    assert [7] == list(CircuitBreaker("other", fallback=more, store=store)(numbers)(7))


def test_an_asynchronous_generators_fallback_is_iterated_over_in_its_place(store: Store) -> None:
    """With what is sent; and closed with it."""

    async def main() -> list[object]:
        iteration = open_breaker(store, amore)(anumbers)(1)
        values = [await anext(iteration), await iteration.asend("sent")]
        closed.clear()
        await iteration.aclose()
        return [*values, *[value async for value in CircuitBreaker("other", fallback=amore, store=store)(anumbers)(7)]]

    assert [("db", 1), "sent", 7] == asyncio.run(main())
    assert [True] == closed
    told = store.snapshot()["db"]
    assert (0, 0, 0, 1) == (told.successes, told.failures, told.ignored, told.rejections)


class Answer:
    """A callable object whose call is a coroutine."""

    async def __call__(self, _rejection: CircuitOpenError) -> None:
        """Answers."""


@pytest.mark.parametrize(
    ("function", "fallback", "demand"),
    [
        (echo, aseen, "a value or a plain function"),
        (echo, functools.partial(aseen, key=1), "a value or a plain function"),
        (echo, Answer(), "a value or a plain function"),
        (numbers, 7, "a generator function"),
        (numbers, aseen, "a generator function"),
        (numbers, amore, "a generator function"),
        (anumbers, 7, "an asynchronous generator function"),
        (anumbers, aseen, "an asynchronous generator function"),
        (anumbers, more, "an asynchronous generator function"),
    ],
)
def test_a_fallback_that_cannot_stand_in_is_refused_when_decorating(
    store: Store, function: Callable[..., Any], fallback: object, demand: str
) -> None:
    """The message says of which function, what would do, and what was given."""
    message = f"fallback must be {demand} to stand in for {shown(function)}, got {shown(fallback)}"
    breaker = CircuitBreaker("db", fallback=fallback, store=store)
    for decorate in (breaker, breaker.with_fallback(fallback)):
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            decorate(function)


def test_call_refuses_such_a_fallback_before_it_is_needed(store: Store) -> None:
    """Not only when the fuse is open."""
    with pytest.raises(TypeError, match="must be a value or a plain function"):
        CircuitBreaker("db", fallback=aseen, store=store).call(echo)


def test_a_coroutine_is_no_fallback() -> None:
    """It could be awaited once only; the message shows it and says what to give instead."""
    coroutine = aecho()
    message = f"got {shown(coroutine)}, which can be awaited only once; pass the function that creates it"
    with pytest.raises(TypeError, match=f"{re.escape(message)}$"):
        CircuitBreaker("db", fallback=coroutine)
    coroutine.close()


def test_a_rejected_call_with_a_fallback_leaves_nothing_behind(store: Store) -> None:
    """R18: no garbage that waits for the collector, whichever the way."""
    breaker = open_breaker(store, lambda rejection, *_: rejection)
    ways: list[Callable[[], object]] = [breaker(echo), lambda: list(breaker.with_fallback(more)(numbers)(1))]
    ways += [lambda: driven(breaker(aecho)()), lambda: driven(breaker.acall(aecho))]
    ways.append(lambda: driven_to_the_end(breaker.with_fallback(amore)(anumbers)(1)))
    gc.collect()
    gc.disable()
    try:
        for number, way in enumerate(ways):
            way()
            assert (number, 0) == (number, gc.collect())
    finally:
        gc.enable()


def driven_to_the_end(iteration: Any) -> None:
    """Lets an asynchronous generator give one value, and closes it."""
    driven(iteration.__anext__())
    driven(iteration.aclose())


def driven(coroutine: Coroutine[Any, Any, object]) -> object:
    """What a coroutine that never waits returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def test_a_fault_of_ours_calls_no_fallback(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal 1: a call that goes on unguarded was not rejected."""
    breaker = open_breaker(store, "cached")
    breaker._link(None)
    monkeypatch.setattr(breaker, "_resolve", boom)
    assert ((1,), {}) == breaker(echo)(1)
    assert 1 == breaker.faults


def test_a_fallback_and_a_trip_count_as_before(store: Store) -> None:
    """R03: the fuse neither notices nor cares."""
    breaker = CircuitBreaker("db", threshold=2, fallback="cached", store=store)
    trip(breaker)
    assert ["cached"] * 3 == [breaker.call(boom) for _ in range(3)]
    told = store.snapshot()["db"]
    assert (2, 3, State.OPEN) == (told.failures, told.rejections, breaker.state)
