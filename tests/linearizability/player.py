"""What the processes of a history do: operations at random, each noted before and after it. Free of pytest."""

import contextlib
import contextvars
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from draws import AnyNumbers, PolicyNumbers
from fuse_model import ADMITTED, FAILURE, IGNORED, NONE, PROBE, REJECTED, SUCCESS
from policy_model import DEMAND
from workers import LONG, Words

from fuseboard import CircuitBreaker, CircuitOpenError, Store, TripError, _core
from fuseboard.testing import Clock

PLAYERS = 4
RECORDS = 64
FIRST = 2 + PLAYERS
"""The board: the instant of the common start, whether each is in the middle of an operation, then the logs."""
MOMENT_NS = 300_000
LINGERING = 0.1
WIDTH = 32
FUSES = ("guarded", "raw")
WORDS = (
    "record_failure", "record_success", "set", "command", "look", "all_states", "snapshot", "reset_all",
    "admit", "settle", "drop", "kill", "stop", "go_on",
)  # fmt: skip
COUNTERS = ("successes", "failures", "ignored", "rejections", "probes", "trips", "closes")
BEGUN, WORD, ENDED, ARGUMENT, SIZE, ANSWER = 0, 1, 2, 3, 6, 7
DOWN = ValueError()
CANCELLED = KeyboardInterrupt()
DEMANDED = TripError(retry_after=LONG)


def board_size() -> int:
    """Words of the board: the instant of the common start, and a log for each player and the test."""
    return FIRST + (PLAYERS + 1) * RECORDS * WIDTH


class Log:
    """What one process has done, in memory that outlives it: a record is begun before its operation, ended after it."""

    def __init__(self, words: Words, seat: int) -> None:
        self._words = words
        self._first = FIRST + seat * RECORDS * WIDTH
        self._inside = 1 + seat
        self.place = 0

    def begin(self, word: str, argument: tuple[int, ...]) -> None:
        """Notes that an operation begins now. The time goes in last: a record without one is none."""
        at = self._first + self.place * WIDTH
        self._words[at + WORD] = WORDS.index(word)
        for index, value in enumerate(argument, at + ARGUMENT):
            self._words[index] = value
        self._words[self._inside] = 1
        self._words[at + BEGUN] = time.monotonic_ns()

    def end(self, answer: tuple[int, ...]) -> None:
        """Notes that it ended just now, with this answer."""
        now = time.monotonic_ns()
        self._words[self._inside] = 0
        at = self._first + self.place * WIDTH
        self._words[at + SIZE] = len(answer)
        for index, value in enumerate(answer, at + ANSWER):
            self._words[index] = value
        self._words[at + ENDED] = now
        self.place += 1

    def records(self) -> Iterator[list[int]]:
        """The records, for who reads them afterwards."""
        for place in range(RECORDS):
            at = self._first + place * WIDTH
            if not self._words[at + BEGUN]:
                return
            yield [self._words[index] for index in range(at, at + WIDTH)]

    def wait_for_one_inside(self, seats: list[int]) -> int | None:
        """Waits a moment until one of these processes is in the middle of an operation; which."""
        until = time.monotonic_ns() + MOMENT_NS
        while time.monotonic_ns() < until:
            for seat in seats:
                if self._words[1 + seat]:
                    return seat
            os.sched_yield()
        return None

    def wipe(self) -> None:
        """Makes room for the next history."""
        self._words[self._inside] = 0
        for place in range(RECORDS):
            at = self._first + place * WIDTH
            self._words[at + BEGUN] = self._words[at + ENDED] = 0
        self.place = 0


class RememberingBreaker(CircuitBreaker):
    """A breaker that keeps the codes of the transition it made last."""

    told: tuple[int, int, int] = NONE

    def _transitioned(self, made: Any) -> Any:
        self.told = made[:3]


class Player:
    """One process's hold of a history's table."""

    def __init__(self, log: Log, host: str, seat: int, numbers: AnyNumbers) -> None:
        self.log = log
        self.outcomes = [SUCCESS, SUCCESS, FAILURE, FAILURE, IGNORED]
        self.outcomes += [FAILURE, FAILURE, DEMAND] if isinstance(numbers, PolicyNumbers) else []
        self.store = self.open_store(host, numbers)
        self.breakers = {kind: self._breaker(seat, numbers, kind) for kind in ("patient", "hasty")}
        self.calls: list[list[Any]] = []
        self.random = random.Random(seat)  # noqa: S311 - to be repeated
        self.pidfds: list[int] = []

    def open_store(self, host: str, numbers: AnyNumbers) -> Any:
        """The history's table, on a clock that stands still."""
        return Store.shared(host, fuses=len(FUSES), failures=numbers.capacity, strict=True, clock=Clock())

    def _breaker(self, seat: int, numbers: AnyNumbers, kind: str) -> RememberingBreaker:
        breaker = RememberingBreaker(FUSES[0], store=self.store, reset_timeout=LONG, **numbers.settings())
        # A hasty one finds the time of an open fuse, and a ramp, up at once, though the clock stands still. On such a
        # clock leases of different processes would be the same word, which the table never sees: so each has its own
        # deadline.
        told = breaker.settings.numbers()
        told |= {"probe_us": LONG * 10**6 + seat * 1024}  # type: ignore[typeddict-item]
        if kind == "hasty":
            told |= {"reset_us": 0, "longest_us": 0, "ramp_us": int(told["ramp_us"] > 0)}  # type: ignore[typeddict-item]
        fuse = _core.Fuse(self.store, FUSES[0], told)
        breaker._link(fuse)
        return breaker

    def note(self, word: str, argument: tuple[int, ...], act: Callable[[], tuple[int, ...]]) -> None:
        """Does an operation between two notes."""
        self.log.begin(word, argument)
        self.linger()
        answer = act()
        self.linger()
        self.log.end(answer)

    def linger(self) -> None:
        """Now and then lets others go first in the middle of an operation: on few cores they meet there."""
        if self.random.random() < LINGERING:
            os.sched_yield()

    def record_failure(self, fuse: int) -> None:
        """A raw failure."""
        self.note("record_failure", (fuse,), lambda: (self.store.record_failure(FUSES[fuse], LONG),))

    def record_success(self, fuse: int) -> None:
        """A raw success."""
        self.note("record_success", (fuse,), lambda: self.store.record_success(FUSES[fuse]) or ())

    def set(self, fuse: int, state: int) -> None:
        """A raw change of state."""
        self.note("set", (fuse, state), lambda: (self.store._set_state(FUSES[fuse], state) or NONE)[:3])

    def command(self, fuse: int, state: int, by_handle: bool) -> None:
        """A manual override, by the breaker's handle or by name."""
        if by_handle and fuse == 0:
            handle = self.breakers["patient"]._fuse()
            self.note("command", (fuse, state), lambda: (handle._apply_override(state, 0, "", "") or NONE)[:3])
        else:
            self.note(
                "command",
                (fuse, state),
                lambda: (self.store._apply_override(FUSES[fuse], state, 0, "", "") or NONE)[:3],
            )

    def look(self, fuse: int, by_handle: bool) -> None:
        """State and since when, by the breaker's handle or by name."""
        if by_handle and fuse == 0:
            handle = self.breakers["patient"]._fuse()
            self.note("look", (fuse,), lambda: _codes(handle.state()))
        else:
            self.note("look", (fuse,), lambda: _codes(self.store.state(FUSES[fuse])))

    def all_states(self) -> None:
        """States of all fuses."""

        def act() -> tuple[int, ...]:
            states = self.store.all_states()
            return tuple(code for fuse in FUSES for code in (_codes(states[fuse]) if fuse in states else (0, 0)))

        self.note("all_states", (), act)

    def snapshot(self) -> None:
        """What all fuses have been through."""
        self.note("snapshot", (), lambda: _taken_apart(self.store.snapshot()))

    def reset_all(self) -> None:
        """Every fuse is forgotten."""
        self.note("reset_all", (), lambda: self.store.reset_all() or ())

    def admit(self, kind: str) -> None:
        """A call asks to be made, and goes on if it may."""
        breaker = self.breakers[kind]
        place = self.log.place
        breaker.told = NONE
        self.log.begin("admit", (0, int(kind == "hasty")))
        self.linger()
        try:
            # In a context of its own, as each task has one: no call is inside of another.
            permit = contextvars.Context().run(breaker._admit)
        except CircuitOpenError as error:
            self.log.end((REJECTED, error.state.code, *breaker.told))
        else:
            self.log.end((PROBE if permit.is_probe else ADMITTED, 0, *breaker.told))
            self.calls.append([place, breaker, permit])

    def settle(self, index: int, outcome: int) -> None:
        """A call that is under way ends."""
        place, breaker, permit = self.calls.pop(index)
        breaker.told = NONE
        error = {SUCCESS: None, FAILURE: DOWN, IGNORED: CANCELLED, DEMAND: DEMANDED}[outcome]
        self.note("settle", (0, place, outcome), lambda: breaker._settle(permit, error) or breaker.told)

    def drop(self, index: int) -> None:
        """A call that is under way is thrown away."""
        call = self.calls.pop(index)
        self.note("drop", (0, call[0]), lambda: call.clear() or NONE)  # type: ignore[func-returns-value]

    def send(self, word: str, seat: int) -> None:
        """Kills another process wherever it is, stops it there, or lets it go on."""
        number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "go_on": signal.SIGCONT}[word]
        self.log.begin(word, (0, seat))
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfds[seat], number)
        self.log.end(())


def _codes(seen: Any) -> tuple[int, int]:
    return seen.state.code, round((seen.since or 0) * 1e6)


def _taken_apart(snapshot: dict[str, Any]) -> tuple[int, ...]:
    answer: list[int] = []
    for fuse in FUSES:
        seen = snapshot.get(fuse)
        if seen is None:
            answer += [0] * (3 + len(COUNTERS))
        else:
            answer += [seen.state.code, seen.generation, seen.window_failures]
            answer += [getattr(seen, name) for name in COUNTERS]
    return tuple(answer)
