"""The compiled part: the table in shared memory and the calls on it.

This is its manual. Names with an underscore are for the package alone, and so are ``Fuse``, ``Permit``,
``JournalCursor`` and ``CompletedAwaitable``. Times are whole microseconds where a name ends in ``_us``, else seconds.
Every method may be called from any thread at any time.
"""

from collections.abc import Callable, Generator
from os import PathLike
from types import FrameType, FunctionType, TracebackType
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar, final, type_check_only

import fuseboard
from fuseboard._breaker.classify import Verdict
from fuseboard._events.transition import Made, Row
from fuseboard._policy.settings import Numbers
from fuseboard._state import State
from fuseboard.errors import CircuitIsolatedError, CircuitOpenError, StoreOpenError, StoreReadOnlyError

_Class = TypeVar("_Class", bound=type[Any])

__all__ = [
    "Breaker",
    "Clock",
    "CompletedAwaitable",
    "Fuse",
    "FuseSnapshot",
    "FuseState",
    "JournalCursor",
    "Leader",
    "Permit",
    "Store",
    "Unexported",
    "async_guard",
    "check_name",
    "enter_directly",
    "first",
    "guard",
    "install",
    "settings_hash",
    "take_note_of_a_fork",
]

@final
@type_check_only
class _AsyncGuard:
    """What guards the calls of a coroutine function: operators where a call would cost more."""

    def __invert__(self) -> Permit:
        """Asks for a permit."""
    def admit(self) -> Permit:
        """The same."""
    def __setitem__(self, permit: Permit, value: object, /) -> None:
        """Settles the call of a permit, which returned this value."""
    def raised(self, permit: Permit, /) -> None:
        """Settles the call of a permit, which raised the exception that is being handled."""

@type_check_only
class Package(Protocol):
    """What the compiled part calls of the package, and the values that it makes its own of."""

    @property
    def states(self) -> tuple[State, ...]:
        """The states, in the order of their codes."""
    @property
    def open_error(self) -> type[CircuitOpenError]:
        """The class of a rejection."""
    @property
    def isolated_error(self) -> type[CircuitIsolatedError]:
        """The class of a rejection by a manual override."""
    @property
    def store_open_error(self) -> type[StoreOpenError]:
        """The class of the error of a table that cannot be opened."""
    def store_read_only_error(self, store: fuseboard.Store, /) -> StoreReadOnlyError:
        """The error of a store that only reads, and is asked to write."""
    def shown(self, value: object, /) -> str:
        """A value for a message, shortened, whatever its own repr does."""
    def resolve(self, breaker: fuseboard.CircuitBreaker, /) -> Fuse:
        """Finds the fuse that a breaker's calls go by from now on."""
    def look(self, breaker: fuseboard.CircuitBreaker, /) -> Fuse:
        """Finds the fuse of a breaker, for code that only looks."""
    def judge(self, breaker: fuseboard.CircuitBreaker, error: BaseException, /) -> Verdict:
        """What an exception means. If this raises, the call has failed."""
    def judge_result(self, breaker: fuseboard.CircuitBreaker, result: Any, /) -> Verdict:
        """What a result means, for a breaker that judges results. If this raises, the call has failed."""
    def has_begun(self, function: Callable[..., Any], traceback: TracebackType | None, /) -> bool:
        """Whether an exception with this traceback is the function's own, and not of its wrong arguments."""
    def follow(self, breaker: fuseboard.CircuitBreaker, begun: Any, permit: Permit, /) -> Any:
        """Guards what a call returned that has only begun, such as a coroutine; what the caller gets instead."""
    def fall_back(
        self,
        fallback: Callable[..., Any],
        rejection: CircuitOpenError,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        /,
    ) -> Any:
        """What a rejected call gets. What this raises the caller gets too."""
    def transitioned(self, breaker: fuseboard.CircuitBreaker, made: Made, /) -> None:
        """A call of this breaker has made a transition."""
    def block_lost(self, breaker: fuseboard.CircuitBreaker, /) -> None:
        """A block of this breaker ended by hand where none had begun, so its outcome counts for nothing."""
    def report(self, breaker: fuseboard.CircuitBreaker, fault: BaseException, /) -> None:
        """Takes what one of the others has raised by mistake. It reaches no caller."""
    def search(self, store: fuseboard.Store, /) -> None:
        """Looks for the host's table, and goes on with it."""
    def look_around(self, store: fuseboard.Store, /) -> None:
        """Looks around in a child that was just forked."""
    def is_full(self, store: fuseboard.Store, fuse: str, /) -> None:
        """This fuse is the first that found no room in the store's table."""

def install(package: Package) -> None:
    """Hands in what the compiled part calls of the package. A package that is imported anew hands in its own.

    Raises:
        AttributeError: something is missing.
    """

def first(cls: _Class) -> _Class:
    """A class decorator. Returns the first class of this name in this process.

    So a module that is reloaded, or imported again, keeps the classes that people have imported.
    """

def enter_directly(front: FunctionType, guard: Callable[..., Any], is_exact: bool) -> None:
    """Sends calls of a function straight to a guard while its fuse is closed, from CPython 3.12 on.

    The function's code calls the guard, which is in the only cell of its closure, and does nothing else. ``is_exact``
    says that the function has the same parameters as the guarded one; otherwise it takes any arguments. If somebody
    changes its code or its defaults, its code runs instead.

    Raises:
        TypeError: ``front`` is not a function, or ``guard`` is not a guard that was just made.
    """

def guard(
    breaker: Breaker, function: Callable[..., Any], fallback: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """A native callable that guards a plain function. A rejected call gets what the fallback returns."""

def async_guard(breaker: Breaker) -> _AsyncGuard:
    """What guards the calls of a coroutine function, from the code that awaits it."""

def settings_hash(settings: str) -> int:
    """A number from 1 to 2^64 - 1 that stands for settings, and is the same in every process.

    Other settings have another one, except by chance.
    """

def take_note_of_a_fork() -> bool:
    """Whether this process was forked without telling the interpreter. True once for each such fork."""

def check_name(name: str) -> None:
    """Checks a fuse's name: 1 to 200 bytes of UTF-8.

    Raises:
        TypeError: the name is not a str.
        ValueError: the name is empty, too long, or not valid Unicode.
    """

@final
class FuseState:
    """A fuse's state and when it began, read at one instant. Immutable, hashable; it pickles and works in ``match``."""

    __match_args__: ClassVar[tuple[Literal["state"], Literal["since"]]] = ("state", "since")

    def __new__(cls, state: State, since: float | None = None) -> Self: ...
    @property
    def state(self) -> State:
        """The state."""
    @property
    def since(self) -> float | None:
        """When the state began, in seconds of ``store.now()``; None for a fuse that was never used."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self) -> tuple[type[Self], tuple[State, float | None]]: ...

@final
class FuseSnapshot:
    """The state and the counters of a fuse. Immutable; two are equal if all their attributes are.

    State and generation are read at one instant. Counters cover the whole host and only go up, until ``reset_all``.
    Each includes everything that was counted before the snapshot began.
    """

    @property
    def name(self) -> str:
        """The fuse."""
    @property
    def state(self) -> State:
        """The state."""
    @property
    def since(self) -> float | None:
        """When the state began, in seconds of ``store.now()``."""
    @property
    def generation(self) -> int:
        """A number that grows with each change of state."""
    @property
    def window_failures(self) -> int:
        """Failures in the window, which is the longest window of all breakers of this fuse.

        They are counted since the last success or change of state, up to ``failure_capacity``. Before a breaker has
        made a call, the window is seven days.
        """
    @property
    def last_failure(self) -> float | None:
        """When the latest failure happened, in seconds of ``store.now()``, also if it is older than the window.

        None if there was no failure since the last success or change of state, so a fuse that has just opened has None.
        """
    @property
    def successes(self) -> int:
        """Calls that succeeded."""
    @property
    def failures(self) -> int:
        """Calls that failed."""
    @property
    def ignored(self) -> int:
        """Calls that were ignored: neither successes nor failures (rule R10)."""
    @property
    def rejections(self) -> int:
        """Calls that were rejected."""
    @property
    def late_outcomes(self) -> int:
        """Outcomes of calls from an older generation (rule R09). They are also in the counter of their outcome."""
    @property
    def probes(self) -> int:
        """Calls admitted as probes."""
    @property
    def trips(self) -> int:
        """How often a failure opened the fuse: trips and failed probes. The journal's transitions show which."""
    @property
    def closes(self) -> int:
        """How often probes closed the fuse, or began its ramp."""
    @property
    def failed_probes(self) -> int:
        """The steps by which the open time had grown when the fuse last opened; see ``multiplier``.

        Time that the fuse was closed since then is subtracted when it opens next. Just after the fuse opens, this may
        still be the number from before.
        """
    @property
    def settings_changes(self) -> int:
        """How often a breaker came with other settings than the breaker before it (rule R15)."""
    @property
    def slow(self) -> int:
        """Calls that were slow by the policy of their breaker. 0 if no policy measures the time of calls."""
    @property
    def until(self) -> float | None:
        """When the manual override ends by itself, in seconds of ``store.now()``; None without an end or override."""
    @property
    def who(self) -> str | None:
        """Who made the manual override of this fuse; None if nobody is named, or there is no override."""
    @property
    def why(self) -> str | None:
        """Why the override was made; None as for ``who``."""
    @property
    def is_local(self) -> bool:
        """Whether the fuse lives only in this process."""
    @property
    def module(self) -> str | None:
        """The module whose breaker was the first to make calls on this fuse, such as ``shop.payments``.

        A name longer than 55 bytes is shortened and ends in a hash. None if no breaker has made calls, or if that
        breaker was made outside of a module: in an interactive shell, by ``python -c``, in a notebook.
        """
    def __eq__(self, other: object, /) -> bool: ...

class Clock:
    """A clock that a test moves. It never goes back. It belongs to one process: a forked child gets a copy."""

    def __new__(cls, now_us: int | None) -> Self:
        """A clock that stands at so many microseconds; with None, one that runs with the host's clock."""
    @property
    def now_us(self) -> int:
        """What it shows, in microseconds."""
    def advance_us(self, by_us: int) -> None:
        """Moves it forward."""
    def _stop(self) -> None:
        """Stops the clock at the next whole second. Does nothing if it stands."""
    def _run(self) -> None:
        """Lets it run, from where it stands or from the host's time if that is later. Does nothing if it runs."""

class Store:
    """A table of fuses; see ``fuseboard.Store``."""

    def __new__(
        cls,
        name: str | None,
        folder: str | PathLike[str] | None,
        fuses: int,
        failures: int,
        clock: Clock | None = None,
        *,
        make: bool = True,
        writable: bool = True,
        stopgap: bool | None = None,
    ) -> Self:
        """Opens a private table if ``name`` is None, else the host's table.

        With ``make`` false no table is made. With ``writable`` false too the table is opened only to read, and may
        belong to another user. A ``stopgap`` is a private table in place of the host's. If it is True, the store looks
        for the host's table again by itself; if it is False, only when somebody asks.
        """
    @property
    def _is_writable(self) -> bool:
        """Whether the store may write to the table."""
    def _is_to_look(self, at_once: bool) -> bool:
        """Whether the caller is to look for the host's table: this one is a stopgap, or was removed.

        For a stopgap this is true at most once a second, less often the longer it lasts, and for one thread only. A
        removed table is noticed once a second, or ``at_once``.
        """
    def _go_over(self, to: Self) -> list[Row] | None:
        """Goes on with the table of another store, which nobody else uses. Returns the transitions that it makes.

        They are manual overrides that were made here. None if this store is already on the host's table.
        """
    @property
    def _former_users(self) -> list[int]:
        """Processes that used a removed table of this name when this store made its table."""
    @property
    def _path(self) -> str | None:
        """The file of the host's table; None for a private one."""
    @property
    def is_removed(self) -> bool:
        """Whether the file of the host's table was removed. Processes that open the store now use another table."""
    @property
    def fuse_capacity(self) -> int:
        """How many fuses there is room for: a power of two."""
    @property
    def failure_capacity(self) -> int:
        """How many failures of a fuse are counted exactly: a power of two."""
    @property
    def size_bytes(self) -> int:
        """Size of the table in bytes. All of it is allocated when the table is made."""
    @property
    def overflowed(self) -> int:
        """How many fuses found no room in the table and live only in this process (rule T12)."""
    def now(self) -> float:
        """Seconds on the store's clock: the host's, which goes on during suspend and is not the time of day."""
    def state(self, fuse: str) -> FuseState:
        """The state of a fuse and when it began, in one atomic read. Creates nothing."""
    def _record_failure_us(self, fuse: str, window_us: int) -> int:
        """``record_failure`` with the window in microseconds."""
    def record_success(self, fuse: str) -> None:
        """Records a success, which clears the window of failures. The state stays: an open fuse stays open."""
    def remove(self, fuse: str) -> bool:
        """Removes a fuse from the table, if it is idle. Returns whether it was removed (rule R28).

        A fuse is idle if it is closed and has no failure in its window; that is the longest window of all its breakers,
        at most seven days. If its open time had grown, it must also have been closed for one hour for each such step.
        A fuse that is open, half-open, ramping, isolated or disabled is not idle.

        Counters and times are lost with the fuse, and calls that are under way no longer count. Breakers of the fuse go
        on: at their next call the name gets a new slot. Another name can take the old slot one minute later.

        Use it for names that will not come back, such as a customer who left. A full table removes idle fuses by
        itself. Safe from any thread and process, also while calls are made.

        Raises:
            TypeError, ValueError: the name is not a valid name of a fuse.
        """
    def _set_state(self, fuse: str, code: int) -> Made | None:
        """Sets a state, unless the fuse has a manual override. Returns the transition, if there was one."""
    def _apply_override(self, fuse: str, code: int, for_us: int, who: str, why: str) -> Made | None:
        """Makes a manual override. Returns the transition; None if the fuse finds no room in the host's table."""
    def _settings(self, fuse: str) -> Numbers | None:
        """The numbers of the settings with which a breaker last made calls, if they are known."""
    def all_states(self) -> dict[str, FuseState]:
        """The states of all fuses that were used, by name, in no particular order. Safe while others write."""
    def snapshot(self) -> dict[str, FuseSnapshot]:
        """A snapshot of each fuse that was used, by name. Safe while others write."""
    @property
    def journal_dropped(self) -> int:
        """How many records the journal has lost.

        They were dropped to make room for later ones, or their fuse was removed and no longer has a name.
        """
    def _journal(self) -> list[Row]:
        """The journal's records, oldest first."""
    def _reset_all(self) -> list[Row]:
        """Closes and forgets every fuse, also those with a manual override. Returns the transitions."""

@final
class Leader:
    """This process as one that may lead; see ``fuseboard.Leader``."""

    def __new__(cls, store: Store, purpose: str, lease_us: int) -> Self: ...
    def lead(self) -> tuple[int | None, str | None]:
        """Takes or keeps the lead. Returns the term, or None, and what was wrong with the lock, if anything."""
    def term(self) -> int | None:
        """The term in which this process leads now; None if it does not lead."""
    def resign(self) -> None:
        """Gives up the lead."""
    def pid(self) -> int | None:
        """The process that leads now."""
    def unexported(self) -> Unexported | None:
        """The counters of the table's fuses that were not exported yet; None if this process does not lead now."""

@final
class Unexported:
    """Counters that were not exported when they were read."""

    def rows(self) -> list[tuple[str, list[int]]]:
        """Each fuse with something new: its name, and its counters in their order, slow calls last."""
    def note(self) -> None:
        """Notes that they were exported."""

@final
class JournalCursor:
    """A place in a store's journal. It gives each transition once, and those of one fuse in their order."""

    def __new__(cls, store: Store, since: str | None = None) -> Self:
        """Begins now; with ``"oldest"`` at the oldest record; or at another cursor's place.

        Raises:
            TypeError, ValueError: ``since`` is none of these.
        """
    def poll(self, store: Store) -> None:
        """Reads what is new, unless something that was read is still to be taken."""
    def peek(self) -> Row | None:
        """The oldest transition that was read and not taken; None if there is none."""
    def take(self) -> Row | None:
        """Takes that transition, and returns it; None if there is none."""
    @property
    def cursor(self) -> str:
        """The place behind what was taken, as text. Another cursor can go on there."""
    @property
    def is_resumed(self) -> bool:
        """Whether it goes on at the place that it was given."""
    @property
    def lost(self) -> int:
        """How many records were lost before they were read: dropped by the journal, or their fuse was removed."""

@final
class Fuse:
    """A fuse, with the numbers of one breaker's settings."""

    def __new__(
        cls,
        store: Store,
        name: str,
        numbers: Numbers,
    ) -> Self: ...
    @property
    def overflowed(self) -> bool:
        """Whether the fuse found no room in the store's table."""
    @property
    def is_removed(self) -> bool:
        """Whether the fuse was removed, so that its name has to be looked up again."""
    def state(self) -> FuseState:
        """The state, and when it began."""
    def _apply_override(self, code: int, for_us: int, who: str, why: str) -> Made | None:
        """Makes a manual override. Returns the transition; None if the fuse was removed."""
    def rate_count(self, kind: int) -> tuple[int, int] | None:
        """How many calls ended within a rate's window, and how many of them were bad; None without such a rate."""
    def note_maker(self, module: str) -> str | None:
        """Notes that a breaker of this module makes calls. Returns the module that made the fuse, if it is another."""
    def note_settings(self, settings_hash: int, again: bool) -> int:
        """Notes the settings that a breaker makes calls with. Returns the hash of those before, if they differ, else 0.

        For a breaker that may have come before (``again``) no change is counted, and 0 is returned.
        """

@final
class Permit:
    """The right to make one call."""

    def cancel(self) -> None:
        """Gives the permit back, unless it was settled. Nothing is counted."""
    @property
    def is_settled(self) -> bool:
        """Whether it was settled; False for a permit that many calls of a closed fuse share."""
    @property
    def is_probe(self) -> bool:
        """Whether the call is a probe."""
    def stop_clock(self) -> None:
        """Stops the clock by which a rate of slow calls judges the call. The first stop counts."""

@final
class CompletedAwaitable:
    """A coroutine that has ended already. Awaiting it gives None."""

    def __await__(self) -> Generator[Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> None: ...
    def send(self, _value: object) -> Any: ...
    def throw(self, error: BaseException, /) -> Any: ...
    def close(self) -> None: ...

class Breaker:
    """Admits calls and settles them.

    What a breaker leaves to the package, such as what an exception means, it asks what was handed in by ``install``.
    Faults of that go to ``Package.report``, and never reach a breaker's caller.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def _link(self, fuse: Fuse | None) -> None:
        """Makes calls go by this fuse; None for whatever ``Package.resolve`` returns at the next call."""
    def _look_at(self, fuse: Fuse) -> None:
        """Keeps this fuse for code that only looks, until calls have a fuse to go by."""
    def _linked(self) -> Fuse | None:
        """The fuse that calls go by, or else the one that code has looked at."""
    @property
    def state(self) -> State:
        """The fuse's state now. An open fuse stays open until the first call after its open time (R06)."""
    def _reject_nobody(self) -> None:
        """Lets calls go on unguarded that would be rejected."""
    def _reject_with(self, errors: tuple[type[CircuitOpenError], type[CircuitIsolatedError]]) -> None:
        """Makes rejections of these classes: the first for an open fuse, the second for an isolated one."""
    def _would_reject(self, fuse: Fuse) -> CircuitOpenError | None:
        """The rejection that a call would get from this fuse at this moment; None if it may pass."""
    def _judge_results(self) -> None:
        """Makes ``_settle_result``, and guards made from now on, ask ``Package.judge_result`` what a result means."""
    def _admit(self) -> Permit:
        """Asks to make a call. The permit is to be settled once.

        Raises:
            CircuitOpenError: the call is rejected.
        """
    def _permit(self) -> Permit:
        """The same for a permit that no other call shares, so that it has one outcome also where the fuse is closed."""
    def _mark(self, permit: Permit, frame: FrameType | None = None) -> Permit:
        """Marks the running context as inside the permit's call, where guards of the same fuse step aside; the permit.

        ``frame`` is what runs the call, by default the frame that runs. Does nothing unless the call is a probe, or on
        a ramp.
        """
    def _settle(self, permit: Permit, error: BaseException | None = None) -> None:
        """Says that the call ended with this exception, or without one. A permit's first outcome counts."""
    def _settle_result(self, permit: Permit, value: object) -> None:
        """Says that the call returned this: a success, unless ``Package.judge_result`` says otherwise."""
    def _settle_as(self, permit: Permit, verdict: Verdict) -> None:
        """Says that the call ended so, whatever its exception or its result means."""
    def __enter__(self) -> None: ...
    def __exit__(
        self, _class: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> Literal[False]: ...
    # Awaited, it is as if it were one; type checkers compare it with `AbstractAsyncContextManager`, where it is one.
    async def __aenter__(self) -> None: ...
    async def __aexit__(
        self, _class: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None: ...
