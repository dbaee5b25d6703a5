"""A program that ends while guarded calls are under way or still to come: ``exit_scenes.py SCENE WAY STATE``.

SCENE is a function below, WAY how the calls are guarded, STATE what their fuses are in. Free of pytest.
"""

import contextlib
import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import force_state

THREADS = 30
ATTEMPTS_SEEN = 100
"""Milliseconds without a change after which every thread has met the end of the interpreter."""


class ServiceError(Exception):
    """What a failing call raises."""


class Bare:
    """What stands in for a breaker where calls are not guarded."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Is in nobody's way."""
        return function

    def call(self, function: Callable[[], Any]) -> Any:
        """Calls."""
        return function()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        pass


class AtTheEnd:
    """Does something when the interpreter ends: its modules are let go of then, and this is kept as one."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action
        sys.modules["at the end"] = self  # type: ignore[assignment]

    def __del__(self) -> None:
        self.action()


def fail() -> None:
    """A service that is down."""
    raise ServiceError


def breakers(way: str, state: str, **settings: Any) -> Generator[Any, None, None]:
    """Breakers, each of a fuse of its own that is in this state; or what stands in for them."""
    store = Store.private(fuses=64)
    for number in itertools.count():
        if "bare function" == way:
            yield Bare()
            continue
        breaker = CircuitBreaker(f"fuse{number}", store=store, **settings)
        if state in {"isolated", "disabled"}:
            force_state(breaker, State(state))
        elif state in {"open", "half-open"}:
            getattr(store, f"set_{state.replace('-', '_')}")(breaker.name)
        yield breaker


def blocks(breaker: Any, function: Callable[[], Any]) -> Callable[[], Any]:
    """Calls within ``with breaker:``."""

    def block() -> Any:
        with breaker:
            return function()

    return block


def generators(breaker: Any, function: Callable[[], Any]) -> Callable[[], Any]:
    """Calls within a guarded generator."""

    @breaker
    def generate() -> Generator[Any, None, None]:
        yield
        yield function()

    return lambda: list(generate())


def coroutines(breaker: Any, function: Callable[[], Any]) -> Callable[[], Any]:
    """Calls within a guarded coroutine."""

    @breaker
    async def run() -> Any:
        return function()

    def drive() -> None:
        with contextlib.suppress(StopIteration):
            run().send(None)

    return drive


WAYS: dict[str, Callable[[Any, Callable[[], Any]], Callable[[], Any]]] = {
    "function": lambda breaker, function: breaker(function),
    "call": lambda breaker, function: lambda: breaker.call(function),
    "block": blocks,
    "generator": generators,
    "coroutine": coroutines,
}


def guarded(way: str, breaker: Any, function: Callable[[], Any]) -> Callable[[], Any]:
    """The function with a breaker before it."""
    return WAYS[way.removeprefix("bare ")](breaker, function)


def threads_meet_the_end(inside: threading.Semaphore) -> None:
    """Waits until all threads are inside, and sees to it that each tries to go on while the interpreter ends."""
    for _ in range(THREADS):
        inside.acquire()
    AtTheEnd(_until_nothing_moves)
    os.write(1, b"%d inside\n" % THREADS)


def _until_nothing_moves() -> None:
    """Waits while threads of this process end, or still wake up."""
    unchanged, before = 0, _threads()
    while len(before) > 1 and unchanged < ATTEMPTS_SEEN:
        time.sleep(0.001)
        now = _threads()
        unchanged = unchanged + 1 if now == before else 0
        before = now


def _threads() -> dict[str, list[str]]:
    """How often each other thread has given up its core so far."""
    seen = {"this one": [""]}
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            if thread.name != str(threading.get_native_id()):
                lines = (thread / "status").read_text().splitlines()
                seen[thread.name] = [line for line in lines if "ctxt_switches" in line]
    return seen


def inside(way: str, state: str) -> None:
    """Daemon threads are in the middle of guarded calls."""
    entered = threading.Semaphore(0)

    def service() -> None:
        entered.release()
        while True:
            time.sleep(0.001)

    source = breakers(way, state)
    for _ in range(THREADS):
        threading.Thread(target=guarded(way, next(source), service), daemon=True).start()
    threads_meet_the_end(entered)


def failing(way: str, state: str) -> None:
    """Daemon threads make guarded calls that fail or are rejected, one after the other."""
    entered = threading.Semaphore(0)

    def work(call: Callable[[], Any]) -> None:
        entered.release()
        while True:
            with contextlib.suppress(ServiceError, CircuitOpenError):
                call()

    source = breakers(way, state, threshold=256)
    for _ in range(THREADS):
        threading.Thread(target=work, args=[guarded(way, next(source), fail)], daemon=True).start()
    threads_meet_the_end(entered)


def asked(way: str, state: str, argument: str) -> None:
    """Daemon threads are in the middle of what a breaker asks or tells its user."""
    entered = threading.Semaphore(0)

    def answer(*_arguments: object) -> None:
        entered.release()
        while True:
            time.sleep(0.001)

    source = breakers(way, state, threshold=1, **{argument: answer})
    for _ in range(THREADS):
        threading.Thread(target=guarded(way, next(source), fail), daemon=True).start()
    threads_meet_the_end(entered)


def listening(way: str, state: str) -> None:
    """Daemon threads are in a listener."""
    asked(way, state, "on_transition")


def classifying(way: str, state: str) -> None:
    """Daemon threads are in a predicate."""
    asked(way, state, "failure_on")


def finalizer(way: str, state: str) -> None:
    """A guarded call that succeeds is made from a finalizer."""
    AtTheEnd(guarded(way, next(breakers(way, state)), lambda: os.write(1, b"called\n")))


def failing_finalizer(way: str, state: str) -> None:
    """A guarded call that fails is made from a finalizer."""

    def service() -> None:
        os.write(1, b"called\n")
        fail()

    def last() -> None:
        try:
            call()
        except ServiceError:
            os.write(1, b"failed\n")

    call = guarded(way, next(breakers(way, state)), service)
    AtTheEnd(last)


if __name__ == "__main__":
    logging.getLogger("fuseboard").addHandler(logging.NullHandler())
    sys.setswitchinterval(1e-4)
    globals()[sys.argv[1]](*sys.argv[2:])
