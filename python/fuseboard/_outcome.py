"""What an exception or a result says about the service: failure, or nothing (rule R10)."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from fuseboard._callables import is_async
from fuseboard._checks import MAX_SECONDS, Seconds, in_seconds, shown
from fuseboard.errors import CircuitOpenError, TripError

Which: TypeAlias = type[BaseException] | tuple[type[BaseException], ...] | Callable[[Any], object]
"""Which exceptions are meant: a class, a tuple of classes, or a predicate, which may expect what it is asked of."""

OpenFor: TypeAlias = Callable[[Any], Seconds | None]
"""How long a failed call asks the fuse to stay open; None if it does not ask."""
Telling: TypeAlias = bool | type[BaseException] | tuple[bool, int]
"""What an exception means: whether it is a failure; its class, if each of that class is one; or, of a failure that says
more, whether the fuse is to open at once, and for how many microseconds it asks, 0 for none."""

Judged: TypeAlias = bool | tuple[int, TripError]
"""What a result means: whether it is a failure; or, of one that opens the fuse at once, for how many microseconds."""

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
        return bool(counts(error)) and not excluded(error)

    return is_failure


def judge(failure_if: Callable[[Any], object]) -> Callable[[Any], Judged]:
    """A checked predicate on results: whether one is a failure; or the demand that it makes, and what is to be named.

    Raises:
        TypeError: it is none.
    """
    if not callable(failure_if) or is_async(failure_if):
        raise TypeError(f"failure_if must be a plain function of a result, or None, got {shown(failure_if)}")

    def judged(result: Any) -> Judged:
        answer = failure_if(result)
        return (_hinted_us(answer.retry_after), answer) if isinstance(answer, TripError) else bool(answer)

    return judged


def never_fails(cls: type[BaseException]) -> bool:
    """Whether an exception of this class is ignored whatever the settings."""
    return issubclass(cls, _NEVER) or any(issubclass(cls, cancelled) for cancelled in _cancellations())


def _is_cancellation(error: BaseException) -> bool:
    """Whether an event loop cancels the call."""
    return any(isinstance(error, cancelled) for cancelled in _cancellations())


def _cancellations() -> Iterator[type[BaseException] | tuple[()]]:
    """What cancels calls. What was never imported, which is slow, cannot have raised it."""
    return (getattr(sys.modules[module], name, ()) for module, name in _CANCELLATIONS if module in sys.modules)


def _matcher(argument: str, which: Which) -> Callable[[Any], object]:
    classes = which if isinstance(which, tuple) else (which,)
    if all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in classes):
        return lambda error: isinstance(error, classes)  # type: ignore[arg-type]
    if isinstance(which, tuple | type) or not callable(which) or is_async(which):
        kinds = "an exception class, a tuple of them, or a predicate"
        raise TypeError(f"{argument} must be {kinds}, got {type(which).__name__}: {shown(which)}")
    return which


def teller(
    fuse: str, failure_on: Which, ignore: Which, trip_if: Which = (), open_for: OpenFor | None = None
) -> Callable[[BaseException], Telling]:
    """A :func:`classifier` that says more of a failure: whether the fuse is to open at once, and for how long.

    Of a group the members are asked, as for failures: it demands what one of them demands, for the longest time that
    one of them asks for.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: ``failure_on`` is empty.
    """
    is_failure, demands = classifier(fuse, failure_on, ignore), _matcher("trip_if", trip_if)
    if open_for is not None and (not callable(open_for) or is_async(open_for)):
        raise TypeError(f"open_for must be a function or None, got {type(open_for).__name__}: {shown(open_for)}")
    goes_by_class = all(isinstance(which, type | tuple) for which in (failure_on, ignore, trip_if)) and not open_for

    def tell(error: BaseException) -> Telling:
        if isinstance(error, BaseExceptionGroup):
            return _of_group([tell(member) for member in error.exceptions])
        if isinstance(error, TripError):
            return True, _hinted_us(error.retry_after)
        if not is_failure(error):
            return False
        demanded, asked_us = bool(demands(error)), _asked_us(open_for(error) if open_for else None)
        if demanded or asked_us:
            return demanded, asked_us
        # Of a rejection it depends on whose it is.
        return type(error) if goes_by_class and not isinstance(error, CircuitOpenError) else True

    return tell


def _of_group(members: list[Telling]) -> Telling:
    """What is told of a group whose members are told so."""
    told = [member for member in members if isinstance(member, tuple)]
    if told:
        return any(demands for demands, _ in told), max(asked for _, asked in told)
    return any(members)


def _asked_us(seconds: Seconds | None) -> int:
    """The time that a call asks for; 0 or less, or NaN, asks for nothing, and one too long for the longest."""
    if seconds is None:
        return 0
    value = float(in_seconds(seconds))
    return round(min(value, MAX_SECONDS) * 1_000_000) if value > 0 else 0  # nor is NaN


def _hinted_us(seconds: Seconds | None) -> int:
    """The same; what is no time asks for nothing, so that the demand it came with stands."""
    try:
        return _asked_us(seconds)
    except (TypeError, ValueError):
        return 0
