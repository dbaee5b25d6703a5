"""A process that does as the machine tells it: operations of the store, and calls under way. Free of pytest."""

from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from typing import Any

from workers import Post

from fuseboard import CircuitBreaker, CircuitOpenError, Store
from fuseboard.testing import Clock

Rejection = tuple[str, float | None, float | None]
"""The state that rejects a call, when to try again, and what is left of the first lease."""
COUNTERS = ("successes", "failures", "ignored", "rejections", "late_outcomes", "probes", "trips", "closes")
OUTCOMES = {"successes": None, "failures": ValueError("down"), "ignored": KeyboardInterrupt()}
"""What a call raises, by the counter that counts it."""


def guarded_generator(breaker: CircuitBreaker) -> Generator[None, BaseException | None, None]:
    """A call that is a generator under the breaker (rule R17)."""

    def service() -> Generator[None, BaseException | None, None]:
        yield from _service()

    return breaker(service)()


def block(breaker: CircuitBreaker) -> Generator[None, BaseException | None, None]:
    """A call that is a ``with`` block."""
    with breaker:
        yield from _service()


def permit(breaker: CircuitBreaker) -> Generator[None, BaseException | None, None]:
    """A call by the breaker's own means: a permit that is asked for and settled."""
    held = breaker._admit()
    breaker._settle(held, (yield))


def _service() -> Generator[None, BaseException | None, None]:
    error = yield
    if error is not None:
        raise error


WAYS = {"generator": guarded_generator, "block": block, "permit": permit}


class Actor:
    """One process's hold of the table: a store, breakers, the calls under way, and a clock that is told the time."""

    outcomes: Mapping[str, BaseException | None] = OUTCOMES
    ways: Mapping[str, Callable[[CircuitBreaker], Generator[None, BaseException | None, Any]]] = WAYS

    def __init__(self) -> None:
        self.calls: dict[int, Generator[None, BaseException | None, Any]] = {}

    def enter(self, host: str, now: float, capacity: int, settings: dict[str, list[dict[str, Any]]]) -> None:
        """Opens the table of a run and makes its breakers."""
        self.calls.clear()
        self.clock = Clock()
        self.move_clock(now)
        self.store = self.open_store(host, len(settings), capacity)
        self.breakers = {fuse: [self.make_breaker(fuse, each) for each in pair] for fuse, pair in settings.items()}

    def make_breaker(self, fuse: str, settings: dict[str, Any]) -> CircuitBreaker:
        """A breaker of these settings."""
        return CircuitBreaker(fuse, store=self.store, **settings)

    def open_store(self, host: str, fuses: int, capacity: int) -> Store:
        """The table that all processes of a run share."""
        return Store.shared(host, fuses=fuses, failures=capacity, strict=True, clock=self.clock)

    def leave(self) -> None:
        """Lets go of the table. Calls under way are none by now, or their outcome is nobody's concern."""
        self.calls.clear()
        self.breakers.clear()
        self.store.close()

    def move_clock(self, now: float) -> None:
        """Sets this process's clock, which is each process's own, to the machine's."""
        while ahead := round((now - self.clock.now) * 1e6):
            self.clock.advance(min(timedelta(microseconds=ahead), timedelta(days=7)))

    def begin(self, call: int, fuse: str, number: int, way: str) -> Rejection | None:
        """Begins a call that stays under way; None if it is admitted, else why not."""
        begun = self.ways[way](self.breakers[fuse][number])
        try:
            next(begun)
        except CircuitOpenError as error:
            rejection = error
        else:
            self.calls[call] = begun
            return None
        assert rejection.name == fuse
        return rejection.state.value, rejection.retry_after, rejection.lease_remaining

    def end(self, call: int, outcome: str) -> None:
        """Ends a call; what it raises is raised to whoever made it (rule R16)."""
        error = self.outcomes[outcome]
        try:
            self.calls.pop(call).send(error)
        except StopIteration:
            return
        except BaseException as raised:  # noqa: BLE001 - told apart below
            assert raised is error  # noqa: PT017 - no pytest here
            error.__traceback__ = None

    def drop(self, call: int) -> None:
        """Lets go of a permit."""
        self.calls.pop(call).close()

    def raw(self, operation: str, *arguments: Any) -> Any:
        """Does an operation of the store's contract, by name."""
        return getattr(self.store, operation)(*arguments)

    def command(self, fuse: str, number: int, word: str, for_: float | None) -> None:
        """Gives a manual override by a breaker, its handle of the fuse; a reset has no end."""
        getattr(self.breakers[fuse][number], word)(**({} if word == "reset" else {"for_": for_}))

    def observe(self) -> dict[str, dict[str, tuple[Any, ...]]]:
        """All that this process can see: states of all fuses, by name and by handle, counters and windows."""
        states = self.store.all_states()
        snapshots = self.store.snapshot()
        assert states.keys() == snapshots.keys()
        return {
            "states": {name: (seen.state, seen.since) for name, seen in states.items()},
            "by name": {name: (self.store.state(name).state,) for name in self.breakers},
            "by handle": {name: (pair[0].state, pair[1].state) for name, pair in self.breakers.items()},
            "counters": {name: tuple(getattr(seen, key) for key in COUNTERS) for name, seen in snapshots.items()},
            "untils": {name: seen.until for name, seen in snapshots.items()},
            "windows": {name: (seen.window_failures, seen.last_failure) for name, seen in snapshots.items()},
            "generations": {name: (seen.generation,) for name, seen in snapshots.items()},
            "journal": self.journal(),
        }

    def journal(self) -> dict[str, tuple[Any, ...]]:
        """The changes of state that the journal tells of each fuse, and since when."""
        entries = self.store.journal()
        return {
            name: tuple((each.before, each.after, each.at) for each in entries if each.fuse == name)
            for name in self.breakers
        }


class Loner(Actor):
    """Wrong on purpose: each process has a table of its own."""

    def open_store(self, _host: str, fuses: int, capacity: int) -> Store:
        """Opens a private one."""
        return Store.private(fuses=fuses, failures=capacity, clock=self.clock)


def obey(post: Post, actor_class: type[Actor] = Actor) -> None:
    """A process that is an :class:`Actor` until it is killed."""
    actor = actor_class()
    while True:
        word, *arguments = post.hear()
        post.say(getattr(actor, word)(*arguments))
