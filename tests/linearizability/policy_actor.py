"""The process of :mod:`actor`, with breakers that have policies. Free of pytest."""

import contextvars
import types
from collections.abc import Generator, Mapping
from typing import Any

from actor import OUTCOMES, WAYS, Actor, Rejection

from fuseboard import CircuitBreaker, CircuitOpenError, Store, TripError

ROOM = 64
"""Places in the table: one that a fuse removed rests for a minute, and its name has another one meanwhile."""


class NotFoundError(Exception):
    """What a healthy server raises that has not what it is asked for."""


class BusyError(Exception):
    """What a server raises that says when to come again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def hint_of(error: BaseException) -> float | None:
    """For ``open_for``."""
    return error.seconds if isinstance(error, BusyError) else None


Call = Generator[None, BaseException | None, Any]


@types.coroutine
def _wait() -> Call:
    return (yield)


def coroutine(breaker: CircuitBreaker) -> Call:
    """A call that is a coroutine: what it has to say of failures and demands it returns; all else it raises."""

    async def service() -> BaseException | None:
        error = await _wait()
        if error is None or isinstance(error, ValueError | TripError):
            return error
        raise error

    # In a context of its own, as each task has one: calls that begin while it waits are not inside of it.
    run = contextvars.copy_context().run
    call, error = run(breaker(service)().__await__), None
    while True:
        try:
            run(call.send, error)
        except StopIteration as end:
            return end.value
        error = yield


class PolicyActor(Actor):
    """One process's hold of the table."""

    ways = WAYS | {"coroutine": coroutine}
    lists: Mapping[str, Any] = {"success_on": NotFoundError}
    outcomes = OUTCOMES | {
        "answered": NotFoundError(),
        "demands": TripError(),
        "demands 1300 ms": TripError(retry_after=1.3),
        "demands an hour": TripError(retry_after=3600.0),
        "asks for 1300 ms": BusyError(1.3),
        "is fatal": PermissionError(),
    }

    def open_store(self, host: str, _fuses: int, capacity: int) -> Store:
        """The table that all processes of a run share."""
        return Store.shared(host, fuses=ROOM, failures=capacity, strict=True, clock=self.clock)

    @staticmethod
    def judge(result: BaseException | None) -> object:
        """For ``failure_if``: a demand is one where it is returned too."""
        return result if isinstance(result, TripError) else result is not None

    def make_breaker(self, fuse: str, settings: dict[str, Any]) -> CircuitBreaker:
        """A breaker that asks exceptions for hints, or does not."""
        settings = {**settings, **self.lists, "failure_if": self.judge}
        if settings.pop("hints"):
            settings |= {"trip_if": PermissionError, "open_for": hint_of}
        return CircuitBreaker(fuse, store=self.store, **settings)

    def check(self, fuse: str, number: int) -> Rejection | None:
        """What a call would be told."""
        try:
            self.breakers[fuse][number].check()
        except CircuitOpenError as rejection:
            return rejection.state.value, rejection.retry_after, rejection.lease_remaining
        return None

    def observe(self) -> dict[str, dict[str, tuple[Any, ...]]]:
        """All that this process can see, and what each breaker says of its rates."""
        seen = super().observe()
        rates = {
            name: tuple(tuple(map(tuple, breaker.rates().values())) for breaker in pair)
            for name, pair in self.breakers.items()
        }
        failed_probes = {name: (each.failed_probes,) for name, each in self.store.snapshot().items()}
        return seen | {
            "rates": rates,
            "failed_probes": failed_probes,
            "dropped": {"all": (self.store.journal_dropped,)},
        }

    def journal(self) -> dict[str, tuple[Any, ...]]:
        """Changes of state, with their causes."""
        entries = self.store.journal()
        return {
            name: tuple((each.before, each.after, each.at, each.cause) for each in entries if each.fuse == name)
            for name in self.breakers
        }


class PolicyLoner(PolicyActor):
    """Wrong on purpose: each process has a table of its own."""

    def open_store(self, _host: str, _fuses: int, capacity: int) -> Store:
        """Opens a private one."""
        return Store.private(fuses=ROOM, failures=capacity, clock=self.clock)
