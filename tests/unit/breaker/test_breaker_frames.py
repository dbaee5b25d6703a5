"""Permits that are entered in one frame and left in another: ``ExitStack``, and helpers of a user's own (rule R09)."""

import contextlib
import sys
import weakref
from collections.abc import Generator, Iterator
from types import FrameType

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, fail, rejection, wait_for_probe

ROUNDS = 30
"""Enough that a choice by chance is wrong at least once."""


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker that opens at the first failure, for a second, and lets two probes through."""
    return CircuitBreaker("db", threshold=1, reset_timeout=1, probe_timeout=1, probes=2, store=store)


@pytest.fixture
def breakers(store: Store) -> Iterator[CircuitBreaker]:
    """Such breakers on one fuse, each of which finds it closed: what chance decides, each decides anew."""

    def make() -> Iterator[CircuitBreaker]:
        for _ in range(ROUNDS):
            breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, probe_timeout=1, probes=2, store=store)
            breaker.reset()
            yield breaker

    return make()


class Local:
    """Something that a frame holds on to."""


def entered(breaker: CircuitBreaker) -> contextlib.ExitStack:
    """A block whose frame has ended."""
    stack = contextlib.ExitStack()
    stack.enter_context(breaker)
    return stack


def hold(breaker: CircuitBreaker) -> Generator[None, None, None]:
    """A block whose frame waits."""
    with breaker:
        yield
        boom()


def leave(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    """Leaves a block from a frame of its own."""
    breaker.__exit__(None if error is None else type(error), error, None)


def counted(breaker: CircuitBreaker) -> tuple[int, int, int, int]:
    """Successes, failures, ignored and late outcomes so far."""
    told = breaker.store.snapshot()[breaker.name]
    return told.successes, told.failures, told.ignored, told.late_outcomes


def test_a_helper_may_enter_and_another_leave(store: Store) -> None:
    """A class of a user's own that wraps ``__enter__`` and ``__exit__`` needs no frame that stays."""
    breaker = CircuitBreaker("db", threshold=2, store=store)

    def enter() -> None:
        breaker.__enter__()

    enter()
    leave(breaker)
    enter()
    leave(breaker, BoomError())
    assert ((1, 1, 0, 0), State.CLOSED) == (counted(breaker), breaker.state)


def test_alike_blocks_of_ended_frames_are_each_counted_once(store: Store) -> None:
    """R03: in whatever order they end, every outcome counts as what it was."""
    breaker = CircuitBreaker("db", threshold=4, clear_on_success=False, store=store)
    stacks = [entered(breaker) for _ in range(9)]
    for number in (4, 0, 8, 2, 6, 1):
        stacks[number].close()
    for number in (3, 7, 5):
        with contextlib.suppress(BoomError), stacks[number]:
            boom()
    assert ((6, 3, 0, 0), State.CLOSED) == (counted(breaker), breaker.state)
    fail(breaker)
    assert State.OPEN is breaker.state


@pytest.mark.parametrize("first", ["old", "probe"])
@pytest.mark.parametrize("error", [None, BoomError()])
def test_permits_that_nobody_can_tell_apart_change_nothing(
    breakers: Iterator[CircuitBreaker], clock: Clock, first: str, error: BoomError | None
) -> None:
    """R09: an old outcome must not pass for the probe's; so neither counts, and the probe runs to its deadline."""
    for breaker in breakers:
        stacks = {"old": entered(breaker)}
        wait_for_probe(breaker, clock)
        stacks["probe"] = entered(breaker)
        before = counted(breaker)
        for name in sorted(stacks, key=lambda name: name != first):
            with contextlib.suppress(BoomError), stacks[name]:
                if error is not None:
                    raise error
            assert (State.HALF_OPEN, before) == (breaker.state, counted(breaker))
        with breaker:
            assert rejection(breaker) is not None
            clock.advance(1)
            assert rejection(breaker) is None


def test_void_permits_leave_nothing_behind_for_later_blocks(breaker: CircuitBreaker, clock: Clock) -> None:
    """R09: once the indistinguishable ones are gone, blocks of ended frames count again."""
    old = entered(breaker)
    wait_for_probe(breaker, clock)
    probe = entered(breaker)
    old.close()
    probe.close()
    clock.advance(1)
    entered(breaker).close()
    assert State.CLOSED is breaker.state
    with contextlib.suppress(BoomError), entered(breaker):
        boom()
    assert State.OPEN is breaker.state


def test_a_block_of_an_ended_frame_leaves_nested_running_ones_alone(
    breakers: Iterator[CircuitBreaker], clock: Clock
) -> None:
    """R09: blocks of a frame that still runs are that frame's; the failure of the outer one opens the fuse (R08)."""
    states = []
    for breaker in breakers:
        old = entered(breaker)
        wait_for_probe(breaker, clock)
        with contextlib.suppress(BoomError), breaker:
            with contextlib.suppress(BoomError), breaker:
                old.close()
                boom()
            states.append(breaker.state)
            boom()
        states.append(breaker.state)
    assert [State.HALF_OPEN, State.OPEN] * ROUNDS == states


def test_a_frame_that_entered_twice_and_ended_leaves_nothing_to_its_successors(
    breakers: Iterator[CircuitBreaker],
) -> None:
    """R09: another frame may get its address, and must not be given a permit of its."""

    def use(times: int) -> None:
        # One function for both, so that its frames are of one size, and the second gets the place of the first.
        for _ in range(times):
            breaker.__enter__()
        if 1 == times:
            breaker.__exit__(BoomError, BoomError(), None)

    states = []
    for breaker in breakers:
        use(2)
        breaker.reset()
        leave(breaker)
        use(1)
        states.append(breaker.state)
    assert [State.OPEN] * ROUNDS == states


def enter_and_be_kept(breaker: CircuitBreaker) -> BaseException:
    """Enters a block in a frame that has ended and that a traceback keeps."""

    def enter() -> None:
        breaker.__enter__()
        boom()

    with pytest.raises(BoomError) as caught:
        enter()
    return caught.value


def test_a_block_whose_frame_a_traceback_keeps_is_found(breaker: CircuitBreaker) -> None:
    """A frame that does not look ended, where there is but one block: it is this one."""
    kept = enter_and_be_kept(breaker)
    leave(breaker)
    assert (1, 0, 0, 0) == counted(breaker)
    assert kept.__traceback__ is not None


def test_a_block_whose_frame_a_traceback_keeps_takes_no_permit_of_others(
    breakers: Iterator[CircuitBreaker], clock: Clock
) -> None:
    """R09: beside a probe that waits in a ``with`` statement, which has a permit of its own, the outcome is late."""
    for breaker in breakers:
        kept = enter_and_be_kept(breaker)
        wait_for_probe(breaker, clock)
        probe = hold(breaker)
        next(probe)
        successes, failures, ignored, late = counted(breaker)
        leave(breaker)
        assert (State.HALF_OPEN, (successes + 1, failures, ignored, late + 1)) == (breaker.state, counted(breaker))
        with contextlib.suppress(BoomError):
            next(probe)
        assert State.OPEN is breaker.state
        assert kept.__traceback__ is not None


def test_a_block_that_has_been_left_keeps_no_frame(breaker: CircuitBreaker) -> None:
    """What a frame held goes with it: by its own ``with``, by a stack, by another frame."""
    kept: list[weakref.ref[Local]] = []

    def enter(frame: FrameType | None = None) -> None:
        local = Local()
        kept.append(weakref.ref(local))
        breaker.__enter__()
        assert frame is None or local

    def block() -> None:
        local = Local()
        kept.append(weakref.ref(local))
        with breaker:
            assert local

    for _ in range(3):
        enter()
        assert kept[-1]() is not None
    enter(sys._getframe())
    for _ in range(4):
        leave(breaker)
    block()
    assert [None] * 5 == [local() for local in kept]
