"""Guards of plain functions: what can be guarded, and that it stays what it was.

A call of one enters the guard directly, or runs the function's code, which calls the guard: every test is run both
ways. Before CPython 3.12 there is but the second.
"""

import copy
import functools
import gc
import inspect
import operator
import pickle
import re
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from helpers import BoomError, boom, trip


class ByCode(CircuitBreaker):
    """A breaker whose guarded functions are run by their code."""

    def __call__(self, function: Any) -> Any:
        """Guards it."""
        return by_code(super().__call__(function))


def by_code(guarded: Any) -> Any:
    """The same function without an entry of its own."""
    if isinstance(guarded, classmethod | staticmethod):
        return type(guarded)(by_code(guarded.__func__))
    assert isinstance(guarded, FunctionType)
    code, closure = guarded.__code__, guarded.__closure__
    made = FunctionType(code, guarded.__globals__, guarded.__name__, guarded.__defaults__, closure)
    made.__kwdefaults__ = guarded.__kwdefaults__
    return functools.update_wrapper(made, guarded.__wrapped__)


@pytest.fixture(params=[CircuitBreaker, ByCode])
def breaker(store: Store, request: pytest.FixtureRequest) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure."""
    kind: type[CircuitBreaker] = request.param
    return kind("db", threshold=2, store=store)


def divide(dividend: float, /, divisor: float = 2.0, *, digits: int | None = None) -> float:
    """Divides."""
    return round(dividend / divisor, digits)


class _Halver:
    """Halves."""

    def __call__(self, number: float) -> float:
        return number / 2


GUARDABLE: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {
    "function": (divide, (8.0, 4.0), 2.0),
    "lambda": (lambda number: number / 2, (8.0,), 4.0),
    "partial": (functools.partial(divide, divisor=4.0), (8.0,), 2.0),
    "built-in": (len, ("four",), 4),
    "method of a built-in type": (str.upper, ("x",), "X"),
    "bound method of a built-in": ("-".join, (["a", "b"],), "a-b"),
    "bound method": (_Halver().__call__, (8.0,), 4.0),
    "callable object": (_Halver(), (8.0,), 4.0),
    "operator": (operator.itemgetter(1), ("ab",), "b"),
    "cached": (functools.lru_cache(divide), (8.0,), 4.0),
}

pickled_breaker = CircuitBreaker("pickled")


@pickled_breaker
def pickled(number: int) -> int:
    """Counts on."""
    return number + 1


@pytest.mark.parametrize(("function", "arguments", "result"), GUARDABLE.values(), ids=GUARDABLE)
def test_whatever_can_be_called_can_be_guarded(
    breaker: CircuitBreaker, function: Callable[..., Any], arguments: tuple[Any, ...], result: object
) -> None:
    """A guard returns what the function returns, and rejects once the fuse is open (R05, R16)."""
    guarded = breaker(function)
    assert result == guarded(*arguments)
    trip(breaker)
    with pytest.raises(CircuitOpenError):
        guarded(*arguments)


@pytest.mark.parametrize(("function", "arguments", "result"), GUARDABLE.values(), ids=GUARDABLE)
def test_a_guard_looks_like_what_it_guards(
    breaker: CircuitBreaker, function: Callable[..., Any], arguments: tuple[Any, ...], result: object
) -> None:
    """Signature, name, documentation and ``__wrapped__`` stay."""
    assert result == function(*arguments)
    guarded = breaker(function)
    assert function is guarded.__wrapped__
    assert _signature(function) == _signature(guarded)
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        if hasattr(function, name):
            assert getattr(function, name) == getattr(guarded, name)


def _signature(function: Callable[..., Any]) -> object:
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def test_attributes_and_annotations_stay(breaker: CircuitBreaker) -> None:
    """A guard has the attributes of its function and takes new ones, as functions do."""

    def tagged(number: int) -> int:
        return number

    tagged.tag = "x"
    guarded = breaker(tagged)
    guarded.more = "y"
    assert ("x", "y", False) == (guarded.tag, guarded.more, hasattr(tagged, "more"))
    assert {"number": int, "return": int} == inspect.get_annotations(guarded)


def test_every_way_to_pass_arguments_works(breaker: CircuitBreaker) -> None:
    """Arguments are handed on as they came."""

    def echo(*args: Any, **kwargs: Any) -> object:
        return args, kwargs

    guarded = breaker(echo)
    many = {f"key{number}": number for number in range(50)}
    assert ((), {}) == guarded()
    assert ((1, 2), {"a": 3}) == guarded(1, *[2], a=3)
    assert (tuple(range(300)), many) == guarded(*range(300), **many)
    assert ((), {"self": 1, "function": 2, "args": 3}) == guarded(self=1, function=2, args=3)


def test_wrong_arguments_raise_as_they_did_and_say_nothing(breaker: CircuitBreaker) -> None:
    """R16, R10: the function's own ``TypeError``; the service never heard of such a call."""
    guarded = breaker(divide)
    for _ in range(3):
        with pytest.raises(TypeError, match=r"divide\(\) got an unexpected keyword argument 'by'"):
            guarded(1.0, by=2)
        with pytest.raises(TypeError, match=r"divide\(\) missing 1 required positional argument: 'dividend'"):
            guarded()
    assert State.CLOSED is breaker.state
    seen = breaker.store.snapshot().get("db")
    assert seen is None or (0, 0) == (seen.successes, seen.failures)


def test_a_type_error_of_the_function_itself_is_a_failure(breaker: CircuitBreaker) -> None:
    """R10: also one that wrong arguments raise further down."""

    @breaker
    def broken(number: int) -> object:
        return divide() if number else len(number)  # type: ignore[call-arg, arg-type]

    for number in (0, 1):
        with pytest.raises(TypeError):
            broken(number)
    assert State.OPEN is breaker.state


def make_service(breaker: CircuitBreaker) -> type:
    """A class with methods of every kind, the breaker outside or inside."""

    class Service:
        size = 3

        @breaker
        def method(self, number: int) -> int:
            return self.size + number

        @breaker
        @classmethod
        def outer_class(cls, number: int) -> int:
            return cls.size + number

        @classmethod
        @breaker
        def inner_class(cls, number: int) -> int:
            return cls.size + number

        outer_static = breaker(staticmethod(lambda number: number + 3))
        inner_static = staticmethod(breaker(lambda number: number + 3))

    return Service


METHODS = ["method", "outer_class", "inner_class", "outer_static", "inner_static"]


def test_methods_of_every_kind_are_guarded(breaker: CircuitBreaker) -> None:
    """Methods, class methods and static methods, on instances and on the class."""
    service = make_service(breaker)
    assert [4] * 5 == [getattr(service(), name)(1) for name in METHODS]
    assert [4] * 4 == [getattr(service, name)(1) for name in METHODS[1:]]
    assert 4 == service.method(service(), 1)
    trip(breaker)
    for name in METHODS:
        with pytest.raises(CircuitOpenError):
            getattr(service(), name)(1)


def test_guarded_methods_are_inherited_and_overridden(breaker: CircuitBreaker) -> None:
    """``super()`` finds them, and class methods see the class they are called on."""
    service = make_service(breaker)

    class Larger(service):
        size = 13

        def method(self, number: int) -> int:
            return super().method(number) + 1

    assert [15, 14, 14, 4, 4] == [getattr(Larger(), name)(1) for name in METHODS]


def test_a_guarded_method_binds_as_functions_do(breaker: CircuitBreaker) -> None:
    """On an instance it is a bound method; on the class, the guard itself."""

    class Service:
        @breaker
        def method(self) -> object:
            return self

        reader = property(breaker(lambda self: self))

    service = Service()
    assert inspect.ismethod(service.method)
    assert (service, service) == (service.method.__self__, service.method())
    assert Service.__dict__["method"] is service.method.__func__
    assert Service.method is service.method.__func__
    assert service is service.reader
    assert service.method == service.method


@pytest.mark.parametrize(
    ("thing", "hint"),
    [
        (int, "decorate its methods"),
        (_Halver, "decorate its methods"),
        (property(len), "decorate the function inside"),
        (functools.cached_property(len), "decorate the function inside"),
        (functools.partialmethod(len), "decorate the function inside"),
        (3, "decorate the function inside"),
        (None, "decorate the function inside"),
    ],
)
def test_what_is_no_function_is_refused(breaker: CircuitBreaker, thing: object, hint: str) -> None:
    """The message says what came and what to decorate instead."""
    with pytest.raises(TypeError, match=f"^a breaker guards functions, got {re.escape(repr(thing))}; {hint}$"):
        breaker(thing)


def test_guards_of_two_breakers_nest(breaker: CircuitBreaker) -> None:
    """Each breaker sees the call; a rejection by the inner one is a failure to the outer (R10)."""
    outer = CircuitBreaker("outer", threshold=2, store=breaker.store)
    guarded = outer(breaker(boom))
    for _ in range(2):
        with pytest.raises(BoomError):
            guarded()
    assert [State.OPEN] * 2 == [breaker.state, outer.state]


def test_a_guarded_function_pickles_by_name() -> None:
    """It can be sent to a pool of processes, as functions can."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickled is pickle.loads(pickle.dumps(pickled, protocol))  # noqa: S301 - our own bytes
    assert 3 == pickle.loads(pickle.dumps(functools.partial(pickled, 2)))()  # noqa: S301
    assert (pickled, pickled) == (copy.copy(pickled), copy.deepcopy(pickled))


def test_a_guarded_function_that_has_no_name_does_not_pickle(breaker: CircuitBreaker) -> None:
    """What cannot be found by name is refused, as local functions are."""
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(breaker(lambda: None))


def test_a_guard_says_what_it_is(breaker: CircuitBreaker) -> None:
    """The function's representation is a function's; that of the guard behind it tells the breaker too."""
    guarded = breaker(divide)
    assert re.fullmatch(r"<function divide at 0x[0-9a-f]+>", repr(guarded))
    assert f"<guard of {divide!r} by {breaker!r}>" == repr(guarded.__closure__[0].cell_contents)


def test_a_guard_is_a_key_like_any_function(breaker: CircuitBreaker) -> None:
    """Guards are equal to themselves only, and hashable."""
    one, other = breaker(divide), breaker(divide)
    assert 2 == len({one, other})


def test_guards_leave_no_garbage(breaker: CircuitBreaker) -> None:
    """A guard dies with its last reference, in cycles too."""

    def make() -> list[weakref.ref[Any]]:
        @breaker
        def plain() -> None:
            return None

        own = CircuitBreaker("own", store=breaker.store, on_transition=lambda _: guarded)

        @own
        def guarded() -> object:
            return guarded, own

        guarded.cycle = guarded
        own.guard = guarded
        holder = _Halver()
        holder.guard = own(holder)
        guarded()
        return [weakref.ref(thing) for thing in (plain, guarded, own, holder, holder.guard)]

    references = make()
    gc.collect()
    assert [None] * 5 == [reference() for reference in references]
