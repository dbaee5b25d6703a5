"""Checks of arguments. The messages name the argument, the value and what is allowed."""

import re
from datetime import timedelta
from typing import TypeAlias

Seconds: TypeAlias = float | int | timedelta
"""A length of time: seconds as a number, or a timedelta."""

MILLION = 1_000_000
MAX_SECONDS = 7 * 24 * 60 * 60
MIN_SECONDS = 0.001
_STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_BITS = 128
_LONGEST_TEXT = 80


def shown(value: object) -> str:
    """Any value for a message: short, also if its own repr raises."""
    if isinstance(value, int) and value.bit_length() > _LONGEST_BITS:
        return f"an int of {value.bit_length()} bits"
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - an error of the value's own repr must not hide what is wrong with the value
        text = f"a {type(value).__name__} whose repr raises {type(error).__name__}"
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def exact(text: str) -> str:
    """A ``str`` that is not of a subclass. A member of a ``str`` enum, for example, becomes the text that it equals.

    A subclass may print, hash or compare in another way. Then one name would mean two fuses.
    """
    return text if type(text) is str else str.__str__(text)


def in_seconds(value: Seconds) -> float | int:
    """A length of time as a number. A value that is not a length of time comes back as it is."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def microseconds(argument: str, value: Seconds, *, least: float = MIN_SECONDS, most: float = MAX_SECONDS) -> int:
    """Checks a length of time and converts it.

    Raises:
        TypeError: if it is neither a number nor a timedelta.
        ValueError: if it is not a number from ``least`` to ``most``, seven days unless something else is given.
    """
    if type(value) is float and least <= value <= most:
        return round(value * 1_000_000)
    seconds = in_seconds(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{argument} must be seconds or a timedelta, got {type(value).__name__}: {shown(value)}")
    if not least <= seconds <= most:  # nor is NaN
        days = " (seven days)" if most == MAX_SECONDS else ""
        raise ValueError(f"{argument} must be from {least:g} to {most:.10g} seconds{days}, got {shown(value)}")
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


def share(argument: str, value: float, *, least: float = 0.0) -> int:
    """Checks a share from ``least`` to 1, and converts it to parts of a million, to the nearest.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is out of range.
    """
    return round(_checked_share(argument, value, least) * MILLION)


def rate(argument: str, value: float) -> int:
    """Checks a share that opens a fuse when it is reached, and converts it to parts of a million, rounded down.

    If it were rounded up, 2 of 3 calls would not reach 2/3. A float that is less than a millionth of a millionth short
    of the next part is rounded up, because the float itself is rounded.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is not from a millionth to 1.
    """
    return int(_checked_share(argument, value, 1 / MILLION) * MILLION + 1 / MILLION)


def _checked_share(argument: str, value: float, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{argument} must be a number, got {type(value).__name__}: {shown(value)}")
    if not least <= value <= 1:  # nor is NaN
        raise ValueError(f"{argument} must be from {least:g} to 1 (which is 100%), got {shown(value)}")
    return value


def text(argument: str, value: object, most: int, *, example: str) -> str:
    """Checks a short text for people; returns an empty text for None.

    Raises:
        TypeError: if it is neither a str nor None.
        ValueError: if it is empty, longer than ``most`` bytes of UTF-8, or not printable.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        kind = type(value).__name__
        raise TypeError(f"{argument} must be a str or None, got {kind}: {shown(value)}; use text such as {example!r}")
    value = exact(value)
    # A lone surrogate is not printable, so what follows can be encoded.
    if not value or not value.isprintable() or len(value.encode()) > most:
        allowed = f"1 to {most} bytes of printable text in UTF-8"
        raise ValueError(f"{argument} must be {allowed}, got {shown(value)}; shorten it and leave out line breaks")
    return value


def store_name(what: str, name: str) -> str:
    """Checks a store's name; the name as an exact ``str``.

    Raises:
        TypeError: if it is not a str.
        ValueError: if it is not a store's name, such as a path.
    """
    return _part_of_a_path(what, name, "; to choose the folder, set FUSEBOARD_DIR")


def purpose_name(name: str) -> str:
    """Checks a leader's purpose, which is part of the name of its lock's file; as an exact ``str``.

    Raises:
        TypeError: if it is not a str.
        ValueError: if it is not such a name.
    """
    return _part_of_a_path("purpose", name, "")


def _part_of_a_path(what: str, name: str, advice: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a str, got {type(name).__name__}: {shown(name)}")
    name = exact(name)
    if not _STORE_NAME.fullmatch(name):
        allowed = "1 to 64 letters, digits, dots, dashes and underscores, and begin with a letter or digit"
        raise ValueError(f"{what} must be {allowed}, got {shown(name)}{advice}")
    return name
