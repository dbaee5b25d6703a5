"""What the breakers of a history go by, drawn by dice. Free of pytest."""

import random
from typing import Any, NamedTuple

from policy_model import IN_TIME, NO_RATE, OF_CALLS
from workers import LONG

from fuseboard import FailureRate, Failures, Policy


class Numbers(NamedTuple):
    """What all the breakers of a history go by."""

    capacity: int
    threshold: int
    probes: int
    success_threshold: int

    def settings(self) -> dict[str, Any]:
        """A breaker's settings."""
        names = ("threshold", "probes", "success_threshold")
        return {"window": LONG, **{name: getattr(self, name) for name in names}}


class PolicyNumbers(NamedTuple):
    """The same of a history whose breakers have policies; see :class:`policy_model.PolicyModel`."""

    capacity: int
    threshold: int
    probes: int
    success_threshold: int
    probe_failures: int
    rate: int
    percent: int
    min_calls: int
    span: int
    ramp_percent: int

    def policy(self) -> Policy:
        """When the fuses open: by failures in a row, by a rate, by either."""
        failures = Failures(self.threshold, None) if self.threshold else None
        if self.rate == NO_RATE:
            assert failures, "a fuse that never opens"
            return failures
        over: dict[str, int] = {"window": LONG} if self.rate == IN_TIME else {"calls": self.span}
        rate = FailureRate(self.percent / 100, min_calls=self.min_calls, **over)
        return failures | rate if failures else rate

    def settings(self) -> dict[str, Any]:
        """A breaker's settings."""
        ramp = {} if self.ramp_percent < 0 else {"ramp": LONG, "ramp_from": self.ramp_percent / 100}
        names = ("probes", "success_threshold", "probe_failures")
        return {"policy": self.policy(), "multiplier": 2.0, **ramp, **{name: getattr(self, name) for name in names}}


AnyNumbers = Numbers | PolicyNumbers


def plain_numbers(dice: random.Random) -> Numbers:
    """What breakers go by that have a count."""
    capacity = dice.choice([2, 4])
    return Numbers(capacity, dice.randint(1, capacity), dice.randint(1, 2), dice.randint(1, 2))


def policy_numbers(dice: random.Random) -> PolicyNumbers:
    """What breakers with policies go by."""
    capacity, rate = dice.choice([2, 4]), dice.choice([NO_RATE, IN_TIME, OF_CALLS, OF_CALLS])
    threshold = dice.randint(1, capacity) if rate == NO_RATE else dice.choice([0, 0, capacity])
    span = dice.choice([3, 5, 14])
    return PolicyNumbers(
        capacity,
        threshold,
        probes=dice.randint(1, 3),
        success_threshold=dice.randint(1, 2),
        probe_failures=dice.randint(1, 2),
        rate=rate,
        percent=dice.choice([50, 100]),
        min_calls=dice.randint(1, 3),
        span=span,
        ramp_percent=dice.choice([-1, 0, 50, 100]),
    )
