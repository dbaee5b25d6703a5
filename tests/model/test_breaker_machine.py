"""The breaker and its store beside the plain reference; and that the comparison can fail."""

import functools
import itertools
import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import CAPACITY, BreakerMachine, MakeStore
from reference import Call, Fuse, Policy, Reference, Rejected

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock

THOROUGH = settings(
    max_examples=100,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
HUNTING = settings(
    THOROUGH, max_examples=2000, phases=[Phase.generate], derandomize=True, database=None, report_multiple_bugs=False
)
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "fuseboard")


def private(clock: Clock) -> Store:
    """A private store."""
    return Store.private(fuses=2, failures=CAPACITY, clock=clock)


def shared(clock: Clock) -> Store:
    """A shared store of a name of its own."""
    return Store.shared(f"machine-{next(_numbers)}", fuses=2, failures=CAPACITY, strict=True, clock=clock)


def run(make_store: MakeStore, how: settings, **attributes: type) -> None:
    """Runs the machine on stores of one kind."""
    machine = type("Machine", (BreakerMachine,), {"make_store": staticmethod(make_store), **attributes})
    run_state_machine_as_test(machine, settings=how)


@pytest.mark.parametrize("make_store", [private, shared])
def test_breakers_and_store_keep_the_rules(folder: Path, make_store: MakeStore) -> None:
    """R01 to R15, in whatever order calls begin, overlap and end."""
    run(make_store, THOROUGH)
    assert [] == list(folder.iterdir())


class _NeverLate(Fuse):
    """Without R09: an outcome counts, whenever its call began."""

    def is_late(self, call: Call) -> bool:
        return call.seat is not None and self.seats.get(call.seat) is not call


class _NeverExpires(Fuse):
    """Without the window of R03."""

    def count(self, window: int, now: int) -> int:
        return super().count(window + now, now)


class _HasNoEdge(Fuse):
    """With a window that ends a moment too soon."""

    def count(self, window: int, now: int) -> int:
        return super().count(window - 1, now)


class _CountsOn(Fuse):
    """Without saturation."""

    def count(self, window: int, now: int) -> int:
        return sum(time >= now - window for time in self.failures)


class _ClosesByItself(Fuse):
    """Without R13: a raw success closes, as PhoenixMicro's does."""

    def record_success(self, now: int) -> None:
        super().record_success(now)
        if self.state is State.OPEN:
            self.move(State.CLOSED, now)


class _Unheld(Fuse):
    """Without R12: a raw change of state undoes an operator's word."""

    def set(self, state: State, now: int) -> None:
        self.move(state, now)


class _KeepsItsTimer(Fuse):
    """Without R08: a probe that fails does not restart the timer."""

    def move(self, state: State, now: int) -> None:
        before, since = self.state, self.since
        super().move(state, now)
        if before is State.HALF_OPEN and state is State.OPEN:
            self.since = since


class _LeasesForEver(Fuse):
    """Without R11: no lease runs out."""

    def _probe(self, policy: Policy, now: int) -> Call | Rejected:
        return super()._probe(policy, min(now, *(call.deadline - 1 for call in self.seats.values()), now))


class _OneProbeIsEnough(Fuse):
    """Without the threshold of R07."""

    def _succeeded(self, policy: Policy, now: int) -> None:
        self.good_probes += policy.success_threshold
        super()._succeeded(policy, now)


class _Remembers(Fuse):
    """With generations that begin again at ``reset_all``."""

    def forget(self) -> None:
        super().forget()
        self.generation = 0


MUTANTS = [
    _NeverLate, _NeverExpires, _HasNoEdge, _CountsOn, _ClosesByItself, _Unheld, _KeepsItsTimer, _LeasesForEver,
    _OneProbeIsEnough, _Remembers,
]  # fmt: skip


@pytest.mark.parametrize("fuse_class", MUTANTS)
def test_a_reference_with_a_rule_missing_is_caught(fuse_class: type[Fuse]) -> None:
    """Negative control: the machine tells each rule from its absence."""
    reference = type("Wrong", (Reference,), {"fuse_class": fuse_class})
    with pytest.raises(AssertionError):
        run(private, HUNTING, reference_class=reference)


class _NoGenerations(CircuitBreaker):
    """A breaker that settles each call as if it had only just been admitted: without R09."""

    def _settle(self, permit: object, error: BaseException | None = None) -> None:
        super()._settle(permit, KeyboardInterrupt())
        try:
            permit = super()._admit()
        except CircuitOpenError:
            return
        super()._settle(permit, error)


class _LooksThenActs(CircuitBreaker):
    """A breaker on raw operations, as one is written without permits: counts, looks, opens."""

    def _settle(self, permit: object, error: BaseException | None = None) -> None:
        if isinstance(error, ValueError) and not permit.is_probe:
            super()._settle(permit, KeyboardInterrupt())
            if self.store.record_failure(self.name, self.settings.window) >= self.settings.threshold:
                self.store.set_open(self.name)
        else:
            super()._settle(permit, error)


@pytest.mark.parametrize("breaker_class", [_NoGenerations, _LooksThenActs])
def test_a_breaker_without_generations_is_caught(breaker_class: type[CircuitBreaker]) -> None:
    """Negative control: a breaker that drops the check of generations does not pass for one."""
    with pytest.raises(AssertionError):
        run(private, HUNTING, breaker_class=breaker_class)


def test_the_reference_goes_the_way_round() -> None:
    """The reference itself: closed, open, half-open, closed."""
    fuse, policy = Fuse(CAPACITY), Policy(2, 1000, 500, 1, 1, 500, clear_on_success=True)
    settle = functools.partial(fuse.settle, policy=policy)
    for now in (0, 1000):
        settle(fuse.admit(policy, now), outcome="failures", now=now)
    assert Rejected(State.OPEN, 1) == fuse.admit(policy, 1499)
    probe = fuse.admit(policy, 1500)
    assert Rejected(State.HALF_OPEN, 50, 500) == fuse.admit(policy, 1500)
    settle(probe, outcome="successes", now=1600)
    assert (State.CLOSED, 1600, []) == (fuse.state, fuse.since, fuse.failures)
