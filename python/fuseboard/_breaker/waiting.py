"""Waiting until a call may pass, by looking again and again.

The call that closes a fuse does not wake the waiters. That would cost a system call for each of them, in the middle of
a user's call. A look is a few loads, and the waiter pays for it. The sleeps in between are so short that people notice
no delay when a fuse closes early. Their length is random, so that many waiters do not come at once.
"""

import os
import time
from collections.abc import Callable

from fuseboard._state import State
from fuseboard._validation import MILLION, Seconds, microseconds
from fuseboard.errors import CircuitOpenError

LEAST = 0.01
"""Seconds to sleep at least, so that a short open time makes nobody spin."""
MOST = 0.2
"""Seconds to sleep at most, before the random part."""
SPREAD = 0.05
"""Seconds within which those wake who have waited for the same moment."""


class Waiting:
    """The looks of one wait. A thread or a task sleeps in between."""

    def __init__(self, rejection_now: Callable[[], CircuitOpenError | None], timeout: Seconds | None) -> None:
        self._rejection_now = rejection_now
        # By this process's own clock. A store's may be a test's, which stands still.
        seconds = None if timeout is None else microseconds("timeout", timeout, least=0) / MILLION
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._has_slept = False
        self.may_pass = False

    def look(self) -> float | None:
        """Seconds to sleep until the next look; None if the waiting is over, because a call may pass or time is up."""
        rejection = self._rejection_now()
        # While a fuse ramps up, which calls pass goes by their number (R26), and a look is no call: the next one may be
        # none of them until almost the end of the ramp. Who has slept once finds out by the call itself.
        if rejection is None or (self._has_slept and rejection.state is State.RAMPING):
            self.may_pass = True
            return None
        self._has_slept = True
        left = MOST if rejection.retry_after is None else rejection.retry_after
        delay = min(max(left, LEAST), MOST) + SPREAD * _share()
        if self._deadline is None:
            return delay
        left = self._deadline - time.monotonic()
        return min(delay, left) if left > 0 else None


def _share() -> float:
    """From 0 up to 1. The module ``random`` takes longer to import than this package."""
    return int.from_bytes(os.urandom(2)) / 0x1_0000
