"""Context managers made of generators: the block is guarded, from when it is entered until it is left (rule R17)."""

import asyncio
import contextlib
import functools
import io
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, trip, wait_for_probe


class Service:
    """What is connected to: it refuses, or it does not."""

    def __init__(self) -> None:
        self.refuses = False
        self.left: list[str] = []

    def plain(self, name: str = "it") -> Generator[str, None, None]:
        """A connection, as a generator."""
        if self.refuses:
            raise ConnectionError
        try:
            yield name
        except KeyError:
            self.left.append("swallowed")
        finally:
            self.left.append(name)

    async def later(self, name: str = "it") -> AsyncGenerator[str, None]:
        """The same, asynchronous."""
        if self.refuses:
            raise ConnectionError
        await asyncio.sleep(0)
        try:
            yield name
        except KeyError:
            self.left.append("swallowed")
        finally:
            self.left.append(name)


Make = Callable[..., Any]
"""Makes context managers, guarded."""
Way = Callable[[CircuitBreaker, Callable[..., Any], Callable[..., Any]], Make]
"""Makes that of a breaker, the decorator of contextlib, and a generator function."""


def above(breaker: CircuitBreaker, decorator: Make, function: Make) -> Make:
    """``@breaker`` above ``@contextmanager``."""
    return breaker(decorator(function))


def below(breaker: CircuitBreaker, decorator: Make, function: Make) -> Make:
    """``@contextmanager`` above ``@breaker``."""
    return decorator(breaker(function))


def above_a_wrapped_one(breaker: CircuitBreaker, decorator: Make, function: Make) -> Make:
    """Where another decorator stands in between, so that contextlib's is over a plain function."""
    return breaker(decorator(functools.wraps(function)(lambda *args: function(*args))))  # noqa: PLW0108 - to be plain


def by_call(breaker: CircuitBreaker, decorator: Make, function: Make) -> Make:
    """``call``."""
    return functools.partial(breaker.call, decorator(function))


def of_a_function(breaker: CircuitBreaker, decorator: Make, function: Make) -> Make:
    """A guarded function that returns what another one made, such as a pool."""
    return breaker(lambda *args: decorator(function)(*args))  # noqa: PLW0108 - to be plain


def of_a_function_of_a_wrapped_one(breaker: CircuitBreaker, decorator: Make, function: Make) -> Make:
    """Both."""
    return of_a_function(breaker, decorator, lambda *args: function(*args))  # noqa: PLW0108 - to be plain


def of_a_method(breaker: CircuitBreaker, decorator: Make, function: Make) -> Make:
    """A bound method."""

    class Pool:
        @decorator
        def connection(self, *args: str) -> Any:
            return function(*args)

    return breaker(Pool().connection)


def of_a_class(breaker: CircuitBreaker, decorator: Make, function: Make) -> Make:
    """A class method."""

    class Pool:
        @breaker
        @classmethod
        @decorator
        def connection(cls, *args: str) -> Any:
            return function(*args)

    return Pool.connection


WAYS = [above, below, above_a_wrapped_one, by_call, of_a_function, of_a_function_of_a_wrapped_one, of_a_method,
    of_a_class]  # fmt: skip

Enter = Callable[[Any, BaseException | None], str]


def in_a_block(manager: Any, error: BaseException | None = None) -> str:
    """A block that ends with this error; what it was given."""
    with manager as given:
        if error is not None:
            raise error
    return given


def in_an_async_block(manager: Any, error: BaseException | None = None) -> str:
    """The same of an asynchronous one."""

    async def main() -> str:
        async with manager as given:
            if error is not None:
                raise error
        return given

    return asyncio.run(main())


class Rig:
    """A service, a guarded function that connects to it, and how such a connection is used."""

    def __init__(self, store: Store, way: Way, *, is_async: bool) -> None:
        self.breaker = CircuitBreaker("db", threshold=3, store=store)
        self.service = Service()
        self.function = self.service.later if is_async else self.service.plain
        self.decorator: Make = contextlib.asynccontextmanager if is_async else contextlib.contextmanager
        self.make = way(self.breaker, self.decorator, self.function)
        self.enter: Enter = in_an_async_block if is_async else in_a_block

    def counts(self) -> tuple[int, int, int]:
        """Failures, successes, and what says nothing."""
        seen = self.breaker.store.snapshot().get("db")
        return (seen.failures, seen.successes, seen.ignored) if seen else (0, 0, 0)

    def use(self, error: BaseException | None = None) -> str:
        """A block with a connection of its own."""
        return self.enter(self.make("mine"), error)


@pytest.fixture(params=[False, True], ids=["plain", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    """Whether the context manager is asynchronous."""
    return bool(request.param)


@pytest.fixture(params=WAYS)
def rig(request: pytest.FixtureRequest, store: Store, is_async: bool) -> Rig:
    """Each way, of either kind."""
    return Rig(store, request.param, is_async=is_async)


def test_refused_connections_open_the_fuse(rig: Rig) -> None:
    """R03, R17: what is raised when the block is entered is the call's failure; once open, none is entered."""
    rig.service.refuses = True
    for _ in range(3):
        with pytest.raises(ConnectionError):
            rig.use()
    assert ((3, 0, 0), State.OPEN) == (rig.counts(), rig.breaker.state)
    with pytest.raises(CircuitOpenError):
        rig.use()


def test_a_block_that_ends_well_is_a_success(rig: Rig) -> None:
    """R17: when it is left, and not before."""
    manager = rig.make("mine")
    assert (0, 0, 0) == rig.counts()
    assert "mine" == rig.enter(manager, None)
    assert ((0, 1, 0), ["mine"]) == (rig.counts(), rig.service.left)


def test_what_a_block_raises_is_its_outcome(rig: Rig) -> None:
    """R17, R16: as in ``with breaker``; and the generator's own clean-up is done, once."""
    error = BoomError()
    with pytest.raises(BoomError) as raised:
        rig.use(error)
    assert raised.value is error
    assert ((1, 0, 0), ["mine"]) == (rig.counts(), rig.service.left)


def test_what_the_generator_swallows_is_no_failure(rig: Rig) -> None:
    """R17: the guarded call is the generator's: it caught the exception, and ended well."""
    assert "mine" == rig.use(KeyError())
    assert ((0, 1, 0), ["swallowed", "mine"]) == (rig.counts(), rig.service.left)


@pytest.mark.parametrize("error", [GeneratorExit(), KeyboardInterrupt(), SystemExit()], ids=repr)
def test_ends_that_say_nothing_say_nothing(rig: Rig, error: BaseException) -> None:
    """R10: also ``GeneratorExit``, by which generators are closed."""
    with pytest.raises(type(error)) as raised:
        rig.use(error)
    assert raised.value is error
    assert ((0, 0, 1), ["mine"]) == (rig.counts(), rig.service.left)


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, RuntimeError])
def test_ends_of_iteration_that_a_block_raises_come_out_as_they_are(rig: Rig, kind: type[Exception]) -> None:
    """R16: which generators turn into a ``RuntimeError`` on their way, and contextlib turns back."""
    with pytest.raises(kind):
        in_a_block(rig.make("mine"), kind()) if rig.enter is in_a_block else _raise_in_async_block(rig, kind())
    assert ((1, 0, 0), ["mine"]) == (rig.counts(), rig.service.left)


def _raise_in_async_block(rig: Rig, error: Exception) -> None:
    async def main() -> Exception | None:
        try:
            async with rig.make("mine"):
                raise error
        except (StopIteration, StopAsyncIteration, RuntimeError) as raised:
            return raised
        return None

    # A coroutine could not raise StopIteration itself.
    raised = asyncio.run(main())
    assert raised is not None
    raise raised


def test_a_block_of_a_probe_closes_the_fuse(rig: Rig, clock: Clock) -> None:
    """R06, R07: the permit is the block's."""
    wait_for_probe(rig.breaker, clock)
    assert "mine" == rig.use()
    assert State.CLOSED is rig.breaker.state


def test_an_open_fuse_lets_nobody_in(rig: Rig) -> None:
    """R05: the generator does not begin."""
    trip(rig.breaker)
    with pytest.raises(CircuitOpenError):
        rig.use()
    assert [] == rig.service.left


@pytest.fixture(params=[above, below])
def decorated(request: pytest.FixtureRequest, store: Store, is_async: bool) -> Rig:
    """The two orders of decorators."""
    return Rig(store, request.param, is_async=is_async)


def test_the_fuse_is_asked_when_the_block_is_entered(decorated: Rig) -> None:
    """R17: so a manager that was made while it was closed lets nobody in once it is open."""
    manager = decorated.make("mine")
    trip(decorated.breaker)
    with pytest.raises(CircuitOpenError):
        decorated.enter(manager, None)
    assert [] == decorated.service.left


@pytest.mark.parametrize("way", [above, below, by_call, of_a_function])
def test_making_a_manager_takes_no_permit(way: Way, store: Store, is_async: bool, clock: Clock) -> None:
    """R06, R17: one that is never entered keeps no probe from being made."""
    rig = Rig(store, way, is_async=is_async)
    wait_for_probe(rig.breaker, clock)
    manager = rig.make("mine")
    rig.breaker.check()
    assert "mine" == rig.enter(manager, None)
    assert State.CLOSED is rig.breaker.state


def test_a_manager_used_as_a_decorator_guards_each_call(decorated: Rig) -> None:
    """R17: contextlib makes it anew for each; decorating asks nobody, also where the fuse is open."""
    decorated.breaker.isolate()
    manager = decorated.make("mine")
    if decorated.enter is in_a_block:
        used = manager(lambda: None)
    else:

        async def body() -> None: ...

        later = manager(body)

        def used() -> None:
            asyncio.run(later())

    with pytest.raises(CircuitOpenError):
        used()
    decorated.breaker.reset()
    used()
    decorated.service.refuses = True
    with pytest.raises(ConnectionError):
        used()
    assert (1, 1, 0) == decorated.counts()


def test_it_stays_what_it_was(decorated: Rig) -> None:
    """As with ``functools.wraps``."""
    assert decorated.function.__name__ == decorated.make.__name__
    assert decorated.function.__doc__ == decorated.make.__doc__


def test_a_fallback_stands_in_for_the_block(is_async: bool, store: Store) -> None:
    """R05: it returns a context manager, which is entered and left in that one's place."""
    rig = Rig(store, below, is_async=is_async)
    cache = rig.decorator(Service().later if is_async else Service().plain)
    guarded = rig.breaker.with_fallback(lambda _rejection, name: cache(f"cached {name}"))(rig.decorator(rig.function))
    assert "mine" == rig.enter(guarded("mine"), None)
    rig.breaker.isolate()
    assert "cached mine" == rig.enter(guarded("mine"), None)
    with pytest.raises(BoomError):
        rig.enter(guarded("mine"), BoomError())
    assert (0, 1, 0) == rig.counts()


async def answer_later(*_arguments: object) -> None:
    """A coroutine function."""


@pytest.mark.parametrize("fallback", [3, answer_later, Service().plain, Service().later])
def test_what_is_no_context_manager_does_not(fallback: object, is_async: bool, store: Store) -> None:
    """It is refused where the function is decorated."""
    rig = Rig(store, below, is_async=is_async)
    with pytest.raises(TypeError, match=r"must be a function that returns a context manager to stand in for .*, got "):
        rig.breaker.with_fallback(fallback)(rig.decorator(rig.function))


def test_a_file_or_a_connection_is_a_result(store: Store) -> None:
    """R17: the call was to get it; what its block does later is the caller's."""
    breaker = CircuitBreaker("db", store=store)

    class Connection(contextlib.AbstractContextManager["Connection"]):
        def __exit__(self, *_error: object) -> None: ...

    for make in (io.StringIO, Connection, contextlib.nullcontext, contextlib.ExitStack):
        made: Any = breaker(lambda make=make: make())()
        assert isinstance(made, make)
        with pytest.raises(BoomError), made:
            raise BoomError
    seen = store.snapshot()["db"]
    assert (0, 4) == (seen.failures, seen.successes)


def test_one_that_was_entered_already_is_a_result(store: Store) -> None:
    """R17: somebody else's block, in the middle."""
    breaker, rig = CircuitBreaker("db", store=store), Service()
    manager = contextlib.contextmanager(rig.plain)("mine")
    assert "mine" == manager.__enter__()
    assert manager is breaker(lambda: manager)()
    assert manager is breaker.call(lambda: manager)
    assert 2 == store.snapshot()["db"].successes
    manager.__exit__(None, None, None)
    assert ["mine"] == rig.left
