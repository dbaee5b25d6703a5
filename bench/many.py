"""Does the number of fuses matter: to a call, to a reading of one, to a reading of all, in bytes."""

import functools
import types
from collections.abc import Iterator
from typing import Any

from bench import timers
from bench.measure import Effort, Row, Subject, measure
from bench.yardsticks import plain
from fuseboard import CircuitBreaker, Store

ROOM = 16
"""Room for failures in these stores: little, so that many fuses fit."""
SIZES = (16, 256, 2_048)
"""Rooms for failures whose bytes are told."""


def _copies(count: int) -> list[Any]:
    """So many functions, each an object of its own."""
    return [types.FunctionType(plain.__code__, plain.__globals__) for _ in range(count)]


def subjects(count: int, store: Store) -> Iterator[Subject]:
    """What is timed with so many fuses in use. In turn means: each call goes to another one than the call before."""
    names = [f"fuse-{number}" for number in range(count)]
    functions = _copies(count)
    breakers = [CircuitBreaker(name, store=store) for name in names]
    guards = [breaker(function) for breaker, function in zip(breakers, functions, strict=True)]
    for guard in guards:
        guard(1)
    partials = [functools.partial(function) for function in functions]
    group = f"fuses {count:,}"
    yield Subject(group, "bare call, in turn", "yardstick", timers.of_calls_in_turn(functions))
    yield Subject(group, "functools.partial, in turn", "yardstick", timers.of_calls_in_turn(partials))
    yield Subject(group, "fuseboard, guard, in turn", "ours", timers.of_calls_in_turn(guards))
    yield Subject("one of many", f"fuseboard, guard, one of {count:,}", "ours", timers.of_call(guards[0]))
    in_turn = timers.of_call_with_each(store.state, names)
    yield Subject("many", f"store.state(name), {count:,} in turn", "ours", in_turn)
    yield Subject("many", f"all_states(), {count:,} fuses", "ours", timers.of_bare_call(store.all_states), count)
    yield Subject("many", f"snapshot(), {count:,} fuses", "ours", timers.of_bare_call(store.snapshot), count)


def run(effort: Effort) -> list[Row]:
    """Times all of it, each number of fuses in a store of its own."""
    found = [Subject("one of many", "bare call", "yardstick", timers.of_call(plain))]
    for count in effort.fuses:
        store = Store.shared(f"many-{count}", fuses=count, failures=ROOM, strict=True)
        found.extend(subjects(count, store))
    return measure(found, effort)


def sizes() -> list[dict[str, int]]:
    """Bytes of a table, in all and per fuse, for rooms for failures."""
    found = []
    for failures in SIZES:
        store = Store.private(failures=failures)
        size, fuses = store.size_bytes, store.fuse_capacity
        found.append({"failures": failures, "fuses": fuses, "bytes": size, "bytes_per_fuse": size // fuses})
    return found
