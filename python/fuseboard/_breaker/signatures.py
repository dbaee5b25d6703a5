"""Wrappers with the parameters of the function that they wrap: what ``@breaker`` makes of functions and coroutines.

A wrapper with ``*args, **kwargs`` packs its arguments into a tuple and a dict at each call, and unpacks both for the
function inside. That takes longer than all the rest of a guard (CPython 3.11: 330 ns a call instead of 130, and 1,100
instead of 290 for a coroutine function). So the wrapper is generated with the parameters of the wrapped function, as
``namedtuple`` and ``dataclass`` generate their methods. The text is compiled once for all functions with the same
parameters.

The code has the wrapped function's name, so that profiles and tracebacks tell guarded functions apart. Its file name is
``<fuseboard guard>``, so that no line of another file is shown for it.
"""

import builtins
import functools
import keyword
from collections.abc import Callable, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any, cast

from fuseboard import _core
from fuseboard._functions import WRITTEN_OUT

_PREFIX = "_fuseboard_"
"""Names that are not parameters begin with this."""
_KEPT = 512
_VARARGS, _VARKEYWORDS = 0x04, 0x08
_ANYTHING = "*args, **kwargs"
_FUNCTION = """
def make(_fuseboard_guard):
    def guarded({parameters}):
        return _fuseboard_guard({arguments})
"""
_COROUTINE_FUNCTION = """
def make(_fuseboard_admit, _fuseboard_settle, _fuseboard_settle_result, _fuseboard_wrapped, _fuseboard_any):
    async def guarded({parameters}):
        _fuseboard_permit = _fuseboard_admit()
        try:
            _fuseboard_value = await _fuseboard_wrapped({arguments})
        except _fuseboard_any as _fuseboard_error:
            _fuseboard_settle(_fuseboard_permit, _fuseboard_error)
            raise
        _fuseboard_settle_result(_fuseboard_permit, _fuseboard_value)
        return _fuseboard_value
"""


def can_be(wrapped: object) -> bool:
    """Whether it is a function for which a wrapper with its parameters can be generated."""
    if not isinstance(wrapped, FunctionType):
        return False
    names = _names(wrapped.__code__)
    return not any(name.startswith(_PREFIX) or not name.isidentifier() or keyword.iskeyword(name) for name in names)


def function(wrapped: Callable[..., Any], guard: Callable[..., Any], *, has_fallback: bool) -> FunctionType:
    """A function in front of a guard, with the parameters of the guarded function where that is a Python function.

    With a fallback it takes anything: a fallback gets the arguments of the call, without the defaults filled in.
    """
    is_exact = can_be(wrapped) and not has_fallback
    guarded = _written_out(_FUNCTION, wrapped, is_exact=is_exact, values={"_fuseboard_guard": guard})
    _core.enter_directly(guarded, guard, is_exact)
    return guarded


def coroutine_function(
    wrapped: Callable[..., Any],
    admit: Callable[[], object],
    settle: Callable[..., None],
    settle_result: Callable[..., None],
) -> FunctionType:
    """A coroutine function with the parameters of another, which it awaits between ``admit`` and ``settle_result``."""
    values = {
        "_fuseboard_admit": admit,
        "_fuseboard_settle": settle,
        "_fuseboard_settle_result": settle_result,
        "_fuseboard_wrapped": wrapped,
        # The function's globals or parameters may use the name for something else.
        "_fuseboard_any": BaseException,
    }
    return _written_out(_COROUTINE_FUNCTION, wrapped, is_exact=True, values=values)


def named_like(guarded: Callable[..., Any], wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a wrapper and its code the names of the wrapped function, and what else ``functools.wraps`` gives it."""
    cast("FunctionType", guarded).__code__ = _renamed(guarded.__code__, wrapped)
    return functools.update_wrapper(guarded, wrapped)


def _written_out(
    template: str, wrapped: Callable[..., Any], *, is_exact: bool, values: Mapping[str, object]
) -> FunctionType:
    parameters = _parameters(wrapped.__code__) if is_exact else (_ANYTHING, _ANYTHING)
    code = _renamed(_compiled(template, *parameters), wrapped)
    # The wrapped function's globals: frameworks look there for names in annotations. The code itself uses none.
    known = getattr(wrapped, "__globals__", None)
    names = known if isinstance(known, dict) else {"__name__": __name__, "__builtins__": builtins}
    cells = tuple(CellType(values[name]) for name in code.co_freevars)
    guarded = FunctionType(code, names, code.co_name, wrapped.__defaults__ if is_exact else None, cells)
    if is_exact:
        guarded.__kwdefaults__ = wrapped.__kwdefaults__
    functools.update_wrapper(guarded, wrapped)
    return guarded


@functools.lru_cache(_KEPT)
def _compiled(template: str, parameters: str, arguments: str) -> CodeType:
    """The code of the function inside of ``make``."""
    module = compile(template.format(parameters=parameters, arguments=arguments), WRITTEN_OUT, "exec")
    return _inner(_inner(module))


def _inner(code: CodeType) -> CodeType:
    return next(constant for constant in code.co_consts if isinstance(constant, CodeType))


def _renamed(code: CodeType, wrapped: Callable[..., Any]) -> CodeType:
    name = getattr(wrapped, "__name__", None)
    name = name if isinstance(name, str) else type(wrapped).__name__
    qualified = getattr(wrapped, "__qualname__", None)
    return code.replace(co_name=name, co_qualname=qualified if isinstance(qualified, str) else name)


def _parameters(code: CodeType) -> tuple[str, str]:
    """How the parameters are written in a definition, and in a call that hands them on."""
    names = _names(code)
    by_position, by_name = names[: code.co_argcount], names[code.co_argcount :][: code.co_kwonlyargcount]
    rest = names[code.co_argcount + code.co_kwonlyargcount :]
    defined, given = list(by_position), list(by_position)
    if code.co_posonlyargcount:
        defined.insert(code.co_posonlyargcount, "/")
    if code.co_flags & _VARARGS:
        more = f"*{rest.pop(0)}"
        defined.append(more)
        given.append(more)
    elif by_name:
        defined.append("*")
    defined += by_name
    given += [f"{name}={name}" for name in by_name]
    every = [f"**{name}" for name in rest]
    return ", ".join(defined + every), ", ".join(given + every)


def _names(code: CodeType) -> list[str]:
    flags = bool(code.co_flags & _VARARGS) + bool(code.co_flags & _VARKEYWORDS)
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + flags])
