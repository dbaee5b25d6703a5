"""Guarded functions take what the function inside takes, in whatever way it is given: here, coroutine functions."""

import asyncio
import inspect
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from fuseboard import CircuitBreaker, Store
from fuseboard._breaker import signatures


async def none() -> Any:
    """Takes nothing."""
    return ()


async def plain(a: Any, b: Any = 2) -> Any:
    """By position or name, with a default."""
    return a, b


async def divided(a: Any, /, b: Any, *, c: Any, d: Any = 4) -> Any:
    """By position alone, either way, by name alone."""
    return a, b, c, d


async def every(a: Any, /, b: Any = 2, *more: Any, c: Any = 3, **rest: Any) -> Any:
    """All there is."""
    return a, b, more, c, rest


async def rest(*more: Any, **others: Any) -> Any:
    """Whatever it is given."""
    return more, others


async def named(*, permit: Any, admit: Any, wrapped: Any = None, error: Any = None, value: Any = None) -> Any:
    """Names that a wrapper might use for itself."""
    return permit, admit, wrapped, error, value


class Shop:
    """Methods, of which one has a name that the class makes its own."""

    async def method(self, __hidden: Any = 1) -> Any:  # noqa: PYI063 - mangled, not by position alone
        """A method."""
        return __hidden


CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (none, (), {}),
    (plain, (1,), {}),
    (plain, (1, 5), {}),
    (plain, (), {"b": 1, "a": 5}),
    (divided, (1, 2), {"c": 3}),
    (divided, (1,), {"b": 2, "c": 3, "d": 5}),
    (every, (1,), {}),
    (every, (1, 2, 3, 4), {"c": 5, "d": 6, "a": 7}),
    (rest, (), {}),
    (rest, (1, 2), {"more": 3, "others": 4}),
    (named, (), {"permit": 1, "admit": 2, "wrapped": 3, "error": 4}),
    (Shop.method, (None, 2), {}),
]


def guard(function: Callable[..., Any]) -> Callable[..., Any]:
    """Guarded by a breaker of its own."""
    return CircuitBreaker("db", store=Store.private())(function)


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_arguments_come_through_as_they_were_given(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """By position, by name, by default, more of them, and whatever their names are."""
    assert signatures.can_be(function)
    assert asyncio.run(function(*args, **kwargs)) == asyncio.run(guard(function)(*args, **kwargs))


@pytest.mark.parametrize("function", [none, plain, divided, every, rest, named])
def test_parameters_are_the_functions_own(function: Callable[..., Any]) -> None:
    """Not only where ``__wrapped__`` is followed: no argument is packed."""
    guarded = guard(function)
    assert inspect.iscoroutinefunction(guarded)
    assert inspect.signature(function) == inspect.signature(guarded)
    own = inspect.signature(guarded, follow_wrapped=False)
    assert [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()] == [
        (p.name, p.kind, p.default) for p in own.parameters.values()
    ]


def test_wrong_arguments_raise_where_they_are_given_and_are_no_call() -> None:
    """As without a breaker: nothing is awaited, and nothing is counted."""
    breaker = CircuitBreaker("db", store=Store.private())
    guarded = breaker(plain)
    with pytest.raises(TypeError, match=r"^plain\(\) missing 1 required positional argument: 'a'$"):
        guarded()
    assert breaker.store.snapshot() == {}


def test_functions_with_the_same_parameters_share_what_is_compiled() -> None:
    """A service with a thousand guarded functions compiles a few dozen."""
    guard(plain)
    before = signatures._compiled.cache_info().misses
    guard(plain)
    assert before == signatures._compiled.cache_info().misses


def test_a_function_whose_parameters_cannot_be_written_out_is_guarded_all_the_same() -> None:
    """One that has our own names, or was made by no source: by the wrapper that takes anything."""

    async def clash(_fuseboard_wrapped: int) -> int:
        return _fuseboard_wrapped

    assert not signatures.can_be(clash)
    assert not signatures.can_be(print)
    odd = type(plain)(plain.__code__.replace(co_varnames=("if", "b")), {}, "odd")  # type: ignore[call-arg]
    assert not signatures.can_be(odd)
    for function in (clash, odd):
        assert inspect.iscoroutinefunction(guard(function))
    assert asyncio.run(guard(clash)(3)) == 3
    assert asyncio.run(guard(odd)(3, 4)) == (3, 4)


def test_builtins_that_the_function_has_renamed_are_not_needed() -> None:
    """Its globals are the wrapper's too, and its parameters: ``BaseException`` may be anything there."""
    names: dict[str, Any] = {"BaseException": None, "__builtins__": {}}
    exec("async def one(BaseException=1): 1 / 0\nasync def other(): 1 / 0", names)  # noqa: S102 - our own text
    for function in (names["one"], names["other"]):
        breaker = CircuitBreaker("db", store=Store.private())
        with pytest.raises(ZeroDivisionError):
            asyncio.run(breaker(function)())
        assert 1 == breaker.store.snapshot()["db"].failures


def test_a_traceback_says_whose_frame_it_is() -> None:
    """One frame of ours between caller and function, which says what it is."""

    async def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError) as caught:
        asyncio.run(guard(fail)())
    frames = [(frame.filename, frame.name) for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[-2:] == [("<fuseboard guard>", "fail"), (__file__, "fail")]
