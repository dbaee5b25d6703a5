"""``call``, ``acall`` and what every kind of call promises: R16 and R18."""

import asyncio
import contextlib
import gc
import threading
import traceback
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock
from helpers import FREES_ALL, BoomError, boom, trip

REJECTIONS = 10_000


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure."""
    return CircuitBreaker("db", threshold=2, store=store)


def echo(*args: Any, **kwargs: Any) -> object:
    """What it was called with."""
    return args, kwargs


async def aecho(*args: Any, **kwargs: Any) -> object:
    """What it was called with, later."""
    await asyncio.sleep(0)
    return args, kwargs


def raising(error: BaseException) -> None:
    """Raises what it is given."""
    raise error


async def araising(error: BaseException) -> None:
    """Raises what it is given, later."""
    await asyncio.sleep(0)
    raise error


def by_guard(breaker: CircuitBreaker, function: Callable[..., Any], *args: object) -> object:
    """A decorated function."""
    return breaker(function)(*args)


def by_block(breaker: CircuitBreaker, function: Callable[..., Any], *args: object) -> object:
    """A ``with`` block."""
    with breaker:
        return function(*args)


def by_coroutine(breaker: CircuitBreaker, function: Callable[..., Any], *args: object) -> object:
    """A decorated coroutine function."""

    @breaker
    async def coroutine() -> object:
        return function(*args)

    return asyncio.run(coroutine())


def by_acall(breaker: CircuitBreaker, function: Callable[..., Any], *args: object) -> object:
    """``acall`` of a coroutine function."""

    async def coroutine(*args: object) -> object:
        return function(*args)

    return asyncio.run(breaker.acall(coroutine, *args))


def by_generator(breaker: CircuitBreaker, function: Callable[..., Any], *args: object) -> object:
    """A decorated generator."""

    @breaker
    def generator() -> Any:
        yield function(*args)

    (value,) = generator()
    return value


WAYS = [CircuitBreaker.call, by_guard, by_block, by_acall, by_coroutine, by_generator]


def test_call_hands_arguments_on(breaker: CircuitBreaker) -> None:
    """Any name may be a keyword of the function's."""
    assert ((1, 2), {"self": 3, "function": 4}) == breaker.call(echo, 1, 2, self=3, function=4)


def test_acall_hands_arguments_on(breaker: CircuitBreaker) -> None:
    """Any name may be a keyword of the function's."""
    assert ((1, 2), {"self": 3, "function": 4}) == asyncio.run(breaker.acall(aecho, 1, 2, self=3, function=4))


def test_acall_settles_by_how_the_awaiting_ended(breaker: CircuitBreaker) -> None:
    """R17: the awaiting is the call."""
    for _ in range(2):
        with pytest.raises(BoomError):
            asyncio.run(breaker.acall(araising, BoomError()))
    assert State.OPEN is breaker.state
    with pytest.raises(CircuitOpenError):
        asyncio.run(breaker.acall(aecho))


def test_acall_awaits_any_awaitable(breaker: CircuitBreaker) -> None:
    """A function may return a future or a task."""

    async def main() -> object:
        return await breaker.acall(lambda: asyncio.get_running_loop().create_task(aecho(1)))

    assert ((1,), {}) == asyncio.run(main())


def test_a_rejected_acall_calls_nothing(breaker: CircuitBreaker) -> None:
    """R05: no coroutine is even made."""
    trip(breaker)
    with pytest.raises(CircuitOpenError):
        asyncio.run(breaker.acall(lambda: pytest.fail("called")))


@pytest.mark.parametrize("way", WAYS)
def test_a_result_is_never_changed(breaker: CircuitBreaker, way: Callable[..., object]) -> None:
    """R16: it is the very object that the function returned."""
    for result in (object(), None, CircuitOpenError("db", State.OPEN, 1.0), NotImplemented, ()):
        assert result is way(breaker, lambda result=result: result)


@pytest.mark.parametrize("way", WAYS)
def test_an_exception_is_the_very_one_raised(breaker: CircuitBreaker, way: Callable[..., object]) -> None:
    """R16: also in the call that trips; its cause, context and traceback are its own."""
    for expected in (State.CLOSED, State.OPEN):
        error = BoomError("own")
        error.__cause__ = cause = KeyError()
        with pytest.raises(BoomError) as caught:
            way(breaker, raising, error)
        assert (error, cause) == (caught.value, error.__cause__)
        assert error.__context__ is None
        assert "raising" == traceback.extract_tb(error.__traceback__)[-1].name
        assert expected is breaker.state


@pytest.mark.parametrize("way", WAYS)
def test_an_exception_keeps_the_context_it_was_raised_in(breaker: CircuitBreaker, way: Callable[..., object]) -> None:
    """R16: a call within an ``except`` clause chains as without a breaker."""
    first = KeyError()

    def handle() -> None:
        try:
            raise first
        except KeyError:
            way(breaker, raising, BoomError())

    with pytest.raises(BoomError) as caught:
        handle()
    assert first is caught.value.__context__


@pytest.mark.parametrize("way", [CircuitBreaker.call, by_guard, by_block, by_generator])
def test_eight_concurrent_calls_are_inside_at_once(store: Store, way: Callable[..., object]) -> None:
    """R16: nothing is held while user code runs: all eight meet at a barrier inside the call."""
    breaker = CircuitBreaker("db", store=store)
    barrier = threading.Barrier(8, timeout=30)
    met: list[object] = []
    threads = [threading.Thread(target=lambda: met.append(way(breaker, barrier.wait))) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert list(range(8)) == sorted(met)


def test_eight_concurrent_awaitings_are_inside_at_once(store: Store) -> None:
    """R16: for coroutines too."""
    breaker = CircuitBreaker("db", store=store)

    async def main() -> list[int]:
        inside, everybody = [], asyncio.Event()

        @breaker
        async def meet(number: int) -> int:
            inside.append(number)
            if 8 == len(inside):
                everybody.set()
            await everybody.wait()
            return number

        return await asyncio.gather(*[meet(number) for number in range(8)])

    assert list(range(8)) == asyncio.run(main())


def test_threads_that_fail_together_trip_once(store: Store) -> None:
    """R03: exactly one transition and one event, however many fail at once."""
    told: list[object] = []
    breaker = CircuitBreaker("db", threshold=8, store=store, on_transition=told.append)
    barrier = threading.Barrier(16, timeout=30)

    def meet_and_fail() -> None:
        barrier.wait()
        boom()

    def work() -> None:
        with contextlib.suppress(BoomError):
            breaker.call(meet_and_fail)

    threads = [threading.Thread(target=work) for _ in range(16)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert (1, 1, State.OPEN) == (len(told), store.snapshot()["db"].trips, breaker.state)


@FREES_ALL
@pytest.mark.parametrize("way", [CircuitBreaker.call, by_guard, by_block, by_generator])
def test_rejections_leave_no_memory_behind(breaker: CircuitBreaker, way: Callable[..., object]) -> None:
    """R18: ten thousand of them leave as many objects and bytes as there were before."""
    trip(breaker)

    def reject(times: int) -> None:
        for _ in range(times):
            with contextlib.suppress(CircuitOpenError):
                way(breaker, echo)

    reject(100)
    gc.collect()
    tracemalloc.start()
    try:
        before, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
        reject(REJECTIONS)
        gc.collect()
        grown, more = tracemalloc.get_traced_memory()[0] - before, len(gc.get_objects()) - objects
    finally:
        tracemalloc.stop()
    assert 10 > more
    assert 5_000 > grown


@pytest.mark.parametrize("way", WAYS)
def test_each_rejection_is_an_exception_of_its_own(breaker: CircuitBreaker, way: Callable[..., object]) -> None:
    """R18: no exception is raised twice, so no traceback grows."""
    trip(breaker)
    errors = []
    for _ in range(20):
        with pytest.raises(CircuitOpenError) as caught:
            way(breaker, echo)
        errors.append(caught.value)
    assert 20 == len({id(error) for error in errors})
    assert 1 == len({len(traceback.extract_tb(error.__traceback__)) for error in errors})
    assert {None} == {error.__context__ for error in errors}


def test_rejections_do_not_move_the_timer(store: Store, clock: Clock) -> None:
    """R18: ten thousand rejections later the probe comes at its time, and the window is as it was."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=30, store=store)
    trip(breaker)
    before = store.state("db")
    waits = []
    for _ in range(10):
        clock.advance(1)
        with pytest.raises(CircuitOpenError) as caught:
            breaker.call(echo)
        waits.append(caught.value.retry_after)
    assert pytest.approx([29, 28, 27, 26, 25, 24, 23, 22, 21, 20], abs=1e-3) == waits
    assert before == store.state("db")
    clock.advance(20)
    assert ((), {}) == breaker.call(echo)


def test_a_coroutine_that_a_call_returned_keeps_its_name(store: Store) -> None:
    """R17: so it is told apart in a list of tasks."""

    async def fetch() -> int:
        return 7

    begun = CircuitBreaker("db", store=store).call(fetch)
    assert (fetch.__name__, fetch.__qualname__) == (begun.__name__, begun.__qualname__)
    assert 7 == asyncio.run(begun)
