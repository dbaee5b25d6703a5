"""``failure_if``: results that are failures."""

import asyncio
import logging
import re
from collections.abc import Callable, Generator
from typing import Any

import pytest

from fuseboard import Cause, CircuitBreaker, Outcome, State, Store, Transition, TripError
from helpers import BoomError, boom, rejection


def is_bad(result: object) -> bool:
    """What a service says that is overloaded."""
    return "bad" == result


async def later(result: object) -> object:
    """Returns what it is given, later."""
    await asyncio.sleep(0)
    return result


def echo(result: object) -> object:
    """Returns what it is given."""
    return result


def by_call(breaker: CircuitBreaker, result: object) -> object:
    """``call``."""
    return breaker.call(echo, result)


def by_decorator(breaker: CircuitBreaker, result: object) -> object:
    """A decorated function."""
    return breaker(echo)(result)


def by_coroutine(breaker: CircuitBreaker, result: object) -> object:
    """A decorated coroutine function."""
    return asyncio.run(breaker(later)(result))  # type: ignore[arg-type]


def by_acall(breaker: CircuitBreaker, result: object) -> object:
    """``acall``."""
    return asyncio.run(breaker.acall(later, result))


def by_returned_coroutine(breaker: CircuitBreaker, result: object) -> object:
    """A plain function that returns a coroutine."""
    return asyncio.run(breaker(lambda: later(result))())


WAYS = [by_call, by_decorator, by_coroutine, by_acall, by_returned_coroutine]


@pytest.mark.parametrize("way", WAYS)
def test_a_result_may_be_a_failure(store: Store, way: Callable[[CircuitBreaker, object], object]) -> None:
    """R03, R16: it counts as one, and the caller gets it unchanged; also the one that trips."""
    told: list[Transition] = []
    breaker = CircuitBreaker("db", threshold=2, failure_if=is_bad, on_transition=told.append, store=store)
    for result in ("good", "bad", "bad"):
        assert result is way(breaker, result)
    seen = store.snapshot()["db"]
    assert (1, 2, State.OPEN) == (seen.successes, seen.failures, breaker.state)
    # Nothing was raised, so there is no class to name.
    assert ([None], "") == ([transition.error for transition in told], store.journal()[-1].error or "")


@pytest.mark.parametrize("way", WAYS)
def test_without_the_predicate_every_result_is_a_success(
    store: Store, way: Callable[[CircuitBreaker, object], object]
) -> None:
    """Negative control of the test above."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    assert "bad" == way(breaker, "bad")
    assert (1, State.CLOSED) == (store.snapshot()["db"].successes, breaker.state)


def test_a_bad_probe_opens_again_and_a_good_one_closes(store: Store) -> None:
    """R07, R08: by its result."""
    breaker = CircuitBreaker("db", failure_if=is_bad, store=store)
    for result, state in [("bad", State.OPEN), ("good", State.CLOSED)]:
        store.set_half_open("db")
        breaker.call(echo, result)
        assert state is breaker.state


def test_exceptions_are_judged_as_ever(store: Store) -> None:
    """``failure_on`` and ``ignore`` say what they mean; the predicate is not asked."""
    asked: list[object] = []
    breaker = CircuitBreaker("db", ignore=KeyError, failure_if=asked.append, store=store)
    with pytest.raises(BoomError):
        breaker.call(boom)
    with pytest.raises(KeyError):
        breaker.call({}.__getitem__, 1)
    seen = store.snapshot()["db"]
    assert ([], 1, 1) == (asked, seen.failures, seen.ignored)


@pytest.mark.parametrize("way", WAYS)
def test_a_predicate_that_raises_makes_a_failure_and_one_report(
    store: Store, way: Callable[[CircuitBreaker, object], object], caplog: pytest.LogCaptureFixture
) -> None:
    """Goal 1: its exception is not the caller's; it is logged once and counted."""
    breaker = CircuitBreaker("db", failure_if=boom, store=store)
    with caplog.at_level(logging.ERROR, "fuseboard"):
        assert ["good"] * 3 == [way(breaker, "good") for _ in range(3)]
    assert (3, 3, 1) == (breaker.faults, store.snapshot()["db"].failures, len(caplog.records))


def test_a_predicate_may_answer_with_anything(store: Store) -> None:
    """By its truth; an answer that has none is a fault."""

    class Undecided:
        def __bool__(self) -> bool:
            raise BoomError

    answers: list[Any] = [0, "", None, 1, "x", [0], Undecided()]
    breaker = CircuitBreaker("db", threshold=30, failure_if=lambda _: answers.pop(0), store=store)
    for _ in range(7):
        breaker.call(echo, 1)
    seen = store.snapshot()["db"]
    assert (3, 4, 1) == (seen.successes, seen.failures, breaker.faults)


def test_it_is_asked_once_for_each_call(store: Store) -> None:
    """Whatever the way."""
    asked: list[object] = []
    breaker = CircuitBreaker("db", failure_if=asked.append, store=store)
    for way in WAYS:
        way(breaker, way)
    assert WAYS == asked


def test_generators_blocks_and_permits_are_not_asked_about(store: Store) -> None:
    """They have no result, or many."""
    breaker = CircuitBreaker("db", failure_if=boom, store=store)

    @breaker
    def generator() -> Generator[int, None, str]:
        yield 1
        return "bad"

    async def main() -> None:
        @breaker
        async def asynchronous() -> Any:
            yield 1

        assert [1] == [value async for value in asynchronous()]
        async with breaker:
            pass

    assert [1] == list(generator())
    assert [1] == list(breaker.call(generator.__wrapped__))  # type: ignore[attr-defined]
    asyncio.run(main())
    with breaker:
        pass
    breaker.permit().success()
    assert (6, 0) == (store.snapshot()["db"].successes, breaker.faults)


def test_a_result_of_an_unguarded_call_is_not_asked_about(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal 1: there is nothing to count it on."""
    asked: list[object] = []
    breaker = CircuitBreaker("db", failure_if=asked.append, store=store)
    breaker._link(None)
    monkeypatch.setattr(breaker, "_resolve", boom)
    assert 7 == breaker.call(echo, 7)
    assert [] == asked


@pytest.mark.parametrize("wrong", [500, "bad", later])
def test_what_is_no_predicate_is_refused(wrong: object) -> None:
    """A coroutine function is always true, so every call would fail."""
    message = f"failure_if must be a plain function of a result, or None, got {wrong!r}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        CircuitBreaker("db", failure_if=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", WAYS)
def test_a_result_may_demand_the_trip(store: Store, way: Callable[[CircuitBreaker, object], object]) -> None:
    """R22, R24: a predicate that returns a ``TripError`` says what raising it would, and the caller gets the result."""
    told: list[Transition] = []

    def overloaded(result: object) -> TripError | None:
        return TripError("overloaded", retry_after=77) if is_bad(result) else None

    breaker = CircuitBreaker("db", failure_if=overloaded, on_transition=told.append, store=store)
    assert ("good", "bad") == (way(breaker, "good"), way(breaker, "bad"))
    assert (1, 1) == (store.snapshot()["db"].successes, store.snapshot()["db"].failures)
    assert [(State.OPEN, Cause.DEMANDED, "TripError")] == [(made.after, made.cause, made.error) for made in told]
    assert told == store.journal()
    rejected = rejection(breaker)
    assert rejected is not None
    assert 77 == rejected.retry_after


@pytest.mark.parametrize("retry_after", [None, "soon", -1])
def test_a_demand_by_a_result_stands_whatever_its_hint(store: Store, retry_after: Any) -> None:
    """R24: then it is open for as long as the settings say."""
    breaker = CircuitBreaker("db", failure_if=lambda _: TripError(retry_after=retry_after), store=store)
    breaker.call(echo, 1)
    rejected = rejection(breaker)
    assert rejected is not None
    assert 30 == rejected.retry_after


@pytest.mark.parametrize("way", WAYS)
def test_a_predicate_may_return_an_outcome(store: Store, way: Callable[[CircuitBreaker, object], object]) -> None:
    """R10: a result may say nothing too, such as that of a call that was not made after all."""
    breaker = CircuitBreaker("db", failure_if=Outcome, store=store)
    results = ["failure", "success", "ignored", "ignored"]
    assert results == [way(breaker, result) for result in results]
    seen = store.snapshot()["db"]
    assert (1, 1, 2, 0) == (seen.failures, seen.successes, seen.ignored, breaker.faults)


class Later:
    """An object that is called like a coroutine function."""

    async def __call__(self, _given: object) -> bool:
        """Answers later."""
        return False


@pytest.mark.parametrize(
    "argument", ["failure_if", "failure_on", "success_on", "ignore", "trip_if", "open_for", "on_transition"]
)
@pytest.mark.parametrize("given", [Later(), later, Later().__call__])
def test_what_answers_later_is_refused(store: Store, argument: str, given: object) -> None:
    """Nobody awaits it, and a coroutine is true whatever it would answer."""
    with pytest.raises(TypeError, match=f"^{argument} must be "):
        CircuitBreaker("db", store=store, **{argument: given})
    with pytest.raises(TypeError, match=r"^listener must be a plain callable"):
        store.subscribe(given)  # type: ignore[arg-type]
