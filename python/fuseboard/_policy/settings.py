"""A breaker's settings: their defaults and ranges, and what they are in the table."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypedDict

from fuseboard import _core
from fuseboard._policy import from_data, policies, suggestions
from fuseboard._policy.policies import MEASURES, Failures, Policy, RateNumbers
from fuseboard._validation import MILLION, Seconds, flag, microseconds, share, shown, whole

LEAST_PROBE_US = 30_000_000
"""The least default of ``probe_timeout``, also where ``reset_timeout`` is shorter: a slow call must not lose its lease.
Nobody waits that long for a probe whose process is known to be dead (rule R11)."""
LEAST_LONGEST_US = 300_000_000
"""The least default of ``max_reset_timeout``; it is longer if ``reset_timeout`` is."""
MAX_PROBES = 8
MAX_SUCCESSES = 1_000
MAX_PROBE_FAILURES = 60
MAX_MULTIPLIER = 100
_THRESHOLD, _WINDOW = 5, 10.0


class Numbers(TypedDict):
    """Settings as the table's numbers: times in whole microseconds."""

    threshold: int
    window_us: int
    reset_us: int
    multiplier_permille: int
    longest_us: int
    jitter_ppm: int
    probes: int
    success_threshold: int
    probe_failures: int
    probe_us: int
    half_open_us: int
    ramp_us: int
    ramp_from_ppm: int
    clear_on_success: bool
    rates: list[RateNumbers | None]


class Changes(TypedDict, total=False):
    """The settings by their names, for :class:`CircuitBreaker`; see :class:`Settings`."""

    threshold: int
    window: Seconds | None
    policy: Policy | None
    reset_timeout: Seconds
    multiplier: float
    max_reset_timeout: Seconds | None
    jitter: float
    probes: int
    success_threshold: int
    probe_failures: int
    probe_timeout: Seconds | None
    half_open_timeout: Seconds | None
    ramp: Seconds | None
    ramp_from: float
    clear_on_success: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Settings:
    """When the fuse opens, how long it stays open, and how it closes again. Immutable; checked when made.

    Settings are equal if breakers decide the same by them: 30 and ``timedelta(seconds=30)`` are the same time.

    Each process decides by its own settings (rule R15). Times are seconds as a number or a timedelta, from 1
    millisecond to seven days.

    Attributes:
        threshold: failures within ``window`` that open the fuse; 1 to 2,048, at most the store's ``failure_capacity``.
        window: how long a failure counts; None for as long as nothing succeeds.
        policy: when the fuse opens instead: :class:`FailureRate`, :class:`SlowRate`, :class:`Failures`, or several of
            them joined by ``|``. None for ``Failures(threshold, window)``.
        reset_timeout: how long the fuse stays open before a probe is let through.
        multiplier: the factor by which the open time grows each time that the fuse opens again from half-open; 1 to
            100, in thousandths. Each full open time that the fuse is closed takes one step back.
        max_reset_timeout: the longest open time that the multiplier, or a server's hint, can lead to. None for five
            minutes, or for ``reset_timeout`` if that is longer.
        jitter: the share by which an open time is randomly shorter or longer, the same for the whole host; 0 to 1.
        probes: how many probes may run at once while half-open, across all processes; 1 to 8.
        success_threshold: successful probes that close the fuse; 1 to 1,000.
        probe_failures: failed probes that open it again; 1 to 60.
        probe_timeout: how long a probe may hold its permit before another call gets it, because the process that took
            it may be dead. It must be longer than the longest good call, or no probe can succeed. None for
            ``reset_timeout``, but at least 30 seconds.
        half_open_timeout: how long the fuse may stay half-open: the first call after that opens it again. None for no
            limit.
        ramp: how long it takes until all calls pass again after the probes have succeeded; a growing share of calls
            passes meanwhile. None to let all calls pass at once.
        ramp_from: the share of calls that passes at first; 0 to 1.
        clear_on_success: whether a success while closed clears the window of failures (rule R04).

    Raises:
        TypeError: a setting is of the wrong type.
        ValueError: a setting is out of range.
    """

    threshold: int = _THRESHOLD
    window: Seconds | None = _WINDOW
    policy: Policy | None = None
    reset_timeout: Seconds = 30.0
    multiplier: float = 1.0
    max_reset_timeout: Seconds | None = None
    jitter: float = 0.0
    probes: int = 1
    success_threshold: int = 1
    probe_failures: int = 1
    probe_timeout: Seconds | None = None
    half_open_timeout: Seconds | None = None
    ramp: Seconds | None = None
    ramp_from: float = 0.1
    clear_on_success: bool = True

    def __post_init__(self) -> None:
        self.numbers()

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Settings from data such as a TOML table: names and values, with ``"none"`` for None.

        A policy is a table of its attributes, or a list of such tables: ``{"failure_rate": 0.5, "window": 30}``.

        Raises:
            TypeError: a value is of the wrong type.
            ValueError: a value is out of range, or there is no setting of that name.
        """
        given: object = mapping
        if not isinstance(given, Mapping):
            kind = type(mapping).__name__
            raise TypeError(f"mapping must be a mapping of settings to values, got {kind}: {shown(mapping)}")
        unknown = [name for name in mapping if name not in NAMES]
        if unknown:
            raise ValueError(f"unknown setting {shown(unknown[0])}{suggestions.hint(str(unknown[0]), NAMES)}")
        return cls(**from_data.values_of(mapping))

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> Self:
        """The settings of the table's numbers: equal to those that they were made of."""
        failures = [policies.failures_of(numbers["threshold"], numbers["window_us"])] if numbers["threshold"] else []
        rates = [policies.rate_of(kind, rate) for kind, rate in enumerate(numbers["rates"]) if rate is not None]
        is_count = not rates
        return cls(
            threshold=failures[0].threshold if is_count else _THRESHOLD,
            window=failures[0].window if is_count else _WINDOW,
            policy=None if is_count else policies.joined([*failures, *rates]),
            reset_timeout=numbers["reset_us"] / 1e6,
            multiplier=numbers["multiplier_permille"] / 1e3,
            max_reset_timeout=numbers["longest_us"] / 1e6,
            jitter=numbers["jitter_ppm"] / MILLION,
            probes=numbers["probes"],
            success_threshold=numbers["success_threshold"],
            probe_failures=numbers["probe_failures"],
            probe_timeout=numbers["probe_us"] / 1e6,
            half_open_timeout=numbers["half_open_us"] / 1e6 or None,
            ramp=numbers["ramp_us"] / 1e6 or None,
            ramp_from=numbers["ramp_from_ppm"] / MILLION,
            clear_on_success=numbers["clear_on_success"],
        )

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies that open the fuse, one by one."""
        return policies.members(self.policy or Failures(self.threshold, self.window))

    def numbers(self) -> Numbers:
        """The settings as the table's numbers: times in whole microseconds."""
        reset_us = microseconds("reset_timeout", self.reset_timeout)
        longest_us = _or_else("max_reset_timeout", self.max_reset_timeout, max(reset_us, LEAST_LONGEST_US))
        if longest_us < reset_us:
            raise ValueError(
                f"max_reset_timeout must be at least reset_timeout ({shown(self.reset_timeout)}), "
                f"got {shown(self.max_reset_timeout)}"
            )
        failures, rates = self._rules()
        return {
            "threshold": failures.threshold if failures else 0,
            "window_us": failures.window_us() if failures else 1,
            "reset_us": reset_us,
            "multiplier_permille": self._multiplier(),
            "longest_us": longest_us,
            "jitter_ppm": share("jitter", self.jitter),
            "probes": whole("probes", self.probes, MAX_PROBES),
            "success_threshold": whole("success_threshold", self.success_threshold, MAX_SUCCESSES),
            "probe_failures": whole("probe_failures", self.probe_failures, MAX_PROBE_FAILURES),
            "probe_us": _or_else("probe_timeout", self.probe_timeout, max(reset_us, LEAST_PROBE_US)),
            "half_open_us": _or_else("half_open_timeout", self.half_open_timeout, 0),
            "ramp_us": _or_else("ramp", self.ramp, 0),
            "ramp_from_ppm": share("ramp_from", self.ramp_from),
            "clear_on_success": flag("clear_on_success", self.clear_on_success),
            "rates": rates,
        }

    def _rules(self) -> tuple[Failures | None, list[RateNumbers | None]]:
        """The count and the rates that open the fuse."""
        if self.policy is not None and (self.threshold, self.window) != (_THRESHOLD, _WINDOW):
            raise ValueError(
                f"threshold={shown(self.threshold)} and window={shown(self.window)} have no effect beside policy=; "
                "add them to the policy instead, with | Failures(threshold, window)"
            )
        failures, rates = None, no_rates()
        for policy in self.policies:
            if isinstance(policy, Failures):
                failures = policy
            else:
                rates[policies.kind(policy)] = policies.numbers(policy)
        return failures, rates

    def _key(self) -> object:
        """What is equal for settings that decide the same, and differs for others."""
        numbers = self.numbers()
        return tuple(numbers.values())[:-1], tuple(numbers["rates"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Settings) or type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def _multiplier(self) -> int:
        if isinstance(self.multiplier, bool) or not isinstance(self.multiplier, int | float):
            kind = type(self.multiplier).__name__
            raise TypeError(f"multiplier must be a number, got {kind}: {shown(self.multiplier)}")
        if not 1 <= self.multiplier <= MAX_MULTIPLIER:  # true for NaN too
            raise ValueError(f"multiplier must be from 1 to {MAX_MULTIPLIER}, got {shown(self.multiplier)}")
        return round(self.multiplier * 1_000)

    def settings_hash(self) -> int:
        """A hash of the settings, the same in every process: other settings have another one, except by chance."""
        return _core.settings_hash(repr(self.numbers()))


NAMES = tuple(field.name for field in fields(Settings))
"""The settings."""


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Settings with some of them changed. A new policy replaces ``threshold`` and ``window``.

    Raises:
        TypeError: a setting is of the wrong type.
        ValueError: a setting is out of range.
    """
    if changes.get("policy") is not None:
        changes = {"threshold": _THRESHOLD, "window": _WINDOW, **changes}
    return replace(settings, **changes) if changes else settings


def no_rates() -> list[RateNumbers | None]:
    """No rates."""
    return [None] * MEASURES


def _or_else(argument: str, value: Seconds | None, default_us: int) -> int:
    """A length of time that has a default."""
    return default_us if value is None else microseconds(argument, value)
