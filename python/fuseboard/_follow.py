"""Calls that go on after they return: coroutines, generators, asynchronous generators (rule R17).

What is guarded is the whole of such a call: the awaiting, the iteration. Its permit is asked for when it begins to
run, not when it is made, and settled when it has ended, however that comes about; a generator closed early counts
neither way.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fuseboard._core import Breaker


def function(breaker: "Breaker", wrapped: Callable[..., Any]) -> Callable[..., Any] | None:
    """A guarded function of the same kind, or None for a plain one."""
    if inspect.iscoroutinefunction(wrapped):
        return _coroutine_function(breaker, wrapped)
    if inspect.isgeneratorfunction(wrapped):
        return _generator_function(breaker, wrapped)
    if inspect.isasyncgenfunction(wrapped):
        return _async_generator_function(breaker, wrapped)
    return None


def result(breaker: "Breaker", begun: Any) -> Any:
    """Guards what a plain function returned: a coroutine, a generator or an asynchronous generator not yet run."""
    if inspect.iscoroutine(begun):
        return _coroutine(breaker, begun)
    if inspect.isgenerator(begun):
        return _generator(breaker, begun)
    return _async_generator(breaker, begun)


def _coroutine_function(breaker: "Breaker", wrapped: Callable[..., Any]) -> Callable[..., Any]:
    # Looked up once: these are the calls that an asynchronous call costs.
    admit, settle = breaker._admit, breaker._settle

    @functools.wraps(wrapped)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        permit = admit()
        try:
            value = await wrapped(*args, **kwargs)
        except BaseException as error:
            settle(permit, error)
            raise
        settle(permit)
        return value

    return guarded


def _generator_function(breaker: "Breaker", wrapped: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(wrapped)
    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        permit = breaker._admit()
        try:
            value = yield from wrapped(*args, **kwargs)
        except BaseException as error:
            breaker._settle(permit, error)
            raise
        breaker._settle(permit)
        return value

    return guarded


def _async_generator_function(breaker: "Breaker", wrapped: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(wrapped)
    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        permit = breaker._admit()
        try:
            source = wrapped(*args, **kwargs)
            step = source.__anext__()
            while True:
                try:
                    value = await step
                except StopAsyncIteration:
                    break
                # What the caller sends or throws goes to the source, as "yield from" does it for plain generators.
                try:
                    sent = yield value
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - handed on, not handled
                    step = source.athrow(error)
                else:
                    step = source.asend(sent)
        except BaseException as error:
            breaker._settle(permit, error)
            raise
        breaker._settle(permit)

    return guarded


async def _coroutine(breaker: "Breaker", begun: Coroutine[Any, Any, Any]) -> Any:
    async def awaiting() -> Any:
        return await begun

    try:
        return await _coroutine_function(breaker, awaiting)()
    finally:
        begun.close()


def _generator(breaker: "Breaker", begun: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return _generator_function(breaker, lambda: begun)()  # type: ignore[no-any-return]


def _async_generator(breaker: "Breaker", begun: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    return _async_generator_function(breaker, lambda: begun)()  # type: ignore[no-any-return]
