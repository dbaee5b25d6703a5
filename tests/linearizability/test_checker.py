"""The checker itself, on histories written by hand: it takes each that may be, and none that may not."""

from typing import Any

import pytest
from checker import Operation, linearize
from fuse_model import ADMITTED, CLOSED, FAILURE, HALF_OPEN, NONE, OPEN, PROBE, REJECTED, FuseModel

T = 1000
MODEL = FuseModel(begin=T, capacity=4, threshold=2)
OPENED = (CLOSED, OPEN, T)


def op(
    process: int, word: str, begun: int, ended: int | None, *answer: Any, argument: tuple[Any, ...] = ()
) -> Operation:
    """An operation; one that has no end has no answer."""
    told = None if ended is None else answer
    return Operation(process, word, argument, begun, ended, told, (process, begun))


def failed(process: int, begun: int, ended: int | None, count: int = 0) -> Operation:
    """A raw failure."""
    return op(process, "record_failure", begun, ended, count)


def opens(process: int, begun: int, ended: int | None) -> Operation:
    """A fuse never seen that is opened."""
    return op(process, "set", begun, ended, *OPENED, argument=(OPEN,))


def looks(process: int, begun: int, ended: int, *answer: int) -> Operation:
    """A look at the state."""
    return op(process, "look", begun, ended, *answer)


def asks(process: int, begun: int, ended: int | None, *answer: int) -> Operation:
    """A call asks whether it may be made."""
    return op(process, "admit", begun, ended, *answer, argument=("hasty",))


PROBED = [opens(1, 0, 1), asks(1, 2, 3, PROBE, 0, OPEN, HALF_OPEN, T + 1)]
REFUSED = (REJECTED, HALF_OPEN, *NONE)
TAKEN_OVER = (PROBE, 0, *NONE)
DEATH = op(1, "death", 4, 8)

POSSIBLE = {
    "counts in either order": [failed(1, 0, 9, 2), failed(2, 1, 8, 1)],
    "a look before or after": [opens(1, 0, 9), looks(2, 1, 3, CLOSED, 0), looks(2, 4, 6, OPEN, T)],
    "killed before its effect": [opens(1, 0, None), op(1, "death", 1, 2), looks(2, 3, 4, CLOSED, 0)],
    "killed after its effect": [opens(1, 0, None), op(1, "death", 1, 2), looks(2, 3, 4, OPEN, T)],
    "killed, and its effect comes before its death": [
        opens(1, 0, None), looks(2, 1, 2, CLOSED, 0), looks(2, 3, 4, OPEN, T), op(1, "death", 1, 5),
    ],
    "used, and no failure yet": [failed(1, 0, 9, 1), looks(2, 1, 2, CLOSED, T), op(2, "snapshot", 3, 4, CLOSED, T, 0)],
    "half-open, and no probe yet": [
        opens(1, 0, 1), asks(1, 2, 9, PROBE, 0, OPEN, HALF_OPEN, T + 1), asks(2, 3, 4, PROBE, 0, *NONE),
        op(2, "settle", 5, 6, *NONE, argument=((2, 3), 2)),
    ],
    "refused before the prober is buried": [*PROBED, DEATH, asks(2, 5, 6, *REFUSED)],
    "taken over after": [*PROBED, DEATH, asks(2, 9, 10, *TAKEN_OVER)],
    "killed before it signed": [
        opens(1, 0, 1), asks(1, 2, None), op(1, "death", 3, 4),
        looks(2, 5, 6, HALF_OPEN, T + 1), asks(2, 7, 8, *REFUSED),
    ],
}  # fmt: skip

IMPOSSIBLE = {
    "a lost update": [failed(1, 0, 9, 1), failed(2, 1, 8, 1)],
    "a count that comes out of nothing": [failed(1, 0, 1, 2)],
    "a stale look": [opens(1, 0, 1), looks(2, 2, 3, CLOSED, 0)],
    "a look that goes back": [opens(1, 0, 9), looks(2, 1, 3, OPEN, T), looks(2, 4, 6, CLOSED, 0)],
    "state and time of two instants": [opens(1, 0, 1), looks(2, 2, 3, OPEN, T + 1)],
    "an effect after its process's death": [
        opens(1, 0, None), op(1, "death", 1, 2), looks(2, 3, 4, CLOSED, 0), looks(2, 5, 6, OPEN, T),
    ],
    "an effect that goes and comes back": [opens(1, 0, None), looks(2, 1, 2, OPEN, T), looks(2, 3, 4, CLOSED, 0)],
    "two probes": [*PROBED, asks(2, 4, 5, *TAKEN_OVER)],
    "a prober's seat taken before its death": [*PROBED, op(1, "death", 6, 8), asks(2, 4, 5, *TAKEN_OVER)],
    "a dead prober's lease never given back": [*PROBED, DEATH, asks(2, 9, 10, *REFUSED)],
    "a trip in two steps": [
        asks(1, 0, 1, ADMITTED, 0, *NONE), failed(2, 2, 3, 1),
        op(1, "settle", 4, 9, CLOSED, OPEN, T + 1, argument=((1, 0), FAILURE)),
        op(2, "snapshot", 5, 6, CLOSED, T, 2),
    ],
}  # fmt: skip


@pytest.mark.parametrize("history", POSSIBLE.values(), ids=POSSIBLE.keys())
def test_what_may_be_is_linearized(history: list[Operation]) -> None:
    """An order is found, and it has all that were answered."""
    verdict = linearize(history, MODEL)
    assert verdict.order is not None, verdict.explain(history)
    assert {each for each in history if each.ended is not None} <= set(verdict.order)


@pytest.mark.parametrize("history", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_what_may_not_be_is_found_out(history: list[Operation]) -> None:
    """Control: there is no order, and the search says where it ended."""
    verdict = linearize(history, MODEL)
    assert verdict.order is None
    assert "none of these can come" in verdict.explain(history)
