"""What the breakers of the policy machine go by, beside the settings of :mod:`reference`; times in milliseconds.

The two breakers of a fuse may have other numbers, but their rates count together (R15, rates): no machine has two whose
windows lie on different sides of one of 7.34, 14.68, ... or 0.917, 1.835 seconds, or 14, 28 calls.
"""

import dataclasses
from datetime import timedelta
from typing import Any

from host_machine import CAPACITY
from hypothesis import strategies as st
from reference import Policy

from fuseboard import Cause, FailureRate, Failures, SlowRate

SEVEN_DAYS_US = 604_800_000_000
FOREVER = 10**12
"""A window that is none: ``Failures(n, None)``."""


@dataclasses.dataclass(frozen=True)
class Rate:
    """R19, R20: a share of the calls, of a time (``window``) or of the last ones (``calls``)."""

    share: float
    min_calls: int
    window: int = 0
    calls: int = 0
    slow_after: int = 0
    """For slow calls; 0 for failed ones."""

    @property
    def cause(self) -> Cause:
        """What the journal calls it; of each fuse, calls that rates of one cause count are counted together."""
        if self.slow_after:
            return Cause.SLOW_RATE_OF_CALLS if self.calls else Cause.SLOW_RATE
        return Cause.FAILURE_RATE_OF_CALLS if self.calls else Cause.FAILURE_RATE

    def is_bad(self, *, failed: bool, took: int) -> bool:
        """R20: whether a call is bad by this rate."""
        return took >= self.slow_after if self.slow_after else failed

    def argument(self) -> FailureRate | SlowRate:
        """The same for a breaker."""
        over: dict[str, Any] = {"calls": self.calls} if self.calls else {"window": self.window / 1000}
        if self.slow_after:
            return SlowRate(self.share, slow_after=self.slow_after / 1000, min_calls=self.min_calls, **over)
        return FailureRate(self.share, min_calls=self.min_calls, **over)


@dataclasses.dataclass(frozen=True)
class Rules(Policy):
    """A breaker's settings, with all that a policy can have. A threshold of 0 is none."""

    rates: tuple[Rate, ...] = ()
    multiplier: float = 1.0
    longest: int = 300_000
    jitter: float = 0.0
    probe_failures: int = 1
    half_open_timeout: int = 0
    ramp: int = 0
    ramp_from: float = 0.1
    shadow: bool = False
    hints: bool = False
    """Whether the breaker asks exceptions what they demand, by ``trip_if`` and ``open_for``."""

    @property
    def reach_us(self) -> int:
        """R28: how far back the breaker looks, in microseconds. A call counts for up to a seventh longer."""
        in_time = [1000 * rate.window * 8 // 7 for rate in self.rates if not rate.calls]
        if len(in_time) < len(self.rates) or (self.threshold and self.window == FOREVER):
            return SEVEN_DAYS_US
        return max([1000 * self.window if self.threshold else 0, *in_time])


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a call ends: the counter that counts it, and what it demands and asks for."""

    counter: str
    demands: bool = False
    asked: int = 0
    by_hint: bool = False
    """Whether it says so to breakers that ask only."""

    def said_to(self, policy: Rules) -> tuple[bool, int]:
        """R22, R24: what a breaker hears: a demand, and for how many milliseconds."""
        return (False, 0) if self.by_hint and not policy.hints else (self.demands, self.asked)


ENDINGS = {
    "successes": Ending("successes"),
    "failures": Ending("failures"),
    "answered": Ending("successes"),
    "ignored": Ending("ignored"),
    "demands": Ending("failures", demands=True),
    "demands 1300 ms": Ending("failures", demands=True, asked=1300),
    "demands an hour": Ending("failures", demands=True, asked=3_600_000),
    "asks for 1300 ms": Ending("failures", asked=1300, by_hint=True),
    "is fatal": Ending("failures", demands=True, by_hint=True),
}
"""By the names that the actor has for them."""


def _rate(over: str, spans: list[int], slow: list[int]) -> st.SearchStrategy[Rate]:
    numbers = {"share": st.sampled_from([0.34, 0.5, 2 / 3, 1.0]), "slow_after": st.sampled_from(slow)}
    return st.sampled_from(spans).flatmap(
        lambda span: st.builds(Rate, **{over: st.just(span)}, min_calls=st.integers(1, min(4, span)), **numbers)
    )


def _rules(calls: list[int]) -> st.SearchStrategy[Rules]:
    """Breakers whose rates over calls are of these lengths."""
    windows = [1000, 1500, 1800]
    times = st.sampled_from([500, 1000, 2000])
    rates = st.tuples(
        *[
            st.none() | _rate(over, spans, slow)
            for slow in ([0], [500, 500, 1000])
            for over, spans in (("window", windows), ("calls", calls))
        ]
    ).map(lambda each: tuple(rate for rate in each if rate is not None))
    return st.builds(
        Rules,
        threshold=st.sampled_from([0, 0, *range(1, CAPACITY + 1)]),
        window=st.sampled_from([500, 1000, 2000, FOREVER]),
        reset_timeout=times,
        probes=st.integers(1, 3),
        success_threshold=st.integers(1, 3),
        probe_timeout=st.sampled_from([500, 1000, 3000]),
        clear_on_success=st.booleans(),
        rates=rates,
        multiplier=st.sampled_from([1.0, 1.5, 2.0]),
        longest=st.sampled_from([2000, 3500, 300_000]),
        jitter=st.sampled_from([0.0, 0.0, 0.25, 1.0]),
        probe_failures=st.integers(1, 3),
        half_open_timeout=st.sampled_from([0, 0, 999, 2000]),
        ramp=st.sampled_from([0, 0, 1000, 3000]),
        ramp_from=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        shadow=st.sampled_from([False, False, False, True]),
        hints=st.booleans(),
    ).filter(lambda rules: bool(rules.threshold or rules.rates))


def pairs() -> st.SearchStrategy[tuple[Rules, Rules]]:
    """R15: the two breakers of a fuse. Up to 14 calls are counted exactly, more by twos."""
    few, many = _rules([2, 3, 5, 14]), _rules([18, 28])
    return st.one_of(st.tuples(few, few), st.tuples(few, few), st.tuples(many, many))


def arguments_of(policy: Rules) -> dict[str, Any]:
    """A breaker's arguments, but for the functions, which the process that makes it has."""
    window = None if policy.window == FOREVER else policy.window / 1000
    chosen = [Failures(policy.threshold, window)] if policy.threshold else []
    first, *rest = [*chosen, *(rate.argument() for rate in policy.rates)]
    for each in rest:
        first |= each
    times = {
        "reset_timeout": policy.reset_timeout,
        "max_reset_timeout": max(policy.longest, policy.reset_timeout),
        "probe_timeout": policy.probe_timeout,
        "half_open_timeout": policy.half_open_timeout,
        "ramp": policy.ramp,
    }
    names = ("multiplier", "jitter", "probes", "success_threshold", "probe_failures", "ramp_from", "clear_on_success")
    return {
        "policy": first,
        **{name: timedelta(milliseconds=time) if time else None for name, time in times.items()},
        **{name: getattr(policy, name) for name in (*names, "shadow", "hints")},
    }
