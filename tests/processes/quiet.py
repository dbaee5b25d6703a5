"""A program that makes guarded calls while the fuse is closed, between two marks: ``quiet.py WAY MARKS STORE``.

WAY is how the calls are made, or what else is done between the marks (for controls). MARKS is ``system-calls`` for a
system call at each mark, to be seen in a trace; or ``clock`` for making the processor's clock unreadable in between,
which ends the program with SIGSEGV if anything reads the time, by whichever function.
"""

import contextlib
import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

from fuseboard import CircuitBreaker, Store

CALLS = 1000
PR_SET_TSC, PR_TSC_ENABLE, PR_TSC_SIGSEGV = 26, 1, 2
"""From ``prctl(2)``. On x86 the time is computed from this counter, without a system call."""


class ServiceError(Exception):
    """What a failing call raises."""


def service() -> None:
    """The guarded service."""


def fail() -> None:
    """The same, down."""
    raise ServiceError


async def asynchronous() -> None:
    """The same, asynchronous."""


def generator() -> Generator[None]:
    """The same, in pieces."""
    yield


def ways(breaker: CircuitBreaker) -> dict[str, Callable[[], Any]]:
    """What can be done between the marks."""
    guarded_coroutine, guarded_generator = breaker(asynchronous), breaker(generator)

    def block() -> None:
        with breaker:
            service()

    def coroutine() -> None:
        with contextlib.suppress(StopIteration):
            guarded_coroutine().send(None)

    def failure() -> None:
        with contextlib.suppress(ServiceError):
            breaker.call(fail)

    return {
        "function": breaker(service),
        "call": lambda: breaker.call(service),
        "with": block,
        "coroutine": coroutine,
        "generator": lambda: list(guarded_generator()),
        "a failing call": failure,
        "a look at the clock": time.monotonic,
        "a system call": os.getpid,
    }


def main(way: str, marks: str, name: str) -> None:
    """Makes the calls."""
    breaker = CircuitBreaker("payments", store=Store.shared(name, strict=True), threshold=256, window=3600)
    step = ways(breaker)[way]
    prctl = ctypes.CDLL(None).prctl
    for _ in range(100):
        step()
    breaker.reset()
    gc.disable()
    _mark(marks, prctl, PR_TSC_SIGSEGV)
    for _ in range(CALLS):
        step()
    _mark(marks, prctl, PR_TSC_ENABLE)
    snapshot = breaker.store.snapshot()["payments"]
    sys.stdout.write(f"{snapshot.successes + snapshot.failures} calls")


def _mark(marks: str, prctl: Callable[..., int], mode: int) -> None:
    if marks == "system-calls":
        os.getppid()
    elif prctl(PR_SET_TSC, mode, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_TSC) is refused")


if __name__ == "__main__":
    main(*sys.argv[1:])
