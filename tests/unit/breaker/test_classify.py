"""What an exception means: failed, answered, or nothing (rule R10)."""

import asyncio
import contextlib
import contextvars
import gc
import re
import weakref
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitIsolatedError, CircuitOpenError, Outcome, State, Store, TripError
from fuseboard._breaker.classify import Lists, Which, _hinted_us, judge_of_exceptions
from helpers import FREES_ALL, BoomError

NEVER = [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]


def meaning(error: BaseException, failure_on: Which = Exception, **lists: Which) -> Outcome:
    """What a breaker of the fuse "db" makes of an exception."""
    code = judge_of_exceptions(Lists(failure_on, **lists))("db", error).code
    return next(outcome for outcome in Outcome if outcome.code == code)


def is_failure(error: BaseException, failure_on: Which = Exception, ignore: Which = ()) -> bool:
    """Whether it is a failure for a breaker without answers."""
    return meaning(error, failure_on, ignore=ignore) is Outcome.FAILURE


def test_any_exception_is_a_failure_by_default() -> None:
    """``failure_on`` is ``Exception``."""
    assert is_failure(BoomError())
    assert is_failure(StopIteration())
    assert is_failure(TimeoutError())


class _OtherBaseError(BaseException):
    """One that is not an Exception."""


def test_what_is_no_exception_is_ignored_by_default() -> None:
    """R10: a ``BaseException`` counts only if ``failure_on`` says so."""
    assert not is_failure(_OtherBaseError())
    assert is_failure(_OtherBaseError(), BaseException)


@pytest.mark.parametrize("cls", NEVER)
@pytest.mark.parametrize(
    "failure_on", [BaseException, tuple(NEVER), lambda _: True], ids=["base", "tuple", "predicate"]
)
def test_cancellation_and_the_ends_of_things_are_never_failures(cls: type[BaseException], failure_on: Which) -> None:
    """R10: always ignored, whatever the settings, subclasses too."""
    subclass = type("Sub", (cls,), {})
    assert not is_failure(cls(), failure_on)
    assert not is_failure(subclass(), failure_on)


def test_a_class_means_its_subclasses_too() -> None:
    """``failure_on`` and ``ignore`` go by ``isinstance``."""
    assert is_failure(KeyError(), LookupError)
    assert not is_failure(ValueError(), LookupError)
    assert not is_failure(KeyError(), ignore=LookupError)
    assert is_failure(ValueError(), ignore=LookupError)


def test_a_tuple_means_any_of_its_classes() -> None:
    """As in an ``except`` clause."""
    classes = (KeyError, OSError)
    assert [True, True, False] == [is_failure(error, classes) for error in (KeyError(), OSError(), ValueError())]
    assert [False, False, True] == [
        is_failure(error, ignore=classes) for error in (KeyError(), OSError(), ValueError())
    ]


def test_an_empty_tuple_means_none() -> None:
    """``ignore=()`` ignores nothing; ``failure_on=()`` would make a fuse that never opens, and is refused."""
    assert is_failure(BoomError(), ignore=())
    with pytest.raises(ValueError, match=r"^failure_on must name at least one exception class, got \(\): the fuse "):
        CircuitBreaker("db", failure_on=())


def test_a_predicate_is_asked() -> None:
    """A predicate sees the exception itself."""
    asked: list[BaseException] = []
    error = OSError(5, "input/output")

    def is_serious(seen: BaseException) -> bool:
        asked.append(seen)
        return isinstance(seen, OSError) and 5 == seen.errno

    assert is_failure(error, is_serious)
    assert not is_failure(error, ignore=is_serious)
    assert not is_failure(OSError(6, "none"), is_serious)
    assert asked[0] is error


def test_ignore_wins_over_failure_on() -> None:
    """``ignore`` says which of the failures are none."""
    assert not is_failure(KeyError(), KeyError, KeyError)


def test_an_answer_is_a_success() -> None:
    """R10: the service did its part, also where it says no; what none of the lists names says nothing."""
    lists: dict[str, Which] = {"failure_on": OSError, "success_on": LookupError, "ignore": ValueError}
    errors = [TimeoutError(), KeyError(), UnicodeError(), BoomError()]
    expected = [Outcome.FAILURE, Outcome.SUCCESS, Outcome.IGNORED, Outcome.IGNORED]
    assert expected == [meaning(error, **lists) for error in errors]


def test_what_several_lists_name_means_what_claims_the_least() -> None:
    """R10: ``ignore`` is asked first, then ``success_on``, then ``failure_on``."""
    assert Outcome.IGNORED is meaning(KeyError(), KeyError, success_on=KeyError, ignore=KeyError)
    assert Outcome.SUCCESS is meaning(KeyError(), KeyError, success_on=KeyError)
    # Of classes and those below them as well: lists are asked in this order, not classes.
    assert Outcome.SUCCESS is meaning(KeyError(), KeyError, success_on=LookupError)
    assert Outcome.IGNORED is meaning(KeyError(), success_on=KeyError, ignore=LookupError)


@pytest.mark.parametrize("argument", ["failure_on", "success_on", "ignore"])
@pytest.mark.parametrize("outcome", Outcome)
def test_a_predicate_may_return_an_outcome(argument: str, outcome: Outcome) -> None:
    """R10: that decides, whichever list it is asked for."""
    lists: dict[str, Which] = {"failure_on": Exception, argument: lambda _: outcome}
    assert outcome is meaning(BoomError(), **lists)


def test_a_predicate_s_bool_says_whether_its_list_names_the_exception() -> None:
    """R10: an answer that is no outcome counts by its truth; where it is none, the next list is asked."""
    assert Outcome.SUCCESS is meaning(BoomError(), success_on=lambda _: 1)
    assert Outcome.FAILURE is meaning(BoomError(), success_on=lambda _: None, ignore=lambda _: 0)
    assert Outcome.IGNORED is meaning(BoomError(), lambda _: "", success_on=lambda _: False)


def test_one_predicate_can_say_all_of_it(store: Store) -> None:
    """R10: what a status means, say."""

    class StatusError(Exception):
        pass

    def judge(error: BaseException) -> Outcome:
        status = error.args[0] if isinstance(error, StatusError) else 500
        return Outcome.FAILURE if status >= 500 else Outcome.IGNORED if status == 401 else Outcome.SUCCESS

    breaker = CircuitBreaker("db", store=store, failure_on=judge, threshold=32)
    for error in [StatusError(404), StatusError(404), StatusError(401), StatusError(503), OSError(), StatusError(404)]:
        with pytest.raises(type(error)), breaker:
            raise error
    assert (2, 3, 1) == counts(store)


def test_a_demand_is_a_failure_whatever_the_lists_say() -> None:
    """R22: whoever raises a ``TripError`` means it."""
    assert Outcome.FAILURE is meaning(TripError(), OSError, success_on=TripError, ignore=TripError)


def test_only_failures_demand_the_trip(store: Store) -> None:
    """R22: ``trip_if`` is asked of nothing else."""
    breaker = CircuitBreaker("db", store=store, success_on=KeyError, ignore=ValueError, trip_if=lambda _: True)
    for error in (KeyError(), ValueError()):
        with pytest.raises(type(error)), breaker:
            raise error
    assert State.CLOSED is breaker.state
    with pytest.raises(BoomError), breaker:
        raise BoomError
    assert State.OPEN is breaker.state


def test_an_outcome_is_no_answer_of_trip_if(store: Store) -> None:
    """It would be true whichever it is: a fault, logged once and counted, and the call has failed."""
    breaker = CircuitBreaker("db", store=store, trip_if=lambda _: Outcome.IGNORED)
    with pytest.raises(BoomError), breaker:
        raise BoomError
    assert (1, 0, 0) == counts(store)
    assert (1, State.CLOSED) == (breaker.faults, breaker.state)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([KeyError(), asyncio.CancelledError()], Outcome.SUCCESS),
        ([ValueError(), KeyError()], Outcome.SUCCESS),
        ([KeyError(), BoomError(), ValueError()], Outcome.FAILURE),
        ([ValueError(), SystemExit()], Outcome.IGNORED),
        ([ValueError(), ExceptionGroup("inner", [KeyError()])], Outcome.SUCCESS),
        ([KeyError(), ExceptionGroup("inner", [ValueError(), BoomError()])], Outcome.FAILURE),
    ],
)
def test_a_group_is_what_the_worst_of_its_members_is(members: list[BaseException], expected: Outcome) -> None:
    """R10: failed if one failed, else answered if one was answered; what says nothing takes nothing away."""
    group = BaseExceptionGroup("group", members)
    assert expected is meaning(group, success_on=KeyError, ignore=ValueError)


@pytest.mark.parametrize("kind", [CircuitOpenError, CircuitIsolatedError])
def test_a_rejection_by_the_same_fuse_says_nothing_new(kind: type[CircuitOpenError]) -> None:
    """R10: a rejection by this very fuse further down the call is ignored; by another one it is a failure."""
    assert not is_failure(kind("db", State.OPEN, 1.0))
    assert not is_failure(kind("db", State.OPEN, 1.0), BaseException)
    assert is_failure(kind("mail", State.OPEN, 1.0))


SAYS_NOTHING = [asyncio.CancelledError(), SystemExit(), CircuitOpenError("db", State.OPEN, 1.0), KeyError()]


@pytest.mark.parametrize("members", [SAYS_NOTHING, *([error] for error in SAYS_NOTHING)], ids=repr)
def test_a_group_without_failures_is_none(members: list[BaseException]) -> None:
    """R10: a group is what its members are."""
    assert not is_failure(BaseExceptionGroup("of a task group", members), ignore=KeyError)
    nested = BaseExceptionGroup("outer", [BaseExceptionGroup("inner", members)])
    assert not is_failure(nested, BaseException, ignore=KeyError)


def test_one_failure_makes_a_group_one() -> None:
    """R10: however deep it stands, and whatever stands beside it."""
    assert is_failure(ExceptionGroup("group", [BoomError()]))
    assert is_failure(BaseExceptionGroup("outer", [*SAYS_NOTHING, ExceptionGroup("inner", [KeyError(), BoomError()])]))


def test_predicates_are_asked_of_a_group_s_members() -> None:
    """R10: neither ``failure_on`` nor ``ignore`` sees the group."""
    asked: list[BaseException] = []

    def note(error: BaseException) -> bool:
        asked.append(error)
        return False

    members = [KeyError(), BoomError()]
    group = ExceptionGroup("outer", [members[0], ExceptionGroup("inner", [members[1]])])
    assert not is_failure(group, failure_on=note)
    assert is_failure(group, ignore=note)
    assert [*members, *members] == asked
    assert [True, False] == [is_failure(group, classes) for classes in (LookupError, OSError)]


def test_a_rejected_task_in_a_task_group_is_no_failure() -> None:
    """R10: that a call of this very fuse is rejected says nothing new, also out of a task group.

    With a context of its own it is not inside of the probe that waits for it.
    """
    store = Store.private()
    breaker = CircuitBreaker("db", threshold=1, store=store)

    @breaker
    async def inner() -> None: ...

    @breaker
    async def outer() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(inner(), context=contextvars.Context())

    store.set_half_open("db")
    with pytest.raises(ExceptionGroup):
        asyncio.run(outer())
    assert State.HALF_OPEN is breaker.state


async def slow(_: object) -> bool:
    """Says yes, but only when awaited."""
    return True


@pytest.mark.parametrize("argument", ["failure_on", "success_on", "ignore", "trip_if"])
@pytest.mark.parametrize(
    "wrong", [int, None, "KeyError", 3, (int,), (KeyError, "x"), [KeyError], (lambda _: True,), slow]
)
def test_what_names_no_exceptions_is_refused(argument: str, wrong: object) -> None:
    """The message names argument, type and value. A coroutine function answers nothing when it is called."""
    came = re.escape(f"{type(wrong).__name__}: {wrong!r}")
    kinds = "an exception class, a tuple of them, or a predicate"
    with pytest.raises(TypeError, match=f"^{argument} must be {kinds}, got {came}$"):
        CircuitBreaker("db", **{argument: wrong})


def counts(store: Store) -> tuple[int, int, int]:
    """Calls that failed, that succeeded, and that say nothing."""
    seen = store.snapshot()["db"]
    return seen.failures, seen.successes, seen.ignored


def test_a_class_that_failed_once_fails_again_and_no_other_does(store: Store) -> None:
    """The table's part remembers the class; what is of another class, or says more than its class, is asked about."""
    breaker = CircuitBreaker(
        "db", store=store, threshold=32, failure_on=OSError, success_on=KeyError, ignore=FileNotFoundError
    )
    errors: list[Exception] = [OSError(), FileNotFoundError(), OSError(), ValueError(), TimeoutError(), OSError()]
    errors += [FileNotFoundError(), ExceptionGroup("", [OSError()]), ExceptionGroup("", [ValueError()])]
    errors += [KeyError(), IndexError(), KeyError(), OSError(), ExceptionGroup("", [KeyError()]), KeyError()]
    for error in errors:
        with pytest.raises(type(error)), breaker:
            raise error
    assert (6, 4, 5) == counts(store)


def test_a_predicate_is_asked_each_time(store: Store) -> None:
    """Its answer may be another one for another exception of one class."""
    breaker = CircuitBreaker("db", store=store, threshold=32, failure_on=lambda error: error.args == (1,))
    for number in (1, 2, 1, 3):
        with pytest.raises(OSError, match=str(number)), breaker:
            raise OSError(number)
    assert (2, 0, 2) == counts(store)


def test_a_rejection_is_asked_about_each_time(store: Store) -> None:
    """Another fuse's is a failure, its own is none, though both are of one class."""
    breaker = CircuitBreaker("db", store=store, threshold=32)
    for name in ("other", "db", "other"):
        with pytest.raises(CircuitOpenError), breaker:
            raise CircuitOpenError(name, State.OPEN, None)
    assert (2, 0, 1) == counts(store)


@FREES_ALL
def test_a_remembered_class_does_not_outlive_its_breaker() -> None:
    """Nor does it keep what it refers to, though it may refer to the breaker."""
    gone = []
    for _ in range(3):
        breaker = CircuitBreaker("db", store=Store.private(), threshold=99)

        class LocalError(Exception):
            guard = breaker

        with pytest.raises(LocalError), breaker:
            raise LocalError
        gone.append(weakref.ref(LocalError))
        del breaker, LocalError
    gc.collect()
    assert [None] * 3 == [ref() for ref in gone]


@pytest.mark.parametrize("lists", [{"success_on": LookupError}, {"ignore": LookupError}])
def test_classes_that_are_remembered_are_asked_about_once(lists: dict[str, Any], store: Store) -> None:
    """The cost of an answer is that of a failure: of a class that alone decides, Python is asked no more."""
    breaker = CircuitBreaker("db", store=store, threshold=32, **lists)
    asked, judge = [], breaker._judge
    breaker._judge = lambda error: asked.append(error) or judge(error)  # type: ignore[assignment, func-returns-value]
    for error in [KeyError(), OSError()] * 3:
        with contextlib.suppress(type(error)), breaker:
            raise error
    assert {KeyError: 1, OSError: 1} == {cls: sum(type(each) is cls for each in asked) for cls in (KeyError, OSError)}


@pytest.mark.parametrize("nothing", [0, -1, -0.0, float("nan"), None, "soon"])
def test_what_is_no_time_asks_for_nothing(nothing: Any) -> None:
    """Of a :class:`TripError`; a time too long asks for the longest."""
    assert (_hinted_us(nothing), _hinted_us(1e-6), _hinted_us(1e9)) == (0, 1, 7 * 24 * 60 * 60 * 1_000_000)
