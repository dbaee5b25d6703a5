"""What ``types.coroutine`` makes is a generator that can be awaited, and stays one under a breaker.

Found in what is `_breaker/wrappers.py` today: it took it for a plain generator, and handed on one that cannot be
awaited.
"""

import asyncio
import types
from collections.abc import Generator

import pytest

from fuseboard import CircuitBreaker, Store
from helpers import BoomError, boom


@types.coroutine
def turn(*, fails: bool = False) -> Generator[None, None, int]:
    """Lets the loop turn once."""
    yield
    if fails:
        boom()
    return 7


async def wait_for(breaker: CircuitBreaker, *, fails: bool, direct: bool) -> int:
    """Awaits it under a breaker."""
    guarded = breaker(turn) if direct else breaker(lambda *, fails: turn(fails=fails))
    return await guarded(fails=fails)


@pytest.mark.parametrize("direct", [True, False])
def test_a_guarded_generator_that_can_be_awaited_still_can(store: Store, *, direct: bool) -> None:
    """R16, R17: a result is never changed, and the awaiting is the call."""
    breaker = CircuitBreaker("db", store=store)
    assert 7 == asyncio.run(wait_for(breaker, fails=False, direct=direct))
    with pytest.raises(BoomError):
        asyncio.run(wait_for(breaker, fails=True, direct=direct))
    told = store.snapshot()["db"]
    assert (1, 1) == (told.successes, told.failures)
