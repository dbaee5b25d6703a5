"""The compiled part: the table in shared memory and the calls on it.

This is its manual. Names with an underscore are for the package alone, and so are ``Fuse``, ``Permit``,
``JournalCursor`` and ``CompletedAwaitable``. Times are whole microseconds where a name ends in ``_us``, else seconds.
Every method may be called from any thread at any time.
"""

from collections.abc import Callable, Generator
from os import PathLike
from types import FrameType, FunctionType, TracebackType
from typing import Any, ClassVar, Literal, Self, TypeVar, final

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
    "check_name",
    "enter_directly",
    "fingerprint",
    "first",
    "hand_in",
    "take_note_of_a_fork",
]

def hand_in(
    states: tuple[State, ...],
    open_error: type[CircuitOpenError],
    isolated_error: type[CircuitIsolatedError],
    store_error: type[StoreOpenError],
    read_only_error: type[StoreReadOnlyError],
    shown: Callable[[object], str],
) -> None:
    """Hands in what the compiled part uses of the package, at the import. States are in the order of their codes."""

def first(cls: _Class) -> _Class:
    """A class decorator: the first class of this name that came here in this process.

    So a module that is reloaded, or imported anew, goes on with the classes that people have imported.
    """

def enter_directly(front: FunctionType, guard: Callable[..., Any], is_exact: bool) -> None:
    """Sends calls of a function straight to a guard while its fuse is closed, from CPython 3.12 on.

    The function's code calls the guard, which its closure's only cell holds, and does nothing else. ``is_exact`` says
    that it has the guarded function's own parameters, else it takes anything. Where somebody has changed its code or
    its defaults, its code is run.

    Raises:
        TypeError: it is no function, or no guard that was just made.
    """

def fingerprint(settings: str) -> int:
    """A number from 1 to 2^64 - 1 that other settings do not share, but by chance; the same in every process."""

def take_note_of_a_fork() -> bool:
    """Whether this process was forked, and the interpreter has not been told, since this was last asked."""

def check_name(name: str) -> None:
    """Checks a fuse's name: 1 to 200 bytes of UTF-8.

    Raises:
        TypeError: it is not a str.
        ValueError: it is empty, too long, or not valid Unicode.
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
    def _obey(self, fuse: str, code: int, for_us: int, who: str, why: str) -> Made | None:
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
    def _obey(self, code: int, for_us: int, who: str, why: str) -> Made | None:
        """Does what an operator says; the transition. None if the fuse was removed."""
    def rate_count(self, measure: int) -> tuple[int, int] | None:
        """How many calls ended within a rate's window, and how many of them were bad; None without such a rate."""
    def note_maker(self, module: str) -> str | None:
        """Notes that a breaker of this module comes to make calls; the module that made the fuse, if another one."""
    def note_settings(self, fingerprint: int, again: bool) -> int:
        """Notes the settings that a breaker makes calls with; those of the one before if it had others, else 0.

        One that may have come before (``again``) is not counted as a change, nor told of one.
        """

@final
class Permit:
    """The right to make one call."""

    def cancel(self) -> None:
        """Gives it back as if it had never been taken, unless it was settled."""
    def enter(self, frame: FrameType | None = None) -> Self:
        """Marks the running context as inside its call: guards of the same fuse step aside there. Returns itself.

        ``frame`` is what runs the call, by default whoever asks. Does nothing unless it is a probe's, or on a ramp.
        """
    @property
    def is_settled(self) -> bool:
        """Whether its outcome was given; False of one that many calls of a closed fuse share."""
    @property
    def is_probe(self) -> bool:
        """Whether the call is a probe."""
    def stop_clock(self) -> None:
        """Stops the clock by which a rate of slow calls judges the call; the first stop counts."""

@final
class CompletedAwaitable:
    """A coroutine that is ready at once, with None."""

    def __await__(self) -> Generator[Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> None: ...
    def send(self, _value: object) -> Any: ...
    def throw(self, error: BaseException, /) -> Any: ...
    def close(self) -> None: ...

class Breaker:
    """Admits calls and settles them.

    A subclass provides ``_resolve``, ``_look``, ``_judge``, ``_failure_if`` where it judges results,
    ``_fall_back`` where it guards with fallbacks, ``_transitioned``, ``_follow``, ``_voided`` and ``_report``, which is
    told what the others raise by mistake. None of that reaches the caller, but for what a fallback raises. ``_judge``,
    asked of exceptions, and ``_failure_if`` answer with a ``fuseboard._breaker.classify.Verdict``.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def _link(self, fuse: Fuse | None) -> None:
        """Makes calls go by this fuse; None for whatever ``_resolve`` returns at the next call."""
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
        """Makes ``_returned``, and guards made from now on, ask ``_failure_if`` what a result means."""
    def _guard(self, function: Callable[..., Any], fallback: Callable[..., Any] | None = None) -> Any:
        """A native callable that guards a plain function. With a fallback, ``_fall_back`` answers rejected calls."""
    def _admit(self) -> Permit:
        """Asks to make a call. The permit is to be settled once.

        Raises:
            CircuitOpenError: the call is rejected.
        """
    def _permit(self) -> Permit:
        """The same for a permit that no other call shares, so that it has one outcome also where the fuse is closed."""
    def _ignore(self, permit: Permit) -> None:
        """Ends a call that says nothing about the service."""
    def _settle(self, permit: Permit, error: BaseException | None = None) -> None:
        """Says how the call ended. A second time for the same probe does nothing."""
    def _calls(self) -> list[Any]:
        """``_admit`` and ``_returned`` as functions that cost less, for those who call them often."""
    def _returned(self, permit: Permit, value: object) -> None:
        """Says that the call returned this: a success, unless ``_failure_if`` says otherwise."""
    def _conclude(self, permit: Permit, verdict: Verdict) -> None:
        """Says how the call ended, whatever its exception means."""
    def __enter__(self) -> None: ...
    def __exit__(
        self, _class: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> Literal[False]: ...
    # Awaited, it is as if it were one; type checkers compare it with `AbstractAsyncContextManager`, where it is one.
    async def __aenter__(self) -> None: ...
    async def __aexit__(
        self, _class: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None: ...
