"""A manual override: the state that an operator gives a fuse, for how long, who did it and why (rule R12)."""

from typing import TypeAlias

from fuseboard._state import State
from fuseboard._validation import Seconds, microseconds, text

WHO_MAX = 39
WHY_MAX = 111
"""Bytes of UTF-8 that a table has room for."""

Override: TypeAlias = tuple[int, int, str, str]
"""For the compiled part: the state's code, microseconds or 0 for no end, who and why, empty if not said."""


def manual_override(state: State, why: str | None, who: str | None, for_: Seconds | None = None) -> Override:
    """An override, checked.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: a text is empty, too long or not printable, or the time is not from a millisecond to seven days.
    """
    for_us = 0 if for_ is None else microseconds("for_", for_)
    said = text("who", who, WHO_MAX, example="alice"), text("why", why, WHY_MAX, example="maintenance, INC-4711")
    return state.code, for_us, *said
