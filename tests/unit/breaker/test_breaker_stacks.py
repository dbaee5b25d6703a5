"""Blocks that overlap and are left by ``ExitStack``, under every kind of policy (rules R03, R08, R09)."""

import asyncio
import contextlib
import logging

import pytest

from fuseboard import CircuitBreaker, FailureRate, Failures, Policy, SlowRate, State, Store
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
@pytest.mark.parametrize("nested", [False, True])
def test_no_block_counts_as_longer_than_it_was(big_store: Store, clock: Clock, order: str, nested: bool) -> None:
    """R20: each of these takes less than is slow, in whatever order they end."""
    breaker = CircuitBreaker("db", policy=SlowRate(1, slow_after=1, min_calls=99), store=big_store)
    times = 2 if nested else 1

    def enter() -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        for _ in range(times):
            breaker.__enter__()
            stack.push(breaker)
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
    assert [(6 * times, 0)] == list(breaker.rates().values())


def test_blocks_that_all_took_long_are_slow(big_store: Store, clock: Clock) -> None:
    """R20: they began together, so whose permit is whose makes no difference."""
    breaker = CircuitBreaker("db", policy=SlowRate(1, slow_after=1, min_calls=TASKS), store=big_store)
    stacks = [entered(breaker) for _ in range(TASKS)]
    clock.advance(1)
    for stack in stacks:
        end(stack, fails=False)
    assert State.OPEN is breaker.state


@pytest.mark.parametrize(("fails", "after"), [(True, State.OPEN), (False, State.CLOSED)])
def test_probes_that_overlap_are_each_counted(
    big_store: Store, clock: Clock, fails: bool, after: State, caplog: pytest.LogCaptureFixture
) -> None:
    """R07, R08, R25: of the probes of one generation any may stand for another."""
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
    assert "nobody can tell" not in caplog.text


def test_a_shadows_blocks_are_alike(big_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """R27: what goes on unguarded has no permit that could be mistaken for another."""
    breaker = CircuitBreaker("db", shadow=True, store=big_store)
    breaker.isolate()
    with caplog.at_level(logging.WARNING, "fuseboard"):
        for stack in [entered(breaker) for _ in range(3)]:
            stack.close()
    assert "nobody can tell" not in caplog.text


def test_what_nobody_can_tell_is_logged_once(big_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """R09: permits of two generations; the breaker says what to write instead, and says it once."""
    breaker = CircuitBreaker("db", store=big_store)
    for _ in range(2):
        old = entered(breaker)
        breaker.reset()
        new = entered(breaker)
        with caplog.at_level(logging.WARNING, "fuseboard"):
            old.close()
            new.close()
    told = [record.getMessage() for record in caplog.records if "nobody can tell" in record.getMessage()]
    assert 1 == len(told)
    assert "circuit 'db'" in told[0]
    assert told[0].endswith("Use stack.enter_context(breaker.permit()), which is exact.")
    assert 0 == big_store.snapshot()["db"].successes


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
