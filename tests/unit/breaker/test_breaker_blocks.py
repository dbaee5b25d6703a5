"""``with`` and ``async with``: each block is a call of its own, whatever runs beside it."""

import asyncio
import contextlib
import threading
from collections.abc import Generator

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, fail, rejection, trip, wait_for_probe


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure, for a second, and lets two probes through."""
    return CircuitBreaker("db", threshold=2, reset_timeout=1, probes=2, store=store)


def outcomes(breaker: CircuitBreaker) -> tuple[int, int, int]:
    """Successes, failures and ignored outcomes so far."""
    told = breaker.store.snapshot()[breaker.name]
    return told.successes, told.failures, told.ignored


def test_a_block_that_ends_is_a_success(breaker: CircuitBreaker) -> None:
    """R04, R16: and ``with`` binds nothing."""
    with breaker as bound:
        pass
    assert (None, (1, 0, 0)) == (bound, outcomes(breaker))


def test_a_block_that_raises_is_a_failure(breaker: CircuitBreaker) -> None:
    """R03, R16: the exception goes on as it is."""
    error = BoomError()
    with pytest.raises(BoomError) as caught, breaker:
        raise error
    assert error is caught.value
    assert (0, 1, 0) == outcomes(breaker)


def test_a_block_left_by_return_or_continue_is_a_success(breaker: CircuitBreaker) -> None:
    """How a block ends without an exception matters not."""

    def leave() -> int:
        for _ in range(2):
            with breaker:
                continue
        with breaker:
            return 7

    assert (7, (3, 0, 0)) == (leave(), outcomes(breaker))


def test_a_rejected_block_is_not_entered(breaker: CircuitBreaker) -> None:
    """R05: nothing of the block runs, and leaves nothing behind for the next one (R18)."""
    trip(breaker)
    entered = False
    with pytest.raises(CircuitOpenError), breaker:
        entered = True
    assert (False, (0, 2, 0)) == (entered, outcomes(breaker))


def test_nested_blocks_are_calls_of_their_own(breaker: CircuitBreaker) -> None:
    """A breaker can be entered while it is entered; the innermost block is left first."""
    with breaker, breaker:
        with contextlib.suppress(BoomError), breaker:
            boom()
        assert (0, 1, 0) == outcomes(breaker)
    assert (2, 1, 0) == outcomes(breaker)


def test_a_nested_block_keeps_its_own_generation(breaker: CircuitBreaker) -> None:
    """R09: a block entered before a reset is late, the one inside it, entered after, is not."""
    with contextlib.suppress(BoomError), breaker:
        breaker.reset()
        fail(breaker)
        with contextlib.suppress(BoomError), breaker:
            boom()
        assert State.OPEN is breaker.state
        breaker.reset()
        boom()
    assert (State.CLOSED, 1) == (breaker.state, breaker.store.snapshot()["db"].late_outcomes)


def test_blocks_of_recursive_calls_are_told_apart(breaker: CircuitBreaker) -> None:
    """Each level has a permit of its own."""

    def recurse(depth: int) -> int:
        with breaker:
            return 0 if 0 == depth else 1 + recurse(depth - 1)

    assert (50, (51, 0, 0)) == (recurse(50), outcomes(breaker))


def test_blocks_of_generators_may_end_in_any_order(breaker: CircuitBreaker, clock: Clock) -> None:
    """R09: each block is settled with the permit it entered with, however they interleave."""

    def hold() -> Generator[None, BaseException | None, None]:
        with breaker:
            error = yield
            if error is not None:
                raise error

    wait_for_probe(breaker, clock)
    first, second = hold(), hold()
    next(first)
    next(second)
    assert rejection(breaker) is not None
    with contextlib.suppress(StopIteration):
        first.send(None)
    assert State.CLOSED is breaker.state
    with pytest.raises(BoomError):
        second.send(BoomError())
    assert (State.CLOSED, 1) == (breaker.state, breaker.store.snapshot()["db"].late_outcomes)


def test_many_interleaved_blocks_settle_their_own_permits(breaker: CircuitBreaker) -> None:
    """R09: only the blocks entered in this generation count, in whatever order they end."""

    def hold() -> Generator[None, None, None]:
        with breaker:
            yield
            boom()

    old = [hold() for _ in range(20)]
    [next(block) for block in old]
    breaker.reset()
    new = [hold() for _ in range(2)]
    [next(block) for block in new]
    order = [*old[::3], new[0], *old[1::3], *old[2::3]]
    for block in order:
        with pytest.raises(BoomError):
            next(block)
    assert (State.CLOSED, 20) == (breaker.state, breaker.store.snapshot()["db"].late_outcomes)
    with pytest.raises(BoomError):
        next(new[1])
    assert State.OPEN is breaker.state


def test_a_generator_closed_inside_a_block_counts_neither_way(breaker: CircuitBreaker) -> None:
    """R10: ``GeneratorExit`` gives the permit back."""

    def hold() -> Generator[None, None, None]:
        with breaker:
            yield

    block = hold()
    next(block)
    block.close()
    assert (0, 0, 1) == outcomes(breaker)


def test_blocks_of_threads_are_told_apart(store: Store) -> None:
    """R16: eight threads are inside at once; each block has the outcome of its own thread."""
    breaker = CircuitBreaker("db", threshold=30, clear_on_success=False, store=store)
    inside, failing = threading.Barrier(8, timeout=30), set(range(0, 8, 2))

    def work(number: int) -> None:
        with contextlib.suppress(BoomError), breaker:
            inside.wait()
            if number in failing:
                boom()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert (4, 4, 0) == outcomes(breaker)


def test_blocks_of_tasks_are_told_apart(breaker: CircuitBreaker) -> None:
    """R09: tasks interleave in one thread; those that entered before the reset are late."""

    async def hold(entered: asyncio.Event, leave: asyncio.Event) -> None:
        async with breaker as bound:
            assert bound is None
            entered.set()
            await leave.wait()
            boom()

    states = []

    async def main() -> None:
        gates = [(asyncio.Event(), asyncio.Event()) for _ in range(6)]
        tasks = []
        for entered, leave in gates:
            if 4 == len(tasks):
                breaker.reset()
            tasks.append(asyncio.create_task(hold(entered, leave)))
            await entered.wait()
        for number in (1, 3, 0, 2, 5, 4):
            gates[number][1].set()
            await asyncio.wait([tasks[number]])
            states.append(breaker.state)
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert [State.CLOSED] * 5 + [State.OPEN] == states
    assert (4, 6) == (breaker.store.snapshot()["db"].late_outcomes, breaker.store.snapshot()["db"].failures)


def test_a_cancelled_block_counts_neither_way(breaker: CircuitBreaker) -> None:
    """R10: cancellation gives the permit back."""

    async def main() -> None:
        async def hold() -> None:
            async with breaker:
                await asyncio.Event().wait()

        task = asyncio.create_task(hold())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (0, 0, 1) == outcomes(breaker)


def test_entering_asynchronously_does_not_yield_to_the_loop(breaker: CircuitBreaker) -> None:
    """Decisions never block: nothing else runs between ``async with`` and its block."""
    ran: list[str] = []

    async def main() -> None:
        other = asyncio.create_task(asyncio.sleep(0, ran.append("other")))
        ran.clear()
        async with breaker:
            ran.append("block")
        ran.append("after")
        await other

    asyncio.run(main())
    assert ["block", "after"] == ran


@pytest.mark.parametrize("depth", [1, 3])
def test_an_exit_stack_is_a_block(breaker: CircuitBreaker, depth: int) -> None:
    """``ExitStack`` enters from one frame and leaves from another."""
    with contextlib.ExitStack() as stack:
        for _ in range(depth):
            stack.enter_context(breaker)
    with contextlib.suppress(BoomError), contextlib.ExitStack() as stack:
        stack.enter_context(breaker)
        boom()
    assert (depth, 1, 0) == outcomes(breaker)


def test_an_asynchronous_exit_stack_is_a_block(breaker: CircuitBreaker) -> None:
    """``AsyncExitStack`` too, with both kinds of entering."""

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(breaker)
            stack.enter_context(breaker)

    asyncio.run(main())
    assert (2, 0, 0) == outcomes(breaker)


def test_a_probe_in_an_exit_stack_closes_the_fuse(breaker: CircuitBreaker, clock: Clock) -> None:
    """R07: the probe's permit is found again."""
    wait_for_probe(breaker, clock)
    with contextlib.ExitStack() as stack:
        stack.enter_context(breaker)
        assert State.HALF_OPEN is breaker.state
    assert State.CLOSED is breaker.state
