"""The store's contract: names of fuses are ``str``, 1 to 200 bytes of UTF-8."""

from collections.abc import Callable

import pytest

from fuseboard import CircuitBreaker, State, Store

GOOD = {
    "one byte": "x",
    "200 bytes": "x" * 200,
    "200 bytes of two each": "\u00e9" * 100,
    "200 bytes of four each": "\U0001f50c" * 50,
    "spaces and punctuation": " a/b\\c:d\n\t",
    "a zero byte": "a\0b",
    "right to left": "\u05d0\u05d1",
    "a format string": "%s {0}",
}
BAD = {"empty": "", "201 bytes": "x" * 201, "202 bytes of two each": "\u00e9" * 101, "very long": "x" * 100_000}
OPERATIONS: dict[str, Callable[[Store, str], object]] = {
    "state": lambda store, name: store.state(name),
    "record_failure": lambda store, name: store.record_failure(name, 10),
    "record_success": lambda store, name: store.record_success(name),
    "set_open": lambda store, name: store.set_open(name),
    "set_half_open": lambda store, name: store.set_half_open(name),
    "set_closed": lambda store, name: store.set_closed(name),
    "remove": lambda store, name: store.remove(name),
    "breaker": lambda store, name: CircuitBreaker(name, store=store),
}


@pytest.mark.parametrize("name", GOOD.values(), ids=GOOD)
def test_a_name_comes_back_as_it_was_given(store: Store, name: str) -> None:
    """Any Unicode of 1 to 200 bytes is a name, and is not changed."""
    store.set_open(name)
    assert [name] == list(store.all_states())
    assert name == store.snapshot()[name].name
    assert State.OPEN is store.state(name).state


def test_names_are_compared_byte_by_byte(store: Store) -> None:
    """No normalisation, no case folding, no cutting: names that look alike are different fuses."""
    names = ["\u00e9", "e\u0301", "E", "e", "e ", "e\0", "\u0435"]
    for name in names:
        store.set_open(name)
    assert sorted(names) == sorted(store.all_states())


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
def test_a_name_of_another_length_is_refused(
    store: Store, operation: Callable[[Store, str], object], name: str
) -> None:
    """The message names the range and the length, and shows no more than a beginning."""
    size = len(name.encode())
    with pytest.raises(ValueError, match=f"^fuse name must have 1 to 200 bytes of UTF-8, got {size} bytes: ") as caught:
        operation(store, name)
    assert 200 > len(str(caught.value))
    assert {} == store.all_states()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("name", [None, 3, b"db", ["db"]])
def test_a_name_of_another_type_is_refused(
    store: Store, operation: Callable[[Store, object], object], name: object
) -> None:
    """The message names the type and the value."""
    with pytest.raises(TypeError, match=f"^fuse name must be a str, got {type(name).__name__}: "):
        operation(store, name)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_lone_surrogate_is_refused(store: Store, operation: Callable[[Store, str], object]) -> None:
    """What is no valid Unicode has no UTF-8."""
    with pytest.raises(
        ValueError, match=r"^fuse name must be valid Unicode, got 'a\\udc80', which has a lone surrogate"
    ):
        operation(store, "a\udc80")


def test_a_subclass_of_str_is_a_name(store: Store) -> None:
    """What is a ``str`` is a name, an enum's member too."""

    class Word(str):
        __slots__ = ()

    store.set_open(Word("db"))
    assert State.OPEN is store.state("db").state
