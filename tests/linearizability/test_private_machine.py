"""A private store and its breakers beside the plain reference; and that each rule is told from its absence.

The machine is that of several processes, with one, which is this one.
"""

import collections
import functools
import logging
from pathlib import Path
from typing import Any

import pytest
from actor import WAYS, Actor, Loner, permit
from host_machine import CAPACITY, HostMachine, Pool
from host_reference import Host, HostFuse
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from reference import Call, Fuse, Policy, Rejected

from fuseboard import CircuitBreaker, CircuitOpenError, State

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


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "fuseboard")


class Here:
    """A worker that is this very process."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._answers: collections.deque[Any] = collections.deque()

    def tell(self, word: str, *arguments: Any) -> None:
        """Does something."""
        self._answers.append(getattr(self._actor, word)(*arguments))

    def hear(self) -> Any:
        """What came of it."""
        return self._answers.popleft()

    def ask(self, word: str, *arguments: Any) -> Any:
        """Does something; what comes of it."""
        self.tell(word, *arguments)
        return self.hear()


class PoolOfOne(Pool):
    """No processes but this one."""

    def __init__(self, actor_class: type[Actor]) -> None:
        self.make_actor = actor_class
        self.steps = 0

    def take(self) -> Here:
        """A fresh one."""
        return Here(self.make_actor())

    def give_back(self, worker: Here) -> None:
        """Lets go of its store."""
        worker.ask("leave")


def run(folder: Path, how: settings, *, actor: type[Actor] = Loner, fuse: type[HostFuse] = HostFuse) -> Pool:
    """Runs the machine; what it went through."""
    pool = PoolOfOne(actor)
    host = type("Reference", (Host,), {"fuse_class": fuse})
    machine = type("Machine", (HostMachine,), {"pool": pool, "folder": folder, "host_class": host, "most": 1})
    run_state_machine_as_test(machine, settings=how)
    return pool


def test_breakers_and_a_private_store_keep_the_rules(folder: Path) -> None:
    """R01 to R15, in whatever order calls begin, overlap and end; and no file is made for it."""
    assert run(folder, THOROUGH).steps > THOROUGH.max_examples
    assert [] == list(folder.iterdir())


class _NeverLate(HostFuse):
    """Without R09: an outcome counts, whenever its call began."""

    def is_late(self, call: Call) -> bool:
        return call.seat is not None and self.seats.get(call.seat) is not call


class _NeverExpires(HostFuse):
    """Without the window of R03."""

    def count(self, window: int, now: int) -> int:
        return super().count(window + now, now)


class _CountsOn(HostFuse):
    """Without saturation."""

    def count(self, window: int, now: int) -> int:
        return sum(time >= now - window for time in self.failures)


class _ClosesByItself(HostFuse):
    """Without R13: a raw success closes, as PhoenixMicro's does."""

    def record_success(self, now: int) -> None:
        super().record_success(now)
        if self.state is State.OPEN:
            self.move(State.CLOSED, now)


class _Unheld(HostFuse):
    """Without R12: a raw change of state undoes a manual override."""

    def set(self, state: State, now: int) -> None:
        self.move(state, now)


class _KeepsItsTimer(HostFuse):
    """Without R08: a probe that fails does not restart the timer."""

    def move(self, state: State, now: int) -> None:
        before, since = self.state, self.since
        super().move(state, now)
        if before is State.HALF_OPEN and state is State.OPEN:
            self.since = since


class _LeasesForEver(HostFuse):
    """Without R11: no lease runs out."""

    def _probe(self, policy: Policy, now: int) -> Call | Rejected:
        return super()._probe(policy, min(now, *(call.deadline - 1 for call in self.seats.values()), now))


class _OneProbeIsEnough(HostFuse):
    """Without the threshold of R07."""

    def _succeeded(self, policy: Policy, now: int) -> None:
        self.good_probes += policy.success_threshold
        super()._succeeded(policy, now)


class _Remembers(HostFuse):
    """With generations that begin again at ``reset_all``."""

    def forget(self) -> None:
        super().forget()
        self.generation = 0


MUTANTS = [
    _NeverLate, _NeverExpires, _CountsOn, _ClosesByItself, _Unheld, _KeepsItsTimer, _LeasesForEver,
    _OneProbeIsEnough, _Remembers,
]  # fmt: skip


@pytest.mark.parametrize("fuse_class", MUTANTS)
def test_a_reference_with_a_rule_missing_is_caught(folder: Path, fuse_class: type[HostFuse]) -> None:
    """Negative control: the machine tells each rule from its absence."""
    with pytest.raises(AssertionError):
        run(folder, HUNTING, fuse=fuse_class)


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
def test_a_breaker_without_generations_is_caught(folder: Path, breaker_class: type[CircuitBreaker]) -> None:
    """Negative control: a breaker that drops the check of generations does not pass for one."""

    class Wrong(Loner):
        ways = dict.fromkeys(WAYS, permit)

        def make_breaker(self, fuse: str, settings: dict[str, Any]) -> CircuitBreaker:
            return breaker_class(fuse, store=self.store, **settings)

    with pytest.raises(AssertionError):
        run(folder, HUNTING, actor=Wrong)


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
