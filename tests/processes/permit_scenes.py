"""What a process does that forks, or dies, with a permit in its hand. Free of pytest."""

import os
import warnings
from typing import Any, NoReturn

from fork_scenes import breaker_on, due_for_a_probe, in_child
from workers import FUSE, Post, attempt

from fuseboard import CircuitBreaker, Permit


def fork_with_a_permit(_post: Post, name: str) -> dict[str, Any]:
    """Children settle and drop copies of their parent's probe; then the parent says how it went."""
    breaker = breaker_on(name)
    due_for_a_probe(breaker)
    held = [breaker.permit()]
    report = {"settled": in_child(lambda: _settle(breaker, held)), "dropped": in_child(lambda: _drop(breaker, held))}
    report["others"] = attempt(breaker.check)
    held[0].success()
    return report | {"after": breaker.state.value, "late_outcomes": breaker.store.snapshot()[FUSE].late_outcomes}


def _settle(breaker: CircuitBreaker, held: list[Permit]) -> str:
    held[0].failure()
    return breaker.state.value


def _drop(breaker: CircuitBreaker, held: list[Permit]) -> tuple[str, int]:
    """Whether others may take the seat then, and how many warnings there were."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        held.clear()
    return attempt(breaker.check), len(caught)


def die_with_a_permit(_post: Post, name: str) -> dict[str, Any]:
    """A child takes the probe and dies; its parent waits for it, so that its death is certain, and asks."""
    breaker = breaker_on(name)
    due_for_a_probe(breaker)
    in_child(lambda: _take_and_die(breaker))
    before = breaker.store.snapshot()[FUSE]
    report = {"check": attempt(breaker.check), "changed": before != breaker.store.snapshot()[FUSE]}
    return report | {"probes": before.probes, "call": attempt(lambda: breaker.call(int)), "state": breaker.state.value}


def _take_and_die(breaker: CircuitBreaker) -> NoReturn:
    held = breaker.permit()
    os._exit(int(held is None))
