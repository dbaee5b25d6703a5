"""Permits for calls that report their outcome by hand: in a callback, or in another thread or task."""

import os
import sys
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from fuseboard._breaker.classify import BY_OUTCOME, Outcome, verdict_of
from fuseboard._breaker.failure import Failure
from fuseboard._validation import Seconds

if TYPE_CHECKING:
    from fuseboard import _core


class Permit:
    """The right to make one call, made by :meth:`CircuitBreaker.permit`. Report the outcome of the call once.

    The first outcome counts. Later ones do nothing, so a callback and a timeout may both report. As a context manager,
    the permit reports how the block ended, as ``with breaker:`` does, unless its outcome was reported before. Inside
    the block, other guards of the same fuse let calls pass and count nothing.

    Report the outcome of a probe (rule R06) within ``probe_timeout``. After that, another call may have taken over the
    permit, and the outcome is late (rule R09).

    A permit that is dropped without an outcome counts for nothing: its lease goes back, and it warns with a
    ``ResourceWarning``.

    Thread-safe: another thread or task than the one that took it may settle it. After ``fork``, a probe's permit
    belongs to the parent.
    """

    __slots__ = ("__weakref__", "_breaker", "_owner", "_permit")

    def __init__(self, breaker: "_core.Breaker", permit: "_core.Permit") -> None:
        self._breaker = breaker
        self._permit = permit
        self._owner = os.getpid()

    def success(self) -> None:
        """Says that the call succeeded."""
        self._breaker._settle_as(self._permit, BY_OUTCOME[Outcome.SUCCESS])

    def failure(
        self,
        error: BaseException | None = None,
        *,
        retry_after: Seconds | None = None,
        trip: bool = False,
        label: str | None = None,
    ) -> None:
        """Says that the call failed, whatever ``failure_on``, ``success_on`` and ``ignore`` are.

        Args:
            error: what it failed with; events and the journal name its class.
            retry_after: how long the fuse is to stay open if this failure opens it: seconds as a number, 0 or more, or
                a timedelta; None or 0 for as long as the settings say. It is kept between ``reset_timeout`` and
                ``max_reset_timeout``. It does not open the fuse.
            trip: True opens the fuse at once, whatever the counts (rule R22).
            label: 1 to 95 bytes of printable text in UTF-8, such as ``"HTTP 503"``. Events and the journal show it
                where there is no ``error``.

        Raises:
            TypeError: an argument is of the wrong type. The call has not been reported then.
            ValueError: ``retry_after`` or ``label`` is out of range. The call has not been reported then.
        """
        failure = Failure(error, retry_after=retry_after, trip=trip, label=label)
        self._breaker._settle_as(self._permit, verdict_of(failure))

    def ignore(self) -> None:
        """Says that the call counts neither way (rule R10), such as one that was never made."""
        self._breaker._settle_as(self._permit, BY_OUTCOME[Outcome.IGNORED])

    def stop_clock(self) -> None:
        """Stops the clock by which a :class:`SlowRate` judges the call, for example when a response's headers arrive.

        The first stop counts, later ones do nothing. It says nothing about the outcome, and does nothing under a policy
        that does not judge by time.
        """
        self._permit.stop_clock()

    @property
    def is_probe(self) -> bool:
        """Whether the call is a probe (rule R06): its outcome closes the fuse or opens it again."""
        return self._permit.is_probe

    def __enter__(self) -> Self:
        frame = sys._getframe(1)
        # An ExitStack may hand the block on (`pop_all`). Then nobody can tell where it ends, and what is inside.
        if frame.f_globals.get("__name__") != "contextlib":
            self._breaker._mark(self._permit, frame)
        return self

    def __exit__(
        self, _class: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> Literal[False]:
        # If the outcome was reported before, this does nothing.
        self._breaker._settle(self._permit, error)
        return False

    def __repr__(self) -> str:
        return f"<Permit of {self._breaker!r}>"

    def __del__(self) -> None:
        if self._permit.is_settled:
            return
        # Now, not later: the code that shows the warning may keep this object alive.
        self._permit.cancel()
        # In a forked child it is only a copy: nothing is lost.
        if self._owner == os.getpid():
            warnings.warn(
                f"{self!r} was discarded without an outcome: call success(), failure() or ignore(), or use it in a "
                "with statement",
                ResourceWarning, stacklevel=1, source=self,
            )  # fmt: skip
