"""What an exception or a result says about the service: failure, or nothing (rule R10)."""

import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from fuseboard._settings import shown
from fuseboard.errors import CircuitOpenError

Which: TypeAlias = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]
"""Which exceptions are meant: a class, a tuple of classes, or a predicate."""

_NEVER = (KeyboardInterrupt, SystemExit, GeneratorExit)
_CANCELLATIONS = (("asyncio", "CancelledError"), ("trio", "Cancelled"))


def classifier(fuse: str, failure_on: Which, ignore: Which) -> Callable[[BaseException], bool]:
    """A function that says whether an exception is a failure; if not, it is ignored.

    Never failures, whatever the settings: cancellation, the ends of the interpreter and of a generator, and a rejection
    by this very fuse further down, which says nothing new about the service. A group is what its members are: a failure
    if one of them is.

    Raises:
        TypeError: ``failure_on`` or ``ignore`` is of the wrong type.
        ValueError: ``failure_on`` is empty.
    """
    if isinstance(failure_on, tuple) and not failure_on:
        raise ValueError("failure_on must name at least one exception class, got (): the breaker would never open")
    counts = _matcher("failure_on", failure_on)
    excluded = _matcher("ignore", ignore)

    def is_failure(error: BaseException) -> bool:
        if isinstance(error, BaseExceptionGroup):
            return any(map(is_failure, error.exceptions))
        if not isinstance(error, Exception):
            if isinstance(error, _NEVER) or _is_cancellation(error):
                return False
        elif isinstance(error, CircuitOpenError) and error.name == fuse:
            return False
        return counts(error) and not excluded(error)

    return is_failure


def judge(failure_if: Callable[[Any], object]) -> Callable[[Any], object]:
    """Checks a predicate on results.

    Raises:
        TypeError: it is none.
    """
    if not callable(failure_if) or inspect.iscoroutinefunction(failure_if):
        raise TypeError(f"failure_if must be a plain function of a result, or None, got {shown(failure_if)}")
    return failure_if


def _is_cancellation(error: BaseException) -> bool:
    """Whether an event loop cancels the call. What was never imported, which is slow, cannot have raised it."""
    return any(
        module in sys.modules and isinstance(error, getattr(sys.modules[module], name, ()))
        for module, name in _CANCELLATIONS
    )


def _matcher(argument: str, which: Which) -> Callable[[BaseException], bool]:
    classes = which if isinstance(which, tuple) else (which,)
    if all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in classes):
        return lambda error: isinstance(error, classes)  # type: ignore[arg-type]
    if isinstance(which, tuple | type) or not callable(which) or inspect.iscoroutinefunction(which):
        kinds = "an exception class, a tuple of them, or a predicate"
        raise TypeError(f"{argument} must be {kinds}, got {type(which).__name__}: {shown(which)}")
    return which
