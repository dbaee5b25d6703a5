"""Making a breaker, its default store, its settings beside others', and faults of our own."""

import gc
import logging
import re
import weakref
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, Settings, State, Store
from fuseboard._store import registry
from fuseboard.testing import Clock, private_default_store
from helpers import BoomError, MakeStore, boom, fail, trip


def test_a_breaker_tells_its_name_settings_and_store(store: Store) -> None:
    """What it was made with can be read back."""
    breaker = CircuitBreaker("db", threshold=7, probes=2, store=store)
    assert ("db", Settings(threshold=7, probes=2)) == (breaker.name, breaker.settings)
    assert store is breaker.store
    assert "<CircuitBreaker 'db' closed>" == repr(breaker)
    breaker.isolate()
    assert "<CircuitBreaker 'db' isolated>" == repr(breaker)


def test_the_text_of_a_breaker_opens_no_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever prints one that follows the default store does not make a table."""
    monkeypatch.setenv("FUSEBOARD_STORE", "shop")
    before = registry.replace_default(None)
    try:
        breaker = CircuitBreaker("db")
        assert "<CircuitBreaker 'db'>" == repr(breaker)
        assert (None, []) == (registry.default(), list(folder.iterdir()))
        assert State.CLOSED is breaker.state
        assert "<CircuitBreaker 'db' closed>" == repr(breaker)
    finally:
        registry.replace_default(before)


def test_a_breaker_that_is_told_nothing_has_the_defaults_of_the_settings(store: Store) -> None:
    """They stand in two signatures, and are the same."""
    assert Settings() == CircuitBreaker("db", store=store).settings == CircuitBreaker("db").settings


@pytest.mark.parametrize("listener", ["print", 3, []])
def test_a_listener_that_cannot_be_called_is_refused(listener: object) -> None:
    """The message names the argument, its type and its value."""
    came = re.escape(f"{type(listener).__name__}: {listener!r}")
    with pytest.raises(TypeError, match=f"^on_transition must be callable or None, got {came}$"):
        CircuitBreaker("db", on_transition=listener)


@pytest.mark.parametrize("store", ["shop", 3, Store])
def test_what_is_no_store_is_refused(store: object) -> None:
    """The message names the argument, its type and its value."""
    came = re.escape(f"{type(store).__name__}: {store!r}")
    with pytest.raises(TypeError, match=f"^store must be a Store or None, got {came}$"):
        CircuitBreaker("db", store=store)


@pytest.mark.parametrize("which", ["failure_on", "ignore"])
def test_what_names_no_exceptions_is_refused(which: str) -> None:
    """Where the breaker is made, not at the first failure."""
    with pytest.raises(TypeError, match=f"^{which} must be "):
        CircuitBreaker("db", **{which: int})


def test_a_threshold_above_the_stores_capacity_is_refused(store: Store) -> None:
    """What cannot be counted cannot be reached: the message says what to do."""
    CircuitBreaker("db", threshold=32, store=store)
    message = "threshold must be at most 32, the failures that the store counts, got 33; "
    message += "use a store that counts more, such as store=Store.shared(name, failures=33)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        CircuitBreaker("db", threshold=33, store=store)


def test_a_threshold_above_the_default_capacity_is_refused_before_any_store_is_open() -> None:
    """A breaker that follows the default store is checked against what that will be."""
    registry.replace_default(None)
    with pytest.raises(
        ValueError, match=r"^threshold must be at most 256, the failures that the store counts, got 257"
    ):
        CircuitBreaker("db", threshold=257)
    assert registry.default() is None


def test_a_threshold_that_the_default_store_cannot_count_is_told_and_lowered(caplog: pytest.LogCaptureFixture) -> None:
    """Protection never makes things worse: a smaller table means a smaller threshold, and one warning."""
    breaker = CircuitBreaker("db", threshold=5)
    registry.replace_default(Store.private(failures=2))
    fail(breaker, 2)
    says = "breaker 'db': its threshold is 2, not 5, because a private store counts at most 2 failures per fuse"
    assert f"{says}. Use a store with another name, made with failures=5." == caplog.messages[0]
    assert State.OPEN is breaker.state


def test_a_threshold_of_all_that_the_store_counts_is_nothing_to_tell(
    make_store: MakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    """It counts as what it is."""
    fail(CircuitBreaker("db", threshold=32, store=make_store(failures=32)))
    assert [] == caplog.messages


def test_a_breaker_follows_the_default_store() -> None:
    """A breaker without a store moves with the default one, and back."""
    breaker = CircuitBreaker("db", threshold=1)
    trip(breaker)
    with private_default_store() as inner:
        assert inner is breaker.store
        assert State.CLOSED is breaker.state
        assert 0 == breaker.call(int)
    assert State.OPEN is breaker.state


def test_a_breaker_with_a_store_stays_on_it(store: Store) -> None:
    """The default store is nothing to a breaker that was given one."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    trip(breaker)
    with private_default_store():
        assert (State.OPEN, store) == (breaker.state, breaker.store)


def test_guards_follow_the_default_store_too() -> None:
    """A guard made at import goes by the store of the day."""
    guarded = CircuitBreaker("db", threshold=1)(boom)
    for _ in range(3):
        with private_default_store(), pytest.raises(BoomError):
            guarded()


def test_a_call_under_way_is_settled_where_it_was_admitted(make_private: MakeStore) -> None:
    """R09: a permit belongs to the fuse that gave it, whatever the default store is by then."""
    breaker = CircuitBreaker("db", threshold=1)
    before = breaker.store
    permit = breaker._admit()
    registry.replace_default(make_private())
    breaker._settle(permit, BoomError())
    assert State.CLOSED is breaker.state
    assert State.OPEN is before.state("db").state


@pytest.mark.parametrize("attribute", ["name", "settings", "store", "state"])
def test_what_a_breaker_decides_by_is_set_when_it_is_made(attribute: str) -> None:
    """An assignment would change no decision, so it is refused."""
    breaker = CircuitBreaker("db", threshold=3)
    before = getattr(breaker, attribute)
    with pytest.raises(AttributeError, match=attribute):
        setattr(breaker, attribute, before)
    assert ("db", 3) == (breaker.name, breaker.settings.threshold)


def test_other_settings_on_one_fuse_are_logged_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """R15: a mismatch is logged once, by what differs; each decides by its own."""
    careful = CircuitBreaker("db", threshold=2, store=store)
    patient = CircuitBreaker("db", threshold=4, clear_on_success=False, store=store)
    for _ in range(10):
        careful.call(int)
        patient.call(int)
    (record,) = caplog.records
    assert "WARNING" == record.levelname
    assert record.getMessage().startswith(
        "fuse 'db': two breakers use it with different settings: threshold 2 -> 4, clear_on_success True -> False. "
        "Each breaker follows its own settings."
    )
    assert 1 == store.snapshot()["db"].settings_changes


def test_equal_settings_on_one_fuse_are_nothing_to_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """R15: only a mismatch is told."""
    for _ in range(5):
        CircuitBreaker("db", threshold=2, window=10, store=store).call(int)
        CircuitBreaker("db", threshold=2, window=10.0, store=store).call(int)
    assert [] == caplog.records


def test_each_breaker_decides_by_its_own_settings(store: Store) -> None:
    """R15: facts are shared, settings are not: the failures of both count for either."""
    careful = CircuitBreaker("db", threshold=3, store=store)
    patient = CircuitBreaker("db", threshold=5, store=store)
    fail(patient, 3)
    assert State.CLOSED is patient.state
    fail(patient)
    fail(careful)
    assert State.OPEN is patient.state


def test_each_breaker_waits_by_its_own_settings(store: Store, clock: Clock) -> None:
    """R15: the time an open fuse has to wait is the asker's."""
    hasty = CircuitBreaker("db", threshold=1, reset_timeout=1, store=store)
    slow = CircuitBreaker("db", threshold=1, reset_timeout=10, store=store)
    trip(hasty)
    clock.advance(1)
    with pytest.raises(Exception, match="retry in 9 s"):
        slow.call(int)
    assert 0 == hasty.call(int)


class _Broken(CircuitBreaker):
    """A breaker with faults of its own, as ours might have."""

    __slots__ = ()

    def _resolve(self) -> object:
        raise RuntimeError("no fuse")


def test_a_breaker_whose_fuse_cannot_be_had_lets_calls_through(caplog: pytest.LogCaptureFixture) -> None:
    """Protection never makes things worse: a fault of ours is logged once and counted, and the call goes on."""
    breaker = _Broken("db")
    guarded = breaker(lambda: 7)
    with breaker:
        assert [7, 7] == [guarded(), breaker.call(lambda: 7)]
    with pytest.raises(BoomError):
        breaker.call(boom)
    assert 4 == breaker.faults
    assert 1 == len(caplog.records)


def test_the_first_fault_is_logged_with_all_that_is_known_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """At once: nobody knows whether there will be a second."""
    _Broken("db").call(int)
    assert [
        (
            "breaker 'db': internal error, the call was not affected: RuntimeError: no fuse. Further errors are only "
            "counted, in breaker.faults."
        )
    ] == caplog.messages
    assert "in _resolve" in caplog.text  # its traceback


@pytest.mark.parametrize("argument", ["failure_on", "ignore"])
def test_a_predicate_that_raises_counts_as_failure(
    store: Store, argument: str, caplog: pytest.LogCaptureFixture
) -> None:
    """R16: the caller sees its own exception; the predicate's is logged once and counted, and the call has failed."""
    breaker = CircuitBreaker("db", threshold=2, store=store, **{argument: lambda _: 1 / 0})
    for _ in range(2):
        with pytest.raises(BoomError):
            breaker.call(boom)
    assert 1 == caplog.text.count("internal error, the call was not affected: ZeroDivisionError: division by zero")
    assert 2 == breaker.faults
    assert State.OPEN is breaker.state


def test_a_breaker_dies_with_its_last_reference(store: Store) -> None:
    """Neither its store nor the registry keeps a breaker alive."""
    breakers = [CircuitBreaker("db", store=store), CircuitBreaker("db")]
    for breaker in breakers:
        breaker.call(int)
    references = [weakref.ref(breaker) for breaker in breakers]
    del breaker, breakers
    gc.collect()
    assert [None, None] == [reference() for reference in references]


def test_a_private_table_lives_as_long_as_a_breaker_on_it() -> None:
    """A breaker keeps what it needs of its store."""
    breaker = CircuitBreaker("db", threshold=1, store=Store.private())
    gc.collect()
    trip(breaker)
    assert State.OPEN is breaker.state


def test_the_log_is_the_librarys_own(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Everything is logged under the name of the package."""
    with caplog.at_level(logging.DEBUG):
        trip(CircuitBreaker("db", threshold=1, store=store))
    assert {"fuseboard"} == {record.name for record in caplog.records}
