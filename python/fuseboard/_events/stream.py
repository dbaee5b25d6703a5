"""A stream of transitions, for threads and for event loops, with a cursor by which another process goes on."""

import sys
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from fuseboard import _core
from fuseboard._events.subscription import PAUSE, Reading
from fuseboard._events.transition import Transition, began, transition
from fuseboard._validation import MILLION, Seconds, microseconds


class Events:
    """Every transition on the host, whichever process makes it; from :meth:`fuseboard.Store.events`. It never ends.

    For ``async for`` under asyncio, trio, and what runs on them; for ``for`` and :meth:`take` in a thread, which wait
    by looking into the journal each 50 ms. It holds nothing that has to be closed. Of several tasks or threads that
    take from one stream, each transition goes to one. A forked child goes on where its parent's stood, beside it.
    """

    def __init__(self, store: _core.Store, since: str | None) -> None:
        self._store = store
        self._reading = Reading(store, "a stream of events", since)
        self._is_closed = False

    @property
    def lost(self) -> int:
        """Transitions that the journal had dropped, or whose fuse was removed, before they were asked for.

        The loop is too slow, then; or who goes on at a cursor was away for too long.
        """
        return self._reading.place.lost

    @property
    def cursor(self) -> str:
        """Where the stream stands, behind the transition that it handed out last: a text for ``store.events(since)``.

        A few dozen letters, digits, dots and dashes, which fit into a file's line or a URL. It tells of the host's
        table. Fuses that found no room there live in this process alone, and their transitions have no cursor.
        """
        return self._reading.place.cursor

    @property
    def is_resumed(self) -> bool:
        """Whether the stream goes on at the cursor that it was given.

        False where it was given none, and where its cursor is of another table, because the host was restarted, or the
        table was removed and made anew. Then it began with the oldest that the journal holds.
        """
        return self._reading.place.is_resumed

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    def close(self) -> None:
        """Ends the loops over it, in other threads and tasks too, within 50 ms. Not an error if done twice."""
        self._is_closed = True

    def take(self, timeout: Seconds | None = None) -> Transition | None:
        """Waits for the next transition, as ``for`` does; in an event loop use ``async for``, which blocks nobody.

        Ctrl-C ends the wait as it ends a sleep.

        Args:
            timeout: seconds or a timedelta to wait at most, from 0 (one look) to seven days; None for as long as it
                takes.

        Returns:
            The transition. None if none came in that time, or the stream is closed.

        Raises:
            TypeError: ``timeout`` is no length of time.
            ValueError: ``timeout`` is out of range.
        """
        seconds = None if timeout is None else microseconds("timeout", timeout, least=0) / MILLION
        # By this process's own clock: a store's may be a test's, which stands still.
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._is_closed:
            made = self._look()
            if made is not None:
                return made
            left = PAUSE if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(PAUSE, left))
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
        # The last moment at which it may be cancelled is before a transition is taken, so that none gets lost.
        await sleep(0)
        while not self._is_closed:
            made = self._look()
            if made is not None:
                return made
            await sleep(PAUSE)
        raise StopAsyncIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def _look(self) -> Transition | None:
        """The next transition, if it is there."""
        self._reading.poll(self._store)
        row = self._reading.place.take()
        return None if row is None else transition(row, began(self._store))


def sleep_of_the_running_library() -> Callable[[float], Awaitable[object]]:
    """The ``sleep`` of the library whose task this is.

    Trio may run as a guest of asyncio, so it is asked first. What was never imported does not run.
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
