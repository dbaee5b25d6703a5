"""What happens in the process that made a transition: a log line, and a call of the breaker's listener."""

import logging
from collections.abc import Callable

from fuseboard._events.transition import Row, Transition, transition
from fuseboard._state import State

logger = logging.getLogger("fuseboard")

_ALARMING = (State.OPEN, State.ISOLATED)
_OVERRIDES = (State.ISOLATED, State.DISABLED)
"""An override after the same override is an event too: it may have another end and another reason."""


def announce(row: Row, began: float, listener: Callable[[Transition], object] | None = None) -> Transition:
    """Logs a transition that this process made, and calls a listener.

    Args:
        row: the transition, as the compiled part gives it.
        began: when the store's clock showed 0; see :func:`fuseboard._events.transition.began`.
        listener: called with the transition. Its exception is logged and goes no further.

    Returns:
        The transition.
    """
    made = transition(row, began)
    if made.before is not made.after or made.after in _OVERRIDES:
        _log(made)
        if listener is not None:
            _call(listener, made)
    return made


def _log(transition: Transition) -> None:
    before, after = transition.before.value, transition.after.value
    logger.log(
        logging.WARNING if transition.after in _ALARMING else logging.INFO,
        "fuse %r: %s -> %s (%s)",
        transition.fuse, before, after, transition._reason,
        extra={
            "fuse": transition.fuse,
            "before": before,
            "after": after,
            "cause": transition.cause.value,
            "generation": transition.generation,
            "error": transition.error,
            "until": transition.until,
            "who": transition.who,
            "why": transition.why,
        },
    )  # fmt: skip


def _call(listener: Callable[[Transition], object], transition: Transition) -> None:
    try:
        listener(transition)
    except Exception:
        logger.exception("fuse %r: the listener %r raised an exception", transition.fuse, listener)
