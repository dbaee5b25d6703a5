"""What a guarded call costs, beside its yardsticks, in one run.

Every subject is timed in every round, one after the other, so that a machine that slows down slows all of them; the
figure is the minimum over the rounds. "over" is what a subject adds to the bare call of its group.

Run it with ``make bench``, or ``python bench/guard.py --help``.
"""

import argparse
import asyncio
import functools
import json
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store

Timer = Callable[[int], float]
"""Runs its subject that many times and returns the seconds it took."""


@dataclass
class Subject:
    """One row: what is timed, which row it is measured over, how many operations one run is."""

    name: str
    timer: Timer
    base: str | None = None
    operations: int = 1
    best: float = float("inf")


def plain(argument: int) -> int:
    """The guarded function."""
    return argument


async def coroutine(argument: int) -> int:
    """The guarded coroutine function."""
    return argument


def failing(argument: int) -> int:
    """A function that fails."""
    raise ValueError(argument)


def empty_decorator(function: Callable[..., Any]) -> Callable[..., Any]:
    """What any decorator written in Python costs at least."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def empty_async_decorator(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """The same for coroutine functions."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


def of_call(function: Callable[[int], object]) -> Timer:
    """Times a call that returns."""

    def timer(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            function(1)
        return time.perf_counter() - begin

    return timer


def of_raise(function: Callable[[int], object]) -> Timer:
    """Times a call that raises, and the catching."""

    def timer(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            try:  # noqa: SIM105 - contextlib.suppress would be timed too
                function(1)
            except (ValueError, CircuitOpenError):
                pass
        return time.perf_counter() - begin

    return timer


def of_failure(breaker: CircuitBreaker) -> Timer:
    """Times a failing call that is recorded: never as many in a row as trip, with a reset between the rows."""
    guarded = of_raise(breaker(failing))
    row = breaker.settings.threshold - 1

    def timer(count: int) -> float:
        elapsed = 0.0
        for begin in range(0, count, row):
            elapsed += guarded(min(row, count - begin))
            breaker.reset()
        return elapsed

    return timer


def of_await(function: Callable[[int], Awaitable[object]]) -> Timer:
    """Times an awaited call, within one event loop."""

    async def loop(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            await function(1)
        return time.perf_counter() - begin

    return lambda count: asyncio.run(loop(count))


def of_with(breaker: CircuitBreaker) -> Timer:
    """Times a ``with`` block around a call."""

    def timer(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            with breaker:
                plain(1)
        return time.perf_counter() - begin

    return timer


def raise_fresh(_argument: int) -> None:
    """Raises a rejection made by hand, which is what any rejection costs at least."""
    raise CircuitOpenError("yardstick", State.OPEN, 1.0)


def subjects(shared: Store, private: Store) -> list[Subject]:
    """The rows, in the order they are printed."""
    on_shared = CircuitBreaker("closed", store=shared)
    on_private = CircuitBreaker("closed", store=private)
    rejecting = CircuitBreaker("open", store=shared, reset_timeout=86_400)
    shared.set_open("open")
    counting = CircuitBreaker("failing", store=shared, threshold=shared.failure_capacity)
    for fuse in range(1000):
        shared.record_success(f"fuse-{fuse}")
    return [
        Subject("bare call", of_call(plain)),
        Subject("functools.partial", of_call(functools.partial(plain)), "bare call"),
        Subject("empty decorator", of_call(empty_decorator(plain)), "bare call"),
        Subject("guard, shared store", of_call(on_shared(plain)), "bare call"),
        Subject("guard, private store", of_call(on_private(plain)), "bare call"),
        Subject("with breaker", of_with(on_shared), "bare call"),
        Subject("bare await", of_await(coroutine)),
        Subject("empty async decorator", of_await(empty_async_decorator(coroutine)), "bare await"),
        Subject("async guard, shared store", of_await(on_shared(coroutine)), "bare await"),
        Subject("fresh exception, raised and caught", of_raise(raise_fresh)),
        Subject("rejected call, raised and caught", of_raise(rejecting(plain))),
        Subject("bare failure, raised and caught", of_raise(failing)),
        Subject("recorded failure, raised and caught", of_failure(counting), "bare failure, raised and caught"),
        Subject("store.state(name)", of_call(lambda _, state=shared.state: state("closed"))),
        Subject("store.record_failure(name)", of_call(lambda _, fail=shared.record_failure: fail("raw", 10))),
        Subject("store.snapshot() of 1,000 fuses", of_call(lambda _: shared.snapshot()), operations=1000),
    ]


def measure(rows: list[Subject], rounds: int, count: int) -> None:
    """Times every row in every round and keeps each one's best."""
    for number in range(1, rounds + 1):
        print(f"\rround {number} of {rounds}", end="", flush=True, file=sys.stderr)
        for row in rows:
            runs = max(1, count // row.operations)
            row.best = min(row.best, row.timer(runs) / runs * 1e9)
    print(file=sys.stderr)


def figures(rows: list[Subject]) -> list[dict[str, Any]]:
    """The rows as plain numbers: nanoseconds, and what each adds to its base."""
    best = {row.name: row.best for row in rows}
    return [
        {"name": row.name, "ns": round(row.best, 1), "over": row.base and round(row.best - best[row.base], 1)}
        for row in rows
    ]


def report(numbers: list[dict[str, Any]]) -> None:
    """Prints a Markdown table, and the ratios that the project aims at."""
    print("| what | ns | ns over its yardstick |\n|---|---:|---:|")
    for row in numbers:
        over = "" if row["over"] is None else f"{row['over']:,.1f}"
        print(f"| {row['name']} | {row['ns']:,.1f} | {over} |")
    over = {row["name"]: row["over"] for row in numbers}
    whole = {row["name"]: row["ns"] for row in numbers}
    rejected = whole["rejected call, raised and caught"] / whole["fresh exception, raised and caught"]
    extra = over["async guard, shared store"] - over["empty async decorator"]
    print(f"\nguard / partial: {over['guard, shared store'] / over['functools.partial']:.2f}")
    print(f"async guard - empty async decorator: {extra:.0f} ns")
    print(f"rejection / fresh exception: {rejected:.2f}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="What a guarded call costs, beside its yardsticks, in one run.")
    parser.add_argument("--rounds", type=int, default=15, help="rounds over all subjects (default 15)")
    parser.add_argument("--count", type=int, default=100_000, help="calls per subject and round (default 100,000)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    memory = Path("/dev/shm")  # noqa: S108 - the folder made in it is private
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        os.environ["FUSEBOARD_DIR"] = folder
        with Store.shared("bench", strict=True) as shared, Store.private() as private:
            rows = subjects(shared, private)
            measure(rows, options.rounds, options.count)
    numbers = figures(rows)
    if options.json:
        print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "figures": numbers}))
    else:
        report(numbers)


if __name__ == "__main__":
    main()
