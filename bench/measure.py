"""Measuring: many subjects, in rounds, each round in another order, so that what slows the machine slows them all."""

import dataclasses
import gc
import random
import statistics
import sys
from collections.abc import Sequence
from typing import Literal

from bench.timers import Timer

Kind = Literal["ours", "yardstick", "peer"]
"""Whose a subject is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """One thing that is timed.

    Attributes:
        group: which table it stands in; a key of ``report.GROUPS``.
        name: its row in that table.
        kind: whose it is.
        timer: what runs it.
        operations: how many operations one run is; a figure is for one operation.
        share: the share of a sample's time that it takes, where much of what it does is not timed.
    """

    group: str
    name: str
    kind: Kind
    timer: Timer
    operations: int = 1
    share: float = 1.0


@dataclasses.dataclass(slots=True)
class Row:
    """A subject's figures.

    Attributes:
        group: the table.
        name: the row.
        kind: whose it is.
        samples_ns: nanoseconds per operation, one figure for each round.
        fault: why there are none.
    """

    group: str
    name: str
    kind: Kind
    samples_ns: list[float] = dataclasses.field(default_factory=list)
    fault: str | None = None

    @property
    def best_ns(self) -> float:
        """The least: what it takes where nothing disturbs it."""
        return min(self.samples_ns)

    @property
    def median_ns(self) -> float:
        """The one in the middle: what it took here."""
        return statistics.median(self.samples_ns)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured.

    Attributes:
        runs: processes that measure calls one after the other; where a process's memory lies is chance, and matters.
        rounds: samples of each subject in each of them.
        sample_seconds: about how long a sample takes. Short ones find the moments in which nothing else runs.
        fuses: the numbers of fuses to compare.
        crowds: the numbers of processes to compare.
        crowd_seconds: how long each crowd calls.
        crowd_rounds: how many times.
        starts: fresh processes for each thing that a start costs.
    """

    runs: int
    rounds: int
    sample_seconds: float
    fuses: tuple[int, ...]
    crowds: tuple[int, ...]
    crowd_seconds: float
    crowd_rounds: int
    starts: int


FULL = Effort(
    runs=5,
    rounds=60,
    sample_seconds=0.003,
    fuses=(1, 1_000, 100_000),
    crowds=(1, 2, 8, 32),
    crowd_seconds=0.5,
    crowd_rounds=5,
    starts=20,
)
QUICK = Effort(
    runs=2,
    rounds=15,
    sample_seconds=0.002,
    fuses=(1, 1_000, 10_000),
    crowds=(1, 2, 8),
    crowd_seconds=0.2,
    crowd_rounds=2,
    starts=5,
)
TINY = Effort(
    runs=1,
    rounds=1,
    sample_seconds=1e-5,
    fuses=(1, 10),
    crowds=(1, 2),
    crowd_seconds=0.001,
    crowd_rounds=1,
    starts=1,
)
"""As little as there can be: for the tests."""
EFFORTS = {"full": FULL, "quick": QUICK, "tiny": TINY}


def measure(subjects: Sequence[Subject], effort: Effort) -> list[Row]:
    """Times every subject in every round. A peer that raises is a row with a fault; anything else that does is ours."""
    rows = [Row(subject.group, subject.name, subject.kind) for subject in subjects]
    counts = [_calibrated(subject, row, effort) for subject, row in zip(subjects, rows, strict=True)]
    places = [place for place, row in enumerate(rows) if row.fault is None]
    chance = random.Random()  # noqa: S311 - an order, not a secret
    gc.collect()
    gc.freeze()  # what is measured stays as it is; to look through it in each round would take longer than measuring it
    gc.disable()
    try:
        for number in range(1, effort.rounds + 1):
            progress(f"round {number} of {effort.rounds}")
            chance.shuffle(places)
            for place in places:
                _sample(subjects[place], rows[place], counts[place])
            gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()
    return rows


def _calibrated(subject: Subject, row: Row, effort: Effort) -> int:
    """How many runs of it a sample takes; they warm it up, too."""
    aim = effort.sample_seconds * subject.share
    count = 1
    try:
        while (seconds := subject.timer(count)) < aim / 2:
            count *= 2 if seconds > aim / 100 else 10
    except Exception as fault:
        if subject.kind != "peer":
            raise
        row.fault = f"{type(fault).__name__}: {fault}"
        return 0
    return max(1, round(count * aim / seconds))


def _sample(subject: Subject, row: Row, count: int) -> None:
    """Times it once."""
    row.samples_ns.append(subject.timer(count) / count / subject.operations * 1e9)


def progress(text: str) -> None:
    """Says how far it is, over the line before it, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r  {text:<40}", end="", flush=True, file=sys.stderr)
