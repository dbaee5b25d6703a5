"""Words that several test modules use: calls that fail, breakers that trip, what a call is told."""

import contextlib
import contextvars
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, Store
from fuseboard._events.subscription import THREAD_NAME
from fuseboard._store import registry
from fuseboard.testing import Clock

FREES_ALL = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")) and sys.version_info < (3, 14),
    reason="CPython 3.13 without the lock frees neither code nor classes once a second thread has begun",
)


class MakeStore(Protocol):
    """Makes stores of one reach."""

    def __call__(self, *, fuses: int = 16, failures: int = 32) -> Store:
        """Makes one with this much room."""


class BoomError(Exception):
    """What a service raises that fails."""


def boom(*_arguments: object) -> None:
    """Fails."""
    raise BoomError


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    """Lets calls through a breaker fail."""
    for _ in range(times):
        with contextlib.suppress(BoomError):
            breaker.call(boom)


def trip(breaker: CircuitBreaker) -> None:
    """Fails until a closed fuse opens."""
    fail(breaker, breaker.settings.threshold)


def wait_for_probe(breaker: CircuitBreaker, clock: Clock) -> None:
    """Trips a breaker and lets its reset timeout pass: the next call is a probe."""
    trip(breaker)
    clock.advance(breaker.settings.reset_timeout)


def go_the_way_round(breaker: CircuitBreaker, clock: Clock) -> None:
    """Trips a breaker; the first probe fails, the second closes the fuse."""
    wait_for_probe(breaker, clock)
    fail(breaker)
    clock.advance(breaker.settings.reset_timeout)
    breaker.call(int)


def rejection(breaker: CircuitBreaker) -> CircuitOpenError | None:
    """What a call is rejected with, if it is; else it is made, and ignored. It is inside of no other call."""
    return contextvars.Context().run(_rejection, breaker)


def _rejection(breaker: CircuitBreaker) -> CircuitOpenError | None:
    try:
        permit = breaker._admit()
    except CircuitOpenError as error:
        return error
    breaker._settle(permit, KeyboardInterrupt())
    return None


PATIENCE = 30
"""Seconds after which a test that waits for a fact gives up."""


def wait_until(fact: Callable[[], object], patience: float = PATIENCE) -> None:
    """Waits for something that another thread does."""
    deadline = time.monotonic() + patience
    while not fact():
        assert time.monotonic() < deadline, f"not within {patience} s"
        time.sleep(0.002)


def listening_threads() -> list[threading.Thread]:
    """The threads of this process that tell listeners."""
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


@contextlib.contextmanager
def stores_let_go() -> Iterator[None]:
    """Lets go of the shared stores that are opened in the block: the process has open what it had before."""
    before = dict(registry.shared)
    yield
    registry.shared.clear()
    registry.shared.update(before)
