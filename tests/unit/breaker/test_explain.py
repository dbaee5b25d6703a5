"""A breaker's settings in words, and warnings of what can never be."""

import asyncio
import functools

import pytest

from fuseboard import CircuitBreaker, FailureRate, Failures, SlowRate, Store
from fuseboard._store import registry

NOTHING_FAILS = "Warning: no exception is a failure: all that failure_on names is ignored or a success."


def test_a_breaker_says_what_it_will_do() -> None:
    """A sentence a line, with numbers and units."""
    assert CircuitBreaker("db").explain().splitlines() == [
        "Opens after 5 failures in 10 s, with no success in between.",
        "Stays open for 30 s.",
        "Then lets one probe through, of all processes together, for 30 s each.",
        "Closes after a success of them; opens again after a failure.",
        "A call that raises Exception has failed, and so has one that a time-out ends.",
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
        "A probe that takes 0.5 s or more has failed.",
        "Opens again too if it is half-open for 120 s.",
        "A call that raises Exception has failed, and so has one that a time-out ends.",
    ]


def is_down(error: OSError) -> bool:
    """A predicate."""
    return error.errno is None


@pytest.mark.parametrize(
    ("lists", "lines"),
    [
        (
            {"success_on": KeyError, "ignore": (ValueError, TypeError), "trip_if": PermissionError},
            [
                "A call that raises ValueError or TypeError says nothing.",
                "Else a call that raises KeyError was answered, which is a success.",
                "Else a call that raises Exception has failed, and so has one that a time-out ends.",
                "A call that has failed by PermissionError opens the fuse at once.",
            ],
        ),
        (
            {"failure_on": is_down, "success_on": KeyError},
            [
                "A call that raises KeyError was answered, which is a success.",
                "Else a call that raises what is_down picks has failed.",
            ],
        ),
        ({"failure_on": (KeyError, EOFError)}, ["A call that raises KeyError or EOFError has failed."]),
        (
            {"success_on": TimeoutError},
            [
                "A call that raises TimeoutError was answered, which is a success.",
                "Else a call that raises Exception has failed.",
            ],
        ),
        ({"failure_on": OSError}, ["A call that raises OSError has failed, and so has one that a time-out ends."]),
        ({"failure_on": functools.partial(is_down)}, ["A call that raises what functools.partial(<function is_down"]),
    ],
)
def test_a_breaker_says_which_exceptions_mean_what(lists: dict[str, object], lines: list[str]) -> None:
    """R10: in the order in which the lists are asked."""
    told = CircuitBreaker("db", **lists).explain().splitlines()[4:]
    assert lines == [line[: len(start)] for line, start in zip(told, lines, strict=True)]


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
        ({"multiplier": 2, "max_reset_timeout": 30}, "Warning: the open time never grows, as max_reset_timeout"),
        ({"multiplier": 1.0004}, "Warning: the open time never grows, as multiplier counts in thousandths."),
        ({"policy": FailureRate(0.5), "clear_on_success": False}, "Warning: clear_on_success does nothing without"),
        ({"ignore": Exception}, NOTHING_FAILS),
        ({"failure_on": (OSError, SystemExit), "ignore": KeyError, "success_on": OSError}, NOTHING_FAILS),
        (
            {"failure_on": (OSError, KeyError), "ignore": LookupError},
            "Warning: failure_on names KeyError in vain, as ignore names LookupError and is asked first.",
        ),
        (
            {"failure_on": (KeyError, OSError), "success_on": (ValueError, LookupError)},
            "Warning: failure_on names KeyError in vain, as success_on names LookupError and is asked first.",
        ),
        (
            {"success_on": KeyError, "ignore": LookupError},
            "Warning: success_on names KeyError in vain, as ignore names LookupError and is asked first.",
        ),
        (
            {"success_on": asyncio.CancelledError},
            "Warning: success_on names CancelledError in vain, as that is always ignored.",
        ),
        (
            {"failure_on": (KeyboardInterrupt, OSError)},
            "Warning: failure_on names KeyboardInterrupt in vain, as that is always ignored.",
        ),
        (
            {"failure_on": OSError, "trip_if": (PermissionError, KeyError, Exception)},
            "Warning: trip_if names KeyError, which is no failure; failure_on must name it too.",
        ),
        (
            {"ignore": KeyError, "success_on": LookupError, "trip_if": (KeyError, IndexError)},
            "Warning: trip_if names KeyError, IndexError, which are no failure; failure_on must name it too.",
        ),
    ],
)
def test_a_breaker_warns_of_what_can_never_be(settings: dict[str, object], warning: str) -> None:
    """In the same words."""
    assert CircuitBreaker("db", **settings).explain().splitlines()[-1].startswith(warning)
    assert "Warning" not in CircuitBreaker("db").explain()


@pytest.mark.parametrize(
    "settings",
    [
        {"failure_on": lambda _: True, "trip_if": KeyError, "ignore": OSError},
        {
            "failure_on": OSError,
            "ignore": PermissionError,
            "success_on": (IsADirectoryError, KeyError),
            "trip_if": Exception,
        },
        {"ignore": lambda _: True, "trip_if": lambda _: False},
        {"multiplier": 1.001},
    ],
)
def test_a_breaker_warns_of_nothing_that_may_be(settings: dict[str, object]) -> None:
    """What a predicate says nobody knows."""
    assert "Warning" not in CircuitBreaker("db", **settings).explain()


def test_a_breaker_says_what_a_threshold_counts_as() -> None:
    """On a store that counts fewer failures: here the default one, which somebody else made small."""
    breaker = CircuitBreaker("db", threshold=40)
    registry.replace_default(Store.private(failures=8))
    line = breaker.explain().splitlines()[-1]
    assert line.startswith("Warning: threshold 40 counts as 8, the failures of a fuse that the store counts;")
