"""Transitions: what listeners get, and what a store's journal keeps (rule T14)."""

import enum
import time as clock
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from fuseboard import _core
from fuseboard._state import State


@_core.first
class Cause(enum.Enum):
    """What caused a transition."""

    UNKNOWN = "unknown"
    """The process that made it was killed before it could say."""
    THRESHOLD = "threshold"
    """The failures within the window reached the policy's threshold (rule R03)."""
    RESET_TIMEOUT = "reset timeout"
    """The open time was over, and a call asked to pass (rule R06)."""
    PROBE_FAILED = "probe failed"
    """As many probes failed as open the fuse again (rules R08, R25)."""
    PROBES_SUCCEEDED = "probes succeeded"
    """As many probes succeeded as the settings ask for (rule R07)."""
    SET = "set"
    """A raw ``set_open``, ``set_half_open`` or ``set_closed``."""
    MANUAL = "manual"
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
    """``trip_if``, a :class:`TripError`, or a :class:`Failure` with ``trip=True``."""
    HALF_OPEN_TIMEOUT = "half-open timeout"
    """The fuse was half-open for as long as it may be, and a call asked to pass."""
    RAMPED = "ramped"
    """The ramp was over, and a call asked to pass."""
    PROBE_SLOW = "probe slow"
    """A probe succeeded, but was slow (rule R20)."""
    OVERRIDE_ENDED = "override ended"
    """The time of an ``isolate()`` or ``disable()`` was over, and a call asked to pass (rule R12)."""


_CAUSES = tuple(Cause)
"""By their codes in the table."""

Made: TypeAlias = tuple[int, int, int, int, int, int, str, str]
"""A transition as the compiled part gives it: states before and after, generation, cause, process, the microsecond at
which an override ends or 0, and two texts: ``error``, or who and why."""
Row: TypeAlias = tuple[str, int, int, int, int, int, int, str, str]
"""The same, with the name of its fuse in front."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a fuse's state: what listeners get, and what the journal keeps. Immutable.

    Attributes:
        fuse: the fuse's name.
        before: the state it left.
        after: the state it went into.
        at: when, in seconds of ``store.now()``; the ``since`` of the state that began.
        cause: what brought it about.
        error: if a failure brought it about, the class name of its exception, cut at 95 bytes; where there is no
            exception, the failure's label, such as ``"HTTP 503"``; else None.
        pid: the process that made it, as that process knows itself; None if not known. A hint for people.
        generation: grows with each change of the fuse's state, so that fuse and generation name a transition.
        time: when, by the time of day: an aware ``datetime`` in UTC. Tables keep ``at`` alone, so it is computed when
            a listener gets the transition, or when it is read. If the time of day was set since then, it is off by as
            much. Two readings of one transition are equal, although their times may differ by microseconds.
        until: when a manual override ends by itself, in seconds of ``store.now()``; None if it is endless, and for
            other transitions.
        who: who made or ended a manual override, if that was said; see :meth:`CircuitBreaker.isolate`.
        why: why, if that was said.
    """

    fuse: str
    before: State
    after: State
    at: float
    cause: Cause
    error: str | None
    pid: int | None
    generation: int
    time: datetime = field(compare=False)
    until: float | None = None
    who: str | None = None
    why: str | None = None

    @property
    def _reason(self) -> str:
        """The cause and its details: an exception's class, or who and why."""
        cause = f"{self.cause.value}, by {self.who}" if self.who else self.cause.value
        ends = None if self.until is None else f"for {self.until - self.at:.6g} s"
        return ", ".join(text for text in (cause, ends, self.error, self.why) if text)

    def __str__(self) -> str:
        """A line for people: the time of day in UTC, the fuse, both states, and the cause."""
        return f"{in_utc(self.time)} {self.fuse}: {self.before.value} -> {self.after.value} ({self._reason})"


def in_utc(time: datetime) -> str:
    """A time of day for people: ``2026-02-03T04:05:06.789Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def began(store: _core.Store) -> float:
    """When the store's clock showed 0, in seconds since the epoch, by the time of day as it is now."""
    return clock.time() - store.now()


def transition(row: Row, began: float) -> Transition:
    """A transition made of the compiled part's row, for a clock that showed 0 at ``began``."""
    fuse, before, after, generation_us, code, pid, until_us, first, second = row
    at, cause = generation_us / 1e6, _CAUSES[code]
    is_by_hand = cause is Cause.MANUAL
    return Transition(
        fuse,
        State.of_code(before),
        State.of_code(after),
        at,
        cause,
        error=None if is_by_hand else first or None,
        pid=pid or None,
        generation=generation_us,
        time=datetime.fromtimestamp(began + at, UTC),
        until=until_us / 1e6 if until_us else None,
        who=first or None if is_by_hand else None,
        why=second or None if is_by_hand else None,
    )
