"""What a rejected call gets instead: ``fallback=`` and ``with_fallback``.

A fallback answers only for calls that the fuse rejected. What the guarded function raises reaches the caller. The
fallback itself is not guarded: what it raises reaches the caller too.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from fuseboard._functions import (
    is_async_generator_function,
    is_awaitable,
    is_coroutine_function,
    is_generator_function,
)
from fuseboard._validation import shown
from fuseboard.errors import CircuitOpenError


class Value:
    """A value as a fallback: a function that ignores its arguments and returns the value."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __call__(self, *_args: object, **_kwargs: object) -> object:
        return self.value


def function(fallback: object) -> Callable[..., Any] | None:
    """The function that answers rejected calls; None for none.

    Raises:
        TypeError: the fallback is a coroutine or another awaitable, good for one call only.
    """
    if is_awaitable(fallback):
        raise TypeError(
            f"fallback must be a value, a function or a coroutine function, got {shown(fallback)}, which can be "
            "awaited only once; pass the function that creates it"
        )
    return fallback if fallback is None or callable(fallback) else Value(fallback)


def for_function(wrapped: Callable[..., Any], fallback: Callable[..., Any]) -> Callable[..., Any]:
    """The fallback of a plain function, checked: its caller does not await what it gets."""
    if _is(fallback, is_coroutine_function):
        _refuse(wrapped, fallback, "a value or a plain function")
    return fallback


def for_generator(wrapped: Callable[..., Any], fallback: Callable[..., Any]) -> Callable[..., Any]:
    """The fallback of a generator function, checked: it is iterated over in the place of the generator."""
    if _is(fallback, is_coroutine_function, is_async_generator_function, _is_value):
        _refuse(wrapped, fallback, "a generator function")
    return fallback


def for_async_generator(wrapped: Callable[..., Any], fallback: Callable[..., Any]) -> Callable[..., Any]:
    """The fallback of an asynchronous generator function, checked: one of its kind."""
    if _is(fallback, is_coroutine_function, is_generator_function, _is_value):
        _refuse(wrapped, fallback, "an asynchronous generator function")
    return fallback


def for_manager(wrapped: Callable[..., Any], fallback: Callable[..., Any]) -> Callable[..., Any]:
    """The fallback of a function that returns a context manager, checked: the block is entered in that one's place."""
    if _is(fallback, is_coroutine_function, is_generator_function, is_async_generator_function, _is_value):
        _refuse(wrapped, fallback, "a function that returns a context manager")
    return fallback


def call(
    fallback: Callable[..., Any], rejection: CircuitOpenError, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What a plain function's rejected call gets."""
    try:
        # Raised and caught here, so that it is the context of what the fallback raises.
        raise rejection
    except CircuitOpenError:
        return fallback(rejection, *args, **kwargs)
    finally:
        # This frame is in the rejection's traceback; the two would keep each other alive.
        del rejection


async def acall(
    fallback: Callable[..., Any], rejection: CircuitOpenError, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What a coroutine function's rejected call gets."""
    value = fallback(rejection, *args, **kwargs)
    return await value if is_awaitable(value) else value


def _is(fallback: Callable[..., Any], *kinds: Callable[[object], bool]) -> bool:
    """Whether a function, or the method that makes an object callable, is of one of these kinds."""
    called = type(fallback).__call__
    return any(is_kind(fallback) or is_kind(called) for is_kind in kinds)


def _is_value(fallback: object) -> bool:
    return isinstance(fallback, Value)


def _refuse(wrapped: Callable[..., Any], fallback: Callable[..., Any], demand: str) -> NoReturn:
    given = fallback.value if isinstance(fallback, Value) else fallback
    raise TypeError(f"fallback must be {demand} to stand in for {shown(wrapped)}, got {shown(given)}")
