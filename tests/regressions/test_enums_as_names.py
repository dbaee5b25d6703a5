"""A member of a ``str`` enum equals its value, and printed itself otherwise into the name of its fuse.

So a key's fuse had one name in a process that came with the member first, and another one where the text came first.
"""

import enum
import itertools
import logging
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, State, Store, Transition
from fuseboard._store import registry
from helpers import fail


class Region(str, enum.Enum):  # noqa: UP042 - what people had before StrEnum
    """Prints as ``Region.EU``."""

    EU = "eu"


class Zone(enum.StrEnum):
    """Prints as its value."""

    EU = "eu"


class Loud(str):
    """A ``str`` that prints, hashes and compares in a way of its own."""

    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"

    def __format__(self, _spec: str) -> str:
        return "LOUD"

    __repr__ = __str__

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        return False


class Number(enum.IntEnum):
    """Prints as its value."""

    ONE = 1


class Digit(int, enum.Enum):
    """Prints as ``Digit.ONE``."""

    ONE = 1


class Bits(enum.IntFlag):
    """Prints as its value."""

    ONE = 1


TEXTS = ["eu", Region.EU, Zone.EU, Loud("eu")]
NUMBERS = [1, "1", Number.ONE, Digit.ONE, Bits.ONE]


@pytest.mark.parametrize(("keys", "fuse"), [(TEXTS, "search[eu]"), (NUMBERS, "search[1]")], ids=["texts", "numbers"])
def test_equal_keys_are_one_fuse_whichever_comes_first(store: Store, keys: list[str | int], fuse: str) -> None:
    """In every order, each of which may be another process's."""
    for order in itertools.permutations(keys):
        breaker = CircuitBreaker("search", store=store)
        assert [fuse] * len(order) == [breaker.for_key(key).name for key in order]


def test_equal_keys_are_one_breaker(store: Store) -> None:
    """Whatever their hash is."""
    breaker = CircuitBreaker("search", store=store)
    assert 1 == len({id(breaker.for_key(key)) for key in TEXTS})


@pytest.mark.parametrize("name", TEXTS, ids=lambda it: type(it).__name__)
def test_a_breaker_by_an_equal_name_has_the_same_fuse(store: Store, name: str) -> None:
    """Its name is a plain one, in what it says and in its keys' names."""
    breaker = CircuitBreaker(name, store=store, threshold=1)
    assert (str, "eu", "eu[a]") == (type(breaker.name), breaker.name, breaker.for_key("a").name)
    assert "<CircuitBreaker 'eu' closed>" == repr(breaker)
    fail(breaker)
    assert State.OPEN is store.state("eu").state is store.state(name).state
    assert ["eu"] == list(store.all_states())


@pytest.mark.parametrize("name", TEXTS, ids=lambda it: type(it).__name__)
def test_a_variable_tunes_a_breaker_by_what_its_name_equals(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """``FUSEBOARD_EU_THRESHOLD``, not ``FUSEBOARD_REGION_EU_THRESHOLD``."""
    monkeypatch.setenv("FUSEBOARD_EU_THRESHOLD", "3")
    assert 3 == CircuitBreaker(name, store=Store.private()).settings.threshold


@pytest.mark.parametrize("name", TEXTS, ids=lambda it: type(it).__name__)
def test_raw_operations_tell_of_a_plain_name(store: Store, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who hears of a transition, and reads the log, finds the name of the fuse."""
    caplog.set_level(logging.INFO, "fuseboard")
    store.set_open(name)
    (record,) = caplog.records
    assert (str, "fuse 'eu': closed -> open (set)") == (type(record.fuse), record.getMessage())
    (made,) = store.journal()
    assert isinstance(made, Transition)
    assert "eu" == made.fuse


@pytest.mark.parametrize("name", TEXTS, ids=lambda it: type(it).__name__)
def test_a_store_by_an_equal_name_is_the_same(folder: Path, name: str) -> None:
    """One table, one entry among those that are open, one file."""
    store = Store.shared(name, strict=True)
    assert store is Store.shared("eu")
    assert (str, "eu") == (type(store.name), store.name)
    assert ("eu", str(folder)) in registry.shared
