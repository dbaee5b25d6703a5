"""Blocks whose two methods are called by hand, each by itself: exact within one thread or task (rule R09)."""

import asyncio
import contextlib
import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import Callable

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, fail, rejection, wait_for_probe

ADVICE = "Elsewhere use stack.enter_context(breaker.permit())."


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the first failure, for a second, and lets two probes through."""
    return CircuitBreaker("db", threshold=1, reset_timeout=1, probe_timeout=1, probes=2, store=store)


def enter(breaker: CircuitBreaker) -> None:
    """Begins a block in a frame of its own."""
    breaker.__enter__()


def leave(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    """Ends a block in a frame of its own."""
    breaker.__exit__(None if error is None else type(error), error, None)


def counted(breaker: CircuitBreaker) -> tuple[int, int, int, int]:
    """Successes, failures, ignored and late outcomes so far."""
    seen = breaker.store.snapshot()[breaker.name]
    return seen.successes, seen.failures, seen.ignored, seen.late_outcomes


def in_a_thread(act: Callable[[], object]) -> None:
    """Does it in another thread, whose context is empty."""
    thread = threading.Thread(target=lambda: contextvars.Context().run(act))
    thread.start()
    thread.join()


def test_a_helper_may_enter_and_another_leave(store: Store) -> None:
    """A class of a user's own that wraps ``__enter__`` and ``__exit__`` needs no frame that stays."""
    breaker = CircuitBreaker("db", threshold=2, store=store)
    enter(breaker)
    leave(breaker)
    enter(breaker)
    leave(breaker, BoomError())
    assert ((1, 1, 0, 0), State.CLOSED) == (counted(breaker), breaker.state)


def test_the_latest_block_ends_first(breaker: CircuitBreaker, clock: Clock) -> None:
    """R07, R09: the probe that began inside an older block ends before it; the older block's failure is late."""
    enter(breaker)
    wait_for_probe(breaker, clock)
    enter(breaker)
    leave(breaker)
    assert State.CLOSED is breaker.state
    before = counted(breaker)
    leave(breaker, BoomError())
    assert (State.CLOSED, before[3] + 1) == (breaker.state, counted(breaker)[3])


def test_each_breaker_has_its_own_blocks(store: Store) -> None:
    """Also of one fuse, and whichever of them ends first."""
    one, other = (CircuitBreaker("db", threshold=1, store=store) for _ in range(2))
    strict = CircuitBreaker("mail", threshold=1, store=store)
    for each in (one, strict, other):
        enter(each)
    leave(one)
    leave(strict, BoomError())
    leave(other)
    assert ((2, 0, 0, 0), State.CLOSED, State.OPEN) == (counted(one), one.state, strict.state)


def test_each_thread_has_its_own_blocks(breaker: CircuitBreaker, clock: Clock) -> None:
    """R09: an old block of this thread and a probe of another one, which ends first."""
    enter(breaker)
    wait_for_probe(breaker, clock)

    def probe() -> None:
        enter(breaker)
        leave(breaker)

    in_a_thread(probe)
    assert State.CLOSED is breaker.state
    leave(breaker, BoomError())
    assert (State.CLOSED, 1) == (breaker.state, counted(breaker)[3])


def test_each_task_has_its_own_blocks(breaker: CircuitBreaker) -> None:
    """R09: of tasks that are in their blocks at once, those that began before a reset are late; they end first."""

    async def work(begun: asyncio.Event, end: asyncio.Event) -> None:
        await breaker.__aenter__()
        begun.set()
        await end.wait()
        await breaker.__aexit__(BoomError, BoomError(), None)

    async def main() -> list[State]:
        events = [(asyncio.Event(), asyncio.Event()) for _ in range(2)]
        tasks, states = [], []
        for begun, end in events:
            tasks.append(asyncio.create_task(work(begun, end)))
            await begun.wait()
            breaker.reset()
        breaker.reset()
        async with asyncio.timeout(9):
            await breaker.__aenter__()
            for (_, end), task in zip(events, tasks, strict=True):
                end.set()
                await task
                states.append(breaker.state)
            await breaker.__aexit__(BoomError, BoomError(), None)
        return [*states, breaker.state]

    assert [State.CLOSED, State.CLOSED, State.OPEN] == asyncio.run(main())
    assert 2 == counted(breaker)[3]


def test_a_subclass_that_wraps_the_methods(store: Store, clock: Clock) -> None:
    """Its ``with`` statements nest, in threads and tasks of their own; each block has its own outcome."""

    class Wrapped(CircuitBreaker):
        def __enter__(self) -> None:
            super().__enter__()

        def __exit__(self, *error: object) -> bool:
            return super().__exit__(*error)  # type: ignore[arg-type]

    breaker = Wrapped("db", threshold=1, reset_timeout=1, store=store)
    with contextlib.suppress(BoomError), breaker:
        wait_for_probe(breaker, clock)
        with breaker:
            pass
        assert State.CLOSED is breaker.state
        boom()
    assert (State.CLOSED, 1) == (breaker.state, counted(breaker)[3])


def test_an_end_in_another_thread_counts_for_nothing(breaker: CircuitBreaker, caplog: pytest.LogCaptureFixture) -> None:
    """It says what to write instead, once. The block may still end where it began."""
    for _ in range(2):
        enter(breaker)
    with caplog.at_level(logging.WARNING, "fuseboard"):
        for _ in range(2):
            in_a_thread(lambda: leave(breaker, BoomError()))
    (said,) = [record.getMessage() for record in caplog.records]
    assert "breaker 'db'" in said
    assert said.endswith(ADVICE)
    assert ((0, 0, 0, 0), State.CLOSED, 0) == (counted(breaker), breaker.state, breaker.faults)
    for _ in range(2):
        leave(breaker)
    assert (2, 0, 0, 0) == counted(breaker)


def test_an_end_without_a_beginning_counts_for_nothing(
    breaker: CircuitBreaker, caplog: pytest.LogCaptureFixture
) -> None:
    """And swallows nothing; one after a ``with`` statement too."""
    with breaker:
        pass
    with caplog.at_level(logging.WARNING, "fuseboard"):
        assert breaker.__exit__(BoomError, BoomError(), None) is False
    assert ((1, 0, 0, 0), True) == (counted(breaker), caplog.records[0].getMessage().endswith(ADVICE))


def test_a_copy_of_the_context_does_not_count_a_block_twice(breaker: CircuitBreaker) -> None:
    """A task that was started inside a block, and ends it, has ended it: the first outcome counts."""
    enter(breaker)
    contextvars.copy_context().run(leave, breaker)
    leave(breaker, BoomError())
    assert ((1, 0, 0, 0), State.CLOSED) == (counted(breaker), breaker.state)


def test_a_probe_that_never_ends_goes_back_with_its_context(store: Store, clock: Clock) -> None:
    """R11: nobody can end it any more."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, store=store)
    wait_for_probe(breaker, clock)
    in_a_thread(lambda: enter(breaker))
    gc.collect()
    assert rejection(breaker) is None


def test_a_block_by_hand_leaves_with_statements_alone(breaker: CircuitBreaker, clock: Clock) -> None:
    """R08, R09: a ``with`` statement keeps its own permit, whatever ends meanwhile."""
    enter(breaker)
    wait_for_probe(breaker, clock)
    with contextlib.suppress(BoomError), breaker:
        leave(breaker)
        assert State.HALF_OPEN is breaker.state
        boom()
    assert State.OPEN is breaker.state


def test_a_block_under_way_keeps_what_it_needs_and_no_more(store: Store) -> None:
    """R18: a breaker of an open block lives, one of an ended block may go."""
    breaker = CircuitBreaker("db", store=store)
    gone = weakref.ref(breaker)
    enter(breaker)
    leave(breaker)
    fail(breaker)
    del breaker
    gc.collect()
    assert gone() is None
