"""Several processes beside the plain reference, with kills; and that the comparison can fail.

``FUSEBOARD_MACHINE_RUNS`` makes it longer.
"""

import logging
import os
import time
from pathlib import Path

import pytest
from actor import Actor, Loner
from host_machine import HostMachine, Pool
from host_reference import Host, HostFuse
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from reference import Call, Policy, Rejected
from team import Team

from fuseboard import State

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


class _SeatsOfTheDead(HostFuse):
    """Without the second half of R11: a dead prober's lease runs to its deadline."""

    def is_gone(self, _owner: int) -> bool:
        return False


class _SeatsForEver(HostFuse):
    """Without R11: a seat is never taken over."""

    def _probe(self, policy: Policy, now: int) -> Call | Rejected:
        for call in self.seats.values():
            call.deadline = max(call.deadline, now + 1)
        return super()._probe(policy, now)


class _SeatsOfTheLiving(HostFuse):
    """Takes over the probes of the living too."""

    def is_gone(self, _owner: int) -> bool:
        return True


class _EachHasItsOwnProbes(HostFuse):
    """Without "in every process" of R06: another process's probes do not count."""

    def ask(self, owner: int, policy: Policy, now: int) -> Call | Rejected:
        others = {seat: call for seat, call in self.seats.items() if self.owners[call] != owner}
        self.seats = {seat: call for seat, call in self.seats.items() if seat not in others}
        answer = super().ask(owner, policy, now)
        self.seats = others | self.seats
        return answer


class _OverridesStay(HostFuse):
    """Without "with ``for_`` one ends" of R12."""

    def command(self, state: State, now: int, _for: int | None = None) -> None:
        super().command(state, now)


class _OverridesEndByThemselves(HostFuse):
    """Without "by the first call after" of R12: a raw operation ends one too."""

    def record_success(self, now: int) -> None:
        if self.until is not None and now >= self.until:
            self.move(State.CLOSED, now)
        super().record_success(now)


class _TellsNoResets(HostFuse):
    """Without the part of T14 that ``reset_all`` is an event."""

    def forget(self) -> None:
        told = len(self.told)
        super().forget()
        del self.told[told:]


class _TellsEachGeneration(HostFuse):
    """Tells of generations that bring no other state."""

    def tell(self, before: State) -> None:
        self.told.append((before, self.state))


@pytest.mark.parametrize("fuse_class", [_TellsNoResets, _TellsEachGeneration])
def test_a_reference_that_tells_another_story_is_caught(forked: Team, folder: Path, fuse_class: type[HostFuse]) -> None:
    """Negative control: the machine compares the journal."""
    with pytest.raises(AssertionError):
        run(forked, folder, HUNTING, host=type("Wrong", (Host,), {"fuse_class": fuse_class}))


@pytest.mark.parametrize("fuse_class", [_OverridesStay, _OverridesEndByThemselves])
def test_a_reference_that_is_wrong_about_overrides_is_caught(
    forked: Team, folder: Path, fuse_class: type[HostFuse]
) -> None:
    """Negative control: the machine tells what R12 says of ends from its absence."""
    with pytest.raises(AssertionError):
        run(forked, folder, HUNTING, host=type("Wrong", (Host,), {"fuse_class": fuse_class}))


@pytest.mark.parametrize("fuse_class", [_SeatsOfTheDead, _SeatsForEver, _SeatsOfTheLiving, _EachHasItsOwnProbes])
def test_a_reference_that_is_wrong_about_processes_is_caught(
    forked: Team, folder: Path, fuse_class: type[HostFuse]
) -> None:
    """Negative control: the machine tells what R06 and R11 say of processes from its absence."""
    with pytest.raises(AssertionError):
        run(forked, folder, HUNTING, host=type("Wrong", (Host,), {"fuse_class": fuse_class}))


def test_processes_with_a_table_each_are_caught(forked: Team, folder: Path) -> None:
    """Negative control: what one process does, another must see."""
    with pytest.raises(AssertionError):
        run(forked, folder, HUNTING, actor=Loner)
