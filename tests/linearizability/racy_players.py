"""Players that do in two steps what must be one: the checker must find them out. Free of pytest."""

from typing import Any

from fuse_model import FAILURE, NONE, OPEN
from player import DOWN, FUSES, Player
from workers import LONG

from fuseboard import State


class LooksAtTheCount(Player):
    """Wrong on purpose: looks at the count, then stores the failure. Alone, it counts as it should."""

    def record_failure(self, fuse: int) -> None:
        """Two steps."""

        def act() -> tuple[int, ...]:
            seen = self.store.snapshot().get(FUSES[fuse])
            self.linger()
            self.store.record_failure(FUSES[fuse], LONG)
            return (min(self.store.failure_capacity, 1 + (seen.window_failures if seen else 0)),)

        self.note("record_failure", (fuse,), act)


class LooksAtTheHold(Player):
    """Wrong on purpose: looks whether an operator holds the fuse, then sets it. Alone, it is right."""

    def set(self, fuse: int, state: int) -> None:
        """Two steps."""

        def act() -> tuple[int, ...]:
            held = self.store.state(FUSES[fuse]).state in (State.ISOLATED, State.DISABLED)
            self.linger()
            return NONE if held else (self.store._apply_override(FUSES[fuse], state, 0, "", "") or NONE)[:3]

        self.note("set", (fuse, state), act)


class CountsThenTrips(Player):
    """Wrong on purpose: a breaker on raw operations, which counts a failure and then opens. Alone, it is right."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: dict[int, Any] = {}

    def settle(self, index: int, outcome: int) -> None:
        """Two steps for a failure."""
        place, breaker, permit = self.calls[index]
        if outcome != FAILURE or permit.is_probe:
            super().settle(index, outcome)
            return
        del self.calls[index]

        def act() -> tuple[int, ...]:
            if self.store.state(FUSES[0]) != self.seen[place] or self.seen[place].state is not State.CLOSED:
                return NONE
            self.linger()
            count = self.store.record_failure(FUSES[0], LONG)
            self.linger()
            return (self.store._set_state(FUSES[0], OPEN) or NONE)[:3] if count >= breaker.settings.threshold else NONE

        self.note("settle", (0, place, outcome), act)

    def admit(self, kind: str) -> None:
        """As it should, with a note of the state."""
        super().admit(kind)
        self.seen[self.log.place - 1] = self.store.state(FUSES[0])


class JudgesThenCounts(Player):
    """Wrong on purpose: looks at a rate before its own failure counts in it, and opens. Alone, it is right."""

    def __init__(self, *arguments: Any) -> None:
        self.numbers = arguments[-1]
        super().__init__(*arguments[:-1], self.numbers._replace(min_calls=100_000))
        self.seen: dict[int, Any] = {}

    def settle(self, index: int, outcome: int) -> None:
        """Two steps for a failure under a rate, of which the breaker itself never says that it is reached."""
        place, breaker, permit = self.calls[index]
        if outcome != FAILURE or permit.is_probe:
            super().settle(index, outcome)
            return
        del self.calls[index]

        def act() -> tuple[int, ...]:
            ((calls, bad),) = breaker.rates().values()
            self.linger()
            breaker.told = NONE
            before = self.store.state(FUSES[0])
            breaker._settle(permit, DOWN)
            is_reached = calls + 1 >= self.numbers.min_calls and 100 * (bad + 1) >= self.numbers.percent * (calls + 1)
            is_current = before == self.store.state(FUSES[0]) and before.state is State.CLOSED
            opens = is_reached and is_current and self.seen[place] == before
            return (self.store._set_state(FUSES[0], OPEN) or NONE)[:3] if opens else breaker.told

        self.note("settle", (0, place, outcome), act)

    def admit(self, kind: str) -> None:
        """As it should, with a note of the state."""
        super().admit(kind)
        self.seen[self.log.place - 1] = self.store.state(FUSES[0])
