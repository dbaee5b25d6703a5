"""What a breaker and those of its keys say once, and go on with (rule R15)."""

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard.testing import Clock
from helpers import fail


def messages(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    """The warnings that say this."""
    return [record.getMessage() for record in caplog.records if about in record.getMessage()]


def test_other_settings_are_told_once_a_family(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """R15: not once a key; what was not told is counted, for each fuse."""
    before = CircuitBreaker("db", threshold=2, store=store)
    after = CircuitBreaker("db", threshold=4, store=store)
    for key in range(5):
        for breaker in (before, after):
            breaker.for_key(key).call(int)
    after.for_key(7).for_key(8)
    (told,) = messages(caplog, "has other settings than this one's Settings(threshold=4, ")
    assert told.endswith("Said once of a breaker and its keys; snapshots count settings_changes")
    assert [1] * 5 == [snapshot.settings_changes for snapshot in store.snapshot().values()]
    CircuitBreaker("db", threshold=6, store=store)
    assert 1 == len(messages(caplog, "Settings(threshold=6, ")), "another breaker is another family"


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
    says = "circuit 'db': threshold 32 counts as 4, the failures that store 'shop' can count"
    assert f"{says}; choose another name for a store that counts more" == told
    fail(breaker, 3)
    assert State.CLOSED is breaker.state
    fail(breaker)
    assert State.OPEN is breaker.state


@pytest.mark.usefixtures("smaller")
def test_what_this_process_asked_for_is_still_too_few() -> None:
    """It would be wrong on the very first host too."""
    store = Store.shared("shop", fuses=8, failures=20, strict=True, clock=Clock())
    with pytest.raises(ValueError, match=r"^threshold must be at most the store's capacity of 32 failures, got 33;"):
        CircuitBreaker("db", threshold=33, store=store)
    with pytest.raises(ValueError, match=r"^threshold must be at most the store's capacity of 8 failures, got 9;"):
        CircuitBreaker("db", threshold=9, store=Store.private(failures=5))


def test_faults_and_odd_awaitables_are_told_once_a_family(store: Store, caplog: pytest.LogCaptureFixture) -> None:
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
    assert 1 == len(messages(caplog, "which no call is told of"))
    assert 1 == len(messages(caplog, "which a breaker cannot follow"))
