"""What eight threads do at once to one breaker, and what must be true afterwards: ``python scenes.py SCENE SECONDS``.

Each scene is a process of its own, because a wrong reference count ends in a crash. It exits with 0 if all is true.
"""

import asyncio
import collections
import contextlib
import faulthandler
import functools
import gc
import itertools
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from types import CellType, FunctionType
from typing import Any

from fuseboard import CircuitBreaker, CircuitOpenError, Store
from fuseboard._store import registry
from fuseboard.testing import Clock

THREADS = 8
ROUNDS = 20
"""Calls between two looks at the clock."""


class BoomError(Exception):
    """What a service raises that fails."""


class NothingError(Exception):
    """Says nothing about the service: a probe that ends so gives its lease back, and the fuse stays half-open."""


class Crowd:
    """Threads that repeat what they are given until time is up. What one raises is raised by :meth:`run`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = 0.0
        self.works: list[Callable[[], None]] = []
        self.raised: list[BaseException] = []

    def add(self, work: Callable[[], None]) -> None:
        """Another thread, which repeats this."""
        self.works.append(work)

    def run(self) -> None:
        """Runs all of them."""
        start = threading.Barrier(len(self.works))

        def repeat(work: Callable[[], None]) -> None:
            start.wait()
            try:
                work()
                while time.monotonic() < self.until and not self.raised:
                    work()
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
                self.raised.append(error)

        self.until = time.monotonic() + self.seconds
        threads = [threading.Thread(target=repeat, args=(work,)) for work in self.works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.raised:
            raise BaseExceptionGroup("threads", self.raised)


class Caller:
    """One thread's calls by every way in, and what became of them."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker
        self.seen: collections.Counter[str] = collections.Counter()
        self.numbers = itertools.count()

        @breaker
        def guarded(number: int) -> int:
            return self.service(number)

        @breaker
        async def guarded_later(number: int) -> int:
            await asyncio.sleep(0)
            return self.service(number)

        @breaker
        def generated(number: int) -> Iterator[int]:
            yield self.service(number)

        self.guarded, self.guarded_later, self.generated = guarded, guarded_later, generated
        self.ways = (guarded, self.in_block, self.in_stack, self.by_hand, self.by_call, self.in_generator)

    @staticmethod
    def service(number: int) -> int:
        """Fails for each third number."""
        if number % 3 == 0:
            raise BoomError
        return number

    def in_block(self, number: int) -> int:
        """By a ``with`` statement."""
        with self.breaker:
            return self.service(number)

    def in_stack(self, number: int) -> int:
        """By an ``ExitStack``."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.breaker)
            return self.service(number)

    def by_hand(self, number: int) -> int:
        """By a permit."""
        permit = self.breaker.permit()
        try:
            result = self.service(number)
        except BoomError as error:
            permit.failure(error)
            raise
        permit.success()
        return result

    def by_call(self, number: int) -> int:
        """By ``breaker.call``."""
        return self.breaker.call(self.service, number)

    def in_generator(self, number: int) -> int:
        """By a generator."""
        return next(iter(list(self.generated(number))))

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Notes what became of the call inside."""
        try:
            yield
        except BoomError:
            self.seen["failures"] += 1
        except CircuitOpenError:
            self.seen["rejections"] += 1
        else:
            self.seen["successes"] += 1

    def note(self, number: int, call: Callable[[int], object]) -> None:
        """Makes a call, and notes what it was told."""
        with self.noting():
            assert number == call(number)

    def work(self) -> None:
        """Some calls by each way."""
        for number, way in zip(
            self.numbers, itertools.islice(itertools.cycle(self.ways), ROUNDS * len(self.ways)), strict=False
        ):
            self.note(number, way)
        asyncio.run(self.later())

    async def later(self) -> None:
        """Some calls of a coroutine function, and some async blocks, in this thread's event loop."""

        async def one(number: int) -> None:
            with self.noting():
                if number % 2:
                    result = await self.guarded_later(number)
                else:
                    async with self.breaker:
                        await asyncio.sleep(0)
                        result = self.service(number)
                assert number == result

        await asyncio.gather(*(one(next(self.numbers)) for _ in range(ROUNDS)))


def counts(seconds: float) -> None:
    """No call is lost or counted twice, while the fuse is overridden, linked anew, looked at, and garbage collected."""
    store = Store.private(failures=2_048)
    breaker = CircuitBreaker("one", store=store, threshold=2_048, window=0.001)
    callers = [Caller(breaker) for _ in range(THREADS)]
    crowd, looks = Crowd(seconds), itertools.cycle((breaker.isolate, breaker.reset, breaker.disable, breaker.reset))

    def disturb() -> None:
        next(looks)()
        breaker._link(None)
        assert breaker.state is not None
        assert "one" in store.snapshot()
        assert "one" in store.all_states()
        assert breaker.name in repr(breaker)
        assert store.journal() is not None
        with contextlib.suppress(CircuitOpenError):
            breaker.check()

    for caller in callers:
        crowd.add(caller.work)
    crowd.add(disturb)
    crowd.add(functools.partial(_unlink_and_collect, breaker))
    crowd.run()
    breaker.reset()
    seen = sum((caller.seen for caller in callers), collections.Counter())
    snapshot = store.snapshot()["one"]
    assert 0 == breaker.faults
    assert {name: getattr(snapshot, name) for name in ("successes", "failures", "rejections")} == dict(seen)
    assert all(seen[name] for name in ("successes", "failures", "rejections"))


def _unlink_and_collect(breaker: CircuitBreaker) -> None:
    for _ in range(50):
        breaker._link(None)
    gc.collect()


def half_open(store: Store, clock: Clock, permitted: int) -> CircuitBreaker:
    """A breaker whose fuse lets so many probes out at a time, and stays half-open."""
    breaker = CircuitBreaker(
        "half-open", store=store, threshold=1, probes=permitted, reset_timeout=1, ignore=NothingError
    )
    with contextlib.suppress(BoomError):
        breaker.call(Caller.service, 0)
    clock.advance(1)
    return breaker


def assert_all_are_free(breaker: CircuitBreaker, permitted: int) -> None:
    """No lease is lost, and there is none too many."""
    taken = [breaker.permit() for _ in range(permitted)]
    assert all(permit.is_probe for permit in taken)
    try:
        breaker.check()
    except CircuitOpenError:
        pass
    else:
        raise AssertionError("a permit too many")
    for permit in taken:
        permit.ignore()


def probes(seconds: float) -> None:
    """Never more probes than are permitted, and no permit is lost, whoever takes, settles, cancels or drops it."""
    permitted, clock = 3, Clock()
    store = Store.private(clock=clock)
    breaker = half_open(store, clock, permitted)
    out, most, guard = 0, 0, threading.Lock()
    inbox: collections.deque[Any] = collections.deque()

    @contextlib.contextmanager
    def counted() -> Iterator[None]:
        nonlocal out, most
        with guard:
            out += 1
            most = max(most, out)
        try:
            time.sleep(0)
            yield
            raise NothingError
        finally:
            with guard:
                out -= 1

    numbers = itertools.count()

    @breaker
    def probe() -> None:
        with counted():
            pass

    def work() -> None:
        for _ in range(ROUNDS):
            number = next(numbers)
            with contextlib.suppress(CircuitOpenError, NothingError):
                if number % 5 == 0:
                    probe()
                elif number % 5 == 1:
                    with breaker, counted():
                        pass
                elif number % 5 == 2:
                    # Another thread drops it, which gives it back.
                    inbox.append(breaker.permit())
                else:
                    permit = breaker.permit()
                    with contextlib.suppress(NothingError), counted():
                        pass
                    permit.ignore()
        with contextlib.suppress(IndexError):
            inbox.popleft()

    crowd = Crowd(seconds)
    for _ in range(THREADS):
        crowd.add(work)
    crowd.add(functools.partial(_unlink_and_collect, breaker))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        crowd.run()
        inbox.clear()
        gc.collect()
    assert 1 <= most <= permitted
    assert_all_are_free(breaker, permitted)


def rebinding(seconds: float) -> None:
    """Default stores come and go under the calls, with their tables: a call ends on the fuse on which it began."""
    breaker, barrier = CircuitBreaker("bound"), itertools.count()

    @breaker
    def guarded(number: int) -> int:
        # Long enough for the store to be replaced meanwhile.
        if number % 16 == 0:
            time.sleep(0.000_1)
        return number

    def work() -> None:
        for _ in range(ROUNDS):
            number = next(barrier)
            assert number == guarded(number)
            with breaker:
                if number % 64 == 0:
                    time.sleep(0.000_1)
        assert breaker.state is not None

    def replace() -> None:
        registry.replace_default(Store.private(fuses=1, failures=8))
        time.sleep(0)

    crowd = Crowd(seconds)
    for _ in range(THREADS):
        crowd.add(work)
    crowd.add(replace)
    crowd.add(gc.collect)
    crowd.run()
    assert 0 == breaker.faults


def _setter(cell: CellType) -> Callable[[object], None]:
    """Sets a cell as ``nonlocal`` does.

    To set ``cell_contents`` is not safe on CPython 3.13 without the interpreter lock, also without Fuseboard.
    """
    content: object = None

    def put(new: object) -> None:
        nonlocal content
        content = new

    return FunctionType(put.__code__, globals(), closure=(cell,))


def closures(seconds: float) -> None:
    """Somebody puts other guards into a guarded function's closure, under the calls: each call is one guard's."""
    store = Store.private()
    breaker = CircuitBreaker("closed over", store=store)

    def service(number: int) -> int:
        return number

    guarded = breaker(service)
    put, seen = _setter(guarded.__closure__[0]), [0] * THREADS

    def work(place: int) -> None:
        for number in range(ROUNDS):
            assert number == guarded(number)
        seen[place] += ROUNDS

    def swap() -> None:
        for _ in range(ROUNDS):
            other = breaker(service)
            put(other.__closure__[0].cell_contents)

    crowd = Crowd(seconds)
    for place in range(THREADS):
        crowd.add(functools.partial(work, place))
    crowd.add(swap)
    crowd.add(gc.collect)
    crowd.run()
    assert sum(seen) == store.snapshot()["closed over"].successes


def blocks(seconds: float) -> None:
    """Both methods of one statement, kept and called by many threads: no permit is lost, each end counts once."""
    clock = Clock()
    breaker = half_open(Store.private(clock=clock), clock, THREADS)
    error = NothingError()
    own, of_class = [breaker.__enter__, breaker.__exit__], [CircuitBreaker.__enter__, CircuitBreaker.__exit__]

    def work() -> None:
        for _ in range(ROUNDS):
            with contextlib.suppress(CircuitOpenError):
                own[0]()
                own[1](NothingError, error, None)
            with contextlib.suppress(CircuitOpenError):
                of_class[0](breaker)
                of_class[1](breaker, NothingError, error, None)

    crowd = Crowd(seconds)
    for _ in range(THREADS):
        crowd.add(work)
    crowd.add(gc.collect)
    crowd.run()
    # Permits that still wait in a thread's context have gone with the thread; one may wait in each of the blocks.
    own.clear()
    of_class.clear()
    gc.collect()
    assert_all_are_free(breaker, THREADS)


def keys(seconds: float) -> None:
    """Of threads that ask for one key at once, all get one breaker; stores and breakers are made meanwhile."""
    numbers = itertools.count()

    def work() -> None:
        parent = parents[0]
        for key in range(ROUNDS):
            found[key].add(id(parent.for_key(key)))
        name = f"own {next(numbers)}"
        assert 1 == CircuitBreaker(name, store=store).call(int, "1")
        assert store.remove(name)

    store, until = Store.private(fuses=65_536), time.monotonic() + seconds
    while time.monotonic() < until:
        parents = [CircuitBreaker("parent", store=store)]
        found: dict[int, set[int]] = {key: set() for key in range(ROUNDS)}
        crowd = Crowd(0.05)
        for _ in range(THREADS):
            crowd.add(work)
        crowd.run()
        assert all(1 == len(ids) for ids in found.values())


def events(seconds: float) -> None:
    """Threads that take from one stream get each transition once, and none is lost without being counted."""
    store = Store.private()
    breaker, stream = CircuitBreaker("told", store=store), store.events()
    taken: list[int] = []
    made = [0]

    def take() -> None:
        transition = stream.take(0)
        if transition is not None:
            taken.append(transition.generation)

    def make() -> None:
        for _ in range(ROUNDS):
            breaker.isolate()
            breaker.reset()
            made[0] += 2
        # The journal keeps only the latest; a stream that is too slow loses some, and says how many.
        time.sleep(0.001)

    crowd = Crowd(seconds)
    for _ in range(THREADS):
        crowd.add(take)
    crowd.add(make)
    crowd.run()
    while (transition := stream.take(0)) is not None:
        taken.append(transition.generation)
    assert len(taken) == len(set(taken))
    assert made[0] == len(taken) + stream.lost
    assert taken


def forks(seconds: float) -> None:
    """A child that is forked while threads call goes on with calls of its own, and so do the threads."""
    store = Store.private()
    breaker, children = CircuitBreaker("forked", store=store), [0]

    @breaker
    def guarded(number: int) -> int:
        return number

    def work() -> None:
        for number in range(ROUNDS):
            assert number == guarded(number)
            with breaker:
                pass
        stream.take(0)
        breaker._link(None)

    def fork() -> None:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                signal.alarm(20)
                for number in range(ROUNDS):
                    assert number == guarded(number)
                    with breaker:
                        breaker._link(None)
                stream.take(0)
                gc.collect()
                os._exit(0)
            os._exit(1)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        children[0] += 1

    stream = store.events()
    crowd = Crowd(seconds)
    for _ in range(THREADS):
        crowd.add(work)
    crowd.add(fork)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that a process with threads forks is what is tried
        crowd.run()
    assert children[0]


SCENES = {scene.__name__: scene for scene in (counts, probes, rebinding, closures, blocks, keys, events, forks)}


if __name__ == "__main__":
    logging.disable()  # of each override and each lost block there would be a line
    faulthandler.enable()
    faulthandler.dump_traceback_later(100 + 2 * float(sys.argv[2]), exit=True)
    sys.setswitchinterval(1e-5)
    SCENES[sys.argv[1]](float(sys.argv[2]))
