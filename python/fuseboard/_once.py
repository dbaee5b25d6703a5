"""The one lock of the package's Python part, and what is said once.

The lock is held for a few lines that call nobody else's code, and never while a call runs. It is re-entrant: a signal
handler or a finalizer may come in at any line. A fork waits until it is free, as one of ``logging`` does. Each process
has a lock of its own all the same: a child whose fork the interpreter did not see, such as uWSGI's, would else wait for
a thread that it does not have.
"""

import os
import threading
from collections.abc import Hashable

from fuseboard._forks import at_fork

_locks: dict[int, threading.RLock] = {}
"""The lock of this process and those of its forebears, by pid. Of threads that come at once, one makes it."""

_latest: tuple[int, threading.RLock] = (0, threading.RLock())
"""The lock that was asked for last, and the process that it is of: read as a whole, so without a lock."""


def lock() -> threading.RLock:
    """The lock of this process."""
    pid, latest = _latest
    return latest if pid == os.getpid() else _of_another_process()


def _of_another_process() -> threading.RLock:
    global _latest  # noqa: PLW0603 - the process has one
    pid = os.getpid()
    _latest = pid, _locks.setdefault(pid, threading.RLock())
    return _latest[1]


_forking: list[threading.RLock] = []
"""What the thread that forks holds meanwhile."""


def _before_a_fork() -> None:
    held = lock()
    held.acquire()
    _forking.append(held)


def _after_a_fork() -> None:
    _forking.pop().release()


at_fork(before=_before_a_fork, after_in_parent=_after_a_fork, after_in_child=_after_a_fork)


class Once:
    """What was said already. Of threads that come at once, one is first. Thread-safe."""

    __slots__ = ("_most", "_said")

    def __init__(self, most: int | None = None) -> None:
        self._said: set[Hashable] = set()
        self._most = most

    def is_first(self, what: Hashable) -> bool:
        """Whether it was not said yet, and says it. Where ``most`` things were said, nothing is first any more."""
        with lock():
            if what in self._said or len(self._said) == self._most:
                return False
            self._said.add(what)
            return True

    def __contains__(self, what: Hashable) -> bool:
        return what in self._said

    def __len__(self) -> int:
        return len(self._said)
