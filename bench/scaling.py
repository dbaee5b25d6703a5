"""How calls grow with threads: ``python -m bench.scaling``.

Each subject is called by one, two, four and eight threads, which share it. A figure is for the calls of all threads in
a second. The figure in brackets is for a second of a processor: it is 1 where threads are not in each other's way,
however busy the machine is. All subjects of a Python are measured in one process, in rounds, each in another order.
"""

import argparse
import functools
import os
import platform
import random
import statistics
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from typing import Any

from bench.yardsticks import empty_decorator, plain
from fuseboard import CircuitBreaker, Store

CROWDS = (1, 2, 4, 8)
SECONDS = 0.15
ROUNDS = 7
CALLS = 200
"""Calls between two looks at whether time is up."""

Loop = Callable[[threading.Event], int]
"""Calls until the event is set; returns how many calls that were."""


def of_call(function: Callable[[int], object]) -> Loop:
    """A loop that calls a function."""

    def loop(is_over: threading.Event) -> int:
        call, count = function, 0
        while not is_over.is_set():
            for _ in range(CALLS):
                call(1)
            count += CALLS
        return count

    return loop


def of_block(block: Any) -> Loop:
    """A loop that enters a block."""

    def loop(is_over: threading.Event) -> int:
        breaker, count = block, 0
        while not is_over.is_set():
            for _ in range(CALLS):
                with breaker:
                    pass
            count += CALLS
        return count

    return loop


def subjects() -> dict[str, Callable[[int], list[Loop]]]:
    """By name: the loops of so many threads."""
    breaker = CircuitBreaker("scaling", store=Store.private())
    guard = breaker(plain)

    def shared(loop: Loop) -> Callable[[int], list[Loop]]:
        return lambda threads: [loop] * threads

    def own(make: Callable[[], Loop]) -> Callable[[int], list[Loop]]:
        return lambda threads: [make() for _ in range(threads)]

    return {
        "bare call": shared(of_call(plain)),
        "functools.partial": shared(of_call(functools.partial(plain))),
        "empty decorator": shared(of_call(empty_decorator(plain))),
        "guard": shared(of_call(guard)),
        "guard, a function of each thread": own(lambda: of_call(breaker(plain))),
        "with block": shared(of_block(breaker)),
    }


Rates = tuple[float, float]
"""Calls of all threads in a second by the clock, and in a second of a processor."""


def rates_of(loops: list[Loop], seconds: float) -> Rates:
    """What threads with these loops do together."""
    is_over, start = threading.Event(), threading.Barrier(len(loops) + 1)
    counts = [0] * len(loops)

    def run(place: int) -> None:
        start.wait()
        counts[place] = loops[place](is_over)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(loops))]
    for thread in threads:
        thread.start()
    start.wait()
    begin, used = time.perf_counter(), time.process_time()
    time.sleep(seconds)
    is_over.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begin), sum(counts) / (time.process_time() - used)


def measured(rounds: int, seconds: float) -> dict[str, list[Rates]]:
    """The rates by subject, for each crowd: the medians of the rounds."""
    made = subjects()
    samples: dict[tuple[str, int], list[Rates]] = {(name, crowd): [] for name in made for crowd in CROWDS}
    order = list(samples)
    for _ in range(rounds):
        random.shuffle(order)
        for name, crowd in order:
            samples[name, crowd].append(rates_of(made[name](crowd), seconds))

    def medians(name: str, crowd: int) -> Rates:
        by_clock, by_processor = zip(*samples[name, crowd], strict=True)
        return statistics.median(by_clock), statistics.median(by_processor)

    return {name: [medians(name, crowd) for crowd in CROWDS] for name in made}


def is_free_threaded() -> bool:
    """Whether this Python runs without the interpreter lock now."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED")) and not getattr(sys, "_is_gil_enabled", lambda: True)()


def table(found: dict[str, list[Rates]], title: str) -> str:
    """The figures as Markdown: the calls of one thread, and those of more threads as a multiple of that."""
    lines = [f"| {title} | 1 thread, million calls/s | {' | '.join(f'{crowd} threads' for crowd in CROWDS[1:])} |"]
    lines.append("|---" * (len(CROWDS) + 1) + "|")
    for name, (one, *others) in found.items():
        more = " | ".join(f"{by_clock / one[0]:.2f} ({by_cpu / one[1]:.2f})" for by_clock, by_cpu in others)
        lines.append(f"| {name} | {one[0] / 1e6:.1f} | {more} |")
    return "\n".join(lines)


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling",
        description="How calls grow with threads: multiples of what one thread does, and in brackets the same for each "
        "second of a processor, which is 1 where threads are not in each other's way.",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement (default %(default)s)")
    chosen = parser.parse_args()
    title = f"CPython {platform.python_version()}{', free-threaded' if is_free_threaded() else ''}"
    print(f"{os.cpu_count()} processors\n\n{table(measured(chosen.rounds, chosen.seconds), title)}")


if __name__ == "__main__":
    main()
