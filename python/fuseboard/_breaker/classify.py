"""What an exception or a result says about the service: success, failure, or nothing (rule R10)."""

import enum
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

from fuseboard._breaker.failure import Failure
from fuseboard._functions import is_async
from fuseboard._validation import MAX_SECONDS, Seconds, in_seconds, shown
from fuseboard.errors import CircuitOpenError, TripError

Which: TypeAlias = type[BaseException] | tuple[type[BaseException], ...] | Callable[[Any], object]
"""Which exceptions are meant: a class, a tuple of classes, or a predicate.

A predicate is typed with ``Any``, so that it may name the exception class that it expects."""

OpenFor: TypeAlias = Callable[[Any], Seconds | None]
"""How long a failed call asks the fuse to stay open; None if it asks for nothing."""


class Outcome(enum.Enum):
    """What the end of a call says about the service (rule R10). Compare with ``is``; ``value`` is the word for logs.

    A predicate of ``failure_on``, ``success_on``, ``ignore`` or ``failure_if`` may return an outcome instead of a bool.
    It may also return a :class:`Failure`, which says more than ``FAILURE``.
    """

    FAILURE = "failure"
    """The service did not do its part: a failure."""
    SUCCESS = "success"
    """The service did its part, also where the answer was no: a success."""
    IGNORED = "ignored"
    """It says nothing about the service: the permit goes back, and the call counts neither way."""

    @property
    def code(self) -> int:
        """The number by which the compiled part knows it. Of an exception group's members, the highest one counts."""
        return _CODES[self]


_CODES = {Outcome.IGNORED: 0, Outcome.SUCCESS: 1, Outcome.FAILURE: 2}


class Verdict(NamedTuple):
    """How a call ended, for the compiled part."""

    code: int
    """The code of the :class:`Outcome`."""
    by_class: bool = False
    """Whether every exception of this class has this verdict. Then the compiled part does not ask again."""
    demands: bool = False
    """Whether the fuse is to open at once."""
    asked_us: int = 0
    """For how many microseconds the call asks the fuse to stay open; 0 if it does not ask."""
    error: BaseException | None = None
    """The exception that the journal names, for a call that raised nothing."""
    label: str | None = None
    """What the journal shows where there is no exception."""


class Lists(NamedTuple):
    """Which exceptions mean what."""

    failure_on: Which = Exception
    success_on: Which = ()
    ignore: Which = ()
    trip_if: Which = ()


BY_OUTCOME = {outcome: Verdict(outcome.code) for outcome in Outcome}
"""The verdicts that are an outcome and nothing more."""
_FAILURE, _SUCCESS = BY_OUTCOME[Outcome.FAILURE], BY_OUTCOME[Outcome.SUCCESS]
_IGNORED, _ALWAYS_IGNORED = BY_OUTCOME[Outcome.IGNORED], Verdict(Outcome.IGNORED.code, by_class=True)
_NEVER = (KeyboardInterrupt, SystemExit, GeneratorExit)
_CANCELLATIONS = (("asyncio", "CancelledError"), ("trio", "Cancelled"), ("greenlet", "GreenletExit"))
_TIME_IS_UP = re.compile("timed?_?(out|limit)|deadline")
_ABORTS = {("gunicorn.workers.base", "handle_abort")}
"""Functions, by module and name, that end a worker whose request took too long."""

Named: TypeAlias = list[tuple[Callable[[Any], object], Verdict]]
"""The lists in the order in which they are asked: each a test for exceptions, and the verdict if it is true."""


def judge_of_exceptions(lists: Lists, open_for: OpenFor | None = None) -> Callable[[str, BaseException], Verdict]:
    """A function that says, for the name of a fuse, what an exception means.

    The first of ``ignore``, ``success_on`` and ``failure_on`` that names the exception decides. If none does, it is
    ignored. An exception group is a failure if one of its members is, else a success if one is. It demands a trip if
    one of them does, for the longest time that one of them asks for.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: ``failure_on`` is empty.
    """
    named, demand = _in_order(lists), _demander(lists.trip_if, open_for)
    of_abort = [named[0], (_any, _FAILURE)]

    def judge(fuse: str, error: BaseException) -> Verdict:
        if isinstance(error, BaseExceptionGroup):
            return _of_group([judge(fuse, member) for member in error.exceptions])
        if isinstance(error, TripError):
            return _demanded(error)
        if isinstance(error, CircuitOpenError):
            # A rejection by this fuse, from further down in the call, says nothing new. The class does not say which
            # fuse it was, so the verdict is not one by class.
            verdict = _IGNORED if error.name == fuse else _first_to_name(error, named)._replace(by_class=False)
        elif isinstance(error, Exception) or not says_nothing(type(error)):
            verdict = _first_to_name(error, named)
        elif isinstance(error, SystemExit):
            verdict = _first_to_name(error, of_abort) if _is_abort(error) else _IGNORED
        else:
            return _ALWAYS_IGNORED
        return demand(error, verdict) if demand and verdict.code == _FAILURE.code else verdict

    return judge


def judge_of_results(failure_if: Callable[[Any], object]) -> Callable[[Any], Verdict]:
    """A function that says what a result means, by a checked predicate.

    Raises:
        TypeError: it is none.
    """
    if not callable(failure_if) or is_async(failure_if):
        raise TypeError(f"failure_if must be a plain function of a result, or None, got {shown(failure_if)}")

    def judge(result: Any) -> Verdict:
        answer = failure_if(result)
        if isinstance(answer, TripError):
            return _demanded(answer)._replace(error=answer)
        return _meant(answer, _FAILURE) if answer else _SUCCESS

    return judge


def verdict_of(failure: Failure) -> Verdict:
    """The verdict of a failure that says more than that the call failed."""
    asked = None if failure.retry_after is None else min(failure.retry_after, MAX_SECONDS)
    return _FAILURE._replace(demands=failure.trip, asked_us=_asked_us(asked), error=failure.error, label=failure.label)


def says_nothing(cls: type[BaseException]) -> bool:
    """Whether exceptions of this class are always ignored: the ends of programs, generators and tasks."""
    # Only modules that were imported already can have raised it, and to import them is slow.
    cancelled = (getattr(sys.modules[module], name, ()) for module, name in _CANCELLATIONS if module in sys.modules)
    return issubclass(cls, _NEVER) or any(issubclass(cls, each) for each in cancelled)


def names_time_outs(which: Which) -> bool:
    """Whether a list names ``TimeoutError``. Then it also means time-outs whose class is not an ``Exception``."""
    return isinstance(which, type | tuple) and issubclass(TimeoutError, which)


def _in_order(lists: Lists) -> Named:
    """The lists, checked, in the order in which they are asked.

    A verdict is by class as long as no list before it has a predicate.
    """
    if isinstance(lists.failure_on, tuple) and not lists.failure_on:
        raise ValueError("failure_on must name at least one exception class, got (): the fuse would never open")
    meanings = {"ignore": Outcome.IGNORED, "success_on": Outcome.SUCCESS, "failure_on": Outcome.FAILURE}
    named, by_class = [], True
    for argument, outcome in meanings.items():
        which = getattr(lists, argument)
        by_class = by_class and _is_of_classes(which)
        named.append((_matcher(argument, which), Verdict(outcome.code, by_class)))
    as_usual = [outcome for argument, outcome in meanings.items() if names_time_outs(getattr(lists, argument))]
    if as_usual:
        named.append((_is_time_out, Verdict(as_usual[0].code, by_class)))
    return [*named, (_any, Verdict(Outcome.IGNORED.code, by_class))]


def _any(_error: object) -> bool:
    return True


def _first_to_name(error: BaseException, named: Named) -> Verdict:
    for names, verdict in named:
        answer = names(error)
        if answer:
            return _meant(answer, verdict)
    raise AssertionError("the last list names all exceptions")


def _meant(answer: object, otherwise: Verdict) -> Verdict:
    """What the true answer of a predicate means."""
    if isinstance(answer, Failure):
        return verdict_of(answer)
    return BY_OUTCOME[answer] if isinstance(answer, Outcome) else otherwise


def _is_of_classes(which: Which) -> bool:
    return isinstance(which, type | tuple)


def _matcher(argument: str, which: Which) -> Callable[[Any], object]:
    classes = which if isinstance(which, tuple) else (which,)
    if all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in classes):
        return lambda error: isinstance(error, classes)  # type: ignore[arg-type]
    if isinstance(which, tuple | type) or not callable(which) or is_async(which):
        kinds = "an exception class, a tuple of them, or a predicate"
        raise TypeError(f"{argument} must be {kinds}, got {type(which).__name__}: {shown(which)}")
    return which


def _is_time_out(error: BaseException) -> bool:
    """Whether it is not an ``Exception``, and the name of its class, or of a base class, means a time-out.

    Some libraries derive their time-outs from ``BaseException``, so that no handler in between swallows them. Their
    names are all that they have in common: ``gevent.Timeout``, ``eventlet.Timeout``, ``FunctionTimedOut``,
    ``TimeLimitExceeded``. One with "cancel" in a name is a cancellation, because another task's time is up.
    """
    if isinstance(error, Exception):
        return False
    for name in (base.__name__.lower() for base in type(error).__mro__):
        if "cancel" in name:
            return False
        if _TIME_IS_UP.search(name):
            return True
    return False


def _is_abort(error: SystemExit) -> bool:
    """Whether the process exits because a request took too long: its server's handler is in the traceback then."""
    step = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) in _ABORTS:
            return True
        step = step.tb_next
    return False


def _of_group(members: Iterable[Verdict]) -> Verdict:
    codes, _, demands, asked_us, *_ = zip(*members, strict=True)
    return Verdict(max(codes), demands=any(demands), asked_us=max(asked_us))


def _demander(trip_if: Which, open_for: OpenFor | None) -> Callable[[BaseException, Verdict], Verdict] | None:
    """A function that asks what a failure demands; None where there is nothing to ask."""
    demands, by_class = _matcher("trip_if", trip_if), _is_of_classes(trip_if) and not open_for
    if open_for is not None and (not callable(open_for) or is_async(open_for)):
        raise TypeError(f"open_for must be a function or None, got {type(open_for).__name__}: {shown(open_for)}")

    def demand(error: BaseException, failed: Verdict) -> Verdict:
        answer = demands(error)
        if isinstance(answer, Outcome | Failure):
            # Both are true as booleans, so a wrong answer would trip the fuse unnoticed.
            raise TypeError(f"trip_if must return True or False, got {answer}")
        asked_us = _asked_us(open_for(error)) if open_for else 0
        return failed._replace(
            by_class=by_class and failed.by_class and not answer,
            demands=failed.demands or bool(answer),
            asked_us=max(failed.asked_us, asked_us),
        )

    return demand if open_for or trip_if != () else None


def _demanded(error: TripError) -> Verdict:
    return Verdict(Outcome.FAILURE.code, demands=True, asked_us=_hinted_us(error.retry_after))


def _asked_us(seconds: Seconds | None) -> int:
    """The open time that a call asks for, at most the longest; 0 for 0, less than 0, NaN and None."""
    if seconds is None:
        return 0
    value = float(in_seconds(seconds))
    return round(min(value, MAX_SECONDS) * 1_000_000) if value > 0 else 0  # NaN is not greater than 0


def _hinted_us(seconds: Seconds | None) -> int:
    """The open time of a :class:`TripError`; 0 if it is not a time, because the trip is demanded all the same."""
    try:
        return _asked_us(seconds)
    except (TypeError, ValueError):
        return 0
