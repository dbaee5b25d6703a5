"""A breaker's settings: units, ranges, defaults, and the messages of those out of range."""

import dataclasses
import zlib
from datetime import timedelta
from typing import TypedDict

Seconds = float | int | timedelta
"""A length of time: seconds as a number, or a timedelta."""

MAX_SECONDS = 7 * 24 * 60 * 60
MIN_SECONDS = 0.001
_LONGEST_BITS = 128
_LONGEST_TEXT = 80
MAX_THRESHOLD = 2048
LEAST_PROBE_US = 30_000_000
"""How long a probe may take unless somebody says otherwise. It has to do with calls, not with ``reset_timeout``; where
a prober's death is certain nobody waits for it (rule R11)."""
MAX_PROBES = 8
MAX_SUCCESSES = 65_535


class Numbers(TypedDict):
    """Settings as the table's numbers: times in whole microseconds."""

    threshold: int
    window_us: int
    reset_us: int
    probes: int
    success_threshold: int
    probe_us: int
    clear_on_success: bool


def shown(value: object) -> str:
    """A value for a message, whatever it is: short, and without a failure of its own."""
    if isinstance(value, int) and value.bit_length() > _LONGEST_BITS:
        return f"an int of {value.bit_length()} bits"
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - somebody else's repr must not hide what is wrong with the value
        text = f"a {type(value).__name__} whose repr raises {type(error).__name__}"
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def microseconds(argument: str, value: Seconds, *, least: float = MIN_SECONDS) -> int:
    """Checks a length of time and converts it.

    Raises:
        TypeError: if it is neither a number nor a timedelta.
        ValueError: if it is not a number from ``least`` to seven days.
    """
    if type(value) is float and least <= value <= MAX_SECONDS:
        return round(value * 1_000_000)
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{argument} must be seconds or a timedelta, got {type(value).__name__}: {shown(value)}")
    if not least <= seconds <= MAX_SECONDS:  # nor is NaN
        raise ValueError(f"{argument} must be from {least:g} to {MAX_SECONDS} seconds (seven days), got {shown(value)}")
    return round(seconds * 1_000_000)


def whole(argument: str, value: int, most: int) -> int:
    """Checks a whole number from 1 to ``most``.

    Raises:
        TypeError: if it is not an int.
        ValueError: if it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} must be an int, got {type(value).__name__}: {shown(value)}")
    if not 1 <= value <= most:
        raise ValueError(f"{argument} must be from 1 to {most}, got {shown(value)}")
    return value


def flag(argument: str, value: bool) -> bool:
    """Checks a bool.

    Raises:
        TypeError: if it is not one.
    """
    if value is not True and value is not False:
        raise TypeError(f"{argument} must be True or False, got {type(value).__name__}: {shown(value)}")
    return value


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """When a breaker opens, how long it stays so, and how it closes again. Immutable; checked when made.

    Each process decides by its own settings (rule R15). Times are seconds as a number or a timedelta, from 1
    millisecond to seven days.

    Attributes:
        threshold: failures within ``window`` that open the fuse; 1 to 2,048, at most the store's ``failure_capacity``.
        window: how long a failure counts.
        reset_timeout: how long the fuse stays open before a probe is let through.
        probes: probes under way at once while half-open, in all processes together; 1 to 8.
        success_threshold: successful probes that close the fuse; 1 to 65,535.
        probe_timeout: how long a probe may hold its permit before another call gets it, because the process that took
            it may be dead. Longer than the longest good call, or each probe is given up before it succeeds. None for
            ``reset_timeout``, but at least 30 seconds.
        clear_on_success: whether a success while closed clears the window (rule R04).

    Raises:
        TypeError: a setting is of the wrong type.
        ValueError: a setting is out of range.
    """

    threshold: int = 5
    window: Seconds = 10.0
    reset_timeout: Seconds = 30.0
    probes: int = 1
    success_threshold: int = 1
    probe_timeout: Seconds | None = None
    clear_on_success: bool = True

    def __post_init__(self) -> None:
        self.numbers()

    def numbers(self) -> Numbers:
        """The settings as the table's numbers: times in whole microseconds."""
        reset_us = microseconds("reset_timeout", self.reset_timeout)
        probe_us = max(reset_us, LEAST_PROBE_US)
        if self.probe_timeout is not None:
            probe_us = microseconds("probe_timeout", self.probe_timeout)
        return {
            "threshold": whole("threshold", self.threshold, MAX_THRESHOLD),
            "window_us": microseconds("window", self.window),
            "reset_us": reset_us,
            "probes": whole("probes", self.probes, MAX_PROBES),
            "success_threshold": whole("success_threshold", self.success_threshold, MAX_SUCCESSES),
            "probe_us": probe_us,
            "clear_on_success": flag("clear_on_success", self.clear_on_success),
        }

    def fingerprint(self) -> int:
        """A number that two breakers with other settings do not share, but by chance; the same in every process."""
        return zlib.crc32(repr(self.numbers()).encode())
