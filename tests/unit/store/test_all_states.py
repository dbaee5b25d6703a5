"""``all_states`` remembers what it listed: it must never show, because it remembers."""

import gc
import threading
import weakref

from fuseboard import CircuitBreaker, FuseState, State, Store
from fuseboard.testing import Clock


def spread(store: Store) -> dict[str, State]:
    """What is listed, without times."""
    return {name: each.state for name, each in store.all_states().items()}


def test_each_list_says_what_is_there_now(store: Store) -> None:
    """New fuses, changed ones, ones that were removed, and a name that comes again."""
    assert spread(store) == {}
    store.set_open("a")
    assert spread(store) == {"a": State.OPEN}
    store.record_success("b")
    store.set_half_open("a")
    assert spread(store) == {"a": State.HALF_OPEN, "b": State.CLOSED}
    assert store.remove("b")
    assert spread(store) == {"a": State.HALF_OPEN}
    store.set_open("b")
    assert spread(store) == {"a": State.HALF_OPEN, "b": State.OPEN}
    store.reset_all()
    assert spread(store) == {}
    store.set_open("b")
    assert spread(store) == {"b": State.OPEN}


def test_a_slot_that_was_anothers_is_listed_by_its_new_name(clock: Clock) -> None:
    """One slot after the other has each of the names."""
    store = Store.private(fuses=1, failures=2, clock=clock)
    for name in ("a", "b", "a", "c"):
        store.record_success(name)
        assert spread(store) == {name: State.CLOSED}
        assert store.remove(name)
        clock.advance(61)
    assert spread(store) == {}


def test_a_list_is_the_callers_own(store: Store) -> None:
    """What is done to it nobody else sees, and what comes later it does not show."""
    store.set_open("a")
    first = store.all_states()
    store.set_closed("a")
    assert first["a"].state is State.OPEN
    first["a"] = FuseState(State.ISOLATED)
    first["nobody"] = FuseState(State.CLOSED)
    assert spread(store) == {"a": State.CLOSED}


def test_what_has_not_changed_is_the_same_object(store: Store) -> None:
    """Names and states: so a list of a hundred thousand fuses makes no object for each."""
    store.set_open("a")
    store.set_open("b")
    before = store.all_states()
    store.set_closed("b")
    after = store.all_states()
    assert [True, False] == [before[name] is after[name] for name in ("a", "b")]
    assert [id(name) for name in before] == [id(name) for name in after]


def test_fuses_that_found_no_room_are_listed_too(clock: Clock) -> None:
    """Those of this process alone, beside those of the table, each time."""
    store = Store.private(fuses=2, failures=2, clock=clock)
    names = [f"fuse{number}" for number in range(5)]
    for name in names:
        store.set_open(name)
    assert sorted(spread(store)) == names == sorted(spread(store))
    assert store.overflowed == 3


def test_a_state_by_name_and_by_handle_is_always_of_now(store: Store, clock: Clock) -> None:
    """Both remember the object that they gave out last; many fuses share a place to remember in."""
    names = [f"fuse{number}" for number in range(300)]
    for name in names:
        store.set_open(name)
        assert store.state(name) == FuseState(State.OPEN, store.all_states()[name].since)
        clock.advance(0.001)
    for name in names:
        assert store.state(name) == store.all_states()[name]
    fuse = CircuitBreaker("fuse0", store=store)._fuse()
    assert fuse.state() is fuse.state()
    store.set_closed("fuse0")
    assert fuse.state() == store.state("fuse0") == store.all_states()["fuse0"]
    assert store.state("never seen") == FuseState(State.CLOSED)


def test_lists_by_many_threads_beside_changes(store: Store) -> None:
    """Each list is whole: each fuse that is never removed is in it."""
    names = [f"fuse{number}" for number in range(50)]
    for name in names:
        store.record_success(name)
    failed: list[dict[str, FuseState]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = store.all_states()
            if not set(names) <= set(found):
                failed.append(found)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        store.set_open(names[number % 50])
        store.record_success(f"comes and goes {number % 3}")
        store.remove(f"comes and goes {number % 3}")
    done.set()
    for thread in threads:
        thread.join()
    assert failed == []


def test_what_is_remembered_goes_with_the_store() -> None:
    """No cycle keeps the table."""
    store = Store.private(fuses=4, failures=2)
    store.set_open("a")
    store.all_states()
    gone = weakref.ref(store)
    gc.disable()
    try:
        del store
        assert gone() is None
    finally:
        gc.enable()
