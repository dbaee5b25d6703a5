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
from fuseboard._once import lock
from fuseboard._policy.policies import MAX_THRESHOLD
from fuseboard._policy.settings import Settings
from fuseboard._state import State
from fuseboard._store import registry
from fuseboard._store.leader import LEASE, Leader
from fuseboard._store.manual_override import Override, manual_override
from fuseboard._store.notices import Notices
from fuseboard._store.table_spec import (
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

    The contract is that of PhoenixMicro's ``CircuitBreaker.Store``, for all processes of a host instead of one BEAM
    node. Its operations record and set, and never decide (rule R13); :class:`CircuitBreaker` decides. Each operation
    changes one fuse in one atomic step: if its process dies in the middle, it has happened or it has not. The first
    operation on a fuse has a step before that, which makes the fuse known, and closed.

    A fuse has a name of 1 to 200 bytes of UTF-8; other names raise ``TypeError`` or ``ValueError``. It comes into being
    when it is first used. A fuse never seen is closed.

    Thread-safe and process-safe; no operation on a fuse waits for another thread or process. After ``fork`` a child
    goes on with a shared table, and gets a copy of a private one. A private table lives as long as a store or a breaker
    on it. A shared table lives as long as its file, until the host restarts.
    """

    __slots__ = ("__dict__",)

    name: str | None
    """The shared store's name, None for a private one."""
    fault: StoreOpenError | None
    """Why a store that should be shared is private; None if nothing is wrong."""
    _spec: TableSpec
    """The table that it should be on."""
    _is_closed: bool
    _is_alone: bool
    """Whether its table was removed, and another one could not be had."""
    _failures_asked: int
    _notices: Notices
    _hub: Hub

    def __new__(cls, *_args: Never, **_kwargs: Never) -> Self:
        """Refuses: use a class method, which says whether the store is shared or private."""
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

        All processes of one user that give the same name share the table. It lies in ``FUSEBOARD_DIR``, or else in a
        private folder in shared memory. If the table cannot be opened, the store is private instead: one warning is
        logged, ``is_shared`` is False and ``fault`` says why. If the cause may pass by itself (``fault.is_transient``:
        no file descriptors, no memory, no room), the store tries again, and then goes on with the host's table.

        The table never grows: it has its full size, ``size_bytes``, from the start. That is 5 MB by default, 31 MB for
        10,000 fuses and 243 MB for 100,000. A container has 64 MB of shared memory unless it is given more (``docker
        run --shm-size``, or an ``emptyDir`` of medium ``Memory``).

        Args:
            name: 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit; not a path.
            fuses: how many fuses the table has room for, 1 to 1,048,576, rounded up to a power of two. Above 1,024 that
                is doubled if less than an eighth of the slots would stay free. Further fuses live in this process
                alone. Each slot takes 1.7 KiB, and 8 bytes for each of its ``failures``.
            failures: how many failures of a fuse are counted exactly, 1 to 2,048, rounded up to a power of two. This is
                the highest ``threshold`` that a breaker can have. None for 256 in a store of up to 1,024 fuses, half as
                many with each doubling, and at least 16. A table that exists keeps the numbers it was made with.
            strict: True to raise instead of falling back.
            clock: the source of time, for tests; None for the host's clock.

        Raises:
            MemoryError: the process cannot map even a private table.
            StoreOpenError: with ``strict``, if the table cannot be opened.
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
        """Makes a table for this process alone. Arguments as for :meth:`shared`. Only fuses in use take memory.

        Raises:
            MemoryError: the process cannot map that much.
            TypeError: an argument is of the wrong type.
            ValueError: an argument is out of range.
        """
        if failures is None:
            failures = default_failures(whole("fuses", fuses, MAX_FUSES))
        return cls._make(TableSpec(None, None, fuses, failures, clock))

    @classmethod
    def default(cls) -> "Store":
        """The store of breakers that are not given one. It is opened at the first use, and is then always the same.

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
        """The default store; a private one if the environment's name is not valid, because no call fails for that."""
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
        """Opens the host's table of this name if there is one, to read it. Makes neither a table nor a folder.

        The table is mapped for reading only: nothing that you do with the store changes a byte of it. All that reads
        works: states, snapshots, the journal, listeners and streams. If a process was killed between a transition and
        its record in the journal, readers get the transition all the same. Operations that write, and breakers on the
        store, raise :class:`StoreReadOnlyError`. The service need not run.

        The table may belong to another user, if the system lets this process read it. Root can look at
        ``folder="/dev/shm/fuseboard-1000"``, for example. A user who can write the file can end a process that reads
        it, by making the file shorter (``SIGBUS``). So open only tables of users whom you trust.

        If the table's file is removed, the store goes on with the table that it has, and ``is_removed`` is True. When
        there is another table of its name, it goes on with that. Listeners and streams then get all that its journal
        holds.

        Args:
            name: as for :meth:`shared`.
            folder: an absolute path; None for where :meth:`shared` looks.
            writable: True to open it for writing too. Then the table must belong to this user. The store is like one
                from :meth:`shared`, but never falls back to a private table, and never makes a table.

        Raises:
            StoreOpenError: it cannot be opened; with the reason ``"missing"`` if there is no such table.
            TypeError: an argument is of the wrong type.
            ValueError: the name is not a store's name.
        """
        name = store_name("store name", name)
        where = registry.folder() if folder is None else folder_path(folder)
        may_write, is_given = flag("writable", writable), folder is not None
        return cls._make(TableSpec(name, where, 1, 1, None, make=False, writable=may_write, is_folder_given=is_given))

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
        try:
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
        except StoreOpenError as fault:
            if spec.is_folder_given:
                fault._folder_setting = "folder="
            raise
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
        # If there was no room for another table a moment ago, each try would begin to make one and find no room.
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
        with lock():
            before, was_alone = self.fault, self._is_alone
            if before is not None:
                self.fault = fault
            else:
                self._is_alone = True
        if before is not None:
            if (before.reason, before.detail) != (fault.reason, fault.detail):
                self._notices.another_fault(fault)
        elif not was_alone:
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
            announce(row, began(self))

    def _expect(self, fuses: int, failures: int, *, at_least: int) -> Self:
        """Returns the store. Logs once if it is not the host's, or is smaller than a caller asked for."""
        with lock():
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
        """Whether the table is the host's. False for a private store, and for one that fell back to a private table.

        To ask also makes a store that fell back try again, at most once a second.
        """
        self._look_around()
        return self._path is not None

    @property
    def path(self) -> "PathLike[str] | None":
        """The file of the host's table; None for a private table."""
        from pathlib import Path  # noqa: PLC0415 - slow to import, and few programs ask for the path

        return None if self._path is None else Path(self._path)

    def record_failure(self, fuse: str, window: Seconds) -> int:
        """Records a failure. Returns how many there were within ``window`` seconds, including this one.

        It counts failures since the last success or change of state, exactly up to ``failure_capacity`` and not beyond.
        It costs the same for any count, and changes no state.
        """
        return self._record_failure_us(fuse, microseconds("window", window, least=1e-6))

    def set_open(self, fuse: str) -> None:
        """Opens the fuse from any state, except isolated and disabled, which stay (rule R12).

        Like each ``set_*`` method it begins a new generation with an empty window: outcomes of earlier calls change
        nothing.
        """
        self._set(fuse, State.OPEN)

    def set_half_open(self, fuse: str) -> None:
        """Makes the fuse half-open; see :meth:`set_open`. The window is emptied; PhoenixMicro keeps it."""
        self._set(fuse, State.HALF_OPEN)

    def set_closed(self, fuse: str) -> None:
        """Closes the fuse; see :meth:`set_open`."""
        self._set(fuse, State.CLOSED)

    def isolate(
        self, fuse: str, *, why: str | None = None, who: str | None = None, for_: Seconds | None = None
    ) -> Transition:
        """Rejects every call on the host; see :meth:`CircuitBreaker.isolate`.

        For programs without a breaker, such as a command. A fuse that was never used comes into being, and is isolated.

        Raises:
            StoreFullError: the host's table has no room for the fuse, so this would reach no other process.
            StoreReadOnlyError: the store is open for reading only.
            TypeError, ValueError: as for :meth:`CircuitBreaker.isolate`, or the name is not a fuse's name.
        """
        return self._override(fuse, manual_override(State.ISOLATED, why, who, for_))

    def disable(
        self, fuse: str, *, why: str | None = None, who: str | None = None, for_: Seconds | None = None
    ) -> Transition:
        """Admits every call on the host; see :meth:`CircuitBreaker.disable`."""
        return self._override(fuse, manual_override(State.DISABLED, why, who, for_))

    def reset(self, fuse: str, *, why: str | None = None, who: str | None = None) -> Transition:
        """Closes the fuse from any state, with an empty window; see :meth:`CircuitBreaker.reset`."""
        return self._override(fuse, manual_override(State.CLOSED, why, who))

    def _override(self, fuse: str, override: Override) -> Transition:
        # An override must reach the other processes, so it must not go to a table that they have left.
        self._look_around(at_once=True)
        made = self._apply_override(fuse, *override)
        if made is None:
            raise StoreFullError(cast("str", self.name), exact(fuse))
        return announce((exact(fuse), *made), began(self))

    def settings(self, fuse: str) -> Settings | None:
        """The settings of the last breaker, in any process, that began to make calls on the fuse.

        A tool can show "3 of 5" with it: the failures of a snapshot and the ``threshold`` here, which is at most the
        store's ``failure_capacity``. None if no breaker has made a call. Also None if the table has dropped them: it
        keeps 128 different settings.
        """
        numbers = self._settings(fuse)
        return None if numbers is None else Settings.from_numbers(numbers)

    def _set(self, fuse: str, state: State) -> None:
        made = self._set_state(fuse, state.code)
        if made is not None:
            announce((exact(fuse), *made), began(self))

    def reset_all(self) -> None:
        """Closes and forgets every fuse, also isolated and disabled ones.

        Then ``all_states()`` is empty, and counters begin at 0. Outcomes of calls under way change nothing. Generations
        do not go back.
        """
        for row in self._reset_all():
            announce(row, began(self))

    def journal(self) -> list[Transition]:
        """The latest 2,048 transitions of the table, oldest first, made by any process, also by dead ones.

        Each is there once; those of one fuse are in their order. If a process was killed just after a transition, that
        is there too, without the exception. Older transitions are dropped, and so are those of a fuse that was removed,
        because its slot gets another name; :attr:`journal_dropped` counts them.
        """
        since = began(self)
        return [transition(row, since) for row in self._journal()]

    def subscribe(self, listener: Listener) -> Subscription:
        """Calls a listener for every transition from now on, made by any process of the host.

        It is called once for each transition, in order for one fuse: usually within 50 ms, and within 2 s if the
        process that made the transition was killed just after it. The listeners of a store are called one after
        another, in a daemon thread. What a listener raises is logged, and it is called for the next transition. If a
        listener is so slow that the journal drops transitions first, it misses these; :attr:`Subscription.lost` counts
        them.

        When a store goes over to another table of the host, its listeners go on with that table's journal.

        In a forked child, subscriptions go on from where they were. If Python does not learn of the fork, as under
        uWSGI, they go on at the first failed or rejected call there. A listener that was running at the fork is called
        again in the child, unless it is the one that forked.

        Args:
            listener: called with a :class:`Transition`.

        Returns:
            A subscription; close it to end the calls. They also end when nobody in this process has the store any more.

        Raises:
            RuntimeError: the system cannot start a thread.
            TypeError: the listener is not callable, or is a coroutine function; for these there is :meth:`events`.
        """
        return self._hub.subscribe(self, listener)

    def events(self, since: str | None = None) -> Events:
        """The same as a stream: ``for made in store.events()``, or ``async for`` under asyncio or trio.

        It begins with this call, not with the loop. The stream keeps only its place in the journal: what the journal
        drops before the loop asks is lost, and :attr:`Events.lost` counts it.

        Args:
            since: None for transitions from now on. ``"oldest"`` for all that the journal still holds, and later ones.
                Or the :attr:`Events.cursor` of an earlier stream, to go on after the last transition that it gave. A
                cursor outlives its process: store it together with what you did for the transition, and go on there
                after a restart; then you get each later transition once. A cursor of another table, as after a restart
                of the host, is not an error: the stream begins with the oldest transition, and
                :attr:`Events.is_resumed` is False.

        Raises:
            TypeError: ``since`` is not text.
            ValueError: ``since`` is not a cursor.
        """
        return Events(self, since)

    def leader(self, purpose: str, *, lease: Seconds = LEASE) -> Leader:
        """Makes this process one of those that may lead for a purpose. One process of the host leads at a time.

        For work that one process does for all, such as the export of the host's counts. See :class:`Leader`.

        Args:
            purpose: a name such as ``"metrics"``; like a store's name, 1 to 64 letters, digits, dots, dashes and
                underscores, the first a letter or digit. A table has room for eight purposes, and keeps them as long as
                it lives.
            lease: how many seconds a leader may let pass between two calls of :meth:`Leader.lead`, 0.1 to 3,600. If
                more pass, another process may take over. With the default, call it every 0.25 seconds: then a leader
                that is stopped is replaced within one second. If you act every 10 seconds, give 11.

        Raises:
            StoreReadOnlyError: the store only reads.
            TypeError: an argument is of the wrong type.
            ValueError: an argument is out of range, or the store knows eight other purposes.
        """
        return Leader(self, purpose, lease)

    def close(self) -> None:
        """Lets go of the table. The process unmaps it when no breaker uses it either. May be called twice."""
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
        """A shared store pickles as its name, which the other process opens; one from :meth:`existing` likewise.

        Raises:
            TypeError: a private store is this process's own.
        """
        if self.name is None:
            raise TypeError(
                "a private store cannot be pickled, because it belongs to this process; use Store.shared(name)"
            )
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
