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
    "bound_calls",
    "check_name",
    "enter_directly",
    "first",
    "guard",
    "install",
    "settings_hash",
    "take_note_of_a_fork",
]

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
    """A class decorator: the first class of this name that came here in this process.

    A module that is reloaded, or imported anew, so goes on with the classes that people have imported.
    """

def enter_directly(front: FunctionType, guard: Callable[..., Any], is_exact: bool) -> None:
    """Sends calls of a function straight to a guard while its fuse is closed, from CPython 3.12 on.

    The function's code calls the guard, which its closure's only cell holds, and does nothing else. ``is_exact`` says
    that it has the guarded function's own parameters, else it takes anything. Where somebody has changed its code or
    its defaults, its code is run.

    Raises:
        TypeError: it is no function, or no guard that was just made.
    """

def guard(
    breaker: Breaker, function: Callable[..., Any], fallback: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """A native callable that guards a plain function. A rejected call gets what the fallback returns."""

def bound_calls(breaker: Breaker) -> list[Any]:
    """A breaker's ``_admit`` and ``_settle_result`` as functions that cost less, for code that calls them often."""

def settings_hash(settings: str) -> int:
    """A number from 1 to 2^64 - 1 that stands for settings, and is the same in every process.

    Other settings have another one, except by chance.
    """

def take_note_of_a_fork() -> bool:
    """Whether this process was forked, and the interpreter has not been told, since this was last asked."""

def check_name(name: str) -> None:
    """Checks a fuse's name: 1 to 200 bytes of UTF-8.

    Raises:
        TypeError: the name is not a str.
        ValueError: the name is empty, too long, or not valid Unicode.
    """

@final
class FuseState:
    """A fuse's state and since when, of one instant. Immutable, hashable; pickles, and ``match`` takes it apart."""

    __match_args__: ClassVar[tuple[Literal["state"], Literal["since"]]] = ("state", "since")

    def __new__(cls, state: State, since: float | None = None) -> Self: ...
    @property
    def state(self) -> State:
        """The state."""
    @property
    def since(self) -> float | None:
        """When the state began, in seconds of ``store.now()``; None for a fuse never seen."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self) -> tuple[type[Self], tuple[State, float | None]]: ...

@final
class FuseSnapshot:
    """What a fuse has been through, for people and dashboards. Immutable; equal if all of it is.

    State and generation are of one instant. Counters are the whole host's and only ever go up, until ``reset_all``; a
    total is never less than what was counted before the reading began.
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
        """Failures in the window: those that are not older than the longest window of any breaker of the fuse.

        Counted since the last success or change of state, and at most ``failure_capacity``. Where no breaker has made a
        call, those of the last seven days.
        """
    @property
    def last_failure(self) -> float | None:
        """When the latest failure since the last success or change of state was, in seconds of ``store.now()``.

        However long ago. None if there is none.
        """
    @property
    def successes(self) -> int:
        """Calls that succeeded."""
    @property
    def failures(self) -> int:
        """Calls that failed."""
    @property
    def ignored(self) -> int:
        """Calls whose outcome counted neither way (rule R10)."""
    @property
    def rejections(self) -> int:
        """Calls that were rejected."""
    @property
    def late_outcomes(self) -> int:
        """Outcomes of calls admitted in an older generation (rule R09), counted as what they were too."""
    @property
    def probes(self) -> int:
        """Calls admitted as probes."""
    @property
    def trips(self) -> int:
        """Times that a failure opened the fuse: a trip, or a probe that failed. Transitions tell them apart."""
    @property
    def closes(self) -> int:
        """Times that a probe closed the fuse."""
    @property
    def failed_probes(self) -> int:
        """Failed probes in a row, as it was when the fuse last opened; see ``multiplier``.

        Closed times since then are taken off when it opens next. For a moment after it has opened it is still that of
        before.
        """
    @property
    def settings_changes(self) -> int:
        """Times that a breaker came with other settings than the one before it (rule R15)."""
    @property
    def slow(self) -> int:
        """Calls that were slow by the policy of their breaker. 0 where none asks how long calls take."""
    @property
    def until(self) -> float | None:
        """When the manual override ends by itself, in seconds of ``store.now()``; None without an end or override."""
    @property
    def who(self) -> str | None:
        """Who made the manual override that the fuse is in; None without one, or if that was not said."""
    @property
    def why(self) -> str | None:
        """Why it was made; None as for ``who``."""
    @property
    def is_local(self) -> bool:
        """Whether the fuse lives in this process alone."""
    @property
    def module(self) -> str | None:
        """The module whose breaker was the first to make calls on it, such as ``shop.payments``.

        Of a name longer than 55 bytes the beginning and a hash. None where no breaker has, or that one was made where
        no module is: in an interactive shell, by ``python -c``, in a notebook.
        """
    def __eq__(self, other: object, /) -> bool: ...

class Clock:
    """A clock that a test moves. It never goes back. One process's: a forked child gets a copy."""

    def __new__(cls, now_us: int | None) -> Self:
        """Makes one that stands at so many microseconds; or, by None, one that runs with the host's."""
    @property
    def now_us(self) -> int:
        """Microseconds it shows."""
    def advance_us(self, by_us: int) -> None:
        """Moves it forward."""
    def _stop(self) -> None:
        """Lets it stand, at the next whole second. Nothing if it stands."""
    def _run(self) -> None:
        """Lets it run, from where it stands or from the host's time if that is later. Nothing if it runs."""

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
        """A private table if there is no name, else the host's. Without ``make`` nothing is made.

        A table that is not to be made may be opened to read only, not ``writable``: then it may be another user's.
        With ``stopgap`` it is a private table in the place of the host's: which is to be looked for again, or
        only where somebody insists.
        """
    @property
    def _is_writable(self) -> bool:
        """Whether it is open for more than reading."""
    def _is_to_look(self, at_once: bool) -> bool:
        """Whether the caller is to look for the host's table: this is a stopgap, or the host's was removed.

        A stopgap's turn comes at most once a second, less often the longer it lasts, and is one thread's. A removed
        table is noticed once a second, or ``at_once``.
        """
    def _go_over(self, to: Self) -> list[Row] | None:
        """Goes on with the table of another store, which nobody else uses; the transitions that it makes there.

        Those are manual overrides that were said here. None if this store is on the host's table already.
        """
    @property
    def _former_users(self) -> list[int]:
        """Processes that used a removed table of this name when this one was made, by the store's opening."""
    @property
    def _path(self) -> str | None:
        """Where a host's table lies; None for a private one."""
    @property
    def is_removed(self) -> bool:
        """Whether the file of a host's table was removed: processes that open it from now on share nothing with it."""
    @property
    def fuse_capacity(self) -> int:
        """Fuses there is room for, a power of two."""
    @property
    def failure_capacity(self) -> int:
        """Failures of a fuse that are counted exactly, a power of two."""
    @property
    def size_bytes(self) -> int:
        """Size of the table, allocated up front."""
    @property
    def overflowed(self) -> int:
        """Fuses that found no room in the table and live in this process alone (rule T12)."""
    def now(self) -> float:
        """Seconds on the store's clock: the host's, which runs through suspend and is not the time of day."""
    def state(self, fuse: str) -> FuseState:
        """The state of a fuse and since when, in one atomic reading. Creates nothing."""
    def _record_failure_us(self, fuse: str, window_us: int) -> int:
        """``record_failure`` with the window in microseconds."""
    def record_success(self, fuse: str) -> None:
        """Records a success: clears the window of failures. Changes no state; an open fuse stays open."""
    def remove(self, fuse: str) -> bool:
        """Removes the fuse from the table, if it is idle; whether it did (rule R28).

        Idle is a fuse that is closed and whose window holds no failure that a breaker of it still counts, by the
        longest window of any, seven days at most. One that is open, half-open, ramping, isolated or disabled stays;
        so does, for an hour for each failed probe in a row, one whose probes have failed. Counters
        and times go with the fuse, and outcomes of its calls that are under way count no more. Breakers go on: at their
        next call the name has a new place. The old one is another name's to take a minute later.

        For names that will not come again, such as a tenant that left. A full table takes idle places back by itself.
        Safe from any thread and process, also beside calls.

        Raises:
            TypeError, ValueError: it is no name of a fuse.
        """
    def _set_state(self, fuse: str, code: int) -> Made | None:
        """Sets a state, unless an operator holds the fuse; the transition, if it was made."""
    def _apply_override(self, fuse: str, code: int, for_us: int, who: str, why: str) -> Made | None:
        """Does what an operator says; the transition. None if the fuse finds no room in the host's table."""
    def _settings(self, fuse: str) -> Numbers | None:
        """The numbers of the settings that a breaker last made calls with, if they are known."""
    def all_states(self) -> dict[str, FuseState]:
        """The fuses that have been used, by name, in no particular order. Safe while others write."""
    def snapshot(self) -> dict[str, FuseSnapshot]:
        """What each fuse that was used has been through: a dict by name. Safe while others write."""
    @property
    def journal_dropped(self) -> int:
        """How many records the journal does not tell any more.

        It has dropped them to make room for later ones, or their fuse was removed and has no name any more.
        """
    def _journal(self) -> list[Row]:
        """The journal's records, oldest first."""
    def _reset_all(self) -> list[Row]:
        """Closes and forgets every fuse, held ones too; the transitions."""

@final
class Leader:
    """This process as one of those that may lead; see ``fuseboard.Leader``."""

    def __new__(cls, store: Store, purpose: str, lease_us: int) -> Self: ...
    def lead(self) -> tuple[int | None, str | None]:
        """Leads, or leads on; the term, or None, and what was wrong with the lock, if anything."""
    def term(self) -> int | None:
        """The term in which this process leads now."""
    def resign(self) -> None:
        """Leaves the lead to others."""
    def pid(self) -> int | None:
        """The process that leads now."""
    def unexported(self) -> Unexported | None:
        """What was not exported of the table's fuses; None if this process does not lead now."""

@final
class Unexported:
    """What was not exported when it was asked for."""

    def rows(self) -> list[tuple[str, list[int]]]:
        """Each fuse that has something new: its name, its counters in their order, slow calls last."""
    def note(self) -> None:
        """Notes that it was exported."""

@final
class JournalCursor:
    """A place in a store's journal: each transition once, those of one fuse in their order."""

    def __new__(cls, store: Store, since: str | None = None) -> Self:
        """From now on; from the oldest that is there, by ``"oldest"``; or from another one's cursor.

        Raises:
            TypeError, ValueError: ``since`` is none of these.
        """
    def poll(self, store: Store) -> None:
        """Reads what is new, unless something is waiting to be taken off."""
    def peek(self) -> Row | None:
        """The oldest that was read, if any."""
    def take(self) -> Row | None:
        """Takes it off, and returns it; None if there is none."""
    @property
    def cursor(self) -> str:
        """Where it stands, behind what was taken off: a text by which another reader goes on there."""
    @property
    def is_resumed(self) -> bool:
        """Whether it goes on at the cursor that it was given."""
    @property
    def lost(self) -> int:
        """How many records the journal had dropped, or their fuse had been removed, before they were read."""

@final
class Fuse:
    """A fuse, with one breaker's numbers."""

    def __new__(
        cls,
        store: Store,
        name: str,
        numbers: Numbers,
    ) -> Self: ...
    @property
    def overflowed(self) -> bool:
        """Whether it found no room in the store's table."""
    @property
    def is_removed(self) -> bool:
        """Whether its name has to be looked up again."""
    def state(self) -> FuseState:
        """State and since when."""
    def _apply_override(self, code: int, for_us: int, who: str, why: str) -> Made | None:
        """Does what an operator says; the transition. None if the fuse was removed."""
    def rate_count(self, kind: int) -> tuple[int, int] | None:
        """How many calls ended within a rate's window, and how many of them were bad; None without such a rate."""
    def note_maker(self, module: str) -> str | None:
        """Notes that a breaker of this module comes to make calls; the module that made the fuse, if another one."""
    def note_settings(self, settings_hash: int, again: bool) -> int:
        """Notes the settings that a breaker makes calls with; those of the one before if it had others, else 0.

        One that may have come before (``again``) is not counted as a change, nor told of one.
        """

@final
class Permit:
    """The right to make one call."""

    def cancel(self) -> None:
        """Gives it back as if nobody had ever taken it, unless it was settled."""
    @property
    def is_settled(self) -> bool:
        """Whether it was settled; False for a permit that many calls of a closed fuse share."""
    @property
    def is_probe(self) -> bool:
        """Whether the call is a probe."""
    def stop_clock(self) -> None:
        """Stops the clock by which a rate of slow calls judges the call; the first stop counts."""

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
        """Keeps this fuse for those who only look, until calls have one to go by."""
    def _linked(self) -> Fuse | None:
        """The fuse that calls go by, or at least somebody has looked at."""
    @property
    def state(self) -> State:
        """The fuse's state now. An open fuse stays open until a call asks to pass after the reset timeout (R06)."""
    def _reject_nobody(self) -> None:
        """Lets calls that would be rejected go on unguarded."""
    def _reject_with(self, errors: tuple[type[CircuitOpenError], type[CircuitIsolatedError]]) -> None:
        """Makes its rejections of these classes: by an open fuse, and by an isolated one."""
    def _would_reject(self, fuse: Fuse) -> CircuitOpenError | None:
        """What a call would be rejected with at this moment, by this fuse."""
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
