"""What kind of function a callable is, as ``inspect`` has it.

Of plain functions the code's flags say all; only for the rest is ``inspect`` asked, and imported, which takes longer
than the rest of the package's import.
"""

from collections.abc import Awaitable
from types import CodeType, FunctionType
from typing import Any, TypeGuard

COROUTINE = 0x80
GENERATOR = 0x20
ASYNC_GENERATOR = 0x200
ITERABLE_COROUTINE = 0x100
"""Flags of code objects, as ``inspect`` names them: ``CO_COROUTINE`` and so on."""


def is_coroutine_function(function: object) -> bool:
    """``inspect.iscoroutinefunction``."""
    return _has(function, COROUTINE, "iscoroutinefunction")


def is_async(function: object) -> bool:
    """Whether to call it gives a coroutine, also by an object's ``__call__``: such an answer is true whatever it is."""
    if is_coroutine_function(function) or isinstance(function, type) or not callable(function):
        return is_coroutine_function(function)
    called = type(function).__call__
    return isinstance(called, FunctionType) and is_coroutine_function(called)


def is_generator_function(function: object) -> bool:
    """``inspect.isgeneratorfunction``."""
    return _has(function, GENERATOR, "isgeneratorfunction")


def is_async_generator_function(function: object) -> bool:
    """``inspect.isasyncgenfunction``."""
    return _has(function, ASYNC_GENERATOR, "isasyncgenfunction")


def is_defined_async(function: object) -> TypeGuard[FunctionType]:
    """Whether it is a function that ``async def`` made: to call it begins nothing, and gives a coroutine."""
    return isinstance(function, FunctionType) and bool(function.__code__.co_flags & COROUTINE)


def is_awaitable(value: object) -> bool:
    """``inspect.isawaitable``."""
    return isinstance(value, Awaitable) or is_awaited(getattr(value, "gi_code", None))


def is_awaited(code: object) -> bool:
    """Whether it is the code of a generator that is awaited as a coroutine: one by ``types.coroutine``."""
    return isinstance(code, CodeType) and bool(code.co_flags & ITERABLE_COROUTINE)


def _has(function: object, flag: int, question: str) -> bool:
    # An attribute may mark a function as a coroutine function: inspect.markcoroutinefunction, from Python 3.12.
    if type(function) is FunctionType and not function.__dict__:
        return bool(function.__code__.co_flags & flag)
    if isinstance(function, type):
        return False
    import inspect  # noqa: PLC0415 - see above

    answer: Any = getattr(inspect, question)(function)
    return bool(answer)
