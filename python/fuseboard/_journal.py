"""Transitions, as they are told and as a store's journal keeps them (rule T14)."""

import enum
from typing import TypeAlias

from fuseboard._state import State
from fuseboard._value import Value


class Cause(enum.Enum):
    """What brought a transition about."""

    UNKNOWN = "unknown"
    """The process that made it was killed before it could say."""
    THRESHOLD = "threshold"
    """As many failures within the window as the policy allows (rule R03)."""
    RESET_TIMEOUT = "reset timeout"
    """The reset timeout had passed, and a call asked to pass (rule R06)."""
    PROBE_FAILED = "probe failed"
    """A probe failed (rule R08)."""
    PROBES_SUCCEEDED = "probes succeeded"
    """As many probes succeeded as the policy asks for (rule R07)."""
    SET = "set"
    """A raw ``set_open``, ``set_half_open`` or ``set_closed``."""
    OPERATOR = "operator"
    """``isolate()``, ``disable()`` or ``reset()`` (rule R12)."""
    RESET_ALL = "reset_all"
    """``reset_all()``."""
    FAILURE_RATE = "failure rate"
    """Too large a share of the calls within a window failed."""
    FAILURE_RATE_OF_CALLS = "failure rate of calls"
    """Too large a share of the last calls failed."""
    SLOW_RATE = "slow rate"
    """Too large a share of the calls within a window was slow."""
    SLOW_RATE_OF_CALLS = "slow rate of calls"
    """Too large a share of the last calls was slow."""
    DEMANDED = "demanded"
    """``trip_if`` or a :class:`TripError`."""
    HALF_OPEN_TIMEOUT = "half-open timeout"
    """The fuse was half-open for as long as it may be, and a call asked to pass."""
    RAMPED = "ramped"
    """The ramp was over, and a call asked to pass."""
    PROBE_SLOW = "probe slow"
    """A probe succeeded, but was slow (rule R20)."""


_CAUSES = tuple(Cause)
"""By their codes in the table."""

Made: TypeAlias = tuple[int, int, int, int, int, str]
"""A transition as the compiled part tells it: states before and after, generation, cause, process, class name."""
Row: TypeAlias = tuple[str, int, int, int, int, int, str]
"""The same with its fuse before it."""


class Transition(Value):
    """One change of a fuse's state: what listeners are told and what the journal keeps. Immutable.

    Attributes:
        fuse: the fuse's name.
        before: the state it left.
        after: the state it went into.
        at: when, in seconds of ``store.now()``; the ``since`` of the state that began.
        cause: what brought it about.
        error: class name of the exception that made the last call fail, if a failure brought it about; cut at 95 bytes.
        pid: the process that made it, as that process knows itself; None if not known. A hint for people.
        generation: grows with each change of the fuse's state, so that fuse and generation name a transition.
    """

    __slots__ = __match_args__ = ("fuse", "before", "after", "at", "cause", "error", "pid", "generation")

    fuse: str
    before: State
    after: State
    at: float
    cause: Cause
    error: str | None
    pid: int | None
    generation: int

    def __init__(  # noqa: PLR0913, PLR0917 - one for each attribute, in their order
        self,
        fuse: str,
        before: State,
        after: State,
        at: float,
        cause: Cause,
        error: str | None,
        pid: int | None,
        generation: int,
    ) -> None:
        self._fill(
            fuse=fuse, before=before, after=after, at=at, cause=cause, error=error, pid=pid, generation=generation
        )

    @property
    def _why(self) -> str:
        return f"{self.cause.value}, {self.error}" if self.error else self.cause.value

    def __str__(self) -> str:
        """A line for people."""
        return f"{self.at:.3f} {self.fuse}: {self.before.value} -> {self.after.value} ({self._why})"


def transition(row: Row) -> Transition:
    """A transition of what the compiled part tells."""
    fuse, before, after, generation_us, cause, pid, error = row
    states = (State.of_code(before), State.of_code(after))
    return Transition(fuse, *states, generation_us / 1e6, _CAUSES[cause], error or None, pid or None, generation_us)
