"""The public API as type checkers see it. Never run; checked by ``mypy`` and ``pyright``."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, ExitStack
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any, assert_never, assert_type

from fuseboard import (
    Cause,
    CircuitBreaker,
    CircuitIsolatedError,
    CircuitOpenError,
    Counts,
    Events,
    Failure,
    FailureRate,
    Failures,
    FuseboardError,
    FuseCounts,
    FuseSnapshot,
    FuseState,
    Leader,
    Outcome,
    Permit,
    Settings,
    SlowRate,
    State,
    Store,
    StoreOpenError,
    StoreReadOnlyError,
    Subscription,
    Transition,
    TripError,
)
from fuseboard.testing import Clock, force_state, private_default_store

breaker = CircuitBreaker("db")


class OpenError(CircuitOpenError, OSError):
    """A rejection that is a library's error too."""


class IsolatedError(OpenError, CircuitIsolatedError):
    """The same of an isolated fuse."""


def listener(transition: Transition) -> None:
    """Listens."""
    assert_type(transition.fuse, str)
    assert_type(transition.before, State)
    assert_type(transition.at, float)
    assert_type(transition.time, datetime)
    assert_type(transition.cause, Cause)
    assert_type(transition.error, str | None)
    assert_type(transition.pid, int | None)
    assert_type(transition.generation, int)


every_argument = CircuitBreaker(
    "db",
    threshold=5,
    window=timedelta(seconds=10),
    reset_timeout=30,
    probes=1,
    success_threshold=1,
    probe_timeout=None,
    clear_on_success=False,
    failure_on=(OSError, ValueError),
    success_on=LookupError,
    ignore=lambda error: isinstance(error, KeyError),
    failure_if=lambda result: result == 1,
    fallback=None,
    on_transition=listener,
    store=Store.private(),
)
told: list[Transition] = []
CircuitBreaker("db", failure_on=OSError, on_transition=told.append)
CircuitBreaker("db", failure_if=bool, fallback="value")
CircuitBreaker("db", failure_if=500)  # type: ignore[arg-type]
CircuitBreaker("db", 5)  # type: ignore[call-arg, arg-type]
CircuitBreaker("db", treshold=5)  # type: ignore[call-arg]
CircuitBreaker("db", policy=FailureRate(0.5, window=30) | SlowRate(0.5, slow_after=2) | Failures(5, None))
CircuitBreaker("db", settings=Settings(threshold=3), window=None, ramp=60, trip_if=OSError, open_for=lambda _: 5.0)
CircuitBreaker("db", threshold="5")  # type: ignore[arg-type]
CircuitBreaker("db", failure_on=[OSError])  # type: ignore[arg-type]
CircuitBreaker(b"db")  # type: ignore[arg-type]


@breaker
def plain(number: int, /, *, text: str = "") -> bytes:
    """A function."""
    return f"{number}{text}".encode()


@breaker
async def coroutine(number: int) -> str:
    """A coroutine function."""
    return str(number)


@breaker
def generator(number: int) -> Generator[int, str, bytes]:
    """A generator function."""
    return (yield number).encode()


@breaker
async def async_generator(number: int) -> AsyncGenerator[int, str]:
    """An asynchronous generator function."""
    yield number


def instead(rejection: CircuitOpenError, number: int) -> str:
    """A fallback."""
    assert_type(rejection.state, State)
    return str(number)


@breaker.with_fallback(instead)
async def coroutine_with_fallback(number: int) -> str:
    """A coroutine function that has one."""
    return str(number)


class Service:
    """Methods of every kind."""

    @breaker
    def method(self, number: int) -> str:
        """A method."""
        return str(number)

    @classmethod
    @breaker
    def inner_class(cls, number: int) -> str:
        """A class method."""
        return str(number)

    @breaker
    @classmethod
    def outer_class(cls, number: int) -> str:
        """A class method."""
        return str(number)

    @staticmethod
    @breaker
    def inner_static(number: int) -> str:
        """A static method."""
        return str(number)

    @breaker
    @staticmethod
    def outer_static(number: int) -> str:
        """A static method."""
        return str(number)


def decorators_keep_signatures() -> None:
    """What is guarded has the type of what it guards."""
    assert_type(plain(1, text="x"), bytes)
    plain("1")  # type: ignore[arg-type]
    plain(number=1)  # type: ignore[call-arg]
    _: Coroutine[Any, Any, str] = coroutine(1)  # which class of it, type checkers do not agree on
    assert_type(generator(1), Generator[int, str, bytes])
    assert_type(async_generator(1), AsyncGenerator[int, str])
    service = Service()
    assert_type(service.method(1), str)
    assert_type(service.inner_class(1), str)
    assert_type(Service.outer_class(1), str)
    assert_type(service.inner_static(1), str)
    assert_type(Service.outer_static(1), str)
    service.method("1")  # type: ignore[arg-type]


def only_functions_are_guarded() -> None:
    """Functions of any kind, and what is called like one."""
    assert_type(breaker(functools.partial(plain, 1))(), bytes)
    breaker(5)  # type: ignore[type-var]
    breaker("text")  # type: ignore[type-var]


def call_returns_what_the_function_does() -> None:
    """``call`` checks arguments against the function's."""
    assert_type(breaker.call(plain, 1, text="x"), bytes)
    _: Coroutine[Any, Any, str] = breaker.call(coroutine, 1)
    assert_type(breaker.call(generator, 1), Generator[int, str, bytes])
    breaker.call(plain, "1")  # type: ignore[arg-type]
    breaker.call(plain, 1, other="x")  # type: ignore[call-arg]


async def coroutines_keep_their_results() -> None:
    """What a guarded coroutine function returns is known once it was awaited."""
    assert_type(await coroutine(1), str)
    assert_type(await breaker.call(coroutine, 1), str)


async def acall_awaits() -> None:
    """``acall`` takes what can be awaited."""
    assert_type(await breaker.acall(coroutine, 1), str)
    assert_type(await breaker.acall(asyncio.to_thread, plain, 1), bytes)
    make: Callable[[int], Awaitable[str]] = coroutine
    assert_type(await breaker.acall(make, 1), str)
    await breaker.acall(plain, 1)  # type: ignore[arg-type]


async def fallbacks_keep_signatures() -> None:
    """A fallback is taken to return what the function does."""
    assert_type(await coroutine_with_fallback(1), str)
    assert_type(breaker.with_fallback(b"")(plain)(1, text="x"), bytes)
    await coroutine_with_fallback("1")  # type: ignore[arg-type]
    breaker.with_fallback(None)(5)  # type: ignore[type-var]


def permits(error: Exception) -> int:
    """What a permit takes, and a check."""
    permit = breaker.permit()
    assert_type(permit, Permit)
    permit.success()
    permit.failure()
    permit.failure(error)
    permit.failure(retry_after=5, trip=True, label="HTTP 503")
    permit.failure(error, retry_after=timedelta(seconds=5))
    permit.failure(error, True)  # type: ignore[call-arg]
    permit.failure(retry_after="5")  # type: ignore[arg-type]
    permit.ignore()
    permit.stop_clock()
    assert_type(permit.is_probe, bool)
    permit.is_probe = False  # type: ignore[misc]
    permit.failure("text")  # type: ignore[arg-type]
    breaker.check()
    assert_type(breaker.wait(), bool)
    assert_type(breaker.wait(timedelta(seconds=5)), bool)
    breaker.wait(timeout="5")  # type: ignore[arg-type]
    assert_type(breaker.raising(OpenError, IsolatedError), CircuitBreaker)
    breaker.raising(IsolatedError, OpenError)  # type: ignore[arg-type]
    breaker.raising(ValueError, IsolatedError)  # type: ignore[arg-type]
    with breaker.permit() as held:
        assert_type(held, Permit)
        return 1


async def waits() -> None:
    """Until a call may pass."""
    assert_type(await breaker.wait_async(), bool)
    assert_type(await breaker.wait_async(timeout=1.5), bool)


async def blocks() -> int:
    """A block neither binds nor swallows."""
    with breaker as nothing:
        assert_type(nothing, None)
    async with breaker as nothing:
        assert_type(nothing, None)
    with ExitStack() as stack:
        stack.enter_context(breaker)
    async with AsyncExitStack() as async_stack:
        await async_stack.enter_async_context(breaker)
    with breaker:
        return 1


def match_takes_states_apart(seen: FuseState) -> float | None:
    """By position and by name, and exhaustively over states."""
    match seen:
        case FuseState(State.OPEN, since):
            assert_type(since, float | None)
            return since
        case FuseState(state=State.CLOSED, since=None):
            return None
        case FuseState():
            return None


def states_are_exhaustive(state: State) -> str:
    """Six of them, no more."""
    match state:
        case State.CLOSED | State.DISABLED:
            return "passes"
        case State.OPEN | State.ISOLATED:
            return "rejects"
        case State.HALF_OPEN | State.RAMPING:
            return "tries"
        case _:
            assert_never(state)


def attributes_of_breakers() -> None:
    """What a breaker tells and takes."""
    assert_type(breaker.name, str)
    assert_type(breaker.state, State)
    assert_type(breaker.settings, Settings)
    assert_type(breaker.settings.threshold, int)
    assert_type(breaker.store, Store)
    breaker.isolate()
    breaker.disable()
    breaker.reset()
    breaker.state = State.OPEN  # type: ignore[misc]
    breaker.name = "mail"  # type: ignore[misc]
    breaker.settings = Settings()  # type: ignore[misc]
    Settings().threshold = 3  # type: ignore[misc]


def leaders(store: Store) -> None:
    """One process of the host leads, and exports."""
    with store.leader("metrics") as leader:
        assert_type(leader, Leader)
    assert_type(store.leader("agent", lease=timedelta(seconds=9)).lead(), bool)
    assert_type(leader.is_leader, bool)
    assert_type(leader.term, int | None)
    assert_type(leader.pid, int | None)
    assert_type(leader.purpose, str)
    counts = leader.counts()
    assert_type(counts, Counts | None)
    counts.done()  # type: ignore[union-attr]
    if counts is not None:
        for fuse, counted in counts.items():
            assert_type(fuse, str)
            assert_type(counted, FuseCounts)
            assert_type(counted.slow, int)
        counts["db"] = FuseCounts()  # type: ignore[index]
    store.leader()  # type: ignore[call-arg]
    store.leader("metrics", 9)  # type: ignore[call-arg]


def stores() -> None:
    """The store's contract."""
    with Store.shared("shop", fuses=1, failures=1, strict=True) as store:
        assert_type(store, Store)
    assert_type(Store.default(), Store)
    assert_type(Store.existing("shop"), Store)
    assert_type(Store.existing("shop", folder=Path("/tables"), writable=True), Store)
    assert_type(store.name, str | None)
    assert_type(store.path, PathLike[str] | None)
    assert_type(store.is_shared, bool)
    assert_type(store.fault, StoreOpenError | None)
    assert_type(store.fuse_capacity, int)
    assert_type(store.overflowed, int)
    assert_type(store.now(), float)
    assert_type(store.state("db"), FuseState)
    assert_type(store.record_failure("db", 10), int)
    assert_type(store.record_failure("db", timedelta(seconds=10)), int)
    assert_type(store.all_states(), dict[str, FuseState])
    assert_type(store.snapshot(), dict[str, FuseSnapshot])
    assert_type(store.isolate("db", why="drill", who="alice", for_=timedelta(minutes=10)), Transition)
    assert_type(store.disable("db", for_=60), Transition)
    assert_type(store.reset("db", why="over"), Transition)
    assert_type(store.settings("db"), Settings | None)
    store.record_success("db")
    store.set_open("db")
    store.set_half_open("db")
    store.set_closed("db")
    store.reset_all()
    store.record_failure("db", "10")  # type: ignore[arg-type]
    store.set_open(b"db")  # type: ignore[arg-type]


def stores_are_never_called_into_being() -> None:
    """No argument is right, as type checkers know."""
    Store("shop")  # type: ignore[arg-type]
    Store(fuses=5)  # type: ignore[arg-type]


def snapshots(seen: FuseSnapshot) -> None:
    """What a fuse has been through."""
    assert_type(seen.name, str)
    assert_type(seen.state, State)
    assert_type(seen.since, float | None)
    assert_type(seen.last_failure, float | None)
    assert_type(seen.generation + seen.window_failures + seen.successes + seen.failures + seen.ignored, int)
    assert_type(
        seen.rejections + seen.late_outcomes + seen.probes + seen.trips + seen.closes + seen.settings_changes, int
    )
    assert_type(seen.is_local, bool)
    assert_type(seen.module, str | None)
    seen.successes = 1  # type: ignore[misc]


def errors() -> None:
    """Every error is ours, and tells data as attributes."""
    try:
        plain(1)
    except CircuitIsolatedError as error:
        assert_type(error.state, State)
    except CircuitOpenError as error:
        assert_type(error.name, str)
        assert_type(error.retry_after, float | None)
    except StoreOpenError as error:
        assert_type(error.reason, str)
    except StoreReadOnlyError as error:
        assert_type(error.store, str)
    except FuseboardError:
        pass


def testing() -> None:
    """The tools for tests."""
    clock = Clock()
    clock.advance(1)
    clock.advance(timedelta(seconds=1))
    assert_type(clock.now, float)
    with private_default_store(clock) as store:
        assert_type(store, Store)
    force_state(breaker, State.OPEN)
    force_state(breaker, "open")  # type: ignore[arg-type]


with Store.private() as listened_to:
    assert_type(listened_to.journal(), list[Transition])
    assert_type(listened_to.is_removed, bool)
    with listened_to.subscribe(listener) as subscription:
        assert_type(subscription, Subscription)
        assert_type(subscription.lost, int)
    listened_to.subscribe(told.append).close()
    listened_to.subscribe(print)
    listened_to.subscribe(len)  # type: ignore[arg-type]


def streams(store: Store) -> None:
    """Listening in a thread, and going on after a restart."""
    with store.events(since="oldest") as stream:
        assert_type(stream, Events)
        assert_type(stream.take(), Transition | None)
        assert_type(stream.take(timedelta(seconds=1)), Transition | None)
        assert_type(stream.cursor, str)
        assert_type(stream.is_resumed and stream.is_closed, bool)
        for transition in stream:
            assert_type(transition, Transition)
    store.events(stream.cursor).close()
    store.events(7)  # type: ignore[arg-type]


async def follow(store: Store) -> None:
    """Asynchronous listening."""
    events = store.events()
    assert_type(events, Events)
    assert_type(events.lost, int)
    async for transition in events:
        assert_type(transition, Transition)


def is_full(error: OSError) -> bool:
    """Expects what it is asked of."""
    return error.errno == 28


def how_long(error: TimeoutError) -> float | None:
    """The same."""
    return error.errno


def meaning(_: object) -> Outcome:
    """Says what a call's end means."""
    return Outcome.SUCCESS


typed = CircuitBreaker(
    "db", failure_on=is_full, success_on=is_full, ignore=meaning, trip_if=is_full, open_for=how_long, failure_if=meaning
)
demanding = CircuitBreaker("db", failure_if=lambda answer: TripError("no", 5) if answer == 503 else None)
failing = CircuitBreaker("db", failure_if=lambda answer: answer == 503 and Failure(retry_after=5, label="HTTP 503"))
assert_type(Failure(OSError()).error, BaseException | None)
assert_type(Failure(retry_after=timedelta(seconds=5)).retry_after, float | None)
assert_type((Failure(trip=True).trip, Failure(label="HTTP 503").label), tuple[bool, str | None])
Failure("text")  # type: ignore[arg-type]
CircuitBreaker("db", open_for=lambda _: "soon")  # type: ignore[arg-type, return-value]


def reads(outcome: Outcome) -> str:
    """Reads an outcome."""
    match outcome:
        case Outcome.FAILURE | Outcome.SUCCESS | Outcome.IGNORED:
            return outcome.value
    assert_never(outcome)


CircuitBreaker("db", success_on="KeyError")  # type: ignore[arg-type]
