"""A future that a plain function returns is no result yet: it counts neither way, and that is said once (rule R17).

Found in a review: it was taken for a success, so a service that only ever failed looked sound.
"""

import asyncio
import logging
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fuseboard import CircuitBreaker, Store
from helpers import BoomError, boom, fail


class Later:
    """Can be awaited, and is neither a coroutine nor a generator."""

    def __await__(self) -> Generator[None, None, int]:
        """Waits for nothing."""
        yield from ()
        return 7


class Stream:
    """Can be iterated over asynchronously, which does not make it a call that has only begun."""

    def __aiter__(self) -> "Stream":
        """Itself."""
        return self

    async def __anext__(self) -> int:
        """Ends at once."""
        raise StopAsyncIteration


def test_an_awaitable_counts_as_ignored_and_is_told_of_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The awaitable itself is what comes back."""
    breaker = CircuitBreaker("db", store=store)
    later = Later()
    with caplog.at_level(logging.WARNING, "fuseboard"):
        assert breaker.call(lambda: later) is later
        assert breaker.call(lambda: later) is later
    told = store.snapshot()["db"]
    assert (0, 0, 2) == (told.successes, told.failures, told.ignored)
    (message,) = caplog.messages
    assert message == (
        "breaker 'db': a guarded function returned an awaitable of type Later. The breaker cannot see how it ends, "
        "so such calls are ignored. Guard a coroutine function that awaits it, or use acall()."
    )


def test_a_future_clears_no_window(store: Store) -> None:
    """Its outcome is not known when the function returns."""

    async def ask() -> asyncio.Future[None]:
        return breaker.call(asyncio.get_running_loop().create_future)

    breaker = CircuitBreaker("db", threshold=2, store=store)
    fail(breaker)
    asyncio.run(ask())
    fail(breaker)
    assert "open" == breaker.state.value


def test_what_cannot_be_awaited_is_a_result(store: Store) -> None:
    """A thread pool's future, and an iterator that is no generator: what they bring later is not seen."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    with ThreadPoolExecutor(1) as pool:
        future = breaker.call(pool.submit, boom)
    assert isinstance(future.exception(), BoomError)
    with pytest.raises(BoomError):
        list(breaker.call(map, boom, [1]))
    told = store.snapshot()["db"]
    assert (2, 0, 0) == (told.successes, told.failures, told.ignored)


def test_the_end_of_an_iterator_is_a_failure_unless_ignored(store: Store) -> None:
    """R10: ``StopIteration`` is an exception like others."""
    for ignore, state in ((StopIteration, "closed"), ((), "open")):
        breaker = CircuitBreaker("db", threshold=1, ignore=ignore, store=store)
        with pytest.raises(StopIteration):
            breaker.call(next, iter([]))
        assert state == breaker.state.value


def test_an_asynchronous_iterator_is_a_result(store: Store) -> None:
    """Only what is awaited, or is a generator, has only begun."""
    breaker = CircuitBreaker("db", store=store)
    stream = Stream()
    assert breaker.call(lambda: stream) is stream
    assert 1 == store.snapshot()["db"].successes
