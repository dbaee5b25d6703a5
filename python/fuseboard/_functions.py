"""What kind of function a callable is, as ``inspect`` has it.

The flags of a plain function's code say it all, and cost a tenth of what ``inspect`` takes: ``breaker.call`` asks at
each call. ``inspect`` is asked about other callables.
"""

import inspect
from collections.abc import Awaitable
from functools import partial
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, TracebackType
from typing import Any, cast

WRITTEN_OUT = "<fuseboard guard>"
"""The file name of generated code; see ``_breaker.signatures``."""
_WRAPPERS = ("fuseboard._breaker.wrappers", "fuseboard._breaker.breaker", "contextlib")
"""The modules of the other functions around a guarded one. Those of contextlib hand on their arguments."""

COROUTINE = 0x80
GENERATOR = 0x20
ASYNC_GENERATOR = 0x200
ITERABLE_COROUTINE = 0x100
"""Flags of code objects, as ``inspect`` names them: ``CO_COROUTINE`` and so on."""


def is_coroutine_function(function: object) -> bool:
    """``inspect.iscoroutinefunction``."""
    return _has(function, COROUTINE, "iscoroutinefunction")


def is_async(function: object) -> bool:
    """Whether a call of it gives a coroutine, also by an object's ``__call__``. As an answer, that is always true."""
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


def is_python(function: object) -> bool:
    """Whether a call of it runs Python code in a frame of its own. All that it raises has been in that frame.

    True for functions, methods and partials of functions, and objects whose ``__call__`` is a function.
    """
    while not isinstance(function, FunctionType):
        if isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, partial):
            function = function.func
        elif isinstance(function, type):
            return False
        else:
            function = type(function).__call__
            if not isinstance(function, FunctionType):
                return False
    return True


def has_begun(function: object, traceback: TracebackType | None) -> bool:
    """Whether a ``TypeError`` with this traceback came out of a call that had begun.

    If the arguments are wrong, the interpreter raises it before the function has a frame. Then the traceback has only
    our frames. A callable that is not Python code has no frame at all: its call counts as begun.
    """
    while traceback is not None and _is_ours(traceback.tb_frame):
        traceback = traceback.tb_next
    return traceback is not None or not is_python(function)


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename == WRITTEN_OUT or frame.f_globals.get("__name__") in _WRAPPERS


def is_awaitable(value: object) -> bool:
    """``inspect.isawaitable``."""
    return isinstance(value, Awaitable) or is_awaited(getattr(value, "gi_code", None))


def is_awaited(code: object) -> bool:
    """Whether it is the code of a generator that is awaited as a coroutine: one by ``types.coroutine``."""
    return isinstance(code, CodeType) and bool(code.co_flags & ITERABLE_COROUTINE)


def _has(function: object, flag: int, question: str) -> bool:
    while type(function) in {MethodType, partial}:
        function = function.__func__ if isinstance(function, MethodType) else cast("partial[object]", function).func
    if isinstance(function, BuiltinFunctionType):
        return False
    # An attribute may mark a function as a coroutine function: inspect.markcoroutinefunction, from Python 3.12.
    if type(function) is FunctionType and not function.__dict__:
        return bool(function.__code__.co_flags & flag)
    if isinstance(function, type):
        return False
    answer: Any = getattr(inspect, question)(function)
    return bool(answer)
