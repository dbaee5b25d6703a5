"""Names that are none of ours: which one was meant."""

import dataclasses
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuseboard import CircuitBreaker, Settings, Store
from fuseboard._once import Once
from fuseboard._policy import suggestions

SETTINGS = tuple(field.name for field in dataclasses.fields(Settings))
MIGRATE = Path(__file__).parents[3] / "docs" / "how-to" / "migrate.md"


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has made no breaker."""
    monkeypatch.setattr(suggestions, "_looked", Once())


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("failure_threshold", "threshold"),
        ("fail_max", "threshold"),
        ("treshold", "threshold"),
        ("recovery_timeout", "reset_timeout"),
        ("timeout_duration", "reset_timeout"),
        ("reset_timout", "reset_timeout"),
        ("expected_exception", "failure_on"),
        ("exclude", "success_on"),
        ("failureOn", "failure_on"),
        ("ignored", "ignore"),
        ("on_transitions", "on_transition"),
        ("fallback_function", "fallback"),
        ("sucess_threshold", "success_threshold"),
        ("state_storage", "store"),
    ],
)
def test_an_argument_that_is_none_names_the_one_that_was_meant(given: str, meant: str) -> None:
    """By what other breakers call it first, and then by its letters; settings and other arguments alike."""
    arguments: Any = {given: 5}
    with pytest.raises(
        TypeError, match=rf"^CircuitBreaker\(\) got an unexpected keyword argument '{given}'; did you mean '{meant}'\?$"
    ):
        CircuitBreaker("db", **arguments)


@pytest.mark.parametrize("given", ["failure_rate_threshold", "min_calls", "slow_after"])
def test_what_belongs_to_a_policy_is_told_so(given: str) -> None:
    """It has no argument of its own."""
    arguments: Any = {given: 5}
    with pytest.raises(TypeError, match=r"; it belongs in a policy, such as policy=FailureRate\(0\.5, "):
        CircuitBreaker("db", **arguments)


def test_names_of_other_breakers_lead_to_arguments_that_there_are() -> None:
    """The table names ours, and none of ours as another's."""
    arguments = {*SETTINGS, *(CircuitBreaker.__init__.__kwdefaults__ or {})}
    assert set() == {*suggestions._MEANT.values()} - arguments
    assert set() == arguments & {*suggestions._MEANT}


def pythonic_names_of_the_guide() -> Iterator[tuple[str, str]]:
    """Each argument of another breaker that the guide says is one of ours."""
    for there, here in re.findall(r"^\| `([a-z_]+)` [^|]*\| `([a-z_]+)[=`]", MIGRATE.read_text(), re.MULTILINE):
        if there != here and here in {*SETTINGS, "failure_on", "success_on", "ignore", "failure_if", "fallback"}:
            yield there, here


def test_the_guide_for_those_who_come_from_elsewhere_says_the_same() -> None:
    """``docs/how-to/migrate.md`` and the messages agree."""
    names = dict(pythonic_names_of_the_guide())
    assert {"fail_max", "exclude", "failure_threshold", "recovery_timeout", "expected_exception"} <= names.keys()
    assert names == {there: suggestions._MEANT[there] for there in names}


@pytest.mark.parametrize(
    ("fuse", "variable", "meant"),
    [
        ("payments_db", "FUSEBOARD_PAYMENTS_DB_TRESHOLD", "FUSEBOARD_PAYMENTS_DB_THRESHOLD"),
        ("payments-db", "FUSEBOARD_PAYMENTS_DB_RESET_TIMEOT", "FUSEBOARD_PAYMENTS_DB_RESET_TIMEOUT"),
        ("db", "FUSEBOARD_DB_FAIL_MAX", "FUSEBOARD_DB_THRESHOLD"),
        ("db", "FUSEBOARD_DB_FAILURE_THRESHOLD", "FUSEBOARD_DB_THRESHOLD"),
        ("db", "FUSEBOARD_db_THRESHOLD", "FUSEBOARD_DB_THRESHOLD"),
        ("db", "FUSEBOARD_DB_RESETTIMEOUT", "FUSEBOARD_DB_RESET_TIMEOUT"),
        ("a", "FUSEBOARD_A_MAX_RESET_TIMEOT", "FUSEBOARD_A_MAX_RESET_TIMEOUT"),
    ],
)
def test_a_variable_that_is_no_setting_names_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fuse: str, variable: str, meant: str
) -> None:
    """When a breaker is made whose variables begin so; once, whatever is made afterwards."""
    monkeypatch.setenv(variable, "77")
    for _ in range(3):
        assert Settings() == CircuitBreaker(fuse).settings
    (record,) = caplog.records
    says = f"environment variable {variable} has no effect: breaker {fuse!r} has no such setting. Did you mean {meant}?"
    assert ("WARNING", says) == (record.levelname, record.getMessage())


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("FUSEBOARD_STROE", "FUSEBOARD_STORE"),
        ("FUSEBOARD_STORES", "FUSEBOARD_STORE"),
        ("FUSEBOARD_DIRS", "FUSEBOARD_DIR"),
    ],
)
def test_a_variable_of_the_process_is_told_of_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, meant: str
) -> None:
    """With the first breaker that is made, whatever its name."""
    monkeypatch.setenv(variable, "77")
    CircuitBreaker("db")
    CircuitBreaker("payments")
    (record,) = caplog.records
    expected = f"environment variable {variable} has no effect: Fuseboard has no such variable. Did you mean {meant}?"
    assert expected == record.getMessage()


@pytest.mark.parametrize(
    ("fuse", "variable"),
    [
        ("payments", "FUSEBOARD_PAYMENTS_DB_THRESHOLD"),
        ("payments", "FUSEBOARD_PAYMENTS_DB_TRESHOLD"),
        ("a", "FUSEBOARD_A_MAX_RESET_TIMEOUT"),
        ("a_max", "FUSEBOARD_A_MAX_RESET_TIMEOUT"),
        ("redis", "FUSEBOARD_REDIS_URL"),
        ("store", "FUSEBOARD_STORE"),
        ("store", "FUSEBOARD_STORE_THRESHOLD"),
        ("db", "FUSEBOARD_STORAGE_THRESHOLD"),
        ("db", "FUSEBOARD_DB_THRESHOLD"),
        ("db", "FUSEBOARD_CACHE_TRESHOLD"),
        ("db", "FUSEBOARD_SINGLE_STEP"),
        ("db", "FUSEBOARDS_DB_TRESHOLD"),
    ],
)
def test_what_may_be_meant_for_somebody_else_is_not_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fuse: str, variable: str
) -> None:
    """Variables of a fuse whose name begins alike, of other tools, and what is like nothing."""
    monkeypatch.setenv(variable, "77")
    CircuitBreaker(fuse)
    assert [] == caplog.records


def test_an_empty_variable_says_nothing_mistyped_or_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As a template leaves it."""
    monkeypatch.setenv("FUSEBOARD_DB_TRESHOLD", " ")
    CircuitBreaker("db")
    assert [] == caplog.records


def test_what_was_looked_through_has_an_end(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Names of fuses without end need no memory without end; those beyond it are as they were before: silent."""
    monkeypatch.setattr(suggestions, "_looked", Once(2))
    monkeypatch.setenv("FUSEBOARD_C_TRESHOLD", "1")
    for fuse in "abc":
        CircuitBreaker(fuse)
    assert ([], 2) == (caplog.records, len(suggestions._looked))


@pytest.mark.parametrize("variable", ["FUSEBOARD_DIR", "FUSEBOARD_DRI", "FUSEBOARD_DB_TRESHOLD"])
def test_a_hint_costs_no_breaker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str
) -> None:
    """A process that gave up its rights may not read the standard library any more: then nothing is said."""
    monkeypatch.setitem(sys.modules, "difflib", None)
    monkeypatch.setenv(variable, "7")
    assert 0 == CircuitBreaker("db", store=Store.private()).call(int)
    assert [] == caplog.records


def test_a_variable_that_is_right_is_compared_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that were set up well do not load the comparison."""
    monkeypatch.delitem(sys.modules, "difflib", raising=False)
    monkeypatch.setenv("FUSEBOARD_DIR", "/anywhere")
    monkeypatch.setenv("FUSEBOARD_DB_THRESHOLD", "7")
    for variable in [name for name in os.environ if name.startswith("FUSEBOARD_")]:
        if variable not in ("FUSEBOARD_DIR", "FUSEBOARD_STORE", "FUSEBOARD_DB_THRESHOLD"):
            monkeypatch.delenv(variable)
    CircuitBreaker("db", store=Store.private())
    assert "difflib" not in sys.modules
