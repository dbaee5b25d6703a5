"""Work for processes that are killed at random instants, and what must hold afterwards. Free of pytest."""

import itertools
import os
import random
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import storm_policies
from storm_policies import POLICED, Policed, measured_breaker, policed_breaker
from workers import LONG, Post, ServiceError, Words, attempt, fail, open_store

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store, Transition

STEADY = "steady"
HOT = [f"hot{number}" for number in range(4)]
RAW = [f"raw{number}" for number in range(8)]
HELD = "operated"
CLAIMS = [f"claim{number}" for number in range(600)]
NAMES = {STEADY, HELD, *HOT, *RAW, *CLAIMS, *storm_policies.NAMES}
BURST = 200
RING = 2048
"""Records that the journal holds."""
LEADS = 0.01
"""Seconds by which a stamp may lead the clock: transitions within a microsecond push it ahead, by one each."""


class Site(NamedTuple):
    """Where a storm rages: the store's name, the ledger, and how many processes there are at a time."""

    host: str
    ledger: Path
    seats: int


class Ledger:
    """What each seat has done, in memory that outlives it. A seat is one process's at a time."""

    FIELDS = ("operations", "begun", "ended", "measured", "counted")

    def __init__(self, site: Site) -> None:
        self._seats = site.seats
        self._words = Words(site.ledger, site.seats * len(self.FIELDS))

    def add(self, seat: int, field: str, times: int = 1) -> None:
        """Adds so many."""
        self._words[seat * len(self.FIELDS) + self.FIELDS.index(field)] += times

    def total(self, field: str) -> int:
        """The sum over all seats."""
        return sum(self._words[seat * len(self.FIELDS) + self.FIELDS.index(field)] for seat in range(self._seats))


def _service() -> Generator[None, str, None]:
    if (yield) == "failure":
        raise ServiceError


class Stage:
    """The breakers and stores that a process of the storm works on, and its operations."""

    def __init__(self, site: Site, seat: int, seed: int) -> None:
        self.name = site.host
        self.ledger = Ledger(site)
        self.seat = seat
        self.random = random.Random(seed)  # noqa: S311 - to be repeated
        self.store = open_store(site.host)
        self.steady = CircuitBreaker(STEADY, store=self.store, threshold=256, window=LONG)
        self.hot = [hot_breaker(self.store, number) for number in range(len(HOT))]
        self.operated = CircuitBreaker(HELD, store=self.store)
        self.policed = Policed(self.store, self.random, lambda field: self.ledger.add(seat, field))
        self.calls: list[Generator[None, str, None]] = []
        self.seen = 0

    def call_steady(self) -> None:
        """A call that is noted before and after it, so that what a kill may lose is bounded from both sides."""
        self.ledger.add(self.seat, "begun")
        attempt(lambda: self.steady.call(fail if self.random.random() < 0.2 else int))
        self.ledger.add(self.seat, "ended")

    def call_hot(self) -> None:
        """A call on a fuse that trips, is probed and closes all the time."""
        breaker = self.random.choice(self.hot)
        attempt(lambda: breaker.call(fail if self.random.random() < 0.5 else int))

    def hold(self) -> None:
        """A call, perhaps a probe, that stays under way while others are made."""
        if len(self.calls) > 2:
            call = self.calls.pop(0)
            try:
                attempt(lambda: call.send(self.random.choice(["success", "failure"])))
            except StopIteration:
                return
        call = self.random.choice(self.hot)(_service)()
        try:
            next(call)
        except CircuitOpenError:
            return
        self.calls.append(call)

    def do_raw(self) -> None:
        """A raw operation."""
        fuse = self.random.choice(RAW + HOT)
        operation = self.random.choice(["set_open", "set_half_open", "set_closed", "record_success", "record_failure"])
        if operation == "record_failure":
            count = self.store.record_failure(fuse, self.random.choice([0.001, 0.1, LONG]))
            assert 1 <= count <= self.store.failure_capacity, count
        else:
            getattr(self.store, operation)(fuse)

    def burst(self) -> None:
        """Many operations with next to no Python in between, so that a kill is likely to come in the middle of one."""
        fuse = self.random.choice(RAW)
        windows = itertools.repeat(1_000_000, BURST)
        counts = list(map(self.store._record_failure_us, itertools.repeat(fuse), windows))
        assert all(1 <= count <= self.store.failure_capacity for count in counts), counts
        guarded = self.random.choice(self.hot)(abs)
        attempt(lambda: list(map(guarded, itertools.repeat(0, BURST))))
        self.ledger.add(self.seat, "operations", 2 * BURST - 1)

    def operate(self) -> None:
        """A manual override, which may end by itself, and a call under it."""
        word = self.random.choice(["isolate", "disable", "reset"])
        end = {} if word == "reset" else {"for_": self.random.choice([None, 0.001, 0.01])}
        getattr(self.operated, word)(who=f"worker {self.seat}", why="a storm", **end)
        attempt(lambda: self.operated.call(fail))

    def reopen(self) -> None:
        """Another store is opened, perhaps made, used and closed."""
        with open_store(f"{self.name}-{self.random.randrange(4)}") as store:
            store.record_failure(self.random.choice(CLAIMS[:50]), LONG)
            if self.random.random() < 0.1:
                store.reset_all()
            assert unsound(store) == []

    def claim(self) -> None:
        """A fuse of a name that may be new."""
        self.store.record_failure(self.random.choice(CLAIMS), LONG)

    def look(self) -> None:
        """Everything that stands in the table is looked at."""
        assert unsound(self.store) == []
        self.policed.look()
        assert told(self.store, is_quiet=False).faults == []
        steady = self.store.snapshot().get(STEADY)
        seen = steady.successes + steady.failures if steady else 0
        assert seen >= self.seen, f"a counter went from {self.seen} to {seen}"
        self.seen = seen


OPERATIONS: dict[Callable[[Stage], None], int] = {
    Stage.call_steady: 30,
    Stage.call_hot: 30,
    Stage.hold: 15,
    Stage.do_raw: 30,
    Stage.burst: 30,
    Stage.operate: 5,
    Stage.reopen: 2,
    Stage.claim: 10,
    Stage.look: 1,
    lambda stage: stage.policed.call(): 30,
    lambda stage: stage.policed.call_measured(): 3,
    lambda stage: stage.policed.remove(): 3,
    lambda stage: stage.policed.disturb(): 1,
}


def hot_breaker(store: Store, number: int) -> CircuitBreaker:
    """A breaker that goes round the states as fast as it may, with 1 to 4 probes."""
    probes = number + 1
    times = {"window": 1.0, "reset_timeout": 0.002, "probe_timeout": 0.02}
    return CircuitBreaker(HOT[number], store=store, threshold=3, probes=probes, success_threshold=probes, **times)


def unsound(store: Store) -> list[str]:
    """What is wrong with what a store says of its fuses."""
    states, snapshots = store.all_states(), store.snapshot()
    latest = store.now() + LEADS
    faults = [f"unknown name {name!r}" for name in {*states, *snapshots} - NAMES]
    faults += [f"{name}: {state}" for name, state in states.items() if not _is_sound(state.state, state.since, latest)]
    for name, snapshot in snapshots.items():
        last = snapshot.last_failure
        good = _is_sound(snapshot.state, snapshot.since, latest) and (last is None or 0 < last <= latest)
        if not (good and 0 <= snapshot.window_failures <= store.failure_capacity):
            faults.append(f"{name}: {snapshot}")
    return faults


class Told(NamedTuple):
    """What the journal says, and how it hangs together."""

    entries: int
    missing: int
    """Records of the ring, at most, that are not there, or not yet, or there twice."""
    breaks: list[str]
    """Where a fuse's records do not follow one another, or its last one is not of its state."""
    faults: list[str]


def is_event(each: Transition) -> bool:
    """One manual override behind another is one: it has another end, and other reasons."""
    return each.before is not each.after or each.after in (State.ISOLATED, State.DISABLED)


def told(store: Store, *, is_quiet: bool) -> Told:
    """Judges the journal. Of two records of a fuse between which none is missing one follows the other."""
    is_full = store.journal_dropped > 0  # asked first: then the ring was full when it was read
    entries = store.journal()
    latest = store.now() + LEADS
    # The last of each fuse may stand in the fuse alone, and takes no place in the ring.
    missing = RING - len(entries) + len({each.fuse for each in entries}) if is_full else 0
    faults = [str(each) for each in entries if each.fuse not in NAMES or not is_event(each) or each.at > latest]
    breaks = breaks_of(entries)
    if is_quiet:
        last = {each.fuse: each for each in entries}
        breaks += [str(each) for each in last.values() if store.state(each.fuse).state is not each.after]
    if len(breaks) > missing and (is_full or is_quiet):
        faults += [f"{missing} records are missing for:", *breaks]
    return Told(len(entries), missing, breaks, faults)


def breaks_of(entries: list[Transition]) -> list[str]:
    """Where a fuse's records do not follow one another.

    Of each fuse the first may be of long ago: a writer that was stopped for a lap of the ring wrote it down again.
    """
    last: dict[str, Transition] = {}
    breaks, firsts = [], set()
    for each in entries:
        before = last.get(each.fuse)
        if before is None:
            firsts.add(each.fuse)
        elif before.generation >= each.generation or (each.fuse not in firsts and before.after is not each.before):
            breaks.append(f"{before}, then {each}")
        else:
            firsts.discard(each.fuse)
        last[each.fuse] = each
    return breaks


def _is_sound(state: Any, since: float | None, latest: float) -> bool:
    return isinstance(state, State) and since is not None and 0 < since <= latest


def work(post: Post, site: Site, seat: int, seed: int) -> dict[str, Any]:
    """Does random operations until told to stop, or killed. Then, with its team, counts failures on a quiet fuse."""
    os.nice(5)  # to those who kill
    stage = Stage(site, seat, seed)
    operations, weights = list(OPERATIONS), list(OPERATIONS.values())
    slowest = 0.0
    while not post.is_told():
        for operation in stage.random.choices(operations, weights, k=32):
            begun = time.monotonic()
            operation(stage)
            slowest = max(slowest, time.monotonic() - begun)
            stage.ledger.add(seat, "operations")
    post.hear()
    post.say({"slowest": slowest, "faults": unsound(stage.store)})
    post.hear()
    return {fuse: [stage.store.record_failure(fuse, LONG) for _ in range(20)] for fuse in RAW}


def decide(_post: Post, name: str) -> dict[str, Any]:
    """What a process finds that comes after the storm: a decision on each breaker, an operation on each fuse."""
    begun = time.monotonic()
    store = open_store(name)
    breakers = [hot_breaker(store, number) for number in range(len(HOT))]
    words = [attempt(lambda breaker=breaker: breaker.call(int)) for breaker in breakers]  # type: ignore[misc]
    for fuse in RAW + CLAIMS:
        store.record_success(fuse)
    seconds = time.monotonic() - begun
    steady = store.snapshot()[STEADY]
    return {
        "seconds": seconds,
        "words": words,
        "faults": unsound(store),
        "told": told(store, is_quiet=True),
        "rates": storm_policies.unsound_rates([policed_breaker(store, number) for number in range(len(POLICED))]),
        "measured": [tuple(count) for count in measured_breaker(store).rates().values()],
        "counted": steady.successes + steady.failures,
        "disturbed": steady.late_outcomes + steady.trips + steady.rejections + steady.probes,
        "overflowed": store.overflowed,
    }


def go_round(_post: Post, name: str) -> list[list[str]]:
    """Takes every hot fuse once round its states; the words of each call."""
    store = open_store(name)
    return [_round_of(hot_breaker(store, number)) for number in range(len(HOT))]


def _round_of(breaker: CircuitBreaker) -> list[str]:
    # The same fuse with a longer timer, so that a slow machine sees it open (R15).
    patient = CircuitBreaker(breaker.name, store=breaker.store, threshold=3, reset_timeout=LONG)
    patient.reset()
    words = [attempt(lambda: patient.call(fail)) for _ in range(4)]
    since = breaker.store.state(breaker.name).since
    assert since is not None
    while breaker.store.now() < since + 0.002:
        pass
    words += [attempt(lambda: breaker.call(int)) for _ in range(breaker.settings.success_threshold)]
    return [*words, breaker.state.value]
