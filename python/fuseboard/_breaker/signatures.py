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
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, cast

from fuseboard import _core
from fuseboard._functions import WRITTEN_OUT

_PREFIX = "_fuseboard_"
"""Names that are not parameters begin with this."""
_KEPT = 512
_VARARGS, _VARKEYWORDS = 0x04, 0x08
_ANYTHING = "*args, **kwargs"
_FUNCTION = """
def make(_fuseboard_defaults, _fuseboard_kwdefaults, _fuseboard_guard):
    def guarded({parameters}):
        return _fuseboard_guard({arguments})
    return guarded
"""
_COROUTINE_FUNCTION = """
def make(_fuseboard_defaults, _fuseboard_kwdefaults, _fuseboard_guard, _fuseboard_wrapped):
    async def guarded({parameters}):
        _fuseboard_permit = ~_fuseboard_guard
        try:
            _fuseboard_value = await _fuseboard_wrapped({arguments})
        except:
            _fuseboard_guard.raised(_fuseboard_permit)
            raise
        _fuseboard_guard[_fuseboard_permit] = _fuseboard_value
        return _fuseboard_value
    return guarded
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
    guarded = _written_out(_FUNCTION, wrapped, guard, is_exact=is_exact)
    if is_exact:
        # The same objects: by these the entry sees that nobody has changed them.
        guarded.__defaults__, guarded.__kwdefaults__ = wrapped.__defaults__, wrapped.__kwdefaults__
    _core.enter_directly(guarded, guard, is_exact)
    return guarded


def coroutine_function(wrapped: Callable[..., Any], guard: "_core._AsyncGuard") -> FunctionType:
    """A coroutine function with the parameters of another, which it awaits under a permit of the guard."""
    return _written_out(_COROUTINE_FUNCTION, wrapped, guard, wrapped, is_exact=True)


def named_like(guarded: Callable[..., Any], wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a wrapper and its code the names of the wrapped function, and what else ``functools.wraps`` gives it."""
    cast("FunctionType", guarded).__code__ = _renamed(guarded.__code__, wrapped)
    return functools.update_wrapper(guarded, wrapped)


def _written_out(template: str, wrapped: Callable[..., Any], *values: object, is_exact: bool) -> FunctionType:
    """The function that a template makes of these values.

    It is made by a ``def`` that runs, defaults included. A function that was made from its code, or whose defaults were
    set later, is one whose calls CPython does not tune, from 3.13 on.
    """
    parameters = _parameters(cast("FunctionType", wrapped)) if is_exact else (_ANYTHING, _ANYTHING)
    code = _compiled(template, *parameters)
    inner = _inner(code)
    constants = tuple(_renamed(inner, wrapped) if constant is inner else constant for constant in code.co_consts)
    # The wrapped function's globals: frameworks look there for names in annotations. The code itself uses none.
    known = getattr(wrapped, "__globals__", None)
    names = known if isinstance(known, dict) else {"__name__": __name__, "__builtins__": builtins}
    make = FunctionType(code.replace(co_consts=constants), names)
    defaults = (wrapped.__defaults__, wrapped.__kwdefaults__) if is_exact else (None, None)
    guarded: FunctionType = make(*defaults, *values)
    functools.update_wrapper(guarded, wrapped)
    return guarded


@functools.lru_cache(_KEPT)
def _compiled(template: str, parameters: str, arguments: str) -> CodeType:
    """The code of ``make``."""
    return _inner(compile(template.format(parameters=parameters, arguments=arguments), WRITTEN_OUT, "exec"))


def _inner(code: CodeType) -> CodeType:
    return next(constant for constant in code.co_consts if isinstance(constant, CodeType))


def _renamed(code: CodeType, wrapped: Callable[..., Any]) -> CodeType:
    name = getattr(wrapped, "__name__", None)
    name = name if isinstance(name, str) else type(wrapped).__name__
    qualified = getattr(wrapped, "__qualname__", None)
    return code.replace(co_name=name, co_qualname=qualified if isinstance(qualified, str) else name)


def _parameters(wrapped: FunctionType) -> tuple[str, str]:
    """How the parameters are written in a definition, and in a call that hands them on."""
    code, names = wrapped.__code__, _names(wrapped.__code__)
    by_position, by_name = names[: code.co_argcount], names[code.co_argcount :][: code.co_kwonlyargcount]
    rest = names[code.co_argcount + code.co_kwonlyargcount :]
    defaults, kwdefaults = wrapped.__defaults__ or (), wrapped.__kwdefaults__ or {}
    # Defaults belong to the last parameters.
    first = len(by_position) - len(defaults)
    defined = [
        f"{name}=_fuseboard_defaults[{index - first}]" if index >= first else name
        for index, name in enumerate(by_position)
    ]
    given = list(by_position)
    if code.co_posonlyargcount:
        defined.insert(code.co_posonlyargcount, "/")
    if code.co_flags & _VARARGS:
        more = f"*{rest.pop(0)}"
        defined.append(more)
        given.append(more)
    elif by_name:
        defined.append("*")
    defined += [f"{name}=_fuseboard_kwdefaults[{name!r}]" if name in kwdefaults else name for name in by_name]
    given += [f"{name}={name}" for name in by_name]
    every = [f"**{name}" for name in rest]
    return ", ".join(defined + every), ", ".join(given + every)


def _names(code: CodeType) -> list[str]:
    flags = bool(code.co_flags & _VARARGS) + bool(code.co_flags & _VARKEYWORDS)
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + flags])
