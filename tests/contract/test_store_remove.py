"""The store's contract: fuses that are removed (rule R28)."""

from collections.abc import Callable

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard.testing import Clock, force_state
from helpers import MakeStore, boom, fail, rejection, trip, wait_for_probe

REST = 61.0
"""Seconds until a place that was removed is anybody's, and a little more."""


def test_an_idle_fuse_is_removed_once(store: Store) -> None:
    """It is gone from every list, and its name is one never seen."""
    store.record_failure("db", 10)
    store.record_success("db")
    assert store.remove("db")
    assert ({}, {}) == (store.all_states(), store.snapshot())
    assert (State.CLOSED, None) == (store.state("db").state, store.state("db").since)
    assert not store.remove("db")
    assert 1 == store.record_failure("db", 10)


def test_a_fuse_that_nobody_has_is_not_removed(store: Store) -> None:
    """And asking takes no room."""
    assert not store.remove("stranger")
    assert {} == store.all_states()


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_what_is_not_closed_stays(store: Store, state: State) -> None:
    """Open, half-open, ramping, isolated and disabled fuses are never removed."""
    breaker = CircuitBreaker("db", store=store)
    force_state(breaker, state)
    assert not store.remove("db")
    assert state is breaker.state


def test_a_fuse_with_failures_in_its_window_stays(store: Store) -> None:
    """They would be forgotten."""
    breaker = CircuitBreaker("db", store=store, threshold=2)
    fail(breaker)
    assert not store.remove("db")
    fail(breaker)
    assert State.OPEN is breaker.state


@pytest.mark.parametrize(
    ("windows", "seconds"),
    [([10], 10), ([1, 60, 10], 60), ([None], 604_800), ([10, None], 604_800), ([], 604_800)],
)
def test_a_fuse_whose_last_call_failed_is_idle_once_nobody_looks_back_to_it(
    store: Store, clock: Clock, windows: list[float | None], seconds: float
) -> None:
    """The longest window of its breakers counts; of raw operations, as of no window, seven days."""
    breakers = [CircuitBreaker("db", store=store, window=window) for window in windows]
    for breaker in breakers:
        fail(breaker)
    store.record_failure("db", 1)
    clock.advance(seconds)
    assert not store.remove("db")
    clock.advance(0.001)
    assert store.remove("db")
    for breaker in breakers:
        fail(breaker)
        assert store.snapshot()["db"].window_failures > 0


def test_a_full_table_takes_a_failed_fuse_back(make_store: MakeStore, clock: Clock) -> None:
    """Those that failed last are mostly those that nobody calls any more."""
    store = make_store(fuses=1)
    fail(CircuitBreaker("gone", store=store))
    for _ in range(3):
        CircuitBreaker("new", store=store).call(int)
        clock.advance(61)
    CircuitBreaker("new", store=store).call(int)
    assert ["new"] == list(store.snapshot())
    assert 0 == store.overflowed


def test_a_fuse_whose_probe_failed_stays_for_an_hour(store: Store, clock: Clock) -> None:
    """R23: else its next open time would be shorter than it should."""
    breaker = CircuitBreaker("db", store=store, threshold=1, reset_timeout=1, multiplier=2)
    wait_for_probe(breaker, clock)
    fail(breaker)
    clock.advance(2)
    breaker.call(int)
    clock.advance(3_590)
    assert not store.remove("db")
    clock.advance(20)
    assert store.remove("db")


def uses() -> dict[str, Callable[[CircuitBreaker], object]]:
    """All ways to make a call that succeeds."""

    def by_guard(breaker: CircuitBreaker) -> object:
        return breaker(lambda: 7)()

    def by_block(breaker: CircuitBreaker) -> None:
        with breaker:
            pass

    def by_permit(breaker: CircuitBreaker) -> None:
        with breaker.permit() as permit:
            permit.success()

    return {"call": lambda breaker: breaker.call(int), "guard": by_guard, "block": by_block, "permit": by_permit}


@pytest.mark.parametrize("use", uses().values(), ids=uses())
@pytest.mark.parametrize("rested", [False, True], ids=["at once", "later"])
def test_a_breaker_goes_on_with_a_new_fuse(
    store: Store, clock: Clock, use: Callable[[CircuitBreaker], object], rested: bool
) -> None:
    """At its next call, whatever kind that is, and with its own settings; nothing of the old fuse is left."""
    breaker = CircuitBreaker("db", store=store, threshold=2)
    use(breaker)
    use(breaker)
    assert store.remove("db")
    clock.advance(REST if rested else 0.001)
    assert State.CLOSED is breaker.state
    use(breaker)
    snapshot = store.snapshot()["db"]
    assert (1, 0, 0) == (snapshot.successes, snapshot.failures, snapshot.late_outcomes)
    trip(breaker)
    assert State.OPEN is store.state("db").state


def test_a_handle_that_was_removed_never_touches_the_next_fuse(make_store: MakeStore, clock: Clock) -> None:
    """R28: in a table with one place the next name gets the old one's."""
    store = make_store(fuses=1)
    old = CircuitBreaker("old", store=store, threshold=1)
    guarded = old(boom)
    old.call(int)
    begun = old.permit()
    assert store.remove("old")
    clock.advance(REST)
    new = CircuitBreaker("new", store=store, threshold=1)
    new.call(int)
    assert 0 == store.overflowed
    before = store.snapshot()["new"]
    begun.failure()
    assert before == store.snapshot()["new"]
    with pytest.raises(Exception, match=r"^$"):
        guarded()
    assert (State.OPEN, State.CLOSED) == (old.state, new.state)
    assert before == store.snapshot()["new"]
    assert 1 == store.overflowed


def test_an_operators_word_behind_it_holds_the_name(make_store: MakeStore, clock: Clock) -> None:
    """R12: and not the place that it had."""
    store = make_store(fuses=1)
    old, new = (CircuitBreaker(name, store=store) for name in ("old", "new"))
    old.call(int)
    assert store.remove("old")
    clock.advance(REST)
    new.call(int)
    old.isolate()
    assert rejection(old) is not None
    assert rejection(new) is None


def test_a_fuse_that_was_removed_is_not_reset(store: Store) -> None:
    """``reset_all`` brings nothing back."""
    store.record_success("db")
    assert store.remove("db")
    store.reset_all()
    assert {} == store.all_states()
    assert not store.remove("db")


def test_the_journal_does_not_tell_of_it_under_another_name(make_store: MakeStore, clock: Clock) -> None:
    """T14: transitions of a fuse that was removed have no name any more, and the next fuse has its own only."""
    store = make_store(fuses=1)
    old = CircuitBreaker("old", store=store, threshold=1, reset_timeout=1)
    wait_for_probe(old, clock)
    old.call(int)
    assert ["old"] * 3 == [told.fuse for told in store.journal()]
    assert store.remove("old")
    assert [] == list(store.journal())
    clock.advance(REST)
    store.set_open("new")
    assert [("new", State.OPEN)] == [(told.fuse, told.after) for told in store.journal()]


def test_a_full_table_takes_idle_fuses_back_by_itself(make_store: MakeStore, clock: Clock) -> None:
    """T12: of those that did nothing for a minute; a fuse of the process's own then moves into the table."""
    store = make_store(fuses=4)
    open_one, held, used, _ = (CircuitBreaker(name, store=store) for name in ("open", "held", "used", "idle"))
    store.set_open("open")
    held.disable()
    for _ in range(3):
        used.call(int)
        store.record_success("late")
        clock.advance(REST)
    used.call(int)
    CircuitBreaker("late", store=store).call(int)
    assert {"open", "held", "used", "late"} == set(store.all_states())
    assert (0, State.OPEN, State.DISABLED) == (store.overflowed, open_one.state, held.state)


def test_twenty_thousand_keys_come_and_go_through_a_small_table(make_store: MakeStore, clock: Clock) -> None:
    """Tenants that leave make room for those that come; none is lost and none inherits."""
    store = make_store(fuses=256, failures=2)
    for wave in range(80):
        names = [f"tenant-{wave}-{number}" for number in range(250)]
        assert [1] * 250 == [store.record_failure(name, 10) for name in names]
        [store.record_success(name) for name in names]
        assert [True] * 250 == [store.remove(name) for name in names]
        clock.advance(REST)
    assert (0, {}) == (store.overflowed, store.all_states())
