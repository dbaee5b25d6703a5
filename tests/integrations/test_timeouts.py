"""Timeouts beside a breaker, by asyncio, anyio and trio: inside the guarded call a failure, around it nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
import trio

from fuseboard import CircuitBreaker, State, Store
from fuseboard.testing import Clock
from helpers import wait_for_probe

FOR_EVER = 3600


@asynccontextmanager
async def on_both(limit: AbstractContextManager[object]) -> Any:
    """A plain context manager as an asynchronous one, so that the tests read alike."""
    with limit:
        yield


def run_trio(function: Callable[[], Awaitable[object]]) -> object:
    """Runs a coroutine function in trio."""
    return trio.run(function)


def run_anyio_on_trio(function: Callable[[], Awaitable[object]]) -> object:
    """Runs a coroutine function in trio, by anyio."""
    return anyio.run(function, backend="trio")


def run_asyncio(function: Callable[[], Any]) -> object:
    """Runs a coroutine function in asyncio."""
    return asyncio.run(function())


World = tuple[
    Callable[[Callable[[], Any]], object],
    Callable[[float], Awaitable[None]],
    Callable[[], AbstractAsyncContextManager[Any]],
    type[Exception],
]

WORLDS: dict[str, World] = {
    "asyncio.timeout": (run_asyncio, asyncio.sleep, lambda: asyncio.timeout(0), TimeoutError),
    "anyio": (run_asyncio, anyio.sleep, lambda: on_both(anyio.fail_after(0)), TimeoutError),
    "anyio on trio": (run_anyio_on_trio, anyio.sleep, lambda: on_both(anyio.fail_after(0)), TimeoutError),
    "trio": (run_trio, trio.sleep, lambda: on_both(trio.fail_after(0)), trio.TooSlowError),
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    """How a coroutine runs, how it waits, a limit that is over at once, and what that raises."""
    return WORLDS[request.param]


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the first failure, and takes for one all that may be."""
    return CircuitBreaker("db", threshold=1, failure_on=BaseException, store=store)


def counts(breaker: CircuitBreaker) -> tuple[int, int, int]:
    """Successes, failures and ignored calls."""
    told = breaker.store.snapshot()["db"]
    return told.successes, told.failures, told.ignored


def test_a_timeout_inside_the_guarded_call_is_a_failure(breaker: CircuitBreaker, world: World) -> None:
    """The order to use: the call raises, as it does when it is refused."""
    run, sleep, limit, raised = world

    @breaker
    async def call() -> None:
        async with limit():
            await sleep(FOR_EVER)

    with pytest.raises(raised):
        run(call)
    assert ((0, 1, 0), State.OPEN) == (counts(breaker), breaker.state)


def test_a_timeout_around_the_guarded_call_counts_neither_way(breaker: CircuitBreaker, world: World) -> None:
    """R10: the call is cancelled, and nobody knows what the service would have said."""
    run, sleep, limit, raised = world

    @breaker
    async def call() -> None:
        await sleep(FOR_EVER)

    async def main() -> None:
        async with limit():
            await call()

    with pytest.raises(raised):
        run(main)
    assert ((0, 0, 1), State.CLOSED) == (counts(breaker), breaker.state)


def test_a_timeout_around_a_probe_gives_its_permit_back(breaker: CircuitBreaker, world: World, clock: Clock) -> None:
    """R10: the next call is the probe; in a block as well."""
    run, sleep, limit, raised = world

    async def main() -> None:
        async with limit(), breaker:
            await sleep(FOR_EVER)

    wait_for_probe(breaker, clock)
    with pytest.raises(raised):
        run(main)
    assert State.HALF_OPEN is breaker.state
    breaker.check()


def test_a_timeout_inside_a_block_is_a_failure(breaker: CircuitBreaker, world: World) -> None:
    """The same order for ``async with``."""
    run, sleep, limit, raised = world

    async def main() -> None:
        async with breaker, limit():
            await sleep(FOR_EVER)

    with pytest.raises(raised):
        run(main)
    assert State.OPEN is breaker.state


def test_a_call_in_time_is_a_success(breaker: CircuitBreaker, world: World) -> None:
    """Negative control: without a limit that is over, nothing is cancelled."""
    run, sleep, _limit, _raised = world

    @breaker
    async def call() -> int:
        await sleep(0)
        return 7

    assert 7 == run(call)
    assert (1, 0, 0) == counts(breaker)
