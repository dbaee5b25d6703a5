"""Stores: the table of fuses, the host's or a process's own."""

import logging
import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Never, Self, cast

from fuseboard import _core
from fuseboard._events.log import announce, logger
from fuseboard._events.subscription import Hub, see_to_forks
from fuseboard._events.transition import Transition, began, transition
from fuseboard._once import Once
from fuseboard._policy.policies import MAX_THRESHOLD
from fuseboard._policy.settings import Settings
from fuseboard._state import State
from fuseboard._store import registry
from fuseboard._store.leader import LEASE, Leader
from fuseboard._store.manual_override import Override, manual_override
from fuseboard._store.telling import Telling
from fuseboard._validation import Seconds, exact, flag, microseconds, shown, store_name, whole
from fuseboard.errors import StoreFullError, StoreOpenError

if TYPE_CHECKING:
    from os import PathLike

DEFAULT_FUSES = 1024
DEFAULT_FAILURES = 256
LEAST_FAILURES = 16
"""Failures of a fuse that are counted where there are very many and nobody says how many: three times what the default
settings need."""
MAX_FUSES = 1 << 20
_VARIABLE = "FUSEBOARD_STORE"
_TRIES_AGAIN = "This process uses a table of its own meanwhile, and tries again by itself."
_UNTIL_RESTARTED = "This process uses a table of its own until it is restarted."
_SHOWN_USERS = 5
_MOST_NOTICES = 256
"""A program that makes settings up at each call must not fill the log."""


def default_failures(fuses: int) -> int:
    """Failures of a fuse that a store of so many counts if nobody says how many: all of them take 2 MiB, or more."""
    places = 1 << (fuses - 1).bit_length()
    return min(DEFAULT_FAILURES, max(LEAST_FAILURES, DEFAULT_FUSES * DEFAULT_FAILURES // places))


class Store(Telling):
    """A table of fuses. Get one from :meth:`shared`, :meth:`private` or :meth:`default`.

    The contract is PhoenixMicro's ``CircuitBreaker.Store``, carried from one BEAM node to all processes of a host.
    These are raw operations: they record and set but never decide (rule R13); deciding is :class:`CircuitBreaker`'s.
    Each acts on one fuse in one atomic step, so a process that dies in the middle of one has done it or has not (the
    first one to name a fuse has a step before that, which makes it known and closed).

    A fuse is named by a ``str`` of 1 to 200 bytes of UTF-8; it comes into being when it is first used. A fuse never
    seen is closed. Other names raise ``TypeError`` or ``ValueError``.

    Thread-safe and process-safe; no operation waits for another thread or process. After ``fork`` a child goes on with
    a shared table, and gets a copy of a private one. The table lives as long as a store or breaker on it; a shared one
    as long as its file, which is until the host restarts.
    """

    __slots__ = ("__dict__",)

    name: str | None
    """The shared store's name, None for a private one."""
    fault: StoreOpenError | None
    """Why a store that should be shared is this process's own; None if it is what it should be."""
    _key: tuple[str, str | None] | None
    _wanted: tuple[int, int, _core.Clock | None]
    _folder: str | None
    _makes: bool
    _told_fault: bool
    _told_removed: bool
    _told_small: bool
    _failures_asked: int
    _told_pairs: Once
    """What this process was told of breakers that come to one fuse and are not alike."""

    def __new__(cls, *_args: Never, **_kwargs: Never) -> Self:
        """Refuses: a store comes from a class method that says whose it is."""
        raise TypeError("use Store.shared(name), Store.private() or Store.default()")

    @classmethod
    def shared(
        cls,
        name: str,
        *,
        fuses: int = DEFAULT_FUSES,
        failures: int | None = None,
        strict: bool = False,
        clock: _core.Clock | None = None,
    ) -> Self:
        """Opens the host's table of this name, or makes it.

        All processes of one user that give the same name share it, whatever starts them. It lies in ``FUSEBOARD_DIR``,
        or else in a private folder in shared memory. If it cannot be had, the store is a private one instead: one
        warning is logged, ``is_shared`` is False and ``fault`` says why. Where that may pass by itself
        (``fault.is_transient``: no file descriptors, no memory, no room) the store tries again, and then goes on
        with the host's table.

        The table is as large as it will ever be from the start: ``size_bytes``. By default that is 5 MB; for 10,000
        fuses it is 31 MB, for 100,000 243 MB. The shared memory of a container is 64 MB unless somebody gave it more
        (``docker run --shm-size``, an ``emptyDir`` of medium ``Memory``).

        Args:
            name: 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit; no path.
            fuses: how many fuses there is room for, 1 to 1,048,576, rounded up to a power of two; of more than 1,024 to
                the next but one where less than an eighth would stay free. More than that live in this process alone.
                Each place takes 1.7 KiB and 8 bytes for each of its ``failures``.
            failures: how many failures of a fuse are counted exactly, 1 to 2,048, rounded up to a power of two: the
                highest ``threshold`` that a breaker can have. None for 256 in a store of up to 1,024 fuses, half as
                many with each doubling, and at least 16. A table that exists keeps the numbers it was made with.
            strict: raise instead of falling back.
            clock: where time comes from; None for the host's clock. Only tests give one.

        Raises:
            MemoryError: the process may not even map a private table.
            StoreOpenError: with ``strict``, if the table cannot be had.
            TypeError: an argument is of the wrong type.
            ValueError: an argument is out of range.
        """
        name = store_name("store name", name)
        whole("fuses", fuses, MAX_FUSES)
        asked = 1 if failures is None else whole("failures", failures, MAX_THRESHOLD)
        failures = default_failures(fuses) if failures is None else failures
        key = (name, registry.folder())
        store = registry.shared.get(key) if clock is None else None
        if not isinstance(store, cls):
            fresh = cls._open(name, fuses, failures, strict=strict, clock=clock)
            entered = fresh if clock else registry.share(key, fresh, instead_of=store)
            store = entered if isinstance(entered, cls) else fresh
        if strict and (store.fault or store.is_removed):
            store._go_on_with(store._find())
        return store._expect(fuses, failures, at_least=asked)

    @classmethod
    def private(
        cls, *, fuses: int = DEFAULT_FUSES, failures: int | None = None, clock: _core.Clock | None = None
    ) -> Self:
        """Makes a table of this process's own. Arguments as for :meth:`shared`; memory only for fuses that are used.

        Raises:
            MemoryError: the process may not map that much.
            TypeError: an argument is of the wrong type.
            ValueError: an argument is out of range.
        """
        if failures is None:
            failures = default_failures(whole("fuses", fuses, MAX_FUSES))
        return cls._make(None, None, fuses, failures, clock)

    @classmethod
    def default(cls) -> "Store":
        """The store of breakers that are not given one: opened at first use, then the same one.

        Its name is ``FUSEBOARD_STORE``, or ``default``; ``:private:`` makes it private.

        Raises:
            ValueError: ``FUSEBOARD_STORE`` is not a store's name.
        """
        store = registry.default()
        if not isinstance(store, Store):
            name = registry.default_name()
            if name != registry.PRIVATE:
                store_name(_VARIABLE, name)
            store = Store.private() if name == registry.PRIVATE else Store.shared(name)
            store = cast("Store", registry.offer_default(store))
        return store

    @classmethod
    def _default_for_a_call(cls) -> "Store":
        """The default store; a private one if the environment does not name a store, which is no call's fault."""
        try:
            return cls.default()
        except ValueError as error:
            detail = str(error).removeprefix(f"{_VARIABLE} ")
            fault = StoreOpenError(registry.default_name(), _VARIABLE, "name", detail)
        store = registry.offer_default(cls._fall_back(fault, DEFAULT_FUSES, DEFAULT_FAILURES, None))
        return cast("Store", store)._expect(DEFAULT_FUSES, DEFAULT_FAILURES, at_least=1)

    @classmethod
    def existing(cls, name: str, *, folder: "str | PathLike[str] | None" = None, writable: bool = False) -> Self:
        """Opens the host's table of this name if there is one, for whoever looks. Makes neither a table nor its folder.

        It is mapped for reading only: nothing that is done with the store changes a byte of it. All that reads works:
        states, snapshots, the journal, listeners and streams. Transitions that stand in fuses and not in the
        journal, because their process was killed behind them, are told all the same. What would write, and a breaker
        on the store, raise :class:`StoreReadOnlyError`. It does not matter whether a process of the service is alive.

        The table may be another user's, where the system lets this process read it: root, say, looks at
        ``folder="/dev/shm/fuseboard-1000"``. A user who can write the file can end whoever reads it, by making the
        file shorter (``SIGBUS``). So look at tables of users that you trust not to.

        Where the table's file is removed the store goes on with what it has, and ``is_removed`` is True. Once there is
        another table of its name it goes on with that, and listeners and streams hear of all that its journal holds.

        Args:
            name: as for :meth:`shared`.
            folder: an absolute path; None for where :meth:`shared` looks.
            writable: opens it to write as well. Then the table must be this user's own, and the store is as one
                that is shared, but never falls back to a private one, and never makes a table.

        Raises:
            StoreOpenError: it cannot be had; with the reason ``"missing"`` if there is none.
            TypeError: an argument is of the wrong type.
            ValueError: it is no name of a store.
        """
        name = store_name("store name", name)
        where = registry.folder() if folder is None else _folder(folder)
        store = cls._make(name, where, 1, 1, None, make=False, writable=flag("writable", writable))
        store._key = (name, where)
        return store

    @classmethod
    def _make(  # noqa: PLR0913 - what a table is made with
        cls,
        name: str | None,
        folder: str | None,
        fuses: int,
        failures: int,
        clock: _core.Clock | None,
        *,
        make: bool = True,
        writable: bool = True,
        stopgap: bool | None = None,
    ) -> Self:
        whole("fuses", fuses, MAX_FUSES)
        whole("failures", failures, MAX_THRESHOLD)
        if clock is not None and not isinstance(clock, _core.Clock):
            raise TypeError(
                f"clock must be a fuseboard.testing.Clock or None, got {type(clock).__name__}: {shown(clock)}"
            )
        clock = clock or registry.clock_of(name, folder)
        store = _core.Store.__new__(
            cls, name, folder, fuses, failures, clock, make=make, writable=writable, stopgap=stopgap
        )
        store.name = name
        store._folder = folder
        store._makes = make
        store.fault = None
        store._key = None
        store._wanted = (fuses, failures, clock)
        store._told_fault = store._told_small = store._told_removed = False
        store._told_pairs = Once(_MOST_NOTICES)
        store._failures_asked = 0
        store._hub = Hub(store)
        return store

    @classmethod
    def _open(cls, name: str, fuses: int, failures: int, *, strict: bool, clock: _core.Clock | None) -> Self:
        try:
            store = cls._make(name, registry.folder(), fuses, failures, clock)
        except StoreOpenError as fault:
            if strict:
                raise
            store = cls._fall_back(fault.with_traceback(None), fuses, failures, clock)
        store._key = (name, registry.folder())
        store._tell_former_users()
        return store

    @classmethod
    def _fall_back(cls, fault: StoreOpenError, fuses: int, failures: int, clock: _core.Clock | None) -> Self:
        """A private store in the place of a shared one."""
        try:
            store = cls._make(None, None, fuses, failures, clock, stopgap=fault.is_transient)
        except MemoryError:
            store = cls._make(None, None, DEFAULT_FUSES, failures, clock, stopgap=fault.is_transient)
            store._wanted = (fuses, failures, clock)
        store.name, store.fault = fault.store, fault
        return store

    def _look_around(self, *, at_once: bool = False) -> None:
        """Looks whether the store is still on the host's table, if it is time for that, and else goes over to it.

        In a child that was forked behind the interpreter's back it sees to the listeners, too.
        """
        see_to_forks()
        # Where there was no other table to be had a moment ago, each try would make one of its full size in vain.
        if self._is_to_look(at_once and not self._told_removed):
            self._search()

    def _search(self) -> None:
        """Looks for the host's table. Where it cannot be had the store stays where it is."""
        if self._key is None:  # closed
            return
        try:
            found = self._find()
        except StoreOpenError as fault:
            self._stay(fault.with_traceback(None))
        else:
            self._go_on_with(found)

    def _find(self) -> Self:
        name, folder = cast("tuple[str, str | None]", self._key)
        return self._make(name, folder, *self._wanted, make=self._makes, writable=self._is_writable)

    def _stay(self, fault: StoreOpenError) -> None:
        if self.fault is not None:
            is_news = (self.fault.reason, self.fault.detail) != (fault.reason, fault.detail)
            self.fault = fault
            if is_news:
                logger.warning("%s %s", fault, _TRIES_AGAIN)
        elif not self._told_removed:
            self._told_removed = True
            logger.warning(
                "the table %s was removed, and another one cannot be had: %s Processes that have it open go on with "
                "it, this one too, until there is another one.",
                self._path, fault,
            )  # fmt: skip

    def _go_on_with(self, found: Self) -> None:
        """Goes on with the host's table. Of threads that have found it at once the first one does."""
        made = self._go_over(found)
        if made is None:
            return
        if self.fault is not None:
            what = "is shared again: this process goes on with the host's table %s"
            level = logging.INFO
        else:
            what = "has lost its table, whose file was removed: this process goes on with the one that is at %s now"
            level = logging.WARNING
        self.fault = None
        self._told_fault = self._told_removed = False
        logger.log(level, f"store %r {what}. What was counted so far stays behind.", self.name, self._path)
        self._tell_former_users()
        self._expect(*self._wanted[:2], at_least=1)
        for row in made:
            announce(transition(row, began(self)), None)

    def _tell_former_users(self) -> None:
        users = self._former_users
        if not users:
            return
        shown_ones = ", ".join(map(str, users[:_SHOWN_USERS])) + (", ..." if len(users) > _SHOWN_USERS else "")
        logger.warning(
            "store %r: the table was removed while other processes of this user used it (%s), so %s was made anew. "
            "They go on with the old one until they notice: at their next failed or rejected call at the latest. Until "
            "then nothing that is said here reaches them; restart them if that is urgent.",
            self.name, shown_ones, self._path,
        )  # fmt: skip

    def _expect(self, fuses: int, failures: int, *, at_least: int) -> Self:
        """The store; says once what it is not: the host's, or as large as somebody asked for, in so many words."""
        self._failures_asked = max(self._failures_asked, failures)
        if self.fault and not self._told_fault:
            self._told_fault = True
            logger.warning("%s %s", self.fault, _TRIES_AGAIN if self.fault.is_transient else _UNTIL_RESTARTED)
        if (self.fuse_capacity < fuses or self.failure_capacity < at_least) and not self._told_small:
            self._told_small = True
            logger.warning(
                "store %r was made for %d fuses and %d failures; this process asked for %d and %d. "
                "A table is never resized; choose another name for a larger one.",
                self.name, self.fuse_capacity, self.failure_capacity, fuses, failures,
            )  # fmt: skip
        return self

    @property
    def _failures_to_be_had(self) -> int:
        """What this process has, or would have, had nobody made the table smaller before: a power of two."""
        return max(self.failure_capacity, 1 << (self._failures_asked - 1).bit_length() if self._failures_asked else 0)

    @property
    def _called(self) -> str:
        """What a message calls it."""
        return "a private store" if self.name is None else f"store {self.name!r}"

    @property
    def is_shared(self) -> bool:
        """Whether the table is the host's: False for a private store, and for a shared one that could not be had.

        Who asks also makes a store try again to share, at most once a second.
        """
        self._look_around()
        return self._path is not None

    @property
    def path(self) -> "PathLike[str] | None":
        """Where the host's table lies; None for a table of this process's own."""
        from pathlib import Path  # noqa: PLC0415 - for people, and slow to import

        return None if self._path is None else Path(self._path)

    def record_failure(self, fuse: str, window: Seconds) -> int:
        """Records a failure and returns how many there were within ``window`` seconds, this one included.

        Counts failures since the last success or change of state; exact up to ``failure_capacity``, where it
        saturates. Costs the same whatever the count. Changes no state.
        """
        return self._record_failure_us(fuse, microseconds("window", window, least=1e-6))

    def set_open(self, fuse: str) -> None:
        """Opens the fuse from now on, whatever it was; but an isolated or disabled one stays so (rule R12).

        Like each ``set_*`` it begins a new generation with an empty window: outcomes of calls made before change
        nothing.
        """
        self._set(fuse, State.OPEN)

    def set_half_open(self, fuse: str) -> None:
        """Makes the fuse half-open; see :meth:`set_open`. PhoenixMicro's keeps the window; here it is emptied."""
        self._set(fuse, State.HALF_OPEN)

    def set_closed(self, fuse: str) -> None:
        """Closes the fuse; see :meth:`set_open`."""
        self._set(fuse, State.CLOSED)

    def isolate(
        self, fuse: str, *, why: str | None = None, who: str | None = None, for_: Seconds | None = None
    ) -> Transition:
        """Rejects every call on the host, whatever happens meanwhile; see :meth:`CircuitBreaker.isolate`.

        For who has no breaker, such as a command. A fuse that nobody has used yet comes into being, and is isolated.

        Raises:
            StoreFullError: the fuse finds no room in the host's table, so this would reach no other process.
            StoreReadOnlyError: the store was opened to read only.
            TypeError, ValueError: as for :meth:`CircuitBreaker.isolate`, or it is no name of a fuse.
        """
        return self._override(fuse, manual_override(State.ISOLATED, why, who, for_))

    def disable(
        self, fuse: str, *, why: str | None = None, who: str | None = None, for_: Seconds | None = None
    ) -> Transition:
        """Admits every call on the host, whatever happens meanwhile; see :meth:`CircuitBreaker.disable`."""
        return self._override(fuse, manual_override(State.DISABLED, why, who, for_))

    def reset(self, fuse: str, *, why: str | None = None, who: str | None = None) -> Transition:
        """Closes the fuse with an empty window, whatever it was; see :meth:`CircuitBreaker.reset`."""
        return self._override(fuse, manual_override(State.CLOSED, why, who))

    def _override(self, fuse: str, override: Override) -> Transition:
        # A word that others are to hear must not be said to a table that nobody comes to any more.
        self._look_around(at_once=True)
        made = self._apply_override(fuse, *override)
        if made is None:
            raise StoreFullError(cast("str", self.name), exact(fuse))
        told = transition((exact(fuse), *made), began(self))
        announce(told, None)
        return told

    def settings(self, fuse: str) -> Settings | None:
        """The settings that a breaker of the fuse last made calls with, whichever process has it.

        Such as for "3 of 5": its window beside ``threshold``. Its ``threshold`` is at most the store's
        ``failure_capacity``. None if no breaker has made a call, or the table has no room for more than 128 different
        settings, and these had to make room for others.
        """
        numbers = self._settings(fuse)
        return None if numbers is None else Settings.from_numbers(numbers)

    def _set(self, fuse: str, state: State) -> None:
        made = self._set_state(fuse, state.code)
        if made is not None:
            announce(transition((exact(fuse), *made), began(self)), None)

    def reset_all(self) -> None:
        """Closes and forgets every fuse, held ones too.

        ``all_states()`` is empty and counters begin at 0. Outcomes of calls under way change nothing; generations do
        not go back.
        """
        for row in self._reset_all():
            announce(transition(row, began(self)), None)

    def leader(self, purpose: str, *, lease: Seconds = LEASE) -> Leader:
        """This process as one of those that may lead for a purpose, of which one of the host leads at a time.

        For what one process does for all, such as exporting the host's counts, which each process can read. See
        :class:`Leader`.

        Args:
            purpose: a name such as ``"metrics"``; as for a store, 1 to 64 letters, digits, dots, dashes and
                underscores, the first a letter or digit. A store knows eight purposes at most, as long as its table
                lives.
            lease: seconds that a leader may let pass between two calls of :meth:`Leader.lead`, 0.1 to 3,600. If it is
                later, another process may take over. With the default, call it every 0.25 seconds: then a leader that
                is stopped is replaced within one second. If you act every 10 seconds, give 11.

        Raises:
            StoreReadOnlyError: the store only reads.
            TypeError: an argument is of the wrong type.
            ValueError: an argument is out of range, or the store knows eight other purposes.
        """
        return Leader(self, purpose, lease)

    def _full(self, fuse: str) -> None:
        """The compiled part's word, once a store, that a fuse found no room in the table."""
        logger.warning(
            "%s is full (%d fuses): fuse %r and others that find no room live in this process alone. "
            "Use a store with more fuses, or fewer names.",
            self._called, self.fuse_capacity, exact(fuse),
        )  # fmt: skip

    def close(self) -> None:
        """Lets go of the table: the process unmaps it once no breaker uses it either. Not an error if done twice."""
        if self._key:
            registry.let_go(self._key, self)
        if registry.default() is self:
            registry.replace_default(None)
        self._key = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def __copy__(self) -> Self:
        """The store itself: there is one table."""
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        """The store itself, as for :meth:`__copy__`."""
        return self

    def __reduce__(self) -> tuple[Callable[..., "Store"], tuple[object, ...]]:
        """A shared store pickles as its name, by which the other process opens it; one of :meth:`existing` as that.

        Raises:
            TypeError: a private store is this process's own.
        """
        if self.name is None:
            raise TypeError("a private store does not pickle: it is this process's own; use Store.shared(name)")
        if not self._makes:
            return _existing, (self.name, self._folder, self._is_writable)
        return Store.shared, (self.name,)

    def __repr__(self) -> str:
        if self.name is None:
            return "<Store private>"
        where = f"at {self.path}" if self.is_shared else "fallen back to a private table"
        return f"<Store {self.name!r} {where}{'' if self._is_writable else ', to read only'}>"


def _existing(name: str, folder: str | None, writable: bool) -> Store:
    """A store that was pickled."""
    return Store.existing(name, folder=folder, writable=writable)


def _folder(folder: object) -> str:
    """A folder's path as text.

    Raises:
        TypeError: it is no path.
    """
    try:
        return os.fsdecode(folder)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"folder must be an absolute path or None, got {type(folder).__name__}: {shown(folder)}"
        ) from None
