"""What a failed call can say about its fuse: an open time, a trip, a label."""

from dataclasses import dataclass
from typing import cast

from fuseboard._validation import Seconds, flag, in_seconds, shown, text

LABEL_BYTES = 95
"""The longest label: what a record of the journal has room for."""


@dataclass(frozen=True, slots=True, init=False)
class Failure:
    """A call that failed, and what it says about how its fuse is to go on. Immutable.

    For results: a predicate returns it, that of ``failure_if`` for example. ``permit.failure()`` takes the same
    arguments. Two are equal if their attributes are.

    Attributes:
        error: what the call failed with; events and the journal name its class. None for no exception.
        retry_after: how long the fuse is to stay open if this failure opens it, in seconds; None or 0 for as long as
            the settings say. It is kept between ``reset_timeout`` and ``max_reset_timeout``. It does not open the fuse.
        trip: whether the fuse is to open at once, whatever the counts (rule R22).
        label: what events and the journal show where there is no exception, such as ``"HTTP 503"``; None for nothing.
    """

    error: BaseException | None
    retry_after: float | None
    trip: bool
    label: str | None

    def __init__(
        self,
        error: BaseException | None = None,
        *,
        retry_after: Seconds | None = None,
        trip: bool = False,
        label: str | None = None,
    ) -> None:
        """Checks what is said.

        Args:
            error: an exception, or None.
            retry_after: seconds as a number, 0 or more, or a timedelta; None for no time.
            trip: True or False.
            label: 1 to 95 bytes of printable text in UTF-8, or None.

        Raises:
            TypeError: an argument is of the wrong type.
            ValueError: ``retry_after`` is negative or not a number; ``label`` is empty, too long, or not printable.
        """
        if error is not None and not isinstance(error, BaseException):
            raise TypeError(f"error must be an exception or None, got {type(error).__name__}: {shown(error)}")
        # Frozen: this is how a dataclass sets its fields too.
        object.__setattr__(self, "error", error)
        object.__setattr__(self, "retry_after", _checked_time(retry_after))
        object.__setattr__(self, "trip", flag("trip", trip))
        object.__setattr__(self, "label", text("label", label, LABEL_BYTES, example="HTTP 503") or None)


def _checked_time(value: object) -> float | None:
    if value is None:
        return None
    seconds: object = in_seconds(cast("Seconds", value))
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        hint = "; convert text first, for example with float(text)" if isinstance(value, str) else ""
        kinds = "seconds as a number, a timedelta or None"
        raise TypeError(f"retry_after must be {kinds}, got {type(value).__name__}: {shown(value)}{hint}")
    if not seconds >= 0:  # nor is NaN
        raise ValueError(f"retry_after must be at least 0 seconds, got {shown(value)}; use None if there is none")
    return seconds
