"""A stream of transitions, for threads and event loops, with a cursor from which another process can go on."""

import sys
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from fuseboard import _core
from fuseboard._events.subscription import POLL_INTERVAL, LoggedCursor
from fuseboard._events.transition import Transition, began, transition
from fuseboard._validation import MILLION, Seconds, microseconds


class Events:
    """An endless stream of every transition on the host, made by any process; from :meth:`fuseboard.Store.events`.

    Use ``async for`` under asyncio, trio, and libraries on them; use ``for`` or :meth:`take` in a thread. Both wait by
    a look into the journal every 50 ms. A stream need not be closed. If several tasks or threads take from one stream,
    each transition goes to one of them. In a forked child, the stream goes on from where the parent's was; both get
    each later transition.
    """

    def __init__(self, store: _core.Store, since: str | None) -> None:
        self._store = store
        self._cursor = LoggedCursor(store, "a stream of events", since)
        self._is_closed = False

    @property
    def lost(self) -> int:
        """Transitions that were dropped by the journal, or whose fuse was removed, before the loop asked for them.

        Then the loop is too slow, or the process that goes on from a cursor was away for too long.
        """
        return self._cursor.journal.lost

    @property
    def cursor(self) -> str:
        """The place in the journal after the last transition that the stream gave, for ``store.events(since)``.

        A text of a few dozen letters, digits, dots and dashes, for a line of a file or a URL. It is about the host's
        table. Transitions of fuses that live in this process alone, because the table is full, have no cursor.
        """
        return self._cursor.journal.cursor

    @property
    def is_resumed(self) -> bool:
        """Whether the stream goes on at the cursor that it was given.

        False if it was given none. Also False if its cursor is from another table, because the host was restarted, or
        the table was removed and made again; then it began with the oldest transition in the journal.
        """
        return self._cursor.journal.is_resumed

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    def close(self) -> None:
        """Ends the loops over the stream, in all threads and tasks, within 50 ms. May be called twice."""
        self._is_closed = True

    def take(self, timeout: Seconds | None = None) -> Transition | None:
        """Waits for the next transition, as ``for`` does. In an event loop use ``async for``, which does not block.

        Ctrl-C ends the wait.

        Args:
            timeout: how long to wait at most: seconds or a timedelta, from 0 (one look) to seven days; None for no
                limit.

        Returns:
            The transition. None if none came in that time, or the stream is closed.

        Raises:
            TypeError: ``timeout`` is no length of time.
            ValueError: ``timeout`` is out of range.
        """
        seconds = None if timeout is None else microseconds("timeout", timeout, least=0) / MILLION
        # By the process's own clock: the store's clock may be a test's, which stands still.
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._is_closed:
            made = self._look()
            if made is not None:
                return made
            left = POLL_INTERVAL if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(POLL_INTERVAL, left))
        return None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Transition:
        made = self.take()
        if made is None:
            raise StopIteration
        return made

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Transition:
        sleep = sleep_of_the_running_library()
        # It can be cancelled here, before it takes a transition, so that none is lost.
        await sleep(0)
        while not self._is_closed:
            made = self._look()
            if made is not None:
                return made
            await sleep(POLL_INTERVAL)
        raise StopAsyncIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def _look(self) -> Transition | None:
        """The next transition, if it is there."""
        self._cursor.poll(self._store)
        row = self._cursor.journal.take()
        return None if row is None else transition(row, began(self._store))


def sleep_of_the_running_library() -> Callable[[float], Awaitable[object]]:
    """The ``sleep`` of the library whose task this is.

    Trio may run as a guest of asyncio, so it is asked first. A library that was not imported does not run.
    """
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            pass
        else:
            return trio.sleep  # type: ignore[no-any-return]
    import asyncio  # noqa: PLC0415 - slow, and loaded already where it runs

    return asyncio.sleep
