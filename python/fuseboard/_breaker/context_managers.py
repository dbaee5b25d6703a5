"""Context managers made of generators: the breaker guards the block, from entering it to leaving it (R17).

A function made by ``contextlib.contextmanager`` returns at once, before the generator inside has begun. So the breaker
guards the generator, and asks the fuse when the block is entered. Any other context manager that a function returns,
such as a file or a connection, is a result like any other.
"""

import contextlib
import functools
from collections.abc import AsyncGenerator, Callable, Generator
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

from fuseboard._breaker import fallbacks, wrappers

if TYPE_CHECKING:
    from fuseboard._core import Breaker, Permit

Function: TypeAlias = Callable[..., Any]


def _entered(fallback: Function) -> Function:
    """A generator function that enters the context manager that a fallback returns."""

    def answer(*args: Any, **kwargs: Any) -> Generator[Any]:
        with fallback(*args, **kwargs) as value:
            yield value

    return answer


def _entered_later(fallback: Function) -> Function:
    """The same, asynchronous."""

    async def answer(*args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        async with fallback(*args, **kwargs) as value:
            yield value

    return answer


_KINDS: tuple[tuple[Function, Function], ...] = (
    (contextlib.contextmanager, _entered),
    (contextlib.asynccontextmanager, _entered_later),
)
# All functions that one of them makes have one code.
_BY_CODE = [(make(_entered).__code__, make, enter) for make, enter in _KINDS]


def function(
    guard: Callable[[Function, Function | None], Function], wrapped: Function, fallback: Function | None
) -> Function | None:
    """A function that contextlib made, made again around a guarded generator function; None for any other function.

    Raises:
        TypeError: the fallback cannot stand in for it.
    """
    if not isinstance(wrapped, FunctionType) or not hasattr(wrapped, "__wrapped__"):
        return None
    for code, make, enter in _BY_CODE:
        if wrapped.__code__ is code:
            answer = fallback and enter(fallbacks.for_manager(wrapped, fallback))
            return functools.update_wrapper(make(guard(wrapped.__wrapped__, answer)), wrapped)
    return None


def result(breaker: "Breaker", begun: Any, permit: "Permit") -> Any:
    """Guards the block of a context manager that a plain function returned; None for one that contextlib did not make.

    No call has begun so far, so the permit goes back as if it had never been taken. Only if the generator cannot be
    made again, the block goes on with this permit.
    """
    if not isinstance(begun, contextlib._GeneratorContextManagerBase):
        return None
    wrapped = getattr(begun, "func", None)
    if wrapped is None:
        # Its block was entered before it was returned, so it is a result.
        breaker._settle_result(permit, begun)
        return begun
    guarded = wrappers.function(breaker, wrapped)
    if guarded is None:
        begun.gen = wrappers.result(breaker, begun.gen, permit)
        return begun
    permit.cancel()
    # A generator that has not begun can be replaced by another one. As a decorator it is made again for each call.
    begun.gen, begun.func = guarded(*begun.args, **begun.kwds), guarded
    return begun
