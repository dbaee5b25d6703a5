"""When a fuse opens: by failures, by the rate of failed calls, by the rate of slow calls, or by any of these."""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple, TypeAlias

from fuseboard._validation import MILLION, Seconds, microseconds, rate, shown, whole

MAX_THRESHOLD = 2048
MAX_CALLS = 100_000
_EVER_US = (1 << 64) - 1
_DEFAULT_WINDOW = 10.0
_DEFAULT_MIN_CALLS = 10
MEASURES = 4
_OF_CALLS = 1
_OF_SLOW = 2

RateNumbers: TypeAlias = tuple[int, int, int, int]
"""A rate as the table's numbers: span, bad calls of a million, least number of calls, microseconds of a slow call."""


class RateCount(NamedTuple):
    """What the calls within a policy's window were."""

    calls: int
    """How many ended."""
    bad: int
    """How many of them failed, or were slow."""

    @property
    def rate(self) -> float:
        """Their share, 0 without calls."""
        return self.bad / self.calls if self.calls else 0.0


class Policy:
    """When a fuse opens. ``a | b`` opens when either would; the journal names the one that did.

    The policies are :class:`Failures`, :class:`FailureRate` and :class:`SlowRate`: immutable, and equal if they decide
    alike. A breaker takes one of each kind; of rates, one over a time and one over a number of calls.
    """

    __slots__ = ()

    def _key(self) -> object:
        """What is equal for policies that decide the same, and differs for others."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy) or type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __or__(self, other: "Policy") -> "AnyOf":
        if not isinstance(other, Policy):
            return NotImplemented
        return AnyOf((*members(self), *members(other)))


@dataclass(frozen=True, slots=True, eq=False)
class Failures(Policy):
    """Opens when so many failures fall within a window.

    Attributes:
        threshold: how many; 1 to 2,048, at most the store's ``failure_capacity``.
        window: seconds or a timedelta for which a failure counts. None for as long as the fuse stays closed: then the
            failures are consecutive, because a success clears them.
    """

    threshold: int = 5
    window: Seconds | None = _DEFAULT_WINDOW

    def __post_init__(self) -> None:
        whole("threshold", self.threshold, MAX_THRESHOLD)
        self.window_us()

    def _key(self) -> object:
        return self.threshold, self.window_us()

    def window_us(self) -> int:
        """The window in microseconds."""
        return _EVER_US if self.window is None else microseconds("window", self.window)

    def __str__(self) -> str:
        if self.threshold == 1:
            return "1 failure"
        span = "in a row" if self.window is None else f"within {seconds(self.window)}"
        return f"{self.threshold} failures {span}"


class _Rate(Policy):
    """What the two rates share: which calls count, and how many calls a rate needs."""

    __slots__ = ()

    window: Seconds | None
    calls: int | None
    min_calls: int | None

    def _span(self) -> int:
        if self.window is not None and self.calls is not None:
            raise ValueError(
                f"a rate takes window or calls, not both, got window={shown(self.window)} and "
                f"calls={shown(self.calls)}; for both, join two rates with |"
            )
        if self.calls is not None:
            return whole("calls", self.calls, MAX_CALLS)
        return microseconds("window", _DEFAULT_WINDOW if self.window is None else self.window)

    def _least(self) -> int:
        most = MAX_CALLS if self.calls is None else self.calls
        if self.min_calls is None:
            return min(_DEFAULT_MIN_CALLS, most)
        least = whole("min_calls", self.min_calls, MAX_CALLS)
        if least > most:
            raise ValueError(f"min_calls must be at most calls ({most}), got {least}; the fuse would never open")
        return least

    def _numbers(self, bad: int, slow_us: int) -> RateNumbers:
        return self._span(), bad, self._least(), slow_us

    def numbers(self) -> RateNumbers:
        """The rate as the table's numbers."""
        raise NotImplementedError

    def _key(self) -> object:
        return self.calls is None, self.numbers()

    def _reached(self, share: float, bad: str) -> str:
        """When it is reached, in words; ``bad`` is what the calls that count against it did."""
        if self.calls == 1:
            return f"the last call {bad}"
        if self.calls is None:
            calls = f"calls in the last {seconds(_DEFAULT_WINDOW if self.window is None else self.window)}"
        else:
            calls = f"last {self.calls} calls"
        most = "all" if share == 1 else f"at least {percent(share)}"
        least = self._least()
        enough = f"there was at least {least} call" if least == 1 else f"there were at least {least} calls"
        return f"{most} of the {calls} {bad} (only if {enough})"


@dataclass(frozen=True, slots=True, eq=False)
class FailureRate(_Rate):
    """Opens when too large a share of the calls fails.

    The rate is checked when a call fails: a success never opens a fuse. It restarts on every state change, and after a
    window without calls.

    Attributes:
        failure_rate: the share that opens the fuse; above 0, up to 1.
        window: seconds or a timedelta for which a call counts, and up to a seventh longer; None for 10 seconds, or for
            ``calls``.
        calls: how many of the last calls count instead, 1 to 100,000; exact up to 14, above that up to a seventh more.
        min_calls: how many calls the rate needs; None for 10, or for ``calls`` if that is less.

    Raises:
        TypeError: an attribute is of the wrong type.
        ValueError: an attribute is out of range, or both ``window`` and ``calls`` are given.
    """

    failure_rate: float
    _: KW_ONLY
    window: Seconds | None = None
    calls: int | None = None
    min_calls: int | None = None

    def __post_init__(self) -> None:
        self.numbers()

    def numbers(self) -> RateNumbers:
        """The rate as the table's numbers."""
        return self._numbers(rate("failure_rate", self.failure_rate), 0)

    def __str__(self) -> str:
        return self._reached(self.failure_rate, "failed")


@dataclass(frozen=True, slots=True, eq=False)
class SlowRate(_Rate):
    """Opens when too large a share of the calls is slow, whether they succeed or fail.

    The rate is checked when a slow call ends. While half-open, a slow probe is a failed probe. Each call reads the
    clock.

    Attributes:
        slow_rate: the share that opens the fuse; above 0, up to 1.
        slow_after: seconds or a timedelta that a call takes to be slow.
        window: as for :class:`FailureRate`.
        calls: as for :class:`FailureRate`.
        min_calls: as for :class:`FailureRate`.

    Raises:
        TypeError: an attribute is of the wrong type.
        ValueError: an attribute is out of range, or both ``window`` and ``calls`` are given.
    """

    slow_rate: float
    _: KW_ONLY
    slow_after: Seconds
    window: Seconds | None = None
    calls: int | None = None
    min_calls: int | None = None

    def __post_init__(self) -> None:
        self.numbers()

    def numbers(self) -> RateNumbers:
        """The rate as the table's numbers."""
        slow_us = microseconds("slow_after", self.slow_after)
        return self._numbers(rate("slow_rate", self.slow_rate), slow_us)

    def __str__(self) -> str:
        return self._reached(self.slow_rate, f"took {seconds(self.slow_after)} or longer")


@dataclass(frozen=True, slots=True, eq=False, init=False)
class AnyOf(Policy):
    """Opens when any of several policies would. Made by ``a | b``.

    Attributes:
        policies: the policies, each of another kind.

    Raises:
        ValueError: two are of the same kind, or there is none.
    """

    policies: tuple[Policy, ...]

    def __init__(self, policies: Iterable[Policy]) -> None:
        object.__setattr__(self, "policies", tuple(policies))
        if not self.policies:
            raise ValueError("policies must name at least one policy, got (): the fuse would never open")
        kinds = [kind(policy) for policy in self.policies]
        for policy, its_kind in zip(self.policies, kinds, strict=True):
            if kinds.count(its_kind) > 1:
                raise ValueError(f"policies must be of different kinds, got a second {policy!r}; {_ONE_OF_A_KIND}")

    def _key(self) -> object:
        return frozenset(self.policies)

    def __str__(self) -> str:
        return ", or ".join(map(str, self.policies))


_ONE_OF_A_KIND = "use window for one rate and calls for the other, or give the second policy to another breaker"


def members(policy: Policy) -> tuple[Policy, ...]:
    """The policies that a policy is made of."""
    return policy.policies if isinstance(policy, AnyOf) else (policy,)


def kind(policy: Policy) -> int:
    """The position of a rate among the table's kinds of rate; -1 for :class:`Failures`.

    Raises:
        TypeError: it is not one of this package's policies.
    """
    if isinstance(policy, Failures):
        return -1
    if isinstance(policy, FailureRate | SlowRate):
        return _OF_CALLS * (policy.calls is not None) + _OF_SLOW * isinstance(policy, SlowRate)
    kinds = "Failures, FailureRate, SlowRate, several of them joined by |, or None"
    raise TypeError(f"policy must be {kinds}, got {type(policy).__name__}: {shown(policy)}")


def numbers(policy: Policy) -> RateNumbers | None:
    """A rate as the table's numbers; None for :class:`Failures`."""
    return policy.numbers() if isinstance(policy, FailureRate | SlowRate) else None


def failures_of(threshold: int, window_us: int) -> Failures:
    """The count of the table's numbers."""
    return Failures(threshold, None if window_us == _EVER_US else window_us / 1e6)


def rate_of(kind: int, numbers: RateNumbers) -> Policy:
    """The rate of the table's numbers, by its position among the measures."""
    span, bad, least, slow_us = numbers
    is_of_calls = bool(kind & _OF_CALLS)
    calls, window = (span, None) if is_of_calls else (None, span / 1e6)
    if kind & _OF_SLOW:
        return SlowRate(bad / MILLION, slow_after=slow_us / 1e6, window=window, calls=calls, min_calls=least)
    return FailureRate(bad / MILLION, window=window, calls=calls, min_calls=least)


def joined(policies: list[Policy]) -> Policy:
    """One policy of several; of one, itself."""
    return policies[0] if len(policies) == 1 else AnyOf(policies)


def percent(share: float) -> str:
    """A share for people."""
    return f"{100 * share:g}%"


def seconds(value: Seconds) -> str:
    """A length of time for people."""
    return f"{microseconds('seconds', value) / 1e6:g} s"
