"""Calls that go on after they return: coroutines, generators, asynchronous generators (rule R17).

What is guarded is the whole of such a call: the awaiting, the iteration. Its permit is settled when it has ended,
however that comes about; a generator closed early counts neither way. Of a coroutine function or a generator function
the permit is asked for when it begins to run; of a plain function that returns such a thing, when it is called, because
there the call begins.
"""

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fuseboard._core import Breaker, Permit


def function(breaker: "Breaker", wrapped: Callable[..., Any]) -> Callable[..., Any] | None:
    """A guarded function of the same kind, or None for a plain one."""
    if inspect.iscoroutinefunction(wrapped) or _is_awaited(getattr(wrapped, "__code__", None)):
        return _coroutine_function(breaker, wrapped)
    if inspect.isgeneratorfunction(wrapped):
        return _generator_function(breaker, wrapped)
    if inspect.isasyncgenfunction(wrapped):
        return _async_generator_function(breaker, wrapped)
    return None


def result(breaker: "Breaker", begun: Any, permit: "Permit") -> Any:
    """Guards what a plain function returned, under that call's permit: a coroutine, a generator, an asynchronous one.

    None for another awaitable, which cannot be guarded without becoming something else. If what is guarded is never run
    the permit goes with it, and gives its lease back.
    """
    start = functools.update_wrapper(lambda: begun, begun)
    if inspect.iscoroutine(begun) or _is_awaited(getattr(begun, "gi_code", None)):
        guard = _coroutine_function
    elif inspect.isgenerator(begun):
        guard = _generator_function
    elif inspect.isasyncgen(begun):
        guard = _async_generator_function
    else:
        return None
    return guard(breaker, start, admit=lambda: permit)()


def _is_awaited(code: object) -> bool:
    """Whether it is the code of a generator that is awaited as a coroutine: one by ``types.coroutine``."""
    return isinstance(code, CodeType) and bool(code.co_flags & inspect.CO_ITERABLE_COROUTINE)


def _coroutine_function(
    breaker: "Breaker", wrapped: Callable[..., Any], admit: Callable[[], "Permit"] | None = None
) -> Callable[..., Any]:
    # Looked up once: these are the calls that a guarded one costs.
    admit, settle = admit or breaker._admit, breaker._settle

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


def _generator_function(
    breaker: "Breaker", wrapped: Callable[..., Any], admit: Callable[[], "Permit"] | None = None
) -> Callable[..., Any]:
    # Looked up once: these are the calls that a guarded one costs.
    admit, settle = admit or breaker._admit, breaker._settle

    @functools.wraps(wrapped)
    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        permit = admit()
        try:
            value = yield from wrapped(*args, **kwargs)
        except BaseException as error:
            settle(permit, error)
            raise
        settle(permit)
        return value

    return guarded


def _async_generator_function(
    breaker: "Breaker", wrapped: Callable[..., Any], admit: Callable[[], "Permit"] | None = None
) -> Callable[..., Any]:
    # Looked up once: these are the calls that a guarded one costs.
    admit, settle = admit or breaker._admit, breaker._settle

    @functools.wraps(wrapped)
    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        permit, closed_early = admit(), False
        try:
            source = wrapped(*args, **kwargs)
            step = _first_step(source)
            while True:
                value = await step
                # What the caller sends or throws goes to the source, as "yield from" does it for plain generators.
                try:
                    step = source.asend((yield value))
                except GeneratorExit:
                    closed_early = True
                    await source.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - handed on, not handled
                    step = source.athrow(error)
        except StopAsyncIteration:
            settle(permit)
        except BaseException as error:
            settle(permit, GeneratorExit() if closed_early else error)
            raise

    return guarded


def _first_step(source: AsyncGenerator[Any, Any]) -> Any:
    """Begins a source unseen by the event loop.

    A loop that ends closes all that it saw begin, at once: that is to be the guarded generator, which closes its
    source, and not both.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return source.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)
