"""Coroutine functions that take just what another one takes.

A wrapper with ``*args, **kwargs`` packs what it is called with into a tuple and a dict, and unpacks both for the
function inside: at each call, and for longer than a guard does all else. So the wrapper is written out with the
parameters of the function that it wraps, as ``namedtuple`` and ``dataclass`` write out their methods. Of functions with
the same parameters the text is compiled once.
"""

import functools
import keyword
from collections.abc import Callable
from types import CodeType
from typing import Any

from fuseboard._callables import is_defined_async

_PREFIX = "_fuseboard_"
"""What is not a parameter's name begins so."""
_KEPT = 512
_VARARGS, _VARKEYWORDS = 0x04, 0x08
_TEMPLATE = """
def make(_fuseboard_admit, _fuseboard_settle, _fuseboard_returned, _fuseboard_wrapped):
    async def guarded({parameters}):
        _fuseboard_permit = _fuseboard_admit()
        try:
            _fuseboard_value = await _fuseboard_wrapped({arguments})
        except BaseException as _fuseboard_error:
            _fuseboard_settle(_fuseboard_permit, _fuseboard_error)
            raise
        _fuseboard_returned(_fuseboard_permit, _fuseboard_value)
        return _fuseboard_value
    return guarded
"""


def can_be(wrapped: object) -> bool:
    """Whether it is a function of which :func:`coroutine_function` makes another one."""
    if not is_defined_async(wrapped):
        return False
    names = _names(wrapped.__code__)
    return not any(name.startswith(_PREFIX) or not name.isidentifier() or keyword.iskeyword(name) for name in names)


def coroutine_function(
    wrapped: Callable[..., Any],
    admit: Callable[[], object],
    settle: Callable[..., None],
    returned: Callable[..., None],
) -> Callable[..., Any]:
    """A coroutine function with the parameters of another, which it awaits between ``admit`` and ``returned``."""
    code: CodeType = wrapped.__code__
    guarded = _maker(*_parameters(code))(admit, settle, returned, wrapped)
    guarded.__defaults__ = wrapped.__defaults__
    guarded.__kwdefaults__ = wrapped.__kwdefaults__
    return functools.update_wrapper(guarded, wrapped)


@functools.lru_cache(_KEPT)
def _maker(parameters: str, arguments: str) -> Callable[..., Any]:
    text = _TEMPLATE.format(parameters=parameters, arguments=arguments)
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(text, "<fuseboard: guard of a coroutine function>", "exec"), names)  # noqa: S102 - names of parameters
    maker: Callable[..., Any] = names["make"]
    return maker


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
