"""More of :mod:`wrong_policies`: of what opens a fuse, of what takes failed probes back, and of what is idle."""

from collections.abc import Callable

from policy_reference import PolicyFuse
from rules import FOREVER, Ending, Rate, Rules
from scripts import DB, SLOW, Case, Script, calls, waits_between

from fuseboard import Cause, State

FIVE_MINUTES = 300_000
DAY = 24 * 12 * FIVE_MINUTES


class _SlowProbesFail(PolicyFuse):
    """R20: the journal calls a slow probe a failed one."""

    def probe_cause(self, ending: Ending, *, demands: bool) -> Cause:
        cause = super().probe_cause(ending, demands=demands)
        return Cause.PROBE_FAILED if cause is Cause.PROBE_SLOW else cause


class _DemandsAreFailedProbes(PolicyFuse):
    """R22: the journal calls a probe's demand a failed probe where no more of them may fail."""

    def probe_cause(self, ending: Ending, *, demands: bool) -> Cause:
        enough = self.bad_probes > 0
        return Cause.PROBE_FAILED if enough else super().probe_cause(ending, demands=demands)


class _RoundsUp(PolicyFuse):
    """R19: two of three are less than two thirds."""

    def millionths(self, rate: Rate) -> int:
        return super().millionths(rate) + 1


class _RawTakesNothingBack(PolicyFuse):
    """R23: a raw operation that opens the fuse leaves the failed probes."""

    def take_back_raw(self, _lasted: int) -> None:
        pass


class _RawTakesBackByTheHour(PolicyFuse):
    """R23: five minutes are too short."""

    def take_back_raw(self, lasted: int) -> None:
        super().take_back_raw(lasted // 12)


class _GrowsFor64(PolicyFuse):
    """R23 as it once was: 64 failed probes are counted, and no more."""

    def open(self, policy: Rules, now: int, why: Cause, asked: int = 0) -> None:
        super().open(policy, now, why, asked)
        self.failed_probes = min(64, self.failed_probes)


class _RestsForWeeks(PolicyFuse):
    """R28: an hour for each failed probe, however many they are."""

    def rest_us(self) -> int:
        return self.failed_probes * 12 * FIVE_MINUTES * 1000


class _AnyFailureStays(PolicyFuse):
    """R28 as it once was: a fuse with a failure in its window is never idle."""

    def window_failures(self, _now: int) -> int:
        return len(self.failures)


class _NoFailureStays(PolicyFuse):
    """R28: a failure does not keep a fuse."""

    def is_idle(self, now: int) -> bool:
        self.failures = []
        return super().is_idle(now)


class _LooksBackForADay(PolicyFuse):
    """R28: failures in a row, and a rate over calls, look back for a day."""

    def window_failures(self, now: int) -> int:
        self.reach_us = min(self.reach_us, DAY * 1000)
        return super().window_failures(now)


class _RoundsTheReachUp(PolicyFuse):
    """R28 as it once was: a breaker looks back for a power of two of microseconds."""

    def window_failures(self, now: int) -> int:
        self.reach_us = 1 << (self.reach_us - 1).bit_length()
        return super().window_failures(now)


def _fail_probes(script: Script, times: int) -> None:
    """Many probes fail; only what comes of it is compared."""
    script("demands")
    for turn in range(times):
        script.machine.advance(500)
        script.machine.call(turn, DB, 0, "failures")


def _is_set_open(script: Script) -> None:
    _fail_probes(script, 3)
    script.wait(500)
    script("successes")
    script.wait(2 * FIVE_MINUTES)
    script.machine.set(0, DB, State.OPEN)
    script.wait(1)


def _comes_back_late(script: Script) -> None:
    _fail_probes(script, 170)
    script.wait(500)
    script("successes")
    script.wait(7 * DAY + 1)
    script.machine.remove(0, DB)


def _fails_and_is_removed(milliseconds: int) -> Callable[[Script], object]:
    def play(script: Script) -> None:
        waits_between("failures", milliseconds)(script)
        script.machine.remove(0, DB)

    return play


_LENIENT = {"threshold": 2}
CASES = [
    Case(_SlowProbesFail, {"rates": (SLOW,)}, lambda script: script.open_and_probe("successes", 500)),
    Case(_DemandsAreFailedProbes, {}, lambda script: script.open_and_probe("demands")),
    Case(
        _RoundsUp, {"threshold": 0, "rates": (Rate(2 / 3, 3, window=1000),)},
        calls(("successes",), ("failures",), ("failures",)),
    ),
    Case(_RawTakesNothingBack, {}, _is_set_open),
    Case(_RawTakesBackByTheHour, {}, _is_set_open),
    Case(_GrowsFor64, {}, _comes_back_late),
    Case(_RestsForWeeks, {}, _comes_back_late),
    Case(_AnyFailureStays, _LENIENT, _fails_and_is_removed(1049)),
    Case(_NoFailureStays, _LENIENT, _fails_and_is_removed(1000)),
    Case(_RoundsTheReachUp, _LENIENT, _fails_and_is_removed(1001)),
    Case(_LooksBackForADay, {**_LENIENT, "window": FOREVER}, _fails_and_is_removed(2 * DAY)),
    Case(_LooksBackForADay, {**_LENIENT, "rates": (Rate(1.0, 3, calls=5),)}, _fails_and_is_removed(2 * DAY)),
]  # fmt: skip
