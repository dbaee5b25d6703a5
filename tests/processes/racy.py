"""Stand-ins with the faults that the tests look for: the tests must find them, or they prove nothing.

Each looks at shared memory and then stores, in two steps, which is what rule T05 forbids. In between it lets others go
first, so that the fault shows on any number of cores.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers import FUSE, Words

from fuseboard import CircuitOpenError, State


class RacyStore:
    """Counts failures by looking and storing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fuses: dict[str, Words] = {}

    def record_failure(self, fuse: str, _window: float) -> int:
        """Counts one more failure, unless somebody else does so just now."""
        words = self._fuses.setdefault(fuse, Words(self._folder / fuse))
        count = words[0] + 1
        if count % 16 == 0:
            _let_others_go_first()
        words[0] = count
        return count


def _let_others_go_first() -> None:
    time.sleep(0.0001)


class RacyRig:
    """A breaker whose fuse opens, and admits probes, by looking and storing."""

    def __init__(self, path: Path, threshold: int) -> None:
        self._words = Words(path)
        self._threshold = threshold
        self._admitted = 0
        self.events: list[str] = []
        self.logged: list[str] = []
        self.breaker = self

    def call(self, function: Callable[[], Any]) -> Any:
        """Makes a guarded call."""
        if self._words[1]:
            raise CircuitOpenError(FUSE, State.OPEN, None)
        try:
            return function()
        except Exception:
            self._failed()
            raise

    def _failed(self) -> None:
        count = self._words[0] + 1
        _let_others_go_first()
        self._words[0] = count
        if count == self._threshold:
            self._words[1] = 1
            self.events.append("open")
            self.logged.append("open")

    @property
    def state(self) -> str:
        """The fuse's state in words."""
        return "open" if self._words[1] else "closed"

    def counters(self) -> dict[str, int]:
        """Nothing is counted."""
        return {}

    def renew(self) -> None:
        """Makes the fuse as if never seen."""
        for index in range(3):
            self._words[index] = 0

    open_for_a_probe = renew

    def wait_for_probe_time(self) -> None:
        """A probe may pass at once."""

    def __enter__(self) -> None:
        if self._words[2]:
            raise CircuitOpenError(FUSE, State.HALF_OPEN, None)
        _let_others_go_first()
        self._words[2] = 1

    def __exit__(self, *_: object) -> None:
        self.events.append("closed")


class LockedStore:
    """Counts failures under a lock that a killed process never gives back."""

    def __init__(self, path: Path) -> None:
        self._words = Words(path)

    def lock(self) -> None:
        """Takes the lock; waits for whoever has it."""
        while self._words[0]:
            pass
        self._words[0] = 1

    def record_failure(self, _fuse: str, _window: float) -> int:
        """Counts one more failure."""
        self.lock()
        self._words[1] += 1
        self._words[0] = 0
        return self._words[1]
