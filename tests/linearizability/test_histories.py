"""What processes do at once to one table could have come about one operation after the other, though some are killed.

``FUSEBOARD_HISTORIES`` and ``FUSEBOARD_HISTORIES_SEED`` make it longer and other.
"""

import collections
import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arena import Arena
from checker import Operation
from fuse_model import CLOSED, DISABLED, HALF_OPEN, ISOLATED, OPEN, UNSEEN, Fuse, FuseModel
from player import Player
from racy_players import CountsThenTrips, LooksAtTheCount, LooksAtTheHold
from team import Team

HISTORIES = int(os.environ.get("FUSEBOARD_HISTORIES", "120"))
SEED = int(os.environ.get("FUSEBOARD_HISTORIES_SEED", "1"))
TRIES = 400
"""Histories in which a fault must show at least once."""


class WithoutDeaths(FuseModel):
    """A dead prober's lease is never given back: R11 is missing."""

    def death(self, fuse: Fuse, _: Operation) -> Any:
        """Nothing."""
        yield fuse, ()


class UsedInOneStep(FuseModel):
    """Stronger than promised: the first use of a fuse and the operation are one step."""

    def steps(self, fuse: Fuse, operation: Operation) -> Iterator[tuple[Fuse, bool]]:
        """Fewer than are promised."""
        for after, finished in super().steps(fuse, operation):
            if finished or fuse.state != UNSEEN:
                yield after, finished
            else:
                yield from ((then, True) for then, done in super().steps(after, operation) if done)


class ProbedInOneStep(FuseModel):
    """Stronger than promised: to make a fuse half-open and to take a seat are one step."""

    def steps(self, fuse: Fuse, operation: Operation) -> Iterator[tuple[Fuse, bool]]:
        """Fewer than are promised."""
        for after, finished in super().steps(fuse, operation):
            if finished or (fuse.state, after.state) != (OPEN, HALF_OPEN):
                yield after, finished
            else:
                yield from ((then, True) for then, done in super().steps(after, operation) if done)


class AlwaysSigned(FuseModel):
    """Stronger than promised: a dead process's seat is always known to be a dead one's."""

    def steps(self, fuse: Fuse, operation: Operation) -> Iterator[tuple[Fuse, bool]]:
        """Fewer than are promised."""
        return (each for each in super().steps(fuse, operation) if not each[0].unsigned)


STRONGER = (UsedInOneStep, ProbedInOneStep, AlwaysSigned)


@pytest.mark.timeout(120 + HISTORIES)
def test_each_history_is_linearizable_though_processes_are_killed_in_the_middle(forked: Team, folder: Path) -> None:
    """T02: each operation takes effect in one step; that of a killed process in one or not at all."""
    arena = Arena(forked, folder)
    begun, figures, weaker = time.monotonic(), collections.Counter[str](), collections.Counter[str]()
    for seed in range(SEED, SEED + HISTORIES):
        history = arena.play(seed)
        assert [] == history.faults()
        figures.update(history.figures)
        weaker.update(model.__name__ for model in STRONGER if not history.keeps(model))
    told = ", ".join(f"{value} {name}" for name, value in figures.items())
    print(f"\nhistories: {told}; not by a stronger model: {dict(weaker)}; {time.monotonic() - begun:.0f} s")  # noqa: T201
    # A harness whose operations never meet, or die, would find nothing whatever there is to find.
    assert figures["overlapping"] > figures["operations"] / 20
    assert figures["kills"] >= HISTORIES / 2
    assert figures["pending"] > 0
    assert figures["told"] > figures["operations"] / 50


def _otherwise(told: dict[int, tuple[int, int]]) -> Iterator[dict[int, tuple[int, int]]]:
    """What the journal might tell instead: with a record left out, another state in one, one more."""
    for generation, (before, after) in told.items():
        yield {each: states for each, states in told.items() if each != generation}
        yield told | {generation: (before, ISOLATED if after != ISOLATED else DISABLED)}
    last = max(told, default=0)
    yield told | {last + 1: (told[last][1] if told else CLOSED, ISOLATED)}


def test_a_journal_that_tells_another_story_is_found_out(forked: Team, folder: Path) -> None:
    """Control, T14: a record left out, a wrong or an invented one contradicts every order of the operations."""
    arena = Arena(forked, folder)
    tried = 0
    for seed in range(8):
        history = arena.play(seed, ["changes"], kills=1)
        assert history.keeps(FuseModel)
        for fuse, told in history.told.items():
            for other in _otherwise(told):
                assert not dataclasses.replace(history, told=history.told | {fuse: other}).keeps(FuseModel)
                tried += 1
    assert tried > 50


@pytest.mark.parametrize(
    ("player", "mix"), [(LooksAtTheCount, "counts"), (LooksAtTheHold, "changes"), (CountsThenTrips, "calls")]
)
def test_a_store_that_looks_and_then_stores_is_found_out(
    forked: Team, folder: Path, player: type[Player], mix: str
) -> None:
    """Control: what is right for one process alone, but takes two steps, is not linearizable."""
    arena = Arena(forked, folder, player)
    assert all(arena.play_alone(seed, mix).keeps(FuseModel) for seed in range(20))
    assert any(not arena.play(seed, [mix], kills=0).keeps(FuseModel) for seed in range(TRIES))


def test_the_death_of_a_prober_is_seen(forked: Team, folder: Path) -> None:
    """Control, R11: histories tell a table that frees the seats of the dead from one that does not."""
    arena = Arena(forked, folder)
    assert any(not arena.play(seed, ["probes"], kills=2).keeps(WithoutDeaths) for seed in range(TRIES))
