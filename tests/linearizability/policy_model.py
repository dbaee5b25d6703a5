"""The model of :mod:`fuse_model`, of breakers that have policies.

What is not one step, beside what is not there:

* the end of a call under a rate over a time: it is looked at whether its generation is current, it is counted, the rate
  is judged, and then the failure counts and the fuse perhaps opens. If the fuse changed behind the judging, the rate is
  judged once more;
* the end of a call under a rate over calls: it is counted and judged in one step, and then the failure counts and the
  fuse perhaps opens;
* the end of a ramp, by the call that finds it over, and that call's verdict.

A rate that is reached is not missed, for of bad calls that end at once the last to judge has all of them before it; and
none is said to be reached that is not. The clock stands still, so all calls of a generation are within any time.
"""

import dataclasses
from typing import Any

from checker import Operation
from fuse_model import (
    ADMITTED,
    CLOSED,
    DISABLED,
    FAILURE,
    IGNORED,
    NONE,
    OPEN,
    REJECTED,
    SUCCESS,
    Fuse,
    FuseModel,
    Key,
)

RAMPING = 6
DEMAND = 3
"""An outcome: a failure that demands the trip (R22)."""
NO_RATE, IN_TIME, OF_CALLS = range(3)
GOLDEN = (5**0.5 - 1) / 2


@dataclasses.dataclass(frozen=True)
class PolicyModel(FuseModel):
    """A fuse whose breakers have these numbers too. A threshold of 0 is none."""

    probe_failures: int = 1
    rate: int = NO_RATE
    percent: int = 50
    min_calls: int = 1
    span: int = 14
    ramp_percent: int = -1
    """The share that passes while ramping; -1 for no ramp."""

    def move(self, fuse: Fuse, state: int) -> Fuse:
        """A change of state: rates begin at zero, numbers go on."""
        return super().move(fuse, state)._replace(numbered=fuse.numbered, stages=fuse.stages)

    def _told_of(self, fuse: Fuse, call: Operation) -> tuple[int, int, int] | None:
        """What the call told of a change of state that it made before its verdict."""
        if call.key not in fuse.moved:
            return NONE
        return call.answer[2:] if call.answer else NONE  # type: ignore[return-value]

    def admit(self, fuse: Fuse, call: Operation) -> Any:
        """R26: on the ramp; else as ever."""
        if fuse.state != RAMPING:
            yield from super().admit(fuse, call)
        elif call.argument[0] == "hasty" and call.key not in fuse.moved:
            after, transition = self._changed(fuse, CLOSED)
            if call.answer is None or call.answer[2:] == transition:
                yield after._replace(moved=fuse.moved | {call.key}), None
        elif call.argument[0] == "hasty":
            passed = fuse._replace(calls=fuse.calls | {call.key}, moved=fuse.moved - {call.key})
            yield passed, (ADMITTED, 0, *self._told_of(fuse, call))
        else:
            yield self._climb(fuse, call.key)

    def _climb(self, fuse: Fuse, key: Key) -> tuple[Fuse, tuple[int, ...]]:
        fuse = fuse._replace(climbed=fuse.climbed + 1)
        if fuse.climbed * GOLDEN % 1 < self.ramp_percent / 100:
            return fuse._replace(calls=fuse.calls | {key}), (ADMITTED, 0, *NONE)
        return fuse, (REJECTED, RAMPING, *NONE)

    def settle(self, fuse: Fuse, operation: Operation) -> Any:
        """R19 to R22: a call ends; the answer is the transition that it made."""
        call, outcome = operation.argument[:2]
        stage = next((each[1:] for each in fuse.stages if each[0] == operation.key), ())
        is_measured = self.rate != NO_RATE and outcome != IGNORED and call not in fuse.seats
        if not stage and not (is_measured and call in fuse.calls and fuse.state != DISABLED):
            yield from self._end(fuse, call, outcome)
        else:
            for after, next_stage, answer in self._go_on(fuse, call, outcome, stage):
                rest = frozenset(each for each in after.stages if each[0] != operation.key)
                stages = rest if next_stage is None else rest | {(operation.key, *next_stage)}
                yield after._replace(stages=stages), answer

    def _go_on(self, fuse: Fuse, call: Key, outcome: int, stage: tuple[Any, ...]) -> Any:
        """One of the steps of a call's end under a rate."""
        is_late, how = call not in fuse.calls, stage[0] if stage else "begun"
        if is_late:
            yield fuse, None, NONE
        elif how == "begun" and self.rate == IN_TIME:
            yield fuse, ("checked",), None
        elif how in {"begun", "checked"}:
            meter = (*fuse.meter, (fuse.numbered, outcome != SUCCESS))
            fuse = fuse._replace(meter=meter, numbered=fuse.numbered + 1)
            is_judged = self.rate == OF_CALLS and outcome == FAILURE
            yield fuse, ("judged", self.is_reached(fuse), None) if is_judged else ("counted",), None
        elif outcome == FAILURE and self.rate == IN_TIME and (how == "counted" or stage[2] != fuse.failures):
            yield fuse, ("judged", self.is_reached(fuse), fuse.failures), None
        else:
            ((after, answer),) = self._end(fuse, call, outcome, opens=how == "judged" and stage[1])
            yield after, None, answer

    def is_reached(self, fuse: Fuse) -> bool:
        """R19: enough calls, and enough of them bad."""
        first = fuse.numbered - self.span if self.rate == OF_CALLS else 0
        within = [bad for number, bad in fuse.meter if number >= first]
        return len(within) >= self.min_calls and 100 * sum(within) >= self.percent * len(within)

    def _end(self, fuse: Fuse, call: Key, outcome: int, *, opens: bool = False) -> Any:
        """The last step, in which the outcome counts; ``opens`` if there is a reason beside the count."""
        if call not in fuse.calls | fuse.seats:
            yield fuse, NONE
            return
        was_probe = call in fuse.seats
        fuse = fuse._replace(calls=fuse.calls - {call}, seats=fuse.seats - {call})
        if fuse.state == DISABLED or outcome == IGNORED:
            yield fuse, NONE
        elif was_probe:
            yield self._probed(fuse, outcome)
        elif outcome == SUCCESS:
            yield fuse._replace(failures=0), NONE
        else:
            failures = min(self.capacity, fuse.failures + 1)
            opens = opens or outcome == DEMAND or 0 < self.threshold <= failures
            yield self._changed(fuse, OPEN) if opens else (fuse._replace(failures=failures), NONE)

    def _probed(self, fuse: Fuse, outcome: int) -> Any:
        """R07, R08, R22, R25: a probe ends."""
        if outcome == SUCCESS:
            if fuse.good + 1 >= self.success_threshold:
                return self._changed(fuse, CLOSED if self.ramp_percent < 0 else RAMPING)
            return fuse._replace(good=fuse.good + 1), NONE
        if outcome == DEMAND or fuse.bad + 1 >= self.probe_failures:
            return self._changed(fuse, OPEN)
        return fuse._replace(bad=fuse.bad + 1), NONE

    def death(self, fuse: Fuse, operation: Operation) -> Any:
        """A process is gone for good, wherever its calls were."""
        for after, answer in super().death(fuse, operation):
            stages = frozenset(each for each in after.stages if each[0][0] != operation.process)
            yield after._replace(stages=stages), answer
