"""What happens in the process that made a transition: a log line, and a call of the breaker's listener."""

import logging
from collections.abc import Callable

from fuseboard._events.transition import Transition
from fuseboard._state import State

logger = logging.getLogger("fuseboard")

_ALARMING = (State.OPEN, State.ISOLATED)
_OVERRIDES = (State.ISOLATED, State.DISABLED)
"""An override after the same override is an event too: it may have another end and another reason."""


def announce(transition: Transition, listener: Callable[[Transition], object] | None) -> None:
    """Logs a transition and calls a listener. An exception of the listener is logged and goes no further."""
    if transition.before is transition.after and transition.after not in _OVERRIDES:
        return
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
    if listener is None:
        return
    try:
        listener(transition)
    except Exception:
        logger.exception("fuse %r: the listener %r raised an exception", transition.fuse, listener)
