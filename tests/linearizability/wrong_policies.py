"""References that are wrong about one rule of the policies each, and a script in which that must show."""

import collections

from policy_reference import PolicyFuse
from reference import Call, Policy, Rejected
from rules import FOREVER, Ending, Rate, Rules
from scripts import (
    FAILURES,
    SLOW,
    Case,
    calls,
    climbs,
    closed_for_long,
    removes,
    resets,
    stays_half_open,
    waits_between,
)
from wrong_ends import CASES as ENDS

from fuseboard import Cause, State


class _NeverLonger(PolicyFuse):
    """Without R23's backoff."""

    def grown_us(self, policy: Rules, _failed_probes: int) -> int:
        return super().grown_us(policy, 0)


class _TakesNothingBack(PolicyFuse):
    """Without R23's second half."""

    def take_back(self, _policy: Rules, _lasted: int) -> None:
        pass


class _WithoutJitter(PolicyFuse):
    """R23: open times are as the settings say."""

    def jittered(self, time: int, _share: float) -> int:
        return time


class _AsksInVain(PolicyFuse):
    """Without R24."""

    def open(self, policy: Rules, now: int, why: Cause, _asked: int = 0) -> None:
        super().open(policy, now, why)


class _AsksWithoutOpening(PolicyFuse):
    """R24: a call that does not open the fuse asks for the one that does."""

    hint = 0

    def open(self, policy: Rules, now: int, why: Cause, asked: int = 0) -> None:
        super().open(policy, now, why, asked or self.hint)

    def end(self, call: Call, policy: Rules, ending: Ending, now: int) -> None:
        self.hint = self.hint or ending.said_to(policy)[1]
        super().end(call, policy, ending, now)


class _JudgesGoodCalls(PolicyFuse):
    """R19 as it once was: a call that is bad by one rate has all of them judged."""

    def judged(self, policy: Rules, took: int, *, failed: bool) -> list[Rate]:
        return [*policy.rates] if super().judged(policy, took, failed=failed) else []


class _WithoutLeast(PolicyFuse):
    """R19 without ``min_calls``."""

    def is_reached(self, rate: Rate, now: int) -> bool:
        calls, bad = self.rate_count(rate, now)
        return bad >= rate.share * calls


class _NeverCold(PolicyFuse):
    """R19: calls of older generations count on."""

    def _begin(self, state: State, since: int | None) -> None:
        before = getattr(self, "ended", None)
        super()._begin(state, since)
        self.ended = before or self.ended


class _WithoutBuckets(PolicyFuse):
    """R19: a call counts for its window and not a moment longer."""

    def bucket(self, _span: int) -> int:
        return 1


class _EachHasItsOwnRates(PolicyFuse):
    """R19: a process's calls count for its own rates only."""

    def end(self, call: Call, policy: Rules, ending: Ending, now: int) -> None:
        own = self.__dict__.setdefault("own", {})
        self.ended = own.setdefault((self.generation, self.owners.get(call)), collections.defaultdict(list))
        super().end(call, policy, ending, now)


class _StreaksAge(PolicyFuse):
    """R03: failures in a row are those of a time."""

    def count(self, window: int, now: int) -> int:
        return super().count(min(window, 1000), now)


class _SlowProbesSucceed(PolicyFuse):
    """Without the end of R20."""

    def is_slow(self, policy: Rules, took: int) -> bool:
        return self.state is not State.HALF_OPEN and super().is_slow(policy, took)


class _ProbesDemandInVain(PolicyFuse):
    """R22 as it once was: what a probe demands is counted as a failed probe."""

    def end(self, call: Call, policy: Rules, ending: Ending, now: int) -> None:
        heard = ending if call.seat is None else Ending(ending.counter, asked=ending.asked)
        super().end(call, policy, heard, now)


class _OneProbeMayFail(PolicyFuse):
    """R25: whatever the settings say."""

    def end(self, call: Call, policy: Rules, ending: Ending, now: int) -> None:
        self.bad_probes = max(self.bad_probes, policy.probe_failures - 1)
        super().end(call, policy, ending, now)


class _HalfOpenForEver(PolicyFuse):
    """Without R25's longest stay."""

    def is_overdue(self, _policy: Rules, _now: int) -> bool:
        return False


class _EachHasItsOwnRamp(PolicyFuse):
    """R26: each process numbers its own calls."""

    def ask(self, owner: int, policy: Policy, now: int) -> Call | Rejected:
        own = self.__dict__.setdefault("own", collections.Counter())
        self.climbed = own[self.generation, owner]
        answer = super().ask(owner, policy, now)
        own[self.generation, owner] = self.climbed
        return answer


class _SteadyRamp(PolicyFuse):
    """R26: the share does not grow."""

    def share(self, policy: Rules, _now: int) -> float:
        return policy.ramp_from


class _ShadowsCount(PolicyFuse):
    """R27: what a shadow's rejected call comes to counts."""

    def end(self, call: Call, policy: Rules, ending: Ending, now: int) -> None:
        self.counters[ending.counter] += call not in self.owners
        super().end(call, policy, ending, now)


class _RemovesUnrested(PolicyFuse):
    """R28 without the hour for each failed probe."""

    def rest_us(self) -> int:
        return 0


_RATED = {"threshold": 0, "rates": (FAILURES,)}
CASES = [
    *ENDS,
    Case(_NeverLonger, {"multiplier": 2.0}, lambda script: [script.open_and_probe("failures"), script("successes")]),
    Case(_TakesNothingBack, {"multiplier": 2.0}, closed_for_long),
    Case(_WithoutJitter, {"jitter": 0.25}, calls(("failures",), ("successes",))),
    Case(_AsksInVain, {}, calls(("demands 1300 ms",), ("successes",))),
    Case(
        _AsksWithoutOpening, {"threshold": 2, "hints": True},
        calls(("asks for 1300 ms",), ("failures",), ("successes",)),
    ),
    Case(
        _JudgesGoodCalls, {"threshold": 0, "rates": (FAILURES, SLOW)},
        calls(("failures",), ("failures",), ("successes", 500)),
    ),
    Case(_WithoutLeast, _RATED, calls(("failures",))),
    Case(_NeverCold, _RATED, resets),
    Case(_WithoutBuckets, _RATED, waits_between("failures", 1001, "failures")),
    Case(_EachHasItsOwnRates, _RATED, calls(("failures",), ("failures", 0, 1), ("failures", 0, 1))),
    Case(_StreaksAge, {"threshold": 2, "window": FOREVER}, waits_between("failures", 3_600_000, "failures")),
    Case(_SlowProbesSucceed, {"rates": (SLOW,)}, lambda script: script.open_and_probe("successes", 500)),
    Case(_ProbesDemandInVain, {"probe_failures": 2}, lambda script: script.open_and_probe("demands")),
    Case(_OneProbeMayFail, {"probe_failures": 2}, lambda script: script.open_and_probe("failures")),
    Case(_HalfOpenForEver, {"half_open_timeout": 999}, stays_half_open),
    Case(_EachHasItsOwnRamp, {"ramp": 3000, "ramp_from": 0.5}, climbs),
    Case(_SteadyRamp, {"ramp": 3000, "ramp_from": 0.1}, climbs),
    Case(_ShadowsCount, {"shadow": True}, calls(("failures",), ("successes",))),
    Case(_RemovesUnrested, {"multiplier": 2.0}, removes),
]  # fmt: skip
