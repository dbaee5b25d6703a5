"""A breaker's settings in words, and warnings of what can never be."""

import asyncio
import functools

import pytest

from fuseboard import CircuitBreaker, FailureRate, Failures, SlowRate, Store
from fuseboard._store import registry

TIME_OUTS = "A timeout that is not an Exception, such as gevent.Timeout, also counts as a failure."
NOTHING_FAILS = (
    "Warning: no exception counts as a failure, because every class in failure_on is ignored or counts as a success."
)


def test_a_breaker_says_what_it_will_do() -> None:
    """One idea per line, with numbers and units."""
    assert CircuitBreaker("db").explain().splitlines() == [
        "Opens after 5 failures within 10 s. A success resets the count.",
        "Stays open for 30 s.",
        "Then lets one probe through at a time, across all processes. A probe must finish within 30 s.",
        "Closes after 1 successful probe; reopens after 1 failed probe.",
        "A call that raises Exception counts as a failure.",
        TIME_OUTS,
    ]
    policy = Failures(3, None) | FailureRate(0.5, calls=20) | SlowRate(0.255, slow_after=0.5, window=60, min_calls=30)
    breaker = CircuitBreaker(
        "db", policy=policy, multiplier=1.5, jitter=0.1, probes=2, success_threshold=3, probe_failures=2, ramp=60,
        half_open_timeout=120, clear_on_success=False, shadow=True,
    )  # fmt: skip
    assert breaker.explain().splitlines() == [
        (
            "Rejects no calls, because the breaker is a shadow (shadow=True). "
            "The lines below say what it would do otherwise."
        ),
        "Opens after 3 failures since the fuse last closed. A success does not reset the count.",
        "Also opens when at least 50% of the last 20 calls failed (only if there were at least 10 calls).",
        (
            "Also opens when at least 25.5% of the calls in the last 60 s took 0.5 s or longer "
            "(only if there were at least 30 calls)."
        ),
        "Stays open for 30 s.",
        "Jitter makes each open time up to 10% shorter or longer, at random.",
        "Then lets up to 2 probes through at a time, across all processes. A probe must finish within 30 s.",
        "Reopens after 2 failed probes.",
        "After 3 successful probes, lets 10% of the calls through, then more and more. Closes 60 s later.",
        "A probe that takes 0.5 s or longer counts as failed.",
        "Also reopens when it has been half-open for 120 s.",
        "Each time it reopens, the open time is multiplied by 1.5, up to 300 s.",
        "A call that raises Exception counts as a failure.",
        TIME_OUTS,
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
                "A call that raises ValueError or TypeError is ignored: it is neither a success nor a failure.",
                "Otherwise, a call that raises KeyError counts as a success.",
                "Otherwise, a call that raises Exception counts as a failure.",
                TIME_OUTS,
                "A call that fails with PermissionError opens the fuse at once.",
            ],
        ),
        (
            {"failure_on": is_down, "success_on": KeyError},
            [
                "A call that raises KeyError counts as a success.",
                "Otherwise, a call that raises an exception selected by is_down counts as a failure.",
            ],
        ),
        ({"failure_on": (KeyError, EOFError)}, ["A call that raises KeyError or EOFError counts as a failure."]),
        (
            {"success_on": TimeoutError},
            [
                "A call that raises TimeoutError counts as a success.",
                "Otherwise, a call that raises Exception counts as a failure.",
            ],
        ),
        (
            {"failure_on": OSError},
            ["A call that raises OSError counts as a failure.", TIME_OUTS],
        ),
        (
            {"failure_on": functools.partial(is_down)},
            ["A call that raises an exception selected by functools.partial(<function is_down"],
        ),
        (
            {"failure_on": lambda error: error.errno, "failure_if": is_down},
            [
                "A call that raises an exception selected by a lambda counts as a failure.",
                "A call that returns a result selected by is_down counts as a failure.",
            ],
        ),
    ],
)
def test_a_breaker_says_which_exceptions_mean_what(lists: dict[str, object], lines: list[str]) -> None:
    """R10: in the order in which the lists are asked."""
    told = CircuitBreaker("db", **lists).explain().splitlines()[4:]
    assert lines == [line[: len(start)] for line, start in zip(told, lines, strict=True)]


@pytest.mark.parametrize(
    ("settings", "opens"),
    [
        ({"threshold": 1}, "Opens after 1 failure."),
        ({"threshold": 1, "clear_on_success": False}, "Opens after 1 failure."),
        ({"window": None}, "Opens after 5 failures in a row."),
        (
            {"window": 60, "clear_on_success": False},
            "Opens after 5 failures within 60 s. A success does not reset the count.",
        ),
        ({"policy": FailureRate(0.5, calls=1)}, "Opens when the last call failed."),
        (
            {"policy": FailureRate(1, min_calls=1)},
            "Opens when all of the calls in the last 10 s failed (only if there was at least 1 call).",
        ),
        (
            {"policy": FailureRate(0.5), "clear_on_success": False},
            "Opens when at least 50% of the calls in the last 10 s failed (only if there were at least 10 calls).",
        ),
    ],
)
def test_a_breaker_says_what_opens_it(settings: dict[str, object], opens: str) -> None:
    """In the words of the settings that count, and no others."""
    lines = CircuitBreaker("db", **settings).explain().splitlines()
    assert opens == lines[0]
    assert not any("A success" in line for line in lines[1:])


def test_a_breaker_says_between_which_times_open_for_can_choose() -> None:
    """R24: the times that limit what a failed call asks for."""
    breaker = CircuitBreaker("db", reset_timeout=5, open_for=lambda _: None)
    assert breaker.explain().splitlines()[2] == "open_for can choose another open time, from 5 s to 300 s."


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        (
            {"half_open_timeout": 30},
            "Warning: a probe may take 30 s, but the fuse reopens when it has been half-open for 30 s. ",
        ),
        (
            {"policy": SlowRate(1, slow_after=31)},
            "Warning: a probe must finish within 30 s, but only a call of 31 s or longer is slow. ",
        ),
        ({"ramp_from": 0.5}, "Warning: ramp_from has no effect without ramp."),
        ({"ramp": 5, "ramp_from": 1}, "Warning: ramp has no effect"),
        ({"multiplier": 2, "max_reset_timeout": 30}, "Warning: the open time never grows, because max_reset_timeout"),
        ({"multiplier": 1.0004}, "Warning: the open time never grows, because multiplier is rounded"),
        ({"policy": FailureRate(0.5), "clear_on_success": False}, "Warning: clear_on_success has no effect, because"),
        ({"ignore": Exception}, NOTHING_FAILS),
        ({"failure_on": (OSError, SystemExit), "ignore": KeyError, "success_on": OSError}, NOTHING_FAILS),
        (
            {"failure_on": (OSError, KeyError), "ignore": LookupError},
            "Warning: KeyError in failure_on has no effect, because ignore names LookupError and is checked first.",
        ),
        (
            {"failure_on": (KeyError, OSError), "success_on": (ValueError, LookupError)},
            "Warning: KeyError in failure_on has no effect, because success_on names LookupError and is checked first.",
        ),
        (
            {"success_on": KeyError, "ignore": LookupError},
            "Warning: KeyError in success_on has no effect, because ignore names LookupError and is checked first.",
        ),
        (
            {"success_on": asyncio.CancelledError},
            "Warning: CancelledError in success_on has no effect, because it is always ignored.",
        ),
        (
            {"failure_on": (KeyboardInterrupt, OSError)},
            "Warning: KeyboardInterrupt in failure_on has no effect, because it is always ignored.",
        ),
        (
            {"failure_on": OSError, "trip_if": (PermissionError, KeyError, Exception)},
            "Warning: KeyError in trip_if has no effect, because it never counts as a failure.",
        ),
        (
            {"ignore": KeyError, "success_on": LookupError, "trip_if": (KeyError, IndexError)},
            "Warning: KeyError and IndexError in trip_if have no effect, because they never count as failures.",
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
    assert line.startswith(
        "Warning: the threshold is 8, not 40, because the store counts at most 8 failures per fuse. "
    )
