"""Listeners: a thread reads the journal, and calls them for the transitions of all processes of the host.

The thread looks into the journal every :data:`POLL_INTERVAL`. To wake it instead, the process that makes a transition
would have to make a system call for each listener, in the middle of a user's call. A look at a journal without news
costs a few loads, and only processes that have a listener pay for it.

Each listener has its own cursor in the journal, which moves on when the listener has returned. So a forked child finds
everything as it was, and goes on there. If the interpreter does not know of the fork, as under uWSGI by default, the
child has no thread at first: the first failed or rejected call there, or the first use of a store, starts one.
"""

import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeAlias

from fuseboard import _core
from fuseboard._events.log import logger
from fuseboard._events.transition import Transition, began, transition
from fuseboard._forks import at_fork
from fuseboard._functions import is_async
from fuseboard._once import lock
from fuseboard._validation import shown

POLL_INTERVAL = 0.05
"""Seconds between two looks into the journal."""

Listener: TypeAlias = Callable[[Transition], object]


class LoggedCursor:
    """A cursor in a store's journal. It logs when its owner falls behind and misses transitions."""

    def __init__(self, store: _core.Store, owner: str, since: str | None = None) -> None:
        self.journal = _core.JournalCursor(store, since)
        self._owner = owner
        self._logged_lost = 0
        self._falls_behind = False

    def poll(self, store: _core.Store) -> None:
        """Reads what is new, unless something is waiting. Logs once each time that it begins to fall behind."""
        if self.journal.peek():
            return
        self.journal.poll(store)
        with lock():
            lost = self.journal.lost - self._logged_lost
            self._logged_lost += lost
            is_to_log = lost and not self._falls_behind
            if lost or self.journal.peek():
                self._falls_behind = bool(lost)
        if is_to_log:
            logger.warning(
                "%s was too slow and missed %d transitions, because the journal keeps only the latest",
                self._owner, lost,
            )  # fmt: skip


class Subscription:
    """A listener that is called for every transition on the host; from :meth:`fuseboard.Store.subscribe`.

    It lasts until it is closed, or until nobody in this process has the store any more. A context manager, which closes
    it. Thread-safe. A forked child has its own, which goes on from where the parent's was.
    """

    def __init__(self, store: _core.Store, listener: Listener) -> None:
        self._listener = listener
        self._cursor = LoggedCursor(store, f"the listener {listener!r}")
        self._is_closed = False

    @property
    def lost(self) -> int:
        """Transitions that the listener missed, because it or another listener of the store is too slow.

        The journal had dropped them, or their fuse had been removed and has no name any more.
        """
        return self._cursor.journal.lost

    def close(self) -> None:
        """Ends it: the listener is not called again; a call under way goes on. May be called twice."""
        self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def _call_listener(self, store: _core.Store, is_ours: Callable[[], bool]) -> None:
        """Calls the listener for what is new, as long as that is this thread's turn."""
        self._cursor.poll(store)
        journal = self._cursor.journal
        while not self._is_closed and is_ours() and (row := journal.peek()):
            try:
                self._listener(transition(row, began(store)))
            except BaseException:  # noqa: BLE001 - whatever a listener raises, it gets the next transition too
                with contextlib.suppress(Exception):  # a handler or a filter of the log may raise too
                    logger.exception("fuse %r: the listener %r raised an exception", row[0], self._listener)
            if is_ours():
                journal.take()


class Hub:
    """The subscriptions to one store in this process, and the thread that calls their listeners."""

    def __init__(self, store: _core.Store) -> None:
        self._store = weakref.ref(store)
        self._subscriptions: list[Subscription] = []
        self._turn: object | None = None
        """The token of the thread whose turn it is; None if there is no thread."""
        self._calling: Subscription | None = None
        self._thread: int | None = None
        self._is_fault_logged = False
        with lock():
            _hubs.add(self)

    def subscribe(self, store: _core.Store, listener: Listener) -> Subscription:
        """A subscription from now on.

        Raises:
            RuntimeError: the system has no thread to give.
            TypeError: the listener is not a plain callable.
        """
        if not callable(listener) or is_async(listener):
            hint = "; in an event loop use store.events()" if callable(listener) else ""
            raise TypeError(
                f"listener must be a plain callable, got {type(listener).__name__}: {shown(listener)}{hint}"
            )
        see_to_forks()
        subscription = Subscription(store, listener)
        with lock():
            self._subscriptions.append(subscription)
        try:
            self._see_to_a_thread()
        except BaseException:
            subscription.close()
            raise
        return subscription

    def call_listeners(self, turn: object) -> bool:
        """One look into the journal; whether there is to be another one."""
        self._thread = threading.get_ident()
        store = self._store()
        if store is None:
            return False
        for subscription in self._open():
            self._calling = subscription
            try:
                subscription._call_listener(store, lambda: self._is(turn))
            except Exception as fault:  # noqa: BLE001 - the thread must go on, or no listener is called again
                self._report(fault)
            if not self._is(turn):
                return False
        self._calling = None
        return self._goes_on(turn)

    def _report(self, fault: Exception) -> None:
        """Logs, once, an error of the thread itself, such as one that a filter of the log raised."""
        if not self._is_fault_logged:
            self._is_fault_logged = True
            with contextlib.suppress(Exception):
                logger.error("internal error in the thread that calls the listeners; it continues", exc_info=fault)

    def go_on_in_a_child(self) -> None:
        """Starts a thread in a forked child, which has the subscriptions but not the thread."""
        if self._calling is not None and self._thread == threading.get_ident():
            # The listener itself has forked, and goes on here too. Called again, it would fork again.
            self._calling._cursor.journal.take()
        self._calling = None
        self._turn = None
        try:
            if self._open():
                self._see_to_a_thread()
        except RuntimeError:
            logger.exception("this forked process could not start a thread, so its listeners are not called")

    def _open(self) -> list[Subscription]:
        with lock():
            self._subscriptions = [one for one in self._subscriptions if not one._is_closed]
            return self._subscriptions.copy()

    def _see_to_a_thread(self) -> None:
        turn = object()
        with lock():
            if self._turn is not None:
                return
            self._turn = turn
        # Not under the lock: to start a thread is to wait for it.
        try:
            threading.Thread(target=_work, args=(weakref.ref(self), turn), name=THREAD_NAME, daemon=True).start()
        except BaseException:
            self._turn = None
            raise

    def _is(self, turn: object) -> bool:
        """Whether this token still has the turn: in a forked child another thread has it."""
        return self._turn is turn

    def _goes_on(self, turn: object) -> bool:
        with lock():
            if not self._is(turn):
                return False
            # Given up first: if a finalizer subscribes just now, it starts a thread, and this one ends.
            self._turn = None
            if self._open() and self._turn is None:
                self._turn = turn
            return self._is(turn)


THREAD_NAME = "fuseboard-events"
_hubs: weakref.WeakSet[Hub] = weakref.WeakSet()


def _work(hub_reference: weakref.ref[Hub], turn: object) -> None:
    """The thread's work. While it sleeps, it keeps neither the store nor the listeners alive."""
    while True:
        hub = hub_reference()
        if hub is None or not hub.call_listeners(turn):
            return
        del hub
        time.sleep(POLL_INTERVAL)


def see_to_forks() -> None:
    """Does what a child has to do, in a process that was forked by code that does not tell the interpreter."""
    if _core.take_note_of_a_fork():
        _go_on_in_a_child()


def _go_on_in_a_child() -> None:
    _core.take_note_of_a_fork()
    with lock():
        hubs = list(_hubs)
    for hub in hubs:
        hub.go_on_in_a_child()


at_fork(after_in_child=_go_on_in_a_child)
