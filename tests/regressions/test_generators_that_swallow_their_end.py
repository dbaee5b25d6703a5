"""What comes of a guarded generator that does not simply end when it is closed (rules R10, R17)."""

from collections.abc import Generator

import pytest

from fuseboard import CircuitBreaker, Store
from helpers import BoomError, boom


def outcomes(breaker: CircuitBreaker) -> tuple[int, int, int]:
    """Successes, failures and ignored outcomes so far."""
    told = breaker.store.snapshot()["db"]
    return told.successes, told.failures, told.ignored


def test_a_generator_that_swallows_its_end_is_closed_all_the_same(store: Store) -> None:
    """R17: ``throw(GeneratorExit)`` closes the source and comes out again, as with ``yield from``."""
    breaker = CircuitBreaker("db", store=store)

    @breaker
    def swallow() -> Generator[int, None, str]:
        try:
            yield 1
        except GeneratorExit:
            return "swallowed"
        return "ended"

    generator = swallow()
    next(generator)
    with pytest.raises(GeneratorExit):
        generator.throw(GeneratorExit())
    assert (0, 0, 1) == outcomes(breaker)


def test_a_clean_up_that_fails_is_the_outcome(store: Store) -> None:
    """R17: it is what the call ended with."""
    breaker = CircuitBreaker("db", store=store)

    @breaker
    def clean_up() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            boom()

    generator = clean_up()
    next(generator)
    with pytest.raises(BoomError):
        generator.close()
    assert (0, 1, 0) == outcomes(breaker)
