"""Guards of one fuse inside of each other: while it is not closed the inner one steps aside."""

import asyncio
import contextlib
import contextvars
import gc
import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, Permit, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, fail, trip, wait_for_probe


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure, for 30 s."""
    return CircuitBreaker("db", threshold=2, reset_timeout=30, store=store)


@pytest.fixture
def probing(breaker: CircuitBreaker, clock: Clock) -> CircuitBreaker:
    """The same; its next call is a probe."""
    wait_for_probe(breaker, clock)
    return breaker


def counts(breaker: CircuitBreaker) -> tuple[int, int, int, int, int]:
    """Successes, failures, ignored, rejected and late calls."""
    seen = breaker.store.snapshot()["db"]
    return seen.successes, seen.failures, seen.ignored, seen.rejections, seen.late_outcomes


Way = Callable[[CircuitBreaker, Callable[[], Any]], Any]


def by_call(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """``call``."""
    return breaker.call(function)


def by_decorator(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """A decorated function."""
    return breaker(function)()


def by_block(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """``with breaker:``."""
    with breaker:
        return function()


def by_permit(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """``with breaker.permit():``."""
    with breaker.permit():
        return function()


def by_generator(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """A decorated generator function, at its second step."""

    @breaker
    def generate() -> Generator[Any]:
        yield None
        yield function()

    return list(generate())[-1]


def by_manager(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """A guarded context manager, which makes the call while it is entered."""

    @breaker
    @contextmanager
    def manage() -> Generator[Any]:
        yield function()

    with manage() as result:
        return result


def by_returned_generator(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """A plain function that returns a generator."""

    def generate() -> Generator[Any]:
        yield function()

    return next(iter(list(breaker.call(generate))))


def by_coroutine(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """A decorated coroutine function."""

    @breaker
    async def await_it() -> Any:
        await asyncio.sleep(0)
        return function()

    return asyncio.run(await_it())


def by_acall(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """``acall``."""

    async def await_it() -> Any:
        await asyncio.sleep(0)
        return function()

    return asyncio.run(breaker.acall(await_it))


def by_returned_coroutine(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """A plain function that returns a coroutine."""

    async def await_it() -> Any:
        await asyncio.sleep(0)
        return function()

    def begin() -> Any:
        return await_it()

    return asyncio.run(breaker(begin)())


def by_async_block(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """``async with breaker:``."""

    async def block() -> Any:
        async with breaker:
            await asyncio.sleep(0)
            return function()

    return asyncio.run(block())


def by_async_generator(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    """A decorated asynchronous generator function, at its second step."""

    @breaker
    async def generate() -> AsyncGenerator[Any]:
        yield None
        await asyncio.sleep(0)
        yield function()

    async def main() -> Any:
        return [value async for value in generate()][-1]

    return asyncio.run(main())


PLAIN = [by_call, by_decorator, by_block, by_permit, by_generator, by_manager, by_returned_generator]
AWAITED = [by_coroutine, by_acall, by_returned_coroutine, by_async_block, by_async_generator]


@pytest.mark.parametrize("inner", PLAIN)
@pytest.mark.parametrize("outer", PLAIN + AWAITED)
def test_a_nested_call_of_a_probe_closes_the_fuse(probing: CircuitBreaker, outer: Way, inner: Way) -> None:
    """R06, R07: the inner guard has no seat and needs none; one call is counted, the outer one."""
    before = counts(probing)
    assert 7 == outer(probing, lambda: inner(probing, lambda: 7))
    assert State.CLOSED is probing.state
    assert [1, 0, 0, 0, 0] == [now - then for now, then in zip(counts(probing), before, strict=True)]
    assert 1 == probing.store.snapshot()["db"].probes


@pytest.mark.parametrize("inner", AWAITED)
@pytest.mark.parametrize("outer", [by_call, by_block, by_permit, by_generator])
def test_so_does_a_loop_that_is_run_inside(probing: CircuitBreaker, outer: Way, inner: Way) -> None:
    """Its task is started with a copy of the context."""
    assert 7 == outer(probing, lambda: inner(probing, lambda: 7))
    assert (State.CLOSED, 1) == (probing.state, probing.store.snapshot()["db"].successes)


@pytest.mark.parametrize("inner", PLAIN)
@pytest.mark.parametrize("outer", PLAIN + AWAITED)
def test_a_nested_failure_of_a_probe_opens_it_once(probing: CircuitBreaker, outer: Way, inner: Way) -> None:
    """R08: one failed probe, and one outcome."""
    before = counts(probing)
    with pytest.raises(BoomError):
        outer(probing, lambda: inner(probing, boom))
    assert State.OPEN is probing.state
    assert [0, 1, 0, 0, 0] == [now - then for now, then in zip(counts(probing), before, strict=True)]


def test_an_inner_failure_that_the_outer_call_survives_is_none(probing: CircuitBreaker) -> None:
    """A retry inside of a probe: the outer guard says how the call went."""

    @probing
    def tries() -> int:
        fail(probing, 5)
        return 7

    before = counts(probing)
    assert 7 == tries()
    assert (State.CLOSED, before[1]) == (probing.state, counts(probing)[1])


def test_another_breaker_of_the_same_fuse_steps_aside(probing: CircuitBreaker, store: Store) -> None:
    """The fuse counts, not the object; of another fuse, or the same name in another store, nothing is known."""
    twin, other = CircuitBreaker("db", threshold=1, store=store), CircuitBreaker("mail", threshold=1, store=store)
    elsewhere = CircuitBreaker("db", threshold=1, store=Store.private())
    with probing:
        fail(twin)
        fail(other)
        fail(elsewhere)
    assert [State.CLOSED, State.OPEN, State.OPEN] == [it.state for it in (probing, other, elsewhere)]


def test_two_stores_of_one_table_have_one_fuse(make_shared: Any, clock: Clock) -> None:
    """Opened twice, a table is mapped twice."""
    store = make_shared()
    from fuseboard._store import registry  # noqa: PLC0415 - of this test alone

    registry.shared.clear()
    again = Store.shared(store.name, strict=True, clock=clock)
    assert again is not store
    one, two = (CircuitBreaker("db", threshold=1, store=it) for it in (store, again))
    trip(one)
    clock.advance(one.settings.reset_timeout)
    with one, two:
        pass
    assert State.CLOSED is two.state
    again.close()


def test_what_a_call_would_be_told_is_as_it_is(probing: CircuitBreaker) -> None:
    """R06: ``check()`` inside of a probe passes, as the call would; beside it, it does not."""
    told: list[BaseException | None] = []

    def look() -> None:
        try:
            probing.check()
        except CircuitOpenError as error:
            told.append(error)
        else:
            told.append(None)

    with probing:
        look()
        beside = threading.Thread(target=look)
        beside.start()
        beside.join()
    assert None is told[0]
    assert isinstance(told[1], CircuitOpenError)


def test_another_thread_is_not_inside(probing: CircuitBreaker) -> None:
    """R06: it has a context of its own; with a copy of the call's it is inside, as by ``asyncio.to_thread``."""
    told: list[object] = []

    def ask() -> None:
        try:
            told.append(probing.call(lambda: "passed"))
        except CircuitOpenError:
            told.append("rejected")

    with probing:
        copy = contextvars.copy_context()
        for target in (ask, lambda: copy.run(ask)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        asyncio.run(asyncio.to_thread(ask))
    assert ["rejected", "passed", "passed"] == told


def test_tasks_beside_a_probe_are_not_inside_and_its_children_are(probing: CircuitBreaker) -> None:
    """R06: what a call starts belongs to it, such as the task of a timeout or a group, until it ends."""
    told: list[str] = []

    async def ask(who: str) -> None:
        try:
            await probing.acall(asyncio.sleep, 0)
        except CircuitOpenError:
            told.append(f"{who} rejected")
        else:
            told.append(f"{who} passed")

    @probing
    async def call(started: asyncio.Event, go_on: asyncio.Event) -> None:
        started.set()
        await go_on.wait()
        await asyncio.wait_for(ask("timed"), 5)
        await asyncio.gather(ask("one"), ask("two"))

    async def main() -> None:
        started, go_on = asyncio.Event(), asyncio.Event()
        probe = asyncio.create_task(call(started, go_on))
        await started.wait()
        await ask("beside")
        await asyncio.create_task(ask("beside"))
        go_on.set()
        await probe

    asyncio.run(main())
    assert ["beside rejected", "beside rejected", "timed passed", "one passed", "two passed"] == told
    assert State.CLOSED is probing.state


def test_a_child_that_outlives_the_call_is_guarded_again(probing: CircuitBreaker) -> None:
    """A mark in a copy of the context ends with its call."""
    told: list[str] = []

    async def outlive(ended: asyncio.Event) -> None:
        told.append(probing.call(lambda: "inside"))
        await ended.wait()
        with contextlib.suppress(BoomError):
            probing.call(boom)
        told.append(f"{probing.store.snapshot()['db'].window_failures} failed")

    async def main() -> None:
        ended = asyncio.Event()
        async with probing:
            child = asyncio.create_task(outlive(ended))
            await asyncio.sleep(0)
        ended.set()
        await child

    asyncio.run(main())
    assert ["inside", "1 failed"] == told


@pytest.mark.parametrize("outer", PLAIN)
def test_behind_the_call_nothing_is_left(probing: CircuitBreaker, outer: Way, clock: Clock) -> None:
    """Whatever way it ended: the next call of this thread is guarded, and the next probe is one."""
    for function in (boom, lambda: None):
        with contextlib.suppress(BoomError):
            outer(probing, function)
        clock.advance(probing.settings.reset_timeout)
    assert State.CLOSED is probing.state
    trip(probing)
    with pytest.raises(CircuitOpenError):
        outer(probing, boom)


def test_what_a_caller_does_between_two_steps_is_not_inside(probing: CircuitBreaker) -> None:
    """R17: only the generator's own code is. So a second one gets no call, though the first has one."""

    @probing
    def generate() -> Generator[int]:
        probing.call(int)
        yield 1
        try:
            yield 2
        except BoomError:
            probing.call(int)
            yield 3
        probing.call(int)

    first = generate()
    assert 1 == next(first)
    for _ in range(2):
        with pytest.raises(CircuitOpenError):
            probing.call(int)
    assert 2 == next(first)
    with pytest.raises(CircuitOpenError):
        next(generate())
    assert 3 == first.throw(BoomError())
    with pytest.raises(CircuitOpenError):
        probing.call(int)
    assert [] == list(first)
    assert State.CLOSED is probing.state


def test_a_generator_is_run_by_steps_as_by_yield_from(probing: CircuitBreaker) -> None:
    """R17: what is sent, thrown, closed and returned is as without."""
    seen: list[object] = []

    @probing
    def generate() -> Generator[object, object, str]:
        seen.append((yield 1))
        try:
            yield 2
        except BoomError as error:
            seen.append(type(error))
        return "returned"

    running = generate()
    next(running)
    assert 2 == running.send("sent")
    with pytest.raises(StopIteration) as end:
        running.throw(BoomError())
    assert (["sent", BoomError], "returned") == (seen, end.value.value)
    assert State.CLOSED is probing.state


def test_the_clean_up_of_a_generator_that_is_closed_early_is_not_inside(probing: CircuitBreaker) -> None:
    """R17: the interpreter runs it without the frame that has the call. It counts neither way all the same."""
    told: list[object] = []

    @probing
    def generate() -> Generator[int]:
        try:
            yield 1
        finally:
            with pytest.raises(CircuitOpenError):
                probing.call(int)
            told.append("cleaned up")

    running = generate()
    next(running)
    running.close()
    assert (["cleaned up"], State.HALF_OPEN) == (told, probing.state)
    assert 0 == probing.call(int)
    assert State.CLOSED is probing.state


@pytest.mark.parametrize("order", ["above", "below"])
def test_the_block_of_a_context_manager_is_inside(probing: CircuitBreaker, order: str) -> None:
    """R17: there the caller's block is the call; also where the generator inside has the guard, or its own block."""

    def generate() -> Generator[int]:
        yield 1

    manage = probing(contextmanager(generate)) if order == "above" else contextmanager(probing(generate))
    with manage():
        assert 0 == probing.call(int)
    assert (State.CLOSED, 1) == (probing.state, probing.store.snapshot()["db"].successes)


def test_a_block_inside_of_a_context_manager_is_the_callers(probing: CircuitBreaker) -> None:
    """Whoever writes such a manager means the block of whoever uses it."""

    @contextmanager
    def manage(guard: Permit | CircuitBreaker) -> Generator[None]:
        with guard:
            yield

    for guard in (lambda: probing, probing.permit):
        with manage(guard()):
            assert 0 == probing.call(int)
        assert State.CLOSED is probing.state
        probing.store.set_half_open("db")


def test_the_block_of_an_asynchronous_context_manager_is_inside(probing: CircuitBreaker) -> None:
    """The same, awaited."""

    @probing
    @asynccontextmanager
    async def manage() -> AsyncGenerator[None]:
        yield

    async def main() -> None:
        async with manage():
            assert 0 == await probing.acall(asyncio.sleep, 0, 0)

    asyncio.run(main())
    assert (State.CLOSED, 1) == (probing.state, probing.store.snapshot()["db"].successes)


def test_a_block_of_a_generator_is_inside_for_its_own_code_alone(probing: CircuitBreaker) -> None:
    """A generator waits in the middle of its block; what its caller does meanwhile is not inside."""

    def inner() -> Generator[int]:
        with probing.permit():
            yield probing.call(int)
            yield probing.call(int)

    def outer() -> Generator[int]:
        yield from inner()

    for generate in (inner, outer):
        for value in generate():
            with pytest.raises(CircuitOpenError):
                probing.call(int)
            assert 0 == value
        assert State.CLOSED is probing.state
        probing.store.set_half_open("db")


def test_what_happens_between_asynchronous_steps_is_not_inside(probing: CircuitBreaker) -> None:
    """The same of an asynchronous generator, whose steps run in its caller's task."""
    told: list[object] = []

    @probing
    async def generate() -> AsyncGenerator[int]:
        told.append(probing.call(lambda: "inside"))
        try:
            yield 1
            yield 2
        finally:
            told.append(probing.call(lambda: "inside"))

    async def main() -> None:
        running = generate()
        async for _ in running:
            with pytest.raises(CircuitOpenError):
                probing.call(int)
        assert State.CLOSED is probing.state
        probing.store.set_half_open("db")
        async with contextlib.aclosing(generate()) as running:
            async for _ in running:
                break

    asyncio.run(main())
    assert (["inside"] * 4, State.HALF_OPEN) == (told, probing.state)


def test_a_call_inside_of_the_ramp_needs_no_number(store: Store, clock: Clock) -> None:
    """R26: the outer call was let through, so the inner one passes."""
    breaker = CircuitBreaker("db", threshold=2, ramp=1000, ramp_from=0.5, store=store)
    wait_for_probe(breaker, clock)
    breaker.call(int)
    assert State.RAMPING is breaker.state
    passed = 0
    for _ in range(20):
        with contextlib.suppress(CircuitOpenError), breaker:
            passed += 1
            for _ in range(10):
                breaker.call(int)
    seen = store.snapshot()["db"]
    assert (10, 1 + 10, 10) == (passed, seen.successes, seen.rejections)


def test_a_mark_counts_no_more_than_its_permit(breaker: CircuitBreaker, clock: Clock) -> None:
    """R09, R11, R12: nor does it where the fuse has changed, the lease has run out, or the outcome was said."""

    def rejected() -> bool:
        try:
            breaker.call(int)
        except CircuitOpenError:
            return True
        return False

    wait_for_probe(breaker, clock)
    with breaker.permit():
        assert not rejected()
        breaker.isolate()
        assert rejected()
    breaker.reset()
    wait_for_probe(breaker, clock)
    with breaker.permit() as permit:
        assert not rejected()
        permit.failure()
        assert rejected()
    clock.advance(breaker.settings.reset_timeout)
    with breaker.permit() as permit:
        clock.advance(breaker.settings.reset_timeout)
        # A probe of its own, which takes the seat over.
        assert not rejected()
        assert (State.CLOSED, True) == (breaker.state, permit.is_probe)
    assert 2 == breaker.store.snapshot()["db"].late_outcomes


def test_a_permit_in_ones_hand_marks_nothing(breaker: CircuitBreaker) -> None:
    """Whoever takes many permits for many calls takes none inside of another; nor do blocks of a closed fuse."""
    permits = [breaker.permit() for _ in range(3)]
    for permit in permits:
        permit.success()
    assert 3 == counts(breaker)[0]
    with breaker.permit():
        with breaker.permit() as inner:
            assert not inner.is_probe
        inner.failure()
    assert (5, 0) == counts(breaker)[:2]


def test_a_closed_fuse_counts_each_guard(breaker: CircuitBreaker) -> None:
    """The closed path of a guard marks nothing and looks at nothing: a failure that passes two guards counts twice."""

    @breaker
    def inner() -> None:
        boom()

    @breaker
    def outer() -> None:
        inner()

    with pytest.raises(BoomError):
        outer()
    assert (2, State.OPEN) == (counts(breaker)[1], breaker.state)


def test_a_permit_thrown_away_in_its_block_leaves_no_mark(probing: CircuitBreaker) -> None:
    """The mark does not keep it: its lease goes back, as without."""

    def enter() -> None:
        probing.permit().__enter__()

    with pytest.warns(ResourceWarning):
        enter()
    gc.collect()
    with probing:
        pass
    assert State.CLOSED is probing.state


def test_a_block_may_be_left_in_another_context(probing: CircuitBreaker) -> None:
    """It ends as it does; the mark that is left where it began counts no more."""
    permit = probing.permit()
    here = contextvars.copy_context()
    here.run(permit.__enter__)
    contextvars.copy_context().run(permit.__exit__, None, None, None)
    assert State.CLOSED is probing.state
    fail(probing)
    here.run(fail, probing)
    assert State.OPEN is probing.state


@pytest.mark.parametrize("kind", ["permit", "breaker"])
def test_what_a_stack_enters_marks_nothing(probing: CircuitBreaker, kind: str) -> None:
    """Neither a breaker nor a permit: nobody can say where the block ends."""
    with ExitStack() as stack:
        stack.enter_context(probing if kind == "breaker" else probing.permit())
        with pytest.raises(CircuitOpenError):
            probing.call(int)
    assert State.CLOSED is probing.state


def handed_on(breaker: CircuitBreaker) -> Permit:
    """A permit of a call whose response is read later, or never, as an integration takes it."""
    with ExitStack() as on_error:
        permit = breaker.permit()
        on_error.enter_context(permit)
        on_error.pop_all()
    return permit


def test_calls_beside_a_permit_that_was_handed_on_count(breaker: CircuitBreaker) -> None:
    """R03: a response that nobody reads keeps no other call of its task from being counted."""
    permit = handed_on(breaker)
    fail(breaker, 2)
    assert State.OPEN is breaker.state
    permit.success()


def test_calls_beside_a_probe_that_was_handed_on_are_rejected(probing: CircuitBreaker) -> None:
    """R06: nor does it let them pass."""
    permit = handed_on(probing)
    assert permit.is_probe
    with pytest.raises(CircuitOpenError):
        probing.call(int)
    permit.success()
    assert State.CLOSED is probing.state


def test_blocks_of_a_closed_fuse_that_overlap_count_each(breaker: CircuitBreaker) -> None:
    """R03: such as those of the connections of a pool."""
    blocks = [breaker.permit() for _ in range(2)]
    for block in blocks:
        block.__enter__()
    for block in blocks:
        block.__exit__(BoomError, BoomError(), None)
    assert State.OPEN is breaker.state


def test_a_block_that_is_never_left_hides_nothing(breaker: CircuitBreaker) -> None:
    """R03: while closed; a probe's mark ends with its lease, which the next test shows."""
    leaked = breaker.permit()
    leaked.__enter__()
    fail(breaker, 2)
    assert State.OPEN is breaker.state
    leaked.ignore()


def test_a_probes_block_that_is_never_left_ends_with_its_lease(probing: CircuitBreaker, clock: Clock) -> None:
    """R11: then the next call is the probe, and a failed one opens the fuse."""
    leaked = probing.permit()
    leaked.__enter__()
    clock.advance(30)
    fail(probing)
    assert State.OPEN is probing.state
    leaked.ignore()


def test_a_child_is_not_inside_of_its_parents_call(make_shared: Any, clock: Clock) -> None:
    """R09, R11: the parent's probe, and its place on the ramp, are the parent's; the child asks for itself."""
    store = make_shared()
    breaker = CircuitBreaker("db", threshold=1, ramp=10, ramp_from=0.001, store=store)
    store.set_half_open("db")
    assert 0 == breaker.call(int)
    clock.advance(9.999)
    with breaker.permit():
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                fail(breaker)
            os._exit(0 if breaker.state is State.OPEN else 1)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_an_unguarded_call_marks_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal 1: what could not be guarded does not keep others from being."""
    breaker, twin = (CircuitBreaker("db", threshold=1, store=store) for _ in range(2))
    breaker._link(None)
    monkeypatch.setattr(breaker, "_resolve", boom)
    with breaker, breaker.permit():
        fail(twin)
    assert State.OPEN is twin.state


def test_a_held_permit_is_a_permit(probing: CircuitBreaker) -> None:
    """A block of a permit may be inside of a guard, and its outcome says nothing then."""

    @probing
    def outer() -> Permit:
        with probing.permit() as permit:
            permit.failure(trip=True)
        return permit

    assert not outer().is_probe
    assert State.CLOSED is probing.state
