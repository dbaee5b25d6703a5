"""Settings and slow calls, as a tool reads them that has no breaker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard import CircuitBreaker, FailureRate, Failures, Settings, SlowRate, Store
from fuseboard.testing import Clock

ALL = Settings(
    policy=Failures(3, window=None)
    | FailureRate(0.5, window=7)
    | FailureRate(0.25, calls=40, min_calls=9)
    | SlowRate(0.125, slow_after=0.5, window=60)
    | SlowRate(1, slow_after=2, calls=50),
    reset_timeout=0.25,
    multiplier=1.5,
    max_reset_timeout=400,
    jitter=0.1,
    probes=3,
    success_threshold=4,
    probe_failures=2,
    probe_timeout=9,
    half_open_timeout=11,
    ramp=12,
    ramp_from=0.3,
    clear_on_success=False,
)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(threshold=7, window=None),
        Settings(policy=FailureRate(1 / 3, calls=20)),
        Settings(policy=Failures(1) | SlowRate(0.5, slow_after=1)),
        ALL,
    ],
)
def test_the_table_knows_the_settings_that_a_breaker_makes_calls_with(store: Store, settings: Settings) -> None:
    """R15: for tools; another process need not have the breaker's code."""
    breaker = CircuitBreaker("db", settings=settings, store=store)
    assert store.settings("db") is None, "it has made no call"
    breaker.call(int)
    assert settings == store.settings("db")


@given(
    threshold=st.integers(1, 16),
    window_us=st.integers(1_000, 604_800_000_000),
    reset_us=st.integers(1_000, 604_800_000_000),
    jitter_ppm=st.integers(0, 1_000_000),
    multiplier_permille=st.integers(1_000, 100_000),
)
def test_settings_come_back_to_the_microsecond(
    threshold: int, window_us: int, reset_us: int, jitter_ppm: int, multiplier_permille: int
) -> None:
    """The table has whole numbers, and settings have floats."""
    settings = Settings(
        threshold=threshold,
        window=window_us / 1e6,
        reset_timeout=reset_us / 1e6,
        jitter=jitter_ppm / 1e6,
        multiplier=multiplier_permille / 1e3,
    )
    assert settings == Settings.from_numbers(settings.numbers())


def test_the_last_breaker_that_came_counts(store: Store) -> None:
    """R15: each decides by its own; what is shown is the latest."""
    for threshold in (3, 4):
        CircuitBreaker("db", threshold=threshold, store=store).call(int)
    assert Settings(threshold=4) == store.settings("db")
    assert store.settings("mail") is None


def test_slow_calls_are_counted(store: Store, clock: Clock) -> None:
    """R20: of calls that say something of the service, good or bad, by the policy of their breaker."""
    breaker = CircuitBreaker("db", policy=SlowRate(1, slow_after=1, min_calls=100), ignore=KeyError, store=store)

    def takes(seconds: float, error: Exception | None = None) -> None:
        clock.advance(seconds)
        if error:
            raise error

    breaker.call(takes, 0.5)
    breaker.call(takes, 1)
    for error in (ValueError(), KeyError()):
        with pytest.raises(type(error)):
            breaker.call(takes, 2, error)
    seen = store.snapshot()["db"]
    assert (2, 2, 1, 1) == (seen.slow, seen.successes, seen.failures, seen.ignored)
    CircuitBreaker("db", store=store).call(takes, 5)
    assert 2 == store.snapshot()["db"].slow, "that breaker does not ask for the time"
    store.reset_all()
    breaker.call(int)
    assert 0 == store.snapshot()["db"].slow
