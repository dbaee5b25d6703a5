"""States, and the value that tells a state and its time."""

import copy
import pickle

import pytest

from fuseboard import FuseState, State


def test_codes_are_fixed() -> None:
    """State codes live in files and dashboards: they are never renumbered."""
    codes = {State.CLOSED: 1, State.OPEN: 2, State.HALF_OPEN: 3, State.ISOLATED: 4, State.DISABLED: 5, State.RAMPING: 6}
    assert codes == {state: state.code for state in State}


def test_words_are_fixed() -> None:
    """A state's value is its word in logs and dashboards."""
    assert ["closed", "open", "half-open", "isolated", "disabled", "ramping"] == [state.value for state in State]


@pytest.mark.parametrize("state", State)
def test_a_code_stands_for_its_state(state: State) -> None:
    """Codes and states are one to one."""
    assert state is State.of_code(state.code)


@pytest.mark.parametrize("code", [0, 7, 8, -1])
def test_a_number_that_is_no_code_is_refused(code: int) -> None:
    """Only the six states have codes."""
    with pytest.raises(KeyError):
        State.of_code(code)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("since", [None, 0.0, 812.5, 1e9 - 1])
def test_a_fuse_state_is_a_value(state: State, since: float | None) -> None:
    """Equal by content, hashable, and copies and pickles are equal."""
    value = FuseState(state, since)
    assert (state, since) == (value.state, value.since)
    assert {value} == {FuseState(state, since), copy.copy(value), pickle.loads(pickle.dumps(value))}  # noqa: S301


def test_fuse_states_differ_by_state_and_by_time() -> None:
    """Neither half alone makes two of them equal."""
    values = [FuseState(state, since) for state in State for since in (None, 0.0, 1.0, 1.000001)]
    assert len(values) == len(set(values))
    assert FuseState(State.OPEN, 1.0) != (State.OPEN, 1.0)


def test_a_fuse_state_is_immutable() -> None:
    """Neither half can be set."""
    value = FuseState(State.OPEN, 1.0)
    for name in ("state", "since", "other"):
        with pytest.raises(AttributeError):
            setattr(value, name, None)


def test_a_fuse_state_says_what_it_is() -> None:
    """The representation is the call that makes it."""
    assert "FuseState(state=State.OPEN, since=812.5)" == repr(FuseState(State.OPEN, 812.5))
    assert "FuseState(state=State.CLOSED, since=None)" == repr(FuseState(State.CLOSED))


def test_a_fuse_state_matches_by_position_and_by_name() -> None:
    """``match`` takes it apart."""
    match FuseState(State.ISOLATED, 3.0):
        case FuseState(State.ISOLATED | State.DISABLED, since):
            assert 3.0 == since
    assert ("state", "since") == FuseState.__match_args__


@pytest.mark.parametrize("since", [-1.0, float("nan"), float("inf"), 1e9])
def test_a_time_out_of_range_is_refused(since: float) -> None:
    """A time is seconds on a clock that no host outruns."""
    with pytest.raises(ValueError, match=r"^since must be seconds from 0 up to 1e9, got "):
        FuseState(State.OPEN, since)


@pytest.mark.parametrize("since", ["1", [1]])
def test_a_time_of_another_type_is_refused(since: object) -> None:
    """A time is a number or None."""
    with pytest.raises(TypeError, match="since"):
        FuseState(State.OPEN, since)
