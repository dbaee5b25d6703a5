"""The stage of one act: a server, workers, and a conductor that acts and waits. Every waiting has a deadline."""

import collections
import dataclasses
import json
import time
from collections.abc import Callable
from typing import Protocol

from fuseboard import Store
from fuseboard.demo._crew import Child, Crew, DemoError
from fuseboard.demo._messages import Changed, Message, Order, Task
from fuseboard.demo._picture import Entry, Life, Picture
from fuseboard.demo._plan import FUSE, PATIENCE_SECONDS

_TURN_SECONDS = 0.03


class View(Protocol):
    """What shows the picture."""

    def say(self, entry: Entry) -> None:
        """A line has been added to the timeline."""

    def draw(self, picture: Picture) -> None:
        """Time has passed."""


class Stage:
    """Where an act happens. ``store`` is the one all workers share; None gives each a private one."""

    def __init__(self, picture: Picture, crew: Crew, view: View, store: Store | None, deadline: float) -> None:
        self.picture = picture
        self._crew, self._view, self._store, self._deadline = crew, view, store, deadline
        self._workers: dict[int, Child] = {}
        self._unread: collections.deque[Message] = collections.deque()
        self._server = crew.start(f"act{picture.number}-server", "server")
        self.wait_for(lambda: picture.port is not None, "the server listens")

    def start_worker(self, seat: int) -> Life:
        """Starts a worker in a seat."""
        plan, picture = self.picture.plan, self.picture
        number = sum(life.seat == seat for life in picture.lives)
        settings = dataclasses.asdict(plan)
        del settings["workers"]
        task = Task(
            seat=seat,
            life=number,
            url=f"http://127.0.0.1:{picture.port}",
            store=self._store.name if self._store else None,
            **settings,
        )
        name = f"act{picture.number}-worker{seat + 1}-{number}"
        child = self._crew.start(name, "worker", json.dumps(dataclasses.asdict(task)))
        self._workers[seat] = child
        return picture.enlist(seat, child.pid)

    def kill_worker(self, seat: int) -> Life:
        """Kills the worker of a seat, wherever it is."""
        self._crew.kill(self._workers.pop(seat))
        return self.picture.bury(seat)

    def order(self, order: Order) -> None:
        """Tells the server what to do."""
        self._server.order(json.dumps(dataclasses.asdict(order)).encode())
        self.picture.phase = order.phase or self.picture.phase

    def say(self, text: str, tone: str = "note") -> None:
        """Adds a line to the timeline."""
        entry = Entry(self.picture.elapsed, text, tone)
        self.picture.timeline.append(entry)
        self._view.say(entry)

    def wait_for(self, condition: Callable[[], bool], what: str, within: float = PATIENCE_SECONDS) -> None:
        """Watches until the condition holds.

        It is asked behind each message, so that what is waited for is said before what came later.

        Raises:
            DemoError: it did not come to hold in time, or a child ended by itself.
        """
        deadline = min(time.monotonic() + within, self._deadline)
        while not condition():
            if time.monotonic() > deadline:
                raise DemoError(f"gave up waiting until {what}; is this machine very busy? Try again")
            if not self._unread:
                self._watch()
            if self._unread:
                self._read(self._unread.popleft())

    def _watch(self) -> None:
        self._unread.extend(self._crew.messages(_TURN_SECONDS))
        self._crew.check()
        if self._store is not None:
            self.picture.fuse = self._store.snapshot().get(FUSE)
            self.picture.now = self._store.now()
        self._view.draw(self.picture)

    def _read(self, message: Message) -> None:
        self.picture.absorb(message)
        if self._store is not None and isinstance(message, Changed):
            self._say_change(message)

    def _say_change(self, change: Changed) -> None:
        cause = f", after {change.error}" if change.error else ""
        self.say(f"fuse: {change.before} -> {change.after} (seen by worker {change.seat + 1}{cause})", "fuse")
