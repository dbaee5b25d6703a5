"""An event loop that ends closes a guarded asynchronous generator, not its source beside it (rules R10, R17).

Found in a review: asyncio closed both at once, ours met "asynchronous generator is already running", which counted as
a failure, so a service that streams opened its host's fuse by being stopped.
"""

import asyncio
import gc
from collections.abc import AsyncGenerator

import pytest

from fuseboard import CircuitBreaker, Store
from helpers import BoomError, boom


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the first failure."""
    return CircuitBreaker("db", threshold=1, store=store)


def outcomes(breaker: CircuitBreaker) -> tuple[int, int, int]:
    """Successes, failures and ignored outcomes so far."""
    told = breaker.store.snapshot()["db"]
    return told.successes, told.failures, told.ignored


def test_a_loop_that_ends_closes_what_is_still_iterated(breaker: CircuitBreaker) -> None:
    """Each source cleans up once, awaiting as it likes; nothing is complained of to the loop."""
    closed: list[str] = []
    complaints: list[object] = []
    kept: list[AsyncGenerator[int, None]] = []

    @breaker
    async def stream() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        kept.extend(stream() for _ in range(4))
        for generator in kept:
            await anext(generator)

    asyncio.run(main())
    assert ((0, 0, 4), ["closed"] * 4, []) == (outcomes(breaker), closed, complaints)


def test_the_loop_closes_one_that_is_dropped(breaker: CircuitBreaker) -> None:
    """The guarded generator is the one that the loop knows of."""
    closed: list[str] = []

    @breaker
    async def stream() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    async def main() -> None:
        await anext(stream())
        gc.collect()
        while not closed:  # noqa: ASYNC110 - the loop does it, in a task of its own
            await asyncio.sleep(0)

    asyncio.run(main())
    assert (0, 0, 1) == outcomes(breaker)


def test_a_clean_up_that_fails_after_an_early_end_counts_neither_way(breaker: CircuitBreaker) -> None:
    """R10: the call was given up by its caller, which says nothing about the service."""

    @breaker
    async def stream() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            boom()

    async def main() -> None:
        generator = stream()
        await anext(generator)
        with pytest.raises(BoomError):
            await generator.aclose()

    asyncio.run(main())
    assert (0, 0, 1) == outcomes(breaker)
