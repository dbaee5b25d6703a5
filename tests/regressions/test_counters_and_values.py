"""Counters that counted a call twice or survived ``reset_all``, and values whose messages named nothing."""

import asyncio

import pytest

from fuseboard import CircuitBreaker, FuseState, Settings, Store
from fuseboard.testing import Clock
from helpers import wait_for_probe


async def answer() -> int:
    """Answers."""
    return 7


def test_reset_all_forgets_that_settings_changed(store: Store) -> None:
    """``reset_all``: counters begin at 0, the one of changed settings too."""
    for threshold in (3, 4):
        CircuitBreaker("db", threshold=threshold, store=store).call(int)
    store.reset_all()
    store.record_success("db")
    assert 0 == store.snapshot()["db"].settings_changes


def test_a_probe_whose_function_returns_a_coroutine_is_one_probe(store: Store, clock: Clock) -> None:
    """``probes`` counts calls: the permit taken for the making of the coroutine was given back uncounted."""
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=1, store=store)
    wait_for_probe(breaker, clock)
    assert 7 == asyncio.run(breaker(lambda: answer())())  # noqa: PLW0108 - not known as a coroutine function
    told = store.snapshot()["db"]
    assert (1, 1, 1) == (told.probes, told.successes, told.closes)


@pytest.mark.parametrize("argument", ["window", "reset_timeout", "probe_timeout"])
@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["huge", "minus huge"])
def test_seconds_too_large_for_a_float_are_out_of_range(argument: str, value: int) -> None:
    """A ``ValueError`` that names the argument and its range, as for any other number."""
    with pytest.raises(ValueError, match=rf"^{argument} must be from 0\.001 to 604800 seconds"):
        Settings(**{argument: value})


@pytest.mark.parametrize("argument", ["threshold", "window"])
def test_numbers_too_long_to_print_are_out_of_range(argument: str) -> None:
    """The message names the argument, where the number itself has too many digits to be shown."""
    with pytest.raises(ValueError, match=f"^{argument} must be from "):
        Settings(**{argument: 10**5000})


@pytest.mark.parametrize("state", ["open", 2, None])
def test_a_fuse_state_of_no_state_is_refused(state: object) -> None:
    """A ``TypeError`` that names the argument, not an ``AttributeError`` of ours."""
    with pytest.raises(TypeError, match="state must be a State"):
        FuseState(state)
