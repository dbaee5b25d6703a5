"""Crowds: what many processes get done at once, on one fuse and each on its own."""

import dataclasses
import functools
import logging
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.adapters import ADAPTERS, NEVER, REDIS_PORT
from bench.measure import Effort
from bench.yardsticks import ServiceError, failing, plain
from fuseboard import CircuitBreaker, FailureRate, Failures, Store

CHUNK = 200
"""Calls between two looks at the clock."""
ROUNDS = 3
PATIENCE = 60
"""Seconds within which a crowd must have come together."""
ONE, OWN = "one fuse", "each its own"
_fork = multiprocessing.get_context("fork")


@dataclasses.dataclass(slots=True)
class Crowd:
    """What a number of processes got done.

    Attributes:
        what: the call they made.
        fuses: ``one fuse`` for all, or ``each its own``.
        processes: how many they were.
        calls_per_second: of all together, in the best of the rounds.
    """

    what: str
    fuses: str
    processes: int
    calls_per_second: float = 0.0


def _partial(_fuse: str) -> Callable[[], object]:
    return functools.partial(plain, 1)


def _guarded(fuse: str, **settings: Any) -> Callable[[], object]:
    breaker = CircuitBreaker(fuse, store=Store.shared("crowd", strict=True), **settings)
    return functools.partial(breaker(plain), 1)


def _failing(fuse: str) -> Callable[[], object]:
    """A failing call that is recorded. So many failures within so little time there are not: it never trips."""
    store = Store.shared("crowd-failing", failures=2_048, strict=True)
    breaker = CircuitBreaker(f"{fuse}-failing", store=store, policy=Failures(2_048, window=0.001))
    guarded = breaker(failing)

    def call() -> None:
        try:  # noqa: SIM105 - contextlib.suppress costs more than what is timed
            guarded(1)
        except ServiceError:
            pass

    return call


def _redis(_fuse: str) -> Callable[[], object]:
    peer = ADAPTERS["pybreaker, Redis"][1]()
    assert peer.guard is not None  # noqa: S101 - for the type checker
    return functools.partial(peer.guard(NEVER)(plain), 1)


MAKERS: dict[str, Callable[[str], Callable[[], object]]] = {
    "functools.partial": _partial,
    "guarded call": _guarded,
    "guarded call, failure rate": functools.partial(_guarded, policy=FailureRate(0.5)),
    "recorded failure": _failing,
    "pybreaker, Redis": _redis,
}


def crowds(effort: Effort) -> list[Crowd]:
    """Every crowd there is to measure."""
    found = []
    for what in MAKERS:
        if what == "pybreaker, Redis" and REDIS_PORT not in os.environ:
            continue
        for fuses in (ONE, OWN):
            if fuses == ONE or what not in ("functools.partial", "pybreaker, Redis"):
                found.extend(Crowd(what, fuses, processes) for processes in effort.crowds)
    return found


def run(effort: Effort) -> list[Crowd]:
    """Measures all crowds, in rounds of another order each."""
    found = crowds(effort)
    for number in range(1, ROUNDS + 1):
        for crowd in random.sample(found, len(found)):
            print(
                f"\r  round {number} of {ROUNDS}: {crowd.processes:>2} processes ", end="", flush=True, file=sys.stderr
            )
            crowd.calls_per_second = max(crowd.calls_per_second, _throughput(crowd, effort.crowd_seconds))
    return found


def _throughput(crowd: Crowd, seconds: float) -> float:
    """Calls a second of all its processes together."""
    barrier, counts = _fork.Barrier(crowd.processes), _fork.SimpleQueue()
    members = [
        _fork.Process(target=_member, args=(crowd, number, barrier, counts, seconds))
        for number in range(crowd.processes)
    ]
    for member in members:
        member.start()
    for member in members:
        member.join(PATIENCE + seconds)
        if member.exitcode != 0:
            raise RuntimeError(f"a process of {crowd} ended with {member.exitcode}")
    return sum(counts.get() for _ in members)


def _member(crowd: Crowd, number: int, barrier: Any, counts: Any, seconds: float) -> None:
    """One of the crowd: calls until the time is over, and says how many calls a second it made."""
    logging.disable(logging.CRITICAL)
    call = MAKERS[crowd.what]("shared" if crowd.fuses == ONE else f"own-{number}")
    call()
    barrier.wait(PATIENCE)
    begin = time.perf_counter()
    done = 0
    while (elapsed := time.perf_counter() - begin) < seconds:
        for _ in range(CHUNK):
            call()
        done += CHUNK
    counts.put(done / elapsed)
