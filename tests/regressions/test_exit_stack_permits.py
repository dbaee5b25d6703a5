"""An ``ExitStack`` enters a breaker from a frame that ends at once; its permit must still be its own.

Found in ``recall`` (``crates/fuseboard-py/src/breaker.rs``): what had no permit of its frame took any permit there was,
those of blocks that were still running included, in the random order of a hash map.
"""

import contextlib
import sys
from types import FrameType

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, fail

ROUNDS = 30
"""Enough that a choice by chance is wrong at least once."""


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the first failure, for a second."""
    return CircuitBreaker("db", threshold=1, reset_timeout=1, store=store)


def enter(stack: contextlib.ExitStack, breaker: CircuitBreaker) -> FrameType:
    """What ``enter_context`` does. Returns its ended frame: while that is kept, no other frame has its address."""
    breaker.__enter__()
    stack.push(breaker)
    return sys._getframe()


def test_a_stack_entered_before_the_trip_does_not_end_a_probe(breaker: CircuitBreaker, clock: Clock) -> None:
    """R09: the stack's outcome is late; the probe, whose block still runs, keeps the fuse half-open."""
    states, frames = [], []
    for _ in range(ROUNDS):
        breaker.reset()
        stack = contextlib.ExitStack()
        frames.append(enter(stack, breaker))
        fail(breaker)
        clock.advance(1)
        with breaker:
            stack.close()
            states.append(breaker.state)
    assert [State.HALF_OPEN] * ROUNDS == states


def test_a_stack_does_not_spoil_the_outcome_of_a_block(breaker: CircuitBreaker) -> None:
    """R03: the block's failure is of this generation and trips, whatever an older stack does meanwhile."""
    states, frames = [], []
    for _ in range(ROUNDS):
        stack = contextlib.ExitStack()
        frames.append(enter(stack, breaker))
        breaker.reset()
        with contextlib.suppress(BoomError), breaker:
            stack.close()
            raise BoomError
        states.append(breaker.state)
        breaker.reset()
    assert [State.OPEN] * ROUNDS == states
