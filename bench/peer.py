"""What is asked of a peer, whatever its manners."""

import dataclasses
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeAlias

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Guards a function."""
MakeDecorator: TypeAlias = Callable[[int], Decorator]
"""Makes a decorator by a breaker of its own, which opens after so many failures."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another breaker.

    Attributes:
        name: what it is called in the tables.
        rejection: what a rejected call raises.
        guard: for plain functions.
        async_guard: for coroutine functions.
        block: a context manager that can be used again and again.
        make_block: where each block takes one of its own.
        async_block: the same for ``async with``.
        make_async_block: ditto.
        cannot: by the name of a measure, why there is none.
    """

    name: str
    rejection: type[Exception]
    guard: MakeDecorator | None = None
    async_guard: MakeDecorator | None = None
    block: AbstractContextManager[Any] | None = None
    make_block: Callable[[], AbstractContextManager[Any]] | None = None
    async_block: AbstractAsyncContextManager[Any] | None = None
    make_async_block: Callable[[], AbstractAsyncContextManager[Any]] | None = None
    cannot: dict[str, str] = dataclasses.field(default_factory=dict)
