"""Values: immutable, compared by content."""

import dataclasses
import pickle
import subprocess
import sys
from datetime import timedelta

import pytest

from fuseboard import AnyOf, FailureRate, Failures, Policy, Settings, SlowRate

VALUES: list[Policy | Settings] = [
    Failures(3, window=None),
    FailureRate(0.5, window=30, min_calls=20),
    SlowRate(0.5, slow_after=2, calls=7),
    Failures() | FailureRate(0.25),
    Settings(policy=FailureRate(0.5, calls=9), jitter=0.1),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_shows_copies_and_pickles_as_itself(value: Policy | Settings) -> None:
    """What repr shows makes the value again; so do a pickle and a replacement of nothing."""
    names = {"Failures": Failures, "FailureRate": FailureRate, "SlowRate": SlowRate, "AnyOf": AnyOf}
    again = [
        eval(repr(value), {**names, "Settings": Settings}),  # noqa: S307 - our own text
        pickle.loads(pickle.dumps(value)),  # noqa: S301 - our own bytes
        dataclasses.replace(value),
    ]
    assert [value] * 3 == again
    assert {value} == set(again)


def test_values_of_other_content_or_class_differ() -> None:
    """Nothing else is compared than class and attributes, and those all of them."""
    assert len({*VALUES, Failures(3), Failures(4, window=None), FailureRate(0.5, window=30, min_calls=21)}) == 8
    assert Failures() != (5, 10.0)
    assert Failures().__eq__((5, 10.0)) is NotImplemented


ALIKE: list[list[Policy | Settings]] = [
    [Failures(window=30), Failures(window=30.0), Failures(5, timedelta(seconds=30))],
    [FailureRate(0.5), FailureRate(0.5, window=10), FailureRate(0.5, min_calls=10)],
    [FailureRate(1, calls=3), FailureRate(1.0, calls=3, min_calls=3)],
    [SlowRate(0.5, slow_after=2), SlowRate(0.5, slow_after=timedelta(seconds=2), window=10)],
    [Failures() | FailureRate(0.5), FailureRate(0.5, window=10) | Failures(5)],
    [AnyOf([Failures(), FailureRate(0.5)]), AnyOf((FailureRate(0.5), Failures()))],
    [Settings(), Settings(reset_timeout=timedelta(seconds=30), probe_timeout=30, policy=Failures(5, 10))],
    [Settings(policy=Failures() | FailureRate(0.5)), Settings(policy=FailureRate(0.5) | Failures())],
]


@pytest.mark.parametrize("alike", ALIKE)
def test_policies_and_settings_are_equal_if_they_decide_alike(alike: list[Policy | Settings]) -> None:
    """However it was written; and they are one member of a set."""
    assert all(one == other for one in alike for other in alike)
    assert 1 == len(set(alike))


def test_policies_that_decide_otherwise_differ() -> None:
    """A rate over a window is none over as many calls, nor is a failure slow."""
    others = [
        FailureRate(0.5, window=0.001, min_calls=10),
        FailureRate(0.5, calls=1000, min_calls=10),
        SlowRate(0.5, slow_after=2, window=0.001),
        Failures(5, None),
        Failures() | FailureRate(0.5),
        Failures() | FailureRate(0.4),
        Settings(),
        Settings(window=None),
        Settings(policy=FailureRate(0.5)),
    ]
    assert len(others) == len(set(others))


def test_any_of_takes_what_can_be_iterated_over() -> None:
    """And keeps a tuple, which nobody changes later."""
    policies: list[Policy] = [Failures(), FailureRate(0.5)]
    made = AnyOf(policies)
    policies.clear()
    assert (Failures(), FailureRate(0.5)) == made.policies


def test_a_value_cannot_be_changed() -> None:
    """Neither set nor deleted, known or new."""
    failures = Failures(3)
    with pytest.raises(AttributeError, match="cannot assign to field 'threshold'"):
        failures.threshold = 4  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot delete field 'threshold'"):
        del failures.threshold
    with pytest.raises((AttributeError, TypeError)):  # before Python 3.14 a dataclass with slots stumbles over it
        failures.other = 4  # type: ignore[attr-defined]
    assert failures.threshold == 3


def test_a_replacement_is_checked() -> None:
    """As any other value is when it is made."""
    assert dataclasses.replace(Failures(3), window=None) == Failures(3, window=None)
    with pytest.raises(ValueError, match=r"^threshold must be from 1 to 2048, got 0$"):
        dataclasses.replace(Failures(3), threshold=0)


def test_a_value_is_taken_apart_by_match() -> None:
    """By what it is named after, and by name."""
    match FailureRate(0.5, calls=9):
        case FailureRate(rate, window=None, calls=calls):
            assert (rate, calls) == (0.5, 9)
        case _:
            pytest.fail("a rate over calls is a rate over calls")


def test_the_import_brings_nothing_slow() -> None:
    """What most programs never need of the package, its import leaves out. The control: what is imported is seen.

    What ``logging`` needs itself is the interpreter's affair: from CPython 3.15 on it brings ``pathlib``.
    """
    looked_for = {"asyncio", "difflib", "fuseboard", "hashlib", "pathlib", "tomllib"}
    before = "import logging, sys; there = set(sys.modules)"
    program = f"{before}; import fuseboard; print(*sorted({looked_for} & set(sys.modules) - there))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    assert done.stdout.split() == ["fuseboard"]
