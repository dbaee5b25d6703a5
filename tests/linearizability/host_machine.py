"""A Hypothesis machine that drives several real processes beside the reference, and kills some of them.

One operation at a time, by a process that chance picks; after each, every living process is asked for all it sees.
"""

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from actor import COUNTERS, OUTCOMES, WAYS, Actor, obey
from host_reference import Host
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reference import Call, Policy, Rejected
from team import Team, Worker, WorkerFailedError

from fuseboard import Cause, State

FUSES = ("db", "mail")
CAPACITY = 4
BEGIN_MS = 1_000_000
LEAD_SECONDS = 1e-3
"""How far apart times may be: each change of state within a microsecond pushes a stamp ahead by one."""

MOST = 4
"""Processes at a time."""
indexes = st.integers(0, 1000)
fuses = st.sampled_from(FUSES)
numbers = st.integers(0, 1)
policies = st.builds(
    Policy,
    threshold=st.integers(1, CAPACITY),
    window=st.sampled_from([500, 1000, 2000]),
    reset_timeout=st.sampled_from([500, 1000, 2000]),
    probes=st.integers(1, 3),
    success_threshold=st.integers(1, 3),
    probe_timeout=st.sampled_from([500, 1000, 3000]),
    clear_on_success=st.booleans(),
)
setters = {State.OPEN: "set_open", State.HALF_OPEN: "set_half_open", State.CLOSED: "set_closed"}
commands = {State.ISOLATED: "isolate", State.DISABLED: "disable", State.CLOSED: "reset"}
_runs = itertools.count(1)


def settings_of(policy: Policy) -> dict[str, Any]:
    """A breaker's arguments for a policy."""
    times = ("window", "reset_timeout", "probe_timeout")
    return vars(policy) | {name: timedelta(milliseconds=getattr(policy, name)) for name in times}


def seconds(milliseconds: float | None) -> object:
    """What the store says for a time of the reference's."""
    return None if milliseconds is None else pytest.approx(milliseconds / 1000, abs=LEAD_SECONDS)


class Pool:
    """Processes that go from one run of the machine to the next, until they are killed."""

    def __init__(self, team: Team, actor_class: type[Actor]) -> None:
        self._team = team
        self._actor_class = actor_class
        self._idle: list[Worker] = []
        self.steps = self.kills = self.kills_in_calls = self.kills_of_probes = 0
        self.causes: set[Cause] = set()

    def take(self) -> Worker:
        """A process that has nothing to do."""
        # In turns: one that hears nothing for long gives up.
        return self._idle.pop(0) if self._idle else self._team.start(1, obey, self._actor_class)[0]

    def give_back(self, worker: Worker) -> None:
        """Keeps a process for the next run, unless it failed in this one, which the rule that saw it has told."""
        try:
            worker.ask("leave")
        except (WorkerFailedError, BrokenPipeError):
            self._team.bury(worker)
        else:
            self._idle.append(worker)

    def bury(self, worker: Worker) -> None:
        """Kills a process if it lives, and waits for it."""
        self._team.bury(worker)


class HostMachine(RuleBasedStateMachine):
    """One table, two fuses, two breakers of their own settings on each in every process; calls overlap and die."""

    pool: Pool
    folder: Path
    host_class: type[Host] = Host
    arguments_of = staticmethod(settings_of)

    def __init__(self) -> None:
        super().__init__()
        self.name = f"run-{next(_runs)}"
        self.now = BEGIN_MS
        self.reference = self.host_class(CAPACITY)
        self.living: dict[int, Worker] = {}
        self.unburied: dict[int, Worker] = {}
        self.under_way: list[tuple[int, str, int, int, Call]] = []
        self.permits: set[int] = set()
        """Calls that hold their permit themselves."""
        self.ids = itertools.count()
        self.generations: dict[str, tuple[int, int]] = {}

    @initialize(chosen=st.tuples(*[st.tuples(policies, policies)] * len(FUSES)), size=st.integers(2, 3))
    def begin_run(self, chosen: tuple[tuple[Policy, Policy], ...], size: int) -> None:
        """R15: two breakers share each fuse, each with its own settings."""
        self.policies = dict(zip(FUSES, chosen, strict=True))
        for _ in range(min(size, MOST)):
            self.start()

    def teardown(self) -> None:
        """Lets go of processes and table."""
        for worker in self.unburied.values():
            self.pool.bury(worker)
        for worker in self.living.values():
            self.pool.give_back(worker)
        for path in self.folder.glob(f"{self.name}.*"):
            path.unlink()

    @precondition(lambda self: len(self.living) < MOST)
    @rule()
    def start(self) -> None:
        """A process comes in, now or while others are at it."""
        # A parent that starts a process waits for those of its children that have ended (multiprocessing sees to it).
        for process in [*self.unburied]:
            self._bury(process)
        worker = self.pool.take()
        settings = {fuse: [self.arguments_of(policy) for policy in pair] for fuse, pair in self.policies.items()}
        worker.ask("enter", self.name, self.now / 1000, CAPACITY, settings)
        self.living[next(self.ids)] = worker

    @precondition(lambda self: len(self.living) > 1)
    @rule(index=indexes, buried=st.booleans())
    def kill(self, index: int, buried: bool) -> None:
        """R11: a process is killed, between calls or in the middle of some."""
        self._kill([*self.living][index % len(self.living)], buried=buried)

    @precondition(lambda self: len(self.living) > 1 and self.under_way)
    @rule(index=indexes, buried=st.booleans())
    def kill_in_call(self, index: int, buried: bool) -> None:
        """R11: a process is killed in the middle of a call; in that of a probe if there is one."""
        probes = [owner for _, _, _, owner, call in self.under_way if call.seat is not None]
        owners = probes or [owner for _, _, _, owner, _ in self.under_way]
        self._kill(owners[index % len(owners)], buried=buried)

    def _kill(self, process: int, *, buried: bool) -> None:
        worker = self.living.pop(process)
        own = [call for _, _, _, owner, call in self.under_way if owner == process]
        self.under_way = [each for each in self.under_way if each[3] != process]
        self.pool.kills += 1
        self.pool.kills_in_calls += bool(own)
        self.pool.kills_of_probes += any(call.seat is not None for call in own)
        worker.kill_unburied()
        self.unburied[process] = worker
        if buried:
            self._bury(process)

    @precondition(lambda self: self.unburied)
    @rule(index=indexes)
    def bury(self, index: int) -> None:
        """R11: somebody waits for a dead process: only now is its death certain."""
        self._bury([*self.unburied][index % len(self.unburied)])

    def _bury(self, process: int) -> None:
        self.pool.bury(self.unburied.pop(process))
        self.reference.bury(process)

    def ask(self, index: int, *message: Any) -> Any:
        """Has one of the living processes do something."""
        return [*self.living.values()][index % len(self.living)].ask(*message)

    @rule(milliseconds=st.sampled_from([1, 499, 500, 501, 999, 1000, 1001, 2000, 3000]))
    def advance(self, milliseconds: int) -> None:
        """Time passes, for all alike."""
        self.now += milliseconds
        for worker in self.living.values():
            worker.ask("move_clock", self.now / 1000)

    @rule(index=indexes, fuse=fuses, number=numbers, way=st.sampled_from([*WAYS]))
    def begin(self, index: int, fuse: str, number: int, way: str) -> None:
        """R02, R05, R06, R11: a call asks to be made, and goes on for a while if it may."""
        owner = [*self.living][index % len(self.living)]
        expected = self.reference[fuse].ask(owner, self.policies[fuse][number], self.now)
        call = next(self.ids)
        rejection = self.living[owner].ask("begin", call, fuse, number, way)
        if isinstance(expected, Rejected):
            assert rejection is not None, f"admitted, where it should be {expected}"
            assert (expected.state.value, seconds(expected.retry_after), seconds(expected.lease)) == rejection
        else:
            assert rejection is None, f"rejected: {rejection}"
            self.under_way.append((call, fuse, number, owner, expected))
            if way == "permit":
                self.permits.add(call)

    @rule(index=indexes, fuse=fuses, number=numbers, way=st.sampled_from([*WAYS]))
    def begin_probe(self, index: int, fuse: str, number: int, way: str) -> None:
        """The same on a fuse that was just made half-open: left to chance, probers would be rare."""
        self.set(index, fuse, State.HALF_OPEN)
        self.begin(index, fuse, number, way)

    @precondition(lambda self: len(self.living) > 1)
    @rule(
        index=indexes,
        fuse=fuses,
        number=numbers,
        way=st.sampled_from([*WAYS]),
        buried=st.booleans(),
        late=st.booleans(),
    )
    def take_over(  # noqa: PLR0913 - what chance chooses
        self, *, index: int, fuse: str, number: int, way: str, buried: bool, late: bool
    ) -> None:
        """R11: a probe is asked for, its process killed, and another asks: at once, or when the deadline has passed."""
        self.begin_probe(index, fuse, number, way)
        self._kill([*self.living][index % len(self.living)], buried=buried)
        if late:
            self.advance(3000)
        self.begin(index, fuse, number, way)

    @precondition(lambda self: self.under_way)
    @rule(index=indexes, outcome=st.sampled_from([*OUTCOMES]))
    def end(self, index: int, outcome: str) -> None:
        """R03, R04, R07 to R10: any of the calls under way ends."""
        call, fuse, number, owner, expected = self.under_way.pop(index % len(self.under_way))
        self.reference[fuse].settle(expected, self.policies[fuse][number], outcome, self.now)
        self.living[owner].ask("end", call, outcome)

    @precondition(lambda self: any(call in self.permits for call, *_ in self.under_way))
    @rule(index=indexes)
    def drop(self, index: int) -> None:
        """R11: a permit that nobody will settle gives its lease back."""
        held = [each for each in self.under_way if each[0] in self.permits]
        dropped = held[index % len(held)]
        self.under_way.remove(dropped)
        call, fuse, _, owner, expected = dropped
        self.reference[fuse].drop(expected)
        self.living[owner].ask("drop", call)

    @rule(index=indexes, fuse=fuses, window=st.sampled_from([1, 499, 500, 1000, 2000]))
    def record_failure(self, index: int, fuse: str, window: int) -> None:
        """R13: a raw failure, and the count it returns."""
        expected = self.reference[fuse].record_failure(window, self.now)
        assert expected == self.ask(index, "raw", "record_failure", fuse, window / 1000)

    @rule(index=indexes, fuse=fuses)
    def record_success(self, index: int, fuse: str) -> None:
        """R13: a raw success."""
        self.reference[fuse].record_success(self.now)
        self.ask(index, "raw", "record_success", fuse)

    @rule(index=indexes, fuse=fuses, state=st.sampled_from([*setters]))
    def set(self, index: int, fuse: str, state: State) -> None:
        """R12: a raw change of state."""
        self.reference[fuse].set(state, self.now)
        self.ask(index, "raw", setters[state], fuse)

    @rule(
        index=indexes,
        fuse=fuses,
        number=numbers,
        state=st.sampled_from([*commands]),
        for_=st.sampled_from([None, 500, 1000, 3000]),
    )
    def command(self, index: int, fuse: str, number: int, state: State, for_: int | None = None) -> None:
        """R12: a manual override, which may end by itself."""
        self.reference[fuse].command(state, self.now, for_)
        self.ask(index, "command", fuse, number, commands[state], for_ and for_ / 1000)

    @rule(index=indexes, fuse=fuses, number=numbers, state=st.sampled_from([State.ISOLATED, State.DISABLED]))
    def outlive(self, index: int, fuse: str, number: int, state: State) -> None:
        """R12, R13: the time of a manual override passes, then a raw operation comes. Left to chance, that is rare."""
        self.command(index, fuse, number, state, 500)
        self.advance(500)
        self.record_success(index, fuse)

    @rule(index=indexes)
    def reset_all(self, index: int) -> None:
        """Every fuse is forgotten."""
        self.reference.reset_all()
        self.ask(index, "raw", "reset_all")

    @invariant()
    def all_see_the_same(self) -> None:
        """Every living process sees what the reference says."""
        self.pool.steps += 1
        for worker in self.living.values():
            worker.tell("observe")
        # All are heard before any is judged, so that none has an answer left for the next run.
        for seen in [worker.hear() for worker in self.living.values()]:
            self._compare(seen)

    def _compare(self, seen: dict[str, dict[str, tuple[Any, ...]]]) -> None:
        known = {name: self.reference[name] for name in self.reference}
        assert {name: (fuse.state, seconds(fuse.since)) for name, fuse in known.items()} == seen["states"]
        assert {name: (self.reference[name].state,) for name in FUSES} == seen["by name"]
        assert {name: (self.reference[name].state,) * 2 for name in FUSES} == seen["by handle"]
        assert {name: tuple(fuse.counters[key] for key in COUNTERS) for name, fuse in known.items()} == seen["counters"]
        for name in FUSES:
            self._compare_journal(name, seen["journal"][name])
        for name, fuse in known.items():
            last = fuse.failures[-1] if fuse.failures else None
            assert (fuse.window_failures(self.now), seconds(last)) == seen["windows"][name]
            assert seconds(fuse.until) == seen["untils"][name]
            self._compare_generation(name, fuse.generation, *seen["generations"][name])

    def _compare_journal(self, name: str, told: tuple[tuple[State, State, float], ...]) -> None:
        """T14: the journal tells what the reference did, in its order, each later than the one before."""
        assert self.reference[name].told == [(before, after) for before, after, _ in told]
        times = [at for _, _, at in told]
        assert all(one < other for one, other in itertools.pairwise([0.0, *times, self.now / 1000 + LEAD_SECONDS]))

    def _compare_generation(self, name: str, model: int, real: int) -> None:
        """A number that grows with each change of state, and only then."""
        before = self.generations.get(name, (0, 0))
        assert (before[1] < real) if before[0] < model else (before[1] == real)
        self.generations[name] = (model, real)
