"""The program whose instructions are counted: ``python -m bench.counted``, run by :mod:`bench.instructions`.

It makes N and then 2 N calls of each subject, each with a mark before and behind: the difference is N calls.
"""

import contextlib
import functools
import gc
import itertools
import os
from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any

from bench import by_hand
from bench.yardsticks import coroutine, empty_async_decorator, empty_decorator, plain
from fuseboard import CircuitBreaker, FailureRate, Store

CALLS = 1_000
"""N."""
SUBJECTS = (
    "bare call",
    "functools.partial",
    "empty decorator",
    "guard, private store",
    "guard, shared store",
    "guard, shared store, failure rate",
    *([by_hand.NAME] if by_hand.can_be_built() else []),
)
"""Calls, in the order in which they are counted."""
AWAITED = ("bare await", "empty async decorator", "async guard, private store")
"""Calls that are awaited, which are counted next."""


def subjects() -> dict[str, Callable[[int], object]]:
    """What is called, by name."""
    shared, private = Store.shared("counted", strict=True), Store.private()
    calls: list[Callable[[int], object]] = [
        plain,
        functools.partial(plain),
        empty_decorator(plain),
        CircuitBreaker("closed", store=private)(plain),
        CircuitBreaker("closed", store=shared)(plain),
        CircuitBreaker("rate", store=shared, policy=FailureRate(0.5))(plain),
    ]
    if by_hand.NAME in SUBJECTS:
        calls.append(by_hand.guard(plain))
    return dict(zip(SUBJECTS, calls, strict=True))


def awaited() -> dict[str, Callable[[int], Awaitable[object]]]:
    """What is called and awaited, by name."""
    guarded = CircuitBreaker("awaited", store=Store.private())(coroutine)
    return dict(zip(AWAITED, (coroutine, empty_async_decorator(coroutine), guarded), strict=True))


def repeat(call: Callable[[int], object], count: int) -> None:
    """The loop that is counted. Each subject has a copy of its own: the interpreter tunes it to what it meets there."""
    for _ in itertools.repeat(None, count):
        call(1)


async def repeat_awaits(call: Callable[[int], Awaitable[object]], count: int) -> None:
    """The same for calls that are awaited."""
    for _ in itertools.repeat(None, count):
        await call(1)


def run(loop: Callable[..., Any], call: Callable[[int], object], count: int) -> None:
    """Runs a loop of either kind. Nothing in it waits, so the first step is the last."""
    with contextlib.suppress(StopIteration):
        begun = loop(call, count)
        if begun is not None:
            begun.send(None)


def main() -> None:
    """Makes the calls. A mark is a system call that nothing else here makes."""
    found: list[tuple[Any, Any]] = [(repeat, call) for call in subjects().values()]
    found += [(repeat_awaits, call) for call in awaited().values()]
    gc.disable()
    for kind, call in found:
        loop = FunctionType(kind.__code__.replace(), globals())
        run(loop, call, 100)
        for count in (CALLS, 2 * CALLS):
            os.getppid()
            run(loop, call, count)
        os.getppid()


if __name__ == "__main__":
    main()
