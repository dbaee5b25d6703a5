"""Settings from outside the code: the environment, plain data."""

import tomllib
from datetime import timedelta
from typing import Any

import pytest

from fuseboard import CircuitBreaker, FailureRate, Failures, Settings, SlowRate

TOML = """
[payments]
reset_timeout = 20
max_reset_timeout = "none"
probes = 2
clear_on_success = false
policy = [{ failure_rate = 0.5, window = 30, min_calls = 20 }, { threshold = 5, window = "none" }]
"""


def test_settings_come_from_a_toml_table() -> None:
    """Numbers, flags, policies; ``"none"`` is None."""
    expected = Settings(
        reset_timeout=20,
        probes=2,
        clear_on_success=False,
        policy=FailureRate(0.5, window=30, min_calls=20) | Failures(5, None),
    )
    assert expected == Settings.from_mapping(tomllib.loads(TOML)["payments"])


def test_a_policy_of_plain_data_is_one_or_several() -> None:
    """A table, a list of tables, or a policy."""
    slow = SlowRate(0.5, slow_after=2, calls=50)
    table = {"slow_rate": 0.5, "slow_after": 2, "calls": 50}
    for plain in (table, [table], slow):
        assert slow == Settings.from_mapping({"policy": plain}).policy


@pytest.mark.parametrize(
    ("plain", "error", "message"),
    [
        ({"treshold": 5}, ValueError, "^unknown setting 'treshold'; did you mean 'threshold'[?]$"),
        ({"store": 5}, ValueError, "^unknown setting 'store'; the known names are threshold, window, policy, "),
        ({5: 5}, ValueError, "^unknown setting 5; the known names are threshold, window, policy, "),
        ({"policy": {"rate": 5}}, TypeError, "^policy must be a table with threshold, failure_rate or slow_rate, or a"),
        ({"policy": []}, TypeError, "^policy must be a table"),
        ({"policy": {"failure_rate": 2}}, ValueError, "^failure_rate must be from"),
        ({"window": "10"}, TypeError, "^window must be seconds or a timedelta, got str: '10'$"),
        ({"window": "None"}, TypeError, "^window must not be the text 'None'; write none$"),
        ({"clear_on_success": "true"}, TypeError, "^clear_on_success must not be the text 'true'; write true, without"),
        (
            {"policy": {"failure_rate": 0.5, "windw": 3}},
            TypeError,
            "^FailureRate has no attribute 'windw'; it has failure_rate, window, calls, min_calls$",
        ),
        (
            {"policy": [{"threshold": 3}, {"threshold": 5}]},
            ValueError,
            "^policies must be of different kinds, got a second .*; use window for one rate and calls for the other",
        ),
    ],
)
def test_what_makes_no_settings_is_refused(plain: dict[str, object], error: type[Exception], message: str) -> None:
    """By name and value."""
    with pytest.raises(error, match=message):
        Settings.from_mapping(plain)


@pytest.mark.parametrize("given", [None, [("threshold", 5)], "threshold=5"])
def test_what_is_no_mapping_is_refused_by_name(given: Any) -> None:
    """Such as the text of a file that nobody has parsed."""
    with pytest.raises(TypeError, match=r"^mapping must be a mapping of settings to values, got "):
        Settings.from_mapping(given)


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """As a template leaves it where there is nothing to say."""
    monkeypatch.setenv("FUSEBOARD_DB_THRESHOLD", text)
    monkeypatch.setenv("FUSEBOARD_DB_WINDOW", text)
    assert Settings() == CircuitBreaker("db").settings


def test_a_variable_is_read_for_each_fuse_whose_name_it_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """``a`` has a ``max_reset_timeout`` where ``a_max`` has a ``reset_timeout``."""
    monkeypatch.setenv("FUSEBOARD_A_MAX_RESET_TIMEOUT", "77")
    assert Settings(max_reset_timeout=77) == CircuitBreaker("a").settings
    assert Settings(reset_timeout=77) == CircuitBreaker("a_max").settings


@pytest.mark.parametrize(
    ("variable", "text", "changes"),
    [
        ("THRESHOLD", "9", {"threshold": 9}),
        ("RESET_TIMEOUT", "2.5", {"reset_timeout": timedelta(seconds=2.5)}),
        ("WINDOW", "none", {"window": None}),
        ("CLEAR_ON_SUCCESS", "false", {"clear_on_success": False}),
        ("POLICY", "{failure_rate = 0.25, calls = 100}", {"policy": FailureRate(0.25, calls=100)}),
        ("POLICY", '[{threshold=3, window="none"}]', {"policy": Failures(3, None)}),
    ],
)
def test_operators_tune_by_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, changes: dict[str, object]
) -> None:
    """The fuse's name in capitals, odd characters as underscores; what they say counts, the rest is the code's."""
    monkeypatch.setenv(f"FUSEBOARD_PAYMENTS_DB_{variable}", text)
    tuned = CircuitBreaker("payments-db", success_threshold=3).settings
    assert Settings(success_threshold=3, **changes).numbers() == tuned.numbers()
    assert Settings(success_threshold=3) == CircuitBreaker("payments", success_threshold=3).settings


def test_a_policy_of_the_environment_stands_instead_of_the_codes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threshold that the code gave does not forbid it."""
    monkeypatch.setenv("FUSEBOARD_DB_POLICY", "{slow_rate = 0.5, slow_after = 1}")
    assert SlowRate(0.5, slow_after=1) == CircuitBreaker("db", threshold=50, window=1).settings.policy


def test_variables_are_judged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what the code says and each other, not beside the defaults; all are named if they disagree."""
    monkeypatch.setenv("FUSEBOARD_DB_MAX_RESET_TIMEOUT", "20")
    assert 20 == CircuitBreaker("db", reset_timeout=5).settings.max_reset_timeout
    monkeypatch.setenv("FUSEBOARD_DB_RESET_TIMEOUT", "15")
    tuned = CircuitBreaker("db", reset_timeout=5, max_reset_timeout=10).settings
    assert (15, 20) == (tuned.reset_timeout, tuned.max_reset_timeout)
    monkeypatch.setenv("FUSEBOARD_DB_RESET_TIMEOUT", "25")
    named = (
        r"^environment variables FUSEBOARD_DB_RESET_TIMEOUT='25', FUSEBOARD_DB_MAX_RESET_TIMEOUT='20': "
        r"max_reset_timeout must be at least reset_timeout \(25\), got 20$"
    )
    with pytest.raises(ValueError, match=named):
        CircuitBreaker("db")


def test_a_count_of_the_environment_is_not_dropped_for_its_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets both must see that only one can count; with the policy ``none`` it is the count."""
    monkeypatch.setenv("FUSEBOARD_DB_THRESHOLD", "7")
    monkeypatch.setenv("FUSEBOARD_DB_POLICY", "{failure_rate = 0.5}")
    with pytest.raises(ValueError, match=r"^environment variables FUSEBOARD_DB_THRESHOLD='7', FUSEBOARD_DB_POLICY="):
        CircuitBreaker("db")
    monkeypatch.setenv("FUSEBOARD_DB_POLICY", "none")
    assert Settings(threshold=7) == CircuitBreaker("db", policy=FailureRate(0.5)).settings


@pytest.mark.parametrize(
    ("variable", "text", "error", "message"),
    [
        ("THRESHOLD", "0", ValueError, "threshold must be from 1 to 2048, got 0"),
        ("THRESHOLD", "many", TypeError, "threshold must be an int, got str: 'many'"),
        ("POLICY", "5", TypeError, "policy must be a table"),
        (
            "CLEAR_ON_SUCCESS",
            "True",
            TypeError,
            "clear_on_success must not be the text 'True'; write true, without quotes",
        ),
        ("WINDOW", "NONE", TypeError, "window must not be the text 'NONE'; write none"),
        ("RAMP", "null", TypeError, "ramp must not be the text 'null'; write none"),
        ("PROBES", "2 # and a comment", None, ""),
    ],
)
def test_a_variable_that_cannot_be_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, error: type[Exception] | None, message: str
) -> None:
    """When the breaker is made, which is when a service starts."""
    monkeypatch.setenv(f"FUSEBOARD_DB_{variable}", text)
    if error is None:
        assert 2 == CircuitBreaker("db").settings.probes
        return
    with pytest.raises(error, match=f"^environment variable FUSEBOARD_DB_{variable}='{text}': {message}"):
        CircuitBreaker("db")


def test_a_policy_takes_the_place_of_the_count_of_the_house() -> None:
    """What is said by name counts instead of the settings to start from, as a whole."""
    house = Settings(threshold=20, window=60, reset_timeout=7)
    breaker = CircuitBreaker("db", settings=house, policy=FailureRate(0.5, window=30))
    assert breaker.settings == Settings(policy=FailureRate(0.5, window=30), reset_timeout=7)
    with pytest.raises(ValueError, match="have no effect beside policy="):
        CircuitBreaker("db", settings=house, policy=FailureRate(0.5, window=30), threshold=3)
