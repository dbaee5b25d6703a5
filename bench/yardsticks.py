"""Yardsticks: what Python itself takes for the same shape of call, with nothing in it."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from fuseboard import CircuitOpenError, State


class ServiceError(Exception):
    """What a failing service raises."""


def plain(argument: int) -> int:
    """The guarded function."""
    return argument


async def coroutine(argument: int) -> int:
    """The guarded coroutine function."""
    return argument


def failing(_argument: int) -> int:
    """A function that fails."""
    raise ServiceError


async def failing_coroutine(_argument: int) -> int:
    """A coroutine function that fails."""
    raise ServiceError


def raise_fresh(_argument: int) -> None:
    """Raises a rejection made by hand, of the shape of ours: what any rejection costs at least."""
    raise CircuitOpenError("yardstick", State.OPEN, 1.0)


def empty_decorator(function: Callable[..., Any]) -> Callable[..., Any]:
    """What any decorator written in Python costs at least."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def empty_async_decorator(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """The same for coroutine functions."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


class EmptyBlock:
    """What any context manager written in Python costs at least."""

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(self, *_error: object) -> None:
        """Does nothing."""


class EmptyAsyncBlock:
    """The same for ``async with``."""

    async def __aenter__(self) -> None:
        """Does nothing."""

    async def __aexit__(self, *_error: object) -> None:
        """Does nothing."""
