"""``permit()``: calls whose outcome is reported by hand."""

import asyncio
import concurrent.futures
import gc
import inspect
import threading
import warnings
from collections.abc import Callable

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, Permit, State, Store
from fuseboard.testing import Clock, force_state
from helpers import BoomError, boom, rejection, trip, wait_for_probe


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure, for 30 s."""
    return CircuitBreaker("db", threshold=2, reset_timeout=30, ignore=KeyError, store=store)


def counts(breaker: CircuitBreaker) -> tuple[int, int, int]:
    """Successes, failures and ignored calls."""
    told = breaker.store.snapshot()["db"]
    return told.successes, told.failures, told.ignored


def test_each_outcome_counts_as_what_it_is(breaker: CircuitBreaker) -> None:
    """R03, R04, R10: as if a guarded call had ended so."""
    breaker.permit().success()
    assert (1, 0, 0) == counts(breaker)
    breaker.permit().ignore()
    breaker.permit().failure()
    assert (1, 1, 1) == counts(breaker)
    breaker.permit().failure()
    assert State.OPEN is breaker.state


def test_a_permits_failure_may_name_its_error(breaker: CircuitBreaker) -> None:
    """T14: the journal says what it was; whatever ``failure_on`` and ``ignore`` make of it, it is a failure."""
    breaker.permit().failure(BoomError())
    breaker.permit().failure(KeyError("ignored elsewhere"))
    assert "KeyError" == breaker.store.journal()[-1].error
    breaker.reset()
    with pytest.raises(TypeError), breaker.permit() as permit:
        permit.failure("text")  # type: ignore[arg-type]


def test_an_open_fuse_gives_no_permit(store: Store) -> None:
    """R05: the rejection is raised, whatever the fallback."""
    breaker = CircuitBreaker("db", fallback="cached", store=store)
    force_state(breaker, State.OPEN)
    with pytest.raises(CircuitOpenError):
        breaker.permit()


@pytest.mark.parametrize("first", [Permit.success, Permit.failure, Permit.ignore])
def test_the_first_outcome_counts(breaker: CircuitBreaker, first: Callable[[Permit], None]) -> None:
    """Later ones do nothing, in a closed fuse too."""
    permit = breaker.permit()
    first(permit)
    before = counts(breaker)
    for _ in range(3):
        permit.success()
        permit.failure(BoomError())
        permit.ignore()
    with permit:
        pass
    assert (before, 1, State.CLOSED) == (counts(breaker), sum(before), breaker.state)


def test_permits_of_one_closed_fuse_are_not_one(breaker: CircuitBreaker) -> None:
    """Each has an outcome of its own."""
    permits = [breaker.permit() for _ in range(2)]
    for permit in permits:
        permit.failure()
    assert State.OPEN is breaker.state


@pytest.mark.parametrize(("error", "expected"), [(None, (1, 0, 0)), (BoomError(), (0, 1, 0)), (KeyError(), (0, 0, 1))])
def test_a_block_says_how_it_went(
    breaker: CircuitBreaker, error: Exception | None, expected: tuple[int, int, int]
) -> None:
    """As ``with breaker:`` does; what is raised goes on."""

    def block() -> None:
        with breaker.permit():
            if error is not None:
                raise error

    if error is None:
        block()
    else:
        with pytest.raises(type(error)):
            block()
    assert expected == counts(breaker)


def test_what_is_said_in_a_block_stands(breaker: CircuitBreaker) -> None:
    """A result that means a failure is no exception."""
    with breaker.permit() as permit:
        permit.failure()
    assert (0, 1, 0) == counts(breaker)


def test_a_probes_permit_decides_later_and_elsewhere(breaker: CircuitBreaker, clock: Clock) -> None:
    """R06 to R08: any thread may say so, while others are rejected."""
    for outcome, state in [(Permit.failure, State.OPEN), (Permit.success, State.CLOSED)]:
        force_state(breaker, State.OPEN)
        clock.advance(30)
        permit = breaker.permit()
        clock.advance(20)
        assert rejection(breaker) is not None
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(outcome, permit).result()
        assert state is breaker.state


def test_a_callback_may_report(breaker: CircuitBreaker) -> None:
    """The usual way: a future's done-callback."""

    def report(permit: Permit, future: concurrent.futures.Future[None]) -> None:
        error = future.exception()
        permit.success() if error is None else permit.failure(error)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for work in (int, boom, boom):
            permit = breaker.permit()
            pool.submit(work).add_done_callback(lambda future, permit=permit: report(permit, future))  # type: ignore[misc]
    assert (1, 2, 0) == counts(breaker)
    assert State.OPEN is breaker.state


def test_of_threads_that_report_at_once_one_counts(breaker: CircuitBreaker) -> None:
    """Exactly one outcome, however many say so."""
    start = threading.Barrier(4)

    def report(permit: Permit) -> None:
        start.wait()
        permit.success()

    for _ in range(50):
        permit = breaker.permit()
        threads = [threading.Thread(target=report, args=(permit,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (50, 0, 0) == counts(breaker)


def test_an_older_permits_outcome_is_late(breaker: CircuitBreaker, clock: Clock) -> None:
    """R09: it changes nothing."""
    old = breaker.permit()
    wait_for_probe(breaker, clock)
    probe = breaker.permit()
    old.success()
    assert State.HALF_OPEN is breaker.state
    probe.ignore()
    assert 1 == breaker.store.snapshot()["db"].late_outcomes


def test_a_permit_that_is_thrown_away_gives_its_lease_back_and_warns_once(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """R10, R11: nothing is counted, and the next call is the probe, at once."""
    wait_for_probe(breaker, clock)
    before = counts(breaker)
    permit = breaker.permit()
    assert rejection(breaker) is not None
    with pytest.warns(ResourceWarning) as caught:
        del permit
    assert (1, before) == (len(caught), counts(breaker))
    breaker.permit().success()
    assert State.CLOSED is breaker.state


def test_the_warning_says_what_was_forgotten_and_blames_nobody_elses_line(breaker: CircuitBreaker) -> None:
    """What lets go of a permit may be any line, the collector's turn; its source says where it was made."""
    with pytest.warns(ResourceWarning) as caught:
        breaker.permit()
    (warning,) = caught
    assert (
        "<Permit of <CircuitBreaker 'db' closed>> was discarded without an outcome: "
        "call success(), failure() or ignore(), or use it in a with statement"
    ) == str(warning.message)
    assert (inspect.getfile(Permit), True) == (warning.filename, isinstance(warning.source, Permit))


def test_a_closed_fuses_permit_that_is_thrown_away_warns_too(breaker: CircuitBreaker) -> None:
    """A result that is never reported may be a failure that is never seen."""
    permit = breaker.permit()
    with pytest.warns(ResourceWarning):
        del permit
    assert (0, 0, 0) == counts(breaker)


@pytest.mark.parametrize(
    "settle", [Permit.success, Permit.failure, Permit.ignore, lambda permit: permit.__exit__(*[None] * 3)]
)
def test_a_settled_permit_goes_in_silence(breaker: CircuitBreaker, settle: Callable[[Permit], object]) -> None:
    """Negative control of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        permit = breaker.permit()
        settle(permit)
        del permit
        gc.collect()
    assert [] == caught


def test_a_permit_of_a_fuse_that_cannot_be_had_does_nothing(
    breaker: CircuitBreaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal 1: the call goes on unguarded, and nothing is lost or warned of."""
    breaker._link(None)
    monkeypatch.setattr(breaker, "_resolve", boom)
    with breaker.permit():
        pass
    permit = breaker.permit()
    permit.failure()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del permit
    assert 2 == breaker.faults


def test_tasks_hold_permits_of_their_own(breaker: CircuitBreaker) -> None:
    """A block may wait; a cancelled one is ignored."""

    async def work(seconds: float) -> None:
        with breaker.permit():
            await asyncio.sleep(seconds)

    async def main() -> None:
        stuck = asyncio.create_task(work(3600))
        await asyncio.gather(work(0), work(0))
        stuck.cancel()
        await asyncio.wait([stuck])

    asyncio.run(main())
    assert (2, 0, 1) == counts(breaker)


def test_a_trip_by_hand_is_a_trip(breaker: CircuitBreaker) -> None:
    """Negative control: a guarded call would not have done otherwise."""
    trip(breaker)
    before = counts(breaker)
    breaker.reset()
    for _ in range(2):
        breaker.permit().failure(BoomError())
    assert State.OPEN is breaker.state
    assert [2 * count for count in before] == list(counts(breaker))


def test_a_failure_of_something_that_is_no_exception_is_refused_by_name(store: Store) -> None:
    """The permit is as it was, so the caller can still say how the call went."""
    breaker = CircuitBreaker("db", store=store)
    permit = breaker.permit()
    with pytest.raises(TypeError, match=r"^error must be an exception or None, got str: 'timed out'$"):
        permit.failure("timed out")  # type: ignore[arg-type]
    permit.failure()
    assert 1 == store.snapshot()["db"].failures
