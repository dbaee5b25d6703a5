"""What is measured of Fuseboard."""

from collections.abc import Callable, Iterator

from bench import timers
from bench.measure import Subject
from bench.timers import ROW
from bench.yardsticks import ServiceError, coroutine, failing, plain
from fuseboard import CircuitBreaker, CircuitOpenError, FailureRate, SlowRate, Store

DAY = 86_400
FAILURES = 2_048
"""Room for failures in the stores: the most there is."""
SHARED = "fuseboard, shared store"
"""The row that our aims are about."""
LIVE = (0, 10, 100, 1_000, FAILURES - ROW - 1)
"""Live failures before a row of recorded ones; the last row ends one short of the trip."""


def _subject(group: str, name: str, timer: timers.Timer, share: float = 1.0) -> Subject:
    return Subject(group, name, "ours", timer, share=share)


def guards(shared: Store, private: Store) -> Iterator[Subject]:
    """Closed calls, every way there is to make one."""
    breakers = {
        SHARED: CircuitBreaker("closed", store=shared),
        "fuseboard, private store": CircuitBreaker("closed", store=private),
        f"{SHARED}, failure rate": CircuitBreaker("rate", store=shared, policy=FailureRate(0.5)),
        f"{SHARED}, failure rate over calls": CircuitBreaker("calls", store=shared, policy=FailureRate(0.5, calls=100)),
        f"{SHARED}, slow rate": CircuitBreaker("slow", store=shared, policy=SlowRate(0.5, slow_after=1)),
    }
    for name, breaker in breakers.items():
        yield _subject("sync", name, timers.of_call(breaker(plain)))
        yield _subject("async", name, timers.of_await(breaker(coroutine)))
        yield _subject("with", name, timers.of_with(breaker))
        yield _subject("async with", name, timers.of_async_with(breaker))
    yield _subject("with", f"{SHARED}, by an ExitStack", timers.of_exit_stack(breakers[SHARED]))


def rejections(shared: Store) -> Iterator[Subject]:
    """Rejected calls."""
    breaker = CircuitBreaker("open", store=shared, reset_timeout=DAY)
    shared.set_open("open")
    yield _subject("rejected", SHARED, timers.of_raise(breaker(plain), CircuitOpenError))


def failures(shared: Store) -> Iterator[Subject]:
    """Recorded failures, on average and with so many of them live."""
    breaker = CircuitBreaker("failing", store=shared, threshold=FAILURES, window=DAY)
    record = timers.of_raise(breaker(failing), ServiceError)
    yield _subject("failed", SHARED, timers.of_rows(record, breaker.reset, FAILURES - 1))
    for live in LIVE:
        timer = timers.of_rows(record, _refill(breaker, live, record))
        yield _subject("live", f"guarded failure, {live:,} live", timer, share=0.2)
    raw = timers.of_call(lambda fuse: shared.record_failure(fuse, DAY), "failing")
    for live in LIVE:
        timer = timers.of_rows(raw, _refill(breaker, live, raw))
        yield _subject("live", f"record_failure(), {live:,} live", timer, share=0.2)
    full = timers.of_call(lambda fuse: shared.record_failure(fuse, DAY), "full")
    yield _subject("live", f"record_failure(), all {FAILURES:,} live", timers.of_rows(full, _fill(shared, "full")))


def _refill(breaker: CircuitBreaker, live: int, record: timers.Timer) -> Callable[[], None]:
    """Empties a fuse's window, and records that many failures.

    In the way that is to be timed: another way would make the processor forget it.
    """

    def refill() -> None:
        breaker.reset()
        record(live)

    return refill


def _fill(store: Store, fuse: str) -> Callable[[], None]:
    """Records failures until no more are told apart."""

    def fill() -> None:
        while store.record_failure(fuse, DAY) < FAILURES:
            pass

    return fill


def readings(shared: Store) -> Iterator[Subject]:
    """Raw operations of a store, and readings by a breaker, which holds a handle."""
    breaker = CircuitBreaker("closed", store=shared)
    handle = breaker._fuse()  # noqa: SLF001 - what the breaker itself reads by
    yield _subject("store", "store.state(name)", timers.of_call(shared.state, "closed"))
    yield _subject("store", "the compiled handle's state()", timers.of_bare_call(handle.state))
    yield _subject("store", "breaker.state", timers.of_attribute(breaker))
    yield _subject("store", "store.record_success(name)", timers.of_call(shared.record_success, "raw"))
    yield _subject("store", "breaker.check()", timers.of_bare_call(breaker.check))


def subjects(shared: Store, private: Store) -> list[Subject]:
    """All of them."""
    return [*guards(shared, private), *rejections(shared), *failures(shared), *readings(shared)]
