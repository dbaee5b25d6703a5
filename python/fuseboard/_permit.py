"""Permits to hold in one's hand: for callbacks, and for calls that begin in one place and end in another."""

import os
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from fuseboard._checks import shown

if TYPE_CHECKING:
    from fuseboard import _core


class Permit:
    """The right to make one call, made by :meth:`CircuitBreaker.permit`. Say once how the call went.

    The first outcome counts; later ones do nothing, so a callback and a timeout may both report. As a context manager
    it says how the block went, as ``with breaker:`` does, unless somebody has said so before.

    Of a probe (rule R06) say so within ``probe_timeout``: later, another call may have taken the permit over, and the
    outcome is late (rule R09).

    A permit that is thrown away without an outcome gives its lease back, counts for nothing and warns with a
    ``ResourceWarning``.

    Thread-safe: it may be settled by another thread or task than the one that took it. After ``fork`` a probe's permit
    is the parent's.
    """

    __slots__ = ("__weakref__", "_breaker", "_held", "_owner")

    def __init__(self, breaker: "_core.Breaker", held: "_core.Permit") -> None:
        self._breaker = breaker
        self._held = held
        self._owner = os.getpid()

    def success(self) -> None:
        """Says that the call succeeded."""
        self._breaker._conclude(self._held, failed=False)

    def failure(self, error: BaseException | None = None) -> None:
        """Says that the call failed, whatever ``failure_on``, ``success_on`` and ``ignore`` are.

        Args:
            error: what it failed with; events and the journal name its class.

        Raises:
            TypeError: ``error`` is no exception. The call has not been reported then.
        """
        if error is not None and not isinstance(error, BaseException):
            raise TypeError(f"error must be an exception or None, got {type(error).__name__}: {shown(error)}")
        self._breaker._conclude(self._held, failed=True, error=error)

    def ignore(self) -> None:
        """Says that the call counts neither way (rule R10), such as one that was never made."""
        self._breaker._conclude(self._held, failed=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> Literal[False]:
        self._breaker._settle(self._held, error)
        return False

    def __repr__(self) -> str:
        return f"<Permit of {self._breaker!r}>"

    def __del__(self) -> None:
        if self._held.is_settled:
            return
        # Now, not when it goes: whoever shows the warning may keep its source.
        self._held.give_back()
        # A copy in a forked child is nobody's loss.
        if self._owner == os.getpid():
            warnings.warn(
                f"{self!r} was thrown away without an outcome: call success(), failure() or ignore(), or use it in a "
                "with statement",
                ResourceWarning, stacklevel=1, source=self,
            )  # fmt: skip
