"""Classes of rejections for an integration: each is one of ours, and also an error of the integrated library."""

from typing import TypeAlias, TypeVar

from fuseboard._state import State
from fuseboard._validation import shown
from fuseboard.errors import CircuitIsolatedError, CircuitOpenError

Ours = TypeVar("Ours", bound=CircuitOpenError)
Rejections: TypeAlias = tuple[type[CircuitOpenError], type[CircuitIsolatedError]]
"""The classes of rejections: by a fuse that is open, half-open or ramping, and by an isolated one."""


def checked(open_error: object, isolated_error: object) -> Rejections:
    """The two classes, checked: each is made once here, so that one that cannot be made is found before a rejection.

    Raises:
        TypeError: one is not a subclass of ours, or cannot be made as ours is.
    """
    opened = _subclass("open_error", open_error, CircuitOpenError)
    isolated = _subclass("isolated_error", isolated_error, CircuitIsolatedError)
    _try(opened, CircuitOpenError("fuse", State.OPEN, 1.5))
    _try(opened, CircuitOpenError("fuse", State.HALF_OPEN, 1.5, 2.5))
    _try(isolated, CircuitIsolatedError("fuse", State.ISOLATED, 1.5))
    return opened, isolated


def _subclass(argument: str, cls: object, ours: type[Ours]) -> type[Ours]:
    if isinstance(cls, type) and issubclass(cls, ours):
        return cls
    raise TypeError(f"{argument} must be a subclass of {ours.__name__}, got {shown(cls)}")


def _try(cls: type[CircuitOpenError], like: CircuitOpenError) -> None:
    """Makes one with the arguments of this rejection, as the compiled part does, and compares the two."""
    first = type(like).__name__
    hint = f"make {first} its first base class, and let its __init__ take the arguments of {first} and pass them on"
    name, _, *rest = like.args
    try:
        made = cls(name, like.state, *rest)
        is_like = all(getattr(made, attribute) == value for attribute, value in vars(like).items())
        str(made)
    except Exception as fault:
        raise TypeError(f"{cls.__qualname__} cannot be raised: {type(fault).__name__}: {fault}; {hint}") from fault
    if type(made) is not cls or made.args != like.args or not is_like:
        raise TypeError(f"{cls.__qualname__} must keep its arguments {like.args}, got {shown(made)}; {hint}")
