"""A guarded function is a function, to whoever asks; and what its code says is what it does."""

import asyncio
import contextlib
import functools
import inspect
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard._functions import has_begun, is_python
from helpers import trip


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure."""
    return CircuitBreaker("db", threshold=2, store=store)


def plain(number: int, other: int = 2, *, third: int = 3) -> tuple[int, int, int]:
    """Takes numbers."""
    return number, other, third


async def coroutine(number: int, other: int = 2, *, third: int = 3) -> tuple[int, int, int]:
    """Takes numbers."""
    return number, other, third


def ordinary(function: Callable[..., Any]) -> Callable[..., Any]:
    """What everybody's decorators look like."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


QUESTIONS: dict[str, Callable[[Any], object]] = {
    "isfunction": inspect.isfunction,
    "isroutine": inspect.isroutine,
    "getsourcefile": inspect.getsourcefile,
    "getsource": inspect.getsource,
    "getmodule": inspect.getmodule,
    "getdoc": inspect.getdoc,
    "signature": inspect.signature,
    "__code__": lambda function: function.__code__,
    "__globals__": lambda function: function.__globals__ is plain.__globals__,
    "__closure__": lambda function: function.__closure__,
    "__get__": lambda function: inspect.ismethod(function.__get__(3)),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("function", [plain, coroutine])
def test_it_answers_what_functions_answer(breaker: CircuitBreaker, function: Callable[..., Any], question: str) -> None:
    """Nothing that frameworks ask of an ordinary decorator's function is missing."""
    assert QUESTIONS[question](ordinary(function))
    assert QUESTIONS[question](breaker(function))


@pytest.mark.parametrize("function", [plain, coroutine])
def test_it_takes_what_the_function_takes_also_where_nobody_looks_inside(
    breaker: CircuitBreaker, function: Callable[..., Any]
) -> None:
    """``getfullargspec`` and ``__defaults__`` do not follow ``__wrapped__``."""
    guarded: Any = breaker(function)
    assert inspect.getfullargspec(function) == inspect.getfullargspec(guarded)
    assert ((2,), {"third": 3}) == (guarded.__defaults__, guarded.__kwdefaults__)


@pytest.mark.parametrize("function", [plain, coroutine])
def test_profiles_and_tracebacks_tell_it_by_its_name(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """Its code has the function's names, and a file name under which nobody's lines are counted."""
    code = breaker(function).__code__  # type: ignore[attr-defined]
    assert (function.__name__, function.__qualname__) == (code.co_name, code.co_qualname)
    assert "<fuseboard guard>" == code.co_filename


def test_generators_too_bear_their_names(breaker: CircuitBreaker) -> None:
    """Wrappers that are not written out have the names in their code as well."""

    def numbers() -> Iterator[int]:
        yield 1

    guarded: Any = breaker(numbers)
    assert inspect.isgeneratorfunction(guarded)
    assert (numbers.__name__, numbers.__qualname__) == (guarded.__code__.co_name, guarded.__code__.co_qualname)


def called(guarded: Any, *args: Any, **kwargs: Any) -> Any:
    """What a call returns, often enough that the interpreter has specialized it."""
    results = [guarded(*args, **kwargs) for _ in range(20)]
    assert [results[0]] * 20 == results
    return results[0]


def test_another_code_takes_effect(breaker: CircuitBreaker) -> None:
    """``__code__`` is the function: who sets it is obeyed, and who sets it back too."""
    guarded: Any = breaker(plain)
    before = guarded.__code__
    assert (1, 2, 3) == called(guarded, 1)

    def other(guard: object) -> Callable[..., object]:
        def inner(number: int) -> object:
            return "other", number, guard is not None

        return inner

    guarded.__code__ = other(None).__code__
    assert ("other", 1, True) == called(guarded, 1)
    guarded.__code__ = before
    assert (1, 2, 3) == called(guarded, 1)


def test_other_defaults_take_effect(breaker: CircuitBreaker) -> None:
    """By position and by name, replaced and changed in place."""

    def function(number: int, other: int = 2, *, third: int = 3) -> tuple[int, int, int]:
        return number, other, third

    guarded: Any = breaker(function)
    guarded.__defaults__ = (20,)
    assert (1, 20, 3) == called(guarded, 1)
    guarded.__defaults__ = function.__defaults__
    guarded.__kwdefaults__ = {"third": 30}
    assert (1, 2, 30) == called(guarded, 1)
    guarded.__kwdefaults__ = function.__kwdefaults__
    guarded.__kwdefaults__["third"] = 31
    assert (1, 2, 31) == called(guarded, 1)
    guarded.__defaults__ = None
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'other'"):
        guarded(1)


def test_defaults_of_the_function_inside_are_those_of_the_time_of_decoration(breaker: CircuitBreaker) -> None:
    """The code fills in its own; so does a call that enters directly."""

    def function(number: int, other: int = 2) -> tuple[int, int]:
        return number, other

    guarded: Any = breaker(function)
    function.__defaults__ = (20,)
    assert (1, 2) == called(guarded, 1)


def test_another_guard_in_the_cell_is_called(breaker: CircuitBreaker) -> None:
    """What the code would call is called, whatever somebody put there."""
    guarded: Any = breaker(plain)
    guard = guarded.__closure__[0].cell_contents
    guarded.__closure__[0].cell_contents = lambda *args, **kwargs: ("mine", args, kwargs)
    assert ("mine", (1, 2), {"third": 3}) == called(guarded, 1)
    guarded.__closure__[0].cell_contents = guard
    assert (1, 2, 3) == called(guarded, 1)


def test_the_guard_may_be_replaced_while_it_is_at_work(breaker: CircuitBreaker) -> None:
    """A call under way ends by the guard that it began with, which lives as long as that."""
    guarded: Any = None

    def replace() -> str:
        guarded.__closure__[0].cell_contents = None
        raise ValueError("at work")

    guarded = breaker(replace)
    with pytest.raises(ValueError, match="at work"):
        guarded()
    assert 1 == breaker.store.snapshot()["db"].failures


class Made:
    """Has guarded methods that the interpreter calls by itself, by their code or by their entry."""

    breaker = CircuitBreaker("made", store=Store.private())

    @breaker
    def __init__(self, number: int = 1) -> None:
        self.number = number

    @property
    @breaker
    def twice(self) -> int:
        """Twice the number."""
        return self.number * 2

    @breaker
    def __getitem__(self, index: int) -> int:
        return self.number + index

    @breaker
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Made) and self.number == other.number

    __hash__ = None  # type: ignore[assignment]


def test_special_methods_are_guarded_also_where_they_are_specialized() -> None:
    """``__init__``, properties, items: the interpreter has a way of its own to call each once it is hot."""

    def use() -> tuple[object, ...]:
        made = Made(3)
        return made.number, made.twice, made[1], made == Made(3)

    before = Made.breaker.store.snapshot().get("made")
    for _ in range(100):
        assert (3, 6, 4, True) == use()
    made = Made.breaker.store.snapshot()["made"].successes - (before.successes if before else 0)
    assert 500 == made
    trip_once = CircuitBreaker("made", threshold=1, store=Made.breaker.store)
    trip_once.permit().failure()
    with pytest.raises(CircuitOpenError):
        Made(3)
    trip_once.reset()


@pytest.mark.parametrize("function", [plain, coroutine])
def test_mocks_with_its_spec_take_what_it_takes(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """``create_autospec`` knows it for a function: as a method it is called with ``self``, and wrong arguments fail."""

    class Client:
        method = breaker(function)

    spec: Any = mock.create_autospec(Client)
    with pytest.raises(TypeError, match="too many positional arguments"):
        spec().method(1, 2, 3, 4, 5)
    with mock.patch.object(Client, "method", autospec=True) as replaced:
        replaced.side_effect = lambda self, number: (type(self), number)
        answer: Any = Client().method(7)  # type: ignore[arg-type]
        assert (Client, 7) == (asyncio.run(answer) if inspect.iscoroutine(answer) else answer)


def test_a_failing_call_shows_at_most_one_frame_of_ours(breaker: CircuitBreaker) -> None:
    """Between the caller and the function there is the guarded function's, where its code was run, and nothing else."""

    @breaker
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError) as caught:
        fail()
    frames = [(frame.filename, frame.name) for frame in traceback.extract_tb(caught.value.__traceback__)][1:]
    assert frames in ([(__file__, "fail")], [("<fuseboard guard>", "fail"), (__file__, "fail")])


def test_a_fallback_gets_what_the_call_was_made_with(breaker: CircuitBreaker) -> None:
    """No default filled in, and by name what was given by name, whichever way the call goes."""
    guarded: Any = breaker.with_fallback(lambda _rejection, *args, **kwargs: (args, kwargs))(plain)
    trip(breaker)
    assert ((1,), {}) == called(guarded, 1)
    assert ((), {"third": 5, "number": 1}) == called(guarded, third=5, number=1)


class Callee:
    """Callables of Python's own and of others."""

    def __call__(self, number: int) -> int:
        """A call."""
        return number

    def method(self, number: int) -> int:
        """A method."""
        return number


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (plain, True),
        (Callee(), True),
        (Callee().method, True),
        (Callee().__call__, True),
        (functools.partial(functools.partial(plain)), True),
        (functools.partial(len), False),
        (len, False),
        (Callee, False),
        ("".join, False),
        (types.MethodType(len, "text"), False),
    ],
)
def test_what_runs_in_a_frame_of_its_own_is_known(function: object, expected: bool) -> None:
    """Python code, however it is wrapped."""
    assert expected is is_python(function)


@pytest.mark.parametrize("function", [plain, Callee(), Callee().method, functools.partial(plain)])
def test_calls_with_wrong_arguments_are_no_calls(breaker: CircuitBreaker, function: Callable[..., Any]) -> None:
    """R10: by decorator, by ``call``, as a probe: nothing counts, and the permit goes back."""
    for _ in range(5):
        with pytest.raises(TypeError):
            breaker.call(function, wrong=1)
        with pytest.raises(TypeError):
            breaker(function)(wrong=1)
    seen = breaker.store.snapshot().get("db")
    assert seen is None or (0, 0) == (seen.successes, seen.failures)


def test_wrong_arguments_of_every_kind_of_function_say_nothing(breaker: CircuitBreaker) -> None:
    """Coroutine functions, generators and asynchronous ones alike, with a fallback or not."""

    def numbers(number: int) -> Iterator[int]:
        yield number

    async def later(number: int) -> Any:
        yield number

    async def first(source: Any) -> object:
        return await anext(source)

    async def acalled() -> None:
        await breaker.acall(coroutine, wrong=1)

    attempts: list[Callable[[], object]] = [
        lambda: next(breaker(numbers)(wrong=1)),  # type: ignore[call-arg]
        lambda: asyncio.run(first(breaker(later)(wrong=1))),  # type: ignore[call-arg]
        lambda: asyncio.run(breaker(coroutine)(wrong=1)),  # type: ignore[call-arg]
        lambda: asyncio.run(breaker.with_fallback(3)(coroutine)(wrong=1)),  # type: ignore[call-arg]
        lambda: asyncio.run(acalled()),
        lambda: breaker.with_fallback(3)(plain)(wrong=1),  # type: ignore[call-arg]
    ]
    for attempt in attempts:
        for _ in range(3):
            with pytest.raises(TypeError, match="wrong"):
                attempt()
    seen = breaker.store.snapshot()["db"]
    assert (0, 0) == (seen.successes, seen.failures)


def counted(breaker: CircuitBreaker) -> object:
    """State, successes, failures, rejections; None for a fuse that was never called."""
    seen = breaker.store.snapshot().get("db")
    return seen and (seen.state, seen.successes, seen.failures, seen.rejections)


STATES: dict[str, Callable[[CircuitBreaker], object]] = {
    "never called": lambda _breaker: None,
    "closed": lambda breaker: breaker.call(int),
    "open": trip,
    "isolated": CircuitBreaker.isolate,
    "disabled": CircuitBreaker.disable,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("function", [plain, coroutine])
def test_wrong_arguments_raise_in_every_state(
    breaker: CircuitBreaker, function: Callable[..., Any], state: str
) -> None:
    """The function's parameters refuse them before the fuse is asked, by entry and by code: no call, no rejection."""
    STATES[state](breaker)
    before = counted(breaker)
    guarded = breaker(function)
    for _ in range(20):
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            guarded()
    assert before == counted(breaker)


def test_a_manager_that_is_called_with_wrong_arguments_is_no_call(breaker: CircuitBreaker) -> None:
    """R10: contextlib's frames stand between, and are not the function's."""

    @contextlib.contextmanager
    def entered(number: int) -> Iterator[int]:
        yield number

    for _ in range(5):
        with pytest.raises(TypeError, match="wrong"):
            breaker.call(entered, wrong=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="wrong"), breaker(entered)(wrong=1):  # type: ignore[call-arg]
            pass
    assert (State.CLOSED, 0, 0, 0) == counted(breaker)


def test_a_type_error_of_what_is_not_python_code_counts() -> None:
    """Nobody can tell whether it is about the arguments: no frame is made for either."""
    assert has_begun(len, None)
    breaker = CircuitBreaker("c", store=Store.private())
    with pytest.raises(TypeError):
        breaker.call(len, 3)  # type: ignore[arg-type]
    assert 1 == breaker.store.snapshot()["c"].failures
