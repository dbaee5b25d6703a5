"""What teams of processes do together. Free of pytest."""

import asyncio
import concurrent.futures
import random
import sys
import threading
from collections.abc import Callable
from typing import Any

from workers import LONG, PATIENCE, Post, Rig, ServiceError, attempt, fail, open_store

from fuseboard import CircuitOpenError

SWITCH = 1e-5
"""Seconds after which the interpreter lets another thread go on: as often as it can."""


def at_once(threads: int, function: Callable[[], list[Any]]) -> list[Any]:
    """Calls a function in so many threads at once, or just calls it; all that it returned."""
    if threads == 1:
        return function()
    barrier = threading.Barrier(threads, timeout=PATIENCE)

    def run() -> list[Any]:
        barrier.wait()
        return function()

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(run) for _ in range(threads)]
    return [value for future in futures for value in future.result()]


def count_failures(
    post: Post, make_store: Callable[[], Any], fuses: list[str], times: int, threads: int = 1
) -> list[list[int]]:
    """Records failures on one fuse after another together with the rest of the team; the counts it was told."""
    sys.setswitchinterval(SWITCH)
    store = make_store()
    told = []
    for fuse in fuses:
        post.start_together()
        told.append(at_once(threads, lambda fuse=fuse: [store.record_failure(fuse, LONG) for _ in range(times)]))  # type: ignore[misc]
    return told


CALLS = {"success": 300, "failure": 70, "cancelled": 11}
REJECTED = 40


def make_calls(post: Post, name: str) -> dict[str, int]:
    """Makes calls of all kinds together with the rest of the team; the host's counters after the last of them."""
    rig = Rig(name, threshold=2048, window=LONG)
    kinds = [kind for kind, times in CALLS.items() for _ in range(times)]
    random.Random(post.index).shuffle(kinds)  # noqa: S311 - to be repeated
    post.meet()
    for kind in kinds:
        attempt(lambda kind=kind: rig.call(SERVICES[kind]))  # type: ignore[misc]
    post.meet()
    rig.breaker.isolate()
    post.meet()
    for _ in range(REJECTED):
        attempt(lambda: rig.call(fail))
    post.meet()
    return rig.counters()


def _succeed() -> None:
    pass


def _be_cancelled() -> None:
    raise asyncio.CancelledError


SERVICES = {"success": _succeed, "failure": fail, "cancelled": _be_cancelled}


def claim(post: Post, name: str, fuses: list[str]) -> dict[str, Any]:
    """Uses every fuse once, in an order of its own; what it was told and saw."""
    store = open_store(name, fuses=len(fuses))
    own = random.Random(post.index).sample(fuses, len(fuses))  # noqa: S311 - to be repeated
    post.start_together()
    counts = {fuse: store.record_failure(fuse, LONG) for fuse in own}
    post.meet()
    return {"counts": counts, "overflowed": store.overflowed, "names": sorted(store.all_states())}


def trip(post: Post, make_rig: Callable[[], Any], rounds: int, calls: int, threads: int = 1) -> list[dict[str, Any]]:
    """Round by round, makes failing calls together with the rest of the team; what came of each round."""
    sys.setswitchinterval(SWITCH)
    rig = make_rig()
    reports = []
    for _ in range(rounds):
        rig.events.clear()
        rig.logged.clear()
        post.start_together()
        words = at_once(threads, lambda: [attempt(lambda: rig.call(fail)) for _ in range(calls)])
        post.meet()
        reports.append(
            {
                "failed": words.count("failed"),
                "rejected": words.count("open"),
                "events": list(rig.events),
                "logged": list(rig.logged),
                "state": rig.state,
                "counters": rig.counters(),
            }
        )
        post.meet()
        if post.index == 0:
            rig.renew()
    return reports


def probe(post: Post, make_rig: Callable[[], Any], rounds: int, outcome: str) -> list[dict[str, Any]]:
    """Round by round, asks for a probe at one instant with the rest of the team; what came of each round.

    Whoever is admitted stays in the call until all have their answer.
    """
    rig = make_rig()
    reports = []
    for _ in range(rounds):
        if post.index == 0:
            rig.renew()
            rig.open_for_a_probe()
        rig.events.clear()
        post.meet()
        rig.wait_for_probe_time()
        word = _probe_once(post, rig, outcome)
        post.meet()
        reports.append({"word": word, "events": list(rig.events), "state": rig.state})
        post.meet()
    return reports


def _probe_once(post: Post, rig: Any, outcome: str) -> str:
    try:
        with rig.breaker:
            post.meet()
            SERVICES[outcome]()
    except CircuitOpenError as rejection:
        post.meet()
        return rejection.state.value
    except (ServiceError, asyncio.CancelledError):
        pass
    return "admitted"
