"""Retries beside a breaker, by stamina and tenacity: which order of the two does what."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import stamina
import tenacity

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from helpers import BoomError

THRESHOLD = 3
ATTEMPTS = 10


class Service:
    """What is down; counts how often it was called."""

    calls = 0

    def __call__(self) -> None:
        """Fails."""
        self.calls += 1
        raise BoomError

    async def later(self) -> None:
        """Fails."""
        self()


def stamina_on(which: type[Exception] | tuple[type[Exception], ...]) -> Callable[[Any], Any]:
    """Ten attempts without a wait."""
    return stamina.retry(on=which, attempts=ATTEMPTS, timeout=None, wait_initial=0, wait_max=0, wait_jitter=0)


def tenacity_on(which: type[Exception] | tuple[type[Exception], ...]) -> Callable[[Any], Any]:
    """The same."""
    stop, retry = tenacity.stop_after_attempt(ATTEMPTS), tenacity.retry_if_exception_type(which)
    return tenacity.retry(stop=stop, retry=retry, reraise=True)


@pytest.fixture(params=[stamina_on, tenacity_on])
def retry_on(request: pytest.FixtureRequest) -> Callable[..., Callable[[Any], Any]]:
    """Makes a decorator that retries on these exceptions."""
    makes: Callable[..., Callable[[Any], Any]] = request.param
    return makes


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the third failure."""
    return CircuitBreaker("db", threshold=THRESHOLD, store=store)


def run(function: Callable[[], object]) -> object:
    """Calls a function, or runs it if it is a coroutine function."""
    result = function()
    return asyncio.run(_awaited(result)) if isinstance(result, Awaitable) else result


async def _awaited(begun: Awaitable[object]) -> object:
    return await begun


@pytest.mark.parametrize("kind", ["__call__", "later"])
def test_a_retry_around_the_breaker_ends_when_the_fuse_opens(
    breaker: CircuitBreaker, retry_on: Callable[..., Callable[[Any], Any]], kind: str
) -> None:
    """The order to use: each attempt is a call that counts, and a rejection is not retried."""
    service = Service()
    call = getattr(service, kind)
    with pytest.raises(CircuitOpenError):
        run(retry_on(BoomError)(breaker(call)))
    assert (THRESHOLD, State.OPEN) == (service.calls, breaker.state)
    assert (THRESHOLD, 1) == (breaker.store.snapshot()["db"].failures, breaker.store.snapshot()["db"].rejections)


@pytest.mark.parametrize("kind", ["__call__", "later"])
def test_a_retry_inside_the_breaker_counts_as_one_call(
    breaker: CircuitBreaker, retry_on: Callable[..., Callable[[Any], Any]], kind: str
) -> None:
    """The other order, and why not: ten calls to a service that is down are one failure."""
    service = Service()
    call = getattr(service, kind)
    with pytest.raises(BoomError):
        run(breaker(retry_on(BoomError)(call)))
    assert (ATTEMPTS, State.CLOSED) == (service.calls, breaker.state)
    assert 1 == breaker.store.snapshot()["db"].failures


def test_a_retry_that_takes_rejections_for_failures_hammers_the_breaker(
    breaker: CircuitBreaker, retry_on: Callable[..., Callable[[Any], Any]]
) -> None:
    """Negative control of the first: with ``Exception`` every attempt is made, though none reaches the service."""
    service = Service()
    with pytest.raises(CircuitOpenError):
        retry_on(Exception)(breaker(service))()
    assert (THRESHOLD, ATTEMPTS - THRESHOLD) == (service.calls, breaker.store.snapshot()["db"].rejections)
