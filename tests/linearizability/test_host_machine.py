"""Several processes beside the plain reference, with kills; and that the comparison can fail.

``FUSEBOARD_MACHINE_RUNS`` makes it longer.
"""

import functools
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest
from actor import WAYS, Actor, Loner, permit
from host_machine import CAPACITY, HostMachine, Pool
from host_reference import Host, HostFuse
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from reference import Fuse, Policy, Rejected
from team import Team
from wrong_hosts import OF_ONE_FUSE, OF_OVERRIDES, OF_PROCESSES, OF_THE_JOURNAL

from fuseboard import CircuitBreaker, CircuitOpenError, State

RUNS = int(os.environ.get("FUSEBOARD_MACHINE_RUNS", "40"))
THOROUGH = settings(
    max_examples=RUNS,
    stateful_step_count=40,
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


def run(team: Team, folder: Path, how: settings, *, actor: type[Actor] = Actor, host: type[Host] = Host) -> Pool:
    """Runs the machine; what it went through."""
    pool = Pool(team, actor)
    machine = type("Machine", (HostMachine,), {"pool": pool, "folder": folder, "host_class": host})
    run_state_machine_as_test(machine, settings=how)
    return pool


@pytest.mark.timeout(120 + 2 * RUNS)
def test_processes_of_one_host_keep_the_rules_though_some_are_killed(forked: Team, folder: Path) -> None:
    """R01 to R15, by whichever process; calls of a dead one vanish, and its probe's permit is taken over (R11)."""
    begun = time.monotonic()
    pool = run(forked, folder, THOROUGH)
    figures = (
        f"{pool.steps} steps, {pool.kills} kills, {pool.kills_in_calls} in calls, {pool.kills_of_probes} of probers"
    )
    print(f"\nmachine: {figures}; {time.monotonic() - begun:.0f} s")  # noqa: T201 - for pytest -s
    assert pool.kills >= RUNS / 4
    assert pool.kills_of_probes > 0
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("fuse_class", [*OF_ONE_FUSE, *OF_PROCESSES, *OF_OVERRIDES, *OF_THE_JOURNAL])
def test_a_reference_that_is_wrong_is_caught(forked: Team, folder: Path, fuse_class: type[HostFuse]) -> None:
    """Negative control: the machine tells each rule from its absence."""
    with pytest.raises(AssertionError):
        run(forked, folder, HUNTING, host=type("Wrong", (Host,), {"fuse_class": fuse_class}))


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


class _Wrong(Actor):
    breaker_class: type[CircuitBreaker]
    ways = dict.fromkeys(WAYS, permit)

    def make_breaker(self, fuse: str, settings: dict[str, Any]) -> CircuitBreaker:
        return self.breaker_class(fuse, store=self.store, **settings)


@pytest.mark.parametrize("breaker_class", [_NoGenerations, _LooksThenActs])
def test_a_breaker_without_generations_is_caught(
    forked: Team, folder: Path, breaker_class: type[CircuitBreaker]
) -> None:
    """Negative control: a breaker that drops the check of generations does not pass for one."""
    with pytest.raises(AssertionError):
        run(forked, folder, HUNTING, actor=type("Wrong", (_Wrong,), {"breaker_class": breaker_class}))


def test_processes_with_a_table_each_are_caught(forked: Team, folder: Path) -> None:
    """Negative control: what one process does, another must see."""
    with pytest.raises(AssertionError):
        run(forked, folder, HUNTING, actor=Loner)


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
