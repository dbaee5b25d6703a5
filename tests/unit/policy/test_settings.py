"""Settings: units, ranges, defaults, and messages that name argument, range and value."""

import inspect
import re
from datetime import timedelta

import pytest

from fuseboard import CircuitBreaker, FailureRate, Settings, Store, _core
from fuseboard._validation import rate, shown

TIMES = ["window", "reset_timeout", "probe_timeout", "half_open_timeout", "ramp"]
WHOLE = {"threshold": 2048, "probes": 8, "success_threshold": 1_000, "probe_failures": 60}
SECONDS_OUT_OF_RANGE = [0, 0.0, -1, -0.5, 0.0009, 604_801, 1e300, float("nan"), float("inf"), -float("inf"), 10**30]
SECONDS_OF_OTHER_TYPES = ["10", b"10", None, True, False, [10], (1, 2), 10j, timedelta]
WHOLE_OF_OTHER_TYPES = ["5", None, 5.0, True, False, [5], float("nan"), 5j]


def make(argument: str, value: object) -> Settings:
    """Settings with one argument."""
    return Settings(**{argument: value})


def test_defaults_are_those_of_the_design() -> None:
    """Threshold 5 within 10 s, 30 s open, one probe that closes it, and clearing on success."""
    defaults = {name: of.default for name, of in inspect.signature(Settings).parameters.items()}
    assert {
        "threshold": 5,
        "window": 10.0,
        "policy": None,
        "reset_timeout": 30.0,
        "multiplier": 1.0,
        "max_reset_timeout": None,
        "jitter": 0.0,
        "probes": 1,
        "success_threshold": 1,
        "probe_failures": 1,
        "probe_timeout": None,
        "half_open_timeout": None,
        "ramp": None,
        "ramp_from": 0.1,
        "clear_on_success": True,
    } == defaults


def test_settings_are_immutable_and_equal_by_content() -> None:
    """Settings can be shared between breakers."""
    settings = Settings(threshold=3)
    assert {settings} == {Settings(threshold=3)}
    with pytest.raises(AttributeError, match="cannot assign to field 'threshold'"):
        settings.threshold = 4


@pytest.mark.parametrize("argument", TIMES)
@pytest.mark.parametrize("value", SECONDS_OUT_OF_RANGE)
def test_seconds_out_of_range_are_refused(argument: str, value: float) -> None:
    """From a millisecond to seven days; not a number and infinite are neither."""
    with pytest.raises(
        ValueError, match=rf"^{argument} must be from 0\.001 to 604800 seconds \(seven days\), got "
    ) as e:
        make(argument, value)
    assert str(e.value).endswith(repr(value))


@pytest.mark.parametrize("argument", TIMES)
@pytest.mark.parametrize("value", [timedelta(0), timedelta(days=-1), timedelta(days=7, microseconds=1), timedelta.max])
def test_timedeltas_out_of_range_are_refused(argument: str, value: timedelta) -> None:
    """The same range, and the message shows what was given."""
    with pytest.raises(ValueError, match=f"^{argument} must be from ") as caught:
        make(argument, value)
    assert str(caught.value).endswith(repr(value))


@pytest.mark.parametrize("argument", ["reset_timeout"])
@pytest.mark.parametrize("value", SECONDS_OF_OTHER_TYPES)
def test_what_is_no_length_of_time_is_refused(argument: str, value: object) -> None:
    """A number or a timedelta; a bool is no number of seconds."""
    came = re.escape(f"{type(value).__name__}: {value!r}")
    with pytest.raises(TypeError, match=f"^{argument} must be seconds or a timedelta, got {came}$"):
        make(argument, value)


@pytest.mark.parametrize("argument", TIMES)
@pytest.mark.parametrize("value", [0.001, 1, 604_800, 604_800.0, timedelta(milliseconds=1), timedelta(days=7)])
def test_the_edges_of_the_range_are_in_it(argument: str, value: float) -> None:
    """From a millisecond to seven days, both included."""
    assert value == getattr(make(argument, value), argument)


@pytest.mark.parametrize(("argument", "most"), WHOLE.items())
def test_whole_numbers_out_of_range_are_refused(argument: str, most: int) -> None:
    """From 1 to the most the table can hold."""
    for value in (0, -1, most + 1, 10**30):
        with pytest.raises(ValueError, match=f"^{argument} must be from 1 to {most}, got {value}$"):
            make(argument, value)
    assert (1, most) == (getattr(make(argument, 1), argument), getattr(make(argument, most), argument))


@pytest.mark.parametrize("argument", WHOLE)
@pytest.mark.parametrize("value", WHOLE_OF_OTHER_TYPES)
def test_what_is_no_whole_number_is_refused(argument: str, value: object) -> None:
    """An int; a bool is none, nor is a float that happens to be whole."""
    came = re.escape(f"{type(value).__name__}: {value!r}")
    with pytest.raises(TypeError, match=f"^{argument} must be an int, got {came}$"):
        make(argument, value)


@pytest.mark.parametrize("value", [0, 1, None, "yes", []])
def test_what_is_neither_true_nor_false_is_refused(value: object) -> None:
    """A bool, not what could pass for one."""
    came = re.escape(f"{type(value).__name__}: {value!r}")
    with pytest.raises(TypeError, match=f"^clear_on_success must be True or False, got {came}$"):
        make("clear_on_success", value)


def test_numbers_are_in_microseconds() -> None:
    """Seconds and timedeltas become the same whole microseconds."""
    one = Settings(window=1.5, reset_timeout=2, probe_timeout=0.0015).numbers()
    other = Settings(
        window=timedelta(seconds=1.5), reset_timeout=timedelta(seconds=2), probe_timeout=timedelta(microseconds=1500)
    ).numbers()
    assert one == other
    assert (1_500_000, 2_000_000, 1_500) == (one["window_us"], one["reset_us"], one["probe_us"])


def test_a_probe_may_take_as_long_as_the_fuse_stays_open_and_half_a_minute() -> None:
    """``probe_timeout=None`` is ``reset_timeout``, at least 30 seconds: a short one says nothing of calls."""
    assert [30_000_000, 30_000_000, 31_000_000] == [
        Settings(reset_timeout=seconds).numbers()["probe_us"] for seconds in (1, 30, 31)
    ]
    assert 2_000_000 == Settings(reset_timeout=7, probe_timeout=2).numbers()["probe_us"]


def test_equal_settings_have_one_hash() -> None:
    """R15: spelling does not make settings differ, numbers do."""
    same = [Settings(window=10), Settings(window=10.0), Settings(window=timedelta(seconds=10)), Settings()]
    assert 1 == len({settings.settings_hash() for settings in same})
    others = [
        Settings(threshold=6), Settings(window=11), Settings(reset_timeout=31), Settings(probes=2),
        Settings(success_threshold=2), Settings(probe_timeout=5), Settings(clear_on_success=False), Settings(),
        Settings(window=None), Settings(policy=FailureRate(0.5)), Settings(policy=FailureRate(0.5, calls=10)),
        Settings(multiplier=2), Settings(max_reset_timeout=60), Settings(jitter=0.1), Settings(probe_failures=2),
        Settings(half_open_timeout=60), Settings(ramp=60), Settings(ramp=60, ramp_from=0.2),
    ]  # fmt: skip
    assert len(others) == len({settings.settings_hash() for settings in others})
    assert all((one == other) is (one is other) for one in others for other in others)


def test_a_share_of_whole_millionths_is_that_many_whatever_its_float() -> None:
    """249 millionths times a million are a little less than 249 as a float. Shares between two are rounded down."""
    assert all(number == rate("share", number / 1e6) for number in range(1, 1_000_001, 7))
    assert [249, 333_333, 666_666] == [rate("share", share) for share in (249 / 1e6, 1 / 3, 2 / 3)]


def test_the_hash_is_a_published_one() -> None:
    """It stands in tables that processes of other builds use: SipHash-1-3 under a key of zeroes."""
    assert _core.settings_hash("") == 0xD1FBA762150C532C


@pytest.mark.parametrize(("argument", "value"), [("threshold", 0), ("window", -1), ("probes", 9)])
def test_a_breaker_refuses_what_settings_refuse(argument: str, value: float) -> None:
    """The same messages, where the breaker is made."""
    with pytest.raises(ValueError, match=f"^{argument} must be from "):
        CircuitBreaker("db", **{argument: value})


@pytest.mark.parametrize("argument", ["fuses", "failures"])
@pytest.mark.parametrize(("value", "kind"), [(0, ValueError), (-1, ValueError), (10**9, ValueError), ("8", TypeError)])
@pytest.mark.parametrize("maker", [Store.private, lambda **sizes: Store.shared("sizes", **sizes)])
def test_a_store_refuses_sizes_out_of_range(argument: str, value: object, kind: type[Exception], maker: object) -> None:
    """A table has 1 to 1,048,576 fuses of 1 to 2,048 failures each."""
    with pytest.raises(kind, match=f"^{argument} must be "):
        maker(**{argument: value})


class Unspeakable:
    """Has a repr that fails."""

    def __repr__(self) -> str:
        """Fails."""
        raise LookupError


def test_a_message_shows_any_value_in_short() -> None:
    """What is wrong with a value is told, however long it is and whatever its repr does."""
    assert str(2**128 - 1) == shown(2**128 - 1)
    assert "an int of 129 bits" == shown(2**128)
    assert "a Unspeakable whose repr raises LookupError" == shown(Unspeakable())
    assert repr("x" * 78) == shown("x" * 78)
    assert f"'{'x' * 79}..." == shown("x" * 79)
