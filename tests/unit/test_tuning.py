"""Settings from outside the code: the environment, plain data; and settings in words."""

import tomllib
from datetime import timedelta

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
        ({"treshold": 5}, ValueError, "^there is no setting 'treshold'; there are threshold, window, policy, "),
        ({"policy": {"rate": 5}}, TypeError, "^policy must be a table with threshold, failure_rate or slow_rate, or a"),
        ({"policy": []}, TypeError, "^policy must be a table"),
        ({"policy": {"failure_rate": 2}}, ValueError, "^failure_rate must be from"),
        ({"window": "10"}, TypeError, "^window must be seconds or a timedelta, got str: '10'$"),
    ],
)
def test_what_makes_no_settings_is_refused(plain: dict[str, object], error: type[Exception], message: str) -> None:
    """By name and value."""
    with pytest.raises(error, match=message):
        Settings.from_mapping(plain)


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


def test_a_breaker_says_what_it_will_do() -> None:
    """A sentence a line, with numbers and units."""
    assert CircuitBreaker("db").explain().splitlines() == [
        "Opens after 5 failures in 10 s.",
        "Stays open for 30 s.",
        "Then lets one probe through, of all processes together, for 30 s each.",
        "Closes after a success of them; opens again after a failure.",
    ]
    policy = Failures(3, None) | FailureRate(0.5, calls=20) | SlowRate(0.255, slow_after=0.5, window=60, min_calls=30)
    breaker = CircuitBreaker(
        "db", policy=policy, multiplier=1.5, jitter=0.1, probes=2, success_threshold=3, probe_failures=2, ramp=60,
        half_open_timeout=120, clear_on_success=False, shadow=True,
    )  # fmt: skip
    assert breaker.explain().splitlines() == [
        "Opens after 3 failures since it closed.",
        "A success takes no failure away.",
        "Opens after 50% failures among the last 20 calls, at least 10.",
        "Opens after 25.5% slow calls, of 0.5 s or more, among the calls of 60 s, at least 30.",
        "Stays open for 30 s, 1.5 times as long after each failed probe, up to 300 s, up to 10% shorter or longer.",
        "Rejects nothing: it is a shadow.",
        "Then lets up to 2 probes at once through, of all processes together, for 30 s each.",
        (
            "Closes after 3 successes of them, and calls come back from 10% to all within 60 s; "
            "opens again after 2 failures."
        ),
        "Opens again too if it is half-open for 120 s.",
    ]


@pytest.mark.parametrize(
    ("settings", "opens"),
    [
        ({"threshold": 1}, "Opens after a failure."),
        ({"threshold": 1, "clear_on_success": False}, "Opens after a failure."),
        ({"window": None}, "Opens after 5 failures in a row."),
        ({"window": 60, "clear_on_success": False}, "Opens after 5 failures in 60 s."),
        (
            {"policy": FailureRate(0.5), "clear_on_success": False},
            "Opens after 50% failures among the calls of 10 s, at least 10.",
        ),
    ],
)
def test_a_breaker_says_what_opens_it(settings: dict[str, object], opens: str) -> None:
    """In the words of the settings that count, and no others."""
    lines = CircuitBreaker("db", **settings).explain().splitlines()
    assert opens == lines[0]
    assert ("A success takes no failure away." in lines) is (
        "clear_on_success" in settings and "policy" not in settings
    )


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"half_open_timeout": 30}, "Warning: a probe may take longer than the fuse may be half-open"),
        (
            {"policy": SlowRate(1, slow_after=31)},
            "Warning: a probe is given up before it can be slow, after 30 s, and slow is 31 s; ",
        ),
        ({"ramp_from": 0.5}, "Warning: ramp_from does nothing without a ramp."),
        ({"ramp": 5, "ramp_from": 1}, "Warning: the ramp does nothing"),
        ({"multiplier": 2, "max_reset_timeout": 30}, "Warning: the open time never grows"),
    ],
)
def test_a_breaker_warns_of_what_can_never_be(settings: dict[str, object], warning: str) -> None:
    """In the same words."""
    assert CircuitBreaker("db", **settings).explain().splitlines()[-1].startswith(warning)
    assert "Warning" not in CircuitBreaker("db").explain()


def test_a_policy_takes_the_place_of_the_count_of_the_house() -> None:
    """What is said by name counts instead of the settings to start from, as a whole."""
    house = Settings(threshold=20, window=60, reset_timeout=7)
    breaker = CircuitBreaker("db", settings=house, policy=FailureRate(0.5, window=30))
    assert breaker.settings == Settings(policy=FailureRate(0.5, window=30), reset_timeout=7)
    with pytest.raises(ValueError, match="do nothing beside a policy"):
        CircuitBreaker("db", settings=house, policy=FailureRate(0.5, window=30), threshold=3)
