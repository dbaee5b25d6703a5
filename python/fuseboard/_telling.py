"""What a store tells of its fuses' transitions: those that were, and those to come."""

import sys
from collections.abc import Awaitable, Callable
from typing import Self

from fuseboard import _core
from fuseboard._journal import Row, Transition, began, transition
from fuseboard._subscription import PAUSE, Hub, Listener, Reading, Subscription


class Events:
    """Every transition on the host from now on, for ``async for``; from :meth:`fuseboard.Store.events`. It never ends.

    For asyncio, trio, and what runs on them. It holds nothing that has to be closed. Of several tasks that take from
    one, each transition goes to one.
    """

    def __init__(self, store: _core.Store) -> None:
        self._store = store
        self._reading = Reading(store, "an event loop")

    @property
    def lost(self) -> int:
        """Transitions that the journal had dropped, or whose fuse was given back, before they were asked for.

        The loop is too slow, then.
        """
        return self._reading.place.lost

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Transition:
        sleep = sleep_of_the_running_library()
        # The last moment at which it may be cancelled is before a transition is taken, so that none gets lost.
        await sleep(0)
        while (row := self._take()) is None:
            await sleep(PAUSE)
        return transition(row, began(self._store))

    def _take(self) -> Row | None:
        self._reading.poll(self._store)
        row = self._reading.place.peek()
        self._reading.place.pop()
        return row


class Telling(_core.Store):
    """The part of :class:`fuseboard.Store` that tells."""

    __slots__ = ()

    _hub: Hub

    def journal(self) -> list[Transition]:
        """The transitions that the table remembers, oldest first: the latest 2,048, whoever made them, dead or alive.

        Each stands there once, those of one fuse in their order. One whose process was killed right behind it is there
        too, without the exception. Older ones are dropped, and so are those of a fuse that is given back, whose name is
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

    def events(self) -> Events:
        """The same for an event loop: ``async for transition in store.events()``, under asyncio or trio.

        From this call on, whenever the loop begins. Nothing is kept for a loop that does not ask but its place in the
        journal; :attr:`Events.lost` counts what the journal dropped meanwhile.
        """
        return Events(self)


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
