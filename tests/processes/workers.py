"""What the processes of these tests run. Free of pytest, so that a spawned process has little to import."""

import asyncio
import dataclasses
import logging
import mmap
import os
import time
import traceback
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import Any

from fuseboard import CircuitBreaker, CircuitOpenError, Store, Transition

PATIENCE = 30
"""Seconds after which a process that hears nothing, or meets nobody, gives up."""
LEAD = 0.0003
"""Seconds from the last meeting to a common start: enough for two processes to wake up."""
LONG = 3600
"""A window that no test outlasts."""
FUSE = "payments"


class ServiceError(Exception):
    """What the guarded service raises."""


@dataclasses.dataclass
class Post:
    """A worker's place in its team."""

    index: int
    size: int
    barrier: Any
    start_time: Any
    pipe: connection.Connection | None = None

    def meet(self) -> None:
        """Waits until all of the team are here."""
        self.barrier.wait(PATIENCE)

    def start_together(self) -> None:
        """Waits for all of the team, then spins until one instant, so that those that have a core go on in parallel."""
        self.meet()
        if self.index == 0:
            self.start_time.value = time.monotonic() + LEAD
        self.meet()
        while time.monotonic() < self.start_time.value:
            pass

    def take_a_core(self) -> None:
        """Stays on one core, another than its neighbours in the team: left alone, the system may put all on one."""
        if self.size > 1 and hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[self.index % len(cores)]})

    def say(self, value: Any) -> None:
        """Says something to the test."""
        assert self.pipe is not None
        self.pipe.send((True, value))

    def hear(self) -> Any:
        """What the test tells next."""
        assert self.pipe is not None
        if not self.pipe.poll(PATIENCE):
            raise TimeoutError(f"told nothing for {PATIENCE} s")
        return self.pipe.recv()

    def is_told(self) -> bool:
        """Whether there is something to hear."""
        assert self.pipe is not None
        return self.pipe.poll()


def main(post: Post, pipe: connection.Connection, target: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Where a process of a team begins: says what ``target`` returns, or the traceback of what it raises."""
    logger = logging.getLogger("fuseboard")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    post.pipe = pipe
    post.take_a_core()
    try:
        answer = (True, target(post, *args))
    except BaseException:  # noqa: BLE001 - told to the test
        answer = (False, traceback.format_exc())
    pipe.send(answer)


class Words:
    """A few words of a file that processes map, without any care for each other: who writes a word has it alone."""

    def __init__(self, path: Path, count: int = 8) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(fd, count * 8)
        # Cast to words, each is stored in one step; struct stores byte by byte, and a kill would leave half a number.
        self._words = memoryview(mmap.mmap(fd, count * 8)).cast("Q")
        os.close(fd)

    def __getitem__(self, index: int) -> int:
        return self._words[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._words[index] = value


def fail() -> None:
    """A call to a service that is down."""
    raise ServiceError


def open_store(name: str, **sizes: int) -> Store:
    """The host's table, and nothing else instead of it."""
    return Store.shared(name, strict=True, **sizes)


class Rig:
    """A breaker on the host's table with a record of what it says."""

    def __init__(self, name: str, fuse: str = FUSE, *, failures: int = 2048, **settings: Any) -> None:
        self.events: list[str] = []
        self.logged: list[str] = []
        self.store = open_store(name, failures=failures)
        self.breaker = CircuitBreaker(fuse, store=self.store, on_transition=self._note, **settings)
        handler = logging.Handler()
        handler.emit = self._log  # type: ignore[method-assign]
        logger = logging.getLogger("fuseboard")
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)

    def _note(self, event: Transition) -> None:
        self.events.append(event.after.value)

    def _log(self, record: logging.LogRecord) -> None:
        if hasattr(record, "after"):
            self.logged.append(record.after)

    def call(self, function: Callable[[], Any]) -> Any:
        """Makes a guarded call."""
        return self.breaker.call(function)

    @property
    def state(self) -> str:
        """The fuse's state in words."""
        return self.breaker.state.value

    def counters(self) -> dict[str, int]:
        """The host's counters of the fuse."""
        return counters(self.store, self.breaker.name)

    def renew(self) -> None:
        """Makes the fuse as if never seen."""
        self.store.reset_all()

    def open_for_a_probe(self) -> None:
        """Opens the fuse as of now."""
        self.store.set_open(self.breaker.name)

    def wait_for_probe_time(self) -> None:
        """Spins until the reset timeout has passed: all who do so go on at the same instant."""
        since = self.store.state(self.breaker.name).since
        assert since is not None
        reset_timeout = self.breaker.settings.reset_timeout
        assert isinstance(reset_timeout, float)
        while self.store.now() < since + reset_timeout:
            pass


def counters(store: Store, fuse: str) -> dict[str, int]:
    """The host's counters of a fuse."""
    snapshot = store.snapshot()[fuse]
    names = ("successes", "failures", "ignored", "rejections", "late_outcomes", "probes", "trips", "closes")
    return {name: getattr(snapshot, name) for name in names}


def attempt(call: Callable[[], Any]) -> str:
    """Makes a call; in a word, what came of it."""
    try:
        call()
    except ServiceError:
        return "failed"
    except asyncio.CancelledError:
        return "cancelled"
    except CircuitOpenError as rejection:
        return rejection.state.value
    return "done"
