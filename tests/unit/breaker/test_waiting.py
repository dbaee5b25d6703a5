"""``wait()`` and ``wait_async()``: until a call may pass. Sleeps are counted, not timed."""

import asyncio
import contextlib
import gc
import itertools
import os
import time
import weakref
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import trio
import trio.testing

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard._breaker import waiting
from fuseboard.testing import Clock, force_state
from helpers import trip, wait_for_probe


class Sleeps:
    """What sleeps in the place of the interpreter: it moves the store's clock and the process's, and remembers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.begin = clock.now
        self.pauses: list[float] = []
        self.then: Callable[[int], object] = lambda _count: None

    def sleep(self, seconds: float) -> None:
        """Sleeps; then something happens."""
        self.pauses.append(seconds)
        self.clock.advance(seconds)
        self.then(len(self.pauses))

    async def asleep(self, seconds: float) -> None:
        """The same in a task; 0 is for others to run, and no sleep."""
        if seconds:
            self.sleep(seconds)

    def now(self) -> float:
        """The process's clock."""
        return self.clock.now - self.begin


@pytest.fixture
def sleeps(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Sleeps:
    """Sleeps without time, and half of the random part each time."""
    made = Sleeps(clock)
    monkeypatch.setattr(time, "sleep", made.sleep)
    monkeypatch.setattr(asyncio, "sleep", made.asleep)
    monkeypatch.setattr(time, "monotonic", made.now)
    monkeypatch.setattr(waiting, "_share", lambda: 0.5)
    return made


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the first failure, for 30 s; a probe may take 40 s."""
    return CircuitBreaker("db", threshold=1, reset_timeout=30, probe_timeout=40, store=store)


Wait = Callable[..., bool]


def in_a_task(breaker: CircuitBreaker, *args: Any) -> bool:
    """``wait_async`` in a loop of its own. The sleeps of these tests suspend nothing, so none is needed."""
    coroutine = breaker.wait_async(*args)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return bool(end.value)
    raise AssertionError("it was suspended")


@pytest.fixture(params=["thread", "task"])
def wait(request: pytest.FixtureRequest) -> Wait:
    """Either way to wait."""
    if request.param == "thread":
        return CircuitBreaker.wait
    return in_a_task


pytestmark = pytest.mark.of_the_process


@pytest.mark.parametrize("state", [State.CLOSED, State.DISABLED, State.HALF_OPEN, None])
def test_where_a_call_may_pass_nobody_sleeps(
    breaker: CircuitBreaker, sleeps: Sleeps, wait: Wait, state: State | None
) -> None:
    """R01, R02, R06, R12."""
    if state is not None:
        force_state(breaker, state)
    assert wait(breaker)
    assert wait(breaker, 0)
    assert [] == sleeps.pauses


def test_an_open_fuse_is_waited_for_until_a_probe_may_go_out(
    breaker: CircuitBreaker, sleeps: Sleeps, clock: Clock, wait: Wait
) -> None:
    """R06: by what is left of the open time, and a little more, so that not all who wait come at once."""
    trip(breaker)
    clock.advance(29.5)
    assert wait(breaker)
    assert [0.225, 0.225, 0.075] == pytest.approx(sleeps.pauses, abs=1e-5)
    assert State.OPEN is breaker.state, "it took no permit"
    breaker.call(int)
    assert State.CLOSED is breaker.state


def test_a_waiting_worker_looks_four_to_five_times_a_second(
    breaker: CircuitBreaker, sleeps: Sleeps, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it costs: a look each time, and never a busy loop."""
    looks = itertools.count()
    look = CircuitBreaker._rejection_now

    def counted(breaker: CircuitBreaker) -> object:
        next(looks)
        return look(breaker)

    monkeypatch.setattr(CircuitBreaker, "_rejection_now", counted)
    trip(breaker)
    assert wait(breaker)
    assert 134 == len(sleeps.pauses)
    assert 135 == next(looks)
    assert 4 < 134 / 30 < 5


def test_a_short_rest_makes_nobody_spin(breaker: CircuitBreaker, sleeps: Sleeps, clock: Clock, wait: Wait) -> None:
    """However little is left, a sleep is never shorter than 10 ms."""
    trip(breaker)
    clock.advance(29.995)
    assert wait(breaker)
    assert [0.035] == pytest.approx(sleeps.pauses)


def test_while_a_fuse_ramps_up_the_call_itself_finds_out(
    store: Store, sleeps: Sleeps, clock: Clock, wait: Wait
) -> None:
    """R26: which of the calls pass goes by their number, and no look is one. Who slept once is to try.

    Else a fuse whose next call is none of the share would keep all who wait until almost the end of the ramp.
    """
    breaker = CircuitBreaker("db", threshold=1, reset_timeout=30, ramp=600, store=store)
    wait_for_probe(breaker, clock)
    breaker.call(int)
    assert State.RAMPING is breaker.state
    passed = 0
    for _ in range(100):
        slept = len(sleeps.pauses)
        assert wait(breaker)
        assert len(sleeps.pauses) - slept <= 1
        with contextlib.suppress(CircuitOpenError):
            breaker.call(int)
            passed += 1
    assert 5 < passed < 30, "a share passes, and it is no other than without waiting"
    assert 100 - passed == len(sleeps.pauses)


@pytest.mark.parametrize("close", [CircuitBreaker.reset, CircuitBreaker.disable])
def test_a_fuse_that_closes_early_is_noticed_at_the_next_look(
    breaker: CircuitBreaker, store: Store, sleeps: Sleeps, wait: Wait, close: Callable[[CircuitBreaker], None]
) -> None:
    """Whoever closes it, within a quarter of a second."""
    trip(breaker)
    others = CircuitBreaker("db", store=store)
    sleeps.then = lambda count: close(others) if count == 3 else None
    assert wait(breaker)
    assert 3 == len(sleeps.pauses)
    assert max(sleeps.pauses) < 0.25


def test_an_isolated_fuse_is_waited_for_too(breaker: CircuitBreaker, sleeps: Sleeps, wait: Wait) -> None:
    """R12: until an operator gives it free, who says not when."""
    breaker.isolate()
    sleeps.then = lambda count: breaker.reset() if count == 9 else None
    assert wait(breaker)
    assert [0.225] * 9 == pytest.approx(sleeps.pauses)


def test_an_isolation_for_a_time_is_waited_for_until_it_ends(
    breaker: CircuitBreaker, sleeps: Sleeps, clock: Clock, wait: Wait
) -> None:
    """R12: then a probe may go out."""
    begin = clock.now
    breaker.isolate(for_=60)
    assert wait(breaker)
    assert 60 <= clock.now - begin < 60.25
    assert 4 < len(sleeps.pauses) / 60 < 5


def test_the_one_probe_of_another_is_waited_for(
    breaker: CircuitBreaker, sleeps: Sleeps, clock: Clock, wait: Wait
) -> None:
    """R06, R11: until it has said how it went, or its lease is over."""
    wait_for_probe(breaker, clock)
    probe = breaker.permit()
    sleeps.then = lambda count: probe.success() if count == 2 else None
    assert wait(breaker)
    assert 2 == len(sleeps.pauses)
    wait_for_probe(breaker, clock)
    hangs = breaker.permit()
    sleeps.then = lambda _count: None
    begin = clock.now
    assert wait(breaker)
    assert 40 <= clock.now - begin < 40.25
    hangs.ignore()


@pytest.mark.parametrize("timeout", [1, 1.0, timedelta(seconds=1)])
def test_it_ends_when_the_time_is_up(
    breaker: CircuitBreaker, sleeps: Sleeps, wait: Wait, timeout: float | timedelta
) -> None:
    """With a last look then, and not a moment later."""
    trip(breaker)
    assert not wait(breaker, timeout)
    assert [0.225, 0.225, 0.225, 0.225, 0.1] == pytest.approx(sleeps.pauses)
    sleeps.then = lambda count: breaker.reset() if count == 10 else None
    assert wait(breaker, timeout), "what happened in the last sleep is seen"
    assert 10 == len(sleeps.pauses)


def test_with_no_time_it_looks_once(breaker: CircuitBreaker, sleeps: Sleeps, wait: Wait) -> None:
    """A ``check`` that says False."""
    trip(breaker)
    assert not wait(breaker, 0)
    assert [] == sleeps.pauses


@pytest.mark.parametrize(
    ("timeout", "error"),
    [("5", TypeError), (True, TypeError), (-1, ValueError), (float("nan"), ValueError), (7 * 86_400.1, ValueError)],
)
def test_what_is_no_time_is_refused(breaker: CircuitBreaker, wait: Wait, timeout: Any, error: type[Exception]) -> None:
    """Also where it would not be needed."""
    with pytest.raises(error, match=r"^timeout must be "):
        wait(breaker, timeout)


def test_who_waits_is_seen_by_nobody(breaker: CircuitBreaker, store: Store, sleeps: Sleeps, wait: Wait) -> None:
    """It counts nothing, takes nothing and tells nothing."""
    trip(breaker)
    before, journal = store.snapshot(), store.journal()
    assert wait(breaker)
    assert (before, journal) == (store.snapshot(), store.journal())
    assert sleeps.pauses


def test_a_shadow_waits_for_nothing(store: Store, sleeps: Sleeps, wait: Wait) -> None:
    """It rejects nobody."""
    shadow = CircuitBreaker("db", shadow=True, store=store)
    shadow.isolate()
    assert wait(shadow)
    assert [] == sleeps.pauses


def test_a_fault_of_ours_stops_nobody(
    breaker: CircuitBreaker, sleeps: Sleeps, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal 1: a call would go on unguarded."""

    def broken(_breaker: object) -> object:
        raise OSError("torn")

    trip(breaker)
    monkeypatch.setattr(CircuitBreaker, "_fuse", broken)
    assert wait(breaker)
    assert ([], 1) == (sleeps.pauses, breaker.faults)


def test_ctrl_c_ends_it_and_leaves_nothing_behind(breaker: CircuitBreaker, sleeps: Sleeps, wait: Wait) -> None:
    """So does any exception that a signal handler raises."""

    def interrupt(_count: int) -> None:
        raise KeyboardInterrupt

    trip(breaker)
    before = breaker.store.snapshot()
    sleeps.then = interrupt
    with pytest.raises(KeyboardInterrupt):
        wait(breaker)
    assert before == breaker.store.snapshot()
    gone = weakref.ref(breaker)
    assert [] == [held for held in gc.get_objects() if isinstance(held, waiting.Waiting)]
    assert gone() is breaker


def test_those_who_wait_for_one_moment_do_not_wake_at_one_instant(
    breaker: CircuitBreaker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A herd that comes in one instant would find one probe; the random part is up to 50 ms, in any process."""
    trip(breaker)
    clock.advance(29.95)
    pauses = [waiting.Waiting(breaker._rejection_now, None).look() for _ in range(200)]
    assert all(0.05 <= (pause or 0) < 0.1 + 1e-6 for pause in pauses)
    assert 100 < len(set(pauses))
    monkeypatch.setattr(os, "urandom", lambda count: b"\xff" * count)
    assert 0.0999 < (waiting.Waiting(breaker._rejection_now, None).look() or 0) < 0.1 + 1e-6


RUNS: dict[str, Callable[[Callable[[], Awaitable[Any]]], Any]] = {
    "asyncio": lambda main: asyncio.run(main()),  # type: ignore[arg-type]
    "trio": trio.run,
}


@pytest.mark.parametrize("library", RUNS)
def test_other_tasks_run_while_one_waits(breaker: CircuitBreaker, library: str) -> None:
    """Under asyncio and trio; one that need not wait lets them run once."""
    run = RUNS[library]
    seen: list[str] = []

    async def other() -> None:
        seen.append("ran")
        breaker.reset()

    async def under_asyncio() -> bool:
        task = asyncio.ensure_future(other())
        passed = await breaker.wait_async()
        seen.append("waited")
        await task
        return passed

    async def under_trio() -> bool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            with trio.testing.assert_checkpoints():  # which of two tasks is next there is left to chance
                passed = await breaker.wait_async()
        seen.append("waited")
        return passed

    main = under_asyncio if library == "asyncio" else under_trio
    trip(breaker)
    assert run(main)
    assert run(main), "it is closed now"
    assert ["ran", "waited"] * 2 == seen


@pytest.mark.parametrize("library", RUNS)
def test_a_task_that_is_cancelled_stops_waiting(breaker: CircuitBreaker, library: str) -> None:
    """At once, also one that waits for ever; it leaves nothing behind."""
    run = RUNS[library]

    async def under_asyncio() -> int:
        task = asyncio.ensure_future(breaker.wait_async())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks()) - 1

    async def under_trio() -> int:
        with trio.move_on_after(0) as scope:
            await breaker.wait_async()
        assert scope.cancelled_caught
        return 0

    breaker.isolate()
    before = breaker.store.snapshot()
    assert 0 == run(under_asyncio if library == "asyncio" else under_trio)
    assert before == breaker.store.snapshot()


def test_a_breaker_follows_its_fuse_while_it_waits(
    breaker: CircuitBreaker, store: Store, sleeps: Sleeps, wait: Wait
) -> None:
    """R28: to the name's new place, if an operator resets it and it is removed meanwhile."""
    breaker.isolate()

    def remove(count: int) -> None:
        if count == 2:
            breaker.reset()
            assert store.remove("db")

    sleeps.then = remove
    assert wait(breaker)
    assert 2 == len(sleeps.pauses)
