"""What the conductor knows in one act: facts as they come in. It decides nothing and draws nothing."""

import collections
import dataclasses
import time

from fuseboard._core import FuseSnapshot
from fuseboard._state import State
from fuseboard.demo._messages import (
    HEALTHY,
    Arrived,
    Called,
    Changed,
    Listening,
    Message,
    Outcome,
    PrivateFuse,
    Requests,
)
from fuseboard.demo._plan import Plan

KILLED = "killed"
"""Stands among a seat's outcomes where its worker was killed."""


@dataclasses.dataclass
class Life:
    """One worker process. A seat is a worker's place; who replaces a killed worker has its seat and the next life."""

    seat: int
    number: int
    pid: int
    calls: int = 0
    good_in_a_row: int = 0
    first: Called | None = None
    found_open: Called | None = None
    last: Outcome | None = None
    private: PrivateFuse | None = None

    def absorb(self, call: Called) -> None:
        """Takes in how a call ended."""
        self.calls += 1
        self.first = self.first or call
        if call.outcome.found_open:
            self.found_open = self.found_open or call
        good = call.outcome in (Outcome.GOOD, Outcome.PROBE_GOOD)
        self.good_in_a_row = self.good_in_a_row + 1 if good else 0
        self.last = call.outcome
        self.private = call.private


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A line of the timeline. ``tone`` is a word for how it matters: note, bad, good or fuse."""

    at: float
    text: str
    tone: str


@dataclasses.dataclass
class Picture:
    """One act. ``fuse`` is the shared store's snapshot of the fuse and ``now`` its clock; None with private stores."""

    plan: Plan
    number: int
    title: str
    shared: bool
    began: float = dataclasses.field(default_factory=time.monotonic)
    phase: str = HEALTHY
    port: int | None = None
    fuse: FuseSnapshot | None = None
    now: float = 0.0
    lives: list[Life] = dataclasses.field(default_factory=list)
    current: dict[int, Life] = dataclasses.field(default_factory=dict)
    strips: dict[int, collections.deque[str]] = dataclasses.field(default_factory=dict)
    changes: list[Changed] = dataclasses.field(default_factory=list)
    held: list[Arrived] = dataclasses.field(default_factory=list)
    probes: list[Arrived] = dataclasses.field(default_factory=list)
    arrivals: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    requests: dict[str, Requests] = dataclasses.field(default_factory=dict)
    timeline: list[Entry] = dataclasses.field(default_factory=list)

    @property
    def elapsed(self) -> float:
        """Seconds since the act began."""
        return time.monotonic() - self.began

    @property
    def fuse_age(self) -> float:
        """For how many seconds the shared fuse has been in its state."""
        since = self.fuse.since if self.fuse else None
        return 0.0 if since is None else max(0.0, self.now - since)

    @property
    def trips(self) -> int:
        """How often the shared fuse has been opened by a failure."""
        return self.fuse.trips if self.fuse else 0

    @property
    def alarms(self) -> int:
        """Closed to open, as often as any worker was told of it."""
        alarm = (State.CLOSED.value, State.OPEN.value)
        return sum((change.before, change.after) == alarm for change in self.changes)

    def total(self, counter: str) -> int:
        """A counter of the shared table; or the sum over private ones, each as its worker last told it."""
        if self.fuse is not None:
            return int(getattr(self.fuse, counter))
        return sum(getattr(life.private, counter) for life in self.lives if life.private)

    def is_fuse(self, state: State) -> bool:
        """Whether the shared fuse is in this state."""
        return self.fuse is not None and self.fuse.state is state

    def enlist(self, seat: int, pid: int) -> Life:
        """A new worker takes a seat."""
        number = sum(life.seat == seat for life in self.lives)
        life = Life(seat, number, pid)
        self.lives.append(life)
        self.current[seat] = life
        self.strips.setdefault(seat, collections.deque(maxlen=64))
        return life

    def bury(self, seat: int) -> Life:
        """The worker of a seat has been killed."""
        self.strips[seat].append(KILLED)
        return self.current.pop(seat)

    def absorb(self, message: Message) -> None:
        """Takes in what a child told."""
        match message:
            case Called():
                self._absorb_call(message)
            case Changed():
                self.changes.append(message)
            case Arrived():
                self._absorb_arrival(message)
            case Requests():
                self.requests[message.phase] = message
            case Listening():
                self.port = message.port

    def _absorb_call(self, call: Called) -> None:
        # What a worker told before it was killed may come in after; it still counts.
        life = next(life for life in self.lives if (life.seat, life.number) == (call.seat, call.life))
        life.absorb(call)
        if self.current.get(call.seat) is life:
            self.strips[call.seat].append(call.outcome)

    def _absorb_arrival(self, arrival: Arrived) -> None:
        self.arrivals[arrival.phase] += 1
        if arrival.probe:
            self.probes.append(arrival)
        if arrival.held:
            self.held.append(arrival)
