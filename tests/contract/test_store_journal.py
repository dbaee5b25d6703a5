"""The store's contract: the journal of transitions (T14)."""

import os

import pytest

from fuseboard import Cause, CircuitBreaker, State, Store, Transition
from fuseboard.testing import Clock
from helpers import MakeStore, fail, go_the_way_round

Line = tuple[str, State, State, Cause, str | None]


def lines(store: Store) -> list[Line]:
    """What the journal says, but for times and processes."""
    return [(entry.fuse, entry.before, entry.after, entry.cause, entry.error) for entry in store.journal()]


def test_a_new_journal_is_empty(store: Store) -> None:
    """That a fuse is used is no transition, nor is a failure that does not trip."""
    CircuitBreaker("db", store=store).call(int)
    fail(CircuitBreaker("db", store=store))
    store.record_success("other")
    assert [] == store.journal()
    assert 0 == store.journal_dropped


def test_the_way_round_is_told_with_its_causes(store: Store, clock: Clock) -> None:
    """R03, R06, R07, R08: what happened, why, and after which exception."""
    breaker = CircuitBreaker("db", threshold=2, reset_timeout=1, store=store)
    go_the_way_round(breaker, clock)
    assert [
        ("db", State.CLOSED, State.OPEN, Cause.THRESHOLD, "BoomError"),
        ("db", State.OPEN, State.HALF_OPEN, Cause.RESET_TIMEOUT, None),
        ("db", State.HALF_OPEN, State.OPEN, Cause.PROBE_FAILED, "BoomError"),
        ("db", State.OPEN, State.HALF_OPEN, Cause.RESET_TIMEOUT, None),
        ("db", State.HALF_OPEN, State.CLOSED, Cause.PROBES_SUCCEEDED, None),
    ] == lines(store)


def test_what_is_done_by_hand_is_told(store: Store) -> None:
    """R12: a manual override, by handle; and the raw operations."""
    breaker = CircuitBreaker("db", store=store)
    breaker.isolate()
    breaker.disable()
    breaker.reset()
    store.set_open("db")
    store.reset_all()
    assert [
        (State.CLOSED, State.ISOLATED, Cause.MANUAL),
        (State.ISOLATED, State.DISABLED, Cause.MANUAL),
        (State.DISABLED, State.CLOSED, Cause.MANUAL),
        (State.CLOSED, State.OPEN, Cause.SET),
        (State.OPEN, State.CLOSED, Cause.RESET_ALL),
    ] == [line[1:4] for line in lines(store)]


def test_an_entry_is_of_the_instant_of_the_state(store: Store, clock: Clock) -> None:
    """Time and generation are the state's own."""
    clock.advance(5)
    store.set_open("db")
    (entry,) = store.journal()
    assert (entry.at, entry.generation) == (store.state("db").since, store.snapshot()["db"].generation)


def test_an_entry_names_the_process_and_the_exception(store: Store) -> None:
    """As attributes, and the exception also in the line for people."""
    fail(CircuitBreaker("db", threshold=1, store=store))
    (entry,) = store.journal()
    assert (os.getpid(), "BoomError") == (entry.pid, entry.error)
    assert str(entry).endswith("Z db: closed -> open (threshold, BoomError)")


def test_fuses_stand_in_the_order_of_time(store: Store, clock: Clock) -> None:
    """One journal for all fuses of the store."""
    for fuse in "abc":
        clock.advance(1)
        store.set_open(fuse)
    assert ["a", "b", "c"] == [entry.fuse for entry in store.journal()]


def test_the_journal_keeps_the_latest_and_says_what_it_dropped(store: Store) -> None:
    """It is bounded: 2,048 records."""
    for _ in range(1500):
        store.set_open("db")
        store.set_closed("db")
    journal = store.journal()
    assert (2048, 3000 - 2048) == (len(journal), store.journal_dropped)
    assert [State.CLOSED, State.OPEN] == [journal[-1].after, journal[-2].after]
    assert sorted(journal, key=_generation) == journal


def _generation(entry: Transition) -> int:
    return entry.generation


def test_a_fuse_that_overflowed_is_told_of_too(make_store: MakeStore) -> None:
    """T12: what lives in this process alone has its journal there."""
    store = make_store(fuses=1)
    for fuse in "abc":
        store.set_open(fuse)
    assert {"a", "b", "c"} == {entry.fuse for entry in store.journal()}


def test_a_long_name_of_a_class_is_cut(store: Store) -> None:
    """A record has room for 95 bytes."""
    error = type("E" * 200, (Exception,), {})
    breaker = CircuitBreaker("db", threshold=1, store=store)

    def fails() -> None:
        raise error

    with pytest.raises(error):
        breaker.call(fails)
    assert "E" * 95 == store.journal()[0].error


def test_the_past_of_a_fuse_that_was_removed_is_counted_as_dropped(make_store: MakeStore, clock: Clock) -> None:
    """R28: nobody can tell whose it was; also once the place is another name's, whose own past is told."""
    store = make_store(fuses=1)
    for name, dropped in (("gone", 2), ("next", 4)):
        store.set_open(name)
        store.set_closed(name)
        assert [name] * 2 == [made.fuse for made in store.journal()]
        assert dropped - 2 == store.journal_dropped
        assert store.remove(name)
        assert ([], dropped) == (store.journal(), store.journal_dropped)
        clock.advance(61)
    for _ in range(1100):
        store.set_open("last")
        store.set_closed("last")
    told = store.journal()
    assert ({"last"}, 4 + 2200 - 2048) == ({made.fuse for made in told}, store.journal_dropped)
