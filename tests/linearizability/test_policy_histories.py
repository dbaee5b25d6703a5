"""Histories of breakers that have policies: rates, failed probes, demands, probes that may fail, ramps (R19 to R26).

``FUSEBOARD_HISTORIES`` and ``FUSEBOARD_HISTORIES_SEED`` make it longer and other.
"""

import collections
import random
import time
from pathlib import Path
from typing import Any

import pytest
from arena import Arena
from draws import PolicyNumbers, policy_numbers
from fuse_model import FAILURE, Fuse, FuseModel
from history import History
from policy_model import DEMAND, IN_TIME, RAMPING, PolicyModel
from racy_players import JudgesThenCounts
from team import Team
from test_histories import HISTORIES as PLAIN_HISTORIES
from test_histories import SEED, TRIES

HISTORIES = PLAIN_HISTORIES // 2
MIXES = ("policies", "calls", "probes", "all")


class WithoutRates(PolicyModel):
    """R19 is missing."""

    def is_reached(self, _fuse: Fuse) -> bool:
        """Never."""
        return False


class NeverCold(PolicyModel):
    """R19: calls of older generations count on."""

    def move(self, fuse: Fuse, state: int) -> Fuse:
        """A change of state."""
        return super().move(fuse, state)._replace(meter=fuse.meter)


class DemandsInVain(PolicyModel):
    """R22 is missing."""

    def _end(self, fuse: Fuse, call: Any, outcome: int, *, opens: bool = False) -> Any:
        return super()._end(fuse, call, FAILURE if outcome == DEMAND else outcome, opens=opens)


class OneProbeMayFail(PolicyModel):
    """R25: whatever the settings say."""

    def _probed(self, fuse: Fuse, outcome: int) -> Any:
        return super()._probed(fuse, DEMAND if outcome == FAILURE else outcome)


class WithoutRamps(PolicyModel):
    """R26: all pass."""

    def _climb(self, fuse: Fuse, key: Any) -> Any:
        return fuse._replace(calls=fuse.calls | {key}), (1, 0, 0, 0, 0)


class JudgedInOneStep(PolicyModel):
    """Stronger than promised: a call counts in its rate, is judged and takes effect at one instant."""

    def settle(self, fuse: Fuse, operation: Any) -> Any:
        """All steps at once."""
        waiting = [fuse]
        while waiting:
            for after, answer in super().settle(waiting.pop(), operation):
                if answer is None:
                    waiting.append(after)
                else:
                    yield after, answer


def play(arena: Arena, seed: int) -> History:
    """A history of breakers with policies."""
    return arena.play(seed, MIXES, draw=policy_numbers)


@pytest.mark.timeout(120 + HISTORIES)
def test_each_history_of_policies_is_linearizable_though_processes_are_killed_in_the_middle(
    forked: Team, folder: Path
) -> None:
    """R19 to R26: a rate that is reached is not missed, and none opens a fuse without enough."""
    arena = Arena(forked, folder)
    begun, figures, weaker = time.monotonic(), collections.Counter[str](), 0
    for seed in range(SEED, SEED + HISTORIES):
        history = play(arena, seed)
        assert [] == history.faults()
        figures.update(history.figures)
        figures["ramped"] += any(RAMPING in change for told in history.told.values() for change in told.values())
        weaker += not history.keeps(JudgedInOneStep)
    told = ", ".join(f"{value} {name}" for name, value in figures.items())
    print(f"\npolicies: {told}; {weaker} not judged in one step; {time.monotonic() - begun:.0f} s")  # noqa: T201
    assert figures["overlapping"] > figures["operations"] / 20
    assert figures["kills"] >= HISTORIES / 2
    assert figures["ramped"] > 0


@pytest.mark.parametrize("model", [WithoutRates, NeverCold, DemandsInVain, OneProbeMayFail, WithoutRamps])
def test_a_model_without_a_rule_of_the_policies_is_found_out(
    forked: Team, folder: Path, model: type[PolicyModel]
) -> None:
    """Control: what histories would be without the rule, they are not."""
    arena = Arena(forked, folder)
    assert any(not play(arena, seed).keeps(model) for seed in range(TRIES))


def _rated(dice: random.Random) -> PolicyNumbers:
    """A rate and nothing else, which the second call reaches if it fails."""
    return policy_numbers(dice)._replace(rate=IN_TIME, threshold=0, min_calls=2, percent=1)


def test_a_rate_that_is_judged_before_its_call_counts_is_found_out(forked: Team, folder: Path) -> None:
    """Control, R19: of two last straws at once each misses the other. What is right alone is not linearizable."""
    arena = Arena(forked, folder, JudgesThenCounts)
    assert all(arena.play_alone(seed, "policies", _rated).keeps(FuseModel) for seed in range(20))
    assert any(not arena.play(seed, ["policies"], 0, _rated).keeps(FuseModel) for seed in range(TRIES))
