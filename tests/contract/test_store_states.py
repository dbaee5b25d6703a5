"""The store's contract: states, generations and the operator's hold."""

import pytest

from fuseboard import CircuitBreaker, FuseState, State, Store
from fuseboard.testing import Clock

SETTERS = {State.OPEN: Store.set_open, State.HALF_OPEN: Store.set_half_open, State.CLOSED: Store.set_closed}
HOLDS = {State.ISOLATED: CircuitBreaker.isolate, State.DISABLED: CircuitBreaker.disable}


def test_a_fuse_never_seen_is_closed_since_never(store: Store) -> None:
    """R01: a fuse never seen is closed."""
    assert FuseState(State.CLOSED, None) == store.state("db")


def test_asking_for_a_state_creates_nothing(store: Store) -> None:
    """``state`` is a reading: a fuse comes into being when it is used."""
    store.state("db")
    assert {} == store.all_states()
    assert {} == store.snapshot()


def test_a_breaker_that_was_not_called_creates_nothing(store: Store) -> None:
    """A fuse is known from its first use on, not from the making of a breaker."""
    CircuitBreaker("db", store=store)
    assert {} == store.all_states()


@pytest.mark.parametrize("state", SETTERS)
def test_a_set_state_is_told_with_the_time_it_began(store: Store, clock: Clock, state: State) -> None:
    """``state`` returns state and time in one value."""
    clock.advance(5)
    SETTERS[state](store, "db")
    clock.advance(1)
    assert FuseState(state, 1005.0) == store.state("db")
    assert 1006.0 == store.now()


@pytest.mark.parametrize("state", SETTERS)
def test_setting_a_state_again_begins_it_anew(store: Store, clock: Clock, state: State) -> None:
    """Each ``set_*`` bumps the generation, also where the state is the same."""
    SETTERS[state](store, "db")
    before = store.snapshot()["db"].generation
    SETTERS[state](store, "db")
    assert before < store.snapshot()["db"].generation
    clock.advance(3)
    SETTERS[state](store, "db")
    assert FuseState(state, 1003.0) == store.state("db")


def test_generations_grow_while_the_clock_stands_still(store: Store) -> None:
    """A stamp moves by at least a microsecond, so that state and time never repeat."""
    seen = []
    for state in [*SETTERS] * 10:
        SETTERS[state](store, "db")
        seen.append(store.snapshot()["db"].generation)
    assert sorted(set(seen)) == seen


@pytest.mark.parametrize("setter", SETTERS.values(), ids=[state.value for state in SETTERS])
def test_late_results_of_breakers_change_nothing(store: Store, setter: object) -> None:
    """R09: an outcome of a call admitted before a ``set_*`` cannot undo it."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    failing, succeeding = breaker._admit(), breaker._admit()
    setter(store, "db")
    before = store.state("db")
    breaker._settle(failing, ValueError())
    breaker._settle(succeeding)
    assert before == store.state("db")
    assert 2 == store.snapshot()["db"].late_outcomes


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("state", SETTERS)
def test_a_held_fuse_resists_raw_operations(store: Store, hold: State, state: State) -> None:
    """R12: a manual override dominates every raw ``set_*``."""
    HOLDS[hold](CircuitBreaker("db", store=store))
    before = store.state("db")
    SETTERS[state](store, "db")
    store.record_failure("db", 10)
    store.record_success("db")
    assert before == store.state("db")
    assert hold is before.state


def test_an_operator_overrides_an_operator(store: Store) -> None:
    """R12: ``isolate``, ``disable`` and ``reset`` are stronger than either hold."""
    breaker = CircuitBreaker("db", store=store)
    states = []
    for command in (breaker.isolate, breaker.disable, breaker.isolate, breaker.reset, breaker.disable, breaker.reset):
        command()
        states.append(store.state("db").state)
    held, admitting, closed = State.ISOLATED, State.DISABLED, State.CLOSED
    assert [held, admitting, held, closed, admitting, closed] == states


def test_all_states_tells_every_fuse_that_was_used(store: Store) -> None:
    """``all_states`` maps names to what ``state`` tells of them."""
    store.record_failure("a", 10)
    store.set_open("b")
    store.record_success("c")
    CircuitBreaker("d", store=store).isolate()
    CircuitBreaker("e", store=store).call(int)
    names = ["a", "b", "c", "d", "e"]
    assert {name: store.state(name) for name in names} == store.all_states()


def test_all_states_is_a_copy(store: Store) -> None:
    """What a caller does to the answer, or what happens after it, changes neither."""
    store.set_open("a")
    states = store.all_states()
    store.set_closed("a")
    assert State.OPEN is states.pop("a").state
    assert ["a"] == list(store.all_states())


def test_match_takes_a_state_apart(store: Store, clock: Clock) -> None:
    """A ``FuseState`` is one immutable value that ``match`` takes apart by position or by name."""
    store.set_open("db")
    clock.advance(2)
    match store.state("db"):
        case FuseState(State.OPEN, since):
            assert 2.0 == store.now() - (since or 0)
        case _:
            pytest.fail("open")
    match store.state("mail"):
        case FuseState(state=State.CLOSED, since=None):
            pass
        case _:
            pytest.fail("never seen")


@pytest.mark.parametrize("hold", HOLDS)
def test_reset_all_closes_and_forgets_every_fuse(store: Store, hold: State) -> None:
    """``reset_all`` leaves ``all_states()`` empty, held fuses too (R12)."""
    store.set_open("a")
    store.record_failure("b", 10)
    HOLDS[hold](CircuitBreaker("c", store=store))
    store.reset_all()
    assert ({}, {}) == (store.all_states(), store.snapshot())
    assert [FuseState(State.CLOSED, None)] * 3 == [store.state(name) for name in "abc"]
    assert 1 == store.record_failure("b", 10)


def test_generations_do_not_go_back_over_reset_all(store: Store) -> None:
    """After ``reset_all`` late outcomes are still told from new ones (R09)."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    permit = breaker._admit()
    before = store.snapshot()["db"].generation
    store.reset_all()
    breaker.call(int)
    assert before < store.snapshot()["db"].generation
    breaker._settle(permit, ValueError())
    assert State.CLOSED is breaker.state
    assert 1 == store.snapshot()["db"].late_outcomes


def test_reset_all_of_an_empty_store_does_nothing(store: Store) -> None:
    """A fuse never seen stays untouched."""
    store.reset_all()
    store.reset_all()
    assert {} == store.all_states()
