"""The store's contract: a full table (rule T12)."""

import asyncio
import mmap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, FailureRate, Failures, Policy, State, Store
from fuseboard.testing import Clock
from helpers import MakeStore, fail, rejection, trip, wait_for_probe

NAMES = [f"fuse-{number}" for number in range(12)]


@pytest.fixture
def small(make_store: MakeStore) -> Store:
    """A store with room for four fuses."""
    return make_store(fuses=4)


@pytest.mark.parametrize(("asked", "got"), [(1, 1), (2, 2), (3, 4), (16, 16), (17, 32)])
def test_the_fuse_capacity_is_the_next_power_of_two(make_store: MakeStore, asked: int, got: int) -> None:
    """A table has room for at least the fuses it was asked for, down to the last slot."""
    store = make_store(fuses=asked)
    assert got == store.fuse_capacity
    for number in range(got):
        store.set_open(f"fuse-{number}")
    assert (0, got) == (store.overflowed, len(store.all_states()))


def test_fuses_beyond_the_capacity_keep_the_contract(small: Store) -> None:
    """T12: a fuse that finds the table full lives in this process, and works."""
    for name in NAMES:
        assert [1, 2] == [small.record_failure(name, 10) for _ in range(2)]
        small.set_open(name)
    assert set(NAMES) == set(small.all_states())
    assert {State.OPEN} == {small.state(name).state for name in NAMES}
    assert 8 == small.overflowed


def test_a_breaker_beyond_the_capacity_keeps_its_rules(small: Store, clock: Clock) -> None:
    """T12: protection goes on with a full table."""
    for name in NAMES:
        small.record_success(name)
    breaker = CircuitBreaker("late-comer", threshold=2, reset_timeout=1, store=small)
    trip(breaker)
    assert rejection(breaker) is not None
    clock.advance(1)
    breaker.call(int)
    assert State.CLOSED is small.state("late-comer").state


def test_breakers_of_one_overflowed_fuse_share_it(small: Store) -> None:
    """T12: one fuse per name, wherever it lives."""
    for name in NAMES:
        small.record_success(name)
    trip(CircuitBreaker("late-comer", threshold=1, store=small))
    assert State.OPEN is CircuitBreaker("late-comer", threshold=1, store=small).state


def by_guard(breaker: CircuitBreaker) -> None:
    """A call of a guarded function."""
    breaker(lambda: None)()


def by_block(breaker: CircuitBreaker) -> None:
    """A block."""
    with breaker:
        pass


def by_coroutine(breaker: CircuitBreaker) -> None:
    """A call that is awaited."""

    async def nothing() -> None:
        pass

    asyncio.run(breaker.acall(nothing))


WAYS = [by_guard, by_block, by_coroutine, lambda breaker: breaker.permit().success(), lambda breaker: breaker.isolate()]


@pytest.mark.parametrize("use", WAYS)
@pytest.mark.parametrize("policy", [Failures(3, window=100), FailureRate(1, window=100)])
def test_a_breaker_that_lives_on_moves_in_once_there_is_room(
    small: Store, clock: Clock, use: Callable[[CircuitBreaker], None], policy: Policy
) -> None:
    """T12, R28: however its calls are made; while the table is full, and while it has failures, it stays."""
    for name in NAMES[:4]:
        small.set_open(name)
    breaker = CircuitBreaker("late-comer", policy=policy, store=small)
    guarded = breaker(lambda: None)
    for _ in range(3):
        guarded()
        clock.advance(2)
    fail(breaker)
    small.set_closed(NAMES[0])
    assert small.remove(NAMES[0])
    clock.advance(61)
    fail(breaker)
    guarded()
    assert 1 == small.overflowed
    use(breaker)
    assert 0 == small.overflowed
    assert not small.is_shared or not small.snapshot()["late-comer"].is_local


def test_overflow_is_warned_of_once_a_store(small: Store, caplog: pytest.LogCaptureFixture) -> None:
    """T12: one warning, which names the store, its size, the fuse and the way out."""
    for name in NAMES:
        small.record_success(name)
        CircuitBreaker(name, store=small)
    (record,) = caplog.records
    assert ("WARNING", "fuseboard") == (record.levelname, record.name)
    called = f"store {small.name!r}" if small.is_shared else "a private store"
    found = (
        f"{called} is full (4 fuses). Fuse 'fuse-4', and any other that finds no room, is kept in this process only."
    )
    assert f"{found} Use a store with more fuses, or use fewer names." == record.getMessage()


def test_asking_for_the_state_of_an_unknown_fuse_needs_no_room(small: Store) -> None:
    """A reading takes no slot, in a full table either."""
    for name in NAMES:
        small.state(name)
    assert 0 == small.overflowed
    for name in NAMES[:4]:
        small.record_success(name)
    assert State.CLOSED is small.state("unknown").state
    assert 0 == small.overflowed


def test_a_snapshot_says_which_fuses_are_this_processs_own(small: Store) -> None:
    """T12: ``is_local`` is the visible flag; every fuse of a private store has it."""
    for name in NAMES:
        small.record_success(name)
    own = [name for name in NAMES if small.snapshot()[name].is_local]
    assert (NAMES[4:] if small.is_shared else NAMES) == own


def test_reset_all_forgets_overflowed_fuses_too(small: Store, clock: Clock) -> None:
    """``reset_all`` knows every fuse that ``all_states`` does."""
    for name in NAMES:
        wait_for_probe(CircuitBreaker(name, threshold=1, store=small), clock)
    small.reset_all()
    assert {} == small.all_states()
    assert {State.CLOSED} == {small.state(name).state for name in NAMES}


def test_a_thousand_fuses_overflow_and_none_is_lost(make_store: MakeStore) -> None:
    """T12: tables of the process's own are added as they are needed."""
    store = make_store(fuses=2, failures=2)
    names = [f"fuse-{number}" for number in range(1000)]
    for name in names:
        store.set_open(name)
    assert set(names) == set(store.all_states())
    assert 998 == store.overflowed


def test_an_overflowed_fuse_counts_as_many_failures_as_the_others(small: Store) -> None:
    """T12, R03: the process's own table has the failure capacity of the store's, to the last one."""
    capacity = small.failure_capacity
    for name in NAMES:
        assert [*range(1, capacity + 1), capacity] == [small.record_failure(name, 10) for _ in range(capacity + 1)]
        small.record_success(name)
        breaker = CircuitBreaker(name, threshold=capacity, store=small)
        fail(breaker, capacity - 1)
        assert State.CLOSED is breaker.state
        fail(breaker)
        assert State.OPEN is breaker.state


@pytest.mark.parametrize("name", ["x", "x" * 200, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 100])
def test_an_overflowed_fuse_may_have_any_name(small: Store, name: str) -> None:
    """T12: 1 to 200 bytes, as in the store's table."""
    for other in NAMES:
        small.record_success(other)
    small.set_open(name)
    assert (State.OPEN, True) == (small.all_states()[name].state, small.snapshot()[name].is_local)


def mapped_bytes() -> int:
    """How much address space this process uses."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE


@pytest.mark.of_the_process
def test_a_table_for_what_overflows_is_no_larger_than_need_be() -> None:
    """T12, T13: a process that overflows a large table need not have room for another of that size."""
    store, number, before = Store.private(fuses=4096), 0, 0
    while 0 == store.overflowed:
        before, number = mapped_bytes(), number + 1
        store.record_success(f"fuse-{number}")
    added = mapped_bytes() - before
    small = Store.private(fuses=1024, failures=store.failure_capacity)
    assert small.size_bytes <= added < store.size_bytes / 2


def test_threads_that_find_the_table_full_at_once_are_warned_once(
    make_store: MakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    """T12: one warning a store, and one fuse a name."""
    for _ in range(10):
        store = make_store(fuses=1)
        store.record_success("first")
        caplog.clear()
        barrier = threading.Barrier(8, timeout=30)
        counts = []

        def work(store: Store = store, barrier: threading.Barrier = barrier, counts: list[int] = counts) -> None:
            barrier.wait()
            counts.append(store.record_failure("late-comer", 10))

        threads = [threading.Thread(target=work) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert (1, 1, list(range(1, 9))) == (len(caplog.records), store.overflowed, sorted(counts))


def test_forgotten_fuses_leave_no_room_and_no_second_warning(small: Store, caplog: pytest.LogCaptureFixture) -> None:
    """``reset_all`` forgets what fuses were, not that they are: it removes none."""
    for _ in range(2):
        for name in NAMES:
            small.record_success(name)
        small.reset_all()
    assert (8, 1) == (small.overflowed, len(caplog.records))
