"""The story of an act. The first act finds out when things happen; the second does them at the same times."""

import time
from collections.abc import Callable

from fuseboard._state import State
from fuseboard.demo._messages import HEALTHY, HOLD_ANY, HOLD_PROBE, OUTAGE, RECOVERED, Arrived, Order, Outcome
from fuseboard.demo._picture import Life
from fuseboard.demo._plan import GOOD_CALLS
from fuseboard.demo._stage import Stage

_KILL_ONE, _KILL_ALL, _HOLD_PROBE, _RECOVER = "kill one", "kill all", "hold a probe", "recover"

_HEALTH_WATCHED_SECONDS = 0.7
_PROBE_WATCHED_SECONDS = 0.4

Timetable = dict[str, float]
"""When the steps of an outage came, in seconds since it began."""


class Story:
    """Plays one act, and keeps what only the conductor can know.

    Attributes:
        picture: what is known of the act.
        timetable: when its steps came.
        outage_seconds: how long the server was sick.
        replaced_one: the worker that replaced the one killed in mid-call.
        replaced_all: the workers that replaced all.
        probe_gap: seconds from the kill of a prober in mid-probe to the next probe; None in the second act, where
            every worker probes for itself.
        rival_probes: probes of others while that prober lived and had its lease; None in the second act.
    """

    def __init__(self, stage: Stage, timetable: Timetable | None = None) -> None:
        self._stage, self.picture = stage, stage.picture
        self._given = timetable
        self._sick_since = 0.0
        self._trips_at_kill = 0
        self.timetable: Timetable = {}
        self.outage_seconds = 0.0
        self.replaced_one: list[Life] = []
        self.replaced_all: list[Life] = []
        self.probe_gap: float | None = None
        self.rival_probes: int | None = None

    def play(self) -> None:
        """Plays all of it."""
        self._health()
        self._outage()
        self._kill_one()
        self._kill_all()
        self._kill_prober()
        self._recovery()

    def _health(self) -> None:
        plan = self.picture.plan
        for seat in range(plan.workers):
            self._stage.start_worker(seat)
        self._stage.say(f"{plan.workers} workers start, each to call {plan.calls_per_second:g} times a second")
        self._stage.wait_for(self._traffic_flows, "all workers call")
        self._stage.say("All is well: calls pass", "good")
        self._pause(_HEALTH_WATCHED_SECONDS)

    def _outage(self) -> None:
        self._stage.say("The server falls sick: it answers 500 and holds the first request", "bad")
        self._sick_since = time.monotonic()
        self._stage.order(Order(phase=OUTAGE, hold=HOLD_ANY))
        self._stage.wait_for(lambda: bool(self.picture.held), "a request is held")

    def _kill_one(self) -> None:
        self._step(_KILL_ONE, self._others_reject, "the other workers reject")
        victim = self.picture.held[-1].seat
        self._stage.say(f"Worker {victim + 1} is killed in mid-call: kill -9 {self.picture.current[victim].pid}", "bad")
        self.replaced_one = self._replace([victim])
        self._say_first(self.replaced_one)

    def _kill_all(self) -> None:
        self._step(_KILL_ALL, self._just_reopened, "a probe has failed")
        pids = " ".join(str(life.pid) for life in self.picture.current.values())
        self._stage.say(f"ALL workers are killed: kill -9 {pids}", "bad")
        self.replaced_all = self._replace(sorted(self.picture.current))
        self._say_first(self.replaced_all)

    def _kill_prober(self) -> None:
        self._step(_HOLD_PROBE, lambda: True, "")
        self._stage.order(Order(hold=HOLD_PROBE))
        caught = len(self.picture.held)
        self._stage.wait_for(lambda: len(self.picture.held) > caught or self._is_due(_RECOVER), "a probe is held")
        if len(self.picture.held) == caught:
            self._stage.order(Order())
            self._stage.say("No probe came to be held before the server's recovery")
            return
        probe = self.picture.held[-1]
        self._pause(_PROBE_WATCHED_SECONDS)
        pid = self.picture.current[probe.seat].pid
        self._stage.say(f"Worker {probe.seat + 1} is killed while it probes: kill -9 {pid}", "bad")
        killed_at = time.monotonic()
        self._trips_at_kill = self.picture.trips
        lives = self._kill_and_start([probe.seat])
        if self._given is None:
            self._await_next_probe(probe, killed_at)
        self._await_first_calls(lives)

    def _await_next_probe(self, dead: Arrived, killed_at: float) -> None:
        def following() -> list[Arrived]:
            return [probe for probe in self.picture.probes if probe.at > dead.at]

        self._stage.wait_for(lambda: bool(following()), "the next probe goes out")
        lease_end = dead.at + self.picture.plan.probe_timeout
        self.rival_probes = sum(probe.at < min(killed_at, lease_end) for probe in following())
        self.probe_gap = following()[0].at - killed_at
        self._stage.say(f"The next probe goes out {self.probe_gap:.2f} s after the kill", "good")

    def _recovery(self) -> None:
        self._step(_RECOVER, self._long_open, "the fuse is open again")
        self.outage_seconds = time.monotonic() - self._sick_since
        for life in self.picture.current.values():
            life.good_in_a_row = 0
        self._stage.order(Order(phase=RECOVERED))
        self._stage.say("The server is well again; nobody knows until somebody probes", "good")
        self._stage.wait_for(self._is_all_well, "traffic flows again")
        self._stage.say("Calls pass again in every worker", "good")
        self._stage.order(Order(count_requests=True))
        self._stage.wait_for(lambda: {HEALTHY, OUTAGE, RECOVERED} <= set(self.picture.requests), "the server has told")

    def _step(self, name: str, condition: Callable[[], bool], what: str) -> None:
        """Waits for the moment of a step: the condition in the first act, the same time in the second."""
        if self._given is None:
            self._stage.wait_for(condition, what)
        else:
            self._stage.wait_for(lambda: self._is_due(name), f"it is time to {name}")
        self.timetable[name] = time.monotonic() - self._sick_since

    def _is_due(self, name: str) -> bool:
        return self._given is not None and time.monotonic() - self._sick_since >= self._given[name]

    def _replace(self, seats: list[int]) -> list[Life]:
        lives = self._kill_and_start(seats)
        self._await_first_calls(lives)
        return lives

    def _kill_and_start(self, seats: list[int]) -> list[Life]:
        for seat in seats:
            self._stage.kill_worker(seat)
        self._stage.order(Order(release=True))
        return [self._stage.start_worker(seat) for seat in seats]

    def _await_first_calls(self, lives: list[Life]) -> None:
        self._stage.wait_for(lambda: all(life.first for life in lives), "the replacements call")

    def _say_first(self, lives: list[Life]) -> None:
        firsts = [life.first.outcome for life in lives if life.first]
        who = "Its replacement's first call" if len(lives) == 1 else f"First calls of {len(lives)} replacements"
        found_open = sum(first.found_open for first in firsts)
        if found_open == len(firsts):
            what, tone = "Nothing is forgotten", "good"
        else:
            what, tone = ("All is forgotten" if found_open == 0 else "Some is forgotten"), "bad"
        self._stage.say(f"{who}: {', '.join(dict.fromkeys(firsts))}. {what}", tone)

    def _pause(self, seconds: float) -> None:
        """Gives people time to see what is."""
        moment = time.monotonic() + seconds
        self._stage.wait_for(lambda: time.monotonic() >= moment, "a moment has passed")

    def _traffic_flows(self) -> bool:
        return all(life.good_in_a_row >= GOOD_CALLS for life in self.picture.current.values())

    def _others_reject(self) -> bool:
        others = [life for seat, life in self.picture.current.items() if seat != self.picture.held[-1].seat]
        return self.picture.is_fuse(State.OPEN) and all(life.last is Outcome.REJECTED for life in others)

    def _just_reopened(self) -> bool:
        """A probe has failed a moment ago: there is time to start workers before the next one is due."""
        fresh = self.picture.fuse_age < 0.25 * self.picture.plan.reset_timeout
        return self.picture.is_fuse(State.OPEN) and self.picture.trips > 1 and fresh

    def _long_open(self) -> bool:
        """One more probe has failed and the next one is not yet due."""
        old = self.picture.fuse_age >= 0.6 * self.picture.plan.reset_timeout
        return self.picture.is_fuse(State.OPEN) and self.picture.trips > self._trips_at_kill + 1 and old

    def _is_all_well(self) -> bool:
        lives = self.picture.current.values()
        closed = self.picture.is_fuse(State.CLOSED) or all(
            life.private is not None and life.private.state == State.CLOSED.value for life in lives
        )
        return closed and self._traffic_flows()
