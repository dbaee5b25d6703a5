"""The program whose instructions are counted: ``python -m bench.counted``, run by :mod:`bench.instructions`.

It makes N and then 2 N calls of each subject, each with a mark before and behind: the difference is N calls.
"""

import functools
import gc
import itertools
import os
from collections.abc import Callable
from types import FunctionType

from bench import by_hand
from bench.yardsticks import empty_decorator, plain
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
"""In the order in which they are counted."""


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


def repeat(call: Callable[[int], object], count: int) -> None:
    """The loop that is counted. Each subject has a copy of its own: the interpreter tunes it to what it meets there."""
    for _ in itertools.repeat(None, count):
        call(1)


def main() -> None:
    """Makes the calls. A mark is a system call that nothing else here makes."""
    found = subjects()
    gc.disable()
    for call in found.values():
        loop = FunctionType(repeat.__code__.replace(), globals())
        loop(call, 100)
        for count in (CALLS, 2 * CALLS):
            os.getppid()
            loop(call, count)
        os.getppid()


if __name__ == "__main__":
    main()
