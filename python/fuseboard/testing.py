"""Tools to test code that uses breakers: a clock to move, a private default store, a state by force.

With pytest, the plugin that comes with fuseboard gives every test a private default store; see
:mod:`fuseboard.pytest_plugin`.
"""

import contextlib
from collections.abc import Iterator
from typing import Self

from fuseboard import _core
from fuseboard._breaker.breaker import CircuitBreaker
from fuseboard._state import State
from fuseboard._store import registry
from fuseboard._store.manual_override import manual_override
from fuseboard._store.store import Store
from fuseboard._validation import Seconds, microseconds

__all__ = ["Clock", "force_state", "private_default_store"]

_START_SECONDS = 1000


class Clock(_core.Clock):
    """A clock that stands still until it is moved: ``Store.private(clock=Clock())``. It begins at 1,000 seconds.

    It lives in one process: a child that is forked gets a copy of its own.
    """

    def __new__(cls) -> Self:
        """Makes a clock."""
        return super().__new__(cls, _START_SECONDS * 1_000_000)

    @classmethod
    def _running(cls) -> Self:
        """Makes one that runs with the host's clock until it is stopped, as the pytest plugin needs it."""
        return super().__new__(cls, None)

    @property
    def now(self) -> float:
        """The seconds it shows, as ``store.now()`` does."""
        return self.now_us / 1e6

    def advance(self, seconds: Seconds) -> None:
        """Moves it forward, by 1 microsecond to seven days.

        Raises:
            TypeError: ``seconds`` is neither a number nor a timedelta.
            ValueError: ``seconds`` is out of range.
        """
        self.advance_us(microseconds("seconds", seconds, least=1e-6))

    def __repr__(self) -> str:
        return f"<Clock at {self.now} s>"


@contextlib.contextmanager
def private_default_store(clock: _core.Clock | None = None) -> Iterator[Store]:
    """A private default store while the block runs. Breakers that follow the default one move to it, and back after.

    Args:
        clock: where its time comes from; None for the host's clock.
    """
    store = Store.private(clock=clock)
    before = registry.replace_default(store)
    try:
        yield store
    finally:
        registry.replace_default(before)


def force_state(breaker: CircuitBreaker, state: State) -> None:
    """Puts a breaker's fuse into a state, whatever it was, with an empty window and as of now.

    Raises:
        TypeError: ``state`` is not a :class:`State`.
    """
    if not isinstance(state, State):
        raise TypeError(f"state must be a State, got {type(state).__name__}: {state!r}")
    breaker._override(manual_override(state, None, None))
