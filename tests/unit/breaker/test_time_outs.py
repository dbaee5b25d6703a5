"""Time-outs that are no ``Exception``, and ends that come from outside (rule R10)."""

import asyncio
import contextlib
import sys
import types
from collections.abc import Callable, Generator

import pytest

from fuseboard import CircuitBreaker, Outcome, State, Store
from fuseboard._breaker.classify import Lists, Which, judge_of_exceptions


def made(name: str, *bases: type[BaseException]) -> BaseException:
    """An exception of a class of this name, as a library makes it."""
    return type(name, bases or (BaseException,), {})()


def meaning(error: BaseException, **lists: Which) -> Outcome:
    """What a breaker makes of an exception."""
    code = judge_of_exceptions(Lists(**lists))("db", error).code
    return next(outcome for outcome in Outcome if outcome.code == code)


# Of gevent and eventlet, func_timeout, dramatiq, App Engine, curio; and of programs of one's own.
NAMES = ["Timeout", "FunctionTimedOut", "TimeLimitExceeded", "DeadlineExceededError", "TaskTimeout", "_ItemTimeOut",
    "TIMED_OUT"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_time_out_that_is_no_exception_is_a_failure(name: str) -> None:
    """R10: by default, as ``TimeoutError`` is; so is what is made of it."""
    error = made(name)
    assert Outcome.FAILURE is meaning(error)
    assert Outcome.FAILURE is meaning(made("Late", type(error)))
    assert Outcome.FAILURE is meaning(BaseExceptionGroup("of tasks", [error, asyncio.CancelledError()]))


@pytest.mark.parametrize("name", ["Interrupt", "Shutdown", "TimeTraveler", "OutOfTime"])
def test_what_does_not_say_so_is_none(name: str) -> None:
    """R10: other exceptions that are no ``Exception`` say nothing, unless a list names them."""
    assert Outcome.IGNORED is meaning(made(name))


def test_a_cancellation_because_of_somebody_else_s_time_out_says_nothing() -> None:
    """R10: curio tells the two apart by their names; so do tasks of an event loop, whatever they are called."""
    cancelled = type("CancelledError", (BaseException,), {})
    assert Outcome.IGNORED is meaning(made("TimeoutCancellationError", cancelled))
    assert Outcome.FAILURE is meaning(made("TaskTimeout", cancelled))
    assert Outcome.IGNORED is meaning(made("Timeout", asyncio.CancelledError), failure_on=BaseException)


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"failure_on": OSError}, Outcome.FAILURE),
        ({"failure_on": (KeyError, TimeoutError)}, Outcome.FAILURE),
        ({"failure_on": ConnectionError}, Outcome.IGNORED),
        ({"ignore": TimeoutError}, Outcome.IGNORED),
        ({"success_on": OSError}, Outcome.SUCCESS),
        ({"success_on": OSError, "ignore": TimeoutError}, Outcome.IGNORED),
        ({"failure_on": lambda _: False}, Outcome.IGNORED),
        ({"failure_on": lambda _: True}, Outcome.FAILURE),
        ({"ignore": lambda _: True}, Outcome.IGNORED),
        ({"ignore": lambda _: False, "success_on": lambda _: None}, Outcome.FAILURE),
    ],
)
def test_it_counts_as_a_timeout_error_does(lists: dict[str, Which], expected: Outcome) -> None:
    """R10: as the lists say it of ``TimeoutError``; predicates are asked of the exception itself."""
    assert expected is meaning(made("Timeout"), **lists)


def test_a_list_that_names_it_itself_comes_before() -> None:
    """R10: its own class says more than what it stands for."""
    timeout = type("Timeout", (BaseException,), {})
    assert Outcome.IGNORED is meaning(timeout(), ignore=timeout)
    assert Outcome.FAILURE is meaning(timeout(), ignore=OSError, failure_on=(Exception, timeout))


def test_a_killed_greenlet_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """R10: whatever the settings; greenlet need not be installed."""
    module = types.ModuleType("greenlet")
    module.GreenletExit = type("GreenletExit", (BaseException,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "greenlet", module)
    killed = module.GreenletExit
    assert Outcome.IGNORED is meaning(killed(), failure_on=BaseException)
    assert Outcome.IGNORED is meaning(made("Timeout", killed))


def test_a_time_out_opens_the_fuse_also_where_its_class_is_remembered(store: Store) -> None:
    """R03, R10: through the compiled part."""
    timeout = type("Timeout", (BaseException,), {})
    breaker = CircuitBreaker("db", store=store, threshold=3)
    for _ in range(3):
        assert State.CLOSED is breaker.state
        with pytest.raises(timeout), breaker:
            raise timeout
    assert State.OPEN is breaker.state


HANDLERS = """
import sys

def handle_abort(self, sig, frame):
    sys.exit(1)

def handle_quit(self, sig, frame):
    sys.exit(0)
"""


def handler(name: str, module: str = "gunicorn.workers.base") -> Callable[..., None]:
    """A handler of signals that a server's module of this name has."""
    names = {"__name__": module}
    exec(HANDLERS, names)  # noqa: S102 - ours
    found: Callable[..., None] = names[name]  # type: ignore[assignment]
    return found


End = Callable[..., object]


def by_call(breaker: CircuitBreaker, end: End) -> None:
    """``call``."""
    breaker.call(end, 1, 2, 3)


def by_decorator(breaker: CircuitBreaker, end: End) -> None:
    """A decorated function, some way down."""
    breaker(lambda: [end(1, 2, 3)])()


def by_block(breaker: CircuitBreaker, end: End) -> None:
    """A block."""
    with breaker:
        end(1, 2, 3)


def by_permit(breaker: CircuitBreaker, end: End) -> None:
    """A permit as a block."""
    with breaker.permit():
        end(1, 2, 3)


def by_generator(breaker: CircuitBreaker, end: End) -> None:
    """A decorated generator function."""

    @breaker
    def generator() -> Generator[None, None, None]:
        yield
        end(1, 2, 3)

    list(generator())


def by_coroutine(breaker: CircuitBreaker, end: End) -> None:
    """A decorated coroutine function."""

    @breaker
    async def coroutine() -> None:
        end(1, 2, 3)

    with contextlib.suppress(StopIteration):
        coroutine().send(None)


WAYS = [by_call, by_decorator, by_block, by_permit, by_generator, by_coroutine]


def counted(breaker: CircuitBreaker) -> tuple[int, int]:
    """Failures, and calls that say nothing."""
    seen = breaker.store.snapshot()["db"]
    return seen.failures, seen.ignored


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_that_its_server_aborts_has_failed(way: Callable[[CircuitBreaker, End], None], store: Store) -> None:
    """R10: whatever ``failure_on`` names, each time, and beside exits that say nothing."""
    breaker = CircuitBreaker("db", store=store, threshold=3, failure_on=KeyError, success_on=lambda _: False)
    for name in ("handle_quit", "handle_abort", "handle_quit", "handle_abort"):
        with pytest.raises(SystemExit):
            way(breaker, handler(name))
    assert (2, 2) == counted(breaker)


@pytest.mark.parametrize("way", WAYS)
def test_any_other_exit_says_nothing(way: Callable[[CircuitBreaker, End], None], store: Store) -> None:
    """R10: a program's own, and one by a function that is only called alike."""
    breaker = CircuitBreaker("db", store=store, failure_on=BaseException)
    for end in (sys.exit, handler("handle_quit"), handler("handle_abort", "shop.payments")):
        with pytest.raises(SystemExit):
            way(breaker, lambda *_, end=end: end(1) if end is sys.exit else end(1, 2, 3))  # type: ignore[misc]
    assert (0, 3) == counted(breaker)


@pytest.mark.parametrize("ignore", [SystemExit, BaseException, lambda _: True, lambda _: Outcome.IGNORED])
def test_ignore_takes_aborts_out(ignore: Which, store: Store) -> None:
    """R10: the one way to say that a server's time limit says nothing about the service."""
    breaker = CircuitBreaker("db", store=store, ignore=ignore)
    for _ in range(2):
        with pytest.raises(SystemExit):
            breaker.call(handler("handle_abort"), 1, 2, 3)
    assert (0, 2) == counted(breaker)
