"""What copying, pickling and comparing do to breakers, stores and snapshots."""

import copy
import pickle
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, Store
from helpers import fail


def test_a_copied_breaker_is_the_breaker(store: Store) -> None:
    """Settings objects that hold one can be copied."""
    breaker = CircuitBreaker("db", store=store)
    assert copy.copy(breaker) is breaker
    assert breaker is copy.deepcopy([breaker])[0]
    assert copy.copy(store) is store
    assert store is copy.deepcopy([store])[0]


def test_a_breaker_on_a_private_store_does_not_pickle_and_says_what_to_do() -> None:
    """Better than one that comes out with a fuse of its own."""
    with pytest.raises(
        TypeError, match=r"^breaker 'db' cannot be pickled, because its private store belongs to this process; use"
    ):
        pickle.dumps(CircuitBreaker("db", store=Store.private()))


class Tenant(CircuitBreaker):
    """A breaker that is made in a way of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(f"tenant-{number}")


def is_bad(result: object) -> bool:
    """A predicate that has a name."""
    return result == "bad"


def test_a_breaker_pickles_as_what_it_was_made_with() -> None:
    """Name, settings, lists, predicates, fallback and store; a subclass and a breaker of a key as well."""
    with Store.shared("copies") as shared:
        breaker = CircuitBreaker(
            "db", threshold=7, failure_on=OSError, success_on=KeyError, ignore=(ValueError,), failure_if=is_bad,
            fallback="none", shadow=True, store=shared,
        )  # fmt: skip
        other = pickle.loads(pickle.dumps(breaker.for_key("eu")))  # noqa: S301 - our own bytes
        assert ("db[eu]", shared) == (other.name, other.store)
        assert breaker.settings == other.settings
        assert breaker.explain() == other.explain()
        assert "bad" == other.call(lambda: "bad")
        assert 1 == shared.snapshot()["db[eu]"].failures
    tenant = pickle.loads(pickle.dumps(Tenant(3)))  # noqa: S301 - our own bytes
    assert (Tenant, "tenant-3") == (type(tenant), tenant.name)


def test_a_shared_store_pickles_as_its_name_and_a_private_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process opens the same table; a private one is the process's own."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("FUSEBOARD_DIR", str(tmp_path))
    with Store.shared("copies") as shared:
        assert pickle.loads(pickle.dumps(shared)) is shared  # noqa: S301 - our own bytes
    with pytest.raises(
        TypeError, match=r"^a private store cannot be pickled, because it belongs to this process; use Store.shared"
    ):
        pickle.dumps(Store.private())


def test_snapshots_are_equal_if_all_of_them_is(store: Store) -> None:
    """So a test can compare them."""
    breaker = CircuitBreaker("db", store=store)
    breaker.call(int)
    before = store.snapshot()["db"]
    assert before == store.snapshot()["db"]
    fail(breaker)
    assert before != store.snapshot()["db"]
