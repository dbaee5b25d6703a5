"""A Hypothesis machine that drives a store and its breakers beside the reference, and compares what they say."""

import gc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reference import Call, Policy, Reference, Rejected

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock

FUSES = ("db", "mail")
CAPACITY = 4
BEGIN_MS = 1_000_000
LEAD_SECONDS = 1e-3
"""How far apart times may be: each change of state within a microsecond pushes a stamp ahead by one."""

MakeStore = Callable[[Clock], Store]
Under = tuple[str, int, Any, Call]
"""A call under way: fuse, number of the breaker, the permit, and the reference's."""

OUTCOMES = {"successes": None, "failures": ValueError(), "ignored": KeyboardInterrupt()}
SETTERS = {State.OPEN: Store.set_open, State.HALF_OPEN: Store.set_half_open, State.CLOSED: Store.set_closed}
COMMANDS = {
    State.ISOLATED: CircuitBreaker.isolate,
    State.DISABLED: CircuitBreaker.disable,
    State.CLOSED: CircuitBreaker.reset,
}
COUNTERS = ("successes", "failures", "ignored", "rejections", "late", "probes", "trips", "closes")

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


def settings_of(policy: Policy) -> dict[str, Any]:
    """A breaker's arguments for a policy."""
    times = ("window", "reset_timeout", "probe_timeout")
    return vars(policy) | {name: timedelta(milliseconds=getattr(policy, name)) for name in times}


class BreakerMachine(RuleBasedStateMachine):
    """One store, two fuses, two breakers of their own settings on each; calls overlap, and time is moved."""

    make_store: MakeStore
    reference_class: type[Reference] = Reference
    breaker_class: type[CircuitBreaker] = CircuitBreaker

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.now = BEGIN_MS
        self.store = type(self).make_store(self.clock)
        self.reference = self.reference_class(CAPACITY)
        self.under_way: list[Under] = []
        self.generations: dict[str, tuple[int, int]] = {}

    @initialize(chosen=st.tuples(*[st.tuples(policies, policies)] * len(FUSES)))
    def make_breakers(self, chosen: tuple[tuple[Policy, Policy], ...]) -> None:
        """R15: two breakers share each fuse, each with its own settings."""
        self.policies = dict(zip(FUSES, chosen, strict=True))
        self.breakers = {
            fuse: [self.breaker_class(fuse, store=self.store, **settings_of(policy)) for policy in pair]
            for fuse, pair in self.policies.items()
        }

    def teardown(self) -> None:
        """Lets go of the store."""
        self.under_way.clear()
        self.store.close()
        if self.store.path is not None:
            gc.collect(0)
            self.store.path.unlink()

    @rule(milliseconds=st.sampled_from([1, 499, 500, 501, 999, 1000, 1001, 2000, 3000]))
    def advance(self, milliseconds: int) -> None:
        """Time passes."""
        self.clock.advance(timedelta(milliseconds=milliseconds))
        self.now += milliseconds

    @rule(fuse=fuses, number=numbers)
    def admit(self, fuse: str, number: int) -> None:
        """A call asks to be made, and goes on for a while if it may."""
        expected = self.reference[fuse].admit(self.policies[fuse][number], self.now)
        answer = ask(self.breakers[fuse][number])
        if isinstance(answer, CircuitOpenError):
            assert isinstance(expected, Rejected), f"rejected: {answer}"
            assert (fuse, expected.state) == (answer.name, answer.state)
            assert seconds(expected.retry_after) == answer.retry_after
            assert seconds(expected.lease) == answer.lease_remaining
        else:
            assert isinstance(expected, Call), f"admitted, where it should be {expected}"
            assert (expected.seat is not None) == answer.is_probe
            self.under_way.append((fuse, number, answer, expected))

    @precondition(lambda self: self.under_way)
    @rule(index=st.integers(0, 1000), outcome=st.sampled_from([*OUTCOMES]))
    def settle(self, index: int, outcome: str) -> None:
        """Any of the calls under way ends."""
        fuse, number, permit, call = self.under_way.pop(index % len(self.under_way))
        self.reference[fuse].settle(call, self.policies[fuse][number], outcome, self.now)
        self.breakers[fuse][number]._settle(permit, OUTCOMES[outcome])

    @rule(fuse=fuses, number=numbers, outcome=st.sampled_from([*OUTCOMES]))
    def call(self, fuse: str, number: int, outcome: str) -> None:
        """A call from its beginning to its end."""
        self.admit(fuse, number)
        if self.under_way and (fuse, number) == self.under_way[-1][:2]:
            self.settle(len(self.under_way) - 1, outcome)

    @precondition(lambda self: self.under_way)
    @rule(index=st.integers(0, 1000))
    def drop(self, index: int) -> None:
        """A permit that nobody will settle."""
        fuse, _, _, call = self.under_way.pop(index % len(self.under_way))
        self.reference[fuse].drop(call)

    @rule(fuse=fuses, window=st.sampled_from([1, 499, 500, 1000, 2000]))
    def record_failure(self, fuse: str, window: int) -> None:
        """A raw failure, and the count it returns."""
        expected = self.reference[fuse].record_failure(window, self.now)
        assert expected == self.store.record_failure(fuse, window / 1000)

    @rule(fuse=fuses)
    def record_success(self, fuse: str) -> None:
        """A raw success."""
        self.reference[fuse].record_success(self.now)
        self.store.record_success(fuse)

    @rule(fuse=fuses, state=st.sampled_from([*SETTERS]))
    def set(self, fuse: str, state: State) -> None:
        """A raw change of state."""
        self.reference[fuse].set(state, self.now)
        SETTERS[state](self.store, fuse)

    @rule(fuse=fuses, state=st.sampled_from([*COMMANDS]))
    def command(self, fuse: str, state: State) -> None:
        """An operator's word."""
        self.reference[fuse].command(state, self.now)
        COMMANDS[state](self.breakers[fuse][0])

    @rule()
    def reset_all(self) -> None:
        """Every fuse is forgotten."""
        self.reference.reset_all()
        self.store.reset_all()

    @invariant()
    def states_agree(self) -> None:
        """State and since when, by name and of all."""
        expected = {name: (self.reference[name].state, seconds(self.reference[name].since)) for name in self.reference}
        assert expected == {name: (seen.state, seen.since) for name, seen in self.store.all_states().items()}
        for name in FUSES:
            assert self.reference[name].state is self.store.state(name).state

    @invariant()
    def counts_agree(self) -> None:
        """Windows and counters."""
        for name, told in self.store.snapshot().items():
            fuse = self.reference[name]
            assert {key: fuse.counters[key] for key in COUNTERS} == {key: getattr(told, key) for key in COUNTERS}
            assert fuse.window_failures(self.now) == told.window_failures
            assert seconds(fuse.failures[-1] if fuse.failures else None) == told.last_failure

    @invariant()
    def generations_agree(self) -> None:
        """A number that grows with each change of state, and only then."""
        for name, told in self.store.snapshot().items():
            model, real = self.generations.get(name, (0, 0))
            grown = self.reference[name].generation > model
            assert real < told.generation if grown else real == told.generation
            self.generations[name] = (self.reference[name].generation, told.generation)


def ask(breaker: CircuitBreaker) -> Any:
    """A breaker's permit, or its rejection."""
    try:
        return breaker._admit()
    except CircuitOpenError as error:
        return error.with_traceback(None)


def seconds(milliseconds: float | None) -> object:
    """What the store says for a time of the reference's."""
    return None if milliseconds is None else pytest.approx(milliseconds / 1000, abs=LEAD_SECONDS)
