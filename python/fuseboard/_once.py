"""The one lock of the package's Python part, and what is said once.

The lock is held for a few lines that call nobody else's code, and never while a call runs. It is re-entrant: a signal
handler or a finalizer may come in at any line. A fork waits until it is free, so a child finds it free, and what it
guards whole; ``logging`` does the same.
"""

import os
import threading
from collections.abc import Hashable

lock = threading.RLock()
os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


class Once:
    """What was said already. Of threads that come at once, one is first. Thread-safe."""

    __slots__ = ("_most", "_said")

    def __init__(self, most: int | None = None) -> None:
        self._said: set[Hashable] = set()
        self._most = most

    def is_first(self, what: Hashable) -> bool:
        """Whether it was not said yet, and says it. Where ``most`` things were said, nothing is first any more."""
        with lock:
            if what in self._said or len(self._said) == self._most:
                return False
            self._said.add(what)
            return True

    def __contains__(self, what: Hashable) -> bool:
        return what in self._said

    def __len__(self) -> int:
        return len(self._said)
