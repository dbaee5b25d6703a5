"""What a store tells of its fuses' transitions: those that were, and those to come."""

from fuseboard import _core
from fuseboard._events.stream import Events
from fuseboard._events.subscription import Hub, Listener, Subscription
from fuseboard._events.transition import Transition, began, transition


class Telling(_core.Store):
    """The part of :class:`fuseboard.Store` that tells."""

    __slots__ = ()

    _hub: Hub

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
