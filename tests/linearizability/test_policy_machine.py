"""Several processes whose breakers have policies, beside the plain reference, with kills; and that it can fail.

``FUSEBOARD_MACHINE_RUNS`` makes it longer.
"""

import dataclasses
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from host_machine import Pool
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from policy_actor import NotFoundError, PolicyActor, PolicyLoner
from policy_host import PolicyHost
from policy_machine import PolicyMachine
from policy_reference import PolicyFuse
from scripts import PLAIN, Case, Script, removes_at_once, returns_a_demand, waits_between
from team import Team
from test_host_machine import HUNTING
from test_host_machine import RUNS as PLAIN_RUNS
from test_host_machine import THOROUGH as PLAIN_THOROUGH
from wrong_policies import CASES

from fuseboard import Cause

RUNS = PLAIN_RUNS // 3
THOROUGH = settings(PLAIN_THOROUGH, max_examples=RUNS, phases=[Phase.reuse, Phase.generate])
"""A fault is told as it was met: to make it smaller takes longer than anybody waits."""
EVERY_CAUSE = len(Cause)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "fuseboard")


def run(
    team: Team,
    folder: Path,
    how: settings,
    *,
    actor: type[PolicyActor] = PolicyActor,
    host: type[PolicyHost] = PolicyHost,
) -> Pool:
    """Runs the machine; what it went through."""
    pool = Pool(team, actor)
    machine = type("Machine", (PolicyMachine,), {"pool": pool, "folder": folder, "host_class": host})
    run_state_machine_as_test(machine, settings=how)
    return pool


@pytest.mark.timeout(120 + 4 * RUNS)
def test_processes_whose_breakers_have_policies_keep_the_rules_though_some_are_killed(
    forked: Team, folder: Path
) -> None:
    """R19 to R28 beside R01 to R15: rates, failed probes, demands, open times, ramps and shadows are the host's."""
    begun = time.monotonic()
    pool = run(forked, folder, THOROUGH)
    causes = ", ".join(sorted(cause.value for cause in pool.causes))
    figures = f"{pool.steps} steps, {pool.kills} kills, {pool.kills_in_calls} in calls; causes seen: {causes}"
    print(f"\npolicies: {figures}; {time.monotonic() - begun:.0f} s")  # noqa: T201 - for pytest -s
    assert pool.kills >= RUNS / 8
    assert len(pool.causes) >= EVERY_CAUSE / 2
    assert [] == list(folder.iterdir())


def test_a_reference_that_is_wrong_about_policies_is_caught(forked: Team, folder: Path) -> None:
    """Negative control: where a rule matters, the machine's comparison tells it from its absence."""
    pool = Pool(forked, PolicyActor)
    for case in CASES:
        _play(pool, folder, case, PolicyHost)
        with pytest.raises(AssertionError):
            _play(pool, folder, case, type(case.fuse.__name__, (PolicyHost,), {"fuse_class": case.fuse}))


def _play(pool: Pool, folder: Path, case: Case, host: type[PolicyHost]) -> None:
    machine = type("Machine", (PolicyMachine,), {"pool": pool, "folder": folder, "host_class": host})()
    try:
        case.script(Script(machine, dataclasses.replace(PLAIN, **case.changes)))
    finally:
        machine.teardown()


class _DropsNothing(PolicyHost):
    """R28: the journal goes on telling of a fuse that was removed, or forgets that it did."""

    def remove(self, name: str, now: int) -> bool:
        """Counts nothing."""
        is_idle, self.dropped = super().remove(name, now), 0
        return is_idle


def test_a_journal_that_does_not_count_what_it_lost_is_caught(forked: Team, folder: Path) -> None:
    """Negative control, R28: records of a fuse that was removed are dropped ones."""
    pool, case = Pool(forked, PolicyActor), Case(PolicyFuse, {}, removes_at_once)
    _play(pool, folder, case, PolicyHost)
    with pytest.raises(AssertionError):
        _play(pool, folder, case, _DropsNothing)


class _HearsNoResult(PolicyActor):
    """Wrong on purpose: a demand that a result makes is a plain failure."""

    @staticmethod
    def judge(result: BaseException | None) -> object:
        """For ``failure_if``."""
        return result is not None


def test_a_result_that_demands_in_vain_is_caught(forked: Team, folder: Path) -> None:
    """Negative control, R22: a coroutine that returns its demand is heard."""
    case = Case(PolicyFuse, {"threshold": 2}, returns_a_demand)
    _play(Pool(forked, PolicyActor), folder, case, PolicyHost)
    with pytest.raises(AssertionError):
        _play(Pool(forked, _HearsNoResult), folder, case, PolicyHost)


class _TakesAnswersForFailures(PolicyActor):
    """Wrong on purpose: a breaker without ``success_on``."""

    lists: Mapping[str, Any] = {}


class _HearsNoAnswer(PolicyActor):
    """Wrong on purpose: an answer says nothing."""

    lists: Mapping[str, Any] = {"ignore": NotFoundError}


@pytest.mark.parametrize("actor", [_TakesAnswersForFailures, _HearsNoAnswer])
def test_an_answer_that_is_no_success_is_caught(actor: type[PolicyActor], forked: Team, folder: Path) -> None:
    """Negative control, R10: an exception that is an answer closes a half-open fuse."""
    case = Case(PolicyFuse, {}, waits_between("failures", 500, "answered", "answered"))
    _play(Pool(forked, PolicyActor), folder, case, PolicyHost)
    with pytest.raises(AssertionError):
        _play(Pool(forked, actor), folder, case, PolicyHost)


def test_processes_with_a_table_each_are_caught(forked: Team, folder: Path) -> None:
    """Negative control: what one process counts, another must see."""
    with pytest.raises(AssertionError):
        run(forked, folder, HUNTING, actor=PolicyLoner)
