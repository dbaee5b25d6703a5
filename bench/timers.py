"""Timers: each runs its subject a number of times and returns the seconds that took.

Each timer has a code object of its own. CPython rewrites a call's byte code for what it has met there, so a loop that
several subjects share would be tuned to none of them, while a loop in a program is tuned to what it calls.
"""

import asyncio
import itertools
import random
import time
import types
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack
from typing import Any

from bench.yardsticks import plain

Timer = Callable[[int], float]
"""Runs its subject that many times and returns the seconds it took."""

ROW = 64
"""Failing calls between two resets of a fuse."""


def _own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with a code object that it shares with no other."""
    assert isinstance(function, types.FunctionType)  # noqa: S101 - for the type checker
    code = function.__code__.replace()
    return types.FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )


def of_loop() -> Timer:
    """Times the loop that all these timers have, with nothing in it."""

    def timer(count: int) -> float:
        rounds = itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            pass
        return time.perf_counter() - begin

    return _own_code(timer)


def of_call(function: Callable[[Any], object], argument: object = 1) -> Timer:
    """Times a call with one argument that returns."""

    def timer(count: int) -> float:
        call, value, rounds = function, argument, itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            call(value)
        return time.perf_counter() - begin

    return _own_code(timer)


def of_bare_call(function: Callable[[], object]) -> Timer:
    """Times a call without arguments."""

    def timer(count: int) -> float:
        call, rounds = function, itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            call()
        return time.perf_counter() - begin

    return _own_code(timer)


def of_calls_in_turn(functions: Sequence[Callable[[Any], object]]) -> Timer:
    """Times calls of many functions, one after the other in an order without a pattern."""
    shuffled = random.Random(0).sample(functions, len(functions))  # noqa: S311 - the same order in each run
    forever = itertools.cycle(shuffled)

    def timer(count: int) -> float:
        calls = itertools.islice(forever, count)
        begin = time.perf_counter()
        for call in calls:
            call(1)
        return time.perf_counter() - begin

    return _own_code(timer)


def of_call_with_each(function: Callable[[Any], object], arguments: Sequence[object]) -> Timer:
    """Times calls of one function with many arguments, in an order without a pattern."""
    forever = itertools.cycle(random.Random(0).sample(arguments, len(arguments)))  # noqa: S311 - ditto

    def timer(count: int) -> float:
        call, values = function, itertools.islice(forever, count)
        begin = time.perf_counter()
        for value in values:
            call(value)
        return time.perf_counter() - begin

    return _own_code(timer)


def of_raise(function: Callable[[int], object], caught: type[BaseException]) -> Timer:
    """Times a call that raises, and the catching. A call that returns, or raises something else, is an error."""

    def timer(count: int) -> float:
        call, expected, rounds = function, caught, itertools.repeat(None, count)
        returned = 0
        begin = time.perf_counter()
        for _ in rounds:
            try:
                call(1)
                returned += 1
            except expected:
                pass
        elapsed = time.perf_counter() - begin
        if returned:
            raise RuntimeError(f"{returned} of {count} calls returned instead of raising")
        return elapsed

    return _own_code(timer)


def of_rows(timer: Timer, before_each: Callable[[], object], row: int = ROW) -> Timer:
    """Times rows of what another timer times, with something before each that is not timed."""

    def timed(count: int) -> float:
        elapsed = 0.0
        for begin in range(0, count, row):
            before_each()
            elapsed += timer(min(row, count - begin))
        return elapsed

    return timed


def of_await(function: Callable[[int], Awaitable[object]]) -> Timer:
    """Times an awaited call, within one event loop."""

    async def loop(count: int) -> float:
        call, rounds = function, itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            await call(1)
        return time.perf_counter() - begin

    own = _own_code(loop)
    return lambda count: asyncio.run(own(count))


def of_with(manager: AbstractContextManager[object]) -> Timer:
    """Times a ``with`` block around a call."""

    def timer(count: int) -> float:
        block, call, rounds = manager, plain, itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            with block:
                call(1)
        return time.perf_counter() - begin

    return _own_code(timer)


def of_exit_stack(manager: AbstractContextManager[object]) -> Timer:
    """Times the same where one ``ExitStack`` enters the block and leaves it; its making is not timed."""

    def timer(count: int) -> float:
        block, call, stack, rounds = manager, plain, ExitStack(), itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            stack.enter_context(block)
            call(1)
            stack.close()
        return time.perf_counter() - begin

    return _own_code(timer)


def of_with_made(make: Callable[[], AbstractContextManager[object]]) -> Timer:
    """Times the same where each block takes a context manager of its own, and its making."""

    def timer(count: int) -> float:
        make_block, call, rounds = make, plain, itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            with make_block():
                call(1)
        return time.perf_counter() - begin

    return _own_code(timer)


def of_async_with(manager: AbstractAsyncContextManager[object]) -> Timer:
    """Times an ``async with`` block around a plain call."""

    async def loop(count: int) -> float:
        block, call, rounds = manager, plain, itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            async with block:
                call(1)
        return time.perf_counter() - begin

    own = _own_code(loop)
    return lambda count: asyncio.run(own(count))


def of_async_with_made(make: Callable[[], AbstractAsyncContextManager[object]]) -> Timer:
    """Times the same where each block takes a context manager of its own, and its making."""

    async def loop(count: int) -> float:
        make_block, call, rounds = make, plain, itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            async with make_block():
                call(1)
        return time.perf_counter() - begin

    own = _own_code(loop)
    return lambda count: asyncio.run(own(count))


def of_attribute(holder: Any) -> Timer:
    """Times a reading of the attribute ``state``."""

    def timer(count: int) -> float:
        value, rounds = holder, itertools.repeat(None, count)
        begin = time.perf_counter()
        for _ in rounds:
            value.state  # noqa: B018 - the reading is what is timed
        return time.perf_counter() - begin

    return _own_code(timer)
