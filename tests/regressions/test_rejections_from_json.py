"""A queue's result store keeps ``type(error)`` and ``error.args``, as JSON, and makes the error again from them.

So Celery does by default. The enum in ``args`` became its repr, and then ``str()`` of the rejection raised: whoever
logged it lost the line. Now ``args`` are plain words, and ``str()`` never raises, whatever the error was made with.
"""

import enum
import json
import traceback
from datetime import timedelta
from typing import Any

import pytest

from fuseboard import CircuitIsolatedError, CircuitOpenError, FuseboardError, State, StoreOpenError, TripError

ALL = [
    *(CircuitOpenError("shop", state, 12.5) for state in State),
    CircuitOpenError("shop", State.HALF_OPEN, 0.5, 29.99),
    CircuitIsolatedError("shop", State.ISOLATED, None),
    TripError("under maintenance", 120),
    TripError("under maintenance", timedelta(minutes=2)),
    TripError(),
    StoreOpenError("shop", "/a/path", "folder", "has mode 0755"),
    FuseboardError("of another kind"),
]


def through_a_result_store(error: BaseException) -> BaseException:
    """The error as it comes back: an argument that JSON does not know is replaced by its repr."""

    def known_or_repr(argument: object) -> object:
        try:
            json.dumps(argument)
        except TypeError:
            return repr(argument)
        return argument

    stored = json.dumps([known_or_repr(argument) for argument in error.args])
    return type(error)(*json.loads(stored))


@pytest.mark.parametrize("error", ALL, ids=repr)
def test_an_error_comes_back_from_json_as_it_was(error: FuseboardError) -> None:
    """Class, arguments, attributes and message."""
    twin = through_a_result_store(error)
    assert (type(error), error.args, vars(error), str(error)) == (type(twin), twin.args, vars(twin), str(twin))


@pytest.mark.parametrize("state", State)
def test_a_rejection_knows_its_state_by_any_of_its_names(state: State) -> None:
    """Also by what earlier versions left in result stores: the repr."""
    names = [state, state.value, state.name, str(state), repr(state), _SubclassOfStr(state.value)]
    assert [state] * len(names) == [CircuitOpenError("db", name, None).state for name in names]
    assert {("db", state.value, None)} == {CircuitOpenError("db", name, None).args for name in names}


def test_a_member_of_an_enum_like_ours_is_the_state() -> None:
    """What it stands for is what counts: another version's, say."""
    another = enum.Enum("State", {state.name: state.value for state in State})
    assert [*State] == [CircuitOpenError("db", state, None).state for state in another]


@pytest.mark.parametrize("state", ["melted", "", None, 2, ["open"], {}, enum.Enum("Other", "OPEN").OPEN])
def test_what_is_no_state_is_kept_and_shown(state: Any) -> None:
    """Nothing is guessed: a word of a later version, say."""
    error = CircuitOpenError("db", state, 2)
    assert (state, ("db", state, 2)) == (error.state, error.args)
    shown = state if isinstance(state, str) else repr(state)
    assert f"fuse 'db' is {shown}; retry in 2 s" == str(error)


class _SubclassOfStr(str):
    """What a web framework may wrap a text in."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another text"

    def __repr__(self) -> str:
        raise NotImplementedError


class _Unspeakable:
    """Nothing can be asked of it."""

    def __repr__(self) -> str:
        raise ValueError("no")

    __str__ = __repr__
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError("no")


STRANGE = [None, True, -1, 10**400, float("nan"), float("inf"), "word", b"\xff", [], {}, object, _SubclassOfStr("x")]


@pytest.mark.parametrize("strange", [*STRANGE, _Unspeakable()], ids=lambda it: type(it).__name__)
def test_the_text_of_an_error_never_raises(strange: Any) -> None:
    """Whatever it was made with; nor does a traceback leave it out."""
    errors: list[FuseboardError] = [
        CircuitOpenError(strange, State.OPEN, 1),
        CircuitOpenError("db", strange, 1),
        CircuitOpenError("db", State.HALF_OPEN, strange),
        CircuitOpenError("db", State.HALF_OPEN, 1, strange),
        CircuitOpenError(strange, strange, strange),
        CircuitIsolatedError(strange, strange, strange),
        TripError(strange, strange),
        StoreOpenError(strange, strange, strange, strange),
        StoreOpenError("shop", strange, "folder", "detail"),
        FuseboardError(strange),
    ]
    for error in errors:
        assert isinstance(str(error), str)
        assert "<exception str() failed>" not in traceback.format_exception_only(error)[0]


@pytest.mark.parametrize("cls", [FuseboardError, CircuitOpenError, CircuitIsolatedError, TripError, StoreOpenError])
def test_an_error_that_was_made_half_has_a_text(cls: type[FuseboardError]) -> None:
    """A subclass may not have called our constructor; its arguments are what there is to tell."""
    error = cls.__new__(cls, "db", 3)
    assert str(error) in {"('db', 3)", "db"}
