"""One fuse as a sequential program, in values that can be compared: what the checker holds histories against.

The clock stands still in these histories, so a generation is one more than the one before, and every answer follows
from the state: count, state and since when, transition with its generation. An operation is one step, but for what the
documents say is not:

* the first use of a fuse is a step before the operation's own (a fuse never seen is closed from then on);
* open to half-open and the taking of a seat are two steps;
* a process that is killed between taking a seat and signing it leaves a seat that nobody can tell is a dead one's.

Where it is known what the journal tells of the fuse, an order counts only if it makes just these changes of state.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from checker import Operation

UNSEEN, CLOSED, OPEN, HALF_OPEN, ISOLATED, DISABLED = range(6)
ADMITTED, PROBE, REJECTED = 1, 2, 3
SUCCESS, FAILURE, IGNORED = range(3)
NONE = (0, 0, 0)
"""No transition."""

Key = tuple[int, int]
Steps = Iterator[tuple["Fuse", bool]]


class Fuse(NamedTuple):
    """A fuse's state. A call is known by its operation's key."""

    state: int = UNSEEN
    generation: int = 0
    failures: int = 0
    calls: frozenset[Key] = frozenset()
    """Calls under way that were admitted in this generation and are no probes."""
    seats: frozenset[Key] = frozenset()
    """Probes."""
    unsigned: int = 0
    """Seats of dead processes that nobody can tell are theirs."""
    good: int = 0
    """Probes that have succeeded."""
    moved: frozenset[Key] = frozenset()
    """Calls that have made the fuse half-open, or ended its ramp, and have no verdict yet."""
    bad: int = 0
    """Probes that have failed."""
    climbed: int = 0
    """Calls that asked to pass while ramping."""
    numbered: int = 0
    """Numbers of calls that a rate over calls has given out."""
    meter: tuple[tuple[int, bool], ...] = ()
    """The calls of this generation that a rate has counted: their numbers, and whether they failed."""
    stages: frozenset[tuple[Any, ...]] = frozenset()
    """Calls that are between the steps of their end: their operation's key, and how far they are."""


NEVER_SEEN = Fuse()


@dataclasses.dataclass(frozen=True)
class FuseModel:
    """A fuse whose breakers have these numbers; times are longer than any history, or over at once."""

    begin: int
    """Microseconds that the clock shows."""
    capacity: int
    threshold: int
    probes: int = 1
    success_threshold: int = 1
    first: Fuse = NEVER_SEEN
    told: Mapping[int, tuple[int, int]] | None = None
    """What the journal tells: the states before and after, by the generation that began."""

    def steps(self, fuse: Fuse, operation: Operation) -> Steps:
        """As :class:`checker.Model` has it."""
        act: Callable[[Fuse, Operation], Any] = getattr(self, operation.word)
        for after, answer in act(fuse, operation):
            if after.generation != fuse.generation and not self._is_told(fuse.state, after):
                continue
            if answer is None:
                yield after, False
            elif operation.answer is None or operation.answer == answer:
                yield after, True

    def _is_told(self, before: int, after: Fuse) -> bool:
        """Whether the journal tells of a change of state; of a generation that brings none it must not."""
        change = (before or CLOSED, after.state or CLOSED)
        return self.told is None or self.told.get(after.generation) == (change if self._is_event(*change) else None)

    @staticmethod
    def _is_event(before: int, after: int) -> bool:
        """One manual override behind another is one: it has another end, and other reasons."""
        return before != after or after in (ISOLATED, DISABLED)

    def journal(self, fuse: Fuse, _: Operation) -> Any:
        """When all is over nothing is told that has not happened."""
        if self.told is None or max(self.told, default=0) <= fuse.generation:
            yield fuse, ()

    def move(self, fuse: Fuse, state: int) -> Fuse:
        """A change of state: a later generation, an empty window, no permits."""
        return Fuse(state, max(self.begin, fuse.generation + 1), moved=fuse.moved)

    def _changed(self, fuse: Fuse, state: int) -> tuple[Fuse, tuple[int, int, int]]:
        after = self.move(fuse, state)
        return after, (fuse.state or CLOSED, state or CLOSED, after.generation)

    def record_failure(self, fuse: Fuse, _: Operation) -> Any:
        """Counts, and decides nothing."""
        if fuse.state == UNSEEN:
            yield self.move(fuse, CLOSED), None
        else:
            failures = min(self.capacity, fuse.failures + 1)
            yield fuse._replace(failures=failures), (failures,)

    def record_success(self, fuse: Fuse, _: Operation) -> Any:
        """Clears, and decides nothing."""
        yield (self.move(fuse, CLOSED) if fuse.state == UNSEEN else fuse._replace(failures=0)), ()

    def set(self, fuse: Fuse, operation: Operation) -> Any:
        """Changes the state, unless an operator holds it."""
        if fuse.state in (ISOLATED, DISABLED):
            yield fuse, NONE
        else:
            yield self._changed(fuse, operation.argument[0])

    def command(self, fuse: Fuse, operation: Operation) -> Any:
        """Changes the state."""
        yield self._changed(fuse, operation.argument[0])

    def forget(self, fuse: Fuse, _: Operation) -> Any:
        """A fuse's part of ``reset_all``."""
        yield (fuse if fuse.state == UNSEEN else self.move(fuse, UNSEEN)), ()

    def look(self, fuse: Fuse, _: Operation) -> Any:
        """State and since when; a fuse never seen is closed since ever."""
        yield fuse, (CLOSED, 0) if fuse.state == UNSEEN else (fuse.state, fuse.generation)

    def listed(self, fuse: Fuse, _: Operation) -> Any:
        """A fuse's part of ``all_states``: zeroes if it is not there."""
        yield fuse, (0, 0) if fuse.state == UNSEEN else (fuse.state, fuse.generation)

    def snapshot(self, fuse: Fuse, _: Operation) -> Any:
        """A fuse's part of ``snapshot``, without its counters."""
        yield fuse, (0, 0, 0) if fuse.state == UNSEEN else (fuse.state, fuse.generation, fuse.failures)

    def admit(self, fuse: Fuse, call: Operation) -> Any:
        """A call asks to be made; a patient one finds no open fuse's time up, a hasty one finds each one's up."""
        made = (OPEN, HALF_OPEN, fuse.generation) if call.key in fuse.moved else NONE
        told = call.answer[2:] if call.answer else None
        verdict = self._verdict(fuse, call)
        if fuse.state == UNSEEN:
            yield self.move(fuse, CLOSED), None
        elif fuse.state == OPEN and call.argument[0] == "hasty" and call.key not in fuse.moved:
            after, transition = self._changed(fuse, HALF_OPEN)
            if told in (None, transition):
                yield after._replace(moved=fuse.moved | {call.key}), None
        else:
            if made != NONE and told is not None:
                made = told  # checked when it was made; generations may have begun since
            for after, answer in verdict:
                yield after._replace(moved=fuse.moved - {call.key}), (*answer, *made)

    def _verdict(self, fuse: Fuse, call: Operation) -> Any:
        if fuse.state in (CLOSED, DISABLED):
            yield fuse._replace(calls=fuse.calls | {call.key}), (ADMITTED, 0)
        elif fuse.state == HALF_OPEN and len(fuse.seats) + fuse.unsigned < self.probes:
            yield fuse._replace(seats=fuse.seats | {call.key}), (PROBE, 0)
            if call.ended is None:
                yield fuse._replace(unsigned=fuse.unsigned + 1), (PROBE, 0)
        else:
            yield fuse, (REJECTED, fuse.state)

    def settle(self, fuse: Fuse, operation: Operation) -> Any:
        """A call ends; the answer is the transition that it made."""
        call, outcome = operation.argument[:2]
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
            tripped = failures >= self.threshold
            yield self._changed(fuse, OPEN) if tripped else (fuse._replace(failures=failures), NONE)

    def _probed(self, fuse: Fuse, outcome: int) -> Any:
        if outcome == FAILURE:
            return self._changed(fuse, OPEN)
        if fuse.good + 1 >= self.success_threshold:
            return self._changed(fuse, CLOSED)
        return fuse._replace(good=fuse.good + 1), NONE

    def death(self, fuse: Fuse, operation: Operation) -> Any:
        """A process is gone for good: so are its calls, and its seats are free (rule R11)."""
        dead = operation.process
        living = [
            frozenset(call for call in calls if call[0] != dead) for calls in (fuse.calls, fuse.seats, fuse.moved)
        ]
        yield fuse._replace(calls=living[0], seats=living[1], moved=living[2]), ()
