"""Transitions: what a listener is told, and how."""

import dataclasses
import logging
from collections.abc import Callable

from fuseboard._state import State

logger = logging.getLogger("fuseboard")

_ALARMING = (State.OPEN, State.ISOLATED)


@dataclasses.dataclass(frozen=True, slots=True)
class Transition:
    """One change of a fuse's state. Exactly one process of the host is told of it: the one whose call made it (R03).

    Attributes:
        fuse: the fuse's name.
        before: the state it left.
        after: the state it is in.
        at: when, in seconds of ``store.now()``.
        error: class name of the exception that made the call fail, if a failure caused it.
    """

    fuse: str
    before: State
    after: State
    at: float
    error: str | None = None


def announce(transition: Transition, listener: Callable[[Transition], object] | None) -> None:
    """Logs a transition and tells a listener, whose own exceptions are logged and go no further."""
    if transition.before is transition.after:
        return
    cause = f" after {transition.error}" if transition.error else ""
    logger.log(
        logging.WARNING if transition.after in _ALARMING else logging.INFO,
        "circuit %r: %s -> %s%s",
        transition.fuse,
        transition.before.value,
        transition.after.value,
        cause,
        extra={"fuse": transition.fuse, "before": transition.before.value, "after": transition.after.value},
    )
    if listener is None:
        return
    try:
        listener(transition)
    except Exception:
        logger.exception("circuit %r: the listener %r raised", transition.fuse, listener)


def from_codes(fuse: str, codes: tuple[int, int, int], error: BaseException | None = None) -> Transition:
    """The event of a transition as the compiled part tells it: codes before and after, and the generation."""
    before, after, generation_us = codes
    cause = None if error is None else type(error).__qualname__
    return Transition(fuse, State.of_code(before), State.of_code(after), generation_us / 1e6, cause)
