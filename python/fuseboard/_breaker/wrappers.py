"""Calls that go on after they return: coroutines, generators, asynchronous generators (rule R17).

The breaker guards the whole call: until the coroutine has returned, until the generator is exhausted. Then it settles
the permit. A generator that is closed early counts neither way. A coroutine function or a generator function asks for
its permit when it begins to run. A plain function that returns a coroutine or a generator asks when it is called,
because the call begins there.
"""

import functools
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, TypeAlias

from fuseboard import _core, _functions
from fuseboard._breaker import fallbacks, signatures
from fuseboard._breaker.classify import BY_OUTCOME, Outcome
from fuseboard.errors import CircuitOpenError

if TYPE_CHECKING:
    from fuseboard._core import Breaker, Permit


Fallback: TypeAlias = Callable[..., Any] | None


def function(breaker: "Breaker", wrapped: Callable[..., Any], fallback: Fallback = None) -> Callable[..., Any] | None:
    """A guarded function of the same kind, or None for a plain one.

    Raises:
        TypeError: the fallback cannot stand in for the function.
    """
    if _functions.is_coroutine_function(wrapped) or _functions.is_awaited(getattr(wrapped, "__code__", None)):
        return _coroutine_function(breaker, wrapped, fallback=fallback)
    if _functions.is_generator_function(wrapped):
        answer = fallback and fallbacks.for_generator(wrapped, fallback)
        return _generator_function(breaker, wrapped, fallback=answer)
    if _functions.is_async_generator_function(wrapped):
        answer = fallback and fallbacks.for_async_generator(wrapped, fallback)
        return _async_generator_function(breaker, wrapped, fallback=answer)
    return None


def result(breaker: "Breaker", begun: Any, permit: "Permit") -> Any:
    """Guards what a plain function returned, under that call's permit: a coroutine, a generator, an asynchronous one.

    None for any other awaitable, because a guarded one would be of another type. If the coroutine or generator
    never runs, its permit is dropped with it, and the lease goes back.
    """
    start = functools.update_wrapper(lambda: begun, begun)
    if isinstance(begun, CoroutineType) or _functions.is_awaited(getattr(begun, "gi_code", None)):
        guard = _coroutine_function
    elif isinstance(begun, GeneratorType):
        guard = _generator_function
    elif isinstance(begun, AsyncGeneratorType):
        guard = _async_generator_function
    else:
        return None
    return guard(breaker, start, admit=functools.partial(breaker._mark, permit))()


def _coroutine_function(
    breaker: "Breaker",
    wrapped: Callable[..., Any],
    admit: Callable[[], "Permit"] | None = None,
    fallback: Fallback = None,
) -> Callable[..., Any]:
    guard = _core.async_guard(breaker)
    if fallback is None and admit is None and signatures.can_be(wrapped):
        return signatures.coroutine_function(wrapped, guard)
    # Looked up once: each guarded call makes this call.
    admit = admit or guard.admit

    async def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            permit = admit()
        except CircuitOpenError as rejection:
            if fallback is None:
                raise
            return await fallbacks.acall(fallback, rejection, args, kwargs)
        try:
            value = await wrapped(*args, **kwargs)
        except BaseException as error:
            raised(breaker, wrapped, permit, error)
            raise
        guard[permit] = value
        return value

    return signatures.named_like(guarded, wrapped)


def _generator_function(
    breaker: "Breaker",
    wrapped: Callable[..., Any],
    admit: Callable[[], "Permit"] | None = None,
    fallback: Fallback = None,
) -> Callable[..., Any]:
    # Looked up once: each guarded call makes these calls.
    admit, settle = admit or breaker._admit, breaker._settle

    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        try:
            permit = admit()
        except CircuitOpenError as rejection:
            if fallback is None:
                raise
            return (yield from fallback(rejection, *args, **kwargs))
        try:
            value = yield from wrapped(*args, **kwargs)
        except BaseException as error:
            raised(breaker, wrapped, permit, error)
            raise
        settle(permit)
        return value

    return signatures.named_like(guarded, wrapped)


def _async_generator_function(
    breaker: "Breaker",
    wrapped: Callable[..., Any],
    admit: Callable[[], "Permit"] | None = None,
    fallback: Fallback = None,
) -> Callable[..., Any]:
    # Looked up once: each guarded call makes these calls.
    admit, settle = admit or breaker._admit, breaker._settle

    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        closed_early = False
        try:
            # Called from this frame: the frame tells which other guards are inside the call.
            permit, start = admit(), wrapped
        except CircuitOpenError as rejection:
            permit, start = None, _instead(fallback, rejection)
        try:
            source = start(*args, **kwargs)
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
            if permit is not None:
                settle(permit)
        except BaseException as error:
            if permit is not None:
                raised(breaker, wrapped, permit, GeneratorExit() if closed_early else error)
            raise

    return signatures.named_like(guarded, wrapped)


def raised(breaker: "Breaker", wrapped: Callable[..., Any], permit: "Permit", error: BaseException) -> None:
    """Settles a call that has raised. Wrong arguments count neither way, because no call has begun (rule R10)."""
    if isinstance(error, TypeError) and not _functions.has_begun(wrapped, error.__traceback__):
        breaker._settle_as(permit, BY_OUTCOME[Outcome.IGNORED])
    else:
        breaker._settle(permit, error)


def _instead(fallback: Fallback, rejection: CircuitOpenError) -> Callable[..., Any]:
    """What to call instead of a rejected call. Without a fallback, raises the rejection."""
    if fallback is None:
        raise rejection
    # Without its traceback: a traceback holds frames, and this frame holds the generator that is made here.
    return functools.partial(fallback, rejection.with_traceback(None))


def _first_step(source: AsyncGenerator[Any, Any]) -> Any:
    """Begins a source unseen by the event loop.

    An event loop that ends closes all generators that it saw begin, at the same time. It must see the guarded generator
    only, which closes its source itself.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return source.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)
