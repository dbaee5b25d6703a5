"""Fuses by key: one policy, a fuse for each key."""

import threading
from collections.abc import Iterable

import pytest
from tests.helpers import MakeStore, fail

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard._store import registry
from fuseboard.testing import private_default_store


def test_each_key_has_a_fuse_of_its_own(store: Store) -> None:
    """One key trips; the others, and the breaker itself, know nothing of it."""
    breaker = CircuitBreaker("db", store=store, threshold=1)
    fail(breaker.for_key("a"))
    states = {name: state.state for name, state in store.all_states().items()}
    assert states == {"db[a]": State.OPEN}
    assert breaker.for_key("b").state is State.CLOSED


def test_a_key_has_the_settings_of_its_breaker(store: Store) -> None:
    """Whatever they are."""
    breaker = CircuitBreaker("db", store=store, threshold=2, reset_timeout=7, shadow=True)
    keyed = breaker.for_key("a")
    assert keyed.settings == breaker.settings
    assert keyed.explain() == breaker.explain()
    assert keyed.store is store


def test_a_key_classifies_as_its_breaker_does(store: Store) -> None:
    """Exceptions, results and fallbacks alike."""
    breaker = CircuitBreaker(
        "db", store=store, threshold=1, failure_on=OSError, ignore=FileNotFoundError, failure_if=lambda it: it == "bad",
        fallback="instead",
    )  # fmt: skip
    keyed = breaker.for_key("a")
    for ignored in (ValueError, FileNotFoundError):
        with pytest.raises(ignored), keyed:
            raise ignored
    assert keyed.call(lambda: "bad") == "bad"
    assert keyed.call(lambda: "good") == "instead"
    assert breaker.call(lambda: "good") == "good"


def test_a_rejection_by_another_key_is_a_failure_and_one_by_this_is_none(store: Store) -> None:
    """Rule R10 goes by the fuse, not by the breaker."""
    breaker = CircuitBreaker("db", store=store, threshold=1)
    fail(breaker.for_key("a"))
    with pytest.raises(CircuitOpenError), breaker.for_key("b"):
        breaker.for_key("a").check()
    assert breaker.for_key("b").state is State.OPEN
    with pytest.raises(CircuitOpenError), breaker.for_key("c"):
        raise CircuitOpenError("db[c]", State.OPEN, None)
    assert breaker.for_key("c").state is State.CLOSED


def test_a_key_tells_the_breakers_listener_under_its_own_name(store: Store) -> None:
    """One listener for all keys can tell them apart."""
    told: list[str] = []
    breaker = CircuitBreaker("db", store=store, threshold=1, on_transition=lambda made: told.append(made.fuse))
    fail(breaker.for_key(7))
    assert told == ["db[7]"]


def test_holding_a_breaker_does_not_hold_its_keys(store: Store) -> None:
    """A manual override is for one fuse."""
    breaker = CircuitBreaker("db", store=store)
    keyed = breaker.for_key("a")
    breaker.isolate()
    assert keyed.call(lambda: 1) == 1


def test_a_number_and_its_digits_are_one_fuse(store: Store) -> None:
    """An id is one, whether it was parsed or not."""
    breaker = CircuitBreaker("db", store=store, threshold=1)
    fail(breaker.for_key(42))
    assert breaker.for_key("42").state is State.OPEN


def test_a_key_may_have_keys(store: Store) -> None:
    """Of a region and a tenant, say."""
    keyed = CircuitBreaker("db", store=store).for_key("eu").for_key("a")
    assert keyed.name == "db[eu][a]"


def test_a_subclass_has_keys_of_its_class(store: Store) -> None:
    """With what it keeps."""

    class Mine(CircuitBreaker):
        pass

    breaker = Mine("db", store=store)
    breaker.note = "kept"  # type: ignore[attr-defined]
    keyed = breaker.for_key("a")
    assert type(keyed) is Mine
    assert keyed.note == "kept"  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["x" * 300, "\u00fc" * 150, "\U0001f50c" * 99, "\ud800" * 80])
def test_long_keys_are_told_apart(store: Store, key: str) -> None:
    """A URL is a key too."""
    breaker = CircuitBreaker("db", store=store)
    names = {breaker.for_key(key + end).name for end in ("", "1", "2")}
    assert len(names) == 3
    assert all(len(name.encode()) <= 200 for name in names)
    assert all(name.startswith(f"db[{key[0]}".encode(errors="backslashreplace").decode()) for name in names)


@pytest.mark.parametrize(("length", "whole"), [(196, True), (197, False)])
def test_a_key_that_just_fits_stays_whole(store: Store, length: int, *, whole: bool) -> None:
    """Not a byte less than there is room for."""
    name = CircuitBreaker("db", store=store).for_key("x" * length).name
    assert len(name) == 200
    assert (name == f"db[{'x' * length}]") is whole


def test_a_name_of_181_bytes_leaves_room_for_any_key() -> None:
    """A longer one leaves room for short keys."""
    with pytest.raises(ValueError, match=r"^name must have at most 181 bytes where keys are as long as .*, got 182"):
        CircuitBreaker("n" * 182, store=Store.private()).for_key("k" * 99)
    assert CircuitBreaker("n" * 197, store=Store.private()).for_key("k").name == "n" * 197 + "[k]"
    keyed = CircuitBreaker("n" * 181, store=Store.private()).for_key("k" * 99)
    assert keyed.name == "n" * 181 + f"[~{keyed.name[183:-1]}]"


@pytest.mark.parametrize("key", [None, b"a", 1.5, ("a",), False, True, 1.0, [1]])
def test_another_kind_of_key_is_refused(store: Store, key: object) -> None:
    """Whose text nobody has chosen to be a name; also one that a dictionary takes for a key that it has."""
    breaker = CircuitBreaker("db", store=store)
    breaker.for_key(1)
    with pytest.raises(TypeError, match="key must be a str or an int, got"):
        breaker.for_key(key)  # type: ignore[arg-type]


def test_a_key_gives_the_same_breaker(store: Store) -> None:
    """It is made once."""
    breaker = CircuitBreaker("db", store=store)
    assert breaker.for_key("a") is breaker.for_key("a")
    assert breaker.for_key("a") is not breaker.for_key("b")


def kept(breaker: CircuitBreaker, keys: Iterable[object]) -> list[object]:
    """Those of the keys whose breakers are kept."""
    return [key for key in keys if key in breaker._keyed]


@pytest.mark.parametrize(("fuses", "stay"), [(8, 8), (1024, 1024)])
def test_as_many_breakers_are_kept_as_the_store_has_places(fuses: int, stay: int) -> None:
    """Keys without end need no memory without end. What is dropped is the oldest breaker; its fuse goes on."""
    store = Store.private(fuses=fuses)
    breaker = CircuitBreaker("db", store=store, threshold=1)
    first = breaker.for_key(0)
    fail(first)
    for key in range(1, stay):
        breaker.for_key(key)
    assert breaker.for_key(0) is first, "all are kept"
    for key in range(stay, 2 * stay):
        breaker.for_key(key)
    assert stay - 2 <= len(kept(breaker, range(2 * stay))) <= stay
    assert kept(breaker, range(2 * stay)) == list(range(2 * stay))[-len(breaker._keyed) :]
    assert breaker.for_key(0) is not first
    assert breaker.for_key(0).state is State.OPEN


def test_a_look_up_makes_no_breaker_younger() -> None:
    """It writes nothing, so that threads do not disturb each other: the oldest goes, however often it is asked for."""
    breaker = CircuitBreaker("db", store=Store.private(fuses=8))
    for key in range(8):
        breaker.for_key(key)
        breaker.for_key(0)
    breaker.for_key(8)
    assert kept(breaker, range(9)) == list(range(1, 9))


def test_dropping_goes_on_beside_threads_that_make_more() -> None:
    """Whichever of them drops, no more stay than there is room for, and nobody's call fails."""
    breaker, faults = CircuitBreaker("db", store=Store.private(fuses=8)), []

    def ask(of: int) -> None:
        try:
            for key in range(300):
                breaker.for_key(f"{of}-{key}").call(int)
        except BaseException as fault:  # noqa: BLE001 - a thread's faults would go unseen
            faults.append(fault)

    threads = [threading.Thread(target=ask, args=(of,)) for of in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    breaker.for_key("last")
    assert (faults, True) == ([], len(breaker._keyed) <= 8)


def test_keys_without_a_store_keep_as_many_as_the_default_store_has_places() -> None:
    """Also before it is open: what it is made with."""
    with private_default_store() as store:
        registry.replace_default(None)
        breaker = CircuitBreaker("db")
        assert breaker._binding.fuse_capacity == 1024
        registry.replace_default(store)
        assert breaker._binding.fuse_capacity == store.fuse_capacity


def test_threads_that_ask_for_a_key_at_once_get_one_breaker(store: Store) -> None:
    """Whoever comes first makes it."""
    breaker, found, start = CircuitBreaker("db", store=store), [], threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.extend(id(breaker.for_key(key)) for key in range(16))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 16


@pytest.mark.of_the_process
def test_keys_follow_the_default_store() -> None:
    """As their breaker does."""
    breaker = CircuitBreaker("db", threshold=1)
    with private_default_store() as one:
        fail(breaker.for_key("a"))
        assert one.state("db[a]").state is State.OPEN
    with private_default_store():
        assert breaker.for_key("a").state is State.CLOSED


def test_to_ask_for_a_key_takes_no_place(make_store: MakeStore) -> None:
    """A look-up writes nothing: only a call, or a command, makes the fuse."""
    store = make_store(fuses=4)
    search = CircuitBreaker("search", store=store)
    for key in range(100):
        search.for_key(key)
    assert (0, {}) == (store.overflowed, store.snapshot())
    for name in ("a", "b", "c"):
        CircuitBreaker(name, store=store).call(int)
    assert 0 == store.overflowed
