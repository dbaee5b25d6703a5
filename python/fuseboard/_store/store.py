"""Stores: tables of fuses, shared by a host or private to a process."""

from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Never, Self, cast

from fuseboard import _core
from fuseboard._events.log import announce
from fuseboard._events.stream import Events
from fuseboard._events.subscription import Hub, Listener, Subscription, see_to_forks
from fuseboard._events.transition import Transition, began, transition
from fuseboard._policy.policies import MAX_THRESHOLD
from fuseboard._policy.settings import Settings
from fuseboard._state import State
from fuseboard._store import registry
from fuseboard._store.leader import LEASE, Leader
from fuseboard._store.manual_override import Override, manual_override
from fuseboard._store.notices import Notices
from fuseboard._store.opening import (
    DEFAULT_FAILURES,
    DEFAULT_FUSES,
    MAX_FUSES,
    TableSpec,
    default_failures,
    folder_path,
)
from fuseboard._validation import Seconds, exact, flag, microseconds, store_name, whole
from fuseboard.errors import StoreFullError, StoreOpenError

if TYPE_CHECKING:
    from os import PathLike

_VARIABLE = "FUSEBOARD_STORE"


class Store(_core.Store):
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
    _spec: TableSpec
    """The table that it should be on."""
    _is_closed: bool
    _is_alone: bool
    """Whether its table was removed, and another one could not be had."""
    _failures_asked: int
    _notices: Notices
    _hub: Hub

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
        spec = TableSpec(name, registry.folder(), fuses, failures, clock)
        key = (name, spec.folder)
        store = registry.shared.get(key) if clock is None else None
        if not isinstance(store, cls):
            fresh = cls._open(spec, strict=strict)
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
        return cls._make(TableSpec(None, None, fuses, failures, clock))

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
        spec = TableSpec(None, None, DEFAULT_FUSES, DEFAULT_FAILURES, None)
        store = registry.offer_default(cls._fall_back(fault, spec))
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
        where = registry.folder() if folder is None else folder_path(folder)
        return cls._make(TableSpec(name, where, 1, 1, None, make=False, writable=flag("writable", writable)))

    @classmethod
    def _open(cls, spec: TableSpec, *, strict: bool) -> Self:
        try:
            store = cls._make(spec)
        except StoreOpenError as fault:
            if strict:
                raise
            store = cls._fall_back(fault.with_traceback(None), spec)
        store._notices.former_users(store.name, store._path, store._former_users)
        return store

    @classmethod
    def _fall_back(cls, fault: StoreOpenError, spec: TableSpec) -> Self:
        """A private store instead of a shared one."""
        private = replace(spec, name=None, folder=None)
        try:
            store = cls._make(private, stopgap=fault.is_transient)
        except MemoryError:
            store = cls._make(replace(private, fuses=DEFAULT_FUSES), stopgap=fault.is_transient)
        store.name, store.fault, store._spec = fault.store, fault, spec
        return store

    @classmethod
    def _make(cls, spec: TableSpec, *, stopgap: bool | None = None) -> Self:
        clock = spec.clock or registry.clock_of(spec.name, spec.folder)
        store = _core.Store.__new__(
            cls,
            spec.name,
            spec.folder,
            spec.fuses,
            spec.failures,
            clock,
            make=spec.make,
            writable=spec.writable,
            stopgap=stopgap,
        )
        store.name = spec.name
        store.fault = None
        store._spec = spec
        store._is_closed = store._is_alone = False
        store._failures_asked = 0
        store._notices = Notices()
        store._hub = Hub(store)
        return store

    def _look_around(self, *, at_once: bool = False) -> None:
        """Checks, if it is time for that, whether the store is on the host's table, and goes over to it if not.

        In a child that was forked without the interpreter's knowledge, it also starts the listeners' thread.
        """
        see_to_forks()
        # If there was no room for another table a moment ago, each try would begin to make one in vain.
        if self._is_to_look(at_once and not self._is_alone):
            self._search()

    def _search(self) -> None:
        """Looks for the host's table. If it cannot be opened, the store stays on the table that it has."""
        if self._is_closed or self._spec.name is None:
            return
        try:
            found = self._find()
        except StoreOpenError as fault:
            self._stay(fault.with_traceback(None))
        else:
            self._go_on_with(found)

    def _find(self) -> Self:
        return self._make(self._spec)

    def _stay(self, fault: StoreOpenError) -> None:
        if self.fault is not None:
            before, self.fault = self.fault, fault
            if (before.reason, before.detail) != (fault.reason, fault.detail):
                self._notices.another_fault(fault)
        elif not self._is_alone:
            self._is_alone = True
            self._notices.removed(self._path, fault)

    def _go_on_with(self, found: Self) -> None:
        """Goes on with the host's table. Of threads that find it at the same time, the first one does it."""
        made = self._go_over(found)
        if made is None:
            return
        was_private = self.fault is not None
        self.fault, self._is_alone = None, False
        self._notices.went_over(self.name, self._path, was_private=was_private)
        self._notices.former_users(self.name, self._path, self._former_users)
        self._expect(self._spec.fuses, self._spec.failures, at_least=1)
        for row in made:
            announce(transition(row, began(self)), None)

    def _expect(self, fuses: int, failures: int, *, at_least: int) -> Self:
        """The store. Logs once that it is not the host's, or smaller than somebody asked for."""
        self._failures_asked = max(self._failures_asked, failures)
        if self.fault:
            self._notices.fault(self.fault)
        if self.fuse_capacity < fuses or self.failure_capacity < at_least:
            self._notices.too_small(self, self.name, fuses, failures)
        return self

    @property
    def _failures_to_be_had(self) -> int:
        """Failures that its table counts, or would count if no other process had made it smaller; a power of two."""
        return max(self.failure_capacity, 1 << (self._failures_asked - 1).bit_length() if self._failures_asked else 0)

    @property
    def _called(self) -> str:
        """Its name in a message."""
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
        # An override that is to reach the other processes must not go to a table that they have left.
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

    def journal(self) -> list[Transition]:
        """The transitions that the table remembers, oldest first: the latest 2,048, whoever made them, dead or alive.

        Each stands there once, those of one fuse in their order. One whose process was killed right behind it is there
        too, without the exception. Older ones are dropped, and so are those of a fuse that is removed, whose name is
        another's then; :attr:`journal_dropped` counts them.
        """
        since = began(self)
        return [transition(row, since) for row in self._journal()]

    def subscribe(self, listener: Listener) -> Subscription:
        """Tells a listener of every transition from now on, whichever process of the host makes it.

        Each once, those of one fuse in their order, and never before it was made: as a rule within 50 ms, within 2 s
        where the process that made it was killed right behind it. The listeners of a store are called one after
        another, in a daemon thread of their own. What they raise is logged, and they go on to be told. One that is so
        slow that the journal drops transitions before it gets to them misses those; :attr:`Subscription.lost` counts
        them.

        A store that goes over to another table of the host goes on with that one's journal from then on.

        A forked child's subscriptions go on in the child, from where they stood; where Python is not told of the fork,
        as under uWSGI, from the first call there that is not a good one. A listener at work at that moment is
        called again there, unless it is the one that forked.

        Args:
            listener: called with a :class:`Transition`.

        Returns:
            What ends it when closed. It ends too when nobody in this process has the store any more.

        Raises:
            RuntimeError: the system has no thread to give.
            TypeError: the listener is not callable, or is a coroutine function; for these there is :meth:`events`.
        """
        return self._hub.subscribe(self, listener)

    def events(self, since: str | None = None) -> Events:
        """The same as a stream: ``for made in store.events()``, or ``async for`` under asyncio or trio.

        From this call on, whenever the loop begins. Nothing is kept for a loop that does not ask but its place in the
        journal; :attr:`Events.lost` counts what the journal dropped meanwhile.

        Args:
            since: None for what comes from now on; ``"oldest"`` for all that the journal still holds, and what comes;
                or the :attr:`Events.cursor` of an earlier stream, to go on behind what that one has handed out. A
                cursor outlives its process: whoever stores it with what it did, and goes on there after a restart,
                is told of each later transition once. One of another table, as after a restart of the host, is no
                error: the stream begins with the oldest, and :attr:`Events.is_resumed` is False.

        Raises:
            TypeError: ``since`` is no text.
            ValueError: ``since`` is no cursor.
        """
        return Events(self, since)

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

    def close(self) -> None:
        """Lets go of the table: the process unmaps it once no breaker uses it either. Not an error if done twice."""
        if self._spec.name is not None:
            registry.let_go((self._spec.name, self._spec.folder), self)
        if registry.default() is self:
            registry.replace_default(None)
        self._is_closed = True

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
        if not self._spec.make:
            return _existing, (self.name, self._spec.folder, self._is_writable)
        return Store.shared, (self.name,)

    def __repr__(self) -> str:
        if self.name is None:
            return "<Store private>"
        where = f"at {self.path}" if self.is_shared else "fallen back to a private table"
        return f"<Store {self.name!r} {where}{'' if self._is_writable else ', to read only'}>"


def _existing(name: str, folder: str | None, writable: bool) -> Store:
    """Opens a store that was pickled."""
    return Store.existing(name, folder=folder, writable=writable)
