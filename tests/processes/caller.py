"""A process that does as the test tells it, call by call. Free of pytest."""

import asyncio
from collections.abc import Generator
from typing import Any

from workers import FUSE, Post, ServiceError, attempt, counters

from fuseboard import CircuitBreaker, CircuitOpenError, Store
from fuseboard.testing import Clock


def _service() -> Generator[None, str, None]:
    outcome = yield
    if outcome == "failure":
        raise ServiceError
    if outcome == "cancelled":
        raise asyncio.CancelledError


class Caller:
    """Does as the test tells it: begins calls and ends them later, on a clock of its own that the test moves."""

    def __init__(self, name: str, settings: dict[str, Any], *, manual: bool) -> None:
        self.clock = Clock() if manual else None
        self.store = Store.shared(name, strict=True, clock=self.clock)
        self.breaker = CircuitBreaker(FUSE, store=self.store, **settings)
        self.calls: dict[str, Generator[None, str, None]] = {}

    def begin(self, call: str) -> str:
        """Begins a call that stays under way: ``admitted``, or the state that rejects it."""
        begun = self.breaker(_service)()
        try:
            next(begun)
        except CircuitOpenError as rejection:
            return rejection.state.value
        self.calls[call] = begun
        return "admitted"

    def end(self, call: str, outcome: str) -> str:
        """Ends a call with ``success``, ``failure`` or ``cancelled``; in a word, what came of it."""
        begun = self.calls.pop(call)
        try:
            return attempt(lambda: begun.send(outcome))
        except StopIteration:
            return "done"

    def call(self, outcome: str) -> str:
        """Makes a whole call."""
        answer = self.begin("whole")
        return self.end("whole", outcome) if answer == "admitted" else answer

    def retry_after(self) -> float | None:
        """How long a rejected call is told to wait."""
        try:
            next(self.breaker(_service)())
        except CircuitOpenError as rejection:
            return rejection.retry_after
        raise AssertionError("the call was admitted")

    def begin_when_admitted(self, call: str) -> tuple[float, float]:
        """Asks until a call is admitted; the host's time before and after it."""
        while True:
            before = self.store.now()
            if self.begin(call) == "admitted":
                return before, self.store.now()

    def advance(self, seconds: float) -> None:
        """Moves this process's clock."""
        assert self.clock is not None
        self.clock.advance(seconds)

    def command(self, word: str) -> None:
        """Gives a manual override: ``isolate``, ``disable`` or ``reset``."""
        getattr(self.breaker, word)()

    def raw(self, operation: str, *args: Any) -> Any:
        """Does an operation of the store's contract."""
        return getattr(self.store, operation)(*args)

    def state(self) -> tuple[str, float | None]:
        """The fuse's state and since when."""
        now = self.store.state(FUSE)
        return now.state.value, now.since

    def counters(self, fuse: str = FUSE) -> dict[str, int]:
        """The host's counters of a fuse."""
        return counters(self.store, fuse)

    def window(self) -> int:
        """Failures in the window, of any age."""
        return self.store.snapshot()[FUSE].window_failures


def obey(post: Post, name: str, settings: dict[str, Any], manual: bool) -> None:
    """A process that is a :class:`Caller`, until it is told to ``leave``."""
    caller = Caller(name, settings, manual=manual)
    post.say("ready")
    while True:
        word, *args = post.hear()
        if word == "leave":
            return
        post.say(getattr(caller, word)(*args))
