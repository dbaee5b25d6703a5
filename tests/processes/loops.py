"""Many asyncio tasks on one breaker. Free of pytest."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from workers import FUSE, LONG, Post, Rig, ServiceError

from fuseboard import CircuitBreaker, CircuitOpenError

TASKS = 200
OUTCOMES = ["success"] * 90 + ["failure"] * 60 + ["cancelled"] * 50
"""How the tasks end, in their order."""


async def _service(gate: asyncio.Event, outcome: str) -> str:
    await gate.wait()
    if outcome == "failure":
        raise ServiceError
    return outcome


def ways(breaker: CircuitBreaker) -> list[Callable[[asyncio.Event, str], Awaitable[str]]]:
    """The ways to guard a coroutine."""

    async def block(gate: asyncio.Event, outcome: str) -> str:
        async with breaker:
            return await _service(gate, outcome)

    async def called(gate: asyncio.Event, outcome: str) -> str:
        return await breaker.acall(_service, gate, outcome)

    return [breaker(_service), block, called]


async def _crowd(breaker: CircuitBreaker, outcomes: list[str]) -> list[str]:
    """Begins all calls, cancels some while they are under way, and lets the rest end; what came of each."""
    gate = asyncio.Event()
    guards = ways(breaker)
    calls = [guards[number % 3](gate, outcome) for number, outcome in enumerate(outcomes)]
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    for task, outcome in zip(tasks, outcomes, strict=True):
        if outcome == "cancelled":
            task.cancel()
    gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [_word(result) for result in results]


def _word(result: str | BaseException) -> str:
    if isinstance(result, CircuitOpenError):
        return result.state.value
    names = {ServiceError: "failure", asyncio.CancelledError: "cancelled"}
    return result if isinstance(result, str) else names[type(result)]


def crowd(post: Post, name: str) -> dict[str, Any]:
    """200 tasks that end in all ways while the fuse is closed; the host's counters once all processes are done."""
    rig = Rig(name, threshold=2048, window=LONG)
    post.meet()
    words = asyncio.run(_crowd(rig.breaker, OUTCOMES))
    post.meet()
    return {"words": words, "counters": rig.counters()}


def trip(post: Post, name: str, threshold: int) -> dict[str, Any]:
    """200 tasks that all fail."""
    rig = Rig(name, threshold=threshold, window=LONG, reset_timeout=LONG)
    post.meet()
    words = asyncio.run(_crowd(rig.breaker, ["failure"] * TASKS))
    post.meet()
    return {"words": words, "events": rig.events, "counters": rig.counters(), "state": rig.state}


def probe(_post: Post, name: str) -> dict[str, Any]:
    """200 tasks that ask for a probe; the one that gets it is cancelled. Then 200 that ask again and succeed."""
    rig = Rig(name, reset_timeout=0.001, probe_timeout=LONG)
    rig.store.set_open(FUSE)
    rig.wait_for_probe_time()
    first = asyncio.run(_crowd(rig.breaker, ["cancelled"] * TASKS))
    second = asyncio.run(_crowd(rig.breaker, ["success"] * TASKS))
    return {"first": first, "second": second, "events": rig.events, "counters": rig.counters()}
