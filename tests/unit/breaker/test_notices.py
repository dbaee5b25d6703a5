"""What a breaker and those of its keys say once, and go on with (rule R15)."""

import operator
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fuseboard import CircuitBreaker, FailureRate, Failures, State, Store
from fuseboard._store import registry
from fuseboard.testing import Clock
from helpers import fail


def messages(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    """The warnings that say this."""
    return [record.getMessage() for record in caplog.records if about in record.getMessage()]


def test_other_settings_are_told_once_for_a_breaker_and_its_keys(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """R15: not once a key; what was not told is counted, for each fuse."""
    before = CircuitBreaker("db", threshold=2, store=store)
    after = CircuitBreaker("db", threshold=4, store=store)
    for key in range(5):
        for breaker in (before, after):
            breaker.for_key(key).call(int)
    after.for_key(7).for_key(8).call(int)
    (told,) = messages(caplog, "different settings")
    assert told.startswith("fuse 'db': two breakers use it with different settings: threshold 2 -> 4. Each ")
    assert told.endswith("Logged once per pair of settings; settings_changes in the snapshot counts all changes.")
    assert [1] * 5 == [store.snapshot()[f"db[{key}]"].settings_changes for key in range(5)]
    CircuitBreaker("db", threshold=6, store=store).for_key(0).call(int)
    assert 1 == len(messages(caplog, "threshold 4 -> 6")), "other settings are another notice"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"threshold": 5, "reset_timeout": 30}, {"threshold": 10, "reset_timeout": 60.0},
         "threshold 5 -> 10, reset_timeout 30 -> 60"),
        ({"window": 10}, {"window": None}, "window 10 -> None"),
        ({"window": timedelta(minutes=1)}, {"window": 0.5}, "window 60 -> 0.5"),
        ({"clear_on_success": True}, {"clear_on_success": False}, "clear_on_success True -> False"),
        ({"threshold": 3}, {"policy": FailureRate(0.5), "probes": 2},
         f"policy '3 failures within 10 s' -> '{FailureRate(0.5)}', probes 1 -> 2"),
        ({"policy": Failures(3, 10), "jitter": 0.1}, {"threshold": 3}, "jitter 0.1 -> 0"),
    ],
)  # fmt: skip
def test_other_settings_are_told_by_what_differs(
    store: Store, caplog: pytest.LogCaptureFixture, before: Any, after: Any, told: str
) -> None:
    """R15: those that differ, as they are written, and no others; a count is a policy where the other one has one."""
    for changes in (before, after):
        CircuitBreaker("db", store=store, **changes).call(int)
    (message,) = messages(caplog, "different settings")
    assert f"fuse 'db': two breakers use it with different settings: {told}. Each breaker follows its own" in message


@pytest.mark.parametrize(
    ("ours", "told"), [({"threshold": 4}, "threshold=4, and otherwise the defaults"), ({}, "the defaults")]
)
def test_of_settings_that_another_process_has_ours_are_told(
    folder: Path, caplog: pytest.LogCaptureFixture, ours: Any, told: str
) -> None:
    """R15: the table has no more than a hash of theirs; the notice says how to find them."""
    assert folder
    call = "from fuseboard import *; CircuitBreaker('db', store=Store.shared('shop', fuses=8), threshold=77).call(int)"
    subprocess.run([sys.executable, "-c", call], check=True)  # noqa: S603 - our own program
    CircuitBreaker("db", store=Store.shared("shop", fuses=8), **ours).call(int)
    (message,) = messages(caplog, "different settings")
    assert f"another process uses it with different settings. This process has {told}." in message
    assert "log breaker.settings there" in message


def test_settings_made_up_at_each_call_do_not_fill_the_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """What is told, and what is kept to tell it once, has an end."""
    for number in range(300):
        CircuitBreaker("db", store=store, reset_timeout=1 + number).call(int)
    assert 256 == len(messages(caplog, "different settings"))
    assert 299 == store.snapshot()["db"].settings_changes


@pytest.mark.parametrize("look", [
    CircuitBreaker.reset, CircuitBreaker.isolate, CircuitBreaker.disable, CircuitBreaker.rates, CircuitBreaker.check,
    operator.attrgetter("state"),
])  # fmt: skip
@pytest.mark.parametrize("is_default", [True, False])
def test_who_makes_no_call_comes_with_no_settings(
    caplog: pytest.LogCaptureFixture, look: Callable[[CircuitBreaker], object], is_default: bool
) -> None:
    """R15: an operator's ``CircuitBreaker("db").reset()`` decides by none of its settings, so they are nothing."""
    store = Store.default()
    CircuitBreaker("db", threshold=3).call(int)
    operators = CircuitBreaker("db", store=None if is_default else store)
    look(operators)
    look(operators)
    assert [] == messages(caplog, "settings")
    assert 0 == store.snapshot()["db"].settings_changes
    operators.reset()
    operators.call(int)
    assert 1 == len(messages(caplog, "threshold 3 -> 5")), "its first call says so"


def test_a_look_follows_the_default_store(store: Store) -> None:
    """A breaker that was only looked at goes to the store that is the default one now, as one that made calls does."""
    breaker = CircuitBreaker("db")
    breaker.isolate()
    registry.replace_default(store)
    assert State.CLOSED is breaker.state
    breaker.isolate()
    assert State.ISOLATED is store.state("db").state


def test_a_look_finds_a_fuse_that_was_removed(store: Store) -> None:
    """R28: whoever only looks notices too, and sees the name's new place."""
    breaker = CircuitBreaker("db", store=store)
    assert store.remove("db")
    assert State.CLOSED is breaker.state
    store.set_open("db")
    assert State.OPEN is breaker.state


@pytest.fixture
def smaller(folder: pytest.TempPathFactory) -> None:
    """A table that another process made, for fewer failures than this one asks for."""
    assert folder
    Store.shared("shop", fuses=8, failures=4, strict=True, clock=Clock()).close()


@pytest.mark.usefixtures("smaller")
def test_a_table_that_another_process_made_smaller_stops_no_start(caplog: pytest.LogCaptureFixture) -> None:
    """Warned of once, with the way out; the threshold counts as what the table can count."""
    store = Store.shared("shop", fuses=8, failures=20, strict=True, clock=Clock())
    breaker = CircuitBreaker("db", threshold=32, store=store)
    for key in range(3):
        breaker.for_key(key)
    (told,) = messages(caplog, "threshold")
    says = "breaker 'db': its threshold is 4, not 32, because store 'shop' counts at most 4 failures per fuse"
    assert f"{says}. Use a store with another name, made with failures=32." == told
    fail(breaker, 3)
    assert State.CLOSED is breaker.state
    fail(breaker)
    assert State.OPEN is breaker.state


@pytest.mark.usefixtures("smaller")
def test_what_this_process_asked_for_is_still_too_few() -> None:
    """It would be wrong on the very first host too."""
    store = Store.shared("shop", fuses=8, failures=20, strict=True, clock=Clock())
    with pytest.raises(ValueError, match=r"^threshold must be at most 32, the failures that the store counts, got 33;"):
        CircuitBreaker("db", threshold=33, store=store)
    with pytest.raises(ValueError, match=r"^threshold must be at most 8, the failures that the store counts, got 9;"):
        CircuitBreaker("db", threshold=9, store=Store.private(failures=5))


def test_faults_and_odd_awaitables_are_told_once_for_a_breaker_and_its_keys(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Not once a key: a broken predicate of a service with a thousand tenants is one line; each counts its own."""

    class Later:
        def __await__(self) -> None:
            """Never awaited here."""

    breaker = CircuitBreaker("db", store=store, failure_on=lambda _: 1 / 0 > 0)
    for key in range(5):
        tenant = breaker.for_key(key)
        tenant.call(Later)
        fail(tenant)
        assert 1 == tenant.faults
    assert 1 == len(messages(caplog, "internal error, the call was not affected"))
    assert 1 == len(messages(caplog, "cannot see how it ends"))


def test_a_breaker_that_is_made_again_says_and_counts_nothing_again(caplog: pytest.LogCaptureFixture) -> None:
    """R15: breakers of keys are dropped and made again, and come to nobody's notice by it."""
    store = Store.private(fuses=8, failures=4)
    before, after = (CircuitBreaker("db", threshold=threshold, store=store) for threshold in (2, 4))
    for _ in range(3):
        for key in range(12):
            before.for_key(key).call(int)
            after.for_key(key).call(int)
    assert 1 == len(messages(caplog, "different settings"))
    changes = [store.snapshot()[f"db[{key}]"].settings_changes for key in range(8)]
    assert [1] * 8 == changes


def test_a_breaker_that_may_have_come_before_notes_its_settings_where_nobody_has() -> None:
    """R15: it may as well be new, and the next one with other settings is to be seen."""
    store = Store.private(fuses=8)
    many = CircuitBreaker("db", threshold=2, store=store)
    for key in range(9):
        many.for_key(key).call(int)
    many.for_key(20).call(int)
    CircuitBreaker("db[20]", threshold=3, store=store).call(int)
    assert 1 == store.snapshot()["db[20]"].settings_changes
