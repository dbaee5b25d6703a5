"""Crowds: what many processes get done at once, on one fuse and each on its own."""

import dataclasses
import functools
import logging
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from bench import by_hand
from bench.adapters import ADAPTERS, NEVER, REDIS_PORT
from bench.measure import Effort, progress
from bench.yardsticks import ServiceError, failing, plain
from fuseboard import CircuitBreaker, FailureRate, Store

CHUNK = 200
"""Calls between two looks at the clock."""
SMALL_CHUNKS = {"pybreaker, Redis": 5}
"""For calls that take long: what a chunk takes beyond the end is counted as if it had been done before."""
PATIENCE = 60
"""Seconds within which a crowd must have come together."""
ONE, OWN = "one fuse", "each its own"
PARTIAL = "functools.partial"
BY_HAND = f"{by_hand.NAME}, one counter"
"""What any guard pays that counts all calls in one place."""
ONLY = {PARTIAL: (OWN,), BY_HAND: (ONE,), "pybreaker, Redis": (ONE,)}
"""What is measured in one way only."""
_COUNTER = by_hand.memory()
_fork = multiprocessing.get_context("fork")


@dataclasses.dataclass(slots=True)
class Crowd:
    """What a number of processes got done.

    Attributes:
        what: the call they made.
        fuses: ``one fuse`` for all, or ``each its own``.
        processes: how many they were.
        calls_per_second: of all together, in the middle one of the rounds. Not the best: where a process's memory lies
            is chance; one or two processes may all be lucky in some round, and thirty-two never are.
        processor_ns: nanoseconds of processor time that a call took, in the middle one of the rounds. Where processes
            fight over a cache line this grows; where they wait for a core it does not.
    """

    what: str
    fuses: str
    processes: int
    calls_per_second: float = 0.0
    processor_ns: float = 0.0

    @property
    def name(self) -> str:
        """What a report calls it, whatever its size."""
        return self.what if self.what in ONLY else f"{self.what}, {self.fuses}"


Work: TypeAlias = tuple[Callable[[], object], Callable[[], object]]
"""What a process does again and again, and what it does behind each chunk of that."""


def _nothing() -> None:
    """Most have nothing to do behind a chunk."""


def _partial(_fuse: str) -> Work:
    return functools.partial(plain, 1), _nothing


def _by_hand(_fuse: str) -> Work:
    return functools.partial(by_hand.guard(plain, _COUNTER), 1), _nothing


def _guarded(fuse: str, **settings: Any) -> Work:
    breaker = CircuitBreaker(fuse, store=Store.shared("crowd", strict=True), **settings)
    return functools.partial(breaker(plain), 1), _nothing


def _failing(fuse: str) -> Work:
    """A failing call that is recorded. A success behind each chunk clears the window, so that nothing trips."""
    store = Store.shared("crowd-failing", failures=2_048, strict=True)
    breaker = CircuitBreaker(fuse, store=store, threshold=2_048)
    guarded = breaker(failing)

    def call() -> None:
        try:  # noqa: SIM105 - contextlib.suppress costs more than what is timed
            guarded(1)
        except ServiceError:
            pass

    return call, functools.partial(breaker(plain), 1)


def _redis(_fuse: str) -> Work:
    peer = ADAPTERS["pybreaker, Redis"][1]()
    assert peer.guard is not None  # noqa: S101 - for the type checker
    return functools.partial(peer.guard(NEVER)(plain), 1), _nothing


MAKERS: dict[str, Callable[[str], Work]] = {
    PARTIAL: _partial,
    BY_HAND: _by_hand,
    "guarded call": _guarded,
    "guarded call, failure rate": functools.partial(_guarded, policy=FailureRate(0.5)),
    "guarded call, failure rate over calls": functools.partial(_guarded, policy=FailureRate(0.5, calls=100)),
    "recorded failure": _failing,
    "pybreaker, Redis": _redis,
}


def crowds(effort: Effort) -> list[Crowd]:
    """Every crowd there is to measure."""
    found: list[Crowd] = []
    for what in MAKERS:
        if what == "pybreaker, Redis" and REDIS_PORT not in os.environ:
            continue
        if what == BY_HAND and not by_hand.can_be_built():
            continue
        for fuses in ONLY.get(what, (ONE, OWN)):
            found.extend(Crowd(what, fuses, processes) for processes in effort.crowds)
    return found


def run(effort: Effort) -> list[Crowd]:
    """Measures all crowds, in rounds of another order each."""
    found = [(crowd, list[tuple[float, float]]()) for crowd in crowds(effort)]
    for number in range(1, effort.crowd_rounds + 1):
        for crowd, samples in random.sample(found, len(found)):
            progress(f"round {number} of {effort.crowd_rounds}: {crowd.processes} processes")
            samples.append(_sample(crowd, effort.crowd_seconds))
    for crowd, samples in found:
        crowd.calls_per_second, crowd.processor_ns = map(statistics.median, zip(*samples, strict=True))
    return [crowd for crowd, _ in found]


def _sample(crowd: Crowd, seconds: float) -> tuple[float, float]:
    """Lets it call for so long; calls a second, and nanoseconds of processor time that each took."""
    results, end = _fork.SimpleQueue(), _fork.Value("d", 0.0)
    # One end for all, set while all of them wait: what they did after it, or before the last was there, is not counted.
    barrier = _fork.Barrier(crowd.processes, functools.partial(_set_end, end, seconds))
    members = [
        _fork.Process(target=_member, args=(crowd, number, barrier, results, end)) for number in range(crowd.processes)
    ]
    for member in members:
        member.start()
    for member in members:
        member.join(PATIENCE + seconds)
        if member.exitcode != 0:
            raise RuntimeError(f"a process of {crowd} ended with {member.exitcode}")
    done, processor = zip(*(results.get() for _ in members), strict=True)
    return sum(done) / seconds, sum(processor) / sum(done) * 1e9


def _set_end(end: Any, seconds: float) -> None:
    end.value = time.perf_counter() + seconds


def _member(crowd: Crowd, number: int, barrier: Any, results: Any, end: Any) -> None:
    """One of the crowd: calls until the end; says how many calls it made, and in how much processor time."""
    logging.disable(logging.CRITICAL)
    call, behind = MAKERS[crowd.what]("shared" if crowd.fuses == ONE else f"own-{number}")
    call()
    barrier.wait(PATIENCE)
    processor = time.process_time()
    chunk, done = SMALL_CHUNKS.get(crowd.what, CHUNK), 0
    while done == 0 or time.perf_counter() < end.value:
        for _ in range(chunk):
            call()
        behind()
        done += chunk
    results.put((done, time.process_time() - processor))
