"""The rules R19 to R28 as a plain sequential program, on top of :mod:`host_reference`: lists of calls, and no table.

Stamps are microseconds, since each change of state has a later one than the one before; all other times milliseconds.
"""

import collections
import math
from fractions import Fraction
from typing import NamedTuple

from host_reference import HostFuse
from reference import Call, Policy, Rejected
from rules import SEVEN_DAYS_US, Ending, Rate, Rules

from fuseboard import Cause, State

EARLY_US = 100
"""An open fuse's time, and a ramp, count as up this much early."""
GOLDEN = (5**0.5 - 1) / 2
MOST_FAILED = 65_535
FIVE_MINUTES_US = 300_000_000
HOUR_US = 12 * FIVE_MINUTES_US
EXACT_CALLS = 14
HALF = Fraction(1, 2)


class Ended(NamedTuple):
    """A call that a rate counts: when it ended, in microseconds or calls, and whether it was bad."""

    at: int
    bad: bool


class PolicyFuse(HostFuse):
    """One fuse whose breakers have policies."""

    def __init__(self, capacity: int) -> None:
        self.stamp = 0
        self.failed_probes = 0
        """R23: failed probes in a row, less what was taken back."""
        self.begun: dict[Call, int] = {}
        self.why = Cause.SET
        super().__init__(capacity)
        self.causes: list[Cause] = []

    def _begin(self, state: State, since: int | None) -> None:
        super()._begin(state, since)
        self.ended: collections.defaultdict[Cause, list[Ended]] = collections.defaultdict(list)
        self.bad_probes = self.climbed = self.asked_us = 0

    def move(self, state: State, now: int) -> None:
        """A change of state: a later stamp, by a microsecond at least; rates begin at zero (R19, cold start)."""
        self.stamp = max(now * 1000, self.stamp + 1)
        super().move(state, now)

    def go(self, state: State, now: int, why: Cause) -> None:
        """A change of state that the journal gives a cause."""
        self.why = why
        self.move(state, now)

    def tell(self, before: State) -> None:
        """Notes the cause too."""
        told = len(self.told)
        super().tell(before)
        self.causes += [self.why] * (len(self.told) - told)

    def set(self, state: State, now: int) -> None:
        """R23: opened by a raw operation, a closed or ramping fuse has no open time to take failed probes back by."""
        self.why = Cause.SET
        lasted, counts = self.lasted_us(now), self.state in (State.CLOSED, State.RAMPING)
        super().set(state, now)
        if counts and state is State.OPEN:
            self.take_back_raw(lasted)

    def take_back_raw(self, lasted: int) -> None:
        """R23: one failed probe for each five minutes."""
        self.failed_probes = max(0, self.failed_probes - lasted // FIVE_MINUTES_US)

    def command(self, state: State, now: int, for_: int | None = None) -> None:
        """R23: a manual override takes back all failed probes."""
        self.failed_probes = 0
        self.why = Cause.MANUAL
        super().command(state, now, for_)

    def end_override(self, state: State, now: int) -> None:
        """R12: with a cause of its own."""
        self.go(state, now, Cause.OVERRIDE_ENDED)

    def forget_at(self, now: int) -> None:
        """R23: so does forgetting."""
        self.failed_probes = 0
        if self.known:
            self.stamp = max(now * 1000, self.stamp + 1)
        self.why = Cause.RESET_ALL
        self.forget()

    def age_us(self, now: int) -> int:
        """Microseconds since the last change of state."""
        return max(0, now * 1000 - self.stamp)

    def lasted_us(self, now: int) -> int:
        """How long a state will have lasted that ends now."""
        return max(now * 1000, self.stamp + 1) - self.stamp

    def ask(self, owner: int, policy: Policy, now: int) -> Call | Rejected:
        """A call notes when it begins."""
        answer = super().ask(owner, policy, now)
        if isinstance(answer, Call):
            self.begun[answer] = now
        return answer

    def _answer(self, policy: Policy, now: int) -> Call | Rejected:
        assert isinstance(policy, Rules)
        if self.state is State.OPEN:
            left = self.stays_open_us(policy) - self.age_us(now)
            if left > EARLY_US:
                return Rejected(State.OPEN, left / 1000)
            self.go(State.HALF_OPEN, now, Cause.RESET_TIMEOUT)
        elif self.is_overdue(policy, now):
            self.open(policy, now, Cause.HALF_OPEN_TIMEOUT)
            left = self.stays_open_us(policy) - self.age_us(now)
            return Rejected(State.OPEN, max(0, left) / 1000)
        if self.state is State.RAMPING:
            return self._climb(policy, now)
        return super()._answer(policy, now)

    def is_overdue(self, policy: Rules, now: int) -> bool:
        """R25: whether the fuse was half-open for longer than it may."""
        limit_us = policy.half_open_timeout * 1000
        return self.state is State.HALF_OPEN and 0 < limit_us <= self.age_us(now)

    def _climb(self, policy: Rules, now: int) -> Call | Rejected:
        """R26: the share of the calls that passes; all of them once the ramp is up."""
        left = max(0, policy.ramp * 1000 - self.age_us(now))
        if left <= EARLY_US:
            self.go(State.CLOSED, now, Cause.RAMPED)
            return Call(self.generation)
        self.climbed += 1
        if self.climbed * GOLDEN % 1 < self.share(policy, now):
            return Call(self.generation)
        return Rejected(State.RAMPING, left / 2 / 1000)

    def share(self, policy: Rules, now: int) -> float:
        """R26: it grows evenly."""
        return policy.ramp_from + (1 - policy.ramp_from) * self.age_us(now) / (policy.ramp * 1000)

    def stays_open_us(self, policy: Rules) -> int:
        """R23, R24: how long an open fuse stays open, by the settings of who asks."""
        if self.asked_us:
            return min(
                max(self.asked_us, policy.reset_timeout * 1000), max(policy.longest, policy.reset_timeout) * 1000
            )
        return self.jittered(self.grown_us(policy, self.failed_probes), policy.jitter)

    def jittered(self, time: int, share: float) -> int:
        """R23: shorter or longer, by a hash of the generation."""
        most = int(time * share)
        return time - most + _hash(self.stamp) % (2 * most + 1)

    def grown_us(self, policy: Rules, failed_probes: int) -> int:
        """R23: the open time after so many failed probes in a row, without jitter."""
        return math.floor(self.backoff(policy, failed_probes) + HALF)

    def backoff(self, policy: Rules, failed_probes: int) -> Fraction:
        """R23: the same, before it is rounded."""
        time = policy.reset_timeout * Fraction(policy.multiplier) ** failed_probes
        return 1000 * min(time, Fraction(max(policy.longest, policy.reset_timeout)))

    def open(self, policy: Rules, now: int, why: Cause, asked: int = 0) -> None:
        """R23: half-open it is a failed probe more; else less, one for each open time that the state had lasted."""
        if self.state is State.HALF_OPEN:
            self.failed_probes = min(MOST_FAILED, self.failed_probes + 1)
        else:
            self.take_back(policy, self.lasted_us(now))
        self.go(State.OPEN, now, why)
        self.asked_us = asked * 1000

    def take_back(self, policy: Rules, lasted: int) -> None:
        """R23: takes back failed probes."""
        paid = self.backoff(policy, self.failed_probes)
        while self.failed_probes and lasted >= math.floor(paid + HALF):
            self.failed_probes -= 1
            paid += self.backoff(policy, self.failed_probes)

    def end(self, call: Call, policy: Rules, ending: Ending, now: int) -> None:
        """How a call ended. Of one that began before the fuse was removed nobody counts anything (R28)."""
        if call not in self.owners:
            return
        self.counters[ending.counter] += 1
        if self.is_late(call):
            self.counters["late_outcomes"] += 1
            return
        if call.seat is not None:
            del self.seats[call.seat]
        if "ignored" == ending.counter or self.state is State.DISABLED:
            return
        took, failed = now - self.begun[call], "failures" == ending.counter
        if self.state is State.HALF_OPEN:
            self._probed(policy, ending, now, bad=failed or self.is_slow(policy, took))
        else:
            self._count(policy, ending, now, took)

    def is_slow(self, policy: Rules, took: int) -> bool:
        """R20: whether a call is slow by any rate."""
        return any(rate.slow_after and rate.is_bad(failed=False, took=took) for rate in policy.rates)

    def _probed(self, policy: Rules, ending: Ending, now: int, *, bad: bool) -> None:
        """R07, R08, R20, R22, R25: a probe ended."""
        demands, asked = ending.said_to(policy)
        if bad:
            self.bad_probes += 1
            if self.bad_probes >= policy.probe_failures or demands:
                self.counters["trips"] += 1
                self.open(policy, now, self.probe_cause(ending, demands=demands), asked)
            return
        self.good_probes += 1
        if self.good_probes >= policy.success_threshold:
            self.counters["closes"] += 1
            self.go(State.RAMPING if policy.ramp else State.CLOSED, now, Cause.PROBES_SUCCEEDED)

    def probe_cause(self, ending: Ending, *, demands: bool) -> Cause:
        """R20, R22: what the journal calls it."""
        if demands:
            return Cause.DEMANDED
        return Cause.PROBE_FAILED if "failures" == ending.counter else Cause.PROBE_SLOW

    def _count(self, policy: Rules, ending: Ending, now: int, took: int) -> None:
        """R03, R04, R19 to R22: a call ended while closed or ramping."""
        failed = "failures" == ending.counter
        for rate in policy.rates:
            at = len(self.ended[rate.cause]) if rate.calls else now * 1000
            self.ended[rate.cause].append(Ended(at, rate.is_bad(failed=failed, took=took)))
        if failed:
            self.failures.append(now)
        demands, asked = ending.said_to(policy) if failed else (False, 0)
        why = self.reached(policy, now, took, failed=failed, demands=demands)
        if why:
            self.counters["trips"] += 1
            self.open(policy, now, why, asked)
        elif not failed and policy.clear_on_success:
            self.failures = []

    def reached(self, policy: Rules, now: int, took: int, *, failed: bool, demands: bool) -> Cause | None:
        """R21, R22: what opens the fuse: the count, a demand, or a rate by which this call was bad."""
        if failed and 0 < policy.threshold <= self.count(policy.window, now):
            return Cause.THRESHOLD
        if demands:
            return Cause.DEMANDED
        judged = self.judged(policy, took, failed=failed)
        return next((rate.cause for rate in judged if self.is_reached(rate, now)), None)

    def judged(self, policy: Rules, took: int, *, failed: bool) -> list[Rate]:
        """R19: the rates that are asked, of which a call is a bad one."""
        return [rate for rate in policy.rates if rate.is_bad(failed=failed, took=took)]

    def is_reached(self, rate: Rate, now: int) -> bool:
        """R19: enough calls, and too large a share of them bad."""
        calls, bad = self.rate_count(rate, now)
        return calls >= rate.min_calls and 1_000_000 * bad >= self.millionths(rate) * calls

    def millionths(self, rate: Rate) -> int:
        """R19: the share, rounded down, so that 2 of 3 are two thirds."""
        return math.floor(Fraction(rate.share).limit_denominator(1000) * 1_000_000)

    def rate_count(self, rate: Rate, now: int) -> tuple[int, int]:
        """R19: the calls within a rate's span, and the bad ones of them. Each bucket that the span touches counts."""
        span = rate.calls or rate.window * 1000
        bucket = self.bucket(span)
        here = len(self.ended[rate.cause]) if rate.calls else now * 1000
        oldest = max(0, here - span) // bucket
        within = [each.bad for each in self.ended[rate.cause] if each.at // bucket >= oldest]
        return len(within), sum(within)

    def bucket(self, span: int) -> int:
        """R15, rates: how long a bucket is: 14 of them, each of 1, 2, 4, ..., are as long as the span or longer."""
        bucket = 1
        while EXACT_CALLS * bucket < span:
            bucket *= 2
        return bucket

    def is_idle(self, now: int) -> bool:
        """R28: whether the fuse can be removed."""
        is_rested = not self.known or self.age_us(now) >= self.rest_us()
        return self.state is State.CLOSED and is_rested and not self.window_failures(now)

    def rest_us(self) -> int:
        """R28: an hour for each failed probe in a row, seven days at most."""
        return min(self.failed_probes * HOUR_US, SEVEN_DAYS_US)


def _hash(generation: int) -> int:
    """R23: of a generation, the same in all processes of a host (the finaliser of SplitMix64)."""
    word = generation
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = (word ^ word >> shift) * factor & (1 << 64) - 1
    return word ^ word >> 31
