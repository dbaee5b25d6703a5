"""What processes do that lose their table, or cannot have it for a moment. Free of pytest."""

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from event_scenes import wait_for
from fork_scenes import in_child
from workers import FUSE, Post, ServiceError, fail, open_store

from fuseboard import CircuitBreaker, CircuitOpenError, Store


def call_until_told(post: Post, name: str) -> dict[str, Any]:
    """Makes good calls until the test says that it is enough; then in which state the fuse is."""
    store = open_store(name)
    breaker = CircuitBreaker("db", store=store)
    breaker.call(int)
    post.say(os.getpid())
    while not post.is_told():
        with contextlib.suppress(CircuitOpenError):
            breaker.call(int)
        time.sleep(0.001)
    post.hear()
    with contextlib.suppress(CircuitOpenError):
        breaker.call(int)
    removed = store.is_removed
    return {"state": breaker.state.value, "removed": removed}


def notice(post: Post, name: str, way: str) -> None:
    """Notices in one way that the table was removed."""
    store = open_store(name)
    breaker = CircuitBreaker("noticing", store=store)
    breaker.call(int)
    subscriptions = [store.subscribe(print)] if way == "listens" else []
    post.say("ready")
    post.hear()

    def has_noticed() -> bool:
        if way == "fails":
            with contextlib.suppress(ServiceError):
                breaker.call(fail)
            breaker.call(int)
        elif way == "looks":
            store.snapshot()
        return not store.is_removed

    wait_for(has_noticed)
    post.say("noticed")
    for subscription in subscriptions:
        subscription.close()


def lose_and_fail(post: Post, name: str, folder: str, rounds: int) -> int:
    """In each round one removes the table and all notice at once; then the failures of the last table, in turn."""
    store = open_store(name)
    breaker = CircuitBreaker(FUSE, store=store, threshold=100)
    for number in range(rounds):
        post.meet()
        if post.index == number % post.size:
            for table in Path(folder).iterdir():
                table.unlink()
        post.start_together()
        breaker.disable()
        breaker.reset()
    post.meet()
    return store.record_failure(FUSE, 3600)


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """While the block runs this process gets no file descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def short(name: str) -> CircuitBreaker:
    """A breaker whose store could not have the host's table."""
    with no_descriptors():
        breaker = CircuitBreaker("db", store=Store.shared(name))
        breaker.call(int)
    return breaker


def when_rejected(breaker: CircuitBreaker) -> str:
    """Calls until a call is rejected; the state."""

    def is_rejected() -> bool:
        try:
            breaker.call(int)
        except CircuitOpenError:
            return True
        return False

    wait_for(is_rejected)
    return breaker.state.value


def run_short(_post: Post, name: str) -> dict[str, Any]:
    """Cannot have the table at the first call."""
    breaker = short(name)
    first = breaker.store._path is not None
    then = when_rejected(breaker)
    return {"first": first, "then": then, "shared": breaker.store.is_shared}


def fork_while_short(_post: Post, name: str) -> dict[str, str]:
    """Forks before it has the table."""
    breaker = short(name)
    child = in_child(lambda: when_rejected(breaker))
    return {"parent": when_rejected(breaker), "child": child}
