"""The store's contract: failures, windows and successes."""

from datetime import timedelta

import pytest

from fuseboard import State, Store
from fuseboard.testing import Clock
from helpers import MakeStore

STATES = [State.OPEN, State.HALF_OPEN, State.CLOSED]


def put(store: Store, fuse: str, state: State) -> None:
    """Puts a fuse into one of the three states that ``set_*`` knows."""
    {State.OPEN: store.set_open, State.HALF_OPEN: store.set_half_open, State.CLOSED: store.set_closed}[state](fuse)


def test_a_failure_is_counted_with_those_before_it(store: Store) -> None:
    """``record_failure`` returns the failures within the window, this one included."""
    assert [1, 2, 3] == [store.record_failure("db", 10) for _ in range(3)]


def test_fuses_do_not_count_each_others_failures(store: Store) -> None:
    """A failure belongs to one fuse."""
    store.record_failure("db", 10)
    assert 1 == store.record_failure("mail", 10)


def test_a_failure_counts_until_it_is_older_than_the_window(store: Store, clock: Clock) -> None:
    """A failure counts while it is at most ``window`` old: the edge belongs to the window."""
    store.record_failure("db", 10)
    clock.advance(10)
    assert 2 == store.record_failure("db", 10)
    clock.advance(1e-6)
    assert 2 == store.record_failure("db", 10)
    clock.advance(10)
    assert 2 == store.record_failure("db", 10)


def test_each_failure_expires_on_its_own(store: Store, clock: Clock) -> None:
    """The window slides: there are no buckets that fall out of it together."""
    for _ in range(8):
        store.record_failure("db", 100)
        clock.advance(1)
    assert [4, 4, 4, 4] == [_count_after(store, clock, 1) for _ in range(4)]


def _count_after(store: Store, clock: Clock, seconds: float) -> int:
    count = store.record_failure("db", 3)
    clock.advance(seconds)
    return count


def test_the_window_is_the_askers(store: Store, clock: Clock) -> None:
    """A window belongs to the question, not to the fuse: facts are shared, settings are not (R15)."""
    for _ in range(5):
        store.record_failure("db", 1)
        clock.advance(1)
    assert 6 == store.record_failure("db", 5)
    assert 3 == store.record_failure("db", 1)
    assert 3 == store.record_failure("db", 0.5)


@pytest.mark.parametrize("window", [10, 10.0, timedelta(seconds=10)])
def test_a_window_is_seconds_or_a_timedelta(store: Store, clock: Clock, window: float | timedelta) -> None:
    """Python speaks seconds or timedelta everywhere."""
    store.record_failure("db", window)
    clock.advance(window)
    assert 2 == store.record_failure("db", window)
    clock.advance(timedelta(seconds=10, microseconds=1))
    assert 1 == store.record_failure("db", window)


@pytest.mark.parametrize("window", [0, -1, float("nan"), float("inf"), 7 * 86_400 + 1, timedelta(days=8)])
def test_a_window_out_of_range_is_refused(store: Store, window: float | timedelta) -> None:
    """A window is from a microsecond to seven days; the message names it and its range."""
    with pytest.raises(ValueError, match=r"^window must be from 1e-06 to 604800 seconds \(seven days\), got "):
        store.record_failure("db", window)
    assert {} == store.all_states()


@pytest.mark.parametrize("window", ["10", None, True, [10]])
def test_a_window_of_another_type_is_refused(store: Store, window: object) -> None:
    """A window is a number or a timedelta; the message names it and its type."""
    with pytest.raises(TypeError, match=f"^window must be seconds or a timedelta, got {type(window).__name__}: "):
        store.record_failure("db", window)


def test_a_count_saturates_at_the_failure_capacity(make_store: MakeStore) -> None:
    """Failures are counted exactly up to ``failure_capacity``, and not beyond."""
    store = make_store(failures=8)
    assert 8 == store.failure_capacity
    assert [1, 2, 3, 4, 5, 6, 7, 8, 8, 8] == [store.record_failure("db", 10) for _ in range(10)]
    assert 8 == store.snapshot()["db"].window_failures


def test_a_saturated_count_still_expires(make_store: MakeStore, clock: Clock) -> None:
    """What is forgotten at saturation is the oldest; the rest leaves the window in its time."""
    store = make_store(failures=4)
    for _ in range(10):
        store.record_failure("db", 10)
        clock.advance(1)
    assert 3 == store.record_failure("db", 2)
    clock.advance(11)
    assert 1 == store.record_failure("db", 10)


@pytest.mark.parametrize(("asked", "got"), [(1, 2), (2, 2), (3, 4), (32, 32), (33, 64), (2048, 2048)])
def test_the_failure_capacity_is_the_next_power_of_two(make_store: MakeStore, asked: int, got: int) -> None:
    """A table counts at least the failures it was asked to."""
    store = make_store(fuses=1, failures=asked)
    assert got == store.failure_capacity
    assert got == [store.record_failure("db", 10) for _ in range(got + 1)][-1]


def test_failures_are_counted_over_many_laps_of_the_log(make_store: MakeStore, clock: Clock) -> None:
    """The log is a ring; a long life does not change what is counted."""
    store = make_store(failures=4)
    for lap in range(3000):
        store.record_failure("db", 10)
        if lap % 100 == 0:
            store.record_success("db")
            clock.advance(1)
    store.record_success("db")
    assert [1, 2] == [store.record_failure("db", 10) for _ in range(2)]


def test_a_success_clears_the_window(store: Store) -> None:
    """``record_success`` begins a new count."""
    store.record_failure("db", 10)
    store.record_success("db")
    assert 0 == store.snapshot()["db"].window_failures
    assert 1 == store.record_failure("db", 10)


def test_a_success_of_a_fuse_never_seen_makes_it_known(store: Store) -> None:
    """A fuse comes into being, closed, when it is first used."""
    store.record_success("db")
    assert {"db": State.CLOSED} == {name: seen.state for name, seen in store.all_states().items()}


@pytest.mark.parametrize("state", STATES)
def test_a_success_changes_no_state(store: Store, state: State) -> None:
    """R13: a raw success never re-closes an open fuse, as the original's does."""
    put(store, "db", state)
    before = store.state("db")
    store.record_success("db")
    store.record_failure("db", 10)
    store.record_success("db")
    assert before == store.state("db")


@pytest.mark.parametrize("state", STATES)
def test_failures_trip_nothing_and_are_counted_in_any_state(make_store: MakeStore, state: State) -> None:
    """R13: however many raw failures there are, the state stays."""
    store = make_store(failures=8)
    put(store, "db", state)
    before = store.state("db")
    assert [1, 2, 3] == [store.record_failure("db", 10) for _ in range(3)]
    for _ in range(100):
        store.record_failure("db", 10)
    assert before == store.state("db")


@pytest.mark.parametrize("state", STATES)
def test_a_change_of_state_clears_the_window(store: Store, state: State) -> None:
    """Each ``set_*`` begins a generation with an empty window."""
    store.record_failure("db", 10)
    put(store, "db", state)
    assert 0 == store.snapshot()["db"].window_failures
    assert 1 == store.record_failure("db", 10)
