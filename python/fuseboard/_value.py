"""Immutable values, compared by content.

The standard library's dataclasses do this too, but import ``inspect`` and compile each class at every start, which
together took longer than all else that ``import fuseboard`` does.
"""

from typing import Any, NoReturn, Self, dataclass_transform


@dataclass_transform(frozen_default=True, eq_default=True)
class Value:
    """A value: its attributes are those that its class names in ``__match_args__``, in that order.

    Two are equal if they are of one class and have equal attributes, or what a class says instead (:meth:`_key`). A
    value has a hash, a ``repr`` that makes it again, pickles, and can be taken apart by ``match``. Changing an
    attribute raises ``AttributeError``; ``copy.replace`` (from Python 3.13) makes another one with some of them
    changed, and so does :meth:`__replace__`.
    """

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def _fill(self, **attributes: object) -> None:
        """Sets the attributes where the value is made; once, whoever calls ``__init__`` again."""
        if any(hasattr(self, name) for name in attributes):
            raise AttributeError(f"{type(self).__name__} is immutable: it is made already")
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def _content(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__match_args__}

    def _key(self) -> object:
        """What two equal ones have in common, and no others."""
        return tuple(self._content().values())

    def __replace__(self, **changes: Any) -> Self:
        """The same value with some attributes changed; checked like any other."""
        return type(self)(**(self._content() | changes))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._key() == other._key())

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._content().items())
        return f"{type(self).__name__}({shown})"

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self._content())


def _made(cls: type[Value], content: dict[str, Any]) -> Value:
    return cls(**content)
