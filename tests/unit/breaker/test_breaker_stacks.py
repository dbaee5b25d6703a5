"""Blocks that an ``ExitStack`` enters and leaves: each has its own permit, whatever overlaps (rules R03, R08, R09)."""

import asyncio
import contextlib
import contextvars
import logging
import threading
import unittest
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, FailureRate, Failures, Policy, SlowRate, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, wait_for_probe

TASKS = 50
POLICIES = [
    Failures(TASKS, window=None),
    FailureRate(1, min_calls=TASKS),
    FailureRate(1, calls=TASKS, min_calls=TASKS),
    SlowRate(1, slow_after=1, min_calls=TASKS) | FailureRate(1, min_calls=TASKS),
]


@pytest.fixture
def big_store(clock: Clock) -> Store:
    """A store that counts many failures."""
    return Store.private(failures=64, clock=clock)


def entered(breaker: CircuitBreaker) -> contextlib.ExitStack:
    """A block whose frame has ended."""
    stack = contextlib.ExitStack()
    stack.enter_context(breaker)
    return stack


def end(stack: contextlib.ExitStack, *, fails: bool) -> None:
    """Ends a block, well or badly."""
    with contextlib.suppress(BoomError), stack:
        if fails:
            raise BoomError


async def overlap(breaker: CircuitBreaker, *, exact: bool) -> None:
    """Tasks that are all in their blocks before the first of them fails."""
    inside = 0
    all_inside = asyncio.Event()

    async def work() -> None:
        nonlocal inside
        async with contextlib.AsyncExitStack() as stack:
            if exact:
                stack.enter_context(breaker.permit())
            else:
                await stack.enter_async_context(breaker)
            inside += 1
            if inside == TASKS:
                all_inside.set()
            await all_inside.wait()
            raise BoomError

    ended = await asyncio.gather(*(work() for _ in range(TASKS)), return_exceptions=True)
    assert {BoomError} == set(map(type, ended))


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_stacks_that_overlap_open_the_fuse(big_store: Store, policy: Policy) -> None:
    """R03, R19: the last of the failures that it takes opens, whichever block it is of."""
    breaker = CircuitBreaker("db", policy=policy, store=big_store)
    stacks = [entered(breaker) for _ in range(TASKS)]
    for stack in stacks:
        assert State.CLOSED is breaker.state
        end(stack, fails=True)
    assert State.OPEN is breaker.state
    told = big_store.snapshot()["db"]
    assert (TASKS, 0) == (told.failures, told.late_outcomes)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("exact", [False, True])
def test_asynchronous_stacks_of_many_tasks_open_the_fuse(big_store: Store, policy: Policy, exact: bool) -> None:
    """The same for tasks of an event loop, by blocks and by permits."""
    breaker = CircuitBreaker("db", policy=policy, store=big_store)
    asyncio.run(overlap(breaker, exact=exact))
    assert (State.OPEN, TASKS) == (breaker.state, big_store.snapshot()["db"].failures)


@pytest.mark.parametrize("order", ["first in, first out", "last in, first out"])
@pytest.mark.parametrize("times", [1, 2])
def test_each_block_takes_as_long_as_it_took(big_store: Store, clock: Clock, order: str, times: int) -> None:
    """R20: whatever order they end in, only the last one is slow."""
    breaker = CircuitBreaker("db", policy=SlowRate(1, slow_after=1, min_calls=99), store=big_store)

    def enter() -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        for _ in range(times):
            stack.enter_context(breaker)
        return stack

    stacks = []
    for _ in range(6):
        stacks.append(enter())
        clock.advance(0.3)
        if order == "last in, first out":
            end(stacks.pop(), fails=False)
        elif len(stacks) == 3:
            end(stacks.pop(0), fails=False)
    for stack in stacks:
        end(stack, fails=False)
    slow = enter()
    clock.advance(1)
    end(slow, fails=False)
    assert [(7 * times, times)] == list(breaker.rates().values())


@pytest.mark.parametrize(("fails", "after"), [(True, State.OPEN), (False, State.CLOSED)])
def test_probes_that_overlap_are_each_counted(
    big_store: Store, clock: Clock, fails: bool, after: State, caplog: pytest.LogCaptureFixture
) -> None:
    """R07, R08, R25: whichever of them ends first, each counts once."""
    breaker = CircuitBreaker(
        "db", threshold=1, reset_timeout=1, probes=3, success_threshold=3, probe_failures=3, store=big_store
    )
    wait_for_probe(breaker, clock)
    stacks = [entered(breaker) for _ in range(3)]
    for stack in (stacks[1], stacks[2]):
        end(stack, fails=fails)
        assert State.HALF_OPEN is breaker.state
    with caplog.at_level(logging.WARNING, "fuseboard"):
        end(stacks[0], fails=fails)
    assert (after, 3) == (breaker.state, big_store.snapshot()["db"].probes)
    assert "not counted" not in caplog.text


@pytest.mark.parametrize("first", ["old", "probe"])
@pytest.mark.parametrize("fails", [False, True])
def test_an_old_block_does_not_pass_for_a_probe(big_store: Store, clock: Clock, first: str, fails: bool) -> None:
    """R09: the old outcome is late, and the probe's counts, in either order."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, store=big_store)
    stacks = {"old": entered(breaker)}
    wait_for_probe(breaker, clock)
    stacks["probe"] = entered(breaker)
    after = State.OPEN if fails else State.CLOSED
    for name in sorted(stacks, key=lambda name: name != first):
        end(stacks[name], fails=fails)
        assert (State.HALF_OPEN if (name, first) == ("old", "old") else after) is breaker.state
    assert 1 == big_store.snapshot()["db"].late_outcomes


def test_a_stack_may_end_in_another_thread(big_store: Store, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Its permit goes with it; nothing is logged. Beside it this thread has an older block."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, store=big_store)
    old = entered(breaker)
    wait_for_probe(breaker, clock)
    probe = entered(breaker).pop_all()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "fuseboard"):
        thread = threading.Thread(target=lambda: contextvars.Context().run(probe.close))
        thread.start()
        thread.join()
    assert (State.CLOSED, []) == (breaker.state, caplog.records)
    old.close()
    assert (2, 1) == (big_store.snapshot()["db"].successes, big_store.snapshot()["db"].late_outcomes)


def test_an_asynchronous_stack_may_end_in_another_task(big_store: Store, clock: Clock) -> None:
    """As of an application that is started in one task and stopped in another."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, store=big_store)

    async def start(stack: contextlib.AsyncExitStack) -> None:
        await stack.enter_async_context(breaker)

    async def main() -> None:
        stacks = [contextlib.AsyncExitStack() for _ in range(2)]
        await asyncio.create_task(start(stacks[0]))
        wait_for_probe(breaker, clock)
        await asyncio.create_task(start(stacks[1]))
        for stack, state in zip(stacks, (State.HALF_OPEN, State.CLOSED), strict=True):
            await asyncio.create_task(stack.aclose())
            assert state is breaker.state

    asyncio.run(main())


def test_a_test_case_enters_a_block_as_a_stack_does(big_store: Store) -> None:
    """``unittest.TestCase.enterContext``: what a test is to clean up."""
    breaker = CircuitBreaker("db", store=big_store)
    case = unittest.TestCase()
    for _ in range(2):
        case.enterContext(breaker)
        breaker.reset()
    case.doCleanups()
    seen = big_store.snapshot()["db"]
    assert (2, 2) == (seen.successes, seen.late_outcomes)


def test_a_probe_in_a_stack_is_not_marked(big_store: Store, clock: Clock) -> None:
    """A stack may be handed on, so nobody knows what is inside: a guard inside asks for a permit of its own."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, store=big_store)
    wait_for_probe(breaker, clock)
    with contextlib.ExitStack() as stack:
        stack.enter_context(breaker)
        with pytest.raises(CircuitOpenError):
            breaker.call(int)
    assert State.CLOSED is breaker.state


def test_a_rejected_block_leaves_nothing_in_the_stack(big_store: Store) -> None:
    """R05: the stack has nothing to leave."""
    breaker = CircuitBreaker("db", store=big_store)
    breaker.isolate()
    with contextlib.ExitStack() as stack, pytest.raises(CircuitOpenError):
        stack.enter_context(breaker)
    assert (1, 0) == (big_store.snapshot()["db"].rejections, big_store.snapshot()["db"].ignored)


def test_look_ups_of_two_threads_do_not_mix(big_store: Store) -> None:
    """A thread that was between the look-ups of the two methods; and each has its outcome, kept by hand."""
    one, other = (CircuitBreaker(name, threshold=1, store=big_store) for name in ("one", "other"))
    begin = type(one).__enter__
    thread = threading.Thread(target=lambda: entered(other).close())
    thread.start()
    thread.join()
    lonely: list[Any] = []
    thread = threading.Thread(target=lambda: lonely.append(type(other).__enter__))
    thread.start()
    thread.join()
    finish = type(one).__exit__
    begin(one)
    lonely[0](other)
    finish(other, None, None, None)
    finish(one, BoomError, BoomError(), None)
    assert (State.OPEN, State.CLOSED) == (one.state, other.state)
    assert 2 == big_store.snapshot()["other"].successes


def test_methods_that_are_kept_serve_many_breakers(big_store: Store) -> None:
    """Looked up once, called for one breaker and then, inside and after, for others."""
    begin, finish = CircuitBreaker.__enter__, CircuitBreaker.__exit__
    one, other = (CircuitBreaker(name, threshold=1, store=big_store) for name in ("one", "other"))
    for _ in range(2):
        begin(one)
        begin(other)
        finish(one, None, None, None)
        finish(other, None, None, None)
    begin(other)
    finish(other, BoomError, BoomError(), None)
    assert (State.CLOSED, State.OPEN) == (one.state, other.state)
    assert 2 == big_store.snapshot()["one"].successes


def test_a_method_that_a_class_borrows_is_bound_to_its_instances(big_store: Store) -> None:
    """As a function is: a subclass that gives the old method another name."""

    class Renamed(CircuitBreaker):
        begin, finish = CircuitBreaker.__enter__, CircuitBreaker.__exit__

    for name in ("one", "other"):
        breaker = Renamed(name, threshold=1, store=big_store)
        breaker.begin()
        breaker.finish(BoomError, BoomError(), None)
        assert State.OPEN is breaker.state


@pytest.mark.parametrize("arguments", [(), (None,), ("db", None, None, None)])
def test_methods_of_the_class_want_a_breaker(arguments: tuple[Any, ...]) -> None:
    """They are refused without one, looked up in pairs and alone."""
    pair: list[Any] = [CircuitBreaker.__enter__, CircuitBreaker.__exit__]
    for method in (*pair, CircuitBreaker.__exit__):
        with pytest.raises(TypeError, match=r"^the method of a block is a breaker's$"):
            method(*arguments)


def test_a_shadows_blocks_go_on_unguarded(big_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """R27: they begin and end as others do."""
    breaker = CircuitBreaker("db", shadow=True, store=big_store)
    breaker.isolate()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "fuseboard"):
        for stack in [entered(breaker) for _ in range(3)]:
            stack.close()
    assert [] == caplog.records


def test_a_stack_of_permits_is_exact(big_store: Store, clock: Clock) -> None:
    """R09, R20: over a change of state and in any order each outcome is its own."""
    breaker = CircuitBreaker("db", policy=SlowRate(1, slow_after=1, min_calls=99), reset_timeout=1, store=big_store)
    stacks = []
    for _ in range(2):
        stacks.append(contextlib.ExitStack())
        stacks[-1].enter_context(breaker.permit())
        breaker.store.set_open("db")
        clock.advance(1)
    stacks.append(contextlib.ExitStack())
    stacks[-1].enter_context(breaker.permit())
    for stack in stacks:
        stack.close()
    told = big_store.snapshot()["db"]
    assert (State.CLOSED, 3, 2) == (breaker.state, told.successes, told.late_outcomes)
