"""How the two methods of one ``with`` statement come to share a permit, and what others who call them get."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable, Generator
from typing import Any

import pytest

from crowd import at_once, switching_often
from fuseboard import CircuitBreaker, FailureRate, SlowRate, State, Store
from fuseboard.testing import Clock
from helpers import BoomError, boom, wait_for_probe

ROUNDS = 200


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """One that opens at the second failure."""
    return CircuitBreaker("db", threshold=2, reset_timeout=1, store=store)


def counted(breaker: CircuitBreaker) -> tuple[int, int, int, int]:
    """Successes, failures, ignored and late outcomes so far."""
    told = breaker.store.snapshot()[breaker.name]
    return told.successes, told.failures, told.ignored, told.late_outcomes


def order_of_a_statement() -> list[str]:
    """The two methods in the order in which a ``with`` statement of this Python looks them up."""
    seen: list[str] = []

    class Method:
        def __set_name__(self, _owner: type, name: str) -> None:
            self.name = name

        def __get__(self, *_: object) -> Callable[..., None]:
            seen.append(self.name)
            return lambda *_: None

    class Watched:
        __enter__, __exit__ = Method(), Method()

    with Watched():
        pass
    return seen


def looked_up(breaker: CircuitBreaker) -> tuple[Callable[[], Any], Callable[..., Any]]:
    """Beginning and end of one block, looked up as a statement does it, to be called later."""
    found = {name: getattr(breaker, name) for name in order_of_a_statement()}
    return found["__enter__"], found["__exit__"]


def test_methods_that_are_looked_up_together_are_one_block(breaker: CircuitBreaker) -> None:
    """As the interpreter does it: one right after the other, each called later."""
    begin, end = looked_up(breaker)
    assert begin is end
    begin()
    assert end(BoomError, BoomError(), None) is False
    assert counted(breaker) == (0, 1, 0, 0)


def test_methods_that_are_called_one_by_one_find_each_other(breaker: CircuitBreaker) -> None:
    """By the context that they are called in, and nested."""
    breaker.__enter__()
    breaker.__enter__()
    breaker.__exit__(BoomError, BoomError(), None)
    breaker.__exit__(None, None, None)
    assert counted(breaker) == (1, 1, 0, 0)


@pytest.mark.parametrize("name", ["__enter__", "__exit__", "__aenter__", "__aexit__"])
def test_a_method_that_is_only_looked_at_changes_nothing(breaker: CircuitBreaker, name: str) -> None:
    """``hasattr`` and the like, kept or not: neither a block by hand nor a statement takes what was left."""
    kept = getattr(breaker, name)
    with breaker:
        assert hasattr(breaker, name)
        breaker.__enter__()
        assert hasattr(breaker, name)
        breaker.__exit__(None, None, None)
        assert hasattr(breaker, name)
    assert counted(breaker) == (2, 0, 0, 0)
    assert callable(kept)


def test_a_look_in_the_middle_of_a_call_by_hand_takes_nothing(breaker: CircuitBreaker) -> None:
    """What stands between the look at a method and its call may use the breaker too."""

    def used(*arguments: Any) -> tuple[Any, ...]:
        with breaker:
            pass
        return arguments

    breaker.__enter__()
    breaker.__exit__(*used(BoomError, BoomError(), None))
    assert counted(breaker) == (1, 1, 0, 0)


def test_a_half_of_the_other_kind_is_not_taken(breaker: CircuitBreaker) -> None:
    """One method of ``with`` and one of ``async with`` make no block."""
    begin, end = breaker.__enter__, breaker.__aexit__
    assert begin is not end
    begin()

    async def leave() -> None:
        await end(None, None, None)

    asyncio.run(leave())
    assert breaker.__exit__(None, None, None) is False
    assert counted(breaker) == (1, 0, 0, 0)


def test_one_statement_in_another(breaker: CircuitBreaker) -> None:
    """Each has its own permit, in one frame too."""
    with contextlib.suppress(BoomError), breaker:
        with breaker:
            pass
        with contextlib.suppress(BoomError), breaker:
            boom()
        boom()
    assert counted(breaker) == (1, 2, 0, 0)
    assert breaker.state is State.OPEN


def test_statements_that_take_turns(breaker: CircuitBreaker) -> None:
    """Generators whose blocks overlap: each outcome is its own block's."""

    def block(error: type[BaseException] | None) -> Generator[None, None, None]:
        with breaker:
            yield
            if error:
                raise error

    blocks = [block(None), block(BoomError), block(KeyboardInterrupt)]
    for each in blocks:
        next(each)
    for each in reversed(blocks):
        with contextlib.suppress(StopIteration, BoomError, KeyboardInterrupt):
            next(each)
    assert counted(breaker) == (1, 1, 1, 0)


def test_a_probe_whose_frame_is_gone_gives_its_lease_back(breaker: CircuitBreaker, clock: Clock) -> None:
    """A generator that nobody goes on with is closed; a block that is thrown away between its methods is not."""
    wait_for_probe(breaker, clock)
    begin, end = looked_up(breaker)
    begin()
    assert breaker.state is State.HALF_OPEN
    del begin, end
    with breaker:
        pass
    assert breaker.state is State.CLOSED


def test_blocks_of_many_threads(store: Store) -> None:
    """Each thread's outcomes are its own, however often the interpreter switches between them."""
    breaker = CircuitBreaker("db", threshold=2_000, window=None, store=Store.private(failures=2_048))

    def work() -> None:
        for number in range(ROUNDS):
            with contextlib.suppress(BoomError), breaker:
                if number % 2:
                    boom()

    with switching_often():
        at_once(8, work)
    assert counted(breaker) == (4 * ROUNDS, 4 * ROUNDS, 0, 0)
    assert store is not breaker.store


def test_a_class_that_begins_in_its_own_way(store: Store) -> None:
    """A method of a user's own that calls ours: the permit is found by context, whichever of the two it is."""

    class Beginning(CircuitBreaker):
        def __enter__(self) -> None:
            super().__enter__()

    class Ending(CircuitBreaker):
        def __exit__(self, *error: Any) -> Any:  # noqa: PYI036 - handed on as it comes
            return super().__exit__(*error)

    for kind in (Beginning, Ending):
        breaker = kind(kind.__name__, threshold=2, store=store)
        with breaker:
            pass
        with contextlib.suppress(BoomError), breaker:
            boom()
        assert counted(breaker) == (1, 1, 0, 0)


@pytest.mark.parametrize("policy", [FailureRate(0.5), SlowRate(0.5, slow_after=1)])
def test_blocks_under_a_rate(store: Store, policy: FailureRate | SlowRate) -> None:
    """Each call is counted once in the rate too."""
    breaker = CircuitBreaker("db", policy=policy, store=store)
    for _ in range(3):
        with breaker:
            pass

    async def wait() -> None:
        async with breaker:
            pass

    asyncio.run(wait())
    assert breaker.rates()[policy].calls == 4
    assert counted(breaker) == (4, 0, 0, 0)


def wrong(*arguments: Any, **names: Any) -> list[Callable[[CircuitBreaker], Any]]:
    """Calls with arguments that no method takes: of a block, and by hand."""

    def of_a_block(breaker: CircuitBreaker) -> Any:
        begin, end = looked_up(breaker)
        begin()
        return end(*arguments, **names)

    return [of_a_block, lambda breaker: breaker.__exit__(*arguments, **names)]


@pytest.mark.parametrize("call", [*wrong(None), *wrong(None, None, None, None), *wrong(None, None, traceback=None)])
def test_wrong_arguments_are_refused(breaker: CircuitBreaker, call: Callable[[CircuitBreaker], Any]) -> None:
    """A ``TypeError``, and nothing is counted."""
    breaker.call(int)
    with pytest.raises(TypeError):
        call(breaker)
    assert counted(breaker) == (1, 0, 0, 0)


def test_a_cycle_through_a_block_is_collected(store: Store) -> None:
    """A generator that waits in a block of a breaker whose listener has the generator."""

    def make() -> weakref.ref[CircuitBreaker]:
        kept: list[Any] = []
        breaker = CircuitBreaker("db", store=store, on_transition=lambda _: kept)

        def block() -> Generator[None, None, None]:
            with breaker:
                yield

        kept.append(block())
        next(kept[0])
        return weakref.ref(breaker)

    found = make()
    gc.collect()
    assert found() is None


def test_blocks_leave_nothing_behind(breaker: CircuitBreaker) -> None:
    """R18: no object for each block."""
    with breaker:
        pass
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(ROUNDS):
        with breaker:
            pass
    gc.collect()
    assert len(gc.get_objects()) - before < ROUNDS // 10


def test_the_methods_are_a_breakers() -> None:
    """In a class of somebody else's they are refused: they would take whatever it is for a breaker."""
    method = next(vars(cls)["__enter__"] for cls in CircuitBreaker.__mro__ if "__enter__" in vars(cls))

    class Thief:
        __enter__ = method

    for stranger in (Thief(), 5, "breaker"):
        with pytest.raises(TypeError, match=r"^the method of a block is a breaker's$"):
            method.__get__(stranger, type(stranger))
    with pytest.raises(TypeError, match=r"^the method of a block is a breaker's$"):
        _ = Thief().__enter__
    with pytest.raises(TypeError, match=r"^__get__ takes an instance and its class$"):
        method.__get__()
    gc.collect()


@pytest.mark.parametrize(
    "looked_at", [("__enter__",), ("__exit__",), ("__enter__", "__exit__"), ("__exit__", "__enter__")]
)
def test_a_stack_and_a_statement_take_nothing_of_each_other(
    breaker: CircuitBreaker, looked_at: tuple[str, ...]
) -> None:
    """Whatever was looked up before, in the class or of the breaker, each block has the outcome of its own end."""
    kept = [(getattr(breaker, name), getattr(CircuitBreaker, name)) for name in looked_at]
    with contextlib.ExitStack() as stack:
        stack.enter_context(breaker)
        with contextlib.suppress(BoomError), breaker:
            boom()
    assert counted(breaker) == (1, 1, 0, 0)
    assert len(looked_at) == len(kept)


def test_stacks_of_many_threads() -> None:
    """Each stack's block is its own thread's, and ends in another one, however often the interpreter switches."""
    breaker = CircuitBreaker("db", threshold=2_000, window=None, store=Store.private(failures=2_048))
    stacks: list[contextlib.ExitStack] = []

    def work() -> None:
        for _ in range(ROUNDS):
            stack = contextlib.ExitStack()
            stack.enter_context(breaker)
            stacks.append(stack)

    with switching_often():
        at_once(8, work)
    for number, stack in enumerate(stacks):
        with contextlib.suppress(BoomError), stack:
            if number % 2:
                boom()
    assert counted(breaker) == (4 * ROUNDS, 4 * ROUNDS, 0, 0)


def test_the_classs_methods_are_for_stacks(breaker: CircuitBreaker) -> None:
    """``type(breaker).__enter__(breaker)``, as ``ExitStack`` calls it."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(breaker)
    CircuitBreaker.__enter__(breaker)
    CircuitBreaker.__exit__(breaker, None, None, None)
    assert counted(breaker) == (2, 0, 0, 0)
    assert isinstance(breaker, contextlib.AbstractContextManager)
    assert isinstance(breaker, contextlib.AbstractAsyncContextManager)
