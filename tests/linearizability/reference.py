"""The rules R01 to R13 as a plain sequential program: lists, explicit states, no sharing, no cleverness.

Nothing here knows how the table does it. Time is a whole number of milliseconds that the caller gives. Tests compare
what this says with what the store and its breakers say.
"""

import collections
import dataclasses
from collections.abc import Iterator

from fuseboard import State

HELD = (State.ISOLATED, State.DISABLED)
SEVEN_DAYS_US = 7 * 24 * 3600 * 1_000_000


@dataclasses.dataclass(frozen=True)
class Policy:
    """A breaker's settings; times in milliseconds."""

    threshold: int
    window: int
    reset_timeout: int
    probes: int
    success_threshold: int
    probe_timeout: int
    clear_on_success: bool

    @property
    def reach_us(self) -> int:
        """How far back the breaker looks, in microseconds."""
        return 1000 * self.window


@dataclasses.dataclass(eq=False)
class Call:
    """A call that was admitted: its permit."""

    generation: int
    seat: int | None = None
    deadline: int = 0


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A call that was not."""

    state: State
    retry_after: float | None
    lease: int | None = None


class Fuse:
    """One fuse."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.generation = 0
        self.counters: collections.Counter[str] = collections.Counter()
        self.known = False
        self.reach_us = 0
        """How far back the breakers look that have made calls; 0 if none has. A reset forgets none of them."""
        self._begin(State.CLOSED, None)

    def _begin(self, state: State, since: int | None) -> None:
        self.state = state
        self.since = since
        self.until: int | None = None
        """When the manual override ends by itself that it is in."""
        self.failures: list[int] = []
        self.seats: dict[int, Call] = {}
        self.good_probes = 0

    def move(self, state: State, now: int) -> None:
        """A change of state: a new generation with an empty window, and no permits."""
        self.known = True
        self.generation += 1
        self._begin(state, now)

    def use(self, now: int) -> None:
        """R01: a fuse never seen is closed, from its first use on."""
        if not self.known:
            self.move(State.CLOSED, now)

    def count(self, window: int, now: int) -> int:
        """Failures that are at most ``window`` old, as far as they can be counted."""
        return min(self.capacity, sum(time >= now - window for time in self.failures))

    def window_failures(self, now: int) -> int:
        """Failures of the window that mean something to a breaker, as far as they can be counted."""
        reach_us = min(self.reach_us or SEVEN_DAYS_US, SEVEN_DAYS_US)
        return min(self.capacity, sum(1000 * (now - time) <= reach_us for time in self.failures))

    def admit(self, policy: Policy, now: int) -> Call | Rejected:
        """R02, R05, R06, R12: may a call be made?"""
        self.reach_us = max(self.reach_us, policy.reach_us)
        self.use(now)
        answer = self._answer(policy, now)
        if isinstance(answer, Rejected):
            self.counters["rejections"] += 1
        elif answer.seat is not None:
            self.counters["probes"] += 1
        return answer

    def is_held(self, now: int) -> bool:
        """R12: whether a manual override stands, whose time is not over."""
        return self.state in HELD and (self.until is None or now < self.until)

    def end_override(self, state: State, now: int) -> None:
        """R12: the time of a manual override is over, and a call asks to pass."""
        self.move(state, now)

    def _answer(self, policy: Policy, now: int) -> Call | Rejected:
        if self.state in HELD and not self.is_held(now):
            self.end_override(State.HALF_OPEN if self.state is State.ISOLATED else State.CLOSED, now)
        if self.state is State.OPEN:
            left = policy.reset_timeout - (now - (self.since or 0))
            if left > 0:
                return Rejected(State.OPEN, left)
            self.move(State.HALF_OPEN, now)
        if self.state is State.HALF_OPEN:
            return self._probe(policy, now)
        if self.state is State.ISOLATED:
            return Rejected(State.ISOLATED, None if self.until is None else self.until - now)
        return Call(self.generation)

    def _probe(self, policy: Policy, now: int) -> Call | Rejected:
        """R06, R11: one of the first ``probes`` seats, if one is free or its holder has overstayed."""
        for seat in range(policy.probes):
            if seat not in self.seats or self.seats[seat].deadline <= now:
                self.seats[seat] = Call(self.generation, seat, now + policy.probe_timeout)
                return self.seats[seat]
        soonest = min(self.seats[seat].deadline - now for seat in range(policy.probes))
        lease = min(soonest, policy.probe_timeout)
        return Rejected(State.HALF_OPEN, min(lease, policy.reset_timeout / 10), lease)

    def is_late(self, call: Call) -> bool:
        """R09: an older generation, or a lease that somebody took over."""
        taken_over = call.seat is not None and self.seats.get(call.seat) is not call
        return call.generation != self.generation or taken_over

    def settle(self, call: Call, policy: Policy, outcome: str, now: int) -> None:
        """R03, R04, R07 to R10: how a call ended."""
        self.counters[outcome] += 1
        if self.is_late(call):
            self.counters["late_outcomes"] += 1
            return
        if call.seat is not None:
            del self.seats[call.seat]
        if "failures" == outcome:
            self._failed(policy, now)
        elif "successes" == outcome:
            self._succeeded(policy, now)

    def _failed(self, policy: Policy, now: int) -> None:
        if self.state is State.CLOSED:
            self.failures.append(now)
        if self.state is State.HALF_OPEN or (
            self.state is State.CLOSED and self.count(policy.window, now) >= policy.threshold
        ):
            self.counters["trips"] += 1
            self.move(State.OPEN, now)

    def _succeeded(self, policy: Policy, now: int) -> None:
        if self.state is State.CLOSED and policy.clear_on_success:
            self.failures = []
        if self.state is State.HALF_OPEN:
            self.good_probes += 1
            if self.good_probes >= policy.success_threshold:
                self.counters["closes"] += 1
                self.move(State.CLOSED, now)

    def drop(self, call: Call) -> None:
        """A permit that nobody will settle gives its lease back."""
        if not self.is_late(call) and call.seat is not None:
            del self.seats[call.seat]

    def record_failure(self, window: int, now: int) -> int:
        """R13: counts, and decides nothing."""
        self.use(now)
        self.failures.append(now)
        return self.count(window, now)

    def record_success(self, now: int) -> None:
        """R13: clears, and decides nothing."""
        self.use(now)
        self.failures = []

    def set(self, state: State, now: int) -> None:
        """R12: a raw change of state, which a manual override resists."""
        if not self.is_held(now):
            self.move(state, now)

    def command(self, state: State, now: int, for_: int | None = None) -> None:
        """R12: a manual override, which may end by itself."""
        self.move(state, now)
        self.until = now + for_ if for_ and state in HELD else None

    def forget(self) -> None:
        """Closed and never seen; late outcomes stay late."""
        if self.known:
            self.generation += 1
        self.known = False
        self.counters.clear()
        self._begin(State.CLOSED, None)


class Reference:
    """A store of fuses by name."""

    fuse_class: type[Fuse] = Fuse

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._fuses: dict[str, Fuse] = {}

    def __getitem__(self, name: str) -> Fuse:
        return self._fuses.setdefault(name, self.fuse_class(self._capacity))

    def __iter__(self) -> Iterator[str]:
        """Names of the fuses that have been used."""
        return (name for name, fuse in self._fuses.items() if fuse.known)

    def reset_all(self) -> None:
        """Every fuse closed and forgotten."""
        for fuse in self._fuses.values():
            fuse.forget()
