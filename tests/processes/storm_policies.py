"""The part of the storm that has policies with everything (R19 to R28), and what must hold of it. Free of pytest."""

import random
from collections.abc import Callable
from typing import Any

from workers import LONG, Post, attempt, fail, open_store

from fuseboard import CircuitBreaker, CircuitOpenError, FailureRate, Failures, Policy, SlowRate, Store, TripError

POLICED = [f"policed{number}" for number in range(4)]
MEASURED = "measured"
LEASED = [f"leased{number}" for number in range(40)]
NAMES = {MEASURED, *POLICED, *LEASED}
SLOW = 0.001
CALLS = 10
MOST_FAILED = 65_535
EVERYTHING: Policy = (
    Failures(6, None)
    | FailureRate(0.5, window=0.5, min_calls=6)
    | FailureRate(0.6, calls=CALLS, min_calls=5)
    | SlowRate(0.5, slow_after=SLOW, window=0.5, min_calls=4)
    | SlowRate(0.5, slow_after=SLOW, calls=CALLS, min_calls=3)
)


def hint(_: BaseException) -> float | None:
    """What a server asks for, after each failure."""
    return 0.004


def policed_breaker(store: Store, number: int, *, shadow: bool = False) -> CircuitBreaker:
    """A breaker that goes round all states as fast as it may, with 1 to 4 probes."""
    times = {"reset_timeout": 0.002, "max_reset_timeout": 0.02, "probe_timeout": 0.02, "half_open_timeout": 0.01}
    return CircuitBreaker(
        POLICED[number], store=store, policy=EVERYTHING, multiplier=1.5, jitter=0.5, probes=number + 1,
        success_threshold=2, probe_failures=2, ramp=0.01, ramp_from=0.3, shadow=shadow, trip_if=PermissionError,
        open_for=hint if number % 2 else None, **times,
    )  # fmt: skip


def measured_breaker(store: Store) -> CircuitBreaker:
    """A breaker whose rate counts each call and is never reached."""
    return CircuitBreaker(MEASURED, store=store, policy=FailureRate(1.0, window=LONG, min_calls=100_000))


class Policed:
    """A process's breakers with policies, and what it does with them."""

    def __init__(self, store: Store, dice: random.Random, note: Callable[[str], None]) -> None:
        self.store = store
        self.random = dice
        self.note = note
        self.breakers = [policed_breaker(store, number) for number in range(len(POLICED))]
        self.shadow = policed_breaker(store, 0, shadow=True)
        self.measured = measured_breaker(store)

    def call(self) -> None:
        """A call that goes well or badly, demands, asks or takes long."""
        breaker = self.random.choice([*self.breakers, self.shadow])
        act = self.random.choice([int, int, int, fail, fail, demand, forbid, lambda: be_slow(self.store)])
        attempt_all(lambda: breaker.call(act))

    def call_measured(self) -> None:
        """A call that is noted before and after it, and counted in a rate in between."""
        self.note("measured")
        attempt(lambda: self.measured.call(fail if self.random.random() < 0.2 else int))
        self.note("counted")

    def remove(self) -> None:
        """A fuse is removed, if it is idle; or is used, as one that is new."""
        fuse = self.random.choice(LEASED + POLICED)
        if self.random.random() < 0.5:
            self.store.remove(fuse)
        elif fuse in LEASED:
            self.store.record_success(fuse)

    def disturb(self) -> None:
        """Somebody else changes the state of one of them."""
        fuse = self.random.choice(POLICED)
        self.random.choice([self.store.set_open, self.store.set_half_open, self.store.set_closed])(fuse)

    def look(self) -> None:
        """What the rates say is looked at."""
        assert unsound_rates([*self.breakers, self.measured]) == []


def be_slow(store: Store) -> None:
    """Takes long enough to be slow, by the clock that judges it."""
    until = store.now() + SLOW
    while store.now() < until:
        pass


def demand() -> None:
    """A call that opens the fuse, and says for how long."""
    raise TripError("later", 0.005)


def forbid() -> None:
    """A call that opens the fuse by ``trip_if``."""
    raise PermissionError


def attempt_all(call: Callable[[], Any]) -> str:
    """As :func:`workers.attempt`, of calls that demand."""
    try:
        return attempt(call)
    except (TripError, PermissionError):
        return "failed"


def unsound_rates(breakers: list[CircuitBreaker]) -> list[str]:
    """What is wrong with what the rates of some fuses have counted, and with their failed probes."""
    faults = []
    for breaker in breakers:
        for policy, (calls, bad) in breaker.rates().items():
            most = getattr(policy, "calls", None) or (1 << 32)
            faults += [] if 0 <= bad <= calls <= most + 1 else [f"{breaker.name}: {bad} of {calls} by {policy}"]
        seen = breaker.store.snapshot().get(breaker.name)
        if seen and not 0 <= seen.failed_probes <= MOST_FAILED:
            faults.append(f"{breaker.name}: {seen.failed_probes} failed probes")
    return faults


RATES = [
    FailureRate(1.0, window=LONG, min_calls=3),
    FailureRate(1.0, calls=3),
    SlowRate(1.0, slow_after=SLOW, window=LONG, min_calls=3),
    SlowRate(1.0, slow_after=SLOW, calls=3),
]
EXPECTED = [
    *(word for _ in RATES for word in ("bad", "bad", "bad", "open", "1 of 1")),
    "failed", "failed", "grown", "asked", "half", "closed", "overdue",
]  # fmt: skip


def round_of(store: Store, number: int, breaker_class: type[CircuitBreaker] = CircuitBreaker) -> list[str]:
    """Takes a fuse once through everything that a policy can have; what came of it, in words."""
    words = []
    for rate in RATES:
        breaker = breaker_class(POLICED[number], store=store, policy=rate, reset_timeout=LONG)
        breaker.reset()
        words += [_bad_call(breaker) for _ in range(3)]
        words.append(attempt(lambda breaker=breaker: breaker.call(int)))  # type: ignore[misc]
        breaker.reset()
        _bad_call(breaker)
        words += ["{1} of {0}".format(*count) for count in breaker.rates().values()]
    return words + _come_back(breaker_class, store, POLICED[number])


def go_through_policies(_post: Post, name: str) -> list[list[str]]:
    """Takes every fuse that has policies through all that they can have; the words of each."""
    store = open_store(name)
    return [round_of(store, number) for number in range(len(POLICED))]


def _bad_call(breaker: CircuitBreaker) -> str:
    is_slow = isinstance(breaker.settings.policy, SlowRate)
    word = attempt(lambda: breaker.call(be_slow, breaker.store) if is_slow else breaker.call(fail))
    return "bad" if word in ("failed", "done") else word


def _come_back(breaker_class: type[CircuitBreaker], store: Store, fuse: str) -> list[str]:
    """Open times grow, a call asks for one, the ramp lets half of the calls through, half-open ends by itself."""
    growing = breaker_class(
        fuse, store=store, threshold=1, reset_timeout=1000, multiplier=2.0, max_reset_timeout=LONG, ramp=LONG,
        ramp_from=0.5, success_threshold=2, half_open_timeout=LONG,
    )  # fmt: skip
    # The same fuse with an open time that is soon up (R15).
    prober = breaker_class(fuse, store=store, threshold=1, reset_timeout=0.002)
    growing.reset()
    words = []
    for open_time in (0.0, 0.002):
        _wait(store, fuse, open_time)
        words.append(attempt(lambda: prober.call(fail)))
    left = _left(growing)
    words.append("grown" if 1000 < left <= 2000 else f"open for {left} s")
    growing.reset()
    attempt_all(lambda: growing.call(_ask))
    left = _left(growing)
    words.append("asked" if 1000 < left <= 1500 else f"open for {left} s")
    store.set_half_open(fuse)
    passed = [attempt(lambda: growing.call(int)) for _ in range(2 + 20)][2:].count("done")
    words.append("half" if 9 <= passed <= 11 else f"{passed} of 20")
    growing.reset()
    words.append(growing.state.value)
    store.set_half_open(fuse)
    hurried = breaker_class(fuse, store=store, reset_timeout=LONG, half_open_timeout=0.001)
    _wait(store, fuse, 0.001)
    words.append("overdue" if attempt(lambda: hurried.call(int)) == "open" else "half-open for ever")
    growing.reset()
    return words


def _ask() -> None:
    raise TripError("later", 1500.0)


def _left(breaker: CircuitBreaker) -> float:
    try:
        breaker.check()
    except CircuitOpenError as rejection:
        return rejection.retry_after or 0.0
    return 0.0


def _wait(store: Store, fuse: str, seconds: float) -> None:
    since = store.state(fuse).since
    assert since is not None
    while store.now() < since + seconds:
        pass
